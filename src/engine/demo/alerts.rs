//! The shop's own alert rules, such as a team would have written for its Alertmanager: static thresholds that must hold
//! for a while. They fire on symptoms, many at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::layout::{self, NodeKind};
use super::performance::Model;
use super::service::Node;
use crate::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::model::series::Fnv1a;
use crate::engine::model::{AlertNotice, AlertState, Fingerprint, Labels, ServiceName, Severity, Signal, SourceName};

/// A firing alert is told again after this long.
const REPEAT_MS: i64 = MINUTE_MS;
/// An alert is resolved once its rule has not held for this long.
const RESOLVE_MS: i64 = 15 * SECOND_MS;

/// One rule.
struct Rule {
    name: &'static str,
    severity: Severity,
    /// True where every instance has an alert of its own.
    is_per_instance: bool,
    for_ms: i64,
    holds: fn(&Node, f64) -> bool,
    summary: &'static str,
}

const fn rule(
    name: &'static str,
    severity: Severity,
    is_per_instance: bool,
    for_seconds: i64,
    holds: fn(&Node, f64) -> bool,
    summary: &'static str,
) -> Rule {
    Rule { name, severity, is_per_instance, for_ms: for_seconds * SECOND_MS, holds, summary }
}

use Severity::{Critical, Warning};

/// A rule's second argument is the load that the node would have now if all were well.
const RULES: &[Rule] = &[
    rule("ServiceDown", Critical, false, 15, |node, _| !node.figures.is_up, "does not answer"),
    rule("HighErrorRate", Critical, false, 30, |node, _| node.figures.errors > 0.05, "more than 5 % of requests fail"),
    rule("InstanceErrors", Warning, true, 30, |node, _| node.figures.errors > 0.10, "instance fails 10 % of requests"),
    rule("HighLatency", Warning, false, 30, is_slow, "answers take three times as long as usual"),
    rule("InstanceSlow", Warning, true, 40, is_slow, "instance takes three times as long as usual"),
    rule(
        "DatabaseUnreachable",
        Critical,
        true,
        20,
        |node, _| node.figures.connect_errors > 1.0,
        "instance gets no connection to its database",
    ),
    rule(
        "ConnectionsHigh",
        Warning,
        false,
        30,
        |node, _| node.figures.connections > 0.9,
        "more than 90 % of connections are in use",
    ),
    rule("MemoryHigh", Warning, false, 30, |node, _| node.figures.memory > 0.92, "memory is 92 % used"),
    rule("DiskAlmostFull", Critical, false, 30, |node, _| node.figures.disk > 0.9, "disk is 90 % full"),
    rule("CpuHigh", Warning, false, 30, |node, _| node.figures.cpu > 0.92, "CPU is 92 % used"),
    rule("QueueGrowing", Warning, false, 30, |node, _| node.figures.backlog > 400.0, "messages pile up"),
    rule(
        "TrafficLost",
        Warning,
        false,
        45,
        |node, usual| node.figures.is_up && node.figures.load < 0.5 * usual,
        "less than half of the usual requests arrive",
    ),
];

fn is_slow(node: &Node, _: f64) -> bool {
    let floor = if node.spec.kind == NodeKind::Service { 60.0 } else { 40.0 };
    node.figures.latency_ms > (3.0 * node.usual_latency_ms).max(floor)
}

/// Which rules hold, of which nodes and instances, since when.
pub(super) struct Alerts {
    source: SourceName,
    tracked: BTreeMap<(usize, usize, u32), Tracked>,
}

#[derive(Clone, Copy)]
struct Tracked {
    since: Timestamp,
    last_held_at: Timestamp,
    told_at: Option<Timestamp>,
}

impl Alerts {
    /// Nothing fires.
    pub fn new(source: SourceName) -> Self {
        Self { source, tracked: BTreeMap::new() }
    }

