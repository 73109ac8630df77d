//! Copying by OSC 52: the terminal itself puts the text on the clipboard, so it works over SSH and needs no program.

use crossterm::Command;
use crossterm::clipboard::CopyToClipboard;

/// Bytes that terminals are known to accept in one go.
pub const COPY_BYTES_MAX: usize = 74_994;

/// The part of `text` that is copied: all of it, or as much as terminals accept, cut between two characters.
#[must_use]
pub fn copied_part(text: &str) -> &str {
    let mut end = text.len().min(COPY_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The bytes that make the terminal copy `text`. Inside tmux they go twice: bare, for `set-clipboard on`, and wrapped,
/// for `allow-passthrough on`; tmux drops the one it is not set to.
#[must_use]
pub fn copy_sequence(text: &str, is_tmux: bool) -> Vec<u8> {
    let mut bare = String::new();
    // Formatting into a string cannot fail.
    let _ = CopyToClipboard::to_clipboard_from(copied_part(text)).write_ansi(&mut bare);
    if is_tmux {
        let wrapped = format!("\x1bPtmux;{}\x1b\\", bare.replace('\x1b', "\x1b\x1b"));
        bare.push_str(&wrapped);
    }
    bare.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_travels_as_base64_and_tmux_hands_it_on() {
        let bare = String::from_utf8(copy_sequence("hi", false)).unwrap();
        assert!(bare.starts_with("\x1b]52;c;aGk=") && bare.matches('\x1b').count() <= 2, "{bare:?}");
        let wrapped = String::from_utf8(copy_sequence("hi", true)).unwrap();
        assert!(wrapped.starts_with(&bare));
        assert!(wrapped.ends_with("\x1b\\") && wrapped.contains("\x1bPtmux;\x1b\x1b]52;c;aGk="), "{wrapped:?}");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = format!("{}é{}", "a".repeat(COPY_BYTES_MAX - 1), "b".repeat(100));
        assert_eq!(copied_part(&text).len(), COPY_BYTES_MAX - 1);
        assert_eq!(copied_part("short"), "short");
    }
}
