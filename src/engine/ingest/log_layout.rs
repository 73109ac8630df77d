//! What stands before the message on every line of a plain log, learned from its first lines.
//!
//! Lines are cut into columns, a bracket with what it holds being one. A column belongs to the header where nearly every line
//! has the same kind of thing in it: a time, a number, a level, a bracket, a name with a colon. Columns that say nothing by
//! themselves (a host, a facility) belong to it where such a column follows soon. There is a header only where there is a time
//! or a level in it, so that bare messages stay as they are.

use std::collections::BTreeSet;

/// Columns that are looked at.
const COLUMNS_MAX: usize = 14;
/// The first time or level is among so many columns, or there is no header.
const FIRST_MARK_MAX: usize = 7;
/// A longer bracket is text.
const BRACKET_BYTES_MAX: usize = 200;
/// A longer word before a colon is no name.
const NAME_BYTES_MAX: usize = 160;
/// A column is of a kind where it is so on this share of the lines, in per cent.
const SHARE_MIN: usize = 95;
/// The same for names with a colon: now and then a program writes none.
const NAME_SHARE_MIN: usize = 85;
/// Columns between two of the header that say nothing: `host facility component LEVEL`, and fewer before what is no mark.
const GAP_BEFORE_MARK_MAX: usize = 3;
const GAP_MAX: usize = 2;
/// Different words in a column padded to one width that still name a component.
const COMPONENTS_MAX: usize = 16;
/// A lone dash closes `program of several words - message` within so many columns.
const DASH_WITHIN: usize = 4;
/// Where so many of a hundred lines have a time, the others continue them.
const BEGIN_SHARE_MIN: usize = 10;
/// Bytes within which the bars of `time|component|pid|message` stand.
const BARS_WITHIN: usize = 96;

/// Kinds of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Time,
    /// A time that could be nothing else.
    Clock,
    Number,
    Level,
    Bracket,
    Name,
    Dash,
    Padded,
}

const KINDS: [Kind; 8] =
    [Kind::Time, Kind::Clock, Kind::Number, Kind::Level, Kind::Bracket, Kind::Name, Kind::Dash, Kind::Padded];

/// How a column of the header is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    /// A line without a time here has no header at all: it continues the one before.
    Time,
    /// A name that ends with a colon, where it does.
    Name,
    /// Everything up to a lone dash, where one follows soon.
    Dash,
    /// Whatever stands there.
    Any,
}

/// The header of a log's lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogLayout {
    columns: Vec<Column>,
    has_bars: bool,
}

impl LogLayout {
    /// Learns from the first lines of a log.
    #[must_use]
    pub fn learn<'a>(lines: impl Iterator<Item = &'a str> + Clone) -> Self {
        let lines = lines.filter(|line| !line.trim().is_empty());
        let count = lines.clone().count();
        let has_bars = |line: &&str| line.bytes().take(BARS_WITHIN).filter(|byte| *byte == b'|').count() >= 2;
        let has_bars = lines.clone().filter(has_bars).count() * 100 >= count * SHARE_MIN;
        let mut census = Census::of(lines.clone(), has_bars);
        if let Some(at) = census.first_time() {
            // Lines of a stack trace have no time and say nothing about the header.
            let begins = lines.filter(|line| nth_word(line.as_bytes(), at, has_bars).is_some_and(has_clock));
            census = Census::of(begins, has_bars);
        }
        Self { columns: census.columns(), has_bars }
    }

    /// True where lines have no header.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.columns.is_empty()
    }

    /// The message of a line.
    #[must_use]
    pub fn message<'a>(&self, line: &'a str) -> &'a str {
        if self.columns.is_empty() {
            return line;
        }
        let text = line.as_bytes();
        let mut at = 0;
        for column in &self.columns {
            let Some(word) = word(text, at, self.has_bars) else { return "" };
            let ends_with_colon = |end: usize| text.get(end.saturating_sub(1)) == Some(&b':');
            at = match column {
                Column::Time if !is_time(text.get(word.clone()).unwrap_or_default()) => return line,
                Column::Name if !ends_with_colon(word.end) => {
                    // `program[1] (of another): message`, or a message by nobody.
                    match self::word(text, word.end, self.has_bars).filter(|next| ends_with_colon(next.end)) {
                        Some(next) => next.end,
                        None => break,
                    }
                }
                Column::Dash => match dash_end(text, word.start, self.has_bars) {
                    Some(end) => end,
                    None => break,
                },
                _ => word.end,
            };
        }
        let is_joint = |c: char| c.is_whitespace() || self.has_bars && c == '|';
        line.get(at..).unwrap_or_default().trim_start_matches(is_joint)
    }
}

