//! Takes what varies out of a log message before templates are compared: numbers, addresses, ids, paths, quoted text,
//! dates. One pass over the bytes, no regular expressions, buffers reused from line to line.

use std::hash::Hasher;
use std::ops::Range;

/// What stands for a part that varies.
pub(super) const WILDCARD: &str = "<*>";
/// Words of a message that are looked at; the rest stands behind one wildcard.
const TOKENS_MAX: usize = 128;
/// Quoted text longer than this is no quotation but an odd quote.
const QUOTED_BYTES_MAX: usize = 512;

/// How much a word says about which event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing but a value.
    Wild,
    /// Looks like a name or identifier (`worker-3`, `uid=0`, `org.example.Cache`): may well vary.
    Name,
    /// A plain word: likely part of the event's wording.
    Word,
}

/// One word of the masked message.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// Where it is in [`Masked::text`].
    pub range: Range<usize>,
    /// How much it says.
    pub class: Class,
    /// Hash of its text; stands for it in comparisons.
    pub hash: u64,
}

/// A message with its values taken out.
#[derive(Debug, Default)]
pub(super) struct Masked {
    /// The words, joined by single blanks.
    pub text: String,
    /// Its words.
    pub tokens: Vec<Token>,
    out: Vec<u8>,
}

/// Hash of a word or text; equal on every run of the program.
pub(super) fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

/// The class of a word that is already masked.
pub(super) fn class_of(token: &[u8]) -> Class {
    let mut rest = token;
    let (mut is_masked, mut has_letter, mut is_name, mut previous) = (false, false, false, b' ');
    while let Some((&byte, tail)) = rest.split_first() {
        if rest.starts_with(WILDCARD.as_bytes()) {
            is_masked = true;
            rest = rest.get(WILDCARD.len()..).unwrap_or_default();
            previous = b'*';
            continue;
        }
        if byte.is_ascii_alphabetic() || byte >= 0x80 {
            has_letter = true;
            is_name |= byte.is_ascii_uppercase() && previous.is_ascii_lowercase();
        } else if byte.is_ascii_digit() {
            is_name = true;
        } else {
            // Punctuation between two letters makes a name; at the end of a word it is only punctuation.
            let is_inner = previous.is_ascii_alphanumeric() && tail.first().is_some_and(u8::is_ascii_alphanumeric);
            is_name |= byte == b'=' || (is_inner && b"._-$@/\\:~".contains(&byte));
        }
        previous = byte;
        rest = tail;
    }
    match (is_masked, has_letter) {
        (true, false) => Class::Wild,
        (true, true) => Class::Name,
        (false, _) if is_name => Class::Name,
        (false, _) => Class::Word,
    }
}

