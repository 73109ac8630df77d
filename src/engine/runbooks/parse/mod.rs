//! Reads a runbook: one Markdown page with fenced TOML blocks. Every mistake is found at once, with its line and remedy.
//!
//! ````text
//! # Title
//! ```toml runbook      id, version, owner, problem, service, where, max_actions, estimate, [params]
//! ```
//! Prose: becomes the text of the step after it.
//! ```toml step NAME    kind = note | check | act | verify, and what the kind needs
//! ```
//! ```sh                any other block is shown and never run
//! ```
//! ````

mod fields;
mod markdown;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as WordError, StrDeserializer};
use toml::de::DeTable;

use self::fields::{Fields, Problems, Source};
use self::markdown::{Block, Page};
use super::bind::{self, Origin};
use crate::engine::limits::ACTS_PER_INCIDENT_MAX;
use crate::engine::model::{CauseKind, ParamKind, ParamSpec, Runbook, RunbookPlace, StepKind, StepSpec};
use crate::engine::snapshot::FileProblem;
use crate::nearest::nearest;

/// Reads the text of the file `origin`.
///
/// # Errors
/// Every mistake in it, in order of lines.
pub fn parse(origin: &str, text: &str) -> Result<Runbook, Vec<FileProblem>> {
    let page = markdown::split(origin, text).map_err(|problem| vec![problem])?;
    let mut problems = Problems::new(origin);
    if page.title.is_empty() {
        problems.add(1, "there is no heading; begin the page with `# What it is for`");
    }
    let runbook = read_page(origin, text, &page, &mut problems);
    let mut found = problems.found;
    found.sort_by_key(|problem| problem.line);
    match runbook {
        Some(runbook) if found.is_empty() => Ok(runbook),
        _ => Err(found),
    }
}

fn read_page(origin: &str, text: &str, page: &Page<'_>, problems: &mut Problems) -> Option<Runbook> {
    let mut runbook = None;
    let mut has_head = false;
    let mut steps: Vec<(StepSpec, u32)> = Vec::new();
    let mut intro = "";
    for block in &page.blocks {
        match block.info.split_once(char::is_whitespace).map_or((block.info, ""), |(word, rest)| (word, rest.trim())) {
            ("runbook", "") if !has_head => {
                intro = block.prose;
                runbook = with_table(block, problems, |fields, problems| read_head(origin, text, fields, problems));
                has_head = true;
            }
            ("runbook", "") => problems.add(block.line, "a second runbook block; one file is one runbook"),
            ("step", name) => {
                check_step_name(name, &steps, block.line, problems);
                let prose = if steps.is_empty() { join(intro, block.prose) } else { block.prose.to_owned() };
                let step = with_table(block, problems, |fields, problems| step::read(name, &prose, fields, problems));
                steps.extend(step.map(|step| (step, block.line)));
            }
            _ => problems.add(
                block.line,
                format!("```toml {} is not read; write ```toml runbook or ```toml step NAME", block.info),
            ),
        }
    }
    if !has_head {
        problems.add(1, "there is no ```toml runbook block; it gives id, version, owner and problem");
    }
    let mut runbook = runbook?;
    if let Some((last, _)) = steps.last_mut() {
        last.text = join(&last.text, page.ending).into();
    }
    check_order(&runbook, &steps, problems);
    check_placeholders(&runbook, &steps, problems);
    runbook.title = Arc::from(page.title);
    runbook.steps = steps.into_iter().map(|(step, _)| step).collect();
    Some(runbook)
}

