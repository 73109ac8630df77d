//! The dependency chain as layers of text, from the users' end down to the cause and what it calls; readable without a
//! single box character. Each service carries its health; the selected one names its edges with their age.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::anomaly_text;
use super::canvas::{Canvas, Pen};
use super::context::ViewContext;
use super::focus;
use super::layout;
use super::list::{self, Entry, Filter, Window};
use super::text;
use super::theme::{self, Role};
use super::ui_state::{Pane, RowKey, UiState};
use crate::engine::model::{
    Alert, AlertState, Anomaly, AnomalyState, EdgeFacts, EdgeOrigin, Incident, ServiceName, Severity,
    SuppressionReason, Topology,
};
use crate::engine::snapshot::Snapshot;

/// Calls followed from the cause.
const HOPS_MAX: usize = 8;
/// Rows of the selected service's edges, with the rule above them.
const EDGES_HEIGHT: u16 = 4;

/// Which way along the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To a service that calls this one.
    ToCaller,
    /// To a service that this one calls.
    ToCallee,
}

/// One line of the pane.
#[derive(Debug, Clone)]
pub enum Row {
    /// Above a layer.
    Heading(String),
    /// A service; true for the one where the failure starts.
    Service(ServiceName, bool),
}

/// A layer: its heading and its services.
struct Layer {
    heading: String,
    services: Vec<ServiceName>,
}

/// The lines of the pane in order: the users' end first.
pub fn entries(snapshot: &Snapshot, ui: &UiState) -> Vec<Entry<Row>> {
    let incident = focus::incident(snapshot, ui);
    let start = incident.and_then(|incident| start(incident));
    let filter = ui.lists.get(&Pane::Chain).map(|list| Filter::new(&list.filter)).unwrap_or_default();
    let layers = match (incident, start) {
        (Some(incident), Some(start)) => around(&snapshot.topology, incident, start),
        _ => from_the_top(&snapshot.topology),
    };
    let mut entries = Vec::new();
    for layer in layers {
        let services = layer.services.into_iter().filter(|service| filter.matches(&[service.as_str()]));
        let rows: Vec<Entry<Row>> = services
            .map(|service| {
                let is_start = Some(&service) == start;
                Entry::row(RowKey::Service(service.clone()), Row::Service(service, is_start))
            })
            .collect();
        if !rows.is_empty() {
            entries.push(Entry::heading(Row::Heading(layer.heading)));
            entries.extend(rows);
        }
    }
    entries
}

/// Where the incident starts: with its cause or best candidate, else with the service that failed first.
fn start(incident: &Incident) -> Option<&ServiceName> {
    let candidate = incident.ranking.hypotheses.first().map(|hypothesis| &hypothesis.service);
    candidate.or_else(|| incident.services.iter().min_by_key(|(_, at)| **at).map(|(service, _)| service))
}

/// The row that is selected until another one is: where the failure starts.
pub fn home(snapshot: &Snapshot, ui: &UiState) -> Option<RowKey> {
    start(focus::incident(snapshot, ui)?).cloned().map(RowKey::Service)
}

/// Layers by their distance from the start: callers above, furthest first, then the start, what it calls, and the rest.
fn around(topology: &Topology, incident: &Incident, start: &ServiceName) -> Vec<Layer> {
    let mut by_distance: BTreeMap<Reverse<usize>, Vec<ServiceName>> = BTreeMap::new();
    let dependents = topology.dependents(start, HOPS_MAX);
    for (service, hops) in &dependents {
        by_distance.entry(Reverse(*hops)).or_default().push(service.clone());
    }
    let furthest = by_distance.keys().next().map_or(0, |distance| distance.0);
    let mut layers: Vec<Layer> = by_distance
        .into_iter()
        .map(|(Reverse(hops), services)| {
            let end = if hops == furthest && hops > 1 { ", the users' end" } else { "" };
            let heading = if hops == 1 { "Calls it".to_owned() } else { format!("{hops} calls away{end}") };
            Layer { heading, services }
        })
        .collect();
    let is_cause = incident.ranking.cause().is_some_and(|cause| cause.service == *start);
    let heading = if is_cause { "Cause" } else { "Where it seems to start" };
    layers.push(Layer { heading: heading.to_owned(), services: vec![start.clone()] });
    let below: Vec<ServiceName> = topology.callees(start).map(|(service, _)| service.clone()).collect();
    let is_placed =
        |service: &ServiceName| service == start || dependents.contains_key(service) || below.contains(service);
    let elsewhere = incident.services.keys().filter(|service| !is_placed(service)).cloned().collect();
    let below = below.iter().filter(|service| !dependents.contains_key(*service)).cloned().collect();
    layers.push(Layer { heading: "It calls".to_owned(), services: below });
    layers.push(Layer { heading: "Elsewhere in the incident".to_owned(), services: elsewhere });
    layers
}

