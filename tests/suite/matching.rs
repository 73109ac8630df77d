//! `hypo inventory` and `hypo patches list|show`: from a host and the feeds to an order of patches, each with its proof.

use std::path::Path;

use serde_json::Value;

use super::binary::{hypo, json};

const KEV: &str =
    r#"{"catalogVersion": "2026.11.20", "vulnerabilities": [{"cveID": "CVE-2026-0003", "dateAdded": "2026-11-01"}]}"#;
const NVD: &str = r#"{"totalResults": 3, "startIndex": 0, "vulnerabilities": [
    {"cve": {"id": "CVE-2026-0001", "metrics": {"cvssMetricV31": [{"source": "nvd@nist.gov", "type": "Primary", "cvssData": {"version": "3.1", "baseScore": 7.5}}]}}},
    {"cve": {"id": "CVE-2026-0003", "metrics": {"cvssMetricV31": [{"source": "cna@example.org", "type": "Secondary", "cvssData": {"version": "3.1", "baseScore": 5.0}}]}}},
    {"cve": {"id": "CVE-2026-0006", "vulnStatus": "Rejected", "metrics": {}}}]}"#;
/// Ported back, open, exploited, undetermined, without a score, taken back.
const DEBIAN: &str = r#"{"openssl": {
    "CVE-2026-0001": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "3.0.11-1~deb12u2"}}},
    "CVE-2026-0002": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "3.0.9-1"}}},
    "CVE-2026-0004": {"releases": {"bookworm": {"status": "undetermined"}}},
    "CVE-2026-0006": {"releases": {"bookworm": {"status": "open"}}}},
  "curl": {
    "CVE-2026-0003": {"releases": {"bookworm": {"status": "open", "urgency": "not yet assigned"}}},
    "CVE-2026-0005": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "7.88.1-11"}}}}}"#;
const ASSETS: &str = "asset,distribution,release,environment,exposure,ring,package,version,source,source_version\n\
    web-1,debian,bookworm,production,internet,canary,libssl3,3.0.11-1~deb12u1,openssl,\n\
    web-1,,,,,,libcurl4,7.88.1-10,curl,\n\
    db-1,debian,bookworm,production,internal,broad,libssl3,3.0.11-1~deb12u2,openssl,\n\
    db-1,,,,,,libcurl4,7.88.1-10,curl,\n\
    old-1,debian,woody,production,internal,,libssl3,0.9,openssl,\n";

