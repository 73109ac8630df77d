//! One incident: what it is, its cause and how sure that is, whom it hits, what comes next, and what happened when.

use std::collections::BTreeSet;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::canvas::{Canvas, Pen};
use super::chart;
use super::context::ViewContext;
use super::entry::in_a_line;
use super::evidence;
use super::focus;
use super::footer::keys_for;
use super::layout;
use super::list::{self, Entry, Filter, Window};
use super::people;
use super::text;
use super::theme::{self, Role};
use super::ui_state::{Pane, RowKey, UiState};
use super::updates;
use crate::engine::model::{
    Anomaly, AnomalyId, AnomalyState, Hypothesis, Incident, IncidentState, Proposal, Run, RunState, ServiceName,
    Severity, StepEffect, StepState, TimelineEntry, TimelineKind, human_span,
};
use crate::engine::snapshot::Snapshot;

/// Columns of the labels in the header.
const LABEL_WIDTH: usize = 12;

/// The timeline, oldest first: the newest line is the last, and is followed until another one is selected.
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
    let rows = rows + u16::from(ctx.snapshot.updates_due.contains_key(&incident.id));
    let rows = rows + u16::from(people::is_looked_at(ctx, incident.id));
    // The last three lines of the timeline keep their place; below that the cause alone is told.
    match inner.height.saturating_sub(3) {
        0..=2 => inner.height.min(1),
        room => rows.min(room),
    }
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
        draw_evidence(canvas, ctx, area, incident);
    }
    let height = header_height(inner, ctx);
    let padded = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let mut header = header(canvas.pen, ctx, incident, usize::from(padded.width));
    let shown = usize::from(height.saturating_sub(1).max(1));
    while header.len() > shown {
        // The cause goes last, and what comes next just before it.
        let weakest = if header.len() > 2 { header.len() - 2 } else { 1 };
        header.remove(weakest);
    }
    for (row, line) in (0..).zip(header) {
        canvas.line(padded, row, line);
    }
    if height > 1 {
        let row = Rect { y: inner.y + height - 1, height: 1, ..inner };
        let area = list_area(whole, ctx);
        timeline_heading(canvas, row, beside.is_some(), ctx, usize::from(area.height));
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

/// The rule above the timeline: what happened first, whether or not it is in sight, and how much is out of sight.
fn timeline_heading(canvas: &mut Canvas<'_>, row: Rect, is_beside: bool, ctx: &ViewContext<'_>, height: usize) {
    let pen = canvas.pen;
    let Some(incident) = focus::incident(ctx.snapshot, ctx.ui) else { return };
    let entries = entries(ctx.snapshot, ctx.ui);
    let window = list::window(&entries.iter().map(|entry| entry.key.as_ref()), &ctx.ui.list(), height);
    let is_symptom = |entry: &&TimelineEntry| {
        matches!(entry.kind, TimelineKind::Anomaly | TimelineKind::Alert | TimelineKind::Impact)
    };
    let newer = entries.len().saturating_sub(window.offset + height);
    let out_of_sight = [(window.offset, "↑", "earlier"), (newer, "↓", "newer")];
    let told: Vec<String> = out_of_sight
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, arrow, word)| format!("{arrow} {count} {word}"))
        .collect();
    let right = if told.is_empty() { Vec::new() } else { vec![pen.span(Role::TextMuted, &told.join("  "))] };
    let mut left = vec![pen.span(Role::PaneHeading, "Timeline")];
    if let Some(first) = incident.timeline.iter().find(is_symptom) {
        let at = first.at.hh_mm_ss();
        let service = first.service.as_ref().map(|service| format!(" {service}")).unwrap_or_default();
        let choices =
            [format!("  first symptom {at}{service}"), format!("  first symptom {at}"), format!("  first {at}")];
        let taken = 12 + right.iter().map(Span::width).sum::<usize>();
        let room = usize::from(row.width).saturating_sub(taken);
        left.push(pen.plain(&text::fitting(choices, room, pen.glyphs)));
    }
    // From the left side of the pane to its right side, or to the evidence's line.
    let width = row.width + if is_beside { 3 } else { 2 };
    canvas.rule(Rect { x: row.x.saturating_sub(1), width, ..row }, 0, ("├", "┤"), left, right);
}

