//! Identities, as new-types so that one kind is never taken for another.
//!
//! Counters are dense integers because they are spoken aloud ("INC-42") and because the store's keys stay short; names
//! are shared strings because a service or a source is named by thousands of series.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
    /// A rollout of a patch, written `RO-7`.
    RolloutId, "RO"
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

/// A stable 64-bit identity derived from what a thing *is* (its labels), equal across restarts. Written as sixteen hex
/// digits where people and scripts read it: many programs round numbers past 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_u64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(FingerprintVisitor)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

/// Reads hex digits, and the plain number that was written before.
struct FingerprintVisitor;

impl Visitor<'_> for FingerprintVisitor {
    type Value = Fingerprint;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a fingerprint: up to sixteen hex digits in quotes, or a whole number")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Fingerprint, E> {
        Ok(Fingerprint(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Fingerprint, E> {
        // The parser of numbers would take a sign.
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok().filter(|_| is_hex);
        number.map(Fingerprint).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_hex_for_readers_and_a_number_on_disk() {
        let large = Fingerprint(13_059_821_182_750_834_041);
        let text = serde_json::to_string(&large).unwrap();
        assert_eq!(text, format!("\"{large}\""));
        assert_eq!(serde_json::from_str::<Fingerprint>(&text).unwrap(), large);
        assert_eq!(
            serde_json::from_str::<Fingerprint>("13059821182750834041").unwrap(),
            large,
            "as it was written before"
        );
        for wrong in ["\"\"", "\"+1\"", "\"12345678901234567\"", "-1", "1.5", "null"] {
            assert!(serde_json::from_str::<Fingerprint>(wrong).is_err(), "{wrong}");
        }
        let bytes = postcard::to_stdvec(&large).unwrap();
        assert_eq!(bytes, postcard::to_stdvec(&large.0).unwrap());
        assert_eq!(postcard::from_bytes::<Fingerprint>(&bytes).unwrap(), large);
    }
}
