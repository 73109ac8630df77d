//! One suspected incident: where it came from, when, how quickly its complaints follow, and who has joined it.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::delay::Pace;
use super::face::{Face, Kind};
use super::places::{FAR, Places, Root};

/// How likely a complaint of each kind is, given that the failure reaches its place.
const SYMPTOM: f64 = 0.5;
const STRAIN: f64 = 0.3;
/// Something breaking of itself in a place that only suffers.
const CAUSE: f64 = 0.005;
/// Anything at the root.
const AT_ROOT: f64 = 0.5;
/// A service that the root calls.
const BELOW_ROOT: f64 = 0.01;
/// A root that complains about a service that does not suffer from it.
const COMPLAINS_OF_OTHER: f64 = 0.03;
/// Services of which only some instances fail.
const IN_PART: f64 = 0.6;
/// Rules for a service, and for one of its pods: what could have spoken.
const RULES_OF_SERVICE: f64 = 6.0;
const RULES_OF_POD: f64 = 4.0;
/// No complaint is certain.
pub const CERTAIN: f64 = 0.9;
/// What is repeated longer than this after the last news of a case says nothing about it any more.
pub const LINGERS_MS: i64 = 1_200_000;
/// Seconds to a bin of the repeats.
pub const BIN_MS: i64 = 10_000;
/// Seconds over which repeats are smoothed.
const SMOOTH_S: f64 = 120.0;
/// A member's repeats, a second, before any are heard; and when they cease to be expected, for either pace.
const REPEATS_A_S: f64 = 0.5 / 1_200.0;
const SILENT_S: [f64; 2] = [60.0, 480.0];
const FADES_S: [f64; 2] = [30.0, 240.0];

/// A root as seen from every place.
#[derive(Debug, Clone)]
pub struct View {
    pub(crate) root: Root,
    hops: Arc<[u8]>,
    /// How many complaints are to be expected if it is as bad as can be.
    pub(crate) expected: f64,
    /// What speaks for it beforehand, as a logarithm: a change, or against it.
    pub(crate) bonus: f64,
}

fn by_kind(kind: Kind) -> f64 {
    match kind {
        Kind::Cause => CAUSE,
        Kind::Strain => STRAIN,
        Kind::Symptom => SYMPTOM,
    }
}

/// The share of callers so many calls away that notice.
fn per_hop(hops: u8) -> f64 {
    const TABLE: [f64; 8] = [1.0, 0.95, 0.9025, 0.857_375, 0.814_506, 0.773_781, 0.735_092, 0.698_337];
    TABLE[usize::from(hops).min(TABLE.len() - 1)]
}

impl View {
    /// The view from a root that is a place.
    pub fn new(places: &Places, root: Root, bonus: f64) -> Self {
        Self::reaching(places, root, &places.seeds(root), bonus)
    }

    /// The view from services that all say `what`, of which there are `instances` that could; `None` for fewer than three.
    pub fn common(places: &Places, what: u32, seeds: &[u32], instances: f64) -> Option<Self> {
        if seeds.len() < 3 {
            return None;
        }
        // Which of all services these are has to be told.
        let (all, some) = (places.callers.len() as f64, seeds.len() as f64);
        let choice: f64 = (1..=seeds.len()).map(|nth| ((all - some + nth as f64) / nth as f64).ln()).sum();
        let mut view = Self::reaching(places, Root::Common(what), seeds, -choice);
        view.expected += CERTAIN * instances;
        Some(view)
    }

    fn reaching(places: &Places, root: Root, seeds: &[u32], bonus: f64) -> Self {
        let hops = places.hops(seeds);
        let pods = |service: usize| places.pods_of[service].len() as f64;
        let share = |service: usize| SYMPTOM * RULES_OF_SERVICE + STRAIN * RULES_OF_POD * pods(service);
        let reached = hops.iter().enumerate().filter(|(_, hops)| **hops != FAR);
        let mut expected: f64 = reached.map(|(service, hops)| share(service) * per_hop(*hops)).sum();
        match root {
            Root::Service(service) => expected += 3.0 + pods(service as usize),
            Root::Node(_) | Root::Zone(_) => {
                let nodes = places.nodes_of(root);
                let on_nodes: f64 =
                    nodes.iter().map(|node| 1.0 + 2.0 * places.pods_on[*node as usize].len() as f64).sum();
                expected = IN_PART * expected + on_nodes;
            }
            Root::Common(_) => {}
            Root::Burst => expected = 10.0,
        }
        Self { root, hops: hops.into(), expected, bonus }
    }

