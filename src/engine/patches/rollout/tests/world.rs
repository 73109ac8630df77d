//! A fleet, what it is like, and an executor that does what it is ordered and checks that it may.

use std::collections::{BTreeMap, BTreeSet};

use super::super::calendar::{FreezeState, Occasion, OccasionKind, Room, WindowState};
use super::super::facts::{Compared, Evidence, Facts, MemberHealth, Order, RolloutRequest, TargetEnd};
use super::super::health::MetricSamples;
use super::super::plan::{Plan, StageKind, Target};
use super::super::planning::{Candidate, Installed, Need, plan};
use super::super::rules::PlanRules;
use super::super::state::Rollout;
use super::super::target::TargetState;
use crate::engine::clock::{DAY_MS, MINUTE_MS, Timestamp};
use crate::engine::model::{BadWhen, IncidentId, RolloutId, Unit};
use crate::engine::patches::inventory::{Environment, Traits};
use crate::engine::patches::risk::RiskBand;
use crate::engine::settings::{
    AllowSettings, ClassSettings, MethodSettings, PatchBy, PatchSettings, Portion, RolloutSettings, ServerRole,
};

/// What may hold data.
pub(super) const DATABASES: &str = "(.*-)?(db|sql)([-0-9].*)?";
pub(super) const START: Timestamp = Timestamp(1_800_000_000_000);

/// What kind of patch it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patch {
    /// It harms nothing.
    Good,
    /// It harms at once, everywhere.
    Bad,
    /// It harms a few hours later, everywhere.
    BadLater,
    /// It harms at once, in production only.
    BadInProduction,
}

pub(super) fn settings(pace: RolloutSettings) -> PatchSettings {
    PatchSettings {
        rollout: pace,
        allow: vec![AllowSettings { class: ".*".to_owned(), packages: vec!["lib.*".to_owned()] }],
        method: vec![MethodSettings { assets: None, class: None, by: PatchBy::Ssh, name: None, before: Vec::new() }],
        class: [("replica", ServerRole::Replica), ("primary", ServerRole::Primary)]
            .map(|(class, role)| ClassSettings { class: class.to_owned(), role, healthy_min: None })
            .to_vec(),
        ..PatchSettings::default()
    }
}

pub(super) fn rules(pace: RolloutSettings) -> PlanRules {
    PlanRules::new(&settings(pace), DATABASES).unwrap()
}

pub(super) fn batch_of(count: u32) -> RolloutSettings {
    RolloutSettings {
        batch: Portion::Count(count),
        rings: vec!["canary".to_owned(), "main".to_owned()],
        ..RolloutSettings::default()
    }
}

pub(super) fn candidate(name: &str, environment: Environment, ring: &str, services: &[&str]) -> Candidate {
    let traits = Traits {
        environment,
        ring: ring.to_owned(),
        class: "web".to_owned(),
        services: services.iter().map(|service| (*service).to_owned()).collect(),
        ..Traits::default()
    };
    let package = Installed {
        name: "libssl3".to_owned(),
        architecture: String::new(),
        version: "3.0.1".to_owned(),
        fixed: Some("3.0.2".to_owned()),
    };
    Candidate {
        name: name.to_owned(),
        distribution: "debian".to_owned(),
        traits,
        packages: vec![package],
        exception: None,
        unchecked: None,
    }
}

pub(super) fn need(candidates: Vec<Candidate>) -> Need {
    Need {
        source: "openssl".to_owned(),
        fix_version: Some("3.0.2".to_owned()),
        advisories: vec!["CVE-2026-1234".parse().unwrap()],
        band: Some(RiskBand::Critical),
        is_known_exploited: true,
        candidates,
        fleet: BTreeMap::new(),
    }
}

/// Two of staging, two canaries, four others, all of one service.
pub(super) fn small_fleet() -> Vec<Candidate> {
    let staging = (1..=2).map(|n| candidate(&format!("stage-{n}"), Environment::Staging, "", &["shop"]));
    let canary = (1..=2).map(|n| candidate(&format!("canary-{n}"), Environment::Production, "canary", &["shop"]));
    let main = (1..=4).map(|n| candidate(&format!("main-{n}"), Environment::Production, "main", &["shop"]));
    staging.chain(canary).chain(main).collect()
}

/// What an executor has under way.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) target: String,
    pub(super) attempt: u32,
    pub(super) is_undo: bool,
}

pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) rollout: Rollout,
    pub(super) patch: Patch,
    pub(super) kill: bool,
    pub(super) frozen: bool,
    pub(super) freeze_in_ms: Option<i64>,
    /// Of production.
    pub(super) window_for_ms: Option<i64>,
    pub(super) incidents: BTreeMap<String, IncidentId>,
    pub(super) down: BTreeSet<String>,
    pub(super) unseen: BTreeSet<String>,
    pub(super) unreachable: BTreeSet<String>,
    pub(super) excepted: BTreeMap<String, u64>,
    /// Metrics that say nothing after a patch.
    pub(super) silent: BTreeSet<String>,
    /// Since when a host truly has the new version.
    pub(super) carries: BTreeMap<String, Timestamp>,
    /// Hosts that ever had a version that harms them.
    pub(super) hurt: BTreeSet<String>,
    pub(super) tasks: Vec<Task>,
    pub(super) begun: BTreeSet<(String, u32)>,
    pub(super) opened: Vec<Evidence>,
    pub(super) notes: Vec<String>,
    pub(super) probes: Vec<(String, u32)>,
}

/// Noise of 0 to 100 that differs from host to host and from instant to instant, and is the same in every run: the mixer of
/// splitmix64.
fn noise(at_ms: i64, of: u64) -> f64 {
    let mut mixed = (at_ms as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ of.wrapping_mul(0xD1B5_4A32_D192_ED03);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) % 1_000) as f64 / 10.0
}

impl Facts for World {
    fn kill_switch(&self) -> Option<String> {
        self.kill.then(|| "ada".to_owned())
    }

    fn room(&self, target: &Target) -> Room {
        let occasion = |kind, from_ms: i64| Occasion {
            kind,
            name: "some".to_owned(),
            zone: "UTC".to_owned(),
            whom: "every asset".to_owned(),
            from: self.now + from_ms,
            until: self.now + from_ms + DAY_MS,
            note: None,
        };
        let freeze = match (self.frozen, self.freeze_in_ms) {
            (true, _) => FreezeState::Now(occasion(OccasionKind::Freeze, 0)),
            (false, Some(ms)) => FreezeState::Next(occasion(OccasionKind::Freeze, ms)),
            (false, None) => FreezeState::None,
        };
        let window = match (target.environment, self.window_for_ms) {
            (Environment::Production, Some(ms)) => WindowState::Open { name: "night".to_owned(), until: self.now + ms },
            (Environment::Production, None) => WindowState::Shut { next: Some(occasion(OccasionKind::Window, DAY_MS)) },
            _ => WindowState::NotNeeded,
        };
        Room { window, freeze }
    }

    fn incident(&self, target: &Target, known: &BTreeSet<IncidentId>) -> Option<IncidentId> {
        self.incidents.get(&target.name).copied().filter(|id| !known.contains(id))
    }

    fn member(&self, asset: &str) -> MemberHealth {
        if self.down.contains(asset) {
            MemberHealth::Unhealthy("nginx.service is down".to_owned())
        } else if self.unseen.contains(asset) {
            MemberHealth::Unknown
        } else {
            MemberHealth::Healthy
        }
    }

    fn exception(&self, target: &Target) -> Option<u64> {
        self.excepted.get(&target.name).copied()
    }

    fn tried_again(&self, target: &Target) -> Option<(String, Timestamp)> {
        self.unreachable.contains(&target.name).then(|| ("it does not answer".to_owned(), self.now + MINUTE_MS))
    }

    fn taken_by(&self, _target: &Target) -> Option<String> {
        None
    }

    fn health(&self, target: &Target, times: &Compared) -> Vec<MetricSamples> {
        let every = |(from, until): (Timestamp, Timestamp), ms: i64| {
            let count = (until.since_ms(from) / ms).clamp(0, 200);
            let name: u64 = target.name.bytes().map(u64::from).sum();
            (0..count).map(move |at| noise(from.0 + at * ms, name))
        };
        let is_silent = self.silent.contains(&target.name);
        let bad = if self.is_harmed(&target.name) { 60.0 } else { 0.0 };
        vec![MetricSamples {
            of: target.name.clone(),
            metric: "latency".to_owned(),
            unit: Unit::Count,
            bad_when: BadWhen::High,
            // Read every ten seconds while it is watched closely.
            before: every(times.before, MINUTE_MS).collect(),
            after: every(times.after, MINUTE_MS / 6).filter(|_| !is_silent).map(|value| value + bad).collect(),
        }]
    }
}

