//! What may go into a command, and what comes out of it.

use proptest::prelude::*;

use super::*;
use crate::engine::clock::Timestamp;
use crate::engine::model::{
    AnomalyId, Buckets, Call, CauseKind, ChangeId, ChangeKind, ChangeNotice, CheckSpec, EdgeNotice, EdgeOrigin,
    IncidentId, IncidentSeverity, Look, Ranking, Score, SeriesRole, ServiceName, SourceName, StepEffect, StepKind,
    StepSpec, Unexpected,
};
use crate::engine::runbooks::fill::texts;
use crate::engine::runbooks::library::Library;
use crate::engine::runbooks::propose::{misfits, propose};
use crate::engine::world::fixtures::anomaly;

fn hypothesis(kind: CauseKind, service: &str, change: Option<u64>, confidence: f64) -> Hypothesis {
    Hypothesis {
        kind,
        service: ServiceName::new(service),
        change: change.map(ChangeId),
        title: Arc::from("title"),
        confidence: Score::new(confidence),
        evidence_for: Vec::new(),
        evidence_against: Vec::new(),
        impact_chain: Vec::new(),
        buckets: Buckets::default(),
        disproved_by: Arc::from(""),
    }
}

fn incident(hypotheses: Vec<Hypothesis>) -> Incident {
    Incident {
        title: Arc::from("checkout fails"),
        severity: IncidentSeverity::Sev2,
        services: BTreeMap::from([(ServiceName::new("payment"), Timestamp(0))]),
        changes: BTreeSet::from([ChangeId(9)]),
        ranking: Ranking { hypotheses, unresolved: None },
        ..Incident::opened(IncidentId(42), Timestamp(0), Timestamp(0))
    }
}

fn incident_of(kind: CauseKind, change: Option<u64>) -> Incident {
    incident(vec![hypothesis(kind, "payment", change, 0.9)])
}

fn world(version: &str) -> World {
    let mut world = World::default();
    let mut topology = (*world.topology).clone();
    topology.observe(&EdgeNotice {
        source: SourceName::new("s"),
        caller: ServiceName::new("payment"),
        callee: ServiceName::new("payment-db"),
        origin: EdgeOrigin::Configured,
        seen_at: Timestamp(0),
    });
    world.topology = Arc::new(topology);
    let notice = ChangeNotice {
        source: SourceName::new("deploys"),
        external_id: Arc::from("dep-1"),
        kind: ChangeKind::Deploy,
        service: Some(ServiceName::new("payment")),
        title: Arc::from("deploy abc123 to payment"),
        version: Some(Arc::from(version)),
        author: None,
        url: None,
        at: Timestamp(0),
        finished_at: None,
        has_taken_effect: true,
        content: None,
    };
    world.changes.insert(ChangeId(9), Arc::new(Change { id: ChangeId(9), notice }));
    world
}

fn text_param(from: &str, pattern: Option<&str>, choices: &[&str]) -> ParamSpec {
    ParamSpec {
        kind: ParamKind::Text,
        from: Arc::from(from),
        pattern: pattern.map(Arc::from),
        tech: Arc::from(""),
        choices: choices.iter().map(|choice| Arc::from(*choice)).collect(),
        min: None,
        max: None,
    }
}

