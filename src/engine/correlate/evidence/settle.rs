//! Which cases a face has joined, and when: judged by all its words together. A word is background, the first complaint
//! of a face that joins a case, or a repeat in a case it has joined.

use super::casebook::{Casebook, NOBODY};
use super::product::Product;

/// Joins that are tried when one case takes a face from another.
const SWAPS_MAX: usize = 10;
/// What speaks for a case must be outweighed by this, in nats, before a face is set aside: hiding a part of an incident is
/// worse than showing something beside it.
const HIDING: f64 = 2.0;
/// Words of one face that are looked at together.
const WORDS_MAX: usize = 48;

/// When a face joined a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    Never,
    /// Before the window.
    Before,
    At(usize),
}

struct Candidate {
    id: u32,
    likely: f64,
    is_fixed: bool,
    join: Join,
    first: Vec<f64>,
    repeat: Vec<f64>,
    ahead: Vec<f64>,
    ahead_all: f64,
}

/// The words of one face and what may explain them.
struct Hand {
    /// Occurrences before each word that are old enough to count as background, the class's rate, seconds listened.
    heard: Vec<(f64, f64, f64)>,
    /// Of those, the ones that have left the window.
    settled: f64,
    candidates: Vec<Candidate>,
}

impl Casebook {
    /// Judges one face.
    pub(super) fn settle(&mut self, face: u32) {
        if !self.is_reached(face) {
            self.leave_alone(face);
            return;
        }
        let Some(mut hand) = self.hand(face, None) else { return };
        hand.decide();
        self.states[face as usize].value = hand.value();
        self.deal(face, &hand);
    }

    /// True where some case could explain a word of this face.
    pub(super) fn is_reached(&self, face: u32) -> bool {
        let (state, shape) = (&self.states[face as usize], &self.faces[face as usize]);
        !state.homes.is_empty()
            || self.cases.iter().any(|case| case.reach(&self.places, shape, false, self.universe()).0 > 0.0)
    }

    /// All words of a face that no case reaches are background.
    fn leave_alone(&mut self, face: u32) {
        let (mut aged, mut product) = (0, Product::default());
        let state = &self.states[face as usize];
        let skip = state.words.len().saturating_sub(WORDS_MAX);
        for nth in skip..state.words.len() {
            let at = self.word(state.words[nth]).at;
            while self.word(state.words[skip + aged]).at < at - self.settings.age_ms {
                aged += 1;
            }
            let (class, listened) = self.class_rate(face, at);
            let ground = (state.heard + aged as f64 + class * PRIOR_S) / (listened + PRIOR_S);
            product.take(ground);
            let word = usize::try_from(state.words[nth] - self.front).ok().and_then(|at| self.words.get_mut(at));
            if let Some(word) = word {
                (word.case, word.is_fresh, word.explained) = (NOBODY, false, ground);
            }
        }
        let state = &mut self.states[face as usize];
        state.joined.clear();
        state.value = product.ln();
    }

    /// The logarithm of how likely a face's words are without one case.
    pub(super) fn value_without(&self, face: u32, case: u32) -> f64 {
        let Some(mut hand) = self.hand(face, Some(case)) else { return 0.0 };
        hand.decide();
        hand.value()
    }

    fn hand(&self, face: u32, without: Option<u32>) -> Option<Hand> {
        let state = self.states.get(face as usize)?;
        let skip = state.words.len().saturating_sub(WORDS_MAX);
        let times: Vec<i64> = state.words.iter().skip(skip).map(|seq| self.word(*seq).at).collect();
        if times.is_empty() {
            return None;
        }
        let mut aged = 0;
        let mut heard = Vec::with_capacity(times.len());
        for at in &times {
            while times[aged] < *at - self.settings.age_ms {
                aged += 1;
            }
            let (class, listened) = self.class_rate(face, *at);
            heard.push((aged as f64, class, listened));
        }
        let mut hand = Hand { heard, settled: state.heard, candidates: Vec::new() };
        let shape = &self.faces[face as usize];
        for case in &self.cases {
            if without == Some(case.id) {
                continue;
            }
            let before = state.homes.contains(&case.id);
            let own = before || state.joined.contains(&case.id);
            let (likely, hops) = case.reach(&self.places, shape, own, self.universe());
            if likely <= 0.0 && !before {
                continue;
            }
            let after_s = |at: &i64| (*at - case.onset) as f64 / 1e3;
            let first: Vec<f64> =
                times.iter().map(|at| likely * self.lags.density(shape, case.pace, after_s(at), hops)).collect();
            if !before && first.iter().enumerate().all(|(nth, first)| *first < hand.ground(nth, nth)) {
                continue;
            }
            hand.candidates.push(Candidate {
                id: case.id,
                likely,
                is_fixed: before,
                join: if before { Join::Before } else { Join::Never },
                first,
                repeat: times.iter().map(|at| case.rate(*at)).collect(),
                ahead: times.iter().map(|at| case.expected_repeats(*at)).collect(),
                ahead_all: case.expected_repeats(self.front_at()),
            });
        }
        Some(hand)
    }

