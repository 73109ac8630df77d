//! Debian's security tracker: for each source package and release, in which version a vulnerability is mended.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

use super::{FeedError, FeedKind, Read};
use crate::engine::clock::Timestamp;
use crate::engine::patches::advisory_id::AdvisoryId;

/// What the tracker says of one vulnerability in one source package of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The vulnerability; before it has a number, the tracker's name for it.
    pub id: AdvisoryId,
    /// The source package, not the binary ones made of it.
    pub source: String,
    /// The release, such as `bookworm`.
    pub release: String,
    /// How it stands there.
    pub state: VerdictState,
    /// How urgent Debian thinks it is, such as `low` or `end-of-life`; empty where it does not say.
    pub urgency: String,
    /// No advisory of its own is planned for it there, and why.
    pub no_dsa: Option<NoDsa>,
    /// When the version that mends it was first seen in a document taken here; `None` for those of the very first one, whose age
    /// nobody here knows.
    pub fix_seen_at: Option<Timestamp>,
}

/// Why Debian plans no security advisory for a vulnerability in a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoDsa {
    /// It is minor: a point release may mend it.
    Minor,
    /// It will not be mended there.
    Ignored,
    /// It is mended together with something else.
    Postponed,
}

/// How a vulnerability stands in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    nodsa: Option<String>,
    nodsa_reason: Option<String>,
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
                let read = name.parse::<AdvisoryId>().map_err(|problem| problem.to_string());
                let read = read.and_then(|id| {
                    Entry::deserialize(entry).map(|entry| (id, entry)).map_err(|problem| format!("{name}: {problem}"))
                });
                match read {
                    Ok((id, entry)) => self.take(&source, &id, entry),
                    Err(problem) => self.read.take(Err(problem)),
                }
            }
        }
        Ok(self.read)
    }
}

impl Document<'_> {
    fn take(&mut self, source: &str, id: &AdvisoryId, entry: Entry) {
        for (release, of) in entry.releases {
            if !self.releases.is_empty() && !self.releases.contains(&release.as_str()) {
                continue;
            }
            let state = match (of.status.as_str(), of.fixed_version) {
                ("resolved", Some(version)) if version == "0" => Ok(VerdictState::NeverAffected),
                ("resolved", Some(version)) => Ok(VerdictState::FixedIn(version)),
                ("open", _) => Ok(VerdictState::Open),
                ("undetermined", _) => Ok(VerdictState::Undetermined),
                (status, _) => Err(format!("{id} of {source} in {release}: `{status}` is no state that is known")),
            };
            let no_dsa = of.nodsa.is_some().then_some(match of.nodsa_reason.as_deref() {
                Some("ignored") => NoDsa::Ignored,
                Some("postponed") => NoDsa::Postponed,
                _ => NoDsa::Minor,
            });
            self.read.take(state.map(|state| Verdict {
                id: id.clone(),
                source: source.to_owned(),
                release,
                state,
                urgency: of.urgency,
                no_dsa,
                fix_seen_at: None,
            }));
        }
    }
}

/// Reads what the tracker says of these releases; of all where none is named.
///
/// # Errors
/// When it is no JSON object of source packages.
pub fn read(document: &[u8], releases: &[&str]) -> Result<Read<Verdict>, FeedError> {
    let mut json = serde_json::Deserializer::from_slice(document);
    let visitor = Document { releases, read: Read::new() };
    let read = json.deserialize_map(visitor).and_then(|read| json.end().map(|()| read));
    read.map_err(|problem| FeedError::Unreadable { feed: FeedKind::Debian.title(), problem: problem.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"xz-utils": {"CVE-2024-3094": {"description": "x", "releases": {
            "bookworm": {"status": "resolved", "fixed_version": "0", "urgency": "not yet assigned"},
            "sid": {"status": "resolved", "fixed_version": "5.6.1+really5.4.5-1", "urgency": "high"}}},
          "TEMP-0000000-ABC": {"releases": {"bookworm": {"status": "open"}}}},
        "openssl": {"CVE-2026-1111": {"releases": {"bookworm": {"status": "open", "urgency": "low"}}},
          "CVE-2026-2222": {"releases": {"bookworm": {"status": "undetermined", "nodsa": "Minor issue", "nodsa_reason": "postponed"}}},
          "CVE-2026-3333": {"releases": {"bookworm": {"status": "new word"}}}}}"#;

    #[test]
    fn only_what_concerns_the_releases_is_kept() {
        let read = read(DOCUMENT.as_bytes(), &["bookworm"]).unwrap();
        let states: Vec<_> = read.entries.iter().map(|entry| (entry.source.as_str(), &entry.state)).collect();
        assert_eq!(
            states,
            [
                ("xz-utils", &VerdictState::NeverAffected),
                ("xz-utils", &VerdictState::Open),
                ("openssl", &VerdictState::Open),
                ("openssl", &VerdictState::Undetermined),
            ]
        );
        assert_eq!((read.dropped_count, read.entries[3].no_dsa), (1, Some(NoDsa::Postponed)));
        assert_eq!(super::read(DOCUMENT.as_bytes(), &[]).unwrap().entries.len(), 5);
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
