//! The life of an incident: its states, its severity and its timeline.

use std::sync::Arc;

use super::super::Correlator;
use super::super::lifecycle::apply;
use super::{Scene, errors, warning};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    ChangeKind, Incident, IncidentId, IncidentSeverity, IncidentState, SeriesRole, TimelineKind,
};
use crate::engine::request::Request;
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::fixtures::{Build, anomaly};

#[test]
fn quiet_mitigates_then_resolves_and_a_return_reopens() {
    let mut scene = Scene::on(Build::new());
    scene.hear(errors(1, "payment", 100), 110);
    scene.tick(111);
    scene.end(1, 300);
    scene.tick(301);
    assert_eq!(scene.only().state, IncidentState::Open);
    scene.tick(300 + 180);
    assert_eq!(scene.only().state, IncidentState::Mitigated);
    scene.hear(errors(2, "payment", 500), 510);
    scene.tick(511);
    assert_eq!(scene.only().state, IncidentState::Open, "the harm is back");
    scene.end(2, 600);
    scene.tick(600 + 180);
    scene.tick(600 + 360);
    assert!(scene.live().is_empty());
    scene.hear(errors(3, "payment", 2_000), 2_010);
    scene.tick(2_011);
    let incident = scene.only();
    assert_eq!((incident.id, incident.state, incident.reopen_count), (IncidentId(1), IncidentState::Reopened, 1));
    scene.end(3, 2_100);
    scene.tick(2_100 + 180);
    scene.tick(2_100 + 360);
    scene.hear(errors(4, "payment", 9_000), 9_010);
    scene.tick(9_011);
    assert_eq!(scene.only().id, IncidentId(2), "later than an hour it is a new one");
}

#[test]
fn quiet_that_is_noticed_late_is_mitigated_before_it_is_over() {
    let mut scene = Scene::on(Build::new());
    scene.hear(errors(1, "payment", 100), 110);
    scene.tick(111);
    scene.end(1, 300);
    scene.tick(900);
    let incident = scene.only();
    assert_eq!((incident.state, incident.mitigated_at), (IncidentState::Mitigated, Some(Timestamp(900_000))));
    scene.tick(900 + 179);
    assert_eq!(scene.only().state, IncidentState::Mitigated);
    scene.tick(900 + 180);
    assert!(scene.live().is_empty());
    let states: Vec<(i64, &str)> = scene.world.incidents[&IncidentId(1)]
        .timeline
        .iter()
        .filter(|entry| entry.kind == TimelineKind::State)
        .map(|entry| (entry.at.0 / 1_000, entry.text.as_ref()))
        .collect();
    let told = [(111, "opened"), (900, "mitigated: no symptom for 10 min"), (1_080, "resolved: no symptom for 13 min")];
    assert_eq!(states, told);
}

#[test]
fn what_people_may_ask_and_what_is_refused_with_words() {
    let mut scene = Scene::on(Build::new());
    scene.hear(errors(1, "payment", 100), 110);
    scene.tick(111);
    let open = scene.only().clone();
    let id = open.id;
    let ask = |incident: &Incident, request: Request| apply(incident, "ann", &request, Timestamp(120_000));
    let taken = ask(&open, Request::Acknowledge { incident: id }).unwrap();
    assert_eq!((taken.state, taken.owner.as_deref()), (IncidentState::Acknowledged, Some("ann")));
    let refused = ask(&taken, Request::Acknowledge { incident: id }).unwrap_err();
    assert_eq!(refused.to_string(), "INC-1 is already acknowledged");
    let given = ask(&taken, Request::Own { incident: id, owner: "bob".into() }).unwrap();
    assert_eq!(given.owner.as_deref(), Some("bob"));
    let graded = ask(&given, Request::SetSeverity { incident: id, severity: IncidentSeverity::Sev4 }).unwrap();
    let noted = ask(&graded, Request::Note { incident: id, text: " reverting ".into() }).unwrap();
    assert!(noted.timeline.iter().any(|entry| entry.kind == TimelineKind::Note && entry.text.as_ref() == "reverting"));
    assert!(ask(&noted, Request::Note { incident: id, text: "  ".into() }).is_err());
    assert!(ask(&noted, Request::Reopen { incident: id }).unwrap_err().to_string().contains("nothing to reopen"));
    let resolved = ask(&noted, Request::Resolve { incident: id }).unwrap();
    assert!(ask(&resolved, Request::Mitigate { incident: id }).unwrap_err().to_string().contains("reopen it first"));
    let back = ask(&resolved, Request::Reopen { incident: id }).unwrap();
    assert_eq!((back.state, back.reopen_count, back.resolved_at), (IncidentState::Reopened, 1, None));

    // The engine leaves a severity that a person set alone, and a person's "resolved" although the symptom lasts.
    scene.world.incidents.insert(id, Arc::new(noted));
    let mut worse = errors(1, "payment", 100);
    worse.peak_sigma = 90.0;
    scene.hear(worse.clone(), 130);
    scene.tick(131);
    assert_eq!(scene.only().severity, IncidentSeverity::Sev4);
    scene.world.incidents.insert(id, Arc::new(resolved));
    worse.peak_sigma = 91.0;
    scene.hear(worse, 140);
    scene.tick(141);
    assert!(scene.live().is_empty());
}

