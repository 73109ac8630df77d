//! The archive of past incidents in a file beside the store, for questions in another terminal: the store itself has one holder
//! at a time, and a picture has the newest incidents only.
//!
//! ```text
//! hypo archive 1, version 0.1.0                 one line, so that another program version reads no further
//! …                                             the archive, in postcard
//! ```
//!
//! Whoever holds the store writes it once the archive is filled, and again when it has grown. It holds nothing that the store does
//! not hold, so one that is lost or old is no loss; the picture tells what came since.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::engine::ask::recall::Archive;

/// The file's name in the state directory.
const FILE: &str = "archive";
/// What it is called until it is whole.
const UNFINISHED_FILE: &str = "archive.new";
/// How its first line begins.
const MAGIC: &str = "hypo archive 1";

/// Why an archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file.
    #[error("cannot read {path}: {problem}; remove it, the hypo that holds the store writes it again")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        problem: io::Error,
    },
    /// Another version wrote it, or it is damaged.
    #[error("{path} was not written by hypo {}: {problem}; ask with the same hypo as the one that runs, or remove it",
        env!("CARGO_PKG_VERSION"))]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
}

fn first_line() -> String {
    format!("{MAGIC}, version {}\n", env!("CARGO_PKG_VERSION"))
}

/// Reads the archive in the state directory `folder`; `None` where there is none.
///
/// # Errors
/// When there is one that cannot be read.
pub fn read(folder: &Path) -> Result<Option<Archive>, ArchiveError> {
    let path = folder.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(None),
        Err(problem) => return Err(ArchiveError::File { path, problem }),
    };
    let unreadable = |problem: String| ArchiveError::Unreadable { path: path.clone(), problem };
    let Some(rest) = bytes.strip_prefix(first_line().as_bytes()) else {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        return Err(unreadable(format!("it begins with `{:.60}`", String::from_utf8_lossy(line))));
    };
    postcard::from_bytes(rest).map(Some).map_err(|problem| unreadable(problem.to_string()))
}

/// Writes it, in place of what was there. Not flushed to the disk: it can be had again.
///
/// # Errors
/// When the folder cannot be written to.
pub fn write(folder: &Path, archive: &Archive) -> io::Result<()> {
    let bytes = postcard::to_stdvec(archive).map_err(io::Error::other)?;
    let unfinished = folder.join(UNFINISHED_FILE);
    let flags = nix::fcntl::OFlag::O_NOFOLLOW.bits();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(flags);
    let mut file = options.open(&unfinished)?;
    file.write_all(first_line().as_bytes())?;
    file.write_all(&bytes)?;
    fs::rename(&unfinished, folder.join(FILE))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use super::*;
    use crate::engine::ask::recall::Query;
    use crate::engine::model::IncidentState;
    use crate::engine::snapshot::Snapshot;
    use crate::engine::world::fixtures;

    #[test]
    fn an_archive_reads_back_as_it_was_and_what_came_since_is_told_by_the_picture() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap().is_none());
        let ended = |id: u64| {
            let mut incident = fixtures::incident(id, "cart", 60_000);
            incident.state = IncidentState::Resolved;
            Arc::new(incident)
        };
        let mut snapshot = Snapshot::empty();
        snapshot.incidents = (1..50).map(ended).collect();
        let archive = Archive::of_picture(&snapshot);
        write(folder.path(), &archive).unwrap();
        let mut again = read(folder.path()).unwrap().unwrap();
        let query = Query::about("failure", ["cart"]);
        assert_eq!(again.alike(&query, None, 0.0, 60), archive.alike(&query, None, 0.0, 60));
        snapshot.incidents = vec![ended(49), ended(50)];
        again.complete(&snapshot);
        assert_eq!((archive.len(), again.len()), (49, 50));
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, fs::read_dir(folder.path()).unwrap().count()), (0o600, 1));
    }

    #[test]
    fn what_another_program_wrote_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &Archive::default()).unwrap();
        let good = fs::read(folder.path().join(FILE)).unwrap();
        let older = String::from_utf8_lossy(&good).replacen(env!("CARGO_PKG_VERSION"), "0.0.9", 1).into_bytes();
        for bad in [Vec::new(), b"\n".to_vec(), older, good[..good.len() - 1].to_vec(), vec![0xff; 64]] {
            fs::write(folder.path().join(FILE), &bad).unwrap();
            let said = read(folder.path()).unwrap_err().to_string();
            assert!(said.contains("the same hypo"), "{said}");
        }
    }
}
