//! The calendar of a zone, as seen at an instant: its days, and what a clock there shows when.

use chrono::{
    DateTime, Datelike, Days, FixedOffset, LocalResult, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone,
};
use chrono_tz::{OffsetName, Tz};

use super::{MIDNIGHT, Untold};
use crate::engine::ask::time::expression::{ClockTime, Stretch};
use crate::engine::ask::time::remark::Remark;
use crate::engine::ask::time::zone::{Short, Zone};
use crate::engine::clock::{DAY_MS, HOUR_MS, Timestamp};

/// When the night begins and ends.
pub(super) const NIGHT: [u32; 2] = [18, 8];

/// Longest gap of a calendar: an island that changed sides of the date line left a day out.
const GAP_HOURS_MAX: i64 = 48;

/// The calendar of a zone at an instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calendar {
    now: Timestamp,
    own: Tz,
    place: Place,
}

/// A zone, or a fixed distance from UTC.
#[derive(Debug, Clone, Copy)]
enum Place {
    Zone(Tz),
    Fixed(FixedOffset),
}

/// When a clock shows something: at two instants where it is put back, else at one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub first: Timestamp,
    pub last: Timestamp,
    pub remark: Option<Remark>,
}

pub(super) fn after(day: NaiveDate) -> Result<NaiveDate, Untold> {
    day.succ_opt().ok_or(Untold::NoDay)
}

pub(super) fn before(day: NaiveDate) -> Result<NaiveDate, Untold> {
    day.pred_opt().ok_or(Untold::NoDay)
}

impl Place {
    fn local(self, at: Timestamp) -> Option<NaiveDateTime> {
        match self {
            Self::Zone(zone) => zone.timestamp_millis_opt(at.0).single().map(|at| at.naive_local()),
            Self::Fixed(offset) => offset.timestamp_millis_opt(at.0).single().map(|at| at.naive_local()),
        }
    }

    fn instants(self, local: NaiveDateTime) -> LocalResult<Timestamp> {
        let of = |millis: i64| Timestamp(millis);
        match self {
            Self::Zone(zone) => zone.from_local_datetime(&local).map(|at: DateTime<Tz>| of(at.timestamp_millis())),
            Self::Fixed(offset) => offset.from_local_datetime(&local).map(|at| of(at.timestamp_millis())),
        }
    }
}

impl Calendar {
    /// The calendar of a zone.
    pub(super) fn of(now: Timestamp, own: Tz) -> Self {
        Self { now, own, place: Place::Zone(own) }
    }

    fn with(self, place: Place) -> Self {
        Self { place, ..self }
    }

    fn ahead(self, minutes: i32) -> Self {
        FixedOffset::east_opt(60 * minutes).map_or(self, |offset| self.with(Place::Fixed(offset)))
    }

    /// The calendar that a clock time is of, and what is read into its zone.
    pub(super) fn of_clock(self, clock: ClockTime) -> (Self, Option<Remark>) {
        let calendar = self.in_zone(clock.zone);
        let Zone::Short(short) = clock.zone else { return (calendar, None) };
        if short.also.is_some() {
            return (calendar, Some(Remark::Shared(short, self.minutes_of(short))));
        }
        let at = calendar.latest(clock.time).map_or(self.now, |(edge, _)| edge.first);
        let is_in_force = short.used_in.is_none_or(|zone| ahead_in(zone, at) == Some(short.ahead));
        (calendar, (!is_in_force).then_some(Remark::OutOfSeason(short)))
    }

    /// The calendar of a zone that was said.
    pub(super) fn in_zone(self, zone: Zone) -> Self {
        match zone {
            Zone::Own => self,
            Zone::Place(zone) => self.with(Place::Zone(zone)),
            Zone::Ahead(minutes) => self.ahead(minutes),
            Zone::Short(short) => self.ahead(self.minutes_of(short)),
        }
    }

    /// Minutes ahead of UTC; where the asker's own zone has an abbreviation that several share, the asker's is meant.
    fn minutes_of(&self, short: &Short) -> i32 {
        let half_year = 182 * DAY_MS;
        let own = [self.now, self.now - half_year, self.now + half_year].into_iter().find_map(|at| {
            let at = self.own.timestamp_millis_opt(at.0).single()?;
            let is_it = at.offset().abbreviation() == Some(short.name);
            is_it.then(|| at.offset().fix().local_minus_utc() / 60)
        });
        own.filter(|_| short.also.is_some()).unwrap_or(short.ahead)
    }

    pub(super) fn local(&self, at: Timestamp) -> Result<NaiveDateTime, Untold> {
        self.place.local(at).ok_or(Untold::NoDay)
    }

    pub(super) fn today(&self) -> Result<NaiveDate, Untold> {
        Ok(self.local(self.now)?.date())
    }

