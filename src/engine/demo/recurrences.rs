//! The same kinds of failure at other places of the shop: what a search for similar incidents is measured on.
//!
//! Each is a scenario of its own, played as any other; what kind of failure it is stands beside it and is never told to the
//! engine.

use super::faults::{Fault, Mend};
use super::layout;
use super::scenarios::{Event, Scenario, change, fault};
use crate::engine::clock::{MINUTE_MS, SECOND_MS};
use crate::engine::model::ChangeKind;

/// A kind of failure at one place.
#[derive(Debug)]
pub struct Recurrence {
    /// What kind of failure it is: equal for those that differ only in where they are.
    pub class: &'static str,
    /// Where it begins.
    pub service: &'static str,
    /// How it goes.
    pub scenario: Scenario,
}

/// When the first symptom is due.
const ONSET_MS: i64 = 8 * SECOND_MS;

const fn of(class: &'static str, service: &'static str, events: &'static [Event]) -> Recurrence {
    let scenario =
        Scenario { name: class, title: class, story: class, expected: None, events, is_batch_at_start: false };
    Recurrence { class, service, scenario }
}

/// One recurrence for each place; `$node` is its position and `$name` its name within the events.
macro_rules! at_each {
    ($class:literal, [$($place:literal),+], |$name:ident, $node:ident| $events:tt) => {
        &[$({
            const $name: &str = $place;
            const $node: usize = layout::at($place);
            of($class, $place, &$events)
        }),+]
    };
}

const BAD_DEPLOY: &[Recurrence] =
    at_each!("bad deploy", ["payment", "cart", "inventory", "order", "catalog", "search", "auth"], |NAME, NODE| [
        change(ONSET_MS, ChangeKind::Deploy, Some(NAME), "deploy of a new version", Some("0badbee"), "mira"),
        fault(ONSET_MS, Fault::Errors { node: NODE, ratio: 0.42 }, 15_000, &[Mend::Rollback(NODE)]),
    ]);

const CONNECTION_LEAK: &[Recurrence] =
    at_each!("connection leak", ["order", "payment", "inventory", "catalog"], |NAME, NODE| [
        change(-150_000, ChangeKind::Deploy, Some(NAME), "deploy of a new version", Some("7f3e9d1"), "jonas"),
        fault(-150_000, Fault::ConnectionLeak { node: NODE, per_second: 0.22 }, 20_000, &[Mend::Rollback(NODE)]),
    ]);

const MEMORY_LEAK: &[Recurrence] = at_each!(
    "memory leak",
    ["search", "cart", "payment", "catalog", "auth", "inventory"],
    |_NAME, NODE| [fault(ONSET_MS, Fault::MemoryLeak { node: NODE, per_hour: 7.0 }, 4_000, &[Mend::Restart(NODE)],)]
);

const SLOW_QUERY: &[Recurrence] = at_each!(
    "slow query",
    ["catalog-db", "orders-db", "payments-db", "auth-db"],
    |_NAME, NODE| [fault(ONSET_MS, Fault::Slower { node: NODE, times: 9.0 }, 8_000, &[Mend::CancelQueries(NODE)],)]
);

const DISK_FILLING: &[Recurrence] =
    at_each!("disk filling", ["orders-db", "catalog-db", "payments-db", "auth-db"], |NAME, NODE| [
        change(-45 * MINUTE_MS, ChangeKind::Config, Some(NAME), "log_statement = all", None, "data-team"),
        fault(-45 * MINUTE_MS, Fault::DiskWrites { node: NODE, per_hour: 0.36 }, 20_000, &[Mend::CleanDisk(NODE)]),
        fault(0, Fault::DiskWrites { node: NODE, per_hour: 3.0 }, 5_000, &[Mend::CleanDisk(NODE)]),
    ]);

const DOWN: &[Recurrence] = at_each!(
    "down",
    ["cache", "inventory", "payment", "search", "orders-db"],
    |_NAME, NODE| [fault(ONSET_MS, Fault::Down { node: NODE }, 12_000, &[Mend::Restart(NODE)])]
);

const STUCK_CONSUMER: &[Recurrence] = at_each!("stuck consumer", ["shipping"], |_NAME, NODE| [fault(
    ONSET_MS,
    Fault::IdleConsumer { node: NODE },
    3_000,
    &[Mend::Restart(NODE)],
)]);

/// One that cuts a service off the one it calls.
macro_rules! cut_off {
    ($($caller:literal > $callee:literal),+) => {
        &[$(of("cut off", $caller, &[
            change(ONSET_MS, ChangeKind::Network, Some($caller), "network policy applied", Some("egress-v12"), "netops"),
            fault(
                ONSET_MS + 2 * SECOND_MS,
                Fault::CutOff { caller: layout::at($caller), callee: layout::at($callee) },
                3_000,
                &[Mend::DropPolicy("egress-v12")],
            ),
        ])),+]
    };
}

const CUT_OFF: &[Recurrence] = cut_off!(
    "auth" > "auth-db",
    "order" > "orders-db",
    "payment" > "payments-db",
    "inventory" > "catalog-db",
    "checkout" > "payment"
);

/// One that gives up on the one it calls too soon.
macro_rules! short_timeout {
    ($($caller:literal > $callee:literal),+) => {
        &[$(of("short timeout", $caller, &[
            change(ONSET_MS, ChangeKind::Config, Some($caller), "a timeout was changed", Some("config-218"), "jonas"),
            fault(
                ONSET_MS,
                Fault::ShortTimeout {
                    caller: layout::at($caller),
                    callee: layout::at($callee),
                    timeout_ms: 30.0,
                },
                10_000,
                &[Mend::RevertConfig(layout::at($caller))],
            ),
        ])),+]
    };
}

const SHORT_TIMEOUT: &[Recurrence] = short_timeout!("checkout" > "payment", "checkout" > "order", "web" > "checkout");

/// Every kind of failure at every place.
pub fn all() -> impl Iterator<Item = &'static Recurrence> {
    [BAD_DEPLOY, CONNECTION_LEAK, MEMORY_LEAK, SLOW_QUERY, DISK_FILLING, DOWN, STUCK_CONSUMER, CUT_OFF, SHORT_TIMEOUT]
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_at_a_place_that_is_there_and_most_are_at_several() {
        let mut by_class = std::collections::BTreeMap::<&str, usize>::new();
        for recurrence in all() {
            assert!(layout::position(recurrence.service).is_some(), "{}", recurrence.service);
            assert!(recurrence.scenario.events.is_sorted_by_key(|event| event.at_ms), "{}", recurrence.class);
            *by_class.entry(recurrence.class).or_default() += 1;
        }
        assert!(by_class.len() >= 9 && by_class.values().filter(|count| **count > 2).count() >= 7, "{by_class:?}");
    }
}
