//! The program is killed in mid-step, and what it had begun goes on without it: the kill switch, a person who stops the run and
//! the step's own timeout reach it all the same.
//!
//! This binary starts itself as the program, and kills it once its step is under way.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hypocenter::engine::handle::EngineHandle;
use hypocenter::engine::model::{Person, Run, StepState};
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::snapshot::Snapshot;

use super::walking::{self, Ground};

/// Where a life is told its folder.
const FOLDER: &str = "HYPO_LEFT_OVER_FOLDER";
/// The act goes on for this long if nobody ends it, in seconds.
const LONG: &str = "90";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// A timeout that is not over within the test.
const LONG_TIMEOUT: &str = "80s";
/// The step's own timeout where it is what ends it.
const SHORT_TIMEOUT: &str = "4s";

fn page(ground: &Ground) -> String {
    let (act, probe) = (ground.program("act.sh"), ground.program("probe.sh"));
    let timeout = std::fs::read_to_string(Path::new(&act).with_file_name("timeout")).unwrap();
    let probed = format!("probe = [\"{probe}\", \"one\"]");
    walking::page(&[("one", walking::act(&act, "one", &probed).replace("30s", &timeout)), ("home", walking::verify())])
}

/// One life: the step is begun, and nothing else happens until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a life of the tests beside it, which start it and kill it"]
async fn life() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let ground = Ground::again(Path::new(&folder));
    let mut runtime = ground.runtime(&page(&ground));
    runtime.started().await.unwrap();
    let handle = runtime.handle();
    seen(&handle, |snapshot| snapshot.proposals.values().any(|all| !all.is_empty())).await;
    let start = walking::start(&handle.snapshots().borrow());
    ask(&handle, start).await;
    let snapshot = seen(&handle, |snapshot| state(snapshot) == Some(StepState::Waiting)).await;
    let run = walking::run(&snapshot).unwrap();
    let digest = Arc::clone(&run.steps[0].offer);
    ask(&handle, Request::Approve { run: run.id, step: 0, digest, typed_target: None }).await;
    std::future::pending::<()>().await;
}

async fn ask(handle: &EngineHandle, request: Request) {
    let reply = handle.send(&Person::admin("ana"), request).await.unwrap();
    assert!(matches!(reply, Reply::Done { .. }), "{reply:?}");
}

async fn seen(handle: &EngineHandle, is_it: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let mut snapshots = handle.snapshots();
    let waited = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| is_it(snapshot))).await;
    Arc::clone(&waited.expect("it is seen in time").unwrap())
}

fn state(snapshot: &Snapshot) -> Option<StepState> {
    walking::run(snapshot).map(|run| run.steps[0].state.clone())
}

fn is_unknown(snapshot: &Snapshot) -> bool {
    matches!(state(snapshot), Some(StepState::Unknown { .. }))
}

/// Processes of the act that run now.
fn at_work(folder: &Path) -> usize {
    let program = folder.join("act.sh").display().to_string();
    let entries = Path::new("/proc").read_dir().unwrap().filter_map(Result::ok);
    let command = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
    entries.filter_map(command).filter(|line| String::from_utf8_lossy(line).contains(&program)).count()
}

fn wait_until(what: &str, is_it: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_it() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A life that was killed once its step was under way; the step still is.
fn killed_in_mid_step(folder: &Path, timeout: &str) -> Ground {
    let ground = Ground::lay(folder, LONG);
    std::fs::write(folder.join("timeout"), timeout).unwrap();
    let mut life = Command::new(std::env::current_exe().unwrap())
        .args(["left_over::life", "--exact", "--ignored", "--test-threads", "1"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the step is begun", || at_work(folder) > 0);
    life.kill().unwrap();
    life.wait().unwrap();
    assert!(at_work(folder) > 0, "what was begun outlives the program");
    ground
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kill_switch_and_a_stop_end_what_an_earlier_life_began() {
    for by_kill_switch in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let ground = killed_in_mid_step(folder.path(), LONG_TIMEOUT);
        let mut runtime = ground.runtime(&page(&ground));
        runtime.started().await.unwrap();
        let handle = runtime.handle();
        let snapshot = seen(&handle, is_unknown).await;
        assert!(at_work(folder.path()) > 0, "nobody has said that it is to end");
        let run: &Run = walking::run(&snapshot).unwrap();
        ask(
            &handle,
            if by_kill_switch {
                Request::Kill { reason: "stop it all".into() }
            } else {
                Request::StopRun { run: run.id, escalate: None }
            },
        )
        .await;
        wait_until("what was left over has ended", || at_work(folder.path()) == 0);
        assert_eq!(ground.lines(), Vec::<String>::new());
        let snapshot = seen(&handle, is_unknown).await;
        assert!(is_unknown(&snapshot), "that it was ended does not say what it had done");
        tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeout_holds_for_what_outlived_the_program_and_the_probe_looks_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let ground = killed_in_mid_step(folder.path(), SHORT_TIMEOUT);
    let mut runtime = ground.runtime(&page(&ground));
    runtime.started().await.unwrap();
    let handle = runtime.handle();
    // It did not happen, says its probe, and is offered again: nothing of the first attempt may come after that.
    seen(&handle, |snapshot| state(snapshot) == Some(StepState::Waiting)).await;
    assert_eq!(at_work(folder.path()), 0);
    assert_eq!(ground.lines(), Vec::<String>::new());
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}
