//! Styles by what they mean.

/// Styles by role.
#[derive(Debug, Clone, Default)]
pub struct Theme {}
