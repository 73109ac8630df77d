//! What keys that act would act on: when a refresh changes it under the hand, they are inert for a moment.

use std::sync::Arc;

use super::picture;
use crate::engine::clock::Timestamp;
use crate::engine::model::{IncidentId, RolloutId, RunId, RunState, StepState};
use crate::engine::snapshot::Snapshot;
use crate::engine::snapshot::rollout::{RolloutState, Soak};
use crate::views::ui_state::{RowKey, UiState};

/// What keys that act would act on. When a refresh changes it, such keys are inert for a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offered {
    incident: Option<IncidentId>,
    run: Option<(RunId, RunState)>,
    step: Option<(usize, Arc<str>, Timestamp, std::mem::Discriminant<StepState>)>,
    proposals: Vec<(Arc<str>, Vec<Arc<str>>)>,
    rollout: Option<OfferedRollout>,
}

/// What keys would act on of the rollout whose board is on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OfferedRollout {
    id: RolloutId,
    plan: String,
    state: std::mem::Discriminant<RolloutState>,
    soak: std::mem::Discriminant<Soak>,
    target: Option<(Arc<str>, &'static str)>,
}

impl OfferedRollout {
    fn of(snapshot: &Snapshot, ui: &UiState) -> Option<Self> {
        let rollout = &picture::rollout(snapshot, ui)?.rollout;
        let (list, rows) = (ui.list(), picture::rows(ui.pane, snapshot, ui));
        let marked = list.selected.or_else(|| rows.get(list.last_index).cloned());
        let target = match marked {
            Some(RowKey::RolloutTarget(_, name)) => {
                rollout.targets.get(&*name).map(|record| (Arc::clone(&name), record.state.word()))
            }
            _ => None,
        };
        Some(Self {
            id: rollout.id,
            plan: rollout.plan.digest.clone(),
            state: std::mem::discriminant(&rollout.state),
            soak: std::mem::discriminant(&rollout.soak),
            target,
        })
    }
}

impl Offered {
    /// True where run and step are the same, and stand where they stood.
    #[must_use]
    pub fn is_same_step(&self, other: &Self) -> bool {
        (&self.run, &self.step) == (&other.run, &other.step)
    }

    /// True where the rollout on the screen is the same, and stands where it stood.
    #[must_use]
    pub fn is_same_rollout(&self, other: &Self) -> bool {
        self.rollout == other.rollout
    }

    /// What the picture offers, given what is in focus.
    #[must_use]
    pub fn of(snapshot: &Snapshot, ui: &UiState) -> Self {
        let incident = picture::incident(snapshot, ui);
        let run = picture::run(snapshot, ui);
        let step = run.and_then(|run| run.current_step().and_then(|index| Some((index, run.steps.get(index)?))));
        // While a run is under way no other runbook can be begun, so it does not matter which ones fit.
        let free = incident.filter(|_| !run.is_some_and(|run| run.state.is_open()));
        let proposals = free.and_then(|incident| snapshot.proposals.get(&incident.id));
        Self {
            rollout: OfferedRollout::of(snapshot, ui),
            incident: incident.map(|incident| incident.id),
            run: run.map(|run| (run.id, run.state)),
            step: step.map(|(index, step)| {
                (index, Arc::clone(&step.offer), step.shown_at, std::mem::discriminant(&step.state))
            }),
            proposals: proposals
                .into_iter()
                .flatten()
                .map(|proposal| {
                    let digests = proposal.steps.iter().map(|step| Arc::clone(&step.digest)).collect();
                    (Arc::clone(&proposal.runbook.id), digests)
                })
                .collect(),
        }
    }
}
