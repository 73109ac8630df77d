//! `hypo eval correlate`: groups of alerts against what each alert belonged to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::app::arguments::EvalCorrelateArguments;
use crate::app::cli::progress::Progress;
use crate::app::cli::table::{Cell, Table};
use crate::app::cli::{Exit, Failure, output};
use crate::engine::evaluate::correlate::{Answer, Figures, Truth, mean, score};
use crate::engine::offline::correlate::{as_console, correlate, read_storm, storms};

const COLUMNS: [&str; 17] = [
    "storm",
    "alerts",
    "incidents",
    "groups",
    "reduction",
    "ARI",
    "NMI",
    "pair P",
    "pair R",
    "pair F1",
    "missed",
    "split",
    "merged",
    "leak",
    "set aside",
    "root",
    "alerts/s",
];

#[derive(Deserialize)]
struct TruthFile {
    alerts: Vec<Option<String>>,
    incidents: BTreeMap<String, IncidentFile>,
}

#[derive(Deserialize)]
struct IncidentFile {
    #[serde(default)]
    root: String,
}

pub(super) fn run(arguments: &EvalCorrelateArguments) -> Result<Exit, Failure> {
    let found = storms(&arguments.of.dir)?;
    let mut progress = Progress::new(found.len());
    let mut table = Table::new("correlate", &COLUMNS);
    let mut all = Vec::new();
    let mut skipped = 0;
    for storm in &found {
        match figures(storm, arguments.console) {
            Ok(figures) => {
                let name = storm.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
                table.push(row(&name, &figures));
                all.push(figures);
            }
            Err(problem) => {
                skipped += 1;
                output::complain(&format!("{}: {problem}", storm.display()));
            }
        }
        progress.step(&storm.display().to_string());
    }
    drop(progress);
    table.push(row("mean", &mean(&all)));
    if arguments.of.json {
        output::json(&[table])?;
    } else {
        table.print()?;
    }
    Ok(if skipped > 0 { Exit::Found } else { Exit::Done })
}

fn figures(storm: &Path, is_console: bool) -> Result<Figures, Failure> {
    let path = storm.join("truth.json");
    let text = fs::read(&path).map_err(|problem| format!("cannot read {}: {problem}", path.display()))?;
    let truth: TruthFile =
        serde_json::from_slice(&text).map_err(|problem| format!("{} is not as expected: {problem}", path.display()))?;
    let roots = truth.incidents.into_iter().map(|(id, incident)| (id, incident.root)).collect();
    let groups = if is_console { as_console(storm)? } else { correlate(read_storm(storm)?) };
    let answer = Answer {
        groups: groups.groups.iter().map(|group| group.map(|group| group.to_string())).collect(),
        roots: groups.roots.iter().map(|(group, root)| (group.to_string(), root.clone())).collect(),
        wall_ms: Some(groups.wall_ms),
    };
    Ok(score(&Truth { alerts: truth.alerts, roots }, &answer))
}

fn row(name: &str, figures: &Figures) -> Vec<Cell> {
    let share = |figure: Option<f64>| figure.map_or(Cell::None, |figure| Cell::Figure(figure, 3));
    let count = |figure: Option<f64>| figure.map_or(Cell::None, |figure| Cell::Figure(figure, 1));
    vec![
        name.into(),
        Cell::Figure(figures.alerts, 0),
        Cell::Figure(figures.incidents, 0),
        Cell::Figure(figures.groups, 0),
        Cell::Figure(figures.reduction, 4),
        share(figures.ari),
        share(figures.nmi),
        share(figures.pair_precision),
        share(figures.pair_recall),
        share(figures.pair_f1),
        count(figures.missed),
        share(figures.split),
        count(figures.merged),
        share(figures.leak),
        share(figures.set_aside),
        share(figures.root),
        figures.alerts_per_s.map_or(Cell::None, |figure| Cell::Figure(figure, 0)),
    ]
}
