//! One engine for several Unix users, as a service has it: who gets at its socket, who is who behind it, and with which role. It takes the
//! right to become other users.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::engines::until;

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

/// What a service has: a program that all may start, a state directory of its own, and a folder for the socket.
struct Service {
    folder: tempfile::TempDir,
    engine: Option<Child>,
}

impl Service {
    fn lay() -> Self {
        let service = Self { folder: tempfile::tempdir().unwrap(), engine: None };
        std::fs::copy(env!("CARGO_BIN_EXE_hypo"), service.at("hypo")).unwrap();
        for (name, mode) in [("state", 0o700), ("run", 0o755)] {
            std::fs::create_dir(service.at(name)).unwrap();
            chown(service.at(name), Some(SERVICE.uid), None).unwrap();
            set_mode(&service.at(name), mode);
        }
        set_mode(service.folder.path(), 0o755);
        service.configure("run/socket");
        service
    }

    fn configure(&self, socket: &str) {
        let text = format!(
            "[host]\nenabled = false\n[attach]\nsocket = \"{socket}\"\ngroup = \"mail\"\n\
             [people]\nresponder = [\"daemon\"]\nviewer = [\"@games\"]\n"
        );
        std::fs::write(self.at("config.toml"), text).unwrap();
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
    service.configure("open/socket");
    service.serve();
    let (code, text) = service.said(RESPONDER, &["status"]);
    assert!(
        code == Some(2) && text.contains("nobody listens at") && text.contains("neither you nor"),
        "{code:?} {text}"
    );
}
