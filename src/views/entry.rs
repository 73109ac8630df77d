//! One row of the log or of a timeline, whole: what it says, when, by whom, of which run, and the digest of what was
//! approved.

use ratatui::text::Line;

use super::canvas::Pen;
use super::code::{self, Language};
use super::context::ViewContext;
use super::evidence::paragraph;
use super::focus;
use super::log;
use super::patch_detail;
use super::rollout_detail;
use super::step_facts;
use super::text;
use super::theme::{self, Role};
use super::ui_state::RowKey;
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    AuditEntry, AuditKind, BoundStep, Call, Change, CheckSpec, EarlyWarning, IncidentId, Look, Proposal, RunId,
    RunStep, StepKind, TimelineEntry, human_span,
};
use crate::engine::snapshot::{FileProblem, Snapshot};

/// Columns of the labels.
const LABEL_WIDTH: usize = 11;

/// What a row holds: how its text is drawn, the text, and the facts under it.
struct Whole {
    role: Role,
    text: String,
    facts: Vec<(&'static str, String)>,
}

/// The title of the box.
pub fn title(snapshot: &Snapshot, row: &RowKey) -> String {
    match row {
        RowKey::Audit(sequence) => format!("Entry {sequence} of the log"),
        RowKey::Change(_) => "Change".to_owned(),
        RowKey::Warning(_) => "Early warning".to_owned(),
        RowKey::File(_) => match snapshot.file_problems.len() {
            1 => "A file is not as it should be".to_owned(),
            count => format!("{count} places in files are not as they should be"),
        },
        RowKey::Step(index) => format!("Step {}", index + 1),
        RowKey::Proposal(_) => "Runbook".to_owned(),
        RowKey::Patch(_)
        | RowKey::PatchGroup(..)
        | RowKey::PatchGap(_)
        | RowKey::PatchException(_)
        | RowKey::Unbooted(_) => patch_detail::title(row),
        _ => rollout_detail::title(row).unwrap_or_else(|| "Line of the timeline".to_owned()),
    }
}

/// The incident that an entry of the audit log, or a warning, is about.
#[must_use]
pub fn incident_of(snapshot: &Snapshot, row: &RowKey) -> Option<(IncidentId, Option<RunId>)> {
    if let RowKey::Warning(incident) = row {
        return snapshot.incident(*incident).map(|incident| (incident.id, None));
    }
    let RowKey::Audit(sequence) = row else { return None };
    let entry = snapshot.audit.iter().find(|entry| entry.sequence == *sequence)?;
    entry.incident.map(|incident| (incident, entry.run))
}

/// Every line.
pub fn lines(pen: Pen<'_>, ctx: &ViewContext<'_>, row: &RowKey, width: usize) -> Vec<Line<'static>> {
    let of_patch = || patch_detail::lines(pen, ctx, row, width);
    if let Some(lines) = rollout_detail::lines(pen, ctx, row, width).or_else(of_patch) {
        return lines;
    }
    let Some(whole) = whole(ctx, row) else {
        return vec![Line::from(pen.plain("It is no longer in the picture."))];
    };
    let mut lines: Vec<Line<'static>> =
        whole.text.lines().flat_map(|line| told(pen, whole.role, line, width)).collect();
    lines.push(Line::default());
    for (label, content) in whole.facts {
        let head = format!("{label:<LABEL_WIDTH$}");
        lines.extend(if COMMANDS.contains(&label) {
            code::wrapped(pen, Language::Shell, &head, &content, width)
        } else {
            paragraph(pen, Role::Text, &head, &content, width)
        });
    }
    lines
}

/// Facts that are commands.
const COMMANDS: [&str; 3] = ["runs", "dry run", "undo"];

