//! What comes from a model, whichever API it speaks.

use serde_json::Value;

use crate::engine::ask::assistant::trouble::Trouble;

/// A tool that the model wants used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRequest {
    /// By what its result is told apart.
    pub id: String,
    /// Its name, as the model wrote it.
    pub name: String,
    /// JSON, as the model wrote it.
    pub arguments: String,
}

/// Why a reply ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It is complete.
    Finished,
    /// Tools are to be used first.
    Tools,
    /// It reached its limit.
    TokensMax,
    /// It was declined, with the words for it where there are any.
    Declined(String),
    /// The server wants it sent back to go on.
    Paused,
    /// Something else, as the server calls it.
    Other(String),
}

/// One thing in a reply, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelEvent {
    /// More text.
    Text(String),
    /// A tool is to be used.
    Call(ToolRequest),
    /// What is not for people and must be sent back as it is.
    Kept(Value),
    /// Tokens so far, where they are told; each stands for the whole reply.
    Usage {
        /// Read.
        tokens_in: Option<u64>,
        /// Written.
        tokens_out: Option<u64>,
    },
    /// The reply is over.
    Stopped(Stop),
    /// The reply broke off; nothing follows.
    Failed(Trouble),
}
