//! Races: two to four people answer the same offer, from pictures some of which are older, while calls end, time passes and somebody
//! stops the run or pulls the kill switch. All of it is drawn from a seed; what must come of each request a table says (`table`).

mod desks;
mod outcome;
mod table;

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::Rng;
use rand_pcg::Pcg64;

use super::faults::draws;
use super::invariants::Broken;
use super::operators::Operator;
use super::world;
use crate::engine::clock::MINUTE_MS;
use crate::engine::input::Input;
use crate::engine::model::{Attendee, IncidentId, Person, Role, Run, RunState, StepState};
use crate::engine::pipeline::EngineError;
use crate::engine::request::{Reply, Request};
use crate::engine::snapshot::Snapshot;
use desks::{Desks, Told, told};
pub use outcome::Raced;
use table::{Asked, Kind, Stage, Table, Wish};

/// The incident that is raced about; its cause is what the page is for.
const INCIDENT: IncidentId = IncidentId(3);
/// Steps of the page that are raced about; what comes after them looks whether they helped.
const STEPS: usize = 12;
/// Races of one life of the program; what is known grows with each.
const RACES_A_LIFE: u64 = 100;
/// Longer than an offer is good for.
const TOO_LONG_MS: i64 = 11 * MINUTE_MS;
/// What follows a race is settled within this many rounds.
const ROUNDS_MAX: u32 = 24;
/// The first two are always there: somebody must be able to release what was stopped.
const PEOPLE: [(&str, Role); 4] =
    [("ana", Role::Admin), ("bo", Role::Responder), ("cleo", Role::Commander), ("dai", Role::Responder)];

/// Runs so many of them, drawn from `seed`.
///
/// # Errors
/// When the engine refuses its settings.
pub fn races(count: u64, seed: u64) -> Result<Raced, EngineError> {
    let mut raced = Raced { seed, ..Raced::default() };
    let mut draws = draws(seed, "races");
    while raced.races < count && raced.broken.is_none() {
        let mut life = Life::new(&mut draws, &mut raced)?;
        for _ in 0..RACES_A_LIFE.min(count - life.raced.races) {
            if let Err(text) = life.race() {
                let race = life.raced.races;
                life.raced.broken = Some(Broken { rule: "I4", text: format!("race {race}: {text}") });
                break;
            }
            life.raced.races += 1;
        }
        let (calls, most) = life.desks.calls();
        raced.calls += calls;
        if most > 1 && raced.broken.is_none() {
            raced.broken = Some(Broken { rule: "I2", text: format!("an attempt was begun {most} times") });
        }
    }
    Ok(raced)
}

/// A request that waits for its answer, and what that must be.
struct Open {
    told: Told,
    is_allowed: bool,
    /// What a refusal must say.
    says: Option<String>,
    what: String,
}

/// One life of the program, and the people before it.
struct Life<'r> {
    desks: Desks,
    people: Vec<Operator>,
    table: Table,
    open: Vec<Open>,
    /// Who wanted the step of this race to be done.
    wanting: BTreeSet<Arc<str>>,
    draws: &'r mut Pcg64,
    raced: &'r mut Raced,
}

impl<'r> Life<'r> {
    fn new(draws: &'r mut Pcg64, raced: &'r mut Raced) -> Result<Self, EngineError> {
        let mut desks = Desks::new(INCIDENT.0, STEPS)?;
        let count = draws.random_range(2..=PEOPLE.len());
        let mut people = Vec::new();
        for (name, role) in PEOPLE.iter().take(count) {
            let role = if *name == "dai" && draws.random_bool(0.5) { Role::Viewer } else { *role };
            let person = Person { name: Arc::from(*name), role };
            people.push(Operator { person, picture: Arc::new(Snapshot::empty()), pace: 1.0 });
        }
        // In every other life people are attached, so that one of them drives.
        let is_attended = draws.random_bool(0.5);
        let may_act =
            people.iter().filter(|it| it.person.role >= Role::Responder).map(|it| Arc::clone(&it.person.name));
        let there = if is_attended { may_act.collect() } else { BTreeSet::new() };
        if is_attended {
            let seated = people.iter().zip(1..).map(|(it, seat)| Attendee {
                seat,
                person: it.person.clone(),
                incident: Some(INCIDENT),
                pane: "runbook".into(),
            });
            desks.engine.take(Input::Present(seated.collect()));
        }
        let kinds = (0..STEPS).map(world::contested_kind).map(|(is_act, people)| Kind { is_act, people });
        let table = Table::new(kinds.collect(), there);
        Ok(Self { desks, people, table, open: Vec::new(), wanting: BTreeSet::new(), draws, raced })
    }