#[test]
fn severity_follows_the_users() {
    let shop = || Build::new().chain("web > checkout > payment > db").calls("web", "search");
    for (name, anomalies, expected) in [
        ("users fail at the entry", vec![errors(1, "db", 100), errors(2, "web", 110)], IncidentSeverity::Sev1),
        ("one service fails", vec![errors(1, "payment", 100)], IncidentSeverity::Sev2),
        (
            "one service is slow",
            vec![anomaly(1, "payment", "latency_p95", SeriesRole::Latency, 100)],
            IncidentSeverity::Sev3,
        ),
        (
            "two mild metrics of two services",
            vec![warning(1, "payment", "a", 100), warning(2, "db", "b", 100)],
            IncidentSeverity::Sev4,
        ),
    ] {
        let mut scene = Scene::on(shop());
        anomalies.into_iter().for_each(|one| scene.hear(one, 120));
        scene.tick(121);
        assert_eq!(scene.only().severity, expected, "{name}");
    }
}

#[test]
fn a_change_of_severity_is_in_the_timeline_whoever_made_it() {
    let mut scene = Scene::on(Build::new().calls("web", "payment"));
    scene.hear(anomaly(1, "payment", "latency_p95", SeriesRole::Latency, 100), 110);
    scene.tick(111);
    scene.hear(errors(2, "web", 120), 125);
    scene.tick(126);
    let raised = scene.only().clone();
    let ask = |severity| {
        apply(&raised, "ann", &Request::SetSeverity { incident: raised.id, severity }, Timestamp(130_000)).unwrap()
    };
    let lowered = ask(IncidentSeverity::Sev3);
    let told = |incident: &Incident, text: &str, by: Option<&str>| {
        incident.timeline.iter().any(|entry| entry.text.as_ref() == text && entry.by.as_deref() == by)
    };
    assert!(
        told(&raised, "severity raised from SEV3 to SEV1: users feel it, error_ratio of web is critical", None),
        "{:?}",
        raised.timeline
    );
    assert!(told(&lowered, "severity set from SEV1 to SEV3", Some("ann")));
    assert!(told(&ask(IncidentSeverity::Sev1), "severity confirmed as SEV1", Some("ann")));
}

#[test]
fn the_timeline_tells_what_happened_in_order_with_numbers() {
    let mut scene = Scene::on(Build::new().chain("web > auth").change(1, ChangeKind::Network, Some("auth"), 93));
    scene.hear(errors(2, "web", 120), 125);
    scene.tick(126);
    scene.hear(errors(1, "auth", 100), 127);
    scene.tick(128);
    scene.end(1, 200);
    scene.tick(201);
    let told: Vec<String> = scene
        .only()
        .timeline
        .iter()
        .map(|entry| format!("{} {:?} {}", entry.at.hh_mm_ss(), entry.kind, entry.text))
        .collect();
    assert_eq!(
        told,
        [
            "00:01:33 Change change 1 to auth",
            "00:01:40 Anomaly auth error_ratio 0.2 % → 61 % 10σ",
            "00:02:00 Impact web error_ratio 0.2 % → 61 % 10σ",
            "00:02:06 State opened",
            "00:03:20 Recovery auth error_ratio back to normal",
        ]
    );
}

#[test]
fn old_changes_that_nobody_blames_do_not_bury_the_first_symptom() {
    let onset = 20_000;
    let build = Build::new().calls("web", "auth").change(1, ChangeKind::Deploy, Some("web"), onset - 3 * 3_600).change(
        2,
        ChangeKind::Deploy,
        Some("auth"),
        onset - 60,
    );
    let mut scene = Scene::on(build);
    scene.hear(errors(1, "auth", onset), onset + 5);
    scene.tick(onset + 6);
    let incident = scene.only();
    assert_eq!(incident.changes.len(), 2, "both stay suspects");
    let told = incident.timeline.iter().filter(|entry| entry.kind == TimelineKind::Change).count();
    assert_eq!(told, 1);
}

#[test]
fn a_restart_keeps_numbers_and_members() {
    let mut scene = Scene::on(Build::new().chain("web > auth"));
    scene.hear(errors(1, "auth", 100), 110);
    scene.tick(111);
    let mut after = Correlator::new(&CorrelationSettings::default());
    after.restore(&scene.world);
    scene.correlator = after;
    let before = scene.world.incidents.clone();
    scene.tick(112);
    assert_eq!(scene.world.incidents, before, "nothing moved while it was away");
    scene.hear(errors(2, "web", 130), 135);
    scene.hear(errors(3, "search", 130), 135);
    scene.tick(136);
    assert_eq!(scene.live().iter().map(|incident| incident.id.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(scene.world.incidents[&IncidentId(1)].anomalies.len(), 2);
}
