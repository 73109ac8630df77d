//! Looks at what is installed: this host, others over `ssh`, the files of folders. A look that fails leaves what was known, and
//! is noted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::engine::act::steps::{asset_look, package_list};
use crate::engine::clock::Timestamp;
use crate::engine::ingest::wall_clock;
use crate::engine::patches::inventory::file::{self, FileError};
use crate::engine::patches::inventory::import::{self, News};
use crate::engine::patches::inventory::{AssetNews, Fleet, rpm, this_host};
use crate::engine::patches::shelf::health::Tried;
use crate::engine::settings::RunbookSettings;

/// Hosts that are looked at over `ssh` at the same time.
const HOSTS_AT_ONCE: usize = 8;

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'s> {
    /// This host; by another name than its own where one is given.
    pub own: Option<Option<&'s str>>,
    /// Others.
    pub hosts: &'s [String],
    /// Folders whose files are taken in.
    pub folders: &'s [PathBuf],
}

/// What became of a file, of this host or of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// What was looked at.
    pub origin: String,
    /// The assets that it told of.
    pub assets: Vec<String>,
    /// Their packages.
    pub package_count: usize,
    /// Entries that could not be used.
    pub set_aside_count: usize,
    /// Assets of which something newer is known than what it told of their packages, which was left.
    pub older_count: usize,
    /// Why nothing was taken.
    pub problem: Option<String>,
}

impl Taken {
    fn failed(origin: String, problem: &dyn std::fmt::Display) -> Self {
        let problem = Some(problem.to_string());
        Self { origin, assets: Vec::new(), package_count: 0, set_aside_count: 0, older_count: 0, problem }
    }
}

/// What a host told of itself, or why it did not.
type Looked = Result<(AssetNews, usize), String>;

/// Looks at all of it and keeps what it told.
///
/// # Errors
/// When the inventory cannot be read or written. What could not be looked at is told in the answer.
pub async fn scan(state_dir: &Path, scope: Scope<'_>, settings: &RunbookSettings) -> Result<Vec<Taken>, FileError> {
    // Before the inventory is held: a host that does not answer holds nobody else up.
    let own = match scope.own {
        Some(name) => Some((own_name(name), look_here().await)),
        None => None,
    };
    let looked = look_at(scope.hosts, settings).await;
    change(state_dir, |fleet, now| {
        let own = own.map(|(name, looked)| match name {
            Some(name) => keep(fleet, name, this_host::ORIGIN.to_owned(), looked, now),
            None => Taken::failed(this_host::ORIGIN.to_owned(), &"this host has no name; give it one with --name"),
        });
        let mut taken: Vec<Taken> = own.into_iter().collect();
        for (host, looked) in looked {
            let origin = format!("ssh {host}");
            taken.push(keep(fleet, host, origin, looked, now));
        }
        taken.extend(scope.folders.iter().flat_map(|path| take(fleet, path, now)));
        taken
    })
}

/// Takes files and the files of folders in.
///
/// # Errors
/// As [`scan`].
pub fn import(state_dir: &Path, files: &[PathBuf]) -> Result<Vec<Taken>, FileError> {
    change(state_dir, |fleet, now| files.iter().flat_map(|path| take(fleet, path, now)).collect())
}

/// Changes the inventory and keeps it; what failed leaves what was known.
fn change(state_dir: &Path, change: impl FnOnce(&mut Fleet, Timestamp) -> Vec<Taken>) -> Result<Vec<Taken>, FileError> {
    let held = file::hold(state_dir)?;
    let mut fleet = file::load(state_dir)?;
    let now = wall_clock::now();
    let taken = change(&mut fleet, now);
    file::keep(state_dir, &fleet)?;
    file::keep_tries(state_dir, &noted(file::tries(state_dir), &taken, now), &held)?;
    Ok(taken)
}

/// What became of each, with what is known of those that were not looked at now.
fn noted(mut tries: BTreeMap<String, Tried>, taken: &[Taken], now: Timestamp) -> BTreeMap<String, Tried> {
    for one in taken {
        let failed = tries.get(&one.origin).map_or(0, |tried| tried.failed_in_a_row);
        let failed_in_a_row = if one.problem.is_some() { failed.saturating_add(1) } else { 0 };
        tries.insert(one.origin.clone(), Tried { at: now, error: one.problem.clone(), failed_in_a_row });
    }
    tries
}

fn own_name(name: Option<&str>) -> Option<String> {
    name.map(str::to_owned).or_else(|| nix::unistd::gethostname().ok()?.into_string().ok())
}

