//! What happens without anybody asking: to the machine, and to what is measured on its way.

use std::sync::Arc;

use rand::Rng;

use super::{SAMPLE_MS, Simulation, world};
use crate::engine::clock::{HOUR_MS, SECOND_MS};
use crate::engine::input::{Input, KillWord};

/// By so much a clock is off whose battery is empty.
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;

impl Simulation {
    /// What happens to the machine.
    pub(super) fn disturb(&mut self, elapsed: i64) {
        let mut outside = self.seam.lock();
        if outside.fate.strikes(|on| on.crash, 0.000_6) {
            outside.fate.doom();
        }
        if outside.fate.strikes(|on| on.disk, 0.002) {
            self.slow_until = elapsed + outside.fate.draws.random_range(0..8) * SECOND_MS;
        }
        if outside.fate.strikes(|on| on.clock, 0.000_2) {
            let by = [HOUR_MS, -HOUR_MS, 10 * SECOND_MS, -10 * SECOND_MS, YEAR_MS, -YEAR_MS]
                [outside.fate.draws.random_range(0..6)];
            // Whoever sees that it is off by a year sets it right.
            let by = if outside.skew.abs() > 24 * HOUR_MS { -outside.skew } else { by };
            outside.skew += by;
            outside.note(&format!("the clock jumps by {} s", by / SECOND_MS));
        }
        if outside.fate.strikes(|on| on.kill, 0.000_15) {
            let is_on = matches!(outside.paper.word, Some(KillWord::On { .. }));
            let (by, reason) = (Arc::from("shell"), Arc::from("by hand"));
            let word = if is_on {
                KillWord::Off { by, reason, at: Some(outside.wall().max(outside.now)) }
            } else {
                KillWord::On { by, reason }
            };
            outside.note(&format!("the kill file is written from outside: {word:?}"));
            outside.oracle.hears(&word);
            outside.paper.say(Some(word));
        }
    }

    /// What is measured comes in; at times late, twice, or behind what was measured after it.
    pub(super) fn measure(&mut self, elapsed: i64) {
        let mut come = Vec::new();
        if elapsed >= self.next_sample {
            self.next_sample = elapsed + SAMPLE_MS;
            let (known, at) = (self.known(), self.seam.lock().wall());
            let signal = world::samples(1..known, at);
            let mut outside = self.seam.lock();
            let fate = &mut outside.fate;
            if fate.strikes(|on| on.signals, 0.1) {
                come.push(signal.clone());
            }
            if fate.strikes(|on| on.signals, 0.15) {
                self.late.push((elapsed + fate.draws.random_range(1..120) * SECOND_MS, signal));
            } else {
                come.push(signal);
            }
        }
        let (due, late): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late).into_iter().partition(|it| it.0 <= elapsed);
        self.late = late;
        come.extend(due.into_iter().map(|(_, signal)| signal));
        for signal in come {
            self.life.engine.take(Input::Signal(signal));
        }
    }
}
