//! A second judge of what may be done, written from the rules alone and knowing nothing of how the gate keeps them: plain
//! facts in, one word out. Both judge the same situations, made at random, and must agree on every one.
//!
//! `HYPO_ORACLE_CASES=100000 cargo test --test suite -- policy_oracle` tries a hundred thousand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hypocenter::engine::act::policy::{Approved, Decision, Gate, Harm, Outlook, approve, decide, evidence as known};
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::model::{
    ActSpec, ActionKind, Approval, AutonomyMode, Band, Beginning, BlastRadius, BoundStep, Call, CauseKind, CheckSpec,
    Danger, Evidence, EvidenceKind, Hypothesis, Incident, IncidentId, IncidentState, KillSwitch, Look, MetricGoal,
    Purpose, Ranking, Reading, Repeat, Run, RunId, RunState, RunStep, Runbook, Safety, Score, ServiceName,
    ShadowRecord, StepEffect, StepKind, StepSpec, StepState, Unexpected, Unit,
};
use hypocenter::engine::settings::{FreezeSettings, GateSettings, PolicySettings, RunbookSettings};
use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64;

use crate::fixtures;

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;
fn before(now: Timestamp, ms: i64) -> Timestamp {
    Timestamp(now.0 - ms)
}

fn after(now: Timestamp, ms: i64) -> Timestamp {
    Timestamp(now.0 + ms)
}

const PROOFS: [&str; 5] = ["role", "replica_lag", "backup_age", "no_long_transaction", "drain_plan"];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Precheck {
    None,
    Holds,
    Fails,
    NoData,
    /// It held, three minutes ago.
    Stale,
}

/// What was known otherwise when the step was shown.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Drift {
    Nothing,
    /// Which is no drift.
    Confidence,
    State,
    Cause,
    Evidence,
    Against,
    Check,
}

