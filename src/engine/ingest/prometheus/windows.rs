//! Which stretches of time are asked for: live windows from a cursor to now, and the chunks of a backfill. Pure.
//!
//! All stamps lie on a grid of the step, both ends of a stretch are included (as in the API), and the next stretch begins one step after
//! the last one's end: nothing is asked twice and nothing is left out.

use crate::engine::clock::{HOUR_MS, Timestamp};

/// Points of one series in one answer; servers refuse more than 11,000.
pub const POINTS_PER_SERIES_MAX: i64 = 10_000;
/// Time covered by one chunk of a backfill, however few points that is: servers read it into memory.
pub const CHUNK_MS_MAX: i64 = 24 * HOUR_MS;
/// Points of all series in one chunk of a backfill that are aimed at: they are held at once to be put in order of time.
pub const CHUNK_POINTS_AIM: i64 = 1_500_000;
/// Steps of the first chunk, before it is known how many series there are.
const FIRST_CHUNK_STEPS: i64 = 72;
/// Progress is told in pieces of history of this length.
const PROGRESS_PIECE_MS: i64 = 6 * HOUR_MS;

/// A stretch of time on a grid, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// First stamp.
    pub start: Timestamp,
    /// Last stamp, not before the first.
    pub end: Timestamp,
    /// Between two stamps, in milliseconds.
    pub step_ms: i64,
}

impl Stretch {
    /// Stamps in it.
    #[must_use]
    pub fn steps(&self) -> i64 {
        self.end.since_ms(self.start) / self.step_ms + 1
    }
}

/// The last stamp of the grid that is not after `at`.
#[must_use]
pub fn align_down(at: Timestamp, step_ms: i64) -> Timestamp {
    Timestamp(at.0.div_euclid(step_ms).saturating_mul(step_ms))
}

/// What to ask after `cursor` (known already) up to `now`; `None` when nothing new lies between. At most `steps_max` stamps, the oldest.
#[must_use]
pub fn live(cursor: Timestamp, now: Timestamp, step_ms: i64, steps_max: i64) -> Option<Stretch> {
    let start = align_down(cursor, step_ms) + step_ms;
    let newest = align_down(now, step_ms);
    let end = newest.min(start + (steps_max.max(1) - 1).saturating_mul(step_ms));
    (start <= newest).then_some(Stretch { start, end, step_ms })
}

/// A backfill under way: oldest first, in chunks that grow and shrink with what the server can bear.
#[derive(Debug, Clone)]
pub struct Backfill {
    first: Timestamp,
    next: Timestamp,
    last: Timestamp,
    step_ms: i64,
    chunk_steps: i64,
}

impl Backfill {
    /// Everything from `from` up to, and not past, `until`.
    #[must_use]
    pub fn new(from: Timestamp, until: Timestamp, step_ms: i64) -> Self {
        let step_ms = step_ms.max(1);
        let first = align_down(from, step_ms) + step_ms;
        let last = align_down(until, step_ms);
        Self { first, next: first, last, step_ms, chunk_steps: FIRST_CHUNK_STEPS }
    }

    /// The oldest chunk not read yet; `None` when all is read.
    #[must_use]
    pub fn chunk(&self) -> Option<Stretch> {
        (self.next <= self.last).then(|| {
            let end = self.next + (self.steps_now() - 1) * self.step_ms;
            Stretch { start: self.next, end: end.min(self.last), step_ms: self.step_ms }
        })
    }

    /// The chunk was read and had `point_count` points: the next one is sized by it.
    pub fn advance(&mut self, read: Stretch, point_count: usize) {
        self.next = read.end + self.step_ms;
        let per_step = i64::try_from(point_count).unwrap_or(i64::MAX) / read.steps();
        let affordable = CHUNK_POINTS_AIM / per_step.max(1);
        // Doubling at most, so that one quiet stretch does not lead to a chunk that hurts.
        self.chunk_steps = affordable.min(self.steps_now().saturating_mul(2)).max(1);
    }

    /// The server could not bear it: the next chunk is half as long. False when it is one step long already.
    pub fn halve(&mut self) -> bool {
        let steps = self.chunk().map_or(1, |chunk| chunk.steps());
        self.chunk_steps = (steps / 2).max(1);
        steps > 1
    }

    /// Pieces of history read, and in all.
    #[must_use]
    pub fn progress(&self) -> (u32, u32) {
        let pieces = |ms: i64| u32::try_from(ms / PROGRESS_PIECE_MS).unwrap_or(u32::MAX);
        let all_ms = self.last.since_ms(self.first).max(0);
        let total = pieces(all_ms).saturating_add(1);
        let done = if self.next > self.last { total } else { pieces(self.next.since_ms(self.first)) };
        (done, total)
    }

