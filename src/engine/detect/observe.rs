//! The path of a sample: set aside what cannot be used, judge, teach, track.
//!
//! A sample inside its band costs a lookup, a subtraction and a few sums; everything else happens out of line.

use super::baseline::{self, HALF_HOUR_MS};
use super::calendar::Bearing;
use super::cold::Cold;
use super::live::{Live, Pending, Phase};
use super::tracking::{AnomalyEvent, Grade, Observation, Outcome};
use super::verdict::Verdict;
use super::{Detection, contextual, static_threshold, traffic};
use crate::engine::clock::Timestamp;
use crate::engine::limits::{ACTIVE_ANOMALIES_MAX, FUTURE_STAMP_MS_MAX};
use crate::engine::model::{Direction, DropReason, Sample, SampleBatch, SeriesRole, SuppressionReason};

impl Detection {
    /// Takes in the samples of a batch, oldest first.
    ///
    /// History (`is_backfill`) teaches and raises nothing.
    pub fn observe(&mut self, batch: &SampleBatch, now: Timestamp, events: &mut Vec<AnomalyEvent>) {
        let Some(source_at) = self.registry.source_number(&batch.source) else {
            *self.dropped.entry(DropReason::Malformed).or_insert(0) += batch.samples.len() as u64;
            return;
        };
        let latest = now.0.saturating_add(FUTURE_STAMP_MS_MAX);
        let mut newest = i64::MIN;
        let mut row_due = self.relations.due(source_at);
        for sample in &batch.samples {
            let index = self.registry.sources.get(source_at as usize).and_then(|source| source.index(sample.local));
            let Some(index) = index.or_else(|| self.revive(source_at, sample.local)) else {
                self.drop_one(DropReason::Malformed);
                continue;
            };
            match self.unusable(index, sample, latest) {
                Some(reason) => self.drop_one(reason),
                None => {
                    newest = newest.max(sample.at.0);
                    if sample.at.0 >= row_due {
                        row_due = self.close_rows(source_at, sample.at.0, batch.is_backfill, events);
                    }
                    self.take(index, sample, batch.is_backfill, events);
                }
            }
        }
        if !batch.is_backfill
            && newest != i64::MIN
            && let Some(source) = self.registry.sources.get_mut(source_at as usize)
        {
            source.note_flow(newest);
        }
    }

    /// Why a sample cannot be used, where it cannot.
    #[inline]
    fn unusable(&self, index: u32, sample: &Sample, latest: i64) -> Option<DropReason> {
        let last_at = self.lives.get(index as usize)?.last_at;
        if sample.at.0 > last_at && sample.at.0 <= latest && sample.value.is_finite() {
            return None;
        }
        Some(if sample.value.is_nan() {
            DropReason::NotANumber
        } else if !sample.value.is_finite() {
            DropReason::Infinite
        } else if sample.at.0 > latest {
            DropReason::FutureStamp
        } else if sample.at.0 == last_at {
            DropReason::Duplicate
        } else {
            DropReason::Late
        })
    }

    /// Takes in one usable sample.
    #[inline]
    fn take(&mut self, index: u32, sample: &Sample, is_backfill: bool, events: &mut Vec<AnomalyEvent>) {
        let at = index as usize;
        if self.lives.get(at).is_some_and(|live| sample.at.0.div_euclid(HALF_HOUR_MS) != live.half_hour) {
            self.turn(index, sample);
        }
        self.sample_count += 1;
        let own = self.look_at_cold(index, sample, is_backfill);
        let is_event_on = self.calendar.is_running(sample.at);
        let (Some(live), Some(meta)) = (self.lives.get_mut(at), self.registry.metas.get(at)) else {
            return;
        };
        let scaled = meta.scale.apply(sample.value);
        let residual = scaled - contextual::centre_at(live, sample.at.0);
        let gap_ms = if live.last_at == i64::MIN { 0 } else { sample.at.0.saturating_sub(live.last_at) };
        live.last_at = sample.at.0;
        live.last_value = sample.value;
        live.remember(sample.value);
        live.is_live |= !is_backfill;
        let z = contextual::distance(live, meta.scale.is_skewed(), residual);
        let is_calm =
            live.phase == Phase::Normal && live.hours_seen >= self.warm_hours && z.abs() < self.settings.anomaly_sigma;
        if (is_backfill || is_calm) && !is_event_on {
            live.follow_level(scaled);
            if meta.scale.is_skewed() {
                contextual::teach_quartiles(live, residual);
            }
            live.teach(residual, gap_ms);
            return;
        }
        self.take_slowly(index, sample, is_backfill, Scored { scaled, residual, gap_ms, own }, events);
    }

    /// A cold series' verdict by its own short history, which the sample joins; `None` for others and within it.
    #[inline]
    fn look_at_cold(&mut self, index: u32, sample: &Sample, is_backfill: bool) -> Option<Verdict> {
        let at = index as usize;
        let (live, meta) = (self.lives.get(at)?, self.registry.metas.get(at)?);
        if live.hours_seen >= self.warm_hours {
            return None;
        }
        let cold = self.colds.get_mut(at)?.get_or_insert_with(|| Box::new(Cold::default()));
        cold.observe(meta, live.phase, sample, is_backfill, &self.settings)
    }

