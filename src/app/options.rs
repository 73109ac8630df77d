//! How a console looks, and what it may do.

use std::path::PathBuf;

use chrono_tz::Tz;

use super::keymap::Keymap;
use super::terminal::colour_depth::ColourDepth;
use crate::engine::snapshot::FileProblem;
use crate::views::context::Glyphs;
use crate::views::theme::Theme;

/// How the console looks and behaves; settled before it starts.
#[derive(Debug, Clone, Default)]
pub struct ConsoleOptions {
    /// Which keys give which command.
    pub keymap: Keymap,
    /// Styles by role.
    pub theme: Theme,
    /// Which characters may be used.
    pub glyphs: Glyphs,
    /// How many colours there are.
    pub depth: ColourDepth,
    /// True takes away every command that acts.
    pub is_read_only: bool,
    /// True starts with the mouse on.
    pub is_mouse_on: bool,
    /// True over SSH or in tmux.
    pub is_remote: bool,
    /// True in tmux.
    pub is_tmux: bool,
    /// In which zone questions are asked and answered.
    pub zone: Tz,
    /// Keymaps and themes that could not be read.
    pub file_problems: Vec<FileProblem>,
    /// Where texts that are not sent and the place on the screen are kept for the next start; `None` keeps nothing.
    pub left_off: Option<PathBuf>,
}
