//! From evidence to a score: an alert at the onset, none for what merely goes on, and a memory of it that fades.

use super::pen::Pen;
use super::{HOUR_S, Tuning};

/// What was told lately.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Alarm {
    /// Evidence it takes to alert again, fading.
    need: f32,
    /// What is shown of the last departure: evidence above the bottom of the scale, fading.
    shown: f32,
}

impl Alarm {
    pub fn walk(&mut self, pen: &mut Pen<'_>) {
        pen.f32(&mut self.need);
        pen.f32(&mut self.shown);
    }

    /// The score of a sample with this evidence; `shown` is what of it counts for showing that something goes on.
    #[inline]
    pub fn score(&mut self, tuning: &Tuning, evidence: f64, shown: f64, gap_s: f64) -> f64 {
        let hours = gap_s / HOUR_S;
        if self.need > 0.0 {
            self.need *= (-hours / tuning.refractory_h).exp2() as f32;
        }
        self.shown *= (-hours / tuning.refractory_h).exp2() as f32;
        let faded = f64::from(self.shown) - tuning.spread;
        self.shown = self.shown.max((shown + tuning.spread) as f32);
        // Beyond a certain size there is no more or less to an alert.
        let counted = evidence.min(tuning.most_nats);
        if counted >= 0.0 && counted >= f64::from(self.need) {
            self.need = (counted + tuning.refractory_nats) as f32;
            return scale(tuning, evidence).max(0.5);
        }
        let score = scale(tuning, shown.max(faded));
        // Squeezed below the alert level, so that the order is kept.
        if score > tuning.squeeze {
            tuning.squeeze + (0.499 - tuning.squeeze) * (score - tuning.squeeze) / (1.0 - tuning.squeeze)
        } else {
            score
        }
    }
}

/// Evidence on 0..1, 0 nats at 0.5.
#[inline]
fn scale(tuning: &Tuning, evidence: f64) -> f64 {
    let share = evidence / tuning.spread;
    0.5 + 0.5 * share / (1.0 + share.abs())
}
