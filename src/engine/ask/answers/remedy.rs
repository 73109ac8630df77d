//! A draft of what would mend it: the steps of the runbooks that fit, filtered by what is asked of them. Nothing is begun here.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact, Form};
use crate::engine::ask::ground::Ground;
use crate::engine::ask::slots::{Constraint, Slots};
use crate::engine::model::{Proposal, StepEffect, StepSpec};

/// How many steps are told.
const STEPS_MAX: usize = 12;

/// The runbook that fits best and is as it was asked to be.
pub(super) fn draft(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let Some(incident) = ground.incident(slots).filter(|incident| incident.state.is_live()) else {
        return Answer::unknown(Claim::of("There is nothing to mend: no incident is open.", []))
            .then(&["which runbook fits"]);
    };
    let of_service = |proposal: &&Arc<Proposal>| slots.is_about(Some(proposal.service.as_str()));
    let all = ground.snapshot.proposals.get(&incident.id).map(Vec::as_slice).unwrap_or_default();
    let mut fits: Vec<&Arc<Proposal>> = all.iter().filter(of_service).collect();
    let is_elsewhere = fits.is_empty() && !all.is_empty();
    if is_elsewhere {
        fits = all.iter().collect();
    }
    let mut refused: Vec<Claim> = Vec::new();
    let mut chosen = None;
    for proposal in fits {
        match slots.constraint.iter().find(|constraint| !meets(proposal, **constraint)) {
            None => {
                chosen = Some(proposal);
                break;
            }
            Some(constraint) => refused.push(unmet(proposal, *constraint)),
        }
    }
    let Some(proposal) = chosen else {
        let lead = if refused.is_empty() {
            Claim::of("No runbook fits what is known, so there is no remedy to propose.", [])
        } else {
            Claim::of("No runbook that fits is as it was asked to be.", [])
        };
        return Answer::unknown(lead)
            .with_first(STEPS_MAX, refused.into_iter(), Citation::Totals)
            .then(&["what is the root cause", "what should I do next"]);
    };
    let from = || Citation::Runbook(Arc::clone(&proposal.runbook.id));
    let lead = Claim::of(
        "{} would be the remedy; nothing has been done. Begin it as a runbook, and approve each step.",
        [Fact::new(&proposal.runbook.title, from())],
    );
    let mut answer = Answer::known(lead);
    if is_elsewhere {
        let place = Fact::new(&proposal.service, from());
        answer.claims.push(Claim::of("It is for {}, where the cause is.", [place]));
    }
    let steps = proposal.steps.iter().map(|step| {
        let title = Fact::new(&step.spec.title, from());
        match call(&step.spec) {
            Some(words) => Claim::of("{}: {}", [title, Fact::new(words, from()).written(Form::Command)]),
            None => Claim::of("{}.", [title]),
        }
    });
    let mut answer = answer.with_first(STEPS_MAX, steps, from());
    let is_careful = |constraint: &Constraint| matches!(constraint, Constraint::ZeroDowntime | Constraint::Gradual);
    if slots.constraint.iter().any(is_careful)
        && let Some(workload) = proposal.steps.iter().find_map(|step| workload(&step.spec))
    {
        let manifest = Fact::new(workload.manifest(), from()).written(Form::Manifest);
        let lead = "Apply this first, so that no instance goes before another one is ready; look its numbers over: {}";
        answer.claims.push(Claim::of(lead, [manifest]));
    }
    answer
        .with_first(STEPS_MAX, refused.into_iter(), Citation::Totals)
        .then(&["what would happen if I did that now", "how sure are you"])
}

/// A deployment that a step acts on, as its command names it.
struct Workload {
    name: String,
    namespace: Option<String>,
}

impl Workload {
    /// What makes every later rollout of it gradual: one instance more, none less, and each looked at for a while.
    fn manifest(&self) -> String {
        let namespace = self.namespace.as_ref().map(|name| format!("  namespace: {name}\n")).unwrap_or_default();
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {}\n{namespace}spec:\n  minReadySeconds: 30\n  \
             progressDeadlineSeconds: 600\n  strategy:\n    type: RollingUpdate\n    rollingUpdate:\n      \
             maxUnavailable: 0\n      maxSurge: 1\n",
            self.name
        )
    }
}

/// The deployment that a step of kubectl changes.
fn workload(step: &StepSpec) -> Option<Workload> {
    let words = step.act()?.call.words();
    let is_kubectl = words.first().is_some_and(|program| program.as_ref() == "kubectl");
    let name = words.iter().find_map(|word| word.strip_prefix("deployment/")).filter(|_| is_kubectl)?.to_owned();
    let after = |flag: &str| words.iter().skip_while(|word| word.as_ref() != flag).nth(1).map(ToString::to_string);
    Some(Workload { name, namespace: after("-n").or_else(|| after("--namespace")) })
}

/// The command of a step, as it would be called.
fn call(step: &StepSpec) -> Option<String> {
    let call = step.call()?;
    let words = call.words();
    (!words.is_empty()).then(|| words.join(" "))
}

/// True where a runbook is as it was asked to be, as far as its page says.
fn meets(proposal: &Proposal, constraint: Constraint) -> bool {
    let words: BTreeSet<String> = proposal
        .steps
        .iter()
        .filter_map(|step| call(&step.spec))
        .flat_map(|call| call.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>())
        .collect();
    let says = |any: &[&str]| any.iter().any(|word| words.contains(*word));
    let acts = || proposal.steps.iter().filter(|step| step.spec.act().is_some());
    match constraint {
        Constraint::NoRestart => !says(&["restart", "reboot", "kill", "delete-pod"]),
        Constraint::Reversible => acts().all(|step| step.spec.effect == StepEffect::Reversible),
        // A rollout replaces instances one after another; anything that ends them at once does not.
        Constraint::ZeroDowntime => {
            !says(&["reboot", "kill", "scale"]) && !acts().any(|step| step.spec.effect == StepEffect::Irreversible)
        }
        Constraint::Gradual => says(&["rollout"]) || acts().count() == 0,
    }
}

fn unmet(proposal: &Proposal, constraint: Constraint) -> Claim {
    let runbook = Fact::new(&proposal.runbook.id, Citation::Runbook(Arc::clone(&proposal.runbook.id)));
    let pattern = match constraint {
        Constraint::NoRestart => "{} restarts something.",
        Constraint::Reversible => "{} does something that cannot be taken back.",
        Constraint::ZeroDowntime => "{} may be felt while it lasts.",
        Constraint::Gradual => "{} acts on all at once.",
    };
    Claim::of(pattern, [runbook])
}
