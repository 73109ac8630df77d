//! What is told of a model while it is asked: plain data for whoever shows it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use super::check::{CheckedSentence, Verdict};
use crate::engine::ask::answer::{Answer, Citation};
use crate::engine::ask::intent::Intent;

/// Tokens, money, bytes and time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// Tokens that were read.
    pub tokens_in: u64,
    /// Tokens that were written.
    pub tokens_out: u64,
    /// US dollars; `None` where a price is not configured.
    pub cost_usd: Option<f64>,
    /// Bytes that were sent.
    pub bytes_sent: u64,
    /// From the question to this, in milliseconds.
    pub took_ms: i64,
}

/// One claim of an embedded answer, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldClaim {
    /// As a person reads it.
    pub text: Arc<str>,
    /// What it rests on.
    pub citations: Vec<Citation>,
}

/// An embedded answer to a question that only the smaller model could place. No word of it is the model's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// What the model says that the question is after.
    pub intent: Intent,
    /// The answer in one sentence, and what it rests on.
    pub claims: Vec<ToldClaim>,
    /// What could not be told.
    pub missing: Vec<Arc<str>>,
}

impl Placed {
    /// The parts of `answer` that are told.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        let told = |claim: &crate::engine::ask::answer::Claim| ToldClaim {
            text: Arc::from(claim.text()),
            citations: claim.citations(),
        };
        Self {
            intent: answer.intent,
            claims: std::iter::once(&answer.lead).chain(&answer.claims).map(told).collect(),
            missing: answer.missing.iter().map(|claim| Arc::from(claim.text())).collect(),
        }
    }
}

/// What a model proposes, for a person to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Its steps, as the model wrote them; those that are struck are not on the page.
    pub steps: Vec<CheckedSentence>,
    /// A page of a runbook whose every step asks a person; it carries out nothing.
    pub page: Arc<str>,
}

/// What a model said, held against the facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Sentence by sentence.
    pub sentences: Vec<CheckedSentence>,
    /// How many of them are struck.
    pub struck_count: usize,
    /// What it proposes, where it does.
    pub draft: Option<Draft>,
    /// What is to be known of the reply as a whole: that its end is missing, say.
    pub note: Option<Arc<str>>,
    /// What it cost.
    #[serde(flatten)]
    pub spent: Spent,
}

/// What is told of a model, in order. The last is [`Saying::Ended`] or [`Saying::Failed`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saying {
    /// A model is asked.
    Begun {
        /// Which.
        model: Arc<str>,
        /// Bytes of the first request to it.
        bytes: u64,
    },
    /// More of what it writes, before it was held against anything; lines end with a line feed.
    Text(Arc<str>),
    /// It looked at something.
    Looked {
        /// By which tool.
        tool: Arc<str>,
        /// For what.
        about: Arc<str>,
    },
    /// The smaller model placed the question, and the embedded plan has answered it.
    Placed(Placed),
    /// It is done.
    Ended(Ended),
    /// It could not be asked, or not to the end. The embedded answer stands.
    Failed {
        /// What failed and what to do.
        reason: Arc<str>,
        /// What it cost until then.
        spent: Spent,
    },
}
