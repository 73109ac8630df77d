//! Worlds of what services run on: pods, machines, secrets, edges, clocks, backups, patches.

use hypocenter::engine::model::CauseKind;

use super::world::{Answer, KIND, Kind, decoy, fails, mended, once, says};

const ROLLED_OUT: Answer = says("rollout status", &["deployment \"x\" successfully rolled out"]);
const NOT_ROLLED_OUT: Answer = fails("rollout status", 1, &["error: timed out waiting for the condition"]);

pub const KINDS: &[Kind] = &[
    Kind {
        name: "16 crash loop, image, missing configuration",
        runbook: "mend-crash-loop",
        cause: CauseKind::BadDeploy,
        labels: &[("alertname", "KubePodCrashLooping")],
        answers: &[
            says("state.waiting.reason", &["CrashLoopBackOff CrashLoopBackOff"]),
            says("lastState.terminated", &["ended=Error Error"]),
            says("reason=Failed ", &["MESSAGE", "Error: container exited"]),
            says("rollout history", &["REVISION  CHANGE-CAUSE", "{2-8}         <none>", "{9-40}        <none>"]),
        ],
        metrics: &[("replicas_unavailable", 3.0, 0.0)],
        worlds: &[
            mended("the new version ends at once", &[], &["roll-back"]),
            mended(
                "its image does not exist",
                &[
                    says("state.waiting.reason", &["ImagePullBackOff ErrImagePull"]),
                    says("lastState.terminated", &["ended="]),
                    says("reason=Failed ", &["MESSAGE", "Failed to pull image \"shop/payment:v{2-9}\": not found"]),
                ],
                &["roll-back"],
            ),
            mended(
                "the rollout refers to a secret that is not there",
                &[
                    says("state.waiting.reason", &["CreateContainerConfigError"]),
                    says("lastState.terminated", &["ended="]),
                ],
                &["roll-back"],
            ),
            decoy("they run by now", &[says("state.waiting.reason", &[])]),
            decoy("ended for lack of memory", &[says("lastState.terminated", &["ended=OOMKilled"])]),
            decoy(
                "the registry refuses",
                &[
                    says("state.waiting.reason", &["ImagePullBackOff"]),
                    says(
                        "reason=Failed ",
                        &["MESSAGE", "Failed to pull image: toomanyrequests: You have reached your pull rate limit"],
                    ),
                ],
            ),
            decoy(
                "the machine's disk is full",
                &[
                    says("state.waiting.reason", &["ErrImagePull"]),
                    says("reason=Failed ", &["MESSAGE", "write /var/lib: no space left on device"]),
                ],
            ),
            decoy(
                "the first rollout ever",
                &[says("rollout history", &["REVISION  CHANGE-CAUSE", "1         <none>"])],
            ),
            decoy("the secret was taken away", &[says("state.waiting.reason", &["CreateContainerConfigError"])])
                .asked(&[("reference", 1)]),
        ],
        ..KIND
    },
    Kind {
        name: "17 machine of the cluster fails",
        runbook: "replace-node",
        cause: CauseKind::Unavailable,
        labels: &[("alertname", "KubeNodeNotReady"), ("node", "node-7")],
        answers: &[
            says("get node node-7", &["Unknown"]),
            says("metadata.name!=node-7", &["True True True True"]),
            says("poddisruptionbudgets", &["ALLOWED", "1", "{2-4}"]),
        ],
        metrics: &[("replicas_unavailable", 4.0, 0.0)],
        worlds: &[
            mended("its kubelet is gone", &[], &["cordon", "drain"]),
            mended("it says so itself", &[says("get node node-7", &["False"])], &["cordon", "drain"]),
            mended("no budgets", &[says("poddisruptionbudgets", &["ALLOWED"])], &["cordon", "drain"]),
            decoy("it is back", &[says("get node node-7", &["True"])]),
            decoy("a second one is out", &[says("metadata.name!=node-7", &["True False True"])]),
            decoy("a second one is not heard of", &[says("metadata.name!=node-7", &["True True Unknown"])]),
            decoy("a budget allows nothing", &[says("poddisruptionbudgets", &["ALLOWED", "{1-3}", "0"])]),
            decoy("the cluster does not answer", &[fails("kubectl", 1, &["The connection to the server was refused"])]),
            decoy(
                "draining is refused",
                &[fails("kubectl drain", 1, &["error: cannot delete Pods with local storage"])],
            )
            .after(&["cordon", "drain"]),
        ],
        ..KIND
    },
    Kind {
        name: "18 pods that find no place, quota",
        runbook: "place-pending-pods",
        cause: CauseKind::Overload,
        labels: &[("alertname", "KubePodPending")],
        answers: &[
            says("missing=", &["missing={1-4}"]),
            says(
                "FailedScheduling",
                &[
                    "MESSAGE",
                    "0/7 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 6 Insufficient cpu.",
                ],
            ),
            says("FailedCreate", &["MESSAGE"]),
        ],
        metrics: &[("replicas_unavailable", 3.0, 0.0)],
        worlds: &[
            mended("no machine has room", &[], &["make-room"]),
            mended(
                "no memory left",
                &[says("FailedScheduling", &["MESSAGE", "0/{3-9} nodes are available: 3 Insufficient memory."])],
                &["make-room"],
            ),
            mended(
                "the quota of pods",
                &[
                    says("FailedScheduling", &["MESSAGE"]),
                    says(
                        "FailedCreate",
                        &[
                            "MESSAGE",
                            "Error creating: pods \"payment-{h}\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=50, limited: pods=50",
                        ],
                    ),
                ],
                &["raise-quota"],
            ),
            decoy("none is missing", &[says("missing=", &["missing="])]),
            decoy(
                "they wait for a volume",
                &[says(
                    "FailedScheduling",
                    &[
                        "MESSAGE",
                        "0/6 nodes are available: pod has unbound immediate PersistentVolumeClaims, 2 Insufficient cpu.",
                    ],
                )],
            ),
            decoy(
                "no machine has the label",
                &[says(
                    "FailedScheduling",
                    &["MESSAGE", "0/6 nodes are available: 6 node(s) didn't match Pod's node affinity/selector."],
                )],
            ),
            decoy(
                "another quota",
                &[
                    says("FailedScheduling", &["MESSAGE"]),
                    says(
                        "FailedCreate",
                        &[
                            "MESSAGE",
                            "Error creating: exceeded quota: compute, requested: requests.cpu=2, used: requests.cpu=20, limited: requests.cpu=20",
                        ],
                    ),
                ],
            ),
            decoy("its owner says no", &[]).asked(&[("can-wait", 1)]),
            decoy(
                "scaled by somebody already",
                &[fails("kubectl scale", 1, &["error: expected replicas to be 4, was 2"])],
            )
            .after(&["make-room"]),
        ],
        ..KIND
    },
    Kind {
        name: "19 credential run out",
        runbook: "reissue-secret",
        cause: CauseKind::InternalErrors,
        labels: &[("alertname", "AuthFailuresHigh"), ("secret", "payment-db")],
        answers: &[
            says(
                "kubectl logs",
                &[
                    "level=info msg=\"request\" took={10-90}ms",
                    "level=error msg=\"401 Unauthorized: token expired\" id={h}",
                ],
            ),
            says("get externalsecret", &["SecretSynced"]),
        ],
        metrics: &[("error_ratio", 0.7, 0.002)],
        worlds: &[
            mended("it has expired", &[], &["fetch-anew", "read-it"]),
            mended(
                "the password was changed",
                &[says("kubectl logs", &["FATAL: password authentication failed for user \"payment\""])],
                &["fetch-anew", "read-it"],
            ),
            mended(
                "the last fetch failed",
                &[
                    says("get externalsecret", &["SecretSyncedError"]),
                    once("fetch-anew", "get externalsecret", &["SecretSynced"]),
                ],
                &["fetch-anew", "read-it"],
            ),
            decoy(
                "its rights were taken away",
                &[says("kubectl logs", &["level=error msg=\"403 Forbidden: role lacks permission\""])],
            ),
            decoy(
                "the clock is wrong",
                &[says("kubectl logs", &["level=error msg=\"401: token used before issued, not yet valid\""])],
            ),
            decoy("nothing of the kind", &[says("kubectl logs", &["level=error msg=\"nil pointer\" at={h}"])]),
            decoy("there is no such secret", &[fails("get externalsecret", 1, &["Error from server (NotFound)"])]),
            decoy("the store of secrets is out", &[says("get externalsecret", &["SecretSyncedError"])])
                .after(&["fetch-anew"]),
        ],
        ..KIND
    },
    Kind {
        name: "+ clock",
        runbook: "mend-clock",
        cause: CauseKind::InternalErrors,
        service: "web-1",
        labels: &[("alertname", "NodeClockSkewDetected"), ("host", "web-1")],
        answers: &[
            says("is-active", &["active"]),
            says(
                "sources",
                &[
                    "MS Name/IP address  Stratum Poll Reach LastRx Last sample",
                    "^* 10.0.0.{1-9}  2  6  377  {10-60}  +{10-90}us",
                ],
            ),
            says(
                "tracking",
                &[
                    "Leap status     : Normal",
                    "System time     : {2-90}.{100000000-999999999} seconds slow of NTP time",
                ],
            ),
        ],
        metrics: &[("clock_offset_seconds", 12.0, 0.001)],
        worlds: &[
            mended("far off", &[], &["step-it"]),
            mended(
                "half a second off",
                &[says("tracking", &["System time     : 0.{200000000-900000000} seconds fast of NTP time"])],
                &["step-it"],
            ),
            mended("nothing keeps it", &[fails("is-active", 3, &["inactive"])], &["start-it"]),
            mended(
                "what keeps it has failed",
                &[
                    fails("is-active", 3, &["failed"]),
                    fails("sources", 1, &["506 Cannot talk to daemon"]),
                    fails("tracking", 1, &["506 Cannot talk to daemon"]),
                ],
                &["start-it"],
            ),
            decoy(
                "it is in step",
                &[says("tracking", &["System time     : 0.0000{10000-90000} seconds fast of NTP time"])],
            ),
            decoy(
                "no server answers",
                &[says("sources", &["MS Name/IP address", "^? 10.0.0.{1-9}  0  6  0  -  +0ns"])],
            ),
            decoy("a database runs there", &[]).asked(&[("may-jump", 1)]),
        ],
        ..KIND
    },
    Kind {
        name: "+ monitoring silent",
        runbook: "revive-monitoring",
        cause: CauseKind::Unavailable,
        service: "prometheus",
        labels: &[("alertname", "PrometheusDown")],
        answers: &[
            fails("wget", 1, &["wget: download timed out"]),
            says(
                "df -P",
                &[
                    "Filesystem 1024-blocks Used Available Capacity Mounted on",
                    "/dev/sdb 100 50 50 {1-9}{0-4}% /prometheus",
                ],
            ),
            says("lastState", &["ended="]),
        ],
        metrics: &[("up", 0.0, 1.0)],
        worlds: &[
            mended("it hangs", &[], &["restart"]),
            mended(
                "it answers with errors",
                &[fails("wget", 1, &["wget: server returned error: HTTP/1.1 503 Service Unavailable"])],
                &["restart"],
            ),
            decoy("it is ready", &[says("wget", &["Prometheus Server is Ready."])]),
            decoy("its disk is full", &[says("df -P", &["/dev/sdb 100 97 3 9{5-9}% /prometheus"])]),
            decoy("its disk is quite full", &[says("df -P", &["/dev/sdb 100 100 0 100% /prometheus"])]),
            decoy("it was ended for lack of memory", &[says("lastState", &["ended=OOMKilled"])]),
        ],
        ..KIND
    },
    Kind {
        name: "+ backup missing",
        runbook: "rerun-backup",
        cause: CauseKind::InternalErrors,
        service: "orders-db",
        labels: &[("alertname", "BackupTooOld"), ("cronjob", "orders-backup")],
        answers: &[
            says("active=", &["active="]),
            says("suspended=", &["suspended=false"]),
            says("kubectl logs", &["pg_dump: error: connection to server was lost"]),
            says("condition=complete", &["job.batch/orders-backup-by-hand condition met"]),
        ],
        metrics: &[("backup_age_seconds", 200_000.0, 60.0)],
        worlds: &[
            mended("it failed once", &[], &["run-now"]),
            mended("suspended and forgotten", &[says("suspended=", &["suspended=true"])], &["put-in-force", "run-now"])
                .by(&["run-now"]),
            decoy("one runs now", &[says("active=", &["active=orders-backup-{10000-90000}"])]),
            decoy(
                "no room where it goes",
                &[says("kubectl logs", &["pg_dump: error: could not write: No space left on device"])],
            ),
            decoy("its rights are gone", &[says("kubectl logs", &["upload failed: AccessDenied: Access Denied"])]),
            decoy("suspended on purpose", &[says("suspended=", &["suspended=true"])]).asked(&[("on-purpose", 1)]),
            decoy("it fails again", &[fails("condition=complete", 1, &["error: timed out waiting for the condition"])])
                .after(&["run-now"]),
        ],
        ..KIND
    },
    Kind {
        name: "+ edge answers with errors",
        runbook: "mend-ingress",
        cause: CauseKind::InternalErrors,
        labels: &[("alertname", "IngressHigh5xx")],
        answers: &[
            says("endpointslices", &["true true true"]),
            says("kubectl logs", &["I1121 controller.go: \"Backend reload\" id={h}"]),
            ROLLED_OUT,
        ],
        metrics: &[("error_ratio", 0.4, 0.002)],
        worlds: &[
            mended("it is stuck", &[], &["restart-edge"]),
            mended("its rollout does not come up", &[NOT_ROLLED_OUT], &["take-back"]),
            decoy("nobody is ready behind it", &[says("endpointslices", &["false false"])]),
            decoy("nobody is behind it", &[says("endpointslices", &[])]),
            decoy(
                "a mistake in an object",
                &[says("kubectl logs", &["nginx: [emerg] invalid parameter in /tmp/nginx.conf:{100-900}"])],
            ),
            decoy(
                "a mistake, and its rollout hangs on it",
                &[says("kubectl logs", &["E1121 Error reloading NGINX: exit status 1"]), NOT_ROLLED_OUT],
            ),
        ],
        ..KIND
    },
    Kind {
        name: "+ emergency patch",
        runbook: "patch-emergency",
        cause: CauseKind::Unavailable,
        service: "web-1",
        labels: &[("alertname", "KnownExploitedVulnerability"), ("host", "web-1"), ("package", "openssl")],
        is_precaution: true,
        answers: &[
            says("debsecan", &["bind9-host", "openssl", "sudo"]),
            once("patch", "debsecan", &["bind9-host"]),
            says("apt-get", &["Inst openssl [3.0.{1-9}] (3.0.1{0-9} Debian:12 [amd64])"]),
        ],
        metrics: &[("error_ratio", 0.002, 0.002)],
        worlds: &[
            mended("open, and the fix is out", &[], &["patch"]),
            decoy(
                "mended by the distribution already",
                &[says("debsecan", &["bind9-host", "libopenssl-perl", "openssl-blacklist"])],
            ),
            decoy("the fix cannot be had", &[says("apt-get", &["openssl is already the newest version (3.0.{1-9})."])]),
            decoy("another member is out", &[]).asked(&[("may-restart", 1)]),
            decoy("it did not go in", &[once("patch", "debsecan", &["openssl"])]).after(&["patch"]),
        ],
        ..KIND
    },
];
