//! Words that are written a little wrong, told by a bounded distance from the words that are known.
//!
//! A word of up to three letters is never mended, one of four to six may have one edit, a longer one two; two letters that
//! changed places are one edit (optimal string alignment).

use std::collections::{BTreeMap, BTreeSet};

/// How many edits a word of this length may have.
#[must_use]
pub fn edits_max(chars: usize) -> usize {
    match chars {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    }
}

/// Words found by a few of their letters: the candidates for a word that is written wrong.
#[derive(Debug, Clone, Default)]
pub struct Speller {
    /// Every known word.
    words: Vec<String>,
    known: BTreeSet<String>,
    /// Pairs of neighbouring letters, with a mark at the beginning, to the words that have them.
    by_pair: BTreeMap<(char, char), Vec<u32>>,
}

/// The pairs of neighbouring letters of a word.
fn pairs(word: &str) -> BTreeSet<(char, char)> {
    let after = word.chars();
    std::iter::once('^').chain(word.chars()).zip(after).collect()
}

/// How letters and numbers follow one another in a word: the numbers as they are, nothing for letters. A number is never mended, nor
/// is a letter that stands where a digit should.
#[must_use]
pub fn shape(word: &str) -> Vec<String> {
    let mut shape: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in word.chars() {
        if c.is_ascii_digit() {
            match shape.last_mut() {
                Some(number) if before.is_ascii_digit() => number.push(c),
                _ => shape.push(c.to_string()),
            }
        } else if c.is_alphanumeric() && shape.last().is_none_or(|last| !last.is_empty()) {
            shape.push(String::new());
        }
        before = c;
    }
    shape
}

impl Speller {
    /// A speller that knows these words; of words that are equally near the first is taken.
    #[must_use]
    pub fn of<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        let mut speller = Self::default();
        for word in words {
            speller.add(word);
        }
        speller
    }

    fn add(&mut self, word: &str) {
        let Ok(number) = u32::try_from(self.words.len()) else { return };
        if !self.known.insert(word.to_owned()) {
            return;
        }
        for pair in pairs(word) {
            self.by_pair.entry(pair).or_default().push(number);
        }
        self.words.push(word.to_owned());
    }

    /// True where the word is known as it is.
    #[must_use]
    pub fn knows(&self, word: &str) -> bool {
        self.known.contains(word)
    }

    /// The nearest known word within the bound, with its distance; `None` where there is none, or two that are equally near and
    /// `is_choosy` holds.
    #[must_use]
    pub fn nearest(&self, word: &str, is_choosy: bool) -> Option<(&str, usize)> {
        let (all, edits) = self.nearest_all(word)?;
        let is_one = all.len() == 1 || !is_choosy;
        all.first().filter(|_| is_one).map(|known| (*known, edits))
    }

    /// Every known word that is nearest within the bound, in the order in which they became known, with their distance.
    #[must_use]
    pub fn nearest_all(&self, word: &str) -> Option<(Vec<&str>, usize)> {
        let length = word.chars().count();
        let bound = edits_max(length);
        if let Some(known) = self.known.get(word) {
            return Some((vec![known.as_str()], 0));
        }
        if bound == 0 {
            return None;
        }
        // One edit leaves all but two or three pairs of a word as they were.
        let mut shared: BTreeMap<u32, usize> = BTreeMap::new();
        let of_word = pairs(word);
        for pair in &of_word {
            for number in self.by_pair.get(pair).into_iter().flatten() {
                *shared.entry(*number).or_default() += 1;
            }
        }
        let needed = of_word.len().saturating_sub(3 * bound).max(1);
        let mut best: Option<(Vec<&str>, usize)> = None;
        let of_shape = shape(word);
        for (number, count) in shared {
            let Some(known) = usize::try_from(number).ok().and_then(|at| self.words.get(at)) else { continue };
            if count < needed || known.chars().count().abs_diff(length) > bound {
                continue;
            }
            let distance = strsim::osa_distance(word, known);
            // web-61 is never web-611.
            if distance > bound || of_shape != shape(known) {
                continue;
            }
            match &mut best {
                Some((_, found)) if *found < distance => {}
                Some((all, found)) if *found == distance => all.push(known.as_str()),
                _ => best = Some((vec![known.as_str()], distance)),
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_mended_and_other_words_are_not() {
        let speller = Speller::of(["latency", "errors", "checkout", "search", "cart", "card"]);
        for (written, meant) in [
            ("latnecy", Some("latency")),
            ("erors", Some("errors")),
            ("chekcout", Some("checkout")),
            ("serach", Some("search")),
            ("cat", None),
            ("banana", None),
            ("caxt", Some("cart")),
        ] {
            assert_eq!(speller.nearest(written, true).map(|(word, _)| word), meant, "{written}");
        }
        assert_eq!(speller.nearest("carx", true), None, "cart or card");
        assert!(speller.nearest("carx", false).is_some());
    }

    #[test]
    fn among_ten_thousand_names_the_right_one_is_found_after_a_slip() {
        let names: Vec<String> = (0..10_000).map(|at| format!("service-{at:05}")).collect();
        let speller = Speller::of(names.iter().map(String::as_str));
        assert_eq!(speller.nearest("service-00042", true), Some(("service-00042", 0)));
        assert_eq!(speller.nearest("srvice-00042", true), Some(("service-00042", 1)));
        assert_eq!(speller.nearest("service-0004", true), None, "numbers are not mended");
        assert_eq!(speller.nearest("service-0004w", true), None, "nor what should be one");
        assert_eq!(shape("web-1-12a"), ["", "1", "12", ""]);
    }
}
