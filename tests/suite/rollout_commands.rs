//! `hypo patches plan|rollouts|approve|pause|resume|stop|rollback`, what of it stands in the report, and what the doctor finds of
//! patching.

use std::path::Path;
use std::sync::Arc;

use hypocenter::engine::job::Record;
use hypocenter::engine::patches::rollout::KeptRollout;
use hypocenter::engine::store::Store;
use serde_json::Value;

use super::binary::{hypo, json};
use super::fixtures::rollout_pictures;

/// Keeps a rollout as a hypo that has ended left it.
fn keep(home: &Path, kept: &KeptRollout) {
    let store = Store::open(&home.join("state")).unwrap();
    store.write(&[Record::Rollout(Arc::new(kept.clone()))], true).unwrap();
}

/// What it said where it could not be done.
#[track_caller]
fn refused(home: &Path, arguments: &[&str]) -> String {
    let output = hypo(home, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    said
}

fn state(home: &Path) -> Value {
    json(&hypo(home, &["patches", "rollouts", "RO-7", "--json"]))["rollouts"][0]["rollout"]["state"].clone()
}

#[test]
fn a_plan_is_approved_by_the_digest_that_was_read_and_then_held_and_ended() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    assert!(refused(home, &["patches", "approve", "7", "--digest", "0123456789ab"]).contains("RO-7 is not known here"));
    let kept = rollout_pictures::proposed();
    keep(home, &kept);
    let listed = String::from_utf8(hypo(home, &["patches", "rollouts", "RO-7"]).stdout).unwrap();
    assert!(
        listed.contains(&kept.rollout.plan.digest) && listed.contains("1. staging (staging): 2 targets"),
        "{listed}"
    );

    let says = |arguments: &[&str], expected: &str| {
        let said = refused(home, arguments);
        assert!(said.contains(expected), "{arguments:?}: {said}");
    };
    says(&["patches", "approve", "RO-7", "--digest", "607c"], "too short");
    says(&["patches", "approve", "RO-7", "--digest", "0123456789ab"], "another plan than the one that was shown");
    says(&["patches", "pause", "RO-7", "--reason", "wait"], "does not run");
    says(&["patches", "approve", "RO-x", "--digest", "0123456789ab"], "write its number, such as RO-7");
    let digest = &kept.rollout.plan.digest[..12];
    let asked = json(&hypo(home, &["patches", "approve", "RO-7", "--digest", digest, "--json"]));
    assert!(asked["told"][0].as_str().unwrap().contains(&kept.rollout.plan.digest), "{asked}");
    assert_eq!(asked["rollout"]["rollout"]["state"], "Running");
    assert_eq!(state(home), "Running");

    says(&["patches", "approve", "RO-7", "--digest", digest], "is approved as it is");
    says(&["patches", "pause", "RO-7", "--reason", " "], "not said why");
    assert_eq!(hypo(home, &["patches", "pause", "RO-7", "--reason", "the fair"]).status.code(), Some(0));
    assert!(state(home)["Paused"]["why"].as_str().unwrap().ends_with(": the fair"), "{}", state(home));
    assert_eq!(hypo(home, &["patches", "resume", "7", "--reason", "it is over"]).status.code(), Some(0));
    assert_eq!(state(home), "Running");
    assert_eq!(hypo(home, &["patches", "stop", "7", "--reason", "is replaced"]).status.code(), Some(0));
    assert!(state(home)["Ending"]["why"].as_str().unwrap().ends_with(": is replaced"), "{}", state(home));
    let log = String::from_utf8(hypo(home, &["audit", "list"]).stdout).unwrap();
    for word in ["approved by", "paused by", "goes on by", "stopped by"] {
        assert!(log.contains(word), "{word}: {log}");
    }
    assert_eq!(hypo(home, &["audit", "verify"]).status.code(), Some(0));
}

