//! Edges of the topology seen in metrics: who called whom lately, by a mesh (Istio) or by traces (service graphs).
//!
//! Source of the metrics: <https://istio.io/latest/docs/reference/config/metrics/>,
//! <https://grafana.com/docs/tempo/latest/metrics-from-traces/service_graphs/>.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::http_client::HttpClient;
use super::normalize::sanitize;
use super::prometheus::{answer, ask_now};
use crate::engine::clock::Timestamp;
use crate::engine::limits::LABEL_VALUE_BYTES_MAX;
use crate::engine::model::{EdgeNotice, EdgeOrigin, ServiceName, SourceName};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Edges taken of one answer.
const EDGES_MAX: usize = 50_000;

/// One way to see edges. The labels that name an end are tried in order; a value of `unknown` is none.
#[derive(Debug)]
struct Way {
    set: &'static str,
    needs: &'static str,
    expr: &'static str,
    caller: &'static [&'static str],
    callee: &'static [&'static str],
    is_known: bool,
}

/// Asks one metrics server for edges.
#[derive(Debug)]
pub struct Discovery {
    source: SourceName,
    ways: Vec<Way>,
    looked_at: Option<Instant>,
}

impl Discovery {
    /// For the sets that are chosen (`istio`, `service_graph`); nothing is asked before the metrics are known to exist.
    #[must_use]
    pub fn new(source: SourceName, sets: &[String]) -> Self {
        let ways = [
            Way {
                set: "istio",
                needs: "istio_requests_total",
                expr: "sum by (source_workload, source_canonical_service, destination_workload, \
                       destination_canonical_service) (rate(istio_requests_total{reporter=\"destination\"}[2m])) > 0",
                caller: &["source_workload", "source_canonical_service"],
                callee: &["destination_workload", "destination_canonical_service"],
                is_known: false,
            },
            Way {
                set: "service_graph",
                needs: "traces_service_graph_request_total",
                expr: "sum by (client, server) (rate(traces_service_graph_request_total[2m])) > 0",
                caller: &["client"],
                callee: &["server"],
                is_known: false,
            },
        ];
        let ways = ways.into_iter().filter(|way| sets.iter().any(|set| set == way.set)).collect();
        Self { source, ways, looked_at: None }
    }

    /// Learns which metrics exist.
    pub fn learn(&mut self, exists: impl Fn(&str) -> bool) {
        for way in &mut self.ways {
            way.is_known = exists(way.needs);
        }
    }

    /// The edges on which there were calls at the server's instant `theirs`, stamped with ours; none when it is not time to look again.
    /// What fails is asked again at the next look.
    pub async fn ask(&mut self, client: &HttpClient, theirs: Timestamp, ours: Timestamp) -> Vec<EdgeNotice> {
        let mut edges = Vec::new();
        if self.looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return edges;
        }
        self.looked_at = Some(Instant::now());
        for way in self.ways.iter().filter(|way| way.is_known) {
            match ask_now(client, way.expr, theirs).await {
                Ok(answer) => edges.extend(self.read(way, &answer.body, ours)),
                Err(error) => tracing::warn!(source = %self.source, %error, "edges could not be asked for"),
            }
        }
        edges
    }

    fn read(&self, way: &Way, body: &[u8], seen_at: Timestamp) -> Vec<EdgeNotice> {
        let told = match answer::read::<answer::Matrix<'_>>(body) {
            Ok(told) => told,
            Err(problem) => {
                tracing::warn!(source = %self.source, problem, "edges could not be read");
                return Vec::new();
            }
        };
        let pairs: BTreeSet<(ServiceName, ServiceName)> = told
            .data
            .result
            .iter()
            .filter(|entry| entry.value.is_some_and(|point| point.value.is_ok_and(|calls| calls > 0.0)))
            .filter_map(|entry| Some((end(&entry.metric, way.caller)?, end(&entry.metric, way.callee)?)))
            .filter(|(caller, callee)| caller != callee)
            .take(EDGES_MAX)
            .collect();
        pairs
            .into_iter()
            .map(|(caller, callee)| EdgeNotice {
                source: self.source.clone(),
                caller,
                callee,
                origin: EdgeOrigin::Discovered,
                seen_at,
            })
            .collect()
    }
}

fn end(metric: &answer::Pairs<'_>, names: &[&str]) -> Option<ServiceName> {
    names.iter().find_map(|name| {
        let (_, value) = metric.0.iter().find(|(label, _)| label.0 == *name)?;
        let value = value.0.trim();
        (!value.is_empty() && value != "unknown").then(|| ServiceName::from(sanitize(value, LABEL_VALUE_BYTES_MAX)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(set: &str, result: &str) -> Vec<(String, String)> {
        let discovery = Discovery::new("prom".into(), &[set.to_owned()]);
        let body = format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{result}}}}}"#);
        discovery
            .read(&discovery.ways[0], body.as_bytes(), Timestamp(7))
            .into_iter()
            .map(|edge| (edge.caller.to_string(), edge.callee.to_string()))
            .collect()
    }

    #[test]
    fn istio_names_ends_by_workload_and_else_by_canonical_service() {
        let found = edges(
            "istio",
            r#"[{"metric":{"source_workload":"web","destination_workload":"cart"},"value":[1,"2.5"]},
                {"metric":{"source_workload":"unknown","source_canonical_service":"edge","destination_workload":"web"},"value":[1,"1"]},
                {"metric":{"source_workload":"unknown","destination_workload":"web"},"value":[1,"1"]},
                {"metric":{"source_workload":"web","destination_workload":"idle"},"value":[1,"0"]},
                {"metric":{"source_workload":"web","destination_workload":"broken"},"value":[1,"NaN"]},
                {"metric":{"source_workload":"web","destination_workload":"web"},"value":[1,"1"]}]"#,
        );
        assert_eq!(found, [("edge".to_owned(), "web".to_owned()), ("web".to_owned(), "cart".to_owned())]);
    }

    #[test]
    fn service_graphs_name_client_and_server() {
        let found =
            edges("service_graph", "[{\"metric\":{\"client\":\"web\\u001b\",\"server\":\"db\"},\"value\":[1,\"1\"]}]");
        assert_eq!(found, [("web␛".to_owned(), "db".to_owned())]);
    }

    #[test]
    fn what_is_no_answer_gives_no_edges() {
        let discovery = Discovery::new("prom".into(), &["istio".to_owned()]);
        assert!(discovery.read(&discovery.ways[0], b"<html>", Timestamp(0)).is_empty());
        assert!(Discovery::new("prom".into(), &["red".to_owned()]).ways.is_empty());
    }
}
