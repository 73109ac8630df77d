//! Fills a runbook's parameters from an incident, checks them, and puts them into the steps.
//!
//! Values come from labels and senders, so they are hostile until checked: typed, plain, never empty, never an option.
//! A value is text inside exactly one argument; nothing it holds can begin another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use regex::Regex;

pub(super) use super::fill::placeholders;
use super::fill::{bind_step, limits};
use super::technology;
use crate::engine::model::{
    Anomaly, AnomalyState, BoundStep, Change, Hypothesis, Incident, ParamKind, ParamSpec, Runbook,
};
use crate::engine::redact::redact;
use crate::engine::world::World;

/// Longest value of a parameter, in bytes.
const VALUE_BYTES_MAX: usize = 256;

/// Why a runbook cannot be offered with its parameters filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// Nothing there says what it is.
    #[error("{{{param}}} cannot be filled: the incident has no {from}")]
    Missing {
        /// Which parameter.
        param: Arc<str>,
        /// Where it was to come from.
        from: Arc<str>,
    },
    /// Something is there, and it must not be used.
    #[error("{{{param}}} is refused: {reason}")]
    Refused {
        /// Which parameter.
        param: Arc<str>,
        /// What is wrong with the value; the value itself is shown escaped.
        reason: String,
    },
}

/// Bound parameters and the steps with them filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// By name.
    pub params: BTreeMap<Arc<str>, Arc<str>>,
    /// In order.
    pub steps: Vec<BoundStep>,
}

/// Fills in `runbook` for one hypothesis of `incident`.
///
/// # Errors
/// When a parameter has no value, or one that must not be used.
pub fn bind(
    runbook: &Runbook,
    hypothesis: &Hypothesis,
    world: &World,
    incident: &Incident,
) -> Result<Binding, BindError> {
    let mut params = BTreeMap::new();
    for (name, spec) in &runbook.params {
        let value = alternatives(&spec.from)
            .find_map(|from| resolve(from, spec, hypothesis, world, incident))
            .ok_or_else(|| BindError::Missing { param: Arc::clone(name), from: Arc::clone(&spec.from) })?;
        check(&value, spec, world, incident)
            .map_err(|reason| BindError::Refused { param: Arc::clone(name), reason })?;
        params.insert(Arc::clone(name), value);
    }
    fill_in(runbook, params)
}

/// Fills in `runbook` anew with values that a person gave; those that are not given stay as they are in `params`.
///
/// # Errors
/// When a value must not be used, or is for a parameter that there is not.
pub fn rebind(
    runbook: &Runbook,
    params: &BTreeMap<Arc<str>, Arc<str>>,
    given: &BTreeMap<Arc<str>, Arc<str>>,
    world: &World,
    incident: &Incident,
) -> Result<Binding, BindError> {
    let mut params = params.clone();
    for (name, value) in given {
        let refused = |reason: String| BindError::Refused { param: Arc::clone(name), reason };
        let spec = runbook.params.get(name).ok_or_else(|| {
            let names: Vec<&str> = runbook.params.keys().map(AsRef::as_ref).collect();
            refused(format!("the runbook has no such parameter; it has {}", names.join(", ")))
        })?;
        check(value, spec, world, incident).map_err(refused)?;
        params.insert(Arc::clone(name), Arc::clone(value));
    }
    fill_in(runbook, params)
}

/// The steps with these values, each of which was checked by itself.
fn fill_in(runbook: &Runbook, params: BTreeMap<Arc<str>, Arc<str>>) -> Result<Binding, BindError> {
    for name in runbook.steps.iter().flat_map(limits).flat_map(placeholders) {
        let Some((name, value)) = params.get_key_value(name) else { continue };
        check_limit(value).map_err(|reason| BindError::Refused { param: Arc::clone(name), reason })?;
    }
    let steps = runbook.steps.iter().map(|step| bind_step(&runbook.content_hash, step, &params)).collect();
    Ok(Binding { params, steps })
}

/// Refuses a value that Ansible would read as more than one host: which hosts there are beside it is the author's to say.
fn check_limit(value: &str) -> Result<(), String> {
    let is_one = value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if is_one && !matches!(value, "all" | "ungrouped") {
        return Ok(());
    }
    Err(format!("`{}` in a limit of hosts would stand for more than one host", shown(value)))
}

