//! The one door into the model: text, labels, stamps and values from outside become what the engine may hold.
//!
//! Text loses its secrets, its power over the terminal and its right to be of any length; labels lose their right to be of any number;
//! stamps and values that would poison a baseline are named by the reason for which they are set aside.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::engine::clock::Timestamp;
use crate::engine::limits::{FUTURE_STAMP_MS_MAX, LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX};
use crate::engine::model::{DropReason, Labels, ServiceName, Unit};
use crate::engine::redact::{redact, redact_named};

/// Secrets that begin before a limit may end behind it.
const LOOKED_PAST_LIMIT_BYTES: usize = 4_096;

/// The bits of the NaN by which Prometheus marks that a series ended.
/// Source: <https://pkg.go.dev/github.com/prometheus/prometheus/model/value#StaleNaN>.
pub const STALE_MARKER_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The text without secrets, and with everything a terminal would obey or a reader would not see made visible, in at most
/// `bytes_max` bytes.
///
/// C0 controls and DEL become their picture (`␛`, `␊`, `␡`), a tab becomes a space (it lays out, it says nothing), C1 controls and
/// invisible or direction-changing characters become `⟨U+202E⟩`. What is cut off is marked with the number of bytes left out.
/// Sanitising twice gives the same as once.
#[must_use]
pub fn sanitize(text: &str, bytes_max: usize) -> Arc<str> {
    // What is far past the limit will be cut off whatever it is, and is not looked through.
    let mut looked_at = text.len().min(bytes_max.saturating_add(LOOKED_PAST_LIMIT_BYTES));
    while !text.is_char_boundary(looked_at) {
        looked_at -= 1;
    }
    make_visible(&redact(&text[..looked_at]), text.len() - looked_at, bytes_max)
}

fn make_visible(text: &str, beyond: usize, bytes_max: usize) -> Arc<str> {
    if beyond == 0 && text.len() <= bytes_max && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Arc::from(text);
    }
    let mut shown = String::with_capacity(text.len().min(bytes_max) + 16);
    for (at, character) in text.char_indices() {
        let before = shown.len();
        push_visible(&mut shown, character);
        if shown.len() > bytes_max {
            shown.truncate(before);
            return Arc::from(cut(shown, text.len() - at + beyond, bytes_max));
        }
    }
    if beyond > 0 {
        return Arc::from(cut(shown, beyond, bytes_max));
    }
    Arc::from(shown)
}

/// The same for bytes that should be UTF-8; what is not is shown as `U+FFFD`.
#[must_use]
pub fn sanitize_bytes(bytes: &[u8], bytes_max: usize) -> Arc<str> {
    sanitize(&String::from_utf8_lossy(bytes), bytes_max)
}

/// The same line by line: the ends of lines stay, whatever they are, and what does not fit in `bytes_max` bytes and
/// `lines_max` lines is left out.
#[must_use]
pub fn sanitize_lines(text: &str, bytes_max: usize, lines_max: usize) -> Arc<str> {
    let mut left = bytes_max;
    let mut kept: Vec<Arc<str>> = Vec::new();
    for line in text.lines().take(lines_max) {
        if left == 0 {
            break;
        }
        let line = sanitize(line, left);
        left = left.saturating_sub(line.len() + 1);
        kept.push(line);
    }
    Arc::from(kept.join("\n"))
}

/// Makes room for the mark of the cut at the end of `shown`; `left_out` bytes of the original did not fit before that.
fn cut(mut shown: String, left_out: usize, bytes_max: usize) -> String {
    // The mark counts bytes of the original that are certainly gone; those that made room for it are about as many as it is long.
    let mark = format!("…⟨+{left_out} bytes⟩");
    if mark.len() <= bytes_max {
        let mut end = bytes_max - mark.len();
        end = end.min(shown.len());
        while !shown.is_char_boundary(end) {
            end -= 1;
        }
        shown.truncate(end);
        shown.push_str(&mark);
    }
    shown
}

