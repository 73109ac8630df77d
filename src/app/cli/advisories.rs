//! `hypo advisories`: the feeds of vulnerabilities, renewed, taken from files, and what they say.

mod told;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{Exit, Failure, output, settings, tokio_runtime};
use crate::app::arguments::{AdvisoriesCommand, AdvisoriesImportArguments, AdvisoriesSyncArguments, CommonArguments};
use crate::engine::ingest::wall_clock;
use crate::engine::job::Record;
use crate::engine::model::{AuditEntry, AuditKind};
use crate::engine::patches::feeds::FeedKind;
use crate::engine::patches::feeds::debian::Verdict;
use crate::engine::patches::feeds::document::{Document, FeedEntry, unpacked};
use crate::engine::patches::feeds::epss::Estimate;
use crate::engine::patches::feeds::kev::KnownExploited;
use crate::engine::patches::feeds::nvd::Described;
use crate::engine::patches::feeds::osv::OsvAdvisory;
use crate::engine::patches::intake::{self, Arrival};
use crate::engine::patches::shelf::{Renewal, Shelf, ShelfError};
use crate::engine::patches::sync::{Renewed, Renewing};
use crate::engine::store::{Store, StoreError};

/// What became of one feed, as JSON.
#[derive(Serialize)]
struct Outcome {
    feed: FeedKind,
    outcome: &'static str,
    count: Option<usize>,
    set_aside_count: Option<usize>,
    problem: Option<String>,
}

pub(super) fn run(common: &CommonArguments, command: &AdvisoriesCommand) -> Result<Exit, Failure> {
    match command {
        AdvisoriesCommand::Sync(arguments) => sync(common, arguments),
        AdvisoriesCommand::Import(arguments) => import(common, arguments),
        AdvisoriesCommand::Feeds { json } => told::feeds(common, *json),
        AdvisoriesCommand::List(arguments) => told::list(common, arguments),
        AdvisoriesCommand::Show { id, json } => told::show(common, id, *json),
    }
}

fn sync(common: &CommonArguments, arguments: &AdvisoriesSyncArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let feeds: Vec<FeedKind> = match arguments.feed.as_slice() {
        [] => FeedKind::ALL.to_vec(),
        some => some.iter().map(|name| name.kind()).collect(),
    };
    let shelf = Shelf::of(&loaded.paths.state_dir);
    let renewal = shelf.renewal()?;
    note_shrink(&loaded.paths.state_dir, arguments.allow_shrink.as_deref(), &feeds)?;
    let renewing = Renewing {
        settings: &loaded.settings.engine.patches.feeds,
        shelf: &shelf,
        renewal: &renewal,
        now: &wall_clock::now,
        pause: Arc::new(|ms| Box::pin(tokio::time::sleep(Duration::from_millis(ms)))),
        may_shrink: arguments.allow_shrink.is_some(),
    };
    let runtime = tokio_runtime()?;
    let mut outcomes = Vec::new();
    for feed in feeds {
        let outcome = outcome_of(feed, runtime.block_on(renewing.renew(feed)).map_err(|problem| problem.to_string()));
        if !arguments.json {
            tell(&outcome)?;
        }
        outcomes.push(outcome);
    }
    if arguments.json {
        output::json(&outcomes)?;
    }
    Ok(if outcomes.iter().any(|outcome| outcome.problem.is_some()) { Exit::Failed } else { Exit::Done })
}

fn import(common: &CommonArguments, arguments: &AdvisoriesImportArguments) -> Result<Exit, Failure> {
    let folder = settings(common)?.paths.state_dir;
    let (shelf, feed) = (Shelf::of(&folder), arguments.feed.kind());
    let renewal = shelf.renewal()?;
    note_shrink(&folder, arguments.allow_shrink.as_deref(), &[feed])?;
    let taken = match feed {
        FeedKind::Kev => take::<KnownExploited>(&shelf, &renewal, arguments),
        FeedKind::Epss => take::<Estimate>(&shelf, &renewal, arguments),
        FeedKind::Nvd => take::<Described>(&shelf, &renewal, arguments),
        FeedKind::Osv => take::<OsvAdvisory>(&shelf, &renewal, arguments),
        FeedKind::Debian => take::<Verdict>(&shelf, &renewal, arguments),
    };
    let problem = taken.as_ref().err().map(ToString::to_string);
    shelf.note(feed, wall_clock::now(), problem, &renewal)?;
    let outcome = outcome_of(feed, Ok(taken?));
    if arguments.json {
        output::json(&outcome)?;
    } else {
        tell(&outcome)?;
    }
    Ok(Exit::Done)
}

