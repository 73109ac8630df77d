//! The cause, with what speaks for it and against it, and what else it could have been.

use super::Facts;
use super::markdown::{Page, escape};
use crate::engine::model::{Evidence, Hypothesis};

/// Other candidates that are named.
const OTHERS_MAX: usize = 5;

pub(super) fn write(page: &mut Page, facts: &Facts<'_>) {
    page.heading(2, "Cause");
    let ranking = &facts.incident.ranking;
    let others = match ranking.cause() {
        Some(cause) => {
            page.paragraph(&format!(
                "{}: {}, in {}. Confidence {} %.\n",
                escape(&cause.title),
                cause.kind.title(),
                escape(cause.service.as_str()),
                cause.confidence.percent()
            ));
            page.point(&format!("Said of it by people: {}", verdict(facts)));
            evidence(page, "For it", &cause.evidence_for);
            evidence(page, "Against it", &cause.evidence_against);
            page.point(&format!("What would prove it wrong: {}", or_not_known(&cause.disproved_by)));
            ranking.hypotheses.get(1..).unwrap_or_default()
        }
        None => {
            let why = ranking.unresolved.as_deref().map_or_else(|| "nothing speaks for any".to_owned(), escape);
            page.paragraph(&format!("Not known: {why}.\n"));
            ranking.hypotheses.as_slice()
        }
    };
    let told: Vec<String> = others.iter().take(OTHERS_MAX).map(candidate).collect();
    page.point(&format!("Other candidates: {}", if told.is_empty() { "none".to_owned() } else { told.join("; ") }));
}

/// The last word of a person on the cause, as the log has it.
fn verdict(facts: &Facts<'_>) -> String {
    let id = facts.incident.id;
    let word = facts.audit.iter().rev().find_map(|entry| {
        let rest = entry.text.strip_prefix(&format!("cause of {id} was "))?;
        Some(format!("{} by {}", rest.split(':').next().unwrap_or_default(), escape(&entry.by)))
    });
    word.unwrap_or_else(|| "nothing that the newest entries of the log have".to_owned())
}

fn evidence(page: &mut Page, side: &str, pieces: &[Evidence]) {
    if pieces.is_empty() {
        page.point(&format!("{side}: nothing in the record"));
        return;
    }
    page.point(&format!("{side}:"));
    for piece in pieces {
        page.sub_point(&escape(&piece.text));
    }
}

fn candidate(other: &Hypothesis) -> String {
    format!("{} ({} %)", escape(&other.title), other.confidence.percent())
}

fn or_not_known(text: &str) -> String {
    if text.is_empty() { "not known".to_owned() } else { escape(text) }
}
