//! The webhook receiver as a source: Alertmanager's notifications, CloudEvents, GitHub's deployments and releases.
//!
//! It is bound to loopback unless a bearer token protects it. What it cannot hand to the engine it refuses, so that the sender, who can
//! wait, tries again.

mod guard;
mod listener;
mod routes;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpListener;

use self::listener::BoundedListener;
use self::routes::{Seen, Shared, router};
use super::alertmanager::bell::PollBell;
use super::backoff::Backoff;
use super::http_client::secret;
use super::{Health, IngestError, SignalSink, Source, StopSignal, wall_clock};
use crate::engine::limits::{WEBHOOK_QUEUE_WAIT_MS_MAX, WEBHOOK_READ_MS_MAX};
use crate::engine::model::{SourceKind, SourceName};
use crate::engine::settings::ReceiverSettings;

/// The source's name.
const NAME: &str = "webhook";
/// Between two reports while requests come.
const REPORT_MS: u64 = 1_000;
/// Looks for something to report between two reports that say that it is alive.
const QUIET_LOOKS_MAX: u32 = 15;

/// The webhook receiver.
#[derive(Debug)]
pub struct ReceiverSource {
    name: SourceName,
    address: SocketAddr,
    bearer: Option<SecretString>,
    github_secret: Option<SecretString>,
    service_labels: Vec<String>,
    bell: PollBell,
    queue_wait_ms: u64,
    read_ms: u64,
}

impl ReceiverSource {
    /// The receiver of `settings`, where there is one; nothing is bound yet.
    ///
    /// # Errors
    /// When the address is none, a secret cannot be read or is empty, or the address is not loopback and there is no bearer token.
    pub fn new(settings: &ReceiverSettings) -> Result<Option<Self>, IngestError> {
        let listen = settings.listen.trim();
        if listen.is_empty() {
            return Ok(None);
        }
        let refuse = |problem: &str| IngestError::Listen {
            name: NAME.to_owned(),
            address: listen.to_owned(),
            problem: problem.to_owned(),
        };
        let address: SocketAddr = listen
            .replacen("localhost:", "127.0.0.1:", 1)
            .parse()
            .map_err(|_| refuse("write it as 127.0.0.1:9099 or [::1]:9099"))?;
        let bearer = secret(NAME, &settings.bearer)?;
        if !address.ip().is_loopback() && bearer.is_none() {
            return Err(refuse("it can be reached from other machines; set `bearer`, or listen on 127.0.0.1"));
        }
        Ok(Some(Self {
            name: SourceName::new(NAME),
            address,
            bearer,
            github_secret: secret(NAME, &settings.github_secret)?,
            service_labels: settings.service_labels.clone(),
            bell: PollBell::default(),
            queue_wait_ms: WEBHOOK_QUEUE_WAIT_MS_MAX,
            read_ms: WEBHOOK_READ_MS_MAX,
        }))
    }

    /// The same, ringing `bell` when a delivery says that alerts were left out of it.
    #[must_use]
    pub fn ringing(mut self, bell: &PollBell) -> Self {
        self.bell = bell.clone();
        self
    }

    /// Binds the address, however long it takes; `None` when it should stop.
    async fn bind(&self, sink: &SignalSink, stop: &StopSignal) -> Option<(TcpListener, Health)> {
        let mut health = Health::new(self.name.clone(), SourceKind::Webhook, &format!("http://{}", self.address));
        let mut backoff = Backoff::for_name(NAME);
        loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => {
                    let bound = listener.local_addr().unwrap_or(self.address);
                    let mut bound = Health::new(self.name.clone(), SourceKind::Webhook, &format!("http://{bound}"));
                    bound.healthy(wall_clock::now());
                    return Some((listener, bound));
                }
                Err(problem) => {
                    let pause_ms = backoff.next_ms();
                    let now = wall_clock::now();
                    let reason =
                        format!("cannot listen on {}: {problem}; free the port or set another `listen`", self.address);
                    health.down(now, &reason, now + i64::try_from(pause_ms).unwrap_or(0));
                    sink.send(health.signal()).await;
                    if !stop.sleep_ms(pause_ms).await {
                        return None;
                    }
                }
            }
        }
    }
}

impl Source for ReceiverSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn run(self: Box<Self>, sink: SignalSink, stop: StopSignal) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let Some((listener, health)) = self.bind(&sink, &stop).await else { return };
            let seen = Seen {
                health,
                deployments: Default::default(),
                deliveries: Default::default(),
                left_out_count: 0,
                is_changed: true,
            };
            let shared = Arc::new(Shared {
                name: self.name,
                bearer: self.bearer,
                github_secret: self.github_secret,
                service_labels: self.service_labels,
                bell: self.bell,
                sink: sink.clone(),
                queue_wait: Duration::from_millis(self.queue_wait_ms),
                read_within: Duration::from_millis(self.read_ms),
                seen: Mutex::new(seen),
            });
            let serving = axum::serve(BoundedListener::new(listener, self.read_ms), router(Arc::clone(&shared)));
            tokio::select! {
                // Serving ends by itself only if accepting does, which it retries for ever.
                _ended = serving.into_future() => {}
                () = report(&shared, &sink, &stop) => {}
            }
        })
    }
}

/// Tells how the receiver is doing until it should stop.
async fn report(shared: &Shared, sink: &SignalSink, stop: &StopSignal) {
    let mut quiet_looks = 0;
    loop {
        let signal = {
            let mut seen = shared.seen();
            quiet_looks = if seen.is_changed { 0 } else { quiet_looks + 1 };
            let is_due = seen.is_changed || quiet_looks >= QUIET_LOOKS_MAX;
            seen.is_changed = false;
            is_due.then(|| seen.health.signal())
        };
        if let Some(signal) = signal {
            quiet_looks = 0;
            sink.send(signal).await;
        }
        if !stop.sleep_ms(REPORT_MS).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
