//! What keys do within a text that is being typed, be it a note, a question in Ask or the line at a question of the console.

use crossterm::event::KeyCode;
use tui_textarea::{CursorMove, Input, Key as TextKey, TextArea};

use crate::app::commands::Command;
use crate::app::key::Key;

/// Characters that a line may have.
pub(super) const LINE_CHARS_MAX: usize = 500;

/// One line with the cursor at its end.
pub(super) fn line(text: String) -> TextArea<'static> {
    let mut area = TextArea::new(vec![text]);
    area.move_cursor(CursorMove::End);
    area
}

/// What a key that types nothing means within a text.
pub(super) fn input(key: Key) -> Option<Input> {
    let text_key = match key.code {
        KeyCode::Left => TextKey::Left,
        KeyCode::Right => TextKey::Right,
        KeyCode::Home => TextKey::Home,
        KeyCode::End => TextKey::End,
        KeyCode::Delete => TextKey::Delete,
        KeyCode::Char(c @ ('f' | 'b' | 'e' | 'k')) => TextKey::Char(c),
        _ => return None,
    };
    Some(Input { key: text_key, ctrl: key.is_ctrl, alt: key.is_alt, shift: key.is_shift })
}

/// Deletes before the cursor.
pub(super) fn delete(area: &mut TextArea<'_>, command: Command) {
    match command {
        Command::DeleteWord => area.delete_word(),
        Command::DeleteLine => area.delete_line_by_head(),
        _ => area.delete_char(),
    };
}