/// Everything the rules speak of, as plain as it gets.
#[derive(Debug, Clone)]
struct Facts {
    mode: AutonomyMode,
    is_read_only: bool,
    /// An act; otherwise a call that looks.
    is_act: bool,
    action: ActionKind,
    danger: Danger,
    is_reversible: bool,
    has_undo: bool,
    targets_max: u32,
    approvals: u8,
    is_allow_listed: bool,
    is_database: bool,
    /// The call says `restart`, whatever kind of act it is.
    is_restart_said: bool,
    confidence: f64,
    evidence_kinds: usize,
    /// Whether the run is against the cause that is believed most.
    is_first_cause: bool,
    /// Percent for act and notify in place of 85 and 65, for this act on this service; each can be left out.
    own_gate: Option<(Option<u8>, Option<u8>)>,
    is_assist_listed: bool,
    agreed: u32,
    differed: u32,
    is_frozen: bool,
    /// A freeze that is over, or of another service.
    has_other_freeze: bool,
    is_killed: bool,
    failed_here: usize,
    unknown_here: usize,
    /// Runs of this incident that a person stopped behind an act that nothing had verified yet.
    unverified_here: usize,
    /// Runs of it that ended well, and what they verified did not hold.
    not_held_here: usize,
    /// Attempts at one act of one run of this incident, of which the last was verified.
    attempts_here: usize,
    /// Runs of it that ended with their verification passed over.
    passed_over_here: usize,
    failed_elsewhere: usize,
    failed_elsewhere_minutes_ago: i64,
    is_reset_since: bool,
    engine_acts: usize,
    people_acts: usize,
    engine_acts_merged: usize,
    /// Acts that began by themselves for other incidents, and how many minutes ago.
    engine_acts_elsewhere: usize,
    engine_acts_elsewhere_minutes_ago: i64,
    /// An act of another kind on the same target, for another incident or by another step of this run.
    touched_minutes_ago: Option<i64>,
    was_touched_here: bool,
    verified_days_ago: Option<i64>,
    is_locked: bool,
    precheck: Precheck,
    proofs: usize,
    missing_proof: usize,
    is_proof_unexpected: bool,
    restarted_minutes_ago: Option<i64>,
    /// That restart was a step of this very run, a failover, or of the target under a longer name.
    was_restarted_here: bool,
    was_failover: bool,
    has_long_name: bool,
    /// Another act of this very run has failed, or nobody saw its end.
    failed_in_this_run: Option<bool>,
    /// Acts begun in this run, of those that its page allows.
    acts_in_this_run: usize,
    acts_max: u8,
    is_incident_over: bool,
    /// For another incident than the one looked at.
    is_of_another: bool,
    was_done_before: bool,
    // What is known of the approval.
    run_state: RunState,
    is_token_right: bool,
    offered_minutes_ago: i64,
    is_target_typed: bool,
    is_begun_before: bool,
    drift: Drift,
    /// Others who said yes, each with how many minutes ago; the first may be the approver himself.
    others: Vec<(bool, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    Allow { is_told: bool },
    Ask,
    Deny,
}

fn may(facts: &Facts) -> May {
    // New packages restart what they carry.
    let restarts = matches!(facts.action, ActionKind::Restart | ActionKind::Failover | ActionKind::Patch);
    let is_restart = restarts || facts.is_restart_said;
    // Two minutes ago this very act was begun, where it was begun before.
    let was_restarted = facts.restarted_minutes_ago.is_some_and(|ago| ago < 15) || facts.is_begun_before;
    let lacks_proof = facts.proofs < PROOFS.len() || was_restarted;
    let denials = [
        facts.is_killed,
        !facts.is_allow_listed,
        facts.is_act && (facts.is_read_only || facts.mode == AutonomyMode::Observe),
        facts.is_act && facts.is_frozen,
        facts.is_act && facts.is_locked,
        facts.is_act && matches!(facts.precheck, Precheck::Fails | Precheck::NoData | Precheck::Stale),
        facts.is_act && facts.is_database && is_restart && lacks_proof,
        facts.is_act && facts.acts_begun_here() >= usize::from(facts.acts_max),
        facts.is_act && (facts.is_incident_over || facts.is_of_another),
    ];
    if denials.contains(&true) {
        return May::Deny;
    }
    let mode = if facts.is_read_only { AutonomyMode::Observe } else { facts.mode };
    if !facts.is_act {
        return if mode == AutonomyMode::Assist { May::Allow { is_told: false } } else { May::Ask };
    }
    let (act, notify) = facts.own_gate.unwrap_or((None, None));
    let never = 101;
    let notify = notify.unwrap_or(if act == Some(never) { never } else { 65 });
    let act = act.unwrap_or(85);
    let percent = facts.confidence * 100.0;
    let counts = |at_minutes_ago: i64| !facts.is_reset_since && at_minutes_ago < 30;
    let failures_here = if facts.is_reset_since {
        0
    } else {
        let runs = facts.failed_here + facts.unknown_here + facts.unverified_here + facts.not_held_here;
        runs + facts.passed_over_here + facts.attempts_here.saturating_sub(1)
    };
    let recent_elsewhere = if counts(facts.failed_elsewhere_minutes_ago) { facts.failed_elsewhere } else { 0 };
    let is_open = failures_here >= 2 || failures_here + recent_elsewhere >= 3;
    let trials = ShadowRecord { agreed: facts.agreed, differed: facts.differed };
    let doubts = [
        mode != AutonomyMode::Assist,
        !facts.is_assist_listed,
        !facts.is_reversible,
        !facts.has_undo,
        facts.danger == Danger::High,
        facts.approvals > 1,
        facts.targets_max > 1,
        percent < f64::from(notify.min(act)),
        facts.evidence_kinds < 2,
        !facts.is_first_cause,
        facts.verified_days_ago.is_none_or(|days| days > 90),
        trials.agreed + trials.differed < 20,
        trials.agreement_lower() < ShadowRecord { agreed: 20, differed: 0 }.agreement_lower(),
        is_open,
        facts.engine_acts + facts.engine_acts_merged >= 8,
        facts.is_repeated(),
        facts.failed_in_this_run.is_some(),
        [facts.touched_minutes_ago, facts.restarted_minutes_ago].iter().flatten().any(|ago| *ago < 10),
        facts.engine_acts_elsewhere >= 12 && facts.engine_acts_elsewhere_minutes_ago < 60,
    ];
    if doubts.contains(&true) { May::Ask } else { May::Allow { is_told: percent < f64::from(act) } }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Begins,
    Wants(usize),
    Refused,
}

/// What a person's yes does.
fn word(facts: &Facts) -> Word {
    let is_risky = facts.is_act && (facts.danger == Danger::High || !facts.is_reversible || facts.is_repeated());
    let refusals = [
        facts.run_state != RunState::Active,
        !facts.is_token_right,
        facts.offered_minutes_ago > 10,
        may(facts) == May::Deny,
        is_risky && !facts.is_target_typed,
        facts.is_begun_before,
        facts.failed_in_this_run.is_some(),
        !matches!(facts.drift, Drift::Nothing | Drift::Confidence),
    ];
    if refusals.contains(&true) {
        return Word::Refused;
    }
    let others = facts.others.iter().filter(|(is_same, ago)| !is_same && *ago <= 10).count();
    let wanted = if facts.is_act { usize::from(facts.approvals.max(1)) } else { 1 };
    if others + 1 >= wanted { Word::Begins } else { Word::Wants(wanted - others - 1) }
}

fn one_of<T: Clone>(random: &mut Pcg64, of: &[T]) -> T {
    of[random.random_range(0..of.len())].clone()
}

fn mostly(random: &mut Pcg64) -> bool {
    random.random_range(0..14) > 0
}

fn seldom(random: &mut Pcg64) -> bool {
    random.random_range(0..14) == 0
}

impl Facts {
    /// Acts of this run that were begun: what went before, a restart of it, one that failed, and this very one.
    fn acts_begun_here(&self) -> usize {
        let restarted = self.restarted_minutes_ago.is_some() && self.was_restarted_here;
        let touched = self.touched_minutes_ago.is_some() && self.was_touched_here;
        let others = self.acts_in_this_run
            + usize::from(restarted)
            + usize::from(touched)
            + usize::from(self.failed_in_this_run.is_some());
        others + usize::from(self.is_begun_before)
    }

