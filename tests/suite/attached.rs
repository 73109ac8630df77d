//! Consoles on an engine in another process: what they see, ask and are told over a real socket, and what a bad one cannot do.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono_tz::Tz;
use hypocenter::app::attach::line::{LineProblem, ask_in_text};
use hypocenter::app::attach::pump::{self, Joined, Link};
use hypocenter::engine::attach::frame::{self, Incoming};
use hypocenter::engine::attach::hello::{Greeting, Hello, Says, Wants};
use hypocenter::engine::attach::message::{FromConsole, FromEngine, SettingsMark};
use hypocenter::engine::attach::people::People;
use hypocenter::engine::attach::place::{Place, PlaceProblem};
use hypocenter::engine::attach::server::{self, Attendance, Farewell, Served, Wish};
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::handle::{EngineHandle, HandleEnds, Question};
use hypocenter::engine::ingest::{StopSignal, StopSwitch};
use hypocenter::engine::inquiry::{Inquiry, Telling};
use hypocenter::engine::limits::{
    CONNECTIONS_MAX, CONSOLES_MAX, FRAME_IN_BYTES_MAX, FRAME_OUT_BYTES_MAX, WAITING_FOR_CONSOLE_MAX,
};
use hypocenter::engine::model::{AnomalyId, IncidentId, Person, Role};
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::settings::{AttachSettings, PeopleSettings};
use hypocenter::engine::snapshot::Snapshot;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::fixtures;

/// Far more than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine that this test is, behind a socket.
struct Behind {
    ends: HandleEnds,
    wishes: mpsc::Receiver<Wish>,
    stop: StopSwitch,
    place: Place,
    farewell: watch::Sender<Option<Farewell>>,
    attendance: Arc<Attendance>,
}

fn serve(folder: &Path) -> Behind {
    behind(folder, picture(1)).unwrap()
}

