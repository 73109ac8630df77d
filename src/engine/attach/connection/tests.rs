//! Who is let go of, who is not, and what one console may cost. The clock stands until a test moves it; nothing here waits, so that it does not move by itself.

use std::sync::atomic::AtomicU64;

use chrono_tz::Tz;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::advance;

use super::*;
use crate::engine::attach::frame;
use crate::engine::attach::message::SettingsMark;
use crate::engine::attach::people::People;
use crate::engine::attach::server::{Attendance, Wish};
use crate::engine::clock::Timestamp;
use crate::engine::handle::{EngineHandle, HandleEnds, Question};
use crate::engine::limits::FRAME_OUT_BYTES_MAX;
use crate::engine::request::Request;
use crate::engine::settings::PeopleSettings;

/// A console that has joined, as the engine has it.
struct Joined {
    task: JoinHandle<Result<(), Parting>>,
    console: UnixStream,
    ends: HandleEnds,
    /// The turns of the engine's thread.
    turns: Arc<AtomicU64>,
    /// What was read so far.
    read: Vec<u8>,
    _wishes: mpsc::Receiver<Wish>,
    _farewell: watch::Sender<Option<Farewell>>,
}

/// Lets everybody do what can be done without time.
async fn settle() {
    for _ in 0..1_000 {
        yield_now().await;
    }
}

/// What a connection finds, and what this test holds of it.
fn ground() -> (Arc<Served>, HandleEnds, mpsc::Receiver<Wish>, watch::Sender<Option<Farewell>>) {
    let (handle, ends) = EngineHandle::pair(Arc::new(Snapshot::empty()));
    let (wished, wishes) = mpsc::channel(1);
    let (farewell, farewells) = watch::channel(None);
    let served = Served {
        handle,
        people: People::new(PeopleSettings::default()).told_of_oneself(),
        pid: 812,
        since: Timestamp(1_000),
        settings: SettingsMark { path: "".into(), digest: "".into() },
        wishes: wished,
        is_background: true,
        farewell: farewells,
        attendance: Arc::new(Attendance::default()),
        turns: Arc::new(AtomicU64::new(0)),
    };
    (Arc::new(served), ends, wishes, farewell)
}

async fn joined() -> Joined {
    let (served, ends, wishes, farewell) = ground();
    let (console, engine) = UnixStream::pair().unwrap();
    let turns = Arc::clone(&served.turns);
    let task = tokio::spawn(async move { serve(engine, Peer::oneself(), &served).await });
    let hello = Hello::new(Wants::Attach { cap: None }).line();
    assert_eq!(console.try_write(hello.as_bytes()).unwrap(), hello.len());
    settle().await;
    assert!(!task.is_finished(), "it was not let in");
    Joined { task, console, ends, turns, read: Vec::new(), _wishes: wishes, _farewell: farewell }
}

impl Joined {
    async fn say(&mut self, message: FromConsole) {
        let frame = message.frame().unwrap();
        frame::write(&mut self.console, &frame, FRAME_IN_BYTES_MAX).await.unwrap();
    }

    async fn ping(&mut self) {
        self.say(FromConsole::Ping).await;
    }

    /// Reads what lies there; how many bytes it was.
    fn read_on(&mut self) -> usize {
        let before = self.read.len();
        let mut piece = vec![0; 1 << 20];
        while let Ok(count @ 1..) = self.console.try_read(&mut piece) {
            self.read.extend_from_slice(&piece[..count]);
        }
        self.read.len() - before
    }

    /// All that was said so far.
    async fn heard(&mut self) -> Vec<FromEngine> {
        settle().await;
        self.read_on();
        let mut incoming = Incoming::new(&self.read[..], FRAME_OUT_BYTES_MAX);
        assert!(incoming.line().await.unwrap().is_some());
        let mut heard = Vec::new();
        while let Ok(Some(frame)) = incoming.frame().await {
            heard.push(FromEngine::read(&frame).unwrap());
        }
        heard
    }

