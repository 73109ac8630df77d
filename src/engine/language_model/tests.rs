//! Contracts of the driver with both APIs, against a server of our own that says what their documentation says, whole and broken.

use std::sync::Mutex as Kept;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::engine::ask::answer::{AnswerState, Citation, Claim, Fact};
use crate::engine::ask::intent::Intent;
use crate::engine::clock::Timestamp;
use crate::engine::model::{EdgeNotice, EdgeOrigin, ServiceName, SourceName, Topology};
use crate::engine::settings::{ModelPrice, Span};

/// What the server does for one request.
#[derive(Clone)]
enum Move {
    Send(Vec<u8>),
    Hang,
}

/// A request as it came.
#[derive(Clone, Debug)]
struct Came {
    head: String,
    body: Value,
}

type Script = Arc<dyn Fn(usize, &Value) -> Vec<Move> + Send + Sync>;

/// A server that plays a script, a connection a request.
struct Server {
    address: String,
    came: Arc<Kept<Vec<Came>>>,
}

impl Server {
    async fn play(script: impl Fn(usize, &Value) -> Vec<Move> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let came: Arc<Kept<Vec<Came>>> = Arc::default();
        let (script, kept): (Script, _) = (Arc::new(script), Arc::clone(&came));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&script), Arc::clone(&kept)));
            }
        });
        Self { address, came }
    }

    fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TcpStream, script: Script, kept: Arc<Kept<Vec<Came>>>) {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        let mut piece = [0; 4_096];
        let read = stream.read(&mut piece).await.unwrap_or(0);
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            break (head.to_owned(), head.len() + 4 + length.unwrap_or(0));
        }
    };
    while bytes.len() < length {
        let mut piece = [0; 4_096];
        let read = stream.read(&mut piece).await.unwrap_or(0);
        bytes.extend_from_slice(&piece[..read]);
    }
    let body: Value = serde_json::from_slice(&bytes[head.len() + 4..]).unwrap();
    let number = {
        let mut kept = kept.lock().unwrap();
        kept.push(Came { head, body: body.clone() });
        kept.len() - 1
    };
    for step in script(number, &body) {
        match step {
            Move::Send(bytes) => {
                let _gone = stream.write_all(&bytes).await;
                let _gone = stream.flush().await;
                tokio::task::yield_now().await;
            }
            Move::Hang => tokio::time::sleep(Duration::from_secs(60)).await,
        }
    }
    let _gone = stream.shutdown().await;
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn stream(text: &str) -> Vec<Move> {
    vec![Move::Send(format!("{STREAM}{text}").into_bytes())]
}

fn status(line: &str, headers: &str, body: &str) -> Vec<Move> {
    let length = body.len();
    vec![Move::Send(
        format!("HTTP/1.1 {line}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}").into_bytes(),
    )]
}

/// A whole reply of the Messages API.
fn said(text: &str, stop: &str) -> String {
    let text = Value::from(text);
    format!(
        "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"usage\":{{\"input_tokens\":400,\"output_tokens\":1}}}}}}\n\n\
         data: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"text\",\"text\":\"\"}}}}\n\n\
         event: ping\ndata: {{\"type\": \"ping\"}}\n\n\
         data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{text}}}}}\n\n\
         data: {{\"type\":\"content_block_stop\",\"index\":0}}\n\n\
         data: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{stop}\"}},\"usage\":{{\"output_tokens\":60}}}}\n\n\
         data: {{\"type\":\"message_stop\"}}\n\n"
    )
}

/// A reply that wants a tool used.
fn wants(name: &str, arguments: &str) -> String {
    let arguments = Value::from(arguments);
    format!(
        "data: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"s1\"}}}}\n\n\
         data: {{\"type\":\"content_block_stop\",\"index\":0}}\n\n\
         data: {{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"{name}\",\"input\":{{}}}}}}\n\n\
         data: {{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{{\"type\":\"input_json_delta\",\"partial_json\":{arguments}}}}}\n\n\
         data: {{\"type\":\"content_block_stop\",\"index\":1}}\n\n\
         data: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"tool_use\"}},\"usage\":{{\"output_tokens\":30}}}}\n\n\
         data: {{\"type\":\"message_stop\"}}\n\n"
    )
}