    /// The very call was begun for this incident before, in this run or another.
    fn is_repeated(&self) -> bool {
        self.was_done_before || self.is_begun_before
    }

    /// Most rules hold most of the time, so that every one of them decides sometimes.
    fn random(random: &mut Pcg64) -> Self {
        let r = random;
        let is_proved = mostly(r);
        Self {
            mode: one_of(
                r,
                &[
                    AutonomyMode::Observe,
                    AutonomyMode::Suggest,
                    AutonomyMode::Assist,
                    AutonomyMode::Assist,
                    AutonomyMode::Assist,
                    AutonomyMode::Assist,
                    AutonomyMode::Assist,
                ],
            ),
            is_read_only: seldom(r),
            is_act: mostly(r),
            action: one_of(r, &ActionKind::ALL),
            danger: one_of(r, &[Danger::Low, Danger::Low, Danger::Low, Danger::Medium, Danger::Medium, Danger::High]),
            is_reversible: mostly(r),
            has_undo: mostly(r),
            targets_max: if mostly(r) { 1 } else { 2 },
            approvals: if mostly(r) { 1 } else { r.random_range(2..4) },
            is_allow_listed: mostly(r),
            is_database: r.random_range(0..3) == 0,
            is_restart_said: r.random_range(0..4) == 0,
            confidence: one_of(r, &[0.3, 0.49, 0.5, 0.64, 0.65, 0.7, 0.84, 0.85, 0.86, 0.9, 0.95, 0.99]),
            evidence_kinds: one_of(r, &[0, 1, 2, 2, 2, 2, 3, 3, 3, 4]),
            is_first_cause: mostly(r),
            own_gate: one_of(
                r,
                &[
                    None,
                    None,
                    None,
                    None,
                    Some((Some(70), Some(50))),
                    Some((Some(99), Some(90))),
                    Some((Some(99), None)),
                    Some((None, Some(80))),
                    Some((None, None)),
                    Some((Some(101), Some(101))),
                    Some((Some(101), Some(50))),
                    Some((Some(101), None)),
                ],
            ),
            is_assist_listed: mostly(r),
            agreed: one_of(r, &[0, 10, 19, 20, 20, 25, 40, 60]),
            differed: one_of(r, &[0, 0, 0, 0, 0, 0, 1, 2, 5]),
            is_frozen: seldom(r),
            has_other_freeze: r.random_range(0..3) == 0,
            is_killed: seldom(r),
            failed_here: one_of(r, &[0, 0, 0, 0, 0, 0, 1, 1, 2, 3]),
            unknown_here: one_of(r, &[0, 0, 0, 0, 0, 0, 0, 1, 1, 2]),
            unverified_here: one_of(r, &[0, 0, 0, 0, 0, 0, 0, 0, 1, 2]),
            not_held_here: one_of(r, &[0, 0, 0, 0, 0, 0, 0, 0, 1, 2]),
            attempts_here: one_of(r, &[0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3]),
            passed_over_here: one_of(r, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]),
            failed_elsewhere: one_of(r, &[0, 0, 0, 1, 2, 3, 4]),
            failed_elsewhere_minutes_ago: one_of(r, &[5, 29, 31, 90]),
            is_reset_since: r.random_range(0..4) == 0,
            engine_acts: one_of(r, &[0, 0, 0, 1, 5, 7, 8, 9]),
            people_acts: one_of(r, &[0, 0, 1, 9]),
            engine_acts_merged: one_of(r, &[0, 0, 0, 1, 3]),
            engine_acts_elsewhere: one_of(r, &[0, 0, 0, 0, 0, 0, 0, 11, 12, 13]),
            engine_acts_elsewhere_minutes_ago: one_of(r, &[1, 59, 60, 61]),
            touched_minutes_ago: one_of(
                r,
                &[None, None, None, None, None, None, None, None, Some(1), Some(9), Some(10), Some(11)],
            ),
            was_touched_here: r.random_range(0..3) == 0,
            verified_days_ago: one_of(
                r,
                &[None, Some(1), Some(30), Some(60), Some(89), Some(91), Some(1), Some(2), Some(9), Some(20)],
            ),
            is_locked: seldom(r),
            precheck: one_of(
                r,
                &[
                    Precheck::None,
                    Precheck::None,
                    Precheck::None,
                    Precheck::None,
                    Precheck::Holds,
                    Precheck::Holds,
                    Precheck::Fails,
                    Precheck::NoData,
                    Precheck::Stale,
                ],
            ),
            proofs: if is_proved { 5 } else { 4 },
            missing_proof: r.random_range(0..5),
            is_proof_unexpected: r.random(),
            restarted_minutes_ago: one_of(r, &[None, None, None, None, Some(3), Some(14), Some(16), Some(60)]),
            was_restarted_here: r.random_range(0..3) == 0,
            was_failover: r.random_range(0..3) == 0,
            has_long_name: r.random(),
            failed_in_this_run: if mostly(r) { None } else { Some(r.random()) },
            acts_in_this_run: one_of(r, &[0, 0, 0, 1, 2]),
            acts_max: one_of(r, &[1, 2, 3, 4, 8, 8, 8, 8]),
            is_incident_over: seldom(r) && seldom(r),
            is_of_another: seldom(r) && seldom(r),
            was_done_before: seldom(r),
            run_state: if mostly(r) {
                RunState::Active
            } else {
                one_of(
                    r,
                    &[
                        RunState::Paused,
                        RunState::Succeeded,
                        RunState::Failed,
                        RunState::Stopped,
                        RunState::Interrupted,
                    ],
                )
            },
            is_token_right: mostly(r),
            offered_minutes_ago: one_of(r, &[0, 1, 9, 9, 9, 11, 60]),
            is_target_typed: r.random(),
            is_begun_before: seldom(r),
            drift: if mostly(r) {
                Drift::Nothing
            } else {
                use Drift::{Against, Cause, Check, Confidence, Evidence, State};
                one_of(r, &[Confidence, State, Cause, Evidence, Against, Check])
            },
            others: (0..r.random_range(0..4)).map(|_| (r.random_range(0..3) == 0, one_of(r, &[1, 9, 11]))).collect(),
        }
    }
}

