//! A step of a runbook: what kind it is, what it does to the world, and how it is undone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
    },
    /// A metric's latest reading.
    Metric(MetricGoal),
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

/// A change to the world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActSpec {
    /// What kind of change it is: gates, learning and reports go by it.
    pub action: ActionKind,
    /// What is called.
    pub call: Call,
    /// What shows its effect without having it; `None` where there is no such thing.
    pub dry_run: Option<Call>,
    /// How it is undone; `None` where it cannot be.
    pub undo: Option<Call>,
    /// Why it cannot be undone, where it cannot; else what undoing does.
    pub rollback_text: Arc<str>,
    /// What may be done when nobody saw how it ended.
    pub repeat: Repeat,
    /// What must hold before it begins; what cannot be read does not hold.
    pub prechecks: Vec<MetricGoal>,
    /// Targets that nobody may have restarted lately.
    #[serde(default)]
    pub not_restarting: Vec<Arc<str>>,
    /// How bad it is when it goes wrong.
    pub danger: Danger,
    /// Targets it may reach at most.
    pub targets_max: u32,
    /// What one will see when it helps.
    pub expected: Arc<str>,
    /// How soon one will see it, in milliseconds.
    pub within_ms: i64,
    /// Distinct people who must approve it.
    pub approvals: u8,
    /// How much of what it acts on it may take away.
    #[serde(default)]
    pub blast: BlastRadius,
}

/// How much of a workload an act may take away at a time. It is counted right before the act begins; what cannot be counted
/// does not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BlastRadius {
    /// Healthy members that must remain; `None` for no such limit.
    pub remaining_min: Option<u32>,
    /// Percent of the members that may be taken away; `None` for no such limit.
    pub share_max: Option<u32>,
}

impl BlastRadius {
    /// True where there is something to count.
    #[must_use]
    pub fn is_limited(self) -> bool {
        self != Self::default()
    }

    /// `at most 50 % of its members at a time, and 2 healthy must remain`; empty without a limit.
    #[must_use]
    pub fn told(self) -> String {
        let share = self.share_max.map(|share| format!("at most {share} % of its members at a time"));
        let remaining = self.remaining_min.map(|least| format!("{least} healthy must remain"));
        share.into_iter().chain(remaining).collect::<Vec<_>>().join(", and ")
    }
}

/// Kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Puts an earlier version or configuration back.
    Rollback,
    /// Starts something anew.
    Restart,
    /// Gives more or fewer instances or resources.
    Scale,
    /// Changes a configuration, a flag, a limit.
    Configure,
    /// Moves or limits requests.
    Traffic,
    /// Ends queries, sessions or jobs.
    Cancel,
    /// Frees space.
    Cleanup,
    /// Makes another member the leading one.
    Failover,
    /// Issues or installs a certificate or secret.
    Renew,
    /// None of these.
    Other,
}

impl ActionKind {
    /// Every kind, in the order of the settings' page.
    pub const ALL: [Self; 10] = [
        Self::Rollback,
        Self::Restart,
        Self::Scale,
        Self::Configure,
        Self::Traffic,
        Self::Cancel,
        Self::Cleanup,
        Self::Failover,
        Self::Renew,
        Self::Other,
    ];

    /// As runbooks and settings write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Restart => "restart",
            Self::Scale => "scale",
            Self::Configure => "configure",
            Self::Traffic => "traffic",
            Self::Cancel => "cancel",
            Self::Cleanup => "cleanup",
            Self::Failover => "failover",
            Self::Renew => "renew",
            Self::Other => "other",
        }
    }
}

/// How bad an act is when it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Danger {
    /// Nobody outside notices.
    Low,
    /// Users may notice for a moment.
    Medium,
    /// Data or a whole service may be lost: the target's name is typed, and it is never begun without a person.
    High,
}

impl Danger {
    /// As runbooks write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What may be done with an act of which nobody saw the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Doing it twice is the same as once.
    Safe,
    /// Doing it twice is not: a person decides.
    Never,
    /// A call that only looks says whether it happened: exit code 0 for yes, 1 for no.
    Probe(Call),
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