fn settings(server: &Server) -> ModelSettings {
    ModelSettings {
        enabled: true,
        url: server.address.clone(),
        reasoning: ModelPrice { name: "large".to_owned(), usd_in: Some(3.0), usd_out: Some(15.0) },
        stall: Span(5_000),
        timeout: Span(10_000),
        ..ModelSettings::default()
    }
}

fn embedded() -> Answer {
    let fact = |text: &str| Fact::new(text, Citation::Totals);
    let mut answer = Answer::known(Claim::of("{} answers in {}.", [fact("payment"), fact("4.2 s")]));
    answer.intent = Intent::ServiceHealth;
    answer
}

/// A picture in which payment is known.
fn known() -> Known {
    Known { picture: picture(), past: Arc::default() }
}

fn picture() -> Arc<Snapshot> {
    let mut picture = Snapshot::empty();
    let mut topology = Topology::default();
    topology.observe(&EdgeNotice {
        source: SourceName::new("test"),
        caller: ServiceName::new("checkout"),
        callee: ServiceName::new("payment"),
        origin: EdgeOrigin::Configured,
        seen_at: Timestamp(1),
    });
    picture.topology = Arc::new(topology);
    Arc::new(picture)
}

async fn ask(model: &LanguageModel, question: &str, answer: &Answer) -> Vec<Saying> {
    let (tell, mut told) = mpsc::channel(8);
    let heard = async {
        let mut sayings = Vec::new();
        while let Some(saying) = told.recv().await {
            sayings.push(saying);
        }
        sayings
    };
    tokio::join!(model.consult(question, answer, known(), Tz::UTC, None, tell), heard).1
}

fn ended(sayings: &[Saying]) -> &Ended {
    let Some(Saying::Ended(ended)) = sayings.last() else { panic!("it has not ended: {sayings:#?}") };
    ended
}

#[track_caller]
fn assert_failed(sayings: &[Saying], words: &str) {
    let Some(Saying::Failed { reason, .. }) = sayings.last() else { panic!("it has not failed: {sayings:#?}") };
    assert!(reason.starts_with("The embedded answer stands: ") && reason.contains(words), "{reason}");
}

fn secret_file(mode: u32) -> (tempfile::TempDir, SecretSource) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "sk-hunter2\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    (folder, SecretSource { env: None, file: Some(file) })
}

#[tokio::test]
async fn a_reply_is_told_as_it_comes_and_held_against_the_facts() {
    let server =
        Server::play(|_, _| stream(&said("payment answers in 4.2 s [f1]. It is down [f1].", "end_turn"))).await;
    let (_folder, key) = secret_file(0o600);
    let model = LanguageModel::new(&ModelSettings { key, ..settings(&server) });
    let sayings = ask(&model, "how is payment? token=hunter3hunter3", &embedded()).await;
    assert!(
        matches!(&sayings[0], Saying::Begun { model, bytes } if model.as_ref() == "large" && *bytes > 100),
        "{sayings:?}"
    );
    assert!(matches!(&sayings[1], Saying::Text(text) if text.starts_with("payment answers")), "{sayings:?}");
    let ended = ended(&sayings);
    let struck: Vec<bool> = ended.sentences.iter().map(CheckedSentence::is_struck).collect();
    assert_eq!((struck, ended.struck_count), (vec![false, true], 1));
    let spent = ended.spent;
    assert_eq!((spent.tokens_in, spent.tokens_out), (400, 60));
    assert!((spent.cost_usd.unwrap() - 0.0021).abs() < 1e-9 && spent.bytes_sent > 100);
    assert_eq!(model.spend().await.tokens, 460);
    // A round trip, as the console's other end of a socket would make it.
    let text = serde_json::to_string(&sayings).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Saying>>(&text).unwrap(), sayings);

    let [came] = server.came().try_into().unwrap();
    let head = came.head.to_lowercase();
    assert!(head.starts_with("post /v1/messages ") && head.contains("x-api-key: sk-hunter2"), "{head}");
    assert!(head.contains("anthropic-version: 2023-06-01") && !head.contains("authorization"), "{head}");
    let body = came.body.to_string();
    assert!(!body.contains("hunter"), "a secret was sent: {body}");
    assert_eq!((&came.body["stream"], &came.body["max_tokens"]), (&Value::from(true), &Value::from(4_096)));
}

