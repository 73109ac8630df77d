//! The shop without an engine: its signals are repeatable, its faults show, and only the right command mends them.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;

use super::scenarios;
use super::shop::{HISTORY_DAYS, HISTORY_STEP_MS, Shop};
use crate::engine::clock::{DAY_MS, SECOND_MS, Timestamp};
use crate::engine::limits;
use crate::engine::model::{AlertState, SeriesRole, Signal};

/// A Saturday evening.
const START: Timestamp = Timestamp(1_795_287_600_000);

/// The live part's samples by service and metric, the history left out.
struct Watched {
    shop: Shop,
    names: Vec<(String, String, SeriesRole)>,
    last: BTreeMap<(String, String), f64>,
    alerts: usize,
}

impl Watched {
    fn new(scenario: &str, seed: u64) -> Self {
        let mut shop = Shop::new(scenarios::find(scenario).unwrap(), seed, START);
        let signals: Vec<Signal> = shop.history().collect();
        let names = signals.iter().filter_map(|signal| match signal {
            Signal::Series(notice) => Some((
                notice.descriptor.service.to_string(),
                notice.descriptor.metric.to_string(),
                notice.descriptor.role,
            )),
            _ => None,
        });
        let names = names.collect();
        Self { shop, names, last: BTreeMap::new(), alerts: 0 }
    }

    fn run(&mut self, seconds: i64) -> Vec<Signal> {
        let signals = self.shop.advance(self.now() + seconds * SECOND_MS);
        for signal in &signals {
            match signal {
                Signal::Samples(batch) => {
                    for sample in &batch.samples {
                        let (service, metric, _) = &self.names[sample.local as usize];
                        self.last.insert((service.clone(), metric.clone()), sample.value);
                    }
                }
                Signal::Alert(alert) if alert.state == AlertState::Firing => self.alerts += 1,
                _ => {}
            }
        }
        signals
    }

    fn now(&self) -> Timestamp {
        self.shop.now()
    }

    fn value(&self, service: &str, metric: &str) -> f64 {
        self.last[&(service.to_owned(), metric.to_owned())]
    }

    fn execute(&mut self, argv: &[&str]) -> super::Executed {
        let argv: Vec<Arc<str>> = argv.iter().map(|word| Arc::from(*word)).collect();
        self.shop.execute(&argv, false, self.now())
    }
}

fn hash(signals: impl Iterator<Item = Signal>) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    for signal in signals {
        if let Signal::Samples(batch) = &signal {
            for sample in &batch.samples {
                hasher.write_u32(sample.local);
                hasher.write_i64(sample.at.0);
                hasher.write_u64(sample.value.to_bits());
            }
        } else {
            hasher.write(serde_json::to_string(&signal).unwrap().as_bytes());
        }
    }
    hasher.finish()
}

#[test]
fn the_same_seed_gives_the_same_signals_in_whatever_steps_it_is_driven() {
    let play = |seed: u64, step_ms: i64| {
        let mut shop = Shop::new(scenarios::default(), seed, START);
        let history = hash(shop.history());
        let mut live = Vec::new();
        let mut now = START;
        while now < START + 60_000 {
            now = now + step_ms;
            live.extend(shop.advance(now));
        }
        (history, hash(live.into_iter()))
    };
    assert_eq!(play(7, 5_000), play(7, 333 * 4));
    assert_ne!(play(7, 5_000), play(8, 5_000));
}

#[test]
fn history_is_oldest_first_in_bounded_batches() {
    let mut shop = Shop::new(scenarios::default(), 1, START);
    let series = shop.series_count();
    let mut last = Timestamp(0);
    let mut count = 0;
    for signal in shop.history() {
        if let Signal::Samples(batch) = signal {
            assert!(batch.is_backfill && batch.samples.len() <= limits::BATCH_SAMPLES_MAX);
            for sample in &batch.samples {
                assert!(sample.at >= last && sample.at < START && sample.value.is_finite());
                last = sample.at;
            }
            count += batch.samples.len();
        }
    }
    let steps = usize::try_from(HISTORY_DAYS * DAY_MS / HISTORY_STEP_MS).unwrap() - 1;
    assert_eq!(count, steps * series);
}

#[test]
fn within_half_a_minute_something_is_seen() {
    for (scenario, service, metric, above) in [
        ("bad-deploy", "checkout", "error_ratio", 0.1),
        ("pool-exhausted", "order", "db_connections_used_ratio", 0.8),
        ("memory-leak", "search", "memory_used_ratio", 0.75),
        ("firewall-rule", "web", "error_ratio", 0.05),
        ("slow-query", "catalog-db", "query_p95", 0.2),
        ("disk-filling", "orders-db", "disk_used_ratio", 0.8),
        ("dependency-down", "cart", "error_ratio", 0.3),
        ("bad-config", "checkout", "error_ratio", 0.1),
        ("stuck-consumer", "shipping", "queue_depth", 200.0),
    ] {
        let mut watched = Watched::new(scenario, 3);
        watched.run(30);
        let value = watched.value(service, metric);
        assert!(value > above, "{scenario}: {metric} of {service} is {value}");
    }
}

