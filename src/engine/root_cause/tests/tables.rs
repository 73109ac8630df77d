//! Small systems whose cause is known: slow and failing callees, callees nobody measures, alerts on one copy.

use crate::engine::root_cause::answer::Answer;
use crate::engine::root_cause::calibration::Calibration;
use crate::engine::root_cause::case::{AlertRow, AlertSource, Case, Column, MetricTable, NodeId, Span, Symptom};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::solve::solve;
use crate::engine::root_cause::weights::Weights;

const ROWS: usize = 60;
const ONSET: usize = 50;

/// A system in which `web` calls `cart` calls `db`, and `web` calls `ads`; a row a minute, the last ten in the incident.
fn system() -> Case {
    let mut case = Case {
        incident: Span { start: 2_400.0, end: 3_540.0 },
        baseline: Some(Span { start: 0.0, end: 2_340.0 }),
        detected_at: 3_180.0,
        ..Case::default()
    };
    let [web, cart, db, ads] = ["web", "cart", "db", "ads"].map(|name| case.node(name));
    case.service_count = 4;
    case.nodes.iter_mut().for_each(|node| node.is_answerable = true);
    case.calls = vec![(web, cart), (web, ads), (cart, db)];
    case.symptom = Some(Symptom { node: Some(web), metric: Some("latency_avg".to_owned()), text: String::new() });
    case.now.metrics = MetricTable { ts: (0..ROWS).map(|row| row as f64 * 60.0).collect(), columns: Vec::new() };
    case
}

/// A column that stands at `usual`, a little restless, and adds `extra` from the onset on.
fn put(case: &mut Case, node: NodeId, metric: &str, usual: f64, extra: f64) {
    let value = |row: usize| {
        let restless = 1.0 + 0.01 * ((row * 7919 + node * 31) % 13) as f64 - 0.06;
        usual * restless + if row >= ONSET { extra } else { 0.0 }
    };
    let values = (0..ROWS).map(value).collect();
    case.now.metrics.columns.push(Column { node, instance: None, metric: metric.to_owned(), values });
}

fn find(case: &Case, name: &str) -> NodeId {
    case.find(name).unwrap()
}

/// Latencies where `slow` takes 0.2 s more, and so does whoever waits for it.
fn slowed(slow: &str, is_counted: bool, unmeasured: &[&str]) -> Case {
    let mut case = system();
    let waits: &[&str] = match slow {
        "db" => &["web", "cart", "db"],
        "cart" => &["web", "cart"],
        "ads" => &["web", "ads"],
        _ => &["web"],
    };
    for (name, usual) in [("web", 0.3), ("cart", 0.1), ("db", 0.02), ("ads", 0.05)] {
        if unmeasured.contains(&name) {
            continue;
        }
        let node = find(&case, name);
        put(&mut case, node, "latency_avg", usual, if waits.contains(&name) { 0.2 } else { 0.0 });
        if is_counted {
            put(&mut case, node, "requests", 1000.0, 0.0);
        }
    }
    case
}

fn answer(case: &Case) -> Answer {
    let picture = Picture::new(case);
    Answer::new(&picture, &solve(&picture, &Weights::default(), &Calibration::default()), 0.6)
}

fn first(case: &Case) -> String {
    answer(case).ranking.first().map_or(String::new(), |entry| entry.service.clone())
}

#[test]
fn slowness_is_laid_where_it_arises_with_and_without_counts() {
    for slow in ["web", "cart", "db", "ads"] {
        for is_counted in [true, false] {
            assert_eq!(first(&slowed(slow, is_counted, &[])), slow, "counted: {is_counted}");
        }
    }
}

#[test]
fn the_answer_says_how_much_and_is_sure() {
    let answer = answer(&slowed("db", true, &[]));
    let entry = answer.ranking.first().unwrap();
    assert!(entry.confidence > 0.85, "{entry:?}");
    assert_eq!(entry.kind, Some("latency"));
    assert!(
        entry.evidence.iter().any(|(text, _)| text.contains("% of the page's extra time arises in db")),
        "{entry:?}"
    );
}

#[test]
fn a_callee_that_nobody_measures_is_named_second_and_takes_certainty() {
    let hidden = answer(&slowed("db", true, &["db"]));
    let names: Vec<&str> = hidden.ranking.iter().take(2).map(|entry| entry.service.as_str()).collect();
    assert_eq!(names, ["cart", "db"]);
    let seen = answer(&slowed("cart", true, &[]));
    assert!(hidden.ranking.first().unwrap().confidence < seen.ranking.first().unwrap().confidence);
}

#[test]
fn failures_are_laid_with_the_deepest_that_fails() {
    let mut case = system();
    case.symptom =
        Some(Symptom { node: case.find("web"), metric: Some("availability".to_owned()), text: String::new() });
    for (name, lost) in [("web", -8.0), ("cart", -8.0), ("db", -8.0), ("ads", 0.0)] {
        let node = find(&case, name);
        put(&mut case, node, "availability", 99.0, lost);
        put(&mut case, node, "requests", 1000.0, 0.0);
    }
    assert_eq!(first(&case), "db");
}

