//! Live polling: everything since each query's cursor, failures query by query, and the state that follows from them.

use std::time::{Duration, Instant};

use futures_util::StreamExt;

use super::answer::{self, Matrix};
use super::ask::{Trouble, Wanted, ask_all, weigh};
use super::series::Taken;
use super::windows::{Stretch, align_down, live};
use super::{Session, unreadable};
use crate::engine::clock::{HOUR_MS, SECOND_MS, Timestamp};
use crate::engine::ingest::http_client::{Answer, AskError};
use crate::engine::ingest::wall_clock;
use crate::engine::model::Signal;

/// Steps asked of one query at once while catching up.
pub const STEPS_MAX: i64 = 1_000;
/// After this many answers in a row that are too slow, with none in time, the server as a whole is taken to be down.
pub const SLOW_IN_A_ROW_MAX: u32 = 3;
/// A query that is behind the others by more than this does not hold back where the next start resumes.
const RESUME_LAG_MS_MAX: i64 = HOUR_MS;
/// Our clock may be ahead of the server's by this much without it being a leap.
const LEAP_MS_MIN: i64 = 5 * SECOND_MS;

/// What came of one poll.
#[derive(Default)]
struct Tally {
    answered_count: usize,
    slow_count: u32,
    lost: Option<AskError>,
    warnings: Vec<String>,
}