#[test]
fn the_right_command_mends_and_the_wrong_one_does_not() {
    for scenario in scenarios::SCENARIOS {
        let Some(expected) = &scenario.expected else { continue };
        let harm = |watched: &Watched| {
            ["web", "checkout", "order", "payment", "catalog", "search"]
                .map(|service| watched.value(service, "error_ratio"))
                .iter()
                .fold(watched.value("shipping", "queue_depth") / 50_000.0, |worst, ratio| worst.max(*ratio))
                .max((watched.value("web", "latency_p95") - 0.125) / 3.0)
        };
        let mut wrong = Watched::new(scenario.name, 5);
        wrong.run(180);
        let before = harm(&wrong);
        assert!(before > 0.015, "{}: harm is {before}", scenario.name);
        assert_eq!(wrong.execute(expected.not_mended_by).exit_code, 0, "{}", scenario.name);
        wrong.run(90);
        assert!(harm(&wrong) > 0.5 * before, "{}: the wrong command mends it", scenario.name);

        let mut right = Watched::new(scenario.name, 5);
        right.run(180);
        assert_eq!(right.execute(expected.mended_by).exit_code, 0, "{}", scenario.name);
        right.run(420);
        let after = harm(&right);
        assert!(after < 0.012, "{}: harm is still {after}", scenario.name);
        right.run(600);
        assert!(harm(&right) < 0.012, "{}: it came back", scenario.name);
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut watched = Watched::new("bad-deploy", 5);
    watched.run(60);
    let argv: Vec<Arc<str>> = ["kubectl", "rollout", "undo", "deployment/payment"].map(Arc::from).to_vec();
    let executed = watched.shop.execute(&argv, true, watched.now());
    assert!(executed.lines[0].contains("dry run"), "{:?}", executed.lines);
    watched.run(60);
    assert!(watched.value("payment", "error_ratio") > 0.2);
}

#[test]
fn rolling_back_twice_brings_the_fault_back() {
    let mut watched = Watched::new("bad-deploy", 5);
    watched.run(60);
    let undo = ["kubectl", "rollout", "undo", "deployment/payment"];
    watched.execute(&undo);
    watched.run(300);
    assert!(watched.value("payment", "error_ratio") < 0.01);
    watched.execute(&undo);
    watched.run(300);
    assert!(watched.value("payment", "error_ratio") > 0.2);
}

#[test]
fn an_unknown_command_says_so() {
    let mut watched = Watched::new("bad-deploy", 5);
    let executed = watched.execute(&["rm", "-rf", "/"]);
    assert_eq!(executed.exit_code, 127);
    assert!(executed.lines[0].starts_with("rm: command not found"));
}

#[test]
fn what_is_no_fault_raises_no_errors_and_no_alerts() {
    for scenario in scenarios::SCENARIOS.iter().filter(|scenario| scenario.expected.is_none()) {
        let mut watched = Watched::new(scenario.name, 2);
        for _ in 0..60 {
            watched.run(10);
            for (service, metric, role) in &watched.names {
                let value = watched.value(service, metric);
                let is_calm = *role != SeriesRole::Errors || value < 0.012;
                assert!(is_calm, "{}: {metric} of {service} is {value}", scenario.name);
            }
        }
        assert_eq!(watched.alerts, 0, "{}", scenario.name);
    }
}

#[test]
fn the_sale_brings_four_times_the_customers() {
    let mut watched = Watched::new("flash-sale", 2);
    watched.run(5);
    let before = watched.value("web", "request_rate");
    watched.run(120);
    assert!(watched.value("web", "request_rate") > 3.5 * before);
    assert!(watched.value("web", "latency_p95") < 0.3);
}

#[test]
fn a_cut_off_service_sets_off_a_storm_of_alerts() {
    let mut watched = Watched::new("firewall-rule", 2);
    let signals = watched.run(150);
    let services: std::collections::BTreeSet<_> = signals
        .iter()
        .filter_map(|signal| if let Signal::Alert(alert) = signal { alert.service.clone() } else { None })
        .collect();
    assert!(watched.alerts >= 40, "{} alerts", watched.alerts);
    assert!(services.len() >= 6, "{services:?}");
}

/// The events of two stories in one, the second `gap_ms` later.
fn both(one: &scenarios::Scenario, other: &scenarios::Scenario, gap_ms: i64) -> &'static scenarios::Scenario {
    let later = other.events.iter().map(|event| event.later(gap_ms));
    let mut events: Vec<_> = one.events.iter().map(|event| event.later(0)).chain(later).collect();
    events.sort_by_key(|event| event.at_ms);
    Box::leak(Box::new(scenarios::Scenario {
        name: "both",
        title: one.title,
        story: one.story,
        expected: None,
        events: events.leak(),
        is_batch_at_start: false,
    }))
}

#[test]
fn two_failures_at_once_are_two_incidents_with_a_cause_each() {
    use super::headless::{Approve, Drill, run};
    for (one, other, gap_ms) in [
        ("bad-deploy", "memory-leak", 0),
        ("firewall-rule", "slow-query", 0),
        ("dependency-down", "disk-filling", 0),
        ("bad-config", "stuck-consumer", 0),
        ("bad-deploy", "pool-exhausted", 120_000),
    ] {
        let stories = [one, other].map(|name| scenarios::find(name).unwrap());
        let drill = Drill {
            lasts_ms: 300_000 + gap_ms,
            ..Drill::new(both(stories[0], stories[1], gap_ms), 1, START, Approve::None)
        };
        let (report, _) = run(&drill, &mut |_| {}).unwrap();
        let titles: Vec<_> = report.report.incidents.iter().map(|incident| &incident.title).collect();
        assert_eq!(titles.len(), 2, "{one} and {other}: {titles:?}");
        for expected in stories.iter().filter_map(|story| story.expected.as_ref()) {
            let mut causes = report.report.incidents.iter().filter_map(|incident| incident.cause.as_ref());
            let is_named = causes.any(|cause| {
                expected.kinds.contains(&cause.kind) && expected.services.contains(&cause.service.as_str())
            });
            assert!(is_named, "{one} and {other}: {titles:?}");
        }
    }
}
