//! "While you were away": what happened between the last picture that somebody saw and the newest one, told once.
//!
//! Either the line was lost and is back, and the console knows what it showed last; or the console is a new one, and the engine
//! knows when the same person was last here.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::attach::pump::Link;
use crate::engine::act::walk::ENGINE;
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::model::{Incident, Present, Purpose, Run, RunId, RunState, StepState, TimelineKind, Wheel};
use crate::engine::snapshot::Snapshot;
use crate::views::ui_state::Away;

/// Lines that are told; the log has the rest.
const LINES_MAX: usize = 14;

/// Whether there is something to tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AwayWatch {
    /// Until when everything was seen; `None` while nothing is missed.
    seen_until: Option<Timestamp>,
    /// The steps that were known to be interrupted by then.
    known: BTreeSet<Interrupted>,
    /// True while the line is lost.
    is_down: bool,
    /// Of when the first picture is: the console's own seat is given after it.
    first_at: Option<Timestamp>,
    /// True once the engine's word on when the person was last here was heeded.
    is_known: bool,
}

impl AwayWatch {
    /// It stands otherwise with the line; `shown` is the picture on the screen.
    pub fn link(&mut self, link: &Link, shown: &Snapshot) {
        self.is_down = matches!(link, Link::Lost(_) | Link::Ended(_));
        // Before the first picture nothing was seen.
        if self.is_down && shown.at > Timestamp(0) && self.seen_until.is_none() {
            self.seen_until = Some(shown.at);
            self.known = shown.runs.iter().flat_map(|run| interrupted(run)).collect();
        }
    }

    /// A picture comes in: what there is to tell of the time before it, once.
    pub fn take(&mut self, picture: &Snapshot, me: &str) -> Option<Away> {
        let first_at = *self.first_at.get_or_insert(picture.at);
        let is_mine = |present: &&Present| present.name.as_ref() == me;
        // A seat of before is that of another console of the same person, to which all this was told, or shown as it happened.
        if !self.is_known
            && let Some(own) = picture.present.iter().rfind(|present| is_mine(present) && present.since >= first_at)
        {
            self.is_known = true;
            let is_lately = |at: &Timestamp| picture.at.since_ms(*at) <= DAY_MS;
            let is_alone = picture.present.iter().filter(is_mine).count() == 1;
            self.seen_until = self.seen_until.or(own.last_here.filter(is_lately).filter(|_| is_alone));
        }
        let since = self.seen_until.filter(|since| !self.is_down && picture.at > *since)?;
        self.seen_until = None;
        let happened = happened(picture, since, me, &std::mem::take(&mut self.known));
        (!happened.is_empty()).then_some(Away { since, until: picture.at, happened })
    }
}

/// A step that was interrupted, and when it had begun.
pub type Interrupted = (RunId, usize, Timestamp);

/// The steps of a run that is open of which it is not known whether they happened.
fn interrupted(run: &Run) -> impl Iterator<Item = Interrupted> {
    run.steps.iter().enumerate().filter(|_| run.state.is_open()).filter_map(|(index, step)| match &step.state {
        StepState::Unknown { since } => Some((run.id, index, *since)),
        _ => None,
    })
}

/// What others and the engine did after `since`, by this picture; the weightiest first. Of what was interrupted that which was not
/// `known`, for no time says when that was.
#[must_use]
pub fn happened(picture: &Snapshot, since: Timestamp, me: &str, known: &BTreeSet<Interrupted>) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(kill) = picture.kill.as_ref().filter(|kill| kill.at > since) {
        told.push(format!("{} pulled the kill switch: {}", kill.by, kill.reason));
    }
    told.extend(picture.incidents.iter().flat_map(|incident| of_incident(incident, since, me)));
    for run in picture.runs.iter().rev() {
        told.extend(of_run(run, since, me));
        let news = interrupted(run).filter(|step| !known.contains(step));
        told.extend(news.map(|(id, index, _)| {
            format!("step {} of {id} was interrupted; whether it happened is not known", index + 1)
        }));
        if let Some(wheel) = picture.wheels.get(&run.id).filter(|wheel| wheel.since > since) {
            told.extend(of_wheel(run, wheel, me));
        }
    }
    if told.len() > LINES_MAX {
        let more = told.len() - (LINES_MAX - 1);
        told.truncate(LINES_MAX - 1);
        told.push(format!("and {more} more; Log has all of it"));
    }
    told
}

