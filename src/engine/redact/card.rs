//! Numbers of payment cards: by issuer, length, grouping and check digit. Numbers of orders, blocks and requests are as
//! long and pass the check digit in one of ten cases, so what stands before a number counts too.

use std::ops::Range;

use super::mark::{Kind, Span};

/// The fewest digits of a card's number.
const DIGITS_MIN: usize = 14;
/// Words before a number that say that it is another one.
const OTHER_NUMBERS: [&str; 30] = [
    "id",
    "ids",
    "no",
    "nr",
    "num",
    "number",
    "order",
    "ref",
    "reference",
    "seq",
    "sequence",
    "offset",
    "trace",
    "span",
    "request",
    "req",
    "job",
    "block",
    "blk",
    "txn",
    "transaction",
    "invoice",
    "ticket",
    "ts",
    "time",
    "nanos",
    "timestamp",
    "bytes",
    "size",
    "hash",
];
/// Words that say that it is a card's.
const CARD_WORDS: [&str; 5] = ["card", "pan", "cc", "visa", "mastercard"];

/// Adds every number of a card.
pub(super) fn find(text: &str, spans: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        let mut digit_count = 0;
        while let Some(byte) = bytes.get(at) {
            let is_inside = matches!(byte, b' ' | b'-') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
            if byte.is_ascii_digit() {
                digit_count += 1;
            } else if !is_inside {
                break;
            }
            at += 1;
        }
        if digit_count >= DIGITS_MIN {
            examine(text, start..at, spans);
        }
    }
}

/// Looks at the groups of digits of a run.
fn examine(text: &str, run: Range<usize>, spans: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let mut groups: Vec<Range<usize>> = Vec::new();
    for at in run.clone() {
        if bytes[at].is_ascii_digit() {
            match groups.last_mut().filter(|group| group.end == at) {
                Some(group) => group.end += 1,
                None => groups.push(at..at + 1),
            }
        }
    }
    let mut first = 0;
    while first < groups.len() {
        let taken = [1, 3, 4]
            .into_iter()
            .find(|count| groups.get(first..first + count).is_some_and(|some| is_card(text, some)));
        if let Some(count) = taken {
            spans.push(Span { at: groups[first].start..groups[first + count - 1].end, kind: Kind::CardNumber });
        }
        first += taken.unwrap_or(1);
    }
}

fn is_card(text: &str, groups: &[Range<usize>]) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (groups.first(), groups.last()) else { return false };
    let lengths: Vec<usize> = groups.iter().map(ExactSizeIterator::len).collect();
    let has_one_separator = groups.windows(2).all(|pair| bytes[pair[0].end] == bytes[first.end]);
    let is_grouped = matches!(lengths[..], [14..=16] | [4, 4, 4, 4] | [4, 6, 5] | [4, 6, 4]);
    let before = first.start.checked_sub(1).map(|at| bytes[at]);
    let after = bytes.get(last.end);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/' | b'#');
    // A full stop or a dash after a number ends a sentence or a phrase as often as not.
    let goes_on = after.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/'))
        || bytes
            .get(last.end..last.end + 2)
            .is_some_and(|two| matches!(two[0], b'.' | b'-') && two[1].is_ascii_digit());
    if !is_grouped || !has_one_separator || before.is_some_and(is_part) || goes_on {
        return false;
    }
    let digits: Vec<u8> =
        bytes[first.start..last.end].iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect();
    is_issued(&digits) && passes_check(&digits) && !is_other_number(&text[..first.start], groups.len() > 1)
}

/// Whether cards of this length are issued with this beginning.
fn is_issued(digits: &[u8]) -> bool {
    let head = |count: usize| digits[..count].iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit));
    match digits.len() {
        16 => {
            digits[0] == 4
                || matches!(head(2), 51..=55 | 65 | 62)
                || matches!(head(4), 2221..=2720 | 6011 | 3528..=3589)
        }
        15 => matches!(head(2), 34 | 37),
        14 => matches!(head(2), 36 | 38 | 39) || matches!(head(3), 300..=305),
        _ => false,
    }
}

/// The check digit after Luhn.
fn passes_check(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != digits[0])
}

/// True where the word before says that the number is of something else, and none says that it is a card's.
fn is_other_number(before: &str, is_grouped: bool) -> bool {
    let mut start = before.len().saturating_sub(40);
    while !before.is_char_boundary(start) {
        start += 1;
    }
    let near = before[start..].to_ascii_lowercase();
    let mut words = near.rsplit(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    let last = words.peek().copied().unwrap_or_default().to_owned();
    if words.take(4).any(|word| CARD_WORDS.iter().any(|card| word.ends_with(card))) {
        return false;
    }
    let is_named = OTHER_NUMBERS.iter().any(|other| last == *other) || last.ends_with("id") || last.ends_with("number");
    is_named && !is_grouped
}
