//! Pictures of the queue of patches for the screens, made from small feeds and a small inventory by the real code.

use std::sync::Arc;

use hypocenter::engine::clock::{DAY_MS, HOUR_MS, Timestamp};
use hypocenter::engine::patches::exceptions::{ExceptionKind, InForce, PatchException, Reach, Subject};
use hypocenter::engine::patches::feeds::{FeedKind, debian, epss, kev, nvd};
use hypocenter::engine::patches::inventory::{
    AssetNews, Environment, Exposure, Fleet, Package, Running, StaleProcess, System,
};
use hypocenter::engine::patches::knowledge::Knowledge;
use hypocenter::engine::patches::ledger::Ledger;
use hypocenter::engine::patches::matching::fleet::matched;
use hypocenter::engine::patches::picture::{Made, PatchPicture, PictureState, made};
use hypocenter::engine::patches::queue::queue;
use hypocenter::engine::patches::shelf::FeedHead;
use hypocenter::engine::patches::shelf::health::{FeedReport, FeedState, Tried};
use hypocenter::engine::settings::RiskSettings;

use super::now;

/// Source package, number of the vulnerability, version that mends it (empty: none), score (0: none), chance in percent,
/// known to be exploited.
const KNOWN: [(&str, u32, &str, f64, u32, bool); 9] = [
    ("curl", 1, "7.88.1-10+deb12u8", 8.1, 31, true),
    ("curl", 2, "", 0.0, 0, false),
    ("openssl", 3, "3.0.15-1~deb12u1", 7.5, 4, false),
    ("openssl", 4, "3.0.14-1~deb12u2", 5.3, 1, false),
    ("linux", 5, "6.1.115-1", 7.8, 2, false),
    ("glibc", 6, "2.36-9+deb12u9", 5.5, 0, false),
    ("zlib", 7, "", 0.0, 0, false),
    ("nginx", 8, "1.22.1-9+deb12u1", 3.7, 1, false),
    ("systemd", 9, "252.31-1~deb12u1", 4.9, 0, false),
];

fn id(number: u32) -> String {
    format!("CVE-2026-{:04}", 1_100 + number)
}

fn knowledge() -> Knowledge {
    let exploited = KNOWN.iter().filter(|known| known.5).map(|known| {
        format!(r#"{{"cveID": "{}", "dateAdded": "2026-11-01", "knownRansomwareCampaignUse": "Known"}}"#, id(known.1))
    });
    let exploited = format!(r#"{{"vulnerabilities": [{}]}}"#, exploited.collect::<Vec<_>>().join(","));
    let estimates: String = KNOWN
        .iter()
        .filter(|known| known.4 > 0)
        .map(|known| format!("{},{},0.5\n", id(known.1), f64::from(known.4) / 100.0))
        .collect();
    let scores = KNOWN.iter().filter(|known| known.3 > 0.0).map(|known| {
        format!(
            r#"{{"cve": {{"id": "{}", "metrics": {{"cvssMetricV31": [{{"source": "nvd@nist.gov", "type": "Primary",
                "cvssData": {{"version": "3.1", "baseScore": {}}}}}]}}}}}}"#,
            id(known.1),
            known.3
        )
    });
    let scores = scores.collect::<Vec<_>>().join(",");
    let page = format!(r#"{{"totalResults": 1, "startIndex": 0, "vulnerabilities": [{scores}]}}"#);
    let mut tracker = serde_json::Map::new();
    for (package, number, fix, ..) in KNOWN {
        let at = if fix.is_empty() {
            serde_json::json!({"status": "open"})
        } else {
            serde_json::json!({"status": "resolved", "fixed_version": fix})
        };
        tracker.entry(package).or_insert_with(|| serde_json::json!({}))[id(number)] =
            serde_json::json!({"releases": {"bookworm": at}});
    }
    let tracker = serde_json::to_vec(&tracker).expect("the pictures use valid feeds");
    Knowledge::of(
        kev::read(exploited.as_bytes()).expect("the pictures use valid feeds").1.entries,
        epss::read(format!("cve,epss,percentile\n{estimates}").as_bytes())
            .expect("the pictures use valid feeds")
            .1
            .entries,
        nvd::read(page.as_bytes()).expect("the pictures use valid feeds").1.entries,
        Vec::new(),
        debian::read(&tracker, &[]).expect("the pictures use valid feeds").entries,
    )
}

