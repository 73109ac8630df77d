//! Which intent words have: a linear model over the words of a question, pieces of them and their neighbourhood, learnt from the phrasings
//! that come with the program.
//!
//! Multinomial logistic regression on binary features scaled to length one, fitted by AdaGrad (Duchi, Hazan & Singer 2011) in a
//! fixed order, so that every run of the program learns the same weights.

use std::collections::BTreeMap;

use super::intent::Intent;

/// Passes over the phrasings.
const PASSES: usize = 8;
/// Size of a step before AdaGrad shortens it.
const STEP: f32 = 0.3;
/// Pulls weights towards zero, a share of each at every use.
const DECAY: f32 = 3e-4;

/// One phrasing and what it is after.
#[derive(Debug, Clone)]
pub struct Example {
    /// Its words, names and times as placeholders.
    pub tokens: Vec<String>,
    /// Its intent.
    pub intent: Intent,
}

/// A fitted model.
#[derive(Debug, Clone)]
pub struct Classifier {
    /// Features by name.
    features: BTreeMap<String, u32>,
    /// Words that occur in any phrasing.
    words: BTreeMap<String, u32>,
    /// The same of phrasings that are about what is watched here.
    words_in_scope: BTreeMap<String, u32>,
    /// One row of intents for each feature.
    weights: Vec<[f32; CLASSES]>,
    bias: [f32; CLASSES],
}

const CLASSES: usize = Intent::ALL.len();

/// How likely each intent is, the likeliest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// The intents with their probabilities.
    pub ranked: Vec<(Intent, f32)>,
    /// Share of the words that no phrasing has, placeholders aside; 0 where there is none.
    pub strange: f32,
}

impl Guess {
    /// The likeliest intent and its probability.
    #[must_use]
    pub fn best(&self) -> (Intent, f32) {
        self.ranked.first().copied().unwrap_or((Intent::OutOfScope, 0.0))
    }

    /// The probability of an intent.
    #[must_use]
    pub fn of(&self, intent: Intent) -> f32 {
        self.ranked.iter().find(|(known, _)| *known == intent).map_or(0.0, |(_, share)| *share)
    }
}

/// Pieces of words that are compared have so many letters, the ends of the word counted as one each.
const PIECE: usize = 4;
/// Words so near to one another are looked at together, in whatever order.
const REACH: usize = 4;

/// The names of the features of some tokens: words and their neighbours in order, words near one another in any order, and
/// pieces of words, which forms of one word and compounds share.
fn features(tokens: &[String]) -> Vec<String> {
    let mut all = Vec::with_capacity(tokens.len() * 12);
    let mut words: Vec<&str> = vec!["^"];
    words.extend(tokens.iter().map(String::as_str));
    words.push("$");
    for window in words.windows(2) {
        if let [one, other] = window {
            all.push(format!("{one} {other}"));
        }
    }
    for window in words.windows(3) {
        if let [one, _, other] = window {
            all.push(format!("{one} .. {other}"));
        }
    }
    let stems: Vec<String> = tokens.iter().map(|token| stem(token)).collect();
    for (at, one) in stems.iter().enumerate() {
        for other in stems.iter().skip(at + 1).take(REACH) {
            let (first, second) = if one < other { (one, other) } else { (other, one) };
            all.push(format!("{first}&{second}"));
        }
        all.push(format!("{one}~"));
    }
    for token in tokens {
        all.push(token.clone());
        if !token.starts_with('<') {
            let letters: Vec<char> = std::iter::once('^').chain(token.chars()).chain(['$']).collect();
            all.extend(letters.windows(PIECE).map(|piece| format!("#{}", piece.iter().collect::<String>())));
        }
    }
    all.sort();
    all.dedup();
    all
}

/// A word without the ending that its grammar gave it; crude, and the same for every form.
fn stem(word: &str) -> String {
    if word.starts_with('<') {
        return word.to_owned();
    }
    for ending in ["ations", "ation", "ings", "ing", "ies", "ed", "es", "s", "e", "y"] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.chars().count() >= 3
        {
            return stem.to_owned();
        }
    }
    word.to_owned()
}

impl Classifier {
    /// Learns from examples, in their order.
    #[must_use]
    pub fn learn(examples: &[Example]) -> Self {
        let mut model = Self {
            features: BTreeMap::new(),
            words: BTreeMap::new(),
            words_in_scope: BTreeMap::new(),
            weights: Vec::new(),
            bias: [0.0; CLASSES],
        };
        let rows: Vec<(Vec<u32>, usize)> = examples.iter().map(|example| model.row(example)).collect();
        model.weights = vec![[0.0; CLASSES]; model.features.len()];
        let mut squares = vec![[1e-6f32; CLASSES]; model.features.len()];
        let mut bias_squares = [1e-6f32; CLASSES];
        // Strides that have no factor in common with the count visit every row once, in another order each time.
        let count = rows.len().max(1);
        for pass in 0..PASSES {
            let stride = stride(count, pass);
            for turn in 0..rows.len() {
                let Some((row, class)) = rows.get((turn * stride + pass) % count) else { continue };
                let shares = model.shares(row);
                let scale = scale(row.len());
                for (at, share) in shares.iter().enumerate() {
                    let slope = share - if at == *class { 1.0 } else { 0.0 };
                    if slope.abs() < 1e-3 {
                        continue;
                    }
                    for feature in row {
                        let feature = *feature as usize;
                        let (Some(weights), Some(squares)) = (model.weights.get_mut(feature), squares.get_mut(feature))
                        else {
                            continue;
                        };
                        let slope = slope * scale + DECAY * weights[at];
                        squares[at] += slope * slope;
                        weights[at] -= STEP * slope / squares[at].sqrt();
                    }
                    bias_squares[at] += slope * slope;
                    model.bias[at] -= 0.1 * slope / bias_squares[at].sqrt();
                }
            }
        }
        model
    }

