//! Identities made of content: SHA-256 over parts, in hex.

use sha2::{Digest, Sha256};

/// SHA-256 in hex over the parts, each preceded by its length, so that no two lists of parts give the same; a single part
/// is hashed as it is.
#[must_use]
pub fn sha256_hex<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let parts: Vec<&str> = parts.into_iter().collect();
    let mut hash = Sha256::new();
    for part in &parts {
        if parts.len() > 1 {
            hash.update((part.len() as u64).to_be_bytes());
        }
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_apart() {
        assert_ne!(sha256_hex(["ab", "c"]), sha256_hex(["a", "bc"]));
        assert_eq!(sha256_hex(["abc"]), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
