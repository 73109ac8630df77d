//! What a series needs at every sample: its band for this half hour, the sums of this hour, its recent values.
//!
//! One record a series in one vector, so that a scrape walks memory in order; the 168 slots of the weekly profile are
//! only touched twice an hour and live elsewhere.

use serde::{Deserialize, Serialize};

/// Values kept for the sparkline of an anomaly.
pub const RECENT: usize = 24;
/// Values that stay with an anomaly, as many as a line of a timeline shows, and how many of them come before its onset.
const AT_ONSET: usize = 9;
const BEFORE_ONSET: usize = 3;
/// A residual teaches as if it were at most this many sigmas: no single figure may drown the sums of an hour.
const TEACH_SIGMAS_MAX: f64 = 64.0;
/// The recent level forgets over this many samples.
const LEVEL_SAMPLES: u16 = 120;

/// Whether a series is inside its band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Phase {
    /// Inside.
    #[default]
    Normal,
    /// Outside, not yet for long enough to be an anomaly.
    Pending,
    /// An anomaly of it is active or recovering.
    Tracked,
}

/// Samples outside the band that have not become an anomaly yet.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Pending {
    /// First of them, in milliseconds since the epoch.
    pub since: i64,
    /// The value furthest out.
    pub peak_value: f64,
    /// How far out that is, in sigmas, signed.
    pub peak_z: f32,
    /// How many.
    pub count: u32,
}

/// The sums of the present hour, over residuals from the expected value.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct HourSums {
    /// Sum of residuals.
    pub sum: f64,
    /// Sum of their squares.
    pub sum_sq: f64,
    /// The largest.
    pub max: f32,
    /// The smallest.
    pub min: f32,
    /// Time that samples cover, in milliseconds.
    pub covered_ms: u32,
    /// How many samples.
    pub count: u32,
}

/// The part of a series' state that every sample touches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// When the last sample was measured; `i64::MIN` before the first.
    pub last_at: i64,
    /// Its value.
    pub last_value: f64,
    /// The present hour.
    pub hour: HourSums,
    /// What is outside and not an anomaly yet.
    pub pending: Pending,
    /// Half hours since the epoch for which the band below holds.
    pub half_hour: i64,
    /// Expected value at the start of the stretch between two half hours, on the series' scale.
    pub centre: f32,
    /// How much it changes until the end of the stretch, an hour later.
    pub centre_step: f32,
    /// One sigma on the series' scale, never below `floor`.
    pub sigma: f32,
    /// The smallest sigma that makes sense for this unit at this level.
    pub floor: f32,
    /// What is added to every slot of the profile: a lasting change of level.
    pub shift: f32,
    /// Level expected of an hour nothing is known about; fixed during an hour.
    pub fallback: f32,
    /// Robust recent level, on the series' scale.
    pub level: f32,
    /// Mean distance from it.
    pub level_deviation: f32,
    /// Lower quartile of the residuals in sigmas (skewed series).
    pub quartile_low: f32,
    /// Upper quartile.
    pub quartile_high: f32,
    /// Samples behind `level`, up to `LEVEL_SAMPLES`.
    pub level_count: u16,
    /// Hours that had samples.
    pub hours_seen: u16,
    /// Hours on end of history that were far above (positive) or below what was expected.
    pub far_hours: i8,
    /// Whether the last sample was inside.
    pub phase: Phase,
    /// True once a sample came that was not history.
    pub is_live: bool,
    /// Where the next recent value goes.
    pub recent_next: u8,
    /// How many recent values there are.
    pub recent_count: u8,
    /// The last values, a ring.
    pub recent: [f32; RECENT],
}

impl Default for Live {
    fn default() -> Self {
        Self {
            last_at: i64::MIN,
            last_value: 0.0,
            hour: HourSums::default(),
            pending: Pending::default(),
            half_hour: i64::MIN,
            centre: 0.0,
            centre_step: 0.0,
            sigma: 1.0,
            floor: 1.0,
            shift: 0.0,
            fallback: 0.0,
            level: 0.0,
            level_deviation: 0.0,
            // Those of a normal distribution.
            quartile_low: -0.6745,
            quartile_high: 0.6745,
            level_count: 0,
            hours_seen: 0,
            far_hours: 0,
            phase: Phase::Normal,
            is_live: false,
            recent_next: 0,
            recent_count: 0,
            recent: [0.0; RECENT],
        }
    }
}

impl Live {
    /// Days of history: hours that had samples, over 24.
    #[must_use]
    pub fn history_days(&self) -> f32 {
        f32::from(self.hours_seen) / 24.0
    }

