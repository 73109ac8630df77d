//! Reads one `toml step NAME` block.

use std::sync::Arc;

use super::fields::{Fields, Problems};
use crate::engine::clock::{MINUTE_MS, SECOND_MS};
use crate::engine::model::{StepEffect, StepKind, StepSpec};
use crate::nearest::nearest;

const KINDS: [&str; 5] = ["note", "check", "act", "act.exec", "verify"];

/// Fewer samples than this prove nothing.
const SAMPLES_MIN: u32 = 2;

/// Reads the block's keys; `None` where a mistake leaves nothing to make a step of.
pub(super) fn read(name: &str, text: &str, mut fields: Fields<'_>, problems: &mut Problems) -> Option<StepSpec> {
    let remedy = "write kind = \"note\", \"check\", \"act\" or \"verify\"";
    let kind_word = fields.required_text("kind", remedy, problems)?;
    let title = fields.text("title", problems).unwrap_or_else(|| name.replace('-', " ").into());
    let (kind, effect, timeout_ms) = match kind_word.as_ref() {
        "note" => (StepKind::Note, StepEffect::None, MINUTE_MS),
        "check" => read_check(&mut fields, problems),
        "act" | "act.exec" => read_act(&mut fields, problems),
        "verify" => read_verify(&mut fields, problems),
        other => {
            let hint = nearest(other, KINDS)
                .map_or_else(|| format!("kinds are {}", KINDS.join(", ")), |near| format!("did you mean `{near}`?"));
            problems.add(fields.line_of("kind"), format!("unknown kind `{other}`; {hint}"));
            return None;
        }
    };
    let touches = fields.text("touches", problems);
    if let StepKind::Act { run, .. } = &kind {
        check_act_target(effect, touches.as_deref(), &fields, problems);
        check_program(run, &fields, problems);
    }
    if let StepKind::Check { run, .. } = &kind {
        check_program(run, &fields, problems);
    }
    fields.refuse_others(&format!("a {kind_word} step"), problems);
    Some(StepSpec {
        name: Arc::from(name),
        title,
        text: Arc::from(text),
        kind,
        effect,
        touches: touches.unwrap_or_else(|| Arc::from("nothing")),
        timeout_ms,
    })
}

fn required_run(fields: &mut Fields<'_>, problems: &mut Problems) -> Vec<Arc<str>> {
    if !fields.has("run") {
        problems
            .add(fields.line(), "`run` is missing; write the command, such as run = [\"kubectl\", \"get\", \"pods\"]");
    }
    fields.list("run", false, problems).unwrap_or_default()
}

fn read_check(fields: &mut Fields<'_>, problems: &mut Problems) -> (StepKind, StepEffect, i64) {
    let run = required_run(fields, problems);
    let expect = fields.text("expect", problems).unwrap_or_else(|| Arc::from(""));
    if let Some(effect) = fields.text("effect", problems)
        && effect.as_ref() != "read"
    {
        let text =
            format!("a check only looks, so its effect is \"read\", not \"{effect}\"; what changes things is an act");
        problems.add(fields.line_of("effect"), text);
    }
    let timeout_ms = fields.span("timeout", problems).unwrap_or(30 * SECOND_MS);
    (StepKind::Check { run, expect }, StepEffect::Read, timeout_ms)
}

fn read_act(fields: &mut Fields<'_>, problems: &mut Problems) -> (StepKind, StepEffect, i64) {
    let run = required_run(fields, problems);
    let effect = match fields.required_text("effect", "write effect = \"reversible\" or \"irreversible\"", problems) {
        Some(word) if word.as_ref() == "reversible" => StepEffect::Reversible,
        Some(word) if word.as_ref() == "irreversible" => StepEffect::Irreversible,
        Some(word) => {
            let text = format!("an act's effect is \"reversible\" or \"irreversible\", not \"{word}\"");
            problems.add(fields.line_of("effect"), text);
            StepEffect::Irreversible
        }
        None => StepEffect::Irreversible,
    };
    let remedy = "say in a line how it is undone, or why it cannot be";
    let rollback_text = fields.required_text("rollback", remedy, problems).unwrap_or_else(|| Arc::from(""));
    let dry_run = fields.list("dry_run", false, problems).unwrap_or_default();
    let undo = fields.list("undo", false, problems).unwrap_or_default();
    if !fields.has("timeout") {
        problems.add(fields.line(), "`timeout` is missing; an act is stopped after it, such as timeout = \"60s\"");
    }
    let timeout_ms = fields.span("timeout", problems).unwrap_or(MINUTE_MS);
    (StepKind::Act { run, dry_run, undo, rollback_text }, effect, timeout_ms)
}

fn read_verify(fields: &mut Fields<'_>, problems: &mut Problems) -> (StepKind, StepEffect, i64) {
    let metric = fields.required_text("metric", "name the metric that must come back", problems);
    let service = fields.required_text("service", "name whose metric it is, such as \"{service}\"", problems);
    if !fields.has("for") {
        problems.add(fields.line(), "`for` is missing; how long must it hold, such as for = \"2m\"");
    }
    let hold_ms = fields.span("for", problems).unwrap_or(MINUTE_MS);
    let samples_min = fields.whole("min_samples", SAMPLES_MIN..1_001, problems).unwrap_or(3);
    let below = fields.number("below", problems);
    let above = fields.number("above", problems);
    if let (Some(below), Some(above)) = (below, above)
        && above >= below
    {
        problems.add(fields.line_of("above"), "nothing is above `above` and below `below` at once; swap the two");
    }
    let timeout_ms = fields.span("timeout", problems).unwrap_or(hold_ms + 10 * MINUTE_MS);
    if timeout_ms <= hold_ms {
        problems.add(fields.line_of("timeout"), "`timeout` must be longer than `for`, or it can never succeed");
    }
    let (metric, service) = (metric.unwrap_or_else(|| Arc::from("")), service.unwrap_or_else(|| Arc::from("")));
    (StepKind::Verify { metric, service, hold_ms, samples_min, below, above }, StepEffect::Read, timeout_ms)
}

fn check_act_target(effect: StepEffect, touches: Option<&str>, fields: &Fields<'_>, problems: &mut Problems) {
    match touches {
        None => problems.add(fields.line(), "`touches` is missing; name what the act changes"),
        // It is typed by hand to confirm, so it must be one word.
        Some(touches) if effect == StepEffect::Irreversible && touches.contains(char::is_whitespace) => problems.add(
            fields.line_of("touches"),
            "what cannot be undone is confirmed by typing `touches`; write one word, such as \"{service}\"",
        ),
        Some(_) => {}
    }
}

/// The program is fixed text: no parameter chooses it and no shell reads it.
fn check_program(run: &[Arc<str>], fields: &Fields<'_>, problems: &mut Problems) {
    let line = fields.line_of("run");
    match run.first() {
        None if fields.has("run") => problems.add(line, "`run` is empty; write the program and its arguments"),
        Some(program) if program.contains(|c: char| c.is_whitespace() || "{}|&;<>()$`\\\"'*?[]#~=%".contains(c)) => {
            let text = format!(
                "`{program}` is no program's name; no shell reads this, write each argument as an element of its own"
            );
            problems.add(line, text);
        }
        _ => {}
    }
}
