//! Correlation as a whole: whole situations, and that order does not matter.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::lifecycle::{LifecycleError, apply};
use super::{CorrelationEvent, Correlator, Touched, alerts, carry_marks};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    AlertNotice, AlertState, Anomaly, AnomalyId, AnomalyKind, AnomalyState, Buckets, CauseKind, ChangeKind, EdgeNotice,
    EdgeOrigin, Forecast, Hypothesis, Incident, IncidentId, IncidentSeverity, IncidentState, Labels, Ranking, Score,
    SeriesRole, Severity, SuppressionReason, TimelineKind,
};
use crate::engine::request::Request;
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::World;
use crate::engine::world::fixtures::{Build, alert_notice, anomaly};

/// A world with a correlator on it. Times in seconds.
struct Scene {
    world: World,
    correlator: Correlator,
    events: Vec<CorrelationEvent>,
}

impl Scene {
    fn on(build: Build) -> Self {
        Self { world: build.world(), correlator: Correlator::new(&CorrelationSettings::default()), events: Vec::new() }
    }

    fn step(&mut self, touched: &Touched, now: i64) {
        let events = self.correlator.step(&self.world, touched, Timestamp(now * 1_000));
        events.iter().for_each(|event| event.apply(&mut self.world));
        self.events.extend(events);
    }

    fn tick(&mut self, now: i64) {
        self.step(&Touched { is_tick: true, ..Touched::default() }, now);
    }

    fn hear(&mut self, told: Anomaly, now: i64) {
        let id = told.id;
        let known = carry_marks(self.world.anomalies.get(&id).map(AsRef::as_ref), told);
        self.world.anomalies.insert(id, Arc::new(known));
        self.step(&Touched { anomalies: [id].into(), ..Touched::default() }, now);
    }

    fn end(&mut self, id: u64, at: i64) {
        let mut over = (*self.world.anomalies[&AnomalyId(id)]).clone();
        over.state = AnomalyState::Ended;
        over.last_seen_at = Timestamp(at * 1_000);
        over.ended_at = Some(over.last_seen_at);
        self.hear(over, at);
    }

    fn tell(&mut self, notice: &AlertNotice, now: i64) {
        let id = notice.fingerprint;
        let alert = alerts::fold(self.world.alerts.get(&id).map(AsRef::as_ref), notice, Timestamp(now * 1_000));
        self.world.alerts.insert(id, Arc::new(alert));
        self.step(&Touched { alerts: [id].into(), ..Touched::default() }, now);
    }

    fn live(&self) -> Vec<&Incident> {
        self.world.incidents.values().map(AsRef::as_ref).filter(|incident| incident.state.is_live()).collect()
    }

    fn only(&self) -> &Incident {
        let live = self.live();
        assert_eq!(live.len(), 1, "{:?}", live.iter().map(|incident| &incident.title).collect::<Vec<_>>());
        live[0]
    }
}

fn errors(id: u64, service: &str, starts: i64) -> Anomaly {
    anomaly(id, service, "error_ratio", SeriesRole::Errors, starts)
}

fn warning(id: u64, service: &str, metric: &str, starts: i64) -> Anomaly {
    let mut mild = anomaly(id, service, metric, SeriesRole::Errors, starts);
    mild.severity = Severity::Warning;
    mild.peak_sigma = 3.0;
    mild
}

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

/// Gives an incident a leading cause, as ranking would.
fn blame(scene: &mut Scene, id: u64, service: Option<&str>) {
    let incident = scene.world.incidents.get_mut(&IncidentId(id)).unwrap();
    let incident = Arc::make_mut(incident);
    incident.ranking = match service {
        Some(service) => Ranking { hypotheses: vec![hypothesis(service)], unresolved: None },
        None => Ranking { hypotheses: Vec::new(), unresolved: Some("nothing stands out".into()) },
    };
}

