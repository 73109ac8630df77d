//! Log lines as signals.

use std::sync::Arc;

use super::super::{AnomalyEvent, Detection};
use crate::engine::clock::{MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::model::{AnomalyKind, AnomalyState, LogLevel, LogLine, ServiceName, Severity, SourceName};
use crate::engine::settings::DetectionSettings;

struct Logs {
    detection: Detection,
    events: Vec<AnomalyEvent>,
    now: Timestamp,
}

impl Logs {
    fn new() -> Self {
        let detection = Detection::new(&DetectionSettings::default(), &[]).unwrap();
        Self { detection, events: Vec::new(), now: super::bench_source::START }
    }

    fn line(&mut self, level: LogLevel, message: &str) {
        let line = LogLine {
            source: SourceName::new("file"),
            service: ServiceName::new("shop"),
            at: self.now,
            level,
            message: Arc::from(message),
        };
        self.detection.observe_log(&line, self.now, &mut self.events);
    }

    /// One second, with a tick.
    fn second(&mut self) {
        self.now = self.now + SECOND_MS;
        self.detection.tick(self.now, &mut self.events);
    }

    /// Minutes with so many lines of usual traffic in each.
    fn minutes(&mut self, minutes: i64, lines: i64) {
        for minute in 0..minutes {
            for second in 0..60 {
                if second * lines / 60 != (second + 1) * lines / 60 {
                    self.line(LogLevel::Info, &format!("order {minute} accepted for customer {second}"));
                }
                self.second();
            }
        }
    }

    fn began(&self, kind: AnomalyKind) -> usize {
        let began = |event: &&AnomalyEvent| matches!(event, AnomalyEvent::Began(anomaly) if anomaly.kind == kind);
        self.events.iter().filter(began).count()
    }
}

#[test]
fn a_template_never_seen_before_is_news_after_the_warm_up() {
    let mut logs = Logs::new();
    logs.line(LogLevel::Error, "cannot open cache directory");
    logs.minutes(12, 20);
    assert!(logs.events.is_empty());
    logs.line(LogLevel::Error, "connection pool of orders exhausted after 3000 ms");
    logs.line(LogLevel::Error, "connection pool of orders exhausted after 3012 ms");
    assert_eq!(logs.began(AnomalyKind::NewTemplate), 1);
    let anomaly = logs.events[0].anomaly();
    assert!(anomaly.is_harmful && anomaly.severity == Severity::Warning);
    assert!(anomaly.template.as_ref().unwrap().1.contains("exhausted"));
    logs.minutes(12, 20);
    assert_eq!(logs.events.last().unwrap().anomaly().state, AnomalyState::Ended);
}

#[test]
fn a_single_line_is_news_for_two_minutes() {
    let mut logs = Logs::new();
    logs.minutes(12, 20);
    logs.line(LogLevel::Error, "connection pool of orders exhausted after 3000 ms");
    let last = logs.now;
    logs.minutes(1, 20);
    logs.line(LogLevel::Error, "connection pool of orders exhausted after 3012 ms");
    logs.minutes(3, 20);
    let over = logs.events.last().unwrap().anomaly();
    assert_eq!((over.state, over.last_seen_at), (AnomalyState::Ended, last + MINUTE_MS));
    assert_eq!(over.ended_at, Some(last + 3 * MINUTE_MS + SECOND_MS));
}

#[test]
fn lines_written_before_the_start_end_the_warm_up() {
    let mut logs = Logs::new();
    let start = logs.now;
    for minute in (0..60).rev() {
        logs.now = start - minute * MINUTE_MS;
        let at = logs.now;
        let line = LogLine {
            source: SourceName::new("file"),
            service: ServiceName::new("shop"),
            at,
            level: LogLevel::Info,
            message: Arc::from(format!("order {minute} accepted")),
        };
        logs.detection.observe_log(&line, start, &mut logs.events);
    }
    assert!(logs.events.is_empty(), "{:?}", logs.events);
    logs.line(LogLevel::Info, "order 60 accepted");
    logs.line(LogLevel::Error, "cannot open cache directory");
    assert_eq!(logs.began(AnomalyKind::NewTemplate), 1);
}

#[test]
fn after_a_restart_news_is_news_at_once_and_what_was_usual_is_not() {
    let mut before = Logs::new();
    before.minutes(12, 20);
    let kept = before.detection.templates_to_keep().unwrap();
    let mut after = Logs::new();
    after.now = before.now;
    // Only a new template makes the store write; by then most lines had been counted.
    after.detection.restore_templates(&kept).unwrap();
    after.minutes(3, 200);
    assert!(after.events.is_empty(), "what was usual, and more of it: {:?}", after.events);
    after.line(LogLevel::Error, "cannot open cache directory");
    assert_eq!(after.began(AnomalyKind::NewTemplate), 1);
}

#[test]
fn a_rate_that_jumps_is_an_anomaly_and_one_that_wobbles_is_not() {
    let mut logs = Logs::new();
    logs.minutes(60, 12);
    logs.minutes(5, 16);
    assert_eq!(logs.events.len(), 0);
    logs.minutes(3, 60);
    assert_eq!(logs.began(AnomalyKind::TemplateRate), 1);
    logs.minutes(6, 12);
    assert_eq!(logs.events.last().unwrap().anomaly().state, AnomalyState::Ended);
}

/// The stage that comes after `before`, with what that one left on disk.
fn restarted(before: &mut Logs) -> Logs {
    let mut after = Logs::new();
    after.now = before.now;
    after.detection.restore_templates(&before.detection.templates_to_keep().unwrap()).unwrap();
    let mut latest = std::collections::BTreeMap::new();
    for event in &before.events {
        latest.insert(event.anomaly().id, event.anomaly());
    }
    for anomaly in latest.into_values() {
        after.detection.restore_anomaly(anomaly);
    }
    after
}

#[test]
fn a_restart_in_the_middle_of_a_burst_goes_on_with_it() {
    let mut before = Logs::new();
    before.minutes(60, 12);
    before.minutes(3, 60);
    assert_eq!(before.began(AnomalyKind::TemplateRate), 1);
    let burst = before.events.last().unwrap().anomaly().id;
    let mut after = restarted(&mut before);
    after.minutes(10, 60);
    assert!(after.events.iter().all(|event| matches!(event, AnomalyEvent::Changed(_))), "{:?}", after.events);
    after.minutes(6, 12);
    let over = after.events.last().unwrap().anomaly();
    assert_eq!((over.id, over.state), (burst, AnomalyState::Ended));
    assert_eq!(after.began(AnomalyKind::TemplateRate), 0);
}

#[test]
fn a_restart_makes_nobody_deaf_to_a_burst_and_raises_none() {
    let mut before = Logs::new();
    before.minutes(60, 12);
    let mut after = restarted(&mut before);
    after.minutes(10, 12);
    assert_eq!(after.events, []);
    after.minutes(3, 60);
    assert_eq!(after.began(AnomalyKind::TemplateRate), 1);
}

#[test]
fn templates_kept_without_rates_are_read() {
    let mut before = Logs::new();
    before.minutes(60, 12);
    let kept = before.detection.logs.miner_bytes();
    let mut after = Logs::new();
    after.detection.restore_templates(&kept).unwrap();
    assert_eq!(after.detection.counts().template_count, before.detection.counts().template_count);
    assert!(after.detection.restore_templates(&[2, 255]).is_err());
}

#[test]
fn a_regular_template_that_stops_is_an_anomaly() {
    let mut logs = Logs::new();
    logs.minutes(60, 12);
    logs.minutes(5, 0);
    assert_eq!(logs.began(AnomalyKind::TemplateRate), 1);
    assert!(!logs.events[0].anomaly().is_harmful);
}

#[test]
fn old_lines_read_at_start_teach_only() {
    let mut logs = Logs::new();
    logs.minutes(12, 20);
    let line = LogLine {
        source: SourceName::new("file"),
        service: ServiceName::new("shop"),
        at: logs.now - 60 * MINUTE_MS,
        level: LogLevel::Error,
        message: Arc::from("disk on fire in rack seven"),
    };
    logs.detection.observe_log(&line, logs.now, &mut logs.events);
    assert!(logs.events.is_empty());
    assert!(logs.detection.templates_to_keep().is_some());
    assert!(logs.detection.templates_to_keep().is_none());
}
