//! Owners as clusters tell of them, by a `kubectl` that serves recorded answers.

use std::fs;

use proptest::prelude::*;
use serde_json::json;
use tokio::sync::Notify;

use super::command::read;
use super::*;
use crate::engine::act::StepReportSink;
use crate::engine::model::{BlastRadius, RunId};
use crate::engine::settings::RunbookSettings;

/// A `kubectl` whose `get` answers from files named after what is asked for, and which notes what else it is told to do.
/// A file that begins with `!` is what it says as an error.
const FAKE: &str = r#"#!/bin/sh
dir=$(dirname "$0")
if [ "$1" != get ]; then printf '%s\n' "$*" >> "$dir/done"; echo "done: $*"; exit 0; fi
case $2 in -o) name=names;; *.*) name=$2;; *) name=object;; esac
printf '%s\n' "$*" >> "$dir/asked"
if [ ! -e "$dir/$name" ]; then echo "error: the server doesn't have a resource type \"$name\"" >&2; exit 1; fi
if [ "$(head -c 1 "$dir/$name")" = '!' ]; then tail -c +2 "$dir/$name" >&2; exit 1; fi
if [ "$(head -c 4 "$dir/$name")" = wait ]; then exec sleep 600; fi
cat "$dir/$name"
"#;

struct Fake {
    folder: tempfile::TempDir,
    settings: RunbookSettings,
}

