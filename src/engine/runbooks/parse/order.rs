//! Rules about the steps as a whole: an act is verified, a jump leads forward to a step there is, a value stays one value.

use std::collections::BTreeSet;

use super::super::{bind, fill};
use super::fields::Problems;
use crate::engine::model::{Call, CheckSpec, Goto, Look, ParamKind, Runbook, StepKind, StepSpec, When};
use crate::nearest::nearest;

/// Checks the steps, each with the line of its block.
pub(super) fn check(runbook: &Runbook, steps: &[(StepSpec, u32)], problems: &mut Problems) {
    check_acts(runbook, steps, problems);
    check_jumps(runbook, steps, problems);
    check_placeholders(runbook, steps, problems);
    for (step, line) in steps {
        for call in calls(step) {
            check_arguments(runbook, call, *line, problems);
        }
    }
}

/// Every call of a step.
pub(in crate::engine::runbooks) fn calls(step: &StepSpec) -> Vec<&Call> {
    match &step.kind {
        StepKind::Check(CheckSpec { look: Look::Call { call, .. }, .. }) => vec![call],
        StepKind::Act(act) => [Some(&act.call), act.dry_run.as_ref(), act.undo.as_ref(), act.repeat.probe()]
            .into_iter()
            .flatten()
            .collect(),
        _ => Vec::new(),
    }
}

/// An argument with blanks in it is a text that some program takes apart (SQL, a remote shell): free text has no place
/// there. Names of services and hosts and numbers hold nothing that such a program could read as more than a word.
fn check_arguments(runbook: &Runbook, call: &Call, line: u32, problems: &mut Problems) {
    let is_free = |name: &&str| runbook.params.get(*name).is_none_or(|spec| spec.kind == ParamKind::Text);
    let (Call::Command { argv } | Call::Ssh { argv, .. }) = call else { return };
    for argument in argv {
        if argument.contains(char::is_whitespace)
            && let Some(name) = bind::placeholders(argument).find(is_free)
        {
            problems.add(
                line,
                format!(
                    "{{{name}}} stands inside `{argument}`, which the program takes apart: a value could become a part of \
                     its language; hand it over as an argument of its own"
                ),
            );
        }
    }
}

/// Where a step may lead, by name of the key that says so.
fn gotos(step: &StepSpec) -> Vec<&Goto> {
    match &step.kind {
        StepKind::Ask { choices, .. } => choices.iter().map(|choice| &choice.goto).collect(),
        StepKind::Branch { cases, otherwise } => {
            cases.iter().map(|case| &case.goto).chain(std::iter::once(otherwise)).collect()
        }
        _ => Vec::new(),
    }
}

/// Jumps lead forward to a step there is, cases look back at a step there is, and every step can be reached.
fn check_jumps(runbook: &Runbook, steps: &[(StepSpec, u32)], problems: &mut Problems) {
    let names: Vec<&str> = steps.iter().map(|(step, _)| step.name.as_ref()).collect();
    let mut reachable = vec![false; steps.len()];
    if let Some(first) = reachable.first_mut() {
        *first = true;
    }
    for (at, (step, line)) in steps.iter().enumerate() {
        let is_reached = reachable[at];
        if !is_reached {
            problems.add(*line, format!("nothing leads to step `{}`; lead a branch to it or take it away", step.name));
        }
        let gotos = gotos(step);
        let goes_on = gotos.is_empty() || gotos.contains(&&Goto::Next);
        if goes_on && at + 1 < steps.len() {
            reachable[at + 1] = true;
        }
        for goto in gotos {
            let Goto::Step(name) = goto else { continue };
            match names.iter().position(|have| *have == name.as_ref()) {
                Some(to) if to > at => reachable[to] = true,
                Some(_) => problems.add(*line, format!("`{name}` comes before this step; a run only goes forward")),
                None => problems.add(*line, unknown_step(name, &names)),
            }
        }
        if let StepKind::Branch { cases, .. } = &step.kind {
            for case in cases {
                match &case.when {
                    When::Met { step: name, .. } | When::Says { step: name, .. } => {
                        match names.iter().position(|have| *have == name.as_ref()) {
                            Some(back) if back < at => {}
                            Some(_) => {
                                problems.add(*line, format!("`{name}` has not run when this branch is reached"));
                            }
                            None => problems.add(*line, unknown_step(name, &names)),
                        }
                    }
                    When::Param { name, .. } if !runbook.params.contains_key(name) => {
                        problems.add(*line, format!("`{name}` is no parameter; declare it under [params]"));
                    }
                    When::Param { .. } => {}
                }
            }
        }
    }
}

fn unknown_step(name: &str, names: &[&str]) -> String {
    let hint = nearest(name, names.iter().copied())
        .map_or_else(|| format!("steps are {}", names.join(", ")), |near| format!("did you mean `{near}`?"));
    format!("there is no step `{name}`; {hint}")
}

/// Rules about the steps as a whole.
fn check_acts(runbook: &Runbook, steps: &[(StepSpec, u32)], problems: &mut Problems) {
    let Some((_, first_line)) = steps.first() else {
        problems.add(1, "there are no steps; write at least one ```toml step NAME block");
        return;
    };
    let is_act = |(step, _): &&(StepSpec, u32)| matches!(step.kind, StepKind::Act(_));
    let act_count = steps.iter().filter(is_act).count();
    if act_count > usize::from(runbook.acts_max) {
        problems.add(
            *first_line,
            format!("{act_count} acts and max_actions = {}; raise it or take acts away", runbook.acts_max),
        );
    }
    let last_act = steps.iter().rposition(|step| is_act(&step));
    let last_verify = steps.iter().rposition(|(step, _)| matches!(step.kind, StepKind::Verify { .. }));
    if let Some(act) = last_act
        && last_verify.is_none_or(|verify| verify < act)
    {
        problems.add(steps[act].1, "no verify step comes after this act; nobody would know whether it helped");
    }
}

/// Every placeholder names a parameter, and every parameter is used.
fn check_placeholders(runbook: &Runbook, steps: &[(StepSpec, u32)], problems: &mut Problems) {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for (step, line) in steps {
        for text in fill::texts(step) {
            for name in bind::placeholders(&text) {
                if let Some((name, _)) = runbook.params.get_key_value(name) {
                    used.insert(name);
                    continue;
                }
                let hint = nearest(name, runbook.params.keys().map(AsRef::as_ref)).map_or_else(
                    || "declare it under [params]".to_owned(),
                    |near| format!("did you mean `{{{near}}}`?"),
                );
                problems.add(*line, format!("step `{}` uses {{{name}}}, which is no parameter; {hint}", step.name));
            }
        }
    }
    for (step, _) in steps {
        if let StepKind::Branch { cases, .. } = &step.kind {
            let names = cases.iter().filter_map(|case| match &case.when {
                When::Param { name, .. } => Some(name.as_ref()),
                When::Met { .. } | When::Says { .. } => None,
            });
            used.extend(names);
        }
    }
    for name in runbook.params.keys().filter(|name| !used.contains(name.as_ref())) {
        problems.add(1, format!("parameter `{name}` is used by no step; use it or take it away"));
    }
}
