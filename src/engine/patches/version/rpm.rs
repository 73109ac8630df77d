//! RPM's order of versions: `[epoch:]version[-release]`, by segments of digits and of letters (rpm-version(7)).

use std::cmp::Ordering;

use super::{VersionError, compare_numbers, split_epoch};

/// A version of an RPM package, borrowed from its text.
#[derive(Debug, Clone, Copy)]
pub struct Version<'t> {
    epoch: u32,
    version: &'t str,
    release: Option<&'t str>,
}

impl<'t> Version<'t> {
    /// Takes a version apart. A missing epoch is 0.
    ///
    /// # Errors
    /// When it is empty, has an epoch that is no number, or holds white space or a character outside ASCII.
    pub fn parse(text: &'t str) -> Result<Self, VersionError> {
        let wrong =
            |problem: &str| VersionError { version: text.to_owned(), scheme: "rpm", problem: problem.to_owned() };
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("it holds a character that no version has"));
        }
        // `(none)` is how rpm prints an epoch that is not there.
        let bare = text.strip_prefix("(none):").unwrap_or(text);
        let (epoch, rest) = split_epoch(bare).ok_or_else(|| wrong("its epoch is no number"))?;
        let (version, release) = match rest.rsplit_once('-') {
            None => (rest, None),
            Some((version, release)) => (version, Some(release)),
        };
        if version.is_empty() || release.is_some_and(str::is_empty) {
            return Err(wrong("a part of it is empty"));
        }
        Ok(Self { epoch, version, release })
    }
}

impl Ord for Version<'_> {
    /// As rpm orders packages: without a release it is older than with any. (Dependencies leave a release out of account
    /// that only one side names; an advisory's fixed version names it.)
    fn cmp(&self, other: &Self) -> Ordering {
        let releases = || match (self.release, other.release) {
            (Some(one), Some(other)) => compare_parts(one, other),
            (one, other) => one.is_some().cmp(&other.is_some()),
        };
        self.epoch.cmp(&other.epoch).then_with(|| compare_parts(self.version, other.version)).then_with(releases)
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

/// Segment by segment: `~` before anything, the end before `^`, `^` before anything more; digits beat letters.
#[must_use]
pub fn compare_parts(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    loop {
        (one, other) = (skip_separators(one), skip_separators(other));
        match (one.first(), other.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (one, other) = (one.get(1..).unwrap_or_default(), other.get(1..).unwrap_or_default());
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), Some(b'^')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            // Whichever has more segments is the newer one.
            (Some(_), None) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), Some(_)) => {}
        }
        let is_number = one.first().is_some_and(u8::is_ascii_digit);
        let is_of = |byte: &u8| if is_number { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
        let (segment, rest) = take(one, is_of);
        let (other_segment, other_rest) = take(other, is_of);
        if other_segment.is_empty() {
            return if is_number { Ordering::Greater } else { Ordering::Less };
        }
        let order = if is_number { compare_numbers(segment, other_segment) } else { segment.cmp(other_segment) };
        if order.is_ne() {
            return order;
        }
        (one, other) = (rest, other_rest);
    }
}

fn skip_separators(part: &[u8]) -> &[u8] {
    let is_kept = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'~' | b'^');
    part.get(part.iter().position(is_kept).unwrap_or(part.len())..).unwrap_or_default()
}

fn take(part: &[u8], is_of: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    part.split_at(part.iter().position(|byte| !is_of(byte)).unwrap_or(part.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(one: &str, other: &str) -> Ordering {
        Version::parse(one).unwrap().cmp(&Version::parse(other).unwrap())
    }

    #[test]
    fn the_order_is_that_of_rpm() {
        for (older, newer) in [
            ("1.0~rc1", "1.0"),
            ("1.0", "1.0^git1"),
            ("1.0^git1", "1.0.1"),
            ("1.0^git1", "1.0^git2"),
            ("1.0~rc1^git1", "1.0"),
            ("2.0", "1:1.0"),
            ("1.9", "1.10"),
            ("1.0a", "1.0.1"),
            ("a", "1"),
            ("1.0", "1.0a"),
            ("1.0", "1.0-0"),
            ("1.0-1.el9", "1.0-2.el9"),
            ("1.0-1.el9_2.1", "1.0-1.el9_2.3"),
        ] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} < {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{newer} > {older}");
        }
        for (one, same) in [("1.0", "0:1.0"), ("1.0", "(none):1.0"), ("1.05", "1.5"), ("1_0", "1.0"), ("1.0.", "1.0")] {
            assert_eq!(compare(one, same), Ordering::Equal, "{one} = {same}");
        }
    }

    #[test]
    fn what_is_no_version_is_said_to_be_none() {
        for text in ["", "a:1", "1.0-", "-1", "1 0", "1:"] {
            assert!(Version::parse(text).is_err(), "{text}");
        }
    }
}
