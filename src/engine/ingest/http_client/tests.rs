//! What the client refuses, bounds and says.

use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

pub(crate) fn client(url: &str, timeout_ms: i64) -> Result<HttpClient, IngestError> {
    let none = SecretSource::default();
    HttpClient::new(ClientSettings {
        name: "prom",
        url,
        timeout_ms,
        bearer: &none,
        username: None,
        password: &none,
        headers: None,
        ca_file: None,
    })
}

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(answer).mount(&server).await;
    server
}

#[test]
fn addresses_that_must_not_be_asked_are_refused_without_repeating_a_secret() {
    for (url, said) in [
        ("file:///etc/passwd", "not http or https"),
        ("not an address", "http://host:port"),
        ("http://169.254.169.254/latest/meta-data", "link-local"),
        ("http://[fe80::1]:9090", "link-local"),
        ("http://[::ffff:169.254.169.254]/", "link-local"),
        ("http://0.0.0.0:9090", "link-local"),
        ("http://ops:hunter2@prom:9090", "set `username`"),
    ] {
        let refused = client(url, 1_000).unwrap_err().to_string();
        assert!(refused.contains(said), "{url}: {refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
    assert_eq!(
        client("http://h:1/prefix/", 1_000).unwrap().address_of("/api/v1/query").as_str(),
        "http://h:1/prefix/api/v1/query"
    );
}

#[test]
fn secrets_come_from_files_and_never_show() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "hunter2\nsecond line\n").unwrap();
    let origin = SecretSource { env: None, file: Some(file.clone()) };
    let token = secret("prom", &origin).unwrap().unwrap();
    assert_eq!(token.expose_secret(), "hunter2");
    assert!(!format!("{token:?}").contains("hunter2"));
    std::fs::write(&file, "\n").unwrap();
    assert!(secret("prom", &origin).unwrap_err().to_string().contains("first line is empty"));
    let origin = SecretSource { env: Some("HYPO_TEST_NO_SUCH_VARIABLE".to_owned()), file: None };
    assert!(secret("prom", &origin).unwrap_err().to_string().contains("HYPO_TEST_NO_SUCH_VARIABLE"));
}

