//! From what was asked to an answer: one plan for each intent, which only reads.

mod alerts;
mod alike;
mod cause;
mod changes;
mod heed;
mod history;
mod incident;
mod logs;
mod machine;
mod metrics;
mod moment;
mod past;
mod patches;
mod remedy;
mod runs;
mod service;
mod unanswered;
mod what_if;

pub(super) use changes::told as change;

use super::answer::{Answer, AnswerState, Citation, Claim, Fact};
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
        Standing::UnknownName => unanswered::unknown_name(ground, book, &reading.slots),
        Standing::Ambiguous(doubt) => unanswered::ambiguous(ground, doubt, &reading.slots),
    };
    answer.intent = reading.intent;
    answer.slots.clone_from(&reading.slots);
    if matches!(reading.standing, Standing::Clear) {
        let is_service = |name: &str| ground.snapshot.topology.services().iter().any(|known| known.as_str() == name);
        answer.missing.extend(heed::unheeded(reading.intent, &reading.slots, &is_service));
        answer.missing.extend(moment::read_into(ground, reading));
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
        Intent::NextStep => runs::next_step(ground, slots),
        Intent::Trend | Intent::VerifyRecovery => incident::recovery(ground, slots),
        Intent::CurrentStatus => incident::status(ground, slots),
        Intent::ServiceHealth => service::health(ground, slots),
        Intent::AlertExplain => alerts::explain(ground, slots),
        Intent::AlertSuppressed => alerts::suppressed(ground, slots),
        Intent::IncidentTimeline => incident::timeline(ground, slots),
        Intent::IncidentSummary => incident::summary(ground, slots),
        Intent::RunbookFind => runs::find(ground, slots),
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
        Intent::IncidentSimilar => alike::similar(ground, slots),
        Intent::IncidentMetrics => history::figures(ground, slots),
        Intent::Ownership => history::owner(ground, slots),
        Intent::AutonomyPolicy => machine::autonomy(ground),
        Intent::DataQuality => machine::data(ground),
        Intent::ProductHelp => machine::help(),
        other => unanswered::not_kept(other),
    }
}
