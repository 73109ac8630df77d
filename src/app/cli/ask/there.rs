//! Questions that a running engine answers: what was measured at other times is in its memory alone.

use std::sync::Arc;

use super::consult::Consulted;
use super::{Told, Wish, print, told};
use crate::app::cli::beside::Beside;
use crate::app::cli::{Failure, output};
use crate::engine::ask::answer::AnswerState;
use crate::engine::ask::reading::{Reading, Standing};
use crate::engine::inquiry::{Inquiry, Telling};

/// An engine that is asked one question after another.
pub(super) struct There {
    beside: Beside,
    wants_model: bool,
    /// How the question before was read that the next may take up.
    before: Option<Arc<Reading>>,
}

impl There {
    pub(super) fn of(beside: Beside, wants_model: bool) -> Self {
        Self { beside, wants_model, before: None }
    }

    /// Asks, and prints what comes back: the answer at once, what a model says once it has ended.
    pub(super) fn ask(&mut self, question: &str, wish: &Wish) -> Result<AnswerState, Failure> {
        let wants_model = self.wants_model;
        let before = self.before.clone();
        let inquiry = Inquiry { text: Arc::from(question), before, zone: wish.zone, focus: None, wants_model };
        let mut answered = None;
        let mut consulted = wants_model.then(Consulted::default);
        self.beside.ask(inquiry, |telling| {
            match telling {
                Telling::Answer { reading, answer } => {
                    if !wish.is_json {
                        print(&answer, wish.zone)?;
                    }
                    answered = Some((reading, answer));
                }
                Telling::Model(saying) => consulted.get_or_insert_default().take(saying),
                Telling::Failed { reason } => return Err(reason.as_ref().into()),
            }
            Ok(())
        })?;
        let (reading, answer) = answered.ok_or("the engine ended before it answered; ask again")?;
        // What was about something else is no thread to take up.
        if reading.standing != Standing::OutOfScope {
            self.before = Some(reading);
        }
        if wish.is_json {
            output::json(&Told { model: consulted, ..told(&answer) })?;
        } else if let Some(consulted) = consulted {
            consulted.print()?;
        }
        Ok(answer.state)
    }
}
