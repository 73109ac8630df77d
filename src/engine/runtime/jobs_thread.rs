//! The thread at the jobs desk: takes work in its order, until nobody hands any in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::jobs_desk::{JobsDesk, Work};
use crate::engine::limits::JOB_QUEUE_MAX;

/// Between two looks after the store.
const TEND: Duration = Duration::from_secs(1);

/// The way to the thread. Whoever hands work in never waits: a disk that does not answer must not hold up who is to stop things.
pub(super) struct Queue {
    sender: Sender<Work>,
    waiting: Arc<AtomicUsize>,
}

impl Queue {
    /// Hands work in; false once nobody does it any more.
    pub(super) fn send(&self, work: Work) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.sender.send(work).is_ok()
    }

    /// How much of it waits.
    pub(super) fn waiting(&self) -> Waiting {
        Waiting(Arc::clone(&self.waiting))
    }
}

/// How much work waits.
#[derive(Clone)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// False while there is so much that what can wait outside is to do so.
    pub(super) fn has_room(&self) -> bool {
        self.0.load(Ordering::Relaxed) < JOB_QUEUE_MAX
    }
}

/// Starts the thread; it ends, with everything flushed, when the queue is dropped.
pub(super) fn spawn(mut desk: JobsDesk, runtime: Handle) -> std::io::Result<(Queue, JoinHandle<()>)> {
    let (sender, receiver) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let queue = Queue { sender, waiting: Arc::clone(&waiting) };
    let thread = thread::Builder::new().name("hypo-jobs".to_owned()).spawn(move || {
        // Runners start their processes on the main runtime.
        let _entered = runtime.enter();
        let mut tended_at = Instant::now();
        loop {
            match receiver.recv_timeout(TEND) {
                Ok(work) => {
                    desk.take(work);
                    waiting.fetch_sub(1, Ordering::Relaxed);
                }
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
    Ok((queue, thread))
}
