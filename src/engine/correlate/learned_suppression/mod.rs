//! Learned suppression: what comes again and again and never matters is tried in shadow, and set aside only once the trial
//! has shown that nothing that mattered would have been hidden.
//!
//! A topic is one alert name or metric at one place; an episode is one time that it was heard, from its onset until what
//! became of it is known. What a rule sets aside still joins an incident at its place: it opens none and connects
//! nothing. Critical symptoms are never set aside.

mod trial;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::symptom::{Place, Symptom, SymptomKey};
use crate::engine::clock::{DAY_MS, MINUTE_MS, Timestamp};
use crate::engine::limits::{SUPPRESSION_RULES_SHOWN_MAX, SUPPRESSION_TOPICS_MAX};
use crate::engine::model::{
    AlertState, AnomalyState, Incident, IncidentId, IncidentSeverity, Severity, SuppressionRule, TimelineKind,
};
use crate::engine::world::World;
use trial::Trial;

/// An episode that joined no incident for this long after its end did not matter.
const DECIDED_AFTER_MS: i64 = 30 * MINUTE_MS;
/// Between two looks at what became of episodes.
const LOOK_MS: i64 = MINUTE_MS;
/// A topic that was not heard of for this long is forgotten.
const FORGET_MS: i64 = 60 * DAY_MS;

/// One alert name or metric at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Topic {
    place: Place,
    what: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Episode {
    topic: Topic,
    onset: Timestamp,
}

/// One topic, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct KeptTrial(Topic, Trial);

/// Every topic, and the episodes whose end is not known yet.
#[derive(Debug, Default)]
pub(super) struct LearnedSuppression {
    trials: BTreeMap<Topic, Trial>,
    episodes: BTreeMap<SymptomKey, Episode>,
    looked_at: Timestamp,
    is_unkept: bool,
}

/// What became of an episode.
enum Fate {
    Unknown,
    /// It lasted this long, milliseconds, and mattered or did not.
    Known {
        lasted_ms: i64,
        has_mattered: bool,
    },
}

impl LearnedSuppression {
    /// Hears a symptom, new or known; the words of its rule where that is in force and sets it aside.
    pub(super) fn hear(&mut self, symptom: &Symptom, now: Timestamp) -> Option<SuppressionRule> {
        if !symptom.is_solid() {
            return None;
        }
        let topic = topic_of(symptom);
        if !self.trials.contains_key(&topic) {
            if self.trials.len() >= SUPPRESSION_TOPICS_MAX {
                return None;
            }
            self.trials.insert(topic.clone(), Trial::new(now));
        }
        let trial = self.trials.get_mut(&topic)?;
        trial.last_heard = now;
        let is_hidden = symptom.severity < Severity::Critical && trial.hides(now.since_ms(symptom.onset));
        let rule = if is_hidden { rule_of(&topic, trial) } else { None };
        let is_new = self.episodes.get(&symptom.key).is_none_or(|episode| episode.onset < symptom.onset);
        if is_new {
            let before = self.episodes.insert(symptom.key, Episode { topic: topic.clone(), onset: symptom.onset });
            // An alert that fires again before the fate of its last episode was known had not mattered until then.
            if let Some(before) = before {
                self.decide(&before.topic, false, symptom.onset.since_ms(before.onset), now);
            }
        }
        rule
    }

    /// Looks at what became of episodes, once a minute.
    pub(super) fn look(&mut self, world: &World, now: Timestamp) {
        if now.since_ms(self.looked_at) < LOOK_MS {
            return;
        }
        self.looked_at = now;
        let fates: Vec<(SymptomKey, i64, bool)> = self
            .episodes
            .iter()
            .filter_map(|(key, episode)| match fate(world, *key, episode.onset, now) {
                Fate::Known { lasted_ms, has_mattered } => Some((*key, lasted_ms, has_mattered)),
                Fate::Unknown => None,
            })
            .collect();
        // What one incident shows says the same thing once, however many episodes of a topic it took in.
        let mut told: BTreeSet<Topic> = BTreeSet::new();
        for (key, lasted_ms, has_mattered) in fates {
            if let Some(Episode { topic, .. }) = self.episodes.remove(&key)
                && (!has_mattered || told.insert(topic.clone()))
            {
                self.decide(&topic, has_mattered, lasted_ms, now);
            }
        }
        self.trials.retain(|_, trial| now.since_ms(trial.last_heard) < FORGET_MS);
    }

