//! Values as an attacker would write them into a label: what of them may be bound to a parameter, and what of that arrives at
//! programs, far shells, clusters, Ansible, AWX and HTTP endpoints. Whatever is accepted is one word, one text or one segment.
//!
//! `HYPO_FUZZ_CASES=1000000 cargo test --test suite -- hostile_values` looks at a million.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use hypocenter::engine::act::StepReportSink;
use hypocenter::engine::act::steps::run_command::{self, CommandRules};
use hypocenter::engine::act::steps::{Attempt, awx, http, kubectl};
use hypocenter::engine::input::StepProgress;
use hypocenter::engine::model::{
    AnomalyId, Call, HttpCall, HttpMethod, Incident, Play, RunId, Runbook, ServiceName, Severity,
};
use hypocenter::engine::runbooks::{parse, rebind};
use hypocenter::engine::settings::{AwxSettings, EndpointSettings, RunbookSettings, SecretSource, Span};
use hypocenter::engine::world::World;
use rand::Rng as _;
use rand::SeedableRng as _;
use rand_pcg::Pcg64;
use serde_json::json;
use tokio::sync::Notify;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{fixtures, programs};

/// What hostile values are made of.
const PIECES: [&str; 64] = [
    "'",
    "\"",
    "\\",
    "\n",
    "\r\nX-Evil: 1",
    "$(id)",
    "`id`",
    "${IFS}",
    "-",
    "--",
    "-rf",
    "--flag=x",
    ";",
    "|",
    "&",
    ">",
    "<",
    "*",
    "?",
    "[a]",
    "{x}",
    "{{ 7*7 }}",
    "{% raw %}",
    "%s",
    "%0a",
    "%2e%2e",
    "..",
    ".",
    "/",
    "/../",
    "\0",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{85}",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    " ",
    "\t",
    "é",
    "東",
    "\u{1f600}",
    "=",
    ",",
    ":",
    "all",
    "@",
    "!",
    "~",
    "#",
    "//",
    "\u{2013}",
    "\u{3164}",
    "a",
    "web-1",
    "v1.2.3",
    "12",
    "0",
    "1e9",
    "eu",
    "payment",
    "()",
    "'; id; '",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

/// Makes values, the same ones from the same seed.
pub struct Hostile(Pcg64);

impl Hostile {
    pub fn new(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    fn piece(&mut self) -> &'static str {
        PIECES[self.0.random_range(0..PIECES.len())]
    }

    fn of(&mut self, alphabet: &str, most: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..self.0.random_range(1..=most)).map(|_| letters[self.0.random_range(0..letters.len())]).collect()
    }

    pub fn value(&mut self) -> String {
        match self.0.random_range(0..20) {
            0..=4 => (0..self.0.random_range(1..6)).map(|_| self.piece()).collect(),
            5..=8 => {
                let mut value = self.of("abcXYZ019_.:-", 24);
                let at = self.0.random_range(0..=value.len());
                value.insert_str(at, self.piece());
                value
            }
            9..=12 => self.of("abcXYZ019_.:-", 24),
            13 => self.of("0123456789.", 5),
            14 => ["eu", "us", "eu ", "EU", "eus", "-eu"][self.0.random_range(0..6)].to_owned(),
            15 => (0..self.0.random_range(1..40)).map(|_| self.0.random::<char>()).collect(),
            16..=17 => self.of("'\"\\$`(){}[]<>|&;*?!~#%^=,@ /+abc", 40),
            18 => self.piece().repeat(self.0.random_range(1..200)),
            _ if self.0.random_range(0..500) == 0 => self.piece().repeat(1 << 20),
            _ => format!("{}{}", self.of("abc019", 6), self.piece()),
        }
    }

    /// Values that a parameter takes which takes any text.
    pub fn accepted(&mut self, count: usize) -> Vec<String> {
        std::iter::repeat_with(|| self.value()).filter(|value| is_plain(value)).take(count).collect()
    }
}