    /// Writes down whose each word is.
    fn deal(&mut self, face: u32, hand: &Hand) {
        let state = &mut self.states[face as usize];
        state.joined.clear();
        state.joined.extend(hand.candidates.iter().filter(|one| matches!(one.join, Join::At(_))).map(|one| one.id));
        let skip = state.words.len().saturating_sub(WORDS_MAX);
        let front = self.front;
        let first_join = hand.first_join();
        for (nth, seq) in state.words.iter().skip(skip).enumerate() {
            let ground = hand.ground(nth, first_join);
            let (mut best, mut whose, mut all, mut fresh) = (ground, NOBODY, ground, false);
            for candidate in &hand.candidates {
                let Some((share, is_first)) = candidate.share(nth) else { continue };
                all += share;
                if share > best {
                    (best, whose, fresh) = (share, candidate.id, is_first);
                }
            }
            let at = usize::try_from(*seq - front).unwrap_or(usize::MAX);
            if let Some(word) = self.words.get_mut(at) {
                (word.case, word.is_fresh, word.explained) = (whose, fresh, all);
            }
        }
    }
}

impl Candidate {
    /// Its share in a word, and whether that is the first of the face there.
    fn share(&self, nth: usize) -> Option<(f64, bool)> {
        match self.join {
            Join::At(at) if at == nth => Some((self.first[nth], true)),
            Join::At(at) if at < nth => Some((self.repeat[nth], false)),
            Join::Before => Some((self.repeat[nth], false)),
            Join::At(_) | Join::Never => None,
        }
    }
}

impl Hand {
    /// The background rate at a word, where what came from `first_join` on is no background.
    fn ground(&self, nth: usize, first_join: usize) -> f64 {
        let (aged, class, listened) = self.heard[nth];
        (self.settled + aged.min(first_join as f64) + class * PRIOR_S) / (listened + PRIOR_S)
    }

    fn first_join(&self) -> usize {
        let joins = self.candidates.iter().filter_map(|candidate| match candidate.join {
            Join::At(at) => Some(at),
            Join::Before => Some(0),
            Join::Never => None,
        });
        joins.min().unwrap_or(self.heard.len())
    }

    /// The logarithm of how likely all words are with these joins.
    fn value(&self) -> f64 {
        let first_join = self.first_join();
        let mut all = Product::default();
        for nth in 0..self.heard.len() {
            let mut likely = self.ground(nth, first_join);
            let mut firsts = 0;
            for candidate in &self.candidates {
                if let Some((share, is_first)) = candidate.share(nth) {
                    likely += share;
                    firsts += usize::from(is_first);
                }
            }
            if firsts > 1 {
                return f64::NEG_INFINITY;
            }
            all.take(likely);
        }
        let mut value = 0.0;
        for candidate in &self.candidates {
            value += match candidate.join {
                Join::At(at) => -candidate.ahead[at],
                Join::Before => -candidate.ahead_all,
                Join::Never => {
                    all.take(1.0 - candidate.likely);
                    0.0
                }
            };
        }
        value + all.ln()
    }

    fn may_join(&self, candidate: usize, nth: usize) -> bool {
        self.candidates[candidate].first[nth] >= 0.5 * self.ground(nth, nth)
    }

    /// Finds good joins: one candidate after the other, and each in the place of each other.
    fn decide(&mut self) {
        let free: Vec<usize> = (0..self.candidates.len()).filter(|at| !self.candidates[*at].is_fixed).collect();
        for _ in 0..if free.len() > 1 { 2 } else { 1 } {
            for &candidate in &free {
                self.decide_one(candidate);
            }
            for &from in &free {
                for &to in &free {
                    if from != to && self.candidates[from].join != Join::Never {
                        self.hand_over(from, to);
                    }
                }
            }
        }
    }

    fn decide_one(&mut self, candidate: usize) {
        let mut best = (f64::NEG_INFINITY, Join::Never);
        for nth in std::iter::once(None).chain((0..self.heard.len()).map(Some)) {
            let join = match nth {
                None => Join::Never,
                Some(nth) if self.may_join(candidate, nth) => Join::At(nth),
                Some(_) => continue,
            };
            self.candidates[candidate].join = join;
            let is_nowhere = self.candidates.iter().all(|one| one.join == Join::Never);
            let value = self.value() - if is_nowhere { HIDING } else { 0.0 };
            if value > best.0 {
                best = (value, join);
            }
        }
        self.candidates[candidate].join = best.1;
    }

    fn hand_over(&mut self, from: usize, to: usize) {
        let words = self.heard.len();
        let mut best = (self.value(), self.candidates[from].join, self.candidates[to].join);
        for nth in 0..words.min(SWAPS_MAX) {
            if !self.may_join(to, nth) {
                continue;
            }
            self.candidates[to].join = Join::At(nth);
            for later in std::iter::once(Join::Never).chain((nth + 1..words).take(SWAPS_MAX / 2).map(Join::At)) {
                self.candidates[from].join = later;
                let value = self.value();
                if value > best.0 {
                    best = (value, later, Join::At(nth));
                }
            }
        }
        (self.candidates[from].join, self.candidates[to].join) = (best.1, best.2);
    }
}

/// Seconds for which the class's rate counts against what was heard of the face itself.
pub(super) const PRIOR_S: f64 = 1_800.0;
