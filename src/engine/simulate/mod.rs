//! Whole lives of the program in one thread on a clock of their own, with people, faults and crashes drawn from one seed; and
//! a judge beside it that knows only what may never happen. The same seed gives the same run.
//!
//! ```text
//! people ──▶ engine desk ──▶ queue ──▶ jobs desk ──▶ disk, kill file, systems (outside)
//!    ▲           │  ▲                                    │
//!    └─ pictures ┘  └────────────── reports ─────────────┘        oracle: looks at all but the core
//! ```
//!
//! Nothing here reads a clock, starts a thread or touches a file. What is simulated is what the two desks reach through their
//! seams; sled, sockets and processes are not.

mod disk;
mod disturb;
mod faults;
mod invariants;
mod life;
mod operators;
mod oracle;
mod outside;
mod plan;
mod races;
mod report;
mod systems;
mod world;

pub use faults::Faults;
pub use invariants::Broken;
pub use oracle::Counts;
pub use plan::Plan;
pub use races::{Raced, races};
pub use report::Outcome;

use std::sync::{Arc, Mutex};

use rand::Rng;
use rand_pcg::Pcg64;

use crate::engine::clock::{MINUTE_MS, SECOND_MS};
use crate::engine::input::{Input, StepProgress, StepReport};
use crate::engine::job::Record;
use crate::engine::limits::TICK_MS;
use crate::engine::model::{Purpose, Signal, StepState};
use crate::engine::pipeline::EngineError;
use crate::engine::request::Request;
use crate::engine::snapshot::Snapshot;
use disk::{Disk, Paper};
use faults::{Fate, draws};
use life::Life;
use operators::{Operator, people};
use oracle::{Oracle, View};
use outside::{Outside, Seam};
use report::Trace;
use systems::Systems;

/// A source is measured this often.
const SAMPLE_MS: i64 = 10 * SECOND_MS;
/// Incidents there are at the beginning.
const INCIDENTS: u64 = 6;
/// And at most.
const INCIDENTS_MAX: u64 = 400;

/// Runs it, to its end or to the first rule that is broken.
///
/// # Errors
/// When the engine refuses its settings.
pub fn run(plan: &Plan) -> Result<Outcome, EngineError> {
    let mut simulation = Simulation::new(plan)?;
    let end = i64::from(plan.minutes) * MINUTE_MS;
    while simulation.seam.lock().elapsed < end && simulation.seam.lock().oracle.broken.is_empty() {
        simulation.step()?;
    }
    Ok(simulation.end())
}

/// True for what keeps an act from beginning by itself.
fn is_in_the_way(wish: &Request) -> bool {
    use Request::{Approve, Kill, RunFrom, Skip, StopRun, Undo};
    matches!(wish, Approve { .. } | Kill { .. } | RunFrom { .. } | Skip { .. } | StopRun { .. } | Undo { .. })
}

struct Simulation {
    plan: Plan,
    seam: Seam,
    life: Life,
    people: Vec<Operator>,
    newest: Arc<Snapshot>,
    draws: Pcg64,
    is_assisting: bool,
    next_tick: i64,
    next_sample: i64,
    /// When the program is started anew, by whoever cares for it.
    next_start: i64,
    /// The disk answers again then.
    slow_until: i64,
    /// What was measured and is late, with when it comes.
    late: Vec<(i64, Signal)>,
}

impl Simulation {
    fn new(plan: &Plan) -> Result<Self, EngineError> {
        let mut draws = draws(plan.seed, "people");
        let is_assisting = draws.random_range(0..3) == 0 || plan.is_left_alone;
        let mut disk = Disk::default();
        let laid = (1..=INCIDENTS).map(|number| Record::Incident(world::incident(number, world::START)));
        disk.write(&laid.chain([world::trials()]).collect::<Vec<_>>());
        disk.flush();
        let outside = Outside {
            disk,
            paper: Paper::default(),
            systems: Systems::new(plan.seed),
            fate: Fate::new(plan),
            oracle: Oracle::default(),
            trace: Trace::keeping(plan.last),
            elapsed: 0,
            skew: 0,
            now: world::START,
            life: 1,
            is_dead: false,
        };
        let seam = Seam(Arc::new(Mutex::new(outside)));
        let people = people(&mut draws);
        let life = Life::begin(&seam, is_assisting)?;
        let mut simulation = Self {
            plan: *plan,
            seam,
            life,
            people,
            newest: Arc::new(Snapshot::empty()),
            draws,
            is_assisting,
            next_tick: TICK_MS,
            next_sample: SAMPLE_MS,
            next_start: 20 * MINUTE_MS,
            slow_until: 0,
            late: Vec::new(),
        };
        simulation.begun();
        Ok(simulation)
    }

