//! Lint: sixty pages with a mistake each, and no false alarm on those that are shipped.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use hypocenter::engine::runbooks::lint::{Finding, PageText, Surroundings, lint};

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks").join(format!("{name}.md"));
    std::fs::read_to_string(path).unwrap()
}

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 22).unwrap()
}

fn findings(pages: &[(&str, &str)], metrics: Option<&BTreeSet<Arc<str>>>) -> Vec<Finding> {
    let pages: Vec<PageText<'_>> = pages.iter().map(|(file, text)| PageText { file, text }).collect();
    let link_is_alive = |_: &str, link: &str| Some(link == "there.md");
    lint(&pages, &Surroundings { today: Some(today()), metrics, link_is_alive: &link_is_alive })
}

/// A mistake put into a shipped page: the page, what is replaced, by what, the rule that must find it, and a text that
/// stands in the line which must be named (counted from 1 in the page with the mistake).
struct Seeded {
    page: &'static str,
    from: &'static str,
    to: &'static str,
    rule: &'static str,
    at: &'static str,
}

const fn seeded(
    page: &'static str,
    from: &'static str,
    to: &'static str,
    rule: &'static str,
    at: &'static str,
) -> Seeded {
    Seeded { page, from, to, rule, at }
}

const EXPECTED: &str = "expected = \"errors of {service} fall as pods of the old version become ready\"\n";
const TWENTY: &str = "\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\n";

