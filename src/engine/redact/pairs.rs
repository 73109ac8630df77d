//! Secrets under a name: `password=…`, `"api_key": "…"`, `--token …`, `<secret>…</secret>`, `Cookie: …`.

use std::borrow::Cow;
use std::ops::Range;

use super::authorization::{is_pair, token_end, token68};
use super::extent::{bare_end, line_end, quoted_end, skip_blanks, skip_colour, skip_quote, skip_wrapping};
use super::mark::{self, Kind, Span};
use super::value;

/// Of a name no more than this is read.
const NAME_BYTES_MAX: usize = 128;
/// By this much of a value it is decided whether it is a secret; one that is goes on to its end.
const LOOK_BYTES_MAX: usize = 256;

/// The last word of a name under which secrets stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// Whatever stands under it is one, guessable or not.
    Password,
    /// `db_pass`, but not the `pass` of a test.
    Pass,
    Token,
    Secret,
    /// With a word before it that makes it a secret one: `api_key`.
    Key,
    Credential,
    Session,
    Signature,
    Cookie,
    Authorization,
}

/// What makes a key a secret one.
const KEY_WORDS: [&str; 27] = [
    "api",
    "access",
    "secret",
    "private",
    "account",
    "encryption",
    "encrypt",
    "signing",
    "sign",
    "auth",
    "shared",
    "master",
    "service",
    "storage",
    "webhook",
    "routing",
    "integration",
    "license",
    "ssh",
    "deploy",
    "subscription",
    "app",
    "application",
    "client",
    "consumer",
    "hmac",
    "session",
];
/// Tokens that say where a list goes on, or that something is done once.
const TOKEN_WORDS: [&str; 15] = [
    "next",
    "page",
    "continuation",
    "continue",
    "cursor",
    "resume",
    "idempotency",
    "request",
    "fencing",
    "lock",
    "shard",
    "cancellation",
    "sync",
    "unexpected",
    "pagination",
];
/// Schemes of the header `Authorization`.
const SCHEMES: [&str; 9] =
    ["bearer", "basic", "token", "digest", "negotiate", "ntlm", "apikey", "genie-key", "aws4-hmac-sha256"];

/// The value under the name whose last word was met at `word`.
pub(super) fn named(text: &str, word: Range<usize>, name: Name) -> Option<Span> {
    let bytes = text.as_bytes();
    let digits = bytes[word.end..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let name_end = word.end + digits;
    if bytes.get(name_end).is_some_and(|byte| is_of_name(*byte)) {
        return None;
    }
    let back = bytes[..word.start].iter().rev().take(NAME_BYTES_MAX).take_while(|byte| is_of_name(**byte)).count();
    let name_start = word.start - back;
    if !is_secret_name(&text[name_start..word.start], &text[word], name) {
        return None;
    }
    let (start, form) = separator(text, name_start, name_end)?;
    secret(text, start, form, name)
}

/// The value of a label or field by its name, where the two are apart.
///
/// A label may be named like a secret and hold the name of one (`secret="db-credentials"`): under such names only what
/// looks like a secret is taken out.
#[must_use]
pub fn redact_named<'a>(name: &str, text: &'a str) -> Cow<'a, str> {
    // Written as a pair, the name says the same here as it does in a line; it is short, and few labels are made.
    let pair = format!("{name}=");
    let mut whole = pair.clone();
    whole.push_str(text);
    match super::redact(&whole) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(shown) => match shown.strip_prefix(&pair) {
            Some(rest) if rest == text => Cow::Borrowed(text),
            Some(rest) => Cow::Owned(rest.to_owned()),
            None => super::redact(text),
        },
    }
}

/// `IDENTIFIED BY 'password'` and `IDENTIFIED BY PASSWORD '…'`.
pub(super) fn identified_by(text: &str, at: Range<usize>) -> Option<Span> {
    let rest = text[at.end..].trim_start();
    let start = text.len() - rest.len();
    rest.starts_with(['\'', '"']).then(|| secret(text, start, Form::Plain, Name::Password))?
}

