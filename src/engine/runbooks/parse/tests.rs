//! Pages with one mistake each, and what is said about it.

use super::*;
use crate::engine::model::{CauseKind, CheckSpec, Look, RunbookPlace, StepKind};

const GOOD: &str = r#"# Roll back

```toml runbook
id = "roll-back"
version = "2"
owner = "team:sre"
problem = ["bad_deploy", "bad_config"]
service = "pay.*"
estimate = "4m"
[params]
service = { type = "service", from = "cause.service" }
```

Read this first.

```sh
never run
```

```toml step look
kind = "check"
run = ["kubectl", "get", "pods", "-l", "app={service}"]
expect = "Running"
```
Then this.
```toml step undo
kind = "act.exec"
effect = "reversible"
run = ["kubectl", "rollout", "undo", "deployment/{service}", "{.items}"]
rollback = "again"
touches = "deployment/{service}"
timeout = "60s"
```
```toml step home
kind = "verify"
metric = "error_ratio"
service = "{service}"
for = "2m"
min_samples = 4
below = 0.1
```
The end.
"#;

#[test]
fn a_page_becomes_a_runbook() {
    let runbook = parse("own.md", GOOD).unwrap();
    assert_eq!(
        (runbook.id.as_ref(), runbook.title.as_ref(), runbook.version.as_ref()),
        ("roll-back", "Roll back", "2")
    );
    assert_eq!(runbook.problems, [CauseKind::BadDeploy, CauseKind::BadConfig]);
    assert_eq!(runbook.estimate_seconds, 240);
    assert_eq!(runbook.content_hash.len(), 64);
    let names: Vec<&str> = runbook.steps.iter().map(|step| step.name.as_ref()).collect();
    assert_eq!(names, ["look", "undo", "home"]);
    assert!(runbook.steps[0].text.contains("Read this first.") && runbook.steps[0].text.contains("never run"));
    assert_eq!(runbook.steps[1].text.as_ref(), "Then this.");
    assert_eq!(runbook.steps[1].timeout_ms, 60_000);
    assert_eq!(runbook.steps[2].text.as_ref(), "The end.");
    let StepKind::Verify { goal, hold_ms, samples_min, .. } = &runbook.steps[2].kind else { panic!() };
    assert_eq!((*hold_ms, *samples_min, goal.below, goal.above), (120_000, 4, Some(0.1), None));
}

#[test]
fn where_a_page_is_for_is_either_said_or_anywhere() {
    let place = |line: &str| parse("f", &GOOD.replacen("estimate = \"4m\"", line, 1)).unwrap().place;
    assert_eq!(place("where = \"machine\""), RunbookPlace::Machine);
    assert_eq!(place("where = \"cluster\""), RunbookPlace::Cluster);
    assert_eq!(place(""), RunbookPlace::Anywhere);
}

#[test]
fn the_hash_follows_every_byte() {
    let other = GOOD.replace("The end.", "The end!");
    assert_ne!(parse("f", GOOD).unwrap().content_hash, parse("f", &other).unwrap().content_hash);
}

