//! Whether patches could be rolled out as everything is set: feeds, inventory, windows, rules, and how each machine is reached.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::Check;
use crate::app::cli::Failure;
use crate::app::settings::Loaded;
use crate::engine::act::callable;
use crate::engine::clock::{DAY_MS, Timestamp};
use crate::engine::ingest::wall_clock;
use crate::engine::model::{Call, Look, Repeat, RolloutId, RolloutTarget, StepKind, human_span};
use crate::engine::patches::acts::{self, Job, Method, Move, Reach};
use crate::engine::patches::inventory::file;
use crate::engine::patches::inventory::{Asset, Fleet};
use crate::engine::patches::rollout::{
    Calendar, PackageManager, PatchMethod, Place, PlanRules, WindowState, unmatched::unmatched,
};
use crate::engine::patches::shelf::Shelf;
use crate::engine::patches::shelf::health::{FeedReport, FeedState};
use crate::engine::settings::{EngineSettings, FeedsSettings};

/// Names that are told of many.
const NAMES_MAX: usize = 3;
/// Packages that were last looked at longer ago than this are old.
const LOOK_OLD_MS: i64 = 7 * DAY_MS;

/// One thing about patching.
#[derive(Serialize)]
pub(super) struct PatchingCheck {
    /// What was looked at: `feeds`, `inventory`, `windows`, `rules`, `reach`.
    pub(super) subject: &'static str,
    #[serde(flatten)]
    pub(super) check: Check,
}

fn fine(subject: &'static str, text: String) -> PatchingCheck {
    PatchingCheck { subject, check: Check { is_fine: true, text } }
}

fn wrong(subject: &'static str, text: String) -> PatchingCheck {
    PatchingCheck { subject, check: Check { is_fine: false, text } }
}

/// Every check; one line that nothing is set up where no inventory was ever taken and no rule is written.
pub(super) fn check(loaded: &Loaded) -> Result<Vec<PatchingCheck>, Failure> {
    let (folder, settings, now) = (&loaded.paths.state_dir, &loaded.settings.engine, wall_clock::now());
    let fleet = match file::load(folder) {
        Ok(fleet) => fleet,
        Err(problem) => return Ok(vec![wrong("inventory", problem.to_string())]),
    };
    let patches = &settings.patches;
    let has_rules = !(patches.allow.is_empty() && patches.method.is_empty() && patches.window.is_empty());
    if fleet.assets().is_empty() && !has_rules {
        return Ok(vec![fine("patching", "is not set up; `hypo inventory scan` takes in this host".to_owned())]);
    }
    let mut found = feeds(folder, &patches.feeds, now);
    found.push(inventory(&fleet, now));
    found.extend(scanned_hosts(settings));
    if !has_rules {
        found.push(fine(
            "rules",
            "no [[patches.allow]] and no [[patches.method]]: patches are told, none is rolled out".to_owned(),
        ));
        return Ok(found);
    }
    let places: Vec<Place<'_>> = fleet.assets().iter().map(|(name, asset)| place(name, asset)).collect();
    let unmatched = unmatched(patches, &places)?;
    if unmatched.is_empty() {
        found.push(fine("rules", "every window, freeze and rule is for some asset".to_owned()));
    }
    found.extend(unmatched.into_iter().map(|text| wrong("rules", format!("{text}: is it spelt as in the inventory?"))));
    let rules = PlanRules::new(patches, &settings.policy.databases)?;
    found.extend(windows(settings, &rules, &fleet, now)?);
    found.extend(reach(settings, &rules, &fleet));
    Ok(found)
}

fn place<'a>(name: &'a str, asset: &'a Asset) -> Place<'a> {
    let traits = &asset.traits;
    Place {
        environment: traits.environment,
        ring: &traits.ring,
        class: &traits.class,
        asset: name,
        services: &traits.services,
    }
}

/// `web-1, web-2, web-3 and 9 more`
fn names(of: &[&str]) -> String {
    let (told, more) = of.split_at(of.len().min(NAMES_MAX));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    format!("{}{more}", told.join(", "))
}

