//! The judge: what may never happen, held against what did. It sees requests, pictures that people had, replies, the durable
//! disk and the ledger, and shares no code with the gate.
//!
//! The eighth rule, that a language model has no way to act, is not judged here: a simulated life has no model, and neither desk an
//! input by which its words could come in, so there is nothing that could break it. It is held where the words are, by hostile lines and
//! an obedient model (`ask/assistant/tests`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::disk::{Disk, Paper, Settled};
use super::invariants::{self, Broken};
use super::systems::Systems;
use crate::engine::act::policy::ApprovedStep;
use crate::engine::clock::Timestamp;
use crate::engine::input::KillWord;
use crate::engine::model::{AuditEntry, AuditKind, Person, Purpose, RunId, StepKind, StepState};
use crate::engine::request::{Reply, Request};
use crate::engine::snapshot::Snapshot;

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub by: Person,
    pub request: Request,
    /// By the engine's clock.
    pub at: Timestamp,
    /// By the one that nothing sets.
    pub elapsed: i64,
    /// True where it was done; `None` while there is no answer.
    pub is_done: Option<bool>,
}

/// An offer as somebody saw it.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub offered_at: Timestamp,
    /// What is run, with all values.
    pub digest: Arc<str>,
}

/// What the judge looks at.
pub(super) struct View<'a> {
    pub disk: &'a Disk,
    pub systems: &'a Systems,
    pub paper: &'a Paper,
    /// Which life of the program it is.
    pub life: u64,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub asked: Vec<Asked>,
    /// By person and token.
    pub shown: BTreeMap<(Arc<str>, Arc<str>), Shown>,
    /// When an offer was first on any screen, by the clock that nothing sets.
    first_seen: BTreeMap<Arc<str>, i64>,
    /// How often an approval with this token was told to be done, and by whom.
    given: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    /// Somebody was told that the switch is on, and nobody that it is off.
    pub is_killed: bool,
    /// When the breaker was reset last.
    pub reset_at: Option<Timestamp>,
    /// Acts whose end was not seen when the program ended.
    in_doubt: Vec<(RunId, usize, Arc<str>)>,
    /// Acts whose end is unknown by what is durable, and of which nothing was said since.
    unknown: BTreeSet<(RunId, usize)>,
    /// The last entry of the log that is durable.
    last_audit: u64,
    pub broken: Vec<Broken>,
    pub counts: Counts,
}

/// What happened, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests.
    pub requests: u64,
    /// Those that were done.
    pub done: u64,
    /// Calls made.
    pub starts: u64,
    /// Acts among them that the engine began by itself.
    pub by_itself: u64,
    /// The most of those that one incident had.
    pub most_of_one: usize,
    /// The most of them within an hour.
    pub most_in_an_hour: usize,
    /// Times that the program died.
    pub crashes: u64,
    /// Writes that failed.
    pub failures: u64,
    /// Offers that were answered by two people.
    pub races: u64,
    /// Times that the kill switch was pulled.
    pub kills: u64,
    /// Acts whose end was not seen.
    pub in_doubt: u64,
    /// Looks whether such an act happened.
    pub probes: u64,
}

impl Oracle {
    fn hold(&mut self, rule: &'static str, held: Result<(), String>) {
        if let Err(text) = held {
            self.broken.push(Broken { rule, text });
        }
    }

    /// A picture is on somebody's screen.
    pub(super) fn sees(&mut self, by: &Person, picture: &Snapshot, elapsed: i64) {
        let open = picture.runs.iter().filter(|run| run.state.is_open());
        for step in open.flat_map(|run| &run.steps).filter(|step| step.state == StepState::Waiting) {
            let shown = Shown { offered_at: step.offered_at, digest: Arc::clone(&step.bound.digest) };
            self.shown.entry((Arc::clone(&by.name), Arc::clone(&step.offer))).or_insert(shown);
            self.first_seen.entry(Arc::clone(&step.offer)).or_insert(elapsed);
        }
    }

    /// Somebody asks; gives the number of the question.
    pub(super) fn asks(&mut self, by: &Person, request: &Request, at: Timestamp, elapsed: i64) -> usize {
        self.counts.requests += 1;
        self.asked.push(Asked { by: by.clone(), request: request.clone(), at, elapsed, is_done: None });
        self.asked.len() - 1
    }

