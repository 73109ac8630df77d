//! Which cases a face has joined, and when: judged by all its words together. A word is background, the first complaint
//! of a face that joins a case, or a repeat in a case it has joined.

use super::case::Case;
use super::casebook::{Casebook, NOBODY};
use super::hand::{Ground, Hand, Join};
use super::product::Product;

/// Words of one face that are looked at together.
const WORDS_MAX: usize = 48;

impl Casebook {
    /// Judges one face.
    pub(super) fn settle(&mut self, face: u32) {
        if !self.is_reached(face) {
            self.leave_alone(face);
            return;
        }
        let mut hand = std::mem::take(&mut self.hand);
        if self.fill(&mut hand, face, None) {
            self.states[face as usize].value = hand.decide();
            self.deal(face, &hand);
        }
        self.hand = hand;
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
        let mut hand = Hand::default();
        if self.fill(&mut hand, face, Some(case)) { hand.decide() } else { 0.0 }
    }

    /// Lays out the words of a face and the cases that may explain them; false where there are none.
    fn fill(&self, hand: &mut Hand, face: u32, without: Option<u32>) -> bool {
        hand.clear();
        let state = &self.states[face as usize];
        let skip = state.words.len().saturating_sub(WORDS_MAX);
        hand.times.extend(state.words.iter().skip(skip).map(|seq| self.word(*seq).at));
        let mut aged = 0;
        for nth in 0..hand.times.len() {
            let at = hand.times[nth];
            while hand.times[aged] < at - self.settings.age_ms {
                aged += 1;
            }
            let (class, listened) = self.class_rate(face, at);
            let each = 1.0 / (listened + PRIOR_S);
            let rate = (state.heard + class * PRIOR_S) * each;
            hand.grounds.push(Ground { aged: aged as f64, rate, each });
        }
        for case in self.cases.iter().filter(|case| without != Some(case.id)) {
            self.fill_case(hand, face, case);
        }
        !hand.times.is_empty()
    }

    fn fill_case(&self, hand: &mut Hand, face: u32, case: &Case) {
        let (state, shape) = (&self.states[face as usize], &self.faces[face as usize]);
        let before = state.homes.contains(&case.id);
        let own = before || state.joined.contains(&case.id);
        let (likely, hops) = case.reach(&self.places, shape, own, self.universe());
        if likely <= 0.0 && !before {
            return;
        }
        let mut one = hand.blank();
        let mut explains = before;
        for (nth, at) in hand.times.iter().enumerate() {
            let first = likely * self.lags.density(shape, case.pace, (at - case.onset) as f64 / 1e3, hops);
            explains |= first >= hand.ground(nth, nth);
            one.first.push(first);
        }
        if !explains {
            hand.put_aside(one);
            return;
        }
        one.repeat.extend(hand.times.iter().map(|at| case.rate(*at)));
        one.ahead.extend(hand.times.iter().map(|at| case.expected_repeats(*at)));
        one.ahead_all = case.expected_repeats(self.front_at());
        (one.id, one.likely) = (case.id, likely);
        one.join = if before { Join::Before } else { Join::Never };
        hand.candidates.push(one);
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

/// Seconds for which the class's rate counts against what was heard of the face itself.
pub(super) const PRIOR_S: f64 = 1_800.0;
