//! Storms: many alerts are one incident, at the price of their number.

use super::super::CorrelationEvent;
use super::Scene;
use crate::engine::model::{AlertNotice, IncidentSeverity, Labels, Severity};
use crate::engine::world::fixtures::{Build, alert_notice};

/// 23 services in a tree; `count` alerts over them within 90 s.
fn storm(count: usize) -> (Build, Vec<AlertNotice>) {
    let name = |nth: usize| format!("service-{nth}");
    let build = (1..23).fold(Build::new(), |build, nth| build.calls(&name(nth / 2), &name(nth)));
    let notices = (0..count)
        .map(|nth| {
            let mut notice = alert_notice(
                &format!("Alert{nth}"),
                Some(&name(nth % 23)),
                if nth % 3 == 0 { Severity::Critical } else { Severity::Warning },
                1_000 + i64::try_from(nth * 90 / count).unwrap(),
            );
            notice.labels = Labels::new([("instance", format!("10.0.0.{}", nth % 200))]);
            notice
        })
        .collect();
    (build, notices)
}

#[test]
fn a_storm_of_1847_alerts_is_one_incident() {
    let (build, notices) = storm(1_847);
    let mut scene = Scene::on(build);
    let mut now = 1_000;
    for notice in &notices {
        while now < notice.starts_at.0 / 1_000 {
            now += 1;
            scene.tick(now);
        }
        scene.tell(notice, now);
    }
    scene.tick(1_091);
    let incident = scene.only();
    assert_eq!(incident.alerts.len(), 1_847);
    assert_eq!(incident.folded_count, 1_847);
    assert_eq!(incident.services.len(), 23);
    assert_eq!(incident.severity, IncidentSeverity::Sev1);
    assert!(incident.timeline.len() <= crate::engine::limits::TIMELINE_ENTRIES_MAX);
    // Every alert is marked once and the incident is told at most once a tick: nothing is done again for old alerts.
    let opened = scene.events.iter().filter(|event| matches!(event, CorrelationEvent::IncidentOpened(_))).count();
    assert!(scene.world.incidents.len() <= opened);
    let marks = scene.events.iter().filter(|event| matches!(event, CorrelationEvent::AlertMarked { .. })).count();
    assert!(marks <= 2 * notices.len(), "{marks} marks");
    assert!(scene.world.alerts.values().all(|alert| alert.suppressed.is_some()), "each says why it is folded");
}

#[test]
fn a_storm_is_grouped_by_service_not_by_alert() {
    let (build, notices) = storm(1_847);
    let world = notices.iter().fold(build, Build::alert).world();
    let directory = super::super::symptom::Directory::default();
    let symptoms: Vec<_> =
        world.alerts.values().filter_map(|alert| super::super::symptom::of_alert(alert, &directory, false)).collect();
    assert_eq!(super::super::grouping::bursts(&symptoms, 420_000).len(), 23);
}
