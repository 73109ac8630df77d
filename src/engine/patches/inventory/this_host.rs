//! This host, read from its own files: what dpkg has installed, and what runs in spite of it. What rpm has is asked of rpm by
//! whoever may start programs.

use std::fs;
use std::io;
use std::path::Path;

use super::dpkg::{self, Installed};
use super::{AssetNews, Package, Running, StaleProcess};
use crate::engine::patches::version::Scheme;

/// What the inventory calls a look at the very machine that keeps it.
pub const ORIGIN: &str = "this host";
/// Processes of which stale files are named.
pub(super) const STALE_MAX: usize = 200;
/// Files named of each.
const FILES_MAX: usize = 20;
/// Where programs and libraries lie; elsewhere a deleted file is a process's own affair.
const LIBRARY_FOLDERS: [&str; 7] = ["/usr/", "/lib/", "/lib64/", "/lib32/", "/bin/", "/sbin/", "/opt/"];

/// What dpkg has installed below `root`; `None` where there is no dpkg.
///
/// # Errors
/// When its status cannot be read.
pub fn dpkg(root: &Path) -> io::Result<Option<Installed>> {
    match fs::read(root.join("var/lib/dpkg/status")) {
        Ok(status) => Ok(Some(dpkg::read(&String::from_utf8_lossy(&status))).filter(|read| !read.packages.is_empty())),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// What is known of the host below `root` beside its packages, with these.
///
/// # Errors
/// When os-release cannot be read.
pub fn news(root: &Path, packages: Vec<Package>) -> io::Result<AssetNews> {
    let os_release = fs::read_to_string(root.join("etc/os-release"))
        .or_else(|_| fs::read_to_string(root.join("usr/lib/os-release")))?;
    let running = running(root);
    let packages = without_idle_kernels(packages, &running);
    Ok(AssetNews {
        system: Some(dpkg::system(&os_release)),
        packages: Some(packages),
        running: Some(running),
        ..AssetNews::default()
    })
}

/// What runs below `root`.
#[must_use]
pub fn running(root: &Path) -> Running {
    let release = fs::read_to_string(root.join("proc/sys/kernel/osrelease")).ok();
    let boot = fs::read_dir(root.join("boot")).into_iter().flatten().flatten();
    let names: Vec<String> = boot.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let (kernel, kernel_waiting) = kernels(release.as_deref(), names.iter().map(String::as_str));
    let (stale, unseen_count) = stale_processes(root);
    Running { kernel, kernel_waiting, stale, unseen_count }
}

/// The kernel that runs, and a newer one among the names of files in `/boot`.
pub(super) fn kernels<'a>(
    release: Option<&str>,
    boot: impl Iterator<Item = &'a str>,
) -> (Option<String>, Option<String>) {
    let kernel = release.map(str::trim).filter(|release| !release.is_empty()).map(str::to_owned);
    let releases = boot.filter_map(|name| name.strip_prefix("vmlinuz-"));
    let newest = releases
        .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
        .max_by(|one, other| Scheme::Dpkg.compare(one, other).unwrap_or(std::cmp::Ordering::Equal));
    let is_newer = |newest: &&str| {
        kernel
            .as_ref()
            .is_some_and(|kernel| matches!(Scheme::Dpkg.compare(kernel, newest), Ok(std::cmp::Ordering::Less)))
    };
    let waiting = newest.filter(is_newer).map(str::to_owned);
    (kernel, waiting)
}

/// Kernels stay installed beside one another: only the one that runs and the newest one count.
pub(super) fn without_idle_kernels(packages: Vec<Package>, running: &Running) -> Vec<Package> {
    let Some(kernel) = &running.kernel else { return packages };
    let is_kernel =
        |package: &Package| package.source.as_deref() == Some("linux") && package.name.starts_with("linux-image-");
    let is_running = |package: &Package| {
        package.name.strip_prefix("linux-image-").is_some_and(|rest| rest.trim_end_matches("-unsigned") == kernel)
    };
    if !packages.iter().any(|package| is_kernel(package) && is_running(package)) {
        return packages;
    }
    let newest = packages.iter().filter(|package| is_kernel(package)).map(|package| package.version.as_str());
    let newest = newest.max_by(|one, other| Scheme::Dpkg.compare(one, other).unwrap_or(std::cmp::Ordering::Equal));
    let newest = newest.unwrap_or_default().to_owned();
    packages
        .into_iter()
        .filter(|package| !is_kernel(package) || is_running(package) || package.version == newest)
        .collect()
}

/// Processes that have a library or program mapped which is no longer there, and how many could not be looked into.
fn stale_processes(root: &Path) -> (Vec<StaleProcess>, usize) {
    let Ok(folders) = fs::read_dir(root.join("proc")) else { return (Vec::new(), 0) };
    let mut pids: Vec<u32> = folders.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    let (mut stale, mut unseen_count) = (Vec::new(), 0);
    for pid in pids {
        let folder = root.join("proc").join(pid.to_string());
        let maps = match fs::read_to_string(folder.join("maps")) {
            Ok(maps) => maps,
            // It has ended meanwhile.
            Err(problem) if problem.kind() == io::ErrorKind::NotFound || problem.raw_os_error() == Some(3) => continue,
            Err(_) => {
                unseen_count += 1;
                continue;
            }
        };
        let files = deleted_files(&maps);
        if !files.is_empty() && stale.len() < STALE_MAX {
            let name = fs::read_to_string(folder.join("comm")).unwrap_or_default();
            stale.push(StaleProcess { pid, name: name.trim().to_owned(), files });
        }
    }
    (stale, unseen_count)
}

/// The programs and libraries in a `maps` file that were deleted, each once (proc_pid_maps(5)).
pub(super) fn deleted_files(maps: &str) -> Vec<String> {
    let mut files: Vec<String> = maps
        .lines()
        .filter_map(|line| {
            let path = line.strip_suffix(" (deleted)")?;
            let path = path.get(path.find('/')?..)?;
            LIBRARY_FOLDERS.iter().any(|folder| path.starts_with(folder)).then(|| path.to_owned())
        })
        .collect();
    files.sort_unstable();
    files.dedup();
    files.truncate(FILES_MAX);
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(release: &str, version: &str) -> Package {
        Package {
            name: format!("linux-image-{release}"),
            version: version.to_owned(),
            source: Some("linux".to_owned()),
            ..Package::default()
        }
    }

    #[test]
    fn what_runs_is_told_apart_from_what_is_installed() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
        for release in ["6.1.0-18-amd64", "6.1.0-9-amd64", "6.1.0-21-amd64"] {
            write(&format!("boot/vmlinuz-{release}"), "");
        }
        write("proc/42/comm", "nginx\n");
        write(
            "proc/42/maps",
            "7f00-7f01 r-xp 00000000 08:01 12 /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)\n\
             7f01-7f02 r--p 00000000 08:01 12 /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)\n\
             7f02-7f03 rw-s 00000000 00:01 13 /dev/shm/x (deleted)\n7f03-7f04 rw-s 00000000 00:01 14 /memfd:y (deleted)\n\
             7f04-7f05 r-xp 00000000 08:01 15 /usr/lib/x86_64-linux-gnu/libc.so.6\n",
        );
        write("proc/43/maps", "7f04-7f05 r-xp 00000000 08:01 15 /usr/bin/sleep\n");
        let running = running(root.path());
        assert_eq!(running.kernel_waiting.as_deref(), Some("6.1.0-21-amd64"));
        let [process] = running.stale.as_slice() else { panic!("one: {running:?}") };
        assert_eq!((process.pid, process.name.as_str()), (42, "nginx"));
        assert_eq!(process.files, ["/usr/lib/x86_64-linux-gnu/libssl.so.3"]);
        let installed = vec![
            kernel("6.1.0-9-amd64", "6.1.27-1"),
            kernel("6.1.0-18-amd64", "6.1.76-1"),
            kernel("6.1.0-21-amd64", "6.1.90-1"),
        ];
        let counted = without_idle_kernels(installed, &running);
        let versions: Vec<&str> = counted.iter().map(|package| package.version.as_str()).collect();
        assert_eq!(versions, ["6.1.76-1", "6.1.90-1"], "one that neither runs nor is the newest harms nobody");
    }
}
