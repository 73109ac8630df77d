//! How a console in another process reaches the engine: what is said over a socket, byte by byte.
//!
//! ```text
//! hello ─▶           one line each way, in words that never change: versions, and what is wanted
//! ◀─ greeting
//! frames both ways   frame: length, kind, body    message: what the body says    delta: pictures
//! ```
//!
//! Pictures go as what differs from the one sent before, in postcard; everything else is JSON. Both ends are of one [`WIRE`], or
//! they part with a word: postcard has no fields that may be missing, so a range of versions could not be kept.

mod connection;
pub mod delta;
pub mod frame;
pub mod hello;
mod in_text;
pub mod message;
mod names;
mod outgoing;
pub mod people;
pub mod place;
pub mod server;
mod standing;

/// The number of what follows the first lines. It rises with every change of the bytes of a message or a picture, which a test
/// sees by their shapes.
pub const WIRE: u32 = 2;
