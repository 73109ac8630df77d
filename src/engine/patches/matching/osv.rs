//! Held against OSV's ranges: events in the order of their versions switch affectedness on and off; a version that is listed is
//! affected whatever the ranges say (OSV schema 1.7, "Evaluation").

use std::cmp::Ordering;

use super::{Basis, Finding, FindingState, Fix};
use crate::engine::patches::feeds::osv::{OsvAdvisory, OsvAffected, OsvEvent, OsvRange};
use crate::engine::patches::version::{Scheme, VersionError};

/// What an advisory means for a version of a package.
#[must_use]
pub fn finding<'k>(
    advisory: &'k OsvAdvisory,
    affected: &'k OsvAffected,
    scheme: Option<Scheme>,
    version: &str,
) -> Finding<'k> {
    Finding {
        id: name(advisory),
        state: state(advisory, affected, scheme, version),
        basis: Basis::Osv(advisory, affected),
        is_withdrawn: false,
    }
}

/// Its CVE number where it has exactly one, else its own name.
fn name(advisory: &OsvAdvisory) -> &crate::engine::patches::advisory_id::AdvisoryId {
    let mut numbers = advisory.aliases.iter().filter(|alias| alias.cve().is_some());
    match (advisory.id.cve(), numbers.next(), numbers.next()) {
        (None, Some(only), None) => only,
        _ => &advisory.id,
    }
}

fn state<'k>(
    advisory: &OsvAdvisory,
    affected: &'k OsvAffected,
    scheme: Option<Scheme>,
    version: &str,
) -> FindingState<'k> {
    if advisory.is_withdrawn {
        return FindingState::NotAffected;
    }
    let mut problem = None;
    for range in &affected.ranges {
        let scheme = if range.is_semver { Some(Scheme::Semver) } else { scheme };
        match scheme.map(|scheme| within(range, scheme, version)) {
            Some(Ok(Some(fix))) => return FindingState::Affected(fix),
            Some(Ok(None)) => {}
            Some(Err(wrong)) => problem = Some(wrong.to_string()),
            None => problem = Some(format!("no rule is known for the order of versions in {}", affected.ecosystem)),
        }
    }
    if affected.versions.iter().any(|listed| listed == version) {
        return FindingState::Affected(Fix::NoneYet);
    }
    match problem {
        Some(problem) => FindingState::Unchecked(problem),
        None if affected.ranges.is_empty() && affected.versions.is_empty() => {
            FindingState::Unchecked("it names commits only, no versions".to_owned())
        }
        None => FindingState::NotAffected,
    }
}

/// What mends it, where the version lies in the range.
fn within<'k>(range: &'k OsvRange, scheme: Scheme, version: &str) -> Result<Option<Fix<'k>>, VersionError> {
    // The last event at or before the version decides; of several at one version, the one that begins counts last.
    let (mut decides, mut fix): (Option<(&OsvEvent, &str)>, Option<&str>) = (None, None);
    for event in &range.events {
        let (OsvEvent::Introduced(at) | OsvEvent::Fixed(at) | OsvEvent::LastAffected(at)) = event;
        let order = if at == "0" && matches!(event, OsvEvent::Introduced(_)) {
            Ordering::Less
        } else {
            scheme.compare(at, version)?
        };
        let is_passed = match event {
            OsvEvent::LastAffected(_) => order == Ordering::Less,
            OsvEvent::Introduced(_) | OsvEvent::Fixed(_) => order != Ordering::Greater,
        };
        if is_passed {
            let is_later = match decides {
                None => true,
                Some((_, "0")) => true,
                Some((_, before)) => at != "0" && scheme.compare(before, at)? != Ordering::Greater,
            };
            if is_later {
                decides = Some((event, at));
            }
        } else if matches!(event, OsvEvent::Fixed(_)) {
            let is_nearer = match fix {
                None => true,
                Some(known) => scheme.compare(at, known)? == Ordering::Less,
            };
            if is_nearer {
                fix = Some(at);
            }
        }
    }
    let is_affected = matches!(decides, Some((OsvEvent::Introduced(_), _)));
    Ok(is_affected.then(|| fix.map_or(Fix::NoneYet, Fix::Version)))
}

