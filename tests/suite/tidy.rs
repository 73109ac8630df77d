//! The rules of the house, read off the tree: who may name what, how files open, how long they grow.
//!
//! Boundaries are written as absences ("views never know tokio"); a rule that is broken fails with file and line.

use std::fs;
use std::path::{Path, PathBuf};

/// A file whose product code is past this many lines is listed below with its size, which may only shrink.
const FILE_LINES_MAX: usize = 400;

/// Files that are longer than the limit, with the size they may not exceed.
const LONG_FILES: &[(&str, usize)] = &[("src/engine/detect/log_signals.rs", 407)];

/// One source file, with its test module cut off where a rule is about product code only.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The text before the first `#[cfg(test)]` that opens a module.
    fn product(&self) -> &str {
        let end = self.text.find("#[cfg(test)]\nmod ").unwrap_or(self.text.len());
        &self.text[..end]
    }

    /// Its lines without comments, numbered from 1.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.product().lines().enumerate().map(|(index, line)| (index + 1, line)).filter(|(_, line)| {
            let start = line.trim_start();
            !start.starts_with("//")
        })
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(folder), "rs", &mut found);
    found.sort();
    assert!(!found.is_empty(), "no Rust files in {folder}");
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    found.iter().map(|path| Source { path: relative(path), text: fs::read_to_string(path).unwrap() }).collect()
}

fn collect(folder: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, into);
        } else if path.extension().is_some_and(|have| have == extension) {
            into.push(path);
        }
    }
}

/// Lines of files under `folder` that name one of `words`, but for files whose path starts with one of `but`.
fn offenders(folder: &str, words: &[&str], but: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust_files(folder) {
        if but.iter().any(|prefix| source.path.starts_with(prefix)) || is_test_file(&source.path) {
            continue;
        }
        for (number, line) in source.product_lines() {
            for word in words.iter().filter(|word| names(line, word)) {
                found.push(format!("{}:{number}: names `{word}`: {}", source.path, line.trim()));
            }
        }
    }
    found
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// True where `line` holds `word` and not as the tail or head of a longer identifier.
fn names(line: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word)
        .any(|(at, _)| !is_part(line[..at].chars().next_back()) && !is_part(line[at + word.len()..].chars().next()))
}

#[track_caller]
fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn the_engine_knows_nothing_of_terminals_and_consoles() {
    let words = ["ratatui", "crossterm", "tui_textarea", "syntect", "crate::app", "crate::views"];
    assert_none(&offenders("src/engine", &words, &[]), "the engine is drawn by others");
}

