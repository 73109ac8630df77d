//! Pictures for the screens: nothing yet, all quiet, an incident under way, sources gone, a storm.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hypocenter::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use hypocenter::engine::model::{
    ActSpec, ActionKind, Alert, AlertNotice, AlertState, Anomaly, AnomalyId, AnomalyKind, AnomalyState, AuditEntry,
    AuditKind, Band, BlastRadius, BoundStep, Buckets, Call, CauseKind, Change, ChangeId, ChangeKind, ChangeNotice,
    CheckSpec, CompoundAnomaly, Danger, Delivery, DeliveryState, Destination, DestinationStatus, DetectionMethod,
    Direction, DropReason, EarlyWarning, EdgeNotice, EdgeOrigin, Evidence, EvidenceKind, Fingerprint, Forecast,
    Hypothesis, Incident, IncidentId, IncidentSeverity, IncidentState, KindGuess, Labels, Look, MetricGoal,
    OutwardEvent, OutwardMessage, Promise, Proposal, Ranking, Repeat, Run, RunId, RunState, RunStep, Runbook,
    RunbookPlace, Score, SeriesRole, ServiceName, Severity, SourceKind, SourceReport, SourceState, StepEffect,
    StepKind, StepSpec, StepState, SuppressionReason, SuppressionRule, SuppressionStage, TimelineEntry, TimelineKind,
    Topology, TrackRecord, Unexpected, Unit, WarningRecord,
};
use hypocenter::engine::patches::rollout::{RolloutState, Soak, TargetState};
use hypocenter::engine::snapshot::{Counts, FileProblem, Snapshot, StoreStatus};

// The benchmark of frames takes this file by its path.
#[path = "rollout_pictures.rs"]
pub mod rollout_pictures;

#[path = "patch_pictures.rs"]
pub mod patch_pictures;

/// 14:33:02 on the day of the pictures.
pub fn now() -> Timestamp {
    at("14:33:02")
}

/// An instant of that day.
pub fn at(time: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("2026-11-21T{time}Z")).expect("the pictures use valid times")
}

fn source(name: &str, kind: SourceKind, state: SourceState) -> Arc<SourceReport> {
    let has_spoken = !matches!(state, SourceState::Starting);
    Arc::new(SourceReport {
        source: name.into(),
        kind,
        address: "http://prometheus:9090".into(),
        state,
        last_ok_at: has_spoken.then(|| now() - 20 * SECOND_MS),
        accepted_count: 120_400,
        dropped: BTreeMap::from([(DropReason::Late, 3)]),
        backfilled_until: None,
        position: None,
        counter_reset_count: 2,
        series_count: 602,
        vanished_series_count: 1,
        clock_skew_ms: Some(12),
        poll_ms: Some(140),
        warnings: Vec::new(),
    })
}

fn down(name: &str) -> Arc<SourceReport> {
    let reason = "connection refused at http://loki:3100: is it running?".into();
    let state = SourceState::Down { reason, since: at("14:29:50"), retry_at: at("14:34:10") };
    source(name, SourceKind::Prometheus, state)
}

fn topology() -> Arc<Topology> {
    let mut topology = Topology::default();
    let calls = [
        ("order", "payment"),
        ("payment", "checkout"),
        ("checkout", "user"),
        ("checkout", "cart"),
        ("user", "auth-api"),
        ("auth-api", "auth-db"),
        ("cart", "redis"),
    ];
    for (caller, callee) in calls {
        topology.observe(&EdgeNotice {
            source: "prom-us".into(),
            caller: caller.into(),
            callee: callee.into(),
            origin: if callee == "redis" { EdgeOrigin::Configured } else { EdgeOrigin::Discovered },
            seen_at: now() - 2 * MINUTE_MS,
        });
    }
    Arc::new(topology)
}

fn counts() -> Counts {
    Counts {
        series_count: 1_204,
        sample_count: 9_800_000,
        history_days: 21.0,
        history_days_min: 14.0,
        ..Counts::default()
    }
}

/// Before any source has been heard.
pub fn loading() -> Snapshot {
    Snapshot {
        revision: 1,
        at: now(),
        sources: vec![
            source("prom-eu", SourceKind::Prometheus, SourceState::Starting),
            source("prom-us", SourceKind::Prometheus, SourceState::Starting),
        ],
        patches: patch_pictures::loading(),
        ..Snapshot::empty()
    }
}