/// How often each column was of each kind.
#[derive(Default)]
struct Census<'a> {
    count: usize,
    of_kind: [[usize; KINDS.len()]; COLUMNS_MAX],
    /// Lines with a lone dash in this column or soon after.
    dashes: [usize; COLUMNS_MAX],
    words: [BTreeSet<&'a [u8]>; COLUMNS_MAX],
}

impl<'a> Census<'a> {
    fn of(lines: impl Iterator<Item = &'a str>, has_bars: bool) -> Self {
        let mut census = Self::default();
        for line in lines {
            census.count += 1;
            let text = line.as_bytes();
            let mut at = 0;
            for column in 0..COLUMNS_MAX {
                let Some(found) = word(text, at, has_bars) else { break };
                census.dashes[column] += usize::from(dash_end(text, found.start, has_bars).is_some());
                at = found.end;
                let after = text.get(at..).unwrap_or_default();
                let found = text.get(found).unwrap_or_default();
                for (kind, count) in KINDS.iter().zip(&mut census.of_kind[column]) {
                    *count += usize::from(is_kind(*kind, found, after));
                }
                if census.words[column].len() <= COMPONENTS_MAX {
                    census.words[column].insert(found);
                }
            }
        }
        census
    }

    /// The first column that is a time on some lines, though not on nearly all.
    fn first_time(&self) -> Option<usize> {
        let at = (0..FIRST_MARK_MAX).find(|at| self.is(*at, Kind::Clock, BEGIN_SHARE_MIN))?;
        (!self.is(at, Kind::Time, SHARE_MIN)).then_some(at)
    }

    /// The columns of the header.
    fn columns(&self) -> Vec<Column> {
        let Some(len) = self.header_len() else { return Vec::new() };
        let mut columns: Vec<Column> = (0..len).map(|at| self.column(at)).collect();
        let has_dash = |at: usize| self.dashes.get(at).is_some_and(|count| count * 100 >= self.count * SHARE_MIN);
        if !columns.iter().enumerate().any(|(at, _)| self.is(at, Kind::Dash, SHARE_MIN)) && has_dash(len) {
            columns.push(Column::Dash);
        }
        columns
    }

    /// True where this column is of this kind on at least so many of a hundred lines.
    fn is(&self, at: usize, kind: Kind, share: usize) -> bool {
        let count = self.of_kind.get(at).and_then(|of_kind| of_kind.get(kind as usize)).copied().unwrap_or(0);
        self.count > 0 && count * 100 >= self.count * share
    }

    /// A time or a level.
    fn is_mark(&self, at: usize) -> bool {
        self.is(at, Kind::Time, SHARE_MIN) || self.is(at, Kind::Level, SHARE_MIN)
    }

    fn is_anchor(&self, at: usize) -> bool {
        let kinds = [Kind::Number, Kind::Bracket, Kind::Dash];
        self.is_mark(at)
            || kinds.into_iter().any(|kind| self.is(at, kind, SHARE_MIN))
            || self.is(at, Kind::Name, NAME_SHARE_MIN)
    }

    /// How many columns the header has, where there is one.
    fn header_len(&self) -> Option<usize> {
        let mut last = (0..FIRST_MARK_MAX).find(|at| self.is_mark(*at))?;
        loop {
            let next = (0..=GAP_BEFORE_MARK_MAX).find(|gap| {
                let at = last + 1 + gap;
                self.is_mark(at) || *gap <= GAP_MAX && self.is_anchor(at)
            });
            let is_component = || {
                let words = self.words.get(last + 1).map_or(0, BTreeSet::len);
                self.is(last + 1, Kind::Padded, SHARE_MIN) && words <= COMPONENTS_MAX
            };
            last = match next {
                Some(gap) => last + 1 + gap,
                None if is_component() => last + 1,
                None => return Some(last + 1),
            };
        }
    }

    fn column(&self, at: usize) -> Column {
        let is_other = self.is(at, Kind::Bracket, SHARE_MIN) || self.is(at, Kind::Level, SHARE_MIN);
        if self.is(at, Kind::Time, SHARE_MIN) {
            Column::Time
        } else if self.is(at, Kind::Name, NAME_SHARE_MIN) && !is_other {
            Column::Name
        } else {
            Column::Any
        }
    }
}

/// The first word from `at` on; a bracket with what it holds is one.
fn word(text: &[u8], at: usize, has_bars: bool) -> Option<std::ops::Range<usize>> {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || has_bars && *byte == b'|';
    let rest = text.get(at..)?;
    let start = at + rest.iter().position(|byte| !is_blank(byte))?;
    let rest = text.get(start..)?;
    let held = bracket_len(rest);
    let length = rest.get(held..)?.iter().position(is_blank).map_or(rest.len(), |length| held + length);
    Some(start..start + length)
}

