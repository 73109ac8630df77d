//! `hypo runbook lint`: what is wrong with pages, with file, line and remedy.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::super::{Exit, Failure, output, settings};
use crate::app::arguments::{CommonArguments, RunbookLintArguments};
use crate::engine::ingest::prometheus::queries::configured;
use crate::engine::ingest::{host, wall_clock};
use crate::engine::runbooks::library::{SHIPPED_ORIGIN, shipped_pages};
use crate::engine::runbooks::lint::{Finding, PageText, Surroundings, Weight, lint};
use crate::engine::runbooks::parse;
use crate::views::text::counted;

/// `hypo runbook lint --json`
#[derive(Serialize)]
struct Findings<'a> {
    is_clean: bool,
    pages: usize,
    findings: &'a [Finding],
}

pub(super) fn run(common: &CommonArguments, arguments: &RunbookLintArguments) -> Result<Exit, Failure> {
    let mut pages: Vec<(String, String)> = Vec::new();
    let mut own_ids: Vec<PathBuf> = arguments.paths.clone();
    if arguments.paths.is_empty() {
        own_ids = settings(common)?.settings.engine.runbooks.folders;
    }
    for path in &own_ids {
        read_path(path, &mut pages)?;
    }
    let own_count = pages.len();
    if arguments.paths.is_empty() {
        // A page of one's own may carry the id of a shipped one: it stands in its place.
        let id = |text: &str| parse("", text).ok().map(|runbook| runbook.id);
        let own: BTreeSet<Arc<str>> = pages.iter().filter_map(|(_, text)| id(text)).collect();
        let shipped = shipped_pages().iter().filter(|(_, text)| id(text).is_none_or(|id| !own.contains(&id)));
        pages.extend(shipped.map(|(name, text)| (format!("{SHIPPED_ORIGIN}: {name}.md"), (*text).to_owned())));
    }
    if pages.is_empty() {
        return Err("there is no page there; name files or folders with files that end in .md".into());
    }
    let texts: Vec<PageText<'_>> = pages.iter().map(|(file, text)| PageText { file, text }).collect();
    let (today, own_files) = (wall_clock::now().to_datetime().date_naive(), &pages[..own_count]);
    let is_own = |file: &str| own_files.iter().any(|(own, _)| own == file);
    let link_is_alive = |file: &str, link: &str| {
        let folder = Path::new(file).parent().filter(|_| is_own(file))?;
        Some(folder.join(link).exists())
    };
    let metrics = known_metrics(common);
    let around = Surroundings { today: Some(today), metrics: metrics.as_ref(), link_is_alive: &link_is_alive };
    let findings = lint(&texts, &around);
    let is_clean = !findings.iter().any(|finding| arguments.strict || finding.weight == Weight::Error);
    if arguments.json {
        output::json(&Findings { is_clean, pages: pages.len(), findings: &findings })?;
    } else {
        tell(&findings, pages.len())?;
    }
    Ok(if is_clean { Exit::Done } else { Exit::Found })
}

/// The metrics that the configured servers are asked for, and those of machines. `None` where no server is configured or
/// the settings cannot be read: then nobody knows what a page may look at. The store keeps no names.
fn known_metrics(common: &CommonArguments) -> Option<BTreeSet<Arc<str>>> {
    let servers = settings(common).ok()?.settings.engine.prometheus;
    let mut known: BTreeSet<Arc<str>> = host::METRICS.into_iter().map(Arc::from).collect();
    for server in &servers {
        known.extend(configured(server).ok()?.into_iter().map(|query| Arc::from(query.metric)));
    }
    (!servers.is_empty()).then_some(known)
}

fn tell(findings: &[Finding], page_count: usize) -> Result<(), Failure> {
    for finding in findings {
        let weight = if finding.weight == Weight::Error { "error" } else { "warning" };
        output::line(&format!("{}:{}: {weight} [{}] {}", finding.file, finding.line, finding.rule, finding.text))?;
    }
    let count = |weight: Weight| findings.iter().filter(|finding| finding.weight == weight).count() as u64;
    let pages = counted(page_count as u64, "page", "pages");
    let errors = counted(count(Weight::Error), "error", "errors");
    output::line(&format!("{pages}: {errors}, {}", counted(count(Weight::Warning), "warning", "warnings")))?;
    Ok(())
}

/// A page, or every page of a folder.
fn read_path(path: &Path, pages: &mut Vec<(String, String)>) -> Result<(), Failure> {
    let unreadable = |problem: std::io::Error| format!("cannot read {}: {problem}", path.display());
    if !path.is_dir() {
        pages.push((path.display().to_string(), std::fs::read_to_string(path).map_err(unreadable)?));
        return Ok(());
    }
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(path).map_err(unreadable)?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "md")) {
        let text =
            std::fs::read_to_string(file).map_err(|problem| format!("cannot read {}: {problem}", file.display()))?;
        pages.push((file.display().to_string(), text));
    }
    Ok(())
}