/// The world of a gate that the facts are told of.
struct Situation {
    run: Run,
    incident: Incident,
    incidents: BTreeMap<IncidentId, Arc<Incident>>,
    settings: RunbookSettings,
    policy: PolicySettings,
    safety: Safety,
    runs: BTreeMap<RunId, Arc<Run>>,
    precheck: Precheck,
    now: Timestamp,
}

impl Outlook for Situation {
    fn readings(&self, service: &str, metric: &str) -> Vec<Reading> {
        if (service, metric) != ("shop", "queue_length") || self.precheck == Precheck::NoData {
            return Vec::new();
        }
        let value = if self.precheck == Precheck::Fails { 99.0 } else { 1.0 };
        let age = if self.precheck == Precheck::Stale { 3 * MINUTE } else { 1_000 };
        let band = Band { low: 0.0, centre: 1.0, high: 2.0 };
        vec![Reading { instance: None, at: before(self.now, age), value, unit: Unit::Count, band, is_anomalous: false }]
    }

    fn harm(&self) -> BTreeMap<Arc<str>, Harm> {
        BTreeMap::new()
    }
}

fn base_runbook(verified: Option<Arc<str>>) -> Arc<Runbook> {
    let text = "# T\n\n```toml runbook\nid = \"t\"\nversion = \"1\"\nowner = \"team:t\"\nproblem = \"bad_deploy\"\nmax_actions = 8\n```\n\n```toml step a\nkind = \"note\"\n```\n";
    let mut runbook =
        hypocenter::engine::runbooks::parse("t.md", text).unwrap_or_else(|problems| panic!("{problems:?}"));
    runbook.verified = verified;
    runbook.expires_days = 90;
    Arc::new(runbook)
}

fn call(words: &[&str]) -> Call {
    Call::Command { argv: words.iter().map(|word| Arc::from(*word)).collect() }
}

fn step(name: &str, kind: StepKind, effect: StepEffect, touches: &str, now: Timestamp) -> RunStep {
    let spec = StepSpec {
        name: name.into(),
        title: name.into(),
        text: "".into(),
        kind,
        effect,
        touches: touches.into(),
        timeout_ms: 60_000,
    };
    RunStep::pending(BoundStep { spec, digest: format!("digest of {name} on {touches}").into() }, now)
}

fn act_spec(action: ActionKind, call: Call) -> ActSpec {
    ActSpec {
        action,
        call,
        dry_run: None,
        undo: None,
        rollback_text: "by hand".into(),
        repeat: Repeat::Never,
        prechecks: Vec::new(),
        not_restarting: Vec::new(),
        expect: "".into(),
        danger: Danger::Low,
        targets_max: 1,
        expected: "".into(),
        within_ms: MINUTE,
        approvals: 1,
        blast: BlastRadius::default(),
    }
}

