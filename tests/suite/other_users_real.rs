//! One engine for several Unix users, as a service has it: who gets at its socket, who is who behind it, with which role, and how two of
//! them work at one run. It takes the right to become other users.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use portable_pty::CommandBuilder;

use super::engines::until;
use super::programs;
use super::terminal::Session;
use super::walking::{self, Ground};

/// A user of this system, and the groups besides.
#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
    groups: &'static str,
}

/// Whom the engine runs as; the socket is for the group `mail`.
const SERVICE: User = User { uid: 65_534, gid: 65_534, groups: "mail" };
/// `daemon`, a responder.
const RESPONDER: User = User { uid: 1, gid: 1, groups: "mail" };
/// `games`, a viewer by the group `games`.
const VIEWER: User = User { uid: 5, gid: 60, groups: "mail,games" };
/// `man`, of the group, and with no role.
const NOBODY_NAMED: User = User { uid: 6, gid: 12, groups: "mail" };
/// `bin`, not of the group.
const OUTSIDER: User = User { uid: 2, gid: 2, groups: "bin" };

/// `daemon` acts, `games` looks on.
const VIEWED: &str = "responder = [\"daemon\"]\nviewer = [\"@games\"]";

/// What a service has: a program that all may start, a state directory of its own with an incident in it, and a folder for the socket.
struct Service {
    folder: tempfile::TempDir,
    engine: Option<Child>,
}

impl Service {
    fn lay() -> Self {
        let service = Self { folder: tempfile::tempdir().unwrap(), engine: None };
        programs::own_copy(&service.at("hypo"));
        let ground = Ground::lay(service.folder.path(), "0");
        let program = ground.program("act.sh");
        let page = walking::page(&[("one", walking::act(&program, "one", "")), ("home", walking::verify())]);
        for name in ["run", "pages"] {
            std::fs::create_dir(service.at(name)).unwrap();
        }
        std::fs::write(service.at("pages/mend.md"), page).unwrap();
        for name in ["state", "run", "lines"] {
            give(&service.at(name), SERVICE);
        }
        set_mode(service.folder.path(), 0o755);
        service.configure("run/socket", VIEWED);
        service
    }

    fn configure(&self, socket: &str, people: &str) {
        let text = format!(
            "[host]\nenabled = false\n[attach]\nsocket = \"{socket}\"\ngroup = \"mail\"\n[people]\n{people}\n\
             [runbooks]\nfolders = [{:?}]\nallowed_programs = [{:?}]\n",
            self.at("pages").display().to_string(),
            self.at("act.sh").display().to_string()
        );
        std::fs::write(self.at("config.toml"), text).unwrap();
    }

