//! What a question says in words rather than names: deeds, conditions, negation, what is looked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Filler, holds, is_of_patches};
use crate::engine::ask::intent::Intent;
use crate::engine::ask::marking::{Mention, Token};
use crate::engine::ask::names::Kind;
use crate::engine::ask::slots::{Constraint, Deed, Polarity, Slots};

/// Words for each deed.
const DEEDS: [(Deed, &str); 8] = [
    (
        Deed::Restart,
        "restart restarts restarted restarting reboot rebooted rebooting bounce bounced bouncing recycle kick \
    kicked",
    ),
    (Deed::Scale, "scale scaled scaling upscale replicas"),
    (Deed::Rollback, "rollback rollbacks revert reverted reverting undo undid undone undoing"),
    (Deed::Failover, "failover failovers"),
    (Deed::Drain, "drain drained draining"),
    (Deed::Patch, "patch patched patching install upgrade"),
    (
        Deed::Deploy,
        "deploy deploys deployed deploying deployment ship shipped shipping release released releasing push \
    pushed pushing",
    ),
    (Deed::Config, "config configuration"),
];

/// Verbs in two parts, with or without something between them: "roll it back".
const SPLIT: [(&str, &str, Deed); 3] = [
    ("roll rolled rolling", "back", Deed::Rollback),
    ("fail failed fails failing", "over", Deed::Failover),
    ("roll rolled rolling", "out", Deed::Deploy),
];

/// Words that deny what comes after them, and how many words later at most.
const DENIALS: &str = "no zero 0 without not never any avoid avoids";
const DENIED_WITHIN: usize = 4;
/// What a remedy may have to do without.
const DOWNTIME: &str = "downtime interruption interruptions outage";
const RESTART: &str = "restart restarts restarting reboot rebooting bouncing bounce bounces";
/// Words and phrases for a few at a time, and for what can be taken back.
const GRADUAL: (&str, &[&str]) = (
    "gradual gradually canary slowly stepwise incremental incrementally progressive progressively",
    &["step by step", "bit by bit", "one by one", "little by little", "one at a time", "in stages", "in small steps"],
);
const REVERSIBLE: (&str, &[&str]) = (
    "reversible revertible revertable undoable",
    &[
        "undo later",
        "can undo",
        "be undone",
        "be reverted",
        "can revert",
        "take back",
        "taken back",
        "rolled back",
        "roll back",
    ],
);

/// Words before what is looked for in logs.
const LEADS: &str = "for containing contain contains mentioning mention mentions matching saying grep like with about";
/// Words after it.
const ENDS: &str =
    "in on from of at logs log lines since please during over appear show today within and for do the last across";

