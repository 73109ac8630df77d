//! The end of a departure: the way back is none, what crosses to the other side is another one, and what flapped ends.

use super::super::AnomalyEvent;
use super::Bench;
use super::bench_source::{Noise, STEP_MS, plain};
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::model::{AnomalyState, Direction, SuppressionReason};

/// A load that halves at night, known for three weeks, looked at every few seconds from an hour of the day on.
struct Watched {
    bench: Bench,
    noise: Noise,
    every_ms: i64,
}

fn load(at: Timestamp) -> f64 {
    let hour = at.0.rem_euclid(DAY_MS) as f64 / HOUR_MS as f64;
    100.0 - 35.0 * ((hour - 3.0) / 24.0 * std::f64::consts::TAU).cos()
}

impl Watched {
    fn from(hour: i64, every_ms: i64) -> Self {
        let mut bench = Bench::new(vec![plain("load")]);
        let mut noise = Noise(61);
        bench.run(21, true, |_, at| load(at) * (1.0 + 0.02 * noise.normal()));
        let mut it = Self { bench, noise, every_ms };
        for _ in 0..hour * HOUR_MS / STEP_MS {
            let value = load(it.bench.now) * (1.0 + 0.02 * it.noise.normal());
            it.bench.step(true, &[value]);
        }
        it.run(30 * MINUTE_MS, |_| 1.0);
        it
    }

    /// A while, at so many times the usual; the sample's number decides.
    fn run(&mut self, ms: i64, times: impl Fn(i64) -> f64) {
        for number in 0..ms / self.every_ms {
            let value = load(self.bench.now) * times(number) * (1.0 + 0.02 * self.noise.normal());
            self.bench.step(false, &[value]);
            self.bench.now = self.bench.now - STEP_MS + self.every_ms;
        }
    }

    fn directions(&self) -> Vec<Direction> {
        let began = self.bench.events.iter().filter(|event| matches!(event, AnomalyEvent::Began(_)));
        began.map(|event| event.anomaly().direction).collect()
    }

    fn state(&self) -> AnomalyState {
        self.bench.last_of("load").state
    }
}

#[test]
fn the_way_back_is_no_departure_however_long_it_took_and_whatever_the_hour() {
    for hour in [3, 9, 15, 20] {
        for (times, direction) in [(1.8, Direction::Above), (3.0, Direction::Above), (0.3, Direction::Below)] {
            for (minutes, every_s) in [(2, 5), (10, 15), (40, 5), (40, 30)] {
                let mut it = Watched::from(hour, every_s * SECOND_MS);
                let told = format!("{times} times for {minutes} min every {every_s} s at {hour}:30");
                assert_eq!(it.directions(), [], "{told}");
                it.run(minutes * MINUTE_MS, |_| times);
                assert_eq!(it.state(), AnomalyState::Active, "{told}");
                it.run(30 * MINUTE_MS, |_| 1.0);
                assert_eq!(it.directions(), [direction], "{told}");
                assert_eq!(it.state(), AnomalyState::Ended, "{told}");
            }
        }
    }
}

#[test]
fn what_crosses_to_the_other_side_is_another_departure() {
    for (first, then) in [(2.5, 0.1), (0.1, 2.5)] {
        let mut it = Watched::from(12, 15 * SECOND_MS);
        it.run(10 * MINUTE_MS, |_| first);
        it.run(10 * MINUTE_MS, |_| then);
        let (one, other) = match first > 1.0 {
            true => (Direction::Above, Direction::Below),
            false => (Direction::Below, Direction::Above),
        };
        assert_eq!(it.directions(), [one, other]);
        assert_eq!(it.state(), AnomalyState::Active);
        assert_eq!(it.bench.events.iter().filter(|event| matches!(event, AnomalyEvent::Ended(_))).count(), 1);
        it.run(30 * MINUTE_MS, |_| 1.0);
        assert_eq!(it.state(), AnomalyState::Ended);
    }
}

#[test]
fn what_flapped_ends_once_it_has_been_quiet() {
    let mut it = Watched::from(12, 15 * SECOND_MS);
    it.run(30 * MINUTE_MS, |number| if number % 8 < 3 { 2.5 } else { 1.0 });
    assert!(matches!(it.bench.last_of("load").suppressed, Some(SuppressionReason::Flapping { .. })));
    let began = it.directions().len();
    it.run(15 * MINUTE_MS, |_| 1.0);
    assert_eq!(it.state(), AnomalyState::Recovering, "it may come again");
    it.run(10 * MINUTE_MS, |_| 1.0);
    assert_eq!((it.state(), it.directions().len()), (AnomalyState::Ended, began));
}