/// History is being read.
pub fn backfilling() -> Snapshot {
    let mut snapshot = loading();
    snapshot.sources = vec![
        source("prom-eu", SourceKind::Prometheus, SourceState::Healthy),
        source("prom-us", SourceKind::Prometheus, SourceState::Backfilling { done: 87, total: 200 }),
    ];
    snapshot.counts = Counts { history_days: 3.0, cold_series_count: 1_204, ..counts() };
    snapshot
}

/// Everything watched, nothing wrong.
pub fn empty() -> Snapshot {
    Snapshot {
        revision: 2,
        at: now(),
        counts: counts(),
        sources: vec![
            source("alertmanager", SourceKind::Alertmanager, SourceState::Healthy),
            source("prom-us", SourceKind::Prometheus, SourceState::Healthy),
        ],
        topology: topology(),
        patches: patch_pictures::mended(),
        ..Snapshot::empty()
    }
}

/// An anomaly with the usual fields; the rest is set by the caller.
pub fn anomaly(id: u64, service: &str, metric: &str, severity: Severity) -> Anomaly {
    Anomaly {
        id: AnomalyId(id),
        fingerprint: Fingerprint(id),
        kind: AnomalyKind::Deviation,
        service: service.into(),
        instance: None,
        metric: metric.into(),
        unit: Unit::Ratio,
        role: SeriesRole::Errors,
        template: None,
        direction: Direction::Above,
        is_harmful: true,
        severity,
        state: AnomalyState::Active,
        value: 0.61,
        peak_value: 0.64,
        expected: Band { low: 0.0, centre: 0.002, high: 0.008 },
        deviation_sigma: 22.4,
        peak_sigma: 24.0,
        method: DetectionMethod::SeasonalZ,
        history_days: 21.0,
        started_at: at("14:31:52"),
        last_seen_at: at("14:32:50"),
        ended_at: None,
        repeat_count: 12,
        incident: Some(IncidentId(42)),
        suppressed: None,
        recent: vec![0.002, 0.001, 0.003, 0.002, 0.002, 0.001, 0.003, 0.4, 0.61, 0.64, 0.61],
        forecast: None,
        at_onset: Vec::new(),
        promise: None,
        contradictions: Vec::new(),
    }
}

/// A firing alert that belongs to no incident.
pub fn alert(name: &str, service: &str, severity: Severity) -> Alert {
    let notice = AlertNotice {
        source: "alertmanager".into(),
        fingerprint: Fingerprint(1),
        name: name.into(),
        service: Some(service.into()),
        severity,
        state: AlertState::Firing,
        starts_at: at("14:25:00"),
        ends_at: None,
        muted_by: None,
        summary: "the certificate ends in 9 days".into(),
        generator_url: "".into(),
        labels: Labels::default(),
    };
    Alert {
        told_by: [notice.source.clone()].into(),
        firing_by: [notice.source.clone()].into(),
        repeat_count: 1,
        first_seen_at: notice.starts_at,
        last_seen_at: notice.starts_at,
        incident: None,
        suppressed: None,
        notice,
    }
}

