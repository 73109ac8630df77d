//! Writes what can be read of a store into a fresh one: what sled cannot give back of a damaged store is left behind, and so is
//! the room of what was deleted, which sled never gives back to the disk.

use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::StoreError;
use super::disk_sync::DiskSync;
use super::mend::open_sled;
use super::open::{io_problem, problem};
use crate::engine::durable_file::private;

/// Entries that are written at a time.
const LOT: usize = 1_000;

/// How much there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rewritten {
    /// Entries that are there now.
    pub(super) kept: u64,
    /// Trees of which a part could not be read.
    pub(super) torn_trees: u64,
}

/// Copies every entry that can be read of `from`, which is in the folder `path`, into a fresh store in `into`.
///
/// # Errors
/// When the new one cannot be written, or sled breaks off while it reads.
pub(super) fn rewrite(from: &sled::Db, path: &Path, into: &Path) -> Result<Rewritten, StoreError> {
    let broken =
        |_| StoreError::Damaged { path: path.to_path_buf(), reason: "its pages do not fit together".to_owned() };
    // Nothing of the attempt is used after a panic: `into` is thrown away as a whole.
    catch_unwind(AssertUnwindSafe(|| copy_all(from, into))).map_err(broken)?
}

fn copy_all(from: &sled::Db, into: &Path) -> Result<Rewritten, StoreError> {
    let failed = |error: &sled::Error| problem(into, error);
    let fresh = open_sled(into)?;
    let sync = DiskSync::open(into).map_err(|error| io_problem(into, &error))?;
    let mut rewritten = Rewritten::default();
    for name in from.tree_names() {
        let old = match from.open_tree(&name) {
            Ok(old) => old,
            Err(error) if is_passing(&error) => return Err(failed(&error)),
            Err(_) => {
                rewritten.torn_trees += 1;
                continue;
            }
        };
        let new = fresh.open_tree(&name).map_err(|error| failed(&error))?;
        let (forward, is_whole) = copy_lots(&mut old.iter(), &new, None).map_err(|error| failed(&error))?;
        rewritten.kept += forward;
        if !is_whole {
            // What lies behind the place that cannot be read is had from the other end.
            let until = new.last().map_err(|error| failed(&error))?.map(|(key, _)| key);
            let (backward, _) =
                copy_lots(&mut old.iter().rev(), &new, until.as_ref()).map_err(|error| failed(&error))?;
            rewritten.kept += backward;
            rewritten.torn_trees += 1;
        }
    }
    fresh.flush().map_err(|error| failed(&error))?;
    sync.wait().map_err(|error| io_problem(into, &error))?;
    Ok(rewritten)
}

/// Copies a file byte by byte: what the file system copies by itself it may take from the disk, and what is in its memory alone is
/// what has to get there.
pub(super) fn copy_through(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = File::open(from)?;
    let from: &mut dyn Read = &mut from;
    let mut to = private().write(true).create_new(true).open(to)?;
    io::copy(from, &mut to).map(drop)
}

/// True where the system says why it cannot be read now, which says nothing of what is there.
fn is_passing(error: &sled::Error) -> bool {
    matches!(problem(Path::new(""), error), StoreError::NotNow { .. })
}

/// Copies until the end, `until` or what cannot be read; says how much, and whether it came to an end.
fn copy_lots(
    entries: &mut dyn Iterator<Item = sled::Result<(sled::IVec, sled::IVec)>>,
    new: &sled::Tree,
    until: Option<&sled::IVec>,
) -> sled::Result<(u64, bool)> {
    let mut count = 0;
    loop {
        let mut batch = sled::Batch::default();
        let mut is_over = None;
        for _ in 0..LOT {
            match entries.next() {
                Some(Ok((key, _))) if until == Some(&key) => is_over = Some(true),
                Some(Ok((key, value))) => {
                    batch.insert(key, value);
                    count += 1;
                }
                // What is there for whoever reads it later is not left behind.
                Some(Err(error)) if is_passing(&error) => return Err(error),
                Some(Err(_)) => is_over = Some(false),
                None => is_over = Some(true),
            }
            if is_over.is_some() {
                break;
            }
        }
        new.apply_batch(batch)?;
        if let Some(is_whole) = is_over {
            return Ok((count, is_whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls by which this thread has read and written.
    fn calls() -> u64 {
        let told = std::fs::read_to_string("/proc/thread-self/io").unwrap();
        let counts = told.lines().filter_map(|line| line.strip_prefix("sysc")?.split_once(": "));
        counts.map(|(_, count)| count.parse::<u64>().unwrap()).sum()
    }

    #[test]
    fn a_file_is_written_anew_out_of_this_program_s_memory() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let bytes = vec![7; 4 << 20];
        std::fs::write(&from, &bytes).unwrap();
        let before = calls();
        copy_through(&from, &to).unwrap();
        assert!(calls() - before >= 32, "the system copied it in {} calls", calls() - before);
        assert_eq!(std::fs::read(&to).unwrap(), bytes);
    }
}
