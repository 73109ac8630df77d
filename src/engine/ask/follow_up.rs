//! Questions that lean on the one before: "and yesterday?", "what about cart?", "why that one?"

use super::classify::Guess;
use super::intent::Intent;
use super::marking::{Marked, Mention};
use super::reading::Reading;
use super::slots::Slots;

/// What a question takes over from the one before.
pub(super) struct Thread {
    /// What it is after.
    pub intent: Intent,
    /// What was said before.
    pub slots: Slots,
}

/// Words that carry on without saying anything of their own.
const CARRIERS: &[&str] = &[
    "a",
    "about",
    "again",
    "also",
    "and",
    "but",
    "for",
    "from",
    "how",
    "in",
    "instead",
    "is",
    "it",
    "just",
    "ok",
    "okay",
    "on",
    "only",
    "or",
    "please",
    "same",
    "so",
    "that",
    "the",
    "then",
    "there",
    "thing",
    "this",
    "to",
    "too",
    "well",
    "what",
    "with",
    "as",
    "of",
    "at",
    "during",
    "more",
    "when",
    "one",
    "if",
    "by",
    "both",
    "now",
    "question",
    "does",
    "step",
    "not",
    "except",
    "excluding",
    "other",
    "than",
    "without",
    "apart",
];

/// Share above which a question with words of its own says by itself what it is after.
const OWN_SHARE_MIN: f32 = 0.5;

/// What a question takes over from `before`; `None` where it stands by itself.
pub(super) fn thread(marked: &Marked, before: &Reading, guess: &Guess) -> Option<Thread> {
    let texts: Vec<&str> = marked.words.iter().map(|word| word.text.as_str()).collect();
    let (own, share) = guess.best();
    let plain: Vec<&str> = marked
        .tokens
        .iter()
        .filter(|token| token.mention.is_none())
        .map(|token| token.text.as_str())
        .filter(|word| !CARRIERS.contains(word))
        .collect();
    let leads = matches!(texts.first(), Some(&("and" | "also" | "only" | "same" | "just" | "or" | "but" | "then")))
        || texts.starts_with(&["what", "about"])
        || texts.starts_with(&["how", "about"])
        || matches!(texts.last(), Some(&("too" | "instead")));
    if plain == ["why"]
        || (texts.first() == Some(&"why")
            && texts.len() <= 3
            && matches!(texts.last(), Some(&("that" | "one" | "so" | "it"))))
    {
        return Some(Thread { intent: Intent::CauseConfidence, slots: before.slots.clone() });
    }
    // Names, times and metrics alone, or words that only lengthen or shorten what was said.
    let is_bare = plain.iter().all(|word| {
        matches!(*word, "shorter" | "longer" | "brief" | "briefly" | "detail" | "details" | "short" | "detailed")
    });
    if is_bare && (leads || texts.len() <= 4 || !plain.is_empty()) {
        return Some(Thread { intent: before.intent, slots: before.slots.clone() });
    }
    if leads {
        let intent = if share >= OWN_SHARE_MIN && own != Intent::OutOfScope { own } else { before.intent };
        return Some(Thread { intent, slots: before.slots.clone() });
    }
    // A question of its own that points back: only what it leaves open is taken over.
    let points_back =
        texts.iter().any(|word| matches!(*word, "it" | "its" | "that" | "there" | "them" | "they" | "their"));
    let asks_on = own == Intent::CauseConfidence;
    let has_own = marked.mentions().any(|mention| !matches!(mention, Mention::Time(..)));
    (!has_own && (points_back || asks_on) && own != Intent::OutOfScope).then(|| Thread {
        intent: own,
        slots: Slots {
            incident: before.slots.incident.clone(),
            service: before.slots.service.clone(),
            ..Slots::default()
        },
    })
}

/// Takes over what `slots` leaves open.
pub(super) fn inherit(slots: &mut Slots, before: &Slots, intent: Intent) {
    let says_place = !slots.service.is_empty() || slots.host.is_some();
    if slots.except.is_empty() {
        slots.except.clone_from(&before.except);
        // What is asked about now is no longer left out.
        slots.except.retain(|name| !slots.service.contains(name));
    }
    if !says_place {
        slots.service.clone_from(&before.service);
        slots.service.retain(|name| !slots.except.contains(name));
        slots.host.clone_from(&before.host);
    }
    if slots.region.is_empty() {
        slots.region.clone_from(&before.region);
    }
    if slots.metric.is_none() {
        slots.quantile = slots.quantile.take().or_else(|| before.quantile.clone());
    }
    slots.metric = slots.metric.or(before.metric);
    slots.time = slots.time.or(before.time);
    slots.versus = slots.versus.or(before.versus);
    slots.incident = slots.incident.take().or_else(|| before.incident.clone());
    slots.change = slots.change.take().or_else(|| before.change.clone());
    slots.version = slots.version.take().or_else(|| before.version.clone());
    slots.package = slots.package.take().or_else(|| before.package.clone());
    slots.advisory = slots.advisory.take().or_else(|| before.advisory.clone());
    slots.ring = slots.ring.take().or_else(|| before.ring.clone());
    slots.runbook = slots.runbook.take().or_else(|| before.runbook.clone());
    slots.alert = slots.alert.take().or_else(|| before.alert.clone());
    slots.owner = slots.owner.take().or_else(|| before.owner.clone());
    slots.severity = slots.severity.take().or_else(|| before.severity.clone());
    slots.action = slots.action.or(before.action);
    slots.count = slots.count.or(before.count);
    slots.step = slots.step.or(before.step);
    if intent == Intent::LogSearch {
        slots.text = slots.text.take().or_else(|| before.text.clone());
    }
    if slots.constraint.is_empty() {
        slots.constraint.clone_from(&before.constraint);
    }
}
