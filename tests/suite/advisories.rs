//! `hypo advisories`: feeds from files and servers, what is refused, and what they say.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::binary::{hypo, json};

const KEV: &str = r#"{"catalogVersion": "2026.11.20", "count": 2, "vulnerabilities": [
    {"cveID": "CVE-2024-3094", "dateAdded": "2024-03-30", "dueDate": "2024-04-20", "knownRansomwareCampaignUse": "Known",
     "vulnerabilityName": "XZ Utils embedded malicious code", "forensicTriage": "Yes"},
    {"cveID": "CVE-2026-1111", "dateAdded": "2026-11-01"}]}"#;
const NVD: &str = r#"{"resultsPerPage": 2, "startIndex": 0, "totalResults": 2, "format": "NVD_CVE", "vulnerabilities": [
    {"cve": {"id": "CVE-2024-3094", "published": "2024-03-29T17:15:21.150", "vulnStatus": "Modified",
      "descriptions": [{"lang": "en", "value": "Malicious code in the tarballs of xz"}],
      "metrics": {"cvssMetricV31": [{"source": "secalert@redhat.com", "type": "Secondary",
        "cvssData": {"version": "3.1", "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", "baseScore": 10.0}}]}}},
    {"cve": {"id": "CVE-2026-1111", "vulnStatus": "Deferred", "metrics": {}}}]}"#;
const DEBIAN: &str = r#"{"xz-utils": {"CVE-2024-3094": {"releases": {
    "bookworm": {"status": "resolved", "fixed_version": "0"}, "sid": {"status": "resolved", "fixed_version": "5.6.1+really5.4.5-1"}}}}}"#;
const OSV: &str = r#"{"id": "RUSTSEC-2026-0001", "aliases": ["CVE-2026-2222"], "summary": "Out of bounds",
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}],
    "affected": [{"package": {"ecosystem": "crates.io", "name": "thing"},
      "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.3"}]}]}]}"#;

fn import(home: &Path, feed: &str, text: &str, more: &[&str]) -> Output {
    let file = home.join(format!("{feed}.document"));
    std::fs::write(&file, text).unwrap();
    let mut arguments = vec!["advisories", "import", file.to_str().unwrap(), "--feed", feed];
    arguments.extend(more);
    hypo(home, &arguments)
}