/// Characters that are not seen, from the list of those that Unicode would have ignored, and what turns lines around.
fn is_hidden(c: char) -> bool {
    const HIDDEN: [(u32, u32); 22] = [
        (0x00, 0x1f),
        (0x7f, 0x9f),
        (0xad, 0xad),
        (0x34f, 0x34f),
        (0x61c, 0x61c),
        (0x115f, 0x1160),
        (0x17b4, 0x17b5),
        (0x180b, 0x180f),
        (0x200b, 0x200f),
        (0x2028, 0x202e),
        (0x2060, 0x206f),
        (0x3164, 0x3164),
        (0xfe00, 0xfe0f),
        (0xfeff, 0xfeff),
        (0xffa0, 0xffa0),
        (0xfff0, 0xfff8),
        (0xfff9, 0xfffb),
        (0x1bca0, 0x1bca3),
        (0x1d173, 0x1d17a),
        (0xe0000, 0xe007f),
        (0xe0080, 0xe01ef),
        (0xe01f0, 0xe0fff),
    ];
    HIDDEN.iter().any(|(from, to)| (*from..=*to).contains(&u32::from(c)))
}

/// What holds for every accepted value.
fn is_plain(value: &str) -> bool {
    !value.trim().is_empty() && value.len() <= 256 && !value.starts_with('-') && !value.chars().any(is_hidden)
}

fn is_one_host(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && value != "all" && value != "ungrouped"
}

fn is_entity(value: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c))
}

fn is_number_of_1_to_90(value: &str) -> bool {
    let dots = value.matches('.').count();
    let is_written = value.chars().all(|c| c.is_ascii_digit() || c == '.') && dots <= 1 && value.len() > dots;
    is_written && value.parse::<f64>().is_ok_and(|number| (1.0..=90.0).contains(&number))
}

fn is_version(value: &str) -> bool {
    (1..=30).contains(&value.chars().count()) && value.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
}

