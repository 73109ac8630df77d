//! The live table of anomalies: value against its expected band, how far off, since when, how often, and for the
//! suppressed ones why. Nothing that was suppressed is out of reach.

use std::fmt::Write;
use std::sync::Arc;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::anomaly_text;
use super::canvas::{Canvas, Pen};
use super::chart;
use super::context::ViewContext;
use super::focus;
use super::footer::keys_for;
use super::layout;
use super::list::{self, BETWEEN_PARTS, Entry, Filter, Window};
use super::text;
use super::theme::{self, Role};
use super::ui_state::{RowKey, UiState};
use crate::engine::model::{Anomaly, AnomalyState, human_count};
use crate::engine::snapshot::Snapshot;

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub enum Row<'s> {
    /// The anomaly itself.
    Anomaly(&'s Arc<Anomaly>),
    /// Why the anomaly above it is suppressed.
    Reason(&'s Arc<Anomaly>),
}

/// The lines of the table, in the picture's order.
pub fn entries<'s>(snapshot: &'s Snapshot, ui: &UiState) -> Vec<Entry<Row<'s>>> {
    let filter =
        ui.lists.get(&super::ui_state::Pane::Anomalies).map(|list| Filter::new(&list.filter)).unwrap_or_default();
    let mut entries = Vec::with_capacity(snapshot.anomalies.len());
    for anomaly in &snapshot.anomalies {
        if anomaly.suppressed.is_some() && !ui.shows_suppressed || !passes(&filter, anomaly) {
            continue;
        }
        entries.push(Entry::row(RowKey::Anomaly(anomaly.id), Row::Anomaly(anomaly)));
        if anomaly.suppressed.is_some() {
            entries.push(Entry::fixed(Row::Reason(anomaly)));
        }
    }
    entries
}

fn passes(filter: &Filter, anomaly: &Anomaly) -> bool {
    filter.passes(|row| {
        let instance = anomaly.instance.as_deref().unwrap_or("");
        let template = anomaly.template.as_ref().map_or("", |(_, template)| template);
        for part in [anomaly.service.as_str(), &anomaly.metric, instance, anomaly.severity.word(), template] {
            row.push_str(part);
            row.push(BETWEEN_PARTS);
        }
        if let Some(incident) = anomaly.incident {
            // Writing into a string cannot fail.
            let _ = write!(row, "{incident}");
        }
    })
}

/// The pane's title: how many, and how many are suppressed.
pub fn title(pen: Pen<'_>, ctx: &ViewContext<'_>) -> (Vec<Span<'static>>, Vec<Span<'static>>) {
    let counts = &ctx.snapshot.counts;
    let suppressed = counts.suppressed_anomaly_count;
    let active = counts.active_anomaly_count.saturating_sub(suppressed);
    let mut text = format!("  {} active", human_count(active));
    if suppressed > 0 {
        let state = if ctx.ui.shows_suppressed { "suppressed, shown" } else { "suppressed, hidden" };
        text += &format!(" · {} {state}", human_count(suppressed));
    }
    (vec![pen.span(Role::PaneTitle, "Anomalies"), pen.plain(&text)], Vec::new())
}

/// Where the rows are: under the header.
pub fn list_area(inner: Rect) -> Rect {
    layout::split_top(inner, 1).1
}

/// Draws the table.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) -> Window {
    let entries = entries(ctx.snapshot, ctx.ui);
    if entries.is_empty() {
        empty(canvas, inner, ctx);
        return Window::default();
    }
    let columns = Columns::for_width(usize::from(inner.width).saturating_sub(list::MARKER_WIDTH + 1));
    let header = columns.header(canvas.pen);
    canvas.line(inner, 0, header);
    let (pen, list) = (canvas.pen, ctx.ui.list());
    list::draw(canvas, list_area(inner), &entries, &list, |row, width| match row {
        Row::Anomaly(anomaly) => columns.line(pen, ctx, anomaly),
        Row::Reason(anomaly) => {
            let reason = anomaly.suppressed.as_ref().map(ToString::to_string).unwrap_or_default();
            let text = format!("       suppressed: {reason}");
            Line::from(pen.cell(Role::TextMuted, &text, width))
        }
    })
}

