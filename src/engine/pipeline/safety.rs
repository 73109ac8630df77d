//! The kill switch, the circuit breaker's reset and the silent trials: what is kept of safety, and who may change it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::audit_log::About;
use super::runs::Ground;
use super::turn::Turn;
use crate::engine::act::policy::{self, Gate};
use crate::engine::act::walk::ENGINE;
use crate::engine::clock::Timestamp;
use crate::engine::input::KillWord;
use crate::engine::job::Record;
use crate::engine::model::{
    ActionKind, AuditKind, AutonomyStatus, Incident, IncidentId, KillSwitch, Proposal, Purpose, Run, RunId, Safety,
    StepState,
};
use crate::engine::request::Request;

/// What the engine would have done with the act that is offered.
pub(super) struct Trial {
    action: ActionKind,
    would_begin: bool,
}

impl Engine {
    pub(super) fn restore_safety(&mut self, name: &str, value: &str) -> bool {
        if name != Safety::SETTING {
            return false;
        }
        match serde_json::from_str(value) {
            Ok(safety) => self.safety = safety,
            Err(problem) => {
                // What cannot be read is taken for the worst: on, until a person has looked.
                let reason = format!("its record could not be read back: {problem}");
                self.safety.kill =
                    Some(KillSwitch { at: Timestamp(0), by: Arc::from(ENGINE), reason: Arc::from(reason) });
            }
        }
        true
    }

