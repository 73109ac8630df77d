//! What a text holds that can be held against facts: numbers, times, names, words, and whether it denies something.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::quantity::{Quantity, quantity};
use crate::engine::ask::lexicon;
use crate::engine::ask::names::{self, Kind, NameBook};

/// A clock time; without seconds where only the minute was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    minute: u32,
    second: Option<u32>,
}

impl Clock {
    /// True where this time, as it was shortened, is said of `fact`.
    pub(super) fn says(self, fact: Self) -> bool {
        self.minute == fact.minute && self.second.is_none_or(|second| fact.second == Some(second))
    }
}

/// What a text holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pub quantities: Vec<Quantity>,
    /// Clock times as written, too.
    pub clocks: Vec<(String, Clock)>,
    /// Names, ids, versions, dates and what else must be taken over letter by letter, in lower case.
    pub names: BTreeSet<String>,
    /// Of those, names of things that are known here.
    pub known: BTreeSet<String>,
    /// Every word in lower case, in order.
    pub words: Vec<String>,
    /// Those and the parts of joined ones, as a set.
    pub stock: BTreeSet<String>,
    /// Words of clauses that deny something, and words of those that do not; those of any conversation left out.
    pub denied: BTreeSet<String>,
    pub stated: BTreeSet<String>,
    pub denies: bool,
    pub is_about: bool,
}

/// Words of plain English that say nothing about systems.
static PLAIN: LazyLock<BTreeSet<&'static str>> =
    LazyLock::new(|| include_str!("plain_words.txt").split_whitespace().collect());

/// True for a word of plain English.
pub(super) fn is_plain(word: &str) -> bool {
    PLAIN.contains(word)
}

/// True for a word of any conversation.
pub(super) fn is_common(word: &str) -> bool {
    lexicon::is_common(word)
}

/// True where two words are forms of one: `refused`, `refusing`; `connect`, `connection`.
pub(super) fn is_form(word: &str, other: &str) -> bool {
    let shared = word.bytes().zip(other.bytes()).take_while(|(one, two)| one == two).count();
    let shorter = word.len().min(other.len());
    word == other || (shorter >= 4 && shared >= 4 && shared + 2 >= shorter && word.len().abs_diff(other.len()) <= 5)
}

const DENIES: [&str; 13] = [
    "not",
    "no",
    "never",
    "none",
    "nothing",
    "nobody",
    "neither",
    "nor",
    "without",
    "cannot",
    "nowhere",
    "isn't",
    "unaffected",
];
const ABOUT: [&str; 14] = [
    "about",
    "around",
    "roughly",
    "approximately",
    "nearly",
    "almost",
    "over",
    "under",
    "some",
    "more",
    "less",
    "above",
    "below",
    "~",
];
/// Letters and digits that are words of the trade and no names.
const TERMS: [&str; 8] = ["p50", "p90", "p95", "p99", "5xx", "4xx", "5xxs", "4xxs"];

impl Content {
    /// What `text` holds, by the names of `book`.
    pub(super) fn of(text: &str, book: &NameBook) -> Self {
        let mut content = Self::default();
        text.split([':', ';', ',']).for_each(|clause| content.clause(clause));
        let raw: Vec<&str> = text.split_whitespace().collect();
        let mut at = 0;
        while let Some(word) = raw.get(at) {
            let is_first = at == 0 || raw.get(at - 1).is_some_and(|before| before.ends_with(['.', ':', '!', '?']));
            at += 1;
            let word = trimmed(word);
            if word.is_empty() {
                continue;
            }
            content.note(word);
            if let Some(mut number) = quantity(word) {
                content.is_about |= word.starts_with(['~', '≈', '<', '>', '≤', '≥']);
                if let Some(with_unit) = raw.get(at).and_then(|unit| number.clone().with_unit(trimmed(unit))) {
                    number = with_unit;
                    at += 1;
                } else if is_a_second(&raw, at) {
                    number = number.clone().with_unit("/s").unwrap_or(number);
                }
                content.add(number);
            } else if let Some((low, high)) =
                word.split_once(['–', '-']).and_then(|(low, high)| Some((quantity(low)?, quantity(high)?)))
            {
                let unit = raw.get(at).map(|unit| trimmed(unit)).unwrap_or_default();
                for bound in [low, high] {
                    content.quantities.push(bound.clone().with_unit(unit).unwrap_or(bound));
                }
            } else {
                content.word(word, is_first, book);
            }
        }
        content
    }

