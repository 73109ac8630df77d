//! The command line of `hypo patches`.

use clap::{Args, Subcommand, ValueEnum};

use crate::engine::patches::advisory_id::AdvisoryId;

/// `hypo patches`
#[derive(Debug, Subcommand)]
pub enum PatchesCommand {
    /// Say how urgent a vulnerability is on an asset, with every factor; by the configured multipliers and bands.
    Score(PatchesScoreArguments),
    /// List the patches that are lacking, the most urgent first.
    List(PatchesListArguments),
    /// Show what affects an asset, package by package, each with its proof.
    Show(PatchesShowArguments),
}

/// `hypo patches list`
#[derive(Debug, Args)]
pub struct PatchesListArguments {
    /// Only on this asset.
    #[arg(long, value_name = "NAME")]
    pub asset: Option<String>,
    /// Only where this vulnerability would be mended.
    #[arg(long, value_name = "ID")]
    pub advisory: Option<AdvisoryId>,
    /// Only on assets of this ring.
    #[arg(long, value_name = "NAME")]
    pub ring: Option<String>,
    /// Only what is overdue.
    #[arg(long)]
    pub overdue: bool,
    /// Only where a version that mends it is there.
    #[arg(long)]
    pub fixable: bool,
    /// So many of them.
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    pub limit: usize,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo patches show`
#[derive(Debug, Args)]
pub struct PatchesShowArguments {
    /// Which asset.
    pub asset: String,
    /// Only this source package, with what does not concern its version as well.
    pub package: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
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
