//! What the feeds say in the demo. All of it is made up: the numbers name nothing, and no such flaws are known in the packages.

use super::machines::{RELEASE, RUNTIME_SOURCE};
use crate::engine::clock::{DAY_MS, HOUR_MS, Timestamp};
use crate::engine::patches::cvss;
use crate::engine::patches::feeds::FeedKind;
use crate::engine::patches::feeds::debian::{Verdict, VerdictState};
use crate::engine::patches::feeds::epss::Estimate;
use crate::engine::patches::feeds::kev::KnownExploited;
use crate::engine::patches::feeds::nvd::{BaseScore, Described};
use crate::engine::patches::knowledge::Knowledge;
use crate::engine::patches::shelf::FeedHead;
use crate::engine::patches::shelf::health::{FeedReport, FeedState};

/// The version of the runtime that mends its flaw and breaks the shop.
pub(super) const BAD_VERSION: &str = "17.0.14+7-1~deb12u1";

/// An advisory, with ages as of the demo's beginning.
pub(super) struct Advisory {
    number: &'static str,
    source: &'static str,
    /// How the tracker has it.
    state: State,
    text: &'static str,
    /// CVSS vector; `None` where nobody has scored it.
    vector: Option<&'static str>,
    /// EPSS: probability and percentile.
    epss: Option<(f32, f32)>,
    /// Days since CISA listed it; `None` where it did not.
    listed_days: Option<i64>,
    /// Days since it was published.
    published_days: i64,
    /// Hours since the shop's machines were first found to be affected.
    found_hours: i64,
}

