//! What is known of vulnerabilities, and how urgent patches are.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::rollout::{
    AllowSettings, ClassSettings, MethodSettings, PatchProblem, ProbeSettings, ProofSettings, RolloutSettings,
    WindowSettings,
};
use super::{SecretSource, Span};
use crate::engine::clock::{DAY_MS, MINUTE_MS};

/// Patches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PatchSettings {
    /// The composite risk.
    pub risk: RiskSettings,
    /// Where it is known from.
    pub feeds: FeedsSettings,
    /// What is installed where.
    pub inventory: InventorySettings,
    /// How a patch is rolled out.
    pub rollout: RolloutSettings,
    /// Maintenance windows.
    pub window: Vec<WindowSettings>,
    /// Times that come again in which nothing is patched, beside those of `[[policy.freeze]]`.
    pub freeze: Vec<WindowSettings>,
    /// Packages that may be patched, by class of server; what no rule names may not.
    pub allow: Vec<AllowSettings>,
    /// How packages are installed; the first that fits holds.
    pub method: Vec<MethodSettings>,
    /// What is known of classes of servers; the first that fits holds.
    pub class: Vec<ClassSettings>,
    /// Units that must be up once a package is patched.
    pub probe: Vec<ProbeSettings>,
    /// Looks that a machine must pass right before its packages change.
    pub proof: Vec<ProofSettings>,
}

impl PatchSettings {
    /// Holds what rollouts are told against what it may be.
    ///
    /// # Errors
    /// The first value that cannot be meant, by its key.
    pub fn check(&self) -> Result<(), PatchProblem> {
        self.rollout.check()?;
        check_every("feeds", self.feeds.every)?;
        check_every("inventory", self.inventory.every)?;
        for (index, window) in self.window.iter().enumerate() {
            window.check().map_err(|text| PatchProblem::one("window", index, text))?;
        }
        for (index, freeze) in self.freeze.iter().enumerate() {
            freeze.check().map_err(|text| PatchProblem::one("freeze", index, text))?;
        }
        for (index, allow) in self.allow.iter().enumerate() {
            allow.check().map_err(|text| PatchProblem::one("allow", index, text))?;
        }
        for (index, method) in self.method.iter().enumerate() {
            method.check().map_err(|text| PatchProblem::one("method", index, text))?;
        }
        for (index, class) in self.class.iter().enumerate() {
            class.check().map_err(|text| PatchProblem::one("class", index, text))?;
        }
        for (index, probe) in self.probe.iter().enumerate() {
            probe.check().map_err(|text| PatchProblem::one("probe", index, text))?;
        }
        for (index, proof) in self.proof.iter().enumerate() {
            proof.check().map_err(|text| PatchProblem::one("proof", index, text))?;
        }
        Ok(())
    }
}

/// Servers that everybody asks are not to be asked all the time, and a scan goes through every process of a host.
fn check_every(section: &'static str, every: Option<Span>) -> Result<(), PatchProblem> {
    let (least, most) = (Span(10 * MINUTE_MS), Span(30 * DAY_MS));
    match every {
        Some(every) if !(least..=most).contains(&every) => {
            let text = format!("`every` = {every} under [patches.{section}] cannot be meant; write {least} to {most}");
            Err(PatchProblem::key(section, "every", text))
        }
        _ => Ok(()),
    }
}

/// The inventory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InventorySettings {
    /// How often a running hypo scans by itself; `None` where only `hypo inventory scan` does.
    pub every: Option<Span>,
    /// Folders whose files are taken in with every scan.
    pub folders: Vec<PathBuf>,
    /// Hosts that are looked at over `ssh` with every scan, by the names that `[runbooks.ssh]` reaches them by.
    pub hosts: Vec<String>,
}

/// The feeds of vulnerabilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeedsSettings {
    /// How often a running hypo renews them by itself; `None` where only `hypo advisories sync` does, and nothing is fetched
    /// unasked.
    pub every: Option<Span>,
    /// One that was not renewed for this long is shown as stale.
    pub stale_after: Span,
    /// CISA's catalogue.
    pub kev: FeedSettings,
    /// FIRST's estimates.
    pub epss: FeedSettings,
    /// NIST's database.
    pub nvd: NvdSettings,
    /// OSV.
    pub osv: OsvSettings,
    /// Debian's security tracker.
    pub debian: FeedSettings,
}

impl Default for FeedsSettings {
    fn default() -> Self {
        Self {
            every: None,
            stale_after: Span(2 * DAY_MS),
            kev: FeedSettings::at(
                "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
            ),
            epss: FeedSettings::at("https://epss.empiricalsecurity.com/epss_scores-current.csv.gz"),
            nvd: NvdSettings::default(),
            osv: OsvSettings::default(),
            debian: FeedSettings::at("https://security-tracker.debian.org/tracker/data/json"),
        }
    }
}

/// A feed that is one document.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeedSettings {
    /// The document's address; empty where the feed is not fetched and comes from files only.
    pub url: String,
}

impl FeedSettings {
    fn at(url: &str) -> Self {
        Self { url: url.to_owned() }
    }
}

/// NIST's database by its API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NvdSettings {
    /// The API's address; empty where it is not fetched.
    pub url: String,
    /// A key, with which NVD answers ten times as often.
    pub api_key: SecretSource,
    /// Longest wait for one page.
    pub timeout: Span,
}

impl Default for NvdSettings {
    fn default() -> Self {
        Self {
            url: "https://services.nvd.nist.gov/rest/json/cves/2.0".to_owned(),
            api_key: SecretSource::default(),
            timeout: Span(MINUTE_MS),
        }
    }
}

/// OSV by its archives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OsvSettings {
    /// The archives' address; empty where they are not fetched.
    pub url: String,
    /// Ecosystems to fetch, by OSV's names, such as `Rocky Linux` or `crates.io`; none where empty.
    pub ecosystems: Vec<String>,
}

impl Default for OsvSettings {
    fn default() -> Self {
        Self { url: "https://storage.googleapis.com/osv-vulnerabilities".to_owned(), ecosystems: Vec::new() }
    }
}

/// The multipliers and borders, in hundredths, and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RiskSettings {
    /// For what is known to be exploited.
    pub known_exploited: u32,
    /// For what the internet reaches.
    pub internet_facing: u32,
    /// For production.
    pub production: u32,
    /// For a patch younger than `fresh_days`.
    pub fresh: u32,
    /// Days for which a patch counts as fresh.
    pub fresh_days: u32,
    /// From this score on it is critical.
    pub critical: u32,
    /// From this score on it is high.
    pub high: u32,
    /// From this score on it is medium.
    pub medium: u32,
    /// From the first match on, a critical one is to be mended within this.
    pub critical_within: Span,
    /// A high one.
    pub high_within: Span,
    /// A medium one; others with the next window.
    pub medium_within: Span,
    /// Whose deadlines hold, and whose order.
    pub deadlines: DeadlineRule,
}

/// Whose deadlines hold. Both are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadlineRule {
    /// The bands of the composite risk.
    #[default]
    Bands,
    /// The terms of CISA's Binding Operational Directive 26-04, the strictest that what is known allows.
    Directive,
}

impl Default for RiskSettings {
    fn default() -> Self {
        Self {
            known_exploited: 200,
            internet_facing: 150,
            production: 130,
            fresh: 85,
            fresh_days: 7,
            critical: 85,
            high: 65,
            medium: 40,
            critical_within: Span(DAY_MS),
            high_within: Span(7 * DAY_MS),
            medium_within: Span(30 * DAY_MS),
            deadlines: DeadlineRule::Bands,
        }
    }
}
