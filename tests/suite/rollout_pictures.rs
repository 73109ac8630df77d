//! Pictures of rollouts for the screens: plans made by the real code, put where each may stand.

use std::sync::Arc;

use hypocenter::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use hypocenter::engine::model::{IncidentId, RolloutId, RunId};
use hypocenter::engine::patches::inventory::{Environment, Traits};
use hypocenter::engine::patches::risk::RiskBand;
use hypocenter::engine::patches::rollout::{
    Acting, Candidate, ClockNote, HealthReport, HealthVerdict, Hold, Installed, KeptRollout, LeftOut, Need, Occasion,
    OccasionKind, PlanApproval, PlanRules, Reboot, Rollout, RolloutEnd, RolloutState, Soak, TargetRecord, TargetRun,
    TargetState, Undo, plan,
};
use hypocenter::engine::settings::{AllowSettings, MethodSettings, PatchBy, PatchSettings, ProbeSettings};

use super::now;

const NAMES: [(&str, Environment, &str); 6] = [
    ("stage-1", Environment::Staging, "staging"),
    ("stage-2", Environment::Staging, "staging"),
    ("web-1", Environment::Production, "canary"),
    ("web-2", Environment::Production, "main"),
    ("web-3", Environment::Production, "main"),
    ("web-4", Environment::Production, "main"),
];

fn proposed_rollout() -> Rollout {
    let method = MethodSettings { assets: None, class: None, by: PatchBy::Ssh, name: None, before: Vec::new() };
    let mut settings = PatchSettings {
        allow: vec![AllowSettings { class: "web".into(), packages: vec!["(lib)?curl.*".into()] }],
        method: vec![method],
        probe: vec![ProbeSettings { package: "libcurl4".into(), unit: "nginx.service".into() }],
        ..PatchSettings::default()
    };
    settings.rollout.rings = vec!["canary".into(), "main".into()];
    let candidate = |(name, environment, ring): (&str, Environment, &str)| Candidate {
        name: name.into(),
        distribution: "debian".into(),
        traits: Traits {
            environment,
            class: "web".into(),
            owner: "shop".into(),
            ring: ring.into(),
            services: vec!["checkout".into()],
            ..Traits::default()
        },
        packages: ["curl", "libcurl4"]
            .map(|name| Installed {
                name: name.into(),
                architecture: String::new(),
                version: "7.88.1-10".into(),
                fixed: Some("7.88.1-10+deb12u8".into()),
            })
            .to_vec(),
        exception: None,
        unchecked: None,
    };
    let candidates: Vec<Candidate> = NAMES.map(candidate).to_vec();
    let need = Need {
        source: "curl".into(),
        fix_version: Some("7.88.1-10+deb12u8".into()),
        advisories: vec!["CVE-2026-1101".parse().expect("the pictures use valid ids")],
        band: Some(RiskBand::Critical),
        is_known_exploited: true,
        fleet: candidates.iter().map(|one| (one.name.clone(), one.traits.clone())).collect(),
        candidates,
    };
    let rules = PlanRules::new(&settings, "db|sql").expect("the pictures use valid patterns");
    Rollout::new(RolloutId(7), plan(&need, &rules, now() - HOUR_MS), now() - HOUR_MS)
}

/// With these targets in these states, approved.
fn running(states: Vec<(&str, TargetState)>) -> Rollout {
    let mut rollout = proposed_rollout();
    rollout.state = RolloutState::Running;
    let digest = rollout.plan.digest.clone();
    rollout.approval = Some(PlanApproval { by: "mira".into(), at: now() - 50 * MINUTE_MS, digest });
    for (number, (name, state)) in (1..).zip(states) {
        let record = rollout.targets.get_mut(name).expect("the pictures name targets of the plan");
        let carries = !matches!(
            state,
            TargetState::Waiting { .. } | TargetState::RolledBack { .. } | TargetState::Skipped { .. }
        );
        *record = TargetRecord { state, attempt: 1, number, carries, ..TargetRecord::default() };
        rollout.begun += u32::from(carries);
    }
    rollout
}

fn kept(rollout: Rollout) -> Arc<KeptRollout> {
    Arc::new(KeptRollout::new(rollout))
}

fn done(ago_ms: i64) -> TargetState {
    TargetState::Done { at: now() - ago_ms }
}

fn waits(hold: Hold) -> TargetState {
    TargetState::Waiting { hold: Some(hold) }
}

fn judged(verdict: HealthVerdict, words: &str) -> HealthReport {
    HealthReport::plain(verdict, words)
}

