//! One score a row for all the metrics of one service: how they move, and how they hang together.
//!
//! ```text
//! row ─▶ movement of each metric ─▶ fast, slow, day ─────────┐
//!     └▶ precision: what the others say ─▶ apart, far ───────┴▶ how rare and how large ─▶ sum ─▶ habit ─▶ rarity ─▶ score
//!                                      └▶ one metric that broke its relation ─────────────────────────────────┘
//! ```
//!
//! Five questions are asked of a row: did the metrics jump, did they drift, are they other than yesterday, do they
//! contradict one another, is the row as a whole far from what is usual? Each metric's answer is as rare as its own past
//! says; the answers to one question are put together and are again as rare as the service's past says, but never worth
//! more than they are larger than usual: in pure noise something is always the rarest yet, and it is hardly larger than
//! the rest. So it does not matter how many metrics there are, how many are copies of each other, or in what units. The
//! five are added, as Fisher adds independent tests; that they are not independent is seen in what the sum usually is.

mod habit;
mod kept;
mod movement;
mod precision;
mod quantity;
mod rarity;
mod spread;
mod tail;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use habit::Habit;
use movement::{Moved, Movement, QUARTERS};
use precision::Precision;
use quantity::{Quantity, Rare, TAIL_MEMORY};
use rarity::Rarity;
use spread::Spread;
use tail::Tail;

/// Metrics of a service that are looked at together; the rest is left to the scorers of the single series.
pub const METRICS_MAX: usize = 64;
/// Questions asked of a row.
pub const QUESTIONS: usize = 5;
/// Rows over which relations are forgotten, and over which the usual size of an answer is.
const RELATION_MEMORY: u32 = 20_000;
const ANSWER_MEMORY: u32 = 4_000;
/// Rows a contradiction is held over.
const HELD: u8 = 4;
/// Rows until the metrics' own spreads have settled: before, their distances mean nothing. Then as many again until a
/// question is answered.
const SETTLE_ROWS: u32 = 150;
/// The evidence an alert takes where rows are [`BAR_STEP_S`] apart: three of each of five.
const BAR: f64 = 15.5;
/// The rarity it takes, at the same step: less than once a day of rows.
const RARITY_BAR: f64 = 4.9;
const BAR_STEP_S: f64 = 300.0;
/// Evidence that makes a row `e` times rarer, where the five answers are as dependent as they mostly are.
const EVIDENCE_PER_E: f64 = 2.0;
/// A metric has a relation that can break where the others explain this much of it.
const EXPLAINED_MIN: f64 = 0.5;
/// A relation is broken where what is left unexplained is so many times larger than usual, for this metric as rare, and
/// for the service rarer than once in a month of five minutes.
const BROKEN_TIMES: f64 = 6.0;
const BROKEN_RARITY: f64 = 9.0;
/// Rows before a relation is called broken.
const BROKEN_ROWS: f64 = 600.0;
/// Share of the evidence that is still there a row later; a score that only lasts stays below the alert.
const HOLD: f64 = 0.9;
const HELD_SCORE_MAX: f64 = 0.499;
/// An alarm is told for an hour, or six rows where that is longer; so long must it be quiet before the next is another.
const ALARM_S: f64 = 3_600.0;
const ALARM_ROWS: f64 = 6.0;
/// So much worse than it was, it is told again.
const ALARM_GROWTH: f64 = 1.5;
const DAY_S: f64 = 86_400.0;

/// What a row says of the service.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Judged {
    /// In 0..1; from 0.5 on it is an alert.
    pub score: f64,
    /// What was found, 1 at the alert: of the service as a whole.
    pub stir: f64,
    /// The same of the one metric whose relation to the others is most broken.
    pub broken: f64,
    /// The answers: jump, drift, other than yesterday, contradiction, distance.
    pub answers: [f64; QUESTIONS],
}

/// A metric's share in what a row says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Its place in the row.
    pub metric: usize,
    /// How rare its own movement is, `-ln p`.
    pub moved: f64,
    /// How rare its contradiction to the others is, `-ln p`.
    pub contradicts: f64,
    /// How many times the usual the contradiction is.
    pub times: f64,
    /// How far the metric is from what the others say, in its own unit, and how far it usually is.
    pub apart: f64,
    /// See `apart`.
    pub usually_apart: f64,
}

impl Share {
    /// How far its relation to the others is broken, as rare as it is large.
    fn broken(&self) -> f64 {
        self.contradicts.min(self.times)
    }
}

