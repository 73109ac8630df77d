//! Takes consoles in, each in a task of its own: none can hold up another, or the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::connection;
use super::message::SettingsMark;
use super::people::People;
use crate::engine::clock::Timestamp;
use crate::engine::handle::EngineHandle;
use crate::engine::limits::CONSOLES_MAX;

/// After a connection that could not be taken (too many open files), the next is tried this much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every console finds.
#[derive(Debug)]
pub struct Served {
    /// The way to the engine.
    pub handle: EngineHandle,
    /// Who may ask for how much.
    pub people: People,
    /// The engine's process.
    pub pid: i32,
    /// Since when it runs.
    pub since: Timestamp,
    /// By which settings.
    pub settings: SettingsMark,
    /// Where wishes go that are about the process.
    pub wishes: mpsc::Sender<Wish>,
    /// True where it was started by a console and goes on without one.
    pub is_background: bool,
    /// Why it ends, once it does: from then on nobody is let in, and those who are there hear it last.
    pub farewell: watch::Receiver<Option<Farewell>>,
    /// Who is there.
    pub attendance: Arc<Attendance>,
}

/// What the engine says at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farewell {
    /// Why it ends.
    pub why: Arc<str>,
    /// True where it is to stay ended.
    pub is_wanted: bool,
}

/// What somebody who may wants of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// That it ends; `now` does not wait for commands that run.
    Stop {
        /// Whether it waits.
        now: bool,
        /// Who wants it.
        by: Arc<str>,
    },
}

/// How many consoles there are.
#[derive(Debug, Default)]
pub struct Attendance {
    count: AtomicUsize,
    next_session: AtomicU64,
}

/// The place of one console; it is free again once this is dropped.
pub(super) struct Seat {
    attendance: Arc<Attendance>,
    /// The number of the connection in the engine's life.
    pub session: u64,
}

impl Attendance {
    /// How many are there now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// A seat, where there is one.
    pub(super) fn seat(self: &Arc<Self>) -> Option<Seat> {
        let taken = self.count.fetch_add(1, Ordering::Relaxed);
        let seat =
            Seat { attendance: Arc::clone(self), session: self.next_session.fetch_add(1, Ordering::Relaxed) + 1 };
        (taken < CONSOLES_MAX).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.attendance.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Takes consoles in until `stop` comes. Those that are there hear the farewell once no more pictures come.
pub async fn serve(listener: UnixListener, served: Arc<Served>, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => return,
        };
        match accepted {
            Ok((stream, _)) => take_in(stream, &served),
            Err(problem) => {
                tracing::warn!("a console could not be taken in: {problem}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn take_in(stream: UnixStream, served: &Arc<Served>) {
    let seat = served.attendance.seat();
    let served = Arc::clone(served);
    tokio::spawn(async move {
        if let Err(problem) = connection::serve(stream, &served, seat).await {
            tracing::info!("a console has gone: {problem}");
        }
    });
}
