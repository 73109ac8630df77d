//! An Alertmanager as a source: the whole list of alerts is polled, and what is no longer in it is resolved.

pub mod bell;
pub mod notice;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use serde_json::Value;
use tokio::sync::watch;

use self::bell::PollBell;
use self::notice::{TakenAlert, resolved};
use super::backoff::Backoff;
use super::http_client::{Answer, AskError, ClientSettings, HttpClient};
use super::{Health, IngestError, SignalSink, Source, StopSignal, normalize, wall_clock};
use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::limits::{ALERTS_MAX, LABEL_VALUE_BYTES_MAX};
use crate::engine::model::{AlertNotice, DropReason, Fingerprint, Signal, SourceKind, SourceName};
use crate::engine::settings::AlertmanagerSettings;

/// An alert that has not changed is told again after this long, as a sign of life.
const REPEAT_MS: i64 = MINUTE_MS;
/// A server that was started less than this ago may not have been told every alert again.
const YOUNG_MS: i64 = 5 * MINUTE_MS;

/// Between two polls at least: more often than twice a second would only load the server.
const POLL_MS_MIN: u64 = 500;

/// A polled Alertmanager.
#[derive(Debug)]
pub struct AlertmanagerSource {
    name: SourceName,
    client: HttpClient,
    interval_ms: u64,
    service_labels: Vec<String>,
    health: Health,
    known: Known,
    backoff: Backoff,
    rings: Option<watch::Receiver<()>>,
}

impl AlertmanagerSource {
    /// Polls the server of `settings`; nothing is asked yet.
    ///
    /// # Errors
    /// When the address, a secret or the certificate file cannot be used.
    pub fn new(settings: &AlertmanagerSettings) -> Result<Self, IngestError> {
        let client = HttpClient::new(ClientSettings {
            name: &settings.name,
            url: &settings.url,
            timeout_ms: settings.timeout.0,
            bearer: &settings.bearer,
            username: settings.username.as_deref(),
            password: &settings.password,
            headers: None,
            ca_file: settings.ca_file.as_deref(),
        })?;
        let name = SourceName::from(normalize::sanitize(&settings.name, LABEL_VALUE_BYTES_MAX));
        Ok(Self {
            health: Health::new(name.clone(), SourceKind::Alertmanager, client.address()),
            backoff: Backoff::for_name(&settings.name),
            interval_ms: u64::try_from(settings.interval.0).unwrap_or(0).max(POLL_MS_MIN),
            service_labels: settings.service_labels.clone(),
            known: Known::default(),
            rings: None,
            client,
            name,
        })
    }

    /// The same, polled at once when `bell` rings, too.
    #[must_use]
    pub fn hearing(mut self, bell: &PollBell) -> Self {
        self.rings = Some(bell.listener());
        self
    }

