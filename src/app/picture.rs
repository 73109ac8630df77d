//! What the core asks of the views: which rows there are, what is in focus, and what lies beside it.

pub use crate::views::chain::{Direction, neighbour};
pub use crate::views::focus::{incident, proposals, rollout, run};
pub use crate::views::{figures, home, incident_of, rows};
