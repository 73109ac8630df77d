//! `hypo attach`: the console on an engine that runs already, on this machine or, by the system's ssh, on another.

use std::io::{self, Read, Write, stdin, stdout};
use std::net::Shutdown;
use std::sync::Arc;

use super::serving::{place, settings_mark};
use super::{Exit, Failure, console, settings, tokio_runtime, variable};
use crate::app::arguments::{AttachArguments, CommonArguments};
use crate::app::attach::child::Remote;
use crate::app::attach::line::LineProblem;
use crate::app::attach::pump::{self, Joined, Link};
use crate::app::attach::way::{Way, is_nobody};
use crate::app::engine_link::EngineLink;
use crate::app::log_file;
use crate::app::options::ConsoleOptions;
use crate::app::run::{self, ConsoleError};
use crate::app::settings::{Loaded, Paths};
use crate::app::terminal::input;
use crate::engine::attach::hello::{Greeting, Says};
use crate::engine::ingest::wall_clock;
use crate::engine::model::Role;

/// Bytes of what a console says first.
const FIRST_BYTES_MAX: usize = 4_096;

/// Opens the console on the engine that runs, here or there; or is the other end of such a line.
pub(super) fn run(common: &CommonArguments, arguments: &AttachArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let tokio = tokio_runtime()?;
    if arguments.line {
        return carry(&loaded, &tokio);
    }
    input::look().map_err(ConsoleError::NoTerminal)?;
    let way = match &arguments.host {
        Some(host) => Way::There(Arc::new(Remote::new(host, &arguments.remote_hypo)?)),
        None => Way::Here(place(&loaded)),
    };
    let joined = tokio.block_on(pump::join(way, cap(&loaded)))?;
    // Settings of another machine are that machine's.
    let notice = arguments.host.is_none().then(|| other_settings(&loaded, &joined)).flatten();
    let options = match &arguments.host {
        Some(host) => ConsoleOptions { left_off: Paths::left_off_there(host), ..console::options(&loaded) },
        None => console::kept_options(&loaded),
    };
    show(&loaded, &tokio, joined, notice, options)
}

/// The role that a console asks for at most: whoever may not act is somebody who looks, whatever the engine would let them do.
pub(super) fn cap(loaded: &Loaded) -> Option<Role> {
    loaded.settings.console.read_only.then_some(Role::Viewer)
}

/// Shows an engine in another process until the console is left; it goes on without.
pub(super) fn show(
    loaded: &Loaded,
    tokio: &tokio::runtime::Runtime,
    joined: Joined,
    notice: Option<String>,
    options: ConsoleOptions,
) -> Result<Exit, Failure> {
    log_file::join(&loaded.paths.state_dir, variable("HYPO_LOG").as_deref());
    let (link, snapshots) = (joined.link.clone(), joined.handle.snapshots());
    let engine = EngineLink::attached(joined).saying(notice);
    tokio.block_on(run::run(engine, options))?;
    let why = match &*link.borrow() {
        Link::Ended(why) => Arc::clone(why),
        Link::Up | Link::Started | Link::Silent | Link::Lost(_) => return Ok(Exit::Done),
    };
    // One that never had its store open has shown nothing, not even why.
    if snapshots.borrow().is_before_the_first() { Err(why.to_string().into()) } else { Ok(Exit::Done) }
}

/// What to say where the engine runs by other settings than those of this console, and could be started with these.
pub(super) fn other_settings(loaded: &Loaded, joined: &Joined) -> Option<String> {
    let welcome = &joined.welcome;
    let ours = settings_mark(loaded);
    if welcome.settings == ours || welcome.person.role < Role::Admin {
        return None;
    }
    let named = |path: &str| if path.is_empty() { "no file".to_owned() } else { path.to_owned() };
    let what = if welcome.settings.path == ours.path {
        format!("{} has changed since the engine read it", named(&ours.path))
    } else {
        format!("the engine runs by {}, not by {}", named(&welcome.settings.path), named(&ours.path))
    };
    Some(format!("{what}; `hypo stop`, then `hypo`, takes the new settings"))
}

/// Copies between standard input and output and the socket until one of them ends.
fn carry(loaded: &Loaded, tokio: &tokio::runtime::Runtime) -> Result<Exit, Failure> {
    let place = place(loaded);
    // The engine waits for the first word for a moment only, and the line may be slow.
    let mut first = vec![0; FIRST_BYTES_MAX];
    let count = stdin().read(&mut first)?;
    first.truncate(count);
    let stream = match tokio.block_on(async { place.connect_waiting().await }) {
        Ok(stream) => stream,
        Err(problem) => {
            let socket = place.socket().display();
            let why = if is_nobody(&problem) {
                format!("no engine listens there at {socket}; start one there with `hypo serve`, or with `hypo`")
            } else {
                LineProblem::from(problem).to_string()
            };
            // As an engine would say it, for that is what is read on the other end.
            let says = Says::No { why: Arc::from(why) };
            let greeting = Greeting::new(nix::unistd::getpid().as_raw(), wall_clock::now(), says);
            pass(&mut greeting.line().as_bytes(), &mut stdout())?;
            return Ok(Exit::Failed);
        }
    };
    let (mut engine, mut inward) = (stream.try_clone()?, stream);
    inward.write_all(&first)?;
    // Whoever reads standard input cannot be called back; it ends with the process.
    std::thread::Builder::new().name("line-in".to_owned()).spawn(move || {
        let _ended = pass(&mut stdin(), &mut inward);
        // The engine takes note that nobody is there any more, and ends the other direction.
        let _gone = inward.shutdown(Shutdown::Write);
    })?;
    // Whichever end it was, there is nobody left who would want to hear of it.
    let _ended = pass(&mut engine, &mut stdout());
    Ok(Exit::Done)
}

/// Copies until the end; what was read is on its way before more is waited for.
fn pass(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = [0; 65_536];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(problem) if problem.kind() == io::ErrorKind::Interrupted => continue,
            Err(problem) => return Err(problem),
        };
        to.write_all(buffer.get(..count).unwrap_or_default())?;
        to.flush()?;
    }
}
