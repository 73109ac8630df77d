//! The one HTTP client of pulling sources: it asks and never changes anything (GET, and POST that is merely a query). What
//! is told to systems outside goes by [`HttpSender`].
//!
//! Every answer is bounded in time and size, redirects stay with the server that was configured, link-local addresses (where clouds
//! keep their credentials) are never asked, and no message carries a secret.

mod address;
mod certificate;
mod conditional;
mod secret;
mod sending;
mod streaming;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

use address::{CarefulResolver, base_address};
pub use conditional::{Fetched, Known};
pub use secret::secret;
pub use sending::{HttpSender, NotTold, Told};
pub use streaming::{HttpStream, HttpStreamer, Opened};

use super::normalize::sanitize;
use super::{IngestError, wall_clock};
use crate::engine::clock::Timestamp;
use crate::engine::limits::{ANSWER_BYTES_MAX, WARNING_BYTES_MAX};
use crate::engine::settings::SecretSource;

/// Time to connect.
const CONNECT_MS_MAX: u64 = 3_000;
/// Redirects followed within the same server.
const REDIRECTS_MAX: usize = 3;
/// Of an answer that is an error, this much is read for its message.
const ERROR_BYTES_MAX: usize = 65_536;

/// What a client is built from.
#[derive(Debug, Clone, Copy)]
pub struct ClientSettings<'a> {
    /// The source, for messages.
    pub name: &'a str,
    /// Base address, with a path prefix where there is one.
    pub url: &'a str,
    /// Longest wait for an answer, in milliseconds.
    pub timeout_ms: i64,
    /// Bearer token.
    pub bearer: &'a SecretSource,
    /// User of basic authentication.
    pub username: Option<&'a str>,
    /// Its password.
    pub password: &'a SecretSource,
    /// Further headers; `None` for none.
    pub headers: Option<&'a BTreeMap<String, String>>,
    /// A certificate authority to trust beside the system's.
    pub ca_file: Option<&'a Path>,
}

/// An answer with a status of success.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The body, within the size limit.
    pub body: Vec<u8>,
    /// The server's clock minus ours when it answered, to about a second, from its `Date` header.
    pub skew_ms: Option<i64>,
    /// How long it took.
    pub took_ms: u32,
    /// The address asked, without query and secrets, for messages.
    pub address: Arc<str>,
}

/// Why there is no answer. Each message names the address without secrets, what came back, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No connection, or one that broke.
    #[error("{address} does not answer: {problem}; check that it runs and can be reached from here")]
    Unreachable {
        /// What was asked.
        address: Arc<str>,
        /// What the connection said.
        problem: Arc<str>,
    },
    /// A certificate that is not believed.
    #[error("{address} shows a certificate that is not trusted: {problem}; {remedy}")]
    Untrusted {
        /// What was asked.
        address: Arc<str>,
        /// What is wrong with it.
        problem: Arc<str>,
        /// What to do.
        remedy: &'static str,
    },
    /// Too slow.
    #[error(
        "{address} gave no full answer within {timeout_ms} ms; it is overloaded or the query is too heavy: raise `timeout` or ask for less"
    )]
    TimedOut {
        /// What was asked.
        address: Arc<str>,
        /// How long was waited.
        timeout_ms: u64,
    },
    /// A status that is no success.
    #[error("{address} answered {status}: {message}; {}", remedy(*status))]
    Refused {
        /// What was asked.
        address: Arc<str>,
        /// The HTTP status.
        status: u16,
        /// The server's own words.
        message: Arc<str>,
        /// How long it asks us to wait, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// More than we take.
    #[error("{address} answered with more than {bytes_max} bytes; narrow the query")]
    TooLarge {
        /// What was asked.
        address: Arc<str>,
        /// The limit.
        bytes_max: usize,
    },
    /// A success that cannot be read.
    #[error(
        "{address} answered something else than expected: {problem}; check that `url` is the address of the server itself, path prefix included"
    )]
    Unreadable {
        /// What was asked.
        address: Arc<str>,
        /// What was there instead.
        problem: Arc<str>,
    },
}

impl AskError {
    /// How long the server itself asks us to wait.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Refused { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        }
    }
}