    fn decide(&mut self, topic: &Topic, has_mattered: bool, lasted_ms: i64, now: Timestamp) {
        self.is_unkept = true;
        if let Some(trial) = self.trials.get_mut(topic) {
            trial.decide(has_mattered, lasted_ms, now);
        }
    }

    /// Rules on trial, in force and withdrawn; those in force first.
    pub(super) fn rules(&self) -> Vec<SuppressionRule> {
        let mut rules: Vec<SuppressionRule> =
            self.trials.iter().filter_map(|(topic, trial)| rule_of(topic, trial)).collect();
        rules.sort_by(|one, other| one.stage.cmp(&other.stage).then(other.tried.cmp(&one.tried)));
        rules.truncate(SUPPRESSION_RULES_SHOWN_MAX);
        rules
    }

    /// What is to be kept, where anything changed since it was last asked for.
    pub(super) fn take_unkept(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.is_unkept) {
            return None;
        }
        let kept = self.trials.iter().map(|(topic, trial)| KeptTrial(topic.clone(), *trial));
        // Names and counts always have a form in JSON.
        serde_json::to_string(&kept.collect::<Vec<_>>()).ok()
    }

    /// Takes back what was kept.
    pub(super) fn restore(&mut self, text: &str) -> Result<(), serde_json::Error> {
        let kept: Vec<KeptTrial> = serde_json::from_str(text)?;
        self.trials = kept.into_iter().map(|KeptTrial(topic, trial)| (topic, trial)).collect();
        Ok(())
    }
}

fn topic_of(symptom: &Symptom) -> Topic {
    Topic { place: symptom.place.clone(), what: Arc::clone(&symptom.what) }
}

fn rule_of(topic: &Topic, trial: &Trial) -> Option<SuppressionRule> {
    Some(SuppressionRule {
        place: match &topic.place {
            Place::Service(service) => Arc::from(service.as_str()),
            Place::Labels(labels) => Arc::clone(labels),
        },
        what: Arc::clone(&topic.what),
        stage: trial.stage()?,
        tried: trial.tried,
        hidden: trial.hidden(),
        mattered: trial.mattered,
        since: trial.since,
    })
}

fn fate(world: &World, key: SymptomKey, onset: Timestamp, now: Timestamp) -> Fate {
    let gone = Fate::Known { lasted_ms: 0, has_mattered: false };
    let (incident, ended_at) = match key {
        SymptomKey::Anomaly(id) => {
            let Some(anomaly) = world.anomalies.get(&id) else { return gone };
            let is_over = anomaly.state == AnomalyState::Ended;
            (anomaly.incident, is_over.then(|| anomaly.ended_at.unwrap_or(anomaly.last_seen_at)))
        }
        SymptomKey::Alert(id) => {
            let Some(alert) = world.alerts.get(&id) else { return gone };
            let is_over = alert.notice.state == AlertState::Resolved;
            (alert.incident, is_over.then(|| alert.notice.ends_at.unwrap_or(alert.last_seen_at)))
        }
    };
    let lasted_ms = ended_at.unwrap_or(now).since_ms(onset);
    // An alert keeps the incident of an episode before until it joins another.
    let incident =
        incident.and_then(|id| whole(world, id)).filter(|incident| incident.resolved_at.is_none_or(|at| at >= onset));
    match (incident, ended_at) {
        (Some(incident), _) if has_mattered(incident) => Fate::Known { lasted_ms, has_mattered: true },
        (Some(incident), Some(_)) if !incident.state.is_live() => Fate::Known { lasted_ms, has_mattered: false },
        (None, Some(ended_at)) if now.since_ms(ended_at) >= DECIDED_AFTER_MS => {
            Fate::Known { lasted_ms, has_mattered: false }
        }
        _ => Fate::Unknown,
    }
}

/// The incident that it is a part of now. One that was merged is over and takes nothing in, so the way has an end.
fn whole(world: &World, id: IncidentId) -> Option<&Incident> {
    let incident = world.incidents.get(&id)?;
    incident.merged_into.map_or(Some(incident), |into| whole(world, into))
}

/// True where somebody cared, or users were harmed.
fn has_mattered(incident: &Incident) -> bool {
    incident.acknowledged_at.is_some()
        || incident.owner.is_some()
        || incident.is_severity_set_by_hand
        || incident.severity >= IncidentSeverity::Sev2
        || !incident.runs.is_empty()
        || incident.timeline.iter().any(|entry| entry.kind == TimelineKind::Note)
}