/// Nobody approved it; an asset is left out.
pub fn proposed() -> Arc<KeptRollout> {
    let mut rollout = proposed_rollout();
    let why = "no rule under [[patches.allow]] lets libcurl4 be patched on class db";
    let plan = Arc::make_mut(&mut rollout.plan);
    plan.left_out = vec![LeftOut { name: "db-1".into(), why: why.into() }];
    plan.digest = plan.computed_digest();
    let first_hold = Some(Hold::WindowShut { next: Some(now() + 11 * HOUR_MS + 27 * MINUTE_MS) });
    Arc::new(KeptRollout { first_hold, ..KeptRollout::new(rollout) })
}

/// One of each kind, as the list shows them.
pub fn several() -> Vec<Arc<KeptRollout>> {
    let named = |number, source: &str, kept: Arc<KeptRollout>| {
        let mut kept = kept.as_ref().clone();
        kept.rollout.id = RolloutId(number);
        Arc::make_mut(&mut kept.rollout.plan).source = source.into();
        Arc::new(kept)
    };
    vec![
        named(12, "linux-signed-amd64", proposed()),
        named(11, "curl", unknown()),
        named(10, "openssl", under_way()),
        named(9, "nginx", paused()),
        named(8, "glibc", rolled_back()),
        named(6, "sudo", stopped_undecided()),
        named(7, "systemd", soaking()),
    ]
}

/// Staging passed; production is patched ring by ring.
pub fn under_way() -> Arc<KeptRollout> {
    let mut rollout = running(vec![
        ("stage-1", done(4 * DAY_MS)),
        (
            "stage-2",
            TargetState::RebootPending {
                at: now() - 3 * DAY_MS,
                why: Reboot::Needed("kernel 6.1.0-26 was not booted".into()),
            },
        ),
        ("web-1", done(40 * MINUTE_MS)),
        (
            "web-2",
            TargetState::Validating {
                since: now() - 3 * MINUTE_MS,
                reboot: Some(Reboot::Untold("12 processes could not be looked into".into())),
                looks: 2,
                undecided: None,
            },
        ),
        ("web-3", waits(Hold::BatchBefore)),
        ("web-4", waits(Hold::WindowShut { next: Some(now() + 8 * HOUR_MS) })),
    ]);
    rollout.soak = Soak::Passed { report: judged(HealthVerdict::Pass, "4 metrics are not worse") };
    let mut kept = KeptRollout::new(rollout);
    kept.runs.insert("web-2".into(), TargetRun { attempt: 1, run: RunId(12), is_looked_at: false });
    Arc::new(kept)
}

/// Staging is patched, and time passes.
pub fn soaking() -> Arc<KeptRollout> {
    let until = now() + 28 * HOUR_MS;
    let mut states = vec![("stage-1", done(20 * HOUR_MS)), ("stage-2", done(20 * HOUR_MS))];
    states.extend(["web-1", "web-2", "web-3", "web-4"].map(|name| (name, waits(Hold::Soak(until)))));
    let mut rollout = running(states);
    rollout.soak = Soak::Running { from: now() - 20 * HOUR_MS, until, looks: 1 };
    kept(rollout)
}

/// An incident on a target paused it.
pub fn paused() -> Arc<KeptRollout> {
    let mut rollout = under_way().rollout.clone();
    let why = "INC-42 is active on web-3, and patching and incidents do not overlap".to_owned();
    rollout.state = RolloutState::Paused { why, incident: Some(IncidentId(42)) };
    for name in ["web-3", "web-4"] {
        rollout.targets.insert(name.into(), TargetRecord { state: waits(Hold::Paused), ..TargetRecord::default() });
    }
    kept(rollout)
}

/// Health failed on a target of production, everything was taken back, and an incident is open.
pub fn rolled_back() -> Arc<KeptRollout> {
    let back = || TargetState::RolledBack { at: now() - 10 * MINUTE_MS };
    let mut rollout = running(vec![
        ("stage-1", back()),
        ("stage-2", TargetState::CannotRollBack { why: "apt-get: 7.88.1-10 is not in any archive".into() }),
        ("web-1", back()),
        ("web-2", TargetState::Waiting { hold: None }),
        ("web-3", TargetState::Waiting { hold: None }),
        ("web-4", TargetState::Skipped { by: "mira".into(), why: "is being replaced".into() }),
    ]);
    let why = "health failed on web-1: checkout error_ratio is worse, 0.2 % before and 4.1 % after".to_owned();
    rollout.state = RolloutState::Ended { end: RolloutEnd::RolledBack, why, at: now() - 9 * MINUTE_MS };
    rollout.soak = Soak::Decided { by: "mira".into(), reason: "staging has no traffic at night".into() };
    rollout.has_incident = true;
    Arc::new(KeptRollout { incident: Some(IncidentId(42)), ..KeptRollout::new(rollout) })
}

