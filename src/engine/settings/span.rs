//! A span of time as people write it in a settings file.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// A span of time in milliseconds, written as a number and a unit: `500ms`, `15s`, `5m`, `6h`, `21d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub i64);

impl std::fmt::Display for Span {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (unit, ms) in [("d", DAY_MS), ("h", HOUR_MS), ("m", MINUTE_MS), ("s", SECOND_MS)] {
            if self.0 != 0 && self.0 % ms == 0 {
                return write!(out, "{}{unit}", self.0 / ms);
            }
        }
        write!(out, "{}ms", self.0)
    }
}

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem =
            || format!("`{text}` is no span of time; write a whole number and a unit, such as 15s, 5m, 6h or 21d");
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(problem)?;
        let amount: i64 = text[..digits].parse().map_err(|_| problem())?;
        let unit = match &text[digits..] {
            "ms" => 1,
            "s" => SECOND_MS,
            "m" => MINUTE_MS,
            "h" => HOUR_MS,
            "d" => DAY_MS,
            _ => return Err(problem()),
        };
        amount.checked_mul(unit).map(Self).ok_or_else(problem)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_print_as_they_are_read() {
        for text in ["500ms", "15s", "5m", "6h", "21d"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!("90s".parse::<Span>().unwrap(), Span(90_000));
    }

    #[test]
    fn a_span_without_unit_is_refused_with_an_example() {
        for text in ["", "15", "s", "5 m", "-5m", "99999999999999999d"] {
            assert!(text.parse::<Span>().unwrap_err().contains("15s"), "{text}");
        }
    }
}
