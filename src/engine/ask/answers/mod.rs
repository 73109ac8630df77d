//! From what was asked to an answer: one plan for each intent, which only reads.

mod alerts;
mod alike;
mod cause;
mod changes;
mod heed;
mod history;
mod incident;
mod load;
mod logs;
mod machine;
mod metrics;
mod moment;
mod pages;
mod past;
mod patches;
mod remedy;
mod runs;
mod service;
mod unanswered;
mod what_if;

pub(super) use changes::told as change;

use super::answer::{Answer, AnswerState, Citation, Claim, Fact, listed_up_to};
use super::ground::Ground;
use super::intent::Intent;
use super::names::NameBook;
use super::reading::{Reading, Standing};
use super::rewording;

/// Answers what was read by the names of `book`.
#[must_use]
pub fn answer(ground: &Ground<'_>, book: &NameBook, reading: &Reading) -> Answer {
    let mut answer = match &reading.standing {
        Standing::Clear => planned(ground, reading),
        Standing::Refused => unanswered::refused(),
        Standing::OutOfScope => unanswered::out_of_scope(),
        Standing::UnknownName => {
            pages::of_unknown(ground, reading).unwrap_or_else(|| unanswered::unknown_name(ground, book, &reading.slots))
        }
        Standing::Ambiguous(doubt) => unanswered::ambiguous(ground, doubt, &reading.slots),
    };
    answer.intent = reading.intent;
    answer.slots.clone_from(&reading.slots);
    if matches!(reading.standing, Standing::Clear) {
        let is_service = |name: &str| ground.snapshot.topology.services().iter().any(|known| known.as_str() == name);
        answer.missing.extend(heed::unheeded(reading.intent, &reading.slots, &is_service));
        answer.missing.extend(moment::read_into(ground, reading));
        if is_of_one_incident(reading) {
            answer.missing.extend(beside(ground, reading));
        }
        if ground.is_blind() && answer.state == AnswerState::Answered {
            answer.missing.push(Claim::of("No source answers now, so what happens now may not be seen.", []));
        }
    }
    if matches!(reading.standing, Standing::Clear)
        && let Some(other) = reading.also
    {
        let asked = |intent: Intent| Fact::new(intent.asks(), Citation::Question);
        let claim = Claim::of("It was read as: {} It may be meant as: {}", [asked(reading.intent), asked(other)]);
        answer.missing.push(claim);
        answer.next.extend(rewording::question(other, &reading.slots));
    }
    if reading.is_cut {
        answer.missing.push(Claim::of("Only the beginning of so long a question was read.", []));
    }
    for (written, meant) in &reading.mended {
        let meant = Fact::new(meant, Citation::Question);
        answer.claims.push(Claim::of("{} was read as {}.", [Fact::new(written, Citation::Question), meant]));
    }
    answer
}

/// How many incidents are named that a question was not taken to be about.
const OTHERS_MAX: usize = 4;

/// True where one incident was chosen to answer from.
fn is_of_one_incident(reading: &Reading) -> bool {
    match reading.intent {
        Intent::RootCause
        | Intent::CauseConfidence
        | Intent::BlastRadius
        | Intent::NextStep
        | Intent::Trend
        | Intent::VerifyRecovery
        | Intent::IncidentTimeline
        | Intent::IncidentSummary
        | Intent::RunbookStatus
        | Intent::Remediation => true,
        Intent::WhySlow | Intent::WhyErrors | Intent::WhySpike | Intent::IncidentSimilar => {
            reading.slots.service.is_empty()
        }
        _ => false,
    }
}

/// Says which others are open, where none was named and one had to be chosen.
fn beside(ground: &Ground<'_>, reading: &Reading) -> Option<Claim> {
    let others: Vec<Fact> = ground.open_beside(&reading.slots).into_iter().map(Fact::incident).collect();
    let chosen = ground.incident(&reading.slots).filter(|_| !others.is_empty())?;
    let lead = Claim::of("This is about {}. Open beside it: ", [Fact::incident(chosen.id)]);
    Some(lead.and(listed_up_to(OTHERS_MAX, others, Citation::Totals)).and(Claim::of(".", [])))
}

