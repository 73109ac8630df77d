//! What a run is about: incidents whose causes are named, the runbooks against them, what is measured of their services, and
//! how much the engine may do by itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::clock::{HOUR_MS, MINUTE_MS, Timestamp};
use crate::engine::job::Record;
use crate::engine::model::{
    ActionKind, AutonomyMode, BadWhen, Buckets, CauseKind, Evidence, EvidenceKind, Hypothesis, Incident, IncidentId,
    IncidentSeverity, IncidentState, Labels, Ranking, Safety, Sample, SampleBatch, Score, SeriesDescriptor,
    SeriesNotice, SeriesRole, ServiceName, ShadowRecord, Signal, SourceName, Unit,
};
use crate::engine::runbooks::Library;
use crate::engine::settings::{EngineSettings, HostSettings, Span};

/// When every run begins: 2026-11-02 00:00 UTC.
pub(super) const START: Timestamp = Timestamp(1_793_577_600_000);
/// The only programs there are.
const PROGRAMS: [&str; 4] = ["/sim/act", "/sim/undo", "/sim/look", "/sim/probe"];
/// What a restart of a database must prove first.
pub(super) const PROOFS: [&str; 5] = ["role", "replica_lag", "backup_age", "no_long_transaction", "drain_plan"];
/// A value of a label that is no service.
const HOSTILE: &str = "shop;rm -rf /";
/// Kinds of failure, in turn.
const KINDS: [CauseKind; 3] = [CauseKind::NetworkPolicy, CauseKind::BadConfig, CauseKind::ConnectionsExhausted];

/// The settings of a run. In ASSIST every kind of act may begin by itself.
pub(super) fn settings(is_assisting: bool) -> EngineSettings {
    let mut settings = EngineSettings {
        host: HostSettings { enabled: false, ..HostSettings::default() },
        ..EngineSettings::default()
    };
    // Nothing departs here; what is open stays so until somebody says otherwise.
    settings.correlation.quiet_after = Span(10 * HOUR_MS);
    // Read anew at each decision; a short one is read faster.
    settings.policy.databases = ".*-db-.*".to_owned();
    settings.runbooks.allowed_programs = PROGRAMS.map(str::to_owned).to_vec();
    if is_assisting {
        settings.policy.mode = AutonomyMode::Assist;
        settings.policy.assist = ActionKind::ALL.to_vec();
    }
    settings
}

/// The runbooks: one with probes, one with more acts than an incident may have by itself, and a database's restart.
pub(super) fn library() -> Library {
    let mut library = Library::default();
    let two = act("one", "configure", "") + &act("two", "configure", "idempotent = \"yes\"\n") + &verify();
    library.add_text("mend.md", &page("mend", "network_policy", &(look("see", "") + &two)));
    let many: String = (1..=6).map(|number| act(&format!("sweep-{number}"), "cleanup", "")).collect();
    library.add_text("sweep.md", &page("sweep", "bad_config", &(many + &verify())));
    let proofs: String =
        PROOFS.iter().map(|proof| look(&format!("proof-{}", proof.replace('_', "-")), proof)).collect();
    let restart = act("restart", "restart", "approvals = 2\n");
    library.add_text("database.md", &page("database", "connections_exhausted", &(proofs + &restart + &verify())));
    library
}

/// A page of so many steps, of which every third is an act and every other of those takes two people, and a look whether they helped.
pub(super) fn contested(count: usize) -> Library {
    let mut library = Library::default();
    let step = |index: usize| match contested_kind(index) {
        (false, _) => look(&format!("look-{index}"), ""),
        (true, people) => act(&format!("act-{index}"), "configure", &format!("approvals = {people}\n")),
    };
    library.add_text(
        "contested.md",
        &page("contested", "network_policy", &((0..count).map(step).collect::<String>() + &verify())),
    );
    library
}

/// Whether a step of that page is an act, and how many people must approve it.
pub(super) fn contested_kind(index: usize) -> (bool, usize) {
    match index % 6 {
        2 => (true, 1),
        5 => (true, 2),
        _ => (false, 1),
    }
}

fn page(id: &str, problem: &str, steps: &str) -> String {
    format!(
        "# The page {id}\n\n```toml runbook\nid = \"{id}\"\nversion = \"1\"\nowner = \"team:sim\"\nverified = 2026-11-01\n\
         expires_days = 3650\nproblem = \"{problem}\"\nmax_actions = 8\n\n[params]\nservice = {{ type = \"service\", from = \
         \"cause.service\" }}\n```\n{steps}"
    )
}

fn step(name: &str, body: &str) -> String {
    format!("\nNot when it is not wanted; see that it is.\n\n```toml step {name}\n{body}```\n")
}

fn look(name: &str, proves: &str) -> String {
    let proves = if proves.is_empty() { String::new() } else { format!("proves = [\"{proves}\"]\n") };
    let call = format!("run = [\"/sim/look\", \"{name}\", \"{{service}}\"]");
    step(name, &format!("kind = \"check\"\ntitle = \"look at {name}\"\n{call}\n{proves}timeout = \"30s\"\n"))
}

/// An act that can be taken back and looked at afterwards.
fn act(name: &str, action: &str, more: &str) -> String {
    let call = |key: &str, program: &str| format!("{key} = [\"/sim/{program}\", \"{name}\", \"{{service}}-{name}\"]\n");
    let (run, undo, probe) = (call("run", "act"), call("undo", "undo"), call("probe", "probe"));
    // What may be done twice needs no probe.
    let probe = if more.contains("idempotent") { "" } else { probe.as_str() };
    step(
        name,
        &format!(
            "kind = \"act\"\naction = \"{action}\"\ntitle = \"do {name}\"\neffect = \"reversible\"\n{run}{undo}{probe}{more}\
             rollback = \"the other way\"\ntouches = \"{{service}}-{name}\"\ntimeout = \"30s\"\ndanger = \"low\"\nexpected = \"it is better\"\n\
             within = \"2m\"\n"
        ),
    )
}

