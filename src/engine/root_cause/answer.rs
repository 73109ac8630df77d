//! The answer: entries best first, the ranking of changes, as `ranking.json` wants them.

use serde_json::{Value, json};

use super::calibration::Features;
use super::looks::changes;
use super::picture::Picture;
use super::settle::{disproof, settle};
use super::solve::{Solved, Weighed};

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
    /// What would prove it wrong.
    pub disproved_by: String,
}

impl Entry {
    /// The entry for one weighed candidate.
    #[must_use]
    pub fn new(picture: &Picture<'_>, one: &Weighed<'_>) -> Self {
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
            confidence: one.confidence,
            evidence: pieces,
            disproved_by: disproof(one.findings.kind.map(|(kind, _)| kind), case.name(one.candidate.node)),
        }
    }
}

/// What speaks against the first entry, and what speaks for the next service instead.
fn against(ranking: &[Entry]) -> Vec<String> {
    let Some(first) = ranking.first() else { return Vec::new() };
    let own = first.evidence.iter().filter(|(_, weight)| *weight < 0.0).map(|(text, _)| text.clone());
    let rival = ranking.iter().find(|entry| entry.service != first.service);
    let of_rival = rival.into_iter().flat_map(|rival| {
        let pieces = rival.evidence.iter().filter(|(_, weight)| *weight > 0.0).take(RIVAL_EVIDENCE_MAX);
        pieces.map(|(text, _)| format!("for {} instead: {text}", rival.service))
    });
    own.chain(of_rival).collect()
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
    /// True where the first answer is too unsure to be called the cause.
    pub is_unresolved: bool,
    /// What speaks against the first answer: against itself, and for the next one.
    pub against: Vec<String>,
    /// What would settle it, most telling first.
    pub settle: Vec<String>,
}

/// What speaks for another service, of what is told against the first.
const RIVAL_EVIDENCE_MAX: usize = 2;
/// Other services that are told as alternatives.
const ALTERNATIVES_MAX: usize = 3;

impl Answer {
    /// What was solved, in the words of the answer; nothing is called the cause below the confidence `floor`.
    #[must_use]
    pub fn new(picture: &Picture<'_>, solved: &Solved<'_>, floor: f64) -> Self {
        let ranking: Vec<Entry> = solved.weighed.iter().map(|one| Entry::new(picture, one)).collect();
        Self {
            is_unresolved: ranking.first().is_none_or(|first| first.confidence < floor),
            against: against(&ranking),
            settle: settle(picture, solved),
            changes: changes::rank(picture),
            features: solved.features,
            ranking,
        }
    }

    /// The next services, with their confidence.
    fn alternatives(&self) -> impl Iterator<Item = &Entry> {
        let first = self.ranking.first();
        let mut seen = std::collections::BTreeSet::new();
        let others = self.ranking.iter().filter(move |entry| first.is_some_and(|first| first.service != entry.service));
        others.filter(move |entry| seen.insert(entry.service.as_str())).take(ALTERNATIVES_MAX)
    }

    /// The decision in short: what, how sure, what speaks against it, what else it may be, what would change it.
    fn decision(&self) -> Option<Value> {
        let first = self.ranking.first()?;
        let alternatives: Vec<Value> = self
            .alternatives()
            .map(|entry| json!({"service": entry.service, "confidence": entry.confidence}))
            .collect();
        Some(json!({
            "is_resolved": !self.is_unresolved,
            "service": first.service,
            "kind": first.kind,
            "confidence": first.confidence,
            "against": self.against,
            "alternatives": alternatives,
            "disproved_by": first.disproved_by,
            "would_settle_it": self.settle,
        }))
    }

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
            if let Some(decision) = self.decision() {
                fields.insert("decision".to_owned(), decision);
            }
            if let Some(wall_ms) = wall_ms {
                fields.insert("wall_ms".to_owned(), Value::from(wall_ms));
            }
        }
        value
    }
}
