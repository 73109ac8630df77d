//! A store of 1 GB, as an engine has after a long time: a drill with everything that the engine kept of it, thousands of times its
//! incident with the run against it, and the audit log of all that.

use std::path::PathBuf;
use std::sync::Arc;

use hypocenter::engine::clock::{DAY_MS, SECOND_MS, Timestamp};
use hypocenter::engine::demo::headless::{self, Approve, Drill};
use hypocenter::engine::demo::scenarios;
use hypocenter::engine::ingest::wall_clock;
use hypocenter::engine::job::Record;
use hypocenter::engine::model::{AuditEntry, AuditKind, IncidentId, IncidentState, RunId};
use hypocenter::engine::store::Store;

/// Its size.
const STORE_BYTES: u64 = 1_000_000_000;
/// Incidents that are over, each with its run: some 25 a day for as long as things are kept.
const INCIDENTS: u64 = 10_000;
/// The number before their first.
const BEFORE: u64 = 100;
/// Incidents that are written at a time.
const LOT: u64 = 500;
/// Audit entries that are written at a time.
const ENTRIES: usize = 20_000;
/// The oldest entry of the log; nothing of it is old enough to be forgotten.
const OLDEST_MS: i64 = 300 * DAY_MS;

/// A store of 1 GB on disk, made once.
pub fn large_store() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("store-1gb-of-incidents");
    let is_whole = path.with_extension("whole");
    if is_whole.exists() {
        return path;
    }
    let _absent = std::fs::remove_dir_all(&path);
    eprintln!("making a store of 1 GB in {} (once)", path.display());
    let store = Store::open(&path).expect("a new store");
    let now = wall_clock::now();
    let scenario = scenarios::find("bad-deploy").expect("it is in the table");
    let mut kept = Vec::new();
    let drill = Drill::new(scenario, 1, now - OLDEST_MS, Approve::All);
    let played = headless::play(&drill, &mut |records| kept.extend_from_slice(records)).expect("the shop's settings");
    store.write(&kept, true).expect("there is room");
    let incident = played.snapshot.incidents.first().expect("it opened an incident");
    let run = played.snapshot.runs.first().expect("it was mended");
    let mut sequence = played.snapshot.audit.first().map_or(0, |entry| entry.sequence);
    for lot in 0..INCIDENTS / LOT {
        let records = (1..=LOT).map(|place| BEFORE + lot * LOT + place).flat_map(|number| {
            let mut incident = incident.as_ref().clone();
            let mut run = run.as_ref().clone();
            (incident.id, run.id) = (IncidentId(number), RunId(number));
            (incident.runs, run.subject) = (vec![run.id], incident.id.into());
            // However the drill ended, these are over.
            (incident.state, incident.resolved_at) = (IncidentState::Resolved, Some(incident.updated_at));
            run.has_held = Some(true);
            [Record::Incident(incident), Record::Run(run)]
        });
        store.write(&records.collect::<Vec<_>>(), true).expect("there is room");
    }
    while store.size_bytes().expect("its size can be told") < STORE_BYTES {
        let records: Vec<Record> = (0..ENTRIES).map(|_| audit_entry(&mut sequence, now)).collect();
        store.write(&records, true).expect("there is room");
    }
    drop(store);
    std::fs::write(is_whole, "").expect("there is room");
    path
}

/// An entry of the length that commands and decisions have, unlike any other.
fn audit_entry(sequence: &mut u64, now: Timestamp) -> Record {
    *sequence += 1;
    let noise = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let text = format!(
        "step 2 of RUN-{sequence} (roll payment back): kubectl rollout undo deployment/payment-{noise:016x} -n prod, \
         digest {:016x}{:016x}{:016x}",
        noise.rotate_left(13),
        noise.rotate_left(29),
        noise.rotate_left(41)
    );
    let after = i64::try_from(*sequence).unwrap_or(i64::MAX).saturating_mul(SECOND_MS);
    Record::Audit(AuditEntry {
        sequence: *sequence,
        at: now - (OLDEST_MS - after.min(OLDEST_MS)),
        kind: AuditKind::Outcome,
        by: Arc::from("engine"),
        incident: None,
        run: None,
        text: Arc::from(text),
    })
}
