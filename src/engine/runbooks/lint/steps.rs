//! Rules about single steps: what an act must say of itself, what a verify step proves, what may stand in a command.

use super::raw::{Raw, RawBlock};
use super::{Findings, Surroundings};
use crate::engine::clock::MINUTE_MS;
use crate::engine::model::{ActSpec, Call, CheckSpec, Look, MetricGoal, Runbook, StepEffect, StepKind, StepSpec};
use crate::engine::runbooks::bind;
use crate::nearest::nearest;

/// A shorter look proves little: most faults come and go within a minute.
const VERIFY_MS_MIN: i64 = 2 * MINUTE_MS;
/// What a shell would read as more than text, were one in between.
const SHELL_MARKS: &str = ";|&$<>`()\n";

pub(super) fn look(runbook: &Runbook, raw: &Raw, around: &Surroundings<'_>, findings: &mut Findings) {
    for step in &runbook.steps {
        let Some(block) = raw.steps.get(step.name.as_ref()) else { continue };
        if step.text.trim().is_empty() {
            let text = format!("nothing explains `{}`; write above it why it is done and what to look for", step.name);
            findings.warn("no-prose", block.line, text);
        }
        match &step.kind {
            StepKind::Act(act) => look_at_act(step, act, block, findings),
            StepKind::Verify { goal, hold_ms, volume, .. } => {
                look_at_verify(step, goal, *hold_ms, volume.is_some(), block, findings);
            }
            _ => {}
        }
        for goal in goals(step) {
            look_at_metric(goal, block, around, findings);
        }
        look_at_calls(step, block, findings);
    }
}

fn look_at_act(step: &StepSpec, act: &ActSpec, block: &RawBlock, findings: &mut Findings) {
    let name = &step.name;
    for (rule, key, remedy) in [
        ("no-touches", "touches", "name what it changes; without it the services and hosts of its call are taken"),
        ("no-expected", "expected", "say what one will see when it helps"),
        ("no-within", "within", "say how soon one will see it, such as within = \"2m\""),
        ("no-danger", "danger", "say how bad it is when it goes wrong: \"low\", \"medium\" or \"high\""),
    ] {
        if !block.has(key) {
            findings.error(rule, block.line, format!("act `{name}` has no `{key}`; {remedy}"));
        }
    }
    if !block.has("idempotent") && act.repeat.probe().is_none() {
        let text = format!(
            "act `{name}` does not say whether it may be done twice; write idempotent = \"yes\" or \"no\", or a `probe`"
        );
        findings.error("no-repeat", block.line, text);
    }
    if act.blast.is_limited() && !is_counted(&act.call) {
        let key = if act.blast.share_max.is_some() { "share_max" } else { "remaining_min" };
        let text = format!(
            "`{key}` of act `{name}` is counted where a `kubectl` of this machine scales, rolls out or deletes, and would refuse \
             this call each time; leave it out"
        );
        findings.error("uncounted", block.line_of(key), text);
    }
    let rollback = act.rollback_text.to_lowercase();
    let needs_no_undo = ["nothing to undo", "by hand"].iter().any(|words| rollback.starts_with(words));
    if step.effect == StepEffect::Reversible && act.undo.is_none() && !needs_no_undo {
        let text = format!(
            "act `{name}` is reversible and has no `undo`; write the call, or begin `rollback` with \"nothing to undo\" or \
             \"by hand\""
        );
        findings.error("no-undo", block.line_of("rollback"), text);
    }
    if step.effect == StepEffect::Irreversible && act.approvals < 2 && !rollback.contains("approv") {
        let text = format!(
            "act `{name}` cannot be undone, and its `rollback` does not say who approves that; name them, or write approvals = 2"
        );
        findings.error("no-approval", block.line_of("rollback"), text);
    }
}

/// True for a call of which it can be told how many members of a workload it takes away.
fn is_counted(call: &Call) -> bool {
    const COUNTED: [&str; 5] = ["scale", "rollout", "set", "patch", "delete"];
    let Call::Command { argv } = call else { return false };
    let is_kubectl = argv.first().is_some_and(|program| program.rsplit('/').next() == Some("kubectl"));
    is_kubectl && argv.iter().take_while(|word| word.as_ref() != "--").any(|word| COUNTED.contains(&word.as_ref()))
}

fn look_at_verify(
    step: &StepSpec,
    goal: &MetricGoal,
    hold_ms: i64,
    has_volume: bool,
    block: &RawBlock,
    findings: &mut Findings,
) {
    let metric = goal.metric.to_lowercase();
    if metric.contains("error") && !has_volume {
        let text = format!(
            "`{}` would take silence for health: errors are gone when requests are; add volume = {{ metric = \"request_rate\", \
             service = \"{}\", above = 0.05 }}",
            step.name, goal.service
        );
        findings.warn("no-volume", block.line_of("metric"), text);
    }
    if hold_ms < VERIFY_MS_MIN {
        let text = format!(
            "`{}` looks for {} s; two minutes at least tell a mended fault from a pause",
            step.name,
            hold_ms / 1_000
        );
        findings.warn("short-verify", block.line_of("for"), text);
    }
}

fn goals(step: &StepSpec) -> Vec<&MetricGoal> {
    match &step.kind {
        StepKind::Verify { goal, volume, .. } => std::iter::once(goal).chain(volume).collect(),
        StepKind::Wait { until, .. } => until.iter().collect(),
        StepKind::Check(CheckSpec { look: Look::Metric(goal), .. }) => vec![goal],
        StepKind::Act(act) => act.prechecks.iter().collect(),
        _ => Vec::new(),
    }
}

fn look_at_metric(goal: &MetricGoal, block: &RawBlock, around: &Surroundings<'_>, findings: &mut Findings) {
    let Some(known) = around.metrics else { return };
    if known.contains(&goal.metric) || bind::placeholders(&goal.metric).next().is_some() {
        return;
    }
    let hint = nearest(&goal.metric, known.iter().map(AsRef::as_ref))
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let text = format!("no source tells a metric `{}`, so this never sees data{hint}", goal.metric);
    findings.warn("unknown-metric", block.line_of("metric"), text);
}

/// No shell reads a command, and what looks as if one did is a mistake in waiting: a value beside it, or a program behind it.
fn look_at_calls(step: &StepSpec, block: &RawBlock, findings: &mut Findings) {
    let act = step.act();
    let probe = act.and_then(|act| act.repeat.probe());
    let calls = [
        ("run", step.call()),
        ("dry_run", act.and_then(|act| act.dry_run.as_ref())),
        ("undo", act.and_then(|act| act.undo.as_ref())),
        ("probe", probe),
    ];
    for (key, call) in calls {
        let Some(Call::Command { argv } | Call::Ssh { argv, .. }) = call else { continue };
        for argument in argv {
            let has_value = bind::placeholders(argument).next().is_some();
            if has_value && argument.contains(|c| SHELL_MARKS.contains(c)) {
                let text = format!(
                    "`{argument}` puts a value beside what a shell would read; no shell reads this, so give each argument an \
                     element of its own"
                );
                findings.error("shell-marks", block.line_of(key), text);
            } else if matches!(argument.as_ref(), "|" | "||" | "&&" | ";" | ">" | ">>" | "<" | "2>&1" | "&") {
                let text =
                    format!("`{argument}` is handed over as an argument; no shell reads this, write a step for each");
                findings.error("shell-marks", block.line_of(key), text);
            }
        }
    }
}
