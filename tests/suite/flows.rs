//! (state, keys, state) with the real keymap files: keys reach commands, layers shadow, what acts asks first, a paste
//! and a hasty key never act, and whatever is pressed the selection stays valid.

use std::sync::Arc;

use hypocenter::app::effect::Effect;
use hypocenter::app::key::{Key, parse_sequence};
use hypocenter::app::keymap::Keymap;
use hypocenter::app::message::{Click, Message};
use hypocenter::app::state::AppState;
use hypocenter::app::update::update;
use hypocenter::engine::clock::{SECOND_MS, Timestamp};
use hypocenter::engine::model::{
    AnomalyId, Call, Document, DocumentKind, IncidentId, IncidentSeverity, IncidentState, Purpose, RolloutId, Run,
    RunId, RunState, StepEffect, StepKind, StepState, TimelineEntry,
};
use hypocenter::engine::patches::exceptions::ExceptionKind;
use hypocenter::engine::patches::rollout::{KeptRollout, RolloutRequest};
use hypocenter::engine::request::{Reply, Request};
use hypocenter::engine::snapshot::{AutonomyMode, Snapshot};
use hypocenter::views::context::{Glyphs, ViewContext};
use hypocenter::views::theme::Theme;
use hypocenter::views::ui_state::{Overlay, Pane, PatchView, RowKey, Written};
use hypocenter::views::{self, Drawn};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::fixtures::{self, rollout_pictures};

/// A console without a terminal, whose clock moves a second with every key.
pub struct Console {
    pub state: AppState,
    now: Timestamp,
    pub effects: Vec<Effect>,
    size: (u16, u16),
}

impl Console {
    pub fn with(keymap: &str, snapshot: Snapshot) -> Self {
        let (keymap, problems) = Keymap::load(keymap, None);
        assert_eq!(problems, []);
        let state = AppState::new(keymap, false, Vec::new());
        let mut console = Self { state, now: fixtures::now(), effects: Vec::new(), size: (80, 24) };
        console.show(snapshot);
        console
    }

    /// `INC-42` under way, the default keymap.
    pub fn live() -> Self {
        Self::with("default", fixtures::live())
    }

    pub fn tell(&mut self, message: Message) {
        self.effects.extend(update(&mut self.state, message, self.now));
    }

    pub fn show(&mut self, snapshot: Snapshot) {
        self.tell(Message::Snapshot(Arc::new(snapshot)));
        self.draw();
    }

    /// Presses keys, a second and a frame apart.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        for key in parse_sequence(keys).unwrap() {
            self.now = self.now + SECOND_MS;
            self.tell(Message::Key(key));
            self.draw();
        }
        self
    }

    /// Draws a frame, tells the core of it as the driver does, and returns what is on the screen.
    pub fn draw(&mut self) -> String {
        let theme = Theme::default();
        let context = ViewContext {
            snapshot: &self.state.snapshot,
            ui: &self.state.ui,
            theme: &theme,
            glyphs: Glyphs::default(),
            hints: &self.state.hints,
            palette: &self.state.palette.matches,
            note: self.state.note.as_ref(),
            now: self.state.view_now(self.now),
        };
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).unwrap();
        let mut drawn = Drawn::default();
        terminal.draw(|frame| drawn = views::draw(frame, &context)).unwrap();
        let Drawn { offset, page_rows, overlay_offset_max, is_question_whole, .. } = drawn;
        self.tell(Message::Drawn { offset, page_rows, overlay_offset_max, is_question_whole });
        terminal.backend().to_string()
    }

    /// The same on a screen of another size.
    fn resize(&mut self, width: u16, height: u16) -> String {
        self.size = (width, height);
        self.draw()
    }

    /// Presses keys all at once.
    fn rush(&mut self, keys: &str) -> &mut Self {
        for key in parse_sequence(keys).unwrap() {
            self.tell(Message::Key(key));
        }
        self
    }

    pub fn type_text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.tell(Message::Key(Key::plain(crossterm::event::KeyCode::Char(c))));
        }
        self
    }

    pub fn requests(&self) -> Vec<&Request> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Request(request) => Some(request),
                _ => None,
            })
            .collect()
    }

    pub fn notice(&self) -> &str {
        self.state.ui.notice.as_ref().map_or("", |notice| &notice.text)
    }

    pub fn selected(&self) -> Option<RowKey> {
        self.state.selected().map(|(_, row)| row)
    }
}

/// The picture with its one run changed.
fn with_run(change: impl FnOnce(&mut Run)) -> Snapshot {
    let mut snapshot = fixtures::live();
    let mut run = fixtures::run();
    change(&mut run);
    snapshot.runs = vec![Arc::new(run)];
    snapshot
}

fn without_run() -> Snapshot {
    let mut snapshot = fixtures::live();
    snapshot.runs.clear();
    snapshot
}

#[test]
fn keys_lead_to_panes_and_esc_leads_back() {
    for (keymap, keys, expected) in [
        ("default", "2", Pane::Anomalies),
        ("default", "3", Pane::Incident),
        ("default", "4", Pane::Chain),
        ("default", "5", Pane::Runbook),
        ("default", "6", Pane::Patches),
        ("default", "7", Pane::Ask),
        ("default", "8", Pane::Log),
        ("default", "7 8", Pane::Log),
        ("default", "7 2", Pane::Anomalies),
        ("default", "7 Esc", Pane::Now),
        ("default", "7 Tab", Pane::Log),
        ("default", "6 1", Pane::Now),
        ("default", "Tab", Pane::Anomalies),
        ("default", "BackTab", Pane::Log),
        ("default", "Enter", Pane::Incident),
        ("default", "Enter Esc", Pane::Now),
        ("default", "2 6 Esc", Pane::Anomalies),
        ("default", "2 6 q q q q", Pane::Now),
        ("default", "l h", Pane::Now),
        ("vim", "g t g t", Pane::Incident),
        ("vim", "Tab Ctrl-o", Pane::Now),
        ("emacs", "Ctrl-x o", Pane::Anomalies),
        ("emacs", "2 Ctrl-g", Pane::Now),
    ] {
        let mut console = Console::with(keymap, fixtures::live());
        console.press(keys);
        assert_eq!(console.state.ui.pane, expected, "{keymap}: {keys}");
        let open = if keys == "7" { Overlay::Asking } else { Overlay::None };
        assert_eq!(console.state.ui.overlay, open, "{keymap}: {keys}");
        assert_eq!(console.requests(), Vec::<&Request>::new(), "{keymap}: {keys}");
    }
}

#[test]
fn incident_keys_ask_for_what_they_say() {
    let incident = IncidentId(42);
    for (keys, expected) in [
        ("A", Request::Acknowledge { incident }),
        ("3 A", Request::Acknowledge { incident }),
        ("3 o", Request::Own { incident, owner: "".into() }),
        ("3 -", Request::SetSeverity { incident, severity: IncidentSeverity::Sev2 }),
        ("3 M", Request::Mitigate { incident }),
        ("3 R y", Request::Resolve { incident }),
        ("3 : a c k n o w Enter", Request::Acknowledge { incident }),
        ("3 V", Request::JudgeCause { incident, is_right: true }),
        ("3 W", Request::JudgeCause { incident, is_right: false }),
        ("4 X y", Request::SplitOff { incident, services: ["auth-api".into()].into() }),
        ("2 i", Request::SetAside { anomaly: AnomalyId(7) }),
        ("j U", Request::Reopen { incident: IncidentId(41) }),
    ] {
        let mut console = Console::live();
        console.press(keys);
        let requests = console.requests();
        match &expected {
            // Which row comes first is the views' affair.
            Request::SetAside { .. } => {
                assert!(matches!(requests[..], [Request::SetAside { .. }]), "{keys}: {requests:?}");
            }
            Request::Reopen { .. } if requests.is_empty() => assert!(
                console.notice().contains("reopen") || console.notice().contains("incident"),
                "{}",
                console.notice()
            ),
            _ => assert_eq!(requests, [&expected], "{keys}: {}", console.notice()),
        }
    }
}

