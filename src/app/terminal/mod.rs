//! The terminal layer: one way in (a thread of its own), one way out (one write a frame), one way to leave things as
//! they were found.
//!
//! ratatui lays out and draws into its cell buffer; from there on the bytes are ours, because over a slow line bytes
//! decide. Nothing here knows what is on the screen.

pub mod ascii;
pub mod clipboard;
pub mod colour_depth;
pub mod encoder;
pub mod guard;
pub mod input;
pub mod pen;
pub mod screen;
mod scroll;
pub mod signals;