/// The word in this column.
fn nth_word(text: &[u8], column: usize, has_bars: bool) -> Option<&[u8]> {
    let mut at = 0;
    for _ in 0..column {
        at = word(text, at, has_bars)?.end;
    }
    text.get(word(text, at, has_bars)?)
}

/// Where a lone dash ends that is among the next columns, though not the first of them.
fn dash_end(text: &[u8], mut at: usize, has_bars: bool) -> Option<usize> {
    for column in 0..DASH_WITHIN {
        let found = word(text, at, has_bars)?;
        at = found.end;
        if column > 0 && text.get(found) == Some(b"-") {
            return Some(at);
        }
    }
    None
}

/// Bytes of the bracket that begins the text, without the one that closes it; 0 where there is none.
fn bracket_len(text: &[u8]) -> usize {
    let (open, close) = match text.first() {
        Some(b'[') => (b'[', b']'),
        Some(b'(') => (b'(', b')'),
        Some(b'<') => (b'<', b'>'),
        _ => return 0,
    };
    let mut depth = 0_usize;
    for (at, byte) in text.iter().take(BRACKET_BYTES_MAX).enumerate() {
        depth += usize::from(*byte == open);
        if *byte == close {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    0
}

fn is_kind(kind: Kind, word: &[u8], after: &[u8]) -> bool {
    match kind {
        Kind::Time => is_time(word),
        Kind::Clock => has_clock(word),
        Kind::Number => {
            let inner = inner(word);
            !inner.is_empty() && inner.iter().all(u8::is_ascii_digit)
        }
        Kind::Level => is_level(inner(word)),
        Kind::Bracket => {
            matches!(
                word,
                [b'[', .., b']']
                    | [b'(', .., b')']
                    | [b'<', .., b'>']
                    | [b'[', .., b']', b':']
                    | [b'(', .., b')', b':']
            )
        }
        Kind::Name => word.ends_with(b":") && word.len() <= NAME_BYTES_MAX && word.iter().any(u8::is_ascii_alphabetic),
        Kind::Dash => word.iter().all(|byte| b"-|:*>#".contains(byte)),
        Kind::Padded => after.starts_with(b"  ") || after.starts_with(b"\t"),
    }
}

/// A word without brackets around it and punctuation behind.
fn inner(mut word: &[u8]) -> &[u8] {
    while let [b'[' | b'(' | b'<', rest @ ..] = word {
        word = rest;
    }
    while let [rest @ .., b']' | b')' | b'>' | b',' | b':' | b'|' | b';'] = word {
        word = rest;
    }
    word
}

/// `14:31:45,123`, `2026-11-21`, `1795271505`, `Nov`, `[Sat Nov 21 14:31:45 2026]`.
fn is_time(word: &[u8]) -> bool {
    let inner = inner(word);
    let digits = inner.iter().filter(|byte| byte.is_ascii_digit()).count();
    if inner.first().is_some_and(u8::is_ascii_digit) {
        let joints = inner.iter().filter(|byte| b":-/.,T_+Z ".contains(byte)).count();
        let is_epoch = matches!(inner.len(), 10 | 13) && inner.starts_with(b"1");
        // Four numbers with dots between are an address.
        let host = inner.split(|byte| *byte == b':').next().unwrap_or_default();
        let mut groups = host.split(|byte| *byte == b'.');
        let is_address = groups.clone().count() == 4
            && groups.all(|group| (1..=3).contains(&group.len()) && group.iter().all(u8::is_ascii_digit));
        return digits >= 4 && digits + joints == inner.len() && (joints > 0 || is_epoch) && !is_address
            || word.starts_with(b"[") && has_clock(inner);
    }
    match inner.len() {
        3 => is_calendar_word(inner),
        _ => word.starts_with(b"[") && has_clock(inner),
    }
}

/// `16:49:06` somewhere.
fn has_clock(text: &[u8]) -> bool {
    text.windows(8).any(|eight| {
        eight
            .iter()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 2 | 5) { *byte == b':' } else { byte.is_ascii_digit() })
    })
}

fn is_calendar_word(word: &[u8]) -> bool {
    const NAMES: [&[u8]; 19] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec", b"Mon", b"Tue",
        b"Wed", b"Thu", b"Fri", b"Sat", b"Sun",
    ];
    NAMES.contains(&word)
}