    /// True where `face` says that something broke right at the root.
    pub fn is_shown_by(&self, places: &Places, face: &Face) -> bool {
        face.kind == Kind::Cause
            && match self.root {
                Root::Service(root) => face.service == Some(root),
                Root::Node(root) => face.node == Some(root),
                Root::Zone(root) => face.node.is_some_and(|node| places.node_zone[node as usize] == Some(root)),
                Root::Common(what) => face.what == what,
                Root::Burst => true,
            }
    }

    /// How likely an incident as bad as can be from this root raises `face`, and how many calls away from the root.
    pub fn reach(&self, places: &Places, face: &Face) -> (f64, u8) {
        let hops_of = |service: u32| self.hops.get(service as usize).copied().unwrap_or(FAR);
        let suffers = |service: u32| match hops_of(service) {
            FAR => (0.0, 3),
            hops => {
                let about_other = face.peer.is_some_and(|peer| hops_of(peer) == FAR);
                let share = per_hop(hops) * by_kind(face.kind);
                (if about_other { 0.05 * share } else { share }, hops)
            }
        };
        match self.root {
            Root::Burst => (0.0, 0),
            Root::Service(root) => match face.service {
                Some(service) if service == root => {
                    let about_other = face.peer.is_some_and(|peer| hops_of(peer) == FAR);
                    (if about_other { COMPLAINS_OF_OTHER } else { AT_ROOT }, 0)
                }
                Some(service) => match suffers(service) {
                    (share, hops) if share > 0.0 => (if face.peer == Some(root) { AT_ROOT } else { share }, hops),
                    _ if places.callees[root as usize].contains(&service) => (BELOW_ROOT, 0),
                    none => none,
                },
                None => (0.0, 0),
            },
            Root::Node(_) | Root::Zone(_) => {
                let is_on = face.node.is_some_and(|node| match self.root {
                    Root::Node(root) => node == root,
                    _ => places.node_zone[node as usize].is_some_and(|zone| Root::Zone(zone) == self.root),
                });
                match face.service {
                    service if is_on => (if service.is_none() { 0.8 } else { AT_ROOT }, 0),
                    Some(service) => {
                        let (share, hops) = suffers(service);
                        (IN_PART * share, hops)
                    }
                    None => (0.0, 0),
                }
            }
            Root::Common(what) if face.what == what => (CERTAIN, 0),
            Root::Common(_) => face.service.map_or((0.0, 0), suffers),
        }
    }
}

/// How many first complaints came from each place.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    services: FxHashMap<u32, f64>,
    pods: FxHashMap<u32, f64>,
    nodes: FxHashMap<u32, f64>,
}

impl Counts {
    fn take(&mut self, face: &Face) {
        for (place, counts) in
            [(face.service, &mut self.services), (face.pod, &mut self.pods), (face.node, &mut self.nodes)]
        {
            if let Some(place) = place {
                *counts.entry(place).or_default() += 1.0;
            }
        }
    }

    /// From 0 to 2.5: how much of what is known came from the places of `face`, without itself where it is `own`.
    fn affinity(&self, face: &Face, own: bool) -> f64 {
        let less = if own { 1.0 } else { 0.0 };
        let share = |counts: &FxHashMap<u32, f64>, place: Option<u32>| {
            let count = place.and_then(|place| counts.get(&place)).map_or(0.0, |count| (count - less).max(0.0));
            count / (count + 3.0)
        };
        share(&self.services, face.service) + share(&self.pods, face.pod) + 0.5 * share(&self.nodes, face.node)
    }
}

/// One suspected incident.
#[derive(Debug, Clone)]
pub struct Case {
    pub(crate) id: u32,
    pub(crate) view: View,
    pub(crate) pace: Pace,
    /// When it began, milliseconds.
    pub(crate) onset: i64,
    /// When it was first thought to have begun.
    pub(crate) began: i64,
    /// When it was last heard of.
    pub(crate) last_at: i64,
    /// When something new was last heard.
    pub(crate) news_at: i64,
    pub(crate) born: Root,
    /// The members it was last learned from: how many, and the sum of their times.
    pub(super) learned: (usize, i64),
    /// First complaints: face and time, in order; the settled ones first.
    pub(crate) fresh: Vec<(u32, i64)>,
    /// How many of `fresh` have left the window.
    pub(crate) settled: usize,
    pub(crate) counts: Counts,
    /// When the bins begin; members' repeats a second in each; repeats from each on.
    from: i64,
    repeats: Vec<f64>,
    ahead: Vec<f64>,
    /// Cleared before each rebuilding.
    bins: Vec<f64>,
}