#[test]
fn a_rollout_is_rolled_back_from_the_command_line_and_nothing_is_where_hypo_only_observes() {
    let home = tempfile::tempdir().unwrap();
    keep(home.path(), &rollout_pictures::under_way());
    let said = refused(home.path(), &["--readonly", "patches", "rollback", "7", "--reason", "it looks bad"]);
    assert!(said.contains("only observes"), "{said}");
    let defer = ["--readonly", "patches", "defer", "curl", "--until", "3d", "--reason", "later"];
    assert!(refused(home.path(), &defer).contains("nothing is changed with --readonly"));
    assert_eq!(state(home.path()), "Running");
    let output = hypo(home.path(), &["patches", "rollback", "7", "--reason", "it looks bad"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("it looks bad") && told.contains("carried out by a hypo that runs"), "{told}");
    assert_eq!(state(home.path())["Ending"]["end"], "RolledBack");
}

#[test]
fn what_went_wrong_is_reported_by_ring_and_owner_in_every_form() {
    let home = tempfile::tempdir().unwrap();
    for kept in rollout_pictures::several().into_iter().chain([rollout_pictures::failed()]) {
        keep(home.path(), &kept);
    }
    let report = |arguments: &[&str]| {
        let output = hypo(home.path(), &[&["patches", "report"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let found: Value = serde_json::from_str(&report(&["--json"])).unwrap();
    let found = &found["regressions"];
    assert_eq!((&found["all"]["rolled_back"], &found["all"]["paused"]), (&1.into(), &1.into()), "{found}");
    assert_eq!(found["by_ring"]["canary"], serde_json::json!({"rolled_back": 1, "failed": 1, "paused": 1}));
    assert_eq!(found["by_owner"]["shop"]["rolled_back"], 1);
    let (first, second, third) = (&found["rollouts"][0], &found["rollouts"][1], &found["rollouts"][2]);
    assert_eq!((&third["how"], &third["rollout"]), (&"failed".into(), &3.into()));
    assert_eq!((&first["how"], &first["source"]), (&"paused".into(), &"nginx".into()), "the newest first");
    assert_eq!((&second["how"], &second["incident"]), (&"rolled_back".into(), &42.into()));
    let markdown = report(&[]);
    for line in [
        "Rollouts rolled back: 1; stopped by an installation that failed: 1; begun and paused now: 1.",
        "| canary | 1 | 1 | 1 |",
        "| owner | rolled back | failed | paused |",
        "| RO-8 | glibc | rolled back | health failed on web-1: checkout error_ratio is worse, 0.2 % before and 4.1 % after | 1 | INC-42 |",
    ] {
        assert!(markdown.lines().any(|told| told == line), "{line}\n{markdown}");
    }
    let listed = String::from_utf8(hypo(home.path(), &["patches", "rollouts", "RO-10"]).stdout).unwrap();
    for line in ["  web-2 validating: watched until ", "  stage-2 reboot pending: kernel 6.1.0-26 was not booted"] {
        assert!(listed.lines().any(|told| told.starts_with(line)), "{line}\n{listed}");
    }
    let csv = report(&["--format", "csv"]);
    for line in [
        "regressions,all,,rolled_back,1",
        "regressions by ring,canary,,paused,1",
        "regressions by owner,shop,,rolled_back,1",
    ] {
        assert!(csv.lines().any(|told| told == line), "{line}\n{csv}");
    }
}

const ASSETS: &str = "asset,distribution,release,environment,exposure,ring,class,owner,services,package,version,source\n\
    stage-1,debian,bookworm,staging,internal,staging,web,shop,shop,libcurl4,7.88.1-10,curl\n\
    web-1,debian,bookworm,production,internet,canary,web,shop,shop,libcurl4,7.88.1-10,curl\n\
    web-2,debian,bookworm,production,internet,main,web,shop,shop,libcurl4,7.88.1-10,curl\n";

/// What the doctor says of patching: subject, whether it is fine, and the words.
fn examined(home: &Path, config: &str) -> (Option<i32>, Vec<(String, bool, String)>) {
    let path = home.join("config.toml");
    std::fs::write(&path, format!("[host]\nenabled = false\n{config}")).unwrap();
    let output = hypo(home, &["--config", path.to_str().unwrap(), "doctor", "--json"]);
    let found = json(&output);
    let text = |of: &Value, key: &str| of[key].as_str().unwrap().to_owned();
    let patching = found["patching"].as_array().unwrap().iter();
    let told = patching.map(|one| (text(one, "subject"), one["is_fine"].as_bool().unwrap(), text(one, "text")));
    (output.status.code(), told.collect())
}

#[test]
fn the_doctor_finds_what_would_keep_a_rollout_from_being_carried_out() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (code, told) = examined(home, "");
    assert_eq!((code, told.len(), told[0].1), (Some(0), 1, true), "{told:?}");
    assert!(told[0].2.contains("is not set up"), "{told:?}");
    let assets = home.join("assets.csv");
    std::fs::write(&assets, ASSETS).unwrap();
    json(&hypo(home, &["inventory", "import", assets.to_str().unwrap(), "--json"]));

    let rules = "[[patches.allow]]\nclass = \"web\"\npackages = [\".*\"]\n[[patches.allow]]\nclass = \"wbe\"\npackages = [\".*\"]\n\
        [[patches.method]]\nassets = \"web-2\"\nby = \"ansible\"\nname = \"patch.yml\"\n\
        [[patches.method]]\nclass = \"web\"\nby = \"ssh\"\nbefore = [\"sudo\", \"-n\"]\n";
    let (code, told) = examined(home, rules);
    assert_eq!(code, Some(1));
    let says = |subject: &str, words: &str| {
        let is_it = |one: &&(String, bool, String)| one.0 == subject && !one.1 && one.2.contains(words);
        assert!(told.iter().any(|one| is_it(&one)), "{subject}: {words}\n{told:#?}");
    };
    says("feeds", "KEV was never taken; `hypo advisories sync` fetches it");
    says("rules", "[[patches.allow]] is for class `wbe`, and no asset is of that class");
    says("windows", "no window is for web-1, web-2, which may be patched");
    says("reach", "stage-1, web-1: `ssh` is not among `allowed_programs`");
    says("reach", "web-2: `ansible-playbook` is not among `allowed_programs`");

    let folder = home.join("playbooks");
    std::fs::create_dir(&folder).unwrap();
    let set = format!(
        "{rules}[[patches.window]]\nname = \"night\"\nzone = \"UTC\"\nbegins = \"0 2 * * *\"\nlasts = \"2h\"\n\
         [runbooks]\nallowed_programs = [\"ssh\", \"ansible-playbook\"]\n[runbooks.ssh]\nhosts = [\"web-1\"]\n\
         programs = [\"sudo\", \"dpkg-query\", \"apt-get\"]\n[runbooks.ansible]\nfolder = \"{}\"\ninventory = \"/etc/hosts\"\n",
        folder.display()
    );
    let (_, told) = examined(home, &set);
    let of = |subject: &str| told.iter().filter(|one| one.0 == subject).collect::<Vec<_>>();
    assert!(of("windows")[0].1, "{told:#?}");
    let reach: Vec<&str> = of("reach").iter().map(|one| one.2.as_str()).collect();
    assert!(reach.iter().any(|text| text.starts_with("stage-1: `HOST` is not among `hosts`")), "{reach:#?}");
    assert!(reach.iter().any(|text| text.starts_with("web-2:") && text.contains("patch.yml")), "{reach:#?}");
    assert!(!reach.iter().any(|text| text.contains("sudo") || text.starts_with("web-1")), "{reach:#?}");
}

#[test]
fn a_window_that_never_begins_or_has_no_zone_is_named_by_the_doctor_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    for (zone, begins, says) in [
        ("Europe/Berln", "0 2 * * SUN", "Europe/Berln"),
        ("UTC", "0 2 30 2 *", "names no day that there is"),
        ("UTC", "0 25 * * *", "0 25 * * *"),
    ] {
        let path = home.path().join("config.toml");
        let window =
            format!("[[patches.window]]\nname = \"night\"\nzone = \"{zone}\"\nbegins = \"{begins}\"\nlasts = \"2h\"\n");
        std::fs::write(&path, window).unwrap();
        let output = hypo(home.path(), &["--config", path.to_str().unwrap(), "doctor"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("WRONG  configuration") && said.contains(says), "{said}");
        assert!(said.contains("config.toml:"), "{said}");
    }
}
