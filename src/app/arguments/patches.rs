//! The command line of `hypo patches`.

use clap::{Args, Subcommand, ValueEnum};

use crate::engine::model::RolloutId;
use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::exceptions::Subject;

/// `hypo patches`
#[derive(Debug, Subcommand)]
pub enum PatchesCommand {
    /// Say how urgent a vulnerability is on an asset, with every factor; by the configured multipliers and bands.
    Score(PatchesScoreArguments),
    /// List the patches that are lacking, the most urgent first.
    List(PatchesListArguments),
    /// Show what affects an asset, package by package, each with its proof.
    Show(PatchesShowArguments),
    /// Put a patch or vulnerability off until a date, with a reason; it comes back with the deadline it had.
    Defer(PatchesExceptArguments),
    /// Accept the risk of a vulnerability or an unpatched package until a date, with a reason and an owner.
    Accept(PatchesExceptArguments),
    /// End an exception before its time.
    Withdraw(PatchesWithdrawArguments),
    /// List what is deferred or accepted.
    Exceptions(PatchesExceptionsArguments),
    /// Report: time to patch, coverage, what is overdue by band, exceptions in force, rollouts that were rolled back.
    Report(PatchesReportArguments),
    /// Show how a patch would be rolled out: who gets it in which order, who is left out and why. Nothing is kept or begun.
    Plan(PatchesPlanArguments),
    /// List the rollouts and where they stand; one of them with its plan.
    Rollouts(PatchesRolloutsArguments),
    /// Approve a rollout's plan, while no hypo runs; the next one carries it out.
    Approve(PatchesApproveArguments),
    /// Begin nothing more of a rollout for now.
    Pause(PatchesRolloutArguments),
    /// Let a paused rollout go on.
    Resume(PatchesRolloutArguments),
    /// End a rollout; what is patched stays so.
    Stop(PatchesRolloutArguments),
    /// Take a rollout back everywhere; the next hypo that runs does it.
    Rollback(PatchesRolloutArguments),
}

/// `hypo patches plan`
#[derive(Debug, Args)]
pub struct PatchesPlanArguments {
    /// The source package, such as curl.
    pub package: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo patches rollouts`
#[derive(Debug, Args)]
pub struct PatchesRolloutsArguments {
    /// Only this one, with its plan: 7 or RO-7.
    #[arg(value_parser = rollout_id)]
    pub rollout: Option<RolloutId>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo patches approve`
#[derive(Debug, Args)]
pub struct PatchesApproveArguments {
    /// Its number: 7 or RO-7.
    #[arg(value_parser = rollout_id)]
    pub rollout: RolloutId,
    /// The digest of the plan that you read, or its first 12 digits: `hypo patches rollouts RO-7` shows both.
    #[arg(long, value_name = "DIGEST")]
    pub digest: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo patches pause`, `resume`, `stop` and `rollback`
#[derive(Debug, Args)]
pub struct PatchesRolloutArguments {
    /// Its number: 7 or RO-7.
    #[arg(value_parser = rollout_id)]
    pub rollout: RolloutId,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo patches report`
#[derive(Debug, Args)]
pub struct PatchesReportArguments {
    /// In which form.
    #[arg(long, value_enum, default_value_t = ReportFormat::Md)]
    pub format: ReportFormat,
    /// By what it is divided; by band in any case.
    #[arg(long, value_enum, default_value_t = ReportDivision::Band)]
    pub by: ReportDivision,
    /// Print JSON, as --format json does.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// An asset counts as seen where its packages were looked at within so many days.
    #[arg(long, default_value_t = 7, value_name = "DAYS")]
    pub seen_within_days: u32,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Markdown.
    Md,
    /// One figure a row.
    Csv,
    /// JSON.
    Json,
}

/// By what a report is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportDivision {
    /// By band alone.
    Band,
    /// By ring as well.
    Ring,
    /// By owner as well.
    Owner,
}

/// `hypo patches defer` and `accept`
#[derive(Debug, Args)]
pub struct PatchesExceptArguments {
    /// A source package, such as curl, or a vulnerability, such as CVE-2024-3094.
    #[arg(value_name = "PACKAGE|ID", value_parser = Subject::from_text)]
    pub subject: Subject,
    /// Until when: a date, which is its first moment in UTC, or days such as 14d; 365 days at most, 30 for what is known to be
    /// exploited.
    #[arg(long, value_name = "DATE|DAYS")]
    pub until: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who answers for it; you, where it is left out.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub owner: String,
    /// Only on this asset.
    #[arg(long, value_name = "NAME", conflicts_with = "ring")]
    pub asset: Option<String>,
    /// Only on assets of this ring.
    #[arg(long, value_name = "NAME")]
    pub ring: Option<String>,
    /// Longer than 30 days although it is known to be exploited: give the word EXPLOITED.
    #[arg(long, value_name = "WORD")]
    pub although: Option<String>,
}

/// `hypo patches withdraw`
#[derive(Debug, Args)]
pub struct PatchesWithdrawArguments {
    /// Its number: 3 or EXC-3.
    #[arg(value_parser = exception_number)]
    pub exception: u64,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// `hypo patches exceptions`
#[derive(Debug, Args)]
pub struct PatchesExceptionsArguments {
    /// Those that are over as well.
    #[arg(long)]
    pub all: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

fn rollout_id(text: &str) -> Result<RolloutId, String> {
    let number = text.strip_prefix("RO-").unwrap_or(text);
    number.parse().map(RolloutId).map_err(|_| format!("`{text}` is no rollout; write its number, such as RO-7"))
}

fn exception_number(text: &str) -> Result<u64, String> {
    let number = text.strip_prefix("EXC-").unwrap_or(text);
    number.parse().map_err(|_| format!("`{text}` is no exception; write its number, such as EXC-3"))
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