#[tokio::test]
async fn chat_completions_are_asked_with_a_bearer_token() {
    let reply = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"payment answers in 4.2 s [f1].\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":300,\"completion_tokens\":20}}\n\ndata: [DONE]\n\n";
    let server = Server::play(move |_, _| stream(reply)).await;
    let (_folder, key) = secret_file(0o600);
    let api = ModelApi::Openai;
    let model =
        LanguageModel::new(&ModelSettings { key, api, url: format!("{}/v1", server.address), ..settings(&server) });
    let sayings = ask(&model, "how is payment", &embedded()).await;
    assert_eq!((ended(&sayings).spent.tokens_in, ended(&sayings).struck_count), (300, 0));
    let [came] = server.came().try_into().unwrap();
    let head = came.head.to_lowercase();
    assert!(
        head.starts_with("post /v1/chat/completions ") && head.contains("authorization: bearer sk-hunter2"),
        "{head}"
    );
    assert!(!head.contains("x-api-key"), "{head}");
}

#[tokio::test]
async fn what_tools_find_goes_back_fenced_with_thoughts_and_ids() {
    let server = Server::play(|number, _| match number {
        0 => stream(&wants("dependencies", "{\"service\":\"payment\"}")),
        _ => stream(&said("checkout calls payment [f3].\nPROPOSAL\n- look at payment\n", "end_turn")),
    })
    .await;
    let model = LanguageModel::new(&settings(&server));
    let sayings = ask(&model, "who calls payment", &embedded()).await;
    let looked = |saying: &&Saying| matches!(saying, Saying::Looked { tool, about } if tool.as_ref() == "dependencies" && about.as_ref() == "payment");
    assert_eq!(sayings.iter().filter(looked).count(), 1, "{sayings:#?}");
    let [_, second] = server.came().try_into().unwrap();
    assert_eq!(second.body["messages"][1]["content"][0]["signature"], "s1");
    assert_eq!(second.body["messages"][1]["content"][1]["id"], "t1");
    let result = &second.body["messages"][2]["content"][0];
    assert_eq!((&result["tool_use_id"], &result["is_error"]), (&Value::from("t1"), &Value::from(false)));
    let text = result["content"].as_str().unwrap();
    assert!(text.starts_with("<data-") && text.contains("\n| [f2] "), "{text}");
    assert_eq!(ended(&sayings).struck_count, 0, "{sayings:#?}");
    let draft = ended(&sayings).draft.as_ref().unwrap();
    assert_eq!(draft.steps.len(), 1);
    assert!(draft.page.contains("kind = \"ask\"") && !draft.page.contains("kind = \"act\""));
}

#[tokio::test]
async fn a_loop_of_tools_ends_at_its_limit() {
    let server = Server::play(|_, _| stream(&wants("rm", "{\"path\":\"/\"}"))).await;
    let model = LanguageModel::new(&ModelSettings { turns_max: 3, ..settings(&server) });
    let sayings = ask(&model, "how is payment", &embedded()).await;
    assert_failed(&sayings, "still wanted to look after 3 requests");
    assert!(!sayings.iter().any(|saying| matches!(saying, Saying::Looked { .. })), "{sayings:?}");
    let came = server.came();
    assert_eq!(came.len(), 3);
    assert_eq!(came[2].body["tool_choice"]["type"], "none");
    let result = &came[1].body["messages"][2]["content"][0];
    assert!(
        result["is_error"] == true && result["content"].as_str().unwrap().starts_with("there is no tool of this name"),
        "{result}"
    );
}

