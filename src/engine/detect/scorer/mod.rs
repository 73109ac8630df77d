//! Scores the samples of one series as they come: how far is this from anything the series has shown so far?
//!
//! Two kinds of evidence, both in nats over the level at which a healthy series alerts about once in some weeks:
//! *surprises*, residuals at three time scales beyond their learnt tails (`tail`), and *records*, values outside all
//! that was ever seen, at any hour or at this hour of the day (`record`, `season`). What is seasonal is found from the
//! data and taken away first. A surprise that comes as large every few days is none (`recurrence`). The strongest
//! evidence counts; `alarm` turns it into a score, where 0.5 is an alert.
//!
//! A series costs one fixed block of memory and a sample no allocation. The interval between samples is learnt.

mod alarm;
mod cells;
mod departed;
mod kept;
mod pen;
mod record;
mod recurrence;
mod season;
mod tail;
mod tuning;

#[cfg(test)]
mod tests;

use std::f64::consts::LN_2;

use alarm::Alarm;
use record::Record;
use recurrence::Recurrence;
use season::Season;
use tail::Channel;
pub use tuning::Tuning;

/// Mean absolute deviation to standard deviation, of a normal distribution.
const SIGMA: f64 = 1.253_314;
/// Beyond this, values are taken as this: what is computed from them still fits.
const VALUE_MAX: f64 = 1e30;
/// The longest time between two samples that is believed, in seconds: a wrong clock is no interval.
const GAP_S_MAX: f64 = 1e9;
const HOUR_S: f64 = 3_600.0;
const DAY_S: f64 = 86_400.0;
/// Hours of the day, each compared by itself: so many times the chances.
const HOURS: f64 = 24.0;
/// Samples a day that the level of surprises is for.
const SAMPLES_A_DAY: f64 = 288.0;

/// What kind of evidence was the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// A jump against the last few samples.
    Jump,
    /// A rise or fall over several samples.
    Swing,
    /// Another level than that of the last days.
    Shift,
    /// Higher or lower than ever.
    Extreme,
    /// The same of the mean over some samples.
    ExtremeMean,
    /// A larger jump than ever.
    ExtremeJump,
    /// Higher or lower than ever at this hour of the day.
    ExtremeHour,
}

/// The verdict on one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// 0 to 1; from 0.5 on an alert is due.
    pub score: f64,
    /// Evidence in nats over the alert level, negative below it. Other than the score it knows nothing of alerts before.
    pub evidence: f64,
    /// Which evidence was the strongest.
    pub kind: Evidence,
    /// Residual against the last few samples in standard deviations, signed.
    pub z: f64,
    /// What was expected from the last few samples and the season.
    pub expected: f64,
    /// Standard deviation of what was expected.
    pub sigma: f64,
    /// What is usual: the level of the last days and the season.
    pub usual: f64,
}

/// Everything known about a series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesScorer {
    last_at: f64,
    /// Means over few, some and many samples, the season taken away.
    levels: [f64; 3],
    /// Mean over what counts as one observation.
    smooth: f64,
    /// Means of the values over some samples and over an hour or two.
    short_mean: f64,
    hour_mean: f64,
    /// Interval between samples in seconds.
    step_s: f32,
    count: u32,
    age_days: f32,
    /// Typical absolute value.
    magnitude: f32,
    /// Samples in a row far from the slow level, signed by side.
    run: i32,
    channels: [Channel; 3],
    records: [Record; 3],
    alarm: Alarm,
    recurrence: Recurrence,
    season: Season,
}

/// What one sample amounts to.
#[derive(Debug, Clone, Copy)]
struct Sample {
    value: f64,
    /// Without the season.
    rest: f64,
    /// Samples before it.
    seen: f64,
    /// Seconds between samples.
    step: f64,
    /// How many samples make one observation.
    width: f64,
    /// Smallest difference that means anything at this magnitude.
    tiny: f64,
    /// Residual of this sample alone.
    jump: f64,
    /// Standard deviation of residuals.
    noise: f64,
}

/// Some evidence and its kind.
type Weighed = (f64, Evidence);

impl Default for SeriesScorer {
    fn default() -> Self {
        Self::new()
    }
}

