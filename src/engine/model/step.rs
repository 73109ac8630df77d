//! A step of a runbook: what kind it is, what it does to the world, and how it is undone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::act::ActSpec;
use super::call::Call;

/// What a step does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEffect {
    /// Nothing.
    None,
    /// Looks only.
    Read,
    /// Changes something that can be put back.
    Reversible,
    /// Changes something for good.
    Irreversible,
}

/// What kind of step it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Text to read; passing it is all there is to do.
    Note,
    /// Looks, and compares what it saw with what it expects.
    Check(CheckSpec),
    /// Changes something.
    Act(Box<ActSpec>),
    /// Lets time pass: `for_ms`, or until a metric is where it should be, but no longer than the step's timeout.
    Wait {
        /// How long, in milliseconds; with `until`, how long it must stay there.
        for_ms: i64,
        /// What ends the waiting early; without it only time does.
        until: Option<MetricGoal>,
    },
    /// Watches a metric come back, with data, for `hold_ms`.
    Verify {
        /// What must come back.
        goal: MetricGoal,
        /// How long it must stay there, in milliseconds.
        hold_ms: i64,
        /// Samples that must be seen in that time.
        samples_min: u32,
        /// What shows that there is anything to measure: errors that are gone because requests are gone prove nothing.
        volume: Option<MetricGoal>,
    },
    /// A decision by a person.
    Ask {
        /// What is asked.
        question: Arc<str>,
        /// What may be answered; never fewer than two.
        choices: Vec<Choice>,
    },
    /// Tells people something.
    Notify {
        /// Where: a destination of the settings, or empty for all of them.
        channel: Arc<str>,
        /// What.
        text: Arc<str>,
    },
    /// Decides by what is known where the run goes on.
    Branch {
        /// The first that holds decides.
        cases: Vec<Case>,
        /// Where none holds.
        otherwise: Goto,
    },
}

/// What a check looks at and what it expects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckSpec {
    /// What it looks at.
    pub look: Look,
    /// What it does when it sees something else.
    pub otherwise: Unexpected,
    /// Facts that it proves by succeeding; the gate asks for some of them before it lets a database be restarted.
    pub proves: Vec<Arc<str>>,
}

/// What a check looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// A call that changes nothing.
    Call {
        /// What is called.
        call: Call,
        /// A regular expression that a line of its output must match; empty for any output.
        expect: Arc<str>,
        /// The exit code it must end with.
        exit: i32,
        /// Lines with something in them that its output must have.
        #[serde(default)]
        lines_min: usize,
        /// What its output may name at most; `None` for anything.
        #[serde(default)]
        only: Option<OnlyNames>,
    },
    /// A metric's latest reading.
    Metric(MetricGoal),
}

/// What the output of a check may name: every line that `lines` matches holds a name that `names` matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnlyNames {
    /// A regular expression with a group for the name: `^Inst (\S+)`.
    pub lines: Arc<str>,
    /// A regular expression for the whole name.
    pub names: Arc<str>,
}

/// What a check does when it does not see what it expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unexpected {
    /// The run pauses and a person is asked.
    #[default]
    Pause,
    /// The run goes on; a branch may look at it.
    GoOn,
}

/// A metric, and where it should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricGoal {
    /// Metric name.
    pub metric: Arc<str>,
    /// Service, placeholders in braces.
    pub service: Arc<str>,
    /// An absolute ceiling to use in place of its band, where the file gives one.
    pub below: Option<f64>,
    /// An absolute floor, likewise.
    pub above: Option<f64>,
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What is answered.
    pub text: Arc<str>,
    /// Where the run goes on.
    pub goto: Goto,
}

/// Where a run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goto {
    /// With the step after this one.
    Next,
    /// With a later step, by its name; those between are passed over.
    Step(Arc<str>),
    /// Nowhere: all that is needed is done.
    End,
    /// Nowhere: it stops, and whoever is next in line is told.
    Escalate,
}

/// One condition of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// What must hold.
    pub when: When,
    /// Where the run goes on then.
    pub goto: Goto,
}

/// What a branch looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// An earlier check saw what it expects, or did not.
    Met {
        /// The check's name.
        step: Arc<str>,
        /// Which of the two.
        is_met: bool,
    },
    /// A line of an earlier step's output matches this regular expression.
    Says {
        /// The step's name.
        step: Arc<str>,
        /// The regular expression.
        pattern: Arc<str>,
    },
    /// A parameter has this value.
    Param {
        /// The parameter's name.
        name: Arc<str>,
        /// The value.
        is: Arc<str>,
    },
}

/// One step as read from the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepSpec {
    /// Its name within the runbook.
    pub name: Arc<str>,
    /// In a line, imperative.
    pub title: Arc<str>,
    /// The prose around it.
    pub text: Arc<str>,
    /// What it does.
    pub kind: StepKind,
    /// What it does to the world.
    pub effect: StepEffect,
    /// What it touches, placeholders in braces.
    pub touches: Arc<str>,
    /// Milliseconds until it is stopped.
    pub timeout_ms: i64,
}

impl StepSpec {
    /// The change it makes, where it makes one.
    #[must_use]
    pub fn act(&self) -> Option<&ActSpec> {
        if let StepKind::Act(act) = &self.kind { Some(act) } else { None }
    }

    /// What it calls in the outside world when it is run, where it calls anything.
    #[must_use]
    pub fn call(&self) -> Option<&Call> {
        match &self.kind {
            StepKind::Act(act) => Some(&act.call),
            StepKind::Check(CheckSpec { look: Look::Call { call, .. }, .. }) => Some(call),
            _ => None,
        }
    }

    /// True where it begins by itself when it is reached: it changes nothing and starts nothing.
    #[must_use]
    pub fn begins_by_itself(&self) -> bool {
        matches!(
            &self.kind,
            StepKind::Verify { .. }
                | StepKind::Wait { .. }
                | StepKind::Branch { .. }
                | StepKind::Check(CheckSpec { look: Look::Metric(_), .. })
        )
    }
}

/// A step with its parameters bound: exactly what is shown and approved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoundStep {
    /// The step as written, with placeholders filled in everywhere.
    pub spec: StepSpec,
    /// SHA-256 over runbook hash, step name and every bound value, in hex: an approval is for this and nothing else.
    pub digest: Arc<str>,
}
