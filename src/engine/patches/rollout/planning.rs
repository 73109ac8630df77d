//! Makes a plan of what the queue says: who is patched, who is not and why, in which stages and batches.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::health::HealthRules;
use super::plan::{Group, LeftOut, Pace, PackageChange, Plan, Stage, StageKind, Target};
use super::rules::{PackageManager, PatchMethod, PlanRules};
use crate::engine::clock::Timestamp;
use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::inventory::{Environment, Traits};
use crate::engine::patches::risk::RiskBand;

/// Name of the ring of staging whatever environment an asset is of.
pub const STAGING: &str = "staging";

/// A binary package of the source package on an asset.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// Its architecture where the package is there in several; empty where there is only one.
    pub architecture: String,
    /// The version that is installed.
    pub version: String,
    /// The version that mends it there; `None` where there is none.
    pub fixed: Option<String>,
}

/// An asset that lacks the patch, or of which it could not be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its distribution, as `ID` in os-release; empty where nobody said.
    pub distribution: String,
    /// What is said of it.
    pub traits: Traits,
    /// What of the source package is installed there.
    pub packages: Vec<Installed>,
    /// Why it may stay as it is for now: an exception in force, in words with owner and end.
    pub exception: Option<String>,
    /// Why it could not be checked.
    pub unchecked: Option<String>,
}

/// What is to be rolled out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The source package.
    pub source: String,
    /// The version that mends it, as far as it is the same everywhere.
    pub fix_version: Option<String>,
    /// What it mends.
    pub advisories: Vec<AdvisoryId>,
    /// How urgent it is.
    pub band: Option<RiskBand>,
    /// Something of it is known to be exploited.
    pub is_known_exploited: bool,
    /// Whom it concerns.
    pub candidates: Vec<Candidate>,
    /// The whole fleet by name, with what is said of each: those that are not patched count as members of their services, too.
    pub fleet: BTreeMap<String, Traits>,
}

/// Makes the plan. The same need and rules give the same plan, whatever order the candidates are in.
#[must_use]
pub fn plan(need: &Need, rules: &PlanRules, now: Timestamp) -> Plan {
    let mut left_out = Vec::new();
    let mut targets = BTreeMap::new();
    let mut by_name: BTreeMap<&str, Candidate> = BTreeMap::new();
    for one in &need.candidates {
        by_name.entry(&one.name).and_modify(|known| *known = merged(known, one)).or_insert_with(|| one.clone());
    }
    for candidate in by_name.values() {
        match target(candidate, rules) {
            Ok(target) => drop(targets.insert(target.name.clone(), target)),
            Err(why) => left_out.push(LeftOut { name: candidate.name.clone(), why }),
        }
    }
    let groups = groups(need, rules, &targets);
    targets.retain(|name, _| match never(name, &groups) {
        None => true,
        Some(why) => {
            left_out.push(LeftOut { name: name.clone(), why });
            false
        }
    });
    left_out.sort_by(|a, b| a.name.cmp(&b.name));
    let mut advisories = need.advisories.clone();
    advisories.sort();
    advisories.dedup();
    Plan {
        source: need.source.clone(),
        fix_version: need.fix_version.clone(),
        advisories,
        band: need.band,
        is_known_exploited: need.is_known_exploited,
        made_at: now,
        stages: stages(&targets, &groups, rules),
        groups: groups
            .into_iter()
            .filter(|group| group.members.iter().any(|name| targets.contains_key(name)))
            .collect(),
        targets,
        left_out,
        pace: pace(rules),
        digest: String::new(),
    }
    .sealed()
}

/// An asset that lacks it in two versions is one, with the packages of both. What an exception covers of it stays as it is where
/// the rest is patched.
fn merged(one: &Candidate, other: &Candidate) -> Candidate {
    let (base, more) = match (&one.exception, &other.exception) {
        (None, Some(_)) => (one, None),
        (Some(_), None) => (other, None),
        (a, b) if a <= b => (one, Some(other)),
        _ => (other, Some(one)),
    };
    let of = base.packages.iter().chain(more.into_iter().flat_map(|it| &it.packages));
    let packages: BTreeSet<Installed> = of.cloned().collect();
    let unchecked = [&one.unchecked, &other.unchecked].into_iter().flatten().min().cloned();
    Candidate { packages: packages.into_iter().collect(), unchecked, ..base.clone() }
}

