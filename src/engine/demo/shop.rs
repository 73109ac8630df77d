//! The shop as a whole: its clock, its story, and the signals that it sends. Pure and deterministic: time is handed in,
//! and the same seed gives the same signals, whatever the steps in which it is driven.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

use super::alerts::Alerts;
use super::deployments::Deployments;
use super::faults::{self, ActiveFault, Effects};
use super::hosts::Hosts;
use super::layout;
use super::load;
use super::logs::Logs;
use super::machines;
use super::patch_office;
use super::performance::Model;
use super::routine;
use super::scenarios::{ChangeSpec, Event, Happening, Scenario};
use super::telemetry::{INTERVAL_MS, Telemetry};
use crate::engine::clock::{DAY_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::limits;
use crate::engine::model::{
    ChangeNotice, EdgeNotice, EdgeOrigin, Sample, SampleBatch, ServiceName, Signal, SourceKind, SourceName,
    SourceReport, SourceState,
};
use crate::engine::patches::keeping::OfficeInMemory;

/// Name of the source that the shop is.
pub const SOURCE: &str = "shop";
/// History before the live part.
pub const HISTORY_DAYS: i64 = 21;
/// Between two samples of that history.
pub const HISTORY_STEP_MS: i64 = 5 * MINUTE_MS;
/// The model's own step in the live part.
const STEP_MS: i64 = SECOND_MS;
/// Between two tellings of the same edges, and of the source's own health.
const REPORT_MS: i64 = MINUTE_MS;
/// How long the weather lasts: customers come in slightly greater or smaller numbers for about this long.
const WEATHER_MS: f64 = 40.0 * 60_000.0;
/// One standard deviation of it.
const WEATHER: f64 = 0.018;
/// Harmless changes in the hours before the live part.
const DECOYS_MIN: usize = 4;

/// Capacity made ready for a surge grows with this power of it.
const CAPACITY_EXPONENT: f64 = 0.92;

/// More customers than usual.
#[derive(Debug, Clone, Copy)]
struct Surge {
    since: Timestamp,
    times: f64,
    ramp_ms: i64,
}

impl Surge {
    fn times_at(self, at: Timestamp) -> f64 {
        let share = (at.since_ms(self.since) as f64 / self.ramp_ms.max(1) as f64).clamp(0.0, 1.0);
        1.0 + (self.times - 1.0) * share
    }
}

/// The simulated shop.
pub struct Shop {
    pub(super) scenario: &'static Scenario,
    start: Timestamp,
    /// How far the model has come.
    at: Timestamp,
    /// When samples were last taken.
    sampled_at: Timestamp,
    pub(super) model: Model,
    pub(super) deployments: Deployments,
    pub(super) faults: Vec<ActiveFault>,
    /// Versions of nodes that have a fault in them: it comes back with them.
    pub(super) faulty_versions: Vec<(usize, Arc<str>, ActiveFault)>,
    /// Events of the story that have not happened, and their changes told; by position in the story.
    next_event: usize,
    next_told: usize,
    surge: Option<Surge>,
    weather: f64,
    random: Pcg64,
    source: SourceName,
    telemetry: Telemetry,
    hosts: Hosts,
    /// Its machines, with what is installed there and what is known of that.
    pub(super) office: Arc<OfficeInMemory>,
    logs: Logs,
    alerts: Alerts,
    decoys: Vec<(Timestamp, ChangeSpec)>,
    accepted_count: u64,
}

impl Shop {
    /// A shop whose live part begins at `start`, with its history still to be read.
    #[must_use]
    pub fn new(scenario: &'static Scenario, seed: u64, start: Timestamp) -> Self {
        let source = SourceName::new(SOURCE);
        let mut random = Pcg64::new(u128::from(seed), 3);
        let decoys = decoys(&mut random, start);
        let begin = start - HISTORY_DAYS * DAY_MS;
        let telemetry = Telemetry::new(source.clone(), seed);
        Self {
            scenario,
            start,
            at: begin,
            sampled_at: begin,
            model: Model::new(),
            deployments: Deployments::new(),
            faults: Vec::new(),
            faulty_versions: Vec::new(),
            next_event: 0,
            next_told: 0,
            surge: None,
            weather: 0.0,
            random,
            hosts: Hosts::new(source.clone(), telemetry.series_count(), seed),
            telemetry,
            office: patch_office::office(start),
            logs: Logs::new(source.clone(), seed),
            alerts: Alerts::new(source.clone()),
            source,
            decoys,
            accepted_count: 0,
        }
    }

    /// What is played.
    #[must_use]
    pub fn scenario(&self) -> &'static Scenario {
        self.scenario
    }

    /// When the live part begins.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// How far it has come.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.at
    }

    /// How many series the shop has.
    #[must_use]
    pub fn series_count(&self) -> usize {
        self.telemetry.series_count() + self.hosts.series_count()
    }

    /// What is installed on its machines and what is known of that: rollouts change it.
    #[must_use]
    pub fn office(&self) -> Arc<OfficeInMemory> {
        Arc::clone(&self.office)
    }

    /// Everything up to the live part, oldest first: what the series are, who calls whom, 21 days of samples, lately
    /// written log lines, and the changes of the last hours.
    pub fn history(&mut self) -> impl Iterator<Item = Signal> + '_ {
        let steps_in_batch = (limits::BATCH_SAMPLES_MAX / self.series_count()).max(1);
        // The last minutes are left to `closing`, which takes them in the live part's small steps.
        let steps = usize::try_from(HISTORY_DAYS * DAY_MS / HISTORY_STEP_MS - 1).unwrap_or(0);
        let total = steps.div_ceil(steps_in_batch);
        let mut opening = self.telemetry.notices();
        opening.extend(self.hosts.notices());
        opening.extend(self.edges(self.start));
        let mut done = 0;
        let mut is_closed = false;
        let batches = std::iter::from_fn(move || {
            if done < total {
                let count = steps_in_batch.min(steps - done * steps_in_batch);
                done += 1;
                return Some(self.history_chunk(count, done, total));
            }
            (!std::mem::replace(&mut is_closed, true)).then(|| self.closing())
        });
        opening.into_iter().chain(batches.flatten())
    }

    fn history_chunk(&mut self, steps: usize, done: usize, total: usize) -> Vec<Signal> {
        let mut samples = Vec::with_capacity(steps * self.series_count());
        for _ in 0..steps {
            let next = self.at + HISTORY_STEP_MS;
            self.step_to(next);
            self.sample(next, HISTORY_STEP_MS, &mut samples);
            self.sampled_at = next;
        }
        self.accepted_count += samples.len() as u64;
        let batch = SampleBatch { source: self.source.clone(), is_backfill: true, samples };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let report = self.report(SourceState::Backfilling { done: count(done), total: count(total) });
        vec![Signal::Samples(batch), report]
    }

    /// What has lately been written and changed, and that history is through.
    fn closing(&mut self) -> Vec<Signal> {
        while self.at < self.start {
            self.step_to(self.at + STEP_MS);
        }
        let mut signals = Vec::new();
        for minutes in (1..=60).rev().step_by(3) {
            self.logs.usual(self.start - minutes * MINUTE_MS, &mut signals);
        }
        let decoys = std::mem::take(&mut self.decoys);
        signals.extend(decoys.iter().map(|(at, spec)| self.change(*spec, *at)));
        self.tell_changes(self.start, &mut signals);
        signals.push(self.report(SourceState::Healthy));
        signals
    }

    /// Lets the shop run until `now` and gives what it sent on the way, oldest first. Time that has passed already
    /// gives nothing.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Signal> {
        let mut signals = Vec::new();
        while self.at + STEP_MS <= now {
            let next = self.at + STEP_MS;
            self.step_to(next);
            self.tell_changes(next, &mut signals);
            let is_due = next > self.start && next.since_ms(self.start) % INTERVAL_MS == 0;
            if is_due {
                self.tell(next, &mut signals);
            }
        }
        signals
    }

    /// Everything that is sent at one instant of the live part.
    fn tell(&mut self, at: Timestamp, signals: &mut Vec<Signal>) {
        let mut samples = Vec::with_capacity(self.series_count());
        self.sample(at, at.since_ms(self.sampled_at), &mut samples);
        self.sampled_at = at;
        self.accepted_count += samples.len() as u64;
        signals.push(Signal::Samples(SampleBatch { source: self.source.clone(), is_backfill: false, samples }));
        let effects = self.effects(at);
        self.logs.usual(at, signals);
        self.logs.troubles(&self.model, &effects, at, signals);
        self.alerts.evaluate(&self.model, self.customers(at) / load::PEAK_PER_SECOND, at, signals);
        if at.since_ms(self.start) % REPORT_MS == 0 {
            signals.extend(self.edges(at));
        }
        signals.push(self.report(SourceState::Healthy));
    }

    fn sample(&mut self, at: Timestamp, gap_ms: i64, samples: &mut Vec<Sample>) {
        self.telemetry.sample(&self.model, at, gap_ms, samples);
        let office = &self.office;
        self.hosts.sample(|machine| machines::is_broken(office, machine), at, samples);
    }

    /// Moves the model on to `next` in one step.
    fn step_to(&mut self, next: Timestamp) {
        let gap_ms = next.since_ms(self.at);
        self.play_events(next);
        let kept = (-(gap_ms as f64) / WEATHER_MS).exp();
        let draw: f64 = StandardNormal.sample(&mut self.random);
        self.weather = kept * self.weather + (1.0 - kept * kept).sqrt() * draw;
        if let Some(surge) = self.surge {
            // What was announced finds its capacity ready, a little busier than usual.
            let times = surge.times_at(next).powf(CAPACITY_EXPONENT);
            self.model.nodes.iter_mut().for_each(|node| node.scale = times);
        }
        let effects = self.effects(next);
        self.model.step(next, gap_ms as f64 / SECOND_MS as f64, self.customers(next), &effects);
        self.faults.retain(|fault| !fault.is_over(next));
        self.at = next;
    }

    fn customers(&self, at: Timestamp) -> f64 {
        let surge = self.surge.map_or(1.0, |surge| surge.times_at(at));
        load::expected_per_second(at) * surge * (1.0 + WEATHER * self.weather.clamp(-2.0, 2.0))
    }

    fn effects(&self, at: Timestamp) -> Vec<Effects> {
        let mut active = self.faults.clone();
        active.extend(self.batch(at));
        faults::effects(&active, at)
    }

    /// The batch job's doings, while it runs.
    fn batch(&self, at: Timestamp) -> Vec<ActiveFault> {
        let since_ms = (at.0 - routine::batch_at_ms(self.scenario, self.start)).rem_euclid(DAY_MS);
        if since_ms >= routine::BATCH_MS {
            return Vec::new();
        }
        let doing = |fault: &faults::Fault| ActiveFault {
            fault: *fault,
            begun_at: at - since_ms,
            ramp_ms: MINUTE_MS,
            mended_by: Vec::new(),
            mended_at: None,
        };
        routine::BATCH.iter().map(doing).collect()
    }

    fn play_events(&mut self, until: Timestamp) {
        while let Some(event) = self.due(self.next_event, until) {
            self.next_event += 1;
            let at = self.start + event.at_ms;
            match &event.what {
                Happening::Change(spec) => self.deployments.record(spec, at),
                Happening::Fault { fault, ramp_ms, mended_by } => self.begin(ActiveFault {
                    fault: *fault,
                    begun_at: at,
                    ramp_ms: *ramp_ms,
                    mended_by: mended_by.to_vec(),
                    mended_at: None,
                }),
                Happening::Surge { times, ramp_ms } => {
                    self.surge = Some(Surge { since: at, times: *times, ramp_ms: *ramp_ms });
                }
            }
        }
    }

    /// Tells of the story's changes; those before the live part are told as it begins.
    fn tell_changes(&mut self, until: Timestamp, signals: &mut Vec<Signal>) {
        if until < self.start {
            return;
        }
        while let Some(event) = self.due(self.next_told, until) {
            self.next_told += 1;
            if let Happening::Change(spec) = &event.what {
                signals.push(self.change(*spec, self.start + event.at_ms));
            }
        }
    }

    fn due(&self, position: usize, until: Timestamp) -> Option<&'static Event> {
        self.scenario.events.get(position).filter(|event| self.start + event.at_ms <= until)
    }

    fn change(&self, spec: ChangeSpec, at: Timestamp) -> Signal {
        Signal::Change(ChangeNotice {
            source: self.source.clone(),
            external_id: Arc::from(format!("{}@{at}", spec.title)),
            kind: spec.kind,
            service: spec.service.map(ServiceName::new),
            title: Arc::from(spec.title),
            version: spec.version.map(Arc::from),
            author: Some(Arc::from(spec.author)),
            url: None,
            at,
            finished_at: None,
            has_taken_effect: true,
            content: None,
        })
    }

    fn edges(&self, at: Timestamp) -> Vec<Signal> {
        let edge = |(caller, callee): (&str, &str)| {
            Signal::Edge(EdgeNotice {
                source: self.source.clone(),
                caller: ServiceName::new(caller),
                callee: ServiceName::new(callee),
                origin: EdgeOrigin::Discovered,
                seen_at: at,
            })
        };
        layout::edges().map(edge).collect()
    }

    fn report(&self, state: SourceState) -> Signal {
        Signal::Source(SourceReport {
            source: self.source.clone(),
            kind: SourceKind::Demo,
            address: Arc::from(format!("simulated shop, scenario {}", self.scenario.name)),
            state,
            last_ok_at: Some(self.sampled_at),
            backfilled_until: Some(self.sampled_at),
            position: None,
            accepted_count: self.accepted_count,
            dropped: BTreeMap::new(),
            counter_reset_count: 0,
            series_count: u32::try_from(self.series_count()).unwrap_or(u32::MAX),
            vanished_series_count: 0,
            clock_skew_ms: Some(0),
            poll_ms: Some(1),
            warnings: Vec::new(),
        })
    }
}

/// Harmless changes of the last hours, oldest first.
fn decoys(random: &mut Pcg64, start: Timestamp) -> Vec<(Timestamp, ChangeSpec)> {
    let mut chosen: Vec<(Timestamp, ChangeSpec)> = Vec::new();
    for (position, (from, to, spec)) in routine::DECOYS.iter().enumerate() {
        let minutes: i64 = random.random_range(*from..*to);
        let is_taken = random.random_bool(0.6);
        if is_taken || routine::DECOYS.len() - position + chosen.len() <= DECOYS_MIN {
            chosen.push((start - minutes * MINUTE_MS, *spec));
        }
    }
    chosen.sort_by_key(|(at, _)| *at);
    chosen
}
