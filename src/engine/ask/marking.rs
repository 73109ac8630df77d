//! Finds names, times, metrics and numbers among the words of a question, and mends slips on the way.

mod content;
pub(super) mod exclusion;
mod forms;
mod plain;

use std::ops::Range;
use std::sync::Arc;

use chrono::NaiveDate;

use self::forms::{is_advisory, is_region, is_version, placeholder};
use super::lexicon;
use super::metric::{self, Concept};
use super::names::{self, Guessed, Kind, Name, NameBook, WORDS_MAX};
use super::spelling::Speller;
use super::time::expression::TimeExpression;
use super::time::grammar;
use super::time::remark::Remark;
use super::words::{Word, Words};

/// What some words stand for.
#[derive(Debug, Clone, PartialEq)]
pub enum Mention {
    /// A time, and whether something is compared with it.
    Time(TimeExpression, bool),
    /// A known name, or several that are written alike.
    Names(Vec<Name>),
    /// What is measured, and which percentile of it.
    Metric(Concept, Option<&'static str>),
    /// A vulnerability or advisory, in upper case.
    Advisory(Arc<str>),
    /// An incident, in upper case.
    Incident(Arc<str>),
    /// A version.
    Version(Arc<str>),
    /// A region by the look of it.
    Region(Arc<str>),
    /// How bad an incident is.
    Severity(Arc<str>),
    /// A number.
    Number(u32),
    /// The number of a step.
    Step(u32),
}

/// One or more words that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Which words.
    pub at: Range<usize>,
    /// What the classifier sees: the word, or a placeholder in angle brackets.
    pub text: String,
    /// What it stands for.
    pub mention: Option<Mention>,
}

/// A question whose names and times are known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Marked {
    /// The words, slips mended.
    pub words: Vec<Word>,
    /// The same as tokens.
    pub tokens: Vec<Token>,
    /// What stood in quotation marks.
    pub quoted: Vec<String>,
    /// What was written, and what it was taken for.
    pub mended: Vec<(String, String)>,
    /// What was read into its times.
    pub remarks: Vec<Remark>,
    /// What was written, and the names that it is equally near to.
    pub several: Vec<(String, Vec<Name>)>,
    /// True where the question is longer than what is read.
    pub is_cut: bool,
}

impl Marked {
    /// What the classifier sees; what is left out says nothing of what is asked.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let out = exclusion::left_out(&self.tokens, false);
        let is_out = |at: usize| out.iter().any(|(name, begin)| (*begin..=*name).contains(&at));
        let quoted = self.quoted.iter().map(|_| "<quoted>".to_owned());
        let kept = self.tokens.iter().enumerate().filter(|(at, _)| !is_out(*at));
        kept.map(|(_, token)| token.text.clone()).chain(quoted).collect()
    }

    /// The mentions, in order.
    pub fn mentions(&self) -> impl Iterator<Item = &Mention> {
        self.tokens.iter().filter_map(|token| token.mention.as_ref())
    }

    /// The names of a kind, in order.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &Name> {
        self.mentions()
            .filter_map(|mention| if let Mention::Names(names) = mention { Some(names) } else { None })
            .filter_map(move |names| names.iter().find(|name| name.kind == kind))
    }
}

/// Marks a question that is asked `today`. Without a `speller` nothing is mended.
#[must_use]
pub fn mark(text: &str, book: &NameBook, speller: Option<&Speller>, today: NaiveDate) -> Marked {
    let is_name = |word: &str| book.exact(&names::key(word)).next().is_some();
    let Words { words, quoted, is_cut } = Words::of(text, &is_name);
    let mut marker = Marker {
        book,
        speller,
        today,
        words,
        found: Vec::new(),
        mended: Vec::new(),
        remarks: Vec::new(),
        several: Vec::new(),
    };
    marker.known();
    marker.patterns();
    marker.slips();
    marker.times();
    marker.names();
    marker.metrics();
    marker.numbers();
    Marked { is_cut, ..marker.finish(quoted) }
}

struct Marker<'b> {
    book: &'b NameBook,
    speller: Option<&'b Speller>,
    today: NaiveDate,
    words: Vec<Word>,
    found: Vec<(Range<usize>, Mention)>,
    mended: Vec<(String, String)>,
    remarks: Vec<Remark>,
    several: Vec<(String, Vec<Name>)>,
}

