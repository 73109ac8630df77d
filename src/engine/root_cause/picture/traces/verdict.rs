//! What the traces say of each service, in one number a way of failing.

use super::blame::Blame;
use super::forest::Forest;
use super::patterns::Rule;
use super::times::{Place, Shift};
use crate::engine::root_cause::case::{InstanceId, NodeId};

/// What traces say of one service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// Blame for operations that go on differently: the sum over traces, in nats.
    pub path: f64,
    /// The rule that most of it rests on, by place.
    pub rule: Option<usize>,
    /// Its copies with their part of `path` and of the spans, sorted by copy.
    pub copies: Vec<(Option<InstanceId>, f64, usize)>,
    /// Share of all lost time that lies on calls to it, times the share of the calls to it that lose time; 0 to 1.
    pub called: f64,
    /// The same for its own time and the calls it makes.
    pub own: f64,
    /// The worst gap of a call to it, by place in the shifts.
    pub worst_gap: Option<usize>,
    /// The worst shift of its own, by place in the shifts.
    pub worst_own: Option<usize>,
}

/// A log ratio from which time is called lost: twice as long.
const RATIO_MIN: f64 = std::f64::consts::LN_2;

/// The verdict of every node.
#[must_use]
pub fn verdicts(node_count: usize, now: &Forest, rules: &[Rule], blames: &[Blame], shifts: &[Shift]) -> Vec<Verdict> {
    let mut verdicts = vec![Verdict::default(); node_count];
    paths(now, rules, blames, &mut verdicts);
    times(shifts, &mut verdicts);
    verdicts
}

fn paths(now: &Forest, rules: &[Rule], blames: &[Blame], verdicts: &mut [Verdict]) {
    let mut by_rule = vec![0.0; rules.len()];
    for blame in blames {
        let twig = &now.twigs[blame.twig];
        by_rule[blame.rule] += blame.weight;
        if let Some(verdict) = verdicts.get_mut(twig.node) {
            verdict.path += blame.weight;
            copy(verdict, twig.instance).1 += blame.weight;
            if verdict.rule.is_none_or(|before| by_rule[blame.rule] > by_rule[before]) {
                verdict.rule = Some(blame.rule);
            }
        }
    }
    for twig in &now.twigs {
        if let Some(verdict) = verdicts.get_mut(twig.node) {
            copy(verdict, twig.instance).2 += 1;
        }
    }
}

fn copy(verdict: &mut Verdict, instance: Option<InstanceId>) -> &mut (Option<InstanceId>, f64, usize) {
    let at = match verdict.copies.binary_search_by_key(&instance, |(one, _, _)| *one) {
        Ok(at) => at,
        Err(at) => {
            verdict.copies.insert(at, (instance, 0.0, 0));
            at
        }
    };
    &mut verdict.copies[at]
}

/// Lost time of one pair of services (or within one), as the mean over its operations, weighed by their number.
#[derive(Clone, Copy, Default)]
struct Loss {
    sum: f64,
    count: f64,
}

impl Loss {
    fn add(&mut self, ratio: f64, count: usize) {
        let weight = (count as f64).sqrt();
        self.sum += ratio * weight;
        self.count += weight;
    }

    /// The mean beyond the usual of the whole system, from `RATIO_MIN`.
    fn beyond(&self, usual: f64) -> f64 {
        let mean = if self.count > 0.0 { self.sum / self.count - usual } else { 0.0 };
        (mean - RATIO_MIN).max(0.0)
    }
}

fn times(shifts: &[Shift], verdicts: &mut [Verdict]) {
    let mut ratios: Vec<f64> = shifts.iter().map(|shift| shift.ratio).collect();
    let usual = crate::engine::root_cause::robust::median(&mut ratios).unwrap_or(0.0).max(0.0);
    let count = verdicts.len();
    let mut gaps = std::collections::BTreeMap::<(NodeId, NodeId), Loss>::new();
    let mut own = vec![Loss::default(); count];
    for (at, shift) in shifts.iter().enumerate() {
        let worse = |before: Option<usize>| {
            before.is_none_or(|before| shifts[before].ratio < shift.ratio).then_some(at).or(before)
        };
        match shift.place {
            Place::Gap(caller, callee, _) => {
                gaps.entry((caller, callee)).or_default().add(shift.ratio, shift.count);
                if let Some(verdict) = verdicts.get_mut(callee) {
                    verdict.worst_gap = worse(verdict.worst_gap);
                }
            }
            Place::Own(node, _) => {
                if let (Some(loss), Some(verdict)) = (own.get_mut(node), verdicts.get_mut(node)) {
                    loss.add(shift.ratio, shift.count);
                    verdict.worst_own = worse(verdict.worst_own);
                }
            }
        }
    }
    let lost: Vec<((NodeId, NodeId), f64)> = gaps.iter().map(|(pair, loss)| (*pair, loss.beyond(usual))).collect();
    let lost_own: Vec<f64> = own.iter().map(|loss| loss.beyond(usual)).collect();
    let total: f64 = lost.iter().map(|(_, loss)| loss).sum::<f64>() + lost_own.iter().sum::<f64>();
    if total <= 0.0 {
        return;
    }
    for (node, verdict) in verdicts.iter_mut().enumerate() {
        let part = |is_of: &dyn Fn(NodeId, NodeId) -> bool, with_own: bool| {
            let of: Vec<f64> =
                lost.iter().filter(|((caller, callee), _)| is_of(*caller, *callee)).map(|(_, loss)| *loss).collect();
            let mut sum: f64 = of.iter().sum();
            let (mut all, mut hit) = (of.len(), of.iter().filter(|loss| **loss > 0.0).count());
            if with_own && own.get(node).is_some_and(|loss| loss.count > 0.0) {
                sum += lost_own[node];
                (all, hit) = (all + 1, hit + usize::from(lost_own[node] > 0.0));
            }
            sum / total * hit as f64 / all.max(1) as f64
        };
        // Loss of half a nat is little, two nats (seven times as long) leave no doubt.
        let strength = |loss: f64| (loss / 2.0).min(1.0);
        let top = lost.iter().map(|(_, loss)| *loss).chain(lost_own.iter().copied()).fold(0.0, f64::max);
        verdict.called = part(&|_, callee| callee == node, false) * strength(top);
        verdict.own = part(&|caller, _| caller == node, true) * strength(top);
    }
}
