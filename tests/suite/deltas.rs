//! Pictures as they cross a socket: what a console puts together is what the engine has, whatever it skipped; damage is refused.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use hypocenter::engine::attach::delta::{Delta, DeltaProblem, diff};
use hypocenter::engine::attach::frame::Frame;
use hypocenter::engine::attach::message::{FromConsole, FromEngine};
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::demo::headless::{self, Approve, Drill};
use hypocenter::engine::demo::scenarios;
use hypocenter::engine::model::{IncidentId, SeriesRole, Severity, Topology, Unit, Vital};
use hypocenter::engine::snapshot::{Replaying, Snapshot};
use proptest::prelude::*;

use crate::fixtures;

/// The bytes of what makes `to` of `from`.
fn sent(from: &Snapshot, to: &Snapshot) -> Vec<u8> {
    diff(from, to).encode().unwrap()
}

/// The picture that `bytes` make of `held`.
fn put_together(held: &Snapshot, bytes: &[u8]) -> Snapshot {
    Delta::decode(bytes).unwrap().apply(held).unwrap()
}

/// All of a picture, byte by byte: also where a number is none, which is unequal to itself.
fn written(snapshot: &Snapshot) -> Vec<u8> {
    postcard::to_stdvec(snapshot).unwrap()
}

/// A console: what it was sent last, as the engine has it, and what it has put together.
struct Console {
    /// It takes every so many pictures.
    every: usize,
    sent: Arc<Snapshot>,
    held: Snapshot,
    byte_count: usize,
    picture_count: usize,
}

impl Console {
    fn new(every: usize) -> Self {
        let nothing = Snapshot::empty();
        Self { every, sent: Arc::new(nothing.clone()), held: nothing, byte_count: 0, picture_count: 0 }
    }

    fn take(&mut self, picture: &Arc<Snapshot>) {
        let bytes = sent(&self.sent, picture);
        self.held = put_together(&self.held, &bytes);
        assert_eq!(self.held, **picture, "after {} pictures", self.picture_count);
        self.sent = Arc::clone(picture);
        self.byte_count += bytes.len();
        self.picture_count += 1;
    }
}

#[test]
fn consoles_that_skip_pictures_of_a_drill_all_hold_the_newest() {
    for name in ["firewall-rule", "memory-leak"] {
        let scenario = scenarios::find(name).unwrap();
        let drill =
            Drill { lasts_ms: 12 * 60_000, ..Drill::new(scenario, 3, Timestamp(1_794_925_800_000), Approve::All) };
        let mut consoles = [1, 3, 41].map(Console::new);
        let (mut count, mut whole_bytes, mut runs) = (0, 0, 0);
        let played = headless::watch(&drill, &mut |_| {}, &mut |picture| {
            for console in consoles.iter_mut().filter(|console| count % console.every == 0) {
                console.take(picture);
            }
            if count % 60 == 0 {
                whole_bytes = whole_bytes.max(sent(&Snapshot::empty(), picture).len());
                // Nothing has changed.
                assert!(sent(picture, picture).len() < 64);
            }
            runs = runs.max(picture.runs.len());
            count += 1;
        })
        .unwrap();
        for console in &mut consoles {
            console.take(&played.snapshot);
        }
        let [all, ..] = &consoles;
        let mean = all.byte_count / all.picture_count;
        println!("{name}: {count} pictures, whole {whole_bytes} bytes, a change {mean} bytes on the mean, {runs} runs");
        assert!(count > 200 && runs > 0, "{name}: {count} pictures, {runs} runs");
        assert!(mean * 4 < whole_bytes, "{name}: a change has {mean} bytes of {whole_bytes}");
    }
}

/// Pictures that differ in everything, each made once.
fn pictures() -> &'static [Snapshot] {
    static ALL: OnceLock<Vec<Snapshot>> = OnceLock::new();
    ALL.get_or_init(|| {
        vec![
            Snapshot::empty(),
            fixtures::loading(),
            fixtures::backfilling(),
            fixtures::live(),
            fixtures::watching(),
            fixtures::stale(),
            fixtures::error(),
            fixtures::untold(),
            fixtures::hostile(),
        ]
    })
}

fn vitals(count: u32) -> Arc<Vec<Vital>> {
    let vital = |index: u32| Vital {
        service: format!("service-{:04}", index / 4).as_str().into(),
        metric: ["error_ratio", "request_rate", "p99", "cpu"][index as usize % 4].into(),
        role: SeriesRole::Errors,
        unit: Unit::Ratio,
        series_count: 3,
        low: f64::from(index) / 7.0,
        high: f64::from(index) / 3.0,
        usual: None,
        limit: Some(1.0),
        at: fixtures::now(),
    };
    Arc::new((0..count).map(vital).collect())
}

