//! New cases: the root that makes what is badly explained shorter to tell, where one does. And doubt about old ones.

use rustc_hash::{FxHashMap, FxHashSet};

use super::case::{CERTAIN, Case, View};
use super::casebook::{Casebook, NOBODY};
use super::delay::{self, PACES, Pace};
use super::face::Kind;
use super::places::Root;
use super::product::Product;

/// What is explained better than this, words a second, needs no new case: what is heard every three hours anyway.
const WELL_EXPLAINED: f64 = 1e-4;
/// What is explained better than this says nothing for one either.
const SAYS_NOTHING: f64 = 20.0 * WELL_EXPLAINED;
/// Fewer puzzles than this point at nothing.
const VOTES_MIN: usize = 3;
/// Roots that are weighed, and moments at which each may have begun.
const ROOTS_MAX: usize = 16;
const ONSETS_MAX: usize = 5;
/// Two onsets nearer than this are one.
const ONSET_GRAIN_MS: i64 = 15_000;
/// A change explains what begins within this after it, and clocks differ.
const CHANGE_MS: i64 = 600_000;
const SKEW_MS: i64 = 60_000;
/// An onset is weighed with every new puzzle for this long.
const YOUNG_MS: i64 = 400_000;
/// What a root shows counts where nothing else explains it as well: by odds, and by as many nats.
const ODD: f64 = 3.0;
/// A gain, in nats before costs, that is given up on.
const HOPELESS: f64 = -6.0;
/// A dissolved case is not tried again so near to its onset.
const REFUSED_MS: i64 = 120_000;
/// How long the same root stays the same incident.
const SAME_ROOT_MS: i64 = 1_800_000;
const SAME_BURST_MS: i64 = 30_000;

/// A badly explained first word of a face.
struct Puzzle {
    face: u32,
    at: i64,
    explained: f64,
    is_new: bool,
}

/// What points at a root.
#[derive(Default)]
struct Votes {
    has_news: bool,
    times: Vec<i64>,
}

impl Votes {
    /// Moments after which enough of them follow.
    fn onsets(&self) -> Vec<i64> {
        let mut onsets: Vec<i64> = Vec::new();
        for at in &self.times[..=self.times.len().saturating_sub(VOTES_MIN)] {
            if onsets.last().is_none_or(|last| at - last >= ONSET_GRAIN_MS) {
                onsets.push(*at);
            }
        }
        onsets.truncate(ONSETS_MAX);
        onsets
    }
}

/// A puzzle as seen from a root.
struct Clue {
    share: f64,
    hops: u8,
    kind: Kind,
    at: i64,
    explained: f64,
    /// It shows that something broke at the root.
    is_shown: bool,
}

struct Idea {
    gain: f64,
    view: View,
    onset: i64,
    pace: Pace,
}

impl Casebook {
    /// Opens the case that explains most, if one is worth it.
    pub(super) fn found(&mut self, now: i64) -> bool {
        let puzzles = self.puzzles(now);
        if puzzles.len() < 3 {
            return false;
        }
        let mut best: Option<Idea> = None;
        let mut clues = Vec::with_capacity(puzzles.len());
        let mut terms = Vec::with_capacity(puzzles.len());
        let newest = puzzles.iter().filter(|puzzle| puzzle.is_new).map(|puzzle| puzzle.at).max().unwrap_or(now);
        for (root, onsets) in self.suspects(&puzzles) {
            let mut reaching: Option<Root> = None;
            // What began long before the newest puzzle was weighed when it was young.
            for onset in onsets.into_iter().filter(|onset| newest - onset <= YOUNG_MS) {
                let same_ms = if root == Root::Burst { SAME_BURST_MS } else { SAME_ROOT_MS };
                let is_near = |of: Root, at: i64, within: i64| of == root && (at - onset).abs() < within;
                if self.cases.iter().any(|case| is_near(case.view.root, case.onset, same_ms))
                    || self.refused.iter().any(|(of, at)| is_near(*of, *at, same_ms.min(REFUSED_MS)))
                {
                    continue;
                }
                let first = || puzzles.iter().map(|puzzle| (puzzle.face, puzzle.at));
                let Some(view) = self.view(root, onset, first()) else { continue };
                // What many say depends on the onset; from any other root the reach is always the same.
                if reaching != Some(root) || matches!(root, Root::Common(_)) {
                    reaching = Some(root);
                    self.clues(&view, &puzzles, &mut clues);
                }
                for pace in PACES {
                    let gain = self.gain(&view, onset, pace, &clues, &mut terms);
                    if gain > best.as_ref().map_or(0.0, |best| best.gain) {
                        best = Some(Idea { gain, view: view.clone(), onset, pace });
                    }
                }
            }
        }
        let Some(idea) = best else { return false };
        let id = self.next_case;
        self.next_case += 1;
        let mut case = Case::new(id, idea.view, idea.pace, idea.onset);
        // Until it is settled who joins, as many as it would explain.
        let joined = self.would_join(&case, &puzzles);
        case.fresh = joined;
        case.end_count(&self.faces);
        self.cases.push(case);
        true
    }

