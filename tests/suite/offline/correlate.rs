//! `hypo correlate` and `hypo eval correlate`.

use super::{Folder, check, hypo};

/// A storm's name and files, the exit code, its lines, and words that are told.
type Case<'a> = (&'a str, Vec<(&'a str, &'a [u8])>, i32, usize, Vec<&'a str>);

fn correlate(folder: &Folder, from: &str) -> std::process::Output {
    let [from, to] = [from, "out"].map(|name| folder.path(name).display().to_string());
    hypo(folder.0.path(), &["correlate", &from, &to])
}

fn alert(name: &str, service: &str, starts_at: &str) -> String {
    format!(
        r#"{{"status":"firing","labels":{{"alertname":"{name}","service":"{service}"}},"annotations":{{}},"startsAt":"{starts_at}","endsAt":"0001-01-01T00:00:00Z","fingerprint":"{name}{service}"}}"#
    )
}

#[test]
fn odd_storms_have_an_answer_for_every_line() {
    let two =
        format!("{}\n{}\n", alert("A", "cart", "2026-11-21T14:31:45Z"), alert("B", "payment", "2026-11-21T14:31:50Z"));
    let long = format!(
        "{}\n{}\n",
        alert("A", &"x".repeat(1 << 20), "2026-11-21T14:31:45Z"),
        alert("B", "cart", "2026-11-21T14:31:45Z")
    );
    let far: String = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "2026-11-21T14:31:45Z"]
        .iter()
        .enumerate()
        .map(|(at, time)| format!("{}\n", alert(&format!("A{at}"), "cart", time)))
        .collect();
    let broken = format!(
        "{}\nnonsense\n{{\"labels\":{{}},\"startsAt\":\"2026-11-21T14:31:45Z\"}}\n{}\n\n\u{1b}\n[]\n",
        alert("A", "cart", "2026-11-21T14:31:45Z"),
        alert("B", "cart", "yesterday")
    );
    let cycle: &[u8] = br#"{"services":["cart","payment"],"edges":[{"caller":"cart","callee":"payment"},{"caller":"payment","callee":"cart"},{"caller":"cart","callee":"cart"},{"caller":"ghost","callee":"cart"}],"pods":[{"pod":"p","service":"nobody","node":"n"}],"zones":{"n":"z"}}"#;
    let cases: Vec<Case<'_>> = vec![
        ("empty", vec![("alerts.jsonl", b"")], 0, 0, vec![]),
        ("bare", vec![("alerts.jsonl", two.as_bytes())], 0, 2, vec![]),
        ("cycle", vec![("alerts.jsonl", two.as_bytes()), ("topology.json", cycle)], 0, 2, vec![]),
        ("long", vec![("alerts.jsonl", long.as_bytes())], 0, 2, vec![]),
        ("far", vec![("alerts.jsonl", far.as_bytes())], 0, 4, vec![]),
        ("broken", vec![("alerts.jsonl", broken.as_bytes())], 0, 7, vec!["alerts.jsonl:2"]),
        (
            "topology",
            vec![("alerts.jsonl", two.as_bytes()), ("topology.json", b"{\"services\":")],
            1,
            2,
            vec!["topology.json"],
        ),
        ("changes", vec![("alerts.jsonl", two.as_bytes()), ("changes.json", b"{}")], 1, 2, vec!["changes.json"]),
        (
            "when",
            vec![("alerts.jsonl", two.as_bytes()), ("changes.json", br#"[{"ts":"soon","service":"cart"}]"#)],
            0,
            2,
            vec!["changes.json", "soon"],
        ),
    ];
    for (name, files, code, lines, words) in cases {
        let folder = Folder::new(&[]);
        for (file, bytes) in files {
            folder.write(&format!("{name}/{file}"), bytes);
        }
        check(&correlate(&folder, name), code, &words);
        let answer: serde_json::Value = serde_json::from_str(&folder.read(&format!("out/{name}/groups.json"))).unwrap();
        assert_eq!(answer["groups"].as_array().unwrap().len(), lines, "{name}");
    }
}

#[test]
fn one_storm_that_cannot_be_read_leaves_the_others_grouped() {
    let one = format!("{}\n", alert("A", "cart", "2026-11-21T14:31:45Z"));
    let folder =
        Folder::new(&[("storms/a/alerts.jsonl", one.as_bytes()), ("storms/b/topology.json", b"{}"), ("file", b"")]);
    check(&correlate(&folder, "storms"), 0, &[]);
    assert!(folder.path("out/a/groups.json").exists());
    let [from, to] = ["storms", "file"].map(|name| folder.path(name).display().to_string());
    check(&hypo(folder.0.path(), &["correlate", &from, &to]), 2, &["file"]);
}
