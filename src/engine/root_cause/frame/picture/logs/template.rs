//! Log lines to templates: what stays of a line when its values are taken out.
//!
//! A trie of words per service and loudness. A word with a digit is a value, except where it names a place in the code
//! (`Name#12`, `file.ext:12`). At a place in the trie where many different words were seen the words are values too;
//! right after `=` or `:` two different words are enough, because that is where values stand.

use std::collections::BTreeMap;

use crate::engine::root_cause::frame::case::{LogRow, NodeId};

/// Words of a line that are looked at.
const WORDS_MAX: usize = 14;
/// More different words at one place than this are values; the first words of a line tell which line it is.
const FAN_OUT_MAX: [usize; 3] = [64, 16, 4];
/// The same right after `=` or `:`.
const FAN_OUT_VALUE_MAX: usize = 1;
/// Keys after which text follows, not a value.
const TEXT_KEYS: [&str; 6] = ["message", "msg", "text", "event", "log", "error"];

/// What stands for a value.
const WILD: u32 = 0;

/// How loud a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Loudness {
    /// Anything below a warning, or no level.
    #[default]
    Quiet,
    /// A warning.
    Warning,
    /// An error or worse.
    Error,
}

/// The loudness of a line's level; of a line without one, by the words it begins with.
#[must_use]
pub fn loudness(level: &str, body: &str) -> Loudness {
    let of = |word: &str| match word {
        "ERROR" | "ERR" | "FATAL" | "CRITICAL" | "CRIT" | "ALERT" | "EMERG" | "PANIC" | "SEVERE" => {
            Some(Loudness::Error)
        }
        "WARN" | "WARNING" => Some(Loudness::Warning),
        "INFO" | "DEBUG" | "TRACE" | "NOTICE" => Some(Loudness::Quiet),
        _ => None,
    };
    if let Some(found) = of(level) {
        return found;
    }
    let head: String = body.chars().take(60).collect();
    let words = head.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.take(8).find_map(|word| of(&word.to_ascii_uppercase())).unwrap_or_default()
}

/// A template's text and loudness.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Who writes it.
    pub node: NodeId,
    /// Its words, `*` for values.
    pub text: String,
    /// How loud it is.
    pub loudness: Loudness,
}

/// All templates of a case, with the template of every line of both tables.
#[derive(Debug, Default)]
pub struct Templates {
    /// The templates; a template's number is its place.
    pub list: Vec<Template>,
}

#[derive(Debug, Default)]
struct Place {
    next: BTreeMap<u32, usize>,
    is_value: bool,
    template: Option<u32>,
}

/// Words of one line as numbers; the second is true where the word stands right after `=` or `:`.
type Words = Vec<(u32, bool)>;

struct Miner {
    words: BTreeMap<String, u32>,
    text: Vec<String>,
    places: Vec<Place>,
    tops: BTreeMap<(NodeId, Loudness), usize>,
}

impl Miner {
    fn word(&mut self, word: &str) -> u32 {
        if let Some(id) = self.words.get(word) {
            return *id;
        }
        let id = u32::try_from(self.text.len()).unwrap_or(WILD);
        self.text.push(word.to_owned());
        self.words.insert(word.to_owned(), id);
        id
    }

    fn place(&mut self) -> usize {
        self.places.push(Place::default());
        self.places.len() - 1
    }

    fn read(&mut self, body: &str) -> Words {
        let mut found: Words = Vec::with_capacity(WORDS_MAX);
        let mut is_after_key = false;
        for piece in pieces(body) {
            match piece {
                Piece::Sign => is_after_key = found.last().is_none_or(|(word, _)| !self.is_text_key(*word)),
                Piece::Word(word) => {
                    let id = if is_value(word) { WILD } else { self.word(word) };
                    if id != WILD || found.last().is_none_or(|(last, _)| *last != WILD) {
                        found.push((id, is_after_key));
                    }
                    is_after_key = false;
                    if found.len() == WORDS_MAX {
                        break;
                    }
                }
            }
        }
        found
    }

