//! Runs of runbooks: begun, stepped, watched, and found again after an interruption.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::audit_log::About;
use super::meanwhile;
use super::turn::Turn;
use crate::engine::act::policy::{self, Gate, Harm, Mandate, Outlook, Subject};
use crate::engine::act::walk::{self, Verdict, WalkOutcome};
use crate::engine::clock::Timestamp;
use crate::engine::detect::Detection;
use crate::engine::input::{StepProgress, StepReport};
use crate::engine::limits::STEP_OVERDUE_MS;
use crate::engine::model::{
    AnomalyState, AuditEntry, AuditKind, Incident, IncidentId, IncidentState, OutwardEvent, Person, Reading, Run,
    RunId, RunState, RunSubject, Severity, StepState,
};
use crate::engine::request::Request;
use crate::engine::runbooks::rebind;
use crate::engine::world::World;

/// What a run is for, held while the gate looks at it.
pub(super) enum Ground {
    Incident(Arc<Incident>),
    Rollout(Mandate),
}

impl Ground {
    pub(super) fn subject(&self) -> Subject<'_> {
        match self {
            Self::Incident(incident) => Subject::Incident(incident),
            Self::Rollout(mandate) => Subject::Rollout(mandate),
        }
    }
}

/// The systems, as the gate and the walk look at them.
struct Systems<'a> {
    detection: &'a Detection,
    world: &'a World,
}

impl Outlook for Systems<'_> {
    fn readings(&self, service: &str, metric: &str) -> Vec<Reading> {
        self.detection.readings(service, metric)
    }

    fn harm(&self) -> BTreeMap<Arc<str>, Harm> {
        let departing = self.world.anomalies.values().filter(|anomaly| {
            anomaly.is_harmful
                && anomaly.state == AnomalyState::Active
                && anomaly.suppressed.is_none()
                && anomaly.severity >= Severity::Warning
        });
        let mut harm = BTreeMap::new();
        for anomaly in departing {
            let sigma = if anomaly.deviation_sigma.is_finite() { anomaly.deviation_sigma.abs() } else { f64::MAX };
            let since = anomaly.started_at;
            let worst: &mut Harm =
                harm.entry(format!("{} {}", anomaly.service, anomaly.metric).into()).or_insert(Harm { sigma, since });
            *worst = Harm { sigma: worst.sigma.max(sigma), since: worst.since.min(since) };
        }
        harm
    }
}

impl Engine {
    pub(super) fn start_run(
        &mut self,
        id: IncidentId,
        runbook: &Arc<str>,
        by: &Arc<str>,
        turn: &mut Turn,
    ) -> Result<String, String> {
        if let Some(run) = self.unfinished_run(id).and_then(|run| self.world.runs.get(&run)) {
            let (at, who) = (run.started_at.hh_mm_ss(), &run.started_by);
            return Err(format!(
                "{} is not over on {id}; {who} began it at {at}: {}; finish or stop it first",
                run.id, run.runbook.title
            ));
        }
        let proposals = self.proposals.get(&id).into_iter().flatten();
        let proposal = proposals.clone().find(|proposal| proposal.runbook.id == *runbook).cloned();
        let proposal = proposal.ok_or_else(|| format!("runbook `{runbook}` is not proposed for {id}"))?;
        let incident = self.world.incidents.get(&id).cloned().ok_or_else(|| format!("{id} is not known here"))?;
        let first = self.proposals.get(&id).and_then(|proposals| proposals.first()).cloned();
        let was_first = first.as_ref().is_some_and(|first| first.runbook.id == *runbook);
        let run = RunId(self.next_run);
        self.next_run += 1;
        let mut outcome = self.with_gate(&incident, turn.now, |gate| walk::start(run, &proposal, by, gate));
        outcome.run.was_first = was_first;
        let begun = outcome.run.clone();
        self.take_walk(outcome, turn, true);
        if let Some(first) = first.filter(|_| !was_first) {
            self.keep_choice(&first, &incident, &begun, turn);
        }
        Ok(format!("began {run}: {}", proposal.runbook.title))
    }

