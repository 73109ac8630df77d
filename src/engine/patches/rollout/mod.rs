//! Rollouts of a patch: when something may be patched, and whether health is worse after it.

pub mod calendar;
pub mod health;
mod pattern;
pub mod rank_sum;
