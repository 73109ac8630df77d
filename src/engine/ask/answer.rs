//! What is answered: claims made of fixed words and of facts, each fact with where it is from.
//!
//! Numbers and names can come into a claim as a [`Fact`] only: what an answer says by itself is `&'static str` where it is
//! made. So a claim without a citation says nothing that could be wrong. One that was read back holds the same words.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::intent::Intent;
use super::slots::Slots;
use super::time::span::Span;
use crate::engine::model::{AnomalyId, ChangeId, IncidentId, RolloutId, RunId, human_count};

/// Where a fact is from; Enter opens it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Citation {
    /// An incident.
    Incident(IncidentId),
    /// An anomaly.
    Anomaly(AnomalyId),
    /// Alerts of a rule, by its name.
    Alert(Arc<str>),
    /// A change.
    Change(ChangeId),
    /// A run, or one of its steps, from 0.
    Run(RunId, Option<usize>),
    /// An entry of the audit log, by its number.
    Audit(u64),
    /// A runbook.
    Runbook(Arc<str>),
    /// A source of signals.
    Source(Arc<str>),
    /// The latest value of a metric of a service.
    Vital(Arc<str>, Arc<str>),
    /// A service in the topology.
    Service(Arc<str>),
    /// A patch of the queue, by its key.
    Patch(Arc<str>),
    /// A rollout.
    Rollout(RolloutId),
    /// A maintenance window or a freeze, by its name.
    Occasion(Arc<str>),
    /// How much the engine may do by itself.
    Autonomy,
    /// The totals of all that is watched.
    Totals,
    /// The question itself: a word that the asker used.
    Question,
}

impl fmt::Display for Citation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incident(id) => write!(out, "{id}"),
            Self::Anomaly(id) => write!(out, "{id}"),
            Self::Change(id) => write!(out, "{id}"),
            Self::Rollout(id) => write!(out, "{id}"),
            Self::Run(id, None) => write!(out, "{id}"),
            Self::Run(id, Some(step)) => write!(out, "{id} step {}", step + 1),
            Self::Alert(name) => write!(out, "alert {name}"),
            Self::Audit(number) => write!(out, "log {number}"),
            Self::Runbook(id) => write!(out, "runbook {id}"),
            Self::Source(name) => write!(out, "source {name}"),
            Self::Vital(service, metric) => write!(out, "{service} {metric}"),
            Self::Service(name) => write!(out, "service {name}"),
            Self::Patch(key) => write!(out, "patch {key}"),
            Self::Occasion(name) => write!(out, "calendar {name}"),
            Self::Autonomy => out.write_str("policy"),
            Self::Totals => out.write_str("totals"),
            Self::Question => out.write_str("your question"),
        }
    }
}

/// How a fact is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Within a sentence.
    #[default]
    Words,
    /// A command, as a shell takes it.
    Command,
    /// A Kubernetes manifest, of several lines.
    Manifest,
}

/// Something known, as it is said, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// As it is said, with its unit.
    pub text: Arc<str>,
    /// Where it is from.
    pub from: Citation,
    /// How it is written.
    #[serde(default)]
    pub form: Form,
}

impl Fact {
    /// A fact.
    pub fn new(text: impl fmt::Display, from: Citation) -> Self {
        Self { text: Arc::from(text.to_string()), from, form: Form::Words }
    }

    /// The same, written in another form.
    #[must_use]
    pub fn written(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// How many.
    #[must_use]
    pub fn count(count: usize, from: Citation) -> Self {
        Self::new(human_count(u64::try_from(count).unwrap_or(u64::MAX)), from)
    }

    /// The name of a service, from the topology.
    pub fn service(name: &str) -> Self {
        Self::new(name, Citation::Service(Arc::from(name)))
    }

    /// The name of an incident.
    pub fn incident(id: IncidentId) -> Self {
        Self::new(id, Citation::Incident(id))
    }
}

/// A piece of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Word(Cow<'static, str>),
    Known(Fact),
}