/// The metrics of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceScorer {
    metrics: Vec<Movement>,
    relations: Vec<Quantity>,
    precision: Precision,
    distance: Quantity,
    questions: [Tail; QUESTIONS],
    usual: [Spread; QUESTIONS],
    habit: Habit,
    rarity: Rarity,
    /// How far relations are broken, mostly.
    breaks: Tail,
    rows: u32,
    last_at: f64,
    step_s: f64,
    held: f64,
    alarm: Alarm,
    /// The last row, by metric.
    moved: Vec<Moved>,
    sigmas: Vec<f64>,
    residuals: Vec<f64>,
    apart: Vec<Rare>,
    far: f64,
}

impl ServiceScorer {
    /// A service with `width` metrics; what is past [`METRICS_MAX`] is not looked at.
    #[must_use]
    pub fn new(width: usize) -> Self {
        let width = width.min(METRICS_MAX);
        Self {
            metrics: vec![Movement::default(); width],
            relations: vec![Quantity::new(HELD); width],
            precision: Precision::new(width, RELATION_MEMORY),
            distance: Quantity::new(HELD),
            questions: std::array::from_fn(|_| Tail::new(TAIL_MEMORY)),
            usual: [Spread::default(); QUESTIONS],
            habit: Habit::default(),
            rarity: Rarity::new(TAIL_MEMORY),
            breaks: Tail::new(TAIL_MEMORY),
            rows: 0,
            last_at: f64::NAN,
            step_s: 0.0,
            held: 0.0,
            alarm: Alarm::default(),
            moved: vec![Moved::default(); width],
            sigmas: vec![0.0; width],
            residuals: vec![0.0; width],
            apart: vec![Rare::default(); width],
            far: 0.0,
        }
    }

    /// Takes in the row measured at `at_s`, in seconds; cells that are not numbers are missing.
    pub fn observe(&mut self, at_s: f64, row: &[f64]) -> Judged {
        self.note_time(at_s);
        let of_day = if at_s.is_finite() { at_s.rem_euclid(DAY_S) / DAY_S } else { 0.0 };
        self.look_at_metrics(of_day, row);
        self.look_at_relations(row);
        self.rows = self.rows.saturating_add(1);
        let answers = self.answer();
        let sum = self.habit.observe(of_day, answers.iter().sum());
        let rarity = self.rarity.observe(sum);
        let stir = self.stir(sum, rarity);
        let broken = self.broken();
        self.held = (HOLD * self.held).max(stir);
        let score = self.alarm.observe(at_s, self.step_s, if broken >= 1.0 { stir.max(broken) } else { stir });
        let score = score.max(as_score(self.held).min(HELD_SCORE_MAX));
        Judged { score, stir, broken, answers }
    }

    /// The metrics of the last row, what says most first.
    #[must_use]
    pub fn shares(&self) -> Vec<Share> {
        let mut shares = self.all_shares();
        let most = |share: &Share| share.contradicts.max(share.moved);
        shares.sort_by(|a, b| most(b).total_cmp(&most(a)).then(a.metric.cmp(&b.metric)));
        shares
    }

    /// The metrics whose relation to the others the last row broke, the most broken first.
    #[must_use]
    pub fn broken_metrics(&self) -> Vec<Share> {
        let mut shares = self.all_shares();
        shares.retain(|share| {
            self.precision.explained(share.metric) >= EXPLAINED_MIN && share.broken() >= BROKEN_TIMES / 2.0
        });
        shares.sort_by(|a, b| b.broken().total_cmp(&a.broken()).then(a.metric.cmp(&b.metric)));
        shares
    }

    fn all_shares(&self) -> Vec<Share> {
        let cells = self.moved.iter().zip(&self.apart).zip(self.residuals.iter().zip(&self.relations));
        cells
            .enumerate()
            .map(|(metric, ((moved, apart), (residual, relation)))| Share {
                metric,
                moved: moved.fast.max(moved.slow).max(moved.day),
                contradicts: apart.surprise,
                times: apart.times,
                apart: residual * moved.scale,
                usually_apart: relation.usual() * moved.scale,
            })
            .collect()
    }

    /// The usual distance between rows. Short ones count for more: a gap is not how often one could be wrong.
    fn note_time(&mut self, at_s: f64) {
        let step = at_s - self.last_at;
        if step.is_finite() && step > 0.0 {
            let rate = match self.step_s {
                0.0 => 1.0,
                usual if step < usual => 0.1,
                _ => 0.01,
            };
            self.step_s += rate * (step - self.step_s);
        }
        if at_s.is_finite() {
            self.last_at = at_s;
        }
    }

    /// What was found in the whole service, 1 at the alert: as rare in a day whatever the step.
    fn stir(&self, sum: f64, rarity: f64) -> f64 {
        let step = if self.step_s > 0.0 { self.step_s } else { BAR_STEP_S };
        let rarer = (BAR_STEP_S / step).ln().clamp(-2.5, 6.0);
        (sum / (BAR + EVIDENCE_PER_E * rarer)).min(rarity / (RARITY_BAR + rarer))
    }

