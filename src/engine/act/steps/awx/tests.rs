//! What an AWX answers, as documented, and what is made of it. Errors and lost connections included.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::engine::act::StepReportSink;
use crate::engine::input::StepReport;
use crate::engine::model::RunId;
use crate::engine::settings::Span;

const TEMPLATE: &str = "Restart service";

fn play(is_check: bool) -> Play {
    let vars = BTreeMap::from([(Arc::from("service"), Arc::from("payment; reboot"))]);
    Play { what: TEMPLATE.into(), limit: "web-1".into(), vars, is_check }
}

fn settings(server: &MockServer, folder: &std::path::Path) -> AwxSettings {
    std::fs::write(folder.join("token"), "awx-token-4711").unwrap();
    AwxSettings {
        url: server.uri(),
        token: SecretSource { env: None, file: Some(folder.join("token")) },
        templates: vec![TEMPLATE.to_owned()],
        poll: Span(10),
        ..AwxSettings::default()
    }
}

fn attempt(timeout_ms: i64) -> (Attempt, Arc<Notify>, Receiver<StepReport>) {
    let (sink, reports) = StepReportSink::channel();
    let stop = Arc::new(Notify::new());
    (Attempt::new((RunId(1), 0), timeout_ms, Arc::clone(&stop), sink, Arc::new(|| false)), stop, reports)
}

async fn answers(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(server).await;
}

/// A server with the template, that asks for everything on launch but what `but` changes.
async fn server(but: Value) -> MockServer {
    let server = MockServer::start().await;
    let found = json!({"count": 1, "results": [{"id": 7, "name": TEMPLATE}]});
    Mock::given(method("GET"))
        .and(path("/api/v2/job_templates/"))
        .and(query_param("name", TEMPLATE))
        .and(header("Authorization", "Bearer awx-token-4711"))
        .respond_with(ResponseTemplate::new(200).set_body_json(found))
        .mount(&server)
        .await;
    let mut asks = json!({
        "ask_limit_on_launch": true, "ask_variables_on_launch": true, "ask_job_type_on_launch": true,
        "survey_enabled": false, "passwords_needed_to_start": [], "variables_needed_to_start": [],
        "can_start_without_user_input": true, "defaults": {"job_type": "run"},
    });
    for (key, value) in but.as_object().unwrap() {
        asks[key] = value.clone();
    }
    answers(&server, "GET", "/api/v2/job_templates/7/launch/", ResponseTemplate::new(200).set_body_json(asks)).await;
    server
}

async fn job(server: &MockServer, status: &str, more: Value) {
    let mut job = json!({"id": 42, "status": status, "job_explanation": ""});
    for (key, value) in more.as_object().unwrap() {
        job[key] = value.clone();
    }
    answers(server, "GET", "/api/v2/jobs/42/", ResponseTemplate::new(200).set_body_json(job)).await;
    let output = "PLAY [restart] ***\nok: [web-1] password=hunter2\n";
    answers(server, "GET", "/api/v2/jobs/42/stdout/", ResponseTemplate::new(200).set_body_string(output)).await;
}

fn launched() -> ResponseTemplate {
    ResponseTemplate::new(201).set_body_json(json!({"job": 42, "id": 42, "ignored_fields": {}}))
}

async fn posts(server: &MockServer) -> Vec<String> {
    let all = server.received_requests().await.unwrap();
    all.iter().filter(|one| one.method.as_str() == "POST").map(|one| one.url.path().to_owned()).collect()
}

async fn run_it(server: &MockServer, is_check: bool, timeout_ms: i64) -> (StepProgress, Vec<String>) {
    run_within(server, &play(is_check), timeout_ms, None).await
}

async fn run_within(
    server: &MockServer,
    play: &Play,
    timeout_ms: i64,
    targets_max: Option<u32>,
) -> (StepProgress, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (attempt, _stop, mut reports) = attempt(timeout_ms);
    let attempt = attempt.reaching(targets_max);
    let end = run(play, &settings(server, folder.path()), &attempt).await;
    drop(attempt);
    let mut lines = Vec::new();
    while let Some(report) = reports.recv().await {
        if let StepProgress::Output(some) = report.progress {
            lines.extend(some.iter().map(ToString::to_string));
        }
    }
    (end, lines)
}

