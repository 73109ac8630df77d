//! A store of 1 GB, as an engine has after a long time.

use std::path::PathBuf;
use std::sync::Arc;

use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::job::Record;
use hypocenter::engine::model::{AuditEntry, AuditKind};
use hypocenter::engine::store::Store;

/// Its size.
const STORE_BYTES: u64 = 1_000_000_000;

/// A store of 1 GB on disk, made once.
pub fn large_store() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("store-1gb");
    let is_whole = path.with_extension("whole");
    if is_whole.exists() {
        return path;
    }
    let _absent = std::fs::remove_dir_all(&path);
    eprintln!("making a store of 1 GB in {} (once)", path.display());
    let store = Store::open(&path).expect("a new store");
    let mut sequence = 0;
    while store.size_bytes().expect("its size can be told") < STORE_BYTES {
        let records: Vec<Record> = (0..20_000).map(|_| audit_entry(&mut sequence)).collect();
        store.write(&records, true).expect("there is room");
    }
    drop(store);
    std::fs::write(is_whole, "").expect("there is room");
    path
}

/// An entry of the length that commands and decisions have, unlike any other.
fn audit_entry(sequence: &mut u64) -> Record {
    *sequence += 1;
    let noise = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let text = format!(
        "step 2 of RUN-{sequence} (roll payment back): kubectl rollout undo deployment/payment-{noise:016x} -n prod, \
         digest {:016x}{:016x}{:016x}",
        noise.rotate_left(13),
        noise.rotate_left(29),
        noise.rotate_left(41)
    );
    Record::Audit(AuditEntry {
        sequence: *sequence,
        at: Timestamp(1_763_000_000_000 + i64::try_from(*sequence).unwrap_or(0) * 1_000),
        kind: AuditKind::Outcome,
        by: Arc::from("engine"),
        incident: None,
        run: None,
        text: Arc::from(text),
    })
}
