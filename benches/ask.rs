//! Questions over an estate of ten thousand services and thirty thousand machines, with a hundred thousand past incidents.
//!
//! `cargo bench --bench ask` prints a table; two numbers as arguments (`-- 1000 10000`) measure another size (services,
//! incidents). The estate is made up around the demo's shop when everything that its scenario breaks is broken; the questions are
//! those of `tests/questions/seen.toml`: as they are, with the shop's services replaced by services of the estate, and the latter
//! with a slip in each name. Each is asked in three passes over all of them and counts with the shortest: what others do on the same
//! machine is no part of the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono_tz::Tz;
use hypocenter::engine::ask::conversation::Conversation;
use hypocenter::engine::ask::ground::Ground;
use hypocenter::engine::ask::known_names::KnownNames;
use hypocenter::engine::ask::metric::Concept;
use hypocenter::engine::ask::recall::{Archive, Digest, PastAct, PastCause, Query, Sign};
use hypocenter::engine::clock::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use hypocenter::engine::demo::headless::{self, Approve, Drill, Played};
use hypocenter::engine::demo::scenarios;
use hypocenter::engine::model::{
    Alert, Anomaly, AnomalyId, AnomalyState, CauseKind, Change, ChangeId, ChangeKind, Direction, EdgeNotice,
    EdgeOrigin, Fingerprint, Incident, IncidentId, IncidentState, Labels, PastValues, RunId, ServiceName, Topology,
};
use hypocenter::engine::snapshot::Snapshot;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use serde::Deserialize;

const PASSES: usize = 3;
const START: Timestamp = Timestamp(1_794_925_800_000);
const TEAMS: [&str; 40] = [
    "payments",
    "orders",
    "catalogue",
    "checkout",
    "shipping",
    "identity",
    "billing",
    "search",
    "inventory",
    "pricing",
    "returns",
    "loyalty",
    "messaging",
    "marketing",
    "reviews",
    "media",
    "warehouse",
    "fraud",
    "ledger",
    "reporting",
    "platform",
    "edge",
    "mobile",
    "partner",
    "vouchers",
    "tax",
    "invoicing",
    "subscriptions",
    "recommendations",
    "fulfilment",
    "carrier",
    "customs",
    "support",
    "analytics",
    "experiments",
    "consent",
    "addresses",
    "documents",
    "notifications",
    "scheduling",
];
const PARTS: [&str; 25] = [
    "core", "intake", "export", "import", "rules", "events", "session", "profile", "history", "quota", "router",
    "render", "archive", "lookup", "score", "match", "queue", "token", "limits", "audit", "bridge", "stream", "feed",
    "cart", "price",
];
const ROLES: [&str; 10] = ["api", "worker", "db", "cache", "gateway", "consumer", "sync", "admin", "batch", "proxy"];
/// The shop's services, which questions name.
const SHOP: [&str; 16] = [
    "web",
    "search",
    "checkout",
    "shipping",
    "cart",
    "inventory",
    "order",
    "payment",
    "catalog",
    "auth",
    "queue",
    "cache",
    "orders-db",
    "payments-db",
    "catalog-db",
    "auth-db",
];

#[derive(Deserialize)]
struct File {
    question: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    ask: String,
}

fn resident_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|figure| figure.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

/// Median, p95, p99 and the longest, in milliseconds.
fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times.get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1)));
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "{what:<62} {:>5} times   p50 {:>7.2}   p95 {:>7.2}   p99 {:>7.2}   max {:>7.2} ms",
        times.len(),
        ms(at(0.5)),
        ms(at(0.95)),
        ms(at(0.99)),
        ms(times.last()),
    );
}

fn once<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let before = resident_mib();
    let started = Instant::now();
    let done = work();
    let took = started.elapsed();
    println!("{what:<62} {:>9.1} ms   {:>5} MiB now, {before} before", took.as_secs_f64() * 1e3, resident_mib());
    done
}

/// Names of services in an order that is no order.
fn services(count: usize) -> Vec<String> {
    let all = TEAMS.iter().flat_map(|team| {
        PARTS.iter().flat_map(move |part| ROLES.iter().map(move |role| format!("{team}-{part}-{role}")))
    });
    let mut all: Vec<String> = all.collect();
    let mut random = Pcg64::seed_from_u64(3);
    for at in (1..all.len()).rev() {
        all.swap(at, random.random_range(0..=at));
    }
    all.truncate(count);
    all
}

