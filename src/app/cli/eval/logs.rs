//! `hypo eval logs`: the templates of labelled logs, as `hypo templates` finds them, against the labels; once from the
//! messages and once from whole lines.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::app::arguments::EvalArguments;
use crate::app::cli::progress::Progress;
use crate::app::cli::table::{Cell, Table};
use crate::app::cli::{Exit, Failure, output};
use crate::engine::evaluate::logs::{Answer, Label, LogFigures, figures};
use crate::engine::model::TemplateId;
use crate::engine::offline::templates::{self, LineId, MinedLog};

/// A line of a file with labels.
#[derive(Deserialize)]
struct LabelLine {
    id: u64,
    event: serde_json::Value,
    #[serde(default)]
    template: Option<String>,
}

/// One system of the bench.
struct System {
    name: String,
    lines: PathBuf,
    labels: Vec<Label<LineId>>,
}

pub(in crate::app::cli) fn run(arguments: &EvalArguments) -> Result<Exit, Failure> {
    let (systems, is_whole) = systems(&arguments.dir)?;
    let mut progress = Progress::new(2 * systems.len());
    let mut tables = Vec::new();
    for (title, field) in [("log templates from messages", "content"), ("log templates from whole lines", "raw")] {
        let mut table = table(title);
        let mut all = Vec::new();
        let mut speeds = Vec::new();
        for system in &systems {
            let mined = templates::mine(&system.lines, Some(field))?;
            if !mined.lines.is_empty() {
                let found = figures(&system.labels, &answers(&mined));
                let speed = mined.lines.len() as f64 / mined.wall.as_secs_f64();
                table.push(row(&system.name, &found, speed));
                all.push(found);
                speeds.push(speed);
            }
            progress.step(&system.name);
        }
        let speed = speeds.iter().sum::<f64>() / speeds.len().max(1) as f64;
        table.push(row("mean", &LogFigures::mean(&all), speed));
        tables.push(table);
    }
    drop(progress);
    if arguments.json {
        output::json(&tables)?;
    } else {
        tables.iter().try_for_each(Table::print)?;
    }
    Ok(if is_whole { Exit::Done } else { Exit::Found })
}

/// Every file of lines that has labels beside it, in the folder or in its `data`, and whether all could be read.
fn systems(dir: &Path) -> Result<(Vec<System>, bool), Failure> {
    let inner = dir.join("data");
    let dir = if inner.is_dir() { &inner } else { dir };
    let (mut systems, mut is_whole) = (Vec::new(), true);
    for lines in templates::logs_in(dir)? {
        let file = lines.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(name) = file.split(".jsonl").next().filter(|name| name.len() < file.len()) else { continue };
        let labels = [format!("{name}.truth.jsonl.gz"), format!("{name}.truth.jsonl")];
        let Some(labels) = labels.into_iter().map(|file| dir.join(file)).find(|path| path.is_file()) else { continue };
        match read_labels(&labels) {
            Ok(labels) => systems.push(System { name: name.to_owned(), lines, labels }),
            Err(problem) => {
                output::complain(&problem.to_string());
                is_whole = false;
            }
        }
    }
    if systems.is_empty() {
        return Err(format!("no lines with labels (X.jsonl with X.truth.jsonl) in {}", dir.display()).into());
    }
    Ok((systems, is_whole))
}

fn read_labels(path: &Path) -> Result<Vec<Label<LineId>>, Failure> {
    let cannot = |problem: String| format!("cannot read {}: {problem}", path.display());
    let bytes = fs::read(path).map_err(|problem| cannot(problem.to_string()))?;
    let text = if bytes.starts_with(&[0x1f, 0x8b]) {
        std::io::read_to_string(flate2::read::MultiGzDecoder::new(bytes.as_slice()))
    } else {
        std::io::read_to_string(bytes.as_slice())
    };
    let text = text.map_err(|problem| cannot(problem.to_string()))?;
    let mut labels = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let read: LabelLine =
            serde_json::from_str(line).map_err(|problem| cannot(format!("line {}: {problem}", number + 1)))?;
        labels.push(Label {
            id: LineId::Number(read.id),
            event: read.event.to_string(),
            template: read.template.unwrap_or_default(),
        });
    }
    Ok(labels)
}

fn answers(mined: &MinedLog) -> Vec<Answer<LineId>> {
    let answer = |(id, template): &(LineId, TemplateId)| Answer {
        id: id.clone(),
        group: template.0,
        template: mined.templates.get(template).map_or(String::new(), |(text, _)| text.to_string()),
    };
    mined.lines.iter().map(answer).collect()
}

fn table(title: &str) -> Table {
    Table::new(title, &["system", "lines", "events", "groups", "GA", "FGA", "PA", "FTA", "lines/s"])
}

fn row(name: &str, found: &LogFigures, speed: f64) -> Vec<Cell> {
    let count = |count: usize| Cell::Figure(count as f64, 0);
    let share = |share: f64| Cell::Figure(share, 3);
    vec![
        name.into(),
        count(found.line_count),
        count(found.event_count),
        count(found.group_count),
        share(found.ga),
        share(found.fga),
        share(found.pa),
        share(found.fta),
        Cell::Figure(speed, 0),
    ]
}
