//! An approval is for what was known when it was given: what is known otherwise is shown and approved anew.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::engine::model::{Buckets, Evidence, EvidenceKind, Hypothesis, Score};

/// What can be known, as plain as it gets.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    /// Kind of cause, service, and kinds of evidence for and against it; `None` while none is named.
    cause: Option<(CauseKind, &'static str, BTreeSet<EvidenceKind>, BTreeSet<EvidenceKind>)>,
    state: IncidentState,
    check: bool,
}

const KINDS: [EvidenceKind; 4] =
    [EvidenceKind::Change, EvidenceKind::Topology, EvidenceKind::Logs, EvidenceKind::Alerts];

fn known() -> impl Strategy<Value = Known> {
    let kinds = || prop::collection::btree_set(prop::sample::select(&KINDS[..]), 0..3);
    let cause = (
        prop::sample::select(vec![CauseKind::BadDeploy, CauseKind::Overload]),
        prop::sample::select(vec!["payment", "cart"]),
        kinds(),
        kinds(),
    );
    let states = vec![IncidentState::Open, IncidentState::Acknowledged, IncidentState::Mitigated];
    (prop::option::weighted(0.9, cause), prop::sample::select(states), any::<bool>())
        .prop_map(|(cause, state, check)| Known { cause, state, check })
}

/// Puts it into the world of the drive; evidence of one kind can come in several pieces, each of any weight.
fn lay(known: &Known, confidence: f64, drive: &mut Drive) {
    let pieces = |kinds: &BTreeSet<EvidenceKind>| -> Vec<Evidence> {
        let piece = |kind, weight| Evidence { kind, text: text("x"), weight, at: None, target: None };
        kinds.iter().rev().flat_map(|kind| [piece(*kind, confidence), piece(*kind, 1.0 - confidence)]).collect()
    };
    let hypothesis = known.cause.as_ref().map(|(kind, service, speaks_for, against)| Hypothesis {
        kind: *kind,
        service: ServiceName::new(service),
        change: None,
        title: text("t"),
        confidence: Score::new(confidence),
        evidence_for: pieces(speaks_for),
        evidence_against: pieces(against),
        impact_chain: Vec::new(),
        buckets: Buckets::default(),
        disproved_by: text(""),
    });
    drive.incident.ranking.hypotheses = hypothesis.into_iter().collect();
    drive.incident.state = known.state;
    if let Some(check) = drive.run.steps.get_mut(1) {
        check.is_as_expected = Some(known.check);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_approval_is_void_once_something_else_is_known(
        before in known(), after in known(), is_same in any::<bool>(), confidence in 0.0..1.0_f64
    ) {
        let after = if is_same { before.clone() } else { after };
        let mut drive = Drive::new(steps());
        drive.walk_to_offered_act();
        lay(&before, 0.5, &mut drive);
        drive.now = drive.now + 1;
        drive.with(on_tick);
        let token = Arc::clone(&drive.run.steps[2].offer);
        let executed = drive.executed.len();
        lay(&after, confidence, &mut drive);

        let answer = drive.approve_as_shown(2, &token, None);
        prop_assert_eq!(answer.is_ok(), before == after, "{:?}", answer);
        if before != after {
            prop_assert!(matches!(answer, Err(GateRefusal::EvidenceChanged { .. })), "{answer:?}");
            prop_assert_eq!(drive.executed.len(), executed);
            // It is shown anew and says what is known now; the old token stays void, the new one is good.
            drive.now = drive.now + 5_000;
            prop_assert!(drive.with(on_tick));
            prop_assert!(drive.run.steps[2].gate_text.starts_with("the evidence changed: "));
            prop_assert!(drive.audit.last().unwrap().text.contains("the evidence changed"));
            prop_assert!(drive.approve_as_shown(2, &token, None).is_err());
            // Back to what it was, the old offer does not come to life again.
            lay(&before, 0.5, &mut drive);
            prop_assert!(drive.approve_as_shown(2, &token, None).is_err());
            prop_assert_eq!(drive.executed.len(), executed);
            lay(&after, confidence, &mut drive);
            drive.approve(2).unwrap();
        }
        prop_assert_eq!(drive.executed.len(), executed + 1);
    }
}

#[test]
fn what_changed_is_said_in_words() {
    let mut drive = Drive::new(steps());
    drive.walk_to_offered_act();
    let token = Arc::clone(&drive.run.steps[2].offer);
    drive.incident.state = IncidentState::Mitigated;
    let said = drive.approve_as_shown(2, &token, None).unwrap_err().to_string();
    assert!(said.contains("(incident: mitigated)"), "{said}");
    assert_eq!(policy::drift("cause: a; look: as expected", "cause: b"), "cause: b; no longer look: as expected");
    assert_eq!(policy::drift("cause: a", "cause: a"), "");
}

#[test]
fn what_begins_by_itself_waits_anew_when_something_else_is_known() {
    let mut page = steps();
    page.truncate(2);
    let mut drive = Drive::of(&proposal(page), |drive| drive.policy.mode = AutonomyMode::Assist);
    drive.run.steps[0].begins_at = Some(drive.now + 30_000);
    drive.incident.state = IncidentState::Acknowledged;
    drive.now = drive.now + 30_000;
    let executed = drive.executed.len();
    assert!(drive.with(on_tick));
    assert_eq!(drive.executed.len(), executed);
    assert_eq!(drive.run.steps[0].state, StepState::Waiting, "it is offered anew and not begun on the old evidence");
}
