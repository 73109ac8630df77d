//! Whether a call only looks: what a check, a probe or a dry run may be. It goes by the call as the page has it, before any
//! value is put in, so that no value decides what is done.

use std::sync::Arc;

use crate::engine::model::{Call, HttpMethod};

/// `kubectl` verbs that change nothing. What `exec` runs is the word of the page's author.
const KUBECTL: [&str; 13] = [
    "get",
    "describe",
    "logs",
    "top",
    "events",
    "wait",
    "explain",
    "version",
    "cluster-info",
    "api-resources",
    "diff",
    "exec",
    "api-versions",
];
/// Options of `kubectl` that may stand before its verb and take the next word.
const KUBECTL_VALUES: [&str; 11] = [
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
    "--request-timeout",
];
/// `systemctl` verbs that change nothing, beside those that begin with `list-`.
const SYSTEMCTL: [&str; 7] = ["status", "is-active", "is-failed", "is-enabled", "is-system-running", "show", "cat"];
/// Options of `systemctl` that may stand before its verb and take no value.
const SYSTEMCTL_PLAIN: [&str; 9] =
    ["--no-pager", "--quiet", "-q", "--all", "-a", "--full", "-l", "--plain", "--no-legend"];
/// Programs that look at nothing.
const CHANGING: [&str; 13] = [
    "rm", "rmdir", "shred", "shutdown", "reboot", "poweroff", "halt", "kill", "pkill", "killall", "dd", "wipefs",
    "truncate",
];
/// What a container engine must not be asked for.
const CONTAINER: [&str; 5] = ["rm", "stop", "restart", "kill", "start"];

/// What the call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A check's call or a probe.
    Plain,
    /// An act's dry run, which may be the act itself where its program promises to change nothing.
    DryRun,
}

/// Says why a call does more than look, and what to write instead.
pub(super) fn only_looks(call: &Call, look: Look) -> Result<(), String> {
    match call {
        Call::Command { argv } | Call::Ssh { argv, .. } => command(argv, look),
        Call::Playbook(play) | Call::JobTemplate(play) if !play.is_check => {
            Err(format!("`{}` would change hosts; write check = true, or make it an act", play.what))
        }
        Call::Playbook(_) | Call::JobTemplate(_) => Ok(()),
        Call::Http(call) if call.method != HttpMethod::Get => Err(format!(
            "a {} request may change things; write method = \"GET\", or make it an act",
            call.method.as_str()
        )),
        Call::Http(_) => Ok(()),
    }
}

fn command(argv: &[Arc<str>], look: Look) -> Result<(), String> {
    let Some((program, arguments)) = argv.split_first() else { return Ok(()) };
    let name = program.rsplit('/').next().unwrap_or(program);
    match name {
        "kubectl" => kubectl(arguments, look),
        "systemctl" => systemctl(arguments),
        "docker" | "podman" => match arguments.iter().find(|word| CONTAINER.contains(&word.as_ref())) {
            Some(word) => Err(changes(&format!("{name} {word}"))),
            None => Ok(()),
        },
        _ if CHANGING.contains(&name) || name.starts_with("mkfs") => Err(changes(name)),
        _ => Ok(()),
    }
}

fn changes(what: &str) -> String {
    format!("`{what}` does more than look; make it an act, which is asked for and recorded as one")
}

fn kubectl(arguments: &[Arc<str>], look: Look) -> Result<(), String> {
    let own = arguments.split(|word| word.as_ref() == "--").next().unwrap_or_default();
    let mut promises = own.iter().filter(|word| word.starts_with("--dry-run")).peekable();
    if look == Look::DryRun
        && promises.peek().is_some()
        && promises.all(|word| matches!(word.as_ref(), "--dry-run=server" | "--dry-run=client"))
    {
        return Ok(());
    }
    let takes_value = |word: &str| KUBECTL_VALUES.contains(&word);
    let is_plain = |word: &str| word.contains('=') || (word.starts_with("-n") && word.len() > 2);
    let (verb, rest) = verb(own, takes_value, is_plain).ok_or_else(|| first("kubectl", "get"))?;
    let second = rest.first().map_or("", AsRef::as_ref);
    let is_look = match verb {
        "rollout" => matches!(second, "status" | "history"),
        "auth" => matches!(second, "can-i" | "whoami"),
        verb => KUBECTL.contains(&verb),
    };
    if is_look {
        return Ok(());
    }
    let what = if matches!(verb, "rollout" | "auth") { format!("{verb} {second}") } else { verb.to_owned() };
    let remedy = match look {
        Look::Plain => "make it an act",
        Look::DryRun => "add --dry-run=server",
    };
    Err(format!(
        "`kubectl {}` is not one of the verbs that only look; {remedy}, or use {}, auth can-i, rollout status or rollout \
         history, with the verb right behind `kubectl`",
        what.trim_end(),
        KUBECTL.join(", ")
    ))
}

