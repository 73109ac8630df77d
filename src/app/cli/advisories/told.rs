//! What the feeds hold, as text and JSON.

use std::cmp::Reverse;

use serde::Serialize;

use crate::app::arguments::{AdvisoriesListArguments, CommonArguments};
use crate::app::cli::{Exit, Failure, output, settings};
use crate::engine::clock::Timestamp;
use crate::engine::ingest::wall_clock;
use crate::engine::model::human_span;
use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::feeds::debian::{Verdict, VerdictState};
use crate::engine::patches::feeds::nvd::BaseScore;
use crate::engine::patches::feeds::osv::OsvAffected;
use crate::engine::patches::knowledge::{Facts, Knowledge};
use crate::engine::patches::shelf::Shelf;
use crate::engine::patches::shelf::health::{FeedReport, FeedState};

/// One vulnerability in a listing.
#[derive(Serialize)]
struct Line<'k> {
    id: &'k AdvisoryId,
    /// `null` is unknown.
    cvss: Option<f64>,
    cvss_source: Option<String>,
    is_known_exploited: bool,
    epss: Option<f32>,
    epss_percentile: Option<f32>,
    published: Option<Timestamp>,
    is_withdrawn: bool,
    summary: &'k str,
}

/// All that is known of one.
#[derive(Serialize)]
struct Whole<'k> {
    #[serde(flatten)]
    line: Line<'k>,
    scores: Vec<&'k BaseScore>,
    known_exploited: Option<&'k crate::engine::patches::feeds::kev::KnownExploited>,
    debian: Vec<&'k Verdict>,
    osv: Vec<&'k OsvAffected>,
}

pub(super) fn feeds(common: &CommonArguments, is_json: bool) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let stale_after = loaded.settings.engine.patches.feeds.stale_after.0;
    let reports = Shelf::of(&loaded.paths.state_dir).report(wall_clock::now(), stale_after);
    if is_json {
        output::json(&reports)?;
    } else {
        for report in &reports {
            output::line(&feed_line(report))?;
        }
    }
    // OSV is fetched for whoever names ecosystems, so that it is missing is no fault.
    let is_wrong = |report: &FeedReport| !matches!(report.state, FeedState::Fresh | FeedState::Missing);
    Ok(if reports.iter().any(is_wrong) { Exit::Found } else { Exit::Done })
}

fn feed_line(report: &FeedReport) -> String {
    let title = report.feed.title();
    let state = match report.state {
        FeedState::Missing => "never taken",
        FeedState::Fresh => "fresh",
        FeedState::Stale => "STALE",
        FeedState::Failing => "FAILING",
        FeedState::Damaged => "DAMAGED",
    };
    let mut text = format!("{title:<24} {state:<12}");
    if let Some(head) = &report.head {
        let age = report.age_ms.map_or_else(String::new, |ms| format!(", renewed {} ago", human_span(ms)));
        let of = head.of.as_ref().map_or_else(String::new, |of| format!(" of {of}"));
        text.push_str(&format!("{:>8} entries{of}{age}, from {}", head.count, head.origin));
        if head.set_aside_count > 0 {
            let why = head.first_problem.as_deref().unwrap_or_default();
            text.push_str(&format!("; {} set aside, the first because {why}", head.set_aside_count));
        }
        if head.resume_at.is_some() {
            text.push_str("; the first download is not complete, `hypo advisories sync` goes on with it");
        }
    }
    if let Some(error) = report.tried.as_ref().and_then(|tried| tried.error.as_ref()) {
        text.push_str(&format!("; last try: {error}"));
    }
    if let Some(damage) = &report.damage {
        text.push_str(damage);
    }
    text.trim_end().to_owned()
}

pub(super) fn list(common: &CommonArguments, arguments: &AdvisoriesListArguments) -> Result<Exit, Failure> {
    let knowledge = knowledge(common)?;
    let mut names = match &arguments.package {
        Some(package) => knowledge.names_of_package(package),
        None => knowledge.names(),
    };
    names.retain(|name| !arguments.kev || knowledge.facts(name).kev.is_some());
    names.sort_unstable_by(|one, other| (Reverse(one.cve()), one).cmp(&(Reverse(other.cve()), other)));
    let count = names.len();
    names.truncate(arguments.limit);
    let lines: Vec<Line<'_>> = names.iter().map(|name| line(name, &knowledge)).collect();
    if arguments.json {
        output::json(&lines)?;
        return Ok(Exit::Done);
    }
    for line in &lines {
        output::line(&line.text())?;
    }
    match count {
        0 => output::line("none; `hypo advisories sync` renews the feeds")?,
        count if count > lines.len() => {
            output::line(&format!("and {} more; --limit says how many", count - lines.len()))?;
        }
        _ => {}
    }
    Ok(Exit::Done)
}

