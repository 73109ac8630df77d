//! What happened while somebody was away: told once, after the line was lost or a console was opened again.

use std::collections::BTreeSet;
use std::sync::Arc;

use hypocenter::app::attach::pump::Link;
use hypocenter::app::away::{AwayWatch, happened};
use hypocenter::app::keymap::Keymap;
use hypocenter::app::message::Message;
use hypocenter::app::state::AppState;
use hypocenter::app::update::update;
use hypocenter::engine::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use hypocenter::engine::model::{
    Beginning, IncidentId, Present, Purpose, Role, RunState, StepState, TimelineEntry, TimelineKind, Wheel,
};
use hypocenter::engine::snapshot::Snapshot;
use hypocenter::views::ui_state::{Away, Overlay};

use super::fixtures;

fn gone_at() -> Timestamp {
    fixtures::now() + SECOND_MS
}

/// The picture of five minutes later, in which others were busy.
fn later() -> Snapshot {
    let mut picture = fixtures::live();
    let at = gone_at() + MINUTE_MS;
    picture.at = gone_at() + 5 * MINUTE_MS;
    let incident = Arc::make_mut(&mut picture.incidents[0]);
    let line = |kind, text: &str, by: &str| TimelineEntry {
        at,
        kind,
        text: text.into(),
        service: None,
        anomaly: None,
        by: Some(by.into()),
    };
    incident.timeline.push(line(TimelineKind::State, "owner is bo", "bo"));
    incident.timeline.push(line(TimelineKind::Note, "looks calmer", "bo"));
    incident.timeline.push(line(TimelineKind::Note, "my own", "ana"));
    let mut opened = incident.clone();
    (opened.id, opened.opened_at, opened.timeline) = (IncidentId(43), at, Vec::new());
    let (title, severity) = (opened.title.to_string(), opened.severity);
    picture.incidents.push(Arc::new(opened));
    assert!(!title.is_empty() && severity.to_string().starts_with("SEV"));
    let run = Arc::make_mut(&mut picture.runs[0]);
    run.steps[0].state = StepState::Succeeded { at };
    run.steps[1].state = StepState::Succeeded { at };
    let begun = |by: &str| Beginning { id: "i".into(), at, by: by.into(), purpose: Purpose::Run, is_void: false };
    run.steps[0].begun.push(begun("ana"));
    run.steps[1].begun.push(begun("bo"));
    picture
}

fn with(mut picture: Snapshot, name: &str, last_here: Option<Timestamp>) -> Snapshot {
    let since = picture.at;
    picture.present.push(Present {
        seat: 9,
        name: name.into(),
        role: Role::Responder,
        since,
        last_here,
        incident: None,
        pane: "".into(),
    });
    picture
}

#[test]
fn what_others_did_is_told_and_what_one_did_oneself_is_not() {
    let picture = later();
    let title = &picture.incidents[0].title;
    let told = happened(&picture, gone_at(), "ana", &BTreeSet::new());
    assert_eq!(
        told,
        [
            "INC-42 owner is bo (bo)".to_owned(),
            "a note (bo) on INC-42: looks calmer".to_owned(),
            format!("INC-43 opened, {}: {title}", picture.incidents[0].severity),
            "bo approved step 2 of RUN-3".to_owned(),
            "2 steps of RUN-3 finished".to_owned(),
        ]
    );
    assert!(happened(&picture, picture.at, "ana", &BTreeSet::new()).is_empty(), "nothing happened after it");
    assert!(happened(&fixtures::live(), gone_at(), "ana", &BTreeSet::new()).is_empty());
}

