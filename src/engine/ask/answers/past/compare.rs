//! How a metric was at one time against another.

use super::pair::{self, Pair};
use super::stretch::{Stretch, is_coarse};
use super::{LINES_MAX, Told, metrics, unknown_then};
use crate::engine::ask::answer::{Answer, Citation, Claim};
use crate::engine::ask::answers::unanswered;
use crate::engine::ask::ground::Ground;
use crate::engine::ask::slots::Slots;
use crate::engine::ask::time::span::Span;
use crate::engine::model::BadWhen;

/// A difference below this share is none that anybody would speak of.
const ALIKE: f64 = 0.02;
/// One below this share is said and not judged: any two hours differ as much.
const NOTABLE: f64 = 0.05;

/// What a question that names times compares; `None` where it names none.
pub fn compare(ground: &Ground<'_>, slots: &Slots) -> Option<Answer> {
    let pair = match pair::pair(ground, slots) {
        Ok(pair) => pair?,
        Err(problem) => return Some(unanswered::no_such_time(problem)),
    };
    let found = metrics(ground, slots);
    // Several services at one time are held against one another.
    if slots.service.len() > 1 && slots.versus.is_none() {
        return Some(services(ground, slots, &found));
    }
    let (mut told, mut lacking) = (Vec::new(), Vec::new());
    let mut is_coarse_somewhere = false;
    for metric in &found {
        let stretch = |span: Span| Stretch::of(ground.past, metric.metric, span, ground.now());
        match (stretch(pair.one), stretch(pair.other)) {
            (Some(one), Some(other)) => {
                is_coarse_somewhere |= is_coarse(&one, pair.one) || is_coarse(&other, pair.other);
                for late in [&one, &other].into_iter().filter(|stretch| stretch.begins_late) {
                    lacking.push(metric.known_from(late.from()));
                }
                told.push(sentence(metric, &one, &other));
            }
            (one, other) => lacking.extend(unknown(metric, pair, one.is_some(), other.is_some())),
        }
    }
    let mut told = told.into_iter();
    let mut answer = match told.next() {
        Some(lead) => Answer::known(lead).with_first(LINES_MAX, told, Citation::Totals),
        None => return Some(unknown_then(ground, slots, pair.other, lacking)),
    };
    answer.claims.extend(super::focus(ground, slots));
    lacking.dedup();
    answer.missing.extend(lacking.into_iter().take(LINES_MAX));
    if is_coarse_somewhere {
        answer.missing.push(Claim::of("Of times so far back only whole hours are known.", []));
    }
    answer.missing.extend(super::other_quantile(ground, slots));
    Some(answer.over(Some(pair.one)).then(&["what changed", "why is it so"]))
}

/// Which of the two spans is not known.
fn unknown(metric: &Told<'_, '_>, pair: Pair, has_one: bool, has_other: bool) -> Vec<Claim> {
    let spans = [(pair.one, has_one), (pair.other, has_other)];
    spans.into_iter().filter(|(_, is_known)| !is_known).map(|(span, _)| metric.nothing_known(span)).collect()
}

/// Services at one time, the highest first.
fn services(ground: &Ground<'_>, slots: &Slots, found: &[Told<'_, '_>]) -> Answer {
    let Ok(Some(span)) = ground.span(slots) else { return super::nothing_kept(ground) };
    let known = |metric: &Told<'_, '_>| Stretch::of(ground.past, metric.metric, span, ground.now());
    let mut all: Vec<_> = found.iter().filter_map(|metric| Some((metric, known(metric)?))).collect();
    all.sort_by(|(_, one), (_, other)| other.middle.total_cmp(&one.middle));
    let Some((first, stretch)) = all.first() else { return unknown_then(ground, slots, span, Vec::new()) };
    let lead = Claim::of("{} had the highest then, {}.", [first.service(), first.value(stretch.middle)]);
    let claims = all.iter().map(|(metric, stretch)| metric.over(stretch));
    Answer::known(lead).over(Some(span)).with_first(LINES_MAX, claims, Citation::Totals)
}

/// Both values, how much they differ, and which is worse.
fn sentence(metric: &Told<'_, '_>, one: &Stretch, other: &Stretch) -> Claim {
    let (from, to) = metric.ends(one);
    let claim = Claim::of("{} of {} was {}", [metric.name(), metric.service(), metric.value(one.middle)]);
    let claim = claim.and(metric.sort_of_middle(one)).and(Claim::of(" between {} and {}", [from, to]));
    let (from, to) = metric.ends(other);
    let claim = claim.and(Claim::of(", against {} between {} and {}: ", [metric.value(other.middle), from, to]));
    let is_more = one.middle > other.middle;
    let judgement = match (metric.metric.bad_when, is_more) {
        _ if is_within(NOTABLE, one.middle, other.middle) => ".",
        (BadWhen::High, true) | (BadWhen::Low, false) => ", which is worse.",
        (BadWhen::High, false) | (BadWhen::Low, true) => ", which is better.",
        (BadWhen::Either, _) => ".",
    };
    claim.and(difference(metric, one.middle, other.middle)).and(Claim::of(judgement, []))
}

fn is_within(share: f64, one: f64, other: f64) -> bool {
    (one - other).abs() <= share * one.abs().max(other.abs())
}

/// How much more or less; never as a share of nothing, and not as one of what is below zero.
fn difference(metric: &Told<'_, '_>, one: f64, other: f64) -> Claim {
    if is_within(ALIKE, one, other) {
        return Claim::of("about the same", []);
    }
    let is_more = one > other;
    if other <= 0.0 || one < 0.0 {
        let apart = metric.value((one - other).abs());
        return Claim::of(if is_more { "{} more" } else { "{} less" }, [apart]);
    }
    let ratio = one / other;
    if ratio >= 2.0 {
        return Claim::of("{} times as much", [metric.cited(times(ratio))]);
    }
    let share = ((ratio - 1.0).abs() * 100.0).round();
    Claim::of(if is_more { "{} more" } else { "{} less" }, [metric.cited(format!("{share} %"))])
}

fn times(ratio: f64) -> String {
    if ratio >= 10.0 { format!("{ratio:.0}") } else { format!("{ratio:.1}") }
}
