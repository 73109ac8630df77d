//! `hypo patches report`: the report as Markdown, CSV or JSON.

use super::rollouts;
use crate::app::arguments::{CommonArguments, PatchesReportArguments, ReportDivision, ReportFormat};
use crate::app::cli::{Exit, Failure, output, settings};
use crate::engine::ingest::wall_clock;
use crate::engine::model::human_span;
use crate::engine::patches::exceptions::{InForce, PatchException};
use crate::engine::patches::mended::History;
use crate::engine::patches::office::Office;
use crate::engine::patches::regressions::{Regressions, WrongCount};
use crate::engine::patches::report::{BandFigures, Division, PatchReport, ReportBasis, report};
use crate::engine::patches::risk::RiskBand;

pub(super) fn run(common: &CommonArguments, arguments: &PatchesReportArguments) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let folder = &loaded.paths.state_dir;
    let (office, now) = (Office::load(folder)?, wall_clock::now());
    let matched = office.matched();
    let picture = rollouts::picture(common)?;
    let exceptions: Vec<PatchException> = picture
        .iter()
        .flat_map(|picture| &picture.patch_exceptions)
        .map(|exception| exception.as_ref().clone())
        .collect();
    let rollouts = picture.as_ref().map(|picture| picture.rollouts.as_slice());
    let in_force = InForce::of(&exceptions, now);
    let queue = office.queue(&matched, folder, &in_force, &loaded.settings.engine.patches.risk, now)?;
    let history = History::load(folder)?;
    let by = match arguments.by {
        ReportDivision::Band => Division::Band,
        ReportDivision::Ring => Division::Ring,
        ReportDivision::Owner => Division::Owner,
    };
    let basis = ReportBasis { matched: &matched, queue: &queue, history: &history, exceptions: &exceptions, rollouts };
    let report = report(&basis, by, arguments.seen_within_days, now);
    let format = if arguments.json { ReportFormat::Json } else { arguments.format };
    match format {
        ReportFormat::Json => output::json(&report)?,
        ReportFormat::Md => {
            for line in markdown(&report) {
                output::line(&line)?;
            }
        }
        ReportFormat::Csv => {
            for line in csv_text(&report)?.lines() {
                output::line(line)?;
            }
        }
    }
    Ok(Exit::Done)
}

fn word(band: Option<RiskBand>) -> &'static str {
    band.map_or("UNKNOWN", RiskBand::word)
}

fn group_name<'a>(report: &PatchReport, name: &'a str) -> &'a str {
    match (report.by, name) {
        (Division::Band, _) => "all",
        (_, name) => or_nobody(name),
    }
}

/// `12 of 14 (86 %)`
fn share(part: usize, whole: usize) -> String {
    match whole {
        0 => "0 of 0".to_owned(),
        whole => format!("{part} of {whole} ({:.0} %)", part as f64 / whole as f64 * 100.0),
    }
}

/// Text in a cell of a table: a bar or a line end would break it.
fn in_cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn markdown(report: &PatchReport) -> Vec<String> {
    let coverage = &report.coverage;
    let seen = share(coverage.seen_count, coverage.asset_count);
    let checked = share(coverage.checked_count, coverage.asset_count);
    let mut lines = vec![
        format!("# Patches, {}", report.at),
        String::new(),
        "## Coverage".to_owned(),
        String::new(),
        format!("- Assets seen within {} days: {seen}", coverage.within_days),
        format!("- Assets of which everything could be checked: {checked}"),
        String::new(),
        "## Time to patch and what is overdue".to_owned(),
    ];
    for group in &report.groups {
        if report.by != Division::Band {
            lines.extend([String::new(), format!("### {}", in_cell(group_name(report, &group.name)))]);
        }
        lines.extend([
            String::new(),
            "| band | lacking | overdue | mended | mean time to patch |".to_owned(),
            "| --- | --- | --- | --- | --- |".to_owned(),
        ]);
        lines.extend(group.bands.iter().map(|figures: &BandFigures| {
            let mean = figures.mean_ms.map_or_else(|| "–".to_owned(), human_span);
            let BandFigures { band, lacking, overdue, mended, .. } = figures;
            format!("| {} | {lacking} | {overdue} | {mended} | {mean} |", word(*band))
        }));
    }
    lines.push(String::new());
    lines.push(match report.mended_since {
        Some(at) => format!("What was mended is kept since {at}; each vulnerability on each asset counts once."),
        None => "Nothing was seen to be mended yet.".to_owned(),
    });
    if report.no_longer_said_count > 0 {
        lines.push(format!(
            "{} matches went because the feeds changed; they count as mended by nobody.",
            report.no_longer_said_count
        ));
    }
    lines.extend([String::new(), "## Exceptions in force".to_owned(), String::new()]);
    lines.extend(report.exceptions.iter().map(|exception| format!("- {}", in_cell(&exception.to_string()))));
    if report.exceptions.is_empty() {
        lines.push("None.".to_owned());
    } else {
        lines.extend([String::new(), format!("They take out {} patches on assets.", report.excepted_count)]);
    }
    lines.extend([String::new(), "## Regressions".to_owned(), String::new()]);
    match &report.regressions {
        Some(found) => lines.extend(regressions(found)),
        None => lines
            .push("Not known: nothing was kept here so far, so none can have been seen to be rolled back.".to_owned()),
    }
    lines
}

