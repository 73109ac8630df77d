//! The order of the queue and its deadlines.

use proptest::prelude::*;

use super::*;
use crate::engine::clock::{DAY_MS, HOUR_MS};
use crate::engine::patches::exceptions::{ExceptionKind, InForce, PatchException, Reach, Subject};
use crate::engine::patches::feeds::{debian, epss, kev, nvd};
use crate::engine::patches::inventory::{AssetNews, Fleet, Package, System};
use crate::engine::patches::matching::fleet::matched;
use crate::engine::patches::risk::RiskBand;
use crate::engine::settings::{DeadlineRule, Span};

/// Vulnerabilities with a score in tenths (0: none), an estimate in percent (0: none) and whether they are exploited; each is
/// open in a source package of its own, `p1`, `p2` …
fn knowledge(of: &[(u32, u32, bool)]) -> Knowledge {
    let id = |n: usize| format!("CVE-2026-{:04}", n + 1);
    let all = || of.iter().enumerate();
    let verdicts = all().map(|(n, _)| {
        format!(
            r#""p{}": {{"{}": {{"releases": {{"bookworm": {{"status": "resolved", "fixed_version": "2"}}}}}}}}"#,
            n + 1,
            id(n)
        )
    });
    let tracker = format!("{{{}}}", verdicts.collect::<Vec<_>>().join(","));
    knowledge_of(of, debian::read(tracker.as_bytes(), &[]).unwrap().entries)
}

