//! A second opinion on a new group that calls and time hold together: is it one failure, or are there several, each of which
//! explains its own symptoms and shows what broke? Weighed by the same evidence as whole storms are.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::casebook::Casebook;
use super::evidence::face::{Face, Kind, kind_of};
use super::evidence::labels;
use super::evidence::places::Root;
use super::symptom::{Directory, SymptomKey};
use crate::engine::limits::{CHANGE_REACH_MS, OPINION_SYMPTOMS_MAX};
use crate::engine::model::{Anomaly, SeriesRole, ServiceName, Topology};
use crate::engine::world::World;

/// Fewer symptoms than this show no two failures.
const SYMPTOMS_MIN: usize = 8;
/// A failure that is told apart explains at least so many.
const OWN_MIN: usize = 3;

/// What is thought of a group.
#[derive(Debug, Default)]
pub(super) struct Opinion {
    failure_of: BTreeMap<SymptomKey, u32>,
    /// Failures that stand on their own, in order of their beginning.
    pub(super) failures: Vec<u32>,
}

impl Opinion {
    /// What is thought of these symptoms together.
    pub(super) fn of(world: &World, directory: &Directory, symptoms: &BTreeSet<SymptomKey>) -> Self {
        if symptoms.len() < SYMPTOMS_MIN {
            return Self::default();
        }
        let mut heard: Vec<(i64, SymptomKey)> = symptoms
            .iter()
            .filter_map(|key| {
                let onset = match key {
                    SymptomKey::Anomaly(id) => world.anomalies.get(id)?.started_at,
                    SymptomKey::Alert(id) => world.alerts.get(id)?.notice.starts_at,
                };
                Some((onset.0, *key))
            })
            .collect();
        heard.sort_unstable();
        let newest = heard.len().saturating_sub(OPINION_SYMPTOMS_MAX);
        let heard = &heard[newest..];
        let Some((first, _)) = heard.first() else { return Self::default() };
        let mut book = Casebook::default();
        take_topology(&mut book, &world.topology);
        take_changes(&mut book, world, *first);
        let mut faces = Vec::with_capacity(heard.len());
        for (token, (at, key)) in (0_u32..).zip(heard) {
            let Some(face) = face_of(&mut book, world, directory, *key) else { continue };
            let number = book.face(face.clone());
            book.hear(number, *at, token);
            faces.push((token, *key, face));
        }
        book.finish();
        judge(&book, &faces)
    }

    /// The failure a symptom belongs to, of those that stand on their own.
    pub(super) fn failure_of(&self, key: SymptomKey) -> Option<u32> {
        self.failure_of.get(&key).copied().filter(|failure| self.failures.contains(failure))
    }
}

fn judge(book: &Casebook, faces: &[(u32, SymptomKey, Face)]) -> Opinion {
    let cases: BTreeMap<u32, u32> =
        book.verdicts.iter().filter_map(|verdict| Some((verdict.token, verdict.case?))).collect();
    let mut opinion = Opinion::default();
    let mut own: BTreeMap<u32, (usize, bool)> = BTreeMap::new();
    for (token, key, face) in faces {
        let Some(case) = cases.get(token) else { continue };
        opinion.failure_of.insert(*key, *case);
        let (count, shows_cause) = own.entry(*case).or_default();
        *count += 1;
        // Something broke right where the failure is thought to have begun.
        *shows_cause |= face.kind == Kind::Cause
            && match book.root_of(*case) {
                Some(Root::Service(service)) => face.service == Some(service),
                Some(Root::Node(node)) => face.node == Some(node),
                _ => false,
            };
        if !opinion.failures.contains(case) {
            opinion.failures.push(*case);
        }
    }
    let has_changed = |case: u32| book.cases.iter().any(|one| one.id == case && one.view.bonus > 0.0);
    opinion.failures.retain(|case| {
        own.get(case).is_some_and(|(count, shows_cause)| *count >= OWN_MIN && (*shows_cause || has_changed(*case)))
    });
    opinion
}

fn take_topology(book: &mut Casebook, topology: &Topology) {
    for (caller, callee, _) in topology.edges() {
        let (caller, callee) = (book.places.service(caller.as_str()), book.places.service(callee.as_str()));
        book.places.edge(caller, callee);
    }
}

fn take_changes(book: &mut Casebook, world: &World, first: i64) {
    for change in world.changes.values() {
        let notice = &change.notice;
        if let (Some(service), true) =
            (&notice.service, notice.has_taken_effect && first - notice.at.0 < CHANGE_REACH_MS)
        {
            let service = book.places.service(service.as_str());
            book.changes.push((notice.at.0, service));
        }
    }
}

fn face_of(book: &mut Casebook, world: &World, directory: &Directory, key: SymptomKey) -> Option<Face> {
    match key {
        SymptomKey::Anomaly(id) => world.anomalies.get(&id).map(|anomaly| face_of_anomaly(book, anomaly)),
        SymptomKey::Alert(id) => {
            let alert = world.alerts.get(&id)?;
            let place = directory.place(alert);
            let service = place.service().map(ServiceName::as_str);
            let labels: Vec<(&str, &str)> = alert.notice.labels.iter().collect();
            Some(labels::read(book, &alert.notice.name, service, labels.iter().copied()))
        }
    }
}

fn face_of_anomaly(book: &mut Casebook, anomaly: &Anomaly) -> Face {
    let kind = match anomaly.role {
        SeriesRole::Traffic | SeriesRole::Errors | SeriesRole::Latency => Kind::Symptom,
        SeriesRole::Saturation => Kind::Strain,
        SeriesRole::Availability => Kind::Cause,
        SeriesRole::Other => kind_of(&anomaly.metric, ""),
    };
    let service = book.places.service(anomaly.service.as_str());
    let pod = anomaly.instance.as_deref().map(|instance| book.places.pod(instance, Some(service), None));
    let what = book.whats.id(&anomaly.metric);
    Face { what, name: what, kind, service: Some(service), pod, node: None, peer: None }
}
