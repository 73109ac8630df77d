//! Incidents that follow the evidence: failures that show what broke.

use super::super::pass::Pass;
use super::super::symptom::SymptomKey;
use super::Scene;
use crate::engine::clock::Timestamp;
use crate::engine::model::{AlertNotice, Incident, IncidentId, Severity};
use crate::engine::world::fixtures::{Build, alert_notice};

/// Two failures that the users' end holds together, each with something that broke at its root; in the order of onsets.
fn alerts_of_two() -> Vec<AlertNotice> {
    let alert = |name: &str, service: &str, at: i64| alert_notice(name, Some(service), Severity::Critical, at);
    vec![
        alert("DBSlowQueries", "postgres", 100),
        alert("DBConnectionsHigh", "postgres", 110),
        alert("HighErrorRate", "cart", 160),
        alert("HighLatencyP99", "cart", 165),
        alert("UpstreamTimeouts", "cart", 170),
        alert("PodCrashLooping", "search", 250),
        alert("ContainerOOMKilled", "search", 255),
        alert("HighErrorRate", "search", 262),
        alert("HighLatencyP99", "search", 270),
        alert("HighErrorRate", "web", 290),
    ]
}

fn shop() -> Scene {
    Scene::on(Build::new().chain("web > cart > postgres").chain("web > search").chain("web > mail"))
}

/// Services of the live incidents, without the users' end, which feels both; and how many alerts they have.
fn incidents(scene: &Scene) -> (Vec<Vec<String>>, usize) {
    let services = |incident: &&Incident| -> Vec<String> {
        incident.services.keys().map(ToString::to_string).filter(|name| name != "web").collect()
    };
    let mut all: Vec<Vec<String>> = scene.live().iter().map(services).collect();
    all.sort();
    (all, scene.live().iter().map(|incident| incident.alerts.len()).sum())
}

fn both() -> (Vec<Vec<String>>, usize) {
    (vec![vec!["cart".to_owned(), "postgres".to_owned()], vec!["search".to_owned()]], 10)
}

#[test]
fn two_failures_that_show_what_broke_are_two_incidents_although_one_service_feels_both() {
    let mut scene = shop();
    alerts_of_two().iter().for_each(|notice| scene.tell(notice, 300));
    (301..370).for_each(|second| scene.tick(second));
    assert_eq!(incidents(&scene), both(), "and nothing is lost");
}

#[test]
fn they_are_the_same_two_when_heard_as_they_come() {
    let mut scene = shop();
    let mut now = 99;
    for notice in alerts_of_two() {
        while now < notice.starts_at.0 / 1_000 {
            now += 1;
            scene.tick(now);
        }
        scene.tell(&notice, now);
    }
    (291..400).for_each(|second| scene.tick(second));
    assert_eq!(incidents(&scene), both());
}

#[test]
fn the_next_wave_at_the_same_places_opens_no_second_incident() {
    let mut scene = shop();
    let first = &alerts_of_two()[..5];
    first.iter().for_each(|notice| scene.tell(notice, 171));
    (172..400).for_each(|second| scene.tick(second));
    let id = scene.only().id;
    for (nth, service) in (0..).zip(["cart", "postgres", "cart", "postgres"]) {
        scene.tell(&alert_notice(&format!("Late{nth}"), Some(service), Severity::Critical, 400 + 5 * nth), 421);
    }
    (421..600).for_each(|second| scene.tick(second));
    assert_eq!((scene.only().id, scene.only().alerts.len()), (id, 9));
}

#[test]
fn the_incident_of_a_case_that_was_given_up_goes_where_its_alerts_went() {
    let mut scene = shop();
    alerts_of_two().iter().for_each(|notice| scene.tell(notice, 300));
    (301..370).for_each(|second| scene.tick(second));
    let homes: Vec<(u32, IncidentId)> = scene.correlator.homes.iter().map(|(case, id)| (*case, *id)).collect();
    let [(kept, whole), (left, part)] = homes[..] else { panic!("{homes:?}") };
    let everything = scene.world.alerts.keys().map(|id| SymptomKey::Alert(*id)).collect();
    // As if the evidence had come to think that the first explains everything.
    scene.correlator.homes.remove(&left);
    scene.correlator.homes.insert(u32::MAX, part);
    let mut events = Vec::new();
    let mut pass = Pass::new(&mut scene.correlator, &scene.world, Timestamp(303_000));
    pass.follow_given_up(&[(kept, everything)].into(), &mut events);
    pass.refresh_stale();
    pass.finish(&mut events);
    events.iter().for_each(|event| event.apply(&mut scene.world));
    assert_eq!((scene.only().id, scene.only().alerts.len()), (whole.min(part), 10));
}
