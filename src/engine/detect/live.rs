//! What a series needs at every sample beside its scorer: what was usual at the last one, how far it strays, its recent
//! values.
//!
//! One record a series in one vector, so that a scrape walks memory in order. What few series have at a time, samples
//! outside that are no anomaly yet among it, lies elsewhere.

use serde::{Deserialize, Serialize};

/// Values kept for the sparkline of an anomaly.
pub const RECENT: usize = 24;
/// Values that stay with an anomaly, as many as a line of a timeline shows, and how many of them come before its onset.
const AT_ONSET: usize = 9;
const BEFORE_ONSET: usize = 3;
/// Samples over which it is learnt how far a series strays: some days of history, some hours of the present.
const SPREAD_SAMPLES: u16 = 1_000;
/// So many samples are taken as they are; a later one that is more than so many sigmas off teaches only as much.
const FIRST_SAMPLES: u16 = 5;
const CUT_SIGMAS: f32 = 4.0;
/// Mean absolute distance to sigma, as for a normal distribution.
pub const SIGMA: f32 = 1.253_314;
/// How fast quartiles are learnt, in sigmas a sample.
const QUARTILE_STEP: f32 = 0.02;
/// An hour counts as history only when samples cover at least this much of it.
const COVERED_MS_MIN: u32 = 15 * 60_000;

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
    /// True where the scorer's evidence is clear.
    pub is_clear: bool,
}

/// How far a value is from what is usual, and from what the last samples led to expect, on the series' scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Off {
    /// From what is usual.
    pub usual: f64,
    /// From what was expected.
    pub expected: f64,
}

/// The part of a series' state that every sample touches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// When the last sample was measured; `i64::MIN` before the first.
    pub last_at: i64,
    /// Its value.
    pub last_value: f64,
    /// What was usual then, in the series' unit: while the series is away from it, that from which it departed.
    pub usual: f64,
    /// The hour of the last sample, counted from the epoch.
    pub hour: i32,
    /// Time of this hour that samples cover, in milliseconds.
    pub covered_ms: u32,
    /// Mean distance from what is usual, on the series' scale, far ones cut.
    pub spread: f32,
    /// The same from what the last samples led to expect.
    pub noise: f32,
    /// Lower quartile of distances in sigmas (skewed series).
    pub quartile_low: f32,
    /// Upper quartile.
    pub quartile_high: f32,
    /// Samples behind `spread`, up to `SPREAD_SAMPLES`.
    pub taught: u16,
    /// Hours that had samples.
    pub hours_seen: u16,
    /// Whether the last sample was inside.
    pub phase: Phase,
    /// True once a sample came that was not history.
    pub is_live: bool,
    /// True while it is away from what is usual, be it told or not.
    pub is_away: bool,
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
            usual: 0.0,
            hour: i32::MIN,
            covered_ms: 0,
            spread: 0.0,
            noise: 0.0,
            // Those of a normal distribution.
            quartile_low: -0.6745,
            quartile_high: 0.6745,
            taught: 0,
            hours_seen: 0,
            phase: Phase::Normal,
            is_live: false,
            is_away: false,
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

    /// Takes note of a sample, whatever it is.
    #[inline]
    pub fn note(&mut self, at: i64, value: f64, is_backfill: bool) {
        let gap_ms = if self.last_at == i64::MIN { 0 } else { at.saturating_sub(self.last_at) };
        // In range by the clamp.
        self.covered_ms = self.covered_ms.saturating_add(gap_ms.clamp(0, 3_600_000) as u32);
        (self.last_at, self.last_value) = (at, value);
        self.is_live |= !is_backfill;
        self.remember(value);
    }

    /// Another hour begins; true where the one before counts as history.
    pub fn turn(&mut self, hour: i32) -> bool {
        let counts = self.covered_ms >= COVERED_MS_MIN;
        self.hours_seen = self.hours_seen.saturating_add(u16::from(counts));
        (self.hour, self.covered_ms) = (hour, 0);
        counts
    }

    /// Learns from how far a sample is from what is usual and from what was expected, on the series' scale; `least` is the
    /// smallest sigma there.
    #[inline]
    pub fn teach(&mut self, off: Off, least: f64, is_skewed: bool) {
        // Narrowing is fine: it is compared with a few sigmas.
        let (distance, jump, least) = (off.usual as f32, off.expected as f32, least as f32);
        let sigma = (SIGMA * self.spread).max(least);
        let (mut size, mut jump) = (distance.abs(), jump.abs());
        if self.taught >= FIRST_SAMPLES {
            size = size.min(CUT_SIGMAS * sigma);
            jump = jump.min(CUT_SIGMAS * (SIGMA * self.noise).max(least));
        }
        self.taught = (self.taught + 1).min(SPREAD_SAMPLES);
        let gain = 1.0 / f32::from(self.taught);
        self.spread += gain * (size - self.spread);
        self.noise += gain * (jump - self.noise);
        if is_skewed {
            let z = distance / sigma;
            let step = |quartile: f32, share: f32| QUARTILE_STEP * if z < quartile { share - 1.0 } else { share };
            self.quartile_low = (self.quartile_low + step(self.quartile_low, 0.25)).clamp(-2.0, -0.2);
            self.quartile_high = (self.quartile_high + step(self.quartile_high, 0.75)).clamp(0.2, 2.0);
        }
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

    /// Mean of the last `count` values, or of as many as there are.
    #[must_use]
    pub fn recent_mean(&self, count: usize) -> f64 {
        let recent = self.recent_values();
        let last = recent.get(recent.len().saturating_sub(count.max(1))..).unwrap_or_default();
        if last.is_empty() {
            return self.last_value;
        }
        last.iter().map(|value| f64::from(*value)).sum::<f64>() / last.len() as f64
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

    fn off(distance: f64) -> Off {
        Off { usual: distance, expected: distance }
    }

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
    fn a_single_far_value_hardly_widens_the_spread() {
        let mut live = Live::default();
        for at in 0..100 {
            live.teach(off(if at % 2 == 0 { 1.0 } else { -1.0 }), 0.01, false);
        }
        live.teach(off(1e12), 0.01, false);
        assert!((live.spread - 1.0).abs() < 0.05, "{}", live.spread);
    }

    #[test]
    fn quartiles_of_a_normal_series_stay_where_they_are() {
        let mut live = Live::default();
        // Evenly spread quantiles of the standard normal, in a fixed shuffled order.
        let values = [0.1, -1.2, 0.9, -0.3, 1.6, -0.8, 0.4, -0.1, -1.7, 0.6, 1.1, -0.55];
        for at in 0..12_000 {
            live.teach(off(values[at % values.len()]), 0.01, true);
        }
        assert!((live.quartile_high - 0.7).abs() < 0.25, "{}", live.quartile_high);
        assert!((live.quartile_low + 0.7).abs() < 0.25, "{}", live.quartile_low);
    }
}
