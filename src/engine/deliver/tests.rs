//! Contracts with the four systems, from their documented answers: what is sent, and what each answer means.

use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::engine::clock::Timestamp;
use crate::engine::model::{Delivery, DeliveryState, IncidentSeverity, OutwardEvent, OutwardMessage};
use crate::engine::settings::{
    JiraSettings, PagerdutySettings, SecretSource, ServicenowChange, ServicenowSettings, SlackSettings, Span,
};

const START: Timestamp = Timestamp(1_793_577_600_000);
const SYS_ID: &str = "46e8219ba9fe1981013806b1b0a0e0a1";

/// One answer a row: a name, the answer, and what it means.
type Cases = Vec<(&'static str, ResponseTemplate, Meaning)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Delivered,
    /// With the pause that is asked for, and whether it may have arrived.
    Retry(Option<i64>, bool),
    Refused,
}

/// A secret in a file that lives as long as the folder.
struct Secrets(tempfile::TempDir);

impl Secrets {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, secret: &str) -> SecretSource {
        let file = self.0.path().join(name);
        std::fs::write(&file, secret).unwrap();
        SecretSource { env: None, file: Some(file) }
    }
}

fn attempt(destination: Destination, event: OutwardEvent) -> DeliveryAttempt {
    let message = OutwardMessage {
        event,
        thread: "RUN-3/restart/1793577600000".into(),
        title: "RUN-3: roll payment back".into(),
        text: "What: roll payment back\nBy: <ana> & co".into(),
        severity: Some(IncidentSeverity::Sev1),
        service: Some("payment".into()),
        by: Some("ana".into()),
        at: START,
        began_at: Some(START),
        has_taken_effect: Some(true),
    };
    let delivery = Delivery {
        number: 7,
        key: format!("{destination}/RUN-3/restart/{}", event.word()).into(),
        destination,
        incident: None,
        message,
        enqueued_at: START,
        attempt_count: 1,
        state: DeliveryState::UnderWay { since: START },
    };
    DeliveryAttempt { delivery, reference: None, may_have_arrived: false }
}

/// Through the couriers, as the driver does it.
async fn outcome(settings: &OutboundSettings, attempt: DeliveryAttempt) -> DeliveryOutcome {
    let couriers = Couriers::new(settings, Handle::current());
    let (sink, mut reports) = DeliveryReportSink::channel();
    couriers.send(attempt, sink);
    let report = reports.recv().await.expect("every try is reported");
    assert_eq!((report.number, report.attempt), (7, 1));
    report.outcome
}

fn assert_means(name: &str, outcome: &DeliveryOutcome, meaning: Meaning) {
    let is = match outcome {
        DeliveryOutcome::Delivered { .. } => Meaning::Delivered,
        DeliveryOutcome::Retry { after_ms, may_have_arrived, .. } => Meaning::Retry(*after_ms, *may_have_arrived),
        DeliveryOutcome::Refused { .. } => Meaning::Refused,
    };
    assert_eq!(is, meaning, "{name}: {outcome:?}");
}

/// Errors that mean the same everywhere; `body` is the error body of that system, and its words must come through.
fn errors(body: &Value) -> Cases {
    let answer = |status| ResponseTemplate::new(status).set_body_json(body);
    vec![
        ("401", answer(401), Meaning::Refused),
        ("403", answer(403), Meaning::Refused),
        ("404", answer(404), Meaning::Refused),
        ("409", answer(409), Meaning::Refused),
        ("422", answer(422), Meaning::Refused),
        ("400", answer(400), Meaning::Refused),
        ("429", answer(429).insert_header("Retry-After", "17"), Meaning::Retry(Some(17_000), false)),
        ("429 without a pause", answer(429), Meaning::Retry(Some(30_000), false)),
        ("408", answer(408), Meaning::Retry(None, true)),
        ("500", answer(500), Meaning::Retry(None, true)),
        ("503", answer(503).insert_header("Retry-After", "3"), Meaning::Retry(Some(3_000), false)),
        ("redirect", ResponseTemplate::new(302).insert_header("Location", "https://elsewhere/"), Meaning::Refused),
        (
            "not JSON",
            ResponseTemplate::new(200).set_body_string("<html>hibernating</html>"),
            Meaning::Retry(None, true),
        ),
        ("slow", ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(30)), Meaning::Retry(None, true)),
    ]
}

