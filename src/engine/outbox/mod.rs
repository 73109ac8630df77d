//! What is to be told outside, and how far each of it has come: a pure state machine. It does no I/O and reads no clock;
//! `now` is a parameter, and pauses are drawn from what a delivery is.
//!
//! ```text
//! waiting ─begin▶ under way ─▶ delivered, with what the other side calls it
//!    ▲                ├─▶ given up: refused for good, or tried too often
//!    └─ after a pause ┘   failed, or nothing heard of it
//! ```
//!
//! One delivery a destination is under way at a time, and those of one thread go in order. After a failure the whole
//! destination pauses; the next try takes what was tried least, so that one message that does not pass holds up no other.

mod line;
mod restart;
mod room;
mod status;
mod text;
pub mod wording;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::clock::Timestamp;
use crate::engine::limits::{
    CHANGE_RECORD_TRIES_MAX, DELIVERY_OVERDUE_MS, DELIVERY_RETRY_AFTER_MS_MAX, DELIVERY_SETTLE_MS,
    NOTIFICATION_TRIES_MAX,
};
use crate::engine::model::{
    Delivery, DeliveryAttempt, DeliveryOutcome, DeliveryReport, DeliveryState, Destination, IncidentId,
    IncidentSeverity, OutwardEvent, OutwardMessage,
};
use crate::engine::settings::OutboundSettings;
use line::Line;

/// What is told to one destination.
#[derive(Debug, Clone)]
struct Route {
    destination: Destination,
    events: Vec<OutwardEvent>,
    severity_min: IncidentSeverity,
}

/// Everything that is to be told, is being told, or was.
#[derive(Debug, Clone)]
pub struct Outbox {
    routes: Vec<Route>,
    deliveries: BTreeMap<u64, Arc<Delivery>>,
    /// Keys of all of them: what is among them is not told again.
    keys: BTreeSet<Arc<str>>,
    lines: BTreeMap<Destination, Line>,
    /// Deliveries whose last try may have arrived.
    uncertain: BTreeSet<u64>,
    next_number: u64,
    dropped_count: u64,
}

/// What changed: deliveries to keep, deliveries no longer kept, tries to carry out once both are on disk.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Turned {
    /// To keep, as they are now.
    pub changed: Vec<Delivery>,
    /// No longer kept.
    pub forgotten: Vec<u64>,
    /// To carry out.
    pub attempts: Vec<DeliveryAttempt>,
}

impl Outbox {
    /// An outbox with nothing in it.
    #[must_use]
    pub fn new(settings: &OutboundSettings) -> Self {
        let routes: Vec<Route> = settings
            .routes()
            .map(|(destination, events, severity_min)| Route { destination, events: events.to_vec(), severity_min })
            .collect();
        Self {
            lines: routes.iter().map(|route| (route.destination, Line::default())).collect(),
            routes,
            deliveries: BTreeMap::new(),
            keys: BTreeSet::new(),
            uncertain: BTreeSet::new(),
            next_number: 1,
            dropped_count: 0,
        }
    }

