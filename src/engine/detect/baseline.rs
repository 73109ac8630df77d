//! What is normal for a series by hour of the week, learnt as samples arrive.
//!
//! A profile holds, for each of the 168 hours of a week, a centre and a spread. During an hour only sums are kept
//! ([`Live`]); at its end they are folded into the hour's slot: a mean over the first weeks, then exponentially weighted.
//! Between the middles of two hours the centre is interpolated, so there are no steps at the hour. Where a slot has
//! little history, the same hour of other days stands in (their median), and where there is none, the recent level.
//!
//! What keeps it robust: a lone extreme in an hour is left out; from the third week on an hour cannot move its slot by
//! more than [`CLIP_SIGMAS`]; a wild hour that the next week does not confirm is forgotten; the spread leans on the median
//! of the seven days, which a bad day does not move. What recurs, such as a nightly job, is in every week of its slot and therefore becomes part of it.

use super::live::{HourSums, Live};
use super::profile::{Profile, Slot};
use super::scale::Scale;
use crate::engine::clock::{HOUR_MS, Timestamp};

/// Half an hour: how long a band is valid.
pub const HALF_HOUR_MS: i64 = HOUR_MS / 2;
/// Weeks after which the mean becomes an exponentially weighted one.
const WEEKS_MAX: u16 = 8;
/// From the third week on, an hour counts as at most this many sigmas off.
const CLIP_SIGMAS: f64 = 4.0;
/// An hour teaches only when samples cover at least this much of it.
const COVERED_MS_MIN: u32 = 15 * 60_000;
/// An extreme further than this from the rest of its hour is left out.
const LONE_EXTREME_SIGMAS: f64 = 5.0;
/// Share of an hour's residual that moves the common level: slow drift is followed within days.
const DRIFT_GAIN: f64 = 1.0 / 48.0;
/// An hour this many sigmas off is far off; after so many hours on end, longer than any single odd day, that is the level.
const FAR_SIGMAS: f64 = 2.0;
const FAR_HOURS: i8 = 26;
/// Once a change of level is followed, it is followed on while hours are at least this many sigmas off the same way.
const STILL_MOVING_SIGMAS: f64 = 0.25;
/// From the third week on, an hour that is far off as a whole teaches this much less than others.
const FAR_GAIN: f64 = 0.25;
/// The same once a departure has lasted so long that it is the new level.
const SHIFT_GAIN: f64 = 1.0;
/// A slot whose spread is this many times that of the next week held an accident, and begins anew.
const ACCIDENT_RATIO: f64 = 4.0;

impl Profile {
    /// Sigma of a slot: its own spread pooled with that of the same hour on other days, by weeks of history.
    fn sigma(&self, slot: usize, fallback: f64) -> f64 {
        let common = self.day_median(slot, Slot::spread).unwrap_or(fallback);
        let weeks = f64::from(self.slot(slot).weeks());
        let own = self.slot(slot).spread().unwrap_or(common);
        ((weeks * own * own + common * common) / (weeks + 1.0)).sqrt()
    }

    /// Centre of a slot, without the common shift; `None` where nothing is known of this hour on any day.
    fn centre(&self, slot: usize, sigma: f64) -> Option<f64> {
        let own = f64::from(self.slot(slot).centre());
        let weeks = self.slot(slot).weeks();
        if weeks >= 2 {
            return Some(own);
        }
        let common = self.day_median(slot, |day| (day.weeks() > 0).then(|| f64::from(day.centre())));
        match (weeks, common) {
            (0, common) => common,
            // One week may be chance, unless it says something clearly different from the other days.
            (_, Some(common)) if (own - common).abs() < 3.0 * sigma => Some((own + common) / 2.0),
            _ => Some(own),
        }
    }
}

