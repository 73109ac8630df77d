//! Whether an act may begin without a person. Every condition must hold; each that does not says so.

use chrono::NaiveDate;

use super::Gate;
use super::breaker::breaker;
use super::denials::{services, whole};
use super::history::{self, RECURRENCES_MAX};
use super::pace;
use crate::engine::limits::ACTS_PER_INCIDENT_MAX;
use crate::engine::model::{AGREEMENT_MIN, ActSpec, AutonomyMode, Danger, Run, StepEffect, StepSpec, StepState};

/// Kinds of evidence that must agree: one way of looking can be fooled.
const EVIDENCE_KINDS_MIN: usize = 2;
/// A confidence above this is never reached.
const PERCENT_MAX: u8 = 100;

/// How an act may begin by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Licence {
    /// People are told at once, because the confidence is only enough for that.
    pub must_notify: bool,
}

/// Whether the act may begin by itself as the settings are.
///
/// # Errors
/// The first condition that does not hold.
pub(super) fn may_begin(run: &Run, spec: &StepSpec, act: &ActSpec, gate: &Gate<'_>) -> Result<Licence, String> {
    if gate.mode() != AutonomyMode::Assist {
        return Err(format!("mode {}", gate.mode().word()));
    }
    if !gate.policy.assist.contains(&act.action) {
        return Err(format!("`{}` is not under `assist` of [policy]", act.action.word()));
    }
    let shadow = gate.safety.shadow.get(&act.action).copied().unwrap_or_default();
    let trials = shadow.agreed + shadow.differed;
    if trials < gate.policy.shadow_min {
        return Err(format!(
            "`{}` agreed with people in {} of {trials} silent trials; {} are wanted",
            act.action.word(),
            shadow.agreed,
            gate.policy.shadow_min
        ));
    }
    let lower = shadow.agreement_lower();
    if lower < AGREEMENT_MIN {
        return Err(format!(
            "`{}` agreed with people in {} of {trials} silent trials: at least {} % are to be expected, {:.1} % are wanted",
            act.action.word(),
            shadow.agreed,
            (lower * 100.0).floor(),
            AGREEMENT_MIN * 100.0
        ));
    }
    would_begin(run, spec, act, gate)
}

/// Whether the act would begin by itself, were its kind allowed to: what silent trials record.
///
/// # Errors
/// The first condition that does not hold.
pub fn would_begin(run: &Run, spec: &StepSpec, act: &ActSpec, gate: &Gate<'_>) -> Result<Licence, String> {
    if spec.effect != StepEffect::Reversible || act.undo.is_none() || act.danger == Danger::High {
        return Err("it cannot simply be taken back".to_owned());
    }
    if act.approvals > 1 || act.targets_max > 1 {
        return Err("it reaches more than one target, or wants more than one person".to_owned());
    }
    if run.steps.iter().any(|step| matches!(step.state, StepState::Failed { .. } | StepState::Unknown { .. })) {
        return Err("a step of this run has failed".to_owned());
    }
    if let Some(reason) = breaker(gate) {
        return Err(format!("the circuit breaker is open: {reason}"));
    }
    let begun = history::acts_begun(gate, &run.subject).by_engine;
    if begun >= ACTS_PER_INCIDENT_MAX {
        return Err(format!("{begun} of at most {ACTS_PER_INCIDENT_MAX} acts by itself for {}", gate.subject.id()));
    }
    if let Some(reason) = pace::too_soon(run, spec, gate) {
        return Err(reason);
    }
    if history::done_before(run, gate_step(run, spec), gate).is_some() {
        return Err("it was done before in this incident".to_owned());
    }
    if history::recurrences(run, act, gate) >= RECURRENCES_MAX {
        return Err("it helped before and the failure came back: the cause is elsewhere".to_owned());
    }
    if let Some(mistake) = &run.runbook.mistake {
        return Err(format!("its page has a mistake: {mistake}"));
    }
    check_verified(run, gate)?;
    check_confidence(run, spec, act, gate)
}

fn gate_step(run: &Run, spec: &StepSpec) -> usize {
    run.step_named(&spec.name).map_or(usize::MAX, |(index, _)| index)
}

/// A runbook that nobody has run lately is no longer known to be right.
fn check_verified(run: &Run, gate: &Gate<'_>) -> Result<(), String> {
    let read = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let Some(verified) = run.runbook.verified.as_deref().and_then(read) else {
        return Err("its runbook has no `verified` day".to_owned());
    };
    let today = gate.now.to_datetime().date_naive();
    let age = today.signed_duration_since(verified).num_days();
    if age < 0 || age > i64::from(run.runbook.expires_days) {
        return Err(format!("its runbook was verified {age} days ago; {} are allowed", run.runbook.expires_days));
    }
    Ok(())
}

fn check_confidence(run: &Run, spec: &StepSpec, act: &ActSpec, gate: &Gate<'_>) -> Result<Licence, String> {
    let Some(cause) = gate.incident().and_then(|incident| incident.ranking.cause()) else {
        return Err("no cause is named".to_owned());
    };
    if run.cause.as_ref() != Some(&(cause.kind, cause.service.clone())) {
        return Err("the cause that is named is no longer the one this run is against".to_owned());
    }
    let mut kinds: Vec<_> = cause.evidence_for.iter().map(|evidence| evidence.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < EVIDENCE_KINDS_MIN {
        return Err("only one kind of evidence speaks for the cause".to_owned());
    }
    let (act_at, notify_at) = thresholds(run, spec, act, gate);
    let confidence = cause.confidence.percent_reached();
    if confidence >= act_at {
        Ok(Licence { must_notify: false })
    } else if confidence >= notify_at && !gate.can_tell {
        Err(format!("confidence {confidence} % wants people told at once, and no destination takes that"))
    } else if confidence >= notify_at {
        Ok(Licence { must_notify: true })
    } else {
        Err(format!("confidence {confidence} % is below {notify_at} %"))
    }
}

/// Confidences from which this act may begin, and from which people must be told.
pub(super) fn thresholds(run: &Run, spec: &StepSpec, act: &ActSpec, gate: &Gate<'_>) -> (u8, u8) {
    let names: Vec<&str> = services(run, spec).collect();
    let special = gate.policy.gate.iter().find(|special| {
        special.action.is_none_or(|action| action == act.action)
            && special.services.as_deref().is_none_or(|pattern| {
                whole(pattern).is_none_or(|pattern| names.iter().any(|name| pattern.is_match(name)))
            })
    });
    let act_at = special.and_then(|special| special.act).unwrap_or(gate.policy.act_confidence);
    // "Never" is not undone by a key that was left out.
    let usual = if act_at > PERCENT_MAX { act_at } else { gate.policy.notify_confidence.min(act_at) };
    (act_at, special.and_then(|special| special.notify).unwrap_or(usual))
}
