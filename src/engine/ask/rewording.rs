//! A plain question for each intent, to be offered where what was asked can be read in two ways.

use std::sync::Arc;

use super::intent::Intent;
use super::slots::Slots;

/// A plain question of this intent, about the service that `slots` names where it can be about one; `None` for what is not answered.
#[must_use]
pub fn question(intent: Intent, slots: &Slots) -> Option<Arc<str>> {
    let (of_service, of_all) = forms(intent)?;
    let text = match slots.service.first() {
        Some(service) if !of_service.is_empty() => of_service.replace("{}", service),
        _ => of_all.to_owned(),
    };
    (!text.is_empty()).then(|| Arc::from(text))
}

/// How an intent is asked for about a service, and without one; empty where it is not.
fn forms(intent: Intent) -> Option<(&'static str, &'static str)> {
    Some(match intent {
        Intent::WhySlow => ("why is {} slow", "why is everything slow"),
        Intent::WhyErrors => ("why is {} failing", "why are there errors"),
        Intent::WhySpike => ("why did traffic of {} spike", "why did traffic spike"),
        Intent::RootCause => ("", "what is the root cause"),
        Intent::CauseConfidence => ("", "how sure are you about the cause"),
        Intent::WhatChanged => ("what changed on {}", "what changed"),
        Intent::ChangeLookup => ("which version of {} is running", "what was the last deploy"),
        Intent::ImpactPredict => ("what would happen if we restarted {}", ""),
        Intent::BlastRadius => ("who is affected by {}", "who is affected"),
        Intent::Dependency => ("what does {} depend on", ""),
        Intent::Remediation => ("generate a fix for {}", "generate a fix"),
        Intent::NextStep => ("", "what should i do next"),
        Intent::Trend => ("is {} getting better or worse", "is it getting better or worse"),
        Intent::VerifyRecovery => ("is {} back to normal", "did the fix work"),
        Intent::CurrentStatus => ("", "what is broken now"),
        Intent::ServiceHealth => ("is {} healthy", ""),
        Intent::MetricValue => ("what is the latency of {}", ""),
        Intent::MetricCompare => ("compare the latency of {} today with yesterday", ""),
        Intent::TopN => ("", "which services have the most errors"),
        Intent::LogSearch => ("find errors in the logs of {}", "find errors in the logs"),
        Intent::LogNovelty => ("any new log lines in {}", "any new log lines"),
        Intent::TraceSearch => ("show the slowest traces of {}", "show the slowest traces"),
        Intent::AlertExplain => ("why did the alert on {} fire", "why did this alert fire"),
        Intent::AlertNoise => ("", "which alerts are noisy"),
        Intent::AlertSuppressed => ("", "which alerts were suppressed"),
        Intent::SilenceState => ("is {} silenced", "which silences are active"),
        Intent::IncidentSimilar => ("", "have we seen this before"),
        Intent::IncidentTimeline => ("", "show the timeline of the incident"),
        Intent::IncidentSummary => ("", "summarise the incident for management"),
        Intent::IncidentMetrics => ("", "what is our mttr this month"),
        Intent::RunbookFind => ("is there a runbook for {}", "which runbook fits"),
        Intent::RunbookStatus => ("", "which step is the runbook on"),
        Intent::ActionAudit => ("who restarted {}", "who did what today"),
        Intent::PatchStatus => ("", "which hosts need patches"),
        Intent::PatchPriority => ("", "what should we patch first"),
        Intent::PatchRollout => ("", "how far is the patch rollout"),
        Intent::CapacityForecast => ("when will {} run out of disk", "when will the disk be full"),
        Intent::SloBurn => ("how much error budget does {} have left", "how much error budget is left"),
        Intent::Ownership => ("who owns {}", "who is on call"),
        Intent::AutonomyPolicy => ("", "what may you do on your own"),
        Intent::DataQuality => ("", "is the data fresh"),
        Intent::ProductHelp => ("", "what can i ask you"),
        Intent::Act | Intent::OutOfScope => return None,
    })
}

/// True where both are answered by the same plan, so that it matters little which of them is meant.
#[must_use]
pub fn is_one_plan(one: Intent, other: Intent) -> bool {
    const PLANS: [&[Intent]; 4] = [
        &[Intent::WhySlow, Intent::WhyErrors, Intent::WhySpike],
        &[Intent::Trend, Intent::VerifyRecovery],
        &[Intent::PatchStatus, Intent::PatchPriority],
        &[Intent::LogNovelty, Intent::LogSearch],
    ];
    one == other || PLANS.iter().any(|plan| plan.contains(&one) && plan.contains(&other))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::engine::ask::names::{Kind, Name};
    use crate::engine::ask::reading::Reader;

    #[test]
    fn every_plain_question_is_read_as_it_is_meant() {
        let reader = Reader::new([Name { kind: Kind::Service, text: "cart".into() }]);
        let cart = Slots { service: vec!["cart".into()], ..Slots::default() };
        for intent in Intent::ALL {
            for slots in [&cart, &Slots::default()] {
                let Some(question) = question(*intent, slots) else { continue };
                let reading = reader.read(&question, None, NaiveDate::from_ymd_opt(2026, 11, 17).unwrap());
                assert!(is_one_plan(reading.intent, *intent), "{question}: {:?}, not {intent:?}", reading.intent);
                assert!(reading.also.is_none(), "{question} may be {:?}", reading.also);
            }
        }
    }
}
