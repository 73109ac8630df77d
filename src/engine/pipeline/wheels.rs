//! Who drives which run: taken with the first act, asked for, given, kept, and passed on by time.

use std::sync::Arc;

use super::Engine;
use super::audit_log::About;
use super::turn::Turn;
use crate::engine::act::wheel::{Turned, WheelRefusal};
use crate::engine::job::Record;
use crate::engine::model::{AuditKind, IncidentId, Person, Present, Role, Run, RunId, TimelineEntry, TimelineKind};
use crate::engine::request::Request;

/// Under which name they are kept.
const SETTING: &str = "wheels";

/// True where this person is attached at a console that may act.
pub(super) fn is_there(present: &[Present], name: &str) -> bool {
    present.iter().any(|here| here.name.as_ref() == name && here.role >= Role::Responder)
}

/// True where it needs no wheel: the second word for a step that needs two people, and the end of a run that a commander wants.
fn is_free(run: &Run, person: &Person, request: &Request) -> bool {
    match request {
        Request::StopRun { .. } => person.role >= Role::Commander,
        Request::Approve { step, .. } => run.steps.get(*step).is_some_and(|step| {
            let wanted = step.bound.spec.act().map_or(1, |act| act.approvals);
            wanted > 1 && step.approvals.iter().any(|given| given.by != person.name)
        }),
        _ => false,
    }
}

impl Engine {
    pub(super) fn restore_wheels(&mut self, name: &str, value: &str) -> bool {
        if name != SETTING {
            return false;
        }
        match serde_json::from_str(value) {
            Ok(wheels) => self.wheels = wheels,
            Err(problem) => {
                let told = || Arc::from(format!("who drives which run could not be read back: {problem}"));
                self.store.problem.get_or_insert_with(told);
            }
        }
        true
    }

    /// Begins a run of what was shown; whoever begins it drives it.
    pub(super) fn begin_run(
        &mut self,
        id: IncidentId,
        (runbook, digest): (&Arc<str>, &Arc<str>),
        by: &Arc<str>,
        turn: &mut Turn,
    ) -> Result<String, String> {
        let proposals = self.proposals.get(&id).into_iter().flatten();
        let proposal = proposals.clone().find(|proposal| proposal.runbook.id == *runbook);
        if let Some(proposal) = proposal
            && self.unfinished_run(id).is_none()
            && !digest.is_empty()
            && proposal.shown() != *digest
        {
            let values: Vec<String> = proposal.params.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            return Err(format!(
                "`{runbook}` for {id} is no longer as it was shown: what is known of {id} has changed, and it is now \
                 {}; read it again, then begin it",
                if values.is_empty() { "without values".to_owned() } else { values.join(", ") }
            ));
        }
        let run = RunId(self.next_run);
        let text = self.start_run(id, runbook, by, turn)?;
        self.wheels.begin(run, by, turn.now);
        self.keep_wheels(turn);
        Ok(text)
    }

    /// Why this person may not do this with the run, as somebody else drives it.
    pub(super) fn not_driving(&self, run: &Run, person: &Person, request: &Request) -> Option<WheelRefusal> {
        if is_free(run, person, request) {
            return None;
        }
        self.wheels.refusal(run.id, &person.name, &|name| is_there(&self.present, name))
    }

    /// Whoever acts on a run that nobody drives who is there drives it from then on.
    pub(super) fn take_wheel_to_act(&mut self, run: &Run, person: &Person, request: &Request, turn: &mut Turn) {
        if is_free(run, person, request) {
            return;
        }
        let present = &self.present;
        let taken = self.wheels.act(run.id, &person.name, &|name| is_there(present, name), turn.now);
        // It was looked at before that it is not refused.
        if let Ok(Some(turned)) = taken {
            self.tell_turned(&turned, turn);
            self.keep_wheels(turn);
        }
    }