fn assert_says(name: &str, outcome: &DeliveryOutcome, words: &str) {
    let (DeliveryOutcome::Refused { reason } | DeliveryOutcome::Retry { reason, .. }) = outcome else { return };
    let has_words = !["redirect", "not JSON", "slow"].contains(&name);
    assert!(!has_words || reason.contains(words), "{name}: {reason}");
    assert!(!reason.contains("hunter2") && !reason.contains("T0/B0"), "a secret shows: {reason}");
}

// ---- ServiceNow

fn servicenow(server: &MockServer, secrets: &Secrets) -> OutboundSettings {
    let settings = ServicenowSettings {
        url: server.uri(),
        username: Some("hypo".to_owned()),
        password: secrets.file("password", "hunter2"),
        timeout: Span(400),
        fields: BTreeMap::from([("assignment_group".to_owned(), "sre".to_owned())]),
        ..ServicenowSettings::default()
    };
    OutboundSettings { servicenow: Some(settings), ..OutboundSettings::default() }
}

fn change(state: &str) -> Value {
    // The change management API gives each field with what is displayed.
    json!({ "result": {
        "sys_id": { "value": SYS_ID, "display_value": SYS_ID },
        "number": { "value": "CHG0030001", "display_value": "CHG0030001" },
        "state": { "value": state, "display_value": "some state" },
    }})
}

async fn has_no_change(server: &MockServer) {
    Mock::given(method("GET"))
        .and(path("/api/now/table/change_request"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "result": [] })))
        .mount(server)
        .await;
}

#[tokio::test]
async fn servicenow_makes_a_change_once_and_finds_it_again() {
    let (server, secrets) = (MockServer::start().await, Secrets::new());
    let attempt = attempt(Destination::Servicenow, OutwardEvent::ActBegan);
    let token = attempt.delivery.message.token();
    has_no_change(&server).await;
    Mock::given(method("POST"))
        .and(path("/api/sn_chg_rest/change/emergency"))
        .and(header("authorization", "Basic aHlwbzpodW50ZXIy"))
        .and(body_partial_json(json!({
            "correlation_id": token, "short_description": "RUN-3: roll payment back", "assignment_group": "sre",
            "work_start": "2026-11-02 00:00:00",
        })))
        .respond_with(ResponseTemplate::new(201).set_body_json(change("-5")))
        .expect(1)
        .mount(&server)
        .await;
    let made = outcome(&servicenow(&server, &secrets), attempt.clone()).await;
    assert_eq!(made, DeliveryOutcome::Delivered { reference: format!("CHG0030001/{SYS_ID}").into() });
    server.verify().await;
    server.reset().await;
    // A clause that is dropped in silence widens the answer: rows of other changes are no match.
    let rows = json!({ "result": [
        { "sys_id": "other", "number": "CHG1", "correlation_id": "" },
        { "sys_id": SYS_ID, "number": "CHG0030001", "correlation_id": token },
    ]});
    Mock::given(method("GET"))
        .and(path("/api/now/table/change_request"))
        .and(query_param("sysparm_query", format!("correlation_id={token}")))
        .respond_with(ResponseTemplate::new(200).set_body_json(rows))
        .expect(1)
        .mount(&server)
        .await;
    let found = outcome(&servicenow(&server, &secrets), attempt).await;
    assert_eq!(found, made, "and nothing is made: there is no answer to a POST");
}

#[tokio::test]
async fn servicenow_closes_a_change_state_by_state() {
    let (server, secrets) = (MockServer::start().await, Secrets::new());
    let mut attempt = attempt(Destination::Servicenow, OutwardEvent::ActEnded);
    attempt.reference = Some(format!("CHG0030001/{SYS_ID}").into());
    let at = format!("/api/sn_chg_rest/change/{SYS_ID}");
    Mock::given(method("GET"))
        .and(path(&at))
        .respond_with(ResponseTemplate::new(200).set_body_json(change("-1")))
        .mount(&server)
        .await;
    for states in [json!(["-1", "0", "4"]), json!(["0", "3", "4"])] {
        Mock::given(method("GET"))
            .and(path(format!("{at}/nextstates")))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "result": { "available_states": states } })))
            .up_to_n_times(1)
            .mount(&server)
            .await;
    }
    for body in [json!({ "state": "0" }), json!({ "state": "3", "close_code": "successful" })] {
        Mock::given(method("PATCH"))
            .and(path(&at))
            .and(body_partial_json(body))
            .respond_with(ResponseTemplate::new(200).set_body_json(change("0")))
            .expect(1)
            .mount(&server)
            .await;
    }
    assert_means("close", &outcome(&servicenow(&server, &secrets), attempt).await, Meaning::Delivered);
}

