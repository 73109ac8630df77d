//! Numbers with what they measure, as they stand in a text, and whether one says the same as another when it is rounded.

/// What a number measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// A count, or something without a unit.
    Plain,
    /// Time, in seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Hundredths.
    Percent,
    /// So many a second.
    PerSecond,
    /// So many times as much.
    Times,
}

/// A number in a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantity {
    /// As it was written.
    pub written: String,
    /// In the unit of its measure.
    pub value: f64,
    /// What its last digit counts.
    pub digit: f64,
    /// What it measures.
    pub measure: Measure,
}

/// No statement is right that is this far off, however few its digits.
const OFF_MAX: f64 = 0.15;
/// As far as "about" reaches.
const ABOUT: f64 = 0.05;

impl Quantity {
    /// True where this number, as it was rounded, is said of `fact`; `is_about` where the text says that it is not exact.
    pub(super) fn says(&self, fact: &Self, is_about: bool) -> bool {
        let off = (self.value - fact.value).abs();
        let rounded = self.tolerance();
        let slack = if is_about { rounded.max(ABOUT * fact.value.abs()) } else { rounded };
        self.measure == fact.measure && off <= slack + 1e-9 * fact.value.abs() && off <= OFF_MAX * fact.value.abs()
    }

    /// How far off rounding may have brought it. What is counted in ones is counted, not rounded.
    fn tolerance(&self) -> f64 {
        if self.measure == Measure::Plain && self.digit >= 1.0 { 0.0 } else { 0.5 * self.digit }
    }

    /// The number with another one of time behind it: 2 h and 10 min.
    pub(super) fn then(&self, next: &Self) -> Option<Self> {
        let both = self.measure == Measure::Seconds && next.measure == Measure::Seconds;
        (both && next.digit < self.digit && next.value < self.digit).then(|| Self {
            written: format!("{} {}", self.written, next.written),
            value: self.value + next.value,
            digit: next.digit,
            measure: Measure::Seconds,
        })
    }

    /// The same with its unit, which stood in a word of its own.
    pub(super) fn with_unit(mut self, unit: &str) -> Option<Self> {
        if self.measure != Measure::Plain {
            return None;
        }
        let (factor, measure) = measure(unit)?;
        self.written = format!("{} {unit}", self.written);
        self.value *= factor;
        self.digit *= factor;
        self.measure = measure;
        Some(self)
    }
}

/// The number that a word is: `1,847`, `4.2s`, `42%`, `12k/s`, `~3`, `two`. `None` for any other word.
pub(super) fn quantity(word: &str) -> Option<Quantity> {
    if let Some(value) = spelt(word) {
        return Some(Quantity { written: word.to_owned(), value, digit: 1.0, measure: Measure::Plain });
    }
    let number = word.trim_start_matches(['~', '≈', '<', '>', '≤', '≥', '+', '-', '−', '±', '$']);
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(number.len());
    let (digits, unit) = number.split_at(end);
    let digits = digits.trim_end_matches(['.', ',']);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.matches('.').count() > 1 {
        return None;
    }
    let value: f64 = digits.replace(',', "").parse().ok()?;
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let (factor, measure) = if unit.is_empty() { (1.0, Measure::Plain) } else { attached(unit)? };
    // A power of ten of at most a few dozen.
    let digit = 10f64.powi(-i32::try_from(decimals).unwrap_or(0)) * factor;
    Some(Quantity { written: word.to_owned(), value: value * factor, digit, measure })
}

/// A unit that is written to its number, where single letters are clear.
fn attached(unit: &str) -> Option<(f64, Measure)> {
    let rest = unit.strip_suffix("/s");
    let scale = |text: &str| match text {
        "" => Some(1.0),
        "k" | "K" => Some(1e3),
        "M" => Some(1e6),
        "G" => Some(1e9),
        _ => None,
    };
    match (scale(unit), rest.map(scale)) {
        (Some(factor), _) => Some((factor, Measure::Plain)),
        (_, Some(Some(factor))) => Some((factor, Measure::PerSecond)),
        _ if unit == "m" => Some((60.0, Measure::Seconds)),
        _ if unit == "x" || unit == "×" => Some((1.0, Measure::Times)),
        _ => measure(unit),
    }
}

