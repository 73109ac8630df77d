//! A console in a pseudo-terminal whose screen is followed in a thread of its own, so that several can be watched at the same moment.

#[path = "pty.rs"]
mod pty;

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty};
use pty::Pty;

/// What is on the screen since when, and when what is looked for first was.
struct Seen {
    text: String,
    at: Instant,
    looked_for: Option<(String, Option<Instant>)>,
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
        let nothing = Seen { text: String::new(), at: Instant::now(), looked_for: None };
        let seen = Arc::new((Mutex::new(nothing), Condvar::new()));
        let told = Arc::clone(&seen);
        thread::spawn(move || {
            let mut terminal = vt100::Parser::new(24, 80, 0);
            let mut buffer = [0; 65_536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let at = Instant::now();
                terminal.process(&buffer[..count]);
                let mut seen = told.0.lock().unwrap_or_else(PoisonError::into_inner);
                (seen.text, seen.at) = (terminal.screen().contents(), at);
                let Seen { text, looked_for, .. } = &mut *seen;
                if let Some((wanted, first @ None)) = looked_for
                    && text.contains(wanted.as_str())
                {
                    *first = Some(at);
                }
                told.1.notify_all();
            }
        });
        Self { _master: master, _keys: keys, child, seen }
    }

    /// From here on it is noted when `text` is on the screen for the first time.
    pub fn look_for(&self, text: &str) {
        self.seen.0.lock().unwrap_or_else(PoisonError::into_inner).looked_for = Some((text.to_owned(), None));
    }

    /// When what is looked for came, however often the screen was painted since.
    pub fn found(&self, patience: Duration) -> Instant {
        let first = |seen: &Seen| seen.looked_for.as_ref().and_then(|(_, first)| *first);
        self.wait(first, patience, "what is looked for")
    }

    /// Waits for a screen that has `text`.
    pub fn shows(&self, text: &str, patience: Duration) {
        self.wait(|seen| seen.text.contains(text).then_some(()), patience, text);
    }

    /// When the screen that lacks `text` came; at once where it never had it.
    pub fn lacks(&self, text: &str, patience: Duration) -> Instant {
        self.wait(|seen| (!seen.text.contains(text)).then_some(seen.at), patience, text)
    }

    fn wait<T>(&self, is_so: impl Fn(&Seen) -> Option<T>, patience: Duration, what: &str) -> T {
        let end = Instant::now() + patience;
        let (seen, changed) = &*self.seen;
        let mut screen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = is_so(&screen) {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "`{what}`: the screen stayed\n{}", screen.text);
            screen = changed.wait_timeout(screen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
