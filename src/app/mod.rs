//! The console process: the loop, its pure core, its input and its settings.
//!
//! The core is a state and a message in, effects out, no I/O; the driver around it owns the terminal and the channels.

pub mod commands;
pub mod key;
pub mod keymap;
pub mod nearest;
pub mod terminal;
