//! Who is let go of as silent. The clock stands until a test moves it; nothing here waits, so that it does not move by itself.

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::advance;

use super::*;
use crate::engine::attach::frame;
use crate::engine::attach::message::SettingsMark;
use crate::engine::attach::people::People;
use crate::engine::attach::server::{Attendance, Wish};
use crate::engine::clock::Timestamp;
use crate::engine::handle::{EngineHandle, HandleEnds};
use crate::engine::settings::PeopleSettings;

/// A console that has joined, as the engine has it.
struct Joined {
    task: JoinHandle<Result<(), Parting>>,
    console: UnixStream,
    _ends: HandleEnds,
    _wishes: mpsc::Receiver<Wish>,
    _farewell: watch::Sender<Option<Farewell>>,
}

/// Lets everybody do what can be done without time.
async fn settle() {
    for _ in 0..1_000 {
        yield_now().await;
    }
}

async fn joined() -> Joined {
    let (handle, ends) = EngineHandle::pair(Arc::new(Snapshot::empty()));
    let (wished, wishes) = mpsc::channel(1);
    let (farewell, farewells) = watch::channel(None);
    let attendance = Arc::new(Attendance::default());
    let served = Served {
        handle,
        people: People::new(PeopleSettings::default()).told_of_oneself(),
        pid: 812,
        since: Timestamp(1_000),
        settings: SettingsMark { path: "".into(), digest: "".into() },
        wishes: wished,
        is_background: true,
        farewell: farewells,
        attendance: Arc::clone(&attendance),
    };
    let (console, engine) = UnixStream::pair().unwrap();
    let seat = attendance.seat();
    let task = tokio::spawn(async move { serve(engine, &served, seat).await });
    let hello = Hello::new(Wants::Attach { cap: None }).line();
    assert_eq!(console.try_write(hello.as_bytes()).unwrap(), hello.len());
    settle().await;
    assert!(!task.is_finished(), "it was not let in");
    Joined { task, console, _ends: ends, _wishes: wishes, _farewell: farewell }
}

impl Joined {
    async fn ping(&mut self) {
        let frame = FromConsole::Ping.frame().unwrap();
        frame::write(&mut self.console, &frame, FRAME_IN_BYTES_MAX).await.unwrap();
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