impl Fake {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("kubectl");
        // Not written by this process: what another test starts meanwhile would hold it open, and it could not be started.
        fs::write(folder.path().join("text"), FAKE).unwrap();
        let mut install = std::process::Command::new("install");
        install.arg("-m755").arg(folder.path().join("text")).arg(&program);
        assert!(install.status().unwrap().success());
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let settings = RunbookSettings {
            allowed_programs: vec![program.to_str().unwrap().to_owned()],
            environment: vec!["PATH".to_owned()],
            ..RunbookSettings::default()
        };
        Self { folder, settings }
    }

    async fn run_for(&self, line: &str, timeout_ms: i64) -> StepProgress {
        self.run_within(line, timeout_ms, None, BlastRadius::default()).await
    }

    async fn run_taking(&self, line: &str, blast: BlastRadius) -> StepProgress {
        self.run_within(line, 60_000, None, blast).await
    }

    async fn run_within(
        &self,
        line: &str,
        timeout_ms: i64,
        targets_max: Option<u32>,
        blast: BlastRadius,
    ) -> StepProgress {
        let mut argv: Vec<Arc<str>> = vec![self.settings.allowed_programs[0].as_str().into()];
        argv.extend(line.split_whitespace().map(Arc::from));
        let (sink, mut reports) = StepReportSink::channel();
        let attempt = Attempt::new((RunId(1), 0), timeout_ms, Arc::new(Notify::new()), sink, Arc::new(|| false));
        let attempt = attempt.reaching(targets_max).taking(blast);
        let rules = CommandRules::new(&self.settings);
        let end = run(&argv, &rules, &attempt).await;
        while reports.try_recv().is_ok() {}
        end
    }

    async fn run(&self, line: &str) -> StepProgress {
        self.run_for(line, 60_000).await
    }

    fn note(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

fn object(
    kind: &str,
    name: &str,
    labels: impl Into<Value>,
    annotations: impl Into<Value>,
    owners: impl Into<Value>,
) -> String {
    let (labels, annotations, owners) = (labels.into(), annotations.into(), owners.into());
    let metadata = json!({"name": name, "labels": labels, "annotations": annotations, "ownerReferences": owners});
    json!({"apiVersion": "v1", "kind": kind, "metadata": metadata}).to_string()
}

fn plain() -> String {
    object("Deployment", "payment", json!({}), json!({}), json!([]))
}

fn list(items: impl Into<Value>) -> String {
    let items = items.into();
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

const SCALE: &str = "scale deployment/payment -n prod --replicas=4";
const HPA: &str = "horizontalpodautoscalers.autoscaling";

fn hpa(kind: &str, name: &str) -> String {
    list(
        json!([{"metadata": {"name": "payment-hpa"}, "spec": {"minReplicas": 2, "maxReplicas": 10, "scaleTargetRef": {"kind": kind, "name": name}}}]),
    )
}

#[track_caller]
fn assert_refused(fake: &Fake, end: &StepProgress, said: &str) {
    assert!(matches!(end, StepProgress::NotStarted { reason } if reason.contains(said)), "{said}: {end:?}");
    assert_eq!(fake.note("done"), "", "nothing was changed");
}

#[tokio::test]
async fn what_nobody_else_owns_is_changed() {
    let fake = Fake::new(&[("object", &plain()), (HPA, &hpa("Deployment", "checkout"))]);
    for line in [
        SCALE,
        "rollout restart deployment/payment -n prod",
        "rollout undo deployment/payment -n prod",
        "set image deployment/payment app=shop:1.4.2 -n prod",
        "patch deployment payment -n prod -p {\"spec\":{\"paused\":true}}",
    ] {
        let end = fake.run(line).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{line}: {end:?}");
    }
    assert_eq!(fake.note("done").lines().count(), 5);
    assert!(fake.note("asked").lines().all(|line| line.contains("-n prod") || line.contains("--all-namespaces")));
}

#[tokio::test]
async fn what_only_looks_asks_nothing() {
    let fake = Fake::new(&[]);
    for line in
        ["top pods -l app=x", "rollout history deployment/payment", "exec deployment/payment -- ls --foo", "logs -f x"]
    {
        assert!(matches!(fake.run(line).await, StepProgress::Exited { code: Some(0), .. }), "{line}");
    }
    assert_eq!(fake.note("asked"), "");
}

#[tokio::test]
async fn no_more_objects_are_changed_than_the_step_allows() {
    let nodes = "node/a\nnode/b\nnode/c\n";
    let fake = Fake::new(&[("object", &plain()), ("names", nodes)]);
    for (line, most, said) in [
        ("rollout restart deployment/payment deployment/checkout -n prod", 1, "2 objects"),
        ("delete networkpolicy a b", 1, "2 objects"),
        ("label nodes -l zone=a out=true", 2, "3 objects"),
        ("delete -f all.yaml", 9, "in a file"),
        ("apply -k folder", 9, "in a file"),
    ] {
        assert_refused(&fake, &fake.run_within(line, 60_000, Some(most), BlastRadius::default()).await, said);
    }
    let unasked = Fake::new(&[]);
    let end = unasked.run_within("label nodes -l zone=a out=true", 60_000, Some(9), BlastRadius::default()).await;
    assert_refused(&unasked, &end, "could not be counted");
    for (line, most) in [
        ("label nodes -l zone=a out=true", 3),
        ("cordon node-1", 1),
        ("rollout restart deployment/payment -n prod", 1),
        ("exec deployment/payment -- ls -f a b c", 1),
    ] {
        let end = fake.run_within(line, 60_000, Some(most), BlastRadius::default()).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{line}: {end:?}");
    }
    assert!(fake.note("asked").contains("-o name nodes -l zone=a"), "{}", fake.note("asked"));
}

#[tokio::test]
async fn autoscalers_are_named_with_the_command_that_changes_them() {
    let fake = Fake::new(&[("object", &plain()), (HPA, &hpa("Deployment", "payment"))]);
    assert_refused(
        &fake,
        &fake.run(SCALE).await,
        "is scaled by HPA payment-hpa (2 to 10): change its minReplicas: kubectl patch hpa payment-hpa -n prod",
    );
    let patch = "patch deploy/payment -n prod -p {\"spec\":{\"replicas\":3}}";
    assert_refused(&fake, &fake.run(patch).await, "HPA payment-hpa");
    assert!(matches!(fake.run("rollout restart deploy payment -n prod").await, StepProgress::Exited { .. }));
    let keda = |annotations: Value| {
        list(
            json!([{"metadata": {"name": "payment-so", "annotations": annotations}, "spec": {"minReplicaCount": 1, "maxReplicaCount": 9, "scaleTargetRef": {"name": "payment"}}}]),
        )
    };
    let fake = Fake::new(&[("object", &plain()), ("scaledobjects.keda.sh", &keda(json!({})))]);
    assert_refused(&fake, &fake.run(SCALE).await, "KEDA's ScaledObject payment-so (1 to 9)");
    let paused = keda(json!({"autoscaling.keda.sh/paused": "true"}));
    let fake = Fake::new(&[("object", &plain()), ("scaledobjects.keda.sh", &paused), (HPA, &list(json!([])))]);
    assert!(matches!(fake.run(SCALE).await, StepProgress::Exited { .. }));
}

#[tokio::test]
async fn what_another_keeps_is_left_to_it_and_nothing_is_changed_wholesale() {
    let controller = json!([{"kind": "Deployment", "name": "payment", "controller": true}]);
    let owned = object("ReplicaSet", "payment-1", json!({}), json!({}), controller);
    let fake = Fake::new(&[("object", &owned)]);
    for line in ["scale rs/payment-1 --replicas=2", "delete rs/payment-1"] {
        assert_refused(&fake, &fake.run(line).await, "is kept by Deployment payment");
    }
    for line in ["apply -f x.yaml", "replace -f x.yaml", "autoscale deployment/x --max=3", "edit deployment/x"] {
        assert_refused(&fake, &fake.run(line).await, "changes whatever it is handed");
    }
}

#[tokio::test]
async fn argo_rollouts_and_argo_cd_and_flux_are_named() {
    let owned =
        object("ReplicaSet", "payment-1", json!({}), json!({}), json!([{"kind": "Rollout", "name": "payment"}]));
    let fake = Fake::new(&[("object", &owned)]);
    assert_refused(
        &fake,
        &fake.run("scale rs/payment-1 -n prod --replicas=2").await,
        "kubectl scale rollout payment -n prod",
    );

    let referring = list(
        json!([{"metadata": {"name": "payment-ro"}, "spec": {"workloadRef": {"kind": "Deployment", "name": "payment"}}}]),
    );
    let fake = Fake::new(&[("object", &plain()), ("rollouts.argoproj.io", &referring)]);
    assert_refused(&fake, &fake.run("rollout undo deployment/payment").await, "kubectl argo rollouts undo payment-ro");
    assert_refused(
        &fake,
        &fake.run("rollout restart deployment/payment").await,
        "kubectl argo rollouts restart payment-ro",
    );

    let by_id = object(
        "Deployment",
        "payment",
        json!({}),
        json!({"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:prod/payment"}),
        json!([]),
    );
    let fake = Fake::new(&[("object", &by_id)]);
    assert_refused(&fake, &fake.run(SCALE).await, "Argo CD's application shop");
    assert_refused(&fake, &fake.run("rollout undo deployment/payment").await, "argocd app rollback shop");
    assert!(matches!(fake.run("rollout restart deployment/payment").await, StepProgress::Exited { .. }));

    let by_label = object("Deployment", "payment", json!({"app.kubernetes.io/instance": "shop"}), json!({}), json!([]));
    let apps = |name: &str| list(json!([{"metadata": {"name": name}}]));
    let fake = Fake::new(&[("object", &by_label), ("applications.argoproj.io", &apps("shop"))]);
    assert_refused(&fake, &fake.run(SCALE).await, "Argo CD's application shop");
    let fake = Fake::new(&[("object", &by_label), ("applications.argoproj.io", &apps("other"))]);
    assert!(matches!(fake.run(SCALE).await, StepProgress::Exited { .. }), "Helm uses the label, too");

    let flux = |annotations: Value| {
        let labels =
            json!({"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"});
        object("Deployment", "payment", labels, annotations, json!([]))
    };
    let fake = Fake::new(&[("object", &flux(json!({})))]);
    assert_refused(&fake, &fake.run(SCALE).await, "flux suspend kustomization shop -n flux-system");
    assert_refused(
        &fake,
        &fake.run("rollout restart deployment/payment").await,
        "--field-manager=flux-client-side-apply",
    );
    let restart = "rollout restart deployment/payment --field-manager=flux-client-side-apply";
    assert!(matches!(fake.run(restart).await, StepProgress::Exited { .. }));
    let fake = Fake::new(&[("object", &flux(json!({"kustomize.toolkit.fluxcd.io/reconcile": "disabled"})))]);
    assert!(matches!(fake.run(SCALE).await, StepProgress::Exited { .. }));
}

#[tokio::test]
async fn only_a_pod_that_comes_back_is_deleted() {
    let bare = object("Pod", "payment-1", json!({}), json!({}), json!([]));
    let fake = Fake::new(&[("object", &bare)]);
    assert_refused(&fake, &fake.run("delete pod payment-1 -n prod").await, "no owner that would start it again");
    let owned = object("Pod", "payment-1", json!({}), json!({}), json!([{"kind": "ReplicaSet", "name": "payment-7f"}]));
    let fake = Fake::new(&[("object", &owned)]);
    assert!(matches!(fake.run("delete po/payment-1 -n prod").await, StepProgress::Exited { .. }));
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_not_changed() {
    for (name, answer, said) in [
        ("object", "!Error from server (NotFound): deployments.apps \"payment\" not found", "not found"),
        ("object", "!Error from server (Forbidden): deployments.apps is forbidden", "forbidden"),
        ("object", "!Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout", "i/o timeout"),
        ("object", "{\"kind\":", "cannot be read"),
        ("object", "[]", "neither an object nor a list"),
        ("object", "", "cannot be read"),
        ("object", "{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"other\"}}", "told of `other`"),
        (HPA, "!Error from server (Forbidden): hpa is forbidden: User \"hypo\" cannot list", "forbidden"),
        (HPA, "{\"kind\":\"List\"}", "neither an object nor a list"),
        ("scaledobjects.keda.sh", "not json", "cannot be read"),
        ("rollouts.argoproj.io", "!Error from server (ServiceUnavailable)", "ServiceUnavailable"),
    ] {
        let plain = plain();
        let files =
            if name == "object" { vec![(name, answer)] } else { vec![("object", plain.as_str()), (name, answer)] };
        let fake = Fake::new(&files);
        assert_refused(&fake, &fake.run(SCALE).await, said);
    }
    let fake = Fake::new(&[("object", "wait")]);
    assert_refused(&fake, &fake.run_for(SCALE, 300).await, "no answer within");
    for line in [
        "scale deployment -l app=payment --replicas=0",
        "scale deployment --all --replicas=0",
        "delete pod --all",
        "scale --replicas=0 -f x.yaml",
        "scale --replicas=0",
        "scale deployment --replicas=0",
        "scale deployment/payment --replicas=0 --unheard-of",
        "rollout restart deployment/../x",
        "patch deployment/payment/scale -p {}",
    ] {
        let fake = Fake::new(&[("object", &plain())]);
        let end = fake.run(line).await;
        assert!(matches!(end, StepProgress::NotStarted { .. }), "{line}: {end:?}");
        assert_eq!(fake.note("done"), "", "{line}");
    }
}

#[test]
fn objects_are_found_however_the_command_is_written() {
    let argv = |line: &str| line.split_whitespace().map(Arc::from).collect::<Vec<Arc<str>>>();
    for (line, wanted) in [
        ("kubectl scale deploy/payment --replicas 3", vec!["deploy/payment"]),
        (
            "kubectl -n prod --context=eu scale --replicas=3 deployment.apps payment checkout",
            vec!["deployment.apps/payment", "deployment.apps/checkout"],
        ),
        ("kubectl rollout undo sts/db --to-revision 3 -nprod", vec!["sts/db"]),
        ("kubectl set image deployment/payment app=x:1 side=y:2", vec!["deployment/payment"]),
        ("kubectl set env deployment payment A=b C-", vec!["deployment/payment"]),
        ("kubectl delete pods a b", vec!["pods/a", "pods/b"]),
    ] {
        let change = read(&argv(line)).unwrap().unwrap();
        let targets: Vec<String> = change.targets.iter().map(ToString::to_string).collect();
        assert_eq!(targets, wanted, "{line}");
    }
    for line in ["kubectl get pods", "kubectl delete networkpolicy x", "kubectl", "kubectl rollout status deployment/x"]
    {
        assert_eq!(read(&argv(line)), Ok(None), "{line}");
    }
    assert!(is_kubectl(&argv("/usr/bin/kubectl get")) && !is_kubectl(&argv("kubectl2 get")));
}

proptest! {
    #[test]
    fn any_words_are_read(words in proptest::collection::vec("(?s)(-{0,2}[a-z=/.]{0,8}|.{0,12})", 0..8)) {
        let argv: Vec<Arc<str>> = std::iter::once("kubectl").chain(words.iter().map(String::as_str)).map(Arc::from).collect();
        let _understood_or_not = read(&argv);
    }
}

fn workload(kind: &str, replicas: u64, ready: u64, strategy: impl Into<Value>) -> Value {
    let key = if kind == "Deployment" { "strategy" } else { "updateStrategy" };
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "payment", "generation": 3},
        "spec": {"replicas": replicas, key: strategy.into()},
        "status": {"observedGeneration": 3, "readyReplicas": ready}})
}