    /// What is denied in one clause of a sentence is not denied in another.
    fn clause(&mut self, clause: &str) {
        let words: Vec<String> = clause.split_whitespace().map(|word| trimmed(word).to_lowercase()).collect();
        let denies =
            words.iter().any(|word| DENIES.contains(&word.as_str()) || word.ends_with("n't") || word.ends_with("n’t"));
        self.denies |= denies;
        let telling = words.into_iter().filter(|word| word.len() > 2 && !is_common(word));
        if denies { self.denied.extend(telling) } else { self.stated.extend(telling) }
    }

    fn note(&mut self, word: &str) {
        let lower = word.to_lowercase();
        self.is_about |= ABOUT.contains(&lower.as_str());
        let parts = lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        self.stock.extend(parts.map(str::to_owned));
        self.stock.insert(lower.clone());
        self.words.push(lower);
    }

    fn add(&mut self, number: Quantity) {
        if let Some(last) = self.quantities.last_mut()
            && let Some(both) = last.then(&number)
        {
            *last = both;
            return;
        }
        self.quantities.push(number);
    }

    fn word(&mut self, word: &str, is_first: bool, book: &NameBook) {
        let bare = word.trim_end_matches("'s").trim_end_matches("’s");
        if let Some(clock) = clock(bare) {
            self.clocks.push((bare.to_owned(), clock));
            return;
        }
        if let Some((day, time)) = bare.split_once('T')
            && let Some(clock) = clock(time)
        {
            self.names.insert(day.to_lowercase());
            self.clocks.push((bare.to_owned(), clock));
            return;
        }
        // "and/or" is two words, a path is one name.
        if !bare.starts_with('/') && bare.contains('/') {
            bare.split('/').filter(|part| !part.is_empty()).for_each(|part| self.word(part, is_first, book));
            return;
        }
        let lower = bare.to_lowercase();
        // Teams, people and rings are called by plain words as often.
        let is_meant = |kind: Kind| !matches!(kind, Kind::Owner | Kind::Ring) || !is_plain(&lower);
        let is_known =
            book.exact(&names::key(bare)).any(|name| name.text.eq_ignore_ascii_case(bare) && is_meant(name.kind));
        if is_known && !(lower == "order" && self.is_in_order()) {
            self.known.insert(lower.clone());
            self.names.insert(lower);
        } else if is_name(bare, &lower, is_first) {
            self.names.insert(lower);
        }
    }

    /// "in order to" speaks of no service of that name.
    fn is_in_order(&self) -> bool {
        let count = self.words.len();
        count >= 2 && self.words.get(count - 2).is_some_and(|word| word == "in")
    }
}

fn trimmed(word: &str) -> &str {
    word.trim_start_matches(['(', '"', '\'', '“', '‘', '*', '_', '[', '{'])
        .trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '"', '\'', '”', '’', '*', '_', ']', '}', '…'])
}

/// True where the words after a number make it one of so many a second.
fn is_a_second(raw: &[&str], at: usize) -> bool {
    let word = |at: usize| raw.get(at).map(|word| trimmed(word).to_lowercase()).unwrap_or_default();
    (at..at + 2).any(|at| matches!(word(at).as_str(), "per" | "a") && word(at + 1) == "second")
}

/// `14:02`, `14:02:11`, `14:02Z`.
fn clock(word: &str) -> Option<Clock> {
    let digits = word.trim_end_matches(['Z', 'z']).split(['+', '.']).next()?;
    let mut parts = digits.split(':');
    let number = |text: &str| (1..=2).contains(&text.len()).then(|| text.parse::<u32>().ok()).flatten();
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second = match parts.next() {
        Some(second) => Some(number(second)?),
        None => None,
    };
    (hour < 24 && minute < 60 && parts.next().is_none()).then_some(Clock { minute: hour * 60 + minute, second })
}

