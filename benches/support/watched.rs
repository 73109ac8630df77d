//! A console in a pseudo-terminal whose screen is followed in a thread of its own, so that several can be watched at the same moment.

use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

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
    pub fn start(mut command: CommandBuilder) -> Self {
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let child = pty.slave.spawn_command(command).expect("the program starts");
        let mut reader = pty.master.try_clone_reader().expect("its output can be read");
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
        let keys = pty.master.take_writer().expect("its keys can be pressed");
        Self { _master: pty.master, _keys: keys, child, seen }
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
