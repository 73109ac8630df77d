//! From an alert's labels to a face: which places it names and what tells it apart beside them.

use super::casebook::Casebook;
use super::face::{Face, kind_of};

const SERVICE: [&str; 7] =
    ["service", "service_name", "app", "app_kubernetes_io_name", "application", "component", "microservice"];
const POD: [&str; 3] = ["pod", "pod_name", "kubernetes_pod_name"];
const NODE: [&str; 5] = ["node", "host", "hostname", "kubernetes_node", "nodename"];
/// A service that the alert's own one calls.
const CALLEE: [&str; 8] =
    ["destination", "destination_service", "upstream", "dst", "callee", "peer_service", "target_service", "dependency"];
/// A service that calls the alert's own one.
const CALLER: [&str; 6] = ["caller", "source_service", "src", "client_service", "downstream", "calling_service"];
/// Labels that say where or how grave, not what.
const BESIDE: [&str; 15] = [
    "alertname",
    "severity",
    "cluster",
    "namespace",
    "job",
    "instance",
    "prometheus",
    "replica",
    "alertgroup",
    "team",
    "region",
    "env",
    "environment",
    "container",
    "endpoint",
];

/// The face of an alert with this name and these labels; `service` where it is known otherwise.
pub fn read<'a, L>(book: &mut Casebook, name: &str, service: Option<&str>, labels: L) -> Face
where
    L: Iterator<Item = (&'a str, &'a str)> + Clone,
{
    let find = |keys: &[&str]| keys.iter().find_map(|key| value_of(labels.clone(), key));
    let named = service.or_else(|| find(&SERVICE));
    let address = find(&["instance"]).map(without_port);
    let node_name = find(&NODE).or_else(|| address.filter(|address| book.places.nodes.get(address).is_some()));
    let pod_name = find(&POD).or_else(|| address.filter(|address| book.places.pods.get(address).is_some()));
    let is_placed = named.is_some() || node_name.is_some() || pod_name.is_some();
    // Exporters are jobs too: a job is a service only where nothing else says where it is.
    let named = named.or_else(|| if is_placed { None } else { find(&["job"]) });

    let places = &mut book.places;
    let mut service = named.map(|name| places.service(name));
    let mut node = node_name.map(|name| places.node(name));
    let pod = pod_name.map(|name| places.pod(name, service, node));
    if let Some(pod) = pod {
        service = service.or(places.pod_service[pod as usize]);
        node = node.or(places.pod_node[pod as usize]);
    }
    let peer = find(&CALLEE).map(|name| places.service(name));
    if let (Some(caller), Some(callee)) = (service, peer) {
        places.edge(caller, callee);
    }
    if let (Some(caller), Some(callee)) = (find(&CALLER).map(|name| places.service(name)), service) {
        places.edge(caller, callee);
    }
    let mut said = name.to_owned();
    for (key, value) in labels {
        if !is_beside(key) && value.parse::<f64>().is_err() {
            said.push(' ');
            said.push_str(value);
        }
    }
    let kind = kind_of(name, &said[name.len()..]);
    let name = book.whats.id(name);
    Face { what: book.whats.id(&said), name, kind, service, pod, node, peer }
}

fn value_of<'a>(mut labels: impl Iterator<Item = (&'a str, &'a str)>, key: &str) -> Option<&'a str> {
    labels.find(|(name, value)| *name == key && !value.is_empty()).map(|(_, value)| value)
}

fn is_beside(key: &str) -> bool {
    [&SERVICE[..], &POD[..], &NODE[..], &CALLEE[..], &CALLER[..], &BESIDE[..]].iter().any(|keys| keys.contains(&key))
}

fn without_port(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::correlate::evidence::face::Kind;

    fn of(book: &mut Casebook, name: &str, labels: &[(&str, &str)]) -> Face {
        read(book, name, None, labels.iter().copied())
    }

    #[test]
    fn places_are_read_and_remembered() {
        let mut book = Casebook::default();
        let pod = of(&mut book, "PodNotReady", &[("service", "cart"), ("pod", "cart-1"), ("node", "n1")]);
        assert_eq!((pod.service, pod.pod, pod.node), (Some(0), Some(0), Some(0)));
        let again = of(&mut book, "ContainerOOMKilled", &[("pod", "cart-1")]);
        assert_eq!((again.service, again.node, again.kind), (Some(0), Some(0), Kind::Cause), "known from the pod");
        let node = of(&mut book, "NodeDiskFull", &[("instance", "n1:9100"), ("job", "node-exporter")]);
        assert_eq!((node.service, node.node), (None, Some(0)), "an address with a port is a node that is known");
        let job = of(&mut book, "Down", &[("job", "mail"), ("instance", "10.0.0.7:80")]);
        assert_eq!(job.service.map(|id| book.places.services.name(id).to_owned()), Some("mail".to_owned()));
    }

    #[test]
    fn calls_are_read_in_their_direction() {
        let mut book = Casebook::default();
        let out = of(&mut book, "UpstreamTimeouts", &[("service", "cart"), ("destination", "db")]);
        of(&mut book, "TraceAnomaly", &[("service", "cart"), ("caller", "web")]);
        let id = |name: &str| book.places.services.get(name).unwrap();
        assert_eq!(out.peer, Some(id("db")));
        assert_eq!(book.places.callees[id("cart") as usize], [id("db")]);
        assert_eq!(book.places.callers[id("cart") as usize], [id("web")]);
    }

    #[test]
    fn what_is_said_leaves_out_places_and_figures() {
        let mut book = Casebook::default();
        let a = of(&mut book, "MetricAnomaly", &[("service", "a"), ("signal", "cpu"), ("value", "7")]);
        let b = of(&mut book, "MetricAnomaly", &[("service", "b"), ("signal", "cpu"), ("value", "9")]);
        let c = of(&mut book, "MetricAnomaly", &[("service", "b"), ("signal", "latency")]);
        assert_eq!(a.what, b.what);
        assert_ne!(b.what, c.what);
        assert_eq!((a.kind, c.kind), (Kind::Strain, Kind::Symptom));
    }
}
