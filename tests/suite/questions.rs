//! What Ask understands of the questions in `tests/questions`: intents, slots and whether they can be answered.
//!
//! The half in `unseen.toml` was written and split off before the first rule, and is not read by whoever writes rules. How much
//! of each half is understood is asked for with `--nocapture`; the bounds below are what was reached when they were written.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use hypocenter::engine::ask::intent::Intent;
use hypocenter::engine::ask::names::{Kind, Name};
use hypocenter::engine::ask::reading::{Reader, Reading, Standing};
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
    assert!(intents >= 88.0 && slots >= 94.0 && states >= 95.0, "{intents:.1} {slots:.1} {states:.1}");
}
