//! What the metrics of targets were while their rollout was known: what health before and after is compared by.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::facts::Compared;
use super::health::MetricSamples;
use crate::engine::clock::Timestamp;
use crate::engine::model::{BadWhen, Unit};

/// Points of a metric; past it every other one of the older half goes.
const POINTS_MAX: usize = 600;

/// Samples by target.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples {
    targets: BTreeMap<String, Vec<Track>>,
}

/// What is known of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Track {
    of: String,
    metric: String,
    unit: Unit,
    bad_when: BadWhen,
    /// Milliseconds since the epoch, in the order of time, and the value then.
    points: Vec<(i64, f64)>,
}

/// A reading of a metric that concerns a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen<'a> {
    /// Whose it is.
    pub of: &'a str,
    /// What it is called.
    pub metric: &'a str,
    /// Unit of its values.
    pub unit: Unit,
    /// Which direction is harmful.
    pub bad_when: BadWhen,
    /// When it was so.
    pub at: Timestamp,
    /// What it was.
    pub value: f64,
}

impl Samples {
    /// Takes a reading in. One that is known already, or is no number, is passed over.
    pub fn take(&mut self, target: &str, seen: &Seen<'_>) {
        if !seen.value.is_finite() {
            return;
        }
        if !self.targets.contains_key(target) {
            self.targets.insert(target.to_owned(), Vec::new());
        }
        let Some(tracks) = self.targets.get_mut(target) else { return };
        let is_it = |track: &Track| track.of == seen.of && track.metric == seen.metric;
        let at = tracks.iter().position(is_it).unwrap_or_else(|| {
            tracks.push(Track {
                of: seen.of.to_owned(),
                metric: seen.metric.to_owned(),
                unit: seen.unit,
                bad_when: seen.bad_when,
                points: Vec::new(),
            });
            tracks.len() - 1
        });
        let Some(track) = tracks.get_mut(at) else { return };
        if track.points.last().is_some_and(|(last, _)| *last >= seen.at.0) {
            return;
        }
        track.points.push((seen.at.0, seen.value));
        if track.points.len() > POINTS_MAX {
            track.thin();
        }
    }

    /// The values before and after. A metric that has some on one side only is given, too.
    #[must_use]
    pub fn health(&self, target: &str, times: &Compared) -> Vec<MetricSamples> {
        let tracks = self.targets.get(target).map(Vec::as_slice).unwrap_or_default();
        let samples = tracks.iter().map(|track| MetricSamples {
            of: track.of.clone(),
            metric: track.metric.clone(),
            unit: track.unit,
            bad_when: track.bad_when,
            before: track.within(times.before),
            after: track.within(times.after),
        });
        samples.filter(|one| !one.before.is_empty() || !one.after.is_empty()).collect()
    }

    /// Forgets targets that are not wanted; gives their names.
    pub fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let gone: Vec<String> = self.targets.keys().filter(|name| !is_wanted(name)).cloned().collect();
        self.targets.retain(|name, _| is_wanted(name));
        gone
    }

    /// How many targets have some.
    #[must_use]
    pub fn target_count(&self) -> usize {
        self.targets.len()
    }

    /// The names of so many targets, in their order, from the first one after `name` on and round to it.
    #[must_use]
    pub fn names_after(&self, name: &str, count: usize) -> Vec<String> {
        let after = self.targets.range::<str, _>((Bound::Excluded(name), Bound::Unbounded));
        let before = self.targets.range::<str, _>((Bound::Unbounded, Bound::Included(name)));
        after.chain(before).take(count).map(|(name, _)| name.clone()).collect()
    }

    /// What is known of a target, as text; nothing where nothing is.
    #[must_use]
    pub fn written(&self, target: &str) -> String {
        // Plain data: it always has a text.
        self.targets.get(target).and_then(|tracks| serde_json::to_string(tracks).ok()).unwrap_or_default()
    }

    /// Takes back what was [`written`](Self::written) of a target.
    ///
    /// # Errors
    /// Where it is no such text.
    pub fn restore(&mut self, target: &str, text: &str) -> Result<(), serde_json::Error> {
        if !text.is_empty() {
            self.targets.insert(target.to_owned(), serde_json::from_str(text)?);
        }
        Ok(())
    }
}

impl Track {
    fn within(&self, (from, until): (Timestamp, Timestamp)) -> Vec<f64> {
        let inside = self.points.iter().filter(|(at, _)| (from.0..=until.0).contains(at));
        inside.map(|(_, value)| *value).collect()
    }

    /// The older half is thinned, so that what is lately known stays whole.
    fn thin(&mut self) {
        let half = self.points.len() / 2;
        let mut number = 0;
        self.points.retain(|_| {
            number += 1;
            number > half || number % 2 == 1
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: i64, value: f64) -> Seen<'static> {
        let at = Timestamp(at);
        Seen { of: "shop", metric: "error_ratio", unit: Unit::Ratio, bad_when: BadWhen::High, at, value }
    }

    #[test]
    fn what_is_known_is_given_by_time_and_stays_bounded() {
        let mut samples = Samples::default();
        for second in 0..100_000 {
            samples.take("web-1", &seen(second * 1_000, second as f64));
            samples.take("web-1", &seen(second * 1_000, 7.0));
            samples.take("web-1", &seen(second * 1_000 + 1, f64::NAN));
        }
        let times = |before: (i64, i64), after: (i64, i64)| Compared {
            before: (Timestamp(before.0), Timestamp(before.1)),
            after: (Timestamp(after.0), Timestamp(after.1)),
        };
        let health = samples.health("web-1", &times((0, 50_000_000), (99_900_000, 100_000_000)));
        let [one] = health.as_slice() else { panic!("{health:?}") };
        assert_eq!(one.after.len(), 100, "the latest are whole");
        assert!(!one.before.is_empty() && one.before.len() < 50, "{}", one.before.len());
        assert!(one.before.windows(2).all(|pair| pair[0] < pair[1]), "in the order of time");
        assert_eq!(samples.health("web-2", &times((0, 1), (2, 3))), []);
        let mut other = Samples::default();
        other.restore("web-1", &samples.written("web-1")).unwrap();
        other.restore("web-2", &samples.written("web-2")).unwrap();
        assert_eq!(other, samples, "what is written is what comes back");
        assert!(other.restore("web-1", "[").is_err());
        for name in ["web-2", "web-3"] {
            samples.take(name, &seen(1_000, 1.0));
        }
        assert_eq!(samples.names_after("web-2", 2), ["web-3", "web-1"]);
        assert_eq!(samples.names_after("", 9), ["web-1", "web-2", "web-3"]);
        assert_eq!(samples.retain(|name| name == "web-3"), ["web-1", "web-2"]);
        assert_eq!(samples.target_count(), 1);
    }
}
