//! Reads a question: words, names, intent, slots, and whether it can be answered as it stands.

use std::sync::{Arc, OnceLock};

use chrono::NaiveDate;
use serde::Deserialize;

use super::classify::{Classifier, Example, Guess};
use super::filling;
use super::follow_up;
use super::intent::Intent;
use super::lexicon;
use super::marking::{self, Marked, Mention};
use super::metric::{self, Concept};
use super::names::{Kind, Name, NameBook};
use super::orders;
use super::slots::Slots;
use super::spelling::Speller;
use super::time::grammar;

/// Whether a question can be answered as it stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It can.
    Clear,
    /// It speaks of something that nothing here is called.
    UnknownName,
    /// It is about nothing that is watched here.
    OutOfScope,
    /// It asks for an act or a secret.
    Refused,
    /// Something has to be asked back.
    Ambiguous(Doubt),
}

/// What has to be asked back.
#[derive(Debug, Clone, PartialEq)]
pub enum Doubt {
    /// Which service; the word that several fit.
    Which(Arc<str>),
    /// Of what; nothing was said, and nothing was spoken of before.
    OfWhat,
}

/// A question as it was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What it is after.
    pub intent: Intent,
    /// What it says beside that.
    pub slots: Slots,
    /// What is measured, where only an adjective says so: "slowest", "busiest".
    pub implied: Option<Concept>,
    /// Whether it can be answered.
    pub standing: Standing,
    /// How likely the intent is, from 0 to 1.
    pub confidence: f32,
    /// True where only the beginning of the question was read.
    pub is_cut: bool,
    /// What was written, and what it was taken for.
    pub mended: Vec<(String, String)>,
}

/// Below this share the likeliest intent is no more than a guess.
const CONFIDENCE_MIN: f32 = 0.12;
/// Above this share of words that no phrasing has, a question without any name is about something else.
const STRANGE_MAX: f32 = 0.55;

/// A word of fewer phrasings than this may be the name of something that is not here.
const RARE_BELOW: u32 = 8;

/// Reads questions in the words that come with the program and the names that are known.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    book: NameBook,
}

/// What every reader shares: learnt once.
struct Language {
    classifier: Classifier,
    speller: Speller,
}

struct Phrasings {
    names: Vec<(Kind, Vec<String>)>,
    phrasings: Vec<(Intent, String)>,
}

impl Reader {
    /// A reader who knows these names.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = Name>) -> Self {
        Self { book: NameBook::of(names) }
    }

    /// The names it knows.
    #[must_use]
    pub fn book(&self) -> &NameBook {
        &self.book
    }

    /// Reads `text`; `before` is what was asked before it in the same conversation, `today` the
    /// day in the zone of whoever asks.
    #[must_use]
    pub fn read(&self, text: &str, before: Option<&Reading>, today: NaiveDate) -> Reading {
        read(text, &self.book, before, today)
    }
}

/// The same by the names of `book`.
#[must_use]
pub fn read(text: &str, book: &NameBook, before: Option<&Reading>, today: NaiveDate) -> Reading {
    let language = language();
    let marked = marking::mark(text, book, Some(&language.speller), today);
    let guess = language.classifier.guess(&marked.texts());
    let (intent, confidence) = overruled(&marked, &guess);
    let mut reading = Reading {
        intent,
        slots: Slots::default(),
        implied: metric::implied(marked.words.iter().map(|word| word.text.as_str())),
        standing: Standing::Clear,
        confidence,
        is_cut: marked.is_cut,
        mended: marked.mended.clone(),
    };
    let thread = before.and_then(|before| follow_up::thread(&marked, before, &guess));
    if let Some(thread) = &thread {
        reading.intent = thread.intent;
    }
    let is_strange = |word: &str| !language.speller.knows(word);
    let is_rare =
        |word: &str| language.classifier.count(word) < RARE_BELOW && !lexicon::common().any(|common| common == word);
    let filled = filling::fill(&marked, reading.intent, book, &is_strange, &is_rare);
    reading.slots = filled.slots;
    let doubt = filled.doubt.filter(|doubt| thread.is_none() || matches!(doubt, Doubt::Which(_)));
    if let Some(thread) = thread {
        follow_up::inherit(&mut reading.slots, &thread.slots, reading.intent);
    }
    reading.standing = standing(&reading, &marked, doubt, guess.strange);
    if reading.standing == Standing::OutOfScope {
        reading.intent = Intent::OutOfScope;
        reading.slots = Slots::default();
    }
    reading
}

