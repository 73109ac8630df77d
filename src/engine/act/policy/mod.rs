//! The gate: decides whether a step may run. Pure, and the sole maker of [`ApprovedStep`].
//!
//! Deny wins over ask, ask over allow. What only watches begins by itself; whatever starts a call asks a person, unless the
//! mode is ASSIST and every rule of [`autonomy`] lets it begin. An approval is for exactly what was offered, by its token.

mod approved;
mod autonomy;
mod breaker;
mod denials;
mod evidence;
mod gate;
mod gate_line;
mod history;
mod identity;
mod mandate;
mod pace;
mod refusal;

use approved::Bounds;

pub use approved::ApprovedStep;
pub use autonomy::{Licence, would_begin};
pub use breaker::{breaker, failures};
pub(in crate::engine::act) use denials::whole;
pub use denials::{fresh_readings, is_met, program, unguarded, unknown, wanted};
pub use evidence::{drift, evidence};
pub use gate::{Gate, Harm, Outlook, Subject};
pub use history::{ActCount, acts_begun, acts_begun_in, came_back, done_before, merged_into, targets};
pub use identity::{attempts, offer, side_id, step_id};
pub use mandate::Mandate;
pub use pace::{CoolDown, acts_by_itself, cool_down};
pub use refusal::GateRefusal;

use gate_line::act_text;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::clock::Timestamp;
use crate::engine::limits::APPROVAL_MS_MAX;
use crate::engine::model::{
    ActSpec, AutonomyMode, Call, Danger, LeftOver, Purpose, Repeat, Run, RunState, RunStep, StepEffect, StepKind,
    StepSpec, StepState,
};

/// The gate's answer, each with its reason for the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may begin by itself.
    Allow {
        /// Why.
        text: Arc<str>,
        /// People are told at once.
        must_notify: bool,
    },
    /// A person must say so.
    Ask(Arc<str>),
    /// It may not run, whoever asks.
    Deny(Arc<str>),
}

impl Decision {
    /// The reason.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        match self {
            Self::Allow { text, .. } | Self::Ask(text) | Self::Deny(text) => text,
        }
    }

    fn allow(text: &str) -> Self {
        Self::Allow { text: Arc::from(text), must_notify: false }
    }
}

/// What an approval leads to.
#[derive(Debug, Clone, PartialEq)]
pub enum Approved {
    /// A call that may be made now.
    Begin(ApprovedStep),
    /// Nothing is called: passing it is all there is to do.
    Pass,
    /// So many more people must say so.
    Wants(usize),
}

/// Decides about step `step` of `run`.
#[must_use]
pub fn decide(run: &Run, step: usize, gate: &Gate<'_>) -> Decision {
    let Some(wanted) = run.steps.get(step) else {
        return Decision::Deny(Arc::from("there is no such step"));
    };
    let spec = &wanted.bound.spec;
    if let Some(reason) = denials::of_step(run, spec, gate) {
        return Decision::Deny(reason.into());
    }
    // A plan that a person approved says what begins, and when; where it does not hold, a denial has said so above.
    let is_assisting = gate.mode() == AutonomyMode::Assist || matches!(gate.subject, Subject::Rollout(_));
    match &spec.kind {
        _ if spec.begins_by_itself() => Decision::allow("only watches; begins by itself"),
        StepKind::Check(_) if is_assisting => Decision::allow("only looks; begins by itself"),
        StepKind::Note if is_assisting => Decision::allow("read it; the run goes on by itself"),
        StepKind::Notify { .. } if is_assisting => Decision::allow("only tells; begins by itself"),
        StepKind::Note => Decision::Ask(Arc::from("read it, then approve to go on")),
        StepKind::Ask { .. } => Decision::Ask(Arc::from("a person decides")),
        StepKind::Notify { .. } => Decision::Ask(Arc::from("tells people · waits for a person")),
        StepKind::Act(act) => decide_act(run, step, spec, act, gate),
        _ => Decision::Ask(Arc::from("only looks · waits for a person")),
    }
}

