//! What opens an incident, and what is set aside.

use super::{Scene, errors, warning};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    AlertNotice, AlertState, Anomaly, AnomalyId, AnomalyKind, AnomalyState, Fingerprint, Forecast, IncidentState,
    Labels, SeriesRole, Severity, SuppressionReason,
};
use crate::engine::world::fixtures::{Build, alert_notice};

#[test]
fn what_opens_an_incident_and_what_does_not() {
    let with = |change: fn(&mut Anomaly)| {
        let mut one = errors(1, "payment", 100);
        change(&mut one);
        vec![one]
    };
    let forecast = |due: i64| {
        let mut one = errors(1, "payment", 100);
        one.kind = AnomalyKind::Forecast;
        one.forecast = Some(Forecast { limit: 1.0, reached_at: Timestamp(due * 1_000), margin_ms: 1_000 });
        vec![one]
    };
    let hour = 3_600;
    for (name, anomalies, expected) in [
        ("one critical anomaly", with(|_| {}), 1),
        ("one warning", with(|one| one.severity = Severity::Warning), 0),
        ("information", with(|one| one.severity = Severity::Info), 0),
        ("harmless", with(|one| one.is_harmful = false), 0),
        ("only traffic", with(|one| one.role = SeriesRole::Traffic), 0),
        ("calendar", with(|one| one.suppressed = Some(SuppressionReason::Calendar { event: "batch".into() })), 0),
        ("set aside", with(|one| one.suppressed = Some(SuppressionReason::Operator { by: "ann".into() })), 0),
        ("already over", with(|one| one.state = AnomalyState::Ended), 0),
        ("a distant forecast", forecast(60 * hour), 0),
        ("a forecast for the next hour", forecast(hour), 1),
        ("two metrics", vec![warning(1, "payment", "a", 100), warning(2, "payment", "b", 130)], 1),
        ("two instances of one metric", vec![warning(1, "payment", "a", 100), warning(2, "payment", "a", 130)], 0),
        ("two metrics of strangers", vec![warning(1, "payment", "a", 100), warning(2, "search", "b", 130)], 0),
        ("two metrics of neighbours", vec![warning(1, "payment", "a", 100), warning(2, "checkout", "b", 130)], 1),
        ("two metrics far apart", vec![warning(1, "payment", "a", 100), warning(2, "checkout", "b", 900)], 0),
    ] {
        let mut scene = Scene::on(Build::new().calls("checkout", "payment"));
        anomalies.into_iter().for_each(|one| scene.hear(one, 135));
        scene.tick(136);
        assert_eq!(scene.live().len(), expected, "{name}");
    }
}

#[test]
fn what_alerts_open() {
    let critical = alert_notice("Down", Some("payment"), Severity::Critical, 100);
    let mild = alert_notice("Slow", Some("payment"), Severity::Warning, 100);
    let mut muted = critical.clone();
    muted.muted_by = Some("silence 7".into());
    for (name, notice, beside, now, expected) in [
        ("critical", &critical, None, 101, 1),
        ("muted", &muted, None, 101, 0),
        ("mild and fresh", &mild, None, 101, 0),
        ("mild, alone and lasting", &mild, None, 100 + 181, 0),
        ("mild, alone and lasting long", &mild, None, 100 + 3_601, 1),
        ("mild with an anomaly beside it", &mild, Some(warning(1, "payment", "a", 90)), 101, 1),
        ("mild with an anomaly elsewhere", &mild, Some(warning(1, "search", "a", 90)), 101, 0),
    ] {
        let mut scene = Scene::on(Build::new());
        scene.tell(notice, 100);
        beside.into_iter().for_each(|one: Anomaly| scene.hear(one, 101));
        scene.tick(now);
        assert_eq!(scene.live().len(), expected, "{name}");
    }
}

