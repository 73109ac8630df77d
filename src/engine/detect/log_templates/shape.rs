//! The shape of a message: its words, its names, and the places of its values.

use super::hash::{EMPTY, SEED, hash_of, mix};
use super::scan::{Kind, Scanned};

/// What stands for a part that varies.
pub(super) const WILDCARD: &str = "<*>";
/// Parts of which a repetition may consist: `node-7 0x1f <ok> node-8 0x2f <ok>` has three.
const PERIOD_MAX: usize = 6;

/// How a name looks, which says how likely it varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It is a value.
    Value,
    /// Nothing, where something could be.
    Empty,
    /// A word of code that is one of few: `true`, `null`.
    Fixed,
    /// All capitals: a constant of the program.
    Constant,
    /// With a dot, a slash or an at-sign inside: a host, a class, an address.
    Qualified,
    /// With a digit: the hash of what it is without.
    Numbered(u64),
    /// Anything else.
    Plain,
}

/// What the word before a name says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Introduction {
    /// Nothing.
    None,
    /// A preposition: what follows may well be somebody's name.
    Preposition,
    /// A noun for a kind of thing that has names: `user`, `host`.
    Noun,
}

/// One part of a shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Hash of the blanks and punctuation before it.
    pub glue: u64,
    /// Hash of its text; 0 for a value.
    pub hash: u64,
    /// Where it is in the shape's text; empty for a value.
    pub start: u32,
    pub end: u32,
    pub kind: Kind,
    pub introduction: Introduction,
}

/// A shape and the template it belongs to.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Hash of the service.
    pub service: u64,
    pub parts: Vec<Part>,
    /// Hash of what stands behind the last part.
    pub tail: u64,
    /// The message with its values taken out.
    pub text: String,
    /// Place of its template.
    pub template: u32,
}

impl Shape {
    /// The shape of a message that was cut.
    pub fn of(service: u64, message: &[u8], scanned: &Scanned) -> Self {
        let slice = |start: usize, end: usize| message.get(start..end).unwrap_or_default();
        let mut text = Vec::new();
        let mut parts = Vec::with_capacity(scanned.atoms.len());
        let mut at = message.len() - message.trim_ascii_start().len();
        let mut introduction = Introduction::None;
        let repeats = repetitions(scanned);
        for (index, atom) in scanned.atoms.iter().enumerate() {
            if repeats.get(index).is_some_and(|is_repeated| *is_repeated) {
                at = atom.end;
                continue;
            }
            push_blanks_once(&mut text, slice(at, atom.start));
            let start = text.len();
            if atom.kind != Kind::Value {
                text.extend_from_slice(slice(atom.start, atom.end));
            }
            // Far below four gigabytes: messages are cut.
            parts.push(Part {
                glue: atom.glue,
                hash: atom.hash,
                start: start as u32,
                end: text.len() as u32,
                kind: atom.kind,
                introduction,
            });
            introduction = match message.get(atom.end) {
                _ if atom.kind == Kind::Value => Introduction::None,
                Some(b' ') => introduction_by(slice(atom.start, atom.end)),
                _ => Introduction::None,
            };
            at = atom.end;
        }
        push_blanks_once(&mut text, slice(at, message.trim_ascii_end().len()));
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut shape = Self { service, parts, tail: scanned.tail, text, template: 0 };
        shape.settle_first();
        shape
    }

    /// A line begins with what it is about, so that a name there is a word; a host or address may vary there, too.
    fn settle_first(&mut self) {
        let is_address = self.parts.first().is_some_and(|first| self.look(first) == Look::Qualified);
        if let Some(first) = self.parts.first_mut()
            && first.kind == Kind::Name
            && !is_address
        {
            first.kind = Kind::Word;
        }
    }

    /// The text of a part.
    pub fn text_of(&self, part: &Part) -> &str {
        self.text.get(part.start as usize..part.end as usize).unwrap_or_default()
    }

    /// How a part looks.
    pub fn look(&self, part: &Part) -> Look {
        match (part.kind, part.hash) {
            (Kind::Value, _) => Look::Value,
            (_, EMPTY) => Look::Empty,
            (kind, _) => look_of(self.text_of(part).as_bytes(), kind),
        }
    }

    /// How many plain words it has.
    pub fn word_count(&self) -> usize {
        self.parts.iter().filter(|part| part.kind == Kind::Word).count()
    }

