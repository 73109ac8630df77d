//! Bounds: what waits and what is remembered of what is over.

use std::sync::Arc;

use super::{Outbox, Turned};
use crate::engine::clock::Timestamp;
use crate::engine::limits::{DELIVERIES_OVER_MAX, DELIVERIES_WAITING_MAX};
use crate::engine::model::{Delivery, DeliveryState};

impl Outbox {
    /// Gives the oldest notification up where too many wait; a change record only where nothing else is left to give up.
    pub(super) fn make_room(&mut self, now: Timestamp, turned: &mut Turned) {
        let waiting = || self.deliveries.values().filter(|it| matches!(it.state, DeliveryState::Waiting { .. }));
        if waiting().count() <= DELIVERIES_WAITING_MAX {
            return;
        }
        let is_notice = |it: &&Arc<Delivery>| !it.message.event.is_of_act();
        let Some(oldest) = waiting().find(is_notice).or_else(|| waiting().next()).cloned() else { return };
        let reason = format!("more than {DELIVERIES_WAITING_MAX} deliveries wait; this one made room for a newer one");
        let state = DeliveryState::GivenUp { at: now, reason: Arc::from(reason) };
        self.put(Delivery { state, ..oldest.as_ref().clone() }, turned);
        self.dropped_count += 1;
        self.forget_over(turned);
    }

    /// Forgets the oldest of those that are over, past the limit.
    pub(super) fn forget_over(&mut self, turned: &mut Turned) {
        let over: Vec<u64> = self.deliveries.values().filter(|it| !it.is_pending()).map(|it| it.number).collect();
        for number in over.iter().take(over.len().saturating_sub(DELIVERIES_OVER_MAX)) {
            if let Some(delivery) = self.deliveries.remove(number) {
                self.keys.remove(&delivery.key);
            }
            turned.changed.retain(|delivery| delivery.number != *number);
            turned.forgotten.push(*number);
        }
    }
}