    /// True where nobody is told anything.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.routes.is_empty()
    }

    /// True where somebody is told of such events.
    #[must_use]
    pub fn takes(&self, event: OutwardEvent) -> bool {
        self.routes.iter().any(|route| route.events.contains(&event))
    }

    /// True while a try is under way.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.deliveries.values().any(|delivery| matches!(delivery.state, DeliveryState::UnderWay { .. }))
    }

    /// Puts a message on its way to everyone who is told of such things. `about` names what happened, once: told again
    /// with the same name nothing comes of it.
    pub fn enqueue(
        &mut self,
        about: &str,
        incident: Option<IncidentId>,
        message: &OutwardMessage,
        now: Timestamp,
    ) -> Turned {
        self.enqueue_to("", about, incident, message, now)
    }

    /// As [`Self::enqueue`], to the destination of this name alone, whatever else it is told of; to all where it is empty.
    pub fn enqueue_to(
        &mut self,
        only: &str,
        about: &str,
        incident: Option<IncidentId>,
        message: &OutwardMessage,
        now: Timestamp,
    ) -> Turned {
        let mut turned = Turned::default();
        let message = text::outgoing(message);
        for route in self.routes.clone() {
            let is_severe = message.event.is_of_act() || message.severity.is_none_or(|it| it >= route.severity_min);
            let key: Arc<str> = Arc::from(format!("{}/{about}", route.destination));
            let is_wanted = if only.is_empty() {
                is_severe && route.events.contains(&message.event)
            } else {
                route.destination.word() == only
            };
            if !is_wanted || self.keys.contains(&key) {
                continue;
            }
            let delivery = Delivery {
                number: self.next_number,
                key: Arc::clone(&key),
                destination: route.destination,
                incident,
                message: message.clone(),
                enqueued_at: now,
                attempt_count: 0,
                state: DeliveryState::Waiting { next_try_at: now, last_problem: None },
            };
            self.next_number += 1;
            self.keys.insert(key);
            self.put(delivery, &mut turned);
            self.make_room(now, &mut turned);
        }
        turned
    }

    /// Begins what is due, one try a destination, and takes what was not heard of for too long as failed.
    pub fn begin_due(&mut self, now: Timestamp) -> Turned {
        let mut turned = Turned::default();
        self.fail_overdue(now, &mut turned);
        for route in self.routes.clone() {
            let is_free = self.lines.get(&route.destination).is_some_and(|line| line.resume_at <= now);
            let Some(next) = self.next_of(route.destination, now).filter(|_| is_free) else { continue };
            let mut delivery = next.as_ref().clone();
            delivery.state = DeliveryState::UnderWay { since: now };
            delivery.attempt_count += 1;
            turned.attempts.push(DeliveryAttempt {
                reference: self.reference_of(&delivery),
                may_have_arrived: self.uncertain.contains(&delivery.number),
                delivery: delivery.clone(),
            });
            self.put(delivery, &mut turned);
        }
        turned
    }

    /// Takes in what came of a try; nothing where that try is no longer the one under way.
    pub fn take_report(&mut self, report: &DeliveryReport, now: Timestamp) -> Turned {
        let mut turned = Turned::default();
        let Some(delivery) = self.deliveries.get(&report.number) else { return turned };
        let is_this_try =
            matches!(delivery.state, DeliveryState::UnderWay { .. }) && delivery.attempt_count == report.attempt;
        if is_this_try {
            self.settle(delivery.as_ref().clone(), &report.outcome, now, &mut turned);
        }
        turned
    }

    fn fail_overdue(&mut self, now: Timestamp, turned: &mut Turned) {
        let is_overdue = |delivery: &&Arc<Delivery>| match delivery.state {
            DeliveryState::UnderWay { since } => now.since_ms(since) > DELIVERY_OVERDUE_MS,
            _ => false,
        };
        let overdue: Vec<Delivery> =
            self.deliveries.values().filter(is_overdue).map(|delivery| delivery.as_ref().clone()).collect();
        for delivery in overdue {
            let outcome = DeliveryOutcome::Retry {
                reason: Arc::from("nothing was heard of the last try; it is tried again by itself"),
                after_ms: None,
                may_have_arrived: true,
            };
            self.settle(delivery, &outcome, now, turned);
        }
    }

    fn settle(&mut self, mut delivery: Delivery, outcome: &DeliveryOutcome, now: Timestamp, turned: &mut Turned) {
        let destination = delivery.destination;
        let line = self.lines.entry(destination).or_default();
        match outcome {
            DeliveryOutcome::Delivered { reference } => {
                line.succeeded();
                delivery.state = DeliveryState::Delivered { at: now, reference: Arc::clone(reference) };
            }
            DeliveryOutcome::Refused { reason } => {
                // It is the message that was refused; the next one may pass.
                line.succeeded();
                line.last_problem = Some(Arc::clone(reason));
                delivery.state = DeliveryState::GivenUp { at: now, reason: Arc::clone(reason) };
            }
            DeliveryOutcome::Retry { reason, after_ms, may_have_arrived } => {
                let settles_ms = if *may_have_arrived { DELIVERY_SETTLE_MS } else { 0 };
                let asked_ms = after_ms.unwrap_or(0).clamp(settles_ms, DELIVERY_RETRY_AFTER_MS_MAX);
                line.failed(&delivery.key, reason, asked_ms, now);
                let next_try_at = line.resume_at;
                if *may_have_arrived {
                    self.uncertain.insert(delivery.number);
                }
                delivery.state = match hopeless(&delivery, reason, *may_have_arrived) {
                    Some(reason) => DeliveryState::GivenUp { at: now, reason: Arc::from(reason) },
                    None => DeliveryState::Waiting { next_try_at, last_problem: Some(Arc::clone(reason)) },
                };
            }
        }
        if !delivery.is_pending() {
            self.uncertain.remove(&delivery.number);
        }
        self.put(delivery, turned);
        self.forget_over(turned);
    }

    /// What is told next there: of the first of every thread that is due, the one tried least, then the oldest. `None`
    /// while one is under way.
    fn next_of(&self, destination: Destination, now: Timestamp) -> Option<&Arc<Delivery>> {
        let mut threads = BTreeSet::new();
        let mut next: Option<&Arc<Delivery>> = None;
        let pending = self.deliveries.values().filter(|it| it.destination == destination && it.is_pending());
        for delivery in pending {
            let is_first_of_thread = threads.insert(&delivery.message.thread);
            match &delivery.state {
                DeliveryState::UnderWay { .. } => return None,
                DeliveryState::Waiting { next_try_at, .. } if is_first_of_thread && *next_try_at <= now => {
                    let is_better = next.is_none_or(|best| delivery.attempt_count < best.attempt_count);
                    next = if is_better { Some(delivery) } else { next };
                }
                _ => {}
            }
        }
        next
    }

    /// What the destination calls the record of this thread: told with the newest delivery of it.
    fn reference_of(&self, of: &Delivery) -> Option<Arc<str>> {
        self.deliveries.values().rev().find_map(|delivery| match &delivery.state {
            DeliveryState::Delivered { reference, .. }
                if delivery.destination == of.destination && delivery.message.thread == of.message.thread =>
            {
                Some(Arc::clone(reference))
            }
            _ => None,
        })
    }

    fn put(&mut self, delivery: Delivery, turned: &mut Turned) {
        turned.changed.retain(|known| known.number != delivery.number);
        turned.changed.push(delivery.clone());
        self.deliveries.insert(delivery.number, Arc::new(delivery));
    }
}

/// Why a failed try is the last one; `None` while another may do better.
fn hopeless(delivery: &Delivery, reason: &str, may_have_arrived: bool) -> Option<String> {
    let destination = delivery.destination;
    if may_have_arrived && !destination.finds_again() {
        return Some(format!("it may have arrived, and {destination} is not told twice: {reason}"));
    }
    let tries_max = if delivery.message.event.is_of_act() { CHANGE_RECORD_TRIES_MAX } else { NOTIFICATION_TRIES_MAX };
    (delivery.attempt_count >= tries_max).then(|| format!("given up after {tries_max} tries: {reason}"))
}
