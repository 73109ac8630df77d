//! Patches: what is known of vulnerabilities, which installed versions they concern, and what is to be mended first.
//!
//! Pure: feeds and inventories come in as text, verdicts and orders go out; no clock but the one that is handed in.

pub mod cve;
pub mod directive;
pub mod feeds;
pub mod risk;
pub mod version;