fn planned(ground: &Ground<'_>, reading: &Reading) -> Answer {
    let slots = &reading.slots;
    match ground.span(slots) {
        Err(problem) => return unanswered::no_such_time(problem),
        Ok(Some(span)) if span.from > ground.now() && reading.intent.is_of_past() => {
            return unanswered::still_ahead(ground, span);
        }
        Ok(_) => {}
    }
    match reading.intent {
        Intent::WhySlow | Intent::WhyErrors | Intent::WhySpike => cause::why(ground, reading.intent, slots),
        Intent::RootCause => cause::root_cause(ground, slots),
        Intent::CauseConfidence => cause::confidence(ground, slots),
        Intent::WhatChanged => changes::what_changed(ground, slots),
        Intent::ChangeLookup => changes::lookup(ground, slots),
        Intent::BlastRadius => incident::blast_radius(ground, slots),
        Intent::Dependency => service::dependency(ground, slots),
        Intent::NextStep => runs::next_step(ground, reading),
        Intent::Trend | Intent::VerifyRecovery => incident::recovery(ground, slots),
        Intent::CurrentStatus => incident::status(ground, slots),
        Intent::ServiceHealth => service::health(ground, slots),
        Intent::AlertExplain => alerts::explain(ground, slots),
        Intent::AlertSuppressed => alerts::suppressed(ground, slots),
        Intent::IncidentTimeline => incident::timeline(ground, slots),
        Intent::IncidentSummary => incident::summary(ground, slots),
        Intent::RunbookFind => pages::find(ground, reading),
        Intent::RunbookStatus => runs::status(ground, slots),
        Intent::ActionAudit => runs::audit(ground, slots),
        Intent::PatchStatus | Intent::PatchPriority => patches::queue(ground, slots),
        Intent::PatchRollout => patches::rollout(ground, slots),
        Intent::AlertNoise => alerts::noisy(ground, slots),
        Intent::SilenceState => alerts::silences(ground, slots),
        Intent::LogNovelty | Intent::LogSearch => logs::unusual(ground, slots),
        Intent::ImpactPredict => what_if::predict(ground, slots),
        Intent::Remediation => remedy::draft(ground, slots),
        Intent::MetricValue => metrics::value(ground, slots),
        Intent::MetricCompare => metrics::compare(ground, slots),
        Intent::TopN => metrics::top(ground, slots, reading.implied),
        Intent::CapacityForecast => metrics::forecast(ground, slots),
        Intent::IncidentSimilar => alike::similar(ground, reading),
        Intent::IncidentMetrics => history::figures(ground, slots),
        Intent::Ownership => history::owner(ground, slots),
        Intent::AutonomyPolicy => machine::autonomy(ground),
        Intent::DataQuality => machine::data(ground),
        Intent::ProductHelp => machine::help(),
        other => unanswered::not_kept(other),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono_tz::Tz;

    use super::*;
    use crate::engine::ask::recall::Archive;
    use crate::engine::ask::slots::Slots;
    use crate::engine::clock::{MINUTE_MS, Timestamp};
    use crate::engine::model::{IncidentId, PastValues};
    use crate::engine::snapshot::Snapshot;
    use crate::engine::world::fixtures;

    fn told(focus: Option<IncidentId>, intent: Intent, slots: Slots) -> String {
        let incidents = ["cart", "mail", "search"].into_iter().zip(1..);
        let incidents = incidents.map(|(service, id)| Arc::new(fixtures::incident(id, service, 60_000))).collect();
        let snapshot = Snapshot { at: Timestamp(90 * MINUTE_MS), incidents, ..Snapshot::empty() };
        let archive = Archive::default();
        let ground =
            Ground { snapshot: &snapshot, zone: Tz::UTC, focus, archive: &archive, past: &PastValues::default() };
        let reading = Reading::of(intent, slots);
        let answer = answer(&ground, &NameBook::of([]), &reading);
        answer.all_claims().map(Claim::text).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn who_names_no_incident_hears_of_the_others_that_are_open() {
        let slots =
            |service: Option<&str>| Slots { service: service.map(Arc::from).into_iter().collect(), ..Slots::default() };
        let any = told(None, Intent::RootCause, slots(None));
        assert!(any.contains("This is about INC-1. Open beside it: INC-2 and INC-3."), "{any}");
        // What is on the screen is known to whoever looks at it.
        let shown = told(Some(IncidentId(2)), Intent::RootCause, slots(None));
        assert!(shown.contains("INC-2") && !shown.contains("Open beside"), "{shown}");
        // A service says which incident is meant, also against the screen.
        let of_service = told(Some(IncidentId(2)), Intent::RootCause, slots(Some("search")));
        assert!(of_service.contains("The cause of INC-3 is not known"), "{of_service}");
        let named = Slots { incident: Some(Arc::from("INC-2")), ..Slots::default() };
        assert!(!told(None, Intent::RootCause, named).contains("Open beside"));
    }
}
