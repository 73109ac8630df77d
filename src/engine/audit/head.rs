//! The signed end of the log: how far it goes, with which hash, and when that was written. A log that ends before it was
//! cut off. Its anchor has the same form, signed as what it is: up to there it was let go, in order.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::chain::hex;
use crate::engine::clock::Timestamp;

/// What a signature is for, so that it is none for anything else.
const HEAD: &str = "hypocenter audit head 1";
/// Of an anchor: an end that was signed once must not do as one.
const ANCHOR: &str = "hypocenter audit anchor 1";

/// Where the log ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Number of the last entry; 0 of an empty log.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
    /// Length of its file with it, bytes.
    pub bytes: u64,
    /// When it was signed.
    pub at: Timestamp,
}

/// A signed end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// What is signed.
    #[serde(flatten)]
    pub end: End,
    /// The public key, 64 hex digits: Ed25519 (RFC 8032).
    pub key: String,
    /// The signature, 128 hex digits.
    signature: String,
}

/// Why a head proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenHead {
    /// It is none.
    #[error("it is no head of an audit log")]
    Shape,
    /// The signature is not that of its words under its key.
    #[error("its signature does not fit what it says")]
    Signature,
}

/// The key that signs heads.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// From its 32 secret bytes.
    ///
    /// # Errors
    /// When they are not 32.
    pub fn from_seed(seed: &[u8]) -> Result<Self, ring::error::KeyRejected> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self)
    }

    /// The public half, 64 hex digits.
    #[must_use]
    pub fn public(&self) -> String {
        hex(self.0.public_key().as_ref())
    }

    /// Signs an end.
    #[must_use]
    pub fn sign(&self, end: End) -> Head {
        self.sign_as(HEAD, end)
    }

    /// Signs the last entry of what is let go.
    #[must_use]
    pub fn sign_anchor(&self, end: End) -> Head {
        self.sign_as(ANCHOR, end)
    }

    fn sign_as(&self, what: &str, end: End) -> Head {
        let signature = hex(self.0.sign(signed_text(what, &end).as_bytes()).as_ref());
        Head { key: self.public(), signature, end }
    }
}

impl Head {
    /// The file's text: one line.
    ///
    /// # Errors
    /// When it has no form in JSON.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self).map(|text| text + "\n")
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// When it is not, byte for byte, what [`Self::text`] gives of a head whose signature fits.
    pub fn read(text: &str) -> Result<Self, BrokenHead> {
        Self::read_as(HEAD, text)
    }

    /// Reads an anchor's text.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_anchor(text: &str) -> Result<Self, BrokenHead> {
        Self::read_as(ANCHOR, text)
    }

    fn read_as(what: &str, text: &str) -> Result<Self, BrokenHead> {
        let head: Self = serde_json::from_str(text).map_err(|_| BrokenHead::Shape)?;
        if head.text().ok().as_deref() != Some(text) {
            return Err(BrokenHead::Shape);
        }
        let (key, signature) = (from_hex(&head.key)?, from_hex(&head.signature)?);
        let key = UnparsedPublicKey::new(&ED25519, key);
        key.verify(signed_text(what, &head.end).as_bytes(), &signature).map_err(|_| BrokenHead::Signature)?;
        Ok(head)
    }
}

fn signed_text(what: &str, end: &End) -> String {
    let End { sequence, hash, bytes, at } = end;
    format!("{what}\n{sequence}\n{hash}\n{bytes}\n{}\n", at.0)
}

fn from_hex(text: &str) -> Result<Vec<u8>, BrokenHead> {
    // Capitals would be other bytes of the file that say the same.
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    pairs.collect::<Option<Vec<u8>>>().ok_or(BrokenHead::Shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        key.sign(End { sequence: 12, hash: "ab".repeat(32), bytes: 4_000, at: Timestamp(5) })
    }

    #[test]
    fn a_head_reads_back() {
        let head = head();
        assert_eq!(Head::read(&head.text().unwrap()).unwrap(), head);
        assert_eq!(head.key, SigningKey::from_seed(&[7; 32]).unwrap().public());
        assert!(SigningKey::from_seed(&[7; 31]).is_err());
        let anchor = SigningKey::from_seed(&[7; 32]).unwrap().sign_anchor(head.end.clone());
        assert_eq!(Head::read_anchor(&anchor.text().unwrap()).unwrap(), anchor);
        assert!(Head::read(&anchor.text().unwrap()).is_err(), "an anchor is no end");
        assert!(Head::read_anchor(&head.text().unwrap()).is_err(), "an end is no anchor");
    }

    #[test]
    fn every_other_byte_breaks_it() {
        let text = head().text().unwrap();
        for at in 0..text.len() {
            for other in [b'0', b'1', b' ', b'A'] {
                let mut bytes = text.clone().into_bytes();
                if bytes[at] == other {
                    continue;
                }
                bytes[at] = other;
                assert!(Head::read(&String::from_utf8(bytes).unwrap()).is_err(), "{at}");
            }
            assert!(Head::read(&text[..at]).is_err());
        }
    }
}