    /// The run that is newest, as everybody could see it.
    fn newest(&mut self) -> Option<Arc<Run>> {
        newest_of(&self.desks.engine.snapshot()).cloned()
    }

    fn looks(&mut self, index: usize) -> Result<(), String> {
        let newest = self.desks.engine.snapshot();
        self.people.get_mut(index).map_or(Ok(()), |person| person.look(&newest))
    }

    /// One offer, and whatever comes of it.
    fn race(&mut self) -> Result<(), String> {
        if !self.table.is_open() || self.table.stage().is_none() {
            self.begins()?;
        }
        self.wanting.clear();
        let before = (self.table.at(), self.raced.done);
        for index in 0..self.people.len() {
            if self.draws.random_bool(0.8) {
                self.looks(index)?;
            }
        }
        for _ in 0..self.draws.random_range(3..=8) {
            match self.draws.random_range(0..100) {
                0..62 => self.somebody_asks()?,
                62..76 => self.works()?,
                76..84 => self.call_ends(),
                84..91 => self.ticks()?,
                91..98 => {
                    let index = self.draws.random_range(0..self.people.len());
                    self.looks(index)?;
                }
                _ => self.waits(),
            }
        }
        self.raced.contested += u64::from(self.wanting.len() > 1);
        self.settles(before.0)
    }

    /// Whoever may begins a run of the page, once the one before is over.
    fn begins(&mut self) -> Result<(), String> {
        if self.table.is_open()
            && let Some(run) = self.newest()
        {
            let stopped = self.desks.ask(&self.people[0].person, Request::StopRun { run: run.id, escalate: None });
            self.desks.work();
            let Some(Reply::Done { .. }) = told(&stopped) else { return Err(format!("{:?}", told(&stopped))) };
        }
        let able = (0..self.people.len()).filter(|index| self.people[*index].person.role >= Role::Responder);
        let able: Vec<usize> = able.collect();
        let index = able[self.draws.random_range(0..able.len())];
        self.looks(index)?;
        let Operator { person, picture, .. } = &self.people[index];
        let proposals = picture.proposals.get(&INCIDENT).into_iter().flatten();
        let proposal = proposals.into_iter().find(|proposal| proposal.runbook.id.as_ref() == "contested");
        let digest = proposal.ok_or_else(|| "the page is not proposed".to_owned())?.shown();
        let request = Request::StartRun { incident: INCIDENT, runbook: "contested".into(), digest };
        let reply = self.desks.ask(person, request);
        self.desks.work();
        let Some(Reply::Done { .. }) = told(&reply) else {
            return Err(format!("no run was begun: {:?}", told(&reply)));
        };
        self.table.begins(&self.people[index].person.name, self.desks.engine.now());
        Ok(())
    }

