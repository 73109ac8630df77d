//! The settings that a plan is made by, read once: what may be patched where, by what, and what servers are to one another.

use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::pattern::{fits, whole};
use super::plan::PackageChange;
use crate::engine::model::DATABASE_PROOFS;
use crate::engine::patches::acts::Proof;
use crate::engine::settings::{PatchBy, PatchSettings, Portion, RolloutSettings, ServerRole};

/// How packages get onto an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PatchMethod {
    /// By its package manager, on this machine.
    Local,
    /// By its package manager, over `ssh`.
    Ssh,
    /// By a playbook of this name.
    Ansible(String),
    /// By a job template of this name.
    Awx(String),
}

impl std::fmt::Display for PatchMethod {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local => out.write_str("on this machine"),
            Self::Ssh => out.write_str("over ssh"),
            Self::Ansible(playbook) => write!(out, "by playbook {playbook}"),
            Self::Awx(template) => write!(out, "by AWX template {template}"),
        }
    }
}

/// What installs packages on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageManager {
    /// `apt-get`.
    Apt,
    /// `dnf`.
    Dnf,
}

impl PackageManager {
    /// That of a distribution, by its `ID` in os-release.
    #[must_use]
    pub fn of(distribution: &str) -> Option<Self> {
        match distribution {
            "debian" | "ubuntu" | "raspbian" | "linuxmint" | "devuan" | "kali" => Some(Self::Apt),
            "fedora" | "rhel" | "centos" | "rocky" | "almalinux" | "ol" | "amzn" => Some(Self::Dnf),
            _ => None,
        }
    }

    /// Whether a new version of a package is put beside the old one, which is used until a reboot: with dnf those that it calls
    /// install-only, with apt kernels, which have their version in their name.
    pub(super) fn installs_beside(self, package: &str) -> bool {
        match self {
            Self::Apt => KERNEL_PARTS.iter().any(|part| {
                package.strip_prefix(part).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            }),
            Self::Dnf => {
                let part = package.strip_prefix("kernel-");
                package == "kernel" || part.is_some_and(|it| !REPLACED_PARTS.iter().any(|name| it.starts_with(name)))
            }
        }
    }
}

/// Debian's and Ubuntu's packages of a kernel, before its version.
const KERNEL_PARTS: [&str; 6] = [
    "linux-image-",
    "linux-image-unsigned-",
    "linux-headers-",
    "linux-modules-",
    "linux-modules-extra-",
    "linux-tools-",
];
/// What Fedora and its kin make of the kernel's source and replace like anything else, after `kernel-`.
const REPLACED_PARTS: [&str; 7] = ["headers", "tools", "srpm-macros", "rpm-macros", "doc", "abi-", "cross-headers"];

#[derive(Debug, Clone)]
struct Method {
    assets: Option<Regex>,
    class: Option<Regex>,
    method: PatchMethod,
    before: Vec<Arc<str>>,
}

#[derive(Debug, Clone)]
struct Class {
    class: Regex,
    role: ServerRole,
    healthy_min: Option<Portion>,
}

/// What plans are made by.
#[derive(Debug, Clone)]
pub struct PlanRules {
    /// Pace and limits.
    pub pace: RolloutSettings,
    allow: Vec<(Regex, Vec<Regex>)>,
    methods: Vec<Method>,
    classes: Vec<Class>,
    probes: Vec<(Regex, String)>,
    proofs: Vec<(Regex, Proof)>,
    databases: Regex,
}

impl PlanRules {
    /// From the settings, and the names of what holds data (`databases` under `[policy]`).
    ///
    /// # Errors
    /// When a pattern cannot be read; settings that were checked at load can.
    pub fn new(settings: &PatchSettings, databases: &str) -> Result<Self, String> {
        let some = |pattern: &Option<String>| pattern.as_deref().map(whole).transpose();
        let allow = settings.allow.iter().map(|allow| {
            let packages = allow.packages.iter().map(|package| whole(package)).collect::<Result<_, _>>()?;
            Ok((whole(&allow.class)?, packages))
        });
        let methods = settings.method.iter().map(|method| {
            let name = method.name.clone().unwrap_or_default();
            let by = match method.by {
                PatchBy::Local => PatchMethod::Local,
                PatchBy::Ssh => PatchMethod::Ssh,
                PatchBy::Ansible => PatchMethod::Ansible(name),
                PatchBy::Awx => PatchMethod::Awx(name),
            };
            let before = method.before.iter().map(|word| Arc::from(word.as_str())).collect();
            Ok(Method { assets: some(&method.assets)?, class: some(&method.class)?, method: by, before })
        });
        let classes = settings
            .class
            .iter()
            .map(|class| Ok(Class { class: whole(&class.class)?, role: class.role, healthy_min: class.healthy_min }));
        let probes = settings.probe.iter().map(|probe| Ok((whole(&probe.package)?, probe.unit.clone())));
        let texts = |of: &[String]| of.iter().map(|text| Arc::from(text.as_str())).collect();
        let proofs = settings.proof.iter().map(|proof| {
            let (call, proves) = (texts(&proof.look), texts(&proof.proves));
            Ok((whole(&proof.class)?, Proof { look: call, expect: Arc::from(proof.expect.as_str()), proves }))
        });
        Ok(Self {
            pace: settings.rollout.clone(),
            allow: allow.collect::<Result<_, String>>()?,
            methods: methods.collect::<Result<_, String>>()?,
            classes: classes.collect::<Result<_, String>>()?,
            probes: probes.collect::<Result<_, String>>()?,
            proofs: proofs.collect::<Result<_, String>>()?,
            databases: whole(databases)?,
        })
    }

