//! Bytes turned over, wiped and cut off in the files of a store: opening it and reading it must end in the same data or in a
//! notice, and in a store that can be used; never in a panic, in waiting for ever, or in less than was acknowledged without a word.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hypocenter::engine::act::executor::Executor;
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::job::Record;
use hypocenter::engine::model::{AuditEntry, AuditKind, SourceName};
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::runtime::{Runtime, RuntimeConfig};
use hypocenter::engine::settings::EngineSettings;
use hypocenter::engine::store::{Store, Stored, audit_file};
use rand::{Rng, SeedableRng};

/// Damaged copies of each file; `HYPO_TEST_DAMAGED` asks for another number of all together.
const ROUNDS_PER_FILE: u64 = 40;
/// A damaged store is usable within this time.
const USABLE_WITHIN: Duration = Duration::from_secs(5);
/// Only a store that never opens waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

fn audit(sequence: u64) -> Record {
    Record::Audit(AuditEntry {
        sequence,
        at: Timestamp(0),
        kind: AuditKind::Intent,
        by: Arc::from("ana"),
        incident: None,
        run: None,
        text: Arc::from(format!("kubectl rollout undo deployment/payment, for the {sequence}th time")),
    })
}

/// A store of three lives, with a log, a snapshot and a value too large for a page.
fn write_store(path: &Path) -> Stored {
    let mut sequence = 0;
    for life in 0..3_i64 {
        let store = Store::open(path).unwrap();
        for number in 0..20 {
            sequence += 1;
            let setting = Record::Setting { name: format!("n{number}"), value: format!("life {life}") };
            let cursor =
                Record::BackfillCursor { source: SourceName::new(&format!("s{number}")), until: Timestamp(life) };
            store.write(&[audit(sequence), setting, cursor], true).unwrap();
        }
        store.write(&[Record::Templates(vec![7; 100_000])], true).unwrap();
    }
    let store = Store::open(path).unwrap();
    assert_eq!(audit_file::check(path, &[]).unwrap().entries, 60);
    store.load().unwrap()
}

/// Every file of sled's below `folder`, as paths within it.
fn files(folder: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.join(below).read_dir().unwrap().map(Result::unwrap) {
        let path = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            files(folder, &path, found);
        } else if entry.metadata().unwrap().len() > 0 {
            found.push(path);
        }
    }
    found.sort();
}

fn files_of_sled(folder: &Path, beginning: &str) -> Vec<PathBuf> {
    let mut names = Vec::new();
    files(folder, Path::new(""), &mut names);
    let is_it = |name: &PathBuf| name.file_name().unwrap().to_string_lossy().starts_with(beginning);
    names.into_iter().filter(is_it).map(|name| folder.join(name)).collect()
}

fn copy(from: &Path, to: &Path, names: &[PathBuf]) {
    for name in names {
        let target = to.join(name);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(from.join(name), target).unwrap();
    }
}

/// Turns bits over in one byte: anywhere, or half of the time where something is written.
fn damage(file: &Path, random: &mut impl Rng) -> usize {
    let mut bytes = fs::read(file).unwrap();
    let written: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let at = match written.as_slice() {
        [] => random.random_range(0..bytes.len()),
        _ if random.random_bool(0.2) => random.random_range(0..bytes.len()),
        some => some[random.random_range(0..some.len())],
    };
    match random.random_range(0..4_u8) {
        0 => bytes.truncate(at),
        1 => bytes.iter_mut().skip(at).take(4_096).for_each(|byte| *byte = 0),
        _ => bytes[at] ^= random.random_range(1..=255_u8),
    }
    fs::write(file, bytes).unwrap();
    at
}

/// What became of a damaged store: what comes after the second must not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Same,
    Told,
    Refused,
    Silent,
    Panicked,
    Hangs,
}

