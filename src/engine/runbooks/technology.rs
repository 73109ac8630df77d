//! What a service is made of, as far as its name, the metrics that depart on it and the labels of its alerts say so.

use crate::engine::world::World;

/// Words that say the same technology: each line begins with the usual one.
const SAME: [&[&str]; 8] = [
    &["postgres", "postgresql", "pg", "pgsql"],
    &["mysql", "mariadb", "percona"],
    &["redis", "valkey"],
    &["mongodb", "mongo"],
    &["kafka"],
    &["rabbitmq", "amqp"],
    &["elasticsearch", "opensearch", "es"],
    &["nginx", "ingress"],
];
/// Labels of alerts that name a technology.
const LABELS: [&str; 5] = ["job", "db_system", "app", "component", "technology"];

/// True where something says that `service` is `tech`; an empty `tech` is anything.
pub(super) fn is(service: &str, tech: &str, world: &World) -> bool {
    if tech.is_empty() {
        return true;
    }
    let own = [tech];
    let same = SAME.into_iter().find(|same| same.contains(&tech)).unwrap_or(&own);
    let says = |text: &str| {
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| same.iter().any(|name| word.eq_ignore_ascii_case(name)))
    };
    // A metric of an exporter begins with the name of what it exports.
    let begins = |metric: &str| metric.split(['_', ':']).next().is_some_and(says);
    says(service)
        || world.anomalies.values().any(|anomaly| anomaly.service.as_str() == service && begins(&anomaly.metric))
        || world.alerts.values().any(|alert| {
            let is_own = alert.notice.service.as_ref().is_some_and(|own| own.as_str() == service);
            is_own && LABELS.iter().filter_map(|label| alert.notice.labels.get(label)).any(says)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::SeriesRole;
    use crate::engine::world::fixtures;

    #[test]
    fn a_service_is_what_its_name_or_its_metrics_say() {
        let mut world = World::default();
        assert!(is("orders", "", &world));
        assert!(is("orders-pg", "postgres", &world) && is("PostgreSQL.orders", "postgres", &world));
        assert!(is("cassandra-1", "cassandra", &world));
        assert!(!is("orders-page", "postgres", &world) && !is("orders", "postgres", &world));
        let anomaly = fixtures::anomaly(1, "orders", "pg_stat_activity_count", SeriesRole::Other, 0);
        world.anomalies.insert(anomaly.id, std::sync::Arc::new(anomaly));
        assert!(is("orders", "postgres", &world));
        assert!(!is("orders", "mysql", &world) && !is("carts", "postgres", &world));
    }
}