fn rolling(unavailable: impl Into<Value>, surge: impl Into<Value>) -> Value {
    let (unavailable, surge) = (unavailable.into(), surge.into());
    json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}})
}

async fn taken(object: &Value, line: &str, remaining_min: Option<u32>, share_max: Option<u32>) -> (Fake, StepProgress) {
    let fake = Fake::new(&[("object", &object.to_string())]);
    let end = fake.run_taking(line, BlastRadius { remaining_min, share_max }).await;
    (fake, end)
}

#[tokio::test]
async fn an_act_that_takes_too_much_of_a_workload_away_is_refused() {
    let restart = "rollout restart deployment/payment -n prod";
    let scale = |to: u64| format!("scale deployment/payment -n prod --replicas={to}");
    let stateful = "rollout restart statefulset/payment";
    let usual = || rolling("25%", "25%");
    let deployment = |replicas, ready, strategy: Value| workload("Deployment", replicas, ready, strategy);
    for (object, line, remaining_min, share_max, says) in [
        (deployment(4, 4, usual()), scale(2), Some(3), None, "2 healthy ones would remain of 4"),
        (deployment(4, 4, usual()), scale(2), Some(2), None, ""),
        (deployment(4, 2, usual()), scale(3), Some(2), None, "1 healthy ones would remain of 2"),
        (deployment(4, 4, usual()), scale(2), None, Some(49), "2 of 4 members"),
        (deployment(4, 4, usual()), scale(2), None, Some(50), ""),
        (deployment(4, 0, usual()), scale(8), Some(9), Some(1), ""),
        (deployment(4, 4, usual()), restart.to_owned(), Some(4), None, "1 of 4 members"),
        (deployment(4, 4, usual()), restart.to_owned(), Some(3), Some(25), ""),
        (deployment(2, 2, usual()), restart.to_owned(), Some(2), Some(1), ""),
        (deployment(4, 4, rolling(0, 0)), restart.to_owned(), Some(4), None, "1 of 4 members"),
        (deployment(4, 4, json!({"type": "Recreate"})), restart.to_owned(), Some(1), None, "0 healthy ones"),
        (workload("StatefulSet", 3, 3, json!({"type": "RollingUpdate"})), stateful.to_owned(), Some(3), None, "1 of 3"),
        (workload("StatefulSet", 3, 3, json!({"type": "RollingUpdate"})), stateful.to_owned(), Some(2), Some(34), ""),
        (workload("StatefulSet", 3, 3, json!({"type": "OnDelete"})), stateful.to_owned(), Some(3), Some(1), ""),
    ] {
        let (fake, end) = taken(&object, &line, remaining_min, share_max).await;
        if says.is_empty() {
            assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{line} {object}: {end:?}");
        } else {
            assert_refused(&fake, &end, says);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_counted_is_refused() {
    let good = || workload("Deployment", 4, 4, rolling("25%", "25%"));
    let without = |path: &[&str]| {
        let mut object = good();
        let (last, parents) = path.split_last().unwrap();
        let parent = parents.iter().fold(&mut object, |at, key| &mut at[*key]);
        parent.as_object_mut().unwrap().remove(*last);
        object
    };
    let restart = "rollout restart deployment/payment -n prod";
    let mut stale = good();
    stale["metadata"]["generation"] = json!(4);
    for (object, line) in [
        (without(&["status"]), restart),
        (without(&["spec", "replicas"]), restart),
        (without(&["spec", "strategy"]), restart),
        (without(&["spec", "strategy", "rollingUpdate", "maxUnavailable"]), restart),
        (stale, restart),
        (good(), "patch deployment payment -p {\"spec\":{\"replicas\":\"2\"}}"),
        (good(), "annotate deployment payment x=y"),
        (good(), "cordon node-1"),
    ] {
        let (fake, end) = taken(&object, line, Some(1), None).await;
        assert_refused(&fake, &end, "cannot be");
    }
    // The key that is left out where none is ready is no missing word.
    let (fake, end) = taken(&without(&["status", "readyReplicas"]), restart, Some(1), None).await;
    assert_refused(&fake, &end, "0 healthy ones would remain of 0");
}

#[tokio::test]
async fn a_pod_is_a_member_of_what_owns_it() {
    let pod = |name: &str, ready: &str| {
        json!({"kind": "Pod", "metadata": {"name": name, "ownerReferences": [{"kind": "ReplicaSet", "name": "payment-1"}]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]}})
    };
    let owner = workload("ReplicaSet", 3, 2, json!({})).to_string();
    for (pod, remaining_min, says) in [
        (pod("payment-1-a", "True"), 1, ""),
        (pod("payment-1-a", "True"), 2, "1 healthy ones would remain of 2"),
        (pod("payment-1-a", "False"), 2, ""),
        (pod("payment-1-a", "Unknown"), 1, "whether it is ready"),
    ] {
        let fake = Fake::new(&[("object", &pod.to_string()), ("replicasets.apps", &owner)]);
        let blast = BlastRadius { remaining_min: Some(remaining_min), share_max: Some(34) };
        let end = fake.run_taking("delete pod payment-1-a -n prod", blast).await;
        if says.is_empty() {
            assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?}");
        } else {
            assert_refused(&fake, &end, says);
        }
    }
    let fake = Fake::new(&[("object", &pod("payment-1-a", "True").to_string())]);
    let end = fake.run_taking("delete pod payment-1-a", BlastRadius { remaining_min: None, share_max: Some(50) }).await;
    assert_refused(&fake, &end, "cannot be told");
}