    fn would_join(&self, case: &Case, puzzles: &[Puzzle]) -> Vec<(u32, i64)> {
        let explains = |puzzle: &&Puzzle| {
            let face = &self.faces[puzzle.face as usize];
            let (share, hops) = case.view.reach(&self.places, face);
            let share = if case.view.root == Root::Burst { 0.05 } else { share };
            share * 0.5 * delay::density(case.pace, face.kind, (puzzle.at - case.onset) as f64 / 1e3, hops)
                > puzzle.explained
        };
        puzzles.iter().filter(explains).map(|puzzle| (puzzle.face, puzzle.at)).collect()
    }

    /// First words of faces that are badly explained, of late.
    fn puzzles(&self, now: i64) -> Vec<Puzzle> {
        let from = self.words.partition_point(|word| word.at < now - self.settings.found_ms);
        let mut seen = FxHashSet::default();
        let new_from = usize::try_from(self.weighed.saturating_sub(self.front)).unwrap_or(0);
        let late = self.words.iter().enumerate().skip(from).filter(|(_, word)| word.explained < SAYS_NOTHING);
        let mut puzzles: Vec<Puzzle> = late
            .filter(|(_, word)| seen.insert(word.face))
            .map(|(at, word)| Puzzle {
                face: word.face,
                at: word.at,
                explained: word.explained,
                is_new: at >= new_from,
            })
            .collect();
        let is_odd = |puzzle: &&Puzzle| puzzle.explained < WELL_EXPLAINED;
        let has_news = puzzles.iter().any(|puzzle| puzzle.is_new && puzzle.explained < WELL_EXPLAINED);
        if !has_news || puzzles.iter().filter(is_odd).count() < 3 {
            puzzles.clear();
        }
        puzzles
    }

    /// Roots that several puzzles point at, with moments at which each may have begun.
    fn suspects(&mut self, puzzles: &[Puzzle]) -> Vec<(Root, Vec<i64>)> {
        let mut votes: FxHashMap<Root, Votes> = FxHashMap::default();
        for puzzle in puzzles.iter().filter(|puzzle| puzzle.explained < WELL_EXPLAINED) {
            let face = puzzle.face as usize;
            if self.roots[face].is_empty() {
                self.roots[face] = self.faces[face].roots(&self.places);
            }
            for root in &self.roots[face] {
                let votes = votes.entry(*root).or_default();
                votes.has_news |= puzzle.is_new;
                votes.times.push(puzzle.at);
            }
        }
        // A root that nothing new points at was weighed before.
        let mut ranked: Vec<(Root, Votes)> =
            votes.into_iter().filter(|(_, votes)| votes.times.len() >= VOTES_MIN && votes.has_news).collect();
        ranked.sort_by(|a, b| b.1.times.len().cmp(&a.1.times.len()).then(a.0.cmp(&b.0)));
        ranked.truncate(ROOTS_MAX);
        ranked.into_iter().map(|(root, votes)| (root, votes.onsets())).collect()
    }

    /// The view from a root; `None` where too few say the same.
    pub(super) fn view(&mut self, root: Root, onset: i64, first: impl Iterator<Item = (u32, i64)>) -> Option<View> {
        if let Root::Common(what) = root {
            if self.whats.is_beyond(what) {
                return None;
            }
            let mut seeds: Vec<u32> = Vec::new();
            let mut on_pods = false;
            for (face, at) in first {
                let face = &self.faces[face as usize];
                if face.what == what && (onset - SKEW_MS..onset + 240_000).contains(&at) {
                    on_pods |= face.pod.is_some();
                    seeds.extend(face.service);
                }
            }
            seeds.sort_unstable();
            seeds.dedup();
            let pods = seeds.iter().map(|seed| self.places.pods_of[*seed as usize].len()).sum::<usize>();
            let instances = if on_pods { pods } else { seeds.len() };
            return View::common(&self.places, what, &seeds, instances as f64);
        }
        let places = &self.places;
        let mut view = self.views.entry(root).or_insert_with(|| View::new(places, root, 0.0)).clone();
        if let Root::Service(service) = root {
            let is_after = |at: i64| onset - at >= -SKEW_MS && onset - at < CHANGE_MS;
            if self.changes.iter().any(|(at, of)| *of == service && is_after(*at)) {
                view.bonus = self.settings.change_bonus;
            }
        }
        Some(view)
    }

