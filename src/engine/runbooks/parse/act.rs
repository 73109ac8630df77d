//! Reads an act: what it calls, how it is undone, what it may reach, how bad it may be, what one will see.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fields::{Fields, Problems};
use super::looks::Look;
use super::step::read_expect;
use super::{call, goal};
use crate::engine::clock::MINUTE_MS;
use crate::engine::model::{ActSpec, ActionKind, BlastRadius, Call, Danger, ParamKind, ParamSpec, Repeat, StepEffect};
use crate::engine::runbooks::bind;
use crate::nearest::nearest;

/// Targets one act may reach at most, whatever its page says.
const TARGETS_MAX: u32 = 50;
/// Healthy members a page may ask to be left.
const MEMBERS_MAX: u32 = 100_000;
/// People one act may ask for.
const APPROVALS_MAX: u32 = 3;

/// Reads an act; `suffix` is what stands behind `act.` in its kind, or empty. Gives its effect, what it touches and its
/// timeout beside it.
pub(super) fn read(
    suffix: &str,
    params: Option<&BTreeMap<Arc<str>, ParamSpec>>,
    fields: &mut Fields<'_>,
    problems: &mut Problems,
) -> Option<(ActSpec, StepEffect, Arc<str>, i64)> {
    let effect = read_effect(fields, problems);
    let called = call::read(fields, problems);
    let host = match &called {
        Some(Call::Ssh { host, .. }) => Some(host.clone()),
        _ => None,
    };
    let dry_run = call::read_look_key("dry_run", host.as_ref(), Look::DryRun, fields, problems);
    let undo = call::read_key("undo", host.as_ref(), fields, problems);
    let probe = call::read_look_key("probe", host.as_ref(), Look::Plain, fields, problems);
    let rollback = read_rollback(fields, problems);
    if effect == StepEffect::Irreversible && undo.is_some() {
        problems.add(fields.line_of("undo"), "an irreversible act has no `undo`; leave it out or make it reversible");
    }
    let touches = read_touches(effect, called.as_ref(), params, fields, problems);
    let timeout_ms = read_timeout(fields, problems);
    let approvals = fields.whole("approvals", 1..APPROVALS_MAX + 1, problems).unwrap_or(1);
    let danger = read_danger(effect, fields, problems);
    let repeat = read_repeat(probe, fields, problems);
    let action = read_action(suffix, fields, problems);
    let targets_max = fields.whole("targets_max", 1..TARGETS_MAX + 1, problems).unwrap_or(1);
    let target_count = u32::try_from(touches.len()).unwrap_or(u32::MAX);
    if target_count > targets_max {
        let text =
            format!("it touches {target_count} targets and targets_max = {targets_max}; raise it or split the step");
        problems.add(fields.line_of("touches"), text);
    }
    let (prechecks, not_restarting) = goal::read_prechecks(fields, problems);
    let act = ActSpec {
        action,
        call: called?,
        dry_run,
        undo,
        rollback_text: rollback,
        repeat,
        prechecks,
        not_restarting,
        danger,
        targets_max,
        expect: read_expect(fields, problems),
        expected: fields.text("expected", problems).unwrap_or_else(|| Arc::from("")),
        within_ms: fields.span("within", problems).unwrap_or(2 * MINUTE_MS),
        approvals: u8::try_from(approvals).unwrap_or(1),
        blast: BlastRadius {
            remaining_min: fields.whole("remaining_min", 1..MEMBERS_MAX + 1, problems),
            share_max: fields.whole("share_max", 1..101, problems),
        },
    };
    Some((act, effect, touches.join(", ").into(), timeout_ms))
}

fn read_effect(fields: &mut Fields<'_>, problems: &mut Problems) -> StepEffect {
    match fields.required_text("effect", "write effect = \"reversible\" or \"irreversible\"", problems) {
        Some(word) if word.as_ref() == "reversible" => StepEffect::Reversible,
        Some(word) if word.as_ref() == "irreversible" => StepEffect::Irreversible,
        Some(word) => {
            let text = format!("an act's effect is \"reversible\" or \"irreversible\", not \"{word}\"");
            problems.add(fields.line_of("effect"), text);
            StepEffect::Irreversible
        }
        None => StepEffect::Irreversible,
    }
}

/// `rollback = "…"`, or `rollback = { irreversible = "why" }`.
fn read_rollback(fields: &mut Fields<'_>, problems: &mut Problems) -> Arc<str> {
    let remedy = "say in a line how it is undone, or why it cannot be";
    let text = if fields.is_table("rollback") {
        fields.table("rollback", problems).and_then(|table| {
            let mut inner = fields.nested(table, fields.line_of("rollback"));
            let reason = inner.required_text("irreversible", remedy, problems);
            inner.refuse_others("`rollback`", problems);
            reason.map(|reason| format!("none: {reason}").into())
        })
    } else {
        fields.required_text("rollback", remedy, problems)
    };
    text.unwrap_or_else(|| Arc::from(""))
}

