//! What is forgotten from memory, and what is kept of series between two starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Engine;
use super::audit_log::About;
use super::turn::Turn;
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use crate::engine::job::{Job, Record};
use crate::engine::limits::{
    CHANGES_IN_SNAPSHOT_MAX, ENDED_ANOMALIES_MAX, ENDED_INCIDENTS_MAX, RELATIONS_KEPT_PER_TICK_MAX,
    SERIES_KEPT_PER_TICK_MAX,
};
use crate::engine::model::{AlertState, AnomalyState, AuditKind, Incident, IncidentId, IncidentState};

/// Between two writes of everything learned of series.
const KEEP_EVERY_MS: i64 = 5 * MINUTE_MS;
/// A discovered edge without calls is forgotten after this long, unless the settings say otherwise.
const EDGE_FORGET_MS: i64 = 7 * DAY_MS;
/// A resolved alert stays in the picture for this long.
const RESOLVED_ALERT_MS: i64 = HOUR_MS;

/// Live incidents, and those that became a part of one or that one was split from: what was done for them counts for it.
fn behind_live(incidents: &BTreeMap<IncidentId, Arc<Incident>>) -> BTreeSet<IncidentId> {
    let live = incidents.values().filter(|incident| incident.state.is_live());
    let mut behind: BTreeSet<IncidentId> = live.map(|incident| incident.id).collect();
    loop {
        let became = incidents.values().filter(|it| it.merged_into.is_some_and(|into| behind.contains(&into)));
        let origins = behind.iter().filter_map(|id| incidents.get(id)?.split_from);
        let more: Vec<IncidentId> = became.map(|it| it.id).chain(origins).filter(|id| !behind.contains(id)).collect();
        if more.is_empty() {
            return behind;
        }
        behind.extend(more);
    }
}

impl Engine {
    /// Keeps memory bounded. What is dropped here is in the store.
    pub(super) fn forget_old(&mut self, turn: &Turn) {
        self.forget_anomalies();
        self.forget_incidents();
        let before = turn.now - RESOLVED_ALERT_MS;
        self.world.alerts.retain(|_, alert| {
            alert.notice.state == AlertState::Firing
                || alert.last_seen_at > before
                || alert
                    .incident
                    .is_some_and(|id| self.world.incidents.get(&id).is_some_and(|incident| incident.state.is_live()))
        });
        while self.world.changes.len() > CHANGES_IN_SNAPSHOT_MAX {
            self.world.changes.pop_first();
        }
        self.forget_documents();
        self.forget_edges(turn.now);
    }

    fn forget_anomalies(&mut self) {
        let is_over = |state| state == AnomalyState::Ended;
        let over = self.world.anomalies.values().filter(|anomaly| is_over(anomaly.state)).count();
        let mut excess = over.saturating_sub(ENDED_ANOMALIES_MAX);
        if excess == 0 {
            return;
        }
        // Numbers grow with time, so the map's order drops the oldest first.
        let incidents = &self.world.incidents;
        self.world.anomalies.retain(|_, anomaly| {
            let is_needed =
                anomaly.incident.is_some_and(|id| incidents.get(&id).is_some_and(|incident| incident.state.is_live()));
            let goes = excess > 0 && is_over(anomaly.state) && !is_needed;
            excess -= usize::from(goes);
            !goes
        });
    }

    fn forget_incidents(&mut self) {
        let over = self.world.incidents.values().filter(|incident| incident.state == IncidentState::Resolved).count();
        let mut excess = over.saturating_sub(ENDED_INCIDENTS_MAX);
        if excess == 0 {
            return;
        }
        let needed = behind_live(&self.world.incidents);
        self.world.incidents.retain(|id, incident| {
            let goes = excess > 0 && incident.state == IncidentState::Resolved && !needed.contains(id);
            excess -= usize::from(goes);
            !goes
        });
        let incidents = &self.world.incidents;
        self.world.runs.retain(|_, run| run.incident().is_none_or(|id| incidents.contains_key(&id)));
    }

    fn forget_edges(&mut self, now: Timestamp) {
        let forget_ms = self.settings.topology.forget_after.map_or(EDGE_FORGET_MS, |span| span.0);
        let before = now - forget_ms;
        if self.world.topology.edges().any(|(_, _, facts)| facts.seen_at < before) {
            let topology = Arc::make_mut(&mut self.world.topology);
            self.has_changed |= topology.forget_unseen(before) > 0;
        }
    }

