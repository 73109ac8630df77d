//! Orders of rollouts carried out, and what became of the runs that they led to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Engine;
use super::rollout_ends::{Shown, is_running, seen};
use super::rollout_facts::machines;
use super::rollouts::PutOff;
use super::turn::Turn;
use crate::engine::act::policy::GateRefusal;
use crate::engine::act::walk::{self, ENGINE};
use crate::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::correlate::{self, CorrelationEvent};
use crate::engine::input::AssetLook;
use crate::engine::job::Record;
use crate::engine::model::{
    Incident, IncidentSeverity, RolloutId, RolloutTarget, Run, RunId, ServiceName, StepState, TimelineEntry,
    TimelineKind,
};
use crate::engine::patches::acts::{self, INSTALL, Job as PatchJob, Method, Move, Reach};
use crate::engine::patches::inventory::Environment;
use crate::engine::patches::rollout::{
    Evidence, KeptRollout, Order, PackageManager, PatchMethod, Samples, Seen, Target, TargetEnd, TargetRun, TargetState,
};

/// The setting under which samples are kept.
const SAMPLES: &str = "rollout samples";
/// Between two looks at metrics while nothing is under way.
const SAMPLE_MS: i64 = MINUTE_MS;
/// Between two times that they are written: a hundredth of what is compared, within these.
const KEEP_SAMPLES_MS: std::ops::RangeInclusive<i64> = 10 * SECOND_MS..=10 * MINUTE_MS;
/// What could not be begun is tried again after this, twice this the next time, and so on up to the most.
const PUT_OFF_MS: i64 = MINUTE_MS;
const PUT_OFF_MS_MAX: i64 = 10 * MINUTE_MS;
/// So often the taking back of a target is tried.
const TRIES_MAX: u32 = 10;

impl Engine {
    pub(super) fn restore_samples(&mut self, name: &str, value: &str) -> bool {
        if name != SAMPLES {
            return false;
        }
        match serde_json::from_str::<Samples>(value) {
            Ok(samples) => self.rollouts.samples = samples,
            // Health that cannot be told waits for a person, so nothing is taken for good by this.
            Err(problem) => tracing::warn!(%problem, "samples of rollouts were not read back"),
        }
        true
    }

    pub(super) fn carry_out(&mut self, id: RolloutId, order: Order, turn: &mut Turn) {
        match order {
            Order::BeginTarget { target, attempt, .. } => {
                if let Err(why) = self.begin_target(id, &target, attempt, turn) {
                    self.end_target(id, &target, attempt, &TargetEnd::Failed { why, may_have_changed: false }, turn);
                }
            }
            Order::RollBackTarget { target, attempt, why, .. } => {
                if let Err(end) = self.roll_back_target(id, &target, attempt, &why, turn) {
                    self.end_target(id, &target, attempt, &end, turn);
                }
            }
            Order::ProbeTarget { target, .. } => self.probe_target(id, &target, turn),
            Order::OpenIncident { evidence } => self.open_rollout_incident(id, &evidence, turn),
            Order::WatchClosely { until, every_ms, .. } => turn.watch_closely(until, every_ms),
            Order::Note { text } => self.note_of_rollout(&text, turn),
        }
    }

    fn begin_target(&mut self, id: RolloutId, name: &str, attempt: u32, turn: &mut Turn) -> Result<(), String> {
        let kept = self.rollouts.kept.get(&id).cloned().ok_or("its rollout is gone")?;
        let target = kept.rollout.plan.targets.get(name).ok_or("it is not in the plan")?;
        let of = RolloutTarget { rollout: id, asset: Arc::from(name) };
        let job = self.patch_job(&kept, target, &of)?;
        let mandate = self.mandate(&of, turn.now).ok_or("its rollout is gone")?;
        let by = mandate.approved_by.clone().ok_or("nobody has approved the plan")?;
        let run = RunId(self.next_run);
        self.next_run += 1;
        let proposal = acts::proposal(&job);
        // What health was before is what it is held against, so it must not be lost with what comes now.
        if self.rollouts.samples_kept_at != turn.now {
            let record = self.samples_record(turn);
            turn.keep(record);
        }
        let subject = crate::engine::act::policy::Subject::Rollout(&mandate);
        let outcome = self.with_gate(subject, turn.now, |gate| walk::start(run, &proposal, &by, gate));
        self.take_walk(outcome, turn, true);
        if let Some(kept) = self.rollouts.kept.get_mut(&id) {
            let runs = &mut Arc::make_mut(kept).runs;
            runs.insert(name.to_owned(), TargetRun { attempt, run, is_looked_at: false });
        }
        Ok(())
    }

