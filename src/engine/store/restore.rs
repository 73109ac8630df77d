//! Takes a backup back: it is read to its end and summed up before anything is made of it, put together beside the store, looked
//! at there, and then takes the store's place in one step. What was there is set aside.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::backup::{END, ENTRY, FILE, Label, MAGIC, SUM_BYTES, TREE, is_file_of_a_store};
use super::mend::open_sled;
use super::open::io_problem;
use super::schema::{SCHEMA_KEY, SCHEMA_VERSION, TreeName, WRITES_KEY};
use super::swap::{self, Replaced};
use super::{Hold, Store, StoreError, audit_file, audit_segments, set_aside};
use crate::engine::clock::Timestamp;
use crate::engine::durable_file::private;
use crate::engine::job::Record;
use crate::engine::model::{AuditEntry, AuditKind, KillSwitch, Safety};

/// No label is longer.
const LABEL_BYTES_MAX: usize = 4_096;
/// No key and no value is longer; a length that is read wrong must not fill the memory.
const ENTRY_BYTES_MAX: u32 = 1 << 30;
/// Entries that are written at a time.
const LOT: usize = 1_000;

/// What was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made.
    pub at: Timestamp,
    /// Records in it.
    pub records: u64,
    /// The last audit entry of it; the restoring is the next one.
    pub audit: u64,
    /// Where what was there before is.
    pub aside: Option<PathBuf>,
}

/// What is done before the store is replaced, given when the backup was made.
pub type Before<'a> = &'a dyn Fn(Timestamp) -> io::Result<()>;

/// Puts the backup `file` in the place of the store in `folder`, for the person `by`. What must be so before anybody can open
/// what was restored is done by `before`, while nobody else gets at the store; where that fails, nothing is replaced.
///
/// # Errors
/// When an engine has the store, the backup is not whole, of a later hypo or cannot be read, there is no room, or `before` fails.
/// Nothing of the store has been changed then, but for [`StoreError::Restored`]: the backup takes its place at the next start.
pub fn restore(
    folder: &Path,
    file: &Path,
    by: &str,
    now: Timestamp,
    before: Before<'_>,
) -> Result<Restored, StoreError> {
    let hold = Hold::take(folder)?;
    let refused = |problem: io::Error| StoreError::Backup { path: file.to_path_buf(), reason: problem.to_string() };
    let failed = |problem: io::Error| io_problem(folder, &problem);
    let open = || File::open(file).map(BufReader::new);
    // Once for whether it is whole, once to take it.
    let label = open().and_then(|opened| read(opened, &mut Nothing)).map_err(refused)?;
    // One of an earlier schema is brought along when it is opened below.
    if label.schema > SCHEMA_VERSION {
        let by = format!("hypo {}", label.hypo);
        return Err(StoreError::Newer { path: file.to_path_buf(), by, found: label.schema, known: SCHEMA_VERSION });
    }
    swap::finish(folder).map_err(failed)?;
    let into = swap::begin(folder).map_err(failed)?;
    // Also where nothing is sealed: what was sealed of the log that was there must not stay beside another.
    set_aside::make_folder(&into.join(audit_segments::FOLDER)).map_err(failed)?;
    let mut taken = Taken { folder: into.clone(), db: open_sled(&into)?, tree: None, batch: Vec::new(), records: 0 };
    let taking = open().and_then(|opened| read(opened, &mut taken)).and_then(|_| taken.end(&label));
    taking.map_err(refused)?;
    let records = taken.records;
    drop(taken);
    // Before it is opened, which would mend it.
    let verdict = audit_file::check(&into, &[]).map_err(failed)?;
    if let Some(finding) = verdict.findings.first() {
        return Err(refused(io::Error::other(format!("its audit log is not whole: {}", finding.text))));
    }
    set_aside::copy_below(&folder.join(audit_file::KEY_FILE), &into.join(audit_file::KEY_FILE)).map_err(failed)?;
    let audit = tell(&into, file, &label, records, by, now)?;
    clear(&into).map_err(failed)?;
    before(label.at).map_err(|problem| refused(io::Error::other(format!("it is not taken back: {problem}"))))?;
    // From here on it is restored, by whoever opens the store next where that does not work out now.
    let restored =
        |problem: io::Error| StoreError::Restored { path: folder.to_path_buf(), reason: problem.to_string() };
    swap::commit(folder, Replaced::SetAside).map_err(|problem| match swap::is_committed(folder) {
        true => restored(problem),
        false => failed(problem),
    })?;
    let aside = swap::finish(folder).map_err(restored)?;
    drop(hold);
    Ok(Restored { at: label.at, records, audit, aside })
}

