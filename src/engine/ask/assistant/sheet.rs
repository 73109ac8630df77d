//! The facts that a model was given, numbered, so that what it says can be held against them.

use std::collections::{BTreeMap, BTreeSet};

use super::fence::{Fence, harmless};
use crate::engine::ask::answer::{Answer, AnswerState, Citation, Claim};
use crate::engine::ask::ground::Ground;
use crate::engine::ask::intent::Intent;

/// What a fact can prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// What it says.
    Told,
    /// What it says, and a cause: root cause named it.
    Cause,
    /// That a line was written, not that what the line says is so.
    Log,
}

/// A fact as it was given.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenFact {
    /// Its line, as it was sent, without its number.
    pub text: String,
    /// What it rests on.
    pub citations: Vec<Citation>,
    /// What it can prove.
    pub weight: Weight,
}

/// Facts of one question.
const FACTS_MAX: usize = 400;

/// All facts that were given for a question.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    facts: Vec<GivenFact>,
    numbers: BTreeMap<String, usize>,
}

impl Sheet {
    /// The fact of this number, from 1.
    #[must_use]
    pub fn fact(&self, number: usize) -> Option<&GivenFact> {
        self.facts.get(number.checked_sub(1)?)
    }

    /// A sheet of facts that rest on nothing, for tests of what is held against them.
    #[cfg(test)]
    pub(super) fn given(facts: &[(&str, Weight)]) -> Self {
        let fact = |(text, weight): &(&str, Weight)| GivenFact {
            text: (*text).to_owned(),
            citations: vec![Citation::Totals],
            weight: *weight,
        };
        Self { facts: facts.iter().map(fact).collect(), numbers: BTreeMap::new() }
    }

    /// All of them with their numbers.
    pub fn facts(&self) -> impl Iterator<Item = (usize, &GivenFact)> {
        self.facts.iter().enumerate().map(|(at, fact)| (at + 1, fact))
    }

    /// Takes what an embedded answer says, and gives its lines with their numbers, as a fence wants them.
    pub fn take(&mut self, ground: &Ground<'_>, answer: &Answer) -> Vec<String> {
        let names_cause = matches!(
            answer.intent,
            Intent::RootCause | Intent::CauseConfidence | Intent::WhySlow | Intent::WhyErrors | Intent::WhySpike
        ) && answer.state == AnswerState::Answered
            && answer.confidence.is_some();
        // "It" is what the first sentence was about.
        let meant = if let [only] = answer.slots.service.as_slice() { Some(only.as_ref()) } else { None };
        let mut lines = vec![self.add(ground, &answer.lead, None, names_cause)];
        for claim in answer.claims.iter().chain(&answer.missing) {
            let meant = meant.filter(|_| claim.text().starts_with("It "));
            lines.push(self.add(ground, claim, meant, false));
        }
        lines.into_iter().flatten().collect()
    }

    /// Takes one claim.
    pub fn line(&mut self, ground: &Ground<'_>, claim: &Claim) -> Option<String> {
        self.add(ground, claim, None, false)
    }

    fn add(&mut self, ground: &Ground<'_>, claim: &Claim, meant: Option<&str>, is_cause: bool) -> Option<String> {
        let citations = claim.citations();
        let mut text = claim.text();
        // What a fact is about belongs to it, where its sentence leaves it to the one before.
        let subjects: BTreeSet<String> = citations.iter().filter_map(|from| subject(ground, from)).collect();
        let mut of = subjects.iter().map(String::as_str);
        let only = of.next().filter(|_| of.next().is_none());
        if let Some(subject) = meant.or(only).filter(|subject| !text.contains(subject)) {
            text = format!("{subject}: {text}");
        }
        let text = harmless(&text);
        if let Some(number) = self.numbers.get(&text) {
            return Some(format!("[f{number}] {text}"));
        }
        if self.facts.len() >= FACTS_MAX {
            return None;
        }
        // What quotes a line of a log, as evidence does, is no more than the line.
        let quotes = |text: &str| log_texts(ground).any(|log| text.contains(log));
        let is_line = |from: &Citation| {
            let Citation::Anomaly(id) = from else { return false };
            ground.snapshot.anomaly(*id).is_some_and(|anomaly| anomaly.template.is_some())
        };
        let weight = if citations.iter().any(is_line) || claim.facts().any(|fact| quotes(&fact.text)) {
            Weight::Log
        } else if is_cause {
            Weight::Cause
        } else {
            Weight::Told
        };
        self.facts.push(GivenFact { text: text.clone(), citations, weight });
        let number = self.facts.len();
        let line = format!("[f{number}] {text}");
        self.numbers.insert(text, number);
        Some(line)
    }
}

/// The service that a source of facts belongs to.
fn subject(ground: &Ground<'_>, from: &Citation) -> Option<String> {
    match from {
        Citation::Anomaly(id) => ground.snapshot.anomaly(*id).map(|anomaly| anomaly.service.to_string()),
        Citation::Vital(service, _) | Citation::Service(service) => Some(service.to_string()),
        Citation::Change(id) => {
            let change = ground.snapshot.changes.iter().find(|change| change.id == *id)?;
            change.notice.service.as_ref().map(ToString::to_string)
        }
        _ => None,
    }
}

/// Shortest line of a log by which a quotation of it is known.
const QUOTED_BYTES_MIN: usize = 8;

/// The lines of logs that are in the picture, which anybody may have written.
fn log_texts<'s>(ground: &Ground<'s>) -> impl Iterator<Item = &'s str> {
    let templates = ground.snapshot.anomalies.iter().filter_map(|anomaly| anomaly.template.as_ref());
    templates.map(|(_, text)| text.as_ref()).filter(|text| text.len() >= QUOTED_BYTES_MIN)
}

/// A fence around the lines of facts.
#[must_use]
pub fn fenced(fence: &Fence, lines: &[String]) -> String {
    if lines.is_empty() { "nothing is known of that".to_owned() } else { fence.around(lines) }
}