/// A runbook that echoes one parameter.
fn echo(spec: ParamSpec) -> Runbook {
    let step = StepSpec {
        name: Arc::from("echo"),
        title: Arc::from("say {x}"),
        text: Arc::from(""),
        kind: StepKind::Check(CheckSpec {
            look: Look::Call {
                call: Call::Command { argv: ["echo", "a={x}", "{x}", "{y}", "{.items}"].map(Arc::from).to_vec() },
                expect: Arc::from(""),
                exit: 0,
                lines_min: 0,
                only: None,
            },
            otherwise: Unexpected::Pause,
            proves: Vec::new(),
        }),
        effect: StepEffect::Read,
        touches: Arc::from("nothing"),
        timeout_ms: 1_000,
    };
    Runbook {
        id: Arc::from("echo"),
        title: Arc::from("Echo"),
        version: Arc::from("1"),
        content_hash: Arc::from("hash"),
        owner: Arc::from("us"),
        origin: Arc::from("test"),
        problems: vec![CauseKind::BadDeploy],
        service_pattern: Arc::from(""),
        place: crate::engine::model::RunbookPlace::Anywhere,
        includes: Vec::new(),
        mistake: None,
        params: BTreeMap::from([(Arc::from("x"), spec)]),
        symptoms: Vec::new(),
        alerts: Vec::new(),
        verified: None,
        expires_days: 90,
        acts_max: 1,
        estimate_seconds: 1,
        steps: vec![step],
    }
}

fn bind_version(version: &str, spec: ParamSpec) -> Result<Binding, BindError> {
    let incident = incident(vec![hypothesis(CauseKind::BadDeploy, "payment", Some(9), 0.9)]);
    bind(&echo(spec), &incident.ranking.hypotheses[0], &world(version), &incident)
}

fn argv(binding: &Binding) -> Vec<&str> {
    let Some(Call::Command { argv }) = binding.steps[0].spec.call() else { panic!("a command") };
    argv.iter().map(AsRef::as_ref).collect()
}

#[test]
fn a_value_is_text_inside_one_argument_and_other_braces_stay() {
    let bound = bind_version("v1; rm -rf / $(id)", text_param("cause.change.version", Some(".*"), &[])).unwrap();
    assert_eq!(argv(&bound), ["echo", "a=v1; rm -rf / $(id)", "v1; rm -rf / $(id)", "{y}", "{.items}"]);
}

#[test]
fn a_value_brings_no_placeholders_of_its_own() {
    let bound = bind_version("{x}", text_param("cause.change.version", Some(".*"), &[])).unwrap();
    assert_eq!(argv(&bound)[1], "a={x}");
}

#[test]
fn hostile_values_are_refused_whatever_the_pattern() {
    for value in [
        "",
        " ",
        "-rf",
        "--flag=x",
        "a\nb",
        "a\0b",
        "a\u{1b}[2J",
        "v\u{202e}1",
        "v\u{200b}",
        "a\rb",
        &"x".repeat(257),
        "AKIAABCDEFGHIJKLMNOP",
    ] {
        let refused = bind_version(value, text_param("cause.change.version", Some("(?s).*"), &[]));
        assert!(matches!(&refused, Err(BindError::Refused { .. })), "{value:?}: {refused:?}");
        let message = refused.unwrap_err().to_string();
        assert!(!message.contains(|c: char| c.is_control() || c == '\u{202e}'), "{message:?}");
    }
}

#[test]
fn types_patterns_and_choices_hold() {
    let of = |kind| ParamSpec {
        kind,
        from: Arc::from("cause.change.version"),
        pattern: None,
        tech: Arc::from(""),
        choices: Vec::new(),
        min: None,
        max: None,
    };
    for (value, spec, is_good) in [
        ("payment", of(ParamKind::Service), true),
        ("payment-db", of(ParamKind::Service), true),
        ("nobody", of(ParamKind::Service), false),
        ("payment/x", of(ParamKind::Service), false),
        ("pay' or '1", of(ParamKind::Service), false),
        ("host-1", of(ParamKind::Host), false),
        ("12", of(ParamKind::Number), true),
        ("1.5", of(ParamKind::Number), true),
        ("1e9", of(ParamKind::Number), false),
        ("nan", of(ParamKind::Number), false),
        ("1.2.3", of(ParamKind::Number), false),
        ("v12", text_param("cause.change.version", Some("v[0-9]+"), &[]), true),
        ("v12x", text_param("cause.change.version", Some("v[0-9]+"), &[]), false),
        ("xv12", text_param("cause.change.version", Some("v[0-9]+|y"), &[]), false),
        ("eu", text_param("cause.change.version", None, &["eu", "us"]), true),
        ("as", text_param("cause.change.version", None, &["eu", "us"]), false),
        ("as", text_param("cause.change.version", None, &[]), false),
        ("dep-1", text_param("cause.change.author or cause.change.external_id", Some("dep-.*"), &[]), true),
        ("INC-42", text_param("incident.id", Some("INC-[0-9]+"), &[]), true),
        ("literal", text_param("literal", Some("[a-z]+"), &[]), true),
    ] {
        assert_eq!(bind_version(value, spec.clone()).is_ok(), is_good, "{value} as {spec:?}");
    }
    assert!(matches!(
        bind_version("v1", text_param("cause.change.author", Some(".*"), &[])),
        Err(BindError::Missing { .. })
    ));
}

