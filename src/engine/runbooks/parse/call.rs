//! Reads what a step calls: a program here, a program elsewhere, a playbook, a job template or a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fields::{Fields, Problems};
use super::looks::{Look, only_looks};
use crate::engine::model::{Call, HttpCall, HttpMethod, Play};
use crate::engine::runbooks::fill::placeholders;
use crate::nearest::nearest;

/// The keys that say what is called.
const WAYS: [&str; 4] = ["run", "playbook", "job", "request"];
const METHODS: [HttpMethod; 5] =
    [HttpMethod::Get, HttpMethod::Post, HttpMethod::Put, HttpMethod::Patch, HttpMethod::Delete];

/// What the step itself calls: exactly one of `run` (with `host` on that machine), `playbook`, `job`, `request`.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Call> {
    let given: Vec<&str> = WAYS.into_iter().filter(|way| fields.has(way)).collect();
    if given.is_empty() {
        problems.add(
            fields.line(),
            "`run` is missing; write the command, such as run = [\"kubectl\", \"get\", \"pods\"], or a playbook, job or request",
        );
    }
    if given.len() > 1 {
        problems.add(fields.line(), format!("a step calls one thing; choose one of {}", given.join(" and ")));
    }
    read_way(fields, None, problems)
}

/// A call under a key of its own, such as `undo`: a list is a command on the step's own machine, a table is a call in full.
pub(super) fn read_key(
    key: &'static str,
    host: Option<&Arc<str>>,
    fields: &mut Fields<'_>,
    problems: &mut Problems,
) -> Option<Call> {
    if !fields.has(key) {
        return None;
    }
    if fields.is_table(key) {
        let table = fields.table(key, problems)?;
        let mut inner = fields.nested(table, fields.line_of(key));
        let call = read(&mut inner, problems);
        inner.refuse_others(&format!("`{key}`"), problems);
        return call;
    }
    let argv = fields.list(key, false, problems)?;
    command(argv, host.cloned(), fields.line_of(key), problems)
}

