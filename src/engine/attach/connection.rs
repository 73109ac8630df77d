//! One console: who it is, what it asks for, what it is told.
//!
//! A console that does not read costs what waits for it, which is bounded, and at last its connection: pictures between the one
//! that it was sent and the newest are never made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, AbortHandle, BoxStream, FuturesUnordered, SelectAll};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::delta::diff;
use super::frame::{FrameProblem, Incoming};
use super::hello::{ENDING, Greeting, Hello, HelloProblem, Says, Wants};
use super::in_text;
use super::message::{FromConsole, FromEngine, MessageProblem, Welcome};
use super::outgoing::Outgoing;
use super::people::{Peer, Stranger};
use super::server::{Farewell, Seat, Served};
use crate::engine::handle::Attending;
use crate::engine::inquiry::{Inquiry, Telling};
use crate::engine::limits::{
    CONSOLE_SILENT_MS_MAX, CONSOLES_MAX, FRAME_IN_BYTES_MAX, HELLO_MS_MAX, INQUIRIES_PER_CONSOLE_MAX,
    LOOKING_GAP_MS_MIN, PICTURE_GAP_MS_MIN, REQUESTS_PER_CONSOLE_MAX, TURN_MS_MAX, WAITING_FOR_CONSOLE_MAX,
    WRITE_STALL_MS_MAX,
};
use crate::engine::model::{IncidentId, Person, Role};
use crate::engine::request::Reply;
use crate::engine::snapshot::Snapshot;

/// Between the end of the pictures and the word why.
const FAREWELL_WAIT: Duration = Duration::from_secs(1);

