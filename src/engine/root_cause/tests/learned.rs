//! What operators confirmed and what they judged.

use std::sync::Arc;

use super::shop::shop;
use crate::engine::model::{CauseKind, Hypothesis, Incident, IncidentId, KindGuess, Ranking};
use crate::engine::root_cause::fixtures::{incident, ranked};
use crate::engine::root_cause::verdict;

#[test]
fn confirmed_incidents_of_a_kind_speak_for_it_as_far_as_they_were_right() {
    let confidence = |right: u32| {
        let mut world = shop().latency(1, "payment-db", 1_000).latency(2, "payment", 1_005).world();
        let guess = KindGuess {
            kind: CauseKind::InternalLatency,
            chance: 0.9,
            because: vec!["talk of query".into()],
            of_kind: 7,
            learnt_from: 20,
            right,
            tried: 20,
        };
        world.kind_guesses.insert(IncidentId(1), Arc::new(guess));
        let ranking = ranked(&world);
        let of_kind = |it: &&Hypothesis| it.kind == CauseKind::InternalLatency && it.service.as_str() == "payment-db";
        let found = ranking.hypotheses.iter().find(of_kind).unwrap().clone();
        let is_told = found.evidence_for.iter().any(|piece| piece.text.contains("the 7 confirmed incidents"));
        (found.confidence.get(), is_told)
    };
    let (never, sometimes, always) = (confidence(0), confidence(14), confidence(20));
    assert!(always.0 > sometimes.0 && sometimes.0 > never.0, "{never:?} {sometimes:?} {always:?}");
    assert_eq!((never.1, sometimes.1, always.1), (false, true, true));
}

#[test]
fn verdicts_move_confidence_and_not_the_order() {
    let world = shop().errors(1, "payment", 1_000).world();
    let before = ranked(&world);
    let incident_ = Incident { ranking: before.clone(), ..incident(&world) };
    for (is_right, sooner) in [(true, std::cmp::Ordering::Greater), (false, std::cmp::Ordering::Less)] {
        let mut taught = world.clone();
        let verdict = verdict(&world, &incident_, is_right).unwrap();
        taught.verdicts = (100..130).map(|id| (IncidentId(id), verdict)).collect();
        let after = ranked(&taught);
        let sure = |ranking: &Ranking| ranking.hypotheses[0].confidence.get();
        assert_eq!(sure(&after).partial_cmp(&sure(&before)), Some(sooner), "{is_right}");
        assert_eq!(after.hypotheses[0].title, before.hypotheses[0].title);
        let sum: f64 = after.hypotheses.iter().map(|one| one.confidence.get()).sum();
        assert!(sum <= 1.0 + 1e-9 && after.hypotheses.iter().all(|one| one.confidence.get() <= sure(&after)));
    }
    assert!(verdict(&world, &incident(&world), true).is_none(), "no cause was named");
}
