//! What a sentence asserts beyond numbers and names: a cause, a deed, how something is. Each must be said by a fact that can prove it.

use super::content::{Content, is_form};

/// Where in a sentence the cause stands, by the word that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before(usize),
    After(usize),
}

impl Side {
    /// The words on which the cause stands.
    pub(super) fn of(self, words: &[String]) -> &[String] {
        match self {
            Self::Before(at) => words.get(..at).unwrap_or_default(),
            Self::After(at) => words.get(at + 1..).unwrap_or_default(),
        }
    }
}

/// What follows these is a cause.
const CAUSE_AFTER: [&str; 11] = [
    "because",
    "due",
    "owing",
    "stems",
    "stemming",
    "attributed",
    "attributable",
    "originates",
    "originated",
    "originating",
    "since",
];
/// These say by "by" or "from" where the cause is; without, it is before them.
const CAUSED: [&str; 17] = [
    "caused",
    "causes",
    "causing",
    "triggered",
    "triggers",
    "triggering",
    "broke",
    "broken",
    "introduced",
    "explains",
    "explained",
    "led",
    "leads",
    "resulted",
    "resulting",
    "responsible",
    "behind",
];
/// These name a cause that stands before or after them.
const CAUSE: [&str; 6] = ["cause", "culprit", "reason", "fault", "blame", "trigger"];
/// Words around a cause that are no part of it.
const AROUND: [&str; 18] = [
    "root",
    "likely",
    "probable",
    "probably",
    "main",
    "mainly",
    "apparent",
    "apparently",
    "confidence",
    "incident",
    "service",
    "started",
    "began",
    "since",
    "after",
    "before",
    "itself",
    "evidently",
];

/// True for a word beside a cause that names none.
pub(super) fn is_around(word: &str) -> bool {
    [AROUND.as_slice(), &CAUSE, &CAUSED, &CAUSE_AFTER].iter().any(|list| list.contains(&word))
}

/// Where the causes stand that a sentence tells; empty where it tells none.
pub(super) fn causes(words: &[String]) -> Vec<Side> {
    let is = |at: usize, any: &[&str]| words.get(at).is_some_and(|word| any.contains(&word.as_str()));
    let mut sides = Vec::new();
    for at in 0..words.len() {
        if is(at, &CAUSE_AFTER) {
            // "since" and "due" tell of time as often.
            let is_time = is(at, &["since"]) || (is(at, &["due"]) && !is(at + 1, &["to"]));
            if !is_time {
                sides.push(Side::After(at));
            }
        } else if is(at, &CAUSED) {
            sides.push(if is(at + 1, &["by", "from"]) { Side::After(at + 1) } else { Side::Before(at) });
        } else if is(at, &CAUSE) && (!is(at, &["fault"]) || is(at.wrapping_sub(1), &["at"])) {
            let verb = (at + 1..words.len()).find(|at| is(*at, &["is", "was", "lies", "being"]));
            let is_called = (at.saturating_sub(4)..at).any(|at| is(at, &["is", "was", "be", "as", "were"]));
            sides.push(match verb {
                Some(verb) if !is_called => Side::After(verb),
                _ => Side::Before(at),
            });
        }
    }
    sides
}

/// Words for what is done to systems, when they tell that it was.
const DEEDS: [&str; 40] = [
    "rolled",
    "restarted",
    "rebooted",
    "deployed",
    "redeployed",
    "scaled",
    "executed",
    "applied",
    "approved",
    "disabled",
    "enabled",
    "deleted",
    "killed",
    "drained",
    "reverted",
    "patched",
    "changed",
    "fixed",
    "silenced",
    "acknowledged",
    "terminated",
    "blocked",
    "closed",
    "ran",
    "stopped",
    "removed",
    "cleared",
    "flushed",
    "updated",
    "upgraded",
    "installed",
    "merged",
    "released",
    "run",
    "done",
    "completed",
    "notified",
    "escalated",
    "paged",
    "switched",
];

/// The deed that a sentence tells as done, where it tells one; true with it where the model claims it for itself.
pub(super) fn deed(words: &[String]) -> Option<(&str, bool)> {
    let is = |at: usize, any: &[&str]| words.get(at).is_some_and(|word| any.contains(&word.as_str()));
    words.iter().enumerate().filter(|(_, word)| DEEDS.contains(&word.as_str())).find_map(|(at, word)| {
        let before = at.saturating_sub(4)..at;
        let is_own = before.clone().any(|at| is(at, &["i", "i've", "i’ve", "we", "we've", "we’ve", "i'm", "i’m"]));
        let is_told = before
            .clone()
            .any(|at| is(at, &["was", "were", "been", "has", "have", "had", "got", "is", "are", "being"]));
        let is_wished =
            before.clone().any(|at| is(at, &["be", "should", "could", "would", "must", "can", "if", "to", "whether"]));
        (is_own || (is_told && !is_wished)).then_some((word.as_str(), is_own))
    })
}

