//! Incidents, anomalies and whole reports as lines of text.

use std::io;

use super::output::line;
use crate::engine::model::{Anomaly, AnomalyKind, DetectionMethod, ServiceName, Unit, quantity};
use crate::engine::report::{IncidentReport, Report, RunReport};
use crate::views::text::counted;

/// One incident in a line.
pub(super) fn incident_line(incident: &IncidentReport) -> io::Result<()> {
    line(&format!(
        "{:<8} {} {:<12} {}  {}; {}",
        incident.id,
        incident.severity,
        incident.state.word(),
        incident.opened_at,
        incident.title,
        cause_text(incident)
    ))
}

/// One anomaly in a line.
pub(super) fn anomaly_line(anomaly: &Anomaly) -> io::Result<()> {
    let reason = anomaly.suppressed.as_ref().map(|reason| format!("  [{reason}]")).unwrap_or_default();
    let low = quantity::human(anomaly.expected.low, anomaly.unit);
    let high = quantity::human(anomaly.expected.high, anomaly.unit);
    let judged = match anomaly.kind {
        _ if anomaly.is_measured_in_sigmas() => format!("expected {low} to {high}  {:.1} sigma", anomaly.peak_sigma),
        AnomalyKind::Absence => "no data when some was due".to_owned(),
        AnomalyKind::NewTemplate => "never seen before".to_owned(),
        _ if anomaly.method == DetectionMethod::StaticThreshold && anomaly.unit != Unit::Boolean => {
            anomaly.beyond_limit()
        }
        AnomalyKind::Deviation | AnomalyKind::TemplateRate | AnomalyKind::Forecast | AnomalyKind::Relation => {
            format!("expected {low} to {high}")
        }
    };
    line(&format!(
        "{:<10} {} {:<20} {:<24} {:>10} {judged}  since {}{reason}",
        anomaly.id.to_string(),
        anomaly.severity.word(),
        anomaly.service,
        anomaly.metric,
        quantity::human(anomaly.value, anomaly.unit),
        anomaly.started_at,
    ))
}

/// Everything that happened, for people.
pub(super) fn report(report: &Report) -> io::Result<()> {
    if report.incidents.is_empty() {
        return line("no incident");
    }
    for incident in &report.incidents {
        line(&format!("{}  {}  {}", incident.id, incident.severity, incident.title))?;
        line(&format!("  {}", cause_text(incident)))?;
        if let Some(cause) = &incident.cause {
            for text in &cause.evidence_for {
                line(&format!("    + {text}"))?;
            }
            for text in &cause.evidence_against {
                line(&format!("    - {text}"))?;
            }
            let chain: Vec<&str> = cause.impact_chain.iter().map(ServiceName::as_str).collect();
            line(&format!("  impact: {}", chain.join(" → ")))?;
        }
        line(&format!("  {} folded in; timeline:", counted(incident.folded_count, "signal", "signals")))?;
        for entry in &incident.timeline {
            line(&format!("    {}  {}", entry.at.hh_mm_ss(), entry.text))?;
        }
        for run in &incident.runs {
            run_lines(run)?;
        }
        line(&format!("  outcome: {}", incident.outcome))?;
    }
    Ok(())
}

fn run_lines(run: &RunReport) -> io::Result<()> {
    line(&format!("  {} {}", run.id, run.runbook))?;
    for step in &run.steps {
        let command = if step.command.is_empty() { String::new() } else { format!("  $ {}", step.command.join(" ")) };
        line(&format!("    {:<24} {}{command}", step.name, step.outcome))?;
    }
    Ok(())
}

fn cause_text(incident: &IncidentReport) -> String {
    match (&incident.cause, incident.confidence, &incident.unresolved) {
        (Some(cause), Some(confidence), _) => format!("cause: {} ({:.0} %)", cause.title, confidence * 100.0),
        (_, _, Some(reason)) => format!("cause unresolved: {reason}"),
        _ => "cause not looked for yet".to_owned(),
    }
}
