//! `hypo backup` and `hypo restore`: everything that is kept as one file, beside a running engine or without one, and back.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::{Exit, Failure, console, existing_store, output, serving, settings, stop, tokio_runtime};
use crate::app::arguments::{BackupArguments, CommonArguments, RestoreArguments};
use crate::engine::act::kill_file::KillFile;
use crate::engine::attach::hello::{BACKED_UP, Hello, Wants};
use crate::engine::clock::Timestamp;
use crate::engine::ingest::wall_clock;
use crate::engine::input::KillWord;
use crate::engine::store::{self, Store, StoreError};

/// Writes the backup: by the engine where one runs, since it alone knows what belongs to one moment.
pub(super) fn backup(common: &CommonArguments, arguments: &BackupArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let to = absolute(&arguments.to)?;
    let place = serving::place(&loaded);
    let wants = wish(&to)?;
    let before = mark(&to);
    if let Some(text) = tokio_runtime()?.block_on(stop::told(&place, wants))? {
        return match text.trim_end().strip_prefix(BACKED_UP) {
            Some(_) if !may_be_written(&to, before) => Err(format!(
                "the engine wrote {0}, but not the one that is seen here: its service may have files of its own there; name \
                 one below its state directory",
                to.display()
            )
            .into()),
            Some(told) => {
                output::line(told)?;
                Ok(Exit::Done)
            }
            None => Err(text.trim_end().to_owned().into()),
        };
    }
    let store = Store::open(&existing_store(common)?)?;
    output::line(&store.back_up(&to, wall_clock::now())?.to_string())?;
    Ok(Exit::Done)
}

/// Takes a backup back.
pub(super) fn restore(common: &CommonArguments, arguments: &RestoreArguments) -> Result<Exit, Failure> {
    let folder = settings(common)?.paths.state_dir;
    let by: Arc<str> = Arc::from(console::operator());
    // What was done since then is not known to what was restored: nothing begins by it until somebody has looked.
    let stop = |at: Timestamp| {
        let reason =
            format!("restored from a backup of {}; look what was done since, then take the switch off", told(at));
        KillFile::of(&folder).write(&KillWord::On { by: Arc::clone(&by), reason: Arc::from(reason) })
    };
    let restored =
        store::restore(&folder, &arguments.file, &by, wall_clock::now(), &stop).map_err(|problem| -> Failure {
            match problem {
            StoreError::Held { path, holder } => format!(
                "{} is held by {holder}; end that one (`hypo stop`), restore, and start it again. Nothing was changed",
                path.display()
            )
            .into(),
            other => other.into(),
        }
        })?;
    let aside = restored.aside.map(|aside| format!("; what was there before is in {}", aside.display()));
    output::line(&format!(
        "restored {} records of {}, the audit log up to entry {}{}",
        restored.records,
        told(restored.at),
        restored.audit,
        aside.unwrap_or_default()
    ))?;
    output::line("the kill switch is ON: look what was done since, then `hypo kill --off --reason …`")?;
    Ok(Exit::Done)
}

fn told(at: Timestamp) -> String {
    at.to_datetime().format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Which file it is, and when something was last written there.
fn mark(path: &Path) -> Option<(u64, SystemTime)> {
    let facts = path.metadata().ok()?;
    Some((facts.ino(), facts.modified().ok()?))
}

/// False where what the engine wrote is certainly not here: nothing is, or what was here before and has not changed. Where nobody but
/// the engine may look it is believed.
fn may_be_written(to: &Path, before: Option<(u64, SystemTime)>) -> bool {
    match to.try_exists() {
        Ok(false) => false,
        Ok(true) => before.is_none() || mark(to) != before,
        Err(_) => true,
    }
}

/// The engine runs in another folder.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|problem| format!("{}: {problem}", path.display()).into())
}

/// What is said to the engine; a path that has no room in a line must not be cut.
fn wish(to: &Path) -> Result<Wants, Failure> {
    let path = to.to_str().ok_or_else(|| format!("{} is no text; choose another name", to.display()))?;
    let wants = Wants::Backup { path: Arc::from(path) };
    let is_whole = Hello::read(&Hello::new(wants.clone()).line()).is_ok_and(|hello| hello.wants == wants);
    if is_whole { Ok(wants) } else { Err(format!("{} is too long a path; choose a shorter one", to.display()).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_believed_unless_it_is_seen_not_to_be_there() {
        let root = tempfile::tempdir().unwrap();
        let to = root.path().join("monday");
        assert!(!may_be_written(&to, mark(&to)), "nothing is there");
        std::fs::write(&to, "that of last week").unwrap();
        let before = mark(&to);
        assert!(!may_be_written(&to, before), "it is as it was before");
        assert!(may_be_written(&to, None));
        // As an engine writes it: another file takes its place.
        std::fs::write(root.path().join("fresh"), "that of today").unwrap();
        std::fs::rename(root.path().join("fresh"), &to).unwrap();
        assert!(may_be_written(&to, before));
        // Where one may not look, nothing is known; this one has too many letters to be looked for.
        assert!(may_be_written(&root.path().join("x".repeat(300)), None));
    }
}
