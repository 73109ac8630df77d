//! One raw line of a log into time, level, program and message: JSON, `key=value` pairs, or plain text.
//!
//! Nothing is refused: what is not understood is the message. Bytes that are no UTF-8 are shown as `U+FFFD`, and what is
//! longer than `limits::LOG_LINE_BYTES_MAX` is cut and marked.

mod stamp;

use std::sync::Arc;

use serde_json::{Map, Value};

use self::stamp::{Format, Stamp, from_epoch};
use super::normalize;
use crate::engine::clock::Timestamp;
use crate::engine::limits::{LABEL_VALUE_BYTES_MAX, LOG_LINE_BYTES_MAX};
use crate::engine::model::{DropReason, LogLevel, ServiceName};

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedLine {
    /// When it was written, or read where it carries no usable time.
    pub at: Timestamp,
    /// How grave it calls itself.
    pub level: LogLevel,
    /// The service it names, where it does.
    pub service: Option<ServiceName>,
    /// The program or logger that wrote it, where it names one.
    pub program: Option<Arc<str>>,
    /// The message without all of these, sanitised.
    pub message: Arc<str>,
    /// What had to be set aside of it: too long a text, a time in the future.
    pub set_aside: Option<DropReason>,
}

const LEVEL_KEYS: [&str; 8] =
    ["level", "severity", "lvl", "log.level", "loglevel", "levelname", "PRIORITY", "severity_text"];
const TIME_KEYS: [&str; 8] = ["time", "ts", "@timestamp", "timestamp", "t", "datetime", "at", "date"];
const MESSAGE_KEYS: [&str; 8] = ["msg", "message", "MESSAGE", "log", "event", "text", "body", "error"];
const SERVICE_KEYS: [&str; 6] = ["service.name", "service", "service_name", "app", "application", "appname"];
const PROGRAM_KEYS: [&str; 5] = ["logger", "logger_name", "component", "SYSLOG_IDENTIFIER", "caller"];

/// Reads one line, without its newline. `read_at` is its time where it carries none, and what tells the year where that is left out.
#[must_use]
pub fn parse(raw: &[u8], read_at: Timestamp) -> ParsedLine {
    let is_cut = raw.len() > LOG_LINE_BYTES_MAX;
    let text = String::from_utf8_lossy(raw);
    let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
    let mut parsed = json(text, read_at).or_else(|| pairs(text, read_at)).unwrap_or_else(|| plain(text, read_at));
    if is_cut {
        parsed.set_aside = Some(DropReason::TooLarge);
    } else if let Err(reason) = normalize::stamp(parsed.at, read_at) {
        parsed.set_aside = Some(reason);
        parsed.at = read_at;
    }
    parsed
}

fn cut_to_limit(text: &str) -> Arc<str> {
    normalize::sanitize(text, LOG_LINE_BYTES_MAX)
}

/// A JSON object, with the keys that logging libraries use.
fn json(text: &str, read_at: Timestamp) -> Option<ParsedLine> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let fields: Map<String, Value> = serde_json::from_str(text).ok()?;
    let find = |keys: &[&str]| keys.iter().find_map(|key| field(&fields, key));
    let realtime = || text_of(fields.get("__REALTIME_TIMESTAMP")?)?.parse().ok().and_then(from_epoch);
    let message = find(&MESSAGE_KEYS).and_then(text_of);
    Some(ParsedLine {
        at: find(&TIME_KEYS).and_then(time_of).or_else(realtime).unwrap_or(read_at),
        level: find(&LEVEL_KEYS).and_then(level_of).unwrap_or_default(),
        service: find(&SERVICE_KEYS).and_then(text_of).and_then(|name| service_of(&name)),
        program: find(&PROGRAM_KEYS).and_then(text_of).map(|name| normalize::sanitize(&name, LABEL_VALUE_BYTES_MAX)),
        message: cut_to_limit(message.as_deref().unwrap_or(text)),
        set_aside: None,
    })
}

