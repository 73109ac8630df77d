//! Anomaly to incident.