/// Without an incident: layers by the calls it takes to get there from the services that nobody calls.
fn from_the_top(topology: &Topology) -> Vec<Layer> {
    let all = topology.services();
    let mut depth: BTreeMap<&ServiceName, usize> = BTreeMap::new();
    let roots = all.iter().filter(|service| topology.callers(service).next().is_none());
    // Whatever hangs on a circle that nobody calls from outside is reached from its first name.
    for root in roots.chain(&all) {
        let mut queue = VecDeque::from([(root, 0)]);
        while let Some((service, hops)) = queue.pop_front() {
            if depth.contains_key(service) {
                continue;
            }
            depth.insert(service, hops);
            queue.extend(topology.callees(service).map(|(callee, _)| (callee, hops + 1)));
        }
    }
    let mut layers: BTreeMap<usize, Vec<ServiceName>> = BTreeMap::new();
    for (service, hops) in depth {
        layers.entry(hops).or_default().push(service.clone());
    }
    let heading = |hops: usize| match hops {
        0 => "Called by nobody here: the users' end".to_owned(),
        1 => "1 call further in".to_owned(),
        hops => format!("{hops} calls further in"),
    };
    layers.into_iter().map(|(hops, services)| Layer { heading: heading(hops), services }).collect()
}

/// The service beside `from` along the calls: of several the one whose anomaly is worst, then the first by name. Only
/// services that the pane lists.
#[must_use]
pub fn neighbour(snapshot: &Snapshot, ui: &UiState, from: &ServiceName, direction: Direction) -> Option<ServiceName> {
    let shown: BTreeSet<ServiceName> = entries(snapshot, ui)
        .into_iter()
        .filter_map(|entry| match entry.what {
            Row::Service(service, _) => Some(service),
            Row::Heading(_) => None,
        })
        .collect();
    let beside: Vec<&ServiceName> = match direction {
        Direction::ToCaller => snapshot.topology.callers(from).collect(),
        Direction::ToCallee => snapshot.topology.callees(from).map(|(service, _)| service).collect(),
    };
    let health = healths(snapshot);
    let badness = |service: &ServiceName| health.get(service).map(|health| health.severity);
    let beside = beside.into_iter().filter(|service| shown.contains(*service));
    beside.min_by_key(|service| Reverse(badness(service))).cloned()
}

/// The worst that is known of a service.
struct Health<'s> {
    severity: Severity,
    anomaly: Option<&'s Anomaly>,
    alert: Option<&'s Alert>,
    count: usize,
}

/// True for what says how a service is doing. What the cause explains is hidden from the list of anomalies, yet the
/// service suffers all the same; what traffic or the calendar explains is no harm.
fn counts(suppressed: Option<&SuppressionReason>) -> bool {
    matches!(suppressed, None | Some(SuppressionReason::DownstreamOf { .. } | SuppressionReason::Folded { .. }))
}

/// Health by service, in one pass over the picture; what is over does not count.
fn healths(snapshot: &Snapshot) -> BTreeMap<&ServiceName, Health<'_>> {
    let mut healths: BTreeMap<&ServiceName, Health<'_>> = BTreeMap::new();
    let alive =
        snapshot.anomalies.iter().filter(|one| one.state != AnomalyState::Ended && counts(one.suppressed.as_ref()));
    for anomaly in alive {
        let found = Health { severity: anomaly.severity, anomaly: Some(anomaly), alert: None, count: 0 };
        let health = healths.entry(&anomaly.service).or_insert(found);
        health.count += 1;
        if anomaly.severity > health.severity {
            (health.severity, health.anomaly) = (anomaly.severity, Some(anomaly.as_ref()));
        }
    }
    let firing = snapshot.alerts.iter().filter(|alert| alert.notice.state == AlertState::Firing);
    for alert in firing.filter(|alert| counts(alert.suppressed.as_ref())) {
        let Some(service) = &alert.notice.service else { continue };
        let found = Health { severity: alert.notice.severity, anomaly: None, alert: Some(alert), count: 0 };
        let health = healths.entry(service).or_insert(found);
        health.count += 1;
        if alert.notice.severity > health.severity {
            (health.severity, health.alert) = (alert.notice.severity, Some(alert.as_ref()));
        }
    }
    healths
}

/// Where the services are: above the edges of the selected one.
pub fn list_area(inner: Rect, ctx: &ViewContext<'_>) -> Rect {
    areas(inner, entries(ctx.snapshot, ctx.ui).len()).0
}

/// The list of so many lines, the row that says how many are out of sight, and the edges.
fn areas(inner: Rect, count: usize) -> (Rect, Option<Rect>, Option<Rect>) {
    let (list, edges) = match inner.height {
        0..12 => (inner, None),
        height => {
            let (list, edges) = layout::split_top(inner, height - EDGES_HEIGHT);
            (list, Some(edges))
        }
    };
    let (list, more) = list::split_more(list, count);
    (list, more, edges)
}

