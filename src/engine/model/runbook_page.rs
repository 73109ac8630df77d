//! What a runbook says of itself, for whoever looks for one by what it is about.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A runbook as it can be searched and told: everything but the commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunbookPage {
    /// Its id.
    pub id: Arc<str>,
    /// Its title.
    pub title: Arc<str>,
    /// As its author counts.
    pub version: Arc<str>,
    /// Who keeps it.
    pub owner: Arc<str>,
    /// Where it was read; `shipped` for those inside the program.
    pub origin: Arc<str>,
    /// The day of the last run, real or rehearsed, that went well.
    pub verified: Option<Arc<str>>,
    /// Titles of the kinds of cause it is for.
    pub problems: Vec<Arc<str>>,
    /// Metrics of which one must depart.
    pub symptoms: Vec<Arc<str>>,
    /// Values of the alerts' labels that it is for, as its author wrote them: names and patterns.
    pub alerts: Vec<Arc<str>>,
    /// Titles of its steps, in order.
    pub steps: Vec<Arc<str>>,
    /// What it says before its first step: what it looks like, and when it is not for that.
    pub introduction: Arc<str>,
    /// What it says beside its other steps, one after the other.
    pub text: Arc<str>,
}
