//! What is said in frames, by consoles and by the engine.
//!
//! A body is JSON but for pictures. What is asked for carries a number that the console counts up; what comes back for it carries
//! the same.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::delta::{Delta, DeltaProblem};
use super::frame::Frame;
use crate::engine::clock::Timestamp;
use crate::engine::inquiry::{Inquiry, Telling};
use crate::engine::model::{IncidentId, Person};
use crate::engine::request::{Reply, Request};

/// Kinds of frames: those of consoles count from 1, those of the engine from 128.
mod kind {
    pub const REQUEST: u8 = 1;
    pub const INQUIRY: u8 = 2;
    pub const CANCEL: u8 = 3;
    pub const PREPARE: u8 = 4;
    pub const LOOKING: u8 = 5;
    pub const PING: u8 = 6;
    pub const WELCOME: u8 = 128;
    pub const PICTURE: u8 = 129;
    pub const REPLY: u8 = 130;
    pub const TELLING: u8 = 131;
    pub const TOLD: u8 = 132;
    pub const PONG: u8 = 133;
    pub const BYE: u8 = 134;
}

/// What a console says.
#[derive(Debug, Clone, PartialEq)]
pub enum FromConsole {
    /// Asks for something; answered by a reply.
    Request {
        /// Its number.
        n: u64,
        /// What for.
        request: Request,
    },
    /// Asks a question; answered by tellings, the last of which is followed by [`FromEngine::Told`].
    Inquiry {
        /// Its number.
        n: u64,
        /// The question.
        inquiry: Inquiry,
    },
    /// Wants to hear no more of a question.
    Cancel {
        /// The question's number.
        n: u64,
    },
    /// May soon ask a question.
    Prepare,
    /// Shows something else than before.
    Looking {
        /// The incident on the screen.
        incident: Option<IncidentId>,
        /// The pane, by its name.
        pane: Arc<str>,
    },
    /// Asks whether the engine is there.
    Ping,
}

/// What the engine says.
#[derive(Debug, Clone, PartialEq)]
pub enum FromEngine {
    /// The first frame: whom the console has reached.
    Welcome(Welcome),
    /// A change of what was sent last; the first one is a change of [`Snapshot::empty`].
    ///
    /// [`Snapshot::empty`]: crate::engine::snapshot::Snapshot::empty
    Picture(Box<Delta>),
    /// The answer to a request.
    Reply {
        /// The request's number.
        n: u64,
        /// The answer.
        reply: Reply,
    },
    /// Something that is told on a question.
    Telling {
        /// The question's number.
        n: u64,
        /// What.
        telling: Telling,
    },
    /// All is told on a question.
    Told {
        /// The question's number.
        n: u64,
    },
    /// It is there.
    Pong,
    /// The last frame.
    Bye {
        /// Why it ends, and what to do.
        why: Arc<str>,
        /// True where it is to stay ended: nobody starts it again by themselves.
        is_wanted: bool,
    },
}

/// Whom a console has reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The number of this connection in the engine's life.
    pub session: u64,
    /// The engine's process.
    pub pid: i32,
    /// Since when it runs.
    pub since: Timestamp,
    /// By which settings.
    pub settings: SettingsMark,
    /// Whom the engine takes the console for.
    pub person: Person,
    /// True where it was started by a console and goes on without one.
    pub is_background: bool,
}

/// The settings that an engine runs by: a console that was started with others says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsMark {
    /// The file; empty where there is none.
    pub path: Arc<str>,
    /// SHA-256 of what was read from it, in hex.
    pub digest: Arc<str>,
}

/// Why a frame says nothing, or a message cannot be put into one.
#[derive(Debug, thiserror::Error)]
pub enum MessageProblem {
    /// Nobody on the other side says that.
    #[error("a message of kind {kind} came, which {sender} does not send; use the same hypo on both ends")]
    Kind {
        /// Which.
        kind: u8,
        /// Who is on the other side.
        sender: &'static str,
    },
    /// Its body is something else.
    #[error("{what} of {bytes} bytes cannot be read: {problem}; use the same hypo on both ends")]
    Unreadable {
        /// What it should be.
        what: &'static str,
        /// How long it is.
        bytes: usize,
        /// What is wrong.
        problem: String,
    },
    /// It cannot be written down.
    #[error("{what} cannot be sent: {problem}")]
    Unwritable {
        /// What it is.
        what: &'static str,
        /// Why.
        problem: String,
    },
    /// A picture cannot be read or written.
    #[error(transparent)]
    Picture(#[from] DeltaProblem),
}

impl FromConsole {
    /// The frame that says it.
    ///
    /// # Errors
    /// When something in it cannot be written down.
    pub fn frame(&self) -> Result<Frame, MessageProblem> {
        match self {
            Self::Request { n, request } => json(kind::REQUEST, &(n, request), "a request"),
            Self::Inquiry { n, inquiry } => json(kind::INQUIRY, &(n, inquiry), "a question"),
            Self::Cancel { n } => json(kind::CANCEL, n, "a cancellation"),
            Self::Prepare => Ok(empty(kind::PREPARE)),
            Self::Looking { incident, pane } => json(kind::LOOKING, &(incident, pane), "what is looked at"),
            Self::Ping => Ok(empty(kind::PING)),
        }
    }

