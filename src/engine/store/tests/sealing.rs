//! The audit log in several files: sealed, proved as one, and its oldest part let go, in order.

use std::fs;

use proptest::prelude::*;

use super::audit_file::AuditFile;
use super::audit_going::GoingRule;
use super::audit_segments::Segments;
use super::*;
use crate::engine::audit::head::{End, Head, SigningKey};
use crate::engine::audit::letting_go;

/// A few entries a file.
pub(super) const SEAL_BYTES: u64 = 1_600;
pub(super) const EVERYTHING: GoingRule =
    GoingRule { before: Timestamp(i64::MAX), before_for_room: Timestamp(0), bytes_max: 0 };

pub(super) fn entry(sequence: u64) -> AuditEntry {
    let Record::Audit(entry) = audit(sequence, "kubectl rollout undo deployment/payment") else { panic!("an entry") };
    entry
}

/// A log without the rest of a store. All of it is acknowledged.
pub(super) struct Log {
    pub(super) folder: tempfile::TempDir,
    pub(super) file: AuditFile,
    pub(super) last: AuditEntry,
}

impl Log {
    pub(super) fn with(entries: u64) -> Self {
        let folder = folder();
        let file = opened(folder.path(), None).log;
        let mut log = Self { folder, file, last: entry(0) };
        log.append(entries);
        log
    }

    pub(super) fn append(&mut self, entries: u64) {
        for _ in 0..entries {
            self.write(entry(self.last.sequence + 1));
        }
    }

    pub(super) fn write(&mut self, entry: AuditEntry) {
        self.file.append(&[&entry]).unwrap();
        self.file.sync().unwrap();
        self.file.sign().unwrap();
        self.last = entry;
    }

