//! What there is to know of a step before it is approved and while it runs, as lines: the exact command, what it touches,
//! how it is undone, what the gate says, how far a watch has come.

use super::anomaly_text;
use super::context::Glyphs;
use super::text;
use crate::engine::model::{
    ActSpec, BoundStep, Call, Danger, Look, MetricGoal, Run, RunState, RunStep, StepKind, StepState, human, human_span,
};

/// Columns of the labels.
pub const LABEL_WIDTH: usize = 14;
/// Columns of what is said: fixed, so that the number of lines does not hang on the width of the screen. Fits 80 columns.
const TEXT_WIDTH: usize = 60;

/// One line about a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A label and text.
    Text(&'static str, String),
    /// A label and (part of) a command.
    Command(&'static str, String),
    /// What the gate says.
    Gate(String),
    /// A label and what is wrong.
    Problem(&'static str, String),
    /// How far a watch has come, 0 to 1, and in words.
    Progress(f64, String),
    /// Whether an interrupted step took effect is for a person to say.
    Question,
}

/// Wraps text under a label that is written once. The text is cleaned when it is drawn.
fn wrapped(label: &'static str, content: &str, make: impl Fn(&'static str, String) -> Fact) -> Vec<Fact> {
    let lines = text::wrap(content, TEXT_WIDTH, Glyphs::default());
    lines.into_iter().enumerate().map(|(index, line)| make(if index == 0 { label } else { "" }, line)).collect()
}

/// The word for a kind of step.
pub fn kind_word(kind: &StepKind) -> &'static str {
    match kind {
        StepKind::Note => "note",
        StepKind::Check(_) => "check",
        StepKind::Act(_) => "act",
        StepKind::Wait { .. } => "wait",
        StepKind::Verify { .. } => "verify",
        StepKind::Ask { .. } => "ask",
        StepKind::Notify { .. } => "notify",
        StepKind::Branch { .. } => "branch",
    }
}

/// The exact command of a step, whole.
pub fn command_of(step: &BoundStep) -> Vec<Fact> {
    step.spec.call().map(|call| command("runs", call)).unwrap_or_default()
}

fn command(label: &'static str, call: &Call) -> Vec<Fact> {
    wrapped(label, &text::command_line(&call.words()), Fact::Command)
}

/// At most so many lines of the prose around a step, marked where there is more.
pub fn prose(step: &BoundStep, lines_max: usize) -> Vec<Fact> {
    let prose = step.spec.text.split_whitespace().collect::<Vec<_>>().join(" ");
    if prose.is_empty() {
        return Vec::new();
    }
    let mut facts = wrapped("about", &prose, Fact::Text);
    if facts.len() > lines_max {
        facts.truncate(lines_max);
        if let Some(Fact::Text(_, line)) = facts.last_mut() {
            line.push('…');
        }
    }
    facts
}

/// Everything about a step of a run, with at most so many lines of prose.
pub fn of_step(step: &RunStep, is_stopped: bool, prose_lines_max: usize) -> Vec<Fact> {
    let spec = &step.bound.spec;
    let mut facts = prose(&step.bound, prose_lines_max);
    facts.extend(command_of(&step.bound));
    // What asks for an answer comes before what only informs: it must be in sight on a low screen.
    facts.extend(progress(step, is_stopped));
    match &spec.kind {
        StepKind::Note | StepKind::Branch { .. } => {}
        StepKind::Check(check) => facts.extend(expectation(&check.look)),
        StepKind::Act(act) => {
            facts.extend(of_act(act, &spec.touches));
            facts.extend(people(step, act));
        }
        StepKind::Ask { question, choices } => {
            facts.extend(wrapped("asks", question, Fact::Text));
            for (index, choice) in choices.iter().enumerate() {
                facts.extend(wrapped("", &format!("{} {}", index + 1, choice.text), Fact::Text));
            }
            facts.extend(step.answer.iter().flat_map(|answer| wrapped("answer", answer, Fact::Text)));
        }
        StepKind::Notify { text, channel } => {
            facts.extend(wrapped("tells", text, Fact::Text));
            let to = if channel.is_empty() { "every destination of the settings" } else { channel };
            facts.extend(wrapped("to", to, Fact::Text));
        }
        StepKind::Verify { .. } | StepKind::Wait { .. } => {
            facts.extend(wrapped("waits for", &goal(&step.state, &spec.kind), Fact::Text));
        }
    }
    if let Some(at) = step.begins_at.filter(|_| step.state == StepState::Waiting) {
        facts.extend(wrapped(
            "begins",
            &format!("by itself at {} unless skipped or stopped", at.hh_mm_ss()),
            Fact::Problem,
        ));
    }
    if step.attempt > 1 {
        facts.push(Fact::Text("attempt", step.attempt.to_string()));
    }
    // What the gate said of a step that has begun since says nothing of what may begin now.
    if !step.gate_text.is_empty() && matches!(step.state, StepState::Waiting | StepState::Pending) {
        facts.extend(wrapped("gate", &step.gate_text, |label, line| match label {
            "" => Fact::Text("", line),
            _ => Fact::Gate(line),
        }));
    }
    facts
}

