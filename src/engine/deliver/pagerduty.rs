//! PagerDuty: events of the API v2. An incident here is one alert there, known by its dedup key.

use std::sync::Arc;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{self, NotDelivered};
use crate::engine::ingest::IngestError;
use crate::engine::ingest::http_client::{ClientSettings, HttpSender, secret};
use crate::engine::model::{DeliveryAttempt, IncidentSeverity, OutwardEvent, OutwardMessage, ServiceName};
use crate::engine::settings::{PagerdutySettings, SecretSource};

/// Who is configured, for messages.
const NAME: &str = "outbound.pagerduty";
/// Where events go.
const ENQUEUE: &str = "/v2/enqueue";
/// Longest summary.
const TITLE_CHARS_MAX: usize = 1_024;

/// A client of one integration.
#[derive(Debug)]
pub(super) struct Pagerduty {
    http: HttpSender,
    routing_key: SecretString,
}

#[derive(Deserialize)]
struct Taken {
    dedup_key: Option<String>,
}

impl Pagerduty {
    pub(super) fn new(settings: &PagerdutySettings) -> Result<Self, IngestError> {
        let none = SecretSource::default();
        let routing_key = secret(NAME, &settings.routing_key)?.ok_or_else(|| IngestError::Setting {
            name: NAME.to_owned(),
            key: "routing_key",
            problem: "no environment variable or file is named for it; it is the integration key of a service"
                .to_owned(),
        })?;
        let http = HttpSender::new(ClientSettings {
            name: NAME,
            url: &settings.url,
            timeout_ms: settings.timeout.0,
            bearer: &none,
            username: None,
            password: &none,
            headers: None,
            ca_file: settings.ca_file.as_deref(),
        })?;
        Ok(Self { http, routing_key })
    }

    pub(super) fn address(&self) -> &Arc<str> {
        self.http.address()
    }

    /// Sends the event; told twice it is one all the same.
    pub(super) async fn deliver(&self, attempt: &DeliveryAttempt) -> Result<Arc<str>, NotDelivered> {
        let message = &attempt.delivery.message;
        let body = event(message, self.routing_key.expose_secret());
        let told = self.http.send(Method::POST, ENQUEUE, &[], Some(&body)).await?;
        let told = answer::judge(self.address(), told)?;
        let taken: Taken = answer::read(self.address(), &told)?;
        Ok(Arc::from(taken.dedup_key.unwrap_or_else(|| message.token())))
    }
}

fn event(message: &OutwardMessage, routing_key: &str) -> Value {
    let action = match message.event {
        OutwardEvent::IncidentAcknowledged => "acknowledge",
        OutwardEvent::IncidentResolved => "resolve",
        _ => "trigger",
    };
    let severity = match message.severity {
        Some(IncidentSeverity::Sev1) => "critical",
        Some(IncidentSeverity::Sev2) => "error",
        Some(IncidentSeverity::Sev3) => "warning",
        Some(IncidentSeverity::Sev4) | None => "info",
    };
    let service = message.service.as_ref().map(ServiceName::as_str);
    let summary: String = message.title.chars().take(TITLE_CHARS_MAX).collect();
    json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": message.token(),
        "client": "Hypocenter",
        "payload": {
            "summary": summary,
            "source": service.unwrap_or("hypocenter"),
            "severity": severity,
            "timestamp": message.at,
            "component": service,
            "custom_details": { "event": message.event.word(), "text": message.text.as_ref() },
        },
    })
}
