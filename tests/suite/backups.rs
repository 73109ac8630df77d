//! The built program backed up while it runs, and restored: beside a running engine it is refused, and afterwards the audit log
//! proves itself, says what was done, and nothing begins until somebody has looked.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig};
use hypocenter::engine::settings::EngineSettings;
use hypocenter::engine::store::Store;

use super::binary::hypo;

/// An engine that is ended with the test, however that ends.
struct Engine(Child);

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn serve(home: &Path) -> Engine {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("hypo"));
    command.env("HOME", home).env_remove("XDG_STATE_HOME").env_remove("XDG_CONFIG_HOME");
    command.arg("--state-dir").arg(home.join("state")).arg("serve").stdout(Stdio::piped());
    let mut engine = Engine(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(engine.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("listens at "), "{line}");
    engine
}

#[test]
fn a_running_engine_is_backed_up_and_what_was_backed_up_is_restored() {
    let home = tempfile::tempdir().unwrap();
    let said = |arguments: &[&str]| {
        let output = hypo(home.path(), arguments);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), text)
    };
    let file = home.path().join("a backup");
    let file = file.to_str().unwrap();
    let mut engine = serve(home.path());
    let (code, text) = said(&["status"]);
    assert!(code == Some(0) && text.contains("of 2048 MiB, 0 %"), "{code:?} {text}");
    let (code, text) = said(&["backup", file]);
    assert!(code == Some(0) && text.contains("the audit log up to entry"), "{code:?} {text}");
    let (code, text) = said(&["backup", "/nowhere/at/all"]);
    assert!(code == Some(2) && text.contains("the backup /nowhere/at/all"), "{code:?} {text}");
    let (code, text) = said(&["restore", file]);
    assert!(code == Some(2) && text.contains("hypo stop") && text.contains("Nothing was changed"), "{code:?} {text}");
    assert_eq!(said(&["stop"]).0, Some(0));
    engine.0.wait().unwrap();

    // Without an engine the store is opened for it.
    let folder = home.path().join("backups");
    std::fs::create_dir(&folder).unwrap();
    assert_eq!(said(&["backup", folder.to_str().unwrap()]).0, Some(0));
    assert_eq!(folder.read_dir().unwrap().count(), 1);

    let (code, text) = said(&["restore", file]);
    assert!(code == Some(0) && text.contains("set-aside/1"), "{code:?} {text}");
    let (code, text) = said(&["kill", "--status"]);
    assert!(code == Some(1) && text.contains("restored from a backup of"), "{code:?} {text}");
    let (code, text) = said(&["audit", "verify"]);
    assert!(code == Some(0), "{code:?} {text}");
    let (_, text) = said(&["audit", "list"]);
    assert!(text.contains("restored the store from"), "{text}");
    drop(serve(home.path()));
}

/// The store cannot be opened, nor anything of it be set aside.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_whose_store_cannot_be_opened_watches_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    drop(Store::open(&state).unwrap());
    std::fs::remove_file(state.join("store/db")).unwrap();
    std::fs::create_dir(state.join("store/db")).unwrap();
    std::fs::write(state.join("set-aside"), "no folder").unwrap();
    let settings = EngineSettings::default();
    let mut runtime = Runtime::start(RuntimeConfig {
        runner: Arc::new(Executor::new(&settings.runbooks, tokio::runtime::Handle::current())),
        settings,
        library: Library::shipped(),
        state_dir: Some(state.clone()),
        sources: Vec::new(),
        patch_office: None,
        record_to: None,
    })
    .unwrap();
    runtime.started().await.unwrap();
    let mut snapshots = runtime.handle().snapshots();
    let has_problem = |picture: &Arc<hypocenter::engine::snapshot::Snapshot>| {
        picture.store.problem.as_ref().is_some_and(|problem| problem.contains("restart hypo"))
    };
    let wait = std::time::Duration::from_secs(60);
    let picture = tokio::time::timeout(wait, snapshots.wait_for(has_problem)).await.unwrap().unwrap().clone();
    assert!(picture.store.problem.as_ref().unwrap().contains("watching goes on"), "{:?}", picture.store);
    let refused = runtime.handle().back_up(home.path().join("backup")).await.unwrap_err();
    assert!(refused.contains("nothing of before is known"), "{refused}");
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
    assert_eq!(std::fs::read_to_string(state.join("set-aside")).unwrap(), "no folder", "nothing was touched");
}
