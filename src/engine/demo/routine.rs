//! What happens to the shop in every story: its nightly batch job, and harmless changes.

use super::faults::Fault;
use super::layout;
use super::scenarios::{ChangeSpec, Scenario};
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use crate::engine::model::ChangeKind;

/// How long the batch job runs.
pub(super) const BATCH_MS: i64 = 40 * MINUTE_MS;
/// When it runs, from midnight UTC, where the story does not say otherwise.
pub(super) const BATCH_AT_MS: i64 = 2 * HOUR_MS + 30 * MINUTE_MS;

/// What the batch job does while it runs.
pub(super) const BATCH: &[Fault] = &[
    Fault::ExtraLoad { node: layout::at("orders-db"), per_second: 45.0 },
    Fault::Slower { node: layout::at("orders-db"), times: 1.3 },
    Fault::ExtraLoad { node: layout::at("payments-db"), per_second: 40.0 },
];

/// When the batch job of a run that begins at `start` starts each day, from midnight UTC: a whole minute.
pub(super) fn batch_at_ms(scenario: &Scenario, start: Timestamp) -> i64 {
    if scenario.is_batch_at_start { start.0.rem_euclid(DAY_MS) / MINUTE_MS * MINUTE_MS } else { BATCH_AT_MS }
}

/// Harmless changes, some of which every run has had in the hours before it: how long before at least and at most, in
/// minutes.
pub(super) const DECOYS: &[(i64, i64, ChangeSpec)] = &[
    decoy(150, 230, ChangeKind::Deploy, "catalog", "deploy 91d02ab to catalog", "ines"),
    decoy(120, 200, ChangeKind::Flag, "web", "flag new-header on for 100 % of customers", "product"),
    decoy(90, 170, ChangeKind::Deploy, "cart", "deploy e4410c2 to cart", "mira"),
    decoy(70, 140, ChangeKind::Scale, "catalog", "catalog scaled from 3 to 4 instances", "autoscaler"),
    decoy(50, 110, ChangeKind::Config, "inventory", "log level info on inventory", "jonas"),
    decoy(40, 90, ChangeKind::Deploy, "auth", "deploy 03bb7e5 to auth", "tomas"),
    decoy(30, 60, ChangeKind::Migration, "payments-db", "migration 0388 adds column receipts.note", "data-team"),
    decoy(20, 45, ChangeKind::Deploy, "inventory", "deploy c7a1f04 to inventory", "jonas"),
];

const fn decoy(
    from: i64,
    to: i64,
    kind: ChangeKind,
    service: &'static str,
    title: &'static str,
    author: &'static str,
) -> (i64, i64, ChangeSpec) {
    (from, to, ChangeSpec { kind, service: Some(service), title, version: None, author })
}