    /// An example as numbers, its features and words noted.
    fn row(&mut self, example: &Example) -> (Vec<u32>, usize) {
        for token in &example.tokens {
            *self.words.entry(token.clone()).or_default() += 1;
            if example.intent != Intent::OutOfScope {
                *self.words_in_scope.entry(token.clone()).or_default() += 1;
            }
        }
        let mut row = Vec::new();
        for name in features(&example.tokens) {
            let next = u32::try_from(self.features.len()).unwrap_or(u32::MAX);
            row.push(*self.features.entry(name).or_insert(next));
        }
        (row, example.intent as usize)
    }

    fn shares(&self, row: &[u32]) -> [f32; CLASSES] {
        let mut scores = [0.0f32; CLASSES];
        let scale = scale(row.len());
        for feature in row {
            let Some(weights) = self.weights.get(*feature as usize) else { continue };
            for (score, weight) in scores.iter_mut().zip(weights) {
                *score += weight * scale;
            }
        }
        for (score, bias) in scores.iter_mut().zip(self.bias) {
            *score += bias;
        }
        let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for score in &mut scores {
            *score = (*score - top).exp();
            sum += *score;
        }
        scores.map(|score| score / sum)
    }

    /// How often the phrasings have this word.
    fn count(&self, word: &str) -> u32 {
        self.words.get(word).copied().unwrap_or(0)
    }

    /// How often those phrasings have it that are about what is watched here.
    #[must_use]
    pub fn count_in_scope(&self, word: &str) -> u32 {
        self.words_in_scope.get(word).copied().unwrap_or(0)
    }

    /// True for a word that is spoken of only where something else is meant.
    #[must_use]
    pub fn is_foreign(&self, word: &str) -> bool {
        self.count(word) > 0 && self.count_in_scope(word) == 0
    }

    /// Every word of the phrasings, placeholders aside.
    pub fn vocabulary(&self) -> impl Iterator<Item = &str> {
        self.words.keys().map(String::as_str).filter(|word| !word.starts_with('<'))
    }

    /// What some tokens are after.
    #[must_use]
    pub fn guess(&self, tokens: &[String]) -> Guess {
        let row: Vec<u32> = features(tokens).iter().filter_map(|name| self.features.get(name).copied()).collect();
        let shares = self.shares(&row);
        let mut ranked: Vec<(Intent, f32)> = Intent::ALL.iter().copied().zip(shares).collect();
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        let words: Vec<&String> = tokens.iter().filter(|token| !token.starts_with('<')).collect();
        let strange = words.iter().filter(|word| self.count(word) == 0).count();
        let strange = if words.is_empty() { 0.0 } else { strange as f32 / words.len() as f32 };
        Guess { ranked, strange }
    }
}

fn scale(features: usize) -> f32 {
    1.0 / (features.max(1) as f32).sqrt()
}

/// A stride for this pass that has no factor in common with `count`.
fn stride(count: usize, pass: usize) -> usize {
    let shares_factor = |mut one: usize, mut other: usize| {
        while other != 0 {
            (one, other) = (other, one % other);
        }
        one != 1
    };
    (1 + count / 3 + 7 * pass..).find(|stride| !shares_factor(*stride, count)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_learnt_it_tells_and_what_it_never_saw_is_strange() {
        let example = |text: &str, intent| Example { tokens: text.split(' ').map(str::to_owned).collect(), intent };
        let model = Classifier::learn(&[
            example("why is <service> slow", Intent::WhySlow),
            example("what makes <service> slow", Intent::WhySlow),
            example("who owns <service>", Intent::Ownership),
            example("whose is <service>", Intent::Ownership),
        ]);
        let tokens = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(model.guess(&tokens("<service> slow why")).best().0, Intent::WhySlow);
        assert_eq!(model.guess(&tokens("owner of <service> , who owns it")).best().0, Intent::Ownership);
        assert!(model.guess(&tokens("bake bread")).strange > 0.99);
        let sum: f32 = model.guess(&tokens("who")).ranked.iter().map(|(_, share)| share).sum();
        assert!((sum - 1.0).abs() < 1e-4);
    }
}
