//! Deliveries taken back from the store.

use std::sync::Arc;

use super::{Outbox, Turned};
use crate::engine::clock::Timestamp;
use crate::engine::limits::DELIVERY_SETTLE_MS;
use crate::engine::model::{Delivery, DeliveryState};

impl Outbox {
    /// Takes a delivery back; they may come in any order.
    pub fn restore(&mut self, delivery: Delivery) {
        self.next_number = self.next_number.max(delivery.number + 1);
        self.keys.insert(Arc::clone(&delivery.key));
        self.deliveries.insert(delivery.number, Arc::new(delivery));
    }

    /// Settles what was under way when the program ended: it is told again where the other side can find what has
    /// arrived, and given up where it cannot. What goes to a destination that is no longer configured is given up.
    pub fn recover(&mut self, now: Timestamp) -> Turned {
        let mut turned = Turned::default();
        let pending: Vec<Arc<Delivery>> = self.deliveries.values().filter(|it| it.is_pending()).cloned().collect();
        for delivery in pending {
            let destination = delivery.destination;
            let was_under_way = matches!(delivery.state, DeliveryState::UnderWay { .. });
            let given_up = if !self.lines.contains_key(&destination) {
                Some(format!("[outbound.{destination}] is no longer configured"))
            } else if was_under_way && !destination.finds_again() {
                let text = "the program ended while it was under way: it may have arrived, and is not told twice";
                Some(text.to_owned())
            } else {
                None
            };
            let state = match given_up {
                Some(reason) => DeliveryState::GivenUp { at: now, reason: Arc::from(reason) },
                None if was_under_way => {
                    self.uncertain.insert(delivery.number);
                    let last_problem = Some(Arc::from("the program ended while it was under way"));
                    DeliveryState::Waiting { next_try_at: now + DELIVERY_SETTLE_MS, last_problem }
                }
                // A pause begun in an earlier life has served its purpose.
                None => continue,
            };
            self.put(Delivery { state, ..delivery.as_ref().clone() }, &mut turned);
        }
        self.recall_problems();
        turned
    }

    /// What was wrong with a destination before the restart still is, as far as is known: the newest word of it counts.
    fn recall_problems(&mut self) {
        for delivery in self.deliveries.values() {
            let word = match &delivery.state {
                DeliveryState::Delivered { .. } => None,
                DeliveryState::GivenUp { reason, .. } => Some(Arc::clone(reason)),
                DeliveryState::Waiting { last_problem: Some(problem), .. } => Some(Arc::clone(problem)),
                DeliveryState::Waiting { last_problem: None, .. } | DeliveryState::UnderWay { .. } => continue,
            };
            if let Some(line) = self.lines.get_mut(&delivery.destination) {
                line.last_problem = word;
            }
        }
    }
}
