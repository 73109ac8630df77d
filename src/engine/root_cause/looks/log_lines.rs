//! Logs: new lines of the service itself, and lines of others that name it. They support; they never decide alone.

use crate::engine::model::AnomalyKind;
use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::evidence::{Findings, Term, of_anomaly};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::picture::causes::template_has;

/// Adds what new lines say.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let Some(cause) = &candidate.cause else { return };
    let own = picture.symptoms.view(cause.node).into_iter().flat_map(|view| &view.logs);
    let new_first = own.min_by_key(|line| (line.kind != AnomalyKind::NewTemplate, line.started_at, line.id));
    if let Some(line) = new_first {
        let weight = if line.kind == AnomalyKind::NewTemplate { 0.8 } else { 0.4 };
        findings.tell(Term::NewLines, weight, line.departure(), Some(line.started_at), of_anomaly(line));
    }
    let name = picture.name(cause.node).to_lowercase();
    // A name of three letters is in half of all log lines.
    if name.len() < 4 {
        return;
    }
    let callers = picture.graph.callers(cause.node).iter().filter_map(|caller| picture.symptoms.view(*caller));
    let naming = callers.flat_map(|view| &view.logs).find(|line| template_has(line, &[&name]));
    if let Some(line) = naming {
        let said = line.template.as_ref().map_or("", |(_, text)| text);
        let text = format!("the log of {} names {}: {said}", line.service, picture.name(cause.node));
        findings.tell(Term::NewLines, 0.7, text, Some(line.started_at), of_anomaly(line));
    }
}