    /// Writes what was learned of series, a slice a tick, so that no tick stalls.
    pub(super) fn keep_series(&mut self, turn: &mut Turn) {
        for fingerprint in self.detection.series_gone() {
            turn.keep_later(Record::SeriesGone(fingerprint));
        }
        for state in self.detection.series_to_keep(SERIES_KEPT_PER_TICK_MAX) {
            turn.keep_later(Record::Series(Box::new(state)));
        }
        self.keep_relations(turn, RELATIONS_KEPT_PER_TICK_MAX);
        for page in self.detection.past_to_keep(turn.now) {
            turn.keep_later(Record::PastPage(page));
        }
        if turn.now.since_ms(self.last_kept_at) < KEEP_EVERY_MS {
            return;
        }
        self.last_kept_at = turn.now;
        turn.keep_later(Record::Topology(self.world.topology.as_ref().clone()));
        if let Some(bytes) = self.detection.templates_to_keep() {
            turn.keep_later(Record::Templates(bytes));
        }
        self.keep_learned(turn);
    }

    fn keep_relations(&mut self, turn: &mut Turn, max: usize) {
        for (of, bytes) in self.detection.relations_to_keep(max) {
            turn.keep_later(Record::Relations { of, bytes });
        }
    }

    /// Notes in the audit log that the program began; called once, after the store was read.
    pub fn begin(&mut self, now: Timestamp) -> Vec<Job> {
        let mut turn = Turn::new(now);
        let live = self.world.incidents.values().filter(|incident| incident.state.is_live()).count();
        let incidents = if live == 1 { "incident" } else { "incidents" };
        let text = format!("hypo {} began with {live} live {incidents}", env!("CARGO_PKG_VERSION"));
        self.record(&mut turn, AuditKind::Lifecycle, "engine", About::default(), &text);
        // The screen shows it until the next write; the log keeps it.
        if let Some(problem) = self.store.problem.clone() {
            self.record(&mut turn, AuditKind::Lifecycle, "engine", About::default(), &problem);
        }
        turn.into_jobs(&self.rollouts.kept)
    }

    /// Everything learned and not yet kept, for the end of the program.
    pub fn close(&mut self, now: Timestamp) -> Vec<Job> {
        let mut turn = Turn::new(now);
        self.record(&mut turn, AuditKind::Lifecycle, "engine", About::default(), "hypo ended");
        self.part_from_all(&mut turn);
        for fingerprint in self.detection.series_gone() {
            turn.keep_later(Record::SeriesGone(fingerprint));
        }
        self.detection.keep_everything();
        for state in self.detection.series_to_keep(usize::MAX) {
            turn.keep_later(Record::Series(Box::new(state)));
        }
        self.keep_relations(&mut turn, usize::MAX);
        for page in self.detection.all_past_to_keep() {
            turn.keep_later(Record::PastPage(page));
        }
        self.last_kept_at = Timestamp(0);
        self.keep_series(&mut turn);
        for anomaly in self.world.anomalies.values() {
            turn.keep_later(Record::Anomaly(anomaly.as_ref().clone()));
        }
        for alert in self.world.alerts.values() {
            turn.keep_later(Record::Alert(alert.as_ref().clone()));
        }
        turn.into_jobs(&self.rollouts.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::runbooks::Library;
    use crate::engine::settings::EngineSettings;

    #[test]
    fn of_incidents_the_oldest_that_are_over_are_forgotten_and_none_that_is_open() {
        let mut engine = Engine::new(EngineSettings::default(), Library::default()).unwrap();
        let now = Timestamp(0);
        let last = ENDED_INCIDENTS_MAX as u64 + 30;
        for id in (1..=last).map(IncidentId) {
            let state = if id.0 <= 10 { IncidentState::Open } else { IncidentState::Resolved };
            engine.world.incidents.insert(id, Arc::new(Incident { state, ..Incident::opened(id, now, now) }));
        }
        engine.forget_incidents();
        let left: Vec<u64> = engine.world.incidents.keys().map(|id| id.0).collect();
        assert_eq!(left, (1..=10).chain(31..=last).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_live_incident_is_made_of_stays() {
        // 1 and 2 became a part of 3, which is live; 5 was split from 4; 6 has nothing to do with them.
        let of = |id: u64, into: Option<u64>, from: Option<u64>, is_live: bool| {
            let now = Timestamp(0);
            let incident = Incident {
                merged_into: into.map(IncidentId),
                split_from: from.map(IncidentId),
                state: if is_live { IncidentState::Open } else { IncidentState::Resolved },
                ..Incident::opened(IncidentId(id), now, now)
            };
            (IncidentId(id), Arc::new(incident))
        };
        let incidents = BTreeMap::from([
            of(1, Some(2), None, false),
            of(2, Some(3), None, false),
            of(3, None, None, true),
            of(4, None, None, false),
            of(5, None, Some(4), true),
            of(6, None, None, false),
        ]);
        assert_eq!(behind_live(&incidents), [1, 2, 3, 4, 5].map(IncidentId).into());
    }
}