#[tokio::test]
async fn servicenow_leaves_a_change_that_waits_for_approval_with_a_note_and_notes_once() {
    let (server, secrets) = (MockServer::start().await, Secrets::new());
    let mut attempt = attempt(Destination::Servicenow, OutwardEvent::ActEnded);
    attempt.reference = Some(format!("CHG0030001/{SYS_ID}").into());
    let at = format!("/api/sn_chg_rest/change/{SYS_ID}");
    let states = json!({ "result": { "available_states": ["-4", "4"] } });
    for (path_of, answer) in [(at.clone(), change("-4")), (format!("{at}/nextstates"), states)] {
        Mock::given(method("GET"))
            .and(path(path_of))
            .respond_with(ResponseTemplate::new(200).set_body_json(answer))
            .mount(&server)
            .await;
    }
    let note = format!("({})", answer::marker(&attempt.delivery.key));
    let notes = Mock::given(method("PATCH")).and(path(&at));
    notes.respond_with(ResponseTemplate::new(200).set_body_json(change("-4"))).expect(1).mount(&server).await;
    assert_means("note", &outcome(&servicenow(&server, &secrets), attempt.clone()).await, Meaning::Delivered);
    // The same once more, after no answer came: its note is there already.
    attempt.may_have_arrived = true;
    Mock::given(method("GET"))
        .and(path(format!("/api/now/table/change_request/{SYS_ID}")))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_json(json!({ "result": { "work_notes": format!("2026 - ana\n… {note}") } })),
        )
        .mount(&server)
        .await;
    assert_means("again", &outcome(&servicenow(&server, &secrets), attempt).await, Meaning::Delivered);
    server.verify().await;
}

#[tokio::test]
async fn servicenow_errors_mean_what_they_say() {
    let secrets = Secrets::new();
    let body = json!({ "error": { "message": "Operation Failed", "detail": "ACL restricts" }, "status": "failure" });
    for (name, answer, meaning) in errors(&body) {
        let server = MockServer::start().await;
        has_no_change(&server).await;
        Mock::given(method("POST")).respond_with(answer).expect(1).mount(&server).await;
        let attempt = attempt(Destination::Servicenow, OutwardEvent::ActBegan);
        let outcome = outcome(&servicenow(&server, &secrets), attempt).await;
        assert_means(name, &outcome, meaning);
        assert_says(name, &outcome, "Operation Failed, ACL restricts");
    }
}

// ---- Jira

fn jira(server: &MockServer, secrets: &Secrets) -> OutboundSettings {
    let settings = JiraSettings {
        url: server.uri(),
        username: Some("hypo@example.com".to_owned()),
        password: secrets.file("token", "hunter2"),
        timeout: Span(400),
        service_desk: "4".to_owned(),
        request_type: "28".to_owned(),
        ..JiraSettings::default()
    };
    OutboundSettings { jira: Some(settings), ..OutboundSettings::default() }
}

async fn finds(server: &MockServer, issues: Value) {
    Mock::given(method("GET"))
        .and(path("/rest/api/3/search/jql"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "issues": issues, "isLast": true })))
        .mount(server)
        .await;
}

#[tokio::test]
async fn jira_makes_a_request_once_and_finds_it_again() {
    let (server, secrets) = (MockServer::start().await, Secrets::new());
    let attempt = attempt(Destination::Jira, OutwardEvent::ActBegan);
    let token = attempt.delivery.message.token();
    // A search is for words alike; what has not the word is no match.
    finds(&server, json!([{ "key": "OPS-1", "fields": { "description": { "text": "hypo" } } }])).await;
    Mock::given(method("POST"))
        .and(path("/rest/servicedeskapi/request"))
        .and(body_partial_json(json!({
            "serviceDeskId": "4", "requestTypeId": "28",
            "requestFieldValues": { "summary": "RUN-3: roll payment back" },
        })))
        .respond_with(ResponseTemplate::new(201).set_body_json(json!({ "issueId": "10", "issueKey": "OPS-2" })))
        .expect(1)
        .mount(&server)
        .await;
    let made = outcome(&jira(&server, &secrets), attempt.clone()).await;
    assert_eq!(made, DeliveryOutcome::Delivered { reference: "OPS-2".into() });
    let sent = server.received_requests().await.unwrap();
    let posted = sent.iter().find(|request| request.method.as_str() == "POST").unwrap();
    assert!(String::from_utf8_lossy(&posted.body).contains(&token), "the description holds the word");
    server.verify().await;
    server.reset().await;
    finds(&server, json!([{ "key": "OPS-2", "fields": { "description": { "text": format!("x {token}") } } }])).await;
    assert_eq!(outcome(&jira(&server, &secrets), attempt).await, made);
}

