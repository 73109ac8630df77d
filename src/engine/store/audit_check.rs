//! Reads the whole audit log as it is on disk, over all of its files, also while an engine writes to it.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::audit_file::{HEAD_FILE, LOG_FILE};
use super::audit_segments::{Sealed, Segments};
use crate::engine::audit::chain::Link;
use crate::engine::audit::head::Head;
use crate::engine::audit::letting_go;
use crate::engine::audit::verify::{Point, Reading, Start, Verdict};
use crate::engine::model::AuditEntry;

/// How often the files are looked for anew where some were let go in between.
const ATTEMPTS: usize = 5;

/// Reads the log in `folder` to its end against its own head and, where there are any, heads that were kept elsewhere.
///
/// # Errors
/// When the open file cannot be read; of a sealed one that is a finding.
pub fn check(folder: &Path, kept_elsewhere: &[Head]) -> io::Result<Verdict> {
    let mut points: Vec<Point> = kept_elsewhere.iter().map(Point::kept_elsewhere).collect();
    // Before the log: one who writes meanwhile appends to it.
    let head = head(folder);
    points.extend(head.as_ref().ok().and_then(Option::as_ref).map(Point::end));
    let files = Files::open(&|| open_file(folder), folder)?;
    let anchor = files.anchor.as_ref().ok().and_then(Option::as_ref).map(|head| head.end.clone());
    let mut is_told = false;
    let mut verdict = files.read(&points, &mut |link| {
        is_told |= anchor.as_ref().is_some_and(|end| letting_go::is_told_by(&link.entry, end));
    })?;
    verdict.let_go = anchor.as_ref().filter(|_| is_told).map_or(0, |end| end.sequence);
    if let Some(end) = anchor.filter(|_| !is_told) {
        let why = format!("entries up to {} are gone, and the log does not say that they were let go", end.sequence);
        verdict.miss_up_to(end.sequence, &why);
    }
    match head {
        Err(problem) => verdict.doubt_head(&format!("{HEAD_FILE}: {problem}")),
        Ok(None) if verdict.bytes > 0 => {
            verdict.doubt_head(&format!("{HEAD_FILE} is missing: the end is not signed"));
        }
        Ok(_) => {}
    }
    Ok(verdict)
}

/// Hands every intact entry of the log in `folder` to `take`, and says whether the log is whole.
///
/// # Errors
/// When its open file cannot be read.
pub fn read(folder: &Path, take: &mut dyn FnMut(&AuditEntry)) -> io::Result<Verdict> {
    Files::open(&|| open_file(folder), folder)?.read(&[], &mut |link| take(&link.entry))
}

/// The signed end in `folder`; `None` where there is none.
///
/// # Errors
/// When it cannot be read, or proves nothing.
pub fn head(folder: &Path) -> Result<Option<Head>, String> {
    match std::fs::read_to_string(folder.join(HEAD_FILE)) {
        Ok(text) => Head::read(&text).map(Some).map_err(|problem| problem.to_string()),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(problem.to_string()),
    }
}

/// A sealed file with its signed end. One that cannot be opened is told of where it is read.
struct Found {
    sealed: Sealed,
    head: Result<Head, String>,
    file: io::Result<File>,
}

/// All files of a log, open, as of one moment.
pub(super) struct Files {
    anchor: Result<Option<Head>, String>,
    begins_after: Start,
    sealed: Vec<Found>,
    open: Option<File>,
}

impl Files {
    /// The open one first, by `open_log`: where it is sealed meanwhile, it is found among the others, and looked for anew, as what the
    /// next one says of those that go is not known then.
    pub(super) fn open(open_log: &dyn Fn() -> io::Result<Option<File>>, folder: &Path) -> io::Result<Self> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let open = open_log()?;
            let segments = Segments::list(folder)?;
            let begins_after = Start::after(&segments.begins_after());
            // The log after its end, which goes after it.
            let with_file = |sealed: Sealed| {
                let head = sealed.head();
                let file = File::open(sealed.log());
                Found { sealed, head, file }
            };
            let sealed: Vec<Found> = segments.sealed.into_iter().map(with_file).collect();
            let is_gone = |one: &Found| matches!(&one.file, Err(problem) if problem.kind() == io::ErrorKind::NotFound);
            let is_sealed = open.as_ref().map_or(Ok(false), |open| is_among(open, &sealed))?;
            if attempts < ATTEMPTS && (is_sealed || sealed.iter().any(is_gone)) {
                continue;
            }
            let open = open.filter(|_| !is_sealed);
            return Ok(Self { anchor: segments.anchor, begins_after, sealed, open });
        }
    }

    pub(super) fn read(self, points: &[Point], take: &mut dyn FnMut(&Link)) -> io::Result<Verdict> {
        let mut reading = Reading::new(&self.begins_after, points);
        let mut take = |link: &Link, _: u64| take(link);
        for Found { sealed, head, file } in self.sealed {
            let name = sealed.name();
            let read = file
                .and_then(|file| reading.read(Some(&name), &mut BufReader::with_capacity(1 << 16, file), &mut take));
            // What is after it can be read all the same.
            if let Err(problem) = read {
                reading.break_off(&name, &problem);
            }
            reading.seal(&head);
        }
        match self.open {
            Some(file) => reading.read(None, &mut BufReader::with_capacity(1 << 16, file), &mut take)?,
            None => reading.read(None, &mut io::empty(), &mut take)?,
        }
        let mut verdict = reading.end();
        if let Err(problem) = self.anchor {
            verdict.doubt_head(&problem);
        }
        Ok(verdict)
    }
}

fn open_file(folder: &Path) -> io::Result<Option<File>> {
    match File::open(folder.join(LOG_FILE)) {
        Ok(file) => Ok(Some(file)),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn is_among(open: &File, sealed: &[Found]) -> io::Result<bool> {
    let of = |file: &File| file.metadata().map(|facts| (facts.dev(), facts.ino()));
    let wanted = of(open)?;
    for file in sealed.iter().filter_map(|one| one.file.as_ref().ok()) {
        if of(file)? == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}
