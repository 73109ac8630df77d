//! The engine: signals and a clock in, events and jobs out. It knows nothing about terminals.
//!
//! The flow, left to right, one folder a stage:
//!
//! ```text
//! ingest ─▶ detect ─▶ correlate ─▶ root_cause ─▶ runbooks ─▶ act
//! signal    anomaly   incident     hypothesis    proposal    outcome, which comes back as a change
//! ```
//!
//! [`pipeline`] is the pure core that puts the stages in order; [`runtime`] is the driver around it that owns the
//! channels, the clock and the store.

pub mod clock;
pub mod durable_file;
pub mod limits;
pub mod model;
pub mod settings;

pub mod handle;
pub mod input;
pub mod inquiry;
pub mod job;
pub mod remedies;
pub mod report;
pub mod request;
pub mod snapshot;
pub mod world;

pub mod act;
pub mod ask;
pub mod attach;
pub mod audit;
pub mod correlate;
pub mod deliver;
pub mod detect;
pub mod digest;
pub mod incident_kind;
pub mod ingest;
pub mod language_model;
pub mod outbox;
pub mod patches;
pub mod postmortem;
pub mod precursors;
pub mod redact;
pub mod root_cause;
pub mod runbooks;
pub mod store;

pub mod pipeline;
pub mod runtime;

pub mod evaluate;
pub mod offline;

pub mod demo;
pub mod simulate;
