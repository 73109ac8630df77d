//! Hypothesis to a plan of steps.
