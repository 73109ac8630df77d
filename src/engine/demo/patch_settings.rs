//! How the shop's machines are patched: by what, what may be, at which pace, in which windows. The rules are those of a shop; the
//! times are those of somebody who looks on: minutes where a shop would take days.

use super::machines::{EARLY, MACHINES, PRODUCTION};
use crate::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::engine::model::DATABASE_PROOFS;
use crate::engine::patches::inventory::Environment;
use crate::engine::settings::{
    AllowSettings, ClassSettings, MethodSettings, PatchBy, PatchSettings, Portion, ProbeSettings, ProofSettings,
    RolloutSettings, ServerRole, Span, SshSettings, WindowSettings,
};

/// Programs of the machines that steps may start.
const PROGRAMS: [&str; 4] = ["apt-get", "dpkg-query", "systemctl", "db-ready"];
/// The window of production is open since so long when the demo begins, and for so long in all.
const WINDOW_MS: (i64, i64) = (HOUR_MS, 12 * HOUR_MS);
/// The freeze begins on the day after so many, and lasts so long.
const FREEZE_MS: (i64, i64) = (3 * DAY_MS, 2 * DAY_MS);

/// The machines, and nothing else. No connection is ever opened: what would be called is carried out on the model.
pub(super) fn ssh() -> SshSettings {
    SshSettings {
        hosts: MACHINES.iter().map(|machine| machine.name.to_owned()).collect(),
        programs: PROGRAMS.map(str::to_owned).to_vec(),
        ..SshSettings::default()
    }
}

/// The rules for a demo whose live part begins at `start`.
pub(super) fn patches(start: Timestamp) -> PatchSettings {
    PatchSettings {
        rollout: RolloutSettings {
            soak: Span(2 * MINUTE_MS),
            batch: Portion::Count(3),
            validate: Span(MINUTE_MS),
            watch: Span(5 * SECOND_MS),
            takes: Span(MINUTE_MS),
            // A minute holds a handful of samples, and chance moves those a good deal: only what is plain counts.
            samples: 5,
            effect: 90,
            rings: [EARLY, PRODUCTION].map(str::to_owned).to_vec(),
            ..RolloutSettings::default()
        },
        // Staging needs no window.
        window: vec![window("production, by day", daily(start - WINDOW_MS.0), WINDOW_MS.1)],
        freeze: vec![window("sale of the season", yearly(start + FREEZE_MS.0), FREEZE_MS.1)],
        allow: vec![
            // No rule is for machines of class `build`: whoever builds there looks after them by hand.
            allow("staging|web|app|db-.*", &["openssl", "libssl3", "openssh-.*", "sudo"]),
            allow("staging|web", &["nginx.*", "libxml2"]),
            allow("staging|app", &["curl", "libcurl4", "openjdk-17-.*"]),
            allow("staging|db-.*", &["postgresql-.*"]),
        ],
        method: vec![MethodSettings { assets: None, class: None, by: PatchBy::Ssh, name: None, before: Vec::new() }],
        class: vec![class("db-primary", ServerRole::Primary), class("db-replica", ServerRole::Replica)],
        probe: vec![
            probe("nginx.*", "nginx.service"),
            probe("openjdk-17-.*", "shop.service"),
            probe("postgresql-15", "postgresql.service"),
            probe("openssh-server", "ssh.service"),
        ],
        proof: vec![ProofSettings {
            class: "staging|db-.*".to_owned(),
            look: vec!["db-ready".to_owned()],
            expect: "^ready: ".to_owned(),
            proves: DATABASE_PROOFS.map(str::to_owned).to_vec(),
        }],
        ..PatchSettings::default()
    }
}

fn window(name: &str, begins: String, lasts_ms: i64) -> WindowSettings {
    WindowSettings {
        name: name.to_owned(),
        zone: "UTC".to_owned(),
        begins,
        lasts: Span(lasts_ms),
        environments: vec![Environment::Production],
        rings: Vec::new(),
        classes: None,
        assets: None,
    }
}

/// Every day at the full hour of this instant, as a rule of cron.
fn daily(at: Timestamp) -> String {
    format!("0 {} * * *", at.to_datetime().format("%-H"))
}

/// Every year at the beginning of the day of this instant. The 29th of February would come once in four years.
fn yearly(at: Timestamp) -> String {
    format!("0 0 {} *", at.to_datetime().format("%-d %-m"))
}

fn allow(class: &str, packages: &[&str]) -> AllowSettings {
    AllowSettings { class: class.to_owned(), packages: packages.iter().map(|name| (*name).to_owned()).collect() }
}

fn class(name: &str, role: ServerRole) -> ClassSettings {
    ClassSettings { class: name.to_owned(), role, healthy_min: None }
}

fn probe(package: &str, unit: &str) -> ProbeSettings {
    ProbeSettings { package: package.to_owned(), unit: unit.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::patches::rollout::calendar::{Calendar, FreezeState, Place, WindowState};

    #[test]
    fn the_rules_can_be_meant_but_for_the_soak_and_production_is_open_whenever_it_begins() {
        for begins in ["2026-11-17T14:30:00Z", "2026-12-30T23:59:59Z", "2028-02-26T00:00:00Z", "2026-03-01T00:10:00Z"] {
            let start = Timestamp::parse_rfc3339(begins).unwrap();
            let settings = patches(start);
            let real = RolloutSettings { soak: Span(HOUR_MS), ..settings.rollout.clone() };
            assert_eq!(PatchSettings { rollout: real, ..settings.clone() }.check(), Ok(()), "{begins}");
            let calendar = Calendar::new(&settings, &[]).unwrap();
            let place = |environment| Place { environment, ring: EARLY, class: "web", asset: "web-1", services: &[] };
            let room = calendar.room(&place(Environment::Staging), start);
            assert_eq!(room.window, WindowState::NotNeeded, "{begins}");
            let room = calendar.room(&place(Environment::Production), start);
            let is_long = matches!(room.window, WindowState::Open { until, .. } if until > start + 10 * HOUR_MS);
            assert!(is_long && matches!(room.freeze, FreezeState::Next(_)), "{begins}: {room:?}");
            let room = calendar.room(&place(Environment::Production), start + FREEZE_MS.0 + HOUR_MS);
            assert!(matches!(room.freeze, FreezeState::Now(_)), "{begins}: {room:?}");
        }
    }
}
