//! A robust trend over hourly points: the median of slopes between pairs (Theil 1950, Sen 1968).
//!
//! Two looks at the same points. The short one takes the last thirty hours as they are; a daily rhythm does not pass for
//! a line over more than a day. The long one compares only the same hours of different days, so that the rhythm drops out
//! (Hirsch, Slack and Smith 1982).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::engine::clock::{HOUR_MS, Timestamp};

/// Hours looked back upon: five days.
const HOURS_MAX: u32 = 120;
/// The short look: so many hours, and at least so many points in them.
const SHORT_HOURS: u32 = 30;
const SHORT_POINTS_MIN: usize = 24;
/// The long look needs points over at least so many hours.
const LONG_HOURS_MIN: f64 = 72.0;
const DAY_HOURS: f64 = 24.0;
/// How much days differ where nothing is known of them yet, as a share of a day's amount, and the days that weighs as much as.
const UNEVENNESS_AT_FIRST: f64 = 0.15;
const UNEVENNESS_DAYS: f64 = 1.0;
/// Share of the variation that a line must explain (by medians, so that a few odd points do not decide).
const EXPLAINED_MIN: f64 = 0.9;
/// Share of pairs that must agree on the direction.
const AGREEMENT_MIN: f64 = 0.85;

/// The hourly points of one series.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "KeptTrend", into = "KeptTrend")]
pub struct Trend {
    /// The value of each hour up to the last one, oldest first; not a number for an hour without a sample.
    values: VecDeque<f32>,
    /// Hours since the epoch.
    last_hour: u32,
}

/// What is kept of it on disk: the hours that had samples, with their values, oldest first.
#[derive(Serialize, Deserialize)]
struct KeptTrend {
    points: Vec<(u32, f32)>,
}

impl From<KeptTrend> for Trend {
    fn from(kept: KeptTrend) -> Self {
        let mut trend = Self::default();
        for (hour, value) in kept.points {
            trend.push(hour, f64::from(value));
        }
        trend
    }
}

impl From<Trend> for KeptTrend {
    fn from(trend: Trend) -> Self {
        Self { points: trend.points().collect() }
    }
}

impl PartialEq for Trend {
    fn eq(&self, other: &Self) -> bool {
        self.points().eq(other.points())
    }
}

/// How fast a value changes, an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// Median slope.
    pub middle: f64,
    /// Lower quartile of the slopes.
    pub low: f64,
    /// Upper quartile.
    pub high: f64,
    /// Hours looked back upon.
    pub hours: f64,
    /// How much the amount of a day differs from day to day, as a share of it.
    pub unevenness: f64,
    /// Typical distance of the points from the line, in the series' unit.
    pub rest: f64,
}

impl Trend {
    /// Adds the value of an hour (hours since the epoch).
    pub fn push(&mut self, hour: u32, value: f64) {
        if self.values.is_empty() || hour.saturating_sub(self.last_hour) >= HOURS_MAX {
            self.values.clear();
            self.values.reserve_exact(HOURS_MAX as usize);
        } else if hour <= self.last_hour {
            return;
        } else {
            let missing = (hour - self.last_hour - 1) as usize;
            let too_many = (self.values.len() + missing + 1).saturating_sub(HOURS_MAX as usize);
            self.values.drain(..too_many);
            self.values.extend(std::iter::repeat_n(f32::NAN, missing));
        }
        self.values.push_back(value as f32);
        self.last_hour = hour;
    }

    /// The hours that had samples, with their values, oldest first.
    fn points(&self) -> impl Iterator<Item = (u32, f32)> {
        // At most `HOURS_MAX` values, so their places fit.
        let place = |at: usize| at as u32;
        let first = self.last_hour.saturating_sub(place(self.values.len().saturating_sub(1)));
        let values = self.values.iter().enumerate();
        values.map(move |(at, value)| (first + place(at), *value)).filter(|(_, value)| !value.is_nan())
    }

    /// When the last hour with a sample had ended: the trend has been there since.
    #[must_use]
    pub fn seen_at(&self) -> Timestamp {
        Timestamp((i64::from(self.last_hour) + 1) * HOUR_MS)
    }

    /// The slope, where there is a credible one: of the last day if it has one, else of the last days.
    #[must_use]
    pub fn slope(&self) -> Option<Slope> {
        self.short().or_else(|| self.long())
    }

    fn short(&self) -> Option<Slope> {
        let points: Vec<(f64, f64)> = self
            .points()
            .filter(|(hour, _)| self.last_hour - hour <= SHORT_HOURS)
            .map(|(hour, value)| (f64::from(hour), f64::from(value)))
            .collect();
        if points.len() < SHORT_POINTS_MIN {
            return None;
        }
        let slopes = pairs(&points).map(|((x, y), (to_x, to_y))| (to_y - y) / (to_x - x)).collect();
        let slope = self.with_doubts(quartiles(slopes, f64::from(SHORT_HOURS))?);
        let levels: Vec<f64> = points.iter().map(|(_, y)| *y).collect();
        let rests: Vec<f64> = points.iter().map(|(x, y)| y - slope.middle * x).collect();
        let explained = 1.0 - (spread(rests)? / spread(levels)?.max(f64::MIN_POSITIVE)).powi(2);
        (explained >= EXPLAINED_MIN && slope.agrees()).then_some(slope)
    }

