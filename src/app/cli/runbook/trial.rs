//! `hypo runbook run --dry-run`: every step with its values and what the gate says to it. Only what looks, and what an act
//! declares as its dry run, is ever carried out from here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{Exit, Failure, list, output, settings, tokio_runtime};
use super::show;
use crate::app::arguments::{CommonArguments, RunbookRunArguments};
use crate::engine::act::executor::Executor;
use crate::engine::act::policy::{self, ApprovedStep, Gate, Outlook};
use crate::engine::act::{StepReportSink, StepRunner, kill_file::KillFile, walk};
use crate::engine::clock::Timestamp;
use crate::engine::ingest::wall_clock;
use crate::engine::input::{KillWord, StepProgress};
use crate::engine::model::{
    Alert, AlertNotice, AlertState, Fingerprint, Incident, IncidentId, KillSwitch, Labels, ParamKind, Proposal,
    Reading, Run, RunId, RunState, Runbook, Safety, ServiceName, Severity, SourceName, StepKind,
};
use crate::engine::runbooks::{Library, rebind};
use crate::engine::settings::EngineSettings;
use crate::engine::world::World;

/// Whoever tries a runbook from the command line.
const BY: &str = "dry run";

/// Nothing is measured here.
struct Blind;

impl Outlook for Blind {
    fn readings(&self, _service: &str, _metric: &str) -> Vec<Reading> {
        Vec::new()
    }

    fn harm(&self) -> BTreeMap<Arc<str>, policy::Harm> {
        BTreeMap::new()
    }
}

/// What is tried, and for which incident.
struct Subject {
    incident: Arc<Incident>,
    proposal: Proposal,
    runs: BTreeMap<RunId, Arc<Run>>,
}

pub(super) fn run(common: &CommonArguments, arguments: &RunbookRunArguments) -> Result<Exit, Failure> {
    let library = super::library(common)?;
    let runbook = Arc::clone(super::find(&library, &arguments.id)?);
    let now = wall_clock::now();
    let subject = match &arguments.incident {
        Some(id) => of_incident(common, library, &runbook, id)?,
        None => by_hand(&runbook, &arguments.param, now)?,
    };
    let loaded = settings(common)?;
    let engine = &loaded.settings.engine;
    let safety = Safety { kill: killed(&KillFile::of(&loaded.paths.state_dir), now), ..Safety::default() };
    let incidents = BTreeMap::from([(subject.incident.id, Arc::clone(&subject.incident))]);
    let gate = Gate {
        subject: (&subject.incident).into(),
        incidents: &incidents,
        settings: &engine.runbooks,
        policy: &engine.policy,
        safety: &safety,
        runs: &subject.runs,
        can_tell: true,
        outlook: &Blind,
        now,
    };
    let number = subject.runs.keys().last().map_or(1, |last| last.0 + 1);
    let begun = walk::start(RunId(number), &subject.proposal, &Arc::from(BY), &gate).run;
    tell(&begun, &gate)?;
    if !arguments.execute_dry_runs {
        return Ok(Exit::Done);
    }
    carry_out(&begun, &gate, engine)
}

fn killed(file: &KillFile, now: Timestamp) -> Option<KillSwitch> {
    match file.read()? {
        KillWord::On { by, reason } => Some(KillSwitch { at: now, by, reason }),
        KillWord::Off { .. } => None,
    }
}

/// The proposal that the console would show for a stored incident.
fn of_incident(common: &CommonArguments, library: Library, runbook: &Runbook, id: &str) -> Result<Subject, Failure> {
    let snapshot = list::picture_with(common, library)?;
    let incident = snapshot.incidents.iter().find(|incident| incident.id.to_string() == id);
    let incident =
        Arc::clone(incident.ok_or_else(|| format!("there is no incident {id}; `hypo incidents --all` lists them"))?);
    let mut offered = snapshot.proposals.get(&incident.id).into_iter().flatten();
    let proposal = offered.find(|proposal| proposal.runbook.id == runbook.id);
    let misfit = snapshot.misfits.get(&incident.id).into_iter().flatten().find(|misfit| misfit.runbook == runbook.id);
    let why = misfit.map_or("its conditions do not hold there", |misfit| misfit.reason.as_ref());
    let proposal = proposal
        .ok_or_else(|| format!("{} is not offered for {id}: {why}; give its values with --param", runbook.id))?;
    let proposal = proposal.as_ref().clone();
    let runs = snapshot.runs.iter().map(|run| (run.id, Arc::clone(run))).collect();
    Ok(Subject { incident, proposal, runs })
}

