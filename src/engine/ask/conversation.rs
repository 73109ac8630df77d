//! Questions one after another: each is read with the one before in mind, and answered from the same ground.

use super::answer::Answer;
use super::answers;
use super::ground::Ground;
use super::reading::{Reader, Reading, Standing};

/// A conversation.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    /// Knows the names of the picture with this revision.
    reader: Option<(u64, Reader)>,
    last: Option<Reading>,
}

impl Conversation {
    /// Reads `text` and answers it.
    pub fn ask(&mut self, text: &str, ground: &Ground<'_>) -> Answer {
        let revision = ground.snapshot.revision;
        let reader = match self.reader.take() {
            Some((known, reader)) if known == revision => reader,
            _ => Reader::new(ground.names()),
        };
        let reading = reader.read(text, self.last.as_ref(), ground.today());
        let answer = answers::answer(ground, &reading);
        self.reader = Some((revision, reader));
        // What was about something else is no thread to take up.
        if reading.standing != Standing::OutOfScope {
            self.last = Some(reading);
        }
        answer
    }

    /// How the last question was read.
    #[must_use]
    pub fn last(&self) -> Option<&Reading> {
        self.last.as_ref()
    }
}
