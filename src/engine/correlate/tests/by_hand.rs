//! What operators do to the borders of incidents, and what is learnt from it.

use super::{Scene, errors};
use crate::engine::clock::Timestamp;
use crate::engine::model::IncidentId;
use crate::engine::world::fixtures::Build;

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
