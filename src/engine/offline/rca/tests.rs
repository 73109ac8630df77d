//! Whatever lies in a case folder, reading it ends with an answer or a clear word.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::*;

fn packed(text: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

/// A case folder with these files, packed unless the name says otherwise.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = TempDir::new().unwrap();
    let named: serde_json::Map<String, Value> =
        files.iter().map(|(kind, _)| ((*kind).to_owned(), Value::from(format!("{kind}.gz")))).collect();
    let case = json!({"id": "t", "detected_at": 180.0, "incident": {"start": 60.0, "end": 240.0},
        "baseline": {"start": 0.0, "end": 59.0}, "symptom": {"service": "a", "metric": "latency"},
        "services": ["a", "b"], "topology": [{"caller": "a", "callee": "b"}, {"caller": "b", "callee": "a"}, {"caller": "a"}],
        "changes": [{"id": "c1"}], "files": named});
    fs::write(dir.path().join("case.json"), case.to_string()).unwrap();
    for (kind, bytes) in files {
        fs::write(dir.path().join(format!("{kind}.gz")), bytes).unwrap();
    }
    dir
}

#[test]
fn a_folder_without_a_case_says_what_to_do() {
    let dir = TempDir::new().unwrap();
    let said = answer(dir.path()).unwrap_err().to_string();
    assert!(said.contains("case.json") && said.contains("name a folder"), "{said}");
    for broken in ["", "[]", "{", "\"x\""] {
        fs::write(dir.path().join("case.json"), broken).unwrap();
        assert!(answer(dir.path()).unwrap_err().to_string().contains("is no case"), "{broken}");
    }
}

#[test]
fn an_empty_object_is_a_case_that_nothing_is_known_of() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("case.json"), "{}").unwrap();
    let answered = answer(dir.path()).unwrap();
    assert_eq!(answered.json["ranking"], json!([]));
    assert!(answered.set_aside.iter().any(|line| line.contains("no detected_at")));
}

#[test]
fn a_missing_and_a_truncated_file_are_named_and_the_rest_is_used() {
    let whole = packed(b"ts,a|latency,b|latency\n0,1,1\n60,1,1\n120,9,9\n180,9,9\n");
    let dir = folder(&[("metrics", &whole), ("logs", &whole[..20])]);
    fs::remove_file(dir.path().join("metrics.gz")).unwrap();
    let case = read_case(dir.path()).unwrap();
    assert!(case.is_partial);
    assert!(case.set_aside.iter().any(|line| line.contains("metrics.gz")), "{:?}", case.set_aside);
    assert!(
        case.set_aside.iter().any(|line| line.contains("logs.gz") && line.contains("is used")),
        "{:?}",
        case.set_aside
    );
}

#[test]
fn rows_out_of_order_odd_cells_and_columns_are_dealt_with() {
    let text = b"ts,a|latency,latency,b|x|latency\n120,9,1,2\n60,,inf,nan\n0,1,1e400,-3\nlater,1,1,1\n\n180,2\n";
    let dir = folder(&[("metrics", text)]);
    let case = read_case(dir.path()).unwrap();
    let table = &case.now.metrics;
    assert_eq!(table.ts, vec![0.0, 60.0, 120.0, 180.0]);
    assert_eq!(table.columns.len(), 2);
    assert_eq!(case.name(table.columns[1].node), "b|x", "the metric is what stands after the last bar");
    assert!(table.columns[0].values[1].is_nan() && table.columns[1].values[3].is_nan());
    assert!(case.set_aside.iter().any(|line| line.contains("column 3")), "{:?}", case.set_aside);
    assert!(case.set_aside.iter().any(|line| line.contains("1 rows without a time")), "{:?}", case.set_aside);
}

#[test]
fn lines_that_cannot_be_used_are_counted_with_the_first_of_them() {
    let mut text =
        b"{\"ts\":100,\"source\":\"metric\",\"service\":\"a\",\"name\":\"cpu\",\"value\":5}\nnonsense\n{\"ts\":null}\n"
            .to_vec();
    text.extend(b"{\"ts\":101,\"source\":\"log\",\"service\":\"new\",\"message\":\"\xff\xfe\"}\n");
    text.extend(
        format!("{{\"ts\":102,\"source\":\"log\",\"service\":\"a\",\"message\":\"{}\"}}\n", "x".repeat(1 << 20))
            .bytes(),
    );
    let dir = folder(&[("alerts", &packed(&text))]);
    let case = read_case(dir.path()).unwrap();
    assert!(
        case.set_aside.iter().any(|line| line.contains("alerts") && line.contains("line 2")),
        "{:?}",
        case.set_aside
    );
    assert!(case.now.alerts.iter().all(|alert| alert.message.len() <= 8 << 10));
    assert!(answer(dir.path()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0_usize..4) {
        let kind = ["metrics", "logs", "traces", "alerts"][kind];
        let dir = folder(&[(kind, &packed(&bytes))]);
        prop_assert!(answer(dir.path()).is_ok());
    }

    #[test]
    fn no_numbers_break_it(cells in proptest::collection::vec("-?[0-9]{1,3}(\\.[0-9]{1,2})?(e[0-9]{1,2})?|nan|inf|", 40)) {
        let mut text = "ts,a|latency,a|requests,b|latency,b|error_rate\n".to_owned();
        for (at, row) in cells.chunks(4).enumerate() {
            text += &format!("{},{}\n", at * 30, row.join(","));
        }
        let dir = folder(&[("metrics", &packed(text.as_bytes()))]);
        let answered = answer(dir.path()).unwrap();
        let confidences = answered.json["ranking"].as_array().unwrap().iter().map(|entry| entry["confidence"].as_f64());
        prop_assert!(confidences.into_iter().all(|confidence| confidence.is_some_and(|value| (0.0..=1.0).contains(&value))));
    }
}