#[test]
fn an_incident_is_marked_first_and_merged_into_the_next() {
    let mut snapshot = fixtures::live();
    let mut second = (*snapshot.incidents[0]).clone();
    second.id = IncidentId(43);
    snapshot.incidents.insert(1, Arc::new(second));
    let mut console = Console::with("default", snapshot);
    console.press("j J");
    assert!(console.notice().contains("INC-43 is marked"), "{}", console.notice());
    console.press("k J");
    assert!(console.draw().contains("Make INC-43"), "{}", console.draw());
    assert_eq!(console.requests(), Vec::<&Request>::new());
    console.press("y");
    assert_eq!(console.requests(), [&Request::Merge { incident: IncidentId(43), into: IncidentId(42) }]);
    console.press("J J");
    assert!(console.notice().contains("no longer marked"), "{}", console.notice());
    assert_eq!(console.requests().len(), 1);
}

#[test]
fn what_cannot_be_done_is_said_and_not_asked_for() {
    for (keys, said) in [
        ("3 +", "as far as it goes"),
        ("3 U", "not resolved"),
        ("5 H", "nothing to settle"),
        ("8 a", "a does nothing here"),
        ("5 Z", "Z does nothing here"),
        ("g x", "g x does nothing here"),
    ] {
        let mut console = Console::live();
        console.press(keys);
        assert!(console.requests().is_empty(), "{keys}");
        assert!(console.notice().contains(said), "{keys}: {}", console.notice());
    }
}

#[test]
fn a_reversible_step_is_asked_about_with_its_exact_command() {
    let mut console = Console::live();
    console.press("5 a");
    let Overlay::Confirm(question) = &console.state.ui.overlay else { panic!("no question") };
    assert_eq!(question.argv.join(" "), "kubectl rollout undo netpol/gke-prod-firewall-rule -n prod");
    assert!(question.question.contains("netpol/gke-prod-firewall-rule (prod)"), "{}", question.question);
    assert!(console.requests().is_empty());
    console.press("n");
    assert_eq!((console.requests().len(), console.notice()), (0, "nothing was done"));
    console.press("a y");
    let expected = Request::Approve { run: RunId(3), step: 1, digest: "3f9a".into(), typed_target: None };
    assert_eq!(console.requests(), [&expected]);
}

#[test]
fn an_irreversible_step_wants_its_target_typed() {
    let mut console = Console::with(
        "default",
        with_run(|run| {
            run.steps[1].bound.spec.effect = StepEffect::Irreversible;
            run.steps[1].needs_target = true;
        }),
    );
    console.press("5 a").type_text("y").press("Enter");
    assert!(console.requests().is_empty() && console.notice().contains("nothing was done"), "{}", console.notice());
    console.press("Ctrl-u").type_text("netpol/gke-prod-firewall-rule (prod)").press("Enter");
    let target = Some("netpol/gke-prod-firewall-rule (prod)".into());
    let expected = Request::Approve { run: RunId(3), step: 1, digest: "3f9a".into(), typed_target: target };
    assert_eq!(console.requests(), [&expected]);
}

#[test]
fn what_is_not_on_the_screen_whole_is_not_approved() {
    for (effect, answer) in [(StepEffect::Reversible, "y"), (StepEffect::Irreversible, "Enter")] {
        for ((width, height), is_whole) in [((20, 5), false), ((19, 4), false), ((30, 8), false), ((40, 12), true)] {
            let mut console = Console::with(
                "default",
                with_run(|run| {
                    run.steps[1].bound.spec.effect = effect;
                    run.steps[1].needs_target = effect == StepEffect::Irreversible;
                }),
            );
            console.press("5 a");
            if effect == StepEffect::Irreversible {
                console.type_text("netpol/gke-prod-firewall-rule (prod)");
            }
            let screen = console.resize(width, height).replace(['\n', '"', '│', ' '], "");
            console.press(answer);
            assert_eq!(console.requests().len(), usize::from(is_whole), "{width}x{height}: {screen}");
            if is_whole {
                let command = "$kubectlrolloutundonetpol/gke-prod-firewall-rule-nprod";
                assert!(screen.contains(command), "{screen}");
            } else {
                assert!(console.notice().contains("make the window larger"), "{}", console.notice());
                // On a larger window the same question is answered.
                console.resize(80, 24);
                console.press(answer);
                assert_eq!(console.requests().len(), 1, "{width}x{height}");
            }
        }
    }
    let many = || (0..120).map(|number| format!("--flag-{number}=on").into());
    let long = with_run(|run| {
        if let StepKind::Act(act) = &mut run.steps[1].bound.spec.kind
            && let Call::Command { argv } = &mut act.call
        {
            argv.extend(many());
        }
    });
    let mut console = Console::with("default", long);
    console.press("5 a y");
    assert!(console.requests().is_empty(), "{}", console.draw());
    let screen = console.resize(140, 40);
    assert!(screen.contains("--flag-0=on") && screen.contains("--flag-119=on"), "{screen}");
    console.press("y");
    assert_eq!(console.requests().len(), 1);
}

#[test]
fn a_question_says_whether_the_world_changes() {
    for (keys, heading) in [("5 a", "This changes the world"), ("5 s", "Nothing is run"), ("5 x", "This ends the run")]
    {
        let mut console = Console::live();
        console.press(keys);
        let screen = console.draw();
        assert!(screen.contains(heading), "{keys}: {screen}");
        assert_eq!(screen.contains("This changes the world"), keys == "5 a", "{screen}");
    }
}

#[test]
fn a_frozen_picture_says_so_with_its_age_for_as_long_as_it_is() {
    let mut console = Console::live();
    console.press("f 2 5");
    console.now = console.now + 6 * 60 * SECOND_MS;
    let screen = console.draw();
    assert!(screen.contains("FROZEN 5m"), "{screen}");
    assert!(console.resize(40, 12).contains("FROZEN"));
    console.press("f");
    assert!(!console.draw().contains("FROZEN"));
}

#[test]
fn esc_and_a_key_that_arrive_as_one_are_two() {
    let mut console = Console::live();
    console.press("2 ? Alt-8");
    assert_eq!((console.state.ui.pane, console.state.ui.overlay.clone()), (Pane::Log, Overlay::None));
    console.press("2 / a u Alt-8");
    assert_eq!((console.state.ui.pane, console.state.ui.list().filter.as_str()), (Pane::Log, ""));
    // What has a meaning keeps it.
    console.press("3 n a Space b Alt-b");
    assert!(matches!(console.state.ui.overlay, Overlay::Note { .. }));
    let mut console = Console::with("emacs", fixtures::live());
    console.press("Alt-x");
    assert!(matches!(console.state.ui.overlay, Overlay::Palette { .. }));
}

#[test]
fn keys_that_wait_are_shown_and_let_go() {
    let mut console = Console::live();
    console.press("2 j j").press("g");
    let before = console.selected();
    assert!(console.draw().contains("g …"));
    console.now = console.now + 1_499;
    console.tell(Message::Due);
    assert_eq!(console.state.ui.pending, "g");
    assert_eq!(console.state.due_at(), Some(console.now + 1));
    console.now = console.now + 1;
    console.tell(Message::Due);
    assert!(!console.draw().contains("g …"));
    console.rush("8");
    assert_eq!((console.selected() == before, console.state.ui.pane), (false, Pane::Log));
    // Esc lets go at once, and does no more than that; a key that comes too late is a key by itself.
    console.press("g Esc");
    assert_eq!((console.state.ui.pending.as_str(), console.state.ui.pane), ("", Pane::Log));
    console.press("g");
    console.now = console.now + 5 * SECOND_MS;
    console.rush("2");
    assert_eq!(console.state.ui.pane, Pane::Anomalies);
}

#[test]
fn a_message_goes_after_ten_seconds_and_with_what_it_was_about() {
    let mut console = Console::live();
    console.press("F9");
    for (later, is_there) in [(9_999, true), (1, false)] {
        console.now = console.now + later;
        console.tell(Message::Due);
        assert_eq!(!console.notice().is_empty(), is_there);
    }
    assert_eq!(console.state.due_at(), None);
    let mut console = Console::with("default", fixtures::watching());
    console.press("5 a");
    assert!(console.notice().contains("is watching"), "{}", console.notice());
    console.show(fixtures::watching());
    assert!(!console.notice().is_empty(), "nothing has changed");
    console.show(fixtures::proposed(false));
    assert_eq!(console.notice(), "");
    let note = Request::Note { incident: IncidentId(42), text: "one\ntwo".into() };
    console.tell(Message::Reply(note, Reply::Done { text: "noted: one\ntwo".into() }));
    assert_eq!(console.notice(), "noted: one · two");
}

