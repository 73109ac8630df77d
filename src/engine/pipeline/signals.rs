//! Taking signals in: detection at once, everything else marked as touched for the next tick.

use std::sync::Arc;

use super::Engine;
use super::audit_log::About;
use super::turn::Turn;
use crate::engine::correlate::{alerts, carry_marks, changes};
use crate::engine::detect::AnomalyEvent;
use crate::engine::job::Record;
use crate::engine::limits::{ACTIVE_ANOMALIES_MAX, ALERTS_MAX};
use crate::engine::model::{
    AlertNotice, AuditKind, Change, ChangeId, ChangeKind, ChangeNotice, EdgeNotice, HOST_SOURCE, Signal, SourceReport,
    SourceState, position_setting,
};
use crate::engine::precursors::Sign;

impl Engine {
    pub(super) fn take_signal(&mut self, signal: Signal, turn: &mut Turn) {
        let mut events = Vec::new();
        match signal {
            Signal::Series(notice) => {
                self.detection.define(&notice);
                let service = &notice.descriptor.service;
                if notice.source.as_str() == HOST_SOURCE && self.world.machines.insert(service.clone()) {
                    self.forget_proposals_for(service);
                }
                self.has_changed = true;
            }
            Signal::Samples(batch) => self.detection.observe(&batch, turn.now, &mut events),
            Signal::Log(line) => self.detection.observe_log(&line, turn.now, &mut events),
            Signal::Alert(notice) => self.take_alert(&notice, turn),
            Signal::Change(notice) => self.take_change(&notice, turn),
            Signal::Edge(notice) => self.take_edge(&notice),
            Signal::Source(report) => self.take_source(report, turn),
        }
        self.take_anomalies(events, turn);
    }

    /// Absences, forecasts, rates of log templates: what only time can tell.
    pub(super) fn detect_by_time(&mut self, turn: &mut Turn) {
        let mut events = Vec::new();
        self.detection.tick(turn.now, &mut events);
        self.take_anomalies(events, turn);
    }

    fn take_anomalies(&mut self, events: Vec<AnomalyEvent>, turn: &mut Turn) {
        for event in events {
            let (anomaly, is_kept_at_once) = match event {
                AnomalyEvent::Began(anomaly) => {
                    if self.world.anomalies.len() >= ACTIVE_ANOMALIES_MAX {
                        continue;
                    }
                    self.precursors.note(&Sign::of(&anomaly));
                    (anomaly, true)
                }
                AnomalyEvent::Ended(anomaly) => (anomaly, true),
                AnomalyEvent::Changed(anomaly) => (anomaly, false),
            };
            let anomaly = carry_marks(self.world.anomalies.get(&anomaly.id).map(Arc::as_ref), anomaly);
            if is_kept_at_once {
                turn.keep_later(Record::Anomaly(anomaly.clone()));
            }
            self.touched.anomalies.insert(anomaly.id);
            self.world.anomalies.insert(anomaly.id, Arc::new(anomaly));
            self.has_changed = true;
        }
    }

    fn take_alert(&mut self, notice: &AlertNotice, turn: &mut Turn) {
        let known = self.world.alerts.get(&notice.fingerprint);
        if known.is_none() && self.world.alerts.len() >= ALERTS_MAX {
            return;
        }
        let alert = alerts::fold(known.map(Arc::as_ref), notice, turn.now);
        let is_news = known.is_none_or(|before| before.notice.state != alert.notice.state);
        if is_news {
            turn.keep_later(Record::Alert(alert.clone()));
        }
        self.touched.alerts.insert(notice.fingerprint);
        self.world.alerts.insert(notice.fingerprint, Arc::new(alert));
        self.has_changed = true;
    }

    /// Takes a change in; one already known by source and external id is brought up to date.
    pub(super) fn take_change(&mut self, notice: &ChangeNotice, turn: &mut Turn) {
        let known = changes::find(&self.world, notice);
        let change = changes::fold(known, notice, ChangeId(self.next_change));
        if known == Some(&change) {
            return;
        }
        if known.is_none() {
            self.next_change += 1;
        }
        self.tell_detection(&change);
        self.tell_of_act(notice, turn);
        turn.keep_later(Record::Change(change.clone()));
        self.touched.changes.insert(change.id);
        self.world.changes.insert(change.id, Arc::new(change));
        self.has_changed = true;
    }

    /// What took effect on a service bears on what is foretold of it.
    pub(super) fn tell_detection(&mut self, change: &Change) {
        if let (Some(service), true) = (&change.notice.service, change.notice.has_taken_effect) {
            let begins_anew = matches!(change.notice.kind, ChangeKind::Deploy | ChangeKind::Scale | ChangeKind::OwnAct);
            self.detection.note_change(service, change.notice.at, begins_anew);
            // New instances come until the end of a rollout.
            if let Some(finished_at) = change.notice.finished_at {
                self.detection.note_change(service, finished_at, begins_anew);
            }
        }
    }

    fn take_edge(&mut self, notice: &EdgeNotice) {
        self.has_changed |= Arc::make_mut(&mut self.world.topology).observe(notice);
    }

    fn take_source(&mut self, report: SourceReport, turn: &mut Turn) {
        let before = self.world.sources.get(&report.source);
        let was_down = before.is_some_and(|before| matches!(before.state, SourceState::Down { .. }));
        let known_position = before.and_then(|before| before.position.as_ref());
        let has_moved = report.position.is_some() && report.position.as_ref() != known_position;
        let text = match &report.state {
            SourceState::Down { reason, .. } if !was_down => Some(format!("{} is down: {reason}", report.source)),
            SourceState::Healthy if was_down => Some(format!("{} answers again", report.source)),
            _ => None,
        };
        if let Some(text) = text {
            self.record(turn, AuditKind::Source, "engine", About::default(), &text);
        }
        if let Some(until) = report.backfilled_until {
            turn.keep_later(Record::BackfillCursor { source: report.source.clone(), until });
        }
        if let (Some(position), true) = (&report.position, has_moved) {
            let name = position_setting(&report.source);
            turn.keep_later(Record::Setting { name, value: position.to_string() });
        }
        self.world.sources.insert(report.source.clone(), Arc::new(report));
        self.has_changed = true;
    }

    /// Writes an audit entry; it is on disk before anything this turn causes.
    pub(super) fn record(&mut self, turn: &mut Turn, kind: AuditKind, by: &str, about: impl Into<About>, text: &str) {
        let entry = self.audit.append(turn.now, kind, by, about.into(), text);
        turn.keep(Record::Audit(entry));
        self.has_changed = true;
    }
}
