//! Runs as they were kept before steps could ask, wait, branch and be taken back: read once, and written anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::model::{
    ActSpec, ActionKind, Band, Beginning, BlastRadius, BoundStep, Call, CauseKind, CheckSpec, Danger, IncidentId, Look,
    MetricGoal, ParamKind, ParamSpec, Purpose, Repeat, Run, RunId, RunState, RunStep, Runbook, RunbookPlace,
    StepEffect, StepKind, StepSpec, StepState, Unexpected, Unit,
};

#[derive(Deserialize)]
pub(super) struct OlderRun {
    id: RunId,
    incident: IncidentId,
    runbook: Box<OlderRunbook>,
    params: BTreeMap<Arc<str>, Arc<str>>,
    state: OlderRunState,
    steps: Vec<OlderRunStep>,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    started_by: Arc<str>,
}

#[derive(Deserialize)]
struct OlderRunbook {
    id: Arc<str>,
    title: Arc<str>,
    version: Arc<str>,
    content_hash: Arc<str>,
    owner: Arc<str>,
    origin: Arc<str>,
    problems: Vec<CauseKind>,
    service_pattern: Arc<str>,
    place: RunbookPlace,
    params: BTreeMap<Arc<str>, OlderParam>,
    acts_max: u8,
    estimate_seconds: u32,
    steps: Vec<OlderStepSpec>,
}

#[derive(Deserialize)]
struct OlderParam {
    kind: ParamKind,
    from: Arc<str>,
    pattern: Option<Arc<str>>,
    choices: Vec<Arc<str>>,
}

#[derive(Deserialize)]
enum OlderRunState {
    Active,
    Succeeded,
    Failed,
    Stopped,
    Interrupted,
}

#[derive(Deserialize)]
struct OlderRunStep {
    bound: OlderBound,
    state: OlderState,
    gate_text: Arc<str>,
    done_before: Option<RunId>,
    shown_at: Timestamp,
    output: Vec<Arc<str>>,
    output_dropped_count: u64,
    exit_code: Option<i32>,
    approved_by: Option<Arc<str>>,
}

#[derive(Deserialize)]
struct OlderBound {
    spec: OlderStepSpec,
    digest: Arc<str>,
}

#[derive(Deserialize)]
struct OlderStepSpec {
    name: Arc<str>,
    title: Arc<str>,
    text: Arc<str>,
    kind: OlderKind,
    effect: StepEffect,
    touches: Arc<str>,
    timeout_ms: i64,
}

#[derive(Deserialize)]
enum OlderKind {
    Note,
    Check {
        run: Vec<Arc<str>>,
        expect: Arc<str>,
    },
    Act {
        run: Vec<Arc<str>>,
        dry_run: Vec<Arc<str>>,
        undo: Vec<Arc<str>>,
        rollback_text: Arc<str>,
    },
    Verify {
        metric: Arc<str>,
        service: Arc<str>,
        hold_ms: i64,
        samples_min: u32,
        below: Option<f64>,
        above: Option<f64>,
    },
}

#[derive(Deserialize)]
enum OlderState {
    Pending,
    Waiting,
    Running {
        since: Timestamp,
        is_dry_run: bool,
    },
    Watching {
        inside_since: Option<Timestamp>,
        samples: u32,
        last: Option<(f64, Band)>,
        unit: Unit,
        seen_until: Timestamp,
        until: Timestamp,
    },
    Succeeded {
        at: Timestamp,
    },
    Skipped {
        at: Timestamp,
        by: Arc<str>,
    },
    Failed {
        at: Timestamp,
        reason: Arc<str>,
    },
    Unknown {
        since: Timestamp,
    },
}

