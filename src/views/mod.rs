//! Pixels only: pure functions of a [`context::ViewContext`].

pub mod context;
pub mod theme;
pub mod ui_state;
