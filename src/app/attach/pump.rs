//! Serves the ends of a handle by a line to an engine in another process, and joins again when the line is lost.
//!
//! What was asked for and not answered by then is told as lost, and never asked again by itself: whether it was done, the next
//! picture shows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, interval, sleep};

use super::line::{self, Line, LineProblem};
use super::starts::Starts;
use super::way::{Found, Way, is_nobody};
use crate::engine::attach::message::{FromConsole, FromEngine, Welcome};
use crate::engine::clock::Timestamp;
use crate::engine::handle::{EngineHandle, Envelope, HandleEnds, Question};
use crate::engine::inquiry::Telling;
use crate::engine::model::{Attendee, Role};
use crate::engine::request::Reply;
use crate::engine::snapshot::Snapshot;

/// Between two looks whether the engine is there.
const PING_EVERY: Duration = Duration::from_secs(5);
/// An engine of which nothing came for so long is told as silent.
const SILENT_AFTER: Duration = Duration::from_secs(10);
/// Between two tries to join again, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
/// Messages that wait to be written.
const UNSAID_MAX: usize = 64;

/// How it stands with the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// It works.
    Up,
    /// It works again, with another engine than before, whose end nobody here wanted.
    Started,
    /// It is there, and nothing comes.
    Silent,
    /// It is lost, and another one is tried for; why.
    Lost(Arc<str>),
    /// The engine ended because somebody wanted it to, and says why; another one is joined where somebody starts it.
    Ended(Arc<str>),
}

/// When something was last heard of an engine.
#[derive(Debug, Clone)]
pub struct Heard(Arc<Mutex<Instant>>);

