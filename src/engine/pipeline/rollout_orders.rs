//! Orders of rollouts carried out, and what became of the runs that they led to.

use std::sync::Arc;

use super::Engine;
use super::rollout_ends::{Shown, is_running, seen};
use super::rollouts::PutOff;
use super::turn::Turn;
use crate::engine::act::policy::GateRefusal;
use crate::engine::act::walk::{self, ENGINE};
use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::correlate::{self, CorrelationEvent};
use crate::engine::input::AssetLook;
use crate::engine::model::{
    Incident, IncidentSeverity, RolloutId, RolloutTarget, Run, RunId, ServiceName, StepState, TimelineEntry,
    TimelineKind,
};
use crate::engine::patches::acts::{self, INSTALL, Job as PatchJob, Method, Move, Reach};
use crate::engine::patches::inventory::{Environment, Reboot};
use crate::engine::patches::rollout::{
    Evidence, KeptRollout, Order, PackageManager, PatchMethod, Target, TargetEnd, TargetRun, TargetState,
};

/// What could not be begun is tried again after this, twice this the next time, and so on up to the most.
const PUT_OFF_MS: i64 = MINUTE_MS;
const PUT_OFF_MS_MAX: i64 = 10 * MINUTE_MS;
/// So often the taking back of a target is tried.
const TRIES_MAX: u32 = 10;

impl Engine {
    pub(super) fn carry_out(&mut self, id: RolloutId, order: Order, turn: &mut Turn) {
        match order {
            Order::BeginTarget { target, attempt, .. } => {
                if let Err(why) = self.begin_target(id, &target, attempt, turn) {
                    self.end_target(id, &target, attempt, TargetEnd::Failed { why, may_have_changed: false }, turn);
                }
            }
            Order::RollBackTarget { target, attempt, why, .. } => {
                if let Err(end) = self.roll_back_target(id, &target, attempt, &why, turn) {
                    self.end_target(id, &target, attempt, end, turn);
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
        turn.keep(self.samples_record(name));
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

    /// Tells a rollout how an order ended.
    pub(super) fn end_target(&mut self, id: RolloutId, name: &str, attempt: u32, end: TargetEnd, turn: &mut Turn) {
        self.end_targets(id, vec![(Arc::from(name), attempt, end)], turn);
    }

    /// Tells a rollout how orders ended, all at once: it is one change, however many there are.
    fn end_targets(&mut self, id: RolloutId, ends: Vec<(Arc<str>, u32, TargetEnd)>, turn: &mut Turn) {
        let Some(kept) = self.rollouts.kept.get(&id).cloned() else { return };
        let ends: Vec<(Arc<str>, u32, TargetEnd)> = ends
            .into_iter()
            .map(|(name, attempt, end)| {
                let end = self.put_off(&kept, &name, end, turn.now);
                (name, attempt, end)
            })
            .collect();
        let told = ends.iter().map(|(name, attempt, end)| (name.as_ref(), *attempt, end));
        let (rollout, orders) = kept.rollout.on_targets(told, turn.now);
        self.take_rollout(id, rollout, orders, turn);
    }

    /// What could not be begun is put off for a while, longer each time; what cannot be taken back after many tries is told to be so.
    fn put_off(&mut self, kept: &KeptRollout, name: &Arc<str>, end: TargetEnd, now: Timestamp) -> TargetEnd {
        let of = RolloutTarget { rollout: kept.rollout.id, asset: Arc::clone(name) };
        let state = kept.rollout.targets.get(name.as_ref()).map(|record| &record.state);
        let is_taken_back = matches!(state, Some(TargetState::RollingBack { .. }));
        let TargetEnd::NotBegun { why } = &end else {
            self.rollouts.put_off.remove(&of);
            return end;
        };
        let tries = self.rollouts.put_off.get(&of).map_or(0, |before| before.tries) + 1;
        let until = now + (i64::from(tries) * PUT_OFF_MS).min(PUT_OFF_MS_MAX);
        self.rollouts.put_off.insert(of, PutOff { why: why.clone(), until, tries });
        if is_taken_back && tries >= TRIES_MAX {
            return TargetEnd::RollBackFailed { why: format!("{why}, {tries} times") };
        }
        end
    }

    /// Holds each run against what its target is waiting for; true where something has ended.
    pub(super) fn settle_runs(&mut self, id: RolloutId, turn: &mut Turn) -> bool {
        let Some(kept) = self.rollouts.kept.get(&id).cloned() else { return false };
        let mut ends = Vec::new();
        for (name, of) in &kept.runs {
            let Some(record) = kept.rollout.targets.get(name).filter(|record| record.attempt == of.attempt) else {
                continue;
            };
            let Some(run) = self.world.runs.get(&of.run).cloned() else { continue };
            let between = || {
                let target = RolloutTarget { rollout: id, asset: Arc::from(name.as_str()) };
                self.come_between(&target, turn.now)
            };
            let Some(outcome) = seen(&run, &record.state, &between, turn.now) else { continue };
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
                    ends.push((Arc::from(name.as_str()), of.attempt, end));
                }
            }
        }
        let has_ended = !ends.is_empty();
        if has_ended {
            self.end_targets(id, ends, turn);
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
                let reboot = Some(Reboot::Untold("what runs there was not looked at; scan it".to_owned()));
                self.end_target(id, name, attempt, TargetEnd::Patched { reboot }, turn);
                return;
            }
        };
        let target = RolloutTarget { rollout: id, asset: Arc::from(name) };
        turn.look_at_asset(AssetLook { target, attempt, is_remote });
        self.keep_rollout(id, turn);
    }

    /// What a look at a machine found.
    pub(super) fn take_asset_seen(&mut self, look: &AssetLook, found: Result<Option<Reboot>, String>, turn: &mut Turn) {
        let reboot = found.unwrap_or_else(|why| Some(Reboot::Untold(format!("it could not be looked at: {why}"))));
        let end = TargetEnd::Patched { reboot };
        self.end_target(look.target.rollout, &look.target.asset, look.attempt, end, turn);
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
}
