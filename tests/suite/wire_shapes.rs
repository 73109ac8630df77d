//! The shapes of everything that crosses a socket, held against those that were written down for this number of the wire: a change
//! that would not be understood by the other end does not go unseen.
//!
//! Pictures have no names on the wire, so theirs are read off the types: every field and every variant in order. What is JSON is
//! held as its text.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use hypocenter::engine::ask::answer::{Answer, AnswerState, Citation, Claim, Fact, Form};
use hypocenter::engine::ask::assistant::saying::{
    CheckedSentence, Draft, Ended, Placed, Saying, Spent, ToldClaim, Verdict,
};
use hypocenter::engine::ask::intent::Intent;
use hypocenter::engine::ask::metric::Concept;
use hypocenter::engine::ask::reading::{Doubt, Reading, Standing};
use hypocenter::engine::ask::slots::{Constraint, Deed, Polarity, Slots};
use hypocenter::engine::ask::time::remark::Remark;
use hypocenter::engine::ask::time::span::Span;
use hypocenter::engine::attach::WIRE;
use hypocenter::engine::attach::delta::{Delta, diff};
use hypocenter::engine::attach::frame::Frame;
use hypocenter::engine::attach::message::{FromConsole, FromEngine, SettingsMark, Welcome};
use hypocenter::engine::clock::Timestamp;
use hypocenter::engine::inquiry::{Inquiry, Telling};
use hypocenter::engine::model::{AnomalyId, ChangeId, IncidentId, Person, Role, RolloutId, RunId};
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::snapshot::Snapshot;
use serde::de::DeserializeOwned;

use crate::shapes;

fn tell<T: DeserializeOwned>(text: &mut String, title: &str) {
    writeln!(text, "\n# {title}\n{}", shapes::of::<T>().trim_end()).unwrap();
}

fn reading() -> Reading {
    let all = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<Vec<Arc<str>>>();
    let some = |name: &str| Some(Arc::<str>::from(name));
    Reading {
        intent: Intent::WhySlow,
        slots: Slots {
            service: all(&["cart", "web"]),
            host: some("web-1"),
            metric: Some(Concept::Latency),
            quantile: some("p99"),
            region: all(&["eu-1"]),
            time: Some("since:09:00[CST]".parse().unwrap()),
            versus: Some("last:1500ms".parse().unwrap()),
            incident: some("this"),
            change: some("last"),
            version: some("1.2"),
            package: some("curl"),
            advisory: some("CVE-2026-1"),
            ring: some("early"),
            runbook: some("free-disk"),
            alert: some("HighLatency"),
            owner: some("mira"),
            severity: some("critical"),
            action: Some(Deed::Restart),
            count: Some(3),
            step: Some(2),
            text: some("timeout"),
            constraint: BTreeSet::from([Constraint::NoRestart, Constraint::Gradual]),
            except: all(&["auth"]),
            polarity: Some(Polarity::Negative),
            unknown_name: some("wallet"),
        },
        implied: Some(Concept::Cpu),
        standing: Standing::Ambiguous(Doubt::OneOf("db".into(), all(&["auth-db", "orders-db"]))),
        confidence: 0.75,
        also: Some(Intent::Trend),
        is_cut: true,
        mended: vec![("chkout".to_owned(), "checkout".to_owned())],
        remarks: remarks(),
        words: all(&["dns", "errors"]),
    }
}

fn remarks() -> Vec<Remark> {
    let date = NaiveDate::from_ymd_opt(2026, 10, 25).unwrap();
    let time = NaiveTime::from_hms_opt(2, 30, 0).unwrap();
    // Abbreviations come with the program, so nobody else can make one.
    let told = r#"[{"shared": ["CST", -360]}, {"out_of_season": "CET"}]"#;
    let mut all: Vec<Remark> = serde_json::from_str(told).unwrap();
    all.extend([
        Remark::Skipped(date.and_time(time)),
        Remark::Twice(date.and_time(time)),
        Remark::DayFirst(date),
        Remark::EitherHalf(time),
        Remark::On(date),
        Remark::Coming,
        Remark::NotOver,
    ]);
    all
}

fn answer() -> Answer {
    let citations = [
        Citation::Incident(IncidentId(1)),
        Citation::Anomaly(AnomalyId(2)),
        Citation::Alert("HighLatency".into()),
        Citation::Change(ChangeId(3)),
        Citation::Run(RunId(4), Some(0)),
        Citation::Run(RunId(4), None),
        Citation::Audit(5),
        Citation::Runbook("free-disk".into()),
        Citation::Source("prom".into()),
        Citation::Vital("cart".into(), "p99".into()),
        Citation::Service("cart".into()),
        Citation::Patch("curl".into()),
        Citation::Rollout(RolloutId(6)),
        Citation::Occasion("freeze".into()),
        Citation::Autonomy,
        Citation::Totals,
        Citation::Question,
    ];
    let claims = citations.into_iter().map(|from| Claim::of("It is {}.", [Fact::new("so", from)]));
    Answer {
        state: AnswerState::Answered,
        intent: Intent::WhySlow,
        slots: Slots::default(),
        lead: Claim::of("{} fails", [Fact::service("cart").written(Form::Command)]),
        claims: claims.collect(),
        confidence: Some(0.5),
        window: Some(Span { from: Timestamp(1_000), to: Timestamp(2_000) }),
        missing: vec![Claim::of("logs", [])],
        next: vec!["what changed".into()],
    }
}