    /// The engine answers.
    pub(super) fn answers(&mut self, question: usize, reply: &Reply, view: &View<'_>) {
        let is_done = matches!(reply, Reply::Done { .. });
        let Some(asked) = self.asked.get_mut(question) else { return };
        asked.is_done = Some(is_done);
        if !is_done {
            return;
        }
        let asked = asked.clone();
        self.counts.done += 1;
        let refused = view.disk.has_failed.then(|| format!("{:?} was done on a failed disk", asked.request));
        self.hold("I10", refused.map_or(Ok(()), Err));
        self.hold("roles", invariants::may_ask(&asked));
        self.hold("acknowledged", invariants::is_kept(&asked, view));
        match &asked.request {
            Request::Approve { run, step, digest, .. } => {
                self.hold("I4", self.is_shown(&asked, digest));
                let given = self.given.entry(Arc::clone(digest)).or_default();
                given.push(Arc::clone(&asked.by.name));
                let (given, wanted) = (given.clone(), invariants::people_wanted(view.disk, *run, *step));
                // Who gives a word twice has given it once; where one is enough, there is no second.
                let people: BTreeSet<&Arc<str>> = given.iter().collect();
                let is_more = if wanted == 1 { given.len() > 1 } else { people.len() > wanted };
                let text = format!("one offer of {run} step {} was taken by {given:?}, {wanted} wanted", step + 1);
                self.hold("I4", if is_more { Err(text) } else { Ok(()) });
            }
            Request::Kill { .. } => {
                self.is_killed = true;
                self.counts.kills += 1;
                self.hold("I6", invariants::all_told(view));
            }
            Request::Release { .. } => self.is_killed = false,
            Request::ResetBreaker => self.reset_at = Some(asked.at),
            _ => {}
        }
    }

    /// Whoever approved had this offer on the screen, and it was not old.
    fn is_shown(&self, asked: &Asked, token: &Arc<str>) -> Result<(), String> {
        const GOOD_FOR_MS: i64 = 600_000;
        let shown = self.shown.get(&(Arc::clone(&asked.by.name), Arc::clone(token)));
        let shown = shown.ok_or_else(|| format!("{} approved what was never on that screen", asked.by.name))?;
        let told = |age: i64| Err(format!("an offer {age} ms old was approved by {}", asked.by.name));
        let age = asked.at.since_ms(shown.offered_at);
        if age > GOOD_FOR_MS {
            return told(age);
        }
        // A clock that was set back does not keep an offer; one that is slowed until it is right may, for a little.
        let stood = asked.elapsed - self.first_seen.get(token).copied().unwrap_or(asked.elapsed);
        if stood > GOOD_FOR_MS * 6 / 5 { told(stood) } else { Ok(()) }
    }

    /// A call is about to be made. Gives who began it, where that is on disk.
    pub(super) fn starts(&mut self, step: &ApprovedStep, view: &View<'_>) -> Option<(Arc<str>, Timestamp)> {
        self.counts.starts += 1;
        self.hold("I1", invariants::is_intended(step, view));
        self.hold("I2", invariants::is_first(step, view));
        self.hold("I9", invariants::is_bound(step, view));
        let is_on = self.is_killed || matches!(view.paper.word, Some(KillWord::On { .. }));
        let text = || Err(format!("{} step {} began with the switch on", step.run(), step.step() + 1));
        self.hold("I6", if is_on { text() } else { Ok(()) });
        let failed = view.disk.has_failed.then(|| format!("{} began on a failed disk", step.run()));
        self.hold("I10", failed.map_or(Ok(()), Err));
        let run = view.disk.run(step.run())?;
        let wanted = run.steps.get(step.step())?;
        let begun = wanted.begun.last()?.clone();
        let is_act = matches!(wanted.bound.spec.kind, StepKind::Act(_));
        if step.purpose() == Purpose::Run && begun.by.as_ref() != "engine" {
            let people = wanted.bound.spec.act().map_or(1, |act| usize::from(act.approvals));
            let approved = self.is_approved(step, &begun.by, &wanted.bound.digest, people);
            self.hold("I4", approved);
        }
        if is_act && matches!(step.purpose(), Purpose::Run | Purpose::Undo) {
            self.hold("I5", invariants::is_alone(step, begun.at, view));
        }
        if is_act && step.purpose() == Purpose::Run {
            let is_unknown = self.unknown.contains(&(step.run(), step.step()));
            let text = || Err(format!("{} step {} is unknown, and began again", step.run(), step.step() + 1));
            self.hold("I3", if is_unknown { text() } else { Ok(()) });
            self.hold("I11", invariants::is_proved(run, step.step(), begun.at, view));
        }
        if is_act && begun.by.as_ref() == "engine" && step.purpose() == Purpose::Run {
            self.counts.by_itself += 1;
            if let Some(incident) = run.incident() {
                let (here, lately) = invariants::by_itself(incident, begun.at, view);
                self.counts.most_of_one = self.counts.most_of_one.max(here);
                self.counts.most_in_an_hour = self.counts.most_in_an_hour.max(lately);
            }
            self.hold("I5", invariants::is_within_budget(run, step.step(), begun.at, view));
            self.hold("I7", invariants::is_breaker_closed(run, begun.at, self.reset_at, view));
        }
        Some((begun.by, begun.at))
    }

