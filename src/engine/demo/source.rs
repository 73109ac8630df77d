//! The shop as a source: its history at once, then what it sends as the real time goes by.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::shop::{self, Shop};
use super::step_runner::{SharedShop, lock};
use crate::engine::clock::Timestamp;
use crate::engine::ingest::{SignalSink, Source, StopSignal, wall_clock};
use crate::engine::model::{Signal, SourceName};

/// Between two looks at the real time.
const STEP_MS: u64 = 1_000;

/// Drives a shop on the real clock.
pub struct DemoSource {
    name: SourceName,
    shop: SharedShop,
    known_until: Option<Timestamp>,
}

impl DemoSource {
    /// A source for this shop, whose live part should begin about now. What an earlier life told up to `known_until` is
    /// not told again.
    #[must_use]
    pub fn new(shop: SharedShop, known_until: Option<Timestamp>) -> Self {
        Self { name: SourceName::new(shop::SOURCE), shop, known_until }
    }
}

/// What of a signal of the history is later than `known_until`.
fn unknown(signal: Signal, known_until: Option<Timestamp>) -> Option<Signal> {
    let is_new = |at: Timestamp| known_until.is_none_or(|known| at > known);
    match signal {
        Signal::Samples(mut batch) => {
            batch.samples.retain(|sample| is_new(sample.at));
            (!batch.samples.is_empty()).then_some(Signal::Samples(batch))
        }
        Signal::Change(notice) => is_new(notice.at).then_some(Signal::Change(notice)),
        Signal::Log(line) => is_new(line.at).then_some(Signal::Log(line)),
        other => Some(other),
    }
}

impl Source for DemoSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn run(self: Box<Self>, sink: SignalSink, stop: StopSignal) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            // Twenty-one days take a moment to compute; the threads that draw and read keys must not wait for it.
            let history = tokio::task::spawn_blocking({
                let shop = Arc::clone(&self.shop);
                move || lock(&shop).history().collect::<Vec<Signal>>()
            });
            let history = history.await.unwrap_or_default();
            for signal in history.into_iter().filter_map(|signal| unknown(signal, self.known_until)) {
                if stop.is_stopped() {
                    return;
                }
                sink.send(signal).await;
            }
            while stop.sleep_ms(STEP_MS).await {
                let signals = advance(&mut lock(&self.shop));
                for signal in signals {
                    sink.send(signal).await;
                }
            }
        })
    }
}

fn advance(shop: &mut Shop) -> Vec<Signal> {
    shop.advance(wall_clock::now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::demo::scenarios;

    #[test]
    fn a_second_life_tells_nothing_that_the_first_has_told() {
        let start = Timestamp(1_793_577_600_000);
        let mut shop = Shop::new(&scenarios::SCENARIOS[0], 1, start);
        let history: Vec<Signal> = shop.history().collect();
        let known = start - 10 * crate::engine::clock::MINUTE_MS;
        let left: Vec<Signal> = history.iter().cloned().filter_map(|signal| unknown(signal, Some(known))).collect();
        let times = |signals: &[Signal]| -> Vec<Timestamp> {
            let of = |signal: &Signal| match signal {
                Signal::Samples(batch) => batch.samples.iter().map(|sample| sample.at).collect(),
                Signal::Change(notice) => vec![notice.at],
                Signal::Log(line) => vec![line.at],
                _ => Vec::new(),
            };
            signals.iter().flat_map(of).collect()
        };
        let (all, left_over) = (times(&history), times(&left));
        assert!(left_over.iter().all(|at| *at > known));
        assert_eq!(left_over.len(), all.iter().filter(|at| **at > known).count());
        assert!(left.iter().any(|signal| matches!(signal, Signal::Series(_))), "series are bound in every life");
        assert_eq!(history.iter().cloned().filter_map(|signal| unknown(signal, None)).count(), history.len());
    }
}
