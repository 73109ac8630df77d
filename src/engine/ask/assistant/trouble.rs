//! What can go wrong with a model, in words for people: what failed and what to do. The embedded answer stands in every case.

use crate::engine::ingest::normalize::sanitize;
use crate::engine::limits::WARNING_BYTES_MAX;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It is not switched on.
    #[error("no model is configured: set `enabled`, `url` and a model under [ask.model]")]
    Off,
    /// What was asked for is not for a model.
    #[error("nothing was sent: what asks for an act or a secret is not handed to a model")]
    NotForModels,
    /// It is about nothing that is watched here.
    #[error("the smaller model says that the question is about nothing that is watched here, so no more was asked")]
    NotWatched,
    /// The smaller model was of no use.
    #[error("the smaller model could not say what the question is after: {0}; put it differently")]
    NotPlaced(String),
    /// The configuration cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// The server cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The key is not accepted.
    #[error("{address} does not accept the key ({status}): {said}; check `key` under [ask.model]")]
    Key {
        /// Which server.
        address: String,
        /// The HTTP status.
        status: u16,
        /// The server's words.
        said: String,
    },
    /// Too much was asked of it.
    #[error("{address} takes no more requests for now: {said}; {}", pause(*.retry_after_ms))]
    Limited {
        /// Which server.
        address: String,
        /// The server's words.
        said: String,
        /// How long it asks us to wait, in milliseconds.
        retry_after_ms: Option<i64>,
    },
    /// It is overloaded.
    #[error("{address} is overloaded: {said}; ask again in a minute")]
    Overloaded {
        /// Which server.
        address: String,
        /// The server's words.
        said: String,
    },
    /// It does not accept what was sent.
    #[error("{address} answered {status}: {said}; check `api`, `url` and the model's name under [ask.model]")]
    Refused {
        /// Which server.
        address: String,
        /// The HTTP status.
        status: u16,
        /// The server's words.
        said: String,
    },
    /// It failed by itself.
    #[error("the model's server failed ({kind}): {said}; ask again in a minute")]
    Server {
        /// What it calls the error.
        kind: String,
        /// Its words.
        said: String,
    },
    /// The stream ended in the middle.
    #[error("the connection to the model ended in the middle of its reply; ask again")]
    CutOff,
    /// The stream is none.
    #[error("the model's server sent something else than a reply: {0}; check `api` and `url` under [ask.model]")]
    Unreadable(String),
    /// The reply has no end.
    #[error("the model's reply is longer than anything that is read; lower `reply_tokens_max`")]
    TooLarge,
    /// Nothing came for too long.
    #[error("nothing came from the model for {seconds} s; ask again, or raise `stall` under [ask.model]")]
    Stalled {
        /// How long was waited.
        seconds: i64,
    },
    /// It took too long as a whole.
    #[error("the model was not done after {seconds} s; ask again, or raise `timeout` under [ask.model]")]
    TooSlow {
        /// How long was waited.
        seconds: i64,
    },
    /// A limit of the question.
    #[error("the limit of one question is reached ({limit}); ask for less, or raise `{key}` under [ask.model]")]
    QuestionBudget {
        /// Which limit, with its value.
        limit: String,
        /// Its key.
        key: &'static str,
    },
    /// A limit of the day.
    #[error(
        "the limit of this day is reached ({limit}); it begins anew at 00:00 UTC, or raise `{key}` under [ask.model]"
    )]
    DayBudget {
        /// Which limit, with its value.
        limit: String,
        /// Its key.
        key: &'static str,
    },
    /// It went on using tools.
    #[error(
        "the model still wanted to look after {turns} requests; ask for less, or raise `turns_max` under [ask.model]"
    )]
    Turns {
        /// How many requests were made.
        turns: u32,
    },
    /// It declined.
    #[error("the model declined to answer{}", because(.0))]
    Declined(String),
    /// It said nothing.
    #[error("the model said nothing{0}")]
    Silent(&'static str),
}

