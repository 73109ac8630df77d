//! Holds what a model said against the facts that it was given: every number, name, id and time of a sentence must stand in a fact
//! that it cites, and so must a cause, a deed, a state and a denial. What does not is struck.

mod assertion;
mod content;
mod quantity;
pub(super) mod sentence;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::content::{Content, is_common, is_form, is_plain};
use super::sheet::{GivenFact, Sheet, Weight};
use crate::engine::ask::answer::Citation;
use crate::engine::ask::names::NameBook;

/// What came of holding a sentence against the facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// All that it states stands in facts.
    Supported {
        /// What these rest on.
        citations: Vec<Citation>,
    },
    /// It states nothing that could be held against a fact: advice, a doubt, a turn of speech.
    Unchecked,
    /// It states something that no fact says.
    Struck {
        /// What, in words for people.
        reason: Arc<str>,
    },
}

/// A sentence of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedSentence {
    /// As it was said, on one line, without its citations.
    pub text: Arc<str>,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl CheckedSentence {
    /// True where it must not be believed.
    #[must_use]
    pub fn is_struck(&self) -> bool {
        matches!(self.verdict, Verdict::Struck { .. })
    }
}

/// A text held against the facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// What it says.
    pub sentences: Vec<CheckedSentence>,
    /// What it proposes to do; struck where it names what is not here.
    pub steps: Vec<CheckedSentence>,
}

/// A fact and what it holds.
struct Fact<'s> {
    given: &'s GivenFact,
    content: Content,
}

/// Holds `text` against the facts of `sheet`, by the names of `book`.
#[must_use]
pub fn check(text: &str, sheet: &Sheet, book: &NameBook) -> Checked {
    let facts: Vec<Fact<'_>> =
        sheet.facts().map(|(_, given)| Fact { given, content: Content::of(&given.text, book) }).collect();
    let parts = sentence::parts(text);
    let checked = |sentence: sentence::Sentence, verdict| CheckedSentence { text: Arc::from(sentence.text), verdict };
    let sentences = parts.sentences.into_iter().map(|sentence| {
        let verdict = verdict(&sentence, &facts, book);
        checked(sentence, verdict)
    });
    let steps = parts.steps.into_iter().map(|step| {
        let verdict = step_verdict(&step, &facts, book);
        checked(step, verdict)
    });
    Checked { sentences: sentences.collect(), steps: steps.collect() }
}

fn struck(reason: impl Into<String>) -> Verdict {
    Verdict::Struck { reason: Arc::from(reason.into()) }
}

