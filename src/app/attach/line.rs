//! A line to an engine: from a connected socket to the first picture, or the reason why not.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::child::StartProblem;
use crate::engine::attach::delta::DeltaProblem;
use crate::engine::attach::frame::{self, FrameProblem, Incoming};
use crate::engine::attach::hello::{Greeting, Hello, HelloProblem, Says, Wants};
use crate::engine::attach::message::{FromConsole, FromEngine, MessageProblem, Welcome};
use crate::engine::limits::{FRAME_IN_BYTES_MAX, FRAME_OUT_BYTES_MAX};
use crate::engine::model::Role;
use crate::engine::snapshot::Snapshot;

/// An engine that is there answers within this time, and one that hangs is not waited for.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// It writes a store of the greatest size that there is within this time, also to a slow disk.
const BACKUP_WAIT: Duration = Duration::from_secs(1_800);

/// Why there is no line to an engine.
#[derive(Debug, thiserror::Error)]
pub enum LineProblem {
    /// Nobody listens, or the socket cannot be had.
    #[error("no engine answers: {0}")]
    NoEngine(#[from] std::io::Error),
    /// It hangs.
    #[error("the engine does not answer; `hypo stop --now` ends it")]
    Silent,
    /// It ended while it was joined.
    #[error("the engine ended while it was joined; try again")]
    Ended,
    /// What it says first is no word of a hypo, or of another version.
    #[error(transparent)]
    Hello(#[from] HelloProblem),
    /// None could be started.
    #[error(transparent)]
    Start(#[from] StartProblem),
    /// The line by ssh.
    #[error("no line to {host} by ssh: {words}")]
    Remote {
        /// Where to.
        host: Arc<str>,
        /// What ssh said, or the other machine.
        words: Arc<str>,
    },
    /// It does not want this console.
    #[error("{why}")]
    Refused {
        /// Why.
        why: Arc<str>,
    },
    /// A frame.
    #[error(transparent)]
    Frame(#[from] FrameProblem),
    /// A message.
    #[error(transparent)]
    Message(#[from] MessageProblem),
    /// A picture.
    #[error(transparent)]
    Picture(#[from] DeltaProblem),
    /// It says something before the first picture.
    #[error("the engine said something before it showed a picture; use the same hypo on both ends")]
    OutOfTurn,
}

/// A line to an engine that was joined.
#[derive(Debug)]
pub struct Line {
    /// What comes.
    pub incoming: Incoming<OwnedReadHalf>,
    /// Where messages go.
    pub sink: OwnedWriteHalf,
    /// Whom the console has reached.
    pub welcome: Welcome,
    /// The picture of that moment.
    pub picture: Arc<Snapshot>,
}

/// Joins the engine behind `stream`, with no more than the role `cap` where one is wanted.
///
/// # Errors
/// When it does not answer within `wait`, or nothing of its picture comes for as long, does not understand this console, or does not
/// let it in.
pub async fn join(stream: UnixStream, cap: Option<Role>, wait: Duration) -> Result<Line, LineProblem> {
    let joining = async {
        let (reader, mut sink) = stream.into_split();
        let hello = Hello::new(Wants::Attach { cap: cap.map(|cap| Arc::from(cap.word())) });
        let mut incoming = Incoming::new(reader, FRAME_OUT_BYTES_MAX);
        let line = first_words(&mut sink, &mut incoming, &hello).await?;
        let greeting = Greeting::read(&line)?;
        greeting.suits(&hello)?;
        match greeting.says {
            Says::Joined => {}
            Says::No { why } => return Err(LineProblem::Refused { why }),
            Says::Text => return Err(LineProblem::OutOfTurn),
        }
        let FromEngine::Welcome(welcome) = next(&mut incoming).await? else { return Err(LineProblem::OutOfTurn) };
        Ok((incoming, sink, welcome))
    };
    let (mut incoming, sink, welcome) = timeout(wait, joining).await.map_err(|_| LineProblem::Silent)??;
    // Over a slow line it takes its time.
    let FromEngine::Picture(delta) = in_progress(&mut incoming, wait).await? else {
        return Err(LineProblem::OutOfTurn);
    };
    let picture = Arc::new(delta.apply(&Snapshot::empty())?);
    Ok(Line { incoming, sink, welcome, picture })
}

/// Says who wants what, and gives the first line that comes. Whoever is not wanted may be told so, and the line closed, before all is said.
async fn first_words<R: AsyncRead + Unpin>(
    sink: &mut OwnedWriteHalf,
    incoming: &mut Incoming<R>,
    hello: &Hello,
) -> Result<String, LineProblem> {
    let said = sink.write_all(hello.line().as_bytes()).await;
    match incoming.line().await {
        Ok(Some(line)) => Ok(line),
        heard => {
            said?;
            heard?.ok_or(LineProblem::Ended)
        }
    }
}

/// The next message, waited for as long as something of it comes within each `wait`.
async fn in_progress<R: AsyncRead + Unpin>(
    incoming: &mut Incoming<R>,
    wait: Duration,
) -> Result<FromEngine, LineProblem> {
    let mut before = incoming.bytes_ahead();
    loop {
        // What has come is kept where this is given up.
        match timeout(wait, next(incoming)).await {
            Ok(message) => return message,
            Err(_) if incoming.bytes_ahead() > before => before = incoming.bytes_ahead(),
            Err(_) => return Err(LineProblem::Silent),
        }
    }
}

async fn next<R: AsyncRead + Unpin>(incoming: &mut Incoming<R>) -> Result<FromEngine, LineProblem> {
    let frame = incoming.frame().await?.ok_or(LineProblem::Ended)?;
    Ok(FromEngine::read(&frame)?)
}

/// Says something that needs no frames, and gives what comes back in text.
///
/// # Errors
/// When nobody answers, or the engine refuses it.
pub async fn ask_in_text(stream: UnixStream, wants: Wants) -> Result<String, LineProblem> {
    let wait = if matches!(wants, Wants::Backup { .. }) { BACKUP_WAIT } else { ANSWER_WAIT };
    let asking = async {
        let (reader, mut sink) = stream.into_split();
        let hello = Hello::new(wants);
        let mut incoming = Incoming::new(reader, FRAME_IN_BYTES_MAX);
        let line = first_words(&mut sink, &mut incoming, &hello).await?;
        match Greeting::read(&line)?.says {
            Says::No { why } => return Err(LineProblem::Refused { why }),
            Says::Joined | Says::Text => {}
        }
        let mut text = String::new();
        while let Some(line) = incoming.line().await? {
            text.push_str(&line);
            text.push('\n');
        }
        Ok(text)
    };
    timeout(wait, asking).await.map_err(|_| LineProblem::Silent)?
}

/// What the engine says of itself, of whatever version it is.
///
/// # Errors
/// When nobody answers, or in words that no hypo says.
pub async fn greeting(stream: UnixStream) -> Result<Greeting, LineProblem> {
    let asking = async {
        let (reader, mut sink) = stream.into_split();
        let mut incoming = Incoming::new(reader, FRAME_IN_BYTES_MAX);
        let line = first_words(&mut sink, &mut incoming, &Hello::new(Wants::Status)).await?;
        Ok(Greeting::read(&line)?)
    };
    timeout(ANSWER_WAIT, asking).await.map_err(|_| LineProblem::Silent)?
}

/// Says something to the engine.
///
/// # Errors
/// When it cannot be written down or the line is gone.
pub async fn say(sink: &mut OwnedWriteHalf, message: &FromConsole) -> Result<(), LineProblem> {
    Ok(frame::write(sink, &message.frame()?, FRAME_IN_BYTES_MAX).await?)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// Bytes of a line at a time, and the pause between two of them.
    const PIECE_BYTES: usize = 1_000;
    const PAUSE: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_is_waited_for_as_long_as_something_comes() {
        let long = FromEngine::Bye { why: "x".repeat(20 * PIECE_BYTES).into(), is_wanted: false };
        for pieces in [usize::MAX, 5] {
            let (mut ours, theirs) = tokio::io::duplex(PIECE_BYTES);
            let mut whole = Vec::new();
            frame::write(&mut whole, &long.frame().unwrap(), FRAME_OUT_BYTES_MAX).await.unwrap();
            tokio::spawn(async move {
                for piece in whole.chunks(PIECE_BYTES).take(pieces) {
                    ours.write_all(piece).await.unwrap();
                    tokio::time::sleep(PAUSE).await;
                }
                std::future::pending::<()>().await;
            });
            let begun = Instant::now();
            let came = in_progress(&mut Incoming::new(theirs, FRAME_OUT_BYTES_MAX), 2 * PAUSE).await;
            match pieces {
                5 => assert!(matches!(came, Err(LineProblem::Silent)), "{came:?}"),
                _ => assert!(came.is_ok_and(|message| message == long) && begun.elapsed() > 10 * PAUSE),
            }
        }
    }
}
