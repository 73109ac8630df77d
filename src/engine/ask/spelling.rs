//! Words that are written a little wrong, told by a bounded distance from the words that are known.
//!
//! A word of up to three letters is never mended, one of four to six may have one edit, a longer one two; two letters that
//! changed places are one edit (optimal string alignment).

use std::collections::BTreeMap;
use std::sync::Arc;

/// How many edits a word of this length may have.
#[must_use]
pub fn edits_max(chars: usize) -> usize {
    match chars {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    }
}

/// Words, and which of them are near to one that is written wrong.
///
/// Every word is looked at, by what letters it has: an edit takes away one letter at most and brings one, so that a glance at
/// two numbers tells nearly all words that are too far away. That holds for names that begin alike as well, of which an index
/// of letters or prefixes would give all.
#[derive(Debug, Clone, Default)]
pub struct Speller {
    /// Every known word; of those that are never taken out again in the order in which they came.
    words: Vec<Arc<str>>,
    /// Which letters each has, a bit for each.
    letters: Vec<u64>,
    /// How many characters each has, as far as a byte goes.
    lengths: Vec<u8>,
    /// Where each word is.
    places: BTreeMap<Arc<str>, usize>,
}

/// A bit for each letter and digit; other characters share what is left.
fn letters(word: &str) -> u64 {
    let bit = |c: char| match c {
        'a'..='z' => u32::from(c) - u32::from('a'),
        '0'..='9' => 26 + u32::from(c) - u32::from('0'),
        other => 36 + u32::from(other) % 28,
    };
    word.chars().fold(0, |bits, c| bits | 1 << bit(c))
}

fn length(word: &str) -> u8 {
    u8::try_from(word.chars().count()).unwrap_or(u8::MAX)
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
            speller.add(&Arc::from(word));
        }
        speller
    }

    /// Takes a word in; nothing where it is known.
    pub fn add(&mut self, word: &Arc<str>) {
        if self.places.contains_key(word) {
            return;
        }
        self.places.insert(Arc::clone(word), self.words.len());
        self.words.push(Arc::clone(word));
        self.letters.push(letters(word));
        self.lengths.push(length(word));
    }

    /// Takes a word out; the order of the others is lost.
    pub fn remove(&mut self, word: &str) {
        let Some(at) = self.places.remove(word) else { return };
        self.words.swap_remove(at);
        self.letters.swap_remove(at);
        self.lengths.swap_remove(at);
        if let Some(moved) = self.words.get(at).and_then(|moved| self.places.get_mut(moved)) {
            *moved = at;
        }
    }

    /// True where the word is known as it is.
    #[must_use]
    pub fn knows(&self, word: &str) -> bool {
        self.places.contains_key(word)
    }

    /// How many words it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// True where it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Words that may be within so many edits, each with the least number that it takes.
    fn candidates(&self, word: &str, bound: usize) -> impl Iterator<Item = (&Arc<str>, usize)> {
        let (of_word, long) = (letters(word), usize::from(length(word)));
        self.letters.iter().zip(&self.lengths).enumerate().filter_map(move |(at, (letters, length))| {
            let gone = (of_word & !letters).count_ones().max((letters & !of_word).count_ones());
            // Of what is longer than a byte tells, nothing is ruled out by its length.
            let longer = if *length == u8::MAX { 0 } else { long.abs_diff(usize::from(*length)) };
            let least = longer.max(gone as usize);
            (least <= bound).then(|| self.words.get(at).map(|known| (known, least))).flatten()
        })
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
        if let Some((known, _)) = self.places.get_key_value(word) {
            return Some((vec![known.as_ref()], 0));
        }
        let bound = edits_max(word.chars().count());
        let of_shape = shape(word);
        let mut best: Option<(Vec<&str>, usize)> = None;
        for (known, least) in self.candidates(word, bound) {
            if best.as_ref().is_some_and(|(_, found)| *found < least) {
                continue;
            }
            let distance = strsim::osa_distance(word, known);
            // web-61 is never web-611.
            if distance > bound || of_shape != shape(known) {
                continue;
            }
            match &mut best {
                Some((_, found)) if *found < distance => {}
                Some((all, found)) if *found == distance => all.push(known.as_ref()),
                _ => best = Some((vec![known.as_ref()], distance)),
            }
        }
        best
    }

    /// Known words within `bound` edits that `is_wanted` holds of, nearest first and of those as near by the alphabet; all of them
    /// that are as near as the last of the first `count`.
    #[must_use]
    pub fn near(&self, word: &str, bound: usize, count: usize, is_wanted: &dyn Fn(&str) -> bool) -> Vec<(usize, &str)> {
        let mut by_least: Vec<Vec<&Arc<str>>> = vec![Vec::new(); bound + 1];
        for (known, least) in self.candidates(word, bound) {
            if let Some(of_it) = by_least.get_mut(least) {
                of_it.push(known);
            }
        }
        let mut found: Vec<(usize, &str)> = Vec::new();
        for (least, known) in by_least.into_iter().enumerate() {
            // What takes more edits than the last that is told is not told.
            let last = found.get(count.wrapping_sub(1)).map(|(edits, _)| *edits);
            if last.is_some_and(|last| last < least) {
                break;
            }
            let wanted = known.into_iter().filter(|known| is_wanted(known));
            let near = wanted.map(|known| (strsim::osa_distance(word, known), known.as_ref()));
            found.extend(near.filter(|(edits, _)| *edits <= bound));
            found.sort_unstable();
        }
        let last = found.get(count.wrapping_sub(1)).map(|(edits, _)| *edits);
        found.retain(|(edits, _)| last.is_none_or(|last| *edits <= last));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        /// What a glance rules out is too far away, and what was taken out is not found.
        #[test]
        fn the_nearest_is_the_one_that_a_comparison_with_every_word_finds(
            words in proptest::collection::btree_set("[ab1é-]{1,10}", 0..30),
            gone in proptest::collection::vec(0..30_usize, 0..10),
            word in "[ab1é-]{1,10}",
        ) {
            let mut words: Vec<String> = words.into_iter().collect();
            let mut speller = Speller::of(words.iter().map(String::as_str));
            for at in gone {
                if at < words.len() {
                    speller.remove(&words.swap_remove(at));
                }
            }
            let bound = edits_max(word.chars().count());
            let near = |bound: usize| {
                let all = words.iter().map(|known| (strsim::osa_distance(&word, known), known.as_str()));
                let mut all: Vec<_> = all.filter(|(edits, _)| *edits <= bound).collect();
                all.sort_unstable();
                all
            };
            let of_shape: Vec<_> = near(bound).into_iter().filter(|(_, known)| shape(&word) == shape(known)).collect();
            let expected = match of_shape.as_slice() {
                [one, other, ..] if one.0 == other.0 => None,
                [one, ..] => Some((one.1, one.0)),
                [] => None,
            };
            prop_assert_eq!(speller.nearest(&word, true), expected);
            let mut nearest = near(4);
            let last = nearest.get(2).map(|(edits, _)| *edits);
            nearest.retain(|(edits, _)| last.is_none_or(|last| *edits <= last));
            prop_assert_eq!(speller.near(&word, 4, 3, &|_| true), nearest);
        }
    }
}
