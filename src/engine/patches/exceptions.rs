//! Patches that are put off until a date, and risks that are accepted until one. None is for ever: what ends comes back into the
//! queue with the deadline that it had.
//!
//! An exception is for a source package or one vulnerability, on one asset, a ring or everywhere. It lasts 365 days at most; for
//! what is known to be exploited, or where nobody knows that, 30 days, unless the word [`EXPLOITED_WORD`] is typed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::advisory_id::AdvisoryId;
use super::matching::fleet::{Component, MatchedAsset};
use crate::engine::clock::{DAY_MS, Timestamp};

/// Longest that an exception lasts, in days.
pub const DAYS_MAX: i64 = 365;
/// Longest for what is known to be exploited, in days, unless the word is typed.
pub const EXPLOITED_DAYS_MAX: i64 = 30;
/// What is typed to go past that.
pub const EXPLOITED_WORD: &str = "EXPLOITED";
/// Longest reason or name of an owner, in characters.
const TEXT_CHARS_MAX: usize = 500;

/// What an exception is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Every patch of a source package.
    Package(Arc<str>),
    /// One vulnerability: where its patch mends others too, those go on.
    Advisory(AdvisoryId),
}

/// How the names of advisories begin; anything else is a package.
const ADVISORY_PREFIXES: [&str; 12] =
    ["CVE-", "GHSA-", "DSA-", "DLA-", "TEMP-", "USN-", "RHSA-", "RLSA-", "ALSA-", "RUSTSEC-", "PYSEC-", "GO-"];

impl Subject {
    /// From what a person writes: the name of an advisory or of a source package.
    ///
    /// # Errors
    /// When it is empty, or begins as an advisory and is none.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if ADVISORY_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            return text
                .parse()
                .map(Self::Advisory)
                .map_err(|problem: super::advisory_id::NoAdvisory| problem.to_string());
        }
        if text.is_empty() {
            return Err("name a source package, such as curl, or an advisory, such as CVE-2024-3094".to_owned());
        }
        Ok(Self::Package(Arc::from(text)))
    }
}

/// Where it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// On every asset.
    Everywhere,
    /// On the assets of a ring.
    Ring(Arc<str>),
    /// On one asset.
    Asset(Arc<str>),
}

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionKind {
    /// It is done later.
    Deferred,
    /// The risk is taken.
    Accepted,
}

impl ExceptionKind {
    /// As people say it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Deferred => "deferred",
            Self::Accepted => "accepted",
        }
    }
}

impl ExceptionWish {
    /// From a line as it is typed: the end, then `ring=NAME` or `asset=NAME`, `owner=NAME` and the word for what is exploited
    /// where they are wanted, then the reason.
    ///
    /// # Errors
    /// When the line has no end or no reason.
    pub fn with_line(mut self, line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace().peekable();
        let until = words.next().ok_or("write until when, and why: `14d the vendor tests it`")?;
        self.until = Arc::from(until);
        while let Some(word) = words.peek() {
            match word.split_once('=') {
                Some(("ring", name)) if !name.is_empty() => self.reach = Reach::Ring(Arc::from(name)),
                Some(("asset", name)) if !name.is_empty() => self.reach = Reach::Asset(Arc::from(name)),
                Some(("owner", name)) if !name.is_empty() => self.owner = Arc::from(name),
                _ if *word == EXPLOITED_WORD => self.is_exploited_typed = true,
                _ => break,
            }
            words.next();
        }
        self.reason = Arc::from(words.collect::<Vec<_>>().join(" "));
        if self.reason.is_empty() {
            return Err(format!("`{line}` has no reason; write why the patch may wait"));
        }
        Ok(self)
    }
}

/// An exception as somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionWish {
    /// What is decided.
    pub kind: ExceptionKind,
    /// About what.
    pub subject: Subject,
    /// Where.
    pub reach: Reach,
    /// Until when: a date such as `2026-12-24`, which is its first moment in UTC, or days such as `14d`.
    pub until: Arc<str>,
    /// Who answers for it; the asker where empty.
    pub owner: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
    /// The word for what is known to be exploited was typed.
    pub is_exploited_typed: bool,
}

/// Ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
}

/// An exception as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchException {
    /// Its number; never given again.
    pub number: u64,
    /// What is decided.
    pub kind: ExceptionKind,
    /// About what.
    pub subject: Subject,
    /// Where.
    pub reach: Reach,
    /// Who answers for it.
    pub owner: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
    /// When it was made.
    pub made_at: Timestamp,
    /// By whom.
    pub made_by: Arc<str>,
    /// When it ends.
    pub until: Timestamp,
    /// Ended before that.
    pub withdrawn: Option<Withdrawal>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(name) => f.write_str(name),
            Self::Advisory(id) => id.fmt(f),
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => f.write_str("everywhere"),
            Self::Ring(name) => write!(f, "on ring {name}"),
            Self::Asset(name) => write!(f, "on {name}"),
        }
    }
}

