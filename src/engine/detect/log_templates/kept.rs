//! What is kept of the templates between two starts, and its layout.

use serde::{Deserialize, Serialize};

use super::{Template, TemplateMiner, Word, text_of};
use crate::engine::model::{ServiceName, TemplateId};

/// Layout of [`TemplateMiner::to_bytes`].
const VERSION: u8 = 1;

/// Why kept templates could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesError {
    /// Not what [`TemplateMiner::to_bytes`] writes.
    #[error("the kept log templates cannot be read ({0}); they are learned anew")]
    Unreadable(#[from] postcard::Error),
    /// Written by another version.
    #[error("the kept log templates have layout {found}, this version reads {VERSION}; they are learned anew")]
    OtherVersion {
        /// The layout found.
        found: u8,
    },
}

/// What is written of a template.
#[derive(Debug, Serialize, Deserialize)]
struct KeptTemplate {
    id: u64,
    service: String,
    words: Vec<Option<String>>,
    line_count: u64,
    last_line: u64,
}

/// Everything that is written.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    next_id: u64,
    line_count: u64,
    evicted_count: u64,
    templates: Vec<KeptTemplate>,
}

impl TemplateMiner {
    /// Everything learned, for the store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let templates = self.templates.iter().map(KeptTemplate::of).collect();
        let kept =
            Kept { next_id: self.next_id, line_count: self.line_count, evicted_count: self.evicted_count, templates };
        // Writing plain data into memory has no way to fail; nothing kept is what a failure would amount to.
        postcard::to_extend(&kept, vec![VERSION]).unwrap_or_default()
    }

    /// Takes up where [`TemplateMiner::to_bytes`] left off.
    ///
    /// # Errors
    /// When the bytes were cut, altered, or written by another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TemplatesError> {
        let (version, body) = bytes.split_first().ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        if *version != VERSION {
            return Err(TemplatesError::OtherVersion { found: *version });
        }
        let kept: Kept = postcard::from_bytes(body)?;
        let mut miner = Self::new();
        miner.templates = kept.templates.iter().take(miner.templates_max).map(Template::of).collect();
        let highest = miner.templates.iter().map(|template| template.id.0).max().unwrap_or(0);
        miner.next_id = kept.next_id.max(highest.saturating_add(1));
        miner.line_count = kept.line_count;
        miner.evicted_count = kept.evicted_count;
        miner.plant();
        Ok(miner)
    }
}

impl KeptTemplate {
    fn of(template: &Template) -> Self {
        Self {
            id: template.id.0,
            service: template.service.to_string(),
            words: template.words.iter().map(|word| word.text.as_deref().map(str::to_owned)).collect(),
            line_count: template.line_count,
            last_line: template.last_line,
        }
    }
}

impl Template {
    fn of(kept: &KeptTemplate) -> Self {
        let words: Vec<Word> = kept.words.iter().map(|text| Word::of(text.as_deref())).collect();
        Self {
            id: TemplateId(kept.id),
            service: ServiceName::new(&kept.service),
            text: text_of(&words),
            words,
            line_count: kept.line_count,
            last_line: kept.last_line,
        }
    }
}
