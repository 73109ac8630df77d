//! Storms of alerts in folders: `alerts.jsonl` with what is known of the platform in, `groups.json` out.
//!
//! One folder is one storm; a folder of such folders is many. The grouping is the one that the console runs.

mod console;
mod read;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, io};

use serde::Serialize;

pub use console::as_console;
pub use read::{Dropped, Heard, Storm, StormError, read_storm};

use crate::engine::correlate::evidence::casebook::Casebook;
use crate::engine::correlate::evidence::places::Root;

/// The file of alerts that makes a folder a storm.
pub const ALERTS_FILE: &str = "alerts.jsonl";
/// The file of an answer.
pub const GROUPS_FILE: &str = "groups.json";

/// Where each line of a storm belongs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Groups {
    /// The group of each line; `None` where it was set aside.
    pub groups: Vec<Option<u32>>,
    /// The root of each group that has one.
    pub roots: BTreeMap<u32, String>,
    /// Why lines were set aside, by reason, counted.
    pub set_aside: BTreeMap<&'static str, usize>,
    /// How often something was named of which more was named before than is told apart.
    #[serde(skip)]
    pub over_count: u64,
    /// How long grouping took, from read lines to groups, milliseconds.
    pub wall_ms: f64,
}

/// The storms in a folder, sorted by name: itself where it holds alerts, else its folders that do.
///
/// # Errors
/// When the folder cannot be read or holds no storm.
pub fn storms(folder: &Path) -> Result<Vec<PathBuf>, StormError> {
    let unreadable = |source: io::Error| StormError::Read { path: folder.to_owned(), source };
    if folder.join(ALERTS_FILE).is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.join(ALERTS_FILE).is_file() {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(StormError::NoStorm { path: folder.to_owned() });
    }
    found.sort();
    Ok(found)
}

/// Groups what was read.
#[must_use]
pub fn correlate(storm: Storm) -> Groups {
    let started = Instant::now();
    let Storm { mut book, heard, lines, .. } = storm;
    for (line, word) in (0_u32..).zip(&heard) {
        if let Some(Heard::Fires { face, at }) = word {
            book.hear(*face, *at, line);
        }
    }
    book.finish();
    let mut groups = vec![None; lines];
    let mut set_aside: BTreeMap<&'static str, usize> = BTreeMap::new();
    for verdict in &book.verdicts {
        groups[verdict.token as usize] = verdict.case;
        if verdict.case.is_none() {
            *set_aside.entry(verdict.reason()).or_default() += 1;
        }
    }
    for line in 0..lines {
        if let Some(Heard::Follows { line: before }) = heard[line] {
            groups[line] = groups[before as usize];
        }
    }
    let roots = named(&book, &groups);
    Groups { groups, roots, set_aside, over_count: book.over_count(), wall_ms: started.elapsed().as_secs_f64() * 1e3 }
}

fn named(book: &Casebook, groups: &[Option<u32>]) -> BTreeMap<u32, String> {
    let mut roots = BTreeMap::new();
    for group in groups.iter().flatten() {
        let root = book.root_of(*group).filter(|root| !matches!(root, Root::Burst | Root::Common(_)));
        if let (false, Some(name)) = (roots.contains_key(group), root.and_then(|root| book.root_name(root))) {
            roots.insert(*group, name.to_owned());
        }
    }
    roots
}

/// Writes an answer to `out_dir/<storm>/groups.json`.
///
/// # Errors
/// When the folder or the file cannot be written.
pub fn write_groups(out_dir: &Path, storm: &Path, groups: &Groups) -> Result<PathBuf, StormError> {
    let folder = match storm.file_name() {
        Some(name) => out_dir.join(name),
        None => out_dir.to_owned(),
    };
    let path = folder.join(GROUPS_FILE);
    let failed = |source: io::Error| StormError::Write { path: path.clone(), source };
    fs::create_dir_all(&folder).map_err(failed)?;
    let text = serde_json::to_vec(groups).map_err(|problem| failed(io::Error::other(problem)))?;
    fs::write(&path, text).map_err(failed)?;
    Ok(path)
}