fn push_visible(shown: &mut String, character: char) {
    match character {
        '\t' => shown.push(' '),
        '\u{0}'..='\u{1f}' => shown.push(char::from_u32(0x2400 + u32::from(character)).unwrap_or('␀')),
        '\u{7f}' => shown.push('␡'),
        _ if is_hidden(character) => {
            // Writing into a String does not fail.
            let _written = write!(shown, "⟨U+{:04X}⟩", u32::from(character));
        }
        _ => shown.push(character),
    }
}

/// True for characters that are invisible, change the direction of what follows, or end a line in disguise: C1 controls, the
/// Unicode category of format characters, line and paragraph separators, fillers, tags and the supplementary variation selectors.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{890}' | '\u{891}' | '\u{8e2}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Labels as taken in, with what did not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenLabels {
    /// Sanitised and within the limits, without `__name__`.
    pub labels: Labels,
    /// Labels left out: past the number allowed, or with a name that is too long.
    pub left_out_count: u64,
    /// Values that were cut.
    pub cut_count: u64,
}

/// Takes labels in: at most `LABELS_MAX`, names and values sanitised and limited, empty values and `__name__` left away.
///
/// Of too many labels the first by name are kept, so that the same label set always gives the same result. A caller for whom a missing
/// label would merge two things that differ (a series) sets the whole aside when `left_out_count` is not zero.
#[must_use]
pub fn labels<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> TakenLabels {
    let mut left_out_count = 0;
    let mut cut_count = 0;
    let mut taken: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    for (name, value) in pairs {
        let (name, value) = (name.as_ref(), value.as_ref());
        if name == "__name__" || value.is_empty() {
            continue;
        }
        if name.len() > LABEL_NAME_BYTES_MAX {
            left_out_count += 1;
            continue;
        }
        cut_count += u64::from(value.len() > LABEL_VALUE_BYTES_MAX);
        let value = redact_named(name, value);
        taken.insert(sanitize(name, LABEL_NAME_BYTES_MAX), sanitize(&value, LABEL_VALUE_BYTES_MAX));
        if taken.len() > LABELS_MAX {
            taken.pop_last();
            left_out_count += 1;
        }
    }
    TakenLabels { labels: Labels::new(taken), left_out_count, cut_count }
}

/// The service by the first of `names` that is among the labels.
#[must_use]
pub fn service(labels: &Labels, names: &[String]) -> Option<ServiceName> {
    first_of(labels, names).map(ServiceName::new)
}

/// The instance by the first of `names` that is among the labels.
#[must_use]
pub fn instance(labels: &Labels, names: &[String]) -> Option<Arc<str>> {
    first_of(labels, names).map(Arc::from)
}

fn first_of<'a>(labels: &'a Labels, names: &[String]) -> Option<&'a str> {
    names.iter().find_map(|name| labels.get(name)).map(str::trim).filter(|value| !value.is_empty())
}

/// What a metric measures: by its `unit` label where there is one that is known, else by the ending of its name as the
/// exposition formats recommend it.
#[must_use]
pub fn unit(metric: &str, labels: &Labels) -> Unit {
    match labels.get("unit") {
        Some("s" | "seconds") => return Unit::Seconds,
        Some("By" | "bytes") => return Unit::Bytes,
        Some("By/s") => return Unit::BytesPerSecond,
        Some("1/s") => return Unit::PerSecond,
        Some("ratio") => return Unit::Ratio,
        _ => {}
    }
    const ENDINGS: [(&str, Unit); 8] = [
        ("_bytes_per_second", Unit::BytesPerSecond),
        ("_per_second", Unit::PerSecond),
        ("_bytes", Unit::Bytes),
        ("_seconds", Unit::Seconds),
        ("_ratio", Unit::Ratio),
        ("_rate", Unit::PerSecond),
        ("_up", Unit::Boolean),
        ("_total", Unit::Count),
    ];
    if metric == "up" {
        return Unit::Boolean;
    }
    ENDINGS.iter().find(|(ending, _)| metric.ends_with(ending)).map_or(Unit::Count, |(_, unit)| *unit)
}