    /// Asks for a wheel, takes, gives or keeps it.
    pub(super) fn turn_wheel(&mut self, person: &Person, request: &Request, turn: &mut Turn) -> Result<String, String> {
        let (Request::AskWheel { run }
        | Request::TakeWheel { run }
        | Request::GiveWheel { run, .. }
        | Request::KeepWheel { run }) = request
        else {
            return Err("the request is not about a wheel".to_owned());
        };
        let known = self.world.runs.get(run).ok_or_else(|| format!("{run} is not known here"))?;
        if !known.state.is_open() {
            return Err(self.too_late(known, None, &person.name, &format!("{run} is over, so nobody drives it")));
        }
        let present = &self.present;
        let is_there = |name: &str| is_there(present, name);
        let turned = match request {
            Request::AskWheel { .. } => self.wheels.ask(*run, &person.name, &is_there, turn.now),
            Request::TakeWheel { .. } => self.wheels.take(*run, person, &is_there, turn.now),
            Request::GiveWheel { to, .. } => {
                // Without a name it is whoever asked.
                let to = &if to.is_empty() { Arc::clone(to) } else { self.known_person(to)? };
                let is_here = |here: &&Present| here.name == *to;
                if present.iter().any(|here| is_here(&here)) && !is_there(to) {
                    return Err(format!("{to} only looks on, and cannot drive {run}; give the wheel to somebody else"));
                }
                self.wheels.give(*run, &person.name, to, turn.now)
            }
            _ => self.wheels.keep(*run, &person.name),
        };
        let turned = turned.map_err(|refusal| refusal.to_string())?;
        self.tell_turned(&turned, turn);
        self.keep_wheels(turn);
        Ok(turned.text)
    }

    /// Wheels that were asked for and not answered pass on.
    pub(super) fn pass_wheels(&mut self, turn: &mut Turn) {
        let (present, runs) = (&self.present, &self.world.runs);
        let is_open = |run| runs.get(&run).is_some_and(|run| run.state.is_open());
        let before = self.wheels.clone();
        let turned = self.wheels.pass_time(&is_open, &|name| is_there(present, name), turn.now);
        for turned in &turned {
            self.tell_turned(turned, turn);
        }
        if before != self.wheels {
            self.keep_wheels(turn);
        }
    }

    /// All wheels of one person pass to another.
    pub(super) fn hand_wheels_over(&mut self, by: &Arc<str>, to: &Arc<str>, turn: &mut Turn) -> Vec<RunId> {
        let own = self.wheels.all().iter().filter(|(_, wheel)| wheel.driver == *by).map(|(run, _)| *run);
        let own: Vec<RunId> = own.collect();
        for run in &own {
            if let Ok(turned) = self.wheels.give(*run, by, to, turn.now) {
                self.tell_turned(&turned, turn);
            }
        }
        if !own.is_empty() {
            self.keep_wheels(turn);
        }
        own
    }

    fn keep_wheels(&mut self, turn: &mut Turn) {
        // Plain data: it always has a text.
        let value = serde_json::to_string(&self.wheels).unwrap_or_default();
        turn.keep(Record::Setting { name: SETTING.to_owned(), value });
        self.has_changed = true;
    }

    /// In the log, and in the story of the run.
    fn tell_turned(&mut self, turned: &Turned, turn: &mut Turn) {
        let Some(run) = self.world.runs.get(&turned.run).cloned() else { return };
        self.record(turn, AuditKind::Operator, &turned.by, About::from(&*run), &turned.text);
        let entry = TimelineEntry {
            at: turn.now,
            kind: TimelineKind::Step,
            text: Arc::from(turned.text.as_str()),
            service: None,
            anomaly: None,
            by: Some(Arc::clone(&turned.by)),
        };
        if let Some(incident) = self.incident_of(&run).map(|incident| incident.id) {
            self.tell_incident(incident, run.id, vec![entry], turn);
        }
    }
}
