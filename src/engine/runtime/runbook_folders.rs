//! Folders with runbooks of one's own: read again whenever a file in them changes, comes or goes.

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::engine::input::{RunbookFile, RunbookFiles};
use crate::engine::snapshot::FileProblem;

/// A page larger than this is none.
const PAGE_BYTES_MAX: u64 = 1 << 20;

/// What a file looked like from outside: enough to see that it changed.
type Mark = (PathBuf, Option<(SystemTime, u64)>);

/// The folders, and what they looked like last.
#[derive(Debug)]
pub struct RunbookFolders {
    folders: Vec<PathBuf>,
    marks: Vec<Mark>,
}

impl RunbookFolders {
    /// Nothing has been read yet.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, marks: Vec::new() }
    }

    /// Everything there is, where it differs from what the last look found; the first look finds what is there.
    pub fn look(&mut self) -> Option<RunbookFiles> {
        let marks: Vec<Mark> = self.folders.iter().flat_map(|folder| marks(folder)).collect();
        if marks == self.marks {
            return None;
        }
        self.marks = marks;
        let mut own = RunbookFiles::default();
        for (path, _) in &self.marks {
            match read(path) {
                Ok(None) => {}
                Ok(Some(file)) => own.files.push(file),
                Err(text) => own.problems.push(FileProblem {
                    file: Arc::from(path.display().to_string()),
                    line: 0,
                    text: Arc::from(text),
                }),
            }
        }
        Some(own)
    }
}

/// The folder itself and its pages, in order of names; a folder that cannot be read is known by its path alone.
fn marks(folder: &Path) -> Vec<Mark> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![(folder.to_path_buf(), None)] };
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    let mark = |file: PathBuf| {
        let seen = std::fs::metadata(&file).ok();
        let seen = seen.and_then(|seen| seen.modified().ok().map(|modified| (modified, seen.len())));
        (file, seen)
    };
    files.into_iter().map(mark).collect()
}

/// A page; `None` where it went since it was seen.
fn read(path: &Path) -> Result<Option<RunbookFile>, String> {
    if path.extension().is_none_or(|extension| extension != "md") {
        let problem = std::fs::read_dir(path).err().map_or_else(String::new, |problem| problem.to_string());
        return Err(format!("the folder cannot be read: {problem}"));
    }
    match read_page(path) {
        Ok(text) if text.len() as u64 > PAGE_BYTES_MAX => {
            Err(format!("it has more than {PAGE_BYTES_MAX} bytes; that is more than a page has"))
        }
        Ok(text) => Ok(Some(RunbookFile { file: Arc::from(path.display().to_string()), text: Arc::from(text) })),
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(format!("it cannot be read: {problem}")),
    }
}

/// Reads a plain file and no further than one byte past what a page may have: a pipe of that name would hold the engine up
/// for ever, and a device would never end.
fn read_page(path: &Path) -> std::io::Result<String> {
    let file = std::fs::File::options().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no plain file"));
    }
    let mut text = String::new();
    file.take(PAGE_BYTES_MAX + 1).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_change_is_seen_once_and_only_pages_count() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("a.md");
        std::fs::write(&file, "one").unwrap();
        std::fs::write(home.path().join("notes.txt"), "no page").unwrap();
        let mut folders = RunbookFolders::new(vec![home.path().to_path_buf()]);
        let texts = |own: RunbookFiles| own.files.iter().map(|file| file.text.to_string()).collect::<Vec<_>>();
        assert_eq!(folders.look().map(texts), Some(vec!["one".to_owned()]));
        assert_eq!(folders.look(), None);
        std::fs::write(&file, "three").unwrap();
        assert_eq!(folders.look().map(texts), Some(vec!["three".to_owned()]));
        // Of the same length, later.
        std::fs::write(&file, "eight").unwrap();
        let later = std::fs::metadata(&file).unwrap().modified().unwrap() + Duration::from_secs(5);
        std::fs::File::options().append(true).open(&file).unwrap().set_modified(later).unwrap();
        assert_eq!(folders.look().map(texts), Some(vec!["eight".to_owned()]));
        std::fs::write(home.path().join("b.md"), "new").unwrap();
        assert_eq!(folders.look().map(texts), Some(vec!["eight".to_owned(), "new".to_owned()]));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(folders.look().map(texts), Some(vec!["new".to_owned()]));
        std::fs::remove_dir_all(home.path()).unwrap();
        let gone = folders.look().unwrap();
        assert_eq!(gone.files, []);
        assert!(gone.problems[0].text.contains("cannot be read"), "{gone:?}");
        assert_eq!(folders.look(), None);
    }

    #[test]
    fn what_is_no_page_is_a_problem_and_holds_nothing_up() {
        let home = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&home.path().join("pipe.md"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/dev/zero", home.path().join("zero.md")).unwrap();
        std::fs::create_dir(home.path().join("folder.md")).unwrap();
        std::fs::write(home.path().join("large.md"), vec![b'x'; (1 << 20) + 1]).unwrap();
        std::fs::write(home.path().join("page.md"), "page").unwrap();
        let own = RunbookFolders::new(vec![home.path().to_path_buf()]).look().unwrap();
        assert_eq!(own.files.len(), 1);
        let problems: Vec<(bool, bool)> =
            own.problems.iter().map(|it| (it.text.contains("no plain file"), it.text.contains("bytes"))).collect();
        assert_eq!(problems, [(true, false), (false, true), (true, false), (true, false)], "{:?}", own.problems);
    }

    #[test]
    fn without_folders_there_is_nothing_to_tell() {
        assert_eq!(RunbookFolders::new(Vec::new()).look(), None);
    }
}
