//! The kill switch pulled and taken off while no hypo runs: the next start follows it, and the audit log has it in its order.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::act::kill_file::KillFile;
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::input::KillWord;
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig};
use hypocenter::engine::settings::EngineSettings;
use hypocenter::engine::store::Store;

use super::binary::hypo;

/// One start and stop; whether it was stopped by the switch, and the texts of the log after it.
async fn life(folder: &Path) -> (bool, Vec<String>) {
    let settings = EngineSettings::default();
    let mut runtime = Runtime::start(RuntimeConfig {
        runner: Arc::new(Executor::new(&settings.runbooks, tokio::runtime::Handle::current())),
        settings,
        library: Library::shipped(),
        state_dir: Some(folder.to_path_buf()),
        sources: Vec::new(),
        patch_office: None,
        record_to: None,
    })
    .unwrap();
    runtime.started().await.unwrap();
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
    let stored = Store::open(folder).unwrap().load().unwrap();
    let texts = stored.audit.iter().map(|entry| entry.text.to_string()).collect();
    (KillFile::of(folder).is_on(), texts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_from_before_the_start_is_followed_and_leaves_the_log_whole() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("state");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    let file = KillFile::of(&folder);
    file.write(&KillWord::On { by: Arc::from("ana"), reason: Arc::from("smoke in rack 4") }).unwrap();
    let (is_on, texts) = life(&folder).await;
    assert!(is_on, "a start does not take it off");
    assert!(texts[0].contains(" began with 0 live incidents"), "{texts:?}");
    assert!(texts[1].starts_with("pulled the kill switch: smoke in rack 4"), "{texts:?}");
    std::fs::remove_file(file.path()).unwrap();
    let (_, texts) = life(&folder).await;
    assert!(texts.iter().all(|text| !text.starts_with("took")), "{texts:?}");
    // A power cut may bring back an older word: the switch stays as it was pulled, and the file says so again.
    let off = |at| KillWord::Off { by: Arc::from("ana"), reason: Arc::from("it was a kettle"), at: Some(at) };
    file.write(&off(Timestamp(1))).unwrap();
    let (is_on, texts) = life(&folder).await;
    assert!(is_on, "{texts:?}");
    assert!(texts.iter().any(|text| text.starts_with("the kill file says off, but was written before")), "{texts:?}");
    file.write(&off(Timestamp(chrono::Utc::now().timestamp_millis()))).unwrap();
    let (is_on, texts) = life(&folder).await;
    assert!(!is_on && texts.iter().any(|text| text == "took the kill switch off: it was a kettle"), "{texts:?}");
    // A fresh machine: the switch can be pulled before anything else, and what begins after it is content with the folder.
    let fresh = tempfile::tempdir().unwrap();
    let pulled = hypo(fresh.path(), &["kill", "--reason", "smoke"]);
    assert!(pulled.status.success(), "{}", String::from_utf8_lossy(&pulled.stderr));
    let (is_on, texts) = life(&fresh.path().join("state")).await;
    assert!(is_on && texts.iter().any(|text| text.contains("smoke")), "{texts:?}");
    let proof = hypo(home.path(), &["audit", "verify"]);
    assert!(proof.status.success(), "{}", String::from_utf8_lossy(&proof.stdout));
}