#[tokio::test]
async fn jira_ends_a_request_by_a_transition_that_is_offered_or_says_that_none_is() {
    let secrets = Secrets::new();
    for (offered, expected) in [
        (json!([{ "id": "5", "name": "Start" }, { "id": "9", "name": "completed" }]), "transition"),
        (json!([{ "id": "5", "name": "Start" }]), "comment"),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/rest/servicedeskapi/request/OPS-2/transition"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "isLastPage": true, "values": offered })))
            .mount(&server)
            .await;
        let status = if expected == "transition" { 204 } else { 201 };
        let body = if expected == "transition" { json!({ "id": "9" }) } else { json!({ "public": false }) };
        Mock::given(method("POST"))
            .and(path(format!("/rest/servicedeskapi/request/OPS-2/{expected}")))
            .and(body_partial_json(body))
            .respond_with(ResponseTemplate::new(status))
            .expect(1)
            .mount(&server)
            .await;
        let mut attempt = attempt(Destination::Jira, OutwardEvent::ActEnded);
        attempt.reference = Some("OPS-2".into());
        assert_means(expected, &outcome(&jira(&server, &secrets), attempt.clone()).await, Meaning::Delivered);
        // After no answer came, the comment that is there already is enough.
        attempt.may_have_arrived = true;
        let marker = answer::marker(&attempt.delivery.key);
        Mock::given(method("GET"))
            .and(path("/rest/servicedeskapi/request/OPS-2/comment"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "values": [{ "body": marker }] })))
            .mount(&server)
            .await;
        assert_means("again", &outcome(&jira(&server, &secrets), attempt).await, Meaning::Delivered);
        server.verify().await;
    }
}

#[tokio::test]
async fn jira_errors_mean_what_they_say() {
    let secrets = Secrets::new();
    let body =
        json!({ "errorMessages": ["Your request could not be created."], "errors": { "summary": "not on form" } });
    for (name, answer, meaning) in errors(&body) {
        let server = MockServer::start().await;
        finds(&server, json!([])).await;
        Mock::given(method("POST")).respond_with(answer).expect(1).mount(&server).await;
        let outcome = outcome(&jira(&server, &secrets), attempt(Destination::Jira, OutwardEvent::ActBegan)).await;
        assert_means(name, &outcome, meaning);
        assert_says(name, &outcome, "Your request could not be created., summary: not on form");
    }
}

// ---- Slack

fn slack(server: &MockServer, secrets: &Secrets) -> OutboundSettings {
    let webhook = secrets.file("webhook", &format!("{}/services/T0/B0/hunter2", server.uri()));
    let settings = SlackSettings { webhook, timeout: Span(400), ..SlackSettings::default() };
    OutboundSettings { slack: Some(settings), ..OutboundSettings::default() }
}

#[tokio::test]
async fn slack_is_told_in_plain_words_and_its_answers_mean_what_they_say() {
    let secrets = Secrets::new();
    let answer = |status, words: &str| ResponseTemplate::new(status).set_body_string(words);
    let cases: Cases = vec![
        ("ok", answer(200, "ok"), Meaning::Delivered),
        ("not ok", answer(200, "<html>login</html>"), Meaning::Retry(None, false)),
        ("400", answer(400, "invalid_payload"), Meaning::Refused),
        ("403", answer(403, "action_prohibited"), Meaning::Refused),
        ("404", answer(404, "no_service"), Meaning::Refused),
        ("410", answer(410, "channel_is_archived"), Meaning::Refused),
        ("422", answer(422, "no"), Meaning::Refused),
        ("429", answer(429, "").insert_header("Retry-After", "30"), Meaning::Retry(Some(30_000), false)),
        ("500", answer(500, "rollup_error"), Meaning::Retry(None, false)),
        // It was sent and nothing came back: nobody can say.
        ("slow", answer(200, "ok").set_delay(std::time::Duration::from_secs(30)), Meaning::Retry(None, true)),
    ];
    for (name, answer, meaning) in cases {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/services/T0/B0/hunter2"))
            .and(body_partial_json(json!({
                "text": "*RUN-3: roll payment back*\nWhat: roll payment back\nBy: &lt;ana&gt; &amp; co"
            })))
            .respond_with(answer)
            .expect(1)
            .mount(&server)
            .await;
        let outcome = outcome(&slack(&server, &secrets), attempt(Destination::Slack, OutwardEvent::StepFailed)).await;
        assert_means(name, &outcome, meaning);
        assert_says(name, &outcome, "");
    }
}