impl Masked {
    /// Masks `message`; what was there before is gone.
    pub fn read(&mut self, message: &str) {
        self.tokens.clear();
        self.out.clear();
        let bytes = message.as_bytes();
        let mut at = 0;
        while let Some(skipped) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| !b.is_ascii_whitespace())) {
            at += skipped;
            if self.tokens.len() == TOKENS_MAX {
                self.out.push(b' ');
                self.out.extend_from_slice(WILDCARD.as_bytes());
                break;
            }
            if !self.tokens.is_empty() {
                self.out.push(b' ');
            }
            let start = self.out.len();
            at = self.token(bytes, at, start);
            self.end_token(start);
        }
        // Only whole characters and ASCII marks were copied, so nothing is ever replaced here.
        self.text.clear();
        self.text.push_str(&String::from_utf8_lossy(&self.out));
    }

    /// Keeps the word that begins at `start`, unless it continues a list of values.
    fn end_token(&mut self, start: usize) {
        let token = self.out.get(start..).unwrap_or_default();
        let is_value = |text: &[u8]| matches!(text, b"<*>" | b"<*>," | b"<*>;");
        if is_value(token)
            && let Some(last) = self.tokens.last()
            && self.out.get(last.range.clone()).is_some_and(is_value)
        {
            self.out.truncate(start.saturating_sub(1));
            return;
        }
        let (class, hash) = (class_of(token), hash_of(token));
        self.tokens.push(Token { range: start..self.out.len(), class, hash });
    }

    /// Copies one word, masked; says where it ends.
    fn token(&mut self, bytes: &[u8], from: usize, start: usize) -> usize {
        let mut at = from;
        while let Some(&byte) = bytes.get(at) {
            if byte.is_ascii_whitespace() {
                break;
            }
            let is_opening = at == from || bytes.get(at - 1).is_some_and(|before| b"=([{,:<|\"'".contains(before));
            if is_opening && let Some(end) = quoted_end(bytes, at) {
                self.out.push(byte);
                self.wildcard(start);
                self.out.push(byte);
                at = end;
            } else if is_opening && let Some(end) = path_end(bytes, at) {
                self.wildcard(start);
                at = end;
            } else if is_piece(byte) {
                let end = piece_end(bytes, at);
                self.piece(bytes.get(at..end).unwrap_or_default(), start);
                at = end;
            } else {
                self.out.push(byte);
                at += 1;
            }
        }
        if at > from && is_calendar_word(bytes, from, at) {
            self.out.truncate(start);
            self.wildcard(start);
        }
        at
    }

    /// Copies one piece between delimiters, masked.
    fn piece(&mut self, piece: &[u8], start: usize) {
        let body = piece.strip_suffix(b".").unwrap_or(piece);
        if is_value(body) {
            self.wildcard(start);
        } else if body.iter().any(u8::is_ascii_digit) {
            self.segments(body, start);
        } else {
            self.out.extend_from_slice(body);
        }
        if body.len() < piece.len() {
            self.out.push(b'.');
        }
    }

    /// Masks the values within a piece such as `blk_-42` or `part-00153`.
    fn segments(&mut self, piece: &[u8], start: usize) {
        let before = self.out.len();
        let is_joint = |byte: u8| b"._-~/@+".contains(&byte);
        let mut is_masked = false;
        let mut parts = piece.chunk_by(|a, b| is_joint(*a) == is_joint(*b)).peekable();
        while let Some(part) = parts.next() {
            let letters = part.iter().take_while(|b| b.is_ascii_alphabetic()).count();
            let digits = part.iter().filter(|b| b.is_ascii_digit()).count();
            if is_number(part) || is_hex(part) {
                is_masked = true;
                self.wildcard(start);
            } else if digits >= 2 && letters + digits == part.len() {
                is_masked = true;
                self.out.extend_from_slice(part.get(..letters).unwrap_or_default());
                self.wildcard(start);
            } else if digits >= 3 {
                is_masked = true;
                self.wildcard(start);
            } else if let Some((b'-', joint @ [_, ..])) = part.split_last()
                && parts.peek().is_some_and(|next| is_number(next))
            {
                // The sign of the number that follows.
                self.out.extend_from_slice(joint);
            } else {
                self.out.extend_from_slice(part);
            }
        }
        if is_masked && piece.iter().filter(|b| **b == b'.').count() >= 2 {
            // A host name or dotted address with a number in it: a value as a whole.
            self.out.truncate(before);
            self.wildcard(start);
        }
    }

    /// Writes a wildcard; one that only a joint separates from the one before becomes one with it.
    fn wildcard(&mut self, start: usize) {
        let token = self.out.get(start..).unwrap_or_default();
        if token.ends_with(WILDCARD.as_bytes()) {
            return;
        }
        if let Some((joint, before)) = token.split_last()
            && b".:-_,/+~".contains(joint)
            && before.ends_with(WILDCARD.as_bytes())
        {
            self.out.pop();
            return;
        }
        self.out.extend_from_slice(WILDCARD.as_bytes());
    }
}

/// True for a byte that belongs to a word rather than separating two.
fn is_piece(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_-.$~@+\\*#/%".contains(&byte)
}

/// Where the piece that begins at `at` ends; the address of a URL belongs to it.
fn piece_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let end = rest.iter().position(|b| !is_piece(*b)).unwrap_or(rest.len());
    if end > 0 && rest.get(end..).is_some_and(|tail| tail.starts_with(b"://")) {
        return at + rest.iter().position(|b| is_path_stop(*b)).unwrap_or(rest.len());
    }
    at + end
}

/// True where a path or URL ends.
fn is_path_stop(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b",;()[]{}\"'<>|".contains(&byte)
}

/// End of the path that begins at `at`, where one does.
fn path_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let (first, tail) = rest.split_first()?;
    if *first != b'/' || !tail.first().is_some_and(|b| b.is_ascii_alphanumeric() || b"._~-".contains(b)) {
        return None;
    }
    let end = rest.iter().position(|b| is_path_stop(*b)).unwrap_or(rest.len());
    let path = rest.get(..end)?;
    let kept = path.iter().rposition(|b| !b":.".contains(b)).map_or(end, |last| last + 1);
    Some(at + kept)
}

/// End of the quotation that begins at `at`, where one does.
fn quoted_end(bytes: &[u8], at: usize) -> Option<usize> {
    let quote = *bytes.get(at)?;
    if !b"\"'`".contains(&quote) {
        return None;
    }
    let rest = bytes.get(at + 1..)?;
    let rest = rest.get(..QUOTED_BYTES_MAX.min(rest.len()))?;
    let mut from = 0;
    while let Some(found) = rest.get(from..)?.iter().position(|b| *b == quote) {
        let close = from + found;
        let after = bytes.get(at + 2 + close);
        if close > 0 && !after.is_some_and(u8::is_ascii_alphanumeric) {
            return Some(at + 2 + close);
        }
        from = close + 1;
    }
    None
}

