//! The driver around the console's pure core: one select over everything that can happen, take all that is ready, draw
//! once.
//!
//! Keys paint at once. Pictures of the engine wait for their turn, so that a busy system never floods a slow line, and
//! while a frame is on its way no other is made. Nothing here blocks the keyboard.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream, FuturesUnordered, SelectAll};
use ratatui::layout::{Position, Rect};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::attach::pump::{Link, next_link};
use super::commands::Command;
use super::effect::Effect;
use super::engine_link::EngineLink;
use super::hints;
use super::key::Key;
use super::left_off::LeftOff;
use super::left_off::keeper::Keeper;
use super::looking::looked_at;
use super::message::Message;
use super::mouse_read;
use super::options::ConsoleOptions;
use super::state::AppState;
use super::terminal::clipboard::{copied_part, copy_sequence};
use super::terminal::guard::{self, TerminalGuard};
use super::terminal::input::{self, Input};
use super::terminal::screen::{Output, Painter, terminal_size};
use super::terminal::signals::{Notice, Signals};
use super::update::update;
use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::inquiry::Telling;
use crate::engine::request::{Reply, Request};
use crate::engine::snapshot::Snapshot;
use crate::views::context::ViewContext;
use crate::views::{self, Drawn};

/// Between two pictures of the engine on the screen of this machine.
const LIVE_FRAME: Duration = Duration::from_millis(100);
/// The same over SSH or in tmux, where bytes are dear.
const LIVE_FRAME_REMOTE: Duration = Duration::from_millis(250);
/// A size is drawn once it has stood still for this long.
const RESIZE_SETTLE: Duration = Duration::from_millis(40);
/// On leaving, the last frame gets this long to be written.
const LAST_FRAME_WAIT: Duration = Duration::from_millis(250);
/// Signals that our own suspension gave rise to arrive within this time of going on.
const SUSPEND_ECHO: Duration = Duration::from_millis(300);
/// What a person did is kept for the next start within this time.
const KEEP_AFTER: Duration = Duration::from_millis(500);

