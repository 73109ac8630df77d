//! Who may ask for what: every kind of request, held against the table of README.

use std::collections::BTreeSet;

use hypocenter::engine::act::roles::{needed, refusal};
use hypocenter::engine::model::Role;
use hypocenter::engine::request::Request;

use super::shapes;

/// One of each kind, by what README says of it, with the words there and the role.
const TABLE: [(&str, Role, &[&str]); 13] = [
    ("pull the kill switch", Role::Viewer, &[r#"{"kill": {"reason": "smoke"}}"#]),
    (
        "work on incidents and documents",
        Role::Responder,
        &[
            r#"{"acknowledge": {"incident": 1}}"#,
            r#"{"own": {"incident": 1, "owner": "bo"}}"#,
            r#"{"set_severity": {"incident": 1, "severity": "sev1"}}"#,
            r#"{"note": {"incident": 1, "text": "so"}}"#,
            r#"{"mitigate": {"incident": 1}}"#,
            r#"{"resolve": {"incident": 1}}"#,
            r#"{"reopen": {"incident": 1}}"#,
            r#"{"judge_cause": {"incident": 1, "is_right": true}}"#,
            r#"{"merge": {"incident": 1, "into": 2}}"#,
            r#"{"split_off": {"incident": 1, "services": ["cart"]}}"#,
            r#"{"save_post_mortem": {"incident": 1, "text": "so"}}"#,
            r#"{"save_runbook_draft": {"incident": 1, "text": "so"}}"#,
            r#"{"set_aside": {"anomaly": 1}}"#,
        ],
    ),
    (
        "begin and steer runs",
        Role::Responder,
        &[
            r#"{"start_run": {"incident": 1, "runbook": "mend", "digest": "d"}}"#,
            r#"{"approve": {"run": 1, "step": 0, "digest": "d", "typed_target": null}}"#,
            r#"{"dry_run": {"run": 1, "step": 0, "digest": "d"}}"#,
            r#"{"skip": {"run": 1, "step": 0, "reason": "so", "digest": "d"}}"#,
            r#"{"choose": {"run": 1, "step": 0, "digest": "d", "choice": 0}}"#,
            r#"{"retry": {"run": 1, "step": 0, "digest": "d"}}"#,
            r#"{"run_from": {"run": 1, "step": 0, "reason": "so", "digest": "d"}}"#,
            r#"{"resume": {"run": 1, "reason": "so", "digest": "d"}}"#,
            r#"{"edit_run": {"run": 1, "params": {}, "digest": "d"}}"#,
            r#"{"undo": {"run": 1, "step": 0, "digest": "d"}}"#,
            r#"{"probe": {"run": 1, "step": 0}}"#,
            r#"{"settle_unknown": {"run": 1, "step": 0, "has_happened": true}}"#,
            r#"{"stop_run": {"run": 1, "escalate": null}}"#,
        ],
    ),
    // By whoever may; at once, and without the wheel, only a commander: see the tests of wheels.
    ("ask for wheels", Role::Responder, &[r#"{"ask_wheel": {"run": 1}}"#, r#"{"take_wheel": {"run": 1}}"#]),
    (
        "give and keep them",
        Role::Responder,
        &[r#"{"give_wheel": {"run": 1, "to": "bo"}}"#, r#"{"keep_wheel": {"run": 1}}"#],
    ),
    ("hand over", Role::Responder, &[r#"{"hand_over": {"to": "bo", "note": "so"}}"#]),
    ("plan rollouts", Role::Responder, &[r#"{"plan_rollout": {"source": "so"}}"#]),
    ("release the kill switch", Role::Commander, &[r#"{"release": {"reason": "so"}}"#]),
    ("reset the breaker", Role::Commander, &[r#""reset_breaker""#]),
    ("send updates", Role::Commander, &[r#"{"send_update": {"incident": 1, "text": "so"}}"#]),
    (
        "steer rollouts",
        Role::Commander,
        &[r#"{"rollout": {"rollout": 1, "request": {"Pause": {"by": "ana", "reason": "so"}}}}"#],
    ),
    (
        "decide on patches",
        Role::Commander,
        &[
            r#"{"except_patch": {"kind": "deferred", "subject": {"package": "curl"}, "reach": "everywhere", "until": "30d",
                "owner": "ana", "reason": "so", "is_exploited_typed": false}}"#,
            r#"{"withdraw_exception": {"exception": 1, "reason": "so"}}"#,
        ],
    ),
    // No requests: the socket asks for the role.
    ("end the engine, have it write a backup", Role::Admin, &[]),
];

const ROLES: [Role; 4] = [Role::Viewer, Role::Responder, Role::Commander, Role::Admin];

fn name(request: &str) -> String {
    request.trim_matches(['{', '"']).split('"').next().unwrap().to_owned()
}

#[test]
fn every_kind_of_request_needs_the_role_that_the_readme_says() {
    let mut named = BTreeSet::new();
    for (what, least, requests) in TABLE {
        for text in requests {
            let request: Request = serde_json::from_str(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
            assert_eq!(needed(&request).0, least, "{text}: {what}");
            for role in ROLES {
                assert_eq!(refusal(role, &request).is_none(), role >= least, "{role} asks for {text}");
            }
            assert!(named.insert(name(text)), "{text} stands twice");
        }
    }
    let shapes = shapes::of::<Request>();
    let all = shapes.lines().filter_map(|line| line.strip_prefix("Request ")?.split_whitespace().nth(1));
    assert_eq!(named, all.map(str::to_owned).collect::<BTreeSet<String>>(), "a kind of request without a role here");
}

#[test]
fn the_readme_says_of_each_role_what_it_may_also_do() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for (what, least, _) in TABLE {
        let row = readme.lines().find(|line| line.starts_with(&format!("| {least} |")));
        assert!(row.is_some_and(|row| row.contains(what)), "{least}: {what} in {row:?}");
    }
}
