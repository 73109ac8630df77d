//! What is answered to whom: one function a route.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use secrecy::SecretString;
use serde_json::Value;

use super::guard::{self, Deliveries, Refusal};
use crate::engine::ingest::alertmanager::bell::PollBell;
use crate::engine::ingest::alertmanager::notice;
use crate::engine::ingest::change_events::cloud_events;
use crate::engine::ingest::change_events::github::{Delivery, Deployments};
use crate::engine::ingest::{Health, QueueFull, SignalSink, wall_clock};
use crate::engine::model::{DropReason, Signal, SourceName};

/// What every route works with.
pub(super) struct Shared {
    pub name: SourceName,
    pub bearer: Option<SecretString>,
    pub github_secret: Option<SecretString>,
    pub service_labels: Vec<String>,
    /// Asks the Alertmanagers that are polled for what a delivery left out.
    pub bell: PollBell,
    pub sink: SignalSink,
    /// How long a request waits for room in the engine's queue.
    pub queue_wait: Duration,
    /// How long a body may take to arrive.
    pub read_within: Duration,
    pub seen: Mutex<Seen>,
}

/// What changes from request to request.
pub(super) struct Seen {
    pub health: Health,
    pub deployments: Deployments,
    pub deliveries: Deliveries,
    /// Alerts that Alertmanager has left out of its deliveries.
    pub left_out_count: u64,
    /// True when there is something to report.
    pub is_changed: bool,
}

