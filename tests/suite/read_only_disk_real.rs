//! A disk whose file system gives up in mid-runbook, as one does after an error of its device: nothing is done from then on, everything
//! is watched, also by whoever comes as well, and once it is mounted anew the run goes on where it was. It takes the right to mount.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::{Signal, kill};

use super::engines::until;
use super::walking::{self, Ground};

/// Room for a store and its reserve.
const SIZE_MIB: u64 = 224;

/// A file system of its own, in a file, for the state directory.
struct Disk {
    image: PathBuf,
    folder: PathBuf,
}

impl Disk {
    fn make(image: PathBuf, folder: PathBuf) -> Self {
        std::fs::File::create(&image).unwrap().set_len(SIZE_MIB << 20).unwrap();
        std::fs::create_dir(&folder).unwrap();
        let disk = Self { image, folder };
        run(Command::new("mkfs.ext4").arg("-q").arg(&disk.image));
        disk.mount();
        std::fs::set_permissions(&disk.folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        disk
    }

    fn mount(&self) {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.folder));
    }

    /// Does to it what an error of its device would do.
    fn give_up(&self) {
        run(Command::new("mount").args(["-o", "remount,abort"]).arg(&self.folder));
        let refused = std::fs::write(self.folder.join("anything"), "").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    }

    /// Looks it through and mounts it anew, as whoever is called for that does.
    fn mend(&self) {
        until("nobody has a file open there", || {
            Command::new("umount").arg(&self.folder).output().unwrap().status.success()
        });
        let code = Command::new("e2fsck").args(["-f", "-p"]).arg(&self.image).output().unwrap().status.code();
        assert!(matches!(code, Some(0 | 1)), "{code:?}");
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: an engine that has not ended yet may have files open there.
        let _gone = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs the right to mount; ./tests/run"]
fn on_a_disk_that_gives_up_nothing_is_done_and_everything_is_watched_until_it_is_mounted_anew() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::make(folder.path().join("image"), folder.path().join("state"));
    let ground = Ground::lay(folder.path(), "0");
    let program = ground.program("act.sh");
    let [one, two] = ["one", "two"].map(|name| (name, walking::act(&program, name, "")));
    let page = walking::page(&[one, two, ("home", walking::verify())]);
    let mut session = ground.console_in_run(&page, 3);
    walking::act_on(&mut session, "step 2 of 3");
    // What was done is on disk once something is that was asked for later.
    let backup = folder.path().join("backup").display().to_string();
    let (code, text) = ground.said(&["backup", &backup]);
    assert_eq!(code, Some(0), "{text}");
    disk.give_up();
    // What is asked for now cannot be kept, and is not done.
    session.press_still(b"a", "This changes the world");
    session.press_still(b"y", "could not be written");
    session.wait_for("cannot be written to");
    assert_eq!(ground.lines(), ["one"]);
    // All is seen as before, by whoever comes as well.
    until("it is told", || ground.said(&["status"]).1.contains("Read-only file"));
    let engine = ground.is_seen_by_whoever_comes(&page);
    // None can be started there; the screen says why, for as long as that is so.
    kill(engine, Signal::SIGKILL).unwrap();
    session.wait_for("cannot be made: Read-only file");
    session.press(b"Q");
    session.ends_clean();
    // Whoever comes then watches without one.
    let mut alone = ground.console(&page);
    alone.wait_for("1 Now");
    alone.wait_for("cannot be written to");
    alone.press(b"Q");
    alone.ends_clean();
    assert_eq!(ground.lines(), ["one"]);

    disk.mend();
    let mut session = ground.console(&page);
    session.wait_for("INC-42");
    session.press_still(b"5", "step 2 of 3");
    walking::act_on(&mut session, "step 3 of 3");
    session.press(b"Q");
    session.ends_clean();
    assert_eq!(ground.lines(), ["one", "two"]);
    let (code, text) = ground.said(&["audit", "verify"]);
    assert_eq!(code, Some(0), "{text}");
}
