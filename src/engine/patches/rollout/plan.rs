//! A plan: which targets, in which order, how many at once, with which packages, and who is left out and why.
//!
//! What is shown of a plan is [`Plan::lines`], and its digest is over exactly these lines: an approval for the digest is one for
//! what was on the screen. The instant at which it was made is no part of it, so the same plan made again keeps its approval.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::health::HealthRules;
use super::rules::{PackageManager, PatchMethod};
use crate::engine::clock::Timestamp;
use crate::engine::digest::sha256_hex;
use crate::engine::model::human_span;
use crate::engine::patches::acts::Proof;
use crate::engine::patches::advisory_id::AdvisoryId;
use crate::engine::patches::inventory::Environment;
use crate::engine::patches::risk::RiskBand;
use crate::engine::settings::ServerRole;

/// One binary package and its change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageChange {
    /// Its name.
    pub name: String,
    /// Its architecture where the package is there in several, which then move together; empty where there is only one.
    pub architecture: String,
    /// The version that is installed.
    pub from: String,
    /// The version that is to be.
    pub to: String,
}

impl PackageChange {
    /// `libc6:i386 2.36-9 -> 2.36-10`; without the architecture where there is only one.
    fn line(&self) -> String {
        let Self { name, architecture, from, to } = self;
        let colon = if architecture.is_empty() { "" } else { ":" };
        format!("{name}{colon}{architecture} {from} -> {to}")
    }
}

/// An asset that is patched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// What it serves.
    pub environment: Environment,
    /// Its ring.
    pub ring: String,
    /// Its class.
    pub class: String,
    /// Whose it is.
    pub owner: String,
    /// What it carries.
    pub services: Vec<String>,
    /// What it is to the others of its services.
    pub role: ServerRole,
    /// What is installed there.
    pub packages: Vec<PackageChange>,
    /// Its package manager; `None` where that is not known, and something else installs.
    pub manager: Option<PackageManager>,
    /// How.
    pub method: PatchMethod,
    /// Units of systemd that must be up afterwards.
    pub units: Vec<String>,
    /// Words before the package manager's, such as `sudo` and `-n`.
    #[serde(default)]
    pub before: Vec<Arc<str>>,
    /// A regular expression for the whole names of other packages that may come with its own; empty for none, and where
    /// something else installs.
    #[serde(default)]
    pub may_come_along: String,
    /// Looks that it must pass right before.
    #[serde(default)]
    pub proofs: Vec<Proof>,
}

impl Target {
    /// What taking it back leaves there: words to put behind what is said of the versions from before; empty where nothing could
    /// have come along.
    #[must_use]
    pub fn what_stays(&self) -> &'static str {
        if self.may_come_along.is_empty() {
            ""
        } else {
            "; other packages that came along with the patch stay as they are"
        }
    }

    /// What of it decides which windows are for it.
    #[must_use]
    pub fn place(&self) -> super::calendar::Place<'_> {
        super::calendar::Place {
            environment: self.environment,
            ring: &self.ring,
            class: &self.class,
            asset: &self.name,
            services: &self.services,
        }
    }
}

/// An asset that is not patched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// Whether a stage proves the patch or relies on the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageKind {
    /// What is not production; production waits for its soak.
    Staging,
    /// A ring of production.
    Production,
}

/// Targets of one ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// `staging`, or the ring's name.
    pub name: String,
    /// Which sort.
    pub kind: StageKind,
    /// Most targets under way at once.
    pub batch_max: u32,
    /// Names of targets, batch after batch; the next begins when every target of the one before is settled.
    pub batches: Vec<Vec<String>>,
}

/// Assets of which a number must stay healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// `service shop in production`, `class db in staging`.
    pub name: String,
    /// The service that its members carry; `None` for a class.
    pub service: Option<String>,
    /// All its members, patched or not, in the order of their names.
    pub members: Vec<String>,
    /// How many must stay healthy.
    pub healthy_min: u32,
}

