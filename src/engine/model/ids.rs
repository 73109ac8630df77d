//! Identities, as new-types so that one kind is never taken for another.
//!
//! Counters are dense integers because they are spoken aloud ("INC-42") and because the store's keys stay short; names
//! are shared strings because a service or a source is named by thousands of series.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Declares a counter id that prints with a prefix, such as `INC-42`.
macro_rules! counter_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, concat!($prefix, "-{}"), self.0)
            }
        }
    };
}

counter_id!(
    /// An incident, spoken as `INC-42`.
    IncidentId, "INC"
);
counter_id!(
    /// An anomaly, written `ANO-7`.
    AnomalyId, "ANO"
);
counter_id!(
    /// One execution of a runbook, written `RUN-3`.
    RunId, "RUN"
);
counter_id!(
    /// A change (deploy, configuration edit, our own act), written `CHG-9`.
    ChangeId, "CHG"
);
counter_id!(
    /// A mined log template, written `TPL-5`.
    TemplateId, "TPL"
);

/// The engine's dense index of a series; valid within one engine's life only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeriesId(pub u32);

/// A stable 64-bit identity derived from what a thing *is* (its labels), equal across restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

/// Declares a shared-string name.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a name over; the text must have passed [`crate::engine::ingest::normalize`] when it came from outside.
            #[must_use]
            pub fn new(text: &str) -> Self {
                Self(Arc::from(text))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<Arc<str>> for $name {
            fn from(text: Arc<str>) -> Self {
                Self(text)
            }
        }
    };
}

name!(
    /// A node of the topology: `checkout`, `auth-api`, `orders-db`.
    ServiceName
);
name!(
    /// A configured origin of signals: `prom-us`, `alertmanager`, `host`.
    SourceName
);
