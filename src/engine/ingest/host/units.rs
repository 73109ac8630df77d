//! The machine's services, by their control groups: a unit that has a group with processes is up, one that had it for a while and has it no
//! longer is down. Source: `Documentation/admin-guide/cgroup-v2.rst` of Linux.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::counters::Counters;
use super::{Figure, Meaning};
use crate::engine::model::{BadWhen, SeriesRole, Unit};

const UP: Meaning = Meaning {
    metric: "unit_up",
    unit: Unit::Boolean,
    role: SeriesRole::Availability,
    bad_when: BadWhen::Low,
    limit: None,
};
const MEMORY: Meaning = Meaning {
    metric: "memory_bytes",
    unit: Unit::Bytes,
    role: SeriesRole::Saturation,
    bad_when: BadWhen::High,
    limit: None,
};
const CPU: Meaning = Meaning {
    metric: "cpu_used_cores",
    unit: Unit::Count,
    role: SeriesRole::Saturation,
    bad_when: BadWhen::High,
    limit: None,
};
const OOM_KILLS: Meaning = Meaning::failures("oom_kills");

/// Where the groups of services are: the unified hierarchy, alone or beside the older one.
const SLICES: [&str; 2] = ["fs/cgroup/system.slice", "fs/cgroup/unified/system.slice"];
/// A unit counts as a service once it was there in this many readings; shorter ones are jobs of a timer that end by themselves.
const SETTLED_READINGS_MIN: u64 = 60;
/// A unit that is down is told for this many readings, then it is taken to be removed.
const DOWN_READINGS_MAX: u64 = 720;
/// Units watched at most.
const UNITS_MAX: usize = 1_000;

/// The units seen.
#[derive(Debug, Default)]
pub struct Units {
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Readings in which it was up, without a break longer than the time a unit is told to be down.
    up_count: u64,
    last_up: u64,
}

impl Units {
    /// Reads what there is; machines without control groups of this kind have none.
    pub fn read(&mut self, sys: &Path, reading: u64, counters: &mut Counters, figures: &mut Vec<Figure>) {
        for (unit, group) in running(sys).into_iter().take(UNITS_MAX) {
            read_group(&unit, &group, counters, figures);
            let seen = self.seen.entry(unit).or_insert(Seen { up_count: 0, last_up: reading });
            seen.up_count += 1;
            seen.last_up = reading;
        }
        self.seen.retain(|_, seen| reading - seen.last_up <= DOWN_READINGS_MAX);
        self.seen.retain(|_, seen| reading == seen.last_up || seen.up_count >= SETTLED_READINGS_MIN);
        for (unit, seen) in self.seen.iter().filter(|(_, seen)| seen.up_count >= SETTLED_READINGS_MIN) {
            let is_up = if seen.last_up == reading { 1.0 } else { 0.0 };
            figures.push(Figure::of_service(UP, unit, is_up));
        }
    }
}

/// Units with at least one process, by name without `.service`.
fn running(sys: &Path) -> BTreeMap<String, PathBuf> {
    let folders = SLICES.iter().filter_map(|slice| std::fs::read_dir(sys.join(slice)).ok()).flatten().flatten();
    folders
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let unit = name.strip_suffix(".service")?.to_owned();
            is_populated(&entry.path()).then(|| (unit, entry.path()))
        })
        .collect()
}

fn is_populated(group: &Path) -> bool {
    let events = std::fs::read_to_string(group.join("cgroup.events")).unwrap_or_default();
    // A group without the file is of an older kind; that it exists is all that is known of it.
    events.is_empty() || field(&events, "populated") == Some(1)
}

fn read_group(unit: &str, group: &Path, counters: &mut Counters, figures: &mut Vec<Figure>) {
    let text = |file: &str| std::fs::read_to_string(group.join(file)).unwrap_or_default();
    if let Ok(bytes) = text("memory.current").trim().parse::<u64>() {
        // `max` is no number and stands for no limit.
        let limit = text("memory.max").trim().parse::<u64>().ok().map(|bytes| bytes as f64);
        figures.push(Figure { limit, ..Figure::of_service(MEMORY, unit, bytes as f64) });
    }
    let used_us = field(&text("cpu.stat"), "usage_usec");
    if let Some(rate) = used_us.and_then(|used_us| counters.rate(CPU.metric, unit, used_us)) {
        figures.push(Figure::of_service(CPU, unit, rate / 1e6));
    }
    let killed = field(&text("memory.events"), "oom_kill");
    if let Some(rate) = killed.and_then(|killed| counters.rate(OOM_KILLS.metric, unit, killed)) {
        figures.push(Figure::of_service(OOM_KILLS, unit, rate));
    }
}

/// The number after `name` in a file of `name value` lines.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn ups(units: &mut Units, sys: &Path, reading: u64) -> Vec<(Option<String>, f64)> {
        let mut figures = Vec::new();
        units.read(sys, reading, &mut Counters::default(), &mut figures);
        figures.into_iter().filter(|figure| figure.meaning == UP).map(|figure| (figure.service, figure.value)).collect()
    }

    #[test]
    fn a_service_that_stops_is_down_and_a_job_that_ends_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let slice = folder.path().join(SLICES[0]);
        let unit = |name: &str| slice.join(name);
        fs::create_dir_all(unit("sshd.service")).unwrap();
        let mut units = Units::default();
        for reading in 1..SETTLED_READINGS_MIN {
            assert!(ups(&mut units, folder.path(), reading).is_empty());
        }
        fs::create_dir_all(unit("apt-daily.service")).unwrap();
        assert_eq!(ups(&mut units, folder.path(), 60), [(Some("sshd".to_owned()), 1.0)]);
        fs::remove_dir(unit("sshd.service")).unwrap();
        fs::remove_dir(unit("apt-daily.service")).unwrap();
        assert_eq!(ups(&mut units, folder.path(), 61), [(Some("sshd".to_owned()), 0.0)]);
        fs::create_dir_all(unit("sshd.service")).unwrap();
        assert_eq!(ups(&mut units, folder.path(), 62), [(Some("sshd".to_owned()), 1.0)]);
        fs::remove_dir(unit("sshd.service")).unwrap();
        assert!(ups(&mut units, folder.path(), 62 + DOWN_READINGS_MAX + 1).is_empty());
    }

    #[test]
    fn a_group_without_processes_is_not_up() {
        let folder = tempfile::tempdir().unwrap();
        let group = folder.path().join(SLICES[1]).join("db.service");
        fs::create_dir_all(&group).unwrap();
        fs::write(group.join("cgroup.events"), "populated 0\nfrozen 0\n").unwrap();
        assert!(running(folder.path()).is_empty());
        fs::write(group.join("cgroup.events"), "populated 1\nfrozen 0\n").unwrap();
        assert_eq!(running(folder.path()).len(), 1);
    }

    #[test]
    fn memory_has_its_groups_limit() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("memory.current"), "1048576\n").unwrap();
        fs::write(folder.path().join("memory.max"), "2097152\n").unwrap();
        let mut figures = Vec::new();
        read_group("db", folder.path(), &mut Counters::default(), &mut figures);
        assert_eq!((figures[0].value, figures[0].limit), (1_048_576.0, Some(2_097_152.0)));
        fs::write(folder.path().join("memory.max"), "max\n").unwrap();
        figures.clear();
        read_group("db", folder.path(), &mut Counters::default(), &mut figures);
        assert_eq!(figures[0].limit, None);
    }
}