/// What the act names, else the services and hosts its call names.
fn read_touches(
    effect: StepEffect,
    call: Option<&Call>,
    params: Option<&BTreeMap<Arc<str>, ParamSpec>>,
    fields: &mut Fields<'_>,
    problems: &mut Problems,
) -> Vec<Arc<str>> {
    let written = fields.list("touches", true, problems);
    let touches =
        written.unwrap_or_else(|| call.zip(params).map_or_else(Vec::new, |(call, params)| targets(call, params)));
    // Where the head could not be read, what is missing there is told there.
    if touches.is_empty() && params.is_some() {
        problems.add(fields.line(), "`touches` is missing; name what the act changes");
    }
    // It is typed by hand to confirm, so it must be one word.
    let is_typeable = touches.len() == 1 && touches.iter().all(|touches| !touches.contains(char::is_whitespace));
    if effect == StepEffect::Irreversible && !touches.is_empty() && !is_typeable {
        problems.add(
            fields.line_of("touches"),
            "what cannot be undone is confirmed by typing `touches`; write one word, such as \"{service}\"",
        );
    }
    touches
}

/// The parameters of a call that are services and hosts, each once.
fn targets(call: &Call, params: &BTreeMap<Arc<str>, ParamSpec>) -> Vec<Arc<str>> {
    let mut targets: Vec<Arc<str>> = Vec::new();
    for word in call.words() {
        for name in bind::placeholders(&word) {
            let is_target = |spec: &ParamSpec| matches!(spec.kind, ParamKind::Service | ParamKind::Host);
            let target: Arc<str> = format!("{{{name}}}").into();
            if params.get(name).is_some_and(is_target) && !targets.contains(&target) {
                targets.push(target);
            }
        }
    }
    targets
}

fn read_timeout(fields: &mut Fields<'_>, problems: &mut Problems) -> i64 {
    if !fields.has("timeout") {
        problems.add(fields.line(), "`timeout` is missing; when is it stopped, such as timeout = \"60s\"");
    }
    fields.span("timeout", problems).unwrap_or(MINUTE_MS)
}

fn read_danger(effect: StepEffect, fields: &mut Fields<'_>, problems: &mut Problems) -> Danger {
    const ALL: [Danger; 3] = [Danger::Low, Danger::Medium, Danger::High];
    let usual = if effect == StepEffect::Irreversible { Danger::High } else { Danger::Medium };
    let Some(word) = fields.text("danger", problems) else { return usual };
    let found = ALL.into_iter().find(|danger| danger.word() == word.as_ref());
    if found.is_none() {
        problems.add(fields.line_of("danger"), format!("`danger` is \"low\", \"medium\" or \"high\", not \"{word}\""));
    }
    if effect == StepEffect::Irreversible && found.is_some_and(|danger| danger < Danger::High) {
        problems.add(fields.line_of("danger"), "what cannot be undone has danger = \"high\"; leave the key out");
    }
    found.unwrap_or(usual)
}

fn read_repeat(probe: Option<Call>, fields: &mut Fields<'_>, problems: &mut Problems) -> Repeat {
    let line = fields.line_of("idempotent");
    match (fields.text("idempotent", problems).as_deref(), probe) {
        (Some("probe") | None, Some(probe)) => Repeat::Probe(probe),
        (Some("yes"), None) => Repeat::Safe,
        (Some("no") | None, None) => Repeat::Never,
        (Some("probe"), None) => {
            problems.add(line, "idempotent = \"probe\" needs `probe`, a call that only looks whether it happened");
            Repeat::Never
        }
        (Some("yes" | "no"), Some(_)) => {
            problems.add(line, "where there is a `probe`, write idempotent = \"probe\" or leave the key out");
            Repeat::Never
        }
        (Some(other), _) => {
            problems.add(line, format!("`idempotent` is \"yes\", \"no\" or \"probe\", not \"{other}\""));
            Repeat::Never
        }
    }
}

/// The kind of change: `action = "restart"`, or the word behind `act.`; `exec`, `http`, `k8s` and `sql` say nothing about it.
fn read_action(suffix: &str, fields: &mut Fields<'_>, problems: &mut Problems) -> ActionKind {
    let written = fields.text("action", problems);
    let word = written.as_deref().unwrap_or(match suffix {
        "" | "exec" | "http" | "k8s" | "sql" => "other",
        "flag" => "configure",
        suffix => suffix,
    });
    let found = ActionKind::ALL.into_iter().find(|action| action.word() == word);
    found.unwrap_or_else(|| {
        let names = ActionKind::ALL.map(ActionKind::word);
        let hint = nearest(word, names)
            .map_or_else(|| format!("actions are {}", names.join(", ")), |near| format!("did you mean `{near}`?"));
        let line = if written.is_some() { fields.line_of("action") } else { fields.line_of("kind") };
        problems.add(line, format!("unknown action `{word}`; {hint}"));
        ActionKind::Other
    })
}