impl fmt::Display for PatchException {
    /// `EXC-3: curl everywhere deferred until 2026-12-01 00:00Z, mira answers for it: the vendor tests it`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, kind, subject, reach, until, owner, reason, .. } = self;
        let time = until.hh_mm_ss();
        let time = time.get(..5).unwrap_or(&time);
        let (kind, date) = (kind.word(), until.date());
        write!(f, "EXC-{number}: {subject} {reach} {kind} until {date} {time}Z, {owner} answers for it: {reason}")
    }
}

impl PatchException {
    /// True while it takes something out of the queue.
    #[must_use]
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.withdrawn.is_none() && now < self.until
    }
}

impl ExceptionWish {
    /// The exception that is asked for, where it may be. `may_be_exploited` is true where what it is about is known to be
    /// exploited, or nobody knows whether it is.
    ///
    /// # Errors
    /// When it has no reason, no end or too late a one.
    pub fn granted(
        &self,
        number: u64,
        by: &Arc<str>,
        may_be_exploited: bool,
        now: Timestamp,
    ) -> Result<PatchException, String> {
        let owner = if self.owner.trim().is_empty() { by.trim() } else { self.owner.trim() };
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err("an exception needs a reason: write why the patch may wait".to_owned());
        }
        if [owner, reason].iter().any(|text| text.chars().count() > TEXT_CHARS_MAX) {
            return Err(format!("reason and owner may have {TEXT_CHARS_MAX} characters each; say it shorter"));
        }
        let until = until(&self.until, now)?;
        if until <= now {
            return Err(format!("`{}` is over already; name a later date", self.until));
        }
        if until > now + DAYS_MAX * DAY_MS {
            return Err(format!(
                "an exception lasts {DAYS_MAX} days at most, so that it is looked at again; name an earlier date than `{}`",
                self.until
            ));
        }
        if may_be_exploited && !self.is_exploited_typed && until > now + EXPLOITED_DAYS_MAX * DAY_MS {
            return Err(format!(
                "{} is known to be exploited, or nobody knows here whether it is: {EXPLOITED_DAYS_MAX} days at most, or \
                 longer with the word {EXPLOITED_WORD}",
                self.subject
            ));
        }
        Ok(PatchException {
            number,
            kind: self.kind,
            subject: self.subject.clone(),
            reach: self.reach.clone(),
            owner: Arc::from(owner),
            reason: Arc::from(reason),
            made_at: now,
            made_by: Arc::clone(by),
            until,
            withdrawn: None,
        })
    }
}

/// `14d` from now on, or the first moment of a day in UTC.
fn until(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    match (days, date()) {
        (Some(days), _) => Ok(now + i64::from(days) * DAY_MS),
        (None, Some(date)) => Ok(Timestamp(date.and_utc().timestamp_millis())),
        (None, None) => Err(format!("`{text}` is no end; write a date such as 2026-12-24, or days such as 14d")),
    }
}

/// The exceptions that are in force, to be looked up by what they are about.
#[derive(Debug, Default)]
pub struct InForce<'e> {
    by_package: BTreeMap<&'e str, Vec<&'e PatchException>>,
    by_advisory: BTreeMap<&'e AdvisoryId, Vec<&'e PatchException>>,
}

/// What exceptions take out of one patch on one asset.
#[derive(Debug, PartialEq, Eq)]
pub struct Covered {
    /// For each vulnerability of the component: true where it is taken out.
    pub is_out: Vec<bool>,
    /// The exception that lasts longest of those.
    pub exception: u64,
}

impl Covered {
    /// True where nothing is left that the patch would have to mend.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_out.iter().all(|is_out| *is_out)
    }
}

impl<'e> InForce<'e> {
    /// Those of all exceptions that are in force now.
    #[must_use]
    pub fn of(all: impl IntoIterator<Item = &'e PatchException>, now: Timestamp) -> Self {
        let mut found = Self::default();
        for exception in all.into_iter().filter(|exception| exception.is_in_force(now)) {
            match &exception.subject {
                Subject::Package(name) => found.by_package.entry(name).or_default().push(exception),
                Subject::Advisory(id) => found.by_advisory.entry(id).or_default().push(exception),
            }
        }
        found
    }

