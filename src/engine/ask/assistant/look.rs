//! The tools of a model: a closed list of looks at the picture. Every one of them reads; there is none that acts.

use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::event::ToolRequest;
use super::api::request::ToolSpec;
use super::fence::harmless;
use super::sheet::Sheet;
use crate::engine::ask::answer::Citation;
use crate::engine::ask::answer::{Answer, Claim};
use crate::engine::ask::answers;
use crate::engine::ask::conversation::Conversation;
use crate::engine::ask::ground::{self, Ground};
use crate::engine::ask::intent::Intent;
use crate::engine::ask::names::{Kind, NameBook};
use crate::engine::ask::reading::Reading;
use crate::engine::ask::slots::Slots;
use crate::engine::ask::time::span::Span;
use crate::engine::clock::Timestamp;

/// Rows of one look.
const ROWS_MAX: usize = 24;
/// Longest name or question.
const WORDS_BYTES_MAX: usize = 400;
/// Names that are offered where one is not known.
const CHOICES_MAX: usize = 3;

/// One of the looks, with what it looks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "name", content = "arguments", rename_all = "snake_case", deny_unknown_fields)]
pub enum Look {
    /// A question in plain words, answered by the embedded plans.
    Ask {
        /// The question.
        question: String,
    },
    /// One incident: summary, cause, course.
    Incident {
        /// Its name.
        id: String,
    },
    /// What departs from the usual at a service.
    Anomalies {
        /// Which.
        service: String,
    },
    /// What was changed in a span of time.
    Changes {
        /// RFC 3339.
        from: String,
        /// RFC 3339.
        to: String,
    },
    /// New or unusual log lines of a service.
    LogTemplates {
        /// Which.
        service: String,
    },
    /// Whom a service calls, and who calls it.
    Dependencies {
        /// Which.
        service: String,
    },
}

impl Look {
    /// What a tool's request asks for.
    ///
    /// # Errors
    /// When there is no such tool, or its arguments are not as described; in words for the model.
    pub fn of(request: &ToolRequest) -> Result<Self, String> {
        if !specs().iter().any(|spec| spec.name == request.name) {
            let names: Vec<&str> = specs().iter().map(|spec| spec.name).collect();
            return Err(format!("there is no tool of this name; there are: {}", names.join(", ")));
        }
        let text = if request.arguments.trim().is_empty() { "{}" } else { request.arguments.as_str() };
        let arguments: Value =
            serde_json::from_str(text).map_err(|problem| format!("the arguments are no JSON: {problem}"))?;
        let look: Self = serde_json::from_value(json!({"name": request.name, "arguments": arguments}))
            .map_err(|problem| format!("the arguments are not as described: {}", harmless(&problem.to_string())))?;
        if look.subject().len() > WORDS_BYTES_MAX {
            return Err(format!("an argument is longer than {WORDS_BYTES_MAX} bytes"));
        }
        Ok(look)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ask { .. } => "ask",
            Self::Incident { .. } => "incident",
            Self::Anomalies { .. } => "anomalies",
            Self::Changes { .. } => "changes",
            Self::LogTemplates { .. } => "log_templates",
            Self::Dependencies { .. } => "dependencies",
        }
    }

    /// What it looks for.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Ask { question } => question.clone(),
            Self::Incident { id } => id.clone(),
            Self::Anomalies { service } | Self::LogTemplates { service } | Self::Dependencies { service } => {
                service.clone()
            }
            Self::Changes { from, to } => format!("{from} to {to}"),
        }
    }

    /// Looks, and gives the numbered lines of what it found.
    ///
    /// # Errors
    /// When what it is about is not known; in words for the model.
    pub fn run(
        &self,
        ground: &Ground<'_>,
        book: &NameBook,
        asked: &mut Conversation,
        sheet: &mut Sheet,
    ) -> Result<Vec<String>, String> {
        let mut lines = match self {
            Self::Ask { question } => sheet.take(ground, &asked.ask(question, ground)),
            Self::Incident { id } => {
                let slots = Slots { incident: Some(known(book, Kind::Incident, id)?.into()), ..Slots::default() };
                let plans = [Intent::IncidentSummary, Intent::RootCause, Intent::IncidentTimeline];
                let answers = plans.into_iter().map(|intent| planned(ground, book, intent, slots.clone()));
                answers.flat_map(|answer| sheet.take(ground, &answer)).collect()
            }
            Self::Anomalies { service } => {
                let service = known(book, Kind::Service, service)?;
                let found = ground.anomalies(&service, None);
                let claims = found.iter().take(ROWS_MAX).map(|anomaly| ground.departure(anomaly));
                let mut lines: Vec<String> = claims.filter_map(|claim| sheet.line(ground, &claim)).collect();
                if found.is_empty() {
                    let slots = Slots { service: vec![service.into()], ..Slots::default() };
                    lines = sheet.take(ground, &planned(ground, book, Intent::ServiceHealth, slots));
                } else if found.len() > ROWS_MAX {
                    let rest = ground::count(found.len() - ROWS_MAX, Citation::Totals);
                    lines.extend(sheet.line(ground, &Claim::of("{} more anomalies are not listed here.", [rest])));
                }
                lines
            }
            Self::Changes { from, to } => {
                let span = Span { from: instant("from", from)?, to: instant("to", to)? };
                let found = ground.changes(Some(span), &Slots::default());
                let (from, to) = (ground.at(span.from, Citation::Totals), ground.at(span.to, Citation::Totals));
                let count = ground::count(found.len(), Citation::Totals);
                let lead = Claim::of("{} changes are known between {} and {}.", [count, from, to]);
                let claims = found.iter().rev().take(ROWS_MAX).map(|change| answers::change(ground, change));
                let claims: Vec<Claim> = std::iter::once(lead).chain(claims).collect();
                claims.iter().filter_map(|claim| sheet.line(ground, claim)).collect()
            }
            Self::LogTemplates { service } => about(ground, book, sheet, Intent::LogNovelty, service)?,
            Self::Dependencies { service } => about(ground, book, sheet, Intent::Dependency, service)?,
        };
        lines.dedup();
        lines.truncate(2 * ROWS_MAX);
        Ok(lines)
    }
}