impl Group {
    /// Whether an asset is one of it.
    #[must_use]
    pub fn has(&self, asset: &str) -> bool {
        self.members.binary_search_by(|member| member.as_str().cmp(asset)).is_ok()
    }
}

/// The pace of a plan, in milliseconds where not said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// From the last target of staging to the first of production.
    pub soak_ms: i64,
    /// For how long a target is watched before the next batch.
    pub validate_ms: i64,
    /// Between two readings of its metrics meanwhile.
    pub watch_ms: i64,
    /// How long patching one takes.
    pub takes_ms: i64,
    /// After this long without an end it is unknown what happened.
    pub lost_after_ms: i64,
    /// How many installations may fail.
    pub failures: u32,
    /// When health is worse.
    pub health: HealthRules,
}

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The source package.
    pub source: String,
    /// The version that mends it, as far as it is the same everywhere.
    pub fix_version: Option<String>,
    /// What it mends.
    pub advisories: Vec<AdvisoryId>,
    /// How urgent it is; `None` is unknown.
    pub band: Option<RiskBand>,
    /// Something of it is known to be exploited. It changes the order of the queue, never the gates.
    pub is_known_exploited: bool,
    /// When it was made.
    pub made_at: Timestamp,
    /// In order.
    pub stages: Vec<Stage>,
    /// By name.
    pub targets: BTreeMap<String, Target>,
    /// Who is left out.
    pub left_out: Vec<LeftOut>,
    /// Of whom enough must stay healthy.
    pub groups: Vec<Group>,
    /// How fast it goes.
    pub pace: Pace,
    /// SHA-256, in hex, of what is shown.
    pub digest: String,
}

impl Plan {
    /// The stage and batch of a target.
    #[must_use]
    pub fn position(&self, target: &str) -> Option<(usize, usize)> {
        self.stages.iter().enumerate().find_map(|(stage, of)| {
            let batch = of.batches.iter().position(|batch| batch.iter().any(|name| name == target))?;
            Some((stage, batch))
        })
    }

    /// The targets in the order in which they are patched.
    pub fn order(&self) -> impl Iterator<Item = &Target> {
        self.stages.iter().flat_map(|stage| &stage.batches).flatten().filter_map(|name| self.targets.get(name))
    }

    /// The groups that an asset is a member of.
    pub fn groups_of<'a>(&'a self, asset: &'a str) -> impl Iterator<Item = &'a Group> {
        self.groups.iter().filter(move |group| group.has(asset))
    }

    /// Everything there is to approve, line by line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let advisories: Vec<String> = self.advisories.iter().map(ToString::to_string).collect();
        let exploited = if self.is_known_exploited { ", known to be exploited" } else { "" };
        let band = self.band.map_or("UNKNOWN", RiskBand::word);
        let fix = self.fix_version.as_deref().unwrap_or("as each release has it");
        let mut lines = vec![
            format!("{} to {fix}: {band}{exploited}", self.source),
            format!("mends {}", if advisories.is_empty() { "nothing".to_owned() } else { advisories.join(" ") }),
            self.pace.line(),
        ];
        for (number, stage) in (1..).zip(&self.stages) {
            let kind = match stage.kind {
                StageKind::Staging => "staging",
                StageKind::Production => "production",
            };
            let count: usize = stage.batches.iter().map(Vec::len).sum();
            let targets = if count == 1 { "target" } else { "targets" };
            lines.push(format!(
                "{number}. {} ({kind}): {count} {targets}, at most {} at once",
                stage.name, stage.batch_max
            ));
            for (batch, names) in (1..).zip(&stage.batches) {
                lines.push(format!("   batch {batch}: {}", names.join(", ")));
                lines.extend(names.iter().filter_map(|name| self.targets.get(name)).map(Target::line));
            }
        }
        lines.extend(self.terms());
        lines.extend(self.groups.iter().map(|group| {
            let (name, least) = (&group.name, group.healthy_min);
            format!("{name}: {least} of {} stay healthy: {}", group.members.len(), group.members.join(", "))
        }));
        lines.extend(self.left_out.iter().map(|out| format!("left out: {}: {}", out.name, out.why)));
        lines
    }

    /// What is allowed and done on targets beside the change of their own packages, each said once with all whom it concerns.
    fn terms(&self) -> impl Iterator<Item = String> {
        let mut terms: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for target in self.targets.values() {
            for term in target.terms() {
                terms.entry(term).or_default().push(&target.name);
            }
        }
        terms.into_iter().map(|(term, names)| format!("{term} on {}", names.join(", ")))
    }

    /// The same with the digest of what it shows.
    #[must_use]
    pub(super) fn sealed(mut self) -> Self {
        self.digest = self.computed_digest();
        self
    }

    /// The digest of what it shows; differs from the kept one only where somebody changed the plan.
    #[must_use]
    pub fn computed_digest(&self) -> String {
        let lines = self.lines();
        sha256_hex(lines.iter().map(String::as_str))
    }
}