fn judge(path: &Path, before: &Stored) -> (Outcome, String) {
    let (store, stored) = match Store::open_and_load(path) {
        Ok(opened) => opened,
        Err(problem) => return (Outcome::Refused, problem.to_string()),
    };
    // Whatever was found, it goes on.
    let _series = store.series().count() + store.past_pages().count();
    if let Err(problem) = store.write(&[audit(stored.next.audit)], true) {
        return (Outcome::Refused, format!("it cannot be written: {problem}"));
    }
    let told: Vec<String> = store.notices().iter().chain(&stored.problems).map(ToString::to_string).collect();
    let told = told.join("; ");
    let outcome = match (stored.audit == before.audit, stored == *before) {
        (true, true) => Outcome::Same,
        // What is not counted has at least the word that something was mended.
        (true, false) if told.contains("was damaged") => Outcome::Told,
        (false, _) if told.contains("has lost audit") || told.contains("is missing") => Outcome::Told,
        _ => Outcome::Silent,
    };
    let next = stored.next.audit;
    if next != 61 {
        return (Outcome::Silent, format!("the next number is {next}: {told}"));
    }
    (outcome, told)
}

/// Damages copies of `whole`, `count` in all and each file in turn, and judges what becomes of each; says how long the slowest
/// took to be usable.
fn damage_all(
    whole: &Path,
    before: &Arc<Stored>,
    count: u64,
) -> (BTreeMap<(PathBuf, Outcome), u64>, Vec<String>, Duration) {
    let mut names = Vec::new();
    files(whole, Path::new(""), &mut names);
    let (mut tally, mut bad, mut slowest) = (BTreeMap::new(), Vec::new(), Duration::ZERO);
    for (number, name) in (0..count).zip(names.iter().cycle()) {
        let round = number / names.len() as u64;
        let broken = folder();
        copy(whole, broken.path(), &names);
        let mut random = rand_pcg::Pcg64::seed_from_u64(round);
        let at = damage(&broken.path().join(name), &mut random);
        let (tell, told) = mpsc::channel();
        let (path, before, begun) = (broken.path().to_path_buf(), Arc::clone(before), Instant::now());
        std::thread::spawn(move || {
            let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge(&path, &before)));
            let _late = tell.send(judged.unwrap_or((Outcome::Panicked, String::new())));
        });
        let (outcome, text) = told.recv_timeout(PATIENCE).unwrap_or((Outcome::Hangs, String::new()));
        slowest = slowest.max(begun.elapsed());
        *tally.entry((name.clone(), outcome)).or_default() += 1;
        if outcome > Outcome::Told {
            bad.push(format!("{} round {round}, byte {at}: {outcome:?} {text}", name.display()));
        }
    }
    (tally, bad, slowest)
}

/// How many damaged copies there are to be.
fn count(files: usize) -> u64 {
    let wanted = std::env::var("HYPO_TEST_DAMAGED").ok().and_then(|count| count.parse().ok());
    wanted.unwrap_or(ROUNDS_PER_FILE * files as u64)
}

