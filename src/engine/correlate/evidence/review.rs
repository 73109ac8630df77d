//! Second thoughts: two cases that began together are made one where everything heard is told better that way. A move
//! is made, all is judged again, and it is kept or taken back by the likelihood of everything in the window less what
//! each case costs (the death move of a search over the number of cases).

use rustc_hash::FxHashSet;

use super::case::Case;
use super::casebook::{Casebook, NOBODY, Word};
use super::places::Root;

/// Cases that began further apart are not the same.
const NEAR_MS: i64 = 150_000;
/// Before so much is heard of both, nothing is decided.
const RIPE_MS: i64 = 480_000;
/// What one case must save beyond two, in nats: what was told apart with good reason stays so while it is even.
const CLEARLY: f64 = 20.0;
/// Rounds of judging after a move.
const ROUNDS: usize = 3;

/// What is thought, to be gone back to.
struct Thoughts {
    words: Vec<Word>,
    states: Vec<(u32, Vec<u32>, f64)>,
    cases: Vec<Case>,
}

impl Casebook {
    /// Makes one case of two where that tells it better; true where it did.
    pub(super) fn reconsider(&mut self, now: i64) -> bool {
        let pairs = self.pairs(now);
        if pairs.is_empty() {
            return false;
        }
        let before = self.telling();
        for (keep, drop) in pairs {
            let thoughts = self.thoughts();
            let is_placed = |book: &Self, id| book.root_of(id).is_some_and(|root| root != Root::Burst);
            let was_placed = is_placed(self, keep) && is_placed(self, drop);
            self.join_cases(keep, drop, now);
            // That they only began together explains less than two places do.
            let is_explained = !was_placed || is_placed(self, keep);
            if is_explained && self.telling() > before + CLEARLY {
                return true;
            }
            self.think_again(thoughts);
        }
        false
    }

    /// Cases that could be one: which would stay, and which would go. What has left the window stays what it was.
    fn pairs(&self, now: i64) -> Vec<(u32, u32)> {
        let mut pairs = Vec::new();
        for (nth, one) in self.cases.iter().enumerate() {
            for other in &self.cases[nth + 1..] {
                let is_ripe = now - one.onset.max(other.onset) >= RIPE_MS;
                if !is_ripe || (one.onset - other.onset).abs() > NEAR_MS {
                    continue;
                }
                if other.settled == 0 {
                    pairs.push((one.id, other.id));
                } else if one.settled == 0 {
                    pairs.push((other.id, one.id));
                }
            }
        }
        pairs
    }

    fn join_cases(&mut self, keep: u32, drop: u32, now: i64) {
        let Some(at) = self.cases.iter().position(|case| case.id == drop) else { return };
        let dropped = self.cases.remove(at);
        for word in self.words.iter_mut().filter(|word| word.case == drop) {
            word.case = NOBODY;
        }
        if let Some(kept) = self.cases.iter_mut().find(|case| case.id == keep) {
            let known: FxHashSet<u32> = kept.fresh.iter().map(|(face, _)| *face).collect();
            kept.fresh.extend(dropped.fresh.iter().filter(|(face, _)| !known.contains(face)));
            kept.learned = (0, 0);
        }
        for _ in 0..ROUNDS {
            self.learn(now);
            self.settle_all();
            self.recount();
        }
    }

    fn thoughts(&self) -> Thoughts {
        let states = (0_u32..).zip(&self.states).filter(|(_, state)| !state.words.is_empty());
        Thoughts {
            words: self.words.iter().copied().collect(),
            states: states.map(|(face, state)| (face, state.joined.clone(), state.value)).collect(),
            cases: self.cases.clone(),
        }
    }

    fn think_again(&mut self, thoughts: Thoughts) {
        self.words = thoughts.words.into();
        for (face, joined, value) in thoughts.states {
            let state = &mut self.states[face as usize];
            (state.joined, state.value) = (joined, value);
        }
        self.cases = thoughts.cases;
        self.recount();
    }

    /// How well everything in the window is told, in nats.
    fn telling(&self) -> f64 {
        let words: f64 = self.states.iter().filter(|state| !state.words.is_empty()).map(|state| state.value).sum();
        words + self.cases.iter().map(|case| self.price(case)).sum::<f64>()
    }

    /// What a case costs, and the faces it should have raised that never spoke.
    fn price(&self, case: &Case) -> f64 {
        let is_burst = case.view.root == Root::Burst;
        let mut price = case.view.bonus - self.settings.cost - if is_burst { self.settings.burst_cost } else { 0.0 };
        let mut heard = 0.0;
        let mut is_shown = is_burst || case.view.bonus > 0.0;
        for (face, state) in self.faces.iter().zip(&self.states).filter(|(_, state)| !state.words.is_empty()) {
            let own = state.joined.contains(&case.id);
            heard += case.reach(&self.places, face, own, self.universe()).0;
            is_shown |= own && case.view.is_shown_by(&self.places, face);
        }
        if !is_shown {
            price -= self.settings.unseen_cost;
        }
        if is_burst { price } else { price - (case.members() - heard).max(0.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::correlate::evidence::case::View;
    use crate::engine::correlate::evidence::delay::Pace;
    use crate::engine::correlate::evidence::labels;

    const LATER_MS: i64 = 600_000;

    /// Pods of a node go down one after the other; half are thought one case, half another, rooted at these nodes.
    fn thought_two(nodes: [&str; 2], says: [&str; 2]) -> Casebook {
        let mut book = Casebook::default();
        let mut halves: [Vec<(u32, i64)>; 2] = [Vec::new(), Vec::new()];
        for nth in 0..24_i64 {
            let (service, pod) = (format!("service-{nth}"), format!("pod-{nth}"));
            let half = usize::try_from(nth % 2).unwrap();
            let labels = [("service", service.as_str()), ("pod", pod.as_str()), ("node", nodes[half])];
            let face = labels::read(&mut book, says[half], None, labels.into_iter());
            let face = book.face(face);
            book.hear(face, nth * 2_000, u32::try_from(nth).unwrap());
            halves[half].push((face, nth * 2_000));
        }
        for (id, (half, node)) in (0_u32..).zip(halves.into_iter().zip(nodes)) {
            let root = Root::Node(book.places.node(node));
            let mut case = Case::new(id, View::new(&book.places, root, 0.0), Pace::Held, half[0].1);
            case.fresh = half;
            case.end_count(&book.faces);
            book.cases.push(case);
        }
        book.next_case = 2;
        for _ in 0..2 {
            for face in 0..24 {
                book.settle(face);
            }
            book.recount();
        }
        book
    }

    #[test]
    fn one_failure_that_was_thought_two_becomes_one() {
        let mut book = thought_two(["n1", "n1"], ["TargetDown", "TargetDown"]);
        assert!(!book.reconsider(RIPE_MS / 2), "too early to say");
        assert!(book.reconsider(LATER_MS));
        assert_eq!(book.cases.len(), 1);
        assert!(book.cases[0].members() >= 20.0, "{}", book.cases[0].members());
        assert!(!book.reconsider(LATER_MS));
    }

    #[test]
    fn two_failures_stay_two_and_nothing_is_changed_by_the_thought() {
        let mut book = thought_two(["n1", "n2"], ["TargetDown", "ContainerOOMKilled"]);
        let told = |book: &Casebook| -> Vec<u32> { book.words.iter().map(|word| word.case).collect() };
        let before = told(&book);
        assert!(!book.reconsider(LATER_MS));
        assert_eq!(book.cases.len(), 2);
        assert_eq!(told(&book), before);
    }
}
