//! Replaces parts of the store's folder by others. What comes in is put together beside them, waited for, and given its name in
//! one step; from then on it is moved into its place, by whoever opens the store next where this process does not get so far.

use std::io;
use std::path::{Path, PathBuf};

use super::disk_sync::{entries, sync_below};
use super::set_aside::{self, make_folder};
use crate::engine::durable_file::wait_for_names;

/// What comes in, until all of it is there.
const UNFINISHED: &str = "incoming.part";
/// All of what comes in; what it replaces is set aside.
const INCOMING: &str = "incoming";
/// All of what comes in; what it replaces is the same at greater length, and goes.
const SHORTER: &str = "incoming.shorter";
/// Where that is until it is gone.
const OUTGOING: &str = "outgoing";

/// What becomes of what is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replaced {
    /// It is kept as it was.
    SetAside,
    /// It goes.
    Removed,
}

/// An empty folder to put together in what comes in.
pub(super) fn begin(folder: &Path) -> io::Result<PathBuf> {
    let unfinished = folder.join(UNFINISHED);
    remove(&unfinished)?;
    make_folder(&unfinished)?;
    Ok(unfinished)
}

/// Takes away what was put together and is not to come in.
pub(super) fn abandon(folder: &Path) -> io::Result<()> {
    remove(&folder.join(UNFINISHED))
}

/// Puts what was put together into its place; the store must not be open.
pub(super) fn commit(folder: &Path, replaced: Replaced) -> io::Result<()> {
    let unfinished = folder.join(UNFINISHED);
    sync_below(&unfinished)?;
    let name = if replaced == Replaced::SetAside { INCOMING } else { SHORTER };
    std::fs::rename(&unfinished, folder.join(name))?;
    wait_for_names(folder)
}

/// True where [`commit`] has come so far that it will be ended, though it failed.
pub(super) fn is_committed(folder: &Path) -> bool {
    folder.join(INCOMING).exists()
}

/// Ends what [`commit`] began; says where what was replaced is now, where it is kept.
pub(super) fn finish(folder: &Path) -> io::Result<Option<PathBuf>> {
    let incoming = folder.join(INCOMING);
    let aside = if incoming.exists() {
        let old: Vec<PathBuf> = in_place_of(folder, &incoming)?;
        let aside = if old.is_empty() { None } else { Some(set_aside::take(folder, &old)?) };
        bring_in(folder, &incoming)?;
        aside
    } else {
        None
    };
    let shorter = folder.join(SHORTER);
    if shorter.exists() {
        make_folder(&folder.join(OUTGOING))?;
        for old in in_place_of(folder, &shorter)? {
            if let Some(name) = old.file_name() {
                let outgoing = folder.join(OUTGOING).join(name);
                remove(&outgoing)?;
                std::fs::rename(&old, outgoing)?;
            }
        }
        bring_in(folder, &shorter)?;
    }
    remove(&folder.join(OUTGOING))?;
    remove(&folder.join(UNFINISHED))?;
    Ok(aside)
}

/// What is there under a name that something comes in by.
fn in_place_of(folder: &Path, incoming: &Path) -> io::Result<Vec<PathBuf>> {
    let place = |path: &PathBuf| path.file_name().map(|name| folder.join(name));
    Ok(entries(incoming)?.iter().filter_map(place).filter(|place| place.symlink_metadata().is_ok()).collect())
}

fn bring_in(folder: &Path, incoming: &Path) -> io::Result<()> {
    for path in entries(incoming)? {
        if let Some(name) = path.file_name() {
            std::fs::rename(&path, folder.join(name))?;
        }
    }
    wait_for_names(folder)?;
    std::fs::remove_dir(incoming)?;
    wait_for_names(folder)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => Err(problem),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::durable_file::waits;

    fn word(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Two parts, and something that is not replaced.
    fn lay(folder: &Path) {
        make_folder(&folder.join("store")).unwrap();
        for name in ["store/db", "log", "key"] {
            std::fs::write(folder.join(name), "old").unwrap();
        }
        let unfinished = begin(folder).unwrap();
        make_folder(&unfinished.join("store")).unwrap();
        for name in ["store/db", "log"] {
            std::fs::write(unfinished.join(name), "new").unwrap();
        }
    }

    #[test]
    fn what_comes_in_is_on_disk_before_its_name_is_and_that_before_anything_is_moved() {
        for replaced in [Replaced::SetAside, Replaced::Removed] {
            let folder = tempfile::tempdir().unwrap();
            lay(folder.path());
            let (done, waits) = waits::during(folder.path(), || commit(folder.path(), replaced));
            done.unwrap();
            let part = |name: &str| format!("{UNFINISHED}{name}");
            assert_eq!(waits, [part("/log"), part("/store/db"), part("/store"), part(""), String::new()]);
            let (done, waits) = waits::during(folder.path(), || finish(folder.path()));
            done.unwrap();
            let is_last = waits.ends_with(&[String::new(), String::new()]);
            assert!(is_last, "what came in has its names, then what it came in by is gone: {waits:?}");
        }
    }

    #[test]
    fn a_crash_anywhere_leaves_all_of_the_old_or_all_of_the_new() {
        for replaced in [Replaced::SetAside, Replaced::Removed] {
            // After the step of that name; then the store is opened again.
            for crash in ["put together", "committed", "old moved", "one came in", "all came in"] {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path();
                lay(path);
                let name = if replaced == Replaced::SetAside { INCOMING } else { SHORTER };
                if crash != "put together" {
                    commit(path, replaced).unwrap();
                }
                if crash == "old moved" || crash == "one came in" || crash == "all came in" {
                    match replaced {
                        Replaced::SetAside => {
                            set_aside::take(path, &[path.join("store"), path.join("log")]).unwrap();
                        }
                        Replaced::Removed => {
                            make_folder(&path.join(OUTGOING)).unwrap();
                            std::fs::rename(path.join("log"), path.join(OUTGOING).join("log")).unwrap();
                        }
                    }
                }
                if crash == "one came in" || crash == "all came in" {
                    std::fs::rename(path.join(name).join("log"), path.join("log")).unwrap();
                }
                if crash == "all came in" {
                    remove(&path.join("store")).unwrap();
                    std::fs::rename(path.join(name).join("store"), path.join("store")).unwrap();
                }
                finish(path).unwrap();
                finish(path).unwrap();
                let now = ["store/db", "log", "key"].map(|name| word(&path.join(name)));
                let wanted = if crash == "put together" { ["old"; 3] } else { ["new", "new", "old"] };
                assert_eq!(now, wanted, "{replaced:?}, {crash}");
                let left: Vec<PathBuf> = entries(path).unwrap();
                let is_kept = crash != "put together" && replaced == Replaced::SetAside;
                assert_eq!(left.len(), 3 + usize::from(is_kept), "{replaced:?}, {crash}: {left:?}");
                if is_kept {
                    assert_eq!(word(&path.join("set-aside/1/log")), "old", "{crash}");
                    assert_eq!(word(&path.join("set-aside/1/store/db")), "old", "{crash}");
                }
            }
        }
    }
}
