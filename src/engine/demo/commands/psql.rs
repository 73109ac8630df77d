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
        if sql.contains("pg_terminate_backend") {
            self.end_sessions(database, call)
        } else if sql.contains("pg_cancel_backend") {
            self.cancel_queries(database, call)
        } else if sql.contains("create index") || sql.contains("reindex") {
            self.create_index(database, call)
        } else if sql.contains("alter system") || sql.contains("pg_reload_conf") {
            self.alter_system(database, call)
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

    fn activity(&self, database: usize) -> Executed {
        let node = &self.model.nodes[database];
        let mut rows = vec![["client", "state", "connections"].map(str::to_owned).to_vec()];
        for client in self.model.nodes.iter().filter(|node| node.pool_database == Some(database)) {
            let open = client.figures.connections * client.spec.connections_max * client.scale;
            let leaked = client.stocks.connections;
            let mut push = |state: &str, count: f64| {
                rows.push(vec![client.spec.name.to_owned(), state.to_owned(), format!("{count:.0}")]);
            };
            push("active or idle", (open - leaked).max(0.0));
            if leaked >= 1.0 {
                push("idle in transaction", leaked);
            }
        }
        let share = node.figures.connections * 100.0;
        let long = self.long_queries(database);
        let total =
            format!("{share:.0} % of {} connections used, {long} queries run for long", node.spec.connections_max);
        Executed::done(table(&rows).into_iter().chain([total]), 90)
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

    fn create_index(&mut self, database: usize, call: &Call<'_>) -> Executed {
        if call.is_dry_run {
            return Executed::done(["CREATE INDEX (dry run)".to_owned()], 70);
        }
        self.mend(&Mend::RestoreIndex(database), call.now);
        Executed::done(["CREATE INDEX".to_owned()], 9_000)
    }

    fn alter_system(&mut self, database: usize, call: &Call<'_>) -> Executed {
        if call.is_dry_run {
            return Executed::done(["ALTER SYSTEM (dry run)".to_owned()], 60);
        }
        self.mend(&Mend::RevertConfig(database), call.now);
        Executed::done(["ALTER SYSTEM".to_owned()], 120)
    }
}

/// The database that the command names, wherever in its words: itself, or the one that the named service uses.
fn database(call: &Call<'_>) -> Option<usize> {
    let named = |word: &str| {
        let at = layout::position(word)?;
        if layout::NODES[at].kind == NodeKind::Database { Some(at) } else { layout::pool_database(&layout::NODES[at]) }
    };
    let host = call.flag(&["-h", "--host"]).and_then(named);
    let parts = |word: &str| word.split(['/', '@', ':', '=', ' ']).find_map(named);
    host.or_else(|| call.arguments().filter(|word| !word.to_ascii_lowercase().contains("select")).find_map(parts))
}
