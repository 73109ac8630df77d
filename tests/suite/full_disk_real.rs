//! A disk that is really full, in mid-runbook: nothing is done from then on, everything is watched, and once there is room the run goes on
//! where it was. It takes the right to mount a file system.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};

use super::engines::until;
use super::walking::{self, Ground};

/// Room for a store, and for more than must be free for a reserve to be made.
const SIZE_MIB: usize = 224;

/// A file system of its own for the state directory.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    fn mount(folder: &Path) -> Self {
        std::fs::create_dir(folder).unwrap();
        let options = format!("size={SIZE_MIB}m,mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "hypo-test"]).arg(folder).output();
        let mounted = mounted.unwrap();
        assert!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
        Self { folder: folder.to_path_buf() }
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }

    /// Writes until the system says that there is no room.
    fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        for size in [1 << 20, 1 << 12] {
            let bytes = vec![7_u8; size];
            let refused = std::iter::repeat_with(|| file.write_all(&bytes)).find_map(Result::err).unwrap();
            assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull, "{refused}");
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: an engine that has not ended yet may have files open there.
        let _gone = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

#[test]
#[ignore = "needs the right to mount; ./tests/run"]
fn on_a_full_disk_nothing_is_done_and_everything_is_watched_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::mount(&folder.path().join("state"));
    let ground = Ground::lay(folder.path(), "0");
    let program = ground.program("act.sh");
    let steps = ["one", "two", "three"].map(|name| (name, walking::act(&program, name, "")));
    let [one, two, three] = steps;
    let page = walking::page(&[one, two, three, ("home", walking::verify())]);
    let mut session = ground.console_in_run(&page, 4);
    walking::act_on(&mut session, "step 2 of 4");
    until("the reserve is there", || disk.folder.join("ballast").exists());
    disk.fill();
    // What is asked for now cannot be kept, and is not done.
    session.press_still(b"a", "This changes the world");
    session.press_still(b"y", "could not be written (no room left");
    assert_eq!(ground.lines(), ["one"]);
    // With the reserve let go the store is opened anew, and keeps that nothing was begun.
    session.wait_for("only what must be kept is");
    // All is seen as before, by whoever comes as well.
    let engine = ground.is_seen_by_whoever_comes(&page);
    // An engine that dies then begins on the full disk, and knows what it knew.
    kill(engine, Signal::SIGKILL).unwrap();
    session.wait_for("another engine runs than before");
    session.press_still(b"5", "could not be written (no room left");
    assert_eq!(ground.lines(), ["one"]);
    disk.free();
    session.press_still(b"r", "step 2 of 4");
    walking::act_on(&mut session, "step 3 of 4");
    assert_eq!(ground.lines(), ["one", "two"]);
    walking::act_on(&mut session, "step 4 of 4");
    session.press(b"Q");
    session.ends_clean();
    let run = &ground.stored_runs()[&1];
    assert_eq!(ground.lines(), ["one", "two", "three"]);
    assert!(
        run.steps[..3].iter().all(|step| step.acts_begun().filter(|begun| !begun.is_void).count() == 1),
        "{:?}",
        run.steps
    );
    let (code, text) = ground.said(&["audit", "verify"]);
    assert_eq!(code, Some(0), "{text}");
}
