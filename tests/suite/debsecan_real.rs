//! Our matching beside `debsecan`'s own on this machine's installed packages, for the same data of a tracker of real size.
//!
//! The tracker is made up around the installed versions: the same notes are written as the tracker's JSON, which we read, and
//! in the form that the tracker makes of them for debsecan (version 1: the version that is mended in unstable, and the versions of
//! the release that are mended besides). Two kinds of notes are answered differently, and both are known:
//!
//! * of what Debian no longer supports, debsecan's data says nothing; we say that it is affected and that nothing will come.
//! * debsecan knows versions that were mended in a release by name only, so one that was built again locally on top of a mended
//!   one counts as affected; we go by the order of versions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use flate2::write::ZlibEncoder;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Notes on packages that are not installed, to make the tracker as large as the real one.
const OTHERS: usize = 40_000;
const RELEASES: [&str; 4] = ["bullseye", "trixie", "forky", "sid"];

/// A vulnerability and the source package that has it.
type Pair = (String, String);

/// The same notes in both forms, and where the answers are known to differ.
#[derive(Default)]
struct Tracker {
    json: BTreeMap<String, serde_json::Map<String, Value>>,
    names: String,
    notes: String,
    note_count: usize,
    name_count: usize,
    no_longer_supported: BTreeSet<Pair>,
    built_again: BTreeSet<Pair>,
    undetermined: BTreeSet<Pair>,
}

impl Tracker {
    /// Adds a note: how it stands in bookworm by the JSON, and for debsecan the version of unstable and the others.
    fn note(&mut self, source: &str, bookworm: Value, debsecan: Option<(String, Vec<String>)>) -> Pair {
        let id = if self.note_count.is_multiple_of(97) {
            format!("TEMP-{:07}-{:06X}", self.note_count, self.note_count)
        } else {
            format!("CVE-{}-{:04}", 2005 + self.note_count % 22, 1_000 + self.note_count / 22)
        };
        let mut releases = serde_json::Map::new();
        for release in RELEASES {
            let state = json!({"status": "resolved", "repositories": {release: "1.0-1"}, "fixed_version": "1.0-1", "urgency": "not yet assigned"});
            releases.insert(release.to_owned(), state);
        }
        releases.insert("bookworm".to_owned(), bookworm);
        let description = "A flaw in the way that certain documents are read lets others run code. ".repeat(3);
        let entry = json!({"description": description, "scope": "local", "releases": releases});
        self.json.entry(source.to_owned()).or_default().insert(id.clone(), entry);
        if let Some((unstable, others)) = debsecan {
            let number = self.name_count;
            self.name_count += 1;
            writeln!(self.names, "{id},,a flaw").unwrap();
            writeln!(self.notes, "{source},{number},S ?F,{unstable},{}", others.join(" ")).unwrap();
        }
        self.note_count += 1;
        (id, source.to_owned())
    }

    /// What the tracker serves to debsecan.
    fn debsecan(&self) -> Vec<u8> {
        let mut packer = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        write!(packer, "VERSION 1\n{}\n{}\n\n", self.names, self.notes).unwrap();
        packer.finish().unwrap()
    }
}

/// The tracker around what is installed.
fn tracker(installed: &BTreeMap<String, String>) -> Tracker {
    let mut random = Pcg64::seed_from_u64(20_261_122);
    let mut tracker = Tracker::default();
    let resolved = |version: &str| json!({"status": "resolved", "repositories": {"bookworm": version}, "fixed_version": version, "urgency": "not yet assigned"});
    let open = |urgency: &str| json!({"status": "open", "repositories": {"bookworm": "1"}, "urgency": urgency});
    for (source, version) in installed {
        let (older, newer, unstable) =
            (format!("{version}~~1"), format!("{version}+deb12u9"), format!("{version}+sid1"));
        for _ in 0..random.random_range(0..60) {
            let some = |version: &str, others: Vec<String>| Some((version.to_owned(), others));
            match random.random_range(0..100) {
                // Mended before the release.
                0..55 => drop(tracker.note(source, resolved(&older), some(&older, Vec::new()))),
                // Ported back, and installed.
                55..65 => drop(tracker.note(source, resolved(version), some(&unstable, vec![version.clone()]))),
                65..70 => {
                    drop(tracker.note(source, resolved(&older), some(&unstable, vec![older.clone(), version.clone()])));
                }
                // Ported back, and not installed yet.
                70..75 => drop(tracker.note(source, resolved(&newer), some(&unstable, vec![newer.clone()]))),
                75..78 => drop(tracker.note(source, resolved(&newer), some(&newer, Vec::new()))),
                // Open in the release; in unstable mended or not.
                78..84 => drop(tracker.note(source, open("not yet assigned"), some(&unstable, Vec::new()))),
                84..87 => drop(tracker.note(source, open("low"), some("", Vec::new()))),
                87..92 => drop(tracker.note(source, open("unimportant"), None)),
                92..95 => drop(tracker.note(source, resolved("0"), None)),
                95..97 => {
                    let pair =
                        tracker.note(source, json!({"status": "undetermined", "urgency": "not yet assigned"}), None);
                    tracker.undetermined.insert(pair);
                }
                97 => {
                    let pair = tracker.note(source, open("end-of-life"), None);
                    tracker.no_longer_supported.insert(pair);
                }
                _ => {
                    let pair = tracker.note(source, resolved(&older), some(&unstable, vec![older.clone()]));
                    tracker.built_again.insert(pair);
                }
            }
        }
    }
    for number in 0..OTHERS {
        tracker.note(
            &format!("not-installed-{}", number % 3_000),
            open("not yet assigned"),
            Some((String::new(), Vec::new())),
        );
    }
    tracker
}

