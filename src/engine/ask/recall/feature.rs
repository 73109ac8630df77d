//! A digest as features: what two incidents may have in common, from the very same sign on the very same service to a word
//! that was written about both.

use std::collections::BTreeMap;

use super::digest::{Digest, Sign};
use crate::engine::ask::metric::Concept;
use crate::engine::model::series::Fnv1a;
use crate::engine::model::{CauseKind, ChangeKind, Direction, ServiceName};

/// Words of one incident that are remembered, those that came first.
const WORDS_MAX: usize = 160;
/// Shortest and longest word that says anything.
const WORD_CHARS: std::ops::RangeInclusive<usize> = 3..=32;

/// What two incidents may have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feature<'d> {
    /// A metric of a service departed to this side.
    Sign(&'d str, &'d str, Direction),
    /// A metric of this name departed to this side, anywhere.
    Metric(&'d str, Direction),
    /// What is measured departed to this side, anywhere.
    Concept(Concept, Direction),
    /// It did so where it began.
    AtOrigin(Concept, Direction),
    /// It did so on a service of this kind.
    OnKind(&'d str, Concept, Direction),
    /// A log line was new or came at another rate.
    Line(&'d str),
    /// A rule fired.
    Alert(&'d str),
    /// A service was touched.
    Service(&'d str),
    /// It began there.
    Origin(&'d str),
    /// It began at a service of this kind.
    OriginKind(&'d str),
    /// Why it was.
    Cause(CauseKind),
    /// Why it was, and where.
    CauseAt(CauseKind, &'d str),
    /// A change of this kind is blamed.
    Blamed(ChangeKind),
    /// Something of this kind was changed on its services before.
    Changed(ChangeKind),
    /// A word of its title, its log lines or of what people wrote.
    Word(&'d str),
}

impl Feature<'_> {
    /// What it weighs beside the others in units of an eighth: the field weights of BM25F. Set by judgement, in three steps, and
    /// not fitted to anything: how rare a feature is tells most of what it is worth.
    pub(super) fn weight(self) -> u8 {
        match self {
            Self::Cause(_) | Self::CauseAt(..) | Self::AtOrigin(..) | Self::Line(_) => 24,
            Self::Sign(..) | Self::Metric(..) | Self::Alert(_) | Self::Origin(_) => 16,
            Self::OnKind(..) | Self::Blamed(_) => 16,
            Self::Concept(..) | Self::Service(_) | Self::OriginKind(_) | Self::Changed(_) | Self::Word(_) => 8,
        }
    }

    /// Its identity, equal in every run: 64 bits of FNV-1a.
    pub(super) fn identity(self) -> u64 {
        let mut hash = Fnv1a::new();
        let side = |direction: Direction| if direction == Direction::Above { "above" } else { "below" };
        let kind = |kind: ChangeKind| match kind {
            ChangeKind::Deploy | ChangeKind::Release => "deploy",
            ChangeKind::Config | ChangeKind::Flag => "config",
            ChangeKind::Migration => "migration",
            ChangeKind::Scale => "scale",
            ChangeKind::Network => "network",
            ChangeKind::OwnAct => "act",
            ChangeKind::Other => "other",
        };
        let mut say = |parts: &[&str]| parts.iter().for_each(|part| hash.part(part));
        match self {
            Self::Sign(service, metric, direction) => say(&["sign", service, metric, side(direction)]),
            Self::Metric(metric, direction) => say(&["metric", metric, side(direction)]),
            Self::Concept(concept, direction) => say(&["concept", concept.name(), side(direction)]),
            Self::AtOrigin(concept, direction) => say(&["at-origin", concept.name(), side(direction)]),
            Self::OnKind(on, concept, direction) => say(&["on-kind", on, concept.name(), side(direction)]),
            Self::Line(text) => say(&["line", text]),
            Self::Alert(name) => say(&["alert", name]),
            Self::Service(name) => say(&["service", name]),
            Self::Origin(name) => say(&["origin", name]),
            Self::OriginKind(name) => say(&["origin-kind", name]),
            Self::Cause(cause) => say(&["cause", cause.title()]),
            Self::CauseAt(cause, service) => say(&["cause-at", cause.title(), service]),
            Self::Blamed(change) => say(&["blamed", kind(change)]),
            Self::Changed(change) => say(&["changed", kind(change)]),
            Self::Word(word) => say(&["word", word]),
        }
        hash.0
    }
}

/// The features of a digest, each once, as `take` is given them.
pub(super) fn each<'d>(digest: &'d Digest, words: &'d [String], mut take: impl FnMut(Feature<'d>)) {
    let origin = digest.origin.as_ref();
    for sign in &digest.signs {
        of_sign(sign, origin, &mut take);
    }
    digest.lines.iter().for_each(|line| take(Feature::Line(line)));
    digest.alerts.iter().for_each(|name| take(Feature::Alert(name)));
    digest.services.iter().for_each(|name| take(Feature::Service(name.as_str())));
    if let Some(origin) = origin {
        take(Feature::Origin(origin.as_str()));
        if let Some(kind) = kind_of(origin.as_str()) {
            take(Feature::OriginKind(kind));
        }
    }
    if let Some(cause) = &digest.cause {
        take(Feature::Cause(cause.kind));
        take(Feature::CauseAt(cause.kind, cause.service.as_str()));
        if let Some(change) = cause.change {
            take(Feature::Blamed(change));
        }
    }
    digest.changes.iter().for_each(|kind| take(Feature::Changed(*kind)));
    words.iter().for_each(|word| take(Feature::Word(word)));
}

fn of_sign<'d>(sign: &'d Sign, origin: Option<&ServiceName>, take: &mut impl FnMut(Feature<'d>)) {
    take(Feature::Sign(sign.service.as_str(), &sign.metric, sign.direction));
    take(Feature::Metric(&sign.metric, sign.direction));
    let Some(concept) = sign.concept else { return };
    take(Feature::Concept(concept, sign.direction));
    if origin == Some(&sign.service) {
        take(Feature::AtOrigin(concept, sign.direction));
    }
    if let Some(kind) = kind_of(sign.service.as_str()) {
        take(Feature::OnKind(kind, concept, sign.direction));
    }
}

/// The features of a digest by identity, with their weights.
pub(super) fn weighed(digest: &Digest) -> BTreeMap<u64, u8> {
    let words = words(digest);
    let mut all = BTreeMap::new();
    each(digest, &words, |feature| {
        all.insert(feature.identity(), feature.weight());
    });
    all
}

/// What kind of service a name says it is: `db` for `orders-db-2`; `None` where it says nothing.
pub(super) fn kind_of(name: &str) -> Option<&str> {
    let is_word = |part: &&str| part.len() > 1 && part.chars().all(|c| c.is_ascii_alphabetic());
    let mut parts = name.split(['-', '_', '.', ':']).filter(is_word);
    let (first, last) = (parts.next()?, parts.next_back());
    let kind = last.unwrap_or(first);
    let usual = match kind {
        "postgres" | "postgresql" | "pg" | "mysql" | "mariadb" | "database" | "mongo" | "mongodb" => "db",
        "redis" | "valkey" | "memcached" => "cache",
        "kafka" | "rabbitmq" | "amqp" => "queue",
        other => other,
    };
    (last.is_some() || usual != kind || matches!(kind, "db" | "cache" | "queue")).then_some(usual)
}

/// The words of a digest, each once: of its title and cause, its log lines, its runbooks and of what people wrote.
pub(super) fn words(digest: &Digest) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let cause = digest.cause.as_ref().map(|cause| cause.title.as_ref());
    let acts = digest.acts.iter().map(|act| act.runbook.as_ref());
    let texts = std::iter::once(digest.title.as_ref()).chain(cause).chain(digest.lines.iter().map(AsRef::as_ref));
    for text in texts.chain(acts).chain(std::iter::once(digest.text.as_str())) {
        for word in words_of(text) {
            if all.len() < WORDS_MAX && seen.insert(word.clone()) {
                all.push(word);
            }
        }
    }
    all
}

/// The words of a text that may say something: no numbers, no hashes.
pub(super) fn words_of(text: &str) -> impl Iterator<Item = String> {
    let is_told = |word: &&str| WORD_CHARS.contains(&word.chars().count()) && !word.chars().any(|c| c.is_ascii_digit());
    text.split(|c: char| !c.is_alphanumeric()).filter(is_told).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_kind_of_service_it_is() {
        for (name, kind) in [
            ("orders-db", Some("db")),
            ("orders-db-2", Some("db")),
            ("payments-postgres", Some("db")),
            ("redis", Some("cache")),
            ("checkout", None),
            ("eu-checkout-api", Some("api")),
            ("x1", None),
            ("", None),
        ] {
            assert_eq!(kind_of(name), kind, "{name}");
        }
    }

    #[test]
    fn what_differs_has_another_identity() {
        let above = Direction::Above;
        let features = [
            Feature::Sign("a", "b", above),
            Feature::Sign("a", "b", Direction::Below),
            Feature::Sign("ab", "", above),
            Feature::Metric("b", above),
            Feature::Service("a"),
            Feature::Origin("a"),
            Feature::Word("a"),
            Feature::Alert("a"),
            Feature::Line("a"),
            Feature::OriginKind("a"),
            Feature::Concept(Concept::Errors, above),
            Feature::AtOrigin(Concept::Errors, above),
            Feature::OnKind("errors", Concept::Errors, above),
            Feature::Blamed(ChangeKind::Deploy),
            Feature::Changed(ChangeKind::Deploy),
            Feature::Cause(CauseKind::BadDeploy),
            Feature::CauseAt(CauseKind::BadDeploy, "a"),
        ];
        let identities: std::collections::BTreeSet<u64> = features.iter().map(|it| it.identity()).collect();
        assert_eq!(identities.len(), features.len());
    }

    #[test]
    fn words_leave_numbers_and_hashes_out() {
        let told: Vec<String> = words_of("Pool of auth-db EXHAUSTED after deploy 7f3e9d1, 42 s; is it?").collect();
        assert_eq!(told, ["pool", "auth", "exhausted", "after", "deploy"]);
    }
}
