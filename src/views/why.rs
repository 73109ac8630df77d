//! Why a thing is an anomaly: what was seen, what was expected, from which history, by which rule, and why it is or is not
//! shown.

use ratatui::text::{Line, Span};

use super::anomaly_text;
use super::canvas::Pen;
use super::chart::{self, Dot};
use super::context::ViewContext;
use super::evidence::paragraph;
use super::text;
use super::theme::{self, Role};
use crate::engine::clock::Timestamp;
use crate::engine::model::{Anomaly, AnomalyKind, AnomalyState, DetectionMethod, Unit, human, human_count, human_span};

/// Rows of the chart.
const CHART_HEIGHT: usize = 5;

/// Every line.
pub fn lines(pen: Pen<'_>, ctx: &ViewContext<'_>, anomaly: &Anomaly, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::from(vec![
        pen.badge(theme::severity(anomaly.severity)),
        pen.span(Role::TextStrong, &format!(" {} ", anomaly_text::place(anomaly))),
        pen.plain(&anomaly.metric),
    ])];
    lines.push(Line::default());
    for (label, content) in facts(ctx, anomaly) {
        lines.extend(paragraph(pen, Role::Text, &format!("{label:<11}"), &content, width));
    }
    lines.push(Line::default());
    lines.extend(plot(pen, anomaly, width));
    lines
}

fn facts(ctx: &ViewContext<'_>, anomaly: &Anomaly) -> Vec<(&'static str, String)> {
    let when = |at: Timestamp| {
        let stamp = if at.date() == ctx.now.date() { String::new() } else { format!("{} ", at.date()) };
        format!("{stamp}{}Z ({} ago)", at.hh_mm_ss(), text::age(ctx.now.since_ms(at)))
    };
    let mut facts = Vec::new();
    if let Some((id, template)) = &anomaly.template {
        facts.push(("template", format!("{id} {template}")));
    }
    facts.extend(judged(anomaly));
    facts.push(("judged by", anomaly_text::method(anomaly.method).to_owned()));
    facts.push(("history", format!("{:.0} days", anomaly.history_days)));
    facts.push(("began", when(anomaly.started_at)));
    let last = format!("{}, {} samples outside", when(anomaly.last_seen_at), human_count(anomaly.repeat_count));
    facts.push(("last seen", last));
    facts.extend(match anomaly.state {
        AnomalyState::Active => None,
        AnomalyState::Recovering => Some(("state", "back inside, not yet for long enough".to_owned())),
        AnomalyState::Ended => Some(("state", format!("over since {}", when(anomaly.ended_at.unwrap_or(ctx.now))))),
    });
    if let Some(forecast) = &anomaly.forecast {
        let left = anomaly_text::runs_out(anomaly, ctx.now).unwrap_or_default();
        facts.push(("forecast", format!("reaches {} {left}", human(forecast.limit, anomaly.unit))));
    }
    if let Some(promise) = &anomaly.promise {
        let (told, due) = (when(promise.told_at), when(promise.reached_at));
        facts.push(("first told", format!("{told}: {due} ± {}", human_span(promise.margin_ms))));
        facts.push(("such forecasts", promise.record.to_string()));
        facts.extend(promise.outcome.map(|outcome| ("outcome", outcome.word().to_owned())));
    }
    for contradiction in &anomaly.contradictions {
        facts.push(("contradicts", contradiction.line()));
    }
    let harm = if anomaly.is_harmful { "this direction is bad news" } else { "this direction is no bad news" };
    facts.push(("harm", harm.to_owned()));
    facts.extend(anomaly.incident.map(|incident| ("incident", incident.to_string())));
    let hidden = anomaly.suppressed.as_ref().map(|reason| ("suppressed", reason.to_string()));
    facts.extend(hidden);
    facts
}

/// What was seen and expected; sigmas and what is usual only where history told them.
fn judged(anomaly: &Anomaly) -> [(&'static str, String); 3] {
    let (value, expected) = (anomaly_text::value(anomaly), anomaly_text::expected(anomaly));
    let (usual, peak) = (human(anomaly.expected.centre, anomaly.unit), human(anomaly.peak_value, anomaly.unit));
    let (off, side) = (anomaly_text::distance(anomaly), anomaly_text::direction(anomaly.direction));
    let (seen, expected, peak) = match (anomaly.kind, anomaly.method) {
        _ if anomaly.is_measured_in_sigmas() => (
            format!("{value}, {off} {side} what is expected"),
            format!("{expected}, usually {usual}"),
            format!("{peak}, {} off", anomaly_text::sigma(anomaly.peak_sigma)),
        ),
        (AnomalyKind::Deviation, DetectionMethod::StaticThreshold) if anomaly.unit != Unit::Boolean => {
            (format!("{value}, {}", anomaly.beyond_limit()), format!("{expected}, by the static limit"), peak)
        }
        (AnomalyKind::Absence, _) => (value, format!("{expected}, usually {usual}"), peak),
        _ => (value, expected, peak),
    };
    [("seen", seen), ("expected", expected), ("peak", peak)]
}

/// The last values over the band, the range at the left.
fn plot(pen: Pen<'_>, anomaly: &Anomaly, width: usize) -> Vec<Line<'static>> {
    if anomaly.recent.is_empty() {
        return Vec::new();
    }
    const SCALE_WIDTH: usize = 11;
    let columns = width.saturating_sub(SCALE_WIDTH);
    let shown = anomaly.recent.get(anomaly.recent.len().saturating_sub(columns)..).unwrap_or_default();
    let (low, high) = chart::range(shown, anomaly.expected);
    let rows = chart::plot(shown, anomaly.expected, columns, CHART_HEIGHT);
    let last = rows.len().saturating_sub(1);
    let label = |index: usize| match index {
        0 => human(high, anomaly.unit),
        index if index == last => human(low, anomaly.unit),
        _ => String::new(),
    };
    rows.into_iter()
        .enumerate()
        .map(|(index, dots)| {
            let mut spans = vec![pen.cell(Role::TextMuted, &label(index), SCALE_WIDTH)];
            spans.extend(dots.into_iter().map(|dot| span_of(pen, dot)));
            Line::from(spans)
        })
        .collect()
}

fn span_of(pen: Pen<'_>, dot: Dot) -> Span<'static> {
    let role = match dot {
        Dot::Blank => Role::Text,
        Dot::Band => Role::ChartBand,
        Dot::Inside => Role::ChartValue,
        Dot::Outside => Role::ChartOutside,
    };
    pen.span(role, dot.glyph().encode_utf8(&mut [0; 4]))
}