#[test]
fn a_step_whose_end_nobody_saw_is_told_although_it_began_before() {
    let mut picture = later();
    let run = Arc::make_mut(&mut picture.runs[0]);
    run.state = RunState::Interrupted;
    run.steps[1].state = StepState::Unknown { since: gone_at() - MINUTE_MS };
    let interrupted = "step 2 of RUN-3 was interrupted; whether it happened is not known".to_owned();
    assert!(happened(&picture, gone_at(), "ana", &BTreeSet::new()).contains(&interrupted));
    Arc::make_mut(&mut picture.runs[0]).state = RunState::Stopped;
    assert!(
        !happened(&picture, gone_at(), "ana", &BTreeSet::new()).contains(&interrupted),
        "a run that is over is settled"
    );
}

#[test]
fn a_line_that_was_lost_tells_once_what_was_missed() {
    let mut watch = AwayWatch::default();
    let mut seen = with(fixtures::live(), "ana", None);
    seen.at = gone_at();
    assert_eq!(watch.take(&seen, "ana"), None);
    watch.link(&Link::Lost("gone".into()), &seen);
    // A picture of before that was on its way is no news, and while the line is down nothing is told.
    assert_eq!(watch.take(&later(), "ana"), None);
    watch.link(&Link::Lost("still gone".into()), &later());
    watch.link(&Link::Up, &seen);
    assert_eq!(watch.take(&seen, "ana"), None);
    let away = watch.take(&later(), "ana").unwrap();
    assert_eq!((away.since, away.until), (gone_at(), later().at));
    assert_eq!(watch.take(&later(), "ana"), None, "it is told once");
}

#[test]
fn a_step_that_was_known_to_be_interrupted_is_not_told_again_at_each_drop_of_the_line() {
    let interrupted = |index: usize, after_ms: i64| {
        let mut picture = with(fixtures::live(), "ana", None);
        picture.at = gone_at() + after_ms;
        let run = Arc::make_mut(&mut picture.runs[0]);
        run.state = RunState::Interrupted;
        run.steps[index].state = StepState::Unknown { since: gone_at() - MINUTE_MS };
        picture
    };
    let mut watch = AwayWatch::default();
    assert_eq!(watch.take(&interrupted(1, 0), "ana"), None);
    for drop in 1..4 {
        watch.link(&Link::Lost("gone".into()), &interrupted(1, drop * MINUTE_MS));
        // The next try fails as well.
        watch.link(&Link::Lost("still gone".into()), &interrupted(1, drop * MINUTE_MS));
        watch.link(&Link::Up, &interrupted(1, drop * MINUTE_MS));
        assert_eq!(watch.take(&interrupted(1, drop * MINUTE_MS + SECOND_MS), "ana"), None, "drop {drop}");
    }
    // Another one is news.
    watch.link(&Link::Lost("gone".into()), &interrupted(1, 5 * MINUTE_MS));
    watch.link(&Link::Up, &interrupted(1, 5 * MINUTE_MS));
    let told = watch.take(&interrupted(2, 6 * MINUTE_MS), "ana").unwrap().happened;
    assert_eq!(told, ["step 3 of RUN-3 was interrupted; whether it happened is not known"]);
}

#[test]
fn a_console_that_is_opened_again_within_a_day_tells_what_was_missed() {
    for (name, last_here, is_told) in [
        ("ana", Some(gone_at()), true),
        ("ana", None, false),
        ("bo", Some(gone_at()), false),
        ("ana", Some(gone_at() + 6 * HOUR_MS), false),
        ("ana", Some(Timestamp(gone_at().0 - 2 * DAY_MS)), false),
    ] {
        let mut watch = AwayWatch::default();
        // The first picture may be of a moment before.
        assert_eq!(watch.take(&later(), "ana"), None);
        let told = watch.take(&with(later(), name, last_here), "ana");
        assert_eq!(told.is_some(), is_told, "{name} {last_here:?}");
    }
}

