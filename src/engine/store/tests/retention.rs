//! What is let go and what stays, and by which clock.

use std::fs::File;
use std::time::Duration;

use super::*;
use crate::engine::clock::{DAY_MS, HOUR_MS};
use crate::engine::limits::ENDED_INCIDENTS_MAX;
use crate::engine::model::{Incident, IncidentState, RolloutId, RolloutTarget, RunSubject};
use crate::engine::patches::exceptions::{ExceptionKind, PatchException, Reach, Subject, Withdrawal};
use crate::engine::patches::rollout::{KeptRollout, Need, PlanRules, Rollout, RolloutEnd, RolloutState, plan};
use crate::engine::settings::{PatchSettings, StoreSettings};

const NOW: Timestamp = Timestamp(1_794_925_800_000);

fn days_ago(days: i64) -> Timestamp {
    NOW - days * DAY_MS
}

fn incident(id: u64, days: i64, state: IncidentState) -> Incident {
    let at = days_ago(days);
    Incident { state, updated_at: at, ..Incident::opened(IncidentId(id), at, at) }
}

#[test]
fn what_is_over_goes_with_its_parts_and_what_belongs_to_a_live_one_stays() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let over = IncidentState::Resolved;
    let mut incidents = vec![
        incident(1, 500, over),
        // Became a part of 4, which is live; 3 was split from 5, which is over.
        Incident { merged_into: Some(IncidentId(4)), ..incident(2, 500, over) },
        Incident { split_from: Some(IncidentId(5)), ..incident(3, 450, IncidentState::Open) },
        incident(4, 450, IncidentState::Open),
        incident(5, 500, over),
        incident(6, 300, over),
        incident(7, 500, over),
    ];
    incidents[3].changes.insert(ChangeId(1));
    let mut records: Vec<Record> = incidents.into_iter().map(Record::Incident).collect();
    for id in 1..=3 {
        let Record::Change(mut change) = change(id) else { panic!("it is a change") };
        change.notice.at = days_ago(500);
        records.push(Record::Change(change));
    }
    for (id, of) in [(1, 1), (2, 4), (3, 1)] {
        let Record::Run(mut run) = run(id, 0.25) else { panic!("it is a run") };
        run.subject = IncidentId(of).into();
        records.push(Record::Run(run));
    }
    store.write(&records, true).unwrap();
    let settings = StoreSettings::default();
    assert_eq!(store.forget(&settings, NOW).unwrap(), 3, "an incident, a run, a change");
    let ids = |stored: &Stored| stored.incidents.iter().map(|it| it.id.0).collect::<Vec<_>>();
    let stored = store.load().unwrap();
    assert_eq!(ids(&stored), [2, 3, 4, 5, 6, 7], "7 is the last, by which numbers go on");
    assert_eq!(stored.changes.iter().map(|it| it.id.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(stored.runs.iter().map(|it| it.id.0).collect::<Vec<_>>(), [2, 3]);
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert!(store.loss().is_none() && store.notices().is_empty(), "{:?}", store.notices());
    assert_eq!(store.load().unwrap().next.incident, 8);
}

#[test]
fn a_store_that_is_written_anew_is_the_same_and_shorter() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    for round in 0..60_u8 {
        let bytes = vec![round; 200_000];
        store.write(&[Record::Templates(bytes), audit(u64::from(round) + 1, "entry")], true).unwrap();
    }
    store.write(&sample_records()[1..], true).unwrap();
    let (before, bytes) = (store.load().unwrap(), store.size_bytes().unwrap());
    let settings = StoreSettings { size_max_mib: 1, ..StoreSettings::default() };
    assert!(store.is_large(&settings).unwrap() && !store.is_large(&StoreSettings::default()).unwrap());
    let store = store.shorten(&settings, None).unwrap();
    assert_eq!(store.load().unwrap(), before);
    assert!(store.size_bytes().unwrap() < bytes, "{bytes} bytes before, {} after", store.size_bytes().unwrap());
    assert!(store.loss().is_none() && audit_file::check(folder.path(), &[]).unwrap().is_whole());
    store.write(&[audit(61, "goes on")], true).unwrap();
    drop(store);
    assert!(!folder.path().join("set-aside").exists() && !folder.path().join("outgoing").exists());
    assert_eq!(Store::open(folder.path()).unwrap().load().unwrap().next.audit, 62);
}

#[test]
fn what_is_over_does_not_go_for_room_that_it_does_not_have() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let over = IncidentState::Resolved;
    let incidents = [incident(1, 120, over), incident(2, 30, over), incident(3, 1, over)].map(Record::Incident);
    store.write(&incidents, true).unwrap();
    // Of nothing that is over.
    store.write(&[Record::Templates(vec![7; 4 << 20]), audit(1, "one")], true).unwrap();
    let settings = StoreSettings { size_max_mib: 1, ..StoreSettings::default() };
    let store = store.shorten(&settings, Some(NOW)).unwrap();
    assert!(store.is_large(&settings).unwrap());
    let left: Vec<u64> = store.load().unwrap().incidents.iter().map(|it| it.id.0).collect();
    assert_eq!(left, [2, 3], "one try shows that it does not help");
    // The audit log has its own room, and nothing else goes for it.
    let roomy = StoreSettings { size_max_mib: 64, ..StoreSettings::default() };
    let file = File::create(folder.path().join(audit_file::LOG_FILE)).unwrap();
    file.set_len(80 << 20).unwrap();
    assert!(store.size_bytes().unwrap() > roomy.size_max() && !store.is_large(&roomy).unwrap());
}