#[test]
fn no_turned_byte_costs_anything_without_a_word() {
    let whole = folder();
    let before = Arc::new(write_store(whole.path()));
    let mut names = Vec::new();
    files(whole.path(), Path::new(""), &mut names);
    let wanted = count(names.len());
    let (tally, bad, slowest) = damage_all(whole.path(), &before, wanted);
    let of = |name: &str, outcome| {
        let is_it = |((file, had), _): &(&(PathBuf, Outcome), &u64)| file.starts_with(name) && *had == outcome;
        tally.iter().filter(is_it).map(|(_, count)| count).sum::<u64>()
    };
    println!(
        "{wanted} damaged stores, {} not usable, {} panics, {} that do not end; the slowest took {} ms",
        bad.len(),
        of("", Outcome::Panicked),
        of("", Outcome::Hangs),
        slowest.as_millis()
    );
    for ((file, outcome), count) in &tally {
        println!("{count:>6} {outcome:?} {}", file.display());
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    // Sled makes these anew without loss. Of its log, what lies behind the damage is gone.
    assert_eq!(of("store/conf", Outcome::Told), 0, "{tally:?}");
    assert!(of("store/db", Outcome::Told) > 0, "nothing was damaged: {tally:?}");
    // On a machine that does nothing else; a busy one is no reason to doubt.
    if std::env::var_os("HYPO_TEST_DAMAGED").is_some() {
        assert!(slowest < USABLE_WITHIN, "{slowest:?}");
    }
}

/// A store of a program that was killed: its newest writes are in no snapshot, so what is damaged of its log is read as its end.
#[test]
fn what_a_killed_program_left_is_not_lost_without_a_word_either() {
    let (closed, whole) = (folder(), folder());
    write_store(closed.path());
    let store = Store::open(closed.path()).unwrap();
    for sequence in 61..=80 {
        let setting = Record::Setting { name: "n1".to_owned(), value: format!("write {sequence}") };
        store.write(&[audit(sequence), setting], true).unwrap();
    }
    let mut names = Vec::new();
    files(closed.path(), Path::new(""), &mut names);
    copy(closed.path(), whole.path(), &names);
    drop(store);
    let sound = folder();
    copy(whole.path(), sound.path(), &names);
    let (store, before) = Store::open_and_load(sound.path()).unwrap();
    assert!(store.loss().is_none() && before.audit.len() == 80, "{:?}", store.notices());
    let database = [PathBuf::from("store/db")];
    let (mut told_of, mut silent) = (0, Vec::new());
    for round in 0..ROUNDS_PER_FILE {
        let broken = folder();
        copy(whole.path(), broken.path(), &names);
        let mut random = rand_pcg::Pcg64::seed_from_u64(1_000 + round);
        let at = damage(&broken.path().join(&database[0]), &mut random);
        let (store, stored) = Store::open_and_load(broken.path()).unwrap();
        if stored.settings != before.settings {
            told_of += 1;
            if store.loss().is_none() && !store.notices().iter().any(|notice| notice.contains("was damaged")) {
                silent.push(format!("round {round}, byte {at}: {:?}", stored.settings.get("n1")));
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
    assert!(told_of > 0, "nothing was lost by any damage");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_is_in_the_audit_log_and_its_numbers_are_not_given_again() {
    let folder = folder();
    write_store(folder.path());
    let told = "hypo acknowledged 1: incidents 9 anomalies 4 changes 3 runs 2 audit 75\n";
    fs::write(folder.path().join("acknowledged"), told).unwrap();
    let snapshots = files_of_sled(folder.path(), "snap.");
    assert!(!snapshots.is_empty());
    snapshots.iter().for_each(|file| fs::write(file, "").unwrap());
    let settings = EngineSettings::default();
    let mut runtime = Runtime::start(RuntimeConfig {
        runner: Arc::new(Executor::new(&settings.runbooks, tokio::runtime::Handle::current())),
        settings,
        library: Library::shipped(),
        state_dir: Some(folder.path().to_path_buf()),
        sources: Vec::new(),
        patch_office: None,
        record_to: None,
    })
    .unwrap();
    runtime.started().await.unwrap();
    tokio::task::spawn_blocking(move || runtime.stop()).await.unwrap();
    let stored = Store::open(folder.path()).unwrap().load().unwrap();
    let entries: Vec<(u64, &str)> = stored.audit.iter().skip(60).map(|entry| (entry.sequence, &*entry.text)).collect();
    let loss = "the store has lost incidents 1 to 9, anomalies 1 to 4, changes 1 to 3, runs 1 to 2, audit 61 to 75";
    assert!(entries[0].0 == 76 && entries[1].1.contains(loss), "{entries:?}");
    assert!(entries[1].1.contains("as it was found it is in"), "{entries:?}");
    assert!(entries[2].1.starts_with("pulled the kill switch: the store has lost"), "nothing begins: {entries:?}");
}
