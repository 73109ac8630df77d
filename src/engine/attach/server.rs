//! Takes consoles in, each in a task of its own: none can hold up another, or the engine.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::sleep;

use super::connection;
use super::hello::{Greeting, Says};
use super::message::SettingsMark;
use super::people::{Peer, People};
use crate::engine::clock::Timestamp;
use crate::engine::handle::EngineHandle;
use crate::engine::limits::{CONNECTIONS_MAX, CONSOLES_MAX};

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
    /// How many turns the engine's thread has made.
    pub turns: Arc<AtomicU64>,
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
#[derive(Debug)]
pub struct Attendance {
    count: AtomicUsize,
    next_session: AtomicU64,
    /// Connections that may yet be taken from the user that the engine runs as.
    own: Arc<Semaphore>,
    /// The same from all others: they cannot take those of whoever may end the engine.
    others: Arc<Semaphore>,
}

impl Default for Attendance {
    fn default() -> Self {
        let connections = || Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { count: AtomicUsize::new(0), next_session: AtomicU64::new(0), own: connections(), others: connections() }
    }
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

    /// A place for a connection of which nothing but its user's number is known yet.
    fn connection(&self, peer: Peer) -> Option<OwnedSemaphorePermit> {
        let places = if peer.is_own() { &self.own } else { &self.others };
        Arc::clone(places).try_acquire_owned().ok()
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
            Ok((stream, _)) => {
                if let Err(problem) = take_in(stream, &served) {
                    tracing::debug!("a connection was not taken in: {problem}");
                }
            }
            Err(problem) => {
                tracing::warn!("a console could not be taken in: {problem}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn take_in(stream: UnixStream, served: &Arc<Served>) -> io::Result<()> {
    let peer = Peer::of(&stream).map_err(io::Error::other)?;
    let Some(place) = served.attendance.connection(peer) else {
        let why =
            Arc::from(format!("{CONNECTIONS_MAX} connections are open, and more are not taken; close some of them"));
        let greeting = Greeting::new(served.pid, served.since, Says::No { why });
        // A line fits into what the system keeps for whoever has read nothing yet; nobody is waited for.
        return stream.into_std()?.write_all(greeting.line().as_bytes());
    };
    let served = Arc::clone(served);
    tokio::spawn(async move {
        if let Err(problem) = connection::serve(stream, peer, &served).await {
            tracing::info!("a console has gone: {problem}");
        }
        drop(place);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_take_no_connection_of_whoever_the_engine_belongs_to() {
        let attendance = Attendance::default();
        let taken: Vec<_> = std::iter::from_fn(|| attendance.connection(Peer::stranger())).collect();
        assert_eq!(taken.len(), CONNECTIONS_MAX);
        let own = attendance.connection(Peer::oneself());
        assert!(own.is_some() && attendance.connection(Peer::stranger()).is_none());
        drop(taken);
        assert!(attendance.connection(Peer::stranger()).is_some());
    }
}