// ---- PagerDuty

fn pagerduty(server: &MockServer, secrets: &Secrets) -> OutboundSettings {
    let routing_key = secrets.file("key", "hunter2");
    let settings =
        PagerdutySettings { url: server.uri(), routing_key, timeout: Span(400), ..PagerdutySettings::default() };
    OutboundSettings { pagerduty: Some(settings), ..OutboundSettings::default() }
}

#[tokio::test]
async fn pagerduty_is_triggered_acknowledged_and_resolved_by_one_key() {
    let secrets = Secrets::new();
    for (event, action) in [
        (OutwardEvent::IncidentOpened, "trigger"),
        (OutwardEvent::SeverityRaised, "trigger"),
        (OutwardEvent::IncidentAcknowledged, "acknowledge"),
        (OutwardEvent::IncidentResolved, "resolve"),
    ] {
        let server = MockServer::start().await;
        let attempt = attempt(Destination::Pagerduty, event);
        let key = attempt.delivery.message.token();
        assert!(key.starts_with("hypo") && key.len() == 20, "{key}");
        Mock::given(method("POST"))
            .and(path("/v2/enqueue"))
            .and(body_partial_json(json!({
                "routing_key": "hunter2", "event_action": action, "dedup_key": key,
                "payload": { "severity": "critical", "source": "payment", "timestamp": "2026-11-02T00:00:00.000Z" },
            })))
            .respond_with(
                ResponseTemplate::new(202)
                    .set_body_json(json!({ "status": "success", "message": "Event processed", "dedup_key": key })),
            )
            .expect(1)
            .mount(&server)
            .await;
        let outcome = outcome(&pagerduty(&server, &secrets), attempt).await;
        assert_eq!(outcome, DeliveryOutcome::Delivered { reference: key.into() });
    }
}

#[tokio::test]
async fn pagerduty_errors_mean_what_they_say() {
    let secrets = Secrets::new();
    let body = json!({
        "status": "invalid event", "message": "Event object is invalid",
        "errors": ["Length of 'routing_key' is incorrect"],
    });
    for (name, answer, meaning) in errors(&body) {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(answer).expect(1).mount(&server).await;
        let attempt = attempt(Destination::Pagerduty, OutwardEvent::IncidentOpened);
        let outcome = outcome(&pagerduty(&server, &secrets), attempt).await;
        assert_means(name, &outcome, meaning);
        assert_says(name, &outcome, "Event object is invalid, Length of 'routing_key' is incorrect");
    }
}

// ---- All

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again_and_nothing_has_arrived() {
    let secrets = Secrets::new();
    let server = MockServer::start().await;
    let settings = [slack(&server, &secrets), pagerduty(&server, &secrets)];
    // Nobody listens where the server was.
    drop(server);
    for (settings, destination) in settings.iter().zip([Destination::Slack, Destination::Pagerduty]) {
        let outcome = outcome(settings, attempt(destination, OutwardEvent::IncidentOpened)).await;
        assert!(matches!(outcome, DeliveryOutcome::Retry { .. } | DeliveryOutcome::Refused { .. }), "{outcome:?}");
    }
}

#[test]
fn settings_that_cannot_be_used_say_what_to_do() {
    let secrets = Secrets::new();
    let settings = OutboundSettings {
        servicenow: Some(ServicenowSettings {
            url: "https://example.service-now.com".to_owned(),
            kind: ServicenowChange::Standard,
            ..ServicenowSettings::default()
        }),
        jira: Some(JiraSettings { url: "https://x.atlassian.net".to_owned(), ..JiraSettings::default() }),
        slack: Some(SlackSettings { webhook: secrets.file("w", "hunter2 is no address"), ..SlackSettings::default() }),
        pagerduty: Some(PagerdutySettings::default()),
        ..OutboundSettings::default()
    };
    let said: Vec<String> = check(&settings).into_iter().map(|check| check.problem.unwrap()).collect();
    for (problem, words) in said.iter().zip(["sys_id of its template", "servicedesk", "no address", "integration key"])
    {
        assert!(problem.contains(words), "{problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
    }
    let fine = OutboundSettings {
        slack: Some(SlackSettings {
            webhook: secrets.file("w", "https://hooks.slack.com/services/T0/B0/x"),
            ..SlackSettings::default()
        }),
        ..OutboundSettings::default()
    };
    let fine = &check(&fine)[0];
    assert_eq!((fine.address.as_ref(), fine.problem.as_ref()), ("https://hooks.slack.com", None));
}
