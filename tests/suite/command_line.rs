//! The built binary as a script uses it: exit codes, JSON, recordings that give the same incidents again, and data out
//! and in without loss.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

fn hypo(home: &Path) -> Command {
    let mut command = Command::cargo_bin("hypo").unwrap();
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin");
    command
}

fn json(output: &std::process::Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_drill_prints_its_incident_with_cause_steps_and_outcome() {
    let home = tempfile::tempdir().unwrap();
    let output = hypo(home.path()).args(["demo", "--headless", "--approve", "all", "--json"]).output().unwrap();
    let report = json(&output);
    let [incident] = report["incidents"].as_array().unwrap().as_slice() else { panic!("one incident: {report}") };
    assert_eq!(incident["cause"]["kind"], "bad_deploy");
    assert_eq!(incident["cause"]["service"], "payment");
    assert!(incident["confidence"].as_f64().unwrap() > 0.5);
    assert!(incident["timeline"].as_array().unwrap().len() > 5);
    assert_eq!(incident["outcome"], "resolved by rollback-deploy");
    let steps = incident["runs"][0]["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["command"][0] == "kubectl"), "{steps:?}");
}

#[test]
fn the_same_seed_gives_the_same_drill_and_another_seed_another() {
    let home = tempfile::tempdir().unwrap();
    let drill = |seed: &str| {
        let output = hypo(home.path()).args(["demo", "--headless", "--json", "--seed", seed]).output().unwrap();
        json(&output).to_string()
    };
    let first = drill("7");
    assert_eq!(first, drill("7"));
    assert_ne!(first, drill("8"));
}

#[test]
fn a_drill_touches_nothing_unless_told_where() {
    let home = tempfile::tempdir().unwrap();
    hypo(home.path()).args(["demo", "--headless"]).assert().success();
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn what_a_drill_kept_is_listed_exported_and_imported_without_loss() {
    let home = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| home.path().join(name).display().to_string());
    hypo(home.path()).args(["demo", "--headless", "--approve", "all", "--state-dir", &first]).assert().success();
    let listed =
        json(&hypo(home.path()).args(["incidents", "--all", "--json", "--state-dir", &first]).output().unwrap());
    assert_eq!(listed["incidents"][0]["state"], "resolved");
    let anomalies =
        json(&hypo(home.path()).args(["anomalies", "--all", "--json", "--state-dir", &first]).output().unwrap());
    assert!(!anomalies["anomalies"].as_array().unwrap().is_empty());

    let file = home.path().join("export.jsonl").display().to_string();
    hypo(home.path()).args(["export", &file, "--state-dir", &first]).assert().success();
    hypo(home.path()).args(["import", &file, "--state-dir", &second]).assert().success();
    let again = hypo(home.path()).args(["export", "-", "--state-dir", &second]).output().unwrap();
    let before = std::fs::read_to_string(&file).unwrap();
    let records = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(records(&before), records(&String::from_utf8(again.stdout).unwrap()));
    assert!(records(&before).len() > 50, "{} records", records(&before).len());
}

#[test]
fn a_recording_replayed_twice_gives_the_same_incidents_bit_for_bit() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("host.jsonl").display().to_string();
    hypo(home.path()).args(["record", &file, "--lasts", "12s"]).assert().success();
    let replay = || hypo(home.path()).args(["replay", &file, "--json"]).output().unwrap();
    let (first, second) = (replay(), replay());
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(first.stdout, second.stdout);
    let text = String::from_utf8(hypo(home.path()).args(["replay", &file]).output().unwrap().stdout).unwrap();
    let inputs: u32 = text.split_whitespace().next().unwrap().parse().unwrap();
    assert!(inputs > 10, "this machine gave something: {text}");
}

#[test]
fn mistakes_end_with_2_and_a_remedy() {
    let home = tempfile::tempdir().unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["demo", "--scenario", "bad-deplyo"], "bad-deploy"),
        (&["incidents"], "start hypo first"),
        (&["replay", "/nowhere/at-all.jsonl"], "/nowhere/at-all.jsonl"),
        (&["--config", "/nowhere/config.toml", "doctor", "--bogus"], "--bogus"),
        (&["record", "/nowhere/at-all.jsonl"], "/nowhere/at-all.jsonl"),
    ];
    for (arguments, expected) in cases {
        let output = hypo(home.path()).args(*arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn the_console_without_a_terminal_says_what_to_use_instead() {
    let home = tempfile::tempdir().unwrap();
    let output = hypo(home.path()).arg("demo").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("terminal"));
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    // A port of this machine on which nothing listens: bound, read, and closed again.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!("[host]\nenabled = false\n[[prometheus]]\nname = \"gone\"\nurl = \"http://127.0.0.1:{port}\"\n");
    std::fs::write(&config, text).unwrap();
    let output = hypo(home.path()).args(["doctor", "--json", "--config"]).arg(&config).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["sources"][0]["name"], "gone");
    assert_eq!(found["sources"][0]["is_fine"], false);

    std::fs::write(&config, "[hots]\nenabled = false\n").unwrap();
    let output = hypo(home.path()).args(["doctor", "--config"]).arg(&config).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("config.toml:1") && said.contains("host"), "{said}");
}

