//! What the core asks of the views: which rows there are and what is in focus.

use crate::engine::model::ServiceName;
use crate::engine::snapshot::Snapshot;

pub use crate::views::focus::{incident, run};
pub use crate::views::rows;

/// The service beside `from`.
pub fn neighbour(snapshot: &Snapshot, from: &ServiceName, is_along: bool) -> Option<ServiceName> {
    if is_along {
        snapshot.topology.callees(from).next().map(|(service, _)| service.clone())
    } else {
        snapshot.topology.callers(from).next().cloned()
    }
}
