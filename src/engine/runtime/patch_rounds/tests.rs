//! Feeds and scans by themselves: over HTTP from a server on this machine, as the settings want it, or not at all.

use std::io::Write;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::engine::clock::HOUR_MS;
use crate::engine::patches::keeping::Keeping;
use crate::engine::patches::picture::{FeedState, PatchPicture};
use crate::engine::runtime::patch_desk;
use crate::engine::settings::{
    FeedSettings, FeedsSettings, InventorySettings, NvdSettings, OsvSettings, SecretSource, Span,
};
use crate::engine::snapshot::Snapshot;

const KEV: &str =
    r#"{"catalogVersion": "1", "vulnerabilities": [{"cveID": "CVE-2026-1111", "dateAdded": "2026-11-01"}]}"#;
const DEBIAN: &str = r#"{"curl": {"CVE-2026-1111": {"releases": {"bookworm": {"status": "open"}}}}}"#;
const OSV: &str = r#"{"id": "RUSTSEC-2026-0001", "affected": []}"#;

fn packed(text: &str) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap()
}

/// A page of NVD's API with one entry of two.
fn page(start: usize) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(format!(
        r#"{{"resultsPerPage": 1, "startIndex": {start}, "totalResults": 2, "vulnerabilities": [{{"cve": {{"id": "CVE-2026-111{start}", "vulnStatus": "Deferred"}}}}]}}"#
    ))
}

async fn answers(server: &MockServer, at: &str, template: ResponseTemplate, times: u64) {
    Mock::given(method("GET")).and(path(at)).respond_with(template).up_to_n_times(times).mount(server).await;
}

fn settings(server: &MockServer, key: PathBuf) -> PatchSettings {
    let at = |name: &str| FeedSettings { url: format!("{}/{name}", server.uri()) };
    let feeds = FeedsSettings {
        every: Some(Span(HOUR_MS)),
        kev: at("kev.json"),
        epss: at("epss.csv.gz"),
        debian: at("debian.json"),
        nvd: NvdSettings {
            url: format!("{}/nvd", server.uri()),
            api_key: SecretSource { env: None, file: Some(key) },
            ..NvdSettings::default()
        },
        osv: OsvSettings { url: server.uri(), ecosystems: vec!["crates.io".into()] },
        ..FeedsSettings::default()
    };
    let folders = vec![PathBuf::from("/nowhere/at/all")];
    let inventory = InventorySettings { every: Some(Span(HOUR_MS)), folders, ..InventorySettings::default() };
    PatchSettings { feeds, inventory, ..PatchSettings::default() }
}

/// As [`begin`] has them, with pauses that are over at once.
fn rounds(folder: &Path, patches: PatchSettings, stop: &StopSignal) -> Rounds {
    Rounds {
        folder: folder.to_owned(),
        patches,
        runbooks: RunbookSettings::default(),
        stop: stop.clone(),
        pause: Arc::new(|_| Box::pin(tokio::time::sleep(Duration::from_millis(1)))),
        again_ms: 50,
        look_ms: 10,
    }
}

