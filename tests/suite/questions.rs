//! What Ask understands of the questions in `tests/questions`: intents, slots and whether they can be answered.
//!
//! The half in `unseen.toml` was written and split off before the first rule, and is not read by whoever writes rules. How much
//! of each half is understood is asked for with `--nocapture`; the bounds below are what was reached when they were written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;
use hypocenter::engine::ask::answer::{AnswerState, Citation, Claim};
use hypocenter::engine::ask::conversation::Conversation;
use hypocenter::engine::ask::ground::Ground;
use hypocenter::engine::ask::intent::Intent;
use hypocenter::engine::ask::names::{Kind, Name};
use hypocenter::engine::ask::reading::{Reader, Reading, Standing};
use hypocenter::engine::ask::recall::Archive;
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::demo::headless::{self, Approve, Drill};
use hypocenter::engine::demo::scenarios;
use hypocenter::engine::model::{PastValues, Vital};
use hypocenter::engine::runbooks::Library;
use hypocenter::engine::snapshot::Snapshot;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct File {
    question: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    id: String,
    ask: String,
    intent: String,
    state: String,
    #[serde(default)]
    slots: BTreeMap<String, Value>,
    after: Option<String>,
}

/// The names of the shop that the questions are about.
fn reader() -> Reader {
    let names: [(Kind, &[&str]); 11] = [
        (
            Kind::Service,
            &[
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
            ],
        ),
        (Kind::Host, &["web-1", "web-2", "web-3", "web-4", "stage-1", "stage-2", "db-1", "db-2"]),
        (Kind::Region, &["eu-1", "us-2"]),
        (
            Kind::Runbook,
            &[
                "rollback-deploy",
                "release-connections",
                "restart-leaking",
                "revert-network-policy",
                "cancel-slow-query",
                "free-disk",
                "restart-service",
                "revert-config",
            ],
        ),
        (
            Kind::Alert,
            &["HighErrorRate", "HighLatency", "InstanceErrors", "InstanceSlow", "TrafficLost", "DatabaseUnreachable"],
        ),
        (Kind::Package, &["openssl", "libc6", "curl", "sudo", "nginx", "postgresql-15"]),
        (Kind::Ring, &["staging", "early", "production"]),
        (Kind::Owner, &["payments-team", "data-team", "netops", "platform", "mira", "jonas", "ines"]),
        (Kind::Change, &["prod-egress-v847"]),
        (Kind::Version, &["v847", "abc123", "7f3e9d1", "v5.3"]),
        (Kind::Incident, &["INC-1"]),
    ];
    let advisories =
        ["CVE-2026-1234", "CVE-2025-9086", "DSA-6100-1"].map(|text| Name { kind: Kind::Advisory, text: text.into() });
    let of = |(kind, texts): (Kind, &'static [&'static str])| {
        texts.iter().map(move |text| Name { kind, text: Arc::from(*text) })
    };
    Reader::new(names.into_iter().flat_map(of).chain(advisories))
}

fn state(standing: &Standing) -> &'static str {
    match standing {
        Standing::Clear => "answered",
        Standing::UnknownName | Standing::OutOfScope => "unknown",
        Standing::Ambiguous(_) => "ambiguous",
        Standing::Refused => "refused",
    }
}

/// One form for what is written in two: a list of one is its element, spans are counted in minutes.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(all) if all.len() == 1 => plain(&all[0]),
        Value::Array(all) => {
            let mut all: Vec<Value> = all.iter().map(plain).collect();
            all.sort_by_key(ToString::to_string);
            Value::Array(all)
        }
        Value::String(text) => {
            let span = text.strip_prefix("last:").or_else(|| text.strip_prefix("next:"));
            let minutes = span.and_then(|span| {
                let (count, unit) = span.split_at(span.len() - 1);
                let unit = match unit {
                    "m" => 1,
                    "h" => 60,
                    "d" => 1_440,
                    _ => return None,
                };
                Some(count.parse::<u32>().ok()? * unit)
            });
            match minutes {
                Some(minutes) => Value::String(format!("{}{minutes}", &text[..5])),
                None => Value::String(text.clone()),
            }
        }
        other => other.clone(),
    }
}

#[derive(Default)]
struct Score {
    count: usize,
    intents: usize,
    slots: usize,
    states: usize,
    all: usize,
}

