//! Puts values into the texts of a step, and says what an approval of it is for.
//!
//! A value is text inside exactly one argument, one JSON text or one segment of a path; nothing it holds begins another.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::bind::is_param_name;
use crate::engine::digest::sha256_hex;
use crate::engine::model::{
    ActSpec, BoundStep, Call, Case, CheckSpec, Choice, HttpCall, Look, MetricGoal, Play, Repeat, StepKind, StepSpec,
    When,
};

type Params = BTreeMap<Arc<str>, Arc<str>>;

/// Pieces of a text: plain, or the name of a placeholder. Braces around anything else are plain.
fn pieces(text: &str) -> Vec<(bool, &str)> {
    let mut pieces = Vec::new();
    let mut plain_from = 0;
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|offset| at + offset) {
        at = open + 1;
        let Some(close) = text[at..].find('}').map(|offset| at + offset) else { break };
        if is_param_name(&text[at..close]) {
            pieces.push((false, &text[plain_from..open]));
            pieces.push((true, &text[at..close]));
            plain_from = close + 1;
            at = plain_from;
        }
    }
    pieces.push((false, &text[plain_from..]));
    pieces
}

/// Names of the placeholders in a text.
pub(super) fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).into_iter().filter_map(|(is_placeholder, piece)| is_placeholder.then_some(piece))
}

/// Fills the placeholders of one text. A value is never read again, so it cannot bring placeholders of its own.
fn fill(text: &str, params: &Params, encode: impl Fn(&str) -> String) -> Arc<str> {
    let mut filled = String::with_capacity(text.len());
    for (is_placeholder, piece) in pieces(text) {
        match params.get(piece).filter(|_| is_placeholder) {
            Some(value) => filled.push_str(&encode(value)),
            None if is_placeholder => filled.extend(["{", piece, "}"]),
            None => filled.push_str(piece),
        }
    }
    filled.into()
}

/// The text with a plain word for every placeholder: what a pattern looks like once it is filled in.
pub(super) fn with_stand_ins(text: &str) -> String {
    pieces(text).into_iter().map(|(is_placeholder, piece)| if is_placeholder { "x" } else { piece }).collect()
}