#[test]
fn views_draw_and_do_nothing_else() {
    let words = [
        "tokio",
        "reqwest",
        "sled",
        "std::fs",
        "std::process",
        "std::env",
        "SystemTime",
        "Instant::now",
        "Utc::now",
        "Local::now",
        "crate::app",
    ];
    assert_none(&offenders("src/views", &words, &[]), "views are pure functions of what they are given");
    let mut found = Vec::new();
    for source in rust_files("src/views") {
        for (number, line) in source.product_lines() {
            let is_allowed = [
                "model",
                "snapshot",
                "clock",
                "request",
                "limits",
                "ask::answer",
                "ask::assistant::saying",
                "ask::reading",
            ]
            .map(|part| format!("engine::{part}"))
            .iter()
            .any(|part| line.contains(part.as_str()));
            if line.contains("crate::engine::") && !is_allowed {
                found.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none(&found, "of the engine, views know the snapshot and the nouns only");
}

#[test]
fn the_console_reaches_the_world_through_the_engine_only() {
    // It starts engines, and the system's ssh as the line to one.
    let but = ["src/app/attach/child.rs"];
    assert_none(
        &offenders("src/app", &["sled", "reqwest", "std::process", "tokio::process"], &but),
        "the console asks",
    );
}

#[test]
fn processes_are_started_behind_the_gate_only() {
    let words = ["std::process", "tokio::process"];
    let but = ["src/engine/act/steps/", "src/main.rs", "src/app/attach/child.rs"];
    assert_none(&offenders("src", &words, &but), "there is one door to the outside world");
}

#[test]
fn http_is_spoken_at_the_edge_only() {
    let but = ["src/engine/ingest/", "src/engine/deliver/", "src/engine/act/steps/"];
    assert_none(
        &offenders("src", &["reqwest"], &but),
        "only sources read over HTTP, and only deliveries and steps go out by it",
    );
}

#[test]
fn the_core_reads_no_clock_and_holds_no_lock() {
    let words = [
        "SystemTime",
        "Instant",
        "Utc::now",
        "Local::now",
        "wall_clock",
        "tokio",
        "Mutex",
        "RwLock",
        "std::thread",
        "std::fs",
        "rand::rng",
        "thread_rng",
    ];
    let core = [
        "src/engine/pipeline",
        "src/engine/detect",
        "src/engine/correlate",
        "src/engine/incident_kind",
        "src/engine/precursors",
        "src/engine/root_cause",
        "src/engine/runbooks",
        "src/engine/model",
        "src/engine/evaluate",
        "src/engine/act/walk",
        "src/engine/outbox",
        "src/engine/postmortem",
        "src/engine/ask",
    ];
    for folder in core {
        assert_none(&offenders(folder, &words, &[]), "the core is a function of its inputs");
    }
    let gate: Vec<String> =
        offenders("src/engine/act", &words, &[]).into_iter().filter(|line| line.contains("act/policy.rs")).collect();
    assert_none(&gate, "the gate is a pure function");
}

#[test]
fn hash_order_decides_nothing_in_the_core() {
    let core =
        ["pipeline", "correlate", "incident_kind", "precursors", "root_cause", "runbooks", "outbox", "postmortem"];
    for folder in core {
        assert_none(
            &offenders(&format!("src/engine/{folder}"), &["HashMap", "HashSet"], &[]),
            "order must be the same in every run",
        );
    }
}

#[test]
fn stages_know_the_nouns_and_not_each_other() {
    let stages = ["detect", "correlate", "incident_kind", "precursors", "root_cause", "runbooks"];
    for stage in stages {
        let others: Vec<String> =
            stages.iter().filter(|other| *other != &stage).map(|other| format!("engine::{other}")).collect();
        let words: Vec<&str> = others.iter().map(String::as_str).collect();
        assert_none(&offenders(&format!("src/engine/{stage}"), &words, &[]), "only the pipeline knows the order");
    }
}

#[test]
fn sockets_between_hypos_are_opened_in_one_place() {
    let but = ["src/engine/attach/", "src/app/attach/"];
    assert_none(&offenders("src", &["UnixListener", "UnixStream"], &but), "consoles come in by one door");
}

#[test]
fn what_is_simulated_has_a_clock_of_its_own() {
    let words =
        ["SystemTime", "Instant", "wall_clock", "std::thread", "std::fs", "HashMap", "HashSet", "tokio::runtime"];
    assert_none(&offenders("src/engine/simulate", &words, &[]), "the same seed gives the same run");
    let gate = ["policy::approve", "policy::decide", "policy::breaker", "act::walk", "policy::acts", "act::roles"];
    assert_none(&offenders("src/engine/simulate", &gate, &[]), "the judge shares no code with the gate");
}

#[test]
fn what_is_said_over_a_socket_knows_no_stage() {
    let stages =
        ["ingest", "detect", "correlate", "incident_kind", "precursors", "root_cause", "runbooks", "act", "deliver"];
    let stages = stages.iter().chain(&["pipeline", "store", "runtime"]).map(|stage| format!("engine::{stage}"));
    let words: Vec<String> = stages.collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_none(&offenders("src/engine/attach", &words, &[]), "it carries pictures and requests, whoever makes them");
}

/// Pictures are postcard where they are kept and sent, which has neither names nor fields that may be missing.
#[test]
fn what_a_picture_holds_is_written_field_by_field() {
    let held = [
        "src/engine/model/",
        "src/engine/snapshot.rs",
        "src/engine/clock.rs",
        "src/engine/patches/picture",
        "src/engine/patches/rollout/",
        "src/engine/patches/exceptions",
        "src/engine/attach/delta/",
    ];
    // It reads both forms of a text, and postcard as it stands.
    let but = ["src/engine/model/subject.rs"];
    let mut found = Vec::new();
    for source in rust_files("src/engine") {
        let is_held = held.iter().any(|prefix| source.path.starts_with(prefix));
        if !is_held || but.contains(&source.path.as_str()) || is_test_file(&source.path) {
            continue;
        }
        for (number, line) in source.product_lines().filter(|(_, line)| line.contains("serde(")) {
            for word in ["flatten", "untagged", "tag", "skip_serializing_if"].iter().filter(|word| names(line, word)) {
                found.push(format!("{}:{number}: names `{word}`: {}", source.path, line.trim()));
            }
        }
    }
    assert_none(&found, "postcard would read something else than was written");
}

#[test]
fn sled_is_named_in_the_store_only() {
    assert_none(&offenders("src", &["sled"], &["src/engine/store/"]), "the store is one folder");
}

#[test]
fn steps_are_approved_in_one_place() {
    let mut makers = Vec::new();
    for source in rust_files("src").iter().filter(|source| !is_test_file(&source.path)) {
        for (number, line) in source.product_lines() {
            if (line.contains("ApprovedStep {") || line.contains("ApprovedStep::new("))
                && !line.contains("struct")
                && !line.contains("impl")
            {
                makers.push((source.path.clone(), number));
            }
        }
    }
    assert!(!makers.is_empty(), "nothing makes an approved step; this test looks for the wrong text");
    let elsewhere: Vec<String> = makers
        .iter()
        .filter(|(path, _)| path != "src/engine/act/policy/mod.rs")
        .map(|(path, number)| format!("{path}:{number}"))
        .collect();
    assert_none(&elsewhere, "only the gate makes an approved step");
}

#[test]
fn nothing_is_printed_past_the_one_writer() {
    let words = ["println!", "print!", "eprintln!", "eprint!"];
    assert_none(&offenders("src", &words, &[]), "text goes out through app::cli::output or the screen");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = ["src", "tests", "benches"]
        .iter()
        .filter(|folder| root().join(folder).exists())
        .flat_map(|folder| rust_files(folder))
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path)
        .collect();
    assert_none(&silent, "a file opens with `//!`");
}

#[test]
fn files_stay_readable() {
    let mut found = Vec::new();
    for source in rust_files("src").iter().filter(|source| !is_test_file(&source.path)) {
        let lines = source.product().lines().count();
        let max = LONG_FILES.iter().find(|(path, _)| *path == source.path).map_or(FILE_LINES_MAX, |(_, max)| *max);
        if lines > max {
            found.push(format!("{}: {lines} lines, at most {max}", source.path));
        }
    }
    assert_none(&found, "a file has one subject");
}

#[test]
fn every_source_file_is_reached() {
    let mut lost = Vec::new();
    for source in rust_files("src") {
        let path = Path::new(&source.path);
        let (Some(stem), Some(folder)) = (path.file_stem(), path.parent()) else { continue };
        let stem = stem.to_string_lossy();
        if ["lib", "main"].contains(&stem.as_ref()) {
            continue;
        }
        let (module, parents) = if stem == "mod" {
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            (name, folder.parent().unwrap().to_owned())
        } else {
            (stem.into_owned(), folder.to_owned())
        };
        let candidates = [parents.join("mod.rs"), parents.join("lib.rs"), parents.with_extension("rs")]
            .map(|path| root().join(path));
        let is_named = candidates.iter().filter_map(|path| fs::read_to_string(path).ok()).any(|text| {
            text.lines().any(|line| {
                let line = line.trim();
                line.ends_with(&format!("mod {module};")) || line.contains(&format!("mod {module} {{"))
            })
        });
        if !is_named {
            lost.push(source.path);
        }
    }
    assert_none(&lost, "no module names this file");
}

#[test]
fn names_say_what_they_hold() {
    let banned = ["utils", "util", "helpers", "helper", "manager", "misc", "common"];
    let found: Vec<String> = rust_files("src")
        .into_iter()
        .map(|source| source.path)
        .filter(|path| {
            Path::new(path).file_stem().is_some_and(|stem| banned.contains(&stem.to_string_lossy().as_ref()))
        })
        .collect();
    assert_none(&found, "a file is named after its subject");
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    // Spelt apart, so that this file does not find itself.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut found = Vec::new();
    for source in rust_files("src") {
        for (index, line) in source.text.lines().enumerate() {
            if words.iter().any(|word| names(line, word)) || line.contains("#[allow(") || line.contains("#![allow(") {
                found.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    assert_none(&found, "mend it, or say in #[expect(…, reason = …)] why not");
}
