//! Is something broken? One line that answers, then open incidents, what is coming, sources in trouble, recent changes
//! and what was lately resolved.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::anomaly_text;
use super::canvas::{Canvas, Pen};
use super::chart;
use super::context::ViewContext;
use super::destinations;
use super::focus;
use super::layout;
use super::list::{self, Entry, Filter, Window};
use super::patch_asides;
use super::sources;
use super::text;
use super::theme::{self, Role};
use super::ui_state::{Pane, RowKey, UiState};
use super::updates;
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    Alert, AlertState, Anomaly, Change, DestinationStatus, EarlyWarning, Incident, IncidentId, IncidentState, Severity,
    SourceReport, SourceState, SuppressionReason, human, human_count, human_span,
};
use crate::engine::snapshot::Snapshot;

/// Alerts of no incident listed here, worst first; all of them are counted, and a filter reaches the others.
const ALERTS_MAX: usize = 8;
/// Changes listed here; all of them are in the log.
const CHANGES_MAX: usize = 5;
/// Resolved incidents listed here.
const RESOLVED_MAX: usize = 5;

/// One line of the pane.
#[derive(Debug, Clone, Copy)]
pub enum Row<'s> {
    /// Above a group.
    Heading(&'static str),
    /// Between groups.
    Blank,
    /// An incident, live or over.
    Incident(&'s Incident),
    /// The cause and the reach of the incident above.
    Cause(&'s Incident),
    /// A firing alert that belongs to no incident.
    Alert(&'s Alert),
    /// A status update that is due.
    Update(IncidentId, Timestamp),
    /// A resource that will run out.
    Prediction(&'s Anomaly),
    /// Signs of a past incident are here again.
    Warning(&'s EarlyWarning),
    /// A source in trouble.
    Source(&'s SourceReport),
    /// A system outside that was not told what it is to be told.
    Destination(&'s DestinationStatus),
    /// Patches past their deadline.
    Overdue,
    /// A change.
    Change(&'s Change),
}

/// The lines of the pane in order.
pub fn entries<'s>(snapshot: &'s Snapshot, ui: &UiState) -> Vec<Entry<Row<'s>>> {
    let filter = ui.lists.get(&Pane::Now).map(|list| Filter::new(&list.filter)).unwrap_or_default();
    let (live, over): (Vec<&Incident>, Vec<&Incident>) = snapshot
        .incidents
        .iter()
        .map(AsRef::as_ref)
        .filter(|incident| incident_passes(&filter, incident))
        .partition(|incident| incident.state.is_live());
    let over = over.into_iter().take(RESOLVED_MAX).map(incident_row).collect::<Vec<_>>();
    let groups = [
        ("Open incidents", live.into_iter().flat_map(live_rows).collect()),
        ("Status updates due", due(snapshot)),
        ("Alerts that are no incident", alerts(snapshot, &filter)),
        ("Coming", coming(snapshot, &filter)),
        (sources_heading(snapshot), sources(snapshot, &filter)),
        ("Not told", untold(snapshot, &filter)),
        ("Patches past their deadline", overdue(snapshot)),
        ("Recent changes", changes(snapshot, &filter)),
        ("Lately resolved", over),
    ];
    let mut entries = Vec::new();
    for (heading, rows) in groups.into_iter().filter(|(_, rows)| !rows.is_empty()) {
        if !entries.is_empty() {
            entries.push(Entry::fixed(Row::Blank));
        }
        entries.push(Entry::heading(Row::Heading(heading)));
        entries.extend(rows);
    }
    entries
}

fn incident_passes(filter: &Filter, incident: &Incident) -> bool {
    let id = incident.id.to_string();
    let severity = incident.severity.to_string();
    let owner = incident.owner.as_deref().unwrap_or("");
    filter.matches(&[&id, &severity, &incident.title, incident.state.word(), owner])
}

fn incident_row(incident: &Incident) -> Entry<Row<'_>> {
    Entry::row(RowKey::Incident(incident.id), Row::Incident(incident))
}

fn live_rows(incident: &Incident) -> [Entry<Row<'_>>; 2] {
    [incident_row(incident), Entry::fixed(Row::Cause(incident))]
}

fn due<'s>(snapshot: &'s Snapshot) -> Vec<Entry<Row<'s>>> {
    updates::due(snapshot).map(|(id, at)| Entry::fixed(Row::Update(id, at))).collect()
}

fn coming<'s>(snapshot: &'s Snapshot, filter: &Filter) -> Vec<Entry<Row<'s>>> {
    let warnings =
        snapshot.warnings.iter().filter(|warning| filter.matches(&[warning.service.as_str(), &warning.title]));
    let warnings = warnings.map(|warning| Entry::row(RowKey::Warning(warning.incident), Row::Warning(warning)));
    let found = snapshot.predictions.iter().filter_map(|id| snapshot.anomaly(*id));
    let predictions = found
        .filter(|anomaly| filter.matches(&[anomaly.service.as_str(), &anomaly.metric]))
        .map(|anomaly| Entry::row(RowKey::Anomaly(anomaly.id), Row::Prediction(anomaly)));
    warnings.chain(predictions).collect()
}

/// Firing alerts of no incident that nobody muted: too mild to open one by themselves, and not to be missed.
fn lone_alerts(snapshot: &Snapshot) -> impl Iterator<Item = &Alert> {
    snapshot.alerts.iter().map(AsRef::as_ref).filter(|alert: &&Alert| {
        let is_muted = matches!(
            alert.suppressed,
            Some(
                SuppressionReason::MutedAtSource { .. }
                    | SuppressionReason::Patching { .. }
                    | SuppressionReason::Operator { .. }
                    | SuppressionReason::Learned { .. }
            )
        );
        let is_live = |id| snapshot.incident(id).is_some_and(|incident| incident.state.is_live());
        alert.notice.state == AlertState::Firing && !is_muted && !alert.incident.is_some_and(is_live)
    })
}

fn alerts<'s>(snapshot: &'s Snapshot, filter: &Filter) -> Vec<Entry<Row<'s>>> {
    let service = |alert: &'s Alert| alert.notice.service.as_ref().map_or("", |service| service.as_str());
    lone_alerts(snapshot)
        .filter(|alert| filter.matches(&[&alert.notice.name, service(alert), &alert.notice.summary]))
        .take(ALERTS_MAX)
        .map(|alert| Entry::fixed(Row::Alert(alert)))
        .collect()
}