    /// A fraction of a second.
    fn step(&mut self) -> Result<(), EngineError> {
        let elapsed = {
            let mut outside = self.seam.lock();
            outside.elapsed += self.draws.random_range(40..400);
            let Outside { systems, fate, elapsed, life, .. } = &mut *outside;
            systems.advance(*elapsed, fate, *life);
            *elapsed
        };
        self.disturb(elapsed);
        self.life.engine.look_at_kill_file();
        self.hear(elapsed);
        self.measure(elapsed);
        if elapsed >= self.next_tick {
            self.next_tick = elapsed + TICK_MS;
            self.life.engine.take(Input::Tick);
        }
        self.ask();
        if elapsed >= self.slow_until {
            self.work();
        }
        if self.life.engine.has_changed() {
            self.newest = self.life.engine.snapshot();
        }
        let is_broken_off =
            { self.seam.lock().is_dead } || self.draws.random_bool(0.02) && { self.seam.lock().disk.has_failed };
        if is_broken_off || elapsed >= self.next_start {
            self.start_anew(is_broken_off)?;
        }
        Ok(())
    }

    /// One more than the number of the last incident that was laid.
    fn known(&self) -> u64 {
        self.seam.lock().disk.next_incident().min(INCIDENTS_MAX)
    }

    /// Reports come in.
    fn hear(&mut self, elapsed: i64) {
        let arrived = {
            let mut outside = self.seam.lock();
            let life = outside.life;
            outside.systems.arrived(elapsed, life)
        };
        for report in arrived {
            self.mark(&report);
            self.life.engine.take(Input::Step(report));
        }
        while let Ok(report) = self.life.reports.try_recv() {
            self.life.engine.take(Input::Step(report));
        }
    }

    /// An act that is waited for has failed, for the judge's own breaker.
    fn mark(&self, report: &StepReport) {
        let mut outside = self.seam.lock();
        outside.note(&format!("{} step {} says {:?}", report.run, report.step + 1, report.progress));
        let Outside { disk, systems, .. } = &mut *outside;
        let step = disk.run(report.run).and_then(|run| run.steps.get(report.step));
        let is_awaited = step.is_some_and(|step| {
            matches!(step.state, StepState::Running { purpose: Purpose::Run, .. })
                && step.begun.last().is_some_and(|begun| begun.id == report.attempt)
        });
        let is_failure = match report.progress {
            StepProgress::Exited { code, .. } => code != Some(0),
            StepProgress::Stopped { .. } => true,
            _ => false,
        };
        if let Some(entry) = systems.attempt_mut(&report.attempt).filter(|_| is_awaited && is_failure) {
            entry.has_failed = true;
        }
    }

    /// People look, and ask for things.
    fn ask(&mut self) {
        for index in 0..self.people.len() {
            if self.draws.random_bool(self.people[index].pace) {
                let looked = self.people[index].look(&self.newest);
                let mut outside = self.seam.lock();
                if let Err(text) = looked {
                    outside.oracle.broken.push(Broken { rule: "pictures", text });
                }
                let elapsed = outside.elapsed;
                outside.oracle.sees(&self.people[index].person, &self.people[index].picture, elapsed);
            }
            if self.draws.random_bool(0.05) {
                let wish = self.people[index].wish(&mut self.draws, &self.seam.lock().systems);
                if let Some(wish) = wish.filter(|wish| !self.plan.is_left_alone || !is_in_the_way(wish)) {
                    self.send_with_rivals(index, &wish);
                }
            }
        }
    }