/// Opens what was put together, which looks at all of it, and writes down in its audit log whence it is.
fn tell(into: &Path, file: &Path, label: &Label, records: u64, by: &str, now: Timestamp) -> Result<u64, StoreError> {
    let (store, stored) = Store::open_and_load(into)?;
    let last = stored.next.audit.saturating_sub(1);
    let of = label.at.to_datetime().format("%Y-%m-%d %H:%M:%S UTC");
    let text = format!(
        "restored the store from {}, a backup of {of} with {records} records; what was there before is set aside, what was done since \
         then is not known here, and the kill switch is on",
        file.display(),
    );
    let entry = AuditEntry {
        sequence: stored.next.audit,
        at: now,
        kind: AuditKind::Operator,
        by: Arc::from(by),
        incident: None,
        run: None,
        text: Arc::from(text),
    };
    let reason = format!("restored from a backup of {of}; look what was done since, then take the switch off");
    let stopped = killed(stored.settings.get(Safety::SETTING), by, &reason, now);
    store.write(&[Record::Audit(entry), stopped], true)?;
    Ok(last)
}

/// The record of safety with the kill switch on for this reason, whatever it was before: a file beside the store can be gone.
fn killed(safety: Option<&String>, by: &str, reason: &str, now: Timestamp) -> Record {
    // One that cannot be read would be taken for one whose switch is on, which it is here.
    let mut safety: Safety = safety.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let before = safety.kill.map_or_else(String::new, |kill| format!("; it was on before that: {}", kill.reason));
    let reason = Arc::from(format!("{reason}{before}"));
    safety.kill = Some(KillSwitch { at: now, by: Arc::from(by), reason });
    // Plain data: it always has a text.
    let value = serde_json::to_string(&safety).unwrap_or_default();
    Record::Setting { name: Safety::SETTING.to_owned(), value }
}

/// Takes away what only an open store has.
fn clear(into: &Path) -> io::Result<()> {
    for name in ["holder", "set-aside"] {
        let path = into.join(name);
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match removed {
            Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(problem),
            _ => {}
        }
    }
    Ok(())
}

/// Who is told what a backup has in it, part by part.
trait Takes {
    fn tree(&mut self, word: &str) -> io::Result<()>;
    fn entry(&mut self, key: Vec<u8>, value: Vec<u8>) -> io::Result<()>;
    fn file(&mut self, name: &str, bytes: &mut dyn Read) -> io::Result<()>;
}

/// Only looks whether it is whole.
struct Nothing;

impl Takes for Nothing {
    fn tree(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn entry(&mut self, _: Vec<u8>, _: Vec<u8>) -> io::Result<()> {
        Ok(())
    }

    fn file(&mut self, _: &str, bytes: &mut dyn Read) -> io::Result<()> {
        io::copy(bytes, &mut io::sink()).map(drop)
    }
}

/// Puts a store together.
struct Taken {
    folder: PathBuf,
    db: sled::Db,
    tree: Option<sled::Tree>,
    batch: Vec<(Vec<u8>, Vec<u8>)>,
    records: u64,
}

impl Taken {
    fn write_batch(&mut self) -> io::Result<()> {
        let mut batch = sled::Batch::default();
        for (key, value) in self.batch.drain(..) {
            batch.insert(key, value);
        }
        self.tree.as_ref().map_or(Ok(()), |tree| tree.apply_batch(batch)).map_err(io::Error::other)
    }

    fn end(&mut self, label: &Label) -> io::Result<()> {
        self.write_batch()?;
        let meta = self.db.open_tree("meta").map_err(io::Error::other)?;
        meta.insert(SCHEMA_KEY, &label.schema.to_be_bytes()).map_err(io::Error::other)?;
        meta.insert(WRITES_KEY, &label.writes.to_be_bytes()).map_err(io::Error::other)?;
        self.db.flush().map(drop).map_err(io::Error::other)
    }
}

impl Takes for Taken {
    fn tree(&mut self, word: &str) -> io::Result<()> {
        self.write_batch()?;
        let tree = TreeName::from_word(word).ok_or_else(|| io::Error::other(format!("it has a tree `{word}`")))?;
        self.tree = Some(self.db.open_tree(tree.word()).map_err(io::Error::other)?);
        Ok(())
    }