impl Situation {
    fn of(facts: &Facts, runbooks: &BTreeMap<Option<i64>, Arc<Runbook>>, like: &Incident, now: Timestamp) -> Self {
        let service = if facts.is_database { "shop-db" } else { "shop" };
        let mut incident = like.clone();
        incident.runs.clear();
        incident.timeline.clear();
        incident.state = if facts.is_incident_over { IncidentState::Resolved } else { IncidentState::Acknowledged };
        incident.services = BTreeMap::from([(ServiceName::new(service), incident.started_at)]);
        let kinds = [EvidenceKind::Change, EvidenceKind::Topology, EvidenceKind::Deviation, EvidenceKind::Alerts];
        let evidence = |kind: EvidenceKind| Evidence { kind, text: "".into(), weight: 2.0, at: None, target: None };
        let mut lead = incident.ranking.hypotheses.remove(0);
        lead.kind = CauseKind::BadDeploy;
        lead.service = service.into();
        lead.confidence = Score::new(facts.confidence);
        lead.evidence_for = kinds[..facts.evidence_kinds].iter().map(|kind| evidence(*kind)).collect();
        let mut hypotheses: Vec<Hypothesis> = vec![lead.clone()];
        if !facts.is_first_cause {
            let first = Hypothesis { kind: CauseKind::DiskFull, service: "other".into(), ..lead };
            hypotheses.insert(0, first);
            hypotheses[1].confidence = Score::new(0.2);
        }
        incident.ranking = Ranking { hypotheses, unresolved: None };

        let mut world =
            Runs { facts, now, service, runs: BTreeMap::new(), runbook: &runbooks[&facts.verified_days_ago] };
        world.lay(&mut incident);
        let runs = world.runs;
        let merged = Incident { id: IncidentId(43), merged_into: Some(incident.id), ..incident.clone() };
        let other = Incident { id: IncidentId(44), merged_into: None, ..incident.clone() };
        let incidents = [incident.clone(), merged, other].map(|one| (one.id, Arc::new(one))).into();
        let run = own_run(facts, service, &runbooks[&facts.verified_days_ago], now);
        let window = |name: &str, from: i64, until: i64, services: Option<&str>| FreezeSettings {
            name: name.to_owned(),
            from: after(now, from),
            until: after(now, until),
            services: services.map(str::to_owned),
        };
        let mut freeze = Vec::new();
        if facts.has_other_freeze {
            freeze.push(window("over", -DAY, -MINUTE, None));
            freeze.push(window("later", MINUTE, DAY, None));
            freeze.push(window("others", -DAY, DAY, Some("another")));
        }
        if facts.is_frozen {
            freeze.push(window("now", -MINUTE, MINUTE, Some("shop|shop-db")));
        }
        let mut gate = Vec::new();
        if let Some((act, notify)) = facts.own_gate {
            let services = Some("another".to_owned());
            gate.push(GateSettings { action: Some(facts.action), services, act: Some(1), notify: Some(1) });
            let services = Some("shop|shop-db".to_owned());
            gate.push(GateSettings { action: Some(facts.action), services, act, notify });
        }
        let policy = PolicySettings {
            mode: facts.mode,
            assist: if facts.is_assist_listed { vec![facts.action] } else { Vec::new() },
            gate,
            freeze,
            databases: "shop-db|data-db".to_owned(),
            ..PolicySettings::default()
        };
        let kill =
            facts.is_killed.then(|| KillSwitch { at: before(now, MINUTE), by: "ann".into(), reason: "stop".into() });
        let record = ShadowRecord { agreed: facts.agreed, differed: facts.differed };
        let safety = Safety {
            kill,
            breaker_reset_at: facts.is_reset_since.then(|| before(now, MINUTE)),
            shadow: BTreeMap::from([(facts.action, record)]),
        };
        let settings = RunbookSettings { observe_only: facts.is_read_only, ..RunbookSettings::default() };
        let mut shown = Self {
            incident: known_otherwise(&incident, facts.drift),
            run: run.clone(),
            incidents: BTreeMap::new(),
            settings: settings.clone(),
            policy: policy.clone(),
            safety: safety.clone(),
            runs: BTreeMap::new(),
            precheck: facts.precheck,
            now,
        };
        if facts.drift == Drift::Check {
            let seen = &mut shown.run.steps[0].is_as_expected;
            *seen = Some(*seen != Some(true));
        }
        let mut run = run;
        let last = run.steps.len() - 1;
        run.steps[last].evidence = known(&shown.run, &shown.gate());
        Self { run, incident, incidents, settings, policy, safety, runs, precheck: facts.precheck, now }
    }

    fn gate(&self) -> Gate<'_> {
        Gate {
            subject: (&self.incident).into(),
            incidents: &self.incidents,
            settings: &self.settings,
            policy: &self.policy,
            safety: &self.safety,
            runs: &self.runs,
            can_tell: true,
            outlook: self,
            now: self.now,
        }
    }
}

/// The incident as it was when the step was shown.
fn known_otherwise(incident: &Incident, drift: Drift) -> Incident {
    let mut before = incident.clone();
    let first = &mut before.ranking.hypotheses[0];
    let piece = Evidence { kind: EvidenceKind::Logs, text: "".into(), weight: 0.1, at: None, target: None };
    match drift {
        Drift::Nothing | Drift::Check => {}
        Drift::Confidence => first.confidence = Score::new(0.11),
        Drift::State => before.state = IncidentState::Mitigated,
        Drift::Cause => first.service = "yet-another".into(),
        Drift::Evidence => first.evidence_for.push(piece),
        Drift::Against => first.evidence_against.push(piece),
    }
    before
}

