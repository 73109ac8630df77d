//! The line of an entry: what it says, the hash of the line before, and its own hash over both.
//!
//! The hash of a line is the SHA-256 of its text up to and without `,"hash":"`, so that a few lines of any language check it.
//! The first line has 64 zeros as the hash before it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::model::AuditEntry;

/// The hash before the first line.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// What comes between a line's text and its hash.
const HASH_FIELD: &str = ",\"hash\":\"";
const HASH_DIGITS: usize = 64;
/// After the hash.
const LINE_END: &str = "\"}";

/// An entry and the hash of the line before it, as they are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Linked {
    #[serde(flatten)]
    entry: AuditEntry,
    before: String,
}

/// A line as read: intact in itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// What it says.
    pub entry: AuditEntry,
    /// Hash of the line before, as this one has it.
    pub before: String,
    /// Its own.
    pub hash: String,
}

/// Why a line is not intact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenLine {
    /// It is no line of an audit log.
    #[error("it is no entry of an audit log")]
    Shape,
    /// Its text is not what its hash was made of.
    #[error("its text does not have the hash that it was written with")]
    Hash,
}

/// The line of `entry` after the line with the hash `before`, without its line feed, and its hash.
///
/// # Errors
/// When the entry has no form in JSON.
pub fn line(entry: &AuditEntry, before: &str) -> Result<(String, String), serde_json::Error> {
    let linked = Linked { entry: entry.clone(), before: before.to_owned() };
    let mut text = serde_json::to_string(&linked)?;
    // The closing brace comes again after the hash.
    text.pop();
    let hash = hash_of(&text);
    text.push_str(HASH_FIELD);
    text.push_str(&hash);
    text.push_str(LINE_END);
    Ok((text, hash))
}

/// Reads a line, without its line feed.
///
/// # Errors
/// When it is not as it was written.
pub fn read(text: &str) -> Result<Link, BrokenLine> {
    let body = text.strip_suffix(LINE_END).ok_or(BrokenLine::Shape)?;
    let split = body.len().checked_sub(HASH_DIGITS).filter(|at| body.is_char_boundary(*at)).ok_or(BrokenLine::Shape)?;
    let (body, hash) = body.split_at(split);
    let body = body.strip_suffix(HASH_FIELD).ok_or(BrokenLine::Shape)?;
    if hash_of(body) != hash {
        return Err(BrokenLine::Hash);
    }
    let linked: Linked = serde_json::from_str(&format!("{body}}}")).map_err(|_| BrokenLine::Shape)?;
    Ok(Link { entry: linked.entry, before: linked.before, hash: hash.to_owned() })
}

/// SHA-256 in lower-case hex.
fn hash_of(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock::Timestamp;
    use crate::engine::model::AuditKind;
    use proptest::prelude::*;

    fn entry(sequence: u64, text: &str) -> AuditEntry {
        AuditEntry {
            sequence,
            at: Timestamp(1_000),
            kind: AuditKind::Operator,
            by: "ann".into(),
            incident: None,
            run: None,
            text: text.into(),
        }
    }

    #[test]
    fn a_line_reads_back_and_names_the_one_before() {
        let (first, hash) = line(&entry(1, "opened \"INC-1\""), GENESIS).unwrap();
        let (second, _) = line(&entry(2, "ä ␛"), &hash).unwrap();
        assert_eq!(read(&first).unwrap().entry, entry(1, "opened \"INC-1\""));
        assert_eq!(read(&second).unwrap().before, hash);
        // What anybody can check with sha256sum.
        let text = first.split(HASH_FIELD).next().unwrap();
        assert_eq!(hash_of(text), read(&first).unwrap().hash);
    }

    proptest! {
        #[test]
        fn no_other_byte_goes_unseen(text in "\\PC{0,40}", at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let (written, _) = line(&entry(7, &text), GENESIS).unwrap();
            let mut bytes = written.clone().into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            prop_assert!(read(&String::from_utf8_lossy(&bytes)).is_err());
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,200}") {
            let _ = read(&text);
        }
    }
}
