//! `hypo serve`: an engine without a screen, in the foreground for a service manager or by hand, or in the background for the console
//! that started it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::console::runtime_config;
use super::serving::{Listening, Serving, settings_mark};
use super::{Exit, Failure, background, output, ready, settings, tokio_runtime, variable};
use crate::app::arguments::{CommonArguments, ServeArguments};
use crate::app::log_file::{self, LogError};
use crate::app::terminal::signals::Signals;
use crate::engine::attach::place::FileMark;
use crate::engine::attach::server::{Farewell, Wish};
use crate::engine::handle::EngineHandle;
use crate::engine::runtime::{Runtime, RuntimeConfig};
use crate::engine::snapshot::Snapshot;
use crate::engine::store::{Hold, StoreError};

/// The unit file for systemd.
const UNIT: &str = include_str!("hypocenter.service");
/// Between two looks whether the engine still has a reason to be there.
const LOOK: Duration = Duration::from_secs(1);
/// A thread that makes no turn, one of which is due each second, between so many looks hangs: whoever wants the engine to end at once
/// need not wait for it,
const STILL_LOOKS: u32 = 10;
/// and after so many an engine in the background ends, that another one can be started.
const HUNG_LOOKS: u32 = 60;
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
    let watch = Watch::begin(&hold, arguments.background);
    let log = start_log(&hold)?;
    let tokio = tokio_runtime()?;
    let config = RuntimeConfig { state_dir: Some(state_dir), ..runtime_config(&loaded, tokio.handle()) };
    let mut watch = Watch { has_sources: !config.sources.is_empty(), ..watch };
    let _entered = tokio.enter();
    // Before the store is open: whoever comes meanwhile joins and waits, and starts no other engine; and one that nobody could
    // reach makes nothing of what it would find there.
    let listening = match Listening::begin(&loaded) {
        Err(problem) if arguments.background && hold.refusal().is_some() => {
            output::complain(&problem.to_string());
            return Ok(Exit::NoPlace);
        }
        listening => listening?,
    };
    let mut runtime = Runtime::start_holding(config, Some(hold))?;
    let mut serving = Serving::begin(listening, (&loaded, settings_mark(&loaded)), &runtime, arguments.background);
    let outcome = tokio.block_on(attend(&mut runtime, &mut serving, &mut watch, log.as_deref()));
    ready::stopping();
    // The store is held until the runtime has stopped, and the socket is ours no longer than that.
    serving.close();
    if watch.has_given_up {
        // Nothing more comes from a thread that hangs; it goes with the process, and so does its hold on the store.
        runtime.abandon();
        tokio.shutdown_background();
        return outcome.map(|()| Exit::Done);
    }
    runtime.stop();
    tokio.block_on(serving.see_consoles_out());
    outcome.map(|()| Exit::Done)
}

/// A log in the folder of the store, where one can be there.
fn start_log(hold: &Hold) -> Result<Option<PathBuf>, LogError> {
    let filter = variable("HYPO_LOG");
    if hold.refusal().is_none() {
        return log_file::start(hold.folder(), filter.as_deref()).map(Some);
    }
    log_file::aloud(filter.as_deref());
    Ok(None)
}