/// A line of the text; commands in their colours.
fn told(pen: Pen<'_>, role: Role, line: &str, width: usize) -> Vec<Line<'static>> {
    match line.strip_prefix(code::PROMPT) {
        Some(command) => code::wrapped(pen, Language::Shell, code::PROMPT, command, width),
        None if role == Role::Code => code::wrapped(pen, Language::Shell, "", line, width),
        None => paragraph(pen, role, "", line, width),
    }
}

fn whole(ctx: &ViewContext<'_>, row: &RowKey) -> Option<Whole> {
    let snapshot = ctx.snapshot;
    Some(match row {
        RowKey::Audit(sequence) => audit(ctx, snapshot.audit.iter().find(|entry| entry.sequence == *sequence)?),
        RowKey::Change(id) => change(ctx, snapshot.changes.iter().find(|change| change.id == *id)?),
        RowKey::Warning(id) => warning(ctx, snapshot.warnings.iter().find(|warning| warning.incident == *id)?),
        RowKey::Timeline(at, number) => {
            let mut of_that_time = focus::incident(snapshot, ctx.ui)?.timeline.iter().filter(|entry| entry.at.0 == *at);
            timeline(ctx, of_that_time.nth(usize::try_from(*number).ok()?)?)
        }
        RowKey::File(index) => files(snapshot, *index)?,
        RowKey::Step(index) => step(focus::run(snapshot, ctx.ui)?.steps.get(*index)?),
        RowKey::Proposal(id) => {
            let proposals = focus::proposals(snapshot, focus::incident(snapshot, ctx.ui)?.id);
            let (proposal, ran_as) = proposals.into_iter().find(|(proposal, _)| proposal.runbook.id == *id)?;
            runbook(proposal, ran_as)
        }
        _ => return None,
    })
}

/// `2026-11-21 14:32:50Z (<1 m ago)`.
fn when(at: Timestamp, now: Timestamp) -> String {
    format!("{} {}Z ({} ago)", at.date(), at.hh_mm_ss(), text::age(now.since_ms(at)))
}

/// Which signs are here again, of which incident, and how such warnings turned out.
fn warning(ctx: &ViewContext<'_>, warning: &EarlyWarning) -> Whole {
    let (lead, count) = (human_span(warning.lead_ms), warning.signs.len());
    let text = format!(
        "{count} of the {} signs that came up to {lead} before {} are here again.",
        warning.sign_count, warning.incident
    );
    let mut facts = vec![
        ("then", format!("{} {}", warning.incident, warning.title)),
        ("where", warning.service.to_string()),
        ("since", when(warning.since, ctx.now)),
        ("record", warning.record.to_string()),
    ];
    facts.extend(warning.signs.iter().map(|sign| ("sign", sign.to_string())));
    Whole { role: Role::TextStrong, text, facts }
}

fn audit(ctx: &ViewContext<'_>, entry: &AuditEntry) -> Whole {
    let mut facts = vec![
        ("when", when(entry.at, ctx.now)),
        ("who", entry.by.to_string()),
        ("kind", log::word(entry.kind).1.to_owned()),
    ];
    facts.extend(entry.incident.map(|id| {
        let title = ctx.snapshot.incident(id).map(|incident| format!("  {}", incident.title));
        ("incident", format!("{id}{}", title.unwrap_or_default()))
    }));
    if let Some(id) = entry.run {
        let run = ctx.snapshot.runs.iter().find(|run| run.id == id);
        let title = run.map(|run| format!("  {}", run.runbook.title));
        facts.push(("run", format!("{id}{}", title.unwrap_or_default())));
        // Entries name their step; what was approved is known by its digest.
        let mut steps = run.into_iter().flat_map(|run| run.steps.iter().enumerate());
        let step = steps.find(|(index, _)| entry.text.contains(&format!("step {} of {id}", index + 1)));
        facts.extend(step.map(|(_, step)| ("digest", step.bound.digest.to_string())));
    }
    let role = if entry.kind == AuditKind::Intent { Role::Code } else { Role::TextStrong };
    Whole { role, text: entry.text.to_string(), facts }
}

fn change(ctx: &ViewContext<'_>, change: &Change) -> Whole {
    let notice = &change.notice;
    let mut facts = vec![("began", when(notice.at, ctx.now))];
    facts.extend(notice.finished_at.map(|at| ("complete", when(at, ctx.now))));
    facts.extend(notice.service.as_ref().map(|service| ("service", service.to_string())));
    for (label, content) in [("version", &notice.version), ("who", &notice.author), ("see", &notice.url)] {
        facts.extend(content.as_ref().map(|content| (label, content.to_string())));
    }
    facts.push(("told by", notice.source.to_string()));
    if !notice.has_taken_effect {
        facts.push(("effect", "none: it failed or was withdrawn".to_owned()));
    }
    Whole { role: Role::TextStrong, text: notice.title.to_string(), facts }
}

fn timeline(ctx: &ViewContext<'_>, entry: &TimelineEntry) -> Whole {
    let mut facts = vec![("when", when(entry.at, ctx.now)), ("kind", theme::timeline(entry.kind).2.to_owned())];
    facts.extend(entry.by.as_ref().map(|by| ("who", by.to_string())));
    facts.extend(entry.service.as_ref().map(|service| ("service", service.to_string())));
    Whole { role: Role::TextStrong, text: entry.text.to_string(), facts }
}

/// A step of a run: all of its prose, and all that is known of it.
fn step(step: &RunStep) -> Whole {
    let mut facts = command_facts(&step.bound);
    if !step.gate_text.is_empty() {
        facts.push(("gate", step.gate_text.to_string()));
    }
    facts.push(("digest", step.bound.digest.to_string()));
    Whole { role: Role::Text, text: format!("{}\n\n{}", step.bound.spec.title, prose(&step.bound)), facts }
}

/// A runbook that fits: its introduction and every step with its prose.
fn runbook(proposal: &Proposal, ran_as: Option<RunId>) -> Whole {
    let mut text = proposal.runbook.title.to_string();
    for (index, step) in proposal.steps.iter().enumerate() {
        // The prose before the first step introduces the whole.
        let kind = step_facts::kind_word(&step.spec.kind);
        let prose = prose(step);
        let before = if prose.is_empty() { String::new() } else { format!("\n\n{prose}") };
        text += &format!("{before}\n\n{} {kind}: {}", index + 1, step.spec.title);
        for (label, content) in command_facts(step) {
            text += &format!("\n   {label}: {content}");
        }
    }
    let mut facts = vec![("fits", proposal.reason.to_string())];
    facts.extend(ran_as.map(|run| ("ran as", run.to_string())));
    facts.push(("owner", proposal.runbook.owner.to_string()));
    facts.push(("from", proposal.runbook.origin.to_string()));
    Whole { role: Role::Text, text, facts }
}

/// What a step runs, touches, and how it is undone.
fn command_facts(step: &BoundStep) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let line = |call: Option<&Call>| call.map(|call| text::command_line(&call.words())).unwrap_or_default();
    facts.push(("runs", line(step.spec.call())));
    match &step.spec.kind {
        StepKind::Check(CheckSpec { look: Look::Call { expect, .. }, .. }) => {
            facts.push(("expects", expect.to_string()));
        }
        StepKind::Act(act) => {
            facts.push(("dry run", line(act.dry_run.as_ref())));
            facts.push(("touches", step.spec.touches.to_string()));
            facts.push(("danger", act.danger.word().to_owned()));
            facts.push(("one sees", act.expected.to_string()));
            facts.push(("rollback", act.rollback_text.to_string()));
            facts.push(("undo", line(act.undo.as_ref())));
        }
        _ => {}
    }
    facts.retain(|(_, content)| !content.is_empty());
    facts
}