    fn is_text_key(&self, word: u32) -> bool {
        let text = self.text.get(word as usize).map_or("", String::as_str);
        TEXT_KEYS.iter().any(|key| text.eq_ignore_ascii_case(key))
    }

    fn grow(&mut self, top: usize, words: &Words, is_loud: bool) {
        let mut here = top;
        for (word, is_after_key) in words {
            if let Some(place) = self.places.get_mut(here) {
                place.is_value |= *is_after_key && !is_loud;
            }
            let known = self.places.get(here).and_then(|place| place.next.get(word).copied());
            let next = known.unwrap_or_else(|| self.place());
            if let Some(place) = self.places.get_mut(here) {
                place.next.insert(*word, next);
            }
            here = next;
        }
    }

    /// True for a word that names a place in the code.
    fn is_place(&self, word: u32) -> bool {
        self.text.get(word as usize).is_some_and(|text| text.bytes().any(|byte| byte.is_ascii_digit()))
    }

    /// Makes one way of the many ways on from places where values stand.
    fn settle(&mut self, top: usize) {
        let mut waiting = vec![(top, 0_usize)];
        while let Some((here, depth)) = waiting.pop() {
            let Some(place) = self.places.get(here) else { continue };
            let free = FAN_OUT_MAX.get(depth).or(FAN_OUT_MAX.last()).copied().unwrap_or(1);
            let limit = if place.is_value { FAN_OUT_VALUE_MAX } else { free };
            let (kept, many): (Vec<_>, Vec<_>) =
                place.next.iter().map(|(word, way)| (*word, *way)).partition(|(word, _)| self.is_place(*word));
            if many.len() > limit {
                let ways: Vec<usize> = many.iter().map(|(_, way)| *way).collect();
                let joined = self.joined(&ways, 0);
                if let Some(place) = self.places.get_mut(here) {
                    place.next = kept.into_iter().chain([(WILD, joined)]).collect();
                }
            }
            waiting.extend(
                self.places.get(here).into_iter().flat_map(|place| place.next.values().map(|way| (*way, depth + 1))),
            );
        }
    }

    /// One place in the stead of several.
    fn joined(&mut self, ways: &[usize], depth: usize) -> usize {
        let mut next: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let mut is_value = false;
        for place in ways.iter().filter_map(|way| self.places.get(*way)) {
            is_value |= place.is_value;
            place.next.iter().for_each(|(word, way)| next.entry(*word).or_default().push(*way));
        }
        let mut merged = BTreeMap::new();
        if depth < WORDS_MAX {
            for (word, ways) in next {
                let way = match ways.as_slice() {
                    [one] => *one,
                    many => self.joined(many, depth + 1),
                };
                merged.insert(word, way);
            }
        }
        let here = self.place();
        if let Some(place) = self.places.get_mut(here) {
            (place.next, place.is_value) = (merged, is_value);
        }
        here
    }

    fn find(&mut self, node: NodeId, loudness: Loudness, words: &Words, list: &mut Vec<Template>) -> u32 {
        let mut here = self.tops.get(&(node, loudness)).copied().unwrap_or(0);
        let mut said: Vec<u32> = Vec::with_capacity(WORDS_MAX);
        for (word, _) in words {
            let Some(place) = self.places.get(here) else { break };
            match (place.next.get(word), place.next.get(&WILD)) {
                (Some(next), _) => (here, _) = (*next, said.push(*word)),
                (None, Some(next)) => (here, _) = (*next, said.push(WILD)),
                (None, None) => break,
            }
        }
        let Some(place) = self.places.get_mut(here) else { return 0 };
        if let Some(known) = place.template {
            return known;
        }
        let id = u32::try_from(list.len()).unwrap_or(u32::MAX);
        place.template = Some(id);
        let text: Vec<&str> =
            said.iter().filter_map(|word| self.text.get(*word as usize)).map(String::as_str).collect();
        list.push(Template { node, text: text.join(" "), loudness });
        id
    }
}

