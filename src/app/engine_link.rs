//! The console's one connection to an engine: wishes one way, pictures the other.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::attach::pump::{Heard, Joined, Link};
use crate::engine::handle::{Attending, EngineHandle};
use crate::engine::inquiry::{Inquiry, Telling};
use crate::engine::model::{IncidentId, Person};
use crate::engine::request::{Reply, Request};
use crate::engine::snapshot::Snapshot;

/// An engine, wherever it runs, and in whose name it is asked.
#[derive(Debug, Clone)]
pub struct EngineLink {
    handle: EngineHandle,
    by: Person,
    /// The console's place among those who are attached.
    attending: Arc<Attending>,
    link: Option<watch::Receiver<Link>>,
    heard: Heard,
    notice: Option<String>,
}

impl EngineLink {
    /// Asks in the name of `by`, which is what the timeline and the audit log will show.
    #[must_use]
    pub fn new(handle: EngineHandle, by: Person) -> Self {
        let attending = Arc::new(handle.attend(&by));
        Self { handle, by, attending, link: None, heard: Heard::default(), notice: None }
    }

    /// One in another process, which knows by itself who asks.
    #[must_use]
    pub fn attached(joined: Joined) -> Self {
        Self { link: Some(joined.link), heard: joined.heard, ..Self::new(joined.handle, joined.welcome.person) }
    }

    /// In whose name it is asked.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.by
    }

    /// Says what is on the screen, for the others.
    pub fn looks(&self, incident: Option<IncidentId>, pane: &Arc<str>) {
        self.attending.looks(incident, pane);
    }

    /// The same, with something that the person should know of it before all.
    #[must_use]
    pub fn saying(self, notice: Option<String>) -> Self {
        Self { notice, ..self }
    }

    /// What the person should know of it.
    #[must_use]
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// How it stands with the line to it, where it runs in another process.
    #[must_use]
    pub fn link(&self) -> Option<watch::Receiver<Link>> {
        self.link.clone()
    }

    /// For how many milliseconds nothing was heard of an engine in another process.
    #[must_use]
    pub fn unheard_ms(&self) -> i64 {
        i64::try_from(self.heard.ago().as_millis()).unwrap_or(i64::MAX)
    }

    /// Asks; the answer comes once what it speaks of is on disk. A closed channel means that the engine has ended.
    pub fn send(&self, request: Request) -> oneshot::Receiver<Reply> {
        self.handle.send(&self.by, request)
    }

    /// Asks in plain words; what comes back ends when all is said.
    #[must_use]
    pub fn ask(&self, inquiry: Inquiry) -> mpsc::Receiver<Telling> {
        self.handle.ask(inquiry)
    }

    /// Says that a question is about to be typed.
    pub fn prepare_to_ask(&self) {
        self.handle.prepare_to_ask();
    }

    /// The newest picture, and a note of each newer one.
    #[must_use]
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.handle.snapshots()
    }
}
