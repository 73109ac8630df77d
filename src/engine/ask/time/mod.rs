//! Times in questions: what is said (`grammar`), what it is called (`expression`), and which instants it is (`span`).

pub mod expression;
pub mod grammar;
mod numbers;
pub mod span;