impl Case {
    /// A case of nothing yet.
    pub fn new(id: u32, view: View, pace: Pace, onset: i64) -> Self {
        Self {
            id,
            born: view.root,
            learned: (0, 0),
            view,
            pace,
            onset,
            began: onset,
            last_at: onset,
            news_at: onset,
            fresh: Vec::new(),
            settled: 0,
            counts: Counts::default(),
            from: onset,
            repeats: Vec::new(),
            ahead: Vec::new(),
            bins: Vec::new(),
        }
    }

    /// Begins to count anew what is in the window.
    pub fn begin_count(&mut self, from: i64, bins: usize) {
        self.fresh.truncate(self.settled);
        self.from = from;
        self.bins.clear();
        self.bins.resize(bins, 0.0);
    }

    /// Counts one complaint of the window.
    pub fn count(&mut self, face: u32, at: i64, is_fresh: bool) {
        self.last_at = self.last_at.max(at);
        if is_fresh {
            self.news_at = self.news_at.max(at);
            self.fresh.push((face, at));
        } else {
            let bin = usize::try_from((at - self.from) / BIN_MS).unwrap_or(0);
            if let Some(bin) = self.bins.get_mut(bin) {
                *bin += 1.0;
            }
        }
    }

    /// Derives rates from what was counted.
    pub fn end_count(&mut self, faces: &[Face]) {
        self.counts = Counts::default();
        if self.view.root == Root::Burst {
            for (face, _) in &self.fresh {
                self.counts.take(&faces[*face as usize]);
            }
        }
        let members = self.members().max(1.0);
        smooth(&self.bins, SMOOTH_S, &mut self.repeats);
        let mut sum = 0.0;
        self.ahead.clear();
        self.ahead.extend(self.repeats.iter().rev().map(|rate| {
            sum += rate * BIN_MS as f64 / 1e3 / members;
            sum
        }));
        self.ahead.reverse();
        self.repeats.iter_mut().for_each(|rate| *rate /= members);
    }

    /// How many have joined.
    pub fn members(&self) -> f64 {
        self.fresh.len() as f64
    }

    /// How likely it raises `face`, and from how far; `own` where the face has joined already.
    pub fn reach(&self, places: &Places, face: &Face, own: bool, universe: f64) -> (f64, u8) {
        let others = (self.members() - if own { 1.0 } else { 0.0 }).max(1.0);
        if self.view.root == Root::Burst {
            let affinity = self.counts.affinity(face, own);
            return ((others / universe * (1.0 + 3.0 * affinity)).min(CERTAIN), 0);
        }
        let (share, hops) = self.view.reach(places, face);
        ((others / self.view.expected * share).min(CERTAIN), hops)
    }

    fn bin(&self, at: i64) -> usize {
        usize::try_from((at - self.from) / BIN_MS).unwrap_or(0)
    }

    /// Repeats a second of one member at `at`.
    pub fn rate(&self, at: i64) -> f64 {
        if at - self.news_at > LINGERS_MS {
            return 0.0;
        }
        let heard = self.repeats.get(self.bin(at)).copied().unwrap_or(0.0);
        let silent = ((at - self.last_at).max(0) as f64 / 1e3 - SILENT_S[self.pace as usize]).max(0.0);
        heard + REPEATS_A_S * (-silent / FADES_S[self.pace as usize]).exp()
    }

    /// Repeats of one member from `at` until now.
    pub fn expected_repeats(&self, at: i64) -> f64 {
        self.ahead.get(self.bin(at)).copied().unwrap_or(0.0)
    }
}

/// Two-sided exponential smoothing; a sum a bin in, a rate a second out.
fn smooth(bins: &[f64], scale_s: f64, out: &mut Vec<f64>) {
    let width = BIN_MS as f64 / 1e3;
    let keep = (-width / scale_s).exp();
    let norm = (1.0 - keep) / (1.0 + keep) / width;
    out.clear();
    let mut sum = 0.0;
    out.extend(bins.iter().map(|count| {
        sum = sum * keep + count;
        sum * norm
    }));
    sum = 0.0;
    for (rate, count) in out.iter_mut().zip(bins).rev() {
        *rate += sum * keep * norm;
        sum = sum * keep + count;
    }
}
