//! The inventory's file beside the store: replaced as a whole, refused where it is not as it was written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Fleet;
use crate::engine::durable_file::replace;
use crate::engine::patches::shelf::digest;
use crate::engine::patches::shelf::health::Tried;

/// What became of looks, beside the inventory.
pub const TRIES: &str = "inventory-tries.json";

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error("cannot use {path}: {problem}; check who may write there, or choose another folder with --state-dir")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        problem: std::io::Error,
    },
    /// It is not as it was written.
    #[error("{path} is damaged: {problem}; move it away, then `hypo inventory scan` and import again")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
}

/// Held while the inventory or what follows from it is changed.
#[derive(Debug)]
pub struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // It goes with the process at the latest.
        let _gone = self.0.unlock();
    }
}

/// Waits until no other process changes the inventory, and keeps them from it.
///
/// # Errors
/// When the folder cannot be written.
pub fn hold(state_dir: &Path) -> Result<Held, FileError> {
    let path = state_dir.join("inventory.lock");
    let held = || {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        file.lock().map(|()| Held(file))
    };
    held().map_err(|problem| FileError::File { path: path.clone(), problem })
}

/// The inventory in the state directory; empty where there is none yet.
///
/// # Errors
/// When it cannot be read, or is not as it was written.
pub fn load(state_dir: &Path) -> Result<Fleet, FileError> {
    read(&state_dir.join("inventory"), "hypo inventory 1 ").map(Option::unwrap_or_default)
}

/// Puts the inventory in place of the one before.
///
/// # Errors
/// When it cannot be written; the one before stays.
pub fn keep(state_dir: &Path, fleet: &Fleet) -> Result<(), FileError> {
    write(&state_dir.join("inventory"), "hypo inventory 1 ", &fleet.compacted())
}

/// What became of the last look at each host, file and folder, by what it is called. A file that cannot be read says nothing:
/// what was looked at is told by the inventory.
#[must_use]
pub fn tries(state_dir: &Path) -> BTreeMap<String, Tried> {
    let text = std::fs::read_to_string(state_dir.join(TRIES)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Keeps what became of them.
///
/// # Errors
/// When it cannot be written.
pub fn keep_tries(state_dir: &Path, tries: &BTreeMap<String, Tried>, _held: &Held) -> Result<(), FileError> {
    let path = state_dir.join(TRIES);
    let written = serde_json::to_vec_pretty(tries).map_err(std::io::Error::from);
    written.and_then(|bytes| replace(&path, &bytes)).map_err(|problem| FileError::File { path, problem })
}

/// A value in a file that begins with `magic` and the check sum of the rest.
pub(in crate::engine::patches) fn read<T: DeserializeOwned>(path: &Path, magic: &str) -> Result<Option<T>, FileError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(None),
        Err(problem) => return Err(FileError::File { path: path.to_owned(), problem }),
    };
    let damaged = |problem: &str| FileError::Damaged { path: path.to_owned(), problem: problem.to_owned() };
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged("it is cut off"))?;
    let (first, rest) = bytes.split_at(end);
    let rest = rest.get(1..).unwrap_or_default();
    let sum = first.strip_prefix(magic.as_bytes()).ok_or_else(|| damaged("it does not begin as it should"))?;
    if digest(rest).as_bytes() != sum {
        return Err(damaged("its check sum differs"));
    }
    postcard::from_bytes(rest).map(Some).map_err(|problem| damaged(&problem.to_string()))
}

/// Writes what [`read`] reads, making the folder where there is none.
pub(in crate::engine::patches) fn write<T: Serialize>(path: &Path, magic: &str, value: &T) -> Result<(), FileError> {
    let failed = |problem| FileError::File { path: path.to_owned(), problem };
    let folder = path.parent().unwrap_or(path);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let rest = postcard::to_stdvec(value).map_err(|problem| failed(std::io::Error::other(problem)))?;
    let mut bytes = format!("{magic}{}\n", digest(&rest)).into_bytes();
    bytes.extend_from_slice(&rest);
    replace(path, &bytes).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock::Timestamp;
    use crate::engine::patches::inventory::{AssetNews, Package};

    #[test]
    fn an_inventory_reads_back_and_one_that_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        assert_eq!(load(&state).unwrap(), Fleet::default());
        let mut fleet = Fleet::default();
        let packages = Some(vec![Package { name: "a".into(), version: "1".into(), ..Package::default() }]);
        fleet.take("one", AssetNews { packages, ..AssetNews::default() }, "x", Timestamp(1));
        keep(&state, &fleet).unwrap();
        assert_eq!(load(&state).unwrap().assets(), fleet.compacted().assets());
        let path = state.join("inventory");
        let whole = std::fs::read(&path).unwrap();
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            assert!(load(&state).unwrap_err().to_string().contains("is damaged"), "{end}");
        }
    }
}