#[test]
fn an_update_is_drafted_from_the_record_changed_and_sent() {
    let mut console = Console::with("default", fixtures::due());
    let screen = console.draw();
    assert!(screen.contains("Status updates due") && screen.contains("u drafts it"), "{screen}");
    console.press("3");
    let screen = console.draw();
    assert!(screen.contains("Update") && screen.contains("due since 14:30Z"), "{screen}");
    console.press("u");
    assert!(console.draw().contains("INC-42 SEV1: auth-api cannot reach its database"));
    // Looked at and left alone it is no draft: the next time it is drafted anew.
    console.press("Esc");
    assert_eq!((console.state.drafts.len(), console.notice()), (0, ""));
    console.press("u").type_text("For customers: ").press("Esc");
    assert!(
        console.notice().contains("the status update is kept as a draft; u goes on with it"),
        "{}",
        console.notice()
    );
    console.press("u Ctrl-d");
    let sent = console.effects.pop();
    let Some(Effect::Request(Request::SendUpdate { incident: IncidentId(42), text })) = sent else {
        panic!("{sent:?}")
    };
    assert!(text.starts_with("For customers: INC-42 SEV1: auth-api") && text.lines().count() == 7, "{text}");
    assert!(console.state.drafts.contains_key(&(IncidentId(42), Written::Update)), "until it is known to be kept");
    let request = Request::SendUpdate { incident: IncidentId(42), text };
    console.tell(Message::Reply(request, Reply::Done { text: "status update on INC-42 sent".into() }));
    assert!(console.state.drafts.is_empty());
}

#[test]
fn the_post_mortem_opens_as_it_was_saved_else_as_the_record_gives_it() {
    let mut console = Console::live();
    console.press("3 P");
    assert!(console.resize(120, 40).contains("# Post-mortem of INC-42: auth-api cannot reach its database"));
    console.press("Ctrl-d");
    let sent = console.effects.pop();
    let Some(Effect::Request(Request::SavePostMortem { incident, text })) = sent else { panic!("{sent:?}") };
    assert!(text.contains("## Follow-ups"), "{text}");
    console.tell(Message::Reply(
        Request::SavePostMortem { incident, text },
        Reply::Done { text: "post-mortem of INC-42 saved".into() },
    ));
    let mut saved = fixtures::live();
    saved.documents = vec![Arc::new(Document {
        incident: IncidentId(42),
        kind: DocumentKind::PostMortem,
        text: "# As we wrote it".into(),
        by: "ana".into(),
        at: fixtures::now(),
    })];
    console.show(saved);
    console.press("P");
    let screen = console.draw();
    assert!(screen.contains("# As we wrote it") && !screen.contains("Follow-ups"), "{screen}");
}

/// Prose of so many sentences, the last of them a warning.
fn long_prose(sentences: usize) -> Arc<str> {
    format!("{}\n\nNever restart the database first.", "One sentence of what is to be known. ".repeat(sentences)).into()
}

#[test]
fn the_prose_of_a_step_is_whole_where_there_is_room_and_else_opens_whole() {
    let told = || with_run(|run| run.steps[1].bound.spec.text = long_prose(12));
    let mut console = Console::with("default", told());
    console.press("5");
    let screen = console.resize(200, 60);
    assert!(screen.contains("Never") && screen.contains("first.") && !screen.contains('…'), "{screen}");
    let screen = console.resize(80, 24);
    let (about, marked) = (screen.matches("One sentence").count(), screen.contains('…'));
    assert!(about > 0 && marked && !screen.contains("Never restart"), "{screen}");
    assert!(screen.contains("touches") && screen.contains("gate"), "{screen}");
    console.press("Enter");
    let screen = console.draw();
    assert!(screen.contains("Never restart the database first.") && screen.contains("rollback"), "{screen}");
    assert!(matches!(console.state.ui.overlay, Overlay::Entry { row: RowKey::Step(1), .. }));
    console.press("Enter");
    assert_eq!(console.state.ui.overlay, Overlay::None);
}

#[test]
fn a_proposal_opens_with_its_introduction_and_every_step() {
    let mut snapshot = without_run();
    for proposal in snapshot.proposals.values_mut().flatten() {
        let proposal = Arc::make_mut(proposal);
        proposal.steps[0].spec.text = long_prose(1);
        proposal.steps[2].spec.text = "Watch it for five minutes.".into();
    }
    let mut console = Console::with("default", snapshot);
    console.press("5");
    assert!(console.draw().contains("One sentence"));
    console.press("Enter");
    let screen = console.resize(100, 50);
    for part in ["Never restart the database first.", "Watch it for five minutes.", "kubectl rollout undo", "touches"] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
}

#[test]
fn the_step_on_offer_is_selected_and_in_sight_until_the_mark_is_moved_away() {
    let second = || with_run(|run| run.steps[1].bound.spec.text = long_prose(12));
    let first = with_run(|run| {
        run.steps[0].state = StepState::Waiting;
        run.steps[1].state = StepState::Pending;
    });
    let mut console = Console::with("default", without_run());
    console.press("5");
    console.show(first.clone());
    assert_eq!(console.selected(), Some(RowKey::Step(0)));
    console.show(second());
    assert_eq!(console.selected(), Some(RowKey::Step(1)));
    for (width, height) in [(140, 40), (80, 24), (80, 18)] {
        let screen = console.resize(width, height);
        for part in ["touches", "rollback", "gate"] {
            assert!(screen.contains(part), "{width}x{height} {part}: {screen}");
        }
    }
    console.press("k");
    console.show(first);
    console.press("G");
    console.show(second());
    assert_eq!(console.selected(), Some(RowKey::Step(2)), "it was moved away");
}

#[test]
fn chain_begins_at_the_cause_and_says_what_is_out_of_sight() {
    let mut console = Console::live();
    console.press("4");
    assert_eq!(console.selected(), Some(RowKey::Service("auth-api".into())));
    let screen = console.resize(80, 16);
    assert!(screen.contains("↓") && screen.contains("auth-api"), "{screen}");
    assert!(!console.resize(140, 50).contains(['↓', '↑']));
}

#[test]
fn a_runbook_that_ran_is_not_proposed_first_again() {
    let done = |state| {
        with_run(|run| {
            run.state = state;
            for step in &mut run.steps {
                step.state = StepState::Succeeded { at: fixtures::now() };
            }
        })
    };
    let mut snapshot = done(RunState::Succeeded);
    let mut other = fixtures::proposal();
    let mut runbook = other.runbook.as_ref().clone();
    (runbook.id, runbook.title) = ("other".into(), "another way".into());
    other.runbook = Arc::new(runbook);
    snapshot.proposals.get_mut(&IncidentId(42)).unwrap().push(Arc::new(other));
    let mut console = Console::with("default", snapshot);
    console.press("3");
    assert!(console.draw().contains("RUN-3 revert network policy: done, watching for recovery"), "{}", console.draw());
    console.press("5");
    let screen = console.resize(140, 40);
    let place = |text: &str| screen.find(text).unwrap_or_else(|| panic!("{text}: {screen}"));
    assert!(place("another way") < place("ran as RUN-3"), "{screen}");
    console.press("a");
    let digest = console.state.snapshot.proposals[&IncidentId(42)][1].shown();
    let expected = Request::StartRun { incident: IncidentId(42), runbook: "other".into(), digest };
    assert_eq!(console.requests(), [&expected]);
    // What a person stopped has not failed.
    let stopped = with_run(|run| {
        run.state = RunState::Stopped;
        run.steps[1].state = StepState::Failed { at: fixtures::now(), reason: "stopped by a person".into() };
    });
    let mut console = Console::with("default", stopped);
    console.press("5");
    let screen = console.draw();
    assert!(screen.contains("– 2 act") && !screen.contains("failed"), "{screen}");
}

