//! Documents made from the record: what they say, and that no text from outside can be anything but text in them.

use std::sync::Arc;

use hypocenter::engine::job::Record;
use hypocenter::engine::model::{
    Document, DocumentKind, IncidentId, IncidentState, KillSwitch, RunState, StepState, TimelineEntry, TimelineKind,
};
use hypocenter::engine::postmortem::{handover, post_mortem, status_update};
use hypocenter::engine::snapshot::Snapshot;
use hypocenter::engine::store::Store;
use proptest::prelude::*;

use assert_cmd::Command;

use crate::fixtures;

const ID: IncidentId = IncidentId(42);

/// A picture with everything in it: runs in every state, things not told, updates due.
fn rich() -> Snapshot {
    let mut snapshot = fixtures::untold();
    let mut over = fixtures::run();
    over.state = RunState::Succeeded;
    over.ended_at = Some(fixtures::at("14:33:00"));
    for (index, step) in over.steps.iter_mut().enumerate() {
        step.state = match index {
            1 => StepState::Succeeded { at: fixtures::at("14:32:58") },
            0 => StepState::Skipped { at: fixtures::at("14:32:59"), by: "ana".into(), reason: "".into() },
            _ => StepState::Skipped {
                at: fixtures::at("14:32:59"),
                by: "ana".into(),
                reason: "it is night: nobody looks".into(),
            },
        };
    }
    let mut failed = fixtures::run();
    failed.id.0 += 1;
    failed.state = RunState::Failed;
    failed.steps[0].state = StepState::Failed { at: fixtures::at("14:33:01"), reason: "exit code 3".into() };
    let mut lost = fixtures::run();
    lost.id.0 += 2;
    lost.state = RunState::Interrupted;
    lost.steps[1].state = StepState::Unknown { since: fixtures::at("14:33:02") };
    let mut paused = fixtures::run();
    paused.id.0 += 3;
    (paused.state, paused.word) = (RunState::Paused, "errors rose after step 2".into());
    let incident = Arc::make_mut(&mut snapshot.incidents[0]);
    incident.timeline.push(TimelineEntry {
        at: fixtures::at("14:32:59"),
        kind: TimelineKind::Step,
        text: format!("skipped step 3 of {} ({}): it is night: nobody looks", over.id, over.steps[2].bound.spec.title)
            .into(),
        service: None,
        anomaly: None,
        by: Some("ana".into()),
    });
    incident.runs = vec![over.id, failed.id, lost.id];
    snapshot.runs = [paused, lost, failed, over].map(Arc::new).to_vec();
    snapshot.kill = Some(KillSwitch { at: fixtures::at("14:33:01"), by: "ana".into(), reason: "wrong cluster".into() });
    snapshot.updates_due.insert(ID, fixtures::at("14:30:00"));
    snapshot.update_every_ms = 1_800_000;
    snapshot
}

#[test]
fn a_post_mortem_says_what_the_record_has_and_nothing_else() {
    insta::assert_snapshot!("post_mortem_rich", post_mortem(&rich(), ID).unwrap());
    let mut bare = fixtures::error();
    let incident = Arc::make_mut(&mut bare.incidents[0]);
    incident.timeline.clear();
    incident.acknowledged_at = None;
    bare.runs.clear();
    bare.audit.clear();
    insta::assert_snapshot!("post_mortem_bare", post_mortem(&bare, ID).unwrap());
    assert_eq!(post_mortem(&bare, IncidentId(7)), None);
}

#[test]
fn a_status_update_says_state_impact_and_when_the_next_comes() {
    let mut snapshot = rich();
    insta::assert_snapshot!(
        "status_update_live",
        status_update(&snapshot, ID, Some(fixtures::at("15:05:00"))).unwrap()
    );
    let incident = Arc::make_mut(&mut snapshot.incidents[0]);
    incident.state = IncidentState::Resolved;
    incident.resolved_at = Some(fixtures::at("14:33:02"));
    insta::assert_snapshot!("status_update_resolved", status_update(&snapshot, ID, None).unwrap());
}

#[test]
fn a_handover_names_what_is_open_and_what_cannot_be_relied_on() {
    insta::assert_snapshot!("handover_rich", handover(&rich()));
    insta::assert_snapshot!("handover_quiet", handover(&fixtures::empty()));
}