    /// The console of this user in a terminal.
    fn console(&self, user: User) -> Session {
        let plain = self.command(user, &[]);
        let mut command = CommandBuilder::new(plain.get_program());
        command.args(plain.get_args());
        command.env_clear();
        command.cwd("/");
        let home = self.at(&format!("home-{}", user.uid));
        std::fs::create_dir(&home).unwrap();
        give(&home, user);
        command.env("HOME", home);
        for (name, value) in [("PATH", "/usr/bin:/bin"), ("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
            command.env(name, value);
        }
        let mut session = Session::start(command);
        session.watch("INC-42");
        session
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with these words, as this user.
    fn command(&self, user: User, words: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        let (uid, gid) = (user.uid.to_string(), user.gid.to_string());
        command.args(["--reuid", &uid, "--regid", &gid, "--groups", user.groups, "--"]);
        command.arg(self.at("hypo")).arg("--config").arg(self.at("config.toml"));
        command.arg("--state-dir").arg(self.at("state")).args(words);
        command.env_clear().env("HOME", "/nonexistent").env("PATH", "/usr/bin:/bin").current_dir("/");
        command
    }

    fn said(&self, user: User, words: &[&str]) -> (Option<i32>, String) {
        let output = self.command(user, words).output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.code(), text.concat())
    }

    fn serve(&mut self) {
        let mut command = self.command(SERVICE, &["serve"]);
        self.engine = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("the service listens", || self.said(SERVICE, &["status"]).0 == Some(0));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(engine) = &mut self.engine {
            let _ended = engine.kill();
            let _reaped = engine.wait();
        }
    }
}

/// Makes it, and all that is in it, this user's.
fn give(path: &Path, user: User) {
    chown(path, Some(user.uid), Some(user.gid)).unwrap();
    if path.is_dir() {
        path.read_dir().unwrap().for_each(|entry| give(&entry.unwrap().path(), user));
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
#[ignore = "needs the right to become other users; ./tests/run"]
fn each_user_is_who_the_system_says_and_may_what_the_role_may() {
    let mut service = Service::lay();
    service.serve();
    let mode = service.at("run/socket").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    // Whoever is not of the group does not get at it; whoever is, and has no role, is told so.
    let (code, text) = service.said(OUTSIDER, &["status"]);
    assert!(code == Some(2) && text.contains("ermission denied"), "{code:?} {text}");
    let (code, text) = service.said(NOBODY_NAMED, &["status"]);
    assert!(code == Some(2) && text.contains("man") && text.contains("[people]"), "{code:?} {text}");
    // The others are known by name, and may what they may.
    for (user, name, role) in [(RESPONDER, "daemon", "responder"), (VIEWER, "games", "viewer")] {
        assert_eq!(service.said(user, &["status"]).0, Some(0), "{name}");
        let (code, text) = service.said(user, &["stop"]);
        assert!(code == Some(2) && text.contains(&format!("yours is {role}")), "{name}: {code:?} {text}");
        let (code, text) = service.said(user, &["kill", "--off", "--reason", "no"]);
        assert!(code == Some(2), "{name}: {code:?} {text}");
    }
    // Everybody stops everything, though the file beside the store is not theirs to write.
    let (code, text) = service.said(VIEWER, &["kill", "--reason", "smoke"]);
    assert!(code == Some(0) && text.contains("the engine says"), "{code:?} {text}");
    let (_, text) = service.said(SERVICE, &["kill", "--status"]);
    assert!(text.contains("games") && text.contains("smoke"), "{text}");
    let (code, text) = service.said(RESPONDER, &["kill", "--off", "--reason", "it was a kettle"]);
    assert!(code == Some(2) && text.contains("needs the role commander; yours is responder"), "{code:?} {text}");
    let (code, text) = service.said(SERVICE, &["kill", "--off", "--reason", "it was a kettle"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = service.said(SERVICE, &["stop"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(service.engine.as_mut().unwrap().wait().unwrap().success());
    let (_, log) = service.said(SERVICE, &["audit", "list"]);
    let stopped = log.lines().find(|line| line.contains("smoke")).unwrap_or_else(|| panic!("{log}"));
    assert!(stopped.contains("games"), "{stopped}");
}

#[test]
#[ignore = "needs the right to become other users; ./tests/run"]
fn whoever_listens_in_a_folder_for_everybody_is_not_taken_for_the_engine() {
    let mut service = Service::lay();
    std::fs::create_dir(service.at("open")).unwrap();
    set_mode(&service.at("open"), 0o1777);
    service.configure("open/socket", VIEWED);
    service.serve();
    let (code, text) = service.said(RESPONDER, &["status"]);
    assert!(
        code == Some(2) && text.contains("nobody listens at") && text.contains("neither you nor"),
        "{code:?} {text}"
    );
}

#[test]
#[ignore = "needs the right to become other users; ./tests/run"]
fn two_people_at_one_run_pass_the_wheel_and_the_shift_on_by_their_keys() {
    let mut service = Service::lay();
    service.configure("run/socket", "responder = [\"daemon\", \"games\"]");
    service.serve();
    let mut daemon = service.console(RESPONDER);
    daemon.press_still(b"5", "Runbooks that fit");
    daemon.press_still(b"a", "step 1 of 2");
    // The other one sees the same step, who drives it, and may not act on it.
    let mut games = service.console(VIEWER);
    games.press_still(b"5", "step 1 of 2");
    games.wait_for("daemon drives");
    games.press_still(b"a", "This changes the world");
    games.press_still(b"y", "daemon drives RUN-1 since");
    daemon.wait_for("you drive");
    // Asked for and kept; asked for and given.
    games.press_still(b"w", "daemon drives, you ask");
    daemon.wait_for("games asks for the wheel of RUN-1");
    daemon.press_still(b"Y", "keeps the wheel of RUN-1");
    games.goes("you ask");
    games.press_still(b"w", "daemon drives, you ask");
    daemon.press_still(b"w", "Give the wheel of RUN-1 to games");
    daemon.press_still(b"y", "games drives");
    games.wait_for("you drive");
    // Nobody takes it from who is here and answers.
    daemon.press_still(b"T", "Take the wheel of RUN-1 from games");
    daemon.press_still(b"y", "ask for the wheel");
    walking::act_on(&mut games, "step 2 of 2");
    daemon.wait_for("step 2 of 2");
    // Who is here, and what they look at.
    daemon.press_still(b"@", "Who is here");
    daemon.wait_for("games");
    daemon.press(b"\x1b");
    // The shift ends: a slip of the hand loses nothing that was typed.
    games.press_still(b"O", "Your shift ends");
    games.press(b"daemo: netops calls back at nine");
    games.press_still(b"\r", "nobody called daemo");
    games.press_still(b"O", "Your shift ends");
    games.press(b"\x1b[A");
    games.wait_for("daemo: netops calls back at nine");
    games.press(b"\x1b[H");
    for _letter in 0..5 {
        games.press(b"\x1b[C");
    }
    games.press(b"n");
    games.wait_for("daemon: netops calls back at nine");
    games.press_still(b"\r", "handed over to daemon");
    daemon.wait_for("you drive");
    daemon.press_still(b"3", "handover of RUN-1 to daemon: netops");
    // Once more, by the command.
    daemon.press_still(b"o", "INC-42 is now owned by daemon");
    let (code, text) = service.said(RESPONDER, &["handover", "--to", "games", "--note", "good night"]);
    assert!(code == Some(0) && text.contains("handed over to games: INC-42, the wheel of RUN-1"), "{code:?} {text}");
    games.wait_for("you drive");
    for mut console in [daemon, games] {
        console.press(b"Q");
        console.ends_clean();
    }
    assert_eq!(std::fs::read_to_string(service.at("lines")).unwrap(), "one\n");
}
