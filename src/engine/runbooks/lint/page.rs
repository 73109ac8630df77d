//! Rules about the page as people read it, and about its head.

use std::sync::LazyLock;

use chrono::NaiveDate;
use regex::Regex;

use super::raw::Raw;
use super::{Findings, PageText, Surroundings};
use crate::engine::model::Runbook;
use crate::engine::redact::LineRedactor;

/// Lines of prose before one step: more is not read at night.
const PROSE_LINES_MAX: usize = 12;
/// Lines of prose before the first step, which is what is on the screen when the page opens.
const FIRST_SCREEN_LINES_MAX: usize = 20;

static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\]\(([^)\s]+)\)").ok());

/// What can be told line by line, also of a page that cannot be read.
pub(super) fn look_at_text(page: &PageText<'_>, around: &Surroundings<'_>, findings: &mut Findings) {
    let mut is_inside = false;
    let mut secrets = LineRedactor::default();
    for (line, number) in page.text.lines().zip(1_u32..) {
        is_inside ^= line.trim_start().starts_with("```");
        if line.contains("FILL IN") {
            findings.error("fill-in", number, "this is still to be written; replace it, the words FILL IN included");
        }
        if secrets.line(line) != line {
            let remedy =
                "this looks like a secret; take it out, change it where it is used, and let the settings hold it";
            findings.error("secret", number, remedy);
        }
        let links = LINK.iter().flat_map(|link| link.captures_iter(line)).filter_map(|found| found.get(1));
        for link in links.map(|link| link.as_str()).filter(|link| !is_inside && is_relative(link)) {
            let target = link.split(['#', '?']).next().unwrap_or(link);
            if (around.link_is_alive)(page.file, target) == Some(false) {
                findings.error("dead-link", number, format!("`{link}` is not there; mend the link or take it away"));
            }
        }
    }
}

fn is_relative(link: &str) -> bool {
    !link.contains("://") && !link.starts_with(['#', '/']) && !link.starts_with("mailto:")
}

/// The head: who looked at it last, and what is on the first screen.
pub(super) fn look_at_head(runbook: &Runbook, raw: &Raw, around: &Surroundings<'_>, findings: &mut Findings) {
    look_at_age(runbook, raw, around.today, findings);
    let first = runbook.steps.first().and_then(|step| raw.steps.get(step.name.as_ref()));
    if let Some(first) = first {
        let lines = prose_lines(&raw.head.prose) + prose_lines(&first.prose);
        if lines > FIRST_SCREEN_LINES_MAX {
            let text = format!(
                "{lines} lines of prose before the first step; {FIRST_SCREEN_LINES_MAX} fit on the first screen, move the rest to its step"
            );
            findings.warn("first-screen", first.line, text);
        }
    }
    for step in runbook.steps.iter().skip(1) {
        let Some(block) = raw.steps.get(step.name.as_ref()) else { continue };
        let lines = prose_lines(&block.prose);
        if lines > PROSE_LINES_MAX {
            let text = format!("{lines} lines of prose before `{}`; say it in {PROSE_LINES_MAX}", step.name);
            findings.warn("long-prose", block.line, text);
        }
    }
    let has_act = runbook.steps.iter().any(|step| step.act().is_some());
    let prose = raw.steps.values().map(|block| block.prose.as_str()).chain([raw.head.prose.as_str(), &raw.ending]);
    if has_act && !prose.into_iter().any(says_when_not) {
        let text =
            "nothing says when not to use it; add a paragraph that begins with `Not when`, and what to do instead";
        findings.warn("no-stop", raw.head.line, text);
    }
}

fn look_at_age(runbook: &Runbook, raw: &Raw, today: Option<NaiveDate>, findings: &mut Findings) {
    let Some(verified) = &runbook.verified else {
        let text = "it has no `verified` day; rehearse it, and write the day, such as verified = 2026-02-14";
        findings.warn("never-verified", raw.head.line, text);
        return;
    };
    let day = NaiveDate::parse_from_str(verified, "%Y-%m-%d").ok();
    let Some(age) = today.zip(day).map(|(today, day)| today.signed_duration_since(day).num_days()) else { return };
    let line = raw.head.line_of("verified");
    if age < -1 {
        findings.warn(
            "expired",
            line,
            format!("`verified` is {} days ahead; write the day of the last good run", -age),
        );
    } else if age > i64::from(runbook.expires_days) {
        let days = runbook.expires_days;
        findings.warn("expired", line, format!("verified {age} days ago, and good for {days}; rehearse it again"));
    }
}

/// Lines with words in them, outside of blocks that are only shown.
fn prose_lines(prose: &str) -> usize {
    let mut is_inside = false;
    let mut count = 0;
    for line in prose.lines() {
        if line.trim_start().starts_with("```") {
            is_inside = !is_inside;
        } else if !is_inside && !line.trim().is_empty() {
            count += 1;
        }
    }
    count
}

fn says_when_not(prose: &str) -> bool {
    ["Not when", "Not while", "Not without", "Do not", "Stop when", "Stop if", "Never "]
        .iter()
        .any(|words| prose.contains(words))
}
