//! What a step can do to the outside world, one file a kind. Nothing else in the program starts processes.

pub mod run_command;
