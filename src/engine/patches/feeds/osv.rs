//! OSV: advisories of many ecosystems, one JSON document each, with ranges of affected versions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::nvd::BaseScore;
use super::{FeedError, FeedKind, Read};
use crate::engine::ingest::normalize::sanitize;
use crate::engine::limits::ADVISORY_TEXT_BYTES_MAX;
use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::cvss;

/// One advisory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OsvAdvisory {
    /// Its name in OSV.
    pub id: AdvisoryId,
    /// What else it is called: a CVE number, most of the time.
    pub aliases: Vec<AdvisoryId>,
    /// In a line.
    pub summary: String,
    /// When it was published.
    pub published: Option<DateTime<Utc>>,
    /// Taken back: it concerns nobody.
    pub is_withdrawn: bool,
    /// Scores that its vectors give; a CVSS 4.0 vector gives none here.
    pub scores: Vec<BaseScore>,
    /// A word for its severity, where its database says one.
    pub severity: Option<String>,
    /// What is affected.
    pub affected: Vec<OsvAffected>,
}

/// A package that is affected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsvAffected {
    /// `Debian:12`, `crates.io`, `Rocky Linux:9` …
    pub ecosystem: String,
    /// Its name there; for distributions the source package's.
    pub package: String,
    /// In which ranges.
    pub ranges: Vec<OsvRange>,
    /// These versions, one by one.
    pub versions: Vec<String>,
}

/// A range, by its events in the order of versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsvRange {
    /// The versions follow Semantic Versioning, whatever the ecosystem.
    pub is_semver: bool,
    /// Its events.
    pub events: Vec<OsvEvent>,
}

/// Where affectedness begins or ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OsvEvent {
    /// Affected from here on; `0` is before every version.
    Introduced(String),
    /// Not affected from here on.
    Fixed(String),
    /// The last one that is affected.
    LastAffected(String),
}

#[derive(Deserialize)]
struct Entry {
    id: AdvisoryId,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    upstream: Vec<String>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    details: String,
    published: Option<String>,
    withdrawn: Option<String>,
    #[serde(default)]
    severity: Vec<Severity>,
    #[serde(default)]
    affected: Vec<Affected>,
    #[serde(default)]
    database_specific: serde_json::Value,
}

#[derive(Deserialize)]
struct Severity {
    #[serde(rename = "type")]
    kind: String,
    score: String,
}

#[derive(Deserialize)]
struct Affected {
    package: Option<Package>,
    #[serde(default)]
    ranges: Vec<Range>,
    #[serde(default)]
    versions: Vec<String>,
    #[serde(default)]
    severity: Vec<Severity>,
}

#[derive(Deserialize)]
struct Package {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct Range {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
}

/// Reads one advisory, a list of them, or one a line.
///
/// # Errors
/// When it is none of these.
pub fn read(document: &[u8]) -> Result<Read<OsvAdvisory>, FeedError> {
    let unreadable = |problem: String| FeedError::Unreadable { feed: FeedKind::Osv.title(), problem };
    let mut read = Read::new();
    let first = document.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        let entries: Vec<serde_json::Value> =
            serde_json::from_slice(document).map_err(|problem| unreadable(problem.to_string()))?;
        entries.into_iter().for_each(|entry| read.take(advisory(entry)));
        return Ok(read);
    }
    for entry in serde_json::Deserializer::from_slice(document).into_iter::<serde_json::Value>() {
        read.take(advisory(entry.map_err(|problem| unreadable(problem.to_string()))?));
    }
    Ok(read)
}

fn advisory(entry: serde_json::Value) -> Result<OsvAdvisory, String> {
    let name = entry.get("id").and_then(serde_json::Value::as_str).unwrap_or("an entry without `id`").to_owned();
    let entry = Entry::deserialize(entry).map_err(|problem| format!("{name:.60}: {problem}"))?;
    let severities = entry.severity.iter().chain(entry.affected.iter().flat_map(|affected| &affected.severity));
    let scores: Vec<BaseScore> = severities.filter_map(|severity| score(severity, &entry.id)).collect();
    let mut aliases: Vec<AdvisoryId> =
        entry.aliases.iter().chain(&entry.upstream).filter_map(|name| name.parse().ok()).collect();
    aliases.sort();
    aliases.dedup();
    let text = if entry.summary.is_empty() { entry.details.lines().next().unwrap_or_default() } else { &entry.summary };
    let word = entry.database_specific.get("severity").and_then(serde_json::Value::as_str);
    Ok(OsvAdvisory {
        aliases,
        summary: sanitize(text, ADVISORY_TEXT_BYTES_MAX).as_ref().to_owned(),
        published: entry.published.and_then(|at| DateTime::parse_from_rfc3339(&at).ok()).map(|at| at.to_utc()),
        is_withdrawn: entry.withdrawn.is_some(),
        scores,
        severity: word.map(|word| sanitize(word, 40).as_ref().to_owned()),
        affected: entry.affected.into_iter().filter_map(affected).collect(),
        id: entry.id,
    })
}

