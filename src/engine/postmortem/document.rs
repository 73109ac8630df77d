//! The post-mortem: what happened, why, what was tried, what worked, and what is left to do.

use super::markdown::{Page, escape};
use super::times::{durations, instant, span};
use super::{Facts, cause, follow_ups, runs};
use crate::engine::model::{IncidentId, ServiceName, TimelineEntry, TimelineKind, human_count};
use crate::engine::snapshot::Snapshot;

/// Lines of the timeline that a document shows: half from its start, half from its end.
const TIMELINE_LINES_MAX: usize = 200;
/// Services named; the others are counted.
const SERVICES_NAMED_MAX: usize = 30;

/// The post-mortem of an incident in Markdown, made from the record alone; `None` where the picture has no such incident.
#[must_use]
pub fn post_mortem(snapshot: &Snapshot, id: IncidentId) -> Option<String> {
    let facts = Facts::of(snapshot, id)?;
    let incident = facts.incident;
    let mut page = Page::default();
    page.heading(1, &format!("Post-mortem of {id}: {}", escape(&incident.title)));
    page.paragraph(&format!("Draft made from the record at {}. All times are UTC.", instant(facts.now())));
    summary(&mut page, &facts);
    impact(&mut page, &facts);
    timeline(&mut page, &facts);
    cause::write(&mut page, &facts);
    runs::write(&mut page, &facts);
    page.heading(2, "How the response went");
    for (what, took) in durations(&facts) {
        page.point(&format!("{what}: {took}"));
    }
    page.point(&format!("Came back after being resolved: {} times", incident.reopen_count));
    page.heading(2, "Follow-ups");
    page.points(&follow_ups::follow_ups(&facts), "The record leaves nothing open.");
    Some(page.finish())
}

fn summary(page: &mut Page, facts: &Facts<'_>) {
    let incident = facts.incident;
    page.heading(2, "Summary");
    let what = match incident.ranking.cause() {
        Some(cause) => format!("Most likely cause: {} ({} %).", escape(&cause.title), cause.confidence.percent()),
        None => "The cause is not known.".to_owned(),
    };
    page.paragraph(&format!("{}. {what}\n", escape(&incident.title)));
    let how = if incident.is_severity_set_by_hand { ", set by hand" } else { "" };
    page.point(&format!("Severity: {}{how}", incident.severity));
    page.point(&format!("State: {}", incident.state.word()));
    page.point(&format!("Owner: {}", incident.owner.as_deref().map_or_else(|| "nobody".to_owned(), escape)));
    page.point(&format!("First symptom: {}", instant(incident.started_at)));
    page.point(&format!("Opened: {}", instant(incident.opened_at)));
    for (what, at) in [
        ("Acknowledged", incident.acknowledged_at),
        ("Mitigated", incident.mitigated_at),
        ("Resolved", incident.resolved_at),
    ] {
        page.point(&format!("{what}: {}", at.map_or_else(|| "no".to_owned(), instant)));
    }
}

fn impact(page: &mut Page, facts: &Facts<'_>) {
    let incident = facts.incident;
    page.heading(2, "Impact");
    let lasted = match incident.mitigated_at {
        Some(_) => span(incident.started_at, incident.mitigated_at),
        None => {
            format!("{} so far; the harm is not known to have stopped", span(incident.started_at, Some(facts.now())))
        }
    };
    page.point(&format!("From the first symptom until the harm stopped: {lasted}"));
    let named: Vec<String> =
        incident.services.keys().take(SERVICES_NAMED_MAX).map(|service| escape(service.as_str())).collect();
    let more = incident.services.len().saturating_sub(SERVICES_NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    page.point(&format!("Services touched: {}: {}{more}", incident.services.len(), named.join(", ")));
    if let Some(cause) = incident.ranking.cause().filter(|cause| !cause.impact_chain.is_empty()) {
        let chain: Vec<String> = cause.impact_chain.iter().map(ServiceName::as_str).map(escape).collect();
        page.point(&format!("How it spread, from the cause outwards: {}", chain.join(" → ")));
    }
    page.point(&format!("Signals folded into it: {}", human_count(incident.folded_count)));
    let felt: Vec<&TimelineEntry> =
        incident.timeline.iter().filter(|entry| entry.kind == TimelineKind::Impact).collect();
    if felt.is_empty() {
        page.point("What users noticed: not known; the record has no measure of it");
    }
    for entry in felt {
        page.point(&format!("Measured at {}: {}", entry.at.hh_mm_ss(), escape(&entry.text)));
    }
}

fn timeline(page: &mut Page, facts: &Facts<'_>) {
    page.heading(2, "Timeline");
    let entries = &facts.incident.timeline;
    let half = TIMELINE_LINES_MAX / 2;
    let left_out = entries.len().saturating_sub(TIMELINE_LINES_MAX);
    for (index, entry) in entries.iter().enumerate() {
        if left_out > 0 && index == half {
            page.point(&format!("… {left_out} lines left out; `hypo incidents --all --json` has all of them"));
        }
        if left_out == 0 || index < half || index >= half + left_out {
            page.point(&timeline_line(entry));
        }
    }
    if entries.is_empty() {
        page.paragraph("The record has no line of it.");
    }
}

fn timeline_line(entry: &TimelineEntry) -> String {
    let word = match entry.kind {
        TimelineKind::Change => "change",
        TimelineKind::Anomaly => "anomaly",
        TimelineKind::Alert => "alert",
        TimelineKind::Impact => "impact",
        TimelineKind::Hypothesis => "cause",
        TimelineKind::State => "state",
        TimelineKind::Step => "step",
        TimelineKind::Note => "note",
        TimelineKind::Recovery => "recovery",
    };
    let unnamed = entry.service.as_ref().filter(|service| !entry.text.contains(service.as_str()));
    let service = unnamed.map(|service| format!("on {}", escape(service.as_str())));
    let by = entry.by.as_ref().map(|by| format!("by {}", escape(by)));
    let aside: Vec<String> = service.into_iter().chain(by).collect();
    let aside = if aside.is_empty() { String::new() } else { format!(" ({})", aside.join(", ")) };
    format!("{} {word}: {}{aside}", instant(entry.at), escape(&entry.text))
}
