//! Commands without a screen, and the way from the command line to each of them.

mod advisories;
mod ask;
mod attach;
mod audit;
mod background;
mod backup;
mod beside;
mod config;
mod console;
mod correlate;
mod demo;
mod detect;
mod doctor;
mod documents;
mod eval;
mod inventory;
mod kill;
mod list;
pub mod output;
mod patches;
mod printing;
pub mod progress;
mod rca;
mod ready;
mod record;
mod replay;
mod runbook;
mod serve;
mod serving;
mod shell;
mod simulate;
mod stop;
pub mod table;
mod templates;
mod transfer;

use std::path::PathBuf;

use super::arguments::{Arguments, Command, CommonArguments, StatusArguments};
use super::attach::child;
use super::settings::{self, Loaded, Overrides, Paths};

/// What a command leaves behind for the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// A check found something.
    Found,
    /// It could not be done.
    Failed,
    /// Somebody else has the store; only an engine in the background ends like this, for the console that started it.
    Taken,
    /// There is no place where consoles could reach it; likewise.
    NoPlace,
}

impl Exit {
    /// 0, 1 or 2; 3 and 4 between a console and its engine.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Found => 1,
            Self::Failed => 2,
            Self::Taken => child::TAKEN,
            Self::NoPlace => child::NO_PLACE,
        }
    }
}

/// What a command that cannot go on says.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Does what the command line asks for.
#[must_use]
pub fn run(arguments: &Arguments) -> Exit {
    let common = &arguments.common;
    let outcome = match &arguments.command {
        None => console::run(common),
        Some(Command::Demo(demo)) => demo::run(common, demo),
        Some(Command::Replay(replay)) => replay::run(common, replay),
        Some(Command::Record(record)) => record::run(common, record),
        Some(Command::Ask(ask)) => ask::run(common, ask),
        Some(Command::Incidents(list)) => list::incidents(common, list),
        Some(Command::Anomalies(list)) => list::anomalies(common, list),
        Some(Command::Postmortem(postmortem)) => documents::post_mortem(common, postmortem),
        Some(Command::Status(StatusArguments { incident: Some(incident) })) => documents::status(common, *incident),
        Some(Command::Status(StatusArguments { incident: None })) => stop::status(common),
        Some(Command::Attach(arguments)) => attach::run(common, arguments),
        Some(Command::Serve(arguments)) => serve::run(common, arguments),
        Some(Command::Stop(arguments)) => stop::stop(common, arguments),
        Some(Command::Handover(arguments)) => documents::handover(common, arguments),
        Some(Command::Templates(templates)) => templates::run(templates),
        Some(Command::Rca(rca)) => rca::run(rca),
        Some(Command::Eval(command)) => eval::run(command),
        Some(Command::Doctor(doctor)) => doctor::run(common, doctor),
        Some(Command::Detect(detect)) => detect::run(detect),
        Some(Command::Audit(command)) => audit::run(common, command),
        Some(Command::Kill(arguments)) => kill::run(common, arguments),
        Some(Command::Runbook(command)) => runbook::run(common, command),
        Some(Command::Inventory(command)) => inventory::run(common, command),
        Some(Command::Advisories(command)) => advisories::run(common, command),
        Some(Command::Patches(command)) => patches::run(common, command),
        Some(Command::Config(command)) => config::run(common, command),
        Some(Command::Export(export)) => transfer::export(common, export),
        Some(Command::Import(import)) => transfer::import(common, import),
        Some(Command::Backup(arguments)) => backup::backup(common, arguments),
        Some(Command::Restore(arguments)) => backup::restore(common, arguments),
        Some(Command::Correlate(correlate)) => correlate::run(correlate),
        Some(Command::Simulate(arguments)) => simulate::run(arguments),
        Some(Command::Completions { shell }) => shell::completions(*shell),
        Some(Command::Man) => shell::man(),
    };
    outcome.unwrap_or_else(|failure| {
        output::complain(&failure.to_string());
        Exit::Failed
    })
}

/// Where things are, by the command line and the environment, without reading the configuration file.
fn paths(common: &CommonArguments) -> Result<Paths, Failure> {
    Ok(Paths::find(&overrides(common).over(Overrides::from_environment(&variable)?))?)
}

/// Where this person's own configuration is, or would be.
fn own_paths(common: &CommonArguments) -> Result<Paths, Failure> {
    Ok(Paths::find_own(&overrides(common).over(Overrides::from_environment(&variable)?))?)
}

/// What the command line says of settings.
fn overrides(common: &CommonArguments) -> Overrides {
    Overrides {
        config: common.config.clone(),
        state_dir: common.state_dir.clone(),
        keymap: common.keymap.clone(),
        theme: common.theme.clone(),
        is_ascii: common.ascii.then_some(true),
        is_mouse_on: None,
        is_read_only: common.readonly.then_some(true),
    }
}

/// An environment variable; one that is no text counts as absent.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The settings, with everything the command line and the environment say taken into account.
fn settings(common: &CommonArguments) -> Result<Loaded, Failure> {
    Ok(settings::load(overrides(common), &variable)?)
}

/// The folder of this command's store, which must be there, and that of the engine which the configuration leads to: a listing
/// makes none, and lists no other.
fn existing_store(common: &CommonArguments) -> Result<PathBuf, Failure> {
    let loaded = settings(common)?;
    serving::see_that_it_is_ours(common, &loaded)?;
    let path = loaded.paths.state_dir;
    if !path.join("store").exists() {
        return Err(format!(
            "nothing has been kept in {} yet; start hypo first, or name another with --state-dir",
            path.display()
        )
        .into());
    }
    Ok(path)
}

/// The runtime on which sources, receivers and the console's driver live.
fn tokio_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|problem| format!("cannot start the asynchronous runtime: {problem}").into())
}
