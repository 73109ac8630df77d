//! What its members make of a case: where it came from, when it began, how quickly it is heard.

use std::collections::BTreeMap;

use super::case::{CERTAIN, View};
use super::casebook::Casebook;
use super::delay::{self, PACES, Pace};
use super::places::Root;

/// Members that are looked at, and roots.
const MEMBERS_MAX: usize = 300;
const ROOTS_MAX: usize = 12;
/// How likely a member is that its root does not explain.
const UNEXPLAINED: f64 = 2e-5;
/// A case's root is settled after this.
const LEARNS_MS: i64 = 1_200_000;
/// The share of members that may have come before the onset.
const FORERUNNERS: f64 = 0.03;

impl Casebook {
    /// Roots, onsets and paces of all young cases.
    pub(super) fn learn(&mut self, now: i64) {
        for at in 0..self.cases.len() {
            let case = &self.cases[at];
            let learned = (case.fresh.len(), case.fresh.iter().map(|(_, at)| at - case.began).sum());
            if case.fresh.is_empty() || now - case.onset > LEARNS_MS || case.learned == learned {
                continue;
            }
            self.cases[at].learned = learned;
            let case = &self.cases[at];
            let first: Vec<(u32, i64)> = case.fresh.iter().take(MEMBERS_MAX).copied().collect();
            let mut times: Vec<i64> = first.iter().map(|(_, at)| *at).collect();
            times.sort_unstable();
            let onset = times[(times.len() as f64 * FORERUNNERS) as usize];
            if let Some((view, pace)) = self.best_view(at, onset, &first) {
                let case = &mut self.cases[at];
                (case.view, case.pace, case.onset) = (view, pace, onset);
                case.end_count(&self.faces);
            }
        }
    }

    fn best_view(&mut self, at: usize, onset: i64, first: &[(u32, i64)]) -> Option<(View, Pace)> {
        let (born, current) = (self.cases[at].born, self.cases[at].view.root);
        let mut votes: BTreeMap<Root, usize> = BTreeMap::new();
        for (face, _) in first {
            let face = *face as usize;
            if self.roots[face].is_empty() {
                self.roots[face] = self.faces[face].roots(&self.places);
            }
            for root in &self.roots[face] {
                *votes.entry(*root).or_default() += 1;
            }
        }
        let mut ranked: Vec<(usize, Root)> = votes.into_iter().map(|(root, count)| (count, root)).collect();
        for (count, root) in &mut ranked {
            if *root == born || *root == current {
                *count = usize::MAX;
            }
        }
        ranked.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        ranked.truncate(ROOTS_MAX);
        let mut best: Option<(f64, View, Pace)> = None;
        for (_, root) in ranked {
            let Some(view) = self.view(root, onset, first.iter().copied()) else { continue };
            for pace in PACES {
                let fit = self.fit(&view, onset, pace, first);
                if best.as_ref().is_none_or(|best| fit > best.0) {
                    best = Some((fit, view.clone(), pace));
                }
            }
        }
        best.map(|(_, view, pace)| (view, pace))
    }

    /// The logarithm of how likely these members are from this root.
    fn fit(&self, view: &View, onset: i64, pace: Pace, first: &[(u32, i64)]) -> f64 {
        let count = first.len() as f64;
        let is_burst = view.root == Root::Burst;
        let mut fit = view.bonus - if is_burst { self.settings.burst_cost } else { 0.0 };
        let mut shown = first.iter().map(|(face, _)| &self.faces[*face as usize]);
        if !is_burst && view.bonus <= 0.0 && !shown.any(|face| view.is_shown_by(&self.places, face)) {
            fit -= self.settings.unseen_cost;
        }
        for (face, at) in first {
            let face = &self.faces[*face as usize];
            let (reach, hops) = view.reach(&self.places, face);
            let likely = if is_burst { count / self.universe() } else { (reach * count / view.expected).min(CERTAIN) };
            fit += (likely * delay::density(pace, face.kind, (at - onset) as f64 / 1e3, hops) + UNEXPLAINED).ln();
        }
        fit
    }
}
