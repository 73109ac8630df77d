//! The integration suite.

mod fixtures;
mod views;
