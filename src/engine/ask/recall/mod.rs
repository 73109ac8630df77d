//! Incidents of the past that are like one of today, by what was seen, where, and what became of it.
//!
//! ```text
//! incident with its parts ─▶ digest ─▶ features ─▶ archive (inverted index, a card for each incident)
//! live incident ───────────▶ digest ─▶ query, widened along the topology ─▶ the likest, each with reasons
//! ```
//!
//! An archive is filled from a store or from a picture and follows what ends, comes back or is written about. It is a
//! function of the digests it holds: in which order they came, and what was replaced or forgotten between, changes nothing.

mod archive;
mod digest;
mod feature;
mod index;
mod query;
mod reason;
#[cfg(test)]
mod tests;

pub use archive::{Alike, Archive, Past};
pub use digest::{Digest, Parts, PastAct, PastCause, Sign};
pub use query::Query;
pub use reason::Reason;
