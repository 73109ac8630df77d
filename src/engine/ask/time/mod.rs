//! Times in questions: what is said (`grammar`), what it is called (`expression`, `notation`), which instants it is (`span`),
//! and what was read into it (`remark`).

pub mod expression;
pub mod grammar;
pub mod notation;
mod numbers;
pub mod remark;
pub mod span;
pub mod zone;

#[cfg(test)]
mod tests;
