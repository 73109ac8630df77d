//! Reading history on first start and after a long absence: oldest first, chunk by chunk, in order of time across all series.
//!
//! A chunk is whole before it is handed in: a query that fails is asked again, in halves where it is too heavy, while the answers of the
//! others are kept. What cannot be had at all is left out and told, so that one bad query does not keep the rest from its past.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use rustc_hash::FxHashSet;

use super::Session;
use super::ask::{Trouble, Wanted, ask_all, weigh};
use super::poll::SLOW_IN_A_ROW_MAX;
use super::reach::{Reach, Reached};
use super::series::Taken;
use super::windows::{Backfill, Stretch};
use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::ingest::http_client::AskError;
use crate::engine::ingest::wall_clock;

/// A gap up to this is read like any missed poll, at full resolution and as something that may be judged.
const LIVE_GAP_MS_MAX: i64 = 30 * MINUTE_MS;
/// A piece that is refused this often, as small as it can be, is left out.
const ATTEMPTS_MAX: u32 = 5;

/// Whose history is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// That of every query: the place of the source moves along.
    All,
    /// That of queries which are behind the source.
    Behind,
}

/// A chunk being gathered.
struct Gathering {
    wanted: Vec<Wanted>,
    taken: Taken,
    warnings: Vec<String>,
    refused_count: u32,
    left_out: Vec<String>,
    is_heavy: bool,
    pause_ms: u64,
}

/// One round of asking.
#[derive(Default)]
struct Round {
    heard_count: usize,
    failed: FxHashSet<usize>,
    slow_in_a_row: u32,
    lost: Option<AskError>,
}

impl Session {
    /// Reads everything from where an earlier life ended, or from the start of the history wanted, up to now. Queries that the earlier
    /// life did not have are brought to where it ended first.
    pub(super) async fn backfill(&mut self) {
        let oldest = wall_clock::now() - self.settings.backfill.0;
        let known_until = self.resume_from.filter(|known_until| *known_until > oldest);
        let mut left_out = Vec::new();
        if let Some(known_until) = known_until {
            self.catch_up(oldest, known_until, &mut left_out).await;
        }
        self.all_are_level();
        let now = wall_clock::now();
        let from = known_until.unwrap_or(oldest).min(now);
        let (from, until) = (self.clock.theirs(from), self.clock.theirs(now));
        if until.since_ms(from) <= LIVE_GAP_MS_MAX {
            return self.start_live_from(from);
        }
        let plan = Backfill::new(from, until, self.settings.backfill_step.0);
        let every: Vec<usize> = (0..self.queries.len()).collect();
        let reached = self.read_history(plan, (&every, Whose::All), &mut left_out).await;
        self.start_live_from(reached);
    }

    /// Reads the history of the queries that are behind the others, up to `known_until`; those that are furthest behind first.
    async fn catch_up(&mut self, oldest: Timestamp, known_until: Timestamp, left_out: &mut Vec<String>) {
        let Some(reach) = &self.reach else { return };
        let mut behind: BTreeMap<Timestamp, Vec<usize>> = BTreeMap::new();
        for (at, query) in self.queries.iter().enumerate() {
            let from = match reach.of(query) {
                Reached::AsTheSource => continue,
                Reached::Until(until) => until.max(oldest),
                Reached::Nothing => oldest,
            };
            if from < known_until {
                behind.entry(from).or_default().push(at);
            }
        }
        for (from, queries) in behind {
            let (from, until) = (self.clock.theirs(from), self.clock.theirs(known_until));
            let plan = Backfill::new(from, until, self.settings.backfill_step.0);
            self.read_history(plan, (&queries, Whose::Behind), left_out).await;
        }
    }

    /// From here on what is known of one query is known of all.
    fn all_are_level(&mut self) {
        let mut reach = Reach::default();
        self.queries.iter().for_each(|query| reach.set(query, None));
        self.health.read_up_to(reach.to_text().map(Arc::from));
        self.reach = Some(reach);
    }

    /// Reads what `plan` says of these queries, and tells how far it has come; returns up to where all of it is known.
    async fn read_history(
        &mut self,
        mut plan: Backfill,
        (queries, whose): (&[usize], Whose),
        left_out: &mut Vec<String>,
    ) -> Timestamp {
        self.tell_progress(&plan, (queries, whose)).await;
        while let Some(chunk) = plan.chunk() {
            let gathered = self.gather(chunk, queries).await;
            let point_count = gathered.taken.samples.len();
            self.hand_in(gathered.taken, true).await;
            plan.advance(chunk, point_count);
            if gathered.is_heavy {
                plan.halve();
            }
            left_out.extend(gathered.left_out);
            self.health.warnings(gathered.warnings.iter().chain(left_out.iter()));
            self.tell_progress(&plan, (queries, whose)).await;
        }
        plan.known_until()
    }