/// A value that may be taken: finite, with -0 as 0.
///
/// # Errors
/// Why it is set aside: the marker of an ended series, not a number, infinite.
pub fn value(value: f64) -> Result<f64, DropReason> {
    if value.is_finite() {
        // Minus zero would print as `-0`; adding zero makes it plain.
        Ok(value + 0.0)
    } else if value.to_bits() == STALE_MARKER_BITS {
        Err(DropReason::StaleMarker)
    } else if value.is_nan() {
        Err(DropReason::NotANumber)
    } else {
        Err(DropReason::Infinite)
    }
}

/// A value written as text, as the Prometheus API does: `"0.25"`, `"NaN"`, `"+Inf"`.
///
/// # Errors
/// As [`value`], and `Malformed` for text that is no number.
pub fn value_text(text: &str) -> Result<f64, DropReason> {
    text.parse::<f64>().map_err(|_| DropReason::Malformed).and_then(value)
}

/// A stamp that may be taken: not further ahead of `now` than clocks may differ.
///
/// # Errors
/// `FutureStamp` past `FUTURE_STAMP_MS_MAX`.
pub fn stamp(at: Timestamp, now: Timestamp) -> Result<Timestamp, DropReason> {
    if at.since_ms(now) > FUTURE_STAMP_MS_MAX { Err(DropReason::FutureStamp) } else { Ok(at) }
}

/// Whether a stamp may follow `last`, the newest one taken of the same series.
///
/// # Errors
/// `Duplicate` for the same instant, `Late` for an older one.
pub fn follows(at: Timestamp, last: Option<Timestamp>) -> Result<(), DropReason> {
    match last {
        Some(last) if at == last => Err(DropReason::Duplicate),
        Some(last) if at < last => Err(DropReason::Late),
        _ => Ok(()),
    }
}