/// The prose around a step, a paragraph a line, the points of a list by themselves.
fn prose(step: &BoundStep) -> String {
    let joined = |paragraph: &str| {
        let mut joined = String::new();
        for line in paragraph.lines().map(str::trim) {
            let between = if joined.is_empty() {
                ""
            } else if line.starts_with(['-', '*']) {
                "\n"
            } else {
                " "
            };
            joined += &format!("{between}{line}");
        }
        joined
    };
    step.spec.text.trim().split("\n\n").map(joined).collect::<Vec<_>>().join("\n\n")
}

/// The chosen problem first, then all others: whoever mends files mends all of them.
fn files(snapshot: &Snapshot, chosen: usize) -> Option<Whole> {
    let told = |problem: &FileProblem| format!("{}\n{}", place(problem), problem.text);
    let mut texts = vec![told(snapshot.file_problems.get(chosen)?)];
    let others = snapshot.file_problems.iter().enumerate().filter(|(index, _)| *index != chosen);
    texts.extend(others.map(|(_, problem)| told(problem)));
    let facts = vec![("then", "start again; `hypo doctor` looks at the same files".to_owned())];
    Some(Whole { role: Role::Text, text: texts.join("\n\n"), facts })
}

/// `/home/mira/.config/hypocenter/keymaps/mine.toml:3`.
pub fn place(problem: &FileProblem) -> String {
    match problem.line {
        0 => problem.file.to_string(),
        line => format!("{}:{line}", problem.file),
    }
}

/// The same with the last two parts of its path only.
pub fn short_place(problem: &FileProblem) -> String {
    let place = place(problem);
    let start = place.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at + 1);
    place.get(start..).unwrap_or(&place).to_owned()
}

/// Text of several lines as one.
pub fn in_a_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_short_and_keeps_its_line() {
        for (file, line, expected) in [
            ("/home/mira/.config/hypocenter/keymaps/mine.toml", 3, "keymaps/mine.toml:3"),
            ("themes/own.toml", 4, "themes/own.toml:4"),
            ("keymaps", 0, "keymaps"),
            ("/x/y", 0, "x/y"),
        ] {
            let problem = FileProblem { file: file.into(), line, text: "".into() };
            assert_eq!(short_place(&problem), expected);
        }
    }

    #[test]
    fn lines_are_joined_where_there_is_room_for_one() {
        assert_eq!(in_a_line("one\n\n two \nthree"), "one · two · three");
        assert_eq!(in_a_line("one"), "one");
    }
}
