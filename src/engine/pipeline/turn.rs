//! What one input leads to, gathered while the stages run: records to keep and jobs to do, in a safe order.

use crate::engine::act::policy::ApprovedStep;
use crate::engine::clock::Timestamp;
use crate::engine::input::RequestId;
use crate::engine::job::{Job, Record};
use crate::engine::model::{DeliveryAttempt, RunId};
use crate::engine::request::Reply;

/// The gathering of one input's consequences.
pub(super) struct Turn {
    /// The instant of the input.
    pub now: Timestamp,
    durable: Vec<Record>,
    later: Vec<Record>,
    act: Option<Act>,
    deliveries: Vec<DeliveryAttempt>,
    reply: Option<(RequestId, Reply)>,
}

/// At most one act comes of one input.
enum Act {
    Execute(ApprovedStep),
    Cancel { run: RunId, step: usize },
}

impl Turn {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, durable: Vec::new(), later: Vec::new(), act: None, deliveries: Vec::new(), reply: None }
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
        self.act = Some(Act::Execute(step));
    }

    pub(super) fn cancel(&mut self, run: RunId, step: usize) {
        self.act = Some(Act::Cancel { run, step });
    }

    /// Told once the records of this turn are on disk.
    pub(super) fn deliver(&mut self, attempts: Vec<DeliveryAttempt>) {
        self.deliveries.extend(attempts);
    }

    pub(super) fn reply(&mut self, id: RequestId, reply: Reply) {
        self.reply = Some((id, reply));
    }

    /// Records first, then the act, then the answer: nobody is told "done" before it is on disk.
    pub(super) fn into_jobs(self) -> Vec<Job> {
        let mut jobs = Vec::new();
        if !self.durable.is_empty() {
            jobs.push(Job::Persist(self.durable));
        }
        match self.act {
            Some(Act::Execute(step)) => jobs.push(Job::Execute(step)),
            Some(Act::Cancel { run, step }) => jobs.push(Job::Cancel { run, step }),
            None => {}
        }
        if let Some((id, reply)) = self.reply {
            jobs.push(Job::Reply { id, reply });
        }
        jobs.extend(self.deliveries.into_iter().map(Job::Deliver));
        if !self.later.is_empty() {
            jobs.push(Job::PersistLater(self.later));
        }
        jobs
    }
}