/// Where a value is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin<'a> {
    CauseService,
    /// The one service that the cause calls, among those that match the parameter's pattern.
    CauseCallee,
    Change(ChangePart),
    IncidentId,
    AlertLabel(&'a str),
    AnomalousService(&'a str),
    Literal(&'a str),
}

/// Which part of the blamed change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangePart {
    Service,
    Version,
    Title,
    ExternalId,
    Author,
}

impl<'a> Origin<'a> {
    /// Reads one alternative of `from`; the error says what would be right.
    pub(super) fn read(from: &'a str) -> Result<Self, String> {
        let origin = match from {
            "cause.service" => Self::CauseService,
            "cause.callee" => Self::CauseCallee,
            "cause.change.service" => Self::Change(ChangePart::Service),
            "cause.change.version" => Self::Change(ChangePart::Version),
            "cause.change.title" => Self::Change(ChangePart::Title),
            "cause.change.external_id" => Self::Change(ChangePart::ExternalId),
            "cause.change.author" => Self::Change(ChangePart::Author),
            "incident.id" => Self::IncidentId,
            _ => {
                if let Some(label) = from.strip_prefix("alert.labels.").filter(|label| !label.is_empty()) {
                    Self::AlertLabel(label)
                } else if let Some(metric) = from.strip_prefix("anomaly.service.").filter(|metric| !metric.is_empty()) {
                    Self::AnomalousService(metric)
                } else if ["cause.", "alert.", "incident.", "anomaly."].iter().any(|root| from.starts_with(root)) {
                    return Err(format!(
                        "`{from}` is nowhere; values come from cause.service, cause.callee, cause.change.service (version, title, \
                         external_id, author), incident.id, alert.labels.NAME, anomaly.service.METRIC, or are literal"
                    ));
                } else {
                    Self::Literal(from)
                }
            }
        };
        Ok(origin)
    }
}

/// `a or b`: the first that has a value is taken.
pub(super) fn alternatives(from: &str) -> impl Iterator<Item = &str> {
    from.split(" or ").map(str::trim)
}

fn resolve(
    from: &str,
    spec: &ParamSpec,
    hypothesis: &Hypothesis,
    world: &World,
    incident: &Incident,
) -> Option<Arc<str>> {
    match Origin::read(from).ok()? {
        Origin::CauseCallee => {
            let pattern = spec.pattern.as_deref().map(whole_pattern).transpose().ok()?;
            let fits = |name: &&str| pattern.as_ref().is_none_or(|pattern| pattern.is_match(name));
            let callees = world.topology.callees(&hypothesis.service);
            only_one(callees.map(|(callee, _)| callee.as_str()).filter(fits))
        }
        Origin::CauseService => Some(Arc::from(hypothesis.service.as_str())),
        Origin::Change(part) => change_part(world.changes.get(&hypothesis.change?)?, part),
        Origin::IncidentId => Some(incident.id.to_string().into()),
        Origin::Literal(text) => Some(Arc::from(text)),
        Origin::AlertLabel(label) => {
            let alerts = incident.alerts.iter().filter_map(|id| world.alerts.get(id));
            only_one(
                alerts
                    .filter(|alert| alert.notice.service.as_ref() == Some(&hypothesis.service))
                    .filter_map(|alert| alert.notice.labels.get(label)),
            )
        }
        Origin::AnomalousService(metric) => {
            let departs = |anomaly: &&Arc<Anomaly>| anomaly.is_harmful && anomaly.metric.as_ref() == metric;
            // Of several it is the cause's own, also where that is a forecast, which belongs to no incident.
            let is_own =
                |anomaly: &Arc<Anomaly>| anomaly.service == hypothesis.service && anomaly.state != AnomalyState::Ended;
            if world.anomalies.values().filter(departs).any(is_own) {
                return Some(Arc::from(hypothesis.service.as_str()));
            }
            let anomalies = incident.anomalies.iter().filter_map(|id| world.anomalies.get(id));
            only_one(anomalies.filter(departs).map(|anomaly| anomaly.service.as_str()))
        }
    }
}

fn change_part(change: &Change, part: ChangePart) -> Option<Arc<str>> {
    let notice = &change.notice;
    match part {
        ChangePart::Service => notice.service.as_ref().map(|service| Arc::from(service.as_str())),
        ChangePart::Version => notice.version.clone(),
        ChangePart::Title => Some(Arc::clone(&notice.title)),
        ChangePart::ExternalId => Some(Arc::clone(&notice.external_id)),
        ChangePart::Author => notice.author.clone(),
    }
}

/// The value all agree on. Where they differ there is none: a guess would act on the wrong target.
fn only_one<'a>(values: impl Iterator<Item = &'a str>) -> Option<Arc<str>> {
    let distinct: BTreeSet<&str> = values.collect();
    let mut distinct = distinct.into_iter();
    distinct.next().filter(|_| distinct.next().is_none()).map(Arc::from)
}

