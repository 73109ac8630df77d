//! Which series there are: (source, local number) to a dense index by plain lookup, and what each of them is.
//!
//! Names are interned: a service, metric or instance is named by thousands of series and stored once. Maps here are
//! only looked up, never walked, so their order decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::retired::RetiredSeries;
use super::scale::Scale;
use super::source_series::SourceSeries;
use crate::engine::limits::SERIES_PER_SOURCE_MAX;
use crate::engine::model::{BadWhen, Direction, Fingerprint, SeriesNotice, SeriesRole, ServiceName, SourceName, Unit};

/// Marks a local number that is not bound.
pub(super) const UNBOUND: u32 = u32::MAX;

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
    /// Its number at the source.
    local: u32,
    /// Number of its metric among those whose values of other times are kept; given when the series is opened.
    pub past_at: u32,
    /// What the numbers measure.
    pub unit: Unit,
    /// Which golden signal.
    pub role: SeriesRole,
    /// Which direction is bad news.
    pub bad_when: BadWhen,
}

impl Meta {
    /// Holds the place of a series that was retired until another one takes it.
    fn vacant() -> Self {
        let nothing: Arc<str> = Arc::from("");
        Self {
            fingerprint: Fingerprint(0),
            service: ServiceName::from(nothing.clone()),
            metric: nothing,
            instance: None,
            limit: f64::NAN,
            scale: Scale::new(Unit::Count, SeriesRole::Other, false),
            interval_ms: 0,
            service_at: UNBOUND,
            source_at: UNBOUND,
            local: UNBOUND,
            past_at: UNBOUND,
            unit: Unit::Count,
            role: SeriesRole::Other,
            bad_when: BadWhen::Either,
        }
    }

    /// True where there is no series.
    #[must_use]
    pub fn is_vacant(&self) -> bool {
        self.local == UNBOUND
    }

    /// Where it is told from: dense number of the source, and its number there.
    #[must_use]
    pub fn origin(&self) -> (u32, u32) {
        (self.source_at, self.local)
    }

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
    /// Series retired since names were last looked through for those that nobody bears any longer.
    unswept_count: usize,
    /// Dense indices without a series.
    vacant: Vec<u32>,
    retired: RetiredSeries,
}

impl Registry {
    /// Dense number of a source already heard of.
    #[must_use]
    pub fn source_number(&self, name: &SourceName) -> Option<u32> {
        self.source_numbers.get(name).copied()
    }

    /// The source with this dense number.
    #[must_use]
    pub fn source_name(&self, number: u32) -> Option<&SourceName> {
        // There are a handful of them.
        self.source_numbers.iter().find(|(_, other)| **other == number).map(|(name, _)| name)
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_fingerprint.len()
    }

    /// How many metrics of services there are.
    #[must_use]
    pub fn metric_count(&self) -> usize {
        self.by_metric.len()
    }

    /// The series of one metric of one service.
    #[must_use]
    pub fn of_metric(&self, service: &str, metric: &str) -> &[u32] {
        self.service_numbers
            .get(service)
            .and_then(|number| self.by_metric.get(&(*number, Arc::from(metric))))
            .map_or(&[], Vec::as_slice)
    }

    /// The same by the service's dense number.
    #[must_use]
    pub fn of_service_metric(&self, service_at: u32, metric: &Arc<str>) -> &[u32] {
        self.by_metric.get(&(service_at, metric.clone())).map_or(&[], Vec::as_slice)
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
            self.sources.get(source_at as usize).is_some_and(|source| source.series_count >= SERIES_PER_SOURCE_MAX);
        if known.is_none() && is_full {
            return Defined::TooMany;
        }
        // The number has a new meaning.
        self.retired.recall((source_at, notice.local));
        match known {
            Some(index) => {
                self.describe_again(index, notice);
                Defined::Known
            }
            None => {
                let meta = self.meta(fingerprint, source_at, notice);
                Defined::New(self.settle(meta))
            }
        }
    }

    /// Takes back a retired series whose samples come again without a notice; its dense index may be another one.
    pub fn revive(&mut self, source_at: u32, local: u32) -> Option<u32> {
        let meta = self.retired.recall((source_at, local))?;
        self.index_of(meta.fingerprint).is_none().then(|| self.settle(meta))
    }