    /// Evaluates every rule and tells what began, goes on or ended. `customers` are the page requests a second now.
    pub fn evaluate(&mut self, model: &Model, busyness: f64, at: Timestamp, signals: &mut Vec<Signal>) {
        for (number, rule) in RULES.iter().enumerate() {
            for (position, node) in model.nodes.iter().enumerate() {
                let holds = (rule.holds)(node, node.load_at_peak * busyness);
                let instances = if rule.is_per_instance { node.spec.replicas } else { 1 };
                for instance in 0..instances {
                    self.track((number, position, instance), holds, at, signals);
                }
            }
        }
    }

    fn track(&mut self, key: (usize, usize, u32), holds: bool, at: Timestamp, signals: &mut Vec<Signal>) {
        let rule = &RULES[key.0];
        let Some(mut tracked) = self.tracked.get(&key).copied() else {
            if holds {
                self.tracked.insert(key, Tracked { since: at, last_held_at: at, told_at: None });
            }
            return;
        };
        if holds {
            tracked.last_held_at = at;
            let is_due = match tracked.told_at {
                None => at.since_ms(tracked.since) >= rule.for_ms,
                Some(told_at) => at.since_ms(told_at) >= REPEAT_MS,
            };
            if is_due {
                tracked.told_at = Some(at);
                signals.push(self.notice(key, tracked.since + rule.for_ms, None));
            }
            self.tracked.insert(key, tracked);
        } else if at.since_ms(tracked.last_held_at) >= RESOLVE_MS || tracked.told_at.is_none() {
            self.tracked.remove(&key);
            if tracked.told_at.is_some() {
                signals.push(self.notice(key, tracked.since + rule.for_ms, Some(at)));
            }
        }
    }

    fn notice(
        &self,
        (number, position, instance): (usize, usize, u32),
        starts_at: Timestamp,
        ends_at: Option<Timestamp>,
    ) -> Signal {
        let rule = &RULES[number];
        let service = layout::NODES[position].name;
        let mut labels = vec![
            ("alertname", rule.name.to_owned()),
            ("service", service.to_owned()),
            ("severity", if rule.severity == Critical { "critical" } else { "warning" }.to_owned()),
        ];
        if rule.is_per_instance {
            labels.push(("instance", format!("{service}-{instance}")));
        }
        let labels = Labels::new(labels);
        let mut hash = Fnv1a::new();
        for (name, value) in labels.iter() {
            hash.part(name);
            hash.part(value);
        }
        Signal::Alert(AlertNotice {
            source: self.source.clone(),
            fingerprint: Fingerprint(hash.0),
            name: Arc::from(rule.name),
            service: Some(ServiceName::new(service)),
            severity: rule.severity,
            state: if ends_at.is_some() { AlertState::Resolved } else { AlertState::Firing },
            starts_at,
            ends_at,
            muted_by: None,
            summary: Arc::from(format!("{service}: {}", rule.summary)),
            generator_url: Arc::from(""),
            labels,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(signals: &[Signal]) -> Vec<AlertState> {
        let state = |signal: &Signal| if let Signal::Alert(alert) = signal { Some(alert.state) } else { None };
        signals.iter().filter_map(state).collect()
    }

    #[test]
    fn an_alert_fires_after_its_time_repeats_and_resolves() {
        let mut model = Model::new();
        for node in &mut model.nodes {
            node.figures.latency_ms = node.spec.work_ms;
            node.figures.load = node.load_at_peak;
        }
        let mut alerts = Alerts::new(SourceName::new("shop"));
        let mut signals = Vec::new();
        model.nodes[0].figures.errors = 0.08;
        for second in (0..=30).step_by(5) {
            assert!(signals.is_empty(), "told after {second} s");
            alerts.evaluate(&model, 1.0, Timestamp(second * 1_000), &mut signals);
        }
        assert_eq!(told(&signals), [AlertState::Firing]);
        alerts.evaluate(&model, 1.0, Timestamp(90_000), &mut signals);
        assert_eq!(told(&signals), [AlertState::Firing; 2]);
        model.nodes[0].figures.errors = 0.0;
        for second in (95..=120).step_by(5) {
            alerts.evaluate(&model, 1.0, Timestamp(second * 1_000), &mut signals);
        }
        assert_eq!(told(&signals), [AlertState::Firing, AlertState::Firing, AlertState::Resolved]);
    }
}
