//! Rollouts of patches: planned, approved, carried out by runs on each target, and judged by what came of them.
//!
//! The state machine of `patches::rollout` says what is to be done; each order becomes a run, or the taking back of one, and goes
//! through the gate like any other. What became of the run is told to the state machine once a tick.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::audit_log::About;
use super::rollout_facts::WorldFacts;
use super::turn::Turn;
use crate::engine::act::policy::Mandate;
use crate::engine::act::walk::ENGINE;
use crate::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::input::{NeedAsked, RequestId};
use crate::engine::limits::{AGENDA_DAYS, ENDED_ROLLOUTS_MAX};
use crate::engine::model::{AuditKind, AutonomyMode, RolloutId, RolloutTarget, ServiceName};
use crate::engine::patches::rollout::planning::Need;
use crate::engine::patches::rollout::{
    Calendar, Facts, FreezeState, KeptRollout, Occasion, Order, PlanRules, Rollout, RolloutRequest, RolloutState,
    Samples, Soak, TargetState, WindowState, plan,
};
use crate::engine::request::Reply;
use crate::engine::settings::EngineSettings;

/// Between two looks at a rollout on which something is under way.
const BUSY_MS: i64 = 10 * SECOND_MS;
/// Between two looks at any other.
const IDLE_MS: i64 = MINUTE_MS;
/// Between two agendas.
const AGENDA_MS: i64 = 60 * MINUTE_MS;

/// Why nothing could be begun on a target.
pub(super) struct PutOff {
    pub why: String,
    /// Not tried again before.
    pub until: Timestamp,
    /// How often it was tried in a row.
    pub tries: u32,
}

/// All that is known of rollouts.
pub(super) struct Rollouts {
    pub kept: BTreeMap<RolloutId, Arc<KeptRollout>>,
    pub next: u64,
    pub calendar: Calendar,
    pub rules: PlanRules,
    /// What targets' metrics were.
    pub samples: Samples,
    pub sampled_at: Timestamp,
    /// When some were written the last time, and the target that was the last of them.
    pub samples_kept: (Timestamp, String),
    advanced_at: Timestamp,
    /// Targets on which nothing could be begun the last time.
    pub put_off: BTreeMap<RolloutTarget, PutOff>,
    /// Windows and freezes to come, and when they were looked up.
    agenda: (Timestamp, Arc<Vec<Occasion>>),
}

impl Rollouts {
    pub(super) fn new(settings: &EngineSettings) -> Result<Self, String> {
        Ok(Self {
            kept: BTreeMap::new(),
            next: 1,
            calendar: Calendar::new(&settings.patches, &settings.policy.freeze)?,
            rules: PlanRules::new(&settings.patches, &settings.policy.databases)?,
            samples: Samples::default(),
            sampled_at: Timestamp(0),
            samples_kept: (Timestamp(0), String::new()),
            advanced_at: Timestamp(0),
            put_off: BTreeMap::new(),
            agenda: (Timestamp(0), Arc::default()),
        })
    }

    /// Newest first.
    pub(super) fn in_order(&self) -> Vec<Arc<KeptRollout>> {
        self.kept.values().rev().cloned().collect()
    }

    /// Windows and freezes of the coming days.
    pub(super) fn agenda(&mut self, now: Timestamp) -> Arc<Vec<Occasion>> {
        if now.since_ms(self.agenda.0) >= AGENDA_MS || now < self.agenda.0 {
            self.agenda = (now, Arc::new(self.calendar.agenda(now, AGENDA_DAYS)));
        }
        Arc::clone(&self.agenda.1)
    }

    /// Forgets the oldest of those that are over.
    fn forget_old(&mut self) {
        let over = self.kept.values().filter(|kept| kept.rollout.is_over()).count();
        let mut excess = over.saturating_sub(ENDED_ROLLOUTS_MAX);
        self.kept.retain(|_, kept| {
            let goes = excess > 0 && kept.rollout.is_over();
            excess -= usize::from(goes);
            !goes
        });
    }
}

impl Engine {
    pub(super) fn restore_rollout(&mut self, kept: Arc<KeptRollout>) {
        self.rollouts.next = self.rollouts.next.max(kept.rollout.id.0 + 1);
        self.rollouts.kept.insert(kept.rollout.id, kept);
    }

    /// What was under way when the program ended: its end will not be seen.
    pub(super) fn recover_rollouts(&mut self, turn: &mut Turn) {
        let ids: Vec<RolloutId> = self.rollouts.kept.keys().copied().collect();
        for id in ids {
            let Some(kept) = self.rollouts.kept.get(&id).filter(|kept| !kept.rollout.is_over()) else { continue };
            let (rollout, orders) = kept.rollout.after_restart(turn.now);
            // Whoever was looking at a machine is gone.
            if let Some(kept) = self.rollouts.kept.get_mut(&id) {
                Arc::make_mut(kept).runs.values_mut().for_each(|of| of.is_looked_at = false);
            }
            self.take_rollout(id, rollout, orders, turn);
        }
    }