/// Who did something, in front of what was done; nothing where that was the engine.
fn by(name: Option<&Arc<str>>) -> String {
    name.filter(|name| name.as_ref() != ENGINE).map(|name| format!(" ({name})")).unwrap_or_default()
}

fn of_incident(incident: &Incident, since: Timestamp, me: &str) -> Vec<String> {
    let mut told = Vec::new();
    if incident.opened_at > since {
        told.push(format!("{} opened, {}: {}", incident.id, incident.severity, incident.title));
    }
    let is_new = |entry: &&crate::engine::model::TimelineEntry| entry.at > since && entry.by.as_deref() != Some(me);
    let states = incident.timeline.iter().filter(|entry| entry.kind == TimelineKind::State).filter(is_new);
    told.extend(states.map(|entry| format!("{} {}{}", incident.id, entry.text, by(entry.by.as_ref()))));
    let notes = incident.timeline.iter().filter(|entry| entry.kind == TimelineKind::Note).filter(is_new);
    match notes.collect::<Vec<_>>().as_slice() {
        [] => {}
        [note] => told.push(format!("a note{} on {}: {}", by(note.by.as_ref()), incident.id, note.text)),
        notes => told.push(format!("{} notes on {}", notes.len(), incident.id)),
    }
    told
}

/// That a run has another driver than when it began, or one who had let it go in between.
fn of_wheel(run: &Run, wheel: &Wheel, me: &str) -> Option<String> {
    let at = wheel.since.hh_mm_ss();
    if wheel.driver.as_ref() == me {
        // Whoever is away takes no wheel: it was given.
        let is_given = run.started_by.as_ref() != me || wheel.since > run.started_at;
        return is_given.then(|| format!("you drive {} since {at}", run.id));
    }
    (wheel.driver != run.started_by).then(|| format!("{} drives {} since {at}", wheel.driver, run.id))
}

fn of_run(run: &Run, since: Timestamp, me: &str) -> Vec<String> {
    let mut told = Vec::new();
    let id = run.id;
    if run.started_at > since && run.started_by.as_ref() != me {
        told.push(format!("{} began {id}: {}", run.started_by, run.runbook.title));
    }
    let mut finished = 0;
    for (index, step) in run.steps.iter().enumerate() {
        let step_name = || format!("step {} of {id}", index + 1);
        for begun in step.begun.iter().filter(|begun| begun.at > since && begun.by.as_ref() != me) {
            match (begun.purpose, begun.by.as_ref()) {
                (Purpose::Run, ENGINE) => told.push(format!("{} began by itself", step_name())),
                (Purpose::Run, who) => told.push(format!("{who} approved {}", step_name())),
                (Purpose::Undo, who) => told.push(format!("{who} took {} back", step_name())),
                (Purpose::DryRun | Purpose::Probe, _) => {}
            }
        }
        match &step.state {
            StepState::Succeeded { at } if *at > since => finished += 1,
            StepState::Failed { at, reason } if *at > since => told.push(format!("{} failed: {reason}", step_name())),
            StepState::Skipped { at, by, reason } if *at > since && by.as_ref() != me => {
                told.push(format!("{by} passed {} over: {reason}", step_name()));
            }
            _ => {}
        }
    }
    match finished {
        0 => {}
        1 => told.push(format!("1 step of {id} finished")),
        more => told.push(format!("{more} steps of {id} finished")),
    }
    if run.ended_at.is_some_and(|at| at > since) {
        let end = match run.state {
            RunState::Succeeded => "is done",
            RunState::Stopped => "was stopped",
            _ => "failed",
        };
        told.push(format!("{id} {end}"));
    }
    told
}