fn is_level(word: &[u8]) -> bool {
    const WORDS: [&str; 22] = [
        "trace",
        "debug",
        "dbg",
        "verbose",
        "fine",
        "info",
        "information",
        "notice",
        "warn",
        "warning",
        "err",
        "error",
        "severe",
        "failure",
        "crit",
        "critical",
        "fatal",
        "panic",
        "alert",
        "emerg",
        "emergency",
        "audit",
    ];
    match word {
        [letter] => b"VDIWEFTC".contains(letter),
        _ => WORDS.iter().any(|level| level.as_bytes().eq_ignore_ascii_case(word)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The message of the first of these lines, by a layout learned from all.
    fn message(lines: &[&str]) -> String {
        LogLayout::learn(lines.iter().copied()).message(lines[0]).to_owned()
    }

    #[test]
    fn headers_of_common_layouts_come_off() {
        for (lines, expected) in [
            (
                &[
                    "2026-11-21 14:31:45,123 WARN  [main] a.b.Pool: slow",
                    "2026-11-21 14:31:46,001 INFO  [io 2] a.b.Q: up",
                ][..],
                "slow",
            ),
            (&["Nov 21 14:31:45 web1 sshd[42]: Bye Bye", "Nov 21 14:31:46 web1 kernel: eth0 up"], "Bye Bye"),
            (
                &[
                    "Nov 21 14:31:45 web1 launchd[1] (bird[7]): exited",
                    "Nov 21 14:31:46 web1 a[2]: b",
                    "Nov 21 14:31:46 web1 a[2]: c",
                    "Nov 21 14:31:46 web1 a[2]: c",
                    "Nov 21 14:31:46 web1 a[2]: c",
                    "Nov 21 14:31:46 web1 a[2]: c",
                    "Nov 21 14:31:46 web1 a[2]: c",
                ],
                "exited",
            ),
            (
                &["[Sat Nov 21 14:31:45 2026] [error] child died", "[Sat Nov 21 14:31:46 2026] [notice] up again"],
                "child died",
            ),
            (&["11-21 14:31:45.1  170  182 E Power: lost", "11-21 14:31:45.2  170  183 D Wifi: found it"], "lost"),
            (&["20261121-14:31:45:606|Step|3000|began 7", "20261121-14:31:46:15|Sync|3000|ended"], "began 7"),
            (
                &[
                    "- 1795271505 2026.11.21 n1 RAS KERNEL INFO began core.7",
                    "- 1795271506 2026.11.21 n2 RAS APP FATAL ended",
                ],
                "began core.7",
            ),
            (&["261121 143145 17 INFO dfs.Node: up", "261121 143146 18 WARN dfs.Name: down again"], "up"),
            (
                &[
                    "[11.21 14:31:45] chrome.exe *64 - a.example.org:80 open",
                    "[11.21 14:31:46] mail.exe - b.example.org:80 close, 7 bytes",
                ],
                "a.example.org:80 open",
            ),
            (&["17 n1 boot state 1795271505 1 fan fast", "18 n2 halt state 1795271506 1 slow"], "fan fast"),
            (
                &[
                    "2026-11-21 14:31:45, Info                  CBS    began 7",
                    "2026-11-21 14:31:46, Error                 CSI    ended",
                ],
                "began 7",
            ),
        ] {
            assert_eq!(message(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn bare_messages_stay_whole() {
        for lines in [
            &["connection from 10.0.0.1 closed", "12 items"][..],
            &["10.0.0.1:80 up", "10.0.0.2:80 down"],
            &["ready", "ready"],
            &["", " "],
            &[],
        ] {
            let layout = LogLayout::learn(lines.iter().copied());
            assert!(layout.is_bare(), "{lines:?}");
            lines.iter().for_each(|line| assert_eq!(layout.message(line), *line));
        }
    }

    #[test]
    fn what_continues_a_line_is_no_header() {
        let lines = ["14:31:45.1 INFO a", "    at org.example.A.b(A.java:7)", "    at org.example.C.d(C.java:8)"];
        let layout = LogLayout::learn(lines.into_iter());
        assert_eq!(
            layout.message("    at org.example.Main.run(Main.java:12)"),
            "    at org.example.Main.run(Main.java:12)"
        );
        assert_eq!(layout.message("14:31:45.3 INFO"), "");
    }

    proptest! {
        #[test]
        fn no_line_panics(lines in prop::collection::vec("[0-9:\\-\\[\\]()<>| A-Ca-cNov.é]{0,40}", 0..12)) {
            let layout = LogLayout::learn(lines.iter().map(String::as_str));
            for line in &lines {
                prop_assert!(line.ends_with(layout.message(line)));
            }
        }
    }
}
