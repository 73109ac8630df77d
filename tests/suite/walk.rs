//! The built program walks the demo by keys alone at 80x24, from the first symptom to the resolved incident; and the
//! README names the keys it has.

use hypocenter::app::key_table::key_table;
use hypocenter::app::keymap::Keymap;

use super::terminal::Session;

#[test]
fn keys_alone_lead_from_the_first_symptom_to_the_resolved_incident() {
    let home = tempfile::tempdir().unwrap();
    let mut session = Session::hypo(home.path(), &["demo", "--scenario", "bad-deploy", "--seed", "1"]);
    session.watch("INC-1");
    session.press_from_to(b"3", "INC-1", "Timeline");
    session.watch("deploy abc123 to payment");
    session.press_from_to(b"e", "Timeline", "Speaks for it");
    session.press_from_to(b"\x1b", "Speaks for it", "Timeline");
    session.press_from_to(b"5", "Timeline", "Runbooks that fit");
    session.press_from_to(b"a", "Runbooks that fit", "step 1 of 3");
    session.press_from_to(b"a", "step 1 of 3", "step 2 of 3");
    session.press_from_to(b"a", "step 2 of 3", "This changes the world");
    // The exact command is on the screen before the answer.
    session.watch("deployment/payment");
    session.press_from_to(b"y", "This changes the world", "step 3 of 3");
    session.press_from_to(b"8", "step 3 of 3", "RUN-1 done");
    session.press_from_to(b"3", "RUN-1 done", "Timeline");
    session.press_from_to(b"R", "Timeline", "Resolve INC-1");
    session.press_from_to(b"y", "Resolve INC-1", "resolved");
    // Whoever watched the fix sees it end: the incident stays on the screen.
    session.watch("Timeline");
    session.press_from_to(b"1", "Timeline", "none open");
    session.press(b"Q");
    session.ends_clean();
}

#[test]
fn keys_alone_plan_a_rollout_and_begin_it_in_the_demo() {
    let home = tempfile::tempdir().unwrap();
    let mut session = Session::hypo(home.path(), &["demo", "--scenario", "nightly-batch", "--seed", "1"]);
    session.watch("1 Now");
    session.press_from_to(b"6", "1 Now", "Patches  queue");
    session.watch("openssl");
    // What is exploited goes first, and its deadline has passed.
    session.watch("late 6 h");
    session.press_from_to(b"r", "queue by patch", "not approved");
    session.watch("libssl3 3.0.15-1~deb12u1");
    session.press_from_to(b"a", "not approved", "Type openssl");
    session.press(b"openssl\r");
    // It goes on by itself: on the first machine of staging the packages change.
    session.watch("RO-1  ▶ running");
    session.watch("stage-1 is validating");
    session.press(b"Q");
    session.ends_clean();
}

#[test]
fn a_question_is_answered_from_what_the_demo_shows_and_leads_to_it() {
    let home = tempfile::tempdir().unwrap();
    let mut session = Session::hypo(home.path(), &["demo", "--scenario", "firewall-rule", "--seed", "1"]);
    session.watch("1 Now");
    session.watch("cause: network policy");
    session.press_from_to(b"7", "1 Now", "To begin with");
    session.press(b"what is the root caus\r");
    session.watch("was most likely caused by network policy");
    // An empty line: Enter goes to what the claim rests on, Esc comes back.
    session.press(b"\r");
    session.watch("What this rests on");
    session.press_from_to(b"\r", "What this rests on", "Confidence");
    session.press(b"Q");
    session.ends_clean();
}

#[test]
fn the_readme_lists_the_keys_of_the_default_keymap() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let written =
        readme.split_once("<!-- keys -->\n").and_then(|(_, rest)| rest.split_once("<!-- /keys -->")).unwrap().0;
    let table = key_table(&Keymap::load("default", None).0);
    assert_eq!(written.trim(), table.trim(), "between the marks in README.md belongs\n{table}");
}
