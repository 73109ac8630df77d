//! `hypo incidents` and `hypo anomalies`: the panes as plain text or JSON, for pipes and for people without a screen.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::Serialize;

use super::beside::{self, Beside};
use super::{Exit, Failure, existing_store, output, printing, serving, settings};
use crate::app::arguments::{CommonArguments, ListArguments};
use crate::engine::ingest::wall_clock;
use crate::engine::model::{Anomaly, AnomalyState};
use crate::engine::pipeline::Engine;
use crate::engine::report;
use crate::engine::runbooks::Library;
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

/// Where what is listed comes from.
pub(super) enum From {
    /// An engine that runs.
    Engine(Box<Beside>),
    /// A store that nobody holds, and the picture that it gives.
    Store(Arc<Snapshot>, Box<Store>),
}

/// The picture as the store holds it, or as the engine that holds the store shows it.
pub(super) fn picture(common: &CommonArguments) -> Result<Arc<Snapshot>, Failure> {
    picture_with(common, Library::shipped())
}

/// As [`picture`]; of a store, `library` says which runbooks fit.
pub(super) fn picture_with(common: &CommonArguments, library: Library) -> Result<Arc<Snapshot>, Failure> {
    Ok(match from(common, library)? {
        From::Engine(beside) => beside.picture(),
        From::Store(picture, _) => picture,
    })
}

/// As [`picture_with`], with what it comes from.
pub(super) fn from(common: &CommonArguments, library: Library) -> Result<From, Failure> {
    let loaded = settings(common)?;
    if let Some(beside) = beside::join(&loaded)? {
        return Ok(From::Engine(Box::new(beside)));
    }
    if let Some(owner) = serving::elsewhere(common, &loaded) {
        return Err(serving::is_down(&loaded, &owner));
    }
    let now = wall_clock::now();
    let store = Store::open(&existing_store(common)?).map_err(|problem| match problem {
        StoreError::Held { path, holder } => {
            let (path, socket) = (path.display(), serving::place(&loaded));
            let socket = socket.socket().display();
            format!(
                "{path} is held by {holder}, and nobody listens at {socket} yet; try again in a few seconds, or end that one"
            )
            .into()
        }
        problem => Failure::from(problem),
    })?;
    let mut engine = Engine::new(loaded.settings.engine, library)?;
    // The jobs would note interrupted runs; a listing only looks.
    let _notes = engine.restore(store.load()?.into_records(), now);
    Ok(From::Store(engine.snapshot(now), Box::new(store)))
}