fn score(file: &str, is_shown: bool) -> (Score, BTreeMap<String, Score>) {
    let reader = reader();
    let questions: File = toml::from_str(file).unwrap();
    let mut read: BTreeMap<String, Reading> = BTreeMap::new();
    let (mut total, mut families) = (Score::default(), BTreeMap::<String, Score>::new());
    for question in questions.question {
        let before = question.after.as_ref().map(|before| &read[before]);
        let reading = reader.read(&question.ask, before, NaiveDate::from_ymd_opt(2026, 11, 17).unwrap());
        let slots = serde_json::to_value(&reading.slots).unwrap();
        let found: BTreeMap<String, Value> =
            slots.as_object().unwrap().iter().map(|(key, value)| (key.clone(), plain(value))).collect();
        let wanted: BTreeMap<String, Value> =
            question.slots.iter().map(|(key, value)| (key.clone(), plain(value))).collect();
        let intent = Intent::named(&question.intent) == Some(reading.intent);
        let right = [intent, found == wanted, state(&reading.standing) == question.state];
        if is_shown && right != [true; 3] {
            let wrong = |at: usize, text: String| if right[at] { String::new() } else { text };
            println!(
                "{} | {} |{}{}{}",
                question.id,
                question.ask,
                wrong(0, format!(" {} ({:.2})", reading.intent.name(), reading.confidence)),
                wrong(1, format!(" slots {found:?} wanted {wanted:?}")),
                wrong(2, format!(" state {:?}", reading.standing)),
            );
        }
        for score in [&mut total, families.entry(question.intent.clone()).or_default()] {
            score.count += 1;
            score.intents += usize::from(right[0]);
            score.slots += usize::from(right[1]);
            score.states += usize::from(right[2]);
            score.all += usize::from(right == [true; 3]);
        }
        read.insert(question.id, reading);
    }
    (total, families)
}

fn told(name: &str, score: &Score) {
    let share = |count: usize| 100.0 * count as f64 / score.count as f64;
    println!(
        "{name:<18} {:>4}  intent {:>5.1} %  slots {:>5.1} %  state {:>5.1} %  all {:>5.1} %",
        score.count,
        share(score.intents),
        share(score.slots),
        share(score.states),
        share(score.all)
    );
}

/// The share of questions whose intent was found, in per cent; the same of slots and states.
fn shares(score: &Score) -> [f64; 3] {
    [score.intents, score.slots, score.states].map(|count| 100.0 * count as f64 / score.count as f64)
}

#[test]
fn the_half_that_rules_were_written_by_is_understood() {
    let (total, _) = score(include_str!("../questions/seen.toml"), true);
    told("seen", &total);
    let [intents, slots, states] = shares(&total);
    assert!(intents >= 96.0 && slots >= 98.0 && states >= 98.0, "{intents:.1} {slots:.1} {states:.1}");
}

/// Only shares are told, so that a rule cannot be written by a question.
#[test]
fn the_half_that_nobody_read_is_understood() {
    let (total, families) = score(include_str!("../questions/unseen.toml"), false);
    for (name, score) in &families {
        told(name, score);
    }
    told("unseen", &total);
    let [intents, slots, states] = shares(&total);
    assert!(intents >= 95.0 && slots >= 94.0 && states >= 96.0, "{intents:.1} {slots:.1} {states:.1}");
}

/// Written by somebody else, from the list of what may be asked alone, when phrasings and rules were there.
#[test]
fn what_another_writer_asked_afterwards_is_understood() {
    let (total, _) = score(include_str!("../questions/fresh.toml"), false);
    told("fresh", &total);
    let [intents, slots, states] = shares(&total);
    assert!(intents >= 95.0 && slots >= 92.0 && states >= 95.0, "{intents:.1} {slots:.1} {states:.1}");
}

/// The simulated shop when everything that the scenario breaks is broken.
pub fn at_its_height() -> (Arc<Snapshot>, PastValues) {
    let scenario = scenarios::find("firewall-rule").unwrap();
    let start = Timestamp(1_794_925_800_000);
    let drill = Drill { lasts_ms: 180_000, ..Drill::new(scenario, 1, start, Approve::None) };
    let played = headless::play(&drill, &mut |_| {}).unwrap();
    (played.snapshot, played.past)
}