fn feeds(folder: &Path, settings: &FeedsSettings, now: Timestamp) -> Vec<PatchingCheck> {
    let reports = Shelf::of(folder).report(now, settings.stale_after.0);
    let wanted = |report: &&FeedReport| is_wanted(report, settings);
    let problems: Vec<PatchingCheck> = reports.iter().filter(wanted).filter_map(feed_problem).collect();
    if problems.is_empty() { vec![fine("feeds", "all that are configured were renewed".to_owned())] } else { problems }
}

/// One without an address is taken from files, and OSV only for ecosystems that are named.
fn is_wanted(report: &FeedReport, settings: &FeedsSettings) -> bool {
    use crate::engine::patches::feeds::FeedKind;
    let is_fetched = match report.feed {
        FeedKind::Kev => !settings.kev.url.is_empty(),
        FeedKind::Epss => !settings.epss.url.is_empty(),
        FeedKind::Nvd => !settings.nvd.url.is_empty(),
        FeedKind::Osv => !settings.osv.url.is_empty() && !settings.osv.ecosystems.is_empty(),
        FeedKind::Debian => !settings.debian.url.is_empty(),
    };
    is_fetched || report.state != FeedState::Missing
}

fn feed_problem(report: &FeedReport) -> Option<PatchingCheck> {
    let (title, word) = (report.feed.title(), report.feed.word());
    let error = report.tried.as_ref().and_then(|tried| tried.error.as_deref()).unwrap_or_default();
    let age = human_span(report.age_ms.unwrap_or_default());
    let text = match report.state {
        FeedState::Fresh => return None,
        FeedState::Missing if error.is_empty() => format!(
            "{title} was never taken; `hypo advisories sync` fetches it, `hypo advisories import FILE --feed {word}` takes a file"
        ),
        FeedState::Missing => format!("{title} was never taken, the last try failed: {error}"),
        FeedState::Stale if error.is_empty() => format!("{title} is {age} old; `hypo advisories sync` renews it"),
        FeedState::Stale => format!("{title} is {age} old, the last try failed: {error}"),
        FeedState::Failing => format!("{title} could not be renewed: {error}"),
        FeedState::Damaged => {
            format!(
                "{}; take the file away and sync again",
                report.damage.as_deref().unwrap_or("its file cannot be read")
            )
        }
    };
    Some(wrong("feeds", text))
}

fn inventory(fleet: &Fleet, now: Timestamp) -> PatchingCheck {
    let is_old = |asset: &Asset| asset.seen_at.is_none_or(|at| now.since_ms(at) > LOOK_OLD_MS);
    let old: Vec<&str> =
        fleet.assets().iter().filter(|(_, asset)| is_old(asset)).map(|(name, _)| name.as_str()).collect();
    let count = fleet.assets().len();
    if count == 0 {
        return wrong(
            "inventory",
            "is empty, so no rule has anything to be for; `hypo inventory scan` takes in this host".to_owned(),
        );
    }
    if old.is_empty() {
        return fine("inventory", format!("assets: {count}, all looked at within {}", human_span(LOOK_OLD_MS)));
    }
    let text = format!(
        "not looked at for {}: {}; `hypo inventory scan` or `import` does",
        human_span(LOOK_OLD_MS),
        names(&old)
    );
    wrong("inventory", text)
}

/// Hosts that a scan looks at over ssh.
fn scanned_hosts(settings: &EngineSettings) -> Vec<PatchingCheck> {
    let hosts = settings.patches.inventory.hosts.iter();
    let refused = hosts.filter_map(|host| {
        let argv = vec![Arc::from("ssh")];
        let problem = callable::check(&Call::Ssh { host: Arc::from(host.as_str()), argv }, &settings.runbooks).err()?;
        Some(wrong("inventory", format!("{host} under [patches.inventory] cannot be looked at: {problem}")))
    });
    refused.collect()
}

