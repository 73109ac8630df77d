//! What came before one incident.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::sign::{Sign, SignKey};
use crate::engine::clock::Timestamp;
use crate::engine::model::{ServiceName, WarningRecord};

/// The signs before an incident, and how warnings by them turned out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Signature {
    pub title: Arc<str>,
    pub service: ServiceName,
    /// How long before the incident each was first seen, in milliseconds.
    #[serde(with = "super::kept::pairs")]
    pub signs: BTreeMap<SignKey, i64>,
    pub record: WarningRecord,
}

impl Signature {
    pub fn new(title: Arc<str>, service: ServiceName, start: Timestamp, seen: Vec<Sign>) -> Self {
        let mut signs = BTreeMap::new();
        for sign in seen {
            let before_ms = start.since_ms(sign.at);
            let known = signs.entry(sign.key).or_insert(before_ms);
            *known = before_ms.max(*known);
        }
        Self { title, service, signs, record: WarningRecord::default() }
    }

    /// How long before the incident the first of them was seen.
    pub fn lead_ms(&self) -> i64 {
        self.signs.values().copied().max().unwrap_or(0)
    }

    /// Those of its signs that are among `seen`.
    pub fn matched(&self, seen: &BTreeSet<&SignKey>) -> Vec<SignKey> {
        self.signs.keys().filter(|key| seen.contains(key)).cloned().collect()
    }
}