    /// Whether a package may be patched on a class of servers.
    pub(super) fn is_allowed(&self, class: &str, package: &str) -> bool {
        let of_class = self.allow.iter().filter(|(pattern, _)| pattern.is_match(class));
        of_class.flat_map(|(_, packages)| packages).any(|pattern| pattern.is_match(package))
    }

    /// How packages get onto an asset; `None` where no rule says.
    #[must_use]
    pub fn method(&self, asset: &str, class: &str) -> Option<PatchMethod> {
        self.method_for(asset, class).map(|method| method.method.clone())
    }

    /// Words that stand before the package manager's there, such as `sudo` and `-n`.
    #[must_use]
    pub fn before(&self, asset: &str, class: &str) -> Vec<Arc<str>> {
        self.method_for(asset, class).map(|method| method.before.clone()).unwrap_or_default()
    }

    fn method_for(&self, asset: &str, class: &str) -> Option<&Method> {
        let is_for = |method: &&Method| fits(method.assets.as_ref(), asset) && fits(method.class.as_ref(), class);
        self.methods.iter().find(is_for)
    }

    /// A regular expression for the names of all packages that may be patched on a class of servers.
    #[must_use]
    pub fn allowed(&self, class: &str) -> String {
        let of_class = self.allow.iter().filter(|(pattern, _)| pattern.is_match(class));
        // For the whole name, whoever matches it: the anchors are not shown.
        let bare = |pattern: &'_ Regex| {
            let text = pattern.as_str();
            text.strip_prefix(r"\A").and_then(|text| text.strip_suffix(r"\z")).unwrap_or(text).to_owned()
        };
        let patterns: Vec<String> = of_class.flat_map(|(_, packages)| packages).map(bare).collect();
        patterns.join("|")
    }

    /// What servers of a class are to one another.
    pub(super) fn role(&self, class: &str) -> ServerRole {
        self.class(class).map(|class| class.role).unwrap_or_default()
    }

    /// How many of a class must stay healthy, where it has a rule of its own.
    pub(super) fn healthy_min_of(&self, class: &str) -> Option<Portion> {
        self.class(class)?.healthy_min
    }

    fn class(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|class| class.class.is_match(name))
    }

    /// Looks that a machine of a class must pass right before its packages change.
    #[must_use]
    pub fn proofs(&self, class: &str) -> Vec<Proof> {
        self.proofs_for(class).cloned().collect()
    }

    fn proofs_for(&self, class: &str) -> impl Iterator<Item = &Proof> {
        self.proofs.iter().filter(move |(pattern, _)| pattern.is_match(class)).map(|(_, proof)| proof)
    }

    /// What no look proves of an asset that may hold data, by its name or that of what is patched; the gate would not let it be
    /// touched.
    pub(super) fn unproved(&self, asset: &str, class: &str, packages: &[PackageChange]) -> Vec<&'static str> {
        let mut names = packages.iter().map(|package| package.name.as_str()).chain([asset]);
        if !names.any(|name| self.databases.is_match(name)) {
            return Vec::new();
        }
        let is_proved =
            |proof: &&str| self.proofs_for(class).any(|look| look.proves.iter().any(|it| it.as_ref() == *proof));
        DATABASE_PROOFS.into_iter().filter(|proof| !is_proved(proof)).collect()
    }

    /// Units that must be up once these packages are patched.
    pub(super) fn units(&self, packages: &[PackageChange]) -> Vec<String> {
        let concerned =
            self.probes.iter().filter(|(pattern, _)| packages.iter().any(|package| pattern.is_match(&package.name)));
        let mut units: Vec<String> = concerned.map(|(_, unit)| unit.clone()).collect();
        units.sort();
        units.dedup();
        units
    }
}
