//! Patches: what is known of vulnerabilities, which installed versions they concern, and what is to be mended first.
//!
//! Feeds and inventories come in as text, verdicts and orders go out; no clock but the one that is handed in. I/O is done by
//! `shelf` (files) and `sync` (HTTP) only.

pub mod acts;
pub mod advisory_id;
pub mod causes;
pub mod cve;
pub mod cvss;
pub mod directive;
pub mod exceptions;
pub mod feeds;
pub mod going;
pub mod intake;
pub mod inventory;
pub mod keeping;
pub mod knowledge;
pub mod ledger;
pub mod matching;
pub mod mended;
pub mod office;
pub mod picture;
pub mod queue;
pub mod regressions;
pub mod report;
pub mod risk;
pub mod rollout;
pub mod shelf;
pub mod sync;
pub mod version;
