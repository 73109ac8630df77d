//! Versions are ordered by the rules of whoever packs them: what is newer in one ecosystem is older in another.

pub mod dpkg;
pub mod rpm;

use std::cmp::Ordering;

/// Whose rules order a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Debian and what descends from it: epoch, upstream version, revision.
    Dpkg,
    /// RPM distributions: epoch, version, release.
    Rpm,
    /// Semantic Versioning 2.0.0.
    Semver,
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{version}` is no {scheme} version: {problem}")]
pub struct VersionError {
    /// The text.
    pub version: String,
    /// By whose rules.
    pub scheme: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl Scheme {
    /// Which of two versions is older.
    ///
    /// # Errors
    /// When one of them is no version of this scheme: then nothing is known, and "could not check" is the answer.
    pub fn compare(self, one: &str, other: &str) -> Result<Ordering, VersionError> {
        match self {
            Self::Dpkg => Ok(dpkg::Version::parse(one)?.cmp(&dpkg::Version::parse(other)?)),
            Self::Rpm => Ok(rpm::Version::parse(one)?.cmp(&rpm::Version::parse(other)?)),
            // Build metadata plays no part in precedence.
            Self::Semver => Ok(semver(one)?.cmp_precedence(&semver(other)?)),
        }
    }
}

/// The epoch before the first colon and what follows, 0 where there is none; `None` where it is no number.
fn split_epoch(text: &str) -> Option<(u32, &str)> {
    let Some((epoch, rest)) = text.split_once(':') else { return Some((0, text)) };
    let is_number = epoch.bytes().all(|byte| byte.is_ascii_digit());
    Some((epoch.parse().ok().filter(|_| is_number)?, rest))
}

/// Digits by the number they make, however long: without leading zeros the longer one is the larger.
fn compare_numbers(one: &[u8], other: &[u8]) -> Ordering {
    let zeros = |digits: &[u8]| digits.iter().take_while(|digit| **digit == b'0').count();
    let (one, other) = (one.get(zeros(one)..).unwrap_or_default(), other.get(zeros(other)..).unwrap_or_default());
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

fn semver(text: &str) -> Result<semver::Version, VersionError> {
    // Many write the tag's name.
    semver::Version::parse(text.trim().trim_start_matches('v')).map_err(|problem| VersionError {
        version: text.to_owned(),
        scheme: "semver",
        problem: problem.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semver_puts_a_pre_release_first_and_ignores_the_build() {
        let compare = |one, other| Scheme::Semver.compare(one, other).unwrap();
        assert_eq!(compare("1.0.0-rc.1", "1.0.0"), Ordering::Less);
        assert_eq!(compare("1.0.0+build.2", "1.0.0+build.1"), Ordering::Equal);
        assert_eq!(compare("1.0.0-2", "1.0.0-alpha"), Ordering::Less);
        assert_eq!(compare("v1.10.0", "1.9.0"), Ordering::Greater);
        assert!(Scheme::Semver.compare("1.2", "1.2.0").unwrap_err().to_string().contains("`1.2` is no semver version"));
    }
}