fn sources_heading(snapshot: &Snapshot) -> &'static str {
    let is_in_trouble = |state: &SourceState| matches!(state, SourceState::Down { .. } | SourceState::Degraded { .. });
    if snapshot.sources.iter().any(|source| is_in_trouble(&source.state)) {
        "Sources in trouble"
    } else {
        "Sources starting"
    }
}

fn sources<'s>(snapshot: &'s Snapshot, filter: &Filter) -> Vec<Entry<Row<'s>>> {
    let troubled = snapshot.sources.iter().filter(|source| source.state != SourceState::Healthy);
    troubled
        .filter(|source| filter.matches(&[source.source.as_str(), &source.address]))
        .map(|source| Entry::row(RowKey::Source(source.source.as_str().into()), Row::Source(source)))
        .collect()
}

fn untold<'s>(snapshot: &'s Snapshot, filter: &Filter) -> Vec<Entry<Row<'s>>> {
    destinations::troubled(snapshot)
        .filter(|status| filter.matches(&[status.destination.word()]))
        .map(|status| Entry::fixed(Row::Destination(status)))
        .collect()
}

fn overdue<'s>(snapshot: &'s Snapshot) -> Vec<Entry<Row<'s>>> {
    let is_late = snapshot.patches.tally.overdue > 0;
    is_late.then(|| Entry::row(RowKey::OverduePatches, Row::Overdue)).into_iter().collect()
}