/// Words that say that something is well.
const WELL: [&str; 16] = [
    "healthy",
    "fine",
    "normal",
    "normally",
    "recovered",
    "recovering",
    "resolved",
    "fixed",
    "mitigated",
    "stable",
    "operational",
    "ok",
    "okay",
    "restored",
    "nominal",
    "harmless",
];
/// Words of facts that say so, beside "as usual".
const IS_WELL: [&str; 9] =
    ["recovered", "recovering", "resolved", "mitigated", "back", "over", "closed", "harmless", "harmlessly"];
/// Words that say that something is broken, which facts must have themselves.
const BROKEN: [&str; 27] = [
    "down",
    "outage",
    "unavailable",
    "offline",
    "crashed",
    "crashing",
    "dead",
    "unreachable",
    "attack",
    "attacked",
    "attacker",
    "hacked",
    "breach",
    "breached",
    "compromised",
    "malicious",
    "stolen",
    "leaked",
    "leak",
    "leaks",
    "leaking",
    "corrupted",
    "corruption",
    "misconfigured",
    "misconfiguration",
    "overloaded",
    "exhausted",
];

/// The state that a sentence asserts and `proof` does not have. That something is well has to be said of the very thing.
pub(super) fn unproven_state<'s>(said: &'s Content, proof: &[&Content]) -> Option<&'s str> {
    let has = |fact: &Content, word: &str| fact.stock.iter().any(|known| is_form(known, word));
    let is_usual = |fact: &Content| fact.words.windows(2).any(|pair| pair == ["as", "usual"]);
    let is_well = |fact: &&Content, word: &str| {
        let says =
            has(fact, word) || is_usual(fact) || fact.words.iter().any(|known| IS_WELL.contains(&known.as_str()));
        says && !said.known.is_disjoint(&fact.known)
    };
    said.words.iter().map(String::as_str).find(|word| {
        (WELL.contains(word) && !proof.iter().any(|fact| is_well(fact, word)))
            || (BROKEN.contains(word) && !proof.iter().any(|fact| has(fact, word)))
    })
}

/// True for a sentence about what logs say.
pub(super) fn is_of_logs(words: &[String]) -> bool {
    const LOGS: [&str; 14] = [
        "log",
        "logs",
        "logged",
        "logging",
        "line",
        "lines",
        "message",
        "messages",
        "template",
        "templates",
        "says",
        "reads",
        "wrote",
        "printed",
    ];
    words.iter().any(|word| LOGS.contains(&word.as_str()))
}

/// True for a sentence that says what might be done, and states nothing by that.
pub(super) fn is_advice(words: &[String]) -> bool {
    const ADVICE: [&str; 8] =
        ["should", "could", "consider", "recommend", "recommended", "suggest", "advise", "propose"];
    words.iter().any(|word| ADVICE.contains(&word.as_str()))
}

/// True for a sentence about what is known rather than about how things are.
pub(super) fn is_of_knowledge(words: &[String]) -> bool {
    const KNOWING: [&str; 17] = [
        "know",
        "known",
        "unknown",
        "knows",
        "tell",
        "tells",
        "fact",
        "facts",
        "unclear",
        "uncertain",
        "sure",
        "evidence",
        "data",
        "given",
        "confirmed",
        "information",
        "proven",
    ];
    words.iter().any(|word| KNOWING.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_side_on_which_a_cause_stands_is_found() {
        for (text, side) in [
            ("checkout is slow because payment fails", "payment fails"),
            ("it was caused by payment", "payment"),
            ("payment caused it", "payment"),
            ("payment led to errors", "payment"),
            ("the root cause of inc-1 is payment", "payment"),
            ("payment is the most likely cause of inc-1", "payment is the most likely"),
            ("this is due to payment", "to payment"),
            ("payment is to blame", "payment is to"),
        ] {
            let words = words(text);
            let sides = causes(&words);
            assert_eq!(sides.first().unwrap().of(&words).join(" "), side, "{text}");
        }
        for text in
            ["it is slow since 14:00", "an update is due at noon", "payment is slow", "it shows no fault of its own"]
        {
            assert!(causes(&words(text)).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_deed_is_told_from_advice() {
        assert_eq!(deed(&words("i have restarted payment")), Some(("restarted", true)));
        assert_eq!(deed(&words("payment was restarted")), Some(("restarted", false)));
        for text in ["payment should be restarted", "restart payment", "see whether it was changed if rolled back"] {
            assert_eq!(deed(&words(text)), None, "{text}");
        }
    }
}