fn fleet() -> Fleet {
    let mut fleet = Fleet::default();
    let mut take = |name: &str,
                    release: &str,
                    (environment, exposure),
                    (ring, owner, service): (&str, &str, &str),
                    packages: &[&str]| {
        let package = |name: &&str| Package {
            name: (*name).into(),
            version: if *name == "curl" { "7.88.1-10" } else { "1" }.into(),
            source: Some((*name).into()),
            ..Package::default()
        };
        let waits = packages.contains(&"linux");
        let stale = StaleProcess { pid: 812, name: "nginx".into(), files: vec!["libssl.so.3".into()] };
        let news = AssetNews {
            system: Some(System { distribution: "debian".into(), release: release.into(), version: String::new() }),
            environment: Some(environment),
            exposure: Some(exposure),
            class: None,
            owner: Some(owner.into()),
            ring: Some(ring.into()),
            services: Some(vec![service.into()]),
            packages: Some(packages.iter().map(package).collect()),
            running: waits.then(|| Running {
                kernel_waiting: Some("6.1.0-26-amd64".into()),
                stale: vec![stale],
                ..Running::default()
            }),
        };
        fleet.take(name, news, "scan", now() - HOUR_MS);
    };
    let (production, staging) = (Environment::Production, Environment::Staging);
    take(
        "web-1",
        "bookworm",
        (production, Exposure::Internet),
        ("canary", "shop", "checkout"),
        &["curl", "openssl", "nginx"],
    );
    take(
        "web-2",
        "bookworm",
        (production, Exposure::Internet),
        ("broad", "shop", "checkout"),
        &["curl", "openssl", "nginx"],
    );
    take(
        "db-1",
        "bookworm",
        (production, Exposure::Internal),
        ("broad", "data", "auth-db"),
        &["linux", "glibc", "openssl", "zlib"],
    );
    take(
        "batch-3",
        "bookworm",
        (staging, Exposure::Internal),
        ("canary", "", "batch"),
        &["glibc", "systemd", "zlib", "nginx"],
    );
    take("old-1", "woody", (production, Exposure::Unknown), ("", "", "ftp"), &["glibc"]);
    fleet
}

/// Each with its state and for how long it was not renewed.
fn feeds(of: [(FeedKind, FeedState, i64); 5]) -> Vec<FeedReport> {
    let report = |(feed, state, age_ms): (FeedKind, FeedState, i64)| {
        let is_there = state != FeedState::Missing;
        let head = FeedHead {
            taken_at: now() - age_ms,
            origin: "https://example.org".into(),
            of: None,
            count: 1_204,
            set_aside_count: 0,
            first_problem: None,
            etag: None,
            last_modified: None,
            part_etags: std::collections::BTreeMap::new(),
            cursor: None,
            resume_at: None,
        };
        let error = (state == FeedState::Failing).then(|| "no answer within 60 s".to_owned());
        let tried = error.map(|error| Tried { at: now() - HOUR_MS, error: Some(error), failed_in_a_row: 4 });
        FeedReport {
            feed,
            state,
            age_ms: is_there.then_some(age_ms),
            head: is_there.then_some(head),
            tried,
            damage: None,
        }
    };
    of.into_iter().map(report).collect()
}

fn fresh() -> [(FeedKind, FeedState, i64); 5] {
    let state = |kind| if kind == FeedKind::Osv { FeedState::Missing } else { FeedState::Fresh };
    FeedKind::ALL.map(|kind| (kind, state(kind), 2 * HOUR_MS))
}