fn join(first: &str, second: &str) -> String {
    [first, second].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// Parses the block and hands its table on; a mistake in the TOML itself is named with its line.
fn with_table<T>(
    block: &Block<'_>,
    problems: &mut Problems,
    read: impl FnOnce(Fields<'_>, &mut Problems) -> Option<T>,
) -> Option<T> {
    let source = Source { toml: block.toml, fence_line: block.line };
    match DeTable::parse(block.toml) {
        Ok(table) => read(Fields::new(source, table.get_ref(), block.line), problems),
        Err(error) => {
            problems.add(source.line(error.span()), error.message().to_owned());
            None
        }
    }
}

fn read_head(origin: &str, text: &str, mut fields: Fields<'_>, problems: &mut Problems) -> Option<Runbook> {
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
    let params = fields.table("params", problems);
    let line = fields.line_of("params");
    let params = params.map_or_else(BTreeMap::new, |table| read_params(&fields, table, line, problems));
    fields.refuse_others("a runbook", problems);
    let id = id?;
    if !is_name(&id) {
        problems.add(fields.line_of("id"), format!("`{id}` is no id; use lower-case letters, digits and dashes"));
    }
    Some(Runbook {
        id,
        title: Arc::from(""),
        version: version?,
        content_hash: bind::sha256_hex([text]).into(),
        owner: owner?,
        origin: Arc::from(origin),
        problems: causes,
        service_pattern,
        place,
        params,
        acts_max: u8::try_from(acts_max).unwrap_or(u8::MAX),
        estimate_seconds: u32::try_from(estimate_ms / 1_000).unwrap_or(u32::MAX),
        steps: Vec::new(),
    })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn check_step_name(name: &str, steps: &[(StepSpec, u32)], line: u32, problems: &mut Problems) {
    if !is_name(name) {
        problems.add(line, format!("`{name}` is no step's name; use lower-case letters, digits and dashes"));
    }
    if let Some((_, first)) = steps.iter().find(|(step, _)| step.name.as_ref() == name) {
        problems.add(line, format!("a second step `{name}`; the first is in line {first}, rename one of them"));
    }
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
    let from = fields.required_text("from", "say where it comes from, such as from = \"cause.service\"", problems);
    let pattern = fields.text("pattern", problems);
    let choices = fields.list("choices", false, problems).unwrap_or_default();
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
    if kind == ParamKind::Text && pattern.is_none() && choices.is_empty() {
        problems.add(fields.line(), "a text parameter needs `pattern` or `choices`, so that not just any text passes");
    }
    if let Some(pattern) = &pattern {
        check_pattern("pattern", pattern, fields.line_of("pattern"), problems);
    }
    let from = from?;
    for part in bind::alternatives(&from) {
        if let Err(hint) = Origin::read(part) {
            problems.add(fields.line_of("from"), hint);
        }
    }
    Some(ParamSpec { kind, from, pattern, choices })
}

fn check_pattern(key: &str, pattern: &str, line: u32, problems: &mut Problems) {
    if let Err(error) = bind::whole_pattern(pattern) {
        let reason = error.to_string().lines().last().unwrap_or("").trim().to_owned();
        problems.add(line, format!("`{key}` is no regular expression: {reason}"));
    }
}

/// Rules about the steps as a whole.
fn check_order(runbook: &Runbook, steps: &[(StepSpec, u32)], problems: &mut Problems) {
    let Some((_, first_line)) = steps.first() else {
        problems.add(1, "there are no steps; write at least one ```toml step NAME block");
        return;
    };
    let is_act = |(step, _): &&(StepSpec, u32)| matches!(step.kind, StepKind::Act { .. });
    let act_count = steps.iter().filter(is_act).count();
    if act_count > usize::from(runbook.acts_max) {
        problems.add(
            *first_line,
            format!("{act_count} acts and max_actions = {}; raise it or take acts away", runbook.acts_max),
        );
    }
    let last_act = steps.iter().rposition(|step| is_act(&step));
    let last_verify = steps.iter().rposition(|(step, _)| matches!(step.kind, StepKind::Verify { .. }));
    if let Some(act) = last_act
        && last_verify.is_none_or(|verify| verify < act)
    {
        problems.add(steps[act].1, "no verify step comes after this act; nobody would know whether it helped");
    }
}

/// Every placeholder names a parameter, and every parameter is used.
fn check_placeholders(runbook: &Runbook, steps: &[(StepSpec, u32)], problems: &mut Problems) {
    let mut used = BTreeSet::new();
    for (step, line) in steps {
        for text in bind::texts(step) {
            for name in bind::placeholders(text) {
                if runbook.params.contains_key(name) {
                    used.insert(name);
                    continue;
                }
                let hint = nearest(name, runbook.params.keys().map(AsRef::as_ref)).map_or_else(
                    || "declare it under [params]".to_owned(),
                    |near| format!("did you mean `{{{near}}}`?"),
                );
                problems.add(*line, format!("step `{}` uses {{{name}}}, which is no parameter; {hint}", step.name));
            }
        }
    }
    for name in runbook.params.keys().filter(|name| !used.contains(name.as_ref())) {
        problems.add(1, format!("parameter `{name}` is used by no step; use it or take it away"));
    }
}

#[cfg(test)]
mod tests;