#[test]
fn the_other_keys_of_a_run() {
    let (run, step) = (RunId(3), 1);
    let shown = || fixtures::live().runs[0].shown();
    for (keys, expected) in [
        ("5 d", Request::DryRun { run, step, digest: "3f9a".into() }),
        ("5 s o k Enter", Request::Skip { run, step, reason: "ok".into(), digest: shown() }),
        ("5 x Enter", Request::StopRun { run, escalate: None }),
        ("5 x h a r d Enter", Request::StopRun { run, escalate: Some("hard".into()) }),
        ("5 F y e s Enter", Request::RunFrom { run, step, reason: "yes".into(), digest: shown() }),
        (
            "5 E a = 1 ; b = 2 Enter",
            Request::EditRun {
                run,
                params: [("a", "1"), ("b", "2")].map(|(name, value)| (name.into(), value.into())).into(),
                digest: shown(),
            },
        ),
        ("1 !", Request::Kill { reason: "at the console".into() }),
    ] {
        let mut console = Console::live();
        console.press(keys);
        assert_eq!(console.requests(), [&expected], "{keys}: {}", console.notice());
    }
    for (keys, has_happened) in [("5 H y", true), ("5 N y", false)] {
        let unknown = with_run(|run| {
            run.state = RunState::Interrupted;
            run.steps[1].state = StepState::Unknown { since: fixtures::now() };
        });
        let mut console = Console::with("default", unknown);
        console.press(keys);
        assert_eq!(console.requests(), [&Request::SettleUnknown { run, step, has_happened }], "{keys}");
    }
}

#[test]
fn approve_in_incident_begins_the_run_and_then_shows_its_step_before_it_is_run() {
    let mut console = Console::with("default", without_run());
    console.press("3 a");
    let digest = console.state.snapshot.proposals[&IncidentId(42)][0].shown();
    let expected = Request::StartRun { incident: IncidentId(42), runbook: "revert-network-policy".into(), digest };
    assert_eq!((console.requests(), console.state.ui.pane), (vec![&expected], Pane::Runbook));
    let mut console = Console::live();
    console.press("3 a");
    assert_eq!((console.requests().len(), console.state.ui.pane), (0, Pane::Runbook));
}

#[test]
fn a_key_that_acts_is_inert_for_a_moment_after_what_it_acts_on_has_changed() {
    let mut console = Console::live();
    console.press("5");
    console.now = console.now + 5 * SECOND_MS;
    // What is shown changes under the finger: the key meant for the old step must not reach the new one.
    console.show(with_run(|run| run.steps[1].offer = "other".into()));
    console.now = console.now + 399;
    console.rush("d");
    assert!(console.requests().is_empty() && console.notice().contains("just changed"), "{}", console.notice());
    console.now = console.now + 1;
    console.rush("d");
    let expected = Request::DryRun { run: RunId(3), step: 1, digest: "other".into() };
    assert_eq!(console.requests(), [&expected]);
}

#[test]
fn a_refresh_that_changes_nothing_holds_no_key_back() {
    let mut console = Console::live();
    console.press("5");
    console.show(fixtures::live());
    console.rush("d");
    assert_eq!(console.requests().len(), 1);
}

#[test]
fn keys_typed_ahead_never_answer_a_question() {
    let mut console = Console::live();
    console.press("5").rush("a y y y");
    assert!(console.requests().is_empty());
    assert!(matches!(console.state.ui.overlay, Overlay::Confirm(_)));
}

#[test]
fn a_question_is_withdrawn_when_what_it_asked_about_changes() {
    let mut console = Console::live();
    console.press("5 a");
    console.show(with_run(|run| run.steps[1].offer = "other".into()));
    assert_eq!(console.state.ui.overlay, Overlay::None);
    assert!(console.notice().contains("has changed; nothing was done"));
    console.press("y");
    assert!(console.requests().is_empty());
}

#[test]
fn what_is_typed_on_when_a_question_is_withdrawn_is_no_command() {
    let mut snapshot = fixtures::live();
    snapshot.rollouts = vec![rollout_pictures::proposed()];
    let mut console = Console::with("default", snapshot.clone());
    console.press("6 v Enter a").type_text("cu");
    assert!(matches!(console.state.ui.overlay, Overlay::Confirm(_)));
    let plan = Arc::make_mut(&mut Arc::make_mut(&mut snapshot.rollouts[0]).rollout.plan);
    plan.stages.last_mut().unwrap().batch_max += 1;
    plan.digest = plan.computed_digest();
    console.show(snapshot);
    assert_eq!(console.state.ui.overlay, Overlay::None);
    let before = console.state.ui.clone();
    console.rush("r l f Q 1 Enter");
    console.now = console.now + 399;
    console.rush("f");
    assert!(console.notice().contains("has changed") && console.notice().contains("not taken for commands"));
    console.state.ui.notice = before.notice.clone();
    assert!(console.state.ui == before && console.effects.is_empty(), "{:?}", console.effects);
    // Esc is no text, and a hand that has rested means what it presses.
    console.now = console.now + 400;
    console.rush("f");
    assert!(console.state.ui.is_frozen);
}

#[test]
fn what_else_would_fit_withdraws_no_question_about_a_step() {
    let mut console = Console::live();
    console.press("5 a");
    let mut without = fixtures::live();
    without.proposals.clear();
    console.show(without);
    console.press("y");
    assert_eq!(console.requests().len(), 1, "{}", console.notice());
}

#[test]
fn a_paste_never_acts() {
    for keys in ["1", "2", "3", "4", "5", "6", "6 Tab", "8", "5 a", "5 x", "?", "3 e"] {
        let mut console = Console::live();
        console.press(keys);
        let before = console.state.ui.clone();
        console.tell(Message::Paste("aAoRxyQ\r\ny\n".repeat(6_000)));
        assert!(console.effects.iter().all(|effect| matches!(effect, Effect::SetMouse(_))), "{keys}");
        assert_eq!(console.notice(), "paste ignored: 66000 characters", "{keys}");
        console.state.ui.notice = before.notice.clone();
        assert_eq!(console.state.ui, before, "{keys}");
    }
}

#[test]
fn a_paste_into_text_is_text() {
    let mut console = Console::live();
    console.press("2 /");
    console.tell(Message::Paste("auth\x1b[31m\napi".to_owned()));
    assert_eq!(console.state.ui.list().filter, "auth[31mapi");
    console.press("Esc Esc 3 n");
    console.tell(Message::Paste("two\r\nlines\x07".to_owned()));
    assert_eq!(console.state.note.as_ref().unwrap().lines(), ["two", "lines"]);
}

#[test]
fn read_only_takes_every_act_away() {
    let mut state = AppState::new(Keymap::load("default", None).0, true, Vec::new());
    update(&mut state, Message::Snapshot(Arc::new(fixtures::live())), fixtures::now());
    for pane in ["1", "2", "3", "5"] {
        for key in ["a", "s", "d", "x", "H", "N", "A", "o", "n", "+", "-", "M", "R", "U", "i"] {
            let now = fixtures::now() + 10 * SECOND_MS;
            for key in [pane, key] {
                let effects = update(&mut state, Message::Key(key.parse().unwrap()), now);
                assert_eq!(effects, [], "{pane} {key}");
            }
            assert_eq!(state.ui.overlay, Overlay::None, "{pane} {key}");
        }
        assert!(state.hints.iter().all(|hint| !hint.is_act));
    }
}

#[test]
fn the_kill_switch_is_pulled_at_any_moment_and_let_go_of_with_care() {
    let mut console = Console::live();
    console.press("5 f !");
    assert!(matches!(console.requests()[..], [Request::Kill { .. }]), "{:?}", console.requests());
    let mut asked = Console::live();
    asked.press("5 a");
    assert!(matches!(asked.state.ui.overlay, Overlay::Confirm(_)), "{:?}", asked.state.ui.overlay);
    asked.press("!");
    assert!(matches!(asked.requests()[..], [Request::Kill { .. }]), "{:?}", asked.requests());
    let mut listed = Console::live();
    listed.press("? !");
    assert!(matches!(listed.requests()[..], [Request::Kill { .. }]), "{:?}", listed.requests());
    let mut changing = Console::live();
    changing.show(with_run(|run| run.steps[1].offer = "newer".into()));
    changing.rush("!");
    assert!(matches!(changing.requests()[..], [Request::Kill { .. }]), "{:?}", changing.requests());
}

