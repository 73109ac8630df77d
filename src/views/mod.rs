//! Pixels only.