fn changes<'s>(snapshot: &'s Snapshot, filter: &Filter) -> Vec<Entry<Row<'s>>> {
    let service = |change: &'s Change| change.notice.service.as_ref().map_or("", |service| service.as_str());
    snapshot
        .changes
        .iter()
        .filter(|change| filter.matches(&[&change.notice.title, service(change)]))
        .take(CHANGES_MAX)
        .map(|change| Entry::row(RowKey::Change(change.id), Row::Change(change)))
        .collect()
}

/// Where the rows are: under the verdict and a blank line.
pub fn list_area(inner: Rect) -> Rect {
    layout::split_top(inner, if inner.height >= 8 { 2 } else { 1 }).1
}

/// Draws the pane.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) -> Window {
    let (role, verdict) = verdict(ctx);
    let spans = vec![canvas.pen.plain(" "), canvas.pen.span(role, &verdict)];
    canvas.line(inner, 0, spans);
    let (pen, list) = (canvas.pen, ctx.ui.list());
    let entries = entries(ctx.snapshot, ctx.ui);
    if entries.is_empty() {
        let area = list_area(inner);
        for (row, text) in (0..).zip(at_rest(ctx)) {
            let span = pen.span(Role::TextMuted, &format!("  {text}"));
            canvas.line(area, row, span);
        }
    }
    list::draw(canvas, list_area(inner), &entries, &list, |row, width| line(pen, ctx, row, width))
}

/// The one line that answers the pane's question.
fn verdict(ctx: &ViewContext<'_>) -> (Role, String) {
    let snapshot = ctx.snapshot;
    let mut live: Vec<&Incident> =
        snapshot.incidents.iter().map(AsRef::as_ref).filter(|incident| incident.state.is_live()).collect();
    live.sort_by_key(|incident| std::cmp::Reverse(incident.severity));
    if let Some(worst) = live.first() {
        let plural = if live.len() == 1 { "incident" } else { "incidents" };
        return (Role::TextStrong, format!("{} {plural} open, worst {}: {}", live.len(), worst.severity, worst.title));
    }
    if focus::is_waiting(snapshot) {
        let text = if snapshot.sources.is_empty() {
            "Cannot tell yet: no source has been heard of".to_owned()
        } else {
            format!("Cannot tell yet: waiting for the first answer of {}", source_names(snapshot))
        };
        return (Role::TextStrong, text);
    }
    if !snapshot.sources.is_empty() && focus::down(snapshot).count() == snapshot.sources.len() {
        return (Role::TextProblem, "Cannot tell: no source answers, what follows is what was last seen".to_owned());
    }
    let services = snapshot.topology.services().len();
    let counts = &snapshot.counts;
    let active = counts.active_anomaly_count.saturating_sub(counts.suppressed_anomaly_count);
    let found = match active {
        0 => "nothing anomalous".to_owned(),
        1 => "1 anomaly that is no incident".to_owned(),
        more => format!("{} anomalies that are no incident", human_count(more)),
    };
    let of = if services > 0 { format!(" of {services} services") } else { String::new() };
    let so_far = if focus::backfill(snapshot).is_some() { " so far" } else { "" };
    let watched = format!("{} series{of} watched", human_count(counts.series_count));
    let text = match lone_alerts(snapshot).count() {
        0 => format!("All quiet{so_far}: {watched}, {found}"),
        1 => format!("No incident{so_far}, 1 alert fires: {watched}, {found}"),
        count => format!("No incident{so_far}, {count} alerts fire: {watched}, {found}"),
    };
    (Role::TextStrong, text)
}

fn source_names(snapshot: &Snapshot) -> String {
    let mut names: Vec<&str> = snapshot.sources.iter().take(4).map(|source| source.source.as_str()).collect();
    if snapshot.sources.len() > 4 {
        names.push("others");
    }
    names.join(", ")
}

