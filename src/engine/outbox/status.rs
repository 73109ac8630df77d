//! What is told outside, for the screen.

use std::sync::Arc;

use super::Outbox;
use crate::engine::clock::Timestamp;
use crate::engine::limits::DELIVERIES_IN_SNAPSHOT_MAX;
use crate::engine::model::{Delivery, DeliveryState, DestinationStatus, OutboxStatus};

impl Outbox {
    /// How every configured destination does, and the newest deliveries of each sort.
    #[must_use]
    pub fn status(&self) -> OutboxStatus {
        let newest = |is_wanted: &dyn Fn(&Delivery) -> bool| {
            let wanted = self.deliveries.values().rev().filter(|delivery| is_wanted(delivery));
            wanted.take(DELIVERIES_IN_SNAPSHOT_MAX).map(Arc::clone).collect()
        };
        OutboxStatus {
            destinations: self.lines.keys().map(|destination| self.destination_status(*destination)).collect(),
            pending: newest(&Delivery::is_pending),
            given_up: newest(&|it| matches!(it.state, DeliveryState::GivenUp { .. })),
            delivered: newest(&|it| matches!(it.state, DeliveryState::Delivered { .. })),
            dropped_count: self.dropped_count,
        }
    }

    fn destination_status(&self, destination: crate::engine::model::Destination) -> DestinationStatus {
        let line = self.lines.get(&destination);
        let pending = self.deliveries.values().filter(|it| it.destination == destination && it.is_pending());
        let pending_count = pending.count() as u64;
        let last_problem = line.and_then(|line| line.last_problem.clone());
        DestinationStatus {
            destination,
            pending_count,
            retry_at: line.map(|line| line.resume_at).filter(|at| pending_count > 0 && *at > Timestamp(0)),
            last_problem,
        }
    }
}
