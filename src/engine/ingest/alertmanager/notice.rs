//! An alert as Alertmanager tells it, by API v2 or by webhook version 4, into an [`AlertNotice`]. Pure.
//!
//! Source: <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>,
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::engine::clock::Timestamp;
use crate::engine::ingest::normalize;
use crate::engine::limits::LABEL_VALUE_BYTES_MAX;
use crate::engine::model::{AlertNotice, AlertState, DropReason, Fingerprint, Severity, SourceName};

/// An alert as read, with what had to be set aside of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenAlert {
    /// The alert.
    pub notice: AlertNotice,
    /// What was set aside: labels past the limits, a start in the future.
    pub set_aside: Vec<DropReason>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAlert {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    #[serde(default, rename = "generatorURL")]
    generator_url: String,
    #[serde(default)]
    fingerprint: String,
    #[serde(default)]
    status: RawStatus,
}

/// The webhook says `"firing"` or `"resolved"`; the API gives an object and lists only what fires.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RawStatus {
    Word(String),
    #[serde(rename_all = "camelCase")]
    Full {
        #[serde(default)]
        silenced_by: Vec<String>,
        #[serde(default)]
        inhibited_by: Vec<String>,
        #[serde(default)]
        muted_by: Vec<String>,
        state: String,
    },
}

impl Default for RawStatus {
    fn default() -> Self {
        Self::Word("firing".to_owned())
    }
}

/// Reads one alert.
///
/// # Errors
/// What is wrong with its shape.
pub fn read(
    alert: Value,
    source: &SourceName,
    service_labels: &[String],
    now: Timestamp,
) -> Result<TakenAlert, serde_json::Error> {
    let raw: RawAlert = serde_json::from_value(alert)?;
    let fingerprint = fingerprint_of(&raw);
    let mut set_aside = Vec::new();
    let taken = normalize::labels(&raw.labels);
    set_aside.extend((taken.left_out_count > 0).then_some(DropReason::TooMany));
    set_aside.extend((taken.cut_count > 0).then_some(DropReason::TooLarge));
    let labels = taken.labels;
    let starts_at = raw.starts_at.as_deref().and_then(instant).unwrap_or(now);
    let starts_at = normalize::stamp(starts_at, now).unwrap_or_else(|reason| {
        set_aside.push(reason);
        now
    });
    let state = match &raw.status {
        RawStatus::Word(word) if word == "resolved" => AlertState::Resolved,
        RawStatus::Word(_) | RawStatus::Full { .. } => AlertState::Firing,
    };
    // While it fires, `endsAt` is only when it would be forgotten.
    let ends_at =
        (state == AlertState::Resolved).then(|| raw.ends_at.as_deref().and_then(instant).unwrap_or(now).min(now));
    let name = labels.get("alertname").unwrap_or("(alert without a name)");
    let summary = ["summary", "title", "description", "message"].iter().find_map(|key| raw.annotations.get(*key));
    let notice = AlertNotice {
        source: source.clone(),
        fingerprint,
        name: Arc::from(name),
        service: normalize::service(&labels, service_labels),
        severity: severity_of(labels.get("severity")),
        state,
        starts_at,
        ends_at,
        muted_by: muted_by(&raw.status),
        summary: normalize::sanitize(summary.map_or("", String::as_str), LABEL_VALUE_BYTES_MAX),
        generator_url: normalize::sanitize(&raw.generator_url, LABEL_VALUE_BYTES_MAX),
        labels,
    };
    Ok(TakenAlert { notice, set_aside })
}

/// The alert as over, once it is no longer told.
pub(super) fn resolved(notice: &AlertNotice, now: Timestamp) -> AlertNotice {
    AlertNotice { state: AlertState::Resolved, ends_at: Some(now), muted_by: None, ..notice.clone() }
}

/// The sender's fingerprint, or the same computed from the labels.
fn fingerprint_of(raw: &RawAlert) -> Fingerprint {
    let told = (raw.fingerprint.len() == 16).then(|| u64::from_str_radix(&raw.fingerprint, 16).ok()).flatten();
    Fingerprint(told.unwrap_or_else(|| fingerprint(&raw.labels)))
}

