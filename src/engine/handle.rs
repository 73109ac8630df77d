//! The one way to a running engine: requests in, pictures out. Both are plain data, so that an engine behind a socket
//! can take its place.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::limits::REQUEST_QUEUE_MAX;
use super::request::{Reply, Request};
use super::snapshot::Snapshot;

/// A request on its way, with where its answer goes.
#[derive(Debug)]
pub struct Envelope {
    /// Who asks.
    pub by: Arc<str>,
    /// What for.
    pub request: Request,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Reply>,
}

impl Envelope {
    /// Answers that it will not be done.
    pub fn refuse(self, reason: &str) {
        // Whoever asked may have gone; then nobody is left to tell.
        let _nobody = self.reply.send(Reply::Refused { reason: Arc::from(reason) });
    }
}

/// The engine's ends of a handle.
#[derive(Debug)]
pub struct HandleEnds {
    /// What consoles ask for.
    pub requests: mpsc::Receiver<Envelope>,
    /// Where pictures go.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
}

/// The console's end. Clones reach the same engine.
#[derive(Debug, Clone)]
pub struct EngineHandle {
    requests: mpsc::Sender<Envelope>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

impl EngineHandle {
    /// A handle that shows `first`, and the ends an engine serves it by.
    #[must_use]
    pub fn pair(first: Arc<Snapshot>) -> (Self, HandleEnds) {
        let (requests_sender, requests) = mpsc::channel(REQUEST_QUEUE_MAX);
        let (snapshots, snapshots_receiver) = watch::channel(first);
        (Self { requests: requests_sender, snapshots: snapshots_receiver }, HandleEnds { requests, snapshots })
    }

    /// Asks for something. The answer comes once what it speaks of is on disk; when the engine is overloaded or gone it
    /// comes at once and says so.
    pub fn send(&self, by: &str, request: Request) -> oneshot::Receiver<Reply> {
        let (reply, answer) = oneshot::channel();
        // Before it is recorded, answered or kept.
        let request = request.redacted();
        let envelope = Envelope { by: Arc::from(by), request, reply };
        if let Err(refused) = self.requests.try_send(envelope) {
            let reason = match &refused {
                mpsc::error::TrySendError::Full(_) => "the engine is busy; try again in a moment",
                mpsc::error::TrySendError::Closed(_) => "the engine has ended; start hypo again",
            };
            refused.into_inner().refuse(reason);
        }
        answer
    }

    /// The latest picture, and a way to wait for the next.
    #[must_use]
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }
}
