//! The one way to a running engine: requests in, pictures out, questions and answers beside them. All of it is plain data, so
//! that an engine behind a socket can take its place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::inquiry::{Inquiry, Telling};
use super::limits::{INQUIRY_QUEUE_MAX, REQUEST_QUEUE_MAX, TELLING_QUEUE_MAX};
use super::model::{Attendee, IncidentId, Person};
use super::request::{Reply, Request};
use super::snapshot::Snapshot;

/// A request on its way, with where its answer goes.
#[derive(Debug)]
pub struct Envelope {
    /// Who asks.
    pub by: Person,
    /// What for.
    pub request: Request,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Reply>,
}

impl Envelope {
    /// Answers that it will not be done.
    pub fn refuse(self, reason: &str) {
        // Whoever asked may have gone; then nobody is left to tell.
        let _nobody = self.reply.send(Reply::Refused { reason: Arc::from(reason) });
    }
}

/// What who answers questions is told.
#[derive(Debug)]
pub enum Question {
    /// Somebody is about to ask.
    Prepare,
    /// A question on its way, with where its answer goes.
    Ask(Inquiry, mpsc::Sender<Telling>),
}

/// A backup that somebody who may has asked for.
#[derive(Debug)]
pub struct BackupOrder {
    /// The file, or the folder for one that is named by its time; absolute.
    pub to: PathBuf,
    /// Where it is told what came of it.
    pub told: oneshot::Sender<Result<String, String>>,
}

/// The engine's ends of a handle.
#[derive(Debug)]
pub struct HandleEnds {
    /// What consoles ask for.
    pub requests: mpsc::Receiver<Envelope>,
    /// What consoles want to know.
    pub questions: mpsc::Receiver<Question>,
    /// Who is attached.
    pub attendance: watch::Receiver<Attendance>,
    /// What is to be backed up.
    pub backups: mpsc::Receiver<BackupOrder>,
    /// Where pictures go.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
}

/// Who is attached, by seat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attendance {
    /// Everybody who is.
    pub here: BTreeMap<u64, Attendee>,
    /// The last seat that was given away; none is given twice.
    last: u64,
}

/// A console's place among those who are attached; it leaves once this is dropped.
#[derive(Debug)]
pub struct Attending {
    seat: u64,
    attendance: watch::Sender<Attendance>,
}

impl Attending {
    /// Says what is on its screen now.
    pub fn looks(&self, incident: Option<IncidentId>, pane: &Arc<str>) {
        self.attendance.send_if_modified(|all| {
            let Some(own) = all.here.get_mut(&self.seat) else { return false };
            let is_other = own.incident != incident || own.pane != *pane;
            (own.incident, own.pane) = (incident, Arc::clone(pane));
            is_other
        });
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        self.attendance.send_modify(|all| drop(all.here.remove(&self.seat)));
    }
}

/// The console's end. Clones reach the same engine.
#[derive(Debug, Clone)]
pub struct EngineHandle {
    requests: mpsc::Sender<Envelope>,
    questions: mpsc::Sender<Question>,
    attendance: watch::Sender<Attendance>,
    backups: mpsc::Sender<BackupOrder>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

impl EngineHandle {
    /// A handle that shows `first`, and the ends an engine serves it by.
    #[must_use]
    pub fn pair(first: Arc<Snapshot>) -> (Self, HandleEnds) {
        let (requests_sender, requests) = mpsc::channel(REQUEST_QUEUE_MAX);
        let (questions_sender, questions) = mpsc::channel(INQUIRY_QUEUE_MAX);
        let (attendance_sender, attendance) = watch::channel(Attendance::default());
        let (backups_sender, backups) = mpsc::channel(1);
        let (snapshots, snapshots_receiver) = watch::channel(first);
        let handle = Self {
            requests: requests_sender,
            questions: questions_sender,
            attendance: attendance_sender,
            backups: backups_sender,
            snapshots: snapshots_receiver,
        };
        (handle, HandleEnds { requests, questions, attendance, backups, snapshots })
    }

    /// Takes a place among those who are attached, for as long as what comes back is held.
    #[must_use]
    pub fn attend(&self, person: &Person) -> Attending {
        let mut seat = 0;
        self.attendance.send_modify(|all| {
            all.last += 1;
            seat = all.last;
            let attendee = Attendee { seat, person: person.clone(), incident: None, pane: Arc::from("") };
            all.here.insert(seat, attendee);
        });
        Attending { seat, attendance: self.attendance.clone() }
    }

    /// Has everything that is kept written into a file, as of one moment; says what came of it in words.
    ///
    /// # Errors
    /// When there is nothing to back up, another backup is under way, or it cannot be written.
    pub async fn back_up(&self, to: PathBuf) -> Result<String, String> {
        let (told, outcome) = oneshot::channel();
        let order = BackupOrder { to, told };
        self.backups.try_send(order).map_err(|refused| {
            let why = match refused {
                mpsc::error::TrySendError::Full(_) => "another backup is under way",
                mpsc::error::TrySendError::Closed(_) => "the engine keeps nothing, or has ended",
            };
            why.to_owned()
        })?;
        outcome.await.unwrap_or_else(|_| Err("the engine ended before it was written".to_owned()))
    }

    /// Asks a question. What comes back ends when all is said.
    #[must_use]
    pub fn ask(&self, inquiry: Inquiry) -> mpsc::Receiver<Telling> {
        let (tell, told) = mpsc::channel(TELLING_QUEUE_MAX);
        if let Err(refused) = self.questions.try_send(Question::Ask(inquiry, tell)) {
            let reason = match &refused {
                mpsc::error::TrySendError::Full(_) => "too many questions wait for their answer; ask again in a moment",
                mpsc::error::TrySendError::Closed(_) => "the engine has ended; start hypo again",
            };
            if let Question::Ask(_, tell) = refused.into_inner() {
                // The other end is held right here, and the queue is empty.
                let _nobody = tell.try_send(Telling::Failed { reason: Arc::from(reason) });
            }
        }
        told
    }

    /// Says that a question may come soon, so that what the first one takes longer for is done by then.
    pub fn prepare_to_ask(&self) {
        // One that is busy is prepared.
        let _busy = self.questions.try_send(Question::Prepare);
    }

    /// Asks for something. The answer comes once what it speaks of is on disk; when the engine is overloaded or gone it
    /// comes at once and says so.
    pub fn send(&self, by: &Person, request: Request) -> oneshot::Receiver<Reply> {
        let (reply, answer) = oneshot::channel();
        // Before it is recorded, answered or kept.
        let request = request.redacted();
        let envelope = Envelope { by: by.clone(), request, reply };
        if let Err(refused) = self.requests.try_send(envelope) {
            let reason = match &refused {
                mpsc::error::TrySendError::Full(_) => "the engine is busy; try again in a moment",
                mpsc::error::TrySendError::Closed(_) => "the engine has ended; start hypo again",
            };
            refused.into_inner().refuse(reason);
        }
        answer
    }

    /// The latest picture, and a way to wait for the next.
    #[must_use]
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }
}