enum Piece<'a> {
    Word(&'a str),
    /// `=` or `:`.
    Sign,
}

/// The words of a line and the signs between them.
fn pieces(body: &str) -> impl Iterator<Item = Piece<'_>> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_.$#-/".contains(&byte);
    let bytes = body.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(byte) = bytes.get(at) {
            if *byte == b'=' || *byte == b':' {
                at += 1;
                return Some(Piece::Sign);
            }
            if is_after_sign(bytes, at) && b"[({".contains(byte) {
                at = past_bracket(bytes, at);
                return Some(Piece::Word("0"));
            }
            if is_part(*byte) {
                let start = at;
                while bytes.get(at).is_some_and(|byte| is_part(*byte)) {
                    at += 1;
                }
                // `file.ext:12` stays one word.
                let has_dot = bytes.get(start..at).is_some_and(|word| word.contains(&b'.'));
                if has_dot && bytes.get(at) == Some(&b':') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
                    at += 1;
                    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                        at += 1;
                    }
                }
                let word = body.get(start..at).unwrap_or("").trim_matches(|c| c == '.' || c == '-' || c == '/');
                if !word.is_empty() {
                    return Some(Piece::Word(word));
                }
            } else {
                at += 1;
            }
        }
        None
    })
}

/// True where only blanks lie between here and an `=` or `:` before.
fn is_after_sign(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    before.iter().rev().find(|byte| **byte != b' ').is_some_and(|byte| *byte == b'=' || *byte == b':')
}

/// Past the bracket that closes the one at `at`; past that one alone where none does.
fn past_bracket(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in bytes.get(at..).unwrap_or_default().iter().enumerate() {
        match byte {
            b'[' | b'(' | b'{' => depth += 1,
            b']' | b')' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + offset + 1;
        }
    }
    bytes.len()
}

/// True for a word that is a value: it has a digit and names no place in the code, or it is long.
fn is_value(word: &str) -> bool {
    if word.len() > 80 {
        return true;
    }
    if !word.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let named = word.rsplit_once(['#', ':']);
    !named.is_some_and(|(name, line)| {
        let is_name =
            name.bytes().any(|byte| byte.is_ascii_alphabetic()) && !name.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_name && !line.is_empty() && line.len() <= 5 && line.bytes().all(|byte| byte.is_ascii_digit())
    })
}

impl Templates {
    /// Mines both tables together; gives the template of every row of each.
    #[must_use]
    pub fn mine(tables: [&[LogRow]; 2]) -> (Self, [Vec<u32>; 2]) {
        let mut miner = Miner {
            words: BTreeMap::from([("*".to_owned(), WILD)]),
            text: vec!["*".to_owned()],
            places: vec![Place::default()],
            tops: BTreeMap::new(),
        };
        let read = tables.map(|rows| {
            let one = |row: &LogRow| {
                let loud = loudness(&row.level, &row.body);
                let words = miner.read(&row.body);
                let top = match miner.tops.get(&(row.node, loud)) {
                    Some(top) => *top,
                    None => {
                        let top = miner.place();
                        miner.tops.insert((row.node, loud), top);
                        top
                    }
                };
                miner.grow(top, &words, loud != Loudness::Quiet);
                (loud, words)
            };
            rows.iter().map(one).collect::<Vec<_>>()
        });
        let tops: Vec<usize> = miner.tops.values().copied().collect();
        tops.into_iter().for_each(|top| miner.settle(top));
        let mut list = Vec::new();
        let mut place = |rows: &[LogRow], read: &[(Loudness, Words)]| -> Vec<u32> {
            rows.iter().zip(read).map(|(row, (loud, words))| miner.find(row.node, *loud, words, &mut list)).collect()
        };
        let found = [place(tables[0], &read[0]), place(tables[1], &read[1])];
        (Self { list }, found)
    }
}
