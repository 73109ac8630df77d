//! The stories the shop can tell: what is changed, what breaks, and what a person would say the cause was. One table.

use super::faults::{Fault, Mend};
use super::layout;
use crate::engine::clock::{HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::engine::model::{CauseKind, ChangeKind};

/// One story.
#[derive(Debug)]
pub struct Scenario {
    /// As given on the command line.
    pub name: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What happens, in a sentence or two.
    pub story: &'static str,
    /// What the cause is; `None` where there is nothing to find and no incident may open.
    pub expected: Option<Expected>,
    /// What happens and when.
    pub(super) events: &'static [Event],
    /// A batch job that runs each night, when it is part of the story: it begins as the live part does.
    pub(super) is_batch_at_start: bool,
}

/// What a person who knew everything would answer.
#[derive(Debug)]
pub struct Expected {
    /// Kinds of cause that name it, the best first.
    pub kinds: &'static [CauseKind],
    /// Services that it may be seen in, the best first.
    pub services: &'static [&'static str],
    /// The shipped runbook for it.
    pub runbook: &'static str,
    /// A command that mends it.
    pub mended_by: &'static [&'static str],
    /// A command that looks as if it might and does not.
    pub not_mended_by: &'static [&'static str],
}

/// Something that happens, at this many milliseconds from the start of the live part; negative before it.
#[derive(Debug)]
pub(super) struct Event {
    pub at_ms: i64,
    pub what: Happening,
}

#[cfg(test)]
impl Event {
    /// The same, this much later.
    pub(super) fn later(&self, ms: i64) -> Self {
        Self { at_ms: self.at_ms + ms, what: self.what }
    }
}

/// What can happen.
#[derive(Debug, Clone, Copy)]
pub(super) enum Happening {
    /// Somebody changed something, and says so.
    Change(ChangeSpec),
    /// Something begins to be wrong.
    Fault { fault: Fault, ramp_ms: i64, mended_by: &'static [Mend] },
    /// This many times as many customers come, for whom capacity has been made ready.
    Surge { times: f64, ramp_ms: i64 },
}

/// A change as the shop's delivery system tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChangeSpec {
    pub kind: ChangeKind,
    pub service: Option<&'static str>,
    pub title: &'static str,
    pub version: Option<&'static str>,
    pub author: &'static str,
}

/// The scenario of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// The one that is played when none is named.
#[must_use]
pub fn default() -> &'static Scenario {
    &SCENARIOS[0]
}

/// The network policy of the scenario that cuts a service off.
pub(super) const POLICY: &str = "prod-egress-v847";

pub(super) const fn change(
    at_ms: i64,
    kind: ChangeKind,
    service: Option<&'static str>,
    title: &'static str,
    version: Option<&'static str>,
    author: &'static str,
) -> Event {
    Event { at_ms, what: Happening::Change(ChangeSpec { kind, service, title, version, author }) }
}

pub(super) const fn fault(at_ms: i64, fault: Fault, ramp_ms: i64, mended_by: &'static [Mend]) -> Event {
    Event { at_ms, what: Happening::Fault { fault, ramp_ms, mended_by } }
}

const AUTH: usize = layout::at("auth");
const AUTH_DB: usize = layout::at("auth-db");
const CACHE: usize = layout::at("cache");
const CATALOG_DB: usize = layout::at("catalog-db");
const CHECKOUT: usize = layout::at("checkout");
const ORDER: usize = layout::at("order");
const ORDERS_DB: usize = layout::at("orders-db");
const PAYMENT: usize = layout::at("payment");
const SEARCH: usize = layout::at("search");
const SHIPPING: usize = layout::at(layout::CONSUMER);

/// The first symptom is due this long after the start of the live part.
const ONSET_MS: i64 = 8 * SECOND_MS;

