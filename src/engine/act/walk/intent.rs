//! The line of the audit log that says what is about to run; and what becomes of a run that does not know of such a line. Where
//! the store lost its newest part, the log may have kept what the run has not.

use std::sync::Arc;

use super::WalkOutcome;
use super::recover::lose_sight;
use crate::engine::act::policy;
use crate::engine::model::{AuditEntry, AuditKind, Beginning, Purpose, Run, StepKind};

/// Characters of an identity that the log has.
const ID_CHARS: usize = 12;
/// Attempts after the one a run knows of that are looked through for the whole of an identity.
const ATTEMPTS_LOST_MAX: u32 = 16;

/// The line. The command comes first: in a narrow log it is the part that must not be cut off.
pub(super) fn line(command: &str, purpose: Purpose, step: &str, id: &str) -> String {
    let id = id.get(..ID_CHARS).unwrap_or(id);
    format!("$ {command} ({}{step}, id {id})", before(purpose))
}

/// What is said before the step's name.
fn before(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Run => "",
        Purpose::DryRun => "dry run of ",
        Purpose::Probe => "probe of ",
        Purpose::Undo => "taking back ",
    }
}

/// The step of the run that a line is about, whether it was to be done or taken back, and the beginning of the identity; `None`
/// of calls that change nothing.
pub(super) fn read<'a>(run: &Run, line: &'a str) -> Option<(usize, Purpose, &'a str)> {
    let (line, id) = line.strip_suffix(')')?.rsplit_once(", id ")?;
    let acts = run.steps.iter().enumerate().filter(|(_, step)| matches!(step.bound.spec.kind, StepKind::Act(_)));
    let told = acts.flat_map(|(index, _)| {
        [Purpose::Run, Purpose::Undo].into_iter().filter_map(move |purpose| {
            let at = line.rfind(&format!(" ({}step {} of {} (", before(purpose), index + 1, run.id))?;
            Some((at, index, purpose))
        })
    });
    // A command may have such words of its own; what is said of it comes after it.
    let (_, index, purpose) = told.max_by_key(|(at, ..)| *at)?;
    Some((index, purpose, id))
}

/// Takes in what the log knows of a run and the run itself does not: a step that was begun and does not know it is unknown, and
/// is not offered as if it had not been. `entries` are in the order in which they were written.
#[must_use]
pub fn heed<'a>(run: &Run, entries: impl Iterator<Item = &'a AuditEntry>) -> Option<WalkOutcome> {
    let mut outcome = WalkOutcome::unchanged(run);
    let mut has_found = false;
    for entry in entries.filter(|entry| entry.kind == AuditKind::Intent && entry.run == Some(run.id)) {
        let Some((index, purpose, id)) = read(run, &entry.text) else { continue };
        let step = &mut outcome.run.steps[index];
        if step.begun.iter().any(|begun| begun.id.starts_with(id)) {
            continue;
        }
        has_found = true;
        let attempts = step.attempt..=step.attempt.saturating_add(ATTEMPTS_LOST_MAX);
        let mut whole = attempts.map(|attempt| policy::step_id(run, index, attempt));
        let whole = whole.find(|known| known.starts_with(id));
        step.begun.push(Beginning {
            id: whole.unwrap_or_else(|| Arc::from(id)),
            at: entry.at,
            by: Arc::clone(&entry.by),
            purpose,
            is_void: false,
        });
        step.offer = Arc::from("");
        step.begins_at = None;
        lose_sight(&mut outcome, index, entry.at, "was begun, as the audit log says, and the store had lost that");
    }
    has_found.then_some(outcome)
}