fn live_anomalies() -> Vec<Arc<Anomaly>> {
    let mut connects = anomaly(7, "auth-api", "db_connect_errors", Severity::Critical);
    connects.unit = Unit::PerSecond;
    connects.instance = Some("10.0.0.3:9100".into());
    (connects.value, connects.peak_value) = (212.0, 230.0);
    connects.expected = Band { low: 0.0, centre: 0.1, high: 0.4 };
    (connects.deviation_sigma, connects.peak_sigma) = (38.0, 41.0);
    connects.recent = vec![0.0, 0.1, 0.0, 0.0, 0.1, 0.0, 180.0, 212.0, 200.0, 212.0];
    let mut latency = anomaly(8, "auth-api", "latency_p95", Severity::Warning);
    latency.unit = Unit::Seconds;
    (latency.value, latency.deviation_sigma) = (1.25, 3.4);
    latency.expected = Band { low: 0.05, centre: 0.08, high: 0.34 };
    let user = anomaly(9, "user", "error_ratio", Severity::Critical);
    let mut checkout = anomaly(10, "checkout", "success_ratio", Severity::Critical);
    checkout.direction = Direction::Below;
    checkout.value = 0.31;
    checkout.expected = Band { low: 0.985, centre: 0.991, high: 1.0 };
    checkout.recent = vec![0.99, 0.99, 0.99, 0.991, 0.99, 0.99, 0.6, 0.35, 0.31];
    checkout.started_at = at("14:32:18");
    let mut order = anomaly(11, "order", "latency_p95", Severity::Warning);
    order.suppressed = Some(SuppressionReason::DownstreamOf { service: "auth-api".into() });
    order.unit = Unit::Seconds;
    order.value = 2.0;
    let mut memory = anomaly(12, "session-service", "memory_used_bytes", Severity::Warning);
    memory.kind = AnomalyKind::Forecast;
    memory.unit = Unit::Bytes;
    memory.method = DetectionMethod::Trend;
    memory.incident = None;
    memory.value = 6.2 * 1_073_741_824.0;
    memory.expected = Band { low: 0.0, centre: 3.0e9, high: 8_589_934_592.0 };
    memory.started_at = now() - 9 * DAY_MS;
    memory.recent = vec![3.0, 3.4, 3.9, 4.4, 4.9, 5.3, 5.8, 6.2];
    memory.forecast =
        Some(Forecast { limit: 8_589_934_592.0, reached_at: now() + 68 * HOUR_MS, margin_ms: 4 * HOUR_MS });
    memory.promise = Some(Promise {
        told_at: at("13:20:00"),
        value: 0.6,
        reached_at: memory.forecast.map(|forecast| forecast.reached_at).unwrap_or_default(),
        margin_ms: 14_400_000,
        chance: 0.9,
        record: TrackRecord { hits: 7, misses: 1, averted: 2 },
        outcome: None,
    });
    let mut over = anomaly(3, "cart", "error_ratio", Severity::Warning);
    over.state = AnomalyState::Ended;
    over.ended_at = Some(at("11:20:00"));
    over.started_at = at("11:02:00");
    over.incident = Some(IncidentId(41));
    [connects, user, checkout, latency, order, memory, over].into_iter().map(Arc::new).collect()
}

fn evidence(kind: EvidenceKind, text: &str, weight: f64) -> Evidence {
    Evidence { kind, text: text.into(), weight, at: Some(at("14:31:52")), target: None }
}

fn names(list: &[&str]) -> Vec<ServiceName> {
    list.iter().map(|name| ServiceName::new(name)).collect()
}

fn hypotheses() -> Vec<Hypothesis> {
    let firewall = Hypothesis {
        kind: CauseKind::NetworkPolicy,
        service: "auth-api".into(),
        change: Some(ChangeId(9)),
        title: "network policy gke-prod-firewall-v847".into(),
        confidence: Score::new(0.97),
        evidence_for: vec![
            evidence(EvidenceKind::Change, "applied 7 s before the first symptom, on the edge that fails", 2.9),
            evidence(EvidenceKind::Topology, "every failing service reaches auth-api; nothing below it fails", 1.8),
            evidence(EvidenceKind::Order, "auth-api was the first of 23, 11 s before the next", 1.2),
            evidence(EvidenceKind::Deviation, "db_connect_errors 38σ, the largest of the incident", 0.9),
        ],
        evidence_against: vec![evidence(EvidenceKind::Saturation, "auth-db itself answers its own health check", -0.4)],
        impact_chain: names(&["auth-api", "user", "checkout", "payment", "order"]),
        buckets: Buckets {
            cause: names(&["auth-api"]),
            first_failure: names(&["user"]),
            impact: names(&["checkout", "payment", "order"]),
        },
        disproved_by: "errors that go on after the policy is reverted".into(),
    };
    let mut pool = firewall.clone();
    pool.kind = CauseKind::ConnectionsExhausted;
    pool.change = None;
    pool.title = "auth-db connections exhausted".into();
    pool.confidence = Score::new(0.02);
    pool.evidence_for = vec![evidence(EvidenceKind::Pattern, "connect errors are its usual first sign", 0.7)];
    pool.evidence_against = vec![evidence(EvidenceKind::Saturation, "12 of 200 connections used", -3.1)];
    pool.disproved_by = "free connections in auth-db".into();
    vec![firewall, pool]
}

