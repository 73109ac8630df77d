//! What became of a file while nobody followed it: which files of its folder hold lines that were not read yet.
//!
//! A file that was read in part is known again by its identity and by the bytes around the place: the number of a deleted file is
//! given to the next one, and a copy (`copytruncate`) has another number and the same bytes.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use sha2::{Digest, Sha256};

use super::{TailPosition, is_same, read_at};
use crate::engine::limits::{ROTATED_FILES_MAX, TAIL_FOLDER_ENTRIES_MAX};

/// Bytes at the start of a file, and before a place in it, that are compared.
const MARK_BYTES: u64 = 64;
/// Endings of packed files: their lines cannot be read.
const PACKED: [&str; 7] = [".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z", ".zip"];

/// A file with lines that were not read yet.
#[derive(Debug)]
pub(super) struct Unread {
    pub file: File,
    pub offset: u64,
}

/// What the folder holds of the time since the last look.
#[derive(Debug, Default)]
pub(super) struct Since {
    /// Files that are no longer written to, oldest first.
    pub older: Vec<Unread>,
    /// Where to begin in the present file, after the others.
    pub offset: u64,
    /// True when the file that had been read is gone or packed: what was added to it meanwhile cannot be read.
    pub is_lost: bool,
}

/// Marks of a place in a file: of the bytes it begins with, and of those before the place.
pub(super) fn marks(file: &File, offset: u64) -> io::Result<[u64; 2]> {
    let mark = |from: u64, to: u64| -> io::Result<u64> {
        let mut bytes = vec![0; usize::try_from(to - from).unwrap_or(0)];
        let count = read_at(file, &mut bytes, from)?;
        let digest = Sha256::digest(bytes.get(..count).unwrap_or_default());
        Ok(digest.iter().take(8).fold(0, |mark, byte| mark << 8 | u64::from(*byte)))
    };
    Ok([mark(0, offset.min(MARK_BYTES))?, mark(offset.saturating_sub(MARK_BYTES), offset)?])
}

/// When the file was last written to, in nanoseconds since 1970.
pub(super) fn modified_ns(facts: &Metadata) -> i64 {
    facts.mtime().saturating_mul(1_000_000_000).saturating_add(facts.mtime_nsec())
}

/// True for the file that was read up to this place: the same bytes lie there.
fn is_read_up_to(file: &File, facts: &Metadata, kept: &TailPosition) -> bool {
    facts.len() >= kept.offset
        && kept.marks.is_none_or(|wanted| marks(file, kept.offset).is_ok_and(|found| found == wanted))
}

/// Finds what was not read of the file `path`, open as `present` where there is one, and of those it was before.
pub(super) fn since(path: &Path, present: Option<&File>, kept: &TailPosition) -> io::Result<Since> {
    let facts = present.map(File::metadata).transpose()?;
    if let (Some(present), Some(facts)) = (present, &facts)
        && is_same(facts, kept.device, kept.inode)
        && is_read_up_to(present, facts, kept)
    {
        return Ok(Since { offset: kept.offset, ..Since::default() });
    }
    let mut others = siblings(path, facts.as_ref());
    let mut since = Since { is_lost: true, ..Since::default() };
    if let Some(at) = find(&others, kept) {
        since = Since {
            older: vec![Unread { file: others.swap_remove(at).file, offset: kept.offset }],
            ..Since::default()
        };
    }
    // What was written to after the last look is of the time since. Without knowing when that was, nothing is.
    let seen_until = kept.modified_ns.unwrap_or(i64::MAX);
    others.retain(|other| other.is_of_this_name && other.modified_ns > seen_until);
    others.sort_by(|a, b| a.modified_ns.cmp(&b.modified_ns).then_with(|| b.path.cmp(&a.path)));
    let too_many = others.len().saturating_sub(ROTATED_FILES_MAX);
    since.is_lost |= too_many > 0;
    since.older.extend(others.into_iter().skip(too_many).map(|other| Unread { file: other.file, offset: 0 }));
    Ok(since)
}

/// The file that was read, under its new name, or a copy of it.
fn find(others: &[Sibling], kept: &TailPosition) -> Option<usize> {
    let is_it = |other: &Sibling| {
        is_same(&other.facts, kept.device, kept.inode) && is_read_up_to(&other.file, &other.facts, kept)
    };
    // Without a byte that was read there is nothing to know a copy by.
    let is_copy =
        |other: &Sibling| kept.offset > 0 && kept.marks.is_some() && is_read_up_to(&other.file, &other.facts, kept);
    others.iter().position(is_it).or_else(|| others.iter().position(is_copy))
}

struct Sibling {
    path: PathBuf,
    file: File,
    facts: Metadata,
    modified_ns: i64,
    /// True for `app.log.1` and `app-2026-11-21.log`; others count only if they are the very file that was read.
    is_of_this_name: bool,
}

/// Files beside `path` that may have been it; those that cannot be read are none.
fn siblings(path: &Path, present: Option<&Metadata>) -> Vec<Sibling> {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy()) else { return Vec::new() };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.take(TAIL_FOLDER_ENTRIES_MAX).filter_map(Result::ok) {
        let other = entry.file_name().to_string_lossy().into_owned();
        if !is_alike(&other, &name) || PACKED.iter().any(|ending| other.ends_with(ending)) {
            continue;
        }
        let path = entry.path();
        // As for the file itself: a named pipe must not make us wait for its writer.
        let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path);
        let Ok((file, facts)) = opened.and_then(|file| file.metadata().map(|facts| (file, facts))) else { continue };
        let is_present = present.is_some_and(|present| is_same(&facts, present.dev(), present.ino()));
        if facts.is_file() && !is_present {
            let is_of_this_name = is_rotation(&other, &name);
            found.push(Sibling { path, file, modified_ns: modified_ns(&facts), facts, is_of_this_name });
        }
    }
    found
}

/// True where the two names begin with the same word.
fn is_alike(other: &str, name: &str) -> bool {
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    other != name && !stem.is_empty() && other.starts_with(stem)
}

/// True for the names that rotation gives: the whole name with something after a dot, dash or underscore, or a number or date
/// before its ending.
fn is_rotation(other: &str, name: &str) -> bool {
    if let Some(rest) = other.strip_prefix(name) {
        return rest.starts_with(['.', '-', '_']);
    }
    let Some((stem, ending)) = name.rsplit_once('.') else { return false };
    let between = other.strip_prefix(stem).and_then(|rest| rest.strip_suffix(ending)?.strip_suffix('.'));
    between.is_some_and(|between| {
        between.starts_with(['.', '-', '_'])
            && between.contains(|c: char| c.is_ascii_digit())
            && between.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | 'T'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_rotation_gives_and_names_of_others() {
        for (other, is_so) in [
            ("app.log.1", true),
            ("app.log-20261121", true),
            ("app.log.1.old", true),
            ("app-2026-11-21.log", true),
            ("app.1.log", true),
            ("app.log", false),
            ("app.logs", false),
            ("app-.log", false),
            ("app-errors.log", false),
            ("apple.1.log", false),
            ("other.log.1", false),
        ] {
            assert_eq!(is_rotation(other, "app.log"), is_so, "{other}");
        }
    }
}
