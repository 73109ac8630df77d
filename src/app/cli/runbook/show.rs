//! `hypo runbook show`: a page as it is read at night, with what the engine reads in it.

use super::super::{Exit, Failure, output};
use crate::app::arguments::CommonArguments;
use crate::engine::act::walk::command_line;
use crate::engine::clock::{MINUTE_MS, SECOND_MS};
use crate::engine::model::{
    ActSpec, Call, CheckSpec, Goto, LabelMatcher, Look, MetricGoal, ParamSpec, Repeat, Runbook, RunbookPlace,
    StepEffect, StepKind, StepSpec, Unexpected, When,
};

pub(super) fn run(common: &CommonArguments, id: &str, is_json: bool) -> Result<Exit, Failure> {
    let library = super::library(common)?;
    let runbook = super::find(&library, id)?;
    if is_json {
        output::json(runbook.as_ref())?;
        return Ok(Exit::Done);
    }
    for line in page(runbook) {
        output::line(&line)?;
    }
    Ok(Exit::Done)
}

/// The whole page in lines.
fn page(runbook: &Runbook) -> Vec<String> {
    let mut lines = vec![runbook.title.to_string(), String::new()];
    lines.push(format!("  {}, version {}, kept by {}, {}", runbook.id, runbook.version, runbook.owner, runbook.origin));
    let verified = runbook.verified.as_ref().map_or_else(
        || "never verified".to_owned(),
        |day| format!("verified {day}, good for {} days", runbook.expires_days),
    );
    lines.push(format!(
        "  {verified}; about {} min; at most {} acts",
        runbook.estimate_seconds.div_ceil(60),
        runbook.acts_max
    ));
    let kinds: Vec<&str> = runbook.problems.iter().map(|kind| kind.title()).collect();
    lines.push(format!("  for {}{}", kinds.join(", "), conditions(runbook)));
    for (name, spec) in &runbook.params {
        lines.push(format!("  {{{name}}}: {}", param(spec)));
    }
    for (number, step) in runbook.steps.iter().enumerate() {
        lines.push(String::new());
        lines.extend(step.text.lines().map(str::to_owned));
        lines.push(String::new());
        lines.push(format!("{}. {} [{}]", number + 1, step.title, step.name));
        lines.extend(facts(step).into_iter().map(|fact| format!("     {fact}")));
    }
    lines
}

fn conditions(runbook: &Runbook) -> String {
    let mut text = match runbook.place {
        RunbookPlace::Anywhere => String::new(),
        RunbookPlace::Machine => ", on this machine".to_owned(),
        RunbookPlace::Cluster => ", in the cluster".to_owned(),
    };
    if !runbook.service_pattern.is_empty() {
        text.push_str(&format!(", of services {}", runbook.service_pattern));
    }
    if !runbook.symptoms.is_empty() {
        text.push_str(&format!(", where one departs of {}", runbook.symptoms.join(", ")));
    }
    for matchers in &runbook.alerts {
        let matchers: Vec<String> = matchers.iter().map(matcher).collect();
        text.push_str(&format!(", with an alert {}", matchers.join(" and ")));
    }
    text
}

fn matcher(matcher: &LabelMatcher) -> String {
    let operator = match (matcher.is_equal, matcher.is_pattern) {
        (true, false) => "=",
        (true, true) => "=~",
        (false, false) => "!=",
        (false, true) => "!~",
    };
    format!("{}{operator}\"{}\"", matcher.label, matcher.value)
}

fn param(spec: &ParamSpec) -> String {
    let mut text = format!("{:?} from {}", spec.kind, spec.from).to_lowercase();
    if let (Some(min), Some(max)) = (spec.min, spec.max) {
        text.push_str(&format!(", {min} to {max}"));
    }
    if let Some(pattern) = &spec.pattern {
        text.push_str(&format!(", matching {pattern}"));
    }
    if !spec.choices.is_empty() {
        text.push_str(&format!(", one of {}", spec.choices.join(", ")));
    }
    text
}

/// What a step does, line by line; `hypo runbook run` shows it with its values.
pub(super) fn facts(step: &StepSpec) -> Vec<String> {
    match &step.kind {
        StepKind::Note => vec!["read it".to_owned()],
        StepKind::Check(check) => check_facts(step, check),
        StepKind::Act(act) => act_facts(step, act),
        StepKind::Wait { for_ms, until: None } => vec![format!("waits {}", span(*for_ms))],
        StepKind::Wait { for_ms, until: Some(goal) } => {
            vec![format!("waits until {} for {}, at most {}", told(goal), span(*for_ms), span(step.timeout_ms))]
        }
        StepKind::Verify { goal, hold_ms, samples_min, volume } => {
            let volume = volume.as_ref().map(|volume| format!("; only while {}", told(volume))).unwrap_or_default();
            let (hold, limit) = (span(*hold_ms), span(step.timeout_ms));
            vec![format!("watches until {} for {hold} over {samples_min} samples, at most {limit}{volume}", told(goal))]
        }
        StepKind::Ask { question, choices } => {
            let answers = choices.iter().map(|choice| format!("  {} -> {}", choice.text, way(&choice.goto)));
            std::iter::once(question.to_string()).chain(answers).collect()
        }
        StepKind::Notify { text, .. } => vec![format!("tells {}: {text}", step.touches)],
        StepKind::Branch { cases, otherwise } => {
            let cases = cases.iter().map(|case| format!("where {} -> {}", when(&case.when), way(&case.goto)));
            cases.chain([format!("otherwise -> {}", way(otherwise))]).collect()
        }
    }
}

