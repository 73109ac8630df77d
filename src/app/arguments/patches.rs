//! The command line of `hypo patches`.

use clap::{Args, Subcommand, ValueEnum};

/// `hypo patches`
#[derive(Debug, Subcommand)]
pub enum PatchesCommand {
    /// Say how urgent a vulnerability is on an asset, with every factor; by the configured multipliers and bands.
    Score(PatchesScoreArguments),
}

/// `hypo patches score`
#[derive(Debug, Args)]
pub struct PatchesScoreArguments {
    /// The CVSS base score, 0.0 to 10.0.
    #[arg(long, value_name = "SCORE")]
    pub cvss: f64,
    /// It is known to be exploited.
    #[arg(long)]
    pub kev: bool,
    /// The internet reaches the asset.
    #[arg(long)]
    pub internet: bool,
    /// The asset serves production.
    #[arg(long)]
    pub production: bool,
    /// The patch is younger than the configured days.
    #[arg(long)]
    pub fresh: bool,
    /// Whether its exploitation can be automated; unknown when left out. For the directive's term.
    #[arg(long, value_name = "yes|no")]
    pub automatable: Option<YesNo>,
    /// Whether exploiting it gives total control; unknown when left out. For the directive's term.
    #[arg(long, value_name = "yes|no")]
    pub total_impact: Option<YesNo>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    /// Yes.
    Yes,
    /// No.
    No,
}
