//! CISA's catalogue of vulnerabilities that are known to be exploited.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{FeedError, FeedKind, Read};
use crate::engine::ingest::normalize::sanitize;
use crate::engine::limits::ADVISORY_TEXT_BYTES_MAX;
use crate::engine::patches::cve::CveId;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownExploited {
    /// Which.
    pub cve: CveId,
    /// When it was listed.
    pub added: NaiveDate,
    /// The date in the catalogue, by the rule of its day.
    pub due: Option<NaiveDate>,
    /// Used in campaigns of ransomware.
    pub is_ransomware: bool,
    /// The catalogue asks for a search for signs of intrusion; `None` where it does not say.
    pub wants_forensics: Option<bool>,
    /// What it is called there.
    pub name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    catalog_version: Option<String>,
    vulnerabilities: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "cveID")]
    cve: CveId,
    date_added: NaiveDate,
    due_date: Option<NaiveDate>,
    #[serde(default)]
    known_ransomware_campaign_use: String,
    forensic_triage: Option<String>,
    #[serde(default)]
    vulnerability_name: String,
}

/// Reads the catalogue; gives its version as well.
///
/// # Errors
/// When it is no JSON document with `vulnerabilities`.
pub fn read(document: &[u8]) -> Result<(Option<String>, Read<KnownExploited>), FeedError> {
    let document: Document = serde_json::from_slice(document)
        .map_err(|problem| FeedError::Unreadable { feed: FeedKind::Kev.title(), problem: problem.to_string() })?;
    let mut read = Read::new();
    for entry in document.vulnerabilities {
        read.take(Entry::deserialize(entry).map(known).map_err(|problem| problem.to_string()));
    }
    Ok((document.catalog_version.map(|version| sanitize(&version, 40).as_ref().to_owned()), read))
}

fn known(entry: Entry) -> KnownExploited {
    KnownExploited {
        cve: entry.cve,
        added: entry.date_added,
        due: entry.due_date,
        is_ransomware: entry.known_ransomware_campaign_use == "Known",
        wants_forensics: entry.forensic_triage.map(|answer| answer.eq_ignore_ascii_case("yes")),
        name: sanitize(&entry.vulnerability_name, ADVISORY_TEXT_BYTES_MAX).as_ref().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"catalogVersion": "2026.11.20", "count": 3, "vulnerabilities": [
        {"cveID": "CVE-2024-3094", "dateAdded": "2024-03-30", "dueDate": "2024-04-20", "knownRansomwareCampaignUse": "Known",
         "vulnerabilityName": "XZ", "cwes": ["CWE-506"]},
        {"cveID": "CVE-2026-1234", "dateAdded": "2026-11-01", "knownRansomwareCampaignUse": "Unknown", "forensicTriage": "Yes"},
        {"cveID": "nothing", "dateAdded": "2026-11-01"}]}"#;

    #[test]
    fn entries_are_read_with_and_without_what_is_new_in_them() {
        let (version, read) = read(DOCUMENT.as_bytes()).unwrap();
        assert_eq!(version.as_deref(), Some("2026.11.20"));
        assert_eq!((read.entries.len(), read.dropped_count), (2, 1));
        assert!(read.first_problem.unwrap().contains("`nothing` is no CVE number"));
        let [first, second] = read.entries.as_slice() else { panic!("two") };
        assert_eq!((first.is_ransomware, first.wants_forensics, first.name.as_str()), (true, None, "XZ"));
        assert_eq!((second.is_ransomware, second.wants_forensics, second.due), (false, Some(true), None));
    }

    #[test]
    fn a_document_that_is_cut_off_is_refused_wherever_it_is_cut() {
        for end in 0..DOCUMENT.len() {
            assert!(read(&DOCUMENT.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}
