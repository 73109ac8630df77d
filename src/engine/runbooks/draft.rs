//! A page to begin from, made of the steps that an answer proposes, with the values of this incident in them: what a person
//! looks over, makes general and puts among their own runbooks. A draft is text; it is never offered or run.

use std::fmt::Write as _;
use std::sync::Arc;

use toml::Value;

use crate::engine::model::{
    ActSpec, BoundStep, Call, CauseKind, Look, MetricGoal, Proposal, Repeat, StepEffect, StepKind,
};

/// A page of the steps of a proposal. It can be read as a page as it stands; what is to be written by hand is a note in it.
#[must_use]
pub fn page(proposal: &Proposal, incident: &str) -> String {
    let runbook = &proposal.runbook;
    let mut head = Table::default();
    head.text("id", &format!("draft-{}", runbook.id));
    head.text("version", "1");
    head.text("owner", &runbook.owner);
    head.list("problem", runbook.problems.iter().map(|cause| cause_word(*cause)));
    head.text("estimate", &span(i64::from(runbook.estimate_seconds.max(1)) * 1_000));
    let mut page = format!(
        "# Draft of {incident}: {}\n\n```toml runbook\n{}```\n\nMade of {} version {}, with the values of {incident}. Put parameters \
         in their place, look every step over, and give the page an id of its own before it goes among your runbooks.\n",
        runbook.title, head.text, runbook.id, runbook.version
    );
    for step in &proposal.steps {
        let _infallible = write!(page, "\n```toml step {}\n{}```\n", step.spec.name, of_step(step));
        if !step.spec.text.trim().is_empty() {
            let _infallible = write!(page, "\n{}\n", step.spec.text.trim());
        }
    }
    page
}

/// Lines of a table.
#[derive(Default)]
struct Table {
    text: String,
}

impl Table {
    fn put(&mut self, key: &str, value: &Value) {
        let _infallible = writeln!(self.text, "{key} = {value}");
    }

    fn text(&mut self, key: &str, text: &str) {
        self.put(key, &Value::String(text.to_owned()));
    }

    fn list<T: AsRef<str>>(&mut self, key: &str, texts: impl IntoIterator<Item = T>) {
        self.put(key, &Value::Array(texts.into_iter().map(|text| Value::String(text.as_ref().to_owned())).collect()));
    }

    fn goal(&mut self, goal: &MetricGoal) {
        for (key, value) in goal_of(goal) {
            self.put(&key, &value);
        }
    }
}

fn of_step(step: &BoundStep) -> String {
    let spec = &step.spec;
    let mut table = Table::default();
    let kind = match &spec.kind {
        StepKind::Check(check) => match &check.look {
            Look::Metric(_) => "check",
            Look::Call { call, lines_min: 0, only: None, .. } if argv(call).is_some() => "check",
            Look::Call { .. } => "note",
        },
        StepKind::Act(act) if argv(&act.call).is_some() => "act",
        StepKind::Verify { .. } => "verify",
        _ => "note",
    };
    table.text("kind", kind);
    let by_hand = if kind == "note" && spec.kind != StepKind::Note { "to be written by hand: " } else { "" };
    table.text("title", &format!("{by_hand}{}", spec.title));
    match &spec.kind {
        StepKind::Check(check) if kind == "check" => {
            match &check.look {
                Look::Metric(goal) => table.goal(goal),
                Look::Call { call, expect, exit, .. } => {
                    put_call(&mut table, call);
                    if !expect.is_empty() {
                        table.text("expect", expect);
                    }
                    if *exit != 0 {
                        table.put("exit", &Value::Integer(i64::from(*exit)));
                    }
                }
            }
            table.text("timeout", &span(spec.timeout_ms));
        }
        StepKind::Act(act) if kind == "act" => put_act(&mut table, act, spec.effect, &spec.touches, spec.timeout_ms),
        StepKind::Verify { goal, hold_ms, samples_min, volume } => {
            table.goal(goal);
            table.text("for", &span(*hold_ms));
            table.put("min_samples", &Value::Integer(i64::from(*samples_min)));
            if let Some(volume) = volume {
                table.put("volume", &Value::Table(goal_of(volume)));
            }
            table.text("timeout", &span(spec.timeout_ms));
        }
        _ => {}
    }
    table.text
}

