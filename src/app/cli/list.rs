//! `hypo incidents` and `hypo anomalies`: the panes as plain text or JSON, for pipes and for people without a screen.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::Serialize;

use super::{Exit, Failure, open_existing, output, printing, settings};
use crate::app::arguments::{CommonArguments, ListArguments};
use crate::engine::ingest::wall_clock;
use crate::engine::model::{Anomaly, AnomalyState};
use crate::engine::pipeline::Engine;
use crate::engine::report;
use crate::engine::runbooks::Library;
use crate::engine::snapshot::Snapshot;

/// `hypo anomalies --json`
#[derive(Serialize)]
struct AnomalyList<'a> {
    anomalies: Vec<&'a Anomaly>,
}

pub(super) fn incidents(common: &CommonArguments, arguments: &ListArguments) -> Result<Exit, Failure> {
    let snapshot = stored_picture(common)?;
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
    let snapshot = stored_picture(common)?;
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

/// The picture as the store holds it.
fn stored_picture(common: &CommonArguments) -> Result<Arc<Snapshot>, Failure> {
    let store = open_existing(common)?;
    let now = wall_clock::now();
    let mut engine = Engine::new(settings(common)?.settings.engine, Library::shipped())?;
    // The jobs would note interrupted runs; a listing only looks.
    let _notes = engine.restore(store.load()?.into_records(), now);
    Ok(engine.snapshot(now))
}
