//! A share of a group, as people write it: a count or a percentage.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A share of a group: so many, or so many percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Portion {
    /// So many.
    Count(u32),
    /// 0 to 100.
    Percent(u8),
}

impl Portion {
    /// The most of `total` that this allows at once: percentages are rounded down, and one is always allowed.
    #[must_use]
    pub fn at_most(self, total: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (u64::from(total) * u64::from(percent) / 100).try_into().unwrap_or(total),
        }
        .max(1)
    }

    /// The least of `total` that this asks for: percentages are rounded up, but never ask for all, so that the last one can be
    /// patched too; a count is meant as it stands.
    #[must_use]
    pub fn at_least(self, total: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                let share = (u64::from(total) * u64::from(percent)).div_ceil(100);
                u32::try_from(share).unwrap_or(total).min(total.saturating_sub(1))
            }
        }
    }
}

impl fmt::Display for Portion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(out, "{count}"),
            Self::Percent(percent) => write!(out, "{percent}%"),
        }
    }
}

impl FromStr for Portion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem =
            || format!("`{text}` is no share; write a count, such as \"2\", or a percentage, such as \"25%\"");
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.parse().ok().filter(|percent| *percent <= 100);
                percent.map(Self::Percent).ok_or_else(problem)
            }
            None => text.parse().map(Self::Count).map_err(|_| problem()),
        }
    }
}

impl Serialize for Portion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Portion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_to_the_careful_side() {
        let share = |text: &str| text.parse::<Portion>().unwrap();
        assert_eq!([1, 3, 10].map(|total| share("25%").at_most(total)), [1, 1, 2]);
        assert_eq!([1, 2, 3, 10].map(|total| share("50%").at_least(total)), [0, 1, 2, 5]);
        assert_eq!(share("100%").at_least(4), 3, "the last one can be patched too");
        assert_eq!((share("2").at_least(1), share("0").at_most(5)), (2, 1), "a count is meant as it stands");
        for text in ["101%", "-1", "", "%", "two"] {
            assert!(text.parse::<Portion>().unwrap_err().contains("\"25%\""), "{text}");
        }
        assert_eq!(share("25%").to_string(), "25%");
    }
}
