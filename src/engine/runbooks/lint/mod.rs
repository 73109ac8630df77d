//! What is wrong with pages of runbooks beyond what keeps them from being read: each rule by its name, with the line and
//! what to do.

mod page;
mod paths;
mod raw;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;

use self::raw::Raw;
use super::include;
use super::library::Library;
use super::parse::parse;
use crate::engine::model::Runbook;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The page must not be used as it is.
    Error,
    /// The page works, and will hurt somebody one night.
    Warning,
}

/// One thing that is wrong with a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which file.
    pub file: Arc<str>,
    /// Which line, from 1.
    pub line: u32,
    /// How much it weighs.
    pub weight: Weight,
    /// The rule's name: `no-expected`; `page` for what keeps the page from being read.
    pub rule: &'static str,
    /// What is wrong, and what to do.
    pub text: Arc<str>,
}

/// A page to be looked at.
#[derive(Debug, Clone, Copy)]
pub struct PageText<'a> {
    /// Its file, for messages and for links.
    pub file: &'a str,
    /// What it holds.
    pub text: &'a str,
}

/// What a page is compared with.
pub struct Surroundings<'a> {
    /// Today; without it nothing is said about ages.
    pub today: Option<NaiveDate>,
    /// Metrics that are known; without them nothing is said about names.
    pub metrics: Option<&'a BTreeSet<Arc<str>>>,
    /// Whether what a link of a file points at is there; `None` where nobody can say.
    pub link_is_alive: &'a dyn Fn(&str, &str) -> Option<bool>,
}

/// Where findings of one page are collected.
struct Findings {
    file: Arc<str>,
    found: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, rule: &'static str, weight: Weight, line: u32, text: impl Into<Arc<str>>) {
        self.found.push(Finding { file: Arc::clone(&self.file), line, weight, rule, text: text.into() });
    }

    fn error(&mut self, rule: &'static str, line: u32, text: impl Into<Arc<str>>) {
        self.add(rule, Weight::Error, line, text);
    }

    fn warn(&mut self, rule: &'static str, line: u32, text: impl Into<Arc<str>>) {
        self.add(rule, Weight::Warning, line, text);
    }
}

/// Everything that is wrong with these pages, in order of files as given and of lines.
#[must_use]
pub fn lint(pages: &[PageText<'_>], around: &Surroundings<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut read: Vec<(&str, u32, Runbook)> = Vec::new();
    let parsed: Vec<_> = pages.iter().map(|page| (page, parse(page.file, page.text))).collect();
    let known = includable(parsed.iter().filter_map(|(_, parsed)| parsed.as_ref().ok()));
    for (page, parsed) in parsed {
        let mut findings = Findings { file: Arc::from(page.file), found: Vec::new() };
        page::look_at_text(page, around, &mut findings);
        match parsed {
            Err(problems) => {
                for problem in problems {
                    findings.error("page", problem.line, problem.text);
                }
            }
            Ok(runbook) => {
                let raw = Raw::read(page.text);
                page::look_at_head(&runbook, &raw, around, &mut findings);
                steps::look(&runbook, &raw, around, &mut findings);
                paths::look(&runbook, &raw, &mut findings);
                match include::whole(&runbook, &known) {
                    Ok(whole) => paths::look_at_databases(&whole, &raw, &mut findings),
                    Err(text) => findings.error("include", raw.head.line_of("include"), text),
                }
                compare(&runbook, &raw, &read, &mut findings);
                read.push((page.file, raw.head.line, runbook));
            }
        }
        findings.found.sort_by_key(|finding| finding.line);
        all.extend(findings.found);
    }
    all
}

/// The first mistake in a page that is an error by itself, whatever is around it; `None` for a page that may act.
#[must_use]
pub fn mistake(file: &str, text: &str) -> Option<Arc<str>> {
    let alone = Surroundings { today: None, metrics: None, link_is_alive: &|_, _| None };
    let found = lint(&[PageText { file, text }], &alone);
    // What it includes is known only once every page has been read, and is a problem of its own then.
    let is_own = |finding: &Finding| finding.weight == Weight::Error && finding.rule != "include";
    found.into_iter().find(is_own).map(|finding| format!("line {}: {}", finding.line, finding.text).into())
}

/// Pages that another may include, by id: those of the starter library, and these in their place.
fn includable<'a>(own: impl Iterator<Item = &'a Runbook>) -> BTreeMap<Arc<str>, Arc<Runbook>> {
    let shipped = Library::shipped();
    let by_id = |page: Arc<Runbook>| (Arc::clone(&page.id), page);
    let own = own.map(|page| Arc::new(page.clone()));
    shipped.iter().map(Arc::clone).chain(own).map(by_id).collect()
}

/// Two pages with one identity, or with the same conditions: which of them is offered would be chance.
fn compare(runbook: &Runbook, raw: &Raw, read: &[(&str, u32, Runbook)], findings: &mut Findings) {
    if let Some((file, ..)) = read.iter().find(|(.., other)| other.id == runbook.id) {
        let text = format!("its id `{}` is that of {file}; rename one of them", runbook.id);
        findings.error("duplicate-id", raw.head.line_of("id"), text);
        return;
    }
    let same = read.iter().find(|(.., other)| conditions(other) == conditions(runbook));
    if let Some((file, ..)) = same {
        let text = format!("its conditions are those of {file}; tell them apart by `match`, `symptoms` or `service`");
        findings.warn("duplicate-match", raw.head.line_of("problem"), text);
    }
}

/// When a runbook is offered: its conditions in an order of their own.
fn conditions(runbook: &Runbook) -> BTreeMap<&'static str, BTreeSet<String>> {
    let alerts = runbook.alerts.iter().map(|matchers| format!("{matchers:?}")).collect();
    let place = format!("{:?}", runbook.place);
    BTreeMap::from([
        ("problem", runbook.problems.iter().map(|kind| format!("{kind:?}")).collect()),
        ("service", BTreeSet::from([runbook.service_pattern.to_string()])),
        ("where", BTreeSet::from([place])),
        ("symptoms", runbook.symptoms.iter().map(ToString::to_string).collect()),
        ("match", alerts),
    ])
}