#[test]
fn two_mild_alerts_that_last_together_open_one_and_a_lone_one_says_why_it_waits() {
    let slow = alert_notice("Slow", Some("payment"), Severity::Warning, 100);
    for (name, other, expected) in [
        ("another of the same service", alert_notice("Late", Some("payment"), Severity::Warning, 200), 1),
        ("the same of a neighbour", alert_notice("Slow", Some("web"), Severity::Warning, 200), 1),
        ("another of a stranger", alert_notice("Late", Some("search"), Severity::Warning, 200), 0),
        ("another much later", alert_notice("Late", Some("payment"), Severity::Warning, 100 + 500), 0),
    ] {
        let mut scene = Scene::on(Build::new().calls("web", "payment"));
        scene.tell(&slow, 100);
        scene.tick(100 + 185);
        assert!(scene.live().is_empty(), "{name}: not by itself");
        assert_eq!(scene.world.alerts[&slow.fingerprint].suppressed, Some(SuppressionReason::TooWeak), "{name}");
        scene.tell(&other, other.starts_at.0 / 1_000);
        scene.tick(other.starts_at.0 / 1_000 + 200);
        assert_eq!(scene.live().len(), expected, "{name}");
    }
}

#[test]
fn a_weak_symptom_that_passes_says_why_it_was_set_aside() {
    let mut scene = Scene::on(Build::new());
    scene.hear(warning(1, "payment", "a", 100), 110);
    scene.tick(111);
    scene.end(1, 200);
    scene.tick(201);
    scene.tick(200 + 421);
    assert!(scene.world.incidents.is_empty());
    assert_eq!(scene.world.anomalies[&AnomalyId(1)].suppressed, Some(SuppressionReason::TooWeak));
}

#[test]
fn a_flapping_alert_is_one_incident_and_keeps_it_open() {
    let mut scene = Scene::on(Build::new());
    let firing = alert_notice("Flap", Some("payment"), Severity::Critical, 100);
    for second in 100..1_000 {
        let mut notice = firing.clone();
        notice.starts_at = Timestamp(second * 1_000);
        if second % 2 == 1 {
            notice.state = AlertState::Resolved;
            notice.ends_at = Some(Timestamp(second * 1_000 + 500));
        }
        scene.tell(&notice, second);
        scene.tick(second);
    }
    assert_eq!(scene.world.incidents.len(), 1);
    assert!(scene.only().state == IncidentState::Open);
    for second in 1_000..1_000 + 600 + 6 * 60 + 10 {
        scene.tick(second);
    }
    assert!(scene.live().is_empty(), "settled and over");
}

#[test]
fn alerts_without_a_service_find_one_or_stay_together_by_labels() {
    let labelled = |name: &str, label: &str, value: &str| {
        let mut notice = alert_notice(name, None, Severity::Critical, 100);
        notice.labels = Labels::new([(label, value)]);
        notice
    };
    let mut scene = Scene::on(Build::new().calls("web", "payment"));
    let mut known = errors(1, "payment", 95);
    known.instance = Some("10.0.0.7".into());
    scene.hear(known, 100);
    scene.tell(&labelled("Hot", "instance", "10.0.0.7:9100"), 101);
    scene.tell(&labelled("Named", "workload", "web"), 101);
    scene.tell(&labelled("Odd", "node", "node-9"), 101);
    scene.tell(&labelled("Odder", "node", "node-9"), 101);
    scene.tick(102);
    let live = scene.live();
    assert_eq!(live.len(), 2);
    assert_eq!(live[0].alerts.len(), 2, "payment by its instance, web by its name");
    assert_eq!(live[1].alerts.len(), 2, "the node's");
    assert_eq!(live[1].services.len(), 0);
}

#[test]
fn the_job_that_measures_is_no_service() {
    let told_by = |job: &str, label: &str, value: &str| {
        let mut notice = alert_notice("Hot", Some(job), Severity::Critical, 100);
        notice.labels = Labels::new([("job", job), (label, value)]);
        notice
    };
    for (name, one, other, expected) in [
        (
            "machines that one exporter measures",
            told_by("node-exporter", "node", "n1"),
            told_by("node-exporter", "node", "n2"),
            2,
        ),
        ("pods of a service", told_by("payment", "pod", "payment-1"), told_by("payment", "pod", "payment-2"), 1),
        ("the exporter itself", told_by("node-exporter", "team", "a"), told_by("node-exporter", "team", "b"), 1),
    ] {
        let mut scene = Scene::on(Build::new());
        scene.tell(&AlertNotice { fingerprint: Fingerprint(1), ..one }, 101);
        scene.tell(&AlertNotice { fingerprint: Fingerprint(2), ..other }, 101);
        scene.tick(102);
        assert_eq!(scene.live().len(), expected, "{name}");
    }
}