fn verdict(sentence: &sentence::Sentence, facts: &[Fact<'_>], book: &NameBook) -> Verdict {
    let said = Content::of(&sentence.text, book);
    let fact = |number: usize| facts.get(number.wrapping_sub(1));
    if let Some(number) = sentence.cited.iter().find(|number| fact(**number).is_none()) {
        return struck(format!("it cites f{number}, which was never given"));
    }
    let supported = |facts: &[&Fact<'_>]| {
        let mut citations: Vec<Citation> = Vec::new();
        for from in facts.iter().flat_map(|fact| &fact.given.citations) {
            if !citations.contains(from) {
                citations.push(from.clone());
            }
        }
        Verdict::Supported { citations }
    };
    let cited: Vec<&Fact<'_>> = sentence.cited.iter().filter_map(|number| fact(*number)).collect();
    if !cited.is_empty() {
        return match judge(&said, &cited) {
            Ok(()) if states_something(&said) || shares_words(&said, &cited) => supported(&cited),
            Ok(()) => Verdict::Unchecked,
            Err(reason) => struck(reason),
        };
    }
    if !states_something(&said) || is_mere_advice(&said, facts) {
        return Verdict::Unchecked;
    }
    // Without a citation a single fact must carry it all: from several, anything could be put together.
    let alone = facts.iter().find(|fact| judge(&said, &[fact]).is_ok());
    match alone {
        Some(fact) => supported(&[fact]),
        None => struck(format!("it cites no fact, and none says all of it: {}", what(&said))),
    }
}

/// True where a sentence says something that is so or not.
fn states_something(said: &Content) -> bool {
    let denies = said.denies && !assertion::is_of_knowledge(&said.words);
    !said.quantities.is_empty()
        || !said.clocks.is_empty()
        || !said.names.is_empty()
        || denies
        || !assertion::causes(&said.words).is_empty()
        || assertion::deed(&said.words).is_some()
        || assertion::unproven_state(said, &[]).is_some()
}

/// True for advice about what is here that states nothing beside.
fn is_mere_advice(said: &Content, facts: &[Fact<'_>]) -> bool {
    let is_here = |name: &String| facts.iter().any(|fact| fact.content.names.contains(name));
    assertion::is_advice(&said.words)
        && said.quantities.is_empty()
        && said.clocks.is_empty()
        && said.names.iter().all(|name| said.known.contains(name) || is_here(name))
        && assertion::causes(&said.words).is_empty()
        && assertion::deed(&said.words).is_none()
        && assertion::unproven_state(said, &[]).is_none()
}

fn shares_words(said: &Content, cited: &[&Fact<'_>]) -> bool {
    let is_there = |word: &String| cited.iter().any(|fact| fact.content.stock.iter().any(|known| is_form(known, word)));
    said.words.iter().any(|word| word.len() > 2 && !is_plain(word) && is_there(word))
}

/// The first thing in a sentence that would need a fact.
fn what(said: &Content) -> String {
    let number = said.quantities.first().map(|number| number.written.clone());
    let time = || said.clocks.first().map(|(written, _)| written.clone());
    let name = || said.names.first().cloned();
    let found = number.or_else(time).or_else(name);
    found.unwrap_or_else(|| "it states how something is, or why".to_owned())
}

/// Whether `cited` say what is said.
///
/// # Errors
/// What they do not say, in words for people.
fn judge(said: &Content, cited: &[&Fact<'_>]) -> Result<(), String> {
    let is_of_logs = assertion::is_of_logs(&said.words);
    // What stands in a log line was written by anybody: it proves that the line was written.
    let solid: Vec<&Fact<'_>> = cited.iter().filter(|fact| fact.given.weight != Weight::Log).copied().collect();
    if solid.is_empty() && !is_of_logs {
        return Err("it rests on a log line alone, which proves only that it was written".to_owned());
    }
    let proof: &[&Fact<'_>] = if is_of_logs { cited } else { &solid };
    for name in &said.names {
        if !proof.iter().any(|fact| fact.content.names.contains(name) || fact.content.stock.contains(name)) {
            return Err(format!("it names {name}, which stands in no fact that it cites"));
        }
    }
    for (written, clock) in &said.clocks {
        let tells = |fact: &&&Fact<'_>| fact.content.clocks.iter().any(|(_, known)| clock.says(*known));
        if !belongs(said, proof.iter().filter(tells)) {
            return Err(format!("{written} stands in no fact that it cites"));
        }
    }
    for number in &said.quantities {
        let tells = |fact: &&&Fact<'_>| fact.content.quantities.iter().any(|known| number.says(known, said.is_about));
        let is_count_of_names = number.digit >= 1.0 && number.value == said.known.len() as f64;
        if !belongs(said, proof.iter().filter(tells)) && !is_count_of_names {
            return Err(format!("{} stands in no fact that it cites", number.written));
        }
    }
    asserts(said, &solid)
}

/// True where one of the facts that have a value is about something that the sentence names, or about nothing in particular.
fn belongs<'f, 's: 'f>(said: &Content, mut facts: impl Iterator<Item = &'f &'f Fact<'s>>) -> bool {
    facts.any(|fact| {
        said.known.is_empty() || fact.content.known.is_empty() || !said.known.is_disjoint(&fact.content.known)
    })
}

/// Whether solid facts say what is asserted beyond numbers and names.
fn asserts(said: &Content, solid: &[&Fact<'_>]) -> Result<(), String> {
    let contents: Vec<&Content> = solid.iter().map(|fact| &fact.content).collect();
    let has_word =
        |facts: &[&Content], word: &str| facts.iter().any(|fact| fact.stock.iter().any(|known| is_form(known, word)));
    if said.denies && !assertion::is_of_knowledge(&said.words) && !contents.iter().any(|fact| denies_so(said, fact)) {
        return Err("it denies what no fact that it cites denies".to_owned());
    }
    if !said.denies && said.stated.iter().any(|word| is_denied(word, &contents)) {
        return Err("it leaves out that the fact it cites denies it".to_owned());
    }
    if let Some((deed, is_own)) = assertion::deed(&said.words) {
        if is_own {
            return Err("nothing was done: a model has no way to act here".to_owned());
        }
        if !has_word(&contents, deed) {
            return Err(format!("it tells that something was {deed}, and no fact that it cites says so"));
        }
    }
    if let Some(state) = assertion::unproven_state(said, &contents) {
        return Err(format!("that something is {state} is said by no fact that it cites"));
    }
    let sides = assertion::causes(&said.words);
    if sides.is_empty() || (said.denies && assertion::is_of_knowledge(&said.words)) {
        return Ok(());
    }
    let causes: Vec<&Content> =
        solid.iter().filter(|fact| fact.given.weight == Weight::Cause).map(|fact| &fact.content).collect();
    if causes.is_empty() {
        return Err("it tells a cause, and no fact that it cites names one".to_owned());
    }
    let is_said = |facts: &[&Content], word: &str| {
        // Numbers and names were looked at above.
        let is_number = word.starts_with(|c: char| !c.is_alphabetic());
        is_number
            || is_plain(word)
            || has_word(facts, word)
            || word.split('-').all(|part| is_plain(part) || has_word(facts, part))
    };
    if let Some(word) = said.words.iter().find(|word| !is_said(&contents, word)) {
        return Err(format!("it tells a cause with `{word}`, which stands in no fact that it cites"));
    }
    // Of what stands where the cause does, every word is root cause's own.
    let is_of_cause = |word: &String| {
        let is_number = word.starts_with(|c: char| !c.is_alphabetic());
        let parts = || word.split(['-', '\'', '’']).filter(|part| part.len() > 1);
        let is_named = if said.known.contains(word) {
            causes.iter().any(|fact| fact.stock.contains(word))
        } else {
            has_word(&causes, word) || parts().all(|part| is_common(part) || has_word(&causes, part))
        };
        is_number || is_named || (!said.known.contains(word) && (is_common(word) || assertion::is_around(word)))
    };
    for side in sides {
        if let Some(word) = side.of(&said.words).iter().find(|word| !is_of_cause(word)) {
            return Err(format!("it makes `{word}` the cause, and no fact that it cites does"));
        }
    }
    Ok(())
}

/// True where a fact denies something of the same thing in the same words.
fn denies_so(said: &Content, fact: &Content) -> bool {
    let is_of_same = if said.known.is_empty() { fact.known.is_empty() } else { !said.known.is_disjoint(&fact.known) };
    is_of_same && said.denied.iter().any(|word| fact.denied.iter().any(|known| is_form(known, word)))
}

/// True for a word that facts have in what they deny and nowhere else.
fn is_denied(word: &str, facts: &[&Content]) -> bool {
    let is_in = |words: &BTreeSet<String>| words.iter().any(|known| is_form(known, word));
    facts.iter().any(|fact| is_in(&fact.denied) && !fact.known.contains(word))
        && !facts.iter().any(|fact| is_in(&fact.stated))
}

/// A step may speak of anything that is here; it is a person who looks at it.
fn step_verdict(step: &sentence::Sentence, facts: &[Fact<'_>], book: &NameBook) -> Verdict {
    let said = Content::of(&step.text, book);
    let is_here = |name: &&String| {
        said.known.contains(*name)
            || facts.iter().any(|fact| fact.content.names.contains(*name) || fact.content.stock.contains(*name))
    };
    if assertion::deed(&said.words).is_some_and(|(_, is_own)| is_own) {
        return struck("nothing was done: a model has no way to act here");
    }
    // A step begins with a verb, which a capital makes no name.
    let verb =
        step.text.split(' ').next().filter(|word| word.chars().skip(1).all(char::is_lowercase)).map(str::to_lowercase);
    match said.names.iter().find(|name| Some(*name) != verb.as_ref() && !is_here(name)) {
        Some(name) => struck(format!("it names {name}, which nothing here is called")),
        None => Verdict::Unchecked,
    }
}
