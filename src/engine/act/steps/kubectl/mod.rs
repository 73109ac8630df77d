//! Looks up who owns an object of a cluster before `kubectl` changes it. What an autoscaler, a rollout controller or a Git
//! repository holds as it wants it is changed there, or the change is undone within minutes: such a step is refused, with
//! the reason and the command that changes the right thing. What cannot be looked up is refused as well.

mod command;
mod members;
mod owners;
mod reach;

use std::ffi::OsString;
use std::sync::Arc;

use serde_json::Value;

use self::command::{Change, Guarded, Target, Verb};
use super::process::{self, Program};
use super::run_command::{self, CommandRules};
use super::{Attempt, not_started};
use crate::engine::input::StepProgress;
use crate::engine::limits::{OWNERS_ANSWER_BYTES_MAX, OWNERS_LOOK_MS_MAX};

/// True for a command that this looks at before it is run.
#[must_use]
pub fn is_kubectl(argv: &[Arc<str>]) -> bool {
    argv.first().is_some_and(|program| program.rsplit('/').next() == Some("kubectl"))
}

/// Runs the command, if nobody else owns what it changes.
pub async fn run(argv: &[Arc<str>], rules: &CommandRules, attempt: &Attempt) -> StepProgress {
    let counted = tokio::select! {
        counted = reach::check(argv, rules, attempt) => counted,
        () = attempt.stop.notified() => Err("stopped by a person while its objects were counted".to_owned()),
    };
    if let Err(reason) = counted {
        return not_started(reason);
    }
    match command::read(argv) {
        Ok(None) if attempt.blast().is_limited() => {
            return not_started(
                "how many members it takes away cannot be counted for this command; nothing was changed",
            );
        }
        Ok(None) => {}
        Ok(Some(change)) => {
            let cluster = Cluster { rules, attempt, program: &argv[0], change: &change };
            let stop = attempt.stop.notified();
            tokio::select! {
                verdict = cluster.look() => {
                    if let Err(reason) = verdict {
                        return not_started(reason);
                    }
                }
                () = stop => return not_started("stopped by a person while its owners were looked up"),
            }
        }
        Err(reason) => return not_started(reason),
    }
    run_command::run(argv, rules, attempt).await
}

/// What is asked of the cluster about one change.
struct Cluster<'a> {
    rules: &'a CommandRules,
    attempt: &'a Attempt,
    program: &'a str,
    change: &'a Change,
}

/// What the cluster has under a name, or that it has no such kind at all.
enum Kind {
    Items(Vec<Value>),
    Unknown,
}

