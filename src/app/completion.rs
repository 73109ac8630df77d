//! Completing the word that is being typed by the names that are known. Matching only; drawing is the views'.

use std::sync::Arc;

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;

/// Letters from which on a word is completed.
const LETTERS_MIN: usize = 2;
/// Names that are offered at once.
const MATCHES_MAX: usize = 6;

/// The characters from the beginning of the word at `cursor` to the cursor, and where it begins.
#[must_use]
pub fn word_at(text: &str, cursor: usize) -> (usize, String) {
    let before: Vec<char> = text.chars().take(cursor).collect();
    let start = before.iter().rposition(|c| c.is_whitespace()).map_or(0, |blank| blank + 1);
    (start, before.into_iter().skip(start).collect())
}

/// Names that hold the letters of `word` in their order, from the beginning of a part of the name on; the best first. None for
/// a word that is a name already, or too short to tell.
#[must_use]
pub fn matches(names: &[Arc<str>], word: &str) -> Vec<Arc<str>> {
    if word.chars().count() < LETTERS_MIN || names.iter().any(|name| name.eq_ignore_ascii_case(word)) {
        return Vec::new();
    }
    let matcher = SkimMatcherV2::default().ignore_case();
    let mut found: Vec<(bool, i64, &Arc<str>)> = names
        .iter()
        .filter_map(|name| {
            let (score, places) = matcher.fuzzy_indices(name, word)?;
            let first = *places.first()?;
            let begins_part = first == 0 || name.chars().nth(first - 1).is_some_and(|c| !c.is_alphanumeric());
            let is_whole = name.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
            begins_part.then_some((!is_whole, -score, name))
        })
        .collect();
    found.sort_by(|a, b| (a.0, a.1, a.2.len(), a.2).cmp(&(b.0, b.1, b.2.len(), b.2)));
    found.into_iter().take(MATCHES_MAX).map(|(.., name)| Arc::clone(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(word: &str) -> Vec<String> {
        let names = ["auth", "auth-db", "checkout", "payments-db", "web-1", "HighErrorRate"].map(Arc::from);
        matches(&names, word).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_are_found_by_some_of_their_letters_and_not_by_those_of_other_words() {
        assert_eq!(offered("chk"), ["checkout"]);
        assert_eq!(offered("au"), ["auth", "auth-db"]);
        assert_eq!(offered("db"), ["auth-db", "payments-db"]);
        assert_eq!(offered("higherr"), ["HighErrorRate"]);
        for word in ["a", "why", "auth", "AUTH", "", "zz"] {
            assert_eq!(offered(word), [""; 0], "{word}");
        }
    }

    #[test]
    fn the_word_at_the_cursor_ends_there() {
        assert_eq!(word_at("why is chk slow", 10), (7, "chk".to_owned()));
        assert_eq!(word_at("why is chk slow", 7), (7, String::new()));
        assert_eq!(word_at("", 0), (0, String::new()));
        assert_eq!(word_at("ä öx", 4), (2, "öx".to_owned()));
    }
}
