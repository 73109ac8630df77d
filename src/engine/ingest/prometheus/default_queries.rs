//! Ready-made queries in plain PromQL, in four sets: what the usual exporters offer, under the names that people use.
//!
//! * `red`: rate, errors and duration of services (HTTP and gRPC servers, span metrics) and whether they answer at all;
//! * `use`: utilisation, saturation and errors of machines, containers, processes, databases, queues;
//! * `service_graph`: the edges' metrics of OpenTelemetry and Tempo;
//! * `istio`: the mesh's own metrics.
//!
//! Rates are taken by the server, so that counter resets are its business. A query whose metrics do not exist is never sent. In an
//! expression `{x}` is the first metric it needs, `{s}` the labels of a service, `{i}` those and the instance's, `{w}` the rate's window.

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

/// The node exporter.
fn machine() -> Vec<ReadyMade> {
    const REAL: &str =
        r#"{fstype!~"tmpfs|ramfs|devtmpfs|overlay|squashfs|iso9660|rootfs|fuse.*|nsfs|proc|sysfs|cgroup.*"}"#;
    const WIRED: &str = r#"{device!~"lo|veth.*|docker.*|br-.*|cali.*|cni.*|flannel.*|lxc.*"}"#;
    let free = |of: &str, all: &str| {
        format!("1 - min by ({{i}}, mountpoint) ({of}{REAL}) / min by ({{i}}, mountpoint) ({all}{REAL} > 0)")
    };
    let mut all = vec![
        query(
            "use",
            "cpu_busy_ratio",
            &["node_cpu_seconds_total"],
            SHARE,
            r#"1 - sum by ({i}) (rate({x}{mode=~"idle|iowait"}[{w}])) / count by ({i}) ({x}{mode="idle"})"#,
        ),
        query(
            "use",
            "cpu_iowait_ratio",
            &["node_cpu_seconds_total"],
            SHARE,
            r#"avg by ({i}) (rate({x}{mode="iowait"}[{w}]))"#,
        ),
        query(
            "use",
            "load_per_core",
            &["node_load1", "node_cpu_seconds_total"],
            WAITING,
            r#"max by ({i}) ({x}) / count by ({i}) (node_cpu_seconds_total{mode="idle"})"#,
        ),
        full_at_one(
            "memory_used_ratio",
            &["node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"],
            "1 - max by ({i}) ({x}) / max by ({i}) (node_memory_MemTotal_bytes)",
        ),
        query(
            "use",
            "swap_used_ratio",
            &["node_memory_SwapFree_bytes", "node_memory_SwapTotal_bytes"],
            SHARE,
            "1 - max by ({i}) ({x}) / (max by ({i}) (node_memory_SwapTotal_bytes) > 0)",
        ),
        full_at_one(
            "disk_used_ratio",
            &["node_filesystem_avail_bytes", "node_filesystem_size_bytes"],
            &free("{x}", "node_filesystem_size_bytes"),
        ),
        full_at_one(
            "inodes_used_ratio",
            &["node_filesystem_files_free", "node_filesystem_files"],
            &free("{x}", "node_filesystem_files"),
        ),
        query(
            "use",
            "disk_busy_ratio",
            &["node_disk_io_time_seconds_total"],
            SHARE,
            r#"max by ({i}, device) (rate({x}{device!~"loop.*|ram.*|dm-.*|sr.*"}[{w}]))"#,
        ),
        query("use", "oom_kills", &["node_vmstat_oom_kill"], ERROR_RATE, "sum by ({i}) (rate({x}[{w}]))"),
    ];
    for (metric, needs) in [
        ("network_rx_bytes_per_second", &["node_network_receive_bytes_total"][..]),
        ("network_tx_bytes_per_second", &["node_network_transmit_bytes_total"]),
    ] {
        all.push(query("use", metric, needs, FLOW, &format!("sum by ({{i}}) (rate({{x}}{WIRED}[{{w}}]))")));
    }
    for (metric, needs) in [
        ("network_rx_errors", &["node_network_receive_errs_total"][..]),
        ("network_tx_errors", &["node_network_transmit_errs_total"]),
    ] {
        all.push(query("use", metric, needs, ERROR_RATE, &format!("sum by ({{i}}) (rate({{x}}{WIRED}[{{w}}]))")));
    }
    for (metric, needs) in [
        ("cpu_pressure_ratio", &["node_pressure_cpu_waiting_seconds_total"][..]),
        ("memory_pressure_ratio", &["node_pressure_memory_waiting_seconds_total"]),
        ("io_pressure_ratio", &["node_pressure_io_waiting_seconds_total"]),
    ] {
        all.push(query("use", metric, needs, SHARE, "max by ({i}) (rate({x}[{w}]))"));
    }
    all
}