    /// What a frame of a console says.
    ///
    /// # Errors
    /// When a console says nothing of that kind, or its body is something else.
    pub fn read(frame: &Frame) -> Result<Self, MessageProblem> {
        match frame.kind {
            kind::REQUEST => parsed(frame, "a request").map(|(n, request)| Self::Request { n, request }),
            kind::INQUIRY => parsed(frame, "a question").map(|(n, inquiry)| Self::Inquiry { n, inquiry }),
            kind::CANCEL => parsed(frame, "a cancellation").map(|n| Self::Cancel { n }),
            kind::PREPARE => bare(frame, "a word ahead of a question", Self::Prepare),
            kind::LOOKING => {
                parsed(frame, "what is looked at").map(|(incident, pane)| Self::Looking { incident, pane })
            }
            kind::PING => bare(frame, "a ping", Self::Ping),
            kind => Err(MessageProblem::Kind { kind, sender: "a console" }),
        }
    }
}

impl FromEngine {
    /// The frame that says it.
    ///
    /// # Errors
    /// When something in it cannot be written down.
    pub fn frame(&self) -> Result<Frame, MessageProblem> {
        match self {
            Self::Welcome(welcome) => json(kind::WELCOME, welcome, "a welcome"),
            Self::Picture(delta) => Ok(Frame { kind: kind::PICTURE, body: delta.encode()? }),
            Self::Reply { n, reply } => json(kind::REPLY, &(n, reply), "an answer to a request"),
            Self::Telling { n, telling } => json(kind::TELLING, &(n, telling), "an answer to a question"),
            Self::Told { n } => json(kind::TOLD, n, "the end of an answer"),
            Self::Pong => Ok(empty(kind::PONG)),
            Self::Bye { why, is_wanted } => json(kind::BYE, &(why, is_wanted), "a farewell"),
        }
    }

    /// What a frame of the engine says.
    ///
    /// # Errors
    /// When the engine says nothing of that kind, or its body is something else.
    pub fn read(frame: &Frame) -> Result<Self, MessageProblem> {
        match frame.kind {
            kind::WELCOME => parsed(frame, "a welcome").map(Self::Welcome),
            kind::PICTURE => Ok(Self::Picture(Box::new(Delta::decode(&frame.body)?))),
            kind::REPLY => parsed(frame, "an answer to a request").map(|(n, reply)| Self::Reply { n, reply }),
            kind::TELLING => parsed(frame, "an answer to a question").map(|(n, telling)| Self::Telling { n, telling }),
            kind::TOLD => parsed(frame, "the end of an answer").map(|n| Self::Told { n }),
            kind::PONG => bare(frame, "a pong", Self::Pong),
            kind::BYE => parsed(frame, "a farewell").map(|(why, is_wanted)| Self::Bye { why, is_wanted }),
            kind => Err(MessageProblem::Kind { kind, sender: "the engine" }),
        }
    }
}

fn empty(kind: u8) -> Frame {
    Frame { kind, body: Vec::new() }
}

fn json(kind: u8, value: &impl Serialize, what: &'static str) -> Result<Frame, MessageProblem> {
    let unwritable = |problem: serde_json::Error| MessageProblem::Unwritable { what, problem: problem.to_string() };
    Ok(Frame { kind, body: serde_json::to_vec(value).map_err(unwritable)? })
}

fn parsed<T: DeserializeOwned>(frame: &Frame, what: &'static str) -> Result<T, MessageProblem> {
    let bytes = frame.body.len();
    let unreadable =
        |problem: serde_json::Error| MessageProblem::Unreadable { what, bytes, problem: problem.to_string() };
    serde_json::from_slice(&frame.body).map_err(unreadable)
}

fn bare<T>(frame: &Frame, what: &'static str, message: T) -> Result<T, MessageProblem> {
    let bytes = frame.body.len();
    let unreadable = || MessageProblem::Unreadable { what, bytes, problem: "it has a body".to_owned() };
    if bytes == 0 { Ok(message) } else { Err(unreadable()) }
}