/// Why a request was not taken.
enum Trouble {
    Refused(Refusal),
    NotUnderstood(String),
    Full,
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<QueueFull> for Trouble {
    fn from(_: QueueFull) -> Self {
        Self::Full
    }
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/webhook/alertmanager", post(alertmanager))
        .route("/webhook/events", post(events))
        .route("/webhook/github", post(github))
        .route("/healthz", get(|| async { answer(StatusCode::OK, "ok") }))
        .fallback(|| async {
            let routes = "there is nothing here; POST to /webhook/alertmanager, /webhook/events or /webhook/github";
            answer(StatusCode::NOT_FOUND, routes)
        })
        .with_state(shared)
}

async fn alertmanager(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let outcome = take_alerts(&shared, &headers, body).await;
    shared.finish(outcome)
}

async fn events(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let outcome = take_events(&shared, &headers, body).await;
    shared.finish(outcome)
}

async fn github(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let outcome = take_delivery(&shared, &headers, body).await;
    shared.finish(outcome)
}

async fn take_alerts(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<String, Trouble> {
    guard::token(headers, shared.bearer.as_ref())?;
    let body = guard::body(headers, body, shared.read_within).await?;
    let expected = |problem: &str| {
        Trouble::NotUnderstood(format!(
            "expected Alertmanager's webhook payload, version \"4\" with an array `alerts`, without a custom `payload`; {problem}"
        ))
    };
    let mut payload: Value = serde_json::from_slice(&body).map_err(|problem| expected(&problem.to_string()))?;
    if payload.get("version").and_then(Value::as_str) != Some("4") {
        return Err(expected("`version` is missing or another"));
    }
    let Some(Value::Array(alerts)) = payload.get_mut("alerts").map(Value::take) else {
        return Err(expected("`alerts` is missing or no array"));
    };
    let now = wall_clock::now();
    let (mut notices, mut set_aside) = (Vec::with_capacity(alerts.len()), Vec::new());
    for alert in alerts {
        match notice::read(alert, &shared.name, &shared.service_labels, now) {
            Ok(taken) => {
                set_aside.extend(taken.set_aside);
                notices.push(taken.notice);
            }
            Err(_) => set_aside.push(DropReason::Malformed),
        }
    }
    // Alertmanager says how many it left out (`max_alerts`).
    let left_out = payload.get("truncatedAlerts").and_then(Value::as_u64).unwrap_or(0);
    shared.count(DropReason::TooMany, left_out);
    for reason in set_aside {
        shared.count(reason, 1);
    }
    let count = notices.len();
    notices.sort_by_key(|notice| std::cmp::Reverse(notice.severity));
    shared.hand_in(notices.into_iter().map(Signal::Alert)).await?;
    if left_out > 0 {
        shared.miss(left_out);
    }
    Ok(format!("{count} alerts taken"))
}

async fn take_events(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<String, Trouble> {
    guard::token(headers, shared.bearer.as_ref())?;
    let body = guard::body(headers, body, shared.read_within).await?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let events = cloud_events::parse(&body, header, &shared.name, wall_clock::now())
        .map_err(|problem| Trouble::NotUnderstood(problem.to_string()))?;
    if let (Some(problem), true) = (events.problems.first(), events.changes.is_empty()) {
        return Err(Trouble::NotUnderstood(problem.to_string()));
    }
    shared.count(DropReason::Malformed, events.problems.len() as u64);
    for reason in events.changes.iter().filter_map(|taken| taken.set_aside) {
        shared.count(reason, 1);
    }
    let answer = format!("{} changes taken, {} events ignored", events.changes.len(), events.ignored_count);
    shared.hand_in(events.changes.into_iter().map(|taken| Signal::Change(taken.notice))).await?;
    Ok(answer)
}

async fn take_delivery(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<String, Trouble> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Before the body is read: without a secret nothing GitHub sends can be believed.
    if shared.github_secret.is_none() {
        return Err(Refusal::NoSecret.into());
    }
    let body = guard::body(headers, body, shared.read_within).await?;
    guard::signature(headers, &body, shared.github_secret.as_ref())?;
    let (event, delivery) = (header("x-github-event"), header("x-github-delivery"));
    if event.is_empty() || delivery.is_empty() {
        return Err(Trouble::NotUnderstood("expected the headers X-GitHub-Event and X-GitHub-Delivery".to_owned()));
    }
    // The delivery's number is not signed; the signature stands for the body, so a replay under another number is known too.
    let keys = [delivery, header("x-hub-signature-256")];
    if keys.iter().any(|key| shared.seen().deliveries.is_known(key)) {
        shared.count(DropReason::Duplicate, 1);
        return Ok("taken before".to_owned());
    }
    let parsed = shared.seen().deployments.parse(event, &body, &shared.name, wall_clock::now());
    let answer = match parsed.map_err(|problem| Trouble::NotUnderstood(problem.to_string()))? {
        Delivery::Ping => "pong".to_owned(),
        Delivery::Ignored(what) => format!("{what} is no change; ignored"),
        Delivery::Change(taken) => {
            taken.set_aside.into_iter().for_each(|reason| shared.count(reason, 1));
            shared.hand_in([Signal::Change(taken.notice)].into_iter()).await?;
            "1 change taken".to_owned()
        }
    };
    // Only what was taken is remembered: what did not fit in the queue is sent again under the same number.
    keys.iter().for_each(|key| shared.seen().deliveries.remember(key));
    Ok(answer)
}

impl Shared {
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        // A panic while counting leaves counts behind, nothing worse.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, reason: DropReason, count: u64) {
        let mut seen = self.seen();
        seen.is_changed |= count > 0;
        seen.health.drop_for(reason, count);
    }

    /// A delivery was not whole: what is missing is asked for, where there is somebody to ask it.
    fn miss(&self, left_out: u64) {
        let is_asked_for = self.bell.ring();
        let mut seen = self.seen();
        seen.left_out_count = seen.left_out_count.saturating_add(left_out);
        let count = seen.left_out_count;
        if is_asked_for {
            let text = format!("Alertmanager left {count} alerts out of its deliveries; its API was asked for them");
            seen.health.warnings([text]);
        } else {
            let text = format!(
                "Alertmanager left {count} alerts out of its deliveries; set `max_alerts: 0` for this receiver there, \
                 or name it under [[alertmanager]], so that its API is asked for them"
            );
            seen.health.warnings([&text]);
            seen.health.degraded(wall_clock::now(), &text);
        }
        seen.is_changed = true;
    }

    /// Hands signals to the engine, waiting a little in all while the queue is full. What was handed in before it stayed full comes
    /// again with the next try, and the engine knows it by its identity.
    async fn hand_in(&self, signals: impl Iterator<Item = Signal>) -> Result<(), QueueFull> {
        let patience = tokio::time::sleep(self.queue_wait);
        tokio::pin!(patience);
        let mut count = 0;
        for signal in signals {
            tokio::select! {
                biased;
                () = self.sink.send(signal) => count += 1,
                () = &mut patience => return Err(QueueFull),
            }
        }
        let mut seen = self.seen();
        seen.health.accept(count);
        seen.health.healthy(wall_clock::now());
        seen.is_changed = true;
        Ok(())
    }

    fn finish(&self, outcome: Result<String, Trouble>) -> Response {
        let (status, reason, text) = match outcome {
            Ok(text) => return answer(StatusCode::OK, &text),
            Err(Trouble::NotUnderstood(text)) => (StatusCode::BAD_REQUEST, DropReason::Malformed, text),
            Err(Trouble::Full) => {
                let text = "the engine's input queue is full; send it again in a few seconds".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, DropReason::QueueFull, text)
            }
            Err(Trouble::Refused(refusal)) => {
                let (status, reason) = judged(refusal);
                (status, reason, refusal.to_string())
            }
        };
        self.count(reason, 1);
        self.seen().health.warnings([&text]);
        let mut response = answer(status, &text);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

fn judged(refusal: Refusal) -> (StatusCode, DropReason) {
    match refusal {
        Refusal::Token | Refusal::Signature | Refusal::NoSecret => (StatusCode::UNAUTHORIZED, DropReason::Unauthorized),
        Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, DropReason::TooLarge),
        Refusal::TooSlow => (StatusCode::REQUEST_TIMEOUT, DropReason::Malformed),
        Refusal::Broken | Refusal::TooDeep => (StatusCode::BAD_REQUEST, DropReason::Malformed),
        Refusal::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, DropReason::Malformed),
    }
}

fn answer(status: StatusCode, text: &str) -> Response {
    let mut response = (status, format!("{text}\n")).into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
