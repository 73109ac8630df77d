//! Streams of bursts: where detectors speak at once, the moment tells incidents apart, and better than any place does.
//! Every word belongs to the burst that began last.

use std::collections::BTreeMap;

use super::case::{Case, View};
use super::casebook::{Casebook, KNOWN_BACKGROUND, NOBODY};
use super::delay::Pace;
use super::face::Kind;
use super::places::Root;

/// Fewer words than this are no incident.
const WORDS_MIN: usize = 3;
/// What a symptom says of the service it is seen at, beside what breaks or strains there.
const TRAVELS: f64 = 0.25;
/// Bursts that begin as near as this to each other are the same as seen before.
const SAME_MS: i64 = 1_000;

impl Casebook {
    /// Brings everything up to date where the stream is one of bursts; false where it is not.
    pub(super) fn follow_bursts(&mut self, now: i64) -> bool {
        let bursts = self.rhythm.bursts(now, self.is_prompt);
        if bursts.is_some() != self.is_prompt {
            self.is_prompt = bursts.is_some();
            self.dissolve_young(|_| true);
        }
        let Some(bursts) = bursts else { return false };
        let cases = self.cases_of(&bursts);
        let mut kept = cases.clone();
        kept.sort_unstable();
        self.dissolve_young(|case| kept.binary_search(&case.id).is_err());
        self.deal_by_burst(&bursts, &cases);
        self.recount();
        self.name_roots();
        true
    }

    /// A burst is named by the service whose own parts complain of most: symptoms travel, what breaks or strains does not.
    fn name_roots(&mut self) {
        for at in 0..self.cases.len() {
            let mut complaints: BTreeMap<u32, f64> = BTreeMap::new();
            for (face, _) in &self.cases[at].fresh {
                let face = &self.faces[*face as usize];
                if let Some(service) = face.service {
                    *complaints.entry(service).or_default() += if face.kind == Kind::Symptom { TRAVELS } else { 1.0 };
                }
            }
            let most = complaints.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
            let root = most.map_or(Root::Burst, |(service, _)| Root::Service(service));
            if self.cases[at].view.root != root
                && let Some(view) = self.view(root, self.cases[at].began, std::iter::empty())
            {
                self.cases[at].view = view;
            }
        }
    }

    /// Forgets cases that are not settled.
    fn dissolve_young(&mut self, is_gone: impl Fn(&Case) -> bool) {
        self.cases.retain(|case| case.settled > 0 || !is_gone(case));
        let known: Vec<u32> = self.cases.iter().map(|case| case.id).collect();
        for word in &mut self.words {
            if word.case != NOBODY && !known.contains(&word.case) {
                word.case = NOBODY;
            }
        }
        for state in &mut self.states {
            state.joined.retain(|id| known.contains(id));
        }
    }

    /// The case of each burst, known or new.
    fn cases_of(&mut self, bursts: &[i64]) -> Vec<u32> {
        let mut found = Vec::with_capacity(bursts.len());
        for began in bursts {
            let known = self.cases.iter().find(|case| (case.began - began).abs() <= SAME_MS).map(|case| case.id);
            found.push(known.unwrap_or_else(|| {
                let id = self.next_case;
                self.next_case += 1;
                let view = View::new(&self.places, Root::Burst, 0.0);
                self.cases.push(Case::new(id, view, Pace::Quick, *began));
                id
            }));
        }
        found
    }

    fn deal_by_burst(&mut self, bursts: &[i64], cases: &[u32]) {
        let Some(first) = bursts.first() else { return };
        let from = self.words.partition_point(|word| word.at < *first);
        let mut sizes = vec![0_usize; bursts.len()];
        let burst_of = |at: i64| bursts.partition_point(|began| *began <= at).saturating_sub(1);
        for word in self.words.range(from..) {
            sizes[burst_of(word.at)] += 1;
        }
        for state in &mut self.states {
            state.joined.clear();
        }
        for word in self.words.range_mut(from..) {
            let burst = burst_of(word.at);
            let state = &mut self.states[word.face as usize];
            let case = cases[burst];
            let is_large = sizes[burst] >= WORDS_MIN || self.cases.iter().any(|one| one.id == case && one.settled > 0);
            if !is_large || state.heard >= KNOWN_BACKGROUND {
                (word.case, word.is_fresh) = (NOBODY, false);
                continue;
            }
            word.is_fresh = !state.joined.contains(&case) && !state.homes.contains(&case);
            word.case = case;
            if word.is_fresh {
                state.joined.push(case);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::correlate::evidence::labels;

    /// What detectors say of services that nothing links, in bursts that begin at these seconds.
    fn judged(bursts: &[i64]) -> (Casebook, Vec<Option<u32>>) {
        let mut book = Casebook::default();
        let mut heard = Vec::new();
        for began in bursts {
            for nth in 0..24_i64 {
                heard.push((began * 1_000 + nth * nth * nth * 10, nth));
            }
        }
        heard.sort_unstable();
        let mut faces = BTreeMap::new();
        for (token, (at, nth)) in (0..).zip(&heard) {
            let service = format!("service-{nth}");
            let face = *faces.entry(*nth).or_insert_with(|| {
                let face = labels::read(&mut book, "TooSlow", None, [("service", service.as_str())].into_iter());
                book.face(face)
            });
            book.hear(face, *at, token);
        }
        book.finish();
        let mut cases = vec![None; heard.len()];
        for verdict in &book.verdicts {
            cases[verdict.token as usize] = verdict.case;
        }
        (book, cases)
    }

    #[test]
    fn each_burst_is_a_case_whatever_the_places() {
        let (book, cases) = judged(&[0, 300, 900]);
        let of =
            |range: std::ops::Range<usize>| cases[range].iter().copied().collect::<std::collections::BTreeSet<_>>();
        assert!(book.is_prompt);
        let bursts = [of(0..24), of(24..48), of(48..72)];
        assert!(bursts.iter().all(|cases| cases.len() == 1 && !cases.contains(&None)), "{bursts:?}");
        assert_eq!(bursts.iter().flatten().collect::<std::collections::BTreeSet<_>>().len(), 3);
    }

    #[test]
    fn a_burst_is_named_by_what_is_wrong_there_not_by_what_is_seen() {
        let mut book = Casebook::default();
        for nth in 0..30_i64 {
            // Four services see it; one of them is out of memory and threads.
            let (name, service) = match nth % 3 {
                0 => (format!("MemoryFull{nth}"), "store".to_owned()),
                _ => (format!("Latency{nth}"), format!("caller-{}", nth % 2)),
            };
            let face = labels::read(&mut book, &name, None, [("service", service.as_str())].into_iter());
            let face = book.face(face);
            book.hear(face, nth * nth * nth * 5, u32::try_from(nth).unwrap());
        }
        book.finish();
        let case = book.verdicts.iter().find_map(|verdict| verdict.case).expect("a case");
        assert!(book.is_prompt);
        assert_eq!(book.root_of(case).and_then(|root| book.root_name(root)), Some("store"));
    }

    #[test]
    fn bursts_that_left_the_window_keep_their_cases() {
        let (_, cases) = judged(&[0, 3_000, 6_000]);
        let found: std::collections::BTreeSet<_> = cases.iter().flatten().collect();
        assert_eq!(found.len(), 3, "{cases:?}");
        assert!(cases.iter().all(Option::is_some));
    }
}