/// The evidence for the leading hypothesis, behind a line of its own.
fn draw_evidence(canvas: &mut Canvas<'_>, ctx: &ViewContext<'_>, area: Rect, incident: &Incident) {
    let edge = canvas.pen.span(Role::PaneBorder, "│");
    for row in 0..area.height {
        canvas.line(Rect { width: area.width.min(1), ..area }, row, edge.clone());
    }
    let text = Rect { x: area.x + 2, width: area.width.saturating_sub(3), ..area };
    let lines = evidence::lines(canvas.pen, ctx.snapshot, incident, 0, usize::from(text.width));
    for (row, line) in (0..text.height).zip(lines) {
        canvas.line(text, row, line);
    }
}

fn header(pen: Pen<'_>, ctx: &ViewContext<'_>, incident: &Incident, width: usize) -> Vec<Line<'static>> {
    let mut lines = match incident.ranking.cause() {
        Some(cause) => vec![cause_line(pen, ctx, incident, cause, width), confidence_line(pen, ctx, cause, width)],
        None => unresolved_lines(pen, incident),
    };
    lines.push(impact_line(pen, ctx, incident, width));
    lines.extend(updates::of_incident(pen, ctx, incident.id).map(|spans| labelled(pen, "Update", spans)));
    lines.extend(people::looking_at(pen, ctx, incident.id).map(|spans| labelled(pen, "Here", spans)));
    lines.push(next_line(pen, ctx, incident, width));
    lines
}

fn labelled(pen: Pen<'_>, label: &str, spans: Vec<Span<'static>>) -> Line<'static> {
    let mut all = vec![pen.cell(Role::TextMuted, label, LABEL_WIDTH)];
    all.extend(spans);
    Line::from(all)
}

fn cause_line(
    pen: Pen<'_>,
    ctx: &ViewContext<'_>,
    incident: &Incident,
    cause: &Hypothesis,
    width: usize,
) -> Line<'static> {
    let change = cause.change.and_then(|id| ctx.snapshot.changes.iter().find(|change| change.id == id));
    let when = change.map(|change| match incident.started_at.since_ms(change.notice.at) {
        ms if ms >= 0 => format!(", {} before the onset", human_span(ms)),
        ms => format!(", {} after the onset", human_span(ms)),
    });
    let room = width.saturating_sub(LABEL_WIDTH + text::width(&cause.title));
    let when = text::fitting([when.unwrap_or_default(), String::new()], room, pen.glyphs);
    labelled(pen, "Cause", vec![pen.span(Role::TextStrong, &cause.title), pen.plain(&when)])
}

fn confidence_line(pen: Pen<'_>, ctx: &ViewContext<'_>, cause: &Hypothesis, width: usize) -> Line<'static> {
    const BAR_WIDTH: usize = 10;
    let kinds: BTreeSet<_> = cause.evidence_for.iter().map(|evidence| evidence.kind).collect();
    let kinds = text::counted(kinds.len() as u64, "kind", "kinds");
    let keys = keys_for(ctx.hints, "evidence").map(|keys| format!(" · {keys} to see them")).unwrap_or_default();
    let percent = format!("{} % ", cause.confidence.percent());
    let choices = [
        format!("  from {kinds} of evidence{keys}"),
        format!("  from {kinds} of evidence"),
        format!("  {kinds}"),
        String::new(),
    ];
    let room = width.saturating_sub(LABEL_WIDTH + percent.len() + BAR_WIDTH);
    let spans = vec![
        pen.span(Role::TextStrong, &percent),
        pen.cell(Role::BarFilled, &chart::bar(cause.confidence.get(), BAR_WIDTH), BAR_WIDTH),
        pen.plain(&text::fitting(choices, room, pen.glyphs)),
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
    let services = text::counted(incident.services.len() as u64, "service", "services");
    let counts = [format!("{services} · {critical} critical"), services, String::new()];
    let (chain, counts) = impact(&chain, counts, width.saturating_sub(LABEL_WIDTH + 1), pen);
    let left = vec![pen.cell(Role::TextMuted, "Impact", LABEL_WIDTH), pen.plain(&chain)];
    pen.spread(left, vec![pen.plain(&counts)], width)
}