pub(super) fn show(common: &CommonArguments, id: &AdvisoryId, is_json: bool) -> Result<Exit, Failure> {
    let knowledge = knowledge(common)?;
    let facts = knowledge.facts(id);
    let debian: Vec<&Verdict> = knowledge.verdicts_of(id).collect();
    if facts == Facts::default() && debian.is_empty() {
        return Err(format!("no feed says anything of {id}; `hypo advisories feeds` says how old they are").into());
    }
    let osv: Vec<&OsvAffected> = facts.osv.iter().flat_map(|advisory| &advisory.affected).collect();
    let mut scores: Vec<&BaseScore> = facts.nvd.iter().flat_map(|entry| &entry.scores).collect();
    scores.extend(facts.osv.iter().flat_map(|advisory| &advisory.scores));
    let whole = Whole { line: line(id, &knowledge), scores, known_exploited: facts.kev, debian, osv };
    if is_json {
        output::json(&whole)?;
        return Ok(Exit::Done);
    }
    output::line(&whole.line.text())?;
    for score in &whole.scores {
        let cvss = f64::from(score.score.tenths()) / 10.0;
        output::line(&format!("  CVSS {} {cvss:.1} by {} {}", score.version, score.source, score.vector))?;
    }
    if let Some(known) = whole.known_exploited {
        let ransomware = if known.is_ransomware { ", used by ransomware" } else { "" };
        let due = known.due.map_or_else(String::new, |due| format!(", due {due}"));
        output::line(&format!("  known to be exploited since {}{due}{ransomware}: {}", known.added, known.name))?;
        if known.wants_forensics == Some(true) {
            output::line("  CISA wants those who have it searched for signs of intrusion")?;
        }
    }
    for verdict in &whole.debian {
        output::line(&format!("  Debian {} {}: {}", verdict.release, verdict.source, verdict_text(verdict)))?;
    }
    for affected in &whole.osv {
        let count = affected.ranges.len() + affected.versions.len();
        output::line(&format!("  {} {}: {count} ranges and versions", affected.ecosystem, affected.package))?;
    }
    Ok(Exit::Done)
}

fn verdict_text(verdict: &Verdict) -> String {
    let state = match &verdict.state {
        VerdictState::Open => "affected, no version mends it yet".to_owned(),
        VerdictState::FixedIn(version) => format!("mended in {version}"),
        VerdictState::NeverAffected => "never affected".to_owned(),
        VerdictState::Undetermined => "nobody has looked yet".to_owned(),
    };
    if verdict.urgency.is_empty() { state } else { format!("{state}; urgency {}", verdict.urgency) }
}

fn knowledge(common: &CommonArguments) -> Result<Knowledge, Failure> {
    Ok(Knowledge::load(&Shelf::of(&settings(common)?.paths.state_dir))?)
}

fn line<'k>(id: &'k AdvisoryId, knowledge: &'k Knowledge) -> Line<'k> {
    let facts = knowledge.facts(id);
    let score = facts.score("");
    Line {
        id,
        cvss: score.as_ref().map(|score| f64::from(score.cvss.tenths()) / 10.0),
        cvss_source: score.map(|score| score.source),
        is_known_exploited: facts.kev.is_some(),
        epss: facts.epss.map(|estimate| estimate.probability),
        epss_percentile: facts.epss.map(|estimate| estimate.percentile),
        published: facts.published(),
        is_withdrawn: facts.is_withdrawn(),
        summary: facts.summary(),
    }
}

impl Line<'_> {
    fn text(&self) -> String {
        let cvss = self.cvss.map_or_else(|| "unknown".to_owned(), |score| format!("{score:.1}"));
        let epss = self.epss.map_or_else(|| "unknown".to_owned(), |epss| format!("{:.1} %", epss * 100.0));
        let known = if self.is_known_exploited { "  EXPLOITED" } else { "" };
        let withdrawn = if self.is_withdrawn { "  WITHDRAWN" } else { "" };
        let summary: String = self.summary.chars().take(120).collect();
        format!("{:<18} CVSS {cvss:<7} EPSS {epss:<8}{known}{withdrawn}  {summary}", self.id.to_string())
    }
}