fn systemctl(arguments: &[Arc<str>]) -> Result<(), String> {
    let is_plain = |word: &str| SYSTEMCTL_PLAIN.contains(&word) || (word.starts_with("--") && word.contains('='));
    if arguments.iter().all(|word| is_plain(word)) {
        return Ok(());
    }
    let (verb, _) = verb(arguments, |_| false, is_plain).ok_or_else(|| first("systemctl", "status"))?;
    if SYSTEMCTL.contains(&verb) || verb.starts_with("list-") {
        return Ok(());
    }
    Err(format!("{}; {} and list-… look", changes(&format!("systemctl {verb}")), SYSTEMCTL.join(", ")))
}

fn first(program: &str, such_as: &str) -> String {
    format!(
        "it cannot be told what `{program}` is asked for; write the verb right behind it, such as `{program} {such_as}`"
    )
}

/// The first word that is no option, and what follows it; `None` where an option that is not known stands before it, for
/// that may take the word behind it.
fn verb(
    arguments: &[Arc<str>],
    takes_value: impl Fn(&str) -> bool,
    is_plain: impl Fn(&str) -> bool,
) -> Option<(&str, &[Arc<str>])> {
    let mut at = 0;
    loop {
        let word = arguments.get(at)?;
        if takes_value(word) {
            at += 2;
        } else if !word.starts_with('-') {
            return Some((word, arguments.get(at + 1..).unwrap_or_default()));
        } else if is_plain(word) {
            at += 1;
        } else {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::model::{HttpCall, Play};

    fn said(line: &str, look: Look) -> Result<(), String> {
        let argv: Vec<Arc<str>> = line.split(' ').map(Arc::from).collect();
        let over_ssh = only_looks(&Call::Ssh { host: "web-1".into(), argv: argv.clone() }, look);
        let here = only_looks(&Call::Command { argv }, look);
        assert_eq!(here, over_ssh);
        here
    }

    #[test]
    fn commands_that_look_are_told_from_those_that_do_more() {
        for line in [
            "kubectl get pods -n prod",
            "kubectl -n prod --context=eu get pods",
            "kubectl -nprod logs deployment/delete",
            "/usr/bin/kubectl rollout status deployment/x",
            "kubectl auth can-i delete pods",
            "kubectl exec deployment/x -- df -P /",
            "systemctl status nginx",
            "systemctl --no-pager list-units",
            "systemctl --failed=x",
            "systemctl",
            "docker ps -a",
            "df -h",
            "curl -fsS https://x/",
        ] {
            assert_eq!(said(line, Look::Plain), Ok(()), "{line}");
            assert_eq!(said(line, Look::DryRun), Ok(()), "{line}");
        }
        for line in [
            "kubectl delete pod x",
            "kubectl",
            "kubectl {verb} pod x",
            "kubectl -n get delete pod x",
            "kubectl --token get delete pod x",
            "kubectl rollout restart deployment/x",
            "kubectl rollout",
            "kubectl auth reconcile -f x",
            "kubectl scale deployment/x --replicas=0 --dry-run=none",
            "kubectl scale deployment/x --replicas=0 --dry-run=server --dry-run=none",
            "kubectl run x --image=y -- --dry-run=server",
            "/bin/systemctl restart nginx",
            "systemctl -n status restart nginx",
            "rm -rf /tmp/x",
            "/bin/kill 1",
            "mkfs.ext4 /dev/sdb",
            "podman container restart x",
            "docker rm x",
        ] {
            for look in [Look::Plain, Look::DryRun] {
                assert!(said(line, look).is_err(), "{line}");
            }
        }
        for line in ["kubectl delete pod x --dry-run=server", "kubectl cordon x --dry-run=client"] {
            assert!(said(line, Look::Plain).is_err(), "{line}");
            assert_eq!(said(line, Look::DryRun), Ok(()), "{line}");
        }
    }

    #[test]
    fn plays_look_in_check_mode_and_requests_by_get() {
        for is_check in [true, false] {
            let play = Play { what: "x.yml".into(), limit: "web".into(), vars: BTreeMap::new(), is_check };
            for call in [Call::Playbook(play.clone()), Call::JobTemplate(play)] {
                assert_eq!(only_looks(&call, Look::DryRun).is_ok(), is_check);
            }
        }
        for (method, is_look) in [(HttpMethod::Get, true), (HttpMethod::Post, false), (HttpMethod::Delete, false)] {
            let (endpoint, path) = ("argo".into(), "/x".into());
            let call = HttpCall { endpoint, method, path, body: serde_json::Value::Null, statuses: Vec::new() };
            assert_eq!(only_looks(&Call::Http(call), Look::Plain).is_ok(), is_look);
        }
    }
}
