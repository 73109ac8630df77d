//! Where one incident ends and another begins: what joins, what parts and what merges them.

use std::sync::Arc;

use super::super::lifecycle::{LifecycleError, apply};
use super::{Scene, blame, errors, warning};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    AnomalyId, ChangeKind, EdgeNotice, EdgeOrigin, Incident, IncidentId, IncidentSeverity, SeriesRole, Severity,
    TimelineKind,
};
use crate::engine::request::Request;
use crate::engine::world::fixtures::{Build, alert_notice, anomaly};

#[test]
fn two_failures_at_once_stay_two_incidents() {
    let mut scene = Scene::on(Build::new().chain("web > payment > db").chain("admin > search > index"));
    scene.hear(errors(1, "db", 100), 110);
    scene.hear(errors(2, "index", 101), 110);
    scene.tick(111);
    scene.hear(errors(3, "web", 120), 125);
    scene.hear(errors(4, "admin", 121), 125);
    scene.tick(126);
    let members: Vec<_> = scene.live().iter().map(|incident| incident.services.len()).collect();
    assert_eq!(members, [2, 2]);
}

#[test]
fn connected_services_that_fail_further_apart_than_the_window_are_two_incidents() {
    let mut scene = Scene::on(Build::new().chain("web > payment"));
    scene.hear(errors(1, "payment", 100), 110);
    scene.tick(111);
    scene.hear(errors(2, "web", 100 + 8 * 60), 600);
    scene.tick(601);
    assert_eq!(scene.live().len(), 2);
    // The same service while its harm lasts is the same incident.
    let mut lasting = errors(1, "payment", 100);
    lasting.last_seen_at = Timestamp(1_100_000);
    scene.hear(lasting, 1_100);
    scene.hear(anomaly(3, "payment", "latency_p95", SeriesRole::Latency, 1_100), 1_105);
    scene.tick(1_106);
    assert_eq!(scene.live().len(), 2);
    assert_eq!(scene.world.anomalies[&AnomalyId(3)].incident, Some(IncidentId(1)));
}

#[test]
fn callers_behind_one_change_share_its_suspicion() {
    let build = || Build::new().calls("user", "auth").calls("checkout", "auth");
    for (name, build, expected) in [
        ("without a change", build(), 2),
        ("with one", build().change(1, ChangeKind::Network, Some("auth"), 95), 1),
        ("with an old one", build().change(1, ChangeKind::Network, Some("auth"), -9_000), 2),
    ] {
        let mut scene = Scene::on(build);
        scene.hear(errors(1, "user", 100), 110);
        scene.hear(errors(2, "checkout", 104), 110);
        scene.tick(111);
        assert_eq!(scene.live().len(), expected, "{name}");
    }
}

#[test]
fn a_bridge_merges_the_younger_into_the_older() {
    let mut scene = Scene::on(Build::new().calls("web", "payment").calls("web", "search"));
    scene.hear(errors(1, "payment", 100), 110);
    scene.hear(errors(2, "search", 120), 125);
    scene.tell(&alert_notice("HighErrors", Some("search"), Severity::Critical, 122), 125);
    scene.tick(126);
    assert_eq!(scene.live().len(), 2);
    scene.hear(errors(3, "web", 130), 135);
    scene.tick(136);
    let incident = scene.only();
    assert_eq!(incident.id, IncidentId(1));
    assert_eq!(incident.anomalies.len(), 3);
    let younger = &scene.world.incidents[&IncidentId(2)];
    assert_eq!(younger.merged_into, Some(IncidentId(1)));
    assert!(younger.timeline.iter().any(|entry| entry.text.starts_with("merged into INC-1: symptoms within 7 min")));
    assert!(scene.world.anomalies.values().all(|anomaly| anomaly.incident == Some(IncidentId(1))));
    assert!(scene.world.alerts.values().all(|alert| alert.incident == Some(IncidentId(1))));
    assert!(matches!(
        apply(younger, "ann", &Request::Acknowledge { incident: younger.id }, Timestamp(0)),
        Err(LifecycleError::Merged { .. })
    ));
}

#[test]
fn both_incidents_say_why_they_were_merged_and_a_set_severity_goes_along() {
    let mut scene = Scene::on(Build::new().calls("web", "payment").calls("web", "search"));
    scene.hear(anomaly(1, "payment", "latency_p95", SeriesRole::Latency, 100), 110);
    scene.hear(errors(2, "search", 120), 125);
    scene.tick(126);
    let set = Request::SetSeverity { incident: IncidentId(2), severity: IncidentSeverity::Sev1 };
    let set = apply(&scene.world.incidents[&IncidentId(2)], "ann", &set, Timestamp(127_000)).unwrap();
    scene.world.incidents.insert(set.id, Arc::new(set));
    scene.hear(warning(3, "web", "a", 130), 135);
    scene.tick(136);
    let older = scene.only();
    assert_eq!(older.severity, IncidentSeverity::Sev1);
    let states = |incident: &Incident| {
        let told = incident.timeline.iter().filter(|entry| entry.kind == TimelineKind::State);
        told.map(|entry| entry.text.to_string()).collect::<Vec<_>>()
    };
    assert!(states(older).iter().any(|text| text.starts_with("INC-2 merged into this one: symptoms within 7 min")));
    assert!(states(older).iter().any(|text| text == "severity raised from SEV3 to SEV1, as set on INC-2"));
    assert!(states(&scene.world.incidents[&IncidentId(2)]).iter().any(|text| text.starts_with("merged into INC-1: ")));
}

