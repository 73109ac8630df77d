//! What is measured on each machine, as against the shop's own metrics, which are of its services as a whole: what a patch does to
//! one machine shows here. A machine's figures hang together with nothing but what is installed on it.

use std::sync::Arc;

use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;

use super::machines::{MACHINES, Machine};
use super::telemetry::INTERVAL_MS;
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    BadWhen, Labels, Sample, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, Signal, SourceName, Unit,
};

/// Noise ends here, in standard deviations.
const NOISE_MAX: f64 = 2.2;

struct Metric {
    name: &'static str,
    unit: Unit,
    role: SeriesRole,
    is_skewed: bool,
    usual: f64,
    /// With the version that breaks the shop.
    broken: f64,
    /// One standard deviation as a share of the value.
    noise: f64,
}

const METRICS: [Metric; 2] = [
    Metric {
        name: "error_ratio",
        unit: Unit::Ratio,
        role: SeriesRole::Errors,
        is_skewed: false,
        usual: 0.002,
        broken: 0.21,
        noise: 0.15,
    },
    Metric {
        name: "latency_p95",
        unit: Unit::Seconds,
        role: SeriesRole::Latency,
        is_skewed: true,
        usual: 0.062,
        broken: 0.118,
        noise: 0.06,
    },
];

struct Series {
    machine: &'static Machine,
    metric: &'static Metric,
}

/// Every series of machines, and its noise, which has nothing to do with that of the shop.
pub(super) struct Hosts {
    source: SourceName,
    /// Local number of the first.
    first: u32,
    series: Vec<Series>,
    noise: Pcg64,
}

impl Hosts {
    /// The series of all machines that carry something, numbered from `first` on.
    pub fn new(source: SourceName, first: usize, seed: u64) -> Self {
        let measured = MACHINES.iter().filter(|machine| machine.service().is_some());
        let series = measured.flat_map(|machine| METRICS.iter().map(|metric| Series { machine, metric }));
        Self {
            source,
            first: u32::try_from(first).unwrap_or(u32::MAX),
            series: series.collect(),
            noise: Pcg64::new(u128::from(seed), 4),
        }
    }

    /// How many series there are.
    pub fn series_count(&self) -> usize {
        self.series.len()
    }

    /// What each series is.
    pub fn notices(&self) -> Vec<Signal> {
        let notice = |(local, series): (u32, &Series)| {
            Signal::Series(SeriesNotice { source: self.source.clone(), local, descriptor: series.descriptor() })
        };
        (self.first..).zip(&self.series).map(notice).collect()
    }

    /// Appends a sample of every series; `is_broken` says of a machine whether the shop does not run well on it.
    pub fn sample(&mut self, is_broken: impl Fn(&str) -> bool, at: Timestamp, samples: &mut Vec<Sample>) {
        for (local, series) in (self.first..).zip(&self.series) {
            let draw: f64 = StandardNormal.sample(&mut self.noise);
            let metric = series.metric;
            let value = if is_broken(series.machine.name) { metric.broken } else { metric.usual };
            let value = value * (1.0 + metric.noise * draw.clamp(-NOISE_MAX, NOISE_MAX));
            samples.push(Sample { local, at, value });
        }
    }
}

impl Series {
    fn descriptor(&self) -> SeriesDescriptor {
        let metric = self.metric;
        SeriesDescriptor {
            metric: Arc::from(metric.name),
            service: ServiceName::new(self.machine.service().unwrap_or_default()),
            instance: Some(Arc::from(format!("{}:9100", self.machine.name))),
            unit: metric.unit,
            role: metric.role,
            bad_when: BadWhen::High,
            is_skewed: metric.is_skewed,
            limit: None,
            interval_ms: u32::try_from(INTERVAL_MS).unwrap_or(u32::MAX),
            labels: Labels::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_machine_that_is_broken_shows_it() {
        let mut hosts = Hosts::new(SourceName::new("shop"), 100, 1);
        let mut samples = Vec::new();
        hosts.sample(|machine| machine == "stage-1", Timestamp(0), &mut samples);
        assert_eq!((samples.len(), samples[0].local), (hosts.series_count(), 100));
        for (series, sample) in hosts.series.iter().zip(&samples) {
            let is_high = sample.value > 0.05;
            if series.metric.role == SeriesRole::Errors {
                assert_eq!(is_high, series.machine.name == "stage-1", "{} {}", series.machine.name, sample.value);
            }
        }
    }
}