#[test]
fn observe_mode_and_a_frozen_picture_let_nothing_act() {
    let mut observe = fixtures::live();
    observe.mode = AutonomyMode::Observe;
    let mut console = Console::with("default", observe);
    console.press("5 a d");
    assert!(console.requests().is_empty() && console.notice().contains("OBSERVE"));
    let mut console = Console::live();
    console.press("5 f d");
    assert!(console.requests().is_empty() && console.notice().contains("frozen"));
    console.show(with_run(|run| run.steps[1].offer = "newer".into()));
    assert_eq!(console.state.snapshot.runs[0].steps[1].offer.as_ref(), "3f9a");
    console.press("f d");
    assert!(matches!(&console.requests()[..], [Request::DryRun { digest, .. }] if digest.as_ref() == "newer"));
}

#[test]
fn the_selection_stays_on_its_row_and_the_neighbour_takes_over() {
    let mut console = Console::live();
    console.press("2 j");
    let rows = console.state.rows();
    assert!(rows.len() > 2 && console.selected() == Some(rows[1].clone()));
    let RowKey::Anomaly(second) = rows[1] else { panic!("{rows:?}") };
    let mut grown = fixtures::live();
    grown
        .anomalies
        .insert(0, Arc::new(fixtures::anomaly(99, "cart", "errors", hypocenter::engine::model::Severity::Critical)));
    console.show(grown);
    assert_eq!(console.selected(), Some(RowKey::Anomaly(second)));
    let mut without = fixtures::live();
    without.anomalies.retain(|anomaly| anomaly.id != second);
    console.show(without);
    let rows = console.state.rows();
    let (index, row) = console.state.selected().unwrap();
    assert!(index <= 2 && rows[index] == row && row != RowKey::Anomaly(second));
    // The neighbour was not chosen by anybody: keys that act wait.
    console.rush("i");
    assert!(console.requests().is_empty());
}

#[test]
fn filter_and_its_selection_survive_and_nothing_typed_is_lost() {
    let mut console = Console::live();
    let all = {
        console.press("2");
        console.state.rows().len()
    };
    console.press("/").type_text("auth").press("Enter");
    let left = console.state.rows().len();
    assert!(left > 0 && left < all, "{left} of {all}");
    console.show(fixtures::live());
    console.press("7 2");
    assert_eq!((console.state.ui.list().filter.as_str(), console.state.rows().len()), ("auth", left));
    console.press("/").type_text("zzz").press("Esc");
    assert_eq!(console.state.ui.list().filter, "auth", "Esc goes back to the filter before");
    console.press("Esc");
    assert_eq!((console.state.ui.list().filter.as_str(), console.state.ui.pane), ("", Pane::Anomalies));
    console.press("/ Up Enter");
    assert_eq!(console.state.ui.list().filter, "auth", "what was cleared comes back");
}

#[test]
fn a_note_is_kept_as_a_draft_until_the_engine_has_it() {
    let mut console = Console::live();
    console.press("3 n").type_text("confirmed, a b").press("Ctrl-j").type_text("q Q 1").press("Esc");
    assert_eq!((console.state.ui.overlay.clone(), console.state.ui.pane), (Overlay::None, Pane::Incident));
    assert!(console.requests().is_empty());
    console.press("Q");
    assert!(matches!(console.state.ui.overlay, Overlay::Confirm(_)), "leaving would lose the draft");
    console.press("n n Ctrl-d");
    let note = Request::Note { incident: IncidentId(42), text: "confirmed, a b\nq Q 1".into() };
    assert_eq!(console.requests(), [&note]);
    console.tell(Message::Reply(note.clone(), Reply::Refused { reason: "the disk is full".into() }));
    assert!(console.notice().contains("kept as a draft"));
    console.press("n Ctrl-d");
    console.tell(Message::Reply(note.clone(), Reply::Lost { reason: "the line is lost".into() }));
    assert!(console.notice().contains("is not known, and it is kept as a draft"), "{}", console.notice());
    console.press("n Ctrl-d");
    assert_eq!(console.requests(), [&note, &note, &note]);
    console.tell(Message::Reply(note, Reply::Done { text: "noted".into() }));
    console.press("Q");
    assert_eq!(console.effects.last(), Some(&Effect::Quit));
}

#[test]
fn a_pasted_second_line_is_never_taken_for_commands() {
    // Where a terminal does not mark a paste, its lines come as keys.
    for keymap in ["default", "vim", "emacs"] {
        let mut console = Console::with(keymap, fixtures::live());
        console.press("3").rush("n f i r s t Enter A R y Q Enter 1");
        assert_eq!(console.state.note.as_ref().unwrap().lines(), ["first", "ARyQ", "1"], "{keymap}");
        assert!(console.effects.is_empty(), "{keymap}");
    }
    // What is typed on after the note is sent does nothing until the hand has rested.
    let mut console = Console::live();
    console.press("3 n").type_text("first").rush("Ctrl-d A + R y Enter 1 Q");
    assert_eq!(console.requests(), [&Request::Note { incident: IncidentId(42), text: "first".into() }]);
    assert_eq!((console.state.ui.pane, console.effects.len()), (Pane::Incident, 1));
    assert!(console.notice().contains("not taken for commands"), "{}", console.notice());
    console.now = console.now + 399;
    console.rush("A");
    console.now = console.now + 399;
    console.rush("A");
    assert_eq!(console.effects.len(), 1, "each such key begins the rest anew");
    console.now = console.now + 400;
    console.rush("A");
    assert_eq!(console.requests().last(), Some(&&Request::Acknowledge { incident: IncidentId(42) }));
}

#[test]
fn what_follows_a_filter_or_a_palette_in_one_breath_does_not_act() {
    for keys in ["3 / a u t h Enter", "3 : c o p y Enter"] {
        let mut console = Console::live();
        console.press(keys).rush("A +");
        assert_eq!(console.requests(), Vec::<&Request>::new(), "{keys}");
    }
}

#[test]
fn the_timeline_follows_its_newest_line_until_another_is_chosen() {
    let with_notes = |count: i64| {
        let mut snapshot = fixtures::live();
        let mut incident = fixtures::incident();
        let last = incident.timeline.last().unwrap().clone();
        incident.timeline.extend((1..=count).map(|number| TimelineEntry { at: last.at + number, ..last.clone() }));
        snapshot.incidents[0] = Arc::new(incident);
        snapshot
    };
    let mut console = Console::with("default", with_notes(1));
    console.press("3");
    assert_eq!(console.selected(), console.state.rows().last().cloned());
    console.show(with_notes(2));
    assert_eq!(console.selected(), console.state.rows().last().cloned());
    console.press("k");
    let chosen = console.selected();
    console.show(with_notes(4));
    assert_eq!(console.selected(), chosen);
    console.press("G");
    console.show(with_notes(5));
    assert_eq!(console.selected(), console.state.rows().last().cloned());
    // Another incident begins at its own newest line, not where the reader was in this one.
    console.press("g g 1");
    let row = RowKey::Incident(IncidentId(41));
    console.tell(Message::Mouse(Click::Row(row.clone())));
    console.tell(Message::Mouse(Click::Row(row)));
    assert_eq!(console.state.ui.incident, Some(IncidentId(41)));
    assert_eq!(console.selected(), console.state.rows().last().cloned());
}