#[test]
fn a_bridge_between_two_failures_with_causes_of_their_own_joins_nothing() {
    let mut scene = Scene::on(Build::new().calls("web", "payment").calls("web", "search"));
    scene.hear(errors(1, "payment", 100), 110);
    scene.hear(errors(2, "search", 120), 125);
    scene.tick(126);
    blame(&mut scene, 1, Some("payment"));
    blame(&mut scene, 2, Some("search"));
    scene.hear(errors(3, "web", 130), 135);
    scene.hear(anomaly(4, "search", "latency_p95", SeriesRole::Latency, 131), 135);
    scene.tick(136);
    scene.tick(137);
    let members: Vec<_> = scene.live().iter().map(|incident| incident.anomalies.len()).collect();
    assert_eq!(members, [2, 2], "what both reach goes to the older, each keeps its own");
}

#[test]
fn incidents_that_turn_out_to_be_one_failure_become_one() {
    for (name, payment, mail, expected) in [
        ("one cause", Some("db"), Some("db"), 1),
        ("two causes", Some("db"), Some("smtp"), 2),
        ("the cause of one explains the other", Some("db"), None, 1),
        ("the cause of one has nothing to do with the other", Some("payment"), None, 2),
        ("none is known", None, None, 2),
    ] {
        let mut scene =
            Scene::on(Build::new().chain("payment > ledger > db").chain("mail > jobs > db").calls("mail", "smtp"));
        scene.hear(errors(1, "payment", 100), 110);
        scene.hear(errors(2, "mail", 130), 135);
        scene.tick(136);
        assert_eq!(scene.live().len(), 2, "{name}: time alone joins nothing");
        blame(&mut scene, 1, payment);
        blame(&mut scene, 2, mail);
        scene.tick(137);
        assert_eq!(scene.live().len(), expected, "{name}");
    }
}

#[test]
fn a_second_failure_leaves_with_its_members_and_stays_apart() {
    let mut scene = Scene::on(Build::new().calls("web", "payment").calls("web", "search"));
    scene.hear(errors(1, "payment", 100), 110);
    scene.hear(errors(2, "search", 105), 110);
    scene.hear(errors(3, "web", 110), 112);
    scene.tell(&alert_notice("SearchDown", Some("search"), Severity::Critical, 112), 113);
    scene.tick(114);
    assert_eq!(scene.only().anomalies.len(), 3);
    let services = ["search".into()].into();
    let split = scene.correlator.split(&scene.world, IncidentId(1), &services, "the index is full", Timestamp(180_000));
    split.iter().for_each(|event| event.apply(&mut scene.world));
    scene.hear(anomaly(4, "search", "latency_p95", SeriesRole::Latency, 181), 182);
    scene.hear(anomaly(5, "web", "latency_p95", SeriesRole::Latency, 182), 183);
    for second in 183..190 {
        scene.tick(second);
    }
    let [rest, part] = scene.live()[..] else { panic!("{:?}", scene.live().len()) };
    assert_eq!((part.id, part.split_from), (IncidentId(2), Some(IncidentId(1))));
    assert_eq!(rest.anomalies, [1, 3, 5].map(AnomalyId).into());
    assert_eq!(part.anomalies, [2, 4].map(AnomalyId).into());
    assert_eq!((rest.alerts.len(), part.alerts.len()), (0, 1));
    assert!(!rest.services.contains_key("search") && part.services.len() == 1);
    assert_eq!((rest.folded_count, part.folded_count), (3, 3), "nothing counts twice");
    assert!(rest.timeline.iter().any(|entry| entry.text.as_ref() == "INC-2 split off: the index is full"));
    assert!(!rest.timeline.iter().any(|entry| entry.text.contains("search error_ratio")));
    assert!(part.timeline.iter().any(|entry| entry.text.as_ref() == "split off from INC-1: the index is full"));
    assert!(!part.title.is_empty());
    // The same cause after all: then they are one.
    blame(&mut scene, 1, Some("vault"));
    blame(&mut scene, 2, Some("vault"));
    scene.tick(190);
    assert_eq!(scene.only().id, IncidentId(1));
}

#[test]
fn a_new_edge_merges_too() {
    let mut scene = Scene::on(Build::new().calls("web", "payment"));
    scene.hear(errors(1, "payment", 100), 110);
    scene.hear(errors(2, "search", 120), 125);
    scene.tick(126);
    assert_eq!(scene.live().len(), 2);
    Arc::make_mut(&mut scene.world.topology).observe(&EdgeNotice {
        source: "mesh".into(),
        caller: "search".into(),
        callee: "payment".into(),
        origin: EdgeOrigin::Discovered,
        seen_at: Timestamp(126_000),
    });
    scene.tick(127);
    assert_eq!(scene.only().services.len(), 2);
}