fn check_facts(step: &StepSpec, check: &CheckSpec) -> Vec<String> {
    let mut facts = match &check.look {
        Look::Metric(goal) => vec![format!("looks whether {}", told(goal))],
        Look::Call { call, expect, exit, lines_min, only } => {
            let expected = if expect.is_empty() { String::new() } else { format!(", and a line matches {expect}") };
            let listed = if *lines_min == 0 { String::new() } else { format!(", and {lines_min} lines or more") };
            let listed = only.as_ref().map_or(listed.clone(), |only| format!("{listed}, naming {} only", only.names));
            let stopped = span(step.timeout_ms);
            vec![command(call), format!("expects exit code {exit}{expected}{listed}; stopped after {stopped}")]
        }
    };
    facts.push(match check.otherwise {
        Unexpected::Pause => "anything else pauses the run".to_owned(),
        Unexpected::GoOn => "goes on whatever it sees; a branch decides".to_owned(),
    });
    if !check.proves.is_empty() {
        facts.push(format!("proves {}", check.proves.join(", ")));
    }
    facts
}

fn act_facts(step: &StepSpec, act: &ActSpec) -> Vec<String> {
    let effect = if step.effect == StepEffect::Irreversible { "CANNOT BE UNDONE" } else { "can be undone" };
    let mut facts = vec![
        command(&act.call),
        format!("{}, danger {}, {effect}; touches {}", act.action.word(), act.danger.word(), step.touches),
        format!("stopped after {}; expected within {}: {}", span(step.timeout_ms), span(act.within_ms), act.expected),
    ];
    facts.extend(act.dry_run.as_ref().map(|call| format!("dry run  {}", command(call))));
    facts.extend(act.undo.as_ref().map(|call| format!("undo     {}", command(call))));
    facts.push(format!("rollback {}", act.rollback_text));
    facts.push(match &act.repeat {
        Repeat::Safe => "doing it twice is the same as once".to_owned(),
        Repeat::Never => "never done twice: a person decides where its end was not seen".to_owned(),
        Repeat::Probe(call) => format!("probe    {}", command(call)),
        Repeat::Look { call, expect, .. } => format!("probe    {}, for {expect} in its output", command(call)),
    });
    facts.extend(act.prechecks.iter().map(|goal| format!("only while {}", told(goal))));
    facts.extend(act.not_restarting.iter().map(|target| format!("only if nobody restarted {target} lately")));
    if act.blast.is_limited() {
        facts.push(format!("takes away {}", act.blast.told()));
    }
    if act.approvals > 1 {
        facts.push(format!("{} people must approve it", act.approvals));
    }
    facts
}

fn command(call: &Call) -> String {
    format!("$ {}", command_line(&call.words()))
}

fn told(goal: &MetricGoal) -> String {
    let wanted = crate::engine::act::policy::wanted(goal);
    format!("{} of {} is {wanted}", goal.metric, goal.service)
}

fn way(goto: &Goto) -> String {
    match goto {
        Goto::Next => "the next step".to_owned(),
        Goto::Step(name) => name.to_string(),
        Goto::End => "the end".to_owned(),
        Goto::Escalate => "stop, and hand over".to_owned(),
    }
}

fn when(when: &When) -> String {
    match when {
        When::Met { step, is_met: true } => format!("{step} saw what it expects"),
        When::Met { step, is_met: false } => format!("{step} saw something else"),
        When::Says { step, pattern } => format!("{step} says {pattern}"),
        When::Param { name, is } => format!("{{{name}}} is {is}"),
    }
}

fn span(ms: i64) -> String {
    if ms % MINUTE_MS == 0 { format!("{} min", ms / MINUTE_MS) } else { format!("{} s", ms / SECOND_MS) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::runbooks::Library;

    #[test]
    fn every_shipped_page_says_all_that_its_acts_do() {
        for runbook in Library::shipped().iter() {
            let page = page(runbook).join("\n");
            for act in runbook.steps.iter().filter_map(StepSpec::act) {
                for call in [Some(&act.call), act.undo.as_ref(), act.dry_run.as_ref()].into_iter().flatten() {
                    assert!(page.contains(&command(call)), "{}", runbook.id);
                }
                assert!(page.contains(act.rollback_text.as_ref()), "{}", runbook.id);
            }
        }
    }
}
