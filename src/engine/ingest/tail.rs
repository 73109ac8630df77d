//! Follows a file that others write to, by polling: through rotation by renaming, through truncation in place, and while
//! the file is not there.
//!
//! What is read is the file that was opened, not the name: after a rename the old file is read to its end, and then once more, because
//! its writer may not have noticed yet. A last line without newline waits for the rest of it, until its file is given up. What was rotated
//! away between two lives of the program is found again ([`rotated`]) and read before the file itself.

mod follow;
mod rotated;

use std::collections::VecDeque;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

pub use follow::{TakenLine, follow};
use rotated::Unread;

use crate::engine::limits::{TAIL_LINE_BYTES_MAX, TAIL_READ_BYTES_MAX};

/// Bytes at the start of a file by which a rewritten file is told from a grown one.
const HEAD_BYTES: usize = 64;

/// How far a file has been read: its identity and the offset of the first byte not yet given as a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailPosition {
    /// Device of the file.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// Bytes given as lines.
    pub offset: u64,
    /// Of its first bytes and of those before the offset, by which it is known again. Positions of an earlier version have none.
    #[serde(default)]
    pub marks: Option<[u64; 2]>,
    /// When it had last been written to, in nanoseconds since 1970.
    #[serde(default)]
    pub modified_ns: Option<i64>,
}

impl TailPosition {
    /// As it is kept between two lives of the program: JSON.
    #[must_use]
    pub fn to_text(&self) -> Option<Arc<str>> {
        serde_json::to_string(self).ok().map(Arc::from)
    }

    /// Reads what [`TailPosition::to_text`] wrote; anything else counts as no position.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// What one poll gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TailRead {
    /// Whole lines, without their newline.
    pub lines: Vec<Vec<u8>>,
    /// Lines of which only the beginning was kept.
    pub cut_count: u64,
    /// True when there is more to read at once.
    pub is_behind: bool,
    /// True while there is no file of this name.
    pub is_missing: bool,
    /// True when the file that was read before is gone, with what was added to it meanwhile.
    pub is_lost: bool,
}

/// A followed file.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    open: Option<OpenFile>,
    /// Files that were rotated away unread, oldest first; they come before the one of the name.
    older: VecDeque<Unread>,
    start: Start,
    /// How far it had been read after the last poll.
    position: Option<TailPosition>,
    partial: Vec<u8>,
    /// True while the rest of a line that is too long is skipped.
    is_skipping: bool,
}

/// Where reading begins in the next file that is opened.
#[derive(Debug, Clone, Copy)]
enum Start {
    /// At its end: what was there before the first start is history.
    End,
    /// Where it was, in whatever file that is now, and from there through all that came after it.
    Kept(TailPosition),
    /// At its beginning: it came while we watched.
    Beginning,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    device: u64,
    inode: u64,
    offset: u64,
    head: Vec<u8>,
    /// True once the name has been seen to stand for another file, or none.
    is_replaced: bool,
}

impl Tail {
    /// Follows `path`: from `kept` where that is given, else from its present end.
    #[must_use]
    pub fn new(path: &Path, kept: Option<TailPosition>) -> Self {
        let start = kept.map_or(Start::End, Start::Kept);
        Self {
            path: path.to_owned(),
            open: None,
            older: VecDeque::new(),
            start,
            position: None,
            partial: Vec::new(),
            is_skipping: false,
        }
    }

    /// How far it has been read, as of the last poll.
    #[must_use]
    pub fn position(&self) -> Option<TailPosition> {
        self.position
    }

    fn find_position(&self) -> io::Result<Option<TailPosition>> {
        let Some(open) = &self.open else { return Ok(None) };
        let partial = u64::try_from(self.partial.len()).unwrap_or(0);
        let offset = open.offset.saturating_sub(partial);
        let modified_ns = Some(rotated::modified_ns(&open.file.metadata()?));
        let known = self.position.filter(|known| (known.inode, known.offset) == (open.inode, offset));
        let marks = match known {
            Some(known) => known.marks,
            None => Some(rotated::marks(&open.file, offset)?),
        };
        Ok(Some(TailPosition { device: open.device, inode: open.inode, offset, marks, modified_ns }))
    }

