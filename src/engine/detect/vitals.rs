//! The latest values of all that is watched, by service and metric: what a question about a number is answered from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Detection;
use crate::engine::clock::Timestamp;
use crate::engine::limits::VITAL_SERIES_MAX;
use crate::engine::model::{Band, ServiceName, Vital};

impl Detection {
    /// Goes over all series once, and gives nothing where there are more than [`VITAL_SERIES_MAX`].
    #[must_use]
    pub fn vitals(&self) -> Vec<Vital> {
        if self.registry.len() > VITAL_SERIES_MAX {
            return Vec::new();
        }
        let mut all: BTreeMap<(&ServiceName, &Arc<str>), Vital> = BTreeMap::new();
        for (index, (meta, live)) in (0u32..).zip(self.registry.metas.iter().zip(&self.lives)) {
            if meta.is_vacant() || live.last_at == i64::MIN || !live.last_value.is_finite() {
                continue;
            }
            let band = self.band(index);
            let (value, at) = (live.last_value, Timestamp(live.last_at));
            let vital = all.entry((&meta.service, &meta.metric)).or_insert_with(|| Vital {
                service: meta.service.clone(),
                metric: Arc::clone(&meta.metric),
                role: meta.role,
                unit: meta.unit,
                series_count: 0,
                low: value,
                high: value,
                usual: band,
                limit: meta.limit(),
                at,
            });
            vital.series_count += 1;
            vital.low = vital.low.min(value);
            vital.high = vital.high.max(value);
            vital.at = vital.at.max(at);
            vital.usual = joined(vital.usual, band);
        }
        all.into_values().collect()
    }
}

/// What holds both bands.
fn joined(one: Option<Band>, other: Option<Band>) -> Option<Band> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Band {
            low: one.low.min(other.low),
            centre: 0.5 * (one.centre + other.centre),
            high: one.high.max(other.high),
        }),
        (one, other) => one.or(other),
    }
}