/// True for a piece that is a value as a whole: a number with or without unit, a date, an address, an id, a path.
fn is_value(piece: &[u8]) -> bool {
    let Some(last) = piece.last() else { return false };
    if piece.contains(&b'\\') && piece.len() > 2 && last.is_ascii_alphanumeric() && !piece.starts_with(b"\\") {
        return true;
    }
    if piece.windows(3).any(|three| three == b"://") || piece.iter().filter(|b| **b == b'/').count() >= 2 {
        return true;
    }
    if !piece.iter().any(u8::is_ascii_digit) {
        return false;
    }
    is_number(piece) || is_hex(piece) || is_uuid(piece)
}

/// `-12`, `3.5`, `1.2.3.4`, `2026-11-21`, `12ms`, `10MiB`, `95%`, `1e-6`.
fn is_number(piece: &[u8]) -> bool {
    let body = piece.strip_prefix(b"-").or_else(|| piece.strip_prefix(b"+")).unwrap_or(piece);
    if !body.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let numeric = body.iter().take_while(|b| b.is_ascii_digit() || b"._-+/".contains(b)).count();
    let unit = body.get(numeric..).unwrap_or_default();
    let unit = unit.strip_suffix(b"/s").unwrap_or(unit);
    unit.len() <= 3 && unit.iter().all(|b| b.is_ascii_alphabetic() || *b == b'%')
        || unit.first().is_some_and(|b| b.eq_ignore_ascii_case(&b'e'))
            && unit.iter().skip(1).all(|b| b.is_ascii_digit() || b"+-".contains(b))
}

/// `0x1f`, or at least eight hexadecimal digits of which one is a digit.
fn is_hex(piece: &[u8]) -> bool {
    let is_all_hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    match piece {
        [b'0', b'x' | b'X', digits @ ..] => !digits.is_empty() && is_all_hex(digits),
        _ => piece.len() >= 8 && is_all_hex(piece) && piece.iter().any(u8::is_ascii_digit),
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_uuid(piece: &[u8]) -> bool {
    piece.len() == 36
        && piece.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// True for the name of a month before a number, or of a weekday before a month: part of a date.
fn is_calendar_word(bytes: &[u8], from: usize, end: usize) -> bool {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    let word = bytes.get(from..end).unwrap_or_default();
    let word = word.strip_suffix(b",").unwrap_or(word);
    if word.len() != 3 {
        return false;
    }
    let mut after = bytes.get(end..).unwrap_or_default().iter().skip_while(|b| b.is_ascii_whitespace());
    if MONTHS.contains(&word) {
        return after.next().is_some_and(u8::is_ascii_digit);
    }
    let next: Vec<u8> = if DAYS.contains(&word) { after.take(3).copied().collect() } else { return false };
    MONTHS.contains(&next.as_slice()) || next.first().is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(message: &str) -> String {
        let mut masked = Masked::default();
        masked.read(message);
        masked.text
    }

    #[test]
    fn values_go_and_words_stay() {
        for (message, expected) in [
            ("took 12ms to serve 3.5 MiB", "took <*> to serve <*> MiB"),
            ("connect to 10.0.0.1:8080 failed", "connect to <*> failed"),
            ("id 6f9619ff-8b86-d011-b42d-00cf4fc964ff done", "id <*> done"),
            ("at 2026-11-21 14:31:45,123 now", "at <*> now"),
            ("since Sat Jun 18 02:08:10 2005", "since <*>"),
            ("read /var/lib/x.db: denied", "read <*>: denied"),
            ("say \"hello there\" to 'bob smith'", "say \"<*>\" to '<*>'"),
            ("can't don't", "can't don't"),
            ("blk_-42 part-00153 KB3184143", "blk_<*> part-<*> KB<*>"),
            ("ssh2 eth0 utf8", "ssh2 eth0 utf8"),
            ("uid=0 (pid 17)", "uid=<*> (pid <*>)"),
            ("GET https://a.example/x?y=1 0xdeadbeef", "GET <*>"),
            ("ids 1, 2, 3; done", "ids <*>, done"),
            ("May 5 be late", "<*> be late"),
            ("May be late", "May be late"),
            ("größe 5 überschritten", "größe <*> überschritten"),
            ("", ""),
        ] {
            assert_eq!(masked(message), expected, "{message}");
        }
    }

    #[test]
    fn names_say_less_than_words() {
        for (token, class) in [
            ("<*>", Class::Wild),
            ("(<*>)", Class::Wild),
            ("uid=<*>", Class::Name),
            ("worker-x", Class::Name),
            ("failed", Class::Word),
            ("failed:", Class::Word),
            ("blockMap", Class::Name),
        ] {
            assert_eq!(class_of(token.as_bytes()), class, "{token}");
        }
    }
}