/// Names of services and hosts: nothing that a command could read as an option, a path, a list or a pattern.
static ENTITY: LazyLock<Option<Regex>> = LazyLock::new(|| whole_pattern("[A-Za-z0-9_][A-Za-z0-9_.:-]*").ok());

/// Whether a value may go into a command, and if not, why.
fn check(value: &str, spec: &ParamSpec, world: &World, incident: &Incident) -> Result<(), String> {
    if value.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(format!("it has {} bytes; {VALUE_BYTES_MAX} are allowed", value.len()));
    }
    let shown = || shown(value);
    if value.starts_with('-') {
        return Err(format!("`{}` begins with a dash, a command would take it for an option", shown()));
    }
    if value.contains(is_unseen) {
        return Err(format!("`{}` holds characters that cannot be seen", shown()));
    }
    if redact(value) != value {
        return Err("it looks like a secret, and commands are shown and kept; let the settings hold it".to_owned());
    }
    if !spec.choices.is_empty() && !spec.choices.iter().any(|choice| choice.as_ref() == value) {
        return Err(format!("`{}` is none of {}", shown(), spec.choices.join(", ")));
    }
    if let Some(pattern) = &spec.pattern
        && !whole_pattern(pattern).is_ok_and(|pattern| pattern.is_match(value))
    {
        return Err(format!("`{}` does not match {pattern}", shown()));
    }
    check_kind(value, spec, world, incident)
}

fn check_kind(value: &str, spec: &ParamSpec, world: &World, incident: &Incident) -> Result<(), String> {
    let shown = || shown(value);
    let is_entity = || ENTITY.as_ref().is_some_and(|entity| entity.is_match(value));
    match spec.kind {
        ParamKind::Service if !is_entity() => Err(format!("`{}` is no plain service name", shown())),
        ParamKind::Service if !is_known_service(value, world, incident) => {
            Err(format!("no service `{}` is known", shown()))
        }
        ParamKind::Service if !technology::is(value, &spec.tech, world) => {
            Err(format!("nothing says that `{}` is {}", shown(), spec.tech))
        }
        ParamKind::Host if !is_entity() => Err(format!("`{}` is no plain host name", shown())),
        ParamKind::Host if !is_known_host(value, world) => Err(format!("no host `{}` is known", shown())),
        ParamKind::Number => check_number(value, spec),
        ParamKind::Text if spec.pattern.is_none() && spec.choices.is_empty() => {
            Err("a text parameter needs a pattern or choices".to_owned())
        }
        _ => Ok(()),
    }
}

/// The value for a message, with everything that cannot be seen written as its number.
fn shown(value: &str) -> String {
    let escape = |c: char| if is_unseen(c) { c.escape_unicode().to_string() } else { c.escape_debug().to_string() };
    value.chars().map(escape).collect()
}

/// Control characters, and those that change how the text around them is read without being seen themselves.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn check_number(value: &str, spec: &ParamSpec) -> Result<(), String> {
    let is_plain = value.chars().all(|c| c.is_ascii_digit() || c == '.');
    let number = value.parse::<f64>().ok().filter(|number| is_plain && number.is_finite());
    let Some(number) = number else { return Err(format!("`{}` is no number", shown(value))) };
    if let Some(min) = spec.min.filter(|min| number < *min) {
        return Err(format!("{value} is less than {min}, the least it may be"));
    }
    match spec.max.filter(|max| number > *max) {
        Some(max) => Err(format!("{value} is more than {max}, the most it may be")),
        None => Ok(()),
    }
}

fn is_known_service(value: &str, world: &World, incident: &Incident) -> bool {
    incident.services.contains_key(value)
        || world.anomalies.values().any(|anomaly| anomaly.service.as_str() == value)
        || world.topology.edges().any(|(caller, callee, _)| caller.as_str() == value || callee.as_str() == value)
}

fn is_known_host(value: &str, world: &World) -> bool {
    world.anomalies.values().any(|anomaly| anomaly.instance.as_deref() == Some(value))
        || world
            .alerts
            .values()
            .any(|alert| ["instance", "host", "node"].iter().any(|label| alert.notice.labels.get(label) == Some(value)))
}

/// The pattern, made to match the whole value or nothing.
pub(super) fn whole_pattern(pattern: &str) -> Result<Regex, regex::Error> {
    // By itself first: `a)|(?:b` is no pattern, and within ours it would no longer be for the whole value.
    Regex::new(pattern)?;
    Regex::new(&format!(r"\A(?:{pattern})\z"))
}

/// Why a text is no regular expression, in a line.
pub(super) fn regex_reason(error: &regex::Error) -> String {
    error.to_string().lines().last().unwrap_or("").trim().to_owned()
}

/// Lower-case letters, digits and `_`, beginning with a letter.
pub(super) fn is_param_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests;
