//! The answer: entries best first, the ranking of changes, as `ranking.json` wants them.

use serde_json::{Value, json};

use crate::engine::root_cause::frame::calibration::Features;
use crate::engine::root_cause::frame::picture::Picture;
use crate::engine::root_cause::frame::solve::Weighed;

/// Pieces of evidence told of an entry.
const EVIDENCE_MAX: usize = 8;
/// Entries written.
const ENTRIES_MAX: usize = 50;

/// One candidate as answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The service.
    pub service: String,
    /// The copy.
    pub instance: Option<String>,
    /// The metric that tells.
    pub metric: Option<String>,
    /// The kind of fault, in the answer's words.
    pub kind: Option<&'static str>,
    /// The probability that this service is it.
    pub confidence: f64,
    /// What speaks for and against, strongest first, with its weight.
    pub evidence: Vec<(String, f64)>,
}

impl Entry {
    /// The entry for one weighed candidate.
    #[must_use]
    pub fn new(picture: &Picture<'_>, one: &Weighed, confidence: f64) -> Self {
        let case = picture.case;
        let instance = one.candidate.instance.and_then(|id| case.instances.get(id));
        let mut pieces: Vec<(String, f64)> =
            one.findings.pieces.iter().map(|piece| (piece.text.clone(), piece.weight)).collect();
        pieces.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(&b.0)));
        pieces.truncate(EVIDENCE_MAX);
        Self {
            service: case.name(one.candidate.node).to_owned(),
            instance: instance.map(|instance| instance.name.clone()),
            metric: one.findings.metric.as_ref().map(|(metric, _)| metric.clone()),
            kind: one.findings.kind.map(|(kind, _)| kind.word()),
            confidence,
            evidence: pieces,
        }
    }
}

/// A change, or "none", as answered.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedChange {
    /// Its id, or `none`.
    pub id: String,
    /// The probability that it is to blame.
    pub confidence: f64,
    /// Why.
    pub evidence: Vec<(String, f64)>,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Candidates, best first.
    pub ranking: Vec<Entry>,
    /// Changes, best first; empty where none is known.
    pub changes: Vec<RankedChange>,
    /// What the confidence rests on.
    pub features: Features,
}

impl Answer {
    /// As `ranking.json`; `wall_ms` is measured by who calls.
    #[must_use]
    pub fn to_json(&self, wall_ms: Option<f64>) -> Value {
        let told = |pieces: &[(String, f64)]| -> Vec<Value> {
            pieces
                .iter()
                .map(|(text, weight)| json!({"text": text, "weight": (weight * 100.0).round() / 100.0}))
                .collect()
        };
        let entry = |entry: &Entry| {
            let mut value =
                json!({"service": entry.service, "confidence": entry.confidence, "evidence": told(&entry.evidence)});
            if let Some(fields) = value.as_object_mut() {
                let mut put = |key: &str, text: Option<&str>| {
                    if let Some(text) = text {
                        fields.insert(key.to_owned(), Value::from(text));
                    }
                };
                put("instance", entry.instance.as_deref());
                put("metric", entry.metric.as_deref());
                put("kind", entry.kind);
            }
            value
        };
        let ranking: Vec<Value> = self.ranking.iter().take(ENTRIES_MAX).map(entry).collect();
        let mut value = json!({"ranking": ranking});
        if let Some(fields) = value.as_object_mut() {
            if !self.changes.is_empty() {
                let change = |change: &RankedChange| json!({"id": change.id, "confidence": change.confidence, "evidence": told(&change.evidence)});
                fields.insert("changes".to_owned(), self.changes.iter().map(change).collect());
            }
            if let Some(wall_ms) = wall_ms {
                fields.insert("wall_ms".to_owned(), Value::from(wall_ms));
            }
        }
        value
    }
}
