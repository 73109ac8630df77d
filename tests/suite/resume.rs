//! Followed files outlive the program: what was written while it was down is read at the next start, and nothing twice.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::input::Input;
use hypocenter::engine::model::{Signal, SourceReport, SourceState};
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::recorder::RecordingLine;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig, source_list};
use hypocenter::engine::settings::{ChangeFileSettings, EngineSettings, HostSettings, LogSettings};
use hypocenter::engine::snapshot::Snapshot;
use tokio::runtime::Handle;

/// Far more than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program on both files, with what comes in recorded.
fn runtime(folder: &Path, recording: &str) -> Runtime {
    let settings = EngineSettings {
        host: HostSettings { enabled: false, ..HostSettings::default() },
        log: vec![LogSettings { path: folder.join("app.log"), service: "cart".to_owned(), name: None }],
        change_file: vec![ChangeFileSettings { path: folder.join("changes.jsonl"), name: None }],
        ..EngineSettings::default()
    };
    Runtime::start(RuntimeConfig {
        sources: source_list::from_settings(&settings),
        runner: Arc::new(Executor::new(&settings.runbooks, Handle::current())),
        settings,
        library: Library::shipped(),
        state_dir: Some(folder.join("state")),
        patch_office: None,
        record_to: Some(folder.join(recording)),
    })
    .unwrap()
}

fn append(folder: &Path, lines: &[&str]) {
    let open = |name: &str| std::fs::File::options().create(true).append(true).open(folder.join(name)).unwrap();
    let (mut log, mut changes) = (open("app.log"), open("changes.jsonl"));
    for line in lines {
        writeln!(log, "refused {line}").unwrap();
        writeln!(changes, r#"{{"service":"cart","title":"{line}","id":"{line}"}}"#).unwrap();
    }
}

fn report<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a SourceReport> {
    snapshot.sources.iter().map(AsRef::as_ref).find(|report| report.source.as_str() == name)
}

/// Runs the program until both files have been read and `wanted` lines of each were taken; the titles of all changes.
async fn live(folder: &Path, wanted: u64, meanwhile: &[&str]) -> Vec<String> {
    let mut runtime = runtime(folder, "recording");
    runtime.started().await.unwrap();
    let mut snapshots = runtime.handle().snapshots();
    let both = |snapshot: &Snapshot, is_so: &dyn Fn(&SourceReport) -> bool| {
        ["app.log", "changes.jsonl"].iter().all(|name| report(snapshot, name).is_some_and(is_so))
    };
    let is_open = |snapshot: &Arc<Snapshot>| {
        both(snapshot, &|report| report.state == SourceState::Healthy && report.position.is_some())
    };
    tokio::time::timeout(PATIENCE, snapshots.wait_for(is_open)).await.expect("the files are not read").unwrap();
    append(folder, meanwhile);
    let is_enough = |snapshot: &Arc<Snapshot>| both(snapshot, &|report| report.accepted_count >= wanted);
    let last = tokio::time::timeout(PATIENCE, snapshots.wait_for(is_enough)).await.expect("lines are missing").unwrap();
    assert!(both(&last, &|report| report.accepted_count == wanted), "read twice: {:?}", last.sources);
    let mut titles: Vec<String> = last.changes.iter().map(|change| change.notice.title.to_string()).collect();
    drop(last);
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
    titles.sort();
    titles
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_written_while_it_was_down_are_read_at_the_next_start_and_none_twice() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), &["history"]);
    assert_eq!(live(folder.path(), 2, &["a", "b"]).await, ["a", "b"]);
    append(folder.path(), &["c", "d", "e"]);
    assert_eq!(live(folder.path(), 4, &["f"]).await, ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(live(folder.path(), 0, &[]).await, ["a", "b", "c", "d", "e", "f"]);
}

/// The messages of the log lines in a recording.
fn recorded(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let inputs = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let messages = inputs.filter_map(|line| match line {
        RecordingLine::Input(timed) => match timed.input {
            Input::Signal(Signal::Log(line)) => Some(line.message.to_string()),
            _ => None,
        },
        _ => None,
    });
    messages.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_a_file_costs_no_line_and_repeats_none() {
    const LINES: usize = 20_000;
    // Long lines, so that the file is read in many pieces.
    let line = |number: usize| format!("line {number} {}", "x".repeat(200));
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), &[]);
    for (name, lines) in [("first", LINES), ("second", 0)] {
        let mut runtime = runtime(folder.path(), name);
        runtime.started().await.unwrap();
        let mut snapshots = runtime.handle().snapshots();
        let is_open = |snapshot: &Arc<Snapshot>| {
            report(snapshot, "app.log").is_some_and(|report| report.state == SourceState::Healthy)
        };
        tokio::time::timeout(PATIENCE, snapshots.wait_for(is_open)).await.expect("the file is not read").unwrap();
        let mut log = std::fs::File::options().append(true).open(folder.path().join("app.log")).unwrap();
        let text: String = (0..lines).map(|number| line(number) + "\n").collect();
        log.write_all(text.as_bytes()).unwrap();
        let file_bytes = std::fs::metadata(folder.path().join("app.log")).unwrap().len();
        // The first life is stopped as soon as it has taken anything, the second when it has taken all.
        let is_enough = |snapshot: &Arc<Snapshot>| {
            report(snapshot, "app.log").is_some_and(|report| match (&report.position, lines) {
                (Some(position), 0) => position.contains(&format!("\"offset\":{file_bytes}")),
                _ => report.accepted_count > 0,
            })
        };
        tokio::time::timeout(PATIENCE, snapshots.wait_for(is_enough)).await.expect("lines are missing").unwrap();
        tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
    }
    let told: Vec<String> = ["first", "second"].iter().flat_map(|name| recorded(&folder.path().join(name))).collect();
    let written = (0..LINES).map(line);
    let differs = told.iter().cloned().zip(written).position(|(told, written)| told != written);
    assert_eq!((told.len(), differs), (LINES, None), "lines told, and the first that is not as written");
}