#[test]
fn any_picture_comes_of_any_other() {
    for from in pictures() {
        for to in pictures() {
            assert_eq!(put_together(from, &sent(from, to)), *to);
        }
    }
}

#[test]
fn a_big_picture_that_stays_costs_a_few_bytes_and_one_change_its_own_size() {
    let mut storm = fixtures::storm();
    storm.vitals = vitals(20_000);
    let whole = sent(&Snapshot::empty(), &storm).len();
    assert!(sent(&storm, &storm).len() < 64);
    // Also where nothing is shared in memory, as after a connection of its own.
    let copy = put_together(&Snapshot::empty(), &sent(&Snapshot::empty(), &storm));
    assert_eq!(copy, storm);
    assert!(sent(&copy, &storm).len() < 64);
    let mut newer = storm.clone();
    newer.revision += 1;
    Arc::make_mut(&mut newer.anomalies[5_000]).severity = Severity::Info;
    let one = sent(&storm, &newer);
    println!("whole {whole} bytes, one of 10,000 anomalies {} bytes", one.len());
    assert!(one.len() < 600, "{}", one.len());
    assert_eq!(put_together(&copy, &one), newer);
    // The worst goes to the front, and those between move by one.
    let mut sorted = newer.clone();
    sorted.anomalies[..=7_000].rotate_right(1);
    let moved = sent(&newer, &sorted);
    assert!(moved.len() < 80, "{}", moved.len());
    assert_eq!(put_together(&newer, &moved), sorted);
}

/// What may be done to a picture.
#[derive(Debug, Clone)]
enum Edit {
    Reverse,
    Rotate(usize),
    Double(usize),
    Remove(usize),
    Clear,
    /// Another equal thing in its place.
    Copy(usize),
    /// Changes things, as values of `f64` among them may be.
    Change(usize, f64),
    Append(usize),
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let numbers = prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-0.0), -1e9..1e9];
    prop_oneof![
        Just(Edit::Reverse),
        any::<usize>().prop_map(Edit::Rotate),
        any::<usize>().prop_map(Edit::Double),
        any::<usize>().prop_map(Edit::Remove),
        Just(Edit::Clear),
        any::<usize>().prop_map(Edit::Copy),
        (any::<usize>(), numbers).prop_map(|(at, number)| Edit::Change(at, number)),
        any::<usize>().prop_map(Edit::Append),
    ]
}

/// Does an edit to a list; `change` changes one thing, `other` is where things to append are from.
fn edit<T: Clone>(list: &mut Vec<Arc<T>>, edit: &Edit, other: &[Arc<T>], change: impl Fn(&mut T, f64)) {
    let length = list.len();
    let place = |at: &usize| at % length.max(1);
    match edit {
        Edit::Reverse => list.reverse(),
        Edit::Rotate(at) if length > 0 => list.rotate_left(place(at)),
        Edit::Double(at) if length > 0 => list.insert(place(&at.rotate_left(7)), Arc::clone(&list[place(at)])),
        Edit::Remove(at) if length > 0 => drop(list.remove(place(at))),
        Edit::Clear => list.clear(),
        Edit::Copy(at) if length > 0 => list[place(at)] = Arc::new(T::clone(&list[place(at)])),
        Edit::Change(at, number) if length > 0 => change(Arc::make_mut(&mut list[place(at)]), *number),
        Edit::Append(at) if !other.is_empty() => list.push(Arc::clone(&other[at % other.len()])),
        _ => {}
    }
}

