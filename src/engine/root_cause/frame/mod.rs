//! Root cause over what was measured: a case as tables, a picture of it, candidates, evidence in log odds, an answer with
//! a calibrated confidence.
//!
//! Nothing here knows any system by name, and nothing asks where the tables come from: what a way of looking says depends
//! on which signals are there, and one that finds no signal says nothing.

pub mod answer;
pub mod calibration;
pub mod candidates;
pub mod case;
pub mod evidence;
pub mod looks;
pub mod picture;
pub mod robust;
pub mod solve;
pub mod weights;

#[cfg(test)]
mod tests;
