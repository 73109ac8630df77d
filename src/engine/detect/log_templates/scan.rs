//! Cuts a log message into words, names and values: one pass over its bytes, no regular expressions, a buffer that is used
//! again from line to line.

use super::hash::{EMPTY, SEED, hash_of, mix};
use super::marks::{
    DELIMITER, DIGIT, HIGH, JOINT, LETTER, LOWER, SLASH, SPACE, UPPER, class, has_number, is_calendar_word, is_path,
    is_path_stop, is_unit, octets_end, quoted_end,
};

/// Atoms of a message that are looked at; the rest stands behind one value.
const ATOMS_MAX: usize = 160;
/// Bytes of a message that are looked at; the rest stands behind one value.
const MESSAGE_BYTES_MAX: usize = 4_096;
/// A longer word before an equals sign is no key.
const KEY_BYTES_MAX: usize = 32;

/// What a part of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A value by its look: a number, an address, a path, an id, a date.
    Value,
    /// A name, which may vary or not: only other lines tell.
    Name,
    /// A plain word of the sentence.
    Word,
}

/// One part of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Atom {
    /// Where it begins in the message, and where it ends.
    pub start: usize,
    pub end: usize,
    /// Hash of the blanks and punctuation before it.
    pub glue: u64,
    /// Hash of its text; 0 for a value.
    pub hash: u64,
    pub kind: Kind,
}

/// A message cut into atoms.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub atoms: Vec<Atom>,
    /// Hash of what stands behind the last.
    pub tail: u64,
    /// Equal for messages that differ in nothing but values.
    pub signature: u64,
    glue: u64,
    /// A value that comes now may be one with the value before it: nothing but blanks, commas and the like since.
    is_foldable: bool,
}

fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(b' ')
}

fn part(text: &[u8], start: usize, end: usize) -> &[u8] {
    text.get(start..end).unwrap_or_default()
}

impl Scanned {
    /// Cuts `text`; what was there before is gone.
    pub fn read(&mut self, text: &[u8]) {
        let text = text.trim_ascii_end();
        self.atoms.clear();
        self.glue = SEED;
        self.is_foldable = true;
        let (mut at, mut before) = (0, b' ');
        while at < text.len() {
            if self.atoms.len() >= ATOMS_MAX || at >= MESSAGE_BYTES_MAX {
                self.push(at, text.len(), 0, Kind::Value);
                before = b' ';
                break;
            }
            let here = byte(text, at);
            let end = match class(here) {
                SPACE => self.blank(text, at, before),
                DELIMITER => self.delimiter(text, at, before),
                _ => self.piece(text, at, before),
            };
            before = if class(here) == SPACE { b' ' } else { byte(text, end - 1) };
            at = end;
        }
        if before == b'=' && is_key_sign(text, text.len()) {
            self.push(text.len(), text.len(), EMPTY, Kind::Name);
        }
        self.tail = self.glue;
        let of_atoms = self.atoms.iter().fold(SEED, |all, atom| mix(mix(all, atom.glue), atom.hash));
        self.signature = mix(of_atoms, self.tail);
    }

    /// Blanks count once.
    fn blank(&mut self, text: &[u8], at: usize, before: u8) -> usize {
        if before != b' ' {
            if before == b'=' && is_key_sign(text, at) {
                // `key= ` has a place for a value, as `key=7 ` has.
                self.push(at, at, EMPTY, Kind::Name);
            }
            self.glue = mix(self.glue, u64::from(b' '));
        }
        at + 1
    }

