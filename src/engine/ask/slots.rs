//! What a question says beside its intent: which service, metric, time … Only what is said; nothing is guessed.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::metric::Concept;
use super::time::expression::TimeExpression;

/// Something that may be done to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Roll a version out.
    Deploy,
    /// Change how many instances there are.
    Scale,
    /// Start it anew.
    Restart,
    /// Go back to an earlier version.
    Rollback,
    /// Let another instance take over.
    Failover,
    /// Install patches.
    Patch,
    /// Take a machine out.
    Drain,
    /// Change its configuration.
    Config,
}

/// What a remedy must or must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// Nobody may notice.
    ZeroDowntime,
    /// A few at a time.
    Gradual,
    /// Without starting anything anew.
    NoRestart,
    /// It can be taken back.
    Reversible,
}

/// How a question is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Polarity {
    /// With a negation whose truth is asked for.
    Negative,
}

/// What a question says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Slots {
    /// Services, in the order in which they are named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<Arc<str>>,
    /// A machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Arc<str>>,
    /// What is measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<Concept>,
    /// Which percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantile: Option<Arc<str>>,
    /// Regions, as written, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub region: Vec<Arc<str>>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeExpression>,
    /// With when it is compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versus: Option<TimeExpression>,
    /// Which incident: its name, such as `INC-12`, or `this`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<Arc<str>>,
    /// Which change: `last`, or its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Arc<str>>,
    /// Which version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Arc<str>>,
    /// Which package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<Arc<str>>,
    /// Which vulnerability or advisory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advisory: Option<Arc<str>>,
    /// Which ring of a rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring: Option<Arc<str>>,
    /// Which runbook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<Arc<str>>,
    /// Which alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<Arc<str>>,
    /// Whose: a team or a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<str>>,
    /// How bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Arc<str>>,
    /// What would be or was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Deed>,
    /// How many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Which step, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// Which words are looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Arc<str>>,
    /// What a remedy must be.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub constraint: BTreeSet<Constraint>,
    /// Names that are left out, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Arc<str>>,
    /// How the question is put.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polarity: Option<Polarity>,
    /// A name that nothing here has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_name: Option<Arc<str>>,
}

impl Slots {
    /// What a question that follows takes up, each in a word or two: names, and the time where one was said.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let named = self.service.iter().chain(&self.region).chain(&self.host).chain(&self.incident);
        let named = named.chain(&self.package).chain(&self.advisory).chain(&self.owner);
        let mut words: Vec<String> = named.map(ToString::to_string).collect();
        words.extend(self.time.map(|time| time.to_string()));
        words
    }

    /// True where this is to be left out.
    #[must_use]
    pub fn leaves_out(&self, name: &str) -> bool {
        self.except.iter().any(|out| out.as_ref() == name)
    }

    /// True where no service is named, or this one among others; never for one that is left out.
    #[must_use]
    pub fn is_about(&self, service: Option<&str>) -> bool {
        if service.is_some_and(|service| self.leaves_out(service)) {
            return false;
        }
        self.service.is_empty() || self.service.iter().any(|name| service == Some(name.as_ref()))
    }
}
