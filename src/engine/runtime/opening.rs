//! From a configuration to an engine that knows what the store holds.

use std::cell::Cell;
use std::sync::Arc;

use super::recorder::Recorder;
use super::source_list::{Resume, SourceSpec};
use super::{RuntimeConfig, RuntimeError};
use crate::engine::act::StepRunner;
use crate::engine::clock::Timestamp;
use crate::engine::ingest::wall_clock;
use crate::engine::job::{Job, Record};
use crate::engine::model::position_setting;
use crate::engine::patches::keeping::OfficeInMemory;
use crate::engine::pipeline::Engine;
use crate::engine::settings::{OutboundSettings, PatchSettings, RunbookSettings};
use crate::engine::snapshot::StoreStatus;
use crate::engine::store::{Hold, Store, Stored};

/// An engine ready to take inputs.
pub(super) struct Opened {
    pub engine: Engine,
    pub store: Option<Store>,
    pub status: StoreStatus,
    pub recorder: Option<Recorder>,
    /// Each source with what an earlier life left it.
    pub sources: Vec<(SourceSpec, Resume)>,
    pub runner: Arc<dyn StepRunner>,
    pub outbound: OutboundSettings,
    pub patches: PatchSettings,
    pub patch_office: Option<Arc<OfficeInMemory>>,
    pub runbooks: RunbookSettings,
    pub first_jobs: Vec<Job>,
    pub now: Timestamp,
}

/// Opens the store, by the right to it where that was taken before, and brings back what it holds.
pub(super) fn open(config: RuntimeConfig, hold: Option<Hold>) -> Result<Opened, RuntimeError> {
    let store = match (hold, config.state_dir.as_deref()) {
        (Some(hold), _) => Some(Store::open_held(hold)?),
        (None, folder) => folder.map(Store::open).transpose()?,
    };
    let mut stored = match &store {
        Some(store) => store.load()?,
        None => Stored::default(),
    };
    let cursors = std::mem::take(&mut stored.cursors);
    let mut kept = stored.settings.clone();
    let status = StoreStatus {
        path: Arc::from(store.as_ref().map(|store| store.path().display().to_string()).unwrap_or_default()),
        problem: problem(store.as_ref(), &stored),
    };
    let now = wall_clock::now();
    let mut engine = Engine::new(config.settings.clone(), config.library)?;
    engine.set_store_status(status.clone());
    let next = stored.next;
    let known = stored.into_records();
    let (unread_series, unread_pages) = (Cell::new(0), Cell::new(0));
    let series = || readable(store.iter().flat_map(Store::series), &unread_series).map(Record::Series);
    let pages = || readable(store.iter().flat_map(Store::past_pages), &unread_pages).map(Record::PastPage);
    let recorder = match &config.record_to {
        Some(path) => {
            Some(Recorder::create(path, &config.settings, known.iter().cloned().chain(series()).chain(pages()))?)
        }
        None => None,
    };
    let mut first_jobs = engine.restore(known.into_iter().chain(series()).chain(pages()), now);
    engine.note_unread_series(unread_series.get());
    engine.note_unread_past(unread_pages.get());
    engine.number_from(next);
    first_jobs.extend(engine.begin(now));
    let with_resume = |spec: SourceSpec| {
        let position = kept.remove(&position_setting(&spec.name)).map(Arc::from);
        let resume = Resume { backfilled_until: cursors.get(&spec.name).copied(), position };
        (spec, resume)
    };
    let sources = config.sources.into_iter().map(with_resume).collect();
    let (outbound, patches, runbooks) = (config.settings.outbound, config.settings.patches, config.settings.runbooks);
    let (runner, patch_office) = (config.runner, config.patch_office);
    Ok(Opened {
        engine,
        store,
        status,
        recorder,
        sources,
        runner,
        outbound,
        patches,
        patch_office,
        runbooks,
        first_jobs,
        now,
    })
}

/// What can be read of it, and how much cannot; counted anew each time it is gone through.
fn readable<T>(kept: impl Iterator<Item = Option<T>>, unread_count: &Cell<u64>) -> impl Iterator<Item = T> {
    unread_count.set(0);
    kept.inspect(|one| unread_count.set(unread_count.get() + u64::from(one.is_none()))).flatten()
}

/// All that happened on opening, what was lost first: it belongs together. Of entries that cannot be read, the first.
fn problem(store: Option<&Store>, stored: &Stored) -> Option<Arc<str>> {
    match store.map(Store::notices) {
        Some([one]) => Some(Arc::clone(one)),
        Some(notices @ [_, ..]) => Some(Arc::from(notices.join("; "))),
        _ => stored.problems.first().cloned(),
    }
}