impl From<OlderRun> for Run {
    fn from(older: OlderRun) -> Self {
        Self {
            id: older.id,
            subject: older.incident.into(),
            runbook: Arc::new((*older.runbook).into()),
            params: older.params,
            cause: None,
            state: match older.state {
                OlderRunState::Active => RunState::Active,
                OlderRunState::Succeeded => RunState::Succeeded,
                OlderRunState::Failed => RunState::Failed,
                OlderRunState::Stopped => RunState::Stopped,
                OlderRunState::Interrupted => RunState::Interrupted,
            },
            word: Arc::from(""),
            is_escalated: false,
            // It was over before anybody looked for longer.
            has_held: Some(true),
            steps: older.steps.into_iter().map(RunStep::from).collect(),
            started_at: older.started_at,
            ended_at: older.ended_at,
            started_by: older.started_by,
            was_first: false,
        }
    }
}

/// A runbook in which nothing is said: what older ones could not say stays as it is here.
fn no_runbook() -> Runbook {
    let nothing = || Arc::from("");
    Runbook {
        id: nothing(),
        title: nothing(),
        version: nothing(),
        content_hash: nothing(),
        owner: nothing(),
        origin: nothing(),
        problems: Vec::new(),
        service_pattern: nothing(),
        place: RunbookPlace::Anywhere,
        includes: Vec::new(),
        mistake: None,
        params: BTreeMap::new(),
        symptoms: Vec::new(),
        alerts: Vec::new(),
        verified: None,
        expires_days: 0,
        acts_max: 0,
        estimate_seconds: 0,
        steps: Vec::new(),
    }
}

impl From<OlderRunbook> for Runbook {
    fn from(older: OlderRunbook) -> Self {
        let param = |(name, older): (Arc<str>, OlderParam)| {
            let OlderParam { kind, from, pattern, choices } = older;
            (name, ParamSpec { kind, from, pattern, tech: Arc::from(""), choices, min: None, max: None })
        };
        Self {
            id: older.id,
            title: older.title,
            version: older.version,
            content_hash: older.content_hash,
            owner: older.owner,
            origin: older.origin,
            problems: older.problems,
            service_pattern: older.service_pattern,
            place: older.place,
            params: older.params.into_iter().map(param).collect(),
            acts_max: older.acts_max,
            estimate_seconds: older.estimate_seconds,
            steps: older.steps.into_iter().map(StepSpec::from).collect(),
            ..no_runbook()
        }
    }
}

impl From<OlderStepSpec> for StepSpec {
    fn from(older: OlderStepSpec) -> Self {
        let danger = if older.effect == StepEffect::Irreversible { Danger::High } else { Danger::Medium };
        let call = |argv: Vec<Arc<str>>| (!argv.is_empty()).then_some(Call::Command { argv });
        let kind = match older.kind {
            OlderKind::Note => StepKind::Note,
            OlderKind::Check { run, expect } => {
                let expect = regex::escape(&expect).into();
                let look = Look::Call { call: Call::Command { argv: run }, expect, exit: 0, lines_min: 0, only: None };
                StepKind::Check(CheckSpec { look, otherwise: Unexpected::Pause, proves: Vec::new() })
            }
            OlderKind::Act { run, dry_run, undo, rollback_text } => StepKind::Act(Box::new(ActSpec {
                action: ActionKind::Other,
                call: Call::Command { argv: run },
                dry_run: call(dry_run),
                undo: call(undo),
                rollback_text,
                repeat: Repeat::Never,
                prechecks: Vec::new(),
                not_restarting: Vec::new(),
                expect: "".into(),
                danger,
                targets_max: 1,
                expected: Arc::from(""),
                within_ms: 2 * MINUTE_MS,
                approvals: 1,
                blast: BlastRadius::default(),
            })),
            OlderKind::Verify { metric, service, hold_ms, samples_min, below, above } => StepKind::Verify {
                goal: MetricGoal { metric, service, below, above },
                hold_ms,
                samples_min,
                volume: None,
            },
        };
        let OlderStepSpec { name, title, text, effect, touches, timeout_ms, .. } =
            OlderStepSpec { kind: OlderKind::Note, ..older };
        Self { name, title, text, kind, effect, touches, timeout_ms }
    }
}