/// Acts of the same run that went before.
fn acts_before(facts: &Facts, service: &str, now: Timestamp) -> Vec<RunStep> {
    let act = |name: &str, action: ActionKind, touches: &str, at: Timestamp, state: StepState| {
        let spec = act_spec(action, call(&["kubectl", "before", name]));
        let mut act = step(name, StepKind::Act(Box::new(spec)), StepEffect::Reversible, touches, at);
        act.state = state;
        act.id = format!("id-{name}").into();
        act.begun.push(Beginning { id: act.id.clone(), at, by: "ann".into(), purpose: Purpose::Run, is_void: false });
        act
    };
    let long_ago = before(now, 3 * 60 * MINUTE);
    let done = |at: Timestamp| StepState::Succeeded { at };
    let mut acts: Vec<RunStep> = (0..facts.acts_in_this_run)
        .map(|at| act(&format!("act-{at}"), ActionKind::Other, "elsewhere", long_ago, done(long_ago)))
        .collect();
    if let Some(ago) = facts.restarted_minutes_ago.filter(|_| facts.was_restarted_here) {
        let at = before(now, ago * MINUTE);
        let action = if facts.was_failover { ActionKind::Failover } else { ActionKind::Restart };
        let name = if facts.has_long_name { format!("statefulset/{service}") } else { service.to_owned() };
        acts.push(act("restart", action, &name, at, done(at)));
    }
    if let Some(ago) = facts.touched_minutes_ago.filter(|_| facts.was_touched_here) {
        let at = before(now, ago * MINUTE);
        acts.push(act("touched", ActionKind::Other, service, at, done(at)));
    }
    if let Some(is_known) = facts.failed_in_this_run {
        let failed = StepState::Failed { at: long_ago, reason: "exit code 1".into() };
        let state = if is_known { failed } else { StepState::Unknown { since: long_ago } };
        acts.push(act("failed", ActionKind::Other, "elsewhere", long_ago, state));
    }
    acts
}

/// What the step calls.
fn words(facts: &Facts) -> [&'static str; 4] {
    let verb = if facts.is_restart_said { "restart" } else { "resume" };
    [if facts.is_allow_listed { "kubectl" } else { "rm" }, "rollout", verb, "deployment/shop"]
}

/// The run in question: five checks that prove something, then the step.
fn own_run(facts: &Facts, service: &str, runbook: &Arc<Runbook>, now: Timestamp) -> Run {
    let mut steps: Vec<RunStep> = Vec::new();
    for (at, proof) in PROOFS.iter().enumerate() {
        let spec = CheckSpec {
            look: Look::Call {
                call: call(&["kubectl", "get", proof]),
                expect: "".into(),
                exit: 0,
                lines_min: 0,
                only: None,
            },
            otherwise: Unexpected::GoOn,
            proves: vec![Arc::from(*proof)],
        };
        let mut check = step(proof, StepKind::Check(spec), StepEffect::Read, service, now);
        let lacks = facts.proofs < PROOFS.len() && at == facts.missing_proof;
        check.state = StepState::Succeeded { at: before(now, MINUTE) };
        check.is_as_expected = Some(true);
        if lacks && facts.is_proof_unexpected {
            check.is_as_expected = Some(false);
        } else if lacks {
            check.state = StepState::Skipped { at: before(now, MINUTE), by: "ann".into(), reason: "no".into() };
            check.is_as_expected = None;
        }
        steps.push(check);
    }
    steps.extend(acts_before(facts, service, now));
    let words = words(facts);
    let kind = if facts.is_act {
        let goal = MetricGoal { metric: "queue_length".into(), service: "shop".into(), below: Some(10.0), above: None };
        StepKind::Act(Box::new(ActSpec {
            undo: facts.has_undo.then(|| call(&["kubectl", "rollout", "undo", "deployment/shop"])),
            prechecks: if facts.precheck == Precheck::None { Vec::new() } else { vec![goal] },
            not_restarting: Vec::new(),
            expect: "".into(),
            danger: facts.danger,
            targets_max: facts.targets_max,
            approvals: facts.approvals,
            ..act_spec(facts.action, call(&words))
        }))
    } else {
        let look = Look::Call { call: call(&words), expect: "".into(), exit: 0, lines_min: 0, only: None };
        StepKind::Check(CheckSpec { look, otherwise: Unexpected::Pause, proves: Vec::new() })
    };
    let effect = match (facts.is_act, facts.is_reversible) {
        (false, _) => StepEffect::Read,
        (true, true) => StepEffect::Reversible,
        (true, false) => StepEffect::Irreversible,
    };
    let mut wanted = step("wanted", kind, effect, service, now);
    wanted.state = StepState::Waiting;
    wanted.attempt = 1;
    wanted.id = "id-of-this".into();
    wanted.offer = "offer-of-this".into();
    wanted.offered_at = before(now, facts.offered_minutes_ago * MINUTE);
    wanted.shown_at = wanted.offered_at;
    wanted.needs_target = false;
    wanted.done_before = facts.was_done_before.then_some(RunId(50));
    if facts.is_begun_before {
        wanted.begun.push(Beginning {
            id: "id-of-this".into(),
            at: before(now, 2 * MINUTE),
            by: "ann".into(),
            purpose: Purpose::Run,
            is_void: false,
        });
    }
    for (at, (is_same, ago)) in facts.others.iter().enumerate() {
        let by = if *is_same { "ann".to_owned() } else { format!("other-{at}") };
        wanted.approvals.push(Approval { by: by.into(), at: before(now, ago * MINUTE), offer: "offer-of-this".into() });
    }
    steps.push(wanted);
    Run {
        id: RunId(1),
        subject: IncidentId(if facts.is_of_another { 44 } else { 42 }).into(),
        runbook: Arc::new(Runbook { acts_max: facts.acts_max, ..Runbook::clone(runbook) }),
        params: BTreeMap::new(),
        cause: Some((CauseKind::BadDeploy, service.into())),
        state: facts.run_state,
        word: "".into(),
        is_escalated: false,
        has_held: None,
        steps,
        started_at: before(now, 5 * MINUTE),
        ended_at: None,
        started_by: "ann".into(),
        was_first: true,
    }
}

