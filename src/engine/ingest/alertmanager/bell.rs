//! How a receiver that was told of alerts it was not given has them asked for.

use std::sync::Arc;

use tokio::sync::watch;

/// Rung by a receiver; every Alertmanager that is polled hears it. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct PollBell {
    rings: Arc<watch::Sender<()>>,
}

impl Default for PollBell {
    fn default() -> Self {
        Self { rings: Arc::new(watch::Sender::new(())) }
    }
}

impl PollBell {
    /// Asks for a poll now; false where nobody polls.
    pub fn ring(&self) -> bool {
        self.rings.send(()).is_ok()
    }

    /// One that listens.
    #[must_use]
    pub fn listener(&self) -> watch::Receiver<()> {
        self.rings.subscribe()
    }
}