const SEEDED: &[Seeded] = &[
    // What an act must say of itself.
    seeded("rollback-deploy", EXPECTED, "", "no-expected", "```toml step roll-back"),
    seeded("rollback-deploy", "within = \"3m\"\n", "", "no-within", "```toml step roll-back"),
    seeded("rollback-deploy", "danger = \"medium\"\n", "", "no-danger", "```toml step roll-back"),
    seeded("rollback-deploy", "idempotent = \"no\"\n", "", "no-repeat", "```toml step roll-back"),
    seeded("scale-out", "danger = \"low\"\n", "", "no-danger", "```toml step double"),
    seeded(
        "free-disk",
        "expected = \"the disk of {service} has room again\"\n",
        "",
        "no-expected",
        "```toml step rotate-logs",
    ),
    seeded(
        "replace-node",
        "idempotent = \"yes\"\ntouches = \"node/{node}\"\ntimeout = \"30s\"",
        "touches = \"node/{node}\"\ntimeout = \"30s\"",
        "no-repeat",
        "```toml step cordon",
    ),
    seeded(
        "rollback-deploy",
        "undo = [\"kubectl\", \"rollout\", \"undo\", \"deployment/{service}\", \"-n\", \"prod\"]\n",
        "",
        "no-undo",
        "rollback = \"the same command",
    ),
    seeded(
        "mend-clock",
        "undo = [\"systemctl\", \"stop\", \"{unit}\"]\n",
        "",
        "no-undo",
        "rollback = \"stop it again\"",
    ),
    seeded(
        "restart-leaking",
        "rollback = \"nothing to undo: ",
        "rollback = \"fine: ",
        "no-undo",
        "rollback = \"fine: ",
    ),
    seeded("free-disk", "; a person approves it", "", "no-approval", "rollback = { irreversible"),
    seeded("cancel-slow-query", "; a person approves it", "", "no-approval", "rollback = { irreversible"),
    seeded(
        "free-disk",
        "rollback = { irreversible = \"the oldest logs are dropped for good, as logrotate's own configuration says; a person approves it\" }\n",
        "",
        "page",
        "```toml step rotate-logs",
    ),
    seeded(
        "rollback-deploy",
        "touches = \"deployment/{service} in prod\"\n",
        "",
        "no-touches",
        "```toml step roll-back",
    ),
    seeded("rollback-deploy", "timeout = \"60s\"\nexpected", "expected", "page", "```toml step roll-back"),
    seeded("rollback-deploy", "effect = \"reversible\"\n", "", "page", "```toml step roll-back"),
    seeded("rollback-deploy", "action = \"rollback\"", "action = \"rolback\"", "page", "action = \"rolback\""),
    seeded("free-disk", "danger = \"high\"", "danger = \"low\"", "page", "danger = \"low\""),
    // What verification proves.
    seeded(
        "rollback-deploy",
        "volume = { metric = \"request_rate\", service = \"{service}\", above = 0.05 }\n",
        "",
        "no-volume",
        "metric = \"error_ratio\"",
    ),
    seeded(
        "mend-ingress",
        "volume = { metric = \"request_rate\", service = \"{service}\", above = 0.05 }\n",
        "",
        "no-volume",
        "metric = \"error_ratio\"",
    ),
    seeded("rollback-deploy", "for = \"2m\"", "for = \"30s\"", "short-verify", "for = \"30s\""),
    seeded("replace-node", "for = \"5m\"", "for = \"90s\"", "short-verify", "for = \"90s\""),
    seeded("rollback-deploy", "timeout = \"15m\"", "timeout = \"1m\"", "page", "timeout = \"1m\""),
    seeded("rollback-deploy", "min_samples = 3", "min_samples = 1", "page", "min_samples = 1"),
    seeded(
        "free-disk",
        "metric = \"disk_used_ratio\"\n",
        "metric = \"disk_usde_ratio\"\n",
        "unknown-metric",
        "metric = \"disk_usde_ratio\"",
    ),
    seeded(
        "scale-out",
        "metric = \"latency_p95\"\n",
        "metric = \"latency_p59\"\n",
        "unknown-metric",
        "metric = \"latency_p59\"",
    ),
    // The head.
    seeded("rollback-deploy", "owner = \"team:sre\"\n", "", "page", "```toml runbook"),
    seeded("rollback-deploy", "version = \"2\"\n", "", "page", "```toml runbook"),
    seeded(
        "rollback-deploy",
        "problem = \"bad_deploy\"",
        "problem = \"bad_deplyo\"",
        "page",
        "problem = \"bad_deplyo\"",
    ),
    seeded("rollback-deploy", "verified = 2026-11-21", "verified = 2026-06-01", "expired", "verified = 2026-06-01"),
    seeded("rollback-deploy", "verified = 2026-11-21", "verified = 2027-06-01", "expired", "verified = 2027-06-01"),
    seeded("rollback-deploy", "verified = 2026-11-21\n", "", "never-verified", "```toml runbook"),
    seeded("rollback-deploy", "verified = 2026-11-21", "verified = \"lately\"", "page", "verified = \"lately\""),
    seeded(
        "mend-dns",
        "match = ['alertname=~\"(?i).*(coredns|dns).*\"']",
        "match = ['alertname=~\"(\"']",
        "page",
        "match = ['alertname",
    ),
    seeded("limit-overload", "min = 1, max = 5000", "max = 5000", "page", "rps = {"),
    seeded("rollback-deploy", "from = \"cause.service\"", "from = \"cause.servise\"", "page", "service = { type"),
    // The page as people read it.
    seeded(
        "rollback-deploy",
        "There must be at least two",
        "line\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\nline\nThere must be at least two",
        "long-prose",
        "```toml step roll-back",
    ),
    seeded("rollback-deploy", "Ask whoever deployed it", TWENTY, "first-screen", "```toml step look-at-revisions"),
    seeded(
        "rollback-deploy",
        "Not when the new version has",
        "It may be that the new version has",
        "no-stop",
        "```toml runbook",
    ),
    seeded(
        "rollback-deploy",
        "There must be at least two revisions in the list. The last one is what runs now, the one before it is where this goes.\n",
        "",
        "no-prose",
        "```toml step roll-back",
    ),
    seeded(
        "rollback-deploy",
        "Ask whoever deployed it",
        "See [the old page](gone.md). Ask whoever deployed it",
        "dead-link",
        "gone.md",
    ),
    seeded(
        "free-disk",
        "Make the volume larger",
        "See [here](../docs/volumes.md#grow). Make the volume larger",
        "dead-link",
        "../docs/volumes.md",
    ),
    seeded(
        "rollback-deploy",
        "Ask whoever deployed it",
        "The password: hunter2hunter2. Ask whoever deployed it",
        "secret",
        "hunter2",
    ),
    seeded(
        "isolate-third-party",
        "\"--max-time\", \"10\"",
        "\"-H\", \"Authorization: Bearer abcdef0123456789abcdef\"",
        "secret",
        "Bearer abcdef",
    ),
    seeded(
        "cancel-slow-query",
        "\"-h\", \"{db}\", \"-d\", \"postgres\", \"-c\", \"select pid, now()",
        "\"-d\", \"postgresql://admin:s3cret99@db/postgres\", \"-c\", \"select pid, now()",
        "secret",
        "s3cret99",
    ),
    seeded(
        "rollback-deploy",
        "Ask whoever deployed it",
        "api_key = AKIAABCDEFGHIJKLMNOP. Ask whoever deployed it",
        "secret",
        "AKIA",
    ),
    // Commands.
    seeded(
        "rollback-deploy",
        "\"deployment/{service}\", \"-n\", \"prod\"]\nexpect",
        "\"deployment/{service};id\", \"-n\", \"prod\"]\nexpect",
        "shell-marks",
        ";id\"",
    ),
    seeded(
        "rollback-deploy",
        "\"-n\", \"prod\"]\nexpect",
        "\"-n\", \"prod\", \"|\", \"tail\"]\nexpect",
        "shell-marks",
        "\"|\"",
    ),
    seeded(
        "free-disk",
        "\"--max-depth=2\", \"/var\"]",
        "\"--max-depth=2\", \"$(ls/{service})\"]",
        "shell-marks",
        "$(ls",
    ),
    seeded(
        "rollback-deploy",
        "run = [\"kubectl\", \"rollout\", \"history\"",
        "run = [\"bash\", \"-c\", \"kubectl\", \"rollout\", \"history\"",
        "page",
        "\"bash\"",
    ),
    seeded(
        "revert-network-policy",
        "\"-o\", \"yaml\"]",
        "\"-o\", \"yaml of {policy}\"]",
        "page",
        "```toml step keep-a-copy",
    ),
    seeded("rollback-deploy", "expect = \"^([2-9]", "expect = \"^[2-9]", "page", "expect = \"^[2-9]"),
    seeded(
        "rollback-deploy",
        "deployment/{service}\", \"-n\", \"prod\"]\nexpect",
        "deployment/{servcie}\", \"-n\", \"prod\"]\nexpect",
        "page",
        "```toml step look-at-revisions",
    ),
    // Where a run can go.
    seeded(
        "mend-ingress",
        "cases = [{ step = \"settled\", met = false, goto = \"errors-come-home\" }]",
        "cases = [{ step = \"settled\", met = false, goto = \"end\" }]",
        "end-unverified",
        "```toml step taken-back",
    ),
    seeded(
        "drain-queue",
        "cases = [{ step = \"short-already\", met = true, goto = \"queue-short\" }]",
        "cases = [{ step = \"short-already\", met = true, goto = \"end\" }]",
        "end-unverified",
        "```toml step enough-or-more",
    ),
    seeded(
        "restart-leaking",
        "cases = [{ step = \"traffic-usual\", met = true, goto = \"rolling-restart\" }]\notherwise = \"escalate\"",
        "cases = [{ step = \"how-full\", met = true, goto = \"rolling-restart\" }]\notherwise = \"escalate\"",
        "unused-check",
        "unexpected = \"go-on\"",
    ),
    seeded(
        "restart-leaking",
        "goto = \"rolling-restart\"",
        "goto = \"memory-falls\"",
        "page",
        "```toml step rolling-restart",
    ),
    seeded("mend-dns", "goto = \"restart-servers\"", "goto = \"restart-server\"", "page", "```toml step which"),
    seeded("promote-replica", "proves = [\"backup_age\"]\n", "", "database-restart", "```toml step promote"),
    seeded(
        "restart-unit",
        "touches = \"{unit}\"",
        "touches = \"postgres/{unit}\"",
        "database-restart",
        "```toml step restart",
    ),
];

