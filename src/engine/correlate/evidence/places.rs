//! The places symptoms come from and how failures travel between them: services call services, pods run on nodes,
//! nodes stand in zones. Names are numbered once, everything after that is arithmetic on numbers.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::face::Face;
use crate::engine::limits::GROUPING_NAMES_MAX;

/// Marks a service that a failure does not reach along calls.
pub const FAR: u8 = u8::MAX;

/// Names in order of first use, and their numbers. They are bounded: the last number stands for everything beyond.
#[derive(Debug)]
pub struct Names {
    ids: FxHashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
    max: usize,
    over_count: u64,
}

impl Default for Names {
    fn default() -> Self {
        Self::bounded(GROUPING_NAMES_MAX)
    }
}

impl Names {
    /// At most so many, the one for everything beyond among them.
    fn bounded(max: usize) -> Self {
        Self { ids: FxHashMap::default(), names: Vec::new(), max: max.max(1), over_count: 0 }
    }

    /// The number of `name`, new or known.
    pub fn id(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let last = u32::try_from(self.max - 1).unwrap_or(u32::MAX);
        let id = u32::try_from(self.names.len()).unwrap_or(u32::MAX).min(last);
        if id == last {
            self.over_count += 1;
            self.names.resize_with(self.max, || Arc::from("(others)"));
            return last;
        }
        let name: Arc<str> = Arc::from(name);
        self.names.push(name.clone());
        self.ids.insert(name, id);
        id
    }

    /// True for the number of everything beyond what is told apart.
    pub fn is_beyond(&self, id: u32) -> bool {
        id as usize + 1 == self.max
    }

    /// How often a name was asked for that is not told apart.
    pub fn over_count(&self) -> u64 {
        self.over_count
    }

    /// The number of `name` where it is known.
    pub fn get(&self, name: &str) -> Option<u32> {
        self.ids.get(name).copied()
    }

    /// The name with this number.
    pub fn name(&self, id: u32) -> &str {
        self.names.get(id as usize).map_or("", AsRef::as_ref)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }
}

/// What an incident is suspected to have come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Root {
    /// One service; its callers suffer.
    Service(u32),
    /// One node; what runs there and whoever calls that suffers.
    Node(u32),
    /// All nodes of a zone.
    Zone(u32),
    /// One and the same complaint of many services at once.
    Common(u32),
    /// No place: things that began together.
    Burst,
}

/// The graph of places, as far as it is known; grows while symptoms name new ones.
#[derive(Debug, Default)]
pub struct Places {
    pub(crate) services: Names,
    pub(crate) pods: Names,
    pub(crate) nodes: Names,
    pub(crate) zones: Names,
    pub(crate) callers: Vec<Vec<u32>>,
    pub(crate) callees: Vec<Vec<u32>>,
    pub(crate) pod_service: Vec<Option<u32>>,
    pub(crate) pod_node: Vec<Option<u32>>,
    pub(crate) node_zone: Vec<Option<u32>>,
    pub(crate) pods_on: Vec<Vec<u32>>,
    pub(crate) pods_of: Vec<Vec<u32>>,
    /// Counts every change of the graph, so that what was derived from it can be told to be old.
    pub(crate) revision: u64,
}

impl Places {
    /// The number of a service.
    pub fn service(&mut self, name: &str) -> u32 {
        let id = self.services.id(name);
        while self.callers.len() <= id as usize {
            self.callers.push(Vec::new());
            self.callees.push(Vec::new());
            self.pods_of.push(Vec::new());
            self.revision += 1;
        }
        id
    }

    /// The number of a node.
    pub fn node(&mut self, name: &str) -> u32 {
        let id = self.nodes.id(name);
        while self.node_zone.len() <= id as usize {
            self.node_zone.push(None);
            self.pods_on.push(Vec::new());
            self.revision += 1;
        }
        id
    }

    /// The number of a pod; what is said of it first stays.
    pub fn pod(&mut self, name: &str, service: Option<u32>, node: Option<u32>) -> u32 {
        let id = self.pods.id(name);
        let at = id as usize;
        let is_one = !self.pods.is_beyond(id);
        let service = service.filter(|id| is_one && !self.services.is_beyond(*id));
        let node = node.filter(|id| is_one && !self.nodes.is_beyond(*id));
        while self.pod_service.len() <= at {
            self.pod_service.push(None);
            self.pod_node.push(None);
            self.revision += 1;
        }
        if let (None, Some(service)) = (self.pod_service[at], service) {
            self.pod_service[at] = Some(service);
            self.pods_of[service as usize].push(id);
            self.revision += 1;
        }
        if let (None, Some(node)) = (self.pod_node[at], node) {
            self.pod_node[at] = Some(node);
            self.pods_on[node as usize].push(id);
            self.revision += 1;
        }
        id
    }

    /// Puts a node into a zone.
    pub fn zone(&mut self, node: u32, name: &str) {
        let zone = self.zones.id(name);
        if self.nodes.is_beyond(node) || self.zones.is_beyond(zone) {
            return;
        }
        self.node_zone[node as usize] = Some(zone);
        self.revision += 1;
    }