    /// Asks for what a plan is made of; the reply is given once it was found.
    pub(super) fn ask_for_plan(
        &mut self,
        id: RequestId,
        by: &Arc<str>,
        source: &Arc<str>,
        turn: &mut Turn,
    ) -> Result<(), String> {
        if self.mode() == AutonomyMode::Observe {
            return Err("this console only observes; `mode` under [policy] and --readonly decide".to_owned());
        }
        let asked = NeedAsked { id, by: Arc::clone(by), source: Arc::clone(source) };
        turn.find_need(asked, self.exceptions.values().cloned().collect());
        Ok(())
    }

    /// Makes the plan of what was found, or makes it anew where its rollout has not begun.
    pub(super) fn take_need(&mut self, asked: &NeedAsked, found: Result<Box<Need>, String>, turn: &mut Turn) {
        let outcome = found.and_then(|need| self.plan_rollout(asked, &need, turn));
        let reply = match outcome {
            Ok(text) => Reply::Done { text: Arc::from(text) },
            Err(reason) => Reply::Refused { reason: Arc::from(reason) },
        };
        turn.reply(asked.id, reply);
    }

    fn plan_rollout(&mut self, asked: &NeedAsked, need: &Need, turn: &mut Turn) -> Result<String, String> {
        let plan = plan(need, &self.rollouts.rules, turn.now);
        if plan.targets.is_empty() {
            let first = plan.left_out.first().map(|out| format!("; {}: {}", out.name, out.why)).unwrap_or_default();
            let count = plan.left_out.len();
            return Err(format!("nobody can be patched with {}, {count} are left out{first}", asked.source));
        }
        let (targets, stages, digest) = (plan.targets.len(), plan.stages.len(), plan.digest.clone());
        let open = |kept: &&Arc<KeptRollout>| !kept.rollout.is_over() && kept.rollout.plan.source == plan.source;
        let before = self.rollouts.kept.values().find(open).cloned();
        let (id, verb) = if let Some(before) = before {
            let id = before.rollout.id;
            let (rollout, orders) = before.rollout.replan(plan, turn.now).map_err(|refusal| refusal.to_string())?;
            self.take_rollout(id, rollout, orders, turn);
            (id, "planned anew")
        } else {
            let id = RolloutId(self.rollouts.next);
            self.rollouts.next += 1;
            let rollout = Rollout::new(id, plan, turn.now);
            self.rollouts.kept.insert(id, Arc::new(KeptRollout::new(rollout)));
            self.keep_rollout(id, turn);
            (id, "planned")
        };
        let text = format!("{verb} {id}: {}, targets: {targets}, stages: {stages}", asked.source);
        let told = format!("{text}, plan {digest}");
        self.record(turn, AuditKind::Operator, &asked.by, About::default(), &told);
        self.advance_rollout(id, turn);
        Ok(format!("{text}; approve it to begin"))
    }

    /// Does what a person asks of a rollout.
    pub(super) fn change_rollout(
        &mut self,
        id: RolloutId,
        request: &RolloutRequest,
        by: &Arc<str>,
        turn: &mut Turn,
    ) -> Result<String, String> {
        if self.mode() == AutonomyMode::Observe {
            return Err("this console only observes; `mode` under [policy] and --readonly decide".to_owned());
        }
        let kept = self.rollouts.kept.get(&id).cloned().ok_or_else(|| format!("{id} is not known here"))?;
        let request = request.clone().asked_by(by);
        let (rollout, orders) = kept.rollout.on_request(&request, turn.now).map_err(|refusal| refusal.to_string())?;
        // What a person did is theirs in the audit log; what follows from it is the engine's.
        let (mut told, mut others) = (Vec::new(), Vec::new());
        for order in orders {
            match order {
                Order::Note { text } => told.push(text),
                other => others.push(other),
            }
        }
        self.take_rollout(id, rollout, others, turn);
        for text in &told {
            self.record(turn, AuditKind::Operator, by, About::default(), text);
        }
        self.advance_rollout(id, turn);
        Ok(told.into_iter().next().unwrap_or_else(|| format!("{id} is as it was")))
    }

    /// Once a tick: what became of runs, and what time brings.
    pub(super) fn watch_rollouts(&mut self, turn: &mut Turn) {
        let open = |kept: &&Arc<KeptRollout>| !kept.rollout.is_over();
        let ids: Vec<RolloutId> = self.rollouts.kept.values().filter(open).map(|kept| kept.rollout.id).collect();
        if ids.is_empty() {
            return;
        }
        self.rollouts.calendar.look_ahead(turn.now);
        self.sample_targets(turn);
        let is_busy = self.rollouts.kept.values().filter(open).any(|kept| is_busy(&kept.rollout, turn.now));
        let every_ms = if is_busy { BUSY_MS } else { IDLE_MS };
        // A clock that was set back must not hold everything up.
        let since = turn.now.since_ms(self.rollouts.advanced_at);
        let is_due = since >= every_ms || since < 0;
        for id in ids {
            let has_ended = self.settle_runs(id, turn);
            if has_ended || is_due {
                self.advance_rollout(id, turn);
            }
        }
        if is_due {
            self.rollouts.advanced_at = turn.now;
            self.rollouts.forget_old();
            let kept = &self.rollouts.kept;
            self.world.runs.retain(|_, run| run.subject.rollout().is_none_or(|it| kept.contains_key(&it.rollout)));
        }
    }