fn pause(retry_after_ms: Option<i64>) -> String {
    match retry_after_ms {
        Some(ms) => format!("ask again in {} s", ms.div_euclid(1_000).max(1)),
        None => "ask again later".to_owned(),
    }
}

fn because(said: &str) -> String {
    if said.is_empty() { "; put the question differently".to_owned() } else { format!(": {said}") }
}

/// Words from outside as they may stand in a trouble.
#[must_use]
pub fn said(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() { "no message".to_owned() } else { sanitize(text, WARNING_BYTES_MAX).to_string() }
}

/// The trouble that an HTTP status which is no success means, from its body in either API's shape:
/// `{"error": {"type": …, "message": …}}`.
#[must_use]
pub fn of_status(address: &str, status: u16, body: &[u8], retry_after_ms: Option<i64>) -> Trouble {
    let (kind, message) = error_of(body);
    let (address, said) = (address.to_owned(), said(&message));
    match status {
        401 | 403 => Trouble::Key { address, status, said },
        // Without a pause it is no rate but a sum that is used up, and asking again in a minute does not help.
        429 => Trouble::Limited { address, said, retry_after_ms },
        503 | 529 => Trouble::Overloaded { address, said },
        500.. => Trouble::Server { kind: if kind.is_empty() { status.to_string() } else { kind }, said },
        _ => Trouble::Refused { address, status, said },
    }
}

/// The trouble that an error within a stream means.
#[must_use]
pub fn of_event(address: &str, kind: &str, message: &str) -> Trouble {
    let (address, said) = (address.to_owned(), said(message));
    match kind {
        "overloaded_error" => Trouble::Overloaded { address, said },
        "rate_limit_error" => Trouble::Limited { address, said, retry_after_ms: None },
        "authentication_error" | "permission_error" => Trouble::Key { address, status: 401, said },
        other => Trouble::Server { kind: self::said(other), said },
    }
}

/// The kind and the words of an error's body.
fn error_of(body: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(body);
    let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) else {
        let is_page = text.trim_start().starts_with('<');
        return (String::new(), if is_page { String::new() } else { text.lines().next().unwrap_or("").to_owned() });
    };
    let error = value.get("error").unwrap_or(&value);
    let word = |key: &str| error.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let message = error.as_str().map_or_else(|| word("message"), str::to_owned);
    (word("type"), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_says_what_failed_and_what_to_do() {
        let body = |kind: &str, message: &str| {
            format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"req_1"}}"#)
        };
        for (status, body, after, words) in [
            (
                401,
                body("authentication_error", "invalid x-api-key"),
                None,
                "does not accept the key (401): invalid x-api-key",
            ),
            (403, body("permission_error", "no"), None, "check `key`"),
            (
                404,
                body("not_found_error", "model: large"),
                None,
                "model: large; check `api`, `url` and the model's name",
            ),
            (429, body("rate_limit_error", "slow down"), Some(17_000), "slow down; ask again in 17 s"),
            (429, body("rate_limit_error", "spend limit"), None, "ask again later"),
            (529, body("overloaded_error", "Overloaded"), None, "is overloaded: Overloaded"),
            (500, body("api_error", "Internal server error"), None, "failed (api_error): Internal server error"),
            (502, "<html>bad gateway</html>".to_owned(), None, "failed (502): no message"),
            (400, r#"{"error":"model not found"}"#.to_owned(), None, "answered 400: model not found"),
        ] {
            let said = of_status("https://models.example.com", status, body.as_bytes(), after).to_string();
            assert!(said.contains(words), "{status}: {said}");
        }
    }

    #[test]
    fn words_of_a_server_cannot_act_on_a_terminal_or_hold_a_secret() {
        let said = of_event("a", "x", "\u{1b}]52;c;x\u{7} password=hunter2hunter2").to_string();
        assert!(!said.contains('\u{1b}') && !said.contains("hunter2"), "{said}");
    }
}
