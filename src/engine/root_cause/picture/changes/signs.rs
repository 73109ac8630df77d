//! When trouble first shows: where each metric leaves the way it went at first and stays away, and when each loud line
//! that was not there before first comes.

use crate::engine::root_cause::case::{Case, Loudness, NodeId, Seconds};
use crate::engine::root_cause::picture::logs::Logs;
use crate::engine::root_cause::robust;

/// One first sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Sign {
    /// When it came, at the latest.
    pub at: Seconds,
    /// The last time it was not yet there.
    pub not_before: Seconds,
    /// On whom.
    pub node: NodeId,
    /// In words.
    pub what: String,
    /// The level before and now, of a metric.
    pub levels: Option<(f64, f64)>,
}

/// Samples a metric needs.
const SAMPLES_MIN: usize = 12;
/// The first part of a metric's samples is the way it goes at first.
const FIRST_PART: f64 = 0.2;
/// It has left from this many robust standard deviations, and from this share of its level.
const SIGMAS: f64 = 6.0;
/// See `SIGMAS`.
const LEVEL_SHARE: f64 = 0.1;
/// It stays away where this share of what follows is out on the same side.
const STAYS_SHARE: f64 = 0.8;

/// All first signs, earliest first.
#[must_use]
pub fn signs(case: &Case, logs: &Logs<'_>) -> Vec<Sign> {
    let mut found = Vec::new();
    let table = &case.now.metrics;
    for column in &table.columns {
        let until = case.detected_at + 120.0;
        let samples: Vec<(Seconds, f64)> = table
            .ts
            .iter()
            .copied()
            .zip(column.values.iter().copied())
            .filter(|(ts, value)| value.is_finite() && *ts <= until)
            .collect();
        if let Some((at, not_before, levels)) = departure(&samples) {
            let what = format!(
                "{} {} went from {} to {}",
                case.name(column.node),
                column.metric,
                short(levels.0),
                short(levels.1)
            );
            found.push(Sign { at, not_before, node: column.node, what, levels: Some(levels) });
        }
    }
    for (template, usage) in logs.new_templates(Loudness::Warning) {
        let (Some(at), Some(about)) = (usage.first_at, logs.templates.get(template)) else { continue };
        if at <= case.detected_at + 60.0 {
            let text: String = about.text.chars().take(80).collect();
            let what = format!("{} first logged \"{text}\"", case.name(about.node));
            found.push(Sign { at, not_before: at, node: about.node, what, levels: None });
        }
    }
    found.sort_by(|a, b| a.at.total_cmp(&b.at).then(a.node.cmp(&b.node)).then_with(|| a.what.cmp(&b.what)));
    found
}

fn short(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

/// When samples leave their first part's level for good: the time, the time before, the levels.
fn departure(samples: &[(Seconds, f64)]) -> Option<(Seconds, Seconds, (f64, f64))> {
    if samples.len() < SAMPLES_MIN {
        return None;
    }
    let first = ((samples.len() as f64 * FIRST_PART) as usize).max(8).min(samples.len() / 2);
    let (head, tail) = samples.split_at(first);
    if is_on_its_way(head) {
        return None;
    }
    let mut values: Vec<f64> = head.iter().map(|(_, value)| *value).collect();
    let usual = robust::spread(&mut values)?;
    let far = (SIGMAS * usual.scale).max(LEVEL_SHARE * usual.centre.abs()).max(1e-6);
    let side = |value: f64| {
        if value > usual.centre + far {
            1
        } else if value < usual.centre - far {
            -1
        } else {
            0
        }
    };
    let sides: Vec<i32> = tail.iter().map(|(_, value)| side(*value)).collect();
    let at = (0..tail.len()).find(|at| {
        let rest = sides.get(*at..).unwrap_or(&[]);
        let here = rest.first().copied().unwrap_or(0);
        here != 0 && rest.iter().filter(|one| **one == here).count() as f64 >= STAYS_SHARE * rest.len() as f64
    })?;
    let before = if at == 0 { head.last() } else { tail.get(at - 1) };
    let mut after: Vec<f64> = tail.get(at..)?.iter().map(|(_, value)| *value).collect();
    Some((tail.get(at)?.0, before?.0, (usual.centre, robust::median(&mut after)?)))
}

/// True where samples rise or fall all the time: a clock that runs down has no onset.
fn is_on_its_way(samples: &[(Seconds, f64)]) -> bool {
    let steps = samples.windows(2).map(|pair| pair[1].1 - pair[0].1);
    let (up, down) =
        steps.fold((0, 0), |(up, down), step| (up + usize::from(step > 0.0), down + usize::from(step < 0.0)));
    let all = samples.len().saturating_sub(1);
    all >= 6 && (up == all || down == all)
}