/// cAdvisor, the kubelet and kube-state-metrics. Their own labels name the container, which is what people call the service.
fn containers() -> Vec<ReadyMade> {
    const REAL: &str = r#"{container!="",container!="POD"}"#;
    const BY: &str = "by (namespace, pod, container)";
    let named = |from: &str, expr: &str| format!(r#"label_replace({expr}, "service", "$1", "{from}", "(.+)")"#);
    let container = |expr: String| named("container", &expr);
    vec![
        full_at_one(
            "memory_used_ratio",
            &["container_memory_working_set_bytes", "container_spec_memory_limit_bytes"],
            &container(format!("max {BY} ({{x}}{REAL}) / (max {BY} (container_spec_memory_limit_bytes{REAL}) > 0)")),
        ),
        query(
            "use",
            "cpu_used_cores",
            &["container_cpu_usage_seconds_total"],
            WAITING,
            &container(format!("sum {BY} (rate({{x}}{REAL}[{{w}}]))")),
        ),
        query(
            "use",
            "cpu_throttled_ratio",
            &["container_cpu_cfs_throttled_periods_total", "container_cpu_cfs_periods_total"],
            SHARE,
            &container(format!(
                "sum {BY} (rate({{x}}{REAL}[{{w}}])) / (sum {BY} (rate(container_cpu_cfs_periods_total{REAL}[{{w}}])) > 0)"
            )),
        ),
        query(
            "use",
            "container_restarts",
            &["kube_pod_container_status_restarts_total"],
            (Unit::Count, SeriesRole::Errors, BadWhen::High),
            &container(format!("sum {BY} (increase({{x}}[10m]))")),
        ),
        query(
            "use",
            "replicas_unavailable",
            &["kube_deployment_status_replicas_unavailable"],
            (Unit::Count, SeriesRole::Errors, BadWhen::High),
            &named("deployment", "max by (namespace, deployment) ({x})"),
        ),
        query(
            "use",
            "node_ready",
            &["kube_node_status_condition"],
            (Unit::Boolean, SeriesRole::Availability, BadWhen::Low),
            &named("node", r#"max by (node) ({x}{condition="Ready",status="true"})"#),
        ),
        full_at_one(
            "volume_used_ratio",
            &["kubelet_volume_stats_used_bytes", "kubelet_volume_stats_capacity_bytes"],
            &named(
                "persistentvolumeclaim",
                "max by (namespace, persistentvolumeclaim) ({x}) / (max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_capacity_bytes) > 0)",
            ),
        ),
    ]
}

/// What client libraries tell of their own process.
fn processes() -> Vec<ReadyMade> {
    vec![
        query("use", "process_cpu_cores", &["process_cpu_seconds_total"], WAITING, "max by ({i}) (rate({x}[{w}]))"),
        query(
            "use",
            "process_memory_bytes",
            &["process_resident_memory_bytes"],
            (Unit::Bytes, SeriesRole::Saturation, BadWhen::High),
            "max by ({i}) ({x})",
        ),
        full_at_one(
            "file_handles_used_ratio",
            &["process_open_fds", "process_max_fds"],
            "max by ({i}) ({x}) / (max by ({i}) (process_max_fds) > 0)",
        ),
        query(
            "use",
            "process_restarts",
            &["process_start_time_seconds"],
            (Unit::Count, SeriesRole::Other, BadWhen::High),
            "max by ({i}) (changes({x}[{w}]))",
        ),
        query("use", "goroutines", &["go_goroutines"], WAITING, "max by ({i}) ({x})"),
        full_at_one(
            "heap_used_ratio",
            &["jvm_memory_used_bytes", "jvm_memory_max_bytes"],
            r#"sum by ({i}) ({x}{area="heap"}) / (sum by ({i}) (jvm_memory_max_bytes{area="heap"} > 0))"#,
        ),
        full_at_one(
            "db_pool_used_ratio",
            &["hikaricp_connections_active", "hikaricp_connections_max"],
            "sum by ({i}, pool) ({x}) / (sum by ({i}, pool) (hikaricp_connections_max) > 0)",
        ),
        query("use", "db_pool_waiting", &["hikaricp_connections_pending"], WAITING, "sum by ({i}, pool) ({x})"),
        full_at_one(
            "db_pool_used_ratio",
            &["go_sql_in_use_connections", "go_sql_max_open_connections"],
            "sum by ({i}, db_name) ({x}) / (sum by ({i}, db_name) (go_sql_max_open_connections) > 0)",
        ),
    ]
}

/// PostgreSQL, MySQL and Redis exporters.
fn databases() -> Vec<ReadyMade> {
    let lag = (Unit::Seconds, SeriesRole::Saturation, BadWhen::High);
    vec![
        availability("use", "database_up", &["pg_up"]),
        full_at_one(
            "db_connections_used_ratio",
            &["pg_stat_activity_count", "pg_settings_max_connections"],
            "sum by ({i}) ({x}) / max by ({i}) (pg_settings_max_connections)",
        ),
        query("use", "db_longest_transaction", &["pg_stat_activity_max_tx_duration"], lag, "max by ({i}) ({x})"),
        query("use", "replication_lag", &["pg_replication_lag_seconds"], lag, "max by ({i}) ({x})"),
        query("use", "replication_lag", &["pg_replication_lag"], lag, "max by ({i}) ({x})"),
        query("use", "deadlocks", &["pg_stat_database_deadlocks"], ERROR_RATE, "sum by ({i}) (rate({x}[{w}]))"),
        query("use", "rollbacks", &["pg_stat_database_xact_rollback"], ERROR_RATE, "sum by ({i}) (rate({x}[{w}]))"),
        availability("use", "database_up", &["mysql_up"]),
        full_at_one(
            "db_connections_used_ratio",
            &["mysql_global_status_threads_connected", "mysql_global_variables_max_connections"],
            "max by ({i}) ({x}) / max by ({i}) (mysql_global_variables_max_connections)",
        ),
        query(
            "use",
            "slow_queries",
            &["mysql_global_status_slow_queries"],
            ERROR_RATE,
            "sum by ({i}) (rate({x}[{w}]))",
        ),
        availability("use", "cache_up", &["redis_up"]),
        full_at_one(
            "cache_memory_used_ratio",
            &["redis_memory_used_bytes", "redis_memory_max_bytes"],
            "max by ({i}) ({x}) / (max by ({i}) (redis_memory_max_bytes) > 0)",
        ),
        full_at_one(
            "cache_clients_used_ratio",
            &["redis_connected_clients", "redis_config_maxclients"],
            "max by ({i}) ({x}) / (max by ({i}) (redis_config_maxclients) > 0)",
        ),
        query("use", "cache_evictions", &["redis_evicted_keys_total"], ERROR_RATE, "sum by ({i}) (rate({x}[{w}]))"),
        query("use", "cache_clients_blocked", &["redis_blocked_clients"], WAITING, "max by ({i}) ({x})"),
    ]
}

/// Kafka and RabbitMQ.
fn queues() -> Vec<ReadyMade> {
    let skewed = |query: ReadyMade| ReadyMade { is_skewed: true, ..query };
    vec![
        skewed(query(
            "use",
            "consumer_lag",
            &["kafka_consumergroup_lag"],
            WAITING,
            r#"label_replace(sum by (consumergroup, topic) ({x}), "service", "$1", "consumergroup", "(.+)")"#,
        )),
        skewed(query(
            "use",
            "queue_messages_ready",
            &["rabbitmq_queue_messages_ready"],
            WAITING,
            "sum by ({i}, queue) ({x})",
        )),
    ]
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
