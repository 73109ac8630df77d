//! The candidates: where detection told of symptoms everything that they leave possible, else every service that may be
//! answered, and each of its copies where copies are known.

use crate::engine::model::{CauseKind, ChangeId};
use crate::engine::root_cause::case::{InstanceId, NodeId};
use crate::engine::root_cause::picture::Picture;
use crate::engine::root_cause::picture::causes::Cause;

/// One candidate, before it is weighed.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The service.
    pub node: NodeId,
    /// One copy of it, where the signals tell copies apart.
    pub instance: Option<InstanceId>,
    /// What it would be there, where symptoms tell that.
    pub cause: Option<Cause<'a>>,
}

/// What two candidates have to share to be one answer.
pub type Claim = (NodeId, Option<(CauseKind, Option<ChangeId>)>);

impl Candidate<'_> {
    /// What would be answered: copies of one service are one answer.
    #[must_use]
    pub fn claim(&self) -> Claim {
        (self.node, self.cause.map(|cause| (cause.kind, cause.change.map(|change| change.id))))
    }

    /// A fixed order, for ties.
    #[must_use]
    pub fn order(&self) -> (Claim, Option<InstanceId>) {
        (self.claim(), self.instance)
    }
}

/// Every candidate, in a fixed order. A service with known copies is a candidate by its copies.
#[must_use]
pub fn candidates<'a>(picture: &Picture<'a>) -> Vec<Candidate<'a>> {
    if picture.is_watched {
        let of = |cause: &Cause<'a>| Candidate { node: cause.node, instance: None, cause: Some(*cause) };
        return picture.symptoms.causes.iter().map(of).collect();
    }
    let case = picture.case;
    let mut found = Vec::new();
    for node in (0..case.nodes.len()).filter(|node| case.nodes.get(*node).is_some_and(|node| node.is_answerable)) {
        let before = found.len();
        found.extend(case.instances_of(node).map(|(id, _)| Candidate { node, instance: Some(id), cause: None }));
        if found.len() == before {
            found.push(Candidate { node, instance: None, cause: None });
        }
    }
    found
}
