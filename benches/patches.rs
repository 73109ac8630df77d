//! Ten thousand assets against a quarter of a million advisories: how long matching and ranking take, what they hold in memory,
//! and how long one advisory takes that comes in alone.
//!
//! `cargo bench --bench patches` prints a table; two numbers as arguments (`-- 1000 250000`) measure another size. No two assets
//! have the same set of packages. Then the feeds are kept and read back, in their files and in sled beside them.

use std::hint::black_box;
use std::time::Instant;

use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::patches::exceptions::InForce;
use hypocenter::engine::patches::feeds::Read;
use hypocenter::engine::patches::feeds::debian::{Verdict, VerdictState};
use hypocenter::engine::patches::feeds::document::{Document, FeedEntry};
use hypocenter::engine::patches::feeds::epss::Estimate;
use hypocenter::engine::patches::feeds::kev::KnownExploited;
use hypocenter::engine::patches::feeds::nvd::{BaseScore, Described};
use hypocenter::engine::patches::intake::{self, Arrival};
use hypocenter::engine::patches::inventory::{AssetNews, Environment, Exposure, Fleet, Package, System};
use hypocenter::engine::patches::knowledge::Knowledge;
use hypocenter::engine::patches::ledger::Ledger;
use hypocenter::engine::patches::matching::fleet::matched;
use hypocenter::engine::patches::matching::holders::Holders;
use hypocenter::engine::patches::queue::{Queue, newcomer, queue};
use hypocenter::engine::patches::risk::CvssTenths;
use hypocenter::engine::patches::shelf::Shelf;
use hypocenter::engine::settings::RiskSettings;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// Source packages of a release, about as many as Debian's tracker names.
const SOURCES: usize = 4_000;
/// Packages of an asset.
const PACKAGES: usize = 600;
/// Releases, to which assets belong in turn; every advisory concerns all of them.
const RELEASES: [&str; 2] = ["bookworm", "trixie"];
/// Versions of a source package that are in use: the newest is the last.
const VERSIONS: u32 = 8;
const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// Bytes of this process that are in memory, and the most that ever were.
fn resident_bytes() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()).and_then(|figure| figure.parse::<u64>().ok()).unwrap_or(0)
    };
    (kilobytes("VmRSS:") * 1_024, kilobytes("VmHWM:") * 1_024)
}

fn tell(what: &str, started: Instant) {
    let (now, most) = resident_bytes();
    let mib = |bytes: u64| bytes / 1_048_576;
    println!(
        "{what:<60} {:>9.1} ms   {:>5} MiB now, {:>5} MiB at most",
        started.elapsed().as_secs_f64() * 1e3,
        mib(now),
        mib(most)
    );
}

fn version(level: u32) -> String {
    format!("1:2.{level}.0-{level}+deb12u{level}")
}

fn verdict(number: usize, source: usize, release: &str, random: &mut Pcg64) -> Verdict {
    // Most were mended long ago: an asset has a few open ones in every tenth package, as real ones have.
    let state = match random.random_range(0..1_000) {
        0..960 => VerdictState::FixedIn(version(random.random_range(1..=4))),
        960..990 => VerdictState::FixedIn(version(random.random_range(5..=VERSIONS))),
        990..995 => VerdictState::Open,
        995..998 => VerdictState::NeverAffected,
        _ => VerdictState::Undetermined,
    };
    Verdict {
        id: format!("CVE-{}-{:04}", 2000 + number % 27, 1_000 + number / 27).parse().expect("a number"),
        source: format!("source-{source}"),
        release: release.to_owned(),
        state,
        urgency: "not yet assigned".to_owned(),
        no_dsa: None,
        fix_seen_at: None,
    }
}

struct Feeds {
    kev: Vec<KnownExploited>,
    epss: Vec<Estimate>,
    nvd: Vec<Described>,
    debian: Vec<Verdict>,
}