/// As much of the chain as fits beside the longest count that leaves room for its first three services: the cause end
/// is what counts, the rest is told by its number.
fn impact(chain: &[&str], counts: [String; 3], width: usize, pen: Pen<'_>) -> (String, String) {
    let part = |kept: usize| match chain.len() - kept {
        0 => chain.join(" → "),
        left => format!("{} → {left} more", chain[..kept].join(" → ")),
    };
    let columns = |content: &str| text::width(&text::clean(content, pen.glyphs));
    for counts in counts {
        let least = if counts.is_empty() { 1 } else { 3 };
        let taken = if counts.is_empty() { 0 } else { columns(&counts) + 1 };
        for kept in (least.min(chain.len())..=chain.len()).rev() {
            let chain = part(kept);
            if columns(&chain) + taken <= width {
                return (chain, counts);
            }
        }
    }
    (part(chain.len().min(1)), String::new())
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
fn next_line(pen: Pen<'_>, ctx: &ViewContext<'_>, incident: &Incident, width: usize) -> Line<'static> {
    let run = ctx.snapshot.latest_run(incident.id);
    let proposals = focus::proposals(ctx.snapshot, incident.id);
    let proposal = proposals.first().map(|(proposal, _)| *proposal);
    let keys = keys_for(ctx.hints, "Runbook").map(|keys| format!("{keys} ")).unwrap_or_default();
    let choices = match (incident.state, run, proposal) {
        (IncidentState::Resolved, ..) => vec!["nothing: it is over".to_owned()],
        (_, Some(run), _) if matches!(run.state, RunState::Active | RunState::Interrupted) => run_texts(&keys, run),
        (state, Some(run), _) if run.state == RunState::Succeeded && state != IncidentState::Reopened => {
            let done = "done, watching for recovery";
            vec![format!("{} {}: {done}", run.id, run.runbook.title), format!("{}: {done}", run.id), done.to_owned()]
        }
        (_, _, Some(proposal)) => proposal_texts(&keys, proposal),
        (_, Some(run), None) => run_texts(&keys, run),
        (_, None, None) => {
            ["no runbook fits; the evidence says where to look", "no runbook fits"].map(str::to_owned).into()
        }
    };
    let room = width.saturating_sub(LABEL_WIDTH);
    labelled(pen, "Next", vec![pen.plain(&text::fitting(choices, room, pen.glyphs))])
}

/// What the run waits for, from the whole of it to the least that helps.
fn run_texts(keys: &str, run: &Run) -> Vec<String> {
    let title = &run.runbook.title;
    let Some(current) = run.current_step() else {
        return vec![format!("{keys}Runbook: {title} is done"), format!("{title} is done")];
    };
    let state = match run.steps.get(current).map(|step| &step.state) {
        _ if run.state == RunState::Paused => "is paused",
        Some(StepState::Waiting) => "waits for you",
        Some(StepState::Running { .. }) => "runs",
        Some(StepState::Watching { .. } | StepState::Elapsing { .. }) => "watches",
        _ if run.state == RunState::Stopped => "was stopped",
        Some(StepState::Failed { .. }) => "failed",
        Some(StepState::Unknown { .. }) => "was interrupted",
        _ => "is next",
    };
    let step = format!("step {} of {} {state}", current + 1, run.steps.len());
    vec![format!("{keys}Runbook: {title}, {step}"), format!("{keys}Runbook: {step}"), step]
}

fn proposal_texts(keys: &str, proposal: &Proposal) -> Vec<String> {
    let steps = text::counted(proposal.steps.len() as u64, "step", "steps");
    let worst = proposal.steps.iter().map(|step| step.spec.effect).max().unwrap_or(StepEffect::None);
    let reach = match worst {
        StepEffect::None | StepEffect::Read => "only looks",
        StepEffect::Reversible => "reversible",
        StepEffect::Irreversible => "cannot be undone",
    };
    let estimate = human_span(i64::from(proposal.runbook.estimate_seconds) * 1_000);
    let title = &proposal.runbook.title;
    let head = format!("{keys}Runbook: {title}");
    vec![
        format!("{head} ({steps}, {reach}, est. {estimate})"),
        format!("{head} ({reach}, est. {estimate})"),
        format!("{head} ({reach})"),
        head,
        title.to_string(),
    ]
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
    left.push(pen.plain(&in_a_line(&entry.text)));
    let right = match (anomaly, &entry.by) {
        (Some(anomaly), _) => {
            // A line about the onset keeps the figure of it; only the recovery shows how it ended.
            let is_onset = entry.kind != TimelineKind::Recovery && !anomaly.at_onset.is_empty();
            let values = if is_onset { &anomaly.at_onset } else { &anomaly.recent };
            pen.span(Role::ChartValue, &chart::sparkline(values, 9))
        }
        (None, Some(by)) => pen.span(Role::TextMuted, by),
        (None, None) => pen.plain(""),
    };
    pen.spread(left, vec![right], width)
}
