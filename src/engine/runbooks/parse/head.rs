//! Reads the head of a runbook: who keeps it, what it is for, its parameters.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as WordError, StrDeserializer};
use toml::de::DeTable;

use super::super::bind::{self, Origin};
use super::fields::{Fields, Problems};
use super::matchers;
use crate::engine::digest::sha256_hex;
use crate::engine::limits::ACTS_PER_INCIDENT_MAX;
use crate::engine::model::{CauseKind, Include, LabelMatcher, ParamKind, ParamSpec, Runbook, RunbookPlace};
use crate::nearest::nearest;

/// Days after its last good run for which a runbook may run by itself, where its page says nothing else.
const EXPIRES_DAYS: u32 = 90;

/// Reads the block's keys; `None` where a mistake leaves nothing to make a runbook of.
pub(super) fn read(origin: &str, text: &str, mut fields: Fields<'_>, problems: &mut Problems) -> Option<Runbook> {
    let id = fields.required_text("id", "give it a name that stays, such as id = \"free-disk\"", problems);
    let version = fields.required_text("version", "count its versions, such as version = \"1\"", problems);
    let owner = fields.required_text("owner", "say who keeps it, such as owner = \"team:platform\"", problems);
    if !fields.has("problem") {
        problems.add(fields.line(), "`problem` is missing; which kinds of cause is it for, such as \"bad_deploy\"");
    }
    let causes = fields.list("problem", true, problems).unwrap_or_default();
    let causes = causes.iter().filter_map(|word| read_cause(word, fields.line_of("problem"), problems)).collect();
    let service_pattern = fields.text("service", problems).unwrap_or_else(|| Arc::from(""));
    check_pattern("service", &service_pattern, fields.line_of("service"), problems);
    let place = fields.text("where", problems).map_or(RunbookPlace::Anywhere, |word| match word.as_ref() {
        "machine" => RunbookPlace::Machine,
        "cluster" => RunbookPlace::Cluster,
        _ => {
            let text = format!("`where` is \"machine\" or \"cluster\", not \"{word}\"; leave it out for both");
            problems.add(fields.line_of("where"), text);
            RunbookPlace::Anywhere
        }
    });
    let acts_ceiling = u32::try_from(ACTS_PER_INCIDENT_MAX).unwrap_or(u32::MAX);
    let acts_max = fields.whole("max_actions", 1..acts_ceiling + 1, problems).unwrap_or(4);
    let estimate_ms = fields.span("estimate", problems).unwrap_or(60_000);
    let symptoms = fields.list("symptoms", true, problems).unwrap_or_default();
    let alerts = fields.list("match", true, problems).unwrap_or_default();
    let alerts = alerts.iter().filter_map(|text| read_matchers(text, fields.line_of("match"), problems)).collect();
    let verified = read_date("verified", &mut fields, problems);
    let expires_days = fields.whole("expires_days", 1..3_651, problems).unwrap_or(EXPIRES_DAYS);
    // For people and for what reads runbooks elsewhere.
    let _severity = fields.text("severity_hint", problems);
    let includes = fields.list("include", true, problems).unwrap_or_default();
    let includes = includes.iter().filter_map(|text| read_include(text, fields.line_of("include"), problems)).collect();
    let params = fields.table("params", problems);
    let line = fields.line_of("params");
    let params = params.map_or_else(BTreeMap::new, |table| read_params(&fields, table, line, problems));
    fields.refuse_others("a runbook", problems);
    let id = id?;
    if !super::is_name(&id) {
        problems.add(fields.line_of("id"), format!("`{id}` is no id; use lower-case letters, digits and dashes"));
    }
    Some(Runbook {
        id,
        title: Arc::from(""),
        version: version?,
        content_hash: sha256_hex([text]).into(),
        owner: owner?,
        origin: Arc::from(origin),
        problems: causes,
        service_pattern,
        place,
        includes,
        params,
        symptoms,
        alerts,
        verified,
        expires_days,
        mistake: None,
        acts_max: u8::try_from(acts_max).unwrap_or(u8::MAX),
        estimate_seconds: u32::try_from(estimate_ms / 1_000).unwrap_or(u32::MAX),
        steps: Vec::new(),
    })
}

/// `pg-common@2`: the version is part of it, so that a page never changes under the one that includes it.
fn read_include(text: &str, line: u32, problems: &mut Problems) -> Option<Include> {
    let parts = text.split_once('@').filter(|(id, version)| super::is_name(id) && !version.is_empty());
    if parts.is_none() {
        problems.add(line, format!("`include` names a page and its version, such as \"pg-common@2\", not \"{text}\""));
    }
    parts.map(|(id, version)| Include { id: Arc::from(id), version: Arc::from(version) })
}

fn read_matchers(text: &str, line: u32, problems: &mut Problems) -> Option<Vec<LabelMatcher>> {
    matchers::read(text).map_err(|problem| problems.add(line, format!("`match`: {problem}"))).ok()
}

