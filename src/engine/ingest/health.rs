//! How a source is doing: one place that counts what it took and set aside, and builds the report from it.

use std::sync::Arc;

use super::normalize::sanitize;
use crate::engine::clock::Timestamp;
use crate::engine::limits::{WARNING_BYTES_MAX, WARNINGS_MAX};
use crate::engine::model::{DropReason, Signal, SourceKind, SourceName, SourceReport, SourceState};

/// Keeps a source's report up to date. Counts are totals since the start of the source.
#[derive(Debug, Clone)]
pub struct Health {
    report: SourceReport,
}

impl Health {
    /// A source not heard of yet; `address` is for people and carries no secrets.
    #[must_use]
    pub fn new(source: SourceName, kind: SourceKind, address: &str) -> Self {
        let report = SourceReport {
            source,
            kind,
            address: sanitize(address, WARNING_BYTES_MAX),
            state: SourceState::Starting,
            last_ok_at: None,
            accepted_count: 0,
            dropped: std::collections::BTreeMap::new(),
            counter_reset_count: 0,
            series_count: 0,
            vanished_series_count: 0,
            clock_skew_ms: None,
            poll_ms: None,
            backfilled_until: None,
            position: None,
            warnings: Vec::new(),
        };
        Self { report }
    }

    /// Counts signals that were taken.
    pub fn accept(&mut self, count: u64) {
        self.report.accepted_count = self.report.accepted_count.saturating_add(count);
    }

    /// Counts signals that were set aside.
    pub fn drop_for(&mut self, reason: DropReason, count: u64) {
        if count > 0 {
            let total = self.report.dropped.entry(reason).or_default();
            *total = total.saturating_add(count);
        }
    }

    /// Counts counters that went back to zero.
    pub fn counter_resets(&mut self, count: u64) {
        self.report.counter_reset_count = self.report.counter_reset_count.saturating_add(count);
    }

    /// Says how many series there are, and how many were there and are gone.
    pub fn series(&mut self, count: usize, vanished_count: usize) {
        self.report.series_count = u32::try_from(count).unwrap_or(u32::MAX);
        self.report.vanished_series_count = u32::try_from(vanished_count).unwrap_or(u32::MAX);
    }

    /// Says how far the server's clock is ahead of ours.
    pub fn clock_skew(&mut self, skew_ms: Option<i64>) {
        self.report.clock_skew_ms = skew_ms;
    }

    /// Says how long the last poll took.
    pub fn poll_took(&mut self, took_ms: u32) {
        self.report.poll_ms = Some(took_ms);
    }

    /// Replaces the warnings, sanitised; past `WARNINGS_MAX` the rest is left out.
    pub fn warnings<T: AsRef<str>>(&mut self, warnings: impl IntoIterator<Item = T>) {
        self.report.warnings =
            warnings.into_iter().take(WARNINGS_MAX).map(|text| sanitize(text.as_ref(), WARNING_BYTES_MAX)).collect();
    }

    /// It answered, in full.
    pub fn healthy(&mut self, now: Timestamp) {
        self.report.last_ok_at = Some(now);
        self.report.state = SourceState::Healthy;
    }

    /// It answered in part; `reason` says what is missing and what to do.
    pub fn degraded(&mut self, now: Timestamp, reason: &str) {
        self.report.last_ok_at = Some(now);
        self.report.state = SourceState::Degraded { reason: sanitize(reason, WARNING_BYTES_MAX) };
    }

    /// There is nothing to read yet; `reason` says what is missing. It has not answered, so the last answer stays when it was.
    pub fn waiting(&mut self, reason: &str) {
        self.report.state = SourceState::Degraded { reason: sanitize(reason, WARNING_BYTES_MAX) };
    }

    /// It did not answer; `reason` says what failed, on what, and what to do. The time since when is kept over repeats.
    pub fn down(&mut self, now: Timestamp, reason: &str, retry_at: Timestamp) {
        let since = match &self.report.state {
            SourceState::Down { since, .. } => *since,
            _ => now,
        };
        self.report.state = SourceState::Down { reason: sanitize(reason, WARNING_BYTES_MAX), since, retry_at };
    }

    /// It is reading history; everything before `until` is known.
    pub fn backfilling(&mut self, now: Timestamp, done: u32, total: u32, until: Option<Timestamp>) {
        if done > 0 {
            self.report.last_ok_at = Some(now);
        }
        self.known_until(until);
        self.report.state = SourceState::Backfilling { done, total };
    }

    /// Everything before `until` is known; `None` leaves what was said before.
    pub fn known_until(&mut self, until: Option<Timestamp>) {
        self.report.backfilled_until = until.or(self.report.backfilled_until);
    }

    /// It has read up to here, in its own words; `None` leaves what was said before.
    pub fn read_up_to(&mut self, position: Option<Arc<str>>) {
        self.report.position = position.or_else(|| self.report.position.take());
    }

    /// True while it does not answer.
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(self.report.state, SourceState::Down { .. })
    }

    /// The report as it stands.
    #[must_use]
    pub fn report(&self) -> &SourceReport {
        &self.report
    }

    /// The report as a signal.
    #[must_use]
    pub fn signal(&self) -> Signal {
        Signal::Source(self.report.clone())
    }

    /// The source's name.
    #[must_use]
    pub fn source(&self) -> &SourceName {
        &self.report.source
    }

    /// The source's address, for messages.
    #[must_use]
    pub fn address(&self) -> &Arc<str> {
        &self.report.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_since_is_kept_over_repeats_and_forgotten_on_recovery() {
        let mut health = Health::new("prom".into(), SourceKind::Prometheus, "http://x");
        health.down(Timestamp(10), "refused", Timestamp(20));
        health.down(Timestamp(20), "refused\x1b[31m", Timestamp(40));
        let SourceState::Down { reason, since, retry_at } = health.report().state.clone() else { panic!() };
        assert_eq!((reason.as_ref(), since, retry_at), ("refused␛[31m", Timestamp(10), Timestamp(40)));
        health.healthy(Timestamp(50));
        health.down(Timestamp(60), "refused", Timestamp(61));
        assert!(matches!(health.report().state, SourceState::Down { since: Timestamp(60), .. }));
        assert_eq!(health.report().last_ok_at, Some(Timestamp(50)));
    }

    #[test]
    fn what_is_set_aside_is_counted_by_reason() {
        let mut health = Health::new("prom".into(), SourceKind::Prometheus, "http://x");
        health.drop_for(DropReason::Late, 2);
        health.drop_for(DropReason::Late, 3);
        health.drop_for(DropReason::NotANumber, 0);
        assert_eq!(health.report().dropped.iter().collect::<Vec<_>>(), [(&DropReason::Late, &5)]);
    }

    #[test]
    fn a_flood_of_warnings_is_cut() {
        let mut health = Health::new("prom".into(), SourceKind::Prometheus, "http://x");
        health.warnings((0..1_000).map(|at| format!("warning {at}")));
        assert_eq!(health.report().warnings.len(), WARNINGS_MAX);
    }
}
