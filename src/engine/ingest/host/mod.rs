//! This machine as a source: CPU, memory, disks, network, pressure, units and the kernel's log, read from the kernel's own files.
//!
//! Each part is a pure reader of text into [`Figure`]s; this file owns the rhythm, the numbering of series and the rates of counters. No
//! process is started, and nothing needs configuration. What a machine does not offer (no pressure figures, no units, no kernel log for
//! this user) is left out; only without the kernel's basic figures is the source down.

mod counters;
mod cpu;
mod disk;
mod kernel_log;
mod memory;
mod network;
mod pressure;
mod units;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::{Duration, Instant};

use counters::Counters;
use kernel_log::KernelLog;
use units::Units;

use super::log_file::LogFileSource;
use super::{Health, SignalSink, Source, StopSignal, normalize, wall_clock};
use crate::engine::clock::{SECOND_MS, Timestamp};
use crate::engine::limits::LABEL_VALUE_BYTES_MAX;
use crate::engine::model::{
    BadWhen, DropReason, Labels, Sample, SampleBatch, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, Signal,
    SourceKind, SourceName, Unit,
};
use crate::engine::settings::{HostSettings, LogSettings};

/// The source's name on the screen.
pub use crate::engine::model::HOST_SOURCE;
/// Names of the metrics that a machine and its units are told by.
pub const METRICS: [&str; 21] = [
    "cpu_busy_ratio",
    "cpu_iowait_ratio",
    "cpu_pressure_ratio",
    "cpu_used_cores",
    "disk_busy_ratio",
    "disk_used_ratio",
    "inodes_used_ratio",
    "io_pressure_ratio",
    "load_per_core",
    "memory_bytes",
    "memory_pressure_ratio",
    "memory_used_ratio",
    "network_rx_bytes_per_second",
    "network_rx_drops",
    "network_rx_errors",
    "network_tx_bytes_per_second",
    "network_tx_drops",
    "network_tx_errors",
    "oom_kills",
    "swap_used_ratio",
    "unit_up",
];
/// Between two readings at least.
const INTERVAL_MS_MIN: i64 = SECOND_MS;
/// Series of one machine; past it new ones are counted and left out.
const SERIES_MAX: usize = 20_000;
/// A series that was not there in this many readings is gone.
const MISSED_READINGS_MAX: u64 = 3;
/// The system's own logs, the first that can be read of each group. Journals in binary form are not among them.
const SYSTEM_LOGS: [&[&str]; 2] = [&["log/syslog", "log/messages"], &["log/kern.log"]];

/// What a kind of figure means.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Meaning {
    metric: &'static str,
    unit: Unit,
    role: SeriesRole,
    bad_when: BadWhen,
    limit: Option<f64>,
}

impl Meaning {
    /// A share of a resource that is bad when high and does not run out.
    const fn share(metric: &'static str) -> Self {
        Self { metric, unit: Unit::Ratio, role: SeriesRole::Saturation, bad_when: BadWhen::High, limit: None }
    }

    /// A share of a resource that is exhausted at 1.
    const fn full_at_one(metric: &'static str) -> Self {
        Self { limit: Some(1.0), ..Self::share(metric) }
    }

    /// Something that should not happen, a second.
    const fn failures(metric: &'static str) -> Self {
        Self { metric, unit: Unit::PerSecond, role: SeriesRole::Errors, bad_when: BadWhen::High, limit: None }
    }
}

/// One reading of one thing.
#[derive(Debug, Clone, PartialEq)]
struct Figure {
    meaning: Meaning,
    /// The service, where it is not the machine itself.
    service: Option<String>,
    /// What tells it apart: a device, a mount point.
    label: Option<(&'static str, String)>,
    value: f64,
    /// The value at which it is exhausted, where that is read and not known beforehand.
    limit: Option<f64>,
}

impl Figure {
    fn of_machine(meaning: Meaning, value: f64) -> Self {
        Self { meaning, service: None, label: None, value, limit: None }
    }

    fn of_part(meaning: Meaning, name: &'static str, part: &str, value: f64) -> Self {
        Self { label: Some((name, part.to_owned())), ..Self::of_machine(meaning, value) }
    }