    fn somebody_asks(&mut self) -> Result<(), String> {
        let index = self.draws.random_range(0..self.people.len());
        let typed = self.draws.random_range(0..10);
        let wish = match self.draws.random_range(0..100) {
            0..58 => {
                let shown = newest_of(&self.people[index].picture);
                let step = shown.and_then(|run| run.steps.get(run.current_step()?));
                // Most type the name where they are asked to.
                Wish::Approve { is_typed: typed < if step.is_some_and(|step| step.needs_target) { 8 } else { 1 } }
            }
            58..74 => Wish::Skip,
            74..86 => Wish::Retry,
            86..89 => Wish::Stop,
            89..94 => Wish::TakeWheel,
            94..96 => Wish::Kill,
            _ => Wish::Release,
        };
        self.asks(index, wish)
    }

    /// This person asks for this, by what is on that screen.
    fn asks(&mut self, index: usize, wish: Wish) -> Result<(), String> {
        let Operator { person, picture, .. } = &self.people[index];
        let Some(shown) = newest_of(picture).cloned() else { return Ok(()) };
        let step = match (shown.current_step().filter(|step| *step < STEPS), wish) {
            (Some(step), _) => step,
            // The switch is about no step.
            (None, Wish::Kill | Wish::Release) => 0,
            (None, _) => return Ok(()),
        };
        let person = person.clone();
        let newest = self.newest().ok_or("there is no run")?;
        let (run, offer) = (shown.id, Arc::clone(&shown.steps[step].offer));
        let is_fresh = match wish {
            Wish::Approve { .. } => !offer.is_empty() && newest.steps[step].offer == offer,
            _ => newest.id == run && newest.shown() == shown.shown(),
        };
        if newest.id != run {
            // What was on the screen is over.
            return Ok(());
        }
        let digest = shown.shown();
        let request = match wish {
            Wish::Approve { is_typed } => {
                self.wanting.insert(Arc::clone(&person.name));
                let typed_target = is_typed.then(|| Arc::clone(&shown.steps[step].bound.spec.touches));
                Request::Approve { run, step, digest: offer, typed_target }
            }
            Wish::Skip => Request::Skip { run, step, reason: "not needed".into(), digest },
            Wish::Retry => Request::Retry { run, step, digest },
            Wish::Stop => Request::StopRun { run, escalate: None },
            Wish::TakeWheel => Request::TakeWheel { run },
            Wish::Kill => Request::Kill { reason: "smoke".into() },
            Wish::Release => Request::Release { reason: "looked at it".into() },
        };
        let what = format!("{} asks for {request:?}", person.name);
        let told = self.desks.ask(&person, request);
        let asked = Asked { by: &person, wish, step, is_fresh, now: self.desks.engine.now() };
        let is_allowed = self.table.allows(&asked);
        let says = (!is_allowed).then(|| self.table.says(&asked)).flatten();
        if is_allowed {
            self.raced.kills += u64::from(wish == Wish::Kill);
            self.raced.stops += u64::from(wish == Wish::Stop);
            self.raced.retries += u64::from(wish == Wish::Retry);
            self.table.does(&asked);
        }
        self.raced.requests += 1;
        self.raced.stale += u64::from(!is_fresh);
        self.open.push(Open { told, is_allowed, says, what });
        Ok(())
    }

    /// The jobs desk does what waits for it, and everybody is answered.
    fn works(&mut self) -> Result<(), String> {
        self.desks.work();
        self.table.works();
        for Open { told: answer, is_allowed, says, what } in std::mem::take(&mut self.open) {
            match told(&answer) {
                Some(Reply::Done { .. }) if is_allowed => self.raced.done += 1,
                Some(Reply::Refused { reason }) if !is_allowed => {
                    if let Some(says) = says.filter(|says| !reason.contains(says)) {
                        return Err(format!("{what}: was told `{reason}`, which does not say `{says}`"));
                    }
                }
                other => {
                    let wanted = if is_allowed { "done" } else { "refused" };
                    return Err(format!("{what}: must be {wanted}, and the answer was {other:?}"));
                }
            }
        }
        let (calls, _) = self.desks.calls();
        if calls == self.table.calls {
            return Ok(());
        }
        Err(format!("{calls} calls were made, and {} approved", self.table.calls))
    }

