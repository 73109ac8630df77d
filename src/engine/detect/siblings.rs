//! A new instance of a known service: it begins with what its siblings have learnt.
//!
//! The siblings are the series of the same metric of the same service. The one whose level is in the middle lends its
//! scorer and its spread; how far their levels lie apart is added to the spread, since one instance need not be like
//! another. After a day the new one has shown every hour itself, and stands on its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Detection;
use super::live::Phase;
use crate::engine::limits::SIBLINGS_LOOKED_AT_MAX;

/// Hours of its own after which a series needs nothing borrowed.
const OWN_HOURS: u16 = 24;
/// Where there is a single sibling, nobody knows how far levels lie apart: this share of its level.
const APART_SHARE: f64 = 0.25;

/// What a series has from its siblings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Borrowed {
    /// How far the siblings' levels lie apart, on the series' scale.
    pub apart: f64,
    /// When the series began, in milliseconds since the epoch.
    pub since: i64,
}

/// Series that stand on what their siblings have learnt.
#[derive(Debug, Default)]
pub struct Loans {
    by_series: BTreeMap<u32, Borrowed>,
}

impl Loans {
    /// What a series has borrowed.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&Borrowed> {
        self.by_series.get(&index)
    }

    /// Takes one back from before a restart.
    pub fn restore(&mut self, index: u32, borrowed: Borrowed) {
        self.by_series.insert(index, borrowed);
    }

    /// The series stands on its own, or is gone.
    pub fn end(&mut self, index: u32) {
        self.by_series.remove(&index);
    }
}

impl Detection {
    /// The first sample of the present of a series without a day of history: its siblings help out.
    #[cold]
    pub(super) fn borrow_from_siblings(&mut self, index: u32, at: i64) {
        let place = index as usize;
        let (Some(live), Some(meta)) = (self.lives.get(place), self.registry.metas.get(place)) else {
            return;
        };
        if live.hours_seen >= OWN_HOURS || meta.instance.is_none() {
            return;
        }
        let mut known: Vec<(f64, u32)> = Vec::new();
        for other in self.registry.of_service_metric(meta.service_at, &meta.metric) {
            let (Some(live), Some(other_meta)) =
                (self.lives.get(*other as usize), self.registry.metas.get(*other as usize))
            else {
                continue;
            };
            let is_known = live.hours_seen >= self.warm_hours && live.is_live && live.phase == Phase::Normal;
            if is_known && !live.is_away && other_meta.scale == meta.scale {
                known.push((meta.scale.apply(live.usual), *other));
            }
            if known.len() >= SIBLINGS_LOOKED_AT_MAX {
                break;
            }
        }
        known.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let (Some(&(middle, lender)), Some(first), Some(last)) =
            (known.get(known.len() / 2), known.first(), known.last())
        else {
            return;
        };
        let level = meta.scale.invert(middle);
        let apart = if known.len() > 1 {
            last.0 - first.0
        } else {
            (meta.scale.apply((1.0 + APART_SHARE) * level) - middle).abs()
        };
        let (Some(lender_live), Some(scorer)) =
            (self.lives.get(lender as usize).copied(), self.scorers.get(lender as usize).cloned())
        else {
            return;
        };
        if let (Some(live), Some(own)) = (self.lives.get_mut(place), self.scorers.get_mut(place)) {
            *own = scorer;
            live.usual = level;
            (live.spread, live.taught) = (lender_live.spread, lender_live.taught);
            (live.quartile_low, live.quartile_high) = (lender_live.quartile_low, lender_live.quartile_high);
            self.loans.restore(index, Borrowed { apart, since: at });
        }
    }

    /// A day on its own is enough.
    pub(super) fn end_loan(&mut self, index: u32) {
        if self.lives.get(index as usize).is_some_and(|live| live.hours_seen >= OWN_HOURS) {
            self.loans.end(index);
        }
    }
}
