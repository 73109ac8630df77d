//! What a view is given: the picture, the screen's memory, the theme, the keys, and the time to count ages from.

use tui_textarea::TextArea;

use super::theme::Theme;
use super::ui_state::UiState;
use crate::engine::clock::Timestamp;
use crate::engine::snapshot::Snapshot;

/// A key with what it does, for the bottom line and for help. Made from the command table and the keymap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHint {
    /// As a person reads it: `a`, `Ctrl-d`, `g g`.
    pub keys: String,
    /// Short, for the bottom line: `approve`.
    pub short: String,
    /// A sentence, for help.
    pub help: String,
    /// True where it changes the world or an incident.
    pub is_act: bool,
}

/// One match in the command palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaletteMatch {
    /// The command's title.
    pub title: String,
    /// Its keys, where it has any.
    pub keys: String,
    /// Positions of the matched characters in the title.
    pub matched: Vec<usize>,
}

/// How the terminal wants to be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Glyphs {
    /// True for ASCII only: no box drawing, no symbols, no sparkline blocks.
    pub is_ascii: bool,
}

/// Everything a view may look at.
pub struct ViewContext<'a> {
    /// The picture.
    pub snapshot: &'a Snapshot,
    /// The screen's memory.
    pub ui: &'a UiState,
    /// Styles by role.
    pub theme: &'a Theme,
    /// Which characters may be used.
    pub glyphs: Glyphs,
    /// Keys of this pane, most useful first.
    pub hints: &'a [KeyHint],
    /// Matches of the palette, best first, while it is open.
    pub palette: &'a [PaletteMatch],
    /// The note being written.
    pub note: Option<&'a TextArea<'static>>,
    /// The time to count ages from.
    pub now: Timestamp,
}