fn verify() -> String {
    step(
        "back",
        "kind = \"verify\"\ntitle = \"see that it is back\"\nmetric = \"sim_errors\"\nservice = \"{service}\"\nbelow = 0.05\n\
         for = \"1m\"\ntimeout = \"4m\"\n",
    )
}

/// The call that a step of these pages makes, told without the engine: words with the service put in.
pub(super) fn words(program: &str, step: &str, service: &str) -> Vec<String> {
    let of = if program == "/sim/look" { service.to_owned() } else { format!("{service}-{step}") };
    vec![program.to_owned(), step.to_owned(), of]
}

/// The service that incident `number` is about; every tenth is none.
pub(super) fn service(number: u64) -> String {
    match number {
        number if number % 10 == 9 => HOSTILE.to_owned(),
        // Some share theirs with another incident, and so their targets.
        number if number % 3 == 2 => format!("shop-db-{}", number % 2),
        number => format!("shop-{number}"),
    }
}

/// An incident of this moment, its cause named with as much certainty as there is.
pub(super) fn incident(number: u64, now: Timestamp) -> Incident {
    let service = ServiceName::new(&service(number));
    let kind = usize::try_from(number).ok().and_then(|number| KINDS.get(number % KINDS.len()).copied());
    let evidence = |kind, text: &str| Evidence { kind, text: text.into(), weight: 2.0, at: Some(now), target: None };
    let hypothesis = Hypothesis {
        kind: kind.unwrap_or(CauseKind::Unknown),
        service: service.clone(),
        change: None,
        title: "what the simulation says".into(),
        confidence: Score::new(0.97),
        evidence_for: vec![
            evidence(EvidenceKind::Change, "applied right before"),
            evidence(EvidenceKind::Topology, "all that fails reaches it"),
            evidence(EvidenceKind::Order, "it was the first"),
        ],
        evidence_against: Vec::new(),
        impact_chain: vec![service.clone()],
        buckets: Buckets { cause: vec![service.clone()], first_failure: Vec::new(), impact: Vec::new() },
        disproved_by: "nothing".into(),
    };
    Incident {
        id: IncidentId(number),
        title: format!("{service} fails").into(),
        severity: IncidentSeverity::Sev2,
        is_severity_set_by_hand: false,
        // What is not mitigated yet is ranked anew with each word about it, and there is nothing here to rank it by.
        state: IncidentState::Mitigated,
        started_at: now,
        opened_at: now,
        acknowledged_at: None,
        mitigated_at: Some(now),
        resolved_at: None,
        merged_into: None,
        split_from: None,
        reopen_count: 0,
        updated_at: now,
        owner: None,
        services: BTreeMap::from([(service, now)]),
        anomalies: BTreeSet::new(),
        alerts: BTreeSet::new(),
        changes: BTreeSet::new(),
        folded_count: 0,
        timeline: Vec::new(),
        ranking: Ranking { hypotheses: vec![hypothesis], unresolved: None },
        runs: Vec::new(),
    }
}

/// What silent trials have shown before the run begins: every kind of act was what people did.
pub(super) fn trials() -> Record {
    let agreed = ShadowRecord { agreed: 400, differed: 0 };
    let shadow = ActionKind::ALL.into_iter().map(|action| (action, agreed)).collect();
    let safety = Safety { shadow, ..Safety::default() };
    // Plain data: it always has a text.
    let value = serde_json::to_string(&safety).unwrap_or_default();
    Record::Setting { name: "safety".to_owned(), value }
}

/// The source of all that is measured.
fn source() -> SourceName {
    SourceName::new("sim")
}

/// Says what the series of incident `number` is; some are never measured.
pub(super) fn series(number: u64) -> Option<Signal> {
    let descriptor = SeriesDescriptor {
        metric: "sim_errors".into(),
        service: ServiceName::new(&service(number)),
        instance: None,
        unit: Unit::Ratio,
        role: SeriesRole::Errors,
        bad_when: BadWhen::High,
        is_skewed: false,
        limit: None,
        interval_ms: u32::try_from(MINUTE_MS / 6).unwrap_or(u32::MAX),
        labels: Labels::default(),
    };
    let local = u32::try_from(number).ok()?;
    (number % 4 != 1).then(|| Signal::Series(SeriesNotice { source: source(), local, descriptor }))
}

/// What is measured of it: all is well, as far as that can be seen.
pub(super) fn samples(numbers: impl Iterator<Item = u64>, at: Timestamp) -> Signal {
    let numbers = numbers.filter(|number| number % 4 != 1).filter_map(|number| u32::try_from(number).ok());
    let samples = numbers.map(|local| Sample { local, at, value: 0.01 }).collect();
    Signal::Samples(SampleBatch { source: source(), is_backfill: false, samples })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_without_mistakes_and_an_incident_gets_one_of_them() {
        let library = library();
        assert_eq!(library.problems(), []);
        for runbook in library.iter() {
            assert_eq!(runbook.mistake, None, "{}", runbook.id);
        }
        assert_eq!(library.iter().count(), KINDS.len());
        let contested = contested(12);
        assert_eq!(contested.problems(), []);
        assert!(contested.iter().all(|runbook| runbook.mistake.is_none()));
    }
}
