//! A system that has no thread or file descriptor left: that says nothing of a store, and none of it may go for that.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use hypocenter::engine::job::Record;
use hypocenter::engine::store::Store;

use super::engines::bare;
use super::programs;

/// A user to whom limits apply, where these tests are run by one to whom they do not, and as whom nothing else runs.
const NOBODY: u32 = 64_907;

fn give_to(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        path.read_dir().unwrap().for_each(|entry| give_to(&entry.unwrap().path(), user));
    }
}

#[test]
fn too_few_threads_or_descriptors_are_no_damage() {
    let is_root = nix::unistd::geteuid().is_root();
    let home = tempfile::tempdir().unwrap();
    let (hypo, state) = (home.path().join("hypo"), home.path().join("state"));
    // Where the tree lies, that user may not look.
    programs::own_copy(&hypo);
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&state, Permissions::from_mode(0o700)).unwrap();
    let kept = Record::Setting { name: "kept".to_owned(), value: "1".to_owned() };
    Store::open(&state).unwrap().write(&[kept], true).unwrap();
    // So that there is a snapshot, which would be taken away as well.
    drop(Store::open(&state).unwrap());
    if is_root {
        give_to(home.path(), NOBODY);
    }
    // What mends where there is something to be mended, and what only looks. Of threads all of a user's count together, so that a
    // number can be told for one who has none.
    let threads = (2..=8).map(|count| ("nproc", count, "export")).chain((6..=12).map(|it| ("nproc", it, "serve")));
    let files = (4..=14).map(|count| ("nofile", count, "export")).chain([13, 14, 15].map(|it| ("nofile", it, "serve")));
    let (mut short, mut told) = ([0, 0], Vec::new());
    for (what, count, word) in threads.filter(|_| is_root).chain(files) {
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", "4"]);
        if is_root {
            command.args(["setpriv", "--reuid=64907", "--regid=64907", "--clear-groups"]);
        }
        command.arg("prlimit").arg(format!("--{what}={count}:{count}")).arg(&hypo).arg("--state-dir").arg(&state);
        let output = bare(command.arg(word), home.path()).current_dir("/").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        told.push(format!("{what} {count} {word}: {:.200}", text.lines().last().unwrap_or_default()));
        short[usize::from(what == "nofile")] += usize::from(text.contains("cannot be used for now"));
        assert!(!text.contains("damaged") && !state.join("set-aside").exists(), "{}", told.join("\n"));
    }
    let is_tried = short[1] > 0 && (short[0] > 0 || !is_root);
    assert!(is_tried, "no limit was met where the store is opened:\n{}", told.join("\n"));
    if is_root {
        give_to(&state, 0);
    }
    let store = Store::open(&state).unwrap();
    assert!(store.notices().is_empty() && store.loss().is_none(), "{:?}", store.notices());
    assert!(store.load().unwrap().settings.contains_key("kept"));
}
