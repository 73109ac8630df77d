//! The picture of the queue: grouped, counted, capped.

use super::*;
use crate::engine::clock::{DAY_MS, HOUR_MS};
use crate::engine::limits::{PATCH_ASSETS_TOLD_MAX, PATCHES_IN_PICTURE_MAX};
use crate::engine::patches::exceptions::InForce;
use crate::engine::patches::feeds::{debian, kev, nvd};
use crate::engine::patches::inventory::{AssetNews, Fleet, Package, Running, System};
use crate::engine::patches::knowledge::Knowledge;
use crate::engine::patches::ledger::Ledger;
use crate::engine::patches::matching::fleet::matched;
use crate::engine::patches::queue::queue;
use crate::engine::settings::RiskSettings;

/// `CVE-2026-0001` mends `openssl` in version 3 (7.5), `0002` is open in `curl` without a score, `0003` mends `curl` in version 9
/// and is exploited (5.0).
fn knowledge() -> Knowledge {
    let tracker =
        br#"{"openssl": {"CVE-2026-0001": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "3"}}}},
        "curl": {"CVE-2026-0002": {"releases": {"bookworm": {"status": "open"}}},
            "CVE-2026-0003": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "9"}}}}}"#;
    let exploited = br#"{"vulnerabilities": [{"cveID": "CVE-2026-0003", "dateAdded": "2026-11-01"}]}"#;
    let score = |id: u32, score: f64| {
        format!(
            r#"{{"cve": {{"id": "CVE-2026-000{id}", "metrics": {{"cvssMetricV31": [{{"source": "n", "type": "Primary",
                "cvssData": {{"version": "3.1", "baseScore": {score}}}}}]}}}}}}"#
        )
    };
    let page =
        format!(r#"{{"totalResults": 2, "startIndex": 0, "vulnerabilities": [{},{}]}}"#, score(1, 7.5), score(3, 5.0));
    Knowledge::of(
        kev::read(exploited).unwrap().1.entries,
        Vec::new(),
        nvd::read(page.as_bytes()).unwrap().1.entries,
        Vec::new(),
        debian::read(tracker, &[]).unwrap().entries,
    )
}

fn package(name: &str, version: &str) -> Package {
    Package { name: name.into(), version: version.into(), source: Some(name.into()), ..Package::default() }
}

fn take(fleet: &mut Fleet, name: &str, ring: &str, exposure: Exposure, packages: Vec<Package>) {
    let news = AssetNews {
        system: Some(System { distribution: "debian".into(), release: "bookworm".into(), version: String::new() }),
        environment: Some(Environment::Production),
        exposure: Some(exposure),
        ring: Some(ring.into()),
        packages: Some(packages),
        ..AssetNews::default()
    };
    fleet.take(name, news, "x", Timestamp(5));
}

fn picture(fleet: &Fleet, knowledge: &Knowledge, ledger: &mut Ledger, now: Timestamp) -> PatchPicture {
    let (matched, settings) = (matched(fleet, knowledge), RiskSettings::default());
    let queue = queue(&matched, knowledge, ledger, &InForce::default(), &settings, now);
    made(&Made { fleet, knowledge, matched: &matched, queue: &queue, feeds: &[], settings: &settings }, now)
}

