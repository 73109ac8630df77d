//! Text to comparable words: names are split where their parts meet, endings are dropped, words that stand in every
//! program or every complaint are left out.

use std::collections::{BTreeMap, BTreeSet};

/// Words that say nothing about what a piece of code or a complaint is about.
const COMMON: [&str; 129] = [
    "a",
    "an",
    "the",
    "of",
    "to",
    "and",
    "or",
    "in",
    "on",
    "at",
    "is",
    "are",
    "was",
    "be",
    "been",
    "not",
    "no",
    "with",
    "without",
    "by",
    "from",
    "for",
    "as",
    "it",
    "its",
    "this",
    "that",
    "per",
    "via",
    "after",
    "before",
    "into",
    "than",
    "above",
    "below",
    "over",
    "more",
    "func",
    "fn",
    "function",
    "return",
    "if",
    "else",
    "err",
    "error",
    "nil",
    "null",
    "none",
    "string",
    "int",
    "var",
    "const",
    "let",
    "new",
    "ctx",
    "context",
    "http",
    "https",
    "get",
    "set",
    "self",
    "def",
    "class",
    "import",
    "package",
    "type",
    "struct",
    "pub",
    "public",
    "private",
    "static",
    "void",
    "async",
    "await",
    "true",
    "false",
    "service",
    "svc",
    "server",
    "client",
    "api",
    "main",
    "go",
    "java",
    "py",
    "ts",
    "js",
    "json",
    "yaml",
    "yml",
    "fmt",
    "log",
    "logger",
    "level",
    "info",
    "warn",
    "debug",
    "msg",
    "message",
    "fail",
    "exception",
    "request",
    "response",
    "req",
    "res",
    "resp",
    "byte",
    "value",
    "key",
    "name",
    "data",
    "code",
    "status",
    "handle",
    "handler",
    "total",
    "count",
    "rate",
    "ratio",
    "p50",
    "p90",
    "p95",
    "p99",
    "ms",
    "second",
    "observed",
    "threshold",
    "write",
    "read",
];

/// The parts of a name or text, lower case, in order: split at anything but letters and digits, where a small letter
/// meets a capital, and where letters meet digits.
pub fn parts(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut last = ' ';
    for letter in text.chars() {
        let is_joint =
            (letter.is_uppercase() && last.is_lowercase()) || (letter.is_alphabetic() && last.is_ascii_digit());
        if (!letter.is_alphanumeric() || is_joint) && !word.is_empty() {
            found.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        last = letter;
    }
    if !word.is_empty() {
        found.push(word);
    }
    found
}

/// A word without its ending, so that `expired`, `expiry` and `expires` are one.
#[must_use]
pub fn stem(word: &str) -> String {
    const ENDINGS: [&str; 16] = [
        "izations", "ization", "ations", "ation", "ments", "ment", "ingly", "ings", "ing", "ions", "ion", "ies", "ed",
        "es", "s", "y",
    ];
    let mut stem = word;
    for ending in ENDINGS {
        if let Some(rest) = stem.strip_suffix(ending)
            && rest.len() >= 3
            && !(ending == "s" && rest.ends_with('s'))
        {
            stem = rest;
            break;
        }
    }
    stem.strip_suffix('e').filter(|rest| rest.len() >= 3).unwrap_or(stem).to_owned()
}

/// The telling words of a text: stems of its parts, without common words, numbers and single letters.
#[must_use]
pub fn telling(text: &str) -> Vec<String> {
    let is_telling = |word: &String| {
        word.len() >= 2
            && !word.bytes().all(|byte| byte.is_ascii_digit())
            && !COMMON.contains(&word.as_str())
            && !is_id(word)
    };
    let stems = parts(text).into_iter().filter(is_telling).map(|word| stem(&word));
    stems.filter(|stem| !COMMON.contains(&stem.as_str())).collect()
}

/// True for a part that looks like a piece of an identity: digits and letters in a hexadecimal mix.
fn is_id(word: &str) -> bool {
    word.len() >= 6
        && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        && word.bytes().any(|byte| byte.is_ascii_digit())
}

/// Words with weights; a word told twice keeps its greater weight.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bag(pub BTreeMap<String, f64>);

impl Bag {
    /// Takes in the telling words of a text.
    pub fn add(&mut self, text: &str, weight: f64) {
        telling(text).into_iter().for_each(|word| self.add_word(word, weight));
    }

    /// Takes in one word that is already a stem.
    pub fn add_word(&mut self, word: String, weight: f64) {
        let known = self.0.entry(word).or_insert(0.0);
        *known = known.max(weight);
    }

    /// The weight of a word; 0 for one that is not in it.
    #[must_use]
    pub fn weight(&self, word: &str) -> f64 {
        self.0.get(word).copied().unwrap_or(0.0)
    }
}

/// How rare each word is among several bags: `ln((n + 1) / (bags with it + 0.5))`, at least 0.
#[must_use]
pub fn rarity(bags: &[Bag]) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for bag in bags {
        let words: BTreeSet<&str> = bag.0.keys().map(String::as_str).collect();
        words.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
    }
    let count = bags.len() as f64;
    counts
        .into_iter()
        .map(|(word, with)| (word.to_owned(), ((count + 1.0) / (with as f64 + 0.5)).ln().max(0.0)))
        .collect()
}