    async fn pongs(&mut self) -> usize {
        self.heard().await.iter().filter(|said| **said == FromEngine::Pong).count()
    }

    /// Publishes a picture of so many bytes.
    fn show(&self, bytes: usize) {
        let mut picture = Snapshot::empty();
        picture.at = Timestamp(1);
        picture.store.problem = Some("x".repeat(bytes).into());
        self.ends.snapshots.send_replace(Arc::new(picture));
    }
}

#[tokio::test(start_paused = true)]
async fn a_console_that_says_nothing_is_let_go_of_and_one_that_pings_is_not() {
    let (mut pings, silent) = (joined().await, joined().await);
    for _ in 0..5 {
        advance(Duration::from_secs(6)).await;
        pings.ping().await;
        settle().await;
    }
    advance(Duration::from_secs(1)).await;
    settle().await;
    assert!(silent.task.is_finished() && !pings.task.is_finished());
    let parting = silent.task.await.unwrap().unwrap_err();
    assert!(matches!(parting, Parting::Unheard), "{parting}");
    advance(Duration::from_secs(31)).await;
    settle().await;
    assert!(pings.task.is_finished(), "it says nothing any more");
}

/// As where the engine was stopped, or busy with writing to it. Whether it has the ping first or the time is a draw.
#[tokio::test(start_paused = true)]
async fn a_console_whose_ping_lies_unread_is_heard() {
    let mut joined = joined().await;
    for round in 0..40 {
        joined.ping().await;
        advance(Duration::from_secs(31)).await;
        settle().await;
        assert!(!joined.task.is_finished(), "round {round}: it was let go of though it spoke");
    }
}