fn decide_act(run: &Run, step: usize, spec: &StepSpec, act: &ActSpec, gate: &Gate<'_>) -> Decision {
    if let Subject::Rollout(mandate) = gate.subject {
        let has_failed = |step: &RunStep| matches!(step.state, StepState::Failed { .. } | StepState::Unknown { .. });
        // What did not go as planned is no longer what was approved.
        return if run.steps.iter().any(|step| has_failed(step) || step.acts_begun().next().is_some()) {
            Decision::Ask(
                format!("{} · waits for a person: a step of this run was begun before", mandate.told()).into(),
            )
        } else {
            Decision::Allow { text: mandate.told().into(), must_notify: false }
        };
    }
    match autonomy::may_begin(run, spec, act, gate) {
        Ok(Licence { must_notify }) => {
            let text = format!("{} · begins by itself", act_text(run, step, gate));
            Decision::Allow { text: text.into(), must_notify }
        }
        Err(_) if gate.mode() == AutonomyMode::Suggest => {
            Decision::Ask(format!("{} · waits for a person", act_text(run, step, gate)).into())
        }
        Err(reason) => Decision::Ask(format!("{} · waits for a person: {reason}", act_text(run, step, gate)).into()),
    }
}

/// True where the act at `step` will not begin whatever the run does before it.
#[must_use]
pub fn is_barred(run: &Run, step: usize, gate: &Gate<'_>) -> bool {
    let spec = run.steps.get(step).map(|step| &step.bound.spec);
    spec.is_none_or(|spec| spec.act().is_some_and(|act| denials::standing(run, spec, act, gate).is_some()))
}

/// True where approving takes the target's name, typed.
#[must_use]
pub fn needs_target(run: &Run, step: usize, gate: &Gate<'_>) -> bool {
    let Some(step_spec) = run.steps.get(step).map(|step| &step.bound.spec) else { return true };
    step_spec.act().is_some_and(|act| {
        act.danger == Danger::High
            || step_spec.effect == StepEffect::Irreversible
            || done_before(run, step, gate).is_some()
            || history::recurrences(run, act, gate) >= history::RECURRENCES_MAX
    })
}

/// A person approves the offered step. `typed_target` must equal the step's `touches` where [`needs_target`] says so: a
/// second `rollout undo` puts back what the first took away.
///
/// # Errors
/// When the run is over or paused, the step is not the one offered, the token is not that of the offer or has expired, the
/// gate denies it, something else is known than when it was shown, the target was not typed, or this attempt was begun before.
pub fn approve(
    run: &Run,
    step: usize,
    token: &str,
    typed_target: Option<&str>,
    by: &str,
    gate: &Gate<'_>,
) -> Result<Approved, GateRefusal> {
    let offered = offered(run, step, token, gate)?;
    if let Decision::Deny(reason) = decide(run, step, gate) {
        return Err(GateRefusal::Denied(reason));
    }
    known_as_shown(run, step, offered, gate)?;
    let spec = &offered.bound.spec;
    if was_begun(run, offered, gate) {
        return Err(GateRefusal::BegunBefore { run: run.id, step });
    }
    if needs_target(run, step, gate) && typed_target.map(str::trim) != Some(spec.touches.as_ref()) {
        return Err(GateRefusal::TargetNotTyped(Arc::clone(&spec.touches)));
    }
    if let Some(act) = spec.act() {
        let fresh = offered
            .approvals
            .iter()
            .filter(|given| given.offer.as_ref() == token && gate.now.since_ms(given.at) <= APPROVAL_MS_MAX);
        let people: BTreeSet<&str> = fresh.map(|given| given.by.as_ref()).chain([by]).collect();
        let wanted = usize::from(act.approvals).saturating_sub(people.len());
        if wanted > 0 {
            return Ok(Approved::Wants(wanted));
        }
    }
    begin(run, step, offered, gate)
}