#[tokio::test]
async fn every_way_to_fail_leaves_the_embedded_answer_and_says_why() {
    let whole = said("payment answers in 4.2 s [f1].", "end_turn");
    let half = whole[..whole.len() / 2].to_owned();
    let begun = half[..half.rfind("\n\n").unwrap() + 2].to_owned();
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let body = |kind: &str| format!("{{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"said so\"}}}}");
    let cut_chunk = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfff\r\n{half}");
    let cases: Vec<(&str, Vec<Move>, &str, bool)> = vec![
        (
            "401",
            status("401 Unauthorized", "", &body("authentication_error")),
            "does not accept the key (401): said so",
            false,
        ),
        ("403", status("403 Forbidden", "", &body("permission_error")), "check `key`", false),
        ("404", status("404 Not Found", "", &body("not_found_error")), "the model's name under [ask.model]", false),
        (
            "429",
            status("429 Too Many Requests", "retry-after: 17\r\n", &body("rate_limit_error")),
            "ask again in 17 s",
            false,
        ),
        ("529", status("529 Overloaded", "", &body("overloaded_error")), "is overloaded: said so", true),
        ("500", status("500 Internal Server Error", "", &body("api_error")), "failed (api_error)", true),
        ("302", status("302 Found", "location: https://elsewhere/\r\n", ""), "answered 302", false),
        ("a page", status("200 OK", "", "<html>sign in</html>"), "ended in the middle", true),
        ("no answer", Vec::new(), "does not answer", false),
        ("an error in the middle", stream(&format!("{begun}{error}")), "is overloaded: Overloaded", true),
        ("cut off", stream(&half), "ended in the middle", true),
        ("cut off in a chunk", vec![Move::Send(cut_chunk.into_bytes())], "ended in the middle", true),
        (
            "stalled",
            vec![Move::Send(format!("{STREAM}{half}").into_bytes()), Move::Hang],
            "nothing came from the model for 1 s",
            true,
        ),
        ("declined", stream(&said("I", "refusal")), "declined to answer", true),
        ("silent", stream(&said(" ", "end_turn")), "said nothing", true),
        ("at its limit before a word", stream(&said("\n", "max_tokens")), "raise `reply_tokens_max`", true),
    ];
    for (name, moves, words, is_paid) in cases {
        let server = Server::play(move |_, _| moves.clone()).await;
        let model = LanguageModel::new(&ModelSettings { stall: Span(1_000), ..settings(&server) });
        let sayings = ask(&model, "how is payment", &embedded()).await;
        assert_failed(&sayings, words);
        assert_eq!(model.spend().await.tokens > 0, is_paid, "{name}");
        assert_eq!(server.came().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_reply_at_its_limit_is_told_with_a_note() {
    let server = Server::play(|_, _| stream(&said("payment answers in 4.2 s [f1]. And it", "max_tokens"))).await;
    let sayings = ask(&LanguageModel::new(&settings(&server)), "how is payment", &embedded()).await;
    assert!(ended(&sayings).note.as_ref().unwrap().contains("its end is missing"));
}

#[tokio::test]
async fn one_that_is_slow_as_a_whole_is_left_alone() {
    let server = Server::play(|_, _| vec![Move::Hang]).await;
    let model = LanguageModel::new(&ModelSettings { timeout: Span(1_000), ..settings(&server) });
    assert_failed(&ask(&model, "how is payment", &embedded()).await, "not done after 1 s");
}

#[tokio::test]
async fn bytes_in_any_pieces_give_the_same() {
    let text = said("payment answers in 4.2 s [f1] — é. Look at it.", "end_turn");
    let mut all = Vec::new();
    for size in [1, 7, 64, 100_000] {
        let bytes = text.clone().into_bytes();
        let server = Server::play(move |_, _| {
            let pieces = bytes.chunks(size).map(|piece| Move::Send(piece.to_vec()));
            std::iter::once(Move::Send(STREAM.as_bytes().to_vec())).chain(pieces).collect()
        })
        .await;
        let sayings = ask(&LanguageModel::new(&settings(&server)), "how is payment", &embedded()).await;
        all.push(ended(&sayings).sentences.clone());
    }
    assert!(all.iter().all(|sentences| *sentences == all[0] && sentences.len() == 2), "{all:#?}");
}

#[tokio::test]
async fn limits_of_a_question_and_a_day_are_kept_before_anything_is_sent() {
    let server = Server::play(|_, _| stream(&said("payment answers in 4.2 s [f1].", "end_turn"))).await;
    let poor = LanguageModel::new(&ModelSettings { question_tokens_max: 500, ..settings(&server) });
    assert_failed(
        &ask(&poor, "how is payment", &embedded()).await,
        "(500 tokens); ask for less, or raise `question_tokens_max`",
    );
    let poor = LanguageModel::new(&ModelSettings { question_usd_max: Some(0.001), ..settings(&server) });
    assert_failed(&ask(&poor, "how is payment", &embedded()).await, "(0.001 USD)");
    assert!(server.came().is_empty());

    let model = LanguageModel::new(&settings(&server));
    ended(&ask(&model, "how is payment", &embedded()).await);
    let spend = model.spend().await;
    assert_eq!(spend.tokens, 460);
    // Another life of the program takes over what was kept.
    let next = LanguageModel::new(&ModelSettings { day_tokens_max: 700, ..settings(&server) });
    next.resume(spend).await;
    assert_failed(
        &ask(&next, "how is payment", &embedded()).await,
        "the limit of this day is reached (700 tokens); it begins anew at 00:00 UTC",
    );
    assert_eq!(server.came().len(), 1);
}

#[tokio::test]
async fn nothing_is_sent_where_it_must_not_be() {
    let server = Server::play(|_, _| stream(&said("payment answers in 4.2 s [f1].", "end_turn"))).await;
    let off = LanguageModel::new(&ModelSettings { enabled: false, ..settings(&server) });
    assert_failed(&ask(&off, "how is payment", &embedded()).await, "no model is configured");
    let model = LanguageModel::new(&settings(&server));
    let refused = Answer { intent: Intent::Act, ..Answer::new(AnswerState::Refused, Claim::of("No.", [])) };
    assert_failed(&ask(&model, "restart payment", &refused).await, "nothing was sent: what asks for an act");
    let (_folder, key) = secret_file(0o644);
    let open = LanguageModel::new(&ModelSettings { key: key.clone(), ..settings(&server) });
    assert_failed(&ask(&open, "how is payment", &embedded()).await, "`chmod 600");
    assert!(server.came().is_empty());

    assert_eq!(check(&ModelSettings::default()), None);
    let found = check(&ModelSettings { key, ..settings(&server) }).unwrap();
    assert!(found.has_key && found.problem.unwrap().contains("open to others"));
    assert_eq!(check(&settings(&server)).unwrap().problem, None);
}

#[tokio::test]
async fn where_nobody_listens_any_more_it_ends_and_is_paid_for() {
    let server = Server::play(|_, _| vec![Move::Hang]).await;
    let model = LanguageModel::new(&ModelSettings { timeout: Span(50_000), stall: Span(50_000), ..settings(&server) });
    let (tell, mut told) = mpsc::channel(8);
    let answer = embedded();
    let consulted = model.consult("how is payment", &answer, known(), Tz::UTC, None, tell);
    let leaves = async {
        assert!(matches!(told.recv().await, Some(Saying::Begun { .. })));
        while server.came().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(told);
    };
    timeout(Duration::from_secs(8), async { tokio::join!(consulted, leaves) }).await.unwrap();
    // The worst case stays booked: nobody knows what the server went on to write.
    assert!(model.spend().await.tokens > 4_096);
}

#[tokio::test]
async fn a_question_that_the_reader_cannot_place_is_placed_and_answered_by_the_embedded_plan() {
    let place = |reply: &'static str| async move {
        let server = Server::play(move |number, _| match number {
            0 => stream(&said(reply, "end_turn")),
            _ => stream(&said("checkout calls payment.", "end_turn")),
        })
        .await;
        let classification = ModelPrice { name: "small".to_owned(), usd_in: Some(1.0), usd_out: Some(5.0) };
        let model = LanguageModel::new(&ModelSettings { classification, ..settings(&server) });
        (ask(&model, "wer ruft payment auf", &Answer::unknown(Claim::of("I don't know.", []))).await, server.came())
    };
    let (sayings, came) = place("{\"intent\":\"dependency\",\"service\":[\"payment\"]}").await;
    let placed =
        sayings.iter().find_map(|saying| if let Saying::Placed(placed) = saying { Some(placed) } else { None });
    let placed = placed.unwrap_or_else(|| panic!("{sayings:#?}"));
    assert_eq!(placed.intent, Intent::Dependency);
    assert!(placed.claims.iter().any(|claim| claim.text.contains("checkout")), "{placed:?}");
    let models: Vec<&Value> = came.iter().map(|came| &came.body["model"]).collect();
    assert_eq!(models, ["small", "large"]);
    assert!(came[0].body.get("tools").is_none());
    assert_eq!(ended(&sayings).spent.tokens_in, 800);

    for (reply, words) in [
        ("{\"intent\":\"act\"}", "not handed to a model"),
        ("{\"intent\":\"out_of_scope\"}", "about nothing that is watched here"),
        ("checkout calls it", "could not say what the question is after"),
        ("{\"intent\":\"why_slow\",\"service\":[\"billing\"]}", "it names billing, which is not here"),
    ] {
        let (sayings, came) = place(reply).await;
        assert_failed(&sayings, words);
        assert_eq!(came.len(), 1, "{reply}");
    }
}
