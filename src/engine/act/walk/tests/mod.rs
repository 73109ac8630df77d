//! The walk, transition by transition: what drives a run in these tests, and the tests by what they are about.

mod assist;
mod evidence;
mod gate;
mod properties;
mod recovery;
mod steering;
mod stepping;
mod watching;

use std::collections::BTreeMap;

use super::*;
use crate::engine::act::policy::{GateRefusal, Harm, Outlook};
use crate::engine::input::{StepProgress, StepReport};
use crate::engine::model::{
    ActSpec, ActionKind, AutonomyMode, Band, BlastRadius, BoundStep, Call, CauseKind, CheckSpec, Danger, Incident,
    IncidentId, IncidentSeverity, IncidentState, Look, MetricGoal, ParamSpec, Ranking, Reading, Repeat, Runbook,
    RunbookPlace, Safety, StepEffect, StepSpec, Unexpected, Unit,
};
use crate::engine::settings::{PolicySettings, RunbookSettings};

const T0: Timestamp = Timestamp(1_000_000);
const ANA: &str = "ana";

fn text(of: &str) -> Arc<str> {
    Arc::from(of)
}

fn argv(line: &str) -> Vec<Arc<str>> {
    line.split_whitespace().map(Arc::from).collect()
}

fn call(line: &str) -> Call {
    Call::Command { argv: argv(line) }
}

fn incident() -> Incident {
    Incident {
        id: IncidentId(42),
        title: text("checkout fails"),
        severity: IncidentSeverity::Sev2,
        is_severity_set_by_hand: false,
        state: IncidentState::Open,
        started_at: T0,
        opened_at: T0,
        acknowledged_at: None,
        mitigated_at: None,
        resolved_at: None,
        reopen_count: 0,
        updated_at: T0,
        owner: None,
        services: BTreeMap::new(),
        anomalies: Default::default(),
        alerts: Default::default(),
        changes: Default::default(),
        folded_count: 0,
        timeline: Vec::new(),
        ranking: Ranking::default(),
        merged_into: None,
        split_from: None,
        runs: Vec::new(),
    }
}

fn bound(name: &str, kind: StepKind, effect: StepEffect) -> BoundStep {
    BoundStep {
        spec: StepSpec {
            name: text(name),
            title: text(name),
            text: text(""),
            kind,
            effect,
            touches: text("deployment/payment"),
            timeout_ms: 600_000,
        },
        digest: format!("digest-{name}").into(),
    }
}

/// An act that can be taken back.
fn act(run: &str) -> ActSpec {
    ActSpec {
        action: ActionKind::Rollback,
        call: call(run),
        dry_run: Some(call("kubectl diff")),
        undo: Some(call("kubectl rollout undo again")),
        rollback_text: text("by hand"),
        repeat: Repeat::Never,
        prechecks: Vec::new(),
        not_restarting: Vec::new(),
        expect: "".into(),
        danger: Danger::Medium,
        targets_max: 1,
        expected: text("errors end"),
        within_ms: 120_000,
        approvals: 1,
        blast: BlastRadius::default(),
    }
}

fn act_kind(run: &str) -> StepKind {
    StepKind::Act(Box::new(act(run)))
}

fn check_kind(run: &str, expect: &str) -> StepKind {
    let look = Look::Call { call: call(run), expect: text(expect), exit: 0, lines_min: 0, only: None };
    StepKind::Check(CheckSpec { look, otherwise: Unexpected::Pause, proves: Vec::new() })
}

fn verify_kind() -> StepKind {
    StepKind::Verify { goal: goal(), hold_ms: 60_000, samples_min: 3, volume: None }
}

fn goal() -> MetricGoal {
    MetricGoal { metric: text("error_ratio"), service: text("payment"), below: None, above: None }
}

fn steps() -> Vec<BoundStep> {
    vec![
        bound("read", StepKind::Note, StepEffect::None),
        bound("look", check_kind("kubectl get pods", "payment"), StepEffect::Read),
        bound("undo", act_kind("kubectl rollout undo deployment/payment"), StepEffect::Reversible),
        bound("home", verify_kind(), StepEffect::Read),
    ]
}