fn line(time: &str, kind: TimelineKind, text: &str, anomaly: Option<u64>, by: Option<&str>) -> TimelineEntry {
    TimelineEntry {
        at: at(time),
        kind,
        text: text.into(),
        service: None,
        anomaly: anomaly.map(AnomalyId),
        by: by.map(Arc::from),
    }
}

/// `INC-42` of the design.
pub fn incident() -> Incident {
    let services = ["auth-api", "user", "checkout", "payment", "order"];
    Incident {
        id: IncidentId(42),
        title: "auth-api cannot reach its database".into(),
        severity: IncidentSeverity::Sev1,
        is_severity_set_by_hand: false,
        state: IncidentState::Acknowledged,
        started_at: at("14:31:52"),
        opened_at: at("14:32:03"),
        acknowledged_at: Some(at("14:32:30")),
        mitigated_at: None,
        resolved_at: None,
        reopen_count: 0,
        updated_at: at("14:32:50"),
        owner: Some("you".into()),
        services: services.iter().map(|name| (ServiceName::new(name), at("14:31:52"))).collect(),
        anomalies: [7, 8, 9, 10, 11].map(AnomalyId).into(),
        alerts: BTreeSet::new(),
        changes: BTreeSet::from([ChangeId(9)]),
        folded_count: 1_847,
        timeline: vec![
            line("14:31:45", TimelineKind::Change, "firewall rule v847 applied", None, Some("netops")),
            line("14:31:52", TimelineKind::Anomaly, "auth-api db_connect_errors 0 → 212/s   38σ", Some(7), None),
            line("14:32:03", TimelineKind::Anomaly, "user error ratio 0.2 % → 61 %  22σ", Some(9), None),
            line("14:32:18", TimelineKind::Impact, "checkout success 99.1 % → 31 %", Some(10), None),
            line("14:32:20", TimelineKind::Hypothesis, "1 of 2: network policy v847 (97 %)", None, None),
            line("14:32:30", TimelineKind::State, "acknowledged", None, Some("you")),
            line("14:32:41", TimelineKind::Note, "\"confirmed with netops, reverting\"", None, Some("you")),
        ],
        ranking: Ranking { hypotheses: hypotheses(), unresolved: None },
        merged_into: None,
        split_from: None,
        runs: vec![RunId(3)],
    }
}

/// A step with everything filled in.
pub fn step(name: &str, title: &str, kind: StepKind, effect: StepEffect, touches: &str) -> BoundStep {
    let spec = StepSpec {
        name: name.into(),
        title: title.into(),
        text: "".into(),
        kind,
        effect,
        touches: touches.into(),
        timeout_ms: 60_000,
    };
    BoundStep { spec, digest: "3f9a".into() }
}

fn call(words: &str) -> Call {
    Call::Command { argv: words.split(' ').map(Arc::from).collect() }
}

fn bound_steps() -> Vec<BoundStep> {
    let look =
        Look::Call { call: call("kubectl get netpol -n prod"), expect: "".into(), exit: 0, lines_min: 0, only: None };
    let check = StepKind::Check(CheckSpec { look, otherwise: Unexpected::Pause, proves: Vec::new() });
    let act = StepKind::Act(Box::new(ActSpec {
        action: ActionKind::Rollback,
        call: call("kubectl rollout undo netpol/gke-prod-firewall-rule -n prod"),
        dry_run: Some(call("kubectl rollout undo netpol/gke-prod-firewall-rule -n prod --dry-run=server")),
        undo: Some(call("kubectl apply -f v847.yaml")),
        rollback_text: "re-apply v847".into(),
        repeat: Repeat::Never,
        prechecks: Vec::new(),
        not_restarting: Vec::new(),
        expect: "".into(),
        danger: Danger::Medium,
        targets_max: 1,
        expected: "".into(),
        within_ms: 2 * MINUTE_MS,
        approvals: 1,
        blast: BlastRadius::default(),
    }));
    let goal = MetricGoal { metric: "db_connect_errors".into(), service: "auth-api".into(), below: None, above: None };
    let verify = StepKind::Verify { goal, hold_ms: 5 * MINUTE_MS, samples_min: 10, volume: None };
    vec![
        step("check", "replication and reachability", check, StepEffect::Read, "nothing"),
        step(
            "act",
            "revert gke-prod-firewall-rule-v847",
            act,
            StepEffect::Reversible,
            "netpol/gke-prod-firewall-rule (prod)",
        ),
        step("verify", "db_connect_errors back inside its band for 5 min", verify, StepEffect::None, "nothing"),
    ]
}

