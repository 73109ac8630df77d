//! Chat completions, as OpenAI documents them and as servers that follow it send them: some leave `[DONE]`, ids or indexes out.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat-streaming>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::event::{ModelEvent, Stop, ToolRequest};
use super::request::{Block, ModelRequest, Turn};
use super::sse::SseEvent;
use super::{THE_SERVER, Trouble};
use crate::engine::ask::assistant::trouble;

pub(super) fn body(request: &ModelRequest, limit_key: &str) -> Value {
    let mut messages = vec![json!({"role": "system", "content": request.system})];
    request.turns.iter().for_each(|turn| push(turn, &mut messages));
    let mut body = json!({
        "model": request.model,
        "stream": true,
        "stream_options": {"include_usage": true},
        "messages": messages,
    });
    body[limit_key] = request.tokens_max.into();
    if !request.tools.is_empty() {
        let tool = |tool: &super::request::ToolSpec| json!({"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema}});
        body["tools"] = request.tools.iter().map(tool).collect();
        if !request.may_look {
            body["tool_choice"] = json!("none");
        }
    }
    body
}

fn push(turn: &Turn, messages: &mut Vec<Value>) {
    match turn {
        Turn::Asked(text) => messages.push(json!({"role": "user", "content": text})),
        Turn::Said(blocks) => {
            let text: String = blocks
                .iter()
                .filter_map(|block| if let Block::Text(text) = block { Some(text.as_str()) } else { None })
                .collect();
            let calls: Vec<Value> = blocks
                .iter()
                .filter_map(|block| if let Block::Call(call) = block { Some(call) } else { None })
                .map(|call| json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}))
                .collect();
            let mut message = json!({"role": "assistant", "content": text});
            if !calls.is_empty() {
                message["tool_calls"] = calls.into();
            }
            messages.push(message);
        }
        Turn::Found(results) => {
            let result = |result: &super::request::ToolResult| json!({"role": "tool", "tool_call_id": result.id, "content": result.text});
            messages.extend(results.iter().map(result));
        }
    }
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    index: Option<usize>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

/// Tools in one reply; a server that asks for more is not right.
const CALLS_MAX: usize = 64;

/// Reads a reply.
#[derive(Debug, Default)]
pub(super) struct Reader {
    calls: Vec<(usize, ToolRequest)>,
    refusal: String,
    stop: Option<Stop>,
}

impl Reader {
    pub(super) fn take(&mut self, event: &SseEvent, found: &mut Vec<ModelEvent>) {
        if event.data.trim() == "[DONE]" {
            found.push(self.end().unwrap_or(ModelEvent::Failed(Trouble::CutOff)));
            return;
        }
        let chunk: Chunk = match serde_json::from_str(&event.data) {
            Ok(chunk) => chunk,
            Err(_) if !event.name.is_empty() => return,
            Err(problem) => {
                return found.push(ModelEvent::Failed(Trouble::Unreadable(trouble::said(&problem.to_string()))));
            }
        };
        if let Some(error) = chunk.error {
            let word = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
            let message = error.as_str().unwrap_or_else(|| word("message"));
            found.push(ModelEvent::Failed(trouble::of_event(THE_SERVER, word("type"), message)));
            return;
        }
        if let Some(usage) = chunk.usage {
            found.push(ModelEvent::Usage { tokens_in: usage.prompt_tokens, tokens_out: usage.completion_tokens });
        }
        let Some(choice) = chunk.choices.into_iter().next() else { return };
        if let Some(text) = choice.delta.content.filter(|text| !text.is_empty()) {
            found.push(ModelEvent::Text(text));
        }
        if let Some(more) = choice.delta.refusal {
            self.refusal.push_str(&more);
        }
        for call in choice.delta.tool_calls.into_iter().flatten() {
            self.add(call);
        }
        if let Some(reason) = choice.finish_reason {
            self.stop = Some(self.stop(&reason));
            self.calls.sort_by_key(|(index, _)| *index);
            found.extend(self.calls.drain(..).map(|(_, call)| ModelEvent::Call(call)));
        }
    }

    /// Where a call has no index it is the one that was begun last, unless it has an id of its own.
    fn add(&mut self, call: Call) {
        let last = self.calls.last().map(|(index, known)| (*index, known.id.clone()));
        let index = call.index.unwrap_or_else(|| match (last, &call.id) {
            (Some((index, known)), Some(id)) if known != *id => index + 1,
            (Some((index, _)), _) => index,
            (None, _) => 0,
        });
        let at = match self.calls.iter().position(|(known, _)| *known == index) {
            Some(at) => at,
            None if self.calls.len() >= CALLS_MAX => return,
            None => {
                let id = format!("call_{index}");
                self.calls.push((index, ToolRequest { id, name: String::new(), arguments: String::new() }));
                self.calls.len() - 1
            }
        };
        let Some((_, known)) = self.calls.get_mut(at) else { return };
        if let Some(id) = call.id.filter(|id| !id.is_empty()) {
            known.id = id;
        }
        if let Some(function) = call.function {
            known.name.push_str(&function.name.unwrap_or_default());
            known.arguments.push_str(&function.arguments.unwrap_or_default());
        }
    }

    fn stop(&self, reason: &str) -> Stop {
        match reason {
            _ if !self.refusal.is_empty() => Stop::Declined(trouble::said(&self.refusal)),
            "stop" | "eos" if self.calls.is_empty() => Stop::Finished,
            "stop" | "eos" | "tool_calls" | "function_call" => Stop::Tools,
            "length" => Stop::TokensMax,
            "content_filter" => Stop::Declined(String::new()),
            other => Stop::Other(trouble::said(other)),
        }
    }

    /// The end of the stream: a reply that said why it stops is whole, `[DONE]` or not.
    pub(super) fn end(&mut self) -> Option<ModelEvent> {
        self.stop.take().map(ModelEvent::Stopped)
    }
}
