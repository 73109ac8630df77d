//! Where a run goes on: branches, answers, and steps that are led past.

use std::sync::Arc;

use regex::Regex;

use super::{WalkOutcome, name_of};
use crate::engine::clock::Timestamp;
use crate::engine::model::{AuditKind, Case, Goto, Run, RunState, StepState, When};

/// The first case that holds.
pub(super) fn decide(run: &Run, cases: &[Case], otherwise: &Goto) -> Goto {
    cases.iter().find(|case| holds(run, &case.when)).map_or_else(|| otherwise.clone(), |case| case.goto.clone())
}

/// What was skipped, failed or never looked is neither met nor said.
fn holds(run: &Run, when: &When) -> bool {
    match when {
        When::Met { step, is_met } => {
            run.step_named(step).is_some_and(|(_, step)| step.is_as_expected == Some(*is_met))
        }
        When::Says { step, pattern } => run.step_named(step).is_some_and(|(_, step)| {
            Regex::new(pattern).is_ok_and(|pattern| step.output.iter().any(|line| pattern.is_match(line)))
        }),
        When::Param { name, is } => run.params.get(name) == Some(is),
    }
}

impl WalkOutcome {
    /// Leaves step `index`, which has decided, for `goto`.
    pub(super) fn jump(&mut self, index: usize, goto: &Goto, by: &Arc<str>, now: Timestamp) {
        let name = name_of(&self.run, index);
        self.run.steps[index].state = StepState::Succeeded { at: now };
        let to = match goto {
            Goto::Next => return,
            Goto::Step(step) => match self.run.step_named(step) {
                Some((to, _)) if to > index => to,
                // Lint refuses such pages; a run never goes backwards by itself.
                _ => {
                    self.pause(&format!("{name} leads to `{step}`, which does not come after it"), now);
                    return;
                }
            },
            Goto::End => self.run.steps.len(),
            Goto::Escalate => {
                self.escalate(&format!("{name} leads to no step: a person further up decides"), by, now);
                return;
            }
        };
        for step in self.run.steps.iter_mut().take(to).skip(index + 1) {
            if step.state == StepState::Pending {
                step.state = StepState::PassedOver { at: now };
            }
        }
        let text = match goto {
            Goto::End => format!("{name}: nothing more to do"),
            _ => format!("{name}: goes on with {}", name_of(&self.run, to)),
        };
        self.note(AuditKind::Decision, by, &text);
    }

    /// The run stops, and whoever is next in line is told.
    pub(super) fn escalate(&mut self, why: &str, by: &Arc<str>, now: Timestamp) {
        let text = format!("{} stopped and escalated: {why}", self.run.id);
        self.run.word = Arc::from(why);
        self.run.is_escalated = true;
        self.note(AuditKind::Decision, by, &text);
        self.tell(now, by, &text);
        self.notice(&text, true);
        self.end(RunState::Stopped, now);
    }
}
