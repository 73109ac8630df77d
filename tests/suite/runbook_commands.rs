//! `hypo runbook` as a script uses it, and pages of one's own that change while the program runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use assert_cmd::Command;
use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runbooks::library::shipped_pages;
use hypocenter::engine::runtime::runbook_folders::RunbookFolders;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig};
use hypocenter::engine::settings::{EngineSettings, HostSettings, RunbookSettings};
use hypocenter::engine::snapshot::Snapshot;
use serde_json::Value;
use tokio::runtime::Handle;

/// Far more than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn hypo(home: &Path) -> Command {
    let mut command = Command::cargo_bin("hypo").unwrap();
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").current_dir(home);
    command
}

fn said(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    format!("{out}{err}")
}

fn page(id: &str) -> String {
    shipped_pages().iter().find(|(name, _)| *name == id).unwrap().1.to_owned()
}

#[test]
fn lint_ends_with_0_1_or_2_and_names_file_line_and_rule() {
    let home = tempfile::tempdir().unwrap();
    assert!(said(hypo(home.path()).args(["runbook", "lint"]), 0).contains("pages: 0 errors"));
    let file = home.path().join("own.md");
    std::fs::write(&file, page("free-disk").replace("within = \"1m\"\n", "")).unwrap();
    let told = said(hypo(home.path()).args(["runbook", "lint", "own.md"]), 1);
    assert!(told.contains("own.md:") && told.contains("error [no-within]"), "{told}");
    let json: Value =
        serde_json::from_str(&said(hypo(home.path()).args(["runbook", "lint", "--json", "."]), 1)).unwrap();
    assert_eq!((&json["is_clean"], &json["findings"][0]["rule"]), (&Value::from(false), &Value::from("no-within")));
    // A warning alone counts only where that is asked for.
    std::fs::write(&file, page("free-disk").replace("verified = 2026-11-21\n", "")).unwrap();
    said(hypo(home.path()).args(["runbook", "lint", "own.md"]), 0);
    assert!(said(hypo(home.path()).args(["runbook", "lint", "--strict", "own.md"]), 1).contains("never-verified"));
    said(hypo(home.path()).args(["runbook", "lint", "gone.md"]), 2);
    // What no configured server tells is said once there is one.
    std::fs::write(&file, page("drain-queue").replace("\"queue_depth\"", "\"queue_dept\"")).unwrap();
    assert!(!said(hypo(home.path()).args(["runbook", "lint", "own.md"]), 0).contains("unknown-metric"));
    let config = home.path().join("config.toml");
    std::fs::write(&config, "[[prometheus]]\n[[prometheus.query]]\nmetric = \"queue_depth\"\nexpr = \"depth\"\n")
        .unwrap();
    let told = said(hypo(home.path()).args(["--config", "config.toml", "runbook", "lint", "own.md"]), 0);
    assert!(told.contains("unknown-metric") && told.contains("did you mean `queue_depth`"), "{told}");
}

#[test]
fn a_page_in_the_place_of_a_shipped_one_is_known_by_its_id_however_that_is_written() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("pages");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("own.md"), page("free-disk").replace("id = \"free-disk\"", "id= 'free-disk'")).unwrap();
    std::fs::write(home.path().join("c.toml"), format!("[runbooks]\nfolders = [\"{}\"]\n", folder.display())).unwrap();
    let told = said(hypo(home.path()).args(["--config", "c.toml", "runbook", "lint"]), 0);
    assert!(!told.contains("duplicate-id"), "{told}");
}

#[test]
fn a_page_is_begun_shown_and_tried_without_anything_being_changed() {
    let home = tempfile::tempdir().unwrap();
    said(hypo(home.path()).args(["runbook", "new", "restart-mailer", "--problem", "queue_backlog"]), 0);
    assert!(said(hypo(home.path()).args(["runbook", "lint", "restart-mailer.md"]), 1).contains("fill-in"));
    said(hypo(home.path()).args(["runbook", "new", "restart-mailer", "--problem", "queue_backlog"]), 2);
    assert!(said(hypo(home.path()).args(["runbook", "list"]), 0).contains("promote-replica"));
    let shown = said(hypo(home.path()).args(["runbook", "show", "promote-replica"]), 0);
    assert!(shown.contains("CANNOT BE UNDONE") && shown.contains("2 people must approve it"), "{shown}");
    assert!(said(hypo(home.path()).args(["runbook", "show", "promote-replicas"]), 2).contains("did you mean"));
    let tried = |value: &str, code: i32| {
        let param = format!("service={value}");
        said(hypo(home.path()).args(["runbook", "run", "rollback-deploy", "--dry-run", "--param", &param]), code)
    };
    let told = tried("payment", 0);
    for wanted in ["$ kubectl rollout undo deployment/payment -n prod", "digest   ", "the gate asks"] {
        assert!(told.contains(wanted), "{told}");
    }
    for hostile in ["pay;ment", "-rf", "$(id)", ""] {
        assert!(tried(hostile, 2).contains("is refused"), "{hostile}");
    }
    said(hypo(home.path()).args(["runbook", "run", "rollback-deploy"]), 2);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "only the new page was written");
}

