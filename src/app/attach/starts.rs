//! When an engine that died is started again: not one that dies at once again and again, and not by many processes while somebody
//! holds the store for long.

use std::time::Duration;

use tokio::time::Instant;

use super::child::{HOLDER_WAIT, StartProblem};

/// Between two starts of an engine that dies.
const AGAIN: Duration = Duration::from_secs(60);
/// Between two looks whether a store that somebody holds is free.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What is known of the starts so far.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// None is made before this.
    not_before: Option<Instant>,
    /// True where the last one found the store in other hands.
    is_taken: bool,
}

impl Starts {
    /// How long one that is made now waits for a store that somebody holds; `None` where none is to be made. A listing is over in a
    /// moment; who holds it for longer is looked at now and then.
    pub(super) fn patience(&self, now: Instant) -> Option<Duration> {
        let is_time = self.not_before.is_none_or(|at| now >= at);
        is_time.then_some(if self.is_taken { Duration::ZERO } else { HOLDER_WAIT })
    }

    /// One was made, and the engine is there.
    pub(super) fn was_made(&mut self, now: Instant) {
        *self = Self { not_before: Some(now + AGAIN), is_taken: false };
    }

    /// One was made in vain.
    pub(super) fn has_failed(&mut self, problem: &StartProblem, now: Instant) {
        let is_taken = problem.is_taken();
        let pause = if is_taken { LOOK_AGAIN } else { AGAIN };
        *self = Self { not_before: Some(now + pause), is_taken };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_held_for_long_is_looked_at_now_and_then_and_one_that_dies_seldom_started() {
        let mut now = Instant::now();
        let mut starts = Starts::default();
        assert_eq!(starts.patience(now), Some(HOLDER_WAIT));
        starts.has_failed(&StartProblem::Taken { words: "a listing".to_owned() }, now);
        assert_eq!(starts.patience(now), None);
        now += LOOK_AGAIN;
        assert_eq!(starts.patience(now), Some(Duration::ZERO), "one look, and no process a second");
        starts.has_failed(&StartProblem::Ended { words: "no".to_owned() }, now);
        now += LOOK_AGAIN;
        assert_eq!(starts.patience(now), None);
        now += AGAIN;
        assert_eq!(starts.patience(now), Some(HOLDER_WAIT));
        starts.was_made(now);
        assert_eq!(starts.patience(now), None);
    }
}