impl Filler<'_> {
    /// What is said in words: severities, the incident, deeds, conditions, negation, what is looked for.
    pub(super) fn phrases(&self, slots: &mut Slots) {
        if slots.severity.is_none() && is_of_patches(self.intent) && self.intent != Intent::PatchRollout {
            let words = ["critical", "high", "medium", "low"];
            slots.severity = words.into_iter().find(|word| self.has(&[word])).map(Arc::from);
        }
        let the = ["the", "this", "that", "our", "current"];
        let is_this = the.iter().any(|the| ["incident", "outage"].iter().any(|noun| self.free_phrase(the, noun)));
        if slots.incident.is_none() && is_this {
            slots.incident = Some(Arc::from("this"));
        }
        let takes_change = matches!(
            self.intent,
            Intent::ChangeLookup | Intent::Act | Intent::Remediation | Intent::ImpactPredict | Intent::VerifyRecovery
        );
        let last = ["last", "latest", "newest", "recent"];
        let nouns = ["deploy", "change", "release", "rollout", "deployment", "push"];
        if slots.change.is_none()
            && takes_change
            && last.iter().any(|last| nouns.iter().any(|noun| self.free_phrase(last, noun)))
        {
            slots.change = Some(Arc::from("last"));
        }
        if matches!(self.intent, Intent::ImpactPredict | Intent::Act | Intent::ActionAudit) {
            slots.action = self.deed();
        }
        if self.intent == Intent::Remediation {
            slots.constraint = self.constraints();
        }
        if self.is_negative() {
            slots.polarity = Some(Polarity::Negative);
        }
        if self.intent == Intent::LogSearch {
            slots.text = self.text_looked_for(slots);
        }
    }

    /// True where two words follow one another outside a time.
    fn free_phrase(&self, one: &str, other: &str) -> bool {
        let free: Vec<&Token> =
            self.marked.tokens.iter().filter(|token| !matches!(token.mention, Some(Mention::Time(..)))).collect();
        free.windows(2).any(|pair| matches!(pair, [a, b] if a.at.end == b.at.start && a.text == one && b.text == other))
    }

    fn deed(&self) -> Option<Deed> {
        for (verbs, particle, deed) in SPLIT {
            let at = self.marked.words.iter().position(|word| holds(verbs, &word.text));
            if at.is_some_and(|at| (at + 1..at + 4).any(|at| self.word(at) == particle)) {
                return Some(deed);
            }
        }
        let mut plain = self.marked.tokens.iter().filter(|token| token.mention.is_none());
        plain.find_map(|token| DEEDS.iter().find(|(_, words)| holds(words, &token.text))).map(|(deed, _)| *deed)
    }

    fn constraints(&self) -> BTreeSet<Constraint> {
        let texts: Vec<&str> = self.marked.words.iter().map(|word| word.text.as_str()).collect();
        let denied = |nouns: &str| {
            let mut noes = texts.iter().enumerate().filter(|(_, word)| holds(DENIALS, word));
            noes.any(|(at, _)| texts.iter().skip(at + 1).take(DENIED_WITHIN).any(|word| holds(nouns, word)))
        };
        let says = |words: &str, phrases: &[&str]| {
            texts.iter().any(|word| holds(words, word)) || phrases.iter().any(|phrase| self.says(phrase))
        };
        let found = [
            (Constraint::ZeroDowntime, denied(DOWNTIME) || says("zero-downtime", &[])),
            (Constraint::Gradual, says(GRADUAL.0, GRADUAL.1)),
            (Constraint::NoRestart, denied(RESTART) || says("restart-free", &[])),
            (Constraint::Reversible, says(REVERSIBLE.0, REVERSIBLE.1)),
        ];
        found.into_iter().filter(|(_, is_said)| *is_said).map(|(constraint, _)| constraint).collect()
    }

    /// The words that are to be found in logs.
    fn text_looked_for(&self, slots: &mut Slots) -> Option<Arc<str>> {
        if let Some(quoted) = self.marked.quoted.first() {
            return Some(Arc::from(quoted.as_str()));
        }
        let tokens = &self.marked.tokens;
        let is_time = |token: &Token| matches!(token.mention, Some(Mention::Time(..)));
        let after = |start: usize| -> Option<Arc<str>> {
            let start = (start..tokens.len()).find(|at| {
                tokens.get(*at).is_some_and(|token| !matches!(token.text.as_str(), "the" | "any" | "a" | "all"))
            })?;
            let named = |token: &Token| matches!(&token.mention, Some(Mention::Names(names)) if names.iter().any(|name| name.kind == Kind::Service));
            let found: Vec<&Token> = tokens
                .iter()
                .skip(start)
                .take_while(|token| !is_time(token) && !named(token) && !holds(ENDS, &token.text))
                .take(4)
                .collect();
            let (first, last) = (found.first()?, found.last()?);
            let words: Vec<&str> =
                self.marked.words.get(first.at.start..last.at.end)?.iter().map(|word| word.raw.as_str()).collect();
            Some(Arc::from(words.join(" ")))
        };
        let lead = tokens.iter().rposition(|token| token.mention.is_none() && holds(LEADS, &token.text));
        let text = lead.and_then(|at| after(at + 1)).or_else(|| {
            let verb = tokens.iter().position(|token| matches!(token.text.as_str(), "find" | "grep" | "count"))?;
            after(verb + 1 + usize::from(tokens.get(verb + 1).is_some_and(|token| token.text == "of")))
        });
        if text.is_some() {
            // What is looked for is text, whatever else it might have meant.
            slots.metric = None;
        }
        text
    }
}
