//! `hypo inventory`: what is installed where.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Exit, Failure, output, settings, tokio_runtime};
use crate::app::arguments::{CommonArguments, InventoryCommand, InventorySetArguments};
use crate::engine::act::steps::{asset_look, package_list};
use crate::engine::clock::Timestamp;
use crate::engine::ingest::wall_clock;
use crate::engine::patches::inventory::import::{self, News};
use crate::engine::patches::inventory::{Asset, AssetNews, Fleet, Package, file, rpm, this_host};
use crate::engine::settings::RunbookSettings;

/// Hosts that are looked at over `ssh` at the same time.
const HOSTS_AT_ONCE: usize = 8;

/// What became of a file, of this host or of another.
#[derive(Serialize)]
struct Taken {
    origin: String,
    assets: Vec<String>,
    package_count: usize,
    set_aside_count: usize,
    problem: Option<String>,
}

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
            let hosts = if ssh.is_empty() { &engine.patches.inventory.hosts } else { ssh };
            // Looked at before the inventory is held: a host that does not answer holds nobody else up.
            let looked = look_at(hosts, &engine.runbooks)?;
            change(folder, *json, |fleet, now| {
                let own = ssh.is_empty().then(|| scan(fleet, name.as_deref(), now));
                let mut taken: Vec<Taken> = own.into_iter().collect();
                taken.extend(looked.into_iter().map(|(host, looked)| keep_looked(fleet, host, looked, now)));
                if ssh.is_empty() {
                    let folders = &engine.patches.inventory.folders;
                    taken.extend(folders.iter().flat_map(|path| take(fleet, path, now)));
                }
                taken
            })
        }
        InventoryCommand::Import { files, json } => {
            change(folder, *json, |fleet, now| files.iter().flat_map(|path| take(fleet, path, now)).collect())
        }
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

/// Changes the inventory, keeps it and tells what was taken; what failed leaves what was known.
fn change(
    folder: &Path,
    is_json: bool,
    change: impl FnOnce(&mut Fleet, Timestamp) -> Vec<Taken>,
) -> Result<Exit, Failure> {
    let _held = file::hold(folder)?;
    let mut fleet = file::load(folder)?;
    let taken = change(&mut fleet, wall_clock::now());
    file::keep(folder, &fleet)?;
    if is_json {
        output::json(&taken)?;
    } else {
        for one in &taken {
            output::line(&taken_line(one))?;
        }
    }
    Ok(if taken.iter().any(|one| one.problem.is_some()) { Exit::Failed } else { Exit::Done })
}

fn taken_line(taken: &Taken) -> String {
    let Taken { origin, assets, package_count, set_aside_count, problem } = taken;
    match problem {
        Some(problem) => format!("{origin}: NOT taken: {problem}"),
        None => {
            let names: Vec<&str> = assets.iter().map(String::as_str).take(5).collect();
            let more = if assets.len() > names.len() { ", …" } else { "" };
            let aside = if *set_aside_count > 0 { format!("; {set_aside_count} set aside") } else { String::new() };
            let (assets, names) = (assets.len(), names.join(", "));
            format!("{origin}: {assets} assets ({names}{more}), {package_count} packages{aside}")
        }
    }
}

fn scan(fleet: &mut Fleet, name: Option<&str>, now: Timestamp) -> Taken {
    let name = name.map(str::to_owned).or_else(|| nix::unistd::gethostname().ok()?.into_string().ok());
    let looked = look().and_then(|(news, set_aside_count)| {
        let name = name.ok_or("this host has no name; give it one with --name")?;
        Ok((name, news, set_aside_count))
    });
    let origin = "this host".to_owned();
    match looked {
        Ok((name, news, set_aside_count)) => {
            let package_count = news.packages.as_ref().map_or(0, Vec::len);
            fleet.take(&name, news, &origin, now);
            Taken { origin, assets: vec![name], package_count, set_aside_count, problem: None }
        }
        Err(problem) => failed(origin, &*problem),
    }
}

/// What a host told of itself, or why it did not.
type Looked = Result<(AssetNews, usize), String>;

/// Looks at hosts over `ssh`, a few at a time.
fn look_at(hosts: &[String], settings: &RunbookSettings) -> Result<Vec<(String, Looked)>, Failure> {
    let mut all = Vec::new();
    let runtime = tokio_runtime()?;
    for some in hosts.chunks(HOSTS_AT_ONCE) {
        let looks = some.iter().map(|host| async move { (host.clone(), asset_look::look(host, settings).await) });
        all.extend(runtime.block_on(futures_util::future::join_all(looks)));
    }
    Ok(all)
}

fn keep_looked(fleet: &mut Fleet, host: String, looked: Looked, now: Timestamp) -> Taken {
    let origin = format!("ssh {host}");
    match looked {
        Ok((news, set_aside_count)) => {
            let package_count = news.packages.as_ref().map_or(0, Vec::len);
            fleet.take(&host, news, &origin, now);
            Taken { origin, assets: vec![host], package_count, set_aside_count, problem: None }
        }
        Err(problem) => {
            Taken { origin, assets: Vec::new(), package_count: 0, set_aside_count: 0, problem: Some(problem) }
        }
    }
}

/// This host: what dpkg has, or else rpm.
fn look() -> Result<(AssetNews, usize), Failure> {
    let root = Path::new("/");
    let installed = match this_host::dpkg(root)? {
        Some(installed) => installed,
        None => {
            let answer = tokio_runtime()?.block_on(package_list::rpm(rpm::FORMAT))?;
            rpm::read(&answer.ok_or("neither dpkg nor rpm has packages here")?)
        }
    };
    if installed.packages.is_empty() {
        return Err("neither dpkg nor rpm has packages here".into());
    }
    Ok((this_host::news(root, installed.packages)?, installed.set_aside_count))
}

/// A file, or the files of a folder, in order of name.
fn take(fleet: &mut Fleet, path: &Path, now: Timestamp) -> Vec<Taken> {
    let files = if path.is_dir() { files_of(path) } else { Ok(vec![path.to_owned()]) };
    let files = match files {
        Ok(files) => files,
        Err(problem) => return vec![failed(path.display().to_string(), &problem)],
    };
    let mut all = Vec::new();
    for path in files {
        let origin = path.display().to_string();
        let taken = match read(&path) {
            Ok(news) => {
                let package_count = news.values().filter_map(|news| news.packages.as_ref()).map(Vec::len).sum();
                let assets: Vec<String> = news.keys().cloned().collect();
                for (name, news) in news {
                    fleet.take(&name, news, &origin, now);
                }
                Taken { origin, assets, package_count, set_aside_count: 0, problem: None }
            }
            Err(problem) => failed(origin, &*problem),
        };
        all.push(taken);
    }
    all
}

fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_file() && !is_hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<News, Failure> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(import::read(&std::fs::read_to_string(path)?, &stem)?)
}

fn failed(origin: String, problem: &dyn std::error::Error) -> Taken {
    Taken { origin, assets: Vec::new(), package_count: 0, set_aside_count: 0, problem: Some(problem.to_string()) }
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