/// What an answer says by itself must hold nothing that could be wrong: numbers and names come from facts alone.
#[test]
fn every_number_and_name_of_an_answer_is_a_fact_with_its_citation() {
    let (snapshot, past) = at_its_height();
    let archive = Archive::default();
    let ground = Ground { snapshot: &snapshot, zone: Tz::UTC, focus: None, archive: &archive, past: &past };
    let names: BTreeSet<String> = ground.names().iter().map(|name| name.text.to_lowercase()).collect();
    // Services are called by words that any sentence may have.
    let is_plain = |word: &str| ["order", "search", "queue", "cache", "web", "cart", "inventory"].contains(&word);
    let (mut claims, mut facts) = (0, 0);
    for file in [include_str!("../questions/seen.toml"), include_str!("../questions/unseen.toml")] {
        let questions: File = toml::from_str(file).unwrap();
        for question in questions.question {
            let answer = Conversation::default().ask(&question.ask, &ground);
            for claim in answer.all_claims() {
                let words: String = claim.words().collect();
                assert!(!words.chars().any(|c| c.is_ascii_digit()), "{}: {words}", question.id);
                let named = words.split(|c: char| !c.is_alphanumeric() && c != '-').map(str::to_lowercase);
                for word in named {
                    assert!(!names.contains(&word) || is_plain(&word), "{}: {word} in {words}", question.id);
                }
                claims += 1;
                facts += claim.facts().count();
            }
            assert!(!answer.lead.text().is_empty(), "{}", question.id);
        }
    }
    println!("{claims} claims, {facts} facts");
    assert!(facts > 2_000, "{facts}");
}

/// What a citation stands for, as JSON: everything that could be read there.
fn cited(snapshot: &Snapshot, citation: &Citation) -> Option<String> {
    fn json(value: &impl serde::Serialize) -> Option<String> {
        serde_json::to_string(value).ok()
    }
    match citation {
        Citation::Incident(id) => json(snapshot.incident(*id)?.as_ref()),
        Citation::Anomaly(id) => json(snapshot.anomaly(*id)?),
        Citation::Alert(name) => {
            let named: Vec<_> = snapshot.alerts.iter().filter(|alert| alert.notice.name == *name).collect();
            if named.is_empty() { None } else { json(&named) }
        }
        Citation::Change(id) => json(snapshot.changes.iter().find(|change| change.id == *id)?.as_ref()),
        Citation::Run(id, step) => {
            let run = snapshot.runs.iter().find(|run| run.id == *id)?;
            if step.is_some_and(|step| step >= run.steps.len()) { None } else { json(run.as_ref()) }
        }
        Citation::Audit(number) => json(snapshot.audit.iter().find(|entry| entry.sequence == *number)?.as_ref()),
        Citation::Runbook(id) => {
            let proposed = snapshot.proposals.values().flatten().find(|proposal| proposal.runbook.id == *id);
            let shipped = || Library::shipped().get(id).and_then(|runbook| json(runbook.as_ref()));
            proposed.and_then(|proposal| json(proposal.as_ref())).or_else(shipped)
        }
        Citation::Source(name) => {
            json(snapshot.sources.iter().find(|source| source.source.as_str() == name.as_ref())?.as_ref())
        }
        Citation::Vital(service, metric) => {
            let is_it = |vital: &&Vital| vital.service.as_str() == service.as_ref() && vital.metric == *metric;
            json(snapshot.vitals.iter().find(is_it)?)
        }
        Citation::Service(name) => {
            let is_known = snapshot.topology.services().iter().any(|service| service.as_str() == name.as_ref());
            if is_known { json(snapshot.topology.as_ref()) } else { None }
        }
        Citation::Patch(key) => json(snapshot.patches.patch(key)?),
        Citation::Rollout(id) => json(&snapshot.rollouts.iter().find(|kept| kept.rollout.id == *id)?.rollout.plan),
        Citation::Occasion(_) => json(snapshot.agenda.as_ref()),
        Citation::Autonomy => json(&snapshot.autonomy),
        Citation::Totals | Citation::Question => Some(String::new()),
    }
}

