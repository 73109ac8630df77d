//! A page's blocks as they are written: which keys there are, and in which lines.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::super::parse::markdown;

/// One block.
#[derive(Debug, Default)]
pub(super) struct RawBlock {
    /// The line of its fence.
    pub line: u32,
    /// The prose before it.
    pub prose: String,
    keys: BTreeMap<String, u32>,
}

impl RawBlock {
    /// True where the key is written.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// The line of the key's value; that of the fence where it is not written.
    pub fn line_of(&self, key: &str) -> u32 {
        self.keys.get(key).copied().unwrap_or(self.line)
    }
}

/// A page that was parsed before.
#[derive(Debug, Default)]
pub(super) struct Raw {
    /// The runbook block.
    pub head: RawBlock,
    /// Step blocks by name.
    pub steps: BTreeMap<String, RawBlock>,
    /// The prose after the last block.
    pub ending: String,
}

impl Raw {
    pub fn read(text: &str) -> Self {
        let mut raw = Self::default();
        let Ok(page) = markdown::split("", text) else { return raw };
        page.ending.clone_into(&mut raw.ending);
        for block in &page.blocks {
            let read = RawBlock { line: block.line, prose: block.prose.to_owned(), keys: keys(block.toml, block.line) };
            match block.info.split_once(char::is_whitespace) {
                Some(("step", name)) => {
                    raw.steps.insert(name.trim().to_owned(), read);
                }
                _ => raw.head = read,
            }
        }
        raw
    }
}

fn keys(toml: &str, fence_line: u32) -> BTreeMap<String, u32> {
    let Ok(table) = DeTable::parse(toml) else { return BTreeMap::new() };
    let line = |start: usize| {
        let before = toml.get(..start).unwrap_or("");
        fence_line + 1 + u32::try_from(before.matches('\n').count()).unwrap_or(u32::MAX / 2)
    };
    table.get_ref().iter().map(|(key, value)| (key.get_ref().to_string(), line(value.span().start))).collect()
}
