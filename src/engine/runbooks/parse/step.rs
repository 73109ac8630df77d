//! Reads one `toml step NAME` block.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fields::{Fields, Problems};
use super::{act, call, decide, goal};
use crate::engine::clock::{DAY_MS, MINUTE_MS, SECOND_MS};
use crate::engine::model::{CheckSpec, Destination, Look, ParamSpec, StepEffect, StepKind, StepSpec, Unexpected};
use crate::engine::runbooks::{bind, fill};
use crate::nearest::nearest;

const KINDS: [&str; 8] = ["note", "check", "act", "wait", "verify", "ask", "notify", "branch"];

/// Fewer samples than this prove nothing.
const SAMPLES_MIN: u32 = 2;

/// Reads the block's keys into a step, and for an act with a `verify` of its own into one more; `None` where a mistake
/// leaves nothing to make a step of. `params` are those of the page, where its head could be read.
pub(super) fn read(
    name: &str,
    text: &str,
    params: Option<&BTreeMap<Arc<str>, ParamSpec>>,
    mut fields: Fields<'_>,
    problems: &mut Problems,
) -> Option<Vec<StepSpec>> {
    let remedy = "write kind = \"note\", \"check\", \"act\", \"wait\", \"verify\", \"ask\", \"notify\" or \"branch\"";
    let kind_word = fields.required_text("kind", remedy, problems)?;
    let title = fields.text("title", problems).unwrap_or_else(|| name.replace('-', " ").into());
    let nothing = || Arc::from("nothing");
    let (word, suffix) = kind_word.split_once('.').unwrap_or((&kind_word, ""));
    if word != "act" && word != "check" {
        read_no_effect(&mut fields, problems);
    }
    let mut verify = None;
    let read = match (word, suffix) {
        ("note", "") => Some((StepKind::Note, StepEffect::None, nothing(), MINUTE_MS)),
        ("check", "") => read_check(&mut fields, problems),
        ("act", suffix) => {
            verify = read_own_verify(name, &title, &mut fields, problems);
            act::read(suffix, params, &mut fields, problems)
                .map(|(act, effect, touches, timeout)| (StepKind::Act(Box::new(act)), effect, touches, timeout))
        }
        ("wait", "") => Some(read_wait(&mut fields, problems)),
        ("verify", "") => Some(read_verify(&mut fields, problems)),
        ("ask", "") => Some((decide::read_ask(&mut fields, problems), StepEffect::None, nothing(), DAY_MS)),
        ("branch", "") => Some((decide::read_branch(&mut fields, problems), StepEffect::None, nothing(), MINUTE_MS)),
        ("notify", "") => Some(read_notify(&mut fields, problems)),
        _ => {
            let hint = nearest(word, KINDS)
                .map_or_else(|| format!("kinds are {}", KINDS.join(", ")), |near| format!("did you mean `{near}`?"));
            problems.add(fields.line_of("kind"), format!("unknown kind `{kind_word}`; {hint}"));
            return None;
        }
    };
    fields.refuse_others(&format!("a {kind_word} step"), problems);
    let (kind, effect, touches, timeout_ms) = read?;
    let step = StepSpec { name: Arc::from(name), title, text: Arc::from(text), kind, effect, touches, timeout_ms };
    Some(std::iter::once(step).chain(verify).collect())
}

/// What neither looks nor acts has no effect, and may say so.
fn read_no_effect(fields: &mut Fields<'_>, problems: &mut Problems) {
    if let Some(effect) = fields.text("effect", problems)
        && !matches!(effect.as_ref(), "none" | "read")
    {
        let text = format!("this kind of step has no effect, not \"{effect}\"; what changes things is an act");
        problems.add(fields.line_of("effect"), text);
    }
}