/// Every story; the first is the default.
pub static SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "bad-deploy",
        title: "a deploy breaks payments",
        story: "Version abc123 of payment is rolled out and fails on four requests of ten; checkout fails with it.",
        expected: Some(Expected {
            kinds: &[CauseKind::BadDeploy],
            services: &["payment"],
            runbook: "rollback-deploy",
            mended_by: &["kubectl", "rollout", "undo", "deployment/payment"],
            not_mended_by: &["kubectl", "rollout", "restart", "deployment/checkout"],
        }),
        events: &[
            change(ONSET_MS, ChangeKind::Deploy, Some("payment"), "deploy abc123 to payment", Some("abc123"), "mira"),
            fault(ONSET_MS, Fault::Errors { node: PAYMENT, ratio: 0.42 }, 15_000, &[Mend::Rollback(PAYMENT)]),
        ],
        is_batch_at_start: false,
    },
    Scenario {
        name: "pool-exhausted",
        title: "connections to the orders database run out",
        story: "A deploy of order forgets to give connections back; minutes later its pool is empty and orders fail.",
        expected: Some(Expected {
            kinds: &[CauseKind::ConnectionsExhausted, CauseKind::BadDeploy],
            services: &["order", "orders-db"],
            runbook: "release-connections",
            mended_by: &["kubectl", "rollout", "undo", "deployment/order"],
            not_mended_by: &["kubectl", "rollout", "restart", "deployment/payment"],
        }),
        events: &[
            change(
                -150 * SECOND_MS,
                ChangeKind::Deploy,
                Some("order"),
                "deploy 7f3e9d1 to order",
                Some("7f3e9d1"),
                "jonas",
            ),
            fault(
                -150 * SECOND_MS,
                Fault::ConnectionLeak { node: ORDER, per_second: 0.22 },
                20_000,
                &[Mend::Rollback(ORDER)],
            ),
        ],
        is_batch_at_start: false,
    },
    Scenario {
        name: "memory-leak",
        title: "search runs out of memory",
        story: "Search has leaked for five days and would last three more; then the leak widens and its memory is used up.",
        expected: Some(Expected {
            kinds: &[CauseKind::MemoryLeak],
            services: &["search"],
            runbook: "restart-leaking",
            mended_by: &["kubectl", "rollout", "restart", "deployment/search"],
            not_mended_by: &["kubectl", "rollout", "restart", "deployment/catalog"],
        }),
        events: &[
            change(
                -120 * HOUR_MS,
                ChangeKind::Deploy,
                Some("search"),
                "deploy 5c0ffee to search",
                Some("5c0ffee"),
                "ines",
            ),
            fault(
                -120 * HOUR_MS,
                Fault::MemoryLeak { node: SEARCH, per_hour: 0.0028 },
                20_000,
                &[Mend::Rollback(SEARCH)],
            ),
            // The days that would be left are told in minutes.
            fault(
                ONSET_MS,
                Fault::MemoryLeak { node: SEARCH, per_hour: 7.0 },
                4_000,
                &[Mend::Restart(SEARCH), Mend::Rollback(SEARCH)],
            ),
        ],
        is_batch_at_start: false,
    },
    Scenario {
        name: "firewall-rule",
        title: "a firewall rule cuts auth off its database",
        story: "A network policy closes the way from auth to auth-db; nobody can log in, and every team's alerts go off.",
        expected: Some(Expected {
            kinds: &[CauseKind::NetworkPolicy],
            services: &["auth", "auth-db"],
            runbook: "revert-network-policy",
            mended_by: &["kubectl", "delete", "networkpolicy", POLICY],
            not_mended_by: &["kubectl", "rollout", "restart", "deployment/auth"],
        }),
        events: &[
            change(
                ONSET_MS,
                ChangeKind::Network,
                Some("auth"),
                "network policy prod-egress-v847 applied",
                Some(POLICY),
                "netops",
            ),
            fault(
                ONSET_MS + 2 * SECOND_MS,
                Fault::CutOff { caller: AUTH, callee: AUTH_DB },
                3_000,
                &[Mend::DropPolicy(POLICY)],
            ),
        ],
        is_batch_at_start: false,
    },
    Scenario {
        name: "slow-query",
        title: "one statement slows the catalogue's database down",
        story: "A report reads the whole product table of catalog-db again and again; every page of the shop waits.",
        expected: Some(Expected {
            kinds: &[CauseKind::SlowQuery],
            services: &["catalog-db"],
            runbook: "cancel-slow-query",
            mended_by: &["psql", "-h", "catalog-db", "-c", "select pg_cancel_backend(pid) from pg_stat_activity"],
            not_mended_by: &["kubectl", "rollout", "restart", "deployment/catalog"],
        }),
        events: &[fault(
            ONSET_MS,
            Fault::Slower { node: CATALOG_DB, times: 9.0 },
            8_000,
            &[Mend::CancelQueries(CATALOG_DB)],
        )],
        is_batch_at_start: false,
    },
    Scenario {
        name: "disk-filling",
        title: "the disk of the orders database fills",
        story: "Statement logging was switched on and fills the disk of orders-db; once it is full, orders cannot be written.",
        expected: Some(Expected {
            kinds: &[CauseKind::DiskFull],
            services: &["orders-db"],
            runbook: "free-disk",
            mended_by: &[
                "kubectl",
                "exec",
                "deployment/orders-db",
                "--",
                "logrotate",
                "--force",
                "/etc/logrotate.conf",
            ],
            not_mended_by: &["kubectl", "rollout", "restart", "deployment/order"],
        }),
        events: &[
            change(
                -45 * MINUTE_MS,
                ChangeKind::Config,
                Some("orders-db"),
                "log_statement = all on orders-db",
                None,
                "data-team",
            ),
            fault(
                -45 * MINUTE_MS,
                Fault::DiskWrites { node: ORDERS_DB, per_hour: 0.36 },
                20_000,
                &[Mend::CleanDisk(ORDERS_DB), Mend::RevertConfig(ORDERS_DB)],
            ),
            fault(
                0,
                Fault::DiskWrites { node: ORDERS_DB, per_hour: 3.0 },
                5_000,
                &[Mend::CleanDisk(ORDERS_DB), Mend::RevertConfig(ORDERS_DB)],
            ),
        ],
        is_batch_at_start: false,
    },
    Scenario {
        name: "dependency-down",
        title: "the cache no longer answers",
        story: "The cache hangs: carts fail, and the catalogue's database gets every question the cache would have answered.",
        expected: Some(Expected {
            kinds: &[CauseKind::Unavailable],
            services: &["cache"],
            runbook: "restart-service",
            mended_by: &["kubectl", "rollout", "restart", "deployment/cache"],
            not_mended_by: &["kubectl", "rollout", "restart", "deployment/catalog"],
        }),
        events: &[fault(ONSET_MS, Fault::Down { node: CACHE }, 12_000, &[Mend::Restart(CACHE)])],
        is_batch_at_start: false,
    },
    Scenario {
        name: "bad-config",
        title: "checkout gives up on payments too early",
        story: "A configuration change sets checkout's deadline for payment to a tenth of what a payment takes.",
        expected: Some(Expected {
            kinds: &[CauseKind::BadConfig],
            services: &["checkout"],
            runbook: "revert-config",
            mended_by: &["kubectl", "rollout", "undo", "deployment/checkout"],
            not_mended_by: &["kubectl", "rollout", "restart", "deployment/payment"],
        }),
        events: &[
            change(
                ONSET_MS,
                ChangeKind::Config,
                Some("checkout"),
                "payment_timeout_ms 3000 -> 30 on checkout",
                Some("config-218"),
                "jonas",
            ),
            fault(
                ONSET_MS,
                Fault::ShortTimeout { caller: CHECKOUT, callee: PAYMENT, timeout_ms: 30.0 },
                10_000,
                &[Mend::RevertConfig(CHECKOUT), Mend::Rollback(CHECKOUT)],
            ),
        ],
        is_batch_at_start: false,
    },
    Scenario {
        name: "stuck-consumer",
        title: "shipping stops taking orders off the queue",
        story: "Shipping trips over one message and tries it again and again; paid orders pile up behind it.",
        expected: Some(Expected {
            kinds: &[CauseKind::QueueBacklog],
            services: &["shipping", "queue"],
            runbook: "drain-queue",
            mended_by: &["kubectl", "rollout", "restart", "deployment/shipping"],
            not_mended_by: &["kubectl", "rollout", "restart", "deployment/order"],
        }),
        events: &[fault(ONSET_MS, Fault::IdleConsumer { node: SHIPPING }, 3_000, &[Mend::Restart(SHIPPING)])],
        is_batch_at_start: false,
    },
    Scenario {
        name: "flash-sale",
        title: "a flash sale: four times the customers",
        story: "A sale begins and traffic rises fourfold; capacity was raised before, so nothing fails and nothing is wrong.",
        expected: None,
        events: &[
            change(
                -10 * MINUTE_MS,
                ChangeKind::Scale,
                None,
                "capacity plan for the flash sale switched on",
                None,
                "capacity-team",
            ),
            Event { at_ms: ONSET_MS, what: Happening::Surge { times: 4.0, ramp_ms: 40_000 } },
        ],
        is_batch_at_start: false,
    },
    Scenario {
        name: "nightly-batch",
        title: "the nightly batch job runs",
        story: "The job that runs each night runs tonight as well: the databases are busy, as they always are then.",
        expected: None,
        events: &[],
        is_batch_at_start: true,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_enough_stories_and_two_are_quiet() {
        assert!(SCENARIOS.len() >= 8);
        let quiet: Vec<_> =
            SCENARIOS.iter().filter(|scenario| scenario.expected.is_none()).map(|scenario| scenario.name).collect();
        assert_eq!(quiet, ["flash-sale", "nightly-batch"]);
        assert_eq!(default().name, "bad-deploy");
    }

    #[test]
    fn names_are_unique_and_found() {
        for scenario in SCENARIOS {
            assert!(std::ptr::eq(find(scenario.name).unwrap(), scenario), "{}", scenario.name);
        }
        assert!(find("no-such-story").is_none());
    }

    #[test]
    fn events_are_in_order_of_time() {
        for scenario in SCENARIOS {
            assert!(scenario.events.is_sorted_by_key(|event| event.at_ms), "{}", scenario.name);
        }
    }

    #[test]
    fn expected_services_and_changed_services_are_in_the_shop() {
        for scenario in SCENARIOS {
            for service in scenario.expected.iter().flat_map(|expected| expected.services) {
                assert!(layout::position(service).is_some(), "{service}");
            }
            for event in scenario.events {
                if let Happening::Change(ChangeSpec { service: Some(service), .. }) = event.what {
                    assert!(layout::position(service).is_some(), "{service}");
                }
            }
        }
    }
}
