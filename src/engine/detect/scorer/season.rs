//! What repeats by hour of day and of week, learnt once an hour; and the range of values each hour of day has shown.
//!
//! A season is believed as far as it has explained what it had not seen yet: the regression of the residuals on its own
//! forecast, between 0 and 1. A series without one gets none.

use super::cells::Cells;
use super::pen::Pen;
use super::{HOUR_S, Tuning};

const DAY: usize = 24;
const WEEK: usize = 168;
/// Hours over which it is learnt how much a season explains: all of a week's.
const EXPLAINED_HOURS: f32 = 168.0;
/// A season's slot is believed by seen / (seen + this).
const SEEN_DOUBT: f32 = 1.0;

/// How much of what came a forecast explained.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Explained {
    shared: f64,
    own: f64,
}

impl Explained {
    fn weight(self) -> f32 {
        if self.own > 0.0 { (self.shared / self.own).clamp(0.0, 1.0) as f32 } else { 0.0 }
    }

    fn learn(&mut self, gain: f64, forecast: f64, came: f64) {
        self.shared += gain * (forecast * came - self.shared);
        self.own += gain * (forecast * forecast - self.own);
    }
}

/// An hour's range.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Span {
    hour: i32,
    low: f32,
    high: f32,
}

/// The seasons of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Season {
    /// The hour under way: what it taught so far, its range.
    sum: f32,
    count: f32,
    now: Span,
    /// The hour before, kept back so that a departure is not compared with its own beginning.
    before: Span,
    /// Forecast for the middle of the hour before, this and the next.
    forecast: [f32; 3],
    /// Range of these three hours on the days before; empty while one of them is unknown.
    low: f32,
    high: f32,
    hours: f32,
    day_explained: Explained,
    week_explained: Explained,
    /// Values of `lows` and `highs` are relative to this.
    origin: f32,
    day: Cells<i16, DAY>,
    lows: Cells<i16, DAY>,
    highs: Cells<i16, DAY>,
    /// One bit for each hour of day that has a range.
    known: u32,
    week: Cells<i8, WEEK>,
}

impl Default for Season {
    fn default() -> Self {
        Self {
            sum: 0.0,
            count: 0.0,
            now: Span { hour: i32::MIN, ..Span::default() },
            before: Span { hour: i32::MIN, ..Span::default() },
            forecast: [0.0; 3],
            low: f32::NEG_INFINITY,
            high: f32::INFINITY,
            hours: 0.0,
            day_explained: Explained::default(),
            week_explained: Explained::default(),
            origin: 0.0,
            day: Cells::default(),
            lows: Cells::default(),
            highs: Cells::default(),
            known: 0,
            week: Cells::default(),
        }
    }
}

/// Place of an hour, counted from the epoch, in a day or a week.
fn place(hour: i32, of: i32) -> usize {
    hour.rem_euclid(of).unsigned_abs() as usize
}

impl Season {
    pub fn walk(&mut self, pen: &mut Pen<'_>) {
        pen.f32(&mut self.sum);
        pen.f32(&mut self.count);
        for span in [&mut self.now, &mut self.before] {
            pen.i32(&mut span.hour);
            pen.f32(&mut span.low);
            pen.f32(&mut span.high);
        }
        self.forecast.iter_mut().for_each(|number| pen.f32(number));
        for number in [&mut self.low, &mut self.high, &mut self.hours, &mut self.origin] {
            pen.f32(number);
        }
        for explained in [&mut self.day_explained, &mut self.week_explained] {
            pen.f64(&mut explained.shared);
            pen.f64(&mut explained.own);
        }
        pen.u32(&mut self.known);
        self.day.walk(pen);
        self.lows.walk(pen);
        self.highs.walk(pen);
        self.week.walk(pen);
    }

    /// Time comes to `at_s`; when an hour is over, it teaches, and the next is forecast. Gives that hour and the one that
    /// begins, counted from the epoch.
    #[inline]
    pub fn turn(&mut self, tuning: &Tuning, at_s: f64, age_days: f32) -> Option<(i32, i32)> {
        // Out of range only for clocks 200,000 years off, where it stays.
        let hour = (at_s / HOUR_S).floor() as i32;
        let before = self.now.hour;
        (hour != before).then(|| {
            self.next(tuning, hour, age_days);
            (before, hour)
        })
    }

