//! Everything out as JSON Lines, and back in: a header, one line a record, and an end line that tells a whole export from
//! one that was cut off.
//!
//! ```text
//! {"hypocenter_export":1}
//! {"tree":"incidents","record":{"incident":{…}}}
//! {"tree":"series","bytes":"01…"}      a record that JSON cannot hold exactly, as in the store, in hex
//! {"end":true,"records":2}
//! ```

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

use super::schema::{self, Entry, TreeName};
use super::write::encode;
use super::{Store, StoreError};
use crate::engine::job::Record;

/// Version of the format.
const EXPORT_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    hypocenter_export: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    tree: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Record>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    end: bool,
    records: u64,
}

impl Store {
    /// Writes every record; says how many.
    ///
    /// # Errors
    /// When the writer refuses or sled cannot read on.
    pub fn export(&self, writer: &mut dyn Write) -> Result<u64, StoreError> {
        write_line(writer, &Header { hypocenter_export: EXPORT_VERSION })?;
        let mut records = 0;
        for tree in TreeName::ALL {
            for entry in self.tree(tree) {
                let (key, value) = entry.map_err(|error| self.problem(&error))?;
                write_line(writer, &line_of(tree, &key, &value))?;
                records += 1;
            }
        }
        write_line(writer, &End { end: true, records })?;
        writer.flush().map_err(StoreError::Export)?;
        Ok(records)
    }

    /// Takes a whole export in; says how many records. It is read to its end before anything is written, in memory.
    ///
    /// With `merge` the store may hold something already: records of the same key are replaced, audit entries never.
    ///
    /// # Errors
    /// When a line cannot be taken in or the end is missing, the store is not empty, or it cannot be written. Nothing has
    /// been imported then.
    pub fn import(&self, reader: &mut dyn BufRead, merge: bool) -> Result<u64, StoreError> {
        if !merge && !self.is_empty() {
            return Err(StoreError::NotEmpty { path: self.path().to_path_buf() });
        }
        let entries = read_all(reader)?;
        let count = entries.len() as u64;
        self.write_entries(entries)?;
        self.flush()?;
        Ok(count)
    }

    /// True while nothing but what was learnt of series and services is kept: that can be learnt anew.
    fn is_empty(&self) -> bool {
        let is_learnt = |tree: &TreeName| TreeName::LEARNT.contains(tree);
        TreeName::ALL.into_iter().filter(|tree| !is_learnt(tree)).all(|tree| self.tree(tree).is_empty())
    }
}

fn write_line<T: Serialize>(writer: &mut dyn Write, line: &T) -> Result<(), StoreError> {
    let mut text = serde_json::to_vec(line).map_err(|error| StoreError::Export(error.into()))?;
    text.push(b'\n');
    writer.write_all(&text).map_err(StoreError::Export)
}

/// The record as JSON where that reads back as the very same entry (JSON has no infinities), else its bytes.
fn line_of(tree: TreeName, key: &[u8], value: &[u8]) -> Line {
    let word = tree.word().to_owned();
    let exact = schema::decode(tree, key, value).ok().filter(|record| {
        let again = serde_json::to_string(record).ok().and_then(|text| serde_json::from_str::<Record>(&text).ok());
        let again = again.and_then(|record| schema::encode(&record).ok());
        again.is_some_and(|entry| entry.key == key && entry.value == value)
    });
    match exact {
        Some(record) => Line { tree: word, record: Some(record), key: None, bytes: None },
        None => Line { tree: word, record: None, key: Some(to_hex(key)), bytes: Some(to_hex(value)) },
    }
}

fn read_all(reader: &mut dyn BufRead) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let mut number = 0;
    let mut text = String::new();
    loop {
        text.clear();
        number += 1;
        let refuse = |reason: String| StoreError::Import { line: number, reason };
        let bytes = reader.read_line(&mut text).map_err(|error| refuse(error.to_string()))?;
        if bytes == 0 {
            return Err(refuse("the export ends without its end line; it was cut off".to_owned()));
        }
        if number == 1 {
            check_header(&text).map_err(refuse)?;
        } else if let Ok(end) = serde_json::from_str::<End>(&text) {
            check_end(&end, entries.len(), reader).map_err(refuse)?;
            return Ok(entries);
        } else {
            entries.push(read_line(&text).map_err(refuse)?);
        }
    }
}

fn check_header(text: &str) -> Result<(), String> {
    match serde_json::from_str::<Header>(text) {
        Ok(Header { hypocenter_export: EXPORT_VERSION }) => Ok(()),
        Ok(Header { hypocenter_export: other }) => {
            Err(format!("its format is {other}, and this program knows {EXPORT_VERSION}"))
        }
        Err(_) => Err("it does not begin with {\"hypocenter_export\":1}, so it is no export of hypo".to_owned()),
    }
}

fn check_end(end: &End, have: usize, reader: &mut dyn BufRead) -> Result<(), String> {
    if end.records != have as u64 {
        return Err(format!("it says {} records and {have} came before it; lines are missing", end.records));
    }
    let rest = reader.fill_buf().map_err(|error| error.to_string())?;
    if rest.is_empty() { Ok(()) } else { Err("something follows the end line".to_owned()) }
}

fn read_line(text: &str) -> Result<Entry, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| format!("it is no record: {error}"))?;
    let tree = TreeName::from_word(&line.tree).ok_or_else(|| format!("there is no tree `{}`", line.tree))?;
    let entry = match (line.record, line.key, line.bytes) {
        (Some(record), None, None) => encode(&record).map_err(|error| error.to_string())?,
        (None, Some(key), Some(bytes)) => {
            let (key, value) = (from_hex(&key)?, from_hex(&bytes)?);
            let record = schema::decode(tree, &key, &value).map_err(|problem| problem.to_string())?;
            encode(&record).map_err(|error| error.to_string())?
        }
        _ => return Err("it needs either `record`, or `key` and `bytes`".to_owned()),
    };
    if entry.tree == tree { Ok(entry) } else { Err(format!("its record belongs into the tree {}", entry.tree.word())) }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or("its bytes are not written in hex")?;
    Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