fn line_of(text: &str, needle: &str) -> u32 {
    let at = text.lines().position(|line| line.contains(needle)).unwrap_or_else(|| panic!("no {needle}"));
    u32::try_from(at + 1).unwrap()
}

fn known_metrics() -> BTreeSet<Arc<str>> {
    let mut known: BTreeSet<Arc<str>> = BTreeSet::new();
    for name in shipped() {
        for line in page(&name).lines() {
            let mut rest = line;
            while let Some((_, after)) = rest.split_once("metric = \"") {
                known.extend(after.split_once('"').map(|(metric, _)| Arc::from(metric)));
                rest = after;
            }
        }
    }
    known
}

fn shipped() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = files.filter_map(|name| name.strip_suffix(".md").map(str::to_owned)).collect();
    names.sort();
    names
}

#[test]
fn of_sixty_seeded_mistakes_at_least_fifty_nine_are_found_with_their_rule_and_line() {
    assert_eq!(SEEDED.len(), 60);
    let metrics = known_metrics();
    let mut missed = Vec::new();
    for (number, seeded) in SEEDED.iter().enumerate() {
        let good = page(seeded.page);
        let bad = good.replacen(seeded.from, seeded.to, 1);
        assert_ne!(good, bad, "{number}: `{}` is not in {}", seeded.from, seeded.page);
        let line = line_of(&bad, seeded.at);
        let found = findings(&[("own.md", &bad)], Some(&metrics));
        if !found.iter().any(|finding| finding.rule == seeded.rule && finding.line == line) {
            missed.push(format!("{number} {} {} line {line}: {found:#?}", seeded.page, seeded.rule));
        }
        assert!(found.iter().all(|finding| !finding.text.is_empty() && finding.file.as_ref() == "own.md"));
    }
    println!("{} of {} seeded mistakes found", SEEDED.len() - missed.len(), SEEDED.len());
    assert!(missed.len() <= 1, "{}", missed.join("\n"));
}