    /// Lets a rollout look at everything.
    pub(super) fn advance_rollout(&mut self, id: RolloutId, turn: &mut Turn) {
        let Some(kept) = self.rollouts.kept.get(&id).cloned() else { return };
        let facts = WorldFacts::new(self, &kept, turn.now);
        let (rollout, orders) = kept.rollout.advance(&facts, turn.now);
        let is_proposed = rollout.state == RolloutState::Proposed;
        let first_hold = is_proposed.then(|| rollout.hold_once_approved(&facts, turn.now)).flatten();
        if let Some(kept) = self.rollouts.kept.get_mut(&id).filter(|kept| kept.first_hold != first_hold) {
            Arc::make_mut(kept).first_hold = first_hold;
            self.has_changed = true;
        }
        self.take_rollout(id, rollout, orders, turn);
    }

    /// Keeps a rollout as it is now, and then carries its orders out.
    pub(super) fn take_rollout(&mut self, id: RolloutId, rollout: Rollout, orders: Vec<Order>, turn: &mut Turn) {
        let Some(kept) = self.rollouts.kept.get_mut(&id) else { return };
        let is_new = kept.rollout != rollout;
        if is_new {
            Arc::make_mut(kept).rollout = rollout;
        }
        let is_news = is_new || !orders.is_empty();
        for order in orders {
            self.carry_out(id, order, turn);
        }
        if is_news {
            self.keep_rollout(id, turn);
        }
    }

    /// Written with whatever this turn begins.
    pub(super) fn keep_rollout(&mut self, id: RolloutId, turn: &mut Turn) {
        turn.keep_rollout(id);
        self.has_changed = true;
    }

    /// What a rollout may do on one machine now; `None` where it is not known any more.
    pub(super) fn mandate(&self, of: &RolloutTarget, now: Timestamp) -> Option<Mandate> {
        let kept = self.rollouts.kept.get(&of.rollout)?;
        let rollout = &kept.rollout;
        let target = rollout.plan.targets.get(of.asset.as_ref())?;
        let facts = WorldFacts::new(self, kept, now);
        let room = facts.room(target);
        let until = match &room.window {
            WindowState::Open { until, .. } => Some(*until),
            _ => None,
        };
        let state = rollout.targets.get(&target.name).map(|record| &record.state);
        let hold = match (&rollout.state, &room.freeze, &room.window, facts.incident(target, &rollout.known_incidents))
        {
            (RolloutState::Paused { why, .. }, ..) => Some(format!("{} is paused: {why}", rollout.id)),
            (RolloutState::Ending { why, .. } | RolloutState::Ended { why, .. }, ..) => {
                Some(format!("{} begins nothing any more: {why}", rollout.id))
            }
            (_, FreezeState::Now(freeze), ..) => Some(format!("freeze `{}` until {}", freeze.name, freeze.until)),
            (_, _, WindowState::Shut { .. } | WindowState::None, _) => Some("no maintenance window is open".to_owned()),
            (.., Some(incident)) => {
                Some(format!("{incident} is active on it, and patching and incidents do not overlap"))
            }
            _ if !matches!(state, Some(TargetState::Patching { .. })) => {
                Some(format!("{} has not ordered it", rollout.id))
            }
            _ => facts.exception(target).map(|number| format!("EXC-{number} leaves it as it is")),
        };
        Some(Mandate {
            target: of.clone(),
            services: target.services.iter().map(|name| ServiceName::new(name)).collect(),
            plan: Arc::from(rollout.plan.digest.as_str()),
            approved_by: rollout
                .approval
                .as_ref()
                .filter(|_| rollout.is_approved())
                .map(|it| Arc::from(it.by.as_str())),
            hold: hold.map(Arc::from),
            until,
        })
    }

    /// A line for the audit log on behalf of a rollout.
    pub(super) fn note_of_rollout(&mut self, text: &str, turn: &mut Turn) {
        self.record(turn, AuditKind::Decision, ENGINE, About::default(), text);
    }
}

/// True where something is under way on a target, or watched after it, and where a soak is about to end.
fn is_busy(rollout: &Rollout, now: Timestamp) -> bool {
    let soak_ends = matches!(rollout.soak, Soak::Running { until, .. } if until.since_ms(now) < IDLE_MS);
    soak_ends
        || rollout
            .targets
            .values()
            .any(|record| record.state.is_under_way() || matches!(record.state, TargetState::Validating { .. }))
}
