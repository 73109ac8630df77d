//! Renews the feeds from their servers: the one part of patches that speaks HTTP.
//!
//! A feed that is one document is asked for only if it changed; NVD is asked page by page for what changed. Whatever goes
//! wrong, what was known before stays whole.

mod nvd;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::feeds::debian::Verdict;
use super::feeds::document::{FeedEntry, unpacked};
use super::feeds::epss::Estimate;
use super::feeds::kev::KnownExploited;
use super::feeds::osv::OsvAdvisory;
use super::feeds::{FeedError, FeedKind};
use super::intake::{self, Arrival};
use super::shelf::{FeedHead, Kept, Renewal, Shelf, ShelfError};
use crate::engine::clock::Timestamp;
use crate::engine::ingest::IngestError;
use crate::engine::ingest::http_client::{AskError, ClientSettings, Fetched, HttpClient, Known};
use crate::engine::limits::{FEED_BYTES_MAX, FEED_MS_MAX, FEED_PAUSE_MS_MIN, FEED_RETRY_AFTER_MS_MAX, FEED_TRIES_MAX};
use crate::engine::settings::{FeedSettings, FeedsSettings, SecretSource};

/// Waits for so many milliseconds.
pub type Pause = Arc<dyn Fn(u64) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Why a feed was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The settings are of no use.
    #[error(transparent)]
    Settings(#[from] IngestError),
    /// The server gives no answer, or not that.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// What it gives is refused.
    #[error(transparent)]
    Refused(#[from] FeedError),
    /// It cannot be kept.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
}

/// What became of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// Not configured to be fetched: why.
    NotFetched(&'static str),
    /// The server has nothing newer.
    Unchanged,
    /// There is more or something else now.
    Taken {
        /// Entries now.
        count: usize,
        /// Entries that were left out.
        set_aside_count: usize,
    },
}

/// What a renewal needs.
pub struct Renewing<'a> {
    /// Where from.
    pub settings: &'a FeedsSettings,
    /// Where to.
    pub shelf: &'a Shelf,
    /// Held for as long as it takes.
    pub renewal: &'a Renewal,
    /// Asked for the time.
    pub now: &'a (dyn Fn() -> Timestamp + Send + Sync),
    /// How to wait.
    pub pause: Pause,
    /// A person said that a feed may have less than half of what there was.
    pub may_shrink: bool,
}