/// What there is to say while nothing is listed.
fn at_rest(ctx: &ViewContext<'_>) -> Vec<String> {
    if !ctx.ui.list().filter.trim().is_empty() {
        return vec![format!("Nothing passes the filter /{}", ctx.ui.list().filter)];
    }
    let mut lines = Vec::new();
    for source in &ctx.snapshot.sources {
        let last = source.last_ok_at.map(|at| format!(", last heard {} ago", text::age(ctx.now.since_ms(at))));
        lines.push(format!("✓ {:<12} {} series{}", source.source, source.series_count, last.unwrap_or_default()));
    }
    if focus::is_waiting(ctx.snapshot) {
        lines.push("Baselines need history; the first minutes judge by static thresholds.".to_owned());
    }
    lines
}

fn line(pen: Pen<'_>, ctx: &ViewContext<'_>, row: &Row<'_>, width: usize) -> Line<'static> {
    match row {
        Row::Blank => Line::default(),
        Row::Heading(text) => Line::from(pen.span(Role::PaneHeading, text)),
        Row::Incident(incident) => incident_line(pen, ctx, incident, width),
        Row::Cause(incident) => cause_line(pen, incident, width),
        Row::Alert(alert) => alert_line(pen, ctx, alert, width),
        Row::Prediction(anomaly) => prediction_line(pen, ctx, anomaly, width),
        Row::Warning(warning) => warning_line(pen, ctx, warning, width),
        Row::Source(source) => sources::line(pen, ctx, source, width),
        Row::Update(id, at) => updates::due_line(pen, ctx, *id, *at, width),
        Row::Destination(status) => destinations::line(pen, ctx, status, width),
        Row::Overdue => patch_asides::overdue_line(pen, ctx, width),
        Row::Change(change) => change_line(pen, ctx, change, width),
    }
}

fn incident_line(pen: Pen<'_>, ctx: &ViewContext<'_>, incident: &Incident, width: usize) -> Line<'static> {
    let is_live = incident.state.is_live();
    let badge = theme::incident_severity(incident.severity);
    let badge = if is_live { badge } else { (Role::TextMuted, badge.1, badge.2) };
    let id = pen.span(Role::TextMuted, &format!(" {:<7} ", incident.id.to_string()));
    let title = pen.span(if is_live { Role::TextStrong } else { Role::TextMuted }, &incident.title);
    let age = match incident.resolved_at {
        Some(at) => format!("{} ago", text::age(ctx.now.since_ms(at))),
        None => text::age(ctx.now.since_ms(incident.started_at)),
    };
    let state = if incident.state == IncidentState::Resolved { "" } else { incident.state.word() };
    let owner = incident.owner.as_deref().unwrap_or(if is_live { "no owner" } else { "" });
    let right = [age.as_str(), state, owner].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
    let right = pen.span(if is_live { Role::Text } else { Role::TextMuted }, &right);
    pen.spread(vec![pen.badge(badge), id, title], vec![right], width)
}

fn cause_line(pen: Pen<'_>, incident: &Incident, width: usize) -> Line<'static> {
    let cause = match incident.ranking.cause() {
        Some(cause) => format!("cause: {} ({} %)", cause.title, cause.confidence.percent()),
        None => "cause not known yet".to_owned(),
    };
    let services = text::counted(incident.services.len() as u64, "service", "services");
    let folded = if incident.folded_count > 1 && width >= 90 {
        format!(" · {}", text::counted(incident.folded_count, "signal", "signals"))
    } else {
        String::new()
    };
    let left = vec![pen.plain("       "), pen.plain(&cause)];
    pen.spread(left, vec![pen.span(Role::TextMuted, &format!("{services}{folded}"))], width)
}

fn alert_line(pen: Pen<'_>, ctx: &ViewContext<'_>, alert: &Alert, width: usize) -> Line<'static> {
    let notice = &alert.notice;
    let place = notice.service.as_ref().map_or_else(String::new, |service| format!("{service} "));
    let left = vec![
        pen.badge(theme::severity(notice.severity)),
        pen.span(Role::TextStrong, &format!(" {place}{}", notice.name)),
        pen.plain(&format!("  {}", notice.summary)),
    ];
    let age = text::age(ctx.now.since_ms(notice.starts_at));
    pen.spread(left, vec![pen.span(Role::TextMuted, &age)], width)
}

