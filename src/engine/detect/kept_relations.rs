//! The relations between the metrics of services, from one start of the program to the next: what half a day taught is not
//! learnt anew.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Detection;
use super::relation::ServiceScorer;
use super::relations::Watch;
use crate::engine::limits::{RELATION_METRICS_MAX, RELATION_SERVICES_MAX};
use crate::engine::model::series::Fnv1a;
use crate::engine::model::{Fingerprint, ServiceName, SourceName};

/// Rows after which what they taught is kept again: of an hour.
const KEPT_ROWS: u32 = 60;
/// First byte of what is kept of a service.
const VERSION: u8 = 1;

/// Why what was kept of a service's relations is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelationsError {
    /// Another version wrote it.
    #[error("another version of the program wrote it")]
    Version,
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(#[from] postcard::Error),
    /// It can be read and makes no sense.
    #[error("its parts do not fit together")]
    Unsound,
}

/// What is kept of a service.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    metrics: Vec<Arc<str>>,
    scorer: ServiceScorer,
    /// All rows, live ones, and those in a row that were silent, broke a relation or were calm.
    rows: [u32; 5],
    broken_since: i64,
}

/// Identity of a service, as a source tells it, across restarts.
pub fn fingerprint(source: &SourceName, service: &ServiceName) -> Fingerprint {
    let mut hash = Fnv1a::new();
    hash.part(source.as_str());
    hash.part(service.as_str());
    Fingerprint(hash.0)
}

impl Watch {
    fn to_bytes(&self) -> Result<Vec<u8>, postcard::Error> {
        let kept = Kept {
            metrics: self.metrics.clone(),
            scorer: self.scorer.clone(),
            rows: [self.rows, self.live_rows, self.silent_rows, self.broken_rows, self.calm_rows],
            broken_since: self.broken_since,
        };
        postcard::to_extend(&kept, vec![VERSION])
    }

    fn from_bytes(of: Fingerprint, bytes: &[u8]) -> Result<Self, RelationsError> {
        let Some((&VERSION, bytes)) = bytes.split_first() else {
            return Err(RelationsError::Version);
        };
        let Kept { metrics, scorer, rows, broken_since } = postcard::from_bytes(bytes)?;
        if metrics.len() > RELATION_METRICS_MAX || !scorer.is_sound(metrics.len()) {
            return Err(RelationsError::Unsound);
        }
        let mut watch = Self::new(of);
        (watch.metrics, watch.scorer, watch.broken_since) = (metrics, scorer, broken_since);
        [watch.rows, watch.live_rows, watch.silent_rows, watch.broken_rows, watch.calm_rows] = rows;
        Ok(watch)
    }
}

impl Detection {
    /// Hands back what was kept of the relations of a service; it takes effect when the service is heard of.
    ///
    /// # Errors
    /// When the bytes are not what [`Self::relations_to_keep`] gave; the relations are then learnt anew.
    pub fn restore_relations(&mut self, of: Fingerprint, bytes: &[u8]) -> Result<(), RelationsError> {
        let watch = Watch::from_bytes(of, bytes)?;
        if self.relations.kept.len() < RELATION_SERVICES_MAX {
            self.relations.kept.insert(of, watch);
        } else {
            self.relations.gone.push(of);
        }
        Ok(())
    }

    /// What has been learnt of the relations of services for an hour, of at most `max` of them. Without bytes, nothing is to
    /// be kept of a service any longer.
    pub fn relations_to_keep(&mut self, max: usize) -> Vec<(Fingerprint, Vec<u8>)> {
        let mut kept: Vec<_> =
            std::mem::take(&mut self.relations.gone).into_iter().map(|of| (of, Vec::new())).collect();
        let due = self.relations.watches.values_mut().filter(|watch| watch.unkept_rows >= KEPT_ROWS);
        for watch in due.take(max) {
            watch.unkept_rows = 0;
            // Numbers and names always have bytes.
            if let Ok(bytes) = watch.to_bytes() {
                kept.push((watch.of, bytes));
            }
        }
        kept
    }

    /// Marks all relations as changed: for a clean stop.
    pub(super) fn keep_all_relations(&mut self) {
        for watch in self.relations.watches.values_mut().filter(|watch| watch.rows > 0) {
            watch.unkept_rows = KEPT_ROWS;
        }
    }

    /// Services that have not been heard of again for so long are gone.
    pub(super) fn give_up_relations(&mut self) {
        self.relations.gone.extend(std::mem::take(&mut self.relations.kept).into_keys());
    }
}