fn pace(rules: &PlanRules) -> Pace {
    let pace = &rules.pace;
    Pace {
        soak_ms: pace.soak.0,
        validate_ms: pace.validate.0,
        watch_ms: pace.watch.0,
        takes_ms: pace.takes.0,
        lost_after_ms: pace.lost_after.0,
        failures: pace.failures,
        health: HealthRules::from(pace),
    }
}

/// The target that a candidate is, or why it is none.
fn target(candidate: &Candidate, rules: &PlanRules) -> Result<Target, String> {
    let Candidate { name, distribution, traits, packages, exception, unchecked } = candidate;
    if let Some(why) = unchecked {
        return Err(format!("could not be checked: {why}"));
    }
    if let Some(exception) = exception {
        return Err(format!("exception in force: {exception}"));
    }
    let manager = PackageManager::of(distribution);
    let mut changes = Vec::new();
    let mut seen = BTreeSet::new();
    for package in packages {
        let name = &package.name;
        if manager.is_some_and(|manager| manager.installs_beside(name)) {
            return Err(format!(
                "a new {name} is put beside the old one and used after a reboot, which is no part of a plan; install it by hand"
            ));
        }
        if !seen.insert((name, &package.architecture)) {
            return Err(format!("{name} is there in several versions, and which is to be replaced cannot be told"));
        }
        let Some(fixed) = &package.fixed else { return Err(format!("there is no fix of {} for it", package.name)) };
        if *fixed == package.version {
            continue;
        }
        if !rules.is_allowed(&traits.class, &package.name) {
            let class = if traits.class.is_empty() { "servers without a class" } else { &traits.class };
            let package = &package.name;
            return Err(format!("{package} may not be patched on {class}; [[patches.allow]] names what may"));
        }
        changes.push(PackageChange {
            name: package.name.clone(),
            architecture: package.architecture.clone(),
            from: package.version.clone(),
            to: fixed.clone(),
        });
    }
    changes.sort_by(|a, b| (&a.name, &a.architecture).cmp(&(&b.name, &b.architecture)));
    changes.dedup();
    if changes.is_empty() {
        return Err("nothing of it is installed there in an older version".to_owned());
    }
    let unproved = rules.unproved(name, &traits.class, &changes);
    if !unproved.is_empty() {
        let unproved = unproved.join(", ");
        return Err(format!("it may hold data, and nothing proves {unproved} of its class; [[patches.proof]] does"));
    }
    let Some(method) = rules.method(name, &traits.class) else {
        return Err("nothing says how packages get there; [[patches.method]] does".to_owned());
    };
    if method == PatchMethod::Local && !traits.is_here {
        return Err(
            "it is patched on this machine alone, and is not known to be this machine; `hypo inventory scan` notes \
                    which asset is"
                .to_owned(),
        );
    }
    let by_hypo = matches!(method, PatchMethod::Local | PatchMethod::Ssh);
    if manager.is_none() && by_hypo {
        let distribution = if distribution.is_empty() { "an unknown distribution" } else { distribution };
        return Err(format!("which package manager {distribution} has is not known; a playbook can patch it"));
    }
    let mut services = traits.services.clone();
    services.sort();
    services.dedup();
    Ok(Target {
        name: name.clone(),
        environment: traits.environment,
        ring: traits.ring.clone(),
        class: traits.class.clone(),
        owner: traits.owner.clone(),
        services,
        role: rules.role(&traits.class),
        manager,
        before: if by_hypo { rules.before(name, &traits.class) } else { Vec::new() },
        may_come_along: if by_hypo { rules.allowed(&traits.class) } else { String::new() },
        proofs: rules.proofs(&traits.class),
        units: rules.units(&changes),
        packages: changes,
        method,
    })
}

