//! Decides whether a step may run; the sole maker of [`ApprovedStep`].

/// A step that has passed the gate; nothing else can be executed.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovedStep {}