    #[cold]
    #[inline(never)]
    fn next(&mut self, tuning: &Tuning, hour: i32, age_days: f32) {
        if self.count > 0.0 {
            self.close(tuning, age_days);
        }
        let hours = [hour.wrapping_sub(1), hour, hour.wrapping_add(1)];
        let weights = (self.day_explained.weight(), self.week_explained.weight());
        self.forecast = hours.map(|hour| {
            let (day, week) = self.parts(tuning, hour, age_days);
            weights.0 * day + weights.1 * week
        });
        (self.low, self.high) = (f32::INFINITY, f32::NEG_INFINITY);
        for hour in hours {
            let at = place(hour, DAY as i32);
            if self.known >> at & 1 == 0 {
                (self.low, self.high) = (f32::NEG_INFINITY, f32::INFINITY);
                break;
            }
            self.low = self.low.min(self.origin + self.lows.get(at));
            self.high = self.high.max(self.origin + self.highs.get(at));
        }
        self.now = Span { hour, low: f32::INFINITY, high: f32::NEG_INFINITY };
    }

    /// What the two seasons say of an hour, believed by how often it was seen.
    fn parts(&self, tuning: &Tuning, hour: i32, age_days: f32) -> (f32, f32) {
        let days = age_days.min(tuning.season_periods);
        let weeks = (age_days / 7.0).min(tuning.season_periods);
        (
            self.day.get(place(hour, DAY as i32)) * days / (days + SEEN_DOUBT),
            self.week.get(place(hour, WEEK as i32)) * weeks / (weeks + SEEN_DOUBT),
        )
    }

    /// The hour under way is over.
    fn close(&mut self, tuning: &Tuning, age_days: f32) {
        let hour = self.now.hour;
        // Within the range of the values, which fit.
        let came = self.sum / self.count;
        (self.sum, self.count) = (0.0, 0.0);
        let (day, week) = self.parts(tuning, hour, age_days);
        let gain = f64::from(1.0 / (self.hours + 1.0).min(EXPLAINED_HOURS));
        self.hours = (self.hours + 1.0).min(EXPLAINED_HOURS);
        let rest = came - self.day_explained.weight() * day;
        self.day_explained.learn(gain, f64::from(day), f64::from(came));
        self.week_explained.learn(gain, f64::from(week), f64::from(rest));
        let at = place(hour, DAY as i32);
        let gain = 1.0 / (age_days + 1.0).min(tuning.season_periods);
        self.day.set(at, self.day.get(at) + gain * (came - self.day.get(at)));
        let at = place(hour, WEEK as i32);
        let gain = 1.0 / (age_days / 7.0 + 1.0).min(tuning.season_periods);
        self.week.set(at, self.week.get(at) + gain * (rest - self.week.get(at)));
        self.keep_range();
    }

    /// The hour before the one that ended joins the ranges.
    fn keep_range(&mut self) {
        let Span { hour, low, high } = std::mem::replace(&mut self.before, self.now);
        if hour == i32::MIN || low > high {
            return;
        }
        if self.known == 0 {
            self.origin = low;
        }
        let at = place(hour, DAY as i32);
        let (low, high) = (low - self.origin, high - self.origin);
        if self.known >> at & 1 == 0 {
            self.known |= 1 << at;
            self.lows.set(at, low);
            self.highs.set(at, high);
        } else {
            if low < self.lows.get(at) {
                self.lows.set(at, low);
            }
            if high > self.highs.get(at) {
                self.highs.set(at, high);
            }
        }
    }

    /// Forecast at a time within the hour under way, between the middles of hours.
    #[inline]
    pub fn at(&self, at_s: f64) -> f64 {
        let place = (at_s / HOUR_S - f64::from(self.now.hour)).clamp(0.0, 1.0) as f32 - 0.5;
        let [before, now, next] = self.forecast;
        let other = if place < 0.0 { before } else { next };
        f64::from(now + (other - now) * place.abs())
    }

    /// Takes in how far a value is from the slow level.
    #[inline]
    pub fn learn(&mut self, distance: f64) {
        self.sum += distance as f32;
        self.count += 1.0;
    }

    /// How far a mean lies outside what this hour and its neighbours have shown on other days; 0 or less inside.
    #[inline]
    pub fn margin(&self, mean: f64) -> f64 {
        (mean - f64::from(self.high)).max(f64::from(self.low) - mean)
    }

    /// Takes a mean into the range of the hour under way.
    #[inline]
    pub fn note(&mut self, mean: f64) {
        self.now.low = self.now.low.min(mean as f32);
        self.now.high = self.now.high.max(mean as f32);
    }
}