    fn patch_job(&self, kept: &KeptRollout, target: &Target, of: &RolloutTarget) -> Result<PatchJob, String> {
        let words = |text: &str| -> Arc<str> { Arc::from(text) };
        let reach = |method: &PatchMethod| match method {
            PatchMethod::Local => Reach::Local,
            _ => Reach::Ssh(Arc::clone(&of.asset)),
        };
        let method = match (&target.method, target.manager) {
            (PatchMethod::Ansible(name), _) => Method::Playbook(words(name)),
            (PatchMethod::Awx(name), _) => Method::JobTemplate(words(name)),
            (method, Some(PackageManager::Apt)) => Method::Apt(reach(method)),
            (method, Some(PackageManager::Dnf)) => Method::Dnf(reach(method)),
            (_, None) => return Err("its package manager is not known".to_owned()),
        };
        let moves = target.packages.iter().map(|change| Move {
            name: words(&change.name),
            architecture: words(&change.architecture),
            from: words(&change.from),
            to: words(&change.to),
        });
        Ok(PatchJob {
            target: of.clone(),
            source: words(&kept.rollout.plan.source),
            moves: moves.collect(),
            method,
            before: target.before.clone(),
            allowed: words(&target.may_come_along),
            proofs: target.proofs.clone(),
            units: target.units.iter().map(|unit| words(unit)).collect(),
            timeout_ms: kept.rollout.plan.pace.takes_ms,
        })
    }

    fn roll_back_target(
        &mut self,
        id: RolloutId,
        name: &str,
        attempt: u32,
        why: &str,
        turn: &mut Turn,
    ) -> Result<(), TargetEnd> {
        let never = |why: &str| TargetEnd::RollBackFailed { why: why.to_owned() };
        let kept = self.rollouts.kept.get(&id).cloned().ok_or_else(|| never("its rollout is gone"))?;
        let before = kept.runs.get(name).ok_or_else(|| never("no run is known that patched it"))?;
        let run = self.world.runs.get(&before.run).cloned();
        let run = run.ok_or_else(|| never("the run that patched it is not known any more"))?;
        let (index, step) = run.step_named(INSTALL).ok_or_else(|| never("the run that patched it has no such step"))?;
        let ground = self.ground_of(&run, turn.now).ok_or_else(|| never("its rollout is gone"))?;
        // From here on its end is told with this number.
        if let Some(kept) = self.rollouts.kept.get_mut(&id)
            && let Some(of) = Arc::make_mut(kept).runs.get_mut(name)
        {
            of.attempt = attempt;
        }
        let engine: Arc<str> = Arc::from(ENGINE);
        let undone =
            self.with_gate(ground.subject(), turn.now, |gate| walk::undo(&run, index, &step.id, &engine, gate));
        let outcome = undone.map_err(|refusal| match refusal {
            // What was never done, or has no way back, will not have one later.
            GateRefusal::NoUndo { .. } if !is_running(&run) => TargetEnd::RollBackFailed { why: refusal.to_string() },
            refusal => TargetEnd::NotBegun { why: refusal.to_string() },
        })?;
        self.note_of_rollout(&format!("{id}: takes {name} back: {why}"), turn);
        self.take_walk(outcome, turn, true);
        Ok(())
    }

    /// Looks by the run's own probe; what it says is seen with the run.
    fn probe_target(&mut self, id: RolloutId, name: &str, turn: &mut Turn) {
        let Some(of) = self.rollouts.kept.get(&id).and_then(|kept| kept.runs.get(name).copied()) else { return };
        let Some(run) = self.world.runs.get(&of.run).cloned() else { return };
        let Some((index, step)) = run.step_named(INSTALL) else { return };
        if !matches!(step.state, StepState::Unknown { .. }) {
            return;
        }
        let Some(ground) = self.ground_of(&run, turn.now) else { return };
        let engine: Arc<str> = Arc::from(ENGINE);
        let probed = self.with_gate(ground.subject(), turn.now, |gate| walk::probe(&run, index, &engine, gate));
        if let Ok(outcome) = probed {
            self.take_walk(outcome, turn, true);
        }
    }