/// `verify = { query = "…", for = "3m" }` of an act: the verify step that comes right after it.
fn read_own_verify(name: &str, title: &str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<StepSpec> {
    let table = fields.table("verify", problems)?;
    let mut inner = fields.nested(table, fields.line_of("verify"));
    let (kind, effect, touches, timeout_ms) = read_verify(&mut inner, problems);
    inner.refuse_others("`verify`", problems);
    Some(StepSpec {
        name: format!("{name}-verify").into(),
        title: format!("verify {title}").into(),
        text: format!("Shows whether `{name}` helped.").into(),
        kind,
        effect,
        touches,
        timeout_ms,
    })
}

type Read = (StepKind, StepEffect, Arc<str>, i64);

fn read_check(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Read> {
    if let Some(effect) = fields.text("effect", problems)
        && effect.as_ref() != "read"
    {
        let text =
            format!("a check only looks, so its effect is \"read\", not \"{effect}\"; what changes things is an act");
        problems.add(fields.line_of("effect"), text);
    }
    let otherwise = match fields.text("unexpected", problems).as_deref() {
        None | Some("pause") => Unexpected::Pause,
        Some("go-on") => Unexpected::GoOn,
        Some(other) => {
            let text = format!("`unexpected` is \"pause\" or \"go-on\", not \"{other}\"");
            problems.add(fields.line_of("unexpected"), text);
            Unexpected::Pause
        }
    };
    let proves = fields.list("proves", false, problems).unwrap_or_default();
    let timeout_ms = fields.span("timeout", problems).unwrap_or(30 * SECOND_MS);
    // Named for people; a check touches nothing.
    let touches = fields.text("touches", problems).unwrap_or_else(|| Arc::from("nothing"));
    let look = if fields.has("metric") || fields.has("query") {
        Look::Metric(goal::read(fields, problems))
    } else {
        let expect = read_expect(fields, problems);
        let listed = lists_at_least(&expect);
        let expect = if listed.is_some() { Arc::from("") } else { expect };
        let exit = fields.whole("exit", 0..256, problems).unwrap_or(0);
        let call = call::read_look(fields, problems)?;
        Look::Call { call, expect, exit: i32::try_from(exit).unwrap_or(0), lines_min: listed.unwrap_or(0), only: None }
    };
    Some((StepKind::Check(CheckSpec { look, otherwise, proves }), StepEffect::Read, touches, timeout_ms))
}

/// What a line of the output must match.
pub(super) fn read_expect(fields: &mut Fields<'_>, problems: &mut Problems) -> Arc<str> {
    let expect = fields.text("expect", problems).unwrap_or_else(|| Arc::from(""));
    if let Err(error) = regex::Regex::new(&fill::with_stand_ins(&expect)) {
        let reason = bind::regex_reason(&error);
        problems.add(fields.line_of("expect"), format!("`expect` is no regular expression: {reason}"));
    }
    expect
}

/// `lists ≥ 2 paths`: so many lines with something in them, whatever they are lines of.
fn lists_at_least(expect: &str) -> Option<usize> {
    let rest = expect.trim().strip_prefix("lists")?.trim_start();
    let rest = ["≥", ">=", "at least"].into_iter().find_map(|words| rest.strip_prefix(words))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn read_wait(fields: &mut Fields<'_>, problems: &mut Problems) -> Read {
    let until = goal::read_key("until", fields, problems);
    if !fields.has("for") {
        problems.add(fields.line(), "`for` is missing; how long is waited, such as for = \"30s\"");
    }
    let for_ms = fields.span("for", problems).unwrap_or(MINUTE_MS);
    let timeout_ms = fields.span("timeout", problems);
    if until.is_none() && timeout_ms.is_some() {
        problems.add(fields.line_of("timeout"), "a wait without `until` ends after `for`; leave `timeout` out");
    }
    let timeout_ms = timeout_ms.unwrap_or(if until.is_some() { for_ms + 10 * MINUTE_MS } else { for_ms });
    (StepKind::Wait { for_ms, until }, StepEffect::None, Arc::from("nothing"), timeout_ms)
}

fn read_verify(fields: &mut Fields<'_>, problems: &mut Problems) -> Read {
    let goal = goal::read(fields, problems);
    if !fields.has("for") {
        problems.add(fields.line(), "`for` is missing; how long must it hold, such as for = \"2m\"");
    }
    let hold_ms = fields.span("for", problems).unwrap_or(MINUTE_MS);
    let samples_min = fields.whole("min_samples", SAMPLES_MIN..1_001, problems).unwrap_or(3);
    let volume = goal::read_key("volume", fields, problems);
    let timeout_ms = fields.span("timeout", problems).unwrap_or(hold_ms + 10 * MINUTE_MS);
    if timeout_ms <= hold_ms {
        problems.add(fields.line_of("timeout"), "`timeout` must be longer than `for`, or it can never succeed");
    }
    let kind = StepKind::Verify { goal, hold_ms, samples_min, volume };
    (kind, StepEffect::Read, Arc::from("nothing"), timeout_ms)
}

fn read_notify(fields: &mut Fields<'_>, problems: &mut Problems) -> Read {
    let channel = fields.text("channel", problems).unwrap_or_else(|| Arc::from(""));
    let is_known = Destination::ALL.into_iter().any(|destination| destination.word() == channel.as_ref());
    if !channel.is_empty() && !is_known {
        let names = Destination::ALL.map(Destination::word).join(", ");
        let text =
            format!("`channel` is one of {names}, not `{channel}`; leave it out for all that take status updates");
        problems.add(fields.line_of("channel"), text);
    }
    let message = fields.required_text("message", "write what is told", problems).unwrap_or_else(|| Arc::from(""));
    let touches = if channel.is_empty() { Arc::from("every destination of notices") } else { Arc::clone(&channel) };
    (StepKind::Notify { channel, text: message }, StepEffect::None, touches, MINUTE_MS)
}