#[test]
fn a_limit_on_what_an_act_takes_away_is_for_calls_that_are_counted() {
    for (name, from, to, rule) in [
        ("free-disk", "danger = \"high\"", "danger = \"high\"\nremaining_min = 2", Some("uncounted")),
        ("rollback-deploy", "within = \"3m\"", "within = \"3m\"\nshare_max = 101", Some("page")),
        ("rollback-deploy", "within = \"3m\"", "within = \"3m\"\nremaining_min = 0", Some("page")),
        ("rollback-deploy", "within = \"3m\"", "within = \"3m\"\nremaining_min = 2\nshare_max = 50", None),
    ] {
        let changed = page(name).replacen(from, to, 1);
        let found = findings(&[("own.md", &changed)], Some(&known_metrics()));
        let line = line_of(&changed, to.lines().last().unwrap_or(to));
        match rule {
            Some(rule) => {
                assert!(found.iter().any(|it| it.rule == rule && it.line == line), "{name} {to}: {found:#?}");
            }
            None => assert!(found.is_empty(), "{found:#?}"),
        }
    }
}

#[test]
fn shipped_pages_raise_no_alarm() {
    let pages: Vec<(String, String)> = shipped().into_iter().map(|name| (format!("{name}.md"), page(&name))).collect();
    let pages: Vec<(&str, &str)> = pages.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert!(pages.len() >= 25);
    let found = findings(&pages, Some(&known_metrics()));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn two_pages_with_one_id_or_one_condition_are_told() {
    let first = page("rollback-deploy");
    let twice = findings(&[("a.md", &first), ("b.md", &first)], None);
    assert_eq!(twice.len(), 1);
    assert_eq!(
        (twice[0].rule, twice[0].file.as_ref(), twice[0].line),
        ("duplicate-id", "b.md", line_of(&first, "id = "))
    );
    let renamed = first.replacen("id = \"rollback-deploy\"", "id = \"other\"", 1);
    let same = findings(&[("a.md", &first), ("b.md", &renamed)], None);
    assert_eq!(same.len(), 1);
    assert_eq!((same[0].rule, same[0].line), ("duplicate-match", line_of(&first, "problem = ")));
}

#[test]
fn links_that_are_alive_or_lead_away_are_left_alone() {
    let text = page("rollback-deploy").replacen(
        "Ask whoever deployed it",
        "See [a](there.md#x), [b](https://example.com/x), [c](#d), [e](mailto:a@example.com). Ask whoever deployed it",
        1,
    );
    assert_eq!(findings(&[("own.md", &text)], None), []);
}

#[test]
fn what_a_page_includes_is_looked_at_with_it() {
    let with = |include: &str| {
        let text = page("rollback-deploy").replacen("owner = ", &format!("include = \"{include}\"\nowner = "), 1);
        let text = text.replacen("id = \"rollback-deploy\"", "id = \"own\"", 1);
        let found = findings(&[("own.md", &text)], None);
        found.into_iter().filter(|finding| finding.rule == "include").map(|finding| finding.text.to_string()).collect()
    };
    let said: [Vec<String>; 3] = ["nowhere@2", "free-disk@99", "revive-monitoring@1"].map(with);
    assert!(said[0][0].contains("there is no such page"), "{said:?}");
    assert!(said[1][0].contains("version 99"), "{said:?}");
    assert!(said[2].iter().all(|text| !text.contains("no such page") && !text.contains("version")), "{said:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    #[test]
    fn no_damage_breaks_lint(which in 0_usize..31, at in 0.0_f64..1.0, cut in 0_usize..60, with in "[\\x20-\\x7e\n]{0,8}") {
        let names = shipped();
        let text = page(&names[which % names.len()]);
        let mut start = (at * text.len() as f64) as usize;
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = (start + cut).min(text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        let damaged = format!("{}{with}{}", &text[..start], &text[end..]);
        let found = findings(&[("own.md", &damaged)], None);
        let lines = u32::try_from(damaged.lines().count()).unwrap();
        for finding in found {
            proptest::prop_assert!(finding.line >= 1 && finding.line <= lines.max(1), "{:?} of {} lines", finding, lines);
        }
    }
}