    /// Reads what has come, at most `TAIL_READ_BYTES_MAX` bytes of it.
    ///
    /// # Errors
    /// When the file is there and cannot be read. A file that is not there is no error.
    pub fn poll(&mut self) -> io::Result<TailRead> {
        let mut read = TailRead::default();
        if self.open.is_none() && !self.reopen(&mut read)? {
            read.is_missing = true;
            return Ok(read);
        }
        self.start_over_if_rewritten(&mut read)?;
        let taken = self.take(&mut read)?;
        read.is_behind = taken == TAIL_READ_BYTES_MAX;
        if taken == 0 {
            self.leave_if_replaced(&mut read)?;
        }
        self.position = self.find_position()?.or(self.position);
        Ok(read)
    }

    /// Opens the next file: one that was rotated away unread, or the file of the name; false where there is none.
    fn reopen(&mut self, read: &mut TailRead) -> io::Result<bool> {
        if let Some(Unread { file, offset }) = self.older.pop_front() {
            self.open = Some(OpenFile::new(file, offset)?);
            return Ok(true);
        }
        // Without O_NONBLOCK, opening a named pipe would wait for its writer.
        let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&self.path);
        let file = match opened {
            Ok(file) => file,
            Err(problem) if problem.kind() == ErrorKind::NotFound => {
                let Start::Kept(kept) = self.start else {
                    self.start = Start::Beginning;
                    return Ok(false);
                };
                let since = rotated::since(&self.path, None, &kept)?;
                if since.older.is_empty() {
                    return Ok(false);
                }
                (self.start, self.older) = (Start::Beginning, since.older.into());
                return self.reopen(read);
            }
            Err(problem) => return Err(problem),
        };
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file; name a file"));
        }
        let offset = match std::mem::replace(&mut self.start, Start::Beginning) {
            Start::End => facts.len(),
            Start::Beginning => 0,
            Start::Kept(kept) => {
                let since = rotated::since(&self.path, Some(&file), &kept)?;
                read.is_lost = since.is_lost;
                self.older = since.older.into();
                if !self.older.is_empty() {
                    // The file of the name is opened anew after these, from its beginning.
                    return self.reopen(read);
                }
                since.offset
            }
        };
        self.open = Some(OpenFile::new(file, offset)?);
        Ok(true)
    }

    /// Begins the file anew when it has become shorter, or begins otherwise than it did.
    fn start_over_if_rewritten(&mut self, read: &mut TailRead) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let mut head = vec![0; HEAD_BYTES];
        let length = read_at(&open.file, &mut head, 0)?;
        head.truncate(length);
        let is_rewritten = open.file.metadata()?.len() < open.offset || !head.starts_with(&open.head);
        open.head = head;
        if is_rewritten {
            open.offset = 0;
            self.give_up_partial(read);
        }
        Ok(())
    }

    /// Reads once and splits into lines; says how many bytes came.
    fn take(&mut self, read: &mut TailRead) -> io::Result<usize> {
        let Some(open) = &mut self.open else { return Ok(0) };
        let mut bytes = vec![0; TAIL_READ_BYTES_MAX];
        let count = read_at(&open.file, &mut bytes, open.offset)?;
        open.offset += u64::try_from(count).unwrap_or(0);
        bytes.truncate(count);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.keep(end, read);
                    self.end_line(read);
                }
                None => self.keep(piece, read),
            }
        }
        Ok(count)
    }

    /// Adds to the line that is being read, up to the limit.
    fn keep(&mut self, piece: &[u8], read: &mut TailRead) {
        let room = TAIL_LINE_BYTES_MAX.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
        if piece.len() > room && !self.is_skipping {
            self.is_skipping = true;
            read.cut_count += 1;
        }
    }

    fn end_line(&mut self, read: &mut TailRead) {
        let mut line = std::mem::take(&mut self.partial);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        self.is_skipping = false;
        if !line.is_empty() {
            read.lines.push(line);
        }
    }

    /// Gives a last line that will never be finished.
    fn give_up_partial(&mut self, read: &mut TailRead) {
        self.end_line(read);
    }

    /// At the end of the file: goes on with its successor once nothing more came after the name had changed hands.
    fn leave_if_replaced(&mut self, read: &mut TailRead) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let is_there = match std::fs::metadata(&self.path) {
            Ok(facts) if is_same(&facts, open.device, open.inode) => {
                open.is_replaced = false;
                return Ok(());
            }
            Ok(_) => true,
            Err(problem) if problem.kind() == ErrorKind::NotFound => false,
            Err(problem) => return Err(problem),
        };
        if !open.is_replaced {
            open.is_replaced = true;
            return Ok(());
        }
        read.is_missing = !is_there && self.older.is_empty();
        if !read.is_missing {
            self.give_up_partial(read);
            // With the last line given, the place is behind it.
            self.position = self.find_position()?;
            self.open = None;
            read.is_behind = true;
        }
        Ok(())
    }
}

