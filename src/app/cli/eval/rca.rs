//! `hypo eval rca`: every case of one suite or of a folder of suites, answered as `hypo rca` does, against the truth.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::app::arguments::EvalRcaArguments;
use crate::app::cli::progress::Progress;
use crate::app::cli::table::{Cell, Table};
use crate::app::cli::{Exit, Failure, output};
use crate::engine::evaluate::rca::Scores;
use crate::engine::offline::rca;

pub(in crate::app::cli) fn run(arguments: &EvalRcaArguments) -> Result<Exit, Failure> {
    let mut ranks = ranks_table();
    let mut sure = sure_table();
    for suite in suites(&arguments.of.dir)? {
        let name = suite.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
        let scores = suite_scores(&suite)?;
        if arguments.cases {
            tell_cases(&scores)?;
        }
        ranks.push(ranks_row(&name, &scores));
        sure.push(sure_row(&name, &scores));
    }
    if arguments.of.json {
        output::json(&[ranks, sure])?;
    } else {
        ranks.print()?;
        output::line("")?;
        sure.print()?;
    }
    Ok(Exit::Done)
}

/// The folder itself where it is a suite, else the suites in it, by name.
fn suites(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    if dir.join("truth.json").exists() {
        return Ok(vec![dir.to_owned()]);
    }
    let entries = fs::read_dir(dir).map_err(|problem| format!("cannot read {}: {problem}", dir.display()))?;
    let mut found: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.join("truth.json").exists()).collect();
    found.sort();
    if found.is_empty() {
        return Err(format!("no truth.json in {} or in a folder of it", dir.display()).into());
    }
    Ok(found)
}

fn json(path: &Path) -> Result<Value, Failure> {
    let bytes = fs::read(path).map_err(|problem| format!("cannot read {}: {problem}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|problem| format!("{}: {problem}", path.display()).into())
}

fn suite_scores(suite: &Path) -> Result<Scores, Failure> {
    let truth = json(&suite.join("truth.json"))?;
    let cases = truth["cases"]
        .as_object()
        .ok_or_else(|| format!("{}: no object `cases`", suite.join("truth.json").display()))?;
    let mut scores = Scores::default();
    let mut progress = Progress::new(cases.len());
    for (id, truth) in cases {
        let folder = suite.join("cases").join(id);
        let listed = json(&folder.join("case.json")).unwrap_or(Value::Null);
        match rca::answer(&folder) {
            Ok(answered) => scores.add(id, truth, Some(&answered.json), &listed["changes"]),
            Err(problem) => {
                output::complain(&problem.to_string());
                scores.add(id, truth, None, &listed["changes"]);
            }
        }
        progress.step(id);
    }
    Ok(scores)
}

fn tell_cases(scores: &Scores) -> Result<(), Failure> {
    for (id, rank) in &scores.per_case {
        let rank = rank.map_or("not named".to_owned(), |rank| format!("rank {rank}"));
        output::line(&format!("{id}  {rank}"))?;
    }
    Ok(output::line("")?)
}

fn ranks_table() -> Table {
    let columns = [
        "suite",
        "cases",
        "AC@1",
        "AC@3",
        "Avg@5",
        "MRR",
        "copy AC@1",
        "metric AC@1",
        "change AC@1",
        "decoys",
        "kind",
        "p50 ms",
        "p95 ms",
    ];
    Table::new("root cause: where the right answer stands", &columns)
}

fn sure_table() -> Table {
    let columns =
        ["suite", "ECE", "Brier", "AURC", "right of >= 85 %", "share there", "right of >= 65 %", "share there"];
    Table::new("root cause: what the confidence of the first answer is worth", &columns)
}

fn figure(value: Option<f64>, decimals: usize) -> Cell {
    value.map_or(Cell::None, |value| Cell::Figure(value, decimals))
}

fn count(value: usize) -> Cell {
    Cell::Figure(value as f64, 0)
}

fn ranks_row(name: &str, scores: &Scores) -> Vec<Cell> {
    let first = |level: &crate::engine::evaluate::rca::Level| figure(level.measured(1), 3);
    let (right, named) = scores.kinds;
    vec![
        name.into(),
        count(scores.case_count),
        Cell::Figure(scores.service.accuracy(1), 3),
        Cell::Figure(scores.service.accuracy(3), 3),
        Cell::Figure(scores.service.average_at_5(), 3),
        Cell::Figure(scores.service.mrr(), 3),
        first(&scores.instance),
        first(&scores.metric),
        first(&scores.change),
        if scores.change.ranks.is_empty() { Cell::None } else { count(scores.decoys) },
        if named == 0 { Cell::None } else { Cell::Figure(right as f64 / named as f64, 3) },
        figure(scores.wall_at(0.5), 1),
        figure(scores.wall_at(0.95), 1),
    ]
}

fn sure_row(name: &str, scores: &Scores) -> Vec<Cell> {
    let confidence = &scores.confidence;
    let total = confidence.answers.len().max(1) as f64;
    let mut row = vec![
        name.into(),
        Cell::Figure(confidence.ece(), 3),
        Cell::Figure(confidence.brier(), 3),
        Cell::Figure(confidence.aurc(), 3),
    ];
    for floor in [0.85, 0.65] {
        let (sure, right) = confidence.from(floor);
        row.extend([figure(right, 3), Cell::Figure(sure as f64 / total, 3)]);
    }
    row
}
