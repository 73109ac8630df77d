//! What can be wrong with the shop. A fault changes parameters of the model, never a figure that is measured: symptoms
//! come out of the model, wherever they spread to.

use super::layout;
use crate::engine::clock::Timestamp;

/// One thing that is wrong; nodes by their position in [`layout::NODES`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    /// A share of a node's own requests fails: a bug in what it runs.
    Errors { node: usize, ratio: f64 },
    /// A node takes this many times as long for each request: it waits for locks and for its disk.
    Slower { node: usize, times: f64 },
    /// Memory that is never given back, as a share of the limit an hour.
    MemoryLeak { node: usize, per_hour: f64 },
    /// Connections of a node's pool that are never given back, a second.
    ConnectionLeak { node: usize, per_second: f64 },
    /// Nothing gets through from one node to another.
    CutOff { caller: usize, callee: usize },
    /// One node gives up on another one after this long, in milliseconds.
    ShortTimeout { caller: usize, callee: usize, timeout_ms: f64 },
    /// Further writing to a node's disk, as a share of it an hour.
    DiskWrites { node: usize, per_hour: f64 },
    /// A node does not run.
    Down { node: usize },
    /// Requests that come from outside the calls, a second: a batch job, a report.
    ExtraLoad { node: usize, per_second: f64 },
    /// A node stops taking work off the queue.
    IdleConsumer { node: usize },
}

/// What can be done to the shop from outside; a fault ends when one of its mends is done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mend {
    /// The version before the present one runs again.
    Rollback(usize),
    /// Every instance starts afresh.
    Restart(usize),
    /// The configuration before the present one holds again.
    RevertConfig(usize),
    /// A network policy of this name is taken away or put back to what it was.
    DropPolicy(&'static str),
    /// Queries that run for long are cancelled.
    CancelQueries(usize),
    /// Sessions that hold a connection and do nothing are ended.
    EndIdleSessions(usize),
    /// Logs are rotated and old ones deleted.
    CleanDisk(usize),
    /// This many times the usual instances.
    ScaleOut(usize, f64),
}

/// A fault that holds, from when, and what ends it.
#[derive(Debug, Clone)]
pub(super) struct ActiveFault {
    /// What is wrong.
    pub fault: Fault,
    /// When it began.
    pub begun_at: Timestamp,
    /// How long it takes to come and to go, in milliseconds: a rollout reaches one instance after another.
    pub ramp_ms: i64,
    /// What ends it.
    pub mended_by: Vec<Mend>,
    /// When it began to go.
    pub mended_at: Option<Timestamp>,
}

impl ActiveFault {
    /// How much of it holds at an instant, 0 to 1.
    pub fn share(&self, at: Timestamp) -> f64 {
        let ramp = |since: Timestamp| (at.since_ms(since) as f64 / self.ramp_ms.max(1) as f64).clamp(0.0, 1.0);
        let gone = self.mended_at.map_or(0.0, ramp);
        (ramp(self.begun_at) - gone).max(0.0)
    }

    /// True once nothing of it is left.
    pub fn is_over(&self, at: Timestamp) -> bool {
        self.mended_at.is_some_and(|mended_at| at.since_ms(mended_at) >= self.ramp_ms)
    }
}

/// What the faults of an instant come to, for one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Effects {
    /// Share of its own requests that fails.
    pub errors: f64,
    /// Times as long for a request; 1.0 is as usual.
    pub slowness: f64,
    /// See [`Fault::MemoryLeak`].
    pub leak_per_hour: f64,
    /// See [`Fault::ConnectionLeak`].
    pub connection_leak_per_second: f64,
    /// Callees that nothing gets through to, with the share of calls that is lost.
    pub cut_off: Vec<(usize, f64)>,
    /// Callees that it gives up on early: which, after how long, and on what share of its instances.
    pub timeouts: Vec<(usize, f64, f64)>,
    /// See [`Fault::DiskWrites`].
    pub writes_per_hour: f64,
    /// See [`Fault::ExtraLoad`].
    pub extra_per_second: f64,
    /// See [`Fault::Down`].
    pub is_down: bool,
    /// Share of its consumers that stands still.
    pub idle_share: f64,
}

/// Adds the faults of an instant up, node by node.
pub(super) fn effects(faults: &[ActiveFault], at: Timestamp) -> Vec<Effects> {
    let mut sum = vec![Effects { slowness: 1.0, ..Effects::default() }; layout::NODES.len()];
    for active in faults {
        let share = active.share(at);
        if share > 0.0 {
            add(&mut sum, active.fault, share);
        }
    }
    sum
}

fn add(sum: &mut [Effects], fault: Fault, share: f64) {
    match fault {
        Fault::Errors { node, ratio } => sum[node].errors = 1.0 - (1.0 - sum[node].errors) * (1.0 - ratio * share),
        Fault::Slower { node, times } => sum[node].slowness += (times - 1.0) * share,
        Fault::MemoryLeak { node, per_hour } => sum[node].leak_per_hour += per_hour * share,
        Fault::ConnectionLeak { node, per_second } => sum[node].connection_leak_per_second += per_second * share,
        Fault::CutOff { caller, callee } => sum[caller].cut_off.push((callee, share)),
        Fault::ShortTimeout { caller, callee, timeout_ms } => sum[caller].timeouts.push((callee, timeout_ms, share)),
        Fault::DiskWrites { node, per_hour } => sum[node].writes_per_hour += per_hour * share,
        Fault::ExtraLoad { node, per_second } => sum[node].extra_per_second += per_second * share,
        // A node runs or it does not.
        Fault::Down { node } => sum[node].is_down |= share >= 0.5,
        Fault::IdleConsumer { node } => sum[node].idle_share = sum[node].idle_share.max(share),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_comes_and_goes_along_its_ramp() {
        let mut active = ActiveFault {
            fault: Fault::Errors { node: 0, ratio: 0.4 },
            begun_at: Timestamp(1_000),
            ramp_ms: 1_000,
            mended_by: vec![Mend::Rollback(0)],
            mended_at: None,
        };
        assert_eq!(active.share(Timestamp(1_000)), 0.0);
        assert_eq!(active.share(Timestamp(1_500)), 0.5);
        assert_eq!(active.share(Timestamp(9_000)), 1.0);
        active.mended_at = Some(Timestamp(10_000));
        assert_eq!(active.share(Timestamp(10_750)), 0.25);
        assert!(!active.is_over(Timestamp(10_750)) && active.is_over(Timestamp(11_000)));
    }

    #[test]
    fn faults_of_one_node_add_up_and_leave_the_others_alone() {
        let now =
            |fault| ActiveFault { fault, begun_at: Timestamp(0), ramp_ms: 0, mended_by: Vec::new(), mended_at: None };
        let faults = [
            now(Fault::Errors { node: 1, ratio: 0.5 }),
            now(Fault::Errors { node: 1, ratio: 0.5 }),
            now(Fault::Slower { node: 1, times: 3.0 }),
        ];
        let sum = effects(&faults, Timestamp(5));
        assert_eq!((sum[1].errors, sum[1].slowness), (0.75, 3.0));
        assert_eq!((sum[0].errors, sum[0].slowness), (0.0, 1.0));
    }
}