#[test]
fn what_lacks_on_several_assets_is_one_row_and_every_group_counts() {
    let (mut fleet, mut ledger) = (Fleet::default(), Ledger::default());
    take(&mut fleet, "web-1", "canary", Exposure::Internet, vec![package("openssl", "1"), package("curl", "8")]);
    take(&mut fleet, "web-2", "broad", Exposure::Internal, vec![package("openssl", "2")]);
    take(&mut fleet, "db-1", "broad", Exposure::Internal, vec![package("openssl", "3"), package("curl", "9")]);
    let knowledge = knowledge();
    let found = picture(&fleet, &knowledge, &mut ledger, Timestamp(0));
    let rows: Vec<(&str, Option<&str>, usize)> =
        found.patches.iter().map(|patch| (&*patch.package, patch.fix.as_deref(), patch.tally.all())).collect();
    // On db-1 nothing of curl is left that a version mends.
    assert_eq!(rows, [("curl", Some("9"), 1), ("openssl", Some("3"), 2), ("curl", None, 1)]);
    let curl = &found.patches[0];
    assert_eq!((curl.band, curl.score, curl.is_known_exploited), (Some(RiskBand::Critical), Some(1.95), true));
    assert_eq!(curl.factors[1].source.as_ref(), "CISA's catalogue, since 2026-11-01");
    assert_eq!(
        (curl.advisory_count, curl.unfixed_count, curl.advisories[0].id.to_string()),
        (2, 1, "CVE-2026-0003".into())
    );
    assert_eq!(curl.clocks.terms, (Term::ThreeDaysWithForensics, Term::FourteenDays));
    assert_eq!(curl.clocks.terms_at, (Some(Timestamp(3 * DAY_MS)), Some(Timestamp(14 * DAY_MS))));
    let openssl = &found.patches[1];
    assert_eq!(openssl.assets.iter().map(|asset| &*asset.installed).collect::<Vec<_>>(), ["1", "2"]);
    let unscored = &found.patches[2];
    assert_eq!((unscored.band, unscored.score, unscored.factors.len()), (None, None, 0), "unknown is not 0");
    let lines = |by| -> Vec<String> {
        let groups = found.grouped(by).unwrap();
        let line = |group: &PatchGroup| {
            format!("{} {} patches {} assets, {}", group.name, group.patch_count, group.asset_count, group.tally.all())
        };
        groups.rows.iter().map(line).collect()
    };
    assert_eq!(lines(Grouping::Ring), ["canary 2 patches 1 assets, 2", "broad 2 patches 2 assets, 2"]);
    assert_eq!(lines(Grouping::Asset)[0], "web-1 2 patches 1 assets, 2");
    assert_eq!(
        lines(Grouping::Advisory),
        [
            "CVE-2026-0003 1 patches 1 assets, 1",
            "CVE-2026-0001 1 patches 2 assets, 2",
            "CVE-2026-0002 2 patches 2 assets, 2"
        ]
    );
    assert_eq!(lines(Grouping::Owner), [" 3 patches 3 assets, 4"], "nobody said whose they are");
    assert_eq!(found.tally, Tally { critical: 3, unknown: 1, ..Tally::default() });
    let later = picture(&fleet, &knowledge, &mut ledger, Timestamp(25 * HOUR_MS));
    assert_eq!((later.tally.overdue, later.patches[1].tally.overdue), (3, 2));
    assert_eq!(later.grouped(Grouping::Advisory).unwrap().rows[1].tally.overdue, 2);
    let bytes = postcard::to_stdvec(&later).unwrap();
    assert_eq!(postcard::from_bytes::<PatchPicture>(&bytes).unwrap(), later, "it goes into the picture's file");
}

#[test]
fn what_is_not_booted_and_what_cannot_be_checked_is_told() {
    let mut fleet = Fleet::default();
    take(&mut fleet, "web-1", "", Exposure::Unknown, vec![package("openssl", "3")]);
    let running = Running { kernel_waiting: Some("6.1.0-30".into()), ..Running::default() };
    fleet.take("web-1", AssetNews { running: Some(running), ..AssetNews::default() }, "x", Timestamp(5));
    let woody = System { distribution: "debian".into(), release: "woody".into(), version: String::new() };
    for name in ["old-1", "old-2"] {
        let news = AssetNews { system: Some(woody.clone()), ..AssetNews::default() };
        fleet.take(name, news, "x", Timestamp(5));
    }
    let found = picture(&fleet, &knowledge(), &mut Ledger::default(), Timestamp(9));
    assert_eq!(found.unbooted[0].kernel.as_deref(), Some("6.1.0-30"));
    assert_eq!((found.gaps.len(), found.gaps[0].asset_count, found.gaps[0].example.as_ref()), (1, 2, "old-1"));
    assert_eq!((found.tally.all(), found.oldest_look_at), (0, Some(Timestamp(5))));
}

#[test]
fn ten_thousand_assets_stay_a_small_picture() {
    let verdict = |n: usize| {
        format!(
            r#""p{n}": {{"CVE-2026-{n:05}": {{"releases": {{"bookworm": {{"status": "resolved", "fixed_version": "2"}}}}}}}}"#
        )
    };
    let tracker = format!("{{{}}}", (0..700).map(verdict).collect::<Vec<_>>().join(","));
    let verdicts = debian::read(tracker.as_bytes(), &[]).unwrap().entries;
    let knowledge = Knowledge::of(Vec::new(), Vec::new(), Vec::new(), Vec::new(), verdicts);
    let mut fleet = Fleet::default();
    for asset in 0..10_000 {
        // Ten sorts of servers, each with seventy packages of its own.
        let packages = (0..70).map(|n| package(&format!("p{}", (asset % 10) * 70 + n), "1")).collect();
        take(&mut fleet, &format!("host-{asset:05}"), &format!("ring-{}", asset % 3), Exposure::Internal, packages);
    }
    let found = picture(&fleet, &knowledge, &mut Ledger::default(), Timestamp(9));
    assert_eq!((found.patches.len(), found.patches_left_out), (PATCHES_IN_PICTURE_MAX, 700 - PATCHES_IN_PICTURE_MAX));
    assert_eq!((found.tally.all(), found.patches[0].tally.all()), (700_000, 1_000));
    assert_eq!(found.patches[0].assets.len(), PATCH_ASSETS_TOLD_MAX);
    let assets = found.grouped(Grouping::Asset).unwrap();
    assert_eq!(assets.rows.len() + assets.left_out, 10_000);
    assert_eq!(found.grouped(Grouping::Ring).unwrap().rows.len(), 3);
    let bytes = postcard::to_stdvec(&found).unwrap();
    assert!(bytes.len() < 4 << 20, "{} bytes", bytes.len());
}
