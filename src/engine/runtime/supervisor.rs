//! Keeps sources running: one that panics becomes a state on the screen and is started again after a pause.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::source_list::{Resume, SourceSpec};
use crate::engine::ingest::{SignalSink, StopSignal, wall_clock};
use crate::engine::limits::SOURCE_RESTART_MS;
use crate::engine::model::{Signal, SourceReport, SourceState};

/// Runs the source on `runtime` until it is stopped.
pub(super) fn spawn(runtime: &Handle, spec: SourceSpec, resume: Resume, sink: &SignalSink, stop: &StopSignal) {
    let (sink, stop) = (sink.clone(), stop.clone());
    runtime.spawn(async move {
        while !stop.is_stopped() {
            let reason = match (spec.make)(&resume) {
                Ok(source) => match tokio::spawn(source.run(sink.clone(), stop.clone())).await {
                    // A source that ends by itself without being stopped has no more to give (a recording, a file).
                    Ok(()) => return,
                    Err(_) => "it failed inside; this is a bug worth reporting, with the log file".to_owned(),
                },
                Err(problem) => problem.to_string(),
            };
            tracing::error!("source {}: {reason}", spec.name);
            sink.send(Signal::Source(down(&spec, &reason))).await;
            if !stop.sleep_ms(SOURCE_RESTART_MS).await {
                return;
            }
        }
    });
}

fn down(spec: &SourceSpec, reason: &str) -> SourceReport {
    let now = wall_clock::now();
    SourceReport {
        source: spec.name.clone(),
        kind: spec.kind,
        address: Arc::clone(&spec.address),
        state: SourceState::Down {
            reason: Arc::from(reason),
            since: now,
            retry_at: now + i64::try_from(SOURCE_RESTART_MS).unwrap_or(i64::MAX),
        },
        last_ok_at: None,
        backfilled_until: None,
        position: None,
        accepted_count: 0,
        dropped: BTreeMap::new(),
        counter_reset_count: 0,
        series_count: 0,
        vanished_series_count: 0,
        clock_skew_ms: None,
        poll_ms: None,
        warnings: Vec::new(),
    }
}
