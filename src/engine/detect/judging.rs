//! Whether a sample is outside, and how far: the scorer says whether, the band around what is usual says how far.
//!
//! The scorer's evidence opens a departure. From then on the band around what was usual is the measure, until the series
//! is back in it or the level is a new one. A series with little history is held against static thresholds as well, and
//! what it knows least is doubted most.

use super::Detection;
use super::band::Range;
use super::departure::Gauge;
use super::live::{Live, Pending, Phase};
use super::scale::Scale;
use super::scorer::{Evidence, Scored};
use super::static_threshold;
use super::tracking::FOLLOW_AFTER_MS;
use super::verdict::Verdict;
use crate::engine::model::{Band, DetectionMethod, Sample};

/// Nats over the alert level that it takes of a series with little history.
const DOUBT: f64 = 3.0;
/// Nats over the alert level from which few samples are enough.
const CLEAR: f64 = 2.0;
/// Nats that make a departure one sigma larger than where an anomaly begins.
const NATS_A_SIGMA: f64 = 5.0;
/// A departure is at least so many times what matters for the series' unit at all, and what the scorer was unsure of.
const FLOORS_MIN: f64 = 3.0;
/// Evidence from many samples shows less in a single one: it counts at most so many times its distance. With more, plain
/// noise would keep a departure from ending.
const LEVEL_GAIN_MAX: f64 = 2.0;
/// A jump is measured from where the series was. What is usual is broad where a series wanders, and a value this many
/// times nearer to that, in its sigmas, is back as well; …
const JUMP_GAIN_MAX: f64 = 3.0;
/// … what is beyond one halves in this time, since a series that wanders would be elsewhere by now.
const JUMP_HALF_MS: f64 = 15.0 * 60_000.0;
/// What is no departure is well inside: this share of the threshold at most.
const INSIDE_SHARE: f64 = 0.75;

impl Detection {
    /// What is normal for a series now.
    pub(super) fn band(&self, index: u32) -> Option<Band> {
        let (live, meta) = (self.lives.get(index as usize)?, self.registry.metas.get(index as usize)?);
        let gauge = self.departures.get(index).and_then(|departure| departure.gauge);
        let is_limited = live.hours_seen < self.warm_hours && self.loans.get(index).is_none() && gauge.is_none();
        Some(if is_limited {
            static_threshold::band(meta, live)
        } else {
            self.range(index)?.measured(gauge, live, &meta.scale).band(&meta.scale, self.settings.anomaly_sigma)
        })
    }

    fn range(&self, index: u32) -> Option<Range> {
        let (live, meta) = (self.lives.get(index as usize)?, self.registry.metas.get(index as usize)?);
        Some(Range::of(live, &meta.scale, self.loans.get(index).map_or(0.0, |borrowed| borrowed.apart)))
    }

    /// The verdict on a sample that was scored; a departure begins where it says so.
    pub(super) fn verdict(&mut self, index: u32, sample: &Sample, scored: &Scored) -> Option<Verdict> {
        let range = self.range(index)?;
        let (live, meta) = (self.lives.get(index as usize)?, self.registry.metas.get(index as usize)?);
        let (scale, least) = (meta.scale, self.settings.anomaly_sigma);
        let z = range.sigmas(range.off(&scale, sample.value));
        let is_cold = live.hours_seen < self.warm_hours;
        let known = self.departures.get(index).and_then(|departure| departure.gauge);
        let gauge = known.or_else(|| self.surprise(index, sample, scored, z));
        let own = Verdict {
            z: match gauge {
                Some(gauge) => sigmas(gauge, live, &scale, &range, sample.value),
                None => z.clamp(-INSIDE_SHARE * least, INSIDE_SHARE * least),
            },
            band: range.measured(gauge, live, &scale).band(&scale, least),
            method: match self.loans.get(index) {
                Some(_) => DetectionMethod::Siblings,
                None if is_cold => DetectionMethod::OwnHistory,
                None if scale.is_skewed() => DetectionMethod::IqrFence,
                None => DetectionMethod::SeasonalZ,
            },
        };
        let absolute = is_cold.then(|| static_threshold::judge(meta, live, sample.value, &self.settings));
        // What is bad anywhere goes before what is new here.
        let verdict = match absolute {
            Some(absolute) if gauge.is_none() || absolute.z.abs() >= least => absolute,
            _ => own,
        };
        if verdict.z.abs() >= least {
            self.depart(index, sample, gauge, scored.evidence >= CLEAR, &range);
        }
        Some(verdict)
    }

