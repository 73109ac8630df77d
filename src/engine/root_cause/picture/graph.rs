//! Who calls whom, and how far each node is from what paged. Cycles are allowed.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::root_cause::case::{Case, NodeId};

/// The graph of calls.
#[derive(Debug, Default)]
pub struct Graph {
    /// What each node calls, sorted.
    pub callees: Vec<Vec<NodeId>>,
    /// Who calls each node, sorted.
    pub callers: Vec<Vec<NodeId>>,
    /// Calls from what paged down to each node; `None` where no path leads there or nothing paged.
    pub hops: Vec<Option<u32>>,
}

impl Graph {
    /// The graph of a case.
    #[must_use]
    pub fn new(case: &Case) -> Self {
        let count = case.nodes.len();
        let (mut callees, mut callers) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        for (caller, callee) in &case.calls {
            if let (Some(down), Some(up)) = (callees.get_mut(*caller), callers.get_mut(*callee)) {
                down.push(*callee);
                up.push(*caller);
            }
        }
        callers.iter_mut().for_each(|list| list.sort_unstable());
        let mut graph = Self { callees, callers, hops: vec![None; count] };
        if let Some(paged) = case.symptom.as_ref().and_then(|symptom| symptom.node) {
            graph.hops = graph.hops_down(paged);
        }
        graph
    }

    /// Calls down from `from` to every node.
    #[must_use]
    pub fn hops_down(&self, from: NodeId) -> Vec<Option<u32>> {
        Self::walk(&self.callees, from)
    }

    /// Calls from every node down to `to`.
    #[must_use]
    pub fn hops_up(&self, to: NodeId) -> Vec<Option<u32>> {
        Self::walk(&self.callers, to)
    }

    fn walk(next: &[Vec<NodeId>], from: NodeId) -> Vec<Option<u32>> {
        let mut hops = vec![None; next.len()];
        let mut queue = VecDeque::from([(from, 0_u32)]);
        while let Some((here, count)) = queue.pop_front() {
            match hops.get_mut(here) {
                Some(cell @ None) => *cell = Some(count),
                _ => continue,
            }
            queue.extend(next.get(here).into_iter().flatten().map(|node| (*node, count + 1)));
        }
        hops
    }

    /// What a node calls.
    #[must_use]
    pub fn callees(&self, node: NodeId) -> &[NodeId] {
        self.callees.get(node).map_or(&[], Vec::as_slice)
    }

    /// Who calls a node.
    #[must_use]
    pub fn callers(&self, node: NodeId) -> &[NodeId] {
        self.callers.get(node).map_or(&[], Vec::as_slice)
    }

    /// Who reaches `to` along at most `hops_max` calls, with how many; without itself.
    #[must_use]
    pub fn dependents(&self, to: NodeId, hops_max: usize) -> BTreeMap<NodeId, u32> {
        let hops = self.hops_up(to).into_iter().enumerate();
        let near = |hops: &u32| *hops > 0 && usize::try_from(*hops).is_ok_and(|hops| hops <= hops_max);
        hops.filter_map(|(node, hops)| Some((node, hops.filter(near)?))).collect()
    }

    /// The shortest chain of calls from `from` down to `to`, both included; of equals the one whose first callee comes first.
    #[must_use]
    pub fn path_down(&self, from: NodeId, to: NodeId) -> Option<Vec<NodeId>> {
        let up = self.hops_up(to);
        let left = |node: NodeId| up.get(node).copied().flatten();
        let mut path = vec![from];
        let (mut here, mut hops) = (from, left(from)?);
        while hops > 0 {
            hops -= 1;
            here = self.callees(here).iter().copied().find(|callee| left(*callee) == Some(hops))?;
            path.push(here);
        }
        Some(path)
    }
}
