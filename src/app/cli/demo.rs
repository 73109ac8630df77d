//! `hypo demo`: the simulated shop, on the screen or as a fire drill.

use std::sync::{Arc, Mutex};

use super::{Exit, Failure, console, output, printing, settings, tokio_runtime};
use crate::app::arguments::{Approve, CommonArguments, DemoArguments};
use crate::engine::clock::{MINUTE_MS, Timestamp};
use crate::engine::demo::headless::{self, Drill, Played};
use crate::engine::demo::scenarios::{self, SCENARIOS, Scenario};
use crate::engine::demo::shop::{self, Shop};
use crate::engine::demo::source::DemoSource;
use crate::engine::demo::step_runner::ShopStepRunner;
use crate::engine::ingest::wall_clock;
use crate::engine::job::Record;
use crate::engine::model::{SourceKind, SourceName};
use crate::engine::runbooks::Library;
use crate::engine::runtime::RuntimeConfig;
use crate::engine::runtime::source_list::SourceSpec;
use crate::engine::store::{Store, StoreError};

/// The live part of a drill begins on Tuesday 2026-11-17 at 14:30 UTC, so that a seed always gives the same drill.
const DRILL_START: Timestamp = Timestamp(1_794_925_800_000);

pub(super) fn run(common: &CommonArguments, arguments: &DemoArguments) -> Result<Exit, Failure> {
    if arguments.scenario == "list" {
        return list();
    }
    let scenario = scenarios::find(&arguments.scenario).ok_or_else(|| {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        format!("there is no scenario `{}`; there are {}", arguments.scenario, names.join(", "))
    })?;
    if arguments.headless { drill(common, arguments, scenario) } else { show(common, arguments, scenario) }
}

fn list() -> Result<Exit, Failure> {
    for scenario in SCENARIOS {
        output::line(&format!("{:<16} {}", scenario.name, scenario.title))?;
    }
    Ok(Exit::Done)
}

fn show(common: &CommonArguments, arguments: &DemoArguments, scenario: &'static Scenario) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let tokio = tokio_runtime()?;
    let start = wall_clock::now();
    let shop = Shop::new(scenario, arguments.seed, start);
    let office = shop.office();
    let shop = Arc::new(Mutex::new(shop));
    let source = SourceSpec {
        name: SourceName::new(shop::SOURCE),
        kind: SourceKind::Demo,
        address: Arc::from(format!("simulated, scenario {}", scenario.name)),
        make: {
            let shop = Arc::clone(&shop);
            Box::new(move |resume| Ok(Box::new(DemoSource::new(Arc::clone(&shop), resume.backfilled_until))))
        },
    };
    let _entered = tokio.enter();
    let config = RuntimeConfig {
        settings: crate::engine::demo::settings::settings(scenario, start),
        library: Library::shipped(),
        // Nothing outside the program is touched unless a place for it is named.
        state_dir: common.state_dir.clone(),
        sources: vec![source],
        // What must be patched is the shop's, and it is in memory wherever the rest is kept.
        patch_office: Some(office),
        runner: Arc::new(ShopStepRunner::new(shop)),
        record_to: None,
    };
    let options = console::options(&loaded);
    console::run_on(&loaded, &tokio, config, options)
}

fn drill(common: &CommonArguments, arguments: &DemoArguments, scenario: &'static Scenario) -> Result<Exit, Failure> {
    let store = common.state_dir.as_deref().map(Store::open).transpose()?;
    let mut failed: Option<StoreError> = None;
    let mut keep = |records: &[Record]| {
        if let (Some(store), None) = (&store, &failed) {
            failed = store.write(records, false).err();
        }
    };
    let approve = match arguments.approve {
        Approve::All => headless::Approve::All,
        Approve::None => headless::Approve::None,
    };
    let (report, _) = headless::run(&Drill::new(scenario, arguments.seed, DRILL_START, approve), &mut keep)?;
    if let Some(problem) = failed {
        return Err(problem.into());
    }
    if let Some(store) = &store {
        store.flush()?;
    }
    if arguments.json {
        output::json(&report)?;
    } else {
        output::line(&format!("{}: {}", scenario.name, scenario.title))?;
        printing::report(&report.report)?;
    }
    Ok(Exit::Done)
}

/// How long after its beginning a scenario that nobody does anything about is at its height, in milliseconds.
const HEIGHT_MS: i64 = 3 * MINUTE_MS;
/// The scenario that questions are asked in.
const ASKED_IN: &str = "firewall-rule";

/// The picture of the scenario that questions are asked in, when everything that it breaks is broken.
pub(super) fn at_its_height() -> Result<Played, Failure> {
    let scenario = scenarios::find(ASKED_IN).unwrap_or_else(scenarios::default);
    let drill = Drill { lasts_ms: HEIGHT_MS, ..Drill::new(scenario, 1, DRILL_START, headless::Approve::None) };
    Ok(headless::play(&drill, &mut |_| {})?)
}
