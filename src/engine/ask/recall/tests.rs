//! What an archive finds and says, and that its history changes nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::engine::ask::metric::Concept;
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    CauseKind, ChangeKind, Direction, EdgeNotice, EdgeOrigin, IncidentId, RunId, ServiceName, Topology,
};

fn sign(service: &str, metric: &str, concept: Concept) -> Sign {
    let (service, concept) = (ServiceName::new(service), Some(concept));
    Sign { service, metric: metric.into(), concept, direction: Direction::Above }
}

fn digest(id: u64, origin: &str, signs: Vec<Sign>) -> Digest {
    Digest {
        id: IncidentId(id),
        title: format!("{origin} is not well").into(),
        started_at: Timestamp(i64::try_from(id).unwrap() * 1_000),
        ended_at: None,
        origin: Some(ServiceName::new(origin)),
        services: vec![ServiceName::new(origin)],
        signs,
        lines: Vec::new(),
        alerts: Vec::new(),
        cause: None,
        changes: Vec::new(),
        acts: Vec::new(),
        text: String::new(),
    }
}

fn calls(pairs: &[(&str, &str)]) -> Topology {
    let mut topology = Topology::default();
    for (caller, callee) in pairs {
        topology.observe(&EdgeNotice {
            source: "configuration".into(),
            caller: ServiceName::new(caller),
            callee: ServiceName::new(callee),
            origin: EdgeOrigin::Configured,
            seen_at: Timestamp(0),
        });
    }
    topology
}

fn of(digests: &[Digest]) -> Archive {
    let mut archive = Archive::default();
    digests.iter().for_each(|digest| archive.put(digest));
    archive
}

fn ids(archive: &Archive, query: &Query) -> Vec<u64> {
    archive.alike(query, None, 0.0, 10).0.iter().map(|alike| alike.past.id.0).collect()
}

#[test]
fn the_same_service_goes_before_its_neighbour_and_that_before_one_of_the_same_kind() {
    let errors = |service: &str| vec![sign(service, "error_ratio", Concept::Errors)];
    let archive = of(&[
        digest(1, "mail", vec![sign("mail", "queue_depth", Concept::Queue)]),
        digest(2, "stock-db", errors("stock-db")),
        digest(3, "orders", errors("orders")),
        digest(4, "orders-db", errors("orders-db")),
        digest(5, "search", errors("search")),
    ]);
    let topology = calls(&[("orders", "orders-db"), ("mail", "stock-db")]);
    let query = Query::like(&digest(9, "orders-db", errors("orders-db")), &topology);
    assert_eq!(ids(&archive, &query), [4, 3, 2, 5, 1], "{:#?}", archive.alike(&query, None, 0.0, 9));
    let (alike, count) = archive.alike(&query, Some(IncidentId(4)), 0.0, 2);
    assert_eq!((alike[0].past.id, alike.len(), count), (IncidentId(3), 2, 4));
}

#[test]
fn reasons_say_what_is_shared_and_what_helped() {
    let mut past = digest(1, "auth", vec![sign("auth", "error_ratio", Concept::Errors)]);
    past.lines = vec!["dial tcp <*>: connection refused".into()];
    past.cause = Some(PastCause {
        kind: CauseKind::NetworkPolicy,
        service: "auth".into(),
        title: "network policy <*>".into(),
        change: Some(ChangeKind::Network),
    });
    let act = |run, helped| PastAct { run: RunId(run), runbook: "revert-policy".into(), helped, took_ms: Some(60_000) };
    past.acts = vec![act(1, false), act(2, true)];
    let mut now = Digest { id: IncidentId(7), ..past.clone() };
    now.acts.clear();
    let others = (2..30).map(|id| digest(id, "cart", vec![sign("cart", "latency", Concept::Latency)]));
    let archive = of(&others.chain([past]).collect::<Vec<_>>());
    let (alike, _) = archive.alike(&Query::like(&now, &Topology::default()), None, 0.2, 5);
    let [found] = alike.as_slice() else { panic!("{alike:#?}") };
    assert!(found.likeness > 0.9 && found.past.remedy.as_ref().unwrap().run == RunId(2), "{found:#?}");
    assert!(found.reasons.contains(&Reason::SameCauseAt(CauseKind::NetworkPolicy, "auth".into())), "{found:#?}");
    assert!(found.reasons.contains(&Reason::SameLine("dial tcp <*>: connection refused".into())), "{found:#?}");
    assert!(!found.reasons.contains(&Reason::SameCause(CauseKind::NetworkPolicy)), "it is said already: {found:#?}");
}