impl From<OlderRunStep> for RunStep {
    fn from(older: OlderRunStep) -> Self {
        let (state, begun_at) = match older.state {
            OlderState::Pending => (StepState::Pending, None),
            OlderState::Waiting => (StepState::Waiting, None),
            OlderState::Running { since, is_dry_run } => {
                let purpose = if is_dry_run { Purpose::DryRun } else { Purpose::Run };
                (StepState::Running { since, purpose }, Some(since))
            }
            OlderState::Watching { inside_since, samples, last, unit, seen_until, until } => {
                (StepState::Watching { inside_since, samples, last, unit, seen_until, until }, None)
            }
            OlderState::Succeeded { at } => (StepState::Succeeded { at }, Some(at)),
            OlderState::Skipped { at, by } => {
                (StepState::Skipped { at, by, reason: Arc::from("not kept by an older version") }, Some(at))
            }
            OlderState::Failed { at, reason } => (StepState::Failed { at, reason }, Some(at)),
            OlderState::Unknown { since } => (StepState::Unknown { since }, Some(since)),
        };
        // What was approved had begun.
        let begun = begun_at.zip(older.approved_by.clone()).map(|(at, by)| Beginning {
            id: Arc::clone(&older.bound.digest),
            at,
            by,
            purpose: Purpose::Run,
            is_void: false,
        });
        Self {
            bound: BoundStep { spec: older.bound.spec.into(), digest: older.bound.digest },
            state,
            attempt: 1,
            id: Arc::from(""),
            offer: Arc::from(""),
            evidence: Arc::from(""),
            offered_at: older.shown_at,
            begun: begun.into_iter().collect(),
            is_in_force: false,
            gate_text: older.gate_text,
            is_denied: false,
            needs_target: true,
            begins_at: None,
            approvals: Vec::new(),
            done_before: older.done_before,
            shown_at: older.shown_at,
            output: older.output,
            output_dropped_count: older.output_dropped_count,
            exit_code: older.exit_code,
            approved_by: older.approved_by,
            is_as_expected: None,
            answer: None,
            harm_before: None,
        }
    }
}

/// A run in the midst of a verify step as version 1 wrote it, in hex.
#[cfg(test)]
const GOLDEN: &str = concat!(
    "01072a0172015201310168016f0773686970706564010000000001010104686f6d650577617463680474657874030b657272",
    "6f725f726174696f077061796d656e74c0a90703019a9999999999b93f0001076e6f7468696e67d00f010773657276696365",
    "077061796d656e74000104686f6d650577617463680474657874030b6572726f725f726174696f077061796d656e74c0a907",
    "03019a9999999999b93f0001076e6f7468696e67d00f016403010e0201000000000000d03f00000000000000809a99999999",
    "99b93f9c7500883ce4377e0210120167000201046c696e6503010100020003616e61",
);

/// The bytes of [`GOLDEN`].
#[cfg(test)]
pub(super) fn golden() -> Vec<u8> {
    (0..GOLDEN.len() / 2).map(|at| u8::from_str_radix(&GOLDEN[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_version_1_is_read_whole() {
        let bytes = golden();
        assert_eq!(bytes[0], 1, "its version byte");
        let run = Run::from(postcard::from_bytes::<OlderRun>(&bytes[1..]).unwrap());
        assert_eq!((run.id, run.incident(), run.state), (RunId(7), Some(IncidentId(42)), RunState::Active));
        assert_eq!(run.params.get("service").unwrap().as_ref(), "payment");
        let step = &run.steps[0];
        assert!(matches!(step.state, StepState::Watching { samples: 2, last: Some((value, _)), .. } if value == 0.25));
        let StepKind::Verify { goal, hold_ms, .. } = &step.bound.spec.kind else { panic!("a verify step") };
        assert_eq!((goal.metric.as_ref(), goal.below, *hold_ms), ("error_ratio", Some(0.1), 60_000));
        assert_eq!((step.output.len(), step.output_dropped_count, step.exit_code), (1, 3, Some(-1)));
    }
}
