//! The command line: every command and flag, in one definition that also makes the help, the completions and the man page.

mod advisories;
mod ask;
mod eval;
mod handover;
mod inventory;
mod patches;
mod runbook;
mod serve;
mod simulate;
mod transfer;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::engine::model::IncidentId;
pub use advisories::{
    AdvisoriesCommand, AdvisoriesImportArguments, AdvisoriesListArguments, AdvisoriesSyncArguments, FeedName,
};
pub use ask::AskArguments;
pub use eval::{EvalArguments, EvalCommand, EvalCorrelateArguments, EvalRcaArguments};
pub use handover::HandoverArguments;
pub use inventory::{InventoryCommand, InventorySetArguments};
pub use patches::{
    PatchesApproveArguments, PatchesCommand, PatchesExceptArguments, PatchesExceptionsArguments, PatchesListArguments,
    PatchesPlanArguments, PatchesReportArguments, PatchesRolloutArguments, PatchesRolloutsArguments,
    PatchesScoreArguments, PatchesShowArguments, PatchesWithdrawArguments, ReportDivision, ReportFormat, YesNo,
};
pub use runbook::{RunbookCommand, RunbookLintArguments, RunbookNewArguments, RunbookRunArguments};
pub use serve::{AttachArguments, ServeArguments, StopArguments};
pub use simulate::SimulateArguments;
pub use transfer::{BackupArguments, ExportArguments, ImportArguments, RestoreArguments};

/// Heading of the flags that every command takes.
const EVERYWHERE: &str = "With every command";

/// What stands below the flags.
const AFTER_HELP: &str = "\
Environment: HYPO_CONFIG, HYPO_STATE_DIR, HYPO_THEME and HYPO_KEYMAP stand for the flags of those names; HYPO_ASCII, \
HYPO_MOUSE and HYPO_READ_ONLY are 1 or 0. The command line wins over them, and they win over the configuration file. \
NO_COLOR takes colours away. HYPO_LOG (info, debug) says how much goes into hypo.log in the state directory.

Exit codes: 0 done, 1 the doctor found something wrong or a whole file was set aside, 2 it could not be done: usage, configuration, store.

Begin with `hypo demo`, or with `hypo`, which watches this machine. For servers of your own: `hypo config init`, take the # \
off a section and its url, `hypo doctor`, `hypo`.";

