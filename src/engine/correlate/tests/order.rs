//! That the order of arrival and hearing things twice change nothing.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Scene, errors};
use crate::engine::clock::Timestamp;
use crate::engine::model::{AlertNotice, Anomaly, AnomalyId, Severity};
use crate::engine::world::fixtures::{Build, alert_notice};

/// Anything of a small shop that can be told within the window.
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

fn tell_all(scene: &mut Scene, arrivals: &[(Anomaly, Option<AlertNotice>)], now: i64) {
    for (told, notice) in arrivals {
        scene.hear(told.clone(), now);
        if let Some(notice) = notice {
            scene.tell(notice, now);
        }
    }
}

fn play(arrivals: &[(Anomaly, Option<AlertNotice>)]) -> Scene {
    let mut scene = Scene::on(Build::new().chain("web > checkout > payment > db").chain("web > search > index"));
    tell_all(&mut scene, arrivals, 300);
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
    fn hearing_everything_again_later_changes_nothing(all in arrivals()) {
        let mut scene = play(&all);
        let (before, anomalies) = (partition(&scene), scene.world.anomalies.clone());
        tell_all(&mut scene, &all, 304);
        scene.tick(305);
        scene.tick(306);
        prop_assert_eq!(before, partition(&scene));
        prop_assert_eq!(anomalies, scene.world.anomalies);
    }
}