    /// The next call that is under way ends, most often well.
    fn call_ends(&mut self) {
        let code = if self.draws.random_bool(0.2) { 3 } else { 0 };
        if let Some(progress) = self.desks.report(code) {
            self.table.ends(&progress, self.desks.engine.now());
        }
    }

    fn ticks(&mut self) -> Result<(), String> {
        let before = self.newest().map(|run| offered(&run));
        self.desks.engine.take(Input::Tick);
        let after = self.newest().map(|run| offered(&run));
        if before == after { Ok(()) } else { self.table.offered_anew(self.desks.engine.now()) }
    }

    /// Longer than an offer is good for; not while something runs, which would be overdue.
    fn waits(&mut self) {
        if self.table.stage().is_some_and(|stage| stage != Stage::Running) {
            self.desks.wait(TOO_LONG_MS);
        }
    }

    /// All that is under way ends, and the step of this race is done or passed over, so that the next race has another.
    fn settles(&mut self, step: Option<usize>) -> Result<(), String> {
        for round in 0..ROUNDS_MAX {
            // What fails and is tried again and again is passed over in the end.
            let may_try = round < ROUNDS_MAX / 2;
            self.works()?;
            while self.desks.is_under_way() {
                self.call_ends();
            }
            self.works()?;
            self.agrees()?;
            let driver = self.people.iter().position(|it| it.person.name == self.table.driver).unwrap_or_default();
            self.looks(0)?;
            self.looks(driver)?;
            match self.table.stage() {
                _ if self.table.is_killed => {
                    self.asks(0, Wish::Release)?;
                    self.works()?;
                    self.ticks()?;
                }
                None => return Ok(()),
                Some(Stage::Failed | Stage::Paused)
                    if !self.table.is_stopped && may_try && self.draws.random_bool(0.5) =>
                {
                    self.asks(driver, Wish::Retry)?;
                }
                _ if !self.table.is_open() => return Ok(()),
                Some(Stage::Offered) if self.table.at() != step => return Ok(()),
                _ => {
                    self.ticks()?;
                    self.looks(driver)?;
                    let is_approved =
                        self.table.stage() == Some(Stage::Offered) && may_try && self.draws.random_bool(0.5);
                    self.asks(driver, if is_approved { Wish::Approve { is_typed: true } } else { Wish::Skip })?;
                }
            }
        }
        Err(format!("it does not come to an end: {:?}", self.table))
    }

    /// The picture is as the table has it.
    fn agrees(&mut self) -> Result<(), String> {
        let run = self.newest().ok_or("there is no run")?;
        let is_as = |stage: &Stage, state: &StepState| match stage {
            Stage::Pending => matches!(state, StepState::Pending),
            Stage::Offered => matches!(state, StepState::Waiting),
            Stage::Running => matches!(state, StepState::Running { .. }),
            Stage::Succeeded => matches!(state, StepState::Succeeded { .. }),
            Stage::Passed => matches!(state, StepState::Skipped { .. }),
            Stage::Paused | Stage::Failed => matches!(state, StepState::Failed { .. }),
        };
        let is_so = match run.state {
            RunState::Stopped => self.table.is_stopped,
            _ => run.steps.iter().zip(&self.table.steps).all(|(step, stage)| is_as(stage, &step.state)),
        };
        let states = || run.steps.iter().map(|step| &step.state).collect::<Vec<_>>();
        if is_so { Ok(()) } else { Err(format!("{:?} is shown, and is {:?}", states(), self.table)) }
    }
}

fn newest_of(picture: &Snapshot) -> Option<&Arc<Run>> {
    picture.runs.iter().max_by_key(|run| run.id)
}

/// What of a run is offered.
fn offered(run: &Run) -> (Option<usize>, Arc<str>) {
    let step = run.current_step();
    (step, step.and_then(|step| run.steps.get(step)).map_or_else(|| "".into(), |step| Arc::clone(&step.offer)))
}
