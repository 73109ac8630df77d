//! The built program as an engine without a screen: joined, asked, killed, come back, and ended.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hypocenter::app::attach::pump::{self, Link};
use hypocenter::engine::attach::WIRE;
use hypocenter::engine::attach::place::Place;
use hypocenter::engine::model::Person;
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::settings::AttachSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::binary::hypo;

/// Far more than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine that is ended with the test, however that ends.
struct Engine(Child);

impl Engine {
    /// Starts one, and returns once it can be joined.
    fn start(home: &Path) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("hypo"));
        command.env("HOME", home).env_remove("XDG_STATE_HOME").env_remove("XDG_CONFIG_HOME");
        command.arg("--state-dir").arg(home.join("state")).arg("serve").stdout(Stdio::piped());
        let mut engine = Self(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(engine.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains(&format!("pid {} listens at ", engine.0.id())), "{line}");
        engine
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_a_screen_is_joined_killed_joined_again_and_ended() {
    let home = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| {
        let output = hypo(home.path(), arguments);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), text)
    };
    let (code, text) = said(&["status"]);
    assert!(code == Some(1) && text.contains("no engine listens at"), "{code:?} {text}");
    let mut engine = Engine::start(home.path());
    let (code, text) = said(&["status"]);
    assert!(code == Some(0) && text.contains(&format!("pid {}", engine.0.id())), "{code:?} {text}");
    // Another one is told who holds the store.
    let (code, text) = said(&["serve"]);
    assert!(code == Some(2) && text.contains(&format!("hypo pid {}", engine.0.id())), "{code:?} {text}");

    let place = Place::of(&home.path().join("state"), &AttachSettings::default());
    let mut joined = pump::join(place.clone(), None).await.unwrap();
    let kill = Request::Kill { reason: "smoke".into() };
    let reply = joined.handle.send(&Person::admin("nobody"), kill).await.unwrap();
    assert!(matches!(reply, Reply::Done { .. }), "{reply:?}");
    let mut snapshots = joined.handle.snapshots();
    let pulled = |picture: &std::sync::Arc<hypocenter::engine::snapshot::Snapshot>| picture.kill.is_some();
    timeout(PATIENCE, snapshots.wait_for(pulled)).await.unwrap().unwrap();

    engine.0.kill().unwrap();
    engine.0.wait().unwrap();
    timeout(PATIENCE, joined.link.wait_for(|link| matches!(link, Link::Lost(_)))).await.unwrap().unwrap();
    engine = Engine::start(home.path());
    timeout(PATIENCE, joined.link.wait_for(|link| matches!(link, Link::Started))).await.unwrap().unwrap();
    assert!(timeout(PATIENCE, snapshots.wait_for(pulled)).await.is_ok(), "what was acknowledged outlives a kill");

    let off = ["kill", "--off", "--reason", "it was a kettle"];
    let (code, text) = said(&off);
    assert!(code == Some(0) && text.contains("the engine says: took the kill switch off: it was"), "{code:?} {text}");
    timeout(PATIENCE, snapshots.wait_for(|picture| !pulled(picture))).await.unwrap().unwrap();
    let (code, text) = said(&off);
    assert!(code == Some(2) && text.contains("the kill switch is off already"), "{code:?} {text}");

    let (code, text) = said(&["stop"]);
    assert!(code == Some(0) && text.contains("the engine ends"), "{code:?} {text}");
    let ended =
        tokio::task::spawn_blocking(move || engine.0.wait().map(|status| status.code())).await.unwrap().unwrap();
    assert_eq!(ended, Some(0));
    assert!(!place.socket().exists());
    assert_eq!(said(&["stop"]).0, Some(1));
    let (code, text) = said(&off);
    assert!(
        code == Some(0) && text.contains("the kill switch is off;"),
        "without an engine by its file: {code:?} {text}"
    );
}

#[test]
fn a_service_manager_is_told_that_it_is_ready_lives_and_ends() {
    let home = tempfile::tempdir().unwrap();
    let unit = hypo(home.path(), &["serve", "--print-unit"]);
    let unit = String::from_utf8(unit.stdout).unwrap();
    for line in ["Type=notify", "ProtectSystem=strict", "NoNewPrivileges=yes", "KillMode=process", "Restart=on-failure"]
    {
        assert!(unit.lines().any(|there| there == line), "{line} is not in\n{unit}");
    }
    let socket = home.path().join("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("hypo"));
    command.env("HOME", home.path()).env_remove("XDG_STATE_HOME").env_remove("XDG_CONFIG_HOME");
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "200000").env_remove("WATCHDOG_PID");
    command.arg("--state-dir").arg(home.path().join("state")).arg("serve").stdout(Stdio::null());
    let mut engine = Engine(command.spawn().unwrap());
    let told = || {
        let mut buffer = [0; 1_024];
        let count = manager.recv(&mut buffer).expect("the service manager is told nothing");
        String::from_utf8_lossy(&buffer[..count]).trim().to_owned()
    };
    assert_eq!(told(), "READY=1");
    let (code, text) = {
        let output = hypo(home.path(), &["status"]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert!(code == Some(0) && !text.contains("being opened"), "{text}");
    assert_eq!([told(), told(), told()], ["WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(engine.0.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    while told() != "STOPPING=1" {}
    assert_eq!(engine.0.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_end_an_engine_is_told_so_and_waits_for_nothing() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    std::fs::DirBuilder::new().mode(0o700).create(&state).unwrap();
    // One that says what an engine of somebody else's does, and goes on listening.
    let listener = Place::of(&state, &AttachSettings::default()).listen().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut console, _) = listener.accept().await.unwrap();
            let mut said = [0; 512];
            if console.read(&mut said).await.is_ok_and(|count| count > 0) {
                let greeting = format!("hypo attach 1 version 0.1.0 wire {WIRE} pid 5 since 1000 says text\n");
                console.write_all(greeting.as_bytes()).await.unwrap();
                console.write_all(b"stopping the engine needs the role admin; yours is viewer\n").await.unwrap();
            }
        }
    });
    let path = home.path().to_path_buf();
    let stopping = tokio::task::spawn_blocking(move || hypo(&path, &["stop"]));
    let output = timeout(PATIENCE, stopping).await.expect("it waits for an engine that stays").unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("stopping the engine needs the role admin; yours is viewer"), "{told}");
}