#[tokio::test]
async fn a_job_is_launched_as_approved_and_its_output_is_shown_once() {
    for (is_check, job_type) in [(false, "run"), (true, "check")] {
        let server = server(json!({})).await;
        let wanted = json!({"limit": "web-1", "extra_vars": {"service": "payment; reboot"}, "job_type": job_type});
        Mock::given(method("POST"))
            .and(path("/api/v2/job_templates/7/launch/"))
            .and(body_json(wanted))
            .respond_with(launched())
            .expect(1)
            .mount(&server)
            .await;
        job(&server, "successful", json!({"host_status_counts": {"ok": 1, "dark": 0}})).await;
        let (end, lines) = run_it(&server, is_check, 60_000).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?}");
        assert_eq!(lines[1..], ["PLAY [restart] ***", "ok: [web-1] password=⟨redacted:password⟩"]);
        assert!(lines[0].contains("/#/jobs/playbook/42"), "{lines:?}");
    }
}

#[tokio::test]
async fn a_template_that_does_not_take_what_the_step_sets_is_not_launched() {
    for (but, is_check, said) in [
        (json!({"ask_limit_on_launch": false}), false, "limit"),
        (json!({"ask_variables_on_launch": false}), false, "variables"),
        (json!({"ask_job_type_on_launch": false}), true, "check mode"),
        (json!({"ask_job_type_on_launch": false, "defaults": {"job_type": "check"}}), false, "job type"),
        (json!({"passwords_needed_to_start": ["ssh_password"]}), false, "password"),
        (json!({"variables_needed_to_start": ["version"]}), false, "`version`"),
    ] {
        let server = server(but).await;
        let (end, _) = run_it(&server, is_check, 60_000).await;
        assert!(matches!(&end, StepProgress::NotStarted { reason } if reason.contains(said)), "{said}: {end:?}");
        assert!(posts(&server).await.is_empty());
    }
}

#[tokio::test]
async fn what_awx_ignored_cancels_the_job() {
    let server = server(json!({})).await;
    let answer = json!({"job": 42, "ignored_fields": {"limit": "web-1"}});
    answers(&server, "POST", "/api/v2/job_templates/7/launch/", ResponseTemplate::new(201).set_body_json(answer)).await;
    answers(&server, "POST", "/api/v2/jobs/42/cancel/", ResponseTemplate::new(202)).await;
    job(&server, "canceled", json!({})).await;
    let (end, _) = run_it(&server, false, 60_000).await;
    assert!(matches!(&end, StepProgress::Stopped { reason } if reason.contains("ignored `limit`")), "{end:?}");
    assert_eq!(posts(&server).await, ["/api/v2/job_templates/7/launch/", "/api/v2/jobs/42/cancel/"]);
}