fn file(home: &Path, name: &str, text: &str) -> String {
    let path = home.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn with_feeds(home: &Path) {
    for (feed, text) in [("kev", KEV), ("nvd", NVD), ("debian", DEBIAN)] {
        let path = file(home, feed, text);
        json(&hypo(home, &["advisories", "import", &path, "--feed", feed, "--json"]));
    }
    let assets = file(home, "assets.csv", ASSETS);
    json(&hypo(home, &["inventory", "import", &assets, "--json"]));
}

#[test]
fn patches_are_told_in_order_with_factors_and_what_could_not_be_checked() {
    let home = tempfile::tempdir().unwrap();
    with_feeds(home.path());
    let listing = json(&hypo(home.path(), &["patches", "list", "--json"]));
    let lines: Vec<String> = listing["patches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|patch| {
            format!("{}/{} {} {}", patch["asset"], patch["package"], patch["band"], patch["fix"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        lines,
        ["web-1/curl CRITICAL 7.88.1-11", "db-1/curl CRITICAL 7.88.1-11", "web-1/openssl CRITICAL 3.0.11-1~deb12u2",]
    );
    let first = &listing["patches"][0];
    assert_eq!(first["score"], 1.95);
    let factors: Vec<(&str, &str)> = first["factors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|factor| (factor["name"].as_str().unwrap(), factor["source"].as_str().unwrap()))
        .collect();
    assert_eq!(
        factors,
        [
            ("CVSS / 10", "CVSS 3.1 by cna@example.org"),
            ("known exploited", "CISA's catalogue, since 2026-11-01"),
            ("internet-facing", "the inventory"),
            ("production", "the inventory"),
        ]
    );
    assert_eq!((&first["advisories"][0], &first["unfixed_count"]), (&"CVE-2026-0003".into(), &1.into()));
    assert_eq!(listing["patches"][2]["unchecked_count"], 1);
    assert_eq!(listing["unchecked"][0]["asset"], "old-1");
    let ring = json(&hypo(home.path(), &["patches", "list", "--ring", "broad", "--json"]));
    assert_eq!((ring["patches"].as_array().unwrap().len(), &ring["counts"]["critical"]), (1, &1.into()));
    let unknown = hypo(home.path(), &["patches", "list", "--asset", "web1"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("did you mean `web-1`?"));
}

#[test]
fn every_answer_has_its_proof() {
    let home = tempfile::tempdir().unwrap();
    with_feeds(home.path());
    let shown = json(&hypo(home.path(), &["patches", "show", "web-1", "openssl", "--json"]));
    let findings = shown["packages"][0]["findings"].as_array().unwrap();
    let told: Vec<(&str, &str)> =
        findings.iter().map(|one| (one["answer"].as_str().unwrap(), one["proof"].as_str().unwrap())).collect();
    let place = "Debian's tracker for openssl in bookworm";
    assert_eq!(
        told,
        [
            ("affected", format!("{place}: mended in 3.0.11-1~deb12u2, and the installed 3.0.11-1~deb12u1 is older by dpkg's order").as_str()),
            ("not affected", format!("{place}: mended in 3.0.9-1, and the installed 3.0.11-1~deb12u1 is not older by dpkg's order").as_str()),
            ("could not check", format!("{place}: could not check, nobody has looked into it for that release").as_str()),
            ("not affected", format!("{place}: open, every version of that release is affected, 3.0.11-1~deb12u1 too; but the number was taken back").as_str()),
        ]
    );
}

#[test]
fn a_deadline_counts_from_the_first_match_and_not_from_the_last_look() {
    let home = tempfile::tempdir().unwrap();
    with_feeds(home.path());
    let due = || json(&hypo(home.path(), &["patches", "list", "--json"]))["patches"][0]["due_at"].clone();
    let first = due();
    assert!(first.is_string());
    let assets = file(home.path(), "again.csv", ASSETS);
    json(&hypo(home.path(), &["inventory", "import", &assets, "--json"]));
    assert_eq!(due(), first);
}

#[test]
fn this_host_is_scanned_and_what_no_scan_can_know_is_said() {
    let home = tempfile::tempdir().unwrap();
    let taken = json(&hypo(home.path(), &["inventory", "scan", "--name", "here", "--json"]));
    assert!(taken[0]["package_count"].as_u64().unwrap() > 50, "{taken}");
    let said = ["--environment", "prod", "--exposure", "internal", "--ring", "canary", "--services", "shop,cart"];
    assert!(hypo(home.path(), &[&["inventory", "set", "here"], said.as_slice()].concat()).status.success());
    let shown = json(&hypo(home.path(), &["inventory", "show", "here", "--json"]));
    assert_eq!(
        (&shown["traits"]["environment"], &shown["traits"]["services"][1]),
        (&"production".into(), &"cart".into())
    );
    assert!(
        shown["packages"]
            .as_array()
            .unwrap()
            .iter()
            .any(|package| package["name"] == "dpkg" || package["name"] == "rpm")
    );
    // Again: what was said stays.
    json(&hypo(home.path(), &["inventory", "scan", "--name", "here", "--json"]));
    let list = json(&hypo(home.path(), &["inventory", "list", "--json"]));
    assert_eq!((list.as_array().unwrap().len(), &list[0]["traits"]["ring"]), (1, &"canary".into()));
    assert!(hypo(home.path(), &["inventory", "remove", "here"]).status.success());
    assert_eq!(hypo(home.path(), &["inventory", "remove", "here"]).status.code(), Some(2));
    let broken = file(home.path(), "broken.csv", "asset,environment\nx,live\n");
    let refused = hypo(home.path(), &["inventory", "import", &broken]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stdout).contains("row 2: `live` is no environment"));
}

#[test]
fn what_is_deferred_is_out_of_the_list_until_it_is_withdrawn_and_stands_in_the_audit_log() {
    let home = tempfile::tempdir().unwrap();
    with_feeds(home.path());
    let count = || json(&hypo(home.path(), &["patches", "list", "--json"]))["patches"].as_array().unwrap().len();
    assert_eq!(count(), 3);
    let refused = |arguments: &[&str], expected: &str| {
        let output = hypo(home.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{said}");
    };
    let curl = ["patches", "defer", "curl", "--reason", "the vendor tests it", "--until"];
    refused(&[&curl[..], &["60d"]].concat(), "30 days at most");
    refused(&[&curl[..], &["60d", "--although", "yes"]].concat(), "EXPLOITED and no other");
    refused(&["patches", "accept", "openssl", "--reason", " ", "--until", "9d"], "needs a reason");
    refused(&["patches", "withdraw", "7", "--reason", "x"], "EXC-7 is not known");
    let done = hypo(home.path(), &[&curl[..], &["60d", "--although", "EXPLOITED", "--ring", "canary"]].concat());
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.starts_with("EXC-1: curl on ring canary deferred until"), "{said}{done:?}");
    assert_eq!(count(), 2);
    let done = hypo(
        home.path(),
        &["patches", "accept", "CVE-2026-0001", "--until", "9d", "--reason", "behind a wall", "--owner", "data"],
    );
    assert!(String::from_utf8_lossy(&done.stdout).starts_with("EXC-2: CVE-2026-0001 everywhere accepted"), "{done:?}");
    let listing = json(&hypo(home.path(), &["patches", "list", "--json"]));
    assert_eq!((count(), &listing["excepted_count"]), (1, &Value::from(2)));
    let kept = json(&hypo(home.path(), &["patches", "exceptions", "--json"]));
    assert_eq!(kept["exceptions"][0]["owner"], "data");
    assert!(hypo(home.path(), &["patches", "withdraw", "EXC-1", "--reason", "tested"]).status.success());
    assert_eq!(count(), 2);
    let log = hypo(home.path(), &["audit", "list"]);
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    assert!(log.contains("EXC-1: curl on ring canary") && log.contains("withdrew EXC-1"), "{log}");
    assert!(hypo(home.path(), &["audit", "verify"]).status.success());
}

#[test]
fn the_report_counts_what_was_mended_what_is_overdue_and_what_nobody_knows() {
    let home = tempfile::tempdir().unwrap();
    with_feeds(home.path());
    json(&hypo(home.path(), &["patches", "list", "--json"]));
    // openssl of web-1 is patched; curl of db-1 is taken away.
    let after = ASSETS.replace("3.0.11-1~deb12u1,openssl", "3.0.11-1~deb12u2,openssl");
    let after: Vec<&str> = after.lines().filter(|line| !line.starts_with("db-1,,")).collect();
    let after = file(home.path(), "after.csv", &(after.join("\n") + "\n"));
    json(&hypo(home.path(), &["inventory", "import", &after, "--json"]));
    let report = json(&hypo(home.path(), &["patches", "report", "--format", "json", "--by", "ring"]));
    let group = |name: &str| {
        let groups = report["groups"].as_array().unwrap();
        let group = groups.iter().find(|group| group["name"] == name).unwrap_or_else(|| panic!("{name}: {report}"));
        let sum = |what: &str| {
            group["bands"].as_array().unwrap().iter().map(|band| band[what].as_u64().unwrap()).sum::<u64>()
        };
        (sum("lacking"), sum("mended"), sum("overdue"))
    };
    // curl has two vulnerabilities there.
    assert_eq!((group("canary"), group("broad")), ((1, 1, 0), (0, 2, 0)));
    let means = report["groups"].as_array().unwrap().iter().flat_map(|group| group["bands"].as_array().unwrap());
    assert!(means.filter_map(|band| band["mean_ms"].as_i64()).all(|mean| (0..600_000).contains(&mean)), "{report}");
    assert_eq!(
        (&report["coverage"]["asset_count"], &report["coverage"]["checked_count"]),
        (&Value::from(3), &Value::from(2))
    );
    assert_eq!(report["regressions"], Value::Null);
    let text =
        |format: &str| String::from_utf8(hypo(home.path(), &["patches", "report", "--format", format]).stdout).unwrap();
    let (markdown, csv) = (text("md"), text("csv"));
    assert!(markdown.contains("## Regressions") && markdown.contains("Not known"), "{markdown}");
    assert!(csv.lines().count() > 20 && csv.contains("regressions,all,,rolled_back,\n"), "{csv}");
    // What the feeds no longer say was mended by nobody.
    let without = DEBIAN.replace(r#""CVE-2026-0005""#, r#""CVE-2026-0055""#);
    let path = file(home.path(), "debian", &without);
    json(&hypo(home.path(), &["advisories", "import", &path, "--feed", "debian", "--json"]));
    let report = json(&hypo(home.path(), &["patches", "report", "--format", "json"]));
    assert_eq!(report["no_longer_said_count"], 1, "{report}");
}
