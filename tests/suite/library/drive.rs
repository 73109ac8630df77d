//! Walks a runbook through a simulated world with the real gate and the real walk, on a virtual clock; a stand-in approves
//! what is offered, answers questions as the world is, and stops what pauses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hypocenter::engine::act::policy::{Gate, Harm, Outlook};
use hypocenter::engine::act::walk::{self, WalkOutcome};
use hypocenter::engine::clock::{SECOND_MS, Timestamp};
use hypocenter::engine::input::{StepProgress, StepReport};
use hypocenter::engine::model::{
    Alert, AlertNotice, AlertState, Anomaly, AnomalyId, AnomalyKind, AnomalyState, Band, Buckets, Change, ChangeId,
    ChangeKind, ChangeNotice, DetectionMethod, Direction, EdgeNotice, EdgeOrigin, Fingerprint, Hypothesis, Incident,
    IncidentId, IncidentSeverity, Labels, Proposal, Purpose, Ranking, Reading, Run, RunId, RunState, Safety, Score,
    SeriesRole, ServiceName, Severity, SourceName, StepKind, StepState, Unit,
};
use hypocenter::engine::runbooks::{Library, propose};
use hypocenter::engine::settings::{PolicySettings, RunbookSettings, SshSettings};

use super::world::{Answer, Dice, End, Fate, Kind, World, fate};

const START: Timestamp = Timestamp(1_795_287_600_000);
/// Between two samples of a metric.
const SAMPLE_MS: i64 = 15 * SECOND_MS;
/// Programs that the library uses; a site allows those it wants.
const PROGRAMS: [&str; 14] = [
    "kubectl",
    "psql",
    "systemctl",
    "df",
    "ls",
    "journalctl",
    "curl",
    "ssh",
    "ansible-playbook",
    "pg_isready",
    "redis-cli",
    "cmctl",
    "ping",
    "getent",
];

/// And those that it uses on other machines only.
const REMOTE_PROGRAMS: [&str; 3] = ["chronyc", "debsecan", "apt-get"];

/// What came of one world.
pub struct Played {
    pub kind: &'static str,
    pub seed: u64,
    pub world: String,
    pub acts: Vec<String>,
    pub wanted: Vec<String>,
    /// Acts that may follow those wanted, where those did not help.
    pub may_follow: Vec<String>,
    pub end: End,
    pub state: RunState,
    pub is_mended: bool,
    last: String,
}

impl Played {
    pub fn told(&self) -> String {
        format!(
            "  {} seed {} ({}): did {:?}, wanted {:?}; {:?}, mended {}; {}",
            self.kind, self.seed, self.world, self.acts, self.wanted, self.state, self.is_mended, self.last
        )
    }
}

fn incident(kind: &Kind) -> Incident {
    let hypothesis = Hypothesis {
        kind: kind.cause,
        service: ServiceName::new(kind.service),
        change: Some(ChangeId(1)),
        title: Arc::from("cause"),
        confidence: Score::new(0.9),
        evidence_for: Vec::new(),
        evidence_against: Vec::new(),
        impact_chain: Vec::new(),
        buckets: Buckets::default(),
        disproved_by: Arc::from(""),
    };
    Incident {
        title: Arc::from("a failure"),
        severity: IncidentSeverity::Sev2,
        services: [(ServiceName::new(kind.service), START)].into(),
        anomalies: [AnomalyId(1)].into(),
        alerts: [Fingerprint(1)].into(),
        changes: [ChangeId(1)].into(),
        ranking: Ranking { hypotheses: vec![hypothesis], unresolved: None },
        ..Incident::opened(IncidentId(42), START, START)
    }
}

fn anomaly(kind: &Kind, metric: &str) -> Anomaly {
    Anomaly {
        id: AnomalyId(1),
        fingerprint: Fingerprint(7),
        kind: AnomalyKind::Deviation,
        service: ServiceName::new(kind.service),
        instance: None,
        metric: Arc::from(metric),
        unit: Unit::Ratio,
        role: SeriesRole::Saturation,
        template: None,
        direction: Direction::Above,
        is_harmful: true,
        severity: Severity::Critical,
        state: AnomalyState::Active,
        value: 1.0,
        peak_value: 1.0,
        expected: Band { low: 0.0, centre: 0.1, high: 0.2 },
        deviation_sigma: 10.0,
        peak_sigma: 10.0,
        method: DetectionMethod::SeasonalZ,
        history_days: 21.0,
        started_at: START,
        last_seen_at: START,
        ended_at: None,
        repeat_count: 3,
        incident: Some(IncidentId(42)),
        suppressed: None,
        recent: Vec::new(),
        forecast: None,
        at_onset: Vec::new(),
        promise: None,
        contradictions: Vec::new(),
    }
}

