//! Asks for a document only if it has changed since it was last had.

use std::sync::Arc;

use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};

use super::{AskError, HttpClient};

/// Longest name of a state that is kept and sent back.
const NAME_BYTES_MAX: usize = 512;

/// What is known of the document that was last had, in the server's own words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known<'a> {
    /// Its `ETag`.
    pub etag: Option<&'a str>,
    /// Its `Last-Modified`.
    pub last_modified: Option<&'a str>,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// It is as it was.
    Unchanged,
    /// The document.
    Document {
        /// Within the size limit.
        body: Vec<u8>,
        /// What the server calls this state of it.
        etag: Option<String>,
        /// When the server says that it last changed.
        last_modified: Option<String>,
    },
}

impl HttpClient {
    /// Asks `path` below the base address for a document that differs from `known`.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn get_if_changed(&self, path: &str, known: Known<'_>) -> Result<Fetched, AskError> {
        let address: Arc<str> = Arc::from(format!("{}{path}", self.shown));
        let mut request = self.signed(self.client.get(self.address_of(path)));
        if let Some(etag) = known.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(at) = known.last_modified {
            request = request.header(IF_MODIFIED_SINCE, at);
        }
        let response = request.send().await.map_err(|problem| self.problem(&address, problem))?;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED && known != Known::default() {
            return Ok(Fetched::Unchanged);
        }
        if !status.is_success() {
            return Err(self.refusal(&address, status, response).await);
        }
        let (etag, last_modified) = (word(response.headers(), ETAG), word(response.headers(), LAST_MODIFIED));
        let body = self.body(&address, response, self.bytes_max).await?;
        Ok(Fetched::Document { body, etag, last_modified })
    }
}

fn word(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    (text.len() <= NAME_BYTES_MAX).then(|| text.to_owned())
}
