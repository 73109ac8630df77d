//! Reads a `kubectl` command: what it changes, of which object, in which cluster and namespace.

use std::fmt;
use std::sync::Arc;

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Scale,
    Restart,
    Undo,
    Set,
    Patch,
    DeletePod,
    Delete,
}

/// A command that changes objects which others may own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub verb: Verb,
    pub targets: Vec<Target>,
    /// Options that say which cluster, as whom and where, as they were given.
    pub global: Vec<Global>,
    /// True where it says how many there are to be.
    pub sets_replicas: bool,
    /// How many, as far as that can be read.
    pub replicas: Option<u64>,
    /// True where it changes what members are made of, so that all are replaced.
    pub replaces: bool,
    /// True where it writes as Flux does, which leaves it alone then.
    pub writes_as_flux: bool,
}

/// An option of every command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Global {
    pub words: Vec<Arc<str>>,
}

impl Global {
    pub fn is_namespace(&self) -> bool {
        self.words.first().is_some_and(|word| word.starts_with("-n") || word.starts_with("--namespace"))
    }

    fn value(&self) -> Option<&str> {
        match &self.words[..] {
            [_, value] => Some(value),
            [word] => word.split_once('=').map(|(_, value)| value).or_else(|| word.strip_prefix("-n")),
            _ => None,
        }
    }
}

/// An object by its kind and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// As it was written.
    pub resource: String,
    /// `Deployment` and the like; as it was written for others.
    pub kind: String,
    pub name: String,
}

impl Target {
    /// True where something else may set how many there are.
    pub fn is_scalable(&self) -> bool {
        matches!(self.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet" | "Rollout") || !is_known(&self.kind)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.resource, self.name)
    }
}

/// One target of a change.
pub(super) struct Guarded<'a> {
    pub change: &'a Change,
    pub target: &'a Target,
}

impl Guarded<'_> {
    /// ` -n prod`, for a command that a person can run.
    pub fn namespace(&self) -> String {
        let given = self.change.global.iter().find(|option| option.is_namespace()).and_then(Global::value);
        given.map(|name| format!(" -n {name}")).unwrap_or_default()
    }
}

/// Options of every command, all of which take a value.
pub(super) const GLOBAL: [&str; 18] = [
    "-n",
    "--namespace",
    "--context",
    "--kubeconfig",
    "--cluster",
    "--user",
    "-s",
    "--server",
    "--as",
    "--as-group",
    "--as-uid",
    "--token",
    "--certificate-authority",
    "--client-certificate",
    "--client-key",
    "--tls-server-name",
    "--cache-dir",
    "--request-timeout",
];
/// Options of the commands that are looked at, which take a value.
pub(super) const WITH_VALUE: [&str; 20] = [
    "--replicas",
    "--current-replicas",
    "--resource-version",
    "--timeout",
    "--to-revision",
    "-p",
    "--patch",
    "--type",
    "--subresource",
    "-o",
    "--output",
    "--field-manager",
    "--grace-period",
    "-c",
    "--containers",
    "--limits",
    "--requests",
    "--template",
    "-v",
    "--v",
];
/// And those that do not.
const PLAIN: [&str; 14] = [
    "--record",
    "--local",
    "--now",
    "--force",
    "--wait",
    "--ignore-not-found",
    "--show-managed-fields",
    "--overwrite",
    "--insecure-skip-tls-verify",
    "--match-server-version",
    "--warnings-as-errors",
    "--allow-missing-template-keys",
    "--disable-compression",
    "--dry-run",
];
/// Options by which a command finds its objects by itself.
pub(super) const BY_SELECTION: [&str; 10] = [
    "-l",
    "--selector",
    "--all",
    "-f",
    "--filename",
    "-k",
    "--kustomize",
    "-A",
    "--all-namespaces",
    "--field-selector",
];

/// Commands that bring objects of their own.
const WHOLESALE: [&str; 4] = ["apply", "replace", "edit", "autoscale"];

/// What the command changes; `None` for one that only looks, or changes what has no owner of this sort.
///
/// # Errors
/// Where it changes something and it cannot be told what.
pub(super) fn read(argv: &[Arc<str>]) -> Result<Option<Change>, String> {
    let mut words = Vec::new();
    let mut change = Change {
        verb: Verb::Patch,
        targets: Vec::new(),
        global: Vec::new(),
        sets_replicas: false,
        replicas: None,
        replaces: false,
        writes_as_flux: false,
    };
    let mut doubt = None;
    let mut rest = argv.iter().skip(1);
    while let Some(word) = rest.next() {
        if word.as_ref() == "--" {
            words.extend(rest.map(AsRef::as_ref));
            break;
        }
        if !word.starts_with('-') || word.len() == 1 {
            words.push(word.as_ref());
            continue;
        }
        let (name, value) = option(word);
        let takes_value = GLOBAL.contains(&name) || WITH_VALUE.contains(&name);
        let next = if value.is_none() && takes_value { rest.next() } else { None };
        let value = value.or(next.map(AsRef::as_ref));
        if GLOBAL.contains(&name) {
            change.global.push(Global { words: std::iter::once(word).chain(next).cloned().collect() });
        } else if BY_SELECTION.contains(&name) {
            doubt.get_or_insert(format!(
                "`{name}` finds its objects by itself; name the object, so that its owner can be looked up"
            ));
        } else if !takes_value && !PLAIN.contains(&name) {
            doubt.get_or_insert(format!("`{name}` is not known here, so what the command changes cannot be told"));
        }
        let text = value.unwrap_or_default();
        if matches!(name, "-p" | "--patch") {
            change.sets_replicas |= text.contains("replicas");
            change.replaces |= text.contains("template") || !text.contains("replicas");
            change.replicas = replicas_of(text);
        }
        if name == "--replicas" {
            change.replicas = text.parse().ok();
        }
        change.writes_as_flux |= name == "--field-manager" && text == "flux-client-side-apply";
    }
    if let Some(word) = words.first().filter(|word| WHOLESALE.contains(word)) {
        return Err(format!(
            "`kubectl {word}` changes whatever it is handed; name the object and use scale, set, patch or rollout, so that its \
             owner can be looked up"
        ));
    }
    let Some((verb, objects)) = verb(&words) else { return Ok(None) };
    if let Some(doubt) = doubt {
        return Err(doubt);
    }
    change.verb = verb;
    change.sets_replicas |= verb == Verb::Scale;
    change.replaces |= matches!(verb, Verb::Restart | Verb::Undo | Verb::Set);
    if verb == Verb::Delete {
        (change.sets_replicas, change.replicas) = (true, Some(0));
    }
    change.targets = targets(verb, objects)?;
    Ok(Some(change))
}

