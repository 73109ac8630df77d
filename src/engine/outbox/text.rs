//! The one place that everything passes on its way out: bounded, and without control characters.

use std::sync::Arc;

use crate::engine::ingest::normalize::sanitize;
use crate::engine::limits::{DELIVERY_TEXT_BYTES_MAX, DELIVERY_TEXT_LINES_MAX, DELIVERY_TITLE_BYTES_MAX};
use crate::engine::model::OutwardMessage;

/// The message as it may leave.
pub(super) fn outgoing(message: &OutwardMessage) -> OutwardMessage {
    OutwardMessage {
        title: line(&message.title, DELIVERY_TITLE_BYTES_MAX),
        text: lines(&message.text),
        by: message.by.as_ref().map(|by| line(by, DELIVERY_TITLE_BYTES_MAX)),
        ..message.clone()
    }
}

fn line(text: &str, bytes_max: usize) -> Arc<str> {
    sanitize(text, bytes_max)
}

/// The same with its lines kept.
fn lines(text: &str) -> Arc<str> {
    let mut left = DELIVERY_TEXT_BYTES_MAX;
    let mut kept: Vec<Arc<str>> = Vec::new();
    for told in text.lines().take(DELIVERY_TEXT_LINES_MAX) {
        if left == 0 {
            break;
        }
        let told = line(told, left);
        left = left.saturating_sub(told.len() + 1);
        kept.push(told);
    }
    Arc::from(kept.join("\n"))
}