    pub(super) fn step_run(
        &mut self,
        id: RunId,
        person: &Person,
        request: &Request,
        turn: &mut Turn,
    ) -> Result<String, String> {
        let by = &person.name;
        let run = self.world.runs.get(&id).cloned().ok_or_else(|| format!("{id} is not known here"))?;
        let ground = self.ground_of(&run, turn.now).ok_or_else(|| format!("{} is not known here", run.subject))?;
        // To say what became of a step leads nowhere, so it is said of a run that was stopped, too.
        let leads_on = !matches!(request, Request::SettleUnknown { .. } | Request::Probe { .. });
        if leads_on
            && !run.state.is_open()
            && let Some(other) = self.unfinished_like(&run)
        {
            return Err(format!("{other} is not over on {}; finish or stop it first", run.subject));
        }
        if meanwhile::shown(request).is_some_and(|shown| shown != run.shown().as_ref()) {
            let why = format!("{id} changed since it was shown; look at it again");
            return Err(self.too_late(&run, meanwhile::step_of(request), by, &why));
        }
        let driven = self.not_driving(&run, person, request);
        let rebound = match (request, &ground) {
            (Request::EditRun { params, .. }, Ground::Incident(incident)) => Some(
                rebind(&run.runbook, &run.params, params, &self.world, incident)
                    .map_err(|problem| problem.to_string())?,
            ),
            (Request::EditRun { .. }, Ground::Rollout(_)) => {
                return Err(format!("what {id} installs stands in the plan of its rollout; stop that and plan anew"));
            }
            _ => None,
        };
        let before = self.trial(&run, &ground, turn.now);
        let outcome = self.with_gate(ground.subject(), turn.now, |gate| match request {
            Request::Approve { step, digest, typed_target, .. } => {
                walk::approve(&run, *step, digest, typed_target.as_deref(), by, gate)
            }
            Request::DryRun { step, digest, .. } => walk::dry_run(&run, *step, digest, by, gate),
            Request::Choose { step, digest, choice, .. } => walk::choose(&run, *step, digest, *choice, by, gate),
            Request::Skip { step, reason, .. } => walk::skip(&run, *step, reason, by, gate),
            Request::Retry { step, .. } => walk::retry(&run, *step, by, gate),
            Request::RunFrom { step, reason, .. } => walk::run_from(&run, *step, reason, by, gate),
            Request::Resume { reason, .. } => walk::resume(&run, reason, by, gate),
            Request::Undo { step, digest, .. } => walk::undo(&run, *step, digest, by, gate),
            Request::Probe { step, .. } => walk::probe(&run, *step, by, gate),
            Request::SettleUnknown { step, has_happened, .. } => {
                walk::settle_unknown(&run, *step, *has_happened, by, gate)
            }
            Request::StopRun { escalate, .. } => walk::stop(&run, escalate.as_deref(), by, gate),
            _ => {
                let binding = rebound.as_ref();
                let (params, steps) = binding.map_or((&run.params, &[][..]), |it| (&it.params, it.steps.as_slice()));
                walk::edit(&run, params, steps, by, gate)
            }
        });
        let outcome = match (outcome, driven) {
            (Err(late), _) if meanwhile::is_late(&late, &run, request) => {
                return Err(self.too_late(&run, meanwhile::step_of(request), by, &late.to_string()));
            }
            (_, Some(driven)) => return Err(driven.to_string()),
            (Err(refusal), None) => return Err(refusal.to_string()),
            (Ok(outcome), None) => outcome,
        };
        self.take_wheel_to_act(&run, person, request, turn);
        self.keep_trial(before, &run, request, turn);
        if let Request::Undo { step, .. } = request {
            self.keep_regret(&run, *step, turn);
        }
        let text = outcome.audit.last().map_or_else(|| format!("{id} goes on"), |note| note.text.to_string());
        self.take_walk(outcome, turn, true);
        Ok(text)
    }

    pub(super) fn take_step_report(&mut self, report: &StepReport, turn: &mut Turn) {
        let run = self.world.runs.get(&report.run).filter(|run| walk::is_awaited(run, report)).cloned();
        let Some(run) = run else { return self.set_report_aside(report, turn) };
        let Some(ground) = self.ground_of(&run, turn.now) else { return };
        let outcome = self.with_gate(ground.subject(), turn.now, |gate| walk::on_report(&run, report, gate));
        let Some(outcome) = outcome else { return };
        if matches!(report.progress, StepProgress::Output(_)) {
            self.runs_to_keep.insert(run.id);
            self.world.runs.insert(run.id, Arc::new(outcome.run));
            self.has_changed = true;
        } else {
            self.take_walk(outcome, turn, true);
        }
    }