    /// Forgets a series but for its name; says which it was. Its dense index is free for another one.
    pub fn retire(&mut self, index: u32) -> Option<Fingerprint> {
        let place = self.metas.get_mut(index as usize).filter(|meta| !meta.is_vacant())?;
        let meta = std::mem::replace(place, Meta::vacant());
        self.vacant.push(index);
        self.by_fingerprint.remove(&meta.fingerprint);
        if let Some(service) = self.services.get_mut(meta.service_at as usize) {
            service.traffic.retain(|other| *other != index);
            service.errors.retain(|other| *other != index);
        }
        let key = (meta.service_at, meta.metric.clone());
        if let Some(others) = self.by_metric.get_mut(&key) {
            others.retain(|other| *other != index);
            if others.is_empty() {
                self.by_metric.remove(&key);
            }
        }
        if let Some(source) = self.sources.get_mut(meta.source_at as usize) {
            source.series_count = source.series_count.saturating_sub(1);
            source.unbind(meta.local, index);
        }
        let fingerprint = meta.fingerprint;
        self.retired.remember(meta);
        self.unswept_count += 1;
        Some(fingerprint)
    }

    /// Forgets names that nobody bears any longer, once that is worth a walk over all of them.
    pub fn sweep_names(&mut self) {
        if 4 * self.unswept_count >= self.names.len() {
            self.unswept_count = 0;
            self.names.retain(|name| Arc::strong_count(name) > 1);
        }
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

    fn intern(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let name: Arc<str> = Arc::from(name);
        self.names.insert(name.clone());
        name
    }

    fn service_at(&mut self, service: &ServiceName) -> u32 {
        if let Some(number) = self.service_numbers.get(service) {
            return *number;
        }
        let number = self.services.len() as u32;
        self.service_numbers.insert(service.clone(), number);
        self.services.push(ServiceSeries::default());
        number
    }

    fn meta(&mut self, fingerprint: Fingerprint, source_at: u32, notice: &SeriesNotice) -> Meta {
        let descriptor = &notice.descriptor;
        Meta {
            fingerprint,
            service: ServiceName::from(self.intern(descriptor.service.as_str())),
            metric: self.intern(&descriptor.metric),
            instance: descriptor.instance.as_ref().map(|name| self.intern(name)),
            limit: descriptor.limit.unwrap_or(f64::NAN),
            scale: Scale::new(descriptor.unit, descriptor.role, descriptor.is_skewed),
            interval_ms: descriptor.interval_ms,
            service_at: self.service_at(&descriptor.service),
            source_at,
            local: notice.local,
            past_at: UNBOUND,
            unit: descriptor.unit,
            role: descriptor.role,
            bad_when: descriptor.bad_when,
        }
    }

    /// Gives a series that is not there yet its dense index.
    fn settle(&mut self, meta: Meta) -> u32 {
        // Below u32::MAX: two million series a source, and far fewer than two thousand sources.
        let index = self.vacant.pop().unwrap_or(self.metas.len() as u32);
        if let Some(of_service) = self.services.get_mut(meta.service_at as usize) {
            match meta.role {
                SeriesRole::Traffic => of_service.traffic.push(index),
                SeriesRole::Errors => of_service.errors.push(index),
                _ => {}
            }
        }
        self.by_metric.entry((meta.service_at, meta.metric.clone())).or_default().push(index);
        self.by_fingerprint.insert(meta.fingerprint, index);
        if let Some(source) = self.sources.get_mut(meta.source_at as usize) {
            source.series_count += 1;
            source.bind(meta.local, index);
        }
        match self.metas.get_mut(index as usize) {
            Some(place) => *place = meta,
            None => self.metas.push(meta),
        }
        index
    }

    /// A known series is told again: what may change without making it another series is taken over. It has one number
    /// at a time.
    fn describe_again(&mut self, index: u32, notice: &SeriesNotice) {
        let Some(meta) = self.metas.get_mut(index as usize) else {
            return;
        };
        meta.limit = notice.descriptor.limit.unwrap_or(f64::NAN);
        meta.interval_ms = notice.descriptor.interval_ms;
        meta.bad_when = notice.descriptor.bad_when;
        let before = std::mem::replace(&mut meta.local, notice.local);
        if let Some(source) = self.sources.get_mut(meta.source_at as usize) {
            source.unbind(before, index);
            source.bind(notice.local, index);
        }
    }
}
