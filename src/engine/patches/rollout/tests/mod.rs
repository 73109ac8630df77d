//! The state machine in a made-up world.

mod course;
mod planning;
mod random;
mod simulation;
mod world;
