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
    ActionKind, CauseKind, Incident, IncidentSeverity, Proposal, Purpose, Run, RunState, StepKind, StepState,
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
    /// Runs that acted and did not help.
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

    /// Learns from a run that is over and whose effect is known; true where there was something to learn.
    pub fn learn(&mut self, run: &Run) -> bool {
        let Some((cause, _)) = run.cause else { return false };
        let Some(action) = last_action(run) else { return false };
        let has_helped = match (run.state, run.has_held) {
            (RunState::Succeeded, Some(has_held)) => has_held,
            (RunState::Failed, _) => false,
            _ => return false,
        };
        let took_ms = run.ended_at.map_or(0, |at| at.since_ms(run.started_at)).max(0);
        // Runs last minutes: far below where a float loses whole milliseconds.
        let minutes = took_ms as f64 / MINUTE_MS as f64;
        let tally = self.tallies.entry((cause, action)).or_default();
        if has_helped {
            tally.helped += 1;
            tally.helped_minutes += minutes;
        } else {
            tally.failed += 1;
            tally.failed_minutes += minutes;
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
            .filter_map(first_action)
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
                let tally = first_action(&proposal).map(|action| self.tally(cause, action)).unwrap_or_default();
                let cost = price(tally, place, &proposal, incident.severity, &mut draws);
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

/// What a run would cost users, by one draw: minutes until it helps or the next is tried, weighed by how bad it is.
fn price(tally: Tally, place: usize, proposal: &Proposal, severity: IncidentSeverity, draws: &mut Pcg64) -> f64 {
    // Places are few: exact in a float.
    let alpha = PRIOR_HELPED + f64::from(tally.helped);
    let beta = PRIOR_FAILED + PRIOR_STEP * place as f64 + f64::from(tally.failed);
    let helps = Beta::new(alpha, beta).map_or(alpha / (alpha + beta), |share| share.sample(draws));
    let own_estimate = f64::from(proposal.runbook.estimate_seconds) / 60.0;
    let mean = |sum: f64, count: u32, prior: f64| (sum + prior) / (f64::from(count) + 1.0);
    let helped = mean(tally.helped_minutes, tally.helped, own_estimate);
    let failed = mean(tally.failed_minutes, tally.failed, own_estimate) + FAILED_MINUTES;
    let weight = match severity {
        IncidentSeverity::Sev1 => 4.0,
        IncidentSeverity::Sev2 => 3.0,
        IncidentSeverity::Sev3 => 2.0,
        IncidentSeverity::Sev4 => 1.0,
    };
    weight * (helps * helped + (1.0 - helps) * failed)
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

/// The kind of the first act of a runbook.
fn first_action(proposal: &Proposal) -> Option<ActionKind> {
    proposal.steps.iter().find_map(|step| step.spec.act().map(|act| act.action))
}

/// The kind of the last act that was begun and not taken back: what the verification was about.
fn last_action(run: &Run) -> Option<ActionKind> {
    let stands = run.steps.iter().rev().find(|step| {
        matches!(step.bound.spec.kind, StepKind::Act(_))
            && !matches!(step.state, StepState::Undone { .. })
            && step.begun.iter().any(|begun| begun.purpose == Purpose::Run)
    })?;
    stands.bound.spec.act().map(|act| act.action)
}

#[cfg(test)]
mod tests;