#[test]
fn rollouts_that_are_over_go_with_their_runs_and_exceptions_go_after_their_end() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let mut records = Vec::new();
    // A step of 4 may have been left under way.
    for (id, ended_days_ago) in [(1, Some(500)), (2, None), (3, Some(300)), (4, Some(500)), (5, Some(500))] {
        records.push(Record::Rollout(Arc::new(rollout(id, ended_days_ago))));
        let Record::Run(mut run) = run(id, 0.25) else { panic!("it is a run") };
        run.subject = RunSubject::Rollout(RolloutTarget { rollout: RolloutId(id), asset: "web-1".into() });
        run.state = if id == 4 { RunState::Interrupted } else { RunState::Succeeded };
        records.push(Record::Run(run));
    }
    let exceptions = [
        exception(1, 500, None),
        exception(2, -1, None),
        exception(3, -1, Some(500)),
        exception(4, 300, Some(500)),
        exception(5, 500, None),
    ];
    records.extend(exceptions.map(Record::PatchException));
    store.write(&records, true).unwrap();
    assert_eq!(store.forget(&StoreSettings::default(), NOW).unwrap(), 5);
    let stored = store.load().unwrap();
    // The last of each stays, by which numbers go on.
    assert_eq!(stored.rollouts.iter().map(|it| it.rollout.id.0).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert_eq!(stored.runs.iter().map(|it| it.id.0).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert_eq!(stored.exceptions.iter().map(|it| it.number).collect::<Vec<_>>(), [2, 5]);
    assert_eq!(stored.next.rollout, 6);
}

fn rollout(id: u64, ended_days_ago: Option<i64>) -> KeptRollout {
    let need = Need {
        source: "curl".to_owned(),
        fix_version: None,
        advisories: Vec::new(),
        band: None,
        is_known_exploited: false,
        candidates: Vec::new(),
        fleet: BTreeMap::new(),
    };
    let rules = PlanRules::new(&PatchSettings::default(), "").unwrap();
    let mut rollout = Rollout::new(RolloutId(id), plan(&need, &rules, days_ago(600)), days_ago(600));
    if let Some(days) = ended_days_ago {
        rollout.state =
            RolloutState::Ended { end: RolloutEnd::Done, why: "all are patched".to_owned(), at: days_ago(days) };
    }
    KeptRollout::new(rollout)
}

/// One that ends, or ended, so many days ago, and was withdrawn before that where it was.
fn exception(number: u64, until_days_ago: i64, withdrawn_days_ago: Option<i64>) -> PatchException {
    let by: Arc<str> = Arc::from("ana");
    PatchException {
        number,
        kind: ExceptionKind::Deferred,
        subject: Subject::Package(Arc::from("curl")),
        reach: Reach::Everywhere,
        owner: Arc::clone(&by),
        reason: Arc::from("the vendor tests it"),
        made_at: days_ago(600),
        made_by: Arc::clone(&by),
        until: days_ago(until_days_ago),
        withdrawn: withdrawn_days_ago.map(|days| Withdrawal {
            at: days_ago(days),
            by,
            reason: Arc::from("it is tested"),
        }),
    }
}

#[test]
fn of_incidents_that_are_over_the_newest_are_read_and_every_live_one_and_runs_in_their_order() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let last = ENDED_INCIDENTS_MAX as u64 + 40;
    let state = |id| match id % 60 {
        7 => [IncidentState::Open, IncidentState::Acknowledged, IncidentState::Mitigated, IncidentState::Reopened]
            [usize::try_from(id / 60).unwrap()],
        _ => IncidentState::Resolved,
    };
    let mut records: Vec<Record> = (1..=last).map(|id| Record::Incident(incident(id, 1, state(id)))).collect();
    // More than are decoded at a time.
    records.extend((1..=4_321).map(|id| run(id, 0.25)));
    store.write(&records, true).unwrap();
    let stored = store.load().unwrap();
    let over_from = last + 1
        - (1..=last)
            .rev()
            .scan(0, |over, id| {
                *over += usize::from(!state(id).is_live());
                (*over <= ENDED_INCIDENTS_MAX).then_some(id)
            })
            .count() as u64;
    let expected: Vec<u64> = (1..=last).filter(|id| state(*id).is_live() || *id >= over_from).collect();
    assert_eq!(stored.incidents.iter().map(|it| it.id.0).collect::<Vec<_>>(), expected);
    assert!(stored.incidents.len() == ENDED_INCIDENTS_MAX + 4 && expected.contains(&7), "{expected:?}");
    assert!(stored.runs.iter().map(|it| it.id.0).eq(1..=4_321), "{}", stored.runs.len());
}

#[test]
fn a_clock_that_jumped_lets_nothing_go_until_it_has_stood_for_an_hour() {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let mut clock = SettledClock::new(NOW);
    assert_eq!(clock.look(NOW + HOUR_MS, minutes(0)), Some(NOW + HOUR_MS));
    // A year ahead.
    let ahead = NOW + 365 * DAY_MS;
    assert_eq!(clock.look(ahead, minutes(1)), None);
    assert_eq!(clock.look(ahead + HOUR_MS / 2, minutes(31)), None);
    // And back again: what it said meanwhile counts for nothing.
    assert_eq!(clock.look(NOW + 2 * HOUR_MS, minutes(40)), Some(NOW + 2 * HOUR_MS));
    assert_eq!(clock.look(ahead, minutes(41)), None);
    assert_eq!(clock.look(ahead + HOUR_MS - 1, minutes(100)), None);
    assert_eq!(clock.look(ahead + HOUR_MS, minutes(101)), Some(ahead + HOUR_MS), "the machine was off for a year");
    // Back by a year lets less go than ever.
    assert_eq!(clock.look(NOW, minutes(102)), Some(NOW));
}