fn alert(kind: &Kind, labels: &[(&str, &str)]) -> Alert {
    let name = labels.iter().find(|(label, _)| *label == "alertname").map_or("", |(_, name)| *name);
    Alert {
        notice: AlertNotice {
            source: SourceName::new("alertmanager"),
            fingerprint: Fingerprint(1),
            name: Arc::from(name),
            service: Some(ServiceName::new(kind.service)),
            severity: Severity::Critical,
            state: AlertState::Firing,
            starts_at: START,
            ends_at: None,
            muted_by: None,
            summary: Arc::from(""),
            generator_url: Arc::from(""),
            labels: Labels::new(labels.iter().copied()),
        },
        told_by: BTreeSet::new(),
        firing_by: BTreeSet::new(),
        repeat_count: 1,
        first_seen_at: START,
        last_seen_at: START,
        incident: Some(IncidentId(42)),
        suppressed: None,
    }
}

fn known(kind: &Kind, incident: &Incident, has_alert: bool) -> hypocenter::engine::world::World {
    let mut world = hypocenter::engine::world::World::default();
    if let Some(metric) = kind.departs {
        world.anomalies.insert(AnomalyId(1), Arc::new(anomaly(kind, metric)));
    }
    let other = [("alertname", "HighErrorRate")];
    let labels = if has_alert && !kind.labels.is_empty() { kind.labels } else { &other };
    world.alerts.insert(Fingerprint(1), Arc::new(alert(kind, labels)));
    if kind.is_machine {
        world.machines.insert(ServiceName::new(kind.service));
    }
    let mut topology = (*world.topology).clone();
    topology.observe(&EdgeNotice {
        source: SourceName::new("s"),
        caller: ServiceName::new(kind.service),
        callee: ServiceName::new(&format!("{}-db", kind.service)),
        origin: EdgeOrigin::Configured,
        seen_at: START,
    });
    world.topology = Arc::new(topology);
    let notice = ChangeNotice {
        source: SourceName::new("deploys"),
        external_id: Arc::from("dep-1"),
        kind: ChangeKind::Deploy,
        service: Some(ServiceName::new(kind.service)),
        title: Arc::from("deploy"),
        version: Some(Arc::from("prod-egress-v847")),
        author: None,
        url: None,
        at: START,
        finished_at: None,
        has_taken_effect: true,
        content: None,
    };
    world.changes.insert(ChangeId(1), Arc::new(Change { id: ChangeId(1), notice }));
    world.incidents.insert(incident.id, Arc::new(incident.clone()));
    world
}

/// The proposal of the kind's runbook, where it is offered.
pub fn offer(library: &Library, kind: &Kind, has_alert: bool) -> Option<Proposal> {
    let incident = incident(kind);
    let world = known(kind, &incident, has_alert);
    propose(library, &world, &incident).into_iter().find(|proposal| proposal.runbook.id.as_ref() == kind.runbook)
}

/// How the simulated metrics stand.
struct Figures {
    metrics: Vec<(&'static str, f64, f64)>,
    fate: Fate,
    /// When the last of the healing steps happened.
    healed_at: Option<Timestamp>,
    /// Until the remedy shows, and until all is well, in milliseconds.
    lag_ms: i64,
    ramp_ms: i64,
    noise: u64,
    now: Timestamp,
}

impl Figures {
    /// How much of the harm is left, 0 to 1.
    fn harm_left(&self, at: Timestamp) -> f64 {
        let Some(healed_at) = self.healed_at else { return 1.0 };
        let since = at.since_ms(healed_at);
        let left = 1.0 - (since - self.lag_ms) as f64 / self.ramp_ms as f64;
        match self.fate {
            Fate::HelpsNothing => 1.0,
            Fate::Relapses if since > self.lag_ms + self.ramp_ms + 45_000 => 1.0,
            _ => left.clamp(0.0, 1.0),
        }
    }

    fn is_mended(&self) -> bool {
        matches!(self.fate, Fate::Helps) && self.healed_at.is_some() && self.harm_left(self.now) == 0.0
    }