/// Lets a step begin that needs no person.
///
/// # Errors
/// When it needs one after all, its time has not come, or this attempt was begun before.
pub fn begin_by_itself(run: &Run, step: usize, gate: &Gate<'_>) -> Result<Approved, GateRefusal> {
    let offered = run.steps.get(step).ok_or(GateRefusal::NotOffered { run: run.id, step })?;
    let offered = self::offered(run, step, &offered.offer, gate)?;
    if offered.begins_at.is_none_or(|at| gate.now < at) {
        return Err(GateRefusal::Denied(Arc::from("its time has not come")));
    }
    known_as_shown(run, step, offered, gate)?;
    match decide(run, step, gate) {
        Decision::Allow { .. } => begin(run, step, offered, gate),
        Decision::Ask(reason) | Decision::Deny(reason) => Err(GateRefusal::Denied(reason)),
    }
}

fn begin(run: &Run, step: usize, offered: &RunStep, gate: &Gate<'_>) -> Result<Approved, GateRefusal> {
    let Some(call) = offered.bound.spec.call() else { return Ok(Approved::Pass) };
    if was_begun(run, offered, gate) {
        return Err(GateRefusal::BegunBefore { run: run.id, step });
    }
    let spec = &offered.bound.spec;
    let left = spec.act().and_then(|_| history::left_on(&spec.touches, run, gate));
    Ok(Approved::Begin(pass(run, step, Arc::clone(&offered.id), call.clone(), Purpose::Run).after(left)))
}

/// True where this very attempt was begun, here or in another run.
fn was_begun(run: &Run, offered: &RunStep, gate: &Gate<'_>) -> bool {
    let calls = offered.bound.spec.call().is_some();
    let own = offered.begun.iter().any(|begun| begun.id == offered.id);
    calls && (own || identity::was_begun(&offered.id, gate.runs, &run.subject))
}

/// Approves the dry run of the offered step.
///
/// # Errors
/// As [`approve`], and when the step declares no dry run: none is pretended.
pub fn approve_dry_run(run: &Run, step: usize, token: &str, gate: &Gate<'_>) -> Result<ApprovedStep, GateRefusal> {
    let offered = offered(run, step, token, gate)?;
    let call = offered.bound.spec.act().and_then(|act| act.dry_run.as_ref());
    let call = call.ok_or(GateRefusal::NoDryRun { run: run.id, step })?;
    // Limits on acts and observing are about changes; the kill switch and the list of programs hold for every call.
    match denials::of_call(call, gate) {
        Some(reason) => Err(GateRefusal::Denied(reason.into())),
        None => {
            let id = side_id(run.id, &offered.id, "dry run", offered.begun.len());
            Ok(pass(run, step, id, call.clone(), Purpose::DryRun))
        }
    }
}

/// Approves the probe of a step whose end nobody saw; it only looks, so nobody needs to be asked.
///
/// # Errors
/// When the step is not unknown, has no probe, or the gate denies the call.
pub fn approve_probe(run: &Run, step: usize, gate: &Gate<'_>) -> Result<ApprovedStep, GateRefusal> {
    let unknown = GateRefusal::NotUnknown { run: run.id, step };
    let wanted = run.steps.get(step).filter(|step| matches!(step.state, StepState::Unknown { .. })).ok_or(unknown)?;
    let repeat = wanted.bound.spec.act().map(|act| &act.repeat);
    let Some(call) = repeat.and_then(Repeat::probe) else {
        return Err(GateRefusal::Denied(Arc::from("the step has no probe; look yourself and settle it by hand")));
    };
    // Whether it was taken back is another question than whether it happened.
    let was_undo = wanted.acts_begun().last().is_some_and(|begun| begun.purpose == Purpose::Undo);
    if was_undo && !repeat.is_some_and(Repeat::tells_undone) {
        let text = "its probe says whether the step happened, not whether it was taken back; look yourself and settle it by hand";
        return Err(GateRefusal::Denied(Arc::from(text)));
    }
    match denials::of_call(call, gate) {
        Some(reason) => Err(GateRefusal::Denied(reason.into())),
        None => {
            let id = side_id(run.id, &wanted.id, "probe", wanted.begun.len());
            Ok(pass(run, step, id, call.clone(), Purpose::Probe).after(overdue(wanted, gate.now)))
        }
    }
}

