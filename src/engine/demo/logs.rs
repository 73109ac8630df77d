//! What the shop's nodes write: the usual lines, and those that tell of what goes wrong in them.

use std::sync::Arc;

use rand::Rng;
use rand_pcg::Pcg64;

use super::faults::Effects;
use super::layout::{self, NodeKind};
use super::performance::Model;
use super::service::Node;
use crate::engine::clock::Timestamp;
use crate::engine::model::{LogLevel, LogLine, ServiceName, Signal, SourceName};

/// Lines of one kind that a node writes between two samples at most.
const LINES_MAX: usize = 4;

/// Writes lines; the same seed writes the same.
pub(super) struct Logs {
    source: SourceName,
    random: Pcg64,
    services: Vec<ServiceName>,
}

impl Logs {
    /// For every node.
    pub fn new(source: SourceName, seed: u64) -> Self {
        let services = layout::NODES.iter().map(|node| ServiceName::new(node.name)).collect();
        Self { source, random: Pcg64::new(u128::from(seed), 2), services }
    }

    /// What every node writes when nothing is wrong.
    pub fn usual(&mut self, at: Timestamp, signals: &mut Vec<Signal>) {
        for node in 0..layout::NODES.len() {
            for _ in 0..2 {
                let (level, message) = self.usual_line(node);
                self.push(node, at, level, &message, signals);
            }
        }
    }

    /// What nodes write of what goes wrong now.
    pub fn troubles(&mut self, model: &Model, effects: &[Effects], at: Timestamp, signals: &mut Vec<Signal>) {
        for (position, node) in model.nodes.iter().enumerate() {
            if !node.figures.is_up {
                continue;
            }
            for (level, share, text) in troubles(model, position, &effects[position]) {
                let lines = (share * 20.0).ceil().clamp(1.0, LINES_MAX as f64) as usize;
                for _ in 0..lines {
                    let number = self.random.random_range(10_000..99_999);
                    self.push(position, at, level, &format!("{text} (request {number})"), signals);
                }
            }
        }
    }

    fn usual_line(&mut self, node: usize) -> (LogLevel, String) {
        let number = self.random.random_range(10_000..99_999);
        let ms = self.random.random_range(2..90);
        let text = match (layout::NODES[node].kind, self.random.random_range(0..3)) {
            (NodeKind::Service, 0) => format!("request {number} answered with 200 in {ms} ms"),
            (NodeKind::Service, 1) => format!("request {number} answered with 304 in {ms} ms"),
            (NodeKind::Service, _) => format!("health probe answered in {ms} ms"),
            (NodeKind::Database, 0) => format!("checkpoint complete: wrote {number} buffers in {ms} ms"),
            (NodeKind::Database, 1) => format!("connection authorized: session {number}"),
            (NodeKind::Database, _) => format!("automatic vacuum of table {number} done in {ms} ms"),
            (NodeKind::Cache, 0) => format!("evicted {number} keys in {ms} ms"),
            (NodeKind::Cache, _) => format!("snapshot {number} written in {ms} ms"),
            (NodeKind::Queue, 0) => format!("segment {number} rolled in {ms} ms"),
            (NodeKind::Queue, _) => format!("offset {number} committed by group shipping"),
        };
        (LogLevel::Info, text)
    }

    fn push(&mut self, node: usize, at: Timestamp, level: LogLevel, message: &str, signals: &mut Vec<Signal>) {
        let line = LogLine {
            source: self.source.clone(),
            service: self.services[node].clone(),
            at,
            level,
            message: Arc::from(message),
        };
        signals.push(Signal::Log(line));
    }
}

/// What goes wrong in a node, with the share of requests that it hits.
fn troubles(model: &Model, position: usize, effects: &Effects) -> Vec<(LogLevel, f64, String)> {
    let node = &model.nodes[position];
    let figures = node.figures;
    let mut found = Vec::new();
    if effects.errors > 0.02 {
        let text = "unhandled exception: field `amount_minor` is missing in handler apply".to_owned();
        found.push((LogLevel::Error, effects.errors, text));
    }
    if figures.connect_errors > 0.5 {
        found.push((LogLevel::Error, 0.2, connection_trouble(node, effects)));
    }
    if figures.memory > 0.93 {
        let text = format!("memory nearly used up: collection paused {} ms", (figures.memory * 900.0) as u32);
        found.push((LogLevel::Warn, 0.1, text));
    }
    if figures.disk > 0.97 {
        found.push((LogLevel::Fatal, 0.2, "could not extend file: No space left on device".to_owned()));
    }
    if node.spec.kind == NodeKind::Database && effects.slowness > 2.0 {
        let took = figures.latency_ms as u32;
        let text = format!("slow statement: sequential scan on products took {took} ms");
        found.push((LogLevel::Warn, 0.15, text));
    }
    if effects.idle_share > 0.5 {
        let text = "cannot decode message: unknown field `courier`, it will be tried again".to_owned();
        found.push((LogLevel::Error, 0.1, text));
    }
    found.extend(call_troubles(model, position, effects));
    found
}

fn connection_trouble(node: &Node, effects: &Effects) -> String {
    let database = node.pool_database.map_or("the database", |at| layout::NODES[at].name);
    if effects.cut_off.is_empty() {
        let size = node.spec.connections_max;
        format!("no connection to {database} within 1500 ms: all {size} of the pool are in use")
    } else {
        format!("cannot connect to {database}:5432: connection timed out after 1000 ms")
    }
}

fn call_troubles(model: &Model, position: usize, effects: &Effects) -> Vec<(LogLevel, f64, String)> {
    let mut found = Vec::new();
    for &(callee, call) in &model.nodes[position].calls {
        let called = model.nodes[callee].figures;
        let given_up = effects.timeouts.iter().find(|(at, ..)| *at == callee);
        if !called.is_up {
            found.push((LogLevel::Error, 0.2, format!("call to {} failed: connection refused", call.callee)));
        } else if let Some((_, timeout_ms, share)) = given_up {
            let text = format!("call to {} given up: deadline of {timeout_ms} ms exceeded", call.callee);
            found.push((LogLevel::Error, share * 0.4, text));
        } else if called.errors > 0.04 {
            let text = format!("call to {} failed: it answered with 500", call.callee);
            found.push((LogLevel::Error, called.errors, text));
        }
    }
    found
}
