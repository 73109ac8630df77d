//! Questions and answers as they cross a socket: what is read back is what was sent, and it is answered alike.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono_tz::Tz;
use hypocenter::engine::ask::conversation::Conversation;
use hypocenter::engine::ask::ground::Ground;
use hypocenter::engine::ask::reading::Reading;
use hypocenter::engine::ask::recall::Archive;
use hypocenter::engine::ask::time::span::{Laid, Span};
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::inquiry::{Inquiry, Telling};
use hypocenter::engine::model::{IncidentId, PastValues};
use hypocenter::engine::snapshot::Snapshot;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::questions::at_its_height;

/// The same after it was written and read.
#[track_caller]
fn sent<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_vec(value).unwrap();
    serde_json::from_slice(&text).unwrap_or_else(|problem| panic!("{problem}: {}", String::from_utf8_lossy(&text)))
}

/// What stands under `key` in JSON: a name, or the name that its value is under.
fn tag(value: &Value) -> String {
    match value {
        Value::Object(fields) => fields.keys().next().cloned().unwrap_or_default(),
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

/// What was met of the kinds that readings and answers are made of.
#[derive(Default)]
struct Met {
    standings: BTreeSet<String>,
    remarks: BTreeSet<String>,
    citations: BTreeSet<String>,
    count: usize,
}

/// Asks each of `questions` after the one before, sends everything there and back, and answers what arrives.
fn travel(questions: &[&str], zone: Tz, (snapshot, past): &(Arc<Snapshot>, PastValues), met: &mut Met) {
    let archive = Archive::default();
    let ground = Ground { snapshot, zone, focus: Some(IncidentId(1)), archive: &archive, past };
    let mut conversation = Conversation::default();
    let mut before: Option<Arc<Reading>> = None;
    for question in questions {
        let inquiry = Inquiry {
            text: Arc::from(*question),
            before: before.take(),
            zone,
            focus: ground.focus,
            wants_model: question.len().is_multiple_of(2),
        };
        let arrived = sent(&inquiry);
        assert_eq!(arrived, inquiry, "{question}");
        let reading = conversation.read_after(&arrived.text, arrived.before.as_deref(), &ground);
        let answer = conversation.answer_to(&reading, &ground);
        // A reading that is equal is answered alike; a few are tried.
        if met.count.is_multiple_of(16) {
            assert_eq!(conversation.answer_to(&sent(&reading), &ground), answer, "{question}");
        }
        let json = serde_json::to_value(&reading).unwrap();
        met.standings.insert(tag(&json["standing"]));
        met.remarks.extend(json["remarks"].as_array().unwrap().iter().map(tag));
        for claim in answer.all_claims() {
            assert_eq!(sent(claim).pieces().collect::<Vec<_>>(), claim.pieces().collect::<Vec<_>>());
            met.citations.extend(claim.citations().iter().map(|from| tag(&serde_json::to_value(from).unwrap())));
        }
        let telling = Telling::Answer { reading: Arc::new(reading), answer: Arc::new(answer) };
        assert_eq!(sent(&telling), telling, "{question}");
        if let Telling::Answer { reading, .. } = telling {
            before = Some(reading);
        }
        met.count += 1;
    }
}

#[test]
fn questions_and_answers_arrive_as_they_were_sent() {
    #[derive(serde::Deserialize)]
    struct File {
        question: Vec<Question>,
    }
    #[derive(serde::Deserialize)]
    struct Question {
        ask: String,
    }
    let file: File = toml::from_str(include_str!("../questions/seen.toml")).unwrap();
    let questions: Vec<&str> = file.question.iter().map(|question| question.ask.as_str()).collect();
    let height = at_its_height();
    let mut met = Met::default();
    for (at, some) in questions.chunks(8).enumerate() {
        let zone = [Tz::UTC, Tz::Europe__Berlin, Tz::America__New_York][at % 3];
        travel(some, zone, &height, &mut met);
    }
    assert!(met.count > 300, "{}", met.count);
    // What the questions of the shop have none of.
    let more = [
        "what changed since 9:00 CST",
        "what changed at 10:00 CET on 2026-07-01",
        "what changed at 3",
        "what changed on 3/4",
        "errors next weekend",
        "errors of web in the last 9999 years",
        "errors of web in the last 1.1s",
        "errors of web on 2026-03-29 at 02:30",
    ];
    travel(&more, Tz::Europe__Berlin, &height, &mut met);
    let all = |wanted: &[&str]| wanted.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let standings = all(&["clear", "unknown_name", "out_of_scope", "refused", "ambiguous"]);
    assert!(met.standings.is_superset(&standings), "{:?}", met.standings);
    let remarks = all(&["shared", "out_of_season", "day_first", "either_half", "coming"]);
    println!("{:?} {:?} {:?}", met.standings, met.remarks, met.citations);
    assert!(met.remarks.len() >= 3 && met.remarks.is_subset(&remarks), "{:?}", met.remarks);
    assert!(met.citations.len() >= 10, "{:?}", met.citations);
}

#[test]
fn a_zone_travels_by_its_name_and_another_is_refused() {
    let inquiry =
        Inquiry { text: "why".into(), before: None, zone: Tz::Asia__Kolkata, focus: None, wants_model: false };
    let json = serde_json::to_value(&inquiry).unwrap();
    assert_eq!(json["zone"], "Asia/Kolkata");
    let mut other = json.clone();
    other["zone"] = "Asia/Nowhere".into();
    assert!(serde_json::from_value::<Inquiry>(other).is_err());
    assert_eq!(serde_json::from_value::<Inquiry>(json).unwrap(), inquiry);
}

#[test]
fn every_remark_on_a_time_arrives_and_one_on_an_unknown_abbreviation_does_not() {
    let laid = |said: &str, now: &str, zone: Tz| {
        let now = Timestamp::parse_rfc3339(now).unwrap();
        let laid = hypocenter::engine::ask::time::span::span(said.parse().unwrap(), now, zone, &Default::default());
        let laid = laid.unwrap();
        assert_eq!(sent(&laid), laid, "{said}");
        serde_json::to_value(&laid.remarks).unwrap()
    };
    let summer = "2026-07-15T12:00:00Z";
    for (said, now, remark) in [
        ("at:02:30", "2026-03-29T12:00:00Z", "skipped"),
        ("at:02:30", "2026-10-25T12:00:00Z", "twice"),
        ("at:09:00[CST]", summer, "shared"),
        ("at:09:00[CET]", summer, "out_of_season"),
        ("since:day:mon", summer, "on"),
        ("range:09:00..23:00", summer, "not_over"),
    ] {
        let remarks = laid(said, now, Tz::Europe__Berlin);
        let found: Vec<String> = remarks.as_array().unwrap().iter().map(tag).collect();
        assert!(found.contains(&remark.to_owned()), "{said}: {remarks}");
    }
    let wrong = serde_json::json!({"span": [0, 1], "remarks": [{"out_of_season": "QQQ"}]});
    let problem = serde_json::from_value::<Laid>(wrong).unwrap_err().to_string();
    assert!(problem.contains("QQQ") && problem.contains("CET"), "{problem}");
    let ends = Span { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };
    assert_eq!(sent(&ends), ends);
}