#[test]
fn the_doctor_looks_at_who_is_told_and_tells_nobody() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    let text = "[outbound.slack]\nwebhook = { env = \"HYPO_TEST_WEBHOOK\" }\n[outbound.pagerduty]\n";
    std::fs::write(&config, text).unwrap();
    let doctor = |webhook: &str| {
        let mut command = hypo(home.path());
        command.env("HYPO_TEST_WEBHOOK", webhook).args(["doctor", "--json", "--config"]).arg(&config);
        let found: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        found["destinations"].as_array().unwrap().clone()
    };
    let found = doctor("https://hooks.slack.com/services/T0/B0/hunter2");
    assert_eq!((&found[0]["name"], &found[0]["is_fine"]), (&"slack".into(), &true.into()), "{found:?}");
    assert_eq!(found[0]["address"], "https://hooks.slack.com");
    assert_eq!((&found[1]["name"], &found[1]["is_fine"]), (&"pagerduty".into(), &false.into()), "{found:?}");
    assert!(found[1]["text"].as_str().unwrap().contains("routing_key"), "{found:?}");
    let found = doctor("hunter2");
    assert_eq!(found[0]["is_fine"], false);
    assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
}

#[test]
fn the_doctor_is_content_with_this_machine() {
    let home = tempfile::tempdir().unwrap();
    hypo(home.path()).arg("doctor").assert().success();
}

#[test]
fn config_init_writes_a_file_that_reads_back_and_never_replaces_one_unasked() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("folder/config.toml");
    let init = |force: bool| {
        let mut command = hypo(home.path());
        command.args(["config", "init", "--config"]).arg(&config);
        if force {
            command.arg("--force");
        }
        command.output().unwrap()
    };
    assert!(init(false).status.success());
    hypo(home.path()).arg("--config").arg(&config).args(["demo", "--scenario", "list"]).assert().success();
    std::fs::write(&config, "# mine\n").unwrap();
    let refused = init(false);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"));
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "# mine\n");
    assert!(init(true).status.success());
}

#[test]
fn completions_and_the_man_page_name_every_command() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [["completions", "bash"].as_slice(), &["man"]] {
        let output = hypo(home.path()).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for command in [
            "demo",
            "replay",
            "record",
            "incidents",
            "anomalies",
            "doctor",
            "export",
            "import",
            "postmortem",
            "handover",
        ] {
            assert!(text.contains(command), "{arguments:?} lacks {command}");
        }
        for flag in ["scenario", "merge", "lasts", "force", "wait", "state"] {
            assert!(text.contains(flag), "{arguments:?} lacks --{flag}");
        }
    }
}

