//! The command line of `hypo runbook`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::engine::model::IncidentId;

/// `hypo runbook`
#[derive(Debug, Subcommand)]
pub enum RunbookCommand {
    /// Find what is wrong with pages, each with its file, line and remedy; exit code 0 only when nothing is.
    Lint(RunbookLintArguments),
    /// List every runbook: the shipped ones and your own.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one page with all that the engine reads in it.
    Show {
        /// Its id, such as `rollback-deploy`.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show every step as it would be run, with what the gate says to it; nothing is changed.
    Run(RunbookRunArguments),
    /// Print the draft of a page that was saved from an answer in Ask, or one of the runbook that fits best.
    Draft(RunbookDraftArguments),
    /// Write a page to begin from; lint tells what is still to be filled in.
    New(RunbookNewArguments),
}

/// `hypo runbook lint`
#[derive(Debug, Args)]
pub struct RunbookLintArguments {
    /// Pages, or folders of them; those that are shipped and your own folders when left out.
    pub paths: Vec<PathBuf>,
    /// Warnings count as well.
    #[arg(long)]
    pub strict: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo runbook run`
#[derive(Debug, Args)]
pub struct RunbookRunArguments {
    /// Its id.
    pub id: String,
    /// Only show; a runbook is run in the console, where each step is approved.
    #[arg(long, required = true)]
    pub dry_run: bool,
    /// Take the values from this incident, such as INC-1.
    #[arg(long, value_name = "INC-N", conflicts_with = "param")]
    pub incident: Option<String>,
    /// A value by hand, such as service=payment; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub param: Vec<String>,
    /// Also carry out the checks, and what each act declares as its dry run.
    #[arg(long)]
    pub execute_dry_runs: bool,
}

/// `hypo runbook draft`
#[derive(Debug, Args)]
pub struct RunbookDraftArguments {
    /// Of which incident, such as INC-1.
    #[arg(value_parser = super::incident_id)]
    pub incident: IncidentId,
}

/// `hypo runbook new`
#[derive(Debug, Args)]
pub struct RunbookNewArguments {
    /// Its id, such as `restart-mailer`.
    pub id: String,
    /// The kind of cause it is for, such as bad_deploy.
    #[arg(long, value_name = "KIND")]
    pub problem: String,
    /// Where to write it [default: ID.md here]; a file that is there is left alone.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