    /// What an attempt says that is over settles nothing any more. It is counted, and its end is in the log.
    fn set_report_aside(&mut self, report: &StepReport, turn: &mut Turn) {
        self.late_report_count += 1;
        self.has_changed = true;
        let end = match &report.progress {
            StepProgress::Output(_) => return,
            StepProgress::Digest { sha256, bytes } => format!("{bytes} bytes, SHA-256 {sha256}"),
            end => walk::told(end),
        };
        let run = self.world.runs.get(&report.run);
        let about = About { incident: run.and_then(|run| run.incident()), run: Some(report.run) };
        let id = report.attempt.get(..12).unwrap_or(&report.attempt);
        let text = format!(
            "set aside, as no attempt of that name is under way: {end} (step {} of {}, id {id})",
            report.step + 1,
            report.run
        );
        self.record(turn, AuditKind::Outcome, walk::ENGINE, about, &text);
    }

    /// Keeps what running commands said, and lets time pass over the runs.
    pub(super) fn watch_runs(&mut self, turn: &mut Turn) {
        for id in std::mem::take(&mut self.runs_to_keep) {
            if let Some(run) = self.world.runs.get(&id) {
                turn.keep_run(run, false);
            }
        }
        let runs: Vec<Arc<Run>> = self.world.runs.values().filter(|run| is_watched(run)).cloned().collect();
        for run in runs {
            let Some(ground) = self.ground_of(&run, turn.now) else { continue };
            let outcome = self.with_gate(ground.subject(), turn.now, |gate| {
                if run.state == RunState::Succeeded { walk::after(&run, gate) } else { walk::on_tick(&run, gate) }
            });
            if let Some(outcome) = outcome {
                let is_durable = !outcome.audit.is_empty() || outcome.execute.is_some();
                self.take_walk(outcome, turn, is_durable);
            }
        }
    }

    /// Steps that ran when the program ended: what came of them is unknown until their probe or a person says so. The same where
    /// only the log knows that they were begun.
    pub(super) fn recover_runs(&mut self, turn: &mut Turn) {
        self.heed_log(turn);
        let runs: Vec<Arc<Run>> = self.world.runs.values().cloned().collect();
        for run in runs {
            let Some(ground) = self.ground_of(&run, turn.now) else { continue };
            if let Some(outcome) = self.with_gate(ground.subject(), turn.now, |gate| walk::recover(&run, gate)) {
                self.take_walk(outcome, turn, true);
            }
        }
    }

    fn heed_log(&mut self, turn: &mut Turn) {
        let newest_first: Vec<Arc<AuditEntry>> = self.audit.newest().cloned().collect();
        let runs: Vec<Arc<Run>> = self.world.runs.values().cloned().collect();
        for run in runs {
            if let Some(outcome) = walk::heed(&run, newest_first.iter().rev().map(Arc::as_ref)) {
                self.take_walk(outcome, turn, true);
            }
        }
    }

    pub(super) fn take_walk(&mut self, outcome: WalkOutcome, turn: &mut Turn, is_durable: bool) {
        let run = outcome.run;
        let about = About::from(&run);
        for note in &outcome.audit {
            self.record(turn, note.kind, &note.by, about, &note.text);
        }
        let incident = self.incident_of(&run).map(|incident| incident.id).or(run.incident());
        if let Some(incident) = incident {
            self.tell_incident(incident, run.id, outcome.timeline, turn);
        }
        if let Some(notice) = &outcome.change {
            self.take_change(notice, turn);
        }
        self.tell_notices(&run, &outcome.notices, turn);
        turn.keep_run(&run, is_durable);
        if let Some(step) = outcome.cancel {
            turn.cancel(run.id, step);
        }
        if run.state == RunState::Stopped || self.is_killed() {
            turn.end_left_over(&run);
        }
        if let Some(step) = outcome.execute {
            turn.execute(step);
        }
        let before = self.world.runs.get(&run.id).cloned();
        self.learn_remedy(before.as_deref(), &run, turn);
        self.world.runs.insert(run.id, Arc::new(run));
        if let Some((verdict, incident)) = outcome.verdict.zip(incident) {
            self.take_verdict(incident, verdict, turn);
        }
        self.has_changed = true;
    }