/// What decided, in a line.
pub(super) fn proof(advisory: &OsvAdvisory, affected: &OsvAffected, installed: &str) -> String {
    let place = format!("OSV {} for {} in {}", advisory.id, affected.package, affected.ecosystem);
    if advisory.is_withdrawn {
        return format!("{place}: it was withdrawn");
    }
    let ranges: Vec<String> = affected.ranges.iter().map(range_text).collect();
    let listed = affected.versions.iter().any(|version| version == installed);
    let listed = if listed { format!("; {installed} is among the versions that it lists") } else { String::new() };
    format!("{place}: affected {}; installed {installed}{listed}", ranges.join(" or "))
}

fn range_text(range: &OsvRange) -> String {
    let events = range.events.iter().map(|event| match event {
        OsvEvent::Introduced(at) if at == "0" => "from the first version".to_owned(),
        OsvEvent::Introduced(at) => format!("from {at}"),
        OsvEvent::Fixed(at) => format!("until it is mended in {at}"),
        OsvEvent::LastAffected(at) => format!("up to {at}"),
    });
    events.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::patches::feeds::osv;

    fn states(events: &str, more: &str, scheme: Option<Scheme>, versions: &[&str]) -> String {
        let text = format!(
            r#"{{"id": "X-1", "aliases": ["CVE-2026-1111"], "affected": [{{"package": {{"ecosystem": "E", "name": "p"}},
               "ranges": [{{"type": "ECOSYSTEM", "events": {events}}}] {more}}}]}}"#
        );
        let read = osv::read(text.as_bytes()).unwrap();
        let advisory = &read.entries[0];
        let letter = |version: &&str| match finding(advisory, &advisory.affected[0], scheme, version).state {
            FindingState::Affected(Fix::Version(_)) => 'F',
            FindingState::Affected(_) => 'A',
            FindingState::NotAffected => '-',
            FindingState::Unchecked(_) => '?',
        };
        versions.iter().map(letter).collect()
    }

    #[test]
    fn events_switch_affectedness_on_and_off_in_the_order_of_versions() {
        let semver = Some(Scheme::Semver);
        let versions = ["0.9.0", "1.0.0", "1.2.2", "1.2.3", "2.0.0", "2.0.1"];
        assert_eq!(states(r#"[{"introduced": "0"}, {"fixed": "1.2.3"}]"#, "", semver, &versions), "FFF---");
        let two = r#"[{"fixed": "2.0.1"}, {"introduced": "1.0.0"}, {"fixed": "1.2.3"}, {"introduced": "2.0.0"}]"#;
        assert_eq!(states(two, "", semver, &versions), "-FF-F-");
        assert_eq!(states(r#"[{"introduced": "1.0.0"}, {"last_affected": "1.2.3"}]"#, "", semver, &versions), "-AAA--");
        assert_eq!(states(r#"[{"introduced": "0"}]"#, "", semver, &versions), "AAAAAA");
        assert_eq!(
            states(
                r#"[{"introduced": "0"}, {"fixed": "1:3.0.7-27.el9"}]"#,
                "",
                Some(Scheme::Rpm),
                &["1:3.0.7-26.el9", "1:3.0.7-27.el9"]
            ),
            "F-"
        );
    }

    #[test]
    fn what_cannot_be_ordered_is_not_called_safe() {
        let events = r#"[{"introduced": "0"}, {"fixed": "1.2.3"}]"#;
        assert_eq!(states(events, r#", "versions": ["1.0"]"#, None, &["1.0", "1.1"]), "A?");
        assert_eq!(states(events, "", Some(Scheme::Semver), &["1.2"]), "?");
    }

    #[test]
    fn it_is_called_by_its_number_and_tells_what_decided() {
        let text = r#"{"id": "X-1", "aliases": ["CVE-2026-1111"], "withdrawn": "2026-01-01T00:00:00Z", "affected":
            [{"package": {"ecosystem": "E", "name": "p"}, "versions": ["1"]}]}"#;
        let read = osv::read(text.as_bytes()).unwrap();
        let found = finding(&read.entries[0], &read.entries[0].affected[0], None, "1");
        assert_eq!((found.id.to_string().as_str(), &found.state), ("CVE-2026-1111", &FindingState::NotAffected));
        assert!(found.proof("1").contains("withdrawn"));
    }
}
