//! Who owns an object, by what the cluster tells of it, and what is said to whoever would change it past that owner.

use serde_json::Value;

use super::command::{Guarded, Verb};

/// A pod that nothing would bring back is not deleted.
pub(super) fn refuse_bare_pod(guarded: &Guarded<'_>, pod: &Value) -> Result<(), String> {
    if guarded.change.verb != Verb::DeletePod || references(pod).next().is_some() {
        return Ok(());
    }
    Err(format!(
        "{} has no owner that would start it again; delete it by hand if that is what you want",
        guarded.target
    ))
}

/// An object that another made is changed by way of that: a Rollout, a Deployment, an operator's own kind.
pub(super) fn refuse_controller(guarded: &Guarded<'_>, object: &Value) -> Result<(), String> {
    if guarded.change.verb == Verb::DeletePod {
        return Ok(());
    }
    if let Some((_, name)) = references(object).find(|(kind, _)| *kind == "Rollout") {
        return Err(rollout(guarded, name));
    }
    let owners = object["metadata"]["ownerReferences"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(owner) = owners.iter().find(|owner| owner["controller"].as_bool() == Some(true)) else { return Ok(()) };
    let part = |key: &str| owner[key].as_str().unwrap_or("(without a name)");
    Err(format!(
        "{} is kept by {} {}, which would undo this: change that instead",
        guarded.target,
        part("kind"),
        part("name")
    ))
}

/// A Deployment that a Rollout refers to is scaled and rolled out by it.
pub(super) fn refuse_referring_rollout(guarded: &Guarded<'_>, rollouts: &[Value]) -> Result<(), String> {
    let refers = |item: &&Value| is_at(&item["spec"]["workloadRef"], guarded, "Deployment");
    match rollouts.iter().find(refers).map(name_of) {
        Some(name) => Err(rollout(guarded, name)),
        None => Ok(()),
    }
}

/// What KEDA scales is scaled by its ScaledObject, unless that is paused.
pub(super) fn refuse_keda(guarded: &Guarded<'_>, items: &[Value]) -> Result<(), String> {
    let Some(item) = items.iter().find(|item| is_at(&item["spec"]["scaleTargetRef"], guarded, "Deployment")) else {
        return Ok(());
    };
    let annotations = &item["metadata"]["annotations"];
    if annotations["autoscaling.keda.sh/paused"].as_str() == Some("true") {
        return Ok(());
    }
    let (name, namespace) = (name_of(item), guarded.namespace());
    let (low, high) = (number(&item["spec"]["minReplicaCount"], 0), number(&item["spec"]["maxReplicaCount"], 100));
    Err(format!(
        "{} is scaled by KEDA's ScaledObject {name} ({low} to {high}): change that, kubectl patch scaledobject {name}{namespace} \
         --type=merge -p '{{\"spec\":{{\"minReplicaCount\":N}}}}', or pause it, kubectl annotate scaledobject {name}{namespace} \
         autoscaling.keda.sh/paused=true",
        guarded.target
    ))
}

/// What an autoscaler scales is scaled by its limits.
pub(super) fn refuse_autoscaler(guarded: &Guarded<'_>, items: &[Value]) -> Result<(), String> {
    let Some(item) = items.iter().find(|item| is_at(&item["spec"]["scaleTargetRef"], guarded, "")) else {
        return Ok(());
    };
    let (name, namespace) = (name_of(item), guarded.namespace());
    let (low, high) = (number(&item["spec"]["minReplicas"], 1), number(&item["spec"]["maxReplicas"], 0));
    Err(format!(
        "{} is scaled by HPA {name} ({low} to {high}): change its minReplicas: kubectl patch hpa {name}{namespace} --type=merge \
         -p '{{\"spec\":{{\"minReplicas\":N}}}}'",
        guarded.target
    ))
}

/// What Flux applies is changed in its source. A restart is left alone where it is written as Flux itself writes.
pub(super) fn refuse_flux(guarded: &Guarded<'_>, object: &Value) -> Result<(), String> {
    let metadata = &object["metadata"];
    if metadata["annotations"]["kustomize.toolkit.fluxcd.io/reconcile"].as_str() == Some("disabled") {
        return Ok(());
    }
    let label = |key: &str| metadata["labels"][key].as_str();
    let owner = ["kustomize", "helm"].into_iter().find_map(|by| {
        let name = label(&format!("{by}.toolkit.fluxcd.io/name"))?;
        Some((by, name, label(&format!("{by}.toolkit.fluxcd.io/namespace")).unwrap_or("flux-system")))
    });
    let Some((by, name, namespace)) = owner else { return Ok(()) };
    let (what, kind) = if by == "helm" { ("HelmRelease", "helmrelease") } else { ("Kustomization", "kustomization") };
    if guarded.change.verb == Verb::Restart {
        if guarded.change.writes_as_flux {
            return Ok(());
        }
        return Err(format!(
            "{} is applied by Flux's {what} {name}, which would take the restart back and so restart it again: add --field-manager=flux-client-side-apply",
            guarded.target
        ));
    }
    Err(format!(
        "{} is applied by Flux's {what} {name}, which would undo this: change its source in Git and run flux reconcile {kind} \
         {name} -n {namespace}, or first flux suspend {kind} {name} -n {namespace}",
        guarded.target
    ))
}

/// What Argo CD syncs is changed in its source. A restart adds what no source has, and Argo CD leaves that alone.
pub(super) fn refuse_argo_cd(guarded: &Guarded<'_>, object: &Value) -> Result<(), String> {
    if guarded.change.verb == Verb::Restart {
        return Ok(());
    }
    let metadata = &object["metadata"];
    let tracked = metadata["annotations"]["argocd.argoproj.io/tracking-id"].as_str();
    let by_id = tracked.and_then(|id| id.split(':').next());
    match by_id.or_else(|| metadata["labels"]["argocd.argoproj.io/instance"].as_str()) {
        Some(app) => Err(argo_cd(guarded, app)),
        None => Ok(()),
    }
}

/// The same by the label that others use, too: only where there is an application of that name.
pub(super) fn refuse_tracked(guarded: &Guarded<'_>, instance: &str, applications: &[Value]) -> Result<(), String> {
    let is_there = applications.iter().any(|item| name_of(item) == instance);
    if is_there { Err(argo_cd(guarded, instance)) } else { Ok(()) }
}

fn argo_cd(guarded: &Guarded<'_>, app: &str) -> String {
    let instead = match guarded.change.verb {
        Verb::Undo => format!("argocd app rollback {app}, or revert the commit in Git"),
        _ => format!("change its source in Git, or first argocd app set {app} --sync-policy none"),
    };
    format!("{} is synced by Argo CD's application {app}, which would undo this: {instead}", guarded.target)
}

fn rollout(guarded: &Guarded<'_>, name: &str) -> String {
    let namespace = guarded.namespace();
    let instead = match guarded.change.verb {
        Verb::Restart => format!("kubectl argo rollouts restart {name}{namespace}"),
        Verb::Undo => format!("kubectl argo rollouts undo {name}{namespace}, or abort {name} while it is under way"),
        Verb::Scale => format!("kubectl scale rollout {name}{namespace} --replicas=N"),
        _ => format!("kubectl argo rollouts set image {name}{namespace} CONTAINER=IMAGE"),
    };
    format!("{} belongs to Argo Rollouts' Rollout {name}, which would undo this: {instead}", guarded.target)
}

/// Kind and name of each owner.
pub(super) fn references(object: &Value) -> impl Iterator<Item = (&str, &str)> {
    let owners = object["metadata"]["ownerReferences"].as_array().map_or(&[][..], Vec::as_slice);
    owners.iter().filter_map(|owner| Some((owner["kind"].as_str()?, owner["name"].as_str()?)))
}

fn is_at(reference: &Value, guarded: &Guarded<'_>, kind_default: &str) -> bool {
    let kind = reference["kind"].as_str().unwrap_or(kind_default);
    kind.eq_ignore_ascii_case(&guarded.target.kind) && reference["name"].as_str() == Some(guarded.target.name.as_str())
}

fn name_of(item: &Value) -> &str {
    item["metadata"]["name"].as_str().unwrap_or("(without a name)")
}

fn number(value: &Value, otherwise: i64) -> i64 {
    value.as_i64().unwrap_or(otherwise)
}
