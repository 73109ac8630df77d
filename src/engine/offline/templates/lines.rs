//! The lines of a log file, plain or JSON Lines, packed or not, one at a time and each cut to a bound.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use serde_json::{Map, Value};

use crate::engine::limits::LOG_LINE_BYTES_MAX;

/// Of a line, so much is read before the rest is passed over; an object has to be read whole to be understood.
const RAW_BYTES_MAX: usize = 1 << 20;
/// Where the message of an object is, in this order, unless a field is asked for.
const MESSAGE_FIELDS: [&str; 9] = ["content", "message", "msg", "MESSAGE", "log", "text", "body", "raw", "event"];

/// What names a line in the answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineId {
    /// Its own `id`, or its number in the file, from 1.
    Number(u64),
    /// Its own `id`.
    Text(Box<str>),
}

/// What was not taken as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetAside {
    /// Lines of a JSON Lines file that are no object with a message.
    pub malformed: u64,
    /// Lines that were cut.
    pub cut: u64,
    /// Lines with bytes that are no UTF-8.
    pub invalid_text: u64,
    /// Number of the first line that is malformed.
    pub first_malformed: Option<u64>,
}

/// Reads lines.
pub struct Lines {
    from: Box<dyn BufRead>,
    /// Every line has to be an object.
    is_json: bool,
    field: Option<String>,
    buffer: Vec<u8>,
    number: u64,
    /// What was set aside so far.
    pub set_aside: SetAside,
}

impl Lines {
    /// Opens a file; whether it is packed is read off its first bytes, whether it is JSON Lines off its name.
    ///
    /// # Errors
    /// When it cannot be opened or read at all.
    pub fn open(path: &Path, field: Option<&str>) -> io::Result<Self> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let mut plain = BufReader::with_capacity(1 << 16, File::open(path)?);
        let is_packed = plain.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let from: Box<dyn BufRead> = if is_packed {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(plain)))
        } else {
            Box::new(plain)
        };
        let is_json = name.ends_with(".jsonl") || name.ends_with(".ndjson");
        Ok(Self::new(from, is_json, field))
    }

    fn new(from: Box<dyn BufRead>, is_json: bool, field: Option<&str>) -> Self {
        let field = field.map(str::to_owned);
        Self { from, is_json, field, buffer: Vec::new(), number: 0, set_aside: SetAside::default() }
    }

    /// True for JSON Lines.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.is_json
    }

    /// The next line and its message; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read any further, for one because it was packed and cut off.
    pub fn read_next(&mut self) -> io::Result<Option<(LineId, String)>> {
        loop {
            let Some(is_whole) = self.fill()? else { return Ok(None) };
            self.number += 1;
            let text = match std::str::from_utf8(&self.buffer) {
                Ok(text) => text.to_owned(),
                Err(_) => {
                    self.set_aside.invalid_text += 1;
                    String::from_utf8_lossy(&self.buffer).into_owned()
                }
            };
            let text = if self.number == 1 { text.trim_start_matches('\u{feff}').to_owned() } else { text };
            let object = self.object(&text);
            if object.is_none() && self.is_json {
                if !text.trim().is_empty() {
                    self.set_aside.malformed += 1;
                    self.set_aside.first_malformed.get_or_insert(self.number);
                }
                continue;
            }
            let (id, message) = object.unwrap_or((LineId::Number(self.number), text));
            let message = self.cut(message, is_whole);
            return Ok(Some((id, message)));
        }
    }

    /// Reads one line into the buffer; says whether it fitted, `None` at the end.
    fn fill(&mut self) -> io::Result<Option<bool>> {
        self.buffer.clear();
        let limit = RAW_BYTES_MAX as u64 + 1;
        let read = self.from.by_ref().take(limit).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        let is_whole = self.buffer.ends_with(b"\n") || self.buffer.len() <= RAW_BYTES_MAX;
        if !is_whole {
            self.buffer.truncate(RAW_BYTES_MAX);
            self.pass_over_line()?;
        }
        while self.buffer.last().is_some_and(|byte| b"\r\n".contains(byte)) {
            self.buffer.pop();
        }
        Ok(Some(is_whole))
    }

    fn pass_over_line(&mut self) -> io::Result<()> {
        loop {
            let there = self.from.fill_buf()?;
            if there.is_empty() {
                return Ok(());
            }
            let end = there.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(there.len(), |end| end + 1);
            self.from.consume(length);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    /// The id and message of a line that is an object.
    fn object(&self, text: &str) -> Option<(LineId, String)> {
        if !text.trim_start().starts_with('{') {
            return None;
        }
        let fields: Map<String, Value> = serde_json::from_str(text).ok()?;
        let as_text = |name: &str| match fields.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let message = match &self.field {
            Some(field) => as_text(field),
            None => MESSAGE_FIELDS.into_iter().find_map(as_text),
        };
        let id = match fields.get("id") {
            Some(Value::Number(number)) if number.is_u64() => LineId::Number(number.as_u64()?),
            Some(Value::String(text)) => LineId::Text(text.as_str().into()),
            _ => LineId::Number(self.number),
        };
        Some((id, message?))
    }

    /// Cuts a message to what the engine takes.
    fn cut(&mut self, mut message: String, is_whole: bool) -> String {
        if message.len() > LOG_LINE_BYTES_MAX {
            message.truncate(message.floor_char_boundary(LOG_LINE_BYTES_MAX));
            self.set_aside.cut += 1;
        } else if !is_whole {
            self.set_aside.cut += 1;
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], is_json: bool, field: Option<&str>) -> (Vec<(LineId, String)>, SetAside) {
        let mut lines = Lines::new(Box::new(io::Cursor::new(bytes.to_vec())), is_json, field);
        let mut found = Vec::new();
        while let Some(line) = lines.read_next().unwrap() {
            found.push(line);
        }
        (found, lines.set_aside)
    }

    #[test]
    fn plain_lines_are_numbered_and_objects_give_up_their_message() {
        let (lines, aside) = read(b"one\r\n{\"msg\":\"two\"}\n\nno \xff utf", false, None);
        let texts: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["one", "two", "", "no \u{fffd} utf"]);
        assert_eq!(lines[2].0, LineId::Number(3));
        assert_eq!(aside, SetAside { invalid_text: 1, ..SetAside::default() });
    }

    #[test]
    fn json_lines_have_ids_and_what_is_none_is_counted() {
        let text =
            b"{\"id\":7,\"content\":\"c\",\"raw\":\"r\"}\nnonsense\n{\"id\":\"x\",\"raw\":\"r\"}\n\n{\"id\":8}\n";
        let (lines, aside) = read(text, true, None);
        assert_eq!(lines, [(LineId::Number(7), "c".into()), (LineId::Text("x".into()), "r".into())]);
        assert_eq!((aside.malformed, aside.first_malformed), (2, Some(2)));
        assert_eq!(read(text, true, Some("raw")).0[0].1, "r");
    }

    #[test]
    fn long_lines_are_cut_and_the_next_is_read() {
        let mut text = vec![b'x'; 3 << 20];
        text.extend_from_slice(b"\nshort");
        let (lines, aside) = read(&text, false, None);
        assert_eq!((lines.len(), lines[0].1.len(), lines[1].1.as_str()), (2, LOG_LINE_BYTES_MAX, "short"));
        assert_eq!(aside.cut, 1);
    }
}