    fn of_service(meaning: Meaning, service: &str, value: f64) -> Self {
        Self { service: Some(service.to_owned()), ..Self::of_machine(meaning, value) }
    }
}

/// Where the kernel's figures are.
#[derive(Debug, Clone)]
struct Places {
    proc: PathBuf,
    sys: PathBuf,
    dev: PathBuf,
    var: PathBuf,
}

impl Places {
    /// Beside `/proc` lie `/sys`, `/dev` and `/var`; a test's tree has the same shape.
    fn around(proc: &Path) -> Self {
        let root = proc.parent().unwrap_or(Path::new("/"));
        Self { proc: proc.to_owned(), sys: root.join("sys"), dev: root.join("dev"), var: root.join("var") }
    }
}

/// This machine.
#[derive(Debug)]
pub struct HostSource {
    name: SourceName,
    interval_ms: i64,
    places: Places,
    service: ServiceName,
}

impl HostSource {
    /// A source for this machine; its service is named like the machine.
    #[must_use]
    pub fn new(settings: &HostSettings) -> Self {
        Self {
            name: SourceName::new(HOST_SOURCE),
            interval_ms: settings.interval.0.max(INTERVAL_MS_MIN),
            service: machine_name(&settings.proc_root),
            places: Places::around(&settings.proc_root),
        }
    }

    /// The system's logs that this user may read, as sources of lines.
    fn logs(&self) -> Vec<LogFileSource> {
        let readable = |path: &PathBuf| std::fs::File::open(path).is_ok();
        SYSTEM_LOGS
            .iter()
            .filter_map(|group| group.iter().map(|path| self.places.var.join(path)).find(readable))
            .filter_map(|path| {
                let settings = LogSettings { path, service: self.service.to_string(), name: None };
                LogFileSource::new(&settings, None).ok()
            })
            .collect()
    }
}

/// The machine's name, up to its first dot.
fn machine_name(proc: &Path) -> ServiceName {
    let text = std::fs::read_to_string(proc.join("sys/kernel/hostname")).unwrap_or_default();
    let name = text.trim().split('.').next().unwrap_or_default();
    let name = if name.is_empty() || name == "(none)" { "localhost" } else { name };
    ServiceName::from(normalize::sanitize(name, LABEL_VALUE_BYTES_MAX))
}

impl Source for HostSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn run(self: Box<Self>, sink: SignalSink, stop: StopSignal) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let logs = self.logs().into_iter().map(|log| Box::new(log).run(sink.clone(), stop.clone()));
            let logs = futures_util::future::join_all(logs);
            let figures = async {
                let mut reader = Reader::new(&self);
                loop {
                    let started = Instant::now();
                    for signal in reader.read(wall_clock::now()) {
                        sink.send(signal).await;
                    }
                    let interval = Duration::from_millis(u64::try_from(self.interval_ms).unwrap_or(0));
                    let rest = interval.saturating_sub(started.elapsed());
                    if !stop.sleep_ms(u64::try_from(rest.as_millis()).unwrap_or(0)).await {
                        break;
                    }
                }
            };
            tokio::join!(figures, logs);
        })
    }
}

/// A series' identity within this source.
type Key = (&'static str, Option<String>, Option<(&'static str, String)>);

/// Reads the machine over and over.
struct Reader {
    places: Places,
    service: ServiceName,
    interval_ms: u32,
    counters: Counters,
    units: Units,
    kernel_log: KernelLog,
    known: BTreeMap<Key, (u32, u64)>,
    reading: u64,
    last_at: Option<Timestamp>,
    health: Health,
}

impl Reader {
    fn new(source: &HostSource) -> Self {
        let address = format!("{} and {}", source.places.proc.display(), source.places.sys.display());
        Self {
            kernel_log: KernelLog::open(&source.places.dev.join("kmsg")),
            places: source.places.clone(),
            service: source.service.clone(),
            interval_ms: u32::try_from(source.interval_ms).unwrap_or(u32::MAX),
            counters: Counters::default(),
            units: Units::default(),
            known: BTreeMap::new(),
            reading: 0,
            last_at: None,
            health: Health::new(source.name.clone(), SourceKind::Host, &address),
        }
    }