/// Why the console could not run.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// Standard input and output are no terminal, or it cannot be set up.
    #[error("the console needs a terminal and found none ({0}); `hypo incidents` prints the same as text")]
    NoTerminal(#[source] io::Error),
    /// Threads or signal handlers could not be had.
    #[error("the console cannot start: {0}; free some memory or processes and try again")]
    Start(#[source] io::Error),
}

type Answer = Pin<Box<dyn Future<Output = (Request, Reply)> + Send>>;

/// Runs the console until it is left. The terminal is as it was when this returns.
///
/// # Errors
/// When there is no terminal, or the threads and handlers it needs cannot be had.
pub async fn run(link: EngineLink, options: ConsoleOptions) -> Result<(), ConsoleError> {
    let signals = Signals::listen().map_err(ConsoleError::Start)?;
    let guard = TerminalGuard::enter().map_err(ConsoleError::NoTerminal)?;
    let inputs = input::start().map_err(ConsoleError::NoTerminal)?;
    let output = Output::start().map_err(ConsoleError::Start)?;
    let mut console = Console::new(link, options, guard, output);
    console.drive(signals, inputs).await;
    // The guard must not write into the middle of a frame.
    let _ =
        timeout(LAST_FRAME_WAIT, async { while console.output.is_busy() && console.output.written().await.is_ok() {} })
            .await;
    Ok(())
}

/// What woke the loop up.
enum Wake {
    Notice(Notice),
    Input(Option<Input>),
    Reply(Request, Reply),
    Told(u64, Option<Telling>),
    Written(io::Result<()>),
    Picture(bool),
    Link(Link),
    LiveDue,
    ResizeDue,
    Minute,
    Due,
    KeepDue,
}

struct Console {
    link: EngineLink,
    options: ConsoleOptions,
    state: AppState,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// How it stands with the line, where there is one.
    line: Option<watch::Receiver<Link>>,
    replies: FuturesUnordered<Answer>,
    tellings: SelectAll<BoxStream<'static, (u64, Option<Telling>)>>,
    guard: TerminalGuard,
    painter: Painter,
    output: Output,
    is_dirty: bool,
    is_left: bool,
    is_suspending: bool,
    is_engine_alive: bool,
    has_picture: bool,
    live_at: Instant,
    resize_due: Option<Instant>,
    resumed_at: Option<Instant>,
    keeper: Keeper,
    keep_due: Option<Instant>,
}

impl Console {
    fn new(link: EngineLink, options: ConsoleOptions, guard: TerminalGuard, output: Output) -> Self {
        let (keeper, found) = Keeper::begin(options.left_off.as_deref(), wall_clock());
        let file_problems = [options.file_problems.clone(), found.problems].concat();
        let mut state = AppState::new(options.keymap.clone(), options.is_read_only, file_problems);
        (state.zone, state.is_left_kept) = (options.zone, keeper.keeps());
        state.ui.me = Arc::clone(&link.person().name);
        let painter = Painter::new(terminal_size(), options.depth, options.glyphs.is_ascii);
        let mut snapshots = link.snapshots();
        // The picture of this moment is drawn with the first frame.
        snapshots.mark_changed();
        let mut console = Self {
            line: link.link(),
            link,
            state,
            snapshots,
            replies: FuturesUnordered::new(),
            tellings: SelectAll::new(),
            guard,
            painter,
            output,
            is_dirty: true,
            is_left: false,
            is_suspending: false,
            is_engine_alive: true,
            has_picture: false,
            live_at: Instant::now(),
            resize_due: None,
            resumed_at: None,
            keeper,
            keep_due: None,
            options,
        };
        if console.options.is_mouse_on {
            console.state.is_mouse_on = true;
            console.perform(Effect::SetMouse(true));
        }
        console.take_picture();
        console.tell(Message::LeftOff(Box::new(found.left)));
        console.state.goes_on = console.line.is_some();
        if let Some(notice) = console.link.notice() {
            console.state.refuse(notice);
        }
        console
    }

    async fn drive(&mut self, mut signals: Signals, mut inputs: mpsc::Receiver<Input>) {
        while !self.is_left {
            if self.is_suspending && !self.output.is_busy() {
                self.suspend();
            }
            if self.is_dirty && !self.output.is_busy() {
                self.draw();
            }
            let wake = self.wait(&mut signals, &mut inputs).await;
            self.wake(wake);
            while !self.is_left
                && let Ok(input) = inputs.try_recv()
            {
                self.wake(Wake::Input(Some(input)));
            }
        }
    }

    async fn wait(&mut self, signals: &mut Signals, inputs: &mut mpsc::Receiver<Input>) -> Wake {
        let minute = Instant::now() + self.until_next_minute();
        let resize = self.resize_due;
        let due = self.state.due_at().map(|at| {
            let ms = at.since_ms(wall_clock()).max(0);
            Instant::now() + Duration::from_millis(ms.unsigned_abs())
        });
        tokio::select! {
            biased;
            notice = signals.next() => Wake::Notice(notice),
            input = inputs.recv() => Wake::Input(input),
            outcome = self.output.written(), if self.output.is_busy() => Wake::Written(outcome),
            Some((request, reply)) = self.replies.next() => Wake::Reply(request, reply),
            Some((number, telling)) = self.tellings.next() => Wake::Told(number, telling),
            () = sleep_until(resize.unwrap_or(minute)), if resize.is_some() => Wake::ResizeDue,
            () = sleep_until(due.unwrap_or(minute)), if due.is_some() => Wake::Due,
            Some(link) = next_link(&mut self.line) => Wake::Link(link),
            () = sleep_until(self.keep_due.unwrap_or(minute)), if self.keep_due.is_some() => Wake::KeepDue,
            () = sleep_until(self.live_at), if self.has_picture => Wake::LiveDue,
            changed = self.snapshots.changed(), if !self.has_picture && self.is_engine_alive => Wake::Picture(changed.is_ok()),
            () = sleep_until(minute) => Wake::Minute,
        }
    }

    fn wake(&mut self, wake: Wake) {
        match wake {
            Wake::Notice(Notice::Stop | Notice::Continued) if self.is_echo() => {}
            Wake::Notice(Notice::Terminate) => self.tell(Message::Terminate),
            Wake::Notice(Notice::Stop) => self.tell(Message::Stop),
            Wake::Notice(Notice::Continued) => {
                // Somebody else stopped us: the shell has had the terminal meanwhile.
                if self.guard.retake().is_err() {
                    self.is_left = true;
                }
                self.repaint();
            }
            Wake::Notice(Notice::Resized) => self.resize_due = Some(Instant::now() + RESIZE_SETTLE),
            Wake::ResizeDue => {
                self.resize_due = None;
                // Also where the size is what it was: a terminal that was made smaller and larger again has lost what it
                // showed, or has broken its lines elsewhere.
                self.repaint();
            }
            Wake::Input(None | Some(Input::Gone)) | Wake::Written(Err(_)) => self.is_left = true,
            Wake::Input(Some(Input::Key(key))) => self.tell(Message::Key(Key::from(key))),
            Wake::Input(Some(Input::Paste(text))) => self.tell(Message::Paste(text)),
            Wake::Input(Some(Input::Mouse(mouse))) => {
                let area = Rect::from((Position::ORIGIN, self.painter.size()));
                if let Some(click) = mouse_read::click(mouse, area, &context(&self.state, &self.options)) {
                    self.tell(Message::Mouse(click));
                }
            }
            Wake::Written(Ok(())) => {}
            Wake::Reply(request, reply) => self.tell(Message::Reply(request, reply)),
            Wake::Told(number, telling) => self.tell(Message::Told(number, telling)),
            // One that ends before it showed anything has said why, and has nothing to be looked at.
            Wake::Link(Link::Ended(_)) if self.state.snapshot.is_before_the_first() => self.is_left = true,
            Wake::Link(link) => {
                let is_back = matches!(link, Link::Up | Link::Started);
                self.tell(Message::Link(link, self.link.unheard_ms()));
                // From here on keys act again: on what the engine shows now.
                if is_back {
                    self.take_picture();
                }
            }
            Wake::Picture(true) => self.has_picture = true,
            Wake::Picture(false) => {
                self.is_engine_alive = false;
                let leave = hints::key_of(&self.state, Command::Leave);
                self.tell(Message::Link(Link::Lost(Arc::from("it has ended")), 0));
                self.state.refuse(format!("the engine has ended; {leave} leaves"));
            }
            Wake::LiveDue => self.take_picture(),
            Wake::Due => self.tell(Message::Due),
            Wake::KeepDue => self.keep(),
            Wake::Minute => self.tell(Message::Minute),
        }
    }

    fn take_picture(&mut self) {
        self.has_picture = false;
        self.live_at = Instant::now() + if self.options.is_remote { LIVE_FRAME_REMOTE } else { LIVE_FRAME };
        let snapshot = Arc::clone(&self.snapshots.borrow_and_update());
        self.tell(Message::Snapshot(snapshot));
    }

    fn tell(&mut self, message: Message) {
        self.is_dirty = true;
        let is_of_person = matches!(message, Message::Key(_) | Message::Paste(_) | Message::Mouse(_));
        if is_of_person || matches!(message, Message::Reply(..)) {
            self.keep_due.get_or_insert_with(|| Instant::now() + KEEP_AFTER);
        }
        for effect in update(&mut self.state, message, wall_clock()) {
            self.perform(effect);
        }
        let (incident, pane) = looked_at(&self.state);
        self.link.looks(incident, &pane);
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Request(request) => {
                let answer = self.link.send(request.clone());
                self.replies.push(Box::pin(async move {
                    let lost = |_| Reply::Lost { reason: Arc::from("the engine has ended and did not answer") };
                    (request, answer.await.unwrap_or_else(lost))
                }));
            }
            Effect::Ask(number, inquiry) => {
                let mut told = self.link.ask(inquiry);
                let told = stream::poll_fn(move |context| told.poll_recv(context)).map(Some);
                let told = told.chain(stream::once(async { None })).map(move |telling| (number, telling));
                self.tellings.push(told.boxed());
            }
            Effect::PrepareToAsk => self.link.prepare_to_ask(),
            Effect::Copy(text) => {
                self.output.write(copy_sequence(&text, self.options.is_tmux));
                let (taken, whole) = (copied_part(&text).chars().count(), text.chars().count());
                self.tell(Message::Copied { taken, whole });
            }
            Effect::Quit => self.is_left = true,
            Effect::Suspend => self.is_suspending = true,
            Effect::Redraw => self.painter.forget(),
            Effect::SetMouse(is_on) => self.output.write(self.guard.mouse_sequence(is_on).to_vec()),
        }
    }

    /// Keeps what would be left behind now.
    fn keep(&mut self) {
        self.keep_due = None;
        let now = wall_clock();
        if let Some(problem) = self.keeper.keep(LeftOff::of(&self.state, self.keeper.last(), now), now) {
            self.state.refuse(problem);
            self.is_dirty = true;
        }
    }

    /// Our own suspension sends both signals to the whole process group, ourselves included; they are told afterwards.
    fn is_echo(&self) -> bool {
        self.resumed_at.is_some_and(|at| at.elapsed() < SUSPEND_ECHO)
    }

    fn suspend(&mut self) {
        self.is_suspending = false;
        match self.guard.suspend() {
            Ok(true) => self.repaint(),
            Ok(false) => self.tell(Message::NotSuspended),
            Err(_) => self.is_left = true,
        }
        self.resumed_at = Some(Instant::now());
    }

    /// The next frame is drawn whole, in the terminal's size of now.
    fn repaint(&mut self) {
        self.painter.resize(terminal_size());
        self.is_dirty = true;
    }

    fn draw(&mut self) {
        self.is_dirty = false;
        let ctx = context(&self.state, &self.options);
        let mut drawn = Drawn::default();
        let bytes = self.painter.paint(|frame| drawn = views::draw(frame, &ctx));
        self.output.write(bytes);
        let Drawn { offset, page_rows, overlay_offset_max, is_question_whole, .. } = drawn;
        let drawn = Message::Drawn { offset, page_rows, overlay_offset_max, is_question_whole };
        update(&mut self.state, drawn, wall_clock());
    }

    /// Ages move by the minute of the engine's clock.
    fn until_next_minute(&self) -> Duration {
        let at = self.state.snapshot.at + wall_clock().since_ms(self.state.arrived_at).max(0);
        let ms = MINUTE_MS - at.0.rem_euclid(MINUTE_MS);
        Duration::from_millis(ms.unsigned_abs())
    }
}

impl Drop for Console {
    /// However it ends, what a person has begun is kept. The terminal comes first: a disk may hang.
    fn drop(&mut self) {
        guard::restore();
        let now = wall_clock();
        let left = LeftOff::of(&self.state, self.keeper.last(), now);
        self.keeper.end(left, now);
    }
}

fn context<'a>(state: &'a AppState, options: &'a ConsoleOptions) -> ViewContext<'a> {
    ViewContext {
        snapshot: &state.snapshot,
        ui: &state.ui,
        theme: &options.theme,
        glyphs: options.glyphs,
        hints: &state.hints,
        palette: &state.palette.matches,
        note: state.note.as_ref(),
        now: state.view_now(wall_clock()),
    }
}

fn wall_clock() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}