/// The field of this name, also where `a.b` is written as an object in an object.
fn field<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let found = fields.get(key).or_else(|| {
        let (outer, inner) = key.split_once('.')?;
        fields.get(outer)?.get(inner)
    });
    found.filter(|value| !value.is_null() && !value.is_object())
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(_) | Value::Array(_) => Some(value.to_string()),
        Value::Null | Value::Object(_) => None,
    }
}

/// An instant in a field: RFC 3339 or another common format as text, or an epoch of any unit.
pub(super) fn time_of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => from_epoch(number.as_f64()?),
        Value::String(text) => time_of_text(text),
        _ => None,
    }
}

fn time_of_text(text: &str) -> Option<Timestamp> {
    // A year is always there in machine-written fields, so the epoch serves as "now".
    let of_format = || stamp::leading(text, Timestamp(0)).filter(|stamp| stamp.rest.is_empty())?.at;
    Timestamp::parse_rfc3339(text).ok().or_else(of_format).or_else(|| from_epoch(text.parse().ok()?))
}

fn level_of(value: &Value) -> Option<LogLevel> {
    match value {
        Value::String(text) => level_word(text).or_else(|| level_number(text.parse().ok()?)),
        Value::Number(number) => level_number(number.as_i64()?),
        _ => None,
    }
}

/// 0 to 7 as syslog counts (0 is the gravest), 10 to 60 as the JSON loggers of Node do (60 is the gravest).
fn level_number(number: i64) -> Option<LogLevel> {
    Some(match number {
        0..=2 | 60 => LogLevel::Fatal,
        3 | 50 => LogLevel::Error,
        4 | 40 => LogLevel::Warn,
        5 | 6 | 30 => LogLevel::Info,
        7 | 10 | 20 => LogLevel::Debug,
        _ => return None,
    })
}

fn level_word(word: &str) -> Option<LogLevel> {
    const WORDS: [(&str, LogLevel); 21] = [
        ("trace", LogLevel::Debug),
        ("debug", LogLevel::Debug),
        ("verbose", LogLevel::Debug),
        ("fine", LogLevel::Debug),
        ("info", LogLevel::Info),
        ("information", LogLevel::Info),
        ("informational", LogLevel::Info),
        ("notice", LogLevel::Info),
        ("warn", LogLevel::Warn),
        ("warning", LogLevel::Warn),
        ("err", LogLevel::Error),
        ("error", LogLevel::Error),
        ("severe", LogLevel::Error),
        ("failure", LogLevel::Error),
        ("crit", LogLevel::Fatal),
        ("critical", LogLevel::Fatal),
        ("fatal", LogLevel::Fatal),
        ("panic", LogLevel::Fatal),
        ("alert", LogLevel::Fatal),
        ("emerg", LogLevel::Fatal),
        ("emergency", LogLevel::Fatal),
    ];
    WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, level)| *level)
}

fn service_of(name: &str) -> Option<ServiceName> {
    let name = name.trim();
    (!name.is_empty()).then(|| ServiceName::from(normalize::sanitize(name, LABEL_VALUE_BYTES_MAX)))
}

/// `time=... level=info msg="..."`: `key=value` pairs from the start of the line, among them a message and a level or time.
fn pairs(text: &str, read_at: Timestamp) -> Option<ParsedLine> {
    let mut parsed = ParsedLine {
        at: read_at,
        level: LogLevel::Info,
        service: None,
        program: None,
        message: Arc::from(""),
        set_aside: None,
    };
    let (mut has_message, mut has_more) = (false, false);
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, value, after) = pair(rest)?;
        if MESSAGE_KEYS[..3].contains(&key) {
            has_message = true;
            parsed.message = cut_to_limit(&value);
        } else if LEVEL_KEYS.contains(&key) {
            has_more = true;
            parsed.level = level_word(&value).unwrap_or_default();
        } else if TIME_KEYS[..4].contains(&key) {
            has_more = true;
            parsed.at = time_of_text(&value).unwrap_or(read_at);
        } else if SERVICE_KEYS.contains(&key) {
            parsed.service = service_of(&value);
        } else if PROGRAM_KEYS.contains(&key) {
            parsed.program = Some(normalize::sanitize(&value, LABEL_VALUE_BYTES_MAX));
        }
        rest = after.trim_start();
    }
    (has_message && has_more).then_some(parsed)
}

