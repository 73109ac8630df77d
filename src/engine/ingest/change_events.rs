//! What others say about changes, read into [`ChangeNotice`]s: CloudEvents, GitHub's webhooks, and lines of a change file. Pure.

pub mod cloud_events;
pub mod file_line;
pub mod github;

use std::sync::Arc;

use serde_json::Value;

use super::normalize;
use crate::engine::clock::Timestamp;
use crate::engine::limits::{CHANGE_DIFF_BYTES_MAX, CHANGE_FILES_MAX, LABEL_VALUE_BYTES_MAX};
use crate::engine::model::{ChangeContent, ChangeKind, ChangeNotice, DropReason, ServiceName};
use crate::engine::redact::LineRedactor;

/// Longest text of a notice, in bytes.
const TEXT_BYTES_MAX: usize = LABEL_VALUE_BYTES_MAX;

/// A change as read, with what had to be set aside of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenChange {
    /// The change.
    pub notice: ChangeNotice,
    /// `FutureStamp` where its time was not believed and ours was taken.
    pub set_aside: Option<DropReason>,
}

/// Why something is no change. Each says what was expected, for whoever sends it.
#[derive(Debug, thiserror::Error)]
pub enum EventProblem {
    /// Not JSON.
    #[error("expected {expected}, but the text is no JSON: {problem}")]
    NotJson {
        /// What was expected.
        expected: &'static str,
        /// Where it ceases to be JSON.
        problem: serde_json::Error,
    },
    /// JSON of another shape.
    #[error("expected {expected}, but {problem}")]
    OtherShape {
        /// What was expected.
        expected: &'static str,
        /// What is missing or different.
        problem: String,
    },
}

/// Reads JSON text that should be `expected`; a byte order mark before it is skipped.
fn json(body: &[u8], expected: &'static str) -> Result<Value, EventProblem> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body).map_err(|problem| EventProblem::NotJson { expected, problem })
}

/// The first of these paths (`a.b` for `b` in `a`) that holds a text or number, sanitised.
fn text(value: &Value, paths: &[&str]) -> Option<Arc<str>> {
    paths.iter().find_map(|path| {
        let found = path.split('.').try_fold(value, |value, key| value.get(key))?;
        let text = match found {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty()).then(|| normalize::sanitize(&text, TEXT_BYTES_MAX))
    })
}

/// What a change changes, where the value tells it: `files` (paths, or objects with `filename` or `path`) and `diff` or
/// `patch`. Bounded and sanitised line by line.
fn content(value: &Value) -> Option<Arc<ChangeContent>> {
    let listed = value.get("files").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let path = |file: &Value| match file {
        Value::String(path) => Some(normalize::sanitize(path, TEXT_BYTES_MAX)),
        other => text(other, &["filename", "path"]),
    };
    let files: Vec<Arc<str>> = listed.iter().filter_map(path).take(CHANGE_FILES_MAX).collect();
    let diff = ["diff", "patch"].iter().find_map(|key| value.get(key).and_then(Value::as_str)).unwrap_or_default();
    let mut kept = String::new();
    let mut redactor = LineRedactor::default();
    for line in diff.lines() {
        let line = normalize::sanitize(&redactor.line(line), TEXT_BYTES_MAX);
        if kept.len() + line.len() >= CHANGE_DIFF_BYTES_MAX {
            break;
        }
        kept.push_str(&line);
        kept.push('\n');
    }
    (!files.is_empty() || !kept.is_empty()).then(|| Arc::new(ChangeContent { files, diff: Arc::from(kept) }))
}

/// The first of these paths that holds an instant.
fn instant(value: &Value, paths: &[&str]) -> Option<Timestamp> {
    paths.iter().find_map(|path| {
        let found = path.split('.').try_fold(value, |value, key| value.get(key))?;
        super::log_line::time_of(found)
    })
}

