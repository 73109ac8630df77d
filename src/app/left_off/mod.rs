//! What a person leaves behind on the screen: texts that were begun and not sent, and the place that was looked at. Found in and
//! given back to the console's state; a file keeps it in between.
//!
//! A text is worth more than a place: it is offered however old it is, and asks what is to become of it. A place is taken again
//! without a word, where it still exists and the shift is still the same.

pub mod file;
pub mod keeper;

use serde::{Deserialize, Serialize};

use super::state::AppState;
use crate::engine::clock::Timestamp;
use crate::engine::model::{IncidentId, RunId};
use crate::engine::snapshot::patches::Grouping;
use crate::views::ui_state::{Overlay, Pane, PatchView, RowKey, Unsent, Written};

/// Everything that is left behind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeftOff {
    /// Texts that were not sent, or of which it is not known that they were taken; the newest first.
    pub texts: Vec<Unsent>,
    /// The question that was being typed in Ask.
    pub question: String,
    /// A line that was typed at a question of the console, and not taken.
    pub line: String,
    /// What was looked at.
    pub place: Option<Place>,
}

/// What was looked at, each thing by what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The pane on the screen.
    pub pane: Pane,
    /// The incident in focus, where one was chosen.
    pub incident: Option<IncidentId>,
    /// The run in focus, where one was chosen.
    pub run: Option<RunId>,
    /// By what the queue of patches was grouped.
    pub patch_grouping: Grouping,
    /// What Patches showed.
    pub patch_view: PatchView,
    /// True where suppressed anomalies were listed.
    pub shows_suppressed: bool,
    /// What was marked and left out in each pane.
    pub lists: Vec<ListPlace>,
}

/// What was marked in a pane, and which rows were left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPlace {
    /// Which pane.
    pub pane: Pane,
    /// The marked row.
    pub row: Option<RowKey>,
    /// The filter.
    pub filter: String,
}

impl LeftOff {
    /// What would be left behind if the console ended now. A text that is as it was `before` keeps its time.
    #[must_use]
    pub fn of(state: &AppState, before: &Self, now: Timestamp) -> Self {
        let mut written = state.drafts.clone();
        if let (Overlay::Note { incident, what }, Some(note)) = (&state.ui.overlay, &state.note) {
            let is_blank = note.lines().iter().all(|line| line.trim().is_empty());
            if !is_blank && note.lines() != state.note_begun {
                written.insert((*incident, *what), note.lines().to_vec());
            }
        }
        let at = |incident: IncidentId, what: Written, lines: &[String]| {
            let same = before.texts.iter().find(|text| is_same(text, (incident, what), lines));
            same.map_or(now, |text| text.at)
        };
        let texts = written.into_iter().map(|((incident, what), lines)| {
            let at = at(incident, what, &lines);
            Unsent { incident, what, lines, at }
        });
        let (question, line) = (state.ui.talk.prompt.text.clone(), state.line_not_taken().to_owned());
        let mut left = Self { question, line, ..Self::default() };
        left.add(texts.chain(state.ui.unsent.iter().cloned()));
        left.place = state.left_place.clone().or_else(|| Some(Place::of(state)));
        left
    }

    /// Takes in what another console left, which is older: its texts are added to ours, of all else ours counts.
    pub fn take_in(&mut self, other: Self) {
        self.add(other.texts);
        if self.question.is_empty() {
            self.question = other.question;
        }
        if self.line.is_empty() {
            self.line = other.line;
        }
        self.place = self.place.take().or(other.place);
    }

    /// Adds texts, each once, the newest first. Two texts of one kind about one incident are two.
    fn add(&mut self, texts: impl IntoIterator<Item = Unsent>) {
        for text in texts {
            if !self.texts.iter().any(|known| is_same(known, (text.incident, text.what), &text.lines)) {
                self.texts.push(text);
            }
        }
        self.texts.sort_by_key(|text| std::cmp::Reverse(text.at));
    }
}

fn is_same(text: &Unsent, key: (IncidentId, Written), lines: &[String]) -> bool {
    (text.incident, text.what) == key && text.lines == lines
}

impl Place {
    fn of(state: &AppState) -> Self {
        let ui = &state.ui;
        let lists = ui.lists.iter().map(|(pane, list)| ListPlace {
            pane: *pane,
            row: list.selected.clone().filter(is_lasting),
            filter: list.filter.clone(),
        });
        Self {
            pane: ui.pane,
            incident: ui.incident,
            run: ui.run,
            patch_grouping: ui.patch_grouping,
            patch_view: ui.patch_view,
            shows_suppressed: ui.shows_suppressed,
            lists: lists.filter(|list| list.row.is_some() || !list.filter.is_empty()).collect(),
        }
    }
}

/// False for rows that mean something in this life of the console only.
fn is_lasting(row: &RowKey) -> bool {
    !matches!(
        row,
        RowKey::Evidence(..)
            | RowKey::PlanLine(_)
            | RowKey::Asked(_)
            | RowKey::Claim(..)
            | RowKey::Said(..)
            | RowKey::Next(_)
            | RowKey::File(_)
    )
}
