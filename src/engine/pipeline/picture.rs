//! Drawing the picture that views are given.

use std::cmp::Reverse;
use std::sync::Arc;

use super::Engine;
use crate::engine::clock::Timestamp;
use crate::engine::detect;
use crate::engine::limits::{CHANGES_IN_SNAPSHOT_MAX, ENDED_ANOMALIES_MAX, VITALS_EVERY_MS};
use crate::engine::model::{Alert, AlertState, Anomaly, AnomalyState, Change, Incident, PastValues, Run};
use crate::engine::snapshot::{Counts, Snapshot};

impl Engine {
    /// True when a new picture would differ from the last one.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// A picture of everything, as of `now`. Its revision grows only when something changed since the last.
    pub fn snapshot(&mut self, now: Timestamp) -> Arc<Snapshot> {
        if self.has_changed {
            self.revision += 1;
            self.has_changed = false;
        }
        let anomalies = self.anomalies_in_order();
        let predictions = anomalies.iter().filter_map(|anomaly| Some((anomaly.forecast?.reached_at, anomaly)));
        let mut predictions: Vec<_> = predictions
            .filter(|(_, anomaly)| anomaly.state != AnomalyState::Ended)
            .map(|(at, anomaly)| (at, anomaly.id))
            .collect();
        predictions.sort_unstable();
        if now.since_ms(self.vitals_at).abs() >= VITALS_EVERY_MS {
            (self.vitals, self.vitals_at) = (Arc::new(self.detection.vitals()), now);
        }
        Arc::new(Snapshot {
            revision: self.revision,
            at: now,
            mode: self.mode(),
            kill: self.safety.kill.clone(),
            autonomy: self.autonomy.clone(),
            counts: self.counts(),
            sources: self.world.sources.values().cloned().collect(),
            incidents: self.incidents_in_order(),
            compounds: detect::compounds(
                anomalies.iter().map(Arc::as_ref).filter(|anomaly| anomaly.state != AnomalyState::Ended),
            ),
            predictions: predictions.into_iter().map(|(_, id)| id).collect(),
            vitals: Arc::clone(&self.vitals),
            kind_guesses: self.world.kind_guesses.clone(),
            warnings: self.precursors.warnings(),
            suppression_rules: self.correlator.suppression_rules(),
            anomalies,
            alerts: self.alerts_in_order(),
            changes: self.changes_in_order(),
            topology: Arc::clone(&self.world.topology),
            runs: self.runs_in_order(),
            wheels: self.wheels.all().clone(),
            present: self.present.clone(),
            proposals: self.proposals.clone(),
            misfits: self.misfits.clone(),
            audit: self.audit.newest().cloned().collect(),
            runbooks: Arc::clone(&self.runbook_pages),
            file_problems: self.library.problems(),
            store: self.store.clone(),
            outbox: self.outbox.status(),
            documents: self.documents.values().cloned().collect(),
            updates_due: self.updates_due(),
            update_every_ms: self.settings.outbound.update_every.0,
            patches: Arc::clone(&self.patches),
            rollouts: self.rollouts.in_order(),
            agenda: self.rollouts.agenda(now),
            patch_exceptions: self.exceptions_in_order(now),
            replay: None,
        })
    }

    /// A picture of what was measured at other times, for questions. Costs little, and shares what it shows with the next one.
    #[must_use]
    pub fn past_values(&self) -> PastValues {
        self.detection.past_values()
    }

    fn anomalies_in_order(&self) -> Vec<Arc<Anomaly>> {
        let (mut over, mut live): (Vec<_>, Vec<_>) =
            self.world.anomalies.values().cloned().partition(|anomaly| anomaly.state == AnomalyState::Ended);
        live.sort_by(|one, other| {
            (Reverse(one.severity), Reverse(one.is_harmful))
                .cmp(&(Reverse(other.severity), Reverse(other.is_harmful)))
                .then(other.peak_sigma.total_cmp(&one.peak_sigma))
                .then(one.id.cmp(&other.id))
        });
        over.sort_by_key(|anomaly| (Reverse(anomaly.ended_at), anomaly.id));
        over.truncate(ENDED_ANOMALIES_MAX);
        live.extend(over);
        live
    }

    fn incidents_in_order(&self) -> Vec<Arc<Incident>> {
        let mut incidents: Vec<_> = self.world.incidents.values().cloned().collect();
        incidents.sort_by_key(|incident| {
            let is_live = incident.state.is_live();
            // Those over are told by time alone; how bad they were matters while they last.
            (Reverse(is_live), Reverse(is_live.then_some(incident.severity)), Reverse(incident.opened_at), incident.id)
        });
        incidents
    }

    fn alerts_in_order(&self) -> Vec<Arc<Alert>> {
        let mut alerts: Vec<_> = self.world.alerts.values().cloned().collect();
        alerts.sort_by_key(|alert| {
            (alert.notice.state, Reverse(alert.notice.severity), alert.notice.starts_at, alert.notice.fingerprint)
        });
        alerts
    }

    fn changes_in_order(&self) -> Vec<Arc<Change>> {
        let mut changes: Vec<_> = self.world.changes.values().cloned().collect();
        changes.sort_by_key(|change| (Reverse(change.notice.at), change.id));
        changes.truncate(CHANGES_IN_SNAPSHOT_MAX);
        changes
    }

    fn runs_in_order(&self) -> Vec<Arc<Run>> {
        self.world.runs.values().rev().cloned().collect()
    }

    fn counts(&self) -> Counts {
        let detected = self.detection.counts();
        let live = || self.world.anomalies.values().filter(|anomaly| anomaly.state != AnomalyState::Ended);
        let at_sources: u64 = self.world.sources.values().flat_map(|report| report.dropped.values()).sum();
        let firing = self.world.alerts.values().filter(|alert| alert.notice.state == AlertState::Firing).count();
        let live_incidents = self.world.incidents.values().filter(|incident| incident.state.is_live());
        Counts {
            series_count: detected.series_count,
            sample_count: detected.sample_count,
            dropped_count: at_sources
                + detected.dropped.values().sum::<u64>()
                + self.correlator.over_count()
                + self.late_report_count,
            alert_count: firing as u64,
            folded_count: live_incidents.map(|incident| incident.folded_count).sum(),
            active_anomaly_count: live().count() as u64,
            suppressed_anomaly_count: live().filter(|anomaly| anomaly.suppressed.is_some()).count() as u64,
            history_days: detected.history_days,
            history_days_min: self.settings.detection.history_days_min as f32,
            cold_series_count: detected.cold_series_count,
            retired_series_count: detected.retired_series_count,
        }
    }
}