/// What kind of change these words speak of: `com.example.deployment.finished`, `featureFlagToggled`.
#[must_use]
pub fn kind_of(words: &str) -> Option<ChangeKind> {
    // Beginnings of words; the more telling kinds come first, because "deploy" stands in many names that tell more.
    const BEGINNINGS: [(&str, ChangeKind); 30] = [
        ("migrat", ChangeKind::Migration),
        ("schema", ChangeKind::Migration),
        ("ddl", ChangeKind::Migration),
        ("flag", ChangeKind::Flag),
        ("feature", ChangeKind::Flag),
        ("toggle", ChangeKind::Flag),
        ("firewall", ChangeKind::Network),
        ("network", ChangeKind::Network),
        ("netpol", ChangeKind::Network),
        ("securitygroup", ChangeKind::Network),
        ("route", ChangeKind::Network),
        ("routing", ChangeKind::Network),
        ("dns", ChangeKind::Network),
        ("ingress", ChangeKind::Network),
        ("scale", ChangeKind::Scale),
        ("scaling", ChangeKind::Scale),
        ("autoscal", ChangeKind::Scale),
        ("resize", ChangeKind::Scale),
        ("hpa", ChangeKind::Scale),
        ("config", ChangeKind::Config),
        ("setting", ChangeKind::Config),
        ("secret", ChangeKind::Config),
        ("deploy", ChangeKind::Deploy),
        ("rollout", ChangeKind::Deploy),
        ("rollback", ChangeKind::Deploy),
        ("rolledback", ChangeKind::Deploy),
        ("upgrade", ChangeKind::Deploy),
        ("release", ChangeKind::Release),
        ("own_act", ChangeKind::OwnAct),
        ("other", ChangeKind::Other),
    ];
    let mut plain = String::from(" ");
    let mut previous = ' ';
    for character in words.chars() {
        if character.is_uppercase() && previous.is_lowercase() {
            plain.push(' ');
        }
        plain.push(if character.is_alphanumeric() || character == '_' { character.to_ascii_lowercase() } else { ' ' });
        previous = character;
    }
    let begins =
        |beginning: &str| plain.split([' ', '_']).any(|word| word.starts_with(beginning)) || plain.trim() == beginning;
    BEGINNINGS.iter().find(|(beginning, _)| begins(beginning)).map(|(_, kind)| *kind)
}

/// `deploy abc123 to payment`.
fn title_of(kind: ChangeKind, version: Option<&str>, service: Option<&ServiceName>) -> Arc<str> {
    let what = match kind {
        ChangeKind::Deploy => "deploy",
        ChangeKind::Config => "configuration",
        ChangeKind::Flag => "feature flag",
        ChangeKind::Migration => "migration",
        ChangeKind::Scale => "scaling",
        ChangeKind::Network => "network change",
        ChangeKind::Release => "release",
        ChangeKind::OwnAct => "own act",
        ChangeKind::Other => "change",
    };
    let version = version.map_or_else(String::new, |version| format!(" {version}"));
    let joint = if kind == ChangeKind::Deploy { "to" } else { "on" };
    let service = service.map_or_else(String::new, |service| format!(" {joint} {service}"));
    normalize::sanitize(&format!("{what}{version}{service}"), TEXT_BYTES_MAX)
}

/// A commit as people say it: its first seven digits; any other version as it is.
fn short_version(version: &str) -> &str {
    let is_commit = version.len() >= 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit { version.get(..7).unwrap_or(version) } else { version }
}

/// The notice with a time that can be believed.
fn with_sane_time(mut notice: ChangeNotice, now: Timestamp) -> TakenChange {
    let mut set_aside = None;
    if let Err(reason) = normalize::stamp(notice.at, now) {
        notice.at = now;
        set_aside = Some(reason);
    }
    notice.finished_at = notice.finished_at.map(|at| at.max(notice.at).min(now.max(notice.at)));
    TakenChange { notice, set_aside }
}

/// The last part of a path such as `apps/checkout`.
fn last_part(text: &str) -> &str {
    text.trim_end_matches('/').rsplit('/').next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_the_kind() {
        for (words, kind) in [
            ("com.example.deployment.finished", Some(ChangeKind::Deploy)),
            ("Rollout", Some(ChangeKind::Deploy)),
            ("io.example.FeatureFlagToggled", Some(ChangeKind::Flag)),
            ("configmap-updated", Some(ChangeKind::Config)),
            ("db.schema.migration", Some(ChangeKind::Migration)),
            ("deploy:migrations", Some(ChangeKind::Migration)),
            ("hpa_scaled", Some(ChangeKind::Scale)),
            ("gke.firewall.rule", Some(ChangeKind::Network)),
            ("own_act", Some(ChangeKind::OwnAct)),
            ("other", Some(ChangeKind::Other)),
            ("com.example.invoice.paid", None),
            ("", None),
        ] {
            assert_eq!(kind_of(words), kind, "{words}");
        }
    }
}
