//! `hypo templates` and `hypo eval logs`.

use super::{Folder, check, hypo, packed};

fn templates(folder: &Folder, from: &str, to: &str) -> std::process::Output {
    let [from, to] = [from, to].map(|name| folder.path(name).display().to_string());
    hypo(folder.0.path(), &["templates", &from, &to])
}

#[test]
fn a_log_becomes_a_table_and_an_answer_for_each_line() {
    let text = "2026-11-21 14:31:45 INFO job 7 done in 12ms\n2026-11-21 14:31:46 INFO job 8 done in 3ms\n\
                2026-11-21 14:31:47 WARN disk full\n";
    let folder = Folder::new(&[("app.log", text.as_bytes())]);
    let output = templates(&folder, "app.log", "out.jsonl");
    check(&output, 0, &[]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("3 lines, 2 templates") && told.contains("2  job <*> done in <*>"), "{told}");
    let lines: Vec<serde_json::Value> =
        folder.read("out.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[2]["id"], &lines[2]["template"]), (3, &3.into(), &"disk full".into()));
    assert_eq!(lines[0]["group"], lines[1]["group"]);
    assert!(folder.read("out.time.json").contains("wall_ms"));
}

#[test]
fn odd_files_are_read_as_far_as_they_go() {
    let long = format!("{}\nafter the long one\n", "x".repeat(1 << 20));
    let packed_half = {
        let lines: String = (0_u64..50_000).map(|n| format!("job {} done\n", n.wrapping_mul(n + 7_919))).collect();
        let whole = packed(&lines);
        whole[..whole.len() / 2].to_vec()
    };
    let cases: &[(&str, &[u8], i32, &[&str])] = &[
        ("empty.log", b"", 0, &[]),
        ("one.log", b"alone", 0, &[]),
        ("blank.log", b"\n\n \t \n", 0, &[]),
        ("mark.log", b"\xef\xbb\xbfbegins with a mark\r\nand ends so\r\n", 0, &[]),
        ("header.log", b"2026-11-21 14:31:45 INFO\n2026-11-21 14:31:45 INFO\n", 0, &[]),
        ("bytes.log", b"\x00\x01\xff\xfe\x80 binary \x1b[2J\n\x9b31m\n", 0, &["no UTF-8"]),
        ("long.log", long.as_bytes(), 0, &["1 lines were too long"]),
        ("half.log.gz", &packed_half, 1, &["half.log.gz", "cannot be read past line"]),
        ("fake.log.gz", b"\x1f\x8bno such packing", 1, &["fake.log.gz"]),
        ("plain.log.gz", b"not packed at all\n", 0, &[]),
        (
            "broken.jsonl",
            b"{\"id\":1,\"content\":\"a\"}\n{\"id\":2\nnull\n[]\n{\"id\":3}\n",
            0,
            &["broken.jsonl", "4 lines", "line 2"],
        ),
        (
            "ids.jsonl",
            b"{\"id\":1,\"content\":\"a\"}\n{\"id\":1,\"content\":\"b\"}\n{\"id\":-1.5e300,\"raw\":\"c\"}\n",
            0,
            &[],
        ),
        (
            "types.jsonl",
            b"{\"content\":7}\n{\"content\":null}\n{\"content\":{\"a\":[]}}\n",
            0,
            &["types.jsonl", "2 lines"],
        ),
    ];
    for (name, bytes, code, words) in cases {
        let folder = Folder::new(&[(name, bytes)]);
        let output = templates(&folder, name, "out.jsonl");
        check(&output, *code, words);
        for line in folder.read("out.jsonl").lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["group"].is_u64() && line["template"].is_string(), "{name}: {line}");
        }
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{name}: {shown:?}");
    }
}

#[test]
fn one_bad_file_in_a_folder_leaves_the_others_done() {
    let folder = Folder::new(&[
        ("logs/a.log", b"job 7 done\n"),
        ("logs/b.log.gz", b"\x1f\x8bnothing"),
        ("logs/c.jsonl", b"{\"msg\":\"job 7 done\"}\n"),
        ("logs/notes.md", b"none of the logs\n"),
        ("logs/inner.log/d.log", b"in a folder of its own\n"),
    ]);
    let output = templates(&folder, "logs", "out");
    check(&output, 1, &["b.log.gz"]);
    assert_eq!(folder.read("out/a.jsonl").lines().count(), 1);
    assert_eq!(folder.read("out/c.jsonl").lines().count(), 1);
    assert!(!folder.path("out/notes.jsonl").exists() && !folder.path("out/inner.jsonl").exists());
}

#[test]
fn an_answer_that_cannot_be_written_is_no_answer() {
    let folder = Folder::new(&[("app.log", b"job 7 done\n"), ("file", b"")]);
    let output = templates(&folder, "app.log", "file/out.jsonl");
    check(&output, 2, &["cannot write", "file/out.jsonl"]);
    let logs = Folder::new(&[("app.log", b"job 7 done\n")]);
    let [from, to] = [logs.0.path(), &folder.path("file")].map(|path| path.display().to_string());
    check(&hypo(folder.0.path(), &["templates", &from, &to]), 2, &["file"]);
}

#[test]
fn a_log_is_never_replaced_by_its_answer() {
    let text = b"{\"id\":1,\"msg\":\"job 7 done\"}\n";
    let folder = Folder::new(&[
        ("logs/app.jsonl", text),
        ("logs/more/app.log", b"x"),
        ("two/a.log", b"x"),
        ("two/a.log.gz", b"y"),
    ]);
    check(&templates(&folder, "logs", "logs"), 2, &["the log itself"]);
    check(&templates(&folder, "logs/app.jsonl", "logs/more/../app.jsonl"), 2, &["the log itself"]);
    assert_eq!(folder.read("logs/app.jsonl").as_bytes(), text);
    check(&templates(&folder, "two", "out"), 0, &[]);
    assert!(folder.path("out/a.jsonl").exists() && folder.path("out/a.log.gz.jsonl").exists());
}

#[test]
fn labels_that_cannot_be_read_are_named_and_the_rest_is_measured() {
    let lines = "{\"id\":1,\"content\":\"job 7 done\",\"raw\":\"job 7 done\"}\n";
    let folder = Folder::new(&[
        ("a.jsonl.gz", &packed(lines)),
        ("a.truth.jsonl.gz", &packed("{\"id\":1,\"event\":\"E1\",\"template\":\"job <*> done\"}\n")),
        ("b.jsonl", lines.as_bytes()),
        ("b.truth.jsonl", b"{\"id\":\n"),
        ("c.jsonl", lines.as_bytes()),
    ]);
    let dir = folder.0.path().display().to_string();
    let output = hypo(folder.0.path(), &["eval", "logs", &dir, "--json"]);
    check(&output, 1, &["b.truth.jsonl", "line 1"]);
    let tables: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(tables[0]["rows"][0][0], "a");
    assert_eq!(tables[0]["rows"][0][4], 1.0);
    assert_eq!(tables[0]["rows"].as_array().unwrap().len(), 2, "a and the mean");
}