/// A citation that leads nowhere is worse than none; and what is called by a name is called so where it is from.
#[test]
fn every_citation_leads_somewhere_and_names_stand_in_what_is_cited() {
    let (snapshot, past) = at_its_height();
    let archive = Archive::default();
    let ground = Ground { snapshot: &snapshot, zone: Tz::UTC, focus: None, archive: &archive, past: &past };
    let names: BTreeSet<Arc<str>> = ground.names().into_iter().map(|name| name.text).collect();
    let (mut kinds, mut checked, mut dangling, mut elsewhere) =
        (std::collections::HashSet::new(), 0, BTreeSet::new(), BTreeSet::new());
    for file in [include_str!("../questions/seen.toml"), include_str!("../questions/unseen.toml")] {
        let questions: File = toml::from_str(file).unwrap();
        for question in questions.question {
            let answer = Conversation::default().ask(&question.ask, &ground);
            for fact in answer.all_claims().flat_map(Claim::facts) {
                kinds.insert(std::mem::discriminant(&fact.from));
                let Some(source) = cited(&snapshot, &fact.from) else {
                    dangling.insert(format!("{:?}: {} from {}", answer.intent, fact.text, fact.from));
                    continue;
                };
                let is_total = matches!(fact.from, Citation::Totals | Citation::Question);
                if names.contains(&fact.text) && !is_total {
                    checked += 1;
                    if !source.contains(fact.text.as_ref()) && !fact.from.to_string().contains(fact.text.as_ref()) {
                        elsewhere.insert(format!("{:?}: {} from {}", answer.intent, fact.text, fact.from));
                    }
                }
            }
        }
    }
    println!("{checked} names looked up, {} kinds of source", kinds.len());
    assert!(dangling.is_empty(), "{dangling:#?}");
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
    assert!(checked > 500 && kinds.len() >= 10, "{checked} {}", kinds.len());
}

