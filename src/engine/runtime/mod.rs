//! The driver around the core: threads, channels, the clock and the store.
//!
//! ```text
//! sources ──▶ signals ─┐                    ┌─▶ jobs thread: store, runner, couriers, replies
//! console ──▶ requests ┼─▶ engine thread ───┤
//! runner  ──▶ reports ─┤   (the core)       └─▶ snapshots (watch): every console
//! patches ──▶ queue ───┤
//! couriers ─▶ reports ─┘
//! questions ─▶ ask desk, which looks at the newest picture ─▶ answers
//! ```
//!
//! The engine thread opens the store, then owns the core. It never waits for the disk after that: what is to be done
//! goes, in order, to the jobs thread; while much of it waits there, no signals are taken, but requests and the kill file are.
//! Requests are taken before signals, so that a flood of samples does not delay a key.

pub mod archive;
mod ask_desk;
pub mod engine_desk;
mod engine_thread;
mod field_work;
pub mod inventory_scan;
pub mod jobs_desk;
mod jobs_thread;
mod opening;
mod patch_desk;
mod patch_rounds;
pub mod recorder;
pub mod replay;
pub mod runbook_folders;
pub mod source_list;
mod store_keeper;
mod supervisor;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use super::act::StepRunner;
use super::handle::{EngineHandle, HandleEnds};
use super::ingest::{StopSignal, StopSwitch};
use super::language_model::LanguageModel;
use super::model::PastValues;
use super::patches::keeping::OfficeInMemory;
use super::pipeline::EngineError;
use super::runbooks::Library;
use super::settings::EngineSettings;
use super::snapshot::Snapshot;
use super::store::{Hold, PastStore, StoreError};
use ask_desk::ModelDesk;
use source_list::SourceSpec;

/// Everything an engine is started with.
pub struct RuntimeConfig {
    /// How to judge and what to watch.
    pub settings: EngineSettings,
    /// The runbooks.
    pub library: Library,
    /// Where to keep things; `None` keeps nothing beyond the program's end.
    pub state_dir: Option<PathBuf>,
    /// The sources to run.
    pub sources: Vec<SourceSpec>,
    /// Who carries approved steps out.
    pub runner: Arc<dyn StepRunner>,
    /// Feeds, inventory and first matches in memory; `None` takes the files of `state_dir`, and none of them where that is absent.
    pub patch_office: Option<Arc<OfficeInMemory>>,
    /// Where to record everything that comes in.
    pub record_to: Option<PathBuf>,
}

/// Why an engine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The settings.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The recording.
    #[error("cannot record to {path}: {problem}; choose another file")]
    Record {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: std::io::Error,
    },
    /// The thread is gone.
    #[error("the engine ended while it started; the log file says why")]
    Ended,
    /// A thread.
    #[error("cannot start a thread: {0}; the system is short of memory or threads")]
    Thread(std::io::Error),
}

/// When the engine is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Not for now.
    NotYet,
    /// Once every command that runs has ended; nothing more begins until then.
    AfterCommands,
    /// At once.
    Now,
}

/// A running engine. Dropping it without [`Runtime::stop`] ends it too, but without the last write of what was learned.
pub struct Runtime {
    handle: EngineHandle,
    started: Option<oneshot::Receiver<Result<(), RuntimeError>>>,
    stop_sources: StopSwitch,
    ending: watch::Sender<Ending>,
    engine_thread: Option<JoinHandle<()>>,
    turns: Arc<AtomicU64>,
}

impl Runtime {
    /// Starts the engine's thread and returns at once: a large store takes its time to open, and the console is on the
    /// screen by then. Must be called within a tokio runtime: the sources run on it.
    ///
    /// # Errors
    /// When no thread can be started. Everything else that can go wrong is told by [`Runtime::started`].
    pub fn start(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        Self::start_holding(config, None)
    }

    /// The same by whoever has taken the right to the store in the configuration's folder already.
    ///
    /// # Errors
    /// As [`Runtime::start`].
    pub fn start_holding(config: RuntimeConfig, hold: Option<Hold>) -> Result<Self, RuntimeError> {
        let (handle, ends) = EngineHandle::pair(Arc::new(before_the_first(&config)));
        let HandleEnds { requests, questions, attendance, backups, snapshots } = ends;
        let past = PastStore::default();
        let model = ModelDesk {
            model: Arc::new(LanguageModel::new(&config.settings.ask.model)),
            tasks: tokio::runtime::Handle::current(),
        };
        let (values, newest_values) = watch::channel(Arc::new(PastValues::default()));
        ask_desk::spawn(questions, handle.snapshots(), newest_values, past.clone(), Some(model))
            .map_err(RuntimeError::Thread)?;
        let (ending, told_to_end) = watch::channel(Ending::NotYet);
        let (stop_sources, stop_signal) = StopSignal::pair();
        let (started_sender, started) = oneshot::channel();
        let turns = Arc::new(AtomicU64::new(0));
        let ends = engine_thread::Ends {
            turns: Arc::clone(&turns),
            requests,
            attendance,
            backups,
            past,
            values,
            snapshots,
            ending: told_to_end,
            stop_signal,
            started: started_sender,
        };
        let engine_thread = engine_thread::spawn(config, hold, ends).map_err(RuntimeError::Thread)?;
        Ok(Self { handle, started: Some(started), stop_sources, ending, engine_thread: Some(engine_thread), turns })
    }

    /// Returns once the store is open and the sources run, or says why they do not. To be awaited once.
    ///
    /// # Errors
    /// When the store cannot be opened, the settings make no sense, or the recording cannot be written.
    pub async fn started(&mut self) -> Result<(), RuntimeError> {
        match self.started.take() {
            Some(started) => started.await.unwrap_or(Err(RuntimeError::Ended)),
            None => Ok(()),
        }
    }

    /// The way to it.
    #[must_use]
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }

    /// How many turns its thread has made: one that answers makes some every second.
    #[must_use]
    pub fn turns(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.turns)
    }

    /// Lets commands that run come to their end, with all they say and what came of them on disk; nothing more begins.
    /// Returns when there is none, which their timeouts bound. [`Self::stop`] ends the waiting.
    pub async fn see_commands_out(&self) {
        self.ending.send_replace(Ending::AfterCommands);
        let mut snapshots = self.handle.snapshots();
        // It errs once the engine is gone, and that is what is waited for.
        while snapshots.changed().await.is_ok() {}
    }

    /// Gives an engine up whose thread hangs: waits for nothing. What it was about to do or to write is as after a crash, and its
    /// store is held until the process has ended.
    pub fn abandon(mut self) {
        self.stop_sources.stop();
        self.ending.send_replace(Ending::Now);
        drop(self.engine_thread.take());
    }

    /// Stops the sources, writes what was learned, and waits until it is on disk. Blocks: not to be called on a thread
    /// that must stay responsive.
    pub fn stop(mut self) {
        self.stop_sources.stop();
        self.ending.send_replace(Ending::Now);
        if self.engine_thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the engine's thread ended in a panic");
        }
    }
}

/// What is shown until the store is open.
fn before_the_first(config: &RuntimeConfig) -> Snapshot {
    let mut picture = Snapshot::empty();
    if let Some(folder) = &config.state_dir {
        picture.store.path = Arc::from(folder.display().to_string());
        picture.store.problem = Some(Arc::from("it is being opened; nothing of it is shown yet"));
    }
    picture
}
