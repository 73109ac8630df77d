//! The socket by which consoles reach an engine of this process, from before its store is open until after its last picture.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::{Failure, variable};
use crate::app::arguments::CommonArguments;
use crate::app::settings::Loaded;
use crate::engine::attach::message::SettingsMark;
use crate::engine::attach::people::People;
use crate::engine::attach::place::{FileMark, Listener, Place, PlaceProblem};
use crate::engine::attach::server::{self, Attendance, Farewell, Served, Wish};
use crate::engine::ingest::{StopSignal, StopSwitch, wall_clock};
use crate::engine::runtime::Runtime;

/// Wishes about the process that wait.
const WISHES_MAX: usize = 4;
/// Consoles get this long to hear the farewell.
const PARTING_WAIT: Duration = Duration::from_secs(2);
/// Between two looks whether they have gone.
const LOOK: Duration = Duration::from_millis(10);

/// A socket that is listened at. Dropping it takes it away.
struct Socket {
    place: Place,
    mark: Option<FileMark>,
}

impl Socket {
    fn close(&mut self) {
        if let Some(mark) = self.mark.take()
            && let Err(problem) = self.place.leave(mark)
        {
            tracing::warn!("the socket {} stays where it is: {problem}", self.place.socket().display());
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.close();
    }
}

/// The socket of an engine that is about to begin: without one it need not begin at all.
pub(super) struct Listening {
    socket: Socket,
    listener: Listener,
}

impl Listening {
    /// Listens where the engine of this state directory is reached, by whoever holds its store. To be called within a tokio runtime.
    ///
    /// # Errors
    /// When there is no place for the socket.
    pub(super) fn begin(loaded: &Loaded) -> Result<Self, PlaceProblem> {
        let place = place(loaded);
        let listener = place.listen()?;
        let mark = place.mark().ok();
        Ok(Self { socket: Socket { place, mark }, listener })
    }
}

/// An engine that consoles can reach. Dropping it takes the socket away.
pub(super) struct Serving {
    socket: Socket,
    stop: StopSwitch,
    farewell: watch::Sender<Option<Farewell>>,
    attendance: Arc<Attendance>,
    /// What is wanted of the process.
    pub wishes: mpsc::Receiver<Wish>,
}

impl Serving {
    /// Lets consoles reach the engine of this runtime, which runs by the settings of this mark.
    pub(super) fn begin(
        listening: Listening,
        (loaded, settings): (&Loaded, SettingsMark),
        runtime: &Runtime,
        is_background: bool,
    ) -> Self {
        let Listening { socket, listener } = listening;
        let (wished, wishes) = mpsc::channel(WISHES_MAX);
        let (stop, stopped) = StopSignal::pair();
        let (farewell, farewells) = watch::channel(None);
        let attendance = Arc::new(Attendance::default());
        let served = Served {
            handle: runtime.handle(),
            turns: runtime.turns(),
            people: People::new(loaded.settings.engine.people.clone()),
            pid: nix::unistd::getpid().as_raw(),
            since: wall_clock::now(),
            settings,
            wishes: wished,
            is_background,
            farewell: farewells,
            attendance: Arc::clone(&attendance),
        };
        tokio::spawn(async move { server::serve(listener, Arc::new(served), stopped.stopped()).await });
        Self { socket, stop, farewell, attendance, wishes }
    }

    /// Where it is.
    pub(super) fn place(&self) -> &Place {
        &self.socket.place
    }

    /// How many consoles there are.
    pub(super) fn console_count(&self) -> usize {
        self.attendance.count()
    }

    /// Says that the engine ends, and why. Nobody is let in any more; whoever is there hears it with the end of the pictures.
    pub(super) fn announce(&self, farewell: Farewell) {
        self.farewell.send_replace(Some(farewell));
    }

    /// Takes the socket away: for as long as the store is held, for the next one who has it makes another one there.
    pub(super) fn close(&mut self) {
        self.stop.stop();
        self.socket.close();
    }

    /// Waits until all consoles have heard the farewell, for a while: one that does not read holds up nobody.
    pub(super) async fn see_consoles_out(&self) {
        let until = Instant::now() + PARTING_WAIT;
        while self.console_count() > 0 && Instant::now() < until {
            sleep(LOOK).await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.close();
    }
}

/// Where the engine of this state directory is reached.
pub(super) fn place(loaded: &Loaded) -> Place {
    Place::of(&loaded.paths.state_dir, &loaded.settings.engine.attach)
}

/// Whose engine the configuration leads to, where that is somebody else's: the usual state directory is not its.
pub(super) fn other_owner(loaded: &Loaded) -> Option<String> {
    place(loaded).other_owner().filter(|_| loaded.settings.engine.attach.socket.is_some())
}

/// That the engine of `owner` is down, which is nobody else's to start.
pub(super) fn is_down(loaded: &Loaded, owner: &str) -> Failure {
    format!(
        "nobody listens at {}, where the engine of {owner} is reached: start that one (for the unit that `hypo serve \
         --print-unit` prints, `systemctl start hypocenter`), or use a configuration without `[attach] socket` for an engine \
         of your own",
        place(loaded).socket().display()
    )
    .into()
}

/// The same for what a command would read: where it names a state directory itself, that is what it is asked for.
pub(super) fn elsewhere(common: &CommonArguments, loaded: &Loaded) -> Option<String> {
    let is_named = common.state_dir.is_some() || variable("HYPO_STATE_DIR").is_some();
    other_owner(loaded).filter(|_| !is_named)
}

/// Refuses to read a store that is not of the engine which the configuration leads to.
///
/// # Errors
/// When it is not.
pub(super) fn see_that_it_is_ours(common: &CommonArguments, loaded: &Loaded) -> Result<(), Failure> {
    let refuse = |owner: String| {
        Err(format!(
            "the configuration {} leads to the engine of {owner} at {}, whose store is not yours to read; --state-dir names one \
             of your own",
            loaded.paths.config_file.display(),
            place(loaded).socket().display()
        )
        .into())
    };
    elsewhere(common, loaded).map_or(Ok(()), refuse)
}

/// By which settings an engine of ours runs.
pub(super) fn settings_mark(loaded: &Loaded) -> SettingsMark {
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

/// The same of an engine that lives within a console.
pub(super) fn console_mark(loaded: &Loaded) -> SettingsMark {
    if loaded.settings.console.read_only {
        let path = "the settings of a console that only looks, with which it ends";
        return SettingsMark { path: Arc::from(path), digest: Arc::from("") };
    }
    settings_mark(loaded)
}
