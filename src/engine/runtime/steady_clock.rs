//! The wall clock as the core is given it: it never steps back, and does not stand still where the wall clock did. A core whose
//! time stood for as long as the wall clock was set back by would let no approval expire and no command time out meanwhile.

use std::time::Instant;

use crate::engine::clock::Timestamp;
use crate::engine::ingest::wall_clock;

/// While it is ahead of the wall clock it goes at nine tenths of its pace: after an hour back, the two agree again in ten.
const PACE: (i64, i64) = (9, 10);

/// A clock that goes on.
#[derive(Debug)]
pub(super) struct SteadyClock {
    /// The last time that both agreed, …
    agreed: Timestamp,
    /// … by a clock that cannot be set.
    at: Instant,
}

impl SteadyClock {
    pub(super) fn new() -> Self {
        Self { agreed: wall_clock::now(), at: Instant::now() }
    }

    pub(super) fn now(&mut self) -> Timestamp {
        self.read(wall_clock::now(), Instant::now())
    }

    fn read(&mut self, wall: Timestamp, at: Instant) -> Timestamp {
        let passed = i64::try_from(at.saturating_duration_since(self.at).as_millis()).unwrap_or(i64::MAX / PACE.0);
        let least = self.agreed + passed / PACE.1 * PACE.0;
        if wall < least {
            return least;
        }
        (self.agreed, self.at) = (wall, at);
        wall
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS};

    #[test]
    fn a_wall_clock_that_is_set_back_does_not_stop_it() {
        let (wall, at) = (Timestamp(1_794_925_800_000), Instant::now());
        let minutes = |count: u64| at + Duration::from_secs(60 * count);
        let mut clock = SteadyClock { agreed: wall, at };
        assert_eq!(clock.read(wall + MINUTE_MS, minutes(1)), wall + MINUTE_MS);
        for back in [HOUR_MS, 365 * DAY_MS] {
            let mut clock = SteadyClock { agreed: wall, at };
            let mut last = wall;
            for passed in 1..=100_i64 {
                let now = clock.read(wall + (passed * MINUTE_MS - back), minutes(passed.unsigned_abs()));
                assert_eq!(now, wall + passed * MINUTE_MS * 9 / 10);
                assert!(now > last);
                last = now;
            }
        }
        // Once the wall clock is there again it is followed, and where it was set forward it is followed at once.
        let mut clock = SteadyClock { agreed: wall, at };
        let agrees = wall + 10 * HOUR_MS - HOUR_MS;
        assert_eq!(clock.read(agrees, minutes(600)), agrees);
        assert_eq!(clock.read(agrees + DAY_MS, minutes(601)), agrees + DAY_MS);
    }
}
