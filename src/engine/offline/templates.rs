//! The templates of log files: lines in, the group and template of each line out.
//!
//! Lines are read once and in order. A line's group is read back when all lines are known, because templates that were taken
//! for two may turn out to be one; no line is looked at a second time.

mod lines;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use serde_json::json;
use thiserror::Error;

use self::lines::Lines;
pub use self::lines::{LineId, SetAside};
use crate::engine::detect::log_templates::TemplateMiner;
use crate::engine::ingest::log_layout::LogLayout;
use crate::engine::model::{ServiceName, TemplateId};

/// Lines from which the layout of a log is learned.
const LAYOUT_LINES: usize = 1_000;
/// Lines that are read before they are mined, so that the mining alone is timed.
const BATCH_LINES: usize = 1_000;
/// How names of log files end; anything may follow `.log`, as rotated files have it.
const LOG_ENDINGS: [&str; 5] = [".jsonl", ".ndjson", ".log", ".txt", ".out"];

/// Why templates cannot be had.
#[derive(Debug, Error)]
pub enum TemplatesRunError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {problem}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        problem: io::Error,
    },
    /// A folder has no logs in it.
    #[error("no logs in {}; they end with .log, .txt, .jsonl or the same with .gz", path.display())]
    NoLogs {
        /// Which.
        path: PathBuf,
    },
    /// The answer would stand where the log is.
    #[error("{} is the log itself; name another place for the answer", path.display())]
    SameFile {
        /// Which.
        path: PathBuf,
    },
    /// The answer cannot be written.
    #[error("cannot write {}: {problem}", path.display())]
    Unwritable {
        /// Where.
        path: PathBuf,
        /// What the system says.
        problem: io::Error,
    },
}

/// The templates of one file.
#[derive(Debug)]
pub struct MinedLog {
    /// The file.
    pub path: PathBuf,
    /// Its name without its endings.
    pub name: String,
    /// True for JSON Lines.
    pub is_json: bool,
    /// Each line's template, in order.
    pub lines: Vec<(LineId, TemplateId)>,
    /// Text and count of each.
    pub templates: BTreeMap<TemplateId, (Arc<str>, u64)>,
    /// What was not taken as it is.
    pub set_aside: SetAside,
    /// Why the file could not be read to its end.
    pub broken_off: Option<String>,
    /// Templates that had to make room for others.
    pub evicted_count: u64,
    /// How long the mining took, without reading and writing.
    pub wall: Duration,
}

/// The logs to be read: the file itself, or those in the folder, by name. Files with labels (`*.truth.jsonl`) are none.
///
/// # Errors
/// When it cannot be listed or has no logs in it.
pub fn logs_in(path: &Path) -> Result<Vec<PathBuf>, TemplatesRunError> {
    let unreadable = |problem| TemplatesRunError::Unreadable { path: path.to_owned(), problem };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        if entry.is_file() && is_log(&file_name(&entry)) {
            found.push(entry);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(TemplatesRunError::NoLogs { path: path.to_owned() });
    }
    Ok(found)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_log(name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let is_labels = name.contains(".truth.");
    !is_labels && (LOG_ENDINGS.iter().any(|ending| name.ends_with(ending)) || name.contains(".log."))
}

/// A file's name without its endings.
fn stem(path: &Path) -> String {
    let name = file_name(path);
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    LOG_ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name).to_owned()
}

/// Mines one file; `field` is where the message of an object is, where the usual names are not meant.
///
/// # Errors
/// When it cannot be read at all.
pub fn mine(path: &Path, field: Option<&str>) -> Result<MinedLog, TemplatesRunError> {
    let unreadable = |problem| TemplatesRunError::Unreadable { path: path.to_owned(), problem };
    let mut lines = Lines::open(path, field).map_err(unreadable)?;
    let mut run = Run::new();
    let mut broken_off = None;
    let mut batch = Vec::new();
    loop {
        let next = lines.read_next();
        let is_over = !matches!(next, Ok(Some(_)));
        match next {
            Ok(Some(line)) => batch.push(line),
            Ok(None) => {}
            Err(problem) => broken_off = Some(problem.to_string()),
        }
        if is_over || batch.len() >= BATCH_LINES {
            run.mine(&mut batch);
        }
        if is_over {
            break;
        }
    }
    let (is_json, set_aside) = (lines.is_json(), lines.set_aside);
    Ok(MinedLog { path: path.to_owned(), name: stem(path), is_json, set_aside, broken_off, ..run.finish() })
}

/// Mining under way.
struct Run {
    service: ServiceName,
    miner: TemplateMiner,
    layout: Option<LogLayout>,
    lines: Vec<(LineId, TemplateId)>,
    /// Which template became part of which; templates that had to make room are forgotten by the miner.
    merges: FxHashMap<TemplateId, TemplateId>,
    /// The first text of each template.
    texts: BTreeMap<TemplateId, Arc<str>>,
    wall: Duration,
}

impl Run {
    fn new() -> Self {
        Self {
            service: ServiceName::new("log"),
            miner: TemplateMiner::new(),
            layout: None,
            lines: Vec::new(),
            merges: FxHashMap::default(),
            texts: BTreeMap::new(),
            wall: Duration::ZERO,
        }
    }

