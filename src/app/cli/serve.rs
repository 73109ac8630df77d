//! `hypo serve`: an engine without a screen, in the foreground for a service manager or by hand, or in the background for the console
//! that started it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::console::runtime_config;
use super::serving::Serving;
use super::{Exit, Failure, background, output, ready, settings, tokio_runtime, variable};
use crate::app::arguments::{CommonArguments, ServeArguments};
use crate::app::log_file;
use crate::app::terminal::signals::Signals;
use crate::engine::attach::place::FileMark;
use crate::engine::attach::server::{Farewell, Wish};
use crate::engine::handle::EngineHandle;
use crate::engine::runtime::{Runtime, RuntimeConfig};
use crate::engine::store::{Hold, StoreError};

/// The unit file for systemd.
const UNIT: &str = include_str!("hypocenter.service");
/// Between two looks whether the engine still has a reason to be there.
const LOOK: Duration = Duration::from_secs(1);
/// An engine in the background that watches nothing, walks nothing and has no console ends after this time.
const IDLE_WAIT: Duration = Duration::from_secs(600);

/// Runs the engine until somebody ends it.
pub(super) fn run(common: &CommonArguments, arguments: &ServeArguments) -> Result<Exit, Failure> {
    if arguments.print_unit {
        UNIT.lines().try_for_each(output::line)?;
        return Ok(Exit::Done);
    }
    if arguments.background {
        background::detach()?;
    }
    let loaded = settings(common)?;
    let state_dir = loaded.paths.state_dir.clone();
    let hold = match Hold::take(&state_dir) {
        Err(problem @ StoreError::Held { .. }) if arguments.background => {
            output::complain(&problem.to_string());
            return Ok(Exit::Taken);
        }
        taken => taken?,
    };
    let watch = Watch::begin(&hold, arguments.background)?;
    let log = log_file::start(&state_dir, variable("HYPO_LOG").as_deref())?;
    let tokio = tokio_runtime()?;
    let config = RuntimeConfig { state_dir: Some(state_dir), ..runtime_config(&loaded, tokio.handle()) };
    let watch = Watch { has_sources: !config.sources.is_empty(), ..watch };
    let _entered = tokio.enter();
    // Before the store is open: whoever comes meanwhile joins and waits, and starts no other engine.
    let mut runtime = Runtime::start_holding(config, Some(hold))?;
    let mut serving = match Serving::begin(&loaded, runtime.handle(), arguments.background) {
        Ok(serving) => serving,
        Err(problem) => {
            runtime.stop();
            return Err(problem.into());
        }
    };
    let outcome = tokio.block_on(attend(&mut runtime, &mut serving, watch, &log));
    ready::stopping();
    // The store is held until the runtime has stopped, and the socket is ours no longer than that.
    serving.close();
    runtime.stop();
    tokio.block_on(serving.see_consoles_out());
    outcome.map(|()| Exit::Done)
}

/// Serves until there is a reason to end, and sees the commands out that run then.
async fn attend(runtime: &mut Runtime, serving: &mut Serving, mut watch: Watch, log: &Path) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let handle = runtime.handle();
    let opened = tokio::select! {
        opened = runtime.started() => opened,
        order = watch.order(&mut signals, serving, &handle) => {
            tracing::info!(why = %order.why, "the engine ends before its store is open");
            serving.announce(order.farewell());
            return Ok(());
        }
    };
    if let Err(problem) = opened {
        tracing::error!("the engine cannot go on: {problem}");
        serving.announce(Farewell { why: Arc::from(problem.to_string()), is_wanted: true });
        return Err(problem.into());
    }
    if watch.is_background {
        background::speak_to_the_log(log)?;
    } else {
        let (pid, socket) = (nix::unistd::getpid(), serving.place().socket().display().to_string());
        output::line(&format!("hypo {} pid {pid} listens at {socket}", env!("CARGO_PKG_VERSION")))?;
    }
    ready::ready();
    let heart = ready::keep_alive(runtime.turns());
    let order = watch.order(&mut signals, serving, &handle).await;
    tracing::info!(why = %order.why, now = order.is_now, "the engine ends");
    ready::stopping();
    serving.announce(order.farewell());
    if !order.is_now {
        // A second order does not wait.
        tokio::select! {
            () = runtime.see_commands_out() => {}
            () = signals.ordered_to_end() => {}
            () = wanted_now(serving) => {}
        }
    }
    if let Some(heart) = heart {
        heart.abort();
    }
    Ok(())
}

/// Somebody does not want to wait for commands.
async fn wanted_now(serving: &mut Serving) {
    while let Some(Wish::Stop { now, .. }) = serving.wishes.recv().await {
        if now {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// That the engine is to end.
struct Order {
    why: String,
    /// Without waiting for commands.
    is_now: bool,
}

impl Order {
    fn farewell(&self) -> Farewell {
        Farewell { why: Arc::from(self.why.as_str()), is_wanted: true }
    }
}

/// What an engine looks at to see whether it has a reason to be there.
struct Watch {
    is_background: bool,
    has_sources: bool,
    folder: PathBuf,
    /// The lock of the store, by which others see that it is taken.
    lock: FileMark,
    idle_since: Option<Instant>,
}

impl Watch {
    fn begin(hold: &Hold, is_background: bool) -> Result<Self, Failure> {
        let folder = hold.folder().to_path_buf();
        let lock = FileMark::of(&Hold::file(&folder))?;
        Ok(Self { is_background, has_sources: true, folder, lock, idle_since: None })
    }

    /// Waits for the first reason to end.
    async fn order(&mut self, signals: &mut Signals, serving: &mut Serving, engine: &EngineHandle) -> Order {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = signals.ordered_to_end() => {
                    return Order { why: "its process was told to end".to_owned(), is_now: false };
                }
                Some(Wish::Stop { now, by }) = serving.wishes.recv() => {
                    return Order { why: format!("{by} ended it by `hypo stop`"), is_now: now };
                }
                _ = looks.tick() => {}
            }
            if is_gone(&self.folder, self.lock) {
                let folder = self.folder.display();
                // What came of commands could not be kept anyway.
                return Order { why: format!("its state directory {folder} was removed or replaced"), is_now: true };
            }
            if self.is_idle(serving, engine) {
                return Order { why: "it has nothing to watch, and nobody was there".to_owned(), is_now: false };
            }
        }
    }

    /// True where nothing has been watched, walked or looked at for a while.
    fn is_idle(&mut self, serving: &Serving, engine: &EngineHandle) -> bool {
        let is_of_use = !self.is_background
            || self.has_sources
            || serving.console_count() > 0
            || engine.snapshots().borrow().runs.iter().any(|run| run.state.is_open());
        if is_of_use {
            self.idle_since = None;
            return false;
        }
        self.idle_since.get_or_insert_with(Instant::now).elapsed() >= IDLE_WAIT
    }
}

/// True where the store's lock is no longer the file that was locked: another engine could begin there, unseen.
fn is_gone(folder: &Path, lock: FileMark) -> bool {
    FileMark::of(&Hold::file(folder)).ok() != Some(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_taken_away_or_replaced_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("state");
        let hold = Hold::take(&folder).unwrap();
        let lock = FileMark::of(&Hold::file(&folder)).unwrap();
        assert!(!is_gone(&folder, lock));
        std::fs::rename(&folder, root.path().join("aside")).unwrap();
        assert!(is_gone(&folder, lock));
        let _another = Hold::take(&folder).unwrap();
        assert!(is_gone(&folder, lock));
        drop(hold);
    }
}
