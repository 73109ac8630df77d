//! The way out to systems that keep records and notify people. One client a system; each says what came of a try, and
//! none decides when the next one is: that is `outbox`'s.
//!
//! A try is a task of its own. Nothing waits for it, and its report comes back as an input.

mod answer;
mod jira;
mod pagerduty;
mod servicenow;
mod slack;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::ingest::IngestError;
use super::limits::DELIVERY_REPORT_QUEUE_MAX;
use super::model::{DeliveryAttempt, DeliveryOutcome, DeliveryReport, Destination};
use super::settings::OutboundSettings;
use answer::NotDelivered;
use jira::Jira;
use pagerduty::Pagerduty;
use servicenow::Servicenow;
use slack::Slack;

/// One system outside.
#[derive(Debug)]
enum Client {
    Servicenow(Servicenow),
    Jira(Jira),
    Slack(Slack),
    Pagerduty(Pagerduty),
}

impl Client {
    /// The server's address without secrets.
    fn address(&self) -> &Arc<str> {
        match self {
            Self::Servicenow(it) => it.address(),
            Self::Jira(it) => it.address(),
            Self::Slack(it) => it.address(),
            Self::Pagerduty(it) => it.address(),
        }
    }

    async fn deliver(&self, attempt: &DeliveryAttempt) -> Result<Arc<str>, NotDelivered> {
        match self {
            Self::Servicenow(it) => it.deliver(attempt).await,
            Self::Jira(it) => it.deliver(attempt).await,
            Self::Slack(it) => it.deliver(attempt).await,
            Self::Pagerduty(it) => it.deliver(attempt).await,
        }
    }
}

/// The clients of all configured destinations. One whose settings cannot be used says so at every try.
#[derive(Debug)]
pub struct Couriers {
    tasks: Handle,
    clients: BTreeMap<Destination, Arc<Result<Client, IngestError>>>,
}

impl Couriers {
    /// Couriers whose tries run on `tasks`. Nothing is sent yet.
    #[must_use]
    pub fn new(settings: &OutboundSettings, tasks: Handle) -> Self {
        let clients = clients(settings).into_iter().map(|(destination, client)| (destination, Arc::new(client)));
        Self { tasks, clients: clients.collect() }
    }

    /// Begins a try and returns at once; what comes of it is told to `reports`.
    pub fn send(&self, attempt: DeliveryAttempt, reports: DeliveryReportSink) {
        let client = self.clients.get(&attempt.delivery.destination).cloned();
        self.tasks.spawn(async move {
            let outcome = match client.as_deref() {
                Some(Ok(client)) => match client.deliver(&attempt).await {
                    Ok(reference) => DeliveryOutcome::Delivered { reference },
                    Err(failure) => failure.into_outcome(),
                },
                Some(Err(problem)) => not_usable(&problem.to_string()),
                None => not_usable("it is not configured"),
            };
            let (number, attempt) = (attempt.delivery.number, attempt.delivery.attempt_count);
            reports.send(DeliveryReport { number, attempt, outcome }).await;
        });
    }
}

/// What is wrong with settings can be mended before the next start, so the message waits.
fn not_usable(problem: &str) -> DeliveryOutcome {
    DeliveryOutcome::Retry { reason: Arc::from(problem), after_ms: None, may_have_arrived: false }
}

/// What is said of one destination's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationCheck {
    /// Which.
    pub destination: Destination,
    /// Its address without secrets; empty where that cannot be told.
    pub address: Arc<str>,
    /// What is wrong and what to do; `None` where nothing is.
    pub problem: Option<String>,
}

/// Looks at the settings of every configured destination, secrets included. Nothing is sent.
#[must_use]
pub fn check(settings: &OutboundSettings) -> Vec<DestinationCheck> {
    let checked = clients(settings).into_iter().map(|(destination, client)| match client {
        Ok(client) => DestinationCheck { destination, address: Arc::clone(client.address()), problem: None },
        Err(problem) => DestinationCheck { destination, address: Arc::from(""), problem: Some(problem.to_string()) },
    });
    checked.collect()
}

fn clients(settings: &OutboundSettings) -> Vec<(Destination, Result<Client, IngestError>)> {
    let servicenow = settings.servicenow.as_ref().map(|it| Servicenow::new(it).map(Client::Servicenow));
    let jira = settings.jira.as_ref().map(|it| Jira::new(it).map(Client::Jira));
    let slack = settings.slack.as_ref().map(|it| Slack::new(it).map(Client::Slack));
    let pagerduty = settings.pagerduty.as_ref().map(|it| Pagerduty::new(it).map(Client::Pagerduty));
    Destination::ALL
        .into_iter()
        .zip([servicenow, jira, slack, pagerduty])
        .filter_map(|(destination, client)| Some((destination, client?)))
        .collect()
}

/// Where tries tell what came of them. Clones share one bounded queue.
#[derive(Debug, Clone)]
pub struct DeliveryReportSink(mpsc::Sender<DeliveryReport>);

impl DeliveryReportSink {
    /// A sink and the end from which the driver reads; bounded by `limits::DELIVERY_REPORT_QUEUE_MAX`.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<DeliveryReport>) {
        let (sender, receiver) = mpsc::channel(DELIVERY_REPORT_QUEUE_MAX);
        (Self(sender), receiver)
    }

    /// Tells the engine, waiting while the queue is full. Once the engine has ended nobody is left to know; the next start
    /// finds the delivery under way.
    pub async fn send(&self, report: DeliveryReport) {
        let _ended = self.0.send(report).await;
    }

    /// The same without waiting; where the queue is full the try counts as unheard of after a while.
    pub fn try_send(&self, report: DeliveryReport) {
        if let Err(refused) = self.0.try_send(report) {
            tracing::warn!("the report of a delivery was not taken: {refused}");
        }
    }
}
