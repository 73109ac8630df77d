//! Which series there are: (source, local number) to a dense index by plain lookup, and what each of them is.
//!
//! Names are interned: a service, metric or instance is named by thousands of series and stored once. Maps here are
//! only looked up, never walked, so their order decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::scale::Scale;
use crate::engine::limits::SERIES_PER_SOURCE_MAX;
use crate::engine::model::{
    BadWhen, Direction, Fingerprint, SeriesDescriptor, SeriesNotice, SeriesRole, ServiceName, SourceName, Unit,
};

/// Marks a local number that is not bound.
const UNBOUND: u32 = u32::MAX;

/// A pause of a source's samples shorter than this is no break in its flow.
const FLOW_BREAK_MS: i64 = 90_000;

/// What is kept of a series' description.
#[derive(Debug, Clone)]
pub struct Meta {
    /// Identity across restarts.
    pub fingerprint: Fingerprint,
    /// Whose it is.
    pub service: ServiceName,
    /// What is measured.
    pub metric: Arc<str>,
    /// The instance, where it is of one.
    pub instance: Option<Arc<str>>,
    /// The value at which the resource is exhausted; not a number where none is named.
    limit: f64,
    /// How values are scaled.
    pub scale: Scale,
    /// Usual time between samples, in milliseconds.
    pub interval_ms: u32,
    /// Dense number of the service.
    pub service_at: u32,
    /// Dense number of the source.
    pub source_at: u32,
    /// What the numbers measure.
    pub unit: Unit,
    /// Which golden signal.
    pub role: SeriesRole,
    /// Which direction is bad news.
    pub bad_when: BadWhen,
}

impl Meta {
    /// The value at which the resource is exhausted: as named, else 1 for a share of a resource.
    #[must_use]
    pub fn limit(&self) -> Option<f64> {
        if self.limit.is_finite() {
            Some(self.limit)
        } else {
            (self.unit == Unit::Ratio && self.role == SeriesRole::Saturation).then_some(1.0)
        }
    }

    /// True where a departure in this direction is bad news.
    #[must_use]
    pub fn is_bad(&self, direction: Direction) -> bool {
        matches!(
            (self.bad_when, direction),
            (BadWhen::Either, _) | (BadWhen::High, Direction::Above) | (BadWhen::Low, Direction::Below)
        )
    }
}

/// What is kept of a source.
#[derive(Debug, Clone)]
pub struct SourceSeries {
    /// Dense index by local number.
    locals: Vec<u32>,
    /// Its dense indices in order of definition, for walks.
    pub members: Vec<u32>,
    /// Newest sample that was not history, in milliseconds since the epoch: the source's own clock.
    pub newest_at: i64,
    /// When its samples began to flow again after a pause.
    pub flowing_since: i64,
    /// Usual time between two moves of its clock, in milliseconds; 0 until known.
    gap_ms: i64,
}

impl SourceSeries {
    fn new() -> Self {
        Self { locals: Vec::new(), members: Vec::new(), newest_at: i64::MIN, flowing_since: i64::MIN, gap_ms: 0 }
    }

    /// Moves the source's clock on; a pause far longer than usual is a break in its flow.
    pub fn note_flow(&mut self, newest: i64) {
        let gap = newest.saturating_sub(self.newest_at);
        if self.newest_at == i64::MIN {
            self.flowing_since = newest;
        } else if gap > FLOW_BREAK_MS && gap > 3 * self.gap_ms {
            self.flowing_since = newest;
            if self.gap_ms == 0 {
                self.gap_ms = gap;
            }
        } else {
            // Batches of one poll follow closely on each other, so a short gap says little.
            self.gap_ms = gap.max(self.gap_ms - self.gap_ms / 16);
        }
        self.newest_at = self.newest_at.max(newest);
    }

    /// The dense index behind a local number.
    #[inline]
    #[must_use]
    pub fn index(&self, local: u32) -> Option<u32> {
        self.locals.get(local as usize).copied().filter(|at| *at != UNBOUND)
    }
}

/// The series of a service that explain others.
#[derive(Debug, Clone, Default)]
pub struct ServiceSeries {
    /// Of role traffic.
    pub traffic: Vec<u32>,
    /// Of role errors.
    pub errors: Vec<u32>,
}

/// What came of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defined {
    /// A series not known before, with its dense index.
    New(u32),
    /// A known one under another number or with another description.
    Known,
    /// Past the limit for one source.
    TooMany,
}