fn picture(fleet: &Fleet, knowledge: &Knowledge, feeds: &[FeedReport]) -> PatchPicture {
    let (matched, settings) = (matched(fleet, knowledge), RiskSettings::default());
    let mut ledger = Ledger::default();
    // What is on web-1 was found two days ago.
    let mut first = Fleet::default();
    if let Some(asset) = fleet.assets().get("web-1").filter(|_| fleet.assets().len() > 1) {
        let news = AssetNews {
            system: Some(asset.system.clone()),
            packages: Some(fleet.packages_of(asset).cloned().collect()),
            ..AssetNews::default()
        };
        first.take("web-1", news, "scan", now());
    }
    let before = hypocenter::engine::patches::matching::fleet::matched(&first, knowledge);
    let _noted = queue(&before, knowledge, &mut ledger, &InForce::default(), &settings, now() - 2 * DAY_MS);
    let exception = exception();
    let queue =
        queue(&matched, knowledge, &mut ledger, &InForce::of([&exception], now()), &settings, now() - 3 * HOUR_MS);
    made(&Made { fleet, knowledge, matched: &matched, queue: &queue, feeds, settings: &settings }, now())
}

/// Five assets: late, exploited, without a score, not booted, not checked.
pub fn live() -> Arc<PatchPicture> {
    Arc::new(picture(&fleet(), &knowledge(), &feeds(fresh())))
}

/// Everything is looked at, nothing is lacking.
pub fn mended() -> Arc<PatchPicture> {
    let mut fleet = Fleet::default();
    let news = AssetNews {
        system: Some(System { distribution: "debian".into(), release: "bookworm".into(), version: String::new() }),
        packages: Some(vec![Package {
            name: "bash".into(),
            version: "5.2".into(),
            source: Some("bash".into()),
            ..Package::default()
        }]),
        ..AssetNews::default()
    };
    fleet.take("web-1", news, "scan", now() - HOUR_MS);
    Arc::new(picture(&fleet, &knowledge(), &feeds(fresh())))
}

/// Neither feeds nor an inventory.
pub fn bare() -> Arc<PatchPicture> {
    let none = Knowledge::of(Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let missing = FeedKind::ALL.map(|kind| (kind, FeedState::Missing, 0));
    Arc::new(picture(&Fleet::default(), &none, &feeds(missing)))
}

/// The files are being read.
pub fn loading() -> Arc<PatchPicture> {
    Arc::new(PatchPicture { state: PictureState::Loading, ..PatchPicture::default() })
}

/// The feeds were not renewed for days, and the inventory for weeks.
pub fn stale() -> Arc<PatchPicture> {
    let mut of = fresh();
    of[0] = (FeedKind::Kev, FeedState::Stale, 9 * DAY_MS);
    of[2] = (FeedKind::Nvd, FeedState::Failing, 3 * DAY_MS);
    let mut picture = picture(&fleet(), &knowledge(), &feeds(of));
    picture.oldest_look_at = Some(Timestamp(now().0 - 12 * DAY_MS));
    Arc::new(picture)
}

/// The inventory cannot be read any more.
pub fn error() -> Arc<PatchPicture> {
    let problem = "/var/lib/hypo/inventory is damaged: its check sum differs; move it away, then `hypo inventory scan`";
    Arc::new(PatchPicture { problem: Some(problem.into()), made_at: now() - 3 * HOUR_MS, ..live().as_ref().clone() })
}

/// It could never be read.
pub fn never() -> Arc<PatchPicture> {
    Arc::new(PatchPicture { problem: error().problem.clone(), ..loading().as_ref().clone() })
}

/// The risk of one package is accepted in one ring.
pub fn exception() -> PatchException {
    PatchException {
        number: 3,
        kind: ExceptionKind::Accepted,
        subject: Subject::Package("nginx".into()),
        reach: Reach::Ring("broad".into()),
        owner: "mira".into(),
        reason: "not reachable: the proxy before it filters those headers".into(),
        made_at: now() - DAY_MS,
        made_by: "mira".into(),
        until: now() + 9 * DAY_MS,
        withdrawn: None,
    }
}
