//! One incident: what it is, its cause and how sure that is, whom it hits, what comes next, and what happened when.

use std::collections::BTreeSet;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::canvas::{Canvas, Pen};
use super::chart;
use super::context::ViewContext;
use super::evidence;
use super::focus;
use super::footer::keys_for;
use super::layout;
use super::list::{self, Entry, Filter, Window};
use super::text;
use super::theme::{self, Role};
use super::ui_state::{Pane, RowKey, UiState};
use crate::engine::model::{
    Anomaly, AnomalyId, AnomalyState, Hypothesis, Incident, IncidentState, Proposal, Run, RunState, ServiceName,
    Severity, StepEffect, StepState, TimelineEntry, human_span,
};
use crate::engine::snapshot::Snapshot;

/// Columns of the labels in the header.
const LABEL_WIDTH: usize = 12;

/// The timeline, oldest first.
pub fn entries<'s>(snapshot: &'s Snapshot, ui: &UiState) -> Vec<Entry<&'s TimelineEntry>> {
    let Some(incident) = focus::incident(snapshot, ui) else { return Vec::new() };
    let filter = ui.lists.get(&Pane::Incident).map(|list| Filter::new(&list.filter)).unwrap_or_default();
    let mut last = (i64::MIN, 0);
    let mut entries = Vec::with_capacity(incident.timeline.len());
    for entry in &incident.timeline {
        last = if last.0 == entry.at.0 { (last.0, last.1 + 1) } else { (entry.at.0, 0) };
        let service = entry.service.as_ref().map_or("", |service| service.as_str());
        let by = entry.by.as_deref().unwrap_or("");
        if filter.matches(&[theme::timeline(entry.kind).2, &entry.text, service, by]) {
            entries.push(Entry::row(RowKey::Timeline(last.0, last.1), entry));
        }
    }
    entries
}

/// `INC-42  auth-api cannot reach its database` at the left, severity, state, age and owner at the right.
pub fn title(pen: Pen<'_>, ctx: &ViewContext<'_>) -> (Vec<Span<'static>>, Vec<Span<'static>>) {
    let Some(incident) = focus::incident(ctx.snapshot, ctx.ui) else {
        return (vec![pen.span(Role::PaneTitle, "Incident")], Vec::new());
    };
    let end = incident.resolved_at.unwrap_or(ctx.now);
    let age = text::age(end.since_ms(incident.started_at));
    let state = match incident.state {
        IncidentState::Resolved => format!(" resolved after {age} "),
        state => format!(" {} {age} ", state.word()),
    };
    let left = vec![pen.span(Role::PaneTitle, &format!("{}  {}", incident.id, incident.title))];
    let right = vec![
        pen.badge(theme::incident_severity(incident.severity)),
        pen.plain(&state),
        pen.span(Role::PaneBorder, "── "),
        pen.plain(incident.owner.as_deref().unwrap_or("no owner")),
    ];
    (left, right)
}

/// Rows of the header and the rule under it.
fn header_height(inner: Rect, ctx: &ViewContext<'_>) -> u16 {
    let Some(incident) = focus::incident(ctx.snapshot, ctx.ui) else { return 0 };
    let rows = if incident.ranking.cause().is_some() { 5 } else { 6 };
    if inner.height >= rows + 3 { rows } else { inner.height.min(1) }
}

/// The pane, and on a wide screen the evidence beside it.
fn sides(inner: Rect, ctx: &ViewContext<'_>) -> (Rect, Option<Rect>) {
    let has_incident = focus::incident(ctx.snapshot, ctx.ui).is_some();
    layout::split_wide(inner, has_incident && inner.width >= layout::WIDE - 2, 45)
}

/// Where the timeline is.
pub fn list_area(inner: Rect, ctx: &ViewContext<'_>) -> Rect {
    let pane = sides(inner, ctx).0;
    layout::split_top(pane, header_height(pane, ctx)).1
}

