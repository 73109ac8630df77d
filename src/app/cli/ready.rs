//! What a service manager is told: that the engine is ready, that it ends, and, for as long as its thread answers, that it lives.
//!
//! Where there is none, nothing is told and nothing fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;

/// Says that the engine can be reached and has what its store holds.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Says that it ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that it lives, as often as the service manager wants it, but only where `turns` has grown since: a thread that hangs is
/// not hidden by a timer that runs.
///
/// From a thread of its own: a task could not run where the others hold all threads up. It ends once what comes back is dropped.
pub(super) fn keep_alive(turns: Arc<AtomicU64>) -> Option<mpsc::Sender<()>> {
    let limit = sd_notify::watchdog_enabled()?;
    let (heart, stopped) = mpsc::channel();
    let beating = thread::Builder::new().name("hypo-beat".to_owned());
    match beating.spawn(move || beat((limit / 2).max(Duration::from_millis(1)), &turns, &stopped)) {
        Ok(_detached) => Some(heart),
        Err(problem) => {
            tracing::error!("the service manager cannot be told that the engine lives: {problem}");
            None
        }
    }
}

fn beat(every: Duration, turns: &AtomicU64, stopped: &mpsc::Receiver<()>) {
    let mut pulse = Pulse::default();
    loop {
        if pulse.has_moved(turns.load(Ordering::Relaxed)) {
            tell(&[NotifyState::Watchdog]);
        }
        if stopped.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// What was seen of a thread the last time.
#[derive(Debug, Default)]
struct Pulse(Option<u64>);

impl Pulse {
    /// True where it has done something since the last look.
    fn has_moved(&mut self, turns: u64) -> bool {
        self.0.replace(turns) != Some(turns)
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(problem) = sd_notify::notify(state) {
        tracing::warn!("the service manager could not be told {state:?}: {problem}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_hangs_is_not_said_to_live() {
        let mut pulse = Pulse::default();
        let told: Vec<bool> = [0, 4, 9, 9, 9, 10].map(|turns| pulse.has_moved(turns)).to_vec();
        assert_eq!(told, [true, true, true, false, false, true]);
    }
}
