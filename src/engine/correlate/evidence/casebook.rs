//! The casebook: what was heard lately, what is suspected, and what is background; brought up to date step by step.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::case::{Case, View};
use super::face::Face;
use super::hand::Hand;
use super::lags::Lags;
use super::places::{Names, Places, Root};
use super::rhythm::Rhythm;
use super::settings::Settings;
use super::settle::PRIOR_S;

/// No case.
pub const NOBODY: u32 = u32::MAX;
/// Background words a second of a face that was never heard, before anything is known: one in fourteen hours.
const UNHEARD_A_S: f64 = 2e-5;

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
    pub(super) views_of: u64,
    /// Dissolved cases are not tried again at once.
    pub(super) refused: Vec<(Root, i64)>,
    started_at: Option<i64>,
    pub(super) stepped_at: i64,
    pub(super) stepped_words: usize,
    /// First background words of faces by what they say: those that left the window, and the faces known.
    pub(super) class_heard: Vec<f64>,
    pub(super) class_recent: Vec<Vec<i64>>,
    pub(super) class_faces: Vec<f64>,
    pub(crate) verdicts: Vec<Verdict>,
    pub(super) dirty: Vec<u32>,
    /// Words before this have been weighed for new cases.
    pub(super) weighed: u64,
    pub(super) steps: u64,
    /// Numbers of faces that were forgotten.
    pub(super) free: Vec<u32>,
    pub(super) rhythm: Rhythm,
    pub(super) lags: Lags,
    pub(super) hand: Hand,
    /// True while what is heard comes in bursts.
    pub(super) is_prompt: bool,
}

impl Casebook {
    /// Makes a face known; its number.
    pub fn face(&mut self, face: Face) -> u32 {
        let face = self.places.told_apart(face);
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

    /// How often something was named that is not told apart any more, for so many names are known.
    pub fn over_count(&self) -> u64 {
        self.places.over_count() + self.whats.over_count()
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
        self.step_and_review(now);
        self.retire(i64::MAX);
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
        let known = self.class_faces[what].max(self.places_like(&self.faces[face as usize])).max(5.0);
        let recent = self.class_recent[what].partition_point(|first| *first < at - self.settings.age_ms) as f64;
        let heard = self.class_heard[what] + recent;
        ((heard + UNHEARD_A_S * PRIOR_S * known) / ((listened + PRIOR_S) * known), listened)
    }

    /// How many places there are of the kind that `face` names: what could say the same.
    fn places_like(&self, face: &Face) -> f64 {
        let names = match face {
            Face { pod: Some(_), .. } => &self.places.pods,
            Face { service: Some(_), .. } => &self.places.services,
            _ => &self.places.nodes,
        };
        names.count() as f64
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