fn prediction_line(pen: Pen<'_>, ctx: &ViewContext<'_>, anomaly: &Anomaly, width: usize) -> Line<'static> {
    let when = anomaly_text::runs_out(anomaly, ctx.now).unwrap_or_default();
    let limit = anomaly.forecast.map(|forecast| human(forecast.limit, anomaly.unit)).unwrap_or_default();
    let left = vec![
        pen.badge(theme::severity(anomaly.severity)),
        pen.span(Role::TextStrong, &format!(" {}", anomaly.service)),
        pen.plain(&format!(" out of {} ", resource(&anomaly.metric))),
        pen.span(Role::TextStrong, &when),
    ];
    let record = anomaly.promise.map(|promise| promise.record).filter(|record| !record.is_empty());
    let record = record.map(|record| format!("{record}  ")).unwrap_or_default();
    let figures = match width {
        ..90 => String::new(),
        90..110 => format!("{} of {limit} ", human(anomaly.value, anomaly.unit)),
        110.. => format!("{record}{} of {limit} ", human(anomaly.value, anomaly.unit)),
    };
    let spark = pen.span(Role::ChartValue, &chart::sparkline(&anomaly.recent, 8));
    pen.spread(left, vec![pen.span(Role::TextMuted, &figures), spark], width)
}

/// `payment  4 of 5 signs as 62 min before INC-12 payment cannot reach its database`
fn warning_line(pen: Pen<'_>, ctx: &ViewContext<'_>, warning: &EarlyWarning, width: usize) -> Line<'static> {
    let signs = format!("{} of {} signs", warning.signs.len(), warning.sign_count);
    let left = vec![
        pen.badge(theme::severity(Severity::Warning)),
        pen.span(Role::TextStrong, &format!(" {}", warning.service)),
        pen.plain(&format!(" {signs} as {} before ", human_span(warning.lead_ms))),
        pen.span(Role::TextStrong, &warning.incident.to_string()),
        pen.plain(&format!(" {}", warning.title)),
    ];
    let record = if width < 110 { String::new() } else { format!("{}  ", warning.record) };
    let age = format!("{record}{}", text::age(ctx.now.since_ms(warning.since)));
    pen.spread(left, vec![pen.span(Role::TextMuted, &age)], width)
}

/// `memory` for `memory_used`, `disk` for `disk_used_bytes`: what a person says runs out.
fn resource(metric: &str) -> String {
    let end = metric.find("_used").or_else(|| metric.find("_usage")).or_else(|| metric.find("_bytes"));
    metric.get(..end.unwrap_or(metric.len())).unwrap_or(metric).replace('_', " ")
}

fn change_line(pen: Pen<'_>, ctx: &ViewContext<'_>, change: &Change, width: usize) -> Line<'static> {
    let notice = &change.notice;
    let at = text::clock(notice.at, ctx.now);
    let failed = if notice.has_taken_effect { "" } else { " (took no effect)" };
    let left = vec![
        pen.span(Role::TimelineChange, "Δ "),
        pen.span(Role::TextMuted, &format!("{at} ")),
        pen.plain(&format!("{}{failed}", notice.title)),
    ];
    let service = notice.service.as_ref().map_or("", |service| service.as_str());
    let author = notice.author.as_deref().unwrap_or("");
    let right = [service, author].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
    pen.spread(left, vec![pen.span(Role::TextMuted, &right)], width)
}
