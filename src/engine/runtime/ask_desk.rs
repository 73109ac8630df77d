//! The thread that answers questions: reads them, and answers from the newest picture and the archive of what is over. It never
//! holds the engine up, and waits for no language model: what that says follows the answer.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::archive;
use crate::engine::ask::answer::Answer;
use crate::engine::ask::conversation::Conversation;
use crate::engine::ask::ground::Ground;
use crate::engine::ask::intent::Intent;
use crate::engine::ask::reading::{self, Reading};
use crate::engine::ask::recall::Archive;
use crate::engine::handle::Question;
use crate::engine::inquiry::{Inquiry, Telling};
use crate::engine::language_model::{Known, LanguageModel, Saying, Spent};
use crate::engine::limits::TELLING_QUEUE_MAX;
use crate::engine::model::PastValues;
use crate::engine::snapshot::Snapshot;
use crate::engine::store::PastStore;

/// A question about incidents of the past waits so long until they are read.
const ARCHIVE_WAIT: Duration = Duration::from_secs(5);

/// A language model, and what it is asked on.
pub struct ModelDesk {
    /// The model.
    pub model: Arc<LanguageModel>,
    /// Its requests run there.
    pub tasks: Handle,
}

/// Answers until nobody can ask any more, of other times by the newest of `values`. `past` is where the store is once it is open; without a `model` none is asked.
///
/// # Errors
/// When no thread can be had.
pub fn spawn(
    mut questions: mpsc::Receiver<Question>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    values: watch::Receiver<Arc<PastValues>>,
    past: PastStore,
    model: Option<ModelDesk>,
) -> io::Result<()> {
    let answering = move || {
        let mut desk = Desk { conversation: Conversation::default(), archive: Archive::default(), filling: None, past };
        while let Some(question) = questions.blocking_recv() {
            match question {
                Question::Prepare => desk.prepare(),
                Question::Ask(inquiry, tell) => {
                    let known = Known { picture: Arc::clone(&snapshots.borrow()), past: Arc::clone(&values.borrow()) };
                    let (reading, answer) = desk.answered(&inquiry, &known);
                    let telling = Telling::Answer { reading, answer: Arc::clone(&answer) };
                    // Whoever asked may have gone.
                    if tell.blocking_send(telling).is_ok() && inquiry.wants_model {
                        consult(model.as_ref(), inquiry, answer, known, tell);
                    }
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
    past: PastStore,
}

impl Desk {
    fn prepare(&mut self) {
        self.begin_to_fill();
        reading::prepare();
    }

    /// A hundred thousand incidents take seconds to read: it is done beside the questions.
    fn begin_to_fill(&mut self) {
        if self.filling.is_some() {
            return;
        }
        // One that is closed at this moment is read at the next question.
        let Some(store) = self.past.get() else { return };
        let (filled, filling) = channel();
        let reading = move || {
            match archive::fill(&store) {
                // Nobody waits for it once nobody can ask.
                Ok(archive) => drop(filled.send(archive)),
                Err(problem) => tracing::warn!(%problem, "past incidents of the store are not searched"),
            }
        };
        match thread::Builder::new().name("hypo-archive".to_owned()).spawn(reading) {
            Ok(_) => self.filling = Some(filling),
            Err(problem) => tracing::warn!(%problem, "past incidents of the store are not searched"),
        }
    }

    fn answered(&mut self, inquiry: &Inquiry, known: &Known) -> (Arc<Reading>, Arc<Answer>) {
        self.begin_to_fill();
        let (snapshot, past) = (&known.picture, &known.past);
        let (zone, focus) = (inquiry.zone, inquiry.focus);
        let ground = Ground { snapshot, zone, focus, archive: &self.archive, past };
        let reading = self.conversation.read_after(&inquiry.text, inquiry.before.as_deref(), &ground);
        if reading.intent == Intent::IncidentSimilar {
            // The first question of a console may be this one, and it is about them. After a while those of the picture do.
            if let Some(Ok(archive)) = self.filling.as_ref().map(|filling| filling.recv_timeout(ARCHIVE_WAIT)) {
                self.archive = archive;
            }
            // What has ended since.
            self.archive.complete(snapshot);
        }
        let ground = Ground { snapshot, zone, focus, archive: &self.archive, past };
        let answer = self.conversation.answer_to(&reading, &ground);
        (Arc::new(reading), Arc::new(answer))
    }
}

/// Asks the model, and tells what it says as it says it.
fn consult(desk: Option<&ModelDesk>, inquiry: Inquiry, answer: Arc<Answer>, known: Known, tell: mpsc::Sender<Telling>) {
    let Some(desk) = desk.filter(|desk| desk.model.is_enabled()) else {
        let reason = Arc::from(
            "no language model is set up; `[ask.model]` of the configuration says how, `hypo doctor` checks it",
        );
        // Whoever asked may have gone.
        let _nobody = tell.blocking_send(Telling::Model(Saying::Failed { reason, spent: Spent::default() }));
        return;
    };
    let model = Arc::clone(&desk.model);
    desk.tasks.spawn(async move {
        let (said, mut sayings) = mpsc::channel(TELLING_QUEUE_MAX);
        let asked = model.consult(&inquiry.text, &answer, known, inquiry.zone, inquiry.focus, said);
        let told = async {
            while let Some(saying) = sayings.recv().await {
                if tell.send(Telling::Model(saying)).await.is_err() {
                    // Nobody listens: the model is let go of.
                    return;
                }
            }
        };
        tokio::join!(asked, told);
    });
}