fn runbook() -> Arc<Runbook> {
    Arc::new(Runbook {
        id: "revert-network-policy".into(),
        title: "revert network policy".into(),
        version: "1".into(),
        content_hash: "ab12".into(),
        owner: "netops".into(),
        origin: "shipped".into(),
        problems: vec![CauseKind::NetworkPolicy],
        service_pattern: "".into(),
        place: RunbookPlace::Anywhere,
        includes: Vec::new(),
        mistake: None,
        params: BTreeMap::new(),
        symptoms: Vec::new(),
        alerts: Vec::new(),
        verified: None,
        expires_days: 90,
        acts_max: 1,
        estimate_seconds: 45,
        steps: bound_steps().into_iter().map(|step| step.spec).collect(),
    })
}

/// The runbook that fits `INC-42`.
pub fn proposal() -> Proposal {
    Proposal {
        runbook: runbook(),
        params: BTreeMap::new(),
        steps: bound_steps(),
        reason: "for network policy of auth-api".into(),
        service: "auth-api".into(),
        cause: None,
    }
}

/// A run of it at its second step.
pub fn run() -> Run {
    let output = "$ kubectl get netpol -n prod\nNAME                     POD-SELECTOR   AGE\ngke-prod-firewall-rule   app=auth-api   2m";
    let gate = "confidence 97 % ≥ 85 % · action 1 of 8 · not a database · window open";
    let states = [StepState::Succeeded { at: at("14:32:50") }, StepState::Waiting, StepState::Pending];
    let steps = bound_steps().into_iter().zip(states).enumerate().map(|(index, (bound, state))| RunStep {
        state,
        id: "1d9c".into(),
        offer: "3f9a".into(),
        gate_text: gate.into(),
        output: if index == 0 { output.lines().map(Arc::from).collect() } else { Vec::new() },
        exit_code: (index == 0).then_some(0),
        approved_by: (index == 0).then(|| "you".into()),
        ..RunStep::pending(bound, at("14:32:50"))
    });
    Run {
        id: RunId(3),
        subject: IncidentId(42).into(),
        runbook: runbook(),
        params: BTreeMap::new(),
        cause: None,
        state: RunState::Active,
        word: "".into(),
        is_escalated: false,
        has_held: None,
        steps: steps.collect(),
        started_at: at("14:32:45"),
        ended_at: None,
        started_by: "you".into(),
        was_first: true,
    }
}

/// The live picture with a run whose last step watches the metric come home.
pub fn watching() -> Snapshot {
    let mut run = run();
    let states = [
        StepState::Succeeded { at: at("14:32:50") },
        StepState::Skipped { at: at("14:32:52"), by: "you".into(), reason: "done by hand".into() },
        StepState::Watching {
            inside_since: Some(at("14:30:10")),
            samples: 9,
            last: Some((0.1, Band { low: 0.0, centre: 0.1, high: 0.4 })),
            unit: Unit::PerSecond,
            seen_until: at("14:32:50"),
            until: at("14:47:50"),
        },
    ];
    for (step, state) in run.steps.iter_mut().zip(states) {
        step.state = state;
    }
    let mut snapshot = live();
    snapshot.runs = vec![Arc::new(run)];
    snapshot
}

/// The live picture before a run, and after a run that failed.
pub fn proposed(is_after_failure: bool) -> Snapshot {
    let mut snapshot = live();
    snapshot.runs.clear();
    if is_after_failure {
        let mut run = run();
        run.state = RunState::Failed;
        if let Some(step) = run.steps.get_mut(1) {
            step.state = StepState::Failed {
                at: at("14:32:58"),
                reason: "exit code 1: deployment is paused, resume it first".into(),
            };
            step.exit_code = Some(1);
        }
        snapshot.runs = vec![Arc::new(run)];
    }
    snapshot
}

/// A change of that day.
pub fn change(id: u64, time: &str, kind: ChangeKind, service: &str, title: &str, author: &str) -> Arc<Change> {
    Arc::new(Change {
        id: ChangeId(id),
        notice: ChangeNotice {
            source: "webhook".into(),
            external_id: format!("change-{id}").into(),
            kind,
            service: Some(service.into()),
            title: title.into(),
            version: Some("v847".into()),
            author: Some(author.into()),
            url: None,
            at: at(time),
            finished_at: None,
            has_taken_effect: true,
            content: None,
        },
    })
}

