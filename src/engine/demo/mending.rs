//! What breaks in the shop, and what is done to it: faults begin, mends end them, a bad version brings its fault back.

use std::sync::Arc;

use super::faults::{ActiveFault, Mend};
use super::shop::Shop;
use crate::engine::clock::Timestamp;

impl Shop {
    /// Something goes wrong from now on.
    pub(super) fn begin(&mut self, active: ActiveFault) {
        for mend in &active.mended_by {
            if let Mend::Rollback(node) = mend {
                self.faulty_versions.push((*node, self.deployments.present(*node).version, active.clone()));
            }
        }
        self.faults.push(active);
    }

    /// An earlier version runs again; what was wrong with the present one goes, and what is wrong with that one comes back.
    pub(super) fn roll_back(&mut self, node: usize, version: &Arc<str>, now: Timestamp) {
        let cause = format!("rolled back from {}", self.deployments.present(node).version);
        self.deployments.roll_out(node, Arc::clone(version), cause.into());
        self.mend(&Mend::Rollback(node), now);
        let of_version = self.faulty_versions.iter().filter(|(at, faulty, _)| *at == node && faulty == version);
        let back: Vec<_> =
            of_version.map(|(_, _, fault)| ActiveFault { begun_at: now, mended_at: None, ..fault.clone() }).collect();
        self.faults.extend(back);
    }

    /// Does one thing to the shop; what was wrong because of its opposite begins to go away.
    pub(super) fn mend(&mut self, mend: &Mend, now: Timestamp) {
        match mend {
            Mend::Restart(node) | Mend::Rollback(node) => self.model.nodes[*node].restarted_at = Some(now),
            Mend::EndIdleSessions(database) => {
                for node in self.model.nodes.iter_mut().filter(|node| node.pool_database == Some(*database)) {
                    node.stocks.connections = 0.0;
                }
            }
            Mend::CleanDisk(node) => self.model.nodes[*node].stocks.disk = 0.0,
            Mend::ScaleOut(node, times) => self.model.nodes[*node].scale = *times,
            Mend::RevertConfig(_) | Mend::DropPolicy(_) | Mend::CancelQueries(_) => {}
        }
        for fault in &mut self.faults {
            if fault.mended_at.is_none() && fault.mended_by.contains(mend) {
                fault.mended_at = Some(now);
            }
        }
    }
}
