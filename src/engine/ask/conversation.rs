//! Questions one after another: each is read with the one before in mind, and answered from the same ground.

use std::collections::BTreeSet;

use super::answer::Answer;
use super::answers;
use super::ground::Ground;
use super::names::Name;
use super::reading::{Reader, Reading, Standing};

/// A conversation.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    /// Knows these names.
    reader: Option<(BTreeSet<Name>, Reader)>,
    last: Option<Reading>,
}

impl Conversation {
    /// Reads `text` with what was asked before in mind, and answers it.
    pub fn ask(&mut self, text: &str, ground: &Ground<'_>) -> Answer {
        let before = self.last.take();
        let (reading, answer) = self.ask_after(text, before.as_ref(), ground);
        // What was about something else is no thread to take up.
        self.last = if reading.standing == Standing::OutOfScope { before } else { Some(reading) };
        answer
    }

    /// Reads `text` as said after `before`, whoever keeps that, and answers it.
    pub fn ask_after(&mut self, text: &str, before: Option<&Reading>, ground: &Ground<'_>) -> (Reading, Answer) {
        let names = ground.names();
        let reader = match self.reader.take() {
            Some((known, reader)) if known == names => reader,
            _ => Reader::new(names.iter().cloned()).in_zone(ground.zone),
        };
        let reading = reader.read(text, before, ground.today());
        let answer = answers::answer(ground, reader.book(), &reading);
        self.reader = Some((names, reader));
        (reading, answer)
    }

    /// How the last question was read.
    #[must_use]
    pub fn last(&self) -> Option<&Reading> {
        self.last.as_ref()
    }
}
