//! Whose word counts for a package: the tracker of its distribution's release, an ecosystem of OSV, or nobody's.

use crate::engine::patches::inventory::{Package, System};
use crate::engine::patches::knowledge::Knowledge;
use crate::engine::patches::version::Scheme;

/// Whose word counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Debian's tracker, of this release.
    Debian {
        /// Its code name.
        release: String,
    },
    /// OSV.
    Osv {
        /// The ecosystem, by OSV's name.
        ecosystem: String,
        /// How its versions are ordered; `None` where no rule is known: then only versions that are listed count.
        scheme: Option<Scheme>,
    },
    /// Nobody's.
    Unknown {
        /// Why.
        why: String,
    },
}

/// Code names of Debian's releases that a host may not tell.
const DEBIAN: [(&str, &str); 5] =
    [("10", "buster"), ("11", "bullseye"), ("12", "bookworm"), ("13", "trixie"), ("14", "forky")];

/// Whose word counts for a distribution's packages.
#[must_use]
pub fn of_system(system: &System) -> Place {
    let osv = |ecosystem: String, scheme| Place::Osv { ecosystem, scheme: Some(scheme) };
    let major = system.version.split('.').next().unwrap_or_default();
    match system.distribution.as_str() {
        "debian" if !system.release.is_empty() => Place::Debian { release: system.release.clone() },
        "debian" => match DEBIAN.iter().find(|(number, _)| *number == major) {
            Some((_, release)) => Place::Debian { release: (*release).to_owned() },
            None => Place::Unknown { why: format!("Debian `{}` is no release that is known", system.version) },
        },
        "ubuntu" => {
            // Every second April, for five years.
            let is_lts = system.version.ends_with(".04") && major.parse::<u32>().is_ok_and(|year| year % 2 == 0);
            osv(format!("Ubuntu:{}{}", system.version, if is_lts { ":LTS" } else { "" }), Scheme::Dpkg)
        }
        "rocky" => osv(format!("Rocky Linux:{major}"), Scheme::Rpm),
        "almalinux" => osv(format!("AlmaLinux:{major}"), Scheme::Rpm),
        "opensuse-leap" => osv(format!("openSUSE:Leap {}", system.version), Scheme::Rpm),
        "alpine" => {
            let branch: Vec<&str> = system.version.split('.').take(2).collect();
            Place::Osv { ecosystem: format!("Alpine:v{}", branch.join(".")), scheme: None }
        }
        "" => Place::Unknown { why: "nobody said which distribution it runs".to_owned() },
        other => Place::Unknown { why: format!("no feed is known for the distribution `{other}`") },
    }
}

/// Whose word counts for a package on a system.
#[must_use]
pub fn of_package(system: &Place, package: &Package) -> Place {
    match package.ecosystem.as_deref() {
        None => system.clone(),
        Some(ecosystem) => {
            let scheme = matches!(ecosystem, "crates.io" | "npm" | "Go" | "Hex").then_some(Scheme::Semver);
            Place::Osv { ecosystem: ecosystem.to_owned(), scheme }
        }
    }
}

impl Place {
    /// As people call it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Debian { release } => format!("Debian {release}"),
            Self::Osv { ecosystem, .. } => ecosystem.clone(),
            Self::Unknown { .. } => "nobody's".to_owned(),
        }
    }

    /// Why nothing can be said of it, where that is so: no feed is known, or the one that is was not taken.
    #[must_use]
    pub fn unchecked(&self, knowledge: &Knowledge) -> Option<String> {
        match self {
            Self::Debian { release } if !knowledge.has_release(release) => Some(format!(
                "the Debian security tracker as it was taken here says nothing of the release `{release}`"
            )),
            Self::Osv { ecosystem, .. } if !knowledge.has_ecosystem(ecosystem) => {
                Some(format!("nothing of OSV's `{ecosystem}` was taken here"))
            }
            Self::Unknown { why } => Some(why.clone()),
            Self::Debian { .. } | Self::Osv { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(distribution: &str, release: &str, version: &str) -> Place {
        of_system(&System { distribution: distribution.into(), release: release.into(), version: version.into() })
    }

    #[test]
    fn each_distribution_has_its_own_word() {
        assert_eq!(system("debian", "bookworm", "12"), Place::Debian { release: "bookworm".into() });
        assert_eq!(system("debian", "", "11.9"), Place::Debian { release: "bullseye".into() });
        let osv = |ecosystem: &str, scheme| Place::Osv { ecosystem: ecosystem.into(), scheme };
        assert_eq!(system("ubuntu", "jammy", "22.04"), osv("Ubuntu:22.04:LTS", Some(Scheme::Dpkg)));
        assert_eq!(system("ubuntu", "mantic", "23.10"), osv("Ubuntu:23.10", Some(Scheme::Dpkg)));
        assert_eq!(system("ubuntu", "lunar", "23.04"), osv("Ubuntu:23.04", Some(Scheme::Dpkg)));
        assert_eq!(system("rocky", "", "9.4"), osv("Rocky Linux:9", Some(Scheme::Rpm)));
        assert_eq!(system("alpine", "", "3.18.4"), osv("Alpine:v3.18", None));
        assert!(matches!(system("plan9", "", "4"), Place::Unknown { .. }));
        let npm = Package { ecosystem: Some("npm".into()), ..Package::default() };
        assert_eq!(of_package(&system("debian", "bookworm", "12"), &npm), osv("npm", Some(Scheme::Semver)));
    }
}
