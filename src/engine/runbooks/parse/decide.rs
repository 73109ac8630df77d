//! Reads the steps that decide where a run goes on: questions and branches.

use std::sync::Arc;

use toml::de::DeTable;

use super::fields::{Fields, Problems};
use crate::engine::model::{Case, Choice, Goto, StepKind, When};
use crate::engine::runbooks::{bind, fill};

/// A question with its choices.
pub(super) fn read_ask(fields: &mut Fields<'_>, problems: &mut Problems) -> StepKind {
    let question = fields.required_text("question", "write what is asked, in a line", problems);
    let example = "choices = [{ text = \"yes\" }, { text = \"no\", goto = \"escalate\" }]";
    let mut choices = Vec::new();
    for (table, line) in fields.tables("choices", example, problems) {
        let mut inner = fields.nested(table, line);
        let text = inner.required_text("text", "write the answer", problems);
        let goto = read_goto("goto", &mut inner, problems).unwrap_or(Goto::Next);
        inner.refuse_others("a choice", problems);
        choices.extend(text.map(|text| Choice { text, goto }));
    }
    if choices.len() < 2 {
        problems.add(fields.line_of("choices"), format!("a question has at least two answers; write {example}"));
    }
    StepKind::Ask { question: question.unwrap_or_else(|| Arc::from("")), choices }
}

/// Cases and what else.
pub(super) fn read_branch(fields: &mut Fields<'_>, problems: &mut Problems) -> StepKind {
    let example = "cases = [{ step = \"look\", met = true, goto = \"restart\" }]";
    let mut cases = Vec::new();
    for (table, line) in fields.tables("cases", example, problems) {
        cases.extend(read_case(fields, table, line, problems));
    }
    if cases.is_empty() {
        problems.add(fields.line_of("cases"), format!("a branch has at least one case; write {example}"));
    }
    if !fields.has("otherwise") {
        problems.add(
            fields.line(),
            "`otherwise` is missing; where does it go on when no case holds: a step's name, \"next\", \"end\" or \"escalate\"",
        );
    }
    let otherwise = read_goto("otherwise", fields, problems).unwrap_or(Goto::Escalate);
    StepKind::Branch { cases, otherwise }
}

fn read_case(fields: &Fields<'_>, table: &DeTable<'_>, line: u32, problems: &mut Problems) -> Option<Case> {
    let mut inner = fields.nested(table, line);
    let step = inner.text("step", problems);
    let is_met = inner.flag("met", problems);
    let pattern = inner.text("says", problems);
    let param = inner.text("param", problems);
    let is = inner.text("is", problems);
    let goto = read_goto("goto", &mut inner, problems);
    inner.refuse_others("a case", problems);
    if goto.is_none() {
        problems.add(line, "`goto` is missing; a step's name, \"next\", \"end\" or \"escalate\"");
    }
    if let Some(pattern) = &pattern
        && let Err(error) = regex::Regex::new(&fill::with_stand_ins(pattern))
    {
        problems.add(line, format!("`says` is no regular expression: {}", bind::regex_reason(&error)));
    }
    let when = match (step, is_met, pattern, param, is) {
        (Some(step), Some(is_met), None, None, None) => Some(When::Met { step, is_met }),
        (Some(step), None, Some(pattern), None, None) => Some(When::Says { step, pattern }),
        (None, None, None, Some(name), Some(is)) => Some(When::Param { name, is }),
        _ => {
            problems.add(
                line,
                "a case is { step = \"…\", met = true }, { step = \"…\", says = \"…\" } or { param = \"…\", is = \"…\" }, each with goto",
            );
            None
        }
    };
    Some(Case { when: when?, goto: goto? })
}

fn read_goto(key: &'static str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Goto> {
    Some(match fields.text(key, problems)?.as_ref() {
        "next" => Goto::Next,
        "end" => Goto::End,
        "escalate" | "stop" => Goto::Escalate,
        step => Goto::Step(Arc::from(step)),
    })
}