/// Share from which on a question that names something known is about something else all the same.
const FOREIGN_MIN: f32 = 0.6;

/// And one that names nothing.
const HARDLY_FOREIGN: f32 = 0.35;

/// The likeliest intent, where nothing that is plain to see speaks against it.
fn overruled(marked: &Marked, guess: &Guess) -> (Intent, f32) {
    let best = guess.best();
    let names_something = marked.mentions().any(|mention| {
        matches!(mention, Mention::Names(_) | Mention::Incident(_) | Mention::Advisory(_) | Mention::Metric(..))
    });
    let next = |without: Intent| guess.ranked.iter().copied().find(|(intent, _)| *intent != without).unwrap_or(best);
    let foreign_min = if names_something { FOREIGN_MIN } else { HARDLY_FOREIGN };
    if best.0 == Intent::OutOfScope && best.1 < foreign_min && guess.strange < STRANGE_MAX {
        return next(Intent::OutOfScope);
    }
    if orders::is_order(marked) {
        return (Intent::Act, best.1.max(guess.of(Intent::Act)));
    }
    if best.0 == Intent::Act && orders::weighs(marked) {
        return (Intent::ImpactPredict, guess.of(Intent::ImpactPredict));
    }
    best
}

/// Whether what was read can be answered.
fn standing(reading: &Reading, marked: &Marked, doubt: Option<Doubt>, strange: f32) -> Standing {
    let has_names = marked.mentions().next().is_some() || reading.slots != Slots::default();
    let is_foreign = !has_names && (strange > STRANGE_MAX || reading.confidence < CONFIDENCE_MIN);
    if reading.intent == Intent::OutOfScope || is_foreign {
        return Standing::OutOfScope;
    }
    if reading.intent == Intent::Act {
        return Standing::Refused;
    }
    if reading.slots.unknown_name.is_some() {
        return Standing::UnknownName;
    }
    doubt.map_or(Standing::Clear, Standing::Ambiguous)
}

/// The classifier and the speller, made at the first question.
fn language() -> &'static Language {
    static LANGUAGE: OnceLock<Language> = OnceLock::new();
    LANGUAGE.get_or_init(|| {
        let phrasings = phrasings();
        let names = phrasings
            .names
            .iter()
            .flat_map(|(kind, names)| names.iter().map(|text| Name { kind: *kind, text: Arc::from(text.as_str()) }));
        let book = NameBook::of(names);
        let examples: Vec<Example> = phrasings
            .phrasings
            .iter()
            .flat_map(|(intent, lines)| {
                lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| (*intent, line))
            })
            .map(|(intent, line)| Example { tokens: marking::mark(line, &book, None, NaiveDate::MIN).texts(), intent })
            .collect();
        let classifier = Classifier::learn(&examples);
        let of_grammar = grammar::VOCABULARY.split_whitespace().chain(metric::vocabulary()).chain(lexicon::common());
        let mut words: Vec<String> = classifier.vocabulary().map(str::to_owned).collect();
        words.extend(of_grammar.map(str::to_owned));
        let speller = Speller::of(words.iter().map(String::as_str));
        Language { classifier, speller }
    })
}

/// The phrasings that come with the program.
fn phrasings() -> Phrasings {
    #[derive(Deserialize)]
    struct File {
        names: std::collections::BTreeMap<String, Vec<String>>,
        phrasings: std::collections::BTreeMap<String, String>,
    }
    // A test reads the file, so that one that cannot be read is never shipped.
    let file: File = toml::from_str(include_str!("phrasings.toml"))
        .unwrap_or(File { names: Default::default(), phrasings: Default::default() });
    Phrasings {
        names: file.names.into_iter().filter_map(|(kind, names)| Some((Kind::named(&kind)?, names))).collect(),
        phrasings: file
            .phrasings
            .into_iter()
            .filter_map(|(name, lines)| Some((Intent::named(&name)?, lines)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_intent_has_phrasings_and_every_name_its_kind() {
        let phrasings = phrasings();
        assert_eq!(phrasings.phrasings.len(), Intent::ALL.len());
        assert!(phrasings.phrasings.iter().all(|(_, lines)| lines.lines().count() > 10));
        assert_eq!(phrasings.names.len(), 10);
    }
}