/// The first `key=value` or `key="quoted value"` of a text, and what follows it.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let (key, rest) = text.split_once('=')?;
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte)) {
        return None;
    }
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find(' ').unwrap_or(rest.len());
        return Some((key, rest.get(..end)?.to_owned(), rest.get(end..)?));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((key, value, quoted.get(at + 1..)?)),
            '\\' => match characters.next()? {
                (_, 'n') => value.push('\n'),
                (_, 't') => value.push('\t'),
                (_, other) => value.push(other),
            },
            _ => value.push(character),
        }
    }
    None
}

/// Plain text: time, level and program are looked for at its start.
fn plain(text: &str, read_at: Timestamp) -> ParsedLine {
    let (priority, text) = kernel_priority(text);
    let stamp = stamp::leading(text, read_at);
    let mut header = Header { rest: text.trim_start(), level: priority, program: None };
    if let Some(Stamp { format, rest, .. }) = stamp {
        header.rest = rest.trim_start();
        match format {
            Format::Syslog => header.host_and_program(),
            Format::Glog(letter) => header.level = level_letter(letter),
            Format::Calendar => header.columns(),
            Format::SinceBoot => {}
        }
    } else {
        header.columns_without_time();
    }
    ParsedLine {
        at: stamp.and_then(|stamp| stamp.at).unwrap_or(read_at),
        level: header.level.unwrap_or_default(),
        service: None,
        program: header.program.map(|name| normalize::sanitize(name, LABEL_VALUE_BYTES_MAX)),
        message: cut_to_limit(header.rest.trim_end()),
        set_aside: None,
    }
}

/// `<6>` at the start, as the kernel and syslog write it: the lowest three bits are the priority.
fn kernel_priority(text: &str) -> (Option<LogLevel>, &str) {
    let inner = || {
        let (number, rest) = text.strip_prefix('<')?.split_once('>')?;
        let number: i64 = number.parse().ok().filter(|number| (0..=191).contains(number))?;
        Some((level_number(number % 8), rest))
    };
    inner().unwrap_or((None, text))
}

fn level_letter(letter: u8) -> Option<LogLevel> {
    Some(match letter {
        b'V' | b'D' => LogLevel::Debug,
        b'I' => LogLevel::Info,
        b'W' => LogLevel::Warn,
        b'E' => LogLevel::Error,
        b'F' | b'A' => LogLevel::Fatal,
        _ => return None,
    })
}

/// What stands between a line's time and its message.
struct Header<'a> {
    rest: &'a str,
    level: Option<LogLevel>,
    program: Option<&'a str>,
}

impl<'a> Header<'a> {
    /// `host program[pid]: `.
    fn host_and_program(&mut self) {
        let Some((_host, after)) = self.rest.split_once(' ') else { return };
        let Some((tag, message)) = after.split_once(": ").or_else(|| after.strip_suffix(':').map(|tag| (tag, "")))
        else {
            return;
        };
        if tag.is_empty() || tag.len() > 128 || tag.contains(' ') {
            return;
        }
        self.program = Some(tag.split('[').next().unwrap_or(tag));
        self.rest = message.trim_start();
        self.level_at_start();
    }

