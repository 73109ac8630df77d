//! What a request has to pass before it is read: the sender's token or signature, the body's size, time and depth.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use futures_util::StreamExt as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::engine::ingest::change_events::cloud_events::is_json_type;
use crate::engine::ingest::normalize::is_deeper_than;
use crate::engine::limits::{WEBHOOK_BODY_BYTES_MAX, WEBHOOK_DELIVERIES_MAX, WEBHOOK_DEPTH_MAX, WEBHOOK_READ_MS_MAX};

/// Why a request was turned away before it was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// No token, or another.
    #[error("expected the header `Authorization: Bearer TOKEN` with the token of this receiver's `bearer` setting")]
    Token,
    /// No signature, or not of this body.
    #[error(
        "expected X-Hub-Signature-256 over the body, made with the secret of this receiver's `github_secret` setting"
    )]
    Signature,
    /// There is no secret to check signatures with.
    #[error("this receiver has no `github_secret`, so it takes nothing from GitHub; set one here and at GitHub")]
    NoSecret,
    /// Longer than the limit.
    #[error("the body is longer than {WEBHOOK_BODY_BYTES_MAX} bytes; send less at once (Alertmanager: max_alerts)")]
    TooLarge,
    /// It took too long to arrive.
    #[error("the body did not arrive within {WEBHOOK_READ_MS_MAX} ms")]
    TooSlow,
    /// The connection broke.
    #[error("the body ended before its time")]
    Broken,
    /// Nested deeper than anything that is meant to be read.
    #[error("the JSON is nested deeper than {WEBHOOK_DEPTH_MAX} levels")]
    TooDeep,
    /// Not plain JSON. A web page cannot send this type without being allowed to, which it is not.
    #[error("expected a body of type application/json or application/cloudevents+json, not compressed")]
    NotJson,
}

type HmacSha256 = Hmac<Sha256>;

/// Checks the bearer token in constant time; without an expected one everybody may send.
pub(super) fn token(headers: &HeaderMap, expected: Option<&SecretString>) -> Result<(), Refusal> {
    let Some(expected) = expected else { return Ok(()) };
    let given = headers.get(AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
    let is_bearer = given.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
    let given = given.get(7..).filter(|_| is_bearer).unwrap_or_default().trim_ascii();
    // Compared by their digests, whose length tells nothing of the token's.
    let digest = |text: &[u8]| HmacSha256::new_from_slice(b"token").map(|mac| mac.chain_update(text));
    let expected = digest(expected.expose_secret().as_bytes()).map_err(|_| Refusal::Token)?.finalize().into_bytes();
    digest(given).map_err(|_| Refusal::Token)?.verify_slice(&expected).map_err(|_| Refusal::Token)
}

/// Checks GitHub's signature of the raw body in constant time.
/// Source: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>.
pub(super) fn signature(headers: &HeaderMap, body: &[u8], secret: Option<&SecretString>) -> Result<(), Refusal> {
    let secret = secret.ok_or(Refusal::NoSecret)?;
    let given = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok()).ok_or(Refusal::Signature)?;
    let given = given.strip_prefix("sha256=").and_then(from_hex).ok_or(Refusal::Signature)?;
    let mac = HmacSha256::new_from_slice(secret.expose_secret().as_bytes()).map_err(|_| Refusal::Signature)?;
    mac.chain_update(body).verify_slice(&given).map_err(|_| Refusal::Signature)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 {
        return None;
    }
    text.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect()
}

/// Reads a body of JSON within the limits of size, time and depth.
pub(super) async fn body(headers: &HeaderMap, body: Body, within: Duration) -> Result<Vec<u8>, Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let kind = text(CONTENT_TYPE);
    let is_json = kind.trim_start().to_ascii_lowercase().starts_with("application/") && is_json_type(kind);
    // A web page can send no header of its own either without being allowed to: with one, the data may be of any type.
    let is_binary_event = headers.contains_key("ce-specversion");
    if !(is_json || is_binary_event) || !matches!(text(CONTENT_ENCODING), "" | "identity") {
        return Err(Refusal::NotJson);
    }
    if text(CONTENT_LENGTH).parse::<usize>().is_ok_and(|length| length > WEBHOOK_BODY_BYTES_MAX) {
        return Err(Refusal::TooLarge);
    }
    let bytes = tokio::time::timeout(within, collect(body)).await.map_err(|_| Refusal::TooSlow)??;
    let is_read = kind.is_empty() || is_json_type(kind);
    if is_read && is_deeper_than(&bytes, WEBHOOK_DEPTH_MAX) { Err(Refusal::TooDeep) } else { Ok(bytes) }
}

