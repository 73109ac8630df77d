//! One key, as keymaps write it: `a`, `A`, `Ctrl-d`, `Alt-x`, `Enter`, `PageDown`.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers. Shift is part of the character where there is one: `A`, not `Shift-a`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// Which key.
    pub code: KeyCode,
    /// Ctrl was held.
    pub is_ctrl: bool,
    /// Alt was held.
    pub is_alt: bool,
    /// Shift was held, for keys that are no characters.
    pub is_shift: bool,
}

/// Names of keys that are no characters.
const NAMES: [(&str, KeyCode); 16] = [
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("BackTab", KeyCode::BackTab),
    ("Backspace", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Insert", KeyCode::Insert),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PageUp", KeyCode::PageUp),
    ("PageDown", KeyCode::PageDown),
    ("Space", KeyCode::Char(' ')),
];

impl Key {
    /// A key without modifiers.
    #[must_use]
    pub fn plain(code: KeyCode) -> Self {
        Self { code, is_ctrl: false, is_alt: false, is_shift: false }
    }

    /// The character this key types, where it types one.
    #[must_use]
    pub fn typed_char(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.is_ctrl && !self.is_alt => Some(c),
            _ => None,
        }
    }
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        let is_ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let code = match event.code {
            // Ctrl-J and Ctrl-j are one key; a terminal sends the same byte for both.
            KeyCode::Char(c) if is_ctrl => KeyCode::Char(c.to_ascii_lowercase()),
            code => code,
        };
        let is_shift =
            event.modifiers.contains(KeyModifiers::SHIFT) && !matches!(code, KeyCode::Char(_) | KeyCode::BackTab);
        Self { code, is_ctrl, is_alt: event.modifiers.contains(KeyModifiers::ALT), is_shift }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (is_held, name) in [(self.is_ctrl, "Ctrl-"), (self.is_alt, "Alt-"), (self.is_shift, "Shift-")] {
            if is_held {
                out.write_str(name)?;
            }
        }
        match (NAMES.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => out.write_str(name),
            (None, KeyCode::Char(c)) => write!(out, "{c}"),
            (None, KeyCode::F(number)) => write!(out, "F{number}"),
            (None, _) => out.write_str("?"),
        }
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut key = Self::plain(KeyCode::Null);
        let mut rest = text;
        loop {
            let (flag, after) = match rest.split_once('-') {
                Some(("Ctrl", after)) if !after.is_empty() => (&mut key.is_ctrl, after),
                Some(("Alt", after)) if !after.is_empty() => (&mut key.is_alt, after),
                Some(("Shift", after)) if !after.is_empty() => (&mut key.is_shift, after),
                _ => break,
            };
            *flag = true;
            rest = after;
        }
        let mut characters = rest.chars();
        key.code = match (characters.next(), characters.next()) {
            (Some(c), None) if !c.is_control() => KeyCode::Char(c),
            _ => named(rest).ok_or_else(|| {
                format!("`{text}` is no key; write one character, Enter, Esc, Tab, Up, PageDown, F1, Ctrl-x or Alt-x")
            })?,
        };
        if let KeyCode::Char(c) = key.code
            && key.is_shift
        {
            return Err(format!("`{text}`: write the character that Shift gives, such as `{}`", c.to_uppercase()));
        }
        Ok(key)
    }
}

fn named(name: &str) -> Option<KeyCode> {
    if let Some(number) = name.strip_prefix('F').and_then(|number| number.parse::<u8>().ok()) {
        return (1..=12).contains(&number).then_some(KeyCode::F(number));
    }
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, code)| *code)
}

/// Reads keys pressed one after another: `g g`.
///
/// # Errors
/// When one of them is no key; the text says which and what one looks like.
pub fn parse_sequence(text: &str) -> Result<Vec<Key>, String> {
    let keys = text.split_whitespace().map(str::parse).collect::<Result<Vec<Key>, _>>()?;
    if keys.is_empty() { Err("an empty text is no key".to_owned()) } else { Ok(keys) }
}

/// Writes keys as they are read.
#[must_use]
pub fn display_sequence(keys: &[Key]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_print_as_they_are_read() {
        for text in [
            "a",
            "A",
            "g g",
            "Ctrl-d",
            "Alt-x",
            "Ctrl-Alt-Up",
            "Shift-Tab",
            "Enter",
            "F12",
            "-",
            "Ctrl--",
            "Space",
            "é",
        ] {
            assert_eq!(display_sequence(&parse_sequence(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_what_one_looks_like() {
        for text in ["", "  ", "Return", "Ctrl-", "F0", "F13", "ctrl-d", "gg"] {
            assert!(parse_sequence(text).unwrap_err().contains("key"), "{text:?}");
        }
        assert!(parse_sequence("Shift-a").unwrap_err().contains("`A`"));
    }

    #[test]
    fn a_terminal_sends_the_same_key_in_more_than_one_way() {
        for (code, modifiers, text) in [
            (KeyCode::Char('A'), KeyModifiers::SHIFT, "A"),
            (KeyCode::Char('A'), KeyModifiers::NONE, "A"),
            (KeyCode::Char('D'), KeyModifiers::CONTROL, "Ctrl-d"),
            (KeyCode::BackTab, KeyModifiers::SHIFT, "BackTab"),
            (KeyCode::Up, KeyModifiers::SHIFT, "Shift-Up"),
        ] {
            assert_eq!(Key::from(KeyEvent::new(code, modifiers)).to_string(), text);
        }
    }
}
