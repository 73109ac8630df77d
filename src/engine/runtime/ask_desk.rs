//! The thread that answers questions: reads them, and answers from the newest picture. It never holds the engine up.

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, watch};

use crate::engine::ask::conversation::Conversation;
use crate::engine::ask::ground::Ground;
use crate::engine::ask::reading;
use crate::engine::handle::Question;
use crate::engine::inquiry::{Inquiry, Telling};
use crate::engine::snapshot::Snapshot;

/// Answers until nobody can ask any more.
///
/// # Errors
/// When no thread can be had.
pub fn spawn(mut questions: mpsc::Receiver<Question>, snapshots: watch::Receiver<Arc<Snapshot>>) -> io::Result<()> {
    let answering = move || {
        let mut conversation = Conversation::default();
        while let Some(question) = questions.blocking_recv() {
            match question {
                Question::Prepare => reading::prepare(),
                Question::Ask(inquiry, tell) => {
                    let snapshot = Arc::clone(&snapshots.borrow());
                    // Whoever asked may have gone.
                    let _nobody = tell.blocking_send(answered(&mut conversation, &inquiry, &snapshot));
                }
            }
        }
    };
    thread::Builder::new().name("hypo-ask".to_owned()).spawn(answering).map(drop)
}

fn answered(conversation: &mut Conversation, inquiry: &Inquiry, snapshot: &Snapshot) -> Telling {
    let ground = Ground { snapshot, zone: inquiry.zone, focus: inquiry.focus };
    let (reading, answer) = conversation.ask_after(&inquiry.text, inquiry.before.as_deref(), &ground);
    Telling::Answer { reading: Arc::new(reading), answer: Arc::new(answer) }
}
