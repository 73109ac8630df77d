//! Questions one after another: each is read with the one before in mind, and answered from the same ground.

use super::answer::Answer;
use super::answers;
use super::ground::Ground;
use super::known_names::KnownNames;
use super::reading::{self, Reading, Standing};

/// A conversation.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    names: KnownNames,
    last: Option<Reading>,
}

impl Conversation {
    /// Reads `text` and answers it.
    pub fn ask(&mut self, text: &str, ground: &Ground<'_>) -> Answer {
        let reading = self.read(text, ground);
        self.answer(reading, ground)
    }

    /// Reads `text`, for whoever has something to fetch before it can be answered.
    pub fn read(&mut self, text: &str, ground: &Ground<'_>) -> Reading {
        self.names.follow(ground.snapshot);
        reading::read(text, self.names.book(), self.last.as_ref(), ground.today())
    }

    /// Answers what was read.
    pub fn answer(&mut self, reading: Reading, ground: &Ground<'_>) -> Answer {
        let answer = answers::answer(ground, self.names.book(), &reading);
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