    /// Equal for shapes of the same words in the same places; with `open`, as if that part were a name.
    pub fn skeleton(&self, open: Option<usize>) -> u64 {
        let of_parts = self.parts.iter().enumerate().fold(self.service, |all, (at, part)| {
            let word = if part.kind == Kind::Word && open != Some(at) { part.hash } else { 0 };
            mix(mix(all, part.glue), word)
        });
        mix(mix(of_parts, self.tail), SEED)
    }

    /// True for a part that reads like what differs from one installation to the next, unlike the names of classes: a host,
    /// a package, a component.
    pub fn is_address(&self, part: &Part) -> bool {
        let name = self.text_of(part).as_bytes();
        let is_before_colon = self.text.as_bytes().get(part.end as usize) == Some(&b':');
        let dots = name.iter().filter(|byte| **byte == b'.').count();
        dots >= 2 && !is_before_colon && (name.contains(&b'/') || !name.iter().any(u8::is_ascii_uppercase))
    }
}

/// Copies what stands between two parts, runs of blanks as one.
fn push_blanks_once(text: &mut Vec<u8>, glue: &[u8]) {
    let mut is_after_blank = false;
    for byte in glue {
        let is_blank = byte.is_ascii_whitespace();
        if !(is_blank && is_after_blank) {
            text.push(if is_blank { b' ' } else { *byte });
        }
        is_after_blank = is_blank;
    }
}

fn introduction_by(word: &[u8]) -> Introduction {
    const NOUNS: [&[u8]; 9] = [b"user", b"host", b"file", b"node", b"client", b"device", b"app", b"class", b"process"];
    const PREPOSITIONS: [&[u8]; 4] = [b"for", b"from", b"to", b"by"];
    if NOUNS.contains(&word) {
        Introduction::Noun
    } else if PREPOSITIONS.contains(&word) {
        Introduction::Preposition
    } else {
        Introduction::None
    }
}

fn look_of(name: &[u8], kind: Kind) -> Look {
    const FIXED: [&str; 9] = ["true", "false", "null", "nil", "none", "yes", "no", "on", "off"];
    let is_inside = |three: &[u8]| matches!(three, [before, b'.', after] if before.is_ascii_alphanumeric() && after.is_ascii_alphanumeric());
    if FIXED.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(name)) {
        Look::Fixed
    } else if kind == Kind::Word {
        Look::Plain
    } else if name.iter().any(|byte| b"@/\\".contains(byte)) || name.windows(3).any(is_inside) {
        Look::Qualified
    } else if name.iter().any(u8::is_ascii_digit) {
        let stem: Vec<u8> = name.iter().map(|byte| if byte.is_ascii_digit() { b'0' } else { *byte }).collect();
        Look::Numbered(hash_of(&stem))
    } else if name.len() >= 2 && name.iter().all(|byte| byte.is_ascii_uppercase() || b"_-.".contains(byte)) {
        Look::Constant
    } else {
        Look::Plain
    }
}

/// Which atoms only repeat those before them with other values: a list of any length is one element.
fn repetitions(scanned: &Scanned) -> Vec<bool> {
    let atoms = &scanned.atoms;
    let mut repeated = Vec::new();
    let mut at = 0;
    while at < atoms.len() {
        let end = (1..=PERIOD_MAX).find_map(|period| repetition_end(scanned, at, period).map(|end| (period, end)));
        let Some((period, end)) = end else {
            at += 1;
            continue;
        };
        repeated.resize(atoms.len(), false);
        repeated.iter_mut().take(end).skip(at + period).for_each(|is_repeated| *is_repeated = true);
        at = end;
    }
    repeated
}

/// Where the repetitions of the `period` atoms from `at` on end, where there are any.
fn repetition_end(scanned: &Scanned, at: usize, period: usize) -> Option<usize> {
    let atoms = scanned.atoms.get(at..)?;
    let (first, rest) = atoms.split_at_checked(period)?;
    // What joins the first to what stands before it may be anything, all others are joined alike.
    let joint = rest.first()?.glue;
    if !first.iter().any(|atom| atom.kind == Kind::Value) {
        return None;
    }
    let is_same = |next: &&[super::scan::Atom]| {
        next.iter().zip(first).enumerate().all(|(index, (a, b))| {
            a.kind == b.kind && a.hash == b.hash && a.glue == if index == 0 { joint } else { b.glue }
        })
    };
    let count = rest.chunks_exact(period).take_while(is_same).count();
    let is_list = count >= 2 || count == 1 && (period > 1 || first.first().is_some_and(|first| first.glue == joint));
    is_list.then_some(at + period * (1 + count))
}