fn empty(canvas: &mut Canvas<'_>, area: Rect, ctx: &ViewContext<'_>) {
    let counts = &ctx.snapshot.counts;
    let mut lines = Vec::new();
    if !ctx.ui.list().filter.trim().is_empty() {
        lines.push(format!("Nothing passes the filter /{}", ctx.ui.list().filter));
    } else if focus::is_waiting(ctx.snapshot) {
        lines.push("Nothing heard yet: waiting for the first answer of the sources.".to_owned());
    } else {
        lines.push(format!("No anomalies: {} series watched.", human_count(counts.series_count)));
    }
    if counts.suppressed_anomaly_count > 0 && !ctx.ui.shows_suppressed {
        let keys = keys_for(ctx.hints, "suppressed").map(|keys| format!(" · {keys} shows them")).unwrap_or_default();
        lines.push(format!("{} suppressed{keys}", human_count(counts.suppressed_anomaly_count)));
    }
    for (row, text) in (1..).zip(lines) {
        let span = canvas.pen.plain(&format!("  {text}"));
        canvas.line(area, row, span);
    }
}

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Severity,
    Subject,
    Service,
    Metric,
    Value,
    Expected,
    Sigma,
    Since,
    Repeats,
    Sparkline,
    Incident,
    Instance,
    Method,
    History,
}

/// The columns that fit, each with its width.
struct Columns(Vec<(Column, usize)>);

impl Columns {
    /// Service and metric share what the figures leave; wider screens add columns, most useful first.
    fn for_width(width: usize) -> Self {
        use Column::{
            Expected, History, Incident, Instance, Method, Metric, Repeats, Service, Severity, Sigma, Since, Sparkline,
            Subject, Value,
        };
        if width < 60 {
            let subject = width.saturating_sub(6 + 1 + 8 + 1 + 4 + 1);
            return Self(vec![(Severity, 6), (Subject, subject), (Value, 8), (Since, 4)]);
        }
        let mut columns =
            vec![(Severity, 6), (Value, 8), (Expected, 11), (Sigma, 4), (Since, 4), (Repeats, 4), (Sparkline, 5)];
        let names_min = if width >= 96 { 42 } else { 30 };
        let used = |columns: &[(Column, usize)]| columns.iter().map(|(_, width)| width + 1).sum::<usize>();
        for (column, wanted) in [(Incident, 8), (Instance, 20), (History, 5), (Method, 38)] {
            if used(&columns) + wanted + 1 + names_min <= width {
                columns.push((column, wanted));
            }
        }
        if let (true, Some(spark)) = (used(&columns) + 10 + names_min <= width, columns.get_mut(6)) {
            spark.1 += 10;
        }
        let names = width.saturating_sub(used(&columns));
        let named = if names >= 42 {
            vec![(Service, names * 2 / 5), (Metric, names - names * 2 / 5 - 1)]
        } else {
            vec![(Subject, names)]
        };
        columns.splice(1..1, named);
        Self(columns)
    }

    fn header(&self, pen: Pen<'_>) -> Line<'static> {
        let mut spans = vec![pen.span(Role::TableHeader, "  ")];
        for (column, width) in &self.0 {
            let (title, is_right) = match column {
                Column::Severity => ("", false),
                Column::Subject => ("service metric", false),
                Column::Service => ("service", false),
                Column::Metric => ("metric", false),
                Column::Value => ("value", true),
                Column::Expected => ("expected", true),
                Column::Sigma => ("off", true),
                Column::Since => ("for", true),
                Column::Repeats => ("seen", true),
                Column::Sparkline => ("trend", false),
                Column::Incident => ("incident", false),
                Column::Instance => ("instance", false),
                Column::Method => ("judged by", false),
                Column::History => ("days", true),
            };
            let cell = if is_right { Pen::cell_right } else { Pen::cell };
            spans.push(cell(&pen, Role::TableHeader, title, *width));
            spans.push(pen.span(Role::TableHeader, " "));
        }
        Line::from(spans)
    }

    fn line(&self, pen: Pen<'_>, ctx: &ViewContext<'_>, anomaly: &Anomaly) -> Line<'static> {
        let mut spans = Vec::with_capacity(self.0.len() * 2);
        for (column, width) in &self.0 {
            match spans.len() {
                0 => {}
                // The gap after the severity says whether other metrics of the service are off too.
                1 => spans.push(pen.span(Role::TextStrong, if is_fused(ctx.snapshot, anomaly) { "⊕" } else { " " })),
                _ => spans.push(Span::raw(" ")),
            }
            spans.extend(cell(pen, ctx, anomaly, *column, *width));
        }
        Line::from(spans)
    }
}

