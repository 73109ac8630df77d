//! Reads the keys of one TOML table, each with its line, and collects every mistake instead of stopping at the first.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::engine::settings::Span;
use crate::engine::snapshot::FileProblem;
use crate::nearest::nearest;

/// Where mistakes of one file are collected.
#[derive(Debug)]
pub(super) struct Problems {
    file: Arc<str>,
    /// What was found so far.
    pub found: Vec<FileProblem>,
}

impl Problems {
    pub fn new(file: &str) -> Self {
        Self { file: Arc::from(file), found: Vec::new() }
    }

    pub fn add(&mut self, line: u32, text: impl Into<Arc<str>>) {
        self.found.push(FileProblem { file: Arc::clone(&self.file), line, text: text.into() });
    }
}

/// The text of one block with the line it begins at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub toml: &'a str,
    pub fence_line: u32,
}

impl Source<'_> {
    /// The line of a place in the block.
    pub fn line(&self, span: Option<Range<usize>>) -> u32 {
        let before = span.and_then(|span| self.toml.get(..span.start)).unwrap_or("");
        let lines = before.matches('\n').count() + 1;
        self.fence_line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX))
    }
}

/// One element of a list of which each may be a table or a text.
pub(super) enum Part<'a> {
    Table(&'a DeTable<'a>),
    Text(&'a str),
}

