//! How on-call engineers shorten words and what they write for them, and the words of any conversation. All are lists in
//! files beside this one.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Abbreviations and slips that no distance of letters would bring back: `short = long`, a line each; nothing after the sign
/// where it says nothing.
const ABBREVIATIONS: &str = include_str!("lexicon/abbreviations.txt");
/// Verbs that things are called by as well: "search", "order".
const VERBS: &str = include_str!("lexicon/verbs.txt");
/// Words that belong together, a line each; none of them is a name there.
const TERMS: &str = include_str!("lexicon/terms.txt");
/// Words that the phrasings need not have.
const COMMON: &str = include_str!("lexicon/common_words.txt");

/// Words that mean the same where a runbook is looked for, a line each.
const ONE_MEANING: &str = include_str!("lexicon/one_meaning.txt");

/// What `word` stands for, in words with blanks between them, where it is an abbreviation; empty where it says nothing.
#[must_use]
pub fn expansion(word: &str) -> Option<&'static str> {
    pairs().find(|(short, _)| *short == word).map(|(_, long)| long)
}

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    ABBREVIATIONS.lines().filter_map(|line| line.split_once('=')).map(|(short, long)| (short.trim(), long.trim()))
}

/// True for a verb that things are called by as well.
#[must_use]
pub fn is_verb(word: &str) -> bool {
    VERBS.split_whitespace().any(|verb| verb == word)
}

/// Words that belong together.
pub fn terms() -> impl Iterator<Item = &'static str> {
    TERMS.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// Words that mean the same where a runbook is looked for.
pub fn one_meaning() -> impl Iterator<Item = impl Iterator<Item = &'static str>> {
    ONE_MEANING.lines().map(str::split_whitespace)
}

/// Words of any conversation: never taken for a slip, never for a name.
pub fn common() -> impl Iterator<Item = &'static str> {
    COMMON.split_whitespace()
}

/// True for a word of any conversation.
#[must_use]
pub fn is_common(word: &str) -> bool {
    static WORDS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| common().collect());
    WORDS.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_listed_twice_and_nothing_stands_for_an_abbreviation() {
        let all: Vec<_> = pairs().collect();
        assert_eq!(all.len(), ABBREVIATIONS.lines().count());
        for (at, (short, long)) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|(other, _)| other != short), "{short}");
            assert!(long.split_whitespace().all(|word| expansion(word).is_none() || word == *short), "{short} {long}");
        }
        assert_eq!(expansion("rn"), Some("now"));
        assert!(common().any(|word| word == "please"));
    }
}
