//! The source against a server that answers, refuses, lies, breaks off and comes back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::reach::Reached;
use super::*;
use crate::engine::clock::{HOUR_MS, MINUTE_MS};
use crate::engine::model::{DropReason, Sample, SeriesNotice, SourceState};
use crate::engine::settings::{QuerySettings, Span};

/// One range query as the server got it.
#[derive(Debug, Clone)]
struct Asked {
    expr: String,
    start_s: f64,
    end_s: f64,
    step_s: f64,
}

impl Asked {
    fn steps(&self) -> i64 {
        ((self.end_s - self.start_s) / self.step_s).round() as i64 + 1
    }

    /// Two series with a point on every step; the value tells the instant.
    fn full_answer(&self) -> String {
        let points: Vec<String> = (0..self.steps())
            .map(|at| self.start_s + at as f64 * self.step_s)
            .map(|at| format!("[{at},\"{at}\"]"))
            .collect();
        let points = points.join(",");
        format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[
                {{"metric":{{"job":"a","instance":"1"}},"values":[{points}]}},
                {{"metric":{{"job":"b","instance":"1"}},"values":[{points}]}}]}}}}"#
        )
    }
}

type Answering = Box<dyn Fn(&Asked) -> ResponseTemplate + Send + Sync>;

/// A server with the metrics `names`, whose answers to range queries can be swapped.
struct Server {
    mock: MockServer,
    answering: Arc<Mutex<Answering>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    async fn start(names: &[&str], answering: impl Fn(&Asked) -> ResponseTemplate + Send + Sync + 'static) -> Self {
        let mock = MockServer::start().await;
        let answering: Arc<Mutex<Answering>> = Arc::new(Mutex::new(Box::new(answering)));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let names = format!(r#"{{"status":"success","data":[{}]}}"#, quoted(names));
        let (answering_there, asked_there) = (Arc::clone(&answering), Arc::clone(&asked));
        let respond = move |request: &Request| match request.url.path() {
            "/api/v1/label/__name__/values" => ResponseTemplate::new(200).set_body_string(names.clone()),
            "/api/v1/query_range" => {
                let form: BTreeMap<String, String> =
                    url_pairs(&String::from_utf8_lossy(&request.body)).into_iter().collect();
                let number = |name: &str| form[name].parse::<f64>().unwrap();
                let asked = Asked {
                    expr: form["query"].clone(),
                    start_s: number("start"),
                    end_s: number("end"),
                    step_s: number("step"),
                };
                asked_there.lock().unwrap().push(asked.clone());
                (*answering_there.lock().unwrap())(&asked)
            }
            _ => ResponseTemplate::new(404),
        };
        Mock::given(any()).respond_with(respond).mount(&mock).await;
        Self { mock, answering, asked }
    }

    fn answer(&self, answering: impl Fn(&Asked) -> ResponseTemplate + Send + Sync + 'static) {
        *self.answering.lock().unwrap() = Box::new(answering);
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// A session whose one query is `up`, with history of `backfill`.
    fn session(&self, backfill: Span, resume_from: Option<Timestamp>) -> (Session, mpsc::Receiver<Signal>) {
        self.session_of(PrometheusSettings { backfill, ..PrometheusSettings::default() }, resume_from)
    }

    fn session_of(
        &self,
        settings: PrometheusSettings,
        resume_from: Option<Timestamp>,
    ) -> (Session, mpsc::Receiver<Signal>) {
        let settings = PrometheusSettings { url: self.mock.uri(), name: "prom".to_owned(), ..settings };
        let (sink, receiver) = SignalSink::bounded(100_000);
        let mut session = Session::new(PrometheusSource::new(settings, resume_from, None).unwrap(), sink);
        session.pause_ms_max = 0;
        (session, receiver)
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",")
}

fn url_pairs(form: &str) -> Vec<(String, String)> {
    let address = reqwest::Url::parse(&format!("http://x/?{form}")).unwrap();
    address.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn full(asked: &Asked) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(asked.full_answer())
}

fn refused(status: u16, error: &str) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .set_body_string(format!(r#"{{"status":"error","errorType":"execution","error":"{error}"}}"#))
}

/// Everything that has come in so far.
#[derive(Default)]
struct Heard {
    notices: Vec<SeriesNotice>,
    live: Vec<Sample>,
    history: Vec<Sample>,
    progress: Vec<(u32, u32)>,
}

fn heard(receiver: &mut mpsc::Receiver<Signal>) -> Heard {
    let mut heard = Heard::default();
    while let Ok(signal) = receiver.try_recv() {
        match signal {
            Signal::Series(notice) => heard.notices.push(notice),
            Signal::Samples(batch) if batch.is_backfill => heard.history.extend(batch.samples),
            Signal::Samples(batch) => heard.live.extend(batch.samples),
            Signal::Source(report) => {
                if let SourceState::Backfilling { done, total } = report.state {
                    heard.progress.push((done, total));
                }
            }
            _ => {}
        }
    }
    heard
}

/// True when every series has a sample on every step from its first to its last, and time never goes back across series.
fn is_gapless_and_ordered(samples: &[Sample], step_ms: i64) -> bool {
    let mut last: BTreeMap<u32, Timestamp> = BTreeMap::new();
    let gapless = samples
        .iter()
        .all(|sample| last.insert(sample.local, sample.at).is_none_or(|before| sample.at.since_ms(before) == step_ms));
    gapless && samples.is_sorted_by_key(|sample| sample.at)
}

fn state(session: &Session) -> &SourceState {
    &session.health.report().state
}

fn degraded_for(session: &Session) -> String {
    match state(session) {
        SourceState::Degraded { reason } => reason.to_string(),
        other => panic!("not degraded but {other:?}"),
    }
}

#[tokio::test]
async fn history_arrives_whole_in_order_and_with_progress() {
    let server = Server::start(&["up"], full).await;
    let (mut session, mut receiver) = server.session(Span(3 * DAY_MS), None);
    session.reach().await;
    session.backfill().await;
    let heard = heard(&mut receiver);
    assert_eq!(heard.notices.len(), 2);
    assert!(heard.live.is_empty());
    assert!(is_gapless_and_ordered(&heard.history, 5 * MINUTE_MS));
    assert!((2 * 3 * 288 - 2..=2 * 3 * 288).contains(&heard.history.len()), "{}", heard.history.len());
    assert!(heard.progress.is_sorted() && heard.progress.len() > 2);
    let (done, total) = *heard.progress.last().unwrap();
    assert_eq!(done, total);
    assert!(server.asked().iter().all(|asked| asked.steps() <= 11_000));
    let known_until = session.health.report().backfilled_until.unwrap();
    assert!(wall_clock::now().since_ms(known_until) < 6 * MINUTE_MS);
}

#[tokio::test]
async fn after_history_live_begins_where_it_ended() {
    let server = Server::start(&["up"], full).await;
    let (mut session, mut receiver) = server.session(Span(HOUR_MS), None);
    session.reach().await;
    session.backfill().await;
    session.poll().await.unwrap();
    let heard = heard(&mut receiver);
    let last = heard.history.last().unwrap().at;
    if let Some(first) = heard.live.first() {
        assert_eq!(first.at.since_ms(last), 15_000);
    }
    assert!(is_gapless_and_ordered(&heard.live, 15_000));
    assert_eq!(state(&session), &SourceState::Healthy);
}

#[tokio::test]
async fn a_short_absence_is_read_at_full_resolution_as_live() {
    let server = Server::start(&["up"], full).await;
    let (mut session, mut receiver) = server.session(Span(DAY_MS), Some(wall_clock::now() - 10 * MINUTE_MS));
    session.reach().await;
    session.backfill().await;
    session.poll().await.unwrap();
    let heard = heard(&mut receiver);
    assert!(heard.history.is_empty());
    assert!(is_gapless_and_ordered(&heard.live, 15_000));
    assert!((2 * 39..=2 * 41).contains(&heard.live.len()), "{}", heard.live.len());
}

#[tokio::test]
async fn a_long_absence_is_read_as_history_from_where_it_began() {
    let server = Server::start(&["up"], full).await;
    let resume_from = wall_clock::now() - 5 * HOUR_MS;
    let (mut session, mut receiver) = server.session(Span(21 * DAY_MS), Some(resume_from));
    session.reach().await;
    session.backfill().await;
    let heard = heard(&mut receiver);
    assert!(heard.history.first().unwrap().at > resume_from);
    assert!((2 * 58..=2 * 61).contains(&heard.history.len()), "{}", heard.history.len());
}

/// Settings with one query of one's own for each of `metrics`.
fn of_ones_own(metrics: &[&str]) -> PrometheusSettings {
    let own = |metric: &&str| QuerySettings {
        metric: (*metric).to_owned(),
        expr: format!("sum by (job) ({metric})"),
        unit: crate::engine::model::Unit::Count,
        role: crate::engine::model::SeriesRole::Other,
        bad_when: crate::engine::model::BadWhen::Either,
        is_skewed: false,
        limit: None,
        service: None,
    };
    let backfill = Span(3 * DAY_MS);
    PrometheusSettings {
        backfill,
        defaults: Vec::new(),
        query: metrics.iter().map(own).collect(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_query_that_was_added_since_gets_its_history_and_the_others_are_not_asked_again() {
    let server = Server::start(&["up"], full).await;
    let known_until = wall_clock::now() - 10 * MINUTE_MS;
    let (mut session, _receiver) = server.session_of(of_ones_own(&["old"]), Some(known_until));
    session.reach().await;
    session.backfill().await;
    assert!(server.asked().is_empty(), "without word of an earlier life everything is known: {:?}", server.asked());
    let kept = session.health.report().position.clone().unwrap();

    let (mut session, mut receiver) = server.session_of(of_ones_own(&["old", "added"]), Some(known_until));
    session.reach = Reach::from_text(&kept);
    session.reach().await;
    session.backfill().await;
    let history = heard(&mut receiver).history;
    assert!(server.asked().iter().all(|asked| asked.expr.contains("added")), "{:?}", server.asked());
    assert!(is_gapless_and_ordered(&history, 5 * MINUTE_MS));
    assert!((2 * 3 * 288 - 8..=2 * 3 * 288).contains(&history.len()), "{}", history.len());
    assert!(history.iter().all(|sample| sample.at <= known_until));
    // The place of the source as a whole is the poll's to tell.
    assert_eq!(session.health.report().backfilled_until, None);
    session.poll().await.unwrap();
    assert_eq!(session.reach.as_ref().unwrap().of(&session.queries[1]), Reached::AsTheSource);
    assert!(server.asked().iter().any(|asked| asked.expr.contains("old")));
}

#[tokio::test]
async fn the_history_of_an_added_query_that_was_cut_off_goes_on_where_it_was() {
    let server = Server::start(&["up"], full).await;
    let known_until = wall_clock::now() - 10 * MINUTE_MS;
    let (mut session, mut receiver) = server.session_of(of_ones_own(&["old", "added"]), Some(known_until));
    let mut reach = Reach::default();
    reach.set(&session.queries[0], None);
    let read_until = known_until - 5 * HOUR_MS;
    reach.set(&session.queries[1], Some(read_until));
    session.reach = Some(reach);
    session.reach().await;
    session.backfill().await;
    let history = heard(&mut receiver).history;
    assert!(history.first().unwrap().at > read_until);
    assert!((2 * 58..=2 * 61).contains(&history.len()), "{}", history.len());
}

#[tokio::test]
async fn history_half_read_is_told_with_its_query_and_leaves_the_place_of_the_others() {
    let server = Server::start(&["up"], full).await;
    let (mut session, mut receiver) =
        server.session_of(of_ones_own(&["old", "added"]), Some(wall_clock::now() - 10 * MINUTE_MS));
    let mut reach = Reach::default();
    reach.set(&session.queries[0], None);
    session.reach = Some(reach);
    session.reach().await;
    session.backfill().await;
    let mut reached = Vec::new();
    while let Ok(signal) = receiver.try_recv() {
        let Signal::Source(report) = signal else { continue };
        assert_eq!(report.backfilled_until, None);
        let reach = report.position.as_deref().and_then(Reach::from_text);
        reached.extend(reach.map(|reach| reach.of(&session.queries[1])));
    }
    let places: Vec<Timestamp> =
        reached.iter().filter_map(|it| if let Reached::Until(at) = it { Some(*at) } else { None }).collect();
    assert!(places.is_sorted() && places.len() > 2, "{reached:?}");
}

#[tokio::test]
async fn polls_missed_while_the_server_was_down_are_filled_in() {
    let server = Server::start(&["up"], full).await;
    let (mut session, mut receiver) = server.session(Span(DAY_MS), Some(wall_clock::now() - 2 * MINUTE_MS));
    session.reach().await;
    session.backfill().await;
    for status in [503, 500, 502] {
        server.answer(move |_| refused(status, "away"));
        session.poll().await.unwrap_err();
        assert!(heard(&mut receiver).live.is_empty());
    }
    server.answer(full);
    for state in &mut session.states {
        state.retry_at = None;
    }
    while session.poll().await.unwrap() {}
    let heard = heard(&mut receiver);
    assert!(is_gapless_and_ordered(&heard.live, 15_000));
    assert!((2 * 7..=2 * 9).contains(&heard.live.len()), "{}", heard.live.len());
    assert_eq!(session.health.report().dropped, BTreeMap::new());
}

#[tokio::test]
async fn what_is_too_heavy_is_asked_in_halves_and_nothing_is_lost() {
    let server = Server::start(&["up", "process_open_fds", "process_max_fds"], |asked: &Asked| {
        let steps_max = if asked.expr.contains("process") { 20 } else { 60 };
        if asked.steps() > steps_max {
            return refused(422, "query processing would load too many samples into memory");
        }
        full(asked)
    })
    .await;
    let (mut session, mut receiver) = server.session(Span(DAY_MS), None);
    session.reach().await;
    session.backfill().await;
    let heard = heard(&mut receiver);
    assert_eq!(heard.notices.len(), 4);
    assert!(is_gapless_and_ordered(&heard.history, 5 * MINUTE_MS));
    assert!((4 * 287..=4 * 288).contains(&heard.history.len()), "{}", heard.history.len());
    assert!(session.health.report().warnings.is_empty());
}

#[tokio::test]
async fn one_bad_query_neither_stops_history_nor_polls() {
    let server = Server::start(&["up"], |asked: &Asked| {
        if asked.expr == "sum(" { refused(400, "1:5: parse error: unclosed left parenthesis") } else { full(asked) }
    })
    .await;
    let own = QuerySettings {
        metric: "orders".to_owned(),
        expr: "sum(".to_owned(),
        unit: crate::engine::model::Unit::Count,
        role: crate::engine::model::SeriesRole::Other,
        bad_when: crate::engine::model::BadWhen::Either,
        is_skewed: false,
        limit: None,
        service: None,
    };
    let settings = PrometheusSettings { backfill: Span(DAY_MS), query: vec![own], ..PrometheusSettings::default() };
    let (mut session, mut receiver) = server.session_of(settings, None);
    session.reach().await;
    session.backfill().await;
    let warnings = session.health.report().warnings.clone();
    assert!(warnings[0].contains("history of `orders`") && warnings[0].contains("1:5: parse error"), "{warnings:?}");
    for state in &mut session.states {
        state.cursor = Some(wall_clock::now() - MINUTE_MS);
    }
    session.poll().await.unwrap();
    assert!(is_gapless_and_ordered(&heard(&mut receiver).history, 5 * MINUTE_MS));
    let reason = degraded_for(&session);
    assert!(reason.contains("1 of 2 queries fail") && reason.contains("1:5: parse error"), "{reason}");
    assert!(reason.contains("correct the query"), "{reason}");
}

#[tokio::test]
async fn answers_that_are_none_are_told_as_what_they_are() {
    for (answer, said) in [
        (ResponseTemplate::new(200).set_body_string("<html>Sign in</html>"), "HTML"),
        (
            ResponseTemplate::new(200)
                .set_body_string(r#"{"status":"error","errorType":"timeout","error":"too slow","data":{"result":[]}}"#),
            "timeout: too slow",
        ),
        (ResponseTemplate::new(200).set_body_string("[".repeat(100_000)), "cannot be read"),
        (ResponseTemplate::new(200).set_body_bytes(vec![0xff; 64]), "cannot be read"),
        (ResponseTemplate::new(200), "empty answer"),
        (ResponseTemplate::new(401).set_body_string("Unauthorized"), "check `bearer`"),
        (ResponseTemplate::new(429).insert_header("Retry-After", "7"), "raise `interval`"),
        (ResponseTemplate::new(200).set_body_bytes(vec![b' '; 200_000]), "more than 150000 bytes"),
    ] {
        let server = Server::start(&["up"], move |_| answer.clone()).await;
        let (mut session, _receiver) = server.session(Span(DAY_MS), Some(wall_clock::now() - MINUTE_MS));
        session.client = session.client.clone().with_bytes_max(150_000);
        session.reach().await;
        session.backfill().await;
        let error = session.poll().await.unwrap_err();
        assert!(error.to_string().contains(said), "{said}: {error}");
        session.rest(&error).await;
        assert!(matches!(state(&session), SourceState::Down { .. }));
    }
}

#[tokio::test]
async fn a_partial_answer_is_taken_and_told() {
    let server = Server::start(&["up"], |asked: &Asked| {
        let body = asked.full_answer().replacen('{', r#"{"warnings":["store 10.0.0.7 is unavailable"],"#, 1);
        ResponseTemplate::new(200).set_body_string(body)
    })
    .await;
    let (mut session, mut receiver) = server.session(Span(DAY_MS), Some(wall_clock::now() - MINUTE_MS));
    session.reach().await;
    session.backfill().await;
    session.poll().await.unwrap();
    assert!(!heard(&mut receiver).live.is_empty());
    assert!(degraded_for(&session).contains("store 10.0.0.7 is unavailable"));
    assert_eq!(session.health.report().warnings.len(), 1);
}

#[tokio::test]
async fn a_server_whose_clock_is_wrong_is_asked_by_its_clock_and_told_by_ours() {
    let server = Server::start(&["up"], |asked: &Asked| {
        let date = (wall_clock::now() + HOUR_MS).to_datetime().to_rfc2822().replace("+0000", "GMT");
        full(asked).insert_header("Date", date)
    })
    .await;
    let (mut session, mut receiver) = server.session(Span(DAY_MS), Some(wall_clock::now() - MINUTE_MS));
    session.reach().await;
    session.clock.observe(Some(HOUR_MS));
    session.backfill().await;
    session.poll().await.unwrap();
    let now = wall_clock::now();
    let asked = server.asked();
    let ahead_s = asked[0].end_s - now.0 as f64 / 1_000.0;
    assert!((3_560.0..=3_610.0).contains(&ahead_s), "{ahead_s}");
    let samples = heard(&mut receiver).live;
    assert!(!samples.is_empty());
    assert!(samples.iter().all(|sample| now.since_ms(sample.at).abs() < 2 * MINUTE_MS));
    assert!(degraded_for(&session).contains("s ahead of ours"));
    assert!(session.health.report().clock_skew_ms.unwrap() > HOUR_MS - 5_000);
}

#[tokio::test]
async fn queries_without_their_metrics_cost_nothing() {
    let server = Server::start(&["something_else"], full).await;
    let (mut session, _receiver) = server.session(Span(DAY_MS), None);
    session.reach().await;
    session.backfill().await;
    session.turn().await.unwrap();
    assert!(server.asked().is_empty());
    assert_eq!(state(&session), &SourceState::Healthy);
    assert!(session.health.report().warnings[0].contains("[[prometheus.query]]"));
}

#[tokio::test]
async fn values_that_are_none_are_counted() {
    let server = Server::start(&["up"], |asked: &Asked| {
        let at = asked.end_s;
        ResponseTemplate::new(200).set_body_string(format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[
                {{"metric":{{"job":"a"}},"values":[[{at},"NaN"],[{at},"+Inf"],[{at},"1"],[{at},"1"]]}},
                {{"metric":{{"colour":"red"}},"values":[[{at},"1"]]}},
                {{"metric":{{"job":"h"}},"histograms":[[{at},{{"count":"1","sum":"2"}}]]}}]}}}}"#
        ))
    })
    .await;
    let (mut session, mut receiver) = server.session(Span(DAY_MS), Some(wall_clock::now() - MINUTE_MS));
    session.reach().await;
    session.backfill().await;
    session.poll().await.unwrap();
    assert_eq!(heard(&mut receiver).live.len(), 1);
    let wanted = [
        (DropReason::NotANumber, 1),
        (DropReason::Infinite, 1),
        (DropReason::Duplicate, 1),
        (DropReason::NoService, 1),
        (DropReason::NativeHistogram, 1),
    ];
    assert_eq!(session.health.report().dropped, wanted.into());
    assert_eq!(session.health.report().accepted_count, 1);
}

#[tokio::test]
async fn a_source_runs_until_it_is_stopped() {
    let server = Server::start(&["up"], full).await;
    let settings =
        PrometheusSettings { url: server.mock.uri(), backfill: Span(HOUR_MS), ..PrometheusSettings::default() };
    let (sink, mut receiver) = SignalSink::channel();
    let (switch, stop) = StopSignal::pair();
    let source = Box::new(PrometheusSource::new(settings, None, None).unwrap());
    let running = tokio::spawn(source.run(sink, stop));
    while let Some(signal) = receiver.recv().await {
        if matches!(&signal, Signal::Source(report) if report.state == SourceState::Healthy) {
            break;
        }
    }
    switch.stop();
    running.await.unwrap();
}

#[tokio::test]
async fn a_source_whose_server_is_not_there_says_so_and_can_be_stopped() {
    let settings = PrometheusSettings { url: "http://127.0.0.1:1".to_owned(), ..PrometheusSettings::default() };
    let (sink, mut receiver) = SignalSink::channel();
    let (switch, stop) = StopSignal::pair();
    let running = tokio::spawn(Box::new(PrometheusSource::new(settings, None, None).unwrap()).run(sink, stop));
    while let Some(signal) = receiver.recv().await {
        let Signal::Source(report) = signal else { continue };
        if let SourceState::Down { reason, since, retry_at } = report.state {
            assert!(reason.contains("127.0.0.1:1") && reason.contains("check that it runs"), "{reason}");
            assert!(retry_at > since);
            break;
        }
    }
    switch.stop();
    running.await.unwrap();
}

#[test]
fn settings_that_make_no_sense_are_refused_with_the_key() {
    for (settings, key) in [
        (PrometheusSettings { interval: Span(0), ..PrometheusSettings::default() }, "`interval`"),
        (PrometheusSettings { backfill_step: Span(1), ..PrometheusSettings::default() }, "`backfill_step`"),
        (PrometheusSettings { backfill: Span(i64::MAX), ..PrometheusSettings::default() }, "`backfill`"),
        (PrometheusSettings { defaults: vec!["x".to_owned()], ..PrometheusSettings::default() }, "`defaults`"),
    ] {
        let refused = PrometheusSource::new(settings, None, None).unwrap_err().to_string();
        assert!(refused.contains(key), "{refused}");
    }
}
