//! Server-sent events out of bytes that come in pieces of any size.
//!
//! Source of the format: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

/// One event of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// Its name; empty where it has none.
    pub name: String,
    /// Its data, lines joined by a line feed.
    pub data: String,
}

/// A line longer than this is no event of a model.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Reads a stream piece by piece.
#[derive(Debug, Default)]
pub struct SseReader {
    /// The line that has begun.
    line: Vec<u8>,
    /// True where the last byte was a carriage return: a line feed after it ends no second line.
    is_after_return: bool,
    /// True once a byte was read that is no mark of the byte order.
    has_begun: bool,
    event: SseEvent,
    has_data: bool,
    is_too_long: bool,
}

impl SseReader {
    /// Takes the next bytes; the events that they complete go to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<SseEvent>) {
        for byte in bytes {
            let is_after_return = std::mem::take(&mut self.is_after_return);
            match byte {
                b'\n' if is_after_return => {}
                b'\n' => self.end_line(out),
                b'\r' => {
                    self.end_line(out);
                    self.is_after_return = true;
                }
                _ if self.line.len() >= LINE_BYTES_MAX => self.is_too_long = true,
                byte => self.line.push(*byte),
            }
        }
    }

    /// True where something was so long that a part of it was left out.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        self.is_too_long
    }

    fn end_line(&mut self, out: &mut Vec<SseEvent>) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let mut text = text.as_ref();
        if !std::mem::replace(&mut self.has_begun, true) {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        if text.is_empty() {
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                out.push(event);
            }
            return;
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                // Many lines of data make no event of a model either.
                if self.event.data.len() + value.len() > LINE_BYTES_MAX {
                    self.is_too_long = true;
                } else {
                    self.event.data.push_str(value);
                }
            }
            // A comment begins with the colon; other fields say nothing here.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<SseEvent> {
        let (mut reader, mut out) = (SseReader::default(), Vec::new());
        for piece in pieces {
            reader.push(piece, &mut out);
        }
        out
    }

    fn event(name: &str, data: &str) -> SseEvent {
        SseEvent { name: name.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn events_are_read_as_the_format_says() {
        let text = "\u{feff}event: a\r\ndata: one\r\ndata:two\r\n\r\n: a comment\nid: 7\ndata\n\nevent: no data\n\ndata: cut off";
        assert_eq!(read(&[text.as_bytes()]), [event("a", "one\ntwo"), event("", "")]);
        assert_eq!(read(&[b"data: x\r", b"\n\r", b"\ndata: y\r\r"]), [event("", "x"), event("", "y")]);
    }

    #[test]
    fn a_line_without_end_is_not_kept_without_end() {
        let (mut reader, mut out) = (SseReader::default(), Vec::new());
        reader.push(b"data: ", &mut out);
        for _ in 0..40 {
            reader.push(&[b'x'; 1 << 16], &mut out);
        }
        assert!(reader.is_too_long() && reader.line.len() <= LINE_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_events(
            text in "(event: [a-c]\r?\n|data: [a-zé ✓]{0,6}(\r\n|\r|\n)|\n|\r\n|:[a-z]{0,3}\n){0,24}",
            cuts in proptest::collection::vec(0usize..400, 0..12),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(read(&pieces), read(&[bytes]));
        }
    }
}
