//! Hashes that are the same on every machine and in every version, because they are kept between two starts.

/// Where a hash begins.
pub(super) const SEED: u64 = 0x517c_c1b7_2722_0a95;
/// Stands for nothing where something could be: `key=`, `()`.
pub(super) const EMPTY: u64 = 3;
/// The golden ratio's bits, the usual odd multiplier that spreads bits well.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes one more number into a hash.
pub(super) fn mix(hash: u64, next: u64) -> u64 {
    (hash.rotate_left(23) ^ next).wrapping_mul(SPREAD)
}

/// Hash of a word; never 0, which stands for a value, nor [`EMPTY`].
pub(super) fn hash_of(word: &[u8]) -> u64 {
    let (eights, rest) = word.as_chunks::<8>();
    let of_eights = eights.iter().fold(SEED, |hash, eight| mix(hash, u64::from_le_bytes(*eight)));
    let of_rest = rest.iter().fold(0, |all, next| all << 8 | u64::from(*next));
    mix(mix(of_eights, of_rest), word.len() as u64) | 4
}