fn topology(shop: &Topology, names: &[String], random: &mut Pcg64) -> Topology {
    let mut topology = shop.clone();
    for (at, caller) in names.iter().enumerate() {
        for _ in 0..random.random_range(1..=4) {
            let callee = &names[random.random_range(0..names.len())];
            if at > 0 {
                topology.observe(&EdgeNotice {
                    source: "mesh".into(),
                    caller: ServiceName::new(caller),
                    callee: ServiceName::new(callee),
                    origin: EdgeOrigin::Discovered,
                    seen_at: START,
                });
            }
        }
    }
    topology
}

/// The picture of the shop with the estate around it: what a picture may hold at most of what is over, and a storm of what is not.
fn picture(names: &[String], random: &mut Pcg64) -> (Snapshot, PastValues) {
    let scenario = scenarios::find("firewall-rule").expect("it is in the table");
    let drill = Drill { lasts_ms: 180_000, ..Drill::new(scenario, 1, START, Approve::None) };
    let Played { snapshot: shop, past, .. } =
        headless::play(&drill, &mut |_| {}).expect("the shop's settings are good");
    let mut picture = shop.as_ref().clone();
    picture.topology = Arc::new(topology(&shop.topology, names, random));
    let anomaly = shop.anomalies.first().expect("something departs").as_ref().clone();
    let alert = shop.alerts.first().expect("something fires").as_ref().clone();
    let change = shop.changes.first().expect("something was changed").as_ref().clone();
    let incident = shop.incidents.first().expect("there is an incident").as_ref().clone();
    let host = |at: usize| format!("{}-{:x}-{:05}", names[at % names.len()], at % 4_093 + 4_096, at);
    for at in 0..10_000_usize {
        let is_over = at.is_multiple_of(20);
        picture.anomalies.push(Arc::new(Anomaly {
            id: AnomalyId(100_000 + at as u64),
            service: ServiceName::new(&names[at % names.len()]),
            instance: Some(Arc::from(host(at))),
            state: if is_over { AnomalyState::Ended } else { AnomalyState::Active },
            ended_at: is_over.then_some(START),
            incident: None,
            ..anomaly.clone()
        }));
    }
    for at in 0..20_000_usize {
        let mut labels = BTreeMap::new();
        labels.insert("instance".to_owned(), format!("{}:9100", host(10_000 + at)));
        labels.insert("region".to_owned(), ["eu-1", "us-2", "ap-1"][at % 3].to_owned());
        let mut alert = Alert { incident: None, ..alert.clone() };
        alert.notice.fingerprint = Fingerprint(1_000_000 + at as u64);
        alert.notice.service = Some(ServiceName::new(&names[at % names.len()]));
        alert.notice.name = Arc::from(format!("Rule{:03}High", at % 400));
        alert.notice.labels = Labels::new(&labels);
        picture.alerts.push(Arc::new(alert));
    }
    for at in 0..1_000_usize {
        let mut change = Change { id: ChangeId(100_000 + at as u64), ..change.clone() };
        change.notice.service = Some(ServiceName::new(&names[at * 7 % names.len()]));
        change.notice.version = Some(Arc::from(format!("v{}.{}.{at}", at % 9, at % 31)));
        change.notice.at = START - (at as i64) * MINUTE_MS;
        picture.changes.push(Arc::new(change));
    }
    for at in 0..200_usize {
        let mut past = Incident { state: IncidentState::Resolved, ..incident.clone() };
        past.id = IncidentId(200_000 + at as u64);
        past.resolved_at = Some(START);
        past.services = [(ServiceName::new(&names[at * 13 % names.len()]), START)].into();
        picture.incidents.push(Arc::new(past));
    }
    (picture, past)
}