fn cell(pen: Pen<'_>, ctx: &ViewContext<'_>, anomaly: &Anomaly, column: Column, width: usize) -> Vec<Span<'static>> {
    let is_over = anomaly.state == AnomalyState::Ended || anomaly.suppressed.is_some();
    let is_grey = is_over || focus::is_stale(ctx.snapshot, anomaly);
    let role = if is_grey { Role::TextStale } else { Role::Text };
    let right = |role: Role, text: &str| vec![pen.cell_right(role, text, width)];
    let left = |role: Role, text: &str| vec![pen.cell(role, text, width)];
    match column {
        Column::Severity => severity(pen, anomaly, width),
        Column::Subject => subject(pen, anomaly, is_grey, width),
        Column::Service => {
            let role = if is_grey { role } else { Role::TextStrong };
            left(role, anomaly.service.as_str())
        }
        Column::Metric => left(role, &anomaly_text::subject(anomaly)),
        Column::Value => right(role, &anomaly_text::value(anomaly)),
        Column::Expected => {
            let choices = [anomaly_text::expected(anomaly), anomaly_text::edge(anomaly)];
            right(Role::TextMuted, &text::fitting(choices, width, pen.glyphs))
        }
        Column::Sigma => right(role, &anomaly_text::distance(anomaly)),
        Column::Since => right(role, &anomaly_text::since(anomaly, ctx.now)),
        Column::Repeats => right(Role::TextMuted, &text::times(anomaly.repeat_count)),
        Column::Sparkline => {
            let role = if is_grey { role } else { Role::ChartValue };
            left(role, &chart::sparkline(&anomaly.recent, width))
        }
        Column::Incident => left(role, &anomaly.incident.map(|id| id.to_string()).unwrap_or_default()),
        Column::Instance => left(Role::TextMuted, anomaly.instance.as_deref().unwrap_or("")),
        Column::Method => left(Role::TextMuted, anomaly_text::method(anomaly.method)),
        Column::History => right(Role::TextMuted, &format!("{:.0}", anomaly.history_days)),
    }
}

/// Symbol and word; what is over or coming home says so in place of its severity.
fn severity(pen: Pen<'_>, anomaly: &Anomaly, width: usize) -> Vec<Span<'static>> {
    let (role, symbol, word) = match anomaly.state {
        AnomalyState::Ended => (Role::TextMuted, "✓", "over"),
        AnomalyState::Active | AnomalyState::Recovering if anomaly.suppressed.is_some() => {
            let (_, symbol, word) = theme::severity(anomaly.severity);
            (Role::TextMuted, symbol, word)
        }
        AnomalyState::Active | AnomalyState::Recovering => theme::severity(anomaly.severity),
    };
    vec![pen.cell(role, &format!("{symbol} {word}"), width)]
}

/// Service and metric in one column, the service in front.
fn subject(pen: Pen<'_>, anomaly: &Anomaly, is_grey: bool, width: usize) -> Vec<Span<'static>> {
    let (strong, plain) = if is_grey { (Role::TextStale, Role::TextStale) } else { (Role::TextStrong, Role::Text) };
    let rest = format!(" {}", anomaly_text::subject(anomaly));
    // The service may have what the metric leaves, and half of the column in any case.
    let room = width.saturating_sub(text::width(&rest)).max(width / 2);
    let service = text::truncate(anomaly.service.as_str(), room, pen.glyphs);
    let taken = text::width(&service);
    vec![pen.span(strong, &service), pen.cell(plain, &rest, width.saturating_sub(taken))]
}

/// True where the service has several anomalous metrics at once and this is one of them.
fn is_fused(snapshot: &Snapshot, anomaly: &Anomaly) -> bool {
    let compound = snapshot.compounds.iter().find(|compound| compound.service == anomaly.service);
    compound.is_some_and(|compound| compound.members.len() > 1 && compound.members.contains(&anomaly.id))
}
