//! Ready-made queries in plain PromQL, in four sets: what the usual exporters offer, under the names that people use.
//!
//! * `red`: rate, errors and duration of services (HTTP and gRPC servers, span metrics) and whether they answer at all;
//! * `use`: utilisation, saturation and errors of machines, containers, processes, databases, queues;
//! * `service_graph`: the edges' metrics of OpenTelemetry and Tempo;
//! * `istio`: the mesh's own metrics.
//!
//! Rates are taken by the server, so that counter resets are its business. A query whose metrics do not exist is never sent. In an
//! expression `{x}` is the first metric it needs, `{s}` the labels of a service, `{i}` those and the instance's, `{w}` the rate's window.

mod resources;

use resources::{containers, databases, machine, processes, queues};

use crate::engine::model::{BadWhen, SeriesRole, Unit};

/// One ready-made query.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadyMade {
    /// Its set.
    pub set: &'static str,
    /// Metric name on the screen.
    pub metric: &'static str,
    /// Metrics that must exist, all of them.
    pub needs: &'static [&'static str],
    /// The expression, with placeholders.
    pub expr: String,
    /// Unit of its values.
    pub unit: Unit,
    /// Which golden signal it is.
    pub role: SeriesRole,
    /// Which direction is bad news.
    pub bad_when: BadWhen,
    /// True where values are far from symmetric.
    pub is_skewed: bool,
    /// The value at which the resource is exhausted.
    pub limit: Option<f64>,
}

/// Names of the sets.
pub const SETS: [&str; 4] = ["red", "use", "service_graph", "istio"];

/// Every ready-made query. Of two that give the same series the first one wins.
#[must_use]
pub fn ready_made() -> Vec<ReadyMade> {
    let mut all = vec![availability("red", "up", &["up"])];
    all.extend(http());
    all.extend(grpc_and_spans());
    all.extend(machine());
    all.extend(containers());
    all.extend(processes());
    all.extend(databases());
    all.extend(queues());
    all.extend(service_graph());
    all.extend(istio());
    all
}

fn query(
    set: &'static str,
    metric: &'static str,
    needs: &'static [&'static str],
    (unit, role, bad_when): (Unit, SeriesRole, BadWhen),
    expr: &str,
) -> ReadyMade {
    let is_skewed = role == SeriesRole::Latency;
    ReadyMade { set, metric, needs, expr: expr.to_owned(), unit, role, bad_when, is_skewed, limit: None }
}

