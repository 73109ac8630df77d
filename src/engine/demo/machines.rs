//! The machines that the shop runs on, with what is installed there and what an operator must know of each.

use super::advisories;
use crate::engine::clock::Timestamp;
use crate::engine::patches::inventory::{AssetNews, Environment, Exposure, Fleet, Package, System};
use crate::engine::patches::keeping::OfficeInMemory;

/// What the inventory says it has them from.
const ORIGIN: &str = "the simulated shop";
/// Of everything that is installed there.
pub(super) const ARCHITECTURE: &str = "amd64";
/// Debian's name for what runs on all of them.
pub(super) const RELEASE: &str = "bookworm";

/// A machine.
pub(super) struct Machine {
    /// Its name.
    pub name: &'static str,
    environment: Environment,
    exposure: Exposure,
    class: &'static str,
    owner: &'static str,
    ring: &'static str,
    /// What it is one of: those that carry the same are not all to be taken at once. It is no service of the shop's: what is
    /// measured of those is of all their machines together, and rises and falls with the customers.
    service: Option<&'static str>,
    /// Sets of packages beside those that every machine has.
    sets: &'static [&'static [Installed]],
}

/// A package as it is when the demo begins: its name, its source package and its version.
type Installed = (&'static str, &'static str, &'static str);

/// What every machine has.
const BASE: &[Installed] = &[
    ("bash", "bash", "5.2.15-2+b7"),
    ("ca-certificates", "ca-certificates", "20230311"),
    ("libc6", "glibc", "2.36-9+deb12u9"),
    ("libssl3", "openssl", "3.0.15-1~deb12u1"),
    ("openssh-client", "openssh", "1:9.2p1-2+deb12u3"),
    ("openssh-server", "openssh", "1:9.2p1-2+deb12u3"),
    ("openssl", "openssl", "3.0.15-1~deb12u1"),
    ("sudo", "sudo", "1.9.13p3-1+deb12u1"),
    ("systemd", "systemd", "252.31-1~deb12u1"),
    ("tzdata", "tzdata", "2024b-0+deb12u1"),
    ("zlib1g", "zlib", "1:1.2.13.dfsg-1"),
];
const WEB: &[Installed] = &[
    ("libxml2", "libxml2", "2.9.14+dfsg-1.3~deb12u1"),
    ("nginx", "nginx", "1.22.1-9"),
    ("nginx-common", "nginx", "1.22.1-9"),
];
const APP: &[Installed] = &[
    ("curl", "curl", "7.88.1-10+deb12u7"),
    ("libcurl4", "curl", "7.88.1-10+deb12u7"),
    (RUNTIME, RUNTIME_SOURCE, "17.0.13+11-2~deb12u1"),
];
const DATABASE: &[Installed] = &[
    ("postgresql-15", "postgresql-15", "15.10-0+deb12u1"),
    ("postgresql-client-15", "postgresql-15", "15.10-0+deb12u1"),
];
const BATCH: &[Installed] =
    &[("python3.11", "python3.11", "3.11.2-6+deb12u4"), ("python3.11-minimal", "python3.11", "3.11.2-6+deb12u4")];
const BUILD: &[Installed] = &[("git", "git", "1:2.39.5-0+deb12u1"), ("make", "make-dfsg", "4.3-4.1")];

/// What the shop's services run in, and the source package that it is made of.
pub(super) const RUNTIME: &str = "openjdk-17-jre-headless";
/// As above.
pub(super) const RUNTIME_SOURCE: &str = "openjdk-17";

/// All of them.
pub(super) const MACHINES: [Machine; 15] = [
    staging("stage-1"),
    staging("stage-2"),
    web("web-1", EARLY),
    web("web-2", PRODUCTION),
    web("web-3", PRODUCTION),
    web("web-4", PRODUCTION),
    app("checkout-1", "payments-team", EARLY, "checkout-hosts"),
    app("checkout-2", "payments-team", PRODUCTION, "checkout-hosts"),
    app("payment-1", "payments-team", EARLY, "payment-hosts"),
    app("payment-2", "payments-team", PRODUCTION, "payment-hosts"),
    app("search-1", "search-team", EARLY, "search-hosts"),
    app("search-2", "search-team", PRODUCTION, "search-hosts"),
    database("db-1", "db-primary"),
    database("db-2", "db-replica"),
    Machine {
        name: "build-1",
        environment: Environment::Development,
        exposure: Exposure::Internal,
        class: "build",
        owner: "platform",
        ring: "",
        service: None,
        sets: &[BATCH, BUILD],
    },
];

/// The ring of production that goes first.
pub(super) const EARLY: &str = "early";
/// The other one.
pub(super) const PRODUCTION: &str = "production";

/// Has everything that production has, so that every patch is tried there.
const fn staging(name: &'static str) -> Machine {
    Machine {
        name,
        environment: Environment::Staging,
        exposure: Exposure::Internal,
        class: "staging",
        owner: "platform",
        ring: "staging",
        service: Some("staging-hosts"),
        sets: &[WEB, APP, DATABASE],
    }
}

const fn web(name: &'static str, ring: &'static str) -> Machine {
    Machine {
        name,
        environment: Environment::Production,
        exposure: Exposure::Internet,
        class: "web",
        owner: "storefront-team",
        ring,
        service: Some("web-hosts"),
        sets: &[WEB],
    }
}

const fn app(name: &'static str, owner: &'static str, ring: &'static str, service: &'static str) -> Machine {
    Machine {
        name,
        environment: Environment::Production,
        exposure: Exposure::Internal,
        class: "app",
        owner,
        ring,
        service: Some(service),
        sets: &[APP],
    }
}

const fn database(name: &'static str, class: &'static str) -> Machine {
    Machine {
        name,
        environment: Environment::Production,
        exposure: Exposure::Internal,
        class,
        owner: "data-team",
        ring: PRODUCTION,
        service: Some("db-hosts"),
        sets: &[DATABASE],
    }
}

impl Machine {
    fn packages(&self) -> impl Iterator<Item = &'static Installed> {
        BASE.iter().chain(self.sets.iter().flat_map(|set| set.iter()))
    }

    /// What it carries; `None` where that is nothing that anybody waits for.
    pub(super) fn service(&self) -> Option<&'static str> {
        self.service
    }
}