/// The services of the fleet, and the classes with a rule of their own, each by environment: a member in staging is none for
/// those who depend on production.
fn groups(need: &Need, rules: &PlanRules, targets: &BTreeMap<String, Target>) -> Vec<Group> {
    let mut fleet: BTreeMap<&str, &Traits> =
        need.candidates.iter().map(|one| (one.name.as_str(), &one.traits)).collect();
    fleet.extend(need.fleet.iter().map(|(name, traits)| (name.as_str(), traits)));
    let mut members: BTreeMap<(&str, &str, Environment), BTreeSet<&str>> = BTreeMap::new();
    for (name, traits) in &fleet {
        for service in &traits.services {
            members.entry(("service", service, traits.environment)).or_default().insert(name);
        }
        if rules.healthy_min_of(&traits.class).is_some() {
            members.entry(("class", &traits.class, traits.environment)).or_default().insert(name);
        }
    }
    members.retain(|_, names| names.iter().any(|name| targets.contains_key(*name)));
    let group = |((kind, of, environment), names): ((&str, &str, Environment), BTreeSet<&str>)| {
        let total = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let own = names.iter().filter_map(|name| rules.healthy_min_of(&fleet.get(name)?.class));
        let strictest = own.map(|portion| portion.at_least(total)).max();
        let environment = match environment {
            Environment::Production => "production",
            Environment::Staging => "staging",
            Environment::Development => "development",
            Environment::Unknown => "an unknown environment",
        };
        Group {
            name: format!("{kind} {of} in {environment}"),
            service: (kind == "service").then(|| of.to_owned()),
            members: names.into_iter().map(str::to_owned).collect(),
            healthy_min: strictest.unwrap_or_else(|| rules.pace.healthy_min.at_least(total)),
        }
    };
    members.into_iter().map(group).collect()
}

/// Why an asset could never be patched, where all its fellows were healthy.
fn never(name: &str, groups: &[Group]) -> Option<String> {
    let of = groups.iter().filter(|group| group.has(name));
    let stuck = of.into_iter().find(|group| spare(group) == 0)?;
    let (group, least, count) = (&stuck.name, stuck.healthy_min, stuck.members.len());
    Some(format!("{group} has {count} members and {least} must stay healthy; none can be taken"))
}

/// How many of a group may be under way at once.
fn spare(group: &Group) -> usize {
    group.members.len().saturating_sub(usize::try_from(group.healthy_min).unwrap_or(usize::MAX))
}

/// Staging first, then production ring by ring: those of the settings in their order, then the others by name. Where nobody said
/// what an asset serves it is taken for production.
fn stages(targets: &BTreeMap<String, Target>, groups: &[Group], rules: &PlanRules) -> Vec<Stage> {
    let mut by_stage: BTreeMap<(StageKind, usize, &str), Vec<&Target>> = BTreeMap::new();
    for target in targets.values() {
        let is_staging = matches!(target.environment, Environment::Staging | Environment::Development)
            || (target.environment == Environment::Unknown && target.ring == STAGING);
        let rank = rules.pace.rings.iter().position(|ring| *ring == target.ring).unwrap_or(usize::MAX);
        let key = if is_staging {
            (StageKind::Staging, 0, STAGING)
        } else {
            (StageKind::Production, rank, target.ring.as_str())
        };
        by_stage.entry(key).or_default().push(target);
    }
    let stage = |((kind, _, ring), mut of): ((StageKind, usize, &str), Vec<&Target>)| {
        of.sort_by(|a, b| (a.role, &a.name).cmp(&(b.role, &b.name)));
        let batch_max = rules.pace.batch.at_most(u32::try_from(of.len()).unwrap_or(u32::MAX));
        let name = if ring.is_empty() { "production".to_owned() } else { ring.to_owned() };
        Stage { name, kind, batch_max, batches: batches(&of, batch_max, groups) }
    };
    by_stage.into_iter().map(stage).collect()
}

/// Fills batch after batch in order: a target waits for a later batch where its service would lose too many at once, and nobody
/// overtakes a role that comes before it.
fn batches(of: &[&Target], batch_max: u32, groups: &[Group]) -> Vec<Vec<String>> {
    let most = usize::try_from(batch_max).unwrap_or(usize::MAX);
    let mut left: Vec<&Target> = of.to_vec();
    let mut batches = Vec::new();
    while let Some(role) = left.first().map(|target| target.role) {
        let mut batch: Vec<String> = Vec::new();
        left.retain(|target| {
            let is_full = batch.len() >= most || target.role != role;
            if is_full || (!batch.is_empty() && is_too_many(&batch, &target.name, groups)) {
                return true;
            }
            batch.push(target.name.clone());
            false
        });
        batches.push(batch);
    }
    batches
}

/// Whether a group would lose more than it can spare, were `name` taken beside `batch`.
fn is_too_many(batch: &[String], name: &str, groups: &[Group]) -> bool {
    let of = groups.iter().filter(|group| group.has(name));
    of.into_iter().any(|group| {
        let taken = batch.iter().filter(|name| group.has(name)).count();
        taken + 1 > spare(group)
    })
}
