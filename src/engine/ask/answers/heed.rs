//! What of a question its answer does not look at: said, so that nobody takes an answer for one to all of the question.

use std::sync::Arc;

use crate::engine::ask::answer::{Citation, Claim, Fact, listed};
use crate::engine::ask::intent::Intent;
use crate::engine::ask::slots::Slots;
use crate::engine::ask::time::expression::TimeExpression;

/// What a question may narrow its answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Narrowed {
    Time,
    Region,
    Ring,
    Host,
    Service,
    Severity,
    Owner,
    Count,
}

use Narrowed::{Count, Host, Owner, Region, Ring, Service, Severity, Time};

/// What the answer to an intent looks at.
fn heeded(intent: Intent) -> &'static [Narrowed] {
    match intent {
        Intent::WhySlow
        | Intent::WhyErrors
        | Intent::WhySpike
        | Intent::Dependency
        | Intent::Trend
        | Intent::VerifyRecovery
        | Intent::BlastRadius
        | Intent::AlertExplain
        | Intent::AlertSuppressed
        | Intent::SilenceState
        | Intent::CapacityForecast
        | Intent::Ownership
        | Intent::Remediation
        | Intent::ChangeLookup => &[Service],
        Intent::ImpactPredict => &[Time, Service, Count],
        Intent::AlertNoise | Intent::IncidentSimilar => &[Service, Count],
        Intent::WhatChanged | Intent::ActionAudit => &[Time, Service, Owner],
        Intent::CurrentStatus => &[Severity],
        Intent::ServiceHealth => &[Service, Host],
        Intent::IncidentTimeline
        | Intent::MetricValue
        | Intent::MetricCompare
        | Intent::LogSearch
        | Intent::LogNovelty => &[Time, Service],
        Intent::PatchStatus | Intent::PatchPriority | Intent::PatchRollout => &[Host, Ring, Severity],
        Intent::TopN => &[Count],
        Intent::IncidentMetrics => &[Time, Severity, Service],
        _ => &[],
    }
}

/// A claim for each part of the question that is not looked at. Only of services can some be left out.
pub(super) fn unheeded(intent: Intent, slots: &Slots, is_service: &dyn Fn(&str) -> bool) -> Vec<Claim> {
    if intent == Intent::ProductHelp {
        return Vec::new();
    }
    let one = |text: &Option<Arc<str>>| text.as_ref().map(ToString::to_string);
    let said: [(Narrowed, Option<String>, &'static str); 8] = [
        (
            Time,
            slots.time.filter(|time| *time != TimeExpression::Now).map(|time| time.to_string()),
            "The time that was named ({}) is not looked at: this is what is known now.",
        ),
        (Region, slots.region.first().map(ToString::to_string), "The region {} is not told apart."),
        (Ring, one(&slots.ring), "The ring {} is not told apart."),
        (Host, one(&slots.host), "The machine {} is not told apart."),
        (Service, slots.service.first().map(ToString::to_string), "This is not about {} alone."),
        (Severity, one(&slots.severity), "The severity {} is not told apart."),
        (Owner, one(&slots.owner), "Whether {} has to do with it is not looked at."),
        (Count, slots.count.map(|count| count.to_string()), "The number {} is not looked at."),
    ];
    let heeded = heeded(intent);
    let ignored = said.into_iter().filter(|(narrowed, ..)| !heeded.contains(narrowed));
    let mut claims: Vec<Claim> = ignored
        .filter_map(|(_, text, pattern)| Some(Claim::of(pattern, [Fact::new(text?, Citation::Question)])))
        .collect();
    let kept = slots.except.iter().filter(|name| !(leaves_out(intent) && is_service(name)));
    let names: Vec<Fact> = kept.map(|name| Fact::new(name, Citation::Question)).collect();
    if !names.is_empty() {
        claims.push(
            Claim::of("Not left out, though that was asked for: ", []).and(listed(names)).and(Claim::of(".", [])),
        );
    }
    if slots.polarity.is_some() {
        claims.push(Claim::of("The question denies; this says what is known, and neither yes nor no to it.", []));
    }
    claims
}

/// True where the answer looks at services one by one and leaves out those that it is asked to.
fn leaves_out(intent: Intent) -> bool {
    matches!(
        intent,
        Intent::WhatChanged
            | Intent::ChangeLookup
            | Intent::AlertExplain
            | Intent::AlertNoise
            | Intent::AlertSuppressed
            | Intent::SilenceState
            | Intent::IncidentTimeline
            | Intent::LogSearch
            | Intent::LogNovelty
            | Intent::Trend
            | Intent::VerifyRecovery
            | Intent::CapacityForecast
            | Intent::Remediation
            | Intent::TopN
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ask::slots::Polarity;

    #[test]
    fn what_is_not_looked_at_is_said() {
        let slots = Slots { time: Some("yesterday".parse().unwrap()), region: vec!["eu".into()], ..Slots::default() };
        let texts: Vec<String> = unheeded(Intent::ServiceHealth, &slots, &|_| true).iter().map(Claim::text).collect();
        assert_eq!(texts.len(), 2);
        assert!(texts[0].contains("(yesterday) is not looked at"), "{texts:?}");
        assert_eq!(unheeded(Intent::WhatChanged, &slots, &|_| true).len(), 1);
        let slots = Slots { except: vec!["web".into()], polarity: Some(Polarity::Negative), ..Slots::default() };
        let texts =
            |intent| unheeded(intent, &slots, &|name| name == "web").iter().map(Claim::text).collect::<Vec<_>>();
        assert_eq!(texts(Intent::TopN).len(), 1, "{:?}", texts(Intent::TopN));
        assert!(texts(Intent::CurrentStatus)[0].contains("Not left out, though that was asked for: web."));
        assert!(texts(Intent::CurrentStatus)[1].starts_with("The question denies"));
    }
}
