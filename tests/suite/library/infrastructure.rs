//! Worlds of what lies between services: caches, names, certificates, zones, load, third parties.

use hypocenter::engine::model::CauseKind;

use super::world::{Answer, KIND, Kind, decoy, fails, mended, once, says};

const ROLLED_OUT: Answer = says("rollout status", &["deployment \"coredns\" successfully rolled out"]);
const EXPIRED: Answer = fails("curl", 60, &["curl: (60) SSL certificate problem: certificate has expired"]);
const ACCEPTED: Answer = once("reload", "curl", &[]);

pub const KINDS: &[Kind] = &[
    Kind {
        name: "10 cache cold or too small",
        runbook: "refill-cache",
        cause: CauseKind::InternalLatency,
        service: "sessions",
        labels: &[("alertname", "CacheHitRatioLow")],
        answers: &[
            says("ping", &["PONG"]),
            says(
                "info server",
                &["# Server", "redis_version:7.2.4", "uptime_in_seconds:{20000-900000}", "uptime_in_days:{1-9}"],
            ),
            says("config get", &["maxmemory", "2147483648"]),
        ],
        metrics: &[("latency_p95", 1.4, 0.05), ("cache_memory_used_ratio", 0.995, 0.995)],
        worlds: &[
            mended("restarted and cold", &[says("info server", &["uptime_in_seconds:{20-900}"])], &["fill"]),
            mended("too small", &[], &["more-memory"]),
            decoy("neither cold nor full", &[]).with(&[("cache_memory_used_ratio", 0.5, 0.5)]),
            decoy("another limit than is known", &[says("config get", &["maxmemory", "4294967296"])]),
            decoy("it does not answer", &[fails("ping", 1, &["Could not connect to Redis at sessions:6379"])]),
            decoy("it wants a password", &[says("ping", &["NOAUTH Authentication required."])]),
            decoy(
                "there is no job to fill it",
                &[
                    says("info server", &["uptime_in_seconds:{20-900}"]),
                    fails("create job", 1, &["Error from server (NotFound): cronjobs.batch not found"]),
                ],
            )
            .after(&["fill"]),
        ],
        ..KIND
    },
    Kind {
        name: "11 names are not found",
        runbook: "mend-dns",
        cause: CauseKind::InternalErrors,
        labels: &[("alertname", "CoreDNSErrorsHigh")],
        answers: &[
            fails("kubernetes.default.svc", 2, &[]),
            fails("example.com", 2, &[]),
            ROLLED_OUT,
            says("kubectl logs", &["[INFO] 10.0.{0-9}.{1-9}:4{1000-9000} - {100-900} \"A IN x. udp\" NOERROR"]),
        ],
        metrics: &[("error_ratio", 0.5, 0.002)],
        worlds: &[
            mended("too few servers", &[], &["more-servers"]),
            mended(
                "servers hang",
                &[fails("rollout status", 1, &["error: timed out waiting for the condition"])],
                &["restart-servers"],
            ),
            decoy(
                "the servers above fail",
                &[says("kubernetes.default.svc", &["10.96.0.1       kubernetes.default.svc.cluster.local"])],
            ),
            decoy(
                "all names are found",
                &[
                    says("kubernetes.default.svc", &["10.96.0.1       kubernetes"]),
                    says("example.com", &["93.184.215.14   example.com"]),
                ],
            ),
            decoy(
                "their configuration is refused",
                &[
                    fails("rollout status", 1, &["error: timed out waiting for the condition"]),
                    says(
                        "kubectl logs",
                        &["/etc/coredns/Corefile:{2-30} - Error during parsing: Unknown directive 'forwrad'"],
                    ),
                ],
            ),
        ],
        ..KIND
    },
    Kind {
        name: "12 certificate ends",
        runbook: "renew-certificate",
        cause: CauseKind::Unavailable,
        labels: &[("alertname", "CertificateExpirySoon"), ("certificate", "shop-tls"), ("domain", "shop.example.com")],
        answers: &[
            EXPIRED,
            ACCEPTED,
            says(
                "cmctl status",
                &[
                    "Name: shop-tls",
                    "Conditions:",
                    "  Ready: False, Reason: Expired",
                    "Not After: 2026-11-2{0-1}T00:00:00Z",
                ],
            ),
            fails("--timeout=2s", 1, &["error: timed out waiting for the condition on certificates/shop-tls"]),
            says("--timeout=150s", &["certificate.cert-manager.io/shop-tls condition met"]),
        ],
        metrics: &[("error_ratio", 0.9, 0.002)],
        worlds: &[
            mended("it has ended", &[], &["renew", "reload"]),
            mended("it ends soon", &[says("curl", &[])], &["renew", "reload"]),
            mended("a new one is there and not served", &[says("--timeout=2s", &["condition met"])], &["reload"]),
            decoy(
                "the issuer refuses for too many requests",
                &[says(
                    "cmctl status",
                    &[
                        "Conditions:",
                        "  429 urn:ietf:params:acme:error:rateLimited: too many certificates already issued",
                    ],
                )],
            ),
            decoy(
                "it is for another name",
                &[fails(
                    "curl",
                    60,
                    &["curl: (60) SSL: no alternative certificate subject name matches target host name"],
                )],
            ),
            decoy(
                "a clock is wrong",
                &[fails("curl", 60, &["curl: (60) SSL certificate problem: certificate is not yet valid"])],
            ),
            decoy(
                "it is self-signed",
                &[fails("curl", 60, &["curl: (60) SSL certificate problem: self-signed certificate"])],
            ),
            decoy("nobody listens there", &[fails("curl", 7, &["curl: (7) Failed to connect: Connection refused"])]),
            decoy(
                "the challenge fails",
                &[fails("--timeout=150s", 1, &["error: timed out waiting for the condition"])],
            )
            .after(&["renew"]),
            decoy("clients still refuse it", &[EXPIRED, fails("^curl", 60, &["certificate has expired"])])
                .after(&["renew", "reload"]),
        ],
        ..KIND
    },
    Kind {
        name: "13 zone cut off",
        runbook: "drain-zone",
        cause: CauseKind::NetworkPolicy,
        labels: &[("alertname", "ZonePacketLoss"), ("zone", "eu-1b"), ("instance", "node-b1"), ("peer", "node-c1")],
        answers: &[
            says("node-b1", &["20 packets transmitted, {3-14} received, {30-85}% packet loss, time 4{100-900}ms"]),
            says("node-c1", &["20 packets transmitted, 20 received, 0% packet loss, time 3{100-900}ms"]),
            says("zone!=eu-1b", &["True True True True"]),
        ],
        metrics: &[("error_ratio", 0.3, 0.002)],
        worlds: &[
            mended("half of the packets are lost", &[], &["drain"]),
            mended(
                "all are lost",
                &[fails("node-b1", 1, &["20 packets transmitted, 0 received, 100% packet loss, time 4100ms"])],
                &["drain"],
            ),
            mended(
                "one in ten is lost",
                &[says("node-b1", &["20 packets transmitted, 18 received, 10% packet loss, time 4100ms"])],
                &["drain"],
            ),
            decoy(
                "every zone loses",
                &[says("node-c1", &["20 packets transmitted, 9 received, 55% packet loss, time 4100ms"])],
            ),
            decoy(
                "none loses",
                &[says("node-b1", &["20 packets transmitted, 20 received, 0% packet loss, time 3800ms"])],
            ),
            decoy("another zone has a machine out", &[says("zone!=eu-1b", &["True True False"])]),
            decoy("the others have no room", &[]).asked(&[("capacity", 1)]),
        ],
        ..KIND
    },
    Kind {
        name: "14 overload, retry storm",
        runbook: "limit-overload",
        cause: CauseKind::Overload,
        labels: &[("alertname", "RetryStorm")],
        metrics: &[("latency_p95", 4.0, 0.1), ("request_rate", 160.0, 22.0), ("retry_ratio", 0.6, 0.01)],
        worlds: &[
            mended("a storm of retries", &[], &["limit"]),
            mended("customers", &[], &["more-pods"]).with(&[("retry_ratio", 0.01, 0.01)]),
            decoy("no more than usual: it became slower", &[]).with(&[("request_rate", 22.0, 22.0)]),
            decoy("nobody counts retries", &[]).with(&[("retry_ratio", f64::NAN, f64::NAN)]),
            decoy(
                "a limit is set already",
                &[fails(
                    "kubectl annotate",
                    1,
                    &["error: --overwrite is false but found the following declared annotation(s)"],
                )],
            )
            .after(&["limit"]),
        ],
        ..KIND
    },
    Kind {
        name: "15 third party fails",
        runbook: "isolate-third-party",
        cause: CauseKind::InternalErrors,
        labels: &[("alertname", "ThirdPartyErrors"), ("target", "api.fraud.example.com"), ("switch", "FRAUD_ENABLED")],
        answers: &[
            fails("curl", 22, &["curl: (22) The requested URL returned error: 50{0-4}"]),
            says(
                "containers[*].env",
                &[r#"[{"name":"LOG_LEVEL","value":"info"},{"name":"FRAUD_ENABLED","value":"on"}]"#],
            ),
        ],
        metrics: &[("error_ratio", 0.6, 0.002)],
        worlds: &[
            mended("it answers with errors", &[], &["switch-off"]),
            mended(
                "it does not answer",
                &[fails("curl", 28, &["curl: (28) Operation timed out after 10001 milliseconds"])],
                &["switch-off"],
            ),
            decoy("it is well: the fault is ours", &[says("curl", &[])]),
            decoy(
                "it refuses our credential",
                &[fails("curl", 22, &["curl: (22) The requested URL returned error: 40{1-3}"])],
            ),
            decoy(
                "its name is not found",
                &[fails("curl", 6, &["curl: (6) Could not resolve host: api.fraud.example.com"])],
            ),
            decoy("there is no switch", &[says("containers[*].env", &[r#"[{"name":"LOG_LEVEL","value":"info"}]"#])]),
            decoy("it is off already", &[says("containers[*].env", &[r#"[{"name":"FRAUD_ENABLED","value":"off"}]"#])]),
        ],
        ..KIND
    },
];
