//! What the engine is told about the shop: who calls whom, the nightly job, what steps may start. How its machines are patched is
//! in `patch_settings`.

use super::layout;
use super::patch_settings;
use super::routine;
use super::scenarios::Scenario;
use crate::engine::clock::{HOUR_MS, MINUTE_MS, Timestamp};
use crate::engine::settings::{CalendarEvent, EngineSettings, HostSettings, RunbookSettings, Span, TopologySettings};

/// Services that the nightly job is felt in: its databases and those that wait for them.
const BATCH_SERVICES: [&str; 6] = ["orders-db", "payments-db", "order", "payment", "shipping", "checkout"];

/// The engine's settings for a run of `scenario` whose live part begins at `start`.
#[must_use]
pub fn settings(scenario: &Scenario, start: Timestamp) -> EngineSettings {
    EngineSettings {
        topology: TopologySettings {
            edges: layout::edges().map(|(caller, callee)| (caller.to_owned(), callee.to_owned())).collect(),
            forget_after: None,
        },
        host: HostSettings { enabled: false, ..HostSettings::default() },
        calendar: vec![nightly_batch(scenario, start)],
        runbooks: RunbookSettings {
            allowed_programs: ["kubectl", "psql", "df", "ssh"].map(str::to_owned).to_vec(),
            ssh: patch_settings::ssh(),
            ..RunbookSettings::default()
        },
        patches: patch_settings::patches(start),
        ..EngineSettings::default()
    }
}

fn nightly_batch(scenario: &Scenario, start: Timestamp) -> CalendarEvent {
    let at_ms = routine::batch_at_ms(scenario, start);
    CalendarEvent {
        name: "nightly batch".to_owned(),
        services: BATCH_SERVICES.map(str::to_owned).to_vec(),
        metrics: Vec::new(),
        start: format!("{:02}:{:02}", at_ms / HOUR_MS, at_ms % HOUR_MS / MINUTE_MS),
        // What it did to the databases takes a moment to fade.
        lasts: Span(routine::BATCH_MS + 2 * MINUTE_MS),
        days: Vec::new(),
        date: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenarios;
    use super::*;

    #[test]
    fn the_job_is_in_the_calendar_when_it_runs() {
        let start = Timestamp::parse_rfc3339("2026-11-21T13:07:42Z").unwrap();
        let of = |name: &str| settings(scenarios::find(name).unwrap(), start).calendar[0].start.clone();
        assert_eq!(of("nightly-batch"), "13:07");
        assert_eq!(of("bad-deploy"), "02:30");
    }

    #[test]
    fn every_service_of_the_calendar_is_in_the_shop() {
        assert!(BATCH_SERVICES.iter().all(|service| layout::position(service).is_some()));
    }
}
