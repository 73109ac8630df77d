//! Rules about where a run can go: no end behind an act that was not verified, no look that decides nothing, no restart of a
//! database without its proofs.

use std::collections::BTreeSet;

use regex::Regex;

use super::Findings;
use super::raw::Raw;
use crate::engine::model::{
    ActionKind, Call, CheckSpec, DATABASE_PROOFS, Goto, Runbook, StepKind, StepSpec, Unexpected, When,
};

/// Words by which a database is told, in names, parameters and commands.
const DATABASE: &str =
    "(?i)(^|[^a-z])(db|database|postgres(ql)?|pg|mysql|mariadb|mongo(db)?|redis|cassandra|etcd|sql)([^a-z]|$)";

pub(super) fn look(runbook: &Runbook, raw: &Raw, findings: &mut Findings) {
    look_at_ends(runbook, raw, findings);
    look_at_unused(runbook, raw, findings);
}

/// Where a step may lead: to a step by its index, or to the end.
fn leads_to(runbook: &Runbook, at: usize) -> Vec<usize> {
    let end = runbook.steps.len();
    let resolve = |goto: &Goto| match goto {
        Goto::Next => Some(at + 1),
        Goto::Step(name) => runbook.steps.iter().position(|step| step.name == *name),
        Goto::End => Some(end),
        Goto::Escalate => None,
    };
    match runbook.steps.get(at).map(|step| &step.kind) {
        Some(StepKind::Ask { choices, .. }) => choices.iter().filter_map(|choice| resolve(&choice.goto)).collect(),
        Some(StepKind::Branch { cases, otherwise }) => {
            cases.iter().map(|case| &case.goto).chain([otherwise]).filter_map(resolve).collect()
        }
        _ => vec![at + 1],
    }
}

/// Follows every way through the page, remembering whether an act still waits for its proof.
fn look_at_ends(runbook: &Runbook, raw: &Raw, findings: &mut Findings) {
    let end = runbook.steps.len();
    let mut seen: BTreeSet<(usize, bool)> = BTreeSet::new();
    let mut todo = vec![(0, false)];
    let mut told = BTreeSet::new();
    while let Some((at, waits)) = todo.pop() {
        let Some(step) = runbook.steps.get(at).filter(|_| seen.insert((at, waits))) else { continue };
        let waits = match &step.kind {
            StepKind::Act(_) => true,
            StepKind::Verify { .. } => false,
            _ => waits,
        };
        for to in leads_to(runbook, at) {
            if to >= end && waits && told.insert(at) {
                let line = raw.steps.get(step.name.as_ref()).map_or(1, |block| block.line);
                let text = format!(
                    "`{}` ends the run after an act that nothing has verified; lead it to a verify step",
                    step.name
                );
                findings.error("end-unverified", line, text);
            } else if to < end && to > at {
                todo.push((to, waits));
            }
        }
    }
}

/// A check that goes on whatever it sees, and that no branch asks, changes nothing.
fn look_at_unused(runbook: &Runbook, raw: &Raw, findings: &mut Findings) {
    let asked: BTreeSet<&str> = runbook
        .steps
        .iter()
        .filter_map(|step| if let StepKind::Branch { cases, .. } = &step.kind { Some(cases) } else { None })
        .flatten()
        .filter_map(|case| match &case.when {
            When::Met { step, .. } | When::Says { step, .. } => Some(step.as_ref()),
            When::Param { .. } => None,
        })
        .collect();
    for step in &runbook.steps {
        let StepKind::Check(CheckSpec { otherwise: Unexpected::GoOn, proves, .. }) = &step.kind else { continue };
        if proves.is_empty() && !asked.contains(step.name.as_ref()) {
            let line = raw.steps.get(step.name.as_ref()).map_or(1, |block| block.line_of("unexpected"));
            let text = format!(
                "whatever `{}` sees, the run goes on, and no branch asks for it; branch on it, or let it pause",
                step.name
            );
            findings.warn("unused-check", line, text);
        }
    }
}

/// A database is restarted only behind its proofs; a page that is included may bring them, so `runbook` is the whole one.
pub(super) fn look_at_databases(runbook: &Runbook, raw: &Raw, findings: &mut Findings) {
    for (at, step) in runbook.steps.iter().enumerate() {
        let restarts = step.act().is_some_and(|act| matches!(act.action, ActionKind::Restart | ActionKind::Failover));
        if !restarts || !touches_database(step) {
            continue;
        }
        let proved: BTreeSet<&str> = runbook
            .steps
            .iter()
            .take(at)
            .filter_map(|step| if let StepKind::Check(check) = &step.kind { Some(&check.proves) } else { None })
            .flatten()
            .map(AsRef::as_ref)
            .collect();
        let missing: Vec<&str> = DATABASE_PROOFS.into_iter().filter(|proof| !proved.contains(proof)).collect();
        if !missing.is_empty() {
            let line = raw.steps.get(step.name.as_ref()).map_or(1, |block| block.line);
            let text = format!(
                "`{}` restarts what may hold data, and no check before it proves {}; the gate would refuse it",
                step.name,
                missing.join(", ")
            );
            findings.error("database-restart", line, text);
        }
    }
}

fn touches_database(step: &StepSpec) -> bool {
    let Ok(database) = Regex::new(DATABASE) else { return true };
    let words = step.call().map(Call::words).unwrap_or_default();
    database.is_match(&step.touches) || words.iter().any(|word| database.is_match(word))
}