/// True when brackets outside of strings are nested deeper than `depth_max`, without reading the JSON as such.
#[must_use]
pub fn is_deeper_than(json: &[u8], depth_max: usize) -> bool {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'[' | b'{' if !is_text => depth += 1,
            b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > depth_max {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_comes_in_loses_its_secrets() {
        assert_eq!(
            sanitize("login with password=hunter2 failed", 100).as_ref(),
            "login with password=⟨redacted:password⟩ failed"
        );
    }

    #[test]
    fn what_a_terminal_would_obey_becomes_visible() {
        for (outside, shown) in [
            ("plain text", "plain text"),
            ("größer 東京 ✓", "größer 東京 ✓"),
            ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
            ("a\tb\r\nc", "a b␍␊c"),
            ("\u{9b}31m", "⟨U+009B⟩31m"),
            ("rm \u{202e}txt\u{200b}", "rm ⟨U+202E⟩txt⟨U+200B⟩"),
            ("\u{e0041}", "⟨U+E0041⟩"),
            ("\u{7f}\0", "␡␀"),
        ] {
            assert_eq!(sanitize(outside, 1_000).as_ref(), shown, "{outside:?}");
        }
        assert_eq!(sanitize_bytes(b"a\xffb", 100).as_ref(), "a\u{fffd}b");
    }

    #[test]
    fn a_cut_is_marked_with_what_is_missing() {
        assert_eq!(sanitize(&"a".repeat(100), 100).len(), 100);
        let shown = sanitize(&"a".repeat(1_000), 40);
        assert!(shown.ends_with("…⟨+960 bytes⟩"), "{shown}");
        assert_eq!(shown.len(), 40);
        assert_eq!(sanitize("abcdef", 3).as_ref(), "abc");
    }

    #[test]
    fn labels_are_limited_and_the_same_set_gives_the_same_result() {
        let pairs: Vec<(String, String)> = (0..100).map(|at| (format!("l{at:03}"), "v".to_owned())).collect();
        let taken = labels(pairs.clone());
        assert_eq!((taken.labels.len(), taken.left_out_count), (LABELS_MAX, 36));
        assert_eq!(labels(pairs.into_iter().rev()).labels, taken.labels);

        let long = "x".repeat(1_000_000);
        let taken = labels([("value", long.as_str()), (long.as_str(), "name"), ("__name__", "up"), ("empty", "")]);
        assert_eq!((taken.labels.len(), taken.left_out_count, taken.cut_count), (1, 1, 1));
        assert!(taken.labels.get("value").unwrap().len() <= LABEL_VALUE_BYTES_MAX);
    }

    #[test]
    fn the_service_is_the_first_label_that_names_one() {
        let names = ["service".to_owned(), "job".to_owned()];
        assert_eq!(service(&Labels::new([("job", "node"), ("service", "shop")]), &names), Some("shop".into()));
        assert_eq!(service(&Labels::new([("job", "node")]), &names), Some("node".into()));
        assert_eq!(service(&Labels::new([("pod", "x")]), &names), None);
    }

    #[test]
    fn units_are_read_from_labels_and_names() {
        let none = Labels::default();
        for (metric, unit_wanted) in [
            ("process_resident_memory_bytes", Unit::Bytes),
            ("rx_bytes_per_second", Unit::BytesPerSecond),
            ("latency_seconds", Unit::Seconds),
            ("error_ratio", Unit::Ratio),
            ("up", Unit::Boolean),
            ("things", Unit::Count),
        ] {
            assert_eq!(unit(metric, &none), unit_wanted, "{metric}");
        }
        assert_eq!(unit("things", &Labels::new([("unit", "By")])), Unit::Bytes);
    }

    #[test]
    fn values_that_would_poison_a_baseline_are_named() {
        for (text, taken) in [
            ("0.25", Ok(0.25)),
            ("1e3", Ok(1_000.0)),
            ("-0", Ok(0.0)),
            ("5e-324", Ok(5e-324)),
            ("NaN", Err(DropReason::NotANumber)),
            ("+Inf", Err(DropReason::Infinite)),
            ("-Inf", Err(DropReason::Infinite)),
            ("1e999", Err(DropReason::Infinite)),
            ("", Err(DropReason::Malformed)),
            ("12 apples", Err(DropReason::Malformed)),
        ] {
            assert_eq!(value_text(text), taken, "{text}");
        }
        assert_eq!(value(f64::from_bits(STALE_MARKER_BITS)), Err(DropReason::StaleMarker));
        assert!(value(-0.0).is_ok_and(f64::is_sign_positive));
    }

    #[test]
    fn stamps_out_of_place_are_named() {
        let now = Timestamp(1_000_000_000);
        assert_eq!(stamp(now + FUTURE_STAMP_MS_MAX, now), Ok(now + FUTURE_STAMP_MS_MAX));
        assert_eq!(stamp(now + (FUTURE_STAMP_MS_MAX + 1), now), Err(DropReason::FutureStamp));
        assert_eq!(stamp(Timestamp(0), now), Ok(Timestamp(0)));
        assert_eq!(follows(now, None), Ok(()));
        assert_eq!(follows(now, Some(now)), Err(DropReason::Duplicate));
        assert_eq!(follows(now - 1, Some(now)), Err(DropReason::Late));
    }

    proptest! {
        #[test]
        fn nothing_a_terminal_obeys_gets_through(text in "\\PC*|(?s).*", bytes_max in 0_usize..200) {
            let shown = sanitize(&text, bytes_max);
            prop_assert!(shown.len() <= bytes_max);
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_hidden(c)), "{:?}", shown);
            prop_assert_eq!(sanitize(&shown, bytes_max), shown.clone());
        }

        #[test]
        fn any_bytes_become_text(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(sanitize_bytes(&bytes, 100).len() <= 100);
        }

        #[test]
        fn only_finite_values_are_taken(bits in any::<u64>()) {
            if let Ok(taken) = value(f64::from_bits(bits)) {
                prop_assert!(taken.is_finite());
            }
        }
    }
}
