//! Outside to signal: read only.