    /// As far as `rule` says, where nothing is needed.
    pub(super) fn let_go(&mut self, rule: &GoingRule) -> Option<End> {
        let end = self.file.propose(rule, &|_| false).unwrap()?;
        let text = letting_go::text(&end);
        self.write(AuditEntry { kind: AuditKind::Decision, text: text.into(), ..entry(self.last.sequence + 1) });
        Some(end)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn found(&self) -> Vec<(u64, FindingKind)> {
        found(self.folder.path(), &[])
    }
}

pub(super) fn opened(folder: &Path, known: Option<&AuditEntry>) -> audit_opening::Opened {
    let mut opened = AuditFile::open(folder, known, known.map_or(0, |entry| entry.sequence)).unwrap();
    opened.log.seal_bytes = SEAL_BYTES;
    opened
}

pub(super) fn found(folder: &Path, kept_elsewhere: &[Head]) -> Vec<(u64, FindingKind)> {
    let verdict = audit_file::check(folder, kept_elsewhere).unwrap();
    verdict.findings.iter().map(|finding| (finding.sequence, finding.kind)).collect()
}

/// The last entry that was let go.
fn anchored(folder: &Path) -> Option<End> {
    Segments::list(folder).unwrap().anchor.unwrap().map(|anchor| anchor.end)
}

/// The sealed logs, in order, with the numbers of their first and last entries.
pub(super) fn sealed(folder: &Path) -> Vec<(PathBuf, u64, u64)> {
    let paths = disk_sync::entries(&folder.join("audit")).unwrap();
    let logs = paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    let with_ends = logs.map(|path| {
        let head = Head::read(&fs::read_to_string(path.with_extension("head")).unwrap()).unwrap();
        let first = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        (path, first, head.end.sequence)
    });
    with_ends.collect()
}

#[test]
fn what_is_sealed_is_one_chain_with_the_rest_and_is_not_read_again_at_an_opening() {
    let mut log = Log::with(30);
    let files = sealed(log.folder.path());
    assert!(files.len() >= 5, "{files:?}");
    assert!(files.windows(2).all(|pair| pair[0].2 + 1 == pair[1].1), "{files:?}");
    let verdict = audit_file::check(log.folder.path(), &[]).unwrap();
    assert!(verdict.is_whole() && (verdict.entries, verdict.last) == (30, 30), "{:?}", verdict.findings);
    for _start in 0..3 {
        // What is sealed is not opened, so it may as well be a folder.
        let aside = files[0].0.with_extension("aside");
        fs::rename(&files[0].0, &aside).unwrap();
        fs::create_dir(&files[0].0).unwrap();
        let again = opened(log.folder.path(), Some(&log.last));
        assert!(again.notices.is_empty() && again.newer.is_empty(), "{:?}", again.notices);
        log.file = again.log;
        fs::remove_dir(&files[0].0).unwrap();
        fs::rename(&aside, &files[0].0).unwrap();
        log.append(3);
    }
    let mut told = Vec::new();
    let verdict = audit_file::read(log.folder.path(), &mut |entry| told.push(entry.sequence)).unwrap();
    assert!(verdict.is_whole() && told == (1..=39).collect::<Vec<_>>(), "{told:?}");
    assert_eq!(log.found(), []);
}

#[test]
fn what_was_done_to_a_sealed_file_is_found_where_it_was_done() {
    let mut log = Log::with(32);
    if fs::metadata(log.path(audit_file::LOG_FILE)).unwrap().len() == 0 {
        log.append(1);
    }
    let folder = log.folder.path();
    for (path, first, last) in sealed(folder) {
        let whole = fs::read_to_string(&path).unwrap();
        let head_file = path.with_extension("head");
        let head = fs::read(&head_file).unwrap();
        fs::write(&path, whole.replacen("undo", "und0", 1)).unwrap();
        assert_eq!(log.found(), [(first, FindingKind::Altered)]);
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = audit_file::check(folder, &[]).unwrap().findings[0].text.clone();
        assert!(text.starts_with(&format!("audit/{name} line 1, entry {first}: ")), "{text}");
        // Its last line is gone: the end that was signed for it says so.
        let shorter = whole.trim_end().rfind('\n').unwrap() + 1;
        fs::write(&path, &whole[..shorter]).unwrap();
        assert_eq!(log.found(), [(last, FindingKind::CutOff)]);
        fs::remove_file(&path).unwrap();
        assert_eq!(log.found(), [(last + 1, FindingKind::Missing)]);
        fs::remove_file(&head_file).unwrap();
        assert_eq!(log.found(), [(last + 1, FindingKind::Missing)]);
        fs::write(&path, &whole).unwrap();
        assert_eq!(log.found(), [(last, FindingKind::Head)]);
        fs::write(&head_file, head).unwrap();
        assert_eq!(log.found(), []);
    }
    // One in the place of another.
    let files = sealed(folder);
    let (one, other) = (fs::read(&files[1].0).unwrap(), fs::read(&files[2].0).unwrap());
    fs::write(&files[1].0, other).unwrap();
    fs::write(&files[2].0, one).unwrap();
    assert_eq!(log.found().first(), Some(&(files[2].1, FindingKind::Missing)));
}

#[test]
fn the_end_that_is_sealed_and_gone_is_found_by_the_signed_head_at_the_next_opening() {
    let mut log = Log::with(7);
    // Until nothing is in the open file.
    while fs::metadata(log.path(audit_file::LOG_FILE)).unwrap().len() > 0 {
        log.append(1);
    }
    let (path, first, last) = sealed(log.folder.path()).pop().unwrap();
    assert_eq!(last, log.last.sequence);
    fs::remove_file(&path).unwrap();
    fs::remove_file(path.with_extension("head")).unwrap();
    assert_eq!(log.found(), [(first, FindingKind::CutOff)]);
    let mut again = opened(log.folder.path(), Some(&log.last)).log;
    let missing: Vec<AuditEntry> = (first..=last).map(entry).collect();
    again.append(&missing.iter().collect::<Vec<_>>()).unwrap();
    let told = again.take_cut_off().unwrap();
    assert!(
        told.contains(&format!("entries {first} to {last} were gone")) && told.contains("are those that were"),
        "{told}"
    );
    again.sync().unwrap();
    again.sign().unwrap();
    assert_eq!(log.found(), []);
}

#[test]
fn a_crash_while_a_file_is_sealed_changes_nothing_of_the_log() {
    // Before the open file is renamed there is an end without a log; after it there is no open file.
    for is_renamed in [false, true] {
        let mut log = Log::with(12);
        let open = log.path(audit_file::LOG_FILE);
        if fs::metadata(&open).unwrap().len() == 0 {
            log.append(1);
        }
        let first = sealed(log.folder.path()).pop().unwrap().2 + 1;
        assert!(first <= log.last.sequence, "nothing is in the open file");
        let entries = log.last.sequence + 10;
        let name = log.path(&format!("audit/{first:020}"));
        fs::copy(log.path(audit_file::HEAD_FILE), name.with_extension("head")).unwrap();
        if is_renamed {
            fs::rename(&open, name.with_extension("jsonl")).unwrap();
        }
        assert_eq!(log.found(), [], "renamed: {is_renamed}");
        let again = opened(log.folder.path(), Some(&log.last));
        assert!(again.notices.is_empty() && again.newer.is_empty(), "{:?}", again.notices);
        log.file = again.log;
        log.append(10);
        assert_eq!(log.found(), [], "renamed: {is_renamed}");
        assert_eq!(audit_file::check(log.folder.path(), &[]).unwrap().entries, entries);
    }
}

#[test]
fn the_oldest_go_after_the_log_said_so_and_the_rest_proves_itself() {
    let mut log = Log::with(30);
    let (early, files) = (audit_file::head(log.folder.path()).unwrap().unwrap(), sealed(log.folder.path()));
    let anchor_file = log.path("audit/anchor");
    // Nothing goes before the log says so, and what is needed stays.
    let end = log.file.propose(&EVERYTHING, &|entry| entry.sequence == files[2].1).unwrap().unwrap();
    assert_eq!(end.sequence, files[1].2);
    log.append(1);
    assert!(files[0].0.exists() && !anchor_file.exists());
    assert!(log.file.propose(&EVERYTHING, &|entry| entry.sequence == 1).unwrap().is_none());
    let young = GoingRule { before: Timestamp(0), ..EVERYTHING };
    assert!(!log.file.has_old(&young) && log.let_go(&young).is_none(), "nothing of it is old");
    let crowded = GoingRule { before_for_room: Timestamp(i64::MAX), bytes_max: 3_000, ..young };
    let roomy = GoingRule { bytes_max: 1 << 20, ..crowded };
    assert!(log.let_go(&roomy).is_none(), "there is room");
    let end = log.let_go(&crowded).unwrap();
    assert!(end.sequence >= files[1].2 && anchor_file.exists() && !files[1].0.exists());
    let left = audit_file::bytes(log.folder.path()).unwrap();
    assert!(left < 9_000, "{left} bytes are left");
    assert_eq!(log.found(), []);
    assert_eq!(anchored(log.folder.path()).unwrap(), end);
    assert_eq!(audit_file::check(log.folder.path(), &[]).unwrap().let_go, end.sequence);
    log.file = opened(log.folder.path(), Some(&log.last)).log;
    log.append(9);
    assert_eq!(log.found(), []);
    // A head of what is there proves it, one of what was let go does not.
    assert_eq!(found(log.folder.path(), &[early]), []);
    log.file.segments.sealed.iter().for_each(|one| assert!(one.head().unwrap().end.sequence > end.sequence));
    let key = SigningKey::from_seed(&fs::read(log.path(audit_file::KEY_FILE)).unwrap()).unwrap();
    let of_the_past = End { sequence: 2, ..end.clone() };
    assert_eq!(found(log.folder.path(), &[key.sign(of_the_past)]), [(2, FindingKind::TooOld)]);
    let other = End { hash: "0".repeat(64), ..end.clone() };
    assert_eq!(found(log.folder.path(), &[key.sign(end.clone())]), []);
    assert_eq!(found(log.folder.path(), &[key.sign(other)]), [(end.sequence, FindingKind::Forked)]);

    // Without the anchor the beginning is gone; another anchor is no excuse for what is taken out.
    let anchor = fs::read(&anchor_file).unwrap();
    fs::remove_file(&anchor_file).unwrap();
    assert_eq!(log.found().first().map(|found| found.1), Some(FindingKind::Missing));
    let (oldest, first, last) = sealed(log.folder.path()).remove(0);
    let head_file = oldest.with_extension("head");
    let head = Head::read(&fs::read_to_string(&head_file).unwrap()).unwrap();
    let moved = log.path("moved");
    fs::rename(&oldest, &moved).unwrap();
    fs::write(&anchor_file, key.sign_anchor(head.end.clone()).text().unwrap()).unwrap();
    assert_eq!(log.found(), [(last, FindingKind::Missing)], "nothing in the log says so");
    assert_eq!(audit_file::check(log.folder.path(), &[]).unwrap().let_go, 0, "it was not let go");
    fs::copy(&head_file, &anchor_file).unwrap();
    assert!(log.found().contains(&(log.last.sequence, FindingKind::Head)), "an end is no anchor");
    fs::rename(&moved, &oldest).unwrap();
    fs::write(&anchor_file, anchor).unwrap();
    assert_eq!((log.found(), first), (Vec::new(), end.sequence + 1));
}

#[test]
fn what_a_crash_left_of_entries_that_were_let_go_is_no_part_of_the_log() {
    let mut log = Log::with(20);
    let (path, ..) = sealed(log.folder.path()).remove(0);
    let (text, head) = (fs::read(&path).unwrap(), fs::read(path.with_extension("head")).unwrap());
    log.let_go(&EVERYTHING).unwrap();
    assert!(!path.exists());
    fs::write(&path, text).unwrap();
    fs::write(path.with_extension("head"), head).unwrap();
    assert_eq!(log.found(), []);
    let again = opened(log.folder.path(), Some(&log.last));
    assert!(again.notices.is_empty(), "{:?}", again.notices);
    assert!(!path.exists() && !path.with_extension("head").exists());
}

/// A store whose log is sealed every few entries.
pub(super) fn store_with(folder: &Path, entries: u64) -> Store {
    let store = Store::open(folder).unwrap();
    store.audit().seal_bytes = SEAL_BYTES;
    (1..=entries).for_each(|sequence| store.write(&[Record::Audit(entry(sequence))], true).unwrap());
    assert!(sealed(folder).len() > 2);
    store
}

#[test]
fn a_store_that_begins_anew_has_all_of_its_log_over_all_files() {
    let folder = folder();
    drop(store_with(folder.path(), 20));
    fs::remove_dir_all(folder.path().join("store")).unwrap();
    fs::remove_file(folder.path().join("acknowledged")).unwrap();
    let (store, stored) = Store::open_and_load(folder.path()).unwrap();
    assert_eq!((stored.audit.len(), stored.next.audit), (20, 21));
    store.write(&[Record::Audit(entry(21))], true).unwrap();
    assert_eq!(found(folder.path(), &[]), []);
}

#[test]
fn a_backup_has_every_file_of_the_log_and_none_of_another_stays_beside_it() {
    let (from, to) = (folder(), folder());
    let store = store_with(from.path(), 20);
    let now = Timestamp(1_794_925_800_000);
    let file = store.back_up(from.path(), now).unwrap().file;
    drop(store_with(to.path(), 30));
    let stopped = |_: Timestamp| Ok(());
    restore(to.path(), &file, "ana", now, &stopped).unwrap();
    let verdict = audit_file::check(to.path(), &[]).unwrap();
    assert!(verdict.is_whole() && verdict.entries == 21, "{:?}", verdict.findings);
    assert_eq!(sealed(to.path()).len(), sealed(from.path()).len());
    // One of a time when nothing was sealed.
    let early = folder();
    let file = Store::open(early.path()).unwrap().back_up(early.path(), now).unwrap().file;
    restore(to.path(), &file, "ana", now, &stopped).unwrap();
    assert_eq!((sealed(to.path()).len(), found(to.path(), &[])), (0, Vec::new()));
    assert!(!audit_segments::is_name("audit/../kill") && !audit_segments::is_name("audit/x.jsonl"));
}

#[test]
fn entries_of_a_live_incident_stay_however_old_they_are() {
    use crate::engine::model::Incident;
    use crate::engine::settings::{KeepAudit, StoreSettings};
    let folder = folder();
    let store = store_with(folder.path(), 20);
    // All entries are of 2025 and of this one.
    let live = Incident::opened(IncidentId(42), Timestamp(0), Timestamp(0));
    let now = Timestamp(1_994_925_800_000);
    let settings = StoreSettings::default();
    store.write(&[Record::Incident(live.clone())], true).unwrap();
    assert_eq!(store.audit_to_let_go(&settings, now).unwrap(), None);
    let over = |it: Incident| Incident { state: crate::engine::model::IncidentState::Resolved, ..it };
    // It became a part of one that is live.
    let whole = Incident::opened(IncidentId(43), Timestamp(0), Timestamp(0));
    let part = Incident { merged_into: Some(whole.id), ..over(live) };
    store.write(&[Record::Incident(part), Record::Incident(whole.clone())], true).unwrap();
    assert_eq!(store.audit_to_let_go(&settings, now).unwrap(), None);
    store.write(&[Record::Incident(over(whole))], true).unwrap();
    assert!(store.audit_to_let_go(&settings, now).unwrap().unwrap().contains("lets go of the audit log's entries"));
    let forever = StoreSettings { keep_audit: Some(KeepAudit::Forever), ..settings.clone() };
    assert_eq!(store.audit_to_let_go(&forever, now).unwrap(), None);
    assert_eq!(store.audit_to_let_go(&settings, Timestamp(1_763_000_000_000)).unwrap(), None, "they are young");
}

#[derive(Debug, Clone)]
enum Operation {
    Append(u64),
    Reopen,
    LetGo,
}

/// What somebody does to the files.
#[derive(Debug, Clone)]
enum Done {
    Nothing,
    /// A byte of a line is another.
    Altered(prop::sample::Index, prop::sample::Index),
    /// A sealed file is gone.
    Removed(prop::sample::Index),
    /// A sealed file ends within.
    Cut(prop::sample::Index, prop::sample::Index),
}

fn done() -> impl Strategy<Value = Done> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        Just(Done::Nothing),
        (at(), at()).prop_map(|(file, byte)| Done::Altered(file, byte)),
        at().prop_map(Done::Removed),
        (at(), at()).prop_map(|(file, byte)| Done::Cut(file, byte)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_log_went_through_it_proves_itself_and_tells_what_was_done_to_it(
        operations in proptest::collection::vec(
            prop_oneof![4 => (1..7_u64).prop_map(Operation::Append), 1 => Just(Operation::Reopen), 1 => Just(Operation::LetGo)],
            1..12,
        ),
        done in done(),
    ) {
        let mut log = Log::with(1);
        for operation in operations {
            match operation {
                Operation::Append(entries) => log.append(entries),
                Operation::Reopen => {
                    let again = opened(log.folder.path(), Some(&log.last));
                    prop_assert!(again.notices.is_empty() && again.newer.is_empty(), "{:?}", again.notices);
                    log.file = again.log;
                }
                Operation::LetGo => drop(log.let_go(&EVERYTHING)),
            }
        }
        let folder = log.folder.path();
        let begins = anchored(folder).map_or(1, |end| end.sequence + 1);
        let verdict = audit_file::check(folder, &[]).unwrap();
        prop_assert!(verdict.is_whole(), "{:?}", verdict.findings);
        prop_assert_eq!((verdict.entries, verdict.last), (log.last.sequence + 1 - begins, log.last.sequence));
        let files = sealed(folder);
        let open = log.path(audit_file::LOG_FILE);
        let lines_before = |bytes: &[u8], at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
        let expected = match &done {
            Done::Altered(file, byte) => {
                let mut all: Vec<(PathBuf, u64)> = files.iter().map(|(path, first, _)| (path.clone(), *first)).collect();
                if fs::metadata(&open).unwrap().len() > 0 {
                    all.push((open, files.last().map_or(begins, |newest| newest.2 + 1)));
                }
                let (path, first) = file.get(&all);
                let mut bytes = fs::read(path).unwrap();
                let at = byte.index(bytes.len());
                bytes[at] ^= 1;
                fs::write(path, &bytes).unwrap();
                bytes[at] ^= 1;
                Some(first + lines_before(&bytes, at))
            }
            Done::Removed(file) if !files.is_empty() => {
                let (path, first, last) = file.get(&files);
                fs::remove_file(path).unwrap();
                // Where nothing comes after it, the signed end tells.
                Some(if *last == log.last.sequence { *first } else { last + 1 })
            }
            Done::Cut(file, byte) if !files.is_empty() => {
                let (path, first, _) = file.get(&files);
                let bytes = fs::read(path).unwrap();
                let at = byte.index(bytes.len());
                fs::write(path, &bytes[..at]).unwrap();
                Some(first + lines_before(&bytes, at))
            }
            Done::Nothing | Done::Removed(_) | Done::Cut(..) => None,
        };
        prop_assert_eq!(log.found().first().map(|found| found.0), expected);
    }
}
