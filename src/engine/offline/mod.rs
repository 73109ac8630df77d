//! Recorded signals in a folder, one stage of the engine over them, an answer in a file: what an engineer runs after the
//! fact, and what the benchmarks measure.
//!
//! Reading and writing is done here; the stages are the ones that the console runs.

pub mod correlate;
pub mod detect;
pub mod rca;
pub mod templates;
