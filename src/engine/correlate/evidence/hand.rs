//! The words of one face and the cases that may explain them: which it joined, and with which word, so that all its words
//! together are likeliest.

use super::product::Product;

/// Joins that are tried when one case takes a face from another.
const SWAPS_MAX: usize = 10;
/// What speaks for a case must be outweighed by this, in nats, before a face is set aside: hiding a part of an incident is
/// worse than showing something beside it.
const HIDING: f64 = 2.0;

/// When a face joined a case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Join {
    #[default]
    Never,
    /// Before the window.
    Before,
    At(usize),
}

/// A case that may explain some of the words.
#[derive(Debug, Default)]
pub struct Candidate {
    pub(super) id: u32,
    pub(super) likely: f64,
    pub(super) join: Join,
    /// How likely each word is, a second, as the first of the face there, and as a repeat; repeats expected from it on.
    pub(super) first: Vec<f64>,
    pub(super) repeat: Vec<f64>,
    pub(super) ahead: Vec<f64>,
    pub(super) ahead_all: f64,
}

/// The background of one word.
#[derive(Debug, Clone, Copy)]
pub struct Ground {
    /// Words before it that are old enough to count as background.
    pub(super) aged: f64,
    /// The rate without them, a second, and what each adds to it.
    pub(super) rate: f64,
    pub(super) each: f64,
}

/// See the module. Kept between faces, for its room.
#[derive(Debug, Default)]
pub struct Hand {
    pub(super) times: Vec<i64>,
    pub(super) grounds: Vec<Ground>,
    pub(super) candidates: Vec<Candidate>,
    spare: Vec<Candidate>,
    /// What explains each word beside the candidate that is being decided, and whether it is a first one there.
    rest: Vec<(f64, bool)>,
}

impl Candidate {
    /// Its share in a word, and whether that is the first of the face there.
    pub(super) fn share(&self, nth: usize) -> Option<(f64, bool)> {
        match self.join {
            Join::At(at) if at == nth => Some((self.first[nth], true)),
            Join::At(at) if at < nth => Some((self.repeat[nth], false)),
            Join::Before => Some((self.repeat[nth], false)),
            Join::At(_) | Join::Never => None,
        }
    }

    /// How likely it is that it has raised as much as it has, beside the words themselves.
    fn silence(&self) -> f64 {
        match self.join {
            Join::At(at) => -self.ahead[at],
            Join::Before => -self.ahead_all,
            Join::Never => (1.0 - self.likely).ln(),
        }
    }

    /// From which word on the face's words are not background.
    fn begins(&self) -> usize {
        match self.join {
            Join::At(at) => at,
            Join::Before => 0,
            Join::Never => usize::MAX,
        }
    }
}

impl Hand {
    /// Begins with another face.
    pub fn clear(&mut self) {
        self.times.clear();
        self.grounds.clear();
        self.spare.append(&mut self.candidates);
    }

    /// A candidate to be filled in; it is one of the hand once it is put back.
    pub fn blank(&mut self) -> Candidate {
        let mut blank = self.spare.pop().unwrap_or_default();
        blank.first.clear();
        blank.repeat.clear();
        blank.ahead.clear();
        blank
    }

    /// Puts aside a candidate that explains nothing.
    pub fn put_aside(&mut self, candidate: Candidate) {
        self.spare.push(candidate);
    }

    /// The background rate at a word, where what came from `first_join` on is no background.
    pub fn ground(&self, nth: usize, first_join: usize) -> f64 {
        let ground = &self.grounds[nth];
        ground.rate + ground.aged.min(first_join as f64) * ground.each
    }

    /// The first word that joined a case.
    pub fn first_join(&self) -> usize {
        self.candidates.iter().map(Candidate::begins).min().unwrap_or(usize::MAX)
    }

