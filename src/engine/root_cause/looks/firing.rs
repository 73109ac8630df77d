//! External alerts: that somebody's rule fires on the service. One kind of evidence, however many alerts there are:
//! their number says more about the rules than about the cause.

use crate::engine::model::{AlertState, EvidenceTarget, Severity};
use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::evidence::{Findings, Term};
use crate::engine::root_cause::picture::Picture;

/// Adds that a rule fires on it.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let Some(cause) = &candidate.cause else { return };
    let alerts = picture.symptoms.view(cause.node).into_iter().flat_map(|view| &view.alerts);
    let worst = alerts.max_by_key(|alert| {
        (alert.notice.severity, std::cmp::Reverse(alert.notice.starts_at), std::cmp::Reverse(alert.notice.fingerprint))
    });
    if let Some(alert) = worst {
        let weight = if alert.notice.severity == Severity::Critical { 0.5 } else { 0.3 };
        let verb = if alert.notice.state == AlertState::Firing { "fires" } else { "fired" };
        let text = format!("alert {} {verb} on {}", alert.notice.name, picture.name(cause.node));
        let target = EvidenceTarget::Alert(alert.notice.fingerprint);
        findings.tell(Term::Firing, weight, text, Some(alert.notice.starts_at), target);
    }
}
