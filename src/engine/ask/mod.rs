//! Understands questions in plain words: a line of text becomes an intent of a closed list and slots, against the names that
//! are known here, without a network and the same way every time.
//!
//! ```text
//! text ─▶ words ─▶ marking (names, times, metrics, slips) ─▶ classify ─▶ filling ─▶ Reading
//!                                                              ▲ phrasings     ▲ follow_up
//! ```

pub mod answer;
pub mod answers;
pub mod assistant;
pub mod classify;
pub mod conversation;
mod filling;
mod follow_up;
pub mod ground;
pub mod intent;
pub mod known_names;
mod lexicon;
pub mod marking;
pub mod metric;
pub mod names;
mod orders;
pub mod page_search;
pub mod reading;
pub mod recall;
pub mod rewording;
pub mod slots;
pub mod spelling;
pub mod time;
pub mod words;

#[cfg(test)]
mod tests;
