//! Who is to blame by the logs alone: loud lines that come far more often than before, and quiet ones that cease while
//! the rest of the service's lines go on. Of the loud lines of one trace only the first counts: the others follow.

use std::collections::BTreeMap;

use super::{Logs, Now};
use crate::engine::root_cause::case::{Case, Loudness};

/// What the logs say of one service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogBlame {
    /// Nats of surprise over its loud lines that come first.
    pub loud: f64,
    /// The template that most of it rests on, with its lines now and before.
    pub loudest: Option<(u32, usize, usize)>,
    /// Nats of surprise over quiet templates that ceased.
    pub ceased: f64,
    /// The template that most of that rests on, with the lines expected now.
    pub missed: Option<(u32, f64)>,
}

/// Surprise below this is chance.
const SURPRISE_MIN: f64 = 5.0;

/// The blame of every node.
#[must_use]
pub fn blames(case: &Case, logs: &Logs<'_>) -> Vec<LogBlame> {
    let mut found = vec![LogBlame::default(); case.nodes.len()];
    let weights: Vec<f64> = (0..logs.usage.len()).map(|template| loud_weight(logs, template)).collect();
    loud(case, logs, &weights, &mut found);
    ceased(logs, &mut found);
    found
}

/// Lines of a template that its service's other lines would let expect now.
fn expected(logs: &Logs<'_>, template: usize) -> Option<f64> {
    let (usage, about) = (logs.usage.get(template)?, logs.templates.get(template)?);
    let (now, healthy) = logs.totals.get(about.node).copied()?;
    Some((usage.healthy as f64 + 0.5) * (now as f64 + 1.0) / (healthy as f64 + 1.0))
}

/// Nats of surprise of one line of a loud template; 0 where it is not surprising as a whole.
fn loud_weight(logs: &Logs<'_>, template: usize) -> f64 {
    let (Some(usage), Some(about), Some(expected)) =
        (logs.usage.get(template), logs.templates.get(template), expected(logs, template))
    else {
        return 0.0;
    };
    let factor = match about.loudness {
        Loudness::Quiet => return 0.0,
        Loudness::Warning => 0.5,
        Loudness::Error => 1.0,
    };
    let (now, ratio) = (usage.now as f64, usage.now as f64 / expected);
    let all = factor * (now * ratio.max(1.0).ln() - (now - expected).max(0.0));
    if ratio > 1.0 && all >= SURPRISE_MIN { factor * ratio.ln().min(4.0) } else { 0.0 }
}

fn loud(case: &Case, logs: &Logs<'_>, weights: &[f64], found: &mut [LogBlame]) {
    let range = Now::new(case);
    let mut first = BTreeMap::<u64, ()>::new();
    let mut lines = BTreeMap::<u32, usize>::new();
    for line in &case.now.logs {
        let template = line.template;
        let weight = weights.get(template as usize).copied().unwrap_or(0.0);
        if weight <= 0.0 || !range.has(line.ts) || (line.trace != 0 && first.insert(line.trace, ()).is_some()) {
            continue;
        }
        let Some(blame) = found.get_mut(line.node) else { continue };
        blame.loud += weight;
        let count = lines.entry(template).or_default();
        *count += 1;
        if blame.loudest.is_none_or(|(_, before, _)| *count > before) {
            let healthy = logs.usage.get(template as usize).map_or(0, |usage| usage.healthy);
            blame.loudest = Some((template, *count, healthy));
        }
    }
}

fn ceased(logs: &Logs<'_>, found: &mut [LogBlame]) {
    for (template, usage) in logs.usage.iter().enumerate() {
        let (Some(about), Some(expected)) = (logs.templates.get(template), expected(logs, template)) else {
            continue;
        };
        let Some(blame) = found.get_mut(about.node).filter(|_| about.loudness == Loudness::Quiet && usage.healthy >= 3)
        else {
            continue;
        };
        // Poisson: the log of the chance to see so few.
        let now = usage.now as f64;
        if now >= 0.1 * expected {
            continue;
        }
        let surprise = expected - now - now * (expected / now.max(0.5)).ln();
        if surprise >= SURPRISE_MIN {
            let id = u32::try_from(template).unwrap_or(u32::MAX);
            if blame.missed.is_none_or(|(_, before)| expected > before) {
                blame.missed = Some((id, expected));
            }
            blame.ceased = blame.ceased.max(surprise);
        }
    }
}