/// Draws the pane.
pub fn draw(canvas: &mut Canvas<'_>, inner: Rect, ctx: &ViewContext<'_>) -> Window {
    let entries = entries(ctx.snapshot, ctx.ui);
    let pen = canvas.pen;
    if entries.is_empty() {
        let text = if ctx.ui.list().filter.trim().is_empty() {
            "  No dependencies known yet: they come from the configuration, or from Istio or service graph metrics."
        } else {
            "  Nothing passes the filter."
        };
        canvas.wrapped(inner, 1, Role::Text, text);
        return Window::default();
    }
    let health = healths(ctx.snapshot);
    let (list, more, edges) = areas(inner, entries.len());
    let window = list::draw(canvas, list, &entries, &ctx.ui.list(), |row, width| match row {
        Row::Heading(heading) => Line::from(pen.span(Role::PaneHeading, heading)),
        Row::Service(service, is_start) => {
            service_line(pen, ctx.snapshot, service, *is_start, health.get(service), width)
        }
    });
    let selected = window.selected.and_then(|index| entries.get(index)).map(|entry| &entry.what);
    if let (Some(Row::Service(service, _)), Some(area)) = (selected, edges) {
        draw_edges(canvas, area, ctx, service);
    }
    if let Some(more) = more {
        list::draw_more(canvas, more, window.offset, list.height, entries.len());
    }
    window
}

fn service_line(
    pen: Pen<'_>,
    snapshot: &Snapshot,
    service: &ServiceName,
    is_start: bool,
    health: Option<&Health<'_>>,
    width: usize,
) -> Line<'static> {
    // The check mark's likeness in ASCII is the word itself.
    let well = if pen.glyphs.is_ascii { "-" } else { "✓" };
    let badge = health.map_or((Role::SeverityOk, well, "ok"), |health| theme::severity(health.severity));
    let mark = if is_start { "◉" } else { " " };
    let role = if is_start { Role::ChainCause } else { Role::TextStrong };
    let name = if width < 60 { 16 } else { 22 };
    let mut left = vec![pen.plain("  "), pen.cell(badge.0, &format!("{} {}", badge.1, badge.2), 6)];
    left.extend([pen.plain(&format!(" {mark} ")), pen.cell(role, service.as_str(), name), pen.plain(" ")]);
    if let Some(health) = health {
        left.push(pen.plain(&worst_text(health)));
    }
    let callees: Vec<&str> = snapshot.topology.callees(service).map(|(callee, _)| callee.as_str()).collect();
    let right = match callees.as_slice() {
        [] => String::new(),
        [one] => format!("→ {one}"),
        [first, rest @ ..] => format!("→ {first} +{}", rest.len()),
    };
    pen.spread(left, vec![pen.span(Role::TextMuted, &right)], width)
}

fn worst_text(health: &Health<'_>) -> String {
    let worst = match (health.anomaly, health.alert) {
        (_, Some(alert)) => format!("alert {}", alert.notice.name),
        (Some(anomaly), None) => {
            let (value, metric) = (anomaly_text::value(anomaly), &anomaly.metric);
            if anomaly.is_measured_in_sigmas() {
                format!("{metric} {value} {}", anomaly_text::distance(anomaly))
            } else {
                format!("{metric} {value}")
            }
        }
        (None, None) => String::new(),
    };
    match health.count {
        0 | 1 => worst,
        count => format!("{worst} and {} more", count - 1),
    }
}

/// The selected service's edges, each with the time since calls were last seen on it.
fn draw_edges(canvas: &mut Canvas<'_>, area: Rect, ctx: &ViewContext<'_>, service: &ServiceName) {
    let pen = canvas.pen;
    let rule = Rect { x: area.x.saturating_sub(1), width: area.width + 2, ..area };
    canvas.rule(rule, 0, ("├", "┤"), vec![pen.span(Role::PaneHeading, service.as_str())], Vec::new());
    let topology = &ctx.snapshot.topology;
    let age = |facts: &EdgeFacts| match facts.origin {
        EdgeOrigin::Configured => "configured".to_owned(),
        EdgeOrigin::Discovered => format!("seen {} ago", text::age(ctx.now.since_ms(facts.seen_at))),
    };
    let calls: Vec<String> =
        topology.callees(service).map(|(callee, facts)| format!("{callee} ({})", age(facts))).collect();
    let called: Vec<String> = topology
        .callers(service)
        .map(|caller| match topology.callees(caller).find(|(callee, _)| *callee == service) {
            Some((_, facts)) => format!("{caller} ({})", age(facts)),
            None => caller.to_string(),
        })
        .collect();
    for (row, label, names) in [(1, "calls", calls), (2, "called by", called)] {
        let names = if names.is_empty() { "nothing known".to_owned() } else { names.join(", ") };
        let spans = vec![pen.cell(Role::TextMuted, &format!("  {label}"), 13), pen.plain(&names)];
        canvas.line(area, row, spans);
    }
}