pub(super) fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Whether what stands before the last word leaves it a secret's name.
fn is_secret_name(before: &str, word: &str, name: Name) -> bool {
    let joined = before.trim_end_matches(['_', '-']);
    let lower = joined.to_ascii_lowercase();
    let ends_with = |words: &[&str]| words.iter().any(|word| lower.ends_with(word));
    match name {
        Name::Key => ends_with(&KEY_WORDS),
        Name::Token => !ends_with(&TOKEN_WORDS),
        // `db_pass` and `dbPass`; not `bypass`, `compass`, `byPass`.
        Name::Pass => {
            let is_new_word = joined.len() < before.len() || word.starts_with('P') && before.ends_with(is_lower);
            !joined.is_empty() && is_new_word && !lower.ends_with("by")
        }
        Name::Signature => joined.is_empty() || joined.len() < before.len() || before.starts_with("X-"),
        Name::Session | Name::Authorization | Name::Cookie => true,
        // `has_password` and the like are answered by yes and no.
        Name::Password => !lower.rsplit(['_', '-']).next().is_some_and(|word| ["no", "has", "is"].contains(&word)),
        Name::Secret | Name::Credential => true,
    }
}

fn is_lower(letter: char) -> bool {
    letter.is_ascii_lowercase()
}

/// How name and value are held together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `=`, `:=`, `=>`, or a quote.
    Plain,
    /// `: `, as in headers, YAML and prose.
    Colon,
    /// `--password value`.
    Flag,
    /// `<password>value<`.
    Tag,
    /// `the password is value`.
    Prose,
}

/// Where the value begins, and how it is held to its name.
fn separator(text: &str, name_start: usize, name_end: usize) -> Option<(usize, Form)> {
    let bytes = text.as_bytes();
    let before = |count: usize| name_start.checked_sub(count).and_then(|at| bytes.get(at..name_start));
    let prefix = bytes[..name_start].iter().rev().take(NAME_BYTES_MAX);
    let prefix = prefix.take_while(|byte| is_of_name(**byte) || matches!(byte, b'.' | b':')).count();
    let is_tag = bytes.get(name_end) == Some(&b'>') && text[..name_start - prefix].ends_with('<');
    if is_tag {
        return Some((name_end + 1, Form::Tag));
    }
    let mut at = skip_colour(bytes, name_end);
    at = skip_quote(bytes, at);
    let blanks_from = at;
    at = skip_blanks(bytes, at);
    let rest = &bytes[at..];
    let form = match rest {
        [b'=', b'>', ..] | [b':', b'=', ..] => Form::Plain,
        [b'=', b'=', ..] | [b':', b':', ..] | [b':', b'/', b'/', ..] => return None,
        [b'=', ..] => Form::Plain,
        [b':', next, ..] if next.is_ascii_whitespace() => Form::Colon,
        [b':', ..] => Form::Plain,
        // `{"name": "DB_PASSWORD", "value": "…"}`
        [b',', ..] => return value_field(text, at).map(|at| (at, Form::Plain)),
        [b'\'' | b'"', ..] if at > blanks_from => return Some((at, Form::Plain)),
        _ if at > blanks_from && (before(2) == Some(b"--") || text[name_start..name_end].starts_with("--")) => {
            return Some((at, Form::Flag));
        }
        _ if at > blanks_from && rest.starts_with(b"is ") => return Some((at + 3, Form::Prose)),
        _ if at > blanks_from && text[name_start..name_end].eq_ignore_ascii_case("requirepass") => {
            return Some((at, Form::Flag));
        }
        _ => return None,
    };
    let length = if matches!(rest, [b'=', b'>', ..] | [b':', b'=', ..]) { 2 } else { 1 };
    Some((skip_colour(bytes, skip_blanks(bytes, at + length)), form))
}

/// Behind `, "value":` or `, value=`.
fn value_field(text: &str, comma: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let at = skip_quote(bytes, skip_blanks(bytes, comma + 1));
    let rest = text.get(at..at + 5).filter(|word| word.eq_ignore_ascii_case("value"))?;
    let at = skip_blanks(bytes, skip_quote(bytes, at + rest.len()));
    matches!(bytes.get(at), Some(b':' | b'=')).then(|| skip_blanks(bytes, at + 1))
}

/// The secret that begins at `start` or behind the quote there.
fn secret(text: &str, start: usize, form: Form, name: Name) -> Option<Span> {
    let start = skip_wrapping(text, start);
    if mark::mark_length(text.get(start..)?).is_some() {
        return None;
    }
    let bytes = text.as_bytes();
    let opened = skip_quote(bytes, start);
    let is_quoted = opened > start;
    let from = opened.max(start);
    let end_before = |limit: usize| match name {
        Name::Cookie if !is_quoted => line_end(bytes, from, limit),
        _ if is_quoted => quoted_end(bytes, start, opened, limit),
        _ => bare_end(text, start, form == Form::Tag, limit),
    };
    // Names may follow one another without a secret among them: each is looked at, and not read to the end of the text.
    let look_to = end_before(LOOK_BYTES_MAX);
    let look = text.get(from..look_to)?;
    let found = match name {
        Name::Authorization => return header(text, from, look),
        Name::Cookie => cookie(look)?,
        _ if look.is_empty() || !is_secret(look, form, is_quoted, name, &text[look_to..]) => return None,
        _ => 0..look.len(),
    };
    let is_cut_off = found.end == look.len() && look_to < text.len();
    let to = if is_cut_off { end_before(usize::MAX) } else { from + found.end };
    Some(Span { at: from + found.start..to, kind: kind(name) })
}

