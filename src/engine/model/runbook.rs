//! A runbook: a named procedure with conditions, parameters and steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hypothesis::CauseKind;
use super::ids::ServiceName;
use super::step::{BoundStep, StepSpec};

/// A runbook as read from its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Runbook {
    /// Stable identity: `rollback-deploy`.
    pub id: Arc<str>,
    /// First heading of the file.
    pub title: Arc<str>,
    /// As its author counts.
    pub version: Arc<str>,
    /// SHA-256 of the file's text, in hex: what an approval cites.
    pub content_hash: Arc<str>,
    /// Who keeps it.
    pub owner: Arc<str>,
    /// Where it was read; `shipped` for those inside the program.
    pub origin: Arc<str>,
    /// Kinds of cause it is for.
    pub problems: Vec<CauseKind>,
    /// Regular expression the causing service must match; empty for any.
    pub service_pattern: Arc<str>,
    /// Where the causing service must run.
    #[serde(default)]
    pub place: RunbookPlace,
    /// Pages whose steps come before its own: id and version.
    #[serde(default)]
    pub includes: Vec<Include>,
    /// Parameters by name.
    pub params: BTreeMap<Arc<str>, ParamSpec>,
    /// Metrics of which at least one must depart in the incident; empty for any.
    #[serde(default)]
    pub symptoms: Vec<Arc<str>>,
    /// Alerts of which at least one must be in the incident, each a set of matchers on labels; empty for any.
    #[serde(default)]
    pub alerts: Vec<Vec<LabelMatcher>>,
    /// The day of the last run, real or rehearsed, that went well: `2026-02-14`.
    #[serde(default)]
    pub verified: Option<Arc<str>>,
    /// Days after `verified` for which it may still run by itself.
    #[serde(default)]
    pub expires_days: u32,
    /// The first mistake that `hypo runbook lint` calls an error, where there is one: the page does not act by itself then.
    #[serde(default)]
    pub mistake: Option<Arc<str>>,
    /// Acts it may take at most.
    pub acts_max: u8,
    /// Estimated time to walk it, in seconds.
    pub estimate_seconds: u32,
    /// In order.
    pub steps: Vec<StepSpec>,
}

/// Another page whose steps are a part of this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Include {
    /// Its id.
    pub id: Arc<str>,
    /// The version it was read in; another is not taken.
    pub version: Arc<str>,
}

/// A condition on one label of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelMatcher {
    /// The label's name; the value of a missing label is empty.
    pub label: Arc<str>,
    /// False where the value must be another.
    pub is_equal: bool,
    /// True where `value` is a regular expression for the whole value.
    pub is_pattern: bool,
    /// What it is compared with.
    pub value: Arc<str>,
}

/// Where the service runs that a runbook is for: what its commands reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunbookPlace {
    /// Does not matter.
    #[default]
    Anywhere,
    /// This very machine, or a unit of it.
    Machine,
    /// Anywhere but this machine.
    Cluster,
}

/// A runbook that fits an incident and cannot be offered, for want of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misfit {
    /// The runbook's id.
    pub runbook: Arc<str>,
    /// Its title.
    pub title: Arc<str>,
    /// Which parameter cannot be filled, and why.
    pub reason: Arc<str>,
}

/// Where a parameter's value comes from and what it may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ParamSpec {
    /// Its type.
    pub kind: ParamKind,
    /// Where it is taken from: `cause.service`, `cause.callee`, `cause.change.service`, `cause.change.version`,
    /// `cause.change.title`, `cause.change.external_id`, `cause.change.author`, `incident.id`, `alert.labels.NAME`,
    /// `anomaly.service.METRIC`, or a literal default; several with ` or ` between them.
    pub from: Arc<str>,
    /// Regular expression the whole value must match.
    pub pattern: Option<Arc<str>>,
    /// What the service must be known as: `postgres`; empty for anything.
    #[serde(default)]
    pub tech: Arc<str>,
    /// Values it may take; empty for any.
    pub choices: Vec<Arc<str>>,
    /// The smallest number it may be.
    #[serde(default)]
    pub min: Option<f64>,
    /// The largest number it may be.
    #[serde(default)]
    pub max: Option<f64>,
}

/// The type of a parameter. A value that begins with `-` or holds a control character is refused whatever its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// A service the topology or a series knows.
    Service,
    /// A host or instance a series knows.
    Host,
    /// A number.
    Number,
    /// One of `choices`, or text that matches `pattern`; one of the two is required.
    Text,
}

/// A runbook that fits an incident, with how well and with its parameters bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Which runbook.
    pub runbook: Arc<Runbook>,
    /// Bound parameters.
    pub params: BTreeMap<Arc<str>, Arc<str>>,
    /// Every step as it would be run.
    pub steps: Vec<BoundStep>,
    /// Why it fits: `for bad deploy of payment`.
    pub reason: Arc<str>,
    /// Which service it would act on.
    pub service: ServiceName,
    /// The kind of cause and the service it is proposed against.
    pub cause: Option<(CauseKind, ServiceName)>,
}