const WORDS: [&str; 40] = [
    "customers",
    "could",
    "not",
    "pay",
    "because",
    "pool",
    "connections",
    "ran",
    "out",
    "after",
    "deploy",
    "rolled",
    "back",
    "certificate",
    "expired",
    "nobody",
    "noticed",
    "alert",
    "fired",
    "late",
    "disk",
    "filled",
    "with",
    "logs",
    "query",
    "without",
    "index",
    "locked",
    "table",
    "timeout",
    "was",
    "set",
    "too",
    "low",
    "policy",
    "blocked",
    "traffic",
    "leak",
    "restart",
    "helped",
];
const CLASSES: [(CauseKind, Concept, &str, &str, Option<ChangeKind>); 9] = [
    (CauseKind::BadDeploy, Concept::Errors, "error_ratio", "rollback-deploy", Some(ChangeKind::Deploy)),
    (CauseKind::BadConfig, Concept::Errors, "error_ratio", "revert-config", Some(ChangeKind::Config)),
    (
        CauseKind::NetworkPolicy,
        Concept::ConnectErrors,
        "connect_errors",
        "revert-network-policy",
        Some(ChangeKind::Network),
    ),
    (CauseKind::ConnectionsExhausted, Concept::Connections, "pool_used_ratio", "release-connections", None),
    (CauseKind::MemoryLeak, Concept::Memory, "memory_used_ratio", "restart-leaking", None),
    (CauseKind::DiskFull, Concept::Disk, "disk_used_ratio", "free-disk", None),
    (CauseKind::SlowQuery, Concept::Latency, "query_seconds_p95", "cancel-slow-query", None),
    (CauseKind::QueueBacklog, Concept::Queue, "queue_depth", "drain-queue", None),
    (CauseKind::Unavailable, Concept::Availability, "up", "restart-service", None),
];

/// A past incident: it begins at a service, and whoever calls that suffers.
fn past(id: u64, names: &[String], topology: &Topology, random: &mut Pcg64) -> Digest {
    let (kind, concept, metric, runbook, change) = CLASSES[random.random_range(0..CLASSES.len())];
    // A few services fail often.
    let origin = &names[(random.random::<f64>().powi(3) * names.len() as f64) as usize % names.len()];
    let name = ServiceName::new(origin);
    let callers: Vec<ServiceName> = topology.callers(&name).take(random.random_range(0..=8)).cloned().collect();
    let up = Direction::Above;
    let sign = |service: &ServiceName, metric: &str, concept| Sign {
        service: service.clone(),
        metric: Arc::from(metric),
        concept: Some(concept),
        direction: up,
    };
    let mut signs = vec![sign(&name, metric, concept)];
    for service in std::iter::once(&name).chain(&callers) {
        signs.push(sign(service, "error_ratio", Concept::Errors));
        signs.push(sign(service, "latency_p95", Concept::Latency));
    }
    let line = format!("{} of {} failed: code <*> at stage {}", kind.title(), PARTS[id as usize % 25], id % 97);
    let words: Vec<&str> =
        (0..if id.is_multiple_of(3) { 120 } else { 12 }).filter_map(|_| WORDS.choose(random).copied()).collect();
    Digest {
        id: IncidentId(id),
        title: Arc::from(format!("{} rose; {} more services affected", kind.at(&name), callers.len())),
        started_at: START - (100_000 - id as i64) * HOUR_MS,
        ended_at: Some(START - (100_000 - id as i64) * HOUR_MS + 20 * MINUTE_MS),
        origin: Some(name.clone()),
        services: std::iter::once(name.clone()).chain(callers).collect(),
        signs,
        lines: vec![Arc::from(line)],
        alerts: vec![Arc::from(format!("Rule{:03}High", id % 400)), Arc::from("HighErrorRate")],
        cause: Some(PastCause { kind, service: name.clone(), title: Arc::from(kind.at(&name)), change }),
        changes: change.into_iter().collect(),
        acts: vec![PastAct {
            run: RunId(id),
            runbook: runbook.into(),
            helped: !id.is_multiple_of(4),
            took_ms: Some(9 * MINUTE_MS),
        }],
        text: words.join(" "),
    }
}