fn kind(name: Name) -> Kind {
    match name {
        Name::Password | Name::Pass => Kind::Password,
        Name::Token => Kind::Token,
        Name::Secret => Kind::Secret,
        Name::Key => Kind::Key,
        Name::Credential => Kind::Credential,
        Name::Session => Kind::Session,
        Name::Signature => Kind::Signature,
        Name::Cookie => Kind::Cookie,
        Name::Authorization => Kind::Authorization,
    }
}

fn is_secret(value: &str, form: Form, is_quoted: bool, name: Name, after: &str) -> bool {
    let has_more_words =
        after.starts_with(' ') && after[1..].starts_with(char::is_alphabetic) && !begins_pair(&after[1..]);
    match name {
        Name::Password | Name::Pass => {
            let is_plain = !value::is_placeholder(value) && !value::is_path(value);
            // `pass=12` is a count, and so is `password: 3 attempts left`.
            let is_count = value.len() <= 4 && value.bytes().all(|byte| byte.is_ascii_digit());
            match form {
                Form::Prose => value::is_random(value, 6),
                Form::Colon if !is_quoted && has_more_words => {
                    is_plain && !value::is_prose_word(value) && !is_count && value.len() >= 4
                }
                Form::Flag => is_plain && !is_flag(value),
                _ => is_plain && !(is_count && name == Name::Pass),
            }
        }
        Name::Token | Name::Secret | Name::Credential => {
            value::is_random(value, if form == Form::Prose { 16 } else { 8 })
        }
        Name::Key | Name::Session | Name::Signature => value::is_random(value, 16),
        Name::Cookie | Name::Authorization => false,
    }
}

/// True for `-v` and `--verbose`.
fn is_flag(value: &str) -> bool {
    value
        .strip_prefix('-')
        .is_some_and(|rest| rest.len() <= 1 || rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
}

/// True where a name and its separator come next.
fn begins_pair(text: &str) -> bool {
    let word = text.bytes().take(64).take_while(|byte| is_of_name(*byte) || *byte == b'.').count();
    matches!(text.as_bytes().get(word), Some(b'=' | b':'))
}

/// The token behind the scheme of an authorization header, or the whole where there is no scheme.
fn header(text: &str, from: usize, look: &str) -> Option<Span> {
    let first = token68(look, 0)?;
    let is_scheme = SCHEMES.contains(&first.to_ascii_lowercase().as_str()) && look[first.len()..].starts_with(' ');
    if !is_scheme {
        let is_secret = value::is_random(look, 8);
        return is_secret
            .then(|| Span { at: from..token_end(text, from).max(from + look.len()), kind: Kind::Authorization });
    }
    let mut start = from + first.len() + 1;
    let token = token68(text, start)?;
    // `Token token=…`, and the first part of a digest.
    if is_pair(token) {
        start += token.find('=')? + 1;
    }
    let secret = token68(text, start)?;
    let is_secret =
        secret.len() >= 6 && !value::is_placeholder(secret) && !value::is_prose_word(secret.trim_end_matches('='));
    let kind = if first.eq_ignore_ascii_case("basic") { Kind::Login } else { Kind::Authorization };
    is_secret.then(|| Span { at: start..token_end(text, start), kind })
}

/// What a cookie holds, within what was looked at. Of several the whole line goes; one that is set keeps its attributes.
fn cookie(line: &str) -> Option<Range<usize>> {
    let equals = line.find('=').filter(|at| *at <= NAME_BYTES_MAX && !line[..*at].contains(' '))?;
    let is_set = ["; Path=", "; path=", "; HttpOnly", "; Secure"].iter().any(|attribute| line.contains(attribute));
    let end = if is_set { line.find(';').unwrap_or(line.len()) } else { line.len() };
    let value = line.get(equals + 1..end)?;
    let is_secret = value.len() >= 6 && !value::is_placeholder(value) && !value.starts_with(mark::MARK_START);
    is_secret.then_some(equals + 1..end)
}