/// Called with the first sample of another half hour: folds the hour that ended and works out the band for `at`.
///
/// `is_followed` says that a departure has lasted so long that it is taken for the new level.
pub fn turn(live: &mut Live, profile: &mut Profile, scale: &Scale, at: Timestamp, is_followed: bool) {
    let half_hour = at.0.div_euclid(HALF_HOUR_MS);
    if half_hour.div_euclid(2) != live.half_hour.div_euclid(2) {
        fold(live, profile, is_followed);
        live.hour = HourSums::default();
        live.fallback = live.level;
    }
    live.half_hour = half_hour;
    let first = at - HALF_HOUR_MS;
    let (from, to) = (first.hour_of_week(), (first + HOUR_MS).hour_of_week());
    // Mean absolute distance to sigma, as for a normal distribution.
    let spread = 1.2533 * f64::from(live.level_deviation);
    let (sigma_from, sigma_to) = (profile.sigma(from, spread), profile.sigma(to, spread));
    let fallback = f64::from(live.fallback) - f64::from(live.shift);
    let shift = f64::from(live.shift);
    let (centre_from, centre_to) = match (profile.centre(from, sigma_from), profile.centre(to, sigma_to)) {
        (Some(from), Some(to)) => (from + shift, to + shift),
        // A slope towards an unknown hour would only be noise.
        _ => (fallback + shift, fallback + shift),
    };
    let floor = scale.floor(centre_from).max(scale.floor(centre_to));
    live.centre = centre_from as f32;
    live.centre_step = (centre_to - centre_from) as f32;
    live.floor = floor as f32;
    live.sigma = sigma_from.max(sigma_to).max(floor) as f32;
}

/// Where in the stretch between two half hours `at` lies, 0 to 1.
#[inline]
#[must_use]
pub fn stretch_share(at: i64) -> f64 {
    (at - HALF_HOUR_MS).rem_euclid(HOUR_MS) as f64 / HOUR_MS as f64
}

/// What an hour of residuals says.
struct HourSummary {
    mean: f64,
    /// Mean square distance from the expected value.
    square: f64,
    /// Variance around the hour's own mean.
    variance: f64,
    count: u32,
}

fn summarise(hour: &HourSums) -> HourSummary {
    let (mut sum, mut sum_sq, mut count) = (hour.sum, hour.sum_sq, f64::from(hour.count));
    if hour.count >= 6 {
        let (max, min) = (f64::from(hour.max), f64::from(hour.min));
        let rest = count - 2.0;
        let rest_mean = (sum - max - min) / rest;
        let rest_variance = (sum_sq - max * max - min * min) / rest - rest_mean * rest_mean;
        let far = LONE_EXTREME_SIGMAS * rest_variance.max(0.0).sqrt();
        for extreme in [max, min] {
            if (extreme - rest_mean).abs() > far {
                sum -= extreme;
                sum_sq -= extreme * extreme;
                count -= 1.0;
            }
        }
    }
    let mean = sum / count;
    let square = (sum_sq / count).max(mean * mean);
    HourSummary { mean, square, variance: (square - mean * mean).max(0.0), count: hour.count }
}

/// Hours on end that were far off, after one more that was `off` sigmas off as a whole.
fn far_hours(before: i8, weeks: u16, off: f64) -> i8 {
    let is_followed = before.abs() >= FAR_HOURS;
    let enough = if is_followed { STILL_MOVING_SIGMAS } else { FAR_SIGMAS };
    // A slot without a week of its own cannot tell a change of level from a weekend.
    if weeks == 0 || off.abs() < enough {
        0
    } else if off > 0.0 {
        before.max(0).saturating_add(1)
    } else {
        before.min(0).saturating_sub(1)
    }
}

