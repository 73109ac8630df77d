//! `hypo postmortem`, `hypo status` and `hypo handover`: documents made from the record, as text.

use std::path::Path;

use super::{Exit, Failure, list, output};
use crate::app::arguments::{CommonArguments, PostmortemArguments};
use crate::engine::model::{DocumentKind, IncidentId};
use crate::engine::postmortem;

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

pub(super) fn handover(common: &CommonArguments) -> Result<Exit, Failure> {
    print(&postmortem::handover(list::picture(common)?.as_ref()))?;
    Ok(Exit::Done)
}

fn print(text: &str) -> std::io::Result<()> {
    text.lines().try_for_each(output::line)
}

fn unknown(id: IncidentId) -> String {
    format!("{id} is not in the store; `hypo incidents --all` lists those that are")
}
