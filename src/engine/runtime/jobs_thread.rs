//! The thread at the jobs desk: takes work in its order, until nobody hands any in.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::jobs_desk::{JobsDesk, Work};
use crate::engine::limits::JOB_QUEUE_MAX;

/// Between two looks after the store.
const TEND: Duration = Duration::from_secs(1);

/// Starts the thread; it ends, with everything flushed, when the sender is dropped.
pub(super) fn spawn(mut desk: JobsDesk, runtime: Handle) -> std::io::Result<(SyncSender<Work>, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(JOB_QUEUE_MAX);
    let thread = thread::Builder::new().name("hypo-jobs".to_owned()).spawn(move || {
        // Runners start their processes on the main runtime.
        let _entered = runtime.enter();
        let mut tended_at = Instant::now();
        loop {
            match receiver.recv_timeout(TEND) {
                Ok(work) => desk.take(work),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if tended_at.elapsed() >= TEND {
                tended_at = Instant::now();
                desk.tend();
            }
        }
        desk.close();
    })?;
    Ok((sender, thread))
}
