//! What a span begins or ends with: what happened, a day, a clock time; and spans told by what happened.

use super::{Read, Reader};
use crate::engine::ask::time::expression::{Anchor, ClockTime, Point, TimeExpression};
use crate::engine::ask::time::numbers::{number, unit};
use crate::engine::ask::time::zone::Zone;

/// Words between "since" and what happened.
const ARTICLES: &[&str] = &[
    "the", "this", "that", "our", "last", "latest", "to", "current", "new", "newest", "your", "whole", "most", "recent",
];

/// Verbs of things that begin.
const BEGAN: &[&str] =
    &["broke", "started", "began", "failed", "happened", "went", "fell", "crashed", "exploded", "did", "blew", "hit"];

/// Two ends of a span whose day is said once: it holds for both. `None` for ends that make no span.
pub(super) fn on_one_day(from: Point, to: Point) -> Option<(Point, Point)> {
    // "10:00 to 11:00 CET"
    let from = match (from, clock_in(to)) {
        (Point::Clock(clock), Some(zone)) if clock.zone == Zone::Own => Point::Clock(ClockTime { zone, ..clock }),
        (Point::On(day, clock), Some(zone)) if clock.zone == Zone::Own => Point::On(day, ClockTime { zone, ..clock }),
        _ => from,
    };
    Some(match (from, to) {
        (Point::On(day, _), Point::Clock(clock)) => (from, Point::On(day, clock)),
        (Point::Clock(clock), Point::On(day, _)) => (Point::On(day, clock), to),
        // "10:00 to yesterday" is nothing that anybody says.
        (Point::Clock(_), Point::Day(_)) | (Point::Day(_), Point::Clock(_)) => return None,
        both => both,
    })
}

fn clock_in(point: Point) -> Option<Zone> {
    match point {
        Point::Clock(clock) | Point::On(_, clock) => Some(clock.zone).filter(|zone| *zone != Zone::Own),
        _ => None,
    }
}

impl Reader<'_> {
    /// "the last two hours before the incident", "ten minutes after the deploy", "during the outage", "leading up to it".
    pub(super) fn around_anchor(&self) -> Read<TimeExpression> {
        if self.is(0, &["during", "while", "throughout"]) {
            let (anchor, length) = self.from(1).anchor()?;
            return Some((TimeExpression::During(anchor), 1 + length));
        }
        if self.is(0, &["leading"]) && self.is(1, &["up"]) && self.is(2, &["to"]) {
            let (anchor, length) = self.from(3).anchor()?;
            return Some((TimeExpression::Before(Point::Anchor(anchor)), 3 + length));
        }
        let lead =
            self.skip(0, &["in", "over", "within", "during", "for", "at", "the", "last", "first", "past", "final"]);
        let is_led = self.is(lead.saturating_sub(1), &["the", "last", "first", "past", "final"]);
        let (ms, length) = self.from(lead).duration(is_led)?;
        let at = self.skip(lead + length, &["right", "just", "immediately", "leading", "up", "of"]);
        let make: fn(i64, Anchor) -> TimeExpression = match self.word(at) {
            "before" | "to" if self.word(at) == "before" || self.is(at - 1, &["up"]) => TimeExpression::Lead,
            "prior" if self.is(at + 1, &["to"]) => TimeExpression::Lead,
            "after" | "following" | "into" => TimeExpression::Trail,
            _ => return None,
        };
        let at = if self.is(at, &["prior"]) { at + 2 } else { at + 1 };
        let (anchor, length) = self.from(at).anchor()?;
        Some((make(ms, anchor), at + length))
    }

    /// "the last deploy", "it broke", "this incident started".
    pub(super) fn anchor(&self) -> Read<Anchor> {
        let at = self.skip(0, ARTICLES);
        let (anchor, length) = match self.word(at) {
            "incident" | "outage" | "alert" | "alarm" | "failure" | "crash" | "issue" | "problem" | "page"
            | "trouble" => (Anchor::Incident, 1),
            "deploy" | "deployment" | "release" | "rollout" | "push" | "deploys" => (Anchor::Deploy, 1),
            "change" => (Anchor::Change, 1),
            "deployed" | "shipped" | "released" if at == 0 => (Anchor::Deploy, 1),
            "we" | "they" | "you" | "i" if self.is(at + 1, &["deployed", "shipped", "released"]) => (Anchor::Deploy, 2),
            "it" | "things" | "everything" | "all" | "we" | "stuff" | "shit" | "hell" if self.is(at + 1, BEGAN) => {
                let on = ["down", "wrong", "breaking", "failing", "happening", "apart", "up", "boom", "loose"];
                (Anchor::Incident, 2 + usize::from(self.is(at + 2, &on)))
            }
            _ => return None,
        };
        // "after 3 alerts": a count of them is no time.
        let is_counted = at == 0 && number(self.word(0)).is_some();
        let mut end = at + length;
        if anchor == Anchor::Incident && self.is(end, &["started", "began", "opened", "hit", "happened", "broke"]) {
            end += 1 + usize::from(self.is(end + 1, &["out"]));
        }
        (!is_counted).then_some((anchor, end))
    }

    /// What a span begins or ends with; a bare hour counts where `is_sure` holds.
    pub(super) fn point(&self, is_sure: bool) -> Read<Point> {
        if let Some((anchor, length)) = self.anchor() {
            return Some((Point::Anchor(anchor), length));
        }
        if let Some((ms, length)) = self.duration(false)
            && self.is(length, &["ago", "back", "earlier"])
            && self.day_ago().is_none()
        {
            return Some((Point::Ago(ms), length + 1));
        }
        match self.at_point(is_sure)? {
            (TimeExpression::Whole(day), length) => Some((Point::Day(day), length)),
            (TimeExpression::Clock(day, clock), length) => Some((Point::On(day, clock), length)),
            (TimeExpression::At(clock), length) => Some((Point::Clock(clock), length)),
            // "until friday night": its day, as a part of one is no end.
            (TimeExpression::Part(day, _), length) => Some((Point::Day(day), length)),
            _ => None,
        }
    }

    /// A day, a clock time, or both, without a word before it that would be needed.
    fn at_point(&self, is_sure: bool) -> Read<TimeExpression> {
        let lead = self.skip(0, &["the", "on", "at", "about", "around", "of", "early", "late"]);
        let rest = self.from(lead);
        let found = rest.days_ago().or_else(|| rest.clocked_day()).or_else(|| {
            let is_bare_end = rest.words.len() == 1 || rest.is(1, &["today", "yesterday", "on", "this"]);
            let (clock, length) = rest.clock(is_sure || is_bare_end)?;
            Some(rest.with_day(clock, length))
        });
        let (expression, length) = found?;
        // "since 9 days" is a length.
        let is_length = lead == 0 && number(self.word(0)).is_some() && unit(self.word(1)).is_some();
        let is_date = matches!(expression, TimeExpression::Whole(_) | TimeExpression::Clock(..));
        (is_date || !is_length).then_some((expression, lead + length))
    }
}
