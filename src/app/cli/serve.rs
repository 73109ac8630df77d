//! `hypo serve`, `hypo stop` and `hypo status`: an engine without a screen, and the socket by which consoles reach one.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::console::runtime_config;
use super::{Exit, Failure, output, settings, tokio_runtime, variable};
use crate::app::arguments::{CommonArguments, StopArguments};
use crate::app::attach::line::{LineProblem, ask_in_text};
use crate::app::log_file;
use crate::app::settings::Loaded;
use crate::app::terminal::signals::Signals;
use crate::engine::attach::hello::Wants;
use crate::engine::attach::message::SettingsMark;
use crate::engine::attach::place::{Place, PlaceProblem};
use crate::engine::attach::server::{self, Served, Wish};
use crate::engine::handle::EngineHandle;
use crate::engine::ingest::{StopSignal, StopSwitch, wall_clock};
use crate::engine::runtime::{Runtime, RuntimeConfig};

/// Wishes about the process that wait.
const WISHES_MAX: usize = 4;
/// Between two looks whether the engine has ended.
const LOOK: Duration = Duration::from_millis(50);

/// An engine that consoles can reach. Dropping it takes the socket away.
pub(super) struct Serving {
    place: Place,
    stop: StopSwitch,
    /// What is wanted of the process.
    pub wishes: mpsc::Receiver<Wish>,
}

impl Serving {
    /// Lets consoles reach the engine behind `handle`, which holds the store. To be called within a tokio runtime.
    ///
    /// # Errors
    /// When there is no place for the socket.
    pub(super) fn begin(loaded: &Loaded, handle: EngineHandle) -> Result<Self, PlaceProblem> {
        let place = place(loaded);
        let listener = place.listen()?;
        let (wished, wishes) = mpsc::channel(WISHES_MAX);
        let (stop, stopped) = StopSignal::pair();
        let served = Served {
            handle,
            people: loaded.settings.engine.people.clone(),
            pid: nix::unistd::getpid().as_raw(),
            since: wall_clock::now(),
            settings: mark(loaded),
            wishes: wished,
        };
        tokio::spawn(async move { server::serve(listener, Arc::new(served), stopped.stopped()).await });
        Ok(Self { place, stop, wishes })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.stop();
        if let Err(problem) = self.place.leave() {
            tracing::warn!("the socket {} stays where it is: {problem}", self.place.socket().display());
        }
    }
}

/// Where the engine of this state directory is reached.
pub(super) fn place(loaded: &Loaded) -> Place {
    Place::of(&loaded.paths.state_dir, &loaded.settings.engine.attach)
}

/// By which settings an engine of ours runs.
fn mark(loaded: &Loaded) -> SettingsMark {
    let path = &loaded.paths.config_file;
    match std::fs::read(path) {
        Ok(text) => {
            let digest: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
            SettingsMark { path: Arc::from(path.display().to_string()), digest: Arc::from(digest) }
        }
        // Without a file everything is as it comes.
        Err(_) => SettingsMark { path: Arc::from(""), digest: Arc::from("") },
    }
}

/// Runs the engine until somebody ends it.
pub(super) fn run(common: &CommonArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let tokio = tokio_runtime()?;
    let state_dir = loaded.paths.state_dir.clone();
    log_file::start(&state_dir, variable("HYPO_LOG").as_deref())?;
    let config = RuntimeConfig { state_dir: Some(state_dir), ..runtime_config(&loaded, tokio.handle()) };
    let _entered = tokio.enter();
    let mut runtime = Runtime::start(config)?;
    let outcome = tokio.block_on(attend(&loaded, &mut runtime));
    runtime.stop();
    outcome.map(|()| Exit::Done)
}

async fn attend(loaded: &Loaded, runtime: &mut Runtime) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    runtime.started().await?;
    let mut serving = Serving::begin(loaded, runtime.handle())?;
    let (pid, socket) = (nix::unistd::getpid(), serving.place.socket().display().to_string());
    output::line(&format!("hypo {} pid {pid} listens at {socket}", env!("CARGO_PKG_VERSION")))?;
    let is_now = tokio::select! {
        () = signals.ordered_to_end() => false,
        Some(Wish::Stop { now, by }) = serving.wishes.recv() => {
            tracing::info!(%by, now, "the engine was told to end");
            now
        }
    };
    if !is_now {
        // A second order does not wait.
        tokio::select! {
            () = runtime.see_commands_out() => {}
            () = signals.ordered_to_end() => {}
            Some(Wish::Stop { now: true, .. }) = serving.wishes.recv() => {}
        }
    }
    Ok(())
}

/// Ends the engine of this state directory, and returns once it has ended.
pub(super) fn stop(common: &CommonArguments, arguments: &StopArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let place = place(&loaded);
    tokio_runtime()?.block_on(async {
        let Some(text) = told(&place, Wants::Stop { now: arguments.now }).await? else { return none_runs(&place) };
        output::line(text.trim_end())?;
        while place.connect().await.is_ok() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(Exit::Done)
    })
}

/// How the engine of this state directory stands.
pub(super) fn status(common: &CommonArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let place = place(&loaded);
    tokio_runtime()?.block_on(async {
        let Some(text) = told(&place, Wants::Status).await? else { return none_runs(&place) };
        text.lines().try_for_each(output::line)?;
        Ok(Exit::Done)
    })
}

/// What an engine says to this; `None` where there is none.
pub(super) async fn told(place: &Place, wants: Wants) -> Result<Option<String>, Failure> {
    match place.connect().await {
        Ok(stream) => Ok(Some(ask_in_text(stream, wants).await?)),
        Err(problem) if is_nobody(&problem) => Ok(None),
        Err(problem) => Err(LineProblem::from(problem).into()),
    }
}

/// True where nobody listens.
pub(super) fn is_nobody(problem: &std::io::Error) -> bool {
    matches!(problem.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

fn none_runs(place: &Place) -> Result<Exit, Failure> {
    output::line(&format!("no engine listens at {}", place.socket().display()))?;
    Ok(Exit::Found)
}
