//! A question on its way to who answers it, and what comes back. Plain data, so that it may cross a socket; there it is JSON,
//! since what is told of a model is flattened in part.

use std::sync::Arc;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::ask::answer::Answer;
use super::ask::assistant::saying::Saying;
use super::ask::reading::Reading;
use super::model::IncidentId;

/// A question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inquiry {
    /// As it was typed.
    pub text: Arc<str>,
    /// How the question before it was read, which it may take up.
    pub before: Option<Arc<Reading>>,
    /// In which zone times are meant and told; outside the program its name, such as `Europe/Berlin`.
    pub zone: Tz,
    /// The incident on the screen.
    pub focus: Option<IncidentId>,
    /// True asks the language model as well.
    pub wants_model: bool,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Telling {
    /// The answer from what is known.
    Answer {
        /// How the question was read; to be sent along with the next.
        reading: Arc<Reading>,
        /// What is answered.
        answer: Arc<Answer>,
    },
    /// Something of the language model, which is asked beside the answer.
    Model(Saying),
    /// It could not be answered.
    Failed {
        /// Why, and what to do.
        reason: Arc<str>,
    },
}