    fn open_rollout_incident(&mut self, id: RolloutId, evidence: &Evidence, turn: &mut Turn) {
        let Some(kept) = self.rollouts.kept.get(&id).cloned() else { return };
        let number = self.correlator.take_number();
        let mut incident = Incident::opened(number, turn.now, turn.now);
        incident.title = Arc::from(evidence.title.as_str());
        let in_production = evidence.carriers.iter().filter_map(|name| kept.rollout.plan.targets.get(name));
        let is_production = in_production.into_iter().any(|target| target.environment == Environment::Production);
        incident.severity = if is_production { IncidentSeverity::Sev2 } else { IncidentSeverity::Sev3 };
        let names = evidence.services.iter().chain(evidence.target.iter().filter(|_| evidence.services.is_empty()));
        incident.services = names.map(|name| (ServiceName::new(name), turn.now)).collect();
        let mut tell = |kind, text: String| {
            let entry = TimelineEntry {
                at: turn.now,
                kind,
                text: Arc::from(text),
                service: None,
                anomaly: None,
                by: Some(Arc::from(ENGINE)),
            };
            correlate::add_to_timeline(&mut incident.timeline, entry);
        };
        tell(TimelineKind::State, format!("opened by {id}: {}", evidence.title));
        if let Some(report) = &evidence.report {
            tell(TimelineKind::Impact, report.words.clone());
            for one in &report.metrics {
                tell(TimelineKind::Impact, one.words.clone());
            }
        }
        let carriers = if evidence.carriers.is_empty() { "nobody".to_owned() } else { evidence.carriers.join(", ") };
        tell(TimelineKind::Change, format!("{} has been put on {carriers}", kept.rollout.plan.source));
        self.touched.incidents.insert(number);
        self.apply(&CorrelationEvent::IncidentOpened(Arc::new(incident)), turn);
        if let Some(kept) = self.rollouts.kept.get_mut(&id) {
            Arc::make_mut(kept).incident = Some(number);
        }
    }

    /// Tells a rollout how an order ended. What could not be begun is put off for a while, longer each time; what cannot be taken
    /// back after many tries is told to be so.
    pub(super) fn end_target(&mut self, id: RolloutId, name: &str, attempt: u32, end: &TargetEnd, turn: &mut Turn) {
        let of = RolloutTarget { rollout: id, asset: Arc::from(name) };
        let is_taken_back = self
            .rollouts
            .kept
            .get(&id)
            .and_then(|kept| kept.rollout.targets.get(name))
            .is_some_and(|record| matches!(record.state, TargetState::RollingBack { .. }));
        let mut given_up = None;
        if let TargetEnd::NotBegun { why } = end {
            let tries = self.rollouts.put_off.get(&of).map_or(0, |before| before.tries) + 1;
            if is_taken_back && tries >= TRIES_MAX {
                given_up = Some(TargetEnd::RollBackFailed { why: format!("{why}, {tries} times") });
            }
            let until = turn.now + (i64::from(tries) * PUT_OFF_MS).min(PUT_OFF_MS_MAX);
            self.rollouts.put_off.insert(of, PutOff { why: why.clone(), until, tries });
        } else {
            self.rollouts.put_off.remove(&of);
        }
        let end = given_up.as_ref().unwrap_or(end);
        let Some(kept) = self.rollouts.kept.get(&id).cloned() else { return };
        let (rollout, orders) = kept.rollout.on_target(name, attempt, end, turn.now);
        self.take_rollout(id, rollout, orders, turn);
    }

    /// Holds each run against what its target is waiting for; true where something has ended.
    pub(super) fn settle_runs(&mut self, id: RolloutId, turn: &mut Turn) -> bool {
        let Some(kept) = self.rollouts.kept.get(&id).cloned() else { return false };
        let mut has_ended = false;
        for (name, of) in &kept.runs {
            let Some(record) = kept.rollout.targets.get(name).filter(|record| record.attempt == of.attempt) else {
                continue;
            };
            let Some(run) = self.world.runs.get(&of.run).cloned() else { continue };
            let target = RolloutTarget { rollout: id, asset: Arc::from(name.as_str()) };
            let between = self.come_between(&target, turn.now);
            let Some(outcome) = seen(&run, &record.state, between.as_deref(), turn.now) else { continue };
            match outcome {
                Shown::Installed { stops } => {
                    if stops {
                        self.stop_target_run(&run, turn);
                    }
                    if !of.is_looked_at {
                        self.look_at_target(id, name, turn);
                    }
                }
                Shown::End { end, stops } => {
                    if stops {
                        self.stop_target_run(&run, turn);
                    }
                    self.end_target(id, name, of.attempt, &end, turn);
                    has_ended = true;
                }
            }
        }
        has_ended
    }

    /// What keeps an order from being carried out that was not there when it was given.
    fn come_between(&self, of: &RolloutTarget, now: Timestamp) -> Option<String> {
        let killed = self.safety.kill.as_ref().map(|kill| format!("the kill switch is on ({})", kill.by));
        killed.or_else(|| self.mandate(of, now)?.hold.map(|hold| hold.to_string()))
    }

