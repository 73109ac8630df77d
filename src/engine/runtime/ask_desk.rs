//! The thread that answers questions: reads them, and answers from the newest picture and the archive of what is over. It never
//! holds the engine up.

use std::io;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;

use tokio::sync::{mpsc, watch};

use super::{archive, archive_file};
use crate::engine::ask::conversation::Conversation;
use crate::engine::ask::ground::Ground;
use crate::engine::ask::intent::Intent;
use crate::engine::ask::reading;
use crate::engine::ask::recall::Archive;
use crate::engine::handle::Question;
use crate::engine::inquiry::{Inquiry, Telling};
use crate::engine::snapshot::Snapshot;
use crate::engine::store::Store;

/// Answers until nobody can ask any more. `past` is where the store is once it is open.
///
/// # Errors
/// When no thread can be had.
pub fn spawn(
    mut questions: mpsc::Receiver<Question>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    past: Arc<OnceLock<Weak<Store>>>,
) -> io::Result<()> {
    let answering = move || {
        let mut desk = Desk { conversation: Conversation::default(), archive: Archive::default(), filling: None, past };
        while let Some(question) = questions.blocking_recv() {
            match question {
                Question::Prepare => desk.prepare(),
                Question::Ask(inquiry, tell) => {
                    let snapshot = Arc::clone(&snapshots.borrow());
                    // Whoever asked may have gone.
                    let _nobody = tell.blocking_send(desk.answered(&inquiry, &snapshot));
                }
            }
        }
    };
    thread::Builder::new().name("hypo-ask".to_owned()).spawn(answering).map(drop)
}

struct Desk {
    conversation: Conversation,
    archive: Archive,
    /// Where the archive of the whole store comes from, once it was begun to be read.
    filling: Option<Receiver<Archive>>,
    past: Arc<OnceLock<Weak<Store>>>,
}

impl Desk {
    fn prepare(&mut self) {
        self.begin_to_fill();
        reading::prepare();
    }

    /// A hundred thousand incidents take seconds to read: meanwhile those of the picture are searched.
    fn begin_to_fill(&mut self) {
        if self.filling.is_some() {
            return;
        }
        let Some(store) = self.past.get().cloned() else { return };
        let (filled, filling) = channel();
        let reading = move || {
            let Some(store) = store.upgrade() else { return };
            match archive::fill(&store) {
                Ok(archive) => {
                    // For questions in another terminal.
                    if let Err(problem) = archive_file::write(store.path(), &archive) {
                        tracing::warn!(%problem, "past incidents were not written for `hypo ask` beside this one");
                    }
                    // Nobody waits for it once nobody can ask.
                    let _nobody = filled.send(archive);
                }
                Err(problem) => tracing::warn!(%problem, "past incidents of the store are not searched"),
            }
        };
        match thread::Builder::new().name("hypo-archive".to_owned()).spawn(reading) {
            Ok(_) => self.filling = Some(filling),
            Err(problem) => tracing::warn!(%problem, "past incidents of the store are not searched"),
        }
    }

    fn answered(&mut self, inquiry: &Inquiry, snapshot: &Snapshot) -> Telling {
        self.begin_to_fill();
        match self.filling.as_ref().map(Receiver::try_recv) {
            Some(Ok(archive)) => self.archive = archive,
            Some(Err(TryRecvError::Empty | TryRecvError::Disconnected)) | None => {}
        }
        let (zone, focus) = (inquiry.zone, inquiry.focus);
        let ground = Ground { snapshot, zone, focus, archive: &self.archive };
        let reading = self.conversation.read_after(&inquiry.text, inquiry.before.as_deref(), &ground);
        if reading.intent == Intent::IncidentSimilar {
            // What has ended since.
            self.archive.complete(snapshot);
        }
        let ground = Ground { snapshot, zone, focus, archive: &self.archive };
        let answer = self.conversation.answer_to(&reading, &ground);
        Telling::Answer { reading: Arc::new(reading), answer: Arc::new(answer) }
    }
}