fn audit() -> Vec<Arc<AuditEntry>> {
    let entry = |sequence: u64, time: &str, kind, by: &str, text: &str| {
        Arc::new(AuditEntry {
            sequence,
            at: at(time),
            kind,
            by: by.into(),
            incident: Some(IncidentId(42)),
            run: None,
            text: text.into(),
        })
    };
    vec![
        entry(6, "14:32:50", AuditKind::Outcome, "engine", "step 1 of RUN-3 succeeded: exit code 0 after 1.2 s"),
        entry(5, "14:32:46", AuditKind::Intent, "engine", "kubectl get netpol -n prod"),
        entry(4, "14:32:45", AuditKind::Approval, "you", "approved step 1 of RUN-3: replication and reachability"),
        entry(3, "14:32:30", AuditKind::Operator, "you", "acknowledged INC-42"),
        entry(2, "14:32:20", AuditKind::Decision, "engine", "INC-42: network policy gke-prod-firewall-v847 (97 %)"),
        entry(1, "14:29:50", AuditKind::Source, "engine", "loki is down: connection refused"),
    ]
}

/// `INC-42` under way, as the design draws it.
pub fn live() -> Snapshot {
    let mut resolved = incident();
    resolved.id = IncidentId(41);
    resolved.title = "cart errors after deploy 8c1f".into();
    resolved.severity = IncidentSeverity::Sev3;
    resolved.state = IncidentState::Resolved;
    resolved.started_at = at("11:02:00");
    resolved.resolved_at = Some(at("11:20:00"));
    let mut snapshot = empty();
    snapshot.revision = 3;
    snapshot.sources.push(down("loki"));
    snapshot.anomalies = live_anomalies();
    snapshot.compounds = vec![CompoundAnomaly {
        service: "auth-api".into(),
        members: vec![AnomalyId(7), AnomalyId(8)],
        severity: Severity::Critical,
        combined_sigma: 38.2,
        started_at: at("14:31:52"),
    }];
    snapshot.incidents = vec![Arc::new(incident()), Arc::new(resolved)];
    snapshot.changes = vec![
        change(9, "14:31:45", ChangeKind::Network, "auth-api", "firewall rule v847 applied", "netops"),
        change(8, "13:02:10", ChangeKind::Deploy, "cart", "deploy 77ab01c to cart", "mira"),
    ];
    snapshot.runs = vec![Arc::new(run())];
    snapshot.proposals = BTreeMap::from([(IncidentId(42), vec![Arc::new(proposal())])]);
    let guess = KindGuess {
        kind: CauseKind::NetworkPolicy,
        chance: 0.81,
        because: vec!["talk of refused".into(), "a network change within the hour before".into()],
        of_kind: 6,
        learnt_from: 31,
        right: 27,
        tried: 31,
    };
    snapshot.kind_guesses = BTreeMap::from([(IncidentId(42), Arc::new(guess))]);
    snapshot.predictions = vec![AnomalyId(12)];
    snapshot.warnings = vec![EarlyWarning {
        incident: IncidentId(41),
        title: "checkout waits for its database".into(),
        service: "checkout".into(),
        since: at("14:22:00"),
        lead_ms: 4_020_000,
        signs: vec!["checkout db_connections above usual".into(), "checkout retries above usual".into()],
        sign_count: 3,
        record: WarningRecord { followed: 2, quiet: 1 },
    }];
    snapshot.suppression_rules = suppression_rules();
    snapshot.audit = audit();
    snapshot.patches = patch_pictures::live();
    snapshot.rollouts = vec![rollout_pictures::under_way()];
    snapshot.agenda = rollout_pictures::agenda();
    snapshot.patch_exceptions = vec![Arc::new(patch_pictures::exception())];
    snapshot.counts = Counts {
        alert_count: 214,
        folded_count: 1_847,
        active_anomaly_count: 6,
        suppressed_anomaly_count: 1,
        dropped_count: 3,
        ..counts()
    };
    snapshot
}