    /// True while nothing may begin.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.safety.kill.is_some()
    }

    fn keep_safety(&self, turn: &mut Turn) {
        // Plain data: it always has a text.
        let value = serde_json::to_string(&self.safety).unwrap_or_default();
        turn.keep(Record::Setting { name: Safety::SETTING.to_owned(), value });
    }

    pub(super) fn change_safety(
        &mut self,
        by: &Arc<str>,
        request: &Request,
        turn: &mut Turn,
    ) -> Result<String, String> {
        match request {
            Request::Kill { reason } => self.kill(by, reason, turn),
            Request::Release { reason } => self.release(by, reason, turn),
            _ => {
                self.safety.breaker_reset_at = Some(turn.now);
                self.keep_safety(turn);
                let text = "reset the circuit breaker: failures before now no longer count".to_owned();
                self.record(turn, AuditKind::Operator, by, About::default(), &text);
                self.has_changed = true;
                Ok(text)
            }
        }
    }

    /// What the kill file says has changed. A file that is there and says nothing else means: stop.
    pub(super) fn take_kill_word(&mut self, word: &KillWord, turn: &mut Turn) {
        let done = match word {
            KillWord::On { by, reason } if self.safety.kill.is_none() => self.kill(by, reason, turn),
            KillWord::Off { by, reason, at } => {
                let Some(pulled) = self.safety.kill.clone() else { return };
                if at.is_some_and(|at| at < pulled.at) {
                    return self.keep_killed(pulled, turn);
                }
                self.release(by, reason, turn)
            }
            KillWord::On { .. } => return,
        };
        if let Err(reason) = done {
            tracing::warn!(%reason, "the kill file was not followed");
        }
    }

    /// A power cut may bring an older file back, which says that the switch is off: it stays on, and the file says so again.
    fn keep_killed(&mut self, pulled: KillSwitch, turn: &mut Turn) {
        let text = format!(
            "the kill file says off, but was written before the kill switch was pulled at {}: it stays on",
            pulled.at.hh_mm_ss()
        );
        self.record(turn, AuditKind::Decision, &Arc::from(ENGINE), About::default(), &text);
        turn.tell_kill(KillWord::On { by: pulled.by, reason: pulled.reason });
        self.has_changed = true;
    }

    /// Nothing begins from here on, and what runs is told to stop.
    fn kill(&mut self, by: &Arc<str>, reason: &Arc<str>, turn: &mut Turn) -> Result<String, String> {
        if self.safety.kill.is_some() {
            return Ok("the kill switch is on already".to_owned());
        }
        let reason: Arc<str> = Arc::from(if reason.trim().is_empty() { "no reason given" } else { reason.trim() });
        self.safety.kill = Some(KillSwitch { at: turn.now, by: Arc::clone(by), reason: Arc::clone(&reason) });
        let mut stopped = 0;
        for run in self.world.runs.values() {
            turn.end_left_over(run);
            for (index, step) in run.steps.iter().enumerate() {
                if matches!(step.state, StepState::Running { .. }) {
                    turn.cancel(run.id, index);
                    stopped += 1;
                }
            }
        }
        self.keep_safety(turn);
        turn.tell_kill(KillWord::On { by: Arc::clone(by), reason: Arc::clone(&reason) });
        let text = format!("pulled the kill switch: {reason}; {stopped} running steps are told to stop");
        self.record(turn, AuditKind::Operator, by, About::default(), &text);
        self.has_changed = true;
        Ok(text)
    }

    fn release(&mut self, by: &Arc<str>, reason: &Arc<str>, turn: &mut Turn) -> Result<String, String> {
        if self.safety.kill.is_none() {
            return Err("the kill switch is off already".to_owned());
        }
        if reason.trim().is_empty() {
            return Err("taking the kill switch off needs a reason; write why it is safe again".to_owned());
        }
        if by.trim().is_empty() || by.as_ref() == ENGINE {
            return Err("taking the kill switch off needs a person".to_owned());
        }
        self.safety.kill = None;
        self.keep_safety(turn);
        turn.tell_kill(KillWord::Off { by: Arc::clone(by), reason: Arc::clone(reason), at: Some(turn.now) });
        let text = format!("took the kill switch off: {}", reason.trim());
        self.record(turn, AuditKind::Operator, by, About::default(), &text);
        self.has_changed = true;
        Ok(text)
    }

    /// What holds acts back that would begin by themselves, as of now.
    pub(super) fn look_at_autonomy(&mut self, now: Timestamp) {
        let freezes = self.settings.policy.freeze.iter().filter(|freeze| freeze.from <= now && now < freeze.until);
        let by_itself = policy::acts_by_itself(self.world.runs.values().map(AsRef::as_ref), now);
        let policy = &self.settings.policy;
        let status = AutonomyStatus {
            breaker: self.open_breakers(now),
            freezes: freezes
                .map(|freeze| {
                    (Arc::from(freeze.name.as_str()), freeze.until, freeze.services.as_deref().map(Arc::from))
                })
                .collect(),
            assist: policy.assist.clone(),
            trials: self.safety.shadow.clone(),
            trials_min: policy.shadow_min,
            hour: (u32::try_from(by_itself).unwrap_or(u32::MAX), policy.hourly_max),
            cooldown_ms: policy.cooldown.0,
            cooling: self.cooling(now),
        };
        self.has_changed |= status != self.autonomy;
        self.autonomy = status;
    }

    /// What was acted on lately.
    fn cooling(&self, now: Timestamp) -> BTreeMap<Arc<str>, (Timestamp, RunId)> {
        let mut cooling: BTreeMap<Arc<str>, (Timestamp, RunId)> = BTreeMap::new();
        for (run, step) in self.world.runs.values().flat_map(|run| run.steps.iter().map(move |step| (run.id, step))) {
            let Some(last) = step.acts_done().map(|begun| begun.at).max() else { continue };
            let until = last + self.settings.policy.cooldown.0;
            if now >= until {
                continue;
            }
            for target in step.bound.spec.touches.split(", ") {
                let latest = cooling.entry(Arc::from(target)).or_insert((until, run));
                *latest = (*latest).max((until, run));
            }
        }
        cooling
    }

    /// For every live incident, as three failures anywhere hold everything back.
    fn open_breakers(&self, now: Timestamp) -> BTreeMap<IncidentId, Arc<str>> {
        let has_failed = |run: &&Arc<Run>| !policy::failures(run).is_empty();
        let failed = self.world.runs.values().filter(has_failed).map(|run| (run.id, Arc::clone(run)));
        let failed: BTreeMap<RunId, Arc<Run>> = failed.collect();
        if failed.is_empty() {
            return BTreeMap::new();
        }
        let live = self.world.incidents.values().filter(|incident| incident.state.is_live());
        let open = live.filter_map(|incident| {
            let reason = self.with_gate(incident, now, |gate| policy::breaker(&Gate { runs: &failed, ..*gate }))?;
            Some((incident.id, Arc::from(reason)))
        });
        open.collect()
    }

    /// What the engine would do with the act that is offered, if its kind were allowed to begin by itself.
    pub(super) fn trial(&self, run: &Run, ground: &Ground, now: Timestamp) -> Option<Trial> {
        // What the engine would not have chosen says nothing of how it would have done.
        let step = run.current_step().filter(|_| run.was_first).and_then(|index| run.steps.get(index))?;
        let act = step.bound.spec.act().filter(|_| step.state == StepState::Waiting)?;
        let would_begin =
            self.with_gate(ground.subject(), now, |gate| policy::would_begin(run, &step.bound.spec, act, gate).is_ok());
        Some(Trial { action: act.action, would_begin })
    }

    /// Holds what a person did against what the engine would have done.
    pub(super) fn keep_trial(&mut self, trial: Option<Trial>, run: &Run, request: &Request, turn: &mut Turn) {
        let Some(trial) = trial.filter(|trial| trial.would_begin) else { return };
        let record = self.safety.shadow.entry(trial.action).or_default();
        let done = match request {
            Request::Approve { .. } => {
                record.agreed += 1;
                "a person approved what the engine would have begun"
            }
            Request::Skip { .. } | Request::StopRun { .. } | Request::EditRun { .. } => {
                record.differed += 1;
                "a person did not want what the engine would have begun"
            }
            _ => return,
        };
        self.tell_trial(trial.action, done, run, turn);
    }

    /// A person began another runbook than the engine would have.
    pub(super) fn keep_choice(&mut self, first: &Proposal, incident: &Incident, run: &Run, turn: &mut Turn) {
        let would_begin = self.at_first_act(first, incident, turn.now, |tried, index, gate| {
            let step = tried.steps.get(index)?;
            let act = step.bound.spec.act()?;
            policy::would_begin(tried, &step.bound.spec, act, gate).is_ok().then_some(act.action)
        });
        let Some(action) = would_begin.flatten() else { return };
        self.safety.shadow.entry(action).or_default().differed += 1;
        let done = format!("a person began `{}` in place of `{}`", run.runbook.id, first.runbook.id);
        self.tell_trial(action, &done, run, turn);
    }

    /// An act that people take back was none that the engine should have begun, and none that it did begin. A second try to
    /// take it back is no second regret.
    pub(super) fn keep_regret(&mut self, run: &Run, step: usize, turn: &mut Turn) {
        let Some(step) = run.steps.get(step) else { return };
        let Some(act) = step.bound.spec.act() else { return };
        let Some(last) = step.acts_begun().last().filter(|begun| begun.purpose == Purpose::Run) else { return };
        let record = self.safety.shadow.entry(act.action).or_default();
        let done = if last.by.as_ref() == ENGINE {
            record.differed += 1;
            "a person took back what the engine began"
        } else if record.agreed > 0 {
            record.agreed -= 1;
            record.differed += 1;
            "a person took back what was approved"
        } else {
            return;
        };
        self.tell_trial(act.action, done, run, turn);
    }

    /// The record of a kind of act has changed: it is kept, and the log says why.
    fn tell_trial(&mut self, action: ActionKind, done: &str, run: &Run, turn: &mut Turn) {
        let record = self.safety.shadow.get(&action).copied().unwrap_or_default();
        let count = record.agreed.saturating_add(record.differed);
        let text = format!("silent trials of `{}`: {done}; the same in {} of {count}", action.word(), record.agreed);
        self.keep_safety(turn);
        let about = About::from(run);
        self.record(turn, AuditKind::Decision, ENGINE, about, &text);
    }
}
