//! A robust trend over hourly points: the median of slopes between pairs (Theil 1950, Sen 1968).
//!
//! Two looks at the same points. The short one takes the last thirty hours as they are; a daily rhythm does not pass for
//! a line over more than a day. The long one compares only the same hours of different days, so that the rhythm drops out
//! (Hirsch, Slack and Smith 1982).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Hourly points kept: five days.
const POINTS_MAX: usize = 120;
/// The short look: so many hours, and at least so many points in them.
const SHORT_HOURS: u32 = 30;
const SHORT_POINTS_MIN: usize = 24;
/// The long look needs points over at least so many hours.
const LONG_HOURS_MIN: u32 = 72;
/// Share of the variation that a line must explain (by medians, so that a few odd points do not decide).
const EXPLAINED_MIN: f64 = 0.9;
/// Share of pairs that must agree on the direction.
const AGREEMENT_MIN: f64 = 0.85;

/// The hourly points of one series, oldest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Trend {
    points: VecDeque<(u32, f32)>,
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
}

impl Trend {
    /// Adds the value of an hour (hours since the epoch).
    pub fn push(&mut self, hour: u32, value: f64) {
        if self.points.back().is_some_and(|(last, _)| *last >= hour) {
            return;
        }
        if self.points.len() >= POINTS_MAX {
            self.points.pop_front();
        }
        self.points.push_back((hour, value as f32));
    }

    /// The slope, where there is a credible one: of the last day if it has one, else of the last days.
    #[must_use]
    pub fn slope(&self) -> Option<Slope> {
        self.short().or_else(|| self.long())
    }

    fn short(&self) -> Option<Slope> {
        let (last, _) = *self.points.back()?;
        let points: Vec<(f64, f64)> = self
            .points
            .iter()
            .filter(|(hour, _)| last - hour <= SHORT_HOURS)
            .map(|(hour, value)| (f64::from(*hour), f64::from(*value)))
            .collect();
        if points.len() < SHORT_POINTS_MIN {
            return None;
        }
        let slopes = pairs(&points).map(|((x, y), (to_x, to_y))| (to_y - y) / (to_x - x)).collect();
        let slope = quartiles(slopes)?;
        let levels: Vec<f64> = points.iter().map(|(_, y)| *y).collect();
        let rests: Vec<f64> = points.iter().map(|(x, y)| y - slope.middle * x).collect();
        let explained = 1.0 - (spread(rests)? / spread(levels)?.max(f64::MIN_POSITIVE)).powi(2);
        (explained >= EXPLAINED_MIN && slope.agrees()).then_some(slope)
    }

    fn long(&self) -> Option<Slope> {
        let ((first, _), (last, _)) = (*self.points.front()?, *self.points.back()?);
        if last - first < LONG_HOURS_MIN {
            return None;
        }
        let points: Vec<(f64, f64)> =
            self.points.iter().map(|(hour, value)| (f64::from(*hour), f64::from(*value))).collect();
        let slopes: Vec<f64> = pairs(&points)
            .filter(|((x, _), (to_x, _))| (to_x - x) % 24.0 == 0.0)
            .map(|((x, y), (to_x, to_y))| (to_y - y) / (to_x - x))
            .collect();
        let agreeing = |slope: &Slope| {
            let same = slopes.iter().filter(|other| **other * slope.middle > 0.0).count();
            same as f64 >= AGREEMENT_MIN * slopes.len() as f64
        };
        quartiles(slopes.clone()).filter(|slope| slope.agrees() && agreeing(slope))
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

fn quartiles(mut values: Vec<f64>) -> Option<Slope> {
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| values.get(values.len() * share / 4).copied();
    Some(Slope { low: at(1)?, middle: at(2)?, high: at(3)? })
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
}