#[test]
fn the_digest_follows_the_file_the_step_and_every_value() {
    let spec = || text_param("cause.change.version", Some(".*"), &[]);
    let first = bind_version("v1", spec()).unwrap().steps[0].digest.clone();
    assert_eq!(first, bind_version("v1", spec()).unwrap().steps[0].digest);
    assert_ne!(first, bind_version("v2", spec()).unwrap().steps[0].digest);
    let incident = incident(vec![hypothesis(CauseKind::BadDeploy, "payment", Some(9), 0.9)]);
    let mut edited = echo(spec());
    edited.content_hash = Arc::from("other");
    let other = bind(&edited, &incident.ranking.hypotheses[0], &world("v1"), &incident).unwrap();
    assert_ne!(first, other.steps[0].digest);
}

#[test]
fn runbooks_are_proposed_for_the_best_hypothesis_first() {
    let library = Library::shipped();
    let incident = incident(vec![
        hypothesis(CauseKind::BadDeploy, "payment", Some(9), 0.9),
        hypothesis(CauseKind::ConnectionsExhausted, "payment-db", Some(9), 0.05),
        hypothesis(CauseKind::Unavailable, "auth", None, 0.004),
    ]);
    let proposals = propose(&library, &world("v1"), &incident);
    let ids: Vec<&str> = proposals.iter().map(|proposal| proposal.runbook.id.as_ref()).collect();
    assert_eq!(ids, ["rollback-deploy", "release-connections"]);
    assert_eq!(proposals[0].reason.as_ref(), "against bad deploy of payment (90 %)");
    assert!(proposals[1].reason.starts_with("against connections of payment-db exhausted, less likely"));
    let run = proposals[0].steps[1].spec.call().unwrap().words();
    assert_eq!(run.join(" "), "kubectl rollout undo deployment/payment -n prod");
    assert_eq!(proposals[1].params.get("client").unwrap().as_ref(), "payment");
    for step in proposals.iter().flat_map(|proposal| &proposal.steps) {
        for text in texts(&step.spec) {
            assert_eq!(placeholders(&text).next(), None, "{text}");
        }
    }
}

#[test]
fn what_cannot_be_filled_is_not_proposed() {
    let incident = incident_of(CauseKind::NetworkPolicy, None);
    assert_eq!(propose(&Library::shipped(), &world("v1"), &incident), []);
    let told = misfits(&Library::shipped(), &world("v1"), &incident, &[]);
    let told: Vec<(&str, &str)> = told.iter().map(|one| (one.runbook.as_ref(), one.reason.as_ref())).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, "revert-network-policy");
    assert!(told[0].1.starts_with("fits but needs `") && told[0].1.contains("there is no cause.change."), "{told:?}");
    let policy = |version: &str| {
        let blamed = incident_of(CauseKind::NetworkPolicy, Some(9));
        propose(&Library::shipped(), &world(version), &blamed).len()
    };
    assert_eq!(policy("prod-egress-v847"), 1);
    assert_eq!(policy("no policy; rm"), 0, "a refused value is not replaced by another one");
}