fn sayings() -> Vec<Saying> {
    let spent = Spent { tokens_in: 1, tokens_out: 2, cost_usd: Some(0.25), bytes_sent: 3, took_ms: 4 };
    let sentence = |verdict| CheckedSentence { text: "It is so.".into(), verdict };
    vec![
        Saying::Begun { model: "m".into(), bytes: 9 },
        Saying::Text("It".into()),
        Saying::Looked { tool: "logs".into(), about: "cart".into() },
        Saying::Placed(Placed {
            intent: Intent::Trend,
            claims: vec![ToldClaim { text: "so".into(), citations: vec![Citation::Totals] }],
            missing: vec!["logs".into()],
        }),
        Saying::Ended(Ended {
            sentences: vec![
                sentence(Verdict::Supported { citations: vec![Citation::Totals] }),
                sentence(Verdict::Unchecked),
                sentence(Verdict::Struck { reason: "no fact".into() }),
            ],
            struck_count: 1,
            draft: Some(Draft { steps: vec![sentence(Verdict::Unchecked)], page: "# page".into() }),
            note: Some("cut".into()),
            spent,
        }),
        Saying::Failed { reason: "no answer".into(), spent },
    ]
}

fn from_console() -> Vec<FromConsole> {
    let inquiry = |before, wants_model| Inquiry {
        text: "why is cart slow".into(),
        before,
        zone: Tz::Europe__Berlin,
        focus: Some(IncidentId(1)),
        wants_model,
    };
    vec![
        FromConsole::Request { n: 1, request: Request::ResetBreaker },
        FromConsole::Request { n: 2, request: Request::Acknowledge { incident: IncidentId(7) } },
        FromConsole::Inquiry { n: 3, inquiry: inquiry(Some(Arc::new(reading())), true) },
        FromConsole::Inquiry { n: 4, inquiry: inquiry(None, false) },
        FromConsole::Cancel { n: 3 },
        FromConsole::Prepare,
        FromConsole::Looking { incident: Some(IncidentId(1)), pane: "incident".into() },
        FromConsole::Ping,
    ]
}

fn from_engine() -> Vec<FromEngine> {
    let person = Person { name: "ana".into(), role: Role::Commander };
    let settings = SettingsMark { path: "/etc/hypo.toml".into(), digest: "00ff".into() };
    let reading = Arc::new(Reading { standing: Standing::UnknownName, ..reading() });
    let mut all = vec![
        FromEngine::Welcome(Welcome {
            session: 1,
            pid: 812,
            since: Timestamp(1_000),
            settings,
            person,
            is_background: true,
        }),
        FromEngine::Picture(Box::new(diff(&Snapshot::empty(), &Snapshot::empty()))),
        FromEngine::Reply { n: 1, reply: Reply::Done { text: "done".into() } },
        FromEngine::Reply { n: 2, reply: Reply::Refused { reason: "not now".into() } },
        FromEngine::Reply { n: 3, reply: Reply::Lost { reason: "gone".into() } },
        FromEngine::Telling { n: 3, telling: Telling::Answer { reading, answer: Arc::new(answer()) } },
        FromEngine::Telling { n: 3, telling: Telling::Failed { reason: "busy".into() } },
        FromEngine::Told { n: 3 },
        FromEngine::Pong,
        FromEngine::Bye { why: "too slow".into(), is_wanted: false },
    ];
    all.extend(sayings().into_iter().map(|saying| FromEngine::Telling { n: 3, telling: Telling::Model(saying) }));
    all
}

fn tell_frame(text: &mut String, frame: &Frame) {
    match String::from_utf8(frame.body.clone()) {
        Ok(body) if !body.contains('\0') => writeln!(text, "{} {body}", frame.kind).unwrap(),
        _ => writeln!(text, "{} {:?}", frame.kind, frame.body).unwrap(),
    }
}

/// All shapes, in order.
fn told() -> String {
    let mut text = format!("What crosses the socket at wire {WIRE}.\n");
    tell::<Delta>(&mut text, "Pictures");
    tell::<Request>(&mut text, "Requests");
    tell::<Reply>(&mut text, "Answers to requests");
    text.push_str("\n# Frames of consoles, by kind\n");
    for message in from_console() {
        tell_frame(&mut text, &message.frame().unwrap());
    }
    text.push_str("\n# Frames of the engine, by kind\n");
    for message in from_engine() {
        tell_frame(&mut text, &message.frame().unwrap());
    }
    text
}

#[test]
fn what_crosses_the_socket_is_what_its_number_says() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/wire/{WIRE}.txt"));
    let now = told();
    let Ok(then) = std::fs::read_to_string(&path) else {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, now).unwrap();
        panic!(
            "{} was not there and was written; commit it, and take the one of the number before away",
            path.display()
        );
    };
    let differs = then.lines().zip(now.lines()).find(|(then, now)| then != now);
    let lengths = (then.lines().count(), now.lines().count());
    assert!(
        differs.is_none() && lengths.0 == lengths.1,
        "what crosses the socket has changed: raise `WIRE` in src/engine/attach/mod.rs, and run this test twice.\n\
         lines: {lengths:?}, the first that differs, then and now:\n{differs:#?}"
    );
}

#[test]
fn every_message_is_read_as_it_was_said() {
    for message in from_console() {
        let frame = message.frame().unwrap();
        assert_eq!(FromConsole::read(&frame).unwrap(), message);
        assert!(FromEngine::read(&frame).unwrap_err().to_string().contains("the engine does not send"));
        let cut = Frame { body: [frame.body.as_slice(), b"}"].concat(), ..frame };
        assert!(FromConsole::read(&cut).is_err());
    }
    for message in from_engine() {
        let frame = message.frame().unwrap();
        assert_eq!(FromEngine::read(&frame).unwrap(), message);
        assert!(FromConsole::read(&frame).unwrap_err().to_string().contains("a console does not send"));
        let cut = Frame { body: [frame.body.as_slice(), b"}"].concat(), ..frame };
        assert!(FromEngine::read(&cut).is_err());
    }
}
