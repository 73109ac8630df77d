//! What tells a value from a word by its letters alone: classes of bytes, numbers, units, dates, paths, quotations.

pub(super) const SPACE: u8 = 1;
pub(super) const DELIMITER: u8 = 2;
pub(super) const DIGIT: u8 = 4;
pub(super) const LOWER: u8 = 8;
pub(super) const UPPER: u8 = 16;
pub(super) const JOINT: u8 = 32;
pub(super) const SLASH: u8 = 64;
pub(super) const HIGH: u8 = 128;
pub(super) const LETTER: u8 = LOWER | UPPER;

/// Quoted text longer than this is no quotation but an odd quote.
const QUOTED_BYTES_MAX: usize = 512;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [DELIMITER; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => SPACE,
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'/' | b'\\' => SLASH,
            b'_' | b'-' | b'.' | b'$' | b'~' | b'@' | b'+' | b'*' | b'#' | b'%' => JOINT,
            0x80.. => HIGH,
            _ => DELIMITER,
        };
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

/// The one class a byte is of.
pub(super) fn class(byte: u8) -> u8 {
    // A byte is always within the table.
    CLASSES[usize::from(byte)]
}

/// True for a word of which a part is a number: it begins with a digit, two digits stand together, or one stands alone
/// between joints (`node-7`). `ssh2` and `log4j` are names.
pub(super) fn has_number(word: &[u8]) -> bool {
    let (mut before, mut run) = (JOINT, 0);
    for (at, byte) in word.iter().enumerate() {
        let kind = class(*byte);
        run = if kind == DIGIT { run + 1 } else { 0 };
        let is_alone =
            || before & (JOINT | SLASH) != 0 && word.get(at + 1).is_none_or(|next| class(*next) & (JOINT | SLASH) != 0);
        if run >= 2 || run == 1 && (at == 0 || is_alone()) {
            return true;
        }
        before = kind;
    }
    false
}

/// True for a unit that programs choose by the size of the number before it, so that it varies as the number does.
pub(super) fn is_unit(word: &[u8]) -> bool {
    const SIZES: [&[u8]; 10] = [b"B", b"KB", b"MB", b"GB", b"TB", b"kB", b"KiB", b"MiB", b"GiB", b"TiB"];
    const TIMES: [&[u8]; 5] = [b"ns", b"us", b"ms", b"s", b"sec"];
    word.len() <= 3 && (SIZES.contains(&word) || TIMES.contains(&word))
}

/// True for a word that is a path by itself: from the root, from here, or with two slashes in it.
pub(super) fn is_path(word: &[u8]) -> bool {
    let begins = |with: &[u8]| word.len() > with.len() && word.starts_with(with);
    let is_rooted = begins(b"/") && word.get(1).is_some_and(u8::is_ascii_alphanumeric);
    let slashes = || word.iter().filter(|byte| class(**byte) == SLASH).count();
    is_rooted || begins(b"./") || begins(b"~/") || word.len() > 3 && slashes() >= 2
}

/// True where a path or URL ends.
pub(super) fn is_path_stop(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b",;()[]{}\"'<>|".contains(&byte)
}

/// End of `00:0d:60:e9:1d` or `fe80::1:2` that begins at `at` with the word that ends at `end`: at least four groups of
/// hexadecimal digits.
pub(super) fn octets_end(text: &[u8], at: usize, end: usize) -> Option<usize> {
    let is_group = |group: &[u8]| group.len() <= 4 && group.iter().all(u8::is_ascii_hexdigit);
    if !is_group(text.get(at..end)?) {
        return None;
    }
    let rest = text.get(at..)?;
    let length = rest.iter().position(|byte| *byte != b':' && !byte.is_ascii_hexdigit()).unwrap_or(rest.len());
    let found = rest.get(..length)?;
    let found = found.strip_suffix(b":").unwrap_or(found);
    let is_open = rest.get(length).is_some_and(|next| class(*next) & (LETTER | HIGH) != 0);
    let mut groups = found.split(|byte| *byte == b':');
    (!is_open && groups.clone().count() >= 4 && groups.all(is_group)).then_some(at + found.len())
}