    /// How a departure is to be measured that begins with a sample so many sigmas from what is usual, where the scorer
    /// has the evidence for one.
    fn surprise(&self, index: u32, sample: &Sample, scored: &Scored, z: f64) -> Option<Gauge> {
        let (live, meta) = (self.lives.get(index as usize)?, self.registry.metas.get(index as usize)?);
        let (scale, least) = (&meta.scale, self.settings.anomaly_sigma);
        let evidence = scored.evidence - if live.hours_seen < self.warm_hours { DOUBT } else { 0.0 };
        let (usual, away) = (scale.apply(live.usual), sample.value - live.usual);
        let is_much = (scale.apply(sample.value) - usual).abs() >= FLOORS_MIN * scale.floor(usual)
            && away.abs() >= FLOORS_MIN * scored.sigma;
        if evidence < 0.0 || !is_much {
            return None;
        }
        // The way back to what is usual is no departure, however far it is.
        let from = scored.expected - live.usual;
        let is_home = away.abs() < from.abs();
        let is_slow = matches!(scored.kind, Evidence::Swing | Evidence::Shift);
        let gauge = if self.loans.get(index).is_some() {
            Gauge::Level { gain: 1.0 }
        } else if is_slow {
            Gauge::Level { gain: ((least + evidence / NATS_A_SIGMA) / z.abs()).clamp(1.0, LEVEL_GAIN_MAX) }
        } else if is_home {
            return None;
        } else {
            Gauge::Jump { from, at: sample.at.0 }
        };
        let range = self.range(index)?;
        (sigmas(gauge, live, scale, &range, sample.value).abs() >= least).then_some(gauge)
    }

    /// A series is away. Where it takes the scorer some samples to say so, those were outside already.
    fn depart(&mut self, index: u32, sample: &Sample, gauge: Option<Gauge>, is_clear: bool, range: &Range) {
        let (Some(live), Some(meta), Some(scorer)) = (
            self.lives.get_mut(index as usize),
            self.registry.metas.get(index as usize),
            self.scorers.get(index as usize),
        ) else {
            return;
        };
        let mut pending = Pending { is_clear, since: sample.at.0, ..Pending::default() };
        if let (Some(gauge), false) = (gauge, live.is_away) {
            let side = sigmas(gauge, live, &meta.scale, range, sample.value).signum();
            for value in live.recent_values().into_iter().rev().skip(1).map(f64::from) {
                let z = sigmas(gauge, live, &meta.scale, range, value);
                // What was not well inside was on its way.
                if side * z < INSIDE_SHARE * self.settings.anomaly_sigma {
                    break;
                }
                pending.since = pending.since.saturating_sub(i64::from(meta.interval_ms));
                pending.count += 1;
                if z.abs() > f64::from(pending.peak_z.abs()) {
                    (pending.peak_z, pending.peak_value) = (z as f32, value);
                }
            }
        }
        self.departures.open(index, scorer, pending.since).gauge = gauge;
        live.is_away = true;
        if live.phase != Phase::Tracked {
            self.pending.entry(index).or_insert(pending).is_clear |= is_clear;
        }
    }

    /// A series that is away has stayed there for so long that this is its level.
    pub(super) fn follow(&mut self, index: u32, at: i64) {
        let is_due = |since: i64| at.saturating_sub(since) >= FOLLOW_AFTER_MS;
        if self.departures.get(index).is_some_and(|departure| is_due(departure.since)) {
            if let Some(scorer) = self.scorers.get_mut(index as usize) {
                scorer.settle();
            }
            self.stay(index);
        }
    }

    /// A departure that was told is over: what the series' scorer was then it is now.
    pub(super) fn come_back(&mut self, index: u32) {
        let before = self.departures.close(index);
        if let (Some(before), Some(scorer)) = (before, self.scorers.get_mut(index as usize)) {
            *scorer = *before;
        }
        if let Some(live) = self.lives.get_mut(index as usize) {
            live.is_away = false;
        }
    }

    /// A series that came back is where its last samples are, and one that passed through to the other side was where it
    /// usually is. Time has passed, and the first samples of the departure were not known for such: what they taught of its
    /// level is no measure of what comes.
    pub(super) fn arrive(&mut self, index: u32, is_reversed: bool) {
        if let (Some(live), Some(scorer)) = (self.lives.get(index as usize), self.scorers.get_mut(index as usize)) {
            // Milliseconds of this millennium are exact in a double.
            let at_s = live.last_at as f64 / 1_000.0;
            let count = self.settings.recover_samples as usize;
            let value = if is_reversed { scorer.usual_at(at_s) } else { live.recent_mean(count) };
            scorer.arrive(at_s, value);
        }
    }

    /// The departure of a series is over or was none, and what its scorer learnt meanwhile stands.
    pub(super) fn stay(&mut self, index: u32) {
        self.departures.close(index);
        if let Some(live) = self.lives.get_mut(index as usize) {
            live.is_away = false;
        }
    }
}

/// How far a value is outside, in the sigmas of its departure.
fn sigmas(gauge: Gauge, live: &Live, scale: &Scale, range: &Range, value: f64) -> f64 {
    let usual = range.sigmas(range.off(scale, value));
    match gauge {
        Gauge::Level { gain } => gain * usual,
        Gauge::Jump { from, at } => {
            let before = Range::before_jump(live, scale, from);
            let jump = before.sigmas(before.off(scale, value));
            let age = live.last_at.saturating_sub(at) as f64 / JUMP_HALF_MS;
            let gain = 1.0 + (JUMP_GAIN_MAX - 1.0) * (-age).exp2();
            if jump.abs() < gain * usual.abs() { jump } else { gain * usual }
        }
    }
}
