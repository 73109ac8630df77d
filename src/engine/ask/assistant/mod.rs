//! A language model beside the embedded answers: what is sent, what comes back, and what of it stands. Pure: bytes and time come
//! from a driver (`language_model`), which is given orders.
//!
//! ```text
//! answer ─▶ sheet of numbered facts ─▶ fence ─▶ request ─▶ (driver) ─▶ api ─▶ dialogue ─▶ look ─▶ sheet …
//!                                                                               └▶ check ─▶ Saying
//! ```

pub mod api;
pub mod check;
pub mod dialogue;
pub mod draft;
pub mod fence;
pub mod look;
pub mod placing;
mod prompt;
pub mod purse;
pub mod saying;
pub mod sheet;
pub mod trouble;

#[cfg(test)]
mod tests;