    /// First sample of another half hour: the hour that ended goes into the baseline.
    #[cold]
    fn turn(&mut self, index: u32, sample: &Sample) {
        let at = index as usize;
        let is_warm = self.lives.get(at).is_some_and(|live| live.hours_seen >= self.warm_hours);
        // A cold series has no profile to shift yet: it learns the new level slot by slot.
        let is_followed = is_warm && self.tracks.is_followed(index, sample.at);
        let (Some(live), Some(profile), Some(meta)) =
            (self.lives.get_mut(at), self.profiles.get_mut(at), self.registry.metas.get(at))
        else {
            return;
        };
        if live.level_count == 0 {
            // The very first value is the only guess there is.
            live.level = meta.scale.apply(sample.value) as f32;
            live.fallback = live.level;
        }
        let hour = live.half_hour.div_euclid(2);
        if meta.limit().is_some() && hour != sample.at.0.div_euclid(2 * HALF_HOUR_MS) {
            self.forecasts.note_hour(index, hour, &live.recent_values());
        }
        let hours_before = live.hours_seen;
        baseline::turn(live, profile, &meta.scale, sample.at, is_followed);
        if live.hours_seen != hours_before {
            self.hours_total += 1;
            if live.hours_seen == self.warm_hours {
                self.cold_count = self.cold_count.saturating_sub(1);
                if let Some(cold) = self.colds.get_mut(at) {
                    *cold = None;
                }
            }
        }
        self.mark_unkept(index);
    }

    /// A sample that is outside, of a series with an anomaly, of a cold series, or during a calendar event.
    fn take_slowly(
        &mut self,
        index: u32,
        sample: &Sample,
        is_backfill: bool,
        scored: Scored,
        events: &mut Vec<AnomalyEvent>,
    ) {
        let at = index as usize;
        let is_event_on = self.calendar.is_running(sample.at);
        let (Some(live), Some(meta)) = (self.lives.get(at), self.registry.metas.get(at)) else {
            return;
        };
        let mut verdict = if live.hours_seen >= self.warm_hours {
            contextual::judge(live, &meta.scale, sample.at, scored.residual, self.settings.anomaly_sigma)
        } else {
            let absolute = static_threshold::judge(meta, live, sample.value, &self.settings);
            // What is bad anywhere goes before what is new here.
            scored.own.filter(|_| absolute.z.abs() < self.settings.anomaly_sigma).unwrap_or(absolute)
        };
        let mut is_outside = verdict.z.abs() >= self.settings.anomaly_sigma;
        let bearing =
            if is_event_on { self.calendar.weigh(index, meta, scored.residual, is_outside) } else { Bearing::None };
        if bearing == Bearing::Usual {
            verdict.z = 0.0;
            is_outside = false;
        }
        let is_once_only = is_event_on && self.calendar.is_once_only(meta);
        if !is_backfill {
            self.judge(index, sample, verdict, bearing, events);
        }
        if !is_once_only {
            self.learn(index, sample, scored, is_backfill, is_outside);
        }
    }

    /// Teaches what a sample off the fast path may teach.
    fn learn(&mut self, index: u32, sample: &Sample, scored: Scored, is_backfill: bool, is_outside: bool) {
        let at = index as usize;
        let is_followed = self.tracks.is_followed(index, sample.at);
        let (Some(live), Some(meta)) = (self.lives.get_mut(at), self.registry.metas.get(at)) else {
            return;
        };
        // An anomaly teaches nothing until it has lasted so long that it is the new normal.
        if !is_backfill && !is_followed && is_outside && live.phase == Phase::Tracked {
            return;
        }
        live.follow_level(scored.scaled);
        let residual = if is_backfill || is_followed || !is_outside || live.hours_seen < self.warm_hours {
            scored.residual
        } else {
            let most = self.settings.anomaly_sigma * f64::from(live.sigma);
            scored.residual.clamp(-most, most)
        };
        if meta.scale.is_skewed() {
            contextual::teach_quartiles(live, residual);
        }
        live.teach(residual, scored.gap_ms);
    }

    /// Turns the verdict on a present sample into the life of an anomaly.
    fn judge(
        &mut self,
        index: u32,
        sample: &Sample,
        verdict: Verdict,
        bearing: Bearing,
        events: &mut Vec<AnomalyEvent>,
    ) {
        let at = index as usize;
        let is_outside = verdict.z.abs() >= self.settings.anomaly_sigma;
        let Some(phase) = self.lives.get(at).map(|live| live.phase) else {
            return;
        };
        if phase == Phase::Tracked {
            let grade = self.grade(index, sample, &verdict, bearing);
            let (Some(live), Some(meta)) = (self.lives.get(at), self.registry.metas.get(at)) else {
                return;
            };
            let seen = Observation { index, meta, live, at: sample.at, value: sample.value, verdict, grade };
            let outcome = self.tracks.observe(&seen, &self.settings, events);
            if outcome != Outcome::Continues {
                self.leave(index, sample, &verdict, outcome);
            }
        } else if is_outside {
            self.wait_or_begin(index, sample, verdict, bearing, events);
        } else if phase == Phase::Pending
            && let Some(live) = self.lives.get_mut(at)
        {
            live.phase = Phase::Normal;
            live.pending = Pending::default();
        }
    }

