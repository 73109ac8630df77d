//! What one input leads to, gathered while the stages run: records to keep and jobs to do, in a safe order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::act::policy::ApprovedStep;
use crate::engine::clock::Timestamp;
use crate::engine::input::{AssetLook, KillWord, NeedAsked, RequestId};
use crate::engine::job::{Job, Record};
use crate::engine::model::{DeliveryAttempt, LeftOver, RolloutId, Run, RunId};
use crate::engine::patches::exceptions::PatchException;
use crate::engine::patches::rollout::KeptRollout;
use crate::engine::request::Reply;

/// The gathering of one input's consequences.
pub(super) struct Turn {
    /// The instant of the input.
    pub now: Timestamp,
    durable: Vec<Record>,
    later: Vec<Record>,
    acts: Vec<Act>,
    kill: Option<KillWord>,
    /// Kept as they are at the end of the turn.
    rollouts: BTreeSet<RolloutId>,
    /// The same, and whether it must be on disk before what the turn begins.
    runs: BTreeMap<RunId, (Run, bool)>,
    looks: Vec<Job>,
    deliveries: Vec<DeliveryAttempt>,
    reply: Option<(RequestId, Reply)>,
}

/// What is to be begun or stopped.
enum Act {
    Execute(ApprovedStep),
    Cancel { run: RunId, step: usize },
    EndLeftOver(LeftOver),
}

impl Turn {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now,
            durable: Vec::new(),
            later: Vec::new(),
            acts: Vec::new(),
            kill: None,
            rollouts: BTreeSet::new(),
            runs: BTreeMap::new(),
            looks: Vec::new(),
            deliveries: Vec::new(),
            reply: None,
        }
    }

    /// Must be on disk before the act or the reply of this turn.
    pub(super) fn keep(&mut self, record: Record) {
        self.durable.push(record);
    }

    /// Worth keeping; its loss costs recomputation only.
    pub(super) fn keep_later(&mut self, record: Record) {
        self.later.push(record);
    }

    pub(super) fn execute(&mut self, step: ApprovedStep) {
        self.acts.push(Act::Execute(step));
    }

    pub(super) fn cancel(&mut self, run: RunId, step: usize) {
        self.acts.push(Act::Cancel { run, step });
    }

    /// What was begun, and may still run without anybody watching it, is to end.
    pub(super) fn end_left_over(&mut self, run: &Run) {
        self.acts.extend(run.left_over().map(Act::EndLeftOver));
    }

    /// Must be on disk before the acts of this turn; only its last state is written.
    pub(super) fn keep_rollout(&mut self, id: RolloutId) {
        self.rollouts.insert(id);
    }

    /// Only its last state is written: an older one, written when convenient, would come after the newer and hide that
    /// something was begun.
    pub(super) fn keep_run(&mut self, run: &Run, is_durable: bool) {
        let kept = self.runs.entry(run.id).or_insert_with(|| (run.clone(), is_durable));
        *kept = (run.clone(), kept.1 || is_durable);
    }

    pub(super) fn find_need(&mut self, asked: NeedAsked, exceptions: Vec<Arc<PatchException>>) {
        self.looks.push(Job::FindNeed { asked, exceptions });
    }

    pub(super) fn look_at_asset(&mut self, look: AssetLook) {
        self.looks.push(Job::LookAtAsset(look));
    }

    pub(super) fn watch_closely(&mut self, until: Timestamp, every_ms: i64) {
        self.looks.push(Job::WatchClosely { until, every_ms });
    }

    /// The kill switch was pulled, or taken off.
    pub(super) fn tell_kill(&mut self, kill: KillWord) {
        self.kill = Some(kill);
    }

    /// Told once the records of this turn are on disk.
    pub(super) fn deliver(&mut self, attempts: Vec<DeliveryAttempt>) {
        self.deliveries.extend(attempts);
    }

    pub(super) fn reply(&mut self, id: RequestId, reply: Reply) {
        self.reply = Some((id, reply));
    }

    /// The kill switch first, for it must not wait for a disk; then records, then acts, then the answer: nobody is told
    /// "done" before it is on disk. That the switch is off is told after the records: what is not kept is not so. `rollouts` are those that are known at the end.
    pub(super) fn into_jobs(mut self, rollouts: &BTreeMap<RolloutId, Arc<KeptRollout>>) -> Vec<Job> {
        let (durable, later): (Vec<_>, Vec<_>) = self.runs.into_values().partition(|(_, is_durable)| *is_durable);
        self.durable.extend(durable.into_iter().map(|(run, _)| Record::Run(run)));
        self.later.extend(later.into_iter().map(|(run, _)| Record::Run(run)));
        let kept = self.rollouts.iter().filter_map(|id| rollouts.get(id));
        self.durable.extend(kept.map(|kept| Record::Rollout(Arc::clone(kept))));
        let mut jobs = Vec::new();
        let (on, off): (Vec<_>, Vec<_>) = self.kill.into_iter().partition(|word| matches!(word, KillWord::On { .. }));
        jobs.extend(on.into_iter().map(Job::Kill));
        let (stops, begins): (Vec<Act>, Vec<Act>) =
            self.acts.into_iter().partition(|act| !matches!(act, Act::Execute(_)));
        // Stopping what runs needs no record first.
        jobs.extend(stops.into_iter().map(Act::into_job));
        if !self.durable.is_empty() {
            jobs.push(Job::Persist(self.durable));
        }
        jobs.extend(off.into_iter().map(Job::Kill));
        jobs.extend(begins.into_iter().map(Act::into_job));
        if let Some((id, reply)) = self.reply {
            jobs.push(Job::Reply { id, reply });
        }
        jobs.extend(self.looks);
        jobs.extend(self.deliveries.into_iter().map(Job::Deliver));
        if !self.later.is_empty() {
            jobs.push(Job::PersistLater(self.later));
        }
        jobs
    }
}

impl Act {
    fn into_job(self) -> Job {
        match self {
            Self::Execute(step) => Job::Execute(step),
            Self::Cancel { run, step } => Job::Cancel { run, step },
            Self::EndLeftOver(left) => Job::EndLeftOver(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::act::walk::tests::approved;
    use crate::engine::settings::RunbookSettings;

    #[test]
    fn stops_come_first_then_records_then_what_begins_then_the_answer() {
        let settings = RunbookSettings { allowed_programs: vec!["echo".to_owned()], ..RunbookSettings::default() };
        let record = || Record::Setting { name: "a".to_owned(), value: "b".to_owned() };
        let mut turn = Turn::new(Timestamp(0));
        turn.reply(RequestId(1), Reply::Done { text: "done".into() });
        turn.execute(approved(&["echo"], 1_000, &settings));
        turn.keep_later(record());
        turn.keep(record());
        turn.cancel(RunId(7), 0);
        turn.tell_kill(KillWord::On { by: "ana".into(), reason: "smoke".into() });
        let jobs = turn.into_jobs(&BTreeMap::new());
        let [
            Job::Kill(_),
            Job::Cancel { .. },
            Job::Persist(_),
            Job::Execute(_),
            Job::Reply { .. },
            Job::PersistLater(_),
        ] = jobs.as_slice()
        else {
            panic!("{jobs:?}");
        };
    }
}
