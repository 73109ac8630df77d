//! One window or freeze that comes again, and when it does.

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;

use super::{ClockNote, Occasion, OccasionKind, Place, Scope};
use crate::engine::clock::{DAY_MS, MINUTE_MS, Timestamp};
use crate::engine::settings::{WindowSettings, recurrence, zone};

/// No zone has ever set its clock by more than a day.
const CLOCK_STEP_MS: i64 = 26 * 60 * MINUTE_MS;
/// Occasions are found beforehand this far, and at most so many of them.
const AHEAD_MS: i64 = 100 * DAY_MS;
const AHEAD_MAX: usize = 500;
/// They are found anew once this little is left of what they cover, or all of it where it is less.
const LEFT_MS: i64 = DAY_MS;

/// A window or freeze that comes again.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    kind: OccasionKind,
    name: String,
    zone: Tz,
    cron: Cron,
    lasts_ms: i64,
    scope: Scope,
    known: Known,
}

/// Occasions that were found beforehand: all that end after `from` and begin before `until`.
#[derive(Debug, Clone, Default)]
struct Known {
    from: Timestamp,
    until: Timestamp,
    occasions: Vec<Occasion>,
}

impl Rule {
    pub(super) fn new(kind: OccasionKind, settings: &WindowSettings) -> Result<Self, String> {
        Ok(Self {
            kind,
            name: settings.name.clone(),
            zone: zone(&settings.zone)?,
            cron: recurrence(&settings.begins)?,
            lasts_ms: settings.lasts.0,
            scope: Scope::new(settings)?,
            known: Known::default(),
        })
    }

    /// True where it is for this place.
    pub(super) fn is_for(&self, place: &Place<'_>) -> bool {
        self.scope.is_for(place)
    }

    /// Finds its coming occasions, where those that are known are about to run out.
    pub(super) fn look_ahead(&mut self, now: Timestamp) {
        let left = (self.known.until.since_ms(self.known.from) / 2).min(LEFT_MS);
        if self.known.from <= now && now + left < self.known.until {
            return;
        }
        let mut occasions: Vec<Occasion> = self.walk(now, now + AHEAD_MS).take(AHEAD_MAX).collect();
        let mut until = now + AHEAD_MS;
        if occasions.len() == AHEAD_MAX {
            // Whether another begins at the same instant was not looked at.
            until = occasions.pop().map_or(now, |last| last.from);
            occasions.retain(|one| one.from < until);
        }
        self.known = Known { from: now, until, occasions };
    }

    /// Its occasions that end after `from` and begin before `until`, in order.
    pub(super) fn between(&self, from: Timestamp, until: Timestamp) -> impl Iterator<Item = Occasion> + '_ {
        let is_known = self.known.from <= from && from < self.known.until;
        let first = self.known.occasions.partition_point(|one| one.until <= from);
        let known = self.known.occasions[first..].iter().take_while(move |one| one.from < until).cloned();
        // What is not known is walked to only when it is asked for.
        let rest_from = if is_known { self.known.until } else { from };
        let rest = std::iter::once_with(move || {
            let is_new = move |one: &Occasion| !is_known || one.from >= rest_from;
            (rest_from < until).then(|| self.walk(rest_from, until).filter(is_new))
        });
        let known = if is_known { Some(known) } else { None };
        known.into_iter().flatten().chain(rest.flatten().flatten())
    }

    /// The same, by asking the rule.
    fn walk(&self, from: Timestamp, until: Timestamp) -> impl Iterator<Item = Occasion> + '_ {
        let earliest = from - self.lasts_ms - CLOCK_STEP_MS;
        let mut wall = Some(earliest.to_datetime().with_timezone(&self.zone).naive_local().and_utc());
        let mut is_first = true;
        let walls = std::iter::from_fn(move || {
            let next = self.cron.find_next_occurrence(&wall?, is_first).ok();
            (wall, is_first) = (next, false);
            next
        });
        let latest = (until + CLOCK_STEP_MS).to_datetime();
        let zone = self.zone;
        walls
            .take_while(move |wall| *wall <= latest.with_timezone(&zone).naive_local().and_utc())
            .map(|wall| self.occasion(wall.naive_utc()))
            .filter(move |occasion| occasion.until > from && occasion.from < until)
    }

    fn occasion(&self, wall: NaiveDateTime) -> Occasion {
        let begin = begin(self.zone, wall);
        let from = instant(&begin.first);
        let last = if self.kind == OccasionKind::Freeze { instant(&begin.last) } else { from };
        let until = last + self.lasts_ms;
        let offset = |at: Timestamp| at.to_datetime().with_timezone(&self.zone).offset().fix();
        let meanwhile = (offset(from) != offset(until)).then_some(ClockNote::SetMeanwhile);
        Occasion {
            kind: self.kind,
            name: self.name.clone(),
            zone: self.zone.name().to_owned(),
            whom: self.scope.words.clone(),
            from,
            until,
            note: begin.note.or(meanwhile),
        }
    }
}

/// When a clock shows something.
struct Begin {
    first: DateTime<Tz>,
    last: DateTime<Tz>,
    note: Option<ClockNote>,
}

fn begin(zone: Tz, wall: NaiveDateTime) -> Begin {
    let at = zone.from_local_datetime(&wall);
    match (at.earliest(), at.latest()) {
        (Some(first), Some(last)) if first == last => Begin { first, last, note: None },
        (Some(first), Some(last)) => Begin { first, last, note: Some(ClockNote::Twice) },
        _ => {
            let minutes = (1..=CLOCK_STEP_MS / MINUTE_MS).map(|minute| wall + chrono::TimeDelta::minutes(minute));
            let mut shown = minutes.filter_map(|wall| zone.from_local_datetime(&wall).earliest());
            // A clock is never set forward by more than that; read as UTC it is at least the right day.
            let first = shown.next().unwrap_or_else(|| zone.from_utc_datetime(&wall));
            Begin { first, last: first, note: Some(ClockNote::Skipped) }
        }
    }
}

fn instant(at: &DateTime<Tz>) -> Timestamp {
    Timestamp(at.with_timezone(&Utc).timestamp_millis())
}
