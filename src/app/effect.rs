//! Everything the console's core may ask of its driver.

use crate::engine::inquiry::Inquiry;
use crate::engine::request::Request;

/// One wish.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the engine.
    Request(Request),
    /// Ask this question, by its number.
    Ask(u64, Inquiry),
    /// A question is about to be typed.
    PrepareToAsk,
    /// Put text on the clipboard.
    Copy(String),
    /// End the console.
    Quit,
    /// Give the terminal back and stop, as Ctrl-Z does.
    Suspend,
    /// Draw the whole screen again.
    Redraw,
    /// Turn the mouse on or off.
    SetMouse(bool),
}