/// Approves taking a step back. Acts are taken back in reverse order.
///
/// # Errors
/// When it was not done, has no way back, a later act stands, the token is another, or the gate denies it.
pub fn approve_undo(run: &Run, step: usize, token: &str, gate: &Gate<'_>) -> Result<ApprovedStep, GateRefusal> {
    let no_undo = |why: &str| GateRefusal::NoUndo { run: run.id, step, why: Arc::from(why) };
    let wanted = run.steps.get(step).ok_or(GateRefusal::NotOffered { run: run.id, step })?;
    let spec = &wanted.bound.spec;
    let act = spec.act().ok_or_else(|| no_undo("it changes nothing"))?;
    let undo = act.undo.as_ref().ok_or_else(|| no_undo(&act.rollback_text))?;
    if !wanted.stands() {
        return Err(no_undo("it was not done"));
    }
    if let Some(later) = run.steps.iter().skip(step + 1).position(RunStep::stands) {
        return Err(no_undo(&format!("step {} came after it; take that back first", step + later + 2)));
    }
    if run.steps.iter().any(|step| matches!(step.state, StepState::Running { .. })) {
        return Err(no_undo("a step is running; wait for its end or stop it"));
    }
    if token != wanted.id.as_ref() {
        return Err(GateRefusal::Changed { run: run.id, step });
    }
    if let Some(reason) = denials::of_act_taken_back(run, spec, gate).or_else(|| denials::of_changing_call(undo, gate))
    {
        return Err(GateRefusal::Denied(reason.into()));
    }
    let id = side_id(run.id, &wanted.id, "undo", wanted.begun.len());
    Ok(pass(run, step, id, undo.clone(), Purpose::Undo).after(history::left_on(&spec.touches, run, gate)))
}

/// The act's attempt whose end nobody saw, once its time is over: a timeout holds for what outlived the program, too, and what
/// still runs may yet do what the probe is to rule out.
fn overdue(step: &RunStep, now: Timestamp) -> Option<LeftOver> {
    step.left_over().filter(|_| step.act_is_over_at().is_some_and(|at| now >= at))
}

fn pass(run: &Run, step: usize, id: Arc<str>, call: Call, purpose: Purpose) -> ApprovedStep {
    let spec = run.steps.get(step).map(|step| &step.bound.spec);
    let timeout_ms = spec.map_or(0, |spec| spec.timeout_ms);
    let act = spec.and_then(StepSpec::act).filter(|_| purpose != Purpose::Probe);
    let targets_max = act.map(|act| act.targets_max);
    // What is put back is not held up by how much the act was allowed to take.
    let blast = act.filter(|_| purpose == Purpose::Run).map(|act| act.blast).unwrap_or_default();
    ApprovedStep::new((run.id, step), id, call, Bounds { timeout_ms, targets_max, blast }, purpose)
}

/// The step that is offered now, if it is the one that was shown.
fn offered<'a>(run: &'a Run, step: usize, token: &str, gate: &Gate<'_>) -> Result<&'a RunStep, GateRefusal> {
    match run.state {
        RunState::Active => {}
        RunState::Paused => return Err(GateRefusal::Paused { run: run.id, why: Arc::clone(&run.word) }),
        _ => return Err(GateRefusal::RunOver(run.id)),
    }
    let wanted = run
        .steps
        .get(step)
        .filter(|wanted| run.current_step() == Some(step) && wanted.state == StepState::Waiting)
        .ok_or(GateRefusal::NotOffered { run: run.id, step })?;
    if wanted.offer.as_ref() != token || wanted.offer.is_empty() {
        return Err(GateRefusal::Changed { run: run.id, step });
    }
    if gate.now.since_ms(wanted.offered_at) > APPROVAL_MS_MAX {
        return Err(GateRefusal::Expired { run: run.id, step });
    }
    Ok(wanted)
}

/// What is known is what was known when the step was shown.
fn known_as_shown(run: &Run, step: usize, offered: &RunStep, gate: &Gate<'_>) -> Result<(), GateRefusal> {
    let known = evidence(run, gate);
    if offered.evidence == known {
        return Ok(());
    }
    Err(GateRefusal::EvidenceChanged { run: run.id, step, what: drift(&offered.evidence, &known).into() })
}
