//! Metrics from a server that speaks the Prometheus query API: Prometheus, VictoriaMetrics, Thanos, Mimir.
//!
//! First it learns which metrics there are and keeps the queries that can have an answer; then it reads history, oldest first
//! ([`backfill`]); then it asks, at every interval, for what is new since each query's cursor ([`poll`]), so that what a server or a network
//! that was away had kept is read afterwards. Everything is asked by the server's clock and told by ours ([`server_clock`]).
//!
//! The next start resumes from [`SourceReport::backfilled_until`](crate::engine::model::SourceReport), the oldest cursor; which queries that
//! is true of is kept in [`SourceReport::position`](crate::engine::model::SourceReport), as [`reach`] writes it.

pub(super) mod answer;
mod ask;
mod backfill;
pub mod default_queries;
mod poll;
pub mod queries;
mod reach;
mod series;
mod server_clock;
mod windows;

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;

pub(super) use ask::ask_now;

use answer::Text;
use queries::Query;
use reach::Reach;
use series::{SeriesTable, Taken};
use server_clock::ServerClock;

use super::backoff::Backoff;
use super::discovery::Discovery;
use super::http_client::{Answer, AskError, ClientSettings, HttpClient};
use super::{Health, IngestError, SignalSink, Source, StopSignal, normalize, wall_clock};
use crate::engine::clock::{DAY_MS, SECOND_MS, Timestamp};
use crate::engine::limits::{BATCH_SAMPLES_MAX, WARNING_BYTES_MAX};
use crate::engine::model::{SampleBatch, Signal, SourceKind, SourceName};
use crate::engine::settings::PrometheusSettings;

/// Between two looks at which metrics there are.
const PROBE_EVERY: Duration = Duration::from_secs(600);
/// Queries under way at once, whatever the settings say: a source must not hurt its server.
const CONCURRENCY_MAX: usize = 16;
/// Between two looks at how soon the next reading is wanted.
const PACE_LOOK: Duration = Duration::from_secs(2);
/// Shortest interval and step.
const INTERVAL_MS_MIN: i64 = SECOND_MS;

/// One server.
#[derive(Debug)]
pub struct PrometheusSource {
    name: SourceName,
    client: HttpClient,
    settings: PrometheusSettings,
    queries: Vec<Query>,
    resume_from: Option<Timestamp>,
    reach: Option<Reach>,
}

impl PrometheusSource {
    /// A source for one server; nothing is asked yet. `resume_from` is the instant up to which everything is known from an earlier
    /// life; `None` on first start. `kept` says of which queries, as the source itself wrote it; without it, of all of them.
    ///
    /// # Errors
    /// When the address, a secret, a header, a certificate, an interval or the list of queries cannot be used.
    pub fn new(
        settings: PrometheusSettings,
        resume_from: Option<Timestamp>,
        kept: Option<&str>,
    ) -> Result<Self, IngestError> {
        for (key, span, ms_min) in [
            ("interval", settings.interval, INTERVAL_MS_MIN),
            ("timeout", settings.timeout, 1),
            ("backfill", settings.backfill, 0),
            ("backfill_step", settings.backfill_step, INTERVAL_MS_MIN),
        ] {
            if !(ms_min..=3_660 * DAY_MS).contains(&span.0) {
                let problem =
                    format!("`{span}` is out of range; it must be at least {ms_min} ms and at most ten years");
                return Err(IngestError::Setting { name: settings.name, key, problem });
            }
        }
        let client = HttpClient::new(ClientSettings {
            name: &settings.name,
            url: &settings.url,
            timeout_ms: settings.timeout.0,
            bearer: &settings.bearer,
            username: settings.username.as_deref(),
            password: &settings.password,
            headers: Some(&settings.headers),
            ca_file: settings.ca_file.as_deref(),
        })?;
        let queries = queries::configured(&settings)?;
        let reach = kept.and_then(Reach::from_text);
        Ok(Self { name: SourceName::new(&settings.name), client, settings, queries, resume_from, reach })
    }
}

impl Source for PrometheusSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn run(self: Box<Self>, sink: SignalSink, stop: StopSignal) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let mut session = Session::new(*self, sink);
            // Every wait of a session may be cut short: what was asked and not taken is asked again at the next start.
            tokio::select! {
                biased;
                () = stop.stopped() => {}
                () = session.run() => {}
            }
        })
    }
}

/// What is remembered of one query.
#[derive(Debug)]
struct QueryState {
    /// True while the metrics it needs exist.
    is_known: bool,
    /// Everything up to it was taken, by the server's clock.
    cursor: Option<Timestamp>,
    /// Polls that succeeded.
    poll_count: u64,
    /// Steps asked for at once; halved while the server finds it too heavy.
    steps_max: i64,
    /// Its own pauses while it fails.
    backoff: Backoff,
    retry_at: Option<Instant>,
    /// What failed last, until it succeeds again.
    problem: Option<String>,
}

/// A source at work.
struct Session {
    client: HttpClient,
    settings: PrometheusSettings,
    queries: Vec<Query>,
    states: Vec<QueryState>,
    table: SeriesTable,
    clock: ServerClock,
    discovery: Discovery,
    health: Health,
    backoff: Backoff,
    sink: SignalSink,
    resume_from: Option<Timestamp>,
    /// Of which queries that is known, where an earlier life told.
    reach: Option<Reach>,
    probed_at: Option<Instant>,
    /// The longest pause after a failure; tests set it to nothing.
    pause_ms_max: u64,
}

