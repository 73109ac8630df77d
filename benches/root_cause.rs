//! How long a cause takes: 100 services with 50 metrics each over an hour, the whole way from tables to an answer.

use hypocenter::engine::root_cause::answer::Answer;
use hypocenter::engine::root_cause::calibration::Calibration;
use hypocenter::engine::root_cause::case::{Case, Column, MetricTable, Span, Symptom};
use hypocenter::engine::root_cause::picture::Picture;
use hypocenter::engine::root_cause::solve::solve;
use hypocenter::engine::root_cause::weights::Weights;

fn main() {
    divan::main();
}

const STEP_S: f64 = 15.0;
const ONSET_S: f64 = 3_000.0;

/// A tree of calls, three from each service; the last service is slow from minute 50 on, and so is whoever waits for it.
fn case(services: usize, metrics: usize) -> Case {
    let healthy = Span { start: 0.0, end: ONSET_S - 300.0 };
    let incident = Span { start: healthy.end, end: 3_600.0 };
    let mut case = Case::over(incident, Some(healthy), ONSET_S + 180.0);
    let nodes: Vec<usize> = (0..services).map(|at| case.node(&format!("service-{at}"))).collect();
    case.service_count = services;
    case.nodes.iter_mut().for_each(|node| node.is_answerable = true);
    case.calls = nodes.iter().skip(1).map(|node| ((node - 1) / 3, *node)).collect();
    case.calls.sort_unstable();
    case.symptom = Some(Symptom { node: Some(0), metric: Some("latency_avg".to_owned()), text: String::new() });
    let mut waits = vec![services - 1];
    while let Some(last) = waits.last().copied().filter(|last| *last > 0) {
        waits.push((last - 1) / 3);
    }
    let ts: Vec<f64> = (0..240).map(|row| f64::from(row) * STEP_S).collect();
    let mut columns = Vec::with_capacity(services * metrics);
    for node in &nodes {
        for at in 0..metrics {
            let name = match at {
                0 => "latency_avg".to_owned(),
                1 => "requests".to_owned(),
                2 => "error_ratio".to_owned(),
                _ => format!("cpu_usage_{at}"),
            };
            let is_slow = at == 0 && waits.contains(node);
            let value = |(row, ts): (usize, &f64)| {
                let restless = ((row * 7_919 + node * 31 + at * 17) % 101) as f64 / 1_000.0;
                1.0 + restless + if is_slow && *ts >= ONSET_S { 2.0 } else { 0.0 }
            };
            let values = ts.iter().enumerate().map(value).collect();
            columns.push(Column { node: *node, instance: None, metric: name, values });
        }
    }
    case.now.metrics = MetricTable { ts, columns };
    case
}

#[divan::bench(args = [(10, 10), (100, 50), (300, 50)])]
fn an_hour_of(bencher: divan::Bencher<'_, '_>, (services, metrics): (usize, usize)) {
    let case = case(services, metrics);
    let right = format!("service-{}", services - 1);
    bencher.bench(|| {
        let picture = Picture::new(&case);
        let answer = Answer::new(&picture, &solve(&picture, &Weights::default(), &Calibration::default()), 0.5);
        assert_eq!(answer.ranking.first().map(|first| first.service.as_str()), Some(right.as_str()));
    });
}