#[test]
fn a_row_of_the_log_opens_whole_and_esc_leads_back() {
    let mut console = Console::live();
    console.press("8 Enter");
    let open = Overlay::Entry { row: RowKey::Audit(6), offset: 0 };
    assert_eq!((console.state.ui.overlay.clone(), console.state.ui.pane), (open, Pane::Log));
    console.rush("j j j j");
    console.tell(Message::Drawn { offset: 0, page_rows: 20, overlay_offset_max: 2, is_question_whole: false });
    assert!(matches!(console.state.ui.overlay, Overlay::Entry { offset: 2, .. }));
    console.rush("k");
    assert!(matches!(console.state.ui.overlay, Overlay::Entry { offset: 1, .. }));
    console.press("Esc");
    assert_eq!((console.state.ui.overlay.clone(), console.selected()), (Overlay::None, Some(RowKey::Audit(6))));
    console.press("Enter Enter");
    assert_eq!((console.state.ui.overlay.clone(), console.state.ui.pane), (Overlay::None, Pane::Incident));
}

#[test]
fn the_incident_that_is_read_stays_when_it_ends() {
    let ended = || {
        let mut snapshot = fixtures::live();
        let mut over = fixtures::incident();
        over.state = IncidentState::Resolved;
        let mut other = fixtures::incident();
        other.id = IncidentId(50);
        snapshot.incidents = vec![Arc::new(other), Arc::new(over)];
        snapshot
    };
    // Not from Now, where going in chooses the incident: here it is only the worst one.
    for (key, expected) in [("2 3", 42), ("2 4", 42), ("2 5", 42), ("8", 50)] {
        let mut console = Console::live();
        console.press(key);
        console.show(ended());
        // In a pane of no one incident, the worst live one is meant again.
        console.press("3");
        assert_eq!(console.state.incident().map(|shown| shown.id), Some(IncidentId(expected)), "{key}");
    }
}

#[test]
fn keys_in_messages_are_those_of_the_keymap() {
    let mut state = AppState::new(Keymap::load("default", None).0, false, Vec::new());
    let problems =
        state.keymap.add_text("mine.toml", "[global]\n\"?\" = \"none\"\n\"F1\" = \"none\"\n\"F2\" = \"help\"");
    assert_eq!(problems, []);
    update(&mut state, Message::Key("F9".parse().unwrap()), fixtures::now());
    assert_eq!(state.ui.notice.as_ref().unwrap().text, "F9 does nothing here; F2 lists the keys");
    let mut state = AppState::new(Keymap::load("default", None).0, true, Vec::new());
    update(&mut state, Message::Key("A".parse().unwrap()), fixtures::now());
    assert_eq!(state.ui.notice.as_ref().unwrap().text, "read-only: “Acknowledge the incident” is off");
}

#[test]
fn leaving_asks_while_a_command_runs_and_ctrl_c_takes_two() {
    let running = StepState::Running { since: fixtures::now(), purpose: Purpose::Run };
    let mut console = Console::with("default", with_run(|run| run.steps[1].state = running));
    console.press("Q");
    assert!(console.effects.is_empty());
    console.press("n Q y");
    assert_eq!(console.effects, [Effect::Quit]);
    let mut console = Console::live();
    console.press("Ctrl-c");
    console.now = console.now + SECOND_MS;
    console.press("Ctrl-c");
    assert!(console.effects.is_empty(), "two seconds apart are two accidents");
    console.rush("Ctrl-c");
    assert_eq!(console.effects, [Effect::Quit]);
}

#[test]
fn help_runs_what_it_lists() {
    let mut console = Console::live();
    console.press("8 ?");
    let log = console.state.hints.iter().position(|hint| hint.short == "Anomalies").unwrap();
    for _ in 0..log {
        console.press("j");
    }
    console.press("Enter");
    assert_eq!((console.state.ui.pane, console.state.ui.overlay.clone()), (Pane::Anomalies, Overlay::None));
}

#[test]
fn every_command_of_a_pane_is_reached_by_key_palette_and_help() {
    for keymap in ["default", "vim", "emacs"] {
        for (key, pane) in ["1", "2", "3", "4", "5", "6", "6 Tab", "8"].into_iter().zip(Pane::ALL) {
            let mut console = Console::with(keymap, fixtures::live());
            console.press(key);
            let commands = hypocenter::app::commands::COMMANDS.iter().filter(|info| info.fits(pane));
            let names: Vec<&str> = commands.map(|info| info.name).collect();
            let in_help: Vec<&str> = console.state.hint_commands.iter().map(|command| command.info().name).collect();
            for name in &names {
                assert!(in_help.contains(name), "{keymap} {pane:?}: {name} has no key");
            }
            console.press(":");
            let first: Vec<&str> = console.state.palette.commands.iter().map(|command| command.info().name).collect();
            assert_eq!(first.get(..names.len()), Some(names.as_slice()), "{keymap} {pane:?}");
        }
    }
}

#[test]
fn five_hundred_keys_in_one_go_lose_none() {
    let mut console = Console::live();
    console.press("2 /").type_text(&"ab".repeat(250));
    assert_eq!(console.state.ui.list().filter.len(), 500);
    console.press("Ctrl-u Enter g g");
    let rows = console.state.rows();
    console.rush(&"j ".repeat(500));
    assert_eq!(console.selected(), rows.last().cloned());
}

#[test]
fn the_palette_finds_commands_of_other_panes_and_goes_there() {
    let mut console = Console::live();
    console.press("7 :").type_text("evidence");
    assert!(console.draw().contains("Show the evidence  (Incident)"), "{}", console.draw());
    console.press("Enter");
    assert!(matches!(console.state.ui.overlay, Overlay::Evidence { .. }));
    assert_eq!(console.state.ui.pane, Pane::Incident);
    // What acts is looked at before it is done.
    console.press("Esc 6 :").type_text("dry run").press("Enter");
    assert_eq!((console.requests().len(), console.state.ui.pane), (0, Pane::Runbook));
    assert!(console.notice().contains("d does it here"), "{}", console.notice());
}

#[test]
fn the_mark_stays_where_it_is_when_the_suppressed_show() {
    let mut console = Console::live();
    console.press("2");
    let row = console.selected();
    console.press("t");
    assert_eq!(console.selected(), row);
    console.press("y");
    let Some(Effect::Copy(text)) = console.effects.last() else { panic!("{:?}", console.effects) };
    let Some(RowKey::Anomaly(id)) = row else { panic!("{row:?}") };
    let (value, expected) = views::figures(console.state.snapshot.anomaly(id).unwrap());
    assert!(text.contains(&format!("= {value} (expected {expected})")), "{text}");
}

#[test]
fn a_click_selects_and_a_second_one_opens() {
    let mut console = Console::live();
    console.tell(Message::Mouse(Click::Help));
    assert!(matches!(console.state.ui.overlay, Overlay::Help { .. }));
    console.press("Esc");
    let row = RowKey::Incident(IncidentId(42));
    console.tell(Message::Mouse(Click::Row(row.clone())));
    assert_eq!((console.selected(), console.state.ui.pane), (Some(row.clone()), Pane::Now));
    console.tell(Message::Mouse(Click::Row(row)));
    assert_eq!(console.state.ui.pane, Pane::Incident);
    console.tell(Message::Mouse(Click::Pane(Pane::Log)));
    console.tell(Message::Mouse(Click::Wheel(3)));
    assert_eq!(console.state.ui.pane, Pane::Log);
    assert!(console.effects.is_empty());
}

#[test]
fn copying_takes_the_exact_command() {
    let mut console = Console::live();
    console.press("5 g g y");
    assert_eq!(console.effects, [Effect::Copy("kubectl get netpol -n prod".to_owned())]);
    console.tell(Message::Copied { taken: 26, whole: 26 });
    assert_eq!(console.notice(), "copied 26 characters");
}

#[test]
fn ages_count_from_the_engines_clock() {
    let mut console = Console::live();
    let at = console.state.snapshot.at;
    for minutes in 0..5 {
        let now = console.now + minutes * 60 * SECOND_MS;
        let shown = console.state.view_now(now);
        assert!(shown >= at && shown.since_ms(at) <= minutes * 60 * SECOND_MS, "{minutes}");
    }
    // An engine on a clock of its own, a year ahead of ours.
    let mut ahead = fixtures::live();
    ahead.at = at + 365 * 24 * 3_600 * SECOND_MS;
    console.show(ahead);
    assert!(console.state.view_now(console.now) >= at + 365 * 24 * 3_600 * SECOND_MS);
}

