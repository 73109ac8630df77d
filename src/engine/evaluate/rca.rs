//! Scores rankings against the truth: AC@k, Avg@5, MRR by level, and what a confidence is worth.

use std::collections::BTreeMap;

use serde_json::Value;

/// Places counted.
const K_MAX: usize = 5;
/// Bins of the calibration error.
const BINS: usize = 10;

/// Hits over cases at one level.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Level {
    /// The rank of the right answer, case by case.
    pub ranks: Vec<Option<usize>>,
}

impl Level {
    /// Share of cases with the right answer among the first `k`.
    #[must_use]
    pub fn accuracy(&self, k: usize) -> f64 {
        let hits = self.ranks.iter().filter(|rank| rank.is_some_and(|rank| rank <= k)).count();
        mean(hits as f64, self.ranks.len())
    }

    /// The same; `None` where no case asks at this level.
    #[must_use]
    pub fn measured(&self, k: usize) -> Option<f64> {
        (!self.ranks.is_empty()).then(|| self.accuracy(k))
    }

    /// Mean of AC@1 to AC@5.
    #[must_use]
    pub fn average_at_5(&self) -> f64 {
        (1..=K_MAX).map(|k| self.accuracy(k)).sum::<f64>() / K_MAX as f64
    }

    /// Mean reciprocal rank.
    #[must_use]
    pub fn mrr(&self) -> f64 {
        let sum: f64 = self.ranks.iter().map(|rank| rank.map_or(0.0, |rank| 1.0 / rank as f64)).sum();
        mean(sum, self.ranks.len())
    }
}

fn mean(sum: f64, count: usize) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}

/// What the confidence of first answers is worth.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Confidence {
    /// (confidence, hit) of each first answer.
    pub answers: Vec<(f64, bool)>,
}

impl Confidence {
    /// Mean squared error.
    #[must_use]
    pub fn brier(&self) -> f64 {
        let sum =
            self.answers.iter().map(|(confidence, hit)| (confidence.clamp(0.0, 1.0) - f64::from(*hit)).powi(2)).sum();
        mean(sum, self.answers.len())
    }

    /// Expected calibration error, ten bins of equal width.
    #[must_use]
    pub fn ece(&self) -> f64 {
        let mut bins = [(0.0, 0.0); BINS];
        for (confidence, hit) in &self.answers {
            let confidence = confidence.clamp(0.0, 1.0);
            let at = ((confidence * BINS as f64) as usize).min(BINS - 1);
            if let Some((sure, right)) = bins.get_mut(at) {
                *sure += confidence;
                *right += f64::from(*hit);
            }
        }
        mean(bins.iter().map(|(sure, right): &(f64, f64)| (sure - right).abs()).sum(), self.answers.len())
    }

    /// Among answers with at least `floor`: how many, and the share that is right.
    #[must_use]
    pub fn from(&self, floor: f64) -> (usize, Option<f64>) {
        let sure: Vec<bool> = self.answers.iter().filter(|(c, _)| *c >= floor).map(|(_, hit)| *hit).collect();
        let right = sure.iter().filter(|hit| **hit).count();
        (sure.len(), (!sure.is_empty()).then(|| mean(right as f64, sure.len())))
    }

    /// Area under the risk-coverage curve; lower is better.
    #[must_use]
    pub fn aurc(&self) -> f64 {
        let mut order = self.answers.clone();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut wrong, mut sum) = (0.0, 0.0);
        for (at, (_, hit)) in order.iter().enumerate() {
            wrong += f64::from(!hit);
            sum += wrong / (at + 1) as f64;
        }
        mean(sum, order.len())
    }
}

/// All figures of one suite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scores {
    /// Cases in the truth.
    pub case_count: usize,
    /// Cases without an answer.
    pub missing: usize,
    /// By service.
    pub service: Level,
    /// By copy, where the truth names one.
    pub instance: Level,
    /// By service and metric, where the truth names one.
    pub metric: Level,
    /// By change, where the truth speaks of one.
    pub change: Level,
    /// Cases whose first change is a decoy.
    pub decoys: usize,
    /// Confidence of first answers.
    pub confidence: Confidence,
    /// Service ranks by kind of fault.
    pub by_kind: BTreeMap<String, Level>,
    /// First answers whose kind is right, of those that name one.
    pub kinds: (usize, usize),
    /// Milliseconds a case.
    pub wall_ms: Vec<f64>,
    /// Service rank, by case.
    pub per_case: Vec<(String, Option<usize>)>,
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// The rank of the first good key among distinct keys; keys that are `None` take no place.
fn rank_of<K: PartialEq>(keys: impl Iterator<Item = Option<K>>, is_good: impl Fn(&K) -> bool) -> Option<usize> {
    let mut seen: Vec<K> = Vec::new();
    for key in keys.flatten() {
        if seen.contains(&key) {
            continue;
        }
        if is_good(&key) {
            return Some(seen.len() + 1);
        }
        seen.push(key);
    }
    None
}

