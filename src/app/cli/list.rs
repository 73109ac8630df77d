//! `hypo incidents` and `hypo anomalies`: the panes as plain text or JSON, for pipes and for people without a screen.

use std::cmp::Reverse;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::{Exit, Failure, existing_store, output, printing, settings};
use crate::app::arguments::{CommonArguments, ListArguments};
use crate::engine::clock::{SECOND_MS, Timestamp};
use crate::engine::ingest::wall_clock;
use crate::engine::model::{Anomaly, AnomalyState};
use crate::engine::pipeline::Engine;
use crate::engine::report;
use crate::engine::runbooks::Library;
use crate::engine::runtime::picture_file::{self, Picture};
use crate::engine::snapshot::Snapshot;
use crate::engine::store::{Store, StoreError};

/// `hypo anomalies --json`
#[derive(Serialize)]
struct AnomalyList<'a> {
    anomalies: Vec<&'a Anomaly>,
}

pub(super) fn incidents(common: &CommonArguments, arguments: &ListArguments) -> Result<Exit, Failure> {
    let snapshot = picture(common)?;
    let mut report = report::report(&snapshot);
    report.incidents.retain(|incident| arguments.all || incident.state.is_live());
    if arguments.json {
        output::json(&report)?;
        return Ok(Exit::Done);
    }
    if report.incidents.is_empty() {
        output::line(if arguments.all {
            "no incidents"
        } else {
            "no live incidents; --all lists those that are over"
        })?;
    }
    for incident in &report.incidents {
        printing::incident_line(incident)?;
    }
    Ok(Exit::Done)
}

pub(super) fn anomalies(common: &CommonArguments, arguments: &ListArguments) -> Result<Exit, Failure> {
    let snapshot = picture(common)?;
    let mut anomalies: Vec<&Anomaly> = snapshot.anomalies.iter().map(Arc::as_ref).collect();
    anomalies.retain(|anomaly| arguments.all || anomaly.state != AnomalyState::Ended);
    anomalies.sort_by_key(|anomaly| (Reverse(anomaly.severity), Reverse(anomaly.started_at), anomaly.id));
    if arguments.json {
        output::json(&AnomalyList { anomalies })?;
        return Ok(Exit::Done);
    }
    if anomalies.is_empty() {
        output::line(if arguments.all {
            "no anomalies"
        } else {
            "no active anomalies; --all lists those that are over"
        })?;
    }
    for anomaly in anomalies {
        printing::anomaly_line(anomaly)?;
    }
    Ok(Exit::Done)
}

/// The picture as the store holds it, or as the hypo that holds the store shows it.
pub(super) fn picture(common: &CommonArguments) -> Result<Arc<Snapshot>, Failure> {
    picture_with(common, Library::shipped())
}

/// As [`picture`]; of a store, `library` says which runbooks fit.
pub(super) fn picture_with(common: &CommonArguments, library: Library) -> Result<Arc<Snapshot>, Failure> {
    Ok(picture_and_store(common, library)?.0)
}

/// As [`picture_with`], with the store where no other hypo holds it.
pub(super) fn picture_and_store(
    common: &CommonArguments,
    library: Library,
) -> Result<(Arc<Snapshot>, Option<Store>), Failure> {
    let now = wall_clock::now();
    let store = match Store::open(&existing_store(common)?) {
        Ok(store) => store,
        Err(StoreError::Held { path, holder }) => return Ok((running_picture(&path, &holder, now)?, None)),
        Err(problem) => return Err(problem.into()),
    };
    let mut engine = Engine::new(settings(common)?.settings.engine, library)?;
    // The jobs would note interrupted runs; a listing only looks.
    let _notes = engine.restore(store.load()?.into_records(), now);
    Ok((engine.snapshot(now), Some(store)))
}

/// The picture that the holder of the store keeps beside it; its age is told on standard error.
fn running_picture(folder: &Path, holder: &str, now: Timestamp) -> Result<Arc<Snapshot>, Failure> {
    // One of another process is what a crash left behind.
    let picture =
        picture_file::read(folder)?.filter(|picture| holder.starts_with(&format!("hypo pid {} ", picture.pid)));
    let Some(Picture { pid, snapshot }) = picture else {
        return Err(format!(
            "{} is held by {holder}, which shows nothing to others yet; try again in a few seconds, or end it",
            folder.display()
        )
        .into());
    };
    let age_s = now.since_ms(snapshot.at).max(0) / SECOND_MS;
    output::complain(&format!("from the running hypo pid {pid}, {age_s} s old"));
    Ok(Arc::new(snapshot))
}
