//! The casebook: what was heard lately, what is suspected, and what is background; brought up to date step by step.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::case::{BIN_MS, Case, View};
use super::face::Face;
use super::places::{Names, Places, Root};
use super::rhythm::Rhythm;
use super::settings::Settings;
use super::settle::PRIOR_S;

/// No case.
pub const NOBODY: u32 = u32::MAX;
/// Background words a second of a face that was never heard, before anything is known: one in fourteen hours.
const UNHEARD_A_S: f64 = 2e-5;

/// New cases in one step at most.
const FOUND_MAX: usize = 4;
/// Steps between two reviews of everything in the window.
const REVIEW_STEPS: u64 = 6;

/// One word that was heard.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    pub(crate) face: u32,
    pub(crate) at: i64,
    /// What the caller knows it by.
    pub(crate) token: u32,
    pub(crate) case: u32,
    pub(crate) is_fresh: bool,
    /// How likely it is, a second, by everything that is known.
    pub(crate) explained: f64,
}

/// What is known of one face.
#[derive(Debug, Default)]
pub struct FaceState {
    /// Its words in the window, by number.
    pub(crate) words: VecDeque<u64>,
    /// Background words that have left the window.
    pub(crate) heard: f64,
    /// Live cases it joined before the window.
    pub(crate) homes: Vec<u32>,
    /// Live cases it joined within it.
    pub(crate) joined: Vec<u32>,
    /// How likely its words are, as a logarithm.
    pub(crate) value: f64,
    pub(crate) is_dirty: bool,
    /// When it was last heard.
    pub(crate) last_at: i64,
    /// Forgotten: its number is free.
    pub(crate) is_free: bool,
}

/// What became of a word that has left the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    pub(crate) token: u32,
    /// The case it belongs to.
    pub(crate) case: Option<u32>,
    /// How often an hour its face is heard as background.
    pub(crate) background_an_hour: f64,
    /// How often it had been heard as background before.
    pub(crate) heard: f64,
}

/// A face heard this often as background is known to be.
pub(super) const KNOWN_BACKGROUND: f64 = 3.0;

impl Verdict {
    /// What the caller knows the word by.
    pub fn token(&self) -> u32 {
        self.token
    }

    /// The case it belongs to; `None` where it was set aside.
    pub fn case(&self) -> Option<u32> {
        self.case
    }

    /// Why a word was set aside.
    pub fn reason(&self) -> &'static str {
        if self.heard >= KNOWN_BACKGROUND { "background" } else { "alone" }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Casebook {
    pub(crate) settings: Settings,
    pub(crate) places: Places,
    /// What faces say, by number.
    pub(crate) whats: Names,
    pub(crate) faces: Vec<Face>,
    pub(super) states: Vec<FaceState>,
    pub(super) roots: Vec<Vec<Root>>,
    pub(super) words: VecDeque<Word>,
    /// The number of the first word of the window.
    pub(super) front: u64,
    pub(crate) cases: Vec<Case>,
    pub(super) next_case: u32,
    /// Roots of cases that are over, and since when.
    pub(crate) over: FxHashMap<u32, (Root, i64)>,
    /// Changes by service: when.
    pub(crate) changes: Vec<(i64, u32)>,
    pub(super) views: FxHashMap<Root, View>,
    views_of: u64,
    /// Dissolved cases are not tried again at once.
    pub(super) refused: Vec<(Root, i64)>,
    started_at: Option<i64>,
    stepped_at: i64,
    stepped_words: usize,
    /// First background words of faces by what they say: those that left the window, and the faces known.
    class_heard: Vec<f64>,
    class_recent: Vec<Vec<i64>>,
    pub(super) class_faces: Vec<f64>,
    pub(crate) verdicts: Vec<Verdict>,
    pub(super) dirty: Vec<u32>,
    /// Words before this have been weighed for new cases.
    pub(super) weighed: u64,
    steps: u64,
    /// Numbers of faces that were forgotten.
    pub(super) free: Vec<u32>,
    pub(super) rhythm: Rhythm,
    /// True while what is heard comes in bursts.
    pub(super) is_prompt: bool,
}

impl Casebook {
    /// Makes a face known; its number.
    pub fn face(&mut self, face: Face) -> u32 {
        let what = face.what as usize;
        if self.class_faces.len() <= what {
            self.class_faces.resize(what + 1, 0.0);
            self.class_heard.resize(what + 1, 0.0);
            self.class_recent.resize(what + 1, Vec::new());
        }
        self.class_faces[what] += 1.0;
        if let Some(free) = self.free.pop() {
            self.faces[free as usize] = face;
            self.states[free as usize] = FaceState::default();
            self.roots[free as usize].clear();
            return free;
        }
        self.faces.push(face);
        self.states.push(FaceState::default());
        self.roots.push(Vec::new());
        u32::try_from(self.faces.len() - 1).unwrap_or(NOBODY)
    }