/// All series.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    source_numbers: BTreeMap<SourceName, u32>,
    /// By dense number of the source.
    pub sources: Vec<SourceSeries>,
    /// By dense index.
    pub metas: Vec<Meta>,
    by_fingerprint: FxHashMap<Fingerprint, u32>,
    service_numbers: FxHashMap<ServiceName, u32>,
    /// By dense number of the service.
    pub services: Vec<ServiceSeries>,
    by_metric: FxHashMap<(u32, Arc<str>), Vec<u32>>,
    names: FxHashSet<Arc<str>>,
}

impl Registry {
    /// Dense number of a source already heard of.
    #[must_use]
    pub fn source_number(&self, name: &SourceName) -> Option<u32> {
        self.source_numbers.get(name).copied()
    }

    /// The series of one metric of one service.
    #[must_use]
    pub fn of_metric(&self, service: &str, metric: &str) -> &[u32] {
        self.service_numbers
            .get(service)
            .and_then(|number| self.by_metric.get(&(*number, Arc::from(metric))))
            .map_or(&[], Vec::as_slice)
    }

    /// The series with this identity.
    #[must_use]
    pub fn index_of(&self, fingerprint: Fingerprint) -> Option<u32> {
        self.by_fingerprint.get(&fingerprint).copied()
    }

    /// Binds a source's local number to a series.
    pub fn define(&mut self, notice: &SeriesNotice) -> Defined {
        let source_at = self.source_at(&notice.source);
        let local = notice.local as usize;
        if local >= SERIES_PER_SOURCE_MAX {
            return Defined::TooMany;
        }
        let fingerprint = notice.descriptor.fingerprint(notice.source.as_str());
        let known = self.index_of(fingerprint);
        let is_full =
            self.sources.get(source_at as usize).is_some_and(|source| source.members.len() >= SERIES_PER_SOURCE_MAX);
        if known.is_none() && is_full {
            return Defined::TooMany;
        }
        let index = match known {
            Some(index) => {
                self.describe_again(index, &notice.descriptor);
                index
            }
            None => self.add(fingerprint, source_at, &notice.descriptor),
        };
        if let Some(source) = self.sources.get_mut(source_at as usize) {
            if source.locals.len() <= local {
                source.locals.resize(local + 1, UNBOUND);
            }
            source.locals[local] = index;
            if known.is_none() {
                source.members.push(index);
            }
        }
        if known.is_some() { Defined::Known } else { Defined::New(index) }
    }

    fn source_at(&mut self, name: &SourceName) -> u32 {
        if let Some(number) = self.source_numbers.get(name) {
            return *number;
        }
        let number = self.sources.len() as u32;
        self.source_numbers.insert(name.clone(), number);
        self.sources.push(SourceSeries::new());
        number
    }

    fn intern(&mut self, name: &Arc<str>) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        self.names.insert(name.clone());
        name.clone()
    }

    fn add(&mut self, fingerprint: Fingerprint, source_at: u32, descriptor: &SeriesDescriptor) -> u32 {
        // Below u32::MAX: two million series a source, and far fewer than two thousand sources.
        let index = self.metas.len() as u32;
        let service_at = if let Some(number) = self.service_numbers.get(&descriptor.service) {
            *number
        } else {
            let number = self.services.len() as u32;
            self.service_numbers.insert(descriptor.service.clone(), number);
            self.services.push(ServiceSeries::default());
            number
        };
        let metric = self.intern(&descriptor.metric);
        let instance = descriptor.instance.as_ref().map(|name| self.intern(name));
        let service = ServiceName::from(self.intern(&Arc::from(descriptor.service.as_str())));
        if let Some(of_service) = self.services.get_mut(service_at as usize) {
            match descriptor.role {
                SeriesRole::Traffic => of_service.traffic.push(index),
                SeriesRole::Errors => of_service.errors.push(index),
                _ => {}
            }
        }
        self.by_metric.entry((service_at, metric.clone())).or_default().push(index);
        self.by_fingerprint.insert(fingerprint, index);
        self.metas.push(Meta {
            fingerprint,
            service,
            metric,
            instance,
            limit: descriptor.limit.unwrap_or(f64::NAN),
            scale: Scale::new(descriptor.unit, descriptor.role, descriptor.is_skewed),
            interval_ms: descriptor.interval_ms,
            service_at,
            source_at,
            unit: descriptor.unit,
            role: descriptor.role,
            bad_when: descriptor.bad_when,
        });
        index
    }

    /// A known series is told again: what may change without making it another series is taken over.
    fn describe_again(&mut self, index: u32, descriptor: &SeriesDescriptor) {
        if let Some(meta) = self.metas.get_mut(index as usize) {
            meta.limit = descriptor.limit.unwrap_or(f64::NAN);
            meta.interval_ms = descriptor.interval_ms;
            meta.bad_when = descriptor.bad_when;
        }
    }
}
