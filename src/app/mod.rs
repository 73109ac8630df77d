//! The console process.
