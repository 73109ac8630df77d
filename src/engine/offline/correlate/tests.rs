//! Storms in folders: what is read, what is dropped, what comes out.

use std::fs;
use std::path::Path;

use super::{correlate, read_storm, storms, write_groups};

fn line(name: &str, service: &str, second: u32, status: &str) -> String {
    format!(
        r#"{{"status":"{status}","labels":{{"alertname":"{name}","service":"{service}"}},"startsAt":"2026-01-01T00:{:02}:{:02}Z","endsAt":"2026-01-01T01:00:00Z","fingerprint":"{name}-{service}"}}"#,
        second / 60,
        second % 60
    )
}

fn storm(folder: &Path, alerts: &[String]) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("alerts.jsonl"), alerts.join("\n")).unwrap();
    let topology = r#"{"services":["web","cart","db","mail"],"edges":[{"caller":"web","callee":"cart"},{"caller":"cart","callee":"db"},{"caller":"db","callee":"cart"}]}"#;
    fs::write(folder.join("topology.json"), topology).unwrap();
}

fn cascade() -> Vec<String> {
    let mut alerts = Vec::new();
    for (name, service, second) in [
        ("DBSlowQueries", "db", 0),
        ("DBConnectionsHigh", "db", 10),
        ("HighErrorRate", "cart", 60),
        ("HighLatency", "cart", 70),
        ("UpstreamTimeouts", "cart", 75),
        ("HighErrorRate", "web", 100),
        ("HighLatency", "web", 110),
        ("SLOBurn", "web", 130),
        ("SLOBurn", "cart", 131),
    ] {
        alerts.push(line(name, service, second, "firing"));
    }
    alerts
}

#[test]
fn a_cascade_is_one_group_with_its_root_and_an_end_follows_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let mut alerts = cascade();
    alerts.push(line("HighErrorRate", "cart", 60, "resolved"));
    storm(folder.path(), &alerts);
    let read = read_storm(folder.path()).unwrap();
    assert_eq!(read.dropped.count, 0, "{:?}", read.dropped.told);
    let answer = correlate(read);
    assert!(answer.groups.iter().all(|group| *group == answer.groups[0] && group.is_some()), "{:?}", answer.groups);
    assert_eq!(answer.roots.values().collect::<Vec<_>>(), ["db"]);
}

#[test]
fn what_cannot_be_used_is_counted_and_named_and_the_rest_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let mut alerts = cascade();
    alerts.insert(3, "not json".to_owned());
    alerts.push(r#"{"status":"firing","labels":{},"startsAt":"2026-01-01T00:00:00Z"}"#.to_owned());
    alerts.push(r#"{"status":"firing","labels":{"alertname":"A"},"startsAt":"yesterday"}"#.to_owned());
    alerts.push(line("Never", "told", 5, "resolved"));
    storm(folder.path(), &alerts);
    fs::write(folder.path().join("changes.json"), r#"[{"ts":"never","service":"db"}]"#).unwrap();
    let read = read_storm(folder.path()).unwrap();
    assert_eq!(read.dropped.count, 5, "{:?}", read.dropped.told);
    assert!(read.dropped.told.iter().any(|told| told.contains("alerts.jsonl:4")), "{:?}", read.dropped.told);
    let answer = correlate(read);
    assert_eq!(answer.groups.len(), alerts.len());
    assert_eq!(answer.groups[3], None);
    assert_eq!(answer.groups.iter().flatten().count(), cascade().len());
}

#[test]
fn nothing_and_next_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for alerts in [Vec::new(), vec![line("Lone", "mail", 3, "firing")]] {
        storm(folder.path(), &alerts);
        let answer = correlate(read_storm(folder.path()).unwrap());
        assert_eq!(answer.groups, vec![None; alerts.len()]);
    }
    fs::write(folder.path().join("alerts.jsonl"), b"\xff\xfe{\n").unwrap();
    fs::remove_file(folder.path().join("topology.json")).unwrap();
    assert_eq!(correlate(read_storm(folder.path()).unwrap()).groups, [None]);
}

#[test]
fn a_folder_is_a_storm_or_holds_storms() {
    let folder = tempfile::tempdir().unwrap();
    assert!(storms(folder.path()).unwrap_err().to_string().contains("no storm in"));
    storm(&folder.path().join("b"), &cascade());
    storm(&folder.path().join("a"), &[]);
    let found = storms(folder.path()).unwrap();
    assert_eq!(found, [folder.path().join("a"), folder.path().join("b")]);
    assert_eq!(storms(&found[1]).unwrap(), [found[1].clone()]);
    let answer = correlate(read_storm(&found[1]).unwrap());
    let path = write_groups(&folder.path().join("out"), &found[1], &answer).unwrap();
    let written: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(written["groups"].as_array().unwrap().len(), 9);
    assert_eq!(written["roots"].as_object().unwrap().len(), 1);
}
