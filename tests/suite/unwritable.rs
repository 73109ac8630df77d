//! Folders that hypo may not write to: one that cannot be written to is watched from, and somebody else's is left alone.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use portable_pty::CommandBuilder;

use super::engines::{PATIENCE, bare, until};
use super::programs;
use super::terminal::Session;

/// A user who may not do everything, where these tests are run by one who may.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A home with the program and a state directory of mode `mode`, for whoever the program is started as.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn lay(mode: u32) -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        // Where the tree lies, that user may not look.
        programs::own_copy(&home.at("hypo"));
        std::fs::create_dir(home.at("state")).unwrap();
        for path in [home.folder.path(), &home.at("state")] {
            if is_root() {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        set_mode(home.folder.path(), 0o755);
        set_mode(&home.at("state"), mode);
        home
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program and its flags, as that user.
    fn words(&self, arguments: &[&str]) -> Vec<String> {
        let as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"].map(str::to_owned);
        let mut words = if is_root() { as_nobody.to_vec() } else { Vec::new() };
        let [hypo, state] = ["hypo", "state"].map(|name| self.at(name).display().to_string());
        words.extend([hypo, "--state-dir".to_owned(), state]);
        if self.at("config.toml").exists() {
            words.extend(["--config".to_owned(), self.at("config.toml").display().to_string()]);
        }
        words.extend(arguments.iter().map(|word| (*word).to_owned()));
        words
    }

    fn console(&self) -> Session {
        let words = self.words(&[]);
        let mut command = CommandBuilder::new(&words[0]);
        command.args(&words[1..]);
        command.env_clear();
        for (name, value) in [("PATH", "/usr/bin:/bin"), ("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
            command.env(name, value);
        }
        command.env("HOME", self.folder.path());
        command.cwd("/");
        Session::start(command)
    }

    fn said(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let words = self.words(arguments);
        let mut command = Command::new(&words[0]);
        let output = bare(command.args(&words[1..]), self.folder.path()).current_dir("/").output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.code(), text.concat())
    }

    fn files(&self) -> usize {
        self.at("state").read_dir().unwrap().count()
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_to_is_watched_from() {
    let home = Home::lay(0o500);
    let mut session = home.console();
    session.wait_for("1 Now");
    session.wait_for("cannot be written to");
    session.press(b"Q");
    session.ends_clean();
    let (code, text) = home.said(&["serve"]);
    assert!(code == Some(2) && text.contains("socket"), "without a place to be reached: {code:?} {text}");
    let (code, text) = home.said(&["kill"]);
    assert!(code == Some(2) && text.contains("nothing was stopped"), "{code:?} {text}");
    assert_eq!(home.files(), 0, "something was written");

    // With a place for the socket elsewhere there is an engine for everybody.
    std::fs::create_dir(home.at("run")).unwrap();
    if is_root() {
        chown(home.at("run"), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let socket = home.at("run/socket");
    std::fs::write(home.at("config.toml"), format!("[host]\nenabled = false\n[attach]\nsocket = {socket:?}\n"))
        .unwrap();
    let mut session = home.console();
    session.wait_for("1 Now");
    session.wait_for("cannot be written to");
    session.press(b"Q");
    session.ends_clean();
    let (code, text) = home.said(&["kill", "--reason", "smoke"]);
    assert!(
        code == Some(0) && text.contains("the engine says: all is stopped, and that is not kept"),
        "{code:?} {text}"
    );
    let (code, text) = home.said(&["stop"]);
    assert!(code == Some(0) && text.contains("the engine ends"), "{code:?} {text}");
    let until = std::time::Instant::now() + PATIENCE;
    while socket.exists() {
        assert!(std::time::Instant::now() < until, "the socket stays");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(home.files(), 0, "something was written");
}

#[test]
fn the_folder_of_somebody_else_is_left_alone() {
    if !is_root() {
        // Nobody else can make a folder of somebody else's.
        return;
    }
    let home = Home::lay(0o700);
    let mut command = Command::new(home.at("hypo"));
    command.arg("--state-dir").arg(home.at("state")).arg("serve").env("HOME", home.folder.path());
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains("belongs to the user 65534"), "{told}");
    assert_eq!(home.files(), 0, "something was written");
}

#[test]
fn a_service_that_is_stopped_is_to_be_started_and_not_replaced() {
    let home = Home::lay(0o700);
    // A service's folder under /run goes with it.
    std::fs::write(home.at("config.toml"), "[attach]\nsocket = \"/run/no-hypo-is-here/socket\"\n").unwrap();
    let mut session = home.console();
    session.wait_for("where the engine of a service is reached: start that one");
    session.ends();
    assert_eq!(home.files(), 0, "an engine was begun");
}

#[test]
fn a_service_that_is_stopped_is_not_told_of_by_the_store_of_whoever_asks() {
    let home = Home::lay(0o700);
    std::fs::write(home.at("config.toml"), "[attach]\nsocket = \"/run/no-hypo-is-here/socket\"\n").unwrap();
    // With the state directory that is there anyway, for it is not named.
    let said = |arguments: &[&str]| {
        let words: Vec<String> = home.words(arguments).into_iter().filter(|word| word != "--state-dir").collect();
        let mut command = Command::new(&words[0]);
        command.args(words[1..].iter().filter(|word| **word != home.at("state").display().to_string()));
        let output = bare(&mut command, home.folder.path()).current_dir("/").output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for listing in [&["incidents"][..], &["anomalies"], &["handover"], &["status", "INC-1"], &["postmortem", "INC-1"]] {
        let (code, text) = said(listing);
        assert!(
            code == Some(2) && text.contains("nobody listens at /run/no-hypo-is-here/socket"),
            "{listing:?} {text}"
        );
    }
    for reading in [&["export"][..], &["audit", "list"], &["audit", "verify"], &["backup", "/tmp"]] {
        let (code, text) = said(reading);
        assert!(code == Some(2) && text.contains("whose store is not yours to read"), "{reading:?} {text}");
    }
    // Where it is named it is what is asked for.
    let (_, text) = home.said(&["incidents"]);
    assert!(text.contains("nothing has been kept"), "{text}");
}

#[test]
fn somebody_who_listens_where_everybody_may_is_not_taken_for_the_engine() {
    if !is_root() {
        // Nobody else can be somebody else.
        return;
    }
    let home = Home::lay(0o700);
    std::fs::create_dir(home.at("open")).unwrap();
    set_mode(&home.at("open"), 0o1777);
    let socket = home.at("open/socket");
    std::fs::write(home.at("config.toml"), format!("[host]\nenabled = false\n[attach]\nsocket = {socket:?}\n"))
        .unwrap();
    let words = home.words(&["serve"]);
    let mut command = Command::new(&words[0]);
    bare(command.args(&words[1..]), home.folder.path());
    let mut engine = command.current_dir("/").stdout(std::process::Stdio::null()).spawn().unwrap();
    until("it listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    let said = |state: &str| {
        let mut command = Command::new(home.at("hypo"));
        command.args(["--config", home.at("config.toml").to_str().unwrap(), "--state-dir"]).arg(home.at(state));
        let output = command.arg("status").env("HOME", home.folder.path()).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let told = said("ours");
    // Its own user is let in.
    let (code, text) = home.said(&["stop", "--now"]);
    let ended = engine.kill().and_then(|()| engine.wait());
    assert!(told.contains("who is neither you nor the owner of its folder"), "{told}");
    assert!(code == Some(0) && ended.is_ok(), "{code:?} {text}");
}