fn score(severity: &Severity, id: &AdvisoryId) -> Option<BaseScore> {
    let version = severity.score.strip_prefix("CVSS:")?.split('/').next()?;
    (severity.kind == "CVSS_V3").then_some(())?;
    Some(BaseScore {
        score: cvss::base_score(&severity.score)?,
        version: version.to_owned(),
        vector: severity.score.clone(),
        source: format!("OSV {id}"),
        is_primary: false,
    })
}

/// Ranges of commits say nothing of versions and are left out.
fn affected(affected: Affected) -> Option<OsvAffected> {
    let Package { ecosystem, name } = affected.package?;
    let ranges = affected.ranges.into_iter().filter(|range| range.kind != "GIT");
    let ranges = ranges.map(|range| OsvRange {
        is_semver: range.kind == "SEMVER",
        events: range.events.into_iter().filter_map(event).collect(),
    });
    Some(OsvAffected { ecosystem, package: name, ranges: ranges.collect(), versions: affected.versions })
}

fn event(event: Event) -> Option<OsvEvent> {
    match event {
        Event { introduced: Some(version), .. } => Some(OsvEvent::Introduced(version)),
        Event { fixed: Some(version), .. } => Some(OsvEvent::Fixed(version)),
        Event { last_affected: Some(version), .. } => Some(OsvEvent::LastAffected(version)),
        // `limit` is of commits.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"id": "GHSA-aaaa-bbbb-cccc", "modified": "2026-01-02T00:00:00Z", "published": "2026-01-01T00:00:00Z",
        "aliases": ["CVE-2026-1111"], "summary": "Overflow\u001b[2J",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
                     {"type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"}],
        "affected": [{"package": {"ecosystem": "crates.io", "name": "thing", "purl": "pkg:cargo/thing"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.3"}]},
                       {"type": "GIT", "repo": "x", "events": [{"introduced": "0"}]}], "versions": ["1.0.0"]}],
        "database_specific": {"severity": "CRITICAL"}}"#;

    #[test]
    fn an_advisory_is_read_with_its_ranges_and_the_scores_of_its_vectors() {
        let read = read(ONE.as_bytes()).unwrap();
        let [advisory] = read.entries.as_slice() else { panic!("one") };
        assert_eq!(advisory.aliases, ["CVE-2026-1111".parse().unwrap()]);
        assert_eq!(advisory.scores.iter().map(|score| score.score.tenths()).collect::<Vec<_>>(), [98]);
        assert_eq!((advisory.severity.as_deref(), advisory.is_withdrawn), (Some("CRITICAL"), false));
        assert!(!advisory.summary.contains('\u{1b}'));
        let [affected] = advisory.affected.as_slice() else { panic!("one package") };
        assert_eq!((affected.package.as_str(), affected.ranges.len(), affected.versions.len()), ("thing", 1, 1));
        assert_eq!(affected.ranges[0].events[1], OsvEvent::Fixed("1.2.3".into()));
    }

    #[test]
    fn lists_and_lines_are_read_and_what_is_no_advisory_is_counted() {
        let two = format!("[{ONE}, {{\"id\": 5}}]");
        let read_two = read(two.as_bytes()).unwrap();
        assert_eq!((read_two.entries.len(), read_two.dropped_count), (1, 1));
        let lines = format!("{}\n{}\n", ONE.replace('\n', " "), ONE.replace('\n', " "));
        assert_eq!(read(lines.as_bytes()).unwrap().entries.len(), 2);
        for end in 1..ONE.len() {
            assert!(read(&ONE.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}
