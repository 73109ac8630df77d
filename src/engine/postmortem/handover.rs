//! The handover: what whoever takes over must know, worst first.

use std::sync::Arc;

use super::markdown::{Page, escape};
use super::status::run_in_words;
use super::times::{instant, span};
use crate::engine::model::{Incident, Run, SourceState, StepState};
use crate::engine::snapshot::Snapshot;

/// What is under way in this picture, in Markdown.
#[must_use]
pub fn handover(snapshot: &Snapshot) -> String {
    let mut page = Page::default();
    page.heading(1, &format!("Handover at {} UTC", instant(snapshot.at)));
    page.paragraph(&format!("Mode: {}.", snapshot.mode.word()));
    if let Some(kill) = &snapshot.kill {
        let (since, by, why) = (instant(kill.at), escape(&kill.by), escape(&kill.reason));
        page.paragraph(&format!(
            "The kill switch is on since {since}, by {by}: {why}. Nothing acts until a person takes it off."
        ));
    }
    page.heading(2, "Open incidents");
    let live = snapshot.incidents.iter().filter(|incident| incident.state.is_live());
    let incidents: Vec<String> = live.map(|incident| handover_line(snapshot, incident)).collect();
    page.points(&incidents, "None.");
    page.heading(2, "Runs");
    let runs: Vec<String> = snapshot.runs.iter().filter(|run| run.state.is_open()).map(|run| run_point(run)).collect();
    page.points(&runs, "None is under way, and none waits for anybody.");
    page.heading(2, "Steps whose outcome is unknown");
    let unknown: Vec<String> = snapshot.runs.iter().flat_map(unknown_steps).collect();
    page.points(&unknown, "None.");
    page.heading(2, "Status updates due");
    let due: Vec<String> = snapshot
        .updates_due
        .iter()
        .map(|(id, at)| {
            let overdue = if *at < snapshot.at {
                format!(", overdue for {}", span(*at, Some(snapshot.at)))
            } else {
                String::new()
            };
            format!("{id} at {}{overdue}", instant(*at))
        })
        .collect();
    page.points(&due, "None.");
    page.heading(2, "Cannot be relied on");
    page.points(&troubles(snapshot), "Every source answers, and everybody outside was told.");
    page.finish()
}

/// Where one incident stands, in a line.
#[must_use]
pub fn handover_line(snapshot: &Snapshot, incident: &Incident) -> String {
    let cause = match incident.ranking.cause() {
        Some(cause) => format!("cause {} ({} %)", escape(&cause.title), cause.confidence.percent()),
        None => "cause not known".to_owned(),
    };
    let owner =
        incident.owner.as_deref().map_or_else(|| "no owner".to_owned(), |owner| format!("owner {}", escape(owner)));
    format!(
        "{} {} {}: {}; for {}; {owner}; {cause}; {}",
        incident.id,
        incident.severity,
        incident.state.word(),
        escape(&incident.title),
        span(incident.started_at, Some(snapshot.at)),
        snapshot.latest_run(incident.id).map_or_else(|| "no run".to_owned(), |run| escape(&run_in_words(run))),
    )
}

fn run_point(run: &Run) -> String {
    format!("{} for {}, begun by {}: {}", run.id, run.subject, escape(&run.started_by), escape(&run_in_words(run)))
}

fn unknown_steps(run: &Arc<Run>) -> Vec<String> {
    let unknown = run.steps.iter().enumerate().filter_map(|(index, step)| match step.state {
        StepState::Unknown { since } => {
            let title = escape(&step.bound.spec.title);
            Some(format!("step {} of {}, {title}: begun {}, never seen to end", index + 1, run.id, instant(since)))
        }
        _ => None,
    });
    unknown.collect()
}

fn troubles(snapshot: &Snapshot) -> Vec<String> {
    let mut points: Vec<String> =
        snapshot.store.problem.iter().map(|problem| format!("the store: {}", escape(problem))).collect();
    for source in &snapshot.sources {
        match &source.state {
            SourceState::Down { reason, since, .. } => {
                points.push(format!(
                    "{} is down since {}: {}",
                    escape(source.source.as_str()),
                    instant(*since),
                    escape(reason)
                ));
            }
            SourceState::Degraded { reason } => {
                points.push(format!("{} answers in part: {}", escape(source.source.as_str()), escape(reason)));
            }
            SourceState::Starting | SourceState::Backfilling { .. } | SourceState::Healthy => {}
        }
    }
    for status in &snapshot.outbox.destinations {
        if let Some(problem) = &status.last_problem {
            points.push(format!("{}: {} waiting; {}", status.destination, status.pending_count, escape(problem)));
        }
    }
    points
}