/// What was run before.
struct Runs<'a> {
    facts: &'a Facts,
    now: Timestamp,
    service: &'a str,
    runs: BTreeMap<RunId, Arc<Run>>,
    runbook: &'a Arc<Runbook>,
}

impl Runs<'_> {
    fn lay(&mut self, incident: &mut Incident) {
        let facts = self.facts;
        let ended = |at: Timestamp, reason: &str| StepState::Failed { at, reason: reason.into() };
        let long_ago = before(self.now, 3 * 60 * MINUTE);
        let done = StepState::Succeeded { at: long_ago };
        for _ in 0..facts.failed_here {
            let at = before(self.now, 10 * MINUTE);
            self.add(
                incident,
                42,
                ActionKind::Other,
                "elsewhere",
                ended(at, "exit code 1"),
                at,
                "ann",
                RunState::Failed,
            );
        }
        for _ in 0..facts.unknown_here {
            let at = before(self.now, 10 * MINUTE);
            self.add(
                incident,
                42,
                ActionKind::Other,
                "elsewhere",
                StepState::Unknown { since: at },
                at,
                "ann",
                RunState::Stopped,
            );
        }
        for _ in 0..facts.unverified_here {
            let state = StepState::Succeeded { at: before(self.now, 10 * MINUTE) };
            let at = before(self.now, 10 * MINUTE);
            self.add(incident, 42, ActionKind::Other, "elsewhere", state, at, "ann", RunState::Stopped);
        }
        for _ in 0..facts.not_held_here {
            let state = StepState::Succeeded { at: before(self.now, 10 * MINUTE) };
            let at = before(self.now, 10 * MINUTE);
            self.add(incident, 42, ActionKind::Other, "elsewhere", state, at, "ann", RunState::Succeeded);
            self.last().has_held = Some(false);
        }
        for _ in 0..facts.passed_over_here {
            let state = StepState::Succeeded { at: before(self.now, 10 * MINUTE) };
            let at = before(self.now, 10 * MINUTE);
            self.add(incident, 42, ActionKind::Other, "elsewhere", state, at, "ann", RunState::Succeeded);
            self.last().has_held = None;
        }
        if facts.attempts_here > 0 {
            let at = before(self.now, 10 * MINUTE);
            let state = StepState::Succeeded { at };
            self.add(incident, 42, ActionKind::Other, "elsewhere", state, at, "ann", RunState::Succeeded);
            let step = &mut self.last().steps[0];
            step.attempt = facts.attempts_here as u32;
            let first = step.begun[0].clone();
            step.begun = (0..facts.attempts_here)
                .map(|attempt| Beginning { id: format!("{}-{attempt}", first.id).into(), ..first.clone() })
                .collect();
        }
        for _ in 0..facts.failed_elsewhere {
            let at = before(self.now, facts.failed_elsewhere_minutes_ago * MINUTE);
            self.add(
                incident,
                44,
                ActionKind::Other,
                "elsewhere",
                ended(at, "exit code 1"),
                at,
                "ann",
                RunState::Failed,
            );
        }
        for _ in 0..facts.engine_acts {
            self.add(
                incident,
                42,
                ActionKind::Other,
                "elsewhere",
                done.clone(),
                long_ago,
                "engine",
                RunState::Succeeded,
            );
        }
        for _ in 0..facts.people_acts {
            self.add(incident, 42, ActionKind::Other, "elsewhere", done.clone(), long_ago, "ann", RunState::Succeeded);
        }
        for _ in 0..facts.engine_acts_merged {
            self.add(
                incident,
                43,
                ActionKind::Other,
                "elsewhere",
                done.clone(),
                long_ago,
                "engine",
                RunState::Succeeded,
            );
        }
        for _ in 0..facts.engine_acts_elsewhere {
            let at = before(self.now, facts.engine_acts_elsewhere_minutes_ago * MINUTE);
            let state = StepState::Succeeded { at };
            self.add(incident, 44, ActionKind::Other, "far away", state, at, "engine", RunState::Succeeded);
        }
        if let Some(ago) = facts.touched_minutes_ago.filter(|_| !facts.was_touched_here) {
            let at = before(self.now, ago * MINUTE);
            let state = StepState::Succeeded { at };
            self.add(incident, 44, ActionKind::Other, self.service, state, at, "ann", RunState::Succeeded);
        }
        let long_name = format!("elsewhere, statefulset/{}", self.service);
        let name = if facts.has_long_name { long_name.as_str() } else { self.service };
        if let Some(ago) = facts.restarted_minutes_ago.filter(|_| !facts.was_restarted_here) {
            let action = if facts.was_failover { ActionKind::Failover } else { ActionKind::Restart };
            let at = before(self.now, ago * MINUTE);
            let state = StepState::Succeeded { at };
            self.add(incident, 44, action, name, state, at, "ann", RunState::Succeeded);
        }
        if facts.was_done_before {
            self.add(incident, 42, facts.action, self.service, done.clone(), long_ago, "ann", RunState::Succeeded);
            self.last().steps[0].bound.spec.kind = StepKind::Act(Box::new(act_spec(facts.action, call(&words(facts)))));
        }
        if facts.is_locked {
            let since = before(self.now, MINUTE);
            let state = StepState::Running { since, purpose: Purpose::Run };
            self.add(incident, 44, ActionKind::Configure, name, state, since, "ann", RunState::Active);
        }
    }

    /// The run that was added last.
    fn last(&mut self) -> &mut Run {
        Arc::make_mut(self.runs.last_entry().expect("one was added").into_mut())
    }

    #[expect(clippy::too_many_arguments, reason = "each is one plain fact of an earlier run")]
    fn add(
        &mut self,
        own: &mut Incident,
        of: u64,
        action: ActionKind,
        touches: &str,
        state: StepState,
        at: Timestamp,
        by: &str,
        run_state: RunState,
    ) {
        let number = 100 + self.runs.len() as u64;
        let spec = act_spec(action, call(&["kubectl", "earlier", &number.to_string()]));
        let mut act = step("earlier", StepKind::Act(Box::new(spec)), StepEffect::Reversible, touches, at);
        act.state = state;
        act.attempt = 1;
        act.id = format!("id-{number}").into();
        act.begun.push(Beginning { id: act.id.clone(), at, by: by.into(), purpose: Purpose::Run, is_void: false });
        let run = Run {
            id: RunId(number),
            subject: IncidentId(of).into(),
            runbook: Arc::clone(self.runbook),
            params: BTreeMap::new(),
            cause: Some((CauseKind::DiskFull, "elsewhere".into())),
            state: run_state,
            word: "".into(),
            is_escalated: false,
            has_held: (run_state == RunState::Succeeded).then_some(true),
            steps: vec![act],
            started_at: at,
            ended_at: (!run_state.is_open()).then_some(at),
            started_by: by.into(),
            was_first: true,
        };
        if of == 42 {
            own.runs.push(run.id);
        }
        self.runs.insert(run.id, Arc::new(run));
    }
}