#[test]
fn every_mistake_is_named_with_its_line_and_a_remedy() {
    for (from, to, line, says) in [
        ("# Roll back", "Roll back", 1, "no heading"),
        ("id = \"roll-back\"\n", "", 3, "`id` is missing"),
        ("id = \"roll-back\"", "id = \"Roll Back\"", 4, "lower-case"),
        ("version = \"2\"", "version = 2", 5, "of type integer"),
        ("owner = ", "ower = ", 6, "did you mean `owner`?"),
        ("\"bad_config\"]", "\"bad_confg\"]", 7, "did you mean `bad_config`?"),
        ("\"pay.*\"", "\"pay(\"", 8, "regular expression"),
        ("estimate = \"4m\"", "estimate = \"4\"", 9, "such as 15s"),
        ("estimate = \"4m\"", "where = \"host\"", 9, "`where` is \"machine\" or \"cluster\", not \"host\""),
        ("estimate = \"4m\"", "max_actions = 9", 9, "from 1 to 8"),
        ("from = \"cause.service\"", "from = \"cause.servce\"", 11, "cause.service"),
        ("type = \"service\"", "type = \"srv\"", 11, "types are"),
        ("type = \"service\"", "type = \"text\"", 11, "`pattern` or `choices`"),
        ("kind = \"check\"", "kind = \"chek\"", 21, "did you mean `check`?"),
        ("kind = \"check\"", "kind = \"check", 21, ""),
        ("app={service}", "app={servic}", 20, "did you mean `{service}`?"),
        ("expect = \"Running\"", "expct = \"Running\"", 23, "did you mean `expect`?"),
        ("expect = \"Running\"", "effect = \"reversible\"", 23, "only looks"),
        ("run = [\"kubectl\", \"get\"", "run = [\"kubectl get\"", 22, "no shell"),
        ("run = [\"kubectl\", \"get\"", "run = [\"{service}\", \"get\"", 22, "no shell"),
        ("run = [\"kubectl\", \"get\"", "run = [\"kubectl\", \"delete\"", 22, "a check only looks: `kubectl delete`"),
        ("run = [\"kubectl\", \"get\"", "run = [\"rm\", \"get\"", 22, "`rm` does more than look"),
        (
            "run = [\"kubectl\", \"get\", \"pods\", \"-l\", \"app={service}\"]\nexpect = \"Running\"",
            "request = { endpoint = \"argo\", method = \"DELETE\", path = \"/x\" }",
            22,
            "a DELETE request",
        ),
        (
            "timeout = \"60s\"",
            "timeout = \"60s\"\nprobe = [\"kubectl\", \"delete\", \"pod\", \"x\"]",
            33,
            "`probe` only looks",
        ),
        (
            "timeout = \"60s\"",
            "timeout = \"60s\"\ndry_run = [\"kubectl\", \"cordon\", \"x\"]",
            33,
            "add --dry-run=server",
        ),
        ("effect = \"reversible\"", "effect = \"maybe\"", 28, "irreversible"),
        ("rollback = \"again\"\n", "", 26, "how it is undone"),
        (
            "\"deployment/{service}\", \"{.items}\"]\nrollback = \"again\"\ntouches = \"deployment/{service}\"\n",
            "\"deployment/x\"]\nrollback = \"again\"\n",
            26,
            "`touches` is missing",
        ),
        ("timeout = \"60s\"", "timeout = \"60s\"\nprecheck = [\"replica_lag < 3\"]", 33, "no condition"),
        ("timeout = \"60s\"", "timeout = \"60s\"\nprecheck = \"replica_lag('x') < 3\"", 33, "a list of conditions"),
        ("timeout = \"60s\"", "timeout = \"60s\"\nverify = { query = \"a('x') > 1\" }", 33, "`for` is missing"),
        (
            "timeout = \"60s\"",
            "timeout = \"60s\"\nverify = { query = \"a('x') > 1\", below = 2 }",
            33,
            "unknown key `below`",
        ),
        ("below = 0.1", "query = \"not restarting('x')\"", 40, "is a `precheck`"),
        ("estimate = \"4m\"", "include = \"pg-common\"", 9, "pg-common@2"),
        ("from = \"cause.service\"", "tech = \"java\", pattern = \"(\"", 11, "regular expression"),
        ("type = \"service\", from", "type = \"host\", tech = \"java\", from", 11, "this parameter is none"),
        ("type = \"service\", from = \"cause.service\"", "type = \"host\"", 11, "`from` is missing"),
        ("timeout = \"60s\"\n", "", 26, "`timeout` is missing"),
        ("effect = \"reversible\"", "effect = \"irreversible\"", 0, ""),
        ("min_samples = 4", "min_samples = 0", 39, "from 2"),
        ("min_samples = 4", "timeout = \"2m\"", 39, "longer than `for`"),
        ("below = 0.1", "below = nan", 40, "finite"),
        ("```toml step home", "```toml stp home", 34, "toml step NAME"),
        ("```toml step home", "```toml step undo", 34, "second step"),
        (
            "kind = \"verify\"\nmetric = \"error_ratio\"\nservice = \"{service}\"\nfor = \"2m\"\nmin_samples = 4\nbelow = 0.1",
            "kind = \"note\"",
            26,
            "no verify step",
        ),
        ("```\nThe end.", "The end.", 34, "never closed"),
    ] {
        let broken = GOOD.replacen(from, to, 1);
        assert_ne!(broken, GOOD, "{from}");
        if line == 0 {
            parse("own.md", &broken).unwrap();
            continue;
        }
        let problems = parse("own.md", &broken).expect_err(to);
        assert!(
            problems.iter().any(|problem| problem.line == line && problem.text.contains(says)),
            "{to}: {problems:#?}"
        );
        assert!(problems.iter().all(|problem| problem.file.as_ref() == "own.md"));
    }
}