impl OpenFile {
    fn new(file: File, offset: u64) -> io::Result<Self> {
        let facts = file.metadata()?;
        Ok(Self { file, device: facts.dev(), inode: facts.ino(), offset, head: Vec::new(), is_replaced: false })
    }
}

fn is_same(facts: &Metadata, device: u64, inode: u64) -> bool {
    facts.dev() == device && facts.ino() == inode
}

/// Reads until the buffer is full or the file ends.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + u64::try_from(count).unwrap_or(0)) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    struct Scene {
        folder: tempfile::TempDir,
        path: PathBuf,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("app.log");
            Self { folder, path }
        }

        fn append(&self, text: &str) {
            let mut file = OpenOptions::new().create(true).append(true).open(&self.path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
    }

    fn lines(tail: &mut Tail) -> Vec<String> {
        // Enough polls to see a rotation through: end of the old file, once more, the new one.
        (0..4)
            .flat_map(|_| tail.poll().unwrap().lines)
            .map(|line| String::from_utf8_lossy(&line).into_owned())
            .collect()
    }

    #[test]
    fn the_first_start_begins_at_the_end_and_the_next_where_it_was() {
        let scene = Scene::new();
        scene.append("old\n");
        let mut tail = Tail::new(&scene.path, None);
        assert!(lines(&mut tail).is_empty());
        scene.append("one\ntw");
        assert_eq!(lines(&mut tail), ["one"]);
        let kept = tail.position();
        scene.append("o\nthree\n");
        assert_eq!(lines(&mut Tail::new(&scene.path, kept)), ["two", "three"]);
        assert_eq!(lines(&mut tail), ["two", "three"]);
    }

    #[test]
    fn a_partial_line_waits_for_its_newline() {
        let scene = Scene::new();
        scene.append("");
        let mut tail = Tail::new(&scene.path, None);
        assert!(lines(&mut tail).is_empty());
        for piece in ["a", "b", "\r", "\n\n"] {
            assert!(lines(&mut tail).is_empty(), "{piece:?}");
            scene.append(piece);
        }
        assert_eq!(lines(&mut tail), ["ab"]);
    }

    #[test]
    fn rotation_by_renaming_loses_nothing() {
        let scene = Scene::new();
        scene.append("old\n");
        let mut tail = Tail::new(&scene.path, None);
        assert!(lines(&mut tail).is_empty());
        scene.append("before\n");
        let mut writer = OpenOptions::new().append(true).open(&scene.path).unwrap();
        fs::rename(&scene.path, scene.folder.path().join("app.log.1")).unwrap();
        assert_eq!(tail.poll().unwrap().lines, [b"before".to_vec()]);
        writer.write_all(b"late\nunfinished").unwrap();
        scene.append("new\n");
        assert_eq!(lines(&mut tail), ["late", "unfinished", "new"]);
    }

    #[test]
    fn truncation_in_place_starts_over() {
        let scene = Scene::new();
        scene.append("aaaa\nbbbb\n");
        let mut tail = Tail::new(&scene.path, None);
        assert!(lines(&mut tail).is_empty());
        fs::write(&scene.path, "c\n").unwrap();
        assert_eq!(lines(&mut tail), ["c"]);
        // Rewritten and already longer than before: only its beginning gives it away.
        fs::write(&scene.path, "dddd\neeee\nffff\n").unwrap();
        assert_eq!(lines(&mut tail), ["dddd", "eeee", "ffff"]);
    }

    #[test]
    fn a_missing_file_is_waited_for_and_then_read_from_its_beginning() {
        let scene = Scene::new();
        let mut tail = Tail::new(&scene.path, None);
        assert!(tail.poll().unwrap().is_missing);
        scene.append("first\n");
        assert_eq!(lines(&mut tail), ["first"]);
        fs::remove_file(&scene.path).unwrap();
        assert!(lines(&mut tail).is_empty());
        assert!(tail.poll().unwrap().is_missing);
        scene.append("second\n");
        assert_eq!(lines(&mut tail), ["second"]);
    }

    #[test]
    fn a_kept_position_of_another_file_does_not_count() {
        let scene = Scene::new();
        scene.append("one\ntwo\n");
        let kept = TailPosition { device: 0, inode: 0, offset: 4, marks: None, modified_ns: None };
        assert_eq!(lines(&mut Tail::new(&scene.path, Some(kept))), ["one", "two"]);
    }

    /// As a rotation at a later time would leave it, whatever the resolution of the file system's clock.
    fn age(path: &Path, seconds_ahead: u64) {
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(seconds_ahead)).unwrap();
    }

    /// The scene of a tail that has read `one` and was ended; what it had reached.
    fn read_one() -> (Scene, Option<TailPosition>) {
        let scene = Scene::new();
        scene.append("");
        let mut tail = Tail::new(&scene.path, None);
        assert!(lines(&mut tail).is_empty());
        scene.append("one\n");
        assert_eq!(lines(&mut tail), ["one"]);
        (scene, TailPosition::from_text(&tail.position().unwrap().to_text().unwrap()))
    }

    fn all_lines(path: &Path, kept: Option<TailPosition>) -> (Vec<String>, bool) {
        let mut tail = Tail::new(path, kept);
        let (mut all, mut is_lost, mut quiet_polls) = (Vec::new(), false, 0);
        while quiet_polls < 4 {
            let read = tail.poll().unwrap();
            is_lost |= read.is_lost;
            quiet_polls = if read.lines.is_empty() { quiet_polls + 1 } else { 0 };
            all.extend(read.lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()));
        }
        assert_eq!(Tail::new(path, tail.position()).poll().unwrap().lines, [] as [Vec<u8>; 0], "read twice");
        (all, is_lost)
    }

    #[test]
    fn what_was_rotated_away_between_two_lives_is_read_first_and_once() {
        let (scene, kept) = read_one();
        let name = |name: &str| scene.folder.path().join(name);
        fs::write(name("app.log.9"), "read long ago\n").unwrap();
        File::options().append(true).open(name("app.log.9")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        fs::write(name("app-errors.log"), "of another\n").unwrap();
        scene.append("two\nthree");
        fs::rename(&scene.path, name("app.log.2")).unwrap();
        fs::write(name("app.log.1"), "four\nfive\n").unwrap();
        scene.append("six\n");
        for (file, seconds) in [("app-errors.log", 4), ("app.log.2", 5), ("app.log.1", 6), ("app.log", 7)] {
            age(&name(file), seconds);
        }
        let expected = ["two", "three", "four", "five", "six"].map(str::to_owned).to_vec();
        assert_eq!(all_lines(&scene.path, kept), (expected, false));
    }

    #[test]
    fn a_stop_among_rotated_files_goes_on_there() {
        let (scene, kept) = read_one();
        let name = |name: &str| scene.folder.path().join(name);
        scene.append("two\n");
        fs::rename(&scene.path, name("app.log.1")).unwrap();
        scene.append("three\n");
        age(&name("app.log.1"), 5);
        age(&scene.path, 6);
        let mut first = Tail::new(&scene.path, kept);
        assert_eq!(first.poll().unwrap().lines, [b"two".to_vec()]);
        let kept = first.position();
        assert_eq!(all_lines(&scene.path, kept), (vec!["three".to_owned()], false));
    }

    #[test]
    fn a_copy_that_was_truncated_between_two_lives_is_read_from_where_it_was() {
        let (scene, kept) = read_one();
        scene.append("two\n");
        fs::copy(&scene.path, scene.folder.path().join("app.log.1")).unwrap();
        fs::write(&scene.path, "three, and longer than before\n").unwrap();
        age(&scene.folder.path().join("app.log.1"), 5);
        age(&scene.path, 6);
        let expected = ["two", "three, and longer than before"].map(str::to_owned).to_vec();
        assert_eq!(all_lines(&scene.path, kept), (expected, false));
    }

    #[test]
    fn a_number_given_to_another_file_does_not_make_it_the_one_that_was_read() {
        let (scene, kept) = read_one();
        // The same file by number and long enough, with other bytes: as when the old one was deleted and its number given away.
        fs::write(&scene.path, "new one\nnew two\n").unwrap();
        assert_eq!(all_lines(&scene.path, kept), (["new one", "new two"].map(str::to_owned).to_vec(), true));
    }

    #[test]
    fn a_packed_or_deleted_file_is_told_as_lost_and_what_came_after_it_is_read() {
        let (scene, kept) = read_one();
        let name = |name: &str| scene.folder.path().join(name);
        fs::remove_file(&scene.path).unwrap();
        fs::write(name("app.log.2.gz"), "packed").unwrap();
        fs::write(name("app.log.1"), "two\n").unwrap();
        scene.append("three\n");
        age(&name("app.log.1"), 5);
        age(&scene.path, 6);
        assert_eq!(all_lines(&scene.path, kept), (["two", "three"].map(str::to_owned).to_vec(), true));
    }

    #[test]
    fn rotated_files_are_read_though_the_next_one_is_not_there_yet() {
        let (scene, kept) = read_one();
        scene.append("two\n");
        fs::rename(&scene.path, scene.folder.path().join("app.log.1")).unwrap();
        let mut tail = Tail::new(&scene.path, kept);
        assert_eq!(lines(&mut tail), ["two"]);
        scene.append("three\n");
        assert_eq!(lines(&mut tail), ["three"]);
    }

    #[test]
    fn a_line_past_the_limit_is_cut_and_counted_once() {
        let scene = Scene::new();
        scene.append("");
        let mut tail = Tail::new(&scene.path, None);
        assert!(lines(&mut tail).is_empty());
        scene.append(&"x".repeat(3 * TAIL_LINE_BYTES_MAX));
        scene.append("\nshort\n");
        let (mut cut_count, mut lengths, mut reads) = (0, Vec::new(), 0);
        loop {
            let read = tail.poll().unwrap();
            reads += 1;
            cut_count += read.cut_count;
            lengths.extend(read.lines.iter().map(Vec::len));
            if !read.is_behind {
                break;
            }
        }
        assert_eq!((cut_count, lengths), (1, vec![TAIL_LINE_BYTES_MAX, 5]));
        assert!(reads > 10, "one poll reads a bounded amount");
    }

    #[test]
    fn what_is_no_regular_file_is_an_error_that_says_so() {
        let scene = Scene::new();
        let problem = Tail::new(scene.folder.path(), None).poll().unwrap_err();
        assert!(problem.to_string().contains("no regular file"), "{problem}");
        nix::unistd::mkfifo(&scene.path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(Tail::new(&scene.path, None).poll().is_err());
    }
}
