//! What an advisory is called: by its CVE number where it has one, else by the name its feed gave it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cve::CveId;

/// Longest name that is not a CVE number.
const NAME_BYTES_MAX: usize = 80;

/// `CVE-2024-3094`, `GHSA-3x8r-x6xp-q4vm`, `DSA-5649-1`, `TEMP-0841856-B18BAF`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AdvisoryId {
    /// By its CVE number.
    Cve(CveId),
    /// By the name of a feed.
    Named(Arc<str>),
}

impl AdvisoryId {
    /// Its CVE number, where it is called by one.
    #[must_use]
    pub fn cve(&self) -> Option<CveId> {
        match self {
            Self::Cve(cve) => Some(*cve),
            Self::Named(_) => None,
        }
    }
}

/// A text that names no advisory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no advisory; a name is letters, digits, `-`, `.`, `_` and `:`, such as CVE-2024-3094")]
pub struct NoAdvisory(String);

impl FromStr for AdvisoryId {
    type Err = NoAdvisory;

    fn from_str(text: &str) -> Result<Self, NoAdvisory> {
        if text.starts_with("CVE-") {
            return text.parse().map(Self::Cve).map_err(|_| NoAdvisory(text.chars().take(40).collect()));
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        let is_name = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
            && text.len() <= NAME_BYTES_MAX
            && text.bytes().all(is_plain);
        if is_name { Ok(Self::Named(text.into())) } else { Err(NoAdvisory(text.chars().take(40).collect())) }
    }
}

impl fmt::Display for AdvisoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cve(cve) => cve.fmt(f),
            Self::Named(name) => f.pad(name),
        }
    }
}

impl TryFrom<String> for AdvisoryId {
    type Error = NoAdvisory;

    fn try_from(text: String) -> Result<Self, NoAdvisory> {
        text.parse()
    }
}

impl From<AdvisoryId> for String {
    fn from(id: AdvisoryId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for text in ["CVE-2024-3094", "GHSA-3x8r-x6xp-q4vm", "TEMP-0841856-B18BAF", "DSA-5649-1", "RHSA-2024:1234"] {
            assert_eq!(text.parse::<AdvisoryId>().unwrap().to_string(), text);
        }
        for text in ["", "CVE-20", "../etc/passwd", "a b", "-x", "x\u{1b}[2J", &"x".repeat(81)] {
            assert!(text.parse::<AdvisoryId>().is_err(), "{text}");
        }
    }
}
