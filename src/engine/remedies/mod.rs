//! Which remedy works for which kind of cause: outcomes are counted, and the next choice among permitted runbooks is drawn
//! by Thompson sampling (Thompson, Biometrika 25, 1933), with the harm to users as the cost.
//!
//! For each (kind of cause, kind of act) the share of runs that helped has a beta distribution; one draw from each says
//! what this time would cost in user-minutes, and the cheapest comes first. Where nothing is known of any, the order stays
//! as it was: the pages' own.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_distr::{Beta, Distribution};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::clock::MINUTE_MS;
use super::model::{
    ActionKind, CauseKind, Danger, Incident, IncidentSeverity, Proposal, Purpose, Run, RunState, RunStep, StepKind,
    StepState,
};

/// What it costs, in minutes, that users wait on for the next remedy after one that did not help.
const FAILED_MINUTES: f64 = 15.0;
/// Belief in a remedy before anything was seen: as if it had helped this often …
const PRIOR_HELPED: f64 = 2.0;
/// … and failed this often; for each place further down in the pages' own order `PRIOR_STEP` more.
const PRIOR_FAILED: f64 = 1.0;
/// See `PRIOR_FAILED`.
const PRIOR_STEP: f64 = 0.5;

/// What came of one kind of act against one kind of cause.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Runs after which what was verified held.
    pub helped: u32,
    /// Runs that acted and did not help, or were stopped before anything showed that they did.
    pub failed: u32,
    /// Minutes that those that helped took, added up.
    pub helped_minutes: f64,
    /// Minutes that those that did not took, added up.
    pub failed_minutes: f64,
}

impl Tally {
    fn count(&self) -> u32 {
        self.helped + self.failed
    }
}

/// Everything that was learnt.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Remedies {
    tallies: BTreeMap<(CauseKind, ActionKind), Tally>,
}

/// Under which name it is kept.
pub const SETTING: &str = "remedies";

impl Remedies {
    /// Reads what [`Self::to_text`] wrote.
    ///
    /// # Errors
    /// Where the text is none of it; nothing is learnt from it then.
    pub fn from_text(text: &str) -> Result<Self, serde_json::Error> {
        let pairs: Vec<((CauseKind, ActionKind), Tally)> = serde_json::from_str(text)?;
        Ok(Self { tallies: pairs.into_iter().collect() })
    }

    /// What is kept of it, as JSON.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Plain data with finite numbers: it always has a text.
        serde_json::to_string(&self.tallies.iter().collect::<Vec<_>>()).unwrap_or_default()
    }

    /// What is known of one kind of act against one kind of cause.
    #[must_use]
    pub fn tally(&self, cause: CauseKind, action: ActionKind) -> Tally {
        self.tallies.get(&(cause, action)).copied().unwrap_or_default()
    }

    /// Learns what a run teaches as it is now, in place of what it taught before: one that failed and was led on to success
    /// is one case that was helped. True where something changed.
    pub fn learn(&mut self, before: Option<&Run>, run: &Run) -> bool {
        let (before, now) = (before.and_then(Lesson::of), Lesson::of(run));
        if before == now {
            return false;
        }
        for (lesson, sign) in before.iter().map(|lesson| (lesson, -1.0)).chain(now.iter().map(|lesson| (lesson, 1.0))) {
            for (action, has_helped) in &lesson.acts {
                let tally = self.tallies.entry((lesson.cause, *action)).or_default();
                let (count, minutes) = if *has_helped {
                    (&mut tally.helped, &mut tally.helped_minutes)
                } else {
                    (&mut tally.failed, &mut tally.failed_minutes)
                };
                *count = if sign > 0.0 { count.saturating_add(1) } else { count.saturating_sub(1) };
                *minutes = (*minutes + sign * lesson.minutes).max(0.0);
            }
        }
        true
    }

    /// Puts runbooks against the same cause in the order of one draw each, cheapest first, and says why. Those that are
    /// not permitted come last whatever the draw; runbooks against different causes keep their order.
    #[must_use]
    pub fn order(
        &self,
        proposals: Vec<Proposal>,
        incident: &Incident,
        is_permitted: impl Fn(&Proposal) -> bool,
    ) -> Vec<Proposal> {
        let mut ordered: Vec<Proposal> = Vec::with_capacity(proposals.len());
        let mut rest = proposals.into_iter().peekable();
        while let Some(first) = rest.next() {
            let mut group = vec![first];
            while let Some(next) = rest.next_if(|next| next.cause == group[0].cause) {
                group.push(next);
            }
            ordered.extend(self.order_group(group, incident, &is_permitted));
        }
        ordered
    }

    fn order_group(
        &self,
        group: Vec<Proposal>,
        incident: &Incident,
        is_permitted: &impl Fn(&Proposal) -> bool,
    ) -> Vec<Proposal> {
        let Some((cause, _)) = group.first().and_then(|first| first.cause.clone()) else { return group };
        let known: Vec<(ActionKind, Tally)> = group
            .iter()
            .flat_map(actions)
            .map(|action| (action, self.tally(cause, action)))
            .filter(|(_, tally)| tally.count() > 0)
            .collect();
        if known.is_empty() {
            return group;
        }
        // The same incident with the same knowledge gives the same order: nothing moves under the hand.
        let seen: u32 = self.tallies.values().map(Tally::count).sum();
        let mut draws = Pcg64::seed_from_u64(incident.id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(seen));
        let mut priced: Vec<(bool, f64, usize, Proposal)> = group
            .into_iter()
            .enumerate()
            .map(|(place, proposal)| {
                let tallies: Vec<Tally> =
                    actions(&proposal).into_iter().map(|action| self.tally(cause, action)).collect();
                let cost = price(&tallies, place, &proposal, incident.severity, &mut draws);
                (!is_permitted(&proposal), cost, place, proposal)
            })
            .collect();
        priced.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
        let reason = reason(cause, &known);
        priced
            .into_iter()
            .map(|(.., mut proposal)| {
                proposal.reason = format!("{} · {reason}", proposal.reason).into();
                proposal
            })
            .collect()
    }
}