    fn mine(&mut self, batch: &mut Vec<(LineId, String)>) {
        let begun = Instant::now();
        let layout = self
            .layout
            .get_or_insert_with(|| LogLayout::learn(batch.iter().take(LAYOUT_LINES).map(|(_, text)| text.as_str())));
        self.lines.reserve(batch.len());
        for (id, text) in batch.drain(..) {
            let mined = self.miner.observe(&self.service, layout.message(&text));
            self.lines.push((id, mined.template));
            if self.texts.last_key_value().is_none_or(|(last, _)| *last < mined.template) {
                self.texts.insert(mined.template, mined.text);
            }
        }
        self.merges.extend(self.miner.take_merges());
        self.wall += begun.elapsed();
    }

    fn finish(mut self) -> MinedLog {
        let begun = Instant::now();
        self.miner.retell_all();
        let mut lines = std::mem::take(&mut self.lines);
        for (_, template) in &mut lines {
            // Merges lead to ever older templates, so this ends.
            while let Some(into) = self.merges.get(template) {
                *template = *into;
            }
        }
        let mut templates: BTreeMap<TemplateId, (Arc<str>, u64)> = BTreeMap::new();
        for (_, template) in &lines {
            let (_, count) = templates.entry(*template).or_insert_with(|| {
                let known = self.miner.get(*template).map(|(_, text)| text.clone());
                let text = known.or_else(|| self.texts.get(template).cloned());
                (text.unwrap_or_else(|| Arc::from("")), 0)
            });
            *count += 1;
        }
        MinedLog {
            path: PathBuf::new(),
            name: String::new(),
            is_json: false,
            lines,
            templates,
            set_aside: SetAside::default(),
            broken_off: None,
            evicted_count: self.miner.evicted_count(),
            wall: self.wall + begun.elapsed(),
        }
    }
}

impl MinedLog {
    /// Writes `{"id","group","template"}` for each line, and beside it `<name>.time.json` with the time it took: into the
    /// folder `out` where `is_folder`, else to the file `out`.
    ///
    /// # Errors
    /// When that cannot be written, or would replace the log.
    pub fn write(&self, out: &Path, is_folder: bool) -> Result<(), TemplatesRunError> {
        let (answer, time) = if is_folder {
            (out.join(format!("{}.jsonl", self.name)), out.join(format!("{}.time.json", self.name)))
        } else {
            (out.to_owned(), out.with_extension("time.json"))
        };
        if fs::canonicalize(&answer).is_ok_and(|there| fs::canonicalize(&self.path).is_ok_and(|log| log == there)) {
            return Err(TemplatesRunError::SameFile { path: answer });
        }
        let unwritable = |path: &Path, problem| TemplatesRunError::Unwritable { path: path.to_owned(), problem };
        self.write_lines(&answer).map_err(|problem| unwritable(&answer, problem))?;
        let wall_ms = self.wall.as_secs_f64() * 1e3;
        let told = json!({"wall_ms": wall_ms, "lines": self.lines.len(), "templates": self.templates.len()});
        fs::write(&time, format!("{told}\n")).map_err(|problem| unwritable(&time, problem))
    }

    fn write_lines(&self, path: &Path) -> io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        for (id, template) in &self.lines {
            let id = match id {
                LineId::Number(number) => json!(number),
                LineId::Text(text) => json!(text),
            };
            let text = self.templates.get(template).map_or("", |(text, _)| text);
            writeln!(out, "{}", json!({"id": id, "group": template.0, "template": text}))?;
        }
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_have_the_group_that_is_known_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let names = ["amber", "birch", "cedar", "doves", "elder", "fable", "gourd", "hazel", "iris"];
        let lines: Vec<String> =
            names.iter().map(|name| format!("2026-11-21 14:31:45 INFO the shelf of {name} is now empty")).collect();
        fs::write(&path, lines.join("\n")).unwrap();
        let mined = mine(&path, None).unwrap();
        assert_eq!(mined.templates.len(), 1);
        assert_eq!(mined.templates[&TemplateId(1)], (Arc::from("the shelf of <*> is now empty"), 9));
        mined.write(folder.path(), true).unwrap();
        let written = fs::read_to_string(folder.path().join("app.jsonl")).unwrap();
        assert_eq!(written.lines().nth(8), Some(r#"{"group":1,"id":9,"template":"the shelf of <*> is now empty"}"#));
        assert!(folder.path().join("app.time.json").exists());
    }

    #[test]
    fn a_packed_file_that_was_cut_off_gives_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log.gz");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        packed.write_all("job 7 done\n".repeat(20_000).as_bytes()).unwrap();
        let bytes = packed.finish().unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let mined = mine(&path, None).unwrap();
        assert!(mined.broken_off.is_some() && mined.lines.len() > 1_000, "{}", mined.lines.len());
        assert_eq!(mined.name, "app");
    }

    #[test]
    fn a_folder_gives_its_logs_and_never_the_labels() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(logs_in(folder.path()), Err(TemplatesRunError::NoLogs { .. })));
        assert!(matches!(logs_in(&folder.path().join("none")), Err(TemplatesRunError::Unreadable { .. })));
        for name in ["a.jsonl.gz", "a.truth.jsonl.gz", "index.json", "b.log", "c.log.1", "d.csv"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<String> = logs_in(folder.path()).unwrap().iter().map(|path| file_name(path)).collect();
        assert_eq!(names, ["a.jsonl.gz", "b.log", "c.log.1"]);
        assert_eq!(mine(&folder.path().join("b.log"), None).unwrap().lines.len(), 0);
    }
}
