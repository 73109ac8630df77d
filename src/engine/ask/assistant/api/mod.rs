//! The two APIs: requests as JSON, and replies from the bytes of a stream, into one set of events.
//!
//! ```text
//! bytes ─▶ sse ─▶ anthropic | openai ─▶ ModelEvent
//! ModelRequest ─▶ anthropic | openai ─▶ JSON
//! ```

mod anthropic;
pub mod event;
mod openai;
pub mod request;
pub mod sse;

#[cfg(test)]
mod tests;

use serde_json::Value;

use self::event::ModelEvent;
use self::request::ModelRequest;
use self::sse::SseReader;
use super::trouble::Trouble;
use crate::engine::settings::{ModelApi, ModelSettings};

/// How a server of one of the APIs is named in errors that come within a stream.
const THE_SERVER: &str = "the model's server";
/// A reply longer than this is none.
const REPLY_BYTES_MAX: usize = 8 << 20;

/// The path of requests below the base address.
#[must_use]
pub fn path(api: ModelApi) -> &'static str {
    match api {
        ModelApi::Anthropic => "/v1/messages",
        ModelApi::Openai => "/chat/completions",
    }
}

/// A request as the API wants it.
#[must_use]
pub fn body(request: &ModelRequest, settings: &ModelSettings) -> Value {
    match settings.api {
        ModelApi::Anthropic => anthropic::body(request),
        ModelApi::Openai => openai::body(request, &settings.limit_key),
    }
}

#[derive(Debug)]
enum Reader {
    Anthropic(anthropic::Reader),
    Openai(openai::Reader),
}

/// Reads one reply.
#[derive(Debug)]
pub struct ReplyReader {
    sse: SseReader,
    reader: Reader,
    bytes: usize,
    is_over: bool,
}

impl ReplyReader {
    /// A reader of a reply of this API.
    #[must_use]
    pub fn new(api: ModelApi) -> Self {
        let reader = match api {
            ModelApi::Anthropic => Reader::Anthropic(anthropic::Reader::default()),
            ModelApi::Openai => Reader::Openai(openai::Reader::default()),
        };
        Self { sse: SseReader::default(), reader, bytes: 0, is_over: false }
    }

    /// Takes the next bytes of the stream, cut anywhere. Nothing comes after [`ModelEvent::Stopped`] or [`ModelEvent::Failed`].
    pub fn push(&mut self, bytes: &[u8]) -> Vec<ModelEvent> {
        let mut found = Vec::new();
        if self.is_over {
            return found;
        }
        // Only as much as fits is looked at, so that where a stream is cut makes no difference here either.
        let room = REPLY_BYTES_MAX - self.bytes;
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.bytes += taken.len();
        let mut lines = Vec::new();
        self.sse.push(taken, &mut lines);
        for line in lines {
            match &mut self.reader {
                Reader::Anthropic(reader) => reader.take(&line, &mut found),
                Reader::Openai(reader) => reader.take(&line, &mut found),
            }
            let is_end = |event: &ModelEvent| matches!(event, ModelEvent::Stopped(_) | ModelEvent::Failed(_));
            if let Some(end) = found.iter().position(is_end) {
                found.truncate(end + 1);
                self.is_over = true;
                return found;
            }
        }
        if taken.len() < bytes.len() || self.sse.is_too_long() {
            self.is_over = true;
            found.push(ModelEvent::Failed(Trouble::TooLarge));
        }
        found
    }

    /// The stream has ended; where that is in the middle of a reply, that is told.
    pub fn finish(&mut self) -> Option<ModelEvent> {
        if std::mem::replace(&mut self.is_over, true) {
            return None;
        }
        let end = match &mut self.reader {
            Reader::Anthropic(_) => None,
            Reader::Openai(reader) => reader.end(),
        };
        Some(end.unwrap_or(ModelEvent::Failed(Trouble::CutOff)))
    }
}