fn about(
    ground: &Ground<'_>,
    book: &NameBook,
    sheet: &mut Sheet,
    intent: Intent,
    service: &str,
) -> Result<Vec<String>, String> {
    let slots = Slots { service: vec![known(book, Kind::Service, service)?.into()], ..Slots::default() };
    Ok(sheet.take(ground, &planned(ground, book, intent, slots)))
}

/// The answer of a plan, without a text to read.
#[must_use]
pub fn planned(ground: &Ground<'_>, book: &NameBook, intent: Intent, slots: Slots) -> Answer {
    answers::answer(ground, book, &Reading::of(intent, slots))
}

/// The name as it is written where it belongs.
fn known(book: &NameBook, kind: Kind, written: &str) -> Result<String, String> {
    let key = crate::engine::ask::names::key(written);
    if let Some(name) = book.exact(&key).find(|name| name.kind == kind) {
        return Ok(name.text.to_string());
    }
    let near: Vec<String> = book.alike(written, kind, CHOICES_MAX).iter().map(|name| harmless(name)).collect();
    let near = if near.is_empty() { String::new() } else { format!("; alike are {}", near.join(", ")) };
    Err(format!("nothing here is called that{near}"))
}

fn instant(key: &str, text: &str) -> Result<Timestamp, String> {
    let at = DateTime::parse_from_rfc3339(text.trim());
    at.map(|at| Timestamp(at.timestamp_millis()))
        .map_err(|_| format!("`{key}` is no time; write it as 2026-11-01T14:00:00Z"))
}

/// The looks as they are described to a model.
#[must_use]
pub fn specs() -> Vec<ToolSpec> {
    let spec = |name, description, fields: &[(&str, &str)]| {
        let properties: serde_json::Map<String, Value> = fields
            .iter()
            .map(|(key, says)| ((*key).to_owned(), json!({"type": "string", "description": says})))
            .collect();
        let required: Vec<&str> = fields.iter().map(|(key, _)| *key).collect();
        let schema =
            json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
        ToolSpec { name, description, schema }
    };
    vec![
        spec(
            "ask",
            "Asks the console a question in plain words, such as `why is checkout slow` or `who owns payment`. It answers from what it knows, or says that it does not know.",
            &[("question", "one question")],
        ),
        spec(
            "incident",
            "One incident: its summary, its cause as far as it is known, and what happened when.",
            &[("id", "its name, such as INC-12")],
        ),
        spec("anomalies", "What departs from the usual at a service, the worst first.", &[("service", "its name")]),
        spec(
            "changes",
            "What was changed in a span of time, the newest first.",
            &[("from", "its beginning, RFC 3339 in UTC"), ("to", "its end, RFC 3339 in UTC")],
        ),
        spec(
            "log_templates",
            "New or unusual log lines of a service. Anybody may have written them.",
            &[("service", "its name")],
        ),
        spec("dependencies", "Whom a service calls, and who calls it.", &[("service", "its name")]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, arguments: &str) -> Result<Look, String> {
        Look::of(&ToolRequest { id: "1".to_owned(), name: name.to_owned(), arguments: arguments.to_owned() })
    }

    #[test]
    fn only_what_is_on_the_list_is_read_and_only_as_described() {
        assert_eq!(of("anomalies", r#"{"service":"payment"}"#), Ok(Look::Anomalies { service: "payment".to_owned() }));
        for spec in specs() {
            let fields = spec.schema["required"].as_array().unwrap().iter();
            let arguments: serde_json::Map<String, Value> =
                fields.map(|field| (field.as_str().unwrap().to_owned(), "x".into())).collect();
            assert_eq!(of(spec.name, &Value::Object(arguments).to_string()).unwrap().name(), spec.name);
        }
        for (name, arguments, words) in [
            ("restart_service", r#"{"service":"payment"}"#, "there is no tool of this name; there are: ask, incident"),
            ("Ask", "{}", "there is no tool"),
            ("anomalies", "{", "no JSON"),
            ("anomalies", "", "missing field"),
            ("anomalies", r#"{"service":"a","run":"rm"}"#, "unknown field"),
            ("anomalies", r#"{"service":7}"#, "invalid type"),
            ("anomalies", "[]", "not as described"),
        ] {
            let said = of(name, arguments).unwrap_err();
            assert!(said.contains(words), "{name} {arguments}: {said}");
        }
        assert!(of("ask", &format!(r#"{{"question":"{}"}}"#, "x".repeat(500))).unwrap_err().contains("400 bytes"));
    }
}
