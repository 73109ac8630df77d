//! A console in a pseudo-terminal whose screen is followed in a thread of its own, so that several can be watched at the same moment.

#[path = "pty.rs"]
mod pty;

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty};
use pty::Pty;

/// What is on the screen, and since when.
struct Seen {
    text: String,
    at: Instant,
}

/// A console that is watched. It ends with this.
pub struct Watched {
    // Closing it would hang the program up.
    _master: Box<dyn MasterPty + Send>,
    // Without a writer that is kept, the program would read its end.
    _keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl Watched {
    /// Starts it.
    pub fn start(command: CommandBuilder) -> Self {
        let Pty { master, child, mut reader, keys } = pty::start(command);
        let seen = Arc::new((Mutex::new(Seen { text: String::new(), at: Instant::now() }), Condvar::new()));
        let told = Arc::clone(&seen);
        thread::spawn(move || {
            let mut terminal = vt100::Parser::new(24, 80, 0);
            let mut buffer = [0; 65_536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let at = Instant::now();
                terminal.process(&buffer[..count]);
                let text = terminal.screen().contents();
                *told.0.lock().unwrap_or_else(PoisonError::into_inner) = Seen { text, at };
                told.1.notify_all();
            }
        });
        Self { _master: master, _keys: keys, child, seen }
    }

    /// When the screen that has `text` came.
    pub fn shows(&self, text: &str, patience: Duration) -> Instant {
        self.wait(|screen| screen.contains(text), patience, text)
    }

    /// When the screen that lacks `text` came; at once where it never had it.
    pub fn lacks(&self, text: &str, patience: Duration) -> Instant {
        self.wait(|screen| !screen.contains(text), patience, text)
    }

    fn wait(&self, is_so: impl Fn(&str) -> bool, patience: Duration, what: &str) -> Instant {
        let end = Instant::now() + patience;
        let (seen, changed) = &*self.seen;
        let mut screen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        while !is_so(&screen.text) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "`{what}`: the screen stayed\n{}", screen.text);
            screen = changed.wait_timeout(screen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        screen.at
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
