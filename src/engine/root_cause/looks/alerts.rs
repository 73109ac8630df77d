//! What a stream of alerts says about a candidate.

use crate::engine::root_cause::candidates::Candidate;
use crate::engine::root_cause::evidence::{FaultKind, Findings, Term};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::picture::alerts::AlertView;
use crate::engine::root_cause::picture::kind::MetricKind;

/// A log line is told up to this many characters.
const SAID_CHARS: usize = 120;

/// Adds what alerts say.
pub fn look(picture: &Picture<'_>, candidate: Candidate<'_>, findings: &mut Findings) {
    let Some(view) = picture.alerts.views.get(&(candidate.node, candidate.instance)) else {
        return;
    };
    let case = picture.case;
    let name = candidate
        .instance
        .and_then(|id| case.instances.get(id))
        .map_or(case.name(candidate.node), |instance| instance.name.as_str());
    levels(view, name, findings);
    findings.add(Term::AlertCallee, view.slow_and_failing, || {
        format!(
            "calls to {name} are slow and fail, for {:.0} callers more than for its siblings",
            view.slow_and_failing * 2.0
        )
    });
    if let Some(line) = &view.own_log {
        findings.add(Term::AlertLog, 1.0, || format!("{name} logs a fault of its own: {}", tail(line)));
    }
    findings.add(Term::AlertSilent, view.silent, || {
        format!(
            "{name} calls nobody any more where its sibling does ({:.0} alerts on the sibling's calls)",
            view.silent * 4.0
        )
    });
    findings.add(Term::ExplainsOthers, view.explains, || {
        format!("{:.0} % of the calls that alert are its own or depend on it", view.explains * 100.0)
    });
    if candidate.instance.is_some() && findings.kind.is_none() {
        findings.name(None, FaultKind::Instance, 0.0);
    }
}

fn levels(view: &AlertView, name: &str, findings: &mut Findings) {
    let metric = view.metric.as_ref().map_or("a metric", |(metric, _)| metric.as_str());
    findings
        .add(Term::AlertLevel, view.level_up, || format!("{metric} and its like rose on {name} and hardly elsewhere"));
    findings.add(Term::AlertFell, view.level_down, || {
        format!("{metric} and its like fell on {name} and hardly elsewhere, as after a restart")
    });
    findings.add(Term::AlertActivity, view.activity_up, || format!("{name} is busier than the others by {metric}"));
    if let Some((metric, kind)) = &view.metric {
        let kind = match kind {
            MetricKind::Memory => FaultKind::Memory,
            MetricKind::Cpu => FaultKind::Cpu,
            MetricKind::Disk => FaultKind::Disk,
            MetricKind::Network => FaultKind::Network,
            _ => FaultKind::Instance,
        };
        findings.name(Some(metric), kind, view.level_up.max(view.level_down));
    }
}

/// The end of a line is what it says; its beginning is time and place.
fn tail(line: &str) -> String {
    let count = line.chars().count();
    line.chars().skip(count.saturating_sub(SAID_CHARS)).collect()
}
