//! Correlation as a whole: whole situations.

mod borders;
mod by_case;
mod by_hand;
mod life;
mod opening;
mod order;
mod storms;

use std::sync::Arc;

use super::{CorrelationEvent, Correlator, Touched, alerts, carry_marks};
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    AlertNotice, Anomaly, AnomalyId, AnomalyState, Buckets, CauseKind, Hypothesis, Incident, IncidentId, Ranking,
    Score, SeriesRole, Severity,
};
use crate::engine::settings::CorrelationSettings;
use crate::engine::world::World;
use crate::engine::world::fixtures::{Build, anomaly};

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
