//! A store as one file, as of one moment: every record as it is on disk, and the audit log with its signed end.
//!
//! ```text
//! hypo backup 1
//! {"schema":1,"hypo":"0.2.0","at":1794925800000,"writes":812}
//! T incidents          then, of each entry: E, two lengths of four bytes, key, value
//! F audit.jsonl        then a length of eight bytes, and the bytes; so of each file of the audit log
//! Z                    then SHA-256 of all before it
//! ```
//!
//! The key that signs the log is not in it: who has a backup must not be able to sign for the engine.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::disk_sync::entries;
use super::schema::{SCHEMA_VERSION, TreeName};
use super::{Store, StoreError, acknowledged, audit_file, audit_segments};
use crate::engine::clock::Timestamp;
use crate::engine::durable_file::{self, private};

/// How every backup begins, with the number of its form.
pub(super) const MAGIC: &[u8] = b"hypo backup 1\n";
pub(super) const TREE: u8 = b'T';
pub(super) const ENTRY: u8 = b'E';
pub(super) const FILE: u8 = b'F';
pub(super) const END: u8 = b'Z';
/// Length of the check sum.
pub(super) const SUM_BYTES: usize = 32;
/// The files beside the records, which come with them; what is sealed of the audit log comes as well.
const FILES: [&str; 3] = [audit_file::LOG_FILE, audit_file::HEAD_FILE, acknowledged::FILE];

/// Whether a file in a backup belongs to a store.
pub(super) fn is_file_of_a_store(name: &str) -> bool {
    FILES.contains(&name) || audit_segments::is_name(name)
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Label {
    pub(super) schema: u32,
    /// The version of the hypo that wrote it.
    pub(super) hypo: String,
    pub(super) at: Timestamp,
    pub(super) writes: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// Where it is.
    pub file: PathBuf,
    /// Records in it.
    pub records: u64,
    /// The last audit entry in it.
    pub audit: u64,
    /// Its length.
    pub bytes: u64,
}

impl std::fmt::Display for BackedUp {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, records, audit, bytes } = self;
        write!(out, "{records} records and the audit log up to entry {audit} are in {} ({bytes} bytes)", file.display())
    }
}

/// Names in the store's folder that are the store's or the engine's, with whatever follows a full stop but [`OF_BACKUPS`].
const OWN: [&str; 10] =
    ["store", "audit", "set-aside", "incoming", "outgoing", "acknowledged", "holder", "ballast", "kill", "socket"];

/// Ends of names that are nobody's but backups'.
const OF_BACKUPS: [&str; 2] = [".backup", ".bak"];

/// Refuses what is there and is no backup. Of an unfinished one there may be nothing yet.
fn refuse_other(file: &Path, is_unfinished: bool) -> io::Result<()> {
    let other = || io::Error::other(format!("{} is there and is no backup; name another", file.display()));
    let facts = match file.symlink_metadata() {
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(()),
        facts => facts?,
    };
    if !facts.is_file() {
        return Err(other());
    }
    let mut first = Vec::new();
    File::open(file)?.take(MAGIC.len() as u64).read_to_end(&mut first)?;
    // In an empty one there is nothing to lose.
    let is_one = first == MAGIC || first.is_empty() || is_unfinished && MAGIC.starts_with(&first);
    if is_one { Ok(()) } else { Err(other()) }
}