    /// The packages are there: the machine itself says what runs on replaced files.
    fn look_at_target(&mut self, id: RolloutId, name: &str, turn: &mut Turn) {
        let Some(kept) = self.rollouts.kept.get_mut(&id) else { return };
        let kept = Arc::make_mut(kept);
        let Some((target, of)) = kept.rollout.plan.targets.get(name).zip(kept.runs.get_mut(name)) else { return };
        of.is_looked_at = true;
        let attempt = of.attempt;
        let is_remote = match target.method {
            PatchMethod::Local => false,
            PatchMethod::Ssh => true,
            PatchMethod::Ansible(_) | PatchMethod::Awx(_) => {
                let reboot = Some("what runs there was not looked at; scan it".to_owned());
                self.end_target(id, name, attempt, &TargetEnd::Patched { reboot }, turn);
                return;
            }
        };
        let target = RolloutTarget { rollout: id, asset: Arc::from(name) };
        turn.look_at_asset(AssetLook { target, attempt, is_remote });
        self.keep_rollout(id, turn);
    }

    /// What a look at a machine found.
    pub(super) fn take_asset_seen(&mut self, look: &AssetLook, found: Result<Option<String>, String>, turn: &mut Turn) {
        let reboot = found.unwrap_or_else(|why| Some(format!("what runs there is not known: {why}")));
        let end = TargetEnd::Patched { reboot };
        self.end_target(look.target.rollout, &look.target.asset, look.attempt, &end, turn);
        self.advance_rollout(look.target.rollout, turn);
    }

    fn stop_target_run(&mut self, run: &Arc<Run>, turn: &mut Turn) {
        let Some(ground) = self.ground_of(run, turn.now).filter(|_| run.state.is_open()) else { return };
        let engine: Arc<str> = Arc::from(ENGINE);
        let stopped = self.with_gate(ground.subject(), turn.now, |gate| walk::stop(run, None, &engine, gate));
        if let Ok(outcome) = stopped {
            self.take_walk(outcome, turn, true);
        }
    }

    /// Takes in what the metrics of targets are, for what is compared later.
    pub(super) fn sample_targets(&mut self, turn: &mut Turn) {
        let open = self.rollouts.kept.values().filter(|kept| !kept.rollout.is_over());
        // Before anything is begun as well: what health is then is what it is compared with.
        let every_ms = open.clone().map(|kept| kept.rollout.plan.pace.watch_ms).min();
        let since = turn.now.since_ms(self.rollouts.sampled_at);
        if (0..every_ms.unwrap_or(SAMPLE_MS)).contains(&since) {
            return;
        }
        // Each target under the services that it carries and under its own name.
        let mut carried: BTreeMap<ServiceName, BTreeSet<String>> = BTreeMap::new();
        let mut names: BTreeSet<String> = BTreeSet::new();
        for target in open.flat_map(|kept| kept.rollout.plan.targets.values()) {
            for name in target.services.iter().chain([&target.name]) {
                carried.entry(ServiceName::new(name)).or_default().insert(target.name.clone());
            }
            names.insert(target.name.clone());
        }
        let wanted: BTreeSet<ServiceName> = carried.keys().cloned().collect();
        for it in self.detection.latest_of(&wanted) {
            let Some(carriers) = carried.get(it.service) else { continue };
            let (of, metric) = (it.service.as_str(), it.metric.as_ref());
            let seen = Seen { of, metric, unit: it.unit, bad_when: it.bad_when, at: it.at, value: it.value };
            match it.instance {
                None => carriers.iter().for_each(|name| self.rollouts.samples.take(name, &seen)),
                Some(instance) => machines(Some(instance))
                    .flatten()
                    .filter(|machine| carriers.contains(*machine))
                    .for_each(|name| self.rollouts.samples.take(name, &seen)),
            }
        }
        self.rollouts.sampled_at = turn.now;
        self.keep_samples(&names, turn);
    }

    fn keep_samples(&mut self, targets: &BTreeSet<String>, turn: &mut Turn) {
        let open = self.rollouts.kept.values().filter(|kept| !kept.rollout.is_over());
        let paces = open.map(|kept| kept.rollout.plan.pace.soak_ms / 100).min().unwrap_or(i64::MAX);
        let every_ms = paces.clamp(*KEEP_SAMPLES_MS.start(), *KEEP_SAMPLES_MS.end());
        let since = turn.now.since_ms(self.rollouts.samples_kept_at);
        if (0..every_ms).contains(&since) {
            return;
        }
        self.rollouts.samples.retain(|name| targets.contains(name));
        let record = self.samples_record(turn);
        turn.keep_later(record);
    }

    fn samples_record(&mut self, turn: &Turn) -> Record {
        self.rollouts.samples_kept_at = turn.now;
        // Plain data: it always has a text.
        let value = serde_json::to_string(&self.rollouts.samples).unwrap_or_default();
        Record::Setting { name: SAMPLES.to_owned(), value }
    }
}