/// What a run would cost users, by one draw for each kind of act that it would begin: minutes until it helps or the next is
/// tried, weighed by how bad it is, in the mean over those kinds. A page without an act is priced by what is believed of any.
fn price(tallies: &[Tally], place: usize, proposal: &Proposal, severity: IncidentSeverity, draws: &mut Pcg64) -> f64 {
    let own_estimate = f64::from(proposal.runbook.estimate_seconds) / 60.0;
    let mut minutes_of = |tally: &Tally| {
        // Places are few: exact in a float.
        let alpha = PRIOR_HELPED + f64::from(tally.helped);
        let beta = PRIOR_FAILED + PRIOR_STEP * place as f64 + f64::from(tally.failed);
        let helps = Beta::new(alpha, beta).map_or(alpha / (alpha + beta), |share| share.sample(draws));
        let mean = |sum: f64, count: u32| (sum + own_estimate) / (f64::from(count) + 1.0);
        let helped = mean(tally.helped_minutes, tally.helped);
        let failed = mean(tally.failed_minutes, tally.failed) + FAILED_MINUTES;
        helps * helped + (1.0 - helps) * failed
    };
    // What the acts themselves may do to users, however well they help.
    let harm = proposal.steps.iter().filter_map(|step| step.spec.act()).map(|act| harm_minutes(act.danger));
    let harm = harm.fold(0.0, f64::max);
    let minutes = if tallies.is_empty() {
        minutes_of(&Tally::default())
    } else {
        tallies.iter().map(&mut minutes_of).sum::<f64>() / tallies.len() as f64
    };
    let weight = match severity {
        IncidentSeverity::Sev1 => 4.0,
        IncidentSeverity::Sev2 => 3.0,
        IncidentSeverity::Sev3 => 2.0,
        IncidentSeverity::Sev4 => 1.0,
    };
    weight * (minutes + harm)
}

/// What an act costs users by itself, in minutes that they wait or see errors.
fn harm_minutes(danger: Danger) -> f64 {
    match danger {
        Danger::Low => 0.0,
        Danger::Medium => 1.0,
        Danger::High => 10.0,
    }
}

/// `rollback helped in 9 of 9 such cases, scale in 1 of 6`.
fn reason(cause: CauseKind, known: &[(ActionKind, Tally)]) -> String {
    let mut seen = Vec::new();
    for (action, tally) in known {
        let (action, helped, count) = (action.word(), tally.helped, tally.count());
        let text = if seen.is_empty() {
            format!("{action} helped in {helped} of {count} cases of {}", cause.title())
        } else {
            format!("{action} in {helped} of {count}")
        };
        if !seen.iter().any(|(before, _)| *before == action) {
            seen.push((action, text));
        }
    }
    seen.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")
}

/// The kinds of act that a runbook would begin, each once, in its order.
fn actions(proposal: &Proposal) -> Vec<ActionKind> {
    let mut actions = Vec::new();
    for act in proposal.steps.iter().filter_map(|step| step.spec.act()) {
        if !actions.contains(&act.action) {
            actions.push(act.action);
        }
    }
    actions
}

/// What one run teaches.
#[derive(Debug, PartialEq)]
struct Lesson {
    cause: CauseKind,
    /// Every kind of act that was begun, and whether it helped.
    acts: BTreeMap<ActionKind, bool>,
    minutes: f64,
}

impl Lesson {
    /// `None` while it is not known what came of the run, and for one that did nothing. Every kind of act that was begun
    /// shares in what came of it; what failed or was taken back did not help, whatever helped then.
    fn of(run: &Run) -> Option<Self> {
        let (cause, _) = run.cause.as_ref()?;
        let has_helped = match (run.state, run.has_held) {
            (RunState::Succeeded, Some(has_held)) => has_held,
            (RunState::Failed, _) => false,
            // Nobody waited for it to show that it helped.
            (RunState::Stopped, _) if !is_verified(run) => false,
            _ => return None,
        };
        let mut acts = BTreeMap::new();
        for step in run.steps.iter().filter(|step| step.acts_done().any(|begun| begun.purpose == Purpose::Run)) {
            let Some(act) = step.bound.spec.act() else { continue };
            let helped = has_helped && matches!(step.state, StepState::Succeeded { .. });
            *acts.entry(act.action).or_insert(false) |= helped;
        }
        let took_ms = run.ended_at.map_or(0, |at| at.since_ms(run.started_at)).max(0);
        // Runs last minutes: far below where a float loses whole milliseconds.
        let minutes = took_ms as f64 / MINUTE_MS as f64;
        (!acts.is_empty()).then_some(Self { cause: *cause, acts, minutes })
    }
}

/// A verify step behind the last act that was done has seen its metric come back.
fn is_verified(run: &Run) -> bool {
    let is_done = |step: &RunStep| matches!(step.state, StepState::Succeeded { .. });
    let last_act = run.steps.iter().rposition(|step| step.bound.spec.act().is_some() && is_done(step));
    let behind = last_act.and_then(|at| run.steps.get(at..)).unwrap_or_default();
    behind.iter().any(|step| matches!(step.bound.spec.kind, StepKind::Verify { .. }) && is_done(step))
}

#[cfg(test)]
mod tests;