#[derive(Clone, Copy)]
enum State {
    Fixed(&'static str),
    /// The fix was first seen so many days ago.
    FixedLately(&'static str, i64),
    Open,
    Undetermined,
}

pub(super) const ADVISORIES: [Advisory; 13] = [
    Advisory {
        number: "CVE-2026-1101",
        source: "openssl",
        state: State::Fixed("3.0.15-1~deb12u2"),
        text: "Made up: a crafted hello makes the teapot handshake run what the caller sent.",
        vector: Some("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
        epss: Some((0.914, 0.998)),
        listed_days: Some(1),
        published_days: 9,
        found_hours: 30,
    },
    Advisory {
        number: "CVE-2026-1117",
        source: "openssl",
        state: State::Fixed("3.0.15-1~deb12u2"),
        text: "Made up: a certificate with a very long village name keeps a core busy.",
        vector: Some("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L"),
        epss: Some((0.011, 0.62)),
        listed_days: None,
        published_days: 20,
        found_hours: 20,
    },
    Advisory {
        number: "CVE-2026-1123",
        source: "nginx",
        state: State::Fixed("1.22.1-9+deb12u1"),
        text: "Made up: a request with two teapots is answered to the wrong guest.",
        vector: Some("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:N"),
        epss: Some((0.207, 0.951)),
        listed_days: None,
        published_days: 15,
        found_hours: 20,
    },
    Advisory {
        number: "CVE-2026-1130",
        source: "postgresql-15",
        state: State::Fixed("15.10-0+deb12u2"),
        text: "Made up: a role without rights reads the neighbour's shopping list.",
        vector: Some("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"),
        epss: Some((0.034, 0.83)),
        listed_days: None,
        published_days: 12,
        found_hours: 9,
    },
    Advisory {
        number: "CVE-2026-1142",
        source: "curl",
        state: State::Fixed("7.88.1-10+deb12u8"),
        text: "Made up: a redirect through three villages forgets whom the parcel was for.",
        vector: Some("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L"),
        epss: Some((0.006, 0.44)),
        listed_days: None,
        published_days: 30,
        found_hours: 5 * 24,
    },
    Advisory {
        number: "CVE-2026-1156",
        source: RUNTIME_SOURCE,
        state: State::FixedLately(BAD_VERSION, 2),
        text: "Made up: a cup that is handed back twice is drunk twice.",
        vector: Some("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"),
        epss: Some((0.018, 0.71)),
        listed_days: None,
        published_days: 4,
        found_hours: 2 * 24,
    },
    Advisory {
        number: "CVE-2026-1163",
        source: "sudo",
        state: State::Fixed("1.9.13p3-1+deb12u2"),
        text: "Made up: whoever may brew tea may also rename the kettle.",
        vector: Some("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:L"),
        epss: Some((0.002, 0.12)),
        listed_days: None,
        published_days: 40,
        found_hours: 24 * 24,
    },
    Advisory {
        number: "CVE-2026-1168",
        source: "openssh",
        state: State::Fixed("1:9.2p1-2+deb12u4"),
        text: "Made up: a guest who knocks slowly enough learns who is at home.",
        vector: Some("CVSS:3.1/AV:N/AC:H/PR:L/UI:N/S:U/C:N/I:N/A:L"),
        epss: Some((0.004, 0.31)),
        listed_days: None,
        published_days: 25,
        found_hours: 12 * 24,
    },
    Advisory {
        number: "CVE-2026-1171",
        source: "git",
        state: State::Fixed("1:2.39.5-0+deb12u2"),
        text: "Made up: a branch named after a bird hides the branches behind it.",
        vector: Some("CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:N/I:N/A:L"),
        epss: Some((0.001, 0.05)),
        listed_days: None,
        published_days: 50,
        found_hours: 24 * 24,
    },
    Advisory {
        number: "CVE-2026-1180",
        source: "libxml2",
        state: State::Fixed("2.9.14+dfsg-1.3~deb12u2"),
        text: "Made up: a page that names itself twice is read a third time.",
        vector: None,
        epss: None,
        listed_days: None,
        published_days: 3,
        found_hours: 2 * 24,
    },
    Advisory {
        number: "CVE-2026-1188",
        source: "zlib",
        state: State::Open,
        text: "Made up: an empty parcel, packed often enough, does not fit any more.",
        vector: Some("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:L"),
        epss: Some((0.003, 0.22)),
        listed_days: None,
        published_days: 18,
        found_hours: 5 * 24,
    },
    Advisory {
        number: "CVE-2026-1192",
        source: "python3.11",
        state: State::Fixed("3.11.2-6+deb12u5"),
        text: "Made up: a snake that bites its own tail is never let go of.",
        vector: Some("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H"),
        epss: Some((0.005, 0.38)),
        listed_days: None,
        published_days: 16,
        found_hours: 12 * 24,
    },
    Advisory {
        number: "CVE-2026-1197",
        source: "glibc",
        state: State::Undetermined,
        text: "Made up: nobody has found out yet which cups are cracked.",
        vector: None,
        epss: Some((0.001, 0.04)),
        listed_days: None,
        published_days: 2,
        found_hours: 24,
    },
];

impl Advisory {
    fn verdict(&self, start: Timestamp) -> Option<Verdict> {
        let (state, fix_seen_at) = match self.state {
            State::Fixed(version) => (VerdictState::FixedIn(version.to_owned()), None),
            State::FixedLately(version, days) => {
                (VerdictState::FixedIn(version.to_owned()), Some(start - days * DAY_MS))
            }
            State::Open => (VerdictState::Open, None),
            State::Undetermined => (VerdictState::Undetermined, None),
        };
        Some(Verdict {
            id: self.number.parse().ok()?,
            source: self.source.to_owned(),
            release: RELEASE.to_owned(),
            state,
            urgency: "not yet assigned".to_owned(),
            no_dsa: None,
            fix_seen_at,
        })
    }

    fn described(&self, start: Timestamp) -> Option<Described> {
        let published = (start - self.published_days * DAY_MS).to_datetime().naive_utc();
        let scores = self.vector.into_iter().filter_map(|vector| {
            let score = cvss::base_score(vector)?;
            let (version, source) = ("3.1".to_owned(), "nvd@nist.gov".to_owned());
            Some(BaseScore { score, version, vector: vector.to_owned(), source, is_primary: true })
        });
        Some(Described {
            cve: self.number.parse().ok()?,
            published: Some(published),
            modified: Some(published),
            status: if self.vector.is_some() { "Analyzed" } else { "Awaiting Analysis" }.to_owned(),
            description: self.text.to_owned(),
            scores: scores.collect(),
        })
    }

    fn estimate(&self) -> Option<Estimate> {
        let (probability, percentile) = self.epss?;
        Some(Estimate { cve: self.number.parse().ok()?, probability, percentile })
    }

    fn listed(&self, start: Timestamp) -> Option<KnownExploited> {
        let added = (start - self.listed_days? * DAY_MS).to_datetime().date_naive();
        Some(KnownExploited {
            cve: self.number.parse().ok()?,
            added,
            due: added.checked_add_days(chrono::Days::new(14)),
            is_ransomware: false,
            wants_forensics: Some(false),
            name: self.text.to_owned(),
        })
    }

    /// When the shop's machines were first found to be affected by it.
    pub(super) fn found_at(&self, start: Timestamp) -> Timestamp {
        start - self.found_hours * HOUR_MS
    }
}

/// What was known at `at` in a demo that begins at `start`.
pub(super) fn knowledge(start: Timestamp, at: Timestamp) -> Knowledge {
    let known = || ADVISORIES.iter().filter(|advisory| advisory.found_at(start) <= at);
    Knowledge::of(
        known().filter_map(|advisory| advisory.listed(start)).collect(),
        known().filter_map(Advisory::estimate).collect(),
        known().filter_map(|advisory| advisory.described(start)).collect(),
        Vec::new(),
        known().filter_map(|advisory| advisory.verdict(start)).collect(),
    )
}

/// How the feeds are doing: those that there is something of were taken an hour before the demo began.
pub(super) fn feeds(start: Timestamp) -> Vec<FeedReport> {
    let count = |is_in: fn(&Advisory) -> bool| ADVISORIES.iter().filter(|advisory| is_in(advisory)).count();
    let report = |(feed, count): (FeedKind, usize)| FeedReport {
        feed,
        state: FeedState::Fresh,
        age_ms: Some(HOUR_MS),
        head: Some(FeedHead {
            taken_at: start - HOUR_MS,
            origin: "made up for the demo".to_owned(),
            count,
            ..FeedHead::default()
        }),
        tried: None,
        damage: None,
    };
    let feeds = [
        (FeedKind::Kev, count(|advisory| advisory.listed_days.is_some())),
        (FeedKind::Epss, count(|advisory| advisory.epss.is_some())),
        (FeedKind::Nvd, ADVISORIES.len()),
        (FeedKind::Debian, ADVISORIES.len()),
    ];
    feeds.into_iter().map(report).collect()
}

/// True where some advisory's fix is this version of this source package.
pub(super) fn is_fix(source: &str, version: &str) -> bool {
    ADVISORIES.iter().filter(|advisory| advisory.source == source).any(|advisory| match advisory.state {
        State::Fixed(fix) | State::FixedLately(fix, _) => fix == version,
        State::Open | State::Undetermined => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_794_925_800_000);

    #[test]
    fn every_advisory_is_well_formed() {
        for advisory in &ADVISORIES {
            assert!(advisory.verdict(START).is_some() && advisory.described(START).is_some(), "{}", advisory.number);
            let scored = advisory.described(START).unwrap().scores.len();
            assert_eq!(scored, usize::from(advisory.vector.is_some()), "{}", advisory.number);
            assert!(advisory.text.starts_with("Made up: "), "{}", advisory.number);
            assert!(
                advisory.found_hours <= advisory.published_days * 24,
                "{}: found before it was known",
                advisory.number
            );
        }
        assert!(is_fix(RUNTIME_SOURCE, BAD_VERSION) && !is_fix("zlib", BAD_VERSION));
    }

    #[test]
    fn what_was_found_later_was_not_known_before() {
        let all = knowledge(START, START).names().len();
        let before = knowledge(START, START - 100 * HOUR_MS).names().len();
        assert!(0 < before && before < all && all == ADVISORIES.len(), "{before} of {all}");
    }
}
