//! Anthropic's Messages API.
//!
//! Source: <https://platform.claude.com/docs/en/build-with-claude/streaming> and
//! <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::event::{ModelEvent, Stop, ToolRequest};
use super::request::{Block, ModelRequest, Turn};
use super::sse::SseEvent;
use super::{THE_SERVER, Trouble};
use crate::engine::ask::assistant::trouble;

pub(super) fn body(request: &ModelRequest) -> Value {
    let messages: Vec<Value> = request.turns.iter().map(message).collect();
    let mut body = json!({
        "model": request.model,
        "max_tokens": request.tokens_max,
        "stream": true,
        "system": request.system,
        "messages": messages,
    });
    if !request.tools.is_empty() {
        let tool = |tool: &super::request::ToolSpec| json!({"name": tool.name, "description": tool.description, "input_schema": tool.schema});
        body["tools"] = request.tools.iter().map(tool).collect();
        if !request.may_look {
            body["tool_choice"] = json!({"type": "none"});
        }
    }
    body
}

fn message(turn: &Turn) -> Value {
    match turn {
        Turn::Asked(text) => json!({"role": "user", "content": [{"type": "text", "text": text}]}),
        Turn::Said(blocks) => {
            let content: Vec<Value> = blocks
                .iter()
                .map(|block| match block {
                    Block::Text(text) => json!({"type": "text", "text": text}),
                    Block::Kept(value) => value.clone(),
                    Block::Call(call) => {
                        // Arguments that are no object were answered as such; the API takes objects only.
                        let input = serde_json::from_str(&call.arguments).ok().filter(Value::is_object);
                        json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input.unwrap_or_else(|| json!({}))})
                    }
                })
                .collect();
            json!({"role": "assistant", "content": content})
        }
        Turn::Found(results) => {
            let content: Vec<Value> = results
                .iter()
                .map(|result| json!({"type": "tool_result", "tool_use_id": result.id, "content": result.text, "is_error": result.is_error}))
                .collect();
            json!({"role": "user", "content": content})
        }
    }
}

/// One event's data. What is not known is passed over: the API adds events.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Data {
    MessageStart {
        message: Started,
    },
    ContentBlockStart {
        content_block: Value,
    },
    ContentBlockDelta {
        delta: Delta,
    },
    ContentBlockStop,
    MessageDelta {
        #[serde(default)]
        delta: End,
        usage: Option<Usage>,
    },
    MessageStop,
    Error {
        error: Problem,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Started {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

impl Usage {
    fn event(&self) -> ModelEvent {
        let cached = self.cache_creation_input_tokens.unwrap_or(0) + self.cache_read_input_tokens.unwrap_or(0);
        // Gateways say 0 where they do not know.
        let tokens_in = self.input_tokens.map(|tokens| tokens + cached).filter(|tokens| *tokens > 0);
        ModelEvent::Usage { tokens_in, tokens_out: self.output_tokens }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(other)]
    Other,
}

#[derive(Deserialize, Default)]
struct End {
    stop_reason: Option<String>,
    stop_details: Option<StopDetails>,
}

#[derive(Deserialize)]
struct StopDetails {
    explanation: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    message: String,
}

/// The block that has begun.
#[derive(Debug, Default)]
enum Open {
    #[default]
    None,
    Text,
    Call(ToolRequest),
    Kept(Value),
}

/// Reads a reply.
#[derive(Debug, Default)]
pub(super) struct Reader {
    open: Open,
    stop: Option<Stop>,
}

impl Reader {
    pub(super) fn take(&mut self, event: &SseEvent, found: &mut Vec<ModelEvent>) {
        let data: Data = match serde_json::from_str(&event.data) {
            Ok(data) => data,
            // An event of a name that is not known may have any data.
            Err(_) if !is_known(&event.name) => return,
            Err(problem) => {
                return found.push(ModelEvent::Failed(Trouble::Unreadable(trouble::said(&problem.to_string()))));
            }
        };
        match data {
            Data::MessageStart { message } => found.extend(message.usage.as_ref().map(Usage::event)),
            Data::ContentBlockStart { content_block } => self.begin(content_block, found),
            Data::ContentBlockDelta { delta } => self.add(delta, found),
            Data::ContentBlockStop => self.close(found),
            Data::MessageDelta { delta, usage } => {
                found.extend(usage.as_ref().map(Usage::event));
                if let Some(reason) = delta.stop_reason {
                    self.stop = Some(stop(&reason, delta.stop_details));
                }
            }
            Data::MessageStop => {
                self.close(found);
                found.push(ModelEvent::Stopped(self.stop.take().unwrap_or(Stop::Finished)));
            }
            Data::Error { error } => {
                found.push(ModelEvent::Failed(trouble::of_event(THE_SERVER, &error.kind, &error.message)));
            }
            Data::Other => {}
        }
    }

    fn begin(&mut self, block: Value, found: &mut Vec<ModelEvent>) {
        self.close(found);
        let word = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        self.open = match block.get("type").and_then(Value::as_str) {
            Some("text") => {
                let text = word("text");
                if !text.is_empty() {
                    found.push(ModelEvent::Text(text));
                }
                Open::Text
            }
            Some("tool_use") => {
                let given =
                    block.get("input").filter(|input| input.as_object().is_some_and(|fields| !fields.is_empty()));
                let arguments = given.map(ToString::to_string).unwrap_or_default();
                Open::Call(ToolRequest { id: word("id"), name: word("name"), arguments })
            }
            // Thoughts belong to the turn that used a tool after them: without them the next request is refused.
            Some("thinking" | "redacted_thinking") => Open::Kept(block),
            _ => Open::None,
        };
    }

    fn add(&mut self, delta: Delta, found: &mut Vec<ModelEvent>) {
        match (&mut self.open, delta) {
            (_, Delta::Text { text }) if !text.is_empty() => found.push(ModelEvent::Text(text)),
            (Open::Call(call), Delta::InputJson { partial_json }) => call.arguments.push_str(&partial_json),
            (Open::Kept(block), Delta::Thinking { thinking }) => append(block, "thinking", &thinking),
            (Open::Kept(block), Delta::Signature { signature }) => append(block, "signature", &signature),
            _ => {}
        }
    }

    fn close(&mut self, found: &mut Vec<ModelEvent>) {
        match std::mem::take(&mut self.open) {
            Open::None | Open::Text => {}
            Open::Call(mut call) => {
                if call.arguments.is_empty() {
                    call.arguments.push_str("{}");
                }
                found.push(ModelEvent::Call(call));
            }
            Open::Kept(block) => found.push(ModelEvent::Kept(block)),
        }
    }
}

fn append(block: &mut Value, key: &str, more: &str) {
    let text = format!("{}{more}", block.get(key).and_then(Value::as_str).unwrap_or_default());
    if let Some(fields) = block.as_object_mut() {
        fields.insert(key.to_owned(), text.into());
    }
}

fn is_known(name: &str) -> bool {
    let known = [
        "",
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
        "ping",
    ];
    known.contains(&name)
}

fn stop(reason: &str, details: Option<StopDetails>) -> Stop {
    match reason {
        "end_turn" | "stop_sequence" => Stop::Finished,
        "tool_use" => Stop::Tools,
        "max_tokens" | "model_context_window_exceeded" => Stop::TokensMax,
        "pause_turn" => Stop::Paused,
        "refusal" => {
            let why = details.and_then(|details| details.explanation);
            Stop::Declined(why.map(|why| trouble::said(&why)).unwrap_or_default())
        }
        other => Stop::Other(trouble::said(other)),
    }
}