/// Draws the pane.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) -> Window {
    let Some(incident) = focus::incident(ctx.snapshot, ctx.ui) else {
        let span = canvas.pen.plain("  No incident is open. Those that are over are listed in Now.");
        canvas.line(inner, 1, span);
        return Window::default();
    };
    let whole = inner;
    let (inner, beside) = sides(whole, ctx);
    if let Some(area) = beside {
        draw_evidence(canvas, area, incident);
    }
    let height = header_height(inner, ctx);
    let padded = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let header = header(canvas.pen, ctx, incident, usize::from(padded.width));
    let shown = usize::from(height.saturating_sub(1).max(1));
    for (row, line) in (0..).zip(header.into_iter().take(shown)) {
        canvas.line(padded, row, line);
    }
    if height > 1 {
        // From the left side of the pane to its right side, or to the evidence's line.
        let width = inner.width + if beside.is_some() { 3 } else { 2 };
        let rule = Rect { x: inner.x.saturating_sub(1), width, ..inner };
        let heading = vec![canvas.pen.span(Role::PaneHeading, "Timeline")];
        canvas.rule(rule, height - 1, ("├", "┤"), heading, Vec::new());
    }
    let entries = entries(ctx.snapshot, ctx.ui);
    let (pen, list, area) = (canvas.pen, ctx.ui.list(), list_area(whole, ctx));
    if entries.is_empty() {
        let span = pen.span(Role::TextMuted, "  Nothing here yet.");
        canvas.line(area, 0, span);
    }
    let window = list::window(&entries.iter().map(|entry| entry.key.as_ref()), &list, usize::from(area.height));
    let visible = entries.iter().skip(window.offset).take(usize::from(area.height));
    let wanted: BTreeSet<AnomalyId> = visible.filter_map(|entry| entry.what.anomaly).collect();
    let anomalies = focus::anomalies(ctx.snapshot, &wanted);
    list::draw(canvas, area, &entries, &list, |entry, width| {
        let anomaly = entry.anomaly.and_then(|id| anomalies.get(&id).copied());
        timeline_line(pen, entry, anomaly, width)
    })
}

/// The evidence for the leading hypothesis, behind a line of its own.
fn draw_evidence(canvas: &mut Canvas<'_>, area: Rect, incident: &Incident) {
    let edge = canvas.pen.span(Role::PaneBorder, "│");
    for row in 0..area.height {
        canvas.line(Rect { width: area.width.min(1), ..area }, row, edge.clone());
    }
    let text = Rect { x: area.x + 2, width: area.width.saturating_sub(3), ..area };
    let lines = evidence::lines(canvas.pen, incident, 0, usize::from(text.width));
    for (row, line) in (0..text.height).zip(lines) {
        canvas.line(text, row, line);
    }
}

fn header(pen: Pen<'_>, ctx: &ViewContext<'_>, incident: &Incident, width: usize) -> Vec<Line<'static>> {
    let mut lines = match incident.ranking.cause() {
        Some(cause) => vec![cause_line(pen, ctx, incident, cause), confidence_line(pen, ctx, cause)],
        None => unresolved_lines(pen, incident),
    };
    lines.push(impact_line(pen, ctx, incident, width));
    lines.push(next_line(pen, ctx, incident));
    lines
}

fn labelled(pen: Pen<'_>, label: &str, spans: Vec<Span<'static>>) -> Line<'static> {
    let mut all = vec![pen.cell(Role::TextMuted, label, LABEL_WIDTH)];
    all.extend(spans);
    Line::from(all)
}

fn cause_line(pen: Pen<'_>, ctx: &ViewContext<'_>, incident: &Incident, cause: &Hypothesis) -> Line<'static> {
    let change = cause.change.and_then(|id| ctx.snapshot.changes.iter().find(|change| change.id == id));
    let when = change.map(|change| match incident.started_at.since_ms(change.notice.at) {
        ms if ms >= 0 => format!(", {} before the onset", human_span(ms)),
        ms => format!(", {} after the onset", human_span(ms)),
    });
    let spans = vec![pen.span(Role::TextStrong, &cause.title), pen.plain(&when.unwrap_or_default())];
    labelled(pen, "Cause", spans)
}

fn confidence_line(pen: Pen<'_>, ctx: &ViewContext<'_>, cause: &Hypothesis) -> Line<'static> {
    let kinds: BTreeSet<_> = cause.evidence_for.iter().map(|evidence| evidence.kind).collect();
    let from = match kinds.len() {
        1 => "from 1 kind of evidence".to_owned(),
        count => format!("from {count} kinds of evidence"),
    };
    let keys = keys_for(ctx.hints, "evidence").map(|keys| format!(" · {keys} to see them")).unwrap_or_default();
    let spans = vec![
        pen.span(Role::TextStrong, &format!("{} % ", cause.confidence.percent())),
        pen.cell(Role::BarFilled, &chart::bar(cause.confidence.get(), 10), 10),
        pen.plain(&format!("  {from}{keys}")),
    ];
    labelled(pen, "Confidence", spans)
}

