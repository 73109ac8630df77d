//! How far a long command has come, on standard error: one line that renews itself on a terminal, silence in a pipe.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::views::context::Glyphs;
use crate::views::text;

/// No renewal sooner than this after the last.
const RENEW_AFTER: Duration = Duration::from_millis(100);

/// The line.
#[derive(Debug)]
pub struct Progress {
    is_shown: bool,
    done: usize,
    total: usize,
    renewed_at: Option<Instant>,
}

impl Progress {
    /// Nothing done of `total` parts.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self { is_shown: io::stderr().is_terminal(), done: 0, total, renewed_at: None }
    }

    /// Another part, named `what`, is done.
    pub fn step(&mut self, what: &str) {
        self.done += 1;
        let is_due = self.renewed_at.is_none_or(|at| at.elapsed() >= RENEW_AFTER);
        if self.is_shown && is_due {
            self.renewed_at = Some(Instant::now());
            let what = text::clean(what, Glyphs::default());
            let line: String = format!("{}/{} {what}", self.done, self.total).chars().take(78).collect();
            // Nobody is left to tell when standard error is gone.
            let _gone = write!(io::stderr().lock(), "\r\x1b[K{line}");
        }
    }
}

impl Drop for Progress {
    /// The line makes room for what comes after it.
    fn drop(&mut self) {
        if self.is_shown && self.renewed_at.is_some() {
            let _gone = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}