async fn collect(body: Body) -> Result<Vec<u8>, Refusal> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Refusal::Broken)?;
        if bytes.len() + chunk.len() > WEBHOOK_BODY_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Deliveries that were taken, so that each is taken once; the oldest are forgotten.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    known: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Deliveries {
    /// True when it was taken before.
    pub fn is_known(&self, key: &str) -> bool {
        self.known.contains(key)
    }

    /// It has been taken.
    pub fn remember(&mut self, key: &str) {
        if self.known.insert(key.to_owned()) {
            self.order.push_back(key.to_owned());
        }
        if self.order.len() > WEBHOOK_DELIVERIES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn githubs_own_example_is_accepted_and_every_change_to_it_refused() {
        let secret = SecretString::from("It's a Secret to Everybody".to_owned());
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let check = |value: &str, body: &[u8]| signature(&headers("x-hub-signature-256", value), body, Some(&secret));
        assert_eq!(check(good, b"Hello, World!"), Ok(()));
        assert_eq!(check(&good.to_uppercase().replace("SHA256", "sha256"), b"Hello, World!"), Ok(()));
        assert_eq!(check(good, b"Hello, World"), Err(Refusal::Signature));
        for forged in [
            good.replace("757", "857"),
            good.replace("sha256=", ""),
            good.replace("sha256=", "sha1="),
            good[..70].to_owned(),
            format!("{good}00"),
            "sha256=".to_owned(),
            format!("sha256={}", "ß".repeat(32)),
            format!("sha256={}", "+".repeat(64)),
        ] {
            assert_eq!(check_bytes(&forged, &secret), Err(Refusal::Signature), "{forged}");
        }
        assert_eq!(signature(&HeaderMap::new(), b"Hello, World!", Some(&secret)), Err(Refusal::Signature));
        assert_eq!(signature(&headers("x-hub-signature-256", good), b"Hello, World!", None), Err(Refusal::NoSecret));
    }

    fn check_bytes(value: &str, secret: &SecretString) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert("x-hub-signature-256", axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        signature(&headers, b"Hello, World!", Some(secret))
    }

    #[test]
    fn only_the_right_token_passes() {
        let expected = SecretString::from("t0ken".to_owned());
        for (value, is_right) in [
            ("Bearer t0ken", true),
            ("bearer t0ken", true),
            ("Bearer t0ke", false),
            ("Bearer t0kenn", false),
            ("Bearer ", false),
            ("Basic t0ken", false),
            ("t0ken", false),
        ] {
            assert_eq!(token(&headers("authorization", value), Some(&expected)).is_ok(), is_right, "{value}");
        }
        assert_eq!(token(&HeaderMap::new(), Some(&expected)), Err(Refusal::Token));
        assert_eq!(token(&HeaderMap::new(), None), Ok(()));
    }

    #[test]
    fn depth_counts_brackets_outside_of_text() {
        assert!(is_deeper_than("[".repeat(65).as_bytes(), 64));
        assert!(!is_deeper_than("[".repeat(64).as_bytes(), 64));
        assert!(!is_deeper_than(format!("\"{}\\\"[[\"", "[".repeat(1_000)).as_bytes(), 64));
        assert!(!is_deeper_than("[]".repeat(1_000).as_bytes(), 64));
    }

    #[test]
    fn deliveries_are_forgotten_in_their_order() {
        let mut deliveries = Deliveries::default();
        for n in 0..=WEBHOOK_DELIVERIES_MAX {
            deliveries.remember(&n.to_string());
        }
        assert!(!deliveries.is_known("0") && deliveries.is_known("1"));
        assert_eq!(deliveries.known.len(), WEBHOOK_DELIVERIES_MAX);
    }

    proptest! {
        #[test]
        fn depth_never_panics(json in prop::collection::vec(any::<u8>(), 0..200)) {
            let _is_deep = is_deeper_than(&json, 8);
        }
    }
}
