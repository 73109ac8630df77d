//! What the rules say of each request, told by what was done before and by nothing that the engine thinks: it shares no code with the
//! gate, the walk or the wheel.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::input::StepProgress;
use crate::engine::model::{Person, Role};

/// An offer is good for so long.
const GOOD_FOR_MS: i64 = 10 * MINUTE_MS;
/// Acts of one run.
const ACTS_MAX: usize = 8;

/// What somebody asks for, of the step that is on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Approve { is_typed: bool },
    Skip,
    Retry,
    Stop,
    TakeWheel,
    Kill,
    Release,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its turn has not come.
    Pending,
    Offered,
    Running,
    Succeeded,
    Passed,
    /// A check that saw something else, or could not look: the run waits for somebody.
    Paused,
    /// The run ended with it; another attempt may be made.
    Failed,
}

/// What the page says of a step, as it was written for the races.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub is_act: bool,
    /// People who must approve it.
    pub people: usize,
}

/// Who asks, for what, and what it rests on.
pub(super) struct Asked<'a> {
    pub by: &'a Person,
    pub wish: Wish,
    /// The step on the screen.
    pub step: usize,
    /// What it rests on is as it was on the screen: the offer for an approval, the run for the rest.
    pub is_fresh: bool,
    pub now: Timestamp,
}

/// A run, and what may be done with it.
#[derive(Debug)]
pub(super) struct Table {
    pub steps: Vec<Stage>,
    kinds: Vec<Kind>,
    /// Who did what with a step last.
    pub did: Vec<Option<(Arc<str>, &'static str)>>,
    /// How often the target of a step was acted on, in whichever run.
    acted_on: BTreeMap<usize, u64>,
    /// Who has approved the offer that stands.
    given: BTreeSet<Arc<str>>,
    offered_at: Timestamp,
    /// Acts that were begun in this run.
    acts: usize,
    pub is_stopped: bool,
    pub is_killed: bool,
    /// True where the switch is not as it was when the offer was made.
    has_turned: bool,
    pub driver: Arc<str>,
    /// Who is attached and may act; empty where nobody is.
    pub there: BTreeSet<Arc<str>>,
    /// Calls that were approved and not handed on yet.
    pub intents: u64,
    /// Calls that must have been made.
    pub calls: u64,
}

impl Table {
    pub(super) fn new(kinds: Vec<Kind>, there: BTreeSet<Arc<str>>) -> Self {
        Self {
            steps: Vec::new(),
            did: Vec::new(),
            kinds,
            acted_on: BTreeMap::new(),
            given: BTreeSet::new(),
            offered_at: Timestamp(0),
            acts: 0,
            is_stopped: true,
            is_killed: false,
            has_turned: false,
            driver: "".into(),
            there,
            intents: 0,
            calls: 0,
        }
    }

    /// Somebody began a run.
    pub(super) fn begins(&mut self, by: &Arc<str>, now: Timestamp) {
        self.steps = vec![Stage::Pending; self.kinds.len()];
        self.did = vec![None; self.kinds.len()];
        (self.acts, self.is_stopped, self.driver) = (0, false, Arc::clone(by));
        self.offer(now);
    }

    /// The step whose turn it is; `None` once all are done.
    pub(super) fn at(&self) -> Option<usize> {
        self.steps.iter().position(|stage| !matches!(stage, Stage::Succeeded | Stage::Passed))
    }

    pub(super) fn stage(&self) -> Option<Stage> {
        self.steps.get(self.at()?).copied()
    }

    /// True while somebody may go on with it, and be it only to its end: what comes after these steps is not raced about.
    pub(super) fn is_open(&self) -> bool {
        !self.is_stopped && self.stage() != Some(Stage::Failed)
    }

    pub(super) fn kind(&self, step: usize) -> Kind {
        self.kinds.get(step).copied().unwrap_or(Kind { is_act: false, people: 1 })
    }

    /// True where an approval takes the target's name.
    pub(super) fn needs_target(&self, step: usize) -> bool {
        self.acted_on.get(&step).is_some_and(|times| *times > 0)
    }

    /// THE TABLE: whether it is done.
    pub(super) fn allows(&self, asked: &Asked<'_>) -> bool {
        let Asked { by, wish, step, is_fresh, now } = *asked;
        let stage = self.steps.get(step).copied().unwrap_or(Stage::Pending);
        let role = match wish {
            Wish::Kill => Role::Viewer,
            Wish::Release => Role::Commander,
            _ => Role::Responder,
        };
        let is_next = self.at() == Some(step) && is_fresh && !self.is_stopped;
        let is_driven = self.driver != by.name && self.there.contains(&self.driver);
        by.role >= role
            && match (wish, stage) {
                (Wish::Kill, _) => true,
                (Wish::Release, _) => self.is_killed,
                (Wish::TakeWheel, _) => {
                    self.is_open() && self.driver != by.name && (!is_driven || by.role >= Role::Commander)
                }
                (Wish::Stop, _) => self.is_open() && (!is_driven || by.role >= Role::Commander),
                (Wish::Approve { is_typed }, Stage::Offered) => {
                    let is_second = self.kind(step).people > 1 && self.given.iter().any(|name| *name != by.name);
                    is_next
                        && (!is_driven || is_second)
                        && !self.is_killed
                        && !self.is_old(now)
                        && (is_typed || !self.needs_target(step))
                        && (!self.kind(step).is_act || self.acts < ACTS_MAX)
                }
                (Wish::Skip, Stage::Offered | Stage::Paused) => is_next && !is_driven,
                (Wish::Retry, Stage::Paused | Stage::Failed) => is_next && !is_driven,
                _ => false,
            }
    }

