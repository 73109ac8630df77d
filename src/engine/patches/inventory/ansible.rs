//! Ansible's facts as an inventory: what `setup` and `package_facts` gather, one host a document, as its fact cache keeps it or
//! as `ansible -m setup --tree` writes it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::import::{ImportError, News, named};
use super::{AssetNews, Package, Running, System};

#[derive(Deserialize)]
struct Facts {
    #[serde(alias = "ansible_nodename")]
    ansible_fqdn: Option<String>,
    ansible_distribution: Option<String>,
    ansible_distribution_release: Option<String>,
    ansible_distribution_version: Option<String>,
    ansible_kernel: Option<String>,
    #[serde(alias = "ansible_packages")]
    packages: Option<BTreeMap<String, Vec<Fact>>>,
}

#[derive(Deserialize)]
struct Fact {
    name: String,
    version: String,
    release: Option<String>,
    epoch: Option<serde_json::Value>,
    #[serde(default)]
    arch: String,
    /// The package manager.
    #[serde(default)]
    source: String,
}

/// True where a document looks like facts.
pub(super) fn is_facts(value: &serde_json::Value) -> bool {
    let has = |name: &str| value.get(name).is_some();
    has("ansible_facts") || has("ansible_distribution") || has("ansible_packages")
}

/// Reads the facts of one host. Ansible does not say of which source a Debian package is made: that is left open, and matching
/// looks for it elsewhere.
pub(super) fn read(mut value: serde_json::Value, stem: &str) -> Result<News, ImportError> {
    let facts = value.get_mut("ansible_facts").map(serde_json::Value::take).unwrap_or(value);
    let facts =
        Facts::deserialize(facts).map_err(|problem| ImportError::Form(format!("Ansible's facts: {problem}")))?;
    let name = facts.ansible_fqdn.as_deref().unwrap_or(stem);
    let name = named(name, "Ansible's facts")?;
    let system = facts.ansible_distribution.map(|distribution| System {
        distribution: distribution.to_ascii_lowercase(),
        release: facts.ansible_distribution_release.unwrap_or_default(),
        version: facts.ansible_distribution_version.unwrap_or_default(),
    });
    let packages = facts.packages.map(|packages| packages.into_values().flatten().filter_map(package).collect());
    let running = facts.ansible_kernel.map(|kernel| Running { kernel: Some(kernel), ..Running::default() });
    Ok(News::from([(name, AssetNews { system, packages, running, ..AssetNews::default() })]))
}

fn package(fact: Fact) -> Option<Package> {
    let epoch = match &fact.epoch {
        Some(serde_json::Value::Number(epoch)) => Some(epoch.to_string()),
        Some(serde_json::Value::String(epoch)) => Some(epoch.clone()),
        _ => None,
    };
    let version = match (&fact.release, epoch) {
        (Some(release), epoch) => format!("{}:{}-{release}", epoch.as_deref().unwrap_or("0"), fact.version),
        (None, _) => fact.version,
    };
    let ecosystem = match fact.source.as_str() {
        "pip" => Some("PyPI".to_owned()),
        "" | "apt" | "rpm" | "dnf" | "dnf5" | "yum" | "zypper" => None,
        // Another manager's packages are not the distribution's.
        _ => return None,
    };
    Some(Package { name: fact.name, version, architecture: fact.arch, ecosystem, ..Package::default() })
}

#[cfg(test)]
mod tests {
    use crate::engine::patches::inventory::import::read;

    #[test]
    fn facts_of_apt_and_of_rpm_are_read() {
        let apt = r#"{"ansible_facts": {"ansible_fqdn": "web-1.example.org", "ansible_distribution": "Debian",
            "ansible_distribution_release": "bookworm", "ansible_distribution_version": "12.5", "ansible_kernel": "6.1.0-18-amd64",
            "packages": {"libssl3": [{"arch": "amd64", "category": "libs", "name": "libssl3", "origin": "Debian", "source": "apt", "version": "3.0.11-1~deb12u2"}],
                         "snapd": [{"name": "x", "version": "1", "source": "snap"}]}}}"#;
        let news = read(apt, "cache").unwrap();
        let host = &news["web-1.example.org"];
        assert_eq!(host.system.as_ref().unwrap().release, "bookworm");
        let packages = host.packages.as_ref().unwrap();
        assert_eq!((packages.len(), packages[0].version.as_str(), packages[0].source()), (1, "3.0.11-1~deb12u2", None));
        let rpm = r#"{"ansible_distribution": "Rocky", "ansible_distribution_version": "9.4", "ansible_packages":
            {"openssl-libs": [{"arch": "x86_64", "epoch": 1, "name": "openssl-libs", "release": "27.el9", "source": "rpm", "version": "3.0.7"}]}}"#;
        let news = read(rpm, "web-2").unwrap();
        assert_eq!(news["web-2"].packages.as_ref().unwrap()[0].version, "1:3.0.7-27.el9");
    }
}
