//! `df`, `du`, `logrotate` and `journalctl`, as far as runbooks use them.

use super::super::faults::Mend;
use super::super::layout;
use super::super::shop::Shop;
use super::table::table;
use super::{Call, Executed};

/// Size of every disk of the shop, in GiB.
const DISK_GIB: f64 = 200.0;

impl Shop {
    pub(super) fn disk_free(&self, call: &Call<'_>) -> Executed {
        let wanted = named_disk(call);
        let mut rows = vec![["Filesystem", "Size", "Used", "Avail", "Use%"].map(str::to_owned).to_vec()];
        for (position, node) in self.model.nodes.iter().enumerate() {
            if node.spec.disk_used.is_some() && wanted.is_none_or(|at| at == position) {
                let used = node.figures.disk;
                rows.push(vec![
                    format!("/data/{}", node.spec.name),
                    format!("{DISK_GIB:.0}G"),
                    format!("{:.0}G", DISK_GIB * used),
                    format!("{:.0}G", DISK_GIB * (1.0 - used)),
                    format!("{:.0}%", used * 100.0),
                ]);
            }
        }
        Executed::done(table(&rows), 30)
    }

    pub(super) fn disk_usage(&self, call: &Call<'_>) -> Executed {
        let Some(at) = named_disk(call) else { return no_disk("du") };
        let node = &self.model.nodes[at];
        let logs = DISK_GIB * node.stocks.disk;
        let data = DISK_GIB * node.figures.disk - logs;
        let name = node.spec.name;
        Executed::done([format!("{data:.0}G  /data/{name}/base"), format!("{logs:.0}G  /data/{name}/log")], 900)
    }

    pub(super) fn rotate_logs(&mut self, call: &Call<'_>) -> Executed {
        self.clean(call, "logrotate")
    }

    pub(super) fn journal(&mut self, call: &Call<'_>) -> Executed {
        if call.arguments().any(|word| word.starts_with("--vacuum") || word == "--rotate") {
            return self.clean(call, "journalctl");
        }
        Executed::done(["-- No entries --".to_owned()], 60)
    }

    fn clean(&mut self, call: &Call<'_>, program: &str) -> Executed {
        let Some(at) = named_disk(call) else { return no_disk(program) };
        let freed = DISK_GIB * self.model.nodes[at].stocks.disk;
        let name = layout::NODES[at].name;
        if call.is_dry_run {
            return Executed::done([format!("logs of {name} would be rotated, {freed:.0}G freed (dry run)")], 120);
        }
        self.mend(&Mend::CleanDisk(at), call.now);
        Executed::done([format!("logs of {name} rotated, {freed:.0}G freed")], 2_300)
    }
}

/// The node with a disk that the command names, wherever in its words.
fn named_disk(call: &Call<'_>) -> Option<usize> {
    let has_disk = |at: &usize| layout::NODES[*at].disk_used.is_some();
    let part = |word: &str| layout::position(word).filter(has_disk);
    call.arguments().find_map(|word| word.split(['/', ':', '@', '=']).find_map(part))
}

fn no_disk(program: &str) -> Executed {
    Executed::failed(1, &format!("{program}: name a disk of the shop, such as /data/orders-db"))
}