/// A terminal incident console: from the first symptom to its cause and through the fix.
///
/// Without a command it opens the console on the engine of this state directory, and starts one in the background where none runs.
/// Without a configuration that watches this machine.
#[derive(Debug, Parser)]
#[command(
    name = "hypo",
    version,
    after_help = AFTER_HELP
)]
pub struct Arguments {
    /// What to do; the console when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of every command.
    #[command(flatten)]
    pub common: CommonArguments,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub struct CommonArguments {
    /// The configuration file [default: hypocenter/config.toml under the XDG config directory].
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    pub config: Option<PathBuf>,
    /// Where the store is kept [default: hypocenter under the XDG state directory].
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    pub state_dir: Option<PathBuf>,
    /// Theme: dark, light, high-contrast, colour-blind, mono, or the name of a file of your own.
    #[arg(long, global = true, value_name = "NAME", help_heading = EVERYWHERE)]
    pub theme: Option<String>,
    /// Keymap: default, vim, emacs, or the name of a file of your own.
    #[arg(long, global = true, value_name = "NAME", help_heading = EVERYWHERE)]
    pub keymap: Option<String>,
    /// Draw with ASCII characters only.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub ascii: bool,
    /// Take away every key that changes anything.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub readonly: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Walk through an incident in a simulated shop; nothing outside this program is touched.
    Demo(DemoArguments),
    /// Run a recording through the engine again.
    Replay(ReplayArguments),
    /// Keep everything that comes in, in a file for `hypo replay`.
    Record(RecordArguments),
    /// Ask a question in plain words; every number of the answer is from what is known here.
    Ask(AskArguments),
    /// List incidents: from the store, or from the hypo that runs on it.
    Incidents(ListArguments),
    /// List anomalies: from the store, or from the hypo that runs on it.
    Anomalies(ListArguments),
    /// Write the post-mortem of an incident in Markdown: the text that was saved, or the draft that the record gives.
    Postmortem(PostmortemArguments),
    /// Write the next status update of an incident for stakeholders, as the record gives it; nothing is sent.
    Status(StatusArguments),
    /// Open the console on the engine that runs already: on this machine, or by the system's ssh on another.
    Attach(AttachArguments),
    /// Run the engine without a screen, for consoles to attach to: in the foreground, until it is told to end.
    Serve(ServeArguments),
    /// End the engine, once the commands that run have ended; leaving a console leaves it running.
    Stop(StopArguments),
    /// Write what whoever takes over must know: open incidents, runs, unknown steps, updates due.
    Handover(HandoverArguments),
    /// Find the templates of logs; write the group and template of each line.
    Templates(TemplatesArguments),
    /// Check the configuration and every source; say what is wrong and how to mend it.
    Doctor(DoctorArguments),
    /// Score series in files: one CSV a series in, its rows with a score out; 0.5 is where hypo would alert.
    Detect(DetectArguments),
    /// Find the cause of an incident that lies as tables in a folder; write what was found, best first.
    Rca(RcaArguments),
    /// Measure a stage of the engine on labelled data.
    #[command(subcommand)]
    Eval(EvalCommand),
    /// The audit log: prove it, list it, print its signed end. Works beside a running hypo.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Stop everything at once: nothing begins any more, running steps are told to stop; --off takes it back.
    Kill(KillArguments),
    /// Runbooks: check, list, show and try them, begin one of your own.
    #[command(subcommand)]
    Runbook(RunbookCommand),
    /// Vulnerabilities: renew the feeds, take them from files, list and show what they say.
    #[command(subcommand)]
    Advisories(AdvisoriesCommand),
    /// What is installed where: look at this host, take assets from files, list and show them.
    #[command(subcommand)]
    Inventory(InventoryCommand),
    /// Patches: which are lacking, in order, with deadlines and proofs; how urgent a vulnerability is on an asset.
    #[command(subcommand)]
    Patches(PatchesCommand),
    /// The configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write everything in the store as JSON Lines; not while a hypo runs on it.
    Export(ExportArguments),
    /// Read back what `hypo export` wrote.
    Import(ImportArguments),
    /// Write everything that is kept into one file, also while a hypo runs on it.
    Backup(BackupArguments),
    /// Take back what `hypo backup` wrote; what was there is set aside. Not while a hypo runs on it.
    Restore(RestoreArguments),
    /// Group storms of alerts that lie in folders: which belong to one incident, what is set aside, where it began.
    Correlate(CorrelateArguments),
    /// Live through faults on a made-up clock, and hold what this program does against what may never happen.
    #[command(hide = true)]
    Simulate(SimulateArguments),
    /// Print shell completions, such as `hypo completions bash > /etc/bash_completion.d/hypo`.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page; `hypo man | man -l -` shows it.
    Man,
}

/// `hypo demo`
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Which failure to stage; `--scenario list` names them.
    #[arg(long, default_value = "bad-deploy", value_name = "NAME")]
    pub scenario: String,
    /// Seed of the simulation: the same seed gives the same run.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Without a screen, on a virtual clock; prints what happened.
    #[arg(long)]
    pub headless: bool,
    /// With --headless: whose steps are approved.
    #[arg(long, value_enum, default_value_t = Approve::None, requires = "headless")]
    pub approve: Approve,
    /// With --headless: print JSON.
    #[arg(long, requires = "headless")]
    pub json: bool,
}

/// Whose steps a headless run approves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Approve {
    /// Every step of the first runbook that is proposed.
    All,
    /// No step.
    None,
}

/// `hypo replay`
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// The recording.
    pub file: PathBuf,
    /// Show it in the console at this many times its own pace, instead of printing what came of it.
    #[arg(long, value_name = "TIMES")]
    pub speed: Option<f64>,
    /// Print JSON.
    #[arg(long, conflicts_with = "speed")]
    pub json: bool,
}