    /// Process and thread numbers, the level, a thread in brackets, the logger: in the order in which layouts put them.
    fn columns(&mut self) {
        self.rest = self.rest.trim_start_matches(['-', '|', ' ']);
        for _ in 0..3 {
            let Some((word, rest)) = self.rest.split_once([' ', '|']) else { return };
            let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
            if self.level_at_start() {
                break;
            }
            if let ([letter], true) = (word.as_bytes(), rest.trim_start().contains(':'))
                && let Some(level) = level_letter(*letter)
            {
                self.level = Some(level);
                self.rest = rest.trim_start();
                break;
            }
            let is_thread = word.starts_with('[') && (word.ends_with(']') || word.ends_with("]:"));
            if !(is_number || is_thread) {
                break;
            }
            self.rest = rest.trim_start_matches(['-', '|', ' ']);
        }
        if self.level.is_none() {
            return;
        }
        if let Some((_thread, rest)) = self.rest.strip_prefix('[').and_then(|inner| inner.split_once("] ")) {
            self.rest = rest.trim_start_matches(['-', ':', ' ']);
        }
        self.logger();
    }

    /// A line without a time: only a level at its very start is taken for one.
    fn columns_without_time(&mut self) {
        let word = self.rest.split([' ', ':', ']']).next().unwrap_or_default().trim_start_matches('[');
        if !word.bytes().any(|byte| byte.is_ascii_lowercase()) || self.rest.starts_with('[') {
            self.level_at_start();
        }
    }

    /// `INFO `, `[info] `, `WARN: `, `<error> `; true where one was there.
    fn level_at_start(&mut self) -> bool {
        let is_end = |c: char| c.is_whitespace() || "]:|>,-)".contains(c);
        let inner = self.rest.trim_start_matches(['[', '<', '(']);
        let end = inner.find(is_end).unwrap_or(inner.len());
        let Some((word, rest)) = inner.split_at_checked(end) else { return false };
        // An opening word in lower case without brackets is part of a sentence ("error while ...").
        let is_marked = inner.len() < self.rest.len() || word.bytes().all(|byte| byte.is_ascii_uppercase());
        let Some(level) = level_word(word).filter(|_| is_marked || word.starts_with(|c: char| c.is_ascii_uppercase()))
        else {
            return false;
        };
        self.level = Some(level);
        self.rest = rest.trim_start_matches(|c: char| c.is_whitespace() || "]:|>,-)".contains(c));
        true
    }

