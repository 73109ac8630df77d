//! What is known of hypo itself: what it may do alone, and whether its data can be relied on.

use std::sync::Arc;

use crate::engine::ask::answer::{Answer, Citation, Claim, Fact};
use crate::engine::ask::ground::{self, Ground};
use crate::engine::model::{SourceState, human_count, human_span};

/// How many of each are told.
const LINES_MAX: usize = 8;

/// What the engine may do by itself.
pub(super) fn autonomy(ground: &Ground<'_>) -> Answer {
    let snapshot = ground.snapshot;
    let from = || Citation::Autonomy;
    if let Some(kill) = &snapshot.kill {
        let lead = Claim::of(
            "Nothing: {} turned the kill switch on at {}, because of {}.",
            [Fact::new(&kill.by, from()), ground.at(kill.at, from()), Fact::new(&kill.reason, from())],
        );
        return Answer::known(lead);
    }
    let mut answer = Answer::known(Claim::of(
        "The mode is {}, and the kill switch is off.",
        [Fact::new(snapshot.mode.word(), from())],
    ));
    let autonomy = &snapshot.autonomy;
    if autonomy.assist.is_empty() {
        answer.claims.push(Claim::of("No kind of act begins by itself; every step waits for a person.", []));
    }
    for kind in &autonomy.assist {
        answer.claims.push(Claim::of("It may do this by itself: {}.", [Fact::new(kind.word(), from())]));
    }
    let held = autonomy.breaker.iter().map(|(incident, why)| {
        Claim::of(
            "For {} it is held back: {}.",
            [Fact::new(incident, Citation::Incident(*incident)), Fact::new(why, from())],
        )
    });
    let freezes = autonomy.freezes.iter().map(|(name, until, _)| {
        Claim::of(
            "A freeze holds: {}, until {}.",
            [
                Fact::new(name, Citation::Occasion(Arc::clone(name))),
                ground.at(*until, Citation::Occasion(Arc::clone(name))),
            ],
        )
    });
    answer
        .with_first(LINES_MAX, held, from())
        .with_first(LINES_MAX, freezes, from())
        .then(&["who did what", "which step are we on"])
}

/// Whether the data can be relied on.
pub(super) fn data(ground: &Ground<'_>) -> Answer {
    let snapshot = ground.snapshot;
    let ill: Vec<_> = snapshot.sources.iter().filter(|source| !matches!(source.state, SourceState::Healthy)).collect();
    let lead = match (snapshot.sources.len(), ill.len()) {
        (0, _) => Claim::of("No source is configured, so nothing is seen.", []),
        (count, 0) => Claim::of("All of {} sources answer.", [ground::count(count, Citation::Totals)]),
        (count, ill) => Claim::of(
            "{} of {} sources do not answer as they should.",
            [ground::count(ill, Citation::Totals), ground::count(count, Citation::Totals)],
        ),
    };
    // What does not answer is told first.
    let mut ordered: Vec<_> = snapshot.sources.iter().collect();
    ordered.sort_by_key(|source| matches!(source.state, SourceState::Healthy));
    let claims = ordered.into_iter().map(|source| {
        let cited = || Citation::Source(Arc::from(source.source.as_str()));
        let name = Fact::new(&source.source, cited());
        match (&source.state, source.last_ok_at) {
            (SourceState::Down { reason, .. }, _) => Claim::of("{} is down: {}.", [name, Fact::new(reason, cited())]),
            (SourceState::Degraded { reason }, _) => {
                Claim::of("{} answers in part: {}.", [name, Fact::new(reason, cited())])
            }
            (_, Some(at)) => {
                let ago = Fact::new(human_span(ground.now().since_ms(at)), cited());
                Claim::of("{} answered {} ago.", [name, ago])
            }
            (_, None) => Claim::of("{} has not answered yet.", [name]),
        }
    });
    let counts = &snapshot.counts;
    let totals = Claim::of(
        "{} series are watched; {} inputs were set aside since the start.",
        [
            Fact::new(human_count(counts.series_count), Citation::Totals),
            Fact::new(human_count(counts.dropped_count), Citation::Totals),
        ],
    );
    let days = Fact::new(format!("{:.0} days", counts.history_days), Citation::Totals);
    let history = Claim::of("The typical series has {} of history.", [days]);
    Answer::known(lead).with_first(LINES_MAX, claims, Citation::Totals).with([totals, history])
}

/// How the console is used.
pub(super) fn help() -> Answer {
    let keys = "Keys that work now are on the last line of the screen; the question mark shows all of them.";
    Answer::known(Claim::of(keys, []))
        .with([
            Claim::of(
                "Ask why something is slow or fails, what changed, who is affected, what to do, what to patch.",
                [],
            ),
            Claim::of("A follow-up takes over what was asked before it.", []),
            Claim::of("Nothing is ever done from here: acts go through runbooks and their approval.", []),
        ])
        .then(&["what is broken now", "what changed today", "what should I do next"])
}
