//! The command line of `hypo eval`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `hypo eval`
#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Anomalies in labelled series: `labels/NAME.json`, the series below `data/NAME`, others' figures in `peers.csv`.
    Detect(EvalArguments),
    /// Log templates: a folder with X.jsonl.gz and X.truth.jsonl.gz for each system.
    Logs(EvalArguments),
    /// Root causes: one suite (a folder with a `truth.json` and `cases/`), or a folder of suites.
    Rca(EvalRcaArguments),
    /// Groups of alerts: a storm with a `truth.json`, or a folder of such storms.
    Correlate(EvalCorrelateArguments),
}

/// `hypo eval …`
#[derive(Debug, Args)]
pub struct EvalArguments {
    /// The labelled data.
    pub dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo eval correlate`
#[derive(Debug, Args)]
pub struct EvalCorrelateArguments {
    /// What every measurement takes.
    #[command(flatten)]
    pub of: EvalArguments,
    /// Group as the console does: every alert when it comes, through the whole engine, into its incidents.
    #[arg(long)]
    pub console: bool,
}

/// `hypo eval rca`
#[derive(Debug, Args)]
pub struct EvalRcaArguments {
    /// What every measurement takes.
    #[command(flatten)]
    pub of: EvalArguments,
    /// Also say how each single case went.
    #[arg(long)]
    pub cases: bool,
}