/// What a check expects, in words.
fn expectation(look: &Look) -> Vec<Fact> {
    let text = match look {
        Look::Call { expect, exit, lines_min, only, .. } => {
            let said = (!expect.is_empty()).then(|| format!("“{expect}” in its output"));
            let listed = (*lines_min > 0).then(|| format!("{lines_min} lines or more"));
            let only = only.as_ref().map(|only| format!("nothing named but {}", only.names));
            let code = (*exit != 0).then(|| format!("exit code {exit}"));
            [said, listed, only, code].into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
        Look::Metric(goal) => place(goal, &|limit| limit.to_string()),
    };
    if text.is_empty() { Vec::new() } else { wrapped("expects", &text, Fact::Text) }
}

/// What there is to know of an act beside its call.
fn of_act(act: &ActSpec, touches: &str) -> Vec<Fact> {
    let mut facts = Vec::new();
    facts.extend(act.dry_run.iter().flat_map(|call| command("dry run", call)));
    facts.extend(wrapped("touches", touches, Fact::Text));
    if act.blast.is_limited() {
        facts.extend(wrapped("takes", &act.blast.told(), Fact::Text));
    }
    if act.danger == Danger::High {
        facts.push(Fact::Problem("danger", "high".to_owned()));
    }
    for goal in &act.prechecks {
        facts.extend(wrapped("only if", &place(goal, &|limit| limit.to_string()), Fact::Text));
    }
    for target in &act.not_restarting {
        facts.extend(wrapped("only if", &format!("nobody restarted {target} lately"), Fact::Text));
    }
    if !act.expected.is_empty() {
        facts.extend(wrapped(
            "one sees",
            &format!("{}, within {}", act.expected, human_span(act.within_ms)),
            Fact::Text,
        ));
    }
    facts.extend(wrapped("rollback", &act.rollback_text, Fact::Text));
    facts.extend(act.undo.iter().flat_map(|call| command("", call)));
    facts
}

/// Who has said yes so far, where more than one person must.
fn people(step: &RunStep, act: &ActSpec) -> Vec<Fact> {
    if act.approvals < 2 || step.state != StepState::Waiting {
        return Vec::new();
    }
    let names: Vec<&str> = step.approvals.iter().map(|approval| approval.by.as_ref()).collect();
    let said = if names.is_empty() { "nobody yet".to_owned() } else { names.join(", ") };
    wrapped("people", &format!("{} of {} must approve it: {said}", names.len(), act.approvals), Fact::Problem)
}

/// Why a run stands still or was stopped.
pub fn of_run(run: &Run) -> Vec<Fact> {
    let label = match run.state {
        RunState::Paused => "paused",
        RunState::Stopped | RunState::Failed if run.is_escalated => "handed over",
        RunState::Stopped => "stopped",
        _ => return Vec::new(),
    };
    if run.word.is_empty() { Vec::new() } else { wrapped(label, &run.word, Fact::Problem) }
}

/// `error_ratio of payment below 0.1`.
fn place(goal: &MetricGoal, told: &dyn Fn(f64) -> String) -> String {
    let MetricGoal { metric, service, below, above } = goal;
    let place = match (below, above) {
        (None, None) => "inside its band".to_owned(),
        (Some(below), None) => format!("below {}", told(*below)),
        (None, Some(above)) => format!("above {}", told(*above)),
        (Some(below), Some(above)) => format!("between {} and {}", told(*above), told(*below)),
    };
    format!("{metric} of {service} {place}")
}

/// What a verify or wait step waits for, in words.
fn goal(state: &StepState, kind: &StepKind) -> String {
    let (goal, hold_ms, samples_min, volume) = match kind {
        StepKind::Verify { goal, hold_ms, samples_min, volume } => (goal, *hold_ms, *samples_min, volume.as_ref()),
        StepKind::Wait { for_ms, until: Some(goal) } => (goal, *for_ms, 1, None),
        StepKind::Wait { for_ms, until: None } => return format!("{} to pass", human_span(*for_ms)),
        _ => return String::new(),
    };
    // The first sample says in what it is measured; until then a limit stands as it was written, not rounded.
    let told = |limit: f64| match state {
        StepState::Watching { unit, last: Some(_), .. } => human(limit, *unit),
        _ => limit.to_string(),
    };
    let samples = text::counted(u64::from(samples_min), "sample", "samples");
    let volume =
        volume.map_or_else(String::new, |volume| format!(", with {}", place(volume, &|limit| limit.to_string())));
    format!("{} for {}, at least {samples}{volume}", place(goal, &told), human_span(hold_ms))
}

/// Where the step stands, as far as its line does not say it.
fn progress(step: &RunStep, is_stopped: bool) -> Vec<Fact> {
    match (&step.state, &step.bound.spec.kind) {
        (StepState::Watching { .. }, kind) => watching(&step.state, kind),
        (StepState::Failed { reason, .. }, _) => {
            wrapped(if is_stopped { "stopped" } else { "failed" }, reason, Fact::Problem)
        }
        (StepState::Unknown { since }, _) => {
            let text = format!("the program ended after {}, while this ran: did it take effect?", since.hh_mm_ss());
            let mut facts = wrapped("unknown", &text, Fact::Problem);
            facts.push(Fact::Question);
            facts
        }
        (StepState::Elapsing { until }, _) => vec![Fact::Text("until", until.hh_mm_ss())],
        (StepState::Skipped { reason, by, .. }, _) => wrapped("skipped", &format!("{reason} ({by})"), Fact::Text),
        (StepState::Undone { by, at }, _) => {
            vec![Fact::Text("taken back", format!("by {by} at {}", at.hh_mm_ss()))]
        }
        (StepState::Running { since, .. }, _) => {
            let lines = text::counted(step.output.len() as u64, "line", "lines");
            vec![Fact::Text("running", format!("since {}, {lines} of output", since.hh_mm_ss()))]
        }
        _ => Vec::new(),
    }
}

/// How far a watch has come: how long it has been inside, how many samples say so, the last of them.
fn watching(state: &StepState, kind: &StepKind) -> Vec<Fact> {
    let StepState::Watching { inside_since, seen_until, samples, last, unit, until } = state else { return Vec::new() };
    let (metric, hold_ms, samples_min) = match kind {
        StepKind::Verify { goal, hold_ms, samples_min, .. } => (&goal.metric, hold_ms, *samples_min),
        StepKind::Wait { for_ms, until: Some(goal) } => (&goal.metric, for_ms, 1),
        _ => return Vec::new(),
    };
    let mut lines = match inside_since {
        Some(since) => {
            let held_ms = seen_until.since_ms(*since).max(0);
            // Spans far below where a float loses whole milliseconds.
            let share = (held_ms as f64 / (*hold_ms).max(1) as f64).min(1.0);
            let (held, hold) = (human_span(held_ms), human_span(*hold_ms));
            vec![Fact::Progress(share, format!("{held} of {hold}, {samples} of {samples_min} samples"))]
        }
        None => vec![Fact::Text("inside", "not yet".to_owned())],
    };
    if let Some((value, band)) = last {
        let band = anomaly_text::band(*band, *unit);
        lines.extend(wrapped("last", &format!("{metric} {}, band {band}", human(*value, *unit)), Fact::Text));
    }
    lines.push(Fact::Text("gives up", format!("at {}", until.hh_mm_ss())));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_shown_whole() {
        let words: Vec<String> = (0..40).map(|index| format!("--flag-{index}=value")).collect();
        let facts = wrapped("runs", &text::command_line(&words), Fact::Command);
        let shown: Vec<&str> = facts
            .iter()
            .map(|fact| match fact {
                Fact::Command(_, line) => line.as_str(),
                _ => "",
            })
            .collect();
        assert_eq!(shown.join(" "), words.join(" "));
        assert!(shown.iter().all(|line| line.len() <= TEXT_WIDTH));
        assert!(matches!(facts.as_slice(), [Fact::Command("runs", _), Fact::Command("", _), ..]));
    }

    #[test]
    fn a_limit_is_not_rounded_before_its_unit_is_known() {
        let goal_of =
            MetricGoal { metric: "memory_used_ratio".into(), service: "search".into(), below: Some(0.75), above: None };
        let kind = StepKind::Verify { goal: goal_of, hold_ms: 60_000, samples_min: 3, volume: None };
        assert!(goal(&StepState::Pending, &kind).starts_with("memory_used_ratio of search below 0.75 for 1 min"));
    }
}