    /// Waits until the next poll is due or the bell rings; false when the source should end. While the server is down only its own
    /// pauses count.
    async fn wait(&mut self, pause_ms: u64, stop: &StopSignal) -> bool {
        let is_down = self.health.is_down();
        let ring = async {
            let is_rung = match &mut self.rings {
                Some(rings) if !is_down => rings.changed().await.is_ok(),
                _ => false,
            };
            if !is_rung {
                // Nobody rings, or nobody can any more.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            is_running = stop.sleep_ms(pause_ms) => is_running,
            // A storm of deliveries is one poll.
            () = ring => stop.sleep_ms(POLL_MS_MIN).await,
        }
    }

    /// One poll; says how long to wait before the next.
    async fn poll(&mut self, sink: &SignalSink) -> u64 {
        match self.ask().await {
            Ok((answer, alerts)) => {
                self.backoff.reset();
                self.take(&answer, alerts, sink).await;
                self.interval_ms
            }
            Err(problem) => {
                let pause_ms = self.backoff.next_ms_after(problem.retry_after_ms());
                let now = wall_clock::now();
                self.health.down(now, &problem.to_string(), now + i64::try_from(pause_ms).unwrap_or(0));
                pause_ms
            }
        }
    }

    async fn ask(&self) -> Result<(Answer, Vec<Value>), AskError> {
        let answer = self.client.get("/api/v2/alerts", &[]).await?;
        let alerts = serde_json::from_slice(&answer.body).map_err(|problem| AskError::Unreadable {
            address: answer.address.clone(),
            problem: normalize::sanitize(&problem.to_string(), LABEL_VALUE_BYTES_MAX),
        })?;
        Ok((answer, alerts))
    }

    async fn take(&mut self, answer: &Answer, alerts: Vec<Value>, sink: &SignalSink) {
        let now = wall_clock::now();
        self.health.clock_skew(answer.skew_ms);
        self.health.poll_took(answer.took_ms);
        let too_many = alerts.len().saturating_sub(ALERTS_MAX);
        self.health.drop_for(DropReason::TooMany, too_many as u64);
        let mut problems = Vec::new();
        let mut notices = Vec::with_capacity(alerts.len().min(ALERTS_MAX));
        for alert in alerts.into_iter().take(ALERTS_MAX) {
            match notice::read(alert, &self.name, &self.service_labels, now) {
                Ok(taken) => notices.push(taken),
                Err(problem) => problems.push(problem.to_string()),
            }
        }
        self.health.drop_for(DropReason::Malformed, problems.len() as u64);
        let is_complete = problems.is_empty() && too_many == 0;
        let has_gaps = self.known.is_any_missing(&notices);
        let is_trusted = is_complete && !(has_gaps && self.is_young(now).await);
        for taken in &notices {
            for reason in &taken.set_aside {
                self.health.drop_for(*reason, 1);
            }
        }
        let news = self.known.update(notices, is_trusted, now);
        self.health.accept(news.len() as u64);
        for notice in news {
            sink.send(Signal::Alert(notice)).await;
        }
        match problems.first() {
            Some(problem) => {
                let reason = format!("{} alerts could not be read, the first because {problem}", problems.len());
                self.health.degraded(now, &reason);
            }
            None => self.health.healthy(now),
        }
    }

    /// True for a server that was started so lately that an alert missing from its list says nothing.
    async fn is_young(&self, now: Timestamp) -> bool {
        let Ok(answer) = self.client.get("/api/v2/status", &[]).await else { return true };
        let status: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let started_at =
            status.get("uptime").and_then(Value::as_str).and_then(|text| Timestamp::parse_rfc3339(text).ok());
        // The start is told by the server's clock.
        started_at
            .is_some_and(|at| now.since_ms(at - answer.skew_ms.unwrap_or(0)) < YOUNG_MS && self.known.began_before(at))
    }
}

impl Source for AlertmanagerSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    fn run(mut self: Box<Self>, sink: SignalSink, stop: StopSignal) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            loop {
                let pause_ms = tokio::select! {
                    biased;
                    () = stop.stopped() => return,
                    pause_ms = self.poll(&sink) => pause_ms,
                };
                sink.send(self.health.signal()).await;
                if !self.wait(pause_ms, &stop).await {
                    return;
                }
                if let Some(rings) = &mut self.rings {
                    // This poll answers every ring before it.
                    rings.mark_unchanged();
                }
            }
        })
    }
}

/// The alerts of the last answer.
#[derive(Debug, Default)]
struct Known {
    alerts: BTreeMap<Fingerprint, (AlertNotice, Timestamp)>,
    first_answer_at: Option<Timestamp>,
}

impl Known {
    /// True when an alert of the last answer is not in this one.
    fn is_any_missing(&self, answer: &[TakenAlert]) -> bool {
        let told: std::collections::BTreeSet<Fingerprint> =
            answer.iter().map(|taken| taken.notice.fingerprint).collect();
        self.alerts.keys().any(|fingerprint| !told.contains(fingerprint))
    }

    /// True when we had an answer before `at`, so that a start at `at` is a restart.
    fn began_before(&self, at: Timestamp) -> bool {
        self.first_answer_at.is_some_and(|first| first < at)
    }

    /// What is news: alerts that are new, changed or due for a sign of life, worst first, and those that are over.
    /// Only of an answer that is trusted to be whole a missing alert means that it is over.
    fn update(&mut self, answer: Vec<TakenAlert>, is_trusted: bool, now: Timestamp) -> Vec<AlertNotice> {
        self.first_answer_at.get_or_insert(now);
        let mut before = std::mem::take(&mut self.alerts);
        let mut news = Vec::new();
        for TakenAlert { notice, .. } in answer {
            let told_at = match before.remove(&notice.fingerprint) {
                Some((last, told_at)) if last == notice && now.since_ms(told_at) < REPEAT_MS => told_at,
                _ => {
                    news.push(notice.clone());
                    now
                }
            };
            self.alerts.insert(notice.fingerprint, (notice, told_at));
        }
        news.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.fingerprint.cmp(&b.fingerprint)));
        if is_trusted {
            news.extend(before.values().map(|(notice, _)| resolved(notice, now)));
        } else {
            self.alerts.extend(before);
        }
        news
    }
}

#[cfg(test)]
mod tests;
