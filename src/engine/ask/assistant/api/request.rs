//! What is sent to a model, before it takes the shape of an API.

use serde_json::Value;

use super::event::ToolRequest;

/// A piece of what the model said.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Text.
    Text(String),
    /// A tool that it wanted used.
    Call(ToolRequest),
    /// What is sent back as it came.
    Kept(Value),
}

/// What a tool found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// The request that it answers.
    pub id: String,
    /// Fenced facts, or what was wrong with the request.
    pub text: String,
    /// True where the request could not be met.
    pub is_error: bool,
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// What is asked.
    Asked(String),
    /// What the model said.
    Said(Vec<Block>),
    /// What its tools found.
    Found(Vec<ToolResult>),
}

/// A tool as it is described to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// JSON Schema of its arguments.
    pub schema: Value,
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRequest {
    /// Which model.
    pub model: String,
    /// How it is to answer.
    pub system: String,
    /// The conversation so far.
    pub turns: Vec<Turn>,
    /// Tools that it may use.
    pub tools: Vec<ToolSpec>,
    /// False where it must answer now, without another look.
    pub may_look: bool,
    /// Tokens of its reply.
    pub tokens_max: u32,
}