/// In production nothing is patched outside of a window.
fn windows(
    settings: &EngineSettings,
    rules: &PlanRules,
    fleet: &Fleet,
    now: Timestamp,
) -> Result<Vec<PatchingCheck>, Failure> {
    let calendar = Calendar::new(&settings.patches, &settings.policy.freeze)?;
    let (mut without, mut never) = (Vec::new(), Vec::new());
    for (name, asset) in fleet.assets() {
        if rules.method(name, &asset.traits.class).is_none() || rules.allowed(&asset.traits.class).is_empty() {
            continue;
        }
        match calendar.room(&place(name, asset), now).window {
            WindowState::None => without.push(name.as_str()),
            WindowState::Shut { next: None } => never.push(name.as_str()),
            _ => {}
        }
    }
    let mut found = Vec::new();
    if !without.is_empty() {
        let text = format!(
            "no window is for {}, which may be patched: production, and what nobody said the environment of, waits for ever; \
             [[patches.window]] makes one",
            names(&without)
        );
        found.push(wrong("windows", text));
    }
    if !never.is_empty() {
        found.push(wrong("windows", format!("no window opens any more for {}", names(&never))));
    }
    if found.is_empty() {
        found.push(fine("windows", "all that may be patched and needs one has one".to_owned()));
    }
    Ok(found)
}

/// Whether what would be called on each machine that may be patched could be called. The same problem is told once.
fn reach(settings: &EngineSettings, rules: &PlanRules, fleet: &Fleet) -> Vec<PatchingCheck> {
    let mut problems: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut count = 0_usize;
    for (name, asset) in fleet.assets() {
        let Some(method) = rules.method(name, &asset.traits.class) else { continue };
        if rules.allowed(&asset.traits.class).is_empty() {
            continue;
        }
        count += 1;
        let Some(job) = job(settings, rules, name, asset, &method) else {
            let distribution = &asset.system.distribution;
            let problem = format!("which package manager `{distribution}` has is not known; a playbook can patch it");
            problems.entry(problem).or_default().push(name);
            continue;
        };
        for call in calls(&job) {
            if let Err(problem) = callable::check(&call, &settings.runbooks) {
                let of = problems.entry(problem.replace(name.as_str(), "HOST")).or_default();
                if of.last() != Some(&name.as_str()) {
                    of.push(name);
                }
            }
        }
    }
    if problems.is_empty() {
        return vec![fine(
            "reach",
            format!("assets that may be patched: {count}; all their programs and hosts may be called"),
        )];
    }
    problems.into_iter().map(|(problem, of)| wrong("reach", format!("{}: {problem}", names(&of)))).collect()
}

/// What a rollout would do there, with a package and versions that stand for any.
fn job(settings: &EngineSettings, rules: &PlanRules, name: &str, asset: &Asset, method: &PatchMethod) -> Option<Job> {
    let (name, class): (Arc<str>, &str) = (Arc::from(name), &asset.traits.class);
    let manager = || PackageManager::of(&asset.system.distribution);
    let over = |reach: Reach| match manager()? {
        PackageManager::Apt => Some(Method::Apt(reach)),
        PackageManager::Dnf => Some(Method::Dnf(reach)),
    };
    let method = match method {
        PatchMethod::Local => over(Reach::Local)?,
        PatchMethod::Ssh => over(Reach::Ssh(Arc::clone(&name)))?,
        PatchMethod::Ansible(playbook) => Method::Playbook(Arc::from(playbook.as_str())),
        PatchMethod::Awx(template) => Method::JobTemplate(Arc::from(template.as_str())),
    };
    let any: Arc<str> = Arc::from("any");
    let moves =
        vec![Move { name: Arc::clone(&any), architecture: Arc::from(""), from: Arc::from("1"), to: Arc::from("2") }];
    Some(Job {
        target: RolloutTarget { rollout: RolloutId(0), asset: Arc::clone(&name) },
        source: any,
        moves,
        method,
        before: rules.before(&name, class),
        allowed: rules.allowed(class).into(),
        proofs: rules.proofs(class),
        units: settings.patches.probe.iter().map(|probe| Arc::from(probe.unit.as_str())).collect(),
        timeout_ms: settings.patches.rollout.takes.0,
    })
}

/// Everything that is called there.
fn calls(job: &Job) -> Vec<Call> {
    let proposal = acts::proposal(job);
    let mut calls = Vec::new();
    for step in &proposal.steps {
        match &step.spec.kind {
            StepKind::Check(check) => {
                if let Look::Call { call, .. } = &check.look {
                    calls.push(call.clone());
                }
            }
            StepKind::Act(act) => {
                calls.push(act.call.clone());
                calls.extend(act.dry_run.iter().chain(&act.undo).cloned());
                if let Repeat::Look { call, .. } = &act.repeat {
                    calls.push(call.clone());
                }
            }
            _ => {}
        }
    }
    calls
}
