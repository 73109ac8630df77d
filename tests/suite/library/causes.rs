//! Worlds of services, their databases and queues: what the demo's shop has as well, and what looks like it.

use hypocenter::engine::model::CauseKind;

use super::world::{KIND, Kind, decoy, fails, mended, once, says};

const HISTORY: super::world::Answer = says(
    "rollout history",
    &["deployment.apps/payment", "REVISION  CHANGE-CAUSE", "{1-8}         <none>", "{9-40}        <none>"],
);
const FIRST_EVER: super::world::Answer =
    says("rollout history", &["deployment.apps/payment", "REVISION  CHANGE-CAUSE", "1         <none>"]);
const ROLLED_OUT: super::world::Answer = says("rollout status", &["deployment \"payment\" successfully rolled out"]);
const THREE_PODS: super::world::Answer = says(
    "get pods",
    &[
        "NAME                       READY   STATUS    RESTARTS   AGE",
        "payment-7d9f{h}-{h}   1/1     Running   0          {2-40}d",
        "payment-7d9f{h}-{h}   1/1     Running   {0-3}          {2-40}d",
    ],
);

pub const KINDS: &[Kind] = &[
    Kind {
        name: "1 bad deploy",
        runbook: "rollback-deploy",
        cause: CauseKind::BadDeploy,
        answers: &[HISTORY],
        metrics: &[("error_ratio", 0.31, 0.002)],
        worlds: &[
            mended("a rollout before the symptom", &[], &["roll-back"]),
            decoy("the first rollout ever", &[FIRST_EVER]),
            decoy(
                "another kind of workload",
                &[fails(
                    "rollout history",
                    1,
                    &["Error from server (NotFound): deployments.apps \"payment\" not found"],
                )],
            ),
        ],
        ..KIND
    },
    Kind {
        name: "20 bad configuration or flag",
        runbook: "revert-config",
        cause: CauseKind::BadConfig,
        answers: &[HISTORY, ROLLED_OUT],
        metrics: &[("error_ratio", 0.2, 0.003)],
        worlds: &[
            mended("a value in the pod template", &[], &["bring-back"]),
            decoy("edited in place: no revision", &[FIRST_EVER]),
            decoy(
                "another rollout is under way",
                &[fails("rollout status", 1, &["error: timed out waiting for the condition"])],
            ),
        ],
        ..KIND
    },
    Kind {
        name: "2 memory leak",
        runbook: "restart-leaking",
        cause: CauseKind::MemoryLeak,
        answers: &[
            says("top pods", &["NAME   CPU(cores)   MEMORY(bytes)", "payment-6c{h}-{h}   {80-300}m   {900-1900}Mi"]),
            says(
                "get deployment",
                &[
                    "NAME      READY   UP-TO-DATE   AVAILABLE   AGE",
                    "payment   {2-9}/9     9            {2-9}           {3-90}d",
                ],
            ),
        ],
        metrics: &[("memory_used_ratio", 0.95, 0.5)],
        worlds: &[
            mended("memory grows, traffic does not", &[], &["rolling-restart"]),
            decoy("memory grows with the traffic", &[]).with(&[("request_rate", 95.0, 22.0)]),
            decoy("traffic cannot be seen", &[]).with(&[("request_rate", f64::NAN, f64::NAN)]),
            decoy(
                "a single pod",
                &[says(
                    "get deployment",
                    &["NAME      READY   UP-TO-DATE", "payment   1/1     1            1           9d"],
                )],
            ),
            decoy(
                "no pod is ready",
                &[says(
                    "get deployment",
                    &["NAME      READY   UP-TO-DATE", "payment   0/{2-9}     3            0           9d"],
                )],
            ),
        ],
        ..KIND
    },
    Kind {
        name: "3 CPU saturation",
        runbook: "scale-out",
        cause: CauseKind::CpuSaturation,
        answers: &[
            says(
                "get deployment",
                &[
                    "NAME      READY   UP-TO-DATE   AVAILABLE   AGE",
                    "payment   3/3     3            3           {3-90}d",
                ],
            ),
            says("top pods", &["NAME   CPU(cores)   MEMORY(bytes)", "payment-6c{h}-{h}   {900-1900}m   {400-900}Mi"]),
        ],
        metrics: &[("latency_p95", 1.9, 0.12), ("db_connections_used_ratio", 0.5, 0.5)],
        worlds: &[
            mended("the pods are busy", &[], &["double"]),
            mended("no pool is measured", &[], &["double"]).with(&[("db_connections_used_ratio", f64::NAN, f64::NAN)]),
            decoy("its database is at the limit", &[]).with(&[("db_connections_used_ratio", 0.97, 0.97)]),
            decoy(
                "not all pods are ready",
                &[says(
                    "get deployment",
                    &["NAME      READY   UP-TO-DATE", "payment   {0-2}/3     3            2           9d"],
                )],
            ),
            decoy(
                "scaled by somebody already",
                &[says(
                    "get deployment",
                    &["NAME      READY   UP-TO-DATE", "payment   {4-9}/9     9            9           9d"],
                )],
            ),
        ],
        ..KIND
    },
    Kind {
        name: "4 disk filling",
        runbook: "free-disk",
        cause: CauseKind::DiskFull,
        answers: &[says(
            "du -xh",
            &["{2-9}.{0-9}M\t/var/cache", "{2-9}.{0-9}G\t/var/lib", "{12-140}G\t/var/log", "{145-190}G\t/var"],
        )],
        metrics: &[("disk_used_ratio", 0.95, 0.5), ("inodes_used_ratio", 0.3, 0.3)],
        worlds: &[
            mended("logs", &[], &["rotate-logs"]),
            mended("logs, and inodes are not measured", &[], &["rotate-logs"]).with(&[(
                "inodes_used_ratio",
                f64::NAN,
                f64::NAN,
            )]),
            decoy(
                "the data of a database",
                &[says("du -xh", &["{60-150}G\t/var/lib/postgresql", "{100-900}M\t/var/log", "{151-190}G\t/var"])],
            ),
            decoy(
                "a write-ahead log beside small logs",
                &[says("du -xh", &["{60-150}G\t/var/lib/postgresql/pg_wal", "1.{0-9}G\t/var/log", "{151-190}G\t/var"])],
            ),
            decoy("no inodes left", &[]).with(&[("inodes_used_ratio", 0.98, 0.98)]),
        ],
        ..KIND
    },
    Kind {
        name: "4 disk filling, on this machine",
        runbook: "free-machine-disk",
        cause: CauseKind::DiskFull,
        service: "web-1",
        is_machine: true,
        answers: &[
            says("df -h", &["Filesystem  Size  Used Avail Use% Mounted on", "/dev/sda1    40G   38G  1.9G  9{5-8}% /"]),
            says("ls -lhS", &["-rw-r----- 1 root adm {20-90}M Nov 21 10:00 syslog"]),
            says("disk-usage", &["Archived and active journals take up {2-9}.{0-9}G in the file system."]),
        ],
        metrics: &[("disk_used_ratio", 0.96, 0.6)],
        worlds: &[
            mended("the journal", &[], &["shorten-journal"]),
            decoy(
                "a small journal",
                &[says("disk-usage", &["Archived and active journals take up {24-96}.0M in the file system."])],
            ),
        ],
        ..KIND
    },
    Kind {
        name: "5 database connections used up",
        runbook: "release-connections",
        cause: CauseKind::ConnectionsExhausted,
        answers: &[
            says(
                "group by 1, 2",
                &[
                    " application_name |        state        | count",
                    "------------------+---------------------+-------",
                    " payment          | idle in transaction |    {40-90}",
                    " report           | active              |     {1-6}",
                ],
            ),
            says("string_agg", &["none"]),
        ],
        metrics: &[("db_connections_used_ratio", 0.99, 0.4)],
        worlds: &[
            mended("the new version leaks", &[], &["end-idle-sessions", "roll-client-back"]),
            decoy(
                "another client holds them",
                &[says(
                    "group by 1, 2",
                    &[
                        " application_name |        state        | count",
                        " report           | idle in transaction |    {40-90}",
                        " payment          | active              |     {1-6}",
                    ],
                )],
            ),
            decoy(
                "they are all at work",
                &[says(
                    "group by 1, 2",
                    &[" payment          | active |    {60-90}", " payment          | idle   |    {1-9}"],
                )],
            ),
            decoy("a migration runs", &[says("string_agg", &["flyway"])]),
            decoy("a backup runs", &[says("string_agg", &["pg_dump"])]),
            decoy("the database does not answer", &[fails("psql", 2, &["psql: error: connection refused"])]),
        ],
        ..KIND
    },
    Kind {
        name: "6 slow query",
        runbook: "cancel-slow-query",
        cause: CauseKind::SlowQuery,
        service: "orders-db",
        answers: &[
            says(
                "order by 2 desc",
                &[
                    " pid  |     running     | application_name | query",
                    " 41{0-9}{0-9} | 00:0{2-9}:1{0-9}.{100-900} | report           | select * from products p join prices",
                    " 52{0-9}{0-9} | 00:00:00.{100-900} | payment          | select 1",
                ],
            ),
            says("string_agg", &["none"]),
        ],
        metrics: &[("query_p95", 4.0, 0.02)],
        worlds: &[
            mended("one statement reads too much", &[], &["cancel"]),
            mended(
                "for over an hour",
                &[says(
                    "order by 2 desc",
                    &[" 4101 | 0{1-9}:1{0-9}:22.{100-900} | report | update accounts set x = 1"],
                )],
                &["cancel"],
            ),
            decoy(
                "all are quick: the disk is slow",
                &[says(
                    "order by 2 desc",
                    &[
                        " 4101 | 00:00:0{1-9}.{100-900} | payment | select 1",
                        " 4102 | 00:00:{10-59}.{100-900} | payment | select 1",
                    ],
                )],
            ),
            decoy("an index is being built", &[says("string_agg", &["psql"])]),
            decoy("a migration", &[says("string_agg", &["flyway, liquibase"])]),
        ],
        ..KIND
    },
    Kind {
        name: "9 queue backlog",
        runbook: "drain-queue",
        cause: CauseKind::QueueBacklog,
        answers: &[THREE_PODS],
        metrics: &[("queue_depth", 900.0, 20.0)],
        worlds: &[
            mended("consumers hang", &[], &["restart-consumers"]),
            mended("too few consumers", &[], &["restart-consumers", "more-consumers"]).by(&["more-consumers"]),
            decoy(
                "a message ends every consumer",
                &[says("get pods", &["payment-7d9f{h}-{h}   0/1     CrashLoopBackOff   {4-60} (2m ago)   {10-50}m"])],
            ),
            decoy(
                "they were begun anew again and again",
                &[says(
                    "get pods",
                    &[
                        "payment-7d9f{h}-{h}   1/1     Running   {4-9} (40s ago)   {10-50}m",
                        "payment-7d9f{h}-{h}   1/1     Running   0   2d",
                    ],
                )],
            ),
            decoy(
                "one of several fails",
                &[says(
                    "get pods",
                    &[
                        "payment-7d9f{h}-{h}   1/1     Running   0   2d",
                        "payment-7d9f{h}-{h}   0/1     OOMKilled   {1-3}   2d",
                    ],
                )],
            ),
            decoy("there are none", &[says("get pods", &["No resources found in prod namespace."])]),
        ],
        ..KIND
    },
    Kind {
        name: "a service that fails by itself",
        runbook: "restart-service",
        cause: CauseKind::InternalErrors,
        answers: &[THREE_PODS],
        metrics: &[("error_ratio", 0.5, 0.002)],
        worlds: &[
            mended("a deadlock", &[], &["rolling-restart"]),
            decoy(
                "its pods end by themselves",
                &[says("get pods", &["payment-7d9f{h}-{h}   0/1     CrashLoopBackOff   {4-60} (2m ago)   {10-50}m"])],
            ),
            decoy(
                "its image is not found",
                &[says("get pods", &["payment-7d9f{h}-{h}   0/1     ImagePullBackOff   0   {10-50}m"])],
            ),
        ],
        ..KIND
    },
    Kind {
        name: "a database that fails: not restarted so",
        runbook: "restart-service",
        cause: CauseKind::Unavailable,
        service: "orders-db",
        is_never_right: true,
        answers: &[says("get pods", &["orders-db-{h}-{h}   1/1     Running   0          {2-40}d"])],
        metrics: &[("error_ratio", 0.5, 0.002)],
        worlds: &[decoy("it holds data, and nothing is proved", &[])],
        ..KIND
    },
    Kind {
        name: "a unit of this machine",
        runbook: "restart-unit",
        cause: CauseKind::Unavailable,
        service: "nginx",
        is_machine: true,
        departs: Some("unit_up"),
        answers: &[
            says(
                "systemctl show",
                &["ActiveState=failed", "SubState=failed", "Result=exit-code", "ExecMainStatus={1-9}"],
            ),
            says("journalctl", &["Nov 21 10:00:00 web-1 nginx[{100-900}]: exiting"]),
        ],
        metrics: &[("unit_up", 0.0, 1.0)],
        worlds: &[
            mended("it ended", &[], &["restart"]),
            decoy("there is no such unit", &[fails("systemctl show", 1, &["Unit nginx.service could not be found."])]),
        ],
        ..KIND
    },
    Kind {
        name: "13 network policy",
        runbook: "revert-network-policy",
        cause: CauseKind::NetworkPolicy,
        answers: &[says("get networkpolicy", &["kind: NetworkPolicy", "metadata:", "  name: prod-egress-v847"])],
        metrics: &[("error_ratio", 0.6, 0.002)],
        worlds: &[
            mended("it cuts off", &[], &["take-away"]),
            decoy(
                "it is gone already",
                &[fails(
                    "get networkpolicy",
                    1,
                    &["Error from server (NotFound): networkpolicies \"prod-egress-v847\" not found"],
                )],
            ),
        ],
        ..KIND
    },
    Kind {
        name: "7 replication lag",
        runbook: "catch-replica-up",
        cause: CauseKind::SlowQuery,
        service: "orders-db-2",
        labels: &[("alertname", "PostgresReplicationLagHigh")],
        answers: &[
            says("'replica' else 'primary'", &["replica"]),
            says("pg_stat_wal_receiver", &["streaming"]),
            says("pg_is_wal_replay_paused", &["replaying"]),
            says("'held' else 'free'", &["free"]),
        ],
        metrics: &[("replication_lag", 400.0, 0.4)],
        worlds: &[
            mended("replaying is paused", &[says("pg_is_wal_replay_paused", &["paused"])], &["resume-replay"]),
            mended("a report holds it up", &[says("'held' else 'free'", &["held"])], &["cancel-readers"]),
            mended("a bulk job, paused by its owner", &[], &[]).by(&["bulk"]),
            decoy("it is the primary", &[says("'replica' else 'primary'", &["primary"])]),
            decoy("the stream is gone", &[says("pg_stat_wal_receiver", &["gone"])]),
            decoy(
                "the stream is gone and a report runs",
                &[says("pg_stat_wal_receiver", &["gone"]), says("'held' else 'free'", &["held"])],
            ),
            decoy("it writes more than it can replay", &[]).asked(&[("bulk", 1)]),
            decoy("it does not answer", &[fails("psql", 2, &["psql: error: connection refused"])]),
        ],
        ..KIND
    },
    Kind {
        name: "8 primary database down",
        runbook: "promote-replica",
        cause: CauseKind::Unavailable,
        service: "orders-db",
        labels: &[("alertname", "PostgresqlDown"), ("host", "db-2")],
        answers: &[
            fails("pg_isready", 2, &["orders-db:5432 - no response"]),
            once("promote", "'replica' else 'primary' end\"", &["primary"]),
            once("promote", "pg_is_in_recovery() then 'replica'", &["primary"]),
            says("pg_is_in_recovery() then 'replica'", &["replica"]),
            says("pg_last_wal_receive_lsn", &["replayed, last transaction 2026-11-21 1{0-9}:2{0-9}:03.12+00"]),
            says("select count(*)", &["0"]),
            says("left=", &["left=0"]),
            says("pg_promote", &["t"]),
        ],
        metrics: &[("backup_age_seconds", 30_000.0, 30_000.0), ("database_up", 0.0, 1.0)],
        worlds: &[
            mended("it is gone", &[], &["fence", "promote", "repoint"]),
            mended("it is gone, no field is shown", &[says("left=", &["left="])], &["fence", "promote", "repoint"]),
            decoy("it answers from here", &[says("^pg_isready", &["orders-db:5432 - accepting connections"])]),
            decoy("it is starting up", &[fails("^pg_isready", 1, &["orders-db:5432 - rejecting connections"])]),
            decoy("it answers from the replica", &[says("ssh db-2", &["orders-db:5432 - accepting connections"])]),
            decoy(
                "the replica is behind",
                &[says("pg_last_wal_receive_lsn", &["behind, last transaction 2026-11-21 10:20:03.12+00"])],
            ),
            decoy(
                "the replica has never replayed",
                &[says("pg_last_wal_receive_lsn", &["replayed, last transaction unknown"])],
            ),
            decoy("no backup of today", &[]).with(&[("backup_age_seconds", 200_000.0, 200_000.0)]),
            decoy("no word of a backup", &[]).with(&[("backup_age_seconds", f64::NAN, f64::NAN)]),
            decoy("a long transaction", &[says("select count(*)", &["{1-4}"])]),
            decoy("there are two primaries", &[says("pg_is_in_recovery() then 'replica'", &["primary"])]),
            decoy("the old one does not go", &[says("left=", &["left={1-3}"])]).after(&["fence"]),
            decoy("promoting takes too long", &[once("promote", "pg_is_in_recovery() then 'replica'", &["replica"])])
                .after(&["fence", "promote"]),
        ],
        ..KIND
    },
];
