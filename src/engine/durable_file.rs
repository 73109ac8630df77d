//! Files that are replaced as a whole, and stay what they were replaced by across a power cut.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a file beside, waits for the disk, renames it, and waits for the folder: until that is on disk the old file may
/// come back. Readers see the one or the other whole.
///
/// # Errors
/// When the folder cannot be written to; the file is then what it was, unless only the last wait has failed.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Of this process alone: another one's half must never be renamed in place of ours.
    let fresh = path.with_extension(format!("new-{}", nix::unistd::getpid()));
    let mut file = private().write(true).create(true).truncate(true).open(&fresh)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        // What cannot be taken away either is left for the next try to overwrite.
        let _left = fs::remove_file(&fresh);
    }
    written?;
    sync_folder(path)
}

/// Waits until the folder of this file has its names on disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Opens for this user only, and follows no link.
#[must_use]
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits());
    options
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("word");
        for text in ["a longer word", "word", ""] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_cannot_be_written_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("word");
        replace(&path, b"old").unwrap();
        fs::create_dir(path.with_extension(format!("new-{}", nix::unistd::getpid()))).unwrap();
        assert!(replace(&path, b"new").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }
}
