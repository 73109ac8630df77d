//! An early warning: what is seen now was seen before, shortly before an incident.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{IncidentId, ServiceName};
use crate::engine::clock::Timestamp;

/// How warnings by one past incident have turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WarningRecord {
    /// An incident on the same service came.
    pub followed: u32,
    /// None came.
    pub quiet: u32,
}

/// `2 of 3 such warnings were followed by an incident`
impl fmt::Display for WarningRecord {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.followed + self.quiet {
            0 => write!(out, "first warning of this kind"),
            1 => write!(out, "the one such warning was {}", if self.followed == 1 { "right" } else { "not" }),
            all => write!(out, "{} of {all} such warnings were right", self.followed),
        }
    }
}

/// Signs that came before a past incident are here again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlyWarning {
    /// The past incident.
    pub incident: IncidentId,
    /// Its title.
    pub title: Arc<str>,
    /// Where it was.
    pub service: ServiceName,
    /// When the first of the signs was seen this time.
    pub since: Timestamp,
    /// How long before that incident its first sign was seen, in milliseconds.
    pub lead_ms: i64,
    /// The signs seen again, in words, the most telling first.
    pub signs: Vec<Arc<str>>,
    /// How many signs there were then.
    pub sign_count: usize,
    /// How such warnings turned out.
    pub record: WarningRecord,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_told_in_words() {
        for (followed, quiet, words) in [
            (0, 0, "first warning of this kind"),
            (1, 0, "the one such warning was right"),
            (0, 1, "the one such warning was not"),
            (2, 1, "2 of 3 such warnings were right"),
        ] {
            assert_eq!(WarningRecord { followed, quiet }.to_string(), words);
        }
    }
}
