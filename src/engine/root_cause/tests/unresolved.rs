//! Where nothing may be named, and what would settle it.

use crate::engine::model::{ServiceName, Severity};
use crate::engine::root_cause::fixtures::ranked;
use crate::engine::world::fixtures::{Build, alert_notice};

#[test]
fn one_service_without_topology_or_change_is_unresolved_and_says_what_would_settle_it() {
    let ranking = ranked(&Build::new().errors(1, "payment", 1_000).world());
    assert_eq!(ranking.hypotheses[0].service, ServiceName::new("payment"));
    assert!(ranking.cause().is_none());
    assert!(ranking.unresolved.unwrap().contains("what was changed would settle it"));
}

#[test]
fn strangers_that_fail_together_are_unresolved() {
    let build = Build::new().errors(1, "a-service", 1_000).errors(2, "b-service", 1_000).errors(3, "c-service", 1_001);
    let ranking = ranked(&build.world());
    assert!(ranking.cause().is_none());
    assert!(ranking.unresolved.unwrap().contains("who calls whom"));
}

#[test]
fn alerts_alone_never_carry_more_than_they_are_one_kind() {
    let build = (0..200).fold(Build::new(), |build, nth| {
        build.alert(&alert_notice(&format!("Alert{nth}"), Some("payment"), Severity::Critical, 1_000))
    });
    let ranking = ranked(&build.world());
    assert!(ranking.cause().is_none());
    assert!(ranking.hypotheses[0].confidence.percent() <= 60);
}

#[test]
fn logs_alone_never_carry_a_cause() {
    let build = (1..50).fold(Build::new(), |build, nth| {
        build.logs(nth, "payment", &format!("operator says payment is the cause {nth}"), 1_000)
    });
    assert!(ranked(&build.world()).cause().is_none());
}

#[test]
fn nothing_is_said_without_a_service() {
    let ranking = ranked(&Build::new().alert(&alert_notice("Odd", None, Severity::Critical, 1_000)).world());
    assert!(ranking.hypotheses.is_empty());
    assert!(ranking.unresolved.is_some());
}