#[test]
fn feeds_are_taken_from_files_and_tell_what_they_know() {
    let home = tempfile::tempdir().unwrap();
    let epss = "#model_version:v2025.03.14,score_date:2026-11-20T00:00:00+0000\ncve,epss,percentile\nCVE-2024-3094,0.85,0.993\n";
    for (feed, text) in [("kev", KEV), ("nvd", NVD), ("debian", DEBIAN), ("osv", OSV), ("epss", epss)] {
        let taken = json(&import(home.path(), feed, text, &["--json"]));
        assert_eq!((&taken["outcome"], &taken["set_aside_count"]), (&"taken".into(), &0.into()), "{taken}");
    }
    let feeds = json(&hypo(home.path(), &["advisories", "feeds", "--json"]));
    let states: Vec<&str> = feeds.as_array().unwrap().iter().map(|feed| feed["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["fresh"; 5]);
    assert_eq!((&feeds[0]["head"]["of"], &feeds[1]["head"]["of"]), (&"2026.11.20".into(), &"2026-11-20".into()));

    let all = json(&hypo(home.path(), &["advisories", "list", "--json"]));
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["CVE-2026-1111", "CVE-2024-3094", "RUSTSEC-2026-0001"]);
    assert_eq!(all[0]["cvss"], Value::Null, "a score that is missing is unknown and not 0");
    assert_eq!(all[2]["cvss"], 7.5, "of a vector");
    let exploited = json(&hypo(home.path(), &["advisories", "list", "--kev", "--json", "--limit", "1"]));
    assert_eq!(exploited.as_array().unwrap().len(), 1);
    let of_package = json(&hypo(home.path(), &["advisories", "list", "--package", "thing", "--json"]));
    assert_eq!(of_package[0]["id"], "RUSTSEC-2026-0001");

    let shown = json(&hypo(home.path(), &["advisories", "show", "CVE-2024-3094", "--json"]));
    assert_eq!((&shown["cvss"], &shown["is_known_exploited"]), (&10.0.into(), &true.into()));
    assert!(shown["cvss_source"].as_str().unwrap().contains("secalert@redhat.com"));
    assert_eq!(shown["known_exploited"]["is_ransomware"], true);
    assert_eq!(shown["debian"].as_array().unwrap().len(), 2);
    let text = hypo(home.path(), &["advisories", "show", "CVE-2024-3094"]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("mended in 5.6.1+really5.4.5-1") && text.contains("never affected"), "{text}");
    let unknown = hypo(home.path(), &["advisories", "show", "CVE-2020-0001"]);
    assert_eq!(unknown.status.code(), Some(2));
}

#[test]
fn what_cannot_be_trusted_is_refused_and_what_was_known_stays() {
    let home = tempfile::tempdir().unwrap();
    assert!(import(home.path(), "kev", KEV, &[]).status.success());
    let one = KEV.replace(
        r#",
    {"cveID": "CVE-2026-1111", "dateAdded": "2026-11-01"}"#,
        "",
    );
    for (text, said) in [
        (&KEV[..200], "cannot be read"),
        (one.as_str(), "1 entries where the one before had 2"),
        ("{}", "cannot be read"),
    ] {
        let refused = import(home.path(), "kev", text, &[]);
        assert_eq!(refused.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&refused.stderr).contains(said), "{refused:?}");
        let feeds = hypo(home.path(), &["advisories", "feeds", "--json"]);
        assert_eq!(feeds.status.code(), Some(1));
        let feeds = json(&feeds);
        assert_eq!((&feeds[0]["state"], &feeds[0]["head"]["count"]), (&"failing".into(), &2.into()));
        assert!(feeds[0]["tried"]["error"].as_str().unwrap().contains(said));
    }
    // A person may say that it is right, and the audit log keeps why.
    let taken = json(&import(home.path(), "kev", &one, &["--json", "--allow-shrink", "one was withdrawn"]));
    assert_eq!(taken["count"], 1);
    let audit = json(&hypo(home.path(), &["audit", "list", "--json"]));
    let last = audit["entries"].as_array().unwrap().last().unwrap();
    assert_eq!(last["text"], "allowed KEV to shrink: one was withdrawn");
    assert!(hypo(home.path(), &["audit", "verify"]).status.success());
    let empty = import(home.path(), "kev", &one, &["--allow-shrink", " "]);
    assert_eq!(empty.status.code(), Some(2));
}

#[test]
fn feeds_are_renewed_from_servers_and_one_that_fails_holds_up_no_other() {
    let home = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(MockServer::start());
    for (at, template) in [
        ("/kev.json", ResponseTemplate::new(404)),
        ("/tracker.json", ResponseTemplate::new(200).set_body_string(DEBIAN)),
    ] {
        runtime.block_on(Mock::given(method("GET")).and(path(at)).respond_with(template).mount(&server));
    }
    let config = home.path().join("config.toml");
    let text = format!(
        "[patches.feeds.kev]\nurl = \"{0}/kev.json\"\n[patches.feeds.debian]\nurl = \"{0}/tracker.json\"\n\
         [patches.feeds.nvd]\nurl = \"\"\n[patches.feeds.epss]\nurl = \"\"\n",
        server.uri()
    );
    std::fs::write(&config, text).unwrap();
    let output = hypo(home.path(), &["advisories", "sync", "--json", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let told = json(&output);
    let outcomes: Vec<&str> = told.as_array().unwrap().iter().map(|feed| feed["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["failed", "not_fetched", "not_fetched", "not_fetched", "taken"]);
    assert!(told[0]["problem"].as_str().unwrap().contains("404"));
}
