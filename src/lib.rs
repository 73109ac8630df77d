//! Hypocenter: a terminal incident console that takes an on-call engineer from the first symptom to its cause and through
//! the fix.
//!
//! [`engine`] turns signals into incidents with ranked causes and carries approved steps out; [`views`] draws pictures of
//! it; [`app`] is the console process around both. They meet in plain data: `engine::snapshot::Snapshot` one way,
//! `engine::request::Request` the other. Start reading at `engine::pipeline`.

pub mod app;
pub mod engine;
pub mod nearest;
pub mod views;
