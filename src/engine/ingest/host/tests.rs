//! The whole source over a tree of the kernel's shape, and over this machine.

use std::fs;

use super::*;
use crate::engine::model::SourceState;
use crate::engine::settings::Span;

/// A small machine: 2 processors, 1 disk, 1 network card, 1 unit.
fn machine(root: &Path, round: u64) {
    let files = [
        ("proc/sys/kernel/hostname", "web-7.example.org\n".to_owned()),
        ("proc/stat", format!("cpu  {} 0 0 {} 0 0 0 0 0 0\ncpu0 1\ncpu1 1\n", 30 * round, 70 * round)),
        ("proc/loadavg", "1.50 1.0 0.5 1/100 999\n".to_owned()),
        ("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 250 kB\nSwapTotal: 100 kB\nSwapFree: 90 kB\n".to_owned()),
        ("proc/mounts", "/dev/vda / ext4 rw 0 0\n".to_owned()),
        ("proc/diskstats", format!("8 0 vda 1 2 3 4 5 6 7 8 0 {round} 9\n8 1 vda1 1 2 3 4 5 6 7 8 0 1 9\n")),
        ("sys/block/vda/size", "1".to_owned()),
        ("proc/net/dev", format!("eth0: {0} 1 0 0 0 0 0 0 {0} 1 0 0 0 0 0 0\n", 1_000 * round)),
        ("proc/pressure/cpu", format!("some avg10=0 avg60=0 avg300=0 total={round}\n")),
        ("sys/fs/cgroup/system.slice/db.service/memory.current", "4096\n".to_owned()),
        ("sys/fs/cgroup/system.slice/db.service/memory.events", format!("oom 0\noom_kill {round}\n")),
    ];
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn source(root: &Path) -> HostSource {
    HostSource::new(&HostSettings { enabled: true, interval: Span(5_000), proc_root: root.join("proc") })
}

/// The series by metric and service, with the last value of each.
fn values(signals: &[Signal], known: &mut BTreeMap<u32, SeriesDescriptor>) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::new();
    for signal in signals {
        match signal {
            Signal::Series(notice) => {
                known.insert(notice.local, notice.descriptor.clone());
            }
            Signal::Samples(batch) => {
                values.extend(batch.samples.iter().map(|sample| {
                    let descriptor = &known[&sample.local];
                    (format!("{}/{}", descriptor.service, descriptor.metric), sample.value)
                }));
            }
            _ => {}
        }
    }
    values
}

fn last_report(signals: &[Signal]) -> &crate::engine::model::SourceReport {
    match signals.last() {
        Some(Signal::Source(report)) => report,
        other => panic!("no report at the end: {other:?}"),
    }
}

#[test]
fn a_machine_is_told_in_full_from_the_second_reading_on() {
    let folder = tempfile::tempdir().unwrap();
    machine(folder.path(), 1);
    let mut reader = Reader::new(&source(folder.path()));
    let mut known = BTreeMap::new();
    values(&reader.read(Timestamp(1_000)), &mut known);
    machine(folder.path(), 2);
    let signals = reader.read(Timestamp(6_000));
    let values = values(&signals, &mut known);
    for (name, value) in
        [("cpu_busy_ratio", 0.3), ("load_per_core", 0.75), ("memory_used_ratio", 0.75), ("swap_used_ratio", 0.1)]
    {
        let found = values[&format!("web-7/{name}")];
        assert!((found - value).abs() < 1e-9, "{name}: {found}");
    }
    for name in
        ["disk_used_ratio", "disk_busy_ratio", "network_rx_bytes_per_second", "network_tx_drops", "cpu_pressure_ratio"]
    {
        assert!(values.contains_key(&format!("web-7/{name}")), "{name}: {values:?}");
    }
    let unlisted = known.values().find(|descriptor| !METRICS.contains(&descriptor.metric.as_ref()));
    assert!(unlisted.is_none(), "{unlisted:?}");
    assert!(values["db/oom_kills"] > 0.0);
    assert_eq!(values["db/memory_bytes"], 4_096.0);
    let disk = known.values().find(|descriptor| &*descriptor.metric == "disk_used_ratio").unwrap();
    assert_eq!((disk.limit, disk.labels.get("mountpoint")), (Some(1.0), Some("/")));
    let report = last_report(&signals);
    assert_eq!((&report.state, report.counter_reset_count), (&SourceState::Healthy, 0));
    assert_eq!(usize::try_from(report.series_count).unwrap(), known.len());
}

#[test]
fn counters_that_go_back_are_counted_and_make_no_negative_rate() {
    let folder = tempfile::tempdir().unwrap();
    machine(folder.path(), 9);
    let mut reader = Reader::new(&source(folder.path()));
    let mut known = BTreeMap::new();
    values(&reader.read(Timestamp(1_000)), &mut known);
    machine(folder.path(), 1);
    let signals = reader.read(Timestamp(6_000));
    assert!(values(&signals, &mut known).values().all(|value| *value >= 0.0));
    assert!(last_report(&signals).counter_reset_count >= 5);
}

#[test]
fn a_clock_set_back_gives_no_samples_of_the_past() {
    let folder = tempfile::tempdir().unwrap();
    machine(folder.path(), 1);
    let mut reader = Reader::new(&source(folder.path()));
    reader.read(Timestamp(10_000));
    let signals = reader.read(Timestamp(5_000));
    assert!(!signals.iter().any(|signal| matches!(signal, Signal::Samples(_))));
    assert!(last_report(&signals).dropped[&DropReason::Late] > 0);
}

#[test]
fn a_machine_without_figures_is_down_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = Reader::new(&source(folder.path()));
    let signals = reader.read(Timestamp(1_000));
    let SourceState::Down { reason, .. } = &last_report(&signals).state else { panic!() };
    assert!(reason.contains("proc/stat") && reason.contains("[host]"), "{reason}");
}

#[test]
fn what_goes_away_is_counted_as_gone() {
    let folder = tempfile::tempdir().unwrap();
    machine(folder.path(), 1);
    let mut reader = Reader::new(&source(folder.path()));
    reader.read(Timestamp(1_000));
    fs::remove_dir_all(folder.path().join("sys/fs/cgroup")).unwrap();
    for at in 2..5 {
        reader.read(Timestamp(at * 1_000));
    }
    assert_eq!(reader.health.report().vanished_series_count, 1);
}

#[tokio::test]
async fn this_machine_can_be_watched_and_the_source_stopped() {
    let source = Box::new(HostSource::new(&HostSettings::default()));
    let (sink, mut receiver) = SignalSink::channel();
    let (switch, stop) = StopSignal::pair();
    let running = tokio::spawn(source.run(sink, stop));
    let mut metrics = Vec::new();
    while let Some(signal) = receiver.recv().await {
        match signal {
            Signal::Series(notice) => metrics.push(notice.descriptor.metric.to_string()),
            Signal::Source(report) if report.kind == SourceKind::Host => {
                assert_eq!(report.state, SourceState::Healthy);
                break;
            }
            _ => {}
        }
    }
    assert!(metrics.contains(&"memory_used_ratio".to_owned()), "{metrics:?}");
    switch.stop();
    running.await.unwrap();
}