/// Why no cause is named, the candidates, and what would settle it.
fn unresolved_lines(pen: Pen<'_>, incident: &Incident) -> Vec<Line<'static>> {
    let ranking = &incident.ranking;
    let why = ranking.unresolved.as_deref().unwrap_or("the evidence is still being gathered");
    let spans = vec![pen.span(Role::TextStrong, "not known"), pen.plain(&format!(": {why}"))];
    let mut lines = vec![labelled(pen, "Cause", spans)];
    let candidates: Vec<String> = ranking
        .hypotheses
        .iter()
        .take(3)
        .map(|hypothesis| format!("{} {} %", hypothesis.title, hypothesis.confidence.percent()))
        .collect();
    let candidates = if candidates.is_empty() { "none yet".to_owned() } else { candidates.join(" · ") };
    lines.push(labelled(pen, "Candidates", vec![pen.plain(&candidates)]));
    let settles = ranking.hypotheses.first().map(|hypothesis| hypothesis.disproved_by.as_ref());
    let settles = settles.unwrap_or("a change, a dependency or a resource that explains the first symptom");
    lines.push(labelled(pen, "Settled by", vec![pen.plain(settles)]));
    lines
}

fn impact_line(pen: Pen<'_>, ctx: &ViewContext<'_>, incident: &Incident, width: usize) -> Line<'static> {
    let chain: Vec<&str> = match incident.ranking.hypotheses.first() {
        Some(hypothesis) if !hypothesis.impact_chain.is_empty() => {
            hypothesis.impact_chain.iter().map(ServiceName::as_str).collect()
        }
        _ => incident.services.keys().take(6).map(ServiceName::as_str).collect(),
    };
    let critical = critical_services(ctx.snapshot, incident);
    let services = incident.services.len();
    let counts = format!("{services} service{} · {critical} critical", if services == 1 { "" } else { "s" });
    let left = vec![pen.cell(Role::TextMuted, "Impact", LABEL_WIDTH), pen.plain(&chain.join(" → "))];
    pen.spread(left, vec![pen.plain(&counts)], width)
}

/// Services with something critical in this incident now.
fn critical_services(snapshot: &Snapshot, incident: &Incident) -> usize {
    let is_critical = |anomaly: &&Anomaly| {
        anomaly.incident == Some(incident.id)
            && anomaly.severity == Severity::Critical
            && anomaly.state == AnomalyState::Active
    };
    let anomalies = snapshot.anomalies.iter().map(AsRef::as_ref).filter(is_critical);
    anomalies.map(|anomaly| &anomaly.service).collect::<BTreeSet<_>>().len()
}

/// The run that is under way, else the runbook that fits best, else what remains.
fn next_line(pen: Pen<'_>, ctx: &ViewContext<'_>, incident: &Incident) -> Line<'static> {
    let run = ctx.snapshot.latest_run(incident.id);
    let proposal = ctx.snapshot.proposals.get(&incident.id).and_then(|proposals| proposals.first());
    let text = match (incident.state, run, proposal) {
        (IncidentState::Resolved, ..) => "nothing: it is over".to_owned(),
        (_, Some(run), _) if matches!(run.state, RunState::Active | RunState::Interrupted) => run_text(run),
        (_, _, Some(proposal)) => proposal_text(proposal),
        (_, Some(run), None) => run_text(run),
        (_, None, None) => "no runbook fits; the evidence says where to look".to_owned(),
    };
    labelled(pen, "Next", vec![pen.plain(&text)])
}

fn run_text(run: &Run) -> String {
    let title = &run.runbook.title;
    let Some(current) = run.current_step() else { return format!("5 Runbook: {title} is done") };
    let state = match run.steps.get(current).map(|step| &step.state) {
        Some(StepState::Waiting) => "waits for you",
        Some(StepState::Running { .. }) => "runs",
        Some(StepState::Watching { .. }) => "watches",
        Some(StepState::Failed { .. }) => "failed",
        Some(StepState::Unknown { .. }) => "was interrupted",
        _ => "is next",
    };
    format!("5 Runbook: {title}, step {} of {} {state}", current + 1, run.steps.len())
}

fn proposal_text(proposal: &Proposal) -> String {
    let steps = proposal.steps.len();
    let worst = proposal.steps.iter().map(|step| step.spec.effect).max().unwrap_or(StepEffect::None);
    let reach = match worst {
        StepEffect::None | StepEffect::Read => "only looks",
        StepEffect::Reversible => "reversible",
        StepEffect::Irreversible => "cannot be undone",
    };
    let estimate = human_span(i64::from(proposal.runbook.estimate_seconds) * 1_000);
    format!("5 Runbook: {} ({steps} steps, {reach}, est. {estimate})", proposal.runbook.title)
}

fn timeline_line(pen: Pen<'_>, entry: &TimelineEntry, anomaly: Option<&Anomaly>, width: usize) -> Line<'static> {
    let (role, symbol, word) = theme::timeline(entry.kind);
    let mut left = vec![
        pen.span(Role::TextMuted, &format!("{} ", entry.at.hh_mm_ss())),
        pen.cell(role, &format!("{symbol} {word}"), LABEL_WIDTH + 1),
    ];
    if let Some(service) = entry.service.as_ref().filter(|service| !entry.text.contains(service.as_str())) {
        left.push(pen.plain(&format!("{service} ")));
    }
    left.push(pen.plain(&entry.text));
    let right = match (anomaly, &entry.by) {
        (Some(anomaly), _) => pen.span(Role::ChartValue, &chart::sparkline(&anomaly.recent, 9)),
        (None, Some(by)) => pen.span(Role::TextMuted, by),
        (None, None) => pen.plain(""),
    };
    pen.spread(left, vec![right], width)
}