#[test]
fn what_was_written_is_found_by_its_words() {
    let mut past = digest(3, "auth", Vec::new());
    past.text = "The certificate of the gateway had expired; nobody had renewed it.".to_owned();
    let archive = of(&[digest(1, "auth", Vec::new()), digest(2, "cart", Vec::new()), past]);
    let found = ids(&archive, &Query::about("certificates? an expired certificate!", []));
    assert_eq!(found, [3]);
    assert!(Query::about("12 7f3e9d1 ?", []).is_empty());
}

/// What happens to an archive.
#[derive(Debug, Clone)]
enum Event {
    Put(Box<Digest>),
    Forget(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let names = ["cart", "orders-db", "stock-db", "search"];
    let metrics = [("error_ratio", Concept::Errors), ("latency", Concept::Latency), ("cpu", Concept::Cpu)];
    let put = (0..8_u64, 0..4_usize, proptest::collection::vec((0..4_usize, 0..3_usize), 0..5)).prop_map(
        move |(id, origin, signs)| {
            let signs = signs.iter().map(|(at, metric)| sign(names[*at], metrics[*metric].0, metrics[*metric].1));
            Event::Put(Box::new(digest(id, names[origin], signs.collect())))
        },
    );
    prop_oneof![4 => put, 1 => (0..8_u64).prop_map(Event::Forget)]
}

proptest! {
    #[test]
    fn an_archive_with_a_history_finds_what_one_made_anew_finds(
        events in proptest::collection::vec(event(), 0..60),
        asked in event(),
    ) {
        let (mut archive, mut there) = (Archive::default(), BTreeMap::new());
        for event in events {
            match event {
                Event::Put(digest) => {
                    archive.put(&digest);
                    there.insert(digest.id, *digest);
                }
                Event::Forget(id) => {
                    archive.forget(IncidentId(id));
                    there.remove(&IncidentId(id));
                }
            }
        }
        let anew = of(&there.values().rev().cloned().collect::<Vec<_>>());
        prop_assert_eq!((archive.len(), anew.len()), (there.len(), there.len()));
        let Event::Put(asked) = asked else { return Ok(()) };
        let query = Query::like(&asked, &calls(&[("cart", "orders-db"), ("search", "stock-db")]));
        prop_assert_eq!(archive.alike(&query, None, 0.0, 5), anew.alike(&query, None, 0.0, 5));
    }
}

#[test]
fn an_archive_that_was_closed_up_finds_the_same() {
    let of_service = |id: u64| digest(id, if id.is_multiple_of(3) { "cart" } else { "search" }, Vec::new());
    let mut archive = Archive::default();
    for round in 0..3_u64 {
        (0..2_000).for_each(|id| archive.put(&of_service(id + round)));
    }
    (5..2_002).for_each(|id| archive.forget(IncidentId(id)));
    let anew = of(&(0..5).map(of_service).collect::<Vec<_>>());
    let query = Query::about("well", ["cart"]);
    assert_eq!(archive.alike(&query, None, 0.0, 9), anew.alike(&query, None, 0.0, 9));
    assert_eq!(archive.get(IncidentId(3)).map(|past| past.id), Some(IncidentId(3)));
    assert!(archive.bytes() < 400_000, "{}", archive.bytes());
}
