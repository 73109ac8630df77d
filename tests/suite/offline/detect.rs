//! `hypo detect` and `hypo eval detect`.

use std::fmt::Write;

use super::{Folder, check, hypo};

fn detect(folder: &Folder, from: &str, to: &str) -> std::process::Output {
    let [from, to] = [from, to].map(|name| folder.path(name).display().to_string());
    hypo(folder.0.path(), &["detect", &from, &to])
}

/// Rows a minute apart with these values.
fn rows(values: impl Iterator<Item = String>) -> String {
    values.enumerate().fold("timestamp,value\n".to_owned(), |mut text, (at, value)| {
        writeln!(text, "{},{value}", 1_795_271_520 + 60 * at).unwrap();
        text
    })
}

#[test]
fn odd_series_are_scored_as_far_as_they_go() {
    let values = |text: &[&str]| rows(text.iter().cycle().take(400).map(|value| (*value).to_owned()));
    let cases: Vec<(&str, Vec<u8>, i32, Vec<&str>)> = vec![
        ("header.csv", b"timestamp,value\n".to_vec(), 0, vec![]),
        ("one.csv", b"timestamp,value\n1795271520,7\n".to_vec(), 0, vec![]),
        ("constant.csv", values(&["7"]).into(), 0, vec![]),
        ("huge.csv", values(&["1e15", "-1e15", "1e300", "-1e308", "5e-324"]).into(), 0, vec![]),
        ("none.csv", values(&["NaN", "inf", "-inf", "", "x", "null"]).into(), 0, vec!["none.csv", "400 values", "line 2"]),
        ("back.csv", b"timestamp,value\n300,1\n200,2\n200,3\n9e15,4\n100,5\n".to_vec(), 0, vec![]),
        ("stamps.csv", b"timestamp,value\nyesterday,1\n,2\nNaN,3\ninf,4\n1e300,5\n-1e300,6\n9223372036854775807,7\n".to_vec(), 0, vec!["stamps.csv", "line 2"]),
        ("times.csv", b"timestamp,value\n2026-11-21T14:31:45Z,1\n2026-11-21 14:32:45,2\n0001-01-01T00:00:00Z,3\n9999-12-31T23:59:59Z,4\n".to_vec(), 0, vec![]),
        ("ragged.csv", b"timestamp,m0,m1\n1,2\n2\n3,4,5,6,7\n\n4,5,6\n".to_vec(), 0, vec!["ragged.csv"]),
        ("bytes.csv", b"timestamp,value\n1,\xff\xfe\n\x00\x1b[2J,2\n3,4\n".to_vec(), 0, vec!["bytes.csv"]),
        ("quotes.csv", b"timestamp,value\n1,\"2\n3,4\n5,6\n".to_vec(), 0, vec![]),
        ("long.csv", format!("timestamp,value\n1,{}\n2,3\n", "9".repeat(1 << 20)).into(), 0, vec!["long.csv"]),
        ("wide.csv", format!("timestamp{}\n1{}\n2{}\n", ",m".repeat(5_000), ",1".repeat(5_000), ",2".repeat(5_000)).into(), 0, vec![]),
        ("empty.csv", b"".to_vec(), 2, vec!["empty.csv"]),
        ("single.csv", b"timestamp\n1\n2\n".to_vec(), 2, vec!["single.csv", "line 1"]),
    ];
    for (name, bytes, code, words) in cases {
        let folder = Folder::new(&[(name, &bytes)]);
        let output = detect(&folder, name, "out");
        check(&output, code, &words);
        if code != 0 {
            continue;
        }
        let mut scored = csv::ReaderBuilder::new().from_path(folder.path(&format!("out/{name}"))).unwrap();
        for row in scored.records() {
            let score: f64 = row.unwrap()[1].parse().unwrap();
            assert!((0.0..=1.0).contains(&score), "{name}: {score}");
        }
    }
}

#[test]
fn one_bad_series_leaves_the_others_scored() {
    let good = rows((0..50).map(|at| at.to_string()));
    let folder =
        Folder::new(&[("in/a.csv", good.as_bytes()), ("in/b.csv", b"no table"), ("in/deep/c.csv", good.as_bytes())]);
    check(&detect(&folder, "in", "out"), 1, &["b.csv"]);
    for name in ["out/a.csv", "out/deep/c.csv"] {
        assert_eq!(folder.read(name).lines().count(), 51, "{name}");
    }
}

#[test]
fn a_series_is_never_replaced_by_its_scores() {
    let good = rows((0..50).map(|at| at.to_string()));
    let folder = Folder::new(&[("in/a.csv", good.as_bytes()), ("file", b"")]);
    check(&detect(&folder, "in", "in"), 2, &["in"]);
    check(&detect(&folder, "in", "in/../in"), 2, &["in"]);
    check(&detect(&folder, "in/a.csv", "in"), 2, &["a.csv"]);
    assert_eq!(folder.read("in/a.csv"), good);
    check(&detect(&folder, "in", "file"), 2, &["file"]);
}