/// The seat of a console that was opened an hour before has what was told to that one.
#[test]
fn a_second_console_of_the_same_person_is_not_told_what_the_first_one_showed() {
    let mut seated = with(later(), "ana", Some(gone_at()));
    seated.present[0].since = Timestamp(later().at.0 - HOUR_MS);
    let mut watch = AwayWatch::default();
    assert_eq!(watch.take(&seated, "ana"), None, "it was told there");
    assert_eq!(watch.take(&with(seated.clone(), "ana", None), "ana"), None);
    // The first one is left; this one was there.
    assert_eq!(watch.take(&with(later(), "ana", None), "ana"), None);
    // Two at once: whichever of the seats is this one's, the other one tells.
    let mut watch = AwayWatch::default();
    assert_eq!(watch.take(&later(), "ana"), None);
    assert_eq!(watch.take(&with(with(later(), "ana", None), "ana", Some(gone_at())), "ana"), None);
}

#[test]
fn who_was_given_a_wheel_meanwhile_is_told_to_drive() {
    for (driver, started_by, after_ms, told) in [
        ("ana", "bo", 2_000, Some("you drive RUN-3 since")),
        ("bo", "ana", 2_000, Some("bo drives RUN-3 since")),
        ("ana", "ana", 2_000, Some("you drive RUN-3 since")),
        ("bo", "bo", 2_000, None),
        ("ana", "bo", -2_000, None),
    ] {
        let mut picture = later();
        let run = Arc::make_mut(&mut picture.runs[0]);
        (run.started_by, run.started_at) = (started_by.into(), gone_at() - MINUTE_MS);
        let id = run.id;
        let since = gone_at() + after_ms;
        picture.wheels.insert(id, Wheel { driver: driver.into(), since, asked: None });
        let happened = happened(&picture, gone_at(), "ana", &BTreeSet::new());
        let drives: Vec<&String> = happened.iter().filter(|line| line.contains("RUN-3 since")).collect();
        assert_eq!(drives.len(), usize::from(told.is_some()), "{driver} {started_by}: {happened:?}");
        assert!(drives.iter().all(|line| told.is_some_and(|told| line.starts_with(told))), "{drives:?}");
    }
    // One that a person began oneself has been driven since then.
    let mut picture = later();
    let run = Arc::make_mut(&mut picture.runs[0]);
    (run.started_by, run.started_at) = ("ana".into(), gone_at() + SECOND_MS);
    let (id, since) = (run.id, run.started_at);
    picture.wheels.insert(id, Wheel { driver: "ana".into(), since, asked: None });
    assert!(!happened(&picture, gone_at(), "ana", &BTreeSet::new()).iter().any(|line| line.contains("drive")));
}

#[test]
fn it_waits_until_nothing_lies_over_the_panes_and_a_key_takes_it_away() {
    let mut state = AppState::new(Keymap::load("default", None).0, false, Vec::new());
    state.ui.me = "ana".into();
    let mut now = fixtures::now();
    let mut tell = |state: &mut AppState, message: Message| {
        now = now + SECOND_MS;
        update(state, message, now)
    };
    tell(&mut state, Message::Snapshot(Arc::new(fixtures::live())));
    state.ui.overlay = Overlay::Filter;
    tell(&mut state, Message::Link(Link::Lost("gone".into()), 0));
    tell(&mut state, Message::Link(Link::Up, 0));
    tell(&mut state, Message::Snapshot(Arc::new(later())));
    assert_eq!(state.ui.overlay, Overlay::Filter);
    state.ui.overlay = Overlay::None;
    tell(&mut state, Message::Snapshot(Arc::new(later())));
    let Overlay::Away { away: Away { happened, .. }, .. } = &state.ui.overlay else { panic!("{:?}", state.ui.overlay) };
    assert!(happened.contains(&"2 steps of RUN-3 finished".to_owned()), "{happened:?}");
    let esc = hypocenter::app::key::Key::plain(crossterm::event::KeyCode::Esc);
    tell(&mut state, Message::Key(esc));
    assert_eq!(state.ui.overlay, Overlay::None);
    tell(&mut state, Message::Snapshot(Arc::new(later())));
    assert_eq!(state.ui.overlay, Overlay::None);
}