    /// Notes that `caller` calls `callee`.
    pub fn edge(&mut self, caller: u32, callee: u32) {
        let is_beyond = self.services.is_beyond(caller) || self.services.is_beyond(callee);
        if caller != callee && !is_beyond && !self.callees[caller as usize].contains(&callee) {
            self.callees[caller as usize].push(callee);
            self.callers[callee as usize].push(caller);
            self.revision += 1;
        }
    }

    /// Leaves out of `face` the places that are not told apart.
    pub fn told_apart(&self, mut face: Face) -> Face {
        face.service = face.service.filter(|id| !self.services.is_beyond(*id));
        face.peer = face.peer.filter(|id| !self.services.is_beyond(*id));
        face.pod = face.pod.filter(|id| !self.pods.is_beyond(*id));
        face.node = face.node.filter(|id| !self.nodes.is_beyond(*id));
        face
    }

    /// How often a place was named that is not told apart.
    pub fn over_count(&self) -> u64 {
        [&self.services, &self.pods, &self.nodes, &self.zones].into_iter().map(Names::over_count).sum()
    }

    /// The nodes that fail with `root`.
    pub fn nodes_of(&self, root: Root) -> Vec<u32> {
        match root {
            Root::Node(node) => vec![node],
            Root::Zone(zone) => {
                (0u32..).zip(&self.node_zone).filter(|(_, of)| **of == Some(zone)).map(|(id, _)| id).collect()
            }
            Root::Service(_) | Root::Common(_) | Root::Burst => Vec::new(),
        }
    }

    /// The services that fail first.
    pub fn seeds(&self, root: Root) -> Vec<u32> {
        match root {
            Root::Service(service) => vec![service],
            Root::Node(_) | Root::Zone(_) => {
                let pods = self.nodes_of(root).into_iter().flat_map(|node| &self.pods_on[node as usize]);
                pods.filter_map(|pod| self.pod_service[*pod as usize]).collect()
            }
            Root::Common(_) | Root::Burst => Vec::new(),
        }
    }

    /// Steps along calls from every service to the nearest of `seeds`; [`FAR`] where there is no way.
    pub fn hops(&self, seeds: &[u32]) -> Vec<u8> {
        let mut hops = vec![FAR; self.callers.len()];
        let mut queue: Vec<u32> = Vec::new();
        for seed in seeds {
            if hops[*seed as usize] == FAR {
                hops[*seed as usize] = 0;
                queue.push(*seed);
            }
        }
        let mut at = 0;
        while let Some(&here) = queue.get(at) {
            at += 1;
            let next = (hops[here as usize] + 1).min(FAR - 1);
            for caller in &self.callers[here as usize] {
                if hops[*caller as usize] == FAR {
                    hops[*caller as usize] = next;
                    queue.push(*caller);
                }
            }
        }
        hops
    }

    /// Everything `service` depends on within `steps` calls, itself included.
    pub fn below(&self, service: u32, steps: usize) -> Vec<u32> {
        let mut found = vec![service];
        let mut from = 0;
        for _ in 0..steps {
            let until = found.len();
            for at in from..until {
                for callee in &self.callees[found[at] as usize] {
                    if !found.contains(callee) {
                        found.push(*callee);
                    }
                }
            }
            from = until;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::correlate::evidence::face::Kind;

    fn bounded(max: usize) -> Places {
        let names = || Names::bounded(max);
        Places { services: names(), pods: names(), nodes: names(), zones: names(), ..Places::default() }
    }

    #[test]
    fn names_beyond_the_bound_share_a_number_and_are_counted() {
        let mut names = Names::bounded(3);
        let ids: Vec<u32> = ["a", "b", "c", "d", "a", "c"].into_iter().map(|name| names.id(name)).collect();
        assert_eq!(ids, [0, 1, 2, 2, 0, 2]);
        assert_eq!((names.count(), names.over_count(), names.is_beyond(1), names.is_beyond(2)), (3, 3, false, true));
        assert_eq!((names.name(1), names.get("c")), ("b", None));
    }

    #[test]
    fn what_is_not_told_apart_links_nothing() {
        let mut places = bounded(3);
        let ids: Vec<u32> = ["web", "shop", "cart", "bank"].into_iter().map(|name| places.service(name)).collect();
        for callee in &ids[1..] {
            places.edge(ids[0], *callee);
        }
        assert_eq!(places.callees[0], [1], "cart and bank are one number and no way leads there");
        let pod = places.pod("cart-1", Some(ids[2]), None);
        assert_eq!(places.pod_service[pod as usize], None);
        let face =
            Face { what: 0, name: 0, kind: Kind::Cause, service: Some(ids[3]), pod: Some(pod), node: None, peer: None };
        let face = places.told_apart(face);
        assert_eq!((face.service, face.pod), (None, Some(pod)));
        assert_eq!(places.over_count(), 2);
    }

    #[test]
    fn memory_is_bounded_whatever_is_named() {
        let mut places = bounded(50);
        for nth in 0..5_000 {
            let (service, node) = (places.service(&format!("service-{nth}")), places.node(&format!("node-{nth}")));
            places.pod(&format!("pod-{nth}"), Some(service), Some(node));
            places.zone(node, &format!("zone-{nth}"));
            places.edge(service, nth % 50);
        }
        assert!(places.callers.len() <= 50 && places.pod_node.len() <= 50 && places.node_zone.len() <= 50);
        assert!(places.pods_of.iter().chain(&places.pods_on).map(Vec::len).sum::<usize>() <= 100);
    }
}