#[test]
fn what_is_for_a_cluster_is_not_offered_on_the_machine_nor_the_other_way_round() {
    let incident = incident_of(CauseKind::DiskFull, None);
    let offered = |world: &World| -> Vec<String> {
        propose(&Library::shipped(), world, &incident).iter().map(|proposal| proposal.runbook.id.to_string()).collect()
    };
    let mut world = world("v1");
    assert_eq!(offered(&world), ["free-disk"]);
    world.machines.insert(ServiceName::new("another"));
    assert_eq!(offered(&world), ["free-disk"]);
    world.machines.insert(ServiceName::new("payment"));
    assert_eq!(offered(&world), ["free-machine-disk"]);
}

#[test]
fn of_several_services_with_a_departure_the_cause_is_meant_and_one_that_is_no_harm_never() {
    let incident = |members: &[u64]| {
        let mut incident = incident_of(CauseKind::MemoryLeak, None);
        incident.anomalies = members.iter().map(|id| AnomalyId(*id)).collect();
        incident
    };
    let world = |members: &[(u64, &str, bool)]| {
        let mut world = world("v1");
        for (id, service, is_harmful) in members {
            let mut member = anomaly(*id, service, "memory_bytes", SeriesRole::Saturation, 0);
            member.is_harmful = *is_harmful;
            world.anomalies.insert(member.id, Arc::new(member));
        }
        world
    };
    let value = |world: &World, incident: &Incident| {
        let runbook = echo(text_param("anomaly.service.memory_bytes", Some(".*"), &[]));
        bind(&runbook, &incident.ranking.hypotheses[0], world, incident).ok().map(|bound| bound.params["x"].to_string())
    };
    for (members, of_incident, wanted) in [
        (&[(1, "db", true), (2, "payment", true)][..], &[1, 2][..], Some("payment")),
        (&[(1, "db", true), (2, "payment", true)], &[1], Some("payment")),
        (&[(1, "db", true), (2, "cache", true)], &[1, 2], None),
        (&[(1, "db", true), (2, "cache", false)], &[1, 2], Some("db")),
        (&[(1, "db", true)], &[], None),
    ] {
        assert_eq!(value(&world(members), &incident(of_incident)).as_deref(), wanted, "{members:?} {of_incident:?}");
    }
}

proptest! {
    #[test]
    fn no_value_changes_the_number_of_arguments(value in "\\PC{1,40}") {
        if let Ok(bound) = bind_version(&value, text_param("cause.change.version", Some("(?s).*"), &[])) {
            let a = format!("a={value}");
            prop_assert_eq!(argv(&bound), ["echo", a.as_str(), value.as_str(), "{y}", "{.items}"]);
            prop_assert!(!value.starts_with('-'));
        }
    }
}

#[test]
fn the_database_is_the_one_that_the_cause_calls_and_never_the_service_itself() {
    let library = Library::shipped();
    let runbook = library.get("release-connections").unwrap();
    let incident = incident(vec![hypothesis(CauseKind::ConnectionsExhausted, "payment", Some(9), 0.9)]);
    let lead = &incident.ranking.hypotheses[0];
    let mut world = world("v1");
    let bound = bind(runbook, lead, &world, &incident).unwrap();
    assert_eq!((bound.params["db"].as_ref(), bound.params["client"].as_ref()), ("payment-db", "payment"));

    let mut call = |callee: &str| {
        let mut topology = (*world.topology).clone();
        topology.observe(&EdgeNotice {
            source: SourceName::new("s"),
            caller: ServiceName::new("payment"),
            callee: ServiceName::new(callee),
            origin: EdgeOrigin::Configured,
            seen_at: Timestamp(0),
        });
        world.topology = Arc::new(topology);
        bind(runbook, lead, &world, &incident).map(|bound| bound.params["db"].clone())
    };
    assert_eq!(call("fraud").as_deref(), Ok("payment-db"), "what is no database is not meant");
    assert!(matches!(call("audit-db"), Err(BindError::Refused { .. })), "one of two would be a guess");
}