impl Marker<'_> {
    fn is_free(&self, at: &Range<usize>) -> bool {
        self.found.iter().all(|(taken, _)| at.end <= taken.start || taken.end <= at.start)
    }

    fn text(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.text.as_str())
    }

    /// What a single word shows by its form.
    fn patterns(&mut self) {
        for at in 0..self.words.len() {
            if !self.is_free(&(at..at + 1)) {
                continue;
            }
            let word = self.text(at);
            let follows = |any: &[&str]| at > 0 && any.contains(&self.text(at - 1));
            let numbered = |prefix: &str| {
                let rest = word.strip_prefix(prefix)?;
                (!rest.is_empty() && rest.len() < 10 && rest.chars().all(|c| c.is_ascii_digit())).then_some(rest)
            };
            let mention = if is_advisory(word) {
                Mention::Advisory(word.to_uppercase().into())
            } else if let Some(number) = numbered("inc-").or_else(|| numbered("inc")).or_else(|| {
                let is_span =
                    matches!(self.text(at + 1), "hours" | "hour" | "minutes" | "days" | "day" | "weeks" | "h" | "m");
                let is_led = !is_span && follows(&["incident", "inc"]) && word.chars().all(|c| c.is_ascii_digit());
                is_led.then_some(word).filter(|word| !word.is_empty())
            }) {
                Mention::Incident(format!("INC-{number}").into())
            } else if let Some(number) = numbered("sev").or_else(|| numbered("sev-")) {
                Mention::Severity(format!("SEV{number}").into())
            } else if is_version(word) {
                Mention::Version(Arc::from(word))
            } else if is_region(word) && (word.contains('-') || follows(&["in", "vs", "region", "and", "from"])) {
                Mention::Region(Arc::from(word))
            } else {
                continue;
            };
            self.found.push((at..at + 1, mention));
        }
    }

    /// Words that nobody knows become the nearest that somebody does.
    fn slips(&mut self) {
        let Some(speller) = self.speller else { return };
        for at in 0..self.words.len() {
            let Some(word) = self.words.get(at) else { continue };
            let text = word.text.clone();
            let is_known = speller.knows(&text) || self.book.meant(&[&text]).is_some();
            if is_known
                || !self.is_free(&(at..at + 1))
                || text.chars().any(|c| c.is_ascii_digit()) && !text.contains('-')
            {
                continue;
            }
            // Parts of a name that is written in several words are right as they are.
            let is_part = (2..=WORDS_MAX).any(|length| {
                (at.saturating_sub(length - 1)..=at).any(|from| {
                    let texts: Option<Vec<&str>> = self
                        .words
                        .get(from..from + length)
                        .map(|words| words.iter().map(|word| word.text.as_str()).collect());
                    texts.is_some_and(|texts| self.book.meant(&texts).is_some())
                })
            });
            if is_part {
                continue;
            }
            let plain = speller.nearest(&text, false).map(|(word, edits)| (word.to_owned(), edits));
            let mended = match (plain, self.book.guessed(&text)) {
                // Of two that are as near the name is meant: people write names more often wrong than words.
                (Some((_, edits)), Some(Guessed::One(names, of_name))) if of_name <= edits => first_text(&names),
                (plain, Some(Guessed::Several(names))) if plain.is_none() || text.contains('-') => {
                    self.several.push((word.raw.clone(), names.into_iter().cloned().collect()));
                    None
                }
                (Some((word, _)), _) => Some(word),
                (None, Some(Guessed::One(names, _))) => first_text(&names),
                (None, _) => None,
            };
            if let Some(mended) = mended
                && let Some(word) = self.words.get_mut(at)
            {
                self.mended.push((word.raw.clone(), mended.clone()));
                word.text = mended.to_lowercase();
            }
        }
    }

    fn times(&mut self) {
        let texts: Vec<&str> = self.words.iter().map(|word| word.text.as_str()).collect();
        for found in grammar::times(&texts, self.today) {
            if self.is_free(&found.at) {
                self.remarks.extend(found.remark);
                self.found.push((found.at, Mention::Time(found.expression, found.is_versus)));
            }
        }
    }

    /// Known names, the longest first.
    fn names(&mut self) {
        for length in (1..=WORDS_MAX).rev() {
            for from in 0..self.words.len().saturating_sub(length - 1) {
                let at = from..from + length;
                if !self.is_free(&at) || (length == 1 && self.is_plain_word(from)) {
                    continue;
                }
                let texts: Vec<&str> = self.words[at.clone()].iter().map(|word| word.text.as_str()).collect();
                // What is measured goes before a name that is made of the same words with a slip.
                let Some((names, is_exact)) = self.book.meant(&texts) else { continue };
                // "check out": words of any sentence that would be a name if they were one.
                if length > 1 && texts.iter().all(|word| lexicon::is_common(word)) {
                    continue;
                }
                let is_word =
                    || self.speller.is_some_and(|speller| speller.knows(texts.first().copied().unwrap_or_default()));
                if !is_exact && length == 1 && (metric::at_start(&texts).is_some() || is_word()) {
                    continue;
                }
                // "billing-eus" is as near to billing-us as it is to billing-eu with a plural.
                if !is_exact
                    && length == 1
                    && let Some(Guessed::Several(all)) = self.book.guessed(texts.first().copied().unwrap_or_default())
                {
                    let raw = self.words.get(from).map(|word| word.raw.clone()).unwrap_or_default();
                    self.several.push((raw, all.into_iter().cloned().collect()));
                    continue;
                }
                let mut names: Vec<Name> = names.into_iter().cloned().collect();
                names.sort();
                if length == 1 && self.is_word_rather_than_person(from, &names) {
                    continue;
                }
                self.found.push((at, Mention::Names(names)));
            }
        }
    }

    fn metrics(&mut self) {
        for at in 0..self.words.len() {
            if !self.is_free(&(at..at + 1)) {
                continue;
            }
            if let Some(quantile) = metric::quantile(self.text(at)) {
                let names_latency = ["latency", "latencies", "response"].contains(&self.text(at + 1));
                let end = at + 1 + usize::from(names_latency);
                self.found.push((at..end, Mention::Metric(Concept::Latency, Some(quantile))));
                continue;
            }
            let rest: Vec<&str> = self
                .words
                .iter()
                .enumerate()
                .skip(at)
                .take(3)
                .take_while(|(at, _)| self.is_free(&(*at..*at + 1)))
                .map(|(_, word)| word.text.as_str())
                .collect();
            // A budget of errors is no metric.
            let is_budget = matches!(rest.as_slice(), [_, "budget" | "budgets", ..]);
            if let Some((concept, length)) = metric::at_start(&rest).filter(|_| !is_budget) {
                self.found.push((at..at + length, Mention::Metric(concept, None)));
            }
        }
    }

    fn numbers(&mut self) {
        const SPELLED: [(&str, u32); 10] = [
            ("one", 1),
            ("two", 2),
            ("three", 3),
            ("four", 4),
            ("five", 5),
            ("six", 6),
            ("seven", 7),
            ("eight", 8),
            ("nine", 9),
            ("ten", 10),
        ];
        for at in 0..self.words.len() {
            if !self.is_free(&(at..at + 1)) {
                continue;
            }
            let word = self.text(at).to_owned();
            let word = word.as_str();
            let digits = word.strip_prefix('#').unwrap_or(word);
            let spelled = || SPELLED.iter().find(|(name, _)| *name == word && word != "one").map(|(_, number)| *number);
            let Some(number) = digits.parse().ok().or_else(spelled) else { continue };
            let leads_name =
                self.found.iter().any(|(found, mention)| found.start == at + 1 && matches!(mention, Mention::Names(_)));
            if word == "4"
                && leads_name
                && at > 0
                && !matches!(self.text(at - 1), "top" | "last" | "first" | "to" | "the")
            {
                if let Some(word) = self.words.get_mut(at) {
                    "for".clone_into(&mut word.text);
                }
                continue;
            }
            let is_step = at > 0 && matches!(self.text(at - 1), "step" | "steps");
            self.found.push((at..at + 1, if is_step { Mention::Step(number) } else { Mention::Number(number) }));
        }
    }

    fn finish(mut self, quoted: Vec<String>) -> Marked {
        self.found.sort_by_key(|(at, _)| at.start);
        let (mut tokens, mut at) = (Vec::new(), 0);
        let mut found = self.found.into_iter().peekable();
        while at < self.words.len() {
            if let Some((range, mention)) = found.next_if(|(range, _)| range.start == at) {
                at = range.end.max(at + 1);
                tokens.push(Token { at: range, text: placeholder(&mention).to_owned(), mention: Some(mention) });
                continue;
            }
            let text = self.words.get(at).map(|word| word.text.clone()).unwrap_or_default();
            tokens.push(Token { at: at..at + 1, text, mention: None });
            at += 1;
        }
        // A name in quotation marks is a name.
        let is_name = |text: &String| self.book.exact(&names::key(text)).next().is_some();
        let (named, quoted): (Vec<String>, Vec<String>) = quoted.into_iter().partition(is_name);
        for text in named {
            let mention = Mention::Names(self.book.exact(&names::key(&text)).cloned().collect());
            let end = self.words.len();
            tokens.push(Token { at: end..end, text: placeholder(&mention).to_owned(), mention: Some(mention) });
        }
        Marked {
            words: self.words,
            tokens,
            quoted,
            mended: self.mended,
            remarks: self.remarks,
            several: self.several,
            is_cut: false,
        }
    }
}

fn first_text(names: &[&Name]) -> Option<String> {
    names.first().map(|name| name.text.to_string())
}
