//! What goes out: change records of our acts, news of incidents and runs. Everything is written down before it is told.
//!
//! Every piece of news has a name made of what it is about, and the same name is never told twice. So runs can be looked
//! at once a tick: what a crash kept from being told is told by the next life.

use std::sync::Arc;

use super::Engine;
use super::audit_log::About;
use super::turn::Turn;
use crate::engine::act::walk::{ENGINE, OWN_SOURCE, RunNotice};
use crate::engine::clock::Timestamp;
use crate::engine::job::Record;
use crate::engine::limits::RUN_NEWS_MS_MAX;
use crate::engine::model::{
    AuditKind, ChangeNotice, Delivery, DeliveryReport, DeliveryState, Incident, IncidentId, IncidentState,
    OutwardEvent, OutwardMessage, Purpose, Run, RunState, RunStep, StepEffect, StepState,
};
use crate::engine::outbox::{Turned, wording};

impl Engine {
    /// True while something is being told outside.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        self.outbox.is_under_way()
    }

    /// Once a tick: news of runs, and whatever is due.
    pub(super) fn tell_outside(&mut self, turn: &mut Turn) {
        if self.outbox.is_idle() {
            return;
        }
        let runs: Vec<Arc<Run>> = self.world.runs.values().cloned().collect();
        for run in runs {
            self.tell_of_run(&run, turn);
        }
        self.look_for_due_updates(turn);
        let turned = self.outbox.begin_due(turn.now);
        self.take_turned(turned, turn);
    }

    pub(super) fn take_delivery_report(&mut self, report: &DeliveryReport, turn: &mut Turn) {
        let turned = self.outbox.take_report(report, turn.now);
        self.take_turned(turned, turn);
    }

    pub(super) fn recover_deliveries(&mut self, turn: &mut Turn) {
        let turned = self.outbox.recover(turn.now);
        self.take_turned(turned, turn);
    }

    /// An incident is about to be put into the world as it is here.
    pub(super) fn tell_of_incident(&mut self, incident: &Incident, turn: &mut Turn) {
        if self.outbox.is_idle() {
            return;
        }
        let before = self.world.incidents.get(&incident.id).cloned();
        for event in events(before.as_deref(), incident) {
            let by = incident.timeline.last().and_then(|entry| entry.by.as_ref());
            let message = wording::of_incident(event, incident, by, turn.now);
            // An incident can be mitigated twice: the instant tells the one from the other.
            let about = format!("{}/{}/{}", message.thread, event.word(), turn.now.0);
            self.enqueue(&about, Some(incident.id), &message, turn);
        }
    }

    /// An act of ours is over, as its change says.
    pub(super) fn tell_of_act(&mut self, notice: &ChangeNotice, turn: &mut Turn) {
        if self.outbox.is_idle() || notice.source.as_str() != OWN_SOURCE || notice.finished_at.is_none() {
            return;
        }
        let run = self.run_of_act(notice);
        let incident = run.as_ref().and_then(|run| self.first_incident_of(run));
        let step = run.as_ref().and_then(|run| {
            // After the run comes the step's name.
            let name = notice.external_id.split('/').nth(1)?;
            run.steps.iter().find(|step| step.bound.spec.name.as_ref() == name)
        });
        let message = wording::of_act(notice, step, incident.as_deref(), turn.now);
        let about = format!("{}/{}", notice.external_id, OutwardEvent::ActEnded.word());
        self.enqueue(&about, incident.map(|incident| incident.id), &message, turn);
    }

    /// The incident that it was begun for.
    fn first_incident_of(&self, run: &Run) -> Option<Arc<Incident>> {
        self.world.incidents.get(&run.incident()?).cloned()
    }

    /// The run whose act this is: its number comes first in what its change is called.
    fn run_of_act(&self, notice: &ChangeNotice) -> Option<Arc<Run>> {
        let number = notice.external_id.split('/').next()?;
        self.world.runs.values().rev().find(|run| run.id.to_string() == number).cloned()
    }

    /// What a step of a run tells people, or the engine of what it begins by itself. What is urgent is told by the run's own
    /// state, once a tick.
    pub(super) fn tell_notices(&mut self, run: &Run, notices: &[RunNotice], turn: &mut Turn) {
        let incident = self.first_incident_of(run);
        for notice in notices.iter().filter(|notice| !notice.is_urgent) {
            let event = OutwardEvent::StatusUpdate;
            let message = wording::of_run(event, run, &notice.text, incident.as_deref(), turn.now);
            let about = format!("{}@{}/{}/{}", run.id, run.started_at.0, turn.now.0, notice.text);
            let turned = self.outbox.enqueue_to(&notice.channel, &about, run.incident(), &message, turn.now);
            if turned.changed.is_empty() {
                let about = About::from(run);
                let text = format!("nobody was told, no destination takes it: {}", notice.text);
                self.record(turn, AuditKind::Outcome, ENGINE, about, &text);
            }
            self.take_turned(turned, turn);
        }
    }

    fn tell_of_run(&mut self, run: &Run, turn: &mut Turn) {
        let incident = self.first_incident_of(run);
        let incident = incident.as_deref();
        for step in &run.steps {
            let (event, since) = match step.state {
                StepState::Running { since, purpose: Purpose::Run | Purpose::Undo } if acts(step) => {
                    (OutwardEvent::ActBegan, since)
                }
                StepState::Unknown { since } if acts(step) => (OutwardEvent::ActUpdated, since),
                _ => continue,
            };
            // As its change will be called.
            let thread = format!("{}/{}/{}", run.id, step.bound.spec.name, since.0);
            let message = wording::of_step(event, &thread, run, step, incident, since);
            self.enqueue(&format!("{thread}/{}", event.word()), run.incident(), &message, turn);
            if step.approved_by.as_deref() == Some(ENGINE) {
                let event = OutwardEvent::AutonomousAct;
                let message = wording::of_step(event, &thread, run, step, incident, since);
                self.enqueue(&format!("{thread}/{}", event.word()), run.incident(), &message, turn);
            }
        }
        self.tell_of_end(run, incident, turn);
    }

    /// A run that a person has to go on with.
    fn tell_of_end(&mut self, run: &Run, incident: Option<&Incident>, turn: &mut Turn) {
        let is_news = run.ended_at.is_some_and(|at| turn.now.since_ms(at) <= RUN_NEWS_MS_MAX);
        let (event, why) = match run.state {
            RunState::Failed if is_news => {
                if run.is_escalated {
                    // Both have one name, so a destination that takes either is told this one alone.
                    let why = format!("failed and handed over: {}", failure(run));
                    self.tell_of_run_as(OutwardEvent::RunEscalated, run, &why, incident, turn);
                }
                (OutwardEvent::StepFailed, failure(run))
            }
            RunState::Stopped if is_news && run.is_escalated => {
                (OutwardEvent::RunEscalated, format!("stopped and handed over: {}", run.word))
            }
            RunState::Paused => (OutwardEvent::RunEscalated, format!("paused: {}", run.word)),
            RunState::Interrupted => (
                OutwardEvent::RunEscalated,
                "interrupted in mid-step; whether it took effect is not known, a person has to say".to_owned(),
            ),
            _ => return,
        };
        self.tell_of_run_as(event, run, &why, incident, turn);
    }

    fn tell_of_run_as(
        &mut self,
        event: OutwardEvent,
        run: &Run,
        why: &str,
        incident: Option<&Incident>,
        turn: &mut Turn,
    ) {
        let at = run.ended_at.unwrap_or(turn.now);
        let message = wording::of_run(event, run, why, incident, at);
        // A run can pause twice, each time for a reason of its own.
        let current = run.current_step().and_then(|index| run.steps.get(index));
        let (word, since) = match run.state {
            RunState::Interrupted => ("interrupted", unknown_since(run)),
            RunState::Paused => ("paused", current.map(|step| step.shown_at)),
            RunState::Failed => ("failed", run.ended_at),
            _ => (event.word(), run.ended_at),
        };
        let about = format!("{}@{}/{word}/{}", run.id, run.started_at.0, since.unwrap_or(run.started_at).0);
        self.enqueue(&about, run.incident(), &message, turn);
    }

    pub(super) fn enqueue(&mut self, about: &str, of: Option<IncidentId>, message: &OutwardMessage, turn: &mut Turn) {
        let turned = self.outbox.enqueue(about, of, message, turn.now);
        self.take_turned(turned, turn);
    }

    /// What arrived, or never will, is in the log.
    fn note_delivery(&mut self, delivery: &Delivery, turn: &mut Turn) {
        let (to, title) = (delivery.destination, &delivery.message.title);
        let text = match &delivery.state {
            DeliveryState::Delivered { reference, .. } => format!("told {to} ({reference}): {title}"),
            DeliveryState::GivenUp { reason, .. } => format!("{to} was not told: {title}; {reason}"),
            DeliveryState::Waiting { .. } | DeliveryState::UnderWay { .. } => return,
        };
        let about = About { incident: delivery.incident, run: None };
        self.record(turn, AuditKind::Outcome, ENGINE, about, &text);
    }

    fn take_turned(&mut self, turned: Turned, turn: &mut Turn) {
        self.has_changed |= turned != Turned::default();
        for number in turned.forgotten {
            turn.keep_later(Record::DeliveryGone(number));
        }
        for delivery in turned.changed {
            self.note_delivery(&delivery, turn);
            turn.keep(Record::Delivery(delivery));
        }
        turn.deliver(turned.attempts);
    }
}