/// A question with the shop's services replaced by services of the estate, each by one of its own.
fn moved(question: &str, to: &BTreeMap<&str, &String>, is_slipped: bool) -> String {
    let word = |word: &str| {
        let plain = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let Some(name) = to.get(plain.to_lowercase().as_str()) else { return word.to_owned() };
        let mut letters: Vec<char> = name.chars().collect();
        if is_slipped {
            // Two letters in the middle change places, or one is left out.
            let at = letters.len() / 2;
            if name.len().is_multiple_of(2) {
                letters.swap(at, at + 1);
            } else {
                letters.remove(at);
            }
        }
        letters.into_iter().chain(word.chars().skip(plain.chars().count())).collect()
    };
    question.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (service_count, incident_count) =
        (sizes.first().copied().unwrap_or(10_000), sizes.get(1).copied().unwrap_or(100_000) as u64);
    let mut random = Pcg64::seed_from_u64(1);
    let names = services(service_count);
    let (mut snapshot, measured) = picture(&names, &mut random);
    let topology = Arc::clone(&snapshot.topology);
    println!("{} services, {incident_count} incidents", topology.services().len());

    let digests: Vec<Digest> = (1..=incident_count).map(|id| past(id, &names, &topology, &mut random)).collect();
    let mut archive = Archive::default();
    once("archive: all taken in", || digests.iter().for_each(|digest| archive.put(digest)));
    println!("archive: {} bytes an incident", archive.bytes() / archive.len().max(1));
    let mut times = Vec::new();
    for number in 0..500 {
        let digest = past(incident_count + 1 + number, &names, &topology, &mut random);
        let one = || {
            let started = Instant::now();
            let (alike, _) = archive.alike(&Query::like(&digest, &topology), None, 0.25, 5);
            assert!(alike.len() <= 5);
            started.elapsed()
        };
        times.extend((0..PASSES).map(|_| one()).min());
    }
    tell("archive: the five likest", times);
    let changed: Vec<Digest> = (0..2_000).map(|at| past(1 + at * 31, &names, &topology, &mut random)).collect();
    let replaced = changed.iter().map(|digest| {
        let started = Instant::now();
        archive.put(digest);
        started.elapsed()
    });
    tell("archive: one replaced", replaced.collect());

    let mut known = KnownNames::default();
    once("names: all read and sorted in", || known.follow(&snapshot));
    let kinds = Ground { snapshot: &snapshot, zone: Tz::UTC, focus: None, archive: &archive, past: &measured }.names();
    println!("names: {}", kinds.len());
    drop((kinds, known));

    let file: File = toml::from_str(include_str!("../tests/questions/seen.toml")).expect("it is read by a test");
    let to: BTreeMap<&str, &String> = SHOP.iter().copied().zip(names.iter().skip(100)).collect();
    let mut conversation = Conversation::default();
    let mut first = true;
    let mut all = Vec::new();
    for (what, is_moved, is_slipped) in [
        ("questions as they are", false, false),
        ("with services of the estate", true, false),
        ("with a slip in their names", true, true),
    ] {
        let questions: Vec<String> = file
            .question
            .iter()
            .map(|it| if is_moved { moved(&it.ask, &to, is_slipped) } else { it.ask.clone() })
            .collect();
        // As a picture stands still, and as each second brings another.
        for is_live in [false, true] {
            let mut times: Vec<Duration> = Vec::new();
            for at in 0..PASSES * questions.len() {
                let question = &questions[at % questions.len()];
                if is_live {
                    tick(&mut snapshot, &mut random);
                }
                let ground =
                    Ground { snapshot: &snapshot, zone: Tz::UTC, focus: None, archive: &archive, past: &measured };
                let started = Instant::now();
                let answer = conversation.ask(question, &ground);
                let took = started.elapsed();
                assert!(!answer.lead.text().is_empty(), "{question}");
                if first {
                    println!(
                        "first question, with all that is learnt and read once: {:.1} ms",
                        took.as_secs_f64() * 1e3
                    );
                    first = false;
                }
                match times.get_mut(at % questions.len()) {
                    Some(least) => *least = took.min(*least),
                    None => times.push(took),
                }
            }
            if std::env::var_os("HYPO_ASK_SLOW").is_some() {
                for (question, took) in questions.iter().zip(&times).filter(|(_, took)| took.as_millis() >= 5) {
                    println!("  {:>7.2} ms  {question}", took.as_secs_f64() * 1e3);
                }
            }
            all.extend(times.iter().copied());
            tell(&format!("{what}{}", if is_live { ", every one in another picture" } else { "" }), times);
        }
    }
    tell("all of them", all);
    let used: BTreeSet<&str> = to.values().map(|name| name.as_str()).collect();
    println!("{} MiB in all; {} services were asked about", resident_mib(), used.len());
}

/// A second later: another machine departs, an edge was seen again.
fn tick(snapshot: &mut Snapshot, random: &mut Pcg64) {
    snapshot.revision += 1;
    snapshot.at = snapshot.at + SECOND_MS;
    let at = random.random_range(0..snapshot.anomalies.len());
    if let Some(anomaly) = snapshot.anomalies.get_mut(at) {
        Arc::make_mut(anomaly).instance = Some(Arc::from(format!("new-machine-{}", snapshot.revision)));
    }
    // Whoever sees a call again writes it down, into a topology of its own.
    snapshot.topology = Arc::new(snapshot.topology.as_ref().clone());
}
