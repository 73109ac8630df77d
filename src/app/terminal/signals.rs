//! What the kernel and other programs tell us, as one stream.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// One notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// End: SIGTERM, SIGHUP, SIGINT, SIGQUIT.
    Terminate,
    /// Stop as Ctrl-Z does: SIGTSTP.
    Stop,
    /// We were stopped and go on: SIGCONT.
    Continued,
    /// The terminal has another size: SIGWINCH.
    Resized,
}

/// The signals that concern a console.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
    quit: Signal,
    stop: Signal,
    continued: Signal,
    resized: Signal,
}

impl Signals {
    /// Starts listening; from here on none of them ends the process by itself.
    ///
    /// # Errors
    /// When a handler cannot be installed.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            stop: signal(SignalKind::from_raw(nix::libc::SIGTSTP))?,
            continued: signal(SignalKind::from_raw(nix::libc::SIGCONT))?,
            resized: signal(SignalKind::window_change())?,
        })
    }

    /// Waits until somebody asks the program to end; a terminal that goes away is nobody.
    pub async fn ordered_to_end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
        }
    }

    /// Waits for the next one; those that end come first.
    pub async fn next(&mut self) -> Notice {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Notice::Terminate,
            _ = self.hang_up.recv() => Notice::Terminate,
            _ = self.interrupt.recv() => Notice::Terminate,
            _ = self.quit.recv() => Notice::Terminate,
            _ = self.stop.recv() => Notice::Stop,
            _ = self.continued.recv() => Notice::Continued,
            _ = self.resized.recv() => Notice::Resized,
        }
    }
}
