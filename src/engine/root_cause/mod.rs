//! Incident to ranked hypotheses.