/// As above, with verdicts of one's own.
fn knowledge_of(of: &[(u32, u32, bool)], verdicts: Vec<debian::Verdict>) -> Knowledge {
    let id = |n: usize| format!("CVE-2026-{:04}", n + 1);
    let all = || of.iter().enumerate();
    let exploited = all().filter(|(_, of)| of.2);
    let exploited: Vec<String> =
        exploited.map(|(n, _)| format!(r#"{{"cveID": "{}", "dateAdded": "2026-11-01"}}"#, id(n))).collect();
    let exploited = kev::read(format!(r#"{{"vulnerabilities": [{}]}}"#, exploited.join(",")).as_bytes()).unwrap().1;
    let estimates = all().filter(|(_, of)| of.1 > 0);
    let estimates: String = estimates.map(|(n, of)| format!("{},{},0.5\n", id(n), f64::from(of.1) / 100.0)).collect();
    let estimates = epss::read(format!("cve,epss,percentile\n{estimates}").as_bytes()).unwrap().1;
    let scores = all().map(|(n, of)| {
        let metric = format!(
            r#"{{"source": "n", "type": "Primary", "cvssData": {{"version": "3.1", "baseScore": {}}}}}"#,
            f64::from(of.0) / 10.0
        );
        let metric = if of.0 == 0 { String::new() } else { metric };
        format!(
            r#"{{"cve": {{"id": "{}", "vulnStatus": "Analyzed", "metrics": {{"cvssMetricV31": [{metric}]}}}}}}"#,
            id(n)
        )
    });
    let scores = scores.collect::<Vec<_>>().join(",");
    let page = format!(r#"{{"totalResults": 1, "startIndex": 0, "vulnerabilities": [{scores}]}}"#);
    let scores = nvd::read(page.as_bytes()).unwrap().1;
    Knowledge::of(exploited.entries, estimates.entries, scores.entries, Vec::new(), verdicts)
}

fn fleet(assets: &[(&str, Exposure, Environment)], packages: usize) -> Fleet {
    let mut fleet = Fleet::default();
    for (name, exposure, environment) in assets {
        let package = |n: usize| {
            let name = format!("p{n}");
            Package { name: name.clone(), version: "1".into(), source: Some(name), ..Package::default() }
        };
        let news = AssetNews {
            system: Some(System { distribution: "debian".into(), release: "bookworm".into(), version: String::new() }),
            exposure: Some(*exposure),
            environment: Some(*environment),
            packages: Some((1..=packages).map(package).collect()),
            ..AssetNews::default()
        };
        fleet.take(name, news, "x", Timestamp(0));
    }
    fleet
}

/// The queue as `asset/package`, with band and days until it is due.
fn lines(fleet: &Fleet, knowledge: &Knowledge, ledger: &mut Ledger, now: Timestamp) -> Vec<String> {
    let found = matched(fleet, knowledge);
    let queue = queue(&found, knowledge, ledger, &InForce::default(), &RiskSettings::default(), now);
    let line = |item: &Item| {
        let standing = queue.standing(item).unwrap();
        let band = standing.risk.as_ref().map_or("UNKNOWN", |risk| risk.band.word());
        let due = item.due_at.map_or("-".to_owned(), |due| format!("{}", due.since_ms(now) / HOUR_MS));
        let asset = &found.assets[usize::try_from(item.asset).unwrap()];
        format!("{}/{} {band} {due}", asset.name, found.component(standing.component).unwrap().name)
    };
    queue.items.iter().map(line).collect()
}

#[test]
fn bands_go_first_then_exploitation_then_likelihood_and_the_unknown_has_its_place() {
    let knowledge = knowledge(&[
        (90, 0, false),
        (90, 10, false),
        (50, 1, true),
        (70, 0, false),
        (0, 90, false),
        (0, 0, true),
        (50, 0, false),
        (20, 0, false),
    ]);
    let fleet = fleet(&[("a", Exposure::Internal, Environment::Staging)], 8);
    assert_eq!(
        lines(&fleet, &knowledge, &mut Ledger::default(), Timestamp(0)),
        [
            "a/p3 CRITICAL 24",
            "a/p6 UNKNOWN 72",
            "a/p2 CRITICAL 24",
            "a/p1 CRITICAL 24",
            "a/p4 HIGH 168",
            "a/p5 UNKNOWN -",
            "a/p7 MEDIUM 720",
            "a/p8 LOW -",
        ]
    );
}

#[test]
fn exposure_goes_before_likelihood_and_age_decides_the_rest() {
    let knowledge = knowledge(&[(90, 10, false), (90, 20, false)]);
    let mut ledger = Ledger::default();
    let inside = ("b", Exposure::Internal, Environment::Production);
    lines(&fleet(&[inside], 1), &knowledge, &mut ledger, Timestamp(0));
    let all = fleet(
        &[
            ("a", Exposure::Internal, Environment::Production),
            inside,
            ("c", Exposure::Internet, Environment::Development),
        ],
        2,
    );
    // Ten hours later: what was found first is due first, and its clock has not begun anew.
    assert_eq!(
        lines(&all, &knowledge, &mut ledger, Timestamp(10 * HOUR_MS)),
        [
            "c/p2 CRITICAL 24",
            "c/p1 CRITICAL 24",
            "a/p2 CRITICAL 24",
            "b/p2 CRITICAL 24",
            "b/p1 CRITICAL 14",
            "a/p1 CRITICAL 24",
        ]
    );
}

/// Of one package, two vulnerabilities that different versions mend, the later of them the worse.
fn two_of_one_patch() -> Knowledge {
    let mut tracker = String::from(r#"{"p1": {"#);
    tracker.push_str(r#""CVE-2026-0001": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "2", "urgency": "low"}}},"#);
    tracker.push_str(r#""CVE-2026-0002": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "3", "urgency": "high"}}}}}"#);
    let verdicts = debian::read(tracker.as_bytes(), &[]).unwrap().entries;
    Knowledge::of(Vec::new(), Vec::new(), Vec::new(), Vec::new(), verdicts)
}

#[test]
fn one_item_stands_for_all_that_its_patch_mends() {
    let knowledge = two_of_one_patch();
    let fleet = fleet(&[("a", Exposure::Unknown, Environment::Unknown)], 1);
    let found = matched(&fleet, &knowledge);
    let queue =
        queue(&found, &knowledge, &mut Ledger::default(), &InForce::default(), &RiskSettings::default(), Timestamp(0));
    let [item] = queue.items.iter().collect::<Vec<_>>()[..] else { panic!("one item") };
    let standing = queue.standing(item).unwrap();
    assert_eq!((standing.worst, standing.risk.as_ref().unwrap().band), (1, RiskBand::High));
    assert_eq!(item.due_at, Some(Timestamp(7 * DAY_MS)));
    let score = queue.threats(standing.component)[1].score.as_ref().unwrap();
    assert!(score.source.contains("no score; the middle of `high` by Debian"), "{score:?}");
}

#[test]
fn an_advisory_that_comes_in_alone_gives_the_same_queue_as_all_at_once() {
    let all: Vec<(u32, u32, bool)> =
        vec![(90, 10, false), (50, 1, true), (70, 0, false), (20, 5, false), (0, 0, false)];
    let assets = [
        ("a", Exposure::Internal, Environment::Production),
        ("b", Exposure::Internet, Environment::Staging),
        ("c", Exposure::Internal, Environment::Production),
    ];
    let fleet = fleet(&assets, 5);
    let until = Timestamp(DAY_MS);
    let out = [
        exception(1, "p1", Reach::Asset("a".into()), until),
        exception(2, "CVE-2026-0003", Reach::Everywhere, until),
        exception(3, "CVE-2026-0004", Reach::Asset("c".into()), until),
    ];
    for exceptions in [&out[..0], &out] {
        come_in_alone(&fleet, &knowledge(&all), all.len(), exceptions);
    }
}

/// Each advisory in turn comes in after all the others, by `knowledge` of all of them.
fn come_in_alone(fleet: &Fleet, knowledge: &Knowledge, count: usize, exceptions: &[PatchException]) {
    let settings = RiskSettings::default();
    let wanted = told(fleet, knowledge, &mut Ledger::default(), exceptions, Timestamp(7));
    for without in 0..count {
        // The others as before; the one is neither scored nor listed nor in the tracker.
        let id = format!("CVE-2026-{:04}", without + 1).parse().unwrap();
        let (before, news) = (knowledge.without(&id), knowledge.only(&id));
        let mut matched = matched(fleet, &before);
        let holders = crate::engine::patches::matching::holders::Holders::of(&matched);
        let (mut ledger, in_force) = (Ledger::default(), InForce::of(exceptions, Timestamp(7)));
        let mut queue = queue(&matched, &before, &mut ledger, &in_force, &settings, Timestamp(7));
        for (now, changed) in [(7, fleet.assets().len()), (8, 0)] {
            let mut present = newcomer::Present {
                matched: &mut matched,
                holders: &holders,
                ledger: &mut ledger,
                exceptions: &in_force,
                settings: &settings,
            };
            assert_eq!(newcomer::add(&mut queue, &mut present, &news, Timestamp(now)), changed, "{id}");
        }
        assert_eq!(lists(&queue, &matched, Timestamp(7)), wanted, "{id}");
    }
}

proptest! {
    /// Several advisories to a package, versions and classes of assets, and exceptions from some of it.
    #[test]
    fn whatever_comes_in_alone_stands_where_it_would_have_stood(
        of in prop::collection::vec((0_usize..3, 0_u32..=100, 0_u32..100, any::<bool>(), 2_u32..6), 2..12),
        assets in prop::collection::vec((0_u32..4, any::<bool>(), any::<bool>()), 1..8),
        out in prop::collection::vec((0_usize..12, any::<bool>(), 0_usize..9), 0..4),
    ) {
        let id = |n: usize| format!("CVE-2026-{:04}", n + 1);
        let scored: Vec<(u32, u32, bool)> = of.iter().map(|of| (of.1, of.2, of.3)).collect();
        let verdicts: Vec<_> = of.iter().enumerate().map(|(n, of)| debian::Verdict {
            id: id(n).parse().unwrap(),
            source: format!("p{}", of.0),
            release: "bookworm".into(),
            state: debian::VerdictState::FixedIn(of.4.to_string()),
            urgency: String::new(),
            no_dsa: None,
            fix_seen_at: None,
        }).collect();
        let knowledge = knowledge_of(&scored, verdicts);
        let mut fleet = Fleet::default();
        for (n, (version, is_facing, is_production)) in assets.iter().enumerate() {
            let package = |name: usize| {
                let name = format!("p{name}");
                Package { name: name.clone(), version: (version + 1).to_string(), source: Some(name), ..Package::default() }
            };
            let news = AssetNews {
                system: Some(System { distribution: "debian".into(), release: "bookworm".into(), version: String::new() }),
                exposure: Some(if *is_facing { Exposure::Internet } else { Exposure::Internal }),
                environment: Some(if *is_production { Environment::Production } else { Environment::Staging }),
                packages: Some((0..3).map(package).collect()),
                ..AssetNews::default()
            };
            fleet.take(&format!("a{n}"), news, "x", Timestamp(0));
        }
        let exceptions: Vec<PatchException> = (1..).zip(&out).map(|(number, (what, is_package, whom))| {
            let subject = if *is_package { format!("p{}", what % 3) } else { id(*what) };
            let reach = if *whom == 8 { Reach::Everywhere } else { Reach::Asset(format!("a{whom}").into()) };
            exception(number, &subject, reach, Timestamp(DAY_MS))
        }).collect();
        let in_force = InForce::of(&exceptions, Timestamp(7));
        let settings = RiskSettings::default();
        let wanted = told(&fleet, &knowledge, &mut Ledger::default(), &exceptions, Timestamp(7));
        let news: Vec<Knowledge> = (0..of.len()).map(|n| knowledge.only(&id(n).parse().unwrap())).collect();
        let nothing = (0..of.len()).fold(knowledge.clone(), |rest, n| rest.without(&id(n).parse().unwrap()));
        let mut found = matched(&fleet, &nothing);
        let holders = crate::engine::patches::matching::holders::Holders::of(&found);
        let mut ledger = Ledger::default();
        let mut queue = queue(&found, &nothing, &mut ledger, &in_force, &settings, Timestamp(7));
        for news in &news {
            let mut present = newcomer::Present {
                matched: &mut found,
                holders: &holders,
                ledger: &mut ledger,
                exceptions: &in_force,
                settings: &settings,
            };
            newcomer::add(&mut queue, &mut present, news, Timestamp(7));
        }
        let sorted = |(listed, out): (Vec<String>, Vec<String>)| {
            let mut out = out;
            out.sort();
            (listed, out)
        };
        prop_assert_eq!(sorted(lists(&queue, &found, Timestamp(7))), sorted(wanted));
    }
}

#[test]
fn what_a_live_incident_is_about_goes_to_the_front_and_its_deadline_stays() {
    let knowledge = knowledge(&[(98, 90, true), (20, 1, false)]);
    let fleet = fleet(&[("a", Exposure::Internal, Environment::Staging)], 2);
    let mut ledger = Ledger::default();
    assert_eq!(lines(&fleet, &knowledge, &mut ledger, Timestamp(0)), ["a/p1 CRITICAL 24", "a/p2 LOW -"]);
    let causes = [("CVE-2026-0002".parse().unwrap(), crate::engine::model::IncidentId(7))].into();
    let lifted = knowledge.with_causes(causes);
    assert_eq!(lines(&fleet, &lifted, &mut ledger, Timestamp(0)), ["a/p2 LOW -", "a/p1 CRITICAL 24"]);
}

#[test]
fn deadlines_are_as_the_settings_have_them() {
    let knowledge = knowledge(&[(98, 0, true), (98, 0, false), (50, 0, false)]);
    let fleet = fleet(&[("a", Exposure::Internal, Environment::Staging)], 3);
    let found = matched(&fleet, &knowledge);
    let due = |settings: &RiskSettings| -> Vec<(String, Option<i64>)> {
        let queue = queue(&found, &knowledge, &mut Ledger::default(), &InForce::default(), settings, Timestamp(0));
        let name = |item: &Item| found.component(queue.standing(item).unwrap().component).unwrap().name.clone();
        queue.items.iter().map(|item| (name(item), item.due_at.map(|at| at.0 / DAY_MS))).collect()
    };
    let own =
        RiskSettings { critical_within: Span(2 * DAY_MS), medium_within: Span(9 * DAY_MS), ..RiskSettings::default() };
    assert_eq!(due(&own), [("p1".into(), Some(2)), ("p2".into(), Some(2)), ("p3".into(), Some(9))]);
    // Not exposed, and nobody knows the rest: 3 days at the strictest for what is exploited, 60 for what is not.
    let directive = RiskSettings { deadlines: DeadlineRule::Directive, ..RiskSettings::default() };
    assert_eq!(due(&directive), [("p1".into(), Some(3)), ("p2".into(), Some(60)), ("p3".into(), Some(60))]);
}

fn exception(number: u64, subject: &str, reach: Reach, until: Timestamp) -> PatchException {
    PatchException {
        number,
        kind: ExceptionKind::Deferred,
        subject: Subject::from_text(subject).unwrap(),
        reach,
        owner: "mira".into(),
        reason: "x".into(),
        made_at: Timestamp(0),
        made_by: "mira".into(),
        until,
        withdrawn: None,
    }
}

/// The queue and what exceptions take out of it, as `asset/package band due in hours` and `asset/package exception`.
fn told(
    fleet: &Fleet,
    knowledge: &Knowledge,
    ledger: &mut Ledger,
    exceptions: &[PatchException],
    now: Timestamp,
) -> (Vec<String>, Vec<String>) {
    let found = matched(fleet, knowledge);
    let in_force = InForce::of(exceptions, now);
    lists(&queue(&found, knowledge, ledger, &in_force, &RiskSettings::default(), now), &found, now)
}

fn lists(queue: &Queue, found: &Matched<'_, '_>, now: Timestamp) -> (Vec<String>, Vec<String>) {
    let name = |item: &Item| {
        let standing = queue.standing(item).unwrap();
        let band = standing.risk.as_ref().map_or("UNKNOWN", |risk| risk.band.word());
        let due = item.due_at.map_or("-".to_owned(), |due| format!("{}", due.since_ms(now) / HOUR_MS));
        let asset = &found.assets[usize::try_from(item.asset).unwrap()];
        (format!("{}/{}", asset.name, found.component(standing.component).unwrap().name), format!(" {band} {due}"))
    };
    let listed = queue.items.iter().map(|item| name(item).0 + &name(item).1).collect();
    (listed, queue.excepted.iter().map(|(item, number)| format!("{} {number}", name(item).0)).collect())
}

#[test]
fn an_exception_takes_out_what_it_names_and_its_end_brings_it_back_with_its_old_clock() {
    let knowledge = knowledge(&[(90, 0, false), (90, 0, false)]);
    let assets = [("a", Exposure::Internal, Environment::Staging), ("b", Exposure::Internal, Environment::Staging)];
    let fleet = fleet(&assets, 2);
    let mut ledger = Ledger::default();
    let until = Timestamp(10 * HOUR_MS);
    let one =
        [exception(1, "p1", Reach::Asset("a".into()), until), exception(2, "CVE-2026-0002", Reach::Everywhere, until)];
    let (listed, out) = told(&fleet, &knowledge, &mut ledger, &one, Timestamp(0));
    assert_eq!(
        (listed, out),
        (vec!["b/p1 CRITICAL 24".into()], vec!["a/p1 1".into(), "a/p2 2".into(), "b/p2 2".into()])
    );
    let (listed, out) = told(&fleet, &knowledge, &mut ledger, &one, until);
    assert_eq!(out, Vec::<String>::new());
    assert_eq!(listed, ["a/p1 CRITICAL 14", "b/p1 CRITICAL 14", "a/p2 CRITICAL 14", "b/p2 CRITICAL 14"]);
    let rings = [exception(1, "p1", Reach::Ring("canary".into()), until)];
    assert_eq!(told(&fleet, &knowledge, &mut ledger, &rings, Timestamp(0)).0.len(), 4, "no asset is of that ring");
}

#[test]
fn an_exception_from_the_worst_leaves_the_rest_of_its_patch() {
    let knowledge = two_of_one_patch();
    let fleet = fleet(&[("a", Exposure::Unknown, Environment::Unknown)], 1);
    let mut ledger = Ledger::default();
    assert_eq!(told(&fleet, &knowledge, &mut ledger, &[], Timestamp(0)).0, ["a/p1 HIGH 168"]);
    let worst = [exception(1, "CVE-2026-0002", Reach::Everywhere, Timestamp(DAY_MS))];
    assert_eq!(told(&fleet, &knowledge, &mut ledger, &worst, Timestamp(0)).0, ["a/p1 LOW -"]);
    let both = [worst[0].clone(), exception(2, "CVE-2026-0001", Reach::Everywhere, Timestamp(DAY_MS))];
    let (listed, out) = told(&fleet, &knowledge, &mut ledger, &both, Timestamp(0));
    assert_eq!((listed.len(), out), (0, vec!["a/p1 2".to_owned()]));
    assert_eq!(told(&fleet, &knowledge, &mut ledger, &both, Timestamp(2 * DAY_MS)).0, ["a/p1 HIGH 120"]);
}