fn remedy(status: u16) -> &'static str {
    match status {
        300..=399 => "configure the address it points to",
        400 | 422 => "correct the query",
        401 | 403 => "check `bearer`, `username` and `password`",
        404 => "check the path prefix of `url`",
        429 => "raise `interval` or lower `concurrency`",
        _ => "it is asked again by itself",
    }
}

/// Asks one server.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    base: Url,
    shown: Arc<str>,
    bearer: Option<SecretString>,
    basic: Option<(String, Option<SecretString>)>,
    timeout_ms: u64,
    bytes_max: usize,
}

impl HttpClient {
    /// A client for one server; nothing is asked yet.
    ///
    /// # Errors
    /// When the address, a secret, a header or the certificate file cannot be used.
    pub fn new(settings: ClientSettings<'_>) -> Result<Self, IngestError> {
        let base = base_address(settings.name, settings.url)?;
        let bearer = secret(settings.name, settings.bearer)?;
        let password = secret(settings.name, settings.password)?;
        let timeout_ms = u64::try_from(settings.timeout_ms).unwrap_or(0).max(1);
        let client = build(&settings, &base, timeout_ms, same_server())?;
        Ok(Self {
            client,
            shown: Arc::from(base.as_str().trim_end_matches('/')),
            base,
            bearer,
            basic: settings.username.map(|user| (user.to_owned(), password)),
            timeout_ms,
            bytes_max: ANSWER_BYTES_MAX,
        })
    }

    /// The same with another limit on answers, for tests and small servers.
    #[must_use]
    pub fn with_bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// The server's address without secrets.
    #[must_use]
    pub fn address(&self) -> &Arc<str> {
        &self.shown
    }

