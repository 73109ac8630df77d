//! Logs: new lines of the service itself, and lines of others that name it. They support; they never decide alone.

use super::candidates::{Candidate, template_has};
use super::evidence::{Findings, of_anomaly};
use super::picture::Picture;
use crate::engine::model::{AnomalyKind, EvidenceKind};

pub(super) fn look(picture: &Picture<'_>, candidate: &Candidate<'_>, findings: &mut Findings) {
    let own = picture.view(&candidate.service).into_iter().flat_map(|view| &view.logs);
    let new_first = own.min_by_key(|line| (line.kind != AnomalyKind::NewTemplate, line.started_at, line.id));
    if let Some(line) = new_first {
        let weight = if line.kind == AnomalyKind::NewTemplate { 0.8 } else { 0.4 };
        findings.add(EvidenceKind::Logs, weight, line.departure(), Some(line.started_at), of_anomaly(line));
    }
    let name = candidate.service.as_str().to_lowercase();
    // A name of three letters is in half of all log lines.
    if name.len() < 4 {
        return;
    }
    let callers = picture.topology.callers(&candidate.service).filter_map(|caller| picture.view(caller));
    let naming = callers.flat_map(|view| &view.logs).find(|line| template_has(line, &[&name]));
    if let Some(line) = naming {
        let said = line.template.as_ref().map_or("", |(_, text)| text);
        let text = format!("the log of {} names {}: {said}", line.service, candidate.service);
        findings.add(EvidenceKind::Logs, 0.7, text, Some(line.started_at), of_anomaly(line));
    }
}