/// This host: what dpkg has, or else rpm.
pub(super) async fn look_here() -> Looked {
    let root = Path::new("/");
    let installed = match this_host::dpkg(root).map_err(|problem| problem.to_string())? {
        Some(installed) => installed,
        None => {
            let answer = package_list::rpm(rpm::FORMAT).await?;
            rpm::read(&answer.ok_or("neither dpkg nor rpm has packages here")?)
        }
    };
    if installed.packages.is_empty() {
        return Err("neither dpkg nor rpm has packages here".to_owned());
    }
    let news = this_host::news(root, installed.packages).map_err(|problem| problem.to_string())?;
    Ok((news, installed.set_aside_count))
}

/// Looks at hosts over `ssh`, a few at a time.
async fn look_at(hosts: &[String], settings: &RunbookSettings) -> Vec<(String, Looked)> {
    let mut all = Vec::new();
    for some in hosts.chunks(HOSTS_AT_ONCE) {
        let looks = some.iter().map(|host| async move { (host.clone(), asset_look::look(host, settings).await) });
        all.extend(futures_util::future::join_all(looks).await);
    }
    all
}

fn keep(fleet: &mut Fleet, name: String, origin: String, looked: Looked, now: Timestamp) -> Taken {
    match looked {
        Ok((news, set_aside_count)) => {
            let taken = take_all(fleet, News::from([(name, news)]), origin, now);
            Taken { set_aside_count, ..taken }
        }
        Err(problem) => Taken::failed(origin, &problem),
    }
}

/// What was told of assets, as it was at `at`.
fn take_all(fleet: &mut Fleet, news: News, origin: String, at: Timestamp) -> Taken {
    let assets: Vec<String> = news.keys().cloned().collect();
    let (mut package_count, mut older_count) = (0, 0);
    for (name, news) in news {
        if !fleet.was_seen_after(&name, at) {
            package_count += news.packages.as_ref().map_or(0, Vec::len);
        } else if news.packages.is_some() || news.running.is_some() {
            older_count += 1;
        }
        fleet.take(&name, news, &origin, at);
    }
    Taken { origin, assets, package_count, set_aside_count: 0, older_count, problem: None }
}

/// A file, or the files of a folder, in order of name.
fn take(fleet: &mut Fleet, path: &Path, now: Timestamp) -> Vec<Taken> {
    let files = if path.is_dir() { files_of(path) } else { Ok(vec![path.to_owned()]) };
    let files = match files {
        Ok(files) => files,
        Err(problem) => return vec![Taken::failed(path.display().to_string(), &problem)],
    };
    let mut all = Vec::new();
    for path in files {
        let origin = path.display().to_string();
        // What it tells is as old as itself.
        let modified = std::fs::metadata(&path).ok().and_then(|seen| seen.modified().ok());
        let now = modified.map_or(now, |at| wall_clock::of(at).min(now));
        all.push(match read(&path) {
            Ok(news) => take_all(fleet, news, origin, now),
            Err(problem) => Taken::failed(origin, &problem),
        });
    }
    all
}

pub(super) fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
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

fn read(path: &Path) -> Result<News, String> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).map_err(|problem| problem.to_string())?;
    import::read(&text, &stem).map_err(|problem| problem.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::patches::inventory::Package;

    #[test]
    fn an_old_file_leaves_what_was_seen_later_and_says_so() {
        let package = |version: &str| Package { name: "a".into(), version: version.into(), ..Package::default() };
        let seen = |version: &str| AssetNews { packages: Some(vec![package(version)]), ..AssetNews::default() };
        let mut fleet = Fleet::default();
        keep(&mut fleet, "one".to_owned(), "ssh one".to_owned(), Ok((seen("2"), 0)), Timestamp(5));
        let file = News::from([("one".to_owned(), seen("1")), ("two".to_owned(), seen("1"))]);
        let taken = take_all(&mut fleet, file, "facts".to_owned(), Timestamp(4));
        assert_eq!((taken.assets.len(), taken.package_count, taken.older_count), (2, 1, 1));
        let versions = |name: &str| -> Vec<&str> {
            fleet.packages_of(&fleet.assets()[name]).map(|package| package.version.as_str()).collect()
        };
        assert_eq!((versions("one"), versions("two")), (vec!["2"], vec!["1"]));
        let newer = take_all(&mut fleet, News::from([("one".to_owned(), seen("3"))]), "facts".to_owned(), Timestamp(6));
        assert_eq!((newer.package_count, newer.older_count), (1, 0));
    }
}
