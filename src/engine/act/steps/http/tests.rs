//! What endpoints answer, and what is made of it: Argo Rollouts' abort and promote, a pipeline's roll-back hook, and errors.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use tokio::sync::Notify;
use wiremock::matchers::{body_json, header, method as verb, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::engine::act::StepReportSink;
use crate::engine::model::RunId;

fn call(method: HttpMethod, path: &str, body: serde_json::Value) -> HttpCall {
    HttpCall { endpoint: "argo".into(), method, path: path.into(), body, statuses: Vec::new() }
}

fn endpoints(url: &str, header: Option<&str>, folder: &std::path::Path) -> BTreeMap<String, EndpointSettings> {
    std::fs::write(folder.join("token"), "s3cr3t-4711-token").unwrap();
    let token = SecretSource { env: None, file: Some(folder.join("token")) };
    let endpoint = EndpointSettings { url: url.to_owned(), token, header: header.map(str::to_owned), ca_file: None };
    BTreeMap::from([("argo".to_owned(), endpoint)])
}

async fn send(
    call: &HttpCall,
    endpoints: &BTreeMap<String, EndpointSettings>,
    timeout_ms: i64,
) -> (StepProgress, String) {
    let (sink, mut reports) = StepReportSink::channel();
    let attempt = Attempt::new((RunId(1), 0), timeout_ms, Arc::new(Notify::new()), sink, Arc::new(|| false));
    let end = run(call, endpoints, &attempt).await;
    drop(attempt);
    let mut lines = Vec::new();
    while let Some(report) = reports.recv().await {
        if let StepProgress::Output(some) = report.progress {
            lines.extend(some.iter().map(ToString::to_string));
        }
    }
    (end, lines.join("\n"))
}

#[tokio::test]
async fn a_rollout_is_aborted_and_promoted_and_a_pipeline_rolls_back() {
    let folder = tempfile::tempdir().unwrap();
    for (method, at, body, own_header) in [
        (HttpMethod::Put, "/api/v1/rollouts/prod/payment/abort", json!({"name": "payment", "namespace": "prod"}), None),
        (HttpMethod::Put, "/api/v1/rollouts/prod/payment/promote", json!({"name": "payment", "full": true}), None),
        (
            HttpMethod::Post,
            "/api/v4/projects/7/trigger/pipeline",
            json!({"ref": "main", "variables": {"ROLLBACK": "1.4.2"}}),
            Some("PRIVATE-TOKEN"),
        ),
        (HttpMethod::Delete, "/flags/new%20checkout", serde_json::Value::Null, None),
    ] {
        let server = MockServer::start().await;
        let (name, value) =
            own_header.map_or(("Authorization", "Bearer s3cr3t-4711-token"), |name| (name, "s3cr3t-4711-token"));
        let mut mock = Mock::given(verb(method.as_str())).and(path(at)).and(header(name, value));
        if !body.is_null() {
            mock = mock.and(body_json(&body));
        }
        let answer = ResponseTemplate::new(200)
            .set_body_string("{\"status\":\"Degraded\",\n\"token\":\"9f8e7d6c5b4a39281706\"}");
        mock.respond_with(answer).expect(1).mount(&server).await;
        let (end, said) =
            send(&call(method, at, body), &endpoints(&server.uri(), own_header, folder.path()), 10_000).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?}");
        assert!(said.starts_with("HTTP 200\n{\"status\":\"Degraded\"") && said.contains("⟨redacted:token"), "{said}");
    }
}

#[tokio::test]
async fn statuses_decide_and_redirects_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let other = MockServer::start().await;
    for (status, wanted, statuses) in [
        (201, 0, vec![]),
        (404, 404, vec![]),
        (409, 0, vec![200, 409]),
        (200, 200, vec![202]),
        (500, 500, vec![]),
        (307, 307, vec![]),
    ] {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(status).insert_header("Location", format!("{}/x", other.uri()));
        Mock::given(verb("POST")).respond_with(answer).expect(1).mount(&server).await;
        let mut call = call(HttpMethod::Post, "/hook", json!({}));
        call.statuses = statuses;
        let (end, _) = send(&call, &endpoints(&server.uri(), None, folder.path()), 10_000).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(code), .. } if code == wanted), "{status}: {end:?}");
    }
    assert!(other.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn no_answer_is_unknown_and_no_connection_is_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let server = MockServer::start().await;
    Mock::given(verb("POST"))
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_secs(60)))
        .mount(&server)
        .await;
    let post = call(HttpMethod::Post, "/hook", json!({}));
    let (end, _) = send(&post, &endpoints(&server.uri(), None, folder.path()), 200).await;
    assert!(matches!(&end, StepProgress::Lost { reason } if reason.contains("may have arrived")), "{end:?}");
    let (end, _) = send(&post, &endpoints("http://127.0.0.1:1", None, folder.path()), 10_000).await;
    assert!(matches!(&end, StepProgress::NotStarted { reason } if !reason.contains("s3cr3t")), "{end:?}");
    let unknown = HttpCall { endpoint: "other".into(), ..post };
    let (end, _) = send(&unknown, &endpoints(&server.uri(), None, folder.path()), 10_000).await;
    assert!(
        matches!(&end, StepProgress::NotStarted { reason } if reason.contains("[runbooks.endpoints.other]")),
        "{end:?}"
    );
}

#[tokio::test]
async fn nothing_is_sent_while_the_kill_switch_is_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = MockServer::start().await;
    let (sink, _reports) = StepReportSink::channel();
    let attempt = Attempt::new((RunId(1), 0), 10_000, Arc::new(Notify::new()), sink, Arc::new(|| true));
    let post = call(HttpMethod::Post, "/hook", json!({}));
    let end = run(&post, &endpoints(&server.uri(), None, folder.path()), &attempt).await;
    assert!(matches!(&end, StepProgress::NotStarted { reason } if reason.contains("kill switch")), "{end:?}");
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[test]
fn a_path_stays_below_its_endpoint() {
    for path in [
        "",
        "a",
        "//evil/x",
        "/../x",
        "/a/..",
        "/a/%2e%2E/b",
        "/./a",
        "/a?b=c",
        "/a#b",
        "/a b",
        "/a\\..\\b",
        "/é",
        "/a\n",
    ] {
        assert!(check_path(path).is_err(), "{path}");
    }
    for path in ["/", "/a/b.c", "/a%20b/..c", "/v1/x:abort"] {
        assert_eq!(check_path(path), Ok(()), "{path}");
    }
}

proptest! {
    #[test]
    fn no_path_that_is_taken_leads_elsewhere(parts in proptest::collection::vec(
        prop_oneof![Just("/"), Just("."), Just(".."), Just("%2e"), Just("a"), Just("\\"), Just("%2f"), Just("@evil"), Just(":80"), Just("?"), Just("%00")], 0..8,
    )) {
        let path = format!("/{}", parts.concat());
        if check_path(&path).is_ok() {
            let mut url = reqwest::Url::parse("http://host:1/prefix/").unwrap();
            url.set_path(&format!("/prefix{path}"));
            prop_assert_eq!(url.path(), format!("/prefix{path}"));
            prop_assert_eq!((url.host_str(), url.query(), url.fragment()), (Some("host"), None, None));
        }
    }
}
