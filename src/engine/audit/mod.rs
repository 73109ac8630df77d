//! The audit log on disk: one entry a line, each bound to the line before it, its end signed; and the proof that nothing in
//! it was altered, taken out, put in, moved or cut off.
//!
//! ```text
//! audit.jsonl   {"sequence":1,…,"before":"<64 hex>","hash":"<64 hex>"}     one line an entry, appended only
//! audit.head    {"sequence":…,"hash":…,"bytes":…,"at":…,"key":…,"signature":…}   the signed end, replaced as a whole
//! audit.key     the signing key, mode 0600
//! audit/00000000000000000001.jsonl   what was sealed, named by its first entry; never written to again
//! audit/00000000000000000001.head    its signed end
//! audit/anchor  the last of the entries that were let go, signed; the chain begins after it
//! ```

pub mod chain;
pub mod head;
pub mod letting_go;
pub mod verify;