/// True for what is no word of plain English but the name of something: digits and letters together, joined words, capitals.
fn is_name(word: &str, lower: &str, is_first: bool) -> bool {
    if TERMS.contains(&lower) || lower.len() < 2 {
        return false;
    }
    let has_digit = word.chars().any(|c| c.is_ascii_digit());
    let is_joined = word.contains(['_', '.', '/', ':', '@', '=', '-']);
    if is_joined && !has_digit {
        // "on-call" is plain; "billing-db" is somebody's.
        let parts = lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        return !parts.clone().all(is_plain) || parts.count() == 0;
    }
    if has_digit || word.chars().skip(1).any(char::is_uppercase) {
        return true;
    }
    let begins_large = word.chars().next().is_some_and(char::is_uppercase);
    // A sentence begins with a capital whatever its first word is.
    begins_large && !is_plain(lower) && (!is_first || !is_verb_form(lower))
}

/// "Rolling", "Checked": what advice begins with.
fn is_verb_form(lower: &str) -> bool {
    lower.ends_with("ing") || lower.ends_with("ed") || lower.ends_with("ly")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::names::Name;

    fn content(text: &str) -> Content {
        let name = |kind, text: &str| Name { kind, text: text.into() };
        let book =
            NameBook::of([name(Kind::Service, "payment"), name(Kind::Service, "order"), name(Kind::Owner, "main")]);
        Content::of(text, &book)
    }

    fn names(text: &str) -> Vec<String> {
        content(text).names.into_iter().collect()
    }

    #[test]
    fn what_must_be_taken_over_is_told_from_plain_words() {
        assert_eq!(
            names("The payment service is slow, and Redis is not; on-call was called at once."),
            ["payment", "redis"]
        );
        assert_eq!(names("Redis is slow."), ["redis"]);
        assert_eq!(names("Rolling it back would help, in order to end it."), Vec::<String>::new());
        assert_eq!(names("The order service"), ["order"]);
        assert_eq!(
            names("INC-12 began with v2.14.0 on web-1 and billing-db, see CVE-2026-1"),
            ["billing-db", "cve-2026-1", "inc-12", "v2.14.0", "web-1"]
        );
        assert_eq!(names("its p99 and 5xx, mainly in the main part"), Vec::<String>::new());
        assert_eq!(names("a DNS or HTTP problem with http_requests_total"), ["dns", "http", "http_requests_total"]);
    }

    #[test]
    fn numbers_have_their_units_and_times_are_times() {
        let found = content(
            "at 4.2 s, after 2 h 10 min, 3-5 %, 120 requests per second, 14:02:11 and 9:05; 2026-11-01T10:00:00Z",
        );
        let values: Vec<(f64, super::super::quantity::Measure)> =
            found.quantities.iter().map(|it| (it.value, it.measure)).collect();
        use super::super::quantity::Measure::{PerSecond, Percent, Seconds};
        assert_eq!(values, [(4.2, Seconds), (7_800.0, Seconds), (3.0, Percent), (5.0, Percent), (120.0, PerSecond)]);
        assert_eq!(found.clocks.len(), 3);
        assert!(found.names.contains("2026-11-01"));
        let time = |text: &str| clock(text).unwrap();
        assert!(time("14:02").says(time("14:02:11")) && !time("14:03").says(time("14:02:11")));
        assert!(!time("14:02:11").says(time("14:02")) && clock("25:00").is_none());
    }

    #[test]
    fn what_denies_is_noticed_and_forms_of_words_are_known() {
        assert!(content("It isn't slow").denies && content("nothing departs").denies && !content("it is slow").denies);
        assert!(is_form("refused", "refusing") && is_form("connect", "connections") && is_form("deploy", "deployment"));
        assert!(!is_form("order", "ordinary") && !is_form("pay", "payment"));
    }
}
