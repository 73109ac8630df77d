//! Which spans are to blame for what the rules find: of the spans in a trace that break one, only the deepest.

use super::forest::Forest;
use super::patterns::{Breach, Rule, SOMEWHERE, steps};

/// The blame of one span: its place, the rule (by place), and its share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blame {
    /// The span.
    pub twig: usize,
    /// The rule.
    pub rule: usize,
    /// The rule's surprise of one occurrence, shared among the spans to blame in its trace.
    pub weight: f64,
}

/// The deepest spans of each trace that break a rule. What broke a rule for a while and had stopped well before
/// `late_from` weighs nothing: it is not what is going on.
#[must_use]
pub fn blame(now: &Forest, rules: &[Rule], late_from: f64) -> Vec<Blame> {
    let mut worst: Vec<Option<usize>> = vec![None; now.twigs.len()];
    let mut is_below = vec![false; now.twigs.len()];
    let mut own = Vec::new();
    let lasting = lasting(now, rules, late_from);
    for at in now.order.iter().rev() {
        let twig = &now.twigs[*at];
        let from = rules.partition_point(|rule| rule.context < twig.context);
        let to = rules.partition_point(|rule| rule.context <= twig.context);
        if from < to {
            steps(twig, now, &mut own);
            let broken = (from..to).filter(|rule| lasting[*rule] > 0.0 && is_broken(&rules[*rule], &own));
            let weight = |rule: usize| rules[rule].surprise * lasting[rule];
            worst[*at] = broken.max_by(|a, b| weight(*a).total_cmp(&weight(*b)).then(b.cmp(a)));
        }
        if let Some(parent) = twig.parent
            && (worst[*at].is_some() || is_below[*at])
        {
            is_below[parent] = true;
        }
    }
    let deepest: Vec<(usize, usize)> =
        now.order.iter().filter(|at| !is_below[**at]).filter_map(|at| worst[*at].map(|rule| (*at, rule))).collect();
    let mut shares = vec![0_usize; now.twigs.len()];
    deepest.iter().for_each(|(at, _)| shares[now.root[*at]] += 1);
    let weight = |at: usize, rule: usize| rules[rule].each * lasting[rule] / shares[now.root[at]].max(1) as f64;
    deepest.into_iter().map(|(twig, rule)| Blame { twig, rule, weight: weight(twig, rule) }).collect()
}

/// For each rule how much of its rate is left among the late spans: 0 to 1; 0 below a quarter, 1 where there are none.
fn lasting(now: &Forest, rules: &[Rule], late_from: f64) -> Vec<f64> {
    let mut late = vec![(0_usize, 0_usize); rules.len()];
    let mut own = Vec::new();
    for twig in now.order.iter().map(|at| &now.twigs[*at]).filter(|twig| twig.ts >= late_from) {
        let from = rules.partition_point(|rule| rule.context < twig.context);
        let to = rules.partition_point(|rule| rule.context <= twig.context);
        if from == to {
            continue;
        }
        steps(twig, now, &mut own);
        for rule in from..to {
            let is_here =
                rules[rule].after.0 == SOMEWHERE || own.iter().any(|(after, _)| *after == rules[rule].after.0);
            late[rule].1 += usize::from(is_here);
            late[rule].0 += usize::from(is_here && is_broken(&rules[rule], &own));
        }
    }
    let share = |(rule, (hits, count)): (&Rule, (usize, usize))| {
        let rate = rule.now.0 as f64 / rule.now.1.max(1) as f64;
        let left = (hits as f64 + rate) / (count as f64 + 1.0) / rate.max(1e-9);
        if left < 0.25 { 0.0 } else { left.min(1.0) }
    };
    rules.iter().zip(late).map(share).collect()
}

fn is_broken(rule: &Rule, own: &[(u32, u32)]) -> bool {
    let has = |event: u32| own.binary_search(&(rule.after.0, event)).is_ok();
    match rule.breach {
        Breach::Bad(event) => has(event.0),
        Breach::Left(event) | Breach::Turned(event) if rule.after.0 == SOMEWHERE => !has(event.0),
        Breach::Left(_) | Breach::Turned(_) => {
            let from = own.partition_point(|(after, _)| *after < rule.after.0);
            let is_here = own.get(from).is_some_and(|(after, _)| *after == rule.after.0);
            is_here && rule.ways.iter().all(|way| !has(way.0))
        }
    }
}
