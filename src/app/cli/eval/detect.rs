//! `hypo eval detect`: the figures of the series scorer on labelled sets, beside those of others where they lie there.

use std::path::Path;
use std::time::Instant;

use crate::app::arguments::EvalArguments;
use crate::app::cli::progress::Progress;
use crate::app::cli::table::{Cell, Table};
use crate::app::cli::{Exit, Failure, output};
use crate::engine::evaluate::detect::{Figures, Judged, Labels, evaluate};
use crate::engine::offline::detect::{SeriesError, score_table};

/// Others are shown that are among so many best in one of the leading figures.
const BEST: usize = 2;

pub(in crate::app::cli) fn run(arguments: &EvalArguments) -> Result<Exit, Failure> {
    let folder = &arguments.dir;
    let peers = peers(&folder.join("peers.csv"));
    let mut exit = Exit::Done;
    let mut tables = Vec::new();
    for path in label_files(&folder.join("labels"))? {
        let text = std::fs::read_to_string(&path).map_err(|problem| format!("{}: {problem}", path.display()))?;
        let labels: Labels = serde_json::from_str(&text).map_err(|problem| format!("{}: {problem}", path.display()))?;
        let started = Instant::now();
        let (series, failed) = judge(&labels, &folder.join("data").join(&labels.name));
        let spent = started.elapsed().as_secs_f64();
        if failed > 0 {
            exit = Exit::Found;
        }
        if series.is_empty() {
            output::complain(&format!("{}: no series of it could be scored", labels.name));
            continue;
        }
        tables.push(table(&labels, &evaluate(&labels, &series), spent, &peers));
    }
    if tables.is_empty() {
        return Err(
            format!("nothing to measure in {}: labels/NAME.json and data/NAME are needed", folder.display()).into()
        );
    }
    if arguments.json {
        output::json(&tables)?;
    } else {
        tables.iter().try_for_each(Table::print)?;
    }
    Ok(exit)
}

/// The label files of a folder, in order.
fn label_files(folder: &Path) -> Result<Vec<std::path::PathBuf>, Failure> {
    let entries = folder.read_dir().map_err(|problem| format!("{}: {problem}", folder.display()))?;
    let mut files: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

/// Scores the series of a set; gives those that could be judged and how many could not.
fn judge(labels: &Labels, data: &Path) -> (Vec<Judged>, usize) {
    let mut progress = Progress::new(labels.series.len());
    let (mut judged, mut failed) = (Vec::new(), 0);
    for (name, series) in &labels.series {
        let (mut times, mut scores) = (Vec::new(), Vec::new());
        let outcome = score_table(&data.join(name), |row| {
            times.push(row.at_s);
            scores.push(row.score);
            Ok::<(), SeriesError>(())
        });
        progress.step(name);
        match outcome.map(|_| Judged::new(series, &times, scores)) {
            Ok(Some(one)) => judged.push(one),
            Ok(None) => {
                failed += 1;
                output::complain(&format!("{name}: {} rows, the labels are of {}", times.len(), series.rows));
            }
            Err(problem) => {
                failed += 1;
                output::complain(&problem.to_string());
            }
        }
    }
    (judged, failed)
}

/// Names of the columns after the detector's.
const COLUMNS: [&str; 13] = [
    "F1@0.5",
    "P",
    "R",
    "false/day",
    "best F1",
    "VUS-PR",
    "AUC-PR",
    "NAB",
    "NAB@0.5",
    "cold false",
    "cold found",
    "delay rows",
    "rows/s",
];

fn table(labels: &Labels, ours: &Figures, spent_s: f64, peers: &[Peer]) -> Table {
    let title = format!("{}: {} series, {} rows, {} events", labels.name, ours.series, ours.rows, ours.best.events);
    let mut columns = vec!["detector"];
    columns.extend(COLUMNS);
    let mut table = Table::new(&title, &columns);
    let (fixed, nab) = (&ours.fixed, ours.nab);
    let figure = |value: Option<f64>, decimals| value.map_or(Cell::None, |value| Cell::Figure(value, decimals));
    table.push(vec![
        "hypo".into(),
        Cell::Figure(fixed.f1, 3),
        Cell::Figure(fixed.precision, 3),
        Cell::Figure(fixed.recall, 3),
        Cell::Figure(fixed.false_alerts_per_series_day, 3),
        Cell::Figure(ours.best.f1, 3),
        Cell::Figure(ours.vus_pr, 3),
        Cell::Figure(ours.auc_pr, 3),
        figure(nab.map(|nab| nab.standard), 1),
        figure(nab.map(|nab| nab.standard_fixed), 1),
        Cell::Figure(ours.cold_alerts_per_series, 2),
        Cell::Text(format!("{} of {}", ours.cold_detected, ours.cold_events)),
        figure(fixed.delay_median_rows, 1),
        Cell::Figure(ours.rows as f64 / spent_s.max(1e-9), 0),
    ]);
    let of_set: Vec<&Peer> = peers.iter().filter(|peer| peer.set == labels.name).collect();
    for peer in of_set.iter().filter(|peer| LEADING.iter().any(|&at| peer.is_among_best(at, &of_set))) {
        let mut row = vec![Cell::Text(peer.name.clone())];
        row.extend(peer.figures.iter().enumerate().map(|(at, value)| figure(*value, PEER_DECIMALS[at])));
        table.push(row);
    }
    table
}

/// Columns of a peers file, in the order of [`COLUMNS`]; empty where it has none.
const PEER_COLUMNS: [&str; 13] = [
    "fixed_f1",
    "fixed_precision",
    "fixed_recall",
    "fixed_false_alerts_per_series_day",
    "best_f1",
    "vus_pr",
    "auc_pr",
    "nab_standard",
    "",
    "cold_false_alerts_per_series",
    "cold_found",
    "",
    "points_per_cpu_s",
];
const PEER_DECIMALS: [usize; 13] = [3, 3, 3, 3, 3, 3, 3, 1, 1, 2, 0, 1, 0];
/// Those that lead: F1 at the own level, at the best, VUS-PR, the NAB score.
const LEADING: [usize; 4] = [0, 4, 5, 7];

/// What somebody else reached.
struct Peer {
    set: String,
    name: String,
    figures: Vec<Option<f64>>,
}

impl Peer {
    fn is_among_best(&self, at: usize, others: &[&Self]) -> bool {
        let value = |peer: &Self| peer.figures.get(at).copied().flatten();
        let Some(own) = value(self) else {
            return false;
        };
        others.iter().filter(|other| value(other).is_some_and(|theirs| theirs > own)).count() < BEST
    }
}

/// What the peers file says; nothing where there is none or it cannot be read.
fn peers(path: &Path) -> Vec<Peer> {
    let Ok(mut reader) = csv::Reader::from_path(path) else {
        return Vec::new();
    };
    let headers = reader.headers().cloned().unwrap_or_default();
    let place = |name: &str| headers.iter().position(|header| !name.is_empty() && header == name);
    let (set, detector) = (place("dataset"), place("detector"));
    let places: Vec<Option<usize>> = PEER_COLUMNS.iter().map(|name| place(name)).collect();
    let text =
        |row: &csv::StringRecord, at: Option<usize>| at.and_then(|at| row.get(at)).unwrap_or_default().to_owned();
    reader
        .records()
        .filter_map(Result::ok)
        .map(|row| Peer {
            set: text(&row, set),
            name: text(&row, detector),
            figures: places.iter().map(|at| text(&row, *at).parse().ok()).collect(),
        })
        .collect()
}