    /// The person who began it had approved it, as it is.
    fn is_approved(&self, step: &ApprovedStep, by: &Arc<str>, digest: &Arc<str>, wanted: usize) -> Result<(), String> {
        let at = (step.run(), step.step());
        let own = self.asked.iter().rev().find_map(|asked| match &asked.request {
            Request::Approve { run, step, digest: token, .. } => {
                let shown = || self.shown.get(&(Arc::clone(&asked.by.name), Arc::clone(token)));
                let is_it = (*run, *step) == at
                    && asked.by.name == *by
                    && asked.is_done != Some(false)
                    && shown().is_some_and(|shown| shown.digest == *digest);
                is_it.then_some(token)
            }
            _ => None,
        });
        let Some(token) = own else { return Err(format!("{} step {}: {by} had not approved it", at.0, at.1 + 1)) };
        let people: BTreeSet<&Arc<str>> = self.given.get(token).into_iter().flatten().chain([by]).collect();
        if people.len() >= wanted {
            return Ok(());
        }
        Err(format!("{} step {} wants {wanted} people, and {people:?} approved it", at.0, at.1 + 1))
    }

    /// Something became durable.
    pub(super) fn settles(&mut self, settled: &Settled, systems: &Systems, disk: &Disk) {
        let rewritten = if settled.is_rewritten { Err("an entry of the log was replaced".to_owned()) } else { Ok(()) };
        self.hold("audit", rewritten);
        for entry in &settled.audit {
            let after = self.last_audit + 1;
            let gap = format!("entry {} of the log came after {}", entry.sequence, self.last_audit);
            self.hold("audit", if entry.sequence == after { Ok(()) } else { Err(gap) });
            self.last_audit = entry.sequence;
            if entry.kind == AuditKind::Outcome {
                self.hold("I3", invariants::is_honest(entry, disk, systems));
                if let Some(act) = invariants::settled(entry) {
                    self.unknown.remove(&act);
                }
            }
        }
        for run in disk.runs() {
            for (index, step) in run.steps.iter().enumerate() {
                match invariants::is_unknown_now(&step.state) {
                    Some(true) => {
                        self.unknown.insert((run.id, index));
                    }
                    Some(false) => {
                        self.unknown.remove(&(run.id, index));
                    }
                    None => {}
                }
            }
        }
    }

    /// The program ended, however: acts that run by what is durable are in doubt from here on.
    pub(super) fn ends(&mut self, disk: &Disk) {
        self.in_doubt = invariants::running_acts(disk);
        self.counts.in_doubt += self.in_doubt.len() as u64;
        // Whoever asked for the switch to be taken off, and was not answered any more, is obeyed where that was kept.
        let unanswered = |by: &Arc<str>| {
            let is_it = |asked: &Asked| asked.is_done.is_none() && matches!(asked.request, Request::Release { .. });
            self.asked.iter().any(|asked| is_it(asked) && asked.by.name == *by)
        };
        let of_switch = |entry: &&AuditEntry| entry.text.contains("the kill switch");
        let last = disk.audit().filter(|entry| entry.kind == AuditKind::Operator).find(of_switch);
        self.is_killed &= !last.is_some_and(|entry| entry.text.starts_with("took ") && unanswered(&entry.by));
    }

    /// The program has begun anew, and all that this led to is done.
    pub(super) fn begins(&mut self, picture: &Snapshot, view: &View<'_>) {
        let forgotten = self.is_killed && picture.kill.is_none();
        let text = || Err("the kill switch was forgotten by a start".to_owned());
        self.hold("I6", if forgotten { text() } else { Ok(()) });
        for (run, step, id) in std::mem::take(&mut self.in_doubt) {
            // Where the disk failed meanwhile, people are told so all the same, and the next start begins by what is on disk.
            let shown = || picture.runs.iter().find(|it| it.id == run).map(|it| &**it);
            let found = if view.disk.has_failed { shown() } else { view.disk.run(run) };
            self.hold("I3", invariants::is_in_doubt(run, step, &id, found));
        }
    }

    /// The kill file says something else from outside.
    pub(super) fn hears(&mut self, word: &KillWord) {
        if matches!(word, KillWord::Off { .. }) {
            self.is_killed = false;
        }
    }
}