    fn long(&self) -> Option<Slope> {
        let points: Vec<(f64, f64)> = self.points().map(|(hour, value)| (f64::from(hour), f64::from(value))).collect();
        let ((first, _), (last, _)) = (*points.first()?, *points.last()?);
        if last - first < LONG_HOURS_MIN {
            return None;
        }
        let slopes: Vec<f64> = pairs(&points)
            .filter(|((x, _), (to_x, _))| (to_x - x) % 24.0 == 0.0)
            .map(|((x, y), (to_x, to_y))| (to_y - y) / (to_x - x))
            .collect();
        let agreeing = |slope: &Slope| {
            let same = slopes.iter().filter(|other| **other * slope.middle > 0.0).count();
            same as f64 >= AGREEMENT_MIN * slopes.len() as f64
        };
        let slope = quartiles(slopes.clone(), last - first).filter(|slope| slope.agrees() && agreeing(slope));
        slope.map(|slope| self.with_doubts(slope))
    }

    /// What speaks against a straight future: days that differ, and points beside the line.
    fn with_doubts(&self, slope: Slope) -> Slope {
        let points: Vec<Point> = self
            .points()
            .filter(|(hour, _)| f64::from(self.last_hour - hour) <= slope.hours)
            .map(|(hour, value)| (f64::from(hour), f64::from(value)))
            .collect();
        let rests = points.iter().map(|(x, y)| y - slope.middle * x).collect();
        // A day after a day, from the newest backwards: each hour of a day is compared with the hour before it.
        let mut days = Vec::new();
        let mut until = f64::from(self.last_hour);
        while until - DAY_HOURS >= f64::from(self.last_hour) - slope.hours - DAY_HOURS / 2.0 {
            let amounts = points.iter().filter(|(x, _)| *x > until - DAY_HOURS && *x <= until).filter_map(|(x, y)| {
                let before = points.iter().find(|(other, _)| *other == x - DAY_HOURS)?;
                Some(y - before.1)
            });
            days.extend(median(amounts.collect()));
            until -= DAY_HOURS;
        }
        let amount = DAY_HOURS * slope.middle;
        let squares: f64 = days.iter().map(|day| (day / amount - 1.0).powi(2)).sum();
        let expected = UNEVENNESS_DAYS * UNEVENNESS_AT_FIRST * UNEVENNESS_AT_FIRST;
        let unevenness = ((expected + squares) / (UNEVENNESS_DAYS + days.len() as f64)).sqrt();
        Slope { unevenness, rest: spread(rests).unwrap_or(0.0), ..slope }
    }
}

impl Slope {
    /// True where even the quartiles point the same way.
    fn agrees(&self) -> bool {
        self.middle != 0.0 && self.low * self.high > 0.0
    }
}

type Point = (f64, f64);

fn pairs(points: &[Point]) -> impl Iterator<Item = (Point, Point)> {
    points.iter().enumerate().flat_map(|(at, from)| points.iter().skip(at + 1).map(move |to| (*from, *to)))
}

fn quartiles(mut values: Vec<f64>, hours: f64) -> Option<Slope> {
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| values.get(values.len() * share / 4).copied();
    Some(Slope { low: at(1)?, middle: at(2)?, high: at(3)?, hours, unevenness: UNEVENNESS_AT_FIRST, rest: 0.0 })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Median distance from the median.
fn spread(values: Vec<f64>) -> Option<f64> {
    let middle = median(values.clone())?;
    median(values.into_iter().map(|value| (value - middle).abs()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(hours: u32, value: impl Fn(u32) -> f64) -> Trend {
        let mut trend = Trend::default();
        for hour in 0..hours {
            trend.push(hour, value(hour));
        }
        trend
    }

    fn daily(hour: u32) -> f64 {
        (f64::from(hour) / 24.0 * std::f64::consts::TAU).sin()
    }

    #[test]
    fn lines_are_credible_and_rhythms_are_not() {
        let cases: [(&str, Trend, Option<f64>); 6] = [
            ("line", trend(40, |hour| 0.3 + 0.0068 * f64::from(hour)), Some(0.0068)),
            ("constant", trend(120, |_| 0.5), None),
            ("daily rhythm", trend(120, |hour| 0.5 + 0.2 * daily(hour)), None),
            ("rhythm on a slope", trend(120, |hour| 0.3 + 0.05 * daily(hour) + 0.002 * f64::from(hour)), Some(0.002)),
            ("too young", trend(20, f64::from), None),
            ("one odd hour", trend(40, |hour| if hour == 30 { 9.0 } else { 0.01 * f64::from(hour) }), Some(0.01)),
        ];
        for (name, trend, expected) in cases {
            let slope = trend.slope().map(|slope| slope.middle);
            match (slope, expected) {
                (None, None) => {}
                (Some(slope), Some(expected)) => assert!((slope / expected - 1.0).abs() < 0.1, "{name}: {slope}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    #[test]
    fn only_the_last_five_days_are_looked_back_upon_and_gaps_stay_gaps() {
        let mut trend = trend(100, f64::from);
        trend.push(99, 7.0);
        trend.push(110, 110.0);
        trend.push(160, 160.0);
        let hours: Vec<u32> = trend.points().map(|(hour, _)| hour).collect();
        assert_eq!(hours, (41..100).chain([110, 160]).collect::<Vec<_>>());
        assert!(trend.points().all(|(hour, value)| f64::from(hour) == f64::from(value)));
        trend.push(400, 1.0);
        assert_eq!(trend.points().collect::<Vec<_>>(), [(400, 1.0)]);
    }

    #[test]
    fn a_trend_is_kept_as_it_always_was() {
        let points: VecDeque<(u32, f32)> = [(480_000, 0.5), (480_001, 0.25), (480_009, 1.0)].into();
        let bytes = postcard::to_stdvec(&points).unwrap();
        let trend: Trend = postcard::from_bytes(&bytes).unwrap();
        assert!(trend.points().eq(points));
        assert_eq!(postcard::to_stdvec(&trend).unwrap(), bytes);
    }
}
