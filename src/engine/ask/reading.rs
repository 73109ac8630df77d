//! Reads a question: words, names, intent, slots, and whether it can be answered as it stands.

use std::sync::{Arc, OnceLock};

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::classify::{Classifier, Example, Guess};
use super::filling;
use super::follow_up;
use super::intent::Intent;
use super::lexicon;
use super::marking::{self, Marked, Mention, exclusion};
use super::metric::{self, Concept};
use super::names::{Kind, Name, NameBook};
use super::orders;
use super::rewording;
use super::slots::Slots;
use super::spelling::Speller;
use super::time::grammar;
use super::time::remark::Remark;
use super::time::zone;

/// Whether a question can be answered as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Which service; the word that several fit.
    Which(Arc<str>),
    /// Which of these services; what was written fits each of them.
    OneOf(Arc<str>, Vec<Arc<str>>),
    /// Which of two things is asked for.
    Either(Intent, Intent),
    /// Of what; nothing was said, and nothing was spoken of before.
    OfWhat,
}

/// A question as it was understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// An intent that is nearly as likely and answered in another way.
    pub also: Option<Intent>,
    /// True where only the beginning of the question was read.
    pub is_cut: bool,
    /// What was written, and what it was taken for.
    pub mended: Vec<(String, String)>,
    /// What was read into its times.
    pub remarks: Vec<Remark>,
    /// Its words as they were written, without times, numbers and words of any conversation: what is looked for in texts by what
    /// they are about.
    pub words: Vec<Arc<str>>,
}

impl Reading {
    /// What is plain without a text: whoever asks knows what for.
    #[must_use]
    pub fn of(intent: Intent, slots: Slots) -> Self {
        Self {
            intent,
            slots,
            implied: None,
            standing: Standing::Clear,
            confidence: 1.0,
            also: None,
            is_cut: false,
            mended: Vec::new(),
            remarks: Vec::new(),
            words: Vec::new(),
        }
    }
}

/// Below this share the likeliest intent is no more than a guess.
const CONFIDENCE_MIN: f32 = 0.12;
/// Above this share of words that no phrasing has, a question without any name is about something else.
const STRANGE_MAX: f32 = 0.55;

/// A word of fewer phrasings than this may be the name of something that is not here.
const RARE_BELOW: u32 = 12;

/// Reads questions in the words that come with the program and the names that are known.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    book: NameBook,
    zone: Tz,
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
        Self { book: NameBook::of(names), zone: Tz::UTC }
    }

    /// The same for someone who reads the clock of this zone.
    #[must_use]
    pub fn in_zone(self, zone: Tz) -> Self {
        Self { zone, ..self }
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
        read(text, &self.book, self.zone, before, today)
    }
}

/// The same by the names of `book`, for who asks in `zone`.
#[must_use]
pub fn read(text: &str, book: &NameBook, zone: Tz, before: Option<&Reading>, today: NaiveDate) -> Reading {
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
        also: None,
        is_cut: marked.is_cut,
        mended: marked.mended.clone(),
        remarks: marked.remarks.clone(),
        words: marked.content().map(Arc::from).collect(),
    };
    let thread = before.and_then(|before| follow_up::thread(&marked, before, &guess));
    if let Some(thread) = &thread {
        reading.intent = thread.intent;
    }
    let is_common = lexicon::is_common;
    let is_strange =
        |word: &str| !language.speller.knows(word) || (language.classifier.is_foreign(word) && !is_common(word));
    let is_rare = |word: &str| language.classifier.count_in_scope(word) < RARE_BELOW && !is_common(word);
    let filled = filling::fill(&marked, reading.intent, book, today, [&is_strange, &is_rare]);
    reading.slots = filled.slots;
    reading.slots.time = reading.slots.time.map(|time| time.seen_from(zone));
    reading.slots.versus = reading.slots.versus.map(|time| time.seen_from(zone));
    let rival = rival(&guess, reading.intent).filter(|_| thread.is_none());
    reading.also = rival.map(|(intent, _)| intent);
    let doubt = filled.doubt.filter(|doubt| thread.is_none() || !matches!(doubt, Doubt::OfWhat));
    if let Some(thread) = thread {
        follow_up::inherit(&mut reading.slots, &thread.slots, reading.intent);
    }
    let either = rival.filter(|(_, share)| *share >= ASKED_FROM).map(|(other, _)| Doubt::Either(reading.intent, other));
    reading.standing = standing(&reading, &marked, doubt.or(either), guess.strange);
    if reading.standing == Standing::OutOfScope {
        reading.intent = Intent::OutOfScope;
        reading.slots = Slots::default();
    }
    reading
}

/// From this share of the likeliest intent's probability on another one is told with the answer. Of phrasings that the classifier
/// had not learnt 11 in 100 lie there; of those the likeliest is right for 52 and the other for 30 in 100.
const TOLD_FROM: f32 = 0.5;

/// From this share on it is asked back which one is meant: there the likeliest is right less often than the other.
const ASKED_FROM: f32 = 0.95;

/// The next likely intent, and its share of the likeliest one's probability, where it is near and would be answered in another way.
fn rival(guess: &Guess, intent: Intent) -> Option<(Intent, f32)> {
    let [(best, likely), (other, less), ..] = guess.ranked.as_slice() else { return None };
    let can_be_asked = ![*best, *other].iter().any(|intent| matches!(intent, Intent::Act | Intent::OutOfScope));
    let share = less / likely.max(f32::MIN_POSITIVE);
    let is_near = share >= TOLD_FROM && !rewording::is_one_plan(*best, *other);
    (*best == intent && can_be_asked && is_near).then_some((*other, share))
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

/// Learns what every reader shares, where that has not been done: the first question need not wait for it then.
pub fn prepare() {
    language();
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
        let of_grammar = of_grammar.chain(exclusion::vocabulary());
        let mut words: Vec<String> = classifier.vocabulary().map(str::to_owned).collect();
        // Of words that are equally near to a slip the commonest is meant, and none that only other subjects have.
        words.sort_by_cached_key(|word| (std::cmp::Reverse(classifier.count_in_scope(word)), word.clone()));
        words.extend(of_grammar.map(str::to_owned).chain(zone::vocabulary()));
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
