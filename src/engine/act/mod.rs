//! The only code that changes the outside world.
pub mod policy;