    /// What was verified held, or did not: the incident is over, or open again.
    fn take_verdict(&mut self, id: IncidentId, verdict: Verdict, turn: &mut Turn) {
        let Some(incident) = self.world.incidents.get(&id) else { return };
        let request = match (verdict, incident.state) {
            (Verdict::CameBack, IncidentState::Mitigated | IncidentState::Resolved) => Request::Reopen { incident: id },
            (Verdict::Held, IncidentState::Mitigated) if !self.still_departs(incident) => {
                Request::Resolve { incident: id }
            }
            _ => return,
        };
        let engine: Arc<str> = Arc::from(walk::ENGINE);
        // A life cycle that has moved on by itself refuses, and that is as good.
        if let Ok(text) = self.change_incident(id, &engine, &request, turn) {
            tracing::info!(%text, "after a run");
        }
    }

    fn still_departs(&self, incident: &Incident) -> bool {
        let members = incident.anomalies.iter().filter_map(|id| self.world.anomalies.get(id));
        members.into_iter().any(|anomaly| anomaly.is_harmful && anomaly.state == AnomalyState::Active)
    }

    /// The incident of a run; of one that was folded into another, that other.
    pub(super) fn incident_of(&self, run: &Run) -> Option<Arc<Incident>> {
        let incident = self.world.incidents.get(&run.incident()?)?;
        let into = incident.merged_into.and_then(|into| self.world.incidents.get(&into));
        Some(Arc::clone(into.unwrap_or(incident)))
    }

    /// What a run is for, as it is now; `None` where that is not known any more.
    pub(super) fn ground_of(&self, run: &Run, now: Timestamp) -> Option<Ground> {
        match &run.subject {
            RunSubject::Incident(_) => self.incident_of(run).map(Ground::Incident),
            RunSubject::Rollout(target) => self.mandate(target, now).map(Ground::Rollout),
        }
    }

    /// The run of this incident, or of one that was merged into it, that is not over.
    pub(super) fn unfinished_run(&self, incident: IncidentId) -> Option<RunId> {
        let is_of_it = |run: &&Arc<Run>| {
            run.incident().is_some_and(|id| policy::merged_into(id, &self.world.incidents) == incident)
        };
        self.world.runs.values().filter(|run| run.state.is_open()).find(is_of_it).map(|run| run.id)
    }

    /// A run for the same that is not over.
    fn unfinished_like(&self, run: &Run) -> Option<RunId> {
        match &run.subject {
            RunSubject::Incident(id) => self.unfinished_run(*id),
            subject @ RunSubject::Rollout(_) => {
                let mut open = self.world.runs.values().filter(|other| other.state.is_open());
                open.find(|other| other.subject == *subject).map(|other| other.id)
            }
        }
    }

    /// Until when the last command that has begun, and whose end was not seen, can be heard of; `None` without one.
    #[must_use]
    pub fn commands_until(&self) -> Option<Timestamp> {
        let steps = self.world.runs.values().flat_map(|run| &run.steps);
        let until = steps.filter_map(|step| match step.state {
            StepState::Running { since, .. } => Some(since + step.bound.spec.timeout_ms + STEP_OVERDUE_MS),
            _ => None,
        });
        until.max()
    }

    /// Does something with what the gate looks at for an incident, or one machine of a rollout, at `now`.
    pub(super) fn with_gate<'a, T>(
        &'a self,
        subject: impl Into<Subject<'a>>,
        now: Timestamp,
        look: impl FnOnce(&Gate<'_>) -> T,
    ) -> T {
        let systems = Systems { detection: &self.detection, world: &self.world };
        look(&Gate {
            subject: subject.into(),
            incidents: &self.world.incidents,
            settings: &self.settings.runbooks,
            policy: &self.settings.policy,
            safety: &self.safety,
            runs: &self.world.runs,
            can_tell: self.outbox.takes(OutwardEvent::AutonomousAct),
            outlook: &systems,
            now,
        })
    }
}

/// Time passes over it: it is not over, or what it verified has still to hold. What a rollout did is judged by the rollout.
fn is_watched(run: &Run) -> bool {
    run.state.is_open()
        || run.steps.iter().any(|step| matches!(step.state, StepState::Running { .. }))
        || run.state == RunState::Succeeded && run.has_held.is_none() && run.has_acted() && run.incident().is_some()
}
