//! What a language model says beside an answer, line by line: every line marked as its own, what no fact says apart from what is
//! known, and what is struck with the reason.

use std::borrow::Cow;

use super::talk::ModelTalk;
use super::theme::Role;
use crate::engine::ask::answer::Citation;
use crate::engine::ask::assistant::saying::{CheckedSentence, Ended, Verdict};
use crate::engine::model::human_count;

/// Before every line of a model's.
pub const MARK: &str = "  ≈ ";

/// A line of a model's, before it is broken to the width of the screen.
#[derive(Debug, Clone)]
pub struct Said<'s> {
    /// How it is drawn.
    pub role: Role,
    /// What kind of line it is.
    pub label: Cow<'static, str>,
    /// What it says.
    pub text: Cow<'s, str>,
    /// The facts that say so.
    pub citations: &'s [Citation],
}

impl<'s> Said<'s> {
    fn new(role: Role, label: &'static str, text: impl Into<Cow<'s, str>>) -> Self {
        Self { role, label: Cow::Borrowed(label), text: text.into(), citations: &[] }
    }
}

/// What was said so far. While the model writes its lines may still change.
#[must_use]
pub fn said(model: &ModelTalk) -> Vec<Said<'_>> {
    let asked = if model.models.is_empty() { "a model".to_owned() } else { model.models.join(", ") };
    let looks = model.looks.iter().map(|look| Said::new(Role::TextMuted, "looked: ", &**look));
    let mut lines: Vec<Said<'_>> = looks.collect();
    match (&model.ended, &model.failed) {
        (Some(ended), _) => {
            lines.extend(ended.sentences.iter().map(|sentence| of_sentence("", sentence)));
            let steps = ended.draft.iter().flat_map(|draft| &draft.steps);
            lines.extend(steps.map(|step| of_sentence("proposes: ", step)));
            lines.extend(ended.note.iter().map(|note| Said::new(Role::NoticeProblem, "", &**note)));
            lines.push(Said::new(Role::TextMuted, "", format!("{asked}: {}", spent(ended))));
        }
        (None, Some(reason)) => {
            lines.push(Said::new(Role::NoticeProblem, "✗ ", format!("{reason}; the answer above stands")));
        }
        (None, None) if model.text.trim().is_empty() => {
            lines.push(Said::new(Role::TextMuted, "", format!("{asked} is asked")));
        }
        (None, None) => {
            lines.push(Said::new(Role::TextMuted, "", format!("{asked} writes; nothing of it is checked yet")));
            let written = model.text.lines().filter(|line| !line.trim().is_empty());
            lines.extend(written.map(|line| Said::new(Role::TextMuted, "", line)));
        }
    }
    lines
}

fn of_sentence<'s>(label: &str, sentence: &'s CheckedSentence) -> Said<'s> {
    let (role, verdict, text, citations): (_, _, Cow<'s, str>, &[Citation]) = match &sentence.verdict {
        Verdict::Supported { citations } => (Role::Text, "by facts: ", Cow::from(&*sentence.text), citations),
        Verdict::Unchecked => (Role::TextMuted, "no fact: ", Cow::from(&*sentence.text), &[]),
        Verdict::Struck { reason } => {
            (Role::TextStale, "✗ struck: ", Cow::from(format!("{} ({reason})", sentence.text)), &[])
        }
    };
    Said { role, label: Cow::from(format!("{label}{verdict}")), text, citations }
}

fn spent(ended: &Ended) -> String {
    let spent = &ended.spent;
    let usd = spent.cost_usd.map_or("price not configured".to_owned(), |usd| format!("{usd:.4} USD"));
    format!(
        "{} struck · {} tokens in, {} out · {usd} · {:.1} s · {} bytes sent",
        ended.struck_count,
        human_count(spent.tokens_in),
        human_count(spent.tokens_out),
        spent.took_ms as f64 / 1_000.0,
        human_count(spent.bytes_sent)
    )
}
