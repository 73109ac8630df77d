//! The name of a vulnerability in four plus four bytes: a quarter of a million of them are held at once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `CVE-2024-3094`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CveId {
    year: u16,
    number: u32,
    /// `CVE-2024-0001` has four digits at least.
    digits: u8,
}

/// A text that names no vulnerability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no CVE number; one is CVE-YEAR-NUMBER")]
pub struct NoCve(String);

impl FromStr for CveId {
    type Err = NoCve;

    fn from_str(text: &str) -> Result<Self, NoCve> {
        let wrong = || NoCve(text.chars().take(40).collect());
        let (year, number) = text.strip_prefix("CVE-").and_then(|rest| rest.split_once('-')).ok_or_else(wrong)?;
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if year.len() != 4 || !(4..=9).contains(&number.len()) || !is_number(year) || !is_number(number) {
            return Err(wrong());
        }
        Ok(Self {
            year: year.parse().map_err(|_| wrong())?,
            number: number.parse().map_err(|_| wrong())?,
            digits: u8::try_from(number.len()).map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for CveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CVE-{:04}-{:0digits$}", self.year, self.number, digits = usize::from(self.digits))
    }
}

impl TryFrom<String> for CveId {
    type Error = NoCve;

    fn try_from(text: String) -> Result<Self, NoCve> {
        text.parse()
    }
}

impl From<CveId> for String {
    fn from(id: CveId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_it_was_read() {
        for text in ["CVE-1999-0001", "CVE-2024-3094", "CVE-2026-1234567"] {
            assert_eq!(text.parse::<CveId>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "CVE-2024",
            "CVE-24-1234",
            "CVE-2024-123",
            "cve-2024-1234",
            "CVE-2024-12a4",
            "TEMP-0000000-1",
            "CVE-2024-1234567890",
        ] {
            assert!(text.parse::<CveId>().is_err(), "{text}");
        }
    }
}
