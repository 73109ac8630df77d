//! What the engine does with runbooks by itself: puts them in the order of what works, begins a run where the policy lets
//! its act begin, and learns from what came of it.

use std::sync::Arc;

use super::Engine;
use super::turn::Turn;
use crate::engine::act::policy::{self, Decision, Gate};
use crate::engine::act::walk::{self, ENGINE};
use crate::engine::clock::Timestamp;
use crate::engine::job::Record;
use crate::engine::model::{AutonomyMode, Incident, IncidentId, Proposal, Run, RunId};
use crate::engine::remedies::{Remedies, SETTING};

impl Engine {
    pub(super) fn restore_remedies(&mut self, name: &str, value: &str) -> bool {
        if name != SETTING {
            return false;
        }
        match Remedies::from_text(value) {
            Ok(remedies) => self.remedies = remedies,
            Err(problem) => {
                let told = || Arc::from(format!("what was learnt of remedies was not read back: {problem}"));
                self.store.problem.get_or_insert_with(told);
            }
        }
        true
    }

    /// Puts runbooks in the order of what helped before; what is not permitted comes last.
    pub(super) fn order_proposals(
        &self,
        proposals: Vec<Proposal>,
        incident: &Incident,
        now: Timestamp,
    ) -> Vec<Proposal> {
        self.remedies.order(proposals, incident, |proposal| {
            self.at_first_act(proposal, incident, now, policy::is_barred) != Some(true)
        })
    }

    /// What is asked about the first act of a runbook, were it begun now.
    pub(super) fn at_first_act<T>(
        &self,
        proposal: &Proposal,
        incident: &Incident,
        now: Timestamp,
        ask: impl FnOnce(&Run, usize, &Gate<'_>) -> T,
    ) -> Option<T> {
        let act = proposal.steps.iter().position(|step| step.spec.act().is_some())?;
        Some(self.with_gate(incident, now, |gate| {
            let tried = walk::start(RunId(self.next_run), proposal, &Arc::from(ENGINE), gate).run;
            ask(&tried, act, gate)
        }))
    }

    /// In ASSIST a run begins where its act may begin by itself; each runbook once for an incident.
    pub(super) fn begin_by_itself(&mut self, turn: &mut Turn) {
        if self.mode() != AutonomyMode::Assist || self.is_killed() {
            return;
        }
        let ids: Vec<IncidentId> = self.proposals.keys().copied().collect();
        for id in ids {
            let Some(incident) = self.world.incidents.get(&id).cloned() else { continue };
            let Some(first) = self.proposals.get(&id).and_then(|proposals| proposals.first()).cloned() else {
                continue;
            };
            let ran = |run: &Arc<Run>| run.incident() == Some(id) && run.runbook.id == first.runbook.id;
            if self.unfinished_run(id).is_some() || self.world.runs.values().any(ran) {
                continue;
            }
            if !matches!(self.at_first_act(&first, &incident, turn.now, policy::decide), Some(Decision::Allow { .. })) {
                continue;
            }
            let runbook = Arc::clone(&first.runbook.id);
            if let Err(reason) = self.start_run(id, &runbook, &Arc::from(ENGINE), turn) {
                tracing::warn!(%reason, "a run did not begin by itself");
            }
        }
    }

    /// Learns from a run what it teaches as it is now.
    pub(super) fn learn_remedy(&mut self, before: Option<&Run>, run: &Run, turn: &mut Turn) {
        if self.remedies.learn(before, run) {
            turn.keep(Record::Setting { name: SETTING.to_owned(), value: self.remedies.to_text() });
        }
    }
}
