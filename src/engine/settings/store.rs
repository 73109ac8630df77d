//! How long things are kept, and how much room they may take.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Span;
use crate::engine::clock::DAY_MS;

/// Least room: with less the store would be written anew all the time, and to no avail.
const SIZE_MIN_MIB: u64 = 64;
/// How long things are kept where nothing says so.
const KEPT_MS: i64 = 400 * DAY_MS;
/// The audit log's part of the room.
const LOG_SHARE: u64 = 4;

/// What the store keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// Incidents that are over, with all that belongs to them, and everything else that is over, are kept this long.
    pub keep: Span,
    /// Entries of the audit log are kept this long; where it is absent as long as everything else, and for 400 days at least: who lets
    /// the rest go soon has not said so of the log.
    pub keep_audit: Option<KeepAudit>,
    /// Room on disk, in MiB; the audit log's part of it is a quarter. From three quarters of the rest on what is over goes sooner, the
    /// oldest first.
    #[serde(deserialize_with = "size")]
    pub size_max_mib: u64,
}

/// How long the audit log keeps its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepAudit {
    /// So long, or less where they need more than their part of the room.
    For(Span),
    /// All of them, whatever room they need.
    Forever,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { keep: Span(KEPT_MS), keep_audit: None, size_max_mib: 2_048 }
    }
}

impl StoreSettings {
    /// Room on disk, in bytes.
    #[must_use]
    pub fn size_max(&self) -> u64 {
        self.size_max_mib.saturating_mul(1 << 20)
    }

    /// The audit log's part of it.
    #[must_use]
    pub fn log_max(&self) -> u64 {
        self.size_max() / LOG_SHARE
    }

    /// What is left for everything else.
    #[must_use]
    pub fn records_max(&self) -> u64 {
        self.size_max() - self.log_max()
    }

    /// How long entries of the audit log are kept; `None` for ever.
    #[must_use]
    pub fn audit_kept(&self) -> Option<Span> {
        match self.keep_audit {
            None => Some(Span(self.keep.0.max(KEPT_MS))),
            Some(KeepAudit::For(span)) => Some(span),
            Some(KeepAudit::Forever) => None,
        }
    }
}

impl Serialize for KeepAudit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::For(span) => span.serialize(serializer),
            Self::Forever => serializer.serialize_str("forever"),
        }
    }
}

impl<'de> Deserialize<'de> for KeepAudit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let or = |problem: String| de::Error::custom(format!("{problem}, or forever"));
        text.parse().map(Self::For).map_err(or)
    }
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let mib = u64::deserialize(deserializer)?;
    if mib < SIZE_MIN_MIB {
        return Err(de::Error::custom(format!("{mib} MiB are too little for a store; give it {SIZE_MIN_MIB} or more")));
    }
    Ok(mib)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<StoreSettings, String> {
        serde_json::from_str(text).map_err(|problem| problem.to_string())
    }

    #[test]
    fn the_log_is_kept_as_long_as_the_rest_unless_it_says_otherwise() {
        let days = |count: i64| Some(Span(count * DAY_MS));
        assert_eq!(read(r#"{"keep":"30d"}"#).unwrap().audit_kept(), days(400), "nothing was said of the log");
        assert_eq!(read(r#"{"keep":"500d"}"#).unwrap().audit_kept(), days(500));
        assert_eq!(read(r#"{"keep":"30d","keep_audit":"30d"}"#).unwrap().audit_kept(), days(30));
        assert_eq!(read(r#"{"keep":"30d","keep_audit":"700d"}"#).unwrap().audit_kept(), days(700));
        let forever = read(r#"{"keep_audit":"forever"}"#).unwrap();
        assert_eq!(forever.audit_kept(), None);
        assert_eq!(read(&serde_json::to_string(&forever).unwrap()).unwrap(), forever);
        assert!(read(r#"{"keep_audit":"always"}"#).unwrap_err().contains("or forever"));
    }

    #[test]
    fn a_store_that_has_no_room_is_refused_and_the_parts_are_the_whole() {
        assert!(read(r#"{"size_max_mib":0}"#).unwrap_err().contains("give it 64 or more"));
        let small = read(r#"{"size_max_mib":64}"#).unwrap();
        assert_eq!((small.log_max() >> 20, small.records_max() >> 20), (16, 48));
    }
}