#[test]
fn a_callee_never_called_before_is_its_callers_fault() {
    let mut case = system();
    case.symptom =
        Some(Symptom { node: case.find("web"), metric: Some("availability".to_owned()), text: String::new() });
    for (name, lost) in [("web", -8.0), ("cart", -8.0), ("ads", 0.0)] {
        let node = find(&case, name);
        put(&mut case, node, "availability", 99.0, lost);
        put(&mut case, node, "requests", 1000.0, 0.0);
    }
    let db = find(&case, "db");
    let from_onset = |value: f64, before: f64| (0..ROWS).map(|row| if row >= ONSET { value } else { before }).collect();
    for (metric, values) in [("availability", from_onset(0.0, f64::NAN)), ("requests", from_onset(80.0, 0.0))] {
        case.now.metrics.columns.push(Column { node: db, instance: None, metric: metric.to_owned(), values });
    }
    assert_eq!(first(&case), "cart");
}

#[test]
fn without_a_page_what_stands_out_is_explained() {
    let mut case = slowed("db", true, &[]);
    case.symptom = None;
    assert_eq!(first(&case), "db");
}

#[test]
fn a_cycle_ends_and_an_empty_case_has_an_answer() {
    let mut case = slowed("db", true, &[]);
    let (db, web) = (find(&case, "db"), find(&case, "web"));
    case.calls.push((db, web));
    assert!(!answer(&case).ranking.is_empty());
    assert!(answer(&Case::default()).ranking.is_empty());
    assert_eq!(answer(&system()).ranking.len(), 4, "nothing measured: everybody, unsure");
}

#[test]
fn odd_numbers_do_no_harm() {
    for odd in [f64::NAN, f64::MAX, -f64::MAX, 1e300, 0.0] {
        let mut case = slowed("db", true, &[]);
        for column in &mut case.now.metrics.columns {
            column.values.iter_mut().step_by(3).for_each(|value| *value = odd);
        }
        assert!(answer(&case).ranking.iter().all(|entry| entry.confidence.is_finite()), "{odd}");
    }
}

fn alert(case: &mut Case, instance: &str, source: AlertSource, name: &str, value: &str, peer: Option<&str>) {
    let id = case.find_instance(instance).unwrap();
    let peer_instance = peer.and_then(|peer| case.find_instance(peer));
    let node_of = |id: usize| case.instances.get(id).map(|instance| instance.node);
    let row = AlertRow {
        ts: case.now.alerts.len() as f64,
        source,
        node: node_of(id).unwrap(),
        instance: Some(id),
        host: None,
        name: name.to_owned(),
        value: value.to_owned(),
        op: String::new(),
        peer: peer_instance.and_then(node_of),
        peer_instance,
        message: if source == AlertSource::Log { value.to_owned() } else { String::new() },
    };
    case.now.alerts.push(row);
}

/// Two copies each of `web` and `cart`.
fn copies() -> Case {
    let mut case = system();
    case.now.metrics = MetricTable::default();
    case.symptom = None;
    for name in ["web1", "web2", "cart1", "cart2"] {
        let node = find(&case, &name[..name.len() - 1]);
        case.instance(name, node, None);
    }
    case
}

#[test]
fn the_copy_whose_level_rose_alone_is_named() {
    let mut case = copies();
    for copy in ["web1", "web2", "cart1", "cart2"] {
        alert(&mut case, copy, AlertSource::Metric, "box_cpu_total_pct", "up", None);
    }
    for metric in ["box_memory_rss_total", "box_memory_usage_pct", "box_memory_usage_total"] {
        alert(&mut case, "cart2", AlertSource::Metric, metric, "up", None);
    }
    let answer = answer(&case);
    let entry = answer.ranking.first().unwrap();
    assert_eq!((entry.instance.as_deref(), entry.kind), (Some("cart2"), Some("memory")), "{entry:?}");
}

#[test]
fn the_copy_that_calls_nobody_any_more_is_named() {
    let mut case = copies();
    for (name, callee) in [("latency", "cart1"), ("latency", "cart2"), ("status_500", "cart1"), ("status_500", "cart2")]
    {
        alert(&mut case, callee, AlertSource::Trace, name, "x", Some("web1"));
    }
    assert_eq!(answer(&case).ranking.first().unwrap().instance.as_deref(), Some("web2"));
}

#[test]
fn a_log_of_an_own_fault_counts_and_one_that_blames_others_does_not() {
    for (line, named) in [("error: no such file: rates.csv", Some("web2")), ("error in the downstream service", None)] {
        let mut case = copies();
        alert(&mut case, "web2", AlertSource::Log, "template", line, None);
        let answer = answer(&case);
        let entry = answer.ranking.first().unwrap();
        assert_eq!(entry.instance.as_deref().filter(|_| entry.confidence > 0.7), named, "{line}: {entry:?}");
    }
}

#[test]
fn an_answer_says_what_speaks_against_it_and_what_would_settle_it() {
    let unsure = answer(&slowed("db", true, &["db"]));
    assert!(unsure.settle.iter().any(|look| look.contains("no metric of db")), "{:?}", unsure.settle);
    assert!(unsure.settle.iter().any(|look| look.starts_with("the calls of cart to db")), "{:?}", unsure.settle);
    assert!(unsure.against.iter().any(|text| text.starts_with("for db instead: ")), "{:?}", unsure.against);
    let told = unsure.to_json(None);
    let decision = &told["decision"];
    assert_eq!((&decision["service"], &decision["alternatives"][0]["service"]), (&"cart".into(), &"db".into()));
    assert!(decision["disproved_by"].as_str().unwrap().contains("cart"));
    assert!(answer(&system()).is_unresolved, "nothing measured");
}

#[test]
fn an_account_that_does_not_add_up_is_never_sure() {
    let sure = |is_counted: bool| answer(&slowed("ads", is_counted, &[])).ranking.first().unwrap().confidence;
    assert!(sure(true) > 0.85 && sure(false) < 0.8, "{} {}", sure(true), sure(false));
}
