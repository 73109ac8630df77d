//! Runs of runbooks: begun, stepped, watched, and found again after an interruption.

use std::sync::Arc;

use super::Engine;
use super::audit_log::About;
use super::turn::Turn;
use crate::engine::act::policy::Gate;
use crate::engine::act::walk::{self, WalkOutcome};
use crate::engine::input::{StepProgress, StepReport};
use crate::engine::job::Record;
use crate::engine::model::{Incident, IncidentId, Run, RunId, RunState};
use crate::engine::request::Request;

impl Engine {
    pub(super) fn start_run(
        &mut self,
        id: IncidentId,
        runbook: &Arc<str>,
        by: &Arc<str>,
        turn: &mut Turn,
    ) -> Result<String, String> {
        if let Some(run) = self.unfinished_run(id) {
            return Err(format!("{run} is not over on {id}; finish or stop it first"));
        }
        let proposals = self.proposals.get(&id).into_iter().flatten();
        let proposal = proposals.clone().find(|proposal| proposal.runbook.id == *runbook).cloned();
        let proposal = proposal.ok_or_else(|| format!("runbook `{runbook}` is not proposed for {id}"))?;
        let incident = self.world.incidents.get(&id).cloned().ok_or_else(|| format!("{id} is not known here"))?;
        let run = RunId(self.next_run);
        self.next_run += 1;
        let outcome = walk::start(run, &proposal, by, &self.gate(&incident), turn.now);
        self.take_walk(outcome, turn, true);
        Ok(format!("began {run}: {}", proposal.runbook.title))
    }

    pub(super) fn step_run(
        &mut self,
        id: RunId,
        by: &Arc<str>,
        request: &Request,
        turn: &mut Turn,
    ) -> Result<String, String> {
        let run = self.world.runs.get(&id).cloned().ok_or_else(|| format!("{id} is not known here"))?;
        let incident = self.incident_of(&run).ok_or_else(|| format!("{} is not known here", run.incident))?;
        let gate = self.gate(&incident);
        let now = turn.now;
        let outcome = match request {
            Request::Approve { step, digest, typed_target, .. } => {
                walk::approve(&run, *step, digest, typed_target.as_deref(), by, &gate, now)
            }
            Request::DryRun { step, digest, .. } => walk::dry_run(&run, *step, digest, by, &gate, now),
            Request::Skip { step, reason, .. } => walk::skip(&run, *step, reason, by, &gate, now),
            Request::SettleUnknown { step, has_happened, .. } => {
                walk::settle_unknown(&run, *step, *has_happened, by, &gate, now)
            }
            _ => walk::stop(&run, by, now),
        };
        let outcome = outcome.map_err(|refusal| refusal.to_string())?;
        let text = outcome.audit.last().map_or_else(|| format!("{id} goes on"), |note| note.text.to_string());
        self.take_walk(outcome, turn, true);
        Ok(text)
    }

    pub(super) fn take_step_report(&mut self, report: &StepReport, turn: &mut Turn) {
        let Some(run) = self.world.runs.get(&report.run).cloned() else { return };
        let Some(incident) = self.incident_of(&run) else { return };
        let Some(outcome) = walk::on_report(&run, report, &self.gate(&incident), turn.now) else { return };
        if matches!(report.progress, StepProgress::Output(_)) {
            self.runs_to_keep.insert(run.id);
            self.world.runs.insert(run.id, Arc::new(outcome.run));
            self.has_changed = true;
        } else {
            self.take_walk(outcome, turn, true);
        }
    }

    /// Keeps what running commands said, and lets verify steps look at the metric they watch.
    pub(super) fn watch_runs(&mut self, turn: &mut Turn) {
        for id in std::mem::take(&mut self.runs_to_keep) {
            if let Some(run) = self.world.runs.get(&id) {
                turn.keep_later(Record::Run(run.as_ref().clone()));
            }
        }
        for run in self.runs_in(RunState::Active) {
            let Some(incident) = self.incident_of(&run) else { continue };
            let readings = |service: &str, metric: &str| self.detection.readings(service, metric);
            if let Some(outcome) = walk::on_tick(&run, readings, &self.gate(&incident), turn.now) {
                let is_durable = !outcome.audit.is_empty();
                self.take_walk(outcome, turn, is_durable);
            }
        }
    }

    /// Steps that ran when the program ended: what came of them is unknown, and a person has to say.
    pub(super) fn recover_runs(&mut self, turn: &mut Turn) {
        let runs: Vec<Arc<Run>> = self.world.runs.values().cloned().collect();
        for run in runs {
            if let Some(outcome) = walk::recover(&run, turn.now) {
                self.take_walk(outcome, turn, true);
            }
        }
    }

    fn take_walk(&mut self, outcome: WalkOutcome, turn: &mut Turn, is_durable: bool) {
        let run = outcome.run;
        let about = About { incident: Some(run.incident), run: Some(run.id) };
        for note in &outcome.audit {
            self.record(turn, note.kind, &note.by, about, &note.text);
        }
        let incident = self.incident_of(&run).map_or(run.incident, |incident| incident.id);
        self.tell_incident(incident, run.id, outcome.timeline, turn);
        if let Some(notice) = &outcome.change {
            self.take_change(notice, turn);
        }
        let record = Record::Run(run.clone());
        if is_durable {
            turn.keep(record);
        } else {
            turn.keep_later(record);
        }
        if let Some(step) = outcome.cancel {
            turn.cancel(run.id, step);
        }
        if let Some(step) = outcome.execute {
            turn.execute(step);
        }
        self.world.runs.insert(run.id, Arc::new(run));
        self.has_changed = true;
    }

    fn runs_in(&self, state: RunState) -> Vec<Arc<Run>> {
        self.world.runs.values().filter(|run| run.state == state).cloned().collect()
    }

    /// The incident of a run; of one that was folded into another, that other.
    fn incident_of(&self, run: &Run) -> Option<Arc<Incident>> {
        let incident = self.world.incidents.get(&run.incident)?;
        let into = incident.merged_into.and_then(|into| self.world.incidents.get(&into));
        Some(Arc::clone(into.unwrap_or(incident)))
    }

    /// The run of this incident that is not over, where there is one.
    pub(super) fn unfinished_run(&self, incident: IncidentId) -> Option<RunId> {
        let is_unfinished = |run: &&Arc<Run>| matches!(run.state, RunState::Active | RunState::Interrupted);
        self.world.runs.values().filter(is_unfinished).find(|run| run.incident == incident).map(|run| run.id)
    }

    /// What the gate looks at for this incident, now.
    fn gate<'a>(&'a self, incident: &'a Incident) -> Gate<'a> {
        Gate { incident, settings: &self.settings.runbooks, mode: self.mode(), runs: &self.world.runs }
    }
}
