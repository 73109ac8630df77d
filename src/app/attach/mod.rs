//! The console's end of a socket: joining an engine in another process, and keeping the line to it.

pub mod line;
pub mod pump;
