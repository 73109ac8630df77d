//! `hypo`: the console on the engine of this state directory, which is started in the background where none runs; and what every
//! command with a screen or an engine shares.

use std::io::Write as _;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::serving::{Listening, Serving, console_mark, is_down, other_owner, place};
use super::{Exit, Failure, attach, output, settings, tokio_runtime, variable};
use crate::app::arguments::CommonArguments;
use crate::app::attach::child::{StartProblem, Starter};
use crate::app::attach::line::LineProblem;
use crate::app::attach::pump::{self, Link};
use crate::app::attach::way::{Way, is_nobody};
use crate::app::engine_link::EngineLink;
use crate::app::log_file;
use crate::app::options::ConsoleOptions;
use crate::app::run::{self, ConsoleError};
use crate::app::settings::{Loaded, Settings, look};
use crate::app::terminal::input;
use crate::app::terminal::signals::Signals;
use crate::engine::act::executor::Executor;
use crate::engine::act::kill_file::KillFile;
use crate::engine::attach::server::{Farewell, Wish};
use crate::engine::handle::EngineHandle;
use crate::engine::model::Person;
use crate::engine::runbooks::Library;
use crate::engine::runtime::runbook_folders::RunbookFolders;
use crate::engine::runtime::{Runtime, RuntimeConfig, source_list};
use crate::engine::store::Hold;

/// Opens the console on the engine that runs, else on one that is started in the background and stays when the console is left.
/// Whoever only looks starts none that would act for others: without one that runs it is an engine of the console's own.
pub(super) fn run(common: &CommonArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    // An engine that nobody looks at is started by `hypo serve`.
    input::look().map_err(ConsoleError::NoTerminal)?;
    let tokio = tokio_runtime()?;
    let is_only_looking = loaded.settings.console.read_only;
    let owner = other_owner(&loaded);
    let way = match &owner {
        None if !is_only_looking => Way::Started(Arc::new(starter(&loaded))),
        // The engine of a service is nobody else's to start.
        _ => Way::Here(place(&loaded)),
    };
    match tokio.block_on(pump::join(way, attach::cap(&loaded))) {
        Ok(joined) => {
            let (is_new, notice) = (joined.is_new, attach::other_settings(&loaded, &joined));
            let link = joined.link.clone();
            let left = attach::show(&loaded, &tokio, joined, notice, kept_options(&loaded))?;
            // Whoever started it should know that it is there; the others found it.
            if is_new && !matches!(*link.borrow(), Link::Ended(_)) {
                output::line(
                    "the engine goes on in the background, with all that runs; `hypo` joins it, `hypo stop` ends it",
                )?;
            }
            Ok(left)
        }
        Err(LineProblem::NoEngine(problem)) if owner.is_some() && is_nobody(&problem) => {
            Err(is_down(&loaded, &owner.unwrap_or_default()))
        }
        Err(problem) if is_for_this_console(&problem, is_only_looking) => {
            let state_dir = Some(loaded.paths.state_dir.clone());
            let config = RuntimeConfig { state_dir, ..runtime_config(&loaded, tokio.handle()) };
            run_on(&loaded, &tokio, config, kept_options(&loaded))
        }
        Err(problem) => Err(problem.into()),
    }
}

/// True where the engine is to live within the console: whoever only looks found none, or there is no place where others could
/// reach one.
fn is_for_this_console(problem: &LineProblem, is_only_looking: bool) -> bool {
    match problem {
        LineProblem::NoEngine(problem) => is_only_looking && is_nobody(problem),
        LineProblem::Start(StartProblem::NoPlace { .. }) => true,
        _ => false,
    }
}

/// How an engine for this console is started.
fn starter(loaded: &Loaded) -> Starter {
    let mut arguments = vec!["--state-dir".into(), loaded.paths.state_dir.clone().into_os_string()];
    // A file that is not there was not asked for either.
    if loaded.paths.config_file.exists() {
        arguments.extend(["--config".into(), loaded.paths.config_file.clone().into_os_string()]);
    }
    Starter { place: place(loaded), arguments }
}

