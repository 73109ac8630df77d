//! What a value looks like: a word, a placeholder, a name, or something that nobody would think up.

/// Words that stand where a secret would and are none.
const NO_SECRETS: [&str; 78] = [
    "null",
    "none",
    "nil",
    "undefined",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "empty",
    "unset",
    "set",
    "missing",
    "required",
    "optional",
    "invalid",
    "valid",
    "incorrect",
    "correct",
    "wrong",
    "mismatch",
    "expired",
    "expires",
    "expiring",
    "changed",
    "rotated",
    "revoked",
    "refreshed",
    "refresh",
    "renewed",
    "reset",
    "ok",
    "failed",
    "failure",
    "success",
    "denied",
    "rejected",
    "accepted",
    "unauthorized",
    "forbidden",
    "unknown",
    "hidden",
    "masked",
    "redacted",
    "removed",
    "filtered",
    "string",
    "str",
    "&str",
    "bytes",
    "bool",
    "int",
    "text",
    "object",
    "password",
    "secret",
    "token",
    "key",
    "default",
    "not",
    "is",
    "was",
    "must",
    "should",
    "cannot",
    "could",
    "has",
    "does",
    "for",
    "too",
    "the",
    "eof",
    "n/a",
    "authentication",
    "bearer",
    "basic",
    "prompt",
];

/// True for what stands in the place of a secret: nothing, stars, a variable, a template, a type's name.
pub(super) fn is_placeholder(value: &str) -> bool {
    let bare = value.trim_matches(['<', '>', '[', ']', '(', ')', '{', '}', '*', '.', '%', '-', '_', ' ']);
    let lower = bare.to_ascii_lowercase();
    // The mark of another redaction, of a template, of an environment variable.
    bare.is_empty()
        || NO_SECRETS.contains(&lower.as_str())
        || lower.bytes().all(|byte| byte == b'x' || byte == b'#')
        || ["$", "{{", "<%", "[redacted", "<redacted", "process.env", "os.environ", "self.", "arn:", "⟨redacted"]
            .iter()
            .any(|prefix| value.starts_with(prefix))
        || ["%s", "%v", "%d", "{}"].contains(&value)
        || value.ends_with("()")
}

/// True for a path whose parts are plain words: `/run/secrets/db`.
pub(super) fn is_path(value: &str) -> bool {
    let path = value.strip_prefix('~').or_else(|| value.strip_prefix('.')).unwrap_or(value);
    path.starts_with('/')
        && path.len() > 1
        && path[1..].split('/').all(|part| part.len() <= 40 && !part.is_empty() && part.bytes().all(is_of_path))
        && (path[1..].contains('/') || has_only_words(&path[1..]))
}

fn is_of_path(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
}

/// True for a plain word of prose: letters of one case, perhaps with a capital.
pub(super) fn is_prose_word(value: &str) -> bool {
    let mut letters = value.chars();
    letters.next().is_some_and(char::is_alphabetic) && letters.all(|c| c.is_lowercase() || c == '\'')
}

/// True for a value that nobody would think up: long enough, mixed, and not made of words and small numbers.
pub(super) fn is_random(value: &str, length_min: usize) -> bool {
    if value.len() < length_min || is_placeholder(value) || is_path(value) || value.contains("://") {
        return false;
    }
    let bytes = value.as_bytes();
    let count = |is: fn(&u8) -> bool| bytes.iter().filter(|byte| is(byte)).count();
    let (digits, upper, lower) =
        (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
    let bits = bits_per_byte(bytes);
    if value.starts_with("sha256:") || is_date(bytes) || is_object_name(value) {
        return false;
    }
    match (digits, upper + lower) {
        (0, 0) | (1.., 0) => false,
        // Letters of one case, or words in camel case, are names; letters of both cases in any order are not.
        (0, _) if upper == 0 || lower == 0 => {
            value.len() >= 24 && bits >= 3.9 && bytes.iter().all(u8::is_ascii_alphabetic)
        }
        (0, _) => value.len() >= 16 && bits >= 3.4 && upper * 4 >= value.len() && lower * 4 >= value.len(),
        _ => bits >= 2.5 && !has_only_words(value),
    }
}

/// True where every part of the value is a word, a small number or a version: `payment-db-2`, `v1.2.3`.
pub(super) fn has_only_words(value: &str) -> bool {
    value.split(['-', '_', '.', '/', ':', '@', ',', '=', '+']).all(|part| {
        let part = part.trim_end_matches(|c: char| c.is_ascii_digit());
        part.is_empty() || part.len() <= 2 || (part.len() <= 20 && is_word(part))
    }) && !value
        .split(['-', '_', '.', '/', ':', '@', ',', '=', '+'])
        .any(|part| part.bytes().filter(u8::is_ascii_digit).count() > 4)
}

/// The name of an object of a cluster: words and the short suffixes that make it unique, all in lower case.
fn is_object_name(value: &str) -> bool {
    let mut parts = value.split(['-', '.', '/']);
    let is_named =
        parts.next().is_some_and(|first| first.len() >= 3 && first.bytes().all(|byte| byte.is_ascii_lowercase()));
    let mut rest = parts.peekable();
    is_named
        && rest.peek().is_some()
        && rest.all(|part| {
            part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                && (part.len() <= 10 || is_word(part))
        })
}

/// Letters with vowels among them, in one case or with a capital first.
fn is_word(part: &str) -> bool {
    let vowels = part.bytes().filter(|byte| b"aeiouyAEIOUY".contains(byte)).count();
    let is_cased = part.bytes().all(|byte| byte.is_ascii_lowercase())
        || part.bytes().all(|byte| byte.is_ascii_uppercase())
        || (part.as_bytes()[0].is_ascii_uppercase() && part.bytes().skip(1).all(|byte| byte.is_ascii_lowercase()));
    is_cased && (vowels * 5 >= part.len() || part.len() <= 4)
}

fn is_date(bytes: &[u8]) -> bool {
    bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Shannon's entropy of the value's own bytes, of which the first 256 are looked at.
pub(super) fn bits_per_byte(bytes: &[u8]) -> f64 {
    let bytes = &bytes[..bytes.len().min(256)];
    let mut counts = [0_u16; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    // At most 256 bytes were counted, so the length fits.
    let length = f64::from(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / length;
            -share * share.log2()
        })
        .sum()
}

/// How many of lower case, upper case, digits and others it has.
pub(super) fn classes(value: &str) -> usize {
    let has = |is: fn(char) -> bool| usize::from(value.chars().any(is));
    has(char::is_lowercase) + has(char::is_uppercase) + has(char::is_numeric) + has(|c| !c.is_alphanumeric())
}