/// End of the quotation that begins at `at`, where it is more than one word: a single one is judged like any other.
pub(super) fn quoted_end(text: &[u8], at: usize) -> Option<usize> {
    let quote = *text.get(at)?;
    let rest = text.get(at + 1..)?;
    let rest = rest.get(..QUOTED_BYTES_MAX.min(rest.len()))?;
    if is_request(rest) {
        return None;
    }
    let mut from = 0;
    while let Some(found) = rest.get(from..)?.iter().position(|byte| *byte == quote) {
        let close = from + found;
        let is_closed = !text.get(at + 2 + close).is_some_and(u8::is_ascii_alphanumeric);
        if is_closed {
            return (close > 0 && rest.get(..close)?.contains(&b' ')).then_some(at + 2 + close);
        }
        from = close + 1;
    }
    None
}

/// True for the request line of HTTP, whose method says what is asked for.
fn is_request(text: &[u8]) -> bool {
    let method = text.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    (3..=7).contains(&method) && text.get(method..).is_some_and(|rest| rest.starts_with(b" /"))
}

/// True for the name of a month before a number, or of a weekday before a month or number: part of a date.
pub(super) fn is_calendar_word(word: &[u8], after: &[u8]) -> bool {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    let after = after.strip_prefix(b",").unwrap_or(after);
    let next = after.trim_ascii_start();
    if next.len() == after.len() {
        return false;
    }
    let is_number = next.first().is_some_and(u8::is_ascii_digit);
    let is_month = || next.get(..3).is_some_and(|next| MONTHS.contains(&next));
    MONTHS.contains(&word) && is_number || DAYS.contains(&word) && (is_number || is_month())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_names_with_a_digit() {
        for word in
            ["7", "12ms", "10.0.0.1", "2026-11-21", "blk_-42", "node-7", "a/7/b", "KB3184143", "3.5", "80%", "4G"]
        {
            assert!(has_number(word.as_bytes()), "{word}");
        }
        for word in ["ssh2", "log4j", "jk2_init", "eth0", "v2.app", "org.example.Cache", "größe"] {
            assert!(!has_number(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn paths_addresses_and_dates_are_seen() {
        for word in ["/var/lib/x.db", "./run", "~/x", "a/b/c", "C\\a\\b"] {
            assert!(is_path(word.as_bytes()), "{word}");
        }
        for word in ["and/or", "/", "//", "n/a"] {
            assert!(!is_path(word.as_bytes()), "{word}");
        }
        let octets = |text: &str| octets_end(text.as_bytes(), 0, text.find(':').unwrap());
        assert_eq!(octets("00:0d:60:e9:1d"), Some(14));
        assert_eq!(octets("fe80::1:2 up"), Some(9));
        assert_eq!(octets("add: b"), None);
        assert_eq!(octets("de:ad:be:efx"), None);
        assert!(
            is_calendar_word(b"Nov", b" 21") && is_calendar_word(b"Sat", b", 21") && is_calendar_word(b"Sat", b" Nov")
        );
        assert!(!is_calendar_word(b"May", b" be") && !is_calendar_word(b"Nov", b"21"));
    }

    #[test]
    fn quotations_of_several_words_end_at_their_quote() {
        assert_eq!(quoted_end(b"'bob smith' x", 0), Some(11));
        assert_eq!(quoted_end(b"'don't panic' x", 0), Some(13));
        assert_eq!(quoted_end(b"'bob' x", 0), None);
        assert_eq!(quoted_end(b"\"GET /x HTTP/1.1\"", 0), None);
        assert_eq!(quoted_end(b"'never closed", 0), None);
    }
}