    fn delimiter(&mut self, text: &[u8], at: usize, before: u8) -> usize {
        let mark = byte(text, at);
        match mark {
            b'"' | b'\'' | b'`' if class(before) & (SPACE | DELIMITER) != 0 => {
                if let Some(end) = quoted_end(text, at) {
                    self.mark(mark);
                    self.push(at + 1, end - 1, 0, Kind::Value);
                    self.mark(mark);
                    return end;
                }
            }
            // Less or more than a number is part of the value.
            b'<' | b'>' if before == b' ' && byte(text, at + 1).is_ascii_digit() => return at + 1,
            b')' | b']' | b'}' | b',' | b';' if is_void(text, at, before) => {
                self.push(at, at, EMPTY, Kind::Name);
            }
            _ => {}
        }
        self.mark(mark);
        at + 1
    }

    fn mark(&mut self, mark: u8) {
        self.glue = mix(self.glue, u64::from(mark));
        self.is_foldable &= matches!(mark, b':' | b',' | b';' | b'=' | b'|' | b'&' | b'?');
    }

    /// Takes in an atom; a value that only continues the value before it becomes one with it.
    fn push(&mut self, start: usize, end: usize, hash: u64, kind: Kind) {
        match self.atoms.last_mut() {
            Some(last) if kind == Kind::Value && self.is_foldable && last.kind == Kind::Value => last.end = end,
            _ => self.atoms.push(Atom { start, end, glue: self.glue, hash, kind }),
        }
        self.glue = SEED;
        self.is_foldable = true;
    }

    /// Takes in the word that begins at `at`; says where it ends.
    fn piece(&mut self, text: &[u8], at: usize, before: u8) -> usize {
        let (mut end, mut seen) = (at, 0);
        while let Some(&next) = text.get(end) {
            let kind = class(next);
            if kind & (SPACE | DELIMITER) != 0 {
                break;
            }
            seen |= kind;
            end += 1;
        }
        let is_before_colon = byte(text, end) == b':';
        if is_before_colon && let Some(end) = octets_end(text, at, end) {
            self.push(at, end, 0, Kind::Value);
            return end;
        }
        if (is_before_colon || seen & SLASH != 0)
            && let Some(end) = place_end(text, at, end)
        {
            self.push(at, end, 0, Kind::Value);
            return end;
        }
        if seen & (DIGIT | JOINT | SLASH | HIGH) == 0 {
            self.letters(text, at, end, before, seen);
            return end;
        }
        self.mixed(text, at, end, before)
    }

    /// A word of letters alone.
    fn letters(&mut self, text: &[u8], at: usize, end: usize, before: u8, seen: u8) {
        let word = part(text, at, end);
        let is_after_value = before == b' '
            && self.glue == mix(SEED, u64::from(b' '))
            && self.atoms.last().is_some_and(|last| last.kind == Kind::Value);
        let is_value = word.len() == 3 && is_calendar_word(word, part(text, end, text.len()))
            || is_after_value && is_unit(word)
            || word.len() >= 8 && seen & UPPER == 0 && word.iter().all(u8::is_ascii_hexdigit);
        if is_value {
            return self.push(at, end, 0, Kind::Value);
        }
        let is_key = matches!(byte(text, end), b'=' | b':');
        let is_plain = seen == LOWER || word.iter().skip(1).all(u8::is_ascii_lowercase);
        let is_in_sentence = matches!(before, b' ' | b',' | b';' | b'|');
        let kind = if is_key || is_plain && is_in_sentence { Kind::Word } else { Kind::Name };
        self.push(at, end, hash_of(word), kind);
    }