    /// The logarithm of how likely all words are with these joins.
    pub fn value(&self) -> f64 {
        let first_join = self.first_join();
        let mut all = Product::default();
        for nth in 0..self.times.len() {
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
        all.ln() + self.candidates.iter().map(Candidate::silence).sum::<f64>()
    }

    fn may_join(&self, candidate: usize, nth: usize) -> bool {
        self.candidates[candidate].first[nth] >= 0.5 * self.ground(nth, nth)
    }

    /// Finds good joins: one candidate after the other, and each in the place of each other. How likely all words are then.
    pub fn decide(&mut self) -> f64 {
        let is_free = |candidate: &Candidate| candidate.join != Join::Before;
        let free: Vec<usize> = (0..self.candidates.len()).filter(|at| is_free(&self.candidates[*at])).collect();
        if let [only] = free[..] {
            return self.decide_one(only);
        }
        let mut joins: Vec<Join> = Vec::new();
        for _ in 0..if free.len() > 1 { 2 } else { 0 } {
            for &candidate in &free {
                self.decide_one(candidate);
            }
            // What the second look sees as the first did, it would decide as the first did.
            let now: Vec<Join> = free.iter().map(|at| self.candidates[*at].join).collect();
            if now == joins {
                break;
            }
            for &from in &free {
                for &to in &free {
                    if from != to && self.candidates[from].join != Join::Never {
                        self.hand_over(from, to);
                    }
                }
            }
            joins = free.iter().map(|at| self.candidates[*at].join).collect();
        }
        self.value()
    }

    /// The best join of one candidate, the others being as they are. How likely all words are then.
    fn decide_one(&mut self, nth: usize) -> f64 {
        self.candidates[nth].join = Join::Never;
        self.look_beside(nth);
        let others: f64 = (0..).zip(&self.candidates).filter(|(at, _)| *at != nth).map(|(_, one)| one.silence()).sum();
        let begins = self.first_join();
        let candidate = &self.candidates[nth];
        let mut before = Product::default();
        let mut best = (f64::NEG_INFINITY, f64::NEG_INFINITY, Join::Never);
        for at in 0..self.times.len() {
            let (rest, has_first) = self.rest[at];
            if !has_first && self.may_join(nth, at) {
                let first_join = begins.min(at);
                let mut all = before;
                all.take(self.ground(at, first_join) + rest + candidate.first[at]);
                for later in at + 1..self.times.len() {
                    all.take(self.ground(later, first_join) + self.rest[later].0 + candidate.repeat[later]);
                }
                let value = all.ln() + others - candidate.ahead[at];
                if value > best.0 {
                    best = (value, value, Join::At(at));
                }
            }
            before.take(self.ground(at, begins) + rest);
        }
        let never = before.ln() + others + candidate.silence();
        let hiding = if begins == usize::MAX { HIDING } else { 0.0 };
        if never - hiding >= best.0 {
            best = (never - hiding, never, Join::Never);
        }
        self.candidates[nth].join = best.2;
        best.1
    }

    /// What explains each word beside one candidate.
    fn look_beside(&mut self, but: usize) {
        self.rest.clear();
        self.rest.resize(self.times.len(), (0.0, false));
        for (_, candidate) in (0..).zip(&self.candidates).filter(|(at, _)| *at != but) {
            for (nth, rest) in self.rest.iter_mut().enumerate() {
                if let Some((share, is_first)) = candidate.share(nth) {
                    rest.0 += share;
                    rest.1 |= is_first;
                }
            }
        }
    }

    fn hand_over(&mut self, from: usize, to: usize) {
        let words = self.times.len();
        if !(0..words.min(SWAPS_MAX)).any(|nth| self.may_join(to, nth)) {
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Words at these seconds of a face heard rarely, and cases that explain each so well as first words and as repeats.
    fn hand(seconds: &[i64], cases: &[(&[f64], &[f64])]) -> Hand {
        let mut hand = Hand::default();
        for at in seconds {
            hand.times.push(at * 1_000);
            hand.grounds.push(Ground { aged: 0.0, rate: 2e-5, each: 1.0 / 1_800.0 });
        }
        for (id, (first, repeat)) in (0_u32..).zip(cases) {
            let mut one = hand.blank();
            (one.id, one.likely) = (id, 0.5);
            one.first.extend_from_slice(first);
            one.repeat.extend_from_slice(repeat);
            one.ahead.resize(first.len(), 0.5);
            hand.candidates.push(one);
        }
        hand
    }

    #[test]
    fn a_face_joins_with_the_word_that_suits_best_and_repeats_after() {
        let mut hand = hand(&[0, 100, 160], &[(&[1e-7, 3e-3, 1e-4], &[1e-3, 1e-3, 1e-3])]);
        let value = hand.decide();
        assert_eq!(hand.candidates[0].join, Join::At(1));
        assert!((value - hand.value()).abs() < 1e-9, "{value} {}", hand.value());
        assert_eq!((hand.candidates[0].share(0), hand.candidates[0].share(2)), (None, Some((1e-3, false))));
    }

    #[test]
    fn what_no_case_explains_joins_none() {
        let mut hand = hand(&[0, 100], &[(&[1e-6, 1e-6], &[1e-6, 1e-6])]);
        hand.decide();
        assert_eq!(hand.candidates[0].join, Join::Never);
        assert_eq!(hand.first_join(), usize::MAX);
    }

    #[test]
    fn one_word_is_the_first_in_one_case_alone_and_the_likelier_has_it() {
        let mut hand = hand(&[50], &[(&[1e-3], &[1e-4]), (&[4e-3], &[1e-4])]);
        let value = hand.decide();
        let joins: Vec<Join> = hand.candidates.iter().map(|one| one.join).collect();
        assert_eq!(joins, [Join::Never, Join::At(0)]);
        assert!((value - hand.value()).abs() < 1e-9);
    }

    #[test]
    fn a_hand_used_again_remembers_nothing() {
        let mut used = hand(&[0, 100, 160], &[(&[1e-7, 3e-3, 1e-4], &[1e-3, 1e-3, 1e-3])]);
        used.decide();
        used.clear();
        assert!(used.times.is_empty() && used.grounds.is_empty() && used.candidates.is_empty());
        let blank = used.blank();
        assert!(blank.first.is_empty() && blank.repeat.is_empty() && blank.ahead.is_empty());
    }
}