/// Anything that can happen.
fn message() -> impl Strategy<Value = Message> {
    let keys = [
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "8",
        "j",
        "k",
        "h",
        "l",
        "g",
        "G",
        "Enter",
        "Esc",
        "q",
        "Q",
        "/",
        ":",
        "?",
        "a",
        "s",
        "d",
        "x",
        "y",
        "n",
        "e",
        "w",
        "t",
        "i",
        "o",
        "A",
        "R",
        "M",
        "U",
        "H",
        "N",
        "+",
        "-",
        "f",
        "m",
        "[",
        "]",
        "Tab",
        "BackTab",
        "Up",
        "Down",
        "Left",
        "Right",
        "PageUp",
        "PageDown",
        "Home",
        "End",
        "Ctrl-d",
        "Ctrl-u",
        "Ctrl-w",
        "Ctrl-j",
        "Ctrl-c",
        "Ctrl-l",
        "Ctrl-z",
        "Backspace",
        "Delete",
        "F1",
        "界",
        "Space",
    ];
    let key = prop::sample::select(keys.to_vec()).prop_map(|key| Message::Key(key.parse().unwrap()));
    let pictures = prop::sample::select(vec![0_usize, 1, 2, 3, 4, 5, 6])
        .prop_map(|which| Message::Snapshot(Arc::new(picture(which))));
    prop_oneof![
        20 => key,
        3 => pictures,
        1 => ".{0,20}".prop_map(Message::Paste),
        1 => (-5..5_isize).prop_map(|rows| Message::Mouse(Click::Wheel(rows))),
        1 => prop::sample::select(Pane::ALL.to_vec()).prop_map(|pane| Message::Mouse(Click::Pane(pane))),
        1 => (0..50_usize, 0..40_usize).prop_map(|(offset, page_rows)| Message::Drawn { offset, page_rows, overlay_offset_max: page_rows, is_question_whole: page_rows % 2 == 0 }),
        1 => Just(Message::Reply(Request::Acknowledge { incident: IncidentId(42) }, Reply::Done { text: "done".into() })),
    ]
}

