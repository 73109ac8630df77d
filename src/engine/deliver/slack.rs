//! Slack: a message by an incoming webhook, whose address is a secret. What was posted cannot be found again.

use std::sync::Arc;

use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::answer::{self, NotDelivered};
use crate::engine::ingest::IngestError;
use crate::engine::ingest::http_client::{ClientSettings, HttpSender, secret};
use crate::engine::model::{DeliveryAttempt, OutwardMessage};
use crate::engine::settings::{SecretSource, SlackSettings};

/// Who is configured, for messages.
const NAME: &str = "outbound.slack";
/// Characters of one message.
const TEXT_CHARS_MAX: usize = 12_000;

/// A client of one channel.
#[derive(Debug)]
pub(super) struct Slack {
    http: HttpSender,
    path: SecretString,
}

impl Slack {
    pub(super) fn new(settings: &SlackSettings) -> Result<Self, IngestError> {
        let refuse = |problem: &str| IngestError::Setting {
            name: NAME.to_owned(),
            key: "webhook",
            problem: format!("{problem}; take the address from the app's page `Incoming Webhooks`"),
        };
        let webhook = secret(NAME, &settings.webhook)?
            .ok_or_else(|| refuse("no environment variable or file is named for it"))?;
        // Nothing of the address is repeated: all of it is the secret.
        let address = Url::parse(webhook.expose_secret()).map_err(|_| refuse("it is no address"))?;
        let origin = address.origin().ascii_serialization();
        let none = SecretSource::default();
        let http = HttpSender::new(ClientSettings {
            name: NAME,
            url: &origin,
            timeout_ms: settings.timeout.0,
            bearer: &none,
            username: None,
            password: &none,
            headers: None,
            ca_file: settings.ca_file.as_deref(),
        })?;
        Ok(Self { http, path: SecretString::from(address.path().to_owned()) })
    }

    pub(super) fn address(&self) -> &Arc<str> {
        self.http.address()
    }

    /// Posts the message.
    pub(super) async fn deliver(&self, attempt: &DeliveryAttempt) -> Result<Arc<str>, NotDelivered> {
        let body = json!({ "text": text(&attempt.delivery.message) });
        let told = self.http.send(Method::POST, self.path.expose_secret(), &[], Some(&body)).await?;
        let told = answer::judge(self.address(), told).map_err(not_posted)?;
        let said = String::from_utf8_lossy(&told.body);
        if said.trim() == "ok" {
            Ok(Arc::from("posted"))
        } else {
            // Slack itself says `ok`; whatever said this has posted nothing.
            Err(not_posted(NotDelivered::unreadable(self.address(), "no `ok`")))
        }
    }
}

/// An answer, even one of failure, says that nothing was posted.
fn not_posted(failure: NotDelivered) -> NotDelivered {
    match failure {
        NotDelivered::Retry { reason, after_ms, .. } => {
            NotDelivered::Retry { reason, after_ms, may_have_arrived: false }
        }
        refused @ NotDelivered::Refused { .. } => refused,
    }
}

/// The title in bold and the text; what would be a link, a mention or an entity is written out.
fn text(message: &OutwardMessage) -> String {
    let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = format!("*{}*\n{}", plain(&message.title), plain(&message.text));
    text.chars().take(TEXT_CHARS_MAX).collect()
}