/// Prometheus' fingerprint of a label set: FNV-1a over names and values in order of name, each followed by the byte 255.
/// Source: <https://pkg.go.dev/github.com/prometheus/common/model#LabelSet.Fingerprint>.
fn fingerprint(labels: &BTreeMap<String, String>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in labels.iter().flat_map(|(name, value)| [name, value]) {
        for byte in part.bytes().chain([255]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

/// A time; the year 1 stands for none.
fn instant(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).ok().filter(|at| at.0 > 0)
}

/// The `severity` label in the words that are in use; a warning where there is none or an unknown one.
fn severity_of(label: Option<&str>) -> Severity {
    match label.unwrap_or_default().to_ascii_lowercase().as_str() {
        "critical" | "crit" | "page" | "fatal" | "emergency" | "error" | "high" | "disaster" | "p1" | "sev1" => {
            Severity::Critical
        }
        "info" | "informational" | "information" | "none" | "low" | "notice" | "debug" | "p5" | "sev5" => {
            Severity::Info
        }
        _ => Severity::Warning,
    }
}

fn muted_by(status: &RawStatus) -> Option<Arc<str>> {
    let RawStatus::Full { silenced_by, inhibited_by, muted_by, state } = status else { return None };
    if state != "suppressed" {
        return None;
    }
    let mut reasons = Vec::new();
    for (what, by) in [("silence", silenced_by), ("alert", inhibited_by), ("time interval", muted_by)] {
        reasons.extend(by.iter().map(|by| format!("{what} {by}")));
    }
    let text = if reasons.is_empty() { "suppressed".to_owned() } else { reasons.join(", ") };
    Some(normalize::sanitize(&text, LABEL_VALUE_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_271_600_000);

    fn taken(alert: Value) -> TakenAlert {
        read(alert, &"am".into(), &["service".to_owned(), "job".to_owned()], NOW).unwrap()
    }

    #[test]
    fn the_api_and_the_webhook_tell_the_same_alert() {
        let labels = json!({"alertname": "HighErrors", "service": "cart", "severity": "critical"});
        let api = taken(json!({
            "labels": labels, "annotations": {"summary": "too many\u{1b}"}, "fingerprint": "00000000000000ff",
            "startsAt": "2026-11-21T14:31:45.000Z", "endsAt": "2026-11-21T14:40:00.000Z", "updatedAt": "2026-11-21T14:31:45.000Z",
            "generatorURL": "http://p/graph", "receivers": [{"name": "hook"}],
            "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
        }));
        let webhook = taken(json!({
            "status": "firing", "labels": labels, "annotations": {"summary": "too many\u{1b}"}, "fingerprint": "00000000000000ff",
            "startsAt": "2026-11-21T14:31:45Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://p/graph",
        }));
        assert_eq!(api, webhook);
        assert_eq!((api.notice.fingerprint, api.notice.severity), (Fingerprint(255), Severity::Critical));
        assert_eq!((&*api.notice.summary, api.notice.ends_at), ("too many␛", None));
    }

    #[test]
    fn suppression_keeps_its_reason_and_resolution_its_time() {
        let suppressed = taken(json!({"labels": {"alertname": "x"},
            "status": {"state": "suppressed", "silencedBy": ["s-1"], "inhibitedBy": ["ab"], "mutedBy": []}}));
        assert_eq!(suppressed.notice.muted_by.as_deref(), Some("silence s-1, alert ab"));
        let resolved =
            taken(json!({"labels": {"job": "node"}, "status": "resolved", "endsAt": "2026-11-21T14:32:00Z"}));
        assert_eq!(resolved.notice.state, AlertState::Resolved);
        assert_eq!(resolved.notice.ends_at.map(Timestamp::hh_mm_ss).as_deref(), Some("14:32:00"));
        assert_eq!((resolved.notice.service, &*resolved.notice.name), (Some("node".into()), "(alert without a name)"));
    }

    #[test]
    fn what_goes_past_the_limits_is_cut_and_named() {
        let labels: BTreeMap<String, String> = (0..200).map(|n| (format!("l{n}"), "v".repeat(5_000))).collect();
        let taken = taken(json!({"labels": labels, "startsAt": "2031-01-01T00:00:00Z"}));
        assert_eq!(taken.set_aside, [DropReason::TooMany, DropReason::TooLarge, DropReason::FutureStamp]);
        assert_eq!(taken.notice.starts_at, NOW);
    }

    #[test]
    fn without_a_fingerprint_it_is_computed_from_the_labels() {
        let told =
            |fingerprint: &str| taken(json!({"labels": {"a": "b"}, "fingerprint": fingerprint})).notice.fingerprint;
        assert_eq!(told(""), told("not hexadecimal!"));
        assert_ne!(told(""), taken(json!({"labels": {"a": "c"}})).notice.fingerprint);
        for foreign in [json!(7), json!({}), json!({"labels": {"a": 1}}), json!({"labels": []})] {
            assert!(read(foreign, &"am".into(), &[], NOW).is_err());
        }
    }
}
