//! How much may be done without a person, and when nothing may be done at all.

use serde::{Deserialize, Serialize};

use super::Span;
use crate::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::model::{ActionKind, AutonomyMode};

/// The policy. Nothing in it is changed at run time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicySettings {
    /// `observe` does nothing, `suggest` waits for a person at every step, `assist` begins what the rules allow.
    pub mode: AutonomyMode,
    /// Confidence in the cause, in percent, from which an act may begin by itself.
    pub act_confidence: u8,
    /// From which it may begin by itself and people are told at once; below it a person decides.
    pub notify_confidence: u8,
    /// Kinds of act that may begin by themselves; none by default.
    pub assist: Vec<ActionKind>,
    /// Silent trials of a kind of act that must be on record before it may begin by itself.
    pub shadow_min: u32,
    /// How long an act that begins by itself is on the screen first.
    pub veto: Span,
    /// After a run, how long what it verified must hold before the incident is over: 5 to 15 minutes are sensible.
    pub hold: Span,
    /// Other confidences for some acts and services; the first that fits holds.
    pub gate: Vec<GateSettings>,
    /// Times in which nothing is changed.
    pub freeze: Vec<FreezeSettings>,
    /// Services that hold data, as a regular expression for the whole name: a restart of one needs proofs first.
    pub databases: String,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            mode: AutonomyMode::Suggest,
            act_confidence: 85,
            notify_confidence: 65,
            assist: Vec::new(),
            shadow_min: 20,
            veto: Span(30 * SECOND_MS),
            hold: Span(5 * MINUTE_MS),
            gate: Vec::new(),
            freeze: Vec::new(),
            databases: "(?i)(.*[-_.])?(db|database|sql|postgres|postgresql|pg|mysql|mariadb|mongo|mongodb|redis|cassandra|oracle|etcd|cockroach|elasticsearch|opensearch)([-_.0-9].*)?".to_owned(),
        }
    }
}

/// Confidences for some acts on some services.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GateSettings {
    /// Which kind of act; every kind where it is left out.
    pub action: Option<ActionKind>,
    /// Which services, as a regular expression for the whole name; every one where it is left out.
    pub services: Option<String>,
    /// In place of `act_confidence`, which holds where it is left out; 101 for never.
    pub act: Option<u8>,
    /// In place of `notify_confidence`, which holds where it is left out and `act` is not 101; with that, left out is never.
    pub notify: Option<u8>,
}

/// A time in which nothing is changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FreezeSettings {
    /// What it is called.
    pub name: String,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Which services, as a regular expression for the whole name; every one where it is left out.
    pub services: Option<String>,
}
