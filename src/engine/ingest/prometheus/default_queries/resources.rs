//! The set `use`: machines, containers, processes, databases and queues.

use super::{ERROR_RATE, FLOW, ReadyMade, SHARE, WAITING, availability, full_at_one, query};
use crate::engine::model::{BadWhen, SeriesRole, Unit};

/// The node exporter.
pub(super) fn machine() -> Vec<ReadyMade> {
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
            r#"max by ({i}, device) (rate({x}{device!~"loop.*|z?ram.*|dm-.*|md.*|sr.*"}[{w}]))"#,
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
pub(super) fn containers() -> Vec<ReadyMade> {
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
pub(super) fn processes() -> Vec<ReadyMade> {
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
pub(super) fn databases() -> Vec<ReadyMade> {
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
pub(super) fn queues() -> Vec<ReadyMade> {
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