/// How a parameter is declared, and which plain values it takes, judged without its pattern.
type Kind = (&'static str, fn(&str) -> bool, bool);

const KINDS: [Kind; 6] = [
    (r#"type = "service""#, is_entity, true),
    (r#"type = "host""#, is_entity, true),
    (r#"type = "number", min = 1, max = 90"#, is_number_of_1_to_90, false),
    (r#"type = "text", pattern = "[A-Za-z0-9._+-]{1,30}""#, is_version, false),
    (r#"type = "text", pattern = "(?s).*""#, |_| true, false),
    (r#"type = "text", choices = ["eu", "us", "-eu"]"#, |value| ["eu", "us"].contains(&value), false),
];

const ACT: &str = "kind = \"act\"\naction = \"configure\"\neffect = \"reversible\"\nrollback = \"by hand\"\ntouches = \"it\"\ntimeout = \"30s\"\n";

fn page(params: &str, steps: &[String]) -> Runbook {
    let head = format!(
        "# Try it\n\n```toml runbook\nid = \"try\"\nversion = \"1\"\nowner = \"team:test\"\nproblem = \"bad_deploy\"\nmax_actions = 8\n\n[params]\n{params}\n```\n"
    );
    let verify = "kind = \"verify\"\nmetric = \"m\"\nservice = \"s\"\nfor = \"1m\"\ntimeout = \"2m\"".to_owned();
    let steps = steps
        .iter()
        .chain([&verify])
        .enumerate()
        .map(|(at, body)| format!("\nSo.\n\n```toml step step-{at}\n{body}\n```\n"));
    parse("try.md", &(head + &steps.collect::<String>())).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A page that puts its one parameter everywhere but into a limit of hosts.
fn everywhere(declared: &str) -> Runbook {
    page(
        &format!("x = {{ {declared}, from = \"cause.service\" }}"),
        &[
            "kind = \"check\"\nrun = [\"echo\", \"{x}\", \"a={x}\", \"--name={x}\", \"{x}{x}\", \"{.items}\"]\ntimeout = \"30s\"".to_owned(),
            "kind = \"check\"\nhost = \"far-1\"\nrun = [\"echo\", \"{x}\"]\ntimeout = \"30s\"".to_owned(),
            format!("{ACT}playbook = {{ file = \"a.yml\", limit = \"web-1\", vars = {{ v = \"{{x}}\" }} }}"),
            format!("{ACT}request = {{ endpoint = \"argo\", method = \"PUT\", path = \"/v1/{{x}}/abort\", body = {{ name = \"{{x}}\", list = [\"a {{x}}\"] }} }}"),
        ],
    )
}

fn limited(declared: &str) -> Runbook {
    let step = |way: &str, name: &str| format!("{ACT}{way} = {{ {name} = \"a.yml\", limit = \"web-0:{{x}}\" }}");
    page(
        &format!("x = {{ {declared}, from = \"cause.service\" }}"),
        &[step("playbook", "file"), step("job", "template")],
    )
}

fn words(of: &[&str]) -> Vec<Arc<str>> {
    of.iter().map(|word| Arc::from(*word)).collect()
}

fn decoded(segment: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), segment.bytes());
    while let Some(byte) = rest.next() {
        let is_unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else if is_unreserved {
            bytes.push(byte);
        } else {
            return None;
        }
    }
    String::from_utf8(bytes).ok()
}

/// The value is in exactly the places where the page has it, and nothing else is changed by it.
fn assert_filled(value: &str, calls: &[&Call]) {
    let name = format!("--name={value}");
    let argv = words(&["echo", value, &format!("a={value}"), &name, &value.repeat(2), "{.items}"]);
    assert_eq!(calls[0], &Call::Command { argv });
    assert_eq!(calls[1], &Call::Ssh { host: "far-1".into(), argv: words(&["echo", value]) });
    let vars = BTreeMap::from([(Arc::from("v"), Arc::from(value))]);
    assert_eq!(calls[2], &Call::Playbook(Play { what: "a.yml".into(), limit: "web-1".into(), vars, is_check: false }));
    let Call::Http(HttpCall { endpoint, method: HttpMethod::Put, path, body, .. }) = calls[3] else {
        panic!("{:?}", calls[3])
    };
    assert_eq!((endpoint.as_ref(), body), ("argo", &json!({ "name": value, "list": [format!("a {value}")] })));
    let segment = path.strip_prefix("/v1/").and_then(|rest| rest.strip_suffix("/abort"));
    assert_eq!(segment.and_then(decoded).as_deref(), Some(value), "{path}");
    assert!(!path.contains("/./") && !path.contains("/../"), "{path}");
}

fn fuzz_cases() -> u64 {
    std::env::var("HYPO_FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

#[test]
fn what_is_bound_is_of_its_kind_and_stays_where_it_was_put() {
    let pages: Vec<(Runbook, Runbook)> =
        KINDS.iter().map(|(declared, ..)| (everywhere(declared), limited(declared))).collect();
    let mut hostile = Hostile::new(0x0b5e_55ed);
    let (mut world, mut incident) = (World::default(), fixtures::incident());
    let mut accepted = [0_u64; KINDS.len()];
    let mut limits = 0_u64;
    let told = fixtures::anomaly(1, "other", "m", Severity::Warning);
    for case in 0..fuzz_cases() {
        let value = hostile.value();
        let which = usize::try_from(case).unwrap() % KINDS.len();
        let (_, is_of_kind, needs_known) = KINDS[which];
        // Labels are the attacker's to write: every other value is a name that something told of.
        let is_known = case / 6 % 2 == 0;
        let known = if is_known { value.as_str() } else { "somebody" };
        incident.services = BTreeMap::from([(ServiceName::new(known), incident.started_at)]);
        let mut anomaly = told.clone();
        anomaly.instance = Some(known.into());
        world.anomalies.insert(AnomalyId(1), Arc::new(anomaly));
        let given = BTreeMap::from([(Arc::from("x"), Arc::from(value.as_str()))]);
        let bound = rebind(&pages[which].0, &BTreeMap::new(), &given, &world, &incident);
        let is_good = is_plain(&value) && is_of_kind(&value) && (is_known || !needs_known);
        assert_eq!(bound.is_ok(), is_good, "{:?} as {}: {:?}", shortened(&value), KINDS[which].0, bound.err());
        match bound {
            Ok(bound) => {
                accepted[which] += 1;
                let calls: Vec<&Call> = bound.steps.iter().filter_map(|step| step.spec.call()).collect();
                assert_filled(&value, &calls);
                let limited = rebind(&pages[which].1, &BTreeMap::new(), &given, &world, &incident);
                assert_eq!(limited.is_ok(), is_one_host(&value), "{value:?} as a limit: {:?}", limited.err());
                limits += u64::from(limited.is_ok());
            }
            Err(refused) => {
                let text = refused.to_string();
                assert!(text.len() < 4_096 && !text.chars().any(is_hidden), "{text:?}");
            }
        }
    }
    println!("{} values, accepted by kind {accepted:?}, as a limit {limits}", fuzz_cases());
    assert!(
        accepted.iter().all(|count| *count > 40) && limits > 50,
        "the trial tries something: {accepted:?} {limits}"
    );
}

fn shortened(value: &str) -> String {
    value.chars().take(300).collect()
}

#[test]
fn no_page_puts_a_value_behind_a_shell() {
    for argv in [
        r#"["kubectl", "exec", "deployment/a", "--", "sh", "-c", "df {x}"]"#,
        r#"["kubectl", "exec", "deployment/a", "--", "/bin/bash", "-lc", "df $0", "{x}"]"#,
        r#"["timeout", "5", "busybox", "sh", "-c", "{x}"]"#,
        r#"["find", "/", "-exec", "xargs", "{x}"]"#,
        r#"["sh", "-c", "df"]"#,
    ] {
        let step = format!("kind = \"check\"\nrun = {argv}\ntimeout = \"30s\"");
        let text = format!(
            "# T\n\n```toml runbook\nid = \"t\"\nversion = \"1\"\nowner = \"team:t\"\nproblem = \"bad_deploy\"\nmax_actions = 1\n\n[params]\nx = {{ type = \"service\", from = \"cause.service\" }}\n```\n\n```toml step a\n{step}\n```\n"
        );
        let problems = parse("t.md", &text).unwrap_err();
        assert!(
            problems
                .iter()
                .any(|problem| problem.text.contains("as code") || problem.text.contains("program of their own")),
            "{argv}: {problems:?}"
        );
    }
    let fine = "kind = \"check\"\nrun = [\"kubectl\", \"exec\", \"deployment/{x}\", \"--\", \"sh\", \"-c\", \"df\"]\ntimeout = \"30s\"".to_owned();
    page("x = { type = \"service\", from = \"cause.service\" }", &[fine]);
}

/// A page with twenty parameters, and them filled with these values.
const SLOTS: usize = 20;

fn filled(step: &dyn Fn(&str) -> String, values: &[String]) -> Call {
    let params: String = (0..SLOTS)
        .map(|at| format!("p{at} = {{ type = \"text\", pattern = \"(?s).*\", from = \"cause.service\" }}\n"))
        .collect();
    let places: Vec<String> = (0..SLOTS).map(|at| format!("\"{{p{at}}}\", \"v={{p{at}}}\"")).collect();
    let runbook = page(&params, &[step(&places.join(", "))]);
    let given = values.iter().enumerate().map(|(at, value)| (Arc::from(format!("p{at}")), Arc::from(value.as_str())));
    let incident: Incident = fixtures::incident();
    let bound = rebind(&runbook, &BTreeMap::new(), &given.collect(), &World::default(), &incident).unwrap();
    bound.steps[0].spec.call().unwrap().clone()
}

fn as_words(values: &[String]) -> Vec<String> {
    values.iter().flat_map(|value| [value.clone(), format!("v={value}")]).collect()
}

/// A program that appends its arguments, each ended by a NUL, to a file beside it; as `kubectl` it also tells of a deployment.
pub fn show_arguments(folder: &Path, name: &str) -> String {
    let script = r#"#!/bin/sh
if [ "$1" = get ]; then
  case $2 in *.*) echo "error: the server doesn't have a resource type \"$2\"" >&2; exit 1;; esac
  echo '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"payment"}}'; exit 0
fi
printf '%s\0' "$@" >> "${0%/*}/arguments"
"#;
    let file = folder.join(name);
    programs::script(&file, script);
    file.to_str().unwrap().to_owned()
}

/// What arrived since this was last asked.
pub fn shown_arguments(folder: &Path) -> Vec<String> {
    let bytes = fs::read(folder.join("arguments")).unwrap();
    fs::remove_file(folder.join("arguments")).unwrap();
    String::from_utf8(bytes).unwrap().split_terminator('\0').map(str::to_owned).collect()
}

fn attempt() -> Attempt {
    let (sink, mut reports) = StepReportSink::channel();
    tokio::spawn(async move { while reports.recv().await.is_some() {} });
    Attempt::new((RunId(1), 0), 60_000, Arc::new(Notify::new()), sink, Arc::new(|| false))
}

#[tokio::test]
async fn programs_and_kubectl_get_exactly_the_words_of_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let programs = ["show", "kubectl"].map(|name| show_arguments(folder.path(), name));
    let rules = CommandRules::new(&RunbookSettings {
        allowed_programs: programs.to_vec(),
        environment: vec!["PATH".to_owned()],
        ..RunbookSettings::default()
    });
    let values = Hostile::new(2).accepted(3_000);
    for (round, values) in values.chunks(SLOTS).enumerate() {
        let [show, kubectl] = &programs;
        let (program, before) = match round % 3 {
            0 => (show, vec![]),
            1 => (kubectl, vec!["annotate", "deployment/payment"]),
            _ => (kubectl, vec!["set", "env", "deployment/payment", "-n", "prod", "--containers=a", "A=b", "--"]),
        };
        let fixed: String = before.iter().map(|word| format!("\"{word}\", ")).collect();
        // What names an object is the page's: in the third form values stand behind a name and an equals sign only.
        let is_change = round % 3 == 2;
        let step = |places: &str| {
            let places = if is_change {
                (0..SLOTS).map(|at| format!("\"V{at}={{p{at}}}\"")).collect::<Vec<_>>().join(", ")
            } else {
                places.to_owned()
            };
            let act =
                "kind = \"act\"\neffect = \"reversible\"\nrollback = \"by hand\"\ntouches = \"deployment/payment\"";
            format!("{act}\nrun = [\"{program}\", {fixed}{places}]\ntimeout = \"30s\"")
        };
        let Call::Command { argv } = filled(&step, values) else { panic!("a command") };
        let end = if kubectl::is_kubectl(&argv) {
            kubectl::run(&argv, &rules, &attempt()).await
        } else {
            run_command::run(&argv, &rules, &attempt()).await
        };
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?} {argv:?}");
        let mut wanted: Vec<String> = before.into_iter().map(str::to_owned).collect();
        if is_change {
            wanted.extend(values.iter().enumerate().map(|(at, value)| format!("V{at}={value}")));
        } else {
            wanted.extend(as_words(values));
        }
        assert_eq!(shown_arguments(folder.path()), wanted);
    }
}

async fn answer(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(server).await;
}

/// An AWX that asks for everything on launch, and whose job ends well at once.
async fn answers_of_awx(server: &MockServer) {
    let asks = json!({"ask_limit_on_launch": true, "ask_variables_on_launch": true, "defaults": {"job_type": "run"}});
    let job = json!({"id": 42, "status": "successful", "job_explanation": "", "host_status_counts": {"ok": 1}});
    server.reset().await;
    for (verb, at, body) in [
        ("GET", "/api/v2/job_templates/", json!({"count": 1, "results": [{"id": 7, "name": "T"}]})),
        ("GET", "/api/v2/job_templates/7/launch/", asks),
        ("POST", "/api/v2/job_templates/7/launch/", json!({"job": 42, "id": 42, "ignored_fields": {}})),
        ("GET", "/api/v2/jobs/42/", job),
        ("GET", "/api/v2/jobs/42/stdout/", json!("")),
    ] {
        answer(server, verb, at, ResponseTemplate::new(200).set_body_json(body)).await;
    }
}

#[tokio::test]
async fn an_awx_gets_exactly_the_values_as_json_texts() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "awx-token-4711").unwrap();
    let server = MockServer::start().await;
    let settings = AwxSettings {
        url: server.uri(),
        token: SecretSource { env: None, file: Some(folder.path().join("token")) },
        templates: vec!["T".to_owned()],
        poll: Span(10),
        ..AwxSettings::default()
    };
    let values = Hostile::new(3).accepted(2_000);
    let is_expression = |value: &String| ["{{", "{%", "{#"].iter().any(|open| value.contains(open));
    let (expressions, plain): (Vec<String>, Vec<String>) = values.into_iter().partition(is_expression);
    assert!(expressions.len() > 20);
    let step = |_: &str| {
        let vars: Vec<String> = (0..SLOTS).map(|at| format!("v{at} = \"{{p{at}}}\"")).collect();
        format!("{ACT}job = {{ template = \"T\", limit = \"web-1\", vars = {{ {} }} }}", vars.join(", "))
    };
    for values in plain.chunks_exact(SLOTS) {
        answers_of_awx(&server).await;
        let Call::JobTemplate(play) = filled(&step, values) else { panic!("a job") };
        let end = awx::run(&play, &settings, &attempt()).await;
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{end:?}");
        let requests = server.received_requests().await.unwrap();
        let posts: Vec<_> = requests.iter().filter(|request| request.method.as_str() == "POST").collect();
        assert_eq!(posts.len(), 1);
        let vars: serde_json::Map<_, _> =
            values.iter().enumerate().map(|(at, value)| (format!("v{at}"), json!(value))).collect();
        let body: serde_json::Value = serde_json::from_slice(&posts[0].body).unwrap();
        assert_eq!(body, json!({"limit": "web-1", "extra_vars": vars}));
    }
    answers_of_awx(&server).await;
    for value in expressions {
        let vars = BTreeMap::from([(Arc::from("v"), Arc::from(value.as_str()))]);
        let play = Play { what: "T".into(), limit: "web-1".into(), vars, is_check: false };
        let end = awx::run(&play, &settings, &attempt()).await;
        assert!(
            matches!(&end, StepProgress::NotStarted { reason } if reason.contains("expression")),
            "{value:?} {end:?}"
        );
    }
}

#[tokio::test]
async fn an_endpoint_gets_the_value_as_one_segment_and_one_text_and_no_header_of_its() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "token-4711").unwrap();
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let token = SecretSource { env: None, file: Some(folder.path().join("token")) };
    let endpoint = EndpointSettings { url: server.uri(), token, header: None, ca_file: None };
    let endpoints = BTreeMap::from([("argo".to_owned(), endpoint)]);
    let runbook = everywhere(KINDS[4].0);
    let incident = fixtures::incident();
    let mut headers: Option<Vec<String>> = None;
    for value in Hostile::new(4).accepted(1_000) {
        let given = BTreeMap::from([(Arc::from("x"), Arc::from(value.as_str()))]);
        let bound = rebind(&runbook, &BTreeMap::new(), &given, &World::default(), &incident).unwrap();
        let Some(Call::Http(call)) = bound.steps[3].spec.call() else { panic!("a request") };
        let end = http::run(call, &endpoints, &attempt()).await;
        let requests = server.received_requests().await.unwrap();
        server.reset().await;
        Mock::given(wiremock::matchers::any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
        if matches!(value.as_str(), "." | "..") {
            assert!(matches!(end, StepProgress::NotStarted { .. }) && requests.is_empty(), "{value:?} {end:?}");
            continue;
        }
        assert!(matches!(end, StepProgress::Exited { code: Some(0), .. }), "{value:?} {end:?}");
        let [request] = requests.as_slice() else { panic!("one request for {value:?}: {requests:?}") };
        let segments: Vec<&str> = request.url.path().split('/').collect();
        assert_eq!(segments.len(), 4, "{}", request.url);
        assert_eq!(decoded(segments[2]).as_deref(), Some(value.as_str()), "{}", request.url);
        assert!(request.url.query().is_none() && request.url.fragment().is_none(), "{}", request.url);
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body, json!({ "name": value, "list": [format!("a {value}")] }));
        let mut names: Vec<String> = request.headers.keys().map(ToString::to_string).collect();
        names.sort();
        assert_eq!(headers.get_or_insert(names.clone()), &names);
    }
}
