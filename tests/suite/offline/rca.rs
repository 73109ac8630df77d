//! `hypo rca` and `hypo eval rca`.

use super::{Folder, check, hypo, packed};

/// A name, the tables of a case, the exit code, and words that are told.
type Tables<'a> = (&'a str, [(&'a str, Option<&'a [u8]>); 4], i32, Vec<&'a str>);

fn rca(folder: &Folder) -> std::process::Output {
    let [case, out] = ["case", "ranking.json"].map(|name| folder.path(name).display().to_string());
    hypo(folder.0.path(), &["rca", &case, &out])
}

const CASE: &str = r#"{"format":1,"id":"x","detected_at":1795272000,"incident":{"start":1795271700,"end":1795272600},
"baseline":{"start":1795268000,"end":1795271700},"symptom":{"service":"cart","metric":"latency"},
"services":["cart","payment"],"topology":[{"caller":"cart","callee":"payment"},{"caller":"payment","callee":"cart"},{"caller":"cart","callee":"cart"}],
"instances":[{"instance":"cart-1","service":"nobody"}],"changes":[{"id":"c1","kind":"odd","ts":1795271600,"service":"ghost"},{"kind":"deploy"}],
"files":{"metrics":"m.csv.gz","logs":"l.jsonl.gz","traces":"t.jsonl.gz","alerts":"a.jsonl.gz"},"baseline_files":{}}"#;

#[test]
fn a_case_that_is_none_is_named() {
    for (text, words) in
        [("", vec!["case.json"]), ("[]", vec!["case.json", "not an object"]), ("{\"id\":", vec!["case.json"])]
    {
        let folder = Folder::new(&[("case/case.json", text.as_bytes())]);
        check(&rca(&folder), 2, &words);
    }
    check(&rca(&Folder::new(&[("case/other.json", b"{}")])), 2, &["case.json"]);
    let folder = Folder::new(&[("case/case.json", b"{}"), ("file", b"")]);
    let [case, out] = ["case", "file/out.json"].map(|name| folder.path(name).display().to_string());
    check(&hypo(folder.0.path(), &["rca", &case, &out]), 2, &["cannot write", "file/out.json"]);
}

#[test]
fn odd_tables_are_read_as_far_as_they_go() {
    let metrics: String = (0..60).fold("ts,cart|latency,payment|cpu,ghost|errors,odd\n".to_owned(), |text, at| {
        let (ts, value) = (1_795_268_400 + at * 60, if at > 54 { "1e15" } else { "1" });
        format!("{text}{ts},{value},{},NaN,x\n", at % 3)
    });
    let half = {
        let text: String =
            (0_u64..20_000).map(|n| format!("{},{},{}\n", 1_795_268_000 + n, n.wrapping_mul(n), n ^ 77)).collect();
        let whole = packed(&format!("ts,cart|latency,payment|cpu\n{text}"));
        whole[..whole.len() / 2].to_vec()
    };
    let long = packed(&format!(
        "{{\"ts\":1795271800,\"service\":\"cart\",\"level\":\"error\",\"body\":\"{}\"}}\n",
        "x".repeat(1 << 20)
    ));
    let logs = packed(
        "nonsense\n{\"ts\":null}\n{\"ts\":1e300,\"service\":\"cart\",\"body\":\"a\"}\n{\"ts\":1795271800,\"service\":\"nobody\",\"body\":\"\\u0000\\u001b[2J\"}\n",
    );
    let spans = packed(
        "{\"ts\":1795271800,\"trace\":\"t\",\"span\":\"s\",\"parent\":\"s\",\"service\":\"cart\",\"op\":\"o\",\"dur_us\":-5}\n\
         {\"ts\":1795271800,\"trace\":\"t\",\"span\":\"a\",\"parent\":\"b\",\"service\":\"cart\",\"op\":\"o\",\"dur_us\":1e300}\n\
         {\"ts\":1795271800,\"trace\":\"t\",\"span\":\"b\",\"parent\":\"a\",\"service\":\"payment\",\"op\":\"o\",\"dur_us\":5,\"status\":7}\n",
    );
    let alerts = packed(
        "{\"id\":1,\"ts\":1795271800,\"source\":\"moon\",\"service\":\"cart\",\"name\":\"n\",\"value\":\"NaN\"}\n{\"ts\":-1e300,\"source\":\"metric\",\"service\":\"cart\"}\n",
    );
    let (whole, no_time) = (packed(&metrics), packed("time,cart|latency\n1,2\n"));
    let (none, fake) = (packed(""), b"\x1f\x8bnot packed".to_vec());
    let cases: Vec<Tables<'_>> = vec![
        (
            "all well",
            [
                ("m.csv.gz", Some(&whole)),
                ("l.jsonl.gz", Some(&none)),
                ("t.jsonl.gz", Some(&none)),
                ("a.jsonl.gz", Some(&none)),
            ],
            0,
            vec!["odd"],
        ),
        (
            "nothing there",
            [("m.csv.gz", None), ("l.jsonl.gz", None), ("t.jsonl.gz", None), ("a.jsonl.gz", None)],
            1,
            vec!["m.csv.gz", "a.jsonl.gz"],
        ),
        (
            "odd rows",
            [
                ("m.csv.gz", Some(&whole)),
                ("l.jsonl.gz", Some(&logs)),
                ("t.jsonl.gz", Some(&spans)),
                ("a.jsonl.gz", Some(&alerts)),
            ],
            0,
            vec!["logs", "line 1"],
        ),
        (
            "cut and long",
            [
                ("m.csv.gz", Some(&half)),
                ("l.jsonl.gz", Some(&long)),
                ("t.jsonl.gz", Some(&fake)),
                ("a.jsonl.gz", Some(&none)),
            ],
            1,
            vec!["m.csv.gz", "t.jsonl.gz"],
        ),
        (
            "no time",
            [
                ("m.csv.gz", Some(&no_time)),
                ("l.jsonl.gz", Some(&none)),
                ("t.jsonl.gz", Some(&none)),
                ("a.jsonl.gz", Some(&none)),
            ],
            1,
            vec!["no column ts"],
        ),
    ];
    for (name, files, code, words) in cases {
        let folder = Folder::new(&[("case/case.json", CASE.as_bytes())]);
        for (file, bytes) in files {
            if let Some(bytes) = bytes {
                folder.write(&format!("case/{file}"), bytes);
            }
        }
        let output = rca(&folder);
        eprintln!("{name}");
        check(&output, code, &words);
        let answer: serde_json::Value = serde_json::from_str(&folder.read("ranking.json")).unwrap();
        let ranking = answer["ranking"].as_array().unwrap();
        assert!(
            ranking.iter().all(|entry| entry["confidence"].as_f64().is_none_or(|sure| (0.0..=1.0).contains(&sure))),
            "{name}: {answer}"
        );
    }
}

#[test]
fn a_case_without_anything_is_answered() {
    for text in [
        "{}",
        r#"{"services":[],"files":{}}"#,
        r#"{"services":["a"],"detected_at":1e300,"incident":{"start":-1e300,"end":1e300},"baseline":{"start":5,"end":5},"files":{}}"#,
        r#"{"services":[1,null,"","a","a"],"topology":[{},7],"instances":"x","changes":{},"symptom":7,"files":[]}"#,
    ] {
        let folder = Folder::new(&[("case/case.json", text.as_bytes())]);
        check(&rca(&folder), 0, &[]);
        assert!(folder.read("ranking.json").contains("ranking"));
    }
}
