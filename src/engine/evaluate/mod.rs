//! How good an answer is: labels and answers in, figures out. Nothing else in the engine ever sees a label.

pub mod correlate;
pub mod detect;
pub mod logs;
pub mod rca;
