//! What logs say that is new or unusual.

use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::slots::Slots;
use crate::engine::model::Anomaly;

/// How many are told.
const LINES_MAX: usize = 8;

/// Templates of log lines that are new or unusual; those that hold a text where one is looked for.
pub(super) fn unusual(ground: &Ground<'_>, slots: &Slots) -> Answer {
    let window = ground.span(slots).ok().flatten();
    let within = |anomaly: &Anomaly| {
        window.is_none_or(|span| anomaly.started_at <= span.to && anomaly.ended_at.is_none_or(|end| end >= span.from))
    };
    let wanted = slots.text.as_deref().map(str::to_lowercase);
    let of_service = |anomaly: &Anomaly| slots.is_about(Some(anomaly.service.as_str()));
    let found: Vec<(&Anomaly, &Arc<str>)> = ground
        .snapshot
        .anomalies
        .iter()
        .map(Arc::as_ref)
        .filter_map(|anomaly| Some((anomaly, &anomaly.template.as_ref()?.1)))
        .filter(|(anomaly, text)| {
            within(anomaly)
                && of_service(anomaly)
                && wanted.as_ref().is_none_or(|wanted| text.to_lowercase().contains(wanted.as_str()))
        })
        .collect();
    let claims = found.iter().map(|(anomaly, text)| {
        let from = || Citation::Anomaly(anomaly.id);
        Claim::of(
            "{}, since {}: {}",
            [Fact::new(&anomaly.service, from()), ground.at(anomaly.started_at, from()), Fact::new(text, from())],
        )
    });
    let lead = match (found.len(), &slots.text) {
        (0, Some(text)) => {
            Claim::of("No new or unusual log line says {}.", [Fact::new(format!("`{text}`"), Citation::Question)])
        }
        (0, None) => Claim::of("No new or unusual log line is known.", []),
        (count, _) => {
            Claim::of("{} kinds of new or unusual log lines are known.", [ground::count(count, Citation::Totals)])
        }
    };
    let mut answer = Answer::known(lead).with_first(LINES_MAX, claims, Citation::Totals).over(window);
    answer.missing.push(Claim::of("Lines that are as usual are counted and not kept.", []));
    answer
}
