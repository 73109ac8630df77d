//! What is kept of the templates between two starts, and its layout.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hash::{EMPTY, hash_of};
use super::scan::Kind;
use super::shape::{Introduction, Part, Shape};
use super::{Template, TemplateMiner};
use crate::engine::model::{ServiceName, TemplateId};

/// Layout of [`TemplateMiner::to_bytes`].
const VERSION: u8 = 3;
/// The layout before, of another method: only its numbers are taken over, so that none is given again.
const WORDS_ALONE: u8 = 1;

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
    line_count: u64,
    last_line: u64,
    shape: u32,
}

/// What is written of a shape.
#[derive(Debug, Serialize, Deserialize)]
struct KeptShape {
    /// Place of its template among those that are written.
    template: u32,
    parts: Vec<KeptPart>,
    tail: u64,
    text: String,
}

/// What is written of a part.
#[derive(Debug, Serialize, Deserialize)]
struct KeptPart {
    glue: u64,
    start: u32,
    end: u32,
    /// 0 for a value, 1 for a name, 2 for a name that varies, 3 for a word.
    kind: u8,
    introduction: Introduction,
}

/// Everything that is written.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    next_id: u64,
    line_count: u64,
    evicted_count: u64,
    templates: Vec<KeptTemplate>,
    shapes: Vec<KeptShape>,
}

impl TemplateMiner {
    /// Everything learned, for the store. Values are not in it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let roots: Vec<u32> = self.roots().map(|(place, _)| place).collect();
        let kept = Kept {
            next_id: self.next_id,
            line_count: self.line_count,
            evicted_count: self.evicted_count,
            templates: self.roots().map(|(_, template)| KeptTemplate::of(template)).collect(),
            shapes: self.shapes.iter().map(|shape| self.kept_shape(shape, &roots)).collect(),
        };
        // Writing plain data into memory has no way to fail; nothing kept is what a failure would amount to.
        postcard::to_extend(&kept, vec![VERSION]).unwrap_or_default()
    }

    /// Takes up where [`TemplateMiner::to_bytes`] left off. What an earlier method learned is learned anew; only its numbers
    /// are not given again.
    ///
    /// # Errors
    /// When the bytes were cut, altered, or written by another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TemplatesError> {
        let (version, body) = bytes.split_first().ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        let mut miner = Self::new();
        if *version == WORDS_ALONE {
            let (next_id, _) = postcard::take_from_bytes::<u64>(body)?;
            miner.next_id = next_id.max(1);
            return Ok(miner);
        }
        if *version != VERSION {
            return Err(TemplatesError::OtherVersion { found: *version });
        }
        let mut kept: Kept = postcard::from_bytes(body)?;
        kept.templates.sort_by_key(|template| template.id);
        kept.templates.dedup_by_key(|template| template.id);
        kept.templates.truncate(miner.templates_max);
        let highest = kept.templates.last().map_or(0, |template| template.id);
        miner.next_id = kept.next_id.max(highest.saturating_add(1));
        miner.line_count = kept.line_count;
        miner.evicted_count = kept.evicted_count;
        miner.revive(&kept);
        Ok(miner)
    }

    fn revive(&mut self, kept: &Kept) {
        for (place, template) in kept.templates.iter().enumerate() {
            self.templates.push(Template {
                id: TemplateId(template.id),
                service: ServiceName::new(&template.service),
                text: Arc::from(""),
                line_count: template.line_count,
                last_line: template.last_line,
                // At most `templates_max`.
                parent: u32::try_from(place).unwrap_or(u32::MAX),
                shape: template.shape,
            });
        }
        let shapes: Vec<(Shape, Vec<usize>)> = kept.shapes.iter().map(|shape| self.revived(shape)).collect();
        for (shape, open) in shapes {
            let key = shape.skeleton(None);
            open.into_iter().for_each(|at| {
                self.families.entry(key).or_default().open(at);
            });
            self.shapes.push(shape);
        }
        self.settle((0..u32::try_from(self.shapes.len()).unwrap_or(u32::MAX)).rev().collect());
        self.retell_all();
        self.merges.clear();
    }

    /// A shape as it was, and the places of it that varied.
    fn revived(&self, kept: &KeptShape) -> (Shape, Vec<usize>) {
        let service = self.template(kept.template).map(|template| hash_of(template.service.as_str().as_bytes()));
        let part = |kept_part: &KeptPart| {
            let text = kept.text.get(kept_part.start as usize..kept_part.end as usize).unwrap_or_default();
            let kind = match kept_part.kind {
                0 => Kind::Value,
                1 | 2 => Kind::Name,
                _ => Kind::Word,
            };
            let hash = match kind {
                Kind::Value => 0,
                _ if text.is_empty() => EMPTY,
                _ => hash_of(text.as_bytes()),
            };
            let (glue, start, end) = (kept_part.glue, kept_part.start, kept_part.end);
            Part { glue, hash, start, end, kind, introduction: kept_part.introduction }
        };
        let open = kept.parts.iter().enumerate().filter(|(_, part)| part.kind == 2).map(|(at, _)| at).collect();
        let shape = Shape {
            service: service.unwrap_or_default(),
            parts: kept.parts.iter().map(part).collect(),
            tail: kept.tail,
            text: kept.text.clone(),
            template: kept.template,
        };
        (shape, open)
    }

    fn kept_shape(&self, shape: &Shape, roots: &[u32]) -> KeptShape {
        let family = self.families.get(&shape.skeleton(None));
        let is_open = |at| family.and_then(|family| family.slot(at)).is_some_and(|slot| slot.is_variable);
        let parts = shape.parts.iter().enumerate().map(|(at, part)| KeptPart {
            glue: part.glue,
            start: part.start,
            end: part.end,
            kind: match part.kind {
                Kind::Value => 0,
                Kind::Name => 1 + u8::from(is_open(at)),
                Kind::Word => 3,
            },
            introduction: part.introduction,
        });
        let place = roots.binary_search(&self.root(shape.template)).ok().and_then(|place| u32::try_from(place).ok());
        KeptShape {
            template: place.unwrap_or(u32::MAX),
            parts: parts.collect(),
            tail: shape.tail,
            text: shape.text.clone(),
        }
    }
}

impl KeptTemplate {
    fn of(template: &Template) -> Self {
        Self {
            id: template.id.0,
            service: template.service.to_string(),
            line_count: template.line_count,
            last_line: template.last_line,
            shape: template.shape,
        }
    }
}