    /// A word with digits or joints in it; says where it ends.
    fn mixed(&mut self, text: &[u8], at: usize, end: usize, before: u8) -> usize {
        let is_edge = |at: usize| class(byte(text, at)) & (JOINT | SLASH) != 0;
        let (mut start, mut stop) = (at, end);
        while start < stop && is_edge(start) {
            start += 1;
        }
        while stop > start && is_edge(stop - 1) && byte(text, stop - 1) != b'%' {
            stop -= 1;
        }
        let core = part(text, start, stop);
        if core.is_empty() {
            self.marks(text, at, end);
            self.is_foldable |= part(text, at, end) == b".";
            return end;
        }
        // Twice the same joint is punctuation: `enable......0`, `a--b`.
        let run = core.windows(2).position(|two| matches!(two, b".." | b"--" | b"**" | b"##"));
        if let Some(run) = run {
            let cut = start + run;
            self.mixed(text, at, cut, before);
            let joint = byte(text, cut);
            let after = cut + part(text, cut, end).iter().take_while(|next| **next == joint).count();
            self.marks(text, cut, after);
            return after;
        }
        let is_key = byte(text, stop) == b'=' && class(byte(text, start)) & LETTER != 0 && core.len() <= KEY_BYTES_MAX;
        if has_number(core) && !is_key {
            self.value(text, at, stop);
            self.marks(text, stop, end);
            self.is_foldable |= end == stop + 1;
            return end;
        }
        self.marks(text, at, start);
        if core.iter().all(u8::is_ascii_alphabetic) {
            let seen = core.iter().fold(0, |seen, letter| seen | class(*letter));
            self.letters(text, start, stop, if start == at { before } else { b' ' }, seen);
        } else {
            let is_key = matches!(byte(text, stop), b'=' | b':') && !core.contains(&b'.');
            self.push(start, stop, hash_of(core), if is_key { Kind::Word } else { Kind::Name });
        }
        self.marks(text, stop, end);
        end
    }

    fn marks(&mut self, text: &[u8], start: usize, end: usize) {
        for mark in part(text, start, end) {
            self.mark(*mark);
        }
    }

    /// A value; `host.name:80` and `File.java:12` are one as a whole.
    fn value(&mut self, text: &[u8], start: usize, end: usize) {
        let dotted = self.atoms.last().copied().filter(|last| {
            last.kind == Kind::Name
                && self.glue == mix(SEED, u64::from(b':'))
                && part(text, last.start, last.end).contains(&b'.')
        });
        let Some(name) = dotted else {
            return self.push(start, end, 0, Kind::Value);
        };
        self.atoms.pop();
        self.glue = name.glue;
        self.is_foldable = self.atoms.last().is_some_and(|earlier| {
            earlier.kind == Kind::Value
                && part(text, earlier.end, name.start).iter().all(|mark| matches!(mark, b' ' | b',' | b';' | b':'))
        });
        self.push(name.start, end, 0, Kind::Value);
    }
}

/// True where the equals sign before `at` ends a key.
fn is_key_sign(text: &[u8], at: usize) -> bool {
    at >= 2 && class(byte(text, at - 2)) & (LETTER | DIGIT) != 0
}

/// True where the mark at `at` closes brackets with nothing in them, or follows `key=`.
fn is_void(text: &[u8], at: usize, before: u8) -> bool {
    if before == b'=' {
        return is_key_sign(text, at);
    }
    let is_empty = matches!((before, byte(text, at)), (b'(', b')') | (b'[', b']') | (b'{', b'}'));
    // `call()` is a name, ` ()` is a place where something could be.
    is_empty && (at < 2 || class(byte(text, at - 2)) & (LETTER | DIGIT | HIGH | JOINT) == 0)
}

/// End of the path, URL or drive that begins at `at` with the word that ends at `end`, where one does.
fn place_end(text: &[u8], at: usize, end: usize) -> Option<usize> {
    let (word, rest) = (part(text, at, end), part(text, end, text.len()));
    let is_url = rest.starts_with(b"://");
    let is_drive = word.len() == 1 && (rest.starts_with(b":\\") || rest.starts_with(b":/"));
    if !(is_url || is_drive || is_path(word)) {
        return None;
    }
    let is_whole = is_url || is_drive;
    let length = rest.iter().position(|next| is_path_stop(*next) || !is_whole && *next == b':').unwrap_or(rest.len());
    let found = part(text, at, end + length);
    let kept = found.iter().rposition(|last| !matches!(last, b':' | b'.' | b','))?;
    Some(at + kept + 1)
}
