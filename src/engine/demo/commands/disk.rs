//! `df`, and what runbooks run inside a pod to look at a disk and to clear it: `df`, `du`, `logrotate`.

use super::super::faults::Mend;
use super::super::layout;
use super::super::shop::Shop;
use super::table::table;
use super::{Call, Executed};

/// Size of every disk of the shop, in GiB.
const DISK_GIB: f64 = 200.0;

impl Shop {
    /// Every disk, or that of `wanted`.
    pub(super) fn disk_free(&self, wanted: Option<usize>) -> Executed {
        let mut rows = vec![["Filesystem", "Size", "Used", "Avail", "Use%"].map(str::to_owned).to_vec()];
        for (position, node) in self.model.nodes.iter().enumerate() {
            if node.spec.disk_used.is_some() && wanted.is_none_or(|at| at == position) {
                let used = node.figures.disk;
                rows.push(vec![
                    format!("/dev/{}", node.spec.name),
                    format!("{DISK_GIB:.0}G"),
                    format!("{:.0}G", DISK_GIB * used),
                    format!("{:.0}G", DISK_GIB * (1.0 - used)),
                    format!("{:.0}%", used * 100.0),
                ]);
            }
        }
        Executed::done(table(&rows), 30)
    }

    /// A command inside a pod of `node`.
    pub(super) fn in_pod(&mut self, node: usize, inner: &[&str], call: &Call<'_>) -> Executed {
        match inner.first().copied() {
            Some("df") => self.disk_free(Some(node)),
            Some("du") => self.disk_usage(node),
            Some("logrotate") => self.rotate_logs(node, call),
            Some(other) => {
                Executed::failed(127, &format!("{other}: not found in the pod; it has df, du and logrotate"))
            }
            None => Executed::failed(2, "error: you must specify at least one command for the container"),
        }
    }

    fn disk_usage(&self, node: usize) -> Executed {
        let node = &self.model.nodes[node];
        let logs = DISK_GIB * node.stocks.disk;
        let data = DISK_GIB * node.figures.disk - logs;
        let all = data + logs;
        let lines = [format!("{logs:.0}G\t/var/log"), format!("{data:.0}G\t/var/lib"), format!("{all:.0}G\t/var")];
        Executed::done(lines, 900)
    }

    fn rotate_logs(&mut self, node: usize, call: &Call<'_>) -> Executed {
        let freed = DISK_GIB * self.model.nodes[node].stocks.disk;
        let name = layout::NODES[node].name;
        if call.is_dry_run {
            return Executed::done([format!("logs of {name} would be rotated, {freed:.0}G freed (dry run)")], 120);
        }
        self.mend(&Mend::CleanDisk(node), call.now);
        Executed::done([format!("logs of {name} rotated, {freed:.0}G freed")], 2_300)
    }
}