    fn entry(&mut self, key: Vec<u8>, value: Vec<u8>) -> io::Result<()> {
        self.records += 1;
        self.batch.push((key, value));
        if self.batch.len() >= LOT { self.write_batch() } else { Ok(()) }
    }

    fn file(&mut self, name: &str, bytes: &mut dyn Read) -> io::Result<()> {
        // A name out of a file is no place to write to.
        if !is_file_of_a_store(name) {
            return Err(io::Error::other("it has a file that belongs to no store"));
        }
        let mut file = private().write(true).create(true).truncate(true).open(self.folder.join(name))?;
        io::copy(bytes, &mut file)?;
        file.flush()
    }
}

/// Reads a backup to its end, and holds it against its check sum there.
fn read(file: impl Read, takes: &mut dyn Takes) -> io::Result<Label> {
    let mut from = Summing { from: file, sum: Sha256::new() };
    let mut magic = [0; MAGIC.len()];
    let is_one = from.read_exact(&mut magic).is_ok() && magic == MAGIC;
    if !is_one {
        return Err(io::Error::other("it is no backup of form 1; `hypo backup` makes them"));
    }
    let label = label(&mut from)?;
    loop {
        let [tag] = from.array::<1>()?;
        match tag {
            TREE => {
                let word = from.name()?;
                takes.tree(&word)?;
            }
            ENTRY => {
                let (key, value) = (u32::from_be_bytes(from.array()?), u32::from_be_bytes(from.array()?));
                let key = from.exactly(key)?;
                takes.entry(key, from.exactly(value)?)?;
            }
            FILE => {
                let name = from.name()?;
                let length = u64::from_be_bytes(from.array()?);
                let mut bytes = Read::by_ref(&mut from).take(length);
                takes.file(&name, &mut bytes)?;
                if bytes.limit() > 0 {
                    return Err(cut_off());
                }
            }
            END => break,
            _ => return Err(io::Error::other("it is damaged")),
        }
    }
    let sum = from.sum.clone().finalize();
    let mut told = [0; SUM_BYTES];
    from.from.read_exact(&mut told).map_err(|_| cut_off())?;
    let is_over = from.from.read(&mut [0])? == 0;
    if sum[..] == told && is_over { Ok(label) } else { Err(io::Error::other("it is damaged: its check sum differs")) }
}

fn label(from: &mut Summing<impl Read>) -> io::Result<Label> {
    let mut line = Vec::new();
    loop {
        let [byte] = from.array::<1>()?;
        if byte == b'\n' {
            break;
        }
        line.push(byte);
        if line.len() > LABEL_BYTES_MAX {
            return Err(io::Error::other("its label is too long"));
        }
    }
    serde_json::from_slice(&line).map_err(|problem| io::Error::other(format!("its label cannot be read: {problem}")))
}

fn cut_off() -> io::Error {
    io::Error::other("it is cut off")
}

/// Sums up what is read through it.
struct Summing<R> {
    from: R,
    sum: Sha256,
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(bytes)?;
        self.sum.update(bytes.get(..read).unwrap_or_default());
        Ok(read)
    }
}

impl<R: Read> Summing<R> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes).map_err(|_| cut_off())?;
        Ok(bytes)
    }

    fn exactly(&mut self, length: u32) -> io::Result<Vec<u8>> {
        if length > ENTRY_BYTES_MAX {
            return Err(io::Error::other("it is damaged"));
        }
        let mut bytes = Vec::new();
        Read::by_ref(self).take(u64::from(length)).read_to_end(&mut bytes)?;
        if bytes.len() == length as usize { Ok(bytes) } else { Err(cut_off()) }
    }

    fn name(&mut self) -> io::Result<String> {
        let [length] = self.array::<1>()?;
        String::from_utf8(self.exactly(u32::from(length))?).map_err(|_| io::Error::other("it is damaged"))
    }
}