/// Source packages by binary package, and versions by source package, as dpkg itself tells them.
fn installed() -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let format = "${db:Status-Status}\t${Package}\t${source:Package}\t${source:Version}\n";
    let output = Command::new("dpkg-query").args(["-W", "-f", format]).output().unwrap();
    let (mut sources, mut versions) = (BTreeMap::new(), BTreeMap::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [state, package, source, version] = fields.as_slice() else { panic!("{line}") };
        // One source in two versions at once would make the notes ambiguous; they are left out of the made-up tracker.
        if *state == "installed" {
            sources.insert((*package).to_owned(), (*source).to_owned());
            let known = versions.entry((*source).to_owned()).or_insert_with(|| Some((*version).to_owned()));
            if known.as_deref() != Some(*version) {
                *known = None;
            }
        }
    }
    (sources, versions.into_iter().filter_map(|(source, version)| Some((source, version?))).collect())
}

fn hypo(home: &Path, arguments: &[&str]) -> Value {
    let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("hypo"));
    command.env("HOME", home).args(["--state-dir", home.join("state").to_str().unwrap()]);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What we say: affected, and could not check.
fn ours(home: &Path, tracker: &Tracker) -> (BTreeSet<Pair>, BTreeSet<Pair>) {
    let file = home.join("tracker.json");
    std::fs::write(&file, serde_json::to_vec(&tracker.json).unwrap()).unwrap();
    let taken = hypo(home, &["advisories", "import", file.to_str().unwrap(), "--feed", "debian", "--json"]);
    assert_eq!(taken["count"].as_u64().unwrap(), (tracker.note_count * (RELEASES.len() + 1)) as u64);
    hypo(home, &["inventory", "scan", "--name", "here", "--json"]);
    let shown = hypo(home, &["patches", "show", "here", "--json"]);
    let (mut affected, mut unchecked) = (BTreeSet::new(), BTreeSet::new());
    for package in shown["packages"].as_array().unwrap() {
        for finding in package["findings"].as_array().unwrap() {
            let text = |of: &Value| of.as_str().unwrap().to_owned();
            let pair = (text(&finding["id"]), text(&package["package"]));
            match finding["answer"].as_str().unwrap() {
                "affected" => affected.insert(pair),
                "could not check" => unchecked.insert(pair),
                other => panic!("{other}"),
            };
        }
    }
    (affected, unchecked)
}

/// What debsecan says.
fn theirs(tracker: &Tracker, sources: &BTreeMap<String, String>) -> BTreeSet<Pair> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(MockServer::start());
    let served = ResponseTemplate::new(200).set_body_bytes(tracker.debsecan());
    runtime.block_on(Mock::given(path("/bookworm")).respond_with(served).mount(&server));
    let mut command = Command::new("debsecan");
    command.args(["--suite", "bookworm", "--format", "simple", "--source", &server.uri()]);
    let output = command.env("no_proxy", "*").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let pair = |line: &str| {
        let (id, package) = line.split_once(' ').unwrap();
        (id.to_owned(), sources[package].clone())
    };
    lines.lines().map(pair).collect()
}

#[test]
#[ignore = "needs debsecan on Debian; ./tests/run"]
fn what_is_installed_is_matched_as_debsecan_matches_it() {
    let home = tempfile::tempdir().unwrap();
    let (sources, versions) = installed();
    let tracker = tracker(&versions);
    let (affected, unchecked) = ours(home.path(), &tracker);
    let theirs = theirs(&tracker, &sources);
    assert!(theirs.len() > 500, "only {} matches would prove little", theirs.len());
    let more: BTreeSet<Pair> = affected.difference(&theirs).cloned().collect();
    let fewer: BTreeSet<Pair> = theirs.difference(&affected).cloned().collect();
    assert_eq!(more, tracker.no_longer_supported, "what Debian no longer supports, and nothing else");
    assert_eq!(fewer, tracker.built_again, "what was built again on top of a mended version, and nothing else");
    assert_eq!(unchecked, tracker.undetermined, "of what nobody has looked into nobody can say");
    assert!([&more, &fewer, &unchecked].iter().all(|pairs| pairs.len() > 10));
    let agreed = affected.intersection(&theirs).count();
    println!(
        "{} packages of {} sources, {} notes: {agreed} matches alike, {} no longer supported, {} built again, {} undetermined",
        sources.len(),
        versions.len(),
        tracker.note_count,
        more.len(),
        fewer.len(),
        unchecked.len()
    );
}