/// What a change of an incident is worth telling, oldest first.
fn events(before: Option<&Incident>, after: &Incident) -> Vec<OutwardEvent> {
    let Some(before) = before else {
        return vec![OutwardEvent::IncidentOpened];
    };
    let mut events = Vec::new();
    if after.severity > before.severity && after.state.is_live() {
        events.push(OutwardEvent::SeverityRaised);
    }
    if before.state != after.state {
        events.push(match after.state {
            IncidentState::Open | IncidentState::Reopened => OutwardEvent::IncidentReopened,
            IncidentState::Acknowledged => OutwardEvent::IncidentAcknowledged,
            IncidentState::Mitigated => OutwardEvent::IncidentMitigated,
            IncidentState::Resolved => OutwardEvent::IncidentResolved,
        });
    }
    events
}

/// Since when a step's end is not known.
fn unknown_since(run: &Run) -> Option<Timestamp> {
    let since = |step: &RunStep| if let StepState::Unknown { since } = step.state { Some(since) } else { None };
    run.steps.iter().filter_map(since).max()
}

/// True for a step that changes something.
fn acts(step: &RunStep) -> bool {
    matches!(step.bound.spec.effect, StepEffect::Reversible | StepEffect::Irreversible)
}

/// Which step failed, and why.
fn failure(run: &Run) -> String {
    let failed = run.steps.iter().find_map(|step| match &step.state {
        StepState::Failed { reason, .. } => Some(format!("{} failed: {reason}", step.bound.spec.title)),
        _ => None,
    });
    failed.unwrap_or_else(|| "failed".to_owned())
}