/// Serves until there is a reason to end, and sees the commands out that run then.
async fn attend(
    runtime: &mut Runtime,
    serving: &mut Serving,
    watch: &mut Watch,
    log: Option<&Path>,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let handle = runtime.handle();
    let opened = tokio::select! {
        // What it says itself of its end says more than that it has ended.
        biased;
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
    // Only now: while it opens its store the thread makes no turns.
    watch.stillness = Some(Stillness::of(runtime.turns()));
    let order = watch.order(&mut signals, serving, &handle).await;
    tracing::info!(why = %order.why, now = order.is_now, "the engine ends");
    ready::stopping();
    serving.announce(order.farewell());
    if !order.is_wanted {
        return Err(order.why.into());
    }
    if !order.is_now {
        // A second order does not wait.
        watch.has_given_up = tokio::select! {
            () = runtime.see_commands_out() => false,
            () = signals.ordered_to_end() => watch.hangs(STILL_LOOKS),
            () = wanted_now(serving) => watch.hangs(STILL_LOOKS),
            () = watch.until_it_hangs() => true,
        };
    }
    drop(heart);
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
    /// False where nobody wanted it: whoever needs an engine starts another.
    is_wanted: bool,
}

impl Order {
    fn wanted(why: String, is_now: bool) -> Self {
        Self { why, is_now, is_wanted: true }
    }

    fn farewell(&self) -> Farewell {
        Farewell { why: Arc::from(self.why.as_str()), is_wanted: self.is_wanted }
    }
}

/// What an engine looks at to see whether it has a reason to be there.
struct Watch {
    is_background: bool,
    has_sources: bool,
    /// For how long the engine's thread has made no turns, once its store is open.
    stillness: Option<Stillness>,
    /// True once it counts as one that hangs.
    has_given_up: bool,
    folder: PathBuf,
    /// The lock of the store, by which others see that it is taken, where there can be one.
    lock: Option<FileMark>,
    idleness: Idleness,
}

impl Watch {
    fn begin(hold: &Hold, is_background: bool) -> Self {
        let folder = hold.folder().to_path_buf();
        let lock = FileMark::of(&Hold::file(&folder)).ok();
        let (stillness, idleness) = (None, Idleness::default());
        Self { is_background, has_sources: true, stillness, has_given_up: false, folder, lock, idleness }
    }

    /// Waits for the first reason to end.
    async fn order(&mut self, signals: &mut Signals, serving: &mut Serving, engine: &EngineHandle) -> Order {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pictures = engine.snapshots();
        let ended = async { while pictures.changed().await.is_ok() {} };
        tokio::pin!(ended);
        loop {
            tokio::select! {
                () = signals.ordered_to_end() => {
                    return Order::wanted("its process was told to end".to_owned(), false);
                }
                Some(Wish::Stop { now, by }) = serving.wishes.recv() => {
                    self.has_given_up = now && self.hangs(STILL_LOOKS);
                    return Order::wanted(format!("{by} ended it by `hypo stop`"), now);
                }
                () = &mut ended => {
                    let why = "a thread of it ended in a panic; hypo.log beside the store says where".to_owned();
                    return Order { why, is_now: true, is_wanted: false };
                }
                _ = looks.tick() => {}
            }
            self.look();
            // A service manager has its watchdog for that, and whoever sits before an engine sees that it is not heard.
            if self.is_background && self.hangs(HUNG_LOOKS) {
                tracing::error!("the engine's thread has made no turn for {HUNG_LOOKS} s, and is given up");
                self.has_given_up = true;
                let why = format!("its thread has done nothing for {HUNG_LOOKS} s");
                return Order { why, is_now: true, is_wanted: false };
            }
            if self.lock.is_some_and(|lock| is_gone(&self.folder, lock)) {
                let folder = self.folder.display();
                // What came of commands could not be kept anyway.
                return Order::wanted(format!("its state directory {folder} was removed or replaced"), true);
            }
            if self.is_idle(serving, engine) {
                return Order::wanted("it has nothing to watch, and nobody was there".to_owned(), false);
            }
        }
    }

    /// Waits until the engine's thread counts as one that hangs.
    async fn until_it_hangs(&mut self) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.hangs(HUNG_LOOKS) {
            looks.tick().await;
            self.look();
        }
    }

    fn look(&mut self) {
        if let Some(stillness) = &mut self.stillness {
            stillness.look();
        }
    }

    /// True where so many looks have found the engine's thread where it was.
    fn hangs(&self, looks: u32) -> bool {
        self.stillness.as_ref().is_some_and(|stillness| stillness.looks >= looks)
    }

    /// True where nothing has been watched, walked or looked at for a while.
    fn is_idle(&mut self, serving: &Serving, engine: &EngineHandle) -> bool {
        let is_of_use = !self.is_background
            || self.has_sources
            || serving.console_count() > 0
            || has_work(&engine.snapshots().borrow());
        self.idleness.is_over(is_of_use, Instant::now())
    }
}

/// How many looks have found a thread where it was. They are counted and not timed: a process that was stopped, or a machine that
/// slept, has not looked meanwhile.
struct Stillness {
    turns: Arc<AtomicU64>,
    seen: u64,
    looks: u32,
}

impl Stillness {
    fn of(turns: Arc<AtomicU64>) -> Self {
        Self { seen: turns.load(Ordering::Relaxed), turns, looks: 0 }
    }

    fn look(&mut self) {
        let seen = self.turns.load(Ordering::Relaxed);
        self.looks = if seen == self.seen { self.looks + 1 } else { 0 };
        self.seen = seen;
    }
}

/// For how long an engine has been of no use.
#[derive(Default)]
struct Idleness {
    since: Option<Instant>,
}

impl Idleness {
    /// True once it has been of none for as long as is waited for somebody.
    fn is_over(&mut self, is_of_use: bool, now: Instant) -> bool {
        self.since = if is_of_use { None } else { self.since.or(Some(now)) };
        self.since.is_some_and(|since| now.duration_since(since) >= IDLE_WAIT)
    }
}

/// True where a run or an approved rollout is not over.
fn has_work(picture: &Snapshot) -> bool {
    picture.runs.iter().any(|run| run.state.is_open())
        || picture.rollouts.iter().any(|kept| kept.rollout.is_approved() && !kept.rollout.is_over())
}

/// True where the store's lock is no longer the file that was locked: another engine could begin there, unseen. A disk that does
/// not say what is there has not lost it.
fn is_gone(folder: &Path, lock: FileMark) -> bool {
    match FileMark::of(&Hold::file(folder)) {
        Ok(there) => there != lock,
        Err(problem) => problem.kind() == ErrorKind::NotFound,
    }
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

    #[test]
    fn a_thread_hangs_where_look_after_look_finds_it_in_the_same_turn() {
        let turns = Arc::new(AtomicU64::new(7));
        let mut stillness = Stillness::of(Arc::clone(&turns));
        for _ in 0..HUNG_LOOKS - 1 {
            stillness.look();
        }
        assert_eq!(stillness.looks, HUNG_LOOKS - 1);
        turns.fetch_add(1, Ordering::Relaxed);
        stillness.look();
        assert_eq!(stillness.looks, 0, "one turn is enough");
        stillness.look();
        assert_eq!(stillness.looks, 1);
    }

    #[test]
    fn an_engine_that_was_of_use_in_the_meantime_waits_from_then_on() {
        let begun = Instant::now();
        let after = |share: f64| begun + IDLE_WAIT.mul_f64(share);
        let mut idleness = Idleness::default();
        assert!(!idleness.is_over(false, begun) && !idleness.is_over(false, after(0.9)));
        assert!(!idleness.is_over(true, after(0.95)), "somebody was there");
        assert!(!idleness.is_over(false, after(1.1)) && !idleness.is_over(false, after(2.0)));
        assert!(idleness.is_over(false, after(2.1)));
        assert!(!idleness.is_over(true, after(3.0)), "whoever is there keeps it");
    }
}
