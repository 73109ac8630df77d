//! Traces of a made-up system: which operation goes on differently, where time goes, and what is no fault.

use super::Traces;
use super::times::Place;
use crate::engine::root_cause::case::{Case, LogRow, NodeId, Span, SpanRow};
use crate::engine::root_cause::fixtures;
use crate::engine::root_cause::picture::logs::Logs;

/// Builds a case span by span; healthy rows are those of trace numbers below 1000.
#[derive(Default)]
struct Build {
    case: Case,
    next: u64,
}

impl Build {
    fn new() -> Self {
        let mut build = Self::default();
        build.case.detected_at = 1_000.0;
        build.case.incident = Span { start: 700.0, end: 1_060.0 };
        build
    }

    fn span(&mut self, trace: u64, parent: u64, service: &str, op: &str, ts: f64, ms: f64) -> u64 {
        self.next += 1;
        let (node, op) = (self.case.node(service), self.case.op(op));
        let row =
            SpanRow { ts, trace, span: self.next, parent, node, instance: None, op, dur_us: ms * 1e3, is_error: false };
        self.table(trace).1.push(row);
        self.next
    }

    fn line(&mut self, trace: u64, span: u64, service: &str, level: &str, ts: f64, body: &str) {
        let node = self.case.node(service);
        let row = LogRow {
            ts,
            node,
            instance: None,
            level: level.to_owned(),
            trace,
            span,
            body: body.to_owned(),
            attrs: String::new(),
            template: 0,
        };
        self.table(trace).0.push(row);
    }

    fn table(&mut self, trace: u64) -> (&mut Vec<LogRow>, &mut Vec<SpanRow>) {
        let tables = if trace < 1_000 { &mut self.case.healthy } else { &mut self.case.now };
        (&mut tables.logs, &mut tables.spans)
    }

    /// One order: `shop` calls `stock`, which says two lines. `is_broken`: stock ends after the first and shop complains.
    fn order(&mut self, trace: u64, ts: f64, way_ms: f64, is_broken: bool) {
        let shop = self.span(trace, 0, "shop", "POST /order", ts, 40.0 + way_ms);
        self.line(trace, shop, "shop", "INFO", ts + 0.001, "OrderService#10 order received");
        let client = self.span(trace, shop, "shop", "GET", ts + 0.002, 20.0 + way_ms);
        let stock = self.span(trace, client, "stock", "/stock/{id}", ts + 0.003 + way_ms / 2e3, 18.0);
        self.line(trace, stock, "stock", "INFO", ts + 0.004, &format!("StockDao#31 look for item {trace}"));
        if is_broken {
            self.line(trace, shop, "shop", "ERROR", ts + 0.03, "OrderService#18 no stock, order refused");
        } else {
            self.line(trace, stock, "stock", "INFO", ts + 0.01, "StockDao#34 found");
            self.line(trace, shop, "shop", "INFO", ts + 0.03, "OrderService#22 order accepted");
        }
    }

    fn traces(mut self) -> (Traces, Case) {
        self.case.nodes.iter_mut().for_each(|node| node.is_answerable = true);
        fixtures::mine(&mut self.case);
        let traces = Traces::new(&self.case, &Logs::new(&self.case));
        (traces, self.case)
    }
}

fn node(case: &Case, name: &str) -> NodeId {
    case.find(name).unwrap()
}

#[test]
fn the_deepest_operation_that_goes_on_differently_is_to_blame() {
    let mut build = Build::new();
    (0..30).for_each(|nth| build.order(nth, nth as f64, 1.0, false));
    (0..30).for_each(|nth| build.order(1_000 + nth, 800.0 + 5.0 * nth as f64, 1.0, nth % 2 == 1));
    let (traces, case) = build.traces();
    let path = |name: &str| traces.verdicts[node(&case, name)].path;
    assert!(path("stock") > 10.0, "{}", path("stock"));
    assert!(path("shop") == 0.0, "it only reacts: {}", path("shop"));
}

#[test]
fn what_had_stopped_before_the_page_is_not_to_blame() {
    let mut build = Build::new();
    (0..30).for_each(|nth| build.order(nth, nth as f64, 1.0, false));
    (0..30).for_each(|nth| build.order(1_000 + nth, 750.0 + 8.0 * nth as f64, 1.0, nth < 12));
    let (traces, case) = build.traces();
    assert_eq!(traces.verdicts[node(&case, "stock")].path, 0.0);
}

#[test]
fn another_mix_of_usual_ways_is_no_fault() {
    let mut build = Build::new();
    let mut visit = |trace: u64, ts: f64, is_rare: bool| {
        let span = build.span(trace, 0, "shop", "GET /", ts, 10.0);
        build.line(trace, span, "shop", "INFO", ts, "Home#1 visited");
        let next = if is_rare { "Home#5 shows the sale" } else { "Home#9 shows the usual" };
        build.line(trace, span, "shop", "INFO", ts + 0.01, next);
    };
    (0..40).for_each(|nth| visit(nth, nth as f64, nth % 8 == 0));
    (0..40).for_each(|nth| visit(1_000 + nth, 800.0 + nth as f64, nth % 8 != 0));
    let (traces, _) = build.traces();
    assert_eq!(traces.rules, []);
}

#[test]
fn time_on_the_way_to_a_service_is_told_from_time_in_it() {
    let mut build = Build::new();
    (0..20).for_each(|nth| build.order(nth, nth as f64, 1.0, false));
    (0..20).for_each(|nth| build.order(1_000 + nth, 800.0 + 5.0 * nth as f64, 900.0, false));
    let (traces, case) = build.traces();
    let (shop, stock) = (node(&case, "shop"), node(&case, "stock"));
    assert!(traces.verdicts[stock].called > 0.8, "{:?}", traces.verdicts[stock]);
    assert!(traces.verdicts[shop].called < 0.1 && traces.verdicts[stock].own < 0.1);
    let gap = traces.verdicts[stock].worst_gap.map(|at| traces.shifts[at].place);
    assert!(matches!(gap, Some(Place::Gap(caller, callee, _)) if caller == shop && callee == stock));
}

#[test]
fn circles_strangers_and_repeats_are_no_trouble() {
    let mut build = Build::new();
    (0..5).for_each(|nth| build.order(nth, nth as f64, 1.0, false));
    (0..5).for_each(|nth| build.order(1_000 + nth, 800.0 + nth as f64, 1.0, false));
    let twice = build.case.now.spans.clone();
    build.case.now.spans.extend(twice);
    for (span, parent) in [(9_001, 9_002), (9_002, 9_001), (9_003, 9_003), (9_004, 77_777)] {
        let row = SpanRow { span, parent, trace: 5_000, ..build.case.now.spans[0].clone() };
        build.case.now.spans.push(row);
    }
    let (traces, _) = build.traces();
    // Five orders of three spans, the span that names itself, and the one whose parent nobody knows.
    assert_eq!(traces.now.order.len(), 17);
    assert!(traces.rules.is_empty() && traces.blames.is_empty());
    let empty = Case::default();
    assert!(Traces::new(&empty, &Logs::new(&empty)).verdicts.is_empty());
}
