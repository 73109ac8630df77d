//! The console's end of a socket: the ways to an engine in another process, joining it, and keeping the line to it.

pub mod child;
pub mod line;
pub mod pump;
mod starts;
pub mod way;