fn proposal(steps: Vec<BoundStep>) -> Proposal {
    let service = ParamSpec {
        kind: ParamKind::Service,
        from: text("cause.service"),
        pattern: None,
        tech: Arc::from(""),
        choices: Vec::new(),
        min: None,
        max: None,
    };
    Proposal {
        runbook: Arc::new(Runbook {
            id: text("rollback-deploy"),
            title: text("Roll back"),
            version: text("1"),
            content_hash: text("abc"),
            owner: text("team:sre"),
            origin: text("shipped"),
            problems: vec![CauseKind::BadDeploy],
            service_pattern: text(""),
            place: RunbookPlace::Anywhere,
            includes: Vec::new(),
            mistake: None,
            params: BTreeMap::from([(text("service"), service)]),
            symptoms: Vec::new(),
            alerts: Vec::new(),
            verified: None,
            expires_days: 90,
            acts_max: 2,
            estimate_seconds: 60,
            steps: Vec::new(),
        }),
        params: BTreeMap::from([(text("service"), text("payment"))]),
        steps,
        reason: text("for bad deploy of payment"),
        service: ServiceName::new("payment"),
        cause: Some((CauseKind::BadDeploy, ServiceName::new("payment"))),
    }
}

/// A call that has passed the gate, for tests of runners.
pub(in crate::engine::act) fn approved_call(call: Call, timeout_ms: i64, settings: &RunbookSettings) -> ApprovedStep {
    let look = Look::Call { call, expect: text(""), exit: 0, lines_min: 0, only: None };
    let check = StepKind::Check(CheckSpec { look, otherwise: Unexpected::Pause, proves: Vec::new() });
    let mut step = bound("look", check, StepEffect::Read);
    step.spec.timeout_ms = timeout_ms;
    let mut drive = Drive::new(vec![step]);
    drive.settings = settings.clone();
    drive.approve(0).unwrap();
    drive.executed.pop().unwrap()
}

/// A command that has passed the gate.
pub(in crate::engine) fn approved(argv: &[&str], timeout_ms: i64, settings: &RunbookSettings) -> ApprovedStep {
    let argv = argv.iter().map(|part| Arc::from(*part)).collect();
    approved_call(Call::Command { argv }, timeout_ms, settings)
}

/// The systems, as a test says they are.
#[derive(Clone, Default)]
struct Systems {
    readings: Vec<Reading>,
    harm: BTreeMap<Arc<str>, Harm>,
}

impl Outlook for Systems {
    fn readings(&self, _service: &str, _metric: &str) -> Vec<Reading> {
        self.readings.clone()
    }

    fn harm(&self) -> BTreeMap<Arc<str>, Harm> {
        self.harm.clone()
    }
}

/// What departs, since when.
fn harm(of: &[(&str, f64)], since: Timestamp) -> BTreeMap<Arc<str>, Harm> {
    of.iter().map(|(name, sigma)| (text(name), Harm { sigma: *sigma, since })).collect()
}

fn reading(at: i64, value: f64) -> Reading {
    Reading {
        instance: None,
        at: Timestamp(at),
        value,
        unit: Unit::Ratio,
        band: Band { low: 0.0, centre: 0.01, high: 0.02 },
        is_anomalous: value > 0.02,
    }
}

/// A run being driven: keeps the latest state and everything that was told.
struct Drive {
    incident: Incident,
    settings: RunbookSettings,
    policy: PolicySettings,
    safety: Safety,
    systems: Systems,
    earlier: BTreeMap<RunId, Arc<Run>>,
    run: Run,
    now: Timestamp,
    audit: Vec<AuditNote>,
    executed: Vec<ApprovedStep>,
    changes: Vec<ChangeNotice>,
    notices: Vec<RunNotice>,
}

impl Drive {
    fn new(steps: Vec<BoundStep>) -> Self {
        Self::of(&proposal(steps), |_| {})
    }

    /// A run of the proposal, with the world as `prepare` makes it.
    fn of(proposal: &Proposal, prepare: impl FnOnce(&mut Self)) -> Self {
        let blank = Run {
            id: RunId(3),
            subject: IncidentId(42).into(),
            runbook: Arc::clone(&proposal.runbook),
            params: BTreeMap::new(),
            cause: None,
            state: RunState::Stopped,
            word: text(""),
            is_escalated: false,
            has_held: None,
            steps: Vec::new(),
            started_at: T0,
            ended_at: None,
            started_by: text(ANA),
            was_first: true,
        };
        let mut drive = Self {
            incident: incident(),
            settings: RunbookSettings::default(),
            policy: PolicySettings::default(),
            safety: Safety::default(),
            systems: Systems::default(),
            earlier: BTreeMap::new(),
            run: blank,
            now: T0,
            audit: Vec::new(),
            executed: Vec::new(),
            changes: Vec::new(),
            notices: Vec::new(),
        };
        prepare(&mut drive);
        drive.with(|_, gate| Some(start(RunId(3), proposal, &text(ANA), gate)));
        drive
    }