impl Cluster<'_> {
    async fn look(&self) -> Result<(), String> {
        let mut objects = Vec::new();
        for target in &self.change.targets {
            objects.push((target, self.look_at(target).await?));
        }
        if self.attempt.blast().is_limited() { members::check(self, &objects).await } else { Ok(()) }
    }

    /// The object as it is, where nobody else owns what is changed of it.
    async fn look_at(&self, target: &Target) -> Result<Value, String> {
        let object = match self.get(&[target.resource.as_str(), target.name.as_str()]).await? {
            Kind::Items(mut items) => items.pop().unwrap_or_default(),
            Kind::Unknown => return Err(format!("the cluster has no kind `{}`", target.resource)),
        };
        let named = object["metadata"]["name"].as_str();
        if named != Some(target.name.as_str()) {
            return Err(format!("the cluster told of `{}` where {target} was asked for", named.unwrap_or("nothing")));
        }
        let guarded = Guarded { change: self.change, target };
        owners::refuse_bare_pod(&guarded, &object)?;
        owners::refuse_controller(&guarded, &object)?;
        if self.change.verb != Verb::DeletePod {
            self.refuse_scalers(&guarded).await?;
            self.refuse_rollout(&guarded).await?;
            self.refuse_git(&guarded, &object).await?;
        }
        Ok(object)
    }

    async fn refuse_scalers(&self, guarded: &Guarded<'_>) -> Result<(), String> {
        if !guarded.change.sets_replicas || !guarded.target.is_scalable() {
            return Ok(());
        }
        // KEDA makes an autoscaler of its own, which it would put back: what it was made from is named first.
        if let Kind::Items(items) = self.get(&["scaledobjects.keda.sh"]).await? {
            owners::refuse_keda(guarded, &items)?;
        }
        if let Kind::Items(items) = self.get(&["horizontalpodautoscalers.autoscaling"]).await? {
            owners::refuse_autoscaler(guarded, &items)?;
        }
        Ok(())
    }

    async fn refuse_rollout(&self, guarded: &Guarded<'_>) -> Result<(), String> {
        if guarded.target.kind != "Deployment" {
            return Ok(());
        }
        match self.get(&["rollouts.argoproj.io"]).await? {
            Kind::Items(items) => owners::refuse_referring_rollout(guarded, &items),
            Kind::Unknown => Ok(()),
        }
    }

    async fn refuse_git(&self, guarded: &Guarded<'_>, object: &Value) -> Result<(), String> {
        owners::refuse_flux(guarded, object)?;
        owners::refuse_argo_cd(guarded, object)?;
        // By this label Argo CD may track what is its own, and Helm marks what is not.
        let Some(instance) = object["metadata"]["labels"]["app.kubernetes.io/instance"].as_str() else {
            return Ok(());
        };
        if guarded.change.verb == Verb::Restart {
            return Ok(());
        }
        match self.get(&["applications.argoproj.io", "--all-namespaces"]).await? {
            Kind::Items(items) => owners::refuse_tracked(guarded, instance, &items),
            Kind::Unknown => Ok(()),
        }
    }

    /// What `kubectl get` tells, with the very cluster and namespace of the step. What it cannot tell is an error, unless
    /// it says that there is no such kind.
    async fn get(&self, what: &[&str]) -> Result<Kind, String> {
        let asked = what.join(" ");
        let refuse = |problem: String| {
            format!(
                "who owns what it changes could not be looked up (kubectl get {asked}): {problem}; nothing was changed"
            )
        };
        let every = what.contains(&"--all-namespaces");
        let path = self.rules.resolve(self.program)?;
        let mut arguments: Vec<OsString> = vec![OsString::from("get")];
        arguments.extend(what.iter().map(OsString::from));
        arguments.extend(["-o", "json", "--ignore-not-found=false"].map(OsString::from));
        let global = self.change.global.iter().filter(|option| !every || !option.is_namespace());
        arguments.extend(global.flat_map(|option| option.words.iter().map(|word| OsString::from(word.as_ref()))));
        let program = Program { path, arguments, environment: self.rules.environment() };
        let limit = self.attempt.left().min(std::time::Duration::from_millis(OWNERS_LOOK_MS_MAX));
        let looked = process::look(&program, limit, OWNERS_ANSWER_BYTES_MAX).await.map_err(refuse)?;
        if looked.code != Some(0) {
            let said = looked.stderr.lines().next_back().unwrap_or("it said nothing");
            if is_unknown_kind(said) {
                return Ok(Kind::Unknown);
            }
            return Err(refuse(crate::engine::ingest::normalize::sanitize(said, 512).to_string()));
        }
        let answer: Value = serde_json::from_slice(&looked.stdout)
            .map_err(|problem| refuse(format!("its answer cannot be read: {problem}")))?;
        match (&answer["kind"], &answer["items"]) {
            (Value::String(_), Value::Array(items)) => Ok(Kind::Items(items.clone())),
            (Value::String(_), Value::Null) if answer["metadata"].is_object() => Ok(Kind::Items(vec![answer])),
            _ => Err(refuse("its answer is neither an object nor a list".to_owned())),
        }
    }
}

/// What the API server's clients say of a kind that is not installed.
fn is_unknown_kind(said: &str) -> bool {
    said.contains("the server doesn't have a resource type")
        || said.contains("no matches for kind")
        || said.contains("the server could not find the requested resource")
}

#[cfg(test)]
mod tests;
