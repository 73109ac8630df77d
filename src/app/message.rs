//! Everything that can happen to the console.

use std::sync::Arc;

use super::attach::pump::Link;
use super::key::Key;
use super::left_off::LeftOff;
use crate::engine::inquiry::Telling;
use crate::engine::request::{Reply, Request};
use crate::engine::snapshot::Snapshot;
use crate::views::ui_state::{Pane, RowKey};

/// One happening.
#[derive(Debug, Clone)]
pub enum Message {
    /// A key went down.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The mouse did something.
    Mouse(Click),
    /// The engine drew a new picture.
    Snapshot(Arc<Snapshot>),
    /// The engine answered.
    Reply(Request, Reply),
    /// Something came back to the question of this number; `None` once nothing more does.
    Told(u64, Option<Telling>),
    /// It stands otherwise with the line to the engine, of which nothing was heard for so many milliseconds.
    Link(Link, i64),
    /// An earlier console left this behind.
    LeftOff(Box<LeftOff>),
    /// A minute is over.
    Minute,
    /// What was to go by itself may have to go: see `AppState::due_at`.
    Due,
    /// So many characters went to the clipboard.
    Copied {
        /// Characters taken.
        taken: usize,
        /// Characters there were.
        whole: usize,
    },
    /// Ctrl-Z where no shell is there to return to.
    NotSuspended,
    /// A frame was drawn.
    Drawn {
        /// First line of the pane's list that is on the screen.
        offset: usize,
        /// Rows of the list that fit.
        page_rows: usize,
        /// How far the open overlay can be scrolled.
        overlay_offset_max: usize,
        /// True where a question is on the screen whole, with its whole command.
        is_question_whole: bool,
    },
    /// Somebody asked the program to end: SIGTERM, SIGHUP, SIGINT, SIGQUIT.
    Terminate,
    /// Somebody asked the program to stop: SIGTSTP.
    Stop,
}

/// What the mouse did, in terms of what is on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Click {
    /// On the name of a pane.
    Pane(Pane),
    /// On the word that tells the key of help.
    Help,
    /// On a row.
    Row(RowKey),
    /// The wheel, down where positive.
    Wheel(isize),
}