/// Opens the console on the engine of `config` and stops that engine when the console is left.
///
/// The console is on the screen before the store is open; a store that cannot be opened ends it with the reason.
pub(super) fn run_on(
    loaded: &Loaded,
    tokio: &tokio::runtime::Runtime,
    config: RuntimeConfig,
    options: ConsoleOptions,
) -> Result<Exit, Failure> {
    let hold = config.state_dir.as_deref().map(Hold::take).transpose()?;
    let is_writable = hold.as_ref().is_some_and(|hold| hold.refusal().is_none());
    // What keeps nothing writes no log either; the screen is no place for it.
    if let Some(hold) = hold.as_ref().filter(|_| is_writable) {
        log_file::start(hold.folder(), variable("HYPO_LOG").as_deref())?;
    }
    let _entered = tokio.enter();
    let mut runtime = Runtime::start_holding(config, hold)?;
    let link = EngineLink::new(runtime.handle(), Person::admin(&operator()));
    let mut serving = None;
    let mut stopped_by = None;
    let outcome = tokio.block_on(async {
        let console = run::run(link, options);
        tokio::pin!(console);
        tokio::select! {
            left = &mut console => return left.map_err(Failure::from),
            started = runtime.started() => started?,
        }
        // One that keeps nothing is for whoever began it alone.
        if !is_writable {
            return console.await.map_err(Failure::from);
        }
        let listening = Listening::begin(loaded)?;
        let serving = serving.insert(Serving::begin(listening, (loaded, console_mark(loaded)), &runtime, false));
        tokio::select! {
            left = console => left.map_err(Failure::from),
            // Whoever ends the engine ends the console that it runs in.
            Some(Wish::Stop { by, .. }) = serving.wishes.recv() => {
                stopped_by = Some(by);
                Ok(())
            }
        }
    });
    if let Some(serving) = &serving {
        // Where only its console was left, whoever else was there did not want it to end, and starts one that stays.
        let why = match &stopped_by {
            Some(by) => format!("{by} ended it by `hypo stop`"),
            None => "the console that it ran in was left".to_owned(),
        };
        serving.announce(Farewell { why: Arc::from(why), is_wanted: stopped_by.is_some() });
    }
    if outcome.is_ok() {
        tokio.block_on(see_commands_out(&runtime));
    }
    if let Some(serving) = &mut serving {
        serving.close();
    }
    runtime.stop();
    if let Some(serving) = serving {
        tokio.block_on(serving.see_consoles_out());
    }
    outcome.map(|()| Exit::Done)
}

/// A command that runs is not cut off because somebody left or the line dropped: the engine stays until its end is on
/// disk. Whoever is still there is told, and may end the waiting.
async fn see_commands_out(runtime: &Runtime) {
    let running = runtime.handle().snapshots().borrow().running_commands();
    // Without the handlers the first signal would end the program, as one does that nobody waits for.
    let (false, Ok(mut signals)) = (running.is_empty(), Signals::listen()) else { return };
    let names: Vec<String> = running.iter().map(|(run, step)| format!("step {} of {run}", step + 1)).collect();
    // Nobody reads it where the terminal is gone.
    let _gone = writeln!(
        std::io::stderr(),
        "hypo waits for the end of {}; Ctrl-C leaves now, and what came of it is then to be found out at the next start",
        names.join(", ")
    );
    tokio::select! {
        () = runtime.see_commands_out() => {}
        () = signals.ordered_to_end() => {}
    }
}

/// Opens the console on an engine that somebody else started.
pub(super) fn show(loaded: &Loaded, handle: EngineHandle) -> Result<Exit, Failure> {
    log_file::start(&loaded.paths.state_dir, variable("HYPO_LOG").as_deref())?;
    let tokio = tokio_runtime()?;
    tokio.block_on(run::run(EngineLink::new(handle, Person::admin(&operator())), options(loaded)))?;
    Ok(Exit::Done)
}

/// An engine on the configured sources with real processes behind the gate, and without a store.
pub(super) fn runtime_config(loaded: &Loaded, tasks: &Handle) -> RuntimeConfig {
    let settings = &loaded.settings;
    let kill_file = KillFile::of(&loaded.paths.state_dir);
    // The jobs look at it before they start a step; a step that asks or looks first is asked again right before it acts.
    let executor = Executor::new(&settings.engine.runbooks, tasks.clone()).held_by(Arc::new(move || kill_file.is_on()));
    RuntimeConfig {
        settings: settings.engine.clone(),
        library: library(settings),
        state_dir: None,
        sources: source_list::from_settings(&settings.engine),
        runner: Arc::new(executor),
        patch_office: None,
        record_to: None,
    }
}

/// The shipped runbooks with one's own on top; files that cannot be read are problems on the screen.
pub(super) fn library(settings: &Settings) -> Library {
    let mut library = Library::shipped();
    let folders = settings.engine.runbooks.folders.clone();
    if let Some(own) = RunbookFolders::new(folders).look() {
        library.take_own(&own);
    }
    library
}

/// How the console looks on this terminal.
pub(super) fn options(loaded: &Loaded) -> ConsoleOptions {
    look(&loaded.settings.console, &loaded.paths.look_dir, &variable)
}

/// The same for a console on what is kept: what is begun there and not sent outlives it.
pub(super) fn kept_options(loaded: &Loaded) -> ConsoleOptions {
    ConsoleOptions { left_off: loaded.paths.left_off(), ..options(loaded) }
}

/// Who sits here: the name of the Unix user.
pub(super) fn operator() -> String {
    let uid = nix::unistd::getuid();
    match nix::unistd::User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => format!("uid {uid}"),
    }
}