    fn reading(&self, metric: &str) -> Option<Reading> {
        if self.fate == Fate::GoesSilent && self.healed_at.is_some() {
            return None;
        }
        let at = Timestamp(self.now.0 - self.now.0 % SAMPLE_MS);
        let (name, bad, good) = match self.metrics.iter().find(|(name, ..)| *name == metric) {
            Some(found) => *found,
            None if metric == "request_rate" => ("request_rate", 22.0, 22.0),
            None => return None,
        };
        if bad.is_nan() {
            return None;
        }
        let mut value = good + (bad - good) * self.harm_left(at);
        let mut dice = Dice::new(self.noise ^ at.0.unsigned_abs() ^ name.len() as u64);
        value *= 1.0 + dice.between(-40, 40) as f64 / 1_000.0;
        let is_gone = self.fate == Fate::LosesTraffic && self.healed_at.is_some();
        if is_gone {
            value = if name == "request_rate" { 0.0 } else { good };
        }
        let band = if name == "request_rate" {
            Band { low: 10.0, centre: 22.0, high: 40.0 }
        } else {
            let (low, high) = (good.min(bad), good.max(bad));
            let edge = 0.25 * (high - low);
            Band { low: good - edge - 0.05 * good.abs(), centre: good, high: good + edge + 0.05 * good.abs() }
        };
        let is_anomalous = value > band.high || value < band.low;
        Some(Reading { instance: None, at, value, unit: Unit::Ratio, band, is_anomalous })
    }
}

impl Outlook for Figures {
    fn readings(&self, _service: &str, metric: &str) -> Vec<Reading> {
        self.reading(metric).into_iter().collect()
    }

    fn harm(&self) -> BTreeMap<Arc<str>, Harm> {
        BTreeMap::new()
    }
}

/// A run in a world.
struct Drive<'a> {
    kind: &'static Kind,
    world: &'static World,
    incident: &'a Incident,
    incidents: BTreeMap<IncidentId, Arc<Incident>>,
    settings: RunbookSettings,
    policy: PolicySettings,
    safety: Safety,
    runs: BTreeMap<RunId, Arc<Run>>,
    figures: Figures,
    dice: Dice,
    /// What running calls will tell, by when.
    pending: Vec<(Timestamp, StepReport, Option<String>)>,
    happened: BTreeSet<String>,
    acts: Vec<String>,
}

impl Drive<'_> {
    fn with<T>(&self, look: impl FnOnce(&Gate<'_>) -> T) -> T {
        look(&Gate {
            subject: self.incident.into(),
            incidents: &self.incidents,
            settings: &self.settings,
            policy: &self.policy,
            safety: &self.safety,
            runs: &self.runs,
            can_tell: true,
            outlook: &self.figures,
            now: self.figures.now,
        })
    }

    fn run(&self) -> Arc<Run> {
        Arc::clone(&self.runs[&RunId(1)])
    }

    fn take(&mut self, outcome: WalkOutcome) {
        let WalkOutcome { run, execute, .. } = outcome;
        if let Some(step) = execute {
            let name = run.steps[step.step()].bound.spec.name.to_string();
            let words = step.call().words();
            let command = words.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
            let is_act = matches!(run.steps[step.step()].bound.spec.kind, StepKind::Act(_));
            assert_eq!(step.purpose(), Purpose::Run);
            if is_act {
                self.acts.push(name.clone());
            }
            let (lines, exit) = self.answer(&command, is_act);
            let took_ms = self.dice.between(40, 4_000);
            let at = self.figures.now + took_ms;
            let attempt = step.step_id();
            let report =
                |progress| StepReport { run: RunId(1), step: step.step(), attempt: Arc::clone(attempt), progress };
            let told = StepProgress::Output(lines.into_iter().map(Arc::from).collect());
            self.pending.push((at, report(told), None));
            let done = (exit == 0).then_some(name);
            self.pending.push((at, report(StepProgress::Exited { code: Some(exit), took_ms }), done));
        }
        self.runs.insert(RunId(1), Arc::new(run));
    }

    /// The world's own answer before the kind's, and one that waits for a step before one that does not.
    fn answer(&mut self, command: &str, is_act: bool) -> (Vec<String>, i32) {
        let fits = |answer: &&Answer| {
            let is_said = match answer.says.strip_prefix('^') {
                Some(start) => command.starts_with(start),
                None => command.contains(answer.says),
            };
            is_said && (answer.after.is_empty() || self.happened.contains(answer.after))
        };
        let best = |answers: &'static [Answer]| {
            let late = answers.iter().filter(|answer| !answer.after.is_empty()).find(fits);
            late.or_else(|| answers.iter().find(fits))
        };
        match best(self.world.answers).or_else(|| best(self.kind.answers)) {
            Some(answer) => (answer.lines.iter().map(|line| self.dice.fill(line)).collect(), answer.exit),
            None if is_act => (vec!["done".to_owned()], 0),
            None => panic!("{}, {}: nothing is answered to `{command}`", self.kind.name, self.world.name),
        }
    }

    fn note(&mut self, step: String) {
        self.happened.insert(step);
        let is_healed =
            !self.world.heals.is_empty() && self.world.heals.iter().all(|step| self.happened.contains(*step));
        if is_healed && self.figures.healed_at.is_none() {
            self.figures.healed_at = Some(self.figures.now);
        }
    }

    fn advance(&mut self, now: Timestamp) {
        self.figures.now = now;
        let (due, later): (Vec<_>, Vec<_>) = self.pending.drain(..).partition(|(at, ..)| *at <= now);
        self.pending = later;
        for (_, report, done) in due {
            if let Some(step) = done {
                self.note(step);
            }
            let run = self.run();
            if let Some(outcome) = self.with(|gate| walk::on_report(&run, &report, gate)) {
                self.take(outcome);
            }
        }
        let run = self.run();
        if let Some(outcome) = self.with(|gate| walk::on_tick(&run, gate)) {
            self.take(outcome);
        }
    }

    /// Does what is offered; false where the gate refuses, or nothing more is to be done here.
    fn answer_offer(&mut self) -> bool {
        let run = self.run();
        let Some(at) = run.current_step().filter(|at| run.steps[*at].state == StepState::Waiting) else { return true };
        let step = &run.steps[at];
        let (token, target) = (Arc::clone(&step.offer), Arc::clone(&step.bound.spec.touches));
        if matches!(step.bound.spec.kind, StepKind::Ask { .. }) {
            let name = step.bound.spec.name.to_string();
            let choice = self.world.choices.iter().find(|(step, _)| *step == name).map_or(0, |(_, choice)| *choice);
            let outcome = self.with(|gate| walk::choose(&run, at, &token, choice, &Arc::from("ana"), gate));
            self.note(name);
            self.take(outcome.expect("a question is answered"));
            return true;
        }
        let by = if step.approvals.is_empty() { "ana" } else { "ben" };
        match self.with(|gate| walk::approve(&run, at, &token, Some(&target), &Arc::from(by), gate)) {
            Ok(outcome) => self.take(outcome),
            Err(_) => return false,
        }
        true
    }
}