/// One in force, one in shadow, one that a failure proved wrong.
fn suppression_rules() -> Vec<SuppressionRule> {
    let rule = |place: &str, what: &str, stage, (tried, hidden, mattered)| SuppressionRule {
        place: place.into(),
        what: what.into(),
        stage,
        tried,
        hidden,
        mattered,
        since: at("09:10:00"),
    };
    vec![
        rule("batch", "DiskBusy", SuppressionStage::InForce, (71, 14, 0)),
        rule("instance=node-7:9100", "ClockSkew", SuppressionStage::Shadow, (22, 0, 0)),
        rule("checkout", "PodRestarts", SuppressionStage::Withdrawn, (38, 0, 1)),
    ]
}

/// The same, with the metrics gone since before the last value.
pub fn stale() -> Snapshot {
    let mut snapshot = live();
    let reason = "no answer from http://prometheus:9090 within 10 s".into();
    let state = SourceState::Down { reason, since: at("14:32:55"), retry_at: at("14:33:40") };
    snapshot.sources = vec![source("prom-us", SourceKind::Prometheus, state)];
    snapshot.patches = patch_pictures::stale();
    snapshot
}

/// A status update is overdue.
pub fn due() -> Snapshot {
    let mut snapshot = live();
    snapshot.updates_due.insert(IncidentId(42), at("14:30:00"));
    snapshot.update_every_ms = 30 * MINUTE_MS;
    snapshot
}

/// Slack refuses for a while, PagerDuty for good; ServiceNow is told.
pub fn untold() -> Snapshot {
    let mut snapshot = stale();
    let status = |destination, pending_count, last_problem: Option<&str>, retry_at| DestinationStatus {
        destination,
        pending_count,
        last_problem: last_problem.map(Into::into),
        retry_at,
    };
    let busy = "https://hooks.slack.com answered 429: no message; it is tried again by itself";
    let refused = "https://events.pagerduty.com answered 400: Event object is invalid; check the configured fields";
    snapshot.outbox.destinations = vec![
        status(Destination::Servicenow, 0, None, None),
        status(Destination::Slack, 3, Some(busy), Some(at("14:35:10"))),
        status(Destination::Pagerduty, 0, Some(refused), None),
    ];
    let message = OutwardMessage {
        event: OutwardEvent::IncidentOpened,
        thread: "INC-42".into(),
        title: "INC-42 SEV1 opened: auth-api cannot reach its database".into(),
        text: "".into(),
        severity: None,
        service: None,
        by: None,
        at: at("14:32:00"),
        began_at: None,
        has_taken_effect: None,
    };
    snapshot.outbox.given_up = vec![Arc::new(Delivery {
        number: 4,
        key: "pagerduty/INC-42".into(),
        destination: Destination::Pagerduty,
        incident: Some(IncidentId(42)),
        message,
        enqueued_at: at("14:32:00"),
        attempt_count: 1,
        state: DeliveryState::GivenUp { at: at("14:32:01"), reason: refused.into() },
    })];
    snapshot
}

/// A store that cannot be written, a broken file, no cause found, a step that was interrupted.
pub fn error() -> Snapshot {
    let mut snapshot = live();
    snapshot.store = StoreStatus {
        path: "/var/lib/hypo".into(),
        problem: Some("no space left: free some, then restart".into()),
        ..StoreStatus::default()
    };
    snapshot.file_problems = vec![FileProblem {
        file: "themes/own.toml".into(),
        line: 4,
        text: "`rad` is no colour; did you mean `red`?".into(),
    }];
    let mut incident = incident();
    incident.state = IncidentState::Reopened;
    incident.owner = None;
    incident.ranking.unresolved = Some("two hypotheses are equally likely".into());
    snapshot.incidents = vec![Arc::new(incident)];
    let mut run = run();
    run.state = RunState::Interrupted;
    if let Some(step) = run.steps.get_mut(1) {
        step.state = StepState::Unknown { since: at("14:32:55") };
    }
    snapshot.runs = vec![Arc::new(run)];
    snapshot.counts.history_days = 3.0;
    snapshot.patches = patch_pictures::error();
    snapshot
}

