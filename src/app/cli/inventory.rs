//! `hypo inventory`: what is installed where.

use std::path::Path;

use serde::Serialize;

use super::{Exit, Failure, output, settings, tokio_runtime};
use crate::app::arguments::{CommonArguments, InventoryCommand, InventorySetArguments};
use crate::engine::ingest::wall_clock;
use crate::engine::patches::inventory::{Asset, AssetNews, Fleet, Package, file};
use crate::engine::runtime::inventory_scan::{self, Scope, Taken};

/// An asset in a listing.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    #[serde(flatten)]
    asset: &'a Asset,
    package_count: usize,
}

pub(super) fn run(common: &CommonArguments, command: &InventoryCommand) -> Result<Exit, Failure> {
    let loaded = settings(common)?;
    let folder = &loaded.paths.state_dir;
    match command {
        InventoryCommand::Scan { name, ssh, json } => {
            let engine = &loaded.settings.engine;
            let of = &engine.patches.inventory;
            let scope = if ssh.is_empty() {
                Scope { own: Some(name.as_deref()), hosts: &of.hosts, folders: &of.folders }
            } else {
                Scope { own: None, hosts: ssh, folders: &[] }
            };
            told(&tokio_runtime()?.block_on(inventory_scan::scan(folder, scope, &engine.runbooks))?, *json)
        }
        InventoryCommand::Import { files, json } => told(&inventory_scan::import(folder, files)?, *json),
        InventoryCommand::Set(arguments) => set(folder, arguments),
        InventoryCommand::Remove { name } => {
            let _held = file::hold(folder)?;
            let mut fleet = file::load(folder)?;
            if !fleet.remove(name) {
                return Err(unknown(&fleet, name));
            }
            file::keep(folder, &fleet)?;
            Ok(Exit::Done)
        }
        InventoryCommand::List { json } => list(&file::load(folder)?, *json),
        InventoryCommand::Show { name, json } => show(&file::load(folder)?, name, *json),
    }
}

/// Tells what was taken.
fn told(taken: &[Taken], is_json: bool) -> Result<Exit, Failure> {
    if is_json {
        output::json(&taken)?;
    } else {
        for one in taken {
            output::line(&taken_line(one))?;
        }
    }
    Ok(if taken.iter().any(|one| one.problem.is_some()) { Exit::Failed } else { Exit::Done })
}

fn taken_line(taken: &Taken) -> String {
    let Taken { origin, assets, package_count, set_aside_count, older_count, problem } = taken;
    match problem {
        Some(problem) => format!("{origin}: NOT taken: {problem}"),
        None => {
            let names: Vec<&str> = assets.iter().map(String::as_str).take(5).collect();
            let more = if assets.len() > names.len() { ", …" } else { "" };
            let aside = if *set_aside_count > 0 { format!("; {set_aside_count} set aside") } else { String::new() };
            let older = match older_count {
                0 => String::new(),
                count => format!("; packages of {count} left, newer ones are known"),
            };
            let (assets, names) = (assets.len(), names.join(", "));
            format!("{origin}: {assets} assets ({names}{more}), {package_count} packages{aside}{older}")
        }
    }
}

fn set(folder: &Path, arguments: &InventorySetArguments) -> Result<Exit, Failure> {
    let _held = file::hold(folder)?;
    let mut fleet = file::load(folder)?;
    let news = AssetNews {
        environment: arguments.environment,
        exposure: arguments.exposure,
        class: arguments.class.clone(),
        owner: arguments.owner.clone(),
        ring: arguments.ring.clone(),
        services: arguments.services.clone(),
        ..AssetNews::default()
    };
    let is_new = fleet.take(&arguments.name, news, "by hand", wall_clock::now());
    file::keep(folder, &fleet)?;
    let word = if is_new { "a new asset" } else { "noted" };
    output::line(&format!("{}: {word}", arguments.name))?;
    Ok(Exit::Done)
}

fn list(fleet: &Fleet, is_json: bool) -> Result<Exit, Failure> {
    let line = |(name, asset)| Line { name, asset, package_count: fleet.set(asset.set).len() };
    let lines: Vec<Line<'_>> = fleet.assets().iter().map(|(name, asset)| line((name.as_str(), asset))).collect();
    if is_json {
        output::json(&lines)?;
        return Ok(Exit::Done);
    }
    if lines.is_empty() {
        output::line("no assets; `hypo inventory scan` looks at this host")?;
    }
    for line in &lines {
        output::line(&line.text())?;
    }
    Ok(Exit::Done)
}

impl Line<'_> {
    fn text(&self) -> String {
        let Asset { system, traits, running, seen_at, .. } = self.asset;
        let seen = seen_at.map_or_else(|| "never seen".to_owned(), |at| format!("seen {}", at.date()));
        let mut text = format!(
            "{:<24} {:<10} {:<10} {:<12} {:<10} {:>5} packages, {seen}",
            self.name,
            system.distribution,
            if system.release.is_empty() { &system.version } else { &system.release },
            traits.environment.word(),
            traits.exposure.word(),
            self.package_count
        );
        for (what, value) in [("ring", &traits.ring), ("owner", &traits.owner), ("class", &traits.class)] {
            if !value.is_empty() {
                text.push_str(&format!(", {what} {value}"));
            }
        }
        if let Some(kernel) = &running.kernel_waiting {
            text.push_str(&format!(", kernel {kernel} waits for a reboot"));
        }
        if !running.stale.is_empty() {
            text.push_str(&format!(", {} processes use replaced files", running.stale.len()));
        }
        text
    }
}

fn show(fleet: &Fleet, name: &str, is_json: bool) -> Result<Exit, Failure> {
    /// `hypo inventory show --json`
    #[derive(Serialize)]
    struct Whole<'a> {
        #[serde(flatten)]
        line: Line<'a>,
        packages: Vec<&'a Package>,
    }
    let asset = fleet.assets().get(name).ok_or_else(|| unknown(fleet, name))?;
    let packages: Vec<&Package> = fleet.packages_of(asset).collect();
    let line = Line { name, asset, package_count: packages.len() };
    if is_json {
        output::json(&Whole { line, packages })?;
        return Ok(Exit::Done);
    }
    output::line(&line.text())?;
    for process in &asset.running.stale {
        output::line(&format!("  process {} {} uses {}", process.pid, process.name, process.files.join(", ")))?;
    }
    for package in packages {
        let source = package.source().map_or_else(String::new, |(source, version)| format!("  of {source} {version}"));
        output::line(&format!("  {} {}{source}", package.name, package.version))?;
    }
    Ok(Exit::Done)
}

/// What is said of a name that no asset has.
pub(super) fn unknown(fleet: &Fleet, name: &str) -> Failure {
    let meant = crate::nearest::suggestion(name, fleet.assets().keys().map(String::as_str));
    format!("there is no asset `{name}`{meant}; `hypo inventory list` lists them").into()
}
