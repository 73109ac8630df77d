//! The real time, for sources: they are drivers, and the one place where they read it is here.

use crate::engine::clock::Timestamp;

/// The instant at which it is called, by this machine's clock.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}

/// An instant as files have it.
#[must_use]
pub fn of(at: std::time::SystemTime) -> Timestamp {
    Timestamp(chrono::DateTime::<chrono::Utc>::from(at).timestamp_millis())
}