    /// What a refusal must say, where that is known: who was first, or what stands in the way.
    pub(super) fn says(&self, asked: &Asked<'_>) -> Option<String> {
        let Asked { by, wish, step, is_fresh, now } = *asked;
        if by.role < Role::Responder {
            return Some(format!("yours is {}", by.role));
        }
        let stage = self.steps.get(step)?;
        match (wish, stage) {
            (Wish::Approve { .. } | Wish::Skip | Wish::Retry, Stage::Running | Stage::Succeeded | Stage::Passed)
                if !self.is_stopped =>
            {
                let (who, did) = self.did.get(step)?.as_ref()?;
                Some(format!("({} {did} ", if *who == by.name { "you" } else { who }))
            }
            (Wish::Approve { .. }, Stage::Offered)
                if is_fresh && self.is_killed && !self.is_stopped && !self.is_old(now) =>
            {
                let is_driven = self.driver != by.name && self.there.contains(&self.driver);
                (!is_driven).then(|| "kill switch".to_owned())
            }
            _ => None,
        }
    }

    /// It was done.
    pub(super) fn does(&mut self, asked: &Asked<'_>) {
        let (by, step) = (&asked.by.name, asked.step);
        match asked.wish {
            Wish::Kill => (self.has_turned, self.is_killed) = (self.has_turned || !self.is_killed, true),
            Wish::Release => (self.has_turned, self.is_killed) = (true, false),
            Wish::TakeWheel => self.driver = Arc::clone(by),
            Wish::Stop => {
                // A commander ends it without driving.
                let is_free = asked.by.role >= Role::Commander;
                self.driver = if is_free { Arc::clone(&self.driver) } else { Arc::clone(by) };
                self.is_stopped = true;
            }
            Wish::Skip => {
                self.driver = Arc::clone(by);
                self.set(step, Stage::Passed, Some((by, "passed this over at")));
                self.offer(asked.now);
            }
            Wish::Retry => {
                self.driver = Arc::clone(by);
                self.set(step, Stage::Pending, None);
                self.offer(asked.now);
            }
            Wish::Approve { .. } => {
                let is_second = self.kind(step).people > 1 && self.given.iter().any(|name| name != by);
                if !is_second {
                    self.driver = Arc::clone(by);
                }
                self.given.insert(Arc::clone(by));
                if self.given.len() >= self.kind(step).people {
                    self.set(step, Stage::Running, Some((by, "approved this at")));
                    self.intents += 1;
                    if self.kind(step).is_act {
                        self.acts += 1;
                        *self.acted_on.entry(step).or_default() += 1;
                    }
                }
            }
        }
    }

    fn set(&mut self, step: usize, stage: Stage, did: Option<(&Arc<str>, &'static str)>) {
        if let (Some(is), Some(was)) = (self.steps.get_mut(step), self.did.get_mut(step)) {
            (*is, *was) = (stage, did.map(|(by, what)| (Arc::clone(by), what)));
        }
    }

    /// What comes next is offered.
    fn offer(&mut self, now: Timestamp) {
        if let Some(step) = self.at() {
            self.set(step, Stage::Offered, None);
        }
        self.stands_anew(now);
    }

    /// What was offered is over, whatever else is so.
    fn is_old(&self, now: Timestamp) -> bool {
        now.since_ms(self.offered_at) > GOOD_FOR_MS
    }

    fn stands_anew(&mut self, now: Timestamp) {
        self.given.clear();
        (self.offered_at, self.has_turned) = (now, false);
    }

    /// The jobs desk has done all that waited for it: what was approved has begun, unless the switch is on.
    pub(super) fn works(&mut self) {
        let intents = std::mem::take(&mut self.intents);
        self.calls += if self.is_killed { 0 } else { intents };
    }

    /// A call told how it ended.
    pub(super) fn ends(&mut self, progress: &StepProgress, now: Timestamp) {
        let Some(step) = self.at().filter(|step| self.steps.get(*step) == Some(&Stage::Running)) else { return };
        let is_act = self.kind(step).is_act;
        let stage = match progress {
            StepProgress::Exited { code: Some(0), .. } => Stage::Succeeded,
            StepProgress::NotStarted { .. } if is_act => {
                // Nothing was done.
                self.acts = self.acts.saturating_sub(1);
                self.acted_on.entry(step).and_modify(|times| *times = times.saturating_sub(1));
                Stage::Failed
            }
            StepProgress::Exited { .. } | StepProgress::NotStarted { .. } if !is_act => Stage::Paused,
            _ => Stage::Failed,
        };
        if let Some(is) = self.steps.get_mut(step) {
            *is = stage;
        }
        if stage == Stage::Succeeded && !self.is_stopped {
            self.offer(now);
        }
    }

    /// After a tick there is another offer of the step than before; only what has turned or grown old is offered anew.
    pub(super) fn offered_anew(&mut self, now: Timestamp) -> Result<(), String> {
        let is_due = self.stage() == Some(Stage::Offered) && (self.is_old(now) || self.has_turned);
        if is_due {
            self.stands_anew(now);
            return Ok(());
        }
        Err("an offer was made anew, though nothing about it had changed".to_owned())
    }
}
