//! A delta of a whole picture: each field of a snapshot by its sort.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::DeltaProblem;
use super::list::{ListDelta, MapDelta, applied, applied_to_map};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    Alert, Anomaly, AnomalyId, AuditEntry, AutonomyMode, AutonomyStatus, Change, CompoundAnomaly, Document,
    EarlyWarning, Incident, IncidentId, KillSwitch, KindGuess, Misfit, OutboxStatus, Present, Proposal, Run, RunId,
    RunbookPage, SourceReport, SuppressionRule, Topology, Vital, Wheel,
};
use crate::engine::snapshot::patches::PatchPicture;
use crate::engine::snapshot::rollout::{KeptRollout, Occasion};
use crate::engine::snapshot::{Counts, FileProblem, PatchException, Replaying, Snapshot, StoreStatus};

/// Names each field of a snapshot once, by its sort. One that is left out does not compile.
macro_rules! delta_of_picture {
    (
        lists { $($list:ident: $thing:ty,)+ }
        maps { $($map:ident: $key:ty => $of:ty,)+ }
        shared { $($whole:ident: $shared:ty,)+ }
        values { $($value:ident: $sort:ty,)+ }
    ) => {
        /// What makes one picture of another.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub struct Delta {
            /// Revision and time of the picture that it is made for.
            base: (u64, Timestamp),
            revision: u64,
            at: Timestamp,
            $($list: Option<ListDelta<$thing>>,)+
            $($map: Option<MapDelta<$key, $of>>,)+
            $($whole: Option<Arc<$shared>>,)+
            $($value: Option<$sort>,)+
        }

        /// What makes `to` of `from`.
        #[must_use]
        pub fn diff(from: &Snapshot, to: &Snapshot) -> Delta {
            let Snapshot { revision, at, $($list,)+ $($map,)+ $($whole,)+ $($value,)+ } = to;
            Delta {
                base: (from.revision, from.at),
                revision: *revision,
                at: *at,
                $($list: ListDelta::between(&from.$list, $list),)+
                $($map: MapDelta::between(&from.$map, $map),)+
                $($whole: another(&from.$whole, $whole),)+
                $($value: (from.$value != *$value).then(|| $value.clone()),)+
            }
        }

        impl Delta {
            /// The picture that it makes of `from`.
            ///
            /// # Errors
            /// When it is made for another picture, or is damaged in a way that shows.
            pub fn apply(self, from: &Snapshot) -> Result<Snapshot, DeltaProblem> {
                let (wanted, wanted_at) = self.base;
                if self.base != (from.revision, from.at) {
                    let (found, found_at) = (from.revision, from.at);
                    return Err(DeltaProblem::OtherPicture { wanted, wanted_at, found, found_at });
                }
                Ok(Snapshot {
                    revision: self.revision,
                    at: self.at,
                    $($list: applied(self.$list, &from.$list, stringify!($list))?,)+
                    $($map: applied_to_map(self.$map, &from.$map, stringify!($map))?,)+
                    $($whole: self.$whole.unwrap_or_else(|| Arc::clone(&from.$whole)),)+
                    $($value: self.$value.unwrap_or_else(|| from.$value.clone()),)+
                })
            }
        }
    };
}

delta_of_picture! {
    lists {
        sources: SourceReport,
        incidents: Incident,
        anomalies: Anomaly,
        alerts: Alert,
        changes: Change,
        runs: Run,
        audit: AuditEntry,
        documents: Document,
        rollouts: KeptRollout,
        patch_exceptions: PatchException,
    }
    maps {
        proposals: IncidentId => Proposal,
    }
    shared {
        topology: Topology,
        vitals: Vec<Vital>,
        patches: PatchPicture,
        agenda: Vec<Occasion>,
        runbooks: Vec<RunbookPage>,
    }
    values {
        mode: AutonomyMode,
        kill: Option<KillSwitch>,
        autonomy: AutonomyStatus,
        counts: Counts,
        wheels: BTreeMap<RunId, Wheel>,
        present: Vec<Present>,
        compounds: Vec<CompoundAnomaly>,
        misfits: BTreeMap<IncidentId, Vec<Misfit>>,
        kind_guesses: BTreeMap<IncidentId, Arc<KindGuess>>,
        predictions: Vec<AnomalyId>,
        warnings: Vec<EarlyWarning>,
        suppression_rules: Vec<SuppressionRule>,
        file_problems: Vec<FileProblem>,
        store: StoreStatus,
        outbox: OutboxStatus,
        updates_due: BTreeMap<IncidentId, Timestamp>,
        update_every_ms: i64,
        replay: Option<Replaying>,
    }
}

/// The newer of two wholes, where it is another.
fn another<T: PartialEq>(old: &Arc<T>, new: &Arc<T>) -> Option<Arc<T>> {
    (!Arc::ptr_eq(old, new) && old != new).then(|| Arc::clone(new))
}

impl Delta {
    /// The revision of the picture that it makes.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Its bytes: postcard, which holds every number exactly.
    ///
    /// # Errors
    /// When something in it cannot be written down.
    pub fn encode(&self) -> Result<Vec<u8>, DeltaProblem> {
        postcard::to_stdvec(self).map_err(|problem| DeltaProblem::Unwritable { problem: problem.to_string() })
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When the bytes are not those of a delta, or others follow.
    pub fn decode(bytes: &[u8]) -> Result<Self, DeltaProblem> {
        let unreadable = |problem: String| DeltaProblem::Unreadable { bytes: bytes.len(), problem };
        match postcard::take_from_bytes(bytes) {
            Ok((delta, [])) => Ok(delta),
            Ok((_, rest)) => Err(unreadable(format!("{} bytes follow on its end", rest.len()))),
            Err(problem) => Err(unreadable(problem.to_string())),
        }
    }
}