fn feeds(advisories: usize) -> Feeds {
    let mut random = Pcg64::seed_from_u64(1);
    let mut debian = Vec::new();
    let (mut kev, mut epss, mut nvd) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..advisories {
        let source = random.random_range(0..SOURCES);
        for release in RELEASES {
            debian.push(verdict(number, source, release, &mut random));
        }
        let cve = debian.last().and_then(|verdict| verdict.id.cve()).expect("a number");
        epss.push(Estimate { cve, probability: random.random::<f32>().powi(8), percentile: 0.5 });
        if number % 150 == 0 {
            let added = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).expect("a day");
            kev.push(KnownExploited {
                cve,
                added,
                due: None,
                is_ransomware: false,
                wants_forensics: None,
                name: String::new(),
            });
        }
        let score = |tenths: u8| BaseScore {
            score: CvssTenths::from_score(f64::from(tenths) / 10.0).expect("a score"),
            version: "3.1".to_owned(),
            vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N".to_owned(),
            source: "nvd@nist.gov".to_owned(),
            is_primary: true,
        };
        // Three in ten have no score.
        let scores = if random.random_bool(0.7) { vec![score(random.random_range(10..=100))] } else { Vec::new() };
        let (status, description) =
            ("Analyzed".to_owned(), "A flaw in a parser lets others do what they should not. ".repeat(4));
        nvd.push(Described { cve, published: None, modified: None, status, description, scores });
    }
    Feeds { kev, epss, nvd, debian }
}

fn fleet(assets: usize) -> Fleet {
    let mut random = Pcg64::seed_from_u64(2);
    let mut fleet = Fleet::default();
    for number in 0..assets {
        let packages = (0..PACKAGES).map(|_| {
            // Few packages are everywhere, many are somewhere.
            let source = (random.random::<f64>().powi(2) * SOURCES as f64) as usize;
            let (source, version) = (format!("source-{source}"), version(random.random_range(5..=VERSIONS)));
            Package { name: source.clone(), version, source: Some(source), ..Package::default() }
        });
        let news = AssetNews {
            packages: Some(packages.collect()),
            system: Some(System {
                distribution: "debian".to_owned(),
                release: RELEASES[number % RELEASES.len()].to_owned(),
                version: String::new(),
            }),
            environment: Some(if number % 3 == 0 { Environment::Production } else { Environment::Staging }),
            exposure: Some(if number % 10 == 0 { Exposure::Internet } else { Exposure::Internal }),
            ..AssetNews::default()
        };
        fleet.take(&format!("host-{number:05}"), news, "made up", NOW);
    }
    fleet
}

/// What a newcomer is held against.
macro_rules! present {
    ($matched:ident, $holders:ident, $ledger:ident, $settings:ident) => {
        newcomer::Present {
            matched: &mut $matched,
            holders: &$holders,
            ledger: &mut $ledger,
            exceptions: &InForce::default(),
            settings: &$settings,
        }
    };
}

/// What a feed says of one vulnerability more.
fn one_more(number: usize, source: usize, state: &VerdictState) -> &'static Knowledge {
    let mut random = Pcg64::seed_from_u64(3);
    let verdicts = RELEASES.map(|release| Verdict {
        id: format!("CVE-2026-{number}").parse().expect("a number"),
        state: state.clone(),
        ..verdict(0, source, release, &mut random)
    });
    Box::leak(Box::new(Knowledge::of(Vec::new(), Vec::new(), Vec::new(), Vec::new(), verdicts.to_vec())))
}