impl Scores {
    /// Takes in one case: its truth, the answer (`None` where there is none), its `changes` as listed in the case.
    pub fn add(&mut self, id: &str, truth: &Value, answer: Option<&Value>, listed: &Value) {
        let nothing = Value::Null;
        self.case_count += 1;
        self.missing += usize::from(answer.is_none());
        let answer = answer.unwrap_or(&nothing);
        let entries: Vec<&Value> = answer["ranking"]
            .as_array()
            .or(answer.as_array())
            .map(|list| list.iter().filter(|e| e.is_object()).collect())
            .unwrap_or_default();
        let services = words(&truth["services"]);
        let rank = rank_of(entries.iter().map(|e| e["service"].as_str()), |s| services.contains(s));
        self.service.ranks.push(rank);
        self.per_case.push((id.to_owned(), rank));
        self.by_kind.entry(truth["kind"].as_str().unwrap_or("-").to_owned()).or_default().ranks.push(rank);
        let instances = words(&truth["instances"]);
        if !instances.is_empty() {
            self.instance
                .ranks
                .push(rank_of(entries.iter().map(|e| e["instance"].as_str()), |i| instances.contains(i)));
        }
        let metrics = words(&truth["metrics"]);
        if !metrics.is_empty() {
            let keys =
                entries.iter().map(|e| Some((e["service"].as_str()?, e["metric"].as_str().filter(|m| !m.is_empty())?)));
            self.metric.ranks.push(rank_of(keys, |(s, m)| services.contains(s) && metrics.contains(m)));
        }
        if truth.get("change").is_some() {
            self.add_change(truth, answer, listed);
        }
        let Some(first) = entries.iter().find(|e| e["service"].is_string()) else {
            self.take_time(answer);
            return;
        };
        if let Some(confidence) = first["confidence"].as_f64() {
            self.confidence.answers.push((confidence, rank == Some(1)));
        }
        if let (Some(kind), Some(said)) = (truth["kind"].as_str(), first["kind"].as_str()) {
            self.kinds.0 += usize::from(kind == said);
            self.kinds.1 += 1;
        }
        self.take_time(answer);
    }

    fn take_time(&mut self, answer: &Value) {
        self.wall_ms.extend(answer["wall_ms"].as_f64());
    }

    /// Naming the deploy of a commit is naming the commit.
    fn add_change(&mut self, truth: &Value, answer: &Value, listed: &Value) {
        let listed: Vec<&Value> = listed.as_array().map(|list| list.iter().collect()).unwrap_or_default();
        let commit_of = |id: &str| {
            let deploy = listed.iter().find(|change| change["kind"] == "deploy" && change["id"] == id);
            deploy.and_then(|change| change["commit"].as_str()).unwrap_or(id).to_owned()
        };
        let named: Vec<Option<String>> = answer["changes"]
            .as_array()
            .map(|list| list.iter().map(|change| change["id"].as_str().map(commit_of)).collect())
            .unwrap_or_default();
        let good = truth["change"].as_str().unwrap_or("");
        self.change.ranks.push(rank_of(named.iter().cloned(), |id| id == good));
        let first = named.iter().flatten().next();
        self.decoys += usize::from(first.is_some_and(|id| words(&truth["decoys"]).contains(&id.as_str())));
    }

    /// The `q`-quantile of the milliseconds a case.
    #[must_use]
    pub fn wall_at(&self, q: f64) -> Option<f64> {
        crate::engine::root_cause::robust::quantile(&mut self.wall_ms.clone(), q)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scored(truth: &Value, answer: &Value) -> Scores {
        let mut scores = Scores::default();
        scores.add("a", truth, Some(answer), &json!([{"id": "d", "kind": "deploy", "commit": "c"}]));
        scores
    }

    #[test]
    fn a_service_counts_by_its_first_place() {
        let answer = json!({"ranking": [
            {"service": "x", "metric": "cpu", "confidence": 0.9}, {"service": "x"}, {"service": "y", "metric": "mem"}]});
        let scores = scored(&json!({"services": ["y"], "metrics": ["mem"], "kind": "cpu"}), &answer);
        assert_eq!(scores.service.ranks, vec![Some(2)]);
        assert_eq!(scores.metric.ranks, vec![Some(2)]);
        assert_eq!(scores.confidence.answers, vec![(0.9, false)]);
        assert_eq!(scores.service.accuracy(1), 0.0);
        assert_eq!(scores.service.average_at_5(), 0.8);
        assert_eq!(scores.service.mrr(), 0.5);
    }

    #[test]
    fn naming_the_deploy_of_a_commit_names_the_commit() {
        let truth = json!({"services": ["x"], "change": "c", "decoys": ["e"]});
        let scores = scored(&truth, &json!({"ranking": [], "changes": [{"id": "d"}, {"id": "e"}]}));
        assert_eq!(scores.change.ranks, vec![Some(1)]);
        assert_eq!(scores.decoys, 0);
        let scores = scored(&truth, &json!({"ranking": [], "changes": [{"id": "e"}, {"id": "d"}]}));
        assert_eq!((scores.change.ranks.clone(), scores.decoys), (vec![Some(2)], 1));
    }

    #[test]
    fn no_answer_is_a_miss_and_a_list_is_an_answer() {
        let truth = json!({"services": ["x"]});
        let mut scores = Scores::default();
        scores.add("a", &truth, None, &Value::Null);
        scores.add("b", &truth, Some(&json!([{"service": "x", "confidence": 1.5}])), &Value::Null);
        assert_eq!(scores.service.ranks, vec![None, Some(1)]);
        assert_eq!((scores.missing, scores.confidence.ece()), (1, 0.0));
    }

    #[test]
    fn calibration_is_measured_in_ten_bins() {
        let confidence = Confidence { answers: vec![(0.9, true), (0.9, false), (0.1, false), (0.1, false)] };
        assert!((confidence.ece() - (0.8 + 0.2) / 4.0).abs() < 1e-12, "{}", confidence.ece());
        assert_eq!(confidence.from(0.85), (2, Some(0.5)));
        assert_eq!(Confidence::default().from(0.85), (0, None));
    }
}