/// One in the place of another that has just ended, with this picture first.
async fn serve_first(folder: &Path, first: Snapshot, pid: i32) -> Behind {
    let begun = async {
        loop {
            match behind_as(folder, first.clone(), pid) {
                Ok(behind) => return behind,
                // The other one still listens for a moment.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    timeout(PATIENCE, begun).await.expect("the place is free")
}

fn behind(folder: &Path, first: Snapshot) -> Result<Behind, PlaceProblem> {
    behind_as(folder, first, 812)
}

/// One with this number of a process.
fn behind_as(folder: &Path, first: Snapshot, pid: i32) -> Result<Behind, PlaceProblem> {
    let (handle, ends) = EngineHandle::pair(Arc::new(first));
    let place = Place::of(folder, &AttachSettings::default());
    let listener = place.listen()?;
    let (wished, wishes) = mpsc::channel(4);
    let (farewell, farewells) = watch::channel(None);
    let attendance = Arc::new(Attendance::default());
    let turns = Arc::new(AtomicU64::new(0));
    let served = Served {
        handle,
        people: People::new(PeopleSettings::default()),
        pid,
        since: Timestamp(1_000),
        settings: SettingsMark { path: "".into(), digest: "".into() },
        wishes: wished,
        is_background: true,
        farewell: farewells,
        attendance: Arc::clone(&attendance),
        turns: Arc::clone(&turns),
    };
    // The thread of an engine makes them.
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    tokio::spawn(async move {
        loop {
            seconds.tick().await;
            turns.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (stop, stopped) = StopSignal::pair();
    tokio::spawn(async move { server::serve(listener, Arc::new(served), stopped.stopped()).await });
    Ok(Behind { ends, wishes, stop, place, farewell, attendance })
}

/// A picture that differs from the others in what changes all the time, and in its lists: things come, go, change and move.
fn picture(revision: u64) -> Snapshot {
    let mut picture = fixtures::live();
    picture.revision = revision;
    picture.at = Timestamp(picture.at.0 + revision.cast_signed() * 1_000);
    picture.counts.sample_count = revision * 100;
    let turn = (revision % 7) as usize;
    anomalies(&mut picture, turn, revision);
    picture.anomalies.rotate_left(turn);
    if turn.is_multiple_of(2) {
        // The one that is over goes, and with every third one comes.
        picture.incidents.pop();
        picture.proposals.clear();
    }
    if turn.is_multiple_of(3) {
        let mut more = fixtures::incident();
        more.id = IncidentId(1_000 + revision);
        picture.incidents.insert(0, Arc::new(more));
        picture.updates_due.insert(IncidentId(1_000 + revision), picture.at);
    }
    picture
}

/// Adds so many anomalies that are in no other picture.
fn anomalies(picture: &mut Snapshot, count: usize, revision: u64) {
    let first = picture.anomalies[0].clone();
    picture.anomalies.extend((0..count as u64).map(|more| {
        let mut anomaly = (*first).clone();
        anomaly.id = AnomalyId(revision * 10_000 + more);
        Arc::new(anomaly)
    }));
}

/// A picture that has some hundred kilobytes which are in no other: more than a socket holds for who does not read.
fn heavy(revision: u64) -> Snapshot {
    let mut picture = picture(revision);
    anomalies(&mut picture, 2_000, revision);
    picture
}

fn inquiry() -> Inquiry {
    Inquiry { text: "why".into(), before: None, zone: Tz::Europe__Berlin, focus: None, wants_model: true }
}

/// A console that speaks by hand.
struct ByHand {
    incoming: Incoming<OwnedReadHalf>,
    outgoing: OwnedWriteHalf,
}

impl ByHand {
    /// One that was let in.
    async fn join(place: &Place) -> Self {
        let (reader, mut outgoing) = place.connect().await.unwrap().into_split();
        outgoing.write_all(Hello::new(Wants::Attach { cap: None }).line().as_bytes()).await.unwrap();
        let mut incoming = Incoming::new(reader, FRAME_OUT_BYTES_MAX);
        let line = timeout(PATIENCE, incoming.line()).await.unwrap().unwrap().unwrap();
        assert_eq!(Greeting::read(&line).unwrap().says, Says::Joined);
        let mut joined = Self { incoming, outgoing };
        let FromEngine::Welcome(_) = joined.next().await else { panic!("it is welcomed first") };
        joined
    }

    async fn next(&mut self) -> FromEngine {
        let frame = timeout(PATIENCE, self.incoming.frame()).await.expect("something is said").unwrap();
        FromEngine::read(&frame.expect("it goes on")).unwrap()
    }
}

async fn join(place: &Place, cap: Option<Role>) -> Joined {
    pump::join(place.clone(), cap).await.unwrap()
}

async fn shows(joined: &Joined, revision: u64) -> Arc<Snapshot> {
    let mut snapshots = joined.handle.snapshots();
    let seen = timeout(PATIENCE, snapshots.wait_for(|picture| picture.revision >= revision)).await;
    Arc::clone(&seen.unwrap_or_else(|_| panic!("picture {revision} never came")).unwrap())
}

fn note() -> Request {
    Request::Note { incident: fixtures::live().incidents[0].id, text: "looking".into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_joins_in_a_storm_of_pictures_misses_nothing_and_all_see_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let behind = serve(folder.path());
    let sender = behind.ends.snapshots.clone();
    let storm = tokio::spawn(async move {
        for revision in 2..=400 {
            sender.send_replace(Arc::new(picture(revision)));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    let mut consoles = Vec::new();
    for _ in 0..50 {
        let joined = join(&behind.place, None).await;
        let first = joined.handle.snapshots().borrow().revision;
        consoles.push((joined, first));
    }
    assert!(consoles.iter().any(|(_, first)| *first > 1), "some came while it stormed");
    storm.await.unwrap();
    let last = picture(400);
    for (joined, first) in &consoles {
        assert!(*first >= 1);
        assert_eq!(*shows(joined, 400).await, last);
    }
}

/// How many heavy pictures the one that reads is shown while the other does not: fewer than take the time after which that one is let
/// go of.
const HEAVY: u64 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_does_not_read_holds_up_nobody_and_costs_one_picture() {
    let folder = tempfile::tempdir().unwrap();
    let behind = serve(folder.path());
    let mut deaf = ByHand::join(&behind.place).await;
    let console = join(&behind.place, None).await;
    // From here on it reads nothing, while the other has every one of them.
    for revision in 2..2 + HEAVY {
        behind.ends.snapshots.send_replace(Arc::new(heavy(revision)));
        assert_eq!(shows(&console, revision).await.revision, revision);
    }
    let newest = heavy(1 + HEAVY);
    assert_eq!(*shows(&console, 1 + HEAVY).await, newest);
    // It reads on: what was on its way, and then the newest of all at once. Of those between nothing was ever made.
    let (mut held, mut taken) = (Snapshot::empty(), 0);
    while held.revision < newest.revision {
        let FromEngine::Picture(delta) = deaf.next().await else { panic!("a picture comes") };
        held = delta.apply(&held).unwrap();
        taken += 1;
    }
    assert_eq!(held, newest);
    assert!(taken <= 4, "{taken} pictures were kept for a console that did not read");
    assert_eq!(behind.attendance.count(), 2, "it is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_faster_than_it_is_read_keeps_no_picture_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut behind = serve(folder.path());
    let mut slow = ByHand::join(&behind.place).await;
    let question = FromConsole::Inquiry { n: 1, inquiry: inquiry() }.frame().unwrap();
    frame::write(&mut slow.outgoing, &question, FRAME_IN_BYTES_MAX).await.unwrap();
    let Some(Question::Ask(_, tell)) = behind.ends.questions.recv().await else { panic!("it is asked") };
    // An answer without an end, each part of it as large as what a socket holds.
    let part = Telling::Failed { reason: "x".repeat(256 * 1_024).into() };
    let answering = tokio::spawn(async move { while tell.send(part.clone()).await.is_ok() {} });
    behind.ends.snapshots.send_replace(Arc::new(picture(2)));
    let (mut held, mut parts) = (Snapshot::empty(), 0);
    while held.revision < 2 {
        match slow.next().await {
            FromEngine::Picture(delta) => held = delta.apply(&held).unwrap(),
            FromEngine::Telling { .. } => parts += 1,
            _ => {}
        }
        assert!(parts <= 3 * WAITING_FOR_CONSOLE_MAX, "{parts} parts came before the picture");
    }
    answering.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_is_asked_in_the_name_that_the_kernel_gives() {
    let folder = tempfile::tempdir().unwrap();
    let mut behind = serve(folder.path());
    let uid = nix::unistd::getuid();
    let own = nix::unistd::User::from_uid(uid).unwrap().map_or(format!("uid {uid}"), |user| user.name);
    for (cap, role) in [(None, Role::Admin), (Some(Role::Viewer), Role::Viewer), (Some(Role::Admin), Role::Admin)] {
        let joined = join(&behind.place, cap).await;
        assert_eq!(joined.welcome.person, Person { name: own.as_str().into(), role });
        // Whatever name the console gives.
        let answer = joined.handle.send(&Person::admin("somebody else"), note());
        let envelope = timeout(PATIENCE, behind.ends.requests.recv()).await.unwrap().unwrap();
        assert_eq!((envelope.by, envelope.request), (joined.welcome.person.clone(), note()));
        envelope.reply.send(Reply::Done { text: "noted".into() }).unwrap();
        assert_eq!(answer.await.unwrap(), Reply::Done { text: "noted".into() });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_ends_leaves_what_is_not_answered_open_and_is_joined_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut behind = serve(folder.path());
    let mut joined = join(&behind.place, None).await;
    let answer = joined.handle.send(&Person::admin("ana"), note());
    let envelope = timeout(PATIENCE, behind.ends.requests.recv()).await.unwrap().unwrap();
    let Behind { ends, wishes, stop, place, .. } = behind;
    stop.stop();
    drop((ends, envelope, wishes));
    let Reply::Lost { .. } = answer.await.unwrap() else { panic!("it is not known whether it was done") };
    timeout(PATIENCE, joined.link.wait_for(|link| matches!(link, Link::Lost(_)))).await.unwrap().unwrap();
    let Reply::Refused { .. } = joined.handle.send(&Person::admin("ana"), note()).await.unwrap() else {
        panic!("nobody is there to do it")
    };
    // Another engine takes the place of the socket that is left behind.
    let again = serve_first(folder.path(), picture(1), 812).await;
    again.ends.snapshots.send_replace(Arc::new(picture(77)));
    timeout(PATIENCE, joined.link.wait_for(|link| *link == Link::Up)).await.unwrap().unwrap();
    assert_eq!(*shows(&joined, 77).await, picture(77));
    drop(place);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_stream_and_whoever_stops_listening_is_let_go_of() {
    let folder = tempfile::tempdir().unwrap();
    let mut behind = serve(folder.path());
    let joined = join(&behind.place, None).await;
    joined.handle.prepare_to_ask();
    let inquiry = inquiry();
    let mut told = joined.handle.ask(inquiry.clone());
    let Question::Prepare = timeout(PATIENCE, behind.ends.questions.recv()).await.unwrap().unwrap() else {
        panic!("it is prepared first")
    };
    let Question::Ask(asked, tell) = timeout(PATIENCE, behind.ends.questions.recv()).await.unwrap().unwrap() else {
        panic!("then it is asked")
    };
    assert_eq!(asked, inquiry);
    let failed = |reason: &str| Telling::Failed { reason: reason.into() };
    tell.send(failed("one")).await.unwrap();
    assert_eq!(told.recv().await, Some(failed("one")));
    tell.send(failed("two")).await.unwrap();
    assert_eq!(told.recv().await, Some(failed("two")));
    drop(told);
    // What comes next finds nobody, and the engine hears of it.
    let let_go = async {
        while tell.send(failed("more")).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, let_go).await.expect("the engine is told that nobody listens");
    // A whole answer ends where the engine says so.
    let mut told = joined.handle.ask(inquiry);
    let Some(Question::Ask(_, tell)) = behind.ends.questions.recv().await else { panic!("it is asked") };
    drop(tell);
    assert_eq!(timeout(PATIENCE, told.recv()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_is_told_so_in_words_and_can_still_ask_how_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let mut behind = serve(folder.path());
    let said = async |line: &str| {
        let mut stream = behind.place.connect().await.unwrap();
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await.unwrap();
        Greeting::read(&answer).unwrap().says
    };
    let Says::No { why } = said("hypo attach 1 version 9.9.9 wire 99 wants attach\n").await else { panic!("refused") };
    assert!(why.contains("the engine is hypo") && why.contains("this console is 9.9.9"), "{why}");
    assert_eq!(said("hypo attach 1 version 9.9.9 wire 99 wants status\n").await, Says::Text);
    let Says::No { why } = said("GET / HTTP/1.1\n").await else { panic!("refused") };
    assert!(why.contains("no hypo says"), "{why}");
    let text = ask_in_text(behind.place.connect().await.unwrap(), Wants::Status).await.unwrap();
    assert!(text.contains("pid 812") && text.contains("1 open"), "{text}");
    let text = ask_in_text(behind.place.connect().await.unwrap(), Wants::Stop { now: true }).await.unwrap();
    assert_eq!(text, "the engine ends\n");
    assert!(matches!(behind.wishes.recv().await, Some(Wish::Stop { now: true, .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_takes_no_seat_and_of_connections_there_are_so_many() {
    let folder = tempfile::tempdir().unwrap();
    let behind = serve(folder.path());
    let mut silent = Vec::new();
    for _ in 0..CONSOLES_MAX {
        silent.push(behind.place.connect().await.unwrap());
    }
    let joined = join(&behind.place, None).await;
    assert_eq!(behind.attendance.count(), 1);
    let refused = async {
        loop {
            // One more than are taken, again where that took longer than who says nothing is given.
            for _ in 0..CONNECTIONS_MAX {
                silent.push(behind.place.connect().await.unwrap());
            }
            let mut line = vec![0; 512];
            let last = silent.last_mut().unwrap();
            if let Ok(count @ 1..) = last.read(&mut line).await {
                return String::from_utf8_lossy(&line[..count]).into_owned();
            }
        }
    };
    let Says::No { why } = Greeting::read(timeout(PATIENCE, refused).await.unwrap().trim_end()).unwrap().says else {
        panic!("it is refused")
    };
    assert_eq!(
        why.as_ref(),
        format!("{CONNECTIONS_MAX} connections are open, and more are not taken; close some of them")
    );
    drop(silent);
    behind.ends.snapshots.send_replace(Arc::new(picture(9)));
    assert_eq!(shows(&joined, 9).await.revision, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_console_is_cut_off_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let behind = serve(folder.path());
    let console = join(&behind.place, None).await;
    let ping = FromConsole::Ping.frame().unwrap();
    for bytes in
        [b"\xff\xff\xff\xff\x01".as_slice(), b"\x02\x00\x00\x00\x63{}".as_slice(), b"\x02\x00\x00\x00\x01{}".as_slice()]
    {
        let mut by_hand = ByHand::join(&behind.place).await;
        // It is heard, up to here.
        frame::write(&mut by_hand.outgoing, &ping, FRAME_IN_BYTES_MAX).await.unwrap();
        while by_hand.next().await != FromEngine::Pong {}
        by_hand.outgoing.write_all(bytes).await.unwrap();
        // To the end: a connection that is cut off may also be reset.
        let cut_off = async { while let Ok(Some(_)) = by_hand.incoming.frame().await {} };
        assert!(timeout(PATIENCE, cut_off).await.is_ok(), "{bytes:?}: it is cut off");
    }
    let mut stream = behind.place.connect().await.unwrap();
    stream.write_all(&[b'x'; 4_096]).await.unwrap();
    let mut said = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut said)).await;
    assert!(end.is_ok() && said.is_empty(), "what has no first line is cut off without a word: {said:?}");
    let seats = async {
        while behind.attendance.count() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, seats).await.expect("their seats are free");
    behind.ends.snapshots.send_replace(Arc::new(picture(5)));
    assert_eq!(*shows(&console, 5).await, picture(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_too_many_is_told_so_and_a_seat_that_is_left_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let behind = serve(folder.path());
    let mut consoles = Vec::new();
    for _ in 0..CONSOLES_MAX {
        consoles.push(join(&behind.place, None).await);
    }
    let Err(LineProblem::Refused { why }) = pump::join(behind.place.clone(), None).await else { panic!("it is full") };
    assert!(why.contains("64 consoles are attached"), "{why}");
    let text = ask_in_text(behind.place.connect().await.unwrap(), Wants::Status).await.unwrap();
    assert!(text.contains("engine"), "asking how it stands needs no seat: {text}");
    consoles.pop();
    let free = async {
        while pump::join(behind.place.clone(), None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, free).await.expect("a seat is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_there_hears_why_the_engine_ends_and_nobody_is_let_in_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let behind = serve(folder.path());
    let mut joined = join(&behind.place, None).await;
    let why: Arc<str> = "ana ended it".into();
    behind.farewell.send_replace(Some(Farewell { why: Arc::clone(&why), is_wanted: true }));
    let Err(LineProblem::Refused { why: told }) = pump::join(behind.place.clone(), None).await else {
        panic!("it is ending")
    };
    assert!(told.contains("the engine is ending") && told.contains(&*why), "{told}");
    let text = ask_in_text(behind.place.connect().await.unwrap(), Wants::Status).await.unwrap();
    assert!(text.contains("1 attached") && text.contains(&*why), "{text}");
    // Until then it is served as before.
    behind.ends.snapshots.send_replace(Arc::new(picture(5)));
    assert_eq!(*shows(&joined, 5).await, picture(5));
    let Behind { ends, stop, attendance, .. } = behind;
    stop.stop();
    drop(ends);
    timeout(PATIENCE, joined.link.wait_for(|link| *link == Link::Ended(Arc::clone(&why)))).await.unwrap().unwrap();
    let gone = async {
        while attendance.count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("its seat is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_of_an_engine_that_is_still_opening_its_store_takes_nothing_off_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let behind = serve(folder.path());
    let mut joined = join(&behind.place, None).await;
    let Behind { ends, stop, .. } = behind;
    stop.stop();
    drop(ends);
    // It says nothing at its end, so that somebody has to look for another one.
    timeout(PATIENCE, joined.link.wait_for(|link| matches!(link, Link::Lost(_)))).await.unwrap().unwrap();
    let again = serve_first(folder.path(), Snapshot::empty(), 812).await;
    // It is there, and what is shown is still of the one before: nothing is to be done by that.
    let opens = |link: &Link| matches!(link, Link::Lost(why) if why.contains("opens its store"));
    timeout(PATIENCE, joined.link.wait_for(opens)).await.unwrap().unwrap();
    assert_eq!(*joined.handle.snapshots().borrow().clone(), picture(1));
    again.ends.snapshots.send_replace(Arc::new(picture(9)));
    assert_eq!(*shows(&joined, 9).await, picture(9));
    timeout(PATIENCE, joined.link.wait_for(|link| *link == Link::Up)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_consoles_are_told_that_another_engine_runs_also_where_their_line_dropped_before_it_showed_anything() {
    let folder = tempfile::tempdir().unwrap();
    let behind = serve(folder.path());
    let mut consoles = [join(&behind.place, None).await, join(&behind.place, None).await];
    let Behind { ends, stop, .. } = behind;
    stop.stop();
    drop(ends);
    let opening = serve_first(folder.path(), Snapshot::empty(), 813).await;
    for joined in &mut consoles {
        let opens = |link: &Link| matches!(link, Link::Lost(why) if why.contains("opens its store"));
        timeout(PATIENCE, joined.link.wait_for(opens)).await.unwrap().unwrap();
    }
    let Behind { ends, stop, .. } = opening;
    stop.stop();
    drop(ends);
    for joined in &mut consoles {
        let is_lost = |link: &Link| matches!(link, Link::Lost(why) if !why.contains("opens its store"));
        timeout(PATIENCE, joined.link.wait_for(is_lost)).await.unwrap().unwrap();
    }
    // By its number and the time of its start it is the same one.
    let _there = serve_first(folder.path(), picture(9), 813).await;
    for joined in &mut consoles {
        assert_eq!(*shows(joined, 9).await, picture(9));
        timeout(PATIENCE, joined.link.wait_for(|link| *link == Link::Started)).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_in_the_moment_in_which_an_engine_ends_finds_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::of(folder.path(), &AttachSettings::default());
    let listener = place.listen().unwrap();
    let mark = place.mark().unwrap();
    let way = place.clone();
    let coming = tokio::spawn(async move { pump::join(way, None).await });
    // The words of an engine that ends, and then its end.
    let (mut stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let why = "the engine is ending (ana ended it); join again once it has ended".into();
    let greeting = Greeting::new(812, Timestamp(1_000), Says::No { why });
    stream.write_all(greeting.line().as_bytes()).await.unwrap();
    let mut heard = String::new();
    // Whoever was refused goes.
    let _gone = timeout(PATIENCE, stream.read_to_string(&mut heard)).await.unwrap();
    assert!(heard.starts_with("hypo attach"), "{heard}");
    drop(listener);
    place.leave(mark).unwrap();
    let _next = serve_first(folder.path(), picture(9), 813).await;
    let joined = timeout(PATIENCE, coming).await.unwrap().unwrap().unwrap();
    assert_eq!(*shows(&joined, 9).await, picture(9));
}
