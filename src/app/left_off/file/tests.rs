//! What is written is read again, whatever happens to the file is told, and two consoles lose nothing of one another.

use proptest::prelude::*;

use super::*;
use crate::app::left_off::ListPlace;
use crate::engine::model::{AnomalyId, IncidentId, RunId};
use crate::engine::snapshot::patches::Grouping;
use crate::views::ui_state::{Pane, PatchView, RowKey, Written};

const NOW: Timestamp = Timestamp(1_794_925_800_000);

fn text(incident: u64, what: Written, lines: &[&str], at: i64) -> Unsent {
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    Unsent { incident: IncidentId(incident), what, lines, at: Timestamp(at) }
}

fn place(pane: Pane) -> Place {
    Place {
        pane,
        incident: Some(IncidentId(42)),
        run: Some(RunId(7)),
        patch_grouping: Grouping::Asset,
        patch_view: PatchView::Calendar,
        shows_suppressed: true,
        lists: vec![
            ListPlace { pane: Pane::Now, row: Some(RowKey::Incident(IncidentId(42))), filter: String::new() },
            ListPlace { pane: Pane::Anomalies, row: Some(RowKey::Anomaly(AnomalyId(3))), filter: "auth !db".into() },
            ListPlace { pane: Pane::Incident, row: Some(RowKey::Timeline(-5, 2)), filter: String::new() },
        ],
    }
}

fn whole() -> LeftOff {
    LeftOff {
        texts: vec![
            text(42, Written::PostMortem, &["# What happened", "", "\u{1b}[31mnot red"], 9),
            text(42, Written::Note, &["netops says \"it is us\" 日本"], 8),
        ],
        question: "is auth st".into(),
        line: "bo: db-1 is fl".into(),
        place: Some(place(Pane::Runbook)),
    }
}

fn open(folder: &Path) -> (Shelf, Found) {
    Shelf::open(folder, NOW).unwrap()
}

#[test]
fn what_is_left_is_found_again_and_is_its_owners_alone() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("state/left-off");
    let (shelf, found) = open(&folder);
    assert_eq!((found.left, found.problems), (LeftOff::default(), Vec::new()));
    shelf.write(&whole(), NOW, true).unwrap();
    drop(shelf);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join("1.json"))), (0o700, 0o600));
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(open(&folder).1.left, whole());
    assert_eq!(mode(&folder), 0o700, "what others could read is closed to them");
}

#[test]
fn a_place_is_of_one_shift_and_texts_are_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    for (age, has_place) in [(0, true), (PLACE_MS - 1, true), (PLACE_MS, false), (-1, false)] {
        open(folder.path()).0.write(&whole(), NOW - age, false).unwrap();
        let left = open(folder.path()).1.left;
        assert_eq!((left.place.is_some(), left.texts), (has_place, whole().texts), "{age}");
    }
}

#[test]
fn consoles_side_by_side_have_files_of_their_own_and_the_next_one_takes_over_what_both_left() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = open(folder.path());
    first
        .write(&LeftOff { texts: vec![text(1, Written::Note, &["of the first"], 1)], ..whole() }, NOW - 2, true)
        .unwrap();
    let (second, found) = open(folder.path());
    assert_eq!(found.left, LeftOff::default(), "what belongs to a console that runs is not taken from it");
    let own = [text(1, Written::Note, &["of the second"], 2), text(1, Written::Update, &["of the second"], 3)];
    let place = Some(place(Pane::Chain));
    let left = LeftOff { texts: own.to_vec(), question: "newer".into(), place: place.clone(), ..LeftOff::default() };
    second.write(&left, NOW - 1, true).unwrap();
    drop((first, second));
    let (third, found) = open(folder.path());
    let texts: Vec<String> = found.left.texts.iter().map(|text| text.lines.join("\n")).collect();
    assert_eq!(texts, ["of the second", "of the second", "of the first"]);
    assert_eq!((found.left.question.as_str(), found.left.place), ("newer", place));
    assert_eq!(found.left.line, "bo: db-1 is fl", "the newer one had none");
    let names: Vec<bool> = (1..=2).map(|number| folder.path().join(format!("{number}.json")).exists()).collect();
    assert_eq!(names, [true, false]);
    drop(third);
    assert_eq!(open(folder.path()).1.left.texts.len(), 3, "it is not lost by being found");
}

#[test]
fn more_consoles_than_are_kept_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let held: Vec<Shelf> = (0..CONSOLES_MAX).map(|_| open(folder.path()).0).collect();
    let said = Shelf::open(folder.path(), NOW).unwrap_err().to_string();
    assert!(said.contains("leave one of them") && held.len() == 32, "{said}");
}

#[test]
fn a_place_that_is_not_understood_costs_no_text() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).0.write(&whole(), NOW, false).unwrap();
    let path = folder.path().join("1.json");
    let other = fs::read_to_string(&path).unwrap().replace("\"runbook\"", "\"a_pane_of_tomorrow\"");
    fs::write(&path, other).unwrap();
    let (_, found) = open(folder.path());
    assert_eq!((found.left.texts, found.left.place, found.problems), (whole().texts, None, Vec::new()));
}

#[test]
fn a_file_of_another_form_is_set_aside_and_told() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).0.write(&whole(), NOW, false).unwrap();
    let path = folder.path().join("1.json");
    let other = fs::read_to_string(&path).unwrap().replace("\"version\": 1", "\"version\": 2");
    fs::write(&path, &other).unwrap();
    let (_, found) = open(folder.path());
    assert!(found.problems[0].text.contains("form 2, and this hypo knows form 1"), "{:?}", found.problems);
    assert_eq!(fs::read_to_string(folder.path().join("1.unreadable-1")).unwrap(), other);
    assert_eq!(found.left, LeftOff::default());
}

/// A folder in which one file holds these bytes, opened.
fn opened_on(bytes: &[u8]) -> (tempfile::TempDir, Found) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("1.json"), bytes).unwrap();
    let found = open(folder.path()).1;
    (folder, found)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text_comes_back_letter_by_letter(lines in prop::collection::vec(".{0,40}", 1..6), at in 0..253_402_300_800_000_i64, question in ".{0,60}") {
        let folder = tempfile::tempdir().unwrap();
        let text = Unsent { incident: IncidentId(3), what: Written::Note, lines, at: Timestamp(at) };
        let left = LeftOff { texts: vec![text], line: question.clone(), question, place: Some(place(Pane::Log)) };
        open(folder.path()).0.write(&left, NOW, false).unwrap();
        prop_assert_eq!(open(folder.path()).1.left, left);
    }

    #[test]
    fn a_file_that_breaks_off_is_told_and_set_aside(share in 0.0_f64..1.0) {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).0.write(&whole(), NOW, false).unwrap();
        let good = fs::read(folder.path().join("1.json")).unwrap();
        let cut = &good[..(good.len() as f64 * share) as usize];
        let (folder, found) = opened_on(cut);
        prop_assert_eq!(found.problems.len(), 1);
        prop_assert_eq!(found.left, LeftOff::default());
        prop_assert_eq!(fs::read(folder.path().join("1.unreadable-1")).unwrap(), cut);
    }

    #[test]
    fn whatever_stands_in_a_file_nothing_panics_and_nothing_is_lost(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (folder, found) = opened_on(&bytes);
        prop_assert_eq!(found.problems.len(), 1);
        prop_assert_eq!(fs::read(folder.path().join("1.unreadable-1")).unwrap(), bytes);
    }
}
