//! A bare machine: what its source tells leads to runbooks that can be walked on that machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::ingest::host::HostSource;
use hypocenter::engine::ingest::{SignalSink, Source as _, StopSignal};
use hypocenter::engine::model::{
    BadWhen, CauseKind, Direction, Incident, MetricGoal, Ranking, SeriesDescriptor, SeriesRole, Severity, Signal,
    SourceKind, StepKind, Unit,
};
use hypocenter::engine::root_cause::rank;
use hypocenter::engine::runbooks::{Library, propose};
use hypocenter::engine::settings::{CorrelationSettings, HostSettings, Span};
use hypocenter::engine::world::World;

use crate::fixtures;

/// A machine `web-7` with one disk and one unit, `db`, as the kernel shows it.
fn machine(root: &Path, round: u64) {
    let files = [
        ("proc/sys/kernel/hostname", "web-7\n".to_owned()),
        ("proc/stat", format!("cpu  {} 0 0 {} 0 0 0 0 0 0\ncpu0 1\n", 30 * round, 70 * round)),
        ("proc/loadavg", "1.50 1.0 0.5 1/100 999\n".to_owned()),
        ("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 250 kB\nSwapTotal: 100 kB\nSwapFree: 90 kB\n".to_owned()),
        ("proc/mounts", "/dev/vda / ext4 rw 0 0\n".to_owned()),
        ("proc/diskstats", format!("8 0 vda 1 2 3 4 5 6 7 8 0 {round} 9\n")),
        ("sys/block/vda/size", "1".to_owned()),
        ("proc/pressure/cpu", format!("some avg10=0 avg60=0 avg300=0 total={round}\n")),
        ("proc/pressure/memory", format!("some avg10=0 avg60=0 avg300=0 total={round}\n")),
        ("sys/fs/cgroup/system.slice/db.service/memory.current", "4096\n".to_owned()),
        ("sys/fs/cgroup/system.slice/db.service/memory.events", format!("oom 0\noom_kill {round}\n")),
    ];
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Every series that the source tells of that machine, by metric.
async fn told() -> BTreeMap<String, SeriesDescriptor> {
    let folder = tempfile::tempdir().unwrap();
    machine(folder.path(), 1);
    let settings = HostSettings { enabled: true, interval: Span(1_000), proc_root: folder.path().join("proc") };
    let (sink, mut receiver) = SignalSink::channel();
    let (switch, stop) = StopSignal::pair();
    let running = tokio::spawn(Box::new(HostSource::new(&settings)).run(sink, stop));
    let mut told = BTreeMap::new();
    // Rates need a second reading, and each reading ends with a report.
    let mut reading_count = 0;
    while reading_count < 2 {
        match receiver.recv().await.unwrap() {
            Signal::Series(notice) => drop(told.insert(notice.descriptor.metric.to_string(), notice.descriptor)),
            Signal::Source(report) if report.kind == SourceKind::Host => {
                reading_count += 1;
                machine(folder.path(), 2);
            }
            _ => {}
        }
    }
    switch.stop();
    running.await.unwrap();
    // A unit counts as a service only after many readings.
    let mut up = told["memory_bytes"].clone();
    (up.metric, up.unit, up.role, up.bad_when) =
        ("unit_up".into(), Unit::Boolean, SeriesRole::Availability, BadWhen::Low);
    told.insert("unit_up".to_owned(), up);
    told
}

/// A world in which these series depart, and the incident that they make, ranked.
fn departs(series: &[&SeriesDescriptor]) -> (World, Incident) {
    let mut world = World::default();
    let mut incident = Incident {
        services: BTreeMap::new(),
        anomalies: BTreeSet::new(),
        changes: BTreeSet::new(),
        ranking: Ranking::default(),
        runs: Vec::new(),
        ..fixtures::incident()
    };
    for (id, descriptor) in (1..).zip(series) {
        let mut anomaly = fixtures::anomaly(id, descriptor.service.as_str(), &descriptor.metric, Severity::Critical);
        (anomaly.unit, anomaly.role) = (descriptor.unit, descriptor.role);
        (anomaly.value, anomaly.peak_value) = (0.97, 0.97);
        if descriptor.bad_when == BadWhen::Low {
            (anomaly.value, anomaly.peak_value, anomaly.direction) = (0.0, 0.0, Direction::Below);
        }
        incident.anomalies.insert(anomaly.id);
        incident.services.insert(anomaly.service.clone(), anomaly.started_at);
        world.machines.insert(anomaly.service.clone());
        world.anomalies.insert(anomaly.id, Arc::new(anomaly));
    }
    incident.ranking = rank(&world, &incident, &CorrelationSettings::default(), Timestamp(0));
    (world, incident)
}

#[tokio::test]
async fn each_failure_of_a_machine_leads_to_a_runbook_that_can_be_walked_there() {
    let told = told().await;
    let library = Library::shipped();
    let mut offered = BTreeSet::new();
    for (metric, kind, wanted) in [
        ("disk_used_ratio", CauseKind::DiskFull, Some("free-machine-disk")),
        ("memory_used_ratio", CauseKind::MemoryLeak, Some("find-memory")),
        ("swap_used_ratio", CauseKind::MemoryLeak, Some("find-memory")),
        ("memory_pressure_ratio", CauseKind::MemoryLeak, Some("find-memory")),
        ("cpu_busy_ratio", CauseKind::CpuSaturation, Some("find-cpu")),
        ("load_per_core", CauseKind::CpuSaturation, Some("find-cpu")),
        ("cpu_pressure_ratio", CauseKind::CpuSaturation, Some("find-cpu")),
        ("unit_up", CauseKind::Unavailable, Some("restart-unit")),
        ("oom_kills", CauseKind::InternalErrors, Some("restart-unit")),
        ("memory_bytes", CauseKind::MemoryLeak, Some("restart-unit")),
        ("disk_busy_ratio", CauseKind::Unknown, None),
    ] {
        let series = told.get(metric).unwrap_or_else(|| panic!("{metric}: {told:?}"));
        let (world, incident) = departs(&[series]);
        let lead = &incident.ranking.hypotheses[0];
        assert_eq!((lead.kind, &lead.service), (kind, &series.service), "{metric}");
        let proposals = propose(&library, &world, &incident);
        let ids: Vec<&str> = proposals.iter().map(|proposal| proposal.runbook.id.as_ref()).collect();
        assert_eq!(ids, wanted.into_iter().collect::<Vec<_>>(), "{metric}");
        for step in proposals.iter().flat_map(|proposal| &proposal.steps) {
            let StepKind::Verify { goal: MetricGoal { metric: seen, service, .. }, .. } = &step.spec.kind else {
                continue;
            };
            let is_told = told.get(seen.as_ref()).is_some_and(|series| series.service.as_str() == service.as_ref());
            assert!(is_told, "{metric}: {seen} of {service} is never told");
        }
        offered.extend(wanted);
    }
    assert_eq!(offered, ["find-cpu", "find-memory", "free-machine-disk", "restart-unit"].into());
}

#[tokio::test]
async fn a_machine_short_of_memory_that_ends_a_unit_offers_both_to_look_and_to_restart_that_unit() {
    let told = told().await;
    let (world, incident) = departs(&[&told["memory_used_ratio"], &told["oom_kills"]]);
    let proposals = propose(&Library::shipped(), &world, &incident);
    let params: BTreeMap<&str, String> = proposals
        .iter()
        .map(|proposal| (proposal.runbook.id.as_ref(), proposal.params.values().map(AsRef::as_ref).collect()))
        .collect();
    let wanted = [("find-memory", "web-7".to_owned()), ("restart-unit", "db".to_owned())];
    assert_eq!(params, wanted.into());
}
