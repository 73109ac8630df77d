//! From what was touched to incidents, from incidents to causes, from causes to runbooks that fit.

use std::sync::Arc;

use super::Engine;
use super::turn::Turn;
use crate::engine::clock::Timestamp;
use crate::engine::correlate::{self, CorrelationEvent, Touched};
use crate::engine::job::Record;
use crate::engine::limits::PRECURSORS_LOOK_MS;
use crate::engine::model::{
    AuditKind, Incident, IncidentId, IncidentState, Run, RunId, RunState, ServiceName, TimelineEntry,
};
use crate::engine::root_cause::SecondFailure;
use crate::engine::{root_cause, runbooks};

impl Engine {
    /// Lets correlation look at everything touched since the last tick and writes down what it says.
    pub(super) fn correlate(&mut self, turn: &mut Turn) {
        let touched = Touched { is_tick: true, ..std::mem::take(&mut self.touched) };
        for event in self.correlator.step(&self.world, &touched, turn.now) {
            self.apply(&event, turn);
        }
    }

    /// Looks for signs of past incidents, every few ticks: a minute is early enough for an hour.
    pub(super) fn look_for_precursors(&mut self, turn: &Turn) {
        if turn.now.since_ms(self.precursors_looked_at) >= PRECURSORS_LOOK_MS {
            self.precursors_looked_at = turn.now;
            self.has_changed |= self.precursors.look(&self.world, turn.now);
        }
    }

    /// Ranks the causes of every live incident whose picture may have changed.
    pub(super) fn find_causes(&mut self, turn: &mut Turn) {
        for id in std::mem::take(&mut self.to_rank) {
            let Some(incident) =
                self.world.incidents.get(&id).filter(|incident| self.is_open_question(incident)).cloned()
            else {
                continue;
            };
            self.guess_kind(&incident);
            let ranking = root_cause::rank(&self.world, &incident, &self.settings.correlation, turn.now);
            let title = root_cause::title(&self.world, &incident, &ranking);
            let lead = ranking.cause().map(|cause| (cause.kind, cause.service.clone(), cause.change));
            let was = incident.ranking.cause().map(|cause| (cause.kind, cause.service.clone(), cause.change));
            if let Some(cause) = ranking.cause().filter(|_| lead != was) {
                let percent = cause.confidence.percent();
                let text = format!("most likely cause of {id}: {} ({percent} %)", cause.title);
                self.record(turn, AuditKind::Decision, "engine", id, &text);
            }
            for event in correlate::take_ranking(&self.world, &incident, ranking, &title, turn.now) {
                self.apply(&event, turn);
            }
            // What was just ranked need not be ranked again for having been ranked.
            self.to_rank.remove(&id);
            self.proposals.remove(&id);
            self.part_failures(id, turn);
        }
    }

    /// Lets a second failure that the ranking shows become an incident of its own.
    fn part_failures(&mut self, id: IncidentId, turn: &mut Turn) {
        let Some(incident) = self.world.incidents.get(&id) else { return };
        match root_cause::second_failure(&self.world, incident, &self.settings.correlation, turn.now) {
            SecondFailure::None => {}
            // Time alone may settle it, so it is looked at again.
            SecondFailure::Unsettled => {
                self.to_rank.insert(id);
            }
            SecondFailure::Found { services, because } => {
                for event in self.correlator.split(&self.world, id, &services, &because, turn.now) {
                    self.apply(&event, turn);
                }
            }
        }
    }

    /// True while the cause is still to be found. Once the harm has stopped, or an act of ours took effect and is being
    /// watched, what is seen are signs of recovery, and those say nothing about the cause.
    fn is_open_question(&self, incident: &Incident) -> bool {
        let is_mending =
            |run: &Arc<Run>| run.has_acted() && matches!(run.state, RunState::Active | RunState::Succeeded);
        match incident.state {
            IncidentState::Mitigated | IncidentState::Resolved => false,
            IncidentState::Reopened => true,
            IncidentState::Open | IncidentState::Acknowledged => {
                !incident.runs.iter().filter_map(|id| self.world.runs.get(id)).any(is_mending)
            }
        }
    }

    /// Has the runbooks picked anew where `service` is suspected: after a restart it is known only now where it runs.
    pub(super) fn forget_proposals_for(&mut self, service: &ServiceName) {
        let incidents = &self.world.incidents;
        let is_suspect = |incident: &Arc<Incident>| {
            incident.ranking.hypotheses.iter().any(|hypothesis| hypothesis.service == *service)
        };
        self.proposals.retain(|id, _| !incidents.get(id).is_some_and(is_suspect));
    }

    /// Picks the runbooks for every live incident that has none picked for its present ranking.
    pub(super) fn propose_runbooks(&mut self, now: Timestamp) {
        let incidents = &self.world.incidents;
        let is_live = |id: &IncidentId| incidents.get(id).is_some_and(|incident| incident.state.is_live());
        self.proposals.retain(|id, _| is_live(id));
        self.misfits.retain(|id, _| is_live(id));
        let mut fresh = Vec::new();
        for (id, incident) in &self.world.incidents {
            if incident.state.is_live() && !self.proposals.contains_key(id) {
                let proposals = runbooks::propose(&self.library, &self.world, incident);
                self.misfits.insert(*id, runbooks::misfits(&self.library, &self.world, incident, &proposals));
                fresh.push((Arc::clone(incident), proposals));
            }
        }
        for (incident, proposals) in fresh {
            let proposals = self.order_proposals(proposals, &incident, now);
            self.proposals.insert(incident.id, proposals.into_iter().map(Arc::new).collect());
            self.has_changed = true;
        }
    }