/// `hypo record`
#[derive(Debug, Args)]
pub struct RecordArguments {
    /// Where to write it; an existing file is replaced.
    pub file: PathBuf,
    /// Stop after this long, such as 10m; until Ctrl-C when left out.
    #[arg(long, value_name = "SPAN")]
    pub lasts: Option<crate::engine::settings::Span>,
}

/// `hypo incidents`, `hypo anomalies`
#[derive(Debug, Args)]
pub struct ListArguments {
    /// List those that are over as well.
    #[arg(long)]
    pub all: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo postmortem`
#[derive(Debug, Args)]
pub struct PostmortemArguments {
    /// Which incident, such as INC-1.
    #[arg(value_parser = incident_id)]
    pub incident: IncidentId,
    /// Where to write; standard output when left out or `-`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The draft of the record, even where a text was saved.
    #[arg(long)]
    pub draft: bool,
}

/// `hypo status`
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Which incident, such as INC-1; without one, how the engine stands.
    #[arg(value_parser = incident_id)]
    pub incident: Option<IncidentId>,
}

/// `INC-1`, `inc-1` or `1`.
fn incident_id(text: &str) -> Result<IncidentId, String> {
    let number = text.to_ascii_lowercase();
    let number = number.strip_prefix("inc-").unwrap_or(&number).parse();
    number
        .map(IncidentId)
        .map_err(|_| "it is no incident; write it as INC-1, as `hypo incidents` lists them".to_owned())
}

/// `hypo templates`
#[derive(Debug, Args)]
pub struct TemplatesArguments {
    /// A log, or a folder of logs: plain text or JSON Lines, packed with gzip or not.
    pub logs: PathBuf,
    /// Where to write: a file for one log, a folder for several.
    pub out: PathBuf,
    /// Which field of a JSON line is the message [default: content, message, msg and other usual names].
    #[arg(long, value_name = "NAME")]
    pub field: Option<String>,
}

/// `hypo rca`
#[derive(Debug, Args)]
pub struct RcaArguments {
    /// A folder with a `case.json` and the tables that it names.
    pub case: PathBuf,
    /// Where to write the ranking as JSON; standard output when left out or `-`.
    pub out: Option<PathBuf>,
}

/// `hypo doctor`
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// How long to wait for every source to answer.
    #[arg(long, default_value = "15s", value_name = "SPAN")]
    pub wait: crate::engine::settings::Span,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo detect`
#[derive(Debug, Args)]
pub struct DetectArguments {
    /// The folder of the series, `timestamp,value` or `timestamp,m0,m1,...` in each CSV; or one such file.
    pub input: PathBuf,
    /// Where `timestamp,score` goes, at the same path below this folder; what is there is replaced.
    pub output: PathBuf,
}

/// `hypo kill`
#[derive(Debug, Args)]
pub struct KillArguments {
    /// Why; required with --off.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Let steps begin again.
    #[arg(long)]
    pub off: bool,
    /// Only say how it stands; exit code 1 while it is on.
    #[arg(long, conflicts_with = "off")]
    pub status: bool,
}

/// `hypo audit`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Find whatever was altered, taken out, moved or cut off, and where; exit code 0 only when the log is whole.
    Verify(AuditVerifyArguments),
    /// List the entries, the oldest first.
    List(AuditListArguments),
    /// Print the signed end, to be kept elsewhere: `hypo audit verify --against` proves that the log still goes through it.
    Head,
}

/// `hypo audit verify`
#[derive(Debug, Args)]
pub struct AuditVerifyArguments {
    /// A file with what `hypo audit head` printed earlier; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub against: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo audit list`
#[derive(Debug, Args)]
pub struct AuditListArguments {
    /// Only those about this incident.
    #[arg(long, value_name = "NUMBER")]
    pub incident: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `hypo config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Write a configuration file that documents every key with its default.
    Init {
        /// Replace a file that is there.
        #[arg(long)]
        force: bool,
    },
}

/// `hypo correlate`
#[derive(Debug, Args)]
pub struct CorrelateArguments {
    /// A folder with `alerts.jsonl` (and `topology.json`, `changes.json`), or a folder of such folders.
    pub storm_dir: PathBuf,
    /// Where to write; each storm gets `<storm>/groups.json`.
    pub out_dir: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }
}