/// Refuses what the store or the engine has in its folder, and all below it: it is moved and removed with that.
fn refuse_own(state: &Path, folder: &Path, file: &Path) -> io::Result<()> {
    let place = folder.canonicalize()?.join(file.file_name().unwrap_or_default());
    let state = state.canonicalize()?;
    let below = place.strip_prefix(&state).ok().and_then(|below| below.components().next());
    let name = below.map(|name| name.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
    let is_for_backups = place.parent() == Some(&*state) && OF_BACKUPS.iter().any(|end| name.ends_with(end));
    if !is_for_backups && OWN.contains(&name.split('.').next().unwrap_or_default()) {
        let reason = format!("{} is a name of the store's own; name another place", state.join(name).display());
        return Err(io::Error::other(reason));
    }
    Ok(())
}

impl Store {
    /// Writes everything into the file `to`, or into a file named by the time `at` where that is a folder. Nobody else may write
    /// to the store meanwhile. A backup that is there is replaced as a whole, once the new one is on disk; nothing else is replaced.
    ///
    /// # Errors
    /// When something else is there, the place is the store's own, the store cannot be read or the file cannot be written.
    pub fn back_up(&self, to: &Path, at: Timestamp) -> Result<BackedUp, StoreError> {
        let file = if to.is_dir() {
            to.join(format!("hypo-{}.backup", at.to_datetime().format("%Y%m%dT%H%M%SZ")))
        } else {
            to.to_path_buf()
        };
        let failed = |problem: io::Error| StoreError::Backup { path: file.clone(), reason: problem.to_string() };
        let mut unfinished = file.clone().into_os_string();
        unfinished.push(".part");
        let unfinished = PathBuf::from(unfinished);
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        refuse_other(&file, false).and_then(|()| refuse_other(&unfinished, true)).map_err(failed)?;
        refuse_own(self.path(), folder, &file).map_err(failed)?;
        self.flush()?;
        let result = self.back_up_into(&unfinished, at, &failed).and_then(|(records, bytes)| {
            std::fs::rename(&unfinished, &file).map_err(failed)?;
            durable_file::wait_for_names(folder).map_err(failed)?;
            Ok(BackedUp { file: file.clone(), records, audit: self.audit().last(), bytes })
        });
        if result.is_err() {
            // What cannot be taken away either is for the next one to take away.
            let _left = std::fs::remove_file(&unfinished);
        }
        result
    }

    fn back_up_into(
        &self,
        unfinished: &Path,
        at: Timestamp,
        failed: &dyn Fn(io::Error) -> StoreError,
    ) -> Result<(u64, u64), StoreError> {
        // One that is there already may be somebody else's, who could read all of it.
        match std::fs::remove_file(unfinished) {
            Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(failed(problem)),
            _ => {}
        }
        let file = private().write(true).create_new(true).open(unfinished).map_err(failed)?;
        let mut out = Summed { out: BufWriter::new(file), sum: Sha256::new(), bytes: 0 };
        let writes = self.acknowledged().numbers().writes;
        let label = Label { schema: SCHEMA_VERSION, hypo: env!("CARGO_PKG_VERSION").to_owned(), at, writes };
        out.write_all(MAGIC).map_err(failed)?;
        let label = serde_json::to_string(&label).map_err(|problem| failed(problem.into()))?;
        writeln!(out, "{label}").map_err(failed)?;
        let mut records = 0;
        for tree in TreeName::ALL {
            out.named(TREE, tree.word()).map_err(failed)?;
            for entry in self.tree(tree) {
                let (key, value) = entry.map_err(|error| self.problem(&error))?;
                out.entry(&key, &value).map_err(failed)?;
                records += 1;
            }
        }
        for name in FILES {
            out.file(name, &self.path().join(name)).map_err(failed)?;
        }
        for path in entries(&self.path().join(audit_segments::FOLDER)).map_err(failed)? {
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let name = format!("{}/{file}", audit_segments::FOLDER);
            // What a crash left of one that was being replaced has another name.
            if audit_segments::is_name(&name) {
                out.file(&name, &path).map_err(failed)?;
            }
        }
        let (out, bytes) = out.end().map_err(failed)?;
        durable_file::wait_for(&out).map_err(failed)?;
        Ok((records, bytes))
    }
}

/// Sums up what it hands on.
struct Summed {
    out: BufWriter<File>,
    sum: Sha256,
    bytes: u64,
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.sum.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Summed {
    fn named(&mut self, tag: u8, name: &str) -> io::Result<()> {
        let length = u8::try_from(name.len()).map_err(io::Error::other)?;
        self.write_all(&[tag, length])?;
        self.write_all(name.as_bytes())
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map(u32::to_be_bytes).map_err(io::Error::other);
        self.write_all(&[ENTRY])?;
        self.write_all(&length(key)?)?;
        self.write_all(&length(value)?)?;
        self.write_all(key)?;
        self.write_all(value)
    }

    fn file(&mut self, name: &str, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        self.named(FILE, name)?;
        self.write_all(&length.to_be_bytes())?;
        let copied = io::copy(&mut file.take(length), self)?;
        if copied == length { Ok(()) } else { Err(io::Error::other(format!("{name} became shorter meanwhile"))) }
    }

    fn end(mut self) -> io::Result<(File, u64)> {
        self.write_all(&[END])?;
        let sum = self.sum.clone().finalize();
        self.out.write_all(&sum)?;
        let bytes = self.bytes + SUM_BYTES as u64;
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((file, bytes))
    }
}