    /// Takes a residual into the sums of the hour; `gap_ms` is the time since the sample before.
    #[inline]
    pub fn teach(&mut self, residual: f64, gap_ms: i64) {
        let most = TEACH_SIGMAS_MAX * f64::from(self.sigma);
        let residual = residual.clamp(-most, most);
        let hour = &mut self.hour;
        hour.sum += residual;
        hour.sum_sq += residual * residual;
        // Narrowing is fine: extremes are only compared with five standard deviations.
        let narrow = residual as f32;
        if hour.count == 0 {
            hour.max = narrow;
            hour.min = narrow;
        } else {
            hour.max = hour.max.max(narrow);
            hour.min = hour.min.min(narrow);
        }
        hour.count += 1;
        // In range by the clamp.
        hour.covered_ms = hour.covered_ms.saturating_add(gap_ms.clamp(0, 3_600_000) as u32);
    }

    /// Moves the recent level towards `scaled`, a far value only by a little.
    #[inline]
    pub fn follow_level(&mut self, scaled: f64) {
        let count = self.level_count;
        if count < LEVEL_SAMPLES {
            self.level_count = count + 1;
        }
        let gain = 1.0 / f32::from(self.level_count);
        let mut step = scaled as f32 - self.level;
        if count >= 5 {
            let most = 4.0 * self.level_deviation.max(self.floor);
            step = step.clamp(-most, most);
            self.level_deviation += gain * (step.abs() - self.level_deviation);
        } else if count > 0 {
            self.level_deviation += gain * (step.abs() - self.level_deviation);
        }
        self.level += gain * step;
    }

    /// Adds a value to the ring.
    #[inline]
    pub fn remember(&mut self, value: f64) {
        if let Some(place) = self.recent.get_mut(usize::from(self.recent_next)) {
            *place = value as f32;
        }
        self.recent_next = (self.recent_next + 1) % RECENT as u8;
        self.recent_count = (self.recent_count + 1).min(RECENT as u8);
    }

    /// The last values, oldest first.
    #[must_use]
    pub fn recent_values(&self) -> Vec<f32> {
        let count = usize::from(self.recent_count).min(RECENT);
        let start = (usize::from(self.recent_next) + RECENT - count) % RECENT;
        self.recent.iter().cycle().skip(start).take(count).copied().collect()
    }
}

/// The values that stay with an anomaly of which `recent` are the last, `outside_count` of them outside already.
#[must_use]
pub fn at_onset(recent: &[f32], outside_count: usize) -> Vec<f32> {
    let from = recent.len().saturating_sub(BEFORE_ONSET.saturating_add(outside_count).min(AT_ONSET));
    recent.iter().skip(from).take(AT_ONSET).copied().collect()
}

/// Adds what followed the onset, until there is enough of it. An anomaly kept without its onset gets no other one.
pub fn follow_onset(at_onset: &mut Vec<f32>, value: f32) {
    if !at_onset.is_empty() && at_onset.len() < AT_ONSET {
        at_onset.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_last_values_oldest_first() {
        let mut live = Live::default();
        for value in 0..40 {
            live.remember(f64::from(value));
        }
        let values = live.recent_values();
        assert_eq!(values.len(), RECENT);
        assert_eq!((values[0], values[RECENT - 1]), (16.0, 39.0));
    }

    #[test]
    fn an_onset_stays_with_what_came_before_it_and_some_of_what_followed() {
        let mut kept = at_onset(&[1.0, 1.0, 1.0, 1.0, 1.0, 9.0, 9.0], 2);
        assert_eq!(kept, [1.0, 1.0, 1.0, 9.0, 9.0]);
        (0..100).for_each(|_| follow_onset(&mut kept, 8.0));
        assert_eq!(kept, [1.0, 1.0, 1.0, 9.0, 9.0, 8.0, 8.0, 8.0, 8.0]);
        assert_eq!(at_onset(&[9.0], 4), [9.0]);
        let mut unknown = Vec::new();
        follow_onset(&mut unknown, 8.0);
        assert_eq!(unknown, Vec::<f32>::new());
    }

    #[test]
    fn the_recent_level_ignores_a_single_far_value() {
        let mut live = Live { floor: 0.01, ..Live::default() };
        for _ in 0..100 {
            live.follow_level(1.0);
        }
        live.follow_level(1e12);
        assert!((live.level - 1.0).abs() < 0.01, "{}", live.level);
    }
}
