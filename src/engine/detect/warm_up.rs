//! The first minute after a service was deployed, restarted or scaled: caches are empty and code is not compiled yet.
//!
//! A rise of latency or of what it takes of a resource is normal for so long, unless errors come with it. It is shown, as
//! explained; what lasts longer is an anomaly like any other from then on, with the onset it had.

use std::collections::BTreeMap;

use super::registry::Meta;
use crate::engine::clock::{SECOND_MS, Timestamp};
use crate::engine::model::{Direction, SeriesRole, ServiceName, SuppressionReason};

/// How long a service warms up: pools fill and hot code compiles within a minute of the first request, and what takes
/// longer is felt by customers.
const WARM_UP_MS: i64 = 60 * SECOND_MS;
/// What took effect longer ago than this is forgotten: samples are not this late.
const KEPT_MS: i64 = 60 * WARM_UP_MS;

/// When services were begun anew.
#[derive(Debug, Default)]
pub struct WarmUps {
    by_service: BTreeMap<ServiceName, Vec<Timestamp>>,
}

impl WarmUps {
    /// A service begins anew at `at`.
    pub fn note(&mut self, service: &ServiceName, at: Timestamp) {
        let begun = self.by_service.entry(service.clone()).or_default();
        if !begun.contains(&at) {
            begun.push(at);
        }
        self.by_service.retain(|_, begun| {
            begun.retain(|earlier| at.since_ms(*earlier) < KEPT_MS);
            !begun.is_empty()
        });
    }

    /// What explains a departure of a series, which began at `onset`, at `at`; what was there before is not explained.
    /// `begun_at` is when the instance itself began, where it is new: its first requests trickle in, so that less than
    /// usual is normal there too.
    #[must_use]
    pub fn explain(
        &self,
        meta: &Meta,
        direction: Direction,
        (onset, at): (Timestamp, Timestamp),
        begun_at: Option<Timestamp>,
    ) -> Option<SuppressionReason> {
        let is_of_it = match meta.role {
            SeriesRole::Latency | SeriesRole::Saturation => direction == Direction::Above || begun_at.is_some(),
            SeriesRole::Traffic => direction == Direction::Below && begun_at.is_some(),
            _ => false,
        };
        if !is_of_it {
            return None;
        }
        let begun = self.by_service.get(&meta.service).into_iter().flatten().copied();
        let is_warming = |since: &Timestamp| onset >= *since && at.since_ms(*since) < WARM_UP_MS;
        begun.chain(begun_at).filter(is_warming).max().map(|since| SuppressionReason::WarmUp { since })
    }
}