#[test]
fn only_checks_and_declared_dry_runs_are_carried_out() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("pages");
    std::fs::create_dir(&folder).unwrap();
    let touched = home.path().join("touched");
    let path = touched.display();
    let page = page("restart-unit")
        .replace("id = \"restart-unit\"", "id = \"own\"")
        .replace("\"systemctl\", \"show\", \"{unit}.service\", \"--property=ActiveState,SubState,Result,ExecMainStatus,NRestarts\"", "\"ls\", \"/\"")
        .replace("expect = \"ActiveState=\"", "expect = \"^(usr|tmp)$\"")
        .replace("\"journalctl\", \"--unit={unit}.service\", \"--lines=30\", \"--no-pager\"", "\"ls\", \"/nowhere\"")
        .replace("run = [\"systemctl\", \"restart\", \"{unit}.service\"]", &format!("run = [\"touch\", \"{path}\"]\ndry_run = [\"ls\", \"/usr\"]"));
    std::fs::write(folder.join("own.md"), page).unwrap();
    let config = home.path().join("config.toml");
    std::fs::write(
        &config,
        format!("[runbooks]\nfolders = [\"{}\"]\nallowed_programs = [\"ls\", \"touch\"]\n", folder.display()),
    )
    .unwrap();
    let config = config.display().to_string();
    let arguments =
        ["--config", &config, "runbook", "run", "own", "--dry-run", "--param", "unit=nginx", "--execute-dry-runs"];
    let told = said(hypo(home.path()).args(arguments), 1);
    assert!(told.contains(", as expected") && told.contains("NOT as expected"), "{told}");
    assert!(told.contains("| bin"), "the dry run of the act was carried out: {told}");
    assert!(!touched.exists(), "the act itself was not");
}

#[test]
fn a_dry_run_shows_every_step_whatever_way_a_branch_would_go() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("c.toml"), "[runbooks]\nallowed_programs = [\"ls\"]\n").unwrap();
    let arguments =
        ["--config", "c.toml", "runbook", "run", "limit-overload", "--dry-run", "--param", "service=payment"];
    let told = said(hypo(home.path()).args(arguments).arg("--execute-dry-runs"), 0);
    let (_, tried) = told.split_once("the console looks\n").unwrap();
    for wanted in ["\n4. ", "\n6. "] {
        assert!(tried.contains(wanted), "{told}");
    }
    assert_eq!(tried.matches("`kubectl` is not among").count(), 2, "{told}");
}

/// Waits until the picture is as wanted.
async fn until(runtime: &Runtime, what: &str, is_so: impl Fn(&Snapshot) -> bool) {
    let mut snapshots = runtime.handle().snapshots();
    let waited = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| is_so(snapshot))).await;
    assert!(waited.is_ok_and(|seen| seen.is_ok()), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_breaks_is_a_problem_on_the_screen_and_stays_in_force_until_it_is_mended() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("own.md");
    let good = page("free-disk").replace("owner = \"", "owner = \"ours, ");
    std::fs::write(&file, &good).unwrap();
    let settings = EngineSettings {
        host: HostSettings { enabled: false, ..HostSettings::default() },
        runbooks: RunbookSettings { folders: vec![home.path().to_path_buf()], ..RunbookSettings::default() },
        ..EngineSettings::default()
    };
    // As the console does it: the page is in force before the engine looks for changes.
    let mut library = Library::shipped();
    library.take_own(&RunbookFolders::new(settings.runbooks.folders.clone()).look().unwrap());
    let mut runtime = Runtime::start(RuntimeConfig {
        sources: Vec::new(),
        runner: Arc::new(Executor::new(&settings.runbooks, Handle::current())),
        settings,
        library,
        state_dir: None,
        patch_office: None,
        record_to: None,
    })
    .unwrap();
    runtime.started().await.unwrap();
    let says = |snapshot: &Snapshot, text: &str| {
        snapshot.file_problems.iter().any(|problem| problem.file.ends_with("own.md") && problem.text.contains(text))
    };
    until(&runtime, "a picture", |snapshot| snapshot.revision > 0 && snapshot.file_problems.is_empty()).await;
    std::fs::write(&file, good.replace("owner", "ower")).unwrap();
    until(&runtime, "the mistake is told", |snapshot| says(snapshot, "did you mean `owner`?")).await;
    until(&runtime, "and that the page stays in force", |snapshot| says(snapshot, "stays in force")).await;
    std::fs::write(&file, &good).unwrap();
    until(&runtime, "mended", |snapshot| snapshot.file_problems.is_empty()).await;
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
}
