//! What can be asked: a closed list. Text picks one of them and can never make up another.

use serde::{Deserialize, Serialize};

/// Lists the intents once: the variant, its name outside the program, and what is asked.
macro_rules! intents {
    ($($variant:ident $name:literal $asks:literal),+ $(,)?) => {
        /// What a question is after.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Intent {
            $(#[doc = $asks] $variant),+
        }

        impl Intent {
            /// Every intent.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name in JSON and in tests.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }

            /// What is asked, in a few words.
            #[must_use]
            pub fn asks(self) -> &'static str {
                match self {
                    $(Self::$variant => $asks),+
                }
            }
        }
    };
}

intents! {
    WhySlow "why_slow" "Why something is slow.",
    WhyErrors "why_errors" "Why something fails.",
    WhySpike "why_spike" "Why a metric rose or fell.",
    RootCause "root_cause" "What the cause of an incident is.",
    CauseConfidence "cause_confidence" "How sure a cause is, and what speaks for it.",
    WhatChanged "what_changed" "What was changed in a span of time.",
    ChangeLookup "change_lookup" "Which version runs, and when it was changed last.",
    ImpactPredict "impact_predict" "What an act would do now.",
    BlastRadius "blast_radius" "Who is affected.",
    Dependency "dependency" "Who calls whom.",
    Remediation "remediation" "A draft of commands that would mend it.",
    NextStep "next_step" "What to do next.",
    Trend "trend" "Whether it gets better or worse.",
    VerifyRecovery "verify_recovery" "Whether it is over.",
    CurrentStatus "current_status" "What is broken now.",
    ServiceHealth "service_health" "How one service is.",
    MetricValue "metric_value" "What a metric is or was.",
    MetricCompare "metric_compare" "How a metric differs between two times, services or regions.",
    TopN "top_n" "Which services come first by a metric.",
    LogSearch "log_search" "Which log lines say something.",
    LogNovelty "log_novelty" "Which log lines are new.",
    TraceSearch "trace_search" "Where requests spend their time.",
    AlertExplain "alert_explain" "Why an alert fires and what it means.",
    AlertNoise "alert_noise" "Which alerts are noise.",
    AlertSuppressed "alert_suppressed" "What was suppressed, and why.",
    SilenceState "silence_state" "Which silences are in force.",
    IncidentSimilar "incident_similar" "Whether it happened before, and what helped.",
    IncidentTimeline "incident_timeline" "What happened when.",
    IncidentSummary "incident_summary" "A summary for others.",
    IncidentMetrics "incident_metrics" "How fast incidents are found and ended.",
    RunbookFind "runbook_find" "Which procedure there is for something.",
    RunbookStatus "runbook_status" "Where a run stands.",
    ActionAudit "action_audit" "Who did what.",
    PatchStatus "patch_status" "Whether a vulnerability or an old package concerns us.",
    PatchPriority "patch_priority" "What to patch first, and what is overdue.",
    PatchRollout "patch_rollout" "Where a rollout stands, and what holds it.",
    CapacityForecast "capacity_forecast" "When something runs out.",
    SloBurn "slo_burn" "How much of an error budget is left.",
    Ownership "ownership" "Whose it is.",
    AutonomyPolicy "autonomy_policy" "What the engine may do by itself.",
    DataQuality "data_quality" "Whether the data can be relied on.",
    ProductHelp "product_help" "How this console is used.",
    Act "act" "Something is to be done or a secret told, which an answer never does.",
    OutOfScope "out_of_scope" "Not about what is watched here.",
}

impl Intent {
    /// The intent of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|intent| intent.name() == name)
    }

    /// True where it is about what happened: of a time that is still ahead nothing can be known.
    #[must_use]
    pub fn is_of_past(self) -> bool {
        matches!(
            self,
            Self::WhySlow
                | Self::WhyErrors
                | Self::WhySpike
                | Self::RootCause
                | Self::WhatChanged
                | Self::ChangeLookup
                | Self::ServiceHealth
                | Self::MetricValue
                | Self::MetricCompare
                | Self::TopN
                | Self::LogSearch
                | Self::LogNovelty
                | Self::TraceSearch
                | Self::AlertExplain
                | Self::AlertNoise
                | Self::AlertSuppressed
                | Self::IncidentTimeline
                | Self::IncidentSummary
                | Self::IncidentMetrics
                | Self::ActionAudit
                | Self::Trend
                | Self::VerifyRecovery
                | Self::CurrentStatus
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_serde_says_the_same() {
        for intent in Intent::ALL {
            assert_eq!(Intent::named(intent.name()), Some(*intent));
            assert_eq!(serde_json::to_value(intent).unwrap(), intent.name());
        }
        assert_eq!(Intent::named("why"), None);
    }
}
