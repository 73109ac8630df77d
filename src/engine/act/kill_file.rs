//! The kill file: one small file by which anybody on the machine can stop every act, also with the engine hung, the store
//! broken or the disk full of everything else. That it is there means stop, unless it says that it is off.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::clock::Timestamp;
use crate::engine::durable_file;
use crate::engine::input::KillWord;

/// Its name in the folder of the engine's state.
const NAME: &str = "kill";
/// More than this is no word of ours, and means stop.
const BYTES_MAX: u64 = 65_536;

/// The kill file of one engine.
#[derive(Debug, Clone)]
pub struct KillFile {
    path: PathBuf,
}

impl KillFile {
    /// The file in the folder of an engine's state.
    #[must_use]
    pub fn of(state_dir: &Path) -> Self {
        Self { path: state_dir.join(NAME) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; `None` where there is none. A file that cannot be read or says nothing known means stop. Of a word
    /// that does not say when it was written, the file does.
    #[must_use]
    pub fn read(&self) -> Option<KillWord> {
        let stop = |reason: String| Some(KillWord::On { by: Arc::from("kill file"), reason: Arc::from(reason) });
        let facts = match std::fs::symlink_metadata(&self.path) {
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return None,
            Err(problem) => return stop(format!("{} cannot be looked at: {problem}", self.path.display())),
            Ok(facts) if !facts.is_file() || facts.len() > BYTES_MAX => {
                return stop(format!("{} is there", self.path.display()));
            }
            Ok(facts) => facts,
        };
        match std::fs::read_to_string(&self.path) {
            Err(problem) => stop(format!("{} cannot be read: {problem}", self.path.display())),
            Ok(text) => match serde_json::from_str(&text) {
                Ok(KillWord::Off { by, reason, at: None }) => {
                    Some(KillWord::Off { by, reason, at: Some(Timestamp(facts.mtime().saturating_mul(1_000))) })
                }
                Ok(word) => Some(word),
                Err(_) if text.trim().is_empty() => stop(format!("{} is there", self.path.display())),
                // Whoever wrote it by hand wrote why.
                Err(_) => stop(text.lines().next().unwrap_or_default().chars().take(200).collect()),
            },
        }
    }

    /// Makes it say this, whole or not at all. Where it cannot be made to say stop, it says nothing any more: an older
    /// word that acts may begin must not outlive the order to stop.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write(&self, word: &KillWord) -> std::io::Result<()> {
        let written = self.replace(word);
        if written.is_err() && matches!(word, KillWord::On { .. }) && !self.is_on() {
            match std::fs::remove_file(&self.path) {
                // There was none; why it could not be written is what counts.
                Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {}
                removed => {
                    removed?;
                    // A power cut would bring it back.
                    durable_file::wait_for_names(self.path.parent().unwrap_or(Path::new(".")))?;
                }
            }
        }
        written
    }

    fn replace(&self, word: &KillWord) -> std::io::Result<()> {
        durable_file::replace(&self.path, serde_json::to_string(word)?.as_bytes())
    }

    /// True where it says stop.
    #[must_use]
    pub fn is_on(&self) -> bool {
        matches!(self.read(), Some(KillWord::On { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_stops_unless_it_says_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let file = KillFile::of(folder.path());
        assert_eq!(file.read(), None);
        for text in ["", "\n", "smoke in rack 4", "{\"off\":", "{}"] {
            std::fs::write(file.path(), text).unwrap();
            assert!(file.is_on(), "{text:?}");
        }
        let off = KillWord::Off { by: Arc::from("ana"), reason: Arc::from("looked at it"), at: Some(Timestamp(7)) };
        file.write(&off).unwrap();
        assert_eq!(file.read(), Some(off));
        assert!(!file.is_on());
        file.write(&KillWord::On { by: Arc::from("ana"), reason: Arc::from("again") }).unwrap();
        assert!(file.is_on());
    }

    #[test]
    fn a_word_that_does_not_say_when_is_as_old_as_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = KillFile::of(folder.path());
        std::fs::write(file.path(), r#"{"off":{"by":"ana","reason":"a kettle"}}"#).unwrap();
        let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        std::fs::File::options().write(true).open(file.path()).unwrap().set_modified(then).unwrap();
        let Some(KillWord::Off { at, .. }) = file.read() else { panic!("it says off") };
        assert_eq!(at, Some(Timestamp(1_700_000_000_000)));
    }

    #[test]
    fn an_order_to_stop_that_cannot_be_written_takes_an_older_word_away() {
        let folder = tempfile::tempdir().unwrap();
        let file = KillFile::of(folder.path());
        file.write(&KillWord::Off { by: Arc::from("ana"), reason: Arc::from("looked at it"), at: Some(Timestamp(7)) })
            .unwrap();
        std::fs::create_dir(folder.path().join(format!("kill.new-{}", nix::unistd::getpid()))).unwrap();
        let stop = KillWord::On { by: Arc::from("bob"), reason: Arc::from("smoke") };
        let (written, waits) = durable_file::waits::during(folder.path(), || file.write(&stop));
        assert!(written.is_err());
        assert_eq!(waits, [""], "a power cut brings the older word back");
        assert_eq!(file.read(), None, "the next start does not read that it is off");
    }

    #[test]
    fn a_folder_or_link_in_its_place_stops_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = KillFile::of(folder.path());
        std::fs::create_dir(file.path()).unwrap();
        assert!(file.is_on());
        std::fs::remove_dir(file.path()).unwrap();
        std::os::unix::fs::symlink("/nowhere", file.path()).unwrap();
        assert!(file.is_on());
    }
}