    /// The same of the metric whose relation is most broken.
    fn broken(&mut self) -> f64 {
        let relations = self.apart.iter().enumerate().filter(|(at, _)| self.precision.explained(*at) >= EXPLAINED_MIN);
        let most = relations.map(|(_, apart)| apart.surprise.min(apart.times)).fold(0.0, f64::max);
        if most <= 0.0 {
            return 0.0;
        }
        let seen = f64::from(self.breaks.total());
        let found = if seen >= BROKEN_ROWS {
            // The rarest a service can show that has not been watched for long is what it has never shown.
            let rare_enough = BROKEN_RARITY.min((seen + 1.0).ln());
            (most / BROKEN_TIMES).min(self.breaks.surprise(most) / rare_enough)
        } else {
            0.0
        };
        self.breaks.learn(most);
        found
    }

    fn look_at_metrics(&mut self, of_day: f64, row: &[f64]) {
        // A share of a day times the quarters is a quarter.
        let quarter = (of_day * QUARTERS as f64) as usize;
        let places = self.moved.iter_mut().zip(&mut self.sigmas);
        for (at, (metric, (place, sigmas))) in self.metrics.iter_mut().zip(places).enumerate() {
            match row.get(at).copied().filter(|value| value.is_finite()) {
                Some(value) => {
                    *place = metric.observe(value, quarter);
                    *sigmas = place.sigmas;
                }
                None => {
                    *place = Moved::default();
                    *sigmas = self.precision.mean(at);
                }
            }
        }
    }

    fn look_at_relations(&mut self, row: &[f64]) {
        if self.precision.is_known() {
            let distance = self.precision.residuals(&self.sigmas, &mut self.residuals);
            self.far = self.distance.observe(distance, 0.0).surprise;
            let cells = self.residuals.iter().zip(&self.moved).zip(&mut self.apart);
            for (at, (relation, ((residual, moved), place))) in self.relations.iter_mut().zip(cells).enumerate() {
                let is_there = row.get(at).is_some_and(|value| value.is_finite());
                *place = if is_there { relation.observe(*residual, moved.floor) } else { Rare::default() };
            }
        }
        if self.rows > SETTLE_ROWS {
            self.precision.learn(&self.sigmas);
        }
    }

    /// How rare and how large the answer to each question is.
    fn answer(&mut self) -> [f64; QUESTIONS] {
        let count = self.moved.len().max(1) as f64;
        let mean_square =
            |of: fn(&Moved) -> f64| self.moved.iter().map(|moved| of(moved) * of(moved)).sum::<f64>() / count;
        let sizes = [
            mean_square(|moved| moved.fast),
            mean_square(|moved| moved.slow),
            mean_square(|moved| moved.day),
            self.apart.iter().map(|apart| apart.surprise).sum::<f64>() / count,
            self.far,
        ];
        let mut answers = [0.0; QUESTIONS];
        let asked = self.questions.iter_mut().zip(&mut self.usual).zip(sizes);
        for (answer, ((question, usual), size)) in answers.iter_mut().zip(asked) {
            if question.total() >= SETTLE_ROWS as f32 && usual.get() > 0.0 {
                *answer = question.surprise(size).min(size / usual.get() - 1.0).max(0.0);
            }
            if self.rows > SETTLE_ROWS {
                question.learn(size);
                usual.learn(size, ANSWER_MEMORY);
            }
        }
        answers
    }
}

/// An alarm that goes on: it is raised at its onset and while it is young, and again where it grows far worse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Alarm {
    began_at: f64,
    seen_at: f64,
    peak: f64,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { began_at: f64::NEG_INFINITY, seen_at: f64::NEG_INFINITY, peak: 0.0 }
    }
}

impl Alarm {
    /// The score of what was `found`.
    fn observe(&mut self, at_s: f64, step_s: f64, found: f64) -> f64 {
        if found < 1.0 {
            return as_score(found);
        }
        let lasts = ALARM_S.max(ALARM_ROWS * step_s);
        let is_new = at_s - self.seen_at >= lasts || found >= ALARM_GROWTH * self.peak;
        self.seen_at = at_s;
        if is_new {
            (self.began_at, self.peak) = (at_s, found);
        }
        let is_old = at_s - self.began_at >= lasts;
        self.peak = self.peak.max(found);
        if is_old { HELD_SCORE_MAX } else { as_score(found) }
    }
}

/// 0.5 at the alert, towards 1 beyond.
fn as_score(found: f64) -> f64 {
    found / (found + 1.0)
}