    /// Everything up to this instant is known.
    #[must_use]
    pub fn known_until(&self) -> Timestamp {
        self.next - self.step_ms
    }

    fn steps_now(&self) -> i64 {
        self.chunk_steps.min(POINTS_PER_SERIES_MAX).min(CHUNK_MS_MAX / self.step_ms).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::clock::{DAY_MS, MINUTE_MS};

    #[test]
    fn live_windows_begin_after_the_cursor_and_end_at_now() {
        for (cursor, now, steps_max, wanted) in [
            (0, 14_999, 100, None),
            (0, 15_000, 100, Some((15_000, 15_000))),
            (0, 31_000, 100, Some((15_000, 30_000))),
            (7_000, 31_000, 100, Some((15_000, 30_000))),
            (0, 150_000, 3, Some((15_000, 45_000))),
            (150_000, 0, 3, None),
        ] {
            let stretch = live(Timestamp(cursor), Timestamp(now), 15_000, steps_max);
            assert_eq!(stretch.map(|it| (it.start.0, it.end.0)), wanted, "{cursor} {now}");
        }
    }

    #[test]
    fn a_chunk_grows_to_a_day_and_no_further() {
        let mut backfill = Backfill::new(Timestamp(0), Timestamp(21 * DAY_MS), 5 * MINUTE_MS);
        let lengths: Vec<i64> = std::iter::from_fn(|| {
            let chunk = backfill.chunk()?;
            backfill.advance(chunk, 100);
            Some(chunk.steps())
        })
        .collect();
        assert_eq!(lengths[..4], [72, 144, 288, 288]);
        assert_eq!(lengths.iter().sum::<i64>(), 21 * 288);
    }

    #[test]
    fn many_series_make_chunks_short() {
        let mut backfill = Backfill::new(Timestamp(0), Timestamp(21 * DAY_MS), 5 * MINUTE_MS);
        let chunk = backfill.chunk().unwrap();
        backfill.advance(chunk, 72 * 100_000);
        assert_eq!(backfill.chunk().unwrap().steps(), 15);
    }

    #[test]
    fn a_fine_step_stays_below_the_servers_limit() {
        let mut backfill = Backfill::new(Timestamp(0), Timestamp(2 * DAY_MS), 1_000);
        while let Some(chunk) = backfill.chunk() {
            assert!(chunk.steps() <= POINTS_PER_SERIES_MAX);
            backfill.advance(chunk, 1);
        }
    }

    #[test]
    fn halving_ends_at_one_step() {
        let mut backfill = Backfill::new(Timestamp(0), Timestamp(DAY_MS), 5 * MINUTE_MS);
        let halvings = std::iter::from_fn(|| backfill.halve().then_some(())).count();
        assert_eq!((halvings, backfill.chunk().unwrap().steps()), (6, 1));
    }

    #[test]
    fn nothing_to_read_is_done_at_once() {
        let backfill = Backfill::new(Timestamp(DAY_MS), Timestamp(DAY_MS), MINUTE_MS);
        assert_eq!(backfill.chunk(), None);
        let (done, total) = backfill.progress();
        assert_eq!(done, total);
    }

    proptest! {
        #[test]
        fn chunks_cover_the_time_once_and_in_order(
            from in 0_i64..DAY_MS, length in 0_i64..30 * DAY_MS, step_s in 1_i64..7_200,
            moods in proptest::collection::vec((any::<bool>(), 0_usize..10_000_000), 400),
        ) {
            let step_ms = step_s * 1_000;
            let mut backfill = Backfill::new(Timestamp(from), Timestamp(from + length), step_ms);
            let mut expected = align_down(Timestamp(from), step_ms) + step_ms;
            let mut done_before = 0;
            for (is_refused, points) in moods {
                let Some(chunk) = backfill.chunk() else { break };
                prop_assert_eq!(chunk.start, expected);
                prop_assert!(chunk.end >= chunk.start && chunk.end.0 <= from + length);
                prop_assert!(chunk.steps() <= POINTS_PER_SERIES_MAX);
                if is_refused && backfill.halve() {
                    prop_assert!(backfill.chunk().unwrap().steps() < chunk.steps());
                    continue;
                }
                backfill.advance(chunk, points);
                prop_assert_eq!(backfill.known_until(), chunk.end);
                expected = chunk.end + step_ms;
                let (done, total) = backfill.progress();
                prop_assert!(done >= done_before && done <= total);
                done_before = done;
            }
        }
    }
}
