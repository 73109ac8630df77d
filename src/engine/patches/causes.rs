//! Vulnerabilities that live incidents are about: what mends them goes before everything else.

use std::collections::BTreeMap;

use super::advisory_id::AdvisoryId;
use crate::engine::model::{Incident, IncidentId, TimelineKind};

/// How names of vulnerabilities begin that people and alerts write.
const PREFIXES: [&str; 4] = ["CVE-", "GHSA-", "DSA-", "RUSTSEC-"];

/// The vulnerabilities that live incidents name, each with the first incident that does: in their titles, in the cause that
/// ranks first, in alerts and in what people noted.
#[must_use]
pub fn named_by<'i>(incidents: impl IntoIterator<Item = &'i Incident>) -> BTreeMap<AdvisoryId, IncidentId> {
    let mut named = BTreeMap::new();
    let mut live: Vec<&Incident> = incidents.into_iter().filter(|incident| incident.state.is_live()).collect();
    live.sort_by_key(|incident| incident.id);
    for incident in live {
        let told = |kind: TimelineKind| matches!(kind, TimelineKind::Alert | TimelineKind::Note);
        let lines = incident.timeline.iter().filter(|entry| told(entry.kind)).map(|entry| &entry.text);
        let cause = incident.ranking.cause().map(|cause| &cause.title);
        for id in std::iter::once(&incident.title).chain(cause).chain(lines).flat_map(|text| names(text)) {
            named.entry(id).or_insert(incident.id);
        }
    }
    named
}

/// The names of vulnerabilities in a text.
fn names(text: &str) -> Vec<AdvisoryId> {
    let is_apart = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
    let words = text.split(is_apart).filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)));
    words.filter_map(|word| word.trim_end_matches('-').parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock::Timestamp;
    use crate::engine::model::{IncidentState, TimelineEntry};

    #[test]
    fn live_incidents_name_what_they_are_about() {
        let incident = |number: u64, title: &str, note: Option<&str>| {
            let mut incident = Incident::opened(IncidentId(number), Timestamp(1), Timestamp(1));
            incident.title = title.into();
            incident.timeline.extend(note.map(|text| TimelineEntry {
                at: Timestamp(1),
                kind: TimelineKind::Note,
                text: text.into(),
                service: None,
                anomaly: None,
                by: None,
            }));
            incident
        };
        let mut over = incident(3, "CVE-2026-3333", None);
        over.state = IncidentState::Resolved;
        let all = [
            incident(2, "api is slow", Some("broken into by CVE-2026-1111, GHSA-3x8r-x6xp-q4vm; not CVE-20")),
            incident(1, "exploit of CVE-2026-1111: web-1", None),
            over,
        ];
        let named: Vec<String> = named_by(&all).iter().map(|(id, by)| format!("{id} {}", by.0)).collect();
        assert_eq!(named, ["CVE-2026-1111 1", "GHSA-3x8r-x6xp-q4vm 2"]);
    }
}