fn put_act(table: &mut Table, act: &ActSpec, effect: StepEffect, touches: &str, timeout_ms: i64) {
    table.text("action", act.action.word());
    table.text("effect", if effect == StepEffect::Irreversible { "irreversible" } else { "reversible" });
    table.text("danger", act.danger.word());
    put_call(table, &act.call);
    for (key, call) in [("dry_run", &act.dry_run), ("undo", &act.undo)] {
        if let Some(argv) = call.as_ref().and_then(argv) {
            table.list(key, argv);
        }
    }
    table.text("rollback", if act.rollback_text.is_empty() { "to be written" } else { &act.rollback_text });
    match (&act.repeat, act.repeat.probe().and_then(argv)) {
        (Repeat::Probe(_), Some(probe)) => table.list("probe", probe),
        (Repeat::Safe, _) => table.text("idempotent", "yes"),
        _ => table.text("idempotent", "no"),
    }
    let touched: Vec<&str> = touches.split(", ").collect();
    table.list("touches", &touched);
    if touched.len() > 1 {
        table.put("targets_max", &Value::Integer(i64::try_from(touched.len()).unwrap_or(i64::MAX)));
    }
    table.text("timeout", &span(timeout_ms));
    if !act.expected.is_empty() {
        table.text("expected", &act.expected);
    }
    table.text("within", &span(act.within_ms));
    if act.approvals > 1 {
        table.put("approvals", &Value::Integer(i64::from(act.approvals)));
    }
    if !act.prechecks.is_empty() {
        let goals = act.prechecks.iter().map(|goal| Value::Table(goal_of(goal))).collect();
        table.put("precheck", &Value::Array(goals));
    }
}

fn put_call(table: &mut Table, call: &Call) {
    if let Call::Ssh { host, .. } = call {
        table.text("host", host);
    }
    table.list("run", argv(call).unwrap_or_default());
}

/// The words of a call that is a command; others are written by hand.
fn argv(call: &Call) -> Option<&[Arc<str>]> {
    match call {
        Call::Command { argv } | Call::Ssh { argv, .. } => Some(argv),
        _ => None,
    }
}

fn goal_of(goal: &MetricGoal) -> toml::Table {
    let mut table = toml::Table::new();
    table.insert("metric".to_owned(), Value::String(goal.metric.to_string()));
    table.insert("service".to_owned(), Value::String(goal.service.to_string()));
    for (key, value) in [("below", goal.below), ("above", goal.above)] {
        if let Some(value) = value {
            table.insert(key.to_owned(), Value::Float(value));
        }
    }
    table
}

/// As pages write spans: `90s`.
fn span(ms: i64) -> String {
    format!("{}s", (ms / 1_000).max(1))
}

/// As pages write kinds of cause.
fn cause_word(cause: CauseKind) -> String {
    serde_json::to_value(cause).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::model::ServiceName;
    use crate::engine::runbooks::Library;
    use crate::engine::runbooks::parse::parse;

    /// What stands in for every value.
    fn filled(page: &str) -> String {
        let mut filled = String::new();
        let mut rest = page;
        while let Some((before, after)) = rest.split_once('{') {
            let name = after.split_once('}').filter(|(name, _)| {
                !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.'))
            });
            filled.push_str(before);
            match name {
                Some((_, after)) => {
                    filled.push_str("web");
                    rest = after;
                }
                None => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled + rest
    }

    #[test]
    fn a_draft_of_every_shipped_runbook_is_a_page_with_its_steps() {
        let library = Library::shipped();
        for runbook in library.iter() {
            let steps = runbook.steps.iter().map(|spec| BoundStep { spec: spec.clone(), digest: Arc::from("") });
            let proposal = Proposal {
                runbook: Arc::clone(runbook),
                params: BTreeMap::new(),
                steps: steps.collect(),
                reason: Arc::from(""),
                service: ServiceName::new("web"),
                cause: None,
            };
            let text = filled(&page(&proposal, "INC-7"));
            let read = parse("draft", &text).unwrap_or_else(|problems| panic!("{}: {problems:?}\n{text}", runbook.id));
            assert_eq!(read.id.as_ref(), format!("draft-{}", runbook.id));
            assert_eq!((&read.problems, read.steps.len()), (&runbook.problems, runbook.steps.len()), "{}", runbook.id);
            for (drafted, original) in read.steps.iter().zip(&runbook.steps) {
                assert_eq!(drafted.name, original.name);
                let (Some(drafted), Some(original)) = (drafted.act(), original.act()) else { continue };
                assert_eq!(drafted.action, original.action);
                assert_eq!(drafted.danger, original.danger, "{}", runbook.id);
                assert_eq!(drafted.undo.is_some(), original.undo.as_ref().and_then(argv).is_some(), "{}", runbook.id);
                assert_eq!(drafted.prechecks.len(), original.prechecks.len(), "{}", runbook.id);
            }
        }
    }
}