#[test]
fn a_console_may_ask_for_less_than_its_person_may_and_not_for_more() {
    let (served, _ends, _wishes, _farewell) = ground();
    for (cap, role) in [(None, Role::Responder), (Some("viewer"), Role::Viewer), (Some("admin"), Role::Responder)] {
        let person = Person { name: "ana".into(), role: Role::Responder };
        let hello = Hello::new(Wants::Attach { cap: cap.map(Arc::from) }).line();
        let Entered::Console(person, _seat) = welcome(hello.trim_end(), person, &served).unwrap() else {
            panic!("it wants to stay")
        };
        assert_eq!(person.role, role, "{cap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_at_all_has_two_seconds_and_who_has_no_role_none() {
    let (served, _ends, _wishes, _farewell) = ground();
    let begin = |peer: Peer| {
        let (console, engine) = UnixStream::pair().unwrap();
        let served = Arc::clone(&served);
        (console, tokio::spawn(async move { serve(engine, peer, &served).await }))
    };
    let (_silent, task) = begin(Peer::oneself());
    settle().await;
    advance(Duration::from_millis(1_900)).await;
    settle().await;
    assert!(!task.is_finished());
    advance(Duration::from_millis(200)).await;
    assert!(matches!(task.await.unwrap(), Err(Parting::Silent)));
    let begun = Instant::now();
    let (stranger, task) = begin(Peer::stranger());
    let real = std::time::Instant::now();
    while !task.is_finished() && real.elapsed() < Duration::from_secs(20) {
        settle().await;
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert!(matches!(task.await.unwrap(), Err(Parting::Stranger(_))));
    let mut line = vec![0; 512];
    let count = stranger.try_read(&mut line).unwrap();
    assert!(String::from_utf8_lossy(&line[..count]).contains("has%20no%20role%20here"), "{line:?}");
    assert_eq!(served.attendance.count(), 0);
}

/// The task of a connection would answer as well without an engine.
#[tokio::test(start_paused = true)]
async fn a_pong_says_that_the_thread_of_the_engine_makes_turns() {
    let mut joined = joined().await;
    // It opens its store, and makes none.
    advance(Duration::from_secs(20)).await;
    joined.ping().await;
    assert_eq!(joined.pongs().await, 1);
    joined.show(1);
    settle().await;
    for round in 2..5 {
        advance(Duration::from_secs(6)).await;
        joined.turns.fetch_add(1, Ordering::Relaxed);
        joined.ping().await;
        assert_eq!(joined.pongs().await, round);
    }
    for _ in 0..3 {
        advance(Duration::from_secs(6)).await;
        joined.ping().await;
        assert_eq!(joined.pongs().await, 4, "it hangs");
    }
    joined.turns.fetch_add(1, Ordering::Relaxed);
    joined.ping().await;
    assert_eq!(joined.pongs().await, 5, "it goes on");
}

#[tokio::test(start_paused = true)]
async fn what_a_console_shows_is_told_at_most_ten_times_a_second_and_the_newest_counts() {
    let mut joined = joined().await;
    let mut told = 0;
    for number in 0..200 {
        joined.say(FromConsole::Looking { incident: None, pane: format!("pane {number}").into() }).await;
        settle().await;
        if joined.ends.attendance.has_changed().unwrap() {
            joined.ends.attendance.borrow_and_update();
            told += 1;
        }
    }
    assert_eq!(told, 1, "no time has gone by");
    advance(Duration::from_millis(101)).await;
    settle().await;
    let all = joined.ends.attendance.borrow().clone();
    let panes: Vec<&str> = all.here.values().map(|attendee| attendee.pane.as_ref()).collect();
    assert_eq!(panes, ["pane 199"]);
}

#[tokio::test(start_paused = true)]
async fn questions_of_one_number_are_one_question() {
    let mut joined = joined().await;
    let mut tellers = Vec::new();
    for _ in 0..20 {
        let inquiry = Inquiry { text: "why".into(), before: None, zone: Tz::UTC, focus: None, wants_model: false };
        joined.say(FromConsole::Inquiry { n: 1, inquiry }).await;
        settle().await;
        while let Ok(Question::Ask(_, tell)) = joined.ends.questions.try_recv() {
            tellers.push(tell);
        }
    }
    let open = tellers.iter().filter(|tell| !tell.is_closed()).count();
    assert!(!tellers.is_empty() && open == 1, "{open} of {}", tellers.len());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_let_go_of_after_a_while_and_who_reads_slowly_is_not() {
    const BYTES: usize = 4 << 20;
    let mut deaf = joined().await;
    let mut slow = joined().await;
    for console in [&deaf, &slow] {
        console.show(BYTES);
    }
    settle().await;
    advance(Duration::from_millis(PICTURE_GAP_MS_MIN + 1)).await;
    settle().await;
    let mut rounds = 0;
    while slow.read.len() < BYTES {
        // All that the system holds: a small part of the picture.
        assert!(slow.read_on() < BYTES / 2);
        slow.ping().await;
        if !deaf.task.is_finished() {
            deaf.ping().await;
        }
        settle().await;
        if rounds == 0 {
            let stops = Request::Kill { reason: "smoke".into() };
            slow.say(FromConsole::Request { n: 1, request: stops.clone() }).await;
            settle().await;
            let asked = slow.ends.requests.try_recv().expect("the kill switch waits for a picture");
            assert_eq!(asked.request, stops);
        }
        if rounds == 1 {
            assert!(!deaf.task.is_finished(), "15 s");
        }
        advance(Duration::from_secs(15)).await;
        settle().await;
        assert!(!slow.task.is_finished(), "round {rounds}: it reads");
        rounds += 1;
    }
    assert!(rounds > 2, "it takes longer than one piece may");
    assert!(deaf.task.is_finished());
    let parting = deaf.task.await.unwrap().unwrap_err();
    assert!(matches!(parting, Parting::Stalled), "{parting}");
    assert!(slow.heard().await.iter().any(|said| matches!(said, FromEngine::Picture(_))));
}
