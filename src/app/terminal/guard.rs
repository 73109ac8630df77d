//! Takes the terminal over and gives it back as it was: on leaving, on a panic, around a suspension.
//!
//! There is one restore path and it may run any number of times. What it undoes is what [`TerminalGuard::enter`] did:
//! raw mode, alternate screen, bracketed paste, and the mouse where it was turned on.

use std::io;
use std::os::fd::AsFd;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use nix::sys::signal::{self, Signal};
use nix::sys::termios::{FlushArg, tcflush};
use nix::unistd::{Pid, getpgid, getpgrp, getpid, getppid, getsid};

use super::screen::write_whole;

const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[2J\x1b[H";
const LEAVE: &[u8] = b"\x1b[?2004l\x1b[r\x1b[m\x1b[?25h\x1b[?1049l";
/// Presses, releases and the wheel, with positions past column 223.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// A terminal takes the few bytes of the way back within this time, or its reader hangs.
const LEAVE_WAIT: Duration = Duration::from_millis(500);
/// The same on the way in, over a slow line.
const ENTER_WAIT: Duration = Duration::from_secs(5);

/// True while the terminal is in our modes.
static IS_OURS: AtomicBool = AtomicBool::new(false);
static IS_MOUSE_ON: AtomicBool = AtomicBool::new(false);
/// The thread that draws: a panic of any other one is survived, and must not take the screen away.
static OWNER: Mutex<Option<ThreadId>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// Holds the terminal; gives it back when dropped.
#[derive(Debug)]
pub struct TerminalGuard(());

impl TerminalGuard {
    /// Takes the terminal over. The panic hook is in place before anything is changed.
    ///
    /// # Errors
    /// When there is no terminal, or it cannot be put into raw mode.
    pub fn enter() -> io::Result<Self> {
        *OWNER.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
        HOOK.call_once(install_hook);
        take()?;
        Ok(Self(()))
    }

    /// The bytes that turn the mouse on or off, to go out in order with the frames. From here on the way back undoes it.
    #[must_use]
    pub fn mouse_sequence(&self, is_on: bool) -> &'static [u8] {
        IS_MOUSE_ON.store(is_on, Ordering::SeqCst);
        if is_on { MOUSE_ON } else { MOUSE_OFF }
    }

    /// Gives the terminal back, stops this process group as Ctrl-Z does, and takes the terminal over again when it is
    /// continued. Returns false, having done nothing, where no shell is there to continue it.
    ///
    /// # Errors
    /// When the terminal cannot be given back or taken again.
    pub fn suspend(&self) -> io::Result<bool> {
        if !can_be_continued() {
            return Ok(false);
        }
        restore();
        // The others of the group (a build tool, a wrapper script) stop as they would by Ctrl-Z. We catch that signal
        // ourselves, so for this process it takes the one that cannot be caught.
        signal::killpg(getpgrp(), Signal::SIGTSTP)?;
        // Raised, not sent: it must stop this very thread before the next line.
        signal::raise(Signal::SIGSTOP)?;
        take()?;
        Ok(true)
    }

    /// Takes the terminal over once more: after somebody else stopped and continued us, its modes may be gone.
    ///
    /// # Errors
    /// When it cannot be put into raw mode.
    pub fn retake(&self) -> io::Result<()> {
        disable_raw_mode()?;
        take()
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        restore();
        *OWNER.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    IS_OURS.store(true, Ordering::SeqCst);
    let mut first = ENTER.to_vec();
    if IS_MOUSE_ON.load(Ordering::SeqCst) {
        first.extend_from_slice(MOUSE_ON);
    }
    write_in_time(&first, ENTER_WAIT)
}

/// True while the terminal is in our modes: whoever writes to it then writes into a frame.
#[must_use]
pub fn is_ours() -> bool {
    IS_OURS.load(Ordering::SeqCst)
}

/// Puts the terminal back as it was; does nothing where it already is. Failures are passed over: there is nobody left
/// to tell.
pub fn restore() {
    if !IS_OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut last = if IS_MOUSE_ON.load(Ordering::SeqCst) { MOUSE_OFF.to_vec() } else { Vec::new() };
    last.extend_from_slice(LEAVE);
    let _ = write_in_time(&last, LEAVE_WAIT);
    let _ = disable_raw_mode();
}

/// Writes, but waits for no terminal that takes nothing: one whose reader hangs, or that was stopped. What such a one has not taken
/// yet is dropped once, so that there is room for what matters.
fn write_in_time(bytes: &[u8], wait: Duration) -> io::Result<()> {
    let (report, outcome) = mpsc::channel();
    let written = bytes.to_owned();
    // It blocks for as long as the terminal does, and ends with the process.
    let thread = thread::Builder::new().name("terminal-last".to_owned()).spawn(move || {
        // Nobody listens any more where it took too long.
        let _late = report.send(write_whole(&written));
    });
    if thread.is_err() {
        // The want of threads may be why the program ends: a terminal that hangs is then the smaller evil.
        return write_whole(bytes);
    }
    if let Ok(written) = outcome.recv_timeout(wait) {
        return written;
    }
    tcflush(io::stdout().as_fd(), FlushArg::TCOFLUSH)?;
    outcome.recv_timeout(wait).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Restore first, then print: a message printed into raw mode is a staircase on a screen about to vanish.
fn install_hook() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let owner = *OWNER.lock().unwrap_or_else(PoisonError::into_inner);
        if owner.is_none_or(|owner| owner == thread::current().id()) {
            restore();
            print(info);
        } else {
            tracing::error!("a background task ended: {info}");
        }
    }));
}

/// True where a shell of our session stands outside our process group: only then does a stop come back.
fn can_be_continued() -> bool {
    let (Ok(session), Ok(parents_session)) = (getsid(None), getsid(Some(getppid()))) else { return false };
    let is_leader = session == getpid() || session == getpgrp();
    let is_orphan = getppid() == Pid::from_raw(1) || session != parents_session || getpgid(Some(getppid())).is_err();
    !is_leader && !is_orphan
}
