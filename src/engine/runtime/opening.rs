//! From a configuration to an engine that knows what the store holds.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::recorder::Recorder;
use super::source_list::{Resume, SourceSpec};
use super::{RuntimeConfig, RuntimeError};
use crate::engine::act::StepRunner;
use crate::engine::act::kill_file::KillFile;
use crate::engine::act::walk::ENGINE;
use crate::engine::clock::Timestamp;
use crate::engine::ingest::wall_clock;
use crate::engine::input::{Input, KillWord};
use crate::engine::job::{Job, Record};
use crate::engine::model::position_setting;
use crate::engine::patches::keeping::OfficeInMemory;
use crate::engine::pipeline::Engine;
use crate::engine::settings::{EngineSettings, OutboundSettings, PatchSettings, RunbookSettings, StoreSettings};
use crate::engine::snapshot::StoreStatus;
use crate::engine::store::{Hold, SettledClock, Store, StoreError, Stored};

/// What the system cannot give for now is waited for so long …
const NOT_NOW_WAIT: Duration = Duration::from_secs(20);
/// … and asked for again each time after this.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// An engine ready to take inputs.
pub(super) struct Opened {
    pub engine: Engine,
    pub store: Option<Store>,
    /// Where things are kept, or would be.
    pub folder: Option<PathBuf>,
    /// How long things are kept, and how much room they may take.
    pub retention: StoreSettings,
    /// The right to that folder, which others do not get as long as the engine lives.
    pub hold: Option<Arc<Hold>>,
    /// Why the store is not open though it should be.
    pub refusal: Option<Arc<str>>,
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
    let Kept { store, hold, mut stored, refusal } = match config.state_dir.as_deref() {
        Some(folder) => open_store(hold, folder, &config.settings.store)?,
        None => Kept::default(),
    };
    let cursors = std::mem::take(&mut stored.cursors);
    let mut kept = stored.settings.clone();
    let status = StoreStatus {
        path: Arc::from(config.state_dir.as_ref().map(|folder| folder.display().to_string()).unwrap_or_default()),
        size_bytes: store.as_ref().and_then(|store| store.size_bytes().ok()).unwrap_or(0),
        size_max_bytes: if config.state_dir.is_some() { config.settings.store.size_max() } else { 0 },
        problem: refusal.clone().or_else(|| problem(store.as_ref(), &stored)),
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
    if let Some(loss) = store.as_ref().and_then(Store::loss) {
        // A step that was under way may be among what is gone, and what was done may count as not done.
        let reason = format!("{loss}. Look what was under way, then take the switch off");
        let word = KillWord::On { by: Arc::from(ENGINE), reason: Arc::from(reason) };
        if let Err(problem) = stop_for_loss(store.as_ref(), config.state_dir.as_deref(), &word) {
            tracing::error!("the loss is told anew at the next start: {problem}");
        }
        first_jobs.extend(engine.handle(Input::Kill(word), now));
    }
    let with_resume = |spec: SourceSpec| {
        let position = kept.remove(&position_setting(&spec.name)).map(Arc::from);
        let resume = Resume { backfilled_until: cursors.get(&spec.name).copied(), position };
        (spec, resume)
    };
    let sources = config.sources.into_iter().map(with_resume).collect();
    let EngineSettings { outbound, patches, runbooks, store: retention, .. } = config.settings;
    let (runner, patch_office) = (config.runner, config.patch_office);
    Ok(Opened {
        engine,
        store,
        folder: config.state_dir,
        hold,
        refusal,
        retention,
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

/// The switch is on disk before the loss counts as told: whoever ends in between is told of it anew.
fn stop_for_loss(store: Option<&Store>, folder: Option<&Path>, word: &KillWord) -> Result<(), StoreError> {
    let (Some(store), Some(folder)) = (store, folder) else { return Ok(()) };
    let failed = |reason| StoreError::Folder { path: folder.to_path_buf(), reason };
    KillFile::of(folder).write(word).map_err(failed)?;
    store.take_note_of_loss()
}

/// What an earlier life left.
#[derive(Default)]
struct Kept {
    store: Option<Store>,
    hold: Option<Arc<Hold>>,
    stored: Stored,
    refusal: Option<Arc<str>>,
}

/// Opens the store. Where it cannot be opened for want of room or of a sound disk, the engine begins without it: who is on call
/// sees what happens, though nothing may be done.
fn open_store(hold: Option<Hold>, folder: &Path, settings: &StoreSettings) -> Result<Kept, StoreError> {
    let refused = |problem: StoreError, hold: Option<Arc<Hold>>| {
        tracing::error!("{problem}");
        let text = format!("{problem}; nothing of before is known here");
        Ok(Kept { hold, refusal: Some(Arc::from(text)), ..Kept::default() })
    };
    let hold = match hold.map_or_else(|| Hold::take(folder), Ok) {
        Ok(hold) => Arc::new(hold),
        Err(problem) if problem.is_of_the_disk() => return refused(problem, None),
        Err(problem) => return Err(problem),
    };
    if let Some(refusal) = hold.refusal() {
        let text = format!("cannot be written to ({refusal}): hypo only watches, and knows nothing of before");
        return Ok(Kept { refusal: Some(Arc::from(text)), hold: Some(hold), ..Kept::default() });
    }
    let mut opened = open_within(&hold, settings);
    let begun = Instant::now();
    // What the system lacks while everything starts at once is there a moment later.
    while matches!(opened, Err(StoreError::NotNow { .. })) && begun.elapsed() < NOT_NOW_WAIT {
        thread::sleep(TRY_AGAIN);
        opened = open_within(&hold, settings);
    }
    let opened = match opened {
        Err(StoreError::Full { .. } | StoreError::NoRoomToRenew { .. })
            if matches!(Store::release_ballast(folder), Ok(true)) =>
        {
            Store::open_held_and_load(Arc::clone(&hold))
        }
        other => other,
    };
    match opened {
        Ok((store, stored)) => Ok(Kept { store: Some(store), hold: Some(hold), stored, refusal: None }),
        Err(problem) if problem.is_of_the_disk() => refused(problem, Some(hold)),
        Err(problem) => Err(problem),
    }
}

/// The store, written anew where it has grown large: reading it is quicker by more than that takes. Where that does not work out
/// it is as it was.
fn open_within(hold: &Arc<Hold>, settings: &StoreSettings) -> Result<(Store, Stored), StoreError> {
    let (store, stored) = Store::open_held_and_load(Arc::clone(hold))?;
    if !store.is_large(settings)? {
        return Ok((store, stored));
    }
    match shortened(store, settings) {
        Ok(shorter) => Ok(shorter),
        Err(problem) => {
            tracing::error!("the store is large, and was not written anew: {problem}");
            Store::open_held_and_load(Arc::clone(hold))
        }
    }
}

fn shortened(store: Store, settings: &StoreSettings) -> Result<(Store, Stored), StoreError> {
    let now = SettledClock::new(store.newest_at()).look(wall_clock::now(), Duration::ZERO);
    if let Some(now) = now {
        store.forget(settings, now)?;
    }
    let store = store.shorten(settings, now)?;
    let stored = store.load_guarded()?;
    Ok((store, stored))
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
