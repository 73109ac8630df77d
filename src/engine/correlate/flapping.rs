//! Flapping: an alert that fires and resolves again and again is one alert that has not settled.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::clock::Timestamp;
use crate::engine::limits::{FLAPPING_CHANGES_MIN, FLAPPING_WINDOW_MS};
use crate::engine::model::{Alert, AlertState, Fingerprint};

/// Changes of state that are remembered of one alert; more say nothing more.
const CHANGES_KEPT: usize = 4 * FLAPPING_CHANGES_MIN;

/// The last changes of state of every alert that changed lately.
#[derive(Debug, Default)]
pub(super) struct Flapping {
    tracks: BTreeMap<Fingerprint, Track>,
}

#[derive(Debug)]
struct Track {
    state: AlertState,
    changes: VecDeque<Timestamp>,
}

impl Flapping {
    /// Looks at an alert after a notice; true when the notice was the one that made it flap.
    pub(super) fn look(&mut self, alert: &Alert, now: Timestamp) -> bool {
        let state = alert.notice.state;
        let track = self
            .tracks
            .entry(alert.notice.fingerprint)
            .or_insert_with(|| Track { state, changes: VecDeque::with_capacity(1) });
        if track.state == state {
            return false;
        }
        track.state = state;
        if track.changes.len() == CHANGES_KEPT {
            track.changes.pop_front();
        }
        track.changes.push_back(now);
        count(&track.changes, now) == FLAPPING_CHANGES_MIN
    }

    /// Changes of state within the window where they are enough to call it flapping.
    pub(super) fn changes(&self, alert: Fingerprint, now: Timestamp) -> Option<u32> {
        let count = self.tracks.get(&alert).map_or(0, |track| count(&track.changes, now));
        if count >= FLAPPING_CHANGES_MIN { u32::try_from(count).ok() } else { None }
    }

    /// Forgets alerts that have not changed within the window; says which of them had been flapping until now.
    pub(super) fn forget_settled(&mut self, now: Timestamp) -> Vec<Fingerprint> {
        let mut settled = Vec::new();
        self.tracks.retain(|fingerprint, track| {
            let is_recent = track.changes.back().is_some_and(|last| now.since_ms(*last) <= FLAPPING_WINDOW_MS);
            if !is_recent && track.changes.len() >= FLAPPING_CHANGES_MIN {
                settled.push(*fingerprint);
            }
            // Without a change in the window only the state is worth keeping, and only while it fires.
            if !is_recent {
                track.changes.clear();
            }
            is_recent || track.state == AlertState::Firing
        });
        settled
    }
}

fn count(changes: &VecDeque<Timestamp>, now: Timestamp) -> usize {
    changes.iter().filter(|at| now.since_ms(**at) <= FLAPPING_WINDOW_MS).count()
}
