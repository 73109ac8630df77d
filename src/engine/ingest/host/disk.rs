//! How full and how busy disks are: mounted file systems by `statvfs`, devices by `/proc/diskstats`.
//!
//! File systems of the network are left out: asking a server that is gone would block, and it has its own exporter.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use super::counters::Counters;
use super::{Figure, Meaning, Places};

const USED: Meaning = Meaning::full_at_one("disk_used_ratio");
const INODES: Meaning = Meaning::full_at_one("inodes_used_ratio");
const BUSY: Meaning = Meaning::share("disk_busy_ratio");
/// Milliseconds spent doing I/O, among the columns of `/proc/diskstats`. Source: `Documentation/admin-guide/iostats.rst` of Linux.
const BUSY_COLUMN: usize = 12;

/// Reads what there is.
pub fn read(places: &Places, counters: &mut Counters, figures: &mut Vec<Figure>) {
    let mounts = std::fs::read_to_string(places.proc.join("mounts")).unwrap_or_default();
    for mount in real_mounts(&mounts) {
        let Ok(facts) = statvfs(&mount) else { continue };
        let part = mount.to_string_lossy();
        if let Some(used) = used_ratio(facts.blocks(), facts.blocks_free(), facts.blocks_available()) {
            figures.push(Figure::of_part(USED, "mountpoint", &part, used));
        }
        if let Some(used) = used_ratio(facts.files(), facts.files_free(), facts.files_available()) {
            figures.push(Figure::of_part(INODES, "mountpoint", &part, used));
        }
    }
    let stats = std::fs::read_to_string(places.proc.join("diskstats")).unwrap_or_default();
    for (device, busy_ms) in busy(&stats) {
        let is_whole = places.sys.join("block").join(device).is_dir();
        let is_virtual = ["loop", "ram", "zram", "sr", "dm-", "md"].iter().any(|kind| device.starts_with(kind));
        if !is_whole || is_virtual {
            continue;
        }
        if let Some(rate) = counters.rate(BUSY.metric, device, busy_ms) {
            figures.push(Figure::of_part(BUSY, "device", device, (rate / 1_000.0).clamp(0.0, 1.0)));
        }
    }
}

/// As `df` tells it: what root keeps for itself is neither used nor free.
fn used_ratio(all: u64, free: u64, available: u64) -> Option<f64> {
    let used = all.checked_sub(free)?;
    let usable = used.checked_add(available)?;
    (usable > 0).then(|| used as f64 / usable as f64)
}

/// Mount points of real, writable file systems, each device once; the root of a container counts as one.
fn real_mounts(text: &str) -> Vec<PathBuf> {
    let mut devices = BTreeSet::new();
    let mut found = Vec::new();
    for line in text.lines() {
        let mut columns = line.split(' ');
        let (Some(device), Some(mount), Some(kind), Some(options)) =
            (columns.next(), columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        let is_disk = device.starts_with("/dev/") && !matches!(kind, "squashfs" | "iso9660" | "udf" | "erofs");
        let is_pool = matches!(kind, "zfs" | "btrfs" | "bcachefs");
        let is_container_root = mount == "/" && kind == "overlay";
        let is_writable = options.split(',').any(|option| option == "rw");
        if (is_disk || is_pool || is_container_root) && is_writable && devices.insert(device) {
            found.push(unescape(mount));
        }
    }
    found
}

/// The kernel writes a space in a mount point as `\040`. Source: `fstab(5)`.
fn unescape(mount: &str) -> PathBuf {
    let plain = mount.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\");
    Path::new(&plain).to_owned()
}

fn busy(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        Some((*columns.get(2)?, columns.get(BUSY_COLUMN)?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_file_systems_are_watched_and_each_once() {
        let text = "proc /proc proc rw 0 0\n/dev/sda1 / ext4 rw,relatime 0 0\n/dev/sda1 /var/lib/docker ext4 rw 0 0\n\
                    tmpfs /run tmpfs rw 0 0\n/dev/sdb1 /data\\040old xfs rw 0 0\n/dev/loop3 /snap/x squashfs ro 0 0\n\
                    nas:/home /home nfs4 rw 0 0\n/dev/sr0 /media iso9660 ro 0 0\ntank/db /db zfs rw 0 0\n/dev/sdc1 /ro ext4 ro 0 0\nbroken\n";
        let found: Vec<String> = real_mounts(text).iter().map(|mount| mount.display().to_string()).collect();
        assert_eq!(found, ["/", "/data old", "/db"]);
        assert_eq!(real_mounts("overlay / overlay rw 0 0\noverlay /x overlay rw 0 0\n").len(), 1);
    }

    #[test]
    fn used_is_told_as_df_does() {
        assert_eq!(used_ratio(100, 50, 40), Some(50.0 / 90.0));
        assert_eq!(used_ratio(0, 0, 0), None);
        assert_eq!(used_ratio(10, 20, 20), None);
    }

    #[test]
    fn busy_time_is_the_thirteenth_column() {
        let text = "   8       0 sda 1 2 3 4 5 6 7 8 0 777 9 0 0 0 0\n   7 0 loop0 1\n";
        assert_eq!(busy(text).collect::<Vec<_>>(), [("sda", 777)]);
    }
}