/// Values as they are given, for an incident that there is not: what they name is taken to exist, and everything else that
/// is asked of a value holds.
fn by_hand(runbook: &Arc<Runbook>, given: &[String], now: Timestamp) -> Result<Subject, Failure> {
    let mut params: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    for pair in given {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` is no NAME=VALUE"))?;
        params.insert(Arc::from(name), Arc::from(value));
    }
    for (name, spec) in runbook.params.iter().filter(|(name, _)| !params.contains_key(*name)).collect::<Vec<_>>() {
        let last = spec.from.rsplit(" or ").next().unwrap_or_default().trim();
        let is_literal = !["cause.", "alert.", "incident.", "anomaly."].iter().any(|root| last.starts_with(root));
        if !is_literal {
            return Err(format!("{{{name}}} comes from {}; give it with --param {name}=VALUE", spec.from).into());
        }
        params.insert(Arc::clone(name), Arc::from(last));
    }
    let of = |kind: ParamKind| {
        let names = runbook.params.iter().filter(move |(_, spec)| spec.kind == kind).map(|(name, _)| name);
        names.filter_map(|name| params.get(name)).cloned().collect::<Vec<_>>()
    };
    let incident = made_up(&of(ParamKind::Service), now);
    let mut world = World::default();
    for (number, host) in (0_u64..).zip(of(ParamKind::Host)) {
        world.alerts.insert(Fingerprint(number), Arc::new(alert(number, &host, now)));
    }
    let binding = rebind(runbook, &BTreeMap::new(), &params, &world, &incident)?;
    let proposal = Proposal {
        runbook: Arc::clone(runbook),
        params: binding.params,
        steps: binding.steps,
        reason: Arc::from("by hand"),
        service: incident.services.keys().next().cloned().unwrap_or_else(|| ServiceName::new("none")),
        cause: None,
    };
    Ok(Subject { incident: Arc::new(incident), proposal, runs: BTreeMap::new() })
}

fn made_up(services: &[Arc<str>], now: Timestamp) -> Incident {
    Incident {
        title: Arc::from("a dry run"),
        services: services.iter().map(|service| (ServiceName::new(service), now)).collect(),
        ..Incident::opened(IncidentId(0), now, now)
    }
}

fn alert(number: u64, host: &str, now: Timestamp) -> Alert {
    Alert {
        notice: AlertNotice {
            source: SourceName::new("by hand"),
            fingerprint: Fingerprint(number),
            name: Arc::from("by hand"),
            service: None,
            severity: Severity::Info,
            state: AlertState::Firing,
            starts_at: now,
            ends_at: None,
            muted_by: None,
            summary: Arc::from(""),
            generator_url: Arc::from(""),
            labels: Labels::new([("host", host)]),
        },
        told_by: std::collections::BTreeSet::new(),
        firing_by: std::collections::BTreeSet::new(),
        repeat_count: 0,
        first_seen_at: now,
        last_seen_at: now,
        incident: None,
        suppressed: None,
    }
}

fn tell(run: &Run, gate: &Gate<'_>) -> Result<(), Failure> {
    output::line(&format!(
        "{} ({}, version {}) as it would be run:",
        run.runbook.title, run.runbook.id, run.runbook.version
    ))?;
    for (name, value) in &run.params {
        output::line(&format!("  {{{name}}} = {value}"))?;
    }
    for (index, step) in run.steps.iter().enumerate() {
        let spec = &step.bound.spec;
        output::line("")?;
        output::line(&format!("{}. {} [{}]", index + 1, spec.title, spec.name))?;
        for fact in show::facts(spec) {
            output::line(&format!("     {fact}"))?;
        }
        output::line(&format!("     digest   {}", step.bound.digest))?;
        let decision = policy::decide(run, index, gate);
        let word = match &decision {
            policy::Decision::Allow { .. } => "allows",
            policy::Decision::Ask(_) => "asks",
            policy::Decision::Deny(_) => "refuses",
        };
        output::line(&format!("     the gate {word}: {}", decision.text()))?;
    }
    output::line("")?;
    output::line("nothing is measured here, so what must hold before an act counts as not known; the console looks")?;
    Ok(())
}

/// Carries out the checks, and of each act its declared dry run.
fn carry_out(begun: &Run, gate: &Gate<'_>, settings: &EngineSettings) -> Result<Exit, Failure> {
    let tokio = tokio_runtime()?;
    let executor = Executor::new(&settings.runbooks, tokio.handle().clone());
    let by: Arc<str> = Arc::from(BY);
    let mut exit = Exit::Done;
    // Nothing is measured, so a branch may have ended the run at once; every step is shown whatever way it would go.
    let begun = Run { state: RunState::Active, ended_at: None, ..begun.clone() };
    for index in 0..begun.steps.len() {
        let spec = &begun.steps[index].bound.spec;
        let looks = matches!(spec.kind, StepKind::Check(_)) && spec.call().is_some();
        if !looks && spec.act().is_none() {
            continue;
        }
        output::line("")?;
        output::line(&format!("{}. {}", index + 1, spec.title))?;
        let led = walk::run_from(&begun, index, BY, &by, gate)?.run;
        let token = Arc::clone(&led.steps[index].offer);
        let outcome = if looks {
            walk::approve(&led, index, &token, None, &by, gate)
        } else {
            walk::dry_run(&led, index, &token, &by, gate)
        };
        match outcome.map(|outcome| (outcome.execute, outcome.run)) {
            Ok((Some(step), run)) => {
                if !tokio.block_on(watch(&executor, step, &run, gate))? {
                    exit = Exit::Found;
                }
            }
            Ok((None, _)) => {}
            Err(refusal) => output::line(&format!("     {refusal}"))?,
        }
    }
    Ok(exit)
}

/// Prints what the call says; true where it ended as it should.
async fn watch(executor: &Executor, step: ApprovedStep, run: &Run, gate: &Gate<'_>) -> Result<bool, Failure> {
    let (sink, mut reports) = StepReportSink::channel();
    let index = step.step();
    let is_dry_run = step.is_dry_run();
    executor.start(step, sink);
    let mut run = run.clone();
    while let Some(report) = reports.recv().await {
        let ended = match &report.progress {
            StepProgress::Output(lines) => {
                for line in lines {
                    output::line(&format!("     | {line}"))?;
                }
                None
            }
            StepProgress::Digest { .. } => None,
            StepProgress::Exited { code, took_ms } => {
                let code = code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
                Some((format!("ended with {code} after {took_ms} ms"), code == "exit code 0"))
            }
            StepProgress::NotStarted { reason } | StepProgress::Stopped { reason } | StepProgress::Lost { reason } => {
                Some((reason.to_string(), false))
            }
        };
        if let Some(outcome) = walk::on_report(&run, &report, gate) {
            run = outcome.run;
        }
        if let Some((text, is_well)) = ended {
            let seen = run.steps.get(index).and_then(|step| step.is_as_expected).filter(|_| !is_dry_run);
            let verdict = match seen {
                Some(true) => ", as expected",
                Some(false) => ", NOT as expected",
                None => "",
            };
            output::line(&format!("     {text}{verdict}"))?;
            return Ok(seen.unwrap_or(is_well));
        }
    }
    Err("the call ended without a word".into())
}
