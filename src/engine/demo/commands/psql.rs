//! `psql`, as far as runbooks use it: who is connected, what runs for long, ending sessions and queries, an index.

use super::super::faults::Mend;
use super::super::layout::{self, NodeKind};
use super::super::shop::Shop;
use super::table::table;
use super::{Call, Executed};

/// A query that takes this many times as long as usual runs for long.
const LONG_TIMES: f64 = 3.0;

impl Shop {
    pub(super) fn psql(&mut self, call: &Call<'_>) -> Executed {
        let Some(database) = database(call) else {
            return Executed::failed(2, "psql: error: name a database of the shop, such as -h orders-db");
        };
        let Some(sql) = call.flag(&["-c", "--command"]) else {
            return Executed::failed(2, "psql: error: -c with a statement is required");
        };
        let sql = sql.to_ascii_lowercase();
        if sql.contains("string_agg") {
            // Neither backups nor migrations run in the shop.
            Executed::done(["none".to_owned()], 60)
        } else if sql.contains("pg_terminate_backend") {
            self.end_sessions(database, call)
        } else if sql.contains("pg_cancel_backend") {
            self.cancel_queries(database, call)
        } else if sql.contains("pg_stat_activity") && sql.contains("count") {
            self.connections(database)
        } else if sql.contains("pg_stat_activity") {
            self.activity(database)
        } else if sql.contains("pg_stat_statements") {
            self.statements(database)
        } else if sql.starts_with("select") || sql.starts_with("show") {
            Executed::done(["(1 row)".to_owned()], 40)
        } else {
            Executed::failed(1, "ERROR:  the simulated database does not know this statement")
        }
    }

    fn leaked(&self, database: usize) -> f64 {
        let clients = self.model.nodes.iter().filter(|node| node.pool_database == Some(database));
        clients.map(|node| node.stocks.connections).sum()
    }

    fn long_queries(&self, database: usize) -> u32 {
        let node = &self.model.nodes[database];
        let is_long = node.figures.latency_ms > LONG_TIMES * node.usual_latency_ms;
        // By Little's law: as many run at once as arrive in the time that one takes.
        if is_long { (node.figures.load * node.figures.latency_ms / 1_000.0).ceil() as u32 } else { 0 }
    }

    /// Connections by client and state.
    fn connections(&self, database: usize) -> Executed {
        let mut rows = vec![["application_name", "state", "count"].map(str::to_owned).to_vec()];
        for client in self.model.nodes.iter().filter(|node| node.pool_database == Some(database)) {
            let open = client.figures.connections * client.spec.connections_max * client.scale;
            let leaked = client.stocks.connections;
            let mut push = |state: &str, count: f64| {
                rows.push(vec![client.spec.name.to_owned(), state.to_owned(), format!("{count:.0}")]);
            };
            if leaked >= 1.0 {
                push("idle in transaction", leaked);
            }
            push("idle", (open - leaked).max(0.0));
        }
        let node = &self.model.nodes[database];
        let total = format!(
            "{:.0} of {} connections are taken",
            node.figures.connections * node.spec.connections_max,
            node.spec.connections_max
        );
        Executed::done(table(&rows).into_iter().chain([total]), 90)
    }

    /// Statements that run, the longest first.
    fn activity(&self, database: usize) -> Executed {
        let mut rows = vec![["pid", "running", "application_name", "query"].map(str::to_owned).to_vec()];
        let long = self.long_queries(database);
        for place in 0..long.min(6) {
            rows.push(vec![
                (4_100 + place * 7).to_string(),
                format!("00:0{}:{:02}", 5 - place.min(5), 59 - place * 8),
                "report".to_owned(),
                "select * from products p join prices using (product_id) order by margin".to_owned(),
            ]);
        }
        let client = self.model.nodes.iter().find(|node| node.pool_database == Some(database));
        let client = client.map_or("client", |node| node.spec.name).to_owned();
        rows.push(vec!["5200".to_owned(), "00:00:00".to_owned(), client, "select 1".to_owned()]);
        Executed::done(table(&rows), 90)
    }

    fn statements(&self, database: usize) -> Executed {
        let node = &self.model.nodes[database];
        let mean = node.figures.latency_ms;
        Executed::done(
            [format!("mean {mean:.1} ms, usual {:.1} ms, {:.0}/s", node.usual_latency_ms, node.figures.load)],
            80,
        )
    }

    fn end_sessions(&mut self, database: usize, call: &Call<'_>) -> Executed {
        let count = self.leaked(database).round();
        if call.is_dry_run {
            return Executed::done([format!("{count} sessions idle in transaction would be ended (dry run)")], 70);
        }
        self.mend(&Mend::EndIdleSessions(database), call.now);
        Executed::done([format!("{count} sessions ended")], 240)
    }

    fn cancel_queries(&mut self, database: usize, call: &Call<'_>) -> Executed {
        let count = self.long_queries(database);
        if call.is_dry_run {
            return Executed::done([format!("{count} queries would be cancelled (dry run)")], 70);
        }
        self.mend(&Mend::CancelQueries(database), call.now);
        Executed::done([format!("{count} queries cancelled")], 180)
    }
}

/// The database that the command names as its host, or in an address. A service that uses one is none.
fn database(call: &Call<'_>) -> Option<usize> {
    let in_address = || {
        let address = call.flag(&["-d", "--dbname"])?.strip_prefix("postgresql://")?;
        address.split(['/', ':', '?']).next()
    };
    let at = layout::position(call.flag(&["-h", "--host"]).or_else(in_address)?)?;
    (layout::NODES[at].kind == NodeKind::Database).then_some(at)
}