    /// Sends it; an approval perhaps together with somebody else who has the same on the screen, or twice.
    fn send_with_rivals(&mut self, index: usize, wish: &Request) {
        let mut askers = vec![index];
        if let Request::Approve { digest, .. } = wish
            && self.draws.random_bool(0.4)
        {
            let rival = self.draws.random_range(0..self.people.len());
            if self.people[rival].sees(digest) {
                askers.push(rival);
                self.seam.lock().oracle.counts.races += 1;
            }
        }
        for asker in askers {
            self.send(asker, wish.clone());
        }
    }

    fn send(&mut self, asker: usize, wish: Request) {
        let person = self.people[asker].person.clone();
        let question = {
            let mut outside = self.seam.lock();
            let at = outside.wall().max(self.life.engine.now());
            let elapsed = outside.elapsed;
            let question = outside.oracle.asks(&person, &wish, at, elapsed);
            outside.note(&format!("{} asks {question}: {wish:?}", person.name));
            question
        };
        let seam = self.seam.clone();
        let answer = Box::new(move |reply| {
            seam.lock().reply(question, &reply);
        });
        self.life.engine.take_request(person, wish, answer);
    }

    /// The jobs desk does what waits for it; at times it leaves some for later.
    fn work(&mut self) {
        loop {
            if !self.life.work() {
                break;
            }
            if self.draws.random_bool(0.02) {
                break;
            }
        }
    }

    /// The program ends, of itself or not, and is started again.
    fn start_anew(&mut self, is_broken_off: bool) -> Result<(), EngineError> {
        if !is_broken_off {
            self.life.engine.close();
            self.drain();
            self.life.jobs.close();
        }
        {
            let mut outside = self.seam.lock();
            outside.note(if is_broken_off { "the program dies" } else { "the program ends" });
            outside.oracle.counts.crashes += u64::from(is_broken_off);
            outside.is_dead = true;
            outside.crash();
            let number = outside.disk.next_incident();
            if number < INCIDENTS_MAX {
                // What opens while nobody looks is there at the next start.
                let now = outside.wall();
                let laid = [number, number + 1].map(|number| Record::Incident(world::incident(number, now)));
                outside.disk.write(&laid);
                outside.disk.flush();
            }
            (outside.is_dead, outside.life) = (false, outside.life + 1);
            if outside.fate.strikes(|on| on.starts, 0.3) {
                let Outside { systems, fate, elapsed, life, .. } = &mut *outside;
                *elapsed += fate.draws.random_range(1..20 * 60) * SECOND_MS;
                systems.advance(*elapsed, fate, *life);
                outside.note("the start took long");
            }
            outside.now = outside.wall();
        }
        let elapsed = self.seam.lock().elapsed;
        self.next_start = elapsed + self.draws.random_range(6..25) * MINUTE_MS;
        self.life = Life::begin(&self.seam, self.is_assisting)?;
        self.begun();
        Ok(())
    }

    fn drain(&mut self) {
        while self.life.work() {}
    }

    /// What the start led to is done, and the judge looks at it.
    fn begun(&mut self) {
        self.drain();
        for number in 1..self.known() {
            if let Some(series) = world::series(number) {
                self.life.engine.take(Input::Signal(series));
            }
        }
        self.newest = self.life.engine.snapshot();
        let mut outside = self.seam.lock();
        if !outside.is_dead {
            let Outside { disk, systems, paper, oracle, life, .. } = &mut *outside;
            oracle.begins(&self.newest, &View { disk, systems, paper, life: *life });
        }
    }

    fn end(mut self) -> Outcome {
        self.drain();
        self.newest = self.life.engine.snapshot();
        for person in &mut self.people {
            let looked = person.look(&self.newest);
            if let Some(what) = looked.err().or_else(|| report::differs(&person.picture, &self.newest)) {
                let text = format!("{} has another picture than the engine: {what}", person.person.name);
                self.seam.lock().oracle.broken.push(Broken { rule: "pictures", text });
            }
        }
        let outside = self.seam.lock();
        Outcome {
            plan: self.plan,
            hash: outside.trace.hash(),
            events: outside.trace.events,
            points: outside.fate.points,
            is_assisting: self.is_assisting,
            counts: outside.oracle.counts,
            broken: outside.oracle.broken.first().cloned(),
            last: outside.trace.last.iter().cloned().collect(),
        }
    }
}