/// Two hundred more, one after the other, of packages in turn, open in all their versions.
fn several(order: &mut Queue, present: &mut newcomer::Present<'_, '_, 'static>) {
    let mut took = Vec::new();
    let mut changed = 0;
    for number in 0..200 {
        let news = one_more(800_000 + number, number * SOURCES / 200, &VerdictState::Open);
        let started = Instant::now();
        changed += newcomer::add(order, present, news, NOW);
        took.push(started.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_by(f64::total_cmp);
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    println!(
        "ONE MORE, 200 times ({changed} patches changed): p50 {:.1} ms, p95 {:.1} ms, at most {:.1} ms",
        at(50),
        at(95),
        at(100)
    );
}

/// Keeps a feed in its file, reads it back, and does the same in sled, an entry at a time.
fn keep<T: FeedEntry>(folder: &std::path::Path, entries: Vec<T>) {
    let (count, name) = (entries.len(), T::KIND.word());
    let shelf = Shelf::of(folder);
    let document = Document { read: Read { entries, dropped_count: 0, first_problem: None }, of: None, is_whole: true };
    let kept = intake::take(None, document, Arrival { at: NOW, ..Arrival::default() }).expect("it is taken");
    let renewal = shelf.renewal().expect("nobody else");
    let started = Instant::now();
    shelf.keep(&kept, &renewal).expect("it is written");
    tell(&format!("{name}: {count} entries into their file, with the disk"), started);
    let started = Instant::now();
    black_box(shelf.load::<T>().expect("it is read"));
    tell(&format!("{name}: read back"), started);
    let database = sled::open(folder.join(name)).expect("sled opens");
    let started = Instant::now();
    for (number, entry) in (0u64..).zip(&kept.entries) {
        database.insert(number.to_be_bytes(), postcard::to_stdvec(entry).expect("bytes")).expect("it is written");
    }
    database.flush().expect("the disk");
    tell(&format!("{name}: the same into sled"), started);
    let started = Instant::now();
    let read =
        database.iter().values().map(|value| postcard::from_bytes::<T>(&value.expect("a value")).expect("an entry"));
    black_box(read.collect::<Vec<T>>());
    tell(&format!("{name}: read back from sled"), started);
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (assets, advisories) = (numbers.first().copied().unwrap_or(10_000), numbers.get(1).copied().unwrap_or(250_000));
    println!("{assets} assets of {PACKAGES} packages, {advisories} advisories in {} releases", RELEASES.len());
    let started = Instant::now();
    let Feeds { kev, epss, nvd, debian } = feeds(advisories);
    let fleet = fleet(assets);
    tell("made up (not counted)", started);

    let started = Instant::now();
    let knowledge: &'static Knowledge = Box::leak(Box::new(Knowledge::of(kev, epss, nvd, Vec::new(), debian)));
    tell("feeds in order", started);
    let settings = RiskSettings::default();
    let began = Instant::now();
    let started = Instant::now();
    let mut found = matched(&fleet, knowledge);
    tell("matched", started);
    let mut ledger = Ledger::default();
    let started = Instant::now();
    let mut order = queue(&found, knowledge, &mut ledger, &InForce::default(), &settings, NOW);
    tell("ranked, with first matches noted", started);
    tell("FULL MATCH, both", began);
    let affected: usize = found
        .assets
        .iter()
        .flat_map(|asset| found.list(asset))
        .filter_map(|number| found.component(*number))
        .map(|component| component.affected.len())
        .sum();
    println!("{} versions, {affected} findings, {} patches in the queue", found.components.len(), order.items.len());
    let started = Instant::now();
    black_box(queue(&found, knowledge, &mut ledger, &InForce::default(), &settings, NOW));
    tell("ranked again, first matches known", started);

    let started = Instant::now();
    let holders = Holders::of(&found);
    tell("who has what", started);
    // One of a package that many have, mended in its newest version; and one that is open, of what most have.
    for (number, source, state) in
        [(999_998, 1_000, VerdictState::FixedIn(version(VERSIONS))), (999_999, 0, VerdictState::Open)]
    {
        let news = one_more(number, source, &state);
        let started = Instant::now();
        let changed = newcomer::add(&mut order, &mut present!(found, holders, ledger, settings), news, NOW);
        tell(&format!("ONE ADVISORY more ({changed} patches changed)"), started);
    }
    several(&mut order, &mut present!(found, holders, ledger, settings));

    let folder = tempfile::tempdir().expect("a folder");
    let started = Instant::now();
    ledger.keep(folder.path()).expect("it is written");
    tell("first matches into their file", started);
    hypocenter::engine::patches::inventory::file::keep(folder.path(), &fleet).expect("it is written");
    let started = Instant::now();
    black_box(hypocenter::engine::patches::inventory::file::load(folder.path()).expect("it is read"));
    tell("inventory read back", started);
    let Feeds { nvd, debian, .. } = feeds(advisories);
    keep(folder.path(), nvd);
    keep(folder.path(), debian);
}