/// A day: `verified = 2026-02-14`, with or without quotes.
fn read_date(key: &'static str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Arc<str>> {
    let line = fields.line_of(key);
    let value = fields.value(key)?;
    let written = match value.get_ref().as_datetime() {
        Some(at) => at.to_string(),
        None => value.get_ref().as_str().unwrap_or_default().to_owned(),
    };
    if NaiveDate::parse_from_str(&written, "%Y-%m-%d").is_err() {
        problems.add(line, format!("`{key}` is a day, such as {key} = 2026-02-14"));
        return None;
    }
    Some(written.into())
}

/// A kind of cause, by the name it has in settings and exports.
fn read_cause(word: &str, line: u32, problems: &mut Problems) -> Option<CauseKind> {
    let deserializer: StrDeserializer<'_, WordError> = word.into_deserializer();
    let cause = CauseKind::deserialize(deserializer).ok();
    if cause.is_none() {
        let hint = nearest(word, CAUSES).map_or_else(
            || format!("kinds of cause are {}", CAUSES.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        problems.add(line, format!("unknown problem `{word}`; {hint}"));
    }
    cause
}

/// Names of the kinds of cause, for messages.
const CAUSES: [&str; 14] = [
    "bad_deploy",
    "bad_config",
    "network_policy",
    "connections_exhausted",
    "memory_leak",
    "cpu_saturation",
    "disk_full",
    "slow_query",
    "queue_backlog",
    "unavailable",
    "overload",
    "internal_errors",
    "internal_latency",
    "unknown",
];

fn read_params(
    head: &Fields<'_>,
    table: &DeTable<'_>,
    line: u32,
    problems: &mut Problems,
) -> BTreeMap<Arc<str>, ParamSpec> {
    let mut params = BTreeMap::new();
    for (name, value) in table {
        let line = head.line_within(value.span(), line);
        let name = name.get_ref().as_ref();
        if !bind::is_param_name(name) {
            problems.add(line, format!("`{name}` is no parameter's name; use lower-case letters, digits and `_`"));
        }
        match value.get_ref().as_table() {
            Some(table) => {
                params.extend(read_param(head.nested(table, line), problems).map(|spec| (Arc::from(name), spec)));
            }
            None => problems.add(
                line,
                format!(
                    "parameter `{name}` must be a table, such as {{ type = \"service\", from = \"cause.service\" }}"
                ),
            ),
        }
    }
    params
}

fn read_param(mut fields: Fields<'_>, problems: &mut Problems) -> Option<ParamSpec> {
    let kind = fields.required_text("type", "write type = \"service\", \"host\", \"number\" or \"text\"", problems);
    // What acts on a service is for the one that is the cause, where its page says nothing else.
    let is_of_cause = kind.as_deref() == Some("service") && !fields.has("from");
    let remedy = "say where it comes from, such as from = \"cause.service\"";
    let from =
        if is_of_cause { Some(Arc::from("cause.service")) } else { fields.required_text("from", remedy, problems) };
    let tech = fields.text("tech", problems).unwrap_or_else(|| Arc::from(""));
    let pattern = fields.text("pattern", problems);
    let choices = fields.list("choices", false, problems).unwrap_or_default();
    let min = fields.number("min", problems);
    let max = fields.number("max", problems);
    fields.refuse_others("a parameter", problems);
    let kind = match kind?.as_ref() {
        "service" => ParamKind::Service,
        "host" => ParamKind::Host,
        "number" => ParamKind::Number,
        "text" => ParamKind::Text,
        other => {
            problems.add(
                fields.line_of("type"),
                format!("unknown type `{other}`; types are service, host, number and text"),
            );
            return None;
        }
    };
    if !tech.is_empty() && kind != ParamKind::Service {
        problems.add(fields.line_of("tech"), "`tech` says what a service is; this parameter is none");
    }
    if kind == ParamKind::Text && pattern.is_none() && choices.is_empty() {
        problems.add(fields.line(), "a text parameter needs `pattern` or `choices`, so that not just any text passes");
    }
    if let Some(pattern) = &pattern {
        check_pattern("pattern", pattern, fields.line_of("pattern"), problems);
    }
    if (min.is_some() || max.is_some()) && kind != ParamKind::Number {
        problems.add(fields.line(), "`min` and `max` are limits of a number; a text has `pattern` or `choices`");
    }
    let is_bounded = !choices.is_empty() || pattern.is_some() || (min.is_some() && max.is_some());
    if kind == ParamKind::Number && !is_bounded {
        problems
            .add(fields.line(), "a number needs `min` and `max`, so that a slip of the finger cannot take everything");
    }
    let from = from?;
    for part in bind::alternatives(&from) {
        if let Err(hint) = Origin::read(part) {
            problems.add(fields.line_of("from"), hint);
        }
    }
    Some(ParamSpec { kind, from, pattern, tech, choices, min, max })
}

fn check_pattern(key: &str, pattern: &str, line: u32, problems: &mut Problems) {
    if let Err(error) = bind::whole_pattern(pattern) {
        let reason = bind::regex_reason(&error);
        problems.add(line, format!("`{key}` is no regular expression: {reason}"));
    }
}
