//! What a pass does with habits: symptoms that a learnt rule sets aside found nothing, and say why.

use super::CorrelationEvent;
use super::pass::Pass;
use super::step::Correlator;
use super::symptom::{Symptom, SymptomKey, SymptomKind};
use crate::engine::model::{IncidentId, SuppressionReason, SuppressionRule};

impl Correlator {
    /// Rules on trial, in force and withdrawn; those in force first.
    #[must_use]
    pub fn suppression_rules(&self) -> Vec<SuppressionRule> {
        self.habits.rules()
    }

    /// What time taught about habits, where it is not kept yet.
    pub fn habits_to_keep(&mut self) -> Option<String> {
        self.habits.take_unkept()
    }

    /// Hands back what time had taught.
    ///
    /// # Errors
    /// When the text is not what [`Self::habits_to_keep`] gave; learning then begins anew.
    pub fn restore_habits(&mut self, text: &str) -> Result<(), serde_json::Error> {
        self.habits.restore(text)
    }
}

impl Pass<'_> {
    /// Has every waiting symptom heard by the rules; what one sets aside only follows, and carries the mark as long as the
    /// rule hides it.
    pub(super) fn set_habits_aside(&mut self, symptoms: &mut [Symptom], events: &mut Vec<CorrelationEvent>) {
        for symptom in symptoms {
            let rule = self.memory.habits.hear(symptom, self.now);
            let is_allowed = self.memory.settings.learned_suppression;
            let reason = rule
                .filter(|_| is_allowed)
                .map(|rule| SuppressionReason::Learned { tried: rule.tried, mattered: rule.mattered });
            if reason.is_some() {
                symptom.kind = SymptomKind::Follower;
            }
            let (incident, mark) = self.mark_of(symptom.key);
            // Other marks say more than a habit does, but for that of an earlier time.
            let may_change = match mark {
                Some(SuppressionReason::Learned { .. }) => true,
                None | Some(SuppressionReason::TooWeak) => reason.is_some(),
                Some(_) => false,
            };
            if may_change && mark != reason {
                events.push(marked(symptom.key, incident, reason));
            }
        }
    }

    pub(super) fn mark_of(&self, key: SymptomKey) -> (Option<IncidentId>, Option<SuppressionReason>) {
        let found = match key {
            SymptomKey::Anomaly(id) => self.world.anomalies.get(&id).map(|one| (one.incident, one.suppressed.clone())),
            SymptomKey::Alert(id) => self.world.alerts.get(&id).map(|one| (one.incident, one.suppressed.clone())),
        };
        found.unwrap_or_default()
    }
}

fn marked(key: SymptomKey, incident: Option<IncidentId>, suppressed: Option<SuppressionReason>) -> CorrelationEvent {
    match key {
        SymptomKey::Anomaly(id) => CorrelationEvent::AnomalyMarked { id, incident, suppressed },
        SymptomKey::Alert(fingerprint) => {
            CorrelationEvent::AlertMarked { fingerprint, service: None, incident, suppressed }
        }
    }
}
