//! `hypo runbook draft`: the page that was begun from an answer, as text.

use crate::app::arguments::CommonArguments;
use crate::app::cli::{Exit, Failure, list, output};
use crate::engine::model::{DocumentKind, IncidentId};
use crate::engine::postmortem;
use crate::engine::runbooks::draft;

pub(super) fn run(common: &CommonArguments, id: IncidentId) -> Result<Exit, Failure> {
    let snapshot = list::picture(common)?;
    let saved = postmortem::saved(&snapshot, id, DocumentKind::RunbookDraft).map(|saved| saved.text.to_string());
    let proposed = || {
        let proposal = snapshot.proposals.get(&id)?.first()?;
        Some(draft::page(proposal, &id.to_string()))
    };
    let Some(text) = saved.or_else(proposed) else {
        return Err(format!(
            "no draft of {id} was saved and no runbook is proposed for it; ask for a remediation in Ask"
        )
        .into());
    };
    text.lines().try_for_each(output::line)?;
    Ok(Exit::Done)
}