    fn start_live_from(&mut self, cursor: Timestamp) {
        for state in &mut self.states {
            state.backoff.reset();
            state.cursor = Some(cursor);
        }
    }

    async fn tell_progress(&mut self, plan: &Backfill, (queries, whose): (&[usize], Whose)) {
        let (done, total) = plan.progress();
        let known_until = (done > 0 || plan.chunk().is_none()).then(|| self.clock.ours(plan.known_until()));
        if let (Some(reach), Some(until), Whose::Behind) = (&mut self.reach, known_until, whose) {
            for at in queries {
                reach.set(&self.queries[*at], Some(until));
            }
            self.health.read_up_to(reach.to_text().map(Arc::from));
        }
        // What is known of some queries only does not move the place from which the next start reads all of them.
        self.health.backfilling(wall_clock::now(), done, total, known_until.filter(|_| whose == Whose::All));
        self.report().await;
    }

    /// One chunk of those of `queries` that are known. Returns when it is as whole as it can be.
    async fn gather(&mut self, chunk: Stretch, queries: &[usize]) -> Gathering {
        let known = queries.iter().filter(|at| self.states[**at].is_known);
        let mut gathering = Gathering {
            wanted: known.map(|at| (*at, chunk)).collect(),
            taken: Taken::default(),
            warnings: Vec::new(),
            refused_count: 0,
            left_out: Vec::new(),
            is_heavy: false,
            pause_ms: 0,
        };
        while !gathering.wanted.is_empty() {
            let lost = self.gather_round(&mut gathering).await;
            if let Some(error) = lost {
                self.rest(&error).await;
                self.reach().await;
            } else if gathering.pause_ms > 0 {
                self.pause(gathering.pause_ms).await;
            }
        }
        gathering
    }

    /// Asks for all that is wanted once; what failed is wanted again. Returns the error when the server is lost.
    async fn gather_round(&mut self, gathering: &mut Gathering) -> Option<AskError> {
        let wanted = std::mem::take(&mut gathering.wanted);
        let expressions = wanted.iter().map(|wanted| (*wanted, self.queries[wanted.0].expr.clone())).collect();
        let now = wall_clock::now();
        let mut round = Round::default();
        gathering.pause_ms = 0;
        let mut answers =
            std::pin::pin!(ask_all(&self.client, expressions, self.concurrency(), self.settings.timeout.0));
        while let Some((wanted, answer)) = answers.next().await {
            round.heard_count += 1;
            if round.failed.contains(&wanted.0) {
                // Its older half is missing still: taking this one now would make the older one late.
                gathering.wanted.push(wanted);
                continue;
            }
            let Gathering { taken, warnings, .. } = gathering;
            let Err(error) = answer.and_then(|answer| self.take(wanted, &answer, now, taken, warnings)) else {
                round.slow_in_a_row = 0;
                continue;
            };
            round.failed.insert(wanted.0);
            round.slow_in_a_row += u32::from(matches!(error, AskError::TimedOut { .. }));
            if weigh(&error) == Trouble::Server || round.slow_in_a_row >= SLOW_IN_A_ROW_MAX {
                gathering.wanted.push(wanted);
                round.lost = Some(error);
                break;
            }
            self.ask_again(gathering, wanted, &error);
        }
        gathering.wanted.extend(wanted.into_iter().skip(round.heard_count));
        gathering.refused_count = if round.failed.is_empty() { 0 } else { gathering.refused_count + 1 };
        round.lost
    }

    /// Wants a piece that was refused again: in halves where that may help, or not at all.
    fn ask_again(&mut self, gathering: &mut Gathering, (at, stretch): Wanted, error: &AskError) {
        let halves = (weigh(error) == Trouble::Heavy).then(|| Self::halves(stretch)).flatten();
        gathering.is_heavy |= halves.is_some();
        let is_hopeless = weigh(error) == Trouble::Query || gathering.refused_count >= ATTEMPTS_MAX;
        match halves {
            Some(halves) => gathering.wanted.extend(halves.map(|half| (at, half))),
            None if is_hopeless => {
                let metric = &self.queries[at].metric;
                gathering.left_out.push(format!("history of `{metric}` before {} is left out: {error}", stretch.end));
                return;
            }
            None => gathering.wanted.push((at, stretch)),
        }
        let pause_ms = self.states[at].backoff.next_ms_after(error.retry_after_ms());
        gathering.pause_ms = gathering.pause_ms.max(pause_ms);
    }
}