    /// Writes into the world what correlation says, and keeps it.
    pub(super) fn apply(&mut self, event: &CorrelationEvent, turn: &mut Turn) {
        match event {
            CorrelationEvent::IncidentOpened(incident) => {
                let text = format!("opened {} {}: {}", incident.id, incident.severity, incident.title);
                self.record(turn, AuditKind::Decision, "engine", incident.id, &text);
                self.precursors.learn(incident);
                self.keep_incident(incident, turn);
            }
            CorrelationEvent::IncidentChanged(incident) => {
                for text in self.decisions(incident) {
                    self.record(turn, AuditKind::Decision, "engine", incident.id, &text);
                }
                self.keep_incident(incident, turn);
            }
            CorrelationEvent::AnomalyMarked { .. } | CorrelationEvent::AlertMarked { .. } => {}
        }
        event.apply(&mut self.world);
        match event {
            CorrelationEvent::AnomalyMarked { id, .. } => {
                if let Some(anomaly) = self.world.anomalies.get(id) {
                    turn.keep_later(Record::Anomaly(anomaly.as_ref().clone()));
                }
            }
            CorrelationEvent::AlertMarked { fingerprint, .. } => {
                if let Some(alert) = self.world.alerts.get(fingerprint) {
                    turn.keep_later(Record::Alert(alert.as_ref().clone()));
                }
            }
            CorrelationEvent::IncidentOpened(_) | CorrelationEvent::IncidentChanged(_) => {}
        }
        self.has_changed = true;
    }

    /// What the engine decided about an incident since it was last put into the world: its state and its severity.
    fn decisions(&self, incident: &Incident) -> Vec<String> {
        let Some(before) = self.world.incidents.get(&incident.id) else { return Vec::new() };
        let id = incident.id;
        let mut told = Vec::new();
        if before.severity != incident.severity {
            let plain = format!("severity raised from {} to {}", before.severity, incident.severity);
            // The timeline says why.
            let entry = incident.timeline.iter().rev().find(|entry| entry.text.starts_with(&plain));
            told.push(format!("{id} {}", entry.map_or(plain.as_str(), |entry| &entry.text)));
        }
        if before.state != incident.state {
            told.push(format!("{id} is now {}", incident.state.word()));
        }
        told
    }

    /// Says what kind of failure a live incident resembles, where enough was learnt to say so.
    fn guess_kind(&mut self, incident: &Incident) {
        match self.kinds.guess(&self.world, incident) {
            Some(guess) => self.world.kind_guesses.insert(incident.id, Arc::new(guess)),
            None => self.world.kind_guesses.remove(&incident.id),
        };
    }

    /// An incident that is over after a runbook for its leading cause has mended it confirms that cause; one that comes back
    /// takes its word back.
    fn learn_kind(&mut self, incident: &Incident, turn: &mut Turn) {
        let was = self.world.incidents.get(&incident.id).map(|before| before.state);
        let is_over = incident.state == IncidentState::Resolved;
        if is_over == (was == Some(IncidentState::Resolved)) {
            return;
        }
        if !is_over {
            self.kinds.unlearn(incident.id);
            return self.keep_learned(turn);
        }
        self.world.kind_guesses.remove(&incident.id);
        let is_mended = |run: &Arc<Run>| run.state == RunState::Succeeded && run.has_acted();
        if let Some(cause) = incident.ranking.cause()
            && incident.runs.iter().filter_map(|id| self.world.runs.get(id)).any(is_mended)
        {
            self.kinds.learn(&self.world, incident, cause.kind);
        }
        self.keep_learned(turn);
    }

    /// Has the incident kept and its cause looked for.
    fn keep_incident(&mut self, incident: &Incident, turn: &mut Turn) {
        self.learn_kind(incident, turn);
        self.tell_of_incident(incident, turn);
        self.to_rank.insert(incident.id);
        turn.keep(Record::Incident(incident.clone()));
    }

    /// Puts an incident into the world that a person or a run changed.
    pub(super) fn put_incident(&mut self, incident: Incident, turn: &mut Turn) {
        self.touched.incidents.insert(incident.id);
        self.keep_incident(&incident, turn);
        self.world.incidents.insert(incident.id, Arc::new(incident));
        self.has_changed = true;
    }

    /// Adds lines to an incident's timeline and a run to its list; nothing where the incident is unknown.
    pub(super) fn tell_incident(&mut self, id: IncidentId, run: RunId, entries: Vec<TimelineEntry>, turn: &mut Turn) {
        let Some(incident) = self.world.incidents.get(&id) else { return };
        if entries.is_empty() && incident.runs.contains(&run) {
            return;
        }
        let mut incident = incident.as_ref().clone();
        if !incident.runs.contains(&run) {
            incident.runs.push(run);
        }
        for entry in entries {
            correlate::add_to_timeline(&mut incident.timeline, entry);
        }
        incident.updated_at = turn.now;
        self.put_incident(incident, turn);
    }
}
