//! Debian's order of versions: `[epoch:]upstream[-revision]` (Debian Policy 5.6.12).

use std::cmp::Ordering;

use super::{VersionError, compare_numbers, split_epoch};

/// A version of a Debian package, borrowed from its text.
#[derive(Debug, Clone, Copy)]
pub struct Version<'t> {
    epoch: u32,
    upstream: &'t str,
    revision: &'t str,
}

impl<'t> Version<'t> {
    /// Takes a version apart.
    ///
    /// # Errors
    /// When it is empty, has an epoch that is no number, or holds a character that no version has.
    pub fn parse(text: &'t str) -> Result<Self, VersionError> {
        let wrong =
            |problem: &str| VersionError { version: text.to_owned(), scheme: "dpkg", problem: problem.to_owned() };
        let (epoch, rest) = split_epoch(text)
            .filter(|(epoch, _)| i32::try_from(*epoch).is_ok())
            .ok_or_else(|| wrong("its epoch is no number"))?;
        let (upstream, revision) = match rest.rsplit_once('-') {
            None => (rest, ""),
            Some((_, "")) => return Err(wrong("its revision is empty")),
            Some(parts) => parts,
        };
        if upstream.is_empty() {
            return Err(wrong("it has no upstream version"));
        }
        let is_of = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
        if !is_of(upstream, ".+~-:") || !is_of(revision, ".+~") {
            return Err(wrong("it holds a character that no version has"));
        }
        Ok(Self { epoch, upstream, revision })
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| compare_parts(self.upstream.as_bytes(), other.upstream.as_bytes()))
            .then_with(|| compare_parts(self.revision.as_bytes(), other.revision.as_bytes()))
    }
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version<'_> {}

/// The weight of what stands at the head outside a number: `~` before the end, the end before letters, letters before the
/// rest.
fn weight(head: Option<&u8>) -> i32 {
    match head {
        None => 0,
        Some(b'~') => -1,
        Some(digit) if digit.is_ascii_digit() => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    }
}

/// By turns what is no number, character by character, and numbers, by their value.
fn compare_parts(mut one: &[u8], mut other: &[u8]) -> Ordering {
    loop {
        let is_text = |part: &[u8]| part.first().is_some_and(|byte| !byte.is_ascii_digit());
        while is_text(one) || is_text(other) {
            let order = weight(one.first()).cmp(&weight(other.first()));
            if order.is_ne() {
                return order;
            }
            (one, other) = (one.get(1..).unwrap_or_default(), other.get(1..).unwrap_or_default());
        }
        if one.is_empty() && other.is_empty() {
            return Ordering::Equal;
        }
        let (number, rest) = take_number(one);
        let (other_number, other_rest) = take_number(other);
        let order = compare_numbers(number, other_number);
        if order.is_ne() {
            return order;
        }
        (one, other) = (rest, other_rest);
    }
}

/// The digits at the head, and what follows them.
fn take_number(part: &[u8]) -> (&[u8], &[u8]) {
    part.split_at(part.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(part.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(one: &str, other: &str) -> Ordering {
        Version::parse(one).unwrap().cmp(&Version::parse(other).unwrap())
    }

    #[test]
    fn the_order_is_that_of_debian_policy() {
        for (older, newer) in [
            ("1.0~rc1", "1.0"),
            ("1.0~~", "1.0~"),
            ("2.0", "1:1.0"),
            ("1ubuntu2.8", "1ubuntu2.10"),
            ("1.2.3-1~deb12u1", "1.2.3-1"),
            ("1.2.3-1", "1.2.3-1+deb12u1"),
            ("1.0", "1.0a"),
            ("1.0+", "1.0."),
            ("9.18.1-1ubuntu1.1~20.04", "9.18.1-1ubuntu1.1"),
            ("1.2-3-1", "1.2-3-2"),
            ("1.9", "1.10"),
        ] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} < {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{newer} > {older}");
        }
        for (one, same) in [("0:1.0", "1.0"), ("1.0", "1.0-0"), ("1.00", "1.0"), ("1.0-0", "1.0-00")] {
            assert_eq!(compare(one, same), Ordering::Equal, "{one} = {same}");
        }
    }

    #[test]
    fn what_is_no_version_is_said_to_be_none() {
        for text in ["", ":1.0", "a:1.0", "-1:1.0", "1.0-", "-1", "1.0 2", "1.0_2", "99999999999:1", "1:", "ü"] {
            assert!(Version::parse(text).is_err(), "{text}");
        }
    }
}