fn picture(which: usize) -> Snapshot {
    match which {
        0 => Snapshot::empty(),
        1 => fixtures::empty(),
        2 => without_run(),
        3 => with_run(|run| run.state = RunState::Failed),
        4 => fixtures::hostile(),
        5 => {
            let mut snapshot = fixtures::live();
            snapshot.anomalies.truncate(1);
            snapshot.incidents.retain(|incident| incident.state == IncidentState::Resolved);
            snapshot
        }
        _ => fixtures::live(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_the_selection_is_valid_and_nothing_acts_unasked(
        keymap in prop::sample::select(vec!["default", "vim", "emacs"]),
        messages in prop::collection::vec((message(), 0..900_i64), 1..80),
    ) {
        let mut state = AppState::new(Keymap::load(keymap, None).0, false, Vec::new());
        let mut now = fixtures::now();
        for (message, later) in messages {
            now = now + later;
            let before = state.ui.overlay.clone();
            let is_key = matches!(message, Message::Key(_));
            let effects = update(&mut state, message, now);
            for effect in &effects {
                prop_assert!(is_key || !matches!(effect, Effect::Request(_)), "only keys ask: {effect:?}");
                if let Effect::Request(Request::StopRun { .. } | Request::Skip { .. } | Request::Resolve { .. } | Request::SettleUnknown { .. }) = effect {
                    prop_assert!(matches!(before, Overlay::Confirm(_)), "{effect:?} without a question");
                }
            }
            let rows = views::rows(state.ui.pane, &state.snapshot, &state.ui);
            match state.selected() {
                Some((index, row)) => prop_assert_eq!(rows.get(index), Some(&row)),
                None => prop_assert!(rows.is_empty()),
            }
            prop_assert_eq!(state.hints.len(), state.hint_commands.len());
            if let Overlay::Palette { selected, .. } = &state.ui.overlay {
                prop_assert!(*selected == 0 || *selected < state.palette.commands.len());
            }
        }
    }
}

#[test]
fn a_patch_is_deferred_with_a_date_and_a_reason_and_the_exception_is_withdrawn() {
    let mut console = Console::live();
    console.press("6 D");
    let screen = console.draw();
    assert!(screen.contains("Defer curl?") && screen.contains("30 days at most"), "{screen}");
    console.type_text("ring=canary the vendor tests it");
    console.press("Enter");
    let requests = console.requests();
    let [Request::ExceptPatch(wish)] = requests.as_slice() else { panic!("one exception") };
    assert_eq!((wish.until.as_ref(), wish.reason.as_ref()), ("14d", "the vendor tests it"));
    assert_eq!(format!("{} {}", wish.subject, wish.reach), "curl on ring canary");
    let mut console = Console::live();
    console.press("6 D Enter");
    assert!(console.requests().is_empty() && console.notice().contains("has no reason"), "{}", console.notice());
    let mut console = Console::live();
    console.press("6 C");
    assert!(console.draw().contains("Accept the risk of curl?"), "{}", console.draw());
    console.press("Ctrl-u");
    console.type_text("20d asset=web-1 owner=ada it is behind the proxy");
    console.press("Enter");
    let requests = console.requests();
    let [Request::ExceptPatch(wish)] = requests.as_slice() else { panic!("one exception") };
    assert_eq!((wish.kind, wish.until.as_ref(), wish.owner.as_ref()), (ExceptionKind::Accepted, "20d", "ada"));
    assert_eq!(
        (format!("{} {}", wish.subject, wish.reach).as_str(), wish.reason.as_ref()),
        ("curl on web-1", "it is behind the proxy")
    );
    let mut console = Console::live();
    console.press("6 b C");
    assert!(console.notice().contains("no patch and no advisory"), "{}", console.notice());
    let mut console = Console::live();
    console.press("6 / n g i n x Enter j Z");
    console.type_text("patched");
    console.press("Enter");
    let expected = Request::WithdrawException { exception: 3, reason: "patched".into() };
    assert_eq!(console.requests(), [&expected]);
}

/// The board of this rollout.
fn on_board(kept: Arc<KeptRollout>) -> Console {
    let mut snapshot = fixtures::live();
    snapshot.rollouts = vec![kept];
    let mut console = Console::with("default", snapshot);
    console.press("6 v Enter");
    assert_eq!(console.state.ui.patch_view, PatchView::Board(RolloutId(7)));
    console
}

fn asked(console: &Console) -> &RolloutRequest {
    let requests = console.requests();
    let [Request::Rollout { rollout: RolloutId(7), request }] = requests.as_slice() else {
        panic!("one request of RO-7, not {requests:?}; {}", console.notice())
    };
    request
}

#[test]
fn the_views_of_patches_are_gone_through_and_esc_leads_back() {
    let mut console = Console::live();
    for (keys, expected) in [
        ("6 v", PatchView::Rollouts),
        ("Enter", PatchView::Board(RolloutId(7))),
        ("Esc", PatchView::Rollouts),
        ("v", PatchView::Calendar),
        ("Esc", PatchView::Queue),
        ("v v v", PatchView::Queue),
    ] {
        console.press(keys);
        assert_eq!((console.state.ui.patch_view, console.state.ui.pane), (expected, Pane::Patches), "{keys}");
    }
    console.press("/ n g i n x Enter v");
    assert_eq!(console.state.ui.list().filter, "", "the filter of the queue is not that of the rollouts");
    console.press("v v");
    assert_eq!(console.state.ui.list().filter, "nginx");
}

#[test]
fn a_patch_is_planned_and_its_plan_approved_as_it_was_shown() {
    let mut snapshot = fixtures::live();
    snapshot.rollouts.clear();
    let mut console = Console::with("default", snapshot.clone());
    console.press("6 r");
    let request = Request::PlanRollout { source: "curl".into() };
    assert_eq!(console.requests(), [&request]);
    console.tell(Message::Reply(request, Reply::Done { text: "planned RO-7".into() }));
    let kept = rollout_pictures::proposed();
    snapshot.rollouts = vec![Arc::clone(&kept)];
    console.effects.clear();
    console.show(snapshot.clone());
    assert_eq!(console.state.ui.patch_view, PatchView::Board(RolloutId(7)), "its board opens by itself");
    console.rush("a");
    assert!(console.notice().contains("look once more"), "what has just come is not approved: {}", console.notice());
    console.press("a");
    let screen = console.draw();
    assert!(screen.contains("Roll out curl to 7.88.1-10+deb12u8 on 6 targets"), "{screen}");
    assert!(screen.contains(&kept.rollout.plan.digest[..12]), "{screen}");
    console.type_text("curl");
    console.press("Enter");
    let digest = kept.rollout.plan.computed_digest();
    assert_eq!(asked(&console), &RolloutRequest::Approve { by: String::new(), digest });

    // A plan made anew while it is asked about withdraws the question.
    let mut console = Console::with("default", snapshot.clone());
    console.press("6 v Enter a");
    let plan = Arc::make_mut(&mut Arc::make_mut(&mut snapshot.rollouts[0]).rollout.plan);
    plan.source = "openssl".into();
    plan.digest = plan.computed_digest();
    console.show(snapshot);
    assert!(console.notice().contains("has changed"), "{}", console.notice());
    console.press("y");
    assert!(console.requests().is_empty());
}

#[test]
fn a_rollout_that_has_begun_keeps_its_plan() {
    let mut console = Console::live();
    console.press("6 r");
    assert!(console.requests().is_empty() && console.notice().contains("RO-7 has begun"), "{}", console.notice());
    assert_eq!(console.state.ui.patch_view, PatchView::Board(RolloutId(7)));
}

#[test]
fn each_thing_asked_of_a_rollout_says_why() {
    let (by, reason) = (String::new(), "because".to_owned());
    let of = |target: &str| target.to_owned();
    let cases: Vec<(Arc<KeptRollout>, &str, RolloutRequest)> = vec![
        (rollout_pictures::under_way(), "c", RolloutRequest::Pause { by: by.clone(), reason: reason.clone() }),
        (rollout_pictures::paused(), "c", RolloutRequest::Resume { by: by.clone(), reason: reason.clone() }),
        (rollout_pictures::under_way(), "x", RolloutRequest::Stop { by: by.clone(), reason: reason.clone() }),
        (rollout_pictures::under_way(), "z", RolloutRequest::RollBack { by: by.clone(), reason: reason.clone() }),
        (
            rollout_pictures::soaking(),
            "j j s",
            RolloutRequest::Skip { target: of("web-1"), by: by.clone(), reason: reason.clone() },
        ),
        (
            rollout_pictures::unknown(),
            "j j H",
            RolloutRequest::Settle { target: of("web-1"), carries: true, by: by.clone(), reason: reason.clone() },
        ),
        (
            rollout_pictures::unknown(),
            "j j j N",
            RolloutRequest::Decide {
                target: Some(of("web-2")),
                is_good: false,
                by: by.clone(),
                reason: reason.clone(),
            },
        ),
        (
            rollout_pictures::unknown(),
            "H",
            RolloutRequest::Decide { target: None, is_good: true, by: by.clone(), reason: reason.clone() },
        ),
    ];
    for (kept, keys, expected) in cases {
        let mut console = on_board(kept);
        console.press(keys);
        console.press("Enter");
        assert!(console.requests().is_empty(), "{keys} without a reason");
        assert!(console.notice().contains("without a reason"), "{keys}: {}", console.notice());
        console.press(keys.split(' ').next_back().unwrap_or(keys));
        console.type_text("because");
        console.press("Enter");
        assert_eq!(asked(&console), &expected, "{keys}");
    }
}

#[test]
fn who_takes_a_rollout_back_is_told_what_stays() {
    let mut console = on_board(rollout_pictures::under_way());
    let screen = console.press("z").draw();
    assert!(screen.contains("stage-1; other packages that came along with the patch stay as they"), "{screen}");
}

#[test]
fn a_soak_is_shortened_to_hours_from_now() {
    let mut console = on_board(rollout_pictures::soaking());
    console.press("S");
    assert!(console.draw().contains("14h"), "half of what is left is offered");
    console.press("Ctrl-u");
    console.type_text("6h the fix is urgent");
    console.press("Enter");
    let until = fixtures::now() + 6 * 3_600 * SECOND_MS;
    let reason = "the fix is urgent".to_owned();
    assert_eq!(asked(&console), &RolloutRequest::ShortenSoak { until, by: String::new(), reason });
    console.effects.clear();
    console.press("S Ctrl-u");
    console.type_text("soon please");
    console.press("Enter");
    assert!(console.requests().is_empty() && console.notice().contains("number of hours"), "{}", console.notice());
}

#[test]
fn read_only_and_observing_consoles_ask_nothing_of_a_rollout() {
    let keys = ["r", "a", "c", "s", "S", "x", "z", "H", "N", "D", "C"];
    for kept in [rollout_pictures::proposed(), rollout_pictures::under_way(), rollout_pictures::unknown()] {
        let mut snapshot = fixtures::live();
        snapshot.rollouts = vec![kept];
        let mut console = Console::with("default", snapshot.clone());
        console.state.ui.is_read_only = true;
        console.press("6 v Enter");
        let screen = console.draw();
        for word in ["approve", "pause", "roll back", "stop", "good enough", "plan anew"] {
            assert!(!screen.lines().last().is_some_and(|keys| keys.contains(word)), "{word} is offered: {screen}");
        }
        for key in keys {
            console.press(key);
            assert_eq!(console.state.ui.overlay, Overlay::None, "{key} asks");
        }
        snapshot.mode = AutonomyMode::Observe;
        let mut observing = Console::with("default", snapshot);
        observing.press("6 v Enter");
        for key in &keys[..9] {
            observing.press(key);
            assert!(observing.notice().contains("OBSERVE"), "{key}: {}", observing.notice());
        }
        assert!(console.requests().is_empty() && observing.requests().is_empty());
    }
}

#[test]
fn the_bottom_line_offers_what_may_be_done_as_things_stand() {
    for (kept, keys, offers, never) in [
        (rollout_pictures::proposed(), "", vec!["a approve", "r plan anew", "x stop"], vec!["pause", "roll back"]),
        (rollout_pictures::under_way(), "", vec!["c pause", "x stop", "z roll back"], vec!["approve", "go on", "plan"]),
        (rollout_pictures::soaking(), "j j", vec!["s leave out", "S shorten soak"], vec!["good enough"]),
        (rollout_pictures::paused(), "", vec!["c go on"], vec!["c pause"]),
        (rollout_pictures::unknown(), "", vec!["H good enough", "N not good"], vec!["it is there"]),
        (rollout_pictures::unknown(), "j j", vec!["H it is there", "N it is not there"], vec!["good enough"]),
        (rollout_pictures::rolled_back(), "", vec!["v view"], vec!["pause", "stop", "roll back", "approve"]),
    ] {
        let mut console = on_board(kept);
        if !keys.is_empty() {
            console.press(keys);
        }
        let screen = console.draw();
        let last = screen.lines().last().unwrap_or_default();
        for words in offers {
            assert!(last.contains(words), "{words}: {last}");
        }
        for words in never {
            assert!(!last.contains(words), "{words}: {last}");
        }
    }
}

#[test]
fn what_does_not_fit_a_rollout_is_said() {
    for (kept, keys, says) in [
        (rollout_pictures::proposed(), "c", "was not approved"),
        (rollout_pictures::under_way(), "a", "is approved as it is"),
        (rollout_pictures::under_way(), "s", "only what waits"),
        (rollout_pictures::under_way(), "H", "nothing to answer"),
        (rollout_pictures::under_way(), "S", "no soak"),
        (rollout_pictures::under_way(), "b", "only the queue is grouped"),
        (rollout_pictures::rolled_back(), "z", "is over"),
    ] {
        let mut console = on_board(kept);
        console.press(keys);
        assert!(console.notice().contains(says), "{keys}: {}", console.notice());
        assert!(console.requests().is_empty());
    }
    let mut console = Console::live();
    console.press("6 a");
    assert!(console.notice().contains("no rollout is open"), "{}", console.notice());
    console.press("v Enter j j j Enter");
    assert!(console.draw().contains("7.88.1-10 → 7.88.1-10+deb12u8"), "a target opens with its packages");
}