    /// The puzzles that a root could explain.
    fn clues(&self, view: &View, puzzles: &[Puzzle], clues: &mut Vec<Clue>) {
        clues.clear();
        let universe = self.universe();
        for puzzle in puzzles {
            let face = &self.faces[puzzle.face as usize];
            let (reach, hops) = view.reach(&self.places, face);
            let share = if view.root == Root::Burst { 1.0 / universe } else { reach / view.expected };
            if share > 0.0 {
                clues.push(Clue {
                    share,
                    hops,
                    kind: face.kind,
                    at: puzzle.at,
                    explained: puzzle.explained,
                    is_shown: view.is_shown_by(&self.places, face),
                });
            }
        }
    }

    /// What a case would save, in nats, with as many members as suit it best.
    fn gain(&self, view: &View, onset: i64, pace: Pace, clues: &[Clue], terms: &mut Vec<(f64, f64)>) -> f64 {
        let is_burst = view.root == Root::Burst;
        terms.clear();
        terms.extend(clues.iter().map(|clue| {
            let after = (clue.at - onset) as f64 / 1e3;
            (clue.share, delay::density(pace, clue.kind, after, clue.hops) / clue.explained)
        }));
        let is_shown = is_burst
            || clues
                .iter()
                .zip(terms.iter())
                .any(|(clue, (share, ratio))| clue.is_shown && (10.0 * share).min(CERTAIN) * ratio > ODD);
        let (mut count, rounds) = if is_burst { (60.0, 8) } else { (10.0_f64, 4) };
        let mut gain = 0.0;
        for _ in 0..rounds {
            let mut members = 0.0;
            let mut odds_of_all = Product::default();
            for (share, ratio) in &*terms {
                let odds = (count * share).min(CERTAIN) * ratio;
                members += odds / (1.0 + odds);
                odds_of_all.take(1.0 + odds);
            }
            gain = odds_of_all.ln() - count;
            count = f64::max(members, 0.5);
            // Far from worth it with ten members, it does not become so with as many as suit.
            if gain < if is_burst { 2.0 * HOPELESS } else { HOPELESS } {
                break;
            }
        }
        let unseen = if is_shown || view.bonus > 0.0 { 0.0 } else { self.settings.unseen_cost };
        gain + view.bonus - unseen - self.settings.cost - if is_burst { self.settings.burst_cost } else { 0.0 }
    }

    /// Dissolves the case that is least worth telling, if one is not.
    pub(super) fn doubt(&mut self, now: i64) -> bool {
        let mut worst: (f64, Option<usize>) = (0.0, None);
        for (at, case) in self.cases.iter().enumerate() {
            // What has lasted is settled.
            if case.settled > 0 || now - case.onset > self.settings.window_ms {
                continue;
            }
            let worth = self.worth(case);
            if worth < worst.0 {
                worst = (worth, Some(at));
            }
        }
        let Some(at) = worst.1 else { return false };
        let case = self.cases.remove(at);
        self.refused.push((case.born, case.onset));
        self.refused.push((case.view.root, case.onset));
        for word in self.words.iter_mut().filter(|word| word.case == case.id) {
            word.case = NOBODY;
        }
        true
    }

    fn worth(&self, case: &Case) -> f64 {
        let is_burst = case.view.root == Root::Burst;
        let mut worth = case.view.bonus - self.settings.cost - if is_burst { self.settings.burst_cost } else { 0.0 };
        let mut heard = 0.0;
        let mut is_shown = is_burst || case.view.bonus > 0.0;
        for (face, state) in self.states.iter().enumerate() {
            if state.words.is_empty() {
                continue;
            }
            let own = state.joined.contains(&case.id);
            let (likely, _) = case.reach(&self.places, &self.faces[face], own, self.universe());
            if likely > 0.0 {
                heard += likely;
                let saves = state.value - self.value_without(face as u32, case.id);
                worth += saves;
                is_shown |= own && saves > ODD && case.view.is_shown_by(&self.places, &self.faces[face]);
            }
        }
        if !is_shown {
            worth -= self.settings.unseen_cost;
        }
        if is_burst { worth } else { worth - (case.members() - heard).max(0.0) }
    }
}