#[tokio::test]
async fn refusals_are_no_start_and_doubts_are_unknown_and_neither_is_sent_again() {
    for (status, body, is_lost, said) in [
        (400, json!({"variables_needed_to_start": ["x is required"]}), false, "x is required"),
        (401, json!({"detail": "Authentication credentials were not provided."}), false, "credentials"),
        (403, json!({"detail": "You do not have permission."}), false, "permission"),
        (405, json!({"detail": "Method not allowed"}), false, "405"),
        (429, json!({"detail": "slow down"}), false, "slow down"),
        (500, json!({"detail": "A server error has occurred."}), true, "not certain"),
        (502, json!("bad gateway"), true, "not certain"),
        (201, json!({"unexpected": true}), true, "not certain"),
    ] {
        let server = server(json!({})).await;
        answers(&server, "POST", "/api/v2/job_templates/7/launch/", ResponseTemplate::new(status).set_body_json(body))
            .await;
        let (end, _) = run_it(&server, false, 60_000).await;
        match &end {
            StepProgress::Lost { reason } if is_lost => assert!(reason.contains(said), "{reason}"),
            StepProgress::NotStarted { reason } if !is_lost => assert!(reason.contains(said), "{reason}"),
            other => panic!("{status}: {other:?}"),
        }
        assert_eq!(posts(&server).await.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_launch_that_was_not_answered_is_unknown_and_not_sent_again() {
    let server = server(json!({})).await;
    let slow = launched().set_delay(Duration::from_secs(60));
    answers(&server, "POST", "/api/v2/job_templates/7/launch/", slow).await;
    let (end, _) = run_it(&server, false, 1_000).await;
    assert!(matches!(&end, StepProgress::Lost { reason } if reason.contains("/#/jobs")), "{end:?}");
    assert_eq!(posts(&server).await.len(), 1);
}

#[tokio::test]
async fn how_jobs_end_is_told_as_it_is() {
    for (status, more, code) in [
        ("failed", json!({"job_explanation": "boom"}), Some(2)),
        ("error", json!({"job_explanation": "no capacity"}), Some(1)),
        ("successful", json!({"host_status_counts": {"ok": 2, "dark": 1}}), Some(4)),
        ("successful", json!({"host_status_counts": {"ok": 2, "failures": 1}}), Some(2)),
        ("successful", json!({"host_status_counts": {}}), Some(1)),
        ("successful", json!({"host_status_counts": {"ok": 0}}), Some(1)),
        ("successful", json!({}), Some(0)),
        ("canceled", json!({}), None),
    ] {
        let server = server(json!({})).await;
        answers(&server, "POST", "/api/v2/job_templates/7/launch/", launched()).await;
        job(&server, status, more.clone()).await;
        let (end, _) = run_it(&server, false, 60_000).await;
        match (&end, code) {
            (StepProgress::Exited { code, .. }, Some(wanted)) => assert_eq!(*code, Some(wanted), "{status} {more}"),
            (StepProgress::Stopped { .. }, None) => {}
            other => panic!("{status} {more}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_lost_connection_is_asked_again_and_then_unknown() {
    let server = server(json!({})).await;
    answers(&server, "POST", "/api/v2/job_templates/7/launch/", launched()).await;
    let trouble = ResponseTemplate::new(503);
    Mock::given(method("GET"))
        .and(path("/api/v2/jobs/42/"))
        .respond_with(trouble)
        .up_to_n_times(3)
        .mount(&server)
        .await;
    job(&server, "successful", json!({})).await;
    let (end, _) = run_it(&server, false, 60_000).await;
    assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?}");

    let server = self::server(json!({})).await;
    answers(&server, "POST", "/api/v2/job_templates/7/launch/", launched()).await;
    let (end, _) = run_it(&server, false, 300).await;
    assert!(matches!(&end, StepProgress::Lost { reason } if reason.contains("/#/jobs/playbook/42")), "{end:?}");
    assert_eq!(posts(&server).await.len(), 1, "nothing is launched or cancelled on a guess");
}

#[tokio::test]
async fn a_stop_and_a_timeout_cancel_the_job() {
    for (timeout_ms, is_by_hand) in [(60_000, true), (200, false)] {
        let server = server(json!({})).await;
        answers(&server, "POST", "/api/v2/job_templates/7/launch/", launched()).await;
        Mock::given(method("POST"))
            .and(path("/api/v2/jobs/42/cancel/"))
            .respond_with(ResponseTemplate::new(202))
            .mount(&server)
            .await;
        let is_cancelled = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let seen = Arc::clone(&is_cancelled);
        let (sender, asked) = tokio::sync::oneshot::channel();
        let sender = std::sync::Mutex::new(Some(sender));
        let answer = move |_: &Request| {
            if let Some(sender) = sender.lock().unwrap().take() {
                let _gone = sender.send(());
            }
            let status = if seen.load(std::sync::atomic::Ordering::SeqCst) { "canceled" } else { "running" };
            ResponseTemplate::new(200).set_body_json(json!({"id": 42, "status": status}))
        };
        Mock::given(method("GET")).and(path("/api/v2/jobs/42/")).respond_with(answer).mount(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let (attempt, stop, _reports) = attempt(timeout_ms);
        let settings = settings(&server, folder.path());
        let play = play(false);
        let driver = async {
            asked.await.unwrap();
            if is_by_hand {
                stop.notify_one();
            }
            while posts(&server).await.len() < 2 {
                tokio::task::yield_now().await;
            }
            is_cancelled.store(true, std::sync::atomic::Ordering::SeqCst);
        };
        let (end, ()) = tokio::join!(run(&play, &settings, &attempt), driver);
        assert!(matches!(&end, StepProgress::Stopped { reason } if reason.contains("canceled")), "{end:?}");
    }
}

#[tokio::test]
async fn only_named_templates_and_a_server_that_is_there() {
    let server = server(json!({})).await;
    let folder = tempfile::tempdir().unwrap();
    let (attempt, _stop, _reports) = attempt(2_000);
    let mut settings = settings(&server, folder.path());
    settings.url = "http://127.0.0.1:1".to_owned();
    let end = run(&play(false), &settings, &attempt).await;
    assert!(matches!(&end, StepProgress::NotStarted { reason } if reason.contains("does not answer")), "{end:?}");
    settings.templates.clear();
    let end = run(&play(false), &settings, &attempt).await;
    assert!(matches!(&end, StepProgress::NotStarted { reason } if reason.contains("`templates`")), "{end:?}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

/// An inventory of three hosts, two of them in the group `web`.
async fn inventory(server: &MockServer) {
    let hosts = |names: &[&str]| {
        let hosts: Vec<Value> = names.iter().map(|name| json!({"id": 1, "name": name})).collect();
        ResponseTemplate::new(200).set_body_json(json!({"count": hosts.len(), "results": hosts}))
    };
    for (at, name, answer) in [
        ("hosts", "web-1", hosts(&["web-1"])),
        ("groups", "web", ResponseTemplate::new(200).set_body_json(json!({"count": 1, "results": [{"id": 5}]}))),
    ] {
        let at = format!("/api/v2/inventories/3/{at}/");
        Mock::given(method("GET"))
            .and(path(at))
            .and(query_param("name", name))
            .respond_with(answer)
            .mount(server)
            .await;
    }
    let all =
        ResponseTemplate::new(200).set_body_json(json!({"count": 1_003, "results": [{"id": 1, "name": "web-1"}]}));
    let every = Mock::given(method("GET")).and(path("/api/v2/inventories/3/hosts/"));
    every.and(wiremock::matchers::query_param_is_missing("name")).respond_with(all).mount(server).await;
    for at in ["hosts", "groups"] {
        answers(server, "GET", &format!("/api/v2/inventories/3/{at}/"), hosts(&[])).await;
    }
    answers(server, "GET", "/api/v2/groups/5/all_hosts/", hosts(&["web-1", "web-2"])).await;
}

#[tokio::test]
async fn no_more_hosts_are_worked_on_than_the_step_allows() {
    let server = server(json!({"defaults": {"job_type": "run", "inventory": {"id": 3}}})).await;
    inventory(&server).await;
    answers(&server, "POST", "/api/v2/job_templates/7/launch/", launched()).await;
    job(&server, "successful", json!({"host_status_counts": {"ok": 1, "dark": 0}})).await;
    for (limit, most, said) in [
        ("web", 1, "2 hosts"),
        ("web-1,web", 1, "2 hosts"),
        ("all", 9, "1003 hosts"),
        ("web-*", 9, "is a pattern"),
        ("web:!web-2", 9, "is a pattern"),
        ("gone", 9, "no host"),
    ] {
        let play = Play { limit: limit.into(), ..play(false) };
        let (end, _) = run_within(&server, &play, 60_000, Some(most)).await;
        assert!(matches!(&end, StepProgress::NotStarted { reason } if reason.contains(said)), "{limit}: {end:?}");
    }
    assert_eq!(posts(&server).await, Vec::<String>::new());
    for (limit, most) in [("web-1", 1), ("web", 2), ("web-1:web", 2)] {
        let play = Play { limit: limit.into(), ..play(false) };
        let (end, _) = run_within(&server, &play, 60_000, Some(most)).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{limit}: {end:?}");
    }
}

#[tokio::test]
async fn hosts_of_an_inventory_that_is_not_told_are_not_counted() {
    let server = server(json!({})).await;
    let (end, _) = run_within(&server, &play(false), 60_000, Some(1)).await;
    assert!(matches!(&end, StepProgress::NotStarted { reason } if reason.contains("cannot be counted")), "{end:?}");
}

proptest! {
    #[test]
    fn values_are_texts_in_the_launch_and_nothing_else(limit in "(?s)([a-z][a-z0-9:*.-]{0,20}|.{1,40})", value in "(?s).{0,200}(\\{[{%#])?") {
        let asks = json!({"ask_limit_on_launch": true, "ask_variables_on_launch": true});
        let vars = BTreeMap::from([(Arc::from("v"), Arc::from(value.as_str()))]);
        let play = Play { what: TEMPLATE.into(), limit: limit.as_str().into(), vars, is_check: false };
        let is_expression = ["{{", "{%", "{#"].iter().any(|open| value.contains(open));
        let is_pattern = limit.starts_with(|c: char| c.is_ascii_alphanumeric())
            && limit.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:,*[]!&".contains(c));
        let body = launch_body(&play, &asks);
        prop_assert_eq!(body.is_ok(), is_pattern && !is_expression);
        let Ok(body) = body else { return Ok(()) };
        let sent = serde_json::to_vec(&body).unwrap();
        let received: Value = serde_json::from_slice(&sent).unwrap();
        prop_assert_eq!(received, json!({"limit": limit, "extra_vars": {"v": value}}));
    }
}