impl Session {
    /// Asks every query that is due for what is new. True when there is more to read at once.
    ///
    /// # Errors
    /// When no query was answered: then the server is down.
    pub(super) async fn poll(&mut self) -> Result<bool, AskError> {
        let started = Instant::now();
        let now = wall_clock::now();
        let wanted = self.wanted(now);
        let newest = align_down(self.clock.theirs(now), self.step_ms(now));
        let mut tally = Tally::default();
        let mut taken = Taken::default();
        let expressions = wanted.into_iter().map(|wanted| (wanted, self.queries[wanted.0].expr.clone())).collect();
        let mut answers =
            std::pin::pin!(ask_all(&self.client, expressions, self.concurrency(), self.settings.timeout.0));
        while let Some((wanted, answer)) = answers.next().await {
            let outcome = answer.and_then(|answer| self.take(wanted, &answer, now, &mut taken, &mut tally.warnings));
            self.note(wanted, outcome, &mut tally);
            if tally.lost.is_some() {
                break;
            }
        }
        self.hand_in(taken, false).await;
        if let Some(error) = tally.lost {
            return Err(error);
        }
        self.health.poll_took(u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX));
        self.health.known_until(self.oldest_cursor().map(|cursor| self.clock.ours(cursor)));
        self.judge(tally);
        Ok(self.states.iter().any(|state| {
            state.is_known && state.problem.is_none() && state.cursor.is_some_and(|cursor| cursor < newest)
        }))
    }

    /// Between two readings.
    pub(super) fn step_ms(&self, now: Timestamp) -> i64 {
        self.sink.pace().every_ms(self.settings.interval.0, now)
    }

    /// What is to be asked now, query by query.
    fn wanted(&mut self, now: Timestamp) -> Vec<Wanted> {
        let step_ms = self.step_ms(now);
        let theirs = self.clock.theirs(now);
        let oldest = theirs - self.settings.backfill.0.max(step_ms);
        let mut wanted = Vec::new();
        for (at, state) in self.states.iter_mut().enumerate() {
            let is_resting = state.retry_at.is_some_and(|retry_at| retry_at > Instant::now());
            if !state.is_known || is_resting {
                continue;
            }
            let mut cursor = state.cursor.unwrap_or(theirs - step_ms).max(oldest);
            if cursor > theirs + step_ms {
                // Their clock went back: waiting for it to come round again would be silence.
                cursor = theirs - step_ms;
            }
            state.cursor = Some(cursor);
            if let Some(stretch) = live(cursor, theirs, step_ms, state.steps_max) {
                wanted.push((at, stretch));
            }
        }
        wanted
    }

    /// Reads an answer and takes its series over.
    pub(super) fn take(
        &mut self,
        (at, _): Wanted,
        answer: &Answer,
        now: Timestamp,
        taken: &mut Taken,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Timestamp>, AskError> {
        let told = answer::read::<Matrix<'_>>(&answer.body).map_err(|problem| unreadable(answer, &problem))?;
        self.clock.observe(answer.skew_ms);
        let poll = self.states[at].poll_count + 1;
        for entry in &told.data.result {
            self.table.take((at, &self.queries[at]), poll, entry, self.clock.offset_ms(), now, taken);
        }
        for warning in told.warnings {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        Ok(answer.skew_ms.map(|skew_ms| wall_clock::now() + skew_ms))
    }

    /// Moves the query's cursor, or notes its failure.
    fn note(&mut self, wanted: Wanted, outcome: Result<Option<Timestamp>, AskError>, tally: &mut Tally) {
        match outcome {
            Ok(their_now) => {
                tally.answered_count += 1;
                self.note_success(wanted, their_now);
            }
            Err(error) => self.note_failure(wanted, error, tally),
        }
    }

    fn note_success(&mut self, (at, stretch): Wanted, their_now: Option<Timestamp>) {
        let state = &mut self.states[at];
        // What lies ahead of the server's own clock it cannot have answered, whatever our clock says.
        let newest = their_now.map_or(stretch.end, |their_now| align_down(their_now + LEAP_MS_MIN, stretch.step_ms));
        state.cursor = state.cursor.max(Some(stretch.end.min(newest)));
        state.poll_count += 1;
        state.steps_max = state.steps_max.saturating_mul(2).min(STEPS_MAX);
        state.backoff.reset();
        (state.retry_at, state.problem) = (None, None);
    }

    fn note_failure(&mut self, (at, stretch): Wanted, error: AskError, tally: &mut Tally) {
        let state = &mut self.states[at];
        let trouble = weigh(&error);
        if trouble == Trouble::Heavy {
            state.steps_max = (stretch.steps() / 2).max(1);
        }
        let pause_ms = state.backoff.next_ms_after(error.retry_after_ms());
        state.retry_at = Some(Instant::now() + Duration::from_millis(pause_ms));
        state.problem = Some(error.to_string());
        tally.slow_count += u32::from(matches!(error, AskError::TimedOut { .. }));
        let is_hung = tally.slow_count >= SLOW_IN_A_ROW_MAX && tally.answered_count == 0;
        let none_works = self.states.iter().filter(|state| state.is_known).all(|state| state.problem.is_some());
        if trouble == Trouble::Server || is_hung || none_works {
            self.states[at].retry_at = None;
            tally.lost = Some(error);
        }
    }

    /// The state that follows from a poll in which something was answered, or nothing was due.
    fn judge(&mut self, tally: Tally) {
        let now = wall_clock::now();
        let failing: Vec<(&str, &str)> = self
            .queries
            .iter()
            .zip(&self.states)
            .filter(|(_, state)| state.is_known)
            .filter_map(|(query, state)| Some((query.metric.as_str(), state.problem.as_deref()?)))
            .collect();
        let known_count = self.states.iter().filter(|state| state.is_known).count();
        let reason = match (failing.first(), tally.warnings.first(), self.clock.warning()) {
            (Some((metric, problem)), _, _) => {
                Some(format!("{} of {known_count} queries fail; `{metric}`: {problem}", failing.len()))
            }
            (None, Some(warning), _) => Some(format!("a partial answer: {warning}; check the servers behind it")),
            (None, None, warning) => warning,
        };
        match reason {
            Some(reason) => self.health.degraded(now, &reason),
            None => self.health.healthy(now),
        }
        let mut warnings = tally.warnings;
        warnings.extend(self.clock.warning());
        if known_count == 0 {
            warnings.push(
                "it has none of the metrics that the ready-made queries need; write your own under [[prometheus.query]]".to_owned(),
            );
        }
        self.health.warnings(warnings);
    }

    fn oldest_cursor(&self) -> Option<Timestamp> {
        let cursors = || self.states.iter().filter(|state| state.is_known).filter_map(|state| state.cursor);
        let newest = cursors().max()?;
        cursors().filter(|cursor| newest.since_ms(*cursor) <= RESUME_LAG_MS_MAX).min()
    }

    /// Asks for the edges of the topology, where that is due. A failure is the poll's to tell: the same server was just asked.
    pub(super) async fn discover(&mut self) {
        let now = wall_clock::now();
        let edges = self.discovery.ask(&self.client, self.clock.theirs(now), now).await;
        self.health.accept(u64::try_from(edges.len()).unwrap_or(u64::MAX));
        for edge in edges {
            self.sink.send(Signal::Edge(edge)).await;
        }
    }

    /// A stretch in two halves, the older first; `None` when it is a single step.
    pub(super) fn halves(stretch: Stretch) -> Option<[Stretch; 2]> {
        let steps = stretch.steps();
        (steps > 1).then(|| {
            let middle = stretch.start + (steps / 2 - 1) * stretch.step_ms;
            [Stretch { end: middle, ..stretch }, Stretch { start: middle + stretch.step_ms, ..stretch }]
        })
    }
}
