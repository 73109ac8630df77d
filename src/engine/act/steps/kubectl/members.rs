//! How many members of a workload a command takes away at a time, and how many healthy ones remain: counted before it is run,
//! by what the cluster tells. What the cluster does not tell refuses.

use std::collections::BTreeMap;

use serde_json::Value;

use super::command::{Target, Verb};
use super::{Cluster, Kind, owners};
use crate::engine::model::BlastRadius;

/// A workload and what is to be taken of it.
#[derive(Debug, PartialEq, Eq)]
struct Taking {
    /// Members it is to have.
    all: u64,
    /// Members that are ready.
    healthy: u64,
    /// Members that are taken away at a time.
    taken: u64,
    /// Of those, at most so many were healthy.
    taken_healthy: u64,
}

/// Refuses the change where it takes more away than the step allows, of any of its targets.
pub(super) async fn check(cluster: &Cluster<'_>, objects: &[(&Target, Value)]) -> Result<(), String> {
    let blast = cluster.attempt.blast();
    if cluster.change.verb == Verb::DeletePod {
        return check_pods(cluster, objects, blast).await;
    }
    for (target, object) in objects {
        let taking = taking(cluster, object).map_err(|problem| unknown(&target.to_string(), &problem))?;
        judge(&target.to_string(), &taking, blast)?;
    }
    Ok(())
}

fn unknown(what: &str, problem: &str) -> String {
    format!("how many members of {what} it takes away cannot be told: {problem}; nothing was changed")
}

/// Pods are members of what owns them; those of one owner go together.
async fn check_pods(cluster: &Cluster<'_>, pods: &[(&Target, Value)], blast: BlastRadius) -> Result<(), String> {
    let mut by_owner: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for (target, pod) in pods {
        let owner = owners::references(pod).next().ok_or_else(|| unknown(&target.to_string(), "nothing owns it"))?;
        let is_ready = is_ready(pod).map_err(|problem| unknown(&target.to_string(), problem))?;
        let taken = by_owner.entry(owner).or_default();
        *taken = (taken.0 + 1, taken.1 + u64::from(is_ready));
    }
    for ((kind, name), (taken, taken_healthy)) in by_owner {
        let what = format!("{kind}/{name}");
        let resource = match kind {
            "ReplicaSet" => "replicasets.apps",
            "StatefulSet" => "statefulsets.apps",
            "DaemonSet" => "daemonsets.apps",
            _ => return Err(unknown(&what, "it is no kind whose members are counted")),
        };
        let owner = match cluster.get(&[resource, name]).await? {
            Kind::Items(mut items) => items.pop().unwrap_or_default(),
            Kind::Unknown => return Err(unknown(&what, "the cluster has no such kind")),
        };
        let (all, healthy) = members(&owner).map_err(|problem| unknown(&what, &problem))?;
        judge(&what, &Taking { all, healthy, taken, taken_healthy }, blast)?;
    }
    Ok(())
}

fn is_ready(pod: &Value) -> Result<bool, &'static str> {
    let conditions = pod["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    match ready.and_then(|ready| ready["status"].as_str()) {
        Some("True") => Ok(true),
        Some("False") => Ok(false),
        _ => Err("the cluster does not say whether it is ready"),
    }
}

fn taking(cluster: &Cluster<'_>, object: &Value) -> Result<Taking, String> {
    let change = cluster.change;
    let (all, healthy) = members(object)?;
    let mut taken = 0;
    if change.sets_replicas {
        let wanted = change.replicas.ok_or("it does not say plainly how many there are to be")?;
        taken = all.saturating_sub(wanted);
    }
    if change.replaces {
        taken = taken.max(at_once(object, all)?);
    }
    Ok(Taking { all, healthy, taken, taken_healthy: taken })
}

/// How many there are to be, and how many are ready.
fn members(object: &Value) -> Result<(u64, u64), String> {
    let (metadata, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
    let number =
        |value: &Value, name: &str| value.as_u64().ok_or_else(|| format!("the cluster does not tell its {name}"));
    if !status.is_object() {
        return Err("the cluster does not tell its status".to_owned());
    }
    if let (Some(wanted), Some(seen)) = (metadata["generation"].as_u64(), status["observedGeneration"].as_u64())
        && seen < wanted
    {
        return Err("its status is of before its last change".to_owned());
    }
    match object["kind"].as_str() {
        Some("DaemonSet") => {
            let all = number(&status["desiredNumberScheduled"], "desiredNumberScheduled")?;
            Ok((all, number(&status["numberReady"], "numberReady")?))
        }
        // Where none is ready the key is left out.
        Some("Deployment" | "StatefulSet" | "ReplicaSet" | "Rollout") => {
            Ok((number(&spec["replicas"], "replicas")?, status["readyReplicas"].as_u64().unwrap_or(0)))
        }
        other => Err(format!("a {} has no members that are counted here", other.unwrap_or("thing without a kind"))),
    }
}

/// How many go at a time when all are replaced, by the workload's own strategy.
fn at_once(object: &Value, all: u64) -> Result<u64, String> {
    let spec = &object["spec"];
    let untold = || "the cluster does not tell how many go at once".to_owned();
    let (strategy, rounds_up) = match object["kind"].as_str() {
        Some("Deployment") => (&spec["strategy"], false),
        Some("StatefulSet" | "DaemonSet") => (&spec["updateStrategy"], true),
        _ => return Err(untold()),
    };
    let rolling = &strategy["rollingUpdate"];
    let is_stateful = object["kind"] == "StatefulSet";
    match strategy["type"].as_str() {
        Some("Recreate") => Ok(all),
        Some("OnDelete") => Ok(0),
        Some("RollingUpdate") if is_stateful && rolling["maxUnavailable"].is_null() => Ok(1.min(all)),
        Some("RollingUpdate") => {
            let unavailable = resolve(&rolling["maxUnavailable"], all, rounds_up).ok_or_else(untold)?;
            // Both at nothing would be a standstill, so one goes.
            let surges = resolve(&rolling["maxSurge"], all, true).is_some_and(|surge| surge > 0);
            Ok(unavailable.max(u64::from(!surges)).min(all))
        }
        _ => Err(untold()),
    }
}

/// A number, or a share of all as `25%`.
fn resolve(value: &Value, all: u64, rounds_up: bool) -> Option<u64> {
    if let Some(number) = value.as_u64() {
        return Some(number);
    }
    let percent: u64 = value.as_str()?.strip_suffix('%')?.parse().ok().filter(|percent| *percent <= 100)?;
    let hundredths = all.checked_mul(percent)?;
    Some(if rounds_up { hundredths.div_ceil(100) } else { hundredths / 100 })
}

/// What takes nothing away is not held up, whatever state the workload is in.
fn judge(what: &str, taking: &Taking, blast: BlastRadius) -> Result<(), String> {
    let Taking { all, healthy, taken, taken_healthy } = *taking;
    if taken == 0 {
        return Ok(());
    }
    let remaining = healthy.saturating_sub(taken_healthy);
    if let Some(least) = blast.remaining_min.filter(|least| remaining < u64::from(*least)) {
        return Err(format!(
            "it takes {taken} of {all} members of {what} away at a time, and {remaining} healthy ones would remain of {healthy}; \
             `remaining_min` wants {least}; nothing was changed"
        ));
    }
    if let Some(most) = blast.share_max.filter(|most| taken.saturating_mul(100) > all.saturating_mul(u64::from(*most)))
    {
        return Err(format!(
            "it takes {taken} of {all} members of {what} away at a time; `share_max` allows {most} %; nothing was changed"
        ));
    }
    Ok(())
}
