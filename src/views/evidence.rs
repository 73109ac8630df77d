//! The hypotheses of an incident with what speaks for and against each, and what would disprove it.

use ratatui::text::{Line, Span};

use super::canvas::Pen;
use super::chart;
use super::code;
use super::text;
use super::theme::Role;
use crate::engine::model::{Evidence, EvidenceKind, Hypothesis, Incident, ServiceName};
use crate::engine::snapshot::Snapshot;

/// Every line: the ranking, then all about the selected hypothesis.
pub fn lines(
    pen: Pen<'_>,
    snapshot: &Snapshot,
    incident: &Incident,
    selected: usize,
    width: usize,
) -> Vec<Line<'static>> {
    let ranking = &incident.ranking;
    let mut lines = Vec::new();
    if let Some(unresolved) = &ranking.unresolved {
        lines.extend(paragraph(pen, Role::TextStrong, "", &format!("No cause is named: {unresolved}"), width));
    }
    if ranking.hypotheses.is_empty() {
        lines.push(Line::from(pen.plain("No hypothesis yet: the evidence is still being gathered.")));
        return lines;
    }
    let selected = selected.min(ranking.hypotheses.len() - 1);
    for (index, hypothesis) in ranking.hypotheses.iter().enumerate() {
        lines.push(rank_line(pen, index, hypothesis, index == selected));
    }
    if let Some(hypothesis) = ranking.hypotheses.get(selected) {
        lines.extend(about(pen, hypothesis, width));
    }
    if let Some(guess) = snapshot.kind_guesses.get(&incident.id) {
        lines.push(Line::from(pen.span(Role::PaneHeading, "Looks like")));
        lines.extend(paragraph(pen, Role::Text, "  ", &guess.to_string(), width));
    }
    lines
}

fn rank_line(pen: Pen<'_>, index: usize, hypothesis: &Hypothesis, is_selected: bool) -> Line<'static> {
    let marker = if is_selected { "▶" } else { " " };
    let role = if is_selected { Role::SelectionMarker } else { Role::Text };
    let title = if is_selected { Role::TextStrong } else { Role::Text };
    Line::from(vec![
        pen.span(role, marker),
        pen.plain(&format!(" {} {:>3} % ", index + 1, hypothesis.confidence.percent())),
        pen.cell(Role::BarFilled, &chart::bar(hypothesis.confidence.get(), 10), 11),
        pen.span(title, &hypothesis.title),
        pen.span(Role::TextMuted, &format!("  {}", hypothesis.kind.at(&hypothesis.service))),
    ])
}

fn about(pen: Pen<'_>, hypothesis: &Hypothesis, width: usize) -> Vec<Line<'static>> {
    let heading = |text: &str| Line::from(pen.span(Role::PaneHeading, text));
    let mut lines = vec![Line::default(), heading("Speaks for it")];
    lines.extend(pieces(pen, &hypothesis.evidence_for, "nothing yet", width));
    lines.push(heading("Speaks against it"));
    lines.extend(pieces(pen, &hypothesis.evidence_against, "nothing found", width));
    lines.push(heading("Services"));
    let buckets = &hypothesis.buckets;
    for (label, services) in
        [("cause", &buckets.cause), ("failed first", &buckets.first_failure), ("suffers", &buckets.impact)]
    {
        let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
        let names = if names.is_empty() { "no other service".to_owned() } else { names.join(", ") };
        lines.extend(paragraph(pen, Role::Text, &format!("  {label:<13}"), &names, width));
    }
    lines.push(heading("Would be disproved by"));
    lines.extend(paragraph(pen, Role::Text, "  ", &hypothesis.disproved_by, width));
    lines
}

fn pieces(pen: Pen<'_>, evidence: &[Evidence], none: &str, width: usize) -> Vec<Line<'static>> {
    if evidence.is_empty() {
        return vec![Line::from(pen.span(Role::TextMuted, &format!("  {none}")))];
    }
    evidence.iter().flat_map(|one| piece(pen, one, width)).collect()
}

/// `+2.9  applied 7 s before …`: sign and weight (natural-log odds), then the text.
fn piece(pen: Pen<'_>, evidence: &Evidence, width: usize) -> Vec<Line<'static>> {
    let (role, sign) = if evidence.weight < 0.0 { (Role::EvidenceAgainst, "−") } else { (Role::EvidenceFor, "+") };
    let weight = format!("  {sign}{:.1}  ", evidence.weight.abs().min(99.9));
    let (told, quoted) = match evidence.text.split_once(": ") {
        Some((told, quoted)) if evidence.kind == EvidenceKind::Logs => (format!("{told}:"), Some(quoted)),
        _ => (evidence.text.to_string(), None),
    };
    let mut lines = paragraph(pen, Role::Text, &weight, &told, width);
    if let Some(quoted) = quoted {
        let indent = " ".repeat(text::width(&weight));
        lines.extend(code::wrapped(pen, code::Language::of_log(quoted), &indent, quoted, width));
    }
    if let Some(first) = lines.first_mut().and_then(|line| line.spans.first_mut()) {
        *first = pen.span(role, &weight);
    }
    lines
}

/// Text wrapped behind a label, the following lines indented to match.
pub fn paragraph(pen: Pen<'_>, role: Role, label: &str, content: &str, width: usize) -> Vec<Line<'static>> {
    let indent = text::width(&text::clean(label, pen.glyphs));
    let wrapped = text::wrap(content, width.saturating_sub(indent), pen.glyphs);
    let line = |(index, line): (usize, String)| {
        let head = if index == 0 { pen.span(Role::TextMuted, label) } else { Span::raw(" ".repeat(indent)) };
        Line::from(vec![head, pen.span(role, &line)])
    };
    wrapped.into_iter().enumerate().map(line).collect()
}
