//! The list of queries of one server: the ready-made ones of the chosen sets, and the operator's own.

use std::collections::BTreeSet;

use super::default_queries::{SETS, ready_made};
use crate::engine::clock::{MINUTE_MS, SECOND_MS};
use crate::engine::ingest::{IngestError, normalize};
use crate::engine::model::{BadWhen, Labels, SeriesRole, ServiceName, Unit};
use crate::engine::settings::{PrometheusSettings, QuerySettings};

/// Labels that tell series of one service apart without being the service or the instance.
const FURTHER_LABELS: [&str; 2] = ["namespace", "cluster"];
/// Scrapes are up to a minute apart, and a rate needs two of them in its window.
const RATE_WINDOW_MS_MIN: i64 = 2 * MINUTE_MS;

/// One query, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Metric name on the screen.
    pub metric: String,
    /// The expression.
    pub expr: String,
    /// Metrics without which it is not sent; none for the operator's own.
    pub needs: &'static [&'static str],
    /// Unit of its values.
    pub unit: Unit,
    /// Which golden signal it is.
    pub role: SeriesRole,
    /// Which direction is bad news.
    pub bad_when: BadWhen,
    /// True where values are far from symmetric.
    pub is_skewed: bool,
    /// The value at which the resource is exhausted.
    pub limit: Option<f64>,
    /// Service of all its series, in place of a label.
    pub service: Option<ServiceName>,
    /// True for a raw counter, of which resets are counted here.
    pub is_counter: bool,
}

/// The queries as configured: the operator's own first, because of two that give the same series the first one wins.
///
/// # Errors
/// When a set is not known, or a query of one's own has no name or expression.
pub fn configured(settings: &PrometheusSettings) -> Result<Vec<Query>, IngestError> {
    let refuse = |key, problem: String| IngestError::Setting { name: settings.name.clone(), key, problem };
    if let Some(unknown) = settings.defaults.iter().find(|set| !SETS.contains(&set.as_str())) {
        return Err(refuse("defaults", format!("there is no set `{unknown}`; the sets are {}", SETS.join(", "))));
    }
    let mut queries = Vec::new();
    for own in &settings.query {
        if own.metric.trim().is_empty() || own.expr.trim().is_empty() {
            return Err(refuse("query", "each one needs a `metric` (its name) and an `expr` (PromQL)".to_owned()));
        }
        queries.push(of_ones_own(own));
    }
    let service_labels = label_list(settings.service_labels.iter().map(String::as_str));
    let instance_labels =
        label_list(settings.service_labels.iter().chain(&settings.instance_labels).map(String::as_str));
    let window = rate_window(settings.interval.0);
    queries.extend(ready_made().into_iter().filter(|made| settings.defaults.iter().any(|set| set == made.set)).map(
        |made| {
            Query {
                metric: made.metric.to_owned(),
                expr: made
                    .expr
                    .replace("{x}", made.needs.first().copied().unwrap_or_default())
                    .replace("{s}", &service_labels)
                    .replace("{i}", &instance_labels)
                    .replace("{w}", &window),
                needs: made.needs,
                unit: made.unit,
                role: made.role,
                bad_when: made.bad_when,
                is_skewed: made.is_skewed,
                limit: made.limit,
                service: None,
                is_counter: false,
            }
        },
    ));
    Ok(queries)
}

fn of_ones_own(own: &QuerySettings) -> Query {
    let unit = if own.unit == Unit::Count { normalize::unit(&own.metric, &Labels::default()) } else { own.unit };
    Query {
        metric: own.metric.clone(),
        expr: own.expr.clone(),
        needs: &[],
        unit,
        role: own.role,
        bad_when: own.bad_when,
        is_skewed: own.is_skewed,
        limit: own.limit,
        service: own.service.as_deref().map(ServiceName::new),
        is_counter: is_bare_counter(&own.expr),
    }
}

/// True for a selector of a counter without any function around it, by the name that counters have.
fn is_bare_counter(expr: &str) -> bool {
    let name = expr.trim().split('{').next().unwrap_or_default().trim();
    name.ends_with("_total") && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

fn label_list<'a>(labels: impl Iterator<Item = &'a str>) -> String {
    let all: BTreeSet<&str> = labels.chain(FURTHER_LABELS).filter(|label| is_label(label)).collect();
    all.into_iter().collect::<Vec<_>>().join(", ")
}

/// True for what PromQL takes as a label in a list; dotted names need quotes that older servers do not know.
fn is_label(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The window of rates: the same for history and live, or the baseline would be of another thing than what is judged by it.
fn rate_window(interval_ms: i64) -> String {
    let ms = interval_ms.saturating_mul(4).max(RATE_WINDOW_MS_MIN);
    format!("{}s", ms / SECOND_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ready_made_query_is_complete_and_balanced() {
        let queries = configured(&PrometheusSettings::default()).unwrap();
        assert!(queries.len() > 60, "{}", queries.len());
        for query in &queries {
            let expr = &query.expr;
            for left_over in ["{x}", "{s}", "{i}", "{w}"] {
                assert!(!expr.contains(left_over), "{}: {expr}", query.metric);
            }
            for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
                assert_eq!(expr.matches(open).count(), expr.matches(close).count(), "{}: {expr}", query.metric);
            }
            assert!(!query.needs.is_empty(), "{}: it would be sent to every server", query.metric);
        }
    }

    #[test]
    fn a_query_of_ones_own_comes_first_and_is_checked() {
        let own = QuerySettings {
            metric: "orders_total".to_owned(),
            expr: "orders_total{env=\"prod\"}".to_owned(),
            unit: Unit::Count,
            role: SeriesRole::Traffic,
            bad_when: BadWhen::Low,
            is_skewed: false,
            limit: None,
            service: Some("orders".to_owned()),
        };
        let mut settings = PrometheusSettings { query: vec![own], ..PrometheusSettings::default() };
        let first = configured(&settings).unwrap().remove(0);
        assert_eq!((first.metric.as_str(), first.is_counter), ("orders_total", true));
        settings.query[0].expr = " ".to_owned();
        assert!(configured(&settings).unwrap_err().to_string().contains("`expr`"));
    }

    #[test]
    fn an_unknown_set_is_an_error_that_names_the_known_ones() {
        let settings = PrometheusSettings { defaults: vec!["golden".to_owned()], ..PrometheusSettings::default() };
        assert!(configured(&settings).unwrap_err().to_string().contains("red, use, service_graph, istio"));
    }

    #[test]
    fn only_bare_counters_are_counters() {
        for (expr, is_counter) in
            [("a_total", true), ("a_total{b=\"c\"}", true), ("rate(a_total[1m])", false), ("a_bytes", false)]
        {
            assert_eq!(is_bare_counter(expr), is_counter, "{expr}");
        }
    }
}
