//! Held against Debian's tracker, by dpkg's order of versions.

use std::cmp::Ordering;

use super::{Basis, Finding, FindingState, Fix};
use crate::engine::patches::feeds::debian::{Verdict, VerdictState};
use crate::engine::patches::version::Scheme;

/// What the tracker's verdicts on a source package mean for a version of it.
#[must_use]
pub fn findings<'k>(verdicts: &'k [Verdict], version: &str) -> Vec<Finding<'k>> {
    verdicts
        .iter()
        .map(|verdict| Finding {
            id: &verdict.id,
            state: state(verdict, version),
            basis: Basis::Debian(verdict),
            is_withdrawn: false,
        })
        .collect()
}

fn state<'k>(verdict: &'k Verdict, version: &str) -> FindingState<'k> {
    match &verdict.state {
        VerdictState::NeverAffected => FindingState::NotAffected,
        // Debian's word for what is in the source and does no harm in the packages made of it.
        _ if is_unimportant(verdict) => FindingState::NotAffected,
        VerdictState::Undetermined => FindingState::Unchecked("nobody has looked into it for that release".to_owned()),
        VerdictState::FixedIn(fixed) => match Scheme::Dpkg.compare(version, fixed) {
            Ok(Ordering::Less) => FindingState::Affected(Fix::Version(fixed)),
            Ok(_) => FindingState::NotAffected,
            Err(problem) => FindingState::Unchecked(problem.to_string()),
        },
        VerdictState::Open if verdict.urgency.starts_with("end-of-life") => FindingState::Affected(Fix::EndOfLife),
        VerdictState::Open => FindingState::Affected(verdict.no_dsa.map_or(Fix::NoneYet, Fix::NotPlanned)),
    }
}

fn is_unimportant(verdict: &Verdict) -> bool {
    verdict.urgency.starts_with("unimportant")
}

/// What decided, in a line.
pub(super) fn proof(verdict: &Verdict, installed: &str) -> String {
    let place = format!("Debian's tracker for {} in {}", verdict.source, verdict.release);
    match &verdict.state {
        VerdictState::NeverAffected => format!("{place}: no version of it was ever affected"),
        _ if is_unimportant(verdict) => {
            format!("{place}: unimportant, it does no harm in the packages made of that source")
        }
        VerdictState::Undetermined => place,
        VerdictState::FixedIn(fixed) => {
            let order = match Scheme::Dpkg.compare(installed, fixed) {
                Ok(Ordering::Less) => "is older by dpkg's order",
                Ok(_) => "is not older by dpkg's order",
                Err(_) => "cannot be compared",
            };
            format!("{place}: mended in {fixed}, and the installed {installed} {order}")
        }
        VerdictState::Open => format!("{place}: open, every version of that release is affected, {installed} too"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::patches::feeds::debian::NoDsa;

    fn verdict(state: VerdictState, urgency: &str, no_dsa: Option<NoDsa>) -> Verdict {
        Verdict {
            id: "CVE-2026-1111".parse().unwrap(),
            source: "openssl".into(),
            release: "bookworm".into(),
            state,
            urgency: urgency.into(),
            no_dsa,
            fix_seen_at: None,
        }
    }

    #[test]
    fn every_state_of_the_tracker_has_its_meaning() {
        let fixed = || VerdictState::FixedIn("3.0.11-1~deb12u2".into());
        for (verdict, installed, expected, proof) in [
            (
                verdict(fixed(), "", None),
                "3.0.11-1~deb12u1",
                FindingState::Affected(Fix::Version("3.0.11-1~deb12u2")),
                "is older by",
            ),
            // Ported back: far below upstream's number, and mended.
            (verdict(fixed(), "", None), "3.0.11-1~deb12u2", FindingState::NotAffected, "is not older by"),
            (verdict(fixed(), "", None), "1:1.0", FindingState::NotAffected, "is not older by"),
            (verdict(VerdictState::NeverAffected, "", None), "3", FindingState::NotAffected, "was ever affected"),
            (verdict(VerdictState::Open, "low", None), "3", FindingState::Affected(Fix::NoneYet), "open"),
            (
                verdict(VerdictState::Open, "", Some(NoDsa::Ignored)),
                "3",
                FindingState::Affected(Fix::NotPlanned(NoDsa::Ignored)),
                "open",
            ),
            (verdict(VerdictState::Open, "end-of-life", None), "3", FindingState::Affected(Fix::EndOfLife), "open"),
            (verdict(VerdictState::Open, "unimportant", None), "3", FindingState::NotAffected, "does no harm"),
        ] {
            let found = findings(std::slice::from_ref(&verdict), installed);
            assert_eq!(found[0].state, expected, "{verdict:?}");
            assert!(found[0].proof(installed).contains(proof), "{}", found[0].proof(installed));
        }
        for (verdict, installed) in
            [(verdict(VerdictState::Undetermined, "", None), "3"), (verdict(fixed(), "", None), "not a version")]
        {
            let found = findings(std::slice::from_ref(&verdict), installed);
            assert!(matches!(found[0].state, FindingState::Unchecked(_)), "{found:?}");
            assert!(found[0].proof(installed).contains("could not check"));
        }
    }
}