impl World {
    pub(super) fn new(plan: Plan, patch: Patch) -> Self {
        Self {
            now: START,
            rollout: Rollout::new(RolloutId(7), plan, START),
            patch,
            kill: false,
            frozen: false,
            freeze_in_ms: None,
            window_for_ms: Some(DAY_MS),
            incidents: BTreeMap::new(),
            down: BTreeSet::new(),
            unseen: BTreeSet::new(),
            unreachable: BTreeSet::new(),
            excepted: BTreeMap::new(),
            silent: BTreeSet::new(),
            carries: BTreeMap::new(),
            hurt: BTreeSet::new(),
            tasks: Vec::new(),
            begun: BTreeSet::new(),
            opened: Vec::new(),
            notes: Vec::new(),
            probes: Vec::new(),
        }
    }

    pub(super) fn small(batch: u32, patch: Patch) -> Self {
        Self::new(plan(&need(small_fleet()), &rules(batch_of(batch)), START), patch)
    }

    fn is_harmed(&self, name: &str) -> bool {
        let Some(since) = self.carries.get(name) else { return false };
        let environment = self.rollout.plan.targets.get(name).map(|target| target.environment);
        match self.patch {
            Patch::Good => false,
            Patch::Bad => true,
            Patch::BadLater => self.now.since_ms(*since) > 3 * 60 * MINUTE_MS,
            Patch::BadInProduction => environment == Some(Environment::Production),
        }
    }

    fn might_harm(&self, name: &str) -> bool {
        let environment = self.rollout.plan.targets.get(name).map(|target| target.environment);
        match self.patch {
            Patch::Good => false,
            Patch::Bad | Patch::BadLater => true,
            Patch::BadInProduction => environment == Some(Environment::Production),
        }
    }

    pub(super) fn ask(&mut self, request: &RolloutRequest) -> Result<(), String> {
        let (rollout, orders) = self.rollout.on_request(request, self.now).map_err(|refusal| refusal.to_string())?;
        self.keep(rollout, orders);
        Ok(())
    }

    pub(super) fn approve(&mut self) {
        let digest = self.rollout.plan.digest.clone();
        self.ask(&RolloutRequest::Approve { by: "ada".to_owned(), digest }).unwrap();
    }

    /// What a person says of it, whatever they are asked.
    pub(super) fn why() -> (String, String) {
        ("ada".to_owned(), "looked at it".to_owned())
    }

    pub(super) fn advance(&mut self) {
        let (rollout, orders) = self.rollout.advance(self, self.now);
        self.keep(rollout, orders);
    }

    pub(super) fn pass(&mut self, ms: i64) {
        self.now = self.now + ms;
        self.advance();
    }

    pub(super) fn restart(&mut self) {
        let (rollout, orders) = self.rollout.after_restart(self.now);
        self.keep(rollout, orders);
    }

    /// Goes on minute by minute, doing every task right, until nothing is left for a machine to do or `ms` have passed.
    pub(super) fn go_on(&mut self, ms: i64) {
        let until = self.now + ms;
        while self.now < until && !self.rollout.is_over() {
            self.do_tasks();
            self.pass(MINUTE_MS);
        }
    }

    pub(super) fn do_tasks(&mut self) {
        for task in std::mem::take(&mut self.tasks) {
            self.do_task(&task);
        }
    }

    /// Does a task and tells its end.
    pub(super) fn do_task(&mut self, task: &Task) {
        self.change(task);
        let end = if task.is_undo { TargetEnd::RolledBack } else { TargetEnd::Patched { reboot: None } };
        self.tell(&task.target, task.attempt, &end);
    }

    /// Does it and tells nobody.
    pub(super) fn change(&mut self, task: &Task) {
        if task.is_undo {
            self.carries.remove(&task.target);
        } else {
            self.carries.insert(task.target.clone(), self.now);
            if self.might_harm(&task.target) {
                self.hurt.insert(task.target.clone());
            }
        }
    }

    pub(super) fn tell(&mut self, target: &str, attempt: u32, end: &TargetEnd) {
        let (rollout, orders) = self.rollout.on_target(target, attempt, end, self.now);
        self.keep(rollout, orders);
    }

