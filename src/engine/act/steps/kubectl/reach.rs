//! How many objects a command changes, counted before it changes any.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use super::command::{BY_SELECTION, GLOBAL, WITH_VALUE, option};
use crate::engine::act::steps::Attempt;
use crate::engine::act::steps::process::{self, Program};
use crate::engine::act::steps::run_command::CommandRules;
use crate::engine::ingest::normalize::sanitize;
use crate::engine::limits::{OWNERS_ANSWER_BYTES_MAX, OWNERS_LOOK_MS_MAX};

/// Selections that are in a file, which nobody has shown.
const BY_FILE: [&str; 4] = ["-f", "--filename", "-k", "--kustomize"];
/// Selections that take no value.
const EVERY: [&str; 3] = ["--all", "-A", "--all-namespaces"];

/// What a command changes, as far as its words say.
#[derive(Debug, PartialEq, Eq)]
enum Objects {
    /// Nothing that is counted.
    None,
    /// So many, by name.
    Named(usize),
    /// What these words of `kubectl get` find.
    Selected(Vec<Arc<str>>),
}

/// Refuses a command that would change more objects than the step allows, or nobody knows how many.
pub(super) async fn check(argv: &[Arc<str>], rules: &CommandRules, attempt: &Attempt) -> Result<(), String> {
    let Some(most) = attempt.targets_max else { return Ok(()) };
    let count = match objects(argv)? {
        Objects::None => return Ok(()),
        Objects::Named(count) => count,
        Objects::Selected(words) => found(&argv[0], &words, rules, attempt).await?,
    };
    attempt.within(most, count, "objects")
}

async fn found(program: &str, words: &[Arc<str>], rules: &CommandRules, attempt: &Attempt) -> Result<usize, String> {
    let arguments = ["get", "-o", "name"].into_iter().chain(words.iter().map(AsRef::as_ref));
    let arguments = arguments.map(OsString::from).collect();
    let program = Program { path: rules.resolve(program)?, arguments, environment: rules.environment() };
    let limit = attempt.left().min(Duration::from_millis(OWNERS_LOOK_MS_MAX));
    let cannot = |why: &str| format!("what it selects could not be counted ({why}); nothing was changed");
    let looked = process::look(&program, limit, OWNERS_ANSWER_BYTES_MAX).await.map_err(|problem| cannot(&problem))?;
    if looked.code != Some(0) {
        return Err(cannot(&sanitize(looked.stderr.lines().next_back().unwrap_or("it said nothing"), 512)));
    }
    Ok(String::from_utf8_lossy(&looked.stdout).lines().filter(|line| !line.trim().is_empty()).count())
}

fn objects(argv: &[Arc<str>]) -> Result<Objects, String> {
    let (mut words, mut selection, mut global): (Vec<&str>, Vec<Arc<str>>, Vec<Arc<str>>) = Default::default();
    let (mut is_selection, mut is_file) = (false, false);
    let mut rest = argv.iter().skip(1);
    while let Some(word) = rest.next() {
        if word.as_ref() == "--" {
            break;
        }
        if !word.starts_with('-') || word.len() == 1 {
            words.push(word.as_ref());
            continue;
        }
        let (name, value) = option(word);
        let selects = BY_SELECTION.contains(&name);
        let takes_value = GLOBAL.contains(&name) || WITH_VALUE.contains(&name) || selects && !EVERY.contains(&name);
        let next = if value.is_none() && takes_value { rest.next() } else { None };
        is_selection |= selects;
        is_file |= BY_FILE.contains(&name);
        let kept = if GLOBAL.contains(&name) { &mut global } else { &mut selection };
        if GLOBAL.contains(&name) || selects && name != "--all" {
            kept.extend(std::iter::once(word).chain(next).cloned());
        }
    }
    let Some((kind, named)) = named(&words) else { return Ok(Objects::None) };
    if is_file {
        return Err("the objects it changes are in a file, so they cannot be counted; name them".to_owned());
    }
    if is_selection {
        let kind = kind.or_else(|| named.first().copied()).ok_or("what it selects has no kind; name it")?;
        return Ok(Objects::Selected(std::iter::once(Arc::from(kind)).chain(selection).chain(global).collect()));
    }
    Ok(Objects::Named(match named[..] {
        _ if kind.is_some() => named.len(),
        [first, ..] if !first.contains('/') => first.split(',').count() * (named.len() - 1),
        _ => named.len(),
    }))
}

/// The kind, where the verb fixes it, and the words that name objects; `None` for verbs that are not counted.
fn named<'a>(words: &[&'a str]) -> Option<(Option<&'static str>, Vec<&'a str>)> {
    let is_name = |word: &&str| !word.contains('=') && !word.ends_with('-');
    let (kind, objects) = match words {
        ["cordon" | "uncordon" | "drain", objects @ ..] => (Some("nodes"), objects),
        [
            "label" | "annotate" | "taint" | "delete" | "scale" | "patch" | "autoscale" | "apply" | "replace",
            objects @ ..,
        ]
        | ["rollout", "restart" | "undo" | "pause" | "resume", objects @ ..]
        | ["set", _, objects @ ..] => (None, objects),
        _ => return None,
    };
    Some((kind, objects.iter().copied().filter(is_name).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Objects, String> {
        objects(&line.split_whitespace().map(Arc::from).collect::<Vec<Arc<str>>>())
    }

    #[test]
    fn objects_are_counted_by_name_or_asked_for() {
        for (line, count) in [
            ("kubectl cordon node-1", 1),
            ("kubectl drain node-1 node-2 --ignore-daemonsets --timeout=5m", 2),
            ("kubectl delete networkpolicy a -n prod", 1),
            ("kubectl delete pod a b c", 3),
            ("kubectl delete pod/a svc/b", 2),
            ("kubectl delete pods,services a b", 4),
            ("kubectl annotate ingress shop -n prod x/limit-rps=5", 1),
            ("kubectl annotate ingress shop -n prod x/limit-rps-", 1),
            ("kubectl set env deployment/shop -n prod A=off", 1),
            ("kubectl set selector service shop app=replica -n prod", 1),
            ("kubectl rollout restart deployment a b", 2),
            ("kubectl patch quota q -n prod --type=merge -p {\"spec\":1}", 1),
        ] {
            assert_eq!(of(line), Ok(Objects::Named(count)), "{line}");
        }
        let asked = |line: &str| match of(line) {
            Ok(Objects::Selected(words)) => words.join(" "),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(asked("kubectl label nodes -l zone=a out=true --context eu"), "nodes -l zone=a --context eu");
        assert_eq!(asked("kubectl drain --selector=zone=a"), "nodes --selector=zone=a");
        assert_eq!(asked("kubectl delete pods --all -A"), "pods -A");
        for line in ["kubectl delete -f x.yaml", "kubectl apply -k dir", "kubectl delete --all"] {
            assert!(of(line).is_err(), "{line}");
        }
        for line in
            ["kubectl get pods -A", "kubectl exec deployment/a -- rm -f x", "kubectl create job a --from=cronjob/b"]
        {
            assert_eq!(of(line), Ok(Objects::None), "{line}");
        }
    }
}
