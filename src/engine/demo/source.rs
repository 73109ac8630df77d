//! The shop as a source: its history at once, then what it sends as the real time goes by.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::shop::{self, Shop};
use super::step_runner::{SharedShop, lock};
use crate::engine::ingest::{SignalSink, Source, StopSignal, wall_clock};
use crate::engine::model::{Signal, SourceName};

/// Between two looks at the real time.
const STEP_MS: u64 = 1_000;

/// Drives a shop on the real clock.
pub struct DemoSource {
    name: SourceName,
    shop: SharedShop,
}

impl DemoSource {
    /// A source for this shop, whose live part should begin about now.
    #[must_use]
    pub fn new(shop: SharedShop) -> Self {
        Self { name: SourceName::new(shop::SOURCE), shop }
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
            for signal in history.await.unwrap_or_default() {
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
