//! The ways to an engine: a socket of this machine, one where an engine is started when nobody listens, or ssh.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::child::{HOLDER_WAIT, Remote, Starter, TRY_AGAIN, tell_waiting};
use super::line::{self, Line, LineProblem};
use crate::engine::attach::frame::FrameProblem;
use crate::engine::attach::hello::{ENDING, HelloProblem};
use crate::engine::attach::place::Place;
use crate::engine::model::Role;

/// An engine of this machine that is there answers within this time, and one that hangs is not waited for.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// The same over ssh, when nobody has to type anything.
const REMOTE_WAIT: Duration = Duration::from_secs(30);
/// The same over ssh, where somebody may have to look for a password first.
const TYPING_WAIT: Duration = Duration::from_secs(180);
/// The words of ssh may come a moment after its end.
const WORDS_WAIT: Duration = Duration::from_millis(500);

/// A way to an engine.
#[derive(Debug, Clone)]
pub enum Way {
    /// By the socket at this place, where somebody listens.
    Here(Place),
    /// The same; where nobody does, an engine is started.
    Started(Arc<Starter>),
    /// By ssh.
    There(Arc<Remote>),
}

impl From<Place> for Way {
    fn from(place: Place) -> Self {
        Self::Here(place)
    }
}

/// A line, and whether its engine was started for it.
pub(super) struct Found {
    pub line: Line,
    pub is_new: bool,
}

impl Way {
    /// The first line, before the terminal is taken over: what asks for a password may ask. One that is ending is seen to its end,
    /// for the next one may be there right after it.
    pub(super) async fn first(&self, cap: Option<Role>) -> Result<Found, LineProblem> {
        let mut ending_since: Option<Instant> = None;
        loop {
            let problem = match self.find(cap, Some(HOLDER_WAIT), true).await {
                Err(problem) if !matches!(self, Self::There(_)) => problem,
                found => return found,
            };
            let is_between = is_ending(&problem)
                || ending_since.is_some() && matches!(&problem, LineProblem::NoEngine(problem) if is_nobody(problem));
            if is_between && ending_since.is_none() {
                tell_waiting(&problem.to_string());
            }
            if !is_between || ending_since.get_or_insert_with(Instant::now).elapsed() >= HOLDER_WAIT {
                return Err(problem);
            }
            sleep(TRY_AGAIN).await;
        }
    }

    /// Another line. An engine is started only where somebody has the patience for it.
    pub(super) async fn again(&self, cap: Option<Role>, patience: Option<Duration>) -> Result<Found, LineProblem> {
        self.find(cap, patience, false).await
    }

    /// `patience` is for a store that somebody holds; without it no engine is started.
    async fn find(
        &self,
        cap: Option<Role>,
        patience: Option<Duration>,
        has_terminal: bool,
    ) -> Result<Found, LineProblem> {
        let (stream, is_new) = match self {
            Self::Here(place) => (place.connect().await?, false),
            Self::Started(starter) => match (starter.place.connect().await, patience) {
                (Err(problem), Some(patience)) if is_nobody(&problem) => (starter.start(patience).await?, true),
                (found, _) => (found?, false),
            },
            Self::There(remote) => return there(remote, cap, has_terminal).await,
        };
        Ok(Found { line: line::join(stream, cap, ANSWER_WAIT).await?, is_new })
    }

    /// True where an engine may be started by this way.
    pub(super) fn can_start(&self) -> bool {
        matches!(self, Self::Started(_))
    }
}

async fn there(remote: &Remote, cap: Option<Role>, has_terminal: bool) -> Result<Found, LineProblem> {
    let told = |words: String| LineProblem::Remote { host: Arc::from(remote.host()), words: Arc::from(words) };
    let reached = remote.connect(has_terminal).map_err(|problem| told(format!("ssh cannot be started: {problem}")))?;
    let wait = if has_terminal { TYPING_WAIT } else { REMOTE_WAIT };
    match line::join(reached.stream, cap, wait).await {
        Ok(line) => Ok(Found { line, is_new: false }),
        // A shell there says something before hypo does, to a program as to a person.
        Err(LineProblem::Hello(HelloProblem::NotHypo { line })) => Err(told(told_by_the_shell(&line))),
        // An engine says why by itself; what ssh says is told where nobody else said anything.
        Err(problem @ (LineProblem::Refused { .. } | LineProblem::Hello(_))) => Err(problem),
        Err(problem) => {
            let untold = || match &problem {
                LineProblem::Silent => format!("nothing has come over the line for {} s", wait.as_secs()),
                problem => problem.to_string(),
            };
            let words = last_words(reached.words).await.unwrap_or_else(untold);
            let hint = if is_no_program(&words) { "; name the program there by --remote-hypo" } else { "" };
            Err(told(words + hint))
        }
    }
}

fn told_by_the_shell(line: &str) -> String {
    format!(
        "`{line}` comes before any word of hypo: take what prints it for commands out of the shell's start files there"
    )
}

/// True for the words of a shell that does not know the program, whichever shell it is.
fn is_no_program(words: &str) -> bool {
    words.contains("not found") || words.contains("nknown command")
}

async fn last_words(mut words: watch::Receiver<String>) -> Option<String> {
    // It errs once ssh has said all.
    let all = async { while words.changed().await.is_ok() {} };
    let _in_time = tokio::time::timeout(WORDS_WAIT, all).await;
    let last = words.borrow().clone();
    (!last.is_empty()).then_some(last)
}

/// True for an engine that says that it is ending, or that let go of the line right as it was taken.
fn is_ending(problem: &LineProblem) -> bool {
    match problem {
        LineProblem::Refused { why } => why.starts_with(ENDING),
        LineProblem::Ended | LineProblem::Frame(FrameProblem::CutShort { .. }) => true,
        LineProblem::NoEngine(problem) | LineProblem::Frame(FrameProblem::Stream(problem)) => {
            matches!(problem.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
        }
        _ => false,
    }
}

/// True where nobody listens.
#[must_use]
pub fn is_nobody(problem: &std::io::Error) -> bool {
    matches!(problem.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_says_in_its_own_words_that_there_is_no_such_program() {
        for words in
            ["bash: line 1: hypo: command not found", "zsh:1: command not found: hypo", "fish: Unknown command: hypo"]
        {
            assert!(is_no_program(words), "{words}");
        }
        assert!(!is_no_program("ana@db-1: Permission denied (publickey)."));
    }
}
