//! A feed's document from its bytes, whatever it is packed in: plain, gzip or, for OSV, a zip archive of advisories.

use std::io::Read as _;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::debian::{self, Verdict, VerdictState};
use super::epss::{self, Estimate};
use super::kev::{self, KnownExploited};
use super::nvd::{self, Described};
use super::osv::{self, OsvAdvisory};
use super::zip;
use super::{FeedError, FeedKind, Read};
use crate::engine::clock::Timestamp;
use crate::engine::limits::FEED_BYTES_MAX;

/// What a document holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Document<T> {
    /// Its entries.
    pub read: Read<T>,
    /// The day or version that it gives itself.
    pub of: Option<String>,
    /// It is the feed as a whole: what it lacks is no longer so. Else it adds and replaces.
    pub is_whole: bool,
}

impl<T> Document<T> {
    /// The same with what another part of it gave.
    #[must_use]
    pub fn with(mut self, part: Self) -> Self {
        self.read.add(part.read);
        self.of = part.of.or(self.of);
        self
    }
}

/// An entry of a feed, as it is kept.
pub trait FeedEntry: Serialize + DeserializeOwned + Clone {
    /// Whose.
    const KIND: FeedKind;

    /// What makes it the same entry in the next document.
    type Key<'a>: Ord
    where
        Self: 'a;

    /// Its key.
    fn key(&self) -> Self::Key<'_>;

    /// Reads a document that is unpacked already.
    ///
    /// # Errors
    /// When it is no document of this feed.
    fn read(bytes: &[u8]) -> Result<Document<Self>, FeedError>;

    /// Takes over what the entry before knew and this one cannot know.
    fn after(&mut self, _before: Option<&Self>, _is_first_document: bool, _now: Timestamp) {}
}

impl FeedEntry for KnownExploited {
    const KIND: FeedKind = FeedKind::Kev;
    type Key<'a> = super::CveId;

    fn key(&self) -> super::CveId {
        self.cve
    }

    fn read(bytes: &[u8]) -> Result<Document<Self>, FeedError> {
        let (of, read) = kev::read(bytes)?;
        Ok(Document { read, of, is_whole: true })
    }
}

impl FeedEntry for Estimate {
    const KIND: FeedKind = FeedKind::Epss;
    type Key<'a> = super::CveId;

    fn key(&self) -> super::CveId {
        self.cve
    }

    fn read(bytes: &[u8]) -> Result<Document<Self>, FeedError> {
        let (day, read) = epss::read(bytes)?;
        Ok(Document { read, of: day.map(|day| day.to_string()), is_whole: true })
    }
}

impl FeedEntry for Described {
    const KIND: FeedKind = FeedKind::Nvd;
    type Key<'a> = super::CveId;

    fn key(&self) -> super::CveId {
        self.cve
    }

    fn read(bytes: &[u8]) -> Result<Document<Self>, FeedError> {
        let (_page, read) = nvd::read(bytes)?;
        Ok(Document { read, of: None, is_whole: false })
    }
}

impl FeedEntry for OsvAdvisory {
    const KIND: FeedKind = FeedKind::Osv;
    type Key<'a> = &'a super::AdvisoryId;

    fn key(&self) -> &super::AdvisoryId {
        &self.id
    }

    fn read(bytes: &[u8]) -> Result<Document<Self>, FeedError> {
        let mut read = Read::new();
        if zip::is_archive(bytes) {
            zip::each_file(bytes, FEED_BYTES_MAX, |name, file| match osv::read(file) {
                Ok(one) => read.add(one),
                Err(problem) => read.take(Err(format!("{name}: {problem}"))),
            })
            .map_err(|problem| FeedError::Unreadable { feed: FeedKind::Osv.title(), problem })?;
        } else {
            read = osv::read(bytes)?;
        }
        Ok(Document { read, of: None, is_whole: false })
    }
}

impl FeedEntry for Verdict {
    const KIND: FeedKind = FeedKind::Debian;
    type Key<'a> = (&'a str, &'a str, &'a super::AdvisoryId);

    fn key(&self) -> (&str, &str, &super::AdvisoryId) {
        (&self.release, &self.source, &self.id)
    }

    fn read(bytes: &[u8]) -> Result<Document<Self>, FeedError> {
        Ok(Document { read: debian::read(bytes, &[])?, of: None, is_whole: true })
    }

    fn after(&mut self, before: Option<&Self>, is_first_document: bool, now: Timestamp) {
        if !matches!(self.state, VerdictState::FixedIn(_)) || is_first_document {
            return;
        }
        self.fix_seen_at = match before {
            Some(before) if before.state == self.state => before.fix_seen_at,
            _ => Some(now),
        };
    }
}

/// Unpacks gzip; anything else is handed back as it is.
///
/// # Errors
/// When the archive is damaged or unpacks to more than a feed may be.
pub fn unpacked(feed: FeedKind, bytes: Vec<u8>) -> Result<Vec<u8>, FeedError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let unreadable = |problem: String| FeedError::Unreadable { feed: feed.title(), problem };
    let mut whole = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(bytes.as_slice()).take(FEED_BYTES_MAX as u64 + 1);
    reader.read_to_end(&mut whole).map_err(|problem| unreadable(problem.to_string()))?;
    if whole.len() > FEED_BYTES_MAX {
        return Err(unreadable(format!("it unpacks to more than {FEED_BYTES_MAX} bytes")));
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn gzip_is_unpacked_and_one_that_is_cut_off_is_refused_wherever_it_is_cut() {
        let table =
            "#model_version:v1,score_date:2026-11-20T00:00:00+0000\ncve,epss,percentile\nCVE-2024-3094,0.85,0.9\n";
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(table.as_bytes()).unwrap();
        let packed = packer.finish().unwrap();
        let document = Estimate::read(&unpacked(FeedKind::Epss, packed.clone()).unwrap()).unwrap();
        assert_eq!((document.of.as_deref(), document.read.entries.len()), (Some("2026-11-20"), 1));
        for end in 2..packed.len() {
            assert!(unpacked(FeedKind::Epss, packed[..end].to_vec()).is_err(), "{end}");
        }
    }
}