    /// One reading: new series, samples, lines of the kernel, and how it went.
    fn read(&mut self, now: Timestamp) -> Vec<Signal> {
        let started = Instant::now();
        self.reading += 1;
        self.counters.begin(Instant::now());
        let mut figures = Vec::new();
        let outcome = cpu::read(&self.places.proc, &mut self.counters, &mut figures)
            .and_then(|()| memory::read(&self.places.proc, &mut figures));
        disk::read(&self.places, &mut self.counters, &mut figures);
        network::read(&self.places.proc, &mut self.counters, &mut figures);
        pressure::read(&self.places.proc, &mut self.counters, &mut figures);
        self.units.read(&self.places.sys, self.reading, &mut self.counters, &mut figures);
        let mut signals = self.take(figures, now);
        let lines = self.kernel_log.read(self.health.source(), &self.service, now);
        self.health.accept(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        signals.extend(lines.into_iter().map(Signal::Log));
        self.health.counter_resets(self.counters.take_reset_count());
        let gone = self.known.values().filter(|(_, seen)| self.reading - seen >= MISSED_READINGS_MAX).count();
        self.health.series(self.known.len() - gone, gone);
        self.health.poll_took(u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX));
        match outcome {
            Ok(()) => self.health.healthy(now),
            Err(problem) => {
                let reason = format!(
                    "{problem}; without the kernel's figures this machine cannot be watched: set `enabled = false` under [host] or mount /proc"
                );
                self.health.down(now, &reason, now + i64::from(self.interval_ms));
            }
        }
        signals.push(self.health.signal());
        signals
    }

    /// Numbers the figures' series and makes samples of them.
    fn take(&mut self, figures: Vec<Figure>, now: Timestamp) -> Vec<Signal> {
        let mut signals = Vec::new();
        if let Err(reason) = normalize::follows(now, self.last_at) {
            // The machine's clock was set back: these would be older than what is known.
            self.health.drop_for(reason, u64::try_from(figures.len()).unwrap_or(u64::MAX));
            return signals;
        }
        self.last_at = Some(now);
        let mut samples = Vec::with_capacity(figures.len());
        for figure in figures {
            let value = match normalize::value(figure.value) {
                Ok(value) => value,
                Err(reason) => {
                    self.health.drop_for(reason, 1);
                    continue;
                }
            };
            let key: Key = (figure.meaning.metric, figure.service.clone(), figure.label.clone());
            let next = self.known.len();
            let local = match self.known.get_mut(&key) {
                Some((local, seen)) => {
                    *seen = self.reading;
                    *local
                }
                None if next >= SERIES_MAX => {
                    self.health.drop_for(DropReason::TooMany, 1);
                    continue;
                }
                None => {
                    let local = u32::try_from(next).unwrap_or(u32::MAX);
                    self.known.insert(key, (local, self.reading));
                    let descriptor = self.describe(&figure);
                    signals.push(Signal::Series(SeriesNotice {
                        source: self.health.source().clone(),
                        local,
                        descriptor,
                    }));
                    local
                }
            };
            samples.push(Sample { local, at: now, value });
        }
        self.health.accept(u64::try_from(samples.len()).unwrap_or(u64::MAX));
        signals.push(Signal::Samples(SampleBatch {
            source: self.health.source().clone(),
            is_backfill: false,
            samples,
        }));
        signals
    }

    fn describe(&self, figure: &Figure) -> SeriesDescriptor {
        let service = figure.service.as_deref().map_or_else(
            || self.service.clone(),
            |name| ServiceName::from(normalize::sanitize(name, LABEL_VALUE_BYTES_MAX)),
        );
        let labels = normalize::labels(figure.label.iter().map(|(name, value)| (*name, value.as_str()))).labels;
        SeriesDescriptor {
            metric: figure.meaning.metric.into(),
            service,
            instance: None,
            unit: figure.meaning.unit,
            role: figure.meaning.role,
            bad_when: figure.meaning.bad_when,
            is_skewed: false,
            limit: figure.limit.or(figure.meaning.limit),
            interval_ms: self.interval_ms,
            labels: if labels.is_empty() { Labels::default() } else { labels },
        }
    }
}

#[cfg(test)]
mod tests;
