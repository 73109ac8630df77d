//! A program in a pseudo-terminal, as measurements meet it.

#[path = "pty.rs"]
mod pty;

use std::io::Write;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty};
use pty::Pty;

/// Nothing here takes this long; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program in a pseudo-terminal of 80x24, and what an independent terminal makes of its output.
pub struct Session {
    // Closing it would hang the program up.
    _master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    terminal: vt100::Parser,
    /// How many bytes it has written.
    pub bytes: usize,
}

impl Session {
    /// Starts `command` in one.
    pub fn start(command: CommandBuilder) -> Self {
        let Pty { master, child, mut reader, keys } = pty::start(command);
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 65_536];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { _master: master, child, keys, output, terminal: vt100::Parser::new(24, 80, 0), bytes: 0 }
    }

    /// Presses `keys`.
    pub fn keys(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).and_then(|()| self.keys.flush()).expect("a key can be pressed");
    }

    /// What is on the screen.
    pub fn screen(&self) -> &vt100::Screen {
        self.terminal.screen()
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.terminal.process(bytes);
    }

    /// Takes what has come by now.
    pub fn drain(&mut self) {
        while let Ok(bytes) = self.output.try_recv() {
            self.take(&bytes);
        }
    }

    /// Waits until the screen is as wanted.
    pub fn wait(&mut self, is_there: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_there(self.screen()) {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(_) => panic!("it never came; the screen was:\n{}", self.screen().contents()),
            }
        }
    }

    /// Leaves the program and waits for it: two of them cannot hold one store.
    pub fn end(mut self) {
        self.keys(b"Q");
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && Instant::now() < end {
            self.drain();
            thread::sleep(Duration::from_millis(2));
        }
    }
}