    /// What they take out of a component on an asset; `None` where nothing.
    #[must_use]
    pub fn covered(&self, component: &Component<'_>, asset: &MatchedAsset<'_>) -> Option<Covered> {
        if self.by_package.is_empty() && self.by_advisory.is_empty() {
            return None;
        }
        let holds = |exception: &&&PatchException| match &exception.reach {
            Reach::Everywhere => true,
            Reach::Ring(ring) => **ring == *asset.asset.traits.ring,
            Reach::Asset(name) => **name == *asset.name,
        };
        let longest = |of: &[&'e PatchException]| -> Option<(Timestamp, u64)> {
            of.iter().filter(holds).map(|exception| (exception.until, exception.number)).max()
        };
        let whole = self.by_package.get(component.name.as_str()).and_then(|of| longest(of));
        let single =
            |finding: &super::matching::Finding<'_>| self.by_advisory.get(finding.id).and_then(|of| longest(of));
        let each: Vec<Option<(Timestamp, u64)>> =
            component.affected.iter().map(|finding| whole.max(single(finding))).collect();
        let exception = each.iter().flatten().max()?.1;
        Some(Covered { is_out: each.iter().map(Option::is_some).collect(), exception })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wish(until: &str, reason: &str) -> ExceptionWish {
        ExceptionWish {
            kind: ExceptionKind::Deferred,
            subject: Subject::Package("curl".into()),
            reach: Reach::Everywhere,
            until: until.into(),
            owner: "".into(),
            reason: reason.into(),
            is_exploited_typed: false,
        }
    }

    #[test]
    fn a_line_is_taken_apart_and_names_say_what_they_are() {
        let made = wish("", "").with_line("14d ring=canary owner=mira EXPLOITED the  vendor=x tests it").unwrap();
        assert_eq!((made.until.as_ref(), &made.reach), ("14d", &Reach::Ring("canary".into())));
        assert_eq!((made.owner.as_ref(), made.reason.as_ref()), ("mira", "the vendor=x tests it"));
        assert!(made.is_exploited_typed);
        for line in ["", "14d", "14d asset=web-1"] {
            assert!(wish("", "").with_line(line).is_err(), "{line}");
        }
        assert_eq!(Subject::from_text("curl").unwrap(), Subject::Package("curl".into()));
        assert!(matches!(Subject::from_text("CVE-2024-3094").unwrap(), Subject::Advisory(_)));
        assert!(Subject::from_text("CVE-20").is_err() && Subject::from_text(" ").is_err());
    }

    #[test]
    fn an_exception_has_a_reason_an_owner_and_an_end() {
        let now = Timestamp::parse_rfc3339("2026-11-22T10:00:00Z").unwrap();
        let by: Arc<str> = "mira".into();
        let made = wish("2026-12-01", " the vendor tests it ").granted(3, &by, false, now).unwrap();
        assert_eq!(
            made.to_string(),
            "EXC-3: curl everywhere deferred until 2026-12-01 00:00Z, mira answers for it: the vendor tests it"
        );
        for (until, reason, is_exploited, expected) in [
            ("14d", "", false, "needs a reason"),
            ("", "x", false, "is no end"),
            ("never", "x", false, "is no end"),
            ("0d", "x", false, "is over already"),
            ("2026-11-22", "x", false, "is over already"),
            ("366d", "x", false, "365 days at most"),
            ("2036-01-01", "x", false, "365 days at most"),
            ("4294967295d", "x", false, "365 days at most"),
            ("31d", "x", true, "with the word EXPLOITED"),
        ] {
            let said = wish(until, reason).granted(1, &by, is_exploited, now).unwrap_err();
            assert!(said.contains(expected), "{until}: {said}");
        }
        assert!(wish("30d", "x").granted(1, &by, true, now).is_ok());
        let typed = ExceptionWish { is_exploited_typed: true, ..wish("90d", "x") };
        assert!(typed.granted(1, &by, true, now).is_ok());
        let typed = ExceptionWish { is_exploited_typed: true, ..wish("366d", "x") };
        assert!(typed.granted(1, &by, true, now).is_err(), "nothing is for ever");
    }

    proptest! {
        #[test]
        fn whatever_is_asked_ends_within_a_year(until in "[0-9]{1,10}d|[0-9]{4}-[01][0-9]-[0-3][0-9]|.{0,12}", now in 0_i64..4_102_444_800_000) {
            let now = Timestamp(now);
            if let Ok(made) = wish(&until, "x").granted(1, &"a".into(), false, now) {
                prop_assert!(made.until > now && made.until <= now + DAYS_MAX * DAY_MS);
                prop_assert!(made.is_in_force(now) && !made.is_in_force(made.until));
            }
        }
    }
}
