//! One step of the casebook: what was heard is judged, cases are opened, learned from, joined and given up, and what has
//! left the window is settled for good.

use super::case::BIN_MS;
use super::casebook::{Casebook, NOBODY, Verdict, Word};

/// New cases in one step at most.
const FOUND_MAX: usize = 4;
/// Steps between two reviews of everything in the window.
const REVIEW_STEPS: u64 = 6;

impl Casebook {
    /// Brings everything up to date, with everything that is otherwise done now and then.
    pub(super) fn step_and_review(&mut self, now: i64) {
        self.steps = REVIEW_STEPS - 1;
        self.step(now);
    }

    /// Brings everything up to date.
    pub fn step(&mut self, now: i64) {
        self.stepped_at = now;
        self.stepped_words = 0;
        if self.places.revision != self.views_of {
            self.views.clear();
            self.views_of = self.places.revision;
            self.roots.iter_mut().for_each(Vec::clear);
        }
        self.retire(now - self.settings.window_ms);
        self.close(now);
        if self.follow_bursts(now) {
            return;
        }
        self.hear_lags();
        let dirty = std::mem::take(&mut self.dirty);
        for face in &dirty {
            self.states[*face as usize].is_dirty = false;
            self.settle(*face);
        }
        self.recount();
        let mut has_changed = false;
        for _ in 0..FOUND_MAX {
            if !self.found(now) {
                break;
            }
            has_changed = true;
            for _ in 0..3 {
                self.settle_all();
                self.recount();
                self.learn(now);
            }
            self.hear_lags();
        }
        self.weighed = self.front + self.words.len() as u64;
        self.steps += 1;
        if self.cases.is_empty() || dirty.is_empty() {
            return;
        }
        if !has_changed && self.steps.is_multiple_of(REVIEW_STEPS) {
            self.learn(now);
            self.settle_all();
            self.recount();
            has_changed = true;
        }
        while has_changed && self.reconsider(now) {}
        while has_changed && self.doubt(now) {
            self.settle_all();
            self.recount();
        }
    }

    pub(super) fn settle_all(&mut self) {
        for face in 0..self.states.len() {
            let state = &self.states[face];
            // What no case reached and none reaches is as it was.
            if !state.words.is_empty() && (!state.joined.is_empty() || self.is_reached(face as u32)) {
                self.settle(face as u32);
            }
        }
    }

    /// Learns from live cases how long each name takes.
    fn hear_lags(&mut self) {
        let Self { cases, lags, faces, places, .. } = self;
        lags.begin();
        for case in &*cases {
            lags.take(places, faces, case, false);
        }
    }

    /// Counts anew what is in the window.
    pub(super) fn recount(&mut self) {
        let from = self.words.front().map_or(0, |word| word.at);
        let bins = usize::try_from((self.front_at() - from) / BIN_MS + 1).unwrap_or(1);
        for case in &mut self.cases {
            case.begin_count(from, bins);
        }
        self.class_recent.iter_mut().for_each(Vec::clear);
        let ids: Vec<u32> = self.cases.iter().map(|case| case.id).collect();
        for word in &self.words {
            if word.case == NOBODY {
                let state = &self.states[word.face as usize];
                if state.heard == 0.0
                    && state.words.front().is_some_and(|first| {
                        self.words.get((*first - self.front) as usize).is_some_and(|first| first.token == word.token)
                    })
                {
                    self.class_recent[self.faces[word.face as usize].what as usize].push(word.at);
                }
            } else if let Some(at) = ids.iter().position(|id| *id == word.case) {
                self.cases[at].count(word.face, word.at, word.is_fresh);
            }
        }
        for case in &mut self.cases {
            case.end_count(&self.faces);
        }
    }

    /// What was heard before `until` is settled for good.
    pub(super) fn retire(&mut self, until: i64) {
        while let Some(word) = self.words.front().copied().filter(|word| word.at < until) {
            let background = self.background(&word);
            let case = if word.case == NOBODY && !self.is_prompt {
                self.absorb(&word, background)
            } else {
                Some(word.case).filter(|case| *case != NOBODY)
            };
            self.words.pop_front();
            self.front += 1;
            let state = &mut self.states[word.face as usize];
            let heard = state.heard;
            state.words.pop_front();
            if word.case == NOBODY {
                if state.heard == 0.0 {
                    self.class_heard[self.faces[word.face as usize].what as usize] += 1.0;
                }
                state.heard += 1.0;
            } else if word.is_fresh
                && let Some(case) = self.cases.iter_mut().find(|case| case.id == word.case)
            {
                case.settled += 1;
                state.joined.retain(|id| *id != word.case);
                state.homes.push(word.case);
            }
            self.verdicts.push(Verdict { token: word.token, case, background_an_hour: background * 3_600.0, heard });
        }
    }

    /// Cases that have not been heard of are over.
    fn close(&mut self, now: i64) {
        let over_ms = self.settings.over_ms;
        let mut gone = Vec::new();
        let Self { cases, lags, faces, places, .. } = self;
        cases.retain(|case| {
            let is_over = now - case.news_at.max(case.onset) > over_ms;
            if is_over {
                lags.take(places, faces, case, true);
                gone.push((case.id, case.view.root));
            }
            !is_over
        });
        for (id, root) in gone {
            self.over.insert(id, (root, now));
            self.states.iter_mut().for_each(|state| state.homes.retain(|home| *home != id));
        }
        self.refused.retain(|(_, at)| now - at < 3_600_000);
    }

    /// What no root explains and nothing says is background belongs to what is going on.
    fn absorb(&self, word: &Word, background: f64) -> Option<u32> {
        let face = &self.faces[word.face as usize];
        let mut best = (background, None);
        for case in &self.cases {
            let own = self.states[word.face as usize].homes.contains(&case.id);
            let (likely, hops) = case.reach(&self.places, face, own, self.universe());
            let anyhow = (case.members() / self.universe()).min(0.3) * self.settings.anyhow;
            let after = (word.at - case.onset) as f64 / 1e3;
            let mut share = (likely + anyhow) * self.lags.density(face, case.pace, after, hops);
            // One that joined unseen repeats itself like any other.
            share += if own { 1.0 } else { likely } * case.rate(word.at);
            if share > best.0 {
                best = (share, Some(case.id));
            }
        }
        best.1
    }
}