/// One sentence of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claim {
    parts: Vec<Part>,
}

impl Claim {
    /// A claim of `pattern`, whose `{}` stand for the facts in turn. Facts beyond the last place are added as citations alone.
    #[must_use]
    pub fn of(pattern: &'static str, facts: impl IntoIterator<Item = Fact>) -> Self {
        let (mut parts, mut facts) = (Vec::new(), facts.into_iter());
        let mut pieces = pattern.split("{}").peekable();
        while let Some(piece) = pieces.next() {
            if !piece.is_empty() {
                parts.push(Part::Word(Cow::Borrowed(piece)));
            }
            if pieces.peek().is_some()
                && let Some(fact) = facts.next()
            {
                parts.push(Part::Known(fact));
            }
        }
        Self { parts }
    }

    /// The same with another claim after it.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.parts.extend(other.parts);
        self
    }

    /// Its pieces in order: words without a fact, and facts.
    pub fn pieces(&self) -> impl Iterator<Item = Result<&Fact, &str>> {
        self.parts.iter().map(|part| match part {
            Part::Word(word) => Err(word.as_ref()),
            Part::Known(fact) => Ok(fact),
        })
    }

    /// As a person reads it.
    #[must_use]
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Word(word) => word.as_ref(),
                Part::Known(fact) => fact.text.as_ref(),
            })
            .collect()
    }

    /// What it rests on, each once, in order of mention.
    #[must_use]
    pub fn citations(&self) -> Vec<Citation> {
        let mut all = Vec::new();
        for fact in self.facts() {
            if !all.contains(&fact.from) {
                all.push(fact.from.clone());
            }
        }
        all
    }

    /// Its facts, in order.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.parts.iter().filter_map(|part| if let Part::Known(fact) = part { Some(fact) } else { None })
    }

    /// What it says by itself.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| if let Part::Word(word) = part { Some(word.as_ref()) } else { None })
    }
}

/// Several facts in a row, as a person lists them.
#[must_use]
pub fn listed(facts: Vec<Fact>) -> Claim {
    let count = facts.len();
    let mut parts = Vec::new();
    for (at, fact) in facts.into_iter().enumerate() {
        match (at, count - at) {
            (0, _) => {}
            (_, 1) => parts.push(Part::Word(Cow::Borrowed(" and "))),
            _ => parts.push(Part::Word(Cow::Borrowed(", "))),
        }
        parts.push(Part::Known(fact));
    }
    Claim { parts }
}

/// The same of many: past `max` they are counted, by `of`: "a, b and 34 more".
#[must_use]
pub fn listed_up_to(max: usize, mut facts: Vec<Fact>, of: Citation) -> Claim {
    let rest = facts.len().saturating_sub(max);
    if rest == 0 {
        return listed(facts);
    }
    facts.truncate(max);
    let (last, before) = (facts.pop(), facts);
    let told = if before.is_empty() { Claim::default() } else { listed_plainly(before).and(Claim::of(", ", [])) };
    told.and(Claim::of("{} and {} more", last.into_iter().chain([Fact::count(rest, of)])))
}

fn listed_plainly(facts: Vec<Fact>) -> Claim {
    let mut claim = Claim::default();
    for (at, fact) in facts.into_iter().enumerate() {
        claim = claim.and(Claim::of(if at == 0 { "{}" } else { ", {}" }, [fact]));
    }
    claim
}

/// What kind of answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerState {
    /// The question is answered from what is known.
    Answered,
    /// It is not known, and the answer says what is missing.
    Unknown,
    /// Something has to be asked back.
    Ambiguous,
    /// It asks for an act or a secret.
    Refused,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What kind of answer.
    pub state: AnswerState,
    /// What the question was after.
    pub intent: Intent,
    /// What it said beside that.
    pub slots: Slots,
    /// The answer in one sentence.
    pub lead: Claim,
    /// What it rests on, the most telling first.
    pub claims: Vec<Claim>,
    /// How sure it is, from 0 to 1, where it is a judgement.
    pub confidence: Option<f64>,
    /// The time that was looked at.
    pub window: Option<Span>,
    /// What could not be told.
    pub missing: Vec<Claim>,
    /// Questions that may follow, or the choices of one that is asked back.
    pub next: Vec<Arc<str>>,
}

