//! The latest values of the series of some services, whether or not anything is expected of them yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Detection;
use crate::engine::clock::Timestamp;
use crate::engine::model::{BadWhen, ServiceName, Unit};

/// The latest value of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Latest<'a> {
    /// Whose it is.
    pub service: &'a ServiceName,
    /// What is measured.
    pub metric: &'a Arc<str>,
    /// Of which instance, where it is of one.
    pub instance: Option<&'a Arc<str>>,
    /// What the value measures.
    pub unit: Unit,
    /// Which direction is bad news.
    pub bad_when: BadWhen,
    /// When it was so.
    pub at: Timestamp,
    /// What it was.
    pub value: f64,
}

impl Detection {
    /// The latest value of every series of these services. Goes over all series once.
    #[must_use]
    pub fn latest_of(&self, services: &BTreeSet<ServiceName>) -> Vec<Latest<'_>> {
        let metas = self.registry.metas.iter().zip(&self.lives);
        let of_them = metas
            .filter(|(meta, live)| !meta.is_vacant() && live.last_at != i64::MIN && services.contains(&meta.service));
        let latest = of_them.map(|(meta, live)| Latest {
            service: &meta.service,
            metric: &meta.metric,
            instance: meta.instance.as_ref(),
            unit: meta.unit,
            bad_when: meta.bad_when,
            at: Timestamp(live.last_at),
            value: live.last_value,
        });
        latest.collect()
    }
}