/// Takes the files together, as one document: a part of it is refused with the rest.
fn take<T: FeedEntry>(
    shelf: &Shelf,
    renewal: &Renewal,
    arguments: &AdvisoriesImportArguments,
) -> Result<Renewed, Failure> {
    let mut whole: Option<Document<T>> = None;
    for path in &arguments.files {
        let document = read::<T>(path).map_err(|problem| format!("{}: {problem}", path.display()))?;
        whole = Some(match whole {
            Some(before) => before.with(document),
            None => document,
        });
    }
    let document = whole.ok_or("no file is named")?;
    let origin: Vec<String> = arguments.files.iter().take(3).map(|path| path.display().to_string()).collect();
    let arrival = Arrival {
        at: wall_clock::now(),
        origin: origin.join(", "),
        may_shrink: arguments.allow_shrink.is_some(),
        ..Arrival::default()
    };
    let before = match shelf.load::<T>() {
        // It is about to be replaced.
        Err(ShelfError::Damaged { .. }) => None,
        other => other?,
    };
    let kept = intake::take(before, document, arrival)?;
    shelf.keep(&kept, renewal)?;
    Ok(Renewed::Taken { count: kept.head.count, set_aside_count: kept.head.set_aside_count })
}

fn read<T: FeedEntry>(path: &PathBuf) -> Result<Document<T>, Failure> {
    Ok(T::read(&unpacked(T::KIND, std::fs::read(path)?)?)?)
}

/// Writes into the audit log that a feed may shrink, before it does; without that entry it may not.
fn note_shrink(folder: &Path, reason: Option<&str>, feeds: &[FeedKind]) -> Result<(), Failure> {
    let Some(reason) = reason else { return Ok(()) };
    if reason.trim().is_empty() {
        return Err("--allow-shrink needs a reason: write why the feed may have less".into());
    }
    let store = Store::open(folder).map_err(|problem| match problem {
        StoreError::Held { holder, .. } => {
            Failure::from(format!("--allow-shrink goes into the audit log, which {holder} holds; end that one first"))
        }
        other => other.into(),
    })?;
    let names: Vec<&str> = feeds.iter().map(|feed| feed.title()).collect();
    let entry = AuditEntry {
        sequence: store.load()?.next.audit,
        at: wall_clock::now(),
        kind: AuditKind::Operator,
        by: Arc::from(super::console::operator()),
        incident: None,
        run: None,
        text: Arc::from(format!("allowed {} to shrink: {}", names.join(", "), reason.trim())),
    };
    store.write(&[Record::Audit(entry)], true)?;
    Ok(())
}

fn outcome_of(feed: FeedKind, renewed: Result<Renewed, String>) -> Outcome {
    let (outcome, count, set_aside_count, problem) = match renewed {
        Ok(Renewed::Taken { count, set_aside_count }) => ("taken", Some(count), Some(set_aside_count), None),
        Ok(Renewed::Unchanged) => ("unchanged", None, None, None),
        Ok(Renewed::NotFetched(_)) => ("not_fetched", None, None, None),
        Err(problem) => ("failed", None, None, Some(problem)),
    };
    Outcome { feed, outcome, count, set_aside_count, problem }
}

fn tell(outcome: &Outcome) -> Result<(), Failure> {
    let title = outcome.feed.title();
    let set_aside = outcome.set_aside_count.unwrap_or(0);
    let text = match (&outcome.problem, outcome.count) {
        (Some(problem), _) => format!("{title}: NOT renewed: {problem}"),
        (None, Some(count)) if set_aside > 0 => format!("{title}: {count} entries; {set_aside} could not be read"),
        (None, Some(count)) => format!("{title}: {count} entries"),
        (None, None) if outcome.outcome == "unchanged" => format!("{title}: nothing newer"),
        (None, None) => format!("{title}: not fetched by the configuration"),
    };
    output::line(&text)?;
    Ok(())
}
