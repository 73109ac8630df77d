//! The console's one connection to an engine: wishes one way, pictures the other.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use crate::engine::request::{Reply, Request};
use crate::engine::snapshot::Snapshot;

/// An engine, wherever it runs.
pub trait EngineLink: Send + Sync {
    /// Asks; the answer comes once what it speaks of is on disk. A closed channel means that the engine has ended.
    fn send(&self, request: Request) -> oneshot::Receiver<Reply>;
    /// The newest picture, and a note of each newer one.
    fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>>;
}
