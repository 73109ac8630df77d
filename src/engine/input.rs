//! Everything that can reach the engine. With the instants at which they are handed in, inputs *are* a recording.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::clock::Timestamp;
use super::model::{Attendee, DeliveryReport, Person, RolloutTarget, RunId, Signal};
use super::patches::inventory::Reboot;
use super::patches::picture::PatchPicture;
use super::patches::rollout::planning::Need;
use super::request::Request;
use super::snapshot::FileProblem;

/// Number of a request within the engine's life, so that its reply finds whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

/// One input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Something was received.
    Signal(Signal),
    /// Time passed; sent every `limits::TICK_MS`.
    Tick,
    /// A person asks for something.
    Request {
        /// For the reply.
        id: RequestId,
        /// Who asks.
        #[serde(deserialize_with = "person_or_name")]
        by: Person,
        /// What for.
        request: Request,
    },
    /// A running step says how it is doing.
    Step(StepReport),
    /// What came of telling a system outside.
    Delivered(DeliveryReport),
    /// Somebody came, left, or looks at something else: who is attached now, in the order of their seats.
    Present(Vec<Attendee>),
    /// The kill file changed.
    Kill(KillWord),
    /// Runbooks of one's own changed on disk.
    Runbooks(RunbookFiles),
    /// What must be patched, found anew from feeds and inventory.
    Patches(Arc<PatchPicture>),
    /// Who lacks a patch.
    Need {
        /// What was asked.
        asked: NeedAsked,
        /// What was found, or why nothing could be.
        found: Result<Box<Need>, String>,
    },
    /// A machine was looked at.
    AssetSeen {
        /// What was asked.
        look: AssetLook,
        /// Whether it must be rebooted, or something on it restarted; `None` where it need not. Or why it could not be looked at.
        found: Result<Option<Reboot>, String>,
    },
    /// The oldest part of the audit log goes as soon as the log says so, in these words.
    LetGo(Arc<str>),
}

/// Who asks for a patch to be planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedAsked {
    /// For the reply.
    pub id: RequestId,
    /// Who.
    pub by: Arc<str>,
    /// The source package.
    pub source: Arc<str>,
}

/// A look at a machine that was patched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetLook {
    /// Which machine of which rollout.
    pub target: RolloutTarget,
    /// Number of the rollout's order.
    pub attempt: u32,
    /// True where it is reached over `ssh`, false where it is this one.
    pub is_remote: bool,
}

/// Every runbook of one's own, as it is on disk now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunbookFiles {
    /// In order of folders, then of names.
    pub files: Vec<RunbookFile>,
    /// Files and folders that cannot be read.
    pub problems: Vec<FileProblem>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunbookFile {
    /// Its path, for messages.
    pub file: Arc<str>,
    /// What it holds.
    pub text: Arc<str>,
}

/// How a running command is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Which run.
    pub run: RunId,
    /// Which step of it.
    pub step: usize,
    /// The identity of the attempt that it is about, as its beginning was written down. A step can be begun anew before
    /// the last word of its attempt before has arrived.
    #[serde(default)]
    pub attempt: Arc<str>,
    /// What is new.
    pub progress: StepProgress,
}

/// What the kill file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KillWord {
    /// Nothing may begin.
    On {
        /// Who says so.
        by: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// Acts may begin again.
    Off {
        /// Who says so: a person.
        by: Arc<str>,
        /// Why it is safe.
        reason: Arc<str>,
        /// When it was said. A switch that was pulled later stays: after a power cut an older word may be back.
        #[serde(default)]
        at: Option<Timestamp>,
    },
}

/// What is new about a running command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepProgress {
    /// Lines of output, sanitised.
    Output(Vec<Arc<str>>),
    /// It ended by itself.
    Exited {
        /// Exit code; `None` when a signal ended it.
        code: Option<i32>,
        /// How long it took, in milliseconds.
        took_ms: i64,
    },
    /// It could not be started.
    NotStarted {
        /// What failed, on what, and what to do.
        reason: Arc<str>,
    },
    /// It was stopped at its timeout or by a person.
    Stopped {
        /// Which of the two.
        reason: Arc<str>,
    },
    /// It began, or may have begun, and its end was not seen: a connection broke while it ran. It is unknown, not failed.
    Lost {
        /// What broke, and where to look for what came of it.
        reason: Arc<str>,
    },
    /// What all of its output amounts to, kept or not; told once, right before its end.
    Digest {
        /// SHA-256 over its lines as they are shown, each with its newline, in hex.
        sha256: Arc<str>,
        /// Bytes that it wrote.
        bytes: u64,
    },
}

/// An input with the instant at which it is handed in: one line of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimedInput {
    /// The engine's `now` for it.
    pub now: Timestamp,
    /// The input.
    pub input: Input,
}

/// As recordings have it: before there were roles, a name alone, of somebody who could ask for everything.
fn person_or_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Person, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Told {
        Person(Person),
        Name(Arc<str>),
    }
    Ok(match Told::deserialize(deserializer)? {
        Told::Person(person) => person,
        Told::Name(name) => Person::admin(&name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::{IncidentId, Role};

    #[test]
    fn a_name_alone_is_of_somebody_who_could_ask_for_everything() {
        let by = Person { name: "bo".into(), role: Role::Viewer };
        let request = Request::Resolve { incident: IncidentId(1) };
        let input = Input::Request { id: RequestId(1), by, request: request.clone() };
        let text = serde_json::to_string(&input).unwrap();
        assert_eq!(serde_json::from_str::<Input>(&text).unwrap(), input);
        let older = text.replace(r#"{"name":"bo","role":"viewer"}"#, r#""bo""#);
        assert_ne!(older, text);
        let by = Person::admin("bo");
        assert_eq!(serde_json::from_str::<Input>(&older).unwrap(), Input::Request { id: RequestId(1), by, request });
    }
}