    /// After an anomaly's end: normal, or already outside on the other side.
    fn leave(&mut self, index: u32, sample: &Sample, verdict: &Verdict, outcome: Outcome) {
        self.mark_unkept(index);
        if let Some(live) = self.lives.get_mut(index as usize) {
            live.phase = Phase::Normal;
            live.pending = Pending::default();
            if outcome == Outcome::Reversed {
                count_pending(live, sample, verdict);
            }
        }
    }

    /// Another sample outside: enough of them are an anomaly.
    fn wait_or_begin(
        &mut self,
        index: u32,
        sample: &Sample,
        verdict: Verdict,
        bearing: Bearing,
        events: &mut Vec<AnomalyEvent>,
    ) {
        let at = index as usize;
        let confirm = self.settings.confirm_samples.max(1);
        let Some(live) = self.lives.get_mut(at) else {
            return;
        };
        count_pending(live, sample, &verdict);
        // What is only just outside happens by chance every few hundred samples, so it takes twice as long to believe.
        let is_clear = f64::from(live.pending.peak_z.abs()) >= self.settings.critical_sigma;
        if live.pending.count < if is_clear { confirm } else { confirm.saturating_mul(2) } {
            return;
        }
        if self.tracks.len() >= ACTIVE_ANOMALIES_MAX {
            return self.drop_one(DropReason::TooMany);
        }
        live.phase = Phase::Tracked;
        let id = self.take_anomaly_id();
        let grade = self.grade(index, sample, &verdict, bearing);
        if let (Some(live), Some(meta)) = (self.lives.get(at), self.registry.metas.get(at)) {
            let seen = Observation { index, meta, live, at: sample.at, value: sample.value, verdict, grade };
            self.tracks.begin(id, &seen, &self.settings, events);
        }
        if let Some(live) = self.lives.get_mut(at) {
            live.pending = Pending::default();
        }
        self.mark_unkept(index);
    }

    /// How grave a departure is, with calendar and traffic taken into account.
    fn grade(&self, index: u32, sample: &Sample, verdict: &Verdict, bearing: Bearing) -> Grade {
        let Some(meta) = self.registry.metas.get(index as usize) else {
            return Grade { is_harmful: false, explained: None };
        };
        let direction = verdict.direction();
        let mut is_harmful = meta.is_bad(direction);
        if let Bearing::Explains(event) = bearing {
            return Grade { is_harmful, explained: Some(SuppressionReason::Calendar { event }) };
        }
        if direction == Direction::Below {
            return Grade { is_harmful, explained: None };
        }
        let has_errors = traffic::has_errors(&self.registry, &self.lives, &self.tracks, meta.service_at);
        if meta.role == SeriesRole::Traffic {
            // Many customers are no fault, as long as they are served.
            is_harmful &= has_errors;
        }
        let explained = if has_errors {
            None
        } else {
            let factor = traffic::factor(&self.registry, &self.lives, meta.service_at, sample.at, |other| {
                self.band(other, sample.at).map_or(0.0, |band| band.centre)
            });
            traffic::explain(meta, sample.value, self.expected_level(index, verdict), factor)
        };
        Grade { is_harmful, explained }
    }

    /// The value expected of a series: of a cold one its recent level, since thresholds have no middle.
    fn expected_level(&self, index: u32, verdict: &Verdict) -> f64 {
        match (self.lives.get(index as usize), self.registry.metas.get(index as usize)) {
            (Some(live), Some(meta)) if live.hours_seen < self.warm_hours => meta.scale.invert(f64::from(live.level)),
            _ => verdict.band.centre,
        }
    }
}

/// A sample on the series' scale.
#[derive(Debug, Clone, Copy)]
struct Scored {
    scaled: f64,
    residual: f64,
    gap_ms: i64,
    /// What a cold series' own history says.
    own: Option<Verdict>,
}

/// Counts a sample outside; a change of side begins anew.
fn count_pending(live: &mut Live, sample: &Sample, verdict: &Verdict) {
    let z = verdict.z.signum() * verdict.distance();
    let is_other_side = f64::from(live.pending.peak_z) * z < 0.0;
    if live.phase != Phase::Pending || is_other_side {
        live.phase = Phase::Pending;
        live.pending = Pending { since: sample.at.0, ..Pending::default() };
    }
    live.pending.count = live.pending.count.saturating_add(1);
    if z.abs() > f64::from(live.pending.peak_z.abs()) {
        live.pending.peak_z = z as f32;
        live.pending.peak_value = sample.value;
    }
}