#[test]
fn a_store_held_by_somebody_who_shows_nothing_is_told_with_advice_that_works() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    hypo(home.path()).args(["demo", "--headless", "--state-dir"]).arg(&state).assert().success();
    let holder = hypocenter::engine::store::Store::open(&state).unwrap();
    for (arguments, advice) in [
        (["incidents"].as_slice(), "nobody listens at"),
        (&["export"], "end that one, export, and start it again"),
        (&["import", "/dev/null"], "another folder with --state-dir"),
    ] {
        let output = hypo(home.path()).args(arguments).arg("--state-dir").arg(&state).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), b"".as_slice()), "{said}");
        assert!(said.contains(advice), "{arguments:?}: {said}");
    }
    drop(holder);
    hypo(home.path()).args(["incidents", "--state-dir"]).arg(&state).assert().success();
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_beside_a_running_engine_show_what_it_shows_and_say_from_whom() {
    use std::sync::Arc;

    use hypocenter::engine::act::executor::Executor;
    use hypocenter::engine::attach::message::SettingsMark;
    use hypocenter::engine::attach::people::People;
    use hypocenter::engine::attach::place::Place;
    use hypocenter::engine::attach::server::{self, Served};
    use hypocenter::engine::clock::Timestamp;
    use hypocenter::engine::ingest::StopSignal;
    use hypocenter::engine::runbooks::Library;
    use hypocenter::engine::runtime::{Runtime, RuntimeConfig};
    use hypocenter::engine::settings::{AttachSettings, EngineSettings, PeopleSettings};

    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    hypo(home.path()).args(["demo", "--headless", "--approve", "all", "--state-dir"]).arg(&state).assert().success();
    let run = |arguments: &[&str]| hypo(home.path()).args(arguments).arg("--state-dir").arg(&state).output().unwrap();
    let list = |what: &str| run(&[what, "--all", "--json"]);
    let question = "rps of cart on 2026-11-17 at 14:33";
    let asked = || {
        let output = run(&["ask", "--json", question]);
        let answer = json(&output)["answer"].as_str().unwrap().to_owned();
        (answer, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let before = ["incidents", "anomalies"].map(|what| json(&list(what)));
    let (answer, _) = asked();
    assert!(answer.starts_with("request_rate of cart was "), "{answer}");

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
    let place = Place::of(&state, &AttachSettings::default());
    let listener = place.listen().unwrap();
    let mark = place.mark().unwrap();
    let (wished, _wishes) = tokio::sync::mpsc::channel(1);
    let (_farewell, farewells) = tokio::sync::watch::channel(None);
    let served = Served {
        handle: runtime.handle(),
        people: People::new(PeopleSettings::default()),
        pid: i32::try_from(std::process::id()).unwrap(),
        since: Timestamp(1_000),
        settings: SettingsMark { path: "".into(), digest: "".into() },
        wishes: wished,
        is_background: true,
        farewell: farewells,
        attendance: Arc::default(),
        turns: runtime.turns(),
    };
    let (stop, stopped) = StopSignal::pair();
    let serving = tokio::spawn(async move { server::serve(listener, Arc::new(served), stopped.stopped()).await });
    let told = format!("from the running hypo pid {}, ", std::process::id());
    for (what, before) in ["incidents", "anomalies"].into_iter().zip(before) {
        let output = list(what);
        assert_eq!(json(&output), before);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(&told), "{said}");
    }
    let (again, said) = asked();
    assert_eq!(again, answer, "what was measured at other times is told beside an engine, too");
    assert!(said.contains(&told), "{said}");
    let killed = run(&["kill", "--reason", "a drill"]);
    let said = String::from_utf8_lossy(&killed.stdout).into_owned();
    assert!(said.contains("the kill switch is ON") && said.contains("the engine says: "), "{said}");
    assert!(runtime.handle().snapshots().borrow().kill.is_some(), "at once, not by the file");
    let doctor = run(&["doctor", "--json"]);
    let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(found["store"]["is_fine"], true, "{found}");
    let socket = &found["engine"][0];
    assert!(socket["subject"] == "socket" && socket["is_fine"] == true, "{found}");
    let listens = format!("pid {} listens at {}", std::process::id(), place.socket().display());
    assert!(socket["text"].as_str().unwrap().contains(&listens), "{found}");
    stop.stop();
    serving.await.unwrap();
    place.leave(mark).unwrap();
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
    let output = list("incidents");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let names: Vec<_> = std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name == "picture" || name == "archive"), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_beside_an_engine_of_another_version_says_which() {
    use hypocenter::engine::attach::place::Place;
    use hypocenter::engine::settings::AttachSettings;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    hypo(home.path()).args(["demo", "--headless", "--state-dir"]).arg(&state).assert().success();
    let listener = Place::of(&state, &AttachSettings::default()).listen().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut console, _) = listener.accept().await.unwrap();
            let mut said = [0; 512];
            assert!(console.read(&mut said).await.unwrap() > 0);
            console.write_all(b"hypo attach 1 version 9.9.9 wire 99 pid 5 since 1000 says joined\n").await.unwrap();
        }
    });
    for arguments in [&["incidents"][..], &["ask", "what is broken"]] {
        let output = hypo(home.path()).args(arguments).arg("--state-dir").arg(&state).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("the engine is hypo 9.9.9 (wire 99, pid 5"), "{said}");
    }
    let doctor = hypo(home.path()).args(["doctor", "--json", "--state-dir"]).arg(&state).output().unwrap();
    let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let socket = &found["engine"][0];
    assert!(socket["is_fine"] == false && socket["text"].as_str().unwrap().contains("hypo 9.9.9"), "{found}");
}

#[test]
fn the_environment_names_the_configuration_for_every_command() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("mine.toml");
    hypo(home.path()).args(["config", "init"]).env("HYPO_CONFIG", &config).assert().success();
    assert!(config.exists());
    let state = home.path().join("elsewhere");
    let output = hypo(home.path()).args(["doctor", "--json"]).env("HYPO_STATE_DIR", &state).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found["store"]["text"].as_str().unwrap().contains("elsewhere"), "{found}");
}

#[test]
fn the_score_of_a_vulnerability_is_told_with_its_factors_and_the_directives_term() {
    let home = tempfile::tempdir().unwrap();
    let score = |arguments: &[&str]| {
        json(&hypo(home.path()).args(["patches", "score", "--json"]).args(arguments).output().unwrap())
    };
    let told = score(&["--cvss", "5.0", "--kev", "--fresh"]);
    assert_eq!((&told["score"], &told["band"]), (&0.85.into(), &"CRITICAL".into()));
    let factors: Vec<f64> =
        told["factors"].as_array().unwrap().iter().map(|factor| factor["value"].as_f64().unwrap()).collect();
    assert_eq!(factors, [0.5, 2.0, 0.85]);
    assert_eq!(told["directive"]["strictest"], "three_days_with_forensics");
    assert_eq!(told["directive"]["mildest"], "fourteen_days");
    assert_eq!(score(&["--cvss", "3.9"])["band"], "LOW");
    // Factors and borders are the configuration's.
    let config = home.path().join("config.toml");
    std::fs::write(&config, "[patches.risk]\ncritical = 39\n").unwrap();
    assert_eq!(score(&["--cvss", "3.9", "--config", config.to_str().unwrap()])["band"], "CRITICAL");
    let refused = hypo(home.path()).args(["patches", "score", "--cvss", "11"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--cvss: 11 is no CVSS score"));
}
