//! Sends one request to an endpoint of the settings. No redirect is followed; an answer counts only if its status does; a
//! request that may have arrived and was not answered is unknown, not failed.

use std::collections::BTreeMap;

use reqwest::Method;
use secrecy::ExposeSecret;

use super::{Attempt, lost, not_started};
use crate::engine::ingest::http_client::{ClientSettings, HttpSender, Told, secret};
use crate::engine::ingest::normalize::sanitize;
use crate::engine::input::StepProgress;
use crate::engine::limits::{STEP_OUTPUT_BYTES_MAX, STEP_OUTPUT_LINE_BYTES_MAX, STEP_OUTPUT_LINES_MAX};
use crate::engine::model::{HttpCall, HttpMethod};
use crate::engine::redact::LineRedactor;
use crate::engine::settings::{EndpointSettings, SecretSource};

/// Sends the request and waits for its answer, its timeout or its stop.
pub async fn run(call: &HttpCall, endpoints: &BTreeMap<String, EndpointSettings>, attempt: &Attempt) -> StepProgress {
    let sender = match sender(call, endpoints, attempt) {
        Ok(sender) => sender,
        Err(reason) => return not_started(reason),
    };
    if let Some(reason) = attempt.hold() {
        return not_started(reason);
    }
    let address = sender.address();
    let body = (!call.body.is_null()).then_some(&call.body);
    let sent = tokio::select! {
        sent = sender.send(method(call.method), &call.path, &[], body) => sent,
        () = attempt.stop.notified() => {
            return lost(format!("stopped by a person before {address} answered; the request may have arrived: look there"));
        }
    };
    match sent {
        Ok(told) => {
            tell(&told, attempt).await;
            attempt.exited(if counts(call, told.status) { 0 } else { i32::from(told.status) })
        }
        Err(problem) if problem.may_have_arrived => {
            lost(format!("{problem}; the request may have arrived and been carried out: look at {address}"))
        }
        Err(problem) => not_started(problem.to_string()),
    }
}

fn sender(
    call: &HttpCall,
    endpoints: &BTreeMap<String, EndpointSettings>,
    attempt: &Attempt,
) -> Result<HttpSender, String> {
    let Some(endpoint) = endpoints.get(call.endpoint.as_ref()) else {
        return Err(format!("there is no endpoint `{}`; add [runbooks.endpoints.{0}]", call.endpoint.escape_debug()));
    };
    check_path(&call.path)?;
    let none = SecretSource::default();
    let (bearer, headers) = match &endpoint.header {
        None => (&endpoint.token, None),
        Some(header) => {
            let token = secret(&call.endpoint, &endpoint.token).map_err(|problem| problem.to_string())?;
            (&none, token.map(|token| BTreeMap::from([(header.clone(), token.expose_secret().to_owned())])))
        }
    };
    let settings = ClientSettings {
        name: &call.endpoint,
        url: &endpoint.url,
        timeout_ms: i64::try_from(attempt.left().as_millis()).unwrap_or(i64::MAX),
        bearer,
        username: None,
        password: &none,
        headers: headers.as_ref(),
        ca_file: endpoint.ca_file.as_deref(),
    };
    HttpSender::new(settings).map_err(|problem| problem.to_string())
}

/// Refuses a path that would be read as another one: with steps upwards, however they are written.
pub(super) fn check_path(path: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '?' | '#');
    let goes_up = path.split('/').any(|part| {
        let dots = part.to_ascii_lowercase().replace("%2e", ".");
        dots == "." || dots == ".."
    });
    if path.starts_with('/') && !path.starts_with("//") && path.chars().all(is_plain) && !goes_up {
        return Ok(());
    }
    Err(format!("`{}` is no path below an endpoint", path.escape_debug()))
}

fn method(method: HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Delete => Method::DELETE,
    }
}

fn counts(call: &HttpCall, status: u16) -> bool {
    if call.statuses.is_empty() { (200..300).contains(&status) } else { call.statuses.contains(&status) }
}

async fn tell(told: &Told, attempt: &Attempt) {
    let mut lines = vec![format!("HTTP {}", told.status).into()];
    lines.extend(shown(&told.body));
    attempt.tell(StepProgress::Output(lines)).await;
}

/// A body as lines, without secrets, as much of it as is kept.
pub(super) fn shown(body: &[u8]) -> Vec<std::sync::Arc<str>> {
    let text = String::from_utf8_lossy(body);
    let mut redactor = LineRedactor::default();
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for line in text.lines() {
        let line = sanitize(&redactor.line(line), STEP_OUTPUT_LINE_BYTES_MAX);
        bytes += line.len() + 1;
        if lines.len() >= STEP_OUTPUT_LINES_MAX || bytes > STEP_OUTPUT_BYTES_MAX {
            lines.push("… the rest is left out …".into());
            break;
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests;
