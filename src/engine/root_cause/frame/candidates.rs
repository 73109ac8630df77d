//! The candidates: every service that may be answered, and each of its copies where copies are known.

use crate::engine::root_cause::frame::case::{InstanceId, NodeId};
use crate::engine::root_cause::frame::picture::Picture;

/// One candidate, before it is weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The service.
    pub node: NodeId,
    /// One copy of it, where the signals tell copies apart.
    pub instance: Option<InstanceId>,
}

/// Every candidate, in a fixed order. A service with known copies is a candidate by its copies.
#[must_use]
pub fn candidates(picture: &Picture<'_>) -> Vec<Candidate> {
    let case = picture.case;
    let mut found = Vec::new();
    for node in (0..case.nodes.len()).filter(|node| case.nodes.get(*node).is_some_and(|node| node.is_answerable)) {
        let before = found.len();
        found.extend(case.instances_of(node).map(|(id, _)| Candidate { node, instance: Some(id) }));
        if found.len() == before {
            found.push(Candidate { node, instance: None });
        }
    }
    found
}
