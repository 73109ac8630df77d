//! The same client for an answer that comes piece by piece. It follows no redirect: what is sent is for the server that was
//! configured and no other.

use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, redirect};
use secrecy::{ExposeSecret, SecretString};

use super::sending::retry_after;
use super::{AskError, ClientSettings, ERROR_BYTES_MAX, HttpClient, build};
use crate::engine::ingest::IngestError;

/// Asks one server for answers in pieces.
#[derive(Debug, Clone)]
pub struct HttpStreamer {
    client: HttpClient,
    /// A header with a secret, beside the bearer token.
    secret: Option<(HeaderName, SecretString)>,
}

/// What came of a request.
#[derive(Debug)]
pub enum Opened {
    /// A status of success; the body is to be read.
    Stream(Box<HttpStream>),
    /// Any other status.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        body: Vec<u8>,
        /// How long the server asks us to wait, in milliseconds.
        retry_after_ms: Option<i64>,
    },
}

/// A body that comes piece by piece.
#[derive(Debug)]
pub struct HttpStream {
    client: HttpClient,
    response: Response,
}

impl HttpStreamer {
    /// A client for one server; nothing is asked yet. `secret` is sent in a header of this name.
    ///
    /// # Errors
    /// When the address, a secret or the certificate file cannot be used.
    pub fn new(
        settings: ClientSettings<'_>,
        secret: Option<(&'static str, SecretString)>,
    ) -> Result<Self, IngestError> {
        let mut client = HttpClient::new(settings)?;
        client.client = build(&settings, &client.base, client.timeout_ms, redirect::Policy::none())?;
        let secret = secret.map(|(name, value)| (HeaderName::from_static(name), value));
        Ok(Self { client, secret })
    }

    /// The server's address without secrets.
    #[must_use]
    pub fn address(&self) -> &Arc<str> {
        self.client.address()
    }

    /// Posts JSON to `path` below the base address.
    ///
    /// # Errors
    /// When no answer came, or the secret cannot stand in a header.
    pub async fn open(
        &self,
        path: &str,
        headers: &[(&'static str, &'static str)],
        json: String,
    ) -> Result<Opened, AskError> {
        let client = &self.client;
        let mut request = client.client.post(client.address_of(path)).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((name, secret)) = &self.secret {
            let mut value = HeaderValue::from_str(secret.expose_secret()).map_err(|_| AskError::Unreachable {
                address: Arc::clone(client.address()),
                problem: Arc::from("the key has characters that cannot be sent"),
            })?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let response = client.signed(request.body(json)).send().await;
        let response = response.map_err(|problem| client.problem(&client.shown, problem))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Opened::Stream(Box::new(HttpStream { client: client.clone(), response })));
        }
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after_ms = asked.and_then(retry_after);
        // A body that breaks off leaves the status, which says the most.
        let body = client.body(&client.shown, response, ERROR_BYTES_MAX).await.unwrap_or_default();
        Ok(Opened::Refused { status: status.as_u16(), body, retry_after_ms })
    }
}

impl HttpStream {
    /// The next piece, of any size; `None` at the end.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, AskError> {
        let piece = self.response.chunk().await.map_err(|problem| self.client.problem(&self.client.shown, problem))?;
        Ok(piece.map(|bytes| bytes.to_vec()))
    }
}