/// Ten thousand active anomalies in one incident.
pub fn storm() -> Snapshot {
    let mut snapshot = live();
    snapshot.anomalies = (0..10_000)
        .map(|index| {
            let severity = if index < 3_000 { Severity::Critical } else { Severity::Warning };
            let mut anomaly = anomaly(index, &format!("service-{:03}", index % 250), "error_ratio", severity);
            anomaly.instance = Some(format!("10.0.{}.{}:9100", index / 250, index % 250).into());
            Arc::new(anomaly)
        })
        .collect();
    snapshot.counts.active_anomaly_count = 10_000;
    snapshot.counts.suppressed_anomaly_count = 0;
    snapshot
}

/// The live picture with hostile text wherever text comes from outside.
pub fn hostile() -> Snapshot {
    let evil =
        "x\u{1b}]52;c;aGk=\u{7}\u{9b}31m\u{202e}drow\u{200b}\r\n\u{8}\u{e0041}é漢\u{301}\u{301}\u{301}\u{301}\u{301}";
    let mut snapshot = live();
    for (index, anomaly) in snapshot.anomalies.iter_mut().enumerate() {
        let anomaly = Arc::make_mut(anomaly);
        anomaly.service = format!("{evil}{index}").as_str().into();
        anomaly.metric = evil.into();
        anomaly.instance = Some(evil.into());
    }
    for incident in &mut snapshot.incidents {
        let incident = Arc::make_mut(incident);
        incident.title = evil.into();
        incident.owner = Some(evil.into());
        for entry in &mut incident.timeline {
            (entry.text, entry.by) = (evil.into(), Some(evil.into()));
        }
        for hypothesis in &mut incident.ranking.hypotheses {
            hypothesis.title = evil.into();
            hypothesis.disproved_by = evil.into();
            hypothesis.impact_chain = names(&[evil, "user"]);
            for evidence in &mut hypothesis.evidence_for {
                evidence.text = evil.into();
            }
        }
    }
    for change in &mut snapshot.changes {
        Arc::make_mut(change).notice.title = evil.into();
    }
    for entry in &mut snapshot.audit {
        Arc::make_mut(entry).text = evil.into();
    }
    for run in &mut snapshot.runs {
        for step in &mut Arc::make_mut(run).steps {
            step.gate_text = evil.into();
            step.bound.spec.title = evil.into();
            step.output = vec![evil.into(), evil.repeat(400).into()];
            if let StepKind::Act(act) = &mut step.bound.spec.kind
                && let Call::Command { argv } = &mut act.call
            {
                argv.push(evil.into());
            }
        }
    }
    snapshot.file_problems = vec![FileProblem { file: evil.into(), line: 1, text: evil.into() }];
    snapshot.store = StoreStatus { path: evil.into(), problem: Some(evil.into()), size_bytes: 3, size_max_bytes: 4 };
    snapshot.sources = vec![down(evil)];
    for exception in &mut snapshot.patch_exceptions {
        Arc::make_mut(exception).reason = evil.into();
    }
    let patches = Arc::make_mut(&mut snapshot.patches);
    for patch in &mut patches.patches {
        let patch = Arc::make_mut(patch);
        (patch.package, patch.fix, patch.place) = (evil.into(), Some(evil.into()), evil.into());
        for asset in &mut patch.assets {
            (asset.name, asset.installed, asset.owner, asset.ring) =
                (evil.into(), evil.into(), evil.into(), evil.into());
        }
        for advisory in &mut patch.advisories {
            advisory.proof = evil.into();
        }
    }
    for gap in &mut patches.gaps {
        (gap.why, gap.example) = (evil.into(), evil.into());
    }
    for occasion in Arc::make_mut(&mut snapshot.agenda) {
        (occasion.name, occasion.zone) = (evil.into(), evil.into());
    }
    for kept in &mut snapshot.rollouts {
        let rollout = &mut Arc::make_mut(kept).rollout;
        let plan = Arc::make_mut(&mut rollout.plan);
        plan.source = evil.into();
        for target in plan.targets.values_mut() {
            (target.owner, target.services) = (evil.into(), vec![evil.into()]);
        }
        rollout.soak = Soak::Decided { by: evil.into(), reason: evil.into() };
        rollout.state = RolloutState::Paused { why: evil.into(), incident: None };
        for record in rollout.targets.values_mut() {
            record.state = TargetState::Failed { why: evil.into() };
        }
    }
    for group in patches.groups.iter_mut().flat_map(|groups| &mut groups.rows) {
        (group.name, group.note) = (evil.into(), evil.into());
    }
    snapshot
}
