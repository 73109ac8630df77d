//! Rollouts of a patch: when something may be patched.

pub mod calendar;
mod pattern;