fn measure(unit: &str) -> Option<(f64, Measure)> {
    let seconds = |factor| Some((factor, Measure::Seconds));
    let bytes = |text: &str| {
        Some(match text {
            "B" | "byte" | "bytes" => 1.0,
            "kB" | "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "TB" => 1e12,
            "KiB" => 1024.0,
            "MiB" => 1_048_576.0,
            "GiB" => 1_073_741_824.0,
            "TiB" => 1_099_511_627_776.0,
            _ => return None,
        })
    };
    match unit {
        "%" | "percent" | "pct" => Some((1.0, Measure::Percent)),
        "µs" | "us" | "microseconds" => seconds(1e-6),
        "ms" | "millisecond" | "milliseconds" | "msec" => seconds(1e-3),
        "s" | "sec" | "secs" | "second" | "seconds" => seconds(1.0),
        "min" | "mins" | "minute" | "minutes" => seconds(60.0),
        "h" | "hr" | "hrs" | "hour" | "hours" => seconds(3_600.0),
        "d" | "day" | "days" => seconds(86_400.0),
        "/s" | "rps" | "qps" | "req/s" | "requests/s" => Some((1.0, Measure::PerSecond)),
        "times" | "fold" => Some((1.0, Measure::Times)),
        _ => match unit.strip_suffix("/s") {
            Some(size) => bytes(size).map(|factor| (factor, Measure::BytesPerSecond)),
            None => bytes(unit).map(|factor| (factor, Measure::Bytes)),
        },
    }
}

/// Numbers in words; "one" is hardly ever meant as one.
fn spelt(word: &str) -> Option<f64> {
    const WORDS: [&str; 11] =
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    let word = word.to_lowercase();
    let at = WORDS.iter().position(|known| *known == word)?;
    u32::try_from(at).ok().map(|at| f64::from(at) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(said: &str, fact: &str) -> bool {
        quantity(said).unwrap().says(&quantity(fact).unwrap(), false)
    }

    #[test]
    fn a_number_may_be_rounded_and_put_into_another_unit_and_nothing_else() {
        for (said, fact) in [
            ("4.2s", "4.2s"),
            ("4s", "4.2s"),
            ("4200ms", "4.2s"),
            ("4.20s", "4.2s"),
            ("70min", "70min"),
            ("1,847", "1847"),
            ("42%", "41.6%"),
            ("12k/s", "12k/s"),
            ("12000/s", "12k/s"),
            ("two", "2"),
            ("1.0GiB", "1GiB"),
            ("~3", "3"),
        ] {
            assert!(says(said, fact), "{said} of {fact}");
        }
        for (said, fact) in [
            ("4.2s", "4.2ms"),
            ("4.3s", "4.2s"),
            ("4.23s", "4.2s"),
            ("5s", "4.2s"),
            ("1s", "1.4s"),
            ("0s", "300ms"),
            ("42", "42%"),
            ("42%", "42"),
            ("3", "4"),
            ("1.0GB", "1GiB"),
            ("12/s", "12"),
            ("2x", "2"),
            ("1,847", "1846"),
        ] {
            assert!(!says(said, fact), "{said} of {fact}");
        }
        let about = quantity("4000").unwrap();
        assert!(about.says(&quantity("3987").unwrap(), true) && !about.says(&quantity("3987").unwrap(), false));
        assert!(!about.says(&quantity("3000").unwrap(), true));
    }

    #[test]
    fn spans_are_one_number_and_words_are_none() {
        let span = quantity("2h").unwrap().then(&quantity("10min").unwrap()).unwrap();
        assert!(says("130min", "130min") && span.says(&quantity("130min").unwrap(), false));
        assert!(quantity("10min").unwrap().then(&quantity("2h").unwrap()).is_none());
        for word in ["one", "p99", "web-1", "1.2.3", "v2", "5xx", "", "-", "INC-1", "14:02"] {
            assert!(quantity(word).is_none(), "{word}");
        }
        assert_eq!(quantity("4.2").unwrap().with_unit("s").unwrap().measure, Measure::Seconds);
        assert!(quantity("4.2").unwrap().with_unit("services").is_none());
    }
}
