//! Reads a runbook: one Markdown page with fenced TOML blocks. Every mistake is found at once, with its line and remedy.
//!
//! ````text
//! # Title
//! ```toml runbook      id, version, owner, problem, service, where, symptoms, match, max_actions, estimate, verified,
//!                      expires_days, include, [params]
//! ```
//! Prose: becomes the text of the step after it.
//! ```toml step NAME    kind = note | check | act | wait | verify | ask | notify | branch, and what the kind needs
//! ```
//! ```sh                any other block is shown and never run
//! ```
//! ````

mod act;
mod call;
mod condition;
mod decide;
mod fields;
mod goal;
mod head;
mod looks;
pub(super) mod markdown;
mod matchers;
mod order;
mod step;

use std::sync::Arc;

use toml::de::DeTable;

use self::fields::{Fields, Problems, Source};
use self::markdown::{Block, Page};
use crate::engine::model::{Runbook, StepSpec};
use crate::engine::snapshot::FileProblem;

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
                runbook = with_table(block, problems, |fields, problems| head::read(origin, text, fields, problems));
                has_head = true;
            }
            ("runbook", "") => problems.add(block.line, "a second runbook block; one file is one runbook"),
            ("step", name) => {
                check_step_name(name, &steps, block.line, problems);
                let prose = if steps.is_empty() { join(intro, block.prose) } else { block.prose.to_owned() };
                let params = runbook.as_ref().map(|runbook: &Runbook| &runbook.params);
                let read =
                    with_table(block, problems, |fields, problems| step::read(name, &prose, params, fields, problems));
                steps.extend(read.into_iter().flatten().map(|step| (step, block.line)));
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
    order::check(&runbook, &steps, problems);
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

#[cfg(test)]
mod tests;
