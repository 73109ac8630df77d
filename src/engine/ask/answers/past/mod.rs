//! What was measured at other times.

mod compare;
mod pair;
mod stretch;

use std::fmt::Display;
use std::sync::Arc;

use chrono::TimeZone;

pub(super) use compare::compare;
use stretch::{Stretch, is_coarse, is_quantile};

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact};
use crate::engine::ask::ground::Ground;
use crate::engine::ask::metric::Concept;
use crate::engine::ask::slots::Slots;
use crate::engine::ask::time::expression::TimeExpression;
use crate::engine::ask::time::span::Span;
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::model::{BadWhen, PastMetric, ServiceName, SlotWidth, Unit, human, human_span};

/// How many lines are told.
const LINES_MAX: usize = 8;
/// Slots from which on a line of bars says more than two numbers.
const BARS_MIN: usize = 3;
/// Other days that are looked at for what was usual at that time of day, and how many of them must be known.
const DAYS_MAX: u64 = 15;
const DAYS_MIN: usize = 3;
/// What people feel, which is told where no metric is named.
const FELT: [Concept; 4] = [Concept::Latency, Concept::Errors, Concept::Traffic, Concept::Availability];

/// Values over the span that a question names; `None` where it names none but now.
pub(super) fn value(ground: &Ground<'_>, slots: &Slots) -> Option<Answer> {
    let span = ground.span(slots).ok().flatten().filter(|_| slots.time != Some(TimeExpression::Now))?;
    let (mut claims, mut lacking, mut is_coarse_somewhere) = (Vec::new(), Vec::new(), false);
    for metric in metrics(ground, slots) {
        let Some(stretch) = Stretch::of(ground.past, metric.metric, span, ground.now()) else {
            lacking.push(metric.nothing_known(span));
            continue;
        };
        claims.push(metric.over(&stretch));
        claims.extend(metric.bars(&stretch));
        claims.extend(metric.usual(span));
        lacking.extend(stretch.begins_late.then(|| metric.known_from(stretch.from())));
        is_coarse_somewhere |= is_coarse(&stretch, span);
    }
    let mut claims = claims.into_iter();
    let Some(lead) = claims.next() else { return Some(unknown_then(ground, slots, span, lacking)) };
    let claims: Vec<Claim> = claims.collect();
    let mut answer = Answer::known(lead).over(Some(span)).with_first(LINES_MAX, claims.into_iter(), Citation::Totals);
    answer = answer.with(departed(ground, slots, span).into_iter().take(LINES_MAX));
    answer.missing.extend(lacking.into_iter().take(LINES_MAX));
    if is_coarse_somewhere {
        answer.missing.push(Claim::of("Of times so far back only whole hours are known.", []));
    }
    answer.missing.extend(other_quantile(ground, slots));
    Some(answer.then(&["what changed", "is it getting better"]))
}

/// A metric in sentences.
struct Told<'g, 's> {
    ground: &'g Ground<'s>,
    metric: &'s PastMetric,
    /// Where it can be looked up: among the latest values where those are at hand.
    from: Citation,
}

impl<'g, 's> Told<'g, 's> {
    fn new(ground: &'g Ground<'s>, metric: &'s PastMetric) -> Self {
        let (service, name) = (metric.service.as_str(), &metric.metric);
        let mut vitals = ground.snapshot.vitals.iter();
        let from = if vitals.any(|vital| vital.metric == *name && vital.service.as_str() == service) {
            Citation::Vital(Arc::from(service), Arc::clone(name))
        } else if ground.snapshot.topology.services().iter().any(|known| known.as_str() == service) {
            Citation::Service(Arc::from(service))
        } else {
            Citation::Totals
        };
        Self { ground, metric, from }
    }

    fn cited(&self, text: impl Display) -> Fact {
        Fact::new(text, self.from.clone())
    }

    fn name(&self) -> Fact {
        self.cited(&self.metric.metric)
    }

    fn service(&self) -> Fact {
        self.cited(&self.metric.service)
    }

    /// A value between others; of what is up or down it is the share of the time that it was up.
    fn value(&self, value: f64) -> Fact {
        let unit = if self.metric.unit == Unit::Boolean { Unit::Ratio } else { self.metric.unit };
        self.cited(human(value, unit))
    }

    fn at(&self, at: Timestamp) -> Fact {
        self.cited(minute(self.ground, at))
    }

    fn ends(&self, stretch: &Stretch) -> (Fact, Fact) {
        (self.at(stretch.from()), self.cited(dated(self.ground, stretch.from(), stretch.to)))
    }