/// What went wrong: how much, for whom, and each of them.
fn regressions(found: &Regressions) -> Vec<String> {
    let WrongCount { rolled_back, failed, paused } = found.all;
    let mut lines = vec![format!(
        "Rollouts rolled back: {rolled_back}; stopped by an installation that failed: {failed}; begun and paused now: {paused}."
    )];
    for (of, by) in [("ring", &found.by_ring), ("owner", &found.by_owner)] {
        if by.is_empty() {
            continue;
        }
        lines.extend([
            String::new(),
            format!("| {of} | rolled back | failed | paused |"),
            "| --- | --- | --- | --- |".to_owned(),
        ]);
        lines.extend(by.iter().map(|(name, count)| {
            let WrongCount { rolled_back, failed, paused } = count;
            format!("| {} | {rolled_back} | {failed} | {paused} |", in_cell(or_nobody(name)))
        }));
    }
    if !found.rollouts.is_empty() {
        lines.extend([
            String::new(),
            "| rollout | patch | how | why | targets begun | incident |".to_owned(),
            "| --- | --- | --- | --- | --- | --- |".to_owned(),
        ]);
    }
    lines.extend(found.rollouts.iter().map(|one| {
        let incident = one.incident.map_or_else(|| "–".to_owned(), |incident| incident.to_string());
        let (source, why) = (in_cell(&one.source), in_cell(&one.why));
        format!("| {} | {source} | {} | {why} | {} | {incident} |", one.rollout, one.how.word(), one.begun)
    }));
    lines
}

fn or_nobody(name: &str) -> &str {
    if name.is_empty() { "nobody said" } else { name }
}

/// One figure a row. Times are in milliseconds; an empty value is unknown.
fn csv_text(report: &PatchReport) -> Result<String, Failure> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["section", "group", "band", "measure", "value"])?;
    let coverage = &report.coverage;
    let within = format!("seen_within_{}_days", coverage.within_days);
    for (measure, value) in [
        ("assets", coverage.asset_count),
        (within.as_str(), coverage.seen_count),
        ("fully_checked", coverage.checked_count),
    ] {
        table.write_record(["coverage", "all", "", measure, &value.to_string()])?;
    }
    for group in &report.groups {
        let name = group_name(report, &group.name);
        for figures in &group.bands {
            let mean = figures.mean_ms.map(|ms| ms.to_string()).unwrap_or_default();
            for (measure, value) in [
                ("lacking", figures.lacking.to_string()),
                ("overdue", figures.overdue.to_string()),
                ("mended", figures.mended.to_string()),
                ("mean_ms_to_patch", mean),
            ] {
                table.write_record(["bands", name, word(figures.band), measure, &value])?;
            }
        }
    }
    for exception in &report.exceptions {
        let (number, until) = (format!("EXC-{}", exception.number), exception.until.to_string());
        table.write_record(["exceptions", &exception.subject.to_string(), &number, "until", &until])?;
    }
    let all = report.regressions.as_ref().map(|found| found.all);
    let mut counts = vec![("regressions", "all", all)];
    if let Some(found) = &report.regressions {
        counts.extend(found.by_ring.iter().map(|(name, count)| ("regressions by ring", or_nobody(name), Some(*count))));
        let by_owner = found.by_owner.iter();
        counts.extend(by_owner.map(|(name, count)| ("regressions by owner", or_nobody(name), Some(*count))));
    }
    for (section, group, count) in counts {
        let text = |of: fn(WrongCount) -> usize| count.map(|count| of(count).to_string()).unwrap_or_default();
        table.write_record([section, group, "", "rolled_back", &text(|count| count.rolled_back)])?;
        table.write_record([section, group, "", "failed", &text(|count| count.failed)])?;
        table.write_record([section, group, "", "paused", &text(|count| count.paused)])?;
    }
    Ok(String::from_utf8(table.into_inner().map_err(|problem| problem.to_string())?)?)
}