/// The other spelling: what must hold and what is verified as texts, right where the act is.
const TERSE: &str = r#"# The volume of a database fills up

```toml runbook
id = "pg-volume"
version = "3"
owner = "team:data"
verified = 2026-02-14
expires_days = 90
match = [ 'alertname="DiskWillFill" and service=~".*-db"' ]
problem = "disk_full"
severity_hint = "sev2"
max_actions = 4
[params]
db   = { type = "service", tech = "postgres" }
host = { type = "host", from = "alert.labels.instance" }
slot = { type = "text", from = "alert.labels.slot", pattern = "[a-z_]+" }
```
Not on a replica.
```toml step find-eaters
kind = "check"
run = ["du-top", "--host", "{host}", "--n", "10"]
expect = "lists ≥ 2 paths"
```
```toml step drop-slot
kind = "act.exec"
effect = "reversible"
idempotent = "probe"
probe = ["pg-slot-exists", "{db}", "{slot}"]
precheck = ["replica_lag('{db}') < 30s", "backup_age('{db}') < 24h", "not restarting('{db}')"]
run = ["pg-drop-slot", "--db", "{db}", "--slot", "{slot}"]
targets_max = 1
timeout = "60s"
verify = { query = "disk_free_pct('{host}') > 15", for = "3m", min_samples = 6 }
rollback = { irreversible = "a slot can be made again, the replica syncs anew" }
```
"#;

#[test]
fn conditions_may_be_texts_and_an_act_may_bring_its_verification() {
    let runbook = parse("f", TERSE).unwrap();
    let names: Vec<&str> = runbook.steps.iter().map(|step| step.name.as_ref()).collect();
    assert_eq!(names, ["find-eaters", "drop-slot", "drop-slot-verify"]);
    assert_eq!((runbook.params["db"].tech.as_ref(), runbook.params["db"].from.as_ref()), ("postgres", "cause.service"));
    let StepKind::Check(CheckSpec { look: Look::Call { expect, lines_min, .. }, .. }) = &runbook.steps[0].kind else {
        panic!()
    };
    assert_eq!((expect.as_ref(), *lines_min), ("", 2));
    let act = runbook.steps[1].act().unwrap();
    let limits: Vec<_> = act.prechecks.iter().map(|goal| (goal.metric.as_ref(), goal.below)).collect();
    assert_eq!(limits, [("replica_lag", Some(30.0)), ("backup_age", Some(86_400.0))]);
    assert_eq!(act.not_restarting, [Arc::from("{db}")]);
    assert_eq!(runbook.steps[1].touches.as_ref(), "{db}", "what the call names stands in for what the act leaves out");
    let StepKind::Verify { goal, hold_ms, samples_min, .. } = &runbook.steps[2].kind else { panic!() };
    assert_eq!((goal.service.as_ref(), goal.above, *hold_ms, *samples_min), ("{host}", Some(15.0), 180_000, 6));
}

#[test]
fn all_mistakes_are_found_at_once() {
    let broken = GOOD.replace("owner", "ower").replace("expect", "expct").replace("metric", "metrc");
    assert!(parse("f", &broken).unwrap_err().len() >= 5);
}

#[test]
fn files_from_another_system_do_as_well() {
    assert_eq!(parse("f", &GOOD.replace('\n', "\r\n")).unwrap().steps.len(), 3);
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,200}") {
        let _ = parse("f", &text);
    }

    #[test]
    fn no_damage_breaks_the_parser(at in 0..GOOD.len(), with in "[\\x00-\\x7f]{0,4}", cut in 0..40_usize) {
        let end = (at + cut).min(GOOD.len());
        let damaged = format!("{}{with}{}", &GOOD[..at], &GOOD[end..]);
        if let Err(problems) = parse("f", &damaged) {
            proptest::prop_assert!(!problems.is_empty());
        }
    }
}
