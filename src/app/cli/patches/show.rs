//! `hypo patches show`: what affects an asset, package by package, with the proof of every answer.

use serde::Serialize;

use crate::app::arguments::{CommonArguments, PatchesShowArguments};
use crate::app::cli::inventory::unknown;
use crate::app::cli::{Exit, Failure, output, settings};
use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::knowledge::Knowledge;
use crate::engine::patches::matching::fleet::{Component, Matched};
use crate::engine::patches::matching::{Finding, FindingState, findings};
use crate::engine::patches::office::Office;

/// `hypo patches show --json`
#[derive(Serialize)]
struct Whole<'a> {
    asset: &'a str,
    /// What could not be checked, and why.
    unchecked: &'a [String],
    kernel_waiting: Option<&'a str>,
    stale_process_count: usize,
    packages: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    package: &'a str,
    installed: &'a str,
    findings: Vec<FindingTold<'a>>,
    not_affected_count: usize,
}

#[derive(Serialize)]
struct FindingTold<'a> {
    id: &'a AdvisoryId,
    answer: &'static str,
    fix: Option<&'a str>,
    fix_state: Option<&'static str>,
    proof: String,
    cvss: Option<f64>,
    is_known_exploited: bool,
    is_withdrawn: bool,
}

pub(super) fn run(common: &CommonArguments, arguments: &PatchesShowArguments) -> Result<Exit, Failure> {
    let office = Office::load(&settings(common)?.paths.state_dir)?;
    let matched = office.matched();
    let asset = matched.assets.iter().find(|asset| asset.name == arguments.asset);
    let asset = asset.ok_or_else(|| unknown(&office.fleet, &arguments.asset))?;
    let all = matched.list(asset).iter().filter_map(|number| matched.component(*number));
    let wanted = all.filter(|component| match &arguments.package {
        Some(name) => component.name == *name,
        None => !component.affected.is_empty() || !component.unchecked.is_empty(),
    });
    let is_whole = arguments.package.is_some();
    let packages: Vec<Shown<'_>> =
        wanted.map(|component| shown(component, &matched, &office.knowledge, is_whole)).collect();
    let running = &asset.asset.running;
    let whole = Whole {
        asset: asset.name,
        unchecked: &asset.unchecked,
        kernel_waiting: running.kernel_waiting.as_deref(),
        stale_process_count: running.stale.len(),
        packages,
    };
    if arguments.json {
        output::json(&whole)?;
        return Ok(Exit::Done);
    }
    tell(&whole, arguments)?;
    Ok(Exit::Done)
}

fn shown<'a>(
    component: &'a Component<'a>,
    matched: &'a Matched<'a, 'a>,
    knowledge: &'a Knowledge,
    is_whole: bool,
) -> Shown<'a> {
    let place = usize::try_from(component.place).ok().and_then(|at| matched.places.get(at));
    let all: Vec<Finding<'a>> = match place {
        Some(place) if is_whole => findings(knowledge, place, &component.name, &component.version),
        _ => component.affected.iter().chain(&component.unchecked).cloned().collect(),
    };
    let findings = all.iter().map(|finding| told(finding, &component.version, knowledge)).collect();
    Shown {
        package: &component.name,
        installed: &component.version,
        findings,
        not_affected_count: component.not_affected_count,
    }
}

fn told<'a>(finding: &Finding<'a>, installed: &str, knowledge: &'a Knowledge) -> FindingTold<'a> {
    let facts = knowledge.facts(finding.id);
    let (answer, fix, fix_state) = match &finding.state {
        FindingState::Affected(fix) => ("affected", finding.mended_in(), Some(fix.words())),
        FindingState::NotAffected => ("not affected", None, None),
        FindingState::Unchecked(_) => ("could not check", None, None),
    };
    FindingTold {
        id: finding.id,
        answer,
        fix,
        fix_state,
        proof: finding.proof(installed),
        cvss: facts.score("").map(|score| f64::from(score.cvss.tenths()) / 10.0),
        is_known_exploited: facts.kev.is_some(),
        is_withdrawn: finding.is_withdrawn,
    }
}

fn tell(whole: &Whole<'_>, arguments: &PatchesShowArguments) -> Result<(), Failure> {
    for why in whole.unchecked {
        output::line(&format!("{}: not all of it could be checked: {why}", whole.asset))?;
    }
    if let Some(kernel) = whole.kernel_waiting {
        output::line(&format!("the kernel {kernel} is installed and not booted: what it mends is not mended yet"))?;
    }
    if whole.stale_process_count > 0 {
        let count = whole.stale_process_count;
        output::line(&format!("{count} processes use replaced files: `hypo inventory show {}`", whole.asset))?;
    }
    for package in &whole.packages {
        output::line(&format!("{} {}", package.package, package.installed))?;
        for finding in &package.findings {
            let exploited = if finding.is_known_exploited { " EXPLOITED" } else { "" };
            let fix = finding
                .fix_state
                .filter(|_| finding.fix.is_none())
                .map_or_else(String::new, |word| format!("; {word}"));
            output::line(&format!(
                "  {:<18} {}{exploited}: {}{fix}",
                finding.id.to_string(),
                finding.answer,
                finding.proof
            ))?;
        }
        if arguments.package.is_none() && package.not_affected_count > 0 {
            output::line(&format!("  and {} that do not concern this version", package.not_affected_count))?;
        }
    }
    if whole.packages.is_empty() && whole.unchecked.is_empty() {
        output::line(match &arguments.package {
            Some(_) => "nothing is known of such a source package there; `hypo inventory show` lists what is installed",
            None => "nothing that is known affects it",
        })?;
    }
    Ok(())
}
