//! Changes: when they came, what they do, and what undid them.

use super::shop::{Expected, check, shop};
use crate::engine::clock::Timestamp;
use crate::engine::model::{AnomalyState, CauseKind, ChangeId, ChangeKind, SeriesRole};
use crate::engine::root_cause::fixtures::ranked;
use crate::engine::world::fixtures::{Build, anomaly};

#[test]
fn one_service_with_a_deploy_needs_no_topology() {
    let build = Build::new()
        .change(1, ChangeKind::Deploy, Some("payment"), 993)
        .errors(1, "payment", 1_000)
        .latency(2, "payment", 1_000);
    let expected = Expected { kind: CauseKind::BadDeploy, service: "payment", change: Some(1), percent_min: 75 };
    check("lone deploy", build, &expected);
}

#[test]
fn a_cycle_of_calls_is_walked_once() {
    let build = Build::new()
        .chain("a-service > b-service > c-service > a-service")
        .change(1, ChangeKind::Deploy, Some("b-service"), 990)
        .errors(1, "b-service", 1_000)
        .errors(2, "a-service", 1_040)
        .errors(3, "c-service", 1_060);
    let expected = Expected { kind: CauseKind::BadDeploy, service: "b-service", change: Some(1), percent_min: 60 };
    check("cycle", build, &expected);
}

#[test]
fn clocks_that_differ_by_seconds_do_not_hide_the_cause() {
    // By its own clock the deploy came 3 s after the first symptom, and the caller was hit 5 s before the callee.
    let build = shop()
        .change(1, ChangeKind::Deploy, Some("payment"), 1_003)
        .errors(1, "payment", 1_000)
        .errors(2, "checkout", 995);
    let expected = Expected { kind: CauseKind::BadDeploy, service: "payment", change: Some(1), percent_min: 70 };
    check("skew", build, &expected);
}

#[test]
fn a_recovery_speaks_against_a_change_only_while_nothing_undid_it() {
    let mut over = anomaly(1, "payment", "error_ratio", SeriesRole::Errors, 1_000);
    over.state = AnomalyState::Ended;
    over.last_seen_at = Timestamp(1_300_000);
    over.ended_at = Some(Timestamp(1_310_000));
    let deployed = || shop().change(1, ChangeKind::Deploy, Some("payment"), 993).anomaly(over.clone());
    for (name, build, against, words) in [
        ("by itself", deployed(), true, "nothing is known to have undone the change"),
        (
            "after our own act",
            deployed().change(2, ChangeKind::OwnAct, Some("payment"), 1_200),
            false,
            "back to normal 1 min 50 s after change 2 to payment",
        ),
        (
            "before our own act",
            deployed().change(2, ChangeKind::OwnAct, Some("payment"), 1_900),
            true,
            "nothing is known to have undone the change",
        ),
    ] {
        let ranking = ranked(&build.world());
        let blamed = ranking.hypotheses.iter().find(|hypothesis| hypothesis.change == Some(ChangeId(1))).unwrap();
        let pieces = if against { &blamed.evidence_against } else { &blamed.evidence_for };
        let texts: Vec<&str> = pieces.iter().map(|piece| piece.text.as_ref()).collect();
        assert!(texts.iter().any(|text| text.contains(words)), "{name}: {texts:?}");
    }
}

#[test]
fn a_change_after_the_harm_is_no_cause() {
    let build = shop()
        .change(1, ChangeKind::Deploy, Some("payment"), 1_060)
        .errors(1, "payment", 1_000)
        .errors(2, "checkout", 1_030);
    let ranking = ranked(&build.world());
    assert_ne!(ranking.hypotheses[0].change, Some(ChangeId(1)));
}

/// Two roll-outs of the service before its connections run out: the later one is nearer.
fn two_rollouts() -> Build {
    Build::new()
        .errors(1, "herd", 1_000)
        .logs(2, "herd", "pool exhausted: no connection within <*> ms", 1_001)
        .change(1, ChangeKind::Deploy, Some("herd"), 700)
        .change(2, ChangeKind::Deploy, Some("herd"), 960)
}

fn blamed(build: Build) -> Option<ChangeId> {
    ranked(&build.world()).hypotheses.first().and_then(|one| one.change)
}

#[test]
fn what_a_change_does_weighs_beside_when_it_came() {
    const MOVED: &str = "-  Result r = svc.run(input);\n-  return Response.ok(r);\n+  return Response.ok(run(input));\n+  }\n\
        +  private Result run(Input input) {\n+  Result r = svc.run(input);\n+  return r;";
    assert_eq!(blamed(two_rollouts()), Some(ChangeId(2)), "by time alone the later");
    let told = two_rollouts().content(1, &["common/pool.toml"], "-max_connections = 80\n+max_connections = 8").content(
        2,
        &["herd/Controller.java"],
        MOVED,
    );
    let ranking = ranked(&told.world());
    let best = &ranking.hypotheses[0];
    assert_eq!(best.change, Some(ChangeId(1)), "{best:?}");
    let texts: Vec<&str> = best.evidence_for.iter().map(|piece| &*piece.text).collect();
    assert!(texts.iter().any(|text| text.contains("less room") && text.contains("exhaustion")), "{texts:?}");
}

#[test]
fn a_change_of_text_for_people_is_not_blamed_for_being_near() {
    let told = two_rollouts().content(2, &["docs/pool.md"], "-The pool has 80.\n+The pool has 8.");
    assert_eq!(blamed(told), Some(ChangeId(1)));
}