#[test]
fn the_shop_s_questions_are_answered_from_what_happens_there() {
    let (snapshot, past) = at_its_height();
    let archive = Archive::default();
    let ground = Ground { snapshot: &snapshot, zone: Tz::UTC, focus: None, archive: &archive, past: &past };
    let told = |questions: &[&str]| {
        let mut conversation = Conversation::default();
        let answers: Vec<_> = questions.iter().map(|question| conversation.ask(question, &ground)).collect();
        let last = answers.last().unwrap();
        (last.state, last.all_claims().map(Claim::text).collect::<Vec<_>>().join("\n"))
    };
    for (questions, state, says) in [
        (
            &["what is the root cause"][..],
            AnswerState::Answered,
            "INC-1 was most likely caused by network policy prod-egress-v847",
        ),
        (&["root cause?", "how sure are you"], AnswerState::Answered, "confidence"),
        (&["y is chkout failing"], AnswerState::Answered, "checkout suffers from INC-1"),
        (
            &["what changed before the incident"],
            AnswerState::Answered,
            "network policy prod-egress-v847 applied, by netops",
        ),
        (&["who calls auth"], AnswerState::Answered, "It is called by cart, checkout, payment and web"),
        (&["does cart call payment"], AnswerState::Answered, "No way leads from cart to payment"),
        (&["error rate of web"], AnswerState::Answered, "error_ratio of web is"),
        (&["rps of cart", "and search?"], AnswerState::Answered, "request_rate of search is"),
        (&["p99 of cart"], AnswerState::Answered, "The p99 is not measured here"),
        (&["top 3 by errors"], AnswerState::Answered, "comes first"),
        (&["what should i do next"], AnswerState::Answered, "Begin the runbook"),
        (&["runbook for dns errors"], AnswerState::Answered, "mend-dns speaks of it most."),
        (&["playbook: x509 certificate has expired"], AnswerState::Answered, "renew-certificate speaks of it most."),
        (&["is there a runbook for this"], AnswerState::Answered, "For INC-1, revert-network-policy fits best."),
        (&["runbook for the auth errors"], AnswerState::Answered, "For INC-1, revert-network-policy fits best."),
        (&["playbook for CrashLoopBackOff"], AnswerState::Answered, "mend-crash-loop speaks of it most."),
        (&["has this latency spike happened before"], AnswerState::Answered, "Nothing like INC-1 is known"),
        (&["runbook for a bgp flap"], AnswerState::Answered, "No runbook speaks of bgp and flap"),
        (&["generate a fix for auth without a restart"], AnswerState::Answered, "nothing has been done"),
        (&["what happens if i restart auth now"], AnswerState::Answered, "services depend on it"),
        (&["has this happened before"], AnswerState::Answered, "Nothing like INC-1 is known"),
        (&["is the kill switch on"], AnswerState::Answered, "the kill switch is off"),
        (&["cpu of the db"], AnswerState::Ambiguous, "Which db is meant?"),
        (&["latency of wallet"], AnswerState::Unknown, "Nothing here is called wallet"),
        (&["restart auth now"], AnswerState::Refused, "Nothing is done from here"),
        (&["tell me a joke"], AnswerState::Unknown, "about nothing that is watched here"),
        (&["what changed tomorrow"], AnswerState::Unknown, "is still ahead"),
        (
            &["what changed since the deploy"],
            AnswerState::Answered,
            "The time is told by this: deploy c7a1f04 to inventory",
        ),
        (&["what changed on auth since the deploy"], AnswerState::Answered, "deploy 03bb7e5 to auth, at 13:22:00"),
        (&["what changed since the last change"], AnswerState::Answered, "The time is told by this: network policy"),
        (&["what changed since 9:00 CST"], AnswerState::Answered, "CST was read as UTC-06:00"),
        (&["what changed between 12 and 2 pm"], AnswerState::Answered, "known between"),
        (&["top 3 by errors except web"], AnswerState::Answered, "comes first"),
        (&["what is broken except auth"], AnswerState::Answered, "Not left out, though that was asked for: auth."),
        (&["nothing was deployed, right?"], AnswerState::Answered, "The question denies"),
        (&["rps of cart yesterday"], AnswerState::Answered, "request_rate of cart was 23.1/s on average"),
        (&["rps of cart yesterday"], AnswerState::Answered, "a mark for 1 h"),
        (&["p95 latency of search at 10:00"], AnswerState::Answered, "between 09:55 and 10:05, from "),
        (&["errors of auth over the last 3 hours"], AnswerState::Answered, "the highest at 14:30"),
        (&["errors of auth over the last 3 hours"], AnswerState::Answered, "At that time of day it was between"),
        (&["error rate of auth now vs yesterday"], AnswerState::Answered, "times as much, which is worse"),
        (&["rps of web versus yesterday"], AnswerState::Answered, "between 2026-11-16 14:20 and 14:35"),
        (&["cart latency today vs yesterday"], AnswerState::Answered, "(the median of slots of 5 min)"),
        (&["compare with last week"], AnswerState::Answered, "No service was named; INC-1 began on auth"),
        (&["compare with last week"], AnswerState::Answered, "only whole hours are known"),
        (
            &["error rate of auth before and after the deploy"],
            AnswerState::Answered,
            "between 13:20 and 14:20, against",
        ),
        (&["latency of checkout: before the incident versus now"], AnswerState::Answered, "between 12:30 and 14:30"),
        (&["cpu of search and catalog yesterday"], AnswerState::Answered, "cpu_used_ratio of catalog was"),
        (&["cpu search vs catalog yesterday"], AnswerState::Answered, "search had the highest then"),
        (&["cpu of payments-db 30 days ago"], AnswerState::Unknown, "are kept from 2026-11-01 00:00 on"),
    ] {
        let (found, text) = told(questions);
        assert!(found == state && text.contains(says), "{questions:?}: {found:?}\n{text}");
    }
    let (_, text) = told(&["runbook for the auth errors"]);
    assert!(text.contains("it speaks of errors") && !text.contains("No runbook speaks of"), "{text}");
    let (_, text) = told(&["runbook for the auth zeppelins"]);
    assert!(text.contains("fits best") && text.contains("No runbook speaks of zeppelins."), "{text}");
}

/// What an answer proposes to ask next is answered when it is asked.
#[test]
fn every_question_that_is_proposed_is_answered() {
    let (snapshot, past) = at_its_height();
    let archive = Archive::default();
    let ground = Ground { snapshot: &snapshot, zone: Tz::UTC, focus: None, archive: &archive, past: &past };
    let questions: File = toml::from_str(include_str!("../questions/seen.toml")).unwrap();
    let mut wrong = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for question in questions.question {
        let mut conversation = Conversation::default();
        let answer = conversation.ask(&question.ask, &ground);
        // Names that are alike, and the choices of what is asked back, are no questions.
        let are_names = conversation
            .last()
            .is_some_and(|reading| matches!(reading.standing, Standing::UnknownName | Standing::Ambiguous(_)));
        for next in answer.next.iter().filter(|_| !are_names) {
            if seen.insert((answer.intent, Arc::clone(next))) {
                let answered = conversation.clone().ask(next, &ground);
                if answered.state != AnswerState::Answered {
                    wrong.insert(format!("{next} after {}: {}", question.ask, answered.lead.text()));
                }
            }
        }
    }
    assert!(seen.len() > 40 && wrong.is_empty(), "{} of {}:\n{wrong:#?}", wrong.len(), seen.len());
}