/// Folds the hour that ended into its slot.
fn fold(live: &mut Live, profile: &mut Profile, is_followed: bool) {
    if live.hour.count == 0 || live.hour.covered_ms < COVERED_MS_MIN {
        return;
    }
    live.hours_seen = live.hours_seen.saturating_add(1);
    let hour = summarise(&live.hour);
    if is_followed {
        live.shift += (SHIFT_GAIN * hour.mean) as f32;
        return;
    }
    let slot = Timestamp(live.half_hour.saturating_mul(HALF_HOUR_MS)).hour_of_week();
    let weeks = profile.slot(slot).weeks();
    let sigma = profile.sigma(slot, 1.2533 * f64::from(live.level_deviation)).max(f64::from(live.floor));
    // Changes of level that lie in history are followed as those of the present are.
    live.far_hours = far_hours(live.far_hours, weeks, hour.mean / sigma);
    if live.far_hours.abs() >= FAR_HOURS {
        live.shift += (SHIFT_GAIN * hour.mean) as f32;
        return;
    }
    let (mut mean, mut square) = (hour.mean, hour.square);
    let mut gain = 1.0 / f64::from(weeks.min(WEEKS_MAX) + 1);
    if weeks >= 2 {
        let most = CLIP_SIGMAS * sigma;
        if live.far_hours != 0 {
            gain *= FAR_GAIN;
        }
        mean = mean.clamp(-most, most);
        square = square.min(most * most);
    }
    let known = profile.slot(slot).spread();
    let is_after_accident = weeks > 0
        && known.is_some_and(|spread| hour.variance.sqrt().max(f64::from(live.floor)) < spread / ACCIDENT_RATIO);
    if is_after_accident {
        gain = 1.0;
    }
    let expected = profile.centre(slot, sigma).unwrap_or(f64::from(live.fallback) - f64::from(live.shift));
    let before = f64::from(profile.slot(slot).centre());
    let centre = before + gain * (expected + mean - before);
    let spread = match known {
        _ if is_after_accident => Some(hour.variance.sqrt().max(f64::from(live.floor))),
        // The first week has nothing to be compared with but itself.
        _ if weeks == 0 => (hour.count >= 3).then(|| hour.variance.sqrt()),
        None => Some(square.sqrt()),
        Some(spread) => Some((spread * spread + gain * (square - spread * spread)).sqrt()),
    };
    profile.set(slot, Slot::new(centre, spread.unwrap_or(0.0), (weeks + 1).min(WEEKS_MAX)));
    if weeks >= 2 {
        let most = 2.0 * sigma;
        live.shift += (DRIFT_GAIN * mean.clamp(-most, most)) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::{SeriesRole, Unit};

    #[test]
    fn a_level_just_beside_the_old_one_is_learnt_all_the_same() {
        let (scale, mut profile) = (Scale::new(Unit::Count, SeriesRole::Other, false), Profile::default());
        let (level, sigma) = (1_000.0, 10.0);
        let mut live = Live { level: level as f32, ..Live::default() };
        for hour in 0..60 * 168 {
            let at = Timestamp(hour * HOUR_MS);
            // From the third week on a tenth of the smallest sigma higher.
            let value = if hour < 2 * 168 { level } else { level + 0.1 * sigma };
            turn(&mut live, &mut profile, &scale, at, false);
            live.teach(value - f64::from(live.centre), HOUR_MS);
        }
        let off = (f64::from(live.centre) - level - 0.1 * sigma).abs() / sigma;
        assert!(off < 0.02, "{off}");
    }

    #[test]
    fn a_lone_extreme_is_left_out_of_its_hour() {
        let mut live = Live { sigma: 1.0, ..Live::default() };
        for at in 0..11 {
            live.teach(if at % 2 == 0 { 1.0 } else { -1.0 }, 300_000);
        }
        live.teach(60.0, 300_000);
        let hour = summarise(&live.hour);
        assert!(hour.mean.abs() < 0.2 && hour.square < 1.1, "{} {}", hour.mean, hour.square);
    }

    #[test]
    fn what_fills_a_third_of_an_hour_is_no_extreme() {
        let mut live = Live { sigma: 1.0, ..Live::default() };
        for at in 0..12 {
            live.teach(if at < 4 { 30.0 } else { 0.0 }, 300_000);
        }
        assert!((summarise(&live.hour).mean - 10.0).abs() < 1e-9);
    }
}
