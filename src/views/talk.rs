//! The conversation of the pane Ask: what was asked, what came back, and the question that is being typed. Plain data.

use std::sync::Arc;

use super::model_text::{self, Said};
use super::ui_state::RowKey;
use crate::engine::ask::answer::{Answer, Citation, Claim};
use crate::engine::ask::assistant::saying::{Ended, Saying};
use crate::engine::ask::reading::Reading;
use crate::engine::clock::Timestamp;

/// Questions that are remembered; the oldest go first.
pub const EXCHANGES_MAX: usize = 50;

/// Characters of a model that are kept while it writes.
const MODEL_CHARS_MAX: usize = 20_000;

/// Everything that was asked, and what is being asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Talk {
    /// Questions with their answers, oldest first.
    pub exchanges: Vec<Exchange>,
    /// The number of the next question.
    pub next_number: u64,
    /// The question that is being typed.
    pub prompt: Prompt,
}

/// A question and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// Its number, from 0; never given twice.
    pub number: u64,
    /// What was asked.
    pub question: Arc<str>,
    /// When, by the picture that was on the screen.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
    /// What a language model said beside the answer, where one was asked.
    pub model: Option<ModelTalk>,
}

/// What a language model says. Nothing of it is known to be so before it has ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelTalk {
    /// Which models were asked.
    pub models: Vec<Arc<str>>,
    /// What they looked at.
    pub looks: Vec<Arc<str>>,
    /// What was written so far, held against nothing yet.
    pub text: String,
    /// What was said, sentence by sentence, held against the facts.
    pub ended: Option<Ended>,
    /// Why there is no end, and what to do.
    pub failed: Option<Arc<str>>,
}

impl ModelTalk {
    /// Takes in what is said next.
    pub fn take(&mut self, saying: Saying) {
        match saying {
            Saying::Begun { model, .. } => self.models.push(model),
            Saying::Text(more) => {
                let room = MODEL_CHARS_MAX.saturating_sub(self.text.chars().count());
                self.text.extend(more.chars().take(room));
            }
            Saying::Looked { tool, about } => self.looks.push(Arc::from(format!("{tool} {about}"))),
            Saying::Placed(placed) => {
                let told = placed.claims.iter().map(|claim| claim.text.as_ref());
                self.text = told.collect::<Vec<_>>().join(" ");
            }
            Saying::Ended(ended) => self.ended = Some(ended),
            Saying::Failed { reason, .. } => self.failed = Some(reason),
        }
    }
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Nothing yet.
    Waiting,
    /// An answer.
    Answered(Arc<Reading>, Arc<Answer>),
    /// None can be had: why, and what to do.
    Failed(Arc<str>),
}

/// The question that is being typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prompt {
    /// The text.
    pub text: String,
    /// Where the cursor is in it, in characters.
    pub cursor: usize,
    /// Names that the word at the cursor may stand for, best first.
    pub matches: Vec<Arc<str>>,
    /// Which of them Tab takes.
    pub selected: usize,
}

impl Exchange {
    /// Its answer, where there is one.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        match &self.outcome {
            Outcome::Answered(_, answer) => Some(answer),
            _ => None,
        }
    }
}

impl Talk {
    /// A line of what a model said by its exchange and its place.
    #[must_use]
    pub fn said(&self, number: u64, place: usize) -> Option<Said<'_>> {
        model_text::said(self.exchange(number)?.model.as_ref()?).into_iter().nth(place)
    }

    /// The exchange of this number.
    #[must_use]
    pub fn exchange(&self, number: u64) -> Option<&Exchange> {
        self.exchanges.iter().find(|exchange| exchange.number == number)
    }

    /// A claim by its exchange and its place in the answer, the lead being the first.
    #[must_use]
    pub fn claim(&self, number: u64, place: usize) -> Option<&Claim> {
        self.exchange(number)?.answer()?.all_claims().nth(place)
    }

    /// What a row rests on that can be opened: what the asker said is no source.
    #[must_use]
    pub fn sources(&self, row: &RowKey) -> Vec<Citation> {
        let all = match row {
            RowKey::Claim(number, place) => self.claim(*number, *place).map(Claim::citations).unwrap_or_default(),
            RowKey::Said(number, place) => {
                self.said(*number, *place).map_or_else(Vec::new, |said| said.citations.to_vec())
            }
            _ => Vec::new(),
        };
        all.into_iter().filter(|citation| *citation != Citation::Question).collect()
    }

    /// How the last question was read that the next may take up: one about something else is passed over.
    #[must_use]
    pub fn thread(&self) -> Option<&Arc<Reading>> {
        use crate::engine::ask::reading::Standing;
        self.exchanges.iter().rev().find_map(|exchange| match &exchange.outcome {
            Outcome::Answered(reading, _) if reading.standing != Standing::OutOfScope => Some(reading),
            _ => None,
        })
    }
}
