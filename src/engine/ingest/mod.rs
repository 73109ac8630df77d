//! Outside to signal: read only.
//!
//! A [`Source`] pulls or receives, passes everything through [`normalize`], and hands [`Signal`]s into one bounded
//! queue. A puller waits when the queue is full; a receiver refuses, so that the sender tries again. How a source is doing
//! goes the same way, as [`Signal::Source`], kept by [`health::Health`]. A source never gives up: what fails is a state that is
//! shown, and the next try follows by [`backoff`].

pub mod alertmanager;
pub mod backoff;
pub mod change_events;
pub mod change_file;
pub mod configured_topology;
pub mod discovery;
pub mod health;
pub mod host;
pub mod http_client;
pub mod log_file;
pub mod log_layout;
pub mod log_line;
pub mod normalize;
pub mod pace;
pub mod prometheus;
pub mod receiver;
pub mod tail;
pub mod wall_clock;

use std::future::Future;
use std::pin::Pin;

use tokio::sync::{mpsc, watch};

use super::limits::INPUT_QUEUE_MAX;
use super::model::{Signal, SourceName};

pub use health::Health;
use pace::Pace;

/// A configured origin of signals.
pub trait Source: Send {
    /// Its name, unique among sources.
    fn name(&self) -> &SourceName;

    /// Runs until it is stopped. It recovers from everything that can be recovered from and says so by its reports.
    fn run(self: Box<Self>, sink: SignalSink, stop: StopSignal) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// What can be wrong with a source's settings. A server that does not answer is not among it: that is a state.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// An address that cannot be asked.
    #[error("source `{name}`: address `{address}` cannot be used: {problem}")]
    Address {
        /// The source.
        name: String,
        /// The address, without secrets.
        address: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A secret that cannot be read.
    #[error("source `{name}`: no secret in {origin}: {problem}")]
    Secret {
        /// The source.
        name: String,
        /// The environment variable or file.
        origin: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A file that cannot be read.
    #[error("source `{name}`: file {path} cannot be used: {problem}")]
    File {
        /// The source.
        name: String,
        /// The file.
        path: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A setting that makes no sense.
    #[error("source `{name}`: setting `{key}`: {problem}")]
    Setting {
        /// The source.
        name: String,
        /// Which setting.
        key: &'static str,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// An address that cannot be listened on.
    #[error("source `{name}`: cannot listen on {address}: {problem}")]
    Listen {
        /// The source.
        name: String,
        /// The address.
        address: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
}

/// The engine's input queue is full: try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine's input queue is full: send it again in a few seconds")]
pub struct QueueFull;

/// The sources' end of the engine's bounded input queue. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct SignalSink {
    queue: mpsc::Sender<Signal>,
    pace: Pace,
}

impl SignalSink {
    /// The queue for `INPUT_QUEUE_MAX` signals: the end for sources and the end for the engine.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<Signal>) {
        Self::bounded(INPUT_QUEUE_MAX)
    }

    /// The same for another size, for tests. At least one signal fits in.
    #[must_use]
    pub fn bounded(signals_max: usize) -> (Self, mpsc::Receiver<Signal>) {
        let (queue, receiver) = mpsc::channel(signals_max.max(1));
        (Self { queue, pace: Pace::default() }, receiver)
    }

    /// How often metrics are to be read.
    #[must_use]
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Hands a signal in, waiting while the queue is full. Once the engine is gone it is dropped: nobody is left to know.
    pub async fn send(&self, signal: Signal) {
        // The only error is an engine that has ended, and then the stop signal ends the source as well.
        let _ended = self.queue.send(signal).await;
    }

    /// Hands a signal in at once, for receivers whose sender can wait better than we can.
    ///
    /// # Errors
    /// When the queue is full or the engine has ended.
    pub fn try_send(&self, signal: Signal) -> Result<(), QueueFull> {
        self.queue.try_send(signal).map_err(|_| QueueFull)
    }
}

/// Stops every source that holds the [`StopSignal`] made with it; dropping it does the same.
#[derive(Debug)]
pub struct StopSwitch {
    sender: watch::Sender<bool>,
}

impl StopSwitch {
    /// Stops the sources.
    pub fn stop(&self) {
        self.sender.send_replace(true);
    }
}

/// Tells a source to end. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct StopSignal {
    receiver: watch::Receiver<bool>,
}

impl StopSignal {
    /// A switch and its signal.
    #[must_use]
    pub fn pair() -> (StopSwitch, Self) {
        let (sender, receiver) = watch::channel(false);
        (StopSwitch { sender }, Self { receiver })
    }

    /// True once the source should end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.receiver.borrow() || self.receiver.has_changed().is_err()
    }

    /// Returns once the source should end.
    pub async fn stopped(&self) {
        let mut receiver = self.receiver.clone();
        // An error means that the switch was dropped, which stops as well.
        let _switch_is_gone = receiver.wait_for(|is_stopped| *is_stopped).await;
    }

    /// Waits for `ms`, or less when the source should end; false in the latter case.
    pub async fn sleep_ms(&self, ms: u64) -> bool {
        tokio::select! {
            biased;
            () = self.stopped() => false,
            () = tokio::time::sleep(std::time::Duration::from_millis(ms)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::SampleBatch;

    fn batch() -> Signal {
        Signal::Samples(SampleBatch { source: "test".into(), is_backfill: false, samples: Vec::new() })
    }

    #[tokio::test]
    async fn a_full_queue_refuses_receivers_and_makes_pullers_wait() {
        let (sink, mut receiver) = SignalSink::bounded(1);
        sink.send(batch()).await;
        assert_eq!(sink.try_send(batch()), Err(QueueFull));
        let waiting = tokio::spawn({
            let sink = sink.clone();
            async move { sink.send(batch()).await }
        });
        assert!(receiver.recv().await.is_some());
        waiting.await.unwrap();
        assert!(receiver.recv().await.is_some());
    }

    #[tokio::test]
    async fn sources_stop_by_the_switch_and_when_it_is_dropped() {
        let (switch, signal) = StopSignal::pair();
        assert!(!signal.is_stopped());
        switch.stop();
        signal.stopped().await;
        assert!(signal.is_stopped());
        assert!(!signal.sleep_ms(3_600_000).await);

        let (switch, signal) = StopSignal::pair();
        drop(switch);
        signal.stopped().await;
        assert!(signal.is_stopped());
    }
}