/// Does an edit somewhere in a picture.
fn edit_picture(snapshot: &mut Snapshot, field: usize, what: &Edit, other: &Snapshot) {
    snapshot.revision += 1;
    snapshot.at = snapshot.at + 1;
    let number = if let Edit::Change(_, number) = what { *number } else { 0.5 };
    match field % 16 {
        0 => edit(&mut snapshot.sources, what, &other.sources, |it, _| it.accepted_count += 1),
        1 => edit(&mut snapshot.incidents, what, &other.incidents, |it, _| it.title = "another".into()),
        2 => edit(&mut snapshot.anomalies, what, &other.anomalies, |it, number| it.value = number),
        3 => edit(&mut snapshot.alerts, what, &other.alerts, |it, _| it.notice.name = "Other".into()),
        4 => edit(&mut snapshot.changes, what, &other.changes, |it, _| it.notice.title = "other".into()),
        5 => edit(&mut snapshot.runs, what, &other.runs, |it, _| it.steps.reverse()),
        6 => edit(&mut snapshot.audit, what, &other.audit, |it, _| it.sequence += 1),
        7 => edit(&mut snapshot.documents, what, &other.documents, |it, _| it.text = "other".into()),
        8 => edit(&mut snapshot.rollouts, what, &other.rollouts, |it, _| it.rollout.failures += 1),
        9 => edit(&mut snapshot.patch_exceptions, what, &other.patch_exceptions, |it, _| it.number += 1),
        10 => {
            let id = IncidentId(number.to_bits() % 4);
            let list = snapshot.proposals.entry(id).or_default();
            let others: Vec<_> = other.proposals.values().flatten().cloned().collect();
            edit(list, what, &others, |it, _| it.runbook = Arc::clone(&it.runbook));
            if matches!(what, Edit::Remove(_)) {
                snapshot.proposals.remove(&id);
            }
        }
        11 => {
            snapshot.topology = if number > 0.0 { Arc::clone(&other.topology) } else { Arc::new(Topology::default()) }
        }
        12 => {
            let mut all = vitals(5).as_ref().clone();
            all[2].high = number;
            snapshot.vitals = Arc::new(all);
        }
        13 => snapshot.replay = Some(Replaying { speed: number, is_over: false }),
        14 => {
            snapshot.counts.sample_count += 1;
            snapshot.patches = Arc::clone(&other.patches);
            snapshot.agenda = Arc::clone(&other.agenda);
            snapshot.kill = other.kill.clone();
        }
        _ => {
            snapshot.updates_due = BTreeMap::from([(IncidentId(1), Timestamp(number.to_bits() as i64))]);
            snapshot.predictions.reverse();
            snapshot.compounds = other.compounds.clone();
            snapshot.suppression_rules = other.suppression_rules.clone();
            snapshot.warnings = other.warnings.clone();
            snapshot.misfits = other.misfits.clone();
            snapshot.kind_guesses = other.kind_guesses.clone();
            snapshot.outbox = other.outbox.clone();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_console_follows_any_edits(
        first in 0usize..9,
        steps in prop::collection::vec((any::<usize>(), any_edit(), 0usize..9, any::<bool>()), 1..24),
    ) {
        let mut newest = pictures()[first].clone();
        let mut last = newest.clone();
        let mut held = put_together(&Snapshot::empty(), &sent(&Snapshot::empty(), &newest));
        for (field, what, other, is_taken) in steps {
            edit_picture(&mut newest, field, &what, &pictures()[other]);
            if is_taken {
                held = put_together(&held, &sent(&last, &newest));
                prop_assert!(held == newest || written(&held) == written(&newest), "{:?} of field {}", what, field % 16);
                last = newest.clone();
            }
        }
        held = put_together(&held, &sent(&last, &newest));
        prop_assert!(held == newest || written(&held) == written(&newest));
    }

    #[test]
    fn bytes_that_are_no_delta_are_refused_and_nothing_panics(
        bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..600)
    ) {
        if let Ok(delta) = Delta::decode(&bytes) {
            let _refused_or_not = delta.apply(&Snapshot::empty());
        }
        for kind in [bytes.first().copied().unwrap_or_default(), 1, 2, 5, 128, 129, 130, 131, 134] {
            let frame = Frame { kind, body: bytes.clone() };
            let _console = FromConsole::read(&frame);
            let _engine = FromEngine::read(&frame);
        }
    }

    #[test]
    fn a_damaged_delta_is_refused_or_still_makes_a_picture(
        from in 0usize..9,
        to in 0usize..9,
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        is_cut in any::<bool>(),
    ) {
        let (from, to) = (&pictures()[from], &pictures()[to]);
        let mut bytes = sent(from, to);
        let at = at.index(bytes.len());
        if is_cut {
            bytes.truncate(at);
            prop_assert!(Delta::decode(&bytes).is_err(), "cut at {}", at);
        } else {
            bytes[at] ^= with;
            if let Ok(delta) = Delta::decode(&bytes) {
                let _refused_or_not = delta.apply(from);
            }
            bytes[at] ^= with;
            bytes.push(with);
            prop_assert!(Delta::decode(&bytes).is_err(), "a byte more");
        }
    }
}

#[test]
fn a_change_of_another_picture_is_refused() {
    let (live, stale) = (fixtures::live(), fixtures::stale());
    let mut newer = stale.clone();
    newer.revision += 5;
    let delta = diff(&newer, &live);
    assert_eq!(delta.revision(), live.revision);
    let problem = delta.apply(&stale).unwrap_err();
    assert!(matches!(problem, DeltaProblem::OtherPicture { .. }), "{problem}");
    assert!(problem.to_string().contains(&format!("picture {}", newer.revision)), "{problem}");
    // The same revision of another engine.
    let mut later = stale.clone();
    later.at = later.at + 1;
    assert!(diff(&later, &live).apply(&stale).is_err());
    // One whose lists are others though revision and time are the same.
    let mut shorter = stale.clone();
    shorter.anomalies.pop();
    let mut changed = stale.clone();
    changed.anomalies.reverse();
    let problem = diff(&stale, &changed).apply(&shorter).unwrap_err();
    assert!(problem.to_string().contains("anomalies"), "{problem}");
}