    /// When a clock shows this.
    pub(super) fn instants(&self, local: NaiveDateTime) -> Result<Edge, Untold> {
        match self.place.instants(local) {
            LocalResult::Single(at) => Ok(Edge { first: at, last: at, remark: None }),
            LocalResult::Ambiguous(first, last) => Ok(Edge { first, last, remark: Some(Remark::Twice(local)) }),
            LocalResult::None => {
                // As late after the gap as it lies behind the clock that was put forward.
                let at = (1..=GAP_HOURS_MAX).find_map(|hours| {
                    let back = chrono::TimeDelta::milliseconds(hours * HOUR_MS);
                    let at = self.place.instants(local.checked_sub_signed(back)?).latest()?;
                    Some(at + hours * HOUR_MS)
                });
                let at = at.ok_or(Untold::NoDay)?;
                Ok(Edge { first: at, last: at, remark: Some(Remark::Skipped(local)) })
            }
        }
    }

    pub(super) fn midnight(&self, day: NaiveDate) -> Result<Timestamp, Untold> {
        self.instants(day.and_time(MIDNIGHT)).map(|edge| edge.first)
    }

    pub(super) fn hour(&self, day: NaiveDate, hour: u32) -> Result<Timestamp, Untold> {
        let time = NaiveTime::from_hms_opt(hour, 0, 0).ok_or(Untold::NoDay)?;
        self.instants(day.and_time(time)).map(|edge| edge.first)
    }

    /// The latest time that a clock showed this, and on which day.
    pub(super) fn latest(&self, time: NaiveTime) -> Result<(Edge, NaiveDate), Untold> {
        let today = self.today()?;
        let edge = self.instants(today.and_time(time))?;
        if edge.first <= self.now {
            // Of two the second may be ahead still.
            let is_second_ahead = edge.last > self.now;
            return Ok((if is_second_ahead { Edge { last: edge.first, remark: None, ..edge } } else { edge }, today));
        }
        let day = before(today)?;
        Ok((self.instants(day.and_time(time))?, day))
    }

    /// The day that a clock time of this stretch lies on.
    pub(super) fn day(&self, stretch: Stretch) -> Result<NaiveDate, Untold> {
        let today = self.today()?;
        let back = |days| today.checked_sub_days(Days::new(days)).ok_or(Untold::NoDay);
        match stretch {
            Stretch::Yesterday | Stretch::LastNight => back(1),
            Stretch::Tomorrow => after(today),
            Stretch::Day(day) => {
                let since = (7 + today.weekday().num_days_from_monday() - day.num_days_from_monday()) % 7;
                back(u64::from(since))
            }
            Stretch::Date(date) => Ok(date),
            _ => Ok(today),
        }
    }

    /// The first and the last instant of a stretch.
    pub(super) fn stretch(&self, stretch: Stretch) -> Result<(Timestamp, Timestamp), Untold> {
        let today = self.today()?;
        let back = |day: NaiveDate, days| day.checked_sub_days(Days::new(days)).ok_or(Untold::NoDay);
        let ahead = |day: NaiveDate, days| day.checked_add_days(Days::new(days)).ok_or(Untold::NoDay);
        let monday = back(today, u64::from(today.weekday().num_days_from_monday()))?;
        let first = today.with_day(1).ok_or(Untold::NoDay)?;
        Ok(match stretch {
            Stretch::Tonight => (self.hour(today, NIGHT[0])?, self.hour(after(today)?, NIGHT[1])?),
            Stretch::LastNight => (self.hour(before(today)?, NIGHT[0])?, self.hour(today, NIGHT[1])?),
            Stretch::ThisWeek => (self.midnight(monday)?, self.now),
            Stretch::LastWeek => (self.midnight(back(monday, 7)?)?, self.midnight(monday)?),
            Stretch::NextWeek => (self.midnight(ahead(monday, 7)?)?, self.midnight(ahead(monday, 14)?)?),
            Stretch::Weekend => (self.midnight(ahead(monday, 5)?)?, self.midnight(ahead(monday, 7)?)?),
            Stretch::LastWeekend => (self.midnight(back(monday, 2)?)?, self.midnight(monday)?),
            Stretch::ThisMonth => (self.midnight(first)?, self.now),
            Stretch::LastMonth => {
                let earlier = first.checked_sub_months(Months::new(1)).ok_or(Untold::NoDay)?;
                (self.midnight(earlier)?, self.midnight(first)?)
            }
            Stretch::Month(first) => {
                let next = first.checked_add_months(Months::new(1)).ok_or(Untold::NoDay)?;
                (self.midnight(first)?, self.midnight(next)?)
            }
            Stretch::Today | Stretch::Yesterday | Stretch::Tomorrow | Stretch::Day(_) | Stretch::Date(_) => {
                let day = self.day(stretch)?;
                (self.midnight(day)?, self.midnight(after(day)?)?)
            }
        })
    }

    /// A stretch that runs ends now; what has not come yet says nothing of today.
    pub(super) fn until_now(&self, stretch: Stretch, (from, to): (Timestamp, Timestamp)) -> (Timestamp, Timestamp) {
        let is_running = from <= self.now && self.now < to;
        (from, if is_running && stretch != Stretch::Tonight { self.now } else { to })
    }
}

/// Minutes ahead of UTC in a zone at an instant.
fn ahead_in(zone: Tz, at: Timestamp) -> Option<i32> {
    zone.timestamp_millis_opt(at.0).single().map(|at| at.offset().fix().local_minus_utc() / 60)
}
