//! What a language model says beside an answer: every line marked as its own, what no fact says apart from what is known, and what
//! is struck with the reason.

use ratatui::text::Line;

use super::ask::plain;
use super::canvas::Pen;
use super::talk::ModelTalk;
use super::theme::Role;
use crate::engine::ask::assistant::saying::{CheckedSentence, Ended, Verdict};
use crate::engine::model::human_count;

/// Before every line of a model's.
const MARK: &str = "  ≈ ";

/// The lines of what was said so far.
pub fn lines(pen: Pen<'_>, model: &ModelTalk, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut put =
        |role: Role, label: &str, text: &str| lines.extend(plain(pen, role, &format!("{MARK}{label}"), text, width));
    let asked = if model.models.is_empty() { "a model".to_owned() } else { model.models.join(", ") };
    for look in &model.looks {
        put(Role::TextMuted, "looked: ", look);
    }
    match (&model.ended, &model.failed) {
        (Some(ended), _) => {
            for sentence in &ended.sentences {
                of_sentence(&mut put, "", sentence);
            }
            for step in ended.draft.iter().flat_map(|draft| &draft.steps) {
                of_sentence(&mut put, "proposes: ", step);
            }
            if let Some(note) = &ended.note {
                put(Role::NoticeProblem, "", note);
            }
            put(Role::TextMuted, "", &format!("{asked}: {}", spent(ended)));
        }
        (None, Some(reason)) => {
            put(Role::NoticeProblem, "✗ ", &format!("{reason}; the answer above stands"));
        }
        (None, None) if model.text.trim().is_empty() => put(Role::TextMuted, "", &format!("{asked} is asked")),
        (None, None) => {
            put(Role::TextMuted, "", &format!("{asked} writes; nothing of it is checked yet"));
            for line in model.text.lines().filter(|line| !line.trim().is_empty()) {
                put(Role::TextMuted, "", line);
            }
        }
    }
    lines
}

fn of_sentence(put: &mut impl FnMut(Role, &str, &str), label: &str, sentence: &CheckedSentence) {
    match &sentence.verdict {
        Verdict::Supported { citations } => {
            let sources: Vec<String> = citations.iter().map(ToString::to_string).collect();
            let sources = if sources.is_empty() { String::new() } else { format!(" [{}]", sources.join(", ")) };
            put(Role::Text, &format!("{label}by facts: "), &format!("{}{sources}", sentence.text));
        }
        Verdict::Unchecked => put(Role::TextMuted, &format!("{label}no fact: "), &sentence.text),
        Verdict::Struck { reason } => {
            put(Role::TextStale, &format!("{label}✗ struck: "), &format!("{} ({reason})", sentence.text));
        }
    }
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
