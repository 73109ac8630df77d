//! `hypo postmortem`, `hypo status` and `hypo handover`: documents made from the record, as text.

use std::path::Path;
use std::sync::Arc;

use super::{Exit, Failure, beside, list, output, settings};
use crate::app::arguments::{CommonArguments, HandoverArguments, PostmortemArguments};
use crate::engine::model::{DocumentKind, IncidentId};
use crate::engine::postmortem;
use crate::engine::request::Request;

pub(super) fn post_mortem(common: &CommonArguments, arguments: &PostmortemArguments) -> Result<Exit, Failure> {
    let id = arguments.incident;
    let snapshot = list::picture(common)?;
    let saved = postmortem::saved(&snapshot, id, DocumentKind::PostMortem).filter(|_| !arguments.draft);
    let text = match saved {
        Some(saved) => format!("{}\n", saved.text.trim_end()),
        None => postmortem::post_mortem(&snapshot, id).ok_or_else(|| unknown(id))?,
    };
    match arguments.out.as_deref().filter(|out| *out != Path::new("-")) {
        None => print(&text)?,
        Some(out) => {
            std::fs::write(out, &text).map_err(|problem| {
                format!("cannot write {}: {problem}; name another file with --out", out.display())
            })?;
        }
    }
    Ok(Exit::Done)
}

pub(super) fn status(common: &CommonArguments, incident: IncidentId) -> Result<Exit, Failure> {
    let snapshot = list::picture(common)?;
    let next = postmortem::next_update(&snapshot, incident);
    let text = postmortem::status_update(&snapshot, incident, next);
    print(&text.ok_or_else(|| unknown(incident))?)?;
    Ok(Exit::Done)
}

pub(super) fn handover(common: &CommonArguments, arguments: &HandoverArguments) -> Result<Exit, Failure> {
    match &arguments.to {
        Some(to) => hand_over(common, to, arguments.note.as_deref().unwrap_or_default()),
        None => {
            print(&postmortem::handover(list::picture(common)?.as_ref()))?;
            Ok(Exit::Done)
        }
    }
}

/// Passes the asker's incidents and wheels on, which the engine that runs keeps; the document is of before.
fn hand_over(common: &CommonArguments, to: &str, note: &str) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let request = Request::HandOver { to: Arc::from(to), note: Arc::from(note) };
    let Some(done) = beside::request(&loaded, request)? else {
        let place = loaded.paths.state_dir.display();
        return Err(format!("no engine runs on {place}, so nothing can be handed over; start one first").into());
    };
    print(&postmortem::handover(&done.before))?;
    output::line("")?;
    output::line(&done.text)?;
    Ok(Exit::Done)
}

fn print(text: &str) -> std::io::Result<()> {
    text.lines().try_for_each(output::line)
}

fn unknown(id: IncidentId) -> String {
    format!("{id} is not in the store; `hypo incidents --all` lists those that are")
}
