//! NVD by its API: everything once, page by page, then what changed, in windows of at most 120 days.
//!
//! A first download takes an hour without a key: what has come is kept every few pages and when it breaks off, and the next
//! one goes on from there. A window is taken as a whole or not at all.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use super::{ClientSettings, FeedKind, HttpClient, Renewed, Renewing, SyncError};
use crate::engine::clock::{DAY_MS, HOUR_MS, Timestamp};
use crate::engine::ingest::http_client::secret;
use crate::engine::limits::FEED_BYTES_MAX;
use crate::engine::patches::feeds::document::Document;
use crate::engine::patches::feeds::nvd::{self, Described, Page};
use crate::engine::patches::feeds::{FeedError, Read};
use crate::engine::patches::intake;
use crate::engine::patches::shelf::Kept;
use crate::engine::settings::SecretSource;

/// The most that NVD gives in one answer.
const PAGE_ENTRIES: &str = "2000";
/// NVD allows 5 requests in 30 seconds without a key and 50 with one.
const PAUSE_MS: u64 = 6_000;
const PAUSE_WITH_KEY_MS: u64 = 600;
/// The longest window that NVD accepts.
const WINDOW_MS_MAX: i64 = 120 * DAY_MS;
/// Windows overlap by this: entries appear at the API some time after they say that they changed.
const OVERLAP_MS: i64 = 2 * HOUR_MS;
/// A first download is kept after so many pages.
const PAGES_BETWEEN_KEEPING: u64 = 20;

pub(super) async fn renew(sync: &Renewing<'_>) -> Result<Renewed, SyncError> {
    let settings = &sync.settings.nvd;
    if settings.url.is_empty() {
        return Ok(Renewed::NotFetched("its `url` is empty"));
    }
    let key = secret(FeedKind::Nvd.word(), &settings.api_key)?;
    let pause_ms = if key.is_some() { PAUSE_WITH_KEY_MS } else { PAUSE_MS };
    let headers = key.map(|key| BTreeMap::from([("apiKey".to_owned(), key.expose_secret().to_owned())]));
    let client = HttpClient::new(ClientSettings {
        name: FeedKind::Nvd.word(),
        url: &settings.url,
        timeout_ms: settings.timeout.0,
        bearer: &SecretSource::default(),
        username: None,
        password: &SecretSource::default(),
        headers: headers.as_ref(),
        ca_file: None,
    })?
    .with_bytes_max(FEED_BYTES_MAX);
    let asker = Asker { sync, client, pause_ms };
    let before = sync.before::<Described>()?;
    match before {
        Some(kept) if kept.head.cursor.is_some() && kept.head.resume_at.is_none() => asker.changes(kept).await,
        before => asker.everything(before).await,
    }
}

struct Asker<'a> {
    sync: &'a Renewing<'a>,
    client: HttpClient,
    pause_ms: u64,
}

impl Asker<'_> {
    /// The first download, or the rest of it.
    async fn everything(&self, mut kept: Option<Kept<Described>>) -> Result<Renewed, SyncError> {
        let resumed = kept.as_ref().and_then(|kept| kept.head.resume_at.zip(kept.head.cursor));
        // What changes from here on is fetched by windows; an interrupted download counts from its own beginning.
        let (mut start, began) = resumed.unwrap_or((0, (self.sync.now)()));
        let (mut pages, mut waiting) = (0, Read { entries: Vec::new(), dropped_count: 0, first_problem: None });
        loop {
            let answer = self.page(start, &[]).await;
            let next = match answer {
                Ok((page, read)) => {
                    waiting.add(read);
                    pages += 1;
                    page.next()
                }
                Err(problem) => {
                    if !waiting.entries.is_empty() {
                        self.keep(kept, waiting, began, Some(start))?;
                    }
                    return Err(problem);
                }
            };
            if next.is_none() || pages % PAGES_BETWEEN_KEEPING == 0 {
                let so_far = std::mem::replace(
                    &mut waiting,
                    Read { entries: Vec::new(), dropped_count: 0, first_problem: None },
                );
                kept = Some(self.keep(kept, so_far, began, next)?);
            }
            let Some(next) = next else { break };
            start = next;
            (self.sync.pause)(self.pause_ms).await;
        }
        Ok(kept.map_or(Renewed::Unchanged, |kept| taken(&kept)))
    }

    /// What changed since the last time.
    async fn changes(&self, kept: Kept<Described>) -> Result<Renewed, SyncError> {
        let until = (self.sync.now)();
        let mut from = kept.head.cursor.unwrap_or(until) - OVERLAP_MS;
        let mut read = Read { entries: Vec::new(), dropped_count: 0, first_problem: None };
        let mut is_first = true;
        while from < until {
            let to = Timestamp(until.0.min(from.0.saturating_add(WINDOW_MS_MAX)));
            let window = [("lastModStartDate", from.to_string()), ("lastModEndDate", to.to_string())];
            let mut start = 0;
            loop {
                if !is_first {
                    (self.sync.pause)(self.pause_ms).await;
                }
                is_first = false;
                let (page, of_page) = self.page(start, &window).await?;
                read.add(of_page);
                match page.next() {
                    Some(next) => start = next,
                    None => break,
                }
            }
            from = to;
        }
        if read.entries.is_empty() && read.dropped_count == 0 {
            let mut kept = kept;
            kept.head.cursor = Some(until);
            self.sync.shelf.keep(&kept, self.sync.renewal)?;
            return Ok(Renewed::Unchanged);
        }
        Ok(taken(&self.keep(Some(kept), read, until, None)?))
    }

    async fn page(&self, start: u64, window: &[(&str, String)]) -> Result<(Page, Read<Described>), SyncError> {
        let index = start.to_string();
        let mut query = vec![("resultsPerPage", PAGE_ENTRIES), ("startIndex", index.as_str())];
        query.extend(window.iter().map(|(name, at)| (*name, at.as_str())));
        let answer = self.sync.patiently(|| self.client.get("", &query)).await?;
        let (page, read) = nvd::read(&answer.body)?;
        if page.start != start {
            let problem = format!("page {start} was asked for and page {} came", page.start);
            return Err(FeedError::Unreadable { feed: FeedKind::Nvd.title(), problem }.into());
        }
        if page.count == 0 && start < page.total {
            let problem = format!("page {start} of {} entries is empty", page.total);
            return Err(FeedError::Unreadable { feed: FeedKind::Nvd.title(), problem }.into());
        }
        Ok((page, read))
    }

    fn keep(
        &self,
        before: Option<Kept<Described>>,
        read: Read<Described>,
        cursor: Timestamp,
        resume_at: Option<u64>,
    ) -> Result<Kept<Described>, SyncError> {
        let document = Document { read, of: None, is_whole: false };
        let mut kept = intake::take(before, document, self.sync.arrival(&self.sync.settings.nvd.url))?;
        kept.head.cursor = Some(cursor);
        kept.head.resume_at = resume_at;
        self.sync.shelf.keep(&kept, self.sync.renewal)?;
        Ok(kept)
    }
}

fn taken(kept: &Kept<Described>) -> Renewed {
    Renewed::Taken { count: kept.head.count, set_aside_count: kept.head.set_aside_count }
}
