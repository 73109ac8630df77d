//! The feeds' servers as they are documented, with their bad days.

use std::sync::Mutex;

use wiremock::matchers::{header, headers, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::engine::clock::DAY_MS;
use crate::engine::patches::feeds::nvd::Described;
use crate::engine::settings::{NvdSettings, OsvSettings, Span};

const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// Renews one feed; gives what became of it and how long it wanted to wait between requests.
async fn renew(
    settings: &FeedsSettings,
    shelf: &Shelf,
    feed: FeedKind,
    now: Timestamp,
) -> (Result<Renewed, SyncError>, Vec<u64>) {
    let waits = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&waits);
    let pause: Pause = Arc::new(move |ms| {
        heard.lock().unwrap().push(ms);
        Box::pin(std::future::ready(()))
    });
    let renewal = shelf.renewal().unwrap();
    let now = move || now;
    let sync = Renewing { settings, shelf, renewal: &renewal, now: &now, pause, may_shrink: false };
    let outcome = sync.renew(feed).await;
    let waits = waits.lock().unwrap().clone();
    (outcome, waits)
}

fn kev(count: usize) -> String {
    let entries: Vec<String> =
        (0..count).map(|n| format!(r#"{{"cveID": "CVE-2026-{n:04}", "dateAdded": "2026-11-01"}}"#)).collect();
    format!(r#"{{"catalogVersion": "2026.11.20", "vulnerabilities": [{}]}}"#, entries.join(","))
}

fn of_kev(server: &MockServer) -> FeedsSettings {
    FeedsSettings { kev: FeedSettings { url: format!("{}/kev.json", server.uri()) }, ..FeedsSettings::default() }
}

#[tokio::test]
async fn a_document_is_asked_for_only_if_it_changed() {
    let (server, folder) = (MockServer::start().await, tempfile::tempdir().unwrap());
    let (shelf, settings) = (Shelf::of(folder.path()), of_kev(&server));
    Mock::given(method("GET"))
        .and(path("/kev.json"))
        .and(header("If-None-Match", "\"v1\""))
        .and(headers("If-Modified-Since", vec!["Fri", "20 Nov 2026 00:00:00 GMT"]))
        .respond_with(ResponseTemplate::new(304))
        .expect(1)
        .with_priority(1)
        .mount(&server)
        .await;
    let document = ResponseTemplate::new(200)
        .insert_header("ETag", "\"v1\"")
        .insert_header("Last-Modified", "Fri, 20 Nov 2026 00:00:00 GMT")
        .set_body_string(kev(3));
    Mock::given(method("GET")).and(path("/kev.json")).respond_with(document).expect(1).mount(&server).await;
    let (first, _) = renew(&settings, &shelf, FeedKind::Kev, NOW).await;
    assert_eq!(first.unwrap(), Renewed::Taken { count: 3, set_aside_count: 0 });
    let (second, _) = renew(&settings, &shelf, FeedKind::Kev, NOW + 5).await;
    assert_eq!(second.unwrap(), Renewed::Unchanged);
    let head = shelf.head(FeedKind::Kev).unwrap().unwrap();
    assert_eq!((head.of.as_deref(), head.taken_at), (Some("2026.11.20"), NOW));
    assert_eq!(shelf.tries()[&FeedKind::Kev].at, NOW + 5);
}

#[tokio::test]
async fn whatever_a_server_answers_what_was_known_stays() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::of(folder.path());
    let good = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(200).set_body_string(kev(10))).mount(&good).await;
    renew(&of_kev(&good), &shelf, FeedKind::Kev, NOW).await.0.unwrap();
    let before = shelf.load::<KnownExploited>().unwrap().unwrap();
    let whole = kev(10);
    for (template, said) in [
        (ResponseTemplate::new(200).set_body_string(&whole[..whole.len() - 9]), "cannot be read"),
        (ResponseTemplate::new(200).set_body_string(kev(5)), "5 entries where the one before had 10"),
        (ResponseTemplate::new(200).set_body_string(kev(0)), "0 entries can be used"),
        (ResponseTemplate::new(200).set_body_string("<html>captive portal</html>"), "cannot be read"),
        (ResponseTemplate::new(200).set_body_bytes([0x1f, 0x8b, 8, 0]), "cannot be read"),
        (ResponseTemplate::new(404), "404"),
        (ResponseTemplate::new(304), "304"),
        (ResponseTemplate::new(503).insert_header("Retry-After", "7"), "503"),
        (ResponseTemplate::new(302).insert_header("Location", "http://127.0.0.1:1/elsewhere"), "it redirects to"),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("GET")).respond_with(template).mount(&server).await;
        let (outcome, waits) = renew(&of_kev(&server), &shelf, FeedKind::Kev, NOW + 1).await;
        let problem = outcome.unwrap_err().to_string();
        assert!(problem.contains(said), "{problem}");
        assert_eq!(waits, if said == "503" { vec![7_000; 4] } else { Vec::new() }, "{said}");
        assert_eq!(shelf.load::<KnownExploited>().unwrap().unwrap(), before, "{said}");
        assert_eq!(shelf.tries()[&FeedKind::Kev].error.as_deref(), Some(problem.as_str()));
    }
}