/// A value as one segment of a path: all but unreserved characters percent-encoded, dots that would climb included.
fn encode_segment(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte);
    let only_dots = value.bytes().all(|byte| byte == b'.');
    value
        .bytes()
        .map(|byte| match byte {
            b'.' if !only_dots => ".".to_owned(),
            byte if is_plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// Fills every text of a step.
struct Filler<'a>(&'a Params);

impl Filler<'_> {
    fn text(&self, text: &Arc<str>) -> Arc<str> {
        fill(text, self.0, str::to_owned)
    }

    fn texts(&self, texts: &[Arc<str>]) -> Vec<Arc<str>> {
        texts.iter().map(|text| self.text(text)).collect()
    }

    fn call(&self, call: &Call) -> Call {
        match call {
            Call::Command { argv } => Call::Command { argv: self.texts(argv) },
            Call::Ssh { host, argv } => Call::Ssh { host: self.text(host), argv: self.texts(argv) },
            Call::Playbook(play) => Call::Playbook(self.play(play)),
            Call::JobTemplate(play) => Call::JobTemplate(self.play(play)),
            Call::Http(call) => Call::Http(HttpCall {
                endpoint: Arc::clone(&call.endpoint),
                method: call.method,
                path: fill(&call.path, self.0, encode_segment),
                body: self.json(&call.body),
                statuses: call.statuses.clone(),
            }),
        }
    }

    fn play(&self, play: &Play) -> Play {
        let vars = play.vars.iter().map(|(name, value)| (Arc::clone(name), self.text(value))).collect();
        Play { what: Arc::clone(&play.what), limit: self.text(&play.limit), vars, is_check: play.is_check }
    }

    fn json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(fill(text, self.0, str::to_owned).to_string()),
            Value::Array(values) => values.iter().map(|value| self.json(value)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| (key.clone(), self.json(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn goal(&self, goal: &MetricGoal) -> MetricGoal {
        MetricGoal {
            metric: self.text(&goal.metric),
            service: self.text(&goal.service),
            below: goal.below,
            above: goal.above,
        }
    }

    fn act(&self, act: &ActSpec) -> ActSpec {
        ActSpec {
            action: act.action,
            call: self.call(&act.call),
            dry_run: act.dry_run.as_ref().map(|call| self.call(call)),
            undo: act.undo.as_ref().map(|call| self.call(call)),
            rollback_text: self.text(&act.rollback_text),
            repeat: match &act.repeat {
                Repeat::Probe(call) => Repeat::Probe(self.call(call)),
                Repeat::Look { call, expect, undone } => {
                    let (expect, undone) = (Arc::clone(expect), Arc::clone(undone));
                    Repeat::Look { call: self.call(call), expect, undone }
                }
                Repeat::Safe => Repeat::Safe,
                Repeat::Never => Repeat::Never,
            },
            prechecks: act.prechecks.iter().map(|goal| self.goal(goal)).collect(),
            not_restarting: self.texts(&act.not_restarting),
            danger: act.danger,
            targets_max: act.targets_max,
            expect: fill(&act.expect, self.0, regex::escape),
            expected: self.text(&act.expected),
            within_ms: act.within_ms,
            approvals: act.approvals,
            blast: act.blast,
        }
    }

    fn kind(&self, kind: &StepKind) -> StepKind {
        match kind {
            StepKind::Note => StepKind::Note,
            StepKind::Check(check) => StepKind::Check(CheckSpec {
                look: match &check.look {
                    // A pattern is the author's; a value in it would be read as one.
                    Look::Call { call, expect, exit, lines_min, only } => {
                        let expect = fill(expect, self.0, regex::escape);
                        Look::Call {
                            call: self.call(call),
                            expect,
                            exit: *exit,
                            lines_min: *lines_min,
                            only: only.clone(),
                        }
                    }
                    Look::Metric(goal) => Look::Metric(self.goal(goal)),
                },
                otherwise: check.otherwise,
                proves: check.proves.clone(),
            }),
            StepKind::Act(act) => StepKind::Act(Box::new(self.act(act))),
            StepKind::Wait { for_ms, until } => {
                StepKind::Wait { for_ms: *for_ms, until: until.as_ref().map(|goal| self.goal(goal)) }
            }
            StepKind::Verify { goal, hold_ms, samples_min, volume } => StepKind::Verify {
                goal: self.goal(goal),
                hold_ms: *hold_ms,
                samples_min: *samples_min,
                volume: volume.as_ref().map(|goal| self.goal(goal)),
            },
            StepKind::Ask { question, choices } => StepKind::Ask {
                question: self.text(question),
                choices: choices
                    .iter()
                    .map(|choice| Choice { text: self.text(&choice.text), goto: choice.goto.clone() })
                    .collect(),
            },
            StepKind::Notify { channel, text } => {
                StepKind::Notify { channel: Arc::clone(channel), text: self.text(text) }
            }
            StepKind::Branch { cases, otherwise } => StepKind::Branch {
                cases: cases.iter().map(|case| self.case(case)).collect(),
                otherwise: otherwise.clone(),
            },
        }
    }

    fn case(&self, case: &Case) -> Case {
        let when = match &case.when {
            When::Says { step, pattern } => {
                When::Says { step: Arc::clone(step), pattern: fill(pattern, self.0, regex::escape) }
            }
            when => when.clone(),
        };
        Case { when, goto: case.goto.clone() }
    }
}

/// Fills a step in, and names exactly what it is then.
pub(super) fn bind_step(content_hash: &str, step: &StepSpec, params: &Params) -> BoundStep {
    let filler = Filler(params);
    let spec = StepSpec {
        name: Arc::clone(&step.name),
        title: filler.text(&step.title),
        text: filler.text(&step.text),
        kind: filler.kind(&step.kind),
        effect: step.effect,
        touches: filler.text(&step.touches),
        timeout_ms: step.timeout_ms,
    };
    let digest = digest(content_hash, &spec);
    BoundStep { spec, digest }
}

/// What an approval is for: the file as it was, and the whole step as bound.
fn digest(content_hash: &str, spec: &StepSpec) -> Arc<str> {
    // Plain data without maps whose keys are no texts: this cannot fail, and a step that could not be written must not
    // share a digest with another, so the debug form stands in.
    let whole = serde_json::to_string(spec).unwrap_or_else(|_| format!("{spec:?}"));
    sha256_hex([content_hash, &whole]).into()
}

/// Texts of a step that say which hosts Ansible is limited to.
pub(super) fn limits(step: &StepSpec) -> Vec<&str> {
    let act = step.act();
    let probe = act.and_then(|act| act.repeat.probe());
    let others = act.into_iter().flat_map(|act| act.dry_run.iter().chain(&act.undo));
    let calls = step.call().into_iter().chain(others).chain(probe);
    calls
        .filter_map(|call| match call {
            Call::Playbook(play) | Call::JobTemplate(play) => Some(play.limit.as_ref()),
            _ => None,
        })
        .collect()
}

/// Every text of a step that may hold placeholders.
pub(super) fn texts(step: &StepSpec) -> Vec<String> {
    fn leaves(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| leaves(value, found)),
            Value::Object(fields) => fields.values().for_each(|value| leaves(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut found = Vec::new();
    leaves(&serde_json::to_value(step).unwrap_or_default(), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        pairs.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value))).collect()
    }

    #[test]
    fn a_value_stays_in_its_segment_of_a_path_and_in_its_text_of_a_body() {
        let params = params(&[("service", "a/../b?x=1#y%"), ("dots", "..")]);
        assert_eq!(
            fill("/v1/{service}/abort", &params, encode_segment).as_ref(),
            "/v1/a%2F..%2Fb%3Fx%3D1%23y%25/abort"
        );
        assert_eq!(fill("/{dots}/x", &params, encode_segment).as_ref(), "/%2E%2E/x");
        let body = serde_json::json!({ "name": "{service}", "list": ["{dots}", 1] });
        let bound = Filler(&params).json(&body);
        assert_eq!(bound["name"], "a/../b?x=1#y%");
        assert_eq!(bound["list"][0], "..");
    }

    #[test]
    fn a_value_brings_no_placeholder_and_no_pattern_of_its_own() {
        let params = params(&[("a", "{b}.*"), ("b", "never")]);
        assert_eq!(fill("x {a}", &params, str::to_owned).as_ref(), "x {b}.*");
        assert_eq!(fill("{a}", &params, regex::escape).as_ref(), r"\{b\}\.\*");
    }
}