impl Heard {
    /// How long ago.
    #[must_use]
    pub fn ago(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Default for Heard {
    /// Right now.
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

/// An engine that was joined.
#[derive(Debug)]
pub struct Joined {
    /// The way to it.
    pub handle: EngineHandle,
    /// Whom the console has reached.
    pub welcome: Welcome,
    /// How it stands with the line.
    pub link: watch::Receiver<Link>,
    /// When it was last heard.
    pub heard: Heard,
    /// True where the engine was started for this console.
    pub is_new: bool,
}

/// Joins the engine by `way`, and keeps the line to it for as long as somebody has the handle.
///
/// # Errors
/// When the first line cannot be had.
pub async fn join(way: impl Into<Way>, cap: Option<Role>) -> Result<Joined, LineProblem> {
    let way = way.into();
    let Found { line: first, is_new } = way.first(cap).await?;
    let (handle, ends) = EngineHandle::pair(Arc::clone(&first.picture));
    let (said, link) = watch::channel(Link::Up);
    let welcome = first.welcome.clone();
    let heard = Heard::default();
    let pump = Pump {
        way,
        cap,
        ends,
        link: said,
        heard: heard.clone(),
        next: 1,
        replies: BTreeMap::new(),
        tellings: BTreeMap::new(),
        starts: Starts::default(),
        engine: identity(&first.welcome),
        back: None,
    };
    tokio::spawn(pump.run(first));
    Ok(Joined { handle, welcome, link, heard, is_new })
}

/// The next change of how it stands with a line; `None` where there is no line, or nobody keeps it.
pub async fn next_link(line: &mut Option<watch::Receiver<Link>>) -> Option<Link> {
    let line = line.as_mut()?;
    line.changed().await.ok()?;
    Some(line.borrow_and_update().clone())
}

struct Pump {
    way: Way,
    cap: Option<Role>,
    ends: HandleEnds,
    link: watch::Sender<Link>,
    heard: Heard,
    /// The number of what is asked next.
    next: u64,
    replies: BTreeMap<u64, oneshot::Sender<Reply>>,
    tellings: BTreeMap<u64, mpsc::Sender<Telling>>,
    starts: Starts,
    /// The one whose picture is shown.
    engine: Identity,
    /// What is told of the line once there is a picture of an engine that is still opening its store.
    back: Option<Link>,
}

/// By what one engine is told from another: its process, and since when it runs.
type Identity = (i32, Timestamp);

fn identity(welcome: &Welcome) -> Identity {
    (welcome.pid, welcome.since)
}

/// How it stands while the engine is there and has no picture yet: what is shown is as old as before.
fn opening() -> Link {
    Link::Lost(Arc::from("it runs again, and opens its store"))
}

/// Why a line is no longer served.
enum End {
    /// Nobody has the handle any more.
    Left,
    /// The line is lost.
    Lost(LineProblem),
    /// The engine said farewell.
    Bye { why: Arc<str>, is_wanted: bool },
}

impl Pump {
    async fn run(mut self, mut line: Line) {
        loop {
            let (why, is_wanted) = match self.serve(line).await {
                End::Left => return,
                End::Lost(problem) => (Arc::from(problem.to_string()), false),
                End::Bye { why, is_wanted } => (why, is_wanted),
            };
            self.give_up(&why);
            self.link.send_replace(if is_wanted { Link::Ended(why) } else { Link::Lost(why) });
            let Some(Found { line: next, .. }) = self.again(is_wanted).await else { return };
            // Whoever starts it, every console has another engine than before, that knows less.
            // One that was lost before it had a picture was not told of yet.
            let is_untold = self.back == Some(Link::Started);
            let is_other = !is_wanted && (is_untold || identity(&next.welcome) != self.engine);
            self.back = Some(if is_other { Link::Started } else { Link::Up });
            self.engine = identity(&next.welcome);
            self.heard.now();
            self.show(&next.picture);
            line = next;
        }
    }

    /// Tries for another line until there is one, or nobody wants it any more. What is asked meanwhile is refused. An engine that
    /// died is started again, but none that somebody ended, and none that dies at once again and again.
    async fn again(&mut self, is_ended: bool) -> Option<Found> {
        let (mut pause, mut not_started) = (AGAIN.0, None);
        loop {
            let patience = self.starts.patience(Instant::now()).filter(|_| !is_ended && self.way.can_start());
            let (wait, way, cap) = (pause, &self.way, self.cap);
            let trying = async move {
                sleep(wait).await;
                way.again(cap, patience).await
            };
            tokio::pin!(trying);
            let tried = loop {
                tokio::select! {
                    tried = &mut trying => break tried,
                    envelope = self.ends.requests.recv() => envelope?.refuse("the engine is away; try again when it is back"),
                    question = self.ends.questions.recv() => refuse(question?),
                }
            };
            match tried {
                Ok(found) => {
                    if found.is_new {
                        tracing::info!("the engine had ended and was started again");
                        self.starts.was_made(Instant::now());
                    }
                    return Some(found);
                }
                Err(problem) => {
                    let mut why = Arc::<str>::from(problem.to_string());
                    match (&problem, &not_started) {
                        (LineProblem::Start(problem), _) => {
                            self.starts.has_failed(problem, Instant::now());
                            not_started = Some(Arc::clone(&why));
                        }
                        // Until another is started, the last one that was says more than that nobody answers.
                        (LineProblem::NoEngine(reason), Some(words)) if is_nobody(reason) => why = Arc::clone(words),
                        _ => {}
                    }
                    if !is_ended {
                        self.link.send_replace(Link::Lost(why));
                    }
                    pause = (pause * 2).min(AGAIN.1);
                }
            }
        }
    }

    /// Serves the handle by this line.
    async fn serve(&mut self, line: Line) -> End {
        let Line { mut incoming, mut sink, mut picture, .. } = line;
        // A line that takes nothing must not hold up what comes.
        let (say, mut unsaid) = mpsc::channel::<FromConsole>(UNSAID_MAX);
        let writing = async move {
            while let Some(message) = unsaid.recv().await {
                line::say(&mut sink, &message).await?;
            }
            // Nobody is left to say anything, so that nothing more is awaited either.
            std::future::pending::<Result<(), LineProblem>>().await
        };
        tokio::pin!(writing);
        let mut pings = interval(PING_EVERY);
        // Another engine has not heard what is on the screen.
        self.ends.attendance.mark_changed();
        loop {
            tokio::select! {
                frame = incoming.frame() => {
                    let heard = match frame {
                        Ok(Some(frame)) => FromEngine::read(&frame),
                        Ok(None) => return End::Lost(LineProblem::Ended),
                        Err(problem) => return End::Lost(problem.into()),
                    };
                    self.heard.now();
                    self.tell_link(if self.back.is_none() { Link::Up } else { opening() });
                    match heard {
                        Ok(FromEngine::Picture(delta)) => match delta.apply(&picture) {
                            Ok(newest) => {
                                picture = Arc::new(newest);
                                self.show(&picture);
                            }
                            Err(problem) => return End::Lost(problem.into()),
                        },
                        Ok(FromEngine::Bye { why, is_wanted }) => return End::Bye { why, is_wanted },
                        Ok(heard) => self.hear(heard, &say).await,
                        Err(problem) => return End::Lost(problem.into()),
                    }
                }
                Err(problem) = &mut writing => return End::Lost(problem),
                envelope = self.ends.requests.recv() => {
                    let Some(envelope) = envelope else { return End::Left };
                    self.send(envelope, &say);
                }
                question = self.ends.questions.recv() => {
                    let Some(question) = question else { return End::Left };
                    self.ask(question, &say);
                }
                Ok(()) = self.ends.attendance.changed() => {
                    let shown = self.ends.attendance.borrow_and_update().here.values().next().cloned();
                    if let Some(Attendee { incident, pane, .. }) = shown.filter(|shown| !shown.pane.is_empty()) {
                        // One that is full has worse to tell.
                        let _full = say.try_send(FromConsole::Looking { incident, pane });
                    }
                }
                _ = pings.tick() => {
                    // One that is full says enough by itself.
                    let _full = say.try_send(FromConsole::Ping);
                    if self.heard.ago() >= SILENT_AFTER {
                        self.tell_link(Link::Silent);
                    }
                }
            }
        }
    }

    /// Shows a picture; but that of an engine whose store is being opened takes nothing away that is on the screen, and the line
    /// counts as lost until then: nothing is to be done by what was shown before.
    fn show(&mut self, picture: &Arc<Snapshot>) {
        if !picture.is_before_the_first() || self.ends.snapshots.borrow().is_before_the_first() {
            self.ends.snapshots.send_replace(Arc::clone(picture));
            if let Some(back) = self.back.take() {
                self.link.send_replace(back);
            }
        } else if self.back.is_some() {
            self.tell_link(opening());
        }
    }

    fn tell_link(&self, link: Link) {
        self.link.send_if_modified(move |known| {
            // That it was started says more than that it works.
            let is_other = *known != link && (&*known, &link) != (&Link::Started, &Link::Up);
            if is_other {
                *known = link;
            }
            is_other
        });
    }

    fn number(&mut self) -> u64 {
        let n = self.next;
        self.next += 1;
        n
    }

    fn send(&mut self, envelope: Envelope, say: &mpsc::Sender<FromConsole>) {
        let n = self.number();
        // In whose name is for the engine to say.
        let Envelope { by, request, reply } = envelope;
        match say.try_send(FromConsole::Request { n, request: request.clone() }) {
            Ok(()) => {
                self.replies.insert(n, reply);
            }
            Err(_) => Envelope { by, request, reply }.refuse("the line to the engine is busy; try again in a moment"),
        }
    }

    fn ask(&mut self, question: Question, say: &mpsc::Sender<FromConsole>) {
        match question {
            Question::Prepare => {
                // Whoever asks without is answered a little later.
                let _busy = say.try_send(FromConsole::Prepare);
            }
            Question::Ask(inquiry, tell) => {
                let n = self.number();
                match say.try_send(FromConsole::Inquiry { n, inquiry }) {
                    Ok(()) => {
                        self.tellings.insert(n, tell);
                    }
                    Err(_) => fail(&tell, "the line to the engine is busy; ask again in a moment"),
                }
            }
        }
    }

    async fn hear(&mut self, heard: FromEngine, say: &mpsc::Sender<FromConsole>) {
        match heard {
            FromEngine::Reply { n, reply } => {
                if let Some(waiting) = self.replies.remove(&n) {
                    // Whoever asked may have gone.
                    let _nobody = waiting.send(reply);
                }
            }
            FromEngine::Telling { n, telling } => {
                let Some(waiting) = self.tellings.get(&n) else { return };
                if waiting.send(telling).await.is_err() {
                    self.tellings.remove(&n);
                    // As above; the engine goes on until it hears of it.
                    let _busy = say.try_send(FromConsole::Cancel { n });
                }
            }
            FromEngine::Told { n } => drop(self.tellings.remove(&n)),
            FromEngine::Welcome(_) | FromEngine::Picture(_) | FromEngine::Pong | FromEngine::Bye { .. } => {}
        }
    }

    /// Tells everybody who waits that nothing will come.
    fn give_up(&mut self, why: &str) {
        for (_, waiting) in std::mem::take(&mut self.replies) {
            let reason = Arc::from(format!("the line to the engine was lost before the answer came: {why}"));
            // Whoever asked may have gone.
            let _nobody = waiting.send(Reply::Lost { reason });
        }
        for (_, waiting) in std::mem::take(&mut self.tellings) {
            fail(&waiting, "the line to the engine was lost; ask again when it is back");
        }
    }
}

fn refuse(question: Question) {
    if let Question::Ask(_, tell) = question {
        fail(&tell, "the engine is away; ask again when it is back");
    }
}

fn fail(tell: &mpsc::Sender<Telling>, reason: &str) {
    // Whoever asked may have gone.
    let _nobody = tell.try_send(Telling::Failed { reason: Arc::from(reason) });
}
