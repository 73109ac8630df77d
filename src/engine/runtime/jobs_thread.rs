//! The thread at the jobs desk: takes work in its order, until nobody hands any in.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::runtime::Handle;

use super::jobs_desk::{JobsDesk, Work};
use crate::engine::limits::JOB_QUEUE_MAX;

/// Starts the thread; it ends, with everything flushed, when the sender is dropped.
pub(super) fn spawn(mut desk: JobsDesk, runtime: Handle) -> std::io::Result<(SyncSender<Work>, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(JOB_QUEUE_MAX);
    let thread = thread::Builder::new().name("hypo-jobs".to_owned()).spawn(move || {
        // Runners start their processes on the main runtime.
        let _entered = runtime.enter();
        while let Ok(work) = receiver.recv() {
            desk.take(work);
        }
        desk.close();
    })?;
    Ok((sender, thread))
}