/// A share of something finite: 1 is full.
fn full_at_one(metric: &'static str, needs: &'static [&'static str], expr: &str) -> ReadyMade {
    ReadyMade { limit: Some(1.0), ..query("use", metric, needs, SHARE, expr) }
}

/// Requests a second, from a counter.
fn traffic(set: &'static str, needs: &'static [&'static str], selector: &str) -> ReadyMade {
    query(set, "request_rate", needs, TRAFFIC, &format!("sum by ({{s}}) (rate({{x}}{selector}[{{w}}]))"))
}

/// The share of requests that failed; 0 and not absent while none does. `failed` are selectors of which one fits the exporter.
fn errors(set: &'static str, needs: &'static [&'static str], all: &str, failed: &[&str]) -> ReadyMade {
    let failed: Vec<String> = failed.iter().map(|selector| format!("rate({{x}}{selector}[{{w}}])")).collect();
    let total = format!("sum by ({{s}}) (rate({{x}}{all}[{{w}}]))");
    let expr = format!("(sum by ({{s}}) ({}) or 0 * {total}) / ({total} > 0)", failed.join(" or "));
    query(set, "error_ratio", needs, ERRORS, &expr)
}

/// The 95th percentile of a histogram; `scale` brings its unit to seconds. Comparing with 0 leaves out the NaN of idle services.
fn latency(set: &'static str, needs: &'static [&'static str], selector: &str, scale: &str) -> ReadyMade {
    let expr = format!("histogram_quantile(0.95, sum by ({{s}}, le) (rate({{x}}{selector}[{{w}}]))){scale} >= 0");
    query(set, "latency_p95", needs, (Unit::Seconds, SeriesRole::Latency, BadWhen::High), &expr)
}

/// 1 while something answers.
fn availability(set: &'static str, metric: &'static str, needs: &'static [&'static str]) -> ReadyMade {
    query(set, metric, needs, (Unit::Boolean, SeriesRole::Availability, BadWhen::Low), "min by ({i}) ({x})")
}

const TRAFFIC: (Unit, SeriesRole, BadWhen) = (Unit::PerSecond, SeriesRole::Traffic, BadWhen::Either);
const ERRORS: (Unit, SeriesRole, BadWhen) = (Unit::Ratio, SeriesRole::Errors, BadWhen::High);
const ERROR_RATE: (Unit, SeriesRole, BadWhen) = (Unit::PerSecond, SeriesRole::Errors, BadWhen::High);
const SHARE: (Unit, SeriesRole, BadWhen) = (Unit::Ratio, SeriesRole::Saturation, BadWhen::High);
const WAITING: (Unit, SeriesRole, BadWhen) = (Unit::Count, SeriesRole::Saturation, BadWhen::High);
const FLOW: (Unit, SeriesRole, BadWhen) = (Unit::BytesPerSecond, SeriesRole::Other, BadWhen::Either);

/// The names under which HTTP servers give the status of an answer.
const FAILED: [&str; 4] =
    [r#"{code=~"5.."}"#, r#"{status=~"5.."}"#, r#"{status_code=~"5.."}"#, r#"{http_response_status_code=~"5.."}"#];

fn http() -> Vec<ReadyMade> {
    let mut all = Vec::new();
    for needs in [
        &["http_requests_total"][..],
        &["http_request_duration_seconds_count"],
        &["http_server_requests_seconds_count"],
        &["http_server_request_duration_seconds_count"],
        &["http_server_duration_milliseconds_count"],
    ] {
        all.push(traffic("red", needs, ""));
        all.push(errors("red", needs, "", &FAILED));
    }
    for (needs, scale) in [
        (&["http_request_duration_seconds_bucket"][..], ""),
        (&["http_server_requests_seconds_bucket"], ""),
        (&["http_server_request_duration_seconds_bucket"], ""),
        (&["http_server_duration_milliseconds_bucket"], " / 1000"),
    ] {
        all.push(latency("red", needs, "", scale));
    }
    all.push(query("red", "request_rate", &["nginx_http_requests_total"], TRAFFIC, "sum by ({s}) (rate({x}[{w}]))"));
    all.push(availability("red", "probe_success", &["probe_success"]));
    all
}

fn grpc_and_spans() -> Vec<ReadyMade> {
    const GRPC_FAILED: &str =
        r#"{grpc_code=~"Unknown|DeadlineExceeded|ResourceExhausted|Internal|Unavailable|DataLoss"}"#;
    const SERVED: &str = r#"{span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER"}"#;
    const SPAN_FAILED: &str = r#"{span_kind=~"SPAN_KIND_SERVER|SPAN_KIND_CONSUMER",status_code="STATUS_CODE_ERROR"}"#;
    let mut all = vec![
        traffic("red", &["grpc_server_handled_total"], ""),
        errors("red", &["grpc_server_handled_total"], "", &[GRPC_FAILED]),
        latency("red", &["grpc_server_handling_seconds_bucket"], "", ""),
    ];
    for needs in [&["traces_spanmetrics_calls_total"][..], &["traces_span_metrics_calls_total"]] {
        all.push(traffic("red", needs, SERVED));
        all.push(errors("red", needs, SERVED, &[SPAN_FAILED]));
    }
    for (needs, scale) in [
        (&["traces_spanmetrics_latency_bucket"][..], ""),
        (&["traces_spanmetrics_duration_seconds_bucket"], ""),
        (&["traces_span_metrics_duration_seconds_bucket"], ""),
        (&["traces_span_metrics_duration_milliseconds_bucket"], " / 1000"),
    ] {
        all.push(latency("red", needs, SERVED, scale));
    }
    all
}

fn service_graph() -> Vec<ReadyMade> {
    let server = |expr: &str| format!(r#"label_replace({expr}, "service", "$1", "server", "(.+)")"#);
    let total = "sum by (server) (rate(traces_service_graph_request_total[{w}]))";
    let failed = "sum by (server) (rate(traces_service_graph_request_failed_total[{w}]))";
    vec![
        query("service_graph", "request_rate", &["traces_service_graph_request_total"], TRAFFIC, &server(total)),
        query(
            "service_graph",
            "error_ratio",
            &["traces_service_graph_request_total"],
            ERRORS,
            &server(&format!("({failed} or 0 * {total}) / ({total} > 0)")),
        ),
        query(
            "service_graph",
            "latency_p95",
            &["traces_service_graph_request_server_seconds_bucket"],
            (Unit::Seconds, SeriesRole::Latency, BadWhen::High),
            &server("(histogram_quantile(0.95, sum by (server, le) (rate({x}[{w}]))) >= 0)"),
        ),
    ]
}

fn istio() -> Vec<ReadyMade> {
    const BY: &str = "by (destination_workload, destination_workload_namespace)";
    const TOLD: &str = r#"{reporter="destination",destination_workload!="unknown"}"#;
    let workload = |expr: &str| format!(r#"label_replace({expr}, "service", "$1", "destination_workload", "(.+)")"#);
    let total = format!("sum {BY} (rate(istio_requests_total{TOLD}[{{w}}]))");
    let failed = format!(
        r#"sum {BY} (rate(istio_requests_total{{reporter="destination",destination_workload!="unknown",response_code=~"5..|0"}}[{{w}}]))"#
    );
    let slow = format!(
        "(histogram_quantile(0.95, sum by (destination_workload, destination_workload_namespace, le) (rate({{x}}{TOLD}[{{w}}]))) / 1000 >= 0)"
    );
    vec![
        query("istio", "request_rate", &["istio_requests_total"], TRAFFIC, &workload(&total)),
        query(
            "istio",
            "error_ratio",
            &["istio_requests_total"],
            ERRORS,
            &workload(&format!("({failed} or 0 * {total}) / ({total} > 0)")),
        ),
        query(
            "istio",
            "latency_p95",
            &["istio_request_duration_milliseconds_bucket"],
            (Unit::Seconds, SeriesRole::Latency, BadWhen::High),
            &workload(&slow),
        ),
    ]
}