impl Pace {
    fn line(&self) -> String {
        let health = self.health;
        format!(
            "soak {}; each target takes {}, is watched for {} every {}, and is lost after {}; {} installations may fail; health \
             fails where a metric is worse by {} % at a significance of {}.{} %, and passes with {} samples before and after",
            human_span(self.soak_ms),
            human_span(self.takes_ms),
            human_span(self.validate_ms),
            human_span(self.watch_ms),
            human_span(self.lost_after_ms),
            self.failures,
            health.effect_percent,
            health.significance_permille / 10,
            health.significance_permille % 10,
            health.samples_min,
        )
    }
}

/// Words as a shell takes them, so that two calls that differ are shown differently.
fn command(words: &[Arc<str>]) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    let shown = words.iter().map(|word| {
        if !word.is_empty() && word.chars().all(is_plain) { word.to_string() } else { format!("{word:?}") }
    });
    shown.collect::<Vec<_>>().join(" ")
}

impl Target {
    fn terms(&self) -> impl Iterator<Item = String> {
        let before = (!self.before.is_empty()).then(|| format!("installed by: {} …", command(&self.before)));
        let along = &self.may_come_along;
        let along = (!along.is_empty())
            .then(|| format!("may come along, and stays when this is taken back: packages named {along}"));
        let proofs = self.proofs.iter().map(|proof| {
            let call = command(&proof.look);
            let says = if proof.expect.is_empty() { String::new() } else { format!(" says {:?}", proof.expect) };
            let proves = match proof.proves.as_slice() {
                [] => String::new(),
                proves => format!(" and proves {}", command(proves)),
            };
            format!("{call}{says}{proves}")
        });
        let proofs: Vec<String> = proofs.collect();
        let proofs = (!proofs.is_empty()).then(|| format!("looked at right before: {}", proofs.join("; then ")));
        before.into_iter().chain(along).chain(proofs)
    }

    fn line(&self) -> String {
        let packages: Vec<String> = self.packages.iter().map(PackageChange::line).collect();
        let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let role = match self.role {
            ServerRole::Stateless => "stateless",
            ServerRole::Replica => "replica",
            ServerRole::Primary => "primary",
        };
        let environment = match self.environment {
            Environment::Production => "production",
            Environment::Staging => "staging",
            Environment::Development => "development",
            Environment::Unknown => "unknown environment",
        };
        format!(
            "      {}: {}; {}; {environment}, ring {}, class {}, owner {}, {role}; carries {}; then up: {}",
            self.name,
            packages.join(", "),
            self.method,
            or_none(&self.ring),
            or_none(&self.class),
            or_none(&self.owner),
            or_none(&self.services.join(" ")),
            or_none(&self.units.join(" ")),
        )
    }
}
