//! The same client for what is told to systems outside: it hands back whatever status comes, follows no redirect (a
//! message is for the server that was configured and no other), and says whether a message may have arrived.

use std::sync::Arc;

use reqwest::header::{ACCEPT, RETRY_AFTER};
use reqwest::{Method, redirect};

use super::{AskError, ClientSettings, ExposeSecret, HttpClient, build};
use crate::engine::ingest::{IngestError, wall_clock};
use crate::engine::limits::DELIVERY_ANSWER_BYTES_MAX;

/// Tells one server things.
#[derive(Debug, Clone)]
pub struct HttpSender(HttpClient);

/// An answer of any status.
#[derive(Debug, Clone)]
pub struct Told {
    /// The HTTP status.
    pub status: u16,
    /// The body, within the size limit.
    pub body: Vec<u8>,
    /// How long the server asks us to wait, in milliseconds.
    pub retry_after_ms: Option<i64>,
}

/// No answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct NotTold {
    /// Why.
    pub problem: AskError,
    /// True where the message was on its way: it may have arrived.
    pub may_have_arrived: bool,
}

impl HttpSender {
    /// A sender for one server; nothing is sent yet.
    ///
    /// # Errors
    /// When the address, a secret or the certificate file cannot be used.
    pub fn new(settings: ClientSettings<'_>) -> Result<Self, IngestError> {
        let mut client = HttpClient::new(settings)?.with_bytes_max(DELIVERY_ANSWER_BYTES_MAX);
        client.client = build(&settings, &client.base, client.timeout_ms, redirect::Policy::none())?;
        Ok(Self(client))
    }

    /// The server's address without secrets.
    #[must_use]
    pub fn address(&self) -> &Arc<str> {
        self.0.address()
    }

    /// Sends `body` to `path` below the base address. Messages name the server and never the path, which may be a secret.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&serde_json::Value>,
    ) -> Result<Told, NotTold> {
        let client = &self.0;
        let request = client.client.request(method, client.address_of(path)).query(query);
        let request = request.header(ACCEPT, "application/json");
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let request = match (&client.bearer, &client.basic) {
            (Some(token), _) => request.bearer_auth(token.expose_secret()),
            (None, Some((user, password))) => {
                request.basic_auth(user, password.as_ref().map(ExposeSecret::expose_secret))
            }
            (None, None) => request,
        };
        let response = request.send().await.map_err(|problem| {
            let may_have_arrived = !problem.is_connect() && !problem.is_builder();
            NotTold { problem: client.problem(&client.shown, problem), may_have_arrived }
        })?;
        let status = response.status().as_u16();
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after_ms = asked.and_then(retry_after);
        let body = client.body(&client.shown, response, client.bytes_max).await;
        let body = body.map_err(|problem| NotTold { problem, may_have_arrived: true })?;
        Ok(Told { status, body, retry_after_ms })
    }
}

/// Seconds, or the instant itself.
pub(super) fn retry_after(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(i64::from(seconds) * 1_000);
    }
    let until = chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis();
    Some(until.saturating_sub(wall_clock::now().0).max(0))
}
