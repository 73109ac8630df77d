//! Numbers as a person reads them: `212/s`, `61 %`, `1.2 GiB`, `340 ms`.

use super::series::Unit;

/// A value with its unit, rounded to what can be read at a glance (about three significant digits).
#[must_use]
pub fn human(value: f64, unit: Unit) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    match unit {
        Unit::Count => scaled(value),
        Unit::PerSecond => format!("{}/s", scaled(value)),
        Unit::Seconds => seconds(value),
        Unit::Bytes => bytes(value),
        Unit::BytesPerSecond => format!("{}/s", bytes(value)),
        Unit::Ratio => format!("{} %", digits(value * 100.0)),
        Unit::Boolean => if value >= 0.5 { "up" } else { "down" }.to_owned(),
    }
}

/// A length of time in its largest sensible units: `7 s`, `4 min`, `2 h 10 min`, `3 d 4 h`; the sign is left out.
#[must_use]
pub fn human_span(ms: i64) -> String {
    let total_ms = ms.unsigned_abs();
    let (seconds, minutes, hours, days) =
        (total_ms / 1_000, total_ms / 60_000, total_ms / 3_600_000, total_ms / 86_400_000);
    match (days, hours, minutes, seconds) {
        (0, 0, 0, 0) => format!("{total_ms} ms"),
        (0, 0, 0, _) => format!("{seconds} s"),
        (0, 0, 1..=9, _) if !seconds.is_multiple_of(60) => format!("{minutes} min {} s", seconds % 60),
        (0, 0, _, _) => format!("{minutes} min"),
        (0, _, _, _) if !minutes.is_multiple_of(60) => format!("{hours} h {} min", minutes % 60),
        (0, _, _, _) => format!("{hours} h"),
        _ if !hours.is_multiple_of(24) => format!("{days} d {} h", hours % 24),
        _ => format!("{days} d"),
    }
}

/// A whole number with its thousands apart: `1,847`.
#[must_use]
pub fn human_count(count: u64) -> String {
    let plain = count.to_string();
    let mut text = String::with_capacity(plain.len() + plain.len() / 3);
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Thousands as `k`, millions as `M`, thousands of millions as `G`.
fn scaled(value: f64) -> String {
    const STEPS: [(f64, &str); 3] = [(1e9, "G"), (1e6, "M"), (1e4, "k")];
    for (from, suffix) in STEPS {
        if value.abs() >= from {
            let unit = if suffix == "k" { 1e3 } else { from };
            return format!("{}{suffix}", digits(value / unit));
        }
    }
    digits(value)
}

fn seconds(value: f64) -> String {
    let size = value.abs();
    if size >= 60.0 {
        // Saturates far beyond any span that is measured.
        let text = human_span((size * 1_000.0) as i64);
        if value < 0.0 { format!("-{text}") } else { text }
    } else if size >= 1.0 || size == 0.0 {
        format!("{} s", digits(value))
    } else if size >= 1e-3 {
        format!("{} ms", digits(value * 1e3))
    } else {
        format!("{} µs", digits(value * 1e6))
    }
}

fn bytes(value: f64) -> String {
    const STEPS: [(f64, &str); 5] = [
        (1_125_899_906_842_624.0, "PiB"),
        (1_099_511_627_776.0, "TiB"),
        (1_073_741_824.0, "GiB"),
        (1_048_576.0, "MiB"),
        (1_024.0, "KiB"),
    ];
    for (from, suffix) in STEPS {
        if value.abs() >= from {
            return format!("{} {suffix}", digits(value / from));
        }
    }
    format!("{} B", digits(value))
}

/// About three significant digits, without trailing zeros.
fn digits(value: f64) -> String {
    let size = value.abs();
    let places = if size >= 99.95 || size == 0.0 {
        0
    } else if size >= 0.095 {
        1
    } else if size >= 0.0095 {
        2
    } else {
        4
    };
    let text = format!("{value:.places$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    // What rounds to nothing has no sign.
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_people_say_them() {
        for (value, unit, text) in [
            (212.4, Unit::PerSecond, "212/s"),
            (0.0, Unit::PerSecond, "0/s"),
            (0.61, Unit::Ratio, "61 %"),
            (0.002, Unit::Ratio, "0.2 %"),
            (0.991, Unit::Ratio, "99.1 %"),
            (1.0, Unit::Ratio, "100 %"),
            (1_288_490_188.8, Unit::Bytes, "1.2 GiB"),
            (512.0, Unit::Bytes, "512 B"),
            (0.34, Unit::Seconds, "340 ms"),
            (1.25, Unit::Seconds, "1.2 s"),
            (0.000_05, Unit::Seconds, "50 µs"),
            (125.0, Unit::Seconds, "2 min 5 s"),
            (1_847.0, Unit::Count, "1847"),
            (18_470.0, Unit::Count, "18.5k"),
            (2_500_000.0, Unit::Count, "2.5M"),
            (-0.000_001, Unit::Count, "0"),
            (0.0, Unit::Boolean, "down"),
            (f64::NAN, Unit::Count, "?"),
        ] {
            assert_eq!(human(value, unit), text);
        }
    }

    #[test]
    fn spans_and_counts_read_as_people_say_them() {
        for (ms, text) in [
            (7_000, "7 s"),
            (-7_000, "7 s"),
            (240_000, "4 min"),
            (250_000, "4 min 10 s"),
            (7_800_000, "2 h 10 min"),
            (273_600_000, "3 d 4 h"),
        ] {
            assert_eq!(human_span(ms), text);
        }
        assert_eq!(human_count(1_847), "1,847");
        assert_eq!(human_count(999), "999");
        assert_eq!(human_count(1_234_567), "1,234,567");
        assert!(!human_span(i64::MIN).is_empty());
    }
}