/// A page of NVD's API.
fn page(start: usize, count: usize, total: usize) -> ResponseTemplate {
    let entries: Vec<String> = (start..start + count)
        .map(|n| format!(r#"{{"cve": {{"id": "CVE-2026-{n:04}", "vulnStatus": "Analyzed", "lastModified": "2026-11-01T00:00:00.000"}}}}"#))
        .collect();
    ResponseTemplate::new(200).set_body_string(format!(
        r#"{{"resultsPerPage": {count}, "startIndex": {start}, "totalResults": {total}, "vulnerabilities": [{}]}}"#,
        entries.join(",")
    ))
}

fn of_nvd(server: &MockServer) -> FeedsSettings {
    FeedsSettings {
        nvd: NvdSettings { url: format!("{}/cves/2.0", server.uri()), timeout: Span(5_000), ..NvdSettings::default() },
        ..FeedsSettings::default()
    }
}

async fn answers(server: &MockServer, start: &str, template: ResponseTemplate, times: u64) {
    Mock::given(method("GET"))
        .and(path("/cves/2.0"))
        .and(query_param("resultsPerPage", "2000"))
        .and(query_param("startIndex", start))
        .and(query_param_is_missing("lastModStartDate"))
        .respond_with(template)
        .up_to_n_times(times)
        .mount(server)
        .await;
}

#[tokio::test]
async fn nvd_is_taken_page_by_page_and_a_download_that_broke_off_goes_on() {
    let (server, folder) = (MockServer::start().await, tempfile::tempdir().unwrap());
    let (shelf, settings) = (Shelf::of(folder.path()), of_nvd(&server));
    answers(&server, "0", page(0, 3, 7), 1).await;
    answers(&server, "3", ResponseTemplate::new(403), 1).await;
    answers(&server, "3", ResponseTemplate::new(429).insert_header("Retry-After", "30"), 1).await;
    answers(&server, "3", ResponseTemplate::new(503), 3).await;
    let (outcome, waits) = renew(&settings, &shelf, FeedKind::Nvd, NOW).await;
    assert!(outcome.unwrap_err().to_string().contains("503"));
    assert_eq!(waits, [6_000, 6_000, 30_000, 24_000, 48_000], "between pages, then after each refusal");
    assert_eq!(shelf.head(FeedKind::Nvd).unwrap().unwrap().resume_at, Some(3));
    answers(&server, "3", page(3, 3, 7), 1).await;
    answers(&server, "6", page(6, 1, 7), 1).await;
    let (outcome, _) = renew(&settings, &shelf, FeedKind::Nvd, NOW + DAY_MS).await;
    assert_eq!(outcome.unwrap(), Renewed::Taken { count: 7, set_aside_count: 0 });
    let head = shelf.head(FeedKind::Nvd).unwrap().unwrap();
    assert_eq!((head.resume_at, head.cursor), (None, Some(NOW)), "changes since the download began are fetched next");
}

#[tokio::test]
async fn nvd_is_asked_for_changes_in_windows_of_120_days_with_its_key() {
    let (server, folder) = (MockServer::start().await, tempfile::tempdir().unwrap());
    let key = folder.path().join("key");
    std::fs::write(&key, "k1\n").unwrap();
    let (shelf, mut settings) = (Shelf::of(folder.path()), of_nvd(&server));
    settings.nvd.api_key = SecretSource { env: None, file: Some(key) };
    answers(&server, "0", page(0, 5, 5), 1).await;
    renew(&settings, &shelf, FeedKind::Nvd, NOW).await.0.unwrap();
    let later = NOW + 200 * DAY_MS;
    let first = (NOW - 7_200_000).to_string();
    let second = (NOW - 7_200_000 + 120 * DAY_MS).to_string();
    for (from, to, template) in [(&first, &second, page(0, 1, 1)), (&second, &later.to_string(), page(0, 6, 6))] {
        Mock::given(method("GET"))
            .and(header("apiKey", "k1"))
            .and(query_param("lastModStartDate", from.as_str()))
            .and(query_param("lastModEndDate", to.as_str()))
            .respond_with(template)
            .expect(1)
            .mount(&server)
            .await;
    }
    let (outcome, waits) = renew(&settings, &shelf, FeedKind::Nvd, later).await;
    assert_eq!(outcome.unwrap(), Renewed::Taken { count: 6, set_aside_count: 0 });
    assert_eq!(waits, [600]);
    // A window that breaks leaves the cursor where it was.
    let (outcome, _) = renew(&settings, &shelf, FeedKind::Nvd, later + DAY_MS).await;
    assert!(outcome.is_err());
    assert_eq!(shelf.load::<Described>().unwrap().unwrap().head.cursor, Some(later));
}

#[tokio::test]
async fn osv_is_taken_by_ecosystem() {
    let (server, folder) = (MockServer::start().await, tempfile::tempdir().unwrap());
    let shelf = Shelf::of(folder.path());
    let osv = OsvSettings { url: server.uri(), ecosystems: vec!["Rocky Linux".into(), "crates.io".into()] };
    let settings = FeedsSettings { osv, ..FeedsSettings::default() };
    for (at, id) in [("/Rocky%20Linux/all.zip", "RLSA-2026:1"), ("/crates.io/all.zip", "RUSTSEC-2026-0001")] {
        let body = format!(r#"{{"id": "{id}", "affected": []}}"#);
        Mock::given(method("GET"))
            .and(path(at))
            .respond_with(ResponseTemplate::new(200).set_body_string(body))
            .mount(&server)
            .await;
    }
    let (outcome, _) = renew(&settings, &shelf, FeedKind::Osv, NOW).await;
    assert_eq!(outcome.unwrap(), Renewed::Taken { count: 2, set_aside_count: 0 });
    // Asked again, each is asked for by what the server called it.
    let server = MockServer::start().await;
    let settings = FeedsSettings { osv: OsvSettings { url: server.uri(), ..settings.osv }, ..settings };
    let body = ResponseTemplate::new(200).set_body_string(r#"{"id": "RLSA-2026:1", "affected": []}"#);
    let first = body.insert_header("ETag", "\"r1\"");
    Mock::given(path("/Rocky%20Linux/all.zip")).respond_with(first).up_to_n_times(1).mount(&server).await;
    let other = ResponseTemplate::new(200).set_body_string(r#"{"id": "RUSTSEC-2026-0001", "affected": []}"#);
    Mock::given(path("/crates.io/all.zip")).respond_with(other).expect(2).mount(&server).await;
    Mock::given(path("/Rocky%20Linux/all.zip"))
        .and(header("If-None-Match", "\"r1\""))
        .respond_with(ResponseTemplate::new(304))
        .expect(1)
        .mount(&server)
        .await;
    for _ in 0..2 {
        let (outcome, _) = renew(&settings, &shelf, FeedKind::Osv, NOW).await;
        assert_eq!(outcome.unwrap(), Renewed::Taken { count: 2, set_aside_count: 0 });
    }
    let none = FeedsSettings::default();
    assert!(matches!(renew(&none, &shelf, FeedKind::Osv, NOW).await.0, Ok(Renewed::NotFetched(_))));
}