/// How many a patch says there are to be.
fn replicas_of(patch: &str) -> Option<u64> {
    let patch: serde_json::Value = serde_json::from_str(patch).ok()?;
    patch["spec"]["replicas"].as_u64()
}

/// An option's name, and its value where it is in the same word.
pub(super) fn option(word: &str) -> (&str, Option<&str>) {
    if let Some((name, value)) = word.split_once('=') {
        return (name, Some(value));
    }
    // `-nprod`; a short option without a value stays as it is.
    let is_joined = word.len() > 2 && !word.starts_with("--") && word.is_char_boundary(2);
    if is_joined { (&word[..2], Some(&word[2..])) } else { (word, None) }
}

/// What is done, and the words for what it is done to.
fn verb<'a, 'b>(words: &'b [&'a str]) -> Option<(Verb, &'b [&'a str])> {
    Some(match words {
        ["scale", objects @ ..] => (Verb::Scale, objects),
        ["rollout", "restart", objects @ ..] => (Verb::Restart, objects),
        ["rollout", "undo", objects @ ..] => (Verb::Undo, objects),
        ["set", "image" | "env" | "resources" | "serviceaccount" | "sa", objects @ ..] => (Verb::Set, objects),
        ["patch", objects @ ..] => (Verb::Patch, objects),
        ["delete", objects @ ..] if objects.first().is_some_and(|word| is_pod(word)) => (Verb::DeletePod, objects),
        ["delete", objects @ ..] if objects.first().is_some_and(|word| is_workload(word)) => (Verb::Delete, objects),
        _ => return None,
    })
}

/// What runs members: taken away, all of them go.
fn is_workload(word: &str) -> bool {
    let kind = kind_of(word.split_once('/').map_or(word, |(resource, _)| resource));
    ["Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "Rollout"].contains(&kind)
}

fn is_pod(word: &str) -> bool {
    kind_of(word.split_once('/').map_or(word, |(resource, _)| resource)) == "Pod"
}

fn targets(verb: Verb, words: &[&str]) -> Result<Vec<Target>, String> {
    let names = match verb {
        // Behind the object are `container=image` and `NAME=value`.
        Verb::Set => words.iter().copied().filter(|word| !word.contains('=') && !word.ends_with('-')).collect(),
        _ => words.to_vec(),
    };
    let target = |resource: &str, name: &str| {
        let is_name = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        };
        if is_name(resource) && is_name(name) {
            Ok(Target { resource: resource.to_owned(), kind: kind_of(resource).to_owned(), name: name.to_owned() })
        } else {
            Err(format!("`{}/{}` names no object", resource.escape_debug(), name.escape_debug()))
        }
    };
    let found: Result<Vec<Target>, String> = match names[..] {
        [first, ref others @ ..] if !first.contains('/') && !others.is_empty() => {
            others.iter().map(|name| target(first, name)).collect()
        }
        _ => names
            .iter()
            .map(|word| word.split_once('/').map_or_else(|| target(word, ""), |(kind, name)| target(kind, name)))
            .collect(),
    };
    match found {
        Ok(targets) if targets.is_empty() => Err("it names no object, so its owner cannot be looked up".to_owned()),
        found => found,
    }
}

/// The kind behind what people write for it.
fn kind_of(resource: &str) -> &str {
    let plain = resource.split('.').next().unwrap_or(resource);
    let lower = plain.to_ascii_lowercase();
    match lower.as_str() {
        "deploy" | "deployment" | "deployments" => "Deployment",
        "sts" | "statefulset" | "statefulsets" => "StatefulSet",
        "rs" | "replicaset" | "replicasets" => "ReplicaSet",
        "ds" | "daemonset" | "daemonsets" => "DaemonSet",
        "po" | "pod" | "pods" => "Pod",
        "rollout" | "rollouts" | "ro" => "Rollout",
        "hpa" | "horizontalpodautoscaler" | "horizontalpodautoscalers" => "HorizontalPodAutoscaler",
        "so" | "scaledobject" | "scaledobjects" => "ScaledObject",
        "cm" | "configmap" | "configmaps" => "ConfigMap",
        "no" | "node" | "nodes" => "Node",
        _ => resource,
    }
}

fn is_known(kind: &str) -> bool {
    ["DaemonSet", "Pod", "HorizontalPodAutoscaler", "ScaledObject", "ConfigMap", "Node"].contains(&kind)
}