impl SeriesScorer {
    /// Of a series of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self {
            last_at: f64::NEG_INFINITY,
            levels: [0.0; 3],
            smooth: 0.0,
            short_mean: 0.0,
            hour_mean: 0.0,
            step_s: 0.0,
            count: 0,
            age_days: 0.0,
            magnitude: 0.0,
            run: 0,
            channels: [Channel::default(); 3],
            records: [Record::default(); 3],
            alarm: Alarm::default(),
            recurrence: Recurrence::default(),
            season: Season::default(),
        }
    }

    /// Scores the next sample and learns from it; `at_s` in seconds since the epoch. What is not a finite number
    /// teaches nothing and scores 0.
    #[inline]
    pub fn observe(&mut self, at_s: f64, value: f64) -> Scored {
        self.observe_with(&Tuning::SHIPPED, at_s, value)
    }

    /// The same with other constants.
    #[inline]
    pub fn observe_with(&mut self, tuning: &Tuning, at_s: f64, value: f64) -> Scored {
        if !value.is_finite() || !at_s.is_finite() {
            return self.nothing(tuning);
        }
        let gap_s = self.pass(at_s);
        if let Some((over, begun)) = self.season.turn(tuning, at_s, self.age_days) {
            self.recurrence.close(over, begun);
        }
        let mut sample = self.sample(tuning, at_s, value.clamp(-VALUE_MAX, VALUE_MAX));
        let season = sample.value - sample.rest;
        let (expected, usual) = (self.levels[0] + season, self.levels[2] + season);
        let surprise = self.surprise(tuning, &mut sample);
        let shown = surprise.0;
        let surprise = (self.rare_surprise(tuning, &sample, surprise.0), surprise.1);
        let record = self.record(tuning, &sample);
        self.season.note(self.hour_mean);
        let (evidence, kind) = if record.0 > surprise.0 { record } else { surprise };
        let is_cold = sample.seen < tuning.warm_samples;
        let shown = shown.max(record.0 - tuning.refractory_nats);
        Scored {
            score: if is_cold { 0.0 } else { self.alarm.score(tuning, evidence, shown, gap_s) },
            evidence: if is_cold { -tuning.spread } else { evidence },
            kind,
            z: sample.jump / sample.noise,
            expected,
            sigma: sample.noise,
            usual,
        }
    }

    /// The verdict on what is no number.
    fn nothing(&self, tuning: &Tuning) -> Scored {
        let (expected, sigma) = (self.levels[0], self.channels[0].sigma());
        Scored {
            score: 0.0,
            evidence: -tuning.spread,
            kind: Evidence::Jump,
            z: 0.0,
            expected,
            sigma,
            usual: self.levels[2],
        }
    }

    /// Time passes to `at_s`: learns the interval. Gives the seconds since the last sample, a gap counted as ten steps.
    #[inline]
    fn pass(&mut self, at_s: f64) -> f64 {
        let gap = (at_s - self.last_at).min(GAP_S_MAX);
        self.last_at = at_s;
        if self.count == 0 || gap <= 0.0 {
            return 0.0;
        }
        let step = f64::from(self.step_s);
        if step <= 0.0 {
            self.step_s = gap as f32;
        } else {
            let gain = (1.0 / f64::from(self.count)).max(0.02);
            self.step_s += ((gap.min(3.0 * step) - step) * gain) as f32;
        }
        let gap = gap.min(10.0 * f64::from(self.step_s));
        self.age_days += (gap / DAY_S) as f32;
        gap
    }

    /// A value beside what is known; the first is all that is known.
    #[inline]
    fn sample(&mut self, tuning: &Tuning, at_s: f64, value: f64) -> Sample {
        let seen = f64::from(self.count);
        let gain = (1.0 / (self.count as f32 + 1.0)).max(0.002);
        self.magnitude += (value.abs() as f32 - self.magnitude) * gain;
        if self.count == 0 {
            self.levels = [value; 3];
            (self.smooth, self.short_mean, self.hour_mean) = (value, value, value);
        }
        let rest = value - self.season.at(at_s);
        let step = f64::from(self.step_s).max(1e-3);
        Sample {
            value,
            rest,
            seen,
            step,
            width: (tuning.observation_s / step).clamp(1.0, tuning.observation_samples),
            tiny: 1e-6 * f64::from(self.magnitude) + 1e-12,
            jump: rest - self.levels[0],
            noise: 0.0,
        }
    }

    /// Evidence from residuals at three time scales; everything learns.
    #[inline]
    fn surprise(&mut self, tuning: &Tuning, sample: &mut Sample) -> Weighed {
        let &mut Sample { value, rest, seen, step, width, tiny, .. } = sample;
        let gain = |samples: f64| 1.0 / samples.min(seen + 1.0);
        // The way back to the slow level is no news.
        let away = |residual: f64, from: f64| {
            let share = from * residual.signum() / residual.abs().max(f64::MIN_POSITIVE);
            (tuning.home * share).clamp(0.0, 1.0)
        };
        self.smooth += gain(width) * (rest - self.smooth);
        let steady = self.smooth - self.levels[0];
        let jump = self.channels[0].surprise(tuning, steady, tiny) * away(steady, self.smooth - self.levels[2]);
        sample.noise = self.channels[0].sigma() + tiny;
        self.teach_season(value, sample.noise, tiny);
        self.levels[0] += gain(tuning.fast_samples * width) * (rest - self.levels[0]);
        self.levels[1] += gain(tuning.middle_samples * width) * (rest - self.levels[1]);
        let rise = self.levels[0] - self.levels[1];
        let swing = self.channels[1].surprise(tuning, rise, tiny) * away(rise, self.levels[0] - self.levels[2]);
        let shift = self.channels[2].surprise(tuning, self.levels[1] - self.levels[2], tiny);
        self.follow(rest, tiny, gain(tuning.slow_samples));
        self.count = self.count.saturating_add(1);

        let mut best = (jump, Evidence::Jump);
        for other in [(swing + tuning.slow_bonus, Evidence::Swing), (shift + tuning.slow_bonus, Evidence::Shift)] {
            if other.0 > best.0 {
                best = other;
            }
        }
        let dense = tuning.density * (DAY_S / step / SAMPLES_A_DAY).ln();
        (best.0 - tuning.surprise_level - dense - tuning.cold_surprise / (seen + 1.0), best.1)
    }

    /// A surprise, unless the series goes as far as this so often that it is none.
    #[inline]
    fn rare_surprise(&mut self, tuning: &Tuning, sample: &Sample, surprise: f64) -> f64 {
        let away = sample.rest - self.levels[2];
        let is_due = surprise >= 0.0;
        let is_often =
            is_due && self.recurrence.days(away, f64::from(self.age_days), tuning.recur_days) < tuning.recur_days;
        self.recurrence.note(away);
        if is_often { -tuning.spread } else { surprise }
    }

    /// What the season learns from a value: its distance from the slow level, a far one cut.
    #[inline]
    fn teach_season(&mut self, value: f64, noise: f64, tiny: f64) {
        let wide = 4.0 * (SIGMA * f64::from(self.channels[2].wide)).max(noise - tiny) + tiny;
        self.season.learn((value - self.levels[2]).clamp(-wide, wide));
    }

    /// The slow level follows: a far value little, several of them on one side more and more.
    #[inline]
    fn follow(&mut self, rest: f64, tiny: f64, gain: f64) {
        let far = rest - self.levels[2];
        let near = 4.0 * (self.channels[0].sigma() + self.channels[2].sigma()) + tiny;
        if far.abs() <= near {
            self.run = 0;
            self.levels[2] += gain * far;
            return;
        }
        let side = if far > 0.0 { 1 } else { -1 };
        self.run = if self.run.signum() == side { self.run.saturating_add(side) } else { side };
        let most = near * f64::from((self.run.saturating_abs() - 1).min(40)).exp2();
        self.levels[2] += gain * far.clamp(-most, most);
    }

    /// Evidence from what was never seen before.
    #[inline]
    fn record(&mut self, tuning: &Tuning, sample: &Sample) -> Weighed {
        let &Sample { value, rest, seen, step, jump, tiny, noise, .. } = sample;
        let gain = |samples: f64| 1.0 / samples.min(seen + 1.0);
        self.short_mean += gain(tuning.mean_samples) * (value - self.short_mean);
        let hourly = (tuning.hour_mean_s / step).max(1.0);
        self.hour_mean += gain(hourly) * (value - self.hour_mean);
        // At any age the chance of a new record is about one over that age.
        let age = f64::from(self.age_days);
        let young = || (age / tuning.record_days).max(1e-9).ln().min(-LN_2);
        let mut best = (f64::NEG_INFINITY, Evidence::Extreme);
        let candidates = [
            (value, tuning.extreme_share, tuning.extreme_sigmas, Evidence::Extreme),
            (self.short_mean, tuning.mean_share, tuning.mean_sigmas, Evidence::ExtremeMean),
            (jump, tuning.jump_share, tuning.extreme_sigmas, Evidence::ExtremeJump),
        ];
        for (record, (value, share, sigmas, kind)) in self.records.iter_mut().zip(candidates) {
            let margin = record.margin(value, seen == 0.0);
            if margin > 0.0 {
                let nats = (margin / (share * (record.range() + tiny))).min(margin / (sigmas * noise));
                let evidence = young() + nats.min(tuning.most_nats);
                if evidence > best.0 {
                    best = (evidence, kind);
                }
            }
            record.take(value);
        }
        // A level that has been followed is no news at any hour.
        let margin = self.season.margin(self.hour_mean).min((rest - self.levels[2]).abs());
        if margin > 0.0 && age > tuning.hour_days {
            let range = self.records[0].range() + tiny;
            let nats = (margin / (tuning.mean_share * range)).min(margin / (tuning.mean_sigmas * noise));
            let evidence = young() - HOURS.ln() + nats.min(tuning.most_nats);
            if evidence > best.0 {
                best = (evidence, Evidence::ExtremeHour);
            }
        }
        (best.0 - tuning.cold_record / (seen + 1.0), best.1)
    }
}