impl Renewing<'_> {
    /// Renews one feed, and notes what became of it.
    ///
    /// # Errors
    /// When it was not renewed; what was known before is as it was.
    pub async fn renew(&self, feed: FeedKind) -> Result<Renewed, SyncError> {
        let outcome = match feed {
            FeedKind::Kev => self.document::<KnownExploited>(&self.settings.kev).await,
            FeedKind::Epss => self.document::<Estimate>(&self.settings.epss).await,
            FeedKind::Debian => self.document::<Verdict>(&self.settings.debian).await,
            FeedKind::Nvd => nvd::renew(self).await,
            FeedKind::Osv => self.archives().await,
        };
        if !matches!(outcome, Ok(Renewed::NotFetched(_))) {
            let error = outcome.as_ref().err().map(ToString::to_string);
            self.shelf.note(feed, (self.now)(), error, self.renewal)?;
        }
        outcome
    }

    async fn document<T: FeedEntry>(&self, settings: &FeedSettings) -> Result<Renewed, SyncError> {
        if settings.url.is_empty() {
            return Ok(Renewed::NotFetched("its `url` is empty"));
        }
        let before = self.before::<T>()?;
        let head = before.as_ref().map(|before| &before.head).filter(|head| head.origin == settings.url);
        let known = Known {
            etag: head.and_then(|head| head.etag.as_deref()),
            last_modified: head.and_then(|head| head.last_modified.as_deref()),
        };
        let client = client(T::KIND, &settings.url, FEED_MS_MAX)?;
        let fetched = self.patiently(|| client.get_if_changed("", known)).await?;
        let Fetched::Document { body, etag, last_modified } = fetched else { return Ok(Renewed::Unchanged) };
        let document = T::read(&unpacked(T::KIND, body)?)?;
        let kept = intake::take(before, document, Arrival { etag, last_modified, ..self.arrival(&settings.url) })?;
        self.keep(&kept)
    }

    /// OSV: one archive an ecosystem. Each that came is kept, also where the next one does not.
    async fn archives(&self) -> Result<Renewed, SyncError> {
        let settings = &self.settings.osv;
        if settings.url.is_empty() || settings.ecosystems.is_empty() {
            return Ok(Renewed::NotFetched("no `ecosystems` are named, or its `url` is empty"));
        }
        let client = client(FeedKind::Osv, &settings.url, FEED_MS_MAX)?;
        let mut renewed = Renewed::Unchanged;
        for ecosystem in &settings.ecosystems {
            let path = format!("/{ecosystem}/all.zip");
            let before = self.before::<OsvAdvisory>()?;
            let head = before.as_ref().map(|before| &before.head).filter(|head| head.origin == settings.url);
            let etag = head.and_then(|head| head.part_etags.get(ecosystem)).map(String::as_str);
            let known = Known { etag, last_modified: None };
            let fetched = self.patiently(|| client.get_if_changed(&path, known)).await?;
            if let Fetched::Document { body, etag, .. } = fetched {
                let document = OsvAdvisory::read(&body)?;
                let arrival = Arrival { etag, part: Some(ecosystem.clone()), ..self.arrival(&settings.url) };
                renewed = self.keep(&intake::take(before, document, arrival)?)?;
            }
        }
        Ok(renewed)
    }

    /// What was known; a file that is damaged counts as none, since it is about to be replaced.
    fn before<T: FeedEntry>(&self) -> Result<Option<Kept<T>>, ShelfError> {
        match self.shelf.load::<T>() {
            Err(ShelfError::Damaged { path, problem, .. }) => {
                tracing::warn!(path = %path.display(), %problem, "a damaged feed is taken anew");
                Ok(None)
            }
            other => other,
        }
    }

    fn arrival(&self, origin: &str) -> Arrival {
        Arrival {
            at: (self.now)(),
            origin: origin.to_owned(),
            etag: None,
            last_modified: None,
            part: None,
            may_shrink: self.may_shrink,
        }
    }

    fn keep<T: FeedEntry>(&self, kept: &Kept<T>) -> Result<Renewed, SyncError> {
        self.shelf.keep(kept, self.renewal)?;
        let FeedHead { count, set_aside_count, .. } = kept.head;
        Ok(Renewed::Taken { count, set_aside_count })
    }

    /// Asks again after what may pass by itself, as long after as the server wants, else twice as long each time.
    async fn patiently<A, F: Future<Output = Result<A, AskError>>>(&self, ask: impl Fn() -> F) -> Result<A, AskError> {
        let mut pause_ms = FEED_PAUSE_MS_MIN;
        for _ in 1..FEED_TRIES_MAX {
            match ask().await {
                Err(problem) if may_pass(&problem) => {
                    let asked = problem.retry_after_ms().map(|ms| ms.min(FEED_RETRY_AFTER_MS_MAX));
                    tracing::info!(%problem, "a feed is asked again");
                    (self.pause)(asked.unwrap_or(pause_ms)).await;
                    pause_ms = pause_ms.saturating_mul(2);
                }
                other => return other,
            }
        }
        ask().await
    }
}

/// True for what is gone when it is asked again later. NVD says 403 to who asks too often.
fn may_pass(problem: &AskError) -> bool {
    match problem {
        AskError::Refused { status, .. } => matches!(status, 403 | 429 | 500 | 502 | 503 | 504),
        AskError::Unreachable { .. } | AskError::TimedOut { .. } => true,
        AskError::Untrusted { .. } | AskError::TooLarge { .. } | AskError::Unreadable { .. } => false,
    }
}

fn client(feed: FeedKind, url: &str, timeout_ms: i64) -> Result<HttpClient, IngestError> {
    let client = HttpClient::new(ClientSettings {
        name: feed.word(),
        url,
        timeout_ms,
        bearer: &SecretSource::default(),
        username: None,
        password: &SecretSource::default(),
        headers: None,
        ca_file: None,
    })?;
    Ok(client.with_bytes_max(FEED_BYTES_MAX))
}

#[cfg(test)]
mod tests;
