//! The path of a sample: set aside what cannot be used, score, judge, teach, track.
//!
//! A sample that does not surprise the scorer costs that, and a few sums; everything else happens out of line.

use super::calendar::Bearing;
use super::live::{Off, Pending, Phase};
use super::scale::Scale;
use super::scorer::Scored;
use super::tracking::{AnomalyEvent, Grade, Observation, Outcome};
use super::verdict::Verdict;
use super::{Detection, traffic};
use crate::engine::clock::{HOUR_MS, Timestamp};
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
        // Saturates for clocks 200,000 years off.
        let hour = i32::try_from(sample.at.0.div_euclid(HOUR_MS)).unwrap_or(i32::MAX);
        let Some(live) = self.lives.get(at) else {
            return;
        };
        if !live.is_live && !is_backfill {
            self.borrow_from_siblings(index, sample.at.0);
        }
        if self.lives.get(at).is_some_and(|live| hour != live.hour) {
            self.turn(index, hour);
        }
        self.sample_count += 1;
        let is_event_on = self.calendar.is_running(sample.at);
        let (Some(live), Some(meta), Some(scorer)) =
            (self.lives.get_mut(at), self.registry.metas.get(at), self.scorers.get_mut(at))
        else {
            return;
        };
        let is_once_only = is_event_on && self.calendar.is_once_only(meta);
        // Milliseconds of this millennium are exact in a double.
        let at_s = sample.at.0 as f64 / 1_000.0;
        let scored =
            if is_once_only { scorer.clone().observe(at_s, sample.value) } else { scorer.observe(at_s, sample.value) };
        live.note(sample.at.0, sample.value, is_backfill);
        self.past.take(meta.past_at, sample.at.0, sample.value, is_backfill);
        live.usual = scored.usual;
        // What was told before does not count here: what is told is an anomaly, and that has a life of its own.
        let is_quiet = live.hours_seen >= self.warm_hours && scored.evidence < 0.0;
        let is_calm = !live.is_away && (is_backfill || is_quiet);
        if is_calm && live.phase == Phase::Normal && !is_event_on {
            live.teach(off(&meta.scale, sample.value, &scored), meta.scale.least(), meta.scale.is_skewed());
            return;
        }
        self.take_slowly(index, sample, is_backfill, is_once_only, &scored, events);
    }

    /// First sample of another hour.
    #[cold]
    fn turn(&mut self, index: u32, hour: i32) {
        let at = index as usize;
        let (Some(live), Some(meta)) = (self.lives.get_mut(at), self.registry.metas.get(at)) else {
            return;
        };
        if meta.limit().is_some() && live.hour != i32::MIN {
            self.forecasts.note_hour(index, live.hour, &live.recent_values());
        }
        if live.turn(hour) {
            self.hours_total += 1;
            if live.hours_seen == self.warm_hours {
                self.cold_count = self.cold_count.saturating_sub(1);
            }
            self.end_loan(index);
        }
        self.mark_unkept(index);
    }

    /// A sample that surprises, of a series that is away or has little history, or during a calendar event.
    fn take_slowly(
        &mut self,
        index: u32,
        sample: &Sample,
        is_backfill: bool,
        is_once_only: bool,
        scored: &Scored,
        events: &mut Vec<AnomalyEvent>,
    ) {
        let at = index as usize;
        self.follow(index, sample.at.0);
        let usual = self.departures.usual_at(index, sample.at.0 as f64 / 1_000.0);
        if let (Some(live), Some(usual)) = (self.lives.get_mut(at), usual) {
            live.usual = usual;
        }
        if is_backfill {
            self.weigh(index, sample, false);
            return self.learn(index, sample, scored, is_once_only);
        }
        let Some(mut verdict) = self.verdict(index, sample, scored) else {
            return;
        };
        let is_outside = verdict.z.abs() >= self.settings.anomaly_sigma;
        let bearing = self.weigh(index, sample, is_outside);
        if bearing == Bearing::Usual {
            verdict.z = 0.0;
            if self.lives.get(at).is_some_and(|live| live.phase != Phase::Tracked) {
                self.stay(index);
                self.pending.remove(&index);
            }
        }
        self.judge(index, sample, verdict, bearing, events);
        self.learn(index, sample, scored, is_once_only);
    }

    /// How calendar events bear on a sample.
    fn weigh(&mut self, index: u32, sample: &Sample, is_outside: bool) -> Bearing {
        match (self.lives.get(index as usize), self.registry.metas.get(index as usize)) {
            (Some(live), Some(meta)) if self.calendar.is_running(sample.at) => {
                let off = meta.scale.apply(sample.value) - meta.scale.apply(live.usual);
                self.calendar.weigh(index, meta, off, is_outside)
            }
            _ => Bearing::None,
        }
    }

    /// How far a series strays is learnt while it is not away.
    fn learn(&mut self, index: u32, sample: &Sample, scored: &Scored, is_once_only: bool) {
        let at = index as usize;
        let (Some(live), Some(meta)) = (self.lives.get_mut(at), self.registry.metas.get(at)) else {
            return;
        };
        if !live.is_away && !is_once_only {
            live.teach(off(&meta.scale, sample.value, scored), meta.scale.least(), meta.scale.is_skewed());
        }
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
                self.leave(index, outcome);
            }
            return;
        }
        if self.departures.count_back(index, !is_outside) {
            self.stay(index);
        }
        if is_outside {
            self.wait_or_begin(index, sample, verdict, bearing, events);
        } else if phase == Phase::Pending
            && let Some(live) = self.lives.get_mut(at)
        {
            live.phase = Phase::Normal;
            self.pending.remove(&index);
        }
    }

    /// After an anomaly's end. What is outside on the other side is no part of it: whether that is a departure, the scorer
    /// says anew.
    fn leave(&mut self, index: u32, outcome: Outcome) {
        self.mark_unkept(index);
        if let Some(live) = self.lives.get_mut(index as usize) {
            live.phase = Phase::Normal;
        }
        self.pending.remove(&index);
        self.come_back(index);
        self.arrive(index, outcome == Outcome::Reversed);
    }

    /// Counts a sample outside; a change of side begins anew.
    fn count_pending(&mut self, index: u32, sample: &Sample, verdict: &Verdict) -> Pending {
        let z = verdict.z.signum() * verdict.distance();
        let pending = self.pending.entry(index).or_insert(Pending { since: sample.at.0, ..Pending::default() });
        if f64::from(pending.peak_z) * z < 0.0 {
            *pending = Pending { since: sample.at.0, ..Pending::default() };
        }
        pending.count = pending.count.saturating_add(1);
        if z.abs() > f64::from(pending.peak_z.abs()) {
            pending.peak_z = z as f32;
            pending.peak_value = sample.value;
        }
        if let Some(live) = self.lives.get_mut(index as usize) {
            live.phase = Phase::Pending;
        }
        *pending
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
        let pending = self.count_pending(index, sample, &verdict);
        // What is only just outside happens by chance every few hundred samples, so it takes twice as long to believe.
        let is_clear = pending.is_clear || f64::from(pending.peak_z.abs()) >= self.settings.critical_sigma;
        if pending.count < if is_clear { confirm } else { confirm.saturating_mul(2) } {
            return;
        }
        if self.tracks.len() >= ACTIVE_ANOMALIES_MAX {
            return self.drop_one(DropReason::TooMany);
        }
        if let Some(live) = self.lives.get_mut(at) {
            live.phase = Phase::Tracked;
        }
        let id = self.take_anomaly_id();
        let grade = self.grade(index, sample, &verdict, bearing);
        if let (Some(live), Some(meta)) = (self.lives.get(at), self.registry.metas.get(at)) {
            let seen = Observation { index, meta, live, at: sample.at, value: sample.value, verdict, grade };
            self.tracks.begin(id, &seen, &pending, &self.settings, events);
        }
        self.pending.remove(&index);
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
        let has_errors = traffic::has_errors(&self.registry, &self.lives, &self.tracks, meta.service_at);
        if !has_errors {
            let begun_at = self.loans.get(index).map(|borrowed| Timestamp(borrowed.since));
            let onset = self.departures.get(index).map_or(sample.at, |departure| Timestamp(departure.since));
            let explained = self.warm_ups.explain(meta, direction, (onset, sample.at), begun_at);
            if explained.is_some() {
                return Grade { is_harmful, explained };
            }
        }
        if direction == Direction::Below {
            return Grade { is_harmful, explained: None };
        }
        if meta.role == SeriesRole::Traffic {
            // Many customers are no fault, as long as they are served.
            is_harmful &= has_errors;
        }
        let explained = if has_errors {
            None
        } else {
            let factor = traffic::factor(&self.registry, &self.lives, meta.service_at, sample.at);
            traffic::explain(meta, sample.value, self.expected_level(index, verdict), factor)
        };
        Grade { is_harmful, explained }
    }

    /// The value expected of a series: of one with little history what was usual, since thresholds have no middle.
    fn expected_level(&self, index: u32, verdict: &Verdict) -> f64 {
        match self.lives.get(index as usize) {
            Some(live) if live.hours_seen < self.warm_hours => live.usual,
            _ => verdict.band.centre,
        }
    }
}

/// How far a sample is from what the scorer took for usual, and expected.
#[inline]
fn off(scale: &Scale, value: f64, scored: &Scored) -> Off {
    let scaled = scale.apply(value);
    Off { usual: scaled - scale.apply(scored.usual), expected: scaled - scale.apply(scored.expected) }
}
