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
    /// Reads `text` with what was asked before in mind, and answers it.
    pub fn ask(&mut self, text: &str, ground: &Ground<'_>) -> Answer {
        let reading = self.read(text, ground);
        self.answer(reading, ground)
    }

    /// Reads `text`, for whoever has something to fetch before it can be answered.
    pub fn read(&mut self, text: &str, ground: &Ground<'_>) -> Reading {
        let before = self.last.take();
        let reading = self.read_after(text, before.as_ref(), ground);
        self.last = before;
        reading
    }

    /// Answers what was read.
    pub fn answer(&mut self, reading: Reading, ground: &Ground<'_>) -> Answer {
        let answer = self.answer_to(&reading, ground);
        // What was about something else is no thread to take up.
        if reading.standing != Standing::OutOfScope {
            self.last = Some(reading);
        }
        answer
    }

    /// Reads `text` as said after `before`, whoever keeps that.
    pub fn read_after(&mut self, text: &str, before: Option<&Reading>, ground: &Ground<'_>) -> Reading {
        self.names.follow(ground.snapshot);
        reading::read(text, self.names.book(), ground.zone, before, ground.today())
    }

    /// Answers what was read, and keeps nothing of it.
    #[must_use]
    pub fn answer_to(&self, reading: &Reading, ground: &Ground<'_>) -> Answer {
        answers::answer(ground, self.names.book(), reading)
    }

    /// How the last question was read.
    #[must_use]
    pub fn last(&self) -> Option<&Reading> {
        self.last.as_ref()
    }
}
