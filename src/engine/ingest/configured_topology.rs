//! The dependencies that the settings name, told once.

use std::future::Future;
use std::pin::Pin;

use super::{Health, IngestError, SignalSink, Source, StopSignal, normalize, wall_clock};
use crate::engine::limits::LABEL_VALUE_BYTES_MAX;
use crate::engine::model::{EdgeNotice, EdgeOrigin, ServiceName, Signal, SourceKind, SourceName};
use crate::engine::settings::TopologySettings;

/// The name of the source.
pub const NAME: &str = "configuration";

/// Tells the configured edges and ends.
pub struct ConfiguredTopology {
    name: SourceName,
    edges: Vec<(ServiceName, ServiceName)>,
}

impl ConfiguredTopology {
    /// Takes the edges of `settings`.
    ///
    /// # Errors
    /// When an edge names no service.
    pub fn new(settings: &TopologySettings) -> Result<Self, IngestError> {
        let service = |text: &str| {
            let name = normalize::sanitize(text.trim(), LABEL_VALUE_BYTES_MAX);
            if name.is_empty() {
                let problem = "an edge with an empty name; write [\"caller\", \"callee\"]".to_owned();
                return Err(IngestError::Setting { name: NAME.to_owned(), key: "topology.edges", problem });
            }
            Ok(ServiceName::from(name))
        };
        let edges = settings.edges.iter().map(|(caller, callee)| Ok((service(caller)?, service(callee)?)));
        Ok(Self { name: SourceName::new(NAME), edges: edges.collect::<Result<_, _>>()? })
    }
}

impl Source for ConfiguredTopology {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn run(self: Box<Self>, sink: SignalSink, _stop: StopSignal) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let now = wall_clock::now();
            let mut health = Health::new(self.name.clone(), SourceKind::Configuration, "[topology] of the settings");
            health.accept(self.edges.len() as u64);
            for (caller, callee) in self.edges {
                let source = self.name.clone();
                let notice = EdgeNotice { source, caller, callee, origin: EdgeOrigin::Configured, seen_at: now };
                sink.send(Signal::Edge(notice)).await;
            }
            health.healthy(now);
            sink.send(health.signal()).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_edge_is_told_and_the_source_says_that_it_is_well() {
        let edges = vec![("web".to_owned(), "auth".to_owned()), ("auth".to_owned(), "auth-db".to_owned())];
        let source = ConfiguredTopology::new(&TopologySettings { edges, forget_after: None }).unwrap();
        let (sink, mut signals) = SignalSink::bounded(8);
        let (_switch, stop) = StopSignal::pair();
        Box::new(source).run(sink, stop).await;
        let mut told = Vec::new();
        while let Some(signal) = signals.recv().await {
            told.push(signal);
        }
        assert!(
            matches!(&told[0], Signal::Edge(edge) if edge.caller.as_str() == "web" && edge.callee.as_str() == "auth")
        );
        assert!(matches!(&told[2], Signal::Source(report) if report.accepted_count == 2));
    }

    #[test]
    fn an_edge_without_a_name_is_refused() {
        let edges = vec![("web".to_owned(), " ".to_owned())];
        let problem = ConfiguredTopology::new(&TopologySettings { edges, forget_after: None }).err().unwrap();
        assert!(problem.to_string().contains("topology.edges"), "{problem}");
    }
}