    /// Keeps what became of the rollout as the store would, and does what it orders after looking whether it may.
    fn keep(&mut self, rollout: Rollout, orders: Vec<Order>) {
        let before = std::mem::replace(&mut self.rollout, rollout);
        let bytes = postcard::to_stdvec(&self.rollout).unwrap();
        assert_eq!(postcard::from_bytes::<Rollout>(&bytes).unwrap(), self.rollout, "what is kept is what it was");
        for order in orders {
            match order {
                Order::BeginTarget { target, attempt, packages, .. } => {
                    assert_eq!(packages[0].to, "3.0.2");
                    self.check_begin(&target, attempt, &before);
                    self.tasks.push(Task { target, attempt, is_undo: false });
                }
                Order::RollBackTarget { target, attempt, packages, .. } => {
                    assert_eq!(packages[0].to, "3.0.1");
                    assert!(!self.kill, "{target} is taken back with the kill switch on");
                    assert!(self.begun.insert((target.clone(), attempt)), "{target} {attempt} ordered twice");
                    self.tasks.push(Task { target, attempt, is_undo: true });
                }
                Order::ProbeTarget { target, attempt } => self.probes.push((target, attempt)),
                Order::OpenIncident { evidence } => self.opened.push(evidence),
                Order::Note { text } => self.notes.push(text),
                Order::WatchClosely { every_ms, until, .. } => assert!(every_ms == 10_000 && until > self.now),
            }
        }
        let plan = &self.rollout.plan;
        let acted_on =
            |state: &TargetState| matches!(state, TargetState::Patching { .. } | TargetState::RollingBack { .. });
        let at_once = self.rollout.targets.values().filter(|record| acted_on(&record.state)).count();
        let most = plan.stages.iter().map(|stage| stage.batch_max).max().unwrap_or(0);
        assert!(at_once <= usize::try_from(most).unwrap(), "{at_once} are acted on, {most} may be");
        assert!(self.opened.len() <= 1, "one rollout opens one incident");
    }

    /// Every rule about what may begin, looked at from outside.
    fn check_begin(&mut self, name: &str, attempt: u32, before: &Rollout) {
        assert!(self.begun.insert((name.to_owned(), attempt)), "{name} begun twice for attempt {attempt}");
        assert!(!self.kill, "{name} begun with the kill switch on");
        assert!(!self.frozen, "{name} begun in a freeze");
        assert!(before.is_approved(), "{name} begun without an approval");
        assert!(
            matches!(before.state, super::super::state::RolloutState::Running),
            "{name} begun in {:?}",
            before.state
        );
        assert!(!self.incidents.contains_key(name), "{name} begun in an incident");
        assert!(!self.unreachable.contains(name));
        let target = &before.plan.targets[name];
        let through_ms = before.plan.pace.takes_ms + before.plan.pace.validate_ms;
        assert!(self.freeze_in_ms.is_none_or(|ms| ms >= through_ms), "{name} would run into a freeze");
        if target.environment == Environment::Production {
            assert!(self.window_for_ms.is_some_and(|ms| ms >= through_ms), "{name} begun outside a window");
        }
        let (stage, batch) = before.plan.position(name).unwrap();
        let (at_once, most) = (self.rollout.under_way().count(), before.plan.stages[stage].batch_max);
        assert!(at_once <= usize::try_from(most).unwrap(), "{at_once} under way, {most} may be");
        for (number, of) in before.plan.stages.iter().enumerate() {
            for (place, names) in of.batches.iter().enumerate() {
                if (number, place) < (stage, batch) {
                    let all = names.iter().all(|name| self.rollout.is_settled(name));
                    assert!(all, "{name} overtook a batch");
                }
            }
        }
        if before.plan.stages[stage].kind == StageKind::Production {
            assert!(self.rollout.soak.is_good(), "{name} begun before its soak");
        }
        assert!(self.rollout.targets.values().all(|record| !matches!(record.state, TargetState::Unknown { .. })));
        for group in before.plan.groups_of(name) {
            let healthy = group.members.iter().filter(|member| {
                let busy = self.rollout.targets.get(*member).is_some_and(|record| record.state.is_under_way());
                !busy && self.member(member) == MemberHealth::Healthy
            });
            assert!(healthy.count() >= usize::try_from(group.healthy_min).unwrap(), "{} lost too many", group.name);
        }
    }
}