/// Plays one world of a kind to its end.
pub fn play(proposal: &Proposal, kind: &'static Kind, seed: u64) -> Played {
    let (fate, at) = fate(kind, seed);
    let world = &kind.worlds[at];
    let incident = incident(kind);
    let mut dice = Dice::new(seed ^ (kind.name.len() as u64) << 32);
    let mut metrics: Vec<_> = world.metrics.to_vec();
    metrics.extend(kind.metrics);
    let figures = Figures {
        metrics,
        fate,
        healed_at: None,
        lag_ms: dice.between(5, 60) * SECOND_MS,
        ramp_ms: dice.between(20, 80) * SECOND_MS,
        noise: seed,
        now: START,
    };
    let mut drive = Drive {
        kind,
        world,
        incident: &incident,
        incidents: BTreeMap::from([(incident.id, Arc::new(incident.clone()))]),
        settings: RunbookSettings {
            allowed_programs: PROGRAMS.map(str::to_owned).to_vec(),
            ssh: SshSettings { programs: REMOTE_PROGRAMS.map(str::to_owned).to_vec(), ..SshSettings::default() },
            ..RunbookSettings::default()
        },
        policy: PolicySettings::default(),
        safety: Safety::default(),
        runs: BTreeMap::new(),
        figures,
        dice,
        pending: Vec::new(),
        happened: BTreeSet::new(),
        acts: Vec::new(),
    };
    let begun = drive.with(|gate| walk::start(RunId(1), proposal, &Arc::from("ana"), gate));
    drive.take(begun);
    let mut now = START;
    let mut is_refused = false;
    while drive.run().state == RunState::Active && !is_refused && now < START + 3 * 3_600 * SECOND_MS {
        now = now + 5 * SECOND_MS;
        drive.advance(now);
        is_refused = drive.run().state == RunState::Active && !drive.answer_offer();
    }
    let run = drive.run();
    let end = if fate == Fate::Helps { world.end } else { End::Stopped };
    let remedies = kind.worlds.iter().filter(|world| world.end == End::Mended).flat_map(|world| world.trail);
    let may_follow = remedies.filter(|_| fate != Fate::Helps).map(|act| (*act).to_owned()).collect();
    let at = run.steps.iter().rfind(|step| !matches!(step.state, StepState::Pending | StepState::PassedOver { .. }));
    Played {
        kind: kind.name,
        seed,
        world: if fate == Fate::Helps { world.name.to_owned() } else { format!("{}: {fate:?}", world.name) },
        acts: drive.acts.clone(),
        wanted: world.trail.iter().map(|act| (*act).to_owned()).collect(),
        may_follow,
        end,
        state: run.state,
        is_mended: drive.figures.is_mended(),
        last: at
            .map_or_else(String::new, |step| format!("{} {:?}, {:?}", step.bound.spec.name, step.state, step.output)),
    }
}