    /// Hears a word. Words come in order of arrival; one that steps back a little takes its place by time.
    pub fn hear(&mut self, face: u32, at: i64, token: u32) {
        let started = *self.started_at.get_or_insert(at);
        let at = at.max(started);
        let floor = self.words.back().map_or(at, |last| last.at);
        let due = self.stepped_words >= self.settings.step_words || at - self.stepped_at >= self.settings.step_ms;
        if due && self.stepped_words > 0 {
            self.step(floor);
        }
        self.stepped_words += 1;
        if self.stepped_words == 1 {
            self.stepped_at = self.stepped_at.max(at - self.settings.step_ms / 2);
        }
        // Within the window the order is that of arrival; times that step back count as the newest heard.
        let seq = self.front + self.words.len() as u64;
        self.words.push_back(Word { face, at: at.max(floor), token, case: NOBODY, is_fresh: false, explained: 0.0 });
        let state = &mut self.states[face as usize];
        state.words.push_back(seq);
        state.last_at = at.max(floor);
        if state.heard < KNOWN_BACKGROUND {
            self.rhythm.hear(self.faces[face as usize].voice(), at.max(floor));
        }
        if !state.is_dirty {
            state.is_dirty = true;
            self.dirty.push(face);
        }
    }

    /// Judges everything heard; nothing more will come.
    pub fn finish(&mut self) {
        let now = self.words.back().map_or(0, |last| last.at);
        self.steps = REVIEW_STEPS - 1;
        self.step(now);
        self.retire(i64::MAX);
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
    fn retire(&mut self, until: i64) {
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
        self.cases.retain(|case| {
            let is_over = now - case.news_at.max(case.onset) > over_ms;
            if is_over {
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
            let mut share = (likely + anyhow) * super::delay::density(case.pace, face.kind, after, hops);
            if own {
                share = share.max(case.rate(word.at));
            }
            if share > best.0 {
                best = (share, Some(case.id));
            }
        }
        best.1
    }

    /// The name of a root: a service, a node, a zone, or what many say at once; `None` for what only began together.
    pub fn root_name(&self, root: Root) -> Option<&str> {
        match root {
            Root::Service(id) => Some(self.places.services.name(id)),
            Root::Node(id) => Some(self.places.nodes.name(id)),
            Root::Zone(id) => Some(self.places.zones.name(id)),
            Root::Common(what) => Some(self.whats.name(what)),
            Root::Burst => None,
        }
    }

    /// The root of a case, live or over.
    pub fn root_of(&self, case: u32) -> Option<Root> {
        let live = self.cases.iter().find(|one| one.id == case).map(|one| one.view.root);
        live.or_else(|| self.over.get(&case).map(|(root, _)| *root))
    }

    pub(super) fn word(&self, seq: u64) -> &Word {
        &self.words[(seq - self.front) as usize]
    }

    pub(super) fn front_at(&self) -> i64 {
        self.words.back().map_or(0, |word| word.at)
    }

    /// How many faces there could be.
    pub(super) fn universe(&self) -> f64 {
        let places = &self.places;
        let count = 8 * places.services.count() + 5 * places.pods.count() + 3 * places.nodes.count();
        count.max(200) as f64
    }

    /// Background words a second of a face of this class that was not heard yet, and how long has been listened.
    pub(super) fn class_rate(&self, face: u32, at: i64) -> (f64, f64) {
        let what = self.faces[face as usize].what as usize;
        let listened = (at - self.started_at.unwrap_or(at)).max(0) as f64 / 1e3;
        let known = self.class_faces[what].max(5.0);
        let recent = self.class_recent[what].partition_point(|first| *first < at - self.settings.age_ms) as f64;
        let heard = self.class_heard[what] + recent;
        ((heard + UNHEARD_A_S * PRIOR_S * known) / ((listened + PRIOR_S) * known), listened)
    }

    /// Background words a second of the face of `word`.
    pub(super) fn background(&self, word: &Word) -> f64 {
        let state = &self.states[word.face as usize];
        let (class, listened) = self.class_rate(word.face, word.at);
        let recent = state.words.iter().map(|seq| self.word(*seq)).filter(|other| other.case == NOBODY);
        let aged = recent.take_while(|other| other.at < word.at - self.settings.age_ms).count() as f64;
        (state.heard + aged + class * PRIOR_S) / (listened + PRIOR_S)
    }
}
