//! Turns a followed file into signals: line by line, with how it goes and how far it has come.

use tokio::sync::watch;

use super::{Tail, TailPosition, TailRead};
use crate::engine::clock::Timestamp;
use crate::engine::ingest::{Health, SignalSink, StopSignal, wall_clock};
use crate::engine::limits::TAIL_POLL_MS;
use crate::engine::model::{DropReason, Signal};

/// Polls between two reports while nothing happens.
const QUIET_POLLS_PER_REPORT: u32 = 60;

/// What a line became.
pub struct TakenLine {
    /// What goes to the engine, where it was understood.
    pub signal: Option<Signal>,
    /// What was set aside, of the line or with it.
    pub set_aside: Option<DropReason>,
    /// Why the line was not understood, for whoever writes the file.
    pub problem: Option<String>,
}

/// Follows the file until it is stopped: every line through `read_line` into the sink, how it goes into `health`, the position into `positions`.
pub async fn follow(
    mut tail: Tail,
    mut health: Health,
    sink: SignalSink,
    stop: StopSignal,
    positions: watch::Sender<Option<TailPosition>>,
    mut read_line: impl FnMut(&[u8], Timestamp) -> TakenLine + Send,
) {
    let mut quiet_polls = QUIET_POLLS_PER_REPORT;
    while !stop.is_stopped() {
        // Reading may block (a network file system), so it happens away from the async threads.
        let polled = tokio::task::spawn_blocking(move || {
            let read = tail.poll();
            (tail, read)
        })
        .await;
        let Ok((back, read)) = polled else { return };
        tail = back;
        let now = wall_clock::now();
        let before = health.report().state.clone();
        let is_behind = match read {
            Ok(read) => {
                quiet_polls = if read.lines.is_empty() { quiet_polls + 1 } else { QUIET_POLLS_PER_REPORT };
                judge(&mut health, &read, now);
                for line in &read.lines {
                    let taken = read_line(line, now);
                    if let Some(reason) = taken.set_aside {
                        health.drop_for(reason, 1);
                    }
                    if let Some(problem) = taken.problem {
                        health.warnings([problem]);
                    }
                    if let Some(signal) = taken.signal {
                        health.accept(1);
                        sink.send(signal).await;
                    }
                }
                let position = tail.position();
                health.read_up_to(position.as_ref().and_then(TailPosition::to_text));
                positions.send_replace(position);
                read.is_behind
            }
            Err(problem) => {
                let reason = format!("cannot read {}: {problem}; check the path and its permissions", health.address());
                health.down(now, &reason, now + i64::try_from(TAIL_POLL_MS).unwrap_or(0));
                false
            }
        };
        if health.report().state != before || quiet_polls >= QUIET_POLLS_PER_REPORT {
            quiet_polls = 0;
            sink.send(health.signal()).await;
        }
        if !is_behind && !stop.sleep_ms(TAIL_POLL_MS).await {
            return;
        }
    }
}

fn judge(health: &mut Health, read: &TailRead, now: Timestamp) {
    health.drop_for(DropReason::TooLarge, read.cut_count);
    if read.is_lost {
        let text = format!(
            "{} was replaced while hypo was not running, and the file it was is gone or packed: what was added to that was not read",
            health.address()
        );
        health.warnings([text]);
    }
    if read.is_missing {
        let reason = format!("there is no file {}; it is read from its beginning once it is there", health.address());
        health.waiting(&reason);
    } else {
        health.healthy(now);
    }
}