/// Why a connection ends before the console leaves.
#[derive(Debug, thiserror::Error)]
pub(super) enum Parting {
    /// It said nothing.
    #[error("it said nothing for {HELLO_MS_MAX} ms")]
    Silent,
    /// It is no longer there, whatever its line says.
    #[error("nothing was heard of it for {CONSOLE_SILENT_MS_MAX} ms")]
    Unheard,
    /// It does not read.
    #[error("it has read nothing for {WRITE_STALL_MS_MAX} ms")]
    Stalled,
    /// It is nobody who is let in.
    #[error(transparent)]
    Stranger(#[from] Stranger),
    /// What it said first.
    #[error(transparent)]
    Hello(#[from] HelloProblem),
    /// A frame.
    #[error(transparent)]
    Frame(#[from] FrameProblem),
    /// A message.
    #[error(transparent)]
    Message(#[from] MessageProblem),
    /// There are as many as there may be.
    #[error("{CONSOLES_MAX} consoles are attached, and more are not taken; leave one of them")]
    NoSeat,
    /// It ends.
    #[error("{ENDING} ({why}); join again once it has ended")]
    Ending {
        /// Why.
        why: Arc<str>,
    },
}

/// Serves one console until it leaves.
pub(super) async fn serve(stream: UnixStream, peer: Peer, served: &Served) -> Result<(), Parting> {
    let (reader, writer) = stream.into_split();
    let mut incoming = Incoming::new(reader, FRAME_IN_BYTES_MAX);
    let mut outgoing = Outgoing::new(writer);
    let greeting = |says| Greeting::new(served.pid, served.since, says);
    // Whoever has no role is given no time either.
    let entered = match served.people.person(peer).await {
        Err(stranger) => Err(stranger.into()),
        Ok(person) => {
            let first = timeout(Duration::from_millis(HELLO_MS_MAX), incoming.line()).await;
            // Whoever only looked whether somebody is there says nothing.
            let Some(line) = first.map_err(|_| Parting::Silent)?? else { return Ok(()) };
            welcome(&line, person, served)
        }
    };
    match entered {
        Err(parting) => {
            let why = Arc::from(parting.to_string());
            outgoing.line(&greeting(Says::No { why }).line()).await?;
            Err(parting)
        }
        Ok(Entered::Console(person, seat)) => {
            outgoing.line(&greeting(Says::Joined).line()).await?;
            Console::new(served, person, seat, outgoing).attend(incoming).await
        }
        Ok(Entered::InText(wants, person)) => {
            outgoing.line(&greeting(Says::Text).line()).await?;
            let text = in_text::answer(&wants, &person, served).await;
            outgoing.line(&text).await
        }
    }
}

/// How somebody came in.
enum Entered {
    /// To stay, in frames.
    Console(Person, Seat),
    /// For an answer in text, which takes no seat.
    InText(Wants, Person),
}

/// What the first line of this person wants.
fn welcome(line: &str, mut person: Person, served: &Served) -> Result<Entered, Parting> {
    let hello = Hello::read(line)?;
    Greeting::new(served.pid, served.since, Says::Joined).suits(&hello)?;
    let Wants::Attach { cap } = &hello.wants else { return Ok(Entered::InText(hello.wants, person)) };
    // A role that is not known here can only be less than it seems.
    let cap = cap.as_ref().map(|cap| Role::of_word(cap).unwrap_or(Role::Viewer));
    person.role = cap.map_or(person.role, |cap| cap.min(person.role));
    // Whoever comes back while commands run sees them to their end, as those do who stayed.
    let is_waiting = !served.handle.snapshots().borrow().running_commands().is_empty();
    if let Some(farewell) = served.farewell.borrow().as_ref().filter(|_| !is_waiting) {
        return Err(Parting::Ending { why: Arc::clone(&farewell.why) });
    }
    let seat = served.attendance.seat().ok_or(Parting::NoSeat)?;
    Ok(Entered::Console(person, seat))
}

/// A console that has joined.
struct Console<'s> {
    served: &'s Served,
    person: Person,
    seat: Seat,
    /// The place among those who are attached: from when it says what it shows. A listing that takes one picture is nobody.
    attending: Option<Attending>,
    outgoing: Outgoing,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The picture that it has.
    sent: Arc<Snapshot>,
    /// Requests that are to be answered.
    replies: FuturesUnordered<BoxFuture<'static, (u64, Option<Reply>)>>,
    /// Questions that are being answered; `None` comes at the end of one.
    tellings: SelectAll<BoxStream<'static, (u64, Option<Telling>)>>,
    /// By which a question is given up.
    asked: BTreeMap<u64, AbortHandle>,
    /// What the console shows now, as it said last, until the engine is told.
    looking: Option<(Option<IncidentId>, Arc<str>)>,
    /// The turns of the engine's thread as they were seen to grow last, and when.
    turns: (u64, Instant),
}

/// What there is to say or to do.
enum Turn {
    Heard(FromConsole),
    Left,
    Reply(u64, Option<Reply>),
    Told(u64, Option<Telling>),
    News(bool),
    PictureDue,
    LookingDue,
    Written,
    Unheard,
}

impl<'s> Console<'s> {
    fn new(served: &'s Served, person: Person, seat: Seat, outgoing: Outgoing) -> Self {
        let mut snapshots = served.handle.snapshots();
        // The picture of this moment comes first: nothing lies between it and those that follow.
        snapshots.mark_changed();
        Self {
            served,
            attending: None,
            person,
            seat,
            outgoing,
            snapshots,
            sent: Arc::new(Snapshot::empty()),
            replies: FuturesUnordered::new(),
            tellings: SelectAll::new(),
            asked: BTreeMap::new(),
            looking: None,
            turns: (served.turns.load(Ordering::Relaxed), Instant::now()),
        }
    }

    async fn attend(mut self, mut incoming: Incoming<OwnedReadHalf>) -> Result<(), Parting> {
        let welcome = Welcome {
            session: self.seat.session,
            pid: self.served.pid,
            since: self.served.since,
            settings: self.served.settings.clone(),
            person: self.person.clone(),
            is_background: self.served.is_background,
        };
        self.outgoing.say(&FromEngine::Welcome(welcome))?;
        let mut has_news = false;
        let mut picture_due = Instant::now();
        let mut looking_due = Instant::now();
        // A line that is dead may take what is written for a long time, and ends for nobody.
        let silence = Duration::from_millis(CONSOLE_SILENT_MS_MAX);
        let mut heard_at = Instant::now();
        loop {
            // A long answer on a slow line does not keep the newest picture back.
            let is_picture_first = has_news && picture_due <= Instant::now();
            let has_room = self.outgoing.count() < WAITING_FOR_CONSOLE_MAX;
            let turn = tokio::select! {
                // Who does not read what is said is not heard without an end either.
                frame = incoming.frame(), if has_room => match frame? {
                    Some(frame) => Turn::Heard(FromConsole::read(&frame)?),
                    None => Turn::Left,
                },
                Some((n, reply)) = self.replies.next() => Turn::Reply(n, reply),
                Some((n, telling)) = self.tellings.next(), if has_room && !is_picture_first => Turn::Told(n, telling),
                changed = self.snapshots.changed(), if !has_news => Turn::News(changed.is_ok()),
                // What is on its way is older than the newest, which is what comes next.
                () = sleep_until(picture_due), if has_news && self.outgoing.count() == 0 => Turn::PictureDue,
                () = sleep_until(looking_due), if self.looking.is_some() => Turn::LookingDue,
                written = self.outgoing.write_some(), if self.outgoing.count() > 0 => {
                    written?;
                    Turn::Written
                }
                () = sleep_until(heard_at + silence) => Turn::Unheard,
            };
            match turn {
                Turn::Left => return Ok(()),
                // What lies unread was said in time: it was this engine that did not listen.
                Turn::Unheard => match timeout(Duration::ZERO, incoming.frame()).await {
                    Err(_) => return Err(Parting::Unheard),
                    Ok(frame) => match frame? {
                        None => return Ok(()),
                        Some(frame) => {
                            heard_at = Instant::now();
                            self.hear(FromConsole::read(&frame)?)?;
                        }
                    },
                },
                Turn::Heard(heard) => {
                    heard_at = Instant::now();
                    self.hear(heard)?;
                }
                Turn::Reply(n, reply) => {
                    let lost = || Reply::Lost { reason: Arc::from("the engine ended before it answered") };
                    self.outgoing.say(&FromEngine::Reply { n, reply: reply.unwrap_or_else(lost) })?;
                }
                Turn::Told(n, Some(telling)) => self.outgoing.say(&FromEngine::Telling { n, telling })?,
                Turn::Told(n, None) => {
                    self.asked.remove(&n);
                    self.outgoing.say(&FromEngine::Told { n })?;
                }
                Turn::News(true) => has_news = true,
                Turn::News(false) => return self.part().await,
                Turn::PictureDue => {
                    has_news = false;
                    self.show()?;
                    picture_due = Instant::now() + Duration::from_millis(PICTURE_GAP_MS_MIN);
                }
                Turn::Written => {}
                Turn::LookingDue => {
                    self.tell_looking();
                    looking_due = Instant::now() + Duration::from_millis(LOOKING_GAP_MS_MIN);
                }
            }
        }
    }

    /// Says why nothing more comes.
    async fn part(&mut self) -> Result<(), Parting> {
        let mut farewell = self.served.farewell.clone();
        // Whoever ended it is about to say why, unless it ended by itself.
        let said = timeout(FAREWELL_WAIT, farewell.wait_for(Option::is_some)).await;
        let said = said.ok().and_then(|said| said.ok().and_then(|said| said.clone()));
        let Farewell { why, is_wanted } = said.unwrap_or_else(|| Farewell {
            why: Arc::from("it ended without saying why; the log does"),
            is_wanted: false,
        });
        self.outgoing.say(&FromEngine::Bye { why, is_wanted })?;
        self.outgoing.drain().await
    }

    /// Sends what differs between the picture that the console has and the newest.
    fn show(&mut self) -> Result<(), Parting> {
        let newest = Arc::clone(&self.snapshots.borrow_and_update());
        let delta = diff(&self.sent, &newest);
        self.outgoing.say(&FromEngine::Picture(Box::new(delta)))?;
        self.sent = newest;
        Ok(())
    }

    fn hear(&mut self, heard: FromConsole) -> Result<(), Parting> {
        match heard {
            FromConsole::Request { n, .. } if self.replies.len() >= REQUESTS_PER_CONSOLE_MAX => {
                let reason = Arc::from("too many requests wait for their answer; try again in a moment");
                self.outgoing.say(&FromEngine::Reply { n, reply: Reply::Refused { reason } })
            }
            FromConsole::Request { n, request } => {
                let answer = self.served.handle.send(&self.person, request);
                self.replies.push(Box::pin(async move { (n, answer.await.ok()) }));
                Ok(())
            }
            // One that was given up counts until it has ended.
            FromConsole::Inquiry { n, .. } if self.tellings.len() >= INQUIRIES_PER_CONSOLE_MAX => {
                let reason = Arc::from("too many questions wait for their answer; ask again in a moment");
                self.outgoing.say(&FromEngine::Telling { n, telling: Telling::Failed { reason } })?;
                self.outgoing.say(&FromEngine::Told { n })
            }
            FromConsole::Inquiry { n, inquiry } => {
                self.ask(n, inquiry);
                Ok(())
            }
            FromConsole::Cancel { n } => {
                if let Some(asked) = self.asked.remove(&n) {
                    asked.abort();
                }
                Ok(())
            }
            FromConsole::Prepare => {
                self.served.handle.prepare_to_ask();
                Ok(())
            }
            FromConsole::Looking { incident, pane } => {
                self.looking = Some((incident, pane));
                Ok(())
            }
            FromConsole::Ping if self.is_engine_alive() => self.outgoing.say(&FromEngine::Pong),
            FromConsole::Ping => Ok(()),
        }
    }

    /// Says what the console shows, of all that it said since the last time the newest.
    fn tell_looking(&mut self) {
        if let Some((incident, pane)) = self.looking.take() {
            let attend = || self.served.handle.attend(&self.person);
            self.attending.get_or_insert_with(attend).looks(incident, &pane);
        }
    }

    /// True where the engine's thread has made turns lately. This task would answer as well without it.
    fn is_engine_alive(&mut self) -> bool {
        let turns = self.served.turns.load(Ordering::Relaxed);
        // While it opens its store it makes none.
        if turns != self.turns.0 || self.snapshots.borrow().is_before_the_first() {
            self.turns = (turns, Instant::now());
        }
        self.turns.1.elapsed() < Duration::from_millis(TURN_MS_MAX)
    }

    fn ask(&mut self, n: u64, inquiry: Inquiry) {
        let mut told = self.served.handle.ask(inquiry);
        let told = stream::poll_fn(move |context| told.poll_recv(context)).map(Some);
        let (told, handle) = stream::abortable(told.chain(stream::once(async { None })));
        self.tellings.push(told.map(move |telling| (n, telling)).boxed());
        // The number of a question names one.
        if let Some(before) = self.asked.insert(n, handle) {
            before.abort();
        }
    }
}

#[cfg(test)]
mod tests;
