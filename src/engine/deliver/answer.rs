//! What an answer means: arrived, to be tried again, or refused for good; and what the server said in its own words.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::engine::ingest::http_client::{NotTold, Told};
use crate::engine::ingest::normalize::sanitize;
use crate::engine::limits::WARNING_BYTES_MAX;
use crate::engine::model::DeliveryOutcome;
use crate::engine::model::series::Fnv1a;

/// The pause after a 429 that names none.
const TOO_MANY_PAUSE_MS: i64 = 30_000;

/// Why a message has not arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotDelivered {
    /// Another try may do better.
    Retry { reason: Arc<str>, after_ms: Option<i64>, may_have_arrived: bool },
    /// Another try would end the same.
    Refused { reason: Arc<str> },
}

impl NotDelivered {
    pub(super) fn into_outcome(self) -> DeliveryOutcome {
        match self {
            Self::Retry { reason, after_ms, may_have_arrived } => {
                DeliveryOutcome::Retry { reason, after_ms, may_have_arrived }
            }
            Self::Refused { reason } => DeliveryOutcome::Refused { reason },
        }
    }

    /// An answer of success that is not what the server is known to say: something stands between.
    pub(super) fn unreadable(address: &str, problem: &str) -> Self {
        let reason = format!(
            "{address} answered something else than expected: {problem}; check that its address is right and no proxy or login page answers in its place"
        );
        Self::Retry { reason: sanitize(&reason, WARNING_BYTES_MAX), after_ms: None, may_have_arrived: true }
    }
}

impl From<NotTold> for NotDelivered {
    fn from(not_told: NotTold) -> Self {
        let reason = Arc::from(not_told.problem.to_string());
        Self::Retry { reason, after_ms: None, may_have_arrived: not_told.may_have_arrived }
    }
}

/// Success passes; 408, 429 and 5xx are worth another try; every other answer is one for good.
pub(super) fn judge(address: &str, told: Told) -> Result<Told, NotDelivered> {
    let status = told.status;
    if (200..300).contains(&status) {
        return Ok(told);
    }
    let said = format!("{address} answered {status}: {}", words(&told.body));
    let reason = sanitize(&format!("{said}; {}", remedy(status)), WARNING_BYTES_MAX);
    match status {
        408 | 429 | 500.. => {
            let after_ms = told.retry_after_ms.or((status == 429).then_some(TOO_MANY_PAUSE_MS));
            // A server that says it was too busy has not taken it; any other failure may come after it has.
            Err(NotDelivered::Retry { reason, after_ms, may_have_arrived: !matches!(status, 429 | 503) })
        }
        _ => Err(NotDelivered::Refused { reason }),
    }
}

fn remedy(status: u16) -> &'static str {
    match status {
        300..=399 => "it points elsewhere: configure that address",
        401 => "check the user and the secret, then start again",
        403 => "give its user the right to do this",
        404 | 410 => "what is configured is not there: check the address and the numbers",
        429 | 408 | 500.. => "it is tried again by itself",
        _ => "it does not accept what was sent: check the configured fields",
    }
}

/// The body as what it is expected to be.
pub(super) fn read<T: DeserializeOwned>(address: &str, told: &Told) -> Result<T, NotDelivered> {
    serde_json::from_slice(&told.body).map_err(|problem| NotDelivered::unreadable(address, &problem.to_string()))
}

/// The server's own words, whichever of the usual shapes they have: `error.message` and `error.detail`, `message` with
/// `errors`, `errorMessages` with `errors`, `errorMessage`, or plain text.
fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let Ok(Value::Object(said)) = serde_json::from_str::<Value>(text) else {
        let is_page = text.starts_with('<');
        let first = text.lines().next().filter(|line| !is_page && !line.is_empty());
        return first.unwrap_or("no message").to_owned();
    };
    let mut parts = Vec::new();
    for name in ["message", "error", "errorMessage", "errorMessages", "errors", "detail"] {
        if let Some(value) = said.get(name) {
            collect(value, &mut parts);
        }
    }
    parts.dedup();
    if parts.is_empty() { "no message".to_owned() } else { parts.join(", ") }
}

fn collect(value: &Value, parts: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.trim().is_empty() => parts.push(text.trim().to_owned()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, parts)),
        Value::Object(values) => {
            // What happened comes before its details.
            let (whole, parts_of_it): (Vec<_>, Vec<_>) = values.iter().partition(|(name, _)| *name == "message");
            for (name, value) in whole.into_iter().chain(parts_of_it) {
                match value {
                    // Errors of fields are told with the field's name.
                    Value::String(text) if !["message", "detail", "error"].contains(&name.as_str()) => {
                        parts.push(format!("{name}: {text}"));
                    }
                    other => collect(other, parts),
                }
            }
        }
        _ => {}
    }
}

/// What a note or comment of this delivery is known by, should it have arrived without an answer.
pub(super) fn marker(key: &str) -> String {
    let mut hash = Fnv1a::new();
    hash.part(key);
    format!("hypo{:016x}", hash.0)
}
