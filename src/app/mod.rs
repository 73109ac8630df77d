//! The console process: the loop, its pure core, its input and its settings.
//!
//! The core is [`update`]: a state and a message in, effects out, no I/O; the driver around it owns the terminal and
//! the channels.

pub mod effect;
pub mod message;
pub mod state;
pub mod update;

pub mod commands;
pub mod completion;
pub mod hints;
pub mod key;
pub mod key_table;
pub mod keymap;
pub mod palette;
mod picture;

pub mod arguments;
pub mod attach;
pub mod away;
pub mod cli;
pub mod engine_link;
pub mod left_off;
pub mod log_file;
pub mod looking;
pub mod mouse_read;
pub mod offered;
pub mod options;
pub mod run;
pub mod settings;
pub mod terminal;