/// An installation failed on staging, and nothing more begins.
pub fn failed() -> Arc<KeptRollout> {
    let why = "apt-get: the disk is full".to_owned();
    let mut rollout = running(vec![("stage-1", TargetState::Failed { why })]);
    // Begun, and taken back already.
    rollout.targets.entry("web-1".into()).and_modify(|record| record.attempt = 1);
    rollout.id = RolloutId(3);
    rollout.failures = 1;
    let why = "its installation failed on stage-1".to_owned();
    rollout.state = RolloutState::Ended { end: RolloutEnd::Stopped, why, at: now() - HOUR_MS };
    kept(rollout)
}

/// The end of an installation was not seen, and another target is to be decided on.
pub fn unknown() -> Arc<KeptRollout> {
    let report = judged(HealthVerdict::Inconclusive, "3 samples after the patch, 20 are needed");
    let mut rollout = running(vec![
        ("stage-1", done(4 * DAY_MS)),
        ("stage-2", done(3 * DAY_MS)),
        ("web-1", TargetState::Unknown { since: now() - HOUR_MS, was: Acting::Patching, probed_at: now() - MINUTE_MS }),
        (
            "web-2",
            TargetState::Validating { since: now() - HOUR_MS, reboot: None, looks: 0, undecided: Some(report.clone()) },
        ),
        ("web-3", waits(Hold::Unsettled("web-1".into()))),
        ("web-4", TargetState::RollingBack { since: now() - MINUTE_MS, why: "mira: it looks bad".into() }),
    ]);
    rollout.soak = Soak::Undecided { report };
    rollout.failures = 1;
    rollout.undo = vec![Undo { target: "web-2".into(), why: "mira: it looks bad".into() }].into();
    kept(rollout)
}

/// It is being taken back, and of one target nobody knows what happened on it.
pub fn ending() -> Arc<KeptRollout> {
    let mut rollout = unknown().rollout.clone();
    rollout.soak = Soak::Decided { by: "mira".into(), reason: "staging has no traffic at night".into() };
    let why = "health failed on web-4: checkout error_ratio is worse, 0.2 % before and 4.1 % after".to_owned();
    rollout.state = RolloutState::Ending { end: RolloutEnd::RolledBack, why };
    kept(rollout)
}

/// It was stopped, and all that is left is for a person to say whether a target is healthy.
pub fn stopped_undecided() -> Arc<KeptRollout> {
    let report = judged(HealthVerdict::Inconclusive, "3 samples after the patch, 20 are needed");
    let mut rollout = running(vec![
        ("stage-1", done(4 * DAY_MS)),
        ("stage-2", done(3 * DAY_MS)),
        (
            "web-1",
            TargetState::Validating { since: now() - HOUR_MS, reboot: None, looks: 0, undecided: Some(report.clone()) },
        ),
    ]);
    rollout.soak = Soak::Passed { report: judged(HealthVerdict::Pass, "4 metrics are not worse") };
    rollout.state = RolloutState::Ending { end: RolloutEnd::Stopped, why: "mira: the fix is withdrawn".into() };
    kept(rollout)
}

/// A window that is open, a freeze, a window over which the clock is set.
pub fn agenda() -> Arc<Vec<Occasion>> {
    let occasion = |kind, name: &str, zone: &str, from: Timestamp, hours: i64, note| Occasion {
        kind,
        name: name.into(),
        zone: zone.into(),
        whom: if kind == OccasionKind::Window { "production".into() } else { "every asset".into() },
        from,
        until: from + hours * HOUR_MS,
        note,
    };
    let midnight = Timestamp(now().0.div_euclid(DAY_MS) * DAY_MS);
    Arc::new(vec![
        occasion(OccasionKind::Window, "afternoon", "UTC", midnight + 13 * HOUR_MS, 3, None),
        occasion(
            OccasionKind::Window,
            "sunday night",
            "Europe/Berlin",
            midnight + 25 * HOUR_MS,
            4,
            Some(ClockNote::Twice),
        ),
        occasion(OccasionKind::Freeze, "end of month", "America/New_York", midnight + 5 * DAY_MS, 24, None),
        occasion(OccasionKind::Window, "sunday night", "Europe/Berlin", midnight + 193 * HOUR_MS, 4, None),
    ])
}
