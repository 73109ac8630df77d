//! NVD's CVE API 2.0, a page at a time. NVD scores only a part by itself now: scores by the CNA are taken too, and one that
//! is missing stays missing.

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::{FeedError, FeedKind, Read};
use crate::engine::ingest::normalize::sanitize;
use crate::engine::limits::ADVISORY_TEXT_BYTES_MAX;
use crate::engine::patches::cve::CveId;
use crate::engine::patches::risk::CvssTenths;

/// Where a page stands in the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Entries in all.
    pub total: u64,
    /// Number of the first on this page.
    pub start: u64,
    /// How many are on it.
    pub count: u64,
}

impl Page {
    /// Where the next page begins; `None` after the last.
    #[must_use]
    pub fn next(self) -> Option<u64> {
        let next = self.start + self.count;
        (self.count > 0 && next < self.total).then_some(next)
    }
}

/// What NVD knows of one vulnerability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Described {
    /// Which.
    pub cve: CveId,
    /// When it was published; the API's instants are UTC.
    pub published: Option<NaiveDateTime>,
    /// When its entry last changed: where the next synchronisation goes on.
    pub modified: Option<NaiveDateTime>,
    /// `Analyzed`, `Deferred`, `Rejected` …
    pub status: String,
    /// In English, where there is such a text.
    pub description: String,
    /// Every base score, the one to go by first.
    pub scores: Vec<BaseScore>,
}

impl Described {
    /// True where the number was withdrawn: it concerns nobody.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.status == "Rejected"
    }
}

/// A base score and who gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseScore {
    /// The score.
    pub score: CvssTenths,
    /// `4.0`, `3.1`, `3.0` or `2.0`: scores of different versions are not the same thing.
    pub version: String,
    /// Its vector.
    pub vector: String,
    /// Who gave it, such as `nvd@nist.gov`.
    pub source: String,
    /// NVD's own or the one it goes by.
    pub is_primary: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    total_results: u64,
    start_index: u64,
    vulnerabilities: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Wrapped {
    cve: Entry,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: CveId,
    published: Option<String>,
    last_modified: Option<String>,
    #[serde(default)]
    vuln_status: String,
    #[serde(default)]
    descriptions: Vec<Description>,
    #[serde(default)]
    metrics: Metrics,
}

#[derive(Deserialize)]
struct Description {
    lang: String,
    value: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metrics {
    cvss_metric_v40: Vec<Metric>,
    cvss_metric_v31: Vec<Metric>,
    cvss_metric_v30: Vec<Metric>,
    cvss_metric_v2: Vec<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    #[serde(default)]
    source: String,
    #[serde(rename = "type", default)]
    kind: String,
    cvss_data: CvssData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CvssData {
    version: String,
    #[serde(default)]
    vector_string: String,
    base_score: f64,
}

/// Reads a page.
///
/// # Errors
/// When it is no answer of the API.
pub fn read(document: &[u8]) -> Result<(Page, Read<Described>), FeedError> {
    let document: Document = serde_json::from_slice(document)
        .map_err(|problem| FeedError::Unreadable { feed: FeedKind::Nvd.title(), problem: problem.to_string() })?;
    let page = Page {
        total: document.total_results,
        start: document.start_index,
        count: document.vulnerabilities.len() as u64,
    };
    let mut read = Read::new();
    for entry in document.vulnerabilities {
        read.take(Wrapped::deserialize(entry).map_err(|problem| problem.to_string()).and_then(|it| described(it.cve)));
    }
    Ok((page, read))
}

fn described(entry: Entry) -> Result<Described, String> {
    let Metrics { cvss_metric_v40, cvss_metric_v31, cvss_metric_v30, cvss_metric_v2 } = entry.metrics;
    // Version 3 first, which the bands are made for, and in each version NVD's own first: a stable sort keeps the rest as it came.
    let mut scores = Vec::new();
    for mut metrics in [cvss_metric_v31, cvss_metric_v30, cvss_metric_v40, cvss_metric_v2] {
        metrics.sort_by_key(|metric| metric.kind != "Primary");
        for metric in metrics {
            let score = CvssTenths::from_score(metric.cvss_data.base_score)
                .map_err(|problem| format!("{}: {problem}", entry.id))?;
            scores.push(BaseScore {
                score,
                version: metric.cvss_data.version,
                vector: metric.cvss_data.vector_string,
                source: metric.source,
                is_primary: metric.kind == "Primary",
            });
        }
    }
    let english = entry.descriptions.into_iter().find(|text| text.lang == "en");
    Ok(Described {
        cve: entry.id,
        published: instant(entry.published),
        modified: instant(entry.last_modified),
        status: entry.vuln_status,
        description: english
            .map(|text| sanitize(&text.value, ADVISORY_TEXT_BYTES_MAX).as_ref().to_owned())
            .unwrap_or_default(),
        scores,
    })
}

fn instant(text: Option<String>) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text?.trim_end_matches('Z'), "%Y-%m-%dT%H:%M:%S%.f").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"{"resultsPerPage": 2, "startIndex": 2000, "totalResults": 4001, "vulnerabilities": [
        {"cve": {"id": "CVE-2024-3094", "published": "2024-03-29T17:15:21.150", "lastModified": "2025-01-01T00:00:00.000",
          "vulnStatus": "Modified", "descriptions": [{"lang": "es", "value": "x"}, {"lang": "en", "value": "Malicious code"}],
          "metrics": {"cvssMetricV31": [
            {"source": "secalert@redhat.com", "type": "Secondary", "cvssData": {"version": "3.1", "vectorString": "CVSS:3.1/AV:N", "baseScore": 10.0}},
            {"source": "nvd@nist.gov", "type": "Primary", "cvssData": {"version": "3.1", "vectorString": "CVSS:3.1/AV:L", "baseScore": 9.8}}]}}},
        {"cve": {"id": "CVE-2026-1111", "vulnStatus": "Deferred", "metrics": {}}},
        {"cve": {"id": "CVE-2026-2222", "metrics": {"cvssMetricV31": [{"cvssData": {"version": "3.1", "baseScore": 11}}]}}}]}"#;

    #[test]
    fn the_score_of_whoever_gave_one_is_kept_and_a_missing_one_is_missing() {
        let (page, read) = read(PAGE.as_bytes()).unwrap();
        assert_eq!((page.next(), read.entries.len(), read.dropped_count), (Some(2_003), 2, 1));
        assert_eq!(Page { start: 3_998, ..page }.next(), None);
        let [first, second] = read.entries.as_slice() else { panic!("two") };
        let scores: Vec<_> = first.scores.iter().map(|score| (score.score.tenths(), score.is_primary)).collect();
        assert_eq!((scores, first.description.as_str()), (vec![(98, true), (100, false)], "Malicious code"));
        assert!(second.scores.is_empty() && !second.is_rejected());
        assert!(read.first_problem.unwrap().contains("11 is no CVSS score"));
    }

    #[test]
    fn a_page_that_is_cut_off_is_refused_wherever_it_is_cut() {
        for end in 0..PAGE.len() {
            assert!(read(&PAGE.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}