    /// `org.example.Cache: ` or `Cache - `: who logs.
    fn logger(&mut self) {
        let Some((name, rest)) = self.rest.split_once(": ").or_else(|| self.rest.split_once(" - ")) else { return };
        let is_name = |text: &str| {
            !text.is_empty()
                && text.len() <= 128
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._$-@/".contains(&b))
        };
        if is_name(name) && name.bytes().any(|byte| b"._$".contains(&byte) || byte.is_ascii_uppercase()) {
            self.program = Some(name);
            self.rest = rest.trim_start();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-21T15:00:00Z").unwrap()
    }

    fn check(raw: &str, time: &str, level: LogLevel, program: Option<&str>, message: &str) {
        let parsed = parse(raw.as_bytes(), now());
        assert_eq!(parsed.at.hh_mm_ss(), time, "{raw}");
        assert_eq!((parsed.level, parsed.program.as_deref(), &*parsed.message), (level, program, message), "{raw}");
    }

    #[test]
    fn plain_lines_give_up_their_headers() {
        check("2026-11-21T14:31:45Z ERROR db: refused", "14:31:45", LogLevel::Error, None, "db: refused");
        check(
            "2026-11-21 14:31:45,123 [main] WARN a.b.Pool - slow",
            "14:31:45",
            LogLevel::Warn,
            Some("a.b.Pool"),
            "slow",
        );
        check("2026-11-21 14:31:45,123 INFO [x y] a.b.Pool: up", "14:31:45", LogLevel::Info, Some("a.b.Pool"), "up");
        check("[Sat Nov 21 14:31:45 2026] [error] child died", "14:31:45", LogLevel::Error, None, "child died");
        check("Nov 21 14:31:45 web1 sshd[42]: Bye Bye", "14:31:45", LogLevel::Info, Some("sshd"), "Bye Bye");
        check("11-21 14:31:45.1  170  182 E Power: lost", "14:31:45", LogLevel::Error, Some("Power"), "lost");
        check("E1121 14:31:45.123456  1234 main.cc:12] gone", "14:31:45", LogLevel::Error, None, "gone");
        check("<3>[   12.345678] EXT4-fs error", "15:00:00", LogLevel::Error, None, "EXT4-fs error");
        check("WARNING: low on ink", "15:00:00", LogLevel::Warn, None, "low on ink");
        check("error while loading", "15:00:00", LogLevel::Info, None, "error while loading");
        check("", "15:00:00", LogLevel::Info, None, "");
    }

    #[test]
    fn json_lines_are_read_by_the_usual_keys() {
        let raw =
            r#"{"ts":1795271505.5,"lvl":"warn","message":"slow\u001b[31m","service":{"name":"cart"},"logger":"pool"}"#;
        let parsed = parse(raw.as_bytes(), now());
        assert_eq!(parsed.at.to_string(), "2026-11-21T14:31:45.500Z");
        assert_eq!((parsed.level, parsed.service), (LogLevel::Warn, Some("cart".into())));
        assert_eq!((&*parsed.message, parsed.program.as_deref()), ("slow␛[31m", Some("pool")));
        for (raw, level) in [
            (r#"{"time":"2026-11-21T14:31:45Z","severity":"CRITICAL","msg":"m","app":"cart"}"#, LogLevel::Fatal),
            (
                r#"{"@timestamp":"2026-11-21T14:31:45Z","log.level":"error","msg":"m","service.name":"cart"}"#,
                LogLevel::Error,
            ),
            (r#"{"time":1795271505123456789,"level":50,"msg":"m","service":"cart"}"#, LogLevel::Error),
            (
                r#"{"__REALTIME_TIMESTAMP":"1795271505123456","PRIORITY":"4","MESSAGE":"m","app":"cart"}"#,
                LogLevel::Warn,
            ),
        ] {
            let parsed = parse(raw.as_bytes(), now());
            assert_eq!(
                (parsed.at.hh_mm_ss().as_str(), parsed.level, &*parsed.message),
                ("14:31:45", level, "m"),
                "{raw}"
            );
            assert_eq!(parsed.service, Some("cart".into()), "{raw}");
        }
        assert_eq!(&*parse(br#"{"msg": cut"#, now()).message, r#"{"msg": cut"#);
    }

    #[test]
    fn pairs_are_read_and_sentences_with_an_equals_sign_are_not() {
        let raw = r#"ts=2026-11-21T14:31:45Z level=error component=tsdb msg="compaction \"failed\"" err=x"#;
        check(raw, "14:31:45", LogLevel::Error, Some("tsdb"), "compaction \"failed\"");
        check("a=1 b=2", "15:00:00", LogLevel::Info, None, "a=1 b=2");
        check("level=error msg=\"never closed", "15:00:00", LogLevel::Info, None, "level=error msg=\"never closed");
    }

    #[test]
    fn long_lines_are_cut_and_future_times_are_not_believed() {
        let parsed = parse(&vec![b'x'; 1_000_000], now());
        assert_eq!(parsed.set_aside, Some(DropReason::TooLarge));
        assert!(parsed.message.len() <= LOG_LINE_BYTES_MAX);
        let parsed = parse(b"2031-01-01T00:00:00Z hello", now());
        assert_eq!((parsed.set_aside, parsed.at), (Some(DropReason::FutureStamp), now()));
        assert_eq!(&*parse(b"caf\xe9 \x1b[2J", now()).message, "caf\u{fffd} ␛[2J");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(raw in prop::collection::vec(any::<u8>(), 0..300)) {
            let parsed = parse(&raw, now());
            prop_assert!(!parsed.message.chars().any(char::is_control));
        }

        #[test]
        fn no_almost_valid_line_panics(raw in "([0-9]{1,4}[-/ :.,T]){0,8}(Nov |\\[|<|INFO|E)?[ -~éß]{0,40}") {
            let _parsed = parse(raw.as_bytes(), now());
        }
    }
}