    /// What the value that stands for a stretch is.
    fn sort_of_middle(&self, stretch: &Stretch) -> Claim {
        if self.metric.unit == Unit::Boolean {
            Claim::of(" of the time", [])
        } else if is_quantile(self.metric) && stretch.slot_count() > 1 {
            Claim::of(" (the median of slots of {})", [self.cited(human_span(stretch.width.ms()))])
        } else {
            Claim::of(" on average", [])
        }
    }

    /// What it came to.
    fn over(&self, stretch: &Stretch) -> Claim {
        let (from, to) = self.ends(stretch);
        let (low, high) = (self.value(stretch.low()), self.value(stretch.high()));
        let (name, service) = (self.name(), self.service());
        if low.text == high.text {
            return Claim::of("{} of {} was {} all the time between {} and {}.", [name, service, high, from, to]);
        }
        let claim = Claim::of("{} of {} was {}", [name, service, self.value(stretch.middle)]);
        let claim = claim.and(self.sort_of_middle(stretch));
        let claim = claim.and(Claim::of(" between {} and {}, from {} to {}", [from, to, low, high]));
        if stretch.slot_count() < 2 {
            return claim.and(Claim::of(".", []));
        }
        let is_low = self.metric.bad_when == BadWhen::Low;
        let pattern = if is_low { ", the lowest at {}." } else { ", the highest at {}." };
        claim.and(Claim::of(pattern, [self.at(stretch.peak(is_low))]))
    }

    /// How it went.
    fn bars(&self, stretch: &Stretch) -> Option<Claim> {
        let is_flat = self.value(stretch.low()).text == self.value(stretch.high()).text;
        if stretch.slot_count() < BARS_MIN || is_flat {
            return None;
        }
        let (bars, each) = stretch.bars();
        Some(Claim::of("It went {}, a mark for {}.", [self.cited(bars), self.cited(human_span(each))]))
    }

    /// What it was at that time of day on other days, where enough of them are known. Only of spans within a day.
    fn usual(&self, span: Span) -> Option<Claim> {
        if span.to.since_ms(span.from) > DAY_MS {
            return None;
        }
        let hours: Vec<_> = (1..=DAYS_MAX)
            .filter_map(|days| {
                let earlier = |at| pair::days_before(at, days, self.ground.zone);
                let span = Span { from: earlier(span.from), to: earlier(span.to) };
                let stretch = Stretch::of(self.ground.past, self.metric, span, self.ground.now())?;
                (!stretch.begins_late).then_some(stretch.middle)
            })
            .collect();
        if hours.len() < DAYS_MIN {
            return None;
        }
        let low = hours.iter().copied().fold(f64::INFINITY, f64::min);
        let high = hours.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (days, low, high) = (self.cited(hours.len()), self.value(low), self.value(high));
        Some(if low.text == high.text {
            Claim::of("At that time of day it was {} on each of {} days before.", [low, days])
        } else {
            Claim::of("At that time of day it was between {} and {} on {} days before.", [low, high, days])
        })
    }

    fn known_from(&self, at: Timestamp) -> Claim {
        Claim::of("Of {} of {} it is known from {} on.", [self.name(), self.service(), self.at(at)])
    }

    /// That nothing is known of a span, and from when on something is.
    fn nothing_known(&self, span: Span) -> Claim {
        let past = self.ground.past;
        let first =
            |width| past.slots(self.metric.service.as_str(), &self.metric.metric, width).first().map(|(at, _)| *at);
        match first(SlotWidth::Hour).or_else(|| first(SlotWidth::FiveMinutes)) {
            Some(first) if first >= span.to => {
                let facts = [self.name(), self.service(), self.at(first)];
                Claim::of("Values of {} of {} are kept from {} on.", facts)
            }
            Some(_) => {
                let facts = [self.name(), self.service(), self.at(span.from), self.at(span.to)];
                Claim::of("No value of {} of {} is known between {} and {}.", facts)
            }
            None => Claim::of("No value of {} of {} is known.", [self.name(), self.service()]),
        }
    }
}

/// The metrics that a question speaks of, those that people feel first; where it names no service, of the one on which the
/// incident that is looked at began.
fn metrics<'g, 's>(ground: &'g Ground<'s>, slots: &Slots) -> Vec<Told<'g, 's>> {
    let focused = focused(ground, slots).map(|(service, _)| Arc::from(service.as_str()));
    let services = slots.service.iter().cloned().chain(focused);
    let concept = |metric: &PastMetric| Concept::of_metric(&metric.metric, metric.role);
    let is_meant = |metric: &&PastMetric| match slots.metric {
        Some(wanted) => concept(metric) == Some(wanted),
        None => concept(metric).is_some_and(|concept| FELT.contains(&concept)),
    };
    let mut found: Vec<&'s PastMetric> = Vec::new();
    for service in services {
        found.extend(ground.past.of_service(&service).filter(is_meant));
    }
    let is_asked = |metric: &PastMetric| slots.quantile.as_ref().is_some_and(|it| metric.metric.contains(it.as_ref()));
    // Another percentile is none that was asked for.
    if found.iter().any(|metric| is_asked(metric)) {
        found.retain(|metric| is_asked(metric) || !is_quantile(metric));
    }
    found.sort_by_key(|metric| (!is_asked(metric), concept(metric).map_or(u8::MAX, |concept| concept as u8)));
    found.into_iter().map(|metric| Told::new(ground, metric)).collect()
}