/// What the built binary prints.
fn hypo(home: &std::path::Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::cargo_bin("hypo").unwrap();
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").args(arguments);
    let output = command.args(["--state-dir", home.join("state").to_str().unwrap()]).output().unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn a_drill_leaves_a_post_mortem_a_status_and_a_handover_on_the_command_line() {
    let home = tempfile::tempdir().unwrap();
    let (is_done, said) = hypo(home.path(), &["demo", "--headless", "--approve", "all"]);
    assert!(is_done, "{said}");
    let (_, told) = hypo(home.path(), &["postmortem", "INC-1"]);
    for part in
        ["# Post-mortem of INC-1", "Most likely cause: ", "kubectl rollout undo", "To mitigate: ", "## Follow-ups"]
    {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    assert!(!told.contains("not mitigated"), "the drill mends it:\n{told}");
    let file = home.path().join("inc-1.md");
    let (is_done, printed) = hypo(home.path(), &["postmortem", "inc-1", "--out", file.to_str().unwrap()]);
    assert_eq!((is_done, printed.as_str()), (true, ""));
    // All but the instant of the draft is the same.
    let after = |text: &str| text.split_once("## Summary").unwrap().1.to_owned();
    assert_eq!(after(&std::fs::read_to_string(&file).unwrap()), after(&told));
    // A text that was saved takes the draft's place; the draft stays within reach.
    let saved = Document {
        incident: IncidentId(1),
        kind: DocumentKind::PostMortem,
        text: "# As we wrote it".into(),
        by: "ana".into(),
        at: fixtures::now(),
    };
    let store = Store::open(&home.path().join("state")).unwrap();
    store.write(&[Record::Document(saved)], true).unwrap();
    drop(store);
    assert_eq!(hypo(home.path(), &["postmortem", "INC-1"]).1, "# As we wrote it\n");
    assert_eq!(after(&hypo(home.path(), &["postmortem", "INC-1", "--draft"]).1), after(&told));
    let (_, status) = hypo(home.path(), &["status", "1"]);
    assert!(status.contains("State: resolved, ") && status.contains("none; this is the last"), "{status}");
    let (_, handover) = hypo(home.path(), &["handover"]);
    assert!(handover.contains("## Open incidents\n\nNone.\n"), "{handover}");
    for (arguments, words) in [
        (["postmortem", "INC-77"], "INC-77 is not in the store; `hypo incidents --all`"),
        (["postmortem", "payment"], "write it as INC-1"),
        (["status", "INC-77"], "INC-77 is not in the store"),
    ] {
        let (is_done, said) = hypo(home.path(), &arguments);
        assert!(!is_done && said.contains(words), "{said}");
    }
}

/// The picture with `text` wherever text comes from outside.
fn with_text(text: &str) -> Snapshot {
    let mut snapshot = rich();
    let it = || Arc::from(text);
    let incident = Arc::make_mut(&mut snapshot.incidents[0]);
    (incident.title, incident.owner) = (it(), Some(it()));
    incident.services = std::iter::once((text.into(), fixtures::at("14:31:45"))).collect();
    for entry in &mut incident.timeline {
        (entry.text, entry.by, entry.service) = (it(), Some(it()), Some(text.into()));
    }
    for hypothesis in &mut incident.ranking.hypotheses {
        (hypothesis.title, hypothesis.disproved_by, hypothesis.service) = (it(), it(), text.into());
        hypothesis.impact_chain = vec![text.into()];
        for evidence in hypothesis.evidence_for.iter_mut().chain(&mut hypothesis.evidence_against) {
            evidence.text = it();
        }
    }
    for run in &mut snapshot.runs {
        let run = Arc::make_mut(run);
        run.started_by = it();
        let runbook = Arc::make_mut(&mut run.runbook);
        (runbook.title, runbook.version) = (it(), it());
        for step in &mut run.steps {
            step.bound.spec.title = it();
            step.approved_by = Some(it());
            match &mut step.state {
                StepState::Failed { reason, .. } => *reason = it(),
                StepState::Skipped { by, reason, .. } => (*by, *reason) = (it(), it()),
                _ => {}
            }
        }
    }
    for status in snapshot.outbox.destinations.iter_mut().filter(|status| status.last_problem.is_some()) {
        status.last_problem = Some(it());
    }
    snapshot.outbox.given_up.clear();
    snapshot
}

/// What begins each line: heading, point, point below a point, or text.
fn shape(document: &str) -> Vec<&str> {
    let marks = ["# ", "## ", "  - ", "- ", ""];
    document.lines().map(|line| marks.into_iter().find(|mark| line.starts_with(mark)).unwrap_or_default()).collect()
}

/// Characters that mean something to Markdown, outside of code spans and not escaped; our own texts have none.
fn loose_marks(line: &str) -> Vec<char> {
    let mut rest = line.trim_start_matches(['#', ' ']).trim_start_matches("- ").chars().peekable();
    let mut loose = Vec::new();
    while let Some(character) = rest.next() {
        match character {
            '\\' => {
                rest.next();
            }
            '`' => {
                let mut fence = 1;
                while rest.next_if_eq(&'`').is_some() {
                    fence += 1;
                }
                let inside: String = rest.clone().collect();
                let closes = inside.char_indices().find(|(at, c)| {
                    let run = inside[*at..].chars().take_while(|c| *c == '`').count();
                    *c == '`' && run == fence && !inside[..*at].ends_with('`')
                });
                match closes {
                    Some((at, _)) => drop(rest.nth(inside[..at].chars().count() + fence - 1)),
                    None => loose.push('`'),
                }
            }
            '*' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '#' => loose.push(character),
            _ => {}
        }
    }
    loose
}

fn hostile() -> impl Strategy<Value = String> {
    let marks = "\\`*_{}[]<>()#+-.!|~&=\n\r\t 1\"'$\u{1b}\u{202e}\u{7f}\u{85}";
    let character = prop_oneof![3 => proptest::sample::select(marks.chars().collect::<Vec<_>>()), 1 => any::<char>()];
    // Empty texts have words of their own.
    proptest::collection::vec(character, 0..40).prop_map(|all| format!("x{}", all.into_iter().collect::<String>()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn text_from_outside_is_only_ever_text(text in hostile(), at_the_start in any::<bool>()) {
        let text = if at_the_start { text[1..].to_owned() + "x" } else { text };
        let (plain, with) = (with_text("plain"), with_text(&text));
        for make in [|it: &Snapshot| post_mortem(it, ID).unwrap(), handover] {
            let (document, expected) = (make(&with), make(&plain));
            prop_assert_eq!(shape(&document), shape(&expected), "{}", document);
            for line in document.lines() {
                prop_assert!(loose_marks(line).is_empty(), "{line}");
                prop_assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
            }
        }
        let update = status_update(&with, ID, None).unwrap();
        prop_assert_eq!(update.lines().count(), 7, "{}", update);
        prop_assert!(!update.chars().any(|c| c != '\n' && c.is_control()), "{update:?}");
    }
}