    /// Asks `path` below the base address.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, AskError> {
        let request = self.client.get(self.address_of(path)).query(query);
        self.ask(path, request).await
    }

    /// Asks `path` with a query in the body, for queries too long for an address.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn query_post(&self, path: &str, form: &[(&str, &str)]) -> Result<Answer, AskError> {
        let request = self.client.post(self.address_of(path)).form(form);
        self.ask(path, request).await
    }

    fn address_of(&self, path: &str) -> Url {
        let mut address = self.base.clone();
        address.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        address
    }

    async fn ask(&self, path: &str, request: RequestBuilder) -> Result<Answer, AskError> {
        let address: Arc<str> = Arc::from(format!("{}{path}", self.shown));
        let request = self.signed(request);
        let (asked_at, started) = (wall_clock::now(), Instant::now());
        let response = request.send().await.map_err(|problem| self.problem(&address, problem))?;
        let heard_at = wall_clock::now();
        let skew_ms = skew(response.headers(), asked_at, heard_at);
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(&address, status, response).await);
        }
        let body = self.body(&address, response, self.bytes_max).await?;
        let took_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        Ok(Answer { body, skew_ms, took_ms, address })
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match (&self.bearer, &self.basic) {
            (Some(token), _) => request.bearer_auth(token.expose_secret()),
            (None, Some((user, password))) => {
                request.basic_auth(user, password.as_ref().map(ExposeSecret::expose_secret))
            }
            (None, None) => request,
        }
    }

    async fn body(&self, address: &Arc<str>, mut response: Response, bytes_max: usize) -> Result<Vec<u8>, AskError> {
        let too_large = || AskError::TooLarge { address: Arc::clone(address), bytes_max };
        // The length is a claim: it is used to refuse early, and to reserve no more than a moderate start.
        let claimed = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
        if claimed > bytes_max {
            return Err(too_large());
        }
        let mut body = Vec::with_capacity(claimed.min(1 << 20));
        while let Some(chunk) = response.chunk().await.map_err(|problem| self.problem(address, problem))? {
            // Chunks arrive unpacked, so a small body that unpacks to a large one is stopped here as well.
            if body.len() + chunk.len() > bytes_max {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn refusal(&self, address: &Arc<str>, status: StatusCode, response: Response) -> AskError {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let retry_after_ms =
            header(RETRY_AFTER).and_then(|text| text.trim().parse::<u64>().ok()).map(|s| s.saturating_mul(1_000));
        let location = header(LOCATION);
        let message = match location {
            Some(target) if status.is_redirection() => {
                let plain = target.split('?').next().unwrap_or_default();
                sanitize(&format!("it redirects to {plain}"), WARNING_BYTES_MAX)
            }
            _ => {
                let body = self.body(address, response, ERROR_BYTES_MAX).await.unwrap_or_default();
                message_of(&body, status)
            }
        };
        AskError::Refused { address: Arc::clone(address), status: status.as_u16(), message, retry_after_ms }
    }

    fn problem(&self, address: &Arc<str>, problem: reqwest::Error) -> AskError {
        if problem.is_timeout() && !problem.is_connect() {
            return AskError::TimedOut { address: Arc::clone(address), timeout_ms: self.timeout_ms };
        }
        // The error prints its address, which may hold what we do not show; the innermost cause says the most.
        let problem = problem.without_url();
        if let Some((problem, remedy)) = certificate::problem(&problem) {
            let problem = sanitize(&problem, WARNING_BYTES_MAX);
            return AskError::Untrusted { address: Arc::clone(address), problem, remedy };
        }
        let mut cause: &dyn std::error::Error = &problem;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        AskError::Unreachable { address: Arc::clone(address), problem: sanitize(&cause.to_string(), WARNING_BYTES_MAX) }
    }
}

/// The server's own words in an error's body: `error` or `message` of a JSON object, or plain text; a page in HTML says only that it is one.
fn message_of(body: &[u8], status: StatusCode) -> Arc<str> {
    #[derive(serde::Deserialize)]
    struct Words {
        #[serde(alias = "message")]
        error: String,
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if let Ok(words) = serde_json::from_str::<Words>(text) {
        return sanitize(&words.error, WARNING_BYTES_MAX);
    }
    if text.is_empty() || text.starts_with('<') {
        return Arc::from(status.canonical_reason().unwrap_or("no message"));
    }
    sanitize(text.lines().next().unwrap_or_default(), WARNING_BYTES_MAX)
}

/// The server's clock minus ours: `Date` names the second in which it answered, so half a second is added to it.
fn skew(headers: &HeaderMap, asked_at: Timestamp, heard_at: Timestamp) -> Option<i64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let theirs = chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis();
    let ours = asked_at.0.midpoint(heard_at.0);
    Some(theirs.saturating_add(500).saturating_sub(ours))
}

fn build(
    settings: &ClientSettings<'_>,
    base: &Url,
    timeout_ms: u64,
    redirects: redirect::Policy,
) -> Result<reqwest::Client, IngestError> {
    install_tls_provider();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("hypo/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_millis(CONNECT_MS_MAX.min(timeout_ms)))
        .timeout(Duration::from_millis(timeout_ms))
        .redirect(redirects)
        .dns_resolver(Arc::new(CarefulResolver))
        .default_headers(headers(settings)?);
    if base.scheme() == "http" {
        // Reading the system's certificates takes milliseconds and fails on images without any; plain HTTP needs none.
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = settings.ca_file {
        builder = builder.tls_certs_merge(certificate::read(settings.name, path)?);
    }
    builder.build().map_err(|problem| IngestError::Address {
        name: settings.name.to_owned(),
        address: base.to_string(),
        problem: format!("{}; install the system's CA certificates or set `ca_file`", problem.without_url()),
    })
}

/// TLS by ring, once a process.
pub fn install_tls_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It fails only when another part of the process was first, which is as good.
        let _already_there = rustls::crypto::ring::default_provider().install_default();
    });
}

fn same_server() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let is_same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
        if is_same && attempt.previous().len() <= REDIRECTS_MAX { attempt.follow() } else { attempt.stop() }
    })
}

fn headers(settings: &ClientSettings<'_>) -> Result<HeaderMap, IngestError> {
    let mut headers = HeaderMap::new();
    for (key, value) in settings.headers.into_iter().flatten() {
        let refuse = |problem: &str| IngestError::Setting {
            name: settings.name.to_owned(),
            key: "headers",
            problem: format!("`{key}` {problem}"),
        };
        let name = HeaderName::from_bytes(key.as_bytes()).map_err(|_| refuse("is no header name"))?;
        if name == reqwest::header::AUTHORIZATION {
            return Err(refuse("is a secret; use `bearer`, or `username` and `password`"));
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| refuse("has a value that cannot be sent"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