#[tokio::test]
async fn a_refusal_carries_the_servers_own_words_and_the_remedy() {
    for (status, body, said) in [
        (
            400,
            r#"{"status":"error","errorType":"bad_data","error":"1:7: parse error: unexpected end"}"#,
            "1:7: parse error",
        ),
        (401, "Unauthorized\nmore", "check `bearer`"),
        (404, "<html><body>nginx</body></html>", "Not Found"),
        (503, r#"{"status":"error","error":"query timed out in expression evaluation"}"#, "query timed out"),
        (500, "boom \x1b[2J", "boom ␛[2J"),
        (502, "", "Bad Gateway"),
    ] {
        let server = server(ResponseTemplate::new(status).set_body_string(body)).await;
        let said_back =
            client(&server.uri(), 2_000).unwrap().get("/api/v1/query", &[("q", "up")]).await.unwrap_err().to_string();
        assert!(said_back.contains(said) && said_back.contains(&status.to_string()), "{said_back}");
        assert!(said_back.contains(&server.uri()) && !said_back.contains("q=up"), "{said_back}");
    }
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let other = server(ResponseTemplate::new(200).set_body_string("secret metadata")).await;
    let moved = ResponseTemplate::new(302).insert_header("Location", format!("{}/stolen?token=x", other.uri()));
    let server = server(moved).await;
    let refused = client(&server.uri(), 2_000).unwrap().get("/a", &[]).await.unwrap_err().to_string();
    assert!(refused.contains("redirects to") && refused.contains("/stolen") && !refused.contains("token"), "{refused}");
    assert!(other.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_within_the_server_is_followed() {
    let server = MockServer::start().await;
    Mock::given(path("/a"))
        .respond_with(ResponseTemplate::new(307).insert_header("Location", "/b"))
        .mount(&server)
        .await;
    Mock::given(path("/b")).respond_with(ResponseTemplate::new(200).set_body_string("there")).mount(&server).await;
    assert_eq!(client(&server.uri(), 2_000).unwrap().get("/a", &[]).await.unwrap().body, b"there");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let server = server(ResponseTemplate::new(200).set_body_bytes(vec![b' '; 10_000])).await;
    let client = client(&server.uri(), 2_000).unwrap().with_bytes_max(9_999);
    assert!(matches!(client.get("/", &[]).await, Err(AskError::TooLarge { bytes_max: 9_999, .. })));
}

#[tokio::test]
async fn a_server_that_is_too_slow_or_not_there_is_named() {
    let slow = server(ResponseTemplate::new(200).set_delay(Duration::from_secs(30))).await;
    let error = client(&slow.uri(), 50).unwrap().get("/", &[]).await.unwrap_err();
    assert!(matches!(error, AskError::TimedOut { timeout_ms: 50, .. }), "{error}");
    // Port 1 on loopback: nothing listens there.
    let error = client("http://127.0.0.1:1", 2_000).unwrap().get("/", &[]).await.unwrap_err();
    assert!(matches!(error, AskError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("check that it runs"), "{error}");
}

#[tokio::test]
async fn credentials_and_headers_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "hunter2").unwrap();
    let origin = SecretSource { env: None, file: Some(file) };
    let none = SecretSource::default();
    let server = MockServer::start().await;
    Mock::given(header("Authorization", "Bearer hunter2"))
        .and(header("X-Scope-OrgID", "team"))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    let further = BTreeMap::from([("X-Scope-OrgID".to_owned(), "team".to_owned())]);
    let settings = ClientSettings {
        name: "mimir",
        url: &server.uri(),
        timeout_ms: 2_000,
        bearer: &origin,
        username: None,
        password: &none,
        headers: Some(&further),
        ca_file: None,
    };
    HttpClient::new(settings).unwrap().get("/", &[]).await.unwrap();
    let secret_header = BTreeMap::from([("Authorization".to_owned(), "Bearer x".to_owned())]);
    let refused = HttpClient::new(ClientSettings { headers: Some(&secret_header), ..settings }).unwrap_err();
    assert!(refused.to_string().contains("use `bearer`"));
}

#[tokio::test]
async fn the_servers_clock_is_compared_with_ours() {
    let there = wall_clock::now() + 3_600_000;
    let date = there.to_datetime().to_rfc2822().replace("+0000", "GMT");
    let server = server(ResponseTemplate::new(200).insert_header("Date", date)).await;
    let skew_ms = client(&server.uri(), 2_000).unwrap().get("/", &[]).await.unwrap().skew_ms.unwrap();
    assert!((skew_ms - 3_600_000).abs() < 5_000, "{skew_ms}");
}

/// A TLS server on `localhost` that answers every request with `{}`, for as long as somebody asks.
fn tls_server() -> u16 {
    use std::io::{Read as _, Write as _};

    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    install_tls_provider();
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../../../../tests/tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../../../tests/tls/server.key")).unwrap();
    let config =
        rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(session, stream);
            // A client that does not trust us goes away, and that is an error here.
            let mut head = [0; 4_096];
            if stream.read(&mut head).is_ok() {
                let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
                let _gone = stream.flush();
            }
        }
    });
    port
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_by_ca_file_and_without_it_the_message_names_that() {
    let port = tls_server();
    let authority = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/authority.pem"));
    let ask = async |host: &str, ca_file: Option<&Path>| {
        let none = SecretSource::default();
        let client = HttpClient::new(ClientSettings {
            name: "prom",
            url: &format!("https://{host}:{port}"),
            timeout_ms: 10_000,
            bearer: &none,
            username: None,
            password: &none,
            headers: None,
            ca_file,
        })
        .unwrap();
        client.get("/api/v2/alerts", &[]).await
    };
    assert_eq!(ask("localhost", Some(authority)).await.unwrap().body, b"{}");
    let refused = ask("localhost", None).await.unwrap_err();
    assert!(matches!(refused, AskError::Untrusted { .. }), "{refused:?}");
    let said = refused.to_string();
    assert!(said.contains("set `ca_file`") && said.contains(&format!("https://localhost:{port}")), "{said}");
    let said = ask("127.0.0.1", Some(authority)).await.unwrap_err().to_string();
    assert!(said.contains("a name that the certificate has"), "{said}");
}

#[test]
fn a_ca_file_that_is_none_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let ask = || certificate::read("prom", &file).unwrap_err().to_string();
    assert!(ask().contains("ca.pem") && ask().contains("`ca_file`"), "{}", ask());
    std::fs::write(&file, "no certificate").unwrap();
    assert!(ask().contains("PEM"), "{}", ask());
}