/// The service that is meant where none is named: that on which the incident began.
fn focused<'s>(ground: &Ground<'s>, slots: &Slots) -> Option<(&'s ServiceName, Fact)> {
    let incident = ground.incident(slots).filter(|_| slots.service.is_empty())?;
    let (service, _) = incident.services.iter().min_by_key(|(name, since)| (**since, (*name).clone()))?;
    Some((service, Fact::incident(incident.id)))
}

/// Which service was taken.
fn focus(ground: &Ground<'_>, slots: &Slots) -> Option<Claim> {
    let (service, incident) = focused(ground, slots)?;
    let of = Fact::new(service, incident.from.clone());
    Some(Claim::of("No service was named; {} began on {}.", [incident, of]))
}

/// That nothing is known of that time, beside what departed then.
fn unknown_then(ground: &Ground<'_>, slots: &Slots, span: Span, lacking: Vec<Claim>) -> Answer {
    let mut answer = match lacking.is_empty() {
        true => nothing_kept(ground),
        false => Answer::unknown(Claim::of("I don't know the values of that time.", [])),
    };
    answer = answer.over(Some(span)).with(lacking.into_iter().take(LINES_MAX));
    answer.with_first(LINES_MAX, departed(ground, slots, span).into_iter(), Citation::Totals)
}

/// That no values of other times are at hand, and why.
fn nothing_kept(ground: &Ground<'_>) -> Answer {
    let mut answer = Answer::unknown(Claim::of("I don't know the values of that time: none are kept of it.", []));
    if ground.past.is_empty() {
        let why =
            "Values of other times are not at hand: a console that runs has its own, or nothing was measured yet.";
        answer.missing.push(Claim::of(why, []));
    } else if ground.past.over_count > 0 {
        let count = Fact::count(usize::try_from(ground.past.over_count).unwrap_or(usize::MAX), Citation::Totals);
        answer.missing.push(Claim::of("Values of {} metrics are not kept, as there are too many.", [count]));
    }
    answer
}

/// What departed within a span, of the services and the metric that are named.
fn departed(ground: &Ground<'_>, slots: &Slots, span: Span) -> Vec<Claim> {
    let of_services = slots.service.iter().flat_map(|service| ground.anomalies(service, slots.metric));
    let then = of_services
        .filter(|anomaly| anomaly.started_at <= span.to && anomaly.ended_at.is_none_or(|end| end >= span.from));
    then.map(|anomaly| {
        let from = || Citation::Anomaly(anomaly.id);
        Claim::of(
            "Then {} of {} departed, up to {} where {} was usual.",
            [
                Fact::new(&anomaly.metric, from()),
                Fact::new(&anomaly.service, from()),
                Fact::new(human(anomaly.peak_value, anomaly.unit), from()),
                Fact::new(human(anomaly.expected.centre, anomaly.unit), from()),
            ],
        )
    })
    .collect()
}

/// A clock time to the minute, as slots are no finer; with its day where that is not today.
fn minute(ground: &Ground<'_>, at: Timestamp) -> String {
    dated(ground, ground.now(), at)
}

/// The same with its day where that is not the day of `beside`.
fn dated(ground: &Ground<'_>, beside: Timestamp, at: Timestamp) -> String {
    let day = |at: Timestamp| ground.zone.timestamp_millis_opt(at.0).earliest().map(|at| at.date_naive());
    clock(ground, at, if day(beside) == day(at) { "%H:%M" } else { "%Y-%m-%d %H:%M" })
}

fn clock(ground: &Ground<'_>, at: Timestamp, format: &str) -> String {
    let local = ground.zone.timestamp_millis_opt(at.0).earliest();
    local.map_or_else(|| at.to_string(), |local| local.format(format).to_string())
}

/// That another percentile than the one that was asked for is told, where it is so.
fn other_quantile(ground: &Ground<'_>, slots: &Slots) -> Option<Claim> {
    let quantile = slots.quantile.as_ref()?;
    let is_it = |metric: &Told<'_, '_>| metric.metric.metric.contains(quantile.as_ref());
    let asked = || Fact::new(quantile, Citation::Question);
    let claim = || Claim::of("The {} is not measured here; what is measured is told.", [asked()]);
    (!metrics(ground, slots).iter().any(is_it)).then(claim)
}