impl Session {
    fn new(source: PrometheusSource, sink: SignalSink) -> Self {
        let PrometheusSource { name, client, settings, queries, resume_from, reach } = source;
        let states = queries
            .iter()
            .map(|query| QueryState {
                is_known: query.needs.is_empty(),
                cursor: None,
                poll_count: 0,
                steps_max: poll::STEPS_MAX,
                backoff: Backoff::for_name(&query.expr),
                retry_at: None,
                problem: None,
            })
            .collect();
        Self {
            table: SeriesTable::new(
                name.clone(),
                &settings.service_labels,
                &settings.instance_labels,
                settings.interval.0,
            ),
            health: Health::new(name.clone(), SourceKind::Prometheus, client.address()),
            backoff: Backoff::for_name(name.as_str()),
            discovery: Discovery::new(name, &settings.defaults),
            clock: ServerClock::default(),
            client,
            settings,
            queries,
            states,
            sink,
            resume_from,
            reach,
            probed_at: None,
            pause_ms_max: u64::MAX,
        }
    }

    async fn run(&mut self) {
        self.report().await;
        self.reach().await;
        self.backfill().await;
        loop {
            let started = Instant::now();
            match self.turn().await {
                Ok(is_behind) => {
                    self.backoff.reset();
                    if !is_behind {
                        self.wait_for_next(started).await;
                    }
                }
                Err(error) => {
                    self.rest(&error).await;
                    self.reach().await;
                }
            }
        }
    }

    /// One poll with what belongs to it; true when there is more to read at once.
    async fn turn(&mut self) -> Result<bool, AskError> {
        let is_stale = self.probed_at.is_none_or(|at| at.elapsed() >= PROBE_EVERY);
        if is_stale || self.states.iter().all(|state| !state.is_known) {
            self.probe().await?;
        }
        let is_behind = self.poll().await?;
        self.discover().await;
        self.report().await;
        Ok(is_behind)
    }

    /// Returns once the server answers.
    async fn reach(&mut self) {
        while let Err(error) = self.probe().await {
            self.rest(&error).await;
        }
        self.backoff.reset();
    }

    /// Says that the server is down, and waits until the next try.
    async fn rest(&mut self, error: &AskError) {
        let pause_ms = self.backoff.next_ms_after(error.retry_after_ms());
        let now = wall_clock::now();
        let retry_at = now + i64::try_from(pause_ms).unwrap_or(i64::MAX);
        self.health.down(now, &error.to_string(), retry_at);
        self.report().await;
        self.pause(pause_ms).await;
    }

    /// Waits for the next reading. It may be wanted sooner than it was when the waiting began.
    async fn wait_for_next(&self, started: Instant) {
        loop {
            let every_ms = u64::try_from(self.step_ms(wall_clock::now())).unwrap_or(0);
            let left = Duration::from_millis(every_ms).saturating_sub(started.elapsed());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(PACE_LOOK)).await;
        }
    }

    async fn pause(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms.min(self.pause_ms_max))).await;
    }

    /// Learns which metrics there are, so that queries that cannot have an answer cost nothing.
    async fn probe(&mut self) -> Result<(), AskError> {
        let answer = self.client.get("/api/v1/label/__name__/values", &[]).await?;
        let told = answer::read::<Vec<Text<'_>>>(&answer.body).map_err(|problem| unreadable(&answer, &problem))?;
        self.clock.observe(answer.skew_ms);
        let names: FxHashSet<&str> = told.data.iter().map(|name| &*name.0).collect();
        for (query, state) in self.queries.iter().zip(&mut self.states) {
            state.is_known = query.needs.iter().all(|name| names.contains(name));
        }
        self.discovery.learn(|name| names.contains(name));
        self.probed_at = Some(Instant::now());
        Ok(())
    }

    async fn report(&self) {
        self.sink.send(self.health.signal()).await;
    }

    /// Counts what a poll or chunk gave, and hands it in: series first, then samples in order of time.
    async fn hand_in(&mut self, mut taken: Taken, is_backfill: bool) {
        taken.sort();
        self.health.accept(u64::try_from(taken.samples.len()).unwrap_or(u64::MAX));
        self.health.counter_resets(taken.counter_reset_count);
        for (reason, count) in &taken.dropped {
            self.health.drop_for(*reason, *count);
        }
        for notice in taken.notices {
            self.sink.send(Signal::Series(notice)).await;
        }
        for samples in taken.samples.chunks(BATCH_SAMPLES_MAX) {
            let batch = SampleBatch { source: self.health.source().clone(), is_backfill, samples: samples.to_vec() };
            self.sink.send(Signal::Samples(batch)).await;
        }
        let poll_counts: Vec<u64> = self.states.iter().map(|state| state.poll_count).collect();
        self.table.forget(&poll_counts);
        let (series_count, vanished_count) = self.table.counts(&poll_counts);
        self.health.series(series_count, vanished_count);
        self.health.clock_skew(self.clock.skew_ms());
    }

    fn concurrency(&self) -> usize {
        self.settings.concurrency.clamp(1, CONCURRENCY_MAX)
    }
}

fn unreadable(answer: &Answer, problem: &str) -> AskError {
    AskError::Unreadable {
        address: std::sync::Arc::clone(&answer.address),
        problem: normalize::sanitize(problem, WARNING_BYTES_MAX),
    }
}

#[cfg(test)]
mod tests;