async fn until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_feed_is_renewed_by_itself_and_one_that_fails_comes_back() {
    let (server, folder) = (MockServer::start().await, tempfile::tempdir().unwrap());
    let key = folder.path().join("key");
    std::fs::write(&key, "k1\n").unwrap();
    // Not there, cut off, then whole.
    answers(&server, "/kev.json", ResponseTemplate::new(404), 1).await;
    answers(&server, "/kev.json", ResponseTemplate::new(200).set_body_string(&KEV[..60]), 1).await;
    answers(&server, "/kev.json", ResponseTemplate::new(200).set_body_string(KEV), 9).await;
    let epss =
        packed("#model_version:v1,score_date:2026-11-20T00:00:00+0000\ncve,epss,percentile\nCVE-2026-1111,0.5,0.9\n");
    answers(&server, "/epss.csv.gz", ResponseTemplate::new(503), 2).await;
    answers(&server, "/epss.csv.gz", ResponseTemplate::new(200).set_body_bytes(epss), 9).await;
    answers(&server, "/debian.json", ResponseTemplate::new(200).set_body_string(DEBIAN), 9).await;
    answers(&server, "/crates.io/all.zip", ResponseTemplate::new(200).set_body_string(OSV), 9).await;
    for (start, template, times) in
        [("0", page(0), 9), ("1", ResponseTemplate::new(429).insert_header("Retry-After", "1"), 1), ("1", page(1), 9)]
    {
        Mock::given(path("/nvd"))
            .and(header("apiKey", "k1"))
            .and(query_param("startIndex", start))
            .respond_with(template)
            .up_to_n_times(times)
            .mount(&server)
            .await;
    }
    let (stop, signal) = StopSignal::pair();
    let running = tokio::spawn(rounds(folder.path(), settings(&server, key), &signal).go());
    let shelf = Shelf::of(folder.path());
    until(|| shelf.report(wall_clock::now(), HOUR_MS).iter().all(|report| report.state == FeedState::Fresh)).await;
    let counts: Vec<usize> =
        shelf.report(wall_clock::now(), HOUR_MS).iter().map(|report| report.head.as_ref().unwrap().count).collect();
    assert_eq!(counts, [1, 1, 2, 1, 1]);
    until(|| file::tries(folder.path()).len() == 2).await;
    let asked = server.received_requests().await.unwrap().len();
    assert_eq!(asked, 3 + 3 + 1 + 1 + 3, "nothing that succeeded is asked again within the hour");
    assert_eq!(shelf.tries()[&FeedKind::Kev].failed_in_a_row, 0);
    stop.stop();
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    // Another life, within the hour: it is known what was asked already.
    let (stop, signal) = StopSignal::pair();
    let again = FeedsSettings { every: Some(Span(HOUR_MS)), ..settings(&server, folder.path().join("key")).feeds };
    let again = PatchSettings { feeds: again, ..PatchSettings::default() };
    let running = tokio::spawn(rounds(folder.path(), again, &signal).go());
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.stop();
    running.await.unwrap();
    assert_eq!(server.received_requests().await.unwrap().len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_it_is_on_the_pane() {
    let (server, folder) = (MockServer::start().await, tempfile::tempdir().unwrap());
    answers(&server, "/kev.json", ResponseTemplate::new(200).set_body_string(KEV), 9).await;
    let mut wanted = settings(&server, PathBuf::new());
    for feed in [&mut wanted.feeds.debian.url, &mut wanted.feeds.nvd.url, &mut wanted.feeds.osv.url] {
        feed.clear();
    }
    // The others have no server: `404` is what wiremock answers.
    let (_snapshots, receiver) = watch::channel(Arc::new(Snapshot::empty()));
    let (stop, signal) = StopSignal::pair();
    let mut pictures = patch_desk::watch(Some(Keeping::Folder(folder.path().to_owned())), wanted.clone(), receiver);
    begin(Some(folder.path()), &wanted, &RunbookSettings::default(), &signal);
    let is_told = |picture: &PatchPicture| {
        let feed = |title: &str| picture.feeds.iter().find(|feed| feed.title.as_ref() == title).unwrap();
        picture.asset_count == 1
            && (feed("KEV").state, feed("KEV").count) == (FeedState::Fresh, 1)
            && feed("EPSS").error.as_ref().is_some_and(|error| error.contains("404"))
            && picture
                .gaps
                .iter()
                .any(|gap| gap.why.contains("the last look failed") && gap.example.contains("/nowhere/at/all"))
    };
    let told = async {
        while let Some(picture) = pictures.recv().await {
            if picture.state == crate::engine::patches::picture::PictureState::Ready && is_told(&picture) {
                return;
            }
        }
        panic!("no picture tells it");
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.unwrap();
    stop.stop();
}

#[tokio::test]
async fn nothing_is_asked_unless_the_settings_say_how_often() {
    let (server, folder) = (MockServer::start().await, tempfile::tempdir().unwrap());
    let mut quiet = settings(&server, PathBuf::new());
    (quiet.feeds.every, quiet.inventory.every) = (None, None);
    quiet.inventory.folders.clear();
    let (_stop, signal) = StopSignal::pair();
    begin(Some(folder.path()), &quiet, &RunbookSettings::default(), &signal);
    rounds(folder.path(), quiet, &signal).go().await;
    assert!(PatchSettings::default().feeds.every.is_none() && PatchSettings::default().inventory.every.is_none());
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn files_of_a_watched_folder_are_taken_in_as_they_change() {
    let (state, watched) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let inventory = InventorySettings { folders: vec![watched.path().to_owned()], ..InventorySettings::default() };
    let patches = PatchSettings { inventory, ..PatchSettings::default() };
    let (stop, signal) = StopSignal::pair();
    let running = tokio::spawn(rounds(state.path(), patches, &signal).go());
    let write = |owner: &str| {
        let text = format!("asset,owner,package,version\nweb-1,{owner},curl,1.0\n");
        std::fs::write(watched.path().join("hosts.csv"), text).unwrap();
    };
    let owner = || file::load(state.path()).unwrap().assets().get("web-1").map(|asset| asset.traits.owner.clone());
    write("one");
    until(|| owner().as_deref() == Some("one")).await;
    write("another");
    until(|| owner().as_deref() == Some("another")).await;
    // What cannot be read leaves what was known, and is noted.
    std::fs::write(watched.path().join("hosts.csv"), "no,such\ncolumns").unwrap();
    until(|| file::tries(state.path()).values().any(|tried| tried.error.is_some())).await;
    assert_eq!(owner().as_deref(), Some("another"));
    stop.stop();
    running.await.unwrap();
}

#[test]
fn pauses_grow_to_the_interval_and_a_clock_that_goes_back_holds_nobody_up() {
    let now = Timestamp(1_795_000_000_000);
    let good = Tried { at: now, error: None, failed_in_a_row: 0 };
    let mut turn = Turn::after(Some(&good), "kev", HOUR_MS, 60_000);
    assert!(!turn.is_due(now + HOUR_MS - 1) && turn.is_due(now + HOUR_MS));
    assert!(turn.is_due(now - 2 * MINUTE_MS), "the clock went back");
    assert!(Turn::after(None, "kev", HOUR_MS, 60_000).is_due(Timestamp(0)));
    let failed = Tried { error: Some("x".into()), ..good };
    assert!(Turn::after(Some(&failed), "kev", HOUR_MS, 60_000).is_due(now));
    let mut waits = Vec::new();
    for _ in 0..40 {
        turn.over(false, now);
        waits.push(turn.due_at.since_ms(now));
    }
    for (number, plain) in [60_000, 120_000, 240_000, 480_000].into_iter().enumerate() {
        assert!((plain * 8 / 10..=plain * 12 / 10).contains(&waits[number]), "{waits:?}");
    }
    assert!(waits.iter().skip(7).all(|wait| (HOUR_MS * 8 / 10..=HOUR_MS).contains(wait)), "{waits:?}");
    turn.over(true, now);
    assert_eq!(turn.due_at, now + HOUR_MS);
    turn.over(false, now);
    assert!(turn.due_at.since_ms(now) <= 72_000, "it begins anew");
}
