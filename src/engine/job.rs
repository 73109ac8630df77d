//! Everything the engine wants done in the outside world. The driver performs jobs in the order of the list.
//!
//! Order is a promise: a job begins only after every [`Job::Persist`] before it has reached the disk. That is how an
//! intent is durable before its command starts, and an answer before it is given.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::act::policy::ApprovedStep;
use super::detect::SeriesState;
use super::input::{AssetLook, KillWord, NeedAsked, RequestId};
use super::model::{
    Alert, Anomaly, AuditEntry, Change, Delivery, DeliveryAttempt, Document, Incident, LeftOver, PastPage, Run, RunId,
    SourceName, Topology,
};
use super::patches::exceptions::PatchException;
use super::patches::rollout::KeptRollout;
use super::request::Reply;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Write these in one transaction and flush.
    Persist(Vec<Record>),
    /// Write these when convenient; losing them costs recomputation only.
    PersistLater(Vec<Record>),
    /// Run a step that has passed the gate.
    Execute(ApprovedStep),
    /// Stop a running step.
    Cancel {
        /// Which run.
        run: RunId,
        /// Which step.
        step: usize,
    },
    /// End what still runs of an attempt whose end nobody saw.
    EndLeftOver(LeftOver),
    /// Find out who lacks a patch, and what of it is installed there; the answer is an input.
    FindNeed {
        /// What is asked.
        asked: NeedAsked,
        /// Patches that are put off and risks that are accepted.
        exceptions: Vec<Arc<PatchException>>,
    },
    /// Look what a machine has and runs; the answer is an input.
    LookAtAsset(AssetLook),
    /// Read metrics more often for a while.
    WatchClosely {
        /// Until when.
        until: super::clock::Timestamp,
        /// Between two readings, in milliseconds.
        every_ms: i64,
    },
    /// Tell a system outside; what comes of it is an input.
    Deliver(DeliveryAttempt),
    /// The kill switch was pulled, or taken off: nothing queued begins any more, and the kill file must say so.
    Kill(KillWord),
    /// Answer whoever asked.
    Reply {
        /// Which request.
        id: RequestId,
        /// With what.
        reply: Reply,
    },
}

/// One thing to keep; written again under the same key it replaces what was there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// By id.
    Incident(Incident),
    /// By id.
    Anomaly(Anomaly),
    /// By fingerprint.
    Alert(Alert),
    /// By id.
    Change(Change),
    /// By id.
    Run(Run),
    /// By sequence number; never replaced.
    Audit(AuditEntry),
    /// By fingerprint.
    Series(Box<SeriesState>),
    /// The only one.
    Topology(Topology),
    /// Mined templates, as `detect::log_templates` writes them; the only one.
    Templates(Vec<u8>),
    /// The relations between the metrics of a service, as `detect::relation` learnt them. Without bytes, nothing is to be
    /// kept of it any longer: what was there is removed.
    Relations {
        /// Which service, as which source tells it.
        of: super::model::Fingerprint,
        /// What was learnt.
        bytes: Vec<u8>,
    },
    /// How far a source's backfill has come: everything before this instant is known.
    BackfillCursor {
        /// Which source.
        source: SourceName,
        /// Everything before it is known.
        until: super::clock::Timestamp,
    },
    /// A named setting that outlives the program (last pane, acknowledged hints, how far a file has been read).
    Setting {
        /// Its name.
        name: String,
        /// Its value, as JSON text.
        value: String,
    },
    /// Nothing is to be kept of this series any longer: what was there is removed.
    SeriesGone(super::model::Fingerprint),
    /// By number: what is told outside, and how far that has come.
    Delivery(Delivery),
    /// Nothing is to be kept of the delivery of this number any longer.
    DeliveryGone(u64),
    /// By incident and kind.
    Document(Document),
    /// By id.
    Rollout(Arc<KeptRollout>),
    /// By number.
    PatchException(PatchException),
    /// What was measured of a metric, by metric, width and beginning. Without samples nothing is to be kept there any longer.
    PastPage(PastPage),
}

/// First free numbers: those before are taken, by what is there or by what was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextNumbers {
    /// Of incidents.
    pub incident: u64,
    /// Of anomalies.
    pub anomaly: u64,
    /// Of changes.
    pub change: u64,
    /// Of runs.
    pub run: u64,
    /// Of rollouts.
    pub rollout: u64,
    /// Of audit entries.
    pub audit: u64,
}

impl Default for NextNumbers {
    fn default() -> Self {
        Self { incident: 1, anomaly: 1, change: 1, run: 1, rollout: 1, audit: 1 }
    }
}
