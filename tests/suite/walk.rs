//! The built program walks the demo by keys alone at 80x24, from the first symptom to the resolved incident; and the
//! README names the keys it has.

use std::time::{Duration, Instant};

use hypocenter::app::key_table::key_table;
use hypocenter::app::keymap::Keymap;
use portable_pty::CommandBuilder;

use super::terminal::Session;

/// The incident unfolds in seconds; the verify step holds for two minutes.
const PATIENCE: Duration = Duration::from_secs(300);

/// Reads until `text` is on the screen; never presses anything.
fn watch(session: &mut Session, text: &str) {
    let until = Instant::now() + PATIENCE;
    while !session.text().contains(text) {
        assert!(Instant::now() < until, "no `{text}` on\n{}", session.text());
        session.settle(Duration::from_millis(200));
    }
}

/// Presses `keys` while `before` is on the screen and `after` is not: a key that acts is inert for a moment after what it
/// acts on has changed, and must never meet the step after.
fn press_from_to(session: &mut Session, keys: &[u8], before: &str, after: &str) {
    let until = Instant::now() + PATIENCE;
    while !session.text().contains(after) {
        assert!(Instant::now() < until, "no `{after}` on\n{}", session.text());
        if session.text().contains(before) {
            session.press(keys);
        }
        session.settle(Duration::from_millis(700));
    }
}

#[test]
fn keys_alone_lead_from_the_first_symptom_to_the_resolved_incident() {
    let home = tempfile::tempdir().unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_hypo"));
    command.env_clear();
    for (name, value) in [("PATH", "/usr/bin:/bin"), ("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
        command.env(name, value);
    }
    command.env("HOME", home.path());
    command.args(["demo", "--scenario", "bad-deploy", "--seed", "1"]);
    let mut session = Session::start(command);
    watch(&mut session, "INC-1");
    press_from_to(&mut session, b"3", "INC-1", "Timeline");
    watch(&mut session, "deploy abc123 to payment");
    press_from_to(&mut session, b"e", "Timeline", "Speaks for it");
    press_from_to(&mut session, b"\x1b", "Speaks for it", "Timeline");
    press_from_to(&mut session, b"5", "Timeline", "Runbooks that fit");
    press_from_to(&mut session, b"a", "Runbooks that fit", "step 1 of 3");
    press_from_to(&mut session, b"a", "step 1 of 3", "step 2 of 3");
    press_from_to(&mut session, b"a", "step 2 of 3", "This changes the world");
    // The exact command is on the screen before the answer.
    watch(&mut session, "deployment/payment");
    press_from_to(&mut session, b"y", "This changes the world", "step 3 of 3");
    press_from_to(&mut session, b"6", "step 3 of 3", "RUN-1 done");
    press_from_to(&mut session, b"3", "RUN-1 done", "Timeline");
    press_from_to(&mut session, b"R", "Timeline", "Resolve INC-1");
    press_from_to(&mut session, b"y", "Resolve INC-1", "resolved");
    // Whoever watched the fix sees it end: the incident stays on the screen.
    watch(&mut session, "Timeline");
    press_from_to(&mut session, b"1", "Timeline", "none open");
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
