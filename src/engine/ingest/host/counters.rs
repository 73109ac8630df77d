//! Rates of counters that only grow, and the count of those that went back (a device was taken out, a unit restarted).

use std::collections::BTreeMap;
use std::time::Instant;

/// What was last read of each counter. Time is monotonic: a clock that is set must not make a rate.
#[derive(Debug, Default)]
pub struct Counters {
    last: BTreeMap<(&'static str, String), (Instant, u64)>,
    now: Option<Instant>,
    reset_count: u64,
}

impl Counters {
    /// Begins a reading; counters not read since two readings ago are forgotten.
    pub fn begin(&mut self, now: Instant) {
        if let Some(before) = self.now {
            self.last.retain(|_, (at, _)| *at >= before);
        }
        self.now = Some(now);
    }

    /// Takes in a counter's value: how much it grew a second since it was last read. `None` the first time and after a reset.
    pub fn rate(&mut self, metric: &'static str, part: &str, value: u64) -> Option<f64> {
        let now = self.now?;
        let (at, before) = self.last.insert((metric, part.to_owned()), (now, value))?;
        let Some(grown) = value.checked_sub(before) else {
            self.reset_count += 1;
            return None;
        };
        let seconds = now.saturating_duration_since(at).as_secs_f64();
        (seconds > 0.0).then(|| grown as f64 / seconds)
    }

    /// Resets since this was last asked.
    pub fn take_reset_count(&mut self) -> u64 {
        std::mem::take(&mut self.reset_count)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rate_needs_two_readings_and_a_reset_is_counted() {
        let (mut counters, start) = (Counters::default(), Instant::now());
        let mut at = |seconds: u64, value: u64| {
            counters.begin(start + Duration::from_secs(seconds));
            let rate = counters.rate("rx", "eth0", value);
            (rate, counters.take_reset_count())
        };
        assert_eq!(at(0, 100), (None, 0));
        assert_eq!(at(10, 200), (Some(10.0), 0));
        assert_eq!(at(20, 5), (None, 1));
        assert_eq!(at(30, 25), (Some(2.0), 0));
    }

    #[test]
    fn a_counter_that_stayed_away_begins_again() {
        let (mut counters, start) = (Counters::default(), Instant::now());
        counters.begin(start);
        counters.rate("rx", "eth0", 100);
        counters.begin(start + Duration::from_secs(10));
        counters.begin(start + Duration::from_secs(20));
        assert_eq!(counters.rate("rx", "eth0", 100_000), None);
        assert_eq!(counters.take_reset_count(), 0);
    }
}