/// The inventory as a scan at `at` would have found it.
pub(super) fn fleet(at: Timestamp) -> Fleet {
    let mut fleet = Fleet::default();
    for machine in &MACHINES {
        let packages = machine.packages().map(|(name, source, version)| Package {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            architecture: ARCHITECTURE.to_owned(),
            source: Some((*source).to_owned()),
            ..Package::default()
        });
        let system =
            System { distribution: "debian".to_owned(), release: RELEASE.to_owned(), version: "12".to_owned() };
        let news = AssetNews {
            system: Some(system),
            environment: Some(machine.environment),
            exposure: Some(machine.exposure),
            class: Some(machine.class.to_owned()),
            owner: Some(machine.owner.to_owned()),
            ring: Some(machine.ring.to_owned()),
            services: Some(machine.service.into_iter().map(str::to_owned).collect()),
            packages: Some(packages.collect()),
            running: None,
        };
        fleet.take(machine.name, news, ORIGIN, at);
    }
    fleet
}

/// True where some machine had the package in this version when the demo began.
pub(super) fn was_installed(name: &str, version: &str) -> bool {
    let mut all = MACHINES.iter().flat_map(Machine::packages);
    all.any(|(known, _, of)| *known == name && *of == version)
}

/// True where the shop does not run well on a machine: it has the version of the runtime that breaks it.
pub(super) fn is_broken(office: &OfficeInMemory, machine: &str) -> bool {
    office.is_installed(machine, RUNTIME, advisories::BAD_VERSION)
}

#[cfg(test)]
mod tests {
    use super::super::layout;
    use super::*;

    #[test]
    fn every_package_of_production_is_in_staging_and_what_machines_carry_is_no_service_of_the_shop() {
        let packages = |machine: &Machine| machine.packages().map(|(name, ..)| *name).collect::<Vec<_>>();
        let staged = packages(&MACHINES[0]);
        for machine in MACHINES.iter().filter(|machine| machine.environment == Environment::Production) {
            assert!(machine.service.is_some_and(|name| layout::position(name).is_none()), "{}", machine.name);
            let missing: Vec<_> = packages(machine).into_iter().filter(|name| !staged.contains(name)).collect();
            assert_eq!(missing, [""; 0], "{}", machine.name);
            assert!(machine.packages().count() >= 12, "{}", machine.name);
        }
    }

    #[test]
    fn a_package_has_one_version_at_the_beginning() {
        let mut all: Vec<_> = MACHINES.iter().flat_map(Machine::packages).collect();
        all.sort();
        all.dedup();
        let mut names: Vec<_> = all.iter().map(|(name, ..)| name).collect();
        names.dedup();
        assert_eq!(names.len(), all.len());
        assert_eq!(fleet(Timestamp(1)).assets().len(), MACHINES.len());
    }
}