    fn with(&mut self, make: impl FnOnce(&Run, &Gate<'_>) -> Option<WalkOutcome>) -> bool {
        let outcome = self.look(make);
        let Some(outcome) = outcome else { return false };
        self.run = outcome.run;
        self.audit.extend(outcome.audit);
        self.executed.extend(outcome.execute);
        self.changes.extend(outcome.change);
        self.notices.extend(outcome.notices);
        true
    }

    fn look<T>(&self, look: impl FnOnce(&Run, &Gate<'_>) -> T) -> T {
        let mut runs = self.earlier.clone();
        if !self.run.steps.is_empty() {
            runs.insert(self.run.id, Arc::new(self.run.clone()));
        }
        let incidents = BTreeMap::from([(self.incident.id, Arc::new(self.incident.clone()))]);
        look(
            &self.run,
            &Gate {
                subject: (&self.incident).into(),
                incidents: &incidents,
                settings: &self.settings,
                policy: &self.policy,
                safety: &self.safety,
                runs: &runs,
                can_tell: true,
                outlook: &self.systems,
                now: self.now,
            },
        )
    }

    fn asks(
        &mut self,
        make: impl FnOnce(&Run, &Gate<'_>) -> Result<WalkOutcome, GateRefusal>,
    ) -> Result<(), GateRefusal> {
        let mut refusal = Ok(());
        self.with(|run, gate| make(run, gate).map_err(|no| refusal = Err(no)).ok());
        refusal
    }

    fn approve(&mut self, step: usize) -> Result<(), GateRefusal> {
        let token = self.run.steps.get(step).map_or_else(|| text(""), |step| Arc::clone(&step.offer));
        self.approve_as_shown(step, &token, None)
    }

    fn approve_typed(&mut self, step: usize, typed: &str) -> Result<(), GateRefusal> {
        let token = Arc::clone(&self.run.steps[step].offer);
        self.approve_as_shown(step, &token, Some(typed))
    }

    fn approve_as_shown(&mut self, step: usize, token: &str, typed: Option<&str>) -> Result<(), GateRefusal> {
        self.asks(|run, gate| approve(run, step, token, typed, &text(ANA), gate))
    }

    fn report(&mut self, step: usize, progress: StepProgress) -> bool {
        self.now = self.now + 500;
        let attempt = self.attempt_of(step);
        self.report_of(step, &attempt, progress)
    }

    /// The identity under which the step was begun last.
    fn attempt_of(&self, step: usize) -> Arc<str> {
        self.run.steps[step].begun.last().map_or_else(|| text(""), |begun| Arc::clone(&begun.id))
    }

    /// A report of one attempt.
    fn report_of(&mut self, step: usize, attempt: &Arc<str>, progress: StepProgress) -> bool {
        let attempt = Arc::clone(attempt);
        self.with(|run, gate| on_report(run, &StepReport { run: run.id, step, attempt, progress }, gate))
    }

    fn exit(&mut self, step: usize, code: i32) {
        assert!(self.report(step, StepProgress::Exited { code: Some(code), took_ms: 500 }));
    }

    fn say(&mut self, step: usize, line: &str) {
        assert!(self.report(step, StepProgress::Output(vec![text(line)])));
    }

    fn tick(&mut self, now: Timestamp, readings: &[(i64, f64)]) -> bool {
        self.now = now;
        self.systems.readings = readings.iter().map(|(at, value)| reading(*at, *value)).collect();
        self.with(on_tick)
    }

    /// Walks to the act, which is offered then.
    fn walk_to_offered_act(&mut self) {
        self.approve(0).unwrap();
        self.approve(1).unwrap();
        self.say(1, "payment-1 Running");
        self.exit(1, 0);
    }

    /// Walks to the act and leaves it running.
    fn walk_to_running_act(&mut self) {
        self.walk_to_offered_act();
        self.approve(2).unwrap();
    }

    /// Walks to the verify step.
    fn walk_to_verify(&mut self) {
        self.walk_to_running_act();
        self.exit(2, 0);
    }

    fn audit_texts(&self) -> Vec<&str> {
        self.audit.iter().map(|note| note.text.as_ref()).collect()
    }
}
