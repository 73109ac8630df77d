//! The engine that a console starts in the background: it outlives the console, there is one of them, it comes back when it is
//! killed and stays away when it is ended, and one that cannot start says why.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hypocenter::engine::store::{Hold, Store};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};

use super::engines::{EndsEngine, pid_in, said, until};
use super::terminal::Session;

/// An engine that nobody ended would be started again within this time.
const A_WHILE: Duration = Duration::from_secs(3);

/// A home with a configuration that watches nothing.
struct Home {
    path: PathBuf,
    _engine: EndsEngine,
}

impl Home {
    fn new(path: &Path, more: &str) -> Self {
        std::fs::write(path.join("config.toml"), format!("[host]\nenabled = false\n{more}")).unwrap();
        Self { path: path.to_path_buf(), _engine: EndsEngine::of(path, &path.join("state")) }
    }

    fn state_dir(&self) -> PathBuf {
        self.path.join("state")
    }

    fn console(&self) -> Session {
        let [config, state] = [self.path.join("config.toml"), self.state_dir()].map(|path| path.display().to_string());
        Session::hypo(&self.path, &["--config", &config, "--state-dir", &state])
    }

    fn said(&self, arguments: &[&str]) -> (Option<i32>, String) {
        said(&self.path, &self.state_dir(), arguments)
    }

    /// The process of the engine, where there is one.
    fn pid(&self) -> Option<Pid> {
        pid_in(&self.said(&["status"]).1).map(Pid::from_raw)
    }
}

#[test]
fn the_engine_outlives_the_console_that_started_it_in_a_session_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path(), "");
    assert_eq!(home.said(&["status"]).0, Some(1));
    let mut session = home.console();
    session.wait_for("Now");
    let (_, status) = home.said(&["status"]);
    assert!(status.contains("1 attached to an engine in the background"), "{status}");
    let pid = home.pid().unwrap();
    assert_eq!(getsid(Some(pid)).unwrap(), pid);
    let link = |name: &str| std::fs::read_link(format!("/proc/{pid}/{name}")).unwrap();
    assert_eq!(link("cwd"), Path::new("/"));
    assert_eq!((link("fd/0"), link("fd/1")), ("/dev/null".into(), "/dev/null".into()));
    until("what it says goes to its log", || link("fd/2") == home.state_dir().join("hypo.log"));
    session.press(b"Q");
    let last = String::from_utf8(session.ends_clean()).unwrap();
    assert!(last.contains("the engine goes on in the background"), "{last}");
    assert_eq!(home.pid(), Some(pid));
    // Whoever comes later finds it, and is told nothing new.
    let mut session = home.console();
    session.wait_for("Now");
    session.press(b"Q");
    let last = String::from_utf8(session.ends_clean()).unwrap();
    assert!(!last.contains("goes on in the background"), "{last}");
    assert_eq!(home.pid(), Some(pid));
    assert_eq!(home.said(&["stop"]).0, Some(0));
    assert!(Store::open(&home.state_dir()).is_ok(), "whoever stopped it finds the store free");
}

#[test]
fn consoles_that_start_at_the_same_moment_have_one_engine() {
    const CONSOLES: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path(), "");
    let mut sessions: Vec<Session> = (0..CONSOLES).map(|_| home.console()).collect();
    for session in &mut sessions {
        session.wait_for("Now");
    }
    let (_, status) = home.said(&["status"]);
    assert!(status.contains(&format!("{CONSOLES} attached")), "{status}");
    for mut session in sessions {
        session.press(b"Q");
        session.ends_clean();
    }
}

#[test]
fn a_store_that_somebody_holds_for_a_moment_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path(), "");
    // As a listing does where no engine runs.
    let hold = Hold::take(&home.state_dir()).unwrap();
    let mut session = home.console();
    session.settle(Duration::from_secs(2));
    assert_eq!(home.pid(), None);
    drop(hold);
    session.wait_for("Now");
    session.press(b"Q");
    session.ends_clean();
}

#[test]
fn an_engine_that_is_killed_is_started_again_and_one_that_is_stopped_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path(), "");
    let mut session = home.console();
    // It has shown something, so there is something to look at when its engine is gone.
    session.wait_for("Now");
    session.goes("it is being opened");
    let first = home.pid().unwrap();
    kill(first, Signal::SIGKILL).unwrap();
    session.wait_for("another engine runs than before");
    let second = home.pid().unwrap();
    assert_ne!(first, second);
    let (code, text) = home.said(&["stop"]);
    assert!(code == Some(0) && text.contains("the engine ends"), "{text}");
    session.wait_for("ended it by `hypo stop`");
    let begun = Instant::now();
    while begun.elapsed() < A_WHILE {
        session.settle(Duration::from_millis(100));
    }
    assert_eq!(home.pid(), None, "it was ended on purpose");
    // Somebody else may start one, and is joined.
    let mut other = home.console();
    other.wait_for("Now");
    until("both are there", || home.said(&["status"]).1.contains("2 attached"));
    for session in [&mut session, &mut other] {
        session.press(b"Q");
    }
    session.ends_clean();
    other.ends_clean();
}

#[test]
fn one_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path(), "");
    let says = |words: &str| {
        let raw = home.console().ends_clean();
        let text = String::from_utf8_lossy(&raw);
        assert!(text.contains(words), "no `{words}` in {text}");
    };
    let hold = Hold::take(&home.state_dir()).unwrap();
    says(&format!("hypo pid {}", std::process::id()));
    drop(hold);
    std::fs::write(home.state_dir().join("socket"), "no socket").unwrap();
    says("is no socket, and is not replaced");
    std::fs::remove_file(home.state_dir().join("socket")).unwrap();
    let mode = |mode| std::fs::set_permissions(home.state_dir(), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o755);
    says("chmod");
    mode(0o700);
    // Found out when its console is there already.
    let store = sled::open(home.state_dir().join("store")).unwrap();
    store.open_tree("meta").unwrap().insert("schema", &99_u32.to_be_bytes()).unwrap();
    drop(store);
    says("schema 99");
    assert_eq!(home.pid(), None);
}

#[test]
fn an_engine_whose_folder_is_taken_away_ends_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path(), "");
    let mut session = home.console();
    session.wait_for("Now");
    let pid = home.pid().unwrap();
    until("its store is open", || !home.said(&["status"]).1.contains("being opened"));
    std::fs::rename(home.state_dir(), folder.path().join("aside")).unwrap();
    session.wait_for("its state directory");
    until("it ends", || !Path::new(&format!("/proc/{pid}/cwd")).exists());
    session.press(b"Q");
    session.ends_clean();
}