impl Answer {
    /// An answer of one sentence.
    #[must_use]
    pub fn new(state: AnswerState, lead: Claim) -> Self {
        Self {
            state,
            intent: Intent::OutOfScope,
            slots: Slots::default(),
            lead,
            claims: Vec::new(),
            confidence: None,
            window: None,
            missing: Vec::new(),
            next: Vec::new(),
        }
    }

    /// An answer from what is known.
    #[must_use]
    pub fn known(lead: Claim) -> Self {
        Self::new(AnswerState::Answered, lead)
    }

    /// That it is not known.
    #[must_use]
    pub fn unknown(lead: Claim) -> Self {
        Self::new(AnswerState::Unknown, lead)
    }

    /// The same with what it rests on.
    #[must_use]
    pub fn with(mut self, claims: impl IntoIterator<Item = Claim>) -> Self {
        self.claims.extend(claims);
        self
    }

    /// The same with the first `max` of what it rests on; the rest is counted, by `of`.
    #[must_use]
    pub fn with_first(mut self, max: usize, claims: impl ExactSizeIterator<Item = Claim>, of: Citation) -> Self {
        let rest = claims.len().saturating_sub(max);
        self.claims.extend(claims.take(max));
        if rest > 0 {
            self.claims.push(Claim::of("And {} more.", [Fact::count(rest, of)]));
        }
        self
    }

    /// The same for a span of time.
    #[must_use]
    pub fn over(mut self, window: Option<Span>) -> Self {
        self.window = window;
        self
    }

    /// The same with questions that may follow.
    #[must_use]
    pub fn then(mut self, next: &[&'static str]) -> Self {
        self.next.extend(next.iter().map(|text| Arc::from(*text)));
        self
    }

    /// Every claim, the lead first.
    pub fn all_claims(&self) -> impl Iterator<Item = &Claim> {
        std::iter::once(&self.lead).chain(&self.claims).chain(&self.missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_in_their_places_and_are_cited_once() {
        let fact = |text: &str, number| Fact::new(text, Citation::Audit(number));
        let claim = Claim::of("{} did {}; {} saw it.", [fact("mira", 1), fact("it", 2), fact("jonas", 1)]);
        assert_eq!(claim.text(), "mira did it; jonas saw it.");
        assert_eq!(claim.citations(), [Citation::Audit(1), Citation::Audit(2)]);
        assert_eq!(claim.words().collect::<String>(), " did ;  saw it.");
        let list = listed(vec![fact("a", 1), fact("b", 2), fact("c", 3)]);
        assert_eq!(list.text(), "a, b and c");
        let many = |count: u64, max| listed_up_to(max, (1..=count).map(|at| fact("x", at)).collect(), Citation::Totals);
        assert_eq!(many(3, 3).text(), "x, x and x");
        assert_eq!(many(37, 3).text(), "x, x, x and 34 more");
        assert_eq!(many(2, 1).text(), "x and 1 more");
        assert!(many(37, 3).citations().contains(&Citation::Totals), "the count is a fact");
        let claims = || (1..=9).map(|at| Claim::of("{}.", [fact("x", at)])).collect::<Vec<_>>();
        let some = Answer::known(Claim::default()).with_first(4, claims().into_iter(), Citation::Totals);
        assert_eq!((some.claims.len(), some.claims[4].text()), (5, "And 5 more.".to_owned()));
        assert_eq!(
            Answer::known(Claim::default()).with_first(9, claims().into_iter(), Citation::Totals).claims.len(),
            9
        );
    }
}