fn hypothesis(service: &str) -> Hypothesis {
    Hypothesis {
        kind: CauseKind::InternalErrors,
        service: service.into(),
        change: None,
        title: service.into(),
        confidence: Score::new(0.8),
        evidence_for: Vec::new(),
        evidence_against: Vec::new(),
        impact_chain: Vec::new(),
        buckets: Buckets::default(),
        disproved_by: "".into(),
    }
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
    let directory = super::symptom::Directory::default();
    let symptoms: Vec<_> =
        world.alerts.values().filter_map(|alert| super::symptom::of_alert(alert, &directory, false)).collect();
    assert_eq!(super::grouping::bursts(&symptoms, 420_000).len(), 23);
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

/// Anything of a small shop that can be told within the window.
/// Two failures on services that do not call each other, `gap` seconds apart.
fn two_failures(scene: &mut Scene, from: i64) {
    let next = scene.world.anomalies.len() as u64 + 1;
    scene.hear(errors(next, "search", from), from);
    scene.hear(errors(next + 1, "mail", from + 20), from + 20);
    (0..5).for_each(|nth| scene.tick(from + 21 + nth));
}

#[test]
fn what_operators_join_and_part_is_remembered() {
    let mut scene = Scene::on(Build::new().chain("web > search").chain("jobs > mail").chain("web > cart"));
    two_failures(&mut scene, 1_000);
    let ids: Vec<IncidentId> = scene.live().iter().map(|incident| incident.id).collect();
    let [older, younger] = ids[..] else { panic!("{ids:?}") };
    let now = Timestamp(1_030_000);
    let refused = scene.correlator.merge_by_hand(&scene.world, older, older, "ana", now).unwrap_err();
    assert_eq!(refused.to_string(), format!("{older} cannot be merged into itself; select the incident it belongs to"));
    for event in scene.correlator.merge_by_hand(&scene.world, younger, older, "ana", now).unwrap() {
        event.apply(&mut scene.world);
    }
    assert_eq!(scene.only().anomalies.len(), 2);
    assert_eq!(scene.world.incidents[&younger].merged_into, Some(older));
    assert!(scene.correlator.merge_by_hand(&scene.world, younger, older, "ana", now).is_err(), "it is over");
    // The next time they fail together they are one at once, also after a restart.
    let kept = scene.correlator.affinities_to_keep().unwrap();
    let mut next = Scene::on(Build::new().chain("web > search").chain("jobs > mail"));
    next.correlator.restore_affinities(&kept).unwrap();
    two_failures(&mut next, 1_000);
    assert_eq!(next.only().anomalies.len(), 2);
    // Parted again, they stay apart the time after.
    let (id, now) = (next.only().id, Timestamp(1_030_000));
    let everything = ["search".into(), "mail".into()].into();
    assert!(next.correlator.split_by_hand(&next.world, id, &everything, "ana", now).is_err());
    let events = next.correlator.split_by_hand(&next.world, id, &["mail".into()].into(), "ana", now).unwrap();
    events.iter().for_each(|event| event.apply(&mut next.world));
    (0..5).for_each(|nth| next.tick(1_031 + nth));
    assert_eq!(next.live().len(), 2);
    let kept = next.correlator.affinities_to_keep().unwrap();
    let mut last = Scene::on(Build::new().chain("search > mail"));
    last.correlator.restore_affinities(&kept).unwrap();
    two_failures(&mut last, 1_000);
    assert_eq!(last.live().len(), 2, "one calls the other, and still an operator parted them");
}

fn arrivals() -> impl Strategy<Value = Vec<(Anomaly, Option<AlertNotice>)>> {
    const SERVICES: [&str; 7] = ["web", "checkout", "payment", "db", "search", "index", "mail"];
    let one = (0..SERVICES.len(), 100_i64..300, prop::bool::ANY, prop::bool::ANY);
    prop::collection::vec(one, 1..14).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(nth, (service, starts, is_mild, has_alert))| {
                let mut told = errors(u64::try_from(nth).unwrap() + 1, SERVICES[service], starts);
                told.metric = format!("metric-{}", nth % 4).into();
                if is_mild {
                    told.severity = Severity::Warning;
                }
                let severity = if is_mild { Severity::Warning } else { Severity::Critical };
                let notice = alert_notice(&format!("Alert{nth}"), Some(SERVICES[service]), severity, starts);
                (told, has_alert.then_some(notice))
            })
            .collect()
    })
}

/// Members of the live incidents, whatever their numbers.
fn partition(scene: &Scene) -> BTreeSet<(Vec<AnomalyId>, usize, Timestamp, u64)> {
    scene
        .live()
        .iter()
        .map(|incident| {
            let members = incident.anomalies.iter().copied().collect();
            (members, incident.alerts.len(), incident.started_at, incident.folded_count)
        })
        .collect()
}

fn play(arrivals: &[(Anomaly, Option<AlertNotice>)]) -> Scene {
    let mut scene = Scene::on(Build::new().chain("web > checkout > payment > db").chain("web > search > index"));
    for (told, notice) in arrivals {
        scene.hear(told.clone(), 300);
        if let Some(notice) = notice {
            scene.tell(notice, 300);
        }
    }
    scene.tick(302);
    scene.tick(303);
    scene
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_order_of_arrival_within_a_tick_changes_nothing(
        (original, shuffled) in arrivals().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let (in_order, out_of_order) = (play(&original), play(&shuffled));
        prop_assert_eq!(partition(&in_order), partition(&out_of_order));
    }

    #[test]
    fn hearing_everything_twice_changes_nothing(all in arrivals()) {
        let once = play(&all);
        let mut doubled = all.clone();
        doubled.extend(all);
        prop_assert_eq!(partition(&once), partition(&play(&doubled)));
    }
}

/// Two failures that the users' end holds together, each with something that broke at its root.
fn two_at_once() -> Scene {
    let mut scene = Scene::on(Build::new().chain("web > cart > postgres").chain("web > search").chain("web > mail"));
    let alert = |name: &str, service: &str, at: i64| alert_notice(name, Some(service), Severity::Critical, at);
    for notice in [
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
    ] {
        scene.tell(&notice, 300);
    }
    scene
}

#[test]
fn two_failures_that_show_what_broke_are_two_incidents_although_one_service_feels_both() {
    let mut scene = two_at_once();
    scene.tick(301);
    scene.tick(302);
    let mut services: Vec<Vec<String>> = scene
        .live()
        .iter()
        .map(|incident| incident.services.keys().map(ToString::to_string).filter(|name| name != "web").collect())
        .collect();
    services.sort();
    assert_eq!(services, [vec!["cart".to_owned(), "postgres".to_owned()], vec!["search".to_owned()]]);
    let members: usize = scene.live().iter().map(|incident| incident.alerts.len()).sum();
    assert_eq!(members, 10, "nothing is lost");
}
