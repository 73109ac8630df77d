//! The one place that everything passes on its way out: bounded, without secrets and without control characters.

use std::sync::Arc;

use crate::engine::ingest::normalize::{sanitize, sanitize_lines};
use crate::engine::limits::{DELIVERY_TEXT_BYTES_MAX, DELIVERY_TEXT_LINES_MAX, DELIVERY_TITLE_BYTES_MAX};
use crate::engine::model::OutwardMessage;
use crate::engine::redact::redact;

/// The message as it may leave.
pub(super) fn outgoing(message: &OutwardMessage) -> OutwardMessage {
    OutwardMessage {
        title: line(&message.title),
        text: sanitize_lines(&redact(&message.text), DELIVERY_TEXT_BYTES_MAX, DELIVERY_TEXT_LINES_MAX),
        by: message.by.as_ref().map(|by| line(by)),
        ..message.clone()
    }
}

fn line(text: &str) -> Arc<str> {
    sanitize(&redact(text), DELIVERY_TITLE_BYTES_MAX)
}
