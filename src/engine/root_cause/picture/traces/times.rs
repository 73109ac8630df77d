//! Where time goes: in an operation itself, or between a caller's span and the callee's (the network and its queues).

use super::forest::Forest;
use crate::engine::root_cause::case::{InstanceId, NodeId};
use crate::engine::root_cause::robust::quantile;

/// Fewer times than this on either side say nothing.
const COUNT_MIN: usize = 4;
/// Times below this are all the same, in milliseconds: added to both sides of a ratio.
const FLOOR_MS: f64 = 1.0;

/// Which times are compared: an operation's own time, or the gap of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the operation of this key.
    Own(NodeId, u32),
    /// Between this caller and the callee's operation of this key.
    Gap(NodeId, NodeId, u32),
}

/// How the times of a place shifted.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    /// Of what.
    pub place: Place,
    /// Log ratio of now to healthy, of the median and the upper tenth together.
    pub ratio: f64,
    /// Medians: healthy and now, in milliseconds.
    pub median: (f64, f64),
    /// Upper tenths: healthy and now, in milliseconds.
    pub upper: (f64, f64),
    /// Milliseconds it now takes more a time, at the mean of median and upper tenth.
    pub more_ms: f64,
    /// How many now.
    pub count: usize,
}

/// One time.
type Time = (Place, Option<InstanceId>, f64);

/// Every own time and gap of a forest. The call of another service counts as a gap where the caller has a span of its
/// own for just that call: its only child, under a parent of the same service.
#[must_use]
pub fn times(forest: &Forest) -> Vec<Time> {
    let mut found = Vec::with_capacity(forest.order.len());
    for at in &forest.order {
        let twig = &forest.twigs[*at];
        let is_inner = twig.parent.is_some_and(|parent| forest.twigs[parent].node == twig.node);
        if let ([only], true) = (twig.children.as_slice(), is_inner) {
            let callee = &forest.twigs[*only];
            if callee.node != twig.node {
                found.push((
                    Place::Gap(twig.node, callee.node, callee.key),
                    callee.instance,
                    (twig.ms - callee.ms).max(0.0),
                ));
                continue;
            }
        }
        found.push((Place::Own(twig.node, twig.key), twig.instance, forest.own_ms(*at)));
    }
    found.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
    found
}

fn of(times: &[Time], is_before: impl Fn(Place) -> bool, is_after: impl Fn(Place) -> bool) -> &[Time] {
    let from = times.partition_point(|(place, _, _)| is_before(*place));
    let to = times.partition_point(|(place, _, _)| !is_after(*place));
    times.get(from..to).unwrap_or(&[])
}

/// The shift of every place. A call that the healthy time does not have is compared with the gaps of its caller, else
/// with all gaps: what a network costs differs little from call to call.
#[must_use]
pub fn shifts(healthy: &[Time], now: &[Time]) -> Vec<Shift> {
    let mut found = Vec::new();
    let every: Vec<f64> =
        healthy.iter().filter(|(place, _, _)| matches!(place, Place::Gap(..))).map(|time| time.2).collect();
    let mut rest = now;
    while let Some((place, _, _)) = rest.first().copied() {
        let end = rest.partition_point(|(other, _, _)| *other <= place);
        let (group, after) = rest.split_at(end);
        rest = after;
        let mut usual: Vec<f64> =
            of(healthy, |other| other < place, |other| other > place).iter().map(|time| time.2).collect();
        if usual.len() < COUNT_MIN
            && let Place::Gap(caller, _, _) = place
        {
            let (low, high) = (Place::Gap(caller, 0, 0), Place::Gap(caller, NodeId::MAX, u32::MAX));
            usual = of(healthy, |other| other < low, |other| other > high).iter().map(|time| time.2).collect();
            if usual.len() < COUNT_MIN {
                usual.clone_from(&every);
            }
        }
        let mut present: Vec<f64> = group.iter().map(|time| time.2).collect();
        if let Some(shift) = shift(place, &mut usual, &mut present) {
            found.push(shift);
        }
    }
    found
}

fn shift(place: Place, usual: &mut [f64], now: &mut [f64]) -> Option<Shift> {
    if usual.len() < COUNT_MIN || now.len() < COUNT_MIN {
        return None;
    }
    let median = (quantile(usual, 0.5)?, quantile(now, 0.5)?);
    let upper = (quantile(usual, 0.9)?, quantile(now, 0.9)?);
    let ratio = |pair: (f64, f64)| ((pair.1 + FLOOR_MS) / (pair.0 + FLOOR_MS)).ln();
    let more_ms = 0.5 * (median.1 - median.0 + upper.1 - upper.0);
    Some(Shift { place, ratio: 0.5 * (ratio(median) + ratio(upper)), median, upper, more_ms, count: now.len() })
}
