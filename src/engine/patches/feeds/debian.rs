//! Debian's security tracker: for each source package and release, in which version a vulnerability is mended.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

use super::{FeedError, Read};
use crate::engine::patches::cve::CveId;

/// What the tracker says of one vulnerability in one source package of one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The vulnerability.
    pub cve: CveId,
    /// The source package, not the binary ones made of it.
    pub source: String,
    /// The release, such as `bookworm`.
    pub release: String,
    /// How it stands there.
    pub state: VerdictState,
    /// How urgent Debian thinks it is, such as `low` or `end-of-life`; empty where it does not say.
    pub urgency: String,
}

/// How a vulnerability stands in a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerdictState {
    /// Every version is affected so far.
    Open,
    /// Versions below this one are affected.
    FixedIn(String),
    /// No version of the release ever was.
    NeverAffected,
    /// Nobody has looked yet.
    Undetermined,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    releases: BTreeMap<String, Release>,
}

#[derive(Deserialize)]
struct Release {
    status: String,
    fixed_version: Option<String>,
    #[serde(default)]
    urgency: String,
}

/// The document is tens of megabytes: it is read package by package and only what concerns `releases` is kept.
struct Document<'a> {
    releases: &'a [&'a str],
    read: Read<Verdict>,
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Read<Verdict>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of source packages")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some((source, entries)) = map.next_entry::<String, BTreeMap<String, serde_json::Value>>()? {
            for (name, entry) in entries {
                // Names of its own, before a number is given.
                if name.starts_with("TEMP-") {
                    continue;
                }
                let read = name.parse::<CveId>().map_err(|problem| problem.to_string());
                let read = read.and_then(|cve| {
                    Entry::deserialize(entry).map(|entry| (cve, entry)).map_err(|problem| format!("{name}: {problem}"))
                });
                match read {
                    Ok((cve, entry)) => self.take(&source, cve, entry),
                    Err(problem) => self.read.take(Err(problem)),
                }
            }
        }
        Ok(self.read)
    }
}

impl Document<'_> {
    fn take(&mut self, source: &str, cve: CveId, entry: Entry) {
        for (release, of) in entry.releases {
            if !self.releases.contains(&release.as_str()) {
                continue;
            }
            let state = match (of.status.as_str(), of.fixed_version) {
                ("resolved", Some(version)) if version == "0" => Ok(VerdictState::NeverAffected),
                ("resolved", Some(version)) => Ok(VerdictState::FixedIn(version)),
                ("open", _) => Ok(VerdictState::Open),
                ("undetermined", _) => Ok(VerdictState::Undetermined),
                (status, _) => Err(format!("{cve} of {source} in {release}: `{status}` is no state that is known")),
            };
            let verdict =
                state.map(|state| Verdict { cve, source: source.to_owned(), release, state, urgency: of.urgency });
            self.read.take(verdict);
        }
    }
}

/// Reads what the tracker says of these releases.
///
/// # Errors
/// When it is no JSON object of source packages.
pub fn read(document: &[u8], releases: &[&str]) -> Result<Read<Verdict>, FeedError> {
    let mut json = serde_json::Deserializer::from_slice(document);
    let visitor = Document { releases, read: Read::new() };
    let read = json.deserialize_map(visitor).and_then(|read| json.end().map(|()| read));
    read.map_err(|problem| FeedError::Unreadable { feed: "Debian security tracker", problem: problem.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"xz-utils": {"CVE-2024-3094": {"description": "x", "releases": {
            "bookworm": {"status": "resolved", "fixed_version": "0", "urgency": "not yet assigned"},
            "sid": {"status": "resolved", "fixed_version": "5.6.1+really5.4.5-1", "urgency": "high"}}},
          "TEMP-0000000-ABC": {"releases": {"bookworm": {"status": "open"}}}},
        "openssl": {"CVE-2026-1111": {"releases": {"bookworm": {"status": "open", "urgency": "low"}}},
          "CVE-2026-2222": {"releases": {"bookworm": {"status": "undetermined"}}},
          "CVE-2026-3333": {"releases": {"bookworm": {"status": "new word"}}}}}"#;

    #[test]
    fn only_what_concerns_the_releases_is_kept() {
        let read = read(DOCUMENT.as_bytes(), &["bookworm"]).unwrap();
        let states: Vec<_> = read.entries.iter().map(|entry| (entry.source.as_str(), &entry.state)).collect();
        assert_eq!(
            states,
            [
                ("xz-utils", &VerdictState::NeverAffected),
                ("openssl", &VerdictState::Open),
                ("openssl", &VerdictState::Undetermined),
            ]
        );
        assert_eq!(read.dropped_count, 1);
        assert!(read.first_problem.unwrap().contains("`new word`"));
        let sid = super::read(DOCUMENT.as_bytes(), &["sid"]).unwrap().entries;
        assert_eq!(sid[0].state, VerdictState::FixedIn("5.6.1+really5.4.5-1".into()));
    }

    #[test]
    fn a_document_that_is_cut_off_is_refused_wherever_it_is_cut() {
        for end in 0..DOCUMENT.len() {
            assert!(read(&DOCUMENT.as_bytes()[..end], &["bookworm"]).is_err(), "{end}");
        }
    }
}