/// The call of a step that only looks.
pub(super) fn read_look(fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Call> {
    let call = read(fields, problems)?;
    let way = WAYS.into_iter().find(|way| fields.has(way)).unwrap_or("run");
    if let Err(why) = only_looks(&call, Look::Plain) {
        problems.add(fields.line_of(way), format!("a check only looks: {why}"));
    }
    Some(call)
}

/// As [`read_key`], for a call that only looks.
pub(super) fn read_look_key(
    key: &'static str,
    host: Option<&Arc<str>>,
    look: Look,
    fields: &mut Fields<'_>,
    problems: &mut Problems,
) -> Option<Call> {
    let call = read_key(key, host, fields, problems)?;
    if let Err(why) = only_looks(&call, look) {
        problems.add(fields.line_of(key), format!("`{key}` only looks: {why}"));
    }
    Some(call)
}

fn read_way(fields: &mut Fields<'_>, host: Option<&Arc<str>>, problems: &mut Problems) -> Option<Call> {
    let own_host = fields.text("host", problems);
    let host = own_host.as_ref().or(host);
    let run = fields.has("run").then(|| fields.list("run", false, problems)).flatten();
    let playbook = fields.table("playbook", problems).map(|table| (table, fields.line_of("playbook")));
    let job = fields.table("job", problems).map(|table| (table, fields.line_of("job")));
    let request = fields.table("request", problems).map(|table| (table, fields.line_of("request")));
    if let Some(argv) = run {
        return command(argv, host.cloned(), fields.line_of("run"), problems);
    }
    if host.is_some() && (playbook.is_some() || job.is_some() || request.is_some()) {
        problems.add(
            fields.line_of("host"),
            "`host` goes with `run`; a playbook or job has `limit`, a request an endpoint",
        );
    }
    if let Some((table, line)) = playbook {
        return read_play(fields.nested(table, line), "file", problems).map(Call::Playbook);
    }
    if let Some((table, line)) = job {
        return read_play(fields.nested(table, line), "template", problems).map(Call::JobTemplate);
    }
    let (table, line) = request?;
    read_request(fields.nested(table, line), problems).map(Call::Http)
}

fn command(argv: Vec<Arc<str>>, host: Option<Arc<str>>, line: u32, problems: &mut Problems) -> Option<Call> {
    check_program(&argv, line, problems);
    if argv.is_empty() {
        return None;
    }
    Some(match host {
        Some(host) => Call::Ssh { host, argv },
        None => Call::Command { argv },
    })
}

/// The program is fixed text: no parameter chooses it and no shell reads it.
fn check_program(argv: &[Arc<str>], line: u32, problems: &mut Problems) {
    match argv.first() {
        None => problems.add(line, "`run` is empty; write the program and its arguments"),
        Some(program) if program.contains(|c: char| c.is_whitespace() || "{}|&;<>()$`\\\"'*?[]#~=%".contains(c)) => {
            let text = format!(
                "`{program}` is no program's name; no shell reads this, write each argument as an element of its own"
            );
            problems.add(line, text);
        }
        Some(program) if is_shell(program) => problems.add(
            line,
            format!("`{program}` reads its arguments as a program of their own; call what it would call instead"),
        ),
        _ => {}
    }
    let shell = argv.iter().skip(1).position(|word| is_only_shell(word)).map(|at| at + 1);
    if let Some((word, behind)) = shell.and_then(|at| argv.get(at..)).and_then(<[_]>::split_first)
        && let Some(value) = behind.iter().find(|argument| placeholders(argument).next().is_some())
    {
        let text = format!("`{word}` would read the value in `{value}` as code; call what it would call instead");
        problems.add(line, text);
    }
}

/// Shells that another program is asked to start: `kubectl exec … -- sh -c`. Names that may be something else are not here.
fn is_only_shell(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or(word);
    matches!(
        name,
        "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" | "fish" | "csh" | "tcsh" | "busybox" | "eval" | "xargs"
    )
}

/// Programs that would read a value as code.
fn is_shell(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or(program);
    matches!(
        name,
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "fish" | "csh" | "eval" | "xargs" | "env" | "sudo" | "su" | "nohup"
    ) || name.starts_with("python")
        || matches!(name, "perl" | "ruby" | "node" | "awk" | "gawk" | "mawk" | "php" | "lua" | "tclsh")
}

fn read_play(mut fields: Fields<'_>, name: &'static str, problems: &mut Problems) -> Option<Play> {
    let what = fields.required_text(name, "name it as the settings do", problems);
    let limit = fields.required_text("limit", "say which hosts it is limited to, such as limit = \"{host}\"", problems);
    let vars = fields.table("vars", problems);
    let line = fields.line_of("vars");
    let mut bound = BTreeMap::new();
    for (key, value) in vars.into_iter().flatten() {
        match value.get_ref().as_str() {
            Some(text) => {
                bound.insert(Arc::from(key.get_ref().as_ref()), Arc::from(text));
            }
            None => problems.add(
                fields.line_within(value.span(), line),
                format!("the variable `{}` must be text, such as \"{{service}}\"", key.get_ref()),
            ),
        }
    }
    let is_check = fields.flag("check", problems).unwrap_or(false);
    fields.refuse_others("a playbook or job", problems);
    if let Some(what) = what.as_ref().filter(|what| what.contains(['/', '{', '}']) || what.starts_with('-')) {
        problems.add(fields.line_of(name), format!("`{what}` must be a plain name, without a path or a placeholder"));
    }
    Some(Play { what: what?, limit: limit?, vars: bound, is_check })
}

fn read_request(mut fields: Fields<'_>, problems: &mut Problems) -> Option<HttpCall> {
    let endpoint = fields.required_text("endpoint", "name one of [runbooks.endpoints] in the settings", problems);
    let word = fields.required_text("method", "write GET, POST, PUT, PATCH or DELETE", problems);
    let method = word.as_ref().and_then(|word| METHODS.into_iter().find(|method| method.as_str() == word.as_ref()));
    if let (Some(word), None) = (&word, method) {
        let names = METHODS.map(HttpMethod::as_str);
        let hint = nearest(word, names).map_or_else(|| names.join(", "), |near| format!("did you mean `{near}`?"));
        problems.add(fields.line_of("method"), format!("unknown method `{word}`; {hint}"));
    }
    let path =
        fields.required_text("path", "write the path below the endpoint's address, such as \"/abort\"", problems);
    if let Some(path) = path.as_ref().filter(|path| !path.starts_with('/') || path.contains("..")) {
        problems.add(fields.line_of("path"), format!("`{path}` must begin with `/` and hold no `..`"));
    }
    let body = fields.value("body").map_or(serde_json::Value::Null, json);
    let statuses = fields.whole_list("statuses", 100..600, problems).unwrap_or_default();
    fields.refuse_others("a request", problems);
    Some(HttpCall {
        endpoint: endpoint?,
        method: method?,
        path: path?,
        body,
        statuses: statuses.into_iter().filter_map(|status| u16::try_from(status).ok()).collect(),
    })
}

/// TOML as JSON; placeholders stay inside texts.
fn json(value: &Spanned<DeValue<'_>>) -> serde_json::Value {
    use serde_json::Value;
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(is) => Value::Bool(*is),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Datetime(at) => Value::String(at.to_string()),
        DeValue::Array(values) => values.iter().map(json).collect(),
        DeValue::Table(table) => object(table),
    }
}

fn object(table: &DeTable<'_>) -> serde_json::Value {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value))).collect()
}
