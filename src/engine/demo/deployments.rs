//! What is rolled out: every node's revisions and the network policies, as the shop's cluster would list them.

use std::sync::Arc;

use super::layout;
use super::scenarios::{self, ChangeSpec};
use crate::engine::clock::Timestamp;
use crate::engine::model::ChangeKind;

/// One rollout of a node.
#[derive(Debug, Clone)]
pub(super) struct Revision {
    /// From 1.
    pub number: u32,
    /// What runs.
    pub version: Arc<str>,
    /// Why it was rolled out.
    pub cause: Arc<str>,
}

/// Every node's revisions, newest last, and the policies that hold.
#[derive(Debug)]
pub(super) struct Deployments {
    revisions: Vec<Vec<Revision>>,
    policies: Vec<Policy>,
}

/// A network policy that holds.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    /// Its name.
    pub name: Arc<str>,
    /// Whose traffic it rules.
    pub selector: Arc<str>,
    /// Since when; `None` for one that has always been there.
    pub since: Option<Timestamp>,
}

impl Deployments {
    /// What runs before anything happens.
    pub fn new() -> Self {
        let revisions = layout::NODES.iter().map(|node| {
            let version = format!("v{}.{}", node.name.len(), node.replicas);
            vec![Revision { number: 1, version: Arc::from(version), cause: Arc::from("first rollout") }]
        });
        let policy = Policy { name: Arc::from("default-deny-ingress"), selector: Arc::from("<none>"), since: None };
        Self { revisions: revisions.collect(), policies: vec![policy] }
    }

    /// Takes note of a change.
    pub fn record(&mut self, spec: &ChangeSpec, at: Timestamp) {
        match (spec.kind, spec.service) {
            (ChangeKind::Network, service) => self.policies.push(Policy {
                name: Arc::from(spec.version.unwrap_or(scenarios::POLICY)),
                selector: Arc::from(service.map_or("<none>".to_owned(), |name| format!("app={name}"))),
                since: Some(at),
            }),
            (ChangeKind::Deploy | ChangeKind::Config | ChangeKind::Flag, Some(service)) => {
                if let Some(node) = layout::position(service) {
                    let version = spec.version.map_or_else(|| self.present(node).version, Arc::from);
                    self.roll_out(node, version, Arc::from(spec.title));
                }
            }
            _ => {}
        }
    }

    /// What runs of a node.
    pub fn present(&self, node: usize) -> Revision {
        self.revisions[node].last().cloned().unwrap_or(Revision {
            number: 0,
            version: Arc::from("none"),
            cause: Arc::from("nothing was rolled out"),
        })
    }

    /// Every rollout of a node, oldest first.
    pub fn history(&self, node: usize) -> &[Revision] {
        &self.revisions[node]
    }

    /// What ran before the present revision.
    pub fn before(&self, node: usize) -> Option<Revision> {
        self.revisions[node].iter().rev().nth(1).cloned()
    }

    /// Rolls a version out as the next revision.
    pub fn roll_out(&mut self, node: usize, version: Arc<str>, cause: Arc<str>) {
        let number = self.present(node).number + 1;
        self.revisions[node].push(Revision { number, version, cause });
    }

    /// The policies that hold.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Takes a policy away; true where it was there.
    pub fn drop_policy(&mut self, name: &str) -> bool {
        let count = self.policies.len();
        self.policies.retain(|policy| policy.name.as_ref() != name);
        self.policies.len() < count
    }
}