/// One table being read. Keys that were asked for are known; any other key is a mistake.
pub(super) struct Fields<'a> {
    source: Source<'a>,
    table: &'a DeTable<'a>,
    /// The line to name where a key is missing.
    line: u32,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub fn new(source: Source<'a>, table: &'a DeTable<'a>, line: u32) -> Self {
        Self { source, table, line, known: Vec::new() }
    }

    /// Line of the table itself.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// A table inside this one.
    pub fn nested(&self, table: &'a DeTable<'a>, line: u32) -> Self {
        Self::new(self.source, table, line)
    }

    /// Line of a place in the same block; `otherwise` where it is out of reach.
    pub fn line_within(&self, span: Range<usize>, otherwise: u32) -> u32 {
        if span.start <= self.source.toml.len() { self.source.line(Some(span)) } else { otherwise }
    }

    /// Line of a key's value, or of the table where the key is missing.
    pub fn line_of(&self, key: &str) -> u32 {
        self.table.get(key).map_or(self.line, |value| self.source.line(Some(value.span())))
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The value of a key as it stands.
    pub fn value(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key);
        self.table.get(key)
    }

    /// Names a key of the wrong type.
    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str, problems: &mut Problems) {
        let have = value.get_ref().type_str();
        problems.add(self.source.line(Some(value.span())), format!("`{key}` is of type {have}; write {wanted}"));
    }

    pub fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<Arc<str>> {
        let value = self.value(key)?;
        match value.get_ref().as_str().filter(|text| !text.trim().is_empty()) {
            Some(text) => Some(Arc::from(text)),
            None => {
                self.wrong(key, value, &format!("text that is not empty, such as {key} = \"…\""), problems);
                None
            }
        }
    }

    /// As [`Self::text`]; its absence is a mistake, explained by `remedy`.
    pub fn required_text(&mut self, key: &'static str, remedy: &str, problems: &mut Problems) -> Option<Arc<str>> {
        if !self.has(key) {
            self.known.push(key);
            problems.add(self.line, format!("`{key}` is missing; {remedy}"));
            return None;
        }
        self.text(key, problems)
    }

    /// A list of texts; a single text counts as a list of one where `is_one_enough`.
    pub fn list(&mut self, key: &'static str, is_one_enough: bool, problems: &mut Problems) -> Option<Vec<Arc<str>>> {
        let value = self.value(key)?;
        if is_one_enough && let Some(text) = value.get_ref().as_str() {
            return Some(vec![Arc::from(text)]);
        }
        let parts = value.get_ref().as_array().and_then(|parts| {
            parts.iter().map(|part| part.get_ref().as_str().map(Arc::from)).collect::<Option<Vec<Arc<str>>>>()
        });
        if parts.is_none() {
            self.wrong(key, value, &format!("a list of texts, such as {key} = [\"kubectl\", \"get\"]"), problems);
        }
        parts
    }

    pub fn span(&mut self, key: &'static str, problems: &mut Problems) -> Option<i64> {
        let value = self.value(key)?;
        let parsed = value.get_ref().as_str().map(str::parse::<Span>);
        match parsed {
            Some(Ok(span)) if span.0 > 0 => return Some(span.0),
            Some(Ok(_)) => problems.add(self.line_of(key), format!("`{key}` must be longer than nothing")),
            Some(Err(problem)) => problems.add(self.line_of(key), format!("`{key}`: {problem}")),
            None => self.wrong(key, value, &format!("a span of time, such as {key} = \"60s\""), problems),
        }
        None
    }

    /// A whole number within `range`.
    pub fn whole(&mut self, key: &'static str, range: Range<u32>, problems: &mut Problems) -> Option<u32> {
        let value = self.value(key)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok())
            .filter(|number| range.contains(number));
        if number.is_none() {
            let wanted = format!("a whole number from {} to {}", range.start, range.end.saturating_sub(1));
            self.wrong(key, value, &wanted, problems);
        }
        number
    }

    pub fn number(&mut self, key: &'static str, problems: &mut Problems) -> Option<f64> {
        let value = self.value(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(integer) => integer.as_str().parse::<f64>().ok(),
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            _ => None,
        };
        let number = number.filter(|number| number.is_finite());
        if number.is_none() {
            self.wrong(key, value, "a finite number", problems);
        }
        number
    }

    pub fn table(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'a DeTable<'a>> {
        let value = self.value(key)?;
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong(key, value, &format!("a table, such as [{key}]"), problems);
        }
        table
    }

    /// True where the key's value is a table.
    pub fn is_table(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.get_ref().is_table())
    }

    /// True or false.
    pub fn flag(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong(key, value, "true or false", problems);
        }
        flag
    }

    /// A list of tables, each with its line; none where the key is missing.
    pub fn tables(&mut self, key: &'static str, example: &str, problems: &mut Problems) -> Vec<(&'a DeTable<'a>, u32)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let found = value.get_ref().as_array().and_then(|parts| {
            let table = |part: &'a Spanned<DeValue<'a>>| {
                part.get_ref().as_table().map(|table| (table, self.source.line(Some(part.span()))))
            };
            parts.iter().map(table).collect::<Option<Vec<_>>>()
        });
        found.unwrap_or_else(|| {
            self.wrong(key, value, &format!("a list of tables, such as {example}"), problems);
            Vec::new()
        })
    }

    /// A list of tables and texts, each with its line; none where the key is missing.
    pub fn parts(&mut self, key: &'static str, problems: &mut Problems) -> Vec<(Part<'a>, u32)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let part = |part: &'a Spanned<DeValue<'a>>| {
            let line = self.source.line(Some(part.span()));
            let text = part.get_ref().as_str().map(Part::Text);
            text.or_else(|| part.get_ref().as_table().map(Part::Table)).map(|part| (part, line))
        };
        let found = value.get_ref().as_array().and_then(|parts| parts.iter().map(part).collect::<Option<Vec<_>>>());
        found.unwrap_or_else(|| {
            self.wrong(
                key,
                value,
                &format!("a list of conditions, such as {key} = [\"replica_lag('{{db}}') < 30s\"]"),
                problems,
            );
            Vec::new()
        })
    }

    /// A list of whole numbers within `range`.
    pub fn whole_list(&mut self, key: &'static str, range: Range<u32>, problems: &mut Problems) -> Option<Vec<u32>> {
        let value = self.value(key)?;
        let read = |part: &Spanned<DeValue<'_>>| {
            let integer = part.get_ref().as_integer()?;
            u32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| range.contains(number))
        };
        let numbers = value.get_ref().as_array().and_then(|parts| parts.iter().map(read).collect::<Option<Vec<_>>>());
        if numbers.is_none() {
            let wanted = format!("a list of whole numbers from {} to {}", range.start, range.end.saturating_sub(1));
            self.wrong(key, value, &wanted, problems);
        }
        numbers
    }

    /// Names every key that was not asked for.
    pub fn refuse_others(&self, what: &str, problems: &mut Problems) {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if self.known.contains(&name) {
                continue;
            }
            let hint = nearest(name, self.known.iter().copied()).map_or_else(
                || format!("{what} takes {}", self.known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            problems.add(self.source.line(Some(key.span())), format!("unknown key `{name}`; {hint}"));
        }
    }
}
