//! The simulated shop: a causal model of a few services whose checkout is about to break. It is a source of signals and
//! a runner of steps like any real one, and touches nothing outside the process.
//!
//! ```text
//! load ─▶ performance (service, resources) ─▶ telemetry, logs, alerts ─▶ signals
//!              ▲ parameters
//! scenarios ─▶ faults ◀─ commands (what the steps of runbooks and rollouts do to it)
//!                          ▼
//! advisories, machines ─▶ patch_office (what must be patched) ─▶ hosts (what is measured on each)
//! ```

pub mod recurrences;
pub mod scenarios;
pub mod shop;

mod faults;
mod layout;
mod load;
mod mending;
mod routine;

mod performance;
mod resources;
mod service;

mod alerts;
mod logs;
mod telemetry;

mod commands;
mod deployments;

mod advisories;
mod hosts;
mod machines;
mod patch_office;
mod patch_settings;

pub mod headless;
pub mod settings;
pub mod source;
pub mod step_runner;

#[cfg(test)]
mod tests;

pub use commands::Executed;
pub use scenarios::{SCENARIOS, Scenario};
pub use shop::Shop;
pub use source::DemoSource;
pub use step_runner::{SharedShop, ShopStepRunner};