fn cases() -> usize {
    std::env::var("HYPO_ORACLE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(12_000)
}

#[test]
fn two_judges_who_never_met_agree_on_every_situation() {
    let today = fixtures::now();
    let day = |ago: i64| before(today, ago * DAY).date().to_string();
    let runbooks: BTreeMap<Option<i64>, Arc<Runbook>> =
        [None, Some(1), Some(2), Some(9), Some(20), Some(30), Some(60), Some(89), Some(91)]
            .into_iter()
            .map(|ago| (ago, base_runbook(ago.map(|ago| day(ago).into()))))
            .collect();
    let like = fixtures::incident();
    let mut random = Pcg64::seed_from_u64(20_261_121);
    let mut disagreements: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..cases() {
        let facts = Facts::random(&mut random);
        let situation = Situation::of(&facts, &runbooks, &like, today);
        let gate = situation.gate();
        let step = situation.run.steps.len() - 1;
        let decision = decide(&situation.run, step, &gate);
        let have = match &decision {
            Decision::Allow { must_notify, .. } => May::Allow { is_told: *must_notify },
            Decision::Ask(_) => May::Ask,
            Decision::Deny(_) => May::Deny,
        };
        let token = if facts.is_token_right { "offer-of-this" } else { "offer-of-another" };
        let target = facts.is_target_typed.then_some(if facts.is_database { "shop-db" } else { "shop" });
        let said = approve(&situation.run, step, token, target, "ann", &gate);
        let have_word = match &said {
            Ok(Approved::Begin(_) | Approved::Pass) => Word::Begins,
            Ok(Approved::Wants(more)) => Word::Wants(*more),
            Err(_) => Word::Refused,
        };
        for (is_same, text) in [
            (have == may(&facts), format!("gate {have:?}, rules {:?}: {}", may(&facts), decision.text())),
            (
                have_word == word(&facts),
                format!("approval {have_word:?}, rules {:?}: {:?}", word(&facts), said.as_ref().err()),
            ),
        ] {
            if !is_same {
                let kind: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
                disagreements.entry(kind).or_insert((0, format!("{facts:?}"))).0 += 1;
            }
        }
        *seen.entry(format!("{have:?}")).or_default() += 1;
        *seen.entry(format!("{have_word:?}")).or_default() += 1;
    }
    println!("{} situations: {seen:?}", cases());
    let told: Vec<String> =
        disagreements.iter().map(|(kind, (count, example))| format!("{count} times {kind}\n    {example}")).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    let kinds: BTreeSet<&str> = seen.keys().map(|kind| kind.split('(').next().unwrap_or(kind)).collect();
    assert!(kinds.len() >= 7 && seen.values().all(|count| *count > cases() / 1_000), "every answer is tried: {seen:?}");
}
