//! What was damaged or replaced, as it was found, under `set-aside/`: a few folders of increasing number, within a bound of
//! bytes. The oldest go first, so that damage that comes again fills no disk and is never a reason not to mend.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::disk_sync::{entries, sync_below};
use crate::engine::durable_file::wait_for_names;

/// Its name in the store's folder.
const FOLDER: &str = "set-aside";
/// How many are kept, …
const KEPT_MAX: usize = 4;
/// … and how many bytes they may have together, the newest apart.
const BYTES_MAX: u64 = 1 << 30;
/// What a copy is called until it is whole.
const UNFINISHED: &str = "part";

/// How much a copy may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// As much as all that is set aside may have together.
    Bounded,
    /// As much as the disk has.
    All,
}

/// Copies `names` out of the store's folder, with all below them; `None` where there is no room to have them twice.
pub(super) fn copy(folder: &Path, names: &[&str], room: Room) -> io::Result<Option<PathBuf>> {
    let bytes = bytes_of(folder, names)?;
    if room == Room::Bounded && bytes > BYTES_MAX || free_bytes(folder)? < room_for_copy(folder, names)? {
        return Ok(None);
    }
    let target = next(folder)?;
    let unfinished = target.with_extension(UNFINISHED);
    make_folder(&unfinished)?;
    for name in names {
        copy_below(&folder.join(name), &unfinished.join(name))?;
    }
    sync_below(&unfinished)?;
    std::fs::rename(&unfinished, &target)?;
    settle(folder, &target)?;
    Ok(Some(target))
}

/// Bytes that must be free for a copy of these: as much again stays for the store.
pub(super) fn room_for_copy(folder: &Path, names: &[&str]) -> io::Result<u64> {
    Ok(bytes_of(folder, names)?.saturating_mul(2))
}

/// All that is set aside, the oldest first.
pub(super) fn all(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(numbered(&folder.join(FOLDER))?.into_iter().map(|(_, path)| path).collect())
}

/// Moves these paths, which are within the store's folder, into a new folder and says which.
pub(super) fn take(folder: &Path, paths: &[PathBuf]) -> io::Result<PathBuf> {
    let target = next(folder)?;
    make_folder(&target)?;
    for path in paths {
        if let Some(name) = path.file_name() {
            std::fs::rename(path, target.join(name))?;
        }
    }
    settle(folder, &target)?;
    Ok(target)
}

/// Bytes of everything below a path; 0 of one that is not there.
pub(super) fn bytes_below(path: &Path) -> io::Result<u64> {
    let facts = match path.symlink_metadata() {
        Ok(facts) => facts,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(problem) => return Err(problem),
    };
    if !facts.is_dir() {
        return Ok(facts.len());
    }
    entries(path)?.iter().map(|path| bytes_below(path)).sum()
}

/// Bytes of all these.
pub(super) fn bytes_of(folder: &Path, names: &[&str]) -> io::Result<u64> {
    names.iter().map(|name| bytes_below(&folder.join(name))).sum()
}

/// Bytes that may still be written where `folder` is.
pub(super) fn free_bytes(folder: &Path) -> io::Result<u64> {
    let facts = nix::sys::statvfs::statvfs(folder).map_err(io::Error::from)?;
    Ok(facts.blocks_available().saturating_mul(facts.fragment_size()))
}

/// A copy of a file, or of a folder with all below it.
pub(super) fn copy_below(from: &Path, to: &Path) -> io::Result<()> {
    match from.symlink_metadata() {
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(problem) => Err(problem),
        Ok(facts) if facts.is_dir() => {
            make_folder(to)?;
            entries(from)?.iter().try_for_each(|path| match path.file_name() {
                Some(name) => copy_below(path, &to.join(name)),
                None => Ok(()),
            })
        }
        Ok(facts) if facts.is_file() => std::fs::copy(from, to).map(drop),
        Ok(_) => Ok(()),
    }
}

pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The name after the highest that is there: a number is not used again, so that what was told of one stays true of it.
fn next(folder: &Path) -> io::Result<PathBuf> {
    let aside = folder.join(FOLDER);
    let highest = numbered(&aside)?.last().map_or(0, |(number, _)| *number);
    Ok(aside.join(highest.saturating_add(1).to_string()))
}

fn numbered(aside: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u64>().ok();
    let mut found: Vec<(u64, PathBuf)> =
        entries(aside)?.into_iter().filter_map(|path| Some((number(&path)?, path))).collect();
    found.sort();
    Ok(found)
}

/// Makes room for `newest`, and waits until it is there for good.
fn settle(folder: &Path, newest: &Path) -> io::Result<()> {
    let aside = folder.join(FOLDER);
    let is_unfinished = |path: &PathBuf| path.extension().is_some_and(|extension| extension == UNFINISHED);
    for path in entries(&aside)?.iter().filter(|path| is_unfinished(path)) {
        std::fs::remove_dir_all(path)?;
    }
    let mut kept = 1;
    let mut bytes = 0;
    for (_, path) in numbered(&aside)?.into_iter().rev().filter(|(_, path)| path != newest) {
        bytes += bytes_below(&path)?;
        if kept >= KEPT_MAX || bytes > BYTES_MAX {
            std::fs::remove_dir_all(&path)?;
        } else {
            kept += 1;
        }
    }
    wait_for_names(newest)?;
    wait_for_names(&aside)?;
    wait_for_names(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_with_all_below_them_and_a_half_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        make_folder(&path.join("store/blobs")).unwrap();
        std::fs::write(path.join("store/blobs/7"), "large").unwrap();
        make_folder(&path.join("set-aside/9.part")).unwrap();
        for number in 1..=7_u64 {
            std::fs::write(path.join("store/db"), number.to_string()).unwrap();
            let copy = copy(path, &["store"], Room::Bounded).unwrap().unwrap();
            assert!(copy.ends_with(format!("set-aside/{number}")), "{}", copy.display());
        }
        let names: Vec<u64> =
            numbered(&path.join("set-aside")).unwrap().into_iter().map(|(number, _)| number).collect();
        assert_eq!(names, [4, 5, 6, 7]);
        assert_eq!(std::fs::read_to_string(path.join("set-aside/4/store/db")).unwrap(), "4");
        assert_eq!(std::fs::read_to_string(path.join("set-aside/7/store/blobs/7")).unwrap(), "large");
        assert!(!path.join("set-aside/9.part").exists());
        let moved = take(path, &[path.join("store")]).unwrap();
        assert!(moved.ends_with("set-aside/8") && moved.join("store/db").exists() && !path.join("store").exists());
    }
}
