//! How on-call engineers shorten words and what they write for them, and the words of any conversation. Both are lists in
//! files beside this one.

/// Abbreviations and slips that no distance of letters would bring back: `short = long`, a line each; nothing after the sign
/// where it says nothing.
const ABBREVIATIONS: &str = include_str!("lexicon/abbreviations.txt");
/// Words that the phrasings need not have.
const COMMON: &str = include_str!("lexicon/common_words.txt");

/// What `word` stands for, in words with blanks between them, where it is an abbreviation; empty where it says nothing.
#[must_use]
pub fn expansion(word: &str) -> Option<&'static str> {
    pairs().find(|(short, _)| *short == word).map(|(_, long)| long)
}

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    ABBREVIATIONS.lines().filter_map(|line| line.split_once('=')).map(|(short, long)| (short.trim(), long.trim()))
}

/// Words of any conversation: never taken for a slip, never for a name.
pub fn common() -> impl Iterator<Item = &'static str> {
    COMMON.split_whitespace()
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
